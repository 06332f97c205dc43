//! Tells whether answers that passed the capture point reached who asked: repeats after them, errors about them, and copies that
//! stop on the way (truth T11 to T13, services §3).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::duplicates::CopyKind;
use super::evidence::{Role, set_bit};
use super::hosts::Place;
use super::messages::Messages;
use super::{Evidence, LinkKind, Outcome, Transaction, TransactionId};
use crate::decode::Address;
use crate::index::{Packet, PacketId, SourceId};
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// A repeat this long after the answer, beyond the round trip, shows that the client had not got it.
const AGAIN_NS: Nanos = 200_000_000;
/// Questions sent together by one stub, which repeats both where one of them is lost (glibc).
const PAIR_NS: Nanos = 10_000_000;
/// Transactions on either side of one that may be its pair.
const PAIR_REACH: u32 = 4;
/// Repeats of one question by one flow and id that no stub makes: a program that always asks the same.
const CHAIN_MAX: usize = 8;
/// Answers that were captured at each place they pass, from which on it is known where they pass (services §3.2).
const PATTERNS_MIN: usize = 3;
/// A capture that shows the client's side covers this time on either side of an answer (services §3.5).
const COVER_NS: Nanos = 5_000_000_000;

/// How it is known that an answer did not reach who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// An error says that it was not let through, or could not be delivered.
    Rejected(PacketId),
    /// The client asked the same again after it.
    AskedAgain(PacketId),
    /// It is not in the capture of the client's side, which shows the query.
    NotIn(SourceId),
    /// It came in and was not sent on, as others were.
    NotSentOn,
}

/// Marks the transactions whose answer did not arrive.
pub(super) fn mark(messages: &Messages<'_>, evidence: &mut Evidence) {
    let mut lost: BTreeMap<TransactionId, Lost> = BTreeMap::new();
    let arrival = Arrival { messages, evidence };
    arrival.copies(&mut lost);
    arrival.repeats(&mut lost);
    arrival.errors(&mut lost);
    for id in lost.keys() {
        if let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) {
            transaction.outcome = Outcome::NotReceived;
        }
        set_bit(&mut evidence.unsettled, *id);
    }
    evidence.lost = lost.into_iter().collect();
}

struct Arrival<'a> {
    messages: &'a Messages<'a>,
    evidence: &'a Evidence,
}

/// Whether a transaction has an answer that a client can use, as far as it was judged.
fn is_usable(transaction: &Transaction) -> bool {
    matches!(transaction.outcome, Outcome::Answered | Outcome::Late)
}

