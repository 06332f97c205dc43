//! Finds the packets in text that tcpdump printed and somebody pasted: bullets, wrapped lines, typographic arrows.
//!
//! A packet begins where a time stamp is followed by `IP`, `IP6` or `ARP` and, for IP, by `host > host`; anything
//! else is prose. In a text without any time stamp (`tcpdump -t`) it begins at the start of a line. Its bytes are the
//! slice of the original text from the time stamp to its last token.

mod body;
pub(super) mod clock;
mod head;
pub mod list;
pub(super) mod notes;
mod quick;
mod words;

use super::{Bytes, Damage, Fill, Format, Interface, LinkType, Metadata, Place, Record, Walk};
use crate::time::Nanos;
use clock::Clock;
pub use head::{Head, Link, Network, Stamp, head};
pub(super) use head::{moment, stamped_head};
pub(super) use quick::{head as usual_head, is_single};
pub use words::{Word, Words, group, header_group, is_arrow};

/// A printed packet never needs more text than this; what follows is not looked at.
const PACKET_MAX_BYTES: usize = 16 << 10;
/// The longest rest of a line that is looked at for a second packet at once.
const LINE_MAX_BYTES: usize = 4 << 10;
/// Words read in search of the end of a bracketed group or of a link-layer prefix.
const PREFIX_MAX_WORDS: usize = 64;
/// Characters shown of a line that was not read.
const PASSED_SHOWN_CHARS: usize = 160;
/// Packets looked at to tell `-ttt` from `-ttttt`.
const CLOCK_MAX_PACKETS: usize = 1_000;
const SECOND_NS: Nanos = 1_000_000_000;
const DAY_NS: Nanos = 86_400 * SECOND_NS;

/// The first packet at or after `from` that begins with a time stamp: where that begins, and its start.
fn find_stamped(text: &[u8], from: usize) -> Option<(usize, Head)> {
    let rest = text.get(from..)?;
    let mut before = from.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    for (at, &byte) in rest.iter().enumerate() {
        if byte.is_ascii_digit() && !(before.is_ascii_alphanumeric() || b".:-/".contains(&before)) {
            let start = from + at;
            if let Some(head) = stamped(text, start) {
                return Some((start, head));
            }
        } else if byte.is_ascii_digit() && before == b'-' && begins_line(text, from + at - 1) {
            // `-ttt` prints a negative difference with its sign.
            let start = from + at - 1;
            if let Some(head) = stamped(text, start) {
                return Some((start, head));
            }
        }
        before = byte;
    }
    None
}

fn stamped(text: &[u8], start: usize) -> Option<Head> {
    text.get(start..).and_then(head::stamped_head)
}

/// Whether nothing but blanks stands before `at` on its line.
fn begins_line(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte != b'\n').all(|byte| matches!(byte, b' ' | b'\t'))
}

/// The same in a text without time stamps: a packet begins its line, behind bullets, quotation marks and numbers.
///
/// A line indented by more than `indent` continues the packet above: below an ICMP error `-v` prints the packet it is about.
fn find_unstamped(text: &[u8], from: usize, indent: usize) -> Option<(usize, Head)> {
    let begun = memchr::memrchr(b'\n', text.get(..from)?).map_or(0, |at| at + 1);
    let mut line = if text.get(begun..from)?.iter().copied().all(is_mark) {
        begun
    } else {
        from + memchr::memchr(b'\n', text.get(from..)?)? + 1
    };
    while line < text.len() {
        let rest = text.get(line..)?;
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let marks = rest.iter().take(end).take_while(|byte| is_mark(**byte)).count();
        // Digits right before the text are the beginning of a link address.
        let digits = rest.iter().take(marks).rev().take_while(|byte| byte.is_ascii_digit()).count();
        let start = marks - digits;
        // From an empty line the words of the next would be looked for, and from each of a thousand empty lines.
        let is_empty = rest.get(start..end).is_none_or(|line| line.trim_ascii().is_empty());
        if !is_empty
            && indentation(rest) <= indent
            && let Some(head) = rest.get(start..).and_then(head).filter(|head| head.stamp == Stamp::None)
        {
            return Some((line + start, head));
        }
        line += end;
    }
    None
}

