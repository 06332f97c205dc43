//! Rule `no-lease`: clients that ask for an address and get none.

use super::facts::Facts;
use super::facts::troubles::{Sort, Trouble};
use super::{Finding, Rule, services};
use crate::attempts::Face;

/// The rule.
pub static RULE: Rule = Rule {
    id: "no-lease",
    title: "Clients without an address from DHCP",
    doc: "Clients whose DISCOVER or SOLICIT got no offer, or whose REQUEST got no answer, in two tries or ten seconds; that were refused \
          (DHCPNAK, no address available); or that declined what they were given, since it is in use (services §1.7; RFC 2131 §3, RFC \
          8415 §18).",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let own = |trouble: &&Trouble| matches!(trouble.sort, Sort::Failed(Face::Lease, _));
    facts.troubles.all.iter().filter(own).map(|trouble| services::finding(facts, RULE.id, trouble)).collect()
}
