//! Reads the start of a printed packet: its time stamp, what `-e` prints of the link, the protocol, the two hosts.

use super::{
    DAY_NS, PACKET_MAX_BYTES, PREFIX_MAX_WORDS, SECOND_NS, Word, Words, body, header_group, is_arrow,
};
use crate::time::Nanos;

/// First words of ARP: what is asked or told (with `-v` hardware stands before it), or that no more was captured.
const ARP_WORDS: &[&str] = &[
    "Request",
    "Reply",
    "request",
    "reply",
    "who-has",
    "Announcement",
    "Probe",
    "Reverse",
    "Inverse",
    "NACK",
    "Unknown",
    "Ethernet",
    "TokenRing",
    "ArcNet",
    "FrameRelay",
    "Strip",
    "IEEE",
    "ATM",
    "[|arp]",
];

/// Protocols that are neither IP nor ARP and have hosts of their own, by the words before these.
const OTHER_NETWORKS: &[&str] = &["IPX", "CLNP,", "CLNP", "ES-IS,", "AT", "VIRTIO", "aarp"];

/// A time stamp, with its date and the blanks between them, is never longer.
const STAMP_MAX_BYTES: usize = 128;

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

/// What a packet's line says of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Nothing (`tcpdump -t`).
    None,
    /// Since midnight, or since the line before or the first line (`-ttt`, `-ttttt`); negative only in the latter.
    Clock(Nanos),
    /// Since 1970.
    Date(Nanos),
    /// The same in a zone that is not told: printed as a date and a time of day.
    Local(Nanos),
    /// Seconds since a moment that is not told.
    Seconds(Nanos),
}

/// What `-e` prints of the link layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Sender.
    pub source: Option<[u8; 6]>,
    /// Receiver.
    pub destination: Option<[u8; 6]>,
    /// VLAN ids, outermost first; 0 where there is none.
    pub vlans: [u16; 2],
    /// Length of the frame in bytes.
    pub length: Option<u32>,
}

/// The start of a printed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its time.
    pub stamp: Stamp,
    /// The link layer.
    pub link: Link,
    /// The network protocol.
    pub network: Network,
    /// Where the text after the protocol word and link-layer prefix begins.
    pub body: usize,
    /// The least end of the packet's text: after `host > host`, or after the word `ARP`.
    pub least_end: usize,
}

/// Reads the start of a packet at the first byte of `text`: a time stamp, or where the text has none what follows it.
pub fn head(text: &[u8]) -> Option<Head> {
    let text = text.get(..PACKET_MAX_BYTES).unwrap_or(text);
    stamped_head(text).or_else(|| read(Words::new(text, 0), None))
}

/// Reads the start of a packet that begins with a time stamp.
pub(in crate::capture) fn stamped_head(text: &[u8]) -> Option<Head> {
    super::quick::head(text).or_else(|| slow_head(text))
}

/// The same word by word.
pub(super) fn slow_head(text: &[u8]) -> Option<Head> {
    if !may_be_stamp(text) {
        return None;
    }
    let text = text.get(..PACKET_MAX_BYTES).unwrap_or(text);
    // In a text without blanks every number would have all that follows read as its word.
    let mut stamp_words = Words::new(text.get(..STAMP_MAX_BYTES).unwrap_or(text), 0);
    let stamp = time_stamp(&mut stamp_words)?;
    let words = Words::new(text, stamp_words.offset());
    if words.offset() == STAMP_MAX_BYTES {
        return None;
    }
    read(words, Some(stamp))
}

/// Whether a line begins with a time to the microsecond, with words behind it.
pub(super) fn is_stamped(line: &[u8]) -> bool {
    if !may_be_stamp(line) {
        return false;
    }
    let mut words = Words::new(line.get(..STAMP_MAX_BYTES).unwrap_or(line), 0);
    time_stamp(&mut words).is_some()
        && words.peek().is_some()
        && line.get(..words.offset()).is_some_and(|stamp| {
            let decimals = stamp.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            (6..=9).contains(&decimals)
        })
}

/// Whether the first bytes have the marks of a time stamp where it has them. Of the numbers of a line most have not, and
/// this is asked of each.
fn may_be_stamp(text: &[u8]) -> bool {
    let bare = text.strip_prefix(b"-").unwrap_or(text);
    let is = |at: usize, mark: u8| bare.get(at) == Some(&mark);
    let is_date = (is(4, b'-') && is(7, b'-')) || (is(4, b'/') && is(7, b'/'));
    let digits = bare.iter().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    let is_epoch = || {
        let decimals = bare.iter().skip(digits + 1).take(6);
        (1..=10).contains(&digits)
            && is(digits, b'.')
            && decimals.filter(|byte| byte.is_ascii_digit()).count() == 6
    };
    digits > 0 && ((is(2, b':') && is(5, b':')) || is_date || is_epoch())
}

