//! The thread that walks record headers and hands out batches: file after file, then what comes live side by side.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use super::{Batch, Input, Numbered, Plan, Progress, Segments, Work};
use crate::capture::watch::Change;
use crate::capture::{Bytes, Damage, Fill, LinkType, Look, Map, Metadata, Place, Problem, Record, Walk};
use crate::index::{PacketId, SourceId};
use crate::time::Nanos;

/// Packets after which a segment of a live capture is closed: until then it is decoded again as it grows.
const LIVE_SEGMENT_MAX: usize = 1 << 13;
/// Packets of a batch where their bytes are given up behind it: so many that they are still in the cache when they are decoded.
const PASSING_PACKETS: usize = 1 << 12;
/// Bytes after which a batch is closed where they are given up behind it.
const BATCH_BYTES_MAX: u64 = 16 << 20;
/// Growth within [`LIVE_INTERVAL`] that makes a source fast: then only full segments are decoded, each once.
const LIVE_STEP_BYTES: usize = 2 << 20;
/// How long a live capture may be quiet before what is there is shown.
const LIVE_INTERVAL: Duration = Duration::from_millis(100);
/// Sources followed side by side take turns, and each turn is a segment of its own: after this many turns there are
/// fewer of them, so that a day of two sources is not a million segments.
const QUICK_TURNS_MAX: u32 = 4_096;
/// The least time between turns from then on.
const SLOW_INTERVAL: Duration = Duration::from_secs(1);

/// What a walk knows of its capture, with the packing around it.
pub(super) fn metadata(walk: &dyn Walk, bytes: &Map) -> Metadata {
    let mut metadata = walk.metadata().clone();
    metadata.container = bytes.container();
    metadata
}

/// Why walking stopped for good.
struct NobodyListens;

/// The state of the walking thread.
pub(super) struct Walker<'w> {
    plan: Plan,
    progress: &'w Progress,
    to_workers: mpsc::SyncSender<Numbered<Work>>,
    /// Records that were decoded, for their room.
    used: mpsc::Receiver<Vec<Record>>,
    number: u64,
    base: PacketId,
    /// Records in the next batch.
    limit: usize,
    /// The source whose open segment stands at the end of the index.
    open: Option<SourceId>,
    turns: u32,
}

/// A source being walked.
struct Current {
    id: SourceId,
    walk: Box<dyn Walk>,
    bytes: Arc<Map>,
    /// Holds what is not handed out yet in memory.
    look: Option<Look>,
    offset_ns: Nanos,
    /// Interfaces the index knows of.
    interfaces: usize,
    /// Its packets in closed segments.
    packets: u64,
    before_ns: Nanos,
    /// Records of the next segment.
    records: Vec<Record>,
    /// How many of them were decoded already, and the last of those.
    shown: (usize, Option<Record>),
    /// Whether that last one is not walked yet.
    shows_unproven: bool,
    /// Bytes there were before the last wait, until they are looked at again.
    before_wait: Option<usize>,
    /// Whether it is slow enough that what is there should be shown before a segment is full.
    is_slow: bool,
}

impl Current {
    fn new(id: SourceId, input: Input) -> Self {
        let Input { source, walk, offset_ns } = input;
        Self {
            id,
            walk,
            look: source.bytes.look(0),
            bytes: source.bytes,
            offset_ns,
            interfaces: 0,
            packets: 0,
            before_ns: Nanos::MIN,
            records: Vec::new(),
            shown: (0, None),
            shows_unproven: false,
            before_wait: None,
            is_slow: true,
        }
    }

    fn is_passing(&self) -> bool {
        self.bytes.is_passing()
    }

    /// Bytes the records of the next segment hold in memory.
    fn pending_bytes(&self) -> u64 {
        let first = self.records.first();
        first.map_or(0, |record| self.walk.position().saturating_sub(record.offset))
    }
}

impl<'w> Walker<'w> {
    pub(super) fn new(
        plan: Plan,
        progress: &'w Progress,
        to_workers: mpsc::SyncSender<Numbered<Work>>,
        used: mpsc::Receiver<Vec<Record>>,
    ) -> Self {
        let limit = plan.first_packets.max(1);
        Self { plan, progress, to_workers, used, number: 0, base: PacketId(0), limit, open: None, turns: 0 }
    }

    /// Walks all sources: those that have an end first, in the order given, then those that are `live` side by side.
    pub(super) fn run(mut self, inputs: Vec<Input>, live: &[bool]) {
        let maps: Vec<Arc<Map>> = inputs.iter().map(|input| Arc::clone(&input.source.bytes)).collect();
        let sources = inputs.into_iter().enumerate().map(|(at, input)| Current::new(SourceId::at(at), input));
        let is_live = |current: &Current| live.get(current.id.place()).copied().unwrap_or(false);
        let (live, files): (Vec<Current>, Vec<Current>) = sources.partition(is_live);
        for current in &live {
            current.bytes.begin();
        }
        let packed: Vec<Arc<Map>> = files.iter().map(|current| Arc::clone(&current.bytes)).collect();
        let files = files.into_iter().enumerate().map(|(at, current)| (at, vec![current]));
        for (at, together) in files.chain([(packed.len(), live)]) {
            // The next file is unpacked while this one is read.
            for map in packed.iter().skip(at).take(2) {
                map.begin();
            }
            if self.walk(together).is_err() {
                break;
            }
        }
        for map in maps {
            map.cancel();
        }
    }

