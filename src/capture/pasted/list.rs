//! The packets found in a text, sixteen bytes each: where they stand and their times. They are given up as they are walked.

use std::collections::VecDeque;

use crate::capture::LinkType;
use crate::capture::transcript::Stamp;
use crate::time::Nanos;

/// Packets of which memory is taken and given back at a time.
const BLOCK_MAX: usize = 1 << 16;
/// Bits of the place that are the offset; the length, and above it the kind of time, stand in the others.
const OFFSET_BITS: u32 = 40;
const LENGTH_BITS: u32 = 16;

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its text or its bytes begin.
    pub offset: u64,
    pub captured: u32,
    /// Bytes it had.
    pub original: u32,
    pub link: LinkType,
    pub stamp: Stamp,
}

/// A packet of which the text is the whole, as nearly all are.
#[derive(Clone, Copy)]
struct Packed {
    place: u64,
    time_ns: Nanos,
}

/// Packets in their order.
#[derive(Default)]
pub(super) struct List {
    blocks: VecDeque<VecDeque<Packed>>,
    /// Those that do not fit, by number.
    others: VecDeque<(u64, Entry)>,
    pushed: u64,
    taken: u64,
}

impl List {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        (self.pushed - self.taken) as usize
    }

    pub fn push(&mut self, entry: Entry) {
        let (kind, time_ns) = match entry.stamp {
            Stamp::None => (0u64, 0),
            Stamp::Clock(time_ns) => (1, time_ns),
            Stamp::Date(time_ns) => (2, time_ns),
            Stamp::Local(time_ns) => (3, time_ns),
            Stamp::Seconds(time_ns) => (4, time_ns),
        };
        let is_whole = entry.link == LinkType::TRANSCRIPT && entry.original == entry.captured;
        if !is_whole || entry.offset >> OFFSET_BITS != 0 || entry.captured >> LENGTH_BITS != 0 {
            self.others.push_back((self.pushed, entry));
        }
        let length = u64::from(entry.captured) & ((1 << LENGTH_BITS) - 1);
        let offset = entry.offset & ((1 << OFFSET_BITS) - 1);
        let place = offset | length << OFFSET_BITS | kind << (OFFSET_BITS + LENGTH_BITS);
        if self.blocks.back().is_none_or(|block| block.len() == BLOCK_MAX) {
            self.blocks.push_back(VecDeque::new());
        }
        if let Some(block) = self.blocks.back_mut() {
            block.push_back(Packed { place, time_ns });
        }
        self.pushed += 1;
    }

    /// Takes the first.
    pub fn next(&mut self) -> Option<Entry> {
        let block = self.blocks.front_mut()?;
        let packed = block.pop_front()?;
        if block.is_empty() {
            self.blocks.pop_front();
        }
        let number = self.taken;
        self.taken += 1;
        if self.others.front().is_some_and(|(own, _)| *own == number) {
            return self.others.pop_front().map(|(_, entry)| entry);
        }
        let length = (packed.place >> OFFSET_BITS) as u32 & ((1 << LENGTH_BITS) - 1);
        Some(Entry {
            offset: packed.place & ((1 << OFFSET_BITS) - 1),
            captured: length,
            original: length,
            link: LinkType::TRANSCRIPT,
            stamp: packed.stamp(),
        })
    }

    /// The times of those that are left.
    pub fn following(&self) -> impl Iterator<Item = Stamp> {
        self.blocks.iter().flatten().map(Packed::stamp)
    }
}

impl Packed {
    fn stamp(&self) -> Stamp {
        match self.place >> (OFFSET_BITS + LENGTH_BITS) {
            1 => Stamp::Clock(self.time_ns),
            2 => Stamp::Date(self.time_ns),
            3 => Stamp::Local(self.time_ns),
            4 => Stamp::Seconds(self.time_ns),
            _ => Stamp::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_all_kinds_come_out_as_they_went_in() {
        let text = |offset: u64, captured: u32, stamp: Stamp| Entry {
            offset,
            captured,
            original: captured,
            link: LinkType::TRANSCRIPT,
            stamp,
        };
        let entries = [
            text(0, 80, Stamp::Clock(-5)),
            text(1 << 39, 65_535, Stamp::Date(7)),
            text(1 << 40, 80, Stamp::Local(8)),
            text(90, 65_536, Stamp::Seconds(9)),
            Entry { original: 61, link: LinkType::RAW, ..text(70, 20, Stamp::None) },
            text(200, 0, Stamp::None),
        ];
        let mut list = List::default();
        for entry in entries.iter().cycle().take(3 * BLOCK_MAX) {
            list.push(*entry);
        }
        assert!(list.following().take(2).eq([Stamp::Clock(-5), Stamp::Date(7)]));
        assert!(entries.iter().cycle().take(3 * BLOCK_MAX).all(|entry| list.next() == Some(*entry)));
        assert!(list.is_empty() && list.next().is_none());
    }
}
