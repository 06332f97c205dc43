//! Looking for text, a pattern or bytes among the rows of the timeline.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use regex::Regex;

use super::state::Rows;
use crate::index::{Index, Packet};

/// Rows between two looks at whether the search is still wanted.
const STEP_ROWS: usize = 4096;

/// What is looked for.
#[derive(Clone, Debug)]
pub enum Needle {
    /// Text in addresses, protocol and summary; capitals do not count.
    Text(Regex),
    /// Bytes anywhere in the packet.
    Bytes(Vec<u8>),
}

impl Needle {
    /// Reads what was typed: `/pattern/` is a regular expression, `0x de ad` bytes, all else text. The error says what is wrong.
    pub fn read(typed: &str) -> Result<Self, String> {
        if let Some(digits) = typed.strip_prefix("0x") {
            return bytes(digits)
                .map(Self::Bytes)
                .ok_or_else(|| "bytes are pairs of hex digits: 0x de ad".to_owned());
        }
        let pattern =
            typed.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|rest| !rest.is_empty());
        let pattern = pattern.map_or_else(|| regex::escape(typed), str::to_owned);
        let built = regex::RegexBuilder::new(&pattern).case_insensitive(true).size_limit(1 << 20).build();
        built.map(Self::Text).map_err(|error| {
            let words = error.to_string();
            let last = words.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("no regular expression: {last}")
        })
    }

    /// Whether a packet holds it.
    pub fn fits(&self, packet: &Packet<'_>) -> bool {
        match self {
            Self::Text(pattern) => pattern.is_match(&line(packet)),
            Self::Bytes(bytes) => memchr::memmem::find(packet.bytes(), bytes).is_some(),
        }
    }

    /// Where it stands in a text, in bytes.
    pub fn ranges(&self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::Text(pattern) => {
                pattern.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty()).collect()
            }
            Self::Bytes(_) => Vec::new(),
        }
    }
}

/// Pairs of hex digits, with or without blanks between them.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}

/// What of a packet is looked through for text.
fn line(packet: &Packet<'_>) -> String {
    let (source, destination) = (packet.source_address(), packet.destination_address());
    format!("{source} {destination} {} {}", packet.protocol().protocol().label, packet.summary())
}

/// The rows that hold what was looked for.
#[derive(Clone, Debug)]
pub struct Matches {
    /// Their positions, rising.
    pub rows: Arc<[u32]>,
    /// How many rows there were, and under which filter: with others the positions mean nothing.
    pub among: (usize, String),
}

impl Matches {
    /// The next one from a row on, round at the end, with its number from one.
    pub fn next(&self, from: usize, backward: bool) -> Option<(usize, usize)> {
        let rows = &self.rows;
        let at = if backward {
            let before = rows.partition_point(|row| (*row as usize) < from);
            before.checked_sub(1).unwrap_or(rows.len().saturating_sub(1))
        } else {
            let after = rows.partition_point(|row| (*row as usize) <= from);
            if after == rows.len() { 0 } else { after }
        };
        rows.get(at).map(|row| (*row as usize, at + 1))
    }
}

/// Where a search goes.
pub struct Search<'s> {
    /// What is looked for.
    pub needle: &'s Needle,
    /// The packets.
    pub index: &'s Index,
    /// The rows.
    pub rows: &'s Rows,
    /// The row it starts beside.
    pub from: usize,
    /// Upwards.
    pub backward: bool,
}

impl Search<'_> {
    fn fits(&self, row: usize) -> bool {
        let packet = self.rows.get(self.index, row).and_then(|id| self.index.packet(id));
        packet.is_some_and(|packet| self.needle.fits(&packet))
    }

    /// Looks through every row once, from the one after `from` round to `from` itself.
    pub fn next(&self, cancel: &AtomicBool) -> Option<usize> {
        let count = self.rows.len(self.index);
        for step in 1..=count {
            if step % STEP_ROWS == 0 && cancel.load(Ordering::Relaxed) {
                return None;
            }
            let row = if self.backward { self.from + count - step } else { self.from + step } % count;
            if self.fits(row) {
                return Some(row);
            }
        }
        None
    }

    /// All rows that hold it; `None` when it is no longer wanted.
    pub fn all(&self, cancel: &AtomicBool) -> Option<Arc<[u32]>> {
        use rayon::prelude::*;
        let count = self.rows.len(self.index);
        let chunk = |start: usize| -> Option<Vec<u32>> {
            if cancel.load(Ordering::Relaxed) {
                return None;
            }
            let rows = start..(start + STEP_ROWS).min(count);
            Some(rows.filter(|row| self.fits(*row)).map(|row| row as u32).collect())
        };
        let starts: Vec<usize> = (0..count).step_by(STEP_ROWS).collect();
        let found: Option<Vec<Vec<u32>>> = starts.into_par_iter().map(chunk).collect();
        Some(found?.concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_patterns_and_bytes_are_told_apart() {
        let found = |typed: &str, text: &str| {
            let ranges = Needle::read(typed).unwrap().ranges(text);
            ranges.into_iter().map(|range| (range.start, range.end)).collect::<Vec<_>>()
        };
        assert_eq!(found("a.b", "A.B axb"), [(0, 3)], "dots of plain text are dots");
        assert_eq!(found("/a.b/", "A.B axb"), [(0, 3), (4, 7)]);
        assert!(matches!(Needle::read("0xde ad").unwrap(), Needle::Bytes(bytes) if bytes == [0xde, 0xad]));
        assert!(Needle::read("0xd").is_err() && Needle::read("0xzz").is_err());
        assert!(Needle::read("/(/").unwrap_err().contains("unclosed group"));
        assert!(Needle::read("//").is_ok(), "two slashes are text");
    }

    #[test]
    fn matches_go_round_in_both_directions() {
        let matches = Matches { rows: [3, 7, 9].into(), among: (10, String::new()) };
        assert_eq!(matches.next(3, false), Some((7, 2)));
        assert_eq!(matches.next(9, false), Some((3, 1)));
        assert_eq!(matches.next(3, true), Some((9, 3)));
        assert_eq!(matches.next(8, true), Some((7, 2)));
        assert_eq!(Matches { rows: [].into(), among: (0, String::new()) }.next(0, false), None);
    }
}
