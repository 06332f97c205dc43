//! Rule `late-answers`: answers that came after clients stop waiting.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Signature, Transaction};
use crate::time::span;

/// The rule.
pub static RULE: Rule = Rule {
    id: "late-answers",
    title: "DNS answers too late to be used",
    doc: "Answers that came more than five seconds after the last try, and answers from one second on that the client's own host \
          refused with port unreachable, because it no longer listened and nothing else had answered. The server and the path work, but \
          clients have given up by then. Medium from three on, otherwise low.",
    run,
};

/// Late answers from which they are more than chance.
const FEW: usize = 3;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for (at, problem) in facts.problems().filter(|(_, problem)| problem.signature == Signature::Late) {
        let late: Vec<&Transaction> = facts.transactions(problem).collect();
        let refused = |transaction: &&&Transaction| {
            let id = facts.evidence.transaction_of(transaction.first);
            id.and_then(|id| facts.evidence.lost(id)).is_some()
        };
        let refused = late.iter().filter(refused).count();
        let waits = late.iter().map(|transaction| transaction.waited_ns);
        let (shortest, longest) = (waits.clone().min().unwrap_or(0), waits.max().unwrap_or(0));
        let filter =
            format!("dns.outcome == late && dns.flags.response == 1 && {}", rules::from(problem.server.0));
        found.push(Finding {
            id: RULE.id,
            severity: if late.len() >= FEW { Severity::Medium } else { Severity::Low },
            statement: format!(
                "{} of {} from {} to {} {} answered {} after {}{}",
                late.len(),
                rules::counted(
                    rules::asked(facts, at).max(late.len() as u64) as usize,
                    "question",
                    "questions"
                ),
                rules::clients(&problem.clients),
                problem.server.0,
                if late.len() == 1 { "was" } else { "were" },
                if shortest == longest {
                    span(longest)
                } else {
                    format!("{} to {}", span(shortest), span(longest))
                },
                if late.len() == 1 { "it was asked" } else { "they were asked" },
                match refused {
                    0 => format!(
                        ", more than {} after the last try",
                        span(facts.evidence.parameters.late_after_ns)
                    ),
                    all if all == late.len() =>
                        ", when the client no longer listened and refused the answer".to_owned(),
                    some =>
                        format!("; {some} of these answers the client refused, since it no longer listened"),
                }
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
