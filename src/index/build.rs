//! Builds the index: one thread walks record headers, workers decode segments, snapshots are published as they grow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::reassembly::Reassembler;
use super::segment::{SEGMENT_MAX, SegmentBuilder, flags};
use super::{Index, IndexedSource, PacketId, Segment, SourceId};
use crate::capture::{Damage, Fill, LinkType, Metadata, Record, Source, Walk};
use crate::time::Nanos;

/// Segments that may wait to be decoded.
const QUEUE_MAX: usize = 4;

/// One capture to index.
pub struct Input {
    /// The opened capture.
    pub source: Source,
    /// Its walker.
    pub walk: Box<dyn Walk>,
    /// Clock offset to add to its times.
    pub offset_ns: Nanos,
}

/// Shared between a build and whoever watches it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes walked so far, all sources.
    pub bytes_done: AtomicU64,
    /// Bytes of all sources.
    pub bytes_total: AtomicU64,
    /// Set to stop the build soon; the index so far is returned.
    pub cancel: AtomicBool,
}

/// Packets after which a segment of a live capture is closed: until then it is decoded again as it grows.
const LIVE_SEGMENT_MAX: usize = 1 << 13;
/// Growth within [`LIVE_INTERVAL`] that makes a source fast: then only full segments are decoded, each once.
const LIVE_STEP_BYTES: usize = 2 << 20;
/// How long a live capture may be quiet before what is there is shown.
const LIVE_INTERVAL: Duration = Duration::from_millis(100);

/// Records to decode into the segment that begins at `base`; a later batch with the same base replaces it.
struct Batch {
    /// Position in the order of batches.
    number: u64,
    /// Whether the segment is finished with these records.
    after: Segments,
    base: PacketId,
    source: SourceId,
    records: Vec<Record>,
    link_types: Arc<[LinkType]>,
    /// Time of the record before, for marking backward steps.
    before_ns: Nanos,
    /// The metadata, when it has changed.
    metadata: Option<Arc<Metadata>>,
}

struct Done {
    number: u64,
    after: Segments,
    segment: Segment,
    metadata: Option<Arc<Metadata>>,
}

/// Walks and decodes all inputs with `threads` workers (at least one). `publish` receives a snapshot
/// after each finished segment, in order; a live capture's last segment grows from snapshot to snapshot.
/// With several sources the finished index has an order by time, then source, then frame.
pub fn build(
    inputs: Vec<Input>,
    threads: usize,
    progress: &Progress,
    mut publish: impl FnMut(&Index),
) -> Index {
    let total = inputs.iter().map(|input| input.source.bytes.bytes().len() as u64).sum();
    progress.bytes_total.store(total, Ordering::Relaxed);
    let mut index = Index::default();
    for (number, input) in inputs.into_iter().enumerate() {
        one_source(&mut index, SourceId(number as u16), input, threads.max(1), progress, &mut publish);
    }
    index.order = order_by_time(&index);
    index.complete = true;
    index
}

/// Packet ids by time; equal times keep the order of sources and frames. `None` for a single source.
fn order_by_time(index: &Index) -> Option<Arc<[u32]>> {
    if index.sources.len() < 2 {
        return None;
    }
    let times: Vec<Nanos> =
        index.segments().iter().flat_map(|segment| segment.time_ns.iter().copied()).collect();
    let mut order: Vec<u32> = (0..times.len() as u32).collect();
    // Each source is nearly sorted, which this sort notices: it merges the runs.
    order.sort_by_key(|id| times.get(*id as usize).copied().unwrap_or(Nanos::MAX));
    Some(order.into())
}

fn one_source(
    index: &mut Index,
    id: SourceId,
    input: Input,
    threads: usize,
    progress: &Progress,
    publish: &mut impl FnMut(&Index),
) {
    let Input { source, mut walk, offset_ns } = input;
    let base = PacketId(index.len());
    let container = source.container;
    let described = |walk: &dyn Walk| {
        let mut metadata = walk.metadata().clone();
        metadata.container = container;
        metadata
    };
    index.sources.push(IndexedSource {
        name: source.name,
        path: source.path,
        size: source.size,
        bytes: Arc::clone(&source.bytes),
        metadata: Arc::new(described(walk.as_ref())),
        base,
        packets: 0,
        offset_ns,
    });
    let bytes = Arc::clone(&source.bytes);
    let (to_workers, batches) = mpsc::sync_channel::<Batch>(QUEUE_MAX);
    let batches = std::sync::Mutex::new(batches);
    let (to_index, segments) = mpsc::channel::<Done>();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let to_index = to_index.clone();
            let (batches, bytes) = (&batches, &bytes);
            scope.spawn(move || {
                loop {
                    let next = batches.lock().map_or(Err(mpsc::RecvError), |queue| queue.recv());
                    let Ok(mut batch) = next else { break };
                    let metadata = batch.metadata.take();
                    let segment = decode_batch(&batch, bytes.bytes(), offset_ns);
                    if to_index
                        .send(Done { number: batch.number, after: batch.after, segment, metadata })
                        .is_err()
                    {
                        break;
                    }
                }
            });
        }
        drop(to_index);
        let mut walker = Walker {
            walk: walk.as_mut(),
            described: &described,
            bytes: &bytes,
            progress,
            to_workers,
            source: id,
            base,
            number: 0,
            interfaces: 0,
            before_ns: Nanos::MIN,
        };
        scope.spawn(move || walker.run());
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        let mut reassembler = Reassembler::default();
        for decoded in segments {
            waiting.insert(decoded.number, decoded);
            while let Some(Done { mut segment, metadata, after, .. }) = waiting.remove(&next) {
                next += 1;
                match after {
                    Segments::Next => reassembler.absorb(&mut segment, bytes.bytes()),
                    // The same packets come again with the segment's next version.
                    Segments::Open if segment.pieces.is_empty() => {}
                    Segments::Open => reassembler.clone().absorb(&mut segment, bytes.bytes()),
                }
                index.push_or_replace(Arc::new(segment));
                let packets = index.len() - base.0;
                if let Some(source) = index.sources.last_mut() {
                    source.packets = packets;
                    source.metadata = metadata.unwrap_or_else(|| Arc::clone(&source.metadata));
                }
                publish(index);
            }
        }
    });
    let mut metadata = described(walk.as_ref());
    if let Some(reason) = bytes.problem() {
        let (offset, after_frame) = (bytes.bytes().len() as u64, u64::from(index.len() - base.0));
        metadata.push_damage(Damage { offset, skipped: 0, after_frame, reason });
    }
    if let Some(source) = index.sources.last_mut() {
        source.metadata = Arc::new(metadata);
    }
}

