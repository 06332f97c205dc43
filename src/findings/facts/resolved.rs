//! Which failed connections went to an address that DNS had given just before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Connection, Ending, Facts, Meaning};
use crate::decode::{Address, answers};
use crate::index::PacketId;
use crate::index::segment::DnsKind;
use crate::time::Nanos;

/// Responses read for their addresses.
const RESPONSES_MAX: usize = 200_000;
/// A SYN unanswered for this long is silence.
const SYN_WATCH_NS: Nanos = 3_000_000_000;

/// A connection that failed although its name had been resolved.
#[derive(Clone, Debug)]
pub struct SiteFailure {
    /// Who was connected to.
    pub site: (Address, u16),
    /// The name that gave the address, presentation form, not escaped.
    pub name: String,
    /// The response that gave it.
    pub answer: PacketId,
    /// The attempts, all failed.
    pub attempts: Vec<Connection>,
    /// An ICMP error about one of them.
    pub error: Option<PacketId>,
    /// The server's last data on a connection that worked meanwhile.
    pub in_use: Option<PacketId>,
}

impl SiteFailure {
    /// How it failed, in words.
    pub fn words(&self) -> &'static str {
        match self.attempts.first().map(|attempt| attempt.ending) {
            _ if self.error.is_some() => "an ICMP error",
            Some(Ending::Refused) => "a reset (RST)",
            Some(Ending::ResetLater) => "a reset after the handshake",
            _ => "silence",
        }
    }

    /// Frames of the answer, the attempts and what ended them.
    pub fn frames(&self) -> Vec<PacketId> {
        let mut frames = vec![self.answer];
        for attempt in &self.attempts {
            frames.extend([Some(attempt.syn), Some(attempt.last_syn), attempt.decided].into_iter().flatten());
        }
        frames.extend(self.error);
        frames.extend(self.in_use);
        frames.sort_unstable();
        frames.dedup();
        frames
    }
}

/// Finds connections that failed at an address DNS had given to the same client; sites with a success are left out.
pub(super) fn failures(facts: &Facts<'_>) -> Vec<SiteFailure> {
    let mut sites: BTreeMap<(Address, u16), Vec<Connection>> = BTreeMap::new();
    let (_, end_ns) = facts.span();
    let mut working: BTreeSet<(Address, u16)> = BTreeSet::new();
    for connection in facts.connections.iter().filter(|connection| !facts.is_dns_port(connection.server.1)) {
        let watched = end_ns - connection.last_syn_ns >= SYN_WATCH_NS;
        match connection.ending {
            Ending::Refused | Ending::ResetLater | Ending::Rejected => {
                sites.entry(connection.server).or_default().push(*connection);
            }
            Ending::Silent if watched => {
                sites.entry(connection.server).or_default().push(*connection);
            }
            Ending::Accepted => {
                working.insert(connection.server);
            }
            Ending::Silent => {}
        }
    }
    if sites.is_empty() {
        return Vec::new();
    }
    let wanted: BTreeSet<Address> = sites.keys().map(|site| site.0).collect();
    let given = given(facts, &wanted);
    let mut failures = Vec::new();
    for (site, attempts) in sites {
        let Some(first) = attempts.first() else { continue };
        // Works most of the time: a single reset is no failing site.
        if working.contains(&site) && !fails_from_some_time(facts, site, &attempts) {
            continue;
        }
        let source = given.iter().find(|given| {
            given.address == site.0 && given.client == first.client.0 && given.time_ns <= first.time_ns
        });
        if let Some(given) = source {
            let error = attempts.iter().find_map(|attempt| error_about(facts, attempt));
            let period_ns = (first.time_ns, attempts.iter().map(|a| a.last_syn_ns).max().unwrap_or(0));
            let working = facts.in_use(site, period_ns).and_then(|own| own.from_server.last);
            failures.push(SiteFailure {
                site,
                name: given.name.clone(),
                answer: given.packet,
                attempts,
                error,
                in_use: working.map(|seen| seen.packet),
            });
        }
    }
    failures
}

/// Whether all attempts from the first failure on failed, at least two of them.
fn fails_from_some_time(facts: &Facts<'_>, site: (Address, u16), attempts: &[Connection]) -> bool {
    let Some(from_ns) = attempts.first().map(|attempt| attempt.time_ns) else { return false };
    let worked_since = facts
        .connections
        .iter()
        .filter(|c| c.server == site && c.ending == Ending::Accepted && c.time_ns >= from_ns)
        .count();
    attempts.len() >= 2 && worked_since * 4 <= attempts.len()
}

/// The unreachable message about a SYN.
fn error_about(facts: &Facts<'_>, connection: &Connection) -> Option<PacketId> {
    let about =
        |packet: Option<PacketId>| packet == Some(connection.syn) || packet == Some(connection.last_syn);
    facts
        .errors
        .iter()
        .find(|error| about(error.about) && !matches!(error.meaning, Meaning::TooBig | Meaning::Other))
        .map(|error| error.packet)
}

struct Given {
    address: Address,
    client: Address,
    name: String,
    packet: PacketId,
    time_ns: Nanos,
}

/// The answers that gave one of the wanted addresses.
fn given(facts: &Facts<'_>, wanted: &BTreeSet<Address>) -> Vec<Given> {
    let mut given = Vec::new();
    let responses = facts
        .index
        .dns_rows()
        .filter(|row| row.is_response() && row.kind == DnsKind::Dns && row.header.counts.get(1) > Some(&0))
        .take(RESPONSES_MAX);
    for row in responses {
        let Some(packet) = facts.index.packet(row.packet) else { continue };
        // A printed answer does not repeat the question: its query names it.
        let query =
            || facts.evidence.transaction(facts.evidence.transaction_of(row.packet)?).map(|t| t.first);
        // An address is the name's only through its chain of aliases.
        let addresses = if packet.is_text() {
            packet.answer_addresses()
        } else {
            answers::addresses(packet.message(row))
        };
        let wire = packet.segment.names.get(row.name);
        let name = || wire.map(crate::decode::dns::presentation).or_else(|| facts.name_of(query()?));
        for address in addresses.into_iter().map(|ip| Address::from(ip).at(packet.source.site)) {
            if wanted.contains(&address) {
                given.push(Given {
                    address,
                    client: packet.destination_address(),
                    name: name().unwrap_or_default(),
                    packet: row.packet,
                    time_ns: packet.time_ns(),
                });
            }
        }
    }
    given
}
