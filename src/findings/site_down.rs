//! Rule `site-down`: the name resolves, the connection fails.

use super::facts::Facts;
use super::facts::troubles::{Sort, Trouble};
use super::{Finding, Rule, services};
use crate::attempts::Face;

/// The rule.
pub static RULE: Rule = Rule {
    id: "site-down",
    title: "DNS works, the site's connection fails",
    doc: "A client resolved a name and its connections to that address met resets, silence or ICMP errors. Severity by services \
          §4.6: high where nine of ten fail in their windows and a client is neither served nor rescued; low for one.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let own = |trouble: &&Trouble| {
        matches!(trouble.sort, Sort::Failed(Face::Unreached, _)) && trouble.resolved.is_some()
    };
    facts.troubles.all.iter().filter(own).map(|trouble| services::finding(facts, RULE.id, trouble)).collect()
}