fn read(mut words: Words<'_>, stamp: Option<Stamp>) -> Option<Head> {
    let mut link = Link::default();
    let network = network(&mut words, &mut link)?;
    let body = words.offset();
    let least_end = match network {
        Network::Arp => body,
        Network::Ip | Network::Ip6 => {
            header_group(&mut words);
            let ends = hosts(&mut words)?;
            // Without a time stamp only the colon and what stands around it tell a packet from prose.
            if stamp.is_none() && !ends.are_told(words) {
                return None;
            }
            ends.destination.end
        }
    };
    Some(Head { stamp: stamp.unwrap_or(Stamp::None), link, network, body, least_end })
}

/// Source and destination as printed.
#[derive(Clone, Copy)]
struct Ends<'a> {
    source: Word<'a>,
    destination: Word<'a>,
}

impl Ends<'_> {
    /// Whether a colon stands behind them, and the text of a protocol behind that, whatever it is where both are numbers.
    fn are_told(self, after: Words<'_>) -> bool {
        let are_numbers = || is_number(self.source.text) && is_number(self.destination.text);
        self.destination.text.ends_with(':')
            && (body::begins(after) || are_numbers() && after.peek().is_some())
    }
}

/// Passes `host > host`.
fn hosts<'a>(words: &mut Words<'a>) -> Option<Ends<'a>> {
    let source = words.next()?;
    let arrow = words.arrow()?;
    let destination = words.next()?;
    // With a colon and a packet's text behind it any word is a host: a name of one label, a masked address, `<client>`.
    let is_told = destination.text.ends_with(':') && body::begins(*words);
    let is_host = |word: &str| is_address_like(word) || (is_told && is_name_like(word));
    let target = destination.text.strip_suffix(':').unwrap_or(destination.text);
    let both = is_host(source.text) && is_arrow(arrow.text) && is_host(target);
    both.then_some(Ends { source, destination })
}

