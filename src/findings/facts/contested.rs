//! Questions answered twice with different addresses by two devices: one of the answers is not the server's (RFC 5452 §3).

use std::collections::{BTreeMap, BTreeSet};

use super::{Connection, Ending, Facts, records};
use crate::correlate::AnomalyKind;
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// Other answers of the server that the two are compared with.
const OTHERS_MAX: usize = 256;
/// A client connects to what it was given within this time.
const LED_NS: Nanos = 3_000_000_000;
/// Pairs of answers kept of one client and name.
const PAIRS_MAX: usize = 256;

/// What tells one sender from another where the capture was taken: the link address a packet came from, and its TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marks {
    /// Link address of the frame's sender, where the link has any.
    pub link: Option<[u8; 6]>,
    /// TTL or hop limit on arrival.
    pub ttl: u8,
}

/// One question and its two answers.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// The query.
    pub query: PacketId,
    /// The answer that came first: clients take it.
    pub first: PacketId,
    /// The answer that came after it.
    pub second: PacketId,
}

/// The contested answers of one client, server and name.
#[derive(Clone, Debug)]
pub struct Contested {
    /// Who asked.
    pub client: Address,
    /// Who was asked.
    pub server: Address,
    /// The name, presentation form, not escaped.
    pub name: String,
    /// The questions, in order.
    pub pairs: Vec<Pair>,
    /// The addresses the first answers gave, and the later ones.
    pub addresses: (BTreeSet<Address>, BTreeSet<Address>),
    /// What the first and the later answer of the first pair look like.
    pub marks: (Marks, Marks),
    /// The least and the greatest TTL of the first and of the later answers.
    pub ttls: ((u8, u8), (u8, u8)),
    /// The answer that came first looks unlike the other answers of this server, and the later one like them.
    pub first_is_odd: bool,
    /// A connection of the client to an address only the first answers gave.
    pub followed: Option<PacketId>,
    /// Its connections to addresses that only the first, and only the later answers gave: all, and those that failed.
    pub met: [(usize, usize); 2],
}

impl Contested {
    /// What the client's connections to what it was told met, to end a sentence: `; all 3 of its connections to the address of the
    /// first answers failed, none of 2 to that of the later ones`.
    pub fn met(&self) -> String {
        let of = |(all, failed): (usize, usize), which: &str| match (all, failed) {
            (0, _) => None,
            (all, failed) if failed == all => {
                Some(format!("all {all} of its connections to what the {which} answers gave failed"))
            }
            (all, 0) => {
                Some(format!("none of its {all} connections to what the {which} answers gave failed"))
            }
            (all, failed) => {
                Some(format!("{failed} of its {all} connections to what the {which} answers gave failed"))
            }
        };
        let [first, later] = self.met;
        let told: Vec<String> = [of(first, "first"), of(later, "later")].into_iter().flatten().collect();
        if told.is_empty() { String::new() } else { format!("; {}", told.join(", ")) }
    }
}

fn marks(facts: &Facts<'_>, packet: PacketId) -> Option<Marks> {
    let decoded = facts.index.packet(packet)?.decode();
    Some(Marks { link: decoded.link_addresses.map(|links| links.0), ttl: decoded.ttl })
}

fn addresses(facts: &Facts<'_>, answer: PacketId) -> BTreeSet<Address> {
    let read = || {
        let packet = facts.index.packet(answer)?;
        let row = packet.dns()?;
        Some(records::of(&packet, row))
    };
    let found = read().unwrap_or_default().into_iter().filter_map(|record| match record.data {
        records::Data::Address(address) if record.place == records::Place::Answer => Some(address),
        _ => None,
    });
    found.collect()
}

