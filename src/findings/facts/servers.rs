//! DNS by server asked: how its queries ended, when, for whom.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::Facts;
use crate::correlate::{Outcome, Transaction};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// A server as asked: address, port, IP protocol.
pub type ServerKey = (Address, u16, u8);

/// Distinct clients remembered per server.
const CLIENTS_MAX: usize = 65_536;
/// Round trips kept per server for the median.
const TRIPS_MAX: usize = 4_096;
/// Answers remembered per server, to see whether it answered during a failure.
const ANSWERS_MAX: usize = 500_000;

/// The same name answered by another server this soon after a failed try is a failover.
pub const FAILOVER_NS: Nanos = 10_000_000_000;
/// Failed questions whose answers elsewhere are looked for.
const FAILED_MAX: usize = 200_000;

/// Answers by client and question hash.
pub type Answered = HashMap<(Address, u64), Vec<AnswerElsewhere>>;

/// An answer to a question that failed at some server.
#[derive(Clone, Copy, Debug)]
pub struct AnswerElsewhere {
    /// Who answered.
    pub server: Address,
    /// The response.
    pub packet: PacketId,
    /// When it came.
    pub time_ns: Nanos,
}

/// Collects the usable answers to every question that failed at least once.
pub(super) fn answered(facts: &Facts<'_>) -> Answered {
    let mut table = Answered::new();
    let question = |transaction: &Transaction| {
        let (client, key) = key_of(facts, transaction)?;
        let hash = facts.index.packet(transaction.first)?.dns()?.question;
        Some(((client, hash), key.0))
    };
    let failed = |transaction: &&Transaction| {
        transaction.outcome.is_failure() || (transaction.answer.is_some() && transaction.response_code > 0)
    };
    for transaction in facts.evidence.transactions.iter().filter(failed).take(FAILED_MAX) {
        if let Some((key, _)) = question(transaction) {
            table.entry(key).or_default();
        }
    }
    if table.is_empty() {
        return table;
    }
    for transaction in &facts.evidence.transactions {
        let Some(packet) = transaction.answer.filter(|_| transaction.response_code == 0) else { continue };
        let Some((key, server)) = question(transaction) else { continue };
        if let Some(answers) = table.get_mut(&key) {
            answers.push(AnswerElsewhere { server, packet, time_ns: facts.time(packet) });
        }
    }
    table
}

/// One answered query.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// When the response came.
    pub time_ns: Nanos,
    /// The response.
    pub packet: PacketId,
    /// Who had asked.
    pub client: Address,
    /// RCODE with its extended bits.
    pub response_code: u16,
    /// Response minus the last try.
    pub trip_ns: Nanos,
}

/// What is known of one server.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Transactions.
    pub queries: u64,
    /// Those that ended in each outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Answers in order of the queries.
    pub answers: Vec<Answer>,
    /// Distinct clients.
    pub clients: BTreeSet<Address>,
    /// Round trips of answers, sorted when gathering is done.
    pub trips_ns: Vec<Nanos>,
}

impl Server {
    /// The middle round trip, where there is one.
    pub fn median_trip_ns(&self) -> Option<Nanos> {
        self.trips_ns.get(self.trips_ns.len() / 2).copied()
    }

    /// Answers that arrived within a time span.
    pub fn answers_in(&self, from_ns: Nanos, to_ns: Nanos) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(move |answer| (from_ns..=to_ns).contains(&answer.time_ns))
    }
}

/// The addresses and ports of a transaction's first query.
pub fn key_of(facts: &Facts<'_>, transaction: &Transaction) -> Option<(Address, ServerKey)> {
    let packet = facts.index.packet(transaction.first)?;
    let key = (packet.destination_address(), packet.destination_port(), packet.transport());
    Some((packet.source_address(), key))
}

/// Tallies all transactions.
pub(super) fn tally(facts: &mut Facts<'_>) -> BTreeMap<ServerKey, Server> {
    let mut servers: BTreeMap<ServerKey, Server> = BTreeMap::new();
    let mut left_out = 0u64;
    for transaction in &facts.evidence.transactions {
        let Some((client, key)) = key_of(facts, transaction) else { continue };
        let server = servers.entry(key).or_default();
        server.queries += 1;
        *server.outcomes.entry(transaction.outcome).or_default() += 1;
        if server.clients.len() < CLIENTS_MAX {
            server.clients.insert(client);
        }
        let Some(answer) = transaction.answer else { continue };
        if server.trips_ns.len() < TRIPS_MAX && transaction.tries == 1 {
            server.trips_ns.push(transaction.rtt_ns);
        }
        if server.answers.len() >= ANSWERS_MAX {
            left_out += 1;
            continue;
        }
        server.answers.push(Answer {
            time_ns: facts.time(answer),
            packet: answer,
            client,
            response_code: transaction.response_code,
            trip_ns: transaction.rtt_ns,
        });
    }
    for server in servers.values_mut() {
        server.trips_ns.sort_unstable();
    }
    if left_out > 0 {
        facts
            .notes
            .push(format!("{left_out} answers beyond {ANSWERS_MAX} per server were counted but not kept"));
    }
    servers
}
