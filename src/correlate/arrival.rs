//! Tells whether answers that passed the capture point reached who asked: repeats after them, errors about them, and copies that
//! stop on the way (truth T11 to T13, services §3).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::duplicates::CopyKind;
use super::evidence::{Role, set_bit, set_in};
use super::hosts::{self, Place, Sum};
use super::messages::Messages;
use super::{AnomalyKind, Evidence, LinkKind, Outcome, Transaction, TransactionId};
use crate::connections::Connection;
use crate::decode::Address;
use crate::index::names::name_hash;
use crate::index::{Packet, PacketId, SourceId};
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// A repeat this long after the answer, beyond the round trip, shows that the client had not got it.
const AGAIN_NS: Nanos = 200_000_000;
/// Questions sent together by one stub, which repeats both where one of them is lost (glibc).
const PAIR_NS: Nanos = 10_000_000;
/// Transactions on either side of one that may be its pair.
const PAIR_REACH: u32 = 4;
/// Transactions after one that may be its pair where stubs ask for the second type once they have the first.
const PAIR_LATER: u32 = 64;
/// Repeats of one question by one flow and id that no stub makes: a program that always asks the same.
const CHAIN_MAX: usize = 8;
/// Answers that were captured at each place they pass, from which on it is known where they pass (services §3.2).
const PATTERNS_MIN: usize = 3;
/// A stub's shortest timer: a client asks again that long after an answer only where it did not get it.
const IGNORED_NS: Nanos = 900_000_000;
/// Answers a client's own host did not take from which it is no habit of a program.
const IGNORED_MIN: usize = 3;
/// An answer about the same name this close to a refused one makes that an ordinary further one.
const GROUP_NS: Nanos = 1_000_000_000;
/// A client that refuses an answer this long after its question had waited for it.
const PATIENCE_NS: Nanos = 1_000_000_000;
/// An error this soon after the answer came from the host the capture was taken at.
const AT_HOST_NS: Nanos = 500_000;
/// Responses whose checksum is looked at; a flood has more.
const CHECKED_MAX: usize = 100_000;
/// A damaged response this long after the last try still belongs to it.
const DAMAGED_NS: Nanos = 5_000_000_000;
/// A capture that shows the client's side covers this time on either side of an answer (services §3.5).
const COVER_NS: Nanos = 5_000_000_000;

/// How it is known that an answer did not reach who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// An error says that it was not let through, or could not be delivered.
    Rejected(PacketId),
    /// The client asked the same again after it.
    AskedAgain(PacketId),
    /// It came to the client's link, and the client asked the same again and again: its host did not take it.
    Ignored(PacketId),
    /// It is not in the capture of the client's side, which shows the query.
    NotIn(SourceId),
    /// It came in and was not sent on, as others were.
    NotSentOn,
    /// It came with a wrong checksum, so that whoever got it threw it away: the damaged response.
    Damaged(PacketId),
    /// The client never acknowledged it, and the server sent it again and again.
    Unacknowledged,
    /// The client's own host refused it, and nothing else answered: the error.
    Refused(PacketId),
}

/// Marks the transactions whose answer did not arrive.
pub(super) fn mark(messages: &Messages<'_>, evidence: &mut Evidence) {
    let mut lost: BTreeMap<TransactionId, Lost> = BTreeMap::new();
    let damaged = take_damaged(messages, evidence);
    let arrival = Arrival { messages, evidence };
    arrival.copies(&mut lost);
    arrival.repeats(&mut lost);
    arrival.errors(&mut lost);
    arrival.unacknowledged(&mut lost);
    arrival.damaged(&damaged, &mut lost);
    let refused = arrival.refusals(&lost);
    for id in lost.keys() {
        if let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) {
            transaction.outcome = Outcome::NotReceived;
        }
    }
    for (id, (outcome, error)) in refused {
        if let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) {
            transaction.outcome = outcome;
        }
        lost.insert(id, Lost::Refused(error));
    }
    for id in lost.keys() {
        set_bit(&mut evidence.unsettled, *id);
    }
    // What was sent again and again failed until the last of that.
    let until = |(id, how): (&TransactionId, &Lost)| {
        let query = messages.index.packet(evidence.transaction(*id)?.last)?;
        let connection = evidence.connections.of(&query).filter(|_| *how == Lost::Unacknowledged)?;
        Some((*id, connection.last.packet))
    };
    let sent_again: Vec<(TransactionId, PacketId)> = lost.iter().filter_map(until).collect();
    evidence.tried_over_tcp.extend(sent_again);
    evidence.tried_over_tcp.sort_unstable();
    evidence.lost = lost.into_iter().collect();
}

