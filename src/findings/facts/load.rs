//! Load: queries per second by server, random labels by zone, amplifying questions, answers nobody asked for.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::asked::{self, Asked};
use super::{Ending, Facts};
use crate::correlate::hosts::Place;
use crate::correlate::{AnomalyKind, Outcome, Transaction};
use crate::decode::Address;
use crate::findings::{Input, zones};
use crate::index::{PacketId, Segment};
use crate::time::Nanos;

/// Distinct names counted per zone.
const NAMES_MAX: usize = 1_000_000;
/// Zones followed.
const ZONES_MAX: usize = 50_000;
/// Clients remembered per zone.
const CLIENTS_MAX: usize = 10_000;
/// Example frames kept per zone, client or victim.
const SAMPLES_MAX: usize = 512;
/// Distinct questions kept per amplifying source; one that asks more is no reflection.
const QUESTIONS_MAX: usize = 1_024;
/// Seconds counted per server.
const SECONDS_MAX: usize = 1_000_000;

/// A random-subdomain flood has at least this many queries.
pub const FLOOD_QUERIES_MIN: u64 = 200;
/// Share of distinct names among them, in percent.
pub const FLOOD_UNIQUE_PERCENT: u64 = 90;
/// Share of them without a useful answer, in percent.
pub const FLOOD_FAILED_PERCENT: u64 = 50;
/// Addresses that asked hardly anything from which a surge has forged sources, or as good as.
const FORGED_MIN: usize = 200;
/// Their share of all clients, in percent.
const FORGED_PERCENT: usize = 80;
/// What such an address asked at most.
const FORGED_QUERIES_MAX: u32 = 3;
/// Random names of one client from which the sources are not forged, one each.
const BUSY_MIN: u64 = 40;
/// A client with fewer random names than this part of the busiest one's asks on its own behalf.
const BUSY_ONE_IN: u64 = 20;
/// The same as a number.
const FLOODER_MIN: u64 = 10;
/// The busiest seconds against the usual ones.
pub const RATE_FACTOR: u64 = 10;
/// Below this many queries a second no rate is called high.
pub const RATE_MIN: u64 = 50;
/// Response bytes per query byte from which an exchange amplifies.
pub const AMPLIFICATION_FACTOR: u64 = 5;
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
    /// Clients, up to a limit, with the names that they alone asked for and all they asked for.
    pub clients: BTreeMap<Address, Names>,
    /// When the first and the last name was asked that only one client asked for.
    pub span_ns: Option<(Nanos, Nanos)>,
    /// Example queries.
    pub samples: Vec<PacketId>,
}

/// The names one client asked for in a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Those that nobody else asked for.
    pub own: u64,
    /// Questions.
    pub all: u64,
    /// Those without a useful answer.
    pub failed: u64,
}

impl ZoneLoad {
    /// Questions of some clients, and those without a useful answer.
    pub fn of(&self, clients: &[Address]) -> (u64, u64) {
        let own = clients.iter().filter_map(|client| self.clients.get(client));
        own.fold((0, 0), |sum, names| (sum.0 + names.all, sum.1 + names.failed))
    }

    /// Who sends the random names: clients of which at least half the names are nobody else's, and of whose names there are not far
    /// fewer than of the busiest one's.
    pub fn flooders(&self) -> Vec<Address> {
        let most = self.clients.values().map(|names| names.own).max().unwrap_or(0);
        let least = if most >= BUSY_MIN { (most / BUSY_ONE_IN).max(FLOODER_MIN) } else { 1 };
        let floods = |names: &Names| names.own >= least && names.own * 2 >= names.all;
        self.clients.iter().filter(|(_, names)| floods(names)).map(|(client, _)| *client).collect()
    }

    /// Whether it looks like random labels under one zone.
    pub fn is_random_flood(&self) -> bool {
        self.queries >= FLOOD_QUERIES_MIN
            && self.names * 100 >= self.queries * FLOOD_UNIQUE_PERCENT
            && self.is_failing()
    }

