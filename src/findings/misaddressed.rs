//! Rule `misaddressed-answer`: answers that do not fit the query they carry the id of.

use std::collections::BTreeMap;

use super::facts::delegations::How;
use super::facts::{Facts, Lame};
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Anomaly, AnomalyKind, Signature, Transaction};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "misaddressed-answer",
    title: "DNS answers from another address, to another question, in conflict, or lame",
    doc: "A response with the right id that came from another address than was asked, answers another question, or differs \
          from an earlier answer, and responses with another id to a port that asked in vain. Clients ignore such answers (RFC 5452 §9.1, RFC 2181 §4.1). Medium for another address \
          or id, low for the others. Also a server that refers back, or answers without authority, for a zone that a referral hands it \
          (lame delegation, RFC 9499 §7): medium from two on.",
    run,
};

/// Whether an anomaly belongs here. A query sent twice may well be answered twice, the records in another order.
fn is_told(facts: &Facts<'_>, anomaly: &Anomaly) -> bool {
    match anomaly.kind {
        AnomalyKind::AnswerFromOtherAddress | AnomalyKind::AnswerToOtherQuestion => true,
        // With another id it is a response only where the very port that asked got nothing else.
        AnomalyKind::Unsolicited => asked_in_vain(facts, anomaly.packet),
        // What two devices answered has a rule of its own.
        AnomalyKind::ConflictingAnswer
            if facts.contested.iter().any(|c| c.pairs.iter().any(|pair| pair.second == anomaly.packet)) =>
        {
            false
        }
        AnomalyKind::ConflictingAnswer => {
            let id = facts.evidence.transaction_of(anomaly.packet);
            id.and_then(|id| facts.evidence.transaction(id)).is_none_or(|transaction| transaction.tries < 2)
        }
        _ => false,
    }
}

/// Whether a response came to a port that asked its sender and got no answer.
fn asked_in_vain(facts: &Facts<'_>, response: PacketId) -> bool {
    let Some(response) = facts.index.packet(response) else { return false };
    let port = (response.destination_address(), response.destination_port());
    let to_port = |transaction: &Transaction| {
        let query = facts.index.packet(transaction.first);
        query.is_some_and(|query| (query.source_address(), query.source_port()) == port)
    };
    facts
        .problems()
        .filter(|(_, problem)| {
            problem.server.0 == response.source_address() && problem.signature == Signature::NoAnswer
        })
        .any(|(_, problem)| facts.transactions(problem).take(ASKED_MAX).any(to_port))
}

/// Unanswered questions of one problem whose ports are compared with those of stray responses.
const ASKED_MAX: usize = 1_000;
/// Stray responses compared with them.
const STRAYS_MAX: usize = 1_000;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_kind: BTreeMap<AnomalyKind, Vec<PacketId>> = BTreeMap::new();
    let mut responses: BTreeMap<AnomalyKind, Vec<PacketId>> = BTreeMap::new();
    let mut strays = 0;
    for anomaly in &facts.evidence.anomalies {
        strays += usize::from(anomaly.kind == AnomalyKind::Unsolicited);
        if (anomaly.kind != AnomalyKind::Unsolicited || strays <= STRAYS_MAX) && is_told(facts, anomaly) {
            let frames = by_kind.entry(anomaly.kind).or_default();
            frames.extend(anomaly.against);
            frames.push(anomaly.packet);
            responses.entry(anomaly.kind).or_default().push(anomaly.packet);
        }
    }
    let mut found = lame(facts);
    found.extend(by_kind.into_iter().map(|(kind, frames)| {
        let responses = responses.get(&kind).map(Vec::as_slice).unwrap_or_default();
        let count = responses.len() as u64;
        let (words, severity) = match kind {
            AnomalyKind::AnswerFromOtherAddress => {
                ("came from another address than was asked", Severity::Medium)
            }
            AnomalyKind::AnswerToOtherQuestion => (
                if count == 1 {
                    "answers another question than was asked"
                } else {
                    "answer another question than was asked"
                },
                Severity::Low,
            ),
            AnomalyKind::Unsolicited => {
                ("came to the asking ports with another id than was asked with", Severity::Medium)
            }
            _ if count == 1 => ("differs from the answer that came first", Severity::Low),
            _ => ("differ from the answer that came first", Severity::Low),
        };
        let frames = rules::tidy(frames);
        let filter = rules::frames_filter(facts, &frames);
        Finding {
            id: RULE.id,
            severity,
            statement: format!("{} {words}", rules::counted(count as usize, "DNS response", "DNS responses")),
            frames,
            counts: vec![Count {
                label: "responses".into(),
                value: count,
                filter: rules::frames_counted(facts, responses),
            }],
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
