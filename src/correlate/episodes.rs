//! Groups failed transactions into episodes: one client, server, name and signature, close in time.
//!
//! Only failures are looked at closely. Of the answered transactions, those matter that end an episode: the first
//! of a client and server after a failure, and those for a name that failed.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::ops::Range;

use rayon::prelude::*;

use super::dictionary::Dictionary;
use super::evidence::set_in;
use super::messages::{Messages, NONE};
use super::numbers::{Ends, Numbers};
use super::{Episode, Evidence, Outcome, Signature, Transaction, TransactionId, problems};
use crate::decode::{Address, dns};
use crate::index::PacketId;
use crate::index::names::name_hash;
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Transactions filtered by one thread at a time, a multiple of 64.
const BLOCK: usize = 1 << 14;
/// Shares of all transactions in which answers are looked for: few, because each begins not knowing who was answered.
const SHARES: usize = 8;

/// Response codes that say the server could not or would not answer (RFC 1035 §4.1.1, RFC 6895 §2.3):
/// format error, server failure, not implemented, refused; extended ones from BADVERS on. A name that does not
/// exist is an answer.
pub fn is_error_code(code: u16) -> bool {
    matches!(code, 1 | 2 | 4 | 5 | 9 | 16..)
}

/// What a failed transaction has in common with others, or `None` when it did not fail.
pub(super) fn signature(v6: bool, transaction: &Transaction) -> Option<Signature> {
    Some(match transaction.outcome {
        Outcome::Answered if transaction.fell_back || transaction.declined.is_some() => return None,
        Outcome::Answered if is_error_code(transaction.response_code) || transaction.name_lost => {
            Signature::ResponseCode(transaction.response_code)
        }
        Outcome::Answered | Outcome::Unreadable | Outcome::Undetermined => return None,
        Outcome::Late => Signature::Late,
        Outcome::Refused | Outcome::CoveredByRateLimit => {
            Signature::Icmp { v6, kind: transaction.icmp.0, code: transaction.icmp.1 }
        }
        Outcome::NoAnswer => Signature::NoAnswer,
        Outcome::TcpReset | Outcome::RefusedByReset => Signature::TcpReset,
        Outcome::ResetMidway => Signature::ResetMidway,
        Outcome::Closed => Signature::Closed,
        Outcome::Mute => Signature::Mute,
        Outcome::Truncated => Signature::Truncated,
        Outcome::NotReceived => Signature::NotReceived,
    })
}

/// Pairs of numbered clients and servers kept in a plain table.
const DENSE_MAX: usize = 1 << 22;
const UDP: u8 = 17;
/// Stands for the hash of the name where there is none, and of one that never failed.
const NAMELESS: u64 = 0;

/// A failed transaction.
struct Failure {
    id: u32,
    /// The place of its segment, and where client and server stand in the segment's dictionary.
    at: u32,
    ends: (u32, u32),
    port: u16,
    transport: u8,
    signature: Signature,
    /// Where its name stands among those of the segment, and the name's hash.
    name: u32,
    hash: u64,
    first_ns: Nanos,
    /// Its last try, error or answer.
    last_ns: Nanos,
    /// Where its frames stand among those of its block.
    frames: Range<u32>,
}

/// The failed transactions of a block in order, with their tries, errors and answers.
#[derive(Default)]
struct Block {
    failures: Vec<Failure>,
    frames: Vec<(PacketId, Frame)>,
}

/// All failed transactions, block by block.
struct Failures(Vec<Block>);

/// Which client asked which server for which name: the number of the pair, and the hash of the name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    name: u64,
    pair: u32,
    port: u16,
}

/// An answered transaction that may end episodes.
struct Success {
    id: u32,
    answer: PacketId,
    /// Its name is [`NAMELESS`] where the name never failed for this client and server.
    key: Key,
}

