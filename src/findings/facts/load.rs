//! Load: queries per second by server, random labels by zone, amplifying questions, answers nobody asked for.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};

use super::{Facts, servers};
use crate::correlate::Outcome;
use crate::decode::Address;
use crate::findings::zones;
use crate::index::{Packet, PacketId};
use crate::time::Nanos;

/// Distinct names counted per zone.
const NAMES_MAX: usize = 1_000_000;
/// Zones followed.
const ZONES_MAX: usize = 50_000;
/// Clients remembered per zone.
const CLIENTS_MAX: usize = 10_000;
/// Example frames kept per zone, client or victim.
const SAMPLES_MAX: usize = 512;
/// Seconds counted per server.
const SECONDS_MAX: usize = 1_000_000;

/// A random-subdomain flood has at least this many queries.
pub const FLOOD_QUERIES_MIN: u64 = 200;
/// Share of distinct names among them, in percent.
pub const FLOOD_UNIQUE_PERCENT: u64 = 90;
/// Share of them without a useful answer, in percent.
pub const FLOOD_FAILED_PERCENT: u64 = 50;
/// The busiest seconds against the usual ones.
pub const RATE_FACTOR: u64 = 10;
/// Below this many queries a second no rate is called high.
pub const RATE_MIN: u64 = 50;
/// Response bytes per query byte from which an exchange amplifies.
pub const AMPLIFICATION_FACTOR: u64 = 10;
/// Amplifying queries of one source from which they count.
pub const AMPLIFYING_MIN: u64 = 50;
/// Unsolicited responses to one host, and resolvers they come from, that make it a victim of reflection.
pub const VICTIM_RESPONSES_MIN: u64 = 20;
/// Responses per distinct question: reflected queries repeat the same few.
pub const VICTIM_REPEATS_MIN: u64 = 5;
/// See [`VICTIM_RESPONSES_MIN`].
pub const VICTIM_RESOLVERS_MIN: usize = 5;

/// Queries for names of one zone at one server.
#[derive(Clone, Debug, Default)]
pub struct ZoneLoad {
    /// Queries.
    pub queries: u64,
    /// Distinct names.
    pub names: u64,
    /// Answered NXDOMAIN or SERVFAIL, or not answered.
    pub failed: u64,
    /// Clients, up to a limit.
    pub clients: BTreeSet<Address>,
    /// Example queries.
    pub samples: Vec<PacketId>,
}

impl ZoneLoad {
    /// Whether it looks like random labels under one zone.
    pub fn is_random_flood(&self) -> bool {
        self.queries >= FLOOD_QUERIES_MIN
            && self.names * 100 >= self.queries * FLOOD_UNIQUE_PERCENT
            && self.failed * 100 >= self.queries * FLOOD_FAILED_PERCENT
    }
}

/// Amplifying questions of one source at one server.
#[derive(Clone, Debug, Default)]
pub struct Amplifying {
    /// Queries of types with large answers.
    pub queries: u64,
    /// Bytes of those queries.
    pub query_bytes: u64,
    /// Bytes of their answers.
    pub answer_bytes: u64,
    /// Distinct questions, up to a limit.
    pub questions: BTreeSet<u64>,
    /// Example queries.
    pub samples: Vec<PacketId>,
}

impl Amplifying {
    /// Whether the answers are so much larger that the source may be forged and the server a reflector.
    pub fn is_reflection(&self) -> bool {
        // A validating resolver or a mail server asks many different such questions, each once.
        let repeated = self.questions.len() as u64 * VICTIM_REPEATS_MIN <= self.queries;
        self.queries >= AMPLIFYING_MIN
            && repeated
            && self.answer_bytes > self.query_bytes * AMPLIFICATION_FACTOR
    }
}

/// Responses to one host that answer none of its queries.
#[derive(Clone, Debug, Default)]
pub struct Unsolicited {
    /// Responses.
    pub responses: u64,
    /// Who sent them.
    pub resolvers: BTreeSet<Address>,
    /// Distinct questions in them, up to a limit.
    pub questions: BTreeSet<u64>,
    /// Example responses.
    pub samples: Vec<PacketId>,
}

