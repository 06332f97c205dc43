//! Memory that streams are unpacked into: what is taken of the machine, and addresses of which memory is made ready
//! ahead of who writes.
//!
//! The system clears memory page by page where it is touched first, which takes as long as unpacking into it. So a
//! thread touches it ahead, in huge pages where the system has such blocks lying ready and they are the quicker way.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// Of the memory that is free when the first stream is opened, all streams together may use one part in this many.
const MEMORY_SHARE: u64 = 2;
/// Memory all streams together may use where the system does not say how much is free.
const MEMORY_UNKNOWN_BYTES: u64 = 1 << 30;
/// A huge page of the usual size; where the system has others, none are asked for.
pub(super) const HUGE_BYTES: usize = 2 << 20;
/// The order of such blocks in `/proc/buddyinfo`: 2⁹ pages of 4 KiB.
const HUGE_ORDER: usize = 9;
/// Free huge blocks left to others, beside a step as large as the one asked for.
const HUGE_MARGIN_BYTES: usize = 64 << 20;
/// Memory made ready in one call; in between the thread looks whether it is still wanted.
const READY_BYTES: usize = 4 << 20;
/// After this many calls at most huge pages are tried again that were slower than small ones.
const HUGE_AGAIN_MAX: u32 = 16;

/// Memory that streams may still take.
fn memory() -> &'static AtomicU64 {
    static LEFT: OnceLock<AtomicU64> = OnceLock::new();
    LEFT.get_or_init(|| {
        AtomicU64::new(super::memory::free().map_or(MEMORY_UNKNOWN_BYTES, |free| free / MEMORY_SHARE))
    })
}

/// Takes memory for a stream; false when its share is used up.
fn take_memory(bytes: u64) -> bool {
    let taken = memory().fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(bytes));
    taken.is_ok()
}

/// Whether a stream may take so many bytes now.
pub(super) fn may_take(bytes: usize) -> bool {
    memory().load(Ordering::Acquire) >= bytes as u64
}

/// Bytes that are free in blocks of at least a huge page; 0 where the system does not say, or has others.
fn free_huge_bytes() -> usize {
    let size = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
    if size.is_ok_and(|size| size.trim() != HUGE_BYTES.to_string()) {
        return 0;
    }
    let text = std::fs::read_to_string("/proc/buddyinfo").unwrap_or_default();
    text.lines().map(huge_bytes).fold(0, usize::saturating_add)
}

/// The same for a line such as `Node 0, zone Normal 5 3 …`: free blocks of 1, 2, 4, … pages.
fn huge_bytes(line: &str) -> usize {
    let orders = line.split_whitespace().skip(4).skip(HUGE_ORDER).enumerate();
    let bytes = |(at, blocks): (usize, &str)| {
        let block = HUGE_BYTES.checked_shl(at as u32).unwrap_or(0);
        blocks.parse::<usize>().unwrap_or(0).saturating_mul(block)
    };
    orders.map(bytes).fold(0, usize::saturating_add)
}

/// Addresses for as many bytes as may come; memory is behind them only where something was written or made ready.
pub(super) struct Reserved {
    start: NonNull<u8>,
    length: usize,
    /// Bytes taken from [`memory`].
    charged: AtomicU64,
}

// SAFETY: the pointer is to a mapping of its own, valid until the value is dropped; who may read and write which
// part of it is settled by `Map::bytes` and `Writer::room`.
#[expect(unsafe_code, reason = "a raw pointer is neither Send nor Sync by itself")]
unsafe impl Send for Reserved {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a raw pointer is neither Send nor Sync by itself")]
unsafe impl Sync for Reserved {}

impl Reserved {
    /// `None` where the system does not give that many addresses.
    pub(super) fn new(length: usize) -> Option<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the system's choice touches nothing that exists.
        #[expect(unsafe_code, reason = "memmap2 cannot map a file behind an anonymous mapping later on")]
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        let start = NonNull::new(start.cast::<u8>())?;
        Some(Self { start, length, charged: AtomicU64::new(0) })
    }

    /// How many addresses there are.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// The address of byte `at`, which must lie inside. Reading and writing there is for who owns that byte.
    pub(super) fn at(&self, at: usize) -> *mut u8 {
        self.start.as_ptr().wrapping_add(at)
    }

