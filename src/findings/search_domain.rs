//! Rule `search-domain`: a client completes short names with a domain in which none of them exists.

use super::facts::Facts;
use super::facts::suffixes::Suffix;
use super::{Count, Finding, Rule, Severity, rules};
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "search-domain",
    title: "A client with a wrong search domain",
    doc: "One client alone asks for three names or more in a domain, five times or more, each is denied (NXDOMAIN) and none exists there for \
          anybody, while most of them exist in another domain with the same first label: a mistyped or outdated search domain. \
          Search lists that go on to where the name exists do not count. Low where the client was given some of them otherwise, else medium.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts.suffixes.iter().map(|own| finding(facts, own)).collect()
}

fn finding(facts: &Facts<'_>, own: &Suffix) -> Finding {
    let queries: Vec<PacketId> = own.denied.iter().step_by(2).copied().collect();
    let mut frames = own.denied.clone();
    frames.push(own.shown);
    let frames = rules::tidy(frames);
    let names: Vec<String> = own.names.iter().cloned().collect();
    Finding {
        id: RULE.id,
        severity: if own.is_served { Severity::Low } else { Severity::Medium },
        statement: format!(
            "{} of {} for names in {} ({}) were denied (NXDOMAIN), and no other client asked there; names with the same first label exist in {}: \
             {} looks like a wrong search domain of this client",
            rules::counted(own.times, "question", "questions"),
            own.client,
            rules::plain_name(&own.domain),
            rules::names(&names),
            rules::plain_name(&own.other),
            rules::plain_name(&own.domain)
        ),
        counts: vec![Count {
            label: "denied questions".into(),
            value: queries.len() as u64,
            filter: rules::frames_counted(facts, &queries),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
