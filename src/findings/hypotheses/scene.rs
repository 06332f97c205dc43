//! One problem with everything the hypotheses are weighed on: its errors, its server, its clients, their surroundings.

mod incidents;

use std::collections::BTreeSet;

use crate::correlate::hosts::Place;
use crate::correlate::impact::{Hosts, Impact};
use crate::correlate::{Consequence, Episode, Outcome, Problem, Signature, Transaction, Vantage};
use crate::decode::Address;
use crate::findings::facts::disagreement::Disagreement;
use crate::findings::facts::records::{self, Start};
use crate::findings::facts::slow::Wait;
use crate::findings::facts::{ErrorFact, Facts, Host, Meaning, Server, blocks, servers};
use crate::findings::hypotheses::thresholds::{ANSWERS_MAX, CLIENTS_FOR_LOAD};
use crate::findings::{FRAMES_MAX, Finding};
use crate::index::PacketId;
use crate::time::Nanos;
pub use incidents::Incident;

/// One problem, or the incident outside DNS failures.
pub struct Scene<'f, 'i> {
    /// Everything gathered.
    pub facts: &'f Facts<'i>,
    /// What the rules found.
    pub findings: &'f [Finding],
    /// Position of the problem; `None` outside DNS failures.
    pub problem: Option<usize>,
    /// What kind of incident it is; `None` for a DNS problem.
    pub incident: Option<Incident<'f>>,
    /// The address asked.
    pub server: Address,
    /// Its port and IP protocol.
    pub service: (u16, u8),
    /// What the failures have in common.
    pub signature: Option<&'i Signature>,
    /// The clients.
    pub clients: Vec<Address>,
    /// The names, not escaped.
    pub names: Vec<String>,
    /// The failed transactions.
    pub transactions: Vec<&'i Transaction>,
    /// Frames of the failed queries, first tries and repeats.
    pub queries: Vec<PacketId>,
    /// The errors about them.
    pub errors: Vec<&'f ErrorFact>,
    /// First query and last query or error.
    pub period_ns: (Nanos, Nanos),
}

impl<'f, 'i> Scene<'f, 'i> {
    /// The scene of a DNS problem.
    pub fn of_problem(facts: &'f Facts<'i>, at: usize, findings: &'f [Finding]) -> Option<Self> {
        let problem: &'i Problem = facts.evidence.problems.get(at)?;
        let transactions: Vec<&'i Transaction> = facts.transactions(problem).collect();
        let mut queries = BTreeSet::new();
        let mut errors = BTreeSet::new();
        for episode in Self::episodes_of(facts, problem) {
            errors.extend(episode.errors.iter().copied());
            let asked = episode.frames.iter().filter(|frame| !episode.errors.contains(frame));
            queries.extend(asked.copied().take(FRAMES_MAX));
        }
        for transaction in &transactions {
            queries.insert(transaction.first);
            errors.extend(transaction.error);
        }
        // An error speaks for the protocol it quotes: connections tried after a failure over UDP have errors of their own.
        let carries = |packet: PacketId| {
            facts.index.packet(packet).is_some_and(|packet| packet.transport() == problem.transport)
        };
        let over_tcp = problem.signature == Signature::Truncated;
        if !over_tcp {
            queries.retain(|query| carries(*query));
        }
        // An error the correlation could not tie to one query still belongs here when it quotes this server.
        let quotes = |error: &&ErrorFact| {
            errors.contains(&error.packet)
                || error.about.is_some_and(|about| queries.contains(&about) && (over_tcp || carries(about)))
        };
        Some(Self {
            facts,
            findings,
            problem: Some(at),
            incident: None,
            server: problem.server.0,
            service: (problem.server.1, problem.transport),
            signature: Some(&problem.signature),
            clients: problem.clients.clone(),
            names: problem.names.clone(),
            errors: facts.errors.iter().filter(quotes).collect(),
            queries: queries.iter().copied().collect(),
            transactions,
            period_ns: (problem.first_ns, problem.last_ns),
        })
    }

    /// The scenes of incidents that are no DNS problem of their own.
    pub fn of_incidents(facts: &'f Facts<'i>, findings: &'f [Finding]) -> Vec<Self> {
        incidents::all(facts, findings)
    }