    /// Takes `length` bytes of the memory streams share; false when there are not so many left.
    pub(super) fn charge(&self, length: usize) -> bool {
        let taken = take_memory(length as u64);
        if taken {
            self.charged.fetch_add(length as u64, Ordering::Relaxed);
        }
        taken
    }

    /// Gives the memory in `range`, which nobody may read or write any more, back to the system and to other streams.
    pub(super) fn give_back(&self, range: Range<usize>) {
        let begin = range.start.next_multiple_of(HUGE_BYTES).min(range.end);
        let length = range.end - begin;
        if length == 0 {
            return;
        }
        self.advise(begin..range.end, libc::MADV_DONTNEED);
        self.charged.fetch_sub(length as u64, Ordering::Relaxed);
        memory().fetch_add(length as u64, Ordering::AcqRel);
    }

    /// Gives the memory in `range`, which nobody may read or write any more, back to the system.
    pub(super) fn clear(&self, range: Range<usize>) {
        self.advise(range, libc::MADV_DONTNEED);
    }

    /// Asks for huge pages in `range`.
    #[cfg(target_os = "linux")]
    fn prefer_huge(&self, range: Range<usize>) {
        self.advise(range, libc::MADV_HUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    fn prefer_huge(&self, _: Range<usize>) {}

    /// Puts memory behind the addresses in `range`; false where the system cannot (Linux before 5.14).
    #[cfg(target_os = "linux")]
    fn make_ready(&self, range: Range<usize>) -> bool {
        self.advise(range, libc::MADV_POPULATE_WRITE)
    }
    #[cfg(not(target_os = "linux"))]
    fn make_ready(&self, _: Range<usize>) -> bool {
        false
    }

    fn advise(&self, range: Range<usize>, advice: libc::c_int) -> bool {
        let end = range.end.min(self.length);
        let begin = range.start.min(end);
        // SAFETY: the range is inside this mapping. Of the advices used, none changes a byte anybody refers to: huge pages
        // and populating keep what was written, and only addresses nobody was given or will be given are given back.
        #[expect(unsafe_code, reason = "memmap2 gives no advice on mappings made by hand")]
        unsafe {
            libc::madvise(self.start.as_ptr().add(begin).cast(), end - begin, advice) == 0
        }
    }

    /// Room that nobody else reads or writes.
    ///
    /// # Safety
    /// `range` lies behind everything [`Reserved::read`] was ever asked for, and no other room in it is in use.
    #[expect(unsafe_code, reason = "unpacking into the map saves a copy of every byte")]
    #[expect(clippy::mut_from_ref, reason = "the map is shared with readers of the bytes before")]
    pub(super) unsafe fn room(&self, range: Range<usize>) -> &mut [u8] {
        let end = range.end.min(self.length);
        let begin = range.start.min(end);
        // SAFETY: the range is inside the mapping, and by the caller's promise this is the only reference to it.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(begin), end - begin) }
    }

    /// Replaces the addresses from `begin` on by a mapping of `file`, which may still be shorter than that.
    pub(super) fn map_behind(&self, file: &File, begin: usize) -> io::Result<()> {
        let length = self.length.saturating_sub(begin);
        let flags = libc::MAP_SHARED | libc::MAP_FIXED;
        // SAFETY: the replaced range is part of this mapping and lies behind everything published or handed out to
        // be written (`begin` is where the granted memory ends, a multiple of the page size), so nobody refers to it.
        // Only bytes already written to the file are published; the file has no name, so nobody shortens it.
        #[expect(unsafe_code, reason = "one run of bytes over memory and a file needs a fixed mapping")]
        let mapped = unsafe {
            let at = self.start.as_ptr().add(begin).cast();
            libc::mmap(at, length, libc::PROT_READ, flags, file.as_raw_fd(), 0)
        };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The bytes in `range`, all of which must have been published, and none given up while they are looked at.
    pub(super) fn read(&self, range: Range<usize>) -> &[u8] {
        let end = range.end.min(self.length);
        let begin = range.start.min(end);
        // SAFETY: the mapping lives as long as `self`; what is published is never written again, and memory is moved away
        // only from what nobody looks at (`Passing::give_up`).
        #[expect(unsafe_code, reason = "the mapping is longer than what is there")]
        unsafe {
            std::slice::from_raw_parts(self.start.as_ptr().add(begin), end - begin)
        }
    }

    /// Moves the memory behind `length` bytes from `from` on to the addresses from `to` on, with what is in it; false where
    /// the system cannot (Linux before 5.7). Afterwards there are zeros at `from`.
    ///
    /// # Safety
    /// Nobody looks at either range, and both begin and end with a page.
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "the standard library cannot move memory between addresses")]
    pub(super) unsafe fn move_memory(&self, from: usize, to: usize, length: usize) -> bool {
        let is_inside = |begin: usize| begin.checked_add(length).is_some_and(|end| end <= self.length);
        if !is_inside(from) || !is_inside(to) || from.abs_diff(to) < length {
            return false;
        }
        // The addresses left behind stay mapped, so that nothing else of the process can come to lie there.
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
        // SAFETY: both ranges are inside this mapping and do not overlap, and by the caller's promise nobody refers to them.
        unsafe {
            let start = self.start.as_ptr();
            let moved = libc::mremap(
                start.add(from).cast(),
                length,
                length,
                flags,
                start.add(to).cast::<libc::c_void>(),
            );
            moved != libc::MAP_FAILED
        }
    }
    #[cfg(not(target_os = "linux"))]
    #[expect(unsafe_code, reason = "as on Linux")]
    pub(super) unsafe fn move_memory(&self, _from: usize, _to: usize, _length: usize) -> bool {
        false
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        memory().fetch_add(self.charged.load(Ordering::Relaxed), Ordering::AcqRel);
        // SAFETY: the range is exactly the mapping made in `new`, and no slice of it outlives `self`.
        #[expect(unsafe_code, reason = "the mapping was made by hand")]
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.length);
        }
    }
}

