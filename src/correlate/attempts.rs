//! The attempts at the services that have problems: what windows, splits and client tables are made from.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;

use super::episodes::signature;
use super::steady::Steady;
use super::windows::Mark;
use super::{Evidence, Outcome, Problem, Transaction, TransactionId, zones};
use crate::decode::Address;
use crate::index::names::name_hash;
use crate::index::{Index, Packet, PacketId};
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;
type Set<K> = HashSet<K, foldhash::fast::FixedState>;

/// A server as asked: address, port, IP protocol.
pub type Service = (Address, u16, u8);

/// Attempts kept of all services; a flood has more.
const ATTEMPTS_MAX: usize = 2_000_000;
/// Failed questions whose answers elsewhere are looked for.
const QUESTIONS_MAX: usize = 200_000;
/// Answers kept of one failed question.
const ANSWERS_MAX: usize = 4_096;
/// Transactions read by one thread at a time.
const BLOCK: usize = 1 << 14;

/// How an attempt counts for one problem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// A usable answer: also that a name does not exist.
    Good,
    /// It failed as the problem says.
    Bad,
    /// It failed in another way, or how it ended cannot be told.
    #[default]
    Other,
}

/// One query of a client with its retries, as far as windows need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// Position among all transactions.
    pub id: u32,
    /// The lookup it is part of.
    pub lookup: u32,
    pub state: State,
    /// Position of the client in a list of the caller's.
    pub client: u32,
    pub address: Address,
    /// The first try.
    pub began: Mark,
    /// The answer, the error, or the last try.
    pub ended: Mark,
    pub name: u64,
    pub zone: u64,
    pub question: u64,
    pub qtype: u16,
    pub edns: bool,
    pub port: u16,
}

impl Default for Attempt {
    fn default() -> Self {
        let mark = Mark { at_ns: 0, packet: PacketId(0) };
        Self {
            id: 0,
            lookup: 0,
            state: State::Other,
            client: 0,
            address: Address::None,
            began: mark,
            ended: mark,
            name: 0,
            zone: 0,
            question: 0,
            qtype: 0,
            edns: false,
            port: 0,
        }
    }
}

/// A usable answer to a question that failed somewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rescue {
    /// Position among all transactions.
    pub id: u32,
    pub service: Service,
    pub ended: Mark,
}

/// All that was gathered.
#[derive(Default)]
pub(super) struct Gathered {
    /// By service, in order of the queries.
    pub attempts: BTreeMap<Service, Vec<Attempt>>,
    /// By client and question, in order of the queries.
    pub rescues: Map<(Address, u64), Vec<Rescue>>,
    /// What the servers of those services answered over another transport or at another port: by client and server, which service and
    /// when it was asked.
    pub beside: BTreeMap<(Address, Address), Vec<(Service, Nanos)>>,
    /// More than [`ATTEMPTS_MAX`].
    pub capped: bool,
}

/// What one block of transactions gives.
#[derive(Default)]
struct Read {
    attempts: Vec<(Service, Attempt)>,
    rescues: Vec<((Address, u64), Rescue)>,
    beside: Vec<((Address, Address), (Service, Nanos))>,
}

/// Whether a transaction brought its client an answer it can use.
pub(super) fn is_good(transaction: &Transaction) -> bool {
    transaction.outcome == Outcome::Answered
        && transaction.declined.is_none()
        && signature(false, transaction).is_none()
}

/// Whether an answer only says whom else to ask, as a zone's servers tell a resolver (RFC 1034 §4.3.2): no data, no authority, and
/// name servers beside it.
pub fn is_referral(index: &Index, transaction: &Transaction) -> bool {
    let asks = transaction.question(index).is_some_and(|row| !row.header.recursion_desired());
    let answer = || index.packet(transaction.answer?)?.dns().copied();
    asks && transaction.response_code == 0
        && answer().is_some_and(|row| {
            let [_, answers, authority, _] = row.header.counts;
            answers == 0 && authority > 0 && !row.header.is_authoritative()
        })
}

/// The service of a problem.
pub(super) fn service(problem: &Problem) -> Service {
    (problem.server.0, problem.server.1, problem.transport)
}

/// The key by which a name's zone is compared: that of the zone, the parent for names looked up as in a table.
pub(super) fn zone_hash(wire: &[u8]) -> u64 {
    let parent = || {
        let length = wire.first().map_or(0, |length| usize::from(*length) + 1);
        wire.get(length..).unwrap_or(wire)
    };
    name_hash(zones::of_wire(wire).unwrap_or_else(parent))
}

