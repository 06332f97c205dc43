//! Rule `unanswered-queries`: questions that got neither an answer nor an error.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Outcome, Signature, Transaction};
use crate::index::PacketId;

/// Unanswered questions below this share of a server's questions are ordinary loss.
const ORDINARY_SHARE: u64 = 20;
/// Unanswered questions up to this number are ordinary loss.
const ORDINARY_COUNT: usize = 2;

/// The rule.
pub static RULE: Rule = Rule {
    id: "unanswered-queries",
    title: "DNS queries without answer or error",
    doc: "Questions that got neither a response nor an ICMP error although the capture went on for five seconds and shows \
          both directions. One, or two at a server \
          that answers others, sent once, or fewer than one in twenty, count as ordinary loss (info). Otherwise by number, \
          share and duration: one question repeated is low, half of what the server was asked is high; at most medium when \
          another resolver answered every question.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (_, problem) in facts.problems().filter(|(_, problem)| problem.signature == Signature::NoAnswer) {
        let silent: Vec<&Transaction> = facts
            .transactions(problem)
            .filter(|transaction| transaction.outcome == Outcome::NoAnswer)
            .collect();
        let asked = rules::asked(facts, problem);
        let tries: u64 = silent.iter().map(|transaction| u64::from(transaction.tries)).sum();
        // Where the server never answered anybody, even two questions are more than chance.
        let heard = rules::answered(facts, problem) || silent.len() == 1;
        let few = heard && silent.len() <= ORDINARY_COUNT && tries <= ORDINARY_COUNT as u64;
        let ordinary = few || (silent.len() as u64) * ORDINARY_SHARE < asked;
        let grave = rules::gravity(silent.len() as u64, asked, problem.last_ns - problem.first_ns);
        let severity = match (ordinary, rules::all_failed_over(facts, problem)) {
            (true, _) => Severity::Info,
            (false, true) => grave.min(Severity::Medium),
            (false, false) => grave,
        };
        let frames: Vec<PacketId> = silent.iter().flat_map(|t| [t.first, t.last]).collect();
        let filter = format!("dns.outcome == no_answer && {}", rules::to(problem.server.0));
        found.push(Finding {
            id: RULE.id,
            severity,
            statement: format!(
                "{} of {asked} questions from {} to {} for {} got neither an answer nor an error",
                silent.len(),
                rules::clients(&problem.clients),
                problem.server.0,
                rules::names(&problem.names)
            ),
            frames: rules::tidy(frames),
            counts: vec![Count {
                label: "queries without answer".into(),
                value: tries,
                filter: filter.clone(),
            }],
            filter,
            code: None,
        });
    }
    found
}
