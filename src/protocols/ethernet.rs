//! Ethernet addresses, types and VLAN tags.

use super::{Protocol, Tree, Value, big};
use crate::decode::{Address, Layer};

fields! {
    SRC "eth.src" Address "source hardware address";
    DST "eth.dst" Address "destination hardware address";
    ADDR "eth.addr" Address "source or destination hardware address";
    GROUP "eth.ig" Bool "source or destination is a group address";
    LOCAL "eth.lg" Bool "source or destination is locally administered";
    DST_GROUP "eth.dst.ig" Bool "destination is a group address";
    DST_LOCAL "eth.dst.lg" Bool "destination is locally administered";
    SRC_GROUP "eth.src.ig" Bool "source is a group address";
    SRC_LOCAL "eth.src.lg" Bool "source is locally administered";
    LENGTH "eth.len" Number "length, where the header states one instead of a type";
    TYPE "eth.type" Number "Ethernet type";
    VLAN_ID "vlan.id" Number "VLAN identifier";
    VLAN_PRIORITY "vlan.priority" Number "VLAN priority code point";
    VLAN_DROP "vlan.dei" Bool "may be dropped first (drop eligible indicator)";
    VLAN_TYPE "vlan.etype" Number "Ethernet type after the tag";
}

/// Ethernet (IEEE 802.3, 802.1Q).
pub static ETHERNET: Protocol = Protocol {
    name: "eth",
    label: "Ethernet",
    title: "Ethernet",
    claims: &[],
    fields: FIELDS,
    dissect: |_, _| {},
    summary: |_, _| {},
};

/// Up to here the field is a length and no type (IEEE 802.3 §3.2.6).
const LENGTH_MAX: u64 = 1500;

pub(super) fn rows(bytes: &[u8], layer: Layer, tree: &mut Tree) {
    let start = layer.start as usize;
    let hardware = |at: usize| {
        bytes.get(start + at..).and_then(|rest| rest.first_chunk::<6>()).map(|b| Address::Ether(*b))
    };
    let (Some(destination), Some(source)) = (hardware(0), hardware(6)) else { return };
    tree.enter(format!("Ethernet  {source} → {destination}"), start, layer.end as usize);
    tree.address(&DST, "Destination", destination, start..start + 6);
    tree.also(&ADDR, Value::Address(destination), start..start + 6);
    tree.address(&SRC, "Source", source, start + 6..start + 12);
    tree.also(&ADDR, Value::Address(source), start + 6..start + 12);
    let bits = [(destination, &DST_GROUP, &DST_LOCAL, start), (source, &SRC_GROUP, &SRC_LOCAL, start + 6)];
    for (address, group, local, at) in bits {
        // The two low bits of the first octet (IEEE 802 §8.2).
        let Address::Ether([first, ..]) = address else { continue };
        for (field, either, bit) in [(group, &GROUP, 1), (local, &LOCAL, 2)] {
            tree.also(field, Value::Bool(first & bit != 0), at..at + 3);
            tree.also(either, Value::Bool(first & bit != 0), at..at + 3);
        }
    }
    if let Some(kind) = big(bytes, start + 12, 2).filter(|kind| *kind <= LENGTH_MAX) {
        tree.number(&LENGTH, "Length", kind as i64, start + 12..start + 14);
    } else if let Some(kind) = big(bytes, start + 12, 2) {
        tree.push(
            Some(&TYPE),
            format!("Type: {kind:#06x}{}", type_name(kind)),
            Value::Number(kind as i64),
            start + 12..start + 14,
        );
    }
    tree.leave();
}

pub(super) fn vlan(bytes: &[u8], layer: Layer, tree: &mut Tree) {
    let start = layer.start as usize;
    let Some(tag) = big(bytes, start, 2) else { return };
    let id = (tag & 0xfff) as i64;
    tree.enter(format!("VLAN {id}"), start, layer.end as usize);
    tree.number(&VLAN_PRIORITY, "Priority", (tag >> 13) as i64, start..start + 1);
    tree.also(&VLAN_DROP, Value::Bool(tag & 0x1000 != 0), start..start + 1);
    tree.number(&VLAN_ID, "VLAN id", id, start..start + 2);
    if let Some(kind) = big(bytes, start + 2, 2) {
        let text = format!("Type: {kind:#06x}{}", type_name(kind));
        tree.push(Some(&VLAN_TYPE), text, Value::Number(kind as i64), start + 2..start + 4);
    }
    tree.leave();
}

fn type_name(kind: u64) -> &'static str {
    match kind {
        0x0800 => " (IPv4)",
        0x0806 => " (ARP)",
        0x86dd => " (IPv6)",
        0x8100 | 0x88a8 | 0x9100 => " (VLAN)",
        0x8847 => " (MPLS)",
        0x8864 => " (PPPoE)",
        0x88cc => " (LLDP)",
        0x88e5 => " (MACsec)",
        0x8926 => " (VN-Tag)",
        0x893f => " (E-Tag)",
        _ => "",
    }
}
