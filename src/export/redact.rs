//! Consistent pseudonyms for addresses and names, in text and in packets; frame numbers and times stay.

mod learn;
pub mod packet;
mod withheld;
mod words;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::case::State;
use crate::decode::transcript::services;
use crate::decode::{Address, dns};
use crate::index::Index;
use crate::settings::Settings;
pub use withheld::without_typed;
pub use words::public_labels;

/// Labels kept as they are: they name a role or a public zone, not a person or a company.
const KEPT_LABELS: [&str; 31] = [
    "www",
    "mail",
    "ns",
    "ns1",
    "ns2",
    "dns",
    "mx",
    "smtp",
    "imap",
    "api",
    "cdn",
    "_tcp",
    "_udp",
    "_dns",
    "_ldap",
    "_kerberos",
    "in-addr",
    "ip6",
    "arpa",
    "local",
    "lan",
    "localdomain",
    "wpad",
    "com",
    "net",
    "org",
    "edu",
    "gov",
    "int",
    "mil",
    "info",
];

/// Words of the report that are not replaced where a single-label name is spelled like them.
const KEPT_WORDS: &str = "a address an analyst and answer answers any as asked at b be before bytes by c capture case cause check \
checks class client clients d day dns does draft e error errors f file filter final finding for frame frames from g h has \
header host i icmp id in into ip is it j k l late length link list log m message messages n name names network next no not \
o of on one open or other p packet packets port ports q query queries r record report resolver response retry row rule s \
seconds sent server service size so state status t tcp than that the time times title to tool type u udp under v value w \
was what when where which who why with x y yes z zone unknown none null true false low medium high info";

/// What stands for what in a redacted report, part by part.
pub const MASKED: [&str; 5] = [
    "addresses: IPv4 by addresses in 198.18.0.0/15, IPv6 by addresses in 2001:db8::/32, link addresses by ones that begin with 02",
    "names of hosts and zones: label by label, by labels of the same length, down to the public suffix",
    "words that are not the program's own, wherever they were captured: by words of the same length",
    "paths of requests: by a number",
    "names of captures, sites and sensors: by their letters",
];
/// What a redacted report leaves out.
pub const DROPPED: [&str; 5] = [
    "everything that was typed: notes, comments of captures, fields, wording of the analyst, manual rows, names of filters",
    "names and folders of files",
    "of exported packets: contents other than DNS over UDP, IP options, headers of the capturing system",
    "of exported DNS messages: data of records other than addresses and names, contents of options",
    "of exported captures: what they say about the capturing system",
];
/// What a redacted report keeps.
pub const KEPT: [&str; 5] = [
    "times, sizes, ports, identifiers, counts, frame numbers, SHA-256 of the captures",
    "public suffixes (com, co.uk), zones that nobody owns (test, local), labels that name a role (www, ns1, mail)",
    "loopback, multicast, broadcast and unspecified addresses",
    "words that the program's own sentences have",
    "the text of a template of your own",
];

/// What the report says about redaction.
pub fn statement() -> String {
    let listed = |list: &[&str]| list.join("; ");
    format!(
        "The captures were opened read-only, hashed, and not changed. This report is redacted with consistent pseudonyms. Masked: {}. Left out: {}. Kept: {}. TCP checksums of \
         exported packets no longer fit.",
        listed(&MASKED),
        listed(&DROPPED),
        listed(&KEPT)
    )
}

/// The same in one line, for tickets.
pub const SHORT_STATEMENT: &str = "Redacted: addresses and names are consistent pseudonyms.";

static ADDRESSES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // Link addresses first, then IPv6 candidates (checked by parsing), then IPv4.
    Regex::new(
        r"(?i)\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\d{1,3}(?:\.\d{1,3}){3})?|\b\d{1,3}(?:\.\d{1,3}){3}\b",
    )
    .ok()
});
/// Words, and words joined by dots.
static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*").ok()
});
/// What may follow a path in a sentence.
const AFTER_PATH: [char; 10] = ['.', ',', ';', ':', ')', ']', '"', '\'', '”', '’'];
/// What stands around a name in running text and is no part of it.
const AROUND: &[char] =
    &['(', ')', '"', '\'', ',', ';', ':', '?', '!', '.', '<', '>', '[', ']', '{', '}', '='];

/// The same around a host that may begin or end with a bracket.
const BESIDE: &[char] = &['"', '\'', ',', ';', ':', '?', '!', '.'];

