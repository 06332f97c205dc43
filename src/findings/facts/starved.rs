//! Secondaries that get no copy of a zone from its primary, and then fail its names: the one they had ran out (RFC 1035 §4.3.5).

use std::collections::{BTreeMap, BTreeSet};

use super::{Connection, Ending, Facts, asked};
use crate::correlate::Declined;
use crate::decode::Address;
use crate::findings::rules::{counted, named, plain_name};
use crate::findings::zones;
use crate::index::PacketId;
use crate::time::{Nanos, clock};

/// Secondaries and zones followed.
const ZONES_MAX: usize = 256;
/// Lookups looked through.
const LOOKUPS_MAX: usize = 500_000;
/// Failed connections to DNS ports looked at.
const CONNECTIONS_MAX: usize = 10_000;
/// Frames kept of each kind.
const CITED_MAX: usize = 64;
/// Opcode NOTIFY (RFC 1996 §3.1).
const NOTIFY: u8 = 4;
/// TYPE of a zone's start of authority: what a secondary asks for before a transfer (RFC 1034 §4.3.5).
const SOA: u16 = 6;
/// SERVFAIL (RFC 1035 §4.1.1).
const SERVFAIL: u16 = 2;
/// IXFR and AXFR (RFC 1995, RFC 5936).
const TRANSFERS: [u16; 2] = [251, 252];

/// One secondary and one zone.
#[derive(Clone, Debug)]
pub struct Starved {
    /// The secondary.
    pub server: Address,
    /// The zone, presentation form.
    pub zone: String,
    /// Who did not give it.
    pub primaries: BTreeSet<Address>,
    /// They refused it; else no connection to them came about.
    pub is_refused: bool,
    /// How often it tried.
    pub times: usize,
    /// The first and the last of them.
    pub span_ns: (Nanos, Nanos),
    /// The first requests, or connections, with what answered them.
    pub asked: Vec<PacketId>,
    /// A notice (NOTIFY) that the zone had changed, before.
    pub notified: Option<(PacketId, Nanos)>,
    /// Authoritative answers for the zone that the secondary gave after the first refusal, until when.
    pub outdated: Option<(usize, PacketId, Nanos)>,
    /// Its SERVFAIL answers for the zone after that.
    pub failed: Vec<PacketId>,
    /// When the first of them came.
    pub failing_ns: Nanos,
}

impl Starved {
    /// `198.51.100.54 asked 198.51.100.53 13 times for a copy of corp.example (transfer), from 17:36:43 to 17:36:59, and was refused …`.
    pub fn statement(&self, facts: &Facts<'_>) -> String {
        let primaries: Vec<Address> = self.primaries.iter().copied().collect();
        let at = |time_ns: Nanos| {
            if facts.index.has_times() { format!(" at {}", clock(time_ns)) } else { String::new() }
        };
        let notified = self.notified.map_or_else(String::new, |(_, at_ns)| {
            format!(", told{} that it had changed (NOTIFY),", at(at_ns))
        });
        let tried = if self.is_refused {
            format!("asked {} {}", named(&primaries), counted(self.times, "time", "times"))
        } else {
            format!("tried {} to {}", counted(self.times, "connection", "connections"), named(&primaries))
        };
        format!(
            "{}{notified} {tried} for the zone {} (transfer) and {}; {}",
            self.server,
            plain_name(&self.zone),
            match (self.is_refused, self.times) {
                (true, _) => "was refused each time",
                (false, 1) => "it did not come about",
                (false, _) => "none came about",
            },
            self.consequence(facts)
        )
    }

    /// `198.51.100.54 gave 28 answers with authority from the copy it had, the last one at 17:36:59, and answered SERVFAIL …`.
    pub fn consequence(&self, facts: &Facts<'_>) -> String {
        let at = |time_ns: Nanos| {
            if facts.index.has_times() {
                format!("at {}", clock(time_ns))
            } else {
                "in the order of packets".to_owned()
            }
        };
        let outdated = self.outdated.map_or_else(String::new, |(number, _, last_ns)| {
            format!(
                "gave {} with authority from the copy it had, the last one {}, and ",
                counted(number, "answer", "answers"),
                at(last_ns)
            )
        });
        format!(
            "{} {outdated}answered names in it with SERVFAIL, the first time {}",
            self.server,
            at(self.failing_ns)
        )
    }

    /// The frames that show it.
    pub fn frames(&self) -> Vec<PacketId> {
        let mut frames = self.asked.clone();
        frames.extend(self.notified.map(|(packet, _)| packet));
        frames.extend(self.outdated.map(|(_, packet, _)| packet));
        frames.extend(self.failed.first());
        frames.sort_unstable();
        frames.dedup();
        frames
    }
}

