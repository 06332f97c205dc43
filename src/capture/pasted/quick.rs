//! Tells at once which lines are packets of their own in the usual form, behind a prefix like that of the last packet: most lines of
//! most logs. Each is judged alone, so that all are judged side by side.

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::hash::Hasher as _;

use rayon::prelude::*;

use super::wrap::remark_start;
use super::{prefix, shipped};
use crate::capture::transcript::{Stamp, is_single, usual_head};

/// Lines judged at first, and again where a prefix was another than expected.
const LEAST_LINES: usize = 64;
/// So many times as many are judged next where all before were of one kind.
const GROWTH: usize = 4;
/// Fewer are judged by one thread.
const SHARED_LINES: usize = 4_096;
/// Marks that can stand behind a packet and are none of it.
const TAIL_MARKS: &str = "*`_|\\<\"',;";

/// A packet's text without them. `Accept: */*` ends with a star of its own.
pub(super) fn without_tail(text: &str) -> &str {
    let bare = text.trim_end_matches(|c: char| c.is_whitespace() || TAIL_MARKS.contains(c));
    let is_range = bare.ends_with('/') && text.get(bare.len()..).is_some_and(|tail| tail.starts_with('*'));
    if is_range { text.get(..=bare.len()).unwrap_or(bare) } else { bare }
}

/// A packet that stands on one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub start: u32,
    pub end: u32,
    pub stamp: Stamp,
    /// The same words have the same, where their time is exact.
    pub hash: Option<u64>,
}

/// What is known of lines ahead.
#[derive(Default)]
pub(super) struct Ahead {
    /// The prefix they were compared with.
    prefix: Option<String>,
    from: usize,
    marks: Vec<Option<Mark>>,
    next: usize,
}

impl Ahead {
    /// The packet on a line, if it ends there because one like it begins on the next.
    pub fn single(&mut self, lines: &[Cow<'_, str>], at: usize, prefix: &str) -> Option<Mark> {
        let is_known = self.prefix.as_deref() == Some(prefix);
        let end = self.from + self.marks.len();
        if !is_known || at < self.from || at + 1 >= end {
            if !is_known {
                self.prefix = Some(prefix.to_owned());
            }
            // Where a block was used up the next is longer.
            let is_next = is_known && at + 1 == end && !self.marks.is_empty();
            self.next = if is_next { self.next.saturating_mul(GROWTH) } else { LEAST_LINES };
            let ahead = lines.get(at..).unwrap_or_default();
            let ahead = ahead.get(..self.next).unwrap_or(ahead);
            self.from = at;
            let judge = |line: &Cow<'_, str>| mark(line, prefix);
            self.marks.clear();
            if ahead.len() < SHARED_LINES {
                self.marks.extend(ahead.iter().map(judge));
            } else {
                ahead.par_iter().with_min_len(SHARED_LINES / 4).map(judge).collect_into_vec(&mut self.marks);
            }
        }
        let mark = |at: usize| self.marks.get(at - self.from).copied().flatten();
        mark(at + 1)?;
        mark(at)
    }
}

/// The packet of a line in the usual form behind a prefix of the same kind.
fn mark(line: &str, like: &str) -> Option<Mark> {
    let start = behind(line, like)?;
    let text = line.get(start..)?;
    let head = usual_head(text.as_bytes())?;
    let is_own = is_single(text.as_bytes().get(head.least_end..)?) && !prefix::is_citation(line);
    // Behind a cell of a table stand others.
    if !is_own || like.trim_start().starts_with('|') {
        return None;
    }
    let text = without_tail(text);
    let text = text.get(..remark_start(text))?;
    let stamp = shipped::dated(line.get(..start)?, head.stamp);
    let end = start + text.len();
    (text.len() > head.least_end).then(|| Mark {
        start: start as u32,
        end: end as u32,
        stamp,
        hash: hash(text, head.stamp),
    })
}

/// Where the line goes on behind a prefix that differs from another by its numbers alone.
fn behind(line: &str, like: &str) -> Option<usize> {
    let (line, like) = (line.as_bytes(), like.as_bytes());
    let (mut at, mut expected) = (0, 0);
    while let Some(byte) = like.get(expected) {
        let own = line.get(at)?;
        if byte.is_ascii_digit() {
            let digits = |text: &[u8], from: usize| {
                text.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count()
            };
            let length = digits(line, at);
            if length == 0 {
                return None;
            }
            expected += digits(like, expected);
            at += length;
        } else if own == byte {
            (at, expected) = (at + 1, expected + 1);
        } else {
            return None;
        }
    }
    Some(at)
}

/// A number for the words of a packet whose time is exact to the microsecond.
pub(super) fn hash(text: &str, stamp: Stamp) -> Option<u64> {
    let words = || text.as_bytes().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let decimals = |word: &[u8]| memchr::memrchr(b'.', word).map_or(0, |point| word.len() - point - 1);
    if stamp == Stamp::None || !words().take(2).any(|word| decimals(word) >= 6) {
        return None;
    }
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    for word in words() {
        hasher.write(word);
    }
    Some(hasher.finish())
}
