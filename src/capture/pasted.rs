//! Reads text as people paste it: cleans it of what is around its packets, and hands these on one behind the other.
//!
//! What tcpdump itself wrote is read where it stands ([`super::transcript`]); everything else comes through here first. A
//! packet becomes its own text, or its bytes where `-x` printed them, behind a header that says what it is.

mod characters;
mod dump;
mod find;
mod join;
mod marks;
mod prefix;
mod shipped;
mod wrap;

use super::transcript::clock::Clock;
use super::transcript::notes::Notes;
use super::transcript::{Stamp, stamped_head};
use super::{Bytes, Damage, Fill, Format, Interface, LinkType, Metadata, Place, Record, Walk};
use crate::text::thousands;
pub(super) use characters::is_wide;
use join::{Joiner, Packet};

/// Bytes of a text that are cleaned at a time.
const PART_BYTES: usize = 16 << 20;
/// Bytes looked at to tell whether tcpdump itself wrote a text, at its beginning and at its end.
const LOOK_BYTES: usize = 256 << 10;
/// A header before each packet: its length, its original length, its link type, the kind of its time, its time.
const HEADER_BYTES: usize = 20;
/// Packets looked at to tell `-ttt` from `-ttttt`.
const CLOCK_MAX_PACKETS: usize = 1_000;

/// Whether a text is what tcpdump printed and nothing else: a packet begins each line, or a blank continues it.
pub(super) fn is_plain(text: &[u8]) -> bool {
    let is_line = |line: &[u8]| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)) {
            return false;
        }
        let has = |word: &[u8]| memchr::memmem::find(line, word).is_some();
        let has_arrow = has(b" > ");
        let is_named = has(b" IP ") || has(b" IP6 ") || has(b"ethertype ");
        match line.first() {
            None => true,
            // What continues a packet is indented by a tab or four blanks.
            Some(b'\t' | b' ') => {
                let own = line.trim_ascii_start();
                let is_deep = line.starts_with(b"\t") || line.starts_with(b"    ");
                let is_marked =
                    own.starts_with(b"0x") || own.first().is_some_and(|byte| b"*#>|-/+;".contains(byte));
                let begins = || std::str::from_utf8(own).is_ok_and(|own| find::stamped(own, 0).is_some());
                is_deep
                    && !is_marked
                    && (has_arrow || !own.first().is_some_and(u8::is_ascii_digit))
                    && !begins()
            }
            Some(b'0'..=b'9') => {
                (is_named && stamped_head(line).is_some()) || !has_arrow && !has(b"&") && !has(b"\\")
            }
            Some(_) => !has_arrow && (line.starts_with(b"tcpdump: ") || line.starts_with(b"listening on ")),
        }
    };
    let begin = text.get(..LOOK_BYTES).unwrap_or(text);
    let end = text.get(text.len().saturating_sub(LOOK_BYTES)..).unwrap_or_default();
    // The first line of the end is cut, and the last of the beginning.
    let whole = |part: &[u8]| part.len() == text.len();
    let skip = usize::from(!whole(end));
    let mut lines: Vec<&[u8]> = begin.split(|byte| *byte == b'\n').collect();
    if !whole(begin) {
        lines.pop();
    }
    // What begins indented continues nothing.
    let first = lines.iter().find(|line| !line.trim_ascii().is_empty());
    let begins = first.is_none_or(|line| !line.starts_with(b" ") && !line.starts_with(b"\t"));
    begins
        && lines.iter().copied().all(is_line)
        && (whole(begin) || end.split(|byte| *byte == b'\n').skip(skip).all(is_line))
}

/// What was made of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prepared {
    /// Its packets, each behind a header.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub packets: u64,
    /// What could not be read, in words.
    pub unread: Vec<String>,
    /// What it says of the capture itself.
    pub notes: Notes,
}

/// Finds the packets of a whole text.
pub(super) fn prepare(bytes: &[u8]) -> Prepared {
    let text = characters::decode(bytes);
    let mut prepared = Prepared::default();
    let mut joiner = None;
    let mut lines = Vec::new();
    let mut rest: &str = &text;
    while !rest.is_empty() {
        let part = part_of(rest);
        rest = rest.get(part.len()..).unwrap_or("");
        for line in part.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
            line.split('\r').for_each(|line| marks::clean(line, &mut lines));
        }
        let joiner = joiner.get_or_insert_with(|| Joiner::new(&lines));
        let used = joiner.run(&lines, rest.is_empty(), &mut |packet| prepared.push(&packet));
        lines.drain(..used.min(lines.len()));
    }
    if let Some(joiner) = joiner {
        let unread = &joiner.unread;
        prepared.unread.extend(not_read(
            unread.count,
            &unread.first,
            "looks like a packet and was",
            "look like packets and were",
        ));
        prepared.unread.extend(other_protocol(joiner.other.count, &joiner.other.first));
        prepared.notes = joiner.notes;
    }
    prepared
}