/// Reads all attempts at the services of some problems; `host` gives the address that stands for all of one host.
pub(super) fn gather(
    index: &Index,
    (evidence, steady): (&Evidence, &Steady),
    problems: &[Problem],
    host: &(impl Fn(Address) -> Address + Sync),
) -> Gathered {
    let services: Set<Service> = problems.iter().map(service).collect();
    let servers: Set<Address> = services.iter().map(|(server, ..)| *server).collect();
    let failing = questions(index, evidence, problems, host);
    let lookups = evidence.lookups(index);
    let lookup = |id: u32| lookups.of(TransactionId(id)).map_or(0, |lookup| lookup.0);
    let blocks = evidence.transactions.par_chunks(BLOCK).enumerate();
    let read = |(block, transactions): (usize, &[Transaction])| {
        let mut own = Read::default();
        for (transaction, id) in transactions.iter().zip((block * BLOCK) as u32..) {
            let Some(packet) = index.packet(transaction.first) else { continue };
            let service = (packet.destination_address(), packet.destination_port(), packet.transport());
            let at_service = services.contains(&service);
            let good = is_good(transaction);
            if !at_service && !good {
                continue;
            }
            let Some(mut attempt) = attempt((index, steady), &packet, (id, lookup(id), transaction), good)
            else {
                continue;
            };
            // What was tried again over TCP failed until that had failed as well.
            if let Some(last) = evidence.tried_over_tcp(TransactionId(id)).and_then(|last| index.packet(last))
            {
                let tried = steady.mark(Mark { at_ns: last.time_ns(), packet: last.id });
                attempt.ended = attempt.ended.max(tried);
            }
            let key = (host(attempt.address), attempt.question);
            if good && failing.contains(&key) && !is_referral(index, transaction) {
                let rescue = Rescue { id, service, ended: attempt.ended };
                own.rescues.push((key, rescue));
            }
            if good && servers.contains(&service.0) {
                own.beside.push(((host(attempt.address), service.0), (service, attempt.began.at_ns)));
            }
            if at_service {
                own.attempts.push((service, attempt));
            }
        }
        own
    };
    let blocks: Vec<_> = blocks.map(read).collect();
    let mut found = Gathered::default();
    let mut kept = 0;
    for Read { attempts, rescues, beside } in blocks {
        for (service, attempt) in attempts {
            kept += 1;
            if kept > ATTEMPTS_MAX {
                found.capped = true;
                break;
            }
            found.attempts.entry(service).or_default().push(attempt);
        }
        for (key, served) in beside {
            let known = found.beside.entry(key).or_default();
            if known.len() < ANSWERS_MAX {
                known.push(served);
            }
        }
        for (key, rescue) in rescues {
            let known = found.rescues.entry(key).or_default();
            if known.len() < ANSWERS_MAX {
                known.push(rescue);
            }
        }
    }
    found
}

/// The questions that failed, by who asked.
fn questions(
    index: &Index,
    evidence: &Evidence,
    problems: &[Problem],
    host: &impl Fn(Address) -> Address,
) -> Set<(Address, u64)> {
    let episodes = problems.iter().flat_map(|problem| &problem.episodes);
    let episodes = episodes.filter_map(|id| evidence.episodes.get(id.0 as usize));
    let failed = episodes.flat_map(|episode| &episode.transactions).take(QUESTIONS_MAX);
    let key = |id| {
        let transaction = evidence.transaction(id)?;
        let packet = index.packet(transaction.first)?;
        Some((host(packet.source_address()), transaction.question(index)?.question))
    };
    failed.filter_map(|id| key(*id)).collect()
}

fn attempt(
    (index, steady): (&Index, &Steady),
    packet: &Packet<'_>,
    (id, lookup, transaction): (u32, u32, &Transaction),
    good: bool,
) -> Option<Attempt> {
    let row = transaction.question(index)?;
    let began = Mark { at_ns: packet.time_ns(), packet: transaction.first };
    // A late answer is none any more when it comes: what failed is what was asked.
    let decided = transaction.answer.or(transaction.error).filter(|_| transaction.outcome != Outcome::Late);
    let last = decided.unwrap_or(transaction.last);
    let at = |packet: PacketId| Mark { at_ns: index.packet(packet).map_or(0, |p| p.time_ns()), packet };
    let ended = if last == transaction.first { began } else { at(last) };
    let (began, ended) = (steady.mark(began), steady.mark(ended));
    let ended = ended.max(began);
    let name = packet.segment.names.get(row.name);
    Some(Attempt {
        id,
        lookup,
        state: if good { State::Good } else { State::Other },
        client: 0,
        address: packet.source_address(),
        began,
        ended,
        name: name.map_or(0, name_hash),
        zone: name.map_or(0, zone_hash),
        question: row.question,
        qtype: row.qtype,
        edns: row.header.counts[3] > 0,
        port: packet.source_port(),
    })
}
