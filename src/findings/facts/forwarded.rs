//! Packets that the lines show coming in on one interface of a device and going out on another: it passed them on.

use crate::correlate::Evidence;
use crate::decode::transcript::Line;
use crate::index::{Index, PacketId};
use crate::text::escape;

/// Copies that are looked at.
const LOOKED_AT_MAX: usize = 1_000;

/// From where to where a packet was passed on, with its copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The interface it came in on.
    pub from: String,
    /// The interface it left on.
    pub to: String,
    /// Where it came in and where it left.
    pub frames: [PacketId; 2],
}

/// How a packet was passed on, where its lines say it.
pub fn of(index: &Index, evidence: &Evidence, packet: PacketId) -> Option<Passed> {
    evidence.copies(packet).find_map(|(copy, _)| passed(index, packet, copy))
}

/// All that was passed on, in order.
pub fn all(index: &Index, evidence: &Evidence) -> Vec<Passed> {
    let copies = evidence.duplicates().take(LOOKED_AT_MAX);
    copies.filter_map(|(copy, original, _)| passed(index, original, copy)).collect()
}

fn passed(index: &Index, original: PacketId, copy: PacketId) -> Option<Passed> {
    let (one, other) = (index.packet(original)?, index.packet(copy)?);
    let (one, other): (Line<'_>, Line<'_>) = (one.printed()?, other.printed()?);
    let ((from, came), (to, left)) = (one.place()?, other.place()?);
    let is_passed = from != to && matches!(came, "In" | "in") && matches!(left, "Out" | "out");
    is_passed.then(|| Passed { from: escape(from), to: escape(to), frames: [original, copy] })
}