/// Bullets, quotation marks, numbers and blanks in front of a packet.
fn is_mark(byte: u8) -> bool {
    byte.is_ascii_digit() || b" \t>*-|`.)#+\xc2\xa0".contains(&byte)
}

/// How the packets of a text are told from what surrounds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// By their time stamps.
    Stamped,
    /// By the start of a line indented no further than this.
    Unstamped { indent: usize },
}

impl Kind {
    fn of(text: &[u8]) -> Option<Self> {
        Self::of_rest(text, 0)
    }

    /// The same for a text looked through up to `from` before.
    fn of_rest(text: &[u8], from: usize) -> Option<Self> {
        if find_stamped(text, from).is_some() {
            return Some(Self::Stamped);
        }
        let (start, _) = find_unstamped(text, from, usize::MAX)?;
        Some(Self::Unstamped { indent: indentation_before(text, start) })
    }

    fn find(self, text: &[u8], from: usize) -> Option<(usize, Head)> {
        match self {
            Self::Stamped => find_stamped(text, from),
            Self::Unstamped { indent } => find_unstamped(text, from, indent),
        }
    }
}

/// Up to where a text without packets need not be looked through again when it grows: what begins before is judged by
/// bytes that are there already.
fn looked_through(text: &[u8]) -> usize {
    let judged = text.get(..text.len().saturating_sub(PACKET_MAX_BYTES)).unwrap_or_default();
    memchr::memrchr(b'\n', judged).map_or(0, |at| at + 1)
}

/// Whether the text has a packet.
pub(super) fn has_packets(text: &[u8]) -> bool {
    Kind::of(text).is_some()
}

/// Whether the first bytes are text: no NUL, and nearly everything printable.
pub fn is_text(bytes: &[u8]) -> bool {
    const LOOK_BYTES: usize = 64 << 10;
    let bytes = bytes.get(..LOOK_BYTES).unwrap_or(bytes);
    let odd =
        bytes.iter().filter(|&&b| b < 0x20 && !matches!(b, b'\n' | b'\r' | b'\t' | 0x0c | 0x1b)).count();
    // Old code pages have a few bytes that are not UTF-8, packed or encrypted data every other one.
    let foreign: usize = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    !bytes.is_empty() && !bytes.contains(&0) && odd * 50 <= bytes.len() && foreign * 10 <= bytes.len()
}

/// Where a packet's text ends: at the next packet, a blank line, or when its line is complete and not continued.
fn end_of(text: &[u8], start: usize, head: Head, next: usize) -> (usize, bool) {
    let limit = next.min(start + PACKET_MAX_BYTES).min(text.len());
    let least = start + head.least_end;
    let indent = indentation_before(text, start);
    let mut end = start;
    while end < limit {
        let rest = text.get(end..limit).unwrap_or_default();
        let line_end = memchr::memchr(b'\n', rest).map_or(limit, |at| end + at + 1);
        let line = text.get(end..line_end).unwrap_or_default();
        if end > least {
            let blank_line = line.iter().all(u8::is_ascii_whitespace);
            let complete = is_complete(text.get(start..end).unwrap_or_default());
            if blank_line
                || is_markup(line)
                || head::is_stamped(line)
                || (complete && indentation(line) <= indent)
            {
                return (trimmed(text, start, end), true);
            }
        }
        end = line_end;
    }
    (trimmed(text, start, end), limit < text.len())
}

/// The next packet and this one's end, where it ends with its line and the next begins on the line below, as in most logs.
fn single_line(text: &[u8], start: usize, head: Head) -> Option<Walked> {
    let rest = text.get(start + head.least_end..)?;
    let length = memchr::memchr(b'\n', rest).filter(|length| *length < LINE_MAX_BYTES)?;
    let end = start + head.least_end + length;
    let next =
        stamped_head(text.get(end + 1..)?).filter(|_| text.get(end + 1).is_some_and(u8::is_ascii_digit))?;
    quick::is_single(rest.get(..length)?).then(|| (Some((end + 1, next)), trimmed(text, start, end), true))
}

