//! Reads filter values from the detail tree, building no more of it than a field needs.

use super::fields::{Direction, Family, HeaderField, Source};
use super::literal;
use super::matcher::Scalar;
use super::values::{Visit, is_family};
use crate::decode::{Decoded, LayerKind};
use crate::index::Packet;
use crate::index::segment::flags;
use crate::protocols::{self, Frame, Kind, ProtocolId, Tree, Value};

/// Calls `visit` with each value of a field of the PROTOCOLS table, quoted datagrams left out.
pub fn each(name: &str, packet: &Packet<'_>, visit: Visit<'_>) {
    let family = name.split('.').next().unwrap_or_default();
    if !may_have(family, packet) {
        return;
    }
    match family {
        "eth" | "vlan" | "sll" | "ip" | "ipv6" | "udp" | "tcp" if !packet.is_text() => {
            headers_of(name, packet, visit);
        }
        "dns" if !packet.is_text() => {
            let decoded = packet.decode();
            for row in packet.dns_rows() {
                let (mut tree, message) = (Tree::default(), packet.message(row));
                let settings = &packet.source.settings;
                let frame = Frame { decoded: &decoded, assembled: Some(message), datagram: None, settings };
                (ProtocolId::DNS.protocol().dissect)(&frame, &mut tree);
                if nodes(name, &tree, false, visit) {
                    return;
                }
            }
        }
        _ => {
            nodes(name, &packet.dissect(), false, visit);
        }
    }
}

/// Whether a packet can have a field of a protocol, as far as its columns tell.
fn may_have(family: &str, packet: &Packet<'_>) -> bool {
    let tunnelled = packet.flags() & flags::TUNNEL != 0;
    let carries = |number: u8| tunnelled || packet.transport() == number;
    let speaks = |number| tunnelled || is_family(number, packet.source_address(), packet.protocol());
    match family {
        "dns" => packet.is_text() || !packet.dns_rows().is_empty(),
        "ip" => speaks(Family::V4),
        "ipv6" => speaks(Family::V6),
        "udp" => carries(17),
        "tcp" => carries(6),
        "icmp" => carries(1),
        "icmpv6" => carries(58),
        "arp" | "http" | "tls" | "dhcp" | "ntp" => {
            ProtocolId::by_name(family).is_none_or(|id| packet.protocol() == id)
        }
        _ => true,
    }
}

/// Fields of link, network and transport headers: nothing above them is read. What stands above the IP header of a
/// fragment is read from the packet it completes.
fn headers_of(name: &str, packet: &Packet<'_>, visit: Visit<'_>) {
    let decoded = packet.decode();
    let mut tree = Tree::default();
    let above = name.starts_with("udp.") || name.starts_with("tcp.");
    if above && packet.flags() & flags::FRAGMENT != 0 {
        match packet.datagram() {
            Some(whole) => protocols::headers(&whole, &mut tree),
            None if decoded.is_piece() => return,
            None => protocols::headers(&decoded, &mut tree),
        }
    } else {
        protocols::headers(&decoded, &mut tree);
    }
    nodes(name, &tree, false, visit);
}

/// Values of a field in every header of its kind, the outer ones of a tunnel too.
pub fn every_header(source: Source, packet: &Packet<'_>, visit: Visit<'_>) {
    let names: &[&str] = match source {
        Source::Address(Family::V4, Direction::Either) => &["ip.addr"],
        Source::Address(Family::V4, Direction::Source) => &["ip.src"],
        Source::Address(Family::V4, Direction::Destination) => &["ip.dst"],
        Source::Address(Family::V6, Direction::Either) => &["ipv6.addr"],
        Source::Address(Family::V6, Direction::Source) => &["ipv6.src"],
        Source::Address(Family::V6, Direction::Destination) => &["ipv6.dst"],
        Source::Address(Family::Any, Direction::Either) => &["ip.addr", "ipv6.addr"],
        Source::Address(Family::Any, Direction::Source) => &["ip.src", "ipv6.src"],
        Source::Address(Family::Any, Direction::Destination) => &["ip.dst", "ipv6.dst"],
        Source::Ttl(Family::V4) => &["ip.ttl"],
        Source::Ttl(Family::V6) => &["ipv6.hlim"],
        Source::Ttl(_) => &["ip.ttl", "ipv6.hlim"],
        Source::IpProtocol(Family::V4) => &["ip.proto"],
        Source::IpProtocol(Family::V6) => &["ipv6.nxt"],
        Source::IpProtocol(_) => &["ip.proto", "ipv6.nxt"],
        // Of SCTP the tree has no fields.
        Source::Port(132, _) => &[],
        Source::Port(17, Direction::Either) => &["udp.port"],
        Source::Port(17, Direction::Source) => &["udp.srcport"],
        Source::Port(17, Direction::Destination) => &["udp.dstport"],
        Source::Port(6, Direction::Either) => &["tcp.port"],
        Source::Port(6, Direction::Source) => &["tcp.srcport"],
        Source::Port(6, Direction::Destination) => &["tcp.dstport"],
        Source::Port(_, Direction::Either) => &["udp.port", "tcp.port"],
        Source::Port(_, Direction::Source) => &["udp.srcport", "tcp.srcport"],
        Source::Port(_, Direction::Destination) => &["udp.dstport", "tcp.dstport"],
        Source::Icmp(1, false) => &["icmp.type"],
        Source::Icmp(1, true) => &["icmp.code"],
        Source::Icmp(_, false) => &["icmpv6.type"],
        Source::Icmp(_, true) => &["icmpv6.code"],
        Source::Header(HeaderField::EtherSource) => &["eth.src"],
        Source::Header(HeaderField::EtherDestination) => &["eth.dst"],
        Source::Header(HeaderField::EtherEither) => &["eth.addr"],
        Source::Header(HeaderField::EtherType) => &["eth.type"],
        Source::Header(HeaderField::Vlan) => &["vlan.id"],
        Source::Header(HeaderField::IpId) => &["ip.id"],
        Source::Header(HeaderField::Ipv6Next) => &["ipv6.nxt"],
        Source::Header(HeaderField::Payload(17)) => &["udp.payload"],
        other => {
            super::values::headers(other, &packet.decode(), visit);
            return;
        }
    };
    let whole = matches!(source, Source::Icmp(..));
    let tree = if whole {
        packet.dissect()
    } else {
        let mut tree = Tree::default();
        protocols::headers(&packet.decode(), &mut tree);
        tree
    };
    let _ = names.iter().any(|name| nodes(name, &tree, false, visit));
}

