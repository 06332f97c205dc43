//! Rule `stray-icmp`: errors that fit no packet, disagree with what was sent, or stand beside a genuine answer.

use super::facts::{ErrorFact, Facts};
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{AnomalyKind, Level};
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "stray-icmp",
    title: "Unsolicited or contradicted ICMP errors",
    doc: "ICMP errors whose quote disagrees with everything that was sent, where the capture shows all of it (medium), errors about a query that was answered all the \
          same (medium), errors about queries nobody sent while those that were sent got answers (medium), and errors that refer to \
          packets outside the capture (info). A blind sender cannot know the DNS id \
          (RFC 5927 §4); a sender on the path can.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut told = facts.unsent.clone();
    told.extend(facts.uncaptured.iter().flat_map(|uncaptured| uncaptured.errors.iter().copied()));
    told.sort_unstable();
    let level = |level: Level| -> Vec<PacketId> {
        let own = |e: &&ErrorFact| {
            let is_told = || facts.troubles.all.iter().any(|trouble| trouble.earlier.contains(&e.packet));
            e.level == Some(level)
                && (level != Level::Orphan || !is_told())
                && (level != Level::Orphan || told.binary_search(&e.packet).is_err())
        };
        facts.errors.iter().filter(own).map(|e| e.packet).collect()
    };
    let both: Vec<PacketId> = facts
        .evidence
        .anomalies
        .iter()
        .filter(|anomaly| anomaly.kind == AnomalyKind::IcmpAndAnswer)
        .map(|anomaly| anomaly.packet)
        .collect();
    let quench: Vec<PacketId> =
        facts.errors.iter().filter(|error| error.icmp == (4, 0, false)).map(|error| error.packet).collect();
    let groups = [
        (
            level(Level::Contradicted),
            Severity::Medium,
            "disagrees with every packet sent; it should not be relied upon",
            "disagree with every packet sent; they should not be relied upon",
            "link.level == contradicted",
        ),
        (
            both,
            Severity::Medium,
            "is about a query that was answered all the same",
            "are about queries that were answered all the same",
            "",
        ),
        (
            facts.unsent.clone(),
            Severity::Medium,
            "quotes a query its receiver did not send, although its other queries were captured and answered",
            "quote queries their receiver did not send, although its other queries were captured and answered",
            "",
        ),
        (
            quench,
            Severity::Info,
            "is a source quench: it asks to send less, does not say that the packet was lost, and is obsolete (RFC 6633)",
            "are source quench: they ask to send less, do not say that the packet was lost, and are obsolete (RFC 6633)",
            "icmp.type == 4",
        ),
        (
            level(Level::Orphan),
            Severity::Info,
            "refers to a packet that is not in this capture",
            "refer to packets that are not in this capture",
            if told.is_empty() { "link.level == orphan" } else { "" },
        ),
    ];
    groups
        .into_iter()
        .filter(|(packets, ..)| !packets.is_empty())
        .map(|(packets, severity, one, words, filter)| {
            let count = packets.len() as u64;
            let frames = rules::tidy(packets);
            let shown = rules::frames_filter(facts, &frames);
            let counted =
                if filter.is_empty() { rules::frames_counted(facts, &frames) } else { filter.to_owned() };
            let filter = if filter.is_empty() { shown } else { filter.to_owned() };
            Finding {
                id: RULE.id,
                severity,
                statement: format!(
                    "{} {}",
                    rules::counted(count as usize, "ICMP error", "ICMP errors"),
                    if count == 1 { one } else { words }
                ),
                counts: vec![Count { label: "errors".into(), value: count, filter: counted }],
                frames,
                filter,
                code: None,
            }
        })
        .collect()
}
