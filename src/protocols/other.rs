//! Link, network and transport headers of any packet, and packets no protocol claims.

use std::fmt::Write as _;

use super::{Claim, Frame, Protocol, Tree, Value, ethernet, ip, ipv6, sll, tcp, udp};
use crate::decode::{Decoded, Layer, LayerKind};

pub use super::ip::{DST as IP_DST, SRC as IP_SRC, TTL as IP_TTL};

/// What no other protocol claims.
pub static UNKNOWN: Protocol = Protocol {
    name: "data",
    label: "?",
    title: "Other",
    claims: &[] as &[Claim],
    fields: &[],
    dissect: |_, _| {},
    summary,
};

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let decoded = frame.decoded;
    if decoded.stopped.is_some() {
        // Where and why is said in every summary.
        return;
    }
    let _ = if decoded.is_ip() {
        let name = ip::protocol_name(i64::from(decoded.ip_protocol));
        write!(out, "IP protocol {}{name}, {} bytes", decoded.ip_protocol, decoded.payload().len())
    } else if decoded.ether_type > 0 {
        write!(out, "Ethernet type {:#06x}, {} bytes", decoded.ether_type, decoded.payload().len())
    } else {
        write!(out, "{} bytes", decoded.payload().len())
    };
}

/// Adds rows for each link, network and transport header, outermost first.
pub fn headers(decoded: &Decoded<'_>, tree: &mut Tree) {
    layers(decoded, decoded.layers(), tree);
}

/// The same for a packet put together from fragments: its IP header was sent with each of them.
pub fn above_ip(decoded: &Decoded<'_>, tree: &mut Tree) {
    let of_ip =
        |layer: &Layer| matches!(layer.kind, LayerKind::Ipv4 | LayerKind::Ipv6 | LayerKind::Ipv6Extension);
    let start = decoded.layers().iter().take_while(|layer| of_ip(layer)).count();
    layers(decoded, decoded.layers().get(start..).unwrap_or_default(), tree);
}

fn layers(decoded: &Decoded<'_>, layers: &[Layer], tree: &mut Tree) {
    let bytes = decoded.bytes;
    let mut extension = 0;
    for layer in layers {
        let (start, end) = (layer.start as usize, layer.end as usize);
        match layer.kind {
            LayerKind::Ethernet => ethernet::rows(bytes, *layer, tree),
            LayerKind::Vlan => ethernet::vlan(bytes, *layer, tree),
            LayerKind::Ipv4 => ip::rows(bytes, *layer, tree),
            LayerKind::Ipv6 => {
                extension = bytes.get(start + 6).copied().unwrap_or(0);
                ipv6::rows(bytes, *layer, tree);
            }
            LayerKind::Ipv6Extension => {
                ipv6::extension(bytes, *layer, extension, tree);
                extension = bytes.get(start).copied().unwrap_or(0);
            }
            LayerKind::Udp => udp::rows(decoded, *layer, tree),
            LayerKind::Tcp => tcp::rows(decoded, *layer, tree),
            // These protocols dissect themselves.
            LayerKind::Arp | LayerKind::Icmp | LayerKind::Icmpv6 => {}
            LayerKind::Sll | LayerKind::Sll2 => sll::rows(bytes, *layer, describe(bytes, *layer), tree),
            _ => tree.push(None, describe(bytes, *layer), Value::None, start..end),
        }
    }
}

fn describe(bytes: &[u8], layer: Layer) -> String {
    let number = |at: usize, size: usize| super::big(bytes, layer.start as usize + at, size).unwrap_or(0);
    match layer.kind {
        LayerKind::Sll => format!("Linux cooked capture  {}", direction(number(0, 2))),
        LayerKind::Sll2 => {
            format!("Linux cooked capture v2  {}, interface {}", direction(number(10, 1)), number(4, 4))
        }
        LayerKind::Loopback => "Loopback".to_owned(),
        LayerKind::Radiotap => "Radio header".to_owned(),
        LayerKind::Ieee80211 => "IEEE 802.11".to_owned(),
        LayerKind::Llc => "LLC".to_owned(),
        LayerKind::Ppp => "PPP".to_owned(),
        LayerKind::Pppoe => format!("PPPoE  session {:#06x}", number(2, 2)),
        LayerKind::Tag => match super::big(bytes, (layer.start as usize).saturating_sub(2), 2) {
            Some(0x8926) => format!("VN-Tag  virtual interface {}", number(2, 2) & 0xfff),
            Some(0x893f) => format!("E-Tag  channel {}", number(2, 2) & 0x3fff),
            _ => "MACsec".to_owned(),
        },
        LayerKind::Nflog => "Netfilter log".to_owned(),
        LayerKind::Mpls => format!("MPLS  label {}, TTL {}", number(0, 3) >> 4, number(3, 1)),
        LayerKind::Gre => format!("GRE  protocol {:#06x}", number(2, 2)),
        LayerKind::Erspan => format!("ERSPAN  session {}", number(2, 2) & 0x3ff),
        LayerKind::Vxlan => format!("VXLAN  network {}", number(4, 3)),
        LayerKind::Geneve => format!("GENEVE  network {}", number(4, 3)),
        LayerKind::Gtp => format!("GTP-U  tunnel {:#010x}", number(4, 4)),
        LayerKind::Ah => "Authentication header".to_owned(),
        LayerKind::Fddi => "FDDI".to_owned(),
        LayerKind::Teredo => "Teredo".to_owned(),
        kind => format!("{kind:?}"),
    }
}

fn direction(kind: u64) -> &'static str {
    match kind {
        0 => "to this host",
        1 => "broadcast",
        2 => "multicast",
        3 => "to another host",
        4 => "sent by this host",
        _ => "direction unknown",
    }
}