/// The next packet, where this one ends, and whether its end is known.
type Walked = (Option<(usize, Head)>, usize, bool);

/// The indentation of the line on which `start` stands.
fn indentation_before(text: &[u8], start: usize) -> usize {
    let line_start = memchr::memrchr(b'\n', text.get(..start).unwrap_or_default()).map_or(0, |at| at + 1);
    indentation(text.get(line_start..start).unwrap_or_default())
}

fn indentation(line: &[u8]) -> usize {
    line.iter().take_while(|b| matches!(b, b' ' | b'\t')).map(|b| if *b == b'\t' { 8 } else { 1 }).sum()
}

fn is_markup(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let numbered = || {
        let digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
        (1..=2).contains(&digits) && line.get(digits..).is_some_and(|rest| rest.starts_with(b". "))
    };
    line.starts_with(b"#")
        || line.starts_with(b"- ")
        || line.starts_with(b"* ")
        || line.starts_with(b"```")
        || line.starts_with(b"~~~")
        || line.starts_with(b"---")
        || numbered()
}

/// A printed packet nearly always ends with `(24)` or `length 254`.
fn is_complete(text: &[u8]) -> bool {
    let text = text.get(..trimmed(text, 0, text.len())).unwrap_or_default();
    if text.ends_with(b")") {
        return true;
    }
    let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    digits > 0
        && text.get(..text.len() - digits).is_some_and(|rest| rest.trim_ascii_end().ends_with(b"length"))
}

/// The end without blanks and Markdown marks.
fn trimmed(text: &[u8], start: usize, end: usize) -> usize {
    let slice = text.get(start..end).unwrap_or_default();
    let tail = slice.iter().rev().take_while(|b| b.is_ascii_whitespace() || b"*`_|\\<".contains(b)).count();
    end - tail
}

/// The state of a walk over one transcript.
pub struct Transcript {
    position: usize,
    next: Option<(usize, Head)>,
    /// The packet walked last, where it was settled before its end was known.
    settled: Option<(usize, Head)>,
    /// Packets walked.
    frames: u64,
    kind: Option<Kind>,
    clock: Clock,
    /// Lines between packets that begin with a time, and the first of them.
    passed: (u64, String),
    notes: notes::Notes,
    metadata: Metadata,
}

impl Default for Transcript {
    fn default() -> Self {
        let mut metadata = Metadata::new(Format::Transcript);
        metadata.interfaces.push(Interface::new(LinkType::TRANSCRIPT, 0, "as printed"));
        Self {
            position: 0,
            next: None,
            settled: None,
            frames: 0,
            kind: None,
            clock: Clock::default(),
            passed: (0, String::new()),
            notes: notes::Notes::default(),
            metadata,
        }
    }
}

