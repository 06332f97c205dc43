//! Rule `tcp-unanswered`: questions over TCP whose connection ended, or went on, without an answer.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::{Count, Finding, Rule, gravity, rules};
use crate::correlate::{Outcome, Problem, Signature, Transaction};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "tcp-unanswered",
    title: "DNS over TCP accepted but not answered",
    doc: "Questions over TCP whose connection the server closed (FIN) or reset without an answer, or that it acknowledged \
          and left without one until the client gave up after three seconds, or for ten. Severity as for unanswered questions.",
    run,
};

/// The outcomes, and the words for them after a number.
const WAYS: [(Outcome, &str); 5] = [
    (Outcome::Closed, "closed by the server without an answer"),
    (Outcome::TcpReset, "reset"),
    (Outcome::RefusedByReset, "refused by a reset"),
    (Outcome::ResetMidway, "reset after the server had sent something"),
    (Outcome::Mute, "acknowledged and left without an answer"),
];

fn is_over_tcp(signature: &Signature) -> bool {
    matches!(signature, Signature::TcpReset | Signature::ResetMidway | Signature::Closed | Signature::Mute)
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_server: BTreeMap<(Address, u16), Vec<(usize, &Problem)>> = BTreeMap::new();
    for (at, problem) in facts.problems().filter(|(_, problem)| is_over_tcp(&problem.signature)) {
        by_server.entry(problem.server).or_default().push((at, problem));
    }
    by_server.into_iter().filter_map(|(server, problems)| of_server(facts, server, &problems)).collect()
}

fn of_server(
    facts: &Facts<'_>,
    (server, port): (Address, u16),
    problems: &[(usize, &Problem)],
) -> Option<Finding> {
    let failed: Vec<&Transaction> =
        problems.iter().flat_map(|(_, problem)| facts.transactions(problem)).collect();
    let ways = WAYS.iter().filter_map(|(outcome, words)| {
        let number = failed.iter().filter(|transaction| transaction.outcome == *outcome).count();
        (number > 0).then(|| format!("{number} {words}"))
    });
    let ways: Vec<String> = ways.collect();
    let outcomes = WAYS.iter().map(|(outcome, _)| outcome.name());
    let outcomes: Vec<&str> = outcomes.collect();
    let mut clients: Vec<Address> =
        problems.iter().flat_map(|(_, problem)| problem.clients.clone()).collect();
    clients.sort_unstable();
    clients.dedup();
    let mut names: Vec<String> = problems.iter().flat_map(|(_, problem)| problem.names.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let severity = problems.iter().map(|(at, _)| gravity::of(facts, *at)).max()?;
    let filter = format!("dns.outcome in {{{}}} && {}", outcomes.join(", "), rules::to(server));
    let frames: Vec<PacketId> = failed.iter().flat_map(|t| [t.first, t.last]).collect();
    let tries: u64 = failed.iter().map(|transaction| u64::from(transaction.tries)).sum();
    Some(Finding {
        id: RULE.id,
        severity,
        statement: format!(
            "{} from {} over TCP to {server} port {port} for {} got no answer: {}",
            rules::counted(failed.len(), "question", "questions"),
            rules::clients(&clients),
            rules::names(&names),
            ways.join(", ")
        ),
        frames: rules::tidy(frames),
        counts: vec![Count { label: "queries without answer".into(), value: tries, filter: filter.clone() }],
        filter,
        code: None,
    })
}
