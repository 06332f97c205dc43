//! Rule `arp-unanswered`: nobody answers for an address on the local network.

use std::collections::BTreeSet;

use super::facts::{Facts, Neighbour};
use super::{Count, FRAMES_MAX, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "arp-unanswered",
    title: "Link address requests without reply",
    doc: "Three or more ARP requests (or neighbour solicitations) for one address without any reply. Ordinary for addresses \
          that are not in use: all of them in one finding (info). One of its own, medium, for an address that DNS queries \
          were meant for.",
    run,
};

const REQUESTS_MIN: u64 = 3;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut meant: BTreeSet<Address> = facts.problems().map(|(_, problem)| problem.server.0).collect();
    let quoted = facts.errors.iter().filter_map(|error| error.quoted);
    meant.extend(quoted.filter(|quoted| quoted.destination.1 == 53).map(|quoted| quoted.destination.0));
    meant.extend(facts.servers.keys().map(|server| server.0));
    let unanswered =
        facts.neighbours.iter().filter(|(_, known)| known.asked >= REQUESTS_MIN && known.replies.is_empty());
    let (grave, ordinary): (Vec<_>, Vec<_>) = unanswered.partition(|(target, _)| meant.contains(*target));
    let mut found: Vec<Finding> =
        grave.into_iter().map(|(target, known)| server(facts, *target, known)).collect();
    found.extend(unused(ordinary));
    found
}

/// A filter for the requests for one address.
fn requests(target: Address) -> String {
    match target {
        // The protocol first: it is a column, and leaves few packets to be read.
        Address::V6(_) => format!("icmpv6 && icmpv6.nd.ns.target_address == {target}"),
        _ => format!("arp && arp.opcode == 1 && arp.dst.proto_ipv4 == {target}"),
    }
}

/// An address that DNS queries were meant for.
fn server(facts: &Facts<'_>, target: Address, known: &Neighbour) -> Finding {
    let is_about = |quoted: &super::facts::errors::Quoted| quoted.destination == (target, 53);
    let error = facts.errors.iter().find(|error| error.quoted.as_ref().is_some_and(is_about));
    let mut frames: Vec<PacketId> = known.requests.iter().map(|(_, packet)| *packet).collect();
    frames.extend(error.map(|error| error.packet));
    let filter = requests(target);
    Finding {
        id: RULE.id,
        severity: Severity::Medium,
        statement: format!(
            "{} requests for the link address of {target} got no reply; DNS queries were meant for it",
            known.asked
        ),
        frames: rules::tidy(frames),
        counts: vec![Count { label: "requests".into(), value: known.asked, filter: filter.clone() }],
        filter,
        code: None,
    }
}

/// All other addresses, most asked for first.
fn unused(mut targets: Vec<(&Address, &Neighbour)>) -> Option<Finding> {
    targets.sort_by_key(|(target, known)| (std::cmp::Reverse(known.asked), **target));
    let total: u64 = targets.iter().map(|(_, known)| known.asked).sum();
    let frames = targets.iter().flat_map(|(_, known)| known.requests.iter().map(|(_, packet)| *packet));
    let addresses: Vec<Address> = targets.iter().map(|(target, _)| **target).collect();
    let mut counts = vec![Count {
        label: "requests without reply".into(),
        value: total,
        filter: rules::any_of(&addresses, requests),
    }];
    counts.extend(targets.iter().take(rules::TOP_MAX).map(|(target, known)| Count {
        label: format!("requests for {target}"),
        value: known.asked,
        filter: requests(**target),
    }));
    let first = targets.first()?.0;
    let one = targets.len() == 1;
    Some(Finding {
        id: RULE.id,
        severity: Severity::Info,
        statement: if one {
            format!("{total} requests for the link address of {first} got no reply")
        } else {
            format!(
                "{} requests for the link addresses of {} got no reply, most of them for {first}",
                crate::text::thousands(total),
                rules::counted(targets.len(), "address", "addresses")
            )
        },
        frames: rules::tidy(frames.take(FRAMES_MAX).collect()),
        filter: counts
            .first()
            .map(|count| count.filter.clone())
            .filter(|filter| !filter.is_empty())
            .unwrap_or_else(|| requests(*first)),
        counts: if one { counts.into_iter().take(1).collect() } else { counts },
        code: None,
    })
}