    /// Walks sources side by side until all have ended.
    fn walk(&mut self, mut together: Vec<Current>) -> Result<(), NobodyListens> {
        while !together.is_empty() && !self.progress.cancel.load(Ordering::Relaxed) {
            let (mut going, mut starved) = (Vec::with_capacity(together.len()), true);
            for at in 0..together.len() {
                match self.step(&mut together, at)? {
                    Fill::Starved => going.push(true),
                    Fill::More => {
                        going.push(true);
                        starved = false;
                    }
                    Fill::End => {
                        going.push(false);
                        starved = false;
                    }
                }
            }
            for (at, _) in going.iter().enumerate().rev().filter(|(_, going)| !**going) {
                let ended = together.remove(at);
                ended.bytes.cancel();
                self.end(&ended)?;
            }
            if starved {
                self.wait(&mut together);
            }
        }
        // What was read before the interrupt is kept.
        for at in 0..together.len() {
            let Some(current) = together.get_mut(at) else { break };
            let there = Look::all(current.look.as_ref());
            let last = current.walk.unproven(there);
            current.records.extend(last);
            self.close(&mut together, at)?;
        }
        for current in &together {
            self.end(current)?;
        }
        Ok(())
    }

    /// Waits a moment for more. Of several sources one is waited for, and the others are looked at when the moment is over.
    fn wait(&self, together: &mut [Current]) {
        for current in together.iter_mut().filter(|current| current.before_wait.is_none()) {
            current.before_wait = Some(current.bytes.length());
        }
        let slow = together.len() > 1 && self.turns > QUICK_TURNS_MAX;
        let Some(first) = together.first() else { return };
        let enough = first.before_wait.unwrap_or(0).saturating_add(LIVE_STEP_BYTES);
        first.bytes.wait(enough, if slow { SLOW_INTERVAL } else { LIVE_INTERVAL });
    }

    /// Walks one source as far as it goes at once.
    fn step(&mut self, together: &mut [Current], at: usize) -> Result<Fill, NobodyListens> {
        let Some(current) = together.get_mut(at) else { return Ok(Fill::End) };
        let complete = current.bytes.is_complete();
        let look = current.look.take();
        let there = Look::all(look.as_ref());
        let count = current.records.len();
        let fill = self.fill(current, there, complete);
        current.shows_unproven &= current.records.len() == count;
        let grown = current.before_wait.take().map(|before| there.len() - before);
        current.is_slow = grown.map_or(current.is_slow, |grown| grown <= LIVE_STEP_BYTES);
        let is_quiet = fill == Fill::Starved && current.is_slow && grown == Some(0);
        let unproven = if is_quiet { current.walk.unproven(there) } else { None };
        current.look = look;
        if fill != Fill::Starved || current.is_passing() && current.pending_bytes() > BATCH_BYTES_MAX {
            self.limit = self.plan.segment_packets.max(1);
            self.close(together, at)?;
            return Ok(fill);
        }
        if !current.is_slow {
            return Ok(fill);
        }
        if current.records.len() >= LIVE_SEGMENT_MAX {
            self.close(together, at)?;
        } else if !current.records.is_empty() || unproven.is_some() {
            self.show(together, at, unproven)?;
        }
        Ok(fill)
    }

    /// Has the open segment of a source decoded as far as it has come, where that is news.
    fn show(
        &mut self,
        together: &mut [Current],
        at: usize,
        unproven: Option<Record>,
    ) -> Result<(), NobodyListens> {
        let Some(current) = together.get_mut(at) else { return Ok(()) };
        let records: Vec<Record> = current.records.iter().copied().chain(unproven).collect();
        let shown = (records.len(), records.last().copied());
        if shown == current.shown || shown.0 < current.shown.0 {
            return Ok(());
        }
        current.shown = shown;
        current.shows_unproven = unproven.is_some();
        self.take_turn(together, at)?;
        let Some(current) = together.get_mut(at) else { return Ok(()) };
        self.open = Some(current.id);
        self.send(current, records, Segments::Open)
    }

