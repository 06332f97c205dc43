//! Groups failed transactions into episodes (one client, server, name and signature) and episodes into problems.

use std::collections::{BTreeMap, HashMap};

use super::messages::Messages;
use super::{
    Episode, EpisodeId, Evidence, LinkKind, Outcome, Parameters, Problem, Signature, Transaction,
    TransactionId,
};
use crate::decode::{Address, dns};
use crate::index::{Packet, PacketId, Segment};
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Response codes that say the server could not or would not answer (RFC 1035 §4.1.1, RFC 6895 §2.3):
/// format error, server failure, not implemented, refused; extended ones from BADVERS on. A name that does not
/// exist is an answer.
pub fn is_error_code(code: u16) -> bool {
    matches!(code, 1 | 2 | 4 | 5 | 9 | 16..)
}

/// Who asked whom, and which name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    client: Address,
    server: Address,
    port: u16,
    transport: u8,
    name: u64,
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

fn name_hash(wire: &[u8]) -> u64 {
    crate::index::segment::question_hash(wire, 0, 0, 0)
}

struct Asked<'i> {
    packet: Packet<'i>,
    key: Key,
}

/// Reads who asked whom from a transaction's first query.
fn asked(packet: Packet<'_>) -> Option<Asked<'_>> {
    let row = packet.dns()?;
    let name = packet.segment.names.get(row.name).unwrap_or_default();
    let key = Key {
        client: packet.source_address(),
        server: packet.destination_address(),
        port: packet.destination_port(),
        transport: packet.transport(),
        name: name_hash(name),
    };
    Some(Asked { packet, key })
}

/// Hosts of which at least one lookup failed, numbered; other transactions cost a dictionary look-up only.
struct Failing<'i> {
    messages: &'i Messages<'i>,
    clients: Map<Address, u32>,
    servers: Map<Address, u32>,
    segment: Option<&'i Segment>,
    /// Numbers of the addresses of `segment`.
    client_of: Vec<u32>,
    server_of: Vec<u32>,
}

/// No number.
const NONE: u32 = u32::MAX;

impl<'i> Failing<'i> {
    fn new(messages: &'i Messages<'i>, evidence: &Evidence) -> Self {
        let (mut clients, mut servers): (Map<Address, u32>, Map<Address, u32>) = Default::default();
        let failed =
            evidence.transactions.iter().filter(|transaction| signature(false, transaction).is_some());
        for packet in failed.filter_map(|transaction| messages.index.packet(transaction.first)) {
            let next = clients.len() as u32;
            clients.entry(packet.source_address()).or_insert(next);
            let next = servers.len() as u32;
            servers.entry(packet.destination_address()).or_insert(next);
        }
        Self { messages, clients, servers, segment: None, client_of: Vec::new(), server_of: Vec::new() }
    }

    /// Time, client, server and transport of a query; `None` unless both failed somewhere.
    fn get(&mut self, query: PacketId) -> Option<(Nanos, (u32, u32, u8))> {
        let inside =
            |segment: &&Segment| (segment.base.0..segment.base.0 + segment.len() as u32).contains(&query.0);
        let segment = if let Some(segment) = self.segment.filter(inside) {
            segment
        } else {
            let segment = self.messages.index.locate(query)?.0;
            let number = |known: &Map<Address, u32>| -> Vec<u32> {
                segment.addresses.iter().map(|a| known.get(a).copied().unwrap_or(NONE)).collect()
            };
            self.client_of = number(&self.clients);
            self.server_of = number(&self.servers);
            self.segment = Some(segment);
            segment
        };
        let row = (query.0 - segment.base.0) as usize;
        let number = |of: &[u32], column: &[u32]| of.get(*column.get(row)? as usize).copied();
        let client = number(&self.client_of, &segment.source_address).filter(|at| *at != NONE)?;
        let server = number(&self.server_of, &segment.destination_address).filter(|at| *at != NONE)?;
        let transport = segment.transport.get(row).copied()?;
        Some((segment.time_ns.get(row).copied()?, (client, server, transport)))
    }
}

/// What is open between one client and one server.
#[derive(Default)]
struct Pair {
    /// Open episodes.
    open: usize,
    /// Episodes that wait for the first answer after them.
    unrecovered: Vec<usize>,
}

/// Episodes under construction.
#[derive(Default)]
struct Grouping {
    episodes: Vec<Episode>,
    /// The open episode of each key and signature.
    open: Map<(Key, Signature), usize>,
    /// The signatures of open episodes of each key.
    by_key: Map<Key, Vec<Signature>>,
    /// By client, server and transport: a server that refuses UDP does not recover by answering over TCP.
    pairs: Map<(u32, u32, u8), Pair>,
    /// When each server that failed was asked.
    asked_ns: Vec<Vec<Nanos>>,
}