impl Transcript {
    /// Counts the lines of a stretch without packets that have the time of one: what is neither IP nor ARP is printed so.
    fn pass(&mut self, text: &[u8], end: usize) {
        let stretch = text.get(self.position..end).unwrap_or_default();
        for line in stretch.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.notes.take(line);
            if !head::is_stamped(line) {
                continue;
            }
            self.passed.0 += 1;
            if self.passed.1.is_empty() {
                let line = String::from_utf8_lossy(line);
                self.passed.1 = line.trim().chars().take(PASSED_SHOWN_CHARS).collect();
            }
        }
    }

    /// Says once what was passed.
    fn finish(&mut self) -> Fill {
        if let Some(interface) = self.metadata.interfaces.first_mut() {
            self.notes.tell(interface);
        }
        let (count, first) = std::mem::take(&mut self.passed);
        if let Some(reason) = super::pasted::other_protocol(count, &first) {
            let place = Place::Capture;
            self.metadata.push_damage(Damage { offset: 0, skipped: 0, after_frame: 0, reason, place });
        }
        Fill::End
    }

    /// Counts what came of a settled packet after it was settled; false while more of it may come.
    fn finish_settled(&mut self, known: &[u8], kind: Kind, complete: bool) -> bool {
        let Some((mut start, mut head)) = self.settled else { return true };
        let mut following = kind.find(known, start + head.least_end);
        // What has become a packet's start since then stands in the settled one, and stays there.
        while let Some((at, within)) = following.filter(|(at, _)| *at < self.position) {
            (start, head) = (at, within);
            following = kind.find(known, start + head.least_end);
        }
        let next = following.map_or(known.len(), |(at, _)| at);
        let (end, ended) = end_of(known, start, head, next);
        if !ended && !complete {
            return false;
        }
        if let Some(late) = end.checked_sub(self.position).filter(|late| *late > 0) {
            self.metadata.push_damage(Damage {
                offset: self.position as u64,
                skipped: late as u64,
                after_frame: self.frames,
                reason: "lines of a printed packet came when it was shown and others after it".to_owned(),
                place: Place::Capture,
            });
            self.position = end;
        }
        self.settled = None;
        self.next = following;
        true
    }

    /// The times of the first packets behind one.
    fn stamps(text: &[u8], kind: Kind, first: (usize, Head)) -> impl Iterator<Item = Stamp> {
        let mut at = first.0 + first.1.least_end;
        let next = move || {
            let (start, head) = kind.find(text, at)?;
            at = start + head.least_end;
            Some(head.stamp)
        };
        std::iter::from_fn(next).take(CLOCK_MAX_PACKETS)
    }
}

impl Walk for Transcript {
    fn fill(&mut self, bytes: Bytes<'_>, complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill {
        let bytes = bytes.get(..).unwrap_or_default();
        // While more may come, the last line may be half of a packet's.
        let known = if complete {
            bytes
        } else {
            let end = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
            bytes.get(..end).unwrap_or_default()
        };
        self.kind = self.kind.or_else(|| Kind::of_rest(known, self.position));
        let Some(kind) = self.kind else {
            self.position = if complete { bytes.len() } else { looked_through(known) };
            return if complete { Fill::End } else { Fill::Starved };
        };
        if !self.finish_settled(known, kind, complete) {
            return Fill::Starved;
        }
        for _ in 0..limit {
            let Some((start, head)) = self.next.take().or_else(|| kind.find(known, self.position)) else {
                let looked = if complete { bytes.len() } else { looked_through(known) };
                self.pass(known, looked.min(known.len()));
                self.position = self.position.max(looked);
                return if complete { self.finish() } else { Fill::Starved };
            };
            self.pass(known, start);
            let single = if kind == Kind::Stamped { single_line(known, start, head) } else { None };
            let (following, end, ended) = single.unwrap_or_else(|| {
                let following = kind.find(known, start + head.least_end);
                let next = following.map_or(known.len(), |(at, _)| at);
                let (end, ended) = end_of(known, start, head, next);
                (following, end, ended)
            });
            if !ended && !complete {
                self.position = start;
                return Fill::Starved;
            }
            if self.clock.is_undecided() {
                self.clock.decide(head.stamp, Self::stamps(known, kind, (start, head)));
            }
            let time_ns = self.clock.time(head.stamp, self.frames == 0, &mut self.metadata);
            let length = (end - start) as u32;
            records.push(Record {
                offset: start as u64,
                time_ns,
                captured: length,
                original: length,
                interface: 0,
                has_time: head.stamp != Stamp::None,
            });
            self.position = end;
            self.frames += 1;
            self.next = following;
        }
        Fill::More
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn position(&self) -> u64 {
        self.position as u64
    }

    /// Lines are looked at again from any place.
    fn wanted(&self) -> u64 {
        0
    }

    /// The last packet of the whole lines there are. tcpdump writes the lines of one packet at once, but a full pipe or a
    /// stopped terminal can come between them; so the packet is given again when more lines of it come, and none is split.
    fn unproven(&mut self, bytes: Bytes<'_>) -> Option<Record> {
        let bytes = bytes.get(..)?;
        let end = memchr::memrchr(b'\n', bytes)? + 1;
        let before = (self.position, self.next, self.kind, self.clock);
        let (settled, frames) = (self.settled, self.frames);
        let passed = (std::mem::take(&mut self.passed), self.notes.clone());
        let mut records = Vec::new();
        if settled.is_none() {
            self.fill(bytes.get(..end)?.into(), true, 1, &mut records);
        }
        (self.position, self.next, self.kind, self.clock) = before;
        (self.settled, self.frames) = (settled, frames);
        (self.passed, self.notes) = passed;
        records.pop()
    }

    fn settle(&mut self, bytes: Bytes<'_>) -> Option<Record> {
        let bytes = bytes.get(..)?;
        let known = bytes.get(..memchr::memrchr(b'\n', bytes)? + 1)?;
        let kind = self.kind.or_else(|| Kind::of_rest(known, self.position))?;
        if self.settled.is_some() {
            return None;
        }
        let first = self.next.or_else(|| kind.find(known, self.position))?;
        let mut records = Vec::new();
        self.fill(known.into(), true, 1, &mut records);
        self.settled = (!records.is_empty()).then_some(first);
        records.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(text: &str) -> Vec<(String, Nanos)> {
        let mut records = Vec::new();
        Transcript::default().fill(text.as_bytes().into(), true, 1000, &mut records);
        records
            .iter()
            .map(|r| {
                let start = r.offset as usize;
                (text[start..start + r.captured as usize].to_owned(), r.time_ns)
            })
            .collect()
    }

    const QUERY: &str =
        "13:24:32.192571 IP 192.51.100.15.52444 > 203.0.113.2.domain: 35084+ A? yummyrecipesforme.com. (24)";
    const ERROR: &str =
        "13:24:36.098564 IP 203.0.113.2 > 192.51.100.15: ICMP 203.0.113.2 udp port 53 unreachable length 254";

    #[test]
    fn two_packets_in_one_bullet_lose_their_asterisks() {
        let found = slices(&format!("## Log\n- *{QUERY} {ERROR}*\n\n## Summary\n1. At 1:24PM it failed"));
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0.as_str(), found[1].0.as_str()), (QUERY, ERROR));
        assert_eq!(found[1].1 - found[0].1, 3_905_993_000);
    }

