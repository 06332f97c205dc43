//! Rule `uncaptured-failures`: ICMP errors show that lookups failed whose queries are not in the capture.

use super::facts::Facts;
use super::facts::uncaptured::Uncaptured;
use super::{Count, Finding, Rule, Severity, rules};
use crate::time::Nanos;

/// The rule.
pub static RULE: Rule = Rule {
    id: "uncaptured-failures",
    title: "Failed queries that were not captured",
    doc: "ICMP errors quote DNS queries that are not in the capture: the asking host itself could not send them, or the capture point or \
          filter did not show them. High from three errors over two seconds on where none of the clients got an answer between the first \
          and the last of them; medium from two on; else low.",
    run,
};

/// Errors from which on it is no single lookup.
const SERIES_MIN: usize = 3;
/// The time from which on it lasts.
const LASTING_NS: Nanos = 2_000_000_000;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts.uncaptured.iter().map(|own| finding(facts, own)).collect()
}

/// Whether one of the clients got an answer from any server meanwhile.
fn served(facts: &Facts<'_>, own: &Uncaptured) -> bool {
    let (from, to) = own.span_ns;
    facts
        .servers
        .values()
        .any(|server| server.answers_in(from, to).any(|answer| own.clients.contains(&answer.client)))
}

fn finding(facts: &Facts<'_>, own: &Uncaptured) -> Finding {
    let (from, to) = own.span_ns;
    let severity = match own.errors.len() {
        SERIES_MIN.. if to - from >= LASTING_NS && !served(facts, own) => Severity::High,
        2.. => Severity::Medium,
        _ => Severity::Low,
    };
    let sender = if own.clients.contains(&own.sender) {
        "the asking host itself".to_owned()
    } else {
        own.sender.to_string()
    };
    Finding {
        id: RULE.id,
        severity,
        statement: format!(
            "{} ({}) from {sender} about queries of {} to {} for {}; the queries themselves are not in the capture",
            rules::counted(own.errors.len(), "ICMP error", "ICMP errors"),
            own.meaning.words(),
            rules::clients(&own.clients),
            own.server.0,
            rules::names(&own.names)
        ),
        counts: vec![Count {
            label: "errors".into(),
            value: own.errors.len() as u64,
            filter: rules::frames_counted(facts, &own.errors),
        }],
        filter: rules::frames_filter(facts, &own.errors),
        frames: rules::tidy(own.errors.clone()),
        code: None,
    }
}
