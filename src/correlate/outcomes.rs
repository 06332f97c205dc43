//! Decides how each transaction ended. Every transaction gets exactly one outcome, so the ledger always adds up.

use std::collections::HashMap;

use rayon::prelude::*;

use super::episodes::is_error_code;
use super::evidence::set_in;
use super::messages::Messages;
use super::silence::Silence;
use super::unreadable::Unreadable;
use super::{Anomaly, AnomalyKind, Evidence, Outcome, Parameters, Transaction, TransactionId, transactions};
use crate::connections::{Connection, Connections as All, Ends, Seen};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Senders of errors about one client's queries to one server that are looked at.
const SENDERS_MAX: usize = 8;
/// Linux lets this many ICMP errors to one host through at once (`icmp_ratelimit`, token bucket).
const ERROR_BURST: i64 = 6;

/// Decides the outcomes that are not settled, once answers, errors and connections are known.
pub(super) fn conclude(messages: &Messages<'_>, evidence: &mut Evidence) {
    let silence = Silence::look(messages, evidence);
    let unreadable = Unreadable::look(messages, evidence);
    evidence.one_sided = silence.one_sided;
    if evidence.one_sided && !evidence.transactions.is_empty() {
        let note = "Nothing sent to a host that asks was captured besides queries: silence may be the capture's, so it is undetermined.";
        evidence.limits.push(note.to_owned());
    }
    let parameters = evidence.parameters.clone();
    let asked_over_tcp = asked_over_tcp(messages, evidence);
    let mut transactions = std::mem::take(&mut evidence.transactions);
    let connections = Connections { asked: asked_over_tcp, ..Connections::new(evidence) };
    let shared = &*evidence;
    let blocks = transactions.par_chunks_mut(BLOCK).zip(shared.unsettled.par_chunks(BLOCK / 64)).enumerate();
    let parts = blocks.map(|(block, (transactions, unsettled))| {
        let mut part = Part::default();
        for at in set_in(unsettled, 0) {
            let Some(transaction) = transactions.get_mut(at as usize) else { continue };
            conclude_one((messages, shared), (&connections, &silence, &unreadable), transaction, &mut part);
            let id = (block * BLOCK) as u32 + at;
            match transaction.outcome {
                Outcome::Refused => part.refused.push(id),
                _ if transaction.answer.is_none() && shared.unserved(transaction.last).is_none() => {
                    part.silent.push(id);
                }
                _ => {}
            }
        }
        part
    });
    let parts: Vec<Part> = parts.collect();
    let (mut silent, mut refused) = (Vec::new(), Vec::new());
    for mut part in parts {
        evidence.anomalies.append(&mut part.anomalies);
        silent.append(&mut part.silent);
        refused.append(&mut part.refused);
    }
    rate_limited(messages, &mut transactions, (&silent, &refused), &parameters);
    evidence.transactions = transactions;
    evidence.tried_over_tcp = tried_over_tcp(messages, evidence);
}

/// What failed over UDP and was then tried over TCP in vain: with the last packet of that try (RFC 7766 §5).
fn tried_over_tcp(messages: &Messages<'_>, evidence: &Evidence) -> Vec<(TransactionId, PacketId)> {
    let in_vain = |connection: &&Connection| connection.is_refused() || connection.is_silent();
    let mut tries: Map<(Address, Address), Vec<(Nanos, PacketId)>> = Map::default();
    for connection in evidence.connections.iter().filter(in_vain) {
        let pair = (connection.client.0, connection.server.0);
        tries.entry(pair).or_default().push((connection.first.time_ns, connection.last.packet));
    }
    if tries.is_empty() {
        return Vec::new();
    }
    for all in tries.values_mut() {
        all.sort_unstable();
    }
    let window_ns = evidence.parameters.tcp_retry_window_ns;
    let tried = |at: u32| {
        let id = TransactionId(at);
        let own = evidence
            .transaction(id)
            .filter(|own| matches!(own.outcome, Outcome::Truncated | Outcome::NoAnswer | Outcome::Refused))?;
        let query = messages.index.packet(own.last).filter(|query| query.transport() == UDP)?;
        let all = tries.get(&(query.source_address(), query.destination_address()))?;
        let failed_ns = messages.time_ns(own.answer.or(own.error).unwrap_or(own.last));
        let next = all.partition_point(|(began_ns, _)| *began_ns < failed_ns);
        let within = |(began_ns, _): &&(Nanos, PacketId)| *began_ns <= failed_ns + window_ns;
        all.get(next).filter(within).map(|(_, last)| (id, *last))
    };
    set_in(&evidence.unsettled, 0).filter_map(tried).collect()
}

