//! Reads an ICMP message in the wordings of tcpdump's `print-icmp.c` and `print-icmp6.c`.

use super::dns::{self, Dns};
use super::{Host, IpHeader, Ports, datagram, host, port};
use crate::capture::transcript::{Word, Words};
use crate::settings::Settings;

/// Stands for the code where the line was cut before the words that tell it; no message has it.
pub const CODE_NOT_PRINTED: u8 = 255;

/// An ICMP message as printed.
#[derive(Clone, Copy, Debug)]
pub struct Icmp<'a> {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// The destination of the packet it quotes.
    pub quoted: Option<Host<'a>>,
    /// IP protocol number of the quoted packet.
    pub quoted_protocol: Option<u8>,
    /// Its destination port.
    pub quoted_port: Option<u16>,
    /// What the next link takes in bytes, of an error about a packet too big for it.
    pub mtu: Option<u32>,
    /// The quoted packet itself, where `-v` printed it.
    pub quote: Option<Quoted<'a>>,
    /// The ICMP message's length in bytes as printed: `length 254`.
    pub length_bytes: Option<u32>,
    /// Where the message's text stands.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// Where the printed length stands; empty without one.
    pub length_range: (u32, u32),
}

impl Icmp<'_> {
    /// A message of which only type, code and the place of its text are known.
    pub(super) fn new(kind: u8, code: u8, place: std::ops::Range<u32>) -> Self {
        let (quoted, quote) = (None, None);
        let (quoted_protocol, quoted_port, mtu, length_bytes) = (None, None, None, None);
        let std::ops::Range { start, end } = place;
        let length_range = (0, 0);
        Self {
            kind,
            code,
            quoted,
            quoted_protocol,
            quoted_port,
            mtu,
            quote,
            length_bytes,
            start,
            end,
            length_range,
        }
    }
}

/// A packet printed inside an ICMP error.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a> {
    /// Its IP header.
    pub ip: IpHeader,
    /// Its sender.
    pub source: Host<'a>,
    /// Its receiver.
    pub destination: Host<'a>,
    /// Its DNS message.
    pub dns: Option<Dns<'a>>,
}

/// Reads an ICMP message in the wordings of `print-icmp.c` and `print-icmp6.c`.
pub(super) fn read<'a>(words: Words<'a>, v6: bool, settings: &Settings) -> Option<Icmp<'a>> {
    let start = words.peek()?.start;
    let mut icmp = Icmp::new(0, 0, start as u32..start as u32);
    let nothing = Word { text: "", start: 0, end: 0 };
    let mut list = [nothing; 24];
    let mut used = 0;
    let mut cursor = words;
    cursor.next();
    while let Some(word) = cursor.next() {
        // What the capture cut off is named in brackets: `unreachable[|icmp6]`.
        let whole = word.text.split_once("[|").map_or(word.text, |(whole, _)| whole);
        let plain = whole.trim_end_matches([',', ':', ';']);
        icmp.end = word.end as u32;
        if plain == "length" {
            if let Some(number) = cursor.next() {
                icmp.length_bytes = number.text.trim_end_matches([',', '.', ':', '*']).parse().ok();
                icmp.length_range = (number.start as u32, number.end as u32);
                icmp.end = number.end as u32;
            }
            break;
        }
        let Some(slot) = list.get_mut(used) else { break };
        *slot = Word { text: plain, ..word };
        used += 1;
    }
    let places = list.get(..used).unwrap_or_default();
    let said = list.map(|word| word.text);
    let said = said.get(..used).unwrap_or_default();
    (icmp.kind, icmp.code) = if v6 { icmp6_type(said) } else { icmp4_type(said) }?;
    let by_number = || said.iter().position(|word| word.parse::<std::net::IpAddr>().is_ok());
    let about = receiver(said, v6).or_else(by_number).and_then(|at| places.get(at));
    icmp.quoted = about.and_then(|word| host(*word, v6, Ports::None));
    icmp.quote = quoted(cursor, settings);
    icmp.mtu = mtu(said);
    transport_of_quote(said, &mut icmp);
    if let Some(quote) = icmp.quote {
        icmp.quoted = icmp.quoted.or(Some(quote.destination));
        icmp.quoted_port = icmp.quoted_port.or(quote.destination.port);
        icmp.quoted_protocol = icmp.quoted_protocol.or(quote.ip.protocol);
    }
    Some(icmp)
}

