//! What the client did after a failed lookup: retries, other servers, TCP, other names, other protocols, connections.

mod attempts;
mod earlier;
pub(super) mod requests;

use std::net::IpAddr;

use rayon::prelude::*;

use super::messages::Messages;
use super::{Consequence, Episode, Evidence, Outcome, clock, encrypted};
use crate::decode::dns;
use crate::index::segment::{DnsKind, flags};
use crate::index::{Index, Packet, PacketId, Segment};
use crate::time::{self, Nanos};
use attempts::{Attempts, Ending, Seen, Why};
use earlier::Earlier;

/// Episodes whose consequences are looked for, in order; beyond them a flood makes each one alike.
const EPISODES_MAX: usize = 256;
/// Packets looked at for all episodes together.
const PACKETS_MAX: usize = 4_000_000;
/// Frames cited for one consequence.
const FRAMES_MAX: usize = 12;
/// Addresses of answers remembered for one episode.
const ADDRESSES_MAX: usize = 64;

/// What clients did after the first episodes.
#[derive(Default)]
pub(super) struct Consequences {
    /// By position of the episode.
    pub found: Vec<Vec<Consequence>>,
    /// Where others were left out.
    pub note: Option<String>,
}

impl Consequences {
    /// Looks for it in the packets `evidence` is about.
    pub fn look(index: &Index, evidence: &Evidence) -> Self {
        let clock = clock::check(index, &mut Evidence::default());
        find(&Messages::new(index, &clock), evidence, &evidence.episodes)
    }
}

fn find(messages: &Messages<'_>, evidence: &Evidence, episodes: &[Episode]) -> Consequences {
    let all = episodes.len();
    let first = episodes.get(..EPISODES_MAX).unwrap_or(episodes);
    let earlier = Earlier::new(messages, evidence, first);
    let mut left = PACKETS_MAX;
    let mut budgets = Vec::with_capacity(first.len());
    for episode in first {
        budgets.push(left);
        left = if left == 0 { 0 } else { left.saturating_sub(cost(messages, evidence, episode)) };
    }
    let found = first.par_iter().zip(&budgets).map(|(episode, budget)| {
        if *budget == 0 { Vec::new() } else { of_episode(messages, evidence, episode, &earlier, *budget) }
    });
    let found: Vec<Vec<Consequence>> = found.collect();
    let looked = found.iter().filter(|consequences| !consequences.is_empty()).count();
    let note = (all > EPISODES_MAX || left == 0)
        .then(|| format!("Consequences were looked for in the first {looked} of {all} episodes."));
    Consequences { found, note }
}

/// The segments an episode's aftermath may lie in, each with the row to begin at and the client's place in the dictionary.
fn segments<'i>(
    messages: &Messages<'i>,
    evidence: &Evidence,
    episode: &Episode,
) -> impl Iterator<Item = (&'i Segment, usize, usize)> {
    let until_ns = episode.last_ns.saturating_add(evidence.parameters.consequence_window_ns);
    let first = episode.frames.first().copied();
    let client = episode.client;
    let from = first.and_then(|first| messages.index.segment_of(first));
    let segments = from.and_then(|from| messages.index.segments().get(from..)).unwrap_or_default();
    segments
        .iter()
        .take_while(move |segment| segment.time_ns.first().is_none_or(|time_ns| *time_ns <= until_ns))
        .filter_map(move |segment| {
            let client = segment.addresses.iter().position(|address| *address == client)?;
            let from = first.map_or(0, |first| first.0.saturating_sub(segment.base.0)) as usize;
            Some((&**segment, from, client))
        })
}

/// Packets that are looked at for one episode, at most.
fn cost(messages: &Messages<'_>, evidence: &Evidence, episode: &Episode) -> usize {
    segments(messages, evidence, episode).map(|(segment, from, _)| segment.len() - from).sum()
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
    /// Addresses the name was answered with after the failure.
    addresses: Vec<IpAddr>,
    /// Addresses it was answered with before.
    cached: Vec<IpAddr>,
    /// When the first try had failed.
    failed_ns: Nanos,
    attempts: Attempts,
    asked_with_options: bool,
    found: Vec<Consequence>,
}

