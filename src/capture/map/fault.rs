//! Survives a file that is cut while it is mapped.
//!
//! Reading a page that the file does not have any more raises SIGBUS, which ends a program that does not expect it. Here
//! it is answered: from the missing page on the map gets zeros, and is marked as cut at that place. Whoever reads the map
//! sees it end there ([`Guarded::bytes`]).

use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// Maps one block of the list watches.
const BLOCK_MAPS: usize = 256;
/// What stands in a place that is taken and not ready yet: no map begins at this address.
const TAKEN: usize = 1;

/// A map that is watched. Zero where there is none.
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    /// Where it was found cut; `usize::MAX` while it is whole.
    cut: AtomicUsize,
}

/// Places for watched maps. Blocks are added and never taken away, so that the handler may walk them at any moment.
struct Block {
    slots: [Slot; BLOCK_MAPS],
    next: AtomicPtr<Block>,
}

static FIRST: AtomicPtr<Block> = AtomicPtr::new(ptr::null_mut());
static PAGE_BYTES: AtomicUsize = AtomicUsize::new(4096);
static FAULTS: AtomicU64 = AtomicU64::new(0);
static HANDLER: Once = Once::new();

/// How often a missing page was answered, in all maps.
pub(in crate::capture) fn faults() -> u64 {
    FAULTS.load(Ordering::Relaxed)
}

/// The blocks there are.
fn blocks() -> impl Iterator<Item = &'static Block> {
    let follow = |at: &AtomicPtr<Block>| {
        // SAFETY: the pointer is null or comes from `Box::leak` in `add_block`, after the block was written whole; blocks
        // are never freed, and only atomics in them change.
        #[expect(unsafe_code, reason = "a list the signal handler can walk without a lock")]
        unsafe {
            at.load(Ordering::Acquire).as_ref()
        }
    };
    std::iter::successors(follow(&FIRST), move |block| follow(&block.next))
}

fn add_block() {
    let slot =
        || Slot { start: AtomicUsize::new(0), end: AtomicUsize::new(0), cut: AtomicUsize::new(usize::MAX) };
    let block = Box::leak(Box::new(Block {
        slots: std::array::from_fn(|_| slot()),
        next: AtomicPtr::new(FIRST.load(Ordering::Acquire)),
    }));
    loop {
        let before = block.next.load(Ordering::Acquire);
        if FIRST.compare_exchange(before, block, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return;
        }
        block.next.store(FIRST.load(Ordering::Acquire), Ordering::Release);
    }
}

fn claim(start: usize, end: usize) -> &'static Slot {
    loop {
        let free = |slot: &&Slot| {
            slot.start.load(Ordering::Relaxed) == 0
                && slot.start.compare_exchange(0, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        if let Some(slot) = blocks().flat_map(|block| &block.slots).find(free) {
            slot.cut.store(usize::MAX, Ordering::Relaxed);
            slot.end.store(end, Ordering::Relaxed);
            slot.start.store(start, Ordering::Release);
            return slot;
        }
        add_block();
    }
}

/// A mapped file that may be cut.
pub(super) struct Guarded {
    map: memmap2::Mmap,
    slot: &'static Slot,
}

impl Guarded {
    /// Watches a map from now on.
    pub(super) fn new(map: memmap2::Mmap) -> Self {
        HANDLER.call_once(install);
        let start = map.as_ptr() as usize;
        let slot = claim(start, start.saturating_add(map.len()));
        Self { map, slot }
    }

    /// The bytes as far as the file had them whenever they were read.
    pub(super) fn bytes(&self) -> &[u8] {
        self.map.get(..self.length()).unwrap_or_default()
    }

    pub(super) fn length(&self) -> usize {
        self.slot.cut.load(Ordering::Acquire).min(self.map.len())
    }

    /// Says that the file has no more bytes than these.
    pub(super) fn cut_at(&self, length: usize) {
        self.slot.cut.fetch_min(length, Ordering::AcqRel);
    }

    /// Where the file was cut, if it was.
    pub(super) fn cut(&self) -> Option<usize> {
        let cut = self.slot.cut.load(Ordering::Acquire);
        (cut < self.map.len()).then_some(cut)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // From here on the addresses may belong to somebody else; the map itself goes after this.
        self.slot.start.store(0, Ordering::Release);
    }
}

/// What answered SIGBUS before: stack overflows are told by the standard library this way.
static BEFORE: std::sync::OnceLock<libc::sigaction> = std::sync::OnceLock::new();

fn install() {
    PAGE_BYTES.store(rustix::param::page_size(), Ordering::Relaxed);
    // SAFETY: `sigaction` is plain data for which zeros are valid; both pointers are to such values and outlive the calls.
    // The handler does only what a handler may: loads and stores of atomics, `mmap` and `sigaction`.
    #[expect(unsafe_code, reason = "the standard library cannot answer signals")]
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut before) != 0 {
            return;
        }
        let _ = BEFORE.set(before);
        let mut action: libc::sigaction = std::mem::zeroed();
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = answer;
        action.sa_sigaction = handler as libc::sighandler_t;
        // Threads of the standard library have a stack for signals; a fault may come on a nearly full one.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut());
    }
}