/// The thread that walks record headers and hands out batches.
struct Walker<'w> {
    walk: &'w mut dyn Walk,
    described: &'w (dyn Fn(&dyn Walk) -> Metadata + Sync),
    bytes: &'w crate::capture::Map,
    progress: &'w Progress,
    to_workers: mpsc::SyncSender<Batch>,
    source: SourceId,
    base: PacketId,
    number: u64,
    /// Interfaces the index knows of.
    interfaces: usize,
    before_ns: Nanos,
}

impl Walker<'_> {
    fn run(&mut self) {
        // A small first batch puts the first screen up at once.
        let mut limit = 1024;
        let mut records = Vec::with_capacity(limit);
        // Records of the open segment that are already decoded once.
        let mut shown = 0;
        // Whether the source is slow enough that what is there should be shown before a segment is full.
        let mut is_quiet = true;
        while !self.progress.cancel.load(Ordering::Relaxed) {
            let before = self.walk.position();
            let complete = self.bytes.is_complete();
            let seen = self.bytes.bytes();
            let fill = self.walk.fill(seen, complete, limit, &mut records);
            self.progress.bytes_done.fetch_add(self.walk.position() - before, Ordering::Relaxed);
            self.progress
                .bytes_total
                .fetch_max(self.progress.bytes_done.load(Ordering::Relaxed), Ordering::Relaxed);
            if fill == Fill::Starved {
                let is_full = records.len() >= LIVE_SEGMENT_MAX;
                if is_quiet && records.len() > shown {
                    let sent = if is_full { std::mem::take(&mut records) } else { records.clone() };
                    shown = if is_full { 0 } else { sent.len() };
                    if !self.send(sent, if is_full { Segments::Next } else { Segments::Open }) {
                        return;
                    }
                }
                let enough = seen.len().saturating_add(LIVE_STEP_BYTES);
                self.bytes.wait(enough, LIVE_INTERVAL);
                is_quiet = self.bytes.bytes().len() <= enough;
                continue;
            }
            limit = SEGMENT_MAX;
            if records.len() > shown {
                let sent = std::mem::replace(&mut records, Vec::with_capacity(limit));
                if !self.send(sent, Segments::Next) {
                    return;
                }
            }
            (records, shown) = (std::mem::take(&mut records), 0);
            if fill == Fill::End {
                return;
            }
        }
        self.bytes.cancel();
    }

    /// Hands out one batch; false when nobody listens any more.
    fn send(&mut self, records: Vec<Record>, after: Segments) -> bool {
        let metadata = self.walk.metadata();
        let link_types: Arc<[LinkType]> = metadata.interfaces.iter().map(|i| i.link_type).collect();
        let changed = link_types.len() != self.interfaces;
        self.interfaces = link_types.len();
        let metadata = changed.then(|| Arc::new((self.described)(self.walk)));
        let count = records.len() as u32;
        let last_ns = records.last().map_or(self.before_ns, |record| record.time_ns);
        let batch = Batch {
            number: self.number,
            after,
            base: self.base,
            source: self.source,
            records,
            link_types,
            before_ns: self.before_ns,
            metadata,
        };
        self.number += 1;
        if after == Segments::Next {
            self.base = PacketId(self.base.0.saturating_add(count));
            self.before_ns = last_ns;
        }
        self.to_workers.send(batch).is_ok()
    }
}

/// Whether the next batch begins a new segment or replaces this one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segments {
    Next,
    Open,
}

fn decode_batch(batch: &Batch, bytes: &[u8], offset_ns: Nanos) -> Segment {
    let mut builder = SegmentBuilder::new(batch.base, batch.source, batch.records.len());
    for record in &batch.records {
        let link_type = batch.link_types.get(usize::from(record.interface)).copied();
        builder.push(record, link_type.unwrap_or(LinkType(u16::MAX)), bytes, offset_ns);
    }
    let mut segment = builder.finish();
    let before =
        if batch.before_ns == Nanos::MIN { Nanos::MIN } else { batch.before_ns.saturating_add(offset_ns) };
    mark_backward(&mut segment, before);
    segment
}

fn mark_backward(segment: &mut Segment, mut before: Nanos) {
    for (time_ns, bits) in segment.time_ns.iter().zip(&mut segment.flags) {
        if *time_ns < before {
            *bits |= flags::BACKWARD;
        }
        before = *time_ns;
    }
}
