//! Builds the index: one thread walks record headers, workers decode segments, snapshots are published as they grow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use super::reassembly::Reassembler;
use super::segment::{SEGMENT_MAX, SegmentBuilder, flags};
use super::{Index, IndexedSource, PacketId, Segment, SourceId};
use crate::capture::{Fill, LinkType, Record, Source, Walk};
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

struct Batch {
    base: PacketId,
    source: SourceId,
    records: Vec<Record>,
    link_types: Arc<[LinkType]>,
}

/// Walks and decodes all inputs with `threads` workers (at least one). `publish` receives a snapshot
/// after each finished segment, in order.
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
    index.complete = true;
    index
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
    index.sources.push(IndexedSource {
        name: source.name,
        path: source.path,
        size: source.size,
        bytes: Arc::clone(&source.bytes),
        metadata: Arc::new(walk.metadata().clone()),
        base,
        packets: 0,
        offset_ns,
    });
    let bytes = Arc::clone(&source.bytes);
    let (to_workers, batches) = mpsc::sync_channel::<Batch>(QUEUE_MAX);
    let batches = std::sync::Mutex::new(batches);
    let (to_index, segments) = mpsc::channel::<Segment>();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let to_index = to_index.clone();
            let (batches, bytes) = (&batches, &bytes);
            scope.spawn(move || {
                loop {
                    let next = batches.lock().map_or(Err(mpsc::RecvError), |queue| queue.recv());
                    let Ok(batch) = next else { break };
                    if to_index.send(decode_batch(&batch, bytes.bytes(), offset_ns)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(to_index);
        let walker = &mut walk;
        let walked = &bytes;
        scope
            .spawn(move || walk_records(walker.as_mut(), walked, Cursor { id, base }, progress, &to_workers));
        let mut waiting = BTreeMap::new();
        let mut next = base.0;
        let mut reassembler = Reassembler::default();
        for segment in segments {
            waiting.insert(segment.base.0, segment);
            while let Some(mut segment) = waiting.remove(&next) {
                reassembler.absorb(&mut segment, bytes.bytes());
                next += segment.len() as u32;
                index.push(Arc::new(segment));
                if let Some(source) = index.sources.last_mut() {
                    source.packets = next - base.0;
                }
                publish(index);
            }
        }
    });
    if let Some(source) = index.sources.last_mut() {
        source.metadata = Arc::new(walk.metadata().clone());
    }
}

#[derive(Clone, Copy)]
struct Cursor {
    id: SourceId,
    base: PacketId,
}

fn walk_records(
    walk: &mut dyn Walk,
    bytes: &crate::capture::Map,
    mut cursor: Cursor,
    progress: &Progress,
    to_workers: &mpsc::SyncSender<Batch>,
) {
    // A small first batch puts the first screen up at once.
    let mut limit = 1024;
    while !progress.cancel.load(Ordering::Relaxed) {
        let mut records = Vec::with_capacity(limit);
        let before = walk.position();
        let fill = walk.fill(bytes.bytes(), bytes.is_complete(), limit, &mut records);
        progress.bytes_done.fetch_add(walk.position() - before, Ordering::Relaxed);
        limit = SEGMENT_MAX;
        if !records.is_empty() {
            let link_types = walk.metadata().interfaces.iter().map(|i| i.link_type).collect();
            let count = records.len() as u32;
            let batch = Batch { base: cursor.base, source: cursor.id, records, link_types };
            if to_workers.send(batch).is_err() {
                return;
            }
            cursor.base = PacketId(cursor.base.0.saturating_add(count));
        }
        if fill != Fill::More {
            return;
        }
    }
}

fn decode_batch(batch: &Batch, bytes: &[u8], offset_ns: Nanos) -> Segment {
    let mut builder = SegmentBuilder::new(batch.base, batch.source, batch.records.len());
    for record in &batch.records {
        let link_type = batch.link_types.get(usize::from(record.interface)).copied();
        builder.push(record, link_type.unwrap_or(LinkType(u16::MAX)), bytes, offset_ns);
    }
    let mut segment = builder.finish();
    mark_backward(&mut segment);
    segment
}

fn mark_backward(segment: &mut Segment) {
    let mut before = Nanos::MIN;
    for (time_ns, bits) in segment.time_ns.iter().zip(&mut segment.flags) {
        if *time_ns < before {
            *bits |= flags::BACKWARD;
        }
        before = *time_ns;
    }
}