/// Calls `visit` with each value of a field in a tree; true when it stopped.
pub fn nodes(name: &str, tree: &Tree, quoted: bool, visit: Visit<'_>) -> bool {
    let mut wanted = tree.values(name).filter(|node| node.quoted == quoted);
    wanted.any(|node| match &node.value {
        Value::None => visit(Scalar::Bytes(&[])),
        Value::Number(number) => visit(Scalar::Number(*number)),
        Value::Bool(flag) => visit(Scalar::Bool(*flag)),
        Value::Text(text) if node.field.is_some_and(|field| field.kind == Kind::Name) => {
            visit(Scalar::Name(&literal::normal_name(text)))
        }
        Value::Text(text) => visit(Scalar::Text(text)),
        Value::Address(address) => visit(Scalar::Address(*address)),
        Value::Bytes(bytes) => visit(Scalar::Bytes(bytes)),
    })
}

/// The layers of a packet from the outermost in, by Wireshark's names; quoted datagrams are not among them.
pub fn layers(packet: &Packet<'_>) -> String {
    let datagram = packet.datagram();
    let decoded = packet.decode();
    let mut names: Vec<&str> = Vec::new();
    add_layers(&decoded, &mut names);
    if let Some(whole) = &datagram {
        names.extend(whole.layers().last().and_then(|layer| layer_names(layer.kind)).into_iter().flatten());
    }
    let inner = datagram.as_ref().unwrap_or(&decoded);
    let own = packet.protocol().protocol().name;
    let known = names.last() == Some(&own) || matches!(own, "icmpv6" | "icmp" | "arp");
    if inner.payload_end > inner.payload_start && !known {
        let named = !matches!(own, "udp" | "tcp" | "fragment");
        names.push(if named { own } else { "data" });
    }
    names.join(":")
}

fn add_layers(decoded: &Decoded<'_>, names: &mut Vec<&str>) {
    let first = decoded.layers().first().map(|layer| layer.kind);
    if matches!(first, Some(LayerKind::Ipv4 | LayerKind::Ipv6)) {
        names.push("raw");
    }
    for layer in decoded.layers() {
        names.extend(layer_names(layer.kind).into_iter().flatten());
    }
}

fn layer_names(kind: LayerKind) -> Option<&'static [&'static str]> {
    Some(match kind {
        LayerKind::Ethernet => &["eth", "ethertype"],
        LayerKind::Vlan => &["vlan", "ethertype"],
        LayerKind::Sll | LayerKind::Sll2 => &["sll", "ethertype"],
        LayerKind::Loopback => &["null"],
        LayerKind::Radiotap => &["radiotap"],
        LayerKind::Ieee80211 => &["wlan"],
        LayerKind::Llc => &["llc"],
        LayerKind::Ppp => &["ppp"],
        LayerKind::Pppoe => &["pppoes"],
        LayerKind::Nflog => &["nflog"],
        LayerKind::Mpls => &["mpls"],
        LayerKind::Arp => &["arp"],
        LayerKind::Ipv4 => &["ip"],
        LayerKind::Ipv6 => &["ipv6"],
        LayerKind::Udp => &["udp"],
        LayerKind::Tcp => &["tcp"],
        LayerKind::Sctp => &["sctp"],
        LayerKind::Icmp => &["icmp"],
        LayerKind::Icmpv6 => &["icmpv6"],
        LayerKind::Igmp => &["igmp"],
        LayerKind::Gre => &["gre"],
        LayerKind::Erspan => &["erspan"],
        LayerKind::Vxlan => &["vxlan"],
        LayerKind::Geneve => &["geneve"],
        LayerKind::Teredo => &["teredo"],
        LayerKind::Gtp => &["gtp"],
        LayerKind::Ah => &["ah"],
        _ => return None,
    })
}