/// What is said of lines that were not read, by number.
fn not_read(count: u64, first: &str, one: &str, many: &str) -> Option<String> {
    let (number, first) = (thousands(count), crate::text::escape(first));
    match count {
        0 => None,
        1 => Some(format!("{number} line {one} not read: “{first}”")),
        _ => Some(format!("{number} lines {many} not read, first “{first}”")),
    }
}

/// What is said of lines that have the time of a packet and no hosts of IP or ARP, by number.
pub(super) fn other_protocol(count: u64, first: &str) -> Option<String> {
    not_read(
        count,
        first,
        "has the time of a packet, no hosts of IP or ARP behind it, and was",
        "have the time of a packet, no hosts of IP or ARP behind it, and were",
    )
}

/// The next lines of a text, at a line's end.
fn part_of(text: &str) -> &str {
    if text.len() <= PART_BYTES {
        return text;
    }
    let bytes = text.as_bytes();
    let end = bytes.get(..PART_BYTES).and_then(|part| memchr::memrchr(b'\n', part));
    let end = end.or_else(|| memchr::memchr(b'\n', bytes)).map_or(text.len(), |at| at + 1);
    text.get(..end).unwrap_or(text)
}

impl Prepared {
    fn push(&mut self, packet: &Packet<'_>) {
        let (kind, time) = match packet.stamp {
            Stamp::None => (0u16, 0),
            Stamp::Clock(time) => (1, time),
            Stamp::Date(time) => (2, time),
            Stamp::Local(time) => (3, time),
            Stamp::Seconds(time) => (4, time),
        };
        self.bytes.extend((packet.bytes.len() as u32).to_le_bytes());
        self.bytes.extend((packet.original as u32).to_le_bytes());
        self.bytes.extend(packet.link.0.to_le_bytes());
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(time.to_le_bytes());
        self.bytes.extend(packet.bytes);
        self.packets += 1;
    }
}

/// What a header says.
#[derive(Clone, Copy)]
struct Header {
    captured: u32,
    original: u32,
    link: LinkType,
    stamp: Stamp,
}

impl Header {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let field = |from: usize, to: usize| bytes.get(at + from..at + to);
        let time = i64::from_le_bytes(field(12, 20)?.try_into().ok()?);
        let stamp = match field(10, 11)? {
            [1] => Stamp::Clock(time),
            [2] => Stamp::Date(time),
            [3] => Stamp::Local(time),
            [4] => Stamp::Seconds(time),
            _ => Stamp::None,
        };
        Some(Self {
            captured: u32::from_le_bytes(field(0, 4)?.try_into().ok()?),
            original: u32::from_le_bytes(field(4, 8)?.try_into().ok()?),
            link: LinkType(u16::from_le_bytes(field(8, 10)?.try_into().ok()?)),
            stamp,
        })
    }
}

/// Walks the packets of a prepared text.
pub(super) struct Pasted {
    position: usize,
    frames: u64,
    clock: Clock,
    metadata: Metadata,
}

impl Pasted {
    pub fn new(prepared: &Prepared) -> Self {
        let mut metadata = Metadata::new(Format::Transcript);
        let mut interface = Interface::new(LinkType::TRANSCRIPT, 0, "as printed");
        prepared.notes.tell(&mut interface);
        metadata.interfaces.push(interface);
        for reason in prepared.unread.iter().cloned() {
            metadata.push_damage(Damage {
                offset: 0,
                skipped: 0,
                after_frame: 0,
                reason,
                place: Place::Capture,
            });
        }
        Self { position: 0, frames: 0, clock: Clock::default(), metadata }
    }

    fn interface(&mut self, link: LinkType) -> u16 {
        let known = self.metadata.interfaces.iter().position(|interface| interface.link_type == link);
        known.unwrap_or_else(|| {
            self.metadata.interfaces.push(Interface::new(link, 0, "as printed"));
            self.metadata.interfaces.len() - 1
        }) as u16
    }
}

impl Walk for Pasted {
    fn fill(&mut self, bytes: Bytes<'_>, _complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill {
        let bytes = bytes.get(..).unwrap_or_default();
        for _ in 0..limit {
            let Some(header) = Header::read(bytes, self.position) else { return Fill::End };
            let start = self.position + HEADER_BYTES;
            self.position = start + header.captured as usize;
            if self.clock.is_undecided() {
                let mut at = self.position;
                let following = std::iter::from_fn(|| {
                    let header = Header::read(bytes, at)?;
                    at += HEADER_BYTES + header.captured as usize;
                    Some(header.stamp)
                });
                self.clock.decide(header.stamp, following.take(CLOCK_MAX_PACKETS));
            }
            let time_ns = self.clock.time(header.stamp, self.frames == 0, &mut self.metadata);
            records.push(Record {
                offset: start as u64,
                time_ns,
                captured: header.captured,
                original: header.original,
                interface: self.interface(header.link),
                has_time: header.stamp != Stamp::None,
            });
            self.frames += 1;
        }
        Fill::More
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn position(&self) -> u64 {
        self.position as u64
    }
}

#[cfg(test)]
mod tests;
