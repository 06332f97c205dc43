//! Rule `port-scan`: one host tries many closed ports.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Ending, Facts, Meaning};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "port-scan",
    title: "Port scan",
    doc: "One source met closed or silent ports at 20 or more different destinations (address and port): ICMP port \
          unreachable for UDP, resets or silence for TCP. It explains ICMP errors that have nothing to do with DNS. Low.",
    run,
};

/// Closed or silent ports, and the packets that show them.
type Tried = (BTreeSet<(Address, u16)>, Vec<PacketId>);

/// Closed or silent destinations from which trying them is a scan.
const TARGETS_MIN: usize = 20;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    scans(facts)
        .into_iter()
        .map(|(source, (targets, frames))| {
            let hosts: BTreeSet<Address> = targets.iter().map(|(address, _)| *address).collect();
            let filter = rules::from(source);
            Finding {
                id: RULE.id,
                severity: Severity::Low,
                statement: format!(
                    "{source} tried {} closed or silent ports on {}",
                    targets.len(),
                    rules::counted(hosts.len(), "host", "hosts")
                ),
                frames: rules::tidy(frames),
                counts: vec![Count {
                    label: "closed or silent ports".into(),
                    value: targets.len() as u64,
                    filter: String::new(),
                }],
                filter,
                code: None,
            }
        })
        .collect()
}

/// Many resolvers asked at their own port are no scan.
fn only_dns(facts: &Facts<'_>, targets: &BTreeSet<(Address, u16)>) -> bool {
    targets.iter().all(|(_, port)| facts.is_dns_port(*port))
}

/// Who tries many closed ports, and which.
fn scans(facts: &Facts<'_>) -> BTreeMap<Address, Tried> {
    let mut by_source: BTreeMap<Address, Tried> = BTreeMap::new();
    let mut note = |source: Address, target: (Address, u16), frames: [Option<PacketId>; 2]| {
        let (targets, packets) = by_source.entry(source).or_default();
        if targets.insert(target) {
            packets.extend(frames.into_iter().flatten());
        }
    };
    for error in facts.errors.iter().filter(|error| error.meaning == Meaning::PortUnreachable) {
        // Refused DNS responses and queries are told by other rules.
        if let Some(quoted) = error.quoted.filter(|quoted| !facts.is_dns_port(quoted.source.1)) {
            note(quoted.source.0, quoted.destination, [error.about, Some(error.packet)]);
        }
    }
    for connection in &facts.connections {
        if matches!(connection.ending, Ending::Refused | Ending::Rejected | Ending::Silent) {
            note(connection.client.0, connection.server, [Some(connection.syn), connection.decided]);
        }
    }
    by_source.retain(|_, (targets, _)| targets.len() >= TARGETS_MIN && !only_dns(facts, targets));
    by_source
}

/// Who tries many closed ports.
pub(super) fn sources(facts: &Facts<'_>) -> BTreeSet<Address> {
    scans(facts).into_keys().collect()
}
