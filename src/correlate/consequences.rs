//! What the client did after a failed lookup: retries, other servers, TCP, other names, other protocols, connections.

use std::net::IpAddr;

use super::messages::Messages;
use super::{Consequence, Episode, Evidence, Outcome, options};
use crate::decode::{Address, dns};
use crate::index::segment::{DnsKind, flags};
use crate::index::{Packet, PacketId, Segment};
use crate::time::{self, Nanos};

/// Episodes whose consequences are looked for, in order; beyond them a flood makes each one alike.
const EPISODES_MAX: usize = 256;
/// Packets looked at for all episodes together.
const PACKETS_MAX: usize = 4_000_000;
/// Different questions about one name this close together belong to one lookup.
const SIBLINGS_NS: Nanos = 2_000_000_000;
/// Frames cited for one consequence.
const FRAMES_MAX: usize = 12;
/// Addresses of answers remembered for one episode.
const ADDRESSES_MAX: usize = 64;
/// Records read of one answer.
const RECORDS_MAX: usize = 64;

/// Fills in the consequences of the first episodes.
pub(super) fn find(messages: &Messages<'_>, evidence: &mut Evidence) {
    let mut budget = PACKETS_MAX;
    let episodes = std::mem::take(&mut evidence.episodes);
    let mut done = Vec::with_capacity(episodes.len());
    let all = episodes.len();
    for (at, mut episode) in episodes.into_iter().enumerate() {
        if at < EPISODES_MAX && budget > 0 {
            episode.consequences = of_episode(messages, evidence, &episode, &mut budget);
        }
        done.push(episode);
    }
    if all > EPISODES_MAX || budget == 0 {
        let looked = done.iter().filter(|episode| !episode.consequences.is_empty()).count();
        evidence.notes.push(format!("Consequences were looked for in the first {looked} of {all} episodes."));
    }
    evidence.episodes = done;
}

/// What is known of one episode while its aftermath is read.
struct Aftermath<'e, 'i> {
    messages: &'e Messages<'i>,
    evidence: &'e Evidence,
    episode: &'e Episode,
    /// The name without final dot, lower-cased.
    name: String,
    ids: Vec<u16>,
    types: Vec<u16>,
    /// Addresses the name was answered with, and whether the answer came after the failure.
    addresses: Vec<IpAddr>,
    asked_with_options: bool,
    found: Vec<Consequence>,
}

fn of_episode(
    messages: &Messages<'_>,
    evidence: &Evidence,
    episode: &Episode,
    budget: &mut usize,
) -> Vec<Consequence> {
    let window_ns = evidence.parameters.consequence_window_ns;
    let tries = episode.transactions.iter().flat_map(|id| evidence.tries(*id)).take(FRAMES_MAX);
    let queries: Vec<Packet<'_>> = tries.filter_map(|query| messages.index.packet(query)).collect();
    let mut aftermath = Aftermath {
        messages,
        evidence,
        episode,
        name: episode.name.trim_end_matches('.').to_ascii_lowercase(),
        ids: queries.iter().filter_map(|query| Some(query.dns()?.header.id)).collect(),
        types: queries.iter().filter_map(|query| Some(query.dns()?.qtype)).collect(),
        addresses: Vec::new(),
        asked_with_options: queries.iter().any(|query| has_options(messages, query)),
        found: Vec::new(),
    };
    aftermath.same_server_again();
    let until_ns = episode.last_ns.saturating_add(window_ns);
    aftermath.read_until(until_ns, budget);
    let only_repeats = |found: &Consequence| found.code == "C1" && !found.text.contains(": answered");
    if aftermath.found.iter().all(only_repeats) {
        let (code, text) = if messages.last_ns >= until_ns {
            ("C9", "gave up as far as this capture shows: nothing more names the host".to_owned())
        } else {
            let left = time::span((messages.last_ns - episode.last_ns).max(0));
            ("C10", format!("undetermined: the capture ends {left} after the last packet of the failure"))
        };
        aftermath.found.push(Consequence { code, text, frames: Vec::new() });
    }
    aftermath.found.sort_by_key(|consequence| order(consequence.code));
    aftermath.found
}

