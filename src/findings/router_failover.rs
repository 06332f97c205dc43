//! Rule `router-failover`: another router of a group took over the addresses they share.

use std::fmt::Write as _;

use super::facts::Facts;
use super::facts::virtual_routers::{Group, Turn};
use super::{Count, Finding, Rule, Severity, rules};
use crate::time::span;

/// The rule.
pub static RULE: Rule = Rule {
    id: "router-failover",
    title: "Routers that take over from one another",
    doc: "The router that announces the addresses of a group (VRRP, RFC 9568; CARP; HSRP, RFC 2281) changed: the addresses move to its link \
          address on purpose, and are no address that two devices use. Info where the former one resigned or the new one has the higher \
          priority, as planned work does; low where it just fell silent. Medium where two announce them by turns, five times within 15 s: \
          neither hears the other, and both take what is sent there.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .virtual_routers
        .iter()
        .filter(|group| group.turns.len() > 1)
        .map(|group| finding(facts, group))
        .collect()
}

/// Whether a change looks meant: by a resignation, or by a higher priority.
fn is_meant(before: &Turn, after: &Turn) -> bool {
    before.resigned.is_some() || after.priority > before.priority
}

fn finding(facts: &Facts<'_>, group: &Group) -> Finding {
    let basis = facts.index.basis();
    let (protocol, id, _) = group.key;
    let addresses: Vec<String> = group.addresses.iter().map(ToString::to_string).collect();
    let what = match addresses.as_slice() {
        [] => format!("{protocol} group {id}"),
        [one] => format!("{one} ({protocol} group {id})"),
        several => format!("{} ({protocol} group {id})", super::service_words::list(several)),
    };
    let changes = || group.turns.windows(2).filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
    let torn = group.is_torn();
    let mut statement = if torn {
        let speakers: std::collections::BTreeSet<String> =
            group.turns.iter().map(|turn| turn.speaker.to_string()).collect();
        let speakers: Vec<String> = speakers.into_iter().collect();
        format!(
            "{} announce by turns that they have {what}: neither gives way, as if they did not hear each other",
            super::service_words::list(&speakers)
        )
    } else {
        let mut told = format!("{what} moved between routers: ");
        for (number, (before, after)) in changes().take(rules::TOP_MAX).enumerate() {
            let gap = span(after.first.0 - before.last.0);
            let _ = write!(
                told,
                "{}from {} to {} at {}, {gap} after the last announcement of the former{}",
                if number > 0 { "; " } else { "" },
                before.speaker,
                after.speaker,
                basis.clock(after.first.0),
                if before.resigned.is_some() { ", which resigned" } else { "" }
            );
        }
        told
    };
    if !torn && changes().all(|(before, after)| is_meant(before, after)) {
        statement.push_str("; planned work looks like this");
    }
    let frames = group.turns.iter().flat_map(|turn| {
        [Some(turn.first.1), Some(turn.last.1), turn.resigned.map(|(_, packet)| packet)].into_iter().flatten()
    });
    let frames = rules::tidy(frames.collect());
    let changed: Vec<_> = changes().map(|(_, after)| after.first.1).collect();
    Finding {
        id: RULE.id,
        severity: match torn {
            true => Severity::Medium,
            false if changes().all(|(before, after)| is_meant(before, after)) => Severity::Info,
            false => Severity::Low,
        },
        statement,
        counts: vec![Count {
            label: "changes".into(),
            value: changed.len() as u64,
            filter: rules::frames_counted(facts, &changed),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
