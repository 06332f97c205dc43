//! Rule `unanswered-queries`: questions that got neither an answer nor an error.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::{Count, Finding, Rule, gravity, rules};
use crate::correlate::{Outcome, Signature, Transaction};
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "unanswered-queries",
    title: "DNS queries without answer or error",
    doc: "Questions that got neither a response nor an ICMP error although the client asked again, or the capture went on for five \
          seconds and would show an answer; where it shows one direction only and was not taken at the client, repeats alone count, one \
          degree milder. Severity by the share of failed questions inside the windows, by clients without an alternative, and by \
          how long rescued ones waited; a single one among many, sent once or twice, is chance (info).",
    run,
};

/// ` from it; 198.51.100.53 answered 8 of them instead`; empty where nothing came from elsewhere.
fn misaddressed(facts: &Facts<'_>, silent: &[&Transaction]) -> String {
    let queries: Vec<PacketId> = silent.iter().flat_map(|own| [own.first, own.last]).collect();
    let pairs: Vec<(PacketId, PacketId)> = facts.evidence.misaddressed(&queries).collect();
    let asked: BTreeSet<_> =
        pairs.iter().filter_map(|(_, query)| facts.evidence.transaction_of(*query)).collect();
    let from: BTreeSet<String> = pairs
        .iter()
        .filter_map(|(answer, _)| Some(facts.index.packet(*answer)?.source_address().to_string()))
        .collect();
    if asked.is_empty() {
        return String::new();
    }
    let from: Vec<String> = from.into_iter().take(rules::TOP_MAX).collect();
    format!(" from it; {} of them were answered from {} instead", asked.len(), from.join(", "))
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, problem) in facts.problems().filter(|(_, problem)| problem.signature == Signature::NoAnswer) {
        let silent: Vec<&Transaction> = facts
            .transactions(problem)
            .filter(|transaction| transaction.outcome == Outcome::NoAnswer)
            .collect();
        let asked = rules::asked(facts, at).max(silent.len() as u64);
        let tries: u64 = silent.iter().map(|transaction| u64::from(transaction.tries)).sum();
        // Where nothing that comes back was captured, only the clients' own repeats speak.
        let grave = gravity::of(facts, at);
        let (severity, seen_here) = if facts.evidence.one_sided {
            (gravity::milder(grave), " that was seen here")
        } else {
            (grave, "")
        };
        let frames: Vec<PacketId> = silent.iter().flat_map(|t| [t.first, t.last]).collect();
        let filter = format!("dns.outcome == no_answer && {}", rules::to(problem.server.0));
        found.push(Finding {
            id: RULE.id,
            severity,
            statement: format!(
                "{} of {asked} {} from {} to {} for {} got neither an answer nor an error{seen_here}{}{}",
                silent.len(),
                rules::called(facts.index, silent.iter().copied()).map_or("questions", |(_, many)| many),
                rules::clients(&problem.clients),
                problem.server.0,
                rules::names_of(problem),
                misaddressed(facts, &silent),
                rules::rescue(problem, facts.evidence.impact(at))
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
