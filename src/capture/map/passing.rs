//! Bytes that are read once and given up: the memory behind them is used again for those that come later.
//!
//! Whoever reads says from where on ([`Look`]), and nothing from there on is given up. What is asked for afterwards is
//! unpacked a second time, from the same file, and then kept.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use super::{Kind, Map};
use crate::capture::Bytes;

/// How long more of a second unpacking is waited for at a time.
const AGAIN_WAIT: Duration = Duration::from_millis(50);

/// How much of what was read stays in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Memory taken before any is used again; more is taken only where readers are slow.
    pub least_bytes: usize,
    /// Memory used again at a time, a multiple of the size of a page.
    pub step_bytes: usize,
    /// A capture whose first packets have fewer bytes than this on average stays in memory as it is: most of them would
    /// have to be kept elsewhere.
    pub dense_bytes: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { least_bytes: 24 << 20, step_bytes: 2 << 20, dense_bytes: 256 }
    }
}

/// What a map knows of its readers when its bytes are given up behind them.
pub(in crate::capture) struct Passing {
    pub(super) window: Window,
    readers: Mutex<Readers>,
    moved: Condvar,
    again: OnceLock<Option<Arc<Map>>>,
    unpack: Box<dyn Fn() -> io::Result<Arc<Map>> + Send + Sync>,
}

#[derive(Default)]
struct Readers {
    /// From where on each reads.
    looks: Vec<(u64, usize)>,
    /// The number of the next.
    next: u64,
    /// From where on the last that went away had read: what follows may still be wanted.
    low: usize,
    /// Bytes given up.
    dropped: usize,
    /// Nothing more is given up.
    stays: bool,
}

impl Readers {
    fn low(&self) -> usize {
        self.looks.iter().map(|(_, from)| *from).min().unwrap_or(self.low)
    }
}

impl Passing {
    /// `unpack` makes the same bytes again.
    pub fn new(window: Window, unpack: impl Fn() -> io::Result<Arc<Map>> + Send + Sync + 'static) -> Self {
        Self {
            window,
            readers: Mutex::default(),
            moved: Condvar::new(),
            again: OnceLock::new(),
            unpack: Box::new(unpack),
        }
    }

    /// Gives up everything below `end`; false while somebody reads there.
    pub fn give_up(&self, end: usize) -> bool {
        let Ok(mut readers) = self.readers.lock() else { return false };
        let can = !readers.stays && end <= readers.low();
        if can {
            readers.dropped = readers.dropped.max(end);
        }
        can
    }

    /// Waits until everything below `end` can be given up, but no longer than `timeout`.
    pub fn wait(&self, end: usize, timeout: Duration) {
        if let Ok(readers) = self.readers.lock() {
            let waiting = |readers: &mut Readers| !readers.stays && readers.low() < end;
            let _ = self.moved.wait_timeout_while(readers, timeout, waiting);
        }
    }

    fn enter(&self, from: usize) -> Option<u64> {
        let mut readers = self.readers.lock().ok()?;
        if from < readers.dropped {
            return None;
        }
        let number = readers.next;
        readers.next += 1;
        readers.looks.push((number, from));
        Some(number)
    }

    fn advance(&self, number: u64, from: usize) {
        if let Ok(mut readers) = self.readers.lock()
            && let Some((_, at)) = readers.looks.iter_mut().find(|(other, _)| *other == number)
        {
            *at = from.max(*at);
        }
        self.moved.notify_all();
    }

    fn leave(&self, number: u64) {
        if let Ok(mut readers) = self.readers.lock() {
            let low = readers.low();
            readers.looks.retain(|(other, _)| *other != number);
            readers.low = low;
        }
        self.moved.notify_all();
    }

    fn stays(&self) -> bool {
        self.readers.lock().is_ok_and(|readers| readers.stays)
    }

    fn dropped(&self) -> usize {
        self.readers.lock().map_or(usize::MAX, |readers| readers.dropped)
    }

