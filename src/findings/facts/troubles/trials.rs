//! Attempts that only look what is there: a scan is told by its own rule, and its failures are nobody's outage.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Names, Trouble};
use crate::attempts::datagrams::TRACE_TTL_MAX;
use crate::attempts::{Attempt, Face, Outcome, Service};
use crate::decode::Address;
use crate::findings::facts::{Facts, Meaning};
use crate::findings::port_scan;
use crate::time::Nanos;

/// Closed or silent ports of one host, or hosts at one port, from which trying them is a scan (services §1.1).
pub const TARGETS_MIN: usize = 10;
/// Within this time.
const WITHIN_NS: Nanos = 10_000_000_000;

/// Closed ports of one host, each tried once, from which trying them only looks what is there.
const PORTS_MIN: usize = 4;
/// Within this time.
const PROBE_NS: Nanos = 5_000_000_000;

/// Positions of the attempts of scans.
pub fn scanned(facts: &Facts<'_>, names: &Names) -> HashSet<u32> {
    let all = &facts.attempts.all;
    let mut found = swept(all);
    found.extend(probed(all, names));
    found.extend(facts.sweeps.iter().flat_map(|sweep| sweep.failed.iter().copied()));
    // Whoever tries many closed ports, however slowly, is told by its own rule.
    let scanning = port_scan::sources(facts);
    for (at, own) in all.iter().enumerate() {
        if own.outcome.face() == Some(Face::Unreached) && scanning.contains(&own.client.0) {
            found.insert(at as u32);
        }
    }
    found
}

/// Attempts at several closed ports of one host within seconds, each tried once: whoever needs a service tries it again, was given a
/// name of its host, or is not the only one who asks for it. What met silence meanwhile belongs to them.
fn probed(all: &[Attempt], names: &Names) -> HashSet<u32> {
    let mut tried: BTreeMap<Service, (usize, BTreeSet<Address>, bool)> = BTreeMap::new();
    for own in all {
        let (number, clients, is_served) = tried.entry(own.service).or_default();
        *number += 1;
        clients.insert(own.client.0);
        *is_served |= own.outcome.is_served();
    }
    let once = |own: &Attempt| {
        let known = tried.get(&own.service);
        known.is_some_and(|(number, clients, is_served)| (*number, clients.len()) == (1, 1) && !is_served)
    };
    let mut by_host: BTreeMap<(Address, Address), Vec<u32>> = BTreeMap::new();
    for (at, own) in all.iter().enumerate() {
        let is_named = || names.before(own.service.host, own.client.0, own.first.time_ns, None).is_some();
        if own.outcome.face() == Some(Face::Unreached) && own.service.port > 0 && once(own) && !is_named() {
            by_host.entry((own.client.0, own.service.host)).or_default().push(at as u32);
        }
    }
    let get = |at: &u32| all.get(*at as usize);
    let is_closed = |at: &&u32| get(at).is_some_and(|own| own.tries == 1 && own.outcome != Outcome::NoReply);
    let mut found = HashSet::new();
    for group in by_host.into_values() {
        for (from, first) in group.iter().enumerate() {
            let Some(until_ns) = get(first).map(|own| own.first.time_ns + PROBE_NS) else { continue };
            let window = group.get(from..).unwrap_or_default();
            let end = window.partition_point(|at| get(at).is_some_and(|own| own.first.time_ns <= until_ns));
            let window = window.get(..end).unwrap_or_default();
            if window.iter().filter(is_closed).take(PORTS_MIN).count() == PORTS_MIN {
                found.extend(window);
            }
        }
    }
    found
}

/// Attempts at many closed or silent ports of one host, or at one port of many hosts, within seconds.
fn swept(all: &[Attempt]) -> HashSet<u32> {
    let mut by_host: BTreeMap<(Address, Address), Vec<u32>> = BTreeMap::new();
    let mut by_port: BTreeMap<(Address, u16), Vec<u32>> = BTreeMap::new();
    for (at, own) in all.iter().enumerate() {
        if own.outcome.face() == Some(Face::Unreached) && own.service.port > 0 {
            by_host.entry((own.client.0, own.service.host)).or_default().push(at as u32);
            by_port.entry((own.client.0, own.service.port)).or_default().push(at as u32);
        }
    }
    let mut found = HashSet::new();
    for (group, by_host) in
        by_host.into_values().map(|own| (own, true)).chain(by_port.into_values().map(|own| (own, false)))
    {
        if group.len() < TARGETS_MIN {
            continue;
        }
        let get = |at: &u32| all.get(*at as usize);
        // A window over time with the targets inside it; what one window shows is noted once.
        let mut inside: BTreeMap<(Address, u16), usize> = BTreeMap::new();
        let (mut start, mut noted) = (0, 0);
        for (end, own) in group.iter().filter_map(get).enumerate() {
            *inside.entry(target(own, by_host)).or_default() += 1;
            while let Some(oldest) = group.get(start).and_then(get)
                && own.first.time_ns - oldest.first.time_ns > WITHIN_NS
            {
                if let Some(number) = inside.get_mut(&target(oldest, by_host)) {
                    *number -= 1;
                    if *number == 0 {
                        inside.remove(&target(oldest, by_host));
                    }
                }
                start += 1;
            }
            if inside.len() >= TARGETS_MIN {
                found.extend(group.get(start.max(noted)..=end).unwrap_or_default());
                noted = end + 1;
            }
        }
    }
    found
}

/// What tells the targets of one scan apart: ports of one host, or hosts at one port.
fn target(own: &Attempt, by_host: bool) -> (Address, u16) {
    if by_host { (Address::None, own.service.port) } else { (own.service.host, 0) }
}

/// Datagrams from which on they are more than a try.
const PROBES_MAX: usize = 4;

/// Whether failures are single datagrams, of protocols that nobody answers, of a host that traces paths or tries many addresses:
/// who looks around on purpose sends them to see what comes back.
pub fn are_probes(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let lone = trouble.attempts(facts.attempts).all(|own| {
        own.service.transport == UDP
            && !own.kind.answers()
            && own.tries == 1
            && matches!(own.outcome, Outcome::RefusedByIcmp(..))
    });
    lone && trouble.failed.len() <= PROBES_MAX && trouble.hit().all(|client| looks_around(facts, client.host))
}

/// Whether a host traced a path, or tried many addresses or ports. One that sends all it sends with the same few hops traces nothing.
fn looks_around(facts: &Facts<'_>, client: Address) -> bool {
    let expired = facts.errors.iter().filter(|error| {
        error.meaning == Meaning::HopsExceeded && error.quoted.is_some_and(|quoted| quoted.source.0 == client)
    });
    let hops: HashSet<u8> = expired
        .filter_map(|error| facts.index.packet(error.about?))
        .map(|packet| packet.ttl())
        .filter(|ttl| (1..=TRACE_TTL_MAX).contains(ttl))
        .collect();
    hops.len() > 1
        || facts.sweeps.iter().any(|sweep| sweep.client == client)
        || port_scan::sources(facts).contains(&client)
}

/// The IP protocol number of UDP.
const UDP: u8 = 17;
