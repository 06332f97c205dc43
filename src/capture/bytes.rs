//! The bytes of a capture as far as they are at hand: from some place on, addressed as in the whole.

use std::ops::{Bound, RangeBounds};

/// A run of bytes that begins at byte `base` of the capture. What stands before it is not at hand any more.
#[derive(Clone, Copy)]
pub struct Bytes<'b> {
    base: usize,
    there: &'b [u8],
    /// What is addressed behind them, in a place of its own.
    behind: &'b [u8],
}

impl<'b> Bytes<'b> {
    /// Bytes of which the first is byte `base` of the capture.
    pub fn new(base: usize, there: &'b [u8]) -> Self {
        Self { base, there, behind: &[] }
    }

    /// The same with others behind their end. What reaches over that end is not at hand.
    #[must_use]
    pub fn with(self, behind: &'b [u8]) -> Self {
        Self { behind, ..self }
    }

    /// Where they end, counted from the beginning of the capture.
    #[inline]
    pub fn len(&self) -> usize {
        self.base + self.there.len() + self.behind.len()
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
        let (start, end) = (start.checked_sub(self.base)?, end.checked_sub(self.base)?);
        self.there.get(start..end).or_else(|| {
            let from = start.checked_sub(self.there.len())?;
            self.behind.get(from..end.checked_sub(self.there.len())?)
        })
    }

    /// One byte.
    #[inline]
    pub fn byte(&self, at: usize) -> Option<u8> {
        let at = at.checked_sub(self.base)?;
        self.there.get(at).or_else(|| self.behind.get(at.checked_sub(self.there.len())?)).copied()
    }
}

impl<'b> From<&'b [u8]> for Bytes<'b> {
    fn from(there: &'b [u8]) -> Self {
        Self::new(0, there)
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
        let bytes = bytes.with(b"xyz");
        assert_eq!((bytes.len(), bytes.byte(105), bytes.byte(106)), (109, Some(b'f'), Some(b'x')));
        assert_eq!((bytes.get(104..106), bytes.get(107..109)), (Some(&b"ef"[..]), Some(&b"yz"[..])));
        assert_eq!(bytes.get(105..107), None);
    }
}