fn of_episode(
    messages: &Messages<'_>,
    evidence: &Evidence,
    episode: &Episode,
    earlier: &Earlier,
    mut budget: usize,
) -> Vec<Consequence> {
    let window_ns = evidence.parameters.consequence_window_ns;
    let tries = episode.transactions.iter().flat_map(|id| evidence.tries(*id)).take(FRAMES_MAX);
    let queries: Vec<Packet<'_>> = tries.filter_map(|query| messages.index.packet(query)).collect();
    let first = episode.transactions.first().and_then(|id| evidence.transaction(*id));
    let failed = first.and_then(|first| first.error.or(first.answer));
    let mut aftermath = Aftermath {
        messages,
        evidence,
        episode,
        name: episode.name.trim_end_matches('.').to_ascii_lowercase(),
        ids: queries.iter().filter_map(|query| Some(query.dns()?.header.id)).collect(),
        types: queries.iter().filter_map(|query| Some(query.dns()?.qtype)).collect(),
        addresses: Vec::new(),
        cached: earlier.addresses(messages, evidence, episode),
        failed_ns: failed.map_or(episode.first_ns, |frame| messages.time_ns(frame)),
        attempts: Attempts::default(),
        asked_with_options: queries.iter().any(|query| has_options(messages, query)),
        found: Vec::new(),
    };
    aftermath.same_server_again();
    let until_ns = episode.last_ns.saturating_add(window_ns);
    aftermath.read_until(until_ns, &mut budget);
    aftermath.connections();
    aftermath.conclude(until_ns);
    let mut found = aftermath.found;
    found.sort_by_key(|consequence| order(consequence.code));
    for consequence in &mut found {
        consequence.text.shrink_to_fit();
        consequence.frames.shrink_to_fit();
    }
    // Most episodes have one, and a vector begins with room for four.
    found.shrink_to_fit();
    found
}

fn order(code: &str) -> u32 {
    code.trim_start_matches('C').parse().unwrap_or(u32::MAX)
}

fn has_options(messages: &Messages<'_>, query: &Packet<'_>) -> bool {
    let message = query.dns().and_then(|row| dns::read(messages.bytes(row)));
    message.is_some_and(|message| message.extension().is_some())
}

impl Aftermath<'_, '_> {
    /// C1 from the episode's own attempts: how long after each failure the same server was asked again.
    fn same_server_again(&mut self) {
        let ends = |id| {
            let transaction = self.evidence.transaction(id)?;
            let end = transaction.error.or(transaction.answer).unwrap_or(transaction.last);
            let question = transaction.question(self.messages.index)?.question;
            Some((transaction.first, end, question))
        };
        let attempts: Vec<_> = self.episode.transactions.iter().filter_map(|id| ends(*id)).collect();
        // No gap is known across a step of the clock.
        let timed = |before, after| {
            self.messages.index.has_times() && !self.messages.is_set_back_between(before, after)
        };
        let mut gaps = Vec::new();
        let mut frames = Vec::new();
        for pair in attempts.windows(2) {
            let [(before, end, asked), (next, _, asks)] = pair else { continue };
            let apart_ns = self.messages.time_ns(*next) - self.messages.time_ns(*before);
            // A and AAAA of one lookup are siblings, not a second try.
            if asked != asks && apart_ns <= super::lookups::SIBLINGS_NS {
                continue;
            }
            let gap_ns = self.messages.time_ns(*next) - self.messages.time_ns(*end);
            gaps.push((timed(*end, *next) && gap_ns >= 0).then_some(gap_ns));
            frames.push(*next);
        }
        let retries: u32 = self
            .episode
            .transactions
            .iter()
            .filter_map(|id| self.evidence.transaction(*id))
            .map(|transaction| transaction.tries.saturating_sub(1))
            .sum();
        if gaps.is_empty() && retries == 0 {
            return;
        }
        frames.truncate(FRAMES_MAX);
        let mut parts = Vec::new();
        let all: Option<Vec<Nanos>> = gaps.iter().copied().collect();
        let gaps = all.unwrap_or_else(|| {
            parts.push(String::from("asked the same server again"));
            Vec::new()
        });
        if let (Some(shortest), Some(longest)) = (gaps.iter().min(), gaps.iter().max()) {
            let range = if gaps.len() <= 3 {
                let spans: Vec<String> = gaps.iter().map(|gap| time::seconds(*gap)).collect();
                match spans.split_last() {
                    Some((last, before)) if !before.is_empty() => {
                        format!("{} and {last} s", before.join(", "))
                    }
                    _ => format!("{} s", spans.concat()),
                }
            } else if shortest == longest {
                format!("{} s", time::seconds(*longest))
            } else {
                format!("{} to {} s", time::seconds(*shortest), time::seconds(*longest))
            };
            parts.push(format!("asked the same server again {range} after the previous failure"));
        }
        if retries > 0 {
            parts.push(format!("retransmitted {retries} {}", if retries == 1 { "time" } else { "times" }));
            for id in &self.episode.transactions {
                frames.extend(self.evidence.tries(*id).into_iter().skip(1));
            }
            frames.truncate(FRAMES_MAX);
        }
        let success = self.episode.recovery.is_none().then_some(false);
        self.found.push(Consequence { code: "C1", text: parts.join("; "), frames, success });
    }