/// A host as tcpdump prints it, and the dot and port behind it.
fn without_port(word: &str) -> Option<(&str, &str)> {
    let (host, port) = word.rsplit_once('.')?;
    services::port(port).map(|_| (host, word.get(host.len()..).unwrap_or_default()))
}

/// The mapping from what was captured to what is shown. The same capture gives the same mapping.
#[derive(Default)]
pub struct Pseudonyms {
    v4: HashMap<Ipv4Addr, Ipv4Addr>,
    v6: HashMap<Ipv6Addr, Ipv6Addr>,
    ether: HashMap<[u8; 6], [u8; 6]>,
    labels: HashMap<Vec<u8>, Vec<u8>>,
    taken: HashSet<Vec<u8>>,
    /// Suffixes of at least two labels of every captured name, lower case, without final dot.
    known: HashSet<String>,
    /// Captured names of one label, lower case.
    singles: HashSet<String>,
    /// Captured names with characters that words do not have, lower case, without final dot.
    odd: HashSet<String>,
    /// Targets of requests over HTTP, with and without their query, by number.
    paths: HashMap<String, usize>,
    /// Addresses of the capture: none of them is given out as a pseudonym.
    captured: HashSet<Address>,
    given: Given,
    /// Hashes and marks that the program made itself, lower case.
    own: HashSet<String>,
    /// Names of sites and sensors with what stands for them, the longest first.
    places: Vec<(String, String)>,
    /// What the user says about the captures.
    settings: Arc<Settings>,
}

/// The shortest part of a hash that is known as such.
const MARK_MIN: usize = 12;

/// How many pseudonyms of each kind were tried.
#[derive(Default)]
struct Given {
    v4: u32,
    v6: u128,
}

/// What a report is redacted with, shared by everything one job writes; `None` where nothing is.
pub type Redaction<'p> = Option<&'p RefCell<Pseudonyms>>;

/// Part of a text while it is redacted.
enum Piece {
    /// Not yet looked at to the end.
    Raw(String),
    /// As it may leave.
    Done(String),
}

/// Takes every part that is still raw apart.
fn through(pieces: Vec<Piece>, mut split: impl FnMut(&str, &mut Vec<Piece>)) -> Vec<Piece> {
    let mut out = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Raw(text) => split(&text, &mut out),
            done @ Piece::Done(_) => out.push(done),
        }
    }
    out
}

impl Pseudonyms {
    /// Collects the addresses and names of an index, in packet order.
    pub fn of(index: &Index) -> Self {
        let mut pseudonyms = Self { settings: Arc::clone(&index.settings), ..Self::default() };
        let addresses = || index.segments().iter().flat_map(|segment| segment.addresses.iter().copied());
        pseudonyms.captured.extend(addresses());
        for segment in index.segments() {
            for name in (0..segment.names.len() as u32).filter_map(|at| segment.names.get(at)) {
                pseudonyms.learn(name);
            }
        }
        pseudonyms.places = learn::places(index);
        learn::answers(&mut pseudonyms, index);
        learn::hosts(&mut pseudonyms, index);
        learn::requests(&mut pseudonyms, index);
        for name in addresses().filter_map(Address::name).filter(|name| !name.is_loopback()) {
            pseudonyms.learn_text(&name.label());
        }
        for address in addresses() {
            pseudonyms.address(address);
        }
        pseudonyms
    }

    /// The same with the hashes of a case: they are the program's own and stay.
    #[must_use]
    pub fn knowing(mut self, case: &State) -> Self {
        let marks = case.evidence.iter().map(|record| record.sha256.clone());
        let marks = marks.chain(case.decisions.values().map(|decision| decision.basis.clone()));
        let rules = crate::report::rules_version();
        let rules = rules.rsplit('-').next().map(str::to_owned);
        self.own.extend(marks.chain(rules).filter(|mark| mark.len() >= MARK_MIN));
        self
    }

    /// Remembers a name in wire form.
    fn learn(&mut self, wire: &[u8]) {
        self.learn_text(&dns::presentation(wire));
        let mut rest = wire;
        while let Some((&length, tail)) = rest.split_first() {
            let Some((label, tail)) = tail.split_at_checked(usize::from(length)) else { break };
            if !label.is_empty() {
                self.taken.insert(label.to_ascii_lowercase());
            }
            rest = tail;
        }
    }

