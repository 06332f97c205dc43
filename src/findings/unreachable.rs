//! Rule `unreachable`: the server's host or network could not be reached.

use super::facts::{Facts, Meaning};
use super::{Finding, Rule, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "unreachable",
    title: "DNS server's host or network unreachable",
    doc: "Queries answered by ICMP host or network unreachable or time exceeded. About 3 s after the query the \
          last router gave up address resolution; at once it had no route. RFC 1122 §3.2.2.1 calls these hints, \
          not proof. Severity by the share of failed questions inside the windows, by clients without an \
          alternative, and by how long rescued ones waited.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let meanings = [Meaning::HostUnreachable, Meaning::NetUnreachable, Meaning::HopsExceeded];
    rules::about_errors(facts, RULE.id, &meanings, &|refusal| {
        let words = refusal.errors.first().map_or("unreachable", |error| error.words());
        format!("{} were answered by ICMP {words} from {}", refusal.queries(), refusal.senders())
    })
}
