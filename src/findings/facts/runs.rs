//! Runs of unanswered requests for a link address: who asks for whom, from the last sign of life on, and what waits behind it
//! (truth T23, services §1.8).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Facts;
use super::leases::GivenAs;
use super::neighbours::{Heard, Link, Sign};
use crate::attempts::is_host;
use crate::decode::Address;
use crate::index::PacketId;
use crate::protocols::ProtocolId;
use crate::time::Nanos;

/// Unanswered requests in a row that are no chance: a kernel gives up after three.
pub const REQUESTS_MIN: usize = 3;
/// Requests further apart than this belong to another attempt: within one they follow by a second.
const BURST_GAP_NS: Nanos = 1_300_000_000;
/// Packets kept of one address that is asked for.
const ALIVE_MAX: usize = 65_536;
/// Packets whose link addresses are read for one run.
const READ_MAX: usize = 4_096;
/// Share of the asker's earlier frames to its next hop, in packets, from which the next hop is known.
const NEXT_HOP_MIN: usize = 1;

/// What an address that is asked for is to the asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Its way to other networks.
    NextHop,
    /// A server it asks, or that packets name as asked.
    Server,
    /// By its number the way to other networks, which nothing of the asker reaches.
    Supposed,
    /// Nothing in the capture says what for.
    Unknown,
}

impl Wanted {
    /// What requests for it ask for, in words between commas; empty where that is not known.
    pub fn role(self) -> &'static str {
        match self {
            Self::NextHop => ", the way to other networks,",
            Self::Supposed => ", by its number the way to other networks,",
            Self::Server | Self::Unknown => "",
        }
    }
}

/// Last numbers that networks give to their router by habit.
const ROUTERS: [u8; 2] = [1, 254];
/// Requests or attempts from which a neighbour is gone for good.
const GONE_REQUESTS: usize = 6;
/// The same in attempts.
const GONE_BURSTS: usize = 2;

impl Run {
    /// Whether they are more than a look whether somebody is there.
    pub fn is_lasting(&self) -> bool {
        self.requests.len() >= GONE_REQUESTS || self.bursts >= GONE_BURSTS
    }
}

/// One run of requests nobody answered.
#[derive(Clone, Debug)]
pub struct Run {
    /// Who asks.
    pub asker: Address,
    /// Whose link address is asked for.
    pub target: Address,
    /// The requests since the last sign of life, in order.
    pub requests: Vec<PacketId>,
    /// When the first and the last of them were sent.
    pub span_ns: (Nanos, Nanos),
    /// Attempts: requests a second apart are one.
    pub bursts: usize,
    /// The last reply or packet of the target before them.
    pub last_sign: Option<PacketId>,
    /// The first sign of life after them.
    pub next_sign: Option<PacketId>,
    /// What the target is to the asker.
    pub wanted: Wanted,
    /// DHCP gave the target to the asker: as what, and the acknowledgment.
    pub given: Option<(GivenAs, PacketId)>,
    /// The asker sent no other unicast packet in the whole capture.
    pub asks_only: bool,
    /// Packets of the asker to other networks after the first of the requests.
    pub sent_beyond: usize,
}

/// Finds the runs whose replies would have been visible.
pub(super) fn find(facts: &Facts<'_>, mut heard: Heard) -> Vec<Run> {
    heard.pairs.retain(|_, pair| pair.requests.len() >= REQUESTS_MIN);
    if heard.pairs.is_empty() {
        return Vec::new();
    }
    let traffic = Traffic::of(facts, &heard);
    let askers: BTreeSet<Address> = heard.pairs.keys().map(|(asker, _)| *asker).collect();
    let mut runs = Vec::new();
    for ((asker, target), pair) in &heard.pairs {
        let seen = traffic.of_host(*asker);
        // Replies are unicast: where nothing sent to the asker is in the capture, only the questions are visible.
        let visible = heard.told.contains(asker) || seen.received > 0 || traffic.nothing && askers.len() == 1;
        if !visible {
            continue;
        }
        let ends = (*asker, *target);
        // A router sends the packets of others: its own address is in none of them.
        let forwards = seen.sent == 0 && forwards(facts, &heard, *asker, &pair.requests);
        let last = last_sign(facts, &heard, &traffic, ends);
        let alive = lives_of(facts, &heard, &traffic, ends);
        for (requests, before) in stretches(&pair.requests, &alive, last) {
            let (Some(first), Some(last)) = (requests.first(), requests.last()) else { continue };
            let gaps =
                requests.windows(2).filter(|two| matches!(two, [a, b] if b.0 - a.0 > BURST_GAP_NS)).count();
            runs.push(Run {
                asker: *asker,
                target: *target,
                span_ns: (first.0, last.0),
                bursts: gaps + 1,
                last_sign: before,
                next_sign: alive
                    .get(alive.partition_point(|(at_ns, _)| *at_ns <= last.0))
                    .map(|(_, packet)| *packet),
                wanted: wanted(facts, &heard, seen, ends, forwards),
                given: facts.given.to(*asker, *target),
                asks_only: seen.sent == 0 && !forwards,
                sent_beyond: seen.beyond.iter().filter(|(at_ns, _)| *at_ns > first.0).count(),
                requests: requests.iter().map(|(_, packet)| *packet).collect(),
            });
        }
    }
    suppose(facts, &traffic, &mut runs);
    runs
}

