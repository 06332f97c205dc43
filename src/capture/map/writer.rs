//! Writes a map: takes memory for what comes, moves it on from what was read, and falls back to a temporary file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use super::place::Place;
use super::reserved::{Ahead, HUGE_BYTES, may_take};
use super::{Kind, Map, Problem};

/// Memory a stream takes at first; each further step doubles it, up to [`STEP_MAX_BYTES`].
const STEP_MIN_BYTES: usize = 1 << 20;
const STEP_MAX_BYTES: usize = 64 << 20;
/// Memory is made ready ahead from steps of this size on; less is there before a thread for it is.
const AHEAD_MIN_BYTES: usize = 16 << 20;
/// How far before who writes memory is made ready at the least, so that the two do not meet.
const READY_MARGIN_BYTES: usize = 2 << 20;
/// Bytes gathered before they are written to the spool file.
const SPOOL_CHUNK_BYTES: usize = 256 << 10;
/// Memory there is ahead of who writes at the least: a decoder may use some of what it has not filled as scratch.
const SCRATCH_BYTES: usize = 1 << 20;
/// How long slow readers are waited for before more memory is taken.
const READERS_WAIT: Duration = Duration::from_millis(20);
/// Of a window this many times its least size readers are waited for.
const WINDOW_MAX: usize = 2;

/// The only one who adds bytes to a map. It is not cloned, so two parts of a stream never meet.
pub(in crate::capture) struct Writer {
    map: Arc<Map>,
    max: usize,
    written: usize,
    /// Bytes of the map that memory was granted for; later ones lie in the spool file.
    granted: usize,
    /// Where the first of it stands: what comes before was moved on.
    behind: usize,
    /// Bytes before who writes that a decoder still copies from.
    history: usize,
    /// How far memory was made ready, or is about to be.
    readied: usize,
    ahead: Option<Ahead>,
    place: Option<Place>,
    spool: Option<Spool>,
    chunk: Vec<u8>,
    has_finished: bool,
}

/// A temporary file mapped from byte `begin` of the map on.
struct Spool {
    file: File,
    begin: usize,
}

impl Writer {
    /// One who writes at most `max` bytes; without memory all of them to `spool`.
    pub(super) fn new(map: &Arc<Map>, max: usize, spool: Option<File>) -> Self {
        Self {
            map: Arc::clone(map),
            max,
            written: 0,
            granted: 0,
            behind: 0,
            history: 0,
            readied: 0,
            ahead: None,
            place: None,
            spool: spool.map(|file| Spool { file, begin: 0 }),
            chunk: Vec::new(),
            has_finished: false,
        }
    }

    /// The map that is filled.
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// Says what the bytes come out of, and lowers how many may come to `max`.
    pub fn unpack(&mut self, container: Option<&'static str>, max: usize) {
        if let Some(container) = container {
            let _ = self.map.state.container.set(container);
        }
        self.max = self.max.min(max);
    }

    /// Bytes written so far.
    pub fn written(&self) -> usize {
        self.written
    }

    /// Takes room for a run of `length` bytes that is written in place, by a decoder that copies from the `history` bytes
    /// before; false where that is not to be had. Until [`Writer::leave`] the bytes go there and nowhere else.
    pub fn enter(&mut self, length: u64, history: usize) -> bool {
        let left = self.max.saturating_sub(self.written);
        let length = usize::try_from(length).ok().filter(|length| (1..=left).contains(length));
        let (Some(length), None, false) = (length, &self.spool, self.map.state.live) else { return false };
        if let Some(passing) = &self.map.passing {
            // Where nothing is given up after all, the whole must fit: a decoder that writes in place cannot go elsewhere.
            if history > passing.window.least_bytes / 2 || !may_take(length) {
                return false;
            }
        } else {
            let more = (self.written + length).saturating_sub(self.granted).next_multiple_of(STEP_MIN_BYTES);
            let more = more.min(self.max - self.granted);
            if more > 0 && !self.map.reserved().is_some_and(|reserved| reserved.charge(more)) {
                return false;
            }
            self.granted += more;
        }
        self.history = history;
        self.place = Place::new(&self.map, self.written, length);
        self.place.is_some()
    }

    /// The room entered last.
    pub fn place(&mut self) -> Option<&mut Place> {
        if self.place.is_some() {
            self.move_on();
        }
        self.place.as_mut()
    }

    /// Ends writing in place; what was not committed is lost.
    pub fn leave(&mut self) {
        self.place = None;
        self.history = 0;
    }