    #[test]
    fn wrapped_lines_are_joined_and_prose_below_is_not() {
        let text = "   13:24:32.192571 IP 192.51.100.15.52444 › 203.0.113.2. domain: 35084+ A?\n   yummyrecipesforme.com. (24)\n   \
                    13:24:36.098564 IP 203.0.113.2 > 192.51.100.15: ICMP 203.0.113.2\n   udp port 53 unreachable length 254\nThe log shows it.\n";
        let found = slices(text);
        assert_eq!(found.len(), 2);
        assert!(found[0].0.ends_with("(24)"));
        assert!(found[1].0.ends_with("length 254"));
    }

    #[test]
    fn prose_that_quotes_parts_of_a_line_has_no_packets() {
        let text = "For example: 13:24:32.192571. This displays the time.\n192.51.100.15.52444 > 203.0.113.2.domain\n\
                    at 13:24:32.192571 IP traffic was seen > later\n";
        assert!(slices(text).is_empty());
    }

    #[test]
    fn dates_epochs_and_midnight_are_understood() {
        let body = "IP 192.0.2.1.5000 > 192.0.2.53.53: 1+ A? a. (19)";
        let found = slices(&format!("2024-05-14 13:24:32.1 {body}\n1715693072.100000 {body}\n"));
        assert_eq!(found[0].1, 1_715_693_072_100_000_000);
        assert_eq!(found[0].1, found[1].1);
        let found = slices(&format!("23:59:59.9 {body}\n00:00:01.1 {body}\n00:00:01.0 {body}\n"));
        assert_eq!(found[1].1 - found[0].1, 1_200_000_000);
        assert_eq!(found[2].1 - found[1].1, -100_000_000);
    }

    // Were the work quadratic in the length of the text, these would take minutes.
    #[test]
    fn a_text_of_empty_lines_and_marks_is_soon_known_to_have_no_packets() {
        let marked = format!("x\n{}\n", "> ".repeat(8_000));
        for line in ["\n", " \r\n", "> \n", ">\n", "1.\n", "x\n\n", "\u{a0}\n", "|\n", &marked] {
            assert!(slices(&line.repeat(300_000 / line.len())).is_empty(), "{line:?}");
        }
    }

