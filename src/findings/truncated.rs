//! Rule `truncated-without-tcp`: truncated answers after which TCP brought none.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Signature, Transaction};

/// The rule.
pub static RULE: Rule = Rule {
    id: "truncated-without-tcp",
    title: "Truncated DNS answers without one over TCP",
    doc: "An answer with TC set must be followed by the same question over TCP (RFC 7766 §5); no connection was accepted \
          within five seconds: the client tried none, or TCP is refused or dropped. Medium.",
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
                "{} truncated answers of {} for {} were not followed by a whole one over TCP",
                cut.len(),
                problem.server.0,
                rules::names_of(problem)
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
