//! Rule `tcp-failures`: connections that were reset or left without an answer.

use std::collections::BTreeMap;

use super::facts::{Connection, Ending, Facts};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// The rule.
pub static RULE: Rule = Rule {
    id: "tcp-failures",
    title: "TCP connections refused or unanswered",
    doc: "Connection attempts to one address and port that met a reset or silence (three seconds without SYN-ACK). Low from \
          three on when none succeeds, otherwise info.",
    run,
};

const WATCH_NS: Nanos = 3_000_000_000;
const FEW: usize = 3;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let (_, end_ns) = facts.span();
    let mut by_service: BTreeMap<(Address, u16), (Vec<&Connection>, u64)> = BTreeMap::new();
    for connection in &facts.connections {
        let watched = end_ns - connection.last_syn_ns >= WATCH_NS;
        match connection.ending {
            Ending::Accepted => by_service.entry(connection.server).or_default().1 += 1,
            Ending::Silent if !watched => {}
            _ => by_service.entry(connection.server).or_default().0.push(connection),
        }
    }
    let scanned = |service: &(Address, u16)| facts.sites.iter().any(|site| site.site == *service);
    by_service
        .into_iter()
        .filter(|(service, (failed, _))| failed.len() >= FEW && !scanned(service))
        .map(|((address, port), (failed, accepted))| {
            let refused = failed.iter().filter(|connection| connection.ending != Ending::Silent).count();
            let frames: Vec<PacketId> =
                failed.iter().flat_map(|c| [Some(c.syn), c.decided]).flatten().collect();
            let filter = format!("tcp.port == {port} && ({} || {})", rules::from(address), rules::to(address));
            Finding {
                id: RULE.id,
                severity: if accepted == 0 { Severity::Low } else { Severity::Info },
                statement: format!(
                    "{} connections to {address} port {port} failed ({refused} reset, {} unanswered); {accepted} were accepted",
                    failed.len(),
                    failed.len() - refused
                ),
                frames: rules::tidy(frames),
                counts: vec![Count { label: "failed connections".into(), value: failed.len() as u64, filter: String::new() }],
                filter,
                code: None,
            }
        })
        .collect()
}
