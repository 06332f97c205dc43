//! Servers that cut answers which would have fitted, or ask for a cookie instead of answering: a limit on the rate of responses
//! (RRL), which lets TCP and clients with a cookie through.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::{Facts, ServerKey, asked};
use crate::correlate::{Outcome, Problem, Signature};
use crate::decode::{Address, dns};
use crate::findings::hypotheses::thresholds::LIMITED_MIN;
use crate::findings::rules::counted;
use crate::findings::zones;
use crate::index::PacketId;
use crate::index::segment::{DnsKind, DnsRow};

/// Cut answers, and whole ones to the same questions, that are read.
const READ_MAX: usize = 100_000;
/// Bytes a query without EDNS takes over UDP (RFC 1035 §4.2.1).
const PLAIN_BYTES: u16 = 512;
/// The IP protocol number of UDP.
const UDP: u8 = 17;
/// BADCOOKIE (RFC 7873 §8).
const BAD_COOKIE: u8 = 23;
/// The option COOKIE (RFC 7873 §4).
const COOKIE: u16 = 10;
/// NXDOMAIN (RFC 1035 §4.1.1).
const NAME_ERROR: u8 = 3;
/// The part of a cookie that the client makes (RFC 7873 §4).
const CLIENT_COOKIE_BYTES: usize = 8;

/// What a server did that limits how often it answers.
#[derive(Clone, Debug)]
pub struct Limited {
    /// Who.
    pub server: ServerKey,
    /// Cut answers to questions whose answer fits what the query offered.
    pub cut: Vec<PacketId>,
    /// Answers that ask for a cookie (BADCOOKIE) to questions that were answered whole to queries with as little of one.
    pub cookies: Vec<PacketId>,
    /// Who got either.
    pub clients: BTreeSet<Address>,
    /// Answers to such questions that came whole over UDP.
    pub whole: usize,
    /// Bytes of the largest that came over TCP; `None` where none did.
    pub over_tcp: Option<u16>,
    /// Denials of other names of the zones of cut denials that came whole over UDP, and the bytes of the largest.
    pub denials: Option<(usize, u16)>,
    /// Cut answers after which TCP brought the whole one.
    pub rescued: usize,
    /// Questions of those over UDP that got no answer at all.
    pub silent: u64,
}

impl Limited {
    /// The packets that show it.
    pub fn frames(&self) -> Vec<PacketId> {
        self.cut.iter().chain(&self.cookies).copied().collect()
    }

    /// `198.51.100.53 cut 12 answers (TC) over UDP that fit (whole 20 times over UDP, 90 bytes at most over TCP) and left 9 questions
    /// unanswered: response rate limiting (RRL) does so`.
    pub fn statement(&self) -> String {
        let mut fits = Vec::new();
        if self.whole > 0 {
            fits.push(format!("whole {} over UDP", counted(self.whole, "time", "times")));
        }
        if let Some(bytes) = self.over_tcp {
            fits.push(format!("{bytes} bytes at most over TCP"));
        }
        if let Some((times, bytes)) = self.denials {
            fits.push(format!(
                "denials of other names of the zone whole {} over UDP, {bytes} bytes at most",
                counted(times, "time", "times")
            ));
        }
        let silent = match self.silent {
            0 => String::new(),
            some => format!(" and left {} unanswered", counted(some as usize, "question", "questions")),
        };
        let rescued = match self.rescued {
            0 => String::new(),
            some => format!("; TCP brought the whole answer {}", counted(some, "time", "times")),
        };
        let mut ways = Vec::new();
        if !self.cut.is_empty() {
            ways.push(format!("cut {} (TC) over UDP that fit", counted(self.cut.len(), "answer", "answers")));
        }
        if !self.cookies.is_empty() {
            let times = counted(self.cookies.len(), "time", "times");
            ways.push(format!("asked {times} for a cookie (BADCOOKIE) instead of answering"));
        }
        let clients: Vec<Address> = self.clients.iter().copied().collect();
        format!(
            "{} {} ({}){silent}, all to {}: response rate limiting (RRL) does so{rescued}",
            self.server.0,
            ways.join(" and "),
            fits.join(", "),
            crate::findings::rules::clients(&clients)
        )
    }

    /// Whether a failure is what the limit left unanswered, and only those felt it whom it is for.
    pub fn explains(&self, problem: &Problem) -> bool {
        problem.server == (self.server.0, self.server.1)
            && problem.transport == self.server.2
            && problem.signature == Signature::NoAnswer
            && problem.clients.iter().all(|client| self.clients.contains(client))
    }
}

