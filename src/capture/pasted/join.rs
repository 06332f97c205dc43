//! Puts the lines of a pasted text together to packets, and leaves out what is none: prefixes, remarks, prose, quotations of a
//! packet that was there already.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::dump::{Dump, stated_length};
use super::parts::Parts;
use super::prefix::{self, without, without_frame};
use super::quick::{self, Ahead};
use super::wrap::{Widths, completes, glue, indentation, is_awaited, is_complete, without_remark};
use super::{find, shipped};
use crate::capture::LinkType;
use crate::capture::transcript::{Head, Network, Stamp, Words, head, list};

/// Lines that are looked at below a packet's first.
const LINES_MAX: usize = 400;
/// Lines looked at for the hosts of a packet.
const BELOW_MAX: usize = 8;
/// Empty lines between the lines of a packet.
const BLANK_MAX: usize = 3;
/// A printed packet never needs more text than this.
const TEXT_MAX_BYTES: usize = 16 << 10;
/// Words of a packet that are looked at to tell what it carries.
const WORDS_MAX: usize = 64;
/// The least that stands in front of what TCP and UDP carry over IPv4.
const TCP_HEADERS_BYTES: usize = 40;
const UDP_HEADERS_BYTES: usize = 28;
/// Packets remembered, so that quotations of them are known.
const REMEMBERED_MAX: usize = 1 << 20;

/// A packet as it is handed on.
pub(super) struct Packet<'a> {
    pub stamp: Stamp,
    pub link: LinkType,
    pub bytes: &'a [u8],
    /// Bytes it had, where they are not those of its text.
    pub original: usize,
    /// Which of the captures in the text it is of.
    pub part: usize,
}

impl<'a> Packet<'a> {
    /// One of which there is the text.
    pub fn printed(stamp: Stamp, text: &'a str, part: usize) -> Self {
        Self { stamp, link: LinkType::TRANSCRIPT, bytes: text.as_bytes(), original: text.len(), part }
    }
}

/// Lines of one kind that look like packets and could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unread {
    pub count: u64,
    pub first: String,
}

impl Unread {
    fn add(&mut self, line: &str) {
        self.count += 1;
        if self.first.is_empty() {
            self.first = line.trim().chars().take(160).collect();
        }
    }
}

/// How the packets of the text are told from what surrounds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Stamped,
    Unstamped {
        indent: usize,
    },
    /// No line has a time, and those that look like packets are quoted in prose.
    Prose,
}

/// One of so many lines must belong to a packet where packets without times do not follow each other.
const PROSE_SHARE: usize = 4;

/// Which line was looked at from where on, and the packet that begins there.
type Begun = ((usize, usize), Option<(usize, Head)>);

/// What is known of the text.
pub(super) struct Joiner {
    kind: Kind,
    widths: Widths,
    /// Prefixes that stand above several packets without times, digits as zeros.
    prefixes: HashSet<String>,
    /// Packets handed on, and in which unbroken run of packets.
    seen: HashMap<u64, u64, foldhash::fast::FixedState>,
    run: u64,
    /// The prefix of the last packet, and with its numbers as zeros.
    last_prefix: String,
    last: String,
    /// What was found last among the lines that are there: on which line, from where on, and where.
    begun: Cell<Option<Begun>>,
    pub unread: Unread,
    /// Lines of packets that are neither IP nor ARP.
    pub other: Unread,
    /// Rows of bytes before the first packet: the text begins within one.
    pub headless: Unread,
    /// Quotations left out.
    pub quoted: u64,
    /// The number of the last row of a list.
    number: u64,
    /// The captures in the text.
    pub parts: Parts,
}

