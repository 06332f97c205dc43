//! Rule `admin-prohibited`: DNS queries rejected by a rule that says so.

use super::facts::{Facts, Meaning};
use super::{Finding, Rule, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "admin-prohibited",
    title: "DNS queries administratively prohibited",
    doc: "Queries answered by ICMP type 3 code 9, 10 or 13 (ICMPv6 type 1 code 1, 5 or 6): a filtering rule on the \
          sending device rejects them (RFC 1812 §5.2.7.1). Severity by the share of failed questions inside the \
          windows, by clients without an alternative, and by how long rescued ones waited.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    rules::about_errors(facts, RULE.id, &[Meaning::Prohibited], &|refusal| {
        format!("{} were rejected as administratively prohibited by {}", refusal.queries(), refusal.senders())
    })
}
