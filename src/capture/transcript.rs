//! Finds the packets in text that tcpdump printed and somebody pasted: bullets, wrapped lines, typographic arrows.
//!
//! A packet begins where a time stamp is followed by `IP`, `IP6` or `ARP` and, for IP, by `host > host`; anything
//! else is prose. Its bytes are the slice of the original text from the time stamp to its last token.

use super::{Fill, Format, Interface, LinkType, Metadata, Record, Walk};
use crate::time::Nanos;

/// A printed packet never needs more text than this; what follows is not looked at.
const PACKET_MAX_BYTES: usize = 16 << 10;
/// Words read in search of the end of a bracketed group or of a link-layer prefix.
const PREFIX_MAX_WORDS: usize = 64;
const SECOND_NS: Nanos = 1_000_000_000;
const DAY_NS: Nanos = 86_400 * SECOND_NS;

/// What the word after the time stamp says the packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// `IP`.
    Ip,
    /// `IP6`.
    Ip6,
    /// `ARP` or, in old versions, `arp`.
    Arp,
}

/// The start of a printed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Time since 1970 where a date or an epoch time is printed, else since midnight.
    pub time_ns: Nanos,
    /// Whether the time carries a date.
    pub has_date: bool,
    /// The network protocol.
    pub network: Network,
    /// Where the text after the protocol word and link-layer prefix begins.
    pub body: usize,
    /// The least end of the packet's text: after `host > host`, or after the word `ARP`.
    pub least_end: usize,
}

/// One word of the text and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word, without the blanks around it; empty where it is not UTF-8.
    pub text: &'a str,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
}

/// Splits text at blanks, line ends and no-break spaces.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// The words of `text` from byte `at` on.
    pub fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// Where the next word will be looked for.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next word without consuming it.
    pub fn peek(&self) -> Option<Word<'a>> {
        self.clone_next().0
    }

    fn clone_next(&self) -> (Option<Word<'a>>, usize) {
        let mut at = self.at;
        while let Some(length) = blank(self.text, at) {
            at += length;
        }
        let start = at;
        while at < self.text.len() && blank(self.text, at).is_none() {
            at += 1;
        }
        if at == start {
            return (None, at);
        }
        let text = self.text.get(start..at).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or("");
        (Some(Word { text, start, end: at }), at)
    }
}

#[expect(clippy::copy_iterator, reason = "a copy looks ahead without moving the original")]
impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let (word, at) = self.clone_next();
        self.at = at;
        word
    }
}

fn blank(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at)? {
        b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => Some(1),
        0xc2 if text.get(at + 1) == Some(&0xa0) => Some(2),
        _ => None,
    }
}

/// Whether a word stands for the `>` between source and destination, as tcpdump, word processors and web pages write it.
pub fn is_arrow(word: &str) -> bool {
    matches!(word, ">" | "›" | "»" | "→" | "⇒" | "&gt;" | "\\>" | "->" | "â€º" | "‚Ä∫")
}

/// Passes a `(…)` group, brackets counted; gives its text without the outer brackets.
pub fn group<'a>(words: &mut Words<'a>) -> Option<Word<'a>> {
    let start = words.peek().filter(|word| word.text.starts_with('('))?.start;
    let mut depth = 0i32;
    for _ in 0..PREFIX_MAX_WORDS {
        let word = words.next()?;
        depth += word.text.matches('(').count() as i32 - word.text.matches(')').count() as i32;
        if depth <= 0 {
            let inner = words.text.get(start + 1..word.end)?;
            let inner = inner.strip_suffix(b")").unwrap_or(inner);
            return Some(Word {
                text: std::str::from_utf8(inner).unwrap_or(""),
                start: start + 1,
                end: start + 1 + inner.len(),
            });
        }
    }
    None
}

/// Reads the start of a packet at the first byte of `text`, which must be that of the time stamp.
pub fn head(text: &[u8]) -> Option<Head> {
    let text = text.get(..PACKET_MAX_BYTES).unwrap_or(text);
    let mut words = Words::new(text, 0);
    let (time_ns, has_date) = time_stamp(&mut words)?;
    let network = network(&mut words)?;
    let body = words.offset();
    let least_end = match network {
        Network::Arp => body,
        Network::Ip | Network::Ip6 => {
            group(&mut words);
            let source = words.next()?;
            let arrow = words.next()?;
            let destination = words.next()?;
            if !is_host(source.text) || !is_arrow(arrow.text) || !is_host(destination.text) {
                return None;
            }
            destination.end
        }
    };
    Some(Head { time_ns, has_date, network, body, least_end })
}