/// Transactions decided by one thread at a time, a multiple of 64.
const BLOCK: usize = 1 << 15;

/// What is noticed of some transactions while their outcomes are decided.
#[derive(Default)]
struct Part {
    anomalies: Vec<Anomaly>,
    /// Those with neither answer nor error.
    silent: Vec<u32>,
    refused: Vec<u32>,
}

fn conclude_one(
    (messages, evidence): (&Messages<'_>, &Evidence),
    (connections, silence, unreadable): (&Connections, &Silence, &Unreadable),
    transaction: &mut Transaction,
    part: &mut Part,
) {
    let parameters = &evidence.parameters;
    transaction.outcome = if let Some(answer) = transaction.answer {
        if let Some(error) = transaction.error
            && is_about_answered_try(messages, evidence, transaction, error)
        {
            part.anomalies.push(Anomaly {
                kind: AnomalyKind::IcmpAndAnswer,
                packet: error,
                against: Some(answer),
            });
        }
        let rtt_ns = evidence.rtt_ns(transaction);
        part.anomalies.extend(transactions::implausible(
            transaction,
            rtt_ns,
            parameters.implausible_after_ns,
        ));
        answered((messages, evidence), connections, transaction)
    } else if evidence.unserved(transaction.last).is_some() {
        Outcome::Undetermined
    } else if transaction.error.is_some() {
        Outcome::Refused
    } else {
        let over_tcp = connections.ending((messages, evidence), transaction.last);
        over_tcp.unwrap_or_else(|| match unreadable.answer((messages, evidence), transaction) {
            Some(_) => Outcome::Unreadable,
            None => silence.outcome(messages, evidence, transaction),
        })
    };
}

/// The connections to DNS ports by who made them.
#[derive(Default)]
struct Connections<'e> {
    /// When each pair of hosts opened connections that came about, in order.
    opened: Map<(Address, Address), Vec<Nanos>>,
    /// When each pair of hosts tried a connection that was refused, by a reset or an ICMP error, in order.
    refused: Map<(Address, Address), Vec<Nanos>>,
    /// When each pair of hosts asked a question over TCP, on whatever connection, in order.
    asked: AskedOverTcp,
    /// All.
    all: Option<&'e All>,
}

/// Client, server and question, with the times it was asked over TCP.
type AskedOverTcp = Map<(Address, Address, u64), Vec<Nanos>>;

/// Questions asked over TCP; only where some answer was cut, since nothing else is compared with them.
fn asked_over_tcp(messages: &Messages<'_>, evidence: &Evidence) -> AskedOverTcp {
    let mut asked = AskedOverTcp::default();
    if !evidence.transactions.iter().any(|own| own.outcome == Outcome::Truncated) {
        return asked;
    }
    for segment in messages.index.segments() {
        let over_tcp = segment.dns.iter().filter(|row| {
            let place = (row.packet.0 - segment.base.0) as usize;
            !row.is_response() && segment.transport.get(place) == Some(&TCP)
        });
        for packet in over_tcp.map(|row| (row.question, messages.index.packet(row.packet))) {
            let (question, Some(packet)) = packet else { continue };
            let key = (packet.source_address(), packet.destination_address(), question);
            asked.entry(key).or_default().push(packet.time_ns());
        }
    }
    for times in asked.values_mut() {
        times.sort_unstable();
    }
    asked
}

const TCP: u8 = 6;
const UDP: u8 = 17;

