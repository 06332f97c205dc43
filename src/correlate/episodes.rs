//! Groups failed transactions into episodes: one client, server, name and signature, close in time.
//!
//! Only failures are looked at closely. Of the answered transactions, those matter that end an episode: the first
//! of a client and server after a failure, and those for a name that failed.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::messages::{Messages, NONE, Position};
use super::numbers::{Ends, Numbers};
use super::{Episode, Evidence, Outcome, Signature, Transaction, TransactionId, problems};
use crate::decode::{Address, dns};
use crate::index::PacketId;
use crate::index::segment::question_hash;
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;
type Set<K> = HashSet<K, foldhash::fast::FixedState>;

/// Transactions filtered by one thread at a time.
const BLOCK: usize = 1 << 14;
/// Shares of all messages in which answers are looked for: few, because each begins not knowing who had failed.
const SHARES: u32 = 8;

/// Response codes that say the server could not or would not answer (RFC 1035 §4.1.1, RFC 6895 §2.3):
/// format error, server failure, not implemented, refused; extended ones from BADVERS on. A name that does not
/// exist is an answer.
pub fn is_error_code(code: u16) -> bool {
    matches!(code, 1 | 2 | 4 | 5 | 9 | 16..)
}

/// What a failed transaction has in common with others, or `None` when it did not fail.
pub(super) fn signature(v6: bool, transaction: &Transaction) -> Option<Signature> {
    Some(match transaction.outcome {
        Outcome::Answered if is_error_code(transaction.response_code) || transaction.name_lost => {
            Signature::ResponseCode(transaction.response_code)
        }
        Outcome::Answered | Outcome::Undetermined => return None,
        Outcome::Late => Signature::Late,
        Outcome::Refused | Outcome::CoveredByRateLimit => {
            Signature::Icmp { v6, kind: transaction.icmp.0, code: transaction.icmp.1 }
        }
        Outcome::NoAnswer => Signature::NoAnswer,
        Outcome::TcpReset => Signature::TcpReset,
        Outcome::Truncated => Signature::Truncated,
    })
}

/// Pairs of numbered clients and servers kept in a plain table.
const DENSE_MAX: usize = 1 << 22;
const UDP: u8 = 17;

/// A failed transaction.
struct Failure {
    id: u32,
    client: Address,
    server: Address,
    port: u16,
    transport: u8,
    name: u64,
    signature: Signature,
    first_ns: Nanos,
    /// Its last try, error or answer.
    last_ns: Nanos,
}

/// Which client asked which server for which name, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    pair: u32,
    name: u32,
    port: u16,
}

/// An answered transaction that may end episodes.
struct Success {
    id: u32,
    /// Its name is [`NONE`] where the name never failed for this client and server.
    key: Key,
}

fn read(messages: &Messages<'_>, evidence: &Evidence, id: u32) -> Option<Failure> {
    let transaction = evidence.transaction(TransactionId(id))?;
    let packet = messages.index.packet(transaction.first)?;
    let row = packet.dns()?;
    let client = packet.source_address();
    let mut last_ns = packet.time_ns();
    for frame in frames(evidence, TransactionId(id), transaction) {
        last_ns = last_ns.max(messages.time_ns(frame));
    }
    Some(Failure {
        id,
        client,
        server: packet.destination_address(),
        port: packet.destination_port(),
        transport: packet.transport(),
        name: question_hash(packet.segment.names.get(row.name).unwrap_or_default(), 0, 0, 0),
        signature: signature(client.is_v6(), transaction)?,
        first_ns: packet.time_ns(),
        last_ns,
    })
}

/// The tries of a failed transaction, the errors about them, and its answer.
fn frames(evidence: &Evidence, id: TransactionId, transaction: &Transaction) -> Vec<PacketId> {
    let mut frames = evidence.tries(id);
    let errors: Vec<PacketId> = frames.iter().flat_map(|query| evidence.errors_about(*query)).collect();
    frames.extend(errors);
    frames.extend(transaction.answer);
    frames
}

/// All numbers given to hosts, pairs of hosts, and names that failed.
struct Numbered {
    hosts: Numbers,
    /// Places of pairs in `dense` have this many servers for each client.
    servers: u32,
    /// By client, server and transport: a server that refuses UDP does not recover by answering over TCP.
    pairs: Map<(u32, u32, u8), u32>,
    /// The pairs over UDP again by client and server, where they are few enough.
    dense: Vec<u32>,
    keys: Set<Key>,
    /// By segment, the number of each name.
    names: Vec<Vec<u32>>,
}

