//! Rule `refused-by-icmp`: DNS queries answered by ICMP port unreachable.

use super::facts::{Facts, Meaning};
use super::{Finding, Rule, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "refused-by-icmp",
    title: "DNS queries refused by ICMP port unreachable",
    doc: "Queries to one server that were answered by ICMP type 3 code 3 (ICMPv6 type 1 code 4). A device using \
          the named address received the query and refused the port (RFC 1122 §3.2.2.1); whether no service \
          listens there or a filter rejects cannot be told from the packets. Severity by the share of failed \
          questions inside the windows, by clients without an alternative, and by how long rescued ones waited.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    rules::about_errors(facts, RULE.id, &[Meaning::PortUnreachable], &|refusal| {
        let by = if refusal.errors.iter().all(|error| error.source == refusal.problem.server.0) {
            "the server's own address".to_owned()
        } else {
            refusal.senders()
        };
        let words = refusal.errors.first().map_or("port unreachable", |error| error.words());
        format!("{} were answered by ICMP {words} from {by}", refusal.queries())
    })
}
