//! Groups failed transactions into episodes: one client, server, name and signature, close in time.
//!
//! Only failures are looked at closely. Of the answered transactions, those matter that end an episode: the first
//! of a client and server after a failure, and those for a name that failed.

use std::collections::HashMap;

use rayon::prelude::*;

use super::dictionary::Dictionary;
use super::evidence::first_of;
use super::messages::{Messages, NONE, Position, Run};
use super::numbers::{Ends, Numbers};
use super::{Episode, Evidence, Outcome, Signature, Transaction, TransactionId, problems};
use crate::decode::{Address, dns};
use crate::index::PacketId;
use crate::index::names::{Names, name_hash};
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

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
/// Bits for each key in the table that sorts other keys out, and all bits at most (they fit the second cache).
const KEY_BITS: usize = 16;
const KEY_BITS_MAX: usize = 1 << 21;
/// Stands for the hash of the name where there is none.
const NAMELESS: u64 = 0;

/// A failed transaction.
struct Failure {
    id: u32,
    /// The place of its segment, and where client and server stand in the segment's dictionary.
    at: u32,
    ends: (u32, u32),
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
    answer: PacketId,
    /// Its name is [`NONE`] where the name never failed for this client and server.
    key: Key,
}

fn read(messages: &Messages<'_>, evidence: &Evidence, id: u32) -> Option<Failure> {
    let transaction = evidence.transaction(TransactionId(id))?;
    let packet = messages.index.packet(transaction.first)?;
    let row = packet.dns()?;
    let client = packet.source_address();
    let position = |column: &[u32]| column.get(packet.row).copied();
    let mut last_ns = packet.time_ns();
    each_frame(evidence, TransactionId(id), transaction, |frame, _| {
        last_ns = last_ns.max(messages.time_ns(frame));
    });
    Some(Failure {
        id,
        at: messages.index.segment_of(transaction.first)? as u32,
        ends: (position(&packet.segment.source_address)?, position(&packet.segment.destination_address)?),
        client,
        server: packet.destination_address(),
        port: packet.destination_port(),
        transport: packet.transport(),
        name: packet.segment.names.get(row.name).map_or(NAMELESS, name_hash),
        signature: signature(client.is_v6(), transaction)?,
        first_ns: packet.time_ns(),
        last_ns,
    })
}

/// What a frame of a failed transaction is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Message,
    Error,
}

/// The tries of a failed transaction, the errors about them, and its answer.
fn each_frame(
    evidence: &Evidence,
    id: TransactionId,
    transaction: &Transaction,
    mut visit: impl FnMut(PacketId, Frame),
) {
    for query in evidence.tries_of(id) {
        visit(query, Frame::Message);
        evidence.errors_about(query).for_each(|error| visit(error, Frame::Error));
    }
    if let Some(answer) = transaction.answer {
        visit(answer, Frame::Message);
    }
}

/// All numbers given to hosts, pairs of hosts, and names that failed.
struct Numbered<'d> {
    hosts: Numbers<'d>,
    /// Places of pairs in `dense` have this many servers for each client.
    servers: u32,
    /// By client, server and transport: a server that refuses UDP does not recover by answering over TCP.
    pairs: Map<(u32, u32, u8), u32>,
    /// The pairs over UDP again by client and server, where they are few enough, and a bit for each place that has one.
    dense: Vec<u32>,
    dense_bits: Vec<u64>,
    keys: Keys,
}

impl<'d> Numbered<'d> {
    /// Numbers what failed; gives each failure's key.
    fn new(messages: &Messages<'_>, dictionary: &'d Dictionary, failures: &[Failure]) -> (Self, Vec<Key>) {
        let mut hosts = Numbers::new(dictionary);
        let mut pairs = Map::default();
        let mut keys = Keys::new(failures.len());
        let mut of_failure = Vec::with_capacity(failures.len());
        for failure in failures {
            let ends = hosts.number(failure.at as usize, failure.ends);
            let next = pairs.len() as u32;
            let pair = *pairs.entry((ends.0, ends.1, failure.transport)).or_insert(next);
            of_failure.push(keys.add(pair, failure.port, failure.name));
        }
        hosts.read(messages.index.segments().len());
        let (clients, servers) = hosts.counts();
        let (mut dense, mut dense_bits) = (Vec::new(), Vec::new());
        if clients * servers <= DENSE_MAX {
            dense.resize(clients * servers, NONE);
            dense_bits.resize((clients * servers).div_ceil(64), 0u64);
            for ((client, server, _), pair) in pairs.iter().filter(|((.., transport), _)| *transport == UDP) {
                let at = *client as usize * servers + *server as usize;
                if let (Some(slot), Some(bits)) = (dense.get_mut(at), dense_bits.get_mut(at / 64)) {
                    *slot = *pair;
                    *bits |= 1 << (at % 64);
                }
            }
        }
        (Self { hosts, servers: servers as u32, pairs, dense, dense_bits, keys }, of_failure)
    }

