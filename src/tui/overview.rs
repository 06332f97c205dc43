//! How DNS queries and ICMP errors spread over time, in a fixed number of bins that widen as packets come.

use crate::index::{Index, PacketId, Segment, segment::flags};
use crate::protocols::ProtocolId;
use crate::time::Nanos;

/// Bins kept; a screen shows fewer.
pub const BINS: usize = 512;
/// The first width of a bin.
const BIN_NS: i128 = 1_000_000;

/// A stretch of time in [`BINS`] bins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub first_ns: Nanos,
    /// Where it ends.
    pub last_ns: Nanos,
}

impl Span {
    /// That of all packets.
    pub fn of(index: &Index) -> Self {
        let spans = index.segments().iter().map(|segment| segment.span_ns).filter(|(from, to)| from <= to);
        let whole = spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        whole.map_or(Self::default(), |(first_ns, last_ns)| Self { first_ns, last_ns })
    }

    /// The part of a moment when it is divided into so many.
    pub fn column(self, at: Nanos, parts: usize) -> usize {
        let first = i128::from(self.first_ns);
        let span = (i128::from(self.last_ns) - first).max(1);
        let part = (i128::from(at) - first).clamp(0, span) * parts as i128 / (span + 1);
        (part as usize).min(parts.saturating_sub(1))
    }

    /// Where the part with this number begins, when it is divided into so many.
    pub fn begin_ns(self, part: usize, parts: usize) -> Nanos {
        let first = i128::from(self.first_ns);
        let span = i128::from(self.last_ns) - first + 1;
        let begin = first + (span * part as i128 + parts as i128 - 1) / parts.max(1) as i128;
        begin.clamp(i128::from(Nanos::MIN), i128::from(Nanos::MAX)) as Nanos
    }

    /// Counts something in the bin of a moment.
    pub fn count(self, bins: &mut [u32], at: Nanos) {
        count(bins, self.column(at, bins.len()));
    }
}

/// Bins over `columns`: each counts where its middle lies.
pub fn spread(bins: &[u32], columns: usize) -> Vec<u64> {
    let mut out = vec![0; columns];
    for (at, number) in bins.iter().enumerate().filter(|(_, number)| **number > 0) {
        if let Some(slot) = out.get_mut((2 * at + 1) * columns / (2 * bins.len())) {
            *slot += u64::from(*number);
        }
    }
    out
}

/// Counts over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// Earliest time, `None` without packets.
    pub first_ns: Option<Nanos>,
    /// Latest time.
    pub last_ns: Nanos,
    /// DNS queries.
    pub queries: u64,
    /// ICMP errors.
    pub errors: u64,
    /// Characters of the longest address.
    pub address_cells: usize,
    /// Characters of the longest protocol label.
    pub label_cells: usize,
    protocols: [bool; 256],
    segments: usize,
    start_ns: i128,
    bin_ns: i128,
    query_bins: Vec<u32>,
    error_bins: Vec<u32>,
}

impl Default for Overview {
    fn default() -> Self {
        Self {
            first_ns: None,
            last_ns: 0,
            queries: 0,
            errors: 0,
            address_cells: 0,
            label_cells: 0,
            protocols: [false; 256],
            segments: 0,
            start_ns: 0,
            bin_ns: BIN_NS,
            query_bins: vec![0; BINS],
            error_bins: vec![0; BINS],
        }
    }
}

impl Overview {
    /// Counts the segments that came since the last call.
    pub fn extend(&mut self, index: &Index) {
        for segment in index.segments().iter().skip(self.segments) {
            self.add(segment);
        }
        self.segments = index.segments().len();
    }

    /// The overview of an index that grows: its last segment may come again with more packets, so that only those
    /// before it are counted for good.
    #[must_use]
    pub fn growing(&mut self, index: &Index) -> Self {
        let closed = index.segments().len().saturating_sub(1);
        let fresh = closed.saturating_sub(self.segments);
        for segment in index.segments().iter().skip(self.segments).take(fresh) {
            self.add(segment);
        }
        self.segments = self.segments.max(closed);
        let mut whole = self.clone();
        whole.extend(index);
        whole
    }

