//! Rule `misaddressed-answer`: answers that do not fit the query they carry the id of.

use std::collections::BTreeMap;

use super::facts::delegations::How;
use super::facts::{Facts, Lame};
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::Anomaly;
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "misaddressed-answer",
    title: "DNS answers from another address, to another question, in conflict, or lame",
    doc: "A response with the right id that came from another address than was asked, answers another question, or differs \
          from an earlier answer. Clients ignore such answers (RFC 5452 §9.1, RFC 2181 §4.1). Medium for another address, \
          low for the others. Also a server that refers back, or answers without authority, for a zone that a referral hands it \
          (lame delegation, RFC 9499 §7): medium from two on.",
    run,
};

/// Whether an anomaly belongs here. A query sent twice may well be answered twice, the records in another order.
fn is_told(facts: &Facts<'_>, anomaly: &Anomaly) -> bool {
    match anomaly.kind {
        "answer_from_other_address" | "answer_to_other_question" => true,
        "conflicting_answer" => {
            let id = facts.evidence.transaction_of(anomaly.packet);
            id.and_then(|id| facts.evidence.transaction(id)).is_none_or(|transaction| transaction.tries < 2)
        }
        _ => false,
    }
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_kind: BTreeMap<&'static str, Vec<PacketId>> = BTreeMap::new();
    for anomaly in &facts.evidence.anomalies {
        if is_told(facts, anomaly) {
            let frames = by_kind.entry(anomaly.kind).or_default();
            frames.extend(anomaly.against);
            frames.push(anomaly.packet);
        }
    }
    let mut found = lame(facts);
    found.extend(by_kind.into_iter().map(|(kind, frames)| {
        let told = |anomaly: &&Anomaly| anomaly.kind == kind && is_told(facts, anomaly);
        let count = facts.evidence.anomalies.iter().filter(told).count() as u64;
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
    }));
    found
}

/// Servers that refer back or answer without authority for what a referral hands them.
fn lame(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_server: BTreeMap<(Address, How), Vec<&Lame<'_>>> = BTreeMap::new();
    for lame in facts.lame.iter().filter(|lame| !matches!(lame.how, How::Code(_))) {
        by_server.entry((lame.server, lame.how)).or_default().push(lame);
    }
    by_server
        .into_iter()
        .map(|((server, how), lame)| {
            let answers: Vec<PacketId> = lame.iter().map(|lame| lame.answer).collect();
            let referrals = lame.iter().filter_map(|lame| lame.referral).take(1);
            let tried = lame.iter().map(|lame| lame.transaction.first);
            Finding {
                id: RULE.id,
                severity: if lame.len() > 1 { Severity::Medium } else { Severity::Low },
                statement: format!(
                    "{server} {} {}, asked without recursion desired: it does not serve the zone",
                    how.words(),
                    if lame.len() == 1 { "once".to_owned() } else { format!("{} times", lame.len()) }
                ),
                filter: rules::frames_filter(facts, &answers),
                counts: vec![Count {
                    label: "answers".into(),
                    value: lame.len() as u64,
                    filter: rules::frames_counted(facts, &answers),
                }],
                frames: rules::tidy(answers.iter().copied().chain(referrals).chain(tried).collect()),
                code: None,
            }
        })
        .collect()
}