    fn pair(&self, ends: Ends) -> Option<u32> {
        if ends.transport == UDP && !self.dense.is_empty() {
            let at = ends.client as usize * self.servers as usize + ends.server as usize;
            self.dense_bits.get(at / 64).filter(|bits| **bits >> (at % 64) & 1 != 0)?;
            return self.dense.get(at).copied();
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
        // Pairs and keys whose next answer ends episodes.
        let mut waiting = vec![true; self.pairs.len()];
        let mut keys_waiting = vec![true; self.keys.all.len()];
        for Run { at, segment, rows, ordinal, .. } in messages.runs(range) {
            for (row, tag) in rows.iter().zip(evidence.tags_from(ordinal)) {
                let Some(id) = first_of(*tag) else { continue };
                let Some(ends) = self.hosts.ends((at, segment), row.packet) else { continue };
                let Some(pair) = self.pair(ends) else { continue };
                let Some(waits) = waiting.get_mut(pair as usize) else { continue };
                let Some(transaction) = evidence.transaction(id) else { continue };
                let failed = signature(false, transaction).is_some();
                let answer = transaction.answer.filter(|_| transaction.outcome == Outcome::Answered);
                if !failed && answer.is_none() {
                    continue;
                }
                let known = self.keys.find((pair, ends.port), &segment.names, row.name);
                let key_waits = known.and_then(|(_, number)| keys_waiting.get_mut(number as usize));
                let key_waits = key_waits.map(|waits| std::mem::replace(waits, failed));
                let pair_waits = std::mem::replace(waits, failed);
                if let Some(answer) = answer
                    && !failed
                    && (pair_waits || key_waits == Some(true))
                {
                    let nameless = Key { pair, name: NONE, port: ends.port };
                    found.push(Success { id: id.0, answer, key: known.map_or(nameless, |(key, _)| key) });
                }
            }
        }
        found
    }
}

/// The keys of failures, with a table of bits that sorts most others out.
struct Keys {
    /// The keys and their numbers.
    all: Map<Key, u32>,
    /// The numbers of names by hash.
    names: Map<u64, u32>,
    rough: Vec<u64>,
}

impl Keys {
    fn new(failures: usize) -> Self {
        let bits = (failures * KEY_BITS).next_power_of_two().clamp(64, KEY_BITS_MAX);
        Self { all: Map::default(), names: Map::default(), rough: vec![0; bits / 64] }
    }

    /// Word and bit of a pair and a name's half hash in the rough table.
    fn place(&self, pair: u32, half: u32) -> (usize, u64) {
        let mixed = (u64::from(pair) << 32 | u64::from(half)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        ((mixed >> 6) as usize & (self.rough.len() - 1), 1 << (mixed & 63))
    }

    fn add(&mut self, pair: u32, port: u16, name: u64) -> Key {
        let (word, bit) = self.place(pair, name as u32);
        if let Some(word) = self.rough.get_mut(word) {
            *word |= bit;
        }
        let next = self.names.len() as u32;
        let key = Key { pair, name: *self.names.entry(name).or_insert(next), port };
        let next = self.all.len() as u32;
        self.all.entry(key).or_insert(next);
        key
    }

    /// The key of a pair, port and name of a segment with its number, if it ever failed.
    fn find(&self, (pair, port): (u32, u16), names: &Names, name: u32) -> Option<(Key, u32)> {
        let (word, bit) = self.place(pair, *names.hashes().get(name as usize)?);
        self.rough.get(word).filter(|word| **word & bit != 0)?;
        let key = Key { pair, name: *self.names.get(&name_hash(names.get(name)?))?, port };
        self.all.get(&key).map(|number| (key, *number))
    }
}

/// An episode under construction.
struct Draft<'f> {
    /// Its first failure.
    failure: &'f Failure,
    transactions: Vec<TransactionId>,
    last_ns: Nanos,
    recovery: Option<PacketId>,
}

/// Shares of all pairs of hosts whose failures are grouped side by side.
const GROUPINGS: usize = 8;

/// Episodes of a share of all pairs under construction.
struct Grouping<'f> {
    drafts: Vec<Draft<'f>>,
    /// The open episode of each key and signature.
    open: Map<(Key, Signature), u32>,
    /// The signatures of open episodes of each key.
    by_key: Map<Key, Vec<Signature>>,
    /// By pair, the episodes that wait for the first answer after them; see [`place_of`].
    unrecovered: Vec<Vec<u32>>,
}