impl Block {
    /// Reads those of a block of transactions that failed.
    fn read(messages: &Messages<'_>, evidence: &Evidence, block: usize, unsettled: &[u64]) -> Self {
        let mut own = Self::default();
        for id in set_in(unsettled, (block * BLOCK) as u32) {
            let transaction = evidence.transaction(TransactionId(id));
            if let Some(failed) = transaction.filter(|transaction| signature(false, transaction).is_some()) {
                own.add(messages, evidence, (id, failed));
            }
        }
        own
    }

    fn add(
        &mut self,
        messages: &Messages<'_>,
        evidence: &Evidence,
        (id, transaction): (u32, &Transaction),
    ) -> Option<()> {
        let packet = messages.index.packet(transaction.first)?;
        let row = transaction.question(messages.index)?;
        let position = |column: &[u32]| column.get(packet.row).copied();
        let start = self.frames.len();
        let mut last_ns = packet.time_ns();
        each_frame(evidence, TransactionId(id), transaction, |frame, kind| {
            self.frames.push((frame, kind));
            if frame != transaction.first {
                last_ns = last_ns.max(messages.time_ns(frame));
            }
        });
        let refused = matches!(transaction.outcome, Outcome::Refused | Outcome::CoveredByRateLimit);
        self.failures.push(Failure {
            id,
            at: messages.index.segment_of(transaction.first)? as u32,
            ends: (position(&packet.segment.source_address)?, position(&packet.segment.destination_address)?),
            port: packet.destination_port(),
            transport: packet.transport(),
            signature: signature(refused && packet.source_address().is_v6(), transaction)?,
            name: row.name,
            hash: packet.segment.names.get(row.name).map_or(NAMELESS, name_hash),
            first_ns: packet.time_ns(),
            last_ns,
            frames: start as u32..self.frames.len() as u32,
        });
        Some(())
    }
}

impl Failures {
    /// All of them in order.
    fn all(&self) -> impl Iterator<Item = &Failure> + Clone {
        self.0.iter().flat_map(|block| &block.failures)
    }

    fn len(&self) -> usize {
        self.0.iter().map(|block| block.failures.len()).sum()
    }

    fn frames_of(&self, failure: &Failure) -> &[(PacketId, Frame)] {
        let range = failure.frames.start as usize..failure.frames.end as usize;
        let block = self.0.get(failure.id as usize / BLOCK);
        block.and_then(|block| block.frames.get(range)).unwrap_or_default()
    }
}

/// What a frame of a failed transaction is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Message,
    Error,
}

/// The tries of a failed transaction, the errors about them, its answer, and where TCP was tried in vain the end of that.
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
    if let Some(tried) = evidence.tried_over_tcp(id) {
        visit(tried, Frame::Message);
    }
}

/// All numbers given to hosts, pairs of hosts, and names that failed.
struct Numbered<'d> {
    hosts: Numbers<'d>,
    /// By client, server and transport: a server that refuses UDP does not recover by answering over TCP.
    pairs: Map<(u32, u32, u8), u32>,
    /// The first failed transaction of each pair.
    first: Vec<u32>,
    /// The pairs over UDP again by client and server, where they are few enough.
    dense: Vec<u32>,
    /// Places of `dense` for each client.
    servers: usize,
    keys: Keys,
}

/// What is known of a pair while answers are looked for: its next answer ends episodes; a name of it failed more than once.
const WAITS: u8 = 1;
const REPEATS: u8 = 2;
/// The pair failed at some time; the same over something else than UDP.
const FAILED: u8 = 4;
const ELSEWHERE: u8 = 8;

impl<'d> Numbered<'d> {
    /// Numbers what failed; gives each failure's key.
    fn new(messages: &Messages<'_>, dictionary: &'d Dictionary, failures: &Failures) -> (Self, Vec<Key>) {
        let mut hosts = Numbers::new(dictionary);
        let ends = failures.all().map(|failure| hosts.number(failure.at as usize, failure.ends));
        let ends: Vec<(u32, u32)> = ends.collect();
        let mut pairs = Map::default();
        let mut first = Vec::new();
        let mut keys = Keys::default();
        let mut of_failure = Vec::with_capacity(failures.len());
        let number = || {
            for (failure, (client, server)) in failures.all().zip(ends) {
                let next = pairs.len() as u32;
                let pair = *pairs.entry((client, server, failure.transport)).or_insert(next);
                if pair == next {
                    first.push(failure.id);
                }
                let key = Key { name: failure.hash, pair, port: failure.port };
                keys.add(key, failure.id);
                of_failure.push(key);
            }
        };
        rayon::join(number, || hosts.read(messages.index.segments().len()));
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
        (Self { hosts, pairs, first, dense, servers, keys }, of_failure)
    }

