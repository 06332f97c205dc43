//! Which packets some finding explains, and which are ordinary by a stated threshold.

use std::collections::HashSet;

use crate::correlate::episodes::is_error_code;
use crate::correlate::{AnomalyKind, Outcome, Transaction, TransactionId};
use crate::findings::facts::{ErrorFact, Facts, Meaning, PROBLEMS_MAX};
use crate::findings::{FRAMES_MAX, Finding, Severity};
use crate::index::PacketId;

/// Rules whose notes say what they saw without explaining it.
const UNEXPLAINING: [&str; 6] = [
    "stray-icmp",
    "tcp-failures",
    "arp-unanswered",
    "capture-quality",
    "record-quality",
    "retransmission-storm",
];

/// What is explained.
pub(super) struct Explained<'f, 'i> {
    facts: &'f Facts<'i>,
    packets: HashSet<PacketId, foldhash::fast::FixedState>,
    /// A bit for each transaction that is part of a failure looked at.
    failed: Vec<u64>,
    /// Responses that were noticed as further, stray or misaddressed ones.
    further: HashSet<PacketId, foldhash::fast::FixedState>,
    /// Some finding has more frames than it names, and they may be among those asked about.
    pub is_capped: bool,
}

impl<'f, 'i> Explained<'f, 'i> {
    pub(super) fn by(facts: &'f Facts<'i>, found: &[Finding]) -> Self {
        let explains = |finding: &&Finding| {
            finding.severity > Severity::Info && !finding.id.ends_with("-quality")
                || !UNEXPLAINING.contains(&finding.id)
        };
        let mut packets = HashSet::default();
        let mut is_capped = false;
        for finding in found.iter().filter(explains) {
            is_capped |= finding.frames.len() >= FRAMES_MAX;
            packets.extend(finding.frames.iter().copied());
        }
        let mut failed = vec![0u64; facts.evidence.transactions.len().div_ceil(64)];
        let problems = facts.evidence.problems.iter().take(PROBLEMS_MAX);
        let episodes = problems.flat_map(|problem| &problem.episodes);
        let episodes = episodes.filter_map(|id| facts.evidence.episodes.get(id.0 as usize));
        for id in episodes.flat_map(|episode| &episode.transactions) {
            if let Some(word) = failed.get_mut(id.0 as usize / 64) {
                *word |= 1 << (id.0 % 64);
            }
        }
        let noticed = facts.evidence.anomalies.iter().filter(|anomaly| {
            matches!(
                anomaly.kind,
                AnomalyKind::AnswerFromOtherAddress
                    | AnomalyKind::ConflictingAnswer
                    | AnomalyKind::DuplicateAnswer
                    | AnomalyKind::Unsolicited
            )
        });
        let further = noticed.map(|anomaly| anomaly.packet).collect();
        Self { facts, packets, failed, further, is_capped }
    }

    /// Whether a finding shows a packet.
    pub(super) fn has(&self, packet: PacketId) -> bool {
        self.packets.contains(&packet)
    }

    /// Whether a failure that is looked at holds a transaction.
    pub(super) fn has_failure(&self, id: TransactionId) -> bool {
        self.failed.get(id.0 as usize / 64).is_some_and(|word| word >> (id.0 % 64) & 1 == 1)
    }

    /// Whether an ICMP error is about a late or second answer to a lookup that was served, and no finding tells of it.
    pub(super) fn is_further(&self, error: &ErrorFact) -> bool {
        let id = error.about.and_then(|about| self.facts.evidence.transaction_of(about));
        let served = id.and_then(|id| self.facts.evidence.transaction(id)).is_some_and(is_served);
        error.is_about_response()
            && error.meaning == Meaning::PortUnreachable
            && served
            && !self.has(error.packet)
            && id.is_none_or(|id| !self.has_failure(id))
    }

    /// Whether an ICMP error is accounted for.
    pub(super) fn has_error(&self, error: &ErrorFact) -> bool {
        if self.has(error.packet) {
            return true;
        }
        let about = error.about.and_then(|about| self.facts.evidence.transaction_of(about));
        // Whoever refuses a response that fits none of its queries, or comes a second time, is right to.
        let further = error.is_about_response()
            && error.meaning == Meaning::PortUnreachable
            && error.about.is_some_and(|about| self.further.contains(&about));
        let Some(id) = about else { return further };
        if further {
            return true;
        }
        // Errors about further answers to a lookup that was served are ordinary: its socket is closed (truth T13).
        self.has_failure(id)
            || error.is_about_response()
                && error.meaning == Meaning::PortUnreachable
                && self.facts.evidence.transaction(id).is_some_and(is_served)
    }
}

/// Whether a transaction gave its client something to use, or the answer that was due.
pub fn is_served(transaction: &Transaction) -> bool {
    transaction.outcome == Outcome::Answered
        && (!is_error_code(transaction.response_code) || transaction.declined.is_some())
}
