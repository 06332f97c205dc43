//! Rule `retransmission-storm`: queries repeated far more often than stubs do.

use std::collections::BTreeMap;

use super::facts::{Facts, servers};
use super::{Count, Finding, Rule, Severity, rules};
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "retransmission-storm",
    title: "DNS queries repeated over and over",
    doc: "One client sent the same query (same id and port) five times or more, or at least 20 repeats that make up half of \
          its queries to one server. Stubs try two to five times. Low.",
    run,
};

/// Tries of one query above which they are many.
const TRIES_MAX: u32 = 5;
/// Repeated queries from which they are many, where they are most of all.
const REPEATS_MIN: u64 = 20;

#[derive(Default)]
struct Tally {
    queries: u64,
    repeats: u64,
    most: u32,
    frames: Vec<PacketId>,
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_pair: BTreeMap<_, Tally> = BTreeMap::new();
    for transaction in facts.evidence.transactions.iter().filter(|transaction| transaction.tries > 1) {
        let Some((client, key)) = servers::key_of(facts, transaction) else { continue };
        let tally = by_pair.entry((client, key.0)).or_default();
        tally.queries += 1;
        tally.repeats += u64::from(transaction.tries) - 1;
        tally.most = tally.most.max(transaction.tries);
        if tally.frames.len() < super::FRAMES_MAX {
            tally.frames.extend([transaction.first, transaction.last]);
        }
    }
    let storm = |tally: &Tally| {
        tally.most > TRIES_MAX || (tally.repeats >= REPEATS_MIN && tally.repeats >= tally.queries * 3)
    };
    by_pair
        .into_iter()
        .filter(|(_, tally)| storm(tally))
        .map(|((client, server), tally)| {
            let filter = format!("dns.attempt > 1 && {} && {}", rules::from(client), rules::to(server));
            Finding {
                id: RULE.id,
                severity: Severity::Low,
                statement: format!(
                    "{client} repeated {} queries to {server} {} times, one of them {} times",
                    tally.queries,
                    tally.repeats,
                    tally.most - 1
                ),
                frames: rules::tidy(tally.frames),
                counts: vec![Count { label: "repeats".into(), value: tally.repeats, filter: filter.clone() }],
                filter,
                code: None,
            }
        })
        .collect()
}
