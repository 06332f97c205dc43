//! Rule `late-answers`: answers that came after clients stop waiting.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Signature, Transaction};

/// The rule.
pub static RULE: Rule = Rule {
    id: "late-answers",
    title: "DNS answers too late to be used",
    doc: "Answers that came more than five seconds after the last try. The server and the path work, but clients have given \
          up by then. Medium from three on, otherwise info.",
    run,
};

const FEW: usize = 3;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (_, problem) in facts.problems().filter(|(_, problem)| problem.signature == Signature::Late) {
        let late: Vec<&Transaction> = facts.transactions(problem).collect();
        let filter =
            format!("dns.outcome == late && dns.flags.response == 1 && {}", rules::from(problem.server.0));
        found.push(Finding {
            id: RULE.id,
            severity: if late.len() >= FEW { Severity::Medium } else { Severity::Info },
            statement: format!(
                "{} of {} answers of {} to {} came more than 5 s after the last try",
                late.len(),
                rules::asked(facts, problem),
                problem.server.0,
                rules::clients(&problem.clients)
            ),
            frames: rules::tidy(late.iter().flat_map(|t| [Some(t.first), t.answer]).flatten().collect()),
            counts: vec![Count {
                label: "late answers".into(),
                value: late.len() as u64,
                filter: filter.clone(),
            }],
            filter,
            code: None,
        });
    }
    found
}
