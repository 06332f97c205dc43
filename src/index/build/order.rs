//! Packets of several sources in order of time, at the end and while a live source grows.

use std::sync::Arc;

use crate::index::Index;
use crate::time::Nanos;

/// Growth, in parts of what is there, after which packets that came fast are put in order again.
const GROWTH_PART: u32 = 8;

/// Packet ids by time; equal times keep the order of ids. `None` for a single source.
pub(in crate::index) fn by_time(index: &Index) -> Option<Arc<[u32]>> {
    if index.sources.len() < 2 {
        return None;
    }
    let times = times(index, 0);
    let mut order: Vec<u32> = (0..times.len() as u32).collect();
    // Each source is nearly sorted, which this sort notices: it merges the runs.
    order.sort_by_key(|id| times.get(*id as usize).copied().unwrap_or(Nanos::MAX));
    Some(order.into())
}

/// The times of packets from `from` on.
fn times(index: &Index, from: u32) -> Vec<Nanos> {
    let mut times = Vec::with_capacity((index.len() - from.min(index.len())) as usize);
    for segment in index.segments() {
        let skip = (from.saturating_sub(segment.base.0) as usize).min(segment.len());
        times.extend_from_slice(segment.time_ns.get(skip..).unwrap_or_default());
    }
    times
}

/// The order of a growing index.
#[derive(Default)]
pub(super) struct Order {
    /// Packets that were there when the first live source was begun, by time.
    settled: Option<Settled>,
    /// Packets the index had when it was ordered last.
    ordered: u32,
}

struct Settled {
    order: Arc<[u32]>,
    times: Vec<Nanos>,
}

impl Order {
    /// Brings the order up to date after a segment was added; false when the snapshot is not worth publishing.
    ///
    /// Files that are read to their end are put in order at the end, since that may cost more than reading them. A
    /// live source has no end to wait for: its packets take their place among the settled ones as they come.
    pub(super) fn extend(&mut self, index: &mut Index, is_live: bool) -> bool {
        if index.sources.len() < 2 || !is_live {
            return self.settled.is_none();
        }
        if self.settled.is_none() {
            let first = index.segments().last().map_or(0, |segment| segment.base.0);
            let times: Vec<Nanos> = times(index, 0).into_iter().take(first as usize).collect();
            let mut order: Vec<u32> = (0..first).collect();
            order.sort_by_key(|id| times.get(*id as usize).copied().unwrap_or(Nanos::MAX));
            self.settled = Some(Settled { order: order.into(), times });
        }
        let Some(settled) = &self.settled else { return true };
        let grown = index.len().saturating_sub(self.ordered);
        let slow = index.segments().last().is_some_and(|segment| segment.len() < super::FIRST_BATCH * 8);
        if !slow && grown < self.ordered / GROWTH_PART {
            return false;
        }
        index.order = Some(merged(settled, index));
        self.ordered = index.len();
        true
    }
}

/// The settled packets and the live ones in one order; of equal times the settled come first, as their ids do.
fn merged(settled: &Settled, index: &Index) -> Arc<[u32]> {
    let first = settled.order.len() as u32;
    let times = times(index, first);
    let time_of = |id: u32| times.get((id - first) as usize).copied().unwrap_or(Nanos::MAX);
    let mut live: Vec<u32> = (first..index.len()).collect();
    live.sort_by_key(|id| time_of(*id));
    let mut order = Vec::with_capacity(index.len() as usize);
    let mut rest = &settled.order[..];
    for id in live {
        let time_ns = time_of(id);
        let settled_time = |at: &u32| settled.times.get(*at as usize).copied().unwrap_or(Nanos::MAX);
        let cut = rest.partition_point(|at| settled_time(at) <= time_ns);
        let (before, after) = rest.split_at(cut);
        order.extend_from_slice(before);
        order.push(id);
        rest = after;
    }
    order.extend_from_slice(rest);
    order.into()
}