/// Where the receiver of the quoted packet stands, by the words around it: `host NAME unreachable`, `NAME udp port …`,
/// `unreachable port, NAME udp port …`, `unreachable route NAME`, `in-transit for NAME`.
fn receiver(said: &[&str], v6: bool) -> Option<usize> {
    let at = |word: &str| said.iter().position(|said| *said == word);
    if v6 {
        let before = |word: &str, next: &[&str]| {
            let at = said.iter().rposition(|said| *said == word)?;
            let more = usize::from(said.get(at + 1).is_some_and(|word| next.contains(word)));
            (at > 0 && at + more + 1 < said.len()).then_some(at + more + 1)
        };
        return match said {
            ["destination", "unreachable", ..] if at("scope").is_some() => before("scope", &[]),
            ["destination", "unreachable", ..] => {
                before("unreachable", &["port", "route", "prohibited", "address"]).filter(|at| *at > 2)
            }
            ["time", "exceeded", ..] => before("for", &[]),
            _ => None,
        };
    }
    // `host` and `net` are words of the message unless the message ends right behind them.
    let place = match said {
        ["redirect" | "redirect-tos", ..] => 1,
        ["host" | "net", _, "unreachable", ..] => 1,
        [_, "unreachable" | "udp" | "tcp" | "protocol", ..] => 0,
        _ => return None,
    };
    said.get(place).map(|_| place)
}

/// Finds `udp port 53`, `tcp port http`, `protocol 17 port 53` among the words.
fn transport_of_quote(said: &[&str], icmp: &mut Icmp<'_>) {
    for three in said.windows(3) {
        let [first, second, third] = three else { continue };
        match (*first, *second) {
            ("udp", "port") => (icmp.quoted_protocol, icmp.quoted_port) = (Some(17), port(third)),
            ("tcp", "port") => (icmp.quoted_protocol, icmp.quoted_port) = (Some(6), port(third)),
            ("protocol", number) => {
                icmp.quoted_protocol = number.parse().ok();
                let at = said.iter().position(|word| *word == "port");
                icmp.quoted_port = at.and_then(|at| port(said.get(at + 1)?));
            }
            _ => {}
        }
    }
}

/// Finds `need to frag (mtu 1450)`, `packet too big, mtu 1280`; 0 names none (RFC 1191 §4).
fn mtu(said: &[&str]) -> Option<u32> {
    let at = said.iter().position(|word| matches!(*word, "mtu" | "(mtu"))?;
    said.get(at + 1)?.trim_end_matches(')').parse().ok().filter(|mtu| *mtu > 0)
}

/// Reads the packet `-v` prints under an ICMP error.
fn quoted<'a>(mut words: Words<'a>, settings: &Settings) -> Option<Quoted<'a>> {
    let word = words.next()?;
    if !matches!(word.text, "IP" | "IP6") {
        return None;
    }
    let packet = datagram(&mut words, word.text == "IP6")?;
    let is_dns = |port: Option<u16>| port.is_some_and(|port| settings.is_dns_port(port));
    let is_dns = is_dns(packet.source.port) || is_dns(packet.destination.port);
    Some(Quoted {
        ip: packet.ip,
        source: packet.source,
        destination: packet.destination,
        dns: if is_dns { dns::read(words) } else { None },
    })
}

fn has(said: &[&str], phrase: &[&str]) -> bool {
    said.windows(phrase.len()).any(|window| window == phrase)
}

/// Type and code of ICMP for IPv4 (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
fn icmp4_type(said: &[&str]) -> Option<(u8, u8)> {
    let unreachable = said.contains(&"unreachable");
    let of_net = said.first() == Some(&"net");
    let code = if !unreachable {
        return icmp4_other(said);
    } else if has(said, &["admin", "prohibited", "filter"]) {
        13
    } else if has(said, &["admin", "prohibited"]) {
        if of_net { 9 } else { 10 }
    } else if has(said, &["tos", "prohibited"]) {
        if of_net { 11 } else { 12 }
    } else if has(said, &["need", "to", "frag"]) {
        4
    } else if has(said, &["source", "route", "failed"]) {
        5
    } else if has(said, &["source", "host", "isolated"]) {
        8
    } else if has(said, &["precedence", "violation"]) {
        14
    } else if has(said, &["precedence", "cutoff"]) {
        15
    } else if said.contains(&"unknown") {
        if of_net { 6 } else { 7 }
    } else if said.contains(&"port") {
        3
    } else if said.contains(&"protocol") {
        2
    } else if said.last() == Some(&"-") {
        // What follows the dash tells which: it was cut off.
        CODE_NOT_PRINTED
    } else if of_net {
        0
    } else if said.first() == Some(&"host") {
        1
    } else {
        let number = said.first().and_then(|word| word.strip_prefix('#'));
        number.and_then(|number| number.parse().ok())?
    };
    Some((3, code))
}

