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
/// Messages looked up together.
const BATCH: usize = 64;
/// Queries with one id and question a stray response is compared with.
const STRAYS_MAX: usize = 8;
/// End of a chain.
const NONE: u32 = u32::MAX;
/// QTYPE of zone transfers, whose answer is a sequence of messages (RFC 5936 §2.2; RFC 1995 §4).
const ZONE_TRANSFERS: [u16; 2] = [251, 252];

/// What matching needs to know of a transaction and results do not.
struct Open {
    /// The next older transaction of the same flow and id.
    previous: u32,
    /// The low half of the question's hash; among one flow and id it is as telling as the whole.
    question: u32,
    first_ns: Nanos,
    last_ns: Nanos,
}

#[derive(Default)]
struct Joiner<'i> {
    open: Vec<Open>,
    /// The newest transaction of each flow and id.
    newest: HashMap<u64, u32, foldhash::fast::FixedState>,
    /// Responses that matched nothing.
    unmatched: Vec<&'i DnsRow>,
    crowded: bool,
}

fn key(row: &DnsRow) -> u64 {
    row.flow ^ u64::from(row.header.id).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Makes the transactions of all unicast DNS messages.
pub(super) fn join(messages: &Messages<'_>, evidence: &mut Evidence, cancel: &AtomicBool) {
    let mut joiner = Joiner::default();
    joiner.open.reserve_exact(messages.queries);
    joiner.newest.reserve(messages.queries);
    evidence.reserve(messages.len() as usize, messages.queries);
    let mut rows = messages.iter().filter(|(row, _)| row.kind == DnsKind::Dns);
    let mut batch = Vec::with_capacity(BATCH);
    while !cancel.load(Ordering::Relaxed) {
        batch.clear();
        batch.extend(rows.by_ref().take(BATCH));
        if batch.is_empty() {
            break;
        }
        // Looking all of a batch up at once lets the processor wait for many table rows at the same time.
        let touched =
            batch.iter().filter_map(|(row, _)| joiner.newest.get(&key(row))).fold(0, |sum, at| sum ^ at);
        std::hint::black_box(touched);
        for (row, time_ns) in batch.iter().copied() {
            if evidence.is_duplicate(row.packet) {
                continue;
            }
            if !row.is_response() {
                // A header that asks nothing and carries nothing is a probe, not a query.
                if row.header.counts != [0; 4] {
                    joiner.query(evidence, row, time_ns);
                }
            } else if !joiner.response(messages, evidence, row, time_ns) {
                joiner.unmatched.push(row);
            }
        }
    }
    if joiner.crowded {
        evidence.notes.push(format!(
            "Some flow repeats one DNS id with more than {CANDIDATES_MAX} different open questions; older ones were not compared."
        ));
    }
    unmatched(messages, evidence, &joiner.unmatched);
}

impl Joiner<'_> {
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
        let same = self
            .candidates(key)
            .find(|at| self.at(*at).is_some_and(|open| open.question == row.question as u32));
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
        self.crowded |= same.is_none() && self.candidates(key).nth(CANDIDATES_MAX - 1).is_some();
        let previous = self.newest.insert(key, id as u32).unwrap_or(NONE);
        self.open.push(Open { previous, question: row.question as u32, first_ns: time_ns, last_ns: time_ns });
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
            name_lost: false,
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
            if comparable && open.question != row.question as u32 && open.question != 0 {
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
                if row.header.is_truncated() {
                    transaction.outcome = Outcome::Truncated;
                }
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
fn unmatched(messages: &Messages<'_>, evidence: &mut Evidence, responses: &[&DnsRow]) {
    let key = |row: &DnsRow| (row.question, row.header.id);
    let mut wanted: HashMap<(u64, u16), Vec<PacketId>, foldhash::fast::FixedState> = HashMap::default();
    for row in responses {
        wanted.insert(key(row), Vec::new());
    }
    if wanted.is_empty() {
        return;
    }
    for (row, _) in messages.iter() {
        let eligible = !row.is_response() && row.kind == DnsKind::Dns && row.question != 0;
        if eligible
            && let Some(queries) = wanted.get_mut(&key(row))
            && queries.len() < STRAYS_MAX
        {
            queries.push(row.packet);
        }
    }
    for row in responses {
        let queries = wanted.get(&key(row)).map(Vec::as_slice).unwrap_or_default();
        let query = queries.iter().rev().copied().find(|query| same_client(messages, *query, row.packet));
        let kind = if query.is_some() { "answer_from_other_address" } else { "unsolicited" };
        evidence.anomalies.push(Anomaly { kind, packet: row.packet, against: query });
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
