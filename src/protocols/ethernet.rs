//! Ethernet addresses, types and VLAN tags.

use super::{Protocol, Tree, Value, big};
use crate::decode::{Address, Layer};

fields! {
    SRC "eth.src" Address "source hardware address";
    DST "eth.dst" Address "destination hardware address";
    ADDR "eth.addr" Address "source or destination hardware address";
    TYPE "eth.type" Number "Ethernet type";
    VLAN_ID "vlan.id" Number "VLAN identifier";
    VLAN_PRIORITY "vlan.priority" Number "VLAN priority code point";
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
    if let Some(kind) = big(bytes, start + 12, 2) {
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
    tree.number(&VLAN_ID, "VLAN id", id, start..start + 2);
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
        0..=1500 => " (length)",
        _ => "",
    }
}
