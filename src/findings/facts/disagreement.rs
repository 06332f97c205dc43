//! Servers of one zone that answer from different data: an older serial number (RFC 1982), other addresses, or a name that one
//! of them lacks.

use std::collections::{BTreeMap, BTreeSet};

use super::records::{self, Data, Place};
use super::{Ending, Facts, asked};
use crate::decode::Address;
use crate::findings::rules;
use crate::index::PacketId;
use crate::time::{Nanos, clock};

/// Answers read.
const ANSWERS_MAX: usize = 50_000;
/// Zones and names remembered.
const NAMES_MAX: usize = 16_384;
/// Answers kept of one server for one zone or name.
const KEPT_MAX: usize = 256;
/// AA (RFC 1035 §4.1.1).
const AUTHORITATIVE: u16 = 0x0400;

/// TYPE of an IPv4 address.
const A: u16 = 1;
/// TYPE of an IPv6 address.
const AAAA: u16 = 28;
/// RA: the server also answers for others, and each view of it may have its own serial numbers.
const RECURSION_AVAILABLE: u16 = 0x0080;

/// A name to which the two servers give other addresses, or to which one of the two gives none.
#[derive(Clone, Debug)]
pub struct Differing {
    /// The name, presentation form, not escaped.
    pub name: String,
    /// What the outdated server answers; empty where it denies the name or its addresses.
    pub outdated: BTreeSet<Address>,
    /// What the other one answers, likewise.
    pub current: BTreeSet<Address>,
    /// One answer of each.
    pub answers: (PacketId, PacketId),
}

/// Two servers of one zone with different data.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// The zone, as the SOA records name it; without one what the names share.
    pub zone: String,
    /// The server with the lower serial number; without numbers the one that lacks a name, or whose addresses fail.
    pub outdated: Address,
    /// The other one.
    pub current: Address,
    /// Their serial numbers, in that order; `None` where no answers tell that they differ.
    pub serials: Option<(u32, u32)>,
    /// The answers with the lower number that came after one with the higher; without numbers the outdated server's answers
    /// for the names.
    pub old: Vec<PacketId>,
    /// The first answer with the higher number, or of the other server.
    pub new: PacketId,
    /// Names with other addresses.
    pub names: Vec<Differing>,
    /// Who asked them.
    pub clients: BTreeSet<Address>,
    /// What became of connections to addresses that only the outdated server gives.
    pub connections: Tried,
}

/// Connections to addresses that only the outdated server gives.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// All.
    pub all: usize,
    /// The first packets of those that failed, in order.
    pub failed: Vec<PacketId>,
    /// Who made those.
    pub clients: BTreeSet<Address>,
    /// Connections to the other addresses that were accepted.
    pub accepted_elsewhere: usize,
}

impl Tried {
    /// `47 of 47 connections of 5 clients to what only 198.51.100.153 gives failed, from 02:02:05 to 02:03:04`; empty where none failed.
    pub fn words(&self, facts: &Facts<'_>, outdated: Address) -> String {
        let (Some(first), Some(last)) = (self.failed.first(), self.failed.last()) else {
            return String::new();
        };
        let clients: Vec<Address> = self.clients.iter().copied().collect();
        let during = if facts.index.has_times() {
            format!(", from {} to {}", clock(facts.time(*first)), clock(facts.time(*last)))
        } else {
            String::new()
        };
        let elsewhere = match self.accepted_elsewhere {
            0 => String::new(),
            some => format!(
                "; {} to the other addresses were accepted",
                rules::counted(some, "connection", "connections")
            ),
        };
        format!(
            "{} of {} of {} to addresses that only {outdated} gives failed{during}{elsewhere}",
            self.failed.len(),
            rules::counted(self.all, "connection", "connections"),
            rules::clients(&clients)
        )
    }
}

impl Disagreement {
    /// Whether the one server denies every name that they differ in.
    pub fn lacks(&self) -> bool {
        !self.names.is_empty() && self.names.iter().all(|name| name.outdated.is_empty())
    }