    fn add(&mut self, segment: &Segment) {
        let (Some(first), Some(last)) = (segment.time_ns.iter().min(), segment.time_ns.iter().max()) else {
            return;
        };
        if self.first_ns.is_none() {
            self.start_ns = i128::from(*first);
        }
        self.first_ns = Some(self.first_ns.map_or(*first, |before| before.min(*first)));
        self.last_ns = if self.segments == 0 && self.last_ns == 0 { *last } else { self.last_ns.max(*last) };
        let longest = segment.addresses.iter().map(|address| address.to_string().len()).max();
        self.address_cells = self.address_cells.max(longest.unwrap_or(0));
        for protocol in &segment.protocol {
            if let Some(seen) = self.protocols.get_mut(usize::from(*protocol)).filter(|seen| !**seen) {
                *seen = true;
                let label = ProtocolId(*protocol).protocol().label.chars().count();
                self.label_cells = self.label_cells.max(label);
            }
        }
        let time = |packet: PacketId| segment.time_ns.get((packet.0 - segment.base.0) as usize).copied();
        for row in &segment.dns {
            let is_query = segment
                .flags
                .get((row.packet.0 - segment.base.0) as usize)
                .is_some_and(|bits| bits & flags::DNS_QUERY != 0);
            if let (true, Some(at)) = (is_query, time(row.packet)) {
                self.queries += 1;
                let bin = self.bin(at);
                count(&mut self.query_bins, bin);
            }
        }
        for row in &segment.icmp {
            if let Some(at) = time(row.packet) {
                self.errors += 1;
                let bin = self.bin(at);
                count(&mut self.error_bins, bin);
            }
        }
    }

    /// The bin of a moment, widening the bins until it has one.
    fn bin(&mut self, at: Nanos) -> usize {
        let at = i128::from(at);
        while at < self.start_ns {
            self.start_ns -= self.bin_ns * BINS as i128;
            self.widen(BINS / 2);
        }
        while at >= self.start_ns + self.bin_ns * BINS as i128 {
            self.widen(0);
        }
        ((at - self.start_ns) / self.bin_ns) as usize
    }

    fn widen(&mut self, offset: usize) {
        self.bin_ns *= 2;
        for bins in [&mut self.query_bins, &mut self.error_bins] {
            let merged: Vec<u32> = bins.chunks(2).map(|pair| pair.iter().sum()).collect();
            bins.fill(0);
            for (slot, value) in bins.iter_mut().skip(offset).zip(merged) {
                *slot = value;
            }
        }
    }

    /// Queries and errors of the whole span spread over `columns`.
    pub fn columns(&self, columns: usize) -> Vec<(u64, u64)> {
        let mut out = vec![(0, 0); columns];
        if self.first_ns.is_none() {
            return out;
        }
        for (at, (queries, errors)) in self.query_bins.iter().zip(&self.error_bins).enumerate() {
            if *queries == 0 && *errors == 0 {
                continue;
            }
            let middle = self.start_ns + self.bin_ns * at as i128 + self.bin_ns / 2;
            let middle = middle.clamp(i128::from(Nanos::MIN), i128::from(Nanos::MAX)) as Nanos;
            let column = self.column(middle, columns);
            if let Some(slot) = out.get_mut(column) {
                slot.0 += u64::from(*queries);
                slot.1 += u64::from(*errors);
            }
        }
        out
    }

    /// What it shows.
    pub fn span(&self) -> Option<Span> {
        Some(Span { first_ns: self.first_ns?, last_ns: self.last_ns })
    }

    /// The column of a moment when the span is spread over `columns`.
    pub fn column(&self, at: Nanos, columns: usize) -> usize {
        self.span().map_or(0, |span| span.column(at, columns))
    }
}

fn count(bins: &mut [u32], bin: usize) {
    if let Some(slot) = bins.get_mut(bin) {
        *slot = slot.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_begins_with_the_first_moment_of_its_column() {
        let span = Span { first_ns: 1_000, last_ns: 8_700 };
        for part in 0..13 {
            let begin = span.begin_ns(part, 13);
            assert_eq!(span.column(begin, 13), part);
            assert_eq!(span.column(begin - 1, 13), part.saturating_sub(1));
        }
    }

    #[test]
    fn bins_widen_to_both_sides_and_lose_nothing() {
        let mut overview = Overview { start_ns: 1_000_000_000, ..Overview::default() };
        for at in [1_000_000_000, 900, 5_000_000_000_000, i64::MIN, i64::MAX] {
            let bin = overview.bin(at);
            count(&mut overview.query_bins, bin);
        }
        assert_eq!(overview.query_bins.iter().sum::<u32>(), 5);
        assert_eq!(overview.query_bins.len(), BINS);
    }
}
