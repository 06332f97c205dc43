//! The bytes of a capture as far as they are at hand: from some place on, addressed as in the whole.

use std::ops::{Bound, RangeBounds};

/// A run of bytes that begins at byte `base` of the capture. What stands before it is not at hand any more.
#[derive(Clone, Copy)]
pub struct Bytes<'b> {
    base: usize,
    there: &'b [u8],
}

impl<'b> Bytes<'b> {
    /// Bytes of which the first is byte `base` of the capture.
    pub fn new(base: usize, there: &'b [u8]) -> Self {
        Self { base, there }
    }

    /// Where they end, counted from the beginning of the capture.
    #[inline]
    pub fn len(&self) -> usize {
        self.base + self.there.len()
    }

    /// Whether the capture has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes in a range of the capture; `None` where any of them is not at hand.
    #[inline]
    pub fn get(&self, range: impl RangeBounds<usize>) -> Option<&'b [u8]> {
        let start = match range.start_bound() {
            Bound::Included(at) => *at,
            Bound::Excluded(at) => at.checked_add(1)?,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(at) => at.checked_add(1)?,
            Bound::Excluded(at) => *at,
            Bound::Unbounded => self.len(),
        };
        self.there.get(start.checked_sub(self.base)?..end.checked_sub(self.base)?)
    }

    /// One byte.
    #[inline]
    pub fn byte(&self, at: usize) -> Option<u8> {
        self.there.get(at.checked_sub(self.base)?).copied()
    }
}

impl<'b> From<&'b [u8]> for Bytes<'b> {
    fn from(there: &'b [u8]) -> Self {
        Self { base: 0, there }
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn bytes_are_addressed_as_in_the_whole() {
        let bytes = Bytes::new(100, b"abcdef");
        assert_eq!(
            (bytes.len(), bytes.byte(100), bytes.byte(99), bytes.byte(106)),
            (106, Some(b'a'), None, None)
        );
        assert_eq!(bytes.get(102..104), Some(&b"cd"[..]));
        assert_eq!(bytes.get(104..), Some(&b"ef"[..]));
        assert_eq!((bytes.get(99..101), bytes.get(..3), bytes.get(105..107)), (None, None, None));
        assert_eq!((bytes.get(106..), bytes.get(107..)), (Some(&b""[..]), None));
    }
}
