//! Rule `not-sent-on`: unanswered queries that came into the capturing device and did not leave it, as answered ones did.

use std::collections::BTreeMap;

use super::coverage::is_served;
use super::facts::{Facts, ServerKey, asked};
use super::{Count, Finding, Rule, gravity, rules};
use crate::correlate::Signature;
use crate::correlate::duplicates::CopyKind;
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "not-sent-on",
    title: "Queries that did not leave the device between",
    doc: "A capture on a router shows each packet it forwards twice, before and behind it. Unanswered queries that are there once \
          although three or more answered ones between the same hosts, and nine in ten of them, are there twice, stopped in that device. \
          Not where packets were dropped while capturing; a card that forwards by itself looks alike. Severity as for the failure.",
    run,
};

/// Answered queries from which it is known what a forwarded one looks like (services §3.2).
const SERVED_MIN: usize = 3;
/// Their share, in percent, that must have been captured on both sides.
const MOST_PERCENT: usize = 90;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let interfaces = facts.index.sources.iter().flat_map(|source| &source.metadata.interfaces);
    let dropped = interfaces.filter_map(|interface| interface.dropped).any(|dropped| dropped > 0);
    if dropped || !facts.evidence.duplicates().any(|(.., kind)| kind != CopyKind::Mirror) {
        return Vec::new();
    }
    let usual = usual(facts);
    let silent = facts.problems().filter(|(_, problem)| problem.signature == Signature::NoAnswer);
    let found = silent.filter_map(|(at, problem)| {
        let transactions: Vec<_> = facts.transactions(problem).collect();
        let mut stopped: Vec<PacketId> = Vec::new();
        let mut served = 0;
        for transaction in &transactions {
            let packet = facts.index.packet(transaction.first)?;
            let key = (packet.source_address(), server_of(&packet));
            let (whole, all) = usual.get(&key).copied().unwrap_or_default();
            let is_known = whole >= SERVED_MIN && whole * 100 >= all * MOST_PERCENT;
            let id = facts.evidence.transaction_of(transaction.first)?;
            let tries = facts.evidence.tries(id);
            if is_known && tries.iter().all(|query| !goes_on(facts, *query)) {
                stopped.extend(tries);
                served = served.max(whole);
            }
        }
        let first = facts.index.packet(*stopped.first()?)?;
        let count = stopped.len();
        let frames = rules::tidy(stopped);
        Some(Finding {
            id: RULE.id,
            severity: gravity::of(facts, at),
            statement: if facts.index.sources.len() > 1 {
                format!(
                    "{} to {} were captured at one place only, while {served} answered ones were captured at both: they were lost or \
                     dropped between the two",
                    rules::counted(count, "query", "queries"),
                    first.destination_address()
                )
            } else {
                format!(
                    "{} to {} came into this device and did not leave it, while {served} answered ones were sent on: it drops them, or \
                     hands them on where this capture does not look",
                    rules::counted(count, "query", "queries"),
                    first.destination_address()
                )
            },
            counts: vec![Count {
                label: "queries that were not sent on".into(),
                value: count as u64,
                filter: rules::frames_counted(facts, &frames),
            }],
            filter: rules::frames_filter(facts, &frames),
            frames,
            code: None,
        })
    });
    found.collect()
}

fn server_of(packet: &crate::index::Packet<'_>) -> ServerKey {
    (packet.destination_address(), packet.destination_port(), packet.transport())
}

/// Whether a query was captured again behind the device.
fn goes_on(facts: &Facts<'_>, query: PacketId) -> bool {
    facts.evidence.copies(query).any(|(_, kind)| kind != CopyKind::Mirror)
}

/// How many answered queries of each pair were captured on both sides, and of how many.
fn usual(facts: &Facts<'_>) -> BTreeMap<(Address, ServerKey), (usize, usize)> {
    let mut usual: BTreeMap<(Address, ServerKey), (usize, usize)> = BTreeMap::new();
    for asked in asked::all(&facts.input()).filter(|asked| is_served(asked.transaction)) {
        let (whole, all) = usual.entry((asked.client, asked.server)).or_default();
        *all += 1;
        *whole += usize::from(goes_on(facts, asked.transaction.first));
    }
    usual
}