    fn is_failing(&self) -> bool {
        self.failed * 100 >= self.queries * FLOOD_FAILED_PERCENT
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
    /// When the first and the last of them was asked.
    pub span_ns: Option<(Nanos, Nanos)>,
    /// Example queries.
    pub samples: Vec<PacketId>,
    /// Answers that the source refused by ICMP errors.
    pub refused: Vec<PacketId>,
    /// Something shows that the source itself asks: see `facts::load::victims`.
    pub is_real: bool,
}

impl Amplifying {
    /// Whether the source may be forged and the server a reflector: the answers are so much larger, and the source refuses them, or
    /// nothing else is heard of it while it asks at a rate no client has.
    pub fn is_reflection(&self) -> bool {
        self.is_suspect() && !self.is_real && (!self.refused.is_empty() || self.is_fast())
    }

    /// Whether it asks faster than clients do.
    fn is_fast(&self) -> bool {
        let Some((from, to)) = self.span_ns else { return false };
        let span = u64::try_from(to - from).unwrap_or(0);
        self.queries.saturating_mul(1_000_000_000) >= span.saturating_mul(RATE_MIN)
    }

    /// Whether few questions are repeated whose answers are far larger.
    fn is_suspect(&self) -> bool {
        // A validating resolver or a mail server asks many different such questions, each once.
        let repeated = self.questions.len() < QUESTIONS_MAX
            && self.questions.len() as u64 * VICTIM_REPEATS_MIN <= self.queries;
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
    /// The host asked none of those resolvers anything in the capture.
    pub never_asked: bool,
    /// Example responses.
    pub samples: Vec<PacketId>,
}

impl Unsolicited {
    /// Whether the host looks like the victim of reflection.
    pub fn is_reflection(&self) -> bool {
        // A resolver whose queries were not captured gets answers to many questions, each a few times.
        let repeated = self.questions.len() as u64 * VICTIM_REPEATS_MIN <= self.responses;
        let several = self.resolvers.len() >= VICTIM_RESOLVERS_MIN;
        let enough = if several { VICTIM_RESPONSES_MIN } else { VICTIM_RESPONSES_OF_FEW_MIN };
        self.responses >= enough && repeated && (several || self.never_asked)
    }
}

/// Responses of few resolvers that make a victim, where it asked none of them anything.
const VICTIM_RESPONSES_OF_FEW_MIN: u64 = 50;

/// Everything about load.
#[derive(Debug, Default)]
pub struct Load {
    /// By server and zone.
    pub zones: BTreeMap<(Address, String), ZoneLoad>,
    /// By server and source.
    pub amplifying: BTreeMap<(Address, Address), Amplifying>,
    /// By receiver.
    pub unsolicited: BTreeMap<Address, Unsolicited>,
    /// Who sends floods, by server; see [`Load::flooders`].
    flooders: BTreeMap<Address, Vec<Address>>,
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

    /// Who sends a flood at a server: sources of random names, or of a surge from very many addresses those that asked hardly anything.
    pub fn flooders(&self, server: Address) -> &[Address] {
        self.flooders.get(&server).map(Vec::as_slice).unwrap_or_default()
    }

    /// The zone with most queries of a server that looks like random labels.
    pub fn random_zone(&self, server: Address) -> Option<(&str, &ZoneLoad)> {
        self.zones
            .range((server, String::new())..)
            .take_while(|((of, _), _)| *of == server)
            .filter(|(_, load)| load.is_random_flood())
            .max_by_key(|(_, load)| load.queries)
            .map(|((_, zone), load)| (zone.as_str(), load))
    }