    /// Whether a name is one of those that show it.
    pub fn is_about(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.name == name)
    }

    /// Addresses that only the outdated server gives.
    pub fn outdated_addresses(&self) -> BTreeSet<Address> {
        let current: BTreeSet<Address> =
            self.names.iter().flat_map(|name| name.current.iter().copied()).collect();
        let outdated = self.names.iter().flat_map(|name| name.outdated.iter().copied());
        outdated.filter(|address| !current.contains(address)).collect()
    }

    /// The frames that show it.
    pub fn frames(&self) -> Vec<PacketId> {
        let names = self.names.iter().flat_map(|name| [name.answers.0, name.answers.1]);
        std::iter::once(self.new).chain(self.old.iter().copied().take(NAMED_MAX)).chain(names).collect()
    }
}

/// Answers with an old serial number that are cited.
const NAMED_MAX: usize = 8;

/// One answer of one server.
struct Seen<T> {
    at_ns: Nanos,
    packet: PacketId,
    client: Address,
    said: T,
}

/// What each server answered.
type Told<T> = BTreeMap<Address, Vec<Seen<T>>>;

/// The answers read.
#[derive(Default)]
struct Read {
    serials: BTreeMap<String, Told<u32>>,
    /// The addresses given by name and type, empty where they were denied, with the zone where that was named.
    given: BTreeMap<(String, u16), Told<BTreeSet<Address>>>,
    /// The zones that denials name, by name.
    zones: BTreeMap<String, String>,
}

/// Finds the servers with other data than others. Only authoritative answers count. Those of servers that offer recursion to
/// who asks for it tell nothing by their serial numbers, since each view of such a server may have its own.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Disagreement> {
    let read = Read::of(facts);
    let mut found = read.older(facts);
    let known: BTreeSet<(Address, Address)> = found
        .iter()
        .filter(|own| !own.names.is_empty())
        .flat_map(|own| [(own.outdated, own.current), (own.current, own.outdated)])
        .collect();
    let by_answers = read.contradicting(facts);
    found.extend(by_answers.into_iter().filter(|own| !known.contains(&(own.outdated, own.current))));
    found
}

impl Read {
    fn of(facts: &Facts<'_>) -> Self {
        let mut own = Self::default();
        let input = facts.input();
        let mut read = 0;
        for asked in asked::all(&input) {
            let Some(packet) = asked.transaction.answer.and_then(|answer| facts.index.packet(answer)) else {
                continue;
            };
            let Some(row) = packet.dns().filter(|row| row.header.flags & AUTHORITATIVE != 0) else {
                continue;
            };
            read += 1;
            if read > ANSWERS_MAX {
                break;
            }
            let by_view = asked.row.header.recursion_desired() && row.header.flags & RECURSION_AVAILABLE != 0;
            let (server, client, at_ns) = (asked.server.0, asked.client, asked.ended_ns());
            let mut addresses = BTreeSet::new();
            let (mut answers, mut start) = (0, None);
            for record in records::of(&packet, row) {
                answers += usize::from(record.place == Place::Answer);
                match record.data {
                    Data::Serial(serial) if record.place != Place::Additional => {
                        if record.place == Place::Authority {
                            start = Some(record.owner.clone());
                        }
                        if !by_view {
                            let seen = Seen { at_ns, packet: packet.id, client, said: serial };
                            note(&mut own.serials, record.owner, server, seen);
                        }
                    }
                    Data::Address(address) if record.place == Place::Answer => {
                        addresses.insert(address);
                    }
                    _ => {}
                }
            }
            // RFC 2308 §2: the start of the zone comes with a denial of the name, or of addresses of it.
            let denied = answers == 0 && start.is_some() && matches!(asked.row.qtype, A | AAAA);
            if !denied && addresses.is_empty() {
                continue;
            }
            let name = facts.name_of(asked.transaction.first).unwrap_or_default();
            if let Some(zone) = start.filter(|_| denied && own.zones.len() < NAMES_MAX) {
                own.zones.entry(name.clone()).or_insert(zone);
            }
            let seen = Seen { at_ns, packet: packet.id, client, said: addresses };
            note(&mut own.given, (name, asked.row.qtype), server, seen);
        }
        own
    }