fn icmp4_other(said: &[&str]) -> Option<(u8, u8)> {
    if has(said, &["echo", "request"]) {
        Some((8, 0))
    } else if has(said, &["echo", "reply"]) {
        Some((0, 0))
    } else if has(said, &["source", "quench"]) {
        Some((4, 0))
    } else if matches!(said.first(), Some(&("redirect" | "redirect-tos"))) {
        let tos = said.first() == Some(&"redirect-tos");
        let host = said.contains(&"host");
        Some((5, u8::from(tos) * 2 + u8::from(host)))
    } else if has(said, &["reassembly", "time", "exceeded"]) {
        Some((11, 1))
    } else if has(said, &["time", "exceeded"]) {
        Some((11, 0))
    } else if has(said, &["parameter", "problem"]) {
        Some((12, 0))
    } else if has(said, &["router", "advertisement"]) {
        Some((9, 0))
    } else if has(said, &["router", "solicitation"]) {
        Some((10, 0))
    } else if has(said, &["time", "stamp", "query"]) {
        Some((13, 0))
    } else if has(said, &["time", "stamp", "reply"]) {
        Some((14, 0))
    } else if has(said, &["address", "mask"]) {
        Some((if said.contains(&"request") { 17 } else { 18 }, 0))
    } else {
        None
    }
}

/// Type and code of ICMPv6 (RFC 4443, RFC 4861).
fn icmp6_type(said: &[&str]) -> Option<(u8, u8)> {
    if has(said, &["destination", "unreachable"]) {
        let code = if has(said, &["unreachable", "route"]) {
            0
        } else if has(said, &["unreachable", "prohibited"]) {
            1
        } else if has(said, &["beyond", "scope"]) {
            2
        } else if has(said, &["unreachable", "address"]) {
            3
        } else if has(said, &["unreachable", "port"]) {
            4
        } else {
            let number = said.iter().find_map(|word| word.strip_prefix('(')?.strip_suffix(')'));
            number.and_then(|number| number.parse().ok()).unwrap_or(CODE_NOT_PRINTED)
        };
        return Some((1, code));
    }
    let table: &[(&[&str], (u8, u8))] = &[
        (&["packet", "too", "big"], (2, 0)),
        (&["time", "exceeded"], (3, u8::from(said.iter().any(|word| word.contains("reassembly"))))),
        (&["parameter", "problem"], (4, 0)),
        (&["echo", "request"], (128, 0)),
        (&["echo", "reply"], (129, 0)),
        (&["multicast", "listener", "query"], (130, 0)),
        (&["multicast", "listener", "report", "v2"], (143, 0)),
        (&["multicast", "listener", "report"], (131, 0)),
        (&["multicast", "listener", "done"], (132, 0)),
        (&["router", "solicitation"], (133, 0)),
        (&["router", "advertisement"], (134, 0)),
        (&["neighbor", "solicitation"], (135, 0)),
        (&["neighbor", "advertisement"], (136, 0)),
        (&["redirect"], (137, 0)),
        // OpenBSD's tcpdump and versions up to 3.9.
        (&["udp", "port"], (1, 4)),
        (&["tcp", "port"], (1, 4)),
        (&["unreachable", "route"], (1, 0)),
        (&["unreachable", "prohibited"], (1, 1)),
        (&["beyond", "scope"], (1, 2)),
        (&["unreachable", "address"], (1, 3)),
        (&["too", "big"], (2, 0)),
        (&["neighbor", "sol"], (135, 0)),
        (&["neighbor", "adv"], (136, 0)),
    ];
    table.iter().find(|(phrase, _)| has(said, phrase)).map(|(_, kind)| *kind)
}
