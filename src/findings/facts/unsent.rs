//! ICMP errors about queries that their receiver never sent, although what it did send was captured and answered.

use std::collections::BTreeMap;

use super::Facts;
use crate::correlate::Level;
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// Errors this soon after the capture began may be about what was sent before it.
const BEGUN_NS: Nanos = 10_000_000_000;

/// Finds the errors, in packet order.
pub(super) fn find(facts: &Facts<'_>) -> Vec<PacketId> {
    let orphans = || facts.errors.iter().filter(|error| error.level == Some(Level::Orphan));
    if orphans().next().is_none() {
        return Vec::new();
    }
    // From the first to the last answer of each server.
    let mut answering: BTreeMap<Address, (Nanos, Nanos)> = BTreeMap::new();
    for (key, server) in facts.servers.iter().filter(|(key, _)| facts.is_dns_port(key.1) && key.2 == 17) {
        let times = server.answers.iter().map(|answer| answer.time_ns);
        if let (Some(first), Some(last)) = (times.clone().min(), times.max()) {
            answering.insert(key.0, (first, last));
        }
    }
    let (begin_ns, _) = facts.span();
    orphans()
        .filter(|error| error.source != error.destination && !error.is_about_response())
        .filter(|error| {
            let Some(quoted) =
                error.quoted.filter(|q| q.transport == 17 && facts.is_dns_port(q.destination.1))
            else {
                return false;
            };
            let (client, server) = (quoted.source.0, quoted.destination.0);
            let served = facts.served.get(&client).is_some_and(|servers| servers.contains_key(&server));
            let meanwhile = answering.get(&server).is_some_and(|(first, last)| {
                (*first..=*last).contains(&error.time_ns) && error.time_ns - begin_ns >= BEGUN_NS
            });
            served && meanwhile
        })
        .map(|error| error.packet)
        .collect()
}