    /// Has the records of a source decoded for good.
    fn close(&mut self, together: &mut [Current], at: usize) -> Result<(), NobodyListens> {
        let is_empty = together.get(at).is_none_or(|current| current.records.is_empty());
        if is_empty {
            return Ok(());
        }
        self.take_turn(together, at)?;
        let Some(current) = together.get_mut(at) else { return Ok(()) };
        // Room for records is used again and again: new memory costs more than what is written to it.
        let used = self.used.try_iter().find(|used| used.capacity() >= current.records.len());
        let mut next = used.unwrap_or_else(|| Vec::with_capacity(current.records.len()));
        next.clear();
        let records = std::mem::replace(&mut current.records, next);
        current.shown = (0, None);
        current.shows_unproven = false;
        self.open = None;
        self.send(current, records, Segments::Next)
    }

    /// Closes the open segment of another source: only the last segment of the index grows. A packet it shows stays
    /// where it is, also when only what follows could prove that it is whole.
    fn take_turn(&mut self, together: &mut [Current], at: usize) -> Result<(), NobodyListens> {
        let id = together.get(at).map(|current| current.id);
        if self.open.is_none() || self.open == id {
            return Ok(());
        }
        let open = together.iter_mut().find(|current| Some(current.id) == self.open);
        self.open = None;
        self.turns = self.turns.saturating_add(1);
        let Some(other) = open else { return Ok(()) };
        let mut records = std::mem::take(&mut other.records);
        if std::mem::take(&mut other.shows_unproven) {
            let there = Look::all(other.look.as_ref());
            records.extend(other.walk.settle(there));
        }
        other.shown = (0, None);
        self.send(other, records, Segments::Next)
    }

    fn fill(&self, current: &mut Current, there: Bytes<'_>, complete: bool) -> Fill {
        let before = current.walk.position();
        let limit = if current.is_passing() { self.limit.min(PASSING_PACKETS) } else { self.limit };
        let fill = current.walk.fill(there, complete, limit, &mut current.records);
        if let Some(cut) = current.bytes.cut() {
            // What was read behind the cut is nothing the capture says.
            let is_whole = |record: &Record| record.offset + u64::from(record.captured) <= cut;
            current.records.retain(is_whole);
            return Fill::End;
        }
        let walked = current.walk.position() - before;
        let done = self.progress.bytes_done.fetch_add(walked, Ordering::Relaxed) + walked;
        self.progress.bytes_total.fetch_max(done, Ordering::Relaxed);
        fill
    }

    /// Hands out one batch.
    fn send(
        &mut self,
        current: &mut Current,
        records: Vec<Record>,
        after: Segments,
    ) -> Result<(), NobodyListens> {
        let metadata = current.walk.metadata();
        let link_types: Arc<[LinkType]> = metadata.interfaces.iter().map(|i| i.link_type).collect();
        let changed = link_types.len() != current.interfaces;
        current.interfaces = link_types.len();
        let metadata = changed.then(|| Arc::new(self::metadata(current.walk.as_ref(), &current.bytes)));
        let count = records.len() as u32;
        let last_ns = records.last().map_or(current.before_ns, |record| record.time_ns);
        if current.packets == 0 {
            current.bytes.settle(records.len(), current.walk.position());
        }
        // A frame may stand before what the walk still looks at, and the next batch's behind it.
        let first = records.first().map_or(0, |record| record.offset as usize);
        let look = current.look.as_ref().and_then(|look| look.at(first));
        if after == Segments::Next
            && let Some(own) = &mut current.look
        {
            own.advance(current.walk.wanted() as usize);
        }
        let batch = Batch {
            after,
            base: self.base,
            source: current.id,
            first_row: current.packets as u32,
            look,
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
    fn end(&mut self, current: &Current) -> Result<(), NobodyListens> {
        let mut metadata = metadata(current.walk.as_ref(), &current.bytes);
        let after_frame = current.packets;
        if let Some(cut) = current.bytes.cut() {
            metadata.damage.retain(|damage| damage.offset < cut);
            let reason = Change::Cut(cut).to_string();
            metadata.push_damage(Damage {
                offset: cut,
                skipped: 0,
                after_frame,
                reason,
                place: Place::Capture,
            });
        } else if current.bytes.change() == Some(Change::Overwritten) {
            let (offset, reason) = (current.bytes.length() as u64, Change::Overwritten.to_string());
            metadata.push_damage(Damage { offset, skipped: 0, after_frame, reason, place: Place::Capture });
        }
        if let Some(problem) = current.bytes.problem() {
            metadata.push_damage(match problem {
                Problem::Stopped(reason) => {
                    let offset = current.bytes.length() as u64;
                    Damage { offset, skipped: 0, after_frame, reason, place: Place::Capture }
                }
                Problem::Trailing { reason, offset, bytes } => {
                    Damage { offset, skipped: bytes, after_frame, reason, place: Place::Packed }
                }
            });
        }
        self.hand_on(Some(Arc::new(metadata)), Work::End(current.id))
    }

    fn hand_on(&mut self, metadata: Option<Arc<Metadata>>, what: Work) -> Result<(), NobodyListens> {
        let number = self.number;
        self.number += 1;
        self.to_workers.send(Numbered { number, metadata, what }).map_err(|_| NobodyListens)
    }
}