    /// The place of a pair among the states: that of the dense table, or one behind it.
    fn place(&self, ends: Ends) -> Option<usize> {
        if ends.transport == UDP && !self.dense.is_empty() {
            return Some(self.dense_place((ends.client, ends.server)));
        }
        let pair = self.pairs.get(&(ends.client, ends.server, ends.transport))?;
        Some(self.dense.len() + *pair as usize)
    }

    fn dense_place(&self, (client, server): (u32, u32)) -> usize {
        client as usize * self.servers + server as usize
    }

    /// The number of the pair at a place.
    fn pair(&self, place: usize) -> u32 {
        self.dense.get(place).copied().unwrap_or(place.saturating_sub(self.dense.len()) as u32)
    }

    /// The states of all places when the transaction `from` begins: who has not failed before it waits for nothing.
    fn states(&self, from: u32) -> Vec<u8> {
        let state = |pair: u32| {
            let failed = self.first.get(pair as usize);
            let repeats = self.keys.repeats.get(pair as usize).is_some_and(|repeats| *repeats);
            failed
                .map_or(0, |first| FAILED | (u8::from(*first < from) * WAITS) | (u8::from(repeats) * REPEATS))
        };
        let dense = self.dense.iter().map(|pair| state(*pair));
        let mut states: Vec<u8> = dense.chain((0..self.pairs.len() as u32).map(state)).collect();
        let dense = states.get_mut(..self.dense.len()).unwrap_or_default();
        for (client, server, _) in self.pairs.keys().filter(|(.., transport)| *transport != UDP) {
            if let Some(state) = dense.get_mut(self.dense_place((*client, *server))) {
                *state |= ELSEWHERE;
            }
        }
        states
    }

    /// The answered transactions among those of a range that may end an episode.
    fn successes(&self, messages: &Messages<'_>, transactions: &[Transaction], from: u32) -> Vec<Success> {
        let mut found = Vec::new();
        let mut states = self.states(from);
        // Keys whose next answer ends episodes.
        let mut waiting: Vec<bool> = self.keys.first.iter().map(|first| *first < from).collect();
        for (transaction, id) in transactions.iter().zip(from..) {
            let failed = signature(false, transaction).is_some();
            let answer = transaction.answer.filter(|_| transaction.outcome == Outcome::Answered);
            if !failed && answer.is_none() {
                continue;
            }
            let Some(at) = messages.index.segment_of(transaction.first) else { continue };
            let Some(segment) = messages.index.segments().get(at) else { continue };
            let row = (transaction.first.0 - segment.base.0) as usize;
            let Some(hosts) = self.hosts.hosts((at, segment), row) else { continue };
            // Most pairs wait for nothing, and their ports need not be looked at.
            let idle = |state: &u8| *state & !FAILED == 0 && (!failed || *state == 0);
            if !self.dense.is_empty() && states.get(self.dense_place(hosts)).is_none_or(idle) {
                continue;
            }
            let Some(ends) = self.hosts.ends((at, segment), transaction.first) else { continue };
            let Some(place) = self.place(ends) else { continue };
            let Some(state) = states.get_mut(place) else { continue };
            if *state == 0 || !failed && *state & (WAITS | REPEATS) == 0 {
                continue;
            }
            let pair = self.pair(place);
            let known = if *state & REPEATS == 0 {
                None
            } else {
                let row = segment.dns.get(segment.first_dns(transaction.first));
                let name = row.and_then(|row| segment.names.get(row.name)).map_or(NAMELESS, name_hash);
                let key = Key { name, pair, port: ends.port };
                self.keys.all.get(&key).map(|number| (key, *number))
            };
            let key_waits = known.and_then(|(_, number)| waiting.get_mut(number as usize));
            let key_waits = key_waits.map(|waits| std::mem::replace(waits, failed));
            let pair_waits = *state & WAITS != 0;
            *state = *state & !WAITS | (u8::from(failed) * WAITS);
            if let Some(answer) = answer
                && !failed
                && (pair_waits || key_waits == Some(true))
            {
                let nameless = Key { name: NAMELESS, pair, port: ends.port };
                found.push(Success { id, answer, key: known.map_or(nameless, |(key, _)| key) });
            }
        }
        found
    }
}