impl Unsolicited {
    /// Whether the host looks like the victim of reflection.
    pub fn is_reflection(&self) -> bool {
        // A resolver whose queries were not captured gets answers to many questions, each a few times.
        let repeated = self.questions.len() as u64 * VICTIM_REPEATS_MIN <= self.responses;
        self.responses >= VICTIM_RESPONSES_MIN && self.resolvers.len() >= VICTIM_RESOLVERS_MIN && repeated
    }
}

/// Everything about load.
#[derive(Debug, Default)]
pub struct Load {
    /// By server and zone.
    pub zones: BTreeMap<(Address, String), ZoneLoad>,
    /// By server and source.
    pub amplifying: BTreeMap<(Address, Address), Amplifying>,
    /// By receiver.
    pub unsolicited: BTreeMap<Address, Unsolicited>,
    /// Queries per second by server.
    seconds: BTreeMap<Address, BTreeMap<Nanos, u32>>,
}

/// A rate far above what is usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surge {
    /// Queries in the busiest second.
    pub peak: u64,
    /// The middle number of queries a second in the quiet half.
    pub usual: u64,
    /// Where the busiest second begins.
    pub at_ns: Nanos,
}

impl Load {
    /// The busiest second of a server, when it stands far above the others.
    pub fn surge(&self, server: Address) -> Option<Surge> {
        let seconds = self.seconds.get(&server)?;
        let (first, last) = (*seconds.first_key_value()?.0, *seconds.last_key_value()?.0);
        let (at, peak) = seconds.iter().max_by_key(|(_, count)| **count)?;
        let span = u64::try_from(last - first + 1).ok().filter(|span| *span >= 20)?;
        let mut counts: Vec<u64> = seconds.values().map(|count| u64::from(*count)).collect();
        counts.sort_unstable();
        // The lower quarter of all seconds, empty ones included, is what is usual.
        let empty = span.saturating_sub(counts.len() as u64);
        let quarter = span / 4;
        let usual = quarter
            .checked_sub(empty)
            .and_then(|rank| counts.get(usize::try_from(rank).ok()?).copied())
            .unwrap_or(1)
            .max(1);
        let peak = u64::from(*peak);
        let high = peak >= RATE_MIN && peak >= usual * RATE_FACTOR;
        high.then_some(Surge { peak, usual, at_ns: at * 1_000_000_000 })
    }

    /// The zone with most queries of a server that looks like random labels.
    pub fn random_zone(&self, server: Address) -> Option<(&str, &ZoneLoad)> {
        self.zones
            .iter()
            .filter(|((of, _), load)| *of == server && load.is_random_flood())
            .max_by_key(|(_, load)| load.queries)
            .map(|((_, zone), load)| (zone.as_str(), load))
    }

    /// The source at a server that asks most of what amplifies.
    pub fn reflected(&self, server: Address) -> Option<(Address, &Amplifying)> {
        self.amplifying
            .iter()
            .filter(|((of, _), amplifying)| *of == server && amplifying.is_reflection())
            .max_by_key(|(_, amplifying)| amplifying.queries)
            .map(|((_, source), amplifying)| (*source, amplifying))
    }
}

/// The zone number of names that are looked up as in a table.
const TABLE: u32 = u32::MAX;

/// Zone numbers by segment and name position, so that a name is cut only once.
#[derive(Default)]
struct ZoneCache {
    known: HashMap<(u32, u32), u32>,
    numbers: HashMap<String, u32>,
    zones: Vec<String>,
}

impl ZoneCache {
    fn zone(&mut self, packet: &Packet<'_>, name: u32) -> Option<u32> {
        let key = (packet.segment.base.0, name);
        if let Some(number) = self.known.get(&key) {
            return Some(*number);
        }
        let wire = packet.segment.names.get(name)?;
        let shown = crate::decode::dns::presentation(wire);
        // Each address has a name of its own in a reverse zone or block list, and most do not exist: no flood.
        if zones::is_table(&shown) {
            self.remember(key, TABLE);
            return Some(TABLE);
        }
        let zone = zones::of(&shown);
        let next = self.zones.len() as u32;
        let number = *self.numbers.entry(zone.clone()).or_insert(next);
        if number == next {
            self.zones.push(zone);
        }
        self.remember(key, number);
        Some(number)
    }

    fn remember(&mut self, key: (u32, u32), number: u32) {
        if self.known.len() < NAMES_MAX {
            self.known.insert(key, number);
        }
    }
}

