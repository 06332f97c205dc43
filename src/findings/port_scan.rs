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
    doc: "One source met closed or silent ports at 20 or more different destinations (address and port), or at ten ports of one host or \
          ten hosts at one port within ten seconds: ICMP port unreachable for UDP, resets or silence for TCP. Four closed ports of one \
          host within five seconds are enough where each was tried once, none was served to anybody, nobody else asked for it, and no \
          name had led there. It explains ICMP errors that have nothing to do with DNS. Low.",
    run,
};

/// Closed or silent ports, each with the packets that show it.
type Tried = BTreeMap<(Address, u16), Vec<PacketId>>;

/// Hosts of which one port each was tried, from which that is part of the scan.
const SWEEP_MIN: usize = 4;
/// Closed ports below which more than their number must tell that they were only probed.
const FEW: usize = 10;
/// Closed or silent destinations from which trying them is a scan.
const TARGETS_MIN: usize = 20;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let all = scans(facts);
    let mut quick: BTreeMap<Address, Tried> = BTreeMap::new();
    let tried = facts.troubles.tried.iter().filter_map(|at| facts.attempts.all.get(*at as usize));
    for own in tried.filter(|own| !all.contains_key(&own.client.0)) {
        let target = (own.service.host, own.service.port);
        quick.entry(own.client.0).or_default().entry(target).or_insert_with(|| own.frames());
    }
    all.into_iter()
        .chain(quick)
        .map(|(source, targets)| {
            let hosts: BTreeSet<Address> = targets.keys().map(|(address, _)| *address).collect();
            let filter = rules::from(source);
            Finding {
                id: RULE.id,
                severity: Severity::Low,
                statement: format!(
                    "{source} tried {} closed or silent ports on {}{}",
                    targets.len(),
                    match hosts.first().filter(|_| hosts.len() == 1) {
                        Some(host) => host.to_string(),
                        None => rules::counted(hosts.len(), "host", "hosts"),
                    },
                    if targets.len() < FEW {
                        " once each: probing looks like this, and so does a host that runs nothing any more"
                    } else {
                        ""
                    }
                ),
                frames: rules::tidy(targets.values().flatten().copied().collect()),
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
fn only_dns(facts: &Facts<'_>, targets: &Tried) -> bool {
    targets.keys().all(|(_, port)| facts.is_dns_port(*port))
}

/// Beside hosts of which many ports are tried, a single closed port of another is what everybody meets now and then.
fn leave_out_single(targets: &mut Tried) {
    let mut ports: BTreeMap<Address, usize> = BTreeMap::new();
    for (address, _) in targets.keys() {
        *ports.entry(*address).or_default() += 1;
    }
    let several = |address: &Address| ports.get(address).is_some_and(|ports| *ports > 1);
    let kept = targets.keys().filter(|(address, _)| several(address)).count();
    if kept >= TARGETS_MIN && targets.len() - kept < SWEEP_MIN {
        targets.retain(|(address, _), _| several(address));
    }
}

/// Who tries many closed ports, and which.
fn scans(facts: &Facts<'_>) -> BTreeMap<Address, Tried> {
    let mut by_source: BTreeMap<Address, Tried> = BTreeMap::new();
    let mut note = |source: Address, target: (Address, u16), frames: [Option<PacketId>; 2]| {
        let targets = by_source.entry(source).or_default();
        targets.entry(target).or_insert_with(|| frames.into_iter().flatten().collect());
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
    for targets in by_source.values_mut() {
        leave_out_single(targets);
    }
    by_source.retain(|_, targets| targets.len() >= TARGETS_MIN && !only_dns(facts, targets));
    by_source
}

/// Who tries many closed ports.
pub(super) fn sources(facts: &Facts<'_>) -> BTreeSet<Address> {
    scans(facts).into_keys().collect()
}
