//! Rule `misaddressed-answer`: answers that do not fit the query they carry the id of.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "misaddressed-answer",
    title: "DNS answers from another address, to another question, or in conflict",
    doc: "A response with the right id that came from another address than was asked, answers another question, or differs \
          from an earlier answer. Clients ignore such answers (RFC 5452 §9.1, RFC 2181 §4.1). Medium for another address, \
          low for the others.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_kind: BTreeMap<&'static str, Vec<PacketId>> = BTreeMap::new();
    for anomaly in &facts.evidence.anomalies {
        if matches!(
            anomaly.kind,
            "answer_from_other_address" | "answer_to_other_question" | "conflicting_answer"
        ) {
            let frames = by_kind.entry(anomaly.kind).or_default();
            frames.extend(anomaly.against);
            frames.push(anomaly.packet);
        }
    }
    by_kind
        .into_iter()
        .map(|(kind, frames)| {
            let count = facts.evidence.anomalies.iter().filter(|anomaly| anomaly.kind == kind).count() as u64;
            let (words, severity) = match kind {
                "answer_from_other_address" => ("came from another address than was asked", Severity::Medium),
                "answer_to_other_question" => ("answer another question than was asked", Severity::Low),
                _ => ("differ from the answer that came first", Severity::Low),
            };
            let frames = rules::tidy(frames);
            let filter = rules::frames_filter(facts, &frames);
            Finding {
                id: RULE.id,
                severity,
                statement: format!("{count} DNS responses {words}"),
                frames,
                counts: vec![Count { label: "responses".into(), value: count, filter: String::new() }],
                filter,
                code: None,
            }
        })
        .collect()
}