/// Measures load over all transactions and unsolicited responses.
pub(super) fn measure(facts: &Facts<'_>) -> Load {
    let mut load = Load::default();
    let mut cache = ZoneCache::default();
    let mut by_zone: HashMap<(Address, u32), (ZoneLoad, HashSet<u64>)> = HashMap::new();
    for transaction in &facts.evidence.transactions {
        let Some((client, key)) = servers::key_of(facts, transaction) else { continue };
        let Some(packet) = facts.index.packet(transaction.first) else { continue };
        let seconds = load.seconds.entry(key.0).or_default();
        if seconds.len() < SECONDS_MAX {
            *seconds.entry(packet.time_ns().div_euclid(1_000_000_000)).or_default() +=
                transaction.tries.max(1);
        }
        let Some(row) = packet.dns() else { continue };
        if let Some(zone) = cache.zone(&packet, row.name)
            && zone != TABLE
            && (by_zone.len() < ZONES_MAX || by_zone.contains_key(&(key.0, zone)))
        {
            let (zone_load, names) = by_zone.entry((key.0, zone)).or_default();
            zone_load.queries += 1;
            if names.len() < NAMES_MAX {
                names.insert(row.question);
            }
            let failed =
                transaction.outcome == Outcome::NoAnswer || matches!(transaction.response_code, 2 | 3);
            zone_load.failed += u64::from(failed);
            keep(&mut zone_load.samples, transaction.first);
            if zone_load.clients.len() < CLIENTS_MAX {
                zone_load.clients.insert(client);
            }
        }
        // ANY, TXT, DNSKEY and RRSIG have the largest answers.
        if matches!(row.qtype, 255 | 16 | 48 | 46) && key.2 == 17 {
            let amplifying = load.amplifying.entry((key.0, client)).or_default();
            amplifying.queries += 1;
            if amplifying.questions.len() < NAMES_MAX {
                amplifying.questions.insert(row.question);
            }
            amplifying.query_bytes += u64::from(packet.original());
            let answer = transaction.answer.and_then(|answer| facts.index.packet(answer));
            amplifying.answer_bytes += answer.map_or(0, |answer| u64::from(answer.original()));
            keep(&mut amplifying.samples, transaction.first);
        }
    }
    for ((server, zone), (mut zone_load, names)) in by_zone {
        zone_load.names = names.len() as u64;
        let zone = cache.zones.get(zone as usize).cloned().unwrap_or_default();
        load.zones.insert((server, zone), zone_load);
    }
    for anomaly in facts.evidence.anomalies.iter().filter(|anomaly| anomaly.kind == "unsolicited") {
        let Some(packet) = facts.index.packet(anomaly.packet) else { continue };
        let unsolicited = load.unsolicited.entry(packet.destination_address()).or_default();
        unsolicited.responses += 1;
        unsolicited.resolvers.insert(packet.source_address());
        if unsolicited.questions.len() < SAMPLES_MAX {
            unsolicited.questions.extend(packet.dns().map(|row| row.question));
        }
        keep(&mut unsolicited.samples, anomaly.packet);
    }
    load
}

fn keep(samples: &mut Vec<PacketId>, packet: PacketId) {
    if samples.len() < SAMPLES_MAX {
        samples.push(packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_needs_many_distinct_failing_names() {
        let flood = ZoneLoad { queries: 1000, names: 990, failed: 900, ..ZoneLoad::default() };
        assert!(flood.is_random_flood());
        assert!(!ZoneLoad { names: 40, ..flood.clone() }.is_random_flood());
        assert!(!ZoneLoad { failed: 10, ..flood }.is_random_flood());
    }

    #[test]
    fn a_surge_is_measured_against_the_quiet_seconds() {
        let server = Address::V4(std::net::Ipv4Addr::new(203, 0, 113, 2));
        let mut load = Load::default();
        let seconds = load.seconds.entry(server).or_default();
        for second in 0..60 {
            seconds.insert(second, if (30..40).contains(&second) { 400 } else { 8 });
        }
        let surge = load.surge(server).unwrap();
        assert_eq!((surge.peak, surge.usual), (400, 8));
        load.seconds.entry(server).or_default().values_mut().for_each(|count| *count = 400);
        assert_eq!(load.surge(server), None);
    }
}
