//! Rule `time-exceeded`: packets that used up their hops.

use std::collections::BTreeMap;

use super::facts::{Facts, Meaning};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "time-exceeded",
    title: "Time exceeded in transit",
    doc: "ICMP time exceeded from routers. One router that repeats it for one destination points at a routing loop (medium \
          when DNS queries are concerned, otherwise low); several routers in turn are a traceroute (info).",
    run,
};

const REPEATS_MIN: usize = 5;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_destination: BTreeMap<Address, BTreeMap<Address, Vec<PacketId>>> = BTreeMap::new();
    let mut dns: Vec<Address> = Vec::new();
    for error in facts.errors.iter().filter(|error| error.meaning == Meaning::HopsExceeded) {
        let Some(quoted) = error.quoted else { continue };
        by_destination
            .entry(quoted.destination.0)
            .or_default()
            .entry(error.source)
            .or_default()
            .push(error.packet);
        if quoted.destination.1 == 53 {
            dns.push(quoted.destination.0);
        }
    }
    by_destination
        .into_iter()
        .map(|(destination, routers)| {
            let total: usize = routers.values().map(Vec::len).sum();
            let most = routers.values().map(Vec::len).max().unwrap_or(0);
            let for_dns = dns.contains(&destination);
            let looped = most >= REPEATS_MIN && most * 2 > total;
            let severity = match (looped, for_dns) {
                (true, true) => Severity::Medium,
                (true, false) => Severity::Low,
                _ => Severity::Info,
            };
            let words = if looped { "a routing loop sends this" } else { "a traceroute makes routers send this" };
            let frames = rules::tidy(routers.values().flatten().copied().collect());
            let filter = rules::frames_filter(facts, &frames);
            Finding {
                id: RULE.id,
                severity,
                statement: format!("{total} time exceeded messages about packets to {destination} came from {} routers; {words}", routers.len()),
                counts: vec![Count { label: "messages".into(), value: total as u64, filter: if total <= 64 { filter.clone() } else { String::new() } }],
                filter,
                frames,
                code: None,
            }
        })
        .collect()
}