    /// Remembers a name as people write it.
    fn learn_text(&mut self, name: &str) {
        let text = name.trim_end_matches('.').to_ascii_lowercase();
        if !text.contains('.') {
            let frame =
                text.len() > 1 && text.get(1..).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
            let kept = KEPT_LABELS.contains(&text.as_str())
                || KEPT_WORDS.split_ascii_whitespace().any(|word| word == text);
            if !text.is_empty() && !kept && !frame {
                self.singles.insert(text.clone());
            }
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let mut rest = text.as_str();
        if !rest.chars().all(plain) {
            self.odd.insert(text.clone());
        }
        while rest.contains('.') {
            if !self.known.insert(rest.to_owned()) {
                break;
            }
            rest = rest.split_once('.').map_or("", |(_, tail)| tail);
        }
    }

    /// The pseudonym of an address. Unspecified, loopback, broadcast and multicast addresses are kept.
    pub fn address(&mut self, address: Address) -> Address {
        match address {
            Address::None => Address::None,
            Address::V4(ip) => Address::V4(self.v4(ip)),
            Address::V6(ip) => Address::V6(self.v6(ip)),
            Address::Ether(ether) => Address::Ether(self.ether(ether)),
            Address::V4At(site, ip) => Address::V4At(site, self.v4(ip)),
            Address::V6At(site, ip) => Address::V6At(site, self.v6(ip)),
            Address::Name(name) => Address::printed(&self.text(&name.label()), name.is_v6()).at(name.site()),
        }
    }

    fn v4(&mut self, ip: Ipv4Addr) -> Ipv4Addr {
        if ip.is_unspecified() || ip.is_loopback() || ip.is_broadcast() || ip.is_multicast() {
            return ip;
        }
        if let Some(known) = self.v4.get(&ip) {
            return *known;
        }
        // 198.18.0.0/15 holds 131,072 addresses; a capture with more goes on into the next ones.
        let made = loop {
            self.given.v4 = self.given.v4.wrapping_add(1);
            let made = Ipv4Addr::from(0xc612_0000_u32.wrapping_add(self.given.v4));
            if !self.captured.contains(&Address::V4(made)) {
                break made;
            }
        };
        self.v4.insert(ip, made);
        made
    }

    fn v6(&mut self, ip: Ipv6Addr) -> Ipv6Addr {
        if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() {
            return ip;
        }
        if let Some(v4) = ip.to_ipv4_mapped() {
            return self.v4(v4).to_ipv6_mapped();
        }
        if let Some(known) = self.v6.get(&ip) {
            return *known;
        }
        let made = loop {
            self.given.v6 += 1;
            let made = Ipv6Addr::from(0x2001_0db8_u128 << 96 | self.given.v6);
            if !self.captured.contains(&Address::V6(made)) {
                break made;
            }
        };
        self.v6.insert(ip, made);
        made
    }

    fn ether(&mut self, ether: [u8; 6]) -> [u8; 6] {
        let [first, ..] = ether;
        if first & 1 != 0 || ether == [0; 6] {
            return ether;
        }
        let [_, _, a, b, c, d] =
            (self.ether.len() as u64 + 1).to_be_bytes().last_chunk::<6>().copied().unwrap_or([0; 6]);
        *self.ether.entry(ether).or_insert([0x02, 0, a, b, c, d])
    }

    /// The pseudonym of one label: of the same length, lower case.
    pub fn label(&mut self, label: &[u8]) -> Vec<u8> {
        let lower = label.to_ascii_lowercase();
        if KEPT_LABELS.iter().any(|kept| kept.as_bytes() == lower) {
            return lower;
        }
        if let Some(known) = self.labels.get(&lower) {
            return known.clone();
        }
        let mut number = self.labels.len();
        let mut made = numbered(number, lower.len());
        // Short labels run out of distinct pseudonyms; then the last one tried is shared.
        for _ in 0..2_000 {
            if !self.taken.contains(&made) && !KEPT_LABELS.iter().any(|kept| kept.as_bytes() == made) {
                break;
            }
            number += 1;
            made = numbered(number, lower.len());
        }
        self.taken.insert(made.clone());
        self.labels.insert(lower, made.clone());
        made
    }

    fn name(&mut self, name: &str) -> String {
        let count = name.split('.').count();
        let public = words::public_labels(name);
        let labels = name.split('.').enumerate().map(|(at, label)| {
            if at + public >= count {
                label.to_owned()
            } else {
                String::from_utf8_lossy(&self.label(label.as_bytes())).into_owned()
            }
        });
        labels.collect::<Vec<_>>().join(".")
    }

    /// Replaces every address, every name that is a captured one or ends in one, and every word that is not the program's own.
    pub fn text(&mut self, text: &str) -> String {
        let pieces = self.without_places(text);
        let pieces = through(pieces, |text, out| self.odd_names(text, out));
        let pieces = through(pieces, |text, out| self.without_paths(text, out));
        // Names first: the name of a reverse lookup holds an address that is not read as one.
        let pieces = through(pieces, |text, out| {
            replace(NAMES.as_ref(), text, out, |found| {
                let lower = found.to_ascii_lowercase();
                self.captured_name(&lower).or_else(|| {
                    let (host, port) = without_port(&lower)?;
                    Some(self.captured_name(host)? + port)
                })
            });
        });
        let pieces = through(pieces, |text, out| {
            replace(ADDRESSES.as_ref(), text, out, |found| {
                if let Ok(ip) = found.parse::<Ipv4Addr>() {
                    return Some(self.v4(ip).to_string());
                }
                if let Ok(ip) = found.parse::<Ipv6Addr>() {
                    return Some(self.v6(ip).to_string());
                }
                let ether = parse_ether(found)?;
                Some(Address::Ether(self.ether(ether)).to_string())
            });
        });
        let mut out = String::with_capacity(text.len());
        for piece in pieces {
            out.push_str(&match piece {
                Piece::Done(text) => text,
                Piece::Raw(text) => self.without_words(&text),
            });
        }
        out
    }

    /// Replaces the words that the program does not say itself.
    fn without_words(&mut self, text: &str) -> String {
        let marks = std::mem::take(&mut self.own);
        let is_own = |word: &str| {
            word.len() >= MARK_MIN && marks.iter().any(|mark| mark.starts_with(word) && word.is_ascii())
        };
        let masked = words::masked(text, &is_own, &mut |word| {
            String::from_utf8_lossy(&self.label(word.as_bytes())).into_owned()
        });
        self.own = marks;
        masked
    }

    /// Takes out names of sites and sensors where they stand behind an address, in a filter or alone.
    fn without_places(&self, text: &str) -> Vec<Piece> {
        let mut pieces = vec![Piece::Raw(text.to_owned())];
        for (name, label) in &self.places {
            if text == name {
                return vec![Piece::Done(label.clone())];
            }
            for (found, instead) in
                [(format!("@{name}"), format!("@{label}")), (format!("\"{name}\""), format!("\"{label}\""))]
            {
                pieces = through(pieces, |text, out| {
                    for (at, part) in text.split(found.as_str()).enumerate() {
                        if at > 0 {
                            out.push(Piece::Done(instead.clone()));
                        }
                        out.push(Piece::Raw(part.to_owned()));
                    }
                });
            }
        }
        pieces
    }

    /// Learns what a request asks for.
    fn learn_path(&mut self, target: &str) {
        let path = target.split('?').next().unwrap_or_default();
        for text in [target, path].into_iter().filter(|text| text.len() > 1 && text.starts_with('/')) {
            let number = self.paths.len() + 1;
            self.paths.entry(crate::text::escape(text)).or_insert(number);
        }
    }

    /// Takes out targets of requests that stand alone or at the end of a URL.
    fn without_paths(&self, text: &str, out: &mut Vec<Piece>) {
        let mut raw = String::with_capacity(text.len());
        for piece in text.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end().trim_end_matches(AFTER_PATH);
            let skipped = word.find("://").map_or(0, |at| at + 3);
            let start = word.get(skipped..).and_then(|rest| rest.find('/')).map(|at| at + skipped);
            let known = start.and_then(|at| Some((at, self.paths.get(word.get(at..)?)?)));
            match known {
                Some((at, number)) => {
                    raw.push_str(piece.get(..at).unwrap_or_default());
                    out.push(Piece::Raw(std::mem::take(&mut raw)));
                    out.push(Piece::Done(format!("/path-{number}")));
                    raw.push_str(piece.get(word.len()..).unwrap_or_default());
                }
                None => raw.push_str(piece),
            }
        }
        out.push(Piece::Raw(raw));
    }

