//! The bytes of a capture in one piece that never moves: a memory map of a file, of a growing file, or room for
//! what a stream is unpacked into.
//!
//! Unpacked bytes are written straight into memory the walker reads, as far as a share of the machine's memory
//! goes; what comes after that is written to an unlinked temporary file which is mapped behind it, so that the bytes
//! stay one run.

mod fault;
mod memory;
mod passing;
mod place;
mod reserved;
mod writer;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use crate::capture::watch::{Change, Stored};
use fault::Guarded;
pub(super) use fault::faults;
pub(super) use passing::Passing;
pub use passing::{Look, Window};
pub(super) use place::Place;
use reserved::Reserved;
pub(super) use writer::Writer;

/// A run of bytes that never moves while it lives, and may grow at its end.
pub struct Map {
    kind: Kind,
    state: State,
    /// Where bytes are given up when they were read.
    passing: Option<Passing>,
    /// What the file was that they come from.
    stored: OnceLock<Stored>,
}

/// Files up to this size are read: a map of its own costs more, and a system gives only so many.
const READ_MAX_BYTES: u64 = 64 << 10;
/// Where no more maps are to be had, files up to this size are read as well.
const READ_AFTER_ALL_MAX_BYTES: u64 = 16 << 20;
/// The least room asked for, where the system does not give as many addresses as may be needed.
const RESERVE_MIN_BYTES: usize = 64 << 20;

/// What is wrong at the end of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// They end before their natural end, for this reason.
    Stopped(String),
    /// They are whole, and something else stands behind what they come out of.
    Trailing {
        /// What it is, in words.
        reason: String,
        /// Where it begins in the packed data.
        offset: u64,
        /// How many bytes it has.
        bytes: u64,
    },
}

enum Kind {
    Mapped(Guarded),
    /// Mapped at its greatest length; only what is published is ever read.
    Growing(memmap2::MmapRaw),
    /// The same for what a [`Writer`] fills.
    Reserved(Reserved),
    Fixed(&'static [u8]),
    Owned(Vec<u8>),
    /// The bytes of another, and behind them what was made of it.
    Behind(Arc<Map>, Vec<u8>),
}

/// How far a growing map has come.
struct State {
    length: AtomicUsize,
    complete: AtomicBool,
    /// Set when nobody wants more bytes.
    cancelled: AtomicBool,
    /// Set when somebody wants more than the first bytes.
    begun: AtomicBool,
    /// Whether the bytes come as they are captured, and may never end.
    live: bool,
    problem: Mutex<Option<Problem>>,
    /// The packing the bytes come out of.
    container: OnceLock<&'static str>,
    /// The length somebody waits for; growth below it wakes nobody.
    wanted: AtomicUsize,
    /// Wakes who waits for growth; the mutex guards nothing but the waiting.
    turn: Mutex<()>,
    grown: Condvar,
}

impl Default for State {
    fn default() -> Self {
        Self {
            length: AtomicUsize::new(0),
            complete: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            live: false,
            problem: Mutex::new(None),
            container: OnceLock::new(),
            wanted: AtomicUsize::new(usize::MAX),
            turn: Mutex::new(()),
            grown: Condvar::new(),
        }
    }
}

/// Whether bytes come from a packed file, which ends, or as they are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file that is unpacked.
    File,
    /// A pipe, or a file that is still written.
    Live,
}

impl Map {
    fn whole(kind: Kind) -> Self {
        let state = State { complete: AtomicBool::new(true), ..State::default() };
        Self { kind, state, passing: None, stored: OnceLock::new() }
    }