/// Whoever asks again and again for one address alone, which has the number of a router, and sends nothing beyond its own network,
/// has no way out.
fn suppose(facts: &Facts<'_>, traffic: &Traffic, runs: &mut [Run]) {
    let mut sought: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for run in runs.iter() {
        sought.entry(run.asker).or_default().insert(run.target);
    }
    let network = |address: Address| match address.ip() {
        Some(IpAddr::V4(ip)) => ip.octets().split_last().map(|(last, network)| (network.to_vec(), *last)),
        _ => None,
    };
    for run in runs.iter_mut().filter(|run| run.wanted == Wanted::Unknown && run.is_lasting()) {
        let Some(((own, _), (other, last))) = network(run.asker).zip(network(run.target)) else { continue };
        let alone = sought.get(&run.asker).is_some_and(|targets| targets.len() == 1);
        let inside = |(_, packet): &Timed| {
            let to = facts.index.packet(*packet).and_then(|packet| network(packet.destination_address()));
            to.is_some_and(|(to, _)| to == own)
        };
        if alone
            && own == other
            && ROUTERS.contains(&last)
            && traffic.of_host(run.asker).beyond.iter().all(inside)
        {
            run.wanted = Wanted::Supposed;
        }
    }
}

/// A packet and its time.
type Timed = (Nanos, PacketId);

/// The runs of requests between which the target gave no sign of life, each with the sign before it; those after the last sign
/// whatever else is known of it.
fn stretches(requests: &[Timed], alive: &[Timed], last: Option<Sign>) -> Vec<(Vec<Timed>, Option<PacketId>)> {
    let mut found: Vec<(Vec<Timed>, Option<PacketId>)> = Vec::new();
    let last_ns = last.map_or(Nanos::MIN, |sign| sign.at_ns);
    let mut own: Vec<Timed> = Vec::new();
    let mut before: Option<PacketId> = None;
    for request in requests.iter().filter(|(at_ns, _)| *at_ns <= last_ns) {
        let next = alive.partition_point(|(at_ns, _)| *at_ns < request.0);
        let sign = next.checked_sub(1).and_then(|at| alive.get(at)).map(|(_, packet)| *packet);
        if sign != before {
            found.push((std::mem::take(&mut own), before));
            before = sign;
        }
        own.push(*request);
    }
    found.push((own, before));
    // A run that a sign follows at once was answered in the end, as a slow reply is.
    let ended = |run: &[Timed]| {
        let until_ns = run.last().map_or(0, |(at_ns, _)| *at_ns);
        let next = alive.partition_point(|(at_ns, _)| *at_ns < until_ns);
        alive.get(next).is_none_or(|(at_ns, _)| at_ns - until_ns > ANSWERED_NS)
    };
    for (run, _) in &mut found {
        while !run.is_empty() && !ended(run) {
            run.pop();
        }
    }
    found.retain(|(run, _)| run.len() >= ENDED_MIN);
    let after: Vec<Timed> = requests.iter().filter(|(at_ns, _)| *at_ns > last_ns).copied().collect();
    if after.len() >= REQUESTS_MIN {
        found.push((after, last.map(|sign| sign.packet)));
    }
    found
}

/// Requests of a run that ended: fewer are a host that was busy.
const ENDED_MIN: usize = 6;
/// A reply this soon after a request answers it.
const ANSWERED_NS: Nanos = 900_000_000;

/// What an asker sent and received beside ARP and neighbour discovery.
#[derive(Default)]
struct Seen {
    sent: usize,
    received: usize,
    /// Packets to addresses it never asks the link address of: they go to other networks.
    beyond: Vec<(Nanos, PacketId)>,
    /// The last packets sent to it.
    to_it: Vec<(Nanos, PacketId)>,
}

