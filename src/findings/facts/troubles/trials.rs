//! Attempts that only look what is there: a scan is told by its own rule, and its failures are nobody's outage.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::attempts::Face;
use crate::decode::Address;
use crate::findings::facts::Facts;
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
        for (start, first) in group.iter().enumerate() {
            let Some(from_ns) = get(first).map(|own| own.first.time_ns) else { continue };
            let near: Vec<u32> = group
                .iter()
                .skip(start)
                .take_while(|at| get(at).is_some_and(|own| own.first.time_ns - from_ns <= WITHIN_NS))
                .copied()
                .collect();
            if near.len() < TARGETS_MIN || found.contains(first) {
                continue;
            }
            let targets: BTreeSet<(Address, u16)> = near
                .iter()
                .filter_map(get)
                .map(|own| if by_host { (Address::None, own.service.port) } else { (own.service.host, 0) })
                .collect();
            if targets.len() >= TARGETS_MIN {
                found.extend(near);
            }
        }
    }
    // Whoever tries many closed ports, however slowly, is told by its own rule.
    let scanning = port_scan::sources(facts);
    for (at, own) in all.iter().enumerate() {
        if own.outcome.face() == Some(Face::Unreached) && scanning.contains(&own.client.0) {
            found.insert(at as u32);
        }
    }
    found
}
