//! ARP.

use std::fmt::Write as _;

use super::{Claim, Frame, Protocol, Tree, Value, big};
use crate::decode::{Address, LayerKind};

fields! {
    HARDWARE_TYPE "arp.hw.type" Number "kind of link addresses: 1 Ethernet";
    PROTOCOL_TYPE "arp.proto.type" Number "kind of addresses asked about, as an Ethernet type";
    HARDWARE_SIZE "arp.hw.size" Number "bytes of a link address";
    PROTOCOL_SIZE "arp.proto.size" Number "bytes of an address asked about";
    GRATUITOUS "arp.isgratuitous" Bool "sender and target are the same address";
    PROBE "arp.isprobe" Bool "asks whether an address is in use before taking it (RFC 5227)";
    OPCODE "arp.opcode" Number "operation: 1 request, 2 reply";
    SOURCE_HARDWARE "arp.src.hw_mac" Address "sender's hardware address";
    SOURCE "arp.src.proto_ipv4" Address "sender's IPv4 address";
    TARGET_HARDWARE "arp.dst.hw_mac" Address "target's hardware address";
    TARGET "arp.dst.proto_ipv4" Address "target's IPv4 address";
}

/// Address Resolution Protocol (RFC 826).
pub static ARP: Protocol = Protocol {
    name: "arp",
    label: "ARP",
    title: "Address Resolution Protocol",
    claims: &[Claim::EtherType(0x0806)],
    fields: FIELDS,
    dissect,
    summary,
};

/// The fields of an ARP packet for IPv4 over Ethernet, and where it begins.
struct Packet {
    start: usize,
    operation: u64,
    source_hardware: Address,
    source: Address,
    target_hardware: Address,
    target: Address,
}

fn read(frame: &Frame<'_, '_>) -> Option<Packet> {
    let layer = frame.decoded.layers().iter().find(|layer| layer.kind == LayerKind::Arp)?;
    let start = layer.start as usize;
    let bytes = frame.decoded.bytes.get(start..layer.end as usize)?;
    let ether = |at: usize| bytes.get(at..)?.first_chunk::<6>().map(|b| Address::Ether(*b));
    let four = |at: usize| bytes.get(at..)?.first_chunk::<4>().map(|b| Address::V4((*b).into()));
    if big(bytes, 4, 2)? != 0x0604 {
        return None;
    }
    Some(Packet {
        start,
        operation: big(bytes, 6, 2)?,
        source_hardware: ether(8)?,
        source: four(14)?,
        target_hardware: ether(18)?,
        target: four(24)?,
    })
}

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let Some(packet) = read(frame) else { return };
    let start = packet.start;
    tree.enter("ARP".to_owned(), start, start + 28);
    let what = match packet.operation {
        1 => " (request)",
        2 => " (reply)",
        _ => "",
    };
    let number = |at: usize, size: usize| {
        Value::Number(big(frame.decoded.bytes, start + at, size).map_or(0, |value| value as i64))
    };
    tree.also(&HARDWARE_TYPE, number(0, 2), start..start + 2);
    tree.also(&PROTOCOL_TYPE, number(2, 2), start + 2..start + 4);
    tree.also(&HARDWARE_SIZE, number(4, 1), start + 4..start + 5);
    tree.also(&PROTOCOL_SIZE, number(5, 1), start + 5..start + 6);
    if packet.source == packet.target {
        tree.also(&GRATUITOUS, Value::Bool(true), start + 14..start + 28);
    }
    if packet.operation == 1 && packet.source == Address::V4([0, 0, 0, 0].into()) {
        tree.also(&PROBE, Value::Bool(true), start + 14..start + 18);
    }
    let text = format!("Operation: {}{what}", packet.operation);
    tree.push(Some(&OPCODE), text, Value::Number(packet.operation as i64), start + 6..start + 8);
    tree.address(&SOURCE_HARDWARE, "Sender hardware address", packet.source_hardware, start + 8..start + 14);
    tree.address(&SOURCE, "Sender address", packet.source, start + 14..start + 18);
    tree.address(&TARGET_HARDWARE, "Target hardware address", packet.target_hardware, start + 18..start + 24);
    tree.address(&TARGET, "Target address", packet.target, start + 24..start + 28);
    tree.leave();
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let _ = match read(frame) {
        None => write!(out, "ARP, not IPv4 over Ethernet or cut"),
        Some(Packet { operation: 1, source, target, .. }) if source == target => {
            write!(out, "announcement of {source}")
        }
        Some(Packet { operation: 1, source, target, .. }) => write!(out, "who-has {target} tell {source}"),
        Some(Packet { operation: 2, source, source_hardware, .. }) => {
            write!(out, "reply {source} is-at {source_hardware}")
        }
        Some(Packet { operation, .. }) => write!(out, "operation {operation}"),
    };
}
