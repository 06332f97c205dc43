//! How often failing servers were asked, and which clients lost lookups for good: what tells a few chance losses from failures.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::attempts::is_good;
use super::clients::{RESCUE_NS, weighs};
use super::evidence::first_of;
use super::messages::{Messages, NONE, Run};
use super::numbers::Numbers;
use super::{Episode, Evidence, Problem, TransactionId};
use crate::index::PacketId;
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;
type Set<K> = HashSet<K, foldhash::fast::FixedState>;

/// Messages looked through by one thread at a time.
const BLOCK: u32 = 1 << 16;
/// Failed attempts whose questions are followed; whoever loses more is let down anyway.
const FOLLOWED_MAX: usize = 100_000;
/// Clients of which all questions are counted.
const CLIENTS_MAX: usize = 1 << 16;
/// Bits by which most questions are told from those that failed.
const BITS: u32 = 16;

/// What is known around each problem; of those that were no candidates nothing.
pub(super) struct Losses {
    pub problems: Vec<Around>,
}

/// What is known around one problem.
#[derive(Clone, Copy, Default)]
pub(super) struct Around {
    /// How often its server was asked while it lasted, by clients of which some lookup failed.
    pub asked: usize,
    /// A client lost more of its lookups for good than chance takes.
    pub lets_down: bool,
}

/// A failed attempt: its problem, client and question, and when it began and ended.
struct Failed {
    problem: usize,
    client: u32,
    question: u64,
    began_ns: Nanos,
    until_ns: Nanos,
}

/// What one block of messages holds.
#[derive(Default)]
struct Seen {
    /// By problem, questions to its server while it lasted.
    asked: Vec<usize>,
    /// By client, all its questions.
    of_client: Vec<u32>,
    /// Answers to questions that failed somewhere: client, question and time.
    answers: Vec<(u32, u64, Nanos)>,
}

/// Looks around the candidates.
pub(super) fn of(
    messages: &Messages<'_>,
    evidence: &Evidence,
    (problems, candidates, episodes): (&[Problem], &[usize], &[Episode]),
    hosts: &Numbers<'_>,
) -> Losses {
    let mut around = vec![Around::default(); problems.len()];
    if candidates.is_empty() {
        return Losses { problems: around };
    }
    let failed = failed(messages, evidence, (problems, candidates, episodes), hosts);
    let mut bits = vec![0u64; 1 << (BITS - 6)];
    for one in &failed {
        if let Some(word) = bits.get_mut((one.question >> 6) as usize & ((1 << (BITS - 6)) - 1)) {
            *word |= 1 << (one.question & 63);
        }
    }
    let questions = failed.iter().map(|one| one.question).collect();
    let spans = spans((problems, candidates), hosts);
    let look = Look { messages, evidence, hosts, spans, bits, questions };
    let blocks =
        (0..messages.len().div_ceil(BLOCK)).into_par_iter().map(|block| look.at(block, problems.len()));
    let seen = blocks.reduce(Seen::default, Seen::and);
    for (around, asked) in around.iter_mut().zip(&seen.asked) {
        around.asked = *asked;
    }
    let mut answers: Map<(u32, u64), Vec<Nanos>> = Map::default();
    for (client, question, at_ns) in seen.answers {
        answers.entry((client, question)).or_default().push(at_ns);
    }
    let is_lost = |one: &&Failed| {
        let known = answers.get(&(one.client, one.question));
        !known.is_some_and(|all| all.iter().any(|at_ns| (one.began_ns..=one.until_ns).contains(at_ns)))
    };
    let lost: Vec<&Failed> = failed.iter().filter(is_lost).collect();
    let mut of_client: Map<u32, u32> = Map::default();
    for one in &lost {
        *of_client.entry(one.client).or_default() += 1;
    }
    let asked = |client: u32| seen.of_client.get(client as usize).copied().unwrap_or(u32::MAX);
    let let_down: Set<u32> = of_client
        .into_iter()
        .filter(|(client, lost)| weighs(*lost, asked(*client)))
        .map(|(client, _)| client)
        .collect();
    for one in lost.iter().filter(|one| let_down.contains(&one.client)) {
        if let Some(around) = around.get_mut(one.problem) {
            around.lets_down = true;
        }
    }
    Losses { problems: around }
}