/// Finds the contested answers.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Contested> {
    let mut found: BTreeMap<(Address, Address, String), Contested> = BTreeMap::new();
    let conflicts = facts.evidence.anomalies.iter().filter(|a| a.kind == AnomalyKind::ConflictingAnswer);
    for anomaly in conflicts {
        let Some(first) = anomaly.against else { continue };
        // Captured at two places, the same answer may have been changed on its way.
        let place = |packet| {
            facts.index.segment_of(packet).and_then(|at| facts.index.segments().get(at)).map(|s| s.source)
        };
        let copies = facts.evidence.copies(anomaly.packet).map(|(copy, _)| copy);
        let second =
            std::iter::once(anomaly.packet).chain(copies).find(|packet| place(*packet) == place(first));
        let Some(second) = second else { continue };
        let Some((one, other)) =
            marks(facts, first).zip(marks(facts, second)).filter(|(one, other)| one != other)
        else {
            continue;
        };
        let (given, later) = (addresses(facts, first), addresses(facts, second));
        if given.is_empty() || later.is_empty() || !given.is_disjoint(&later) {
            continue;
        }
        let Some(transaction) =
            facts.evidence.transaction_of(first).and_then(|id| facts.evidence.transaction(id))
        else {
            continue;
        };
        let Some(query) = facts.index.packet(transaction.first) else { continue };
        let (client, server) = (query.source_address(), query.destination_address());
        let name = facts.name_of(transaction.first).unwrap_or_default();
        let contested = found.entry((client, server, name.clone())).or_insert_with(|| Contested {
            client,
            server,
            name,
            pairs: Vec::new(),
            addresses: (BTreeSet::new(), BTreeSet::new()),
            marks: (one, other),
            ttls: ((one.ttl, one.ttl), (other.ttl, other.ttl)),
            first_is_odd: false,
            followed: None,
            met: [(0, 0); 2],
        });
        if contested.pairs.len() < PAIRS_MAX {
            contested.pairs.push(Pair { query: transaction.first, first, second });
        }
        let wider = |(least, most): (u8, u8), ttl: u8| (least.min(ttl), most.max(ttl));
        contested.ttls = (wider(contested.ttls.0, one.ttl), wider(contested.ttls.1, other.ttl));
        contested.addresses.0.extend(given);
        contested.addresses.1.extend(later);
    }
    let mut found: Vec<Contested> = found.into_values().collect();
    for contested in &mut found {
        contested.first_is_odd = is_odd(facts, contested);
        let lured = |address: &Address| {
            contested.addresses.0.contains(address) && !contested.addresses.1.contains(address)
        };
        // Other names may lead to the same address.
        let led = |at_ns: Nanos| {
            let mut firsts = contested.pairs.iter().map(|pair| facts.time(pair.first));
            firsts.any(|first_ns| (first_ns..=first_ns + LED_NS).contains(&at_ns))
        };
        let mut followed = facts
            .connections
            .iter()
            .filter(|connection| connection.client.0 == contested.client && lured(&connection.server.0))
            .filter(|connection| led(connection.time_ns));
        contested.followed = followed.next().map(|connection| connection.syn);
        let only = |one: &BTreeSet<Address>, other: &BTreeSet<Address>| {
            let own = facts.connections.iter().filter(|own| {
                own.client.0 == contested.client
                    && one.contains(&own.server.0)
                    && !other.contains(&own.server.0)
            });
            let failed = |own: &&Connection| !matches!(own.ending, Ending::Accepted | Ending::ResetLater);
            (own.clone().count(), own.filter(failed).count())
        };
        let (given, later) = &contested.addresses;
        contested.met = [only(given, later), only(later, given)];
    }
    found
}

/// Whether the first answer looks unlike most other answers of the server, and the later one like them.
fn is_odd(facts: &Facts<'_>, contested: &Contested) -> bool {
    let own: BTreeSet<PacketId> = contested.pairs.iter().flat_map(|pair| [pair.first, pair.second]).collect();
    let servers = facts.servers.iter().filter(|(key, _)| key.0 == contested.server);
    let answers =
        servers.flat_map(|(_, server)| &server.answers).filter(|answer| !own.contains(&answer.packet));
    let (mut like_first, mut like_second) = (0usize, 0usize);
    for answer in answers.take(OTHERS_MAX) {
        let seen = marks(facts, answer.packet);
        like_first += usize::from(seen == Some(contested.marks.0));
        like_second += usize::from(seen == Some(contested.marks.1));
    }
    like_second > like_first
}
