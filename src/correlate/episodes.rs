//! Groups failed transactions into episodes (one client, server, name and signature) and episodes into problems.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::messages::Messages;
use super::{
    Episode, EpisodeId, Evidence, LinkKind, Outcome, Problem, Signature, Transaction, TransactionId,
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
fn asked<'i>(messages: &Messages<'i>, transaction: &Transaction) -> Option<Asked<'i>> {
    let packet = messages.index.packet(transaction.first)?;
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

/// Makes the episodes and problems.
pub(super) fn group(messages: &Messages<'_>, evidence: &mut Evidence) {
    let names = failing_names(messages, evidence);
    if names.is_empty() {
        return;
    }
    let mut open: Map<(Key, Signature), usize> = Map::default();
    let mut by_key: Map<Key, Vec<Signature>> = Map::default();
    let mut episodes: Vec<Episode> = Vec::new();
    for (at, transaction) in evidence.transactions.iter().enumerate() {
        let Some(asked) = asked_if_named(messages, transaction, &names) else { continue };
        let v6 = matches!(asked.key.client, Address::V6(_));
        let Some(signature) = signature(v6, transaction) else {
            if transaction.outcome == Outcome::Answered {
                for signature in by_key.remove(&asked.key).into_iter().flatten() {
                    open.remove(&(asked.key, signature));
                }
            }
            continue;
        };
        let first_ns = asked.packet.time_ns();
        let id = TransactionId(at as u32);
        let slot = (asked.key, signature.clone());
        let known = open.get(&slot).copied().filter(|at| {
            episodes.get(*at).is_some_and(|e| first_ns - e.last_ns <= evidence.parameters.episode_gap_ns)
        });
        let position = known.unwrap_or_else(|| {
            episodes.push(begin(&asked, signature.clone(), first_ns));
            by_key.entry(asked.key).or_default().push(signature);
            open.insert(slot, episodes.len() - 1);
            episodes.len() - 1
        });
        if let Some(episode) = episodes.get_mut(position) {
            add(messages, evidence, episode, id);
        }
    }
    for episode in &mut episodes {
        episode.frames.sort_unstable();
        episode.frames.dedup();
        episode.errors.sort_unstable();
        episode.errors.dedup();
    }
    evidence.problems = problems(&episodes, evidence.parameters.episode_gap_ns);
    evidence.episodes = episodes;
}

/// Hashes of the names of which at least one lookup failed.
fn failing_names(messages: &Messages<'_>, evidence: &Evidence) -> HashSet<u64, foldhash::fast::FixedState> {
    let mut names = HashSet::default();
    for transaction in &evidence.transactions {
        if signature(false, transaction).is_some()
            && let Some(asked) = asked(messages, transaction)
        {
            names.insert(asked.key.name);
        }
    }
    names
}

fn asked_if_named<'i>(
    messages: &Messages<'i>,
    transaction: &Transaction,
    names: &HashSet<u64, foldhash::fast::FixedState>,
) -> Option<Asked<'i>> {
    asked(messages, transaction).filter(|asked| names.contains(&asked.key.name))
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

/// Episodes that share server and signature and overlap or follow closely.
fn problems(episodes: &[Episode], gap_ns: Nanos) -> Vec<Problem> {
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
    let attempts = |problem: &Problem| -> usize {
        problem
            .episodes
            .iter()
            .filter_map(|id| episodes.get(id.0 as usize))
            .map(|e| e.transactions.len())
            .sum()
    };
    problems.sort_by_key(|problem| (std::cmp::Reverse(attempts(problem)), problem.first_ns));
    problems
}
