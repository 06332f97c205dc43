//! Link and network headers, and packets no protocol claims.

use super::{Claim, Field, Frame, Kind, Protocol, Tree, Value};
use crate::decode::{Address, Decoded, LayerKind};

/// Source address of the IP header.
pub static IP_SRC: Field = Field { name: "ip.src", kind: Kind::Address, help: "source address" };
/// Destination address of the IP header.
pub static IP_DST: Field = Field { name: "ip.dst", kind: Kind::Address, help: "destination address" };
/// TTL.
pub static IP_TTL: Field = Field { name: "ip.ttl", kind: Kind::Number, help: "time to live" };

/// What no other protocol claims.
pub static UNKNOWN: Protocol = Protocol {
    name: "data",
    label: "?",
    title: "Other",
    claims: &[] as &[Claim],
    fields: &[&IP_SRC, &IP_DST, &IP_TTL],
    dissect: |_, _| {},
    summary,
};

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    use std::fmt::Write as _;
    let decoded = frame.decoded;
    if let Some(stop) = decoded.stopped {
        let _ = write!(out, "{}: {}", stop.reading, stop.reason);
    } else if let Some(fragment) = decoded.fragment {
        let _ = write!(out, "fragment of protocol {}, offset {}", decoded.ip_protocol, fragment.offset_bytes);
    } else {
        let _ = write!(out, "{} bytes of payload", decoded.payload().len());
    }
}

/// Adds a row for each link and network header.
pub fn headers(decoded: &Decoded<'_>, tree: &mut Tree) {
    for layer in decoded.layers() {
        let (start, end) = (layer.start as usize, layer.end as usize);
        if layer.start == decoded.network_start && matches!(layer.kind, LayerKind::Ipv4 | LayerKind::Ipv6) {
            tree.enter(format!("{:?}  {} → {}", layer.kind, decoded.source, decoded.destination), start, end);
            address(tree, &IP_SRC, "Source", decoded.source, start);
            address(tree, &IP_DST, "Destination", decoded.destination, start);
            tree.number(&IP_TTL, "Time to live", i64::from(decoded.ttl), start..end);
            tree.leave();
        } else if !matches!(layer.kind, LayerKind::Udp | LayerKind::Tcp | LayerKind::Icmp | LayerKind::Icmpv6)
        {
            tree.push(None, format!("{:?}", layer.kind), Value::None, start..end);
        }
    }
}

fn address(tree: &mut Tree, field: &'static Field, label: &str, address: Address, start: usize) {
    tree.push(Some(field), format!("{label}: {address}"), Value::Address(address), start..start);
}