    fn add(&mut self, code: &'static str, text: String, frames: &[PacketId], success: Option<bool>) {
        let known = self.found.iter_mut().find(|known| known.code == code && known.text == text);
        match known {
            Some(known) => {
                known.frames.extend_from_slice(frames);
                known.frames.truncate(FRAMES_MAX);
            }
            None => self.found.push(Consequence { code, text, frames: frames.to_vec(), success }),
        }
    }

    /// Reads the client's packets from the episode's first frame to the end of the window.
    fn read_until(&mut self, until_ns: Nanos, budget: &mut usize) {
        for (segment, from, position) in segments(self.messages, self.evidence, self.episode) {
            if *budget == 0 {
                return;
            }
            *budget = budget.saturating_sub(segment.len() - from);
            let ends = segment.source_address.iter().zip(&segment.destination_address).enumerate().skip(from);
            for (row, (source, destination)) in ends {
                let (sent, received) = (*source as usize == position, *destination as usize == position);
                if !sent && !received {
                    continue;
                }
                if segment.time_ns.get(row).is_some_and(|time_ns| *time_ns > until_ns) {
                    return;
                }
                if sent {
                    self.sent(segment, row);
                } else if !self.attempts.0.is_empty() {
                    self.received(segment, row);
                }
            }
        }
    }

    /// A packet of the client.
    fn sent(&mut self, segment: &Segment, row: usize) {
        let column = |values: &[u16]| values.get(row).copied().unwrap_or_default();
        let bits = column(&segment.flags);
        let (transport, port) = (segment.transport.get(row).copied(), column(&segment.destination_port));
        let opens = segment.tcp_flags.get(row).is_some_and(|flags| flags & 0x12 == 0x02);
        let id = PacketId(segment.base.0 + row as u32);
        let interesting = bits & flags::DNS_QUERY != 0
            || transport == Some(6)
            || transport == Some(17) && matches!(port, 137 | 443 | 784 | 853 | 8853);
        if !interesting || self.episode.frames.binary_search(&id).is_ok() || self.evidence.is_duplicate(id) {
            return;
        }
        let Some(packet) = self.messages.index.packet(id) else { return };
        if bits & flags::DNS_QUERY != 0 {
            self.query(&packet);
            return;
        }
        if packet.time_ns() < self.failed_ns {
            return;
        }
        if transport == Some(6) && opens {
            self.opened(&packet);
        } else if transport == Some(17) {
            self.datagram(&packet);
        } else if transport == Some(6) && matches!(port, 80 | 443 | 853 | 8080 | 8443) {
            let resolver = self.attempts.data_of_client(&packet, &self.name);
            if matches!(resolver, Some(Seen::Resolver)) {
                let to = packet.destination_address();
                let text =
                    format!("named a public resolver to {to} port {port} (possibly DNS over HTTPS or TLS)");
                self.add("C7", text, &[id], None);
            }
        }
    }

