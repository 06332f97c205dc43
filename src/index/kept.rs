//! The bytes of some frames of a segment, where those of the capture are not held in memory.

use std::ops::Range;

/// Frames end to end, found by their offset in the capture.
#[derive(Clone, Default)]
pub(super) struct Kept {
    /// Offset of each frame in the capture, ascending, and where it begins in `bytes`.
    starts: Vec<(u64, usize)>,
    bytes: Vec<u8>,
}

impl Kept {
    /// Whether no frame was kept.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Keeps a frame that stands behind those before.
    pub fn push(&mut self, offset: u64, frame: &[u8]) {
        self.starts.push((offset, self.bytes.len()));
        self.bytes.extend_from_slice(frame);
    }

    /// Gives back memory taken for more.
    pub fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.bytes.shrink_to_fit();
    }

    /// The bytes in a range of the capture, all of one kept frame.
    pub fn get(&self, range: Range<u64>) -> Option<&[u8]> {
        let at = self.starts.partition_point(|(offset, _)| *offset <= range.start).checked_sub(1)?;
        let (offset, start) = *self.starts.get(at)?;
        let end = self.starts.get(at + 1).map_or(self.bytes.len(), |(_, start)| *start);
        let frame = self.bytes.get(start..end)?;
        frame.get((range.start - offset) as usize..range.end.checked_sub(offset)? as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn kept_frames_are_found_by_their_place_in_the_capture() {
        let mut kept = Kept::default();
        kept.push(100, b"abc");
        kept.push(200, b"defg");
        assert_eq!(kept.get(100..103), Some(&b"abc"[..]));
        assert_eq!(kept.get(201..203), Some(&b"ef"[..]));
        assert_eq!(kept.get(204..204), Some(&b""[..]));
        for range in [99..101, 102..104, 103..105, 150..151, 203..205, 300..301] {
            assert_eq!(kept.get(range.clone()), None, "{range:?}");
        }
    }
}
