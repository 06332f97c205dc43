//! Attempts that only look what is there: a scan is told by its own rule, and its failures are nobody's outage.

use std::collections::{BTreeMap, HashSet};

use super::Trouble;
use crate::attempts::datagrams::TRACE_TTL_MAX;
use crate::attempts::{Attempt, Face, Outcome};
use crate::decode::Address;
use crate::findings::facts::{Facts, Meaning};
use crate::findings::port_scan;
use crate::time::Nanos;

/// Closed or silent ports of one host, or hosts at one port, from which trying them is a scan (services §1.1).
pub const TARGETS_MIN: usize = 10;
/// Within this time.
const WITHIN_NS: Nanos = 10_000_000_000;

/// Positions of the attempts of scans.
pub fn scanned(facts: &Facts<'_>) -> HashSet<u32> {
    let all = &facts.attempts.all;
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