    /// A packet to the client.
    fn received(&mut self, segment: &Segment, row: usize) {
        let id = PacketId(segment.base.0 + row as u32);
        let transport = segment.transport.get(row).copied();
        if !matches!(transport, Some(6 | 17)) || self.evidence.is_duplicate(id) {
            return;
        }
        let Some(packet) = self.messages.index.packet(id) else { return };
        let bits = segment.tcp_flags.get(row).copied().unwrap_or_default();
        self.attempts.reply(&packet, bits, &self.name);
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
                self.add("C6", format!("asked its neighbours for the name by {how}"), &[packet.id], None);
            }
            return;
        }
        if !same_name {
            if related(&name, &self.name) && packet.time_ns() >= self.episode.first_ns {
                let name = dns::presentation(wire);
                self.add("C5", format!("asked for the related name {name}"), &[packet.id], None);
            }
            return;
        }
        let (result, end, success) = self.result(packet.id);
        self.learn(packet.id);
        let mut frames = vec![packet.id];
        frames.extend(end);
        let other_server = server != self.episode.server.0;
        if packet.transport() == 6 && self.episode.transport != 6 && !other_server {
            self.add("C3", format!("asked the same server over TCP: {result}"), &frames, success);
        } else if other_server {
            self.add("C2", format!("asked another server, {server}: {result}"), &frames, success);
        } else if self.ids.contains(&row.header.id) {
            self.add("C1", format!("repeated the query from another port: {result}"), &frames, success);
        } else {
            let sibling = !self.types.contains(&row.qtype);
            let what = if sibling { "another record type of the name" } else { "the name again" };
            let text = format!("asked the same server for {what}: {result}");
            self.add(if sibling { "C5" } else { "C1" }, text, &frames, success);
        }
        if self.asked_with_options && !has_options(self.messages, packet) {
            self.add("C4", format!("repeated the query without EDNS: {result}"), &frames, success);
        }
    }

    /// How a later query ended, the frame that ended it, and whether the client was helped.
    fn result(&self, query: PacketId) -> (&'static str, Option<PacketId>, Option<bool>) {
        let transaction = self.evidence.transaction_of(query).and_then(|id| self.evidence.transaction(id));
        let Some(transaction) = transaction else { return ("not matched", None, None) };
        match transaction.outcome {
            Outcome::Answered | Outcome::Late if transaction.response_code == 0 => {
                ("answered", transaction.answer, Some(true))
            }
            Outcome::Answered | Outcome::Late if transaction.response_code == 3 => {
                ("answered: the name does not exist", transaction.answer, Some(true))
            }
            Outcome::Answered | Outcome::Late => {
                ("refused with an error code", transaction.answer, Some(false))
            }
            Outcome::Refused => ("refused by ICMP", transaction.error, Some(false)),
            Outcome::Undetermined => ("no answer seen, which this capture cannot judge", None, None),
            Outcome::Unreadable => ("answered, with what cannot be read", None, None),
            Outcome::Truncated => ("truncated", transaction.answer, Some(false)),
            Outcome::TcpReset | Outcome::ResetMidway => ("connection reset", None, Some(false)),
            Outcome::RefusedByReset => ("connection refused", None, Some(false)),
            Outcome::Closed => ("connection closed without an answer", None, Some(false)),
            Outcome::Mute => ("accepted over TCP, not answered", None, Some(false)),
            Outcome::NotReceived => ("an answer that did not arrive", transaction.answer, Some(false)),
            Outcome::NoAnswer | Outcome::CoveredByRateLimit => ("no answer", None, Some(false)),
        }
    }

    /// Remembers the addresses the name was answered with.
    fn learn(&mut self, query: PacketId) {
        let transaction = self.evidence.transaction_of(query).and_then(|id| self.evidence.transaction(id));
        let Some(answer) = transaction.and_then(|transaction| transaction.answer) else { return };
        for address in earlier::answered(self.messages, answer) {
            if self.addresses.len() < ADDRESSES_MAX && !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
    }

    /// A SYN of the client.
    fn opened(&mut self, packet: &Packet<'_>) {
        let (server, port) = (packet.destination_address(), packet.destination_port());
        if self.messages.index.settings.is_dns_port(port) {
            if server == self.episode.server.0 && self.episode.transport != 6 {
                // A repeat of a SYN tries the same connection again.
                let connection = self.evidence.connections.of(packet);
                let rejected = connection.filter(|own| own.is_silent()).and_then(|own| {
                    let syns = [own.first, own.syn.unwrap_or(own.first), own.last];
                    let mut errors = syns.iter().flat_map(|syn| self.evidence.errors_about(syn.packet));
                    let error = self.messages.index.packet(errors.next()?)?;
                    // The port columns of ICMP hold type and code.
                    Some(format!("refused by ICMP {}/{}", error.source_port(), error.destination_port()))
                });
                if connection.is_some_and(|own| own.syn.is_some_and(|syn| syn.packet != packet.id)) {
                    return;
                }
                let (how, success) = match connection {
                    _ if rejected.is_some() => (rejected.as_deref().unwrap_or_default(), Some(false)),
                    Some(connection) if connection.is_refused() => ("refused by reset", Some(false)),
                    Some(connection) if connection.is_accepted() => ("accepted", None),
                    Some(connection) if connection.is_silent() => ("no reply", Some(false)),
                    _ => ("seen in part", None),
                };
                let text = format!("opened TCP to port {port} of the same server: {how}");
                self.add("C3", text, &[packet.id], success);
            }
        } else if let Some(what) = encrypted::by_port(packet.transport(), port) {
            let text = format!("opened a connection to {server} port {port} (possibly {what})");
            self.add("C7", text, &[packet.id], None);
        } else {
            self.connected(packet);
        }
    }

    /// The first packet of a connection that may lead to the host.
    fn connected(&mut self, packet: &Packet<'_>) {
        let server = packet.destination_address();
        let Some(ip) = server.ip() else { return };
        if packet.destination_port() == 443
            && (encrypted::is_resolver_address(ip, &packet.source.settings)
                || server == self.episode.server.0)
        {
            let text = format!("connected to the resolver {server} on port 443 (possibly DNS over HTTPS)");
            self.add("C7", text, &[packet.id], None);
        }
        let why = if self.addresses.contains(&ip) {
            Some(Why::Answered)
        } else {
            self.cached.contains(&ip).then_some(Why::Cached)
        };
        if packet.transport() == 6 || why.is_some() {
            self.attempts.of_client(packet, why);
        }
    }

    fn datagram(&mut self, packet: &Packet<'_>) {
        let server = packet.destination_address();
        let port = packet.destination_port();
        if let Some(what) = encrypted::by_port(packet.transport(), port) {
            let text = format!("sent UDP to {server} port {port} (possibly {what})");
            self.add("C7", text, &[packet.id], None);
            return;
        }
        if port == 443 {
            self.connected(packet);
            return;
        }
        let payload = packet.decode();
        let encoded = netbios(first_label(&self.name));
        if memchr::memmem::find(payload.payload(), &encoded).is_some() {
            let text = "asked its neighbours for the name by NetBIOS".to_owned();
            self.add("C6", text, &[packet.id], None);
        }
    }

    /// C8 from the connections followed.
    fn connections(&mut self) {
        for attempt in std::mem::take(&mut self.attempts.0) {
            let Some(why) = attempt.why else { continue };
            let ending = attempt.ending(self.messages.index, self.evidence);
            let over = if attempt.quic { "UDP port" } else { "port" };
            let to = format!("{} {over} {}", attempt.server, attempt.port);
            let what = match why {
                Why::Answered => format!("connected to {to}, an address of a later answer"),
                Why::Cached => format!("connected to {to}, an address of an earlier answer (cache)"),
                Why::ServerName => format!("named the host to {to} in its TLS hello"),
                Why::HttpHost => format!("named the host to {to} in its HTTP request"),
                Why::Certificate => format!("connected to {to}, whose certificate names the host"),
            };
            let ending_known = ending != Ending::Unknown;
            let success = ending.success().filter(|_| ending_known);
            self.add("C8", format!("{what}: {}", ending.words()), &attempt.frames, success);
        }
    }

    /// C9 or C10 where nothing helped the client.
    fn conclude(&mut self, until_ns: Nanos) {
        if self.found.iter().any(|found| found.success == Some(true)) {
            return;
        }
        let last_ns = self.messages.last_ns;
        if last_ns < until_ns {
            let left = time::span((last_ns - self.episode.last_ns).max(0));
            let text = format!("undetermined: the capture ends {left} after the last packet of the failure");
            self.found.push(Consequence { code: "C10", text, frames: Vec::new(), success: None });
        } else if self.found.iter().all(|found| matches!(found.code, "C1" | "C7")) {
            let text = "gave up as far as this capture shows: nothing more names the host".to_owned();
            self.found.push(Consequence { code: "C9", text, frames: Vec::new(), success: Some(false) });
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

/// First-level encoding of a `NetBIOS` name, without its suffix (RFC 1001 §14.1).
fn netbios(label: &str) -> Vec<u8> {
    let letters = label.bytes().take(15).map(|byte| byte.to_ascii_uppercase());
    letters.flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]).collect()
}

impl Episode {
    /// What became of the lookup, in the words of reports, given what its client did next ([`Evidence::consequences`]).
    pub fn verdict(&self, consequences: &[Consequence]) -> &'static str {
        let having = |code: &str, success: Option<bool>| {
            consequences.iter().any(|next| next.code == code && next.success == success)
        };
        let helped = |code: &str| having(code, Some(true));
        let elsewhere = ["C2", "C3", "C4"].into_iter().any(helped);
        // The server may answer again, but for this name the client never learned it.
        let gave_up = having("C9", Some(false));
        let recovered = helped("C1") || self.recovery.is_some() && !gave_up;
        let connection_failed = having("C8", Some(false)) && !having("C8", None) && !helped("C8");
        if (elsewhere || recovered) && connection_failed {
            "DNS worked, but the connection failed"
        } else if elsewhere {
            "resolved elsewhere"
        } else if recovered {
            "recovered"
        } else if helped("C8") {
            "reached the site without visible DNS"
        } else if consequences.is_empty() || having("C10", None) {
            "undetermined"
        } else {
            "gave up as far as this capture shows"
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
}