    /// Servers that answer from a lower serial number than another had answered from before.
    fn older(&self, facts: &Facts<'_>) -> Vec<Disagreement> {
        let mut found: Vec<Disagreement> = Vec::new();
        for (zone, told) in &self.serials {
            for (outdated, answers) in told {
                let newer = told.iter().filter(|(server, _)| *server != outdated);
                let older =
                    newer.filter_map(|(current, newer)| older(answers, newer).map(|older| (current, older)));
                let Some((current, (serials, old, new))) = older.max_by_key(|(_, (_, old, _))| old.len())
                else {
                    continue;
                };
                let mut own = Disagreement {
                    zone: zone.clone(),
                    outdated: *outdated,
                    current: *current,
                    serials: Some(serials),
                    old,
                    new,
                    names: Vec::new(),
                    clients: answers.iter().map(|seen| seen.client).collect(),
                    connections: Tried::default(),
                };
                own.names = self.differing(&own);
                own.connections = connections(facts, &own);
                found.push(own);
            }
        }
        found
    }

    /// Names of the zone to which the two servers gave addresses with nothing in common, or one of them none, one set each.
    fn differing(&self, own: &Disagreement) -> Vec<Differing> {
        let mut found: Vec<Differing> = Vec::new();
        for ((name, _), told) in
            self.given.iter().filter(|((name, _), _)| crate::findings::zones::is_below(name, &own.zone))
        {
            let of = |server: &Address| {
                let answers = told.get(server)?;
                answers.first().map(|seen| (all_of(answers), seen.packet))
            };
            let Some(((outdated, old), (current, new))) = of(&own.outdated).zip(of(&own.current)) else {
                continue;
            };
            if outdated.is_disjoint(&current) && !(outdated.is_empty() && current.is_empty()) {
                found.push(Differing { name: name.clone(), outdated, current, answers: (old, new) });
            }
        }
        found
    }

    /// Servers that answer the same client's same question otherwise than another, each for its part always alike, by turns: the
    /// zone did not change meanwhile.
    fn contradicting(&self, facts: &Facts<'_>) -> Vec<Disagreement> {
        let mut found: BTreeMap<(String, Address, Address), Disagreement> = BTreeMap::new();
        for ((name, _), told) in self.given.iter().filter(|(_, told)| told.len() > 1) {
            let zone = self.zones.get(name).cloned().unwrap_or_else(|| crate::findings::zones::of(name));
            for (at, (one, first)) in told.iter().enumerate() {
                for (other, second) in
                    told.iter().skip(at + 1).filter(|(_, second)| contradict(first, second))
                {
                    // The one that lacks the name stands first.
                    let ((outdated, old), (current, new)) = if all_of(second).is_empty() {
                        ((other, second), (one, first))
                    } else {
                        ((one, first), (other, second))
                    };
                    let (Some(a), Some(b)) = (old.first(), new.first()) else { continue };
                    let differing = Differing {
                        name: name.clone(),
                        outdated: all_of(old),
                        current: all_of(new),
                        answers: (a.packet, b.packet),
                    };
                    let own =
                        found.entry((zone.clone(), *outdated, *current)).or_insert_with(|| Disagreement {
                            zone: zone.clone(),
                            outdated: *outdated,
                            current: *current,
                            serials: None,
                            old: Vec::new(),
                            new: b.packet,
                            names: Vec::new(),
                            clients: BTreeSet::new(),
                            connections: Tried::default(),
                        });
                    own.old.extend(old.iter().map(|seen| seen.packet));
                    own.clients.extend(old.iter().map(|seen| seen.client));
                    if own.names.iter().all(|known| known.name != *name) {
                        own.names.push(differing);
                    }
                }
            }
        }
        found.into_values().map(|own| settled(facts, own)).collect()
    }
}

/// Fills in connections; of two servers that both give addresses the one whose addresses fail is the outdated one.
fn settled(facts: &Facts<'_>, mut own: Disagreement) -> Disagreement {
    own.old.sort_unstable();
    own.old.dedup();
    own.connections = connections(facts, &own);
    if own.lacks() || !own.connections.failed.is_empty() {
        return own;
    }
    let mut turned = Disagreement { outdated: own.current, current: own.outdated, ..own.clone() };
    for name in &mut turned.names {
        std::mem::swap(&mut name.outdated, &mut name.current);
        name.answers = (name.answers.1, name.answers.0);
    }
    turned.connections = connections(facts, &turned);
    if turned.connections.failed.is_empty() { own } else { turned }
}

