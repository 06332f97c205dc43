//! Linux cooked captures: what stands in place of a link header when several kinds of interface are captured at once.

use super::{Protocol, Tree, Value, big};
use crate::decode::{Address, Layer, LayerKind};

fields! {
    PACKET_TYPE "sll.pkttype" Number "0 to this host, 1 broadcast, 2 multicast, 3 to another host, 4 sent by this host";
    HARDWARE_TYPE "sll.hatype" Number "kind of interface: 1 Ethernet";
    ADDRESS_LENGTH "sll.halen" Number "bytes of the sender's link address";
    SOURCE "sll.src.eth" Address "sender's link address";
    TYPE "sll.etype" Number "Ethernet type of what follows";
}

/// Linux cooked capture (`LINKTYPE_LINUX_SLL`).
pub static SLL: Protocol = Protocol {
    name: "sll",
    label: "SLL",
    title: "Linux cooked capture",
    claims: &[],
    fields: FIELDS,
    dissect: |_, _| {},
    summary: |_, _| {},
};

/// Where the fields stand in a header.
struct Layout {
    packet_type: (usize, usize),
    hardware_type: usize,
    address_length: (usize, usize),
    address: usize,
    kind: usize,
}

const FIRST: Layout =
    Layout { packet_type: (0, 2), hardware_type: 2, address_length: (4, 2), address: 6, kind: 14 };
const SECOND: Layout =
    Layout { packet_type: (10, 1), hardware_type: 8, address_length: (11, 1), address: 12, kind: 0 };

pub(super) fn rows(bytes: &[u8], layer: Layer, title: String, tree: &mut Tree) {
    let layout = if layer.kind == LayerKind::Sll2 { SECOND } else { FIRST };
    let start = layer.start as usize;
    let number = |(at, size): (usize, usize)| big(bytes, start + at, size).map_or(0, |value| value as i64);
    let place = |(at, size): (usize, usize)| start + at..start + at + size;
    tree.enter(title, start, layer.end as usize);
    tree.number(&PACKET_TYPE, "Packet type", number(layout.packet_type), place(layout.packet_type));
    let hardware = (layout.hardware_type, 2);
    tree.number(&HARDWARE_TYPE, "Interface type", number(hardware), place(hardware));
    let length = number(layout.address_length);
    tree.number(&ADDRESS_LENGTH, "Address length", length, place(layout.address_length));
    let address = bytes.get(start + layout.address..).and_then(|rest| rest.first_chunk::<6>());
    if let Some(address) = address.filter(|_| length == 6) {
        tree.address(&SOURCE, "Source", Address::Ether(*address), place((layout.address, 6)));
    }
    let kind = number((layout.kind, 2));
    tree.push(Some(&TYPE), format!("Type: {kind:#06x}"), Value::Number(kind), place((layout.kind, 2)));
    tree.leave();
}
