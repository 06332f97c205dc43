//! Reads text as people paste it: cleans it of what is around its packets, and hands these on one behind the other.
//!
//! What tcpdump itself wrote is read where it stands ([`super::transcript`]); everything else comes through here first. A
//! packet that stands on a line as tcpdump printed it stays there; others become their own text, or their bytes where `-x`
//! printed them, behind the end of what was given.

mod characters;
mod dump;
mod fields;
mod find;
mod halves;
mod join;
mod list;
mod marks;
mod parts;
mod prefix;
mod quick;
mod shipped;
mod wrap;

use std::borrow::Cow;
use std::collections::VecDeque;

use rayon::prelude::*;

use super::transcript::clock::Clock;
use super::transcript::notes::Notes;
use super::transcript::{Stamp, stamped_head};
use super::{Bytes, Damage, Fill, Format, Interface, LinkType, Metadata, Place, Record, Walk};
use crate::text::thousands;
pub(super) use characters::is_wide;
use join::{Joiner, Packet};
use list::{Entry, List};

/// Bytes of a text that are cleaned at a time.
const PART_BYTES: usize = 16 << 20;
/// Bytes looked at to tell whether tcpdump itself wrote a text, at its beginning and at its end.
const LOOK_BYTES: usize = 256 << 10;
/// Bytes of a text that are cleaned by one thread.
const SHARE_BYTES: usize = 1 << 20;
/// Packets looked at to tell `-ttt` from `-ttttt`.
const CLOCK_MAX_PACKETS: usize = 1_000;

/// What tcpdump itself says before and behind packets.
const NOTES: &[&[u8]] = &[b"tcpdump: ", b"listening on ", b"reading from file ", b"dropped privs to "];

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
            Some(_) => !has_arrow && (NOTES.iter().any(|note| line.starts_with(note))),
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
    // Behind the packets of one capture those of another begin.
    let begins_again = |lines: &[&[u8]]| {
        let has = |line: &[u8], note: &[u8]| memchr::memmem::find(line, note).is_some();
        let is_boundary = |line: &&[u8]| {
            !line.first().is_some_and(u8::is_ascii_digit) && NOTES.iter().any(|note| has(line, note))
                || line.ends_with(b" packets captured")
        };
        let is_packet = |line: &&[u8]| stamped_head(line).is_some();
        let mut after =
            lines.iter().skip_while(|line| !is_packet(line)).skip_while(|line| !is_boundary(line));
        after.any(is_packet) || parts::begin_again(lines)
    };
    begins
        && !begins_again(&lines)
        && lines.iter().copied().all(is_line)
        && (whole(begin) || end.split(|byte| *byte == b'\n').skip(skip).all(is_line))
}

/// What was made of a text.
#[derive(Default)]
pub(super) struct Prepared {
    /// Its packets, those of each capture in it.
    parts: Vec<List>,
    /// Those that stand nowhere in the text as they are.
    pub made: Vec<u8>,
    /// What could not be read, in words.
    pub unread: Vec<String>,
    /// Packets among that.
    lost: u64,
    /// What it says of each capture.
    notes: Vec<Notes>,
    /// Whether its packets are details that go as far as their IP headers' fields.
    is_expanded: bool,
}

/// Finds the packets of a whole text: those that are printed field by field, or else on lines.
pub(super) fn prepare(bytes: &[u8]) -> Prepared {
    let text = characters::decode(bytes);
    let by_fields =
        if fields::are_likely(&text) { fields::prepare(&text, bytes, false) } else { Prepared::default() };
    if !by_fields.is_empty() && !fields::may_stand_among_lines(&text) {
        return by_fields;
    }
    let mut prepared = prepare_lines(&text, bytes);
    // A log may have a few packets in another form beside its own: the form of most is read, and what is left out is said.
    if !by_fields.is_empty() {
        let (more, less) =
            if by_fields.len() > prepared.len() { (by_fields, prepared) } else { (prepared, by_fields) };
        prepared = more;
        prepared.leave_out(less.len() as u64);
        return prepared;
    }
    if !fields::have_details(&text) {
        return prepared;
    }
    // Below the rows of a list details stand as well; whichever are of more packets are read, and of as many those that tell more.
    let detailed = fields::prepare(&text, bytes, true);
    let is_more = detailed.len() > prepared.len() || detailed.len() == prepared.len() && detailed.is_expanded;
    if is_more { detailed } else { prepared }
}

/// Finds the packets that stand on lines.
fn prepare_lines(text: &str, bytes: &[u8]) -> Prepared {
    let mut prepared = Prepared::default();
    let mut joiner = None;
    let mut lines: Vec<Cow<'_, str>> = Vec::new();
    let mut rest: &str = text;
    while !rest.is_empty() {
        let part = part_of(rest, PART_BYTES);
        rest = rest.get(part.len()..).unwrap_or("");
        let mut shares = Vec::new();
        let mut share = part;
        while !share.is_empty() {
            let own = part_of(share, SHARE_BYTES);
            share = share.get(own.len()..).unwrap_or("");
            shares.push((own, share.is_empty()));
        }
        let cleaned: Vec<Vec<Cow<'_, str>>> =
            shares.into_par_iter().map(|(share, is_last)| cleaned(share, is_last)).collect();
        let known = lines.len();
        for cleaned in cleaned {
            lines.extend(cleaned);
        }
        halves::join(lines.get_mut(known.saturating_sub(1)..).unwrap_or_default());
        let joiner = joiner.get_or_insert_with(|| Joiner::new(&lines));
        let used = joiner.run(&lines, rest.is_empty(), &mut |packet| prepared.push(&packet, bytes));
        lines.drain(..used.min(lines.len()));
    }
    if let Some(joiner) = joiner {
        let unread = &joiner.unread;
        prepared.lost += unread.count;
        prepared.unread.extend(not_read(
            unread.count,
            &unread.first,
            "looks like a packet and was",
            "look like packets and were",
        ));
        prepared.unread.extend(headless(joiner.headless.count));
        prepared.unread.extend(other_protocol(joiner.other.count, &joiner.other.first));
        prepared.notes = joiner.parts.finish();
    }
    prepared
}

