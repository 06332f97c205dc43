//! The IPv6 header and its extension headers.

use super::{Protocol, Tree, Value, big, ip};
use crate::decode::{Address, Layer};

fields! {
    VERSION "ipv6.version" Number "version";
    TRAFFIC_CLASS "ipv6.tclass" Number "traffic class";
    DSCP "ipv6.tclass.dscp" Number "differentiated services code point";
    ECN "ipv6.tclass.ecn" Number "explicit congestion notification";
    FLOW "ipv6.flow" Number "flow label";
    PAYLOAD_LENGTH "ipv6.plen" Number "payload length in bytes";
    NEXT "ipv6.nxt" Number "next header, as the IPv6 header itself announces it";
    HOP_LIMIT "ipv6.hlim" Number "hop limit";
    SRC "ipv6.src" Address "source address";
    DST "ipv6.dst" Address "destination address";
    ADDR "ipv6.addr" Address "source or destination address";
    FRAGMENT_OFFSET "ipv6.fraghdr.offset" Number "fragment offset in bytes";
    FRAGMENT_MORE "ipv6.fraghdr.more" Bool "more fragments";
    FRAGMENT_ID "ipv6.fraghdr.ident" Number "fragment identification";
}

/// IPv6 (RFC 8200).
pub static IPV6: Protocol = Protocol {
    name: "ipv6",
    label: "IPv6",
    title: "Internet Protocol version 6",
    claims: &[],
    fields: FIELDS,
    dissect: |_, _| {},
    summary: |_, _| {},
};

pub(super) fn rows(bytes: &[u8], layer: Layer, tree: &mut Tree) {
    let start = layer.start as usize;
    let number = |at: usize, size: usize| big(bytes, start + at, size).map_or(0, |value| value as i64);
    let address = |at: usize| {
        let sixteen = bytes.get(start + at..).and_then(|rest| rest.first_chunk::<16>());
        sixteen.map_or(Address::None, |sixteen| Address::V6((*sixteen).into()))
    };
    let (source, destination) = (address(8), address(24));
    tree.enter(format!("IPv6  {source} → {destination}"), start, layer.end as usize);
    let first = number(0, 4);
    tree.number(&VERSION, "Version", first >> 28, start..start + 1);
    tree.number(&TRAFFIC_CLASS, "Traffic class", first >> 20 & 0xff, start..start + 2);
    tree.also(&DSCP, Value::Number(first >> 22 & 0x3f), start..start + 2);
    tree.also(&ECN, Value::Number(first >> 20 & 3), start + 1..start + 2);
    tree.number(&FLOW, "Flow label", first & 0xf_ffff, start + 1..start + 4);
    tree.number(&PAYLOAD_LENGTH, "Payload length", number(4, 2), start + 4..start + 6);
    let next = number(6, 1);
    tree.push(Some(&NEXT), next_header(next), Value::Number(next), start + 6..start + 7);
    tree.number(&HOP_LIMIT, "Hop limit", number(7, 1), start + 7..start + 8);
    tree.address(&SRC, "Source", source, start + 8..start + 24);
    tree.also(&ADDR, Value::Address(source), start + 8..start + 24);
    tree.address(&DST, "Destination", destination, start + 24..start + 40);
    tree.also(&ADDR, Value::Address(destination), start + 24..start + 40);
    tree.leave();
}

fn next_header(next: i64) -> String {
    format!("Next header: {next}{}", ip::protocol_name(next))
}

/// An extension header; `kind` is what the header before announced.
pub(super) fn extension(bytes: &[u8], layer: Layer, kind: u8, tree: &mut Tree) {
    let (start, end) = (layer.start as usize, layer.end as usize);
    let name = match kind {
        0 => "Hop-by-hop options",
        43 => "Routing header",
        44 => "Fragment header",
        60 => "Destination options",
        135 => "Mobility header",
        _ => "Extension header",
    };
    tree.enter(format!("IPv6 {name}"), start, end);
    let next = bytes.get(start).map_or(0, |next| i64::from(*next));
    tree.push(None, next_header(next), Value::Number(next), start..start + 1);
    if kind == 44 {
        let word = big(bytes, start + 2, 2).map_or(0, |value| value as i64);
        tree.number(&FRAGMENT_OFFSET, "Offset", word & 0xfff8, start + 2..start + 4);
        tree.flag(&FRAGMENT_MORE, "More fragments", word & 1 != 0, start + 3..start + 4);
        let id = big(bytes, start + 4, 4).map_or(0, |value| value as i64);
        let text = format!("Identification: {id:#010x}");
        tree.push(Some(&FRAGMENT_ID), text, Value::Number(id), start + 4..start + 8);
    }
    tree.leave();
}
