//! Rule `truncated-without-tcp`: truncated answers that no TCP query followed.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Signature, Transaction};

/// The rule.
pub static RULE: Rule = Rule {
    id: "truncated-without-tcp",
    title: "Truncated DNS answers without a TCP retry",
    doc: "An answer with TC set must be followed by the same question over TCP (RFC 7766 §5); none was seen within five \
          seconds, or TCP failed. Medium.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
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