impl Arrival<'_> {
    fn usable(&self, id: TransactionId) -> Option<(&Transaction, PacketId)> {
        let transaction = self.evidence.transaction(id).filter(|transaction| is_usable(transaction))?;
        Some((transaction, transaction.answer?))
    }

    /// Repeats after the answer, where the capture was not taken at the client.
    fn repeats(&self, lost: &mut BTreeMap<TransactionId, Lost>) {
        let again = &self.evidence.again;
        let mut chains: Map<TransactionId, usize> = Map::default();
        for (before, after) in again {
            let length = chains.get(before).copied().unwrap_or(0) + 1;
            chains.insert(*after, length);
        }
        for (before, after) in again {
            let long = chains.get(after).is_some_and(|length| *length > CHAIN_MAX);
            if !long && let Some(query) = self.is_repeat(*before, *after) {
                lost.entry(*before).or_insert(Lost::AskedAgain(query));
            }
        }
    }

    /// The repeat, where it says that the answer before it was not received.
    fn is_repeat(&self, before: TransactionId, after: TransactionId) -> Option<PacketId> {
        let (transaction, answer) = self.usable(before)?;
        let next = self.evidence.transaction(after)?;
        let query = self.messages.index.packet(transaction.first)?;
        let client = query.source_address();
        let passed_ns = self.messages.time_ns(answer);
        let waited_ns = self.messages.time_ns(next.first) - passed_ns;
        let elsewhere = !matches!(self.evidence.place(client), Place::Here | Place::Link);
        let repeats = query.transport() == UDP
            && elsewhere
            && waited_ns >= self.evidence.rtt_ns(transaction) + AGAIN_NS
            && !self.has_silent_pair(before, &query);
        repeats.then_some(next.first)
    }

    /// Whether a question belongs to a pair of which the other was left without answer.
    fn has_silent_pair(&self, id: TransactionId, query: &Packet<'_>) -> bool {
        let asked_ns = self.messages.time_ns(query.id);
        let flow = query.dns().map(|row| row.flow);
        let near =
            (id.0.saturating_sub(PAIR_REACH)..=id.0.saturating_add(PAIR_REACH)).filter(|at| *at != id.0);
        near.filter_map(|at| self.evidence.transaction(TransactionId(at))).any(|other| {
            let packet = self.messages.index.packet(other.first);
            let same = packet.and_then(|packet| packet.dns()).map(|row| row.flow) == flow;
            same && other.answer.is_none() && (self.messages.time_ns(other.first) - asked_ns).abs() <= PAIR_NS
        })
    }

    /// Errors of a device on the way about the only answers of a question.
    fn errors(&self, lost: &mut BTreeMap<TransactionId, Lost>) {
        let rows = self.messages.index.icmp_rows().filter(|row| !self.evidence.is_duplicate(row.packet));
        for row in rows {
            let links = self.evidence.links_from(row.packet);
            let about =
                links.iter().filter(|link| link.kind == LinkKind::ErrorAbout).filter_map(|link| link.to);
            for answer in about {
                let told = self
                    .evidence
                    .roles_of(answer)
                    .filter(|(_, role)| *role != Role::First && *role != Role::Retry);
                for (id, _) in told {
                    if self.is_rejected(id, answer, row.packet) {
                        lost.insert(id, Lost::Rejected(row.packet));
                    }
                }
            }
        }
    }

    /// Whether an error says that the answer a question depends on was not delivered. What the client itself says is
    /// another matter: the answer reached it.
    fn is_rejected(&self, id: TransactionId, answer: PacketId, error: PacketId) -> bool {
        let (Some(error), Some((transaction, counted))) =
            (self.messages.index.packet(error), self.usable(id))
        else {
            return false;
        };
        let kind = error.decode().icmp();
        let undelivered = matches!((error.transport(), kind), (1, Some((3, code))) if code != NEEDS_FRAGMENTS)
            || matches!((error.transport(), kind), (58, Some((1, _))));
        let client = self.messages.index.packet(transaction.first).map(|packet| packet.source_address());
        undelivered && answer == counted && client != Some(error.source_address())
    }

    /// Copies of answers that stop where those of others go on.
    fn copies(&self, lost: &mut BTreeMap<TransactionId, Lost>) {
        let several = self.messages.index.sources.len() > 1;
        let mut kinds = self.evidence.duplicates().map(|(.., kind)| kind);
        let told = if several { kinds.next().is_some() } else { kinds.any(|kind| kind != CopyKind::Mirror) };
        let interfaces = self.messages.index.sources.iter().flat_map(|source| &source.metadata.interfaces);
        let dropped = interfaces.filter_map(|interface| interface.dropped).any(|dropped| dropped > 0);
        if !told || dropped {
            return;
        }
        let mut patterns: Map<(Address, Address), Pattern> = Map::default();
        let all = self.evidence.transactions.iter().zip(0u32..);
        for (transaction, id) in all.filter(|(transaction, _)| is_usable(transaction)) {
            let Some(path) = self.path(transaction, TransactionId(id)) else { continue };
            patterns.entry(path.pair).or_default().note(path);
        }
        for pattern in patterns.values() {
            for path in &pattern.stopped {
                match path.missing.filter(|_| several) {
                    Some(source)
                        if pattern.shown.contains(&source) && self.covers(source, path.answered_ns) =>
                    {
                        lost.insert(path.id, Lost::NotIn(source));
                    }
                    None if path.is_short && pattern.whole >= PATTERNS_MIN => {
                        lost.insert(path.id, Lost::NotSentOn);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Where query and answer of a transaction were captured.
    fn path(&self, transaction: &Transaction, id: TransactionId) -> Option<Path> {
        let index = self.messages.index;
        let (query, answer) = (index.packet(transaction.first)?, index.packet(transaction.answer?)?);
        let asked: Vec<(PacketId, CopyKind)> = self.evidence.copies(query.id).collect();
        if asked.is_empty() {
            return None;
        }
        let told: Vec<(PacketId, CopyKind)> = self.evidence.copies(answer.id).collect();
        let source = |packet: PacketId| index.packet(packet).map(|packet| packet.segment.source);
        let near = query.segment.source;
        let seen: BTreeSet<SourceId> =
            told.iter().filter_map(|(packet, _)| source(*packet)).chain([answer.segment.source]).collect();
        let crosses = asked.iter().any(|(packet, _)| source(*packet) != Some(near));
        let onward =
            |copies: &[(PacketId, CopyKind)]| copies.iter().any(|(_, kind)| *kind != CopyKind::Mirror);
        Some(Path {
            id,
            pair: (query.source_address(), query.destination_address()),
            missing: (crosses && !seen.contains(&near)).then_some(near),
            is_short: onward(&asked) && !onward(&told),
            near,
            answered_ns: answer.time_ns(),
        })
    }

    /// Whether a source was captured around a time.
    fn covers(&self, source: SourceId, at_ns: Nanos) -> bool {
        let own = self.messages.index.segments().iter().filter(|segment| segment.source == source);
        let mut span = (Nanos::MAX, Nanos::MIN);
        for segment in own {
            span = (span.0.min(segment.span_ns.0), span.1.max(segment.span_ns.1));
        }
        // The last answers of a capture may come just before its end: what follows the query shows that it went on.
        span.0 <= at_ns && at_ns <= span.1.saturating_add(COVER_NS)
    }
}

const UDP: u8 = 17;
/// Code 4 of destination unreachable speaks of the size (RFC 1191).
const NEEDS_FRAGMENTS: u8 = 4;

/// Where one question and its answer were captured.
struct Path {
    id: TransactionId,
    pair: (Address, Address),
    /// The source nearest the client, where it has the query and not the answer.
    missing: Option<SourceId>,
    /// The query was captured before and behind this device, the answer on one side only.
    is_short: bool,
    near: SourceId,
    answered_ns: Nanos,
}

/// What is usual between two hosts.
#[derive(Default)]
struct Pattern {
    /// Questions whose answer was captured wherever the query was.
    whole: usize,
    /// The sources nearest the client that show answers.
    shown: BTreeSet<SourceId>,
    stopped: Vec<Path>,
}

impl Pattern {
    fn note(&mut self, path: Path) {
        if path.missing.is_none() {
            self.shown.insert(path.near);
        }
        if path.missing.is_some() || path.is_short {
            self.stopped.push(path);
        } else {
            self.whole += 1;
        }
    }
}

impl Evidence {
    /// How it is known that the answer of a transaction did not reach who asked; `None` where it is not.
    pub fn lost(&self, id: TransactionId) -> Option<Lost> {
        let at = self.lost.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.lost.get(at).map(|(_, lost)| *lost)
    }
}