/// Makes the episodes and problems.
pub(super) fn group(messages: &Messages<'_>, evidence: &mut Evidence) {
    let mut failing = Failing::new(messages, evidence);
    if failing.clients.is_empty() {
        return;
    }
    let mut grouping = Grouping { asked_ns: vec![Vec::new(); failing.servers.len()], ..Grouping::default() };
    for (at, transaction) in evidence.transactions.iter().enumerate() {
        let Some((time_ns, pair)) = failing.get(transaction.first) else { continue };
        if let Some(times) = grouping.asked_ns.get_mut(pair.1 as usize) {
            times.push(time_ns);
        }
        let failed = signature(false, transaction).is_some();
        if !failed && !grouping.pairs.contains_key(&pair) {
            continue;
        }
        let Some(asked) = messages.index.packet(transaction.first).and_then(asked) else { continue };
        match signature(matches!(asked.key.client, Address::V6(_)), transaction) {
            Some(signature) => {
                grouping.failure((messages, evidence), &asked, signature, TransactionId(at as u32), pair);
            }
            None => grouping.success(&asked.key, transaction, pair),
        }
    }
    for episode in &mut grouping.episodes {
        episode.frames.sort_unstable();
        episode.frames.dedup();
        episode.errors.sort_unstable();
        episode.errors.dedup();
    }
    for times in &mut grouping.asked_ns {
        times.sort_unstable();
    }
    evidence.problems = problems(&grouping, &failing.servers, &evidence.parameters);
    evidence.episodes = grouping.episodes;
}

