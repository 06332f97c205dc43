//! Recognises printed packets that stand in a text twice because they passed several interfaces or a router.

use super::CopyKind;
use crate::decode::transcript::Line;
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId};

/// Protocol number of TCP.
const TCP: u8 = 6;
/// Routers between the two places at most.
const HOPS_MAX: u8 = 2;
/// Lines between the two at most; a repeat after an error is looked for among them.
const BETWEEN_MAX: u32 = 64;

/// What kind of copy the second line is of the first, if it is one: the IP id tells it, or another interface of `-i any`.
pub(super) fn copy_kind(index: &Index, first: &Packet<'_>, second: &Packet<'_>) -> Option<CopyKind> {
    let ends = |packet: &Packet<'_>| {
        let ports = (packet.source_port(), packet.destination_port());
        (packet.source_address(), packet.destination_address(), ports, packet.transport())
    };
    let (from, to) = (ends(first), ends(second));
    let is_translated = from != to;
    // A translator changes one end and leaves the server's, and the client's port where it can.
    let one_end = (from.0, from.2.0) == (to.0, to.2.0) || (from.1, from.2.1) == (to.1, to.2.1);
    let tells_itself = first.dns().is_some() || first.transport() == TCP;
    if from.3 != to.3 || is_translated && (!one_end || from.2 != to.2 || !tells_itself) {
        return None;
    }
    let (one, other) = (first.printed()?, second.printed()?);
    let same_datagram = one.ip.id == other.ip.id && one.ip.length == other.ip.length;
    let hops = first.ttl().checked_sub(second.ttl()).filter(|hops| *hops <= HOPS_MAX)?;
    if !same_datagram || content(&one) != content(&other) {
        return None;
    }
    // An id of 0 in an atomic datagram means nothing (RFC 6864 §4.1).
    let is_told = one.ip.id.is_some_and(|id| id != 0);
    // Two captures of one text: what tells itself by its numbers was seen at both places.
    let is_elsewhere =
        || tells_itself && !content(&one).is_empty() && super::are_of_two_files(index, first.id, second.id);
    let has_passed = (is_told && !is_translated)
        || is_elsewhere()
        || (passed_on(first, &one, &other) && !is_repeat(index, first, second))
        || (is_told && hops > 0);
    if is_translated {
        return has_passed.then_some(CopyKind::Nat);
    }
    has_passed.then_some(if hops == 0 { CopyKind::Mirror } else { CopyKind::Routed })
}

/// The text of a packet that is the same wherever it is printed: what stands behind the hosts, without the checksum that a network
/// card may still have to fill in.
pub(super) fn content<'a>(line: &Line<'a>) -> &'a str {
    let body = line.body().trim_end();
    let is_checksum = |mark: &&str| mark.contains("cksum") || mark.ends_with("sum ok");
    match body.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((mark, rest)) if is_checksum(&mark) => rest.trim_start(),
        _ => body,
    }
}

/// Whether the lines name two interfaces, or two directions of one, within times that mean something.
fn passed_on(first: &Packet<'_>, one: &Line<'_>, other: &Line<'_>) -> bool {
    first.flags() & flags::NO_TIME == 0
        && one.place().zip(other.place()).is_some_and(|(place, another)| place != another)
}

/// Whether an error told the sender between the two: what follows is a repeat.
fn is_repeat(index: &Index, first: &Packet<'_>, second: &Packet<'_>) -> bool {
    let between = first.id.0.saturating_add(1)..second.id.0;
    if between.len() as u32 > BETWEEN_MAX {
        return true;
    }
    between.filter_map(|id| index.packet(PacketId(id))).any(|packet| {
        packet.flags() & flags::ICMP_ERROR != 0 && packet.destination_address() == first.source_address()
    })
}
