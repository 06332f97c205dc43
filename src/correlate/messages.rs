//! The DNS messages of an index by ordinal, with the time and bytes of the packets that carry them.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::clock::Clock;
use crate::index::{DnsRow, Index, PacketId, Segment};
use crate::time::Nanos;

/// Position of a DNS message among all of the index, in packet order.
pub(super) type Ordinal = u32;
/// Position of a DNS message in the order in which messages are matched: packet order, or the order of time.
pub(super) type Position = u32;

/// No message.
pub(super) const NONE: u32 = u32::MAX;

/// Ordinals that share a hint of their segment, as a power of two.
const HINT_BITS: u32 = 12;

/// Messages that stand side by side in one segment and follow one another in matching order.
pub(super) struct Run<'i> {
    /// The place of the segment.
    pub at: usize,
    pub segment: &'i Segment,
    pub rows: &'i [DnsRow],
    /// Position and ordinal of the first; those of the others follow.
    pub first: Position,
    pub ordinal: Ordinal,
}

/// All DNS messages of an index.
pub(super) struct Messages<'i> {
    pub index: &'i Index,
    /// Ordinal of the first message of each segment.
    pub starts: Vec<Ordinal>,
    /// The segment of every `1 << HINT_BITS`th ordinal.
    hints: Vec<u32>,
    len: Ordinal,
    /// The packets in the order of time, where that is not the order in the files.
    pub order: Option<Arc<[u32]>>,
    /// The ordinals in the order of time, likewise.
    pub ordered: Option<Vec<Ordinal>>,
    /// Packets before which a clock was set back by more than the tolerance, where file order is kept all the same.
    steps: Vec<PacketId>,
    /// How far the time of a message lies before that of an earlier position at most.
    pub fall_ns: Nanos,
    /// The same of packets in the order of the files.
    pub file_fall_ns: Nanos,
    /// Time of the latest and the earliest packet of the capture.
    pub last_ns: Nanos,
    pub first_ns: Nanos,
}

impl<'i> Messages<'i> {
    pub fn new(index: &'i Index, clock: &Clock) -> Self {
        let segments = index.segments();
        let mut starts = Vec::with_capacity(segments.len());
        let mut len = 0;
        for segment in segments {
            starts.push(len);
            len += segment.dns.len() as Ordinal;
        }
        let segment = |ordinal: Ordinal| starts.partition_point(|start| *start <= ordinal).saturating_sub(1);
        let hints = (0..=len >> HINT_BITS).map(|at| segment(at << HINT_BITS) as u32).collect();
        let mut messages = Self {
            index,
            starts,
            hints,
            len,
            order: clock.order(index),
            ordered: None,
            steps: Vec::new(),
            fall_ns: clock.fall_ns,
            file_fall_ns: clock.fall_ns,
            last_ns: clock.last_ns,
            first_ns: clock.first_ns,
        };
        if messages.order.is_some() {
            let mut ordinals: Vec<Ordinal> = (0..len).collect();
            ordinals.par_sort_by_key(|at| messages.row(*at).map(|row| messages.time_ns(row.packet)));
            messages.ordered = Some(ordinals);
            messages.fall_ns = 0;
        } else {
            messages.steps.clone_from(&clock.steps);
        }
        messages
    }

    /// Packets before which a clock was set back, in order.
    pub fn steps(&self) -> &[PacketId] {
        &self.steps
    }

    /// Number of messages.
    pub fn len(&self) -> Ordinal {
        self.len
    }

    fn segment_at(&self, ordinal: Ordinal) -> usize {
        let hint = (ordinal >> HINT_BITS) as usize;
        let at = self.hints.get(hint).map_or(0, |hint| *hint as usize);
        let holds = |at: usize| self.starts.get(at + 1).is_none_or(|next| *next > ordinal);
        if let Some(at) = [at, at + 1].into_iter().find(|at| holds(*at)) {
            return at;
        }
        // Of many small captures a segment holds few messages.
        let last = self.hints.get(hint + 1).map_or(self.starts.len(), |next| *next as usize + 1);
        let next =
            self.starts.get(at + 2..last).unwrap_or_default().partition_point(|start| *start <= ordinal);
        at + 1 + next
    }