    #[test]
    fn numbers_without_blanks_between_them_are_no_packets_and_soon_known_to_be_none() {
        for number in ["1,", "1.100000,", "13:24:32,", "2024-05-14,"] {
            assert!(slices(&number.repeat(60_000)).is_empty());
        }
    }

    #[test]
    fn a_long_text_that_grows_is_looked_through_once() {
        let prose =
            "At 13:24 nothing answered, see 10.1 and 192.0.2.1, said the log of 2024-05-14.\n".repeat(12_000);
        let text = format!("{prose}{QUERY}\n{ERROR}\n\n{prose}{QUERY}\n");
        let mut walk = Transcript::default();
        let mut records = Vec::new();
        for end in (0..text.len()).step_by(4_099) {
            walk.fill(text.as_bytes()[..end].into(), false, 10, &mut records);
        }
        walk.fill(text.as_bytes().into(), true, 10, &mut records);
        let mut whole = Vec::new();
        Transcript::default().fill(text.as_bytes().into(), true, 10, &mut whole);
        assert_eq!(records, whole);
        assert_eq!(whole.len(), 3);
    }

    #[test]
    fn a_settled_packet_stays_and_what_comes_late_is_counted() {
        let text = format!("{QUERY}\n\tmore of it\n{ERROR}\n");
        let first = QUERY.len() + 1;
        let mut walk = Transcript::default();
        let mut records = Vec::new();
        walk.fill(text.as_bytes()[..first].into(), false, 10, &mut records);
        assert!(records.is_empty());
        let shown = walk.unproven(text.as_bytes()[..first].into());
        assert_eq!(walk.settle(text.as_bytes()[..first].into()), shown);
        assert_eq!(
            (walk.settle(text.as_bytes().into()), walk.unproven(text.as_bytes().into())),
            (None, None)
        );
        walk.fill(text.as_bytes().into(), true, 10, &mut records);
        assert_eq!((records.len(), walk.metadata().damage.len()), (1, 1));
        let late = &walk.metadata().damage[0];
        assert_eq!((late.offset, late.skipped, late.after_frame), (first as u64 - 1, 12, 1));
    }

    #[test]
    fn a_packet_that_begins_within_a_settled_one_does_not_overlap_it() {
        // The second line is the start of a packet only when the third has come.
        let text = format!("{QUERY}\n\t13:24:36.098564 IP 203.0.113.2 >\n\t192.51.100.15: ICMP\n\n{ERROR}\n");
        let first = text.find(">\n").unwrap() + 2;
        let mut walk = Transcript::default();
        let mut records = Vec::new();
        walk.fill(text.as_bytes()[..first].into(), false, 10, &mut records);
        records.extend(walk.settle(text.as_bytes()[..first].into()));
        let settled = walk.position();
        for end in first..text.len() {
            walk.fill(text.as_bytes()[..end].into(), false, 10, &mut records);
            assert!(walk.position() >= settled);
        }
        walk.fill(text.as_bytes().into(), true, 10, &mut records);
        assert_eq!(records.len(), 2);
        assert!(records[0].offset + u64::from(records[0].captured) <= records[1].offset);
        assert!(walk.metadata().damage[0].skipped >= 20, "{:?}", walk.metadata().damage);
    }

    #[test]
    fn a_growing_text_gives_the_same_packets() {
        let text = format!("{QUERY}\n{ERROR}\n\nThe end.\n{QUERY}\n{ERROR}");
        let mut walk = Transcript::default();
        let mut records = Vec::new();
        for end in 0..text.len() {
            walk.fill(text.as_bytes()[..end].into(), false, 10, &mut records);
        }
        walk.fill(text.as_bytes().into(), true, 10, &mut records);
        let mut whole = Vec::new();
        Transcript::default().fill(text.as_bytes().into(), true, 10, &mut whole);
        assert_eq!(records, whole);
        assert_eq!(whole.len(), 4);
    }
}