/// The lines of a share of the text. What follows the last line's end is a line only at the end of a part.
fn cleaned(share: &str, is_last: bool) -> Vec<Cow<'_, str>> {
    let mut lines = Vec::new();
    let share = if is_last { share } else { share.strip_suffix('\n').unwrap_or(share) };
    for line in share.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
        line.split('\r').for_each(|line| marks::clean(line, &mut lines));
    }
    lines
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

/// What is said of rows of bytes whose packet's first line is not there.
fn headless(rows: u64) -> Option<String> {
    match rows {
        0 => None,
        1 => Some(
            "the text begins within a packet: 1 row of its bytes stands before the first line of another"
                .to_owned(),
        ),
        _ => Some(format!(
            "the text begins within a packet: {} rows of its bytes stand before the first line of another",
            thousands(rows)
        )),
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
fn part_of(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let bytes = text.as_bytes();
    let end = bytes.get(..bytes_max).and_then(|part| memchr::memrchr(b'\n', part));
    let end = end.or_else(|| memchr::memchr(b'\n', bytes)).map_or(text.len(), |at| at + 1);
    text.get(..end).unwrap_or(text)
}

impl Prepared {
    /// Whether there is no packet.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(List::is_empty)
    }

    /// Says of packets in another form that they were not read.
    fn leave_out(&mut self, packets: u64) {
        self.lost += packets;
        self.unread.extend(match packets {
            0 => None,
            1 => Some("1 packet stands in another form beside the others and was not read".to_owned()),
            _ => Some(format!(
                "{} packets stand in another form beside the others and were not read",
                thousands(packets)
            )),
        });
    }

    fn len(&self) -> usize {
        self.parts.iter().map(List::len).sum()
    }

    /// What walks its packets: each capture by itself, with what it says of where it was, or all of them as one.
    pub fn walks(self, are_apart: bool) -> Vec<(Pasted, Option<String>)> {
        let mut unread = (self.unread, self.lost);
        let several = self.parts.len() > 1;
        if !are_apart || !several {
            let notes = self.notes.into_iter().next().filter(|_| !several).unwrap_or_default();
            return vec![(Pasted::new(self.parts.into(), &notes, unread), None)];
        }
        let parts = self.parts.into_iter().zip(self.notes);
        let walk = |(packets, notes): (List, Notes)| {
            let label = notes.label();
            (Pasted::new([packets].into(), &notes, std::mem::take(&mut unread)), label)
        };
        parts.map(walk).collect()
    }

    /// Notes where a packet of the text `given` stands.
    fn push(&mut self, packet: &Packet<'_>, given: &[u8]) {
        let length = packet.bytes.len();
        let own = packet.bytes.as_ptr().addr().checked_sub(given.as_ptr().addr());
        let offset = own.filter(|own| own.saturating_add(length) <= given.len()).unwrap_or_else(|| {
            self.made.extend(packet.bytes);
            given.len() + self.made.len() - length
        });
        while self.parts.len() <= packet.part {
            self.parts.push(List::default());
        }
        let Some(list) = self.parts.get_mut(packet.part) else { return };
        list.push(Entry {
            offset: offset as u64,
            captured: length as u32,
            original: packet.original as u32,
            link: packet.link,
            stamp: packet.stamp,
        });
    }
}

/// Walks the packets of a prepared text.
pub(super) struct Pasted {
    lists: VecDeque<List>,
    position: u64,
    frames: u64,
    clock: Clock,
    metadata: Metadata,
}

impl Pasted {
    fn new(lists: VecDeque<List>, notes: &Notes, (unread, lost): (Vec<String>, u64)) -> Self {
        let mut metadata = Metadata::new(Format::Transcript);
        let mut interface = Interface::new(LinkType::TRANSCRIPT, 0, "as printed");
        notes.tell(&mut interface);
        metadata.interfaces.push(interface);
        metadata.unread = lost;
        for reason in unread {
            metadata.push_damage(Damage {
                offset: 0,
                skipped: 0,
                after_frame: 0,
                reason,
                place: Place::Capture,
            });
        }
        Self { lists, position: 0, frames: 0, clock: Clock::default(), metadata }
    }

    fn next(&mut self) -> Option<Entry> {
        loop {
            let list = self.lists.front_mut()?;
            if let Some(entry) = list.next() {
                return Some(entry);
            }
            self.lists.pop_front();
        }
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
    fn fill(&mut self, _bytes: Bytes<'_>, _complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill {
        for _ in 0..limit {
            let Some(entry) = self.next() else { return Fill::End };
            if self.clock.is_undecided() {
                let following = self.lists.iter().flat_map(List::following);
                self.clock.decide(entry.stamp, following.take(CLOCK_MAX_PACKETS));
            }
            let time_ns = self.clock.time(entry.stamp, self.frames == 0, &mut self.metadata);
            records.push(Record {
                offset: entry.offset,
                time_ns,
                captured: entry.captured,
                original: entry.original,
                interface: self.interface(entry.link),
                has_time: entry.stamp != Stamp::None,
            });
            self.position = self.position.max(entry.offset + u64::from(entry.captured));
            self.frames += 1;
        }
        Fill::More
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn position(&self) -> u64 {
        self.position
    }

    /// Packets stand in the text and behind it, in any order.
    fn wanted(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