    /// One message.
    pub fn row(&self, ordinal: Ordinal) -> Option<&'i DnsRow> {
        let at = self.segment_at(ordinal);
        self.index.segments().get(at)?.dns.get((ordinal - self.starts.get(at)?) as usize)
    }

    /// The ordinal at a position.
    pub fn ordinal(&self, position: Position) -> Ordinal {
        match &self.ordered {
            Some(ordered) => ordered.get(position as usize).copied().unwrap_or(NONE),
            None => position,
        }
    }

    /// The message at a position with its time of capture.
    pub fn at(&self, position: Position) -> Option<(&'i DnsRow, Nanos)> {
        let ordinal = self.ordinal(position);
        let at = self.segment_at(ordinal);
        let segment = self.index.segments().get(at)?;
        let row = segment.dns.get(ordinal.checked_sub(*self.starts.get(at)?)? as usize)?;
        Some((row, time_in(segment, row.packet)))
    }

    /// The messages of a range of positions, in runs that stand side by side in one segment.
    pub fn runs(&self, range: Range<Position>) -> impl Iterator<Item = Run<'i>> + use<'i, '_> {
        let mut next = range.start;
        std::iter::from_fn(move || {
            let left = range.end.checked_sub(next).filter(|left| *left > 0)?;
            let ordinal = self.ordinal(next);
            let at = self.segment_at(ordinal);
            let segment = self.index.segments().get(at)?;
            let from = ordinal.checked_sub(*self.starts.get(at)?)? as usize;
            let most = if self.ordered.is_none() { left as usize } else { 1 };
            let rows = segment.dns.get(from..)?;
            let rows = rows.get(..most).unwrap_or(rows);
            let first = next;
            next += rows.len() as Position;
            (!rows.is_empty()).then_some(Run { at, segment, rows, first, ordinal })
        })
    }

    /// The messages of a range of positions.
    pub fn rows(&self, range: Range<Position>) -> impl Iterator<Item = &'i DnsRow> + use<'i, '_> {
        self.runs(range).flat_map(|run| run.rows)
    }

    /// Time of capture of a packet; 0 for one that is not there.
    pub fn time_ns(&self, packet: PacketId) -> Nanos {
        self.index.locate(packet).map_or(0, |(segment, row)| segment.time_ns.get(row).copied().unwrap_or(0))
    }

    /// The message's bytes as far as they were captured.
    pub fn bytes(&self, row: &DnsRow) -> &'i [u8] {
        self.index.packet(row.packet).map_or(&[], |packet| packet.message(row))
    }

    /// The time from one packet to a later one; 0 where a step of the clock lies between, or they are stamped the other
    /// way round.
    pub fn elapsed_ns(
        &self,
        (before, from_ns): (PacketId, Nanos),
        (after, to_ns): (PacketId, Nanos),
    ) -> Nanos {
        if !self.steps.is_empty() && self.is_set_back_between(before, after) {
            return 0;
        }
        (to_ns - from_ns).max(0)
    }

    /// Whether a clock was set back after the one packet and up to the other: then the times cannot be compared, and
    /// the order in the file is the order of events.
    pub fn is_set_back_between(&self, before: PacketId, after: PacketId) -> bool {
        let next = self.steps.partition_point(|step| *step <= before);
        self.steps.get(next).is_some_and(|step| *step <= after)
    }
}

/// Time of capture of a packet of a segment.
pub(super) fn time_in(segment: &Segment, packet: PacketId) -> Nanos {
    segment.time_ns.get((packet.0 - segment.base.0) as usize).copied().unwrap_or_default()
}