fn order(code: &str) -> u32 {
    code.trim_start_matches('C').parse().unwrap_or(u32::MAX)
}

fn has_options(messages: &Messages<'_>, query: &Packet<'_>) -> bool {
    query.dns().is_some_and(|row| options::read(messages.bytes(row)).is_some())
}

impl Aftermath<'_, '_> {
    /// C1 from the episode's own attempts: how long after each failure the same server was asked again.
    fn same_server_again(&mut self) {
        let ends = |id| {
            let transaction = self.evidence.transaction(id)?;
            let end = transaction.error.or(transaction.answer).unwrap_or(transaction.last);
            let question = self.messages.index.packet(transaction.first)?.dns()?.question;
            Some((transaction.first, end, question))
        };
        let attempts: Vec<_> = self.episode.transactions.iter().filter_map(|id| ends(*id)).collect();
        let mut gaps = Vec::new();
        let mut frames = Vec::new();
        for pair in attempts.windows(2) {
            let [(before, end, asked), (next, _, asks)] = pair else { continue };
            let apart_ns = self.messages.time_ns(*next) - self.messages.time_ns(*before);
            // A and AAAA of one lookup are siblings, not a second try.
            if asked != asks && apart_ns <= SIBLINGS_NS {
                continue;
            }
            gaps.push(self.messages.time_ns(*next) - self.messages.time_ns(*end));
            frames.push(*next);
        }
        let retries: u32 = self
            .episode
            .transactions
            .iter()
            .filter_map(|id| self.evidence.transaction(*id))
            .map(|transaction| u32::from(transaction.tries) - 1)
            .sum();
        if gaps.is_empty() && retries == 0 {
            return;
        }
        frames.truncate(FRAMES_MAX);
        let mut parts = Vec::new();
        if let (Some(shortest), Some(longest)) = (gaps.iter().min(), gaps.iter().max()) {
            let range = if gaps.len() <= 3 {
                gaps.iter().map(|gap| format!("{} s", time::seconds(*gap))).collect::<Vec<_>>().join(" and ")
            } else {
                format!("{} to {} s", time::seconds(*shortest), time::seconds(*longest))
            };
            parts.push(format!("asked the same server again {range} after the failure before"));
        }
        if retries > 0 {
            parts.push(format!("retransmitted {retries} times"));
            for id in &self.episode.transactions {
                frames.extend(self.evidence.tries(*id).into_iter().skip(1));
            }
            frames.truncate(FRAMES_MAX);
        }
        self.found.push(Consequence { code: "C1", text: parts.join("; "), frames });
    }

    fn add(&mut self, code: &'static str, text: String, frames: &[PacketId]) {
        let known = self.found.iter_mut().find(|known| known.code == code && known.text == text);
        match known {
            Some(known) => {
                known.frames.extend_from_slice(frames);
                known.frames.truncate(FRAMES_MAX);
            }
            None => self.found.push(Consequence { code, text, frames: frames.to_vec() }),
        }
    }

    /// Reads the client's packets from the episode's first frame to the end of the window.
    fn read_until(&mut self, until_ns: Nanos, budget: &mut usize) {
        let Some(first) = self.episode.frames.first().copied() else { return };
        let client = self.episode.client;
        for segment in self.messages.index.segments() {
            let end = segment.base.0 + segment.len() as u32;
            if end <= first.0 {
                continue;
            }
            if *budget == 0 || segment.time_ns.first().is_some_and(|time_ns| *time_ns > until_ns) {
                return;
            }
            let Some(position) = segment.addresses.iter().position(|address| *address == client) else {
                continue;
            };
            let from = first.0.saturating_sub(segment.base.0) as usize;
            *budget = budget.saturating_sub(segment.len() - from);
            let rows = segment.source_address.iter().enumerate().skip(from);
            for (row, _) in rows.filter(|(_, source)| **source as usize == position) {
                if segment.time_ns.get(row).is_some_and(|time_ns| *time_ns > until_ns) {
                    return;
                }
                self.one(segment, row);
            }
        }
    }