    /// Room for the next bytes, at most `want`; empty only at the end of the map.
    pub fn room(&mut self, want: usize) -> io::Result<&mut [u8]> {
        let want = want.min(self.max.saturating_sub(self.written));
        if self.spool.is_none() {
            self.move_on();
        }
        // With a thread that makes it ready, the next step is taken before this one is used up.
        let early = if self.ahead.is_some() { STEP_MAX_BYTES / 2 } else { 0 };
        if self.spool.is_none() && self.written + early >= self.granted && self.granted < self.max {
            self.grow()?;
        }
        match &self.map.kind {
            Kind::Reserved(reserved) if self.spool.is_none() && self.place.is_none() => {
                let end = (self.written + want).min(self.granted);
                // SAFETY: the range begins where the published bytes end, and readers are given no others. This is
                // the only writer, and `&mut self` is borrowed as long as the slice lives, so nothing else is in it.
                #[expect(unsafe_code, reason = "unpacking into the map saves a copy of every byte")]
                Ok(unsafe { reserved.room(self.written..end) })
            }
            _ => {
                self.chunk.resize(want.min(SPOOL_CHUNK_BYTES), 0);
                Ok(&mut self.chunk)
            }
        }
    }

    /// Publishes the first `count` bytes of the room handed out last.
    pub fn commit(&mut self, count: usize) -> io::Result<()> {
        if let Some(spool) = &self.spool {
            let bytes = self.chunk.get(..count).unwrap_or_default();
            spool.file.write_all_at(bytes, (self.written - spool.begin) as u64)?;
        }
        self.written += count;
        self.map.publish(self.written);
        self.make_ready();
        Ok(())
    }

    /// Takes more memory, or begins the spool file when there is none to take.
    fn grow(&mut self) -> io::Result<()> {
        let Kind::Reserved(reserved) = &self.map.kind else { return Ok(()) };
        let step =
            self.granted.clamp(STEP_MIN_BYTES, STEP_MAX_BYTES).min(self.max.saturating_sub(self.granted));
        if reserved.charge(step) {
            self.granted += step;
            return Ok(());
        }
        if self.written < self.granted {
            return Ok(());
        }
        let file = tempfile::tempfile()?;
        reserved.map_behind(&file, self.granted)?;
        self.spool = Some(Spool { file, begin: self.granted });
        Ok(())
    }

    /// Sees to it that there is memory ahead of who writes, where bytes are given up: that of what was read, or new one.
    fn move_on(&mut self) {
        let Kind::Reserved(reserved) = &self.map.kind else { return };
        let Some(passing) = &self.map.passing else { return };
        let step = passing.window.step_bytes;
        let ahead = if self.place.is_some() { SCRATCH_BYTES } else { step };
        let mut has_waited = false;
        while self.granted < self.max && self.granted < self.written + ahead {
            let held = self.granted - self.behind;
            let end = self.behind + step;
            let is_past = end <= self.written.saturating_sub(self.history);
            if held >= passing.window.least_bytes && self.granted + step <= self.max && is_past {
                if passing.give_up(end) {
                    // SAFETY: nobody reads below what was given up, and nobody will; what lies ahead of who writes was handed
                    // to nobody. Steps are whole pages.
                    #[expect(unsafe_code, reason = "memory that is there need not be cleared")]
                    let moved = unsafe { reserved.move_memory(self.behind, self.granted, step) };
                    if !moved {
                        reserved.clear(self.behind..end);
                    }
                    self.behind = end;
                    self.granted += step;
                    continue;
                }
                if held >= passing.window.least_bytes * WINDOW_MAX && !has_waited {
                    has_waited = true;
                    passing.wait(end, READERS_WAIT);
                    continue;
                }
            }
            let step = step.min(self.max - self.granted);
            // What others have taken since a decoder began to write in place is more than was promised, but it must go on.
            if !reserved.charge(step) && self.place.is_none() {
                return;
            }
            self.granted += step;
        }
    }

    /// Has the next granted memory made ready. What comes live comes slowly, and memory it may never need is not touched.
    fn make_ready(&mut self) {
        let is_near = self.readied <= self.written + STEP_MAX_BYTES / 2;
        let is_needed = !self.map.state.live && self.map.passing.is_none();
        if !is_near || self.written < STEP_MIN_BYTES || !is_needed {
            return;
        }
        // Who writes is already at the first bytes.
        let begin = self.readied.max((self.written + READY_MARGIN_BYTES).next_multiple_of(HUGE_BYTES));
        let end = self.granted.min(begin + STEP_MAX_BYTES);
        if end.saturating_sub(begin) < AHEAD_MIN_BYTES - READY_MARGIN_BYTES {
            return;
        }
        self.ahead = self.ahead.take().or_else(|| Ahead::start(Arc::clone(&self.map), Map::reserved));
        if let Some(ahead) = &self.ahead {
            ahead.make_ready(begin..end);
            self.readied = end;
        }
    }