/// What a query offers that decides how its answer looks: the size of UDP payload (RFC 6891 §6.2.3), and whether it brings the
/// server's cookie back (RFC 7873 §4).
type Offer = (Option<u16>, bool);

/// An answer that was cut, or asks for a cookie.
struct Cut {
    question: u64,
    offer: Offer,
    packet: PacketId,
    client: Address,
    is_cookie: bool,
    rescued: bool,
    /// The zone of a name that is denied: all denials of one zone are about as large.
    denied: Option<String>,
}

/// What a query offers.
fn offer(facts: &Facts<'_>, query: PacketId) -> Offer {
    let read = || {
        let query = facts.index.packet(query)?;
        let message = dns::read(query.message(query.dns()?))?;
        let extension = message.extension()?;
        let options = message.bytes.get(extension.data..extension.end)?;
        Some((Some(extension.udp_size), brings_cookie(options)))
    };
    read().unwrap_or_default()
}

/// Whether options hold a cookie that the server made (RFC 7873 §4: more than the eight bytes of the client).
fn brings_cookie(mut options: &[u8]) -> bool {
    while let Some(([c, d, l, m], rest)) = options.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([*l, *m]));
        if u16::from_be_bytes([*c, *d]) == COOKIE {
            return length > CLIENT_COOKIE_BYTES;
        }
        options = rest.get(length..).unwrap_or_default();
    }
    false
}

/// The servers that limit their responses.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Limited> {
    let mut cut = cut(facts);
    cut.retain(|_, all| all.len() >= LIMITED_MIN);
    if cut.is_empty() {
        return Vec::new();
    }
    let mut whole: HashMap<(ServerKey, u64, Offer), usize> = HashMap::new();
    let mut over_tcp: HashMap<(ServerKey, u64), u16> = HashMap::new();
    let mut silent: HashMap<(ServerKey, Address), u64> = HashMap::new();
    let mut denials: HashMap<(ServerKey, String), (usize, u16)> = HashMap::new();
    let deniers: BTreeSet<ServerKey> = cut
        .iter()
        .filter(|(_, all)| all.iter().any(|own| own.denied.is_some()))
        .map(|(server, _)| *server)
        .collect();
    let wanted: hashbrown::HashSet<(ServerKey, u64)> =
        cut.iter().flat_map(|(server, all)| all.iter().map(|own| (*server, own.question))).collect();
    let input = facts.input();
    for own in asked::all(&input).take(READ_MAX) {
        let (address, port, transport) = own.server;
        let server = (address, port, UDP);
        // What is dropped is counted for who is limited, whatever it asked.
        if own.transaction.outcome == Outcome::NoAnswer && transport == UDP && cut.contains_key(&server) {
            *silent.entry((server, own.client)).or_default() += 1;
        }
        let is_wanted = wanted.contains(&(server, own.row.question));
        let may_deny = transport == UDP && deniers.contains(&server);
        if !is_wanted && !may_deny {
            continue;
        }
        let Some(row) = own.transaction.answer.and_then(|answer| facts.index.packet(answer)?.dns()) else {
            continue;
        };
        if may_deny && is_denial(row) && !row.header.is_truncated() {
            if let Some(zone) = zone_of(facts, own.transaction.first) {
                let known = denials.entry((server, zone)).or_default();
                *known = (known.0 + 1, known.1.max(row.length));
            }
            continue;
        }
        if !is_wanted || row.header.is_truncated() || row.header.response_code() != 0 {
            continue;
        }
        if transport == UDP {
            let key = (server, own.row.question, offer(facts, own.transaction.last));
            *whole.entry(key).or_default() += 1;
        } else if row.length > 0 {
            let least = over_tcp.entry((server, own.row.question)).or_insert(row.length);
            *least = (*least).max(row.length);
        }
    }
    let limited = |(server, all): (ServerKey, Vec<Cut>)| {
        let whole_of = |own: &Cut| whole.get(&(server, own.question, own.offer)).copied();
        let tcp_of = |own: &Cut| {
            let bytes = *over_tcp.get(&(server, own.question)).filter(|_| !own.is_cookie)?;
            (bytes <= own.offer.0.unwrap_or(PLAIN_BYTES).max(PLAIN_BYTES)).then_some(bytes)
        };
        let denials_of = |own: &Cut| {
            let (times, bytes) = *denials.get(&(server, own.denied.clone()?))?;
            (bytes <= own.offer.0.unwrap_or(PLAIN_BYTES).max(PLAIN_BYTES)).then_some((times, bytes))
        };
        let fits = |own: &&Cut| whole_of(own).is_some() || tcp_of(own).is_some() || denials_of(own).is_some();
        let fitting: Vec<&Cut> = all.iter().filter(fits).collect();
        let mut zones: Vec<&String> = fitting.iter().filter_map(|own| own.denied.as_ref()).collect();
        zones.sort_unstable();
        zones.dedup();
        let whole_denials = zones
            .iter()
            .filter_map(|zone| denials.get(&(server, (*zone).clone())))
            .fold((0, 0), |sum, own| (sum.0 + own.0, sum.1.max(own.1)));
        let mut kinds: Vec<(u64, Offer)> = fitting.iter().map(|own| (own.question, own.offer)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let clients: BTreeSet<Address> = fitting.iter().map(|own| own.client).collect();
        let of = |is_cookie: bool| {
            fitting.iter().filter(|own| own.is_cookie == is_cookie).map(|own| own.packet).collect()
        };
        let told = Limited {
            server,
            cut: of(false),
            cookies: of(true),
            whole: kinds.iter().filter_map(|(question, size)| whole.get(&(server, *question, *size))).sum(),
            over_tcp: fitting.iter().filter_map(|own| tcp_of(own)).max(),
            denials: (whole_denials.0 > 0).then_some(whole_denials),
            rescued: fitting.iter().filter(|own| own.rescued && !own.is_cookie).count(),
            silent: clients.iter().filter_map(|client| silent.get(&(server, *client))).sum(),
            clients,
        };
        // One whole answer may be the one that a smaller zone gave before.
        let is_seen = fitting.len() >= LIMITED_MIN
            && (told.whole + whole_denials.0 >= LIMITED_MIN || told.over_tcp.is_some());
        is_seen.then_some(told)
    };
    cut.into_iter().filter_map(limited).collect()
}