/// The keys of failures.
#[derive(Default)]
struct Keys {
    /// The keys and their numbers.
    all: Map<Key, u32>,
    /// The first failed transaction of each.
    first: Vec<u32>,
    /// By pair, whether one of its keys failed more than once: an answer in between makes two episodes of that, while it
    /// changes nothing for keys that failed once.
    repeats: Vec<bool>,
}

impl Keys {
    /// Notes the key of a failed transaction; transactions come in order.
    fn add(&mut self, key: Key, id: u32) {
        if self.repeats.len() <= key.pair as usize {
            self.repeats.resize(key.pair as usize + 1, false);
        }
        let next = self.first.len() as u32;
        if *self.all.entry(key).or_insert(next) == next {
            self.first.push(id);
        } else if let Some(repeats) = self.repeats.get_mut(key.pair as usize) {
            *repeats = true;
        }
    }
}

/// An episode under construction.
struct Draft<'f> {
    /// Its failures, of which there is at least one.
    first: &'f Failure,
    further: Vec<&'f Failure>,
    last_ns: Nanos,
    recovery: Option<PacketId>,
}

/// Shares of all pairs of hosts whose failures are grouped side by side.
const GROUPINGS: usize = 8;

/// Episodes of a share of all pairs under construction.
struct Grouping<'f> {
    drafts: Vec<Draft<'f>>,
    /// The open episodes of each key, each of a signature of its own.
    open: Map<Key, Vec<u32>>,
    /// By pair, the episodes that wait for the first answer after them; see [`place_of`].
    unrecovered: Vec<Vec<u32>>,
}

/// The place of a pair among those of its share.
fn place_of(key: Key) -> usize {
    key.pair as usize / GROUPINGS
}