    fn one(&mut self, segment: &Segment, row: usize) {
        let column = |values: &[u16]| values.get(row).copied().unwrap_or_default();
        let bits = column(&segment.flags);
        let (transport, port) = (segment.transport.get(row).copied(), column(&segment.destination_port));
        let opens = segment.tcp_flags.get(row).is_some_and(|flags| flags & 0x12 == 0x02);
        let id = PacketId(segment.base.0 + row as u32);
        let interesting = bits & flags::DNS_QUERY != 0
            || transport == Some(6)
            || transport == Some(17) && matches!(port, 137 | 443 | 853);
        if !interesting || self.episode.frames.binary_search(&id).is_ok() || self.evidence.is_duplicate(id) {
            return;
        }
        let Some(packet) = self.messages.index.packet(id) else { return };
        if bits & flags::DNS_QUERY != 0 {
            self.query(&packet);
        } else if transport == Some(6) && opens {
            self.opened(&packet);
        } else if transport == Some(17) {
            self.datagram(&packet);
        } else if transport == Some(6) && matches!(port, 80 | 443) {
            self.named_in_stream(&packet);
        }
    }

    /// A later query of the client.
    fn query(&mut self, packet: &Packet<'_>) {
        let Some(row) = packet.dns() else { return };
        let wire = packet.segment.names.get(row.name).unwrap_or_default();
        let name = dns::presentation(wire).trim_end_matches('.').to_ascii_lowercase();
        let same_name = name == self.name;
        let server = packet.destination_address();
        if row.kind != DnsKind::Dns {
            if first_label(&name) == first_label(&self.name) {
                let how = if row.kind == DnsKind::Llmnr { "LLMNR" } else { "mDNS" };
                self.add("C6", format!("asked its neighbours for the name by {how}"), &[packet.id]);
            }
            return;
        }
        if !same_name {
            if related(&name, &self.name) && packet.time_ns() >= self.episode.first_ns {
                let name = crate::text::escape(&dns::presentation(wire));
                self.add("C5", format!("asked for the related name {name}"), &[packet.id]);
            }
            return;
        }
        let result = self.result(packet.id);
        self.learn(packet.id);
        let mut frames = vec![packet.id];
        frames.extend(result.1);
        let other_server = server != self.episode.server.0;
        if packet.transport() == 6 && self.episode.transport != 6 && !other_server {
            self.add("C3", format!("asked the same server over TCP: {}", result.0), &frames);
        } else if other_server {
            self.add("C2", format!("asked another server, {server}: {}", result.0), &frames);
        } else if self.ids.contains(&row.header.id) {
            self.add("C1", format!("repeated the query from another port: {}", result.0), &frames);
        } else {
            let sibling = !self.types.contains(&row.qtype);
            let what = if sibling { "another record type of the name" } else { "the name again" };
            let text = format!("asked the same server for {what}: {}", result.0);
            self.add(if sibling { "C5" } else { "C1" }, text, &frames);
        }
        if self.asked_with_options && !has_options(self.messages, packet) {
            self.add("C4", "repeated the query without EDNS".to_owned(), &[packet.id]);
        }
    }