    /// The pseudonym of a name that is a captured one or ends in one; `None` for other words.
    fn captured_name(&mut self, lower: &str) -> Option<String> {
        if self.singles.contains(lower) {
            return Some(self.single(lower));
        }
        let mut rest = lower;
        while rest.contains('.') {
            if self.known.contains(rest) {
                return Some(self.name(lower));
            }
            rest = rest.split_once('.').map_or("", |(_, tail)| tail);
        }
        None
    }

    /// A name of one label is replaced as a whole.
    fn single(&mut self, label: &str) -> String {
        String::from_utf8_lossy(&self.label(label.as_bytes())).into_owned()
    }

    /// Takes out captured names that are no plain words joined by dots (spaces and control characters escaped in them).
    fn odd_names(&mut self, text: &str, out: &mut Vec<Piece>) {
        let mut raw = String::with_capacity(text.len());
        for piece in text.split_inclusive(char::is_whitespace) {
            let lower = piece.to_ascii_lowercase();
            // Brackets can be part of a masked host: `<client>`, `[redacted]`.
            let words = [lower.trim_end().trim_matches(AROUND), lower.trim_end().trim_matches(BESIDE)];
            let words =
                words.into_iter().flat_map(|word| [Some(word), without_port(word).map(|(host, _)| host)]);
            // Captured text is escaped before it comes here, which doubles backslashes.
            let known = |word: &str| {
                [word.to_owned(), word.replace("\\\\", "\\")].into_iter().find(|name| self.odd.contains(name))
            };
            let found =
                words.flatten().filter(|word| !word.is_empty()).find_map(|word| Some((word, known(word)?)));
            let Some((word, name)) = found else {
                raw.push_str(piece);
                continue;
            };
            let start = lower.find(word).unwrap_or(0);
            raw.push_str(piece.get(..start).unwrap_or_default());
            out.push(Piece::Raw(std::mem::take(&mut raw)));
            out.push(Piece::Done(if name.contains('.') { self.name(&name) } else { self.single(&name) }));
            raw.push_str(piece.get(start + word.len()..).unwrap_or_default());
        }
        out.push(Piece::Raw(raw));
    }

