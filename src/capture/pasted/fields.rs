//! Reads what tshark and Wireshark print of packets field by field: JSON, Elasticsearch's bulk form, PDML, columns of chosen fields
//! below their names, and details as plain text. What is told becomes the packet's bytes where nothing is missing, and else the
//! line that tcpdump or a list would have.

mod arrays;
mod assemble;
mod columns;
mod details;
mod json;
mod line;
mod markup;
mod ngrep;
mod table;

use std::borrow::Cow;
use std::net::IpAddr;

use super::Prepared;
use super::join::Packet;
use crate::capture::LinkType;
use crate::capture::transcript::{Stamp, head, list};
use crate::time::Nanos;

/// What one packet's fields say, in the order in which they stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    values: Vec<(&'static str, String)>,
}

/// One of the IP headers of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    six: bool,
    /// Which of the headers of its version it is.
    at: usize,
}

impl Fields {
    /// Takes a field if it is one that is known.
    fn add(&mut self, name: &str, value: &str) {
        if let Some(known) = table::known(name).filter(|_| !value.is_empty()) {
            self.values.push((known, value.to_owned()));
        }
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values of a field, first to last.
    fn all<'a>(&'a self, name: &'static str) -> impl DoubleEndedIterator<Item = &'a str> + Clone {
        self.values.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn get(&self, name: &'static str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    fn nth(&self, name: &'static str, at: usize) -> Option<&str> {
        self.all(name).nth(at).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &'static str) -> Option<u32> {
        self.get(name).and_then(number)
    }

    fn nth_number(&self, name: &'static str, at: usize) -> Option<u32> {
        self.nth(name, at).and_then(number)
    }

    /// The bits of TCP's flags, from their number or from the letters `·······AP···`: nine to twelve places, CWR to FIN last
    /// (`packet-tcp.c`).
    fn tcp_flags(&self) -> Option<u32> {
        let drawn = |text: &str| {
            // A dot of two bytes, read as of one byte each, has a letter before it.
            let places: Vec<char> = text.chars().filter(|mark| *mark != '\u{c2}').collect();
            let bits = places.iter().rev().zip("FSRPAUEC".chars()).zip(0..);
            bits.filter(|((mark, letter), _)| **mark == *letter).map(|(_, at)| 1 << at).sum()
        };
        self.number("tcp.flags").or_else(|| self.get("tcp.flags.str").map(drawn))
    }

    /// The IP headers of the packet, outermost first.
    fn headers(&self) -> Vec<Header> {
        let (mut fours, mut sixes) = (0, 0);
        let ends = self.values.iter().filter_map(|(name, _)| match *name {
            "ip.src" => Some(false),
            "ipv6.src" => Some(true),
            _ => None,
        });
        ends.map(|six| {
            let count = if six { &mut sixes } else { &mut fours };
            *count += 1;
            Header { six, at: *count - 1 }
        })
        .collect()
    }

    /// Sender and receiver in a header.
    fn ends(&self, header: Header) -> Option<(&str, &str)> {
        let [source, destination] = if header.six { ["ipv6.src", "ipv6.dst"] } else { ["ip.src", "ip.dst"] };
        Some((self.nth(source, header.at)?, self.nth(destination, header.at)?))
    }

    /// When it was, and as it is written in front of a packet's line; nothing where no time is told.
    fn time(&self) -> String {
        let nine = |text: &str| -> Option<String> {
            let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
            let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
            let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let fits = !digits.is_empty() && is_number(digits) && is_number(fraction) && fraction.len() <= 9;
            fits.then(|| format!("{sign}{digits}.{fraction:0<9} "))
        };
        let since = self.get("frame.time_epoch").and_then(|text| nine(text).or_else(|| moment(text)));
        let absolute = since.or_else(|| self.get("frame.time").and_then(moment));
        // Elasticsearch is told milliseconds.
        let milliseconds = || {
            let told: Nanos = self.get("timestamp")?.parse().ok()?;
            Some(format!("{}.{:09} ", told / 1_000, told % 1_000 * 1_000_000))
        };
        absolute
            .or_else(milliseconds)
            .or_else(|| {
                self.get("_ws.col.Time").and_then(|text| nine(text).or_else(|| Some(format!("{text} "))))
            })
            .or_else(|| self.get("frame.time_relative").and_then(nine))
            .unwrap_or_default()
    }

    /// Whether it is an error that quotes a packet.
    fn is_error(&self) -> bool {
        self.number("icmp.type").is_some_and(|kind| matches!(kind, 3 | 4 | 5 | 11 | 12))
            || self.number("icmpv6.type").is_some_and(|kind| kind < 128)
    }
}

/// A number as tshark prints it: decimal, hexadecimal, a flag.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    match text {
        "true" | "True" | "Set" => return Some(1),
        "false" | "False" | "Not set" => return Some(0),
        _ => {}
    }
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Bytes as tshark prints them: `c0:00:02:0a`, `c000020a`.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Jul 21, 2025 12:30:02.800834000 UTC`, `2025-07-21T12:30:02.801424000Z`: as a packet's line has it.
fn moment(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some((date, clock)) = text.split_once('T').filter(|(date, _)| date.len() == 10) {
        let is_date = date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        return is_date.then(|| format!("{date} {clock} "));
    }
    let mut words = text.split_whitespace();
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let day: u32 = words.next()?.trim_end_matches(',').parse().ok()?;
    let (year, clock) = (words.next()?, words.next()?);
    let zone = if words.next() == Some("UTC") { "Z" } else { "" };
    Some(format!("{year}-{month:02}-{day:02} {clock}{zone} "))
}

/// What becomes of one packet's fields.
enum Made {
    Bytes { link: LinkType, bytes: Vec<u8>, original: usize },
    Line(String),
}

impl Fields {
    fn made(&self) -> Option<Made> {
        let told = self.get("frame_raw").and_then(bytes);
        let link = match self.number("frame.encap_type") {
            Some(1) => Some(LinkType::ETHERNET),
            Some(7) => Some(LinkType::RAW),
            _ => None,
        };
        if let Some((link, bytes)) = link.zip(told).or_else(|| assemble::frame(self)) {
            let original = self.number("frame.len").map_or(0, |length| length as usize).max(bytes.len());
            return Some(Made::Bytes { link, bytes, original });
        }
        line::of(self).map(Made::Line)
    }
}

/// Takes packets one after the other.
struct Taker<'p> {
    prepared: &'p mut Prepared,
    given: &'p [u8],
    part: usize,
    last: u32,
    /// Packets of protocols without addresses of IP or ARP.
    other: u64,
    cut: u64,
}

impl Taker<'_> {
    fn take(&mut self, fields: &Fields) {
        // The numbers of another capture begin again.
        let number = fields.number("frame.number").unwrap_or(0);
        self.part += usize::from(number != 0 && number <= self.last && self.last > 0);
        self.last = number.max(self.last * u32::from(number > self.last || number == 0));
        self.prepared.is_expanded |= fields.get("ip.ttl").or(fields.get("ipv6.hlim")).is_some();
        let Some(made) = fields.made() else {
            self.other += u64::from(!fields.is_empty());
            return;
        };
        let part = self.part;
        match made {
            Made::Bytes { link, bytes, original } => {
                let line = format!("{}IP 192.0.2.1 > 192.0.2.2: ip", fields.time());
                let stamp = head(line.as_bytes()).map_or(Stamp::None, |head| head.stamp);
                self.prepared.push(&Packet { stamp, link, bytes: &bytes, original, part }, self.given);
            }
            Made::Line(text) => self.line(&text),
        }
    }

    /// Takes a packet by the line that tcpdump or a list has for it.
    fn line(&mut self, text: &str) {
        let stamp = head(text.as_bytes()).map(|head| head.stamp);
        let Some(stamp) = stamp.or_else(|| list::row(text).map(|row| row.stamp)) else {
            self.other += 1;
            return;
        };
        self.prepared.push(&Packet::printed(stamp, text, self.part), self.given);
    }
}

/// Whether the text begins like one that is read here; details are looked for only where nothing else was found.
pub(super) fn are_likely(text: &str) -> bool {
    let look = text.as_bytes().get(..LOOK_BYTES).unwrap_or(text.as_bytes());
    let has = |word: &[u8]| memchr::memmem::find(look, word).is_some();
    has(b"\"layers\"")
        || has(b"<pdml")
        || has(b"<packet>")
        || columns::are_named(text)
        || arrays::are_there(text)
        || ngrep::are_there(text)
}

/// Whether what is read here can stand beside packets on lines: an array or a packet of ngrep in somebody's log.
pub(super) fn may_stand_among_lines(text: &str) -> bool {
    arrays::are_there(text) || ngrep::are_there(text)
}

/// Whether details of packets stand in the text.
pub(super) fn have_details(text: &str) -> bool {
    text.lines().any(|line| details::begins(line).is_some())
}

const LOOK_BYTES: usize = 256 << 10;

/// Finds the packets that a text prints by their fields.
pub(super) fn prepare(text: &str, given: &[u8], with_details: bool) -> Prepared {
    let mut prepared = Prepared::default();
    let mut taker = Taker { prepared: &mut prepared, given, part: 0, last: 0, other: 0, cut: 0 };
    let text = unquoted(text);
    let readers: &[fn(&str, &mut Taker<'_>)] = if with_details {
        &[details::read]
    } else {
        &[json::read, markup::read, columns::read, arrays::read, ngrep::read]
    };
    for read in readers {
        read(&text, &mut taker);
        if taker.prepared.parts.iter().any(|part| !part.is_empty()) {
            break;
        }
    }
    let (other, cut, parts) = (taker.other, taker.cut, taker.part + 1);
    let count = |count: u64, one: &str, many: &str| match count {
        0 => None,
        1 => Some(one.to_owned()),
        _ => Some(format!("{} {many}", crate::text::thousands(count))),
    };
    prepared.lost += cut;
    prepared.unread.extend(count(
        other,
        "1 packet has no addresses of IP or ARP among its fields and was not read",
        "packets have no addresses of IP or ARP among their fields and were not read",
    ));
    prepared.unread.extend(count(
        cut,
        "1 packet ends before all its fields are there: the text was cut",
        "packets end before all their fields are there: the text was cut",
    ));
    prepared.notes.resize_with(parts, super::Notes::default);
    prepared
}

/// The text without marks of quotation before each of its lines.
fn unquoted(text: &str) -> Cow<'_, str> {
    let mark = |line: &str| {
        line.bytes().take_while(|byte| b"> |".contains(byte)).filter(|byte| *byte != b' ').count()
    };
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let quoted = lines().take(LINES_LOOKED_AT).filter(|line| mark(line) > 0).count();
    if quoted * 2 <= lines().take(LINES_LOOKED_AT).count() {
        return Cow::Borrowed(text);
    }
    let bare = |line: &str| {
        let marks = line.bytes().take_while(|byte| b"> |".contains(byte)).collect::<Vec<_>>();
        let last = marks.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at + 1);
        let rest = line.get(last..).unwrap_or("");
        rest.strip_prefix(' ').filter(|_| last > 0).unwrap_or(rest).to_owned()
    };
    Cow::Owned(text.lines().map(bare).collect::<Vec<_>>().join("\n"))
}

const LINES_LOOKED_AT: usize = 200;

/// An address of a field; a name stands in its place without `-n`.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}
