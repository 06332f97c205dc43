//! Rule `time-exceeded`: packets that used up their hops.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Meaning};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "time-exceeded",
    title: "Time exceeded in transit",
    doc: "ICMP time exceeded from routers. One router that repeats it for one destination, or packets seen to circle, point at a routing loop (medium \
          when DNS queries are concerned, otherwise low); several routers in turn, or messages about packets that were sent with few hops, are a traceroute (info). All destinations \
          of one kind make one finding.",
    run,
};

/// Messages of one router about one destination from which it may be a loop.
const REPEATS_MIN: usize = 5;

/// Copies of one packet from which it is seen to circle.
const CIRCLES_MIN: usize = 5;

/// No system starts its packets with fewer hops to go.
const FEW_HOPS_MAX: u8 = 30;

/// The messages about one destination, by router.
type Routers = BTreeMap<Address, Vec<PacketId>>;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_destination: BTreeMap<Address, [Routers; 2]> = BTreeMap::new();
    let mut dns: BTreeSet<Address> = BTreeSet::new();
    // Packets that were sent with few hops ask for these messages.
    let mut looping: BTreeSet<Address> = BTreeSet::new();
    let mut short: BTreeSet<Address> = BTreeSet::new();
    let mut circling: BTreeSet<Address> = BTreeSet::new();
    let is_probe =
        |about: PacketId| facts.index.packet(about).is_some_and(|packet| facts.evidence.is_probe(&packet));
    for error in facts.errors.iter().filter(|error| error.meaning == Meaning::HopsExceeded) {
        let Some(quoted) = error.quoted else { continue };
        // Where it was first seen: a loop has used up the hops of what is captured again.
        let sent = error.about.map(|about| facts.evidence.original_of(about));
        let first = sent.and_then(|about| {
            let evidence = facts.evidence;
            let known = evidence.transaction_of(about).and_then(|id| evidence.transaction(id));
            facts.index.packet(known.map_or(about, |transaction| transaction.first))
        });
        let asked = |packet: &crate::index::Packet<'_>| facts.evidence.transaction_of(packet.id).is_some();
        let few = first.is_some_and(|packet| asked(&packet) && (1..=FEW_HOPS_MAX).contains(&packet.ttl()));
        let probe = sent.is_some_and(is_probe);
        let circled =
            sent.is_some_and(|sent| facts.evidence.copies_of(sent).take(CIRCLES_MIN).count() == CIRCLES_MIN);
        // What was sent with few hops needs no loop to use them up.
        if few {
            short.insert(quoted.destination.0);
        } else if !probe {
            looping.insert(quoted.destination.0);
        }
        if circled {
            circling.insert(quoted.destination.0);
        }
        let [ordinary, probes] = by_destination.entry(quoted.destination.0).or_default();
        let routers = if probe { probes } else { ordinary };
        routers.entry(error.source).or_default().push(error.packet);
        if facts.is_dns_port(quoted.destination.1) {
            dns.insert(quoted.destination.0);
        }
    }
    let mut by_kind: BTreeMap<Severity, Vec<(Address, Routers)>> = BTreeMap::new();
    for (destination, [ordinary, probes]) in by_destination {
        let mut routers = ordinary.clone();
        for (router, own) in &probes {
            routers.entry(*router).or_default().extend(own);
        }
        let total: usize = routers.values().map(Vec::len).sum();
        let most = routers.values().map(Vec::len).max().unwrap_or(0);
        let looped = most >= REPEATS_MIN && most * 2 > total && looping.contains(&destination);
        let looped = looped && !short.contains(&destination) || circling.contains(&destination);
        let severity = match (looped, dns.contains(&destination)) {
            (true, true) => Severity::Medium,
            (true, false) => Severity::Low,
            _ => Severity::Info,
        };
        // A traceroute asks for its messages, whatever else meets a loop.
        if looped && !probes.is_empty() {
            by_kind.entry(Severity::Info).or_default().push((destination, probes));
            routers = ordinary;
        }
        by_kind.entry(severity).or_default().push((destination, routers));
    }
    let alone = by_kind.len() == 1;
    by_kind
        .into_iter()
        .filter_map(|(severity, list)| of_kind(facts, severity, list, (alone, &looping)))
        .collect()
}

/// One finding about all destinations of one kind, the most frequent first.
fn of_kind(
    facts: &Facts<'_>,
    severity: Severity,
    mut list: Vec<(Address, Routers)>,
    (alone, unforced): (bool, &BTreeSet<Address>),
) -> Option<Finding> {
    let messages = |routers: &Routers| routers.values().map(Vec::len).sum::<usize>();
    list.sort_by_key(|(destination, routers)| (std::cmp::Reverse(messages(routers)), *destination));
    let all: Vec<PacketId> =
        list.iter().flat_map(|(_, routers)| routers.values().flatten().copied()).collect();
    let senders: BTreeSet<Address> = list.iter().flat_map(|(_, routers)| routers.keys().copied()).collect();
    let (first, of_first) = list.first()?;
    let total = all.len() as u64;
    // The type alone counts them again where there is no other kind of them.
    let every = "(icmp.type == 11 && icmp.code == 0) || (icmpv6.type == 3 && icmpv6.code == 0)";
    let listed = rules::frames_counted(facts, &all);
    let counted = if alone && listed.is_empty() { every.to_owned() } else { listed };
    let filter = if counted.is_empty() { every.to_owned() } else { counted.clone() };
    let mut counts = vec![Count { label: "messages".into(), value: total, filter: counted }];
    if list.len() > 1 {
        counts.extend(list.iter().take(rules::TOP_MAX).map(|(destination, routers)| {
            let frames: Vec<PacketId> = routers.values().flatten().copied().collect();
            Count {
                label: format!("messages about packets to {destination}"),
                value: frames.len() as u64,
                filter: rules::frames_counted(facts, &rules::tidy(frames)),
            }
        }));
    }
    let is_round = |(host, _): &(Address, Routers)| {
        facts.troubles.all.iter().any(|own| own.looped.is_some() && own.hosts().contains(host))
    };
    let words = match severity {
        Severity::Info if list.iter().all(is_round) => {
            "packets that left with hops enough used them up, as in a routing loop"
        }
        Severity::Info if list.iter().any(|(destination, _)| unforced.contains(destination)) => {
            "a traceroute and a loop that ends soon make routers send this"
        }
        Severity::Info => "packets sent with few hops (TTL), as by a traceroute, make routers send this",
        _ => "a routing loop sends this",
    };
    let destinations = match list.len() {
        1 => first.to_string(),
        many => format!("{many} destinations (most, {}, about {first})", messages(of_first)),
    };
    Some(Finding {
        id: RULE.id,
        severity,
        statement: format!(
            "{} about packets to {destinations} came from {}; {words}",
            rules::counted(all.len(), "time exceeded message", "time exceeded messages"),
            rules::counted(senders.len(), "router", "routers")
        ),
        frames: rules::tidy(all),
        counts,
        filter,
        code: None,
    })
}