/// Which pages are the quicker ones.
///
/// Huge ones take a quarter of the time, but a virtual machine may have given some blocks back to its host, and getting
/// those again takes several times as long as clearing small pages it still has.
#[derive(Default)]
struct PageSizes {
    /// How long small ones took for [`READY_BYTES`] the last time.
    small: Option<Duration>,
    /// Calls for which small ones are taken.
    left: u32,
    /// How many those were after huge ones had been slower, until they are quicker again.
    wait: u32,
}

impl PageSizes {
    /// Whether the next memory should be had in huge pages.
    fn prefer_huge(&mut self) -> bool {
        let prefers = self.left == 0;
        self.left = self.left.saturating_sub(1);
        prefers
    }

    fn took(&mut self, is_huge: bool, time: Duration) {
        match self.small {
            _ if !is_huge => self.small = Some(time),
            None => self.left = 1,
            Some(small) if time > small => {
                self.wait = (self.wait * 2).clamp(1, HUGE_AGAIN_MAX);
                self.left = self.wait;
            }
            Some(_) => self.wait = 0,
        }
    }
}

/// The processor time this thread has had: that others had the processor meanwhile must not count against a size of page.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value of the right type that outlives the call. Where it fails the time stays 0.
    #[expect(unsafe_code, reason = "the standard library has no clock of a thread")]
    unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
    }
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Reserved {
    /// Makes a range ready bit by bit; false when that is impossible or no longer wanted.
    fn make_ready_by_and_by(&self, range: Range<usize>, sizes: &mut PageSizes, stop: &AtomicBool) -> bool {
        // If the system had to make huge pages, moving other memory out of the way for each, that would take several
        // times as long as small pages do. So they are only asked for while there is more than enough of them.
        let enough = range.len().saturating_mul(2).saturating_add(HUGE_MARGIN_BYTES);
        let are_there = free_huge_bytes() >= enough;
        let mut begin = range.start;
        while begin < range.end {
            let end = begin.saturating_add(READY_BYTES).min(range.end);
            let is_huge = are_there && sizes.prefer_huge();
            if is_huge {
                self.prefer_huge(begin..end);
            }
            let before = thread_time();
            if stop.load(Ordering::Relaxed) || !self.make_ready(begin..end) {
                return false;
            }
            if end - begin == READY_BYTES {
                sizes.took(is_huge, thread_time().saturating_sub(before));
            }
            begin = end;
        }
        true
    }
}

