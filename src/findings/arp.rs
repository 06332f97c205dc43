//! Rule `arp-unanswered`: nobody answers for an address on the local network.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "arp-unanswered",
    title: "ARP requests without reply",
    doc: "Three or more ARP requests for one address without any reply. Ordinary for addresses that are not in use (info); \
          medium when the address is one that DNS queries were meant for.",
    run,
};

const REQUESTS_MIN: usize = 3;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (target, neighbour) in &facts.neighbours {
        if neighbour.requests.len() < REQUESTS_MIN || !neighbour.replies.is_empty() {
            continue;
        }
        let quoted = facts.errors.iter().find(|error| {
            error.quoted.is_some_and(|quoted| quoted.destination.0 == *target && quoted.destination.1 == 53)
        });
        let asked = quoted.is_some() || facts.problems().any(|(_, problem)| problem.server.0 == *target);
        let mut frames: Vec<PacketId> = neighbour.requests.iter().map(|(_, packet)| *packet).collect();
        let count = frames.len() as u64;
        frames.extend(quoted.map(|error| error.packet));
        let filter = format!("arp.dst.proto_ipv4 == {target}");
        let tail = if asked { "; DNS queries were meant for it" } else { "" };
        found.push(Finding {
            id: RULE.id,
            severity: if asked { Severity::Medium } else { Severity::Info },
            statement: format!("{count} ARP requests for {target} got no reply{tail}"),
            frames: rules::tidy(frames),
            counts: vec![Count { label: "requests".into(), value: count, filter: filter.clone() }],
            filter,
            code: None,
        });
    }
    found
}
