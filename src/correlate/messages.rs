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

/// All DNS messages of an index.
pub(super) struct Messages<'i> {
    pub index: &'i Index,
    /// Ordinal of the first message of each segment.
    pub starts: Vec<Ordinal>,
    /// The segment of every `1 << HINT_BITS`th ordinal.
    hints: Vec<u32>,
    len: Ordinal,
    /// Queries among them.
    pub queries: usize,
    /// The packets in the order of time, where that is not the order in the files.
    pub order: Option<Arc<[u32]>>,
    /// The ordinals in the order of time, likewise.
    pub ordered: Option<Vec<Ordinal>>,
    /// Packets before which a clock was set back by more than the tolerance, where file order is kept all the same.
    steps: Vec<PacketId>,
    /// Time of the latest and the earliest packet of the capture.
    pub last_ns: Nanos,
    pub first_ns: Nanos,
}

impl<'i> Messages<'i> {
    pub fn new(index: &'i Index, clock: &Clock) -> Self {
        let segments = index.segments();
        let counts: Vec<(usize, usize)> = segments
            .par_iter()
            .map(|segment| {
                let queries = segment.dns.iter().filter(|row| !row.is_response()).count();
                (segment.dns.len(), queries)
            })
            .collect();
        let mut starts = Vec::with_capacity(counts.len());
        let (mut len, mut queries) = (0, 0);
        for (messages, asked) in counts {
            starts.push(len);
            len += messages as Ordinal;
            queries += asked;
        }
        let segment = |ordinal: Ordinal| starts.partition_point(|start| *start <= ordinal).saturating_sub(1);
        let hints = (0..=len >> HINT_BITS).map(|at| segment(at << HINT_BITS) as u32).collect();
        let mut messages = Self {
            index,
            starts,
            hints,
            len,
            queries,
            order: clock.order(index),
            ordered: None,
            steps: Vec::new(),
            last_ns: clock.last_ns,
            first_ns: clock.first_ns,
        };
        if messages.order.is_some() {
            let mut ordinals: Vec<Ordinal> = (0..len).collect();
            ordinals.par_sort_by_key(|at| messages.row(*at).map(|row| messages.time_ns(row.packet)));
            messages.ordered = Some(ordinals);
        } else {
            messages.steps.clone_from(&clock.steps);
        }
        messages
    }

    /// Number of messages.
    pub fn len(&self) -> Ordinal {
        self.len
    }

    fn segment_at(&self, ordinal: Ordinal) -> usize {
        let mut at = self.hints.get((ordinal >> HINT_BITS) as usize).map_or(0, |hint| *hint as usize);
        while self.starts.get(at + 1).is_some_and(|start| *start <= ordinal) {
            at += 1;
        }
        at
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
        Some((row, time_in(segment, row)))
    }

    /// The messages of a range of positions with their times.
    pub fn range(&self, range: Range<Position>) -> impl Iterator<Item = (&'i DnsRow, Nanos)> + use<'i, '_> {
        self.rows(range).map(|(segment, row)| (row, time_in(segment, row)))
    }

    /// The messages of a range of positions with the segments they are in.
    pub fn rows(
        &self,
        range: Range<Position>,
    ) -> impl Iterator<Item = (&'i Segment, &'i DnsRow)> + use<'i, '_> {
        let plain = self.ordered.is_none().then(|| {
            let at = self.segment_at(range.start);
            let skipped = (range.start - self.starts.get(at).copied().unwrap_or(0)) as usize;
            let segments = self.index.segments().get(at..).unwrap_or_default();
            let rows =
                segments.iter().flat_map(|segment| segment.dns.iter().map(move |row| (&**segment, row)));
            rows.skip(skipped).take(range.len())
        });
        let ordered = plain.is_none().then(|| {
            range.filter_map(|position| {
                let ordinal = self.ordinal(position);
                let segment = self.index.segments().get(self.segment_at(ordinal))?;
                Some((&**segment, self.row(ordinal)?))
            })
        });
        ordered.into_iter().flatten().chain(plain.into_iter().flatten())
    }

    /// Time of capture of a packet; 0 for one that is not there.
    pub fn time_ns(&self, packet: PacketId) -> Nanos {
        self.index.locate(packet).map_or(0, |(segment, row)| segment.time_ns.get(row).copied().unwrap_or(0))
    }

    /// The message's bytes as far as they were captured.
    pub fn bytes(&self, row: &DnsRow) -> &'i [u8] {
        self.index.packet(row.packet).map_or(&[], |packet| packet.message(row))
    }

    /// Whether a clock was set back after the one packet and up to the other: then the times cannot be compared, and
    /// the order in the file is the order of events.
    pub fn is_set_back_between(&self, before: PacketId, after: PacketId) -> bool {
        let next = self.steps.partition_point(|step| *step <= before);
        self.steps.get(next).is_some_and(|step| *step <= after)
    }
}

fn time_in(segment: &Segment, row: &DnsRow) -> Nanos {
    segment.time_ns.get((row.packet.0 - segment.base.0) as usize).copied().unwrap_or_default()
}
