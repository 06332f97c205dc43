//! Rule `not-sent-on`: failed queries and connections that came into the capturing device and did not leave it, as others did.

use std::collections::BTreeMap;

use super::coverage::is_served;
use super::facts::{Ending, Facts, ServerKey, asked};
use super::{Count, Finding, Rule, Severity, gravity, rules};
use crate::correlate::Signature;
use crate::correlate::duplicates::CopyKind;
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "not-sent-on",
    title: "Queries that did not leave the device between",
    doc: "A capture on a router shows each packet it forwards twice, before and behind it, and two captures show what travels between \
          them twice. Unanswered or refused queries, and connections to a DNS port, that are there once although three or more \
          answered ones between the same hosts, and nine in ten of them, are there twice (where none was answered, three other packets), \
          stopped in between. \
          Not where packets were dropped while capturing; a card that forwards by itself looks alike. Severity as for the failure.",
    run,
};

/// Answered queries from which it is known what a forwarded one looks like (services §3.2).
const SERVED_MIN: usize = 3;
/// Connection requests from which it is no slip.
const CONNECTIONS_MIN: usize = 2;
/// Copies counted.
const COPIES_MAX: usize = 1_000_000;
/// Their share, in percent, that must have been captured on both sides.
const MOST_PERCENT: usize = 90;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    if facts.index.sources.iter().any(|source| source.metadata.lost() > 0)
        || !facts
            .evidence
            .duplicates()
            .any(|(copy, original, kind)| is_further_on(facts, (original, copy), kind))
    {
        return Vec::new();
    }
    let usual = usual(facts);
    let passing = passing(facts);
    let failed = facts
        .problems()
        .filter(|(_, problem)| matches!(problem.signature, Signature::NoAnswer | Signature::Icmp { .. }));
    let found = failed.filter_map(|(at, problem)| {
        let transactions: Vec<_> = facts.transactions(problem).collect();
        let mut stopped: Vec<PacketId> = Vec::new();
        let mut known: BTreeMap<(Address, ServerKey), usize> = BTreeMap::new();
        let mut is_served = true;
        for transaction in &transactions {
            let packet = facts.index.packet(transaction.first)?;
            let (client, server) = (packet.source_address(), server_of(&packet));
            let (whole, all) = usual.get(&(client, server)).copied().unwrap_or_default();
            // Where nothing was answered, other packets between the two tell what is captured at both places.
            let others = passing.get(&(client, server.0)).copied().unwrap_or_default();
            let is_known =
                whole >= SERVED_MIN && whole * 100 >= all * MOST_PERCENT || all == 0 && others >= SERVED_MIN;
            let id = facts.evidence.transaction_of(transaction.first)?;
            let tries = facts.evidence.tries(id);
            if is_known && tries.iter().all(|query| !goes_on(facts, *query)) {
                stopped.extend(tries);
                is_served &= all > 0;
                known.insert((client, server), if all > 0 { whole } else { others });
            }
        }
        let known: usize = known.into_values().sum();
        let to = facts.index.packet(*stopped.first()?)?.destination_address();
        let refused = matches!(problem.signature, Signature::Icmp { .. });
        let what = if refused {
            ("query", "queries", is_served)
        } else {
            ("query of an unanswered question", "queries of unanswered questions", is_served)
        };
        Some(finding(facts, (gravity::of(facts, at), refused), to, what, (stopped, known)))
    });
    found.chain(connections(facts, &passing)).collect()
}

/// Connections to a DNS port of which no first packet was captured at the other place, while other packets were.
fn connections(facts: &Facts<'_>, passing: &BTreeMap<(Address, Address), usize>) -> Vec<Finding> {
    if facts.index.sources.len() < 2 {
        return Vec::new();
    }
    let mut stopped: BTreeMap<Address, (Vec<PacketId>, usize, bool)> = BTreeMap::new();
    for own in facts.connections.iter().filter(|own| facts.is_dns_port(own.server.1)) {
        let failed = matches!(own.ending, Ending::Silent | Ending::Refused | Ending::Rejected);
        let others = passing.get(&(own.client.0, own.server.0)).copied().unwrap_or_default();
        let gone = [own.syn, own.last_syn].iter().all(|syn| !goes_on(facts, *syn));
        if failed && gone && others >= SERVED_MIN {
            let (syns, known, refused) = stopped.entry(own.server.0).or_default();
            syns.push(own.syn);
            *known = (*known).max(others);
            *refused |= own.ending != Ending::Silent;
        }
    }
    let told = |(to, (syns, known, refused)): (Address, (Vec<PacketId>, usize, bool))| {
        let what = ("TCP connection request", "TCP connection requests", false);
        finding(facts, (Severity::Medium, refused), to, what, (syns, known))
    };
    stopped.into_iter().filter(|(_, (syns, ..))| syns.len() >= CONNECTIONS_MIN).map(told).collect()
}

