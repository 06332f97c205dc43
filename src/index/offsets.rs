//! Where the frames of a segment begin in the capture, in four bytes each as long as they lie near each other.

/// One offset a row.
#[derive(Clone, Default)]
pub struct Offsets {
    first: u64,
    /// How far behind the first; used while all are near enough.
    near: Vec<u32>,
    /// All of them otherwise.
    far: Vec<u64>,
}

impl Offsets {
    /// Room for so many near ones.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { first: 0, near: Vec::with_capacity(capacity), far: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.near.len() + self.far.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The offset of a row, in bytes.
    #[inline]
    pub fn get(&self, row: usize) -> Option<u64> {
        match self.near.get(row) {
            Some(behind) => Some(self.first + u64::from(*behind)),
            None => self.far.get(row).copied(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, offset: u64) {
        if self.is_empty() {
            self.first = offset;
        }
        let behind = offset.checked_sub(self.first).and_then(|behind| u32::try_from(behind).ok());
        match behind {
            Some(behind) if self.far.is_empty() => self.near.push(behind),
            _ => {
                let near = std::mem::take(&mut self.near);
                self.far.extend(near.into_iter().map(|behind| self.first + u64::from(behind)));
                self.far.push(offset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Offsets;

    #[test]
    fn offsets_far_apart_and_backward_are_kept_as_they_are() {
        let far = [40, 100, 40 + u64::from(u32::MAX), 41 + u64::from(u32::MAX), 7, u64::MAX, 50];
        for count in 0..=far.len() {
            let mut offsets = Offsets::with_capacity(2);
            far.iter().take(count).for_each(|offset| offsets.push(*offset));
            assert_eq!((offsets.len(), offsets.get(count)), (count, None));
            let all: Vec<u64> = (0..count).filter_map(|row| offsets.get(row)).collect();
            assert_eq!(all, far[..count]);
        }
    }
}
