//! Rule `tcp-failures`: connections that were reset or left without an answer.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::troubles::{Sort, Trouble};
use super::facts::{Connection, Ending, Facts};
use super::{Count, Finding, Rule, Severity, rules, services};
use crate::attempts::Face;
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// The rule.
pub static RULE: Rule = Rule {
    id: "tcp-failures",
    title: "TCP connections refused or unanswered",
    doc: "Connection attempts to one address and port that met a reset, an ICMP error or silence (three seconds without \
          SYN-ACK, or a repeated SYN). Severity by services §4.6; at a DNS port low from two on when none succeeds, otherwise info.",
    run,
};

/// A SYN unanswered for this long is silence.
pub(super) const WATCH_NS: Nanos = 3_000_000_000;
/// Failed connections to a port of DNS from which they are told.
const FEW_DNS: usize = 2;

const TCP: u8 = 6;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let (_, end_ns) = facts.span();
    let mut by_service: BTreeMap<(Address, u16), (Vec<&Connection>, u64)> = BTreeMap::new();
    let own = |trouble: &&Trouble| {
        matches!(trouble.sort, Sort::Failed(Face::Unreached, _))
            && trouble.resolved.is_none()
            && trouble.service().transport == TCP
    };
    let told =
        facts.troubles.all.iter().filter(own).map(|trouble| services::finding(facts, RULE.id, trouble));
    for connection in facts.connections.iter().filter(|own| facts.is_dns_port(own.server.1)) {
        match connection.ending {
            Ending::Accepted => by_service.entry(connection.server).or_default().1 += 1,
            Ending::Silent if !connection.is_unanswered(end_ns, WATCH_NS) => {}
            _ => by_service.entry(connection.server).or_default().0.push(connection),
        }
    }
    let of_dns = by_service.into_iter().filter(|(_, (failed, _))| failed.len() >= FEW_DNS).map(
        |((address, port), (failed, accepted))| {
            let ended = |ending: &[Ending]| failed.iter().filter(|c| ending.contains(&c.ending)).count();
            let rejected = ended(&[Ending::Rejected]);
            let ways = [
                (ended(&[Ending::Refused, Ending::ResetLater]), "reset"),
                (rejected, "refused by an ICMP error"),
                (ended(&[Ending::Silent]), "unanswered"),
            ];
            let ways: Vec<String> = ways
                .iter()
                .filter(|(number, _)| *number > 0)
                .map(|(number, way)| format!("{number} {way}"))
                .collect();
            // Each repeat of a SYN may have met an error of its own.
            let flows: BTreeSet<_> = failed.iter().map(|c| (c.client, c.server)).collect();
            let about = facts.errors.iter().filter(|error| {
                error
                    .quoted
                    .is_some_and(|own| own.transport == TCP && flows.contains(&(own.source, own.destination)))
            });
            let frames: Vec<PacketId> = failed
                .iter()
                .flat_map(|c| [Some(c.syn), c.decided])
                .flatten()
                .chain(about.map(|error| error.packet))
                .collect();
            let period_ns = (
                failed.iter().map(|c| c.time_ns).min().unwrap_or(0),
                failed.iter().map(|c| c.last_syn_ns).max().unwrap_or(0),
            );
            let in_use = facts.in_use((address, port), period_ns).is_some();
            let filter =
                format!("tcp.port == {port} && ({} || {})", rules::from(address), rules::to(address));
            Finding {
                id: RULE.id,
                severity: if accepted == 0 && !in_use { Severity::Low } else { Severity::Info },
                statement: format!(
                    "{} to {address} port {port} failed ({}); {}",
                    rules::counted(failed.len(), "connection", "connections"),
                    ways.join(", "),
                    match accepted {
                        _ if in_use =>
                            "another one carried data both ways meanwhile: the service works".to_owned(),
                        0 => "none was accepted".to_owned(),
                        1 => "1 was accepted".to_owned(),
                        several => format!("{several} were accepted"),
                    }
                ),
                frames: rules::tidy(frames),
                counts: vec![Count {
                    label: "failed connections".into(),
                    value: failed.len() as u64,
                    filter: rules::frames_counted(facts, &failed.iter().map(|c| c.syn).collect::<Vec<_>>()),
                }],
                filter,
                code: None,
            }
        },
    );
    told.chain(of_dns).collect()
}