/// The unicast traffic of those who ask, and the last packet of those who are asked for.
struct Traffic {
    hosts: BTreeMap<Address, Seen>,
    last_of: BTreeMap<Address, (Nanos, PacketId)>,
    /// The packets of those who are asked for, in order, up to a limit.
    alive: BTreeMap<Address, Vec<Timed>>,
    /// No unicast packet beside ARP is in the capture at all.
    nothing: bool,
    none: Seen,
}

impl Traffic {
    fn of(facts: &Facts<'_>, heard: &Heard) -> Self {
        let mut hosts: BTreeMap<Address, Seen> =
            heard.pairs.keys().map(|(asker, _)| (*asker, Seen::default())).collect();
        let targets: BTreeSet<Address> = heard.pairs.keys().map(|(_, target)| *target).collect();
        let mut last_of: BTreeMap<Address, (Nanos, PacketId)> = BTreeMap::new();
        let mut alive: BTreeMap<Address, Vec<Timed>> = BTreeMap::new();
        let mut nothing = true;
        for segment in facts.index.segments() {
            let marks: Vec<u8> =
                segment.addresses.iter().map(|address| mark(*address, &hosts, &targets)).collect();
            let of = |position: &u32| marks.get(*position as usize).copied().unwrap_or(0);
            let ends = segment.source_address.iter().zip(&segment.destination_address);
            for (row, (source, destination)) in ends.enumerate() {
                let (from, to) = (of(source), of(destination));
                let arp = segment.protocol.get(row) == Some(&ProtocolId::ARP.0);
                let nd = segment.transport.get(row) == Some(&58)
                    && segment.source_port.get(row).is_some_and(|kind| (133..=137).contains(kind));
                if arp || nd || to & GROUP != 0 || from & GROUP != 0 {
                    continue;
                }
                nothing = false;
                if (from | to) & (ASKER | TARGET) == 0 {
                    continue;
                }
                let id = PacketId(segment.base.0 + row as u32);
                let at_ns = segment.time_ns.get(row).copied().unwrap_or_default();
                let (source, destination) = (segment.address(*source), segment.address(*destination));
                if from & TARGET != 0 {
                    let last = last_of.entry(source).or_insert((at_ns, id));
                    *last = (*last).max((at_ns, id));
                    let own = alive.entry(source).or_default();
                    if own.len() < ALIVE_MAX {
                        own.push((at_ns, id));
                    }
                }
                if let Some(seen) = hosts.get_mut(&source) {
                    seen.sent += 1;
                    let beyond =
                        !heard.pairs.contains_key(&(source, destination)) && !is_link_local(destination);
                    if beyond && seen.beyond.len() < READ_MAX {
                        seen.beyond.push((at_ns, id));
                    }
                }
                if let Some(seen) = hosts.get_mut(&destination) {
                    seen.received += 1;
                    if seen.to_it.len() >= READ_MAX * 2 {
                        seen.to_it.drain(..READ_MAX);
                    }
                    seen.to_it.push((at_ns, id));
                }
            }
        }
        Self { hosts, last_of, alive, nothing, none: Seen::default() }
    }

    fn of_host(&self, address: Address) -> &Seen {
        self.hosts.get(&address).unwrap_or(&self.none)
    }
}

/// Whether an address is one of this link only (RFC 3927, RFC 4291 §2.5.6): no way leads beyond it.
fn is_link_local(address: Address) -> bool {
    match address.ip() {
        Some(IpAddr::V4(ip)) => ip.is_link_local(),
        Some(IpAddr::V6(ip)) => ip.is_unicast_link_local(),
        None => false,
    }
}

/// Marks of addresses: they ask, they are asked for, they are groups or none.
const ASKER: u8 = 1;
const TARGET: u8 = 2;
const GROUP: u8 = 4;

fn mark(address: Address, askers: &BTreeMap<Address, Seen>, targets: &BTreeSet<Address>) -> u8 {
    let group = match address.ip() {
        Some(IpAddr::V4(ip)) => {
            ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified() || ip.octets()[3] == 255
        }
        Some(IpAddr::V6(ip)) => ip.is_multicast() || ip.is_unspecified(),
        None => !address.is_host(),
    };
    (u8::from(askers.contains_key(&address)) * ASKER)
        | (u8::from(targets.contains(&address)) * TARGET)
        | (u8::from(group) * GROUP)
}