    /// How a later query ended, and the frame that ended it.
    fn result(&self, query: PacketId) -> (&'static str, Option<PacketId>) {
        let transaction = self.evidence.transaction_of(query).and_then(|id| self.evidence.transaction(id));
        let Some(transaction) = transaction else { return ("not matched", None) };
        match transaction.outcome {
            Outcome::Answered | Outcome::Late if transaction.response_code == 0 => {
                ("answered", transaction.answer)
            }
            Outcome::Answered | Outcome::Late if transaction.response_code == 3 => {
                ("answered: the name does not exist", transaction.answer)
            }
            Outcome::Answered | Outcome::Late => ("answered with an error", transaction.answer),
            Outcome::Refused => ("refused by ICMP", transaction.error),
            Outcome::Undetermined => ("no answer before the capture ends", None),
            Outcome::Truncated => ("truncated", transaction.answer),
            Outcome::TcpReset => ("connection reset", None),
            Outcome::NoAnswer | Outcome::CoveredByRateLimit => ("no answer", None),
        }
    }

    /// Remembers the addresses the name was answered with.
    fn learn(&mut self, query: PacketId) {
        let transaction = self.evidence.transaction_of(query).and_then(|id| self.evidence.transaction(id));
        let answer = transaction.and_then(|transaction| transaction.answer);
        let Some(packet) = answer.and_then(|answer| self.messages.index.packet(answer)) else { return };
        let Some(row) = packet.dns() else { return };
        for address in addresses(self.messages.bytes(row)) {
            if self.addresses.len() < ADDRESSES_MAX && !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
    }

    /// A SYN of the client.
    fn opened(&mut self, packet: &Packet<'_>) {
        let (server, port) = (packet.destination_address(), packet.destination_port());
        if port == 53 {
            if server == self.episode.server.0 && self.episode.transport != 6 {
                let connection =
                    self.evidence.connections.iter().find(|connection| connection.first == packet.id);
                let how = match connection {
                    Some(connection) if connection.is_refused() => "refused by reset",
                    Some(connection) if connection.accepted.is_some() => "accepted",
                    Some(connection) if connection.is_silent() => "no reply",
                    _ => "seen in part",
                };
                self.add("C3", format!("opened TCP to port 53 of the same server: {how}"), &[packet.id]);
            }
        } else if port == 853 {
            self.add(
                "C7",
                format!("opened a connection to {server} port 853 (possibly DNS over TLS)"),
                &[packet.id],
            );
        } else {
            self.connected(packet, server, port);
        }
    }

    fn connected(&mut self, packet: &Packet<'_>, server: Address, port: u16) {
        if server.ip().is_some_and(|ip| self.addresses.contains(&ip)) {
            let text = format!("connected to {server} port {port}, an address the name was answered with");
            self.add("C8", text, &[packet.id]);
        }
    }

    fn datagram(&mut self, packet: &Packet<'_>) {
        let (server, port) = (packet.destination_address(), packet.destination_port());
        match port {
            443 => self.connected(packet, server, port),
            853 => self.add(
                "C7",
                format!("sent UDP to {server} port 853 (possibly DNS over QUIC)"),
                &[packet.id],
            ),
            _ => {
                let payload = packet.decode();
                let encoded = netbios(first_label(&self.name));
                if payload.payload().windows(encoded.len()).any(|window| window == encoded.as_slice()) {
                    self.add("C6", "asked its neighbours for the name by NetBIOS".to_owned(), &[packet.id]);
                }
            }
        }
    }

    /// A TLS server name or HTTP host equal to the name: the client knew the address from elsewhere.
    fn named_in_stream(&mut self, packet: &Packet<'_>) {
        let decoded = packet.decode();
        let payload = decoded.payload();
        let host = server_name(payload).or_else(|| http_host(payload));
        if host.is_some_and(|host| host.eq_ignore_ascii_case(self.name.as_bytes())) {
            let to = packet.destination_address();
            self.add("C8", format!("named the host to {to} in its request"), &[packet.id]);
        }
    }
}

fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

/// Whether one name is the other with labels in front or a search suffix behind.
fn related(name: &str, failed: &str) -> bool {
    let longer = |long: &str, short: &str| {
        !short.is_empty()
            && short.contains('.')
            && (long.strip_suffix(short).is_some_and(|rest| rest.ends_with('.'))
                || long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.')))
    };
    longer(name, failed) || longer(failed, name)
}

/// First-level encoding of a NetBIOS name, without its suffix (RFC 1001 §14.1).
fn netbios(label: &str) -> Vec<u8> {
    let letters = label.bytes().take(15).map(|byte| byte.to_ascii_uppercase());
    letters.flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]).collect()
}

