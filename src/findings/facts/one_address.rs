//! Unrelated names that all lead one client to a single private address: a portal or another interception answers in the
//! resolver's name (services §5.2, H36).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Facts, asked, records};
use crate::correlate::{Outcome, zones};
use crate::decode::{Address, dns};
use crate::index::PacketId;
use crate::time::Nanos;

/// Zones of a client's names at one address from which they have nothing else in common.
const ZONES_MIN: usize = 3;
/// Share of the addresses a client was given meanwhile, in percent, from which it is led there whatever it asks.
const SHARE_PERCENT: usize = 80;
/// Answers read.
const ANSWERS_MAX: usize = 50_000;
/// Names kept of one address.
const NAMES_MAX: usize = 256;

/// The names that led one client to one address.
#[derive(Clone, Debug)]
pub struct OneAddress {
    /// Who asked.
    pub client: Address,
    /// What all names lead to.
    pub address: Address,
    /// The names, presentation form, not escaped.
    pub names: BTreeSet<String>,
    /// Distinct zones of the names.
    pub zones: usize,
    /// The servers asked.
    pub servers: BTreeSet<Address>,
    /// The answers, in order.
    pub answers: Vec<PacketId>,
    /// When the first and the last of them came.
    pub span_ns: (Nanos, Nanos),
    /// An answer to one of the names with another address, and that address.
    pub otherwise: Option<(PacketId, String, Address)>,
    /// The frames to other networks go to the same device: it is the client's next hop.
    pub is_next_hop: bool,
}

/// One address that an answer gave.
struct Given {
    at_ns: Nanos,
    packet: PacketId,
    query: PacketId,
    server: Address,
    name: String,
    zone: u64,
    address: Address,
}

/// Whether an address belongs to no public network: private (RFC 1918, RFC 4193), shared (RFC 6598) or link-local.
fn is_private(address: Address) -> bool {
    match address.ip() {
        Some(IpAddr::V4(ip)) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || first == 100 && (64..128).contains(&second)
        }
        Some(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local(),
        None => false,
    }
}

/// Finds the clients that are led to one address whatever they ask.
pub(super) fn find(facts: &Facts<'_>) -> Vec<OneAddress> {
    let mut given: BTreeMap<Address, Vec<Given>> = BTreeMap::new();
    for asked in asked::all(&facts.input())
        .filter(|asked| asked.row.qtype == 1 || asked.row.qtype == 28)
        .take(ANSWERS_MAX)
    {
        let transaction = asked.transaction;
        let usable = transaction.outcome == Outcome::Answered && transaction.response_code == 0;
        let Some(answer) = transaction.answer.filter(|_| usable) else { continue };
        let Some(found) = addresses(facts, answer) else { continue };
        let Some(wire) = asked.segment.names.get(asked.row.name) else { continue };
        let own = given.entry(asked.client).or_default();
        own.extend(found.into_iter().map(|address| Given {
            at_ns: asked.ended_ns(),
            packet: answer,
            query: transaction.first,
            server: asked.server.0,
            name: dns::presentation(wire),
            zone: zones::of_wire(wire).map_or(0, crate::index::names::name_hash),
            address,
        }));
    }
    given.into_iter().flat_map(|(client, given)| of_client(facts, client, &given)).collect()
}

fn addresses(facts: &Facts<'_>, answer: PacketId) -> Option<Vec<Address>> {
    let packet = facts.index.packet(answer)?;
    let row = packet.dns()?;
    let found = records::of(&packet, row).into_iter().filter(|record| record.place == records::Place::Answer);
    let found = found.filter_map(|record| match record.data {
        records::Data::Address(address) => Some(address),
        _ => None,
    });
    Some(found.collect())
}

fn of_client(facts: &Facts<'_>, client: Address, given: &[Given]) -> Vec<OneAddress> {
    let mut zones: BTreeMap<Address, BTreeSet<u64>> = BTreeMap::new();
    for one in given.iter().filter(|one| is_private(one.address) && one.zone != 0) {
        zones.entry(one.address).or_default().insert(one.zone);
    }
    let many = zones.into_iter().filter(|(_, zones)| zones.len() >= ZONES_MIN);
    many.filter_map(|(address, zones)| led_to(facts, client, (address, zones.len()), given)).collect()
}

fn led_to(
    facts: &Facts<'_>,
    client: Address,
    (address, zones): (Address, usize),
    given: &[Given],
) -> Option<OneAddress> {
    let mine = || given.iter().filter(|one| one.address == address);
    let from = mine().map(|one| one.at_ns).min()?;
    let to = mine().map(|one| one.at_ns).max()?;
    let meanwhile = given.iter().filter(|one| (from..=to).contains(&one.at_ns)).count();
    if mine().count() * 100 < meanwhile * SHARE_PERCENT {
        return None;
    }
    let names: BTreeSet<String> = mine().map(|one| one.name.clone()).take(NAMES_MAX).collect();
    let otherwise = given.iter().find(|one| one.address != address && names.contains(&one.name));
    let link = |packet: PacketId, sent: bool| {
        let links = facts.index.packet(packet)?.decode().link_addresses?;
        Some(if sent { links.1 } else { links.0 })
    };
    let way = mine().find_map(|one| link(one.query, true));
    let device = facts
        .connections
        .iter()
        .filter(|connection| connection.client.0 == client && connection.server.0 == address)
        .find_map(|connection| link(connection.decided?, false));
    let mut answers: Vec<PacketId> = mine().map(|one| one.packet).collect();
    answers.dedup();
    Some(OneAddress {
        client,
        address,
        zones,
        servers: mine().map(|one| one.server).collect(),
        answers,
        span_ns: (from, to),
        otherwise: otherwise.map(|one| (one.packet, one.name.clone(), one.address)),
        is_next_hop: way.is_some() && way == device,
        names,
    })
}