/// When a target gave signs of life to an asker, in order: by ARP or neighbour discovery, by packets of its own, and by what came to
/// the asker from its link address.
fn lives_of(
    facts: &Facts<'_>,
    heard: &Heard,
    traffic: &Traffic,
    (asker, target): (Address, Address),
) -> Vec<Timed> {
    let packets = traffic.alive.get(&target).map(Vec::as_slice).unwrap_or_default();
    let link = heard.signs.get(&target).and_then(|sign| sign.link);
    let to_it = traffic.of_host(asker).to_it.iter().take(READ_MAX * 2);
    let forwarded = to_it.filter(|(_, packet)| link.is_some() && source_link(facts, *packet) == link);
    let mut all: Vec<Timed> =
        packets.iter().copied().chain(heard.spoke(target)).chain(forwarded.copied()).collect();
    all.sort_unstable();
    all
}

/// The last reply of the target, packet of its address, or packet to the asker that came from its link address.
fn last_sign(
    facts: &Facts<'_>,
    heard: &Heard,
    traffic: &Traffic,
    (asker, target): (Address, Address),
) -> Option<Sign> {
    let told = heard.signs.get(&target).copied();
    let own = traffic.last_of.get(&target).map(|(at_ns, packet)| Sign {
        at_ns: *at_ns,
        packet: *packet,
        link: None,
    });
    let link = told.and_then(|sign| sign.link);
    let forwarded = link.and_then(|link| {
        let to_it = traffic.of_host(asker).to_it.iter().rev().take(READ_MAX);
        let mut from_it = to_it.filter(|(_, packet)| source_link(facts, *packet) == Some(link));
        from_it.next().map(|(at_ns, packet)| Sign { at_ns: *at_ns, packet: *packet, link: None })
    });
    [told, own, forwarded].into_iter().flatten().max_by_key(|sign| sign.at_ns)
}

fn source_link(facts: &Facts<'_>, packet: PacketId) -> Option<Link> {
    facts.index.packet(packet)?.decode().link_addresses.map(|addresses| addresses.0)
}

fn destination_link(facts: &Facts<'_>, packet: PacketId) -> Option<Link> {
    facts.index.packet(packet)?.decode().link_addresses.map(|addresses| addresses.1)
}

/// Packets around a request that are looked at for their sender's link address.
const AROUND: u32 = 2_048;

/// Whether packets of others leave from the asker's link address.
fn forwards(facts: &Facts<'_>, heard: &Heard, asker: Address, requests: &[Timed]) -> bool {
    let Some(link) = heard.signs.get(&asker).and_then(|sign| sign.link) else { return false };
    let Some((_, first)) = requests.first() else { return false };
    let around = first.0.saturating_sub(AROUND)..first.0.saturating_add(AROUND).min(facts.index.len());
    around.map(PacketId).any(|packet| {
        facts.index.packet(packet).is_some_and(|packet| {
            let source = packet.source_address();
            // The same host has addresses of the other family, and speaks to groups.
            packet.transport() != 0
                && source != asker
                && source.same_kind(&asker)
                && is_host(source)
                && is_host(packet.destination_address())
        }) && source_link(facts, packet) == Some(link)
    })
}

/// What the target is to the asker.
fn wanted(
    facts: &Facts<'_>,
    heard: &Heard,
    seen: &Seen,
    (asker, target): (Address, Address),
    forwards: bool,
) -> Wanted {
    match facts.given.to(asker, target) {
        Some((GivenAs::Router, _)) => return Wanted::NextHop,
        Some((GivenAs::NameServer, _)) => return Wanted::Server,
        None => {}
    }
    let asked = |server: &Address| *server == target;
    let server = facts.servers.keys().any(|key| asked(&key.0))
        || facts
            .connections
            .iter()
            .any(|connection| (forwards || connection.client.0 == asker) && asked(&connection.server.0))
        || facts.errors.iter().filter_map(|error| error.quoted).any(|quoted| asked(&quoted.destination.0));
    if server {
        return Wanted::Server;
    }
    let Some(link) = heard.signs.get(&target).and_then(|sign| sign.link) else { return Wanted::Unknown };
    let beyond = seen.beyond.iter().take(READ_MAX);
    let through = beyond.filter(|(_, packet)| destination_link(facts, *packet) == Some(link));
    if through.take(NEXT_HOP_MIN).count() >= NEXT_HOP_MIN { Wanted::NextHop } else { Wanted::Unknown }
}