/// The addresses of the answer section.
fn addresses(message: &[u8]) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let Some(first) = dns::read(message) else { return found };
    let mut at = first.question_end;
    for _ in 0..usize::from(first.header.counts[1]).min(RECORDS_MAX) {
        let Ok((_, fixed)) = dns::read_name(message, at) else { break };
        let Some([kind_high, kind_low, _, _, _, _, _, _, high, low]) =
            message.get(fixed..fixed + 10).and_then(|bytes| bytes.first_chunk::<10>())
        else {
            break;
        };
        let data = fixed + 10;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(bytes) = message.get(data..data + length) else { break };
        match u16::from_be_bytes([*kind_high, *kind_low]) {
            1 => found.extend(bytes.first_chunk::<4>().map(|octets| IpAddr::from(*octets))),
            28 => found.extend(bytes.first_chunk::<16>().map(|octets| IpAddr::from(*octets))),
            _ => {}
        }
        at = data + length;
    }
    found
}

/// The server name of a TLS ClientHello in one segment (RFC 8446 §4.1.2, RFC 6066 §3).
fn server_name(payload: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| -> Option<usize> {
        payload.get(at..at + 2)?.first_chunk::<2>().map(|pair| usize::from(u16::from_be_bytes(*pair)))
    };
    if payload.first() != Some(&22) || payload.get(5) != Some(&1) {
        return None;
    }
    let mut at = 43 + 1 + usize::from(*payload.get(43)?);
    at += 2 + word(at)?;
    at += 1 + usize::from(*payload.get(at)?);
    let end = at + 2 + word(at)?;
    at += 2;
    while at + 4 <= end {
        let length = word(at + 2)?;
        if word(at)? == 0 {
            let name = word(at + 7)?;
            return payload.get(at + 9..at + 9 + name);
        }
        at += 4 + length;
    }
    None
}

fn http_host(payload: &[u8]) -> Option<&[u8]> {
    let methods: [&[u8]; 4] = [b"GET ", b"POST ", b"HEAD ", b"PUT "];
    if !methods.iter().any(|method| payload.starts_with(method)) {
        return None;
    }
    let lines = payload.split(|byte| *byte == b'\n');
    let line =
        lines.take(64).find(|line| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:")))?;
    let host = line.get(5..)?.trim_ascii();
    host.split(|byte| *byte == b':').next()
}

impl Episode {
    /// What became of the lookup, in the words of reports.
    pub fn verdict(&self) -> &'static str {
        let has = |code: &str, text: &str| {
            self.consequences.iter().any(|c| c.code == code && c.text.contains(text))
        };
        if has("C2", ": answered") || has("C3", ": answered") {
            "resolved elsewhere"
        } else if self.recovery.is_some() || has("C1", ": answered") {
            "recovered"
        } else if has("C8", "named the host") {
            "reached the site without visible DNS"
        } else if has("C9", "") {
            "gave up as far as this capture shows"
        } else {
            "undetermined"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn www_and_search_suffixes_are_related_names() {
        assert!(related("www.shop.example", "shop.example"));
        assert!(related("shop.example.corp.example", "shop.example"));
        assert!(!related("workshop.example", "shop.example"));
    }

    #[test]
    fn a_cut_client_hello_gives_no_name() {
        let mut hello = vec![22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0x13, 1, 1, 0, 0, 14, 0, 0, 0, 10, 0, 8, 0, 0, 5]);
        hello.extend(b"a.b.c");
        assert_eq!(server_name(&hello), Some(b"a.b.c".as_slice()));
        for cut in 0..hello.len() {
            assert_eq!(server_name(&hello[..cut]), None, "{cut}");
        }
    }
}
