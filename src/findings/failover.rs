//! Rule `resolver-failover`: another resolver answered what one could not.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::index::PacketId;
use crate::time::span;

/// The rule.
pub static RULE: Rule = Rule {
    id: "resolver-failover",
    title: "Resolver failover worked",
    doc: "Questions that failed at one resolver were answered by another within ten seconds. Redundancy is degraded; users \
          were delayed, not interrupted, as far as this capture shows. Low.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (_, problem) in facts.problems() {
        let (mut frames, mut failed, mut slowest): (Vec<PacketId>, u64, i64) = (Vec::new(), 0, 0);
        for transaction in facts.transactions(problem) {
            failed += 1;
            if let Some(answer) = facts.answered_elsewhere(transaction) {
                frames.extend([transaction.first, answer]);
                slowest = slowest.max(facts.time(answer) - facts.time(transaction.first));
            }
        }
        let moved = frames.len() as u64 / 2;
        if moved == 0 || moved * 2 < failed {
            continue;
        }
        let frames = rules::tidy(frames);
        found.push(Finding {
            id: RULE.id,
            severity: Severity::Low,
            statement: format!(
                "{moved} of {failed} questions that failed at {} were answered by another resolver, the slowest {} after the \
                 first query",
                problem.server.0,
                span(slowest)
            ),
            counts: vec![Count { label: "answered elsewhere".into(), value: moved, filter: String::new() }],
            filter: rules::frames_filter(facts, &frames),
            frames,
            code: None,
        });
    }
    found
}