/// The secondaries that get no copy of a zone and later fail its names.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Starved> {
    let mut found: BTreeMap<(Address, String), Starved> = BTreeMap::new();
    refused(facts, &mut found);
    unreached(facts, &mut found);
    if found.is_empty() {
        return Vec::new();
    }
    let mut renewed: BTreeSet<(Address, String)> = BTreeSet::new();
    let input = facts.input();
    for own in asked::all(&input).take(LOOKUPS_MAX).filter(|own| own.transaction.answer.is_some()) {
        let Some(name) = facts.name_of(own.transaction.first) else { continue };
        let code = own.transaction.response_code;
        if TRANSFERS.contains(&own.row.qtype) {
            let key = (own.client, name);
            if code == 0 && found.get(&key).is_some_and(|starved| starved.span_ns.0 < own.time_ns) {
                renewed.insert(key);
            }
            continue;
        }
        for starved in found.values_mut().filter(|starved| starved.server == own.server.0) {
            let is_notice = own.row.header.opcode() == NOTIFY && name == starved.zone;
            if is_notice && starved.primaries.contains(&own.client) && starved.notified.is_none() {
                starved.notified = Some((own.transaction.first, own.time_ns));
            }
            let inside = own.row.header.opcode() == 0 && zones::is_below(&name, &starved.zone);
            if !inside || own.time_ns < starved.span_ns.0 {
                continue;
            }
            let Some(answer) = own.transaction.answer.and_then(|answer| facts.index.packet(answer)) else {
                continue;
            };
            let is_authoritative = answer.dns().is_some_and(|row| row.header.is_authoritative());
            if code == SERVFAIL {
                if starved.failed.is_empty() {
                    starved.failing_ns = answer.time_ns();
                }
                starved.failed.push(answer.id);
            } else if is_authoritative && starved.failed.is_empty() {
                let number = starved.outdated.map_or(0, |(number, ..)| number);
                starved.outdated = Some((number + 1, answer.id, answer.time_ns()));
            }
        }
    }
    let left = found.into_iter().filter(|(key, own)| !own.failed.is_empty() && !renewed.contains(key));
    left.map(|(_, own)| own).collect()
}

/// Notes one request for a zone that brought nothing.
fn note(
    found: &mut BTreeMap<(Address, String), Starved>,
    (server, primary, zone): (Address, Address, String),
    at_ns: Nanos,
    frames: impl IntoIterator<Item = PacketId>,
    is_refused: bool,
) {
    let starved = found.entry((server, zone.clone())).or_insert_with(|| Starved {
        server,
        zone,
        primaries: BTreeSet::new(),
        is_refused,
        times: 0,
        span_ns: (at_ns, at_ns),
        asked: Vec::new(),
        notified: None,
        outdated: None,
        failed: Vec::new(),
        failing_ns: 0,
    });
    // Who is told no is told that; what else it tried says less.
    if starved.is_refused != is_refused {
        return;
    }
    starved.primaries.insert(primary);
    starved.times += 1;
    starved.span_ns = (starved.span_ns.0.min(at_ns), starved.span_ns.1.max(at_ns));
    if starved.asked.len() < CITED_MAX {
        starved.asked.extend(frames);
    }
}

/// Transfers that were declined.
fn refused(facts: &Facts<'_>, found: &mut BTreeMap<(Address, String), Starved>) {
    if !facts.evidence.transactions.iter().any(|own| own.declined == Some(Declined::Transfer)) {
        return;
    }
    let input = facts.input();
    let declined = asked::all(&input).filter(|own| own.transaction.declined == Some(Declined::Transfer));
    for own in declined.take(LOOKUPS_MAX) {
        if let Some(zone) = facts.name_of(own.transaction.first).filter(|_| found.len() < ZONES_MAX) {
            let frames = [Some(own.transaction.first), own.transaction.answer];
            note(found, (own.client, own.server.0, zone), own.time_ns, frames.into_iter().flatten(), true);
        }
    }
}

/// Connections to a server's DNS port that did not come about, of who is asked itself and had asked that server how new a zone is
/// (SOA), as secondaries do before they copy it.
fn unreached(facts: &Facts<'_>, found: &mut BTreeMap<(Address, String), Starved>) {
    let failed = |own: &&Connection| {
        let ended = matches!(own.ending, Ending::Refused | Ending::Rejected)
            || own.ending == Ending::Silent && own.tries > 1;
        ended && facts.is_dns_port(own.server.1) && facts.servers.keys().any(|key| key.0 == own.client.0)
    };
    let failed: Vec<&Connection> = facts.connections.iter().filter(failed).take(CONNECTIONS_MAX).collect();
    if failed.is_empty() {
        return;
    }
    let pairs: BTreeSet<(Address, Address)> = failed.iter().map(|own| (own.client.0, own.server.0)).collect();
    let mut zones: BTreeMap<(Address, Address), BTreeMap<String, Nanos>> = BTreeMap::new();
    let input = facts.input();
    let refreshes = asked::all(&input).filter(|own| {
        own.row.qtype == SOA
            && own.row.header.opcode() == 0
            && !own.row.header.recursion_desired()
            && own.transaction.answer.is_some()
            && pairs.contains(&(own.client, own.server.0))
    });
    for own in refreshes.take(LOOKUPS_MAX) {
        if let Some(zone) = facts.name_of(own.transaction.first) {
            let pair = (own.client, own.server.0);
            zones.entry(pair).or_default().entry(zone).or_insert(own.time_ns);
        }
    }
    for own in failed {
        let pair = (own.client.0, own.server.0);
        for (zone, since_ns) in zones.get(&pair).into_iter().flatten() {
            if *since_ns <= own.time_ns && found.len() < ZONES_MAX {
                let frames = [Some(own.syn), own.decided];
                let key = (pair.0, pair.1, zone.clone());
                note(found, key, own.time_ns, frames.into_iter().flatten(), false);
            }
        }
    }
}
