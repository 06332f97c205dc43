//! The thread that walks record headers, source after source, and hands out batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use super::{Batch, Input, Numbered, Plan, Progress, Segments, Work};
use crate::capture::{Damage, Fill, LinkType, Map, Metadata, Record, Walk};
use crate::index::{PacketId, SourceId};
use crate::time::Nanos;

/// Packets after which a segment of a live capture is closed: until then it is decoded again as it grows.
const LIVE_SEGMENT_MAX: usize = 1 << 13;
/// Growth within [`LIVE_INTERVAL`] that makes a source fast: then only full segments are decoded, each once.
const LIVE_STEP_BYTES: usize = 2 << 20;
/// How long a live capture may be quiet before what is there is shown.
const LIVE_INTERVAL: Duration = Duration::from_millis(100);

/// What a walk knows of its capture, with the packing around it.
pub(super) fn metadata(walk: &dyn Walk, container: Option<&'static str>) -> Metadata {
    let mut metadata = walk.metadata().clone();
    metadata.container = container;
    metadata
}

/// Why walking stopped for good.
struct NobodyListens;

/// The state of the walking thread.
pub(super) struct Walker<'w> {
    plan: Plan,
    progress: &'w Progress,
    to_workers: mpsc::SyncSender<Numbered<Work>>,
    number: u64,
    base: PacketId,
    /// Records in the next batch.
    limit: usize,
}

/// The source being walked.
struct Current<'c> {
    id: SourceId,
    walk: &'c mut dyn Walk,
    bytes: &'c Arc<Map>,
    container: Option<&'static str>,
    offset_ns: Nanos,
    /// Interfaces the index knows of.
    interfaces: usize,
    /// Its packets in closed segments.
    packets: u64,
    before_ns: Nanos,
}

impl<'w> Walker<'w> {
    pub(super) fn new(
        plan: Plan,
        progress: &'w Progress,
        to_workers: mpsc::SyncSender<Numbered<Work>>,
    ) -> Self {
        let limit = plan.first_packets.max(1);
        Self { plan, progress, to_workers, number: 0, base: PacketId(0), limit }
    }

    /// Walks all sources: those that have an end first, in the order given, then the live ones.
    pub(super) fn run(mut self, inputs: Vec<Input>) {
        let mut queue: Vec<(SourceId, Input)> =
            inputs.into_iter().enumerate().map(|(at, input)| (SourceId(at as u16), input)).collect();
        queue.sort_by_key(|(_, input)| input.source.bytes.is_live());
        for (_, input) in &queue {
            if input.source.bytes.is_live() {
                input.source.bytes.begin();
            }
        }
        let maps: Vec<Arc<Map>> = queue.iter().map(|(_, input)| Arc::clone(&input.source.bytes)).collect();
        for (at, (id, mut input)) in queue.into_iter().enumerate() {
            // The next file is unpacked while this one is read.
            for map in maps.iter().skip(at).take(2) {
                map.begin();
            }
            let mut current = Current {
                id,
                walk: input.walk.as_mut(),
                bytes: &input.source.bytes,
                container: input.source.container,
                offset_ns: input.offset_ns,
                interfaces: 0,
                packets: 0,
                before_ns: Nanos::MIN,
            };
            if self.walk(&mut current).is_err() || self.end(&current).is_err() {
                break;
            }
        }
        for map in maps {
            map.cancel();
        }
    }

    fn walk(&mut self, current: &mut Current<'_>) -> Result<(), NobodyListens> {
        let mut records = Vec::with_capacity(self.limit);
        // Records of the open segment that are already decoded once.
        let mut shown = 0;
        // Whether the source is slow enough that what is there should be shown before a segment is full.
        let mut is_quiet = true;
        while !self.progress.cancel.load(Ordering::Relaxed) {
            let complete = current.bytes.is_complete();
            let seen = current.bytes.bytes();
            let fill = self.fill(current, seen, complete, &mut records);
            if fill == Fill::Starved {
                let is_full = records.len() >= LIVE_SEGMENT_MAX;
                if is_quiet && records.len() > shown {
                    let sent = if is_full { std::mem::take(&mut records) } else { records.clone() };
                    shown = if is_full { 0 } else { sent.len() };
                    self.send(current, sent, if is_full { Segments::Next } else { Segments::Open })?;
                }
                let enough = seen.len().saturating_add(LIVE_STEP_BYTES);
                current.bytes.wait(enough, LIVE_INTERVAL);
                is_quiet = current.bytes.bytes().len() <= enough;
                continue;
            }
            self.limit = self.plan.segment_packets.max(1);
            if !records.is_empty() {
                let sent = std::mem::replace(&mut records, Vec::with_capacity(self.limit));
                shown = 0;
                self.send(current, sent, Segments::Next)?;
            }
            if fill == Fill::End {
                return Ok(());
            }
        }
        // What was read before the interrupt is kept.
        if records.is_empty() { Ok(()) } else { self.send(current, records, Segments::Next) }
    }

    fn fill(
        &self,
        current: &mut Current<'_>,
        seen: &[u8],
        complete: bool,
        records: &mut Vec<Record>,
    ) -> Fill {
        let before = current.walk.position();
        let fill = current.walk.fill(seen, complete, self.limit, records);
        let walked = current.walk.position() - before;
        let done = self.progress.bytes_done.fetch_add(walked, Ordering::Relaxed) + walked;
        self.progress.bytes_total.fetch_max(done, Ordering::Relaxed);
        fill
    }

    /// Hands out one batch.
    fn send(
        &mut self,
        current: &mut Current<'_>,
        records: Vec<Record>,
        after: Segments,
    ) -> Result<(), NobodyListens> {
        let metadata = current.walk.metadata();
        let link_types: Arc<[LinkType]> = metadata.interfaces.iter().map(|i| i.link_type).collect();
        let changed = link_types.len() != current.interfaces;
        current.interfaces = link_types.len();
        let metadata = changed.then(|| Arc::new(self::metadata(current.walk, current.container)));
        let count = records.len() as u32;
        let last_ns = records.last().map_or(current.before_ns, |record| record.time_ns);
        let batch = Batch {
            after,
            base: self.base,
            source: current.id,
            bytes: Arc::clone(current.bytes),
            offset_ns: current.offset_ns,
            records,
            link_types,
            before_ns: current.before_ns,
        };
        if after == Segments::Next {
            self.base = PacketId(self.base.0.saturating_add(count));
            current.before_ns = last_ns;
            current.packets += u64::from(count);
        }
        self.hand_on(metadata, Work::Decode(batch))
    }

    /// Says that a source has ended, and what its capture says of itself now.
    fn end(&mut self, current: &Current<'_>) -> Result<(), NobodyListens> {
        let mut metadata = metadata(current.walk, current.container);
        if let Some(reason) = current.bytes.problem() {
            let offset = current.bytes.bytes().len() as u64;
            metadata.push_damage(Damage { offset, skipped: 0, after_frame: current.packets, reason });
        }
        self.hand_on(Some(Arc::new(metadata)), Work::End(current.id))
    }

    fn hand_on(&mut self, metadata: Option<Arc<Metadata>>, what: Work) -> Result<(), NobodyListens> {
        let number = self.number;
        self.number += 1;
        self.to_workers.send(Numbered { number, metadata, what }).map_err(|_| NobodyListens)
    }
}
