//! DNS by server asked: how its queries ended, when, for whom.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};

use super::{Facts, asked};
use crate::correlate::attempts::is_referral;
use crate::correlate::{Outcome, Transaction};
use crate::decode::Address;
use crate::findings::Input;
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
pub(super) fn answered(input: &Input<'_>) -> Answered {
    let mut table = Answered::new();
    let failed = |transaction: &Transaction| {
        transaction.outcome.is_failure() || (transaction.answer.is_some() && transaction.response_code > 0)
    };
    for asked in asked::all(input).filter(|asked| failed(asked.transaction)).take(FAILED_MAX) {
        table.entry((asked.client, asked.row.question)).or_default();
    }
    if table.is_empty() {
        return table;
    }
    for asked in asked::all(input).filter(|asked| asked.transaction.response_code == 0) {
        let Some(packet) = asked.transaction.answer.filter(|_| !is_referral(input.index, asked.transaction))
        else {
            continue;
        };
        if let Some(answers) = table.get_mut(&(asked.client, asked.row.question)) {
            answers.push(AnswerElsewhere { server: asked.server.0, packet, time_ns: asked.ended_ns() });
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
    /// Those that were answered only after they had been sent again, and fewer times than they were sent.
    pub repeated: u64,
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
        crate::time::median(&self.trips_ns)
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

/// What the tally of all lookups gives.
#[derive(Default)]
pub(super) struct Tally {
    /// By server.
    pub servers: BTreeMap<ServerKey, Server>,
    /// The first answer of each server to each client.
    pub served: Served,
    /// Limits that were reached.
    pub notes: Vec<String>,
}

/// The first answer of each server to a client, in order of the servers.
pub type Served = HashMap<Address, BTreeMap<Address, PacketId>>;
/// Clients whose servers are remembered.
const SERVED_MAX: usize = 65_536;

/// Tallies all transactions.
pub(super) fn tally(input: &Input<'_>) -> Tally {
    let mut places: HashMap<ServerKey, usize> = HashMap::new();
    let mut servers: Vec<(ServerKey, Server, HashSet<Address>)> = Vec::new();
    let mut tally = Tally::default();
    let mut left_out = 0u64;
    for asked in asked::all(input) {
        let at = *places.entry(asked.server).or_insert_with(|| {
            servers.push((asked.server, Server::default(), HashSet::new()));
            servers.len() - 1
        });
        let Some((_, server, clients)) = servers.get_mut(at) else { continue };
        let transaction = asked.transaction;
        server.queries += 1;
        *server.outcomes.entry(transaction.outcome).or_default() += 1;
        let is_new = !clients.contains(&asked.client);
        if is_new && clients.len() < CLIENTS_MAX {
            clients.insert(asked.client);
        }
        let Some(packet) = transaction.answer else { continue };
        let again = || input.evidence.transaction_of(transaction.first);
        let once = |id| !input.evidence.is_each_try_answered(id);
        server.repeated += u64::from(transaction.tries > 1 && again().is_some_and(once));
        if server.trips_ns.len() < TRIPS_MAX && transaction.tries == 1 {
            server.trips_ns.push(transaction.waited_ns);
        }
        if server.answers.len() >= ANSWERS_MAX {
            left_out += 1;
            continue;
        }
        server.answers.push(Answer {
            time_ns: asked.ended_ns(),
            packet,
            client: asked.client,
            response_code: transaction.response_code,
            trip_ns: input.evidence.rtt_ns(transaction),
        });
    }
    for (key, mut server, clients) in servers {
        server.trips_ns.sort_unstable();
        server.clients = clients.into_iter().collect();
        for answer in &server.answers {
            if tally.served.len() < SERVED_MAX || tally.served.contains_key(&answer.client) {
                tally.served.entry(answer.client).or_default().entry(key.0).or_insert(answer.packet);
            }
        }
        tally.servers.insert(key, server);
    }
    if left_out > 0 {
        tally
            .notes
            .push(format!("{left_out} answers beyond {ANSWERS_MAX} per server were counted but not kept"));
    }
    tally
}