impl Joiner {
    /// Looks through the first lines of a text.
    pub fn new(lines: &[Cow<'_, str>]) -> Self {
        let mut joiner = Self {
            kind: Kind::Stamped,
            widths: Widths::default(),
            prefixes: HashSet::new(),
            seen: HashMap::default(),
            run: 0,
            last_prefix: String::new(),
            last: String::new(),
            begun: Cell::new(None),
            unread: Unread::default(),
            other: Unread::default(),
            headless: Unread::default(),
            quoted: 0,
            number: 0,
            parts: Parts::default(),
        };
        let is_stamped = (0..lines.len()).any(|at| joiner.stamped(lines, at, 0).is_some());
        if !is_stamped {
            let mut once = HashSet::new();
            for line in lines {
                let found = find::prefixed(line).map(|(start, _)| start).or_else(|| find::header(line));
                let Some(start) = found else { continue };
                let shape = prefix::shape(line.get(..start).unwrap_or(""));
                // `<time> IP <src> > <dst>` describes packets.
                if has_placeholder(&shape) {
                    continue;
                }
                if !once.insert(shape.clone()) {
                    joiner.prefixes.insert(shape);
                }
            }
            joiner.kind = Kind::Unstamped { indent: usize::MAX };
            let first = (0..lines.len()).find(|at| joiner.unstamped(lines, *at).is_some());
            let first = first.and_then(|at| lines.get(at));
            joiner.kind = Kind::Unstamped { indent: first.map_or(0, |line| indentation(line)) };
            if !joiner.is_log(lines) {
                joiner.kind = Kind::Prose;
            }
        }
        joiner.widths = Widths::of(lines, |at| joiner.start(lines, at, 0).is_some());
        joiner
    }

    /// Whether the packets without times are a log, and not examples in prose: two follow each other on lines of their own, or
    /// much of the text is theirs.
    fn is_log(&self, lines: &[Cow<'_, str>]) -> bool {
        let (mut written, mut own, mut is_run) = (0, 0, false);
        // Whether the last line belonged to a packet that stands on lines of its own, and to what `-A` prints of one.
        let (mut is_packet, mut is_payload) = (false, false);
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            written += 1;
            let found = self.unstamped(lines, at);
            let next = lines.get(at + 1).map_or("", AsRef::as_ref);
            let continues = |line: &str| {
                is_packet && (indentation(line) > 0 || Dump::default().take(line) || begins_inner(line))
            };
            if let Some((start, found)) = found {
                let text = line.get(start..).unwrap_or("");
                let is_short_arp = found.network == Network::Arp && text.split_whitespace().count() <= 10;
                let ends =
                    without_remark(text).len() == text.len() && (is_complete(text, "") || is_short_arp);
                let is_whole = ends || indentation(next) > 0 || Dump::default().take(next);
                is_run |= is_packet && is_whole;
                is_packet = is_whole;
                is_payload = is_whole && begins_payload(next);
                own += 1;
            } else if is_payload || continues(line) {
                own += 1;
            } else {
                is_packet = false;
            }
        }
        is_run || own * PROSE_SHARE >= written
    }

    /// Gives the packets of the lines to `give`; how many lines are used up. The last packet is only given with `is_end`.
    pub fn run(&mut self, lines: &[Cow<'_, str>], is_end: bool, give: &mut dyn FnMut(Packet<'_>)) -> usize {
        let (mut at, mut from) = (0, 0);
        self.begun.set(None);
        let mut ahead = Ahead::default();
        while let Some(line) = lines.get(at) {
            // What begins on its line and ends with it needs no other lines.
            let single = (self.kind == Kind::Stamped && self.run > 0)
                .then(|| ahead.single(lines, at, &self.last_prefix))
                .flatten();
            if let Some(mark) = single.filter(|mark| from == 0 || from == mark.start as usize) {
                let text = line.get(mark.start as usize..mark.end as usize).unwrap_or("");
                if self.is_repeated(mark.hash) {
                    self.quoted += 1;
                } else {
                    give(Packet::printed(mark.stamp, text, self.parts.of(mark.stamp, text)));
                }
                (at, from) = (at + 1, 0);
                continue;
            }
            let Some((start, found)) = self.start(lines, at, from) else {
                if from == 0 {
                    let is_own = indentation(line) > 0 || line.trim().is_empty();
                    self.run += u64::from(!is_own && !find::is_stamped_like(line, &self.last));
                    self.other(lines, at, give);
                }
                (at, from) = (at + 1, 0);
                continue;
            };
            if !is_end && lines.len() - at < LINES_MAX {
                return at;
            }
            let stamp = shipped::dated(line.get(..start).unwrap_or(""), found.stamp);
            let mut gathered = Gathered::new(line, start, stamp);
            let next = self.gather(&mut gathered, lines, at, start);
            let shape = prefix::shape(&gathered.prefix);
            if shape != self.last {
                self.run += 1;
                self.last = shape;
            }
            self.last_prefix.clone_from(&gathered.prefix);
            self.finish(&gathered, give);
            (at, from) = next;
        }
        at
    }

    fn start(&self, lines: &[Cow<'_, str>], at: usize, from: usize) -> Option<(usize, Head)> {
        match self.kind {
            Kind::Stamped => {
                // The packet that ends one is the next that is asked for.
                let key = (at, from);
                if let Some((_, found)) = self.begun.get().filter(|(known, _)| *known == key) {
                    return found;
                }
                let found = self.stamped(lines, at, from);
                self.begun.set(Some((key, found)));
                found
            }
            Kind::Prose => None,
            Kind::Unstamped { .. } => self.unstamped(lines, at).filter(|(start, _)| *start >= from),
        }
    }

    fn stamped(&self, lines: &[Cow<'_, str>], at: usize, from: usize) -> Option<(usize, Head)> {
        let line = lines.get(at)?;
        if prefix::is_citation(line) {
            return None;
        }
        let found = if has_ends(line) { find::stamped(line, from) } else { None };
        // A list tells in its last column what tcpdump begins a line with: `ARP Announcement for 192.0.2.10`.
        if found.is_some_and(|(_, head)| head.network == Network::Arp) && list::row(line).is_some() {
            return None;
        }
        found.or_else(|| {
            // What follows a packet on its line ends with the line.
            let has_arrow = line.get(from..)?.contains(" > ");
            let is_short = line.len() - from <= TEXT_MAX_BYTES;
            if !is_short || (has_arrow && from > 0) {
                return None;
            }
            find::stamped_above(line, from, |prefix| self.below(lines, at, prefix))
        })
    }

    /// The packet that begins on a line behind `prefix`, with the lines below it.
    fn below(&self, lines: &[Cow<'_, str>], at: usize, prefix: &str) -> String {
        let first = lines.get(at).and_then(|line| line.get(prefix.len()..)).unwrap_or("");
        let mut text = without_frame(first, prefix).to_owned();
        let mut before = lines.get(at).map_or("", AsRef::as_ref);
        let shipped = shipper(before, prefix.len());
        let prefix = shipped.as_deref().unwrap_or(prefix);
        for line in lines.iter().skip(at + 1).take(BELOW_MAX) {
            let rest = without_frame(without(line, prefix), prefix);
            if !rest.trim().is_empty() && !prefix::is_of_another(line, prefix) {
                // Behind an arrow stands the receiver, on the next line at most.
                let is_told = text.contains(" > ");
                self.append(&mut text, before, rest);
                before = line;
                if is_told {
                    break;
                }
            }
        }
        text
    }

    fn unstamped(&self, lines: &[Cow<'_, str>], at: usize) -> Option<(usize, Head)> {
        let Kind::Unstamped { indent } = self.kind else { return None };
        let line = lines.get(at)?;
        let fits = indentation(line) <= indent;
        if let Some(found) = find::unstamped(line).filter(|_| fits) {
            return Some(found);
        }
        // The hosts stand on the next line.
        let start = find::header(line).filter(|_| fits);
        let is_known =
            |prefix: &str| find::is_marks(prefix) || self.prefixes.contains(&prefix::shape(prefix));
        let above = start.and_then(|start| {
            let prefix = line.get(..start).filter(|prefix| is_known(prefix))?;
            let found = head(self.below(lines, at, prefix).as_bytes())?;
            (found.stamp == Stamp::None).then_some((start, found))
        });
        if above.is_some() {
            return above;
        }
        if self.prefixes.is_empty() {
            return None;
        }
        let (start, found) = find::prefixed(line)?;
        self.prefixes.contains(&prefix::shape(line.get(..start)?)).then_some((start, found))
    }

    /// Takes the rest of the packet's line and the lines below that belong to it; where to go on.
    fn gather(
        &self,
        packet: &mut Gathered,
        lines: &[Cow<'_, str>],
        at: usize,
        start: usize,
    ) -> (usize, usize) {
        let line = lines.get(at).map_or("", AsRef::as_ref);
        let rest = line.get(start..).unwrap_or("");
        let least =
            has_ends(rest).then(|| head(rest.as_bytes())).flatten().map(|head| start + head.least_end);
        // Of two packets on a line the second begins where its time stamp does.
        if let Some((next, _)) =
            least.and_then(|least| self.start(lines, at, least).filter(|(next, _)| *next >= least))
        {
            packet.text.push_str(line.get(start..next).unwrap_or(""));
            return (at, next);
        }
        packet.text.push_str(without_frame(rest, &packet.prefix));
        packet.has_hosts = least.is_some();
        packet.shipper = shipper(line, start);
        if let Some(next) = self.behind_payload(packet, lines, at + 1) {
            return (next, 0);
        }
        let mut before = line;
        let mut blank = 0;
        for (next, line) in lines.iter().enumerate().skip(at + 1).take(LINES_MAX) {
            if packet.text.len() > TEXT_MAX_BYTES {
                return (next, 0);
            }
            // Between its lines another program's may stand.
            if prefix::is_of_another(line, &packet.prefix) && self.start(lines, next, 0).is_none() {
                continue;
            }
            let rest = without(line, &packet.prefix);
            // The prefix has a time of its own, perhaps.
            let own = line.len() - rest.len();
            let rest = without_frame(rest, &packet.prefix);
            // Where the time is that of a log shipper, what it put before the packet is longer.
            let shipped = packet.shipper.as_deref().map(|prefix| without(line, prefix));
            let shipped = shipped.filter(|rest| rest.len() < line.len() && indentation(rest) > 0);
            let (rest, own) = shipped.map_or((rest, own), |rest| (rest, line.len()));
            if packet.dump.take(rest) || packet.dump.take(line) {
                continue;
            }
            // The terminal wrote down that the capture was ended.
            if rest.trim_start().starts_with("^C") && self.start(lines, next, own).is_none() {
                return (next, 0);
            }
            if rest.trim().is_empty() {
                blank += 1;
                let following = lines.get(next + 1).map_or("", |line| without(line, &packet.prefix));
                let is_dumped = Dump::default().take(following);
                if !is_dumped && (packet.has_hosts || blank > BLANK_MAX) {
                    return (next, 0);
                }
                continue;
            }
            // Where no packet has a time, the next one begins like one inside a tunnel.
            let may_be_inner = self.kind == Kind::Stamped || indentation(rest) > 0 || packet.awaits_inner();
            let is_inner = may_be_inner && packet.is_tunnel() && begins_inner(rest);
            let may_begin =
                self.kind == Kind::Stamped || (!is_inner && packet.has_hosts && indentation(rest) == 0);
            if let Some((begin, _)) = self.start(lines, next, own).filter(|_| may_begin) {
                self.take_rest_before(packet, before, line, begin);
                return (next, begin.min(line.len()));
            }
            if !packet.has_hosts {
                self.append(&mut packet.text, before, from_hosts(rest));
                packet.has_hosts = head(packet.text.as_bytes()).is_some();
            } else if is_inner || indentation(rest) > 0 {
                packet.text.push('\n');
                packet.text.push_str(rest);
            } else if find::is_stamped_line(line, &packet.prefix) || find::is_prompt(rest) {
                return (next, 0);
            } else if !is_complete(&packet.text, rest)
                && (self.widths.is_wrapped(before, rest) || is_awaited(&packet.text, rest))
            {
                self.append(&mut packet.text, before, rest);
            } else {
                return (next, 0);
            }
            before = line;
        }
        ((at + LINES_MAX + 1).min(lines.len()), 0)
    }

    /// Where to go on behind what `-A` prints of a packet. A log may be carried in it, whose lines are no packets of this one: what
    /// stands there is its own as far as the length goes, unless the same is printed below it again.
    fn behind_payload(&self, packet: &Gathered, lines: &[Cow<'_, str>], from: usize) -> Option<usize> {
        let begins =
            |at: usize| lines.get(at).is_some_and(|line| begins_payload(without(line, &packet.prefix)));
        if !packet.has_hosts || !begins(from) {
            return None;
        }
        let (_, length) = packet.text.split_once("length ")?;
        let digits = length.find(|c: char| !c.is_ascii_digit()).unwrap_or(length.len());
        let length: usize = length.get(..digits)?.parse().ok()?;
        let header = if packet.text.contains("Flags [") { TCP_HEADERS_BYTES } else { UDP_HEADERS_BYTES };
        let mut printed = 0;
        for (at, line) in lines.iter().enumerate().skip(from).take(LINES_MAX) {
            if printed >= header + length || self.start(lines, at, 0).is_some() && begins(at + 1) {
                return Some(at);
            }
            // A carriage return before the line's end is not printed.
            printed += line.chars().count() + 2;
        }
        None
    }

    /// A wrapped packet may end on the line on which the next begins.
    fn take_rest_before(&self, packet: &mut Gathered, before: &str, line: &str, begin: usize) {
        let rest = line.get(..begin).unwrap_or("");
        let is_text = packet.prefix.trim().is_empty() && completes(rest);
        if is_text && packet.has_hosts && !is_complete(&packet.text, rest) {
            self.append(&mut packet.text, before, rest);
        }
    }

    /// Appends a line, with or without a blank as it was wrapped.
    fn append(&self, text: &mut String, before: &str, line: &str) {
        if !(self.widths.is_hard(before) && glue(text, line)) {
            text.push('\n');
        }
        text.push_str(line);
    }

    /// Hands a packet on, unless it cannot be read or was there already.
    fn finish(&mut self, packet: &Gathered, give: &mut dyn FnMut(Packet<'_>)) {
        let text = without_remark(quick::without_tail(&packet.text));
        let Some(found) = head(text.as_bytes()) else {
            self.unread.add(&packet.text);
            return;
        };
        if self.is_repeated(quick::hash(&text, found.stamp)) {
            self.quoted += 1;
            return;
        }
        let part = self.parts.of(packet.stamp, &text);
        let mut words = Words::new(text.as_bytes(), found.body);
        let ends = ends(&mut words);
        if let Some((link, bytes)) = packet.dump.frame(ends, shows_dns(words)) {
            give(Packet {
                stamp: packet.stamp,
                link,
                bytes,
                original: stated_length(link, bytes).max(bytes.len()),
                part,
            });
            return;
        }
        give(Packet::printed(packet.stamp, &text, part));
    }

    /// Whether a packet with the same words and the same time to the microsecond was handed on before.
    fn is_repeated(&mut self, words: Option<u64>) -> bool {
        let Some(words) = words else { return false };
        if self.seen.len() >= REMEMBERED_MAX {
            self.seen.clear();
        }
        // Lines alike that follow each other are packets alike: a burst within a microsecond.
        *self.seen.entry(words).or_insert(self.run) != self.run
    }

    /// Whether a line has the next number of a list and an arrow between two words: a row that could not be read.
    fn is_next_row(&self, line: &str) -> bool {
        let mut words = line.split_whitespace();
        let number = words.next().and_then(|word| word.parse::<u64>().ok());
        let is_next = self.number > 0 && number.is_some() && number == self.number.checked_add(1);
        is_next && words.any(crate::capture::transcript::is_arrow)
    }

    /// A line on which no packet of tcpdump begins.
    fn other(&mut self, lines: &[Cow<'_, str>], at: usize, give: &mut dyn FnMut(Packet<'_>)) {
        let Some(line) = lines.get(at) else { return };
        if !self.parts.are_begun() && Dump::default().take(line) {
            self.headless.add(line);
        }
        let is_packet = find::looks_like_one(line) || find::is_of_other_protocol(line, &self.last);
        let row = list::row(line);
        // A list goes on where its numbers do, whatever its times count from.
        let number = row.and_then(|_| line.split_whitespace().next()?.parse::<u64>().ok());
        let goes_on = row.is_some() && number.is_none_or(|number| self.number.checked_add(1) == Some(number));
        self.number = number.unwrap_or(self.number);
        self.parts.note(line, is_packet || goes_on);
        if let Some(row) = row {
            let mut text = line.trim().to_owned();
            let mut dump = Dump::default();
            for detail in lines.iter().skip(at + 1).take(LINES_MAX) {
                if list::row(detail).is_some() {
                    break;
                }
                if !dump.take(detail) && detail.contains("Src Port: ") && detail.contains("Dst Port: ") {
                    text.push('\n');
                    text.push_str(detail.trim());
                }
            }
            let part = self.parts.of(row.stamp, &text);
            let address = |text: &str| text.parse().ok();
            let (stamp, ends) = (row.stamp, [address(row.source.text), address(row.destination.text)]);
            match dump.frame(ends, row.protocol == "DNS") {
                Some((link, bytes)) => give(Packet {
                    stamp,
                    link,
                    bytes,
                    original: row.length.map_or(bytes.len(), |length| length as usize).max(bytes.len()),
                    part,
                }),
                None => give(Packet::printed(stamp, &text, part)),
            }
        } else if self.is_next_row(line) {
            self.number += 1;
            self.unread.add(line);
        } else if find::looks_like_one(line)
            || is_between_links(line)
            || (is_untimed(self.kind) && find::begins_like_one(line))
        {
            self.unread.add(line);
        } else if self.kind == Kind::Stamped && find::is_of_other_protocol(line, &self.last) {
            self.other.add(line);
        }
    }
}

/// Whether an arrow and two link addresses stand in a line, as in rows of a router's sniffer.
fn is_between_links(line: &str) -> bool {
    let is_link =
        |word: &&str| word.len() == 17 && word.split(':').filter(|pair| pair.len() == 2).count() == 6;
    (line.contains(" -> ") || line.contains(" <- ")) && line.split_whitespace().filter(is_link).count() == 2
}

/// Whether a line can hold both ends of a packet: an arrow stands between them, or it is of ARP.
fn has_ends(line: &str) -> bool {
    memchr::memchr2(b'>', b'&', line.as_bytes()).is_some()
        || !line.is_ascii()
        || line.contains("ARP")
        || line.contains("arp")
}

/// Whether a word stands in angle brackets in place of another: `<time>`.
fn has_placeholder(prefix: &str) -> bool {
    prefix.split_once('<').and_then(|(_, rest)| rest.split_once('>')).is_some_and(|(word, _)| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-')
    })
}

fn is_untimed(kind: Kind) -> bool {
    matches!(kind, Kind::Unstamped { .. })
}

/// A packet whose lines are being gathered.
struct Gathered {
    prefix: String,
    text: String,
    stamp: Stamp,
    has_hosts: bool,
    dump: Dump,
    /// The prefix with the time of a log shipper in it, where tcpdump printed none.
    shipper: Option<String>,
}

impl Gathered {
    fn new(line: &str, start: usize, stamp: Stamp) -> Self {
        let prefix = line.get(..start).unwrap_or("").to_owned();
        Self { prefix, text: String::new(), stamp, has_hosts: false, dump: Dump::default(), shipper: None }
    }

    /// Whether the packet carries another, which tcpdump prints on lines of its own.
    fn is_tunnel(&self) -> bool {
        let header = self.text.split(" > ").next().unwrap_or("");
        TUNNELS.iter().any(|name| self.text.contains(name))
            || CARRIERS.iter().any(|number| header.contains(number))
    }

    /// Whether the packet inside comes next, beginning where its line does: behind the number of a virtual network.
    fn awaits_inner(&self) -> bool {
        let text = self.text.trim_end_matches(|c: char| c.is_ascii_digit());
        text.len() < self.text.len() && (text.ends_with(" vni ") || text.ends_with(" instance "))
    }
}

/// Whether `-A` prints a packet here: an IPv4 header without options (0x45), its type of service and its length, or an IPv6 header.
fn begins_payload(line: &str) -> bool {
    line.starts_with("E..") || line.starts_with("`...")
}

/// Names of tunnels as tcpdump prints them.
const TUNNELS: &[&str] =
    &["OTV, ", "VXLAN", "Geneve", "GENEVE", "GREv0", "GREv1", "MPLS", "ipip", "LISP", "gtp", "L2TP"];
/// IP protocols that carry a packet, as `-v` prints their numbers in the header: IPv4, IPv6, GRE.
const CARRIERS: &[&str] = &["(4)", "(41)", "(47)"];

/// What stands before the protocol if it is more than a time, an interface and a direction.
fn shipper(line: &str, start: usize) -> Option<String> {
    let text = line.get(start..)?;
    let end = ["IP (", "IP6 (", "IP ", "IP6 ", "ARP, "].iter().filter_map(|words| text.find(words)).min()?;
    let words = text.get(..end)?.split_whitespace().skip(1).count();
    let is_own = words == 0
        || (words <= 2 && text.get(..end)?.split_whitespace().all(|word| !word.ends_with([':', ']', '|'])));
    (!is_own || text.get(..end)?.contains('Z')).then(|| line.get(..start + end).map(str::to_owned))?
}

/// Whether a packet inside another begins here.
fn begins_inner(text: &str) -> bool {
    let mut words = text.split_whitespace();
    match words.next() {
        Some("IP" | "IP6" | "ARP," | "arp") => true,
        Some(first) if first.split(':').count() == 6 => words.next() == Some(">"),
        _ => false,
    }
}

/// What stands before the hosts on the second line of `-v` is no part of the packet.
fn from_hosts(rest: &str) -> &str {
    let Some(arrow) = rest.find(" > ") else { return rest };
    let before = rest.get(..arrow).unwrap_or("");
    let source = before.rfind([' ', '\t']).map_or(0, |at| at + 1);
    let has_prefix = before.get(..source).is_some_and(|prefix| !prefix.trim().is_empty());
    let is_header = before.contains(['(', ')', ',']) || before.contains(" IP");
    if has_prefix && !is_header { rest.get(source..).unwrap_or(rest) } else { rest }
}

/// Source and destination where they are printed as addresses.
fn ends(words: &mut Words<'_>) -> [Option<std::net::IpAddr>; 2] {
    crate::capture::transcript::header_group(words);
    let address = |text: &str| {
        let text = text.strip_suffix([':', ',']).unwrap_or(text);
        text.parse().ok().or_else(|| text.rsplit_once('.')?.0.parse().ok())
    };
    let source = words.next().and_then(|word| address(word.text));
    words.arrow();
    [source, words.next().and_then(|word| address(word.text))]
}

/// Whether what stands behind the hosts is a DNS message: its id comes first, or behind the length of a segment.
fn shows_dns(words: Words<'_>) -> bool {
    let is_id = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let mut words = words.take(WORDS_MAX).map(|word| word.text);
    let mut first = words.next().unwrap_or("");
    // `[udp sum ok]` stands before it with `-v`.
    if first.starts_with('[') {
        while !first.ends_with(']') {
            let Some(next) = words.next() else { return false };
            first = next;
        }
        first = words.next().unwrap_or("");
    }
    if first == "Flags" {
        return words.skip_while(|word| *word != "length").nth(2).is_some_and(is_id);
    }
    is_id(first)
}
