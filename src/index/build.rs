//! Builds the index: one thread walks record headers, workers decode segments, snapshots are published as they grow.

pub(super) mod order;
mod walker;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use super::reassembly::Reassembler;
use super::segment::{SEGMENT_MAX, SegmentBuilder, flags};
use super::{Index, IndexedSource, PacketId, Segment, SourceId};
use crate::capture::{Bytes, LinkType, Look, Map, Metadata, Record, Source, Walk};
use crate::decode::Site;
use crate::settings::Settings;
use crate::time::Nanos;
use order::Order;
use walker::Walker;

/// Batches that may wait to be decoded: enough that one is there when a worker asks. Each more takes 2 MiB.
const QUEUE_MAX: usize = 2;
/// Records in the first batch: few, so that the first screen is up at once.
const FIRST_BATCH: usize = 1024;
/// Frames whose first bytes are asked of memory together, before the first of them is decoded.
const AHEAD_FRAMES: usize = 32;

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

/// How the work is cut up. It decides how fast an index is built and where its segments end, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Threads that decode; at least one is used.
    pub threads: usize,
    /// Packets in the first batch.
    pub first_packets: usize,
    /// Packets in a full segment.
    pub segment_packets: usize,
}

impl Plan {
    /// The ordinary sizes for a number of threads.
    pub fn new(threads: usize) -> Self {
        Self { threads, first_packets: FIRST_BATCH, segment_packets: SEGMENT_MAX }
    }
}

/// Records to decode into the segment that begins at `base`; a later batch with the same base replaces it.
struct Batch {
    /// Whether the segment is finished with these records.
    after: Segments,
    base: PacketId,
    source: SourceId,
    /// Packets of the source before them.
    first_row: u32,
    /// Holds their bytes in memory.
    look: Option<Look>,
    offset_ns: Nanos,
    records: Vec<Record>,
    link_types: Arc<[LinkType]>,
    /// Time of the record before, for marking backward steps.
    before_ns: Nanos,
}

/// Whether the next batch begins a new segment or replaces this one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segments {
    Next,
    Open,
}

/// What the walking thread hands on, in the order of the index.
enum Work {
    Decode(Batch),
    /// A source has ended.
    End(SourceId),
}

/// The same after decoding.
enum Done {
    Segment { segment: Box<Segment>, after: Segments },
    End(SourceId),
}

/// One thing in its place, with the source's metadata where that has changed.
struct Numbered<T> {
    number: u64,
    metadata: Option<Arc<Metadata>>,
    what: T,
}

/// Walks and decodes all inputs with `threads` workers (at least one). `publish` receives a snapshot
/// after each finished segment, in order; a live capture's last segment grows from snapshot to snapshot.
/// With several sources the finished index has an order by time, then source, then frame; what comes live is
/// read after everything that is already there, side by side, and snapshots have the order while it grows.
pub fn build(inputs: Vec<Input>, threads: usize, progress: &Progress, publish: impl FnMut(&Index)) -> Index {
    build_as(inputs, Plan::new(threads), progress, publish)
}

/// The same with the work cut up otherwise.
pub fn build_as(inputs: Vec<Input>, plan: Plan, progress: &Progress, publish: impl FnMut(&Index)) -> Index {
    build_with((inputs, Arc::default()), plan, progress, publish)
}

/// The same with what the user says about the captures.
pub fn build_with(
    (inputs, settings): (Vec<Input>, Arc<Settings>),
    plan: Plan,
    progress: &Progress,
    mut publish: impl FnMut(&Index),
) -> Index {
    let total = inputs.iter().map(|input| input.source.bytes.length() as u64).sum();
    progress.bytes_total.store(total, Ordering::Relaxed);
    let mut sources: Vec<IndexedSource> = inputs.iter().map(|input| described(input, &settings)).collect();
    let sites = sites(&inputs);
    for (source, site) in sources.iter_mut().zip(&sites) {
        source.site = *site;
    }
    let mut index = Index { sources, settings: Arc::clone(&settings), ..Index::default() };
    let maps: Vec<Arc<Map>> = inputs.iter().map(|input| Arc::clone(&input.source.bytes)).collect();
    let live: Vec<bool> = maps.iter().map(|map| map.is_live()).collect();
    let (to_workers, works) = mpsc::sync_channel::<Numbered<Work>>(QUEUE_MAX);
    let works = Mutex::new(works);
    let (to_index, done) = mpsc::channel::<Numbered<Done>>();
    let (to_walker, used) = mpsc::channel::<Vec<Record>>();
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            let (to_index, to_walker, works) = (to_index.clone(), to_walker.clone(), &works);
            let (settings, sites) = (settings.as_ref(), &sites);
            scope.spawn(move || {
                loop {
                    let next = works.lock().map_or(Err(mpsc::RecvError), |queue| queue.recv());
                    let Ok(work) = next else { break };
                    let (done, records) = decode_work(work, settings, sites);
                    if to_index.send(done).is_err() {
                        break;
                    }
                    // At the end nobody wants them.
                    let _ = to_walker.send(records);
                }
            });
        }
        drop((to_index, to_walker));
        let walker = Walker::new(plan, progress, to_workers, used);
        let live = &live;
        scope.spawn(move || walker.run(inputs, live));
        assemble(&mut index, (&maps, live), done, &mut publish);
    });
    index.order = order::by_time(&index);
    index.complete = true;
    index
}