    /// The failed transactions that were left in silence: those without an answer, and where the capture ends in
    /// silence also those it cannot decide.
    pub fn silent(&self) -> Vec<&'i Transaction> {
        let cut_short = matches!(self.incident, Some(Incident::Silence));
        let silent = |t: &&&'i Transaction| {
            t.outcome == Outcome::NoAnswer || (cut_short && t.outcome == Outcome::Undetermined)
        };
        self.transactions.iter().filter(silent).copied().collect()
    }

    /// Whether the silence says something: both directions are in view, or it was judged so, or the capture was taken at
    /// the client, whose own repeats show that nothing reached it.
    pub fn silence_counts(&self) -> bool {
        let evidence = self.facts.evidence;
        let judged = || self.silent().iter().all(|transaction| transaction.outcome == Outcome::NoAnswer);
        !evidence.one_sided || evidence.surroundings().vantage == Vantage::Client || judged()
    }

    /// Another address of the server's host, told by its link address, that answered meanwhile.
    pub fn other_address(&self) -> Option<(Address, PacketId)> {
        let (from, to) = self.period_ns;
        let hosts = Hosts::of(self.facts.evidence.surroundings());
        let others: Vec<Address> = hosts.others(self.server).collect();
        let mut asked = self.facts.servers.iter().filter(|(key, _)| others.contains(&key.0));
        asked.find_map(|(key, server)| Some((key.0, server.answers_in(from, to).next()?.packet)))
    }

    fn episodes_of(facts: &'f Facts<'i>, problem: &'i Problem) -> impl Iterator<Item = &'i Episode> {
        let evidence = facts.evidence;
        problem.episodes.iter().filter_map(move |id| evidence.episodes.get(id.0 as usize))
    }

    /// The problem's episodes.
    pub fn episodes(&self) -> impl Iterator<Item = &'i Episode> {
        let evidence = self.facts.evidence;
        let problem = self.problem.and_then(|at| evidence.problems.get(at));
        problem
            .into_iter()
            .flat_map(|problem| problem.episodes.iter())
            .filter_map(move |id| evidence.episodes.get(id.0 as usize))
    }

    /// What the problem did to its clients: windows, what parts failures from answers, the table of clients.
    pub fn impact(&self) -> Option<&'i Impact> {
        self.facts.evidence.impact(self.problem?)
    }

    /// The questions to this server that waited for their answer.
    pub fn waits(&self) -> impl Iterator<Item = &'f Wait> {
        let key = (self.server, self.service.0, self.service.1);
        self.facts.slow.iter().filter(move |slow| slow.server == key).flat_map(|slow| &slow.questions)
    }

    /// What clients did next, by code.
    pub fn consequences(&self, code: &'static str) -> impl Iterator<Item = &'i Consequence> {
        let evidence = self.facts.evidence;
        let problem = self.problem.and_then(|at| evidence.problems.get(at));
        let episodes = problem.into_iter().flat_map(|problem| problem.episodes.iter());
        episodes.flat_map(|id| evidence.consequences(id.0 as usize)).filter(move |next| next.code == code)
    }

    /// Which rules of a packet filter blocked all that was asked, where the log says so.
    pub fn blocked(&self) -> Option<String> {
        let index = self.facts.index;
        match self.incident {
            Some(Incident::Service(trouble)) => blocks::by(index, &trouble.frames(self.facts.attempts)),
            _ => blocks::by(index, &self.queries),
        }
    }

    /// What is known of the server as asked here.
    pub fn asked(&self) -> Option<&'f Server> {
        self.facts.servers.get(&(self.server, self.service.0, self.service.1))
    }

    /// What the server's address sent.
    pub fn host(&self) -> Option<&'f Host> {
        self.facts.hosts.get(&self.server)
    }

    /// The errors with one meaning that are about queries.
    pub fn errors_of(&self, meaning: Meaning) -> Vec<&'f ErrorFact> {
        let fits = |error: &&&ErrorFact| error.meaning == meaning && !error.is_about_response();
        self.errors.iter().filter(fits).copied().collect()
    }

    /// The failed transactions with one outcome.
    pub fn ended(&self, outcome: Outcome) -> Vec<&'i Transaction> {
        self.transactions.iter().filter(|transaction| transaction.outcome == outcome).copied().collect()
    }

    /// Whether queries from many clients to this server would be seen here.
    pub fn sees_load(&self) -> bool {
        let clients = self.asked().map_or(0, |server| server.clients.len());
        let evidence = self.facts.evidence;
        match evidence.surroundings().vantage {
            Vantage::Server => true,
            Vantage::Client if self.clients.iter().any(|client| evidence.place(*client) == Place::Here) => {
                false
            }
            // Next to the clients, on a link that many share.
            Vantage::Client | Vantage::Middle | Vantage::Unknown => clients >= CLIENTS_FOR_LOAD,
        }
    }

    /// Answers from other addresses than were asked, whom they came from, and whether each silent question got one.
    pub fn misaddressed(&self) -> (Vec<PacketId>, BTreeSet<Address>, bool) {
        let evidence = self.facts.evidence;
        let pairs: Vec<(PacketId, PacketId)> = evidence.misaddressed(&self.queries).collect();
        let from = |answer: PacketId| self.facts.index.packet(answer).map(|packet| packet.source_address());
        let asked: BTreeSet<_> =
            pairs.iter().filter_map(|(_, query)| evidence.transaction_of(*query)).collect();
        let got =
            |own: &&Transaction| evidence.transaction_of(own.first).is_some_and(|id| asked.contains(&id));
        let silent = self.silent();
        let all = !pairs.is_empty() && silent.iter().all(got);
        (
            pairs.iter().map(|(answer, _)| *answer).collect(),
            pairs.iter().filter_map(|(answer, _)| from(*answer)).collect(),
            all,
        )
    }

    /// The servers that disagree about one of its names: the asked one is one of them, or asked both.
    pub fn disagreement(&self) -> Option<&'f Disagreement> {
        let named = |own: &&Disagreement| self.names.iter().any(|name| own.is_about(name));
        let concerned = |own: &&Disagreement| {
            own.outdated == self.server || own.current == self.server || own.clients.contains(&self.server)
        };
        self.facts.disagreements.iter().filter(concerned).find(named)
    }

    /// Whether any of it was asked as applications ask; a resolver asks each zone's own servers (RFC 1034 §4.3.1).
    pub fn wants_recursion(&self) -> bool {
        let desired = |own: &&'i Transaction| {
            own.question(self.facts.index).is_some_and(|row| row.header.recursion_desired())
        };
        self.transactions.is_empty() || self.transactions.iter().any(desired)
    }

    /// Whether the scene is about lookups at a server.
    pub fn is_lookup(&self) -> bool {
        use Incident::{Denied, Lame, NoTcp, Silence, Uncaptured, UnknownZone, Vanished};
        self.problem.is_some()
            || matches!(
                self.incident,
                Some(Silence | NoTcp | Uncaptured | Vanished | Lame | Denied | UnknownZone(_))
            )
    }

    /// The record-quality points, when any of them is about packets of this scene.
    pub fn quality(&self) -> impl Iterator<Item = &'f Finding> {
        let mine = |frame: &PacketId| {
            self.queries.binary_search(frame).is_ok()
                || self.errors.binary_search_by_key(frame, |error| error.packet).is_ok()
        };
        let points = || self.findings.iter().filter(|finding| finding.code.is_some());
        let touched = points().any(|finding| finding.frames.iter().any(mine));
        points().filter(move |_| touched)
    }

    /// The zone that the server's denials name by their start of authority (RFC 2308 §2.1), from the first that does.
    pub fn zone_named(&self) -> Option<Start> {
        let answers = self.transactions.iter().filter_map(|transaction| transaction.answer);
        answers.take(ANSWERS_MAX).find_map(|answer| records::start_of(self.facts.index, answer))
    }

    /// Whether a query went to the resolver and its name was answered by another one within ten seconds.
    pub fn failed_over(&self, transaction: &Transaction) -> Option<PacketId> {
        self.facts.answered_elsewhere(transaction)
    }

    /// The client and server of a transaction.
    pub fn ends(&self, transaction: &Transaction) -> Option<(Address, servers::ServerKey)> {
        servers::key_of(self.facts, transaction)
    }
}
