//! Room in the map for the whole of what a decoder unpacks, written where it stays.
//!
//! A decoder that copies what it finds from what it unpacked before can look for it there, instead of keeping a window of
//! its own and copying every byte out of it.

use std::io;
use std::sync::Arc;

use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::WriteBuf;

use super::Map;

/// Room of a known length in a map, handed out by [`super::Writer::enter`], which gives it to nobody else meanwhile.
pub(in crate::capture) struct Place {
    map: Arc<Map>,
    begin: usize,
    length: usize,
    filled: usize,
}

impl Place {
    /// `None` where the map is not of memory.
    ///
    /// The caller owns `begin..begin + length` of the map's addresses, and nothing in it is published before it is filled.
    pub(super) fn new(map: &Arc<Map>, begin: usize, length: usize) -> Option<Self> {
        let fits = map.reserved()?.length() >= begin.checked_add(length)?;
        fits.then(|| Self { map: Arc::clone(map), begin, length, filled: 0 })
    }

    /// Has `decoder` go on writing here; how many bytes it wrote, and what it says.
    pub(in crate::capture) fn run(
        &mut self,
        decoder: &mut Decoder<'static>,
        from: &mut InBuffer<'_>,
    ) -> (usize, io::Result<usize>) {
        let before = self.filled;
        let mut to = OutBuffer::around(self);
        // SAFETY: the bytes before were written, by the calls before.
        #[expect(unsafe_code, reason = "what stands before is not to be looked at, nor to be written again")]
        unsafe {
            to.set_pos(before);
        }
        let result = decoder.run(from, &mut to);
        (to.pos() - before, result)
    }
}

// SAFETY: `as_mut_ptr` is the same for as long as the value lives and `capacity` bytes behind it are a mapping that may be
// written (`new` checks the length); `as_slice` claims nothing.
#[expect(unsafe_code, reason = "zstd writes into memory others already read from the front of")]
unsafe impl WriteBuf for Place {
    fn as_slice(&self) -> &[u8] {
        &[]
    }

    fn capacity(&self) -> usize {
        self.length
    }

    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.map.reserved().map_or(std::ptr::null_mut(), |reserved| reserved.at(self.begin))
    }

    unsafe fn filled_until(&mut self, n: usize) {
        self.filled = n;
    }
}