impl Numbered {
    /// Numbers what failed; gives each failure's key.
    fn new(messages: &Messages<'_>, failures: &[Failure]) -> (Self, Vec<Key>) {
        let mut hosts = Numbers::default();
        let mut pairs = Map::default();
        let mut by_hash: Map<u64, u32> = Map::default();
        let mut of_failure = Vec::with_capacity(failures.len());
        for failure in failures {
            let ends = (hosts.client(failure.client), hosts.server(failure.server));
            let next = pairs.len() as u32;
            let pair = *pairs.entry((ends.0, ends.1, failure.transport)).or_insert(next);
            let next = by_hash.len() as u32;
            let name = *by_hash.entry(failure.name).or_insert(next);
            of_failure.push(Key { pair, name, port: failure.port });
        }
        hosts.read(messages.index);
        let number = |name: &[u8]| by_hash.get(&question_hash(name, 0, 0, 0)).copied().unwrap_or(NONE);
        let names = messages.index.segments().par_iter().map(|segment| {
            let names = 0..segment.names.len() as u32;
            names.map(|at| segment.names.get(at).map_or(NONE, number)).collect()
        });
        let names = names.collect();
        let keys = of_failure.iter().copied().collect();
        let (clients, servers) = hosts.counts();
        let mut dense = Vec::new();
        if clients * servers <= DENSE_MAX {
            dense.resize(clients * servers, NONE);
            for ((client, server, _), pair) in pairs.iter().filter(|((.., transport), _)| *transport == UDP) {
                if let Some(slot) = dense.get_mut(*client as usize * servers + *server as usize) {
                    *slot = *pair;
                }
            }
        }
        (Self { hosts, servers: servers as u32, pairs, dense, keys, names }, of_failure)
    }

    fn pair(&self, ends: Ends) -> Option<u32> {
        if ends.transport == UDP && !self.dense.is_empty() {
            let at = ends.client as usize * self.servers as usize + ends.server as usize;
            return self.dense.get(at).copied().filter(|pair| *pair != NONE);
        }
        self.pairs.get(&(ends.client, ends.server, ends.transport)).copied()
    }

    /// The answered transactions among some messages that may end an episode.
    fn successes(
        &self,
        messages: &Messages<'_>,
        evidence: &Evidence,
        range: std::ops::Range<Position>,
    ) -> Vec<Success> {
        let mut found = Vec::new();
        // Pairs whose next answer ends all their episodes.
        let mut waiting = vec![true; self.pairs.len()];
        for (position, (_, row)) in range.clone().zip(messages.rows(range)) {
            let Some(id) = evidence.first_at(messages.ordinal(position)) else { continue };
            let Some(transaction) = evidence.transaction(id) else { continue };
            let Some((at, ends)) = self.hosts.ends(messages.index, row.packet) else { continue };
            let Some(pair) = self.pair(ends) else { continue };
            let Some(waits) = waiting.get_mut(pair as usize) else { continue };
            if signature(false, transaction).is_some() {
                *waits = true;
                continue;
            }
            if transaction.answer.is_none() || transaction.outcome != Outcome::Answered {
                continue;
            }
            let name = self.names.get(at).and_then(|names| names.get(row.name as usize));
            let mut key = Key { pair, name: name.copied().unwrap_or(NONE), port: ends.port };
            if key.name != NONE && !self.keys.contains(&key) {
                key.name = NONE;
            }
            if *waits || key.name != NONE {
                found.push(Success { id: id.0, key });
            }
            *waits = false;
        }
        found
    }
}

/// An episode under construction.
struct Draft {
    /// Its first failure.
    failure: u32,
    transactions: Vec<TransactionId>,
    last_ns: Nanos,
    recovery: Option<PacketId>,
}

/// Episodes under construction.
#[derive(Default)]
struct Grouping {
    drafts: Vec<Draft>,
    /// The open episode of each key and signature.
    open: Map<(Key, Signature), u32>,
    /// The signatures of open episodes of each key.
    by_key: Map<Key, Vec<Signature>>,
    /// By pair, the episodes that wait for the first answer after them.
    unrecovered: Vec<Vec<u32>>,
}

