//! Rule `late-answers`: answers that came after clients stop waiting.

use super::facts::{Facts, GivenUp};
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Signature, Transaction};
use crate::time::span;

/// The rule.
pub static RULE: Rule = Rule {
    id: "late-answers",
    title: "DNS answers too late to be used",
    doc: "Answers that came more than five seconds after the last try. The server and the path work, but clients have given \
          up by then; and answers from one second on that the client's own host refused, three at least, because it no longer \
          listened. Medium from three on, otherwise info.",
    run,
};

/// Late answers from which they are more than chance.
const FEW: usize = 3;

/// Answers in time by the clock, but not for this client.
fn refused(facts: &Facts<'_>, given_up: &GivenUp<'_>) -> Finding {
    let (shortest, longest) = given_up.waits_ns();
    let answers = facts.servers.get(&given_up.server).map(|server| &server.answers);
    let asked = answers.map_or(0, |all| all.iter().filter(|answer| answer.client == given_up.client).count());
    let questions = given_up.transactions.iter().flat_map(|t| [Some(t.first), t.answer]).flatten();
    let frames = rules::tidy(questions.chain(given_up.errors.iter().copied()).collect());
    Finding {
        id: RULE.id,
        severity: Severity::Medium,
        statement: format!(
            "{} refused {} of the {asked} answers of {} to it; they came {} to {} after the question, when it no longer listened",
            given_up.client,
            given_up.errors.len(),
            given_up.server.0,
            span(shortest),
            span(longest)
        ),
        counts: vec![Count {
            label: "answers refused by the client".into(),
            value: given_up.errors.len() as u64,
            filter: rules::frames_counted(facts, &given_up.errors),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = facts.given_up.iter().map(|given_up| refused(facts, given_up)).collect();
    for (at, problem) in facts.problems().filter(|(_, problem)| problem.signature == Signature::Late) {
        let late: Vec<&Transaction> = facts.transactions(problem).collect();
        let filter =
            format!("dns.outcome == late && dns.flags.response == 1 && {}", rules::from(problem.server.0));
        found.push(Finding {
            id: RULE.id,
            severity: if late.len() >= FEW { Severity::Medium } else { Severity::Info },
            statement: format!(
                "{} of {} questions from {} to {} were answered more than {} after the last try",
                late.len(),
                rules::asked(facts, at).max(late.len() as u64),
                rules::clients(&problem.clients),
                problem.server.0,
                span(facts.evidence.parameters.late_after_ns)
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