impl<'e> Connections<'e> {
    fn new(evidence: &'e Evidence) -> Self {
        let mut found = Self { all: Some(&evidence.connections), ..Self::default() };
        for connection in &evidence.connections {
            let pair = (connection.client.0, connection.server.0);
            let rejected =
                || connection.is_silent() && evidence.errors_about(connection.first.packet).next().is_some();
            if connection.is_refused() || rejected() {
                found.refused.entry(pair).or_default().push(connection.first.time_ns);
            } else if !connection.is_silent() {
                found.opened.entry(pair).or_default().push(connection.first.time_ns);
            }
        }
        for times in found.opened.values_mut().chain(found.refused.values_mut()) {
            times.sort_unstable();
        }
        found
    }

    /// How the connection that carries a query without an answer ended for it; `None` where it did not, or over UDP.
    fn ending(&self, (messages, evidence): (&Messages<'_>, &Evidence), query: PacketId) -> Option<Outcome> {
        let query = messages.index.packet(query).filter(|query| query.transport() == 6)?;
        let connection = self.all?.of(&query)?;
        let request = Seen { packet: query.id, time_ns: query.time_ns() };
        let spoke = connection.speaks_after(request);
        let answer_is_cut = || {
            let last = connection.from_server.last.and_then(|last| messages.index.packet(last.packet));
            spoke && last.is_some_and(|last| last.original() > last.captured())
        };
        let is_mute = |until_ns: Nanos, least_ns: Nanos| {
            let known = connection.is_opened_here() || connection.from_server.first.is_some();
            known && !spoke && connection.is_acknowledged() && until_ns >= least_ns
        };
        let parameters = &evidence.parameters;
        match connection.ends_for(request) {
            Some(Ends::Closed(_)) if answer_is_cut() => Some(Outcome::Undetermined),
            Some(Ends::Closed(_)) => Some(Outcome::Closed),
            Some(Ends::Reset(_)) if connection.is_refused() => Some(Outcome::RefusedByReset),
            Some(Ends::Reset(_)) => Some(Outcome::TcpReset),
            Some(Ends::ResetMidway(_)) => Some(Outcome::ResetMidway),
            Some(Ends::GivenUp(at))
                if is_mute(messages.time_ns(at) - request.time_ns, parameters.mute_after_ns) =>
            {
                Some(Outcome::Mute)
            }
            Some(Ends::GivenUp(_)) => connection.from_client.reset.map(|_| Outcome::TcpReset),
            None if is_mute(evidence.watched_after(request.time_ns), parameters.mute_watch_ns) => {
                Some(Outcome::Mute)
            }
            None => None,
        }
    }

    /// Whether the client opened a connection to the server within `window_ns` after an answer, and the server accepted it.
    /// A connection that stood open serves as well: what tells is the same question on it, with whatever id (RFC 7766 §6.2.1).
    fn follows(&self, messages: &Messages<'_>, answer: PacketId, window_ns: Nanos) -> bool {
        let asked_again = || {
            let packet = messages.index.packet(answer)?;
            let key = (packet.destination_address(), packet.source_address(), packet.dns()?.question);
            let times = self.asked.get(&key)?;
            let next = times.partition_point(|time_ns| *time_ns < packet.time_ns());
            times.get(next).filter(|time_ns| **time_ns <= packet.time_ns() + window_ns)
        };
        after(&self.opened, messages, answer, window_ns) || asked_again().is_some()
    }

    /// Whether it tried and was refused.
    fn is_refused_after(&self, messages: &Messages<'_>, answer: PacketId, window_ns: Nanos) -> bool {
        after(&self.refused, messages, answer, window_ns)
    }
}

/// Whether one of these connections was begun by the receiver of an answer within `window_ns` after it.
fn after(
    connections: &Map<(Address, Address), Vec<Nanos>>,
    messages: &Messages<'_>,
    answer: PacketId,
    window_ns: Nanos,
) -> bool {
    let Some(answer) = messages.index.packet(answer) else { return false };
    let pair = (answer.destination_address(), answer.source_address());
    let times = connections.get(&pair).map(Vec::as_slice).unwrap_or_default();
    let next = times.partition_point(|time_ns| *time_ns < answer.time_ns());
    times.get(next).is_some_and(|time_ns| *time_ns <= answer.time_ns() + window_ns)
}

/// Whether an error is about the very try that was answered; an error about an earlier try contradicts nothing.
fn is_about_answered_try(
    messages: &Messages<'_>,
    evidence: &Evidence,
    transaction: &Transaction,
    error: PacketId,
) -> bool {
    let asked_ns = messages.time_ns(transaction.last);
    transaction.tries == 1
        || evidence
            .links_from(error)
            .iter()
            .any(|link| link.to.is_some_and(|query| messages.time_ns(query) == asked_ns))
}

/// How an answered transaction ended: truncated answers count only with the TCP retry RFC 7766 §5 asks for.
fn answered(
    (messages, evidence): (&Messages<'_>, &Evidence),
    connections: &Connections<'_>,
    transaction: &Transaction,
) -> Outcome {
    let parameters = &evidence.parameters;
    if let (Outcome::Truncated, Some(answer)) = (transaction.outcome, transaction.answer)
        && !connections.follows(messages, answer, parameters.tcp_retry_window_ns)
    {
        let window_ns = parameters.tcp_retry_window_ns;
        let seen = connections.is_refused_after(messages, answer, window_ns)
            || evidence.watched_after(messages.time_ns(answer)) >= window_ns;
        return if seen { Outcome::Truncated } else { Outcome::Undetermined };
    }
    // What says that it failed fails by what it says, however long that took.
    let late =
        evidence.rtt_ns(transaction) > parameters.late_after_ns && !is_error_code(transaction.response_code);
    if late { Outcome::Late } else { Outcome::Answered }
}

/// An error's time, type and code, and packet.
type ErrorSeen = (Nanos, (u8, u8), PacketId);

/// A server, its port and the IP protocol it is asked over.
type Asked = (Address, u16, u8);

/// Explains silence between errors of the same server by its rate limit (RFC 1812 §4.3.2.8; RFC 4443 §2.4f).
fn rate_limited(
    messages: &Messages<'_>,
    transactions: &mut [Transaction],
    (silent, refused): (&[u32], &[u32]),
    parameters: &Parameters,
) {
    let ends = |transaction: &Transaction| {
        let packet = messages.index.packet(transaction.last)?;
        // What is refused over UDP may well be served over TCP.
        let service = (packet.destination_address(), packet.destination_port(), packet.transport());
        Some(((packet.source_address(), service), packet.time_ns()))
    };
    // One sender limits its errors to one receiver, whatever server they are about.
    let mut errors: Map<(Address, Address), Vec<ErrorSeen>> = Map::default();
    let mut senders: Map<(Address, Asked), Vec<Address>> = Map::default();
    let told = refused.par_iter().filter_map(|at| {
        let transaction = transactions.get(*at as usize)?;
        let ((pair, _), error) = (ends(transaction)?, transaction.error?);
        let packet = messages.index.packet(error)?;
        Some((pair, packet.source_address(), (packet.time_ns(), transaction.icmp, error)))
    });
    for (pair, sender, seen) in told.collect::<Vec<_>>() {
        let all = senders.entry(pair).or_default();
        if !all.contains(&sender) && all.len() < SENDERS_MAX {
            all.push(sender);
        }
        errors.entry((pair.0, sender)).or_default().push(seen);
    }
    for times in errors.values_mut() {
        times.sort_unstable();
    }
    let covered = silent.par_iter().filter_map(|at| {
        let (pair, query_ns) = ends(transactions.get(*at as usize)?)?;
        let icmp = senders.get(&pair)?.iter().find_map(|sender| {
            let times = errors.get(&(pair.0, *sender))?;
            let next = times.partition_point(|(time_ns, ..)| *time_ns <= query_ns);
            let (before_ns, icmp, _) = next.checked_sub(1).and_then(|at| times.get(at))?;
            let first_ns = times.first().map_or(0, |(time_ns, ..)| *time_ns);
            let allowed = ERROR_BURST + 1 + (query_ns - first_ns) / 1_000_000_000;
            let soon = query_ns - before_ns <= parameters.rate_limit_gap_ns;
            (soon && next as i64 <= allowed).then_some(*icmp)
        });
        Some((*at, icmp?))
    });
    for (at, icmp) in covered.collect::<Vec<_>>() {
        let Some(transaction) = transactions.get_mut(at as usize) else { continue };
        transaction.outcome = Outcome::CoveredByRateLimit;
        transaction.icmp = icmp;
    }
}
