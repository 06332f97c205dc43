//! Rule `servers-disagree`: one of a zone's servers answers from older data than another.

use super::facts::Facts;
use super::facts::disagreement::{Differing, Disagreement};
use super::{Count, Finding, Rule, Severity, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "servers-disagree",
    title: "A server of a zone that answers from older data than another",
    doc: "Authoritative answers with a lower serial number of a zone (SOA, RFC 1982) than another of its servers had answered with \
          before: a zone transfer that does not happen, or a server that was left out. High where names lead to other addresses for it \
          and connections to those fail, medium where names lead to other addresses, otherwise info: the next transfer may be due.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts.disagreements.iter().map(|own| finding(facts, own)).collect()
}

/// `www.example.org (198.51.100.81 instead of 198.51.100.80)`.
fn named(name: &Differing) -> String {
    let listed = |all: &std::collections::BTreeSet<crate::decode::Address>| {
        if all.is_empty() {
            return "none".to_owned();
        }
        all.iter().take(rules::TOP_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    format!(
        "{} ({} instead of {})",
        rules::plain_name(&name.name),
        listed(&name.outdated),
        listed(&name.current)
    )
}

/// What the outdated server answers otherwise, to end a sentence; empty where nothing was compared or all agrees.
pub fn differences(own: &Disagreement) -> String {
    if own.names.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = own.names.iter().take(rules::TOP_MAX).map(named).collect();
    let more = own.names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more names") } else { String::new() };
    format!("; it gives other addresses: {}{more}", shown.join(", "))
}

fn finding(facts: &Facts<'_>, own: &Disagreement) -> Finding {
    let severity = match (own.names.is_empty(), own.connections.failed.is_empty()) {
        (true, _) => Severity::Info,
        (false, true) => Severity::Medium,
        (false, false) => Severity::High,
    };
    let mut met = own.connections.words(facts, own.outdated);
    if !met.is_empty() {
        met.insert_str(0, "; ");
    }
    let frames = rules::tidy(
        own.frames().into_iter().chain(own.connections.failed.iter().copied().take(rules::TOP_MAX)).collect(),
    );
    Finding {
        id: RULE.id,
        severity,
        statement: format!(
            "{} answers for {} from serial number {} after {} had answered from {}{}{met}",
            own.outdated,
            rules::plain_name(&own.zone),
            own.serials.0,
            own.current,
            own.serials.1,
            differences(own)
        ),
        counts: vec![Count {
            label: "answers with the older number".into(),
            value: own.old.len() as u64,
            filter: rules::frames_counted(facts, &own.old),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