fn failed(
    messages: &Messages<'_>,
    evidence: &Evidence,
    (problems, candidates, episodes): (&[Problem], &[usize], &[Episode]),
    hosts: &Numbers<'_>,
) -> Vec<Failed> {
    let mut found = Vec::new();
    for at in candidates {
        let of_problem = problems.get(*at).into_iter().flat_map(|problem| &problem.episodes);
        for episode in of_problem.filter_map(|id| episodes.get(id.0 as usize)) {
            let Some(client) = hosts.client_number(episode.client) else { continue };
            for id in &episode.transactions {
                if found.len() == FOLLOWED_MAX {
                    return found;
                }
                found.extend(follow(messages, evidence, *id, (*at, client)));
            }
        }
    }
    found
}

fn follow(
    messages: &Messages<'_>,
    evidence: &Evidence,
    id: TransactionId,
    (problem, client): (usize, u32),
) -> Option<Failed> {
    let transaction = evidence.transaction(id)?;
    let question = transaction.question(messages.index)?.question;
    let time = |packet: PacketId| messages.index.packet(packet).map_or(0, |packet| packet.time_ns());
    let until_ns = time(transaction.answer.unwrap_or(transaction.last)) + RESCUE_NS;
    Some(Failed { problem, client, question, began_ns: time(transaction.first), until_ns })
}

/// By server number, the problems and when they lasted.
fn spans(
    (problems, candidates): (&[Problem], &[usize]),
    hosts: &Numbers<'_>,
) -> Vec<Vec<(usize, Nanos, Nanos)>> {
    let mut spans: Vec<Vec<(usize, Nanos, Nanos)>> = Vec::new();
    for (at, problem) in candidates.iter().filter_map(|at| Some((*at, problems.get(*at)?))) {
        let Some(server) = hosts.server_number(problem.server.0) else { continue };
        spans.resize_with(spans.len().max(server as usize + 1), Vec::new);
        if let Some(spans) = spans.get_mut(server as usize) {
            spans.push((at, problem.first_ns, problem.last_ns));
        }
    }
    spans
}

struct Look<'l, 'i> {
    messages: &'l Messages<'i>,
    evidence: &'l Evidence,
    hosts: &'l Numbers<'l>,
    spans: Vec<Vec<(usize, Nanos, Nanos)>>,
    bits: Vec<u64>,
    questions: Set<u64>,
}

impl Look<'_, '_> {
    fn at(&self, block: u32, problems: usize) -> Seen {
        let range = block * BLOCK..(block + 1).saturating_mul(BLOCK).min(self.messages.len());
        let mut seen = Seen {
            asked: vec![0; problems],
            of_client: vec![0; self.hosts.counts().0.min(CLIENTS_MAX)],
            answers: Vec::new(),
        };
        for Run { at, segment, rows, ordinal, .. } in self.messages.runs(range) {
            for (row, tag) in rows.iter().zip(self.evidence.tags_from(ordinal)) {
                let Some(id) = first_of(*tag) else { continue };
                let place = (row.packet.0 - segment.base.0) as usize;
                let (client, server) = self.hosts.either((at, segment), place);
                if client == NONE {
                    continue;
                }
                if let Some(count) = seen.of_client.get_mut(client as usize) {
                    *count += 1;
                }
                let spans = self.spans.get(server as usize).map(Vec::as_slice).unwrap_or_default();
                let failed = self.may_have_failed(row.question);
                if spans.is_empty() && !failed {
                    continue;
                }
                let time_ns = segment.time_ns.get(place).copied().unwrap_or_default();
                for (at, first_ns, last_ns) in spans {
                    if (*first_ns..=*last_ns).contains(&time_ns)
                        && let Some(count) = seen.asked.get_mut(*at)
                    {
                        *count += 1;
                    }
                }
                let transaction =
                    self.evidence.transaction(id).filter(|transaction| failed && is_good(transaction));
                if let Some(transaction) = transaction {
                    seen.answers.push((client, row.question, time_ns + transaction.waited_ns));
                }
            }
        }
        seen
    }

    fn may_have_failed(&self, question: u64) -> bool {
        let word = self.bits.get((question >> 6) as usize & ((1 << (BITS - 6)) - 1));
        word.is_some_and(|word| word >> (question & 63) & 1 == 1) && self.questions.contains(&question)
    }
}

impl Seen {
    fn and(mut self, mut other: Self) -> Self {
        if self.asked.is_empty() {
            return other;
        }
        self.asked.iter_mut().zip(&other.asked).for_each(|(one, other)| *one += other);
        self.of_client.iter_mut().zip(&other.of_client).for_each(|(one, other)| *one += other);
        self.answers.append(&mut other.answers);
        self
    }
}