    /// Maps a whole file, read-only; a small one is read.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = open_file(path)?;
        let stored = Stored::of(path, &file)?;
        let length = file.metadata()?.len();
        let kind = if length <= READ_MAX_BYTES {
            Kind::Owned(read(file, length)?)
        } else {
            // SAFETY: the map is read-only and private. Another program may change the file meanwhile: bytes that are
            // checked once are not trusted to be the same later, and reading what was cut off is answered by `fault`.
            #[expect(unsafe_code, reason = "mapping a file is the only way to read it without copying")]
            match unsafe { memmap2::Mmap::map(&file) } {
                Ok(map) => Kind::Mapped(Guarded::new(map)),
                Err(_) if length <= READ_AFTER_ALL_MAX_BYTES => Kind::Owned(read(file, length)?),
                Err(error) => return Err(error),
            }
        };
        let map = Self::whole(kind);
        map.remember(stored);
        Ok(map)
    }

    /// Says what the file is that the bytes come from.
    pub(super) fn remember(&self, stored: Stored) {
        let _ = self.stored.set(stored);
    }

    /// How the file the bytes come from differs from what was opened; `None` where it does not, or where there is none.
    pub fn change(&self) -> Option<Change> {
        if let Kind::Behind(given, _) = &self.kind {
            return given.change();
        }
        self.stored.get()?.change()
    }

    /// Where the file was cut while it was mapped, if it was: nothing from there on is to be believed.
    pub fn cut(&self) -> Option<u64> {
        let map = match &self.kind {
            Kind::Mapped(map) => map,
            Kind::Behind(given, _) => return given.cut(),
            _ => return None,
        };
        if let Some(Change::Cut(length)) = self.change() {
            map.cut_at(usize::try_from(length).unwrap_or(usize::MAX));
        }
        map.cut().map(|cut| cut as u64)
    }

    /// Bytes embedded in the program.
    pub fn fixed(bytes: &'static [u8]) -> Self {
        Self::whole(Kind::Fixed(bytes))
    }

    /// Bytes made by the program.
    pub fn owned(bytes: Vec<u8>) -> Self {
        Self::whole(Kind::Owned(bytes))
    }

    /// What was opened, and behind it what the program made of it.
    pub(super) fn behind(given: Arc<Self>, made: Vec<u8>) -> Self {
        Self::whole(Kind::Behind(given, made))
    }

    /// Maps `file` at `max` bytes although it is shorter now; nothing is published yet.
    pub(super) fn growing(file: &File, max: usize, origin: Origin) -> io::Result<Self> {
        let kind = Kind::Growing(memmap2::MmapOptions::new().len(max).map_raw_read_only(file)?);
        let state = State { live: origin == Origin::Live, ..State::default() };
        Ok(Self { kind, state, passing: None, stored: OnceLock::new() })
    }

    /// Room for at most `max` bytes, and the one who may write them. With `passing` bytes are given up behind their readers.
    pub(super) fn reserve(
        max: usize,
        origin: Origin,
        passing: Option<Passing>,
    ) -> io::Result<(Arc<Self>, Writer)> {
        let live = origin == Origin::Live;
        let mut max = max.max(1);
        let mut reserved = Reserved::new(max);
        // A limit on addresses: what fits is enough for most, and reaching its end is told.
        while reserved.is_none() && max > RESERVE_MIN_BYTES {
            max /= 2;
            reserved = Reserved::new(max);
        }
        let (map, spool) = if let Some(reserved) = reserved {
            let state = State { live, ..State::default() };
            (Self { kind: Kind::Reserved(reserved), state, passing, stored: OnceLock::new() }, None)
        } else {
            // A system that promises only memory it has: everything goes through the file.
            let file = tempfile::tempfile()?;
            (Self::growing(&file, max, origin)?, Some(file))
        };
        let map = Arc::new(map);
        let writer = Writer::new(&map, max, spool);
        Ok((map, writer))
    }

    /// All bytes of what was opened that are there so far; where some were given up, all are unpacked again first.
    pub fn bytes(&self) -> &[u8] {
        if let Some(all) = self.again() {
            return all;
        }
        match &self.kind {
            Kind::Mapped(map) => map.bytes(),
            Kind::Fixed(bytes) => bytes,
            Kind::Owned(bytes) => bytes,
            Kind::Behind(given, _) => given.bytes(),
            Kind::Reserved(reserved) => reserved.read(0..self.length()),
            Kind::Growing(map) => {
                let length = self.state.length.load(Ordering::Acquire).min(map.len());
                // SAFETY: the map lives as long as `self` and is at least `length` long. Bytes below the published
                // length are in the file and are not written again: the writer only appends and publishes
                // afterwards. Were the file shortened by another program, reading would raise SIGBUS.
                #[expect(
                    unsafe_code,
                    reason = "the map is longer than the file, so memmap2 offers only a raw pointer"
                )]
                unsafe {
                    std::slice::from_raw_parts(map.as_ptr(), length)
                }
            }
        }
    }

    /// Whether no more bytes will come.
    pub fn is_complete(&self) -> bool {
        self.state.complete.load(Ordering::Acquire)
    }

    /// What was wrong with the end of the bytes, or behind it.
    pub fn problem(&self) -> Option<Problem> {
        self.state.problem.lock().ok()?.clone()
    }

    /// The packing the bytes come out of (`gzip`, `zstd`, …), known when the first of them are there.
    pub fn container(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Behind(given, _) => given.container(),
            _ => self.state.container.get().copied(),
        }
    }

    /// Whether the bytes come as they are captured, so that their end may be far.
    pub fn is_live(&self) -> bool {
        self.state.live && !self.is_complete()
    }

    /// Says that more than the first bytes are wanted: a packed file is unpacked no further before.
    pub fn begin(&self) {
        if !self.state.begun.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    /// Waits until more than `length` bytes are there, no more will come, or `timeout` has passed.
    pub fn wait(&self, length: usize, timeout: Duration) {
        let waiting = || self.length() <= length && !self.is_complete();
        if let Ok(turn) = self.state.turn.lock() {
            self.state.wanted.store(length, Ordering::SeqCst);
            let _ = self.state.grown.wait_timeout_while(turn, timeout, |()| waiting());
            self.state.wanted.store(usize::MAX, Ordering::SeqCst);
        }
    }

    /// How many bytes there are so far.
    pub fn length(&self) -> usize {
        match &self.kind {
            Kind::Mapped(map) => map.length(),
            Kind::Fixed(bytes) => bytes.len(),
            Kind::Owned(bytes) => bytes.len(),
            Kind::Behind(given, made) => given.length() + made.len(),
            Kind::Growing(_) | Kind::Reserved(_) => self.state.length.load(Ordering::SeqCst),
        }
    }

    /// Tells whoever writes the map that no more bytes are wanted; what is there stays.
    pub fn cancel(&self) {
        self.state.cancelled.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Ordering::Relaxed)
    }

    /// Waits until more than the first bytes are wanted, or none at all.
    pub(super) fn wait_for_begin(&self) {
        let waiting = || !self.state.begun.load(Ordering::Acquire) && !self.is_cancelled();
        if let Ok(turn) = self.state.turn.lock() {
            let _turn = self.state.grown.wait_while(turn, |()| waiting());
        }
    }

    /// Makes the first `length` bytes visible.
    pub(super) fn publish(&self, length: usize) {
        self.state.length.fetch_max(length, Ordering::SeqCst);
        if length > self.state.wanted.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Says that no more bytes will come, and what was wrong with their end.
    pub(super) fn finish(&self, problem: Option<Problem>) {
        if let Ok(mut slot) = self.state.problem.lock() {
            *slot = problem;
        }
        self.state.complete.store(true, Ordering::Release);
        self.wake();
    }

    fn reserved(&self) -> Option<&Reserved> {
        match &self.kind {
            Kind::Reserved(reserved) => Some(reserved),
            _ => None,
        }
    }

    fn wake(&self) {
        drop(self.state.turn.lock());
        self.state.grown.notify_all();
    }
}

/// Opens a file to be read. What was a file a moment ago may be a pipe now, which must not hold the program up.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file =
        std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file any more"))
}

fn read(file: File, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