    /// The source at a server that asks most of what amplifies.
    pub fn reflected(&self, server: Address) -> Option<(Address, &Amplifying)> {
        self.amplifying
            .range((server, Address::None)..)
            .take_while(|((of, _), _)| *of == server)
            .filter(|(_, amplifying)| amplifying.is_reflection())
            .max_by_key(|(_, amplifying)| amplifying.queries)
            .map(|((_, source), amplifying)| (*source, amplifying))
    }
}

/// The zone number of names that are looked up as in a table.
const TABLE: u32 = u32::MAX;
/// The zone number of a name not seen yet.
const UNSEEN: u32 = u32::MAX - 1;

/// Zone numbers by name position of one segment, so that a name is cut only once there.
#[derive(Default)]
struct ZoneCache {
    base: Option<PacketId>,
    of_name: Vec<u32>,
    numbers: HashMap<Vec<u8>, u32>,
    zones: Vec<String>,
}

impl ZoneCache {
    fn zone(&mut self, segment: &Segment, name: u32) -> Option<u32> {
        if self.base != Some(segment.base) {
            self.base = Some(segment.base);
            self.of_name.clear();
            self.of_name.resize(segment.names.len(), UNSEEN);
        }
        let slot = self.of_name.get_mut(name as usize)?;
        if *slot != UNSEEN {
            return Some(*slot);
        }
        // Each address has a name of its own in a reverse zone or block list, and most do not exist: no flood.
        *slot = match zones::of_wire(segment.names.get(name)?) {
            None => TABLE,
            Some(zone) => {
                let next = self.numbers.len() as u32;
                *self.numbers.entry_ref(zone).or_insert_with(|| {
                    self.zones.push(crate::decode::dns::presentation(zone));
                    next
                })
            }
        };
        Some(*slot)
    }
}

/// Queries of the second that is being counted, by server; transactions stand in order of time.
#[derive(Default)]
struct Second {
    at: Nanos,
    queries: u32,
}

/// Measures load over all transactions and unsolicited responses.
pub(super) fn measure(input: &Input<'_>) -> Load {
    let mut load = Load::default();
    let mut cache = ZoneCache::default();
    let mut by_zone: HashMap<(Address, u32), ZoneLoad> = HashMap::new();
    let mut seconds: HashMap<Address, Second> = HashMap::new();
    let mut amplifying: HashMap<(Address, Address), Amplifying> = HashMap::new();
    for asked in asked::all(input) {
        let (server, row, transaction) = (asked.server, asked.row, asked.transaction);
        count_second(&mut load, &mut seconds, &asked);
        if let Some(zone) = cache.zone(asked.segment, row.name).filter(|zone| *zone != TABLE)
            && (by_zone.len() < ZONES_MAX || by_zone.contains_key(&(server.0, zone)))
        {
            let zone_load = by_zone.entry((server.0, zone)).or_default();
            zone_load.queries += 1;
            zone_load.failed += u64::from(is_failed(transaction));
        }
        if is_large(row.qtype) && server.2 == 17 {
            amplified(amplifying.entry((server.0, asked.client)).or_default(), input, &asked);
        }
    }
    for (server, second) in seconds {
        *load.seconds.entry(server).or_default().entry(second.at).or_default() += second.queries;
    }
    load.amplifying.extend(amplifying);
    // Names are counted only where so many queries failed that it may be a flood.
    by_zone.retain(|_, zone| zone.queries >= FLOOD_QUERIES_MIN && zone.is_failing());
    for ((server, zone), zone_load) in distinct(input, by_zone, &mut cache) {
        let zone = cache.zones.get(zone as usize).cloned().unwrap_or_default();
        load.zones.insert((server, zone), zone_load);
    }
    unsolicited(&mut load, input);
    load.flooders = forged(&load, input);
    let servers: BTreeSet<Address> = load.zones.keys().map(|(server, _)| *server).collect();
    for server in servers {
        if let Some((_, zone)) = load.random_zone(server) {
            let flooders = zone.flooders();
            load.flooders.insert(server, flooders);
        }
    }
    load
}

/// Of servers with a surge the clients that asked hardly anything, where nearly all are such.
fn forged(load: &Load, input: &Input<'_>) -> BTreeMap<Address, Vec<Address>> {
    let surging: BTreeSet<Address> =
        load.seconds.keys().filter(|server| load.surge(**server).is_some()).copied().collect();
    let mut asked_by: HashMap<(Address, Address), u32> = HashMap::new();
    if surging.is_empty() {
        return BTreeMap::new();
    }
    for asked in asked::all(input).filter(|asked| surging.contains(&asked.server.0)) {
        *asked_by.entry((asked.server.0, asked.client)).or_default() += 1;
    }
    let mut found: BTreeMap<Address, (usize, Vec<Address>)> = BTreeMap::new();
    for ((server, client), count) in asked_by {
        let (all, few) = found.entry(server).or_default();
        *all += 1;
        if count <= FORGED_QUERIES_MAX {
            few.push(client);
        }
    }
    let forged = |(server, (all, mut few)): (Address, (usize, Vec<Address>))| {
        few.sort_unstable();
        (few.len() >= FORGED_MIN && few.len() * 100 >= all * FORGED_PERCENT).then_some((server, few))
    };
    found.into_iter().filter_map(forged).collect()
}

/// Whether a question brought nothing of use.
fn is_failed(transaction: &Transaction) -> bool {
    transaction.outcome == Outcome::NoAnswer || matches!(transaction.response_code, 2 | 3)
}

fn count_second(load: &mut Load, seconds: &mut HashMap<Address, Second>, asked: &Asked<'_>) {
    let at = asked.time_ns.div_euclid(1_000_000_000);
    let second = seconds.entry(asked.server.0).or_default();
    if second.at != at && second.queries > 0 {
        let counted = load.seconds.entry(asked.server.0).or_default();
        if counted.len() < SECONDS_MAX {
            *counted.entry(second.at).or_default() += second.queries;
        }
        second.queries = 0;
    }
    second.at = at;
    second.queries += asked.transaction.tries.max(1);
}

fn amplified(amplifying: &mut Amplifying, input: &Input<'_>, asked: &Asked<'_>) {
    amplifying.queries += 1;
    if amplifying.questions.len() < QUESTIONS_MAX {
        amplifying.questions.insert(asked.row.question);
    }
    let (from, to) = amplifying.span_ns.unwrap_or((asked.time_ns, asked.time_ns));
    amplifying.span_ns = Some((from.min(asked.time_ns), to.max(asked.time_ns)));
    amplifying.query_bytes += u64::from(asked.original);
    let answer = asked.transaction.answer.and_then(|answer| input.index.packet(answer));
    // Of an answer in fragments only the last one is this packet.
    let bytes = |answer: crate::index::Packet<'_>| {
        let message = answer.dns().map_or(0, |row| u32::from(row.length));
        u64::from(answer.original().max(message))
    };
    amplifying.answer_bytes += answer.map_or(0, bytes);
    keep(&mut amplifying.samples, asked.transaction.first);
}

/// Tells sources that ask themselves from those that others may ask in the name of: they go on over TCP, which no forged address
/// can, stand at the capture point, or ask for other things as well; and counts the answers that a source refuses.
pub(super) fn victims(facts: &mut Facts<'_>) {
    let suspects: BTreeSet<Address> = facts
        .load
        .amplifying
        .iter()
        .filter(|(_, own)| own.is_suspect())
        .map(|((_, source), _)| *source)
        .collect();
    if suspects.is_empty() {
        return;
    }
    let mut real: BTreeSet<Address> =
        suspects.iter().copied().filter(|source| facts.evidence.place(*source) == Place::Here).collect();
    let opened =
        facts.connections.iter().filter(|own| matches!(own.ending, Ending::Accepted | Ending::ResetLater));
    real.extend(opened.map(|own| own.client.0).filter(|client| suspects.contains(client)));
    let mut others: BTreeMap<Address, u64> = BTreeMap::new();
    for asked in asked::all(&facts.input()).filter(|asked| suspects.contains(&asked.client)) {
        if asked.server.2 == 6 && asked.transaction.answer.is_some() {
            real.insert(asked.client);
        } else if !is_large(asked.row.qtype) {
            *others.entry(asked.client).or_default() += 1;
        }
    }
    let mut refused: BTreeMap<(Address, Address), Vec<PacketId>> = BTreeMap::new();
    for error in facts.errors.iter().filter(|error| error.is_about_response()) {
        let Some(quoted) = error.quoted.filter(|_| suspects.contains(&error.source)) else { continue };
        refused.entry((quoted.source.0, error.source)).or_default().push(error.packet);
    }
    for (key, own) in &mut facts.load.amplifying {
        own.refused = refused.remove(key).unwrap_or_default();
        let asks_others = others.get(&key.1).is_some_and(|others| *others > 0) && own.refused.is_empty();
        own.is_real = real.contains(&key.1) || asks_others;
    }
}

/// ANY, TXT, DNSKEY and RRSIG have the largest answers.
fn is_large(qtype: u16) -> bool {
    matches!(qtype, 255 | 16 | 48 | 46)
}

/// Counts the distinct names and the clients of these zones.
fn distinct(
    input: &Input<'_>,
    mut by_zone: HashMap<(Address, u32), ZoneLoad>,
    cache: &mut ZoneCache,
) -> HashMap<(Address, u32), ZoneLoad> {
    if by_zone.is_empty() {
        return by_zone;
    }
    // Who asked for each name; `None` where several did.
    let mut names: HashMap<(u32, Address, u64), (Option<Address>, Nanos)> = HashMap::new();
    for asked in asked::all(input) {
        let Some(zone) = cache.zone(asked.segment, asked.row.name) else { continue };
        let Some(zone_load) = by_zone.get_mut(&(asked.server.0, zone)) else { continue };
        keep(&mut zone_load.samples, asked.transaction.first);
        let key = (zone, asked.server.0, asked.row.question);
        let is_full = names.len() >= NAMES_MAX;
        match names.get_mut(&key) {
            Some((by, _)) if *by != Some(asked.client) => *by = None,
            Some(_) => {}
            None if !is_full => {
                names.insert(key, (Some(asked.client), asked.time_ns));
                zone_load.names += 1;
            }
            None => {}
        }
        if zone_load.clients.len() < CLIENTS_MAX || zone_load.clients.contains_key(&asked.client) {
            let own = zone_load.clients.entry(asked.client).or_default();
            own.all += 1;
            own.failed += u64::from(is_failed(asked.transaction));
        }
    }
    for ((zone, server, _), (by, at_ns)) in names {
        let Some((zone_load, by)) = by_zone.get_mut(&(server, zone)).zip(by) else { continue };
        if let Some(own) = zone_load.clients.get_mut(&by) {
            own.own += 1;
        }
        let (from, to) = zone_load.span_ns.unwrap_or((at_ns, at_ns));
        zone_load.span_ns = Some((from.min(at_ns), to.max(at_ns)));
    }
    by_zone
}

fn unsolicited(load: &mut Load, input: &Input<'_>) {
    for anomaly in input.evidence.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::Unsolicited)
    {
        let Some(packet) = input.index.packet(anomaly.packet) else { continue };
        let unsolicited = load.unsolicited.entry(packet.destination_address()).or_default();
        unsolicited.responses += 1;
        unsolicited.resolvers.insert(packet.source_address());
        if unsolicited.questions.len() < SAMPLES_MAX {
            unsolicited.questions.extend(packet.dns().map(|row| row.question));
        }
        keep(&mut unsolicited.samples, anomaly.packet);
    }
    if load.unsolicited.is_empty() {
        return;
    }
    for unsolicited in load.unsolicited.values_mut() {
        unsolicited.never_asked = true;
    }
    for asked in asked::all(input) {
        if let Some(unsolicited) = load.unsolicited.get_mut(&asked.client) {
            unsolicited.never_asked &= !unsolicited.resolvers.contains(&asked.server.0);
        }
    }
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
    fn who_asks_for_what_others_ask_for_sends_no_flood() {
        let address = |last| Address::V4(std::net::Ipv4Addr::new(192, 0, 2, last));
        let names = |own, all| Names { own, all, failed: 0 };
        let clients = [(1, names(900, 910)), (2, names(850, 850)), (3, names(0, 12)), (4, names(2, 3))];
        let clients = clients.into_iter().map(|(last, names)| (address(last), names)).collect();
        let load = ZoneLoad { clients, ..ZoneLoad::default() };
        assert_eq!(load.flooders(), [address(1), address(2)]);
        // Forged sources ask for one name each.
        let clients = (1..200).map(|last| (address(last), names(1, 1))).chain([(address(250), names(0, 9))]);
        let load = ZoneLoad { clients: clients.collect(), ..ZoneLoad::default() };
        assert_eq!(load.flooders().len(), 199);
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
