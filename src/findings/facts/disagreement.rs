//! Servers of one zone that answer from different data: an older serial number (RFC 1982), and other addresses.

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

/// A name to which the outdated server gives other addresses, or to which one of the two gives none.
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

/// One server with older data than another had answered from before.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// The zone, as the SOA records name it.
    pub zone: String,
    /// The server with the lower serial number.
    pub outdated: Address,
    /// The server with the higher one.
    pub current: Address,
    /// Their serial numbers, in that order.
    pub serials: (u32, u32),
    /// The answers with the lower number that came after one with the higher.
    pub old: Vec<PacketId>,
    /// The first answer with the higher number.
    pub new: PacketId,
    /// Names with other addresses.
    pub names: Vec<Differing>,
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

/// What one server answered: when, from which packet, and what.
type Told<T> = BTreeMap<Address, Vec<(Nanos, PacketId, T)>>;

/// Finds the servers with older data than others. Only authoritative answers count, of servers that are asked as resolvers ask or
/// that offer no recursion.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Disagreement> {
    let mut serials: BTreeMap<String, Told<u32>> = BTreeMap::new();
    let mut given: BTreeMap<(String, u16), Told<BTreeSet<Address>>> = BTreeMap::new();
    let input = facts.input();
    let mut read = 0;
    for own in asked::all(&input) {
        let Some(packet) = own.transaction.answer.and_then(|answer| facts.index.packet(answer)) else {
            continue;
        };
        let Some(row) = packet.dns().filter(|row| row.header.flags & AUTHORITATIVE != 0) else { continue };
        if own.row.header.recursion_desired() && row.header.flags & RECURSION_AVAILABLE != 0 {
            continue;
        }
        read += 1;
        if read > ANSWERS_MAX {
            break;
        }
        let server = own.server.0;
        let mut addresses = BTreeSet::new();
        let (mut answers, mut start_shown) = (0, false);
        for record in records::of(&packet, row) {
            answers += usize::from(record.place == Place::Answer);
            start_shown |= record.place == Place::Authority && matches!(record.data, Data::Serial(_));
            match record.data {
                Data::Serial(serial) if record.place != Place::Additional => {
                    note(&mut serials, record.owner, server, (own.ended_ns(), packet.id, serial));
                }
                Data::Address(address) if record.place == Place::Answer => {
                    addresses.insert(address);
                }
                _ => {}
            }
        }
        // RFC 2308 §2: the start of the zone comes with a denial of the name, or of addresses of it.
        let denied = answers == 0 && start_shown && matches!(own.row.qtype, A | AAAA);
        if denied || !addresses.is_empty() {
            let name = facts.name_of(own.transaction.first).unwrap_or_default();
            note(&mut given, (name, own.row.qtype), server, (own.ended_ns(), packet.id, addresses));
        }
    }
    let mut found: Vec<Disagreement> = Vec::new();
    for (zone, told) in &serials {
        for (outdated, answers) in told {
            let newer = told.iter().filter(|(server, _)| *server != outdated);
            let older =
                newer.filter_map(|(current, newer)| older(answers, newer).map(|older| (current, older)));
            let Some((current, (serials, old, new))) = older.max_by_key(|(_, (_, old, _))| old.len()) else {
                continue;
            };
            let mut own = Disagreement {
                zone: zone.clone(),
                outdated: *outdated,
                current: *current,
                serials,
                old,
                new,
                names: Vec::new(),
                connections: Tried::default(),
            };
            own.names = differing(&own, &given);
            own.connections = connections(facts, &own);
            found.push(own);
        }
    }
    found
}

fn note<K: Ord, T>(table: &mut BTreeMap<K, Told<T>>, key: K, server: Address, seen: (Nanos, PacketId, T)) {
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
fn older(answers: &[(Nanos, PacketId, u32)], others: &[(Nanos, PacketId, u32)]) -> Option<Older> {
    let (at_ns, new, serial) = others.iter().min_by_key(|(at_ns, ..)| *at_ns)?;
    let after = answers.iter().filter(|(when_ns, _, own)| when_ns > at_ns && is_lower(*own, *serial));
    let old: Vec<&(Nanos, PacketId, u32)> = after.collect();
    let (.., own) = old.first()?;
    Some(((*own, *serial), old.iter().map(|(_, packet, _)| *packet).collect(), *new))
}

/// Names of the zone to which the two servers gave addresses with nothing in common, or one of them none, one set each.
fn differing(own: &Disagreement, given: &BTreeMap<(String, u16), Told<BTreeSet<Address>>>) -> Vec<Differing> {
    let mut found: Vec<Differing> = Vec::new();
    for ((name, _), told) in
        given.iter().filter(|((name, _), _)| crate::findings::zones::is_below(name, &own.zone))
    {
        let of = |server: &Address| {
            let answers = told.get(server)?;
            let all: BTreeSet<Address> =
                answers.iter().flat_map(|(.., given)| given.iter().copied()).collect();
            answers.first().map(|(_, packet, _)| (all, *packet))
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