/// A thread that makes memory ready ahead of who writes it.
pub(super) struct Ahead {
    ranges: mpsc::Sender<Range<usize>>,
    unwanted: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Ahead {
    /// Starts the thread for the memory `reserved` finds in `owner`; `None` where there are no threads to be had.
    pub(super) fn start<T: Send + Sync + 'static>(
        owner: Arc<T>,
        reserved: fn(&T) -> Option<&Reserved>,
    ) -> Option<Self> {
        let (ranges, wanted) = mpsc::channel::<Range<usize>>();
        let unwanted = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&unwanted);
        let work = move || {
            let Some(reserved) = reserved(&owner) else { return };
            let mut sizes = PageSizes::default();
            for range in wanted {
                if !reserved.make_ready_by_and_by(range, &mut sizes, &stop) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("memory".to_owned()).spawn(work).ok()?;
        Some(Self { ranges, unwanted, thread })
    }

    /// Has a range made ready.
    pub(super) fn make_ready(&self, range: Range<usize>) {
        // A thread that has ended could not make memory ready; it is then cleared where it is first written.
        let _ = self.ranges.send(range);
    }

    /// Ends the thread; afterwards it touches nothing.
    pub(super) fn stop(self) {
        let Self { ranges, unwanted, thread } = self;
        unwanted.store(true, Ordering::Relaxed);
        drop(ranges);
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_blocks_of_at_least_a_huge_page_are_counted() {
        assert_eq!(huge_bytes("Node 0, zone   Normal  1 0 1 294 157 72 39 33 11 3 410"), (3 + 2 * 410) << 21);
        assert_eq!(huge_bytes("Node 0, zone      DMA  0 0 0 0 0 0 0 0 1"), 0);
        assert_eq!(huge_bytes(""), 0);
    }

    #[test]
    fn the_quicker_size_of_pages_is_taken_and_huge_ones_are_tried_again() {
        let count = |small_us: u64, huge_us: u64| {
            let mut sizes = PageSizes::default();
            let huge = |_| {
                let is_huge = sizes.prefer_huge();
                sizes.took(is_huge, Duration::from_micros(if is_huge { huge_us } else { small_us }));
                usize::from(is_huge)
            };
            (0..160).map(huge).sum::<usize>()
        };
        assert_eq!(count(1_200, 400), 159);
        assert_eq!(count(1_200, 7_000), 14);
    }

    #[test]
    fn memory_is_moved_with_what_is_in_it_and_leaves_zeros() {
        const STEP: usize = 1 << 20;
        let reserved = Reserved::new(8 * STEP).expect("addresses");
        // SAFETY: nothing else uses these bytes.
        #[expect(unsafe_code, reason = "the test writes as the writer does")]
        let moved = unsafe {
            reserved.room(0..2 * STEP).fill(7);
            assert!(!reserved.move_memory(0, STEP / 2, STEP));
            assert!(!reserved.move_memory(0, 8 * STEP, STEP));
            reserved.move_memory(0, 4 * STEP, STEP)
        };
        // Where the system cannot, nothing has changed.
        let (old, new) = if moved { (0, 7) } else { (7, 0) };
        let is_all = |at: usize, value: u8| {
            reserved.read(at * STEP..(at + 1) * STEP).iter().all(|byte| *byte == value)
        };
        assert!(is_all(0, old) && is_all(1, 7) && is_all(4, new) && is_all(5, 0));
    }

    #[test]
    fn memory_made_ready_keeps_what_was_written_and_can_be_given_back() {
        let reserved = Arc::new(Reserved::new(16 << 20).expect("addresses"));
        // SAFETY: nothing else uses these bytes.
        #[expect(unsafe_code, reason = "the test writes as the writer does")]
        unsafe { reserved.room(0..8 << 20) }.fill(7);
        let ahead = Ahead::start(Arc::clone(&reserved), |reserved| Some(reserved)).expect("a thread");
        reserved.prefer_huge(0..16 << 20);
        ahead.make_ready(0..16 << 20);
        ahead.stop();
        assert!(reserved.charge(12 << 20));
        reserved.give_back(8 << 20..12 << 20);
        assert_eq!(reserved.charged.load(Ordering::Relaxed), 8 << 20);
        assert!(reserved.read(0..8 << 20).iter().all(|byte| *byte == 7));
    }
}