/// The cut answers over UDP, and those that ask for a cookie, by server.
fn cut(facts: &Facts<'_>) -> BTreeMap<ServerKey, Vec<Cut>> {
    let mut found: BTreeMap<ServerKey, Vec<Cut>> = BTreeMap::new();
    let rows = facts.index.segments().iter().flat_map(|segment| &segment.dns);
    let rows = rows.filter(|row| row.is_response() && row.kind == DnsKind::Dns && is_slip(row));
    for row in rows.take(READ_MAX) {
        let Some(answer) = facts.index.packet(row.packet).filter(|packet| packet.transport() == UDP) else {
            continue;
        };
        let own = facts.evidence.transaction_of(row.packet).and_then(|id| facts.evidence.transaction(id));
        let Some(own) = own.filter(|own| own.answer == Some(row.packet)) else { continue };
        let Some(question) = own.question(facts.index).map(|row| row.question).filter(|hash| *hash != 0)
        else {
            continue;
        };
        found.entry((answer.source_address(), answer.source_port(), UDP)).or_default().push(Cut {
            question,
            offer: offer(facts, own.last),
            packet: row.packet,
            client: answer.destination_address(),
            is_cookie: !row.header.is_truncated(),
            rescued: own.outcome == Outcome::Answered,
            denied: is_denial(row).then(|| zone_of(facts, own.first)).flatten(),
        });
    }
    found
}

/// Whether an answer denies a name.
fn is_denial(row: &DnsRow) -> bool {
    row.header.response_code() == NAME_ERROR
}

/// The zone of the name a query asks for, as guessed from the name.
fn zone_of(facts: &Facts<'_>, query: PacketId) -> Option<String> {
    zones::common(&[facts.name_of(query)?]).into_iter().next()
}

/// Whether an answer is what a limit sends instead of the whole one. Of BADCOOKIE (23) the header holds the lower bits, YXRRSET (7),
/// which answers no question; the upper ones may be cut off (RFC 6891 §6.1.3).
fn is_slip(row: &DnsRow) -> bool {
    row.header.is_truncated() || row.header.opcode() == 0 && row.header.response_code() == BAD_COOKIE & 0xf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_the_server_is_longer_than_that_of_the_client() {
        let client = [0, 3, 0, 0, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        let mut server = client.to_vec();
        server[7] = 24;
        server.extend([9; 16]);
        assert!(!brings_cookie(&client));
        assert!(brings_cookie(&server));
        assert!(!brings_cookie(&[0, 10, 0]));
    }
}