fn is_address_like(word: &str) -> bool {
    word.contains(['.', ':']) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_%/*".contains(&b))
}

/// Whether a word can be the name of a host, also one put in place of it before the text was shown to others.
fn is_name_like(word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || ".:-_%/*#$@<>[]{}~?!()&+=".contains(c);
    let is_link = link_address(word.trim_end_matches([',', ':'])).is_some();
    !is_link
        && word.chars().all(is_part)
        && word.contains(|c: char| c.is_alphanumeric() || "*#<[?".contains(c))
}

/// Whether the words begin with `host > host:` and what a packet's text goes on with; tcpdump up to 3.9, OpenBSD's and those of
/// packet filters print no `IP` before the hosts.
fn bare_hosts(mut words: Words<'_>) -> Option<Network> {
    let source = words.peek()?.text;
    let ends = hosts(&mut words)?;
    let six = source.matches(':').count() > 1;
    // Between two addresses with ports stands no prose, whatever protocol it is that follows.
    let are_sockets = is_socket(ends.source.text) && is_socket(ends.destination.text);
    let is_told = ends.destination.text.ends_with(':')
        && (body::begins(words) || are_sockets && words.peek().is_some());
    is_told.then_some(if six { Network::Ip6 } else { Network::Ip })
}

/// `198.51.100.2.161:`: an IPv4 address and the number of a port.
fn is_socket(word: &str) -> bool {
    word.split('.').count() == 5 && is_number(word)
}

/// `198.51.100.2:`, `2001:db8::53.53:`: an address, perhaps with the number of a port.
fn is_number(word: &str) -> bool {
    let word = word.strip_suffix(':').unwrap_or(word);
    let is_address = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
    let is_port =
        |text: &str| (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_address(word)
        || word.rsplit_once('.').is_some_and(|(address, port)| is_address(address) && is_port(port))
}

/// Reads `[date] time`, `dateTtime` or seconds since 1970.
fn time_stamp(words: &mut Words<'_>) -> Option<Stamp> {
    let first = words.next()?.text;
    let (sign, bare) = first.strip_prefix('-').map_or((1, first), |bare| (-1, bare));
    if let Some(time) = time_of_day(bare) {
        return Some(Stamp::Clock(sign * time));
    }
    if let Some(time) = epoch(bare) {
        return Some(seconds(sign * time));
    }
    let (day, rest) = date(bare)?;
    let clock = match rest.strip_prefix(['T', 't', '_']) {
        Some(time) => time,
        None if rest.is_empty() => words.next()?.text,
        None => return None,
    };
    let time = time_of_day(clock.trim_end_matches('Z'))?;
    let at = day.checked_mul(DAY_NS)?.checked_add(time)?;
    Some(if clock.ends_with('Z') { Stamp::Date(at) } else { Stamp::Local(at) })
}

/// A date with a time of day at the beginning of a text: `2024-05-14T13:24:32.1Z`, `2024-05-14 13:24:32`.
pub(in crate::capture) fn moment(text: &str) -> Option<Stamp> {
    date(text)?;
    time_stamp(&mut Words::new(text.as_bytes(), 0))
}

/// Seconds since 1970, or since something else where that would be long ago: a sniffer's start, a machine without a clock.
pub(super) fn seconds(time_ns: Nanos) -> Stamp {
    const LEAST_NS: Nanos = 100_000_000 * SECOND_NS;
    if time_ns.abs() < LEAST_NS { Stamp::Seconds(time_ns) } else { Stamp::Date(time_ns) }
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let digits = text.get(..count)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// `HH:MM:SS` with up to nine decimals.
pub(super) fn time_of_day(word: &str) -> Option<Nanos> {
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
pub(super) fn epoch(word: &str) -> Option<Nanos> {
    let (seconds, fraction) = word.split_once('.')?;
    let whole = (9..=10).contains(&seconds.len()) && (6..=9).contains(&fraction.len());
    // Captures made without a clock begin in 1970; six or nine decimals tell them from other numbers.
    let early = (1..9).contains(&seconds.len()) && matches!(fraction.len(), 6 | 9);
    if !whole && !early {
        return None;
    }
    digits(seconds, seconds.len())?.checked_mul(SECOND_NS)?.checked_add(nanoseconds(fraction)?)
}

/// Days since 1970 of `YYYY-MM-DD` or `YYYY/MM/DD`, and what follows in the word.
pub(super) fn date(word: &str) -> Option<(i64, &str)> {
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

/// Reads up to the protocol word, or to the hosts where `-e` has told the protocol. Before it may stand an interface and
/// direction (`-i any`), link addresses and VLAN tags (`-e`), and what links print of themselves (`PPPoE`, MPLS, radio).
fn network(words: &mut Words<'_>, link: &mut Link) -> Option<Network> {
    let first_line = memchr::memchr(b'\n', words.rest()).map_or(usize::MAX, |at| words.offset() + at);
    let mut prefix = Prefix { link, found: None, is_link: false };
    for at in 0..PREFIX_MAX_WORDS {
        let before = *words;
        let word = words.next()?;
        // Beyond its own line only a link-layer prefix goes on, and never over another time stamp.
        let is_beyond = word.start > first_line && !prefix.is_link && at > 0;
        // pktmon prints when it saw a packet, and indented below it the packet with its link addresses.
        let begins_link = || {
            link_address(word.text).is_some()
                && words.text_before(word.start).get(first_line + 1..).is_some_and(|indent| {
                    !indent.is_empty() && indent.iter().all(|byte| matches!(byte, b' ' | b'\t'))
                })
        };
        let is_beyond = is_beyond && !begins_link();
        if is_beyond || time_of_day(word.text).is_some() || epoch(word.text).is_some() {
            return None;
        }
        if let Some(network) = Prefix::network(word.text, *words) {
            return Some(network);
        }
        if OTHER_NETWORKS.contains(&word.text) {
            return None;
        }
        if let Some(network) = prefix.implied(before).or_else(|| bare_hosts(before)) {
            *words = before;
            return Some(network);
        }
        prefix.pass(word.text, words, before);
    }
    None
}

/// What has been read before the network protocol is certain.
struct Prefix<'l> {
    link: &'l mut Link,
    /// The protocol an ethertype names.
    found: Option<Network>,
    is_link: bool,
}

impl Prefix<'_> {
    /// The protocol when this word names it and what follows agrees.
    fn network(word: &str, after: Words<'_>) -> Option<Network> {
        match word {
            "IP" | "IPv4" => hosts_follow(after).then_some(Network::Ip),
            "IP6" | "IPv6" => hosts_follow(after).then_some(Network::Ip6),
            "ARP," | "ARP" | "arp" | "arp:" => arp_follows(after).then_some(Network::Arp),
            _ => None,
        }
    }

    /// The protocol when it is known and its own text begins at `words`.
    fn implied(&self, mut words: Words<'_>) -> Option<Network> {
        if !self.is_link {
            return None;
        }
        if self.found == Some(Network::Arp) {
            return arp_follows(words).then_some(Network::Arp);
        }
        let next = words.peek()?.text;
        if link_address(next).is_some() {
            return None;
        }
        if next.starts_with("(tos") {
            return Some(Network::Ip);
        }
        if ["(class", "(flowlabel", "(hlim"].iter().any(|start| next.starts_with(start)) {
            return Some(Network::Ip6);
        }
        let six = next.matches(':').count() > 1;
        hosts(&mut words)?;
        self.found.or(Some(if six { Network::Ip6 } else { Network::Ip }))
    }

    /// Takes what a word of a link-layer prefix says.
    fn pass<'a>(&mut self, word: &str, words: &mut Words<'a>, before: Words<'a>) {
        let number = |words: &mut Words<'a>| {
            let text = words.next().map_or("", |word| word.text);
            text.trim_end_matches([',', ':']).parse::<u32>().ok()
        };
        // What stands alone among other words is an address that a log mentions.
        if let Some(address) = link_address(word.trim_end_matches(','))
            && (self.is_link || words.peek().is_some_and(|next| goes_on_link(next.text)))
        {
            self.is_link = true;
            let slot =
                if self.link.source.is_none() { &mut self.link.source } else { &mut self.link.destination };
            *slot = Some(address);
            return;
        }
        let next = words.peek().map_or("", |word| word.text);
        match word {
            "ethertype" | "AF" => {
                self.is_link = true;
                let named = words.next().map_or("", |word| word.text);
                self.found = ether_type(named.trim_end_matches(','));
            }
            "IPv4," | "IPv6," | "ARP," if self.is_link || next == "length" => {
                self.is_link = true;
                self.found = ether_type(word.trim_end_matches(','));
            }
            // PPP numbers its protocols: `IP (0x0021), length 72:`.
            "IP" | "IP6" if next.starts_with("(0x") => {
                self.is_link = true;
                self.found = Some(if word == "IP" { Network::Ip } else { Network::Ip6 });
            }
            "ip:" | "ip6:" => {
                self.is_link = true;
                self.found = Some(if word == "ip:" { Network::Ip } else { Network::Ip6 });
            }
            "Broadcast" | "Broadcast," if self.is_link => self.link.destination = Some([0xff; 6]),
            "ifindex" => {
                self.is_link = true;
                let _ = number(words);
            }
            "vlan" => {
                self.is_link = true;
                let id = number(words).unwrap_or(0) as u16;
                let free = self.link.vlans.iter_mut().find(|slot| **slot == 0);
                if let Some(slot) = free {
                    *slot = id;
                }
            }
            // The first length is the frame's; links inside print theirs behind it.
            "length" if self.link.source.is_some() => self.link.length = self.link.length.or(number(words)),
            "MPLS" => self.is_link = true,
            _ if self.is_link && word.starts_with('(') => {
                let mut ahead = before;
                if super::group(&mut ahead).is_some() {
                    *words = ahead;
                }
            }
            _ => {}
        }
    }
}

fn hosts_follow(mut words: Words<'_>) -> bool {
    header_group(&mut words);
    hosts(&mut words).is_some()
}

fn arp_follows(words: Words<'_>) -> bool {
    let next = words.peek().map_or("", |word| word.text);
    ARP_WORDS.contains(&next)
}

/// Six or more pairs of hexadecimal digits; only the first six are kept.
fn link_address(word: &str) -> Option<[u8; 6]> {
    let mut address = [0; 6];
    let mut count = 0;
    // Windows writes hyphens.
    let hyphens = word.len() == 17 && word.split('-').count() == 6;
    for pair in word.split(if hyphens { '-' } else { ':' }) {
        // Versions up to 3.9 print no leading zeros.
        if !(1..=2).contains(&pair.len()) || !pair.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        if let Some(slot) = address.get_mut(count) {
            *slot = u8::from_str_radix(pair, 16).ok()?;
        }
        count += 1;
    }
    // Eight pairs can be an IPv6 address; seven and more without a pair of two digits are none.
    (count == 6 || count > 8 || (count > 6 && word.split(':').all(|pair| pair.len() == 2))).then_some(address)
}

/// Whether a word follows a link address where `-e` prints one.
fn goes_on_link(next: &str) -> bool {
    is_arrow(next)
        || link_address(next.trim_end_matches(',')).is_some()
        || matches!(next, "Broadcast" | "Broadcast," | "ethertype" | "(oui" | "802.3" | "802.3,")
}

fn ether_type(name: &str) -> Option<Network> {
    match name {
        "IPv4" => Some(Network::Ip),
        "IPv6" => Some(Network::Ip6),
        "ARP" => Some(Network::Arp),
        _ => None,
    }
}
