//! Rule `blocked-by-filter`: packets of which the log says that a packet filter blocked them.

use std::collections::BTreeMap;

use super::facts::{Facts, blocks};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::{Packet, PacketId};
use crate::text::escape;

/// The rule.
pub static RULE: Rule = Rule {
    id: "blocked-by-filter",
    title: "Blocked by a packet filter",
    doc: "Packets that a log of a packet filter (pflog) prints with the decision to block them, by rule, interface, ends and port. \
          Medium for packets between two hosts, a note for broadcast and multicast, which filters drop everywhere. \
          The log states the decision; whether it was meant is not in it.",
    run,
};

/// Packets at the beginning of which one must have a decision; logs of packet filters have it on each line.
const SAMPLE: u32 = 64;
/// Packets read; each is read again for this.
const PACKETS_MAX: u32 = 200_000;
/// Groups told apart.
const GROUPS_MAX: usize = 1_000;

/// Who was kept from reaching what, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Blocked {
    source: Address,
    destination: Address,
    /// Protocol and port, where it has one.
    service: (u8, u16),
    /// By whom: `rule 80 of a packet filter`.
    rule: String,
    direction: &'static str,
    interface: String,
}

fn blocked(packet: &Packet<'_>) -> Option<Blocked> {
    let line = packet.printed()?;
    let verdict = line.verdict().filter(crate::decode::transcript::Verdict::is_block)?;
    Some(Blocked {
        source: packet.source_address(),
        destination: packet.destination_address(),
        service: match packet.transport() {
            transport @ (6 | 17) => (transport, packet.destination_port()),
            transport => (transport, 0),
        },
        rule: blocks::named(&verdict),
        direction: if verdict.direction == "in" { "coming in" } else { "going out" },
        interface: escape(verdict.interface),
    })
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let index = facts.index;
    let packet = |id| index.packet(PacketId(id));
    let has_decision = |packet: Packet<'_>| packet.printed().is_some_and(|line| line.verdict().is_some());
    if !(0..index.len().min(SAMPLE)).filter_map(packet).any(has_decision) {
        return Vec::new();
    }
    let mut groups: BTreeMap<Blocked, Vec<PacketId>> = BTreeMap::new();
    for packet in (0..index.len().min(PACKETS_MAX)).filter_map(packet) {
        let Some(group) = blocked(&packet) else { continue };
        if groups.len() < GROUPS_MAX || groups.contains_key(&group) {
            groups.entry(group).or_default().push(packet.id);
        }
    }
    groups.iter().map(|(group, packets)| finding(facts, group, packets)).collect()
}

/// What is said of packets as unanswered is told by the rule that blocked them, which is as grave.
pub(super) fn replace(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let is_blocked = |own: &Finding| {
        SILENCES.contains(&own.id) && !own.frames.is_empty() && blocks::by(facts.index, &own.frames).is_some()
    };
    let (gone, left): (Vec<Finding>, Vec<Finding>) = std::mem::take(found).into_iter().partition(is_blocked);
    *found = left;
    for blocked in found.iter_mut().filter(|own| own.id == RULE.id) {
        let same = gone.iter().filter(|own| own.frames.iter().any(|frame| blocked.frames.contains(frame)));
        blocked.severity = same.map(|own| own.severity).fold(blocked.severity, Severity::max);
    }
}

/// Rules that find silence.
const SILENCES: [&str; 4] = ["unanswered-queries", "site-down", "tcp-failures", "datagrams-refused"];

fn finding(facts: &Facts<'_>, group: &Blocked, packets: &[PacketId]) -> Finding {
    let Blocked { source, destination, service, rule, direction, interface } = group;
    let is_to_one = crate::attempts::is_host(*destination);
    let port = match service {
        (6, port) => format!(" TCP port {port}"),
        (17, port) => format!(" UDP port {port}"),
        _ => String::new(),
    };
    let frames = rules::tidy(packets.to_vec());
    Finding {
        id: RULE.id,
        severity: if is_to_one { Severity::Medium } else { Severity::Info },
        statement: format!(
            "The log reports that {rule} blocked {} from {source} to {destination}{port}, {direction} on {interface}; what rules do not log is \
             not in it",
            rules::counted(packets.len(), "packet", "packets")
        ),
        counts: vec![Count {
            label: "blocked packets".into(),
            value: packets.len() as u64,
            filter: rules::frames_counted(facts, packets),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