/// Responses with a wrong checksum by where they went; what they say differs from what was sent, so they are no anomalies.
type Damaged = Map<(Address, u16), Vec<PacketId>>;

fn take_damaged(messages: &Messages<'_>, evidence: &mut Evidence) -> Damaged {
    let mut damaged = Damaged::default();
    let mut looked_at = 0;
    evidence.anomalies.retain(|anomaly| {
        let says = matches!(
            anomaly.kind,
            AnomalyKind::Unsolicited
                | AnomalyKind::AnswerToOtherQuestion
                | AnomalyKind::ConflictingAnswer
                | AnomalyKind::DuplicateAnswer
        );
        looked_at += usize::from(says);
        let looks = says && looked_at <= CHECKED_MAX;
        let Some(packet) = messages.index.packet(anomaly.packet).filter(|_| looks) else { return true };
        if !is_damaged(&packet) {
            return true;
        }
        damaged.entry((packet.destination_address(), packet.destination_port())).or_default().push(packet.id);
        false
    });
    damaged
}

/// Whether the checksum of a datagram is wrong otherwise than as senders leave it to their network card.
fn is_damaged(packet: &Packet<'_>) -> bool {
    let sum = || {
        if packet.is_text() { hosts::printed_checksum(packet) } else { hosts::checksum(&packet.decode()) }
    };
    packet.transport() == UDP && sum() == Some(Sum::Wrong)
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
        // At the client itself one repeat may be a habit; a row of them shows that its host takes no answers.
        let mut here: BTreeMap<(Address, Address), Vec<(TransactionId, PacketId)>> = BTreeMap::new();
        for (before, after) in again {
            let long = chains.get(after).is_some_and(|length| *length > CHAIN_MAX);
            match self.is_repeat(*before, *after).filter(|_| !long) {
                Some((query, None)) => {
                    lost.entry(*before).or_insert(Lost::AskedAgain(query));
                }
                Some((query, Some(pair))) => here.entry(pair).or_default().push((*before, query)),
                None => {}
            }
        }
        for ignored in here.into_values().filter(|ignored| ignored.len() >= IGNORED_MIN) {
            for (before, query) in ignored {
                lost.entry(before).or_insert(Lost::Ignored(query));
            }
        }
    }

    /// The repeat, where it says that the answer before it was not received; with its ends where the client is the host that
    /// captured, or next to it, so that the answer did reach its link.
    fn is_repeat(
        &self,
        before: TransactionId,
        after: TransactionId,
    ) -> Option<(PacketId, Option<(Address, Address)>)> {
        let (transaction, answer) = self.usable(before)?;
        let next = self.evidence.transaction(after)?;
        let query = self.messages.index.packet(transaction.first)?;
        let client = query.source_address();
        let passed_ns = self.messages.time_ns(answer);
        let waited_ns = self.messages.time_ns(next.first) - passed_ns;
        let elsewhere = !matches!(self.evidence.place(client), Place::Here | Place::Link);
        let is_damaged = || self.messages.index.packet(answer).is_some_and(|answer| is_damaged(&answer));
        // What two files show at different times may be one packet by two clocks.
        let same_file = self.messages.index.packet(next.first).map(|next| next.segment.source)
            == Some(query.segment.source);
        let repeats = query.transport() == UDP
            && same_file
            && waited_ns >= self.evidence.rtt_ns(transaction) + AGAIN_NS
            && !self.has_silent_pair(before, &query, next.first);
        let pair = (client, query.destination_address());
        match () {
            () if !repeats => None,
            () if elsewhere || is_damaged() => Some((next.first, None)),
            () if waited_ns >= IGNORED_NS => Some((next.first, Some(pair))),
            () => None,
        }
    }

    /// Whether a question belongs to a pair (two types of one name, from one socket) of which the other was left without answer:
    /// stubs then repeat both.
    fn has_silent_pair(&self, id: TransactionId, query: &Packet<'_>, again: PacketId) -> bool {
        let Some(row) = query.dns() else { return false };
        let asked_ns = self.messages.time_ns(query.id);
        let again_ns = self.messages.time_ns(again);
        let name = query.segment.names.get(row.name);
        let near = id.0.saturating_sub(PAIR_REACH)..=id.0.saturating_add(PAIR_LATER);
        let others = near.filter(|at| *at != id.0);
        let others = others.filter_map(|at| Some((at, self.evidence.transaction(TransactionId(at))?)));
        others.filter(|(_, other)| other.answer.is_none()).any(|(at, other)| {
            let Some(packet) = self.messages.index.packet(other.first) else { return false };
            let Some(own) = packet.dns().filter(|own| own.flow == row.flow) else { return false };
            let other_ns = self.messages.time_ns(other.first);
            let is_partner = || {
                own.qtype != row.qtype && other_ns < again_ns && packet.segment.names.get(own.name) == name
            };
            let beside = at.abs_diff(id.0) <= PAIR_REACH && (other_ns - asked_ns).abs() <= PAIR_NS;
            beside || other_ns > asked_ns && is_partner()
        })
    }

    /// Answers that came damaged: those known to be lost, and questions to which nothing else came.
    fn damaged(&self, damaged: &Damaged, lost: &mut BTreeMap<TransactionId, Lost>) {
        let response = |transaction: &Transaction| {
            let query = self.messages.index.packet(transaction.first)?;
            let (from, to) = (query.time_ns(), self.messages.time_ns(transaction.last) + DAMAGED_NS);
            let all = damaged.get(&(query.source_address(), query.source_port()))?;
            let fits = |packet: &&PacketId| (from..=to).contains(&self.messages.time_ns(**packet));
            all.iter().find(fits).copied()
        };
        let own = |transaction: &Transaction| {
            let answer = self.messages.index.packet(transaction.answer?)?;
            is_damaged(&answer).then_some(answer.id)
        };
        for (id, how) in lost.iter_mut() {
            let Some(transaction) = self.evidence.transaction(*id) else { continue };
            if let Some(packet) = own(transaction).or_else(|| response(transaction)) {
                *how = Lost::Damaged(packet);
            }
        }
        self.thrown_away(lost);
        let silent = set_in(&self.evidence.unsettled, 0).map(TransactionId).filter(|_| !damaged.is_empty());
        for id in silent {
            let Some(transaction) = self.evidence.transaction(id) else { continue };
            let nothing = matches!(transaction.outcome, Outcome::NoAnswer | Outcome::Undetermined);
            if let Some(packet) = response(transaction).filter(|_| nothing) {
                lost.insert(id, Lost::Damaged(packet));
            }
        }
    }

    /// Damaged answers that nobody asked again after, on ways on which a repeat shows what becomes of them (RFC 1122 §4.1.3.4):
    /// the last of a row.
    fn thrown_away(&self, lost: &mut BTreeMap<TransactionId, Lost>) {
        let ends = |transaction: &Transaction| {
            let query = self.messages.index.packet(transaction.first)?;
            (query.transport() == UDP).then(|| (query.source_address(), query.destination_address()))
        };
        let damaged = lost.iter().filter(|(_, how)| matches!(how, Lost::Damaged(_)));
        let ways: HashSet<(Address, Address)> =
            damaged.filter_map(|(id, _)| ends(self.evidence.transaction(*id)?)).collect();
        if ways.is_empty() {
            return;
        }
        let all = (0..).map(TransactionId).zip(&self.evidence.transactions);
        let on_ways =
            all.filter(|(_, own)| is_usable(own) && ends(own).is_some_and(|ends| ways.contains(&ends)));
        for (id, transaction) in on_ways.take(CHECKED_MAX) {
            let answer = transaction.answer.and_then(|answer| self.messages.index.packet(answer));
            if let Some(answer) = answer.filter(is_damaged) {
                lost.entry(id).or_insert(Lost::Damaged(answer.id));
            }
        }
    }

    /// Answers over TCP that the client never acknowledged.
    fn unacknowledged(&self, lost: &mut BTreeMap<TransactionId, Lost>) {
        for connection in self.evidence.connections.iter().filter(|own| own.unacknowledged() > 0) {
            let ends = connection.from_server.last.map(|last| last.packet);
            // A zone transfer is many messages (RFC 5936 §2.2): it fails with the last of them.
            let asks = connection.from_client.last.map(|last| last.packet);
            let transfer = |packet: &PacketId| {
                let packet = self.messages.index.packet(*packet);
                packet.and_then(|packet| packet.dns()).is_some_and(|row| matches!(row.qtype, IXFR | AXFR))
            };
            let by_answer = ends.and_then(|last| self.evidence.transaction_of(last));
            let by_query = asks.filter(transfer).and_then(|query| self.evidence.transaction_of(query));
            let own = by_answer.filter(|id| self.usable(*id).is_some_and(|(_, answer)| Some(answer) == ends));
            let by_query =
                by_query.filter(|id| self.usable(*id).is_some()).or_else(|| self.begun(connection));
            for id in own.into_iter().chain(by_query) {
                lost.entry(id).or_insert(Lost::Unacknowledged);
            }
        }
    }

    /// The last question of a connection that the server began to answer: it took the question and sent what never arrived, the end of
    /// which need not have been sent.
    fn begun(&self, connection: &Connection) -> Option<TransactionId> {
        let query = connection.from_client.last.filter(|_| connection.unacknowledged() > FIN_LENGTH)?;
        let id = self.evidence.transaction_of(query.packet)?;
        let own = self.evidence.transaction(id)?;
        let open = matches!(own.outcome, Outcome::NoAnswer | Outcome::Mute | Outcome::Undetermined);
        // Without a word captured, the server's numbers tell that it spoke.
        let spoke = connection.from_server.first.is_none() || connection.speaks_after(query);
        (open && own.answer.is_none() && spoke && connection.is_acknowledged()).then_some(id)
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

    /// Answers that the client's own host refused, where nothing else about the name reached it in time: the client had given up, or
    /// never listened (truth T13). Who asked once and refuses from afar may not have asked at all.
    fn refusals(&self, lost: &BTreeMap<TransactionId, Lost>) -> BTreeMap<TransactionId, (Outcome, PacketId)> {
        let mut refused: BTreeMap<TransactionId, PacketId> = BTreeMap::new();
        for row in self.messages.index.icmp_rows().filter(|row| !self.evidence.is_duplicate(row.packet)) {
            let links = self.evidence.links_from(row.packet);
            let about =
                links.iter().filter(|link| link.kind == LinkKind::ErrorAbout).filter_map(|link| link.to);
            for answer in about {
                let told = self.evidence.roles_of(answer);
                for (id, _) in told.filter(|(_, role)| *role != Role::First && *role != Role::Retry) {
                    if !lost.contains_key(&id) && self.is_refused_by_client(id, answer, row.packet) {
                        refused.entry(id).or_insert(row.packet);
                    }
                }
            }
        }
        if refused.is_empty() {
            return BTreeMap::new();
        }
        let key = |transaction: &Transaction| {
            let query = self.messages.index.packet(transaction.first)?;
            let row = query.dns()?;
            Some((query.source_address(), query.segment.names.get(row.name).map_or(0, name_hash)))
        };
        let own = refused.keys().filter_map(|id| key(self.evidence.transaction(*id)?));
        let mut served: Map<(Address, u64), Vec<Nanos>> = own.map(|key| (key, Vec::new())).collect();
        for (transaction, id) in self.evidence.transactions.iter().zip(0u32..) {
            let id = TransactionId(id);
            let arrived = is_usable(transaction) && !refused.contains_key(&id) && !lost.contains_key(&id);
            let useful = matches!(transaction.response_code, 0 | 3);
            let Some(answer) = transaction.answer.filter(|_| arrived && useful) else { continue };
            if let Some(times) = key(transaction).and_then(|key| served.get_mut(&key)) {
                times.push(self.messages.time_ns(answer));
            }
        }
        let outcome = |(id, error): (TransactionId, PacketId)| {
            let transaction = self.evidence.transaction(id)?;
            let (asked_ns, answered_ns) =
                (self.messages.time_ns(transaction.first), self.messages.time_ns(transaction.answer?));
            let meanwhile = asked_ns - GROUP_NS..=answered_ns + GROUP_NS;
            if served.get(&key(transaction)?)?.iter().any(|time_ns| meanwhile.contains(time_ns)) {
                return None;
            }
            let outcome = match () {
                () if transaction.error.is_some_and(|e| self.messages.time_ns(e) <= answered_ns) => {
                    Outcome::Refused
                }
                () if answered_ns - asked_ns >= PATIENCE_NS => Outcome::Late,
                () if transaction.tries > 1 => Outcome::NotReceived,
                // Behind a router it may have asked others too, of which nothing is seen here: their answer came first.
                () if self.is_away(transaction) => return None,
                // At its own host: it did ask, and what came did not reach the program that waits for it.
                () if self.messages.time_ns(error) - answered_ns <= AT_HOST_NS
                    && !self.is_about_another(transaction.answer?) =>
                {
                    Outcome::NotReceived
                }
                () => return None,
            };
            Some((id, (outcome, error)))
        };
        let mut found: BTreeMap<_, _> = refused.into_iter().filter_map(outcome).collect();
        self.given_up_at_errors(&mut found);
        found
    }

    /// A client that was seen to give up at errors before the answers came gave up at all of them: not each of its own errors is sent
    /// (RFC 1812 §4.3.2.8) or captured.
    fn given_up_at_errors(&self, found: &mut BTreeMap<TransactionId, (Outcome, PacketId)>) {
        let ends = |transaction: &Transaction| {
            let query = self.messages.index.packet(transaction.first)?;
            Some((query.source_address(), query.destination_address()))
        };
        let pairs: BTreeSet<(Address, Address)> = found
            .iter()
            .filter(|(_, (outcome, _))| *outcome == Outcome::Refused)
            .filter_map(|(id, _)| ends(self.evidence.transaction(*id)?))
            .collect();
        if pairs.is_empty() {
            return;
        }
        for anomaly in &self.evidence.anomalies {
            let (AnomalyKind::IcmpAndAnswer, Some(answer)) = (anomaly.kind, anomaly.against) else {
                continue;
            };
            let Some(id) = self.evidence.transaction_of(answer) else { continue };
            let Some(transaction) = self.evidence.transaction(id) else { continue };
            let before = self.messages.time_ns(anomaly.packet) <= self.messages.time_ns(answer);
            let alone = transaction.tries == 1 && is_usable(transaction) && !self.asks_again(id);
            if before && alone && ends(transaction).is_some_and(|pair| pairs.contains(&pair)) {
                found.entry(id).or_insert((Outcome::Refused, anomaly.packet));
            }
        }
    }

    /// Whether the client asked the same again later by a query of its own.
    fn asks_again(&self, id: TransactionId) -> bool {
        self.evidence.again.iter().any(|(before, _)| *before == id)
    }

    /// Whether the client is behind a router, seen from where the capture was taken.
    fn is_away(&self, transaction: &Transaction) -> bool {
        let query = self.messages.index.packet(transaction.first);
        query.is_some_and(|query| matches!(self.evidence.place(query.source_address()), Place::Away(_)))
    }

    /// Whether an error about an answer may be about one like it: it was delivered twice, and the second found nobody waiting.
    fn is_about_another(&self, answer: PacketId) -> bool {
        let index = self.messages.index;
        let is_text = index.packet(answer).is_some_and(|packet| packet.is_text());
        // Lines of two interfaces are one packet on its way.
        !is_text && self.evidence.copies(answer).next().is_some()
            || self.evidence.anomalies.iter().any(|anomaly| {
                anomaly.kind == AnomalyKind::DuplicateAnswer && anomaly.against == Some(answer)
            })
    }

    /// Whether the client itself says that nobody listens for the answer a question depends on.
    fn is_refused_by_client(&self, id: TransactionId, answer: PacketId, error: PacketId) -> bool {
        let (Some(error), Some((transaction, counted))) =
            (self.messages.index.packet(error), self.usable(id))
        else {
            return false;
        };
        let closed =
            matches!((error.transport(), error.decode().icmp()), (1, Some((3, 3))) | (58, Some((1, 4))));
        // Behind a translator the answer went to its address, and it is the one that says so.
        let receiver = self.messages.index.packet(transaction.answer.unwrap_or(answer));
        let receiver = receiver.map(|packet| packet.destination_address());
        closed && answer == counted && receiver == Some(error.source_address())
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
        let has_losses = self.messages.index.sources.iter().any(|source| source.metadata.lost() > 0);
        if !told || has_losses {
            return;
        }
        // Of two answers that contradict each other the first may have been made on the way: it never passed elsewhere.
        let contested: BTreeSet<PacketId> = self
            .evidence
            .anomalies
            .iter()
            .filter(|anomaly| anomaly.kind == AnomalyKind::ConflictingAnswer)
            .filter_map(|anomaly| anomaly.against)
            .collect();
        let mut patterns: Map<(Address, Address), Pattern> = Map::default();
        let all = self.evidence.transactions.iter().zip(0u32..);
        for (transaction, id) in all.filter(|(transaction, _)| is_usable(transaction)) {
            let Some(path) = self.path(transaction, TransactionId(id)) else { continue };
            if transaction.answer.is_some_and(|answer| contested.contains(&answer)) {
                continue;
            }
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
/// A FIN takes one number (RFC 9293 §3.4).
const FIN_LENGTH: u32 = 1;
/// The type that asks for what changed in a zone (RFC 1995).
const IXFR: u16 = 251;
/// The type that asks for a whole zone (RFC 5936).
const AXFR: u16 = 252;
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