fn finding(
    facts: &Facts<'_>,
    (severity, refused): (Severity, bool),
    to: Address,
    (one, many, is_served): (&str, &str, bool),
    (stopped, known): (Vec<PacketId>, usize),
) -> Finding {
    let count = stopped.len();
    let frames = rules::tidy(stopped);
    let what = rules::counted(count, one, many);
    let usual = if is_served {
        format!("{known} answered ones")
    } else {
        rules::counted(known, "other packet to it", "other packets to it")
    };
    let how = if refused {
        "what refused them stands between the two"
    } else {
        "they were lost or dropped between the two"
    };
    Finding {
        id: RULE.id,
        severity,
        statement: if facts.index.sources.len() > 1 {
            format!(
                "{what} to {to} {} captured at one place only, while {usual} {} captured at both: {how}",
                if count == 1 { "was" } else { "were" },
                if known == 1 { "was" } else { "were" }
            )
        } else {
            format!(
                "{what} to {to} came into this device and did not leave it, while {usual} {} sent on: it {} them, or \
                 hands them on where this capture does not look",
                if known == 1 { "was" } else { "were" },
                if refused { "refuses" } else { "drops" }
            )
        },
        counts: vec![Count {
            label: format!("{many} that were not sent on"),
            value: count as u64,
            filter: rules::frames_counted(facts, &frames),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}

fn server_of(packet: &crate::index::Packet<'_>) -> ServerKey {
    (packet.destination_address(), packet.destination_port(), packet.transport())
}

/// Whether a copy was captured at another place: behind a router, or in another file.
fn is_further_on(facts: &Facts<'_>, (original, copy): (PacketId, PacketId), kind: CopyKind) -> bool {
    let source = |packet: PacketId| facts.index.packet(packet).map(|packet| packet.segment.source);
    kind != CopyKind::Mirror || source(original) != source(copy)
}

/// Whether a query was captured again behind the device.
fn goes_on(facts: &Facts<'_>, query: PacketId) -> bool {
    facts.evidence.copies(query).any(|(copy, kind)| is_further_on(facts, (query, copy), kind))
}

/// How many answered queries of each pair were captured on both sides, and of how many.
fn usual(facts: &Facts<'_>) -> BTreeMap<(Address, ServerKey), (usize, usize)> {
    let mut usual: BTreeMap<(Address, ServerKey), (usize, usize)> = BTreeMap::new();
    for asked in asked::all(&facts.input()).filter(|asked| is_served(asked.transaction)) {
        let (whole, all) = usual.entry((asked.client, asked.server)).or_default();
        *all += 1;
        let id = facts.evidence.transaction_of(asked.transaction.first);
        let tries = id.map(|id| facts.evidence.tries(id)).unwrap_or_default();
        *whole += usize::from(tries.iter().any(|query| goes_on(facts, *query)));
    }
    usual
}

/// How many packets of each pair of hosts were captured on both sides.
fn passing(facts: &Facts<'_>) -> BTreeMap<(Address, Address), usize> {
    let mut passing: BTreeMap<(Address, Address), usize> = BTreeMap::new();
    let further_on = |(copy, original, kind): &(PacketId, PacketId, CopyKind)| {
        is_further_on(facts, (*original, *copy), *kind)
    };
    let copies = facts.evidence.duplicates().filter(further_on);
    for packet in copies.take(COPIES_MAX).filter_map(|(_, original, _)| facts.index.packet(original)) {
        *passing.entry((packet.source_address(), packet.destination_address())).or_default() += 1;
    }
    passing
}
