//! Pairs DNS queries with their retries and responses (RFC 5452 §9.1: same addresses, ports, id and question).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::evidence::{Role, TRANSACTIONS_MAX};
use super::messages::Messages;
use super::{Anomaly, Evidence, Outcome, Transaction, TransactionId};
use crate::index::segment::DnsKind;
use crate::index::{DnsRow, PacketId};
use crate::time::Nanos;

/// Transactions of one flow and id that a message is compared with, newest first. A flow that repeats
/// an id with ever new questions would otherwise cost the square of its length.
const CANDIDATES_MAX: usize = 16;
/// How often cancellation is looked at, in messages.
const CANCEL_EVERY: usize = 1 << 16;
/// End of a chain.
const NONE: u32 = u32::MAX;
/// QTYPE of zone transfers, whose answer is a sequence of messages (RFC 5936 §2.2; RFC 1995 §4).
const ZONE_TRANSFERS: [u16; 2] = [251, 252];

/// What matching needs to know of a transaction and results do not.
struct Open {
    /// The next older transaction of the same flow and id.
    previous: u32,
    question: u64,
    first_ns: Nanos,
    last_ns: Nanos,
}

#[derive(Default)]
struct Joiner {
    open: Vec<Open>,
    /// The newest transaction of each flow and id.
    newest: HashMap<u64, u32, foldhash::fast::FixedState>,
    /// Responses that matched nothing.
    unmatched: Vec<u32>,
    crowded: bool,
}

fn key(row: &DnsRow) -> u64 {
    row.flow ^ u64::from(row.header.id).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Makes the transactions of all unicast DNS messages.
pub(super) fn join(messages: &Messages<'_>, evidence: &mut Evidence, cancel: &AtomicBool) {
    let mut joiner = Joiner::default();
    evidence.reserve(messages.len() as usize);
    for (ordinal, (row, time_ns)) in messages.iter().enumerate() {
        if ordinal % CANCEL_EVERY == 0 && cancel.load(Ordering::Relaxed) {
            break;
        }
        if row.kind != DnsKind::Dns || evidence.is_duplicate(row.packet) {
            continue;
        }
        if row.is_response() {
            if !joiner.response(messages, evidence, row, time_ns) {
                joiner.unmatched.push(ordinal as u32);
            }
        } else {
            joiner.query(evidence, row, time_ns);
        }
    }
    if joiner.crowded {
        evidence.notes.push(format!(
            "Some flow repeats one DNS id with more than {CANDIDATES_MAX} different open questions; older ones were not compared."
        ));
    }
    unmatched(messages, evidence, &joiner.unmatched);
}

impl Joiner {
    /// The transactions of a flow and id, newest first, as far as they are compared.
    fn candidates(&self, key: u64) -> impl Iterator<Item = u32> {
        let mut at = self.newest.get(&key).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let found = self.open.get(at as usize)?;
            Some(std::mem::replace(&mut at, found.previous))
        })
        .take(CANDIDATES_MAX)
    }

    fn query(&mut self, evidence: &mut Evidence, row: &DnsRow, time_ns: Nanos) {
        let key = key(row);
        let same =
            self.candidates(key).find(|at| self.at(*at).is_some_and(|open| open.question == row.question));
        if let Some((at, open)) = same.and_then(|at| Some((at, self.open.get_mut(at as usize)?)))
            && let Some(transaction) = evidence.transactions.get_mut(at as usize)
        {
            let within = time_ns - open.last_ns <= evidence.parameters.retry_window_ns;
            if within && transaction.answer.is_none() {
                transaction.last = row.packet;
                transaction.tries = transaction.tries.saturating_add(1);
                let delta_ns = time_ns - open.first_ns;
                open.last_ns = time_ns;
                evidence.push_extra(row.packet, TransactionId(at), Role::Retry, delta_ns);
                return;
            }
            if !within {
                let against = Some(transaction.first);
                evidence.anomalies.push(Anomaly { kind: "id_port_reuse", packet: row.packet, against });
            }
        }
        let id = self.open.len();
        if id >= TRANSACTIONS_MAX {
            return;
        }
        let previous = self.newest.insert(key, id as u32).unwrap_or(NONE);
        self.crowded |= previous != NONE && same.is_none() && self.candidates(key).count() == CANDIDATES_MAX;
        self.open.push(Open { previous, question: row.question, first_ns: time_ns, last_ns: time_ns });
        evidence.transactions.push(Transaction {
            first: row.packet,
            last: row.packet,
            answer: None,
            error: None,
            outcome: Outcome::Undetermined,
            response_code: 0,
            icmp: (0, 0),
            tries: 1,
            extended_error: None,
            rtt_ns: 0,
            waited_ns: 0,
        });
        evidence.push_member(row.packet, TransactionId(id as u32), Role::First);
    }

    fn at(&self, at: u32) -> Option<&Open> {
        self.open.get(at as usize)
    }

    /// Gives a response its place; false when nothing fits.
    fn response(
        &mut self,
        messages: &Messages<'_>,
        evidence: &mut Evidence,
        row: &DnsRow,
        time_ns: Nanos,
    ) -> bool {
        let comparable = row.question != 0;
        let tolerance = evidence.parameters.clock_tolerance_ns;
        let (mut unanswered, mut answered, mut others, mut waiting) = (None, None, None, 0);
        for at in self.candidates(key(row)) {
            let Some((open, transaction)) = self.at(at).zip(evidence.transactions.get(at as usize)) else {
                break;
            };
            if open.first_ns > time_ns + tolerance {
                continue;
            }
            if comparable && open.question != row.question && open.question != 0 {
                others = others.or(Some(transaction.last));
                continue;
            }
            if transaction.answer.is_none() {
                waiting += 1;
                unanswered = unanswered.or(Some(at));
            } else {
                answered = answered.or(Some(at));
            }
        }
        let exact = comparable
            || row.header.counts.first() == Some(&0)
                && unanswered.is_some_and(|at| self.at(at).is_some_and(|open| open.question == 0));
        match (unanswered, answered) {
            (Some(at), _) if exact || waiting == 1 => {
                let Some(open) = self.at(at) else { return false };
                let (rtt_ns, waited_ns) = (time_ns - open.last_ns, time_ns - open.first_ns);
                let Some(transaction) = evidence.transactions.get_mut(at as usize) else { return false };
                transaction.answer = Some(row.packet);
                transaction.response_code = u16::from(row.header.response_code());
                transaction.rtt_ns = rtt_ns;
                transaction.waited_ns = waited_ns;
                let role = if exact { Role::Answer } else { Role::ProbableAnswer };
                evidence.push_member(row.packet, TransactionId(at), role);
                if rtt_ns > evidence.parameters.implausible_after_ns {
                    evidence.anomalies.push(Anomaly {
                        kind: "implausibly_late_answer",
                        packet: row.packet,
                        against: Some(PacketId(0))
                            .and(evidence.transactions.get(at as usize).map(|t| t.last)),
                    });
                }
                true
            }
            (_, Some(at)) => {
                self.further(messages, evidence, (row, time_ns), at);
                true
            }
            _ => {
                if let Some(query) = others {
                    evidence.anomalies.push(Anomaly {
                        kind: "answer_to_other_question",
                        packet: row.packet,
                        against: Some(query),
                    });
                }
                others.is_some()
            }
        }
    }

    /// A response to a query that has its answer already.
    fn further(
        &self,
        messages: &Messages<'_>,
        evidence: &mut Evidence,
        (row, time_ns): (&DnsRow, Nanos),
        at: u32,
    ) {
        let Some(answer) = evidence.transactions.get(at as usize).and_then(|t| t.answer) else { return };
        let Some(open) = self.at(at) else { return };
        evidence.push_extra(row.packet, TransactionId(at), Role::FurtherAnswer, time_ns - open.last_ns);
        if ZONE_TRANSFERS.contains(&row.qtype) || row.question == 0 {
            return;
        }
        let first = messages.index.packet(answer).and_then(|packet| packet.dns());
        let equal = first.is_some_and(|first| messages.bytes(first) == messages.bytes(row));
        let kind = if equal { "duplicate_answer" } else { "conflicting_answer" };
        evidence.anomalies.push(Anomaly { kind, packet: row.packet, against: Some(answer) });
    }
}