/// Answers SIGBUS: runs in the middle of whatever read the missing page, so it takes no lock and no memory.
extern "C" fn answer(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system hands a valid `siginfo_t` to a handler installed with SA_SIGINFO, and SIGBUS carries an address.
    #[expect(unsafe_code, reason = "the address of the fault stands nowhere else")]
    let address = unsafe { (*info).si_addr() } as usize;
    if put_zeros(address) {
        FAULTS.fetch_add(1, Ordering::Relaxed);
        return;
    }
    // Not one of ours: whoever was asked before is asked again, when the same instruction faults once more.
    if let Some(before) = BEFORE.get() {
        // SAFETY: the pointer is to a value that was given by the system for this signal and lives as long as the program.
        #[expect(unsafe_code, reason = "the standard library cannot answer signals")]
        unsafe {
            libc::sigaction(libc::SIGBUS, before, ptr::null_mut());
        }
    }
}

/// Puts zeros from the page of `address` on to the end of the watched map it lies in, and marks the map as cut there.
fn put_zeros(address: usize) -> bool {
    let holds = |slot: &&Slot| {
        let start = slot.start.load(Ordering::Acquire);
        start > TAKEN && (start..slot.end.load(Ordering::Relaxed)).contains(&address)
    };
    let Some(slot) = blocks().flat_map(|block| &block.slots).find(holds) else { return false };
    let page = PAGE_BYTES.load(Ordering::Relaxed).max(1);
    let begin = address - address % page;
    let end = slot.end.load(Ordering::Relaxed);
    let start = slot.start.load(Ordering::Relaxed);
    slot.cut.fetch_min(begin.saturating_sub(start), Ordering::AcqRel);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: the range is part of a read-only file mapping this program made and still holds (its slot is cleared before it
    // is unmapped). Nobody wrote to it, and who reads it finds zeros where the file has nothing any more. What readers
    // already took from there may be anything; all of it is checked as any captured byte is.
    #[expect(unsafe_code, reason = "a page that is missing can only be answered with another")]
    let mapped = unsafe {
        libc::mmap(begin as *mut libc::c_void, end.saturating_sub(begin), libc::PROT_READ, flags, -1, 0)
    };
    mapped != libc::MAP_FAILED
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn mapped(bytes: usize) -> (std::fs::File, Guarded) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&vec![7; bytes]).expect("written");
        // SAFETY: the test cuts the file on purpose, which is what the guard is for.
        #[expect(unsafe_code, reason = "what is tested is a map")]
        let map = unsafe { memmap2::Mmap::map(&file).expect("a map") };
        (file, Guarded::new(map))
    }

    #[test]
    fn a_file_cut_under_its_map_reads_as_far_as_it_goes() {
        let page = rustix::param::page_size();
        let (file, guarded) = mapped(8 * page);
        let (_other_file, other) = mapped(2 * page);
        assert_eq!((guarded.bytes().len(), guarded.cut()), (8 * page, None));
        file.set_len(3 * page as u64).expect("cut");
        let all = guarded.bytes();
        let before = faults();
        assert_eq!((all[0], all[6 * page], all[4 * page]), (7, 0, 0));
        assert!(faults() > before);
        assert_eq!(guarded.cut(), Some(4 * page));
        guarded.cut_at(3 * page);
        assert_eq!(guarded.bytes().len(), 3 * page);
        assert!(guarded.bytes().iter().all(|byte| *byte == 7));
        assert_eq!(other.cut(), None);
    }

    #[test]
    fn more_maps_than_a_block_holds_are_watched_and_places_are_used_again() {
        let page = rustix::param::page_size();
        let maps: Vec<_> = (0..BLOCK_MAPS + 10).map(|_| mapped(page)).collect();
        let (file, last) = maps.last().expect("many");
        file.set_len(0).expect("cut");
        assert_eq!(last.bytes()[0], 0);
        assert_eq!(last.cut(), Some(0));
        let count = blocks().count();
        drop(maps);
        let again: Vec<_> = (0..BLOCK_MAPS).map(|_| mapped(page)).collect();
        assert!(again.iter().all(|(_, map)| map.cut().is_none()));
        assert!(blocks().count() <= count + 1);
    }
}