/// The site of each input; none at all while everything is of one.
fn sites(inputs: &[Input]) -> Vec<Site> {
    let named = |input: &Input| input.source.place.site.as_deref().and_then(Site::named).unwrap_or_default();
    let sites: Vec<Site> = inputs.iter().map(named).collect();
    let mut distinct: Vec<Site> = sites.iter().copied().filter(|site| *site != Site::NONE).collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() > 1 { sites } else { vec![Site::NONE; inputs.len()] }
}

fn described(input: &Input, settings: &Arc<Settings>) -> IndexedSource {
    let Input { source, walk, offset_ns } = input;
    IndexedSource {
        name: source.name.clone(),
        path: source.path.clone(),
        size: source.size,
        bytes: Arc::clone(&source.bytes),
        metadata: Arc::new(walker::metadata(walk.as_ref(), &source.bytes)),
        site: Site::NONE,
        place: source.place.clone(),
        packets: 0,
        runs: Vec::new(),
        offset_ns: *offset_ns,
        settings: Arc::clone(settings),
    }
}

/// Puts what the workers hand back in its order, finishes what spans frames, and publishes.
fn assemble(
    index: &mut Index,
    (maps, live): (&[Arc<Map>], &[bool]),
    done: mpsc::Receiver<Numbered<Done>>,
    publish: &mut impl FnMut(&Index),
) {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    let mut reassemblers = vec![Reassembler::default(); maps.len()];
    let mut none = Reassembler::default();
    let mut order = Order::default();
    for one in done {
        waiting.insert(one.number, one);
        while let Some(Numbered { metadata, what, .. }) = waiting.remove(&next) {
            next += 1;
            let source = match what {
                Done::Segment { mut segment, after } => {
                    let source = segment.source;
                    let reassembler = reassemblers.get_mut(source.place()).unwrap_or(&mut none);
                    let map = maps.get(source.place()).map(AsRef::as_ref);
                    match after {
                        _ if segment.pieces.is_empty() => {}
                        Segments::Next => reassembler.absorb(&mut segment, index, map),
                        // The same packets come again with the segment's next version.
                        Segments::Open => reassembler.clone().absorb(&mut segment, index, map),
                    }
                    add(index, segment);
                    source
                }
                Done::End(source) => {
                    if let Some(reassembler) = reassemblers.get_mut(source.place()) {
                        *reassembler = Reassembler::default();
                    }
                    source
                }
            };
            if let (Some(slot), Some(metadata)) = (index.sources.get_mut(source.place()), metadata) {
                slot.metadata = metadata;
            }
            let is_live = live.get(source.place()).copied().unwrap_or(false);
            if order.extend(index, is_live) {
                publish(index);
            }
        }
    }
}

fn add(index: &mut Index, segment: Box<Segment>) {
    if let Some(source) = index.sources.get_mut(segment.source.place()) {
        source.extend(&segment);
    }
    index.push_or_replace(Arc::new(*segment));
}

/// Decodes; gives the room of the records back.
fn decode_work(work: Numbered<Work>, settings: &Settings, sites: &[Site]) -> (Numbered<Done>, Vec<Record>) {
    let Numbered { number, metadata, what } = work;
    let (what, records) = match what {
        Work::Decode(batch) => {
            let segment = Box::new(decode_batch(&batch, settings, sites));
            (Done::Segment { after: batch.after, segment }, batch.records)
        }
        Work::End(source) => (Done::End(source), Vec::new()),
    };
    (Numbered { number, metadata, what }, records)
}

fn decode_batch(batch: &Batch, settings: &Settings, sites: &[Site]) -> Segment {
    let bytes = Look::all(batch.look.as_ref());
    let mut builder =
        SegmentBuilder::new(batch.base, (batch.source, batch.first_row), batch.records.len(), settings);
    builder.take_for(sites.get(batch.source.place()).copied().unwrap_or_default());
    if batch.look.as_ref().is_some_and(Look::is_passing) {
        builder.keep_bytes();
    }
    for records in batch.records.chunks(AHEAD_FRAMES) {
        touch(records, bytes);
        for record in records {
            let link_type = batch.link_types.get(usize::from(record.interface)).copied();
            builder.push(record, link_type.unwrap_or(LinkType(u16::MAX)), bytes, batch.offset_ns);
        }
    }
    let mut segment = builder.finish();
    let before = if batch.before_ns == Nanos::MIN {
        Nanos::MIN
    } else {
        batch.before_ns.saturating_add(batch.offset_ns)
    };
    mark_backward(&mut segment, before);
    segment
}

/// Reads a byte of the first two cache lines of each frame. The reads do not depend on each other, so the processor
/// waits for memory once instead of once a frame; decoding waits for memory more than for anything else.
fn touch(records: &[Record], bytes: Bytes<'_>) {
    let mut sum = 0u8;
    for record in records {
        let start = record.offset as usize;
        sum ^= bytes.byte(start).unwrap_or(0) ^ bytes.byte(start + 63).unwrap_or(0);
    }
    std::hint::black_box(sum);
}

fn mark_backward(segment: &mut Segment, mut before: Nanos) {
    let (mut first_ns, mut last_ns) = segment.span_ns;
    for (time_ns, bits) in segment.time_ns.iter().zip(&mut segment.flags) {
        if *time_ns < before {
            *bits |= flags::BACKWARD;
            segment.goes_back = true;
        }
        before = *time_ns;
        (first_ns, last_ns) = (first_ns.min(before), last_ns.max(before));
    }
    segment.span_ns = (first_ns, last_ns);
}
