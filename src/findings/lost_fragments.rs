//! Rule `lost-fragments`: packets whose later fragments never arrive.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Connection, Facts, Meaning, Pieces};
use super::tcp_failures::WATCH_NS;
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "lost-fragments",
    title: "Fragments lost on the path",
    doc: "Packets of which the first fragment arrived and later ones did not, with the receiver's reassembly time exceeded \
          messages (RFC 792; RFC 8200 §4.5). For DNS answers this fails large answers only. Where all fragments \
          were captured, the receiver's messages alone, or those that the capture of a second place lacks. Medium from two on, otherwise info.",
    run,
};

/// Receivers that complain about packets whose fragments all left here, or were not captured.
fn complaints(facts: &Facts<'_>, told: &BTreeSet<(Address, Address)>) -> Vec<Finding> {
    let mut by_pair: BTreeMap<(Address, Address), Vec<PacketId>> = BTreeMap::new();
    for error in facts.errors.iter().filter(|error| error.meaning == Meaning::ReassemblyExpired) {
        if !told.contains(&(error.destination, error.source)) {
            by_pair.entry((error.destination, error.source)).or_default().push(error.packet);
        }
    }
    let finding = |((sender, receiver), errors): ((Address, Address), Vec<PacketId>)| {
        let frames = rules::tidy(errors.clone());
        Finding {
            id: RULE.id,
            severity: if errors.len() > 1 { Severity::Medium } else { Severity::Info },
            statement: format!(
                "{receiver} told {sender} {} that fragments of a packet had not all arrived (reassembly time exceeded)",
                match errors.len() {
                    1 => "once".to_owned(),
                    times => format!("{times} times"),
                }
            ),
            counts: vec![Count {
                label: "reassembly time exceeded".into(),
                value: errors.len() as u64,
                filter: rules::frames_counted(facts, &errors),
            }],
            filter: rules::frames_filter(facts, &frames),
            frames,
            code: None,
        }
    };
    by_pair.into_iter().map(finding).collect()
}

/// Packets that left one place whole and came to the other in part.
fn between(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_pair: BTreeMap<(Address, Address), Vec<&Pieces>> = BTreeMap::new();
    for pieces in facts.pieces.iter().filter(|pieces| pieces.stops_between && !pieces.is_incomplete()) {
        by_pair.entry((pieces.source, pieces.destination)).or_default().push(pieces);
    }
    let finding = |((source, destination), lost): ((Address, Address), Vec<&Pieces>)| {
        let frames = rules::tidy(lost.iter().flat_map(|pieces| pieces.packets.iter().copied()).collect());
        let firsts: Vec<PacketId> =
            lost.iter().filter_map(|pieces| pieces.packets.first().copied()).collect();
        Finding {
            id: RULE.id,
            severity: if lost.len() > 1 { Severity::Medium } else { Severity::Info },
            statement: format!(
                "Of {} from {source} to {destination} some fragments were captured at one place only, others at both: they did not \
                 arrive at the second",
                rules::counted(lost.len(), "fragmented packet", "fragmented packets")
            ),
            counts: vec![Count {
                label: "packets that arrived in part".into(),
                value: lost.len() as u64,
                filter: rules::frames_counted(facts, &firsts),
            }],
            filter: rules::frames_filter(facts, &frames),
            frames,
            code: None,
        }
    };
    by_pair.into_iter().map(finding).collect()
}

/// The queries that DNS answers in pieces belong to.
fn asked(facts: &Facts<'_>, lost: &[&Pieces]) -> Vec<PacketId> {
    let ends: BTreeSet<(Address, u16, Address)> = lost
        .iter()
        .filter(|own| own.is_dns_answer())
        .filter_map(|own| Some((own.destination, own.ports?.1, own.source)))
        .collect();
    let open = facts.evidence.transactions.iter().filter(|own| own.answer.is_none()).map(|own| own.first);
    let asks = |query: &PacketId| {
        facts.index.packet(*query).is_some_and(|query| {
            ends.contains(&(query.source_address(), query.source_port(), query.destination_address()))
        })
    };
    if ends.is_empty() { Vec::new() } else { open.filter(asks).collect() }
}

/// What the receiver met when it came over TCP instead: `; 3 connections … (9 SYNs) got no answer`.
fn over_tcp(facts: &Facts<'_>, server: Address, client: Address) -> String {
    let (_, end_ns) = facts.span();
    let silent: Vec<&Connection> = facts
        .connections
        .iter()
        .filter(|own| own.server.0 == server && own.client.0 == client && facts.is_dns_port(own.server.1))
        .filter(|own| own.is_unanswered(end_ns, WATCH_NS))
        .collect();
    let tries: u32 = silent.iter().map(|own| own.tries).sum();
    silent.first().map_or_else(String::new, |first| {
        format!(
            "; {} of {client} to TCP port {} there ({}) got no answer",
            rules::counted(silent.len(), "connection", "connections"),
            first.server.1,
            rules::counted(tries as usize, "SYN", "SYNs")
        )
    })
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_pair: BTreeMap<(Address, Address), Vec<&Pieces>> = BTreeMap::new();
    for pieces in facts.pieces.iter().filter(|pieces| pieces.lacks_the_rest()) {
        by_pair.entry((pieces.source, pieces.destination)).or_default().push(pieces);
    }
    let mut found = complaints(facts, &by_pair.keys().copied().collect());
    found.extend(between(facts));
    for ((source, destination), lost) in by_pair {
        let expired: Vec<PacketId> = facts
            .errors
            .iter()
            .filter(|e| {
                e.meaning == Meaning::ReassemblyExpired && e.source == destination && e.destination == source
            })
            .map(|error| error.packet)
            .collect();
        let dns = lost.iter().filter(|pieces| pieces.is_dns_answer()).count();
        let what = if dns == lost.len() { "DNS answers" } else { "packets" };
        let frames = rules::tidy(
            lost.iter()
                .flat_map(|pieces| pieces.packets.iter().copied())
                .chain(expired.iter().copied())
                .chain(asked(facts, &lost))
                .collect(),
        );
        let mut counts = vec![Count {
            label: "incomplete packets".into(),
            value: lost.len() as u64,
            filter: rules::frames_counted(
                facts,
                &lost.iter().filter_map(|p| p.packets.first().copied()).collect::<Vec<_>>(),
            ),
        }];
        if !expired.is_empty() {
            counts.push(Count {
                label: "reassembly time exceeded".into(),
                value: expired.len() as u64,
                filter: rules::frames_counted(facts, &expired),
            });
        }
        found.push(Finding {
            id: RULE.id,
            severity: if lost.len() > 1 && facts.misses_fragments() {
                Severity::Medium
            } else {
                Severity::Info
            },
            statement: format!(
                "Of {} fragmented {what} from {source} to {destination} {}; {} followed{}",
                lost.len(),
                if facts.misses_fragments() {
                    "later fragments did not arrive"
                } else {
                    "only the first fragments were captured, as a capture filter by port leaves them"
                },
                rules::counted(
                    expired.len(),
                    "reassembly time exceeded message",
                    "reassembly time exceeded messages"
                ),
                if dns == lost.len() { over_tcp(facts, source, destination) } else { String::new() }
            ),
            filter: rules::frames_filter(facts, &frames),
            frames,
            counts,
            code: None,
        });
    }
    found
}