    /// The same bytes unpacked again as far as `end`, or to their end.
    fn again(&self, end: usize) -> &[u8] {
        let Some(map) = self.again.get_or_init(|| (self.unpack)().ok()) else { return &[] };
        map.begin();
        while map.length() < end && !map.is_complete() {
            map.wait(end.saturating_sub(1), AGAIN_WAIT);
        }
        map.bytes()
    }
}

/// Somebody who reads a map from some byte on: nothing from there on is given up while they do.
pub struct Look {
    map: Arc<Map>,
    from: usize,
    /// Where bytes are given up at all.
    number: Option<u64>,
}

impl Look {
    pub(super) fn new(map: &Arc<Map>, from: usize) -> Option<Self> {
        let number = match &map.passing {
            Some(passing) => Some(passing.enter(from)?),
            None => None,
        };
        Some(Self { map: Arc::clone(map), from, number })
    }

    /// The bytes that are there now.
    pub fn bytes(&self) -> Bytes<'_> {
        self.map.bytes_from(self.from)
    }

    /// The same for who may have come too late.
    pub fn all(look: Option<&Self>) -> Bytes<'_> {
        look.map_or(Bytes::new(0, &[]), Self::bytes)
    }

    /// Whether bytes are given up when nobody reads them any more.
    pub fn is_passing(&self) -> bool {
        self.map.is_passing()
    }

    /// Another who reads from `from` on, which must not lie before this one's place.
    pub fn at(&self, from: usize) -> Option<Self> {
        Self::new(&self.map, from.max(self.from))
    }

    /// Reads no more of what stands before `from`.
    pub fn advance(&mut self, from: usize) {
        self.from = self.from.max(from);
        if let (Some(passing), Some(number)) = (&self.map.passing, self.number) {
            passing.advance(number, self.from);
        }
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        if let (Some(passing), Some(number)) = (&self.map.passing, self.number) {
            passing.leave(number);
        }
    }
}

impl Map {
    /// Whether bytes are given up when they were read.
    pub fn is_passing(&self) -> bool {
        self.passing.as_ref().is_some_and(|passing| !passing.stays())
    }

    /// Gives up no more bytes where the first `packets` packets, which end before byte `end`, are too small for it.
    pub fn settle(&self, packets: usize, end: u64) {
        if let Some(passing) = &self.passing
            && end < (packets as u64).saturating_mul(passing.window.dense_bytes)
            && let Ok(mut readers) = passing.readers.lock()
        {
            readers.stays = true;
        }
    }

    /// How many bytes were given up so far.
    pub fn given_up(&self) -> usize {
        self.passing.as_ref().map_or(0, Passing::dropped)
    }

    /// Reads from byte `from` on; `None` where bytes from there on were given up.
    pub fn look(self: &Arc<Self>, from: usize) -> Option<Look> {
        Look::new(self, from)
    }

    /// The bytes in a range that is there; what was given up is unpacked again first.
    pub fn slice(&self, range: Range<usize>) -> Option<&[u8]> {
        if let Some(passing) = &self.passing
            && !self.has_kept(passing, range.start)
        {
            return passing.again(range.end).get(range);
        }
        self.bytes_from(range.start).get(range)
    }

    /// Whether everything from `from` on is here, and stays.
    fn has_kept(&self, passing: &Passing, from: usize) -> bool {
        // Nothing is given up after the end.
        (passing.stays() || self.is_complete()) && from >= passing.dropped()
    }

    /// Those from `from` on that are there, of what was made beside others all.
    fn bytes_from(&self, from: usize) -> Bytes<'_> {
        match &self.kind {
            Kind::Behind(given, made) => Bytes::new(0, given.bytes()).with(made),
            _ => Bytes::new(from, self.there_from(from)),
        }
    }

    fn there_from(&self, from: usize) -> &[u8] {
        match &self.kind {
            Kind::Reserved(reserved) => reserved.read(from..self.length()),
            _ => self.bytes().get(from..).unwrap_or_default(),
        }
    }

    /// All bytes, where some were given up or still may be.
    pub(super) fn again(&self) -> Option<&[u8]> {
        let passing = self.passing.as_ref()?;
        (!self.has_kept(passing, 0)).then(|| passing.again(usize::MAX))
    }
}
