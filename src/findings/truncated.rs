//! Rule `truncated-without-tcp`: truncated answers that no TCP query followed.

use std::collections::BTreeMap;

use super::facts::{Facts, Stuck};
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Signature, Transaction};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "truncated-without-tcp",
    title: "Truncated DNS answers without a TCP retry",
    doc: "An answer with TC set must be followed by the same question over TCP (RFC 7766 §5); none was seen within five \
          seconds, or TCP failed. Medium.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = failed_over_tcp(facts);
    for (_, problem) in facts.problems().filter(|(_, problem)| problem.signature == Signature::Truncated) {
        let cut: Vec<&Transaction> = facts.transactions(problem).collect();
        let filter = format!("dns.outcome == truncated && {}", rules::from(problem.server.0));
        found.push(Finding {
            id: RULE.id,
            severity: Severity::Medium,
            statement: format!(
                "{} truncated answers of {} for {} were not followed by TCP",
                cut.len(),
                problem.server.0,
                rules::names(&problem.names)
            ),
            frames: rules::tidy(cut.iter().flat_map(|t| [Some(t.first), t.answer]).flatten().collect()),
            counts: vec![Count {
                label: "truncated answers".into(),
                value: cut.len() as u64,
                filter: filter.clone(),
            }],
            filter,
            code: None,
        });
    }
    found
}

/// Truncated answers whose questions were then tried over TCP, in vain.
fn failed_over_tcp(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_server: BTreeMap<Address, Vec<&Stuck<'_>>> = BTreeMap::new();
    for stuck in &facts.stuck {
        by_server.entry(stuck.server.0).or_default().push(stuck);
    }
    by_server
        .into_iter()
        .map(|(server, stuck)| {
            let answers: Vec<PacketId> = stuck.iter().filter_map(|stuck| stuck.transaction.answer).collect();
            let filter = format!("dns.flags.truncated == 1 && {}", rules::from(server));
            let tried = stuck.iter().flat_map(|stuck| {
                [Some(stuck.transaction.first), Some(stuck.connection.syn), stuck.connection.decided]
            });
            Finding {
                id: RULE.id,
                severity: Severity::Medium,
                statement: format!(
                    "{} of {server} were followed by TCP connections that failed",
                    rules::counted(answers.len(), "truncated answer", "truncated answers")
                ),
                frames: rules::tidy(tried.flatten().chain(answers.iter().copied()).collect()),
                counts: vec![Count {
                    label: "truncated answers".into(),
                    value: answers.len() as u64,
                    filter: filter.clone(),
                }],
                filter,
                code: None,
            }
        })
        .collect()
}