/// Makes the episodes and the problems.
pub(super) fn group(messages: &Messages<'_>, dictionary: &Dictionary, evidence: &mut Evidence) {
    let shared = &*evidence;
    let blocks = shared.unsettled.par_chunks(BLOCK / 64).enumerate();
    let blocks = blocks.map(|(block, unsettled)| Block::read(messages, shared, block, unsettled));
    let failures = Failures(blocks.collect());
    if failures.len() == 0 {
        return;
    }
    let (numbered, keys) = Numbered::new(messages, dictionary, &failures);
    let share = shared.transactions.len().div_ceil(SHARES).max(1);
    let shares = shared.transactions.par_chunks(share).enumerate();
    let successes = shares.map(|(at, part)| numbered.successes(messages, part, (at * share) as u32));
    let successes: Vec<Vec<Success>> = successes.collect();
    let pairs = numbered.pairs.len();
    let drafts = (0..GROUPINGS).into_par_iter().flat_map_iter(|own| {
        let mut grouping = Grouping::new(pairs);
        let is_own = |key: &Key| key.pair as usize % GROUPINGS == own;
        let mut successes = successes.iter().flatten().filter(|success| is_own(&success.key)).peekable();
        for (failure, key) in failures.all().zip(&keys).filter(|(_, key)| is_own(key)) {
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
    drafts.par_sort_unstable_by_key(|draft| draft.first.id);
    let Numbered { hosts, .. } = numbered;
    let hasher = foldhash::fast::FixedState::default();
    let asks = |failure: &Failure| {
        let numbers = dictionary.of_segment(failure.at as usize);
        let number = |position: u32| numbers.get(position as usize);
        hasher.hash_one((number(failure.ends.0), number(failure.ends.1), failure.hash))
    };
    let asking: Vec<u64> = drafts.par_iter().map(|draft| asks(draft.first)).collect();
    let episodes: Vec<Episode> =
        drafts.into_par_iter().map(|draft| finish(messages, &failures, draft)).collect();
    evidence.problems = problems::find(messages, shared, (&episodes, &asking), &hosts);
    evidence.episodes = episodes;
}

impl<'f> Grouping<'f> {
    fn new(pairs: usize) -> Self {
        Self {
            drafts: Vec::new(),
            open: Map::default(),
            unrecovered: vec![Vec::new(); pairs.div_ceil(GROUPINGS)],
        }
    }

    fn failure(&mut self, failure: &'f Failure, key: Key, gap_ns: Nanos) {
        let open = self.open.entry(key).or_default();
        let drafts = &mut self.drafts;
        let same = |at: &&mut u32| {
            drafts.get(**at as usize).is_some_and(|draft| draft.first.signature == failure.signature)
        };
        let follows = |draft: &Draft<'_>| failure.first_ns - draft.last_ns <= gap_ns;
        let next = drafts.len() as u32;
        let position = if let Some(known) = open.iter_mut().find(same) {
            if !drafts.get(*known as usize).is_some_and(follows) {
                *known = next;
            }
            *known
        } else {
            open.push(next);
            next
        };
        if position == next {
            let last_ns = failure.last_ns.max(failure.first_ns);
            drafts.push(Draft { first: failure, further: Vec::new(), last_ns, recovery: None });
        }
        let Some(draft) = drafts.get_mut(position as usize) else { return };
        if position != next {
            draft.further.push(failure);
            draft.last_ns = draft.last_ns.max(failure.last_ns);
        }
        let Some(unrecovered) = self.unrecovered.get_mut(place_of(key)) else { return };
        if draft.recovery.take().is_some() || unrecovered.last() != Some(&position) {
            unrecovered.push(position);
        }
    }

    /// An answer of the server to the client ends its episodes of the same name and recovers those of all names.
    fn success(&mut self, success: &Success) {
        if success.key.name != NAMELESS {
            self.open.remove(&success.key);
        }
        for at in self.unrecovered.get_mut(place_of(success.key)).into_iter().flat_map(|all| all.drain(..)) {
            if let Some(draft) = self.drafts.get_mut(at as usize) {
                draft.recovery = draft.recovery.or(Some(success.answer));
            }
        }
    }
}

/// An episode with all its frames.
fn finish(messages: &Messages<'_>, failures: &Failures, draft: Draft<'_>) -> Episode {
    let Draft { first, further, last_ns, recovery } = draft;
    let members = || std::iter::once(first).chain(further.iter().copied());
    let segment = messages.index.segments().get(first.at as usize);
    let address = |position| segment.map_or(Address::None, |segment| segment.address(position));
    let name = segment.and_then(|segment| segment.names.get(first.name));
    let all = members().flat_map(|failure| failures.frames_of(failure));
    let sorted = |mut frames: Vec<PacketId>| {
        frames.sort_unstable();
        frames.dedup();
        frames.shrink_to_fit();
        frames
    };
    let errors = all.clone().filter(|(_, kind)| *kind == Frame::Error);
    Episode {
        client: address(first.ends.0),
        server: (address(first.ends.1), first.port),
        transport: first.transport,
        name: name.map(dns::presentation).unwrap_or_default(),
        signature: first.signature.clone(),
        transactions: members().map(|failure| TransactionId(failure.id)).collect(),
        errors: sorted(errors.map(|(frame, _)| *frame).collect()),
        frames: sorted(all.map(|(frame, _)| *frame).collect()),
        first_ns: first.first_ns,
        last_ns,
        recovery,
    }
}