    /// Says that no more bytes will come, and what was wrong with their end.
    pub fn finish(mut self, problem: Option<Problem>) {
        self.end(problem);
    }

    fn end(&mut self, problem: Option<Problem>) {
        if std::mem::replace(&mut self.has_finished, true) {
            return;
        }
        self.place = None;
        if let Some(ahead) = self.ahead.take() {
            ahead.stop();
        }
        let is_whole = self.map.passing.is_none() && self.written < self.granted;
        if let Some(reserved) = self.map.reserved().filter(|_| is_whole) {
            reserved.give_back(self.written..self.granted);
        }
        self.map.finish(problem);
    }
}

impl Drop for Writer {
    /// A reader must not wait for a writer that is gone, even where a decoder has panicked.
    fn drop(&mut self) {
        self.end(Some(Problem::Stopped("the data cannot be unpacked from here on".to_owned())));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, Passing, Window};
    use super::*;

    const PAGE: usize = 64 << 10;
    const PAGES: usize = 48;

    fn value(page: usize) -> u8 {
        page as u8 + 1
    }

    /// A map of pages that are each full of their own number, read as they come and given up behind the reader.
    fn passed() -> Arc<Map> {
        let window = Window { least_bytes: 4 * PAGE, step_bytes: PAGE, dense_bytes: 0 };
        let all = || (0..PAGES).flat_map(|page| vec![value(page); PAGE]).collect::<Vec<u8>>();
        let passing = Passing::new(window, move || Ok(Arc::new(Map::owned(all()))));
        let (map, mut writer) = Map::reserve(PAGES * PAGE, Origin::File, Some(passing)).expect("a map");
        let mut look = map.look(0).expect("nothing was given up");
        for page in 0..PAGES {
            let end = (page + 1) * PAGE;
            while writer.written() < end {
                let room = writer.room(end - writer.written()).expect("room");
                let length = room.len();
                room.fill(value(page));
                writer.commit(length).expect("memory");
            }
            assert_eq!(look.bytes().get(page * PAGE..end), Some(&*vec![value(page); PAGE]));
            assert_eq!(look.bytes().len(), end);
            look.advance(end);
        }
        writer.finish(None);
        map
    }

    #[test]
    fn memory_is_used_again_behind_readers_and_what_was_in_it_comes_back_when_asked_for() {
        let map = passed();
        let given_up = map.given_up();
        assert!(((PAGES - 8) * PAGE..PAGES * PAGE).contains(&given_up), "{given_up}");
        assert!(map.look(given_up - 1).is_none() && map.look(given_up).is_some());
        for page in [PAGES - 1, 0, 7] {
            let range = page * PAGE + 1..(page + 1) * PAGE;
            assert_eq!(map.slice(range), Some(&*vec![value(page); PAGE - 1]));
        }
        assert_eq!(map.slice(PAGES * PAGE..PAGES * PAGE + 1), None);
        assert_eq!(map.bytes().len(), PAGES * PAGE);
    }

    #[test]
    fn nothing_is_given_up_that_somebody_still_reads() {
        let window = Window { least_bytes: PAGE, step_bytes: PAGE, dense_bytes: 50 };
        let passing = Passing::new(window, || Err(io::Error::other("nobody asks")));
        let (map, mut writer) = Map::reserve(PAGES * PAGE, Origin::File, Some(passing)).expect("a map");
        let (first, second) = (map.look(0), map.look(3 * PAGE));
        let mut write = |pages: usize| {
            for _ in 0..pages {
                let room = writer.room(PAGE).expect("room");
                let length = room.len();
                room.fill(9);
                writer.commit(length).expect("memory");
            }
        };
        write(8);
        assert_eq!(map.given_up(), 0);
        drop(first);
        write(8);
        assert_eq!(map.given_up(), 3 * PAGE);
        assert!(map.look(2 * PAGE).is_none());
        // Packets of 100 bytes are worth it, those of 40 are not.
        map.settle(10, 1_000);
        assert!(map.is_passing());
        map.settle(10, 400);
        assert!(!map.is_passing());
        assert_eq!(second.expect("a look").bytes().get(3 * PAGE..4 * PAGE), Some(&*vec![9; PAGE]));
    }
}