    /// Replaces in every string of a JSON value, and in its keys.
    pub fn value(&mut self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) if is_mark(text) => {}
            serde_json::Value::String(text) => *text = self.text(text),
            serde_json::Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            serde_json::Value::Object(fields) => {
                let old = std::mem::take(fields);
                for (key, mut value) in old {
                    self.value(&mut value);
                    fields.insert(self.text(&key), value);
                }
            }
            _ => {}
        }
    }
}

/// A label of a given length that counts in base 36: `n…`, padded with `x`.
fn numbered(number: usize, length: usize) -> Vec<u8> {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut label = Vec::with_capacity(length);
    let mut rest = number;
    while label.len() < length {
        label.push(DIGITS.get(rest % 36).copied().unwrap_or(b'x'));
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    label.resize(length, b'x');
    label
}

/// Whether a text is an id that the program made: a letter and twelve digits of a hash.
fn is_mark(text: &str) -> bool {
    let Some((kind, hash)) = text.split_once('-') else { return false };
    kind.len() == 1 && hash.len() == MARK_MIN && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn parse_ether(text: &str) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}

fn replace(
    pattern: Option<&Regex>,
    text: &str,
    out: &mut Vec<Piece>,
    mut with: impl FnMut(&str) -> Option<String>,
) {
    let mut at = 0;
    for found in pattern.into_iter().flat_map(|pattern| pattern.find_iter(text)) {
        let Some(instead) = with(found.as_str()) else { continue };
        out.push(Piece::Raw(text.get(at..found.start()).unwrap_or_default().to_owned()));
        out.push(Piece::Done(instead));
        at = found.end();
    }
    out.push(Piece::Raw(text.get(at..).unwrap_or_default().to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_masked_consistently_and_times_are_left() {
        let mut pseudonyms = Pseudonyms::default();
        pseudonyms.learn(b"\x0eyummyrecipesme\x03com\x00");
        let first = pseudonyms
            .text("At 13:24:32.192571 192.51.100.15:52444 asked 203.0.113.2.53 for www.yummyrecipesme.com.");
        assert!(first.contains("13:24:32.192571"), "{first}");
        assert!(
            !first.contains("192.51.100.15") && !first.contains("203.0.113.2") && !first.contains("yummy"),
            "{first}"
        );
        assert!(
            first.contains("198.18.0.1:52444") && first.contains("198.18.0.2.53") && first.ends_with(".com."),
            "{first}"
        );
        let again = pseudonyms.text("203.0.113.2 YummyRecipesMe.com 2001:db8:1::15 fe80::1 report.pdf");
        assert!(again.starts_with("198.18.0.2 ") && again.contains("2001:db8::1"), "{again}");
        assert!(again.ends_with("report.pdf"), "{again}");
    }

    #[test]
    fn labels_keep_their_length_and_differ() {
        let mut pseudonyms = Pseudonyms::default();
        let labels: HashSet<Vec<u8>> =
            (0..5_000).map(|n| pseudonyms.label(format!("host{n:05}").as_bytes())).collect();
        assert_eq!(labels.len(), 5_000);
        assert!(labels.iter().all(|label| label.len() == 9));
    }
}
