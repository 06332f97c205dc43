//! Checks the clocks: steps backward, and the times each source covers.

use super::Evidence;
use crate::index::segment::flags;
use crate::index::{Index, PacketId, SourceId};
use crate::time::Nanos;

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

/// Counts the steps and finds what time is covered.
pub(super) fn check(index: &Index, evidence: &mut Evidence) {
    let mut spans: Vec<(Nanos, Nanos)> = vec![(Nanos::MAX, Nanos::MIN); index.sources.len()];
    let mut before: Option<(SourceId, Nanos)> = None;
    for segment in index.segments() {
        let mut found = Backward { source: segment.source, steps: 0, largest_ns: 0, packet: segment.base };
        let (mut first_ns, mut last_ns) = (Nanos::MAX, Nanos::MIN);
        let mut last = before.filter(|(source, _)| *source == segment.source).map(|(_, time_ns)| time_ns);
        for (row, (time_ns, bits)) in segment.time_ns.iter().zip(&segment.flags).enumerate() {
            (first_ns, last_ns) = (first_ns.min(*time_ns), last_ns.max(*time_ns));
            if bits & flags::BACKWARD != 0 {
                found.steps += 1;
                let step_ns = last.map_or(0, |last| last.saturating_sub(*time_ns));
                if step_ns > found.largest_ns {
                    found.largest_ns = step_ns;
                    found.packet = PacketId(segment.base.0 + row as u32);
                }
            }
            last = Some(*time_ns);
        }
        before = last.map(|last| (segment.source, last));
        if let Some(span) = spans.get_mut(usize::from(segment.source.0)) {
            *span = (span.0.min(first_ns), span.1.max(last_ns));
        }
        if found.steps > 0 {
            add(&mut evidence.backward, found);
        }
    }
    evidence.covered = merged(spans, evidence.parameters.watch_ns);
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