impl Grouping {
    fn failure(
        &mut self,
        (messages, evidence): (&Messages<'_>, &Evidence),
        asked: &Asked<'_>,
        signature: Signature,
        id: TransactionId,
        pair: (u32, u32, u8),
    ) {
        let first_ns = asked.packet.time_ns();
        let slot = (asked.key, signature.clone());
        let gap_ns = evidence.parameters.episode_gap_ns;
        let known = self.open.get(&slot).copied();
        let known = known.filter(|at| self.episodes.get(*at).is_some_and(|e| first_ns - e.last_ns <= gap_ns));
        let pair = self.pairs.entry(pair).or_default();
        let position = known.unwrap_or_else(|| {
            self.episodes.push(begin(asked, signature.clone(), first_ns));
            if self.open.insert(slot, self.episodes.len() - 1).is_none() {
                self.by_key.entry(asked.key).or_default().push(signature);
                pair.open += 1;
            }
            self.episodes.len() - 1
        });
        let Some(episode) = self.episodes.get_mut(position) else { return };
        add(messages, evidence, episode, id);
        if episode.recovery.take().is_some() || pair.unrecovered.last() != Some(&position) {
            pair.unrecovered.push(position);
        }
    }

    /// An answer of the server to the client ends its episodes of the same name and recovers those of all names.
    fn success(&mut self, key: &Key, transaction: &Transaction, pair: (u32, u32, u8)) {
        let Some(answer) = transaction.answer.filter(|_| transaction.outcome == Outcome::Answered) else {
            return;
        };
        let Some(state) = self.pairs.get_mut(&pair) else { return };
        for signature in self.by_key.remove(key).into_iter().flatten() {
            self.open.remove(&(*key, signature));
            state.open = state.open.saturating_sub(1);
        }
        for at in state.unrecovered.drain(..) {
            if let Some(episode) = self.episodes.get_mut(at) {
                episode.recovery = episode.recovery.or(Some(answer));
            }
        }
        if state.open == 0 {
            self.pairs.remove(&pair);
        }
    }
}

fn begin(asked: &Asked<'_>, signature: Signature, first_ns: Nanos) -> Episode {
    let name =
        asked.packet.dns().and_then(|row| asked.packet.segment.names.get(row.name)).unwrap_or_default();
    Episode {
        client: asked.key.client,
        server: (asked.key.server, asked.key.port),
        transport: asked.key.transport,
        name: dns::presentation(name),
        signature,
        transactions: Vec::new(),
        frames: Vec::new(),
        errors: Vec::new(),
        first_ns,
        last_ns: first_ns,
        recovery: None,
        consequences: Vec::new(),
    }
}

/// Adds a transaction with its tries, errors and failing answer.
fn add(messages: &Messages<'_>, evidence: &Evidence, episode: &mut Episode, id: TransactionId) {
    let Some(transaction) = evidence.transaction(id) else { return };
    episode.transactions.push(id);
    let mut frames = evidence.tries(id);
    let errors: Vec<PacketId> = frames
        .iter()
        .flat_map(|query| evidence.links_to(*query))
        .filter(|link| link.kind == LinkKind::ErrorAbout)
        .map(|link| link.from)
        .collect();
    frames.extend(&errors);
    frames.extend(transaction.answer);
    for frame in &frames {
        episode.last_ns = episode.last_ns.max(messages.time_ns(*frame));
    }
    episode.frames.extend(frames);
    episode.errors.extend(errors);
}

/// Episodes that share server and signature and overlap or follow closely, without isolated losses.
fn problems(grouping: &Grouping, servers: &Map<Address, u32>, parameters: &Parameters) -> Vec<Problem> {
    let episodes = grouping.episodes.as_slice();
    let gap_ns = parameters.episode_gap_ns;
    let mut open: BTreeMap<(Address, u16, u8, Signature), usize> = BTreeMap::new();
    let mut problems: Vec<Problem> = Vec::new();
    for (at, episode) in episodes.iter().enumerate() {
        let key = (episode.server.0, episode.server.1, episode.transport, episode.signature.clone());
        let known = open.get(&key).copied();
        let known =
            known.filter(|at| problems.get(*at).is_some_and(|p| episode.first_ns - p.last_ns <= gap_ns));
        let position = known.unwrap_or_else(|| {
            problems.push(Problem {
                server: episode.server,
                transport: episode.transport,
                signature: episode.signature.clone(),
                episodes: Vec::new(),
                clients: Vec::new(),
                names: Vec::new(),
                first_ns: episode.first_ns,
                last_ns: episode.last_ns,
            });
            open.insert(key, problems.len() - 1);
            problems.len() - 1
        });
        let Some(problem) = problems.get_mut(position) else { continue };
        problem.episodes.push(EpisodeId(at as u32));
        problem.clients.push(episode.client);
        problem.names.push(episode.name.clone());
        problem.last_ns = problem.last_ns.max(episode.last_ns);
    }
    for problem in &mut problems {
        problem.clients.sort_unstable();
        problem.clients.dedup();
        problem.names.sort_unstable();
        problem.names.dedup();
    }
    let of =
        |problem: &Problem| problem.episodes.iter().filter_map(|id| episodes.get(id.0 as usize)).collect();
    let attempts = |problem: &Problem| -> usize {
        let episodes: Vec<&Episode> = of(problem);
        episodes.iter().map(|episode| episode.transactions.len()).sum()
    };
    problems.retain(|problem| {
        let recovered = of(problem).iter().all(|episode: &&Episode| episode.recovery.is_some());
        let times = servers.get(&problem.server.0).and_then(|server| grouping.asked_ns.get(*server as usize));
        let asked = times.map_or(0, |times| {
            let before = times.partition_point(|time_ns| *time_ns < problem.first_ns);
            times.partition_point(|time_ns| *time_ns <= problem.last_ns) - before
        });
        !is_background(problem, attempts(problem), asked, parameters) || !recovered
    });
    problems.sort_by_key(|problem| {
        let attempts = attempts(problem);
        let isolated = attempts <= ISOLATED_MAX && problem.clients.len() == 1;
        let gravity = attempts * weight(&problem.signature);
        (is_aside(problem), isolated, std::cmp::Reverse(gravity), problem.first_ns)
    });
    problems
}

/// Failures of this many attempts of one client come after those that repeat.
const ISOLATED_MAX: usize = 2;
/// The ports of DNS (RFC 1035) and DNS over TLS (RFC 7858).
const DNS_PORTS: [u16; 2] = [53, 853];

/// Failures that rarely are what somebody reports: of another port than DNS's, or of no name.
fn is_aside(problem: &Problem) -> bool {
    let nameless = problem.names.iter().all(|name| name.is_empty() || name == ".");
    nameless || !DNS_PORTS.contains(&problem.server.1)
}

/// How much a failed attempt counts: without any answer most, an answer that cannot be used least.
fn weight(signature: &Signature) -> usize {
    match signature {
        Signature::Icmp { .. } | Signature::NoAnswer | Signature::TcpReset => 8,
        Signature::ResponseCode(3) => 1,
        Signature::ResponseCode(_) => 4,
        Signature::Truncated | Signature::Late => 1,
    }
}

/// Whether recovered failures are what a healthy network shows too: a few, or a small share while they lasted.
/// Refusals never are.
fn is_background(problem: &Problem, attempts: usize, asked: usize, parameters: &Parameters) -> bool {
    let few = attempts <= parameters.background_attempts as usize;
    let rare = attempts * 100 < asked * parameters.background_percent as usize;
    match problem.signature {
        Signature::Icmp { .. } | Signature::TcpReset => false,
        Signature::ResponseCode(_) => few,
        Signature::NoAnswer | Signature::Late | Signature::Truncated => few || rare,
    }
}