/// Makes the episodes and problems.
pub(super) fn group(messages: &Messages<'_>, evidence: &mut Evidence) {
    let shared = &*evidence;
    let failures: Vec<Failure> = shared
        .transactions
        .par_chunks(BLOCK)
        .enumerate()
        .flat_map_iter(|(block, transactions)| {
            let failed = transactions.iter().enumerate().filter(|(_, t)| signature(false, t).is_some());
            let ids: Vec<u32> = failed.map(|(at, _)| (block * BLOCK + at) as u32).collect();
            ids.into_iter().filter_map(|id| read(messages, shared, id))
        })
        .collect();
    if failures.is_empty() {
        return;
    }
    let (numbered, keys) = Numbered::new(messages, &failures);
    let share = messages.len().div_ceil(SHARES).max(1);
    let successes: Vec<Success> = (0..SHARES)
        .into_par_iter()
        .flat_map_iter(|at| {
            let range = at.saturating_mul(share)..(at + 1).saturating_mul(share).min(messages.len());
            if range.is_empty() { Vec::new() } else { numbered.successes(messages, shared, range) }
        })
        .collect();
    let mut grouping =
        Grouping { unrecovered: vec![Vec::new(); numbered.pairs.len()], ..Grouping::default() };
    let mut successes = successes.iter().peekable();
    for (at, (failure, key)) in failures.iter().zip(&keys).enumerate() {
        while let Some(success) = successes.next_if(|success| success.id < failure.id) {
            grouping.success(shared, success);
        }
        grouping.failure((at as u32, failure), *key, shared.parameters.episode_gap_ns);
    }
    for success in successes {
        grouping.success(shared, success);
    }
    let Numbered { hosts, .. } = numbered;
    let Grouping { drafts, .. } = grouping;
    let episodes: Vec<Episode> = drafts
        .into_par_iter()
        .filter_map(|draft| Some(finish(messages, shared, failures.get(draft.failure as usize)?, draft)))
        .collect();
    evidence.problems = problems::find(messages, shared, &episodes, &hosts);
    evidence.episodes = episodes;
}

impl Grouping {
    fn failure(&mut self, (at, failure): (u32, &Failure), key: Key, gap_ns: Nanos) {
        let slot = (key, failure.signature.clone());
        let known = self.open.get(&slot).copied().filter(|known| {
            let last_ns = self.drafts.get(*known as usize).map(|draft| draft.last_ns);
            last_ns.is_some_and(|last_ns| failure.first_ns - last_ns <= gap_ns)
        });
        let position = known.unwrap_or_else(|| {
            let position = self.drafts.len() as u32;
            let last_ns = failure.first_ns;
            self.drafts.push(Draft { failure: at, transactions: Vec::new(), last_ns, recovery: None });
            if self.open.insert(slot, position).is_none() {
                self.by_key.entry(key).or_default().push(failure.signature.clone());
            }
            position
        });
        let Some(draft) = self.drafts.get_mut(position as usize) else { return };
        draft.transactions.push(TransactionId(failure.id));
        draft.last_ns = draft.last_ns.max(failure.last_ns);
        let Some(unrecovered) = self.unrecovered.get_mut(key.pair as usize) else { return };
        if draft.recovery.take().is_some() || unrecovered.last() != Some(&position) {
            unrecovered.push(position);
        }
    }

    /// An answer of the server to the client ends its episodes of the same name and recovers those of all names.
    fn success(&mut self, evidence: &Evidence, success: &Success) {
        let answer = evidence.transaction(TransactionId(success.id)).and_then(|success| success.answer);
        for signature in self.by_key.remove(&success.key).into_iter().flatten() {
            self.open.remove(&(success.key, signature));
        }
        for at in
            self.unrecovered.get_mut(success.key.pair as usize).into_iter().flat_map(|all| all.drain(..))
        {
            if let Some(draft) = self.drafts.get_mut(at as usize) {
                draft.recovery = draft.recovery.or(answer);
            }
        }
    }
}

/// An episode with all its frames.
fn finish(messages: &Messages<'_>, evidence: &Evidence, failure: &Failure, draft: Draft) -> Episode {
    let first = evidence.transaction(TransactionId(failure.id)).map(|first| first.first);
    let packet = first.and_then(|first| messages.index.packet(first));
    let name = packet.and_then(|packet| packet.segment.names.get(packet.dns()?.name)).unwrap_or_default();
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for id in &draft.transactions {
        let Some(transaction) = evidence.transaction(*id) else { continue };
        all.extend(frames(evidence, *id, transaction));
        errors.extend(evidence.tries(*id).into_iter().flat_map(|query| evidence.errors_about(query)));
    }
    for frames in [&mut all, &mut errors] {
        frames.sort_unstable();
        frames.dedup();
        frames.shrink_to_fit();
    }
    Episode {
        client: failure.client,
        server: (failure.server, failure.port),
        transport: failure.transport,
        name: dns::presentation(name),
        signature: failure.signature.clone(),
        transactions: draft.transactions,
        frames: all,
        errors,
        first_ns: failure.first_ns,
        last_ns: draft.last_ns,
        recovery: draft.recovery,
        consequences: Vec::new(),
    }
}