/// The place of a pair among those of its share.
fn place_of(key: Key) -> usize {
    key.pair as usize / GROUPINGS
}

/// Makes the episodes and problems.
pub(super) fn group(messages: &Messages<'_>, dictionary: &Dictionary, evidence: &mut Evidence) {
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
    let (numbered, keys) = Numbered::new(messages, dictionary, &failures);
    let share = messages.len().div_ceil(SHARES).max(1);
    let successes: Vec<Success> = (0..SHARES)
        .into_par_iter()
        .flat_map_iter(|at| {
            let range = at.saturating_mul(share)..(at + 1).saturating_mul(share).min(messages.len());
            if range.is_empty() { Vec::new() } else { numbered.successes(messages, shared, range) }
        })
        .collect();
    let pairs = numbered.pairs.len();
    let drafts = (0..GROUPINGS).into_par_iter().flat_map_iter(|own| {
        let mut grouping = Grouping::new(pairs);
        let is_own = |key: &Key| key.pair as usize % GROUPINGS == own;
        let mut successes = successes.iter().filter(|success| is_own(&success.key)).peekable();
        for (failure, key) in failures.iter().zip(&keys).filter(|(_, key)| is_own(key)) {
            while let Some(success) = successes.next_if(|success| success.id < failure.id) {
                grouping.success(success);
            }
            grouping.failure(failure, *key, shared.parameters.episode_gap_ns);
        }
        for success in successes {
            grouping.success(success);
        }
        grouping.drafts
    });
    let mut drafts: Vec<Draft<'_>> = drafts.collect();
    drafts.sort_unstable_by_key(|draft| draft.failure.id);
    let Numbered { hosts, .. } = numbered;
    let episodes: Vec<Episode> =
        drafts.into_par_iter().map(|draft| finish(messages, shared, draft)).collect();
    evidence.problems = problems::find(messages, shared, &episodes, &hosts);
    evidence.episodes = episodes;
}

impl<'f> Grouping<'f> {
    fn new(pairs: usize) -> Self {
        Self {
            drafts: Vec::new(),
            open: Map::default(),
            by_key: Map::default(),
            unrecovered: vec![Vec::new(); pairs.div_ceil(GROUPINGS)],
        }
    }

    fn failure(&mut self, failure: &'f Failure, key: Key, gap_ns: Nanos) {
        let slot = (key, failure.signature.clone());
        let known = self.open.get(&slot).copied().filter(|known| {
            let last_ns = self.drafts.get(*known as usize).map(|draft| draft.last_ns);
            last_ns.is_some_and(|last_ns| failure.first_ns - last_ns <= gap_ns)
        });
        let position = known.unwrap_or_else(|| {
            let position = self.drafts.len() as u32;
            let last_ns = failure.first_ns;
            self.drafts.push(Draft { failure, transactions: Vec::new(), last_ns, recovery: None });
            if self.open.insert(slot, position).is_none() {
                self.by_key.entry(key).or_default().push(failure.signature.clone());
            }
            position
        });
        let Some(draft) = self.drafts.get_mut(position as usize) else { return };
        draft.transactions.push(TransactionId(failure.id));
        draft.last_ns = draft.last_ns.max(failure.last_ns);
        let Some(unrecovered) = self.unrecovered.get_mut(place_of(key)) else { return };
        if draft.recovery.take().is_some() || unrecovered.last() != Some(&position) {
            unrecovered.push(position);
        }
    }

    /// An answer of the server to the client ends its episodes of the same name and recovers those of all names.
    fn success(&mut self, success: &Success) {
        for signature in self.by_key.remove(&success.key).into_iter().flatten() {
            self.open.remove(&(success.key, signature));
        }
        for at in self.unrecovered.get_mut(place_of(success.key)).into_iter().flat_map(|all| all.drain(..)) {
            if let Some(draft) = self.drafts.get_mut(at as usize) {
                draft.recovery = draft.recovery.or(Some(success.answer));
            }
        }
    }
}

/// An episode with all its frames.
fn finish(messages: &Messages<'_>, evidence: &Evidence, draft: Draft<'_>) -> Episode {
    let failure = draft.failure;
    let first = evidence.transaction(TransactionId(failure.id)).map(|first| first.first);
    let packet = first.and_then(|first| messages.index.packet(first));
    let name = packet.and_then(|packet| packet.segment.names.get(packet.dns()?.name)).unwrap_or_default();
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for id in &draft.transactions {
        let Some(transaction) = evidence.transaction(*id) else { continue };
        each_frame(evidence, *id, transaction, |frame, kind| {
            all.push(frame);
            if kind == Frame::Error {
                errors.push(frame);
            }
        });
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
