//! Rule `resolver-failover`: another resolver answered what one could not.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::Problem;
use crate::correlate::clients::Client;
use crate::correlate::impact::Impact;
use crate::index::PacketId;
use crate::time::span;

/// The rule.
pub static RULE: Rule = Rule {
    id: "resolver-failover",
    title: "Clients turned to another resolver",
    doc: "Questions that failed at one resolver were answered by another within ten seconds, counted for each client: \
          redundancy is degraded; who has no other resolver stays without answers. Low.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, problem) in facts.problems() {
        let Some(impact) = facts.evidence.impact(at) else { continue };
        let (mut frames, mut failed): (Vec<PacketId>, usize) = (Vec::new(), 0);
        for transaction in facts.transactions(problem) {
            failed += 1;
            if let Some(answer) = facts.answered_elsewhere(transaction) {
                frames.extend([transaction.first, answer]);
            }
        }
        let moved: Vec<&Client> = impact.clients.iter().filter(|client| client.rescued > 0).collect();
        let answered = frames.len() / 2;
        if answered == 0 || moved.is_empty() || answered * 2 < failed {
            continue;
        }
        let frames = rules::tidy(frames);
        found.push(Finding {
            id: RULE.id,
            severity: Severity::Low,
            statement: format!("{}{}", told(problem, &moved), left(impact)),
            counts: vec![Count {
                label: "answered elsewhere".into(),
                value: answered as u64,
                filter: String::new(),
            }],
            filter: rules::frames_filter(facts, &frames),
            frames,
            code: None,
        });
    }
    found
}

/// Clients told one by one.
const TOLD_MAX: usize = 3;

/// Who turned to whom.
fn told(problem: &Problem, moved: &[&Client]) -> String {
    let one = |client: &&Client| {
        let by =
            client.rescuer.map_or_else(|| "another resolver".to_owned(), |by| rules::rescuer(problem, by));
        format!(
            "{} of {} questions of {} that failed at {} were answered by {by}, the slowest {} after its first try",
            client.rescued,
            client.failed,
            client.address,
            problem.server.0,
            span(client.longest_wait_ns.unwrap_or_default())
        )
    };
    let mut all: Vec<String> = moved.iter().take(TOLD_MAX).map(one).collect();
    if let Some(more) = moved.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        all.push(format!("{} likewise", rules::counted(more, "more client", "more clients")));
    }
    all.join("; ")
}

/// Who did not, or could not.
fn left(impact: &Impact) -> String {
    let stranded: Vec<String> = impact
        .stranded()
        .filter(|client| client.is_without_service())
        .map(|client| client.address.to_string())
        .collect();
    match stranded.as_slice() {
        [] => String::new(),
        [one] => format!("; of {one} no failed question was answered elsewhere in time"),
        [one, rest @ ..] => {
            format!(
                "; of {one} and {} no failed question was answered elsewhere in time",
                rules::counted(rest.len(), "more client", "more clients")
            )
        }
    }
}