fn is_host(word: &str) -> bool {
    word.contains(['.', ':']) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_%/*".contains(&b))
}

/// Reads `[date] time`, `dateTtime` or seconds since 1970.
fn time_stamp(words: &mut Words<'_>) -> Option<(Nanos, bool)> {
    let first = words.next()?.text;
    if let Some(time) = time_of_day(first) {
        return Some((time, false));
    }
    if let Some(time) = epoch(first) {
        return Some((time, true));
    }
    let (day, rest) = date(first)?;
    let time = match rest.strip_prefix(['T', 't', '_']) {
        Some(time) => time_of_day(time.trim_end_matches('Z'))?,
        None if rest.is_empty() => time_of_day(words.next()?.text)?,
        None => return None,
    };
    Some((day.checked_mul(DAY_NS)?.checked_add(time)?, true))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let digits = text.get(..count)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// `HH:MM:SS` with up to nine decimals.
fn time_of_day(word: &str) -> Option<Nanos> {
    let (clock, fraction) = word.split_once(['.', ',']).unwrap_or((word, ""));
    if clock.len() != 8 || clock.get(2..3) != Some(":") || clock.get(5..6) != Some(":") {
        return None;
    }
    let (hour, minute, second) =
        (digits(clock, 2)?, digits(clock.get(3..)?, 2)?, digits(clock.get(6..)?, 2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some((hour * 3600 + minute * 60 + second) * SECOND_NS + nanoseconds(fraction)?)
}

fn nanoseconds(fraction: &str) -> Option<Nanos> {
    if fraction.len() > 9 {
        return None;
    }
    if fraction.is_empty() {
        return Some(0);
    }
    Some(digits(fraction, fraction.len())? * 10i64.pow(9 - fraction.len() as u32))
}

/// `1715693072.192571`: the decimals are required, a bare number is none.
fn epoch(word: &str) -> Option<Nanos> {
    let (seconds, fraction) = word.split_once('.')?;
    if !(9..=10).contains(&seconds.len()) || !(6..=9).contains(&fraction.len()) {
        return None;
    }
    Some(digits(seconds, seconds.len())? * SECOND_NS + nanoseconds(fraction)?)
}

/// Days since 1970 of `YYYY-MM-DD` or `YYYY/MM/DD`, and what follows in the word.
fn date(word: &str) -> Option<(i64, &str)> {
    let separator = word.get(4..5).filter(|s| matches!(*s, "-" | "/"))?;
    if word.get(7..8) != Some(separator) {
        return None;
    }
    let (year, month, day) = (digits(word, 4)?, digits(word.get(5..)?, 2)?, digits(word.get(8..)?, 2)?);
    let date = chrono::NaiveDate::from_ymd_opt(year as i32, month as u32, day as u32)?;
    let days = date.signed_duration_since(chrono::NaiveDate::default()).num_days();
    // A 64-bit count of nanoseconds ends in the year 2262.
    (1678..2262).contains(&year).then_some(())?;
    Some((days, word.get(10..)?))
}

/// Reads the protocol word, after an interface name and direction (`-i any`) or a link-layer prefix (`-e`).
fn network(words: &mut Words<'_>) -> Option<Network> {
    let mut word = words.next()?;
    let is_direction = |word: &str| matches!(word, "In" | "Out" | "B" | "M" | "P" | "?");
    if let Some(second) = words.peek().filter(|second| is_direction(second.text)) {
        if word.text.len() > 32 {
            return None;
        }
        words.next();
        let _ = second;
        word = words.next()?;
    } else if is_direction(word.text) {
        word = words.next()?;
    }
    match word.text {
        "IP" | "IPv4" => Some(Network::Ip),
        "IP6" | "IPv6" => Some(Network::Ip6),
        "ARP," | "ARP" | "arp" => arp_follows(words).then_some(Network::Arp),
        other if is_link_address(other) => ether_type(words),
        _ => None,
    }
}

fn arp_follows(words: &Words<'_>) -> bool {
    let next = words.peek().map_or("", |word| word.text);
    matches!(
        next,
        "Request" | "Reply" | "Ethernet" | "who-has" | "reply" | "request" | "Announcement" | "Unknown"
    )
}

fn is_link_address(word: &str) -> bool {
    let mut count = 0;
    word.split(':').all(|pair| {
        count += 1;
        pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit())
    }) && count >= 6
}

/// Passes `> MAC, ethertype IPv4 (0x0800), length 81:` and VLAN tags, up to what the network layer prints.
fn ether_type(words: &mut Words<'_>) -> Option<Network> {
    let mut found = None;
    for _ in 0..PREFIX_MAX_WORDS {
        let next = words.peek()?;
        match next.text {
            "ethertype" => {
                words.next();
                found = match words.next()?.text.trim_end_matches(',') {
                    "IPv4" => Some(Network::Ip),
                    "IPv6" => Some(Network::Ip6),
                    "ARP" => Some(Network::Arp),
                    _ => None,
                };
                continue;
            }
            "Request" | "Reply" | "Ethernet" if found == Some(Network::Arp) => return found,
            text if found.is_some() && text.starts_with('(') && !text.starts_with("(0x") => return found,
            _ if matches!(found, Some(Network::Ip | Network::Ip6)) => {
                let mut ahead = *words;
                ahead.next();
                if ahead.next().is_some_and(|word| is_arrow(word.text)) {
                    return found;
                }
            }
            _ => {}
        }
        words.next();
    }
    None
}

/// The first packet at or after `from`: where its time stamp begins, and its start.
pub fn find(text: &[u8], from: usize) -> Option<(usize, Head)> {
    let rest = text.get(from..)?;
    let mut before = from.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    for (at, &byte) in rest.iter().enumerate() {
        if byte.is_ascii_digit()
            && !(before.is_ascii_alphanumeric() || b".:-/".contains(&before))
            && let Some(head) = rest.get(at..).and_then(head)
        {
            return Some((from + at, head));
        }
        before = byte;
    }
    None
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
    let line_start = memchr::memrchr(b'\n', text.get(..start).unwrap_or_default()).map_or(0, |at| at + 1);
    let indent = indentation(text.get(line_start..start).unwrap_or_default());
    let mut end = start;
    while end < limit {
        let rest = text.get(end..limit).unwrap_or_default();
        let line_end = memchr::memchr(b'\n', rest).map_or(limit, |at| end + at + 1);
        let line = text.get(end..line_end).unwrap_or_default();
        if end > least {
            let blank_line = line.iter().all(u8::is_ascii_whitespace);
            let complete = is_complete(text.get(start..end).unwrap_or_default());
            if blank_line || is_markup(line) || (complete && indentation(line) <= indent) {
                return (trimmed(text, start, end), true);
            }
        }
        end = line_end;
    }
    (trimmed(text, start, end), limit < text.len())
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
    day_ns: Nanos,
    last_ns: Nanos,
    metadata: Metadata,
}

impl Default for Transcript {
    fn default() -> Self {
        let mut metadata = Metadata::new(Format::Transcript);
        metadata.interfaces.push(Interface::new(LinkType::TRANSCRIPT, 0, "as printed"));
        Self { position: 0, next: None, day_ns: 0, last_ns: Nanos::MIN, metadata }
    }
}

impl Transcript {
    fn time(&mut self, head: Head) -> Nanos {
        if head.has_date {
            return head.time_ns;
        }
        self.metadata.has_date = false;
        let mut time = head.time_ns + self.day_ns;
        // Without a date, a jump back by more than half a day is midnight.
        if self.last_ns != Nanos::MIN && time < self.last_ns - DAY_NS / 2 {
            self.day_ns += DAY_NS;
            time += DAY_NS;
        }
        self.last_ns = time;
        time
    }
}

impl Walk for Transcript {
    fn fill(&mut self, bytes: &[u8], complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill {
        // While more may come, the last line may be half of a packet's.
        let known = if complete {
            bytes
        } else {
            let end = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
            bytes.get(..end).unwrap_or_default()
        };
        let starved = if complete { Fill::End } else { Fill::Starved };
        for _ in 0..limit {
            let Some((start, head)) = self.next.take().or_else(|| find(known, self.position)) else {
                if complete {
                    self.position = bytes.len();
                }
                return starved;
            };
            let following = find(known, start + head.least_end);
            let next = following.map_or(known.len(), |(at, _)| at);
            let (end, ended) = end_of(known, start, head, next);
            if !ended && !complete {
                self.position = start;
                return Fill::Starved;
            }
            let length = (end - start) as u32;
            records.push(Record {
                offset: start as u64,
                time_ns: self.time(head),
                captured: length,
                original: length,
                interface: 0,
                has_time: true,
            });
            self.position = end;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(text: &str) -> Vec<(String, Nanos)> {
        let mut records = Vec::new();
        Transcript::default().fill(text.as_bytes(), true, 1000, &mut records);
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

    #[test]
    fn a_growing_text_gives_the_same_packets() {
        let text = format!("{QUERY}\n{ERROR}\n\nThe end.\n{QUERY}\n{ERROR}");
        let mut walk = Transcript::default();
        let mut records = Vec::new();
        for end in 0..text.len() {
            walk.fill(&text.as_bytes()[..end], false, 10, &mut records);
        }
        walk.fill(text.as_bytes(), true, 10, &mut records);
        let mut whole = Vec::new();
        Transcript::default().fill(text.as_bytes(), true, 10, &mut whole);
        assert_eq!(records, whole);
        assert_eq!(whole.len(), 4);
    }
}
