//! Rule `servers-disagree`: two of a zone's servers answer from different data.

use super::facts::Facts;
use super::facts::disagreement::{Differing, Disagreement};
use super::{Count, Finding, Rule, Severity, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "servers-disagree",
    title: "Servers of one zone that answer from different data",
    doc: "Authoritative answers with a lower serial number of a zone (SOA, RFC 1982) than another of its servers had answered with \
          before, or answers by which one of them always denies to a client what the other always gives it, by turns: a zone transfer that does \
          not happen, or a server that was left out. Also servers that always give other addresses for a name. High where connections \
          to addresses that only one of them gives fail, medium where names are denied or lead elsewhere by an older number, otherwise info: \
          the next transfer may be due, and some servers give each its own addresses on purpose.",
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
    let what = if own.lacks() { "denies what the other one gives" } else { "gives other addresses" };
    format!("; it {what}: {}{more}", shown.join(", "))
}

/// `198.51.100.153 and 198.51.100.53 answer for example.org from different data: …`, without what connections met.
pub fn statement(own: &Disagreement) -> String {
    let zone = rules::plain_name(&own.zone);
    let (outdated, current) = (own.outdated, own.current);
    match own.serials {
        Some((old, new)) => format!(
            "{outdated} answers for {zone} from serial number {old} after {current} had answered from {new}{}",
            differences(own)
        ),
        None => format!(
            "{outdated} and {current} answer for {zone} from different data, each always alike, by turns: {outdated}{}",
            differences(own).trim_start_matches("; it")
        ),
    }
}

fn finding(facts: &Facts<'_>, own: &Disagreement) -> Finding {
    let severity = match (own.names.is_empty(), own.connections.failed.is_empty()) {
        (true, _) => Severity::Info,
        (false, true) if own.serials.is_none() && !own.lacks() => Severity::Info,
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
        statement: format!("{}{met}", statement(own)),
        counts: vec![Count {
            label: if own.serials.is_some() { "answers with the older number" } else { "answers of the one" }
                .into(),
            value: own.old.len() as u64,
            filter: rules::frames_counted(facts, &own.old),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
