//! The IPv4 header.

use super::{Protocol, Tree, Value, big};
use crate::decode::{Address, Layer, checksum};

fields! {
    VERSION "ip.version" Number "version";
    HEADER_LENGTH "ip.hdr_len" Number "header length in bytes";
    SERVICE "ip.dsfield" Number "differentiated services field, all eight bits";
    DSCP "ip.dsfield.dscp" Number "differentiated services code point";
    ECN "ip.dsfield.ecn" Number "explicit congestion notification";
    LENGTH "ip.len" Number "total length in bytes";
    ID "ip.id" Number "identification";
    FLAGS "ip.flags" Number "flag bits: 2 don't fragment, 1 more fragments";
    DONT_FRAGMENT "ip.flags.df" Bool "don't fragment";
    MORE_FRAGMENTS "ip.flags.mf" Bool "more fragments";
    FRAGMENT_OFFSET "ip.frag_offset" Number "fragment offset in units of eight bytes";
    TTL "ip.ttl" Number "time to live";
    PROTOCOL "ip.proto" Number "protocol above";
    CHECKSUM "ip.checksum" Number "header checksum";
    SRC "ip.src" Address "source address";
    DST "ip.dst" Address "destination address";
    ADDR "ip.addr" Address "source or destination address";
}

/// IPv4 (RFC 791).
pub static IP: Protocol = Protocol {
    name: "ip",
    label: "IPv4",
    title: "Internet Protocol version 4",
    claims: &[],
    fields: FIELDS,
    dissect: |_, _| {},
    summary: |_, _| {},
};

pub(super) fn rows(bytes: &[u8], layer: Layer, tree: &mut Tree) {
    let (start, end) = (layer.start as usize, layer.end as usize);
    let number = |at: usize, size: usize| big(bytes, start + at, size).map_or(0, |value| value as i64);
    let address = |at: usize| {
        let four = bytes.get(start + at..).and_then(|rest| rest.first_chunk::<4>());
        four.map_or(Address::None, |four| Address::V4((*four).into()))
    };
    let (source, destination) = (address(12), address(16));
    tree.enter(format!("IPv4  {source} → {destination}"), start, end);
    tree.number(&VERSION, "Version", number(0, 1) >> 4, start..start + 1);
    tree.number(&HEADER_LENGTH, "Header length", (number(0, 1) & 0xf) * 4, start..start + 1);
    tree.number(&DSCP, "Differentiated services", number(1, 1) >> 2, start + 1..start + 2);
    tree.number(&ECN, "Congestion notification", number(1, 1) & 3, start + 1..start + 2);
    tree.also(&SERVICE, Value::Number(number(1, 1)), start + 1..start + 2);
    tree.number(&LENGTH, "Total length", number(2, 2), start + 2..start + 4);
    let id = number(4, 2);
    tree.push(
        Some(&ID),
        format!("Identification: {id:#06x} ({id})"),
        Value::Number(id),
        start + 4..start + 6,
    );
    let flags = number(6, 2);
    tree.also(&FLAGS, Value::Number(flags >> 13), start + 6..start + 7);
    tree.flag(&DONT_FRAGMENT, "Don't fragment", flags & 0x4000 != 0, start + 6..start + 7);
    tree.flag(&MORE_FRAGMENTS, "More fragments", flags & 0x2000 != 0, start + 6..start + 7);
    let offset = flags & 0x1fff;
    let text = format!("Fragment offset: {} bytes", offset * 8);
    tree.push(Some(&FRAGMENT_OFFSET), text, Value::Number(offset), start + 6..start + 8);
    tree.number(&TTL, "Time to live", number(8, 1), start + 8..start + 9);
    let protocol = number(9, 1);
    tree.push(
        Some(&PROTOCOL),
        format!("Protocol: {protocol}{}", protocol_name(protocol)),
        Value::Number(protocol),
        start + 9..start + 10,
    );
    let sum = number(10, 2);
    let verdict = match bytes.get(start..end) {
        Some(header) if checksum(0, header) == 0 => "correct",
        Some(_) if sum == 0 => "not filled in: captured before the hardware did",
        _ => "wrong",
    };
    tree.push(
        Some(&CHECKSUM),
        format!("Header checksum: {sum:#06x} ({verdict})"),
        Value::Number(sum),
        start + 10..start + 12,
    );
    tree.address(&SRC, "Source", source, start + 12..start + 16);
    tree.also(&ADDR, Value::Address(source), start + 12..start + 16);
    tree.address(&DST, "Destination", destination, start + 16..start + 20);
    tree.also(&ADDR, Value::Address(destination), start + 16..start + 20);
    if end > start + 20 {
        tree.push(None, format!("Options: {} bytes", end - start - 20), Value::None, start + 20..end);
    }
    tree.leave();
}

/// The name of an IP protocol in parentheses, empty where it is not a common one.
pub(super) fn protocol_name(number: i64) -> &'static str {
    match number {
        1 => " (ICMP)",
        2 => " (IGMP)",
        4 => " (IPv4)",
        6 => " (TCP)",
        17 => " (UDP)",
        41 => " (IPv6)",
        47 => " (GRE)",
        50 => " (ESP)",
        51 => " (AH)",
        58 => " (ICMPv6)",
        89 => " (OSPF)",
        132 => " (SCTP)",
        _ => "",
    }
}
