//! Checks the clocks: steps backward, the times each source covers, and whether frames stand in the order of time.

use std::sync::Arc;

use rayon::prelude::*;

use super::Evidence;
use crate::index::segment::flags;
use crate::index::{Index, PacketId, Segment, SourceId};
use crate::time::Nanos;

/// Backward steps remembered one by one; a capture with more has no order to speak of.
const STEPS_MAX: usize = 4096;

/// Steps backward in one source. Matching sorts by time where the index has an order; frames keep their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backward {
    /// The source.
    pub source: SourceId,
    /// Packets with an earlier time than the frame before them.
    pub steps: u64,
    /// The largest step, in nanoseconds.
    pub largest_ns: Nanos,
    /// The packet after the largest step.
    pub packet: PacketId,
}

/// What the time stamps of an index say together.
pub(super) struct Clock {
    /// Time of the earliest and the latest packet.
    pub first_ns: Nanos,
    pub last_ns: Nanos,
    /// The first packets after which time went backward by more than the tolerance, in order.
    pub steps: Vec<PacketId>,
    /// How far the time of any packet lies before that of an earlier one in the files at most; 0 where none does.
    pub fall_ns: Nanos,
}

/// What the time stamps of one segment say.
struct Span {
    first_ns: Nanos,
    last_ns: Nanos,
    /// How far a time lies before an earlier one of the segment at most.
    fall_ns: Nanos,
    /// Packets marked as earlier than the one before, and by how much; the first of a segment is compared later.
    backward: Vec<(PacketId, Nanos)>,
}

fn span(segment: &Segment) -> Span {
    let (first_ns, last_ns) = segment.span_ns;
    let mut backward = Vec::new();
    let (mut latest_ns, mut fall_ns) = (Nanos::MIN, 0);
    if segment.goes_back {
        let mut last: Option<Nanos> = None;
        for (row, (time_ns, bits)) in segment.time_ns.iter().zip(&segment.flags).enumerate() {
            if bits & flags::BACKWARD != 0 {
                let step_ns = last.map_or(0, |last| last.saturating_sub(*time_ns));
                backward.push((PacketId(segment.base.0 + row as u32), step_ns));
            }
            last = Some(*time_ns);
            latest_ns = latest_ns.max(*time_ns);
            fall_ns = fall_ns.max(latest_ns.saturating_sub(*time_ns));
        }
    }
    Span { first_ns, last_ns, fall_ns, backward }
}

/// Counts the steps and finds what time is covered.
pub(super) fn check(index: &Index, evidence: &mut Evidence) -> Clock {
    let spans: Vec<Span> = index.segments().par_iter().map(|segment| span(segment)).collect();
    let mut clock = Clock { first_ns: Nanos::MAX, last_ns: Nanos::MIN, steps: Vec::new(), fall_ns: 0 };
    let mut covered: Vec<(Nanos, Nanos)> = vec![(Nanos::MAX, Nanos::MIN); index.sources.len()];
    let mut before: Vec<Option<Nanos>> = vec![None; index.sources.len()];
    for (segment, mut span) in index.segments().iter().zip(spans) {
        let mut none = None;
        let before = before.get_mut(segment.source.place()).unwrap_or(&mut none);
        if let (Some(last), Some((packet, step_ns)), Some(first_ns)) =
            (*before, span.backward.first_mut(), segment.time_ns.first())
            && *packet == segment.base
        {
            *step_ns = last.saturating_sub(*first_ns);
        }
        let mut found = Backward { source: segment.source, steps: 0, largest_ns: 0, packet: segment.base };
        for (packet, step_ns) in span.backward {
            found.steps += 1;
            if step_ns > found.largest_ns {
                (found.largest_ns, found.packet) = (step_ns, packet);
            }
            if step_ns > evidence.parameters.clock_tolerance_ns && clock.steps.len() < STEPS_MAX {
                clock.steps.push(packet);
            }
        }
        *before = segment.time_ns.last().copied().or(*before);
        clock.fall_ns = clock.fall_ns.max(span.fall_ns).max(clock.last_ns.saturating_sub(span.first_ns));
        clock.first_ns = clock.first_ns.min(span.first_ns);
        clock.last_ns = clock.last_ns.max(span.last_ns);
        if let Some(known) = covered.get_mut(segment.source.place()) {
            *known = (known.0.min(span.first_ns), known.1.max(span.last_ns));
        }
        if found.steps > 0 {
            add(&mut evidence.backward, found);
        }
    }
    for (span, source) in covered.iter_mut().zip(&index.sources) {
        // The end of a capture is that of its interface statistics where they state it, else its last packet.
        let stated = source.metadata.ended_ns(span.1.saturating_sub(source.offset_ns));
        span.1 = stated.map_or(span.1, |ended_ns| ended_ns.saturating_add(source.offset_ns));
    }
    evidence.covered = merged(covered, evidence.parameters.watch_ns);
    clock
}

impl Clock {
    /// The packets in the order of time: where several files make up the capture, and where several interfaces were
    /// written to one file out of order. With one interface the order of the file is kept: there a step backward is
    /// the clock's.
    pub fn order(&self, index: &Index) -> Option<Arc<[u32]>> {
        if index.order.is_some() || self.steps.is_empty() {
            return index.order.clone();
        }
        let several = index.sources.iter().any(|source| source.metadata.interfaces.len() > 1);
        if !several {
            return None;
        }
        let times: Vec<Nanos> =
            index.segments().iter().flat_map(|segment| segment.time_ns.iter().copied()).collect();
        let mut order: Vec<u32> = (0..times.len() as u32).collect();
        order.sort_by_key(|id| times.get(*id as usize).copied().unwrap_or(Nanos::MAX));
        Some(order.into())
    }
}

fn add(all: &mut Vec<Backward>, found: Backward) {
    match all.iter_mut().find(|known| known.source == found.source) {
        Some(known) => {
            let steps = known.steps + found.steps;
            if found.largest_ns > known.largest_ns {
                *known = found;
            }
            known.steps = steps;
        }
        None => all.push(found),
    }
}

/// Files that follow one another without a gap are one record.
fn merged(mut spans: Vec<(Nanos, Nanos)>, gap_ns: Nanos) -> Vec<(Nanos, Nanos)> {
    spans.retain(|(first_ns, last_ns)| first_ns <= last_ns);
    spans.sort_unstable();
    let mut merged: Vec<(Nanos, Nanos)> = Vec::new();
    for (first_ns, last_ns) in spans {
        match merged.last_mut() {
            Some(known) if first_ns.saturating_sub(known.1) <= gap_ns => known.1 = known.1.max(last_ns),
            _ => merged.push((first_ns, last_ns)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_follow_one_another_are_one_record() {
        assert_eq!(merged(vec![(50, 90), (0, 45), (200, 300)], 5), [(0, 90), (200, 300)]);
        assert_eq!(merged(vec![(Nanos::MAX, Nanos::MIN)], 5), []);
    }
}