/// All addresses of some answers.
fn all_of(answers: &[Seen<BTreeSet<Address>>]) -> BTreeSet<Address> {
    answers.iter().flat_map(|seen| seen.said.iter().copied()).collect()
}

/// Answers of a server that gives addresses from which on they are no draw from many.
const ALIKE_MIN: usize = 2;

/// Whether two servers contradict each other: each says the same whenever it is asked, they have nothing in common, one client
/// heard both, and each spoke again after the other.
fn contradict(one: &[Seen<BTreeSet<Address>>], other: &[Seen<BTreeSet<Address>>]) -> bool {
    let alike = |side: &[Seen<BTreeSet<Address>>]| {
        let first = side.first().map(|seen| &seen.said);
        first.is_some_and(|first| side.iter().all(|seen| seen.said == *first))
    };
    let (first, second) = (all_of(one), all_of(other));
    let denies = first.is_empty() || second.is_empty();
    if !alike(one) || !alike(other) || !first.is_disjoint(&second) || first.is_empty() && second.is_empty() {
        return false;
    }
    if !denies && (one.len() < ALIKE_MIN || other.len() < ALIKE_MIN) {
        return false;
    }
    let heard =
        |side: &[Seen<BTreeSet<Address>>]| side.iter().map(|seen| seen.client).collect::<BTreeSet<Address>>();
    if heard(one).is_disjoint(&heard(other)) {
        return false;
    }
    let mut turns: Vec<(Nanos, PacketId, bool)> =
        one.iter().map(|seen| (seen.at_ns, seen.packet, true)).collect();
    turns.extend(other.iter().map(|seen| (seen.at_ns, seen.packet, false)));
    turns.sort_unstable();
    turns.windows(2).filter(|pair| matches!(pair, [a, b] if a.2 != b.2)).count() >= TURNS_MIN
}

/// Changes from one server to the other from which what they say is no matter of time.
const TURNS_MIN: usize = 2;

fn note<K: Ord, T>(table: &mut BTreeMap<K, Told<T>>, key: K, server: Address, seen: Seen<T>) {
    if table.len() >= NAMES_MAX && !table.contains_key(&key) {
        return;
    }
    let kept = table.entry(key).or_default().entry(server).or_default();
    if kept.len() < KEPT_MAX {
        kept.push(seen);
    }
}

/// Whether a serial number is lower than another (RFC 1982 §3.2).
fn is_lower(one: u32, other: u32) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 31
}

type Older = ((u32, u32), Vec<PacketId>, PacketId);

/// The answers that came with a lower serial number after another server had answered with a higher one.
fn older(answers: &[Seen<u32>], others: &[Seen<u32>]) -> Option<Older> {
    let newest = others.iter().min_by_key(|seen| seen.at_ns)?;
    let after = answers.iter().filter(|own| own.at_ns > newest.at_ns && is_lower(own.said, newest.said));
    let old: Vec<&Seen<u32>> = after.collect();
    let first = old.first()?;
    Some(((first.said, newest.said), old.iter().map(|seen| seen.packet).collect(), newest.packet))
}

fn connections(facts: &Facts<'_>, own: &Disagreement) -> Tried {
    let only = own.outdated_addresses();
    let current: BTreeSet<Address> = own.names.iter().flat_map(|name| name.current.iter().copied()).collect();
    let mut tried = Tried::default();
    for connection in &facts.connections {
        let accepted = matches!(connection.ending, Ending::Accepted | Ending::ResetLater);
        if only.contains(&connection.server.0) {
            tried.all += 1;
            if !accepted {
                tried.failed.push(connection.syn);
                tried.clients.insert(connection.client.0);
            }
        } else if accepted && current.contains(&connection.server.0) {
            tried.accepted_elsewhere += 1;
        }
    }
    tried.failed.sort_unstable();
    tried
}
