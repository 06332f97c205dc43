//! The bytes of a capture in one piece that never moves: a memory map of a file, of a growing file, or of the
//! unlinked temporary file a stream is unpacked into.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// A run of bytes that never moves while it lives, and may grow at its end.
pub struct Map {
    kind: Kind,
    state: State,
}

enum Kind {
    Mapped(memmap2::Mmap),
    /// Mapped at its greatest length; only what is published is ever read.
    Growing(memmap2::MmapRaw),
    Fixed(&'static [u8]),
    Owned(Vec<u8>),
}

/// How far a growing map has come.
#[derive(Default)]
struct State {
    length: AtomicUsize,
    complete: AtomicBool,
    /// Set when nobody wants more bytes.
    cancelled: AtomicBool,
    problem: Mutex<Option<String>>,
    /// Wakes who waits for growth; the mutex guards nothing but the waiting.
    turn: Mutex<()>,
    grown: Condvar,
}

impl Map {
    fn whole(kind: Kind) -> Self {
        let state = State { complete: AtomicBool::new(true), ..State::default() };
        Self { kind, state }
    }

    /// Maps a whole file, read-only.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::whole(Kind::Fixed(&[])));
        }
        // SAFETY: the map is read-only and private. If another program shortens the file while it is
        // mapped, reading the lost part raises SIGBUS; capture files are appended to, not shortened.
        #[expect(unsafe_code, reason = "mapping a file is the only way to read it without copying")]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self::whole(Kind::Mapped(map)))
    }

    /// Bytes embedded in the program.
    pub fn fixed(bytes: &'static [u8]) -> Self {
        Self::whole(Kind::Fixed(bytes))
    }

    /// Bytes made by the program.
    pub fn owned(bytes: Vec<u8>) -> Self {
        Self::whole(Kind::Owned(bytes))
    }

    /// Maps `file` at `max` bytes although it is shorter now; nothing is published yet.
    pub(super) fn growing(file: &File, max: usize) -> io::Result<Self> {
        let kind = Kind::Growing(memmap2::MmapOptions::new().len(max).map_raw_read_only(file)?);
        Ok(Self { kind, state: State::default() })
    }

    /// All bytes that are there so far.
    pub fn bytes(&self) -> &[u8] {
        match &self.kind {
            Kind::Mapped(map) => map,
            Kind::Fixed(bytes) => bytes,
            Kind::Owned(bytes) => bytes,
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

    /// Why the bytes end where they end, when that is not their natural end.
    pub fn problem(&self) -> Option<String> {
        self.state.problem.lock().ok()?.clone()
    }

    /// Waits until more than `length` bytes are there, no more will come, or `timeout` has passed.
    pub fn wait(&self, length: usize, timeout: Duration) {
        let waiting = || self.bytes().len() <= length && !self.is_complete();
        if let Ok(turn) = self.state.turn.lock() {
            let _ = self.state.grown.wait_timeout_while(turn, timeout, |()| waiting());
        }
    }

    /// Tells whoever writes the map that no more bytes are wanted; what is there stays.
    pub fn cancel(&self) {
        self.state.cancelled.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Ordering::Relaxed)
    }

    /// Makes the first `length` bytes visible.
    pub(super) fn publish(&self, length: usize) {
        self.state.length.fetch_max(length, Ordering::AcqRel);
        self.wake();
    }

    /// Says that no more bytes will come, and why if that is not their natural end.
    pub(super) fn finish(&self, problem: Option<String>) {
        if let Ok(mut slot) = self.state.problem.lock() {
            *slot = problem;
        }
        self.state.complete.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        drop(self.state.turn.lock());
        self.state.grown.notify_all();
    }
}

/// Appends `bytes` to a spool file at `at`.
pub(super) fn append(file: &File, bytes: &[u8], at: usize) -> io::Result<()> {
    file.write_all_at(bytes, at as u64)
}