/// Looks for the queries of responses that came from another address than was asked (RFC 2181 §4.1).
fn unmatched(messages: &Messages<'_>, evidence: &mut Evidence, responses: &[u32]) {
    let mut wanted: HashMap<(u64, u16), Option<PacketId>, foldhash::fast::FixedState> = HashMap::default();
    for row in responses.iter().filter_map(|at| messages.row(*at)) {
        wanted.insert((row.question, row.header.id), None);
    }
    if wanted.is_empty() {
        return;
    }
    let mut next = responses.iter().copied().peekable();
    for (ordinal, (row, _)) in messages.iter().enumerate() {
        let key = (row.question, row.header.id);
        if !row.is_response() && row.kind == DnsKind::Dns && row.question != 0 {
            if let Some(query) = wanted.get_mut(&key) {
                *query = Some(row.packet);
            }
        } else if next.peek() == Some(&(ordinal as u32)) {
            next.next();
            let query =
                wanted.get(&key).copied().flatten().filter(|query| same_client(messages, *query, row.packet));
            let kind = if query.is_some() { "answer_from_other_address" } else { "unsolicited" };
            evidence.anomalies.push(Anomaly { kind, packet: row.packet, against: query });
        }
    }
}

fn same_client(messages: &Messages<'_>, query: PacketId, response: PacketId) -> bool {
    let (Some(query), Some(response)) = (messages.index.packet(query), messages.index.packet(response))
    else {
        return false;
    };
    query.source_address() == response.destination_address()
        && query.source_port() == response.destination_port()
}

/// Decides how each transaction ended, once the errors about it are known.
pub(super) fn conclude(messages: &Messages<'_>, evidence: &mut Evidence) {
    let parameters = evidence.parameters.clone();
    let mut both = Vec::new();
    for transaction in &mut evidence.transactions {
        transaction.outcome = if let Some(answer) = transaction.answer {
            if let Some(error) = transaction.error {
                both.push(Anomaly { kind: "icmp_and_answer", packet: error, against: Some(answer) });
            }
            if transaction.rtt_ns > parameters.late_after_ns { Outcome::Late } else { Outcome::Answered }
        } else if transaction.error.is_some() {
            Outcome::Refused
        } else if evidence.one_sided
            || messages.last_ns - messages.time_ns(transaction.last) < parameters.watch_ns
        {
            Outcome::Undetermined
        } else {
            Outcome::NoAnswer
        };
    }
    evidence.anomalies.append(&mut both);
}
