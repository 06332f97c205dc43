//! Groups failed transactions into episodes (one client, server, name and signature) and episodes into problems.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::messages::Messages;
use super::{
    Episode, EpisodeId, Evidence, LinkKind, Outcome, Parameters, Problem, Signature, Transaction,
    TransactionId,
};
use crate::decode::{Address, dns};
use crate::index::{Packet, PacketId};
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
        Outcome::Answered if is_error_code(transaction.response_code) => {
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

/// Finds the packets of transactions between hosts of which at least one lookup failed, at the price of a
/// dictionary look-up for all others.
struct Failing<'i> {
    messages: &'i Messages<'i>,
    clients: HashSet<Address, foldhash::fast::FixedState>,
    servers: HashSet<Address, foldhash::fast::FixedState>,
    segment: u32,
    end: u32,
    is_client: Vec<bool>,
    is_server: Vec<bool>,
}

impl<'i> Failing<'i> {
    fn new(messages: &'i Messages<'i>, evidence: &Evidence) -> Self {
        let (mut clients, mut servers) = (HashSet::default(), HashSet::default());
        let failed =
            evidence.transactions.iter().filter(|transaction| signature(false, transaction).is_some());
        for packet in failed.filter_map(|transaction| messages.index.packet(transaction.first)) {
            clients.insert(packet.source_address());
            servers.insert(packet.destination_address());
        }
        Self { messages, clients, servers, segment: 1, end: 0, is_client: Vec::new(), is_server: Vec::new() }
    }

    fn get(&mut self, id: PacketId) -> Option<Packet<'i>> {
        let packet = self.messages.index.packet(id)?;
        if id.0 < self.segment || id.0 >= self.end {
            let addresses = &packet.segment.addresses;
            self.segment = packet.segment.base.0;
            self.end = self.segment + packet.segment.len() as u32;
            self.is_client = addresses.iter().map(|address| self.clients.contains(address)).collect();
            self.is_server = addresses.iter().map(|address| self.servers.contains(address)).collect();
        }
        let is = |set: &[bool], column: &[u32]| {
            column.get(packet.row).and_then(|at| set.get(*at as usize)).copied().unwrap_or(false)
        };
        let wanted = is(&self.is_client, &packet.segment.source_address)
            && is(&self.is_server, &packet.segment.destination_address);
        wanted.then_some(packet)
    }
}

/// Episodes under construction.
#[derive(Default)]
struct Grouping {
    episodes: Vec<Episode>,
    /// The open episode of each key and signature.
    open: Map<(Key, Signature), usize>,
    by_key: Map<Key, Vec<Signature>>,
    /// Episodes of a client and server that wait for the first answer after them.
    unrecovered: Map<(Address, Address), Vec<usize>>,
    /// When each server was asked, for servers that failed.
    asked_ns: Map<Address, Vec<Nanos>>,
}

/// Makes the episodes and problems.
pub(super) fn group(messages: &Messages<'_>, evidence: &mut Evidence) {
    let mut failing = Failing::new(messages, evidence);
    if failing.clients.is_empty() {
        return;
    }
    let mut grouping = Grouping::default();
    for (at, transaction) in evidence.transactions.iter().enumerate() {
        let Some(asked) = failing.get(transaction.first).and_then(asked) else { continue };
        grouping.asked_ns.entry(asked.key.server).or_default().push(asked.packet.time_ns());
        let v6 = matches!(asked.key.client, Address::V6(_));
        match signature(v6, transaction) {
            Some(signature) => {
                grouping.failure(messages, evidence, &asked, signature, TransactionId(at as u32))
            }
            None => grouping.success(&asked.key, transaction),
        }
    }
    for episode in &mut grouping.episodes {
        episode.frames.sort_unstable();
        episode.frames.dedup();
        episode.errors.sort_unstable();
        episode.errors.dedup();
    }
    for times in grouping.asked_ns.values_mut() {
        times.sort_unstable();
    }
    evidence.problems = problems(&grouping, &evidence.parameters);
    evidence.episodes = grouping.episodes;
}

impl Grouping {
    fn failure(
        &mut self,
        messages: &Messages<'_>,
        evidence: &Evidence,
        asked: &Asked<'_>,
        signature: Signature,
        id: TransactionId,
    ) {
        let first_ns = asked.packet.time_ns();
        let slot = (asked.key, signature.clone());
        let gap_ns = evidence.parameters.episode_gap_ns;
        let known = self.open.get(&slot).copied();
        let known = known.filter(|at| self.episodes.get(*at).is_some_and(|e| first_ns - e.last_ns <= gap_ns));
        let position = known.unwrap_or_else(|| {
            self.episodes.push(begin(asked, signature.clone(), first_ns));
            self.by_key.entry(asked.key).or_default().push(signature);
            self.open.insert(slot, self.episodes.len() - 1);
            self.episodes.len() - 1
        });
        let Some(episode) = self.episodes.get_mut(position) else { return };
        add(messages, evidence, episode, id);
        let waiting = self.unrecovered.entry((asked.key.client, asked.key.server)).or_default();
        if episode.recovery.take().is_some() || waiting.last() != Some(&position) {
            waiting.push(position);
        }
    }

    fn success(&mut self, key: &Key, transaction: &Transaction) {
        let Some(answer) = transaction.answer.filter(|_| transaction.outcome == Outcome::Answered) else {
            return;
        };
        for signature in self.by_key.remove(key).into_iter().flatten() {
            self.open.remove(&(*key, signature));
        }
        for at in self.unrecovered.remove(&(key.client, key.server)).into_iter().flatten() {
            if let Some(episode) = self.episodes.get_mut(at) {
                episode.recovery = episode.recovery.or(Some(answer));
            }
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
fn problems(grouping: &Grouping, parameters: &Parameters) -> Vec<Problem> {
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
        let asked = grouping.asked_ns.get(&problem.server.0).map_or(0, |times| {
            let before = times.partition_point(|time_ns| *time_ns < problem.first_ns);
            times.partition_point(|time_ns| *time_ns <= problem.last_ns) - before
        });
        !is_background(problem, attempts(problem), asked, parameters) || !recovered
    });
    let class = |signature: &Signature| match signature {
        Signature::Icmp { .. } | Signature::NoAnswer | Signature::TcpReset => 0,
        Signature::ResponseCode(_) => 1,
        Signature::Truncated | Signature::Late => 2,
    };
    problems.sort_by_key(|problem| {
        (class(&problem.signature), std::cmp::Reverse(attempts(problem)), problem.first_ns)
    });
    problems
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
