//! Addresses that two devices use at one time: told by turns of ARP, or by answers that part along the device.

use std::collections::BTreeMap;

use super::Facts;
use super::neighbours::{Conflict, Heard, Link, Owner};
use crate::attempts::{Attempt, Face, Outcome};
use crate::decode::Address;
use crate::index::PacketId;

/// Attempts that fail at one device while another serves from which on the address is used twice.
const FAILED_MIN: usize = 2;

/// How what is sent to an address that two devices use ends, by the device it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The device that serves, and how many attempts.
    pub serves: (Link, u32),
    /// The one at which they fail.
    pub fails: Link,
    /// Attempts that it refused, and those sent to it that got no reply.
    pub failed: (u32, u32),
    /// The packets that decided them.
    pub frames: Vec<PacketId>,
}

/// The addresses that two devices use at one time. An address that moves for good is none, and neither is one that routers of a group
/// hand to each other.
pub(super) fn conflicts(facts: &Facts<'_>, heard: &Heard) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (address, owners) in heard.contested() {
        if facts.virtual_routers.iter().any(|group| group.explains(address, owners)) {
            continue;
        }
        let parting = parting(facts, address, owners);
        if parting.is_some() || owners.iter().any(Owner::insists) {
            let since_ns = owners.get(1).map_or(0, |owner| owner.span_ns.0);
            found.push(Conflict { address, owners: owners.to_vec(), since_ns, parting });
        }
    }
    found
}

/// The addresses that went from one device to another for good, with the first word of each; those of groups of routers are told by
/// their own rule.
pub(super) fn moved(facts: &Facts<'_>, heard: &Heard) -> BTreeMap<Address, Vec<PacketId>> {
    let went = heard.contested().filter(|(address, owners)| {
        facts.conflicts.iter().all(|own| own.address != *address)
            && !facts.virtual_routers.iter().any(|group| group.explains(*address, owners))
    });
    went.map(|(address, owners)| {
        (address, owners.iter().filter_map(|own| own.claims.first().copied()).collect())
    })
    .collect()
}

/// Whether attempts at an address end otherwise at one device than at the other, meanwhile.
fn parting(facts: &Facts<'_>, address: Address, owners: &[Owner]) -> Option<Parting> {
    let known = |link: &Link| owners.iter().any(|owner| owner.link == *link);
    let links = |packet: PacketId| facts.index.packet(packet)?.decode().link_addresses;
    let mut served: BTreeMap<Link, Vec<&Attempt>> = BTreeMap::new();
    let mut failed: BTreeMap<Link, Vec<&Attempt>> = BTreeMap::new();
    for own in facts.attempts.all.iter().filter(|own| own.service.host == address) {
        if own.outcome == Outcome::NoReply {
            if let Some((_, link)) = links(own.last.packet).filter(|(_, link)| known(link)) {
                failed.entry(link).or_default().push(own);
            }
            continue;
        }
        let answer = own.decided.and_then(|seen| facts.index.packet(seen.packet));
        let Some(answer) = answer.filter(|answer| answer.source_address() == address) else { continue };
        let Some((link, _)) = links(answer.id).filter(|(link, _)| known(link)) else { continue };
        if own.outcome.is_served() {
            served.entry(link).or_default().push(own);
        } else if own.outcome.face() == Some(Face::Unreached) {
            failed.entry(link).or_default().push(own);
        }
    }
    // Whoever has handed the address over leaves in silence what is still sent to it: only what answers, or claimed it last, uses it.
    let newest = owners.iter().max_by_key(|owner| owner.span_ns.0).map(|owner| owner.link);
    let is_there = |link: &Link, bad: &[&Attempt]| {
        newest == Some(*link) || bad.iter().any(|own| own.outcome != Outcome::NoReply)
    };
    let (fails, bad) = failed
        .into_iter()
        .find(|(link, bad)| bad.len() >= FAILED_MIN && !served.contains_key(link) && is_there(link, bad))?;
    let (serves, good) = served.into_iter().next()?;
    let (from, to) = (bad.first()?.first.time_ns, bad.last()?.ended_ns());
    // One device after another is no conflict.
    let meanwhile = good.iter().any(|own| own.ended_ns() >= from && own.first.time_ns <= to)
        || good.iter().any(|own| own.first.time_ns < from) && good.iter().any(|own| own.first.time_ns > to);
    let silent = bad.iter().filter(|own| own.outcome == Outcome::NoReply).count() as u32;
    let frames = bad.iter().chain(&good).map(|own| own.decided.unwrap_or(own.last).packet);
    meanwhile.then(|| Parting {
        serves: (serves, good.len() as u32),
        fails,
        failed: (bad.len() as u32 - silent, silent),
        frames: frames.take(crate::findings::FRAMES_MAX).collect(),
    })
}
