//! What a problem did to its clients: what splits it from successes, its windows, and the table of clients.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::arrival::Lost;
use super::attempts::{self, Attempt, Gathered, Service, State};
use super::clients::{self, Client, Served};
use super::episodes::signature;
use super::hosts::Place;
use super::lookups::Lookups;
use super::splits::{self, Split};
use super::steady::Steady;
use super::vantage::Surroundings;
use super::windows::{self, Mark, Window};
use super::{Evidence, Problem, Signature, TransactionId, absent};
use crate::decode::Address;
use crate::index::{Index, PacketId};
use crate::time::Nanos;

/// Problems looked at in detail; the gravest come first.
pub const PROBLEMS_MAX: usize = 64;
/// Failures of another kind this soon before or after are part of the same outage.
const PHASE_GAP_NS: Nanos = 5_000_000_000;
/// Clients of the same service without a failure that are named.
const UNAFFECTED_MAX: usize = 256;

/// An answer after the client's own retry, a second or more, is one that people notice.
const NOTICED_NS: Nanos = 1_000_000_000;

/// RCODE 2 (RFC 1035 §4.1.1).
const SERVFAIL: u16 = 2;

/// What a problem did to whom, and when.
#[derive(Clone, Debug, Default)]
pub struct Impact {
    /// What splits failure from success.
    pub split: Split,
    /// The outages, in order.
    pub windows: Vec<Window>,
    /// The clients that failed, by address.
    pub clients: Vec<Client>,
    /// Clients that asked the same service inside the windows, without a failure of their own and answered, by address.
    pub unaffected: Vec<Address>,
    /// Those of them that waited longer than people do not notice, and how long at most.
    pub slow: Vec<(Address, Nanos)>,
    /// Those of them that also have a question inside the windows that was not answered: it cannot be said that they were
    /// not affected (truth T40).
    pub mixed: Vec<Address>,
    /// Attempts of failing clients at the service inside the windows that are not of the class, and were answered.
    pub answered_beside: u32,
    /// Other problems that are faces of the same outage (silence, then refusals); all else is told of them together.
    pub phases: Vec<usize>,
    /// The graver problem whose face this is.
    pub phase_of: Option<usize>,
    /// A limit was reached: numbers are "at least".
    pub capped: bool,
}

impl Impact {
    /// Attempts of the failing clients inside the windows, and those that failed.
    pub fn asked_and_failed(&self) -> (u64, u64) {
        let sum = |of: fn(&Client) -> u32| self.clients.iter().map(|client| u64::from(of(client))).sum();
        (sum(|client| client.asked), sum(|client| client.failed))
    }

    /// The clients that were never served.
    pub fn stranded(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter().filter(|client| client.never_served)
    }

    /// Whether every failing client was rescued: nobody was without service.
    pub fn is_covered(&self) -> bool {
        !self.clients.is_empty() && self.clients.iter().all(Client::is_rescued)
    }

    /// Whether all that failed were tries of search lists, whose lookups ended well.
    pub fn is_searched(&self) -> bool {
        !self.clients.is_empty() && self.clients.iter().all(Client::is_searched)
    }

    /// The row of a client, by any of its addresses.
    pub fn client(&self, address: Address) -> Option<&Client> {
        self.clients.iter().find(|client| client.address == address || client.others.contains(&address))
    }
}

/// Looks at the problems of the evidence.
pub(super) fn look(index: &Index, evidence: &Evidence) -> Vec<Impact> {
    let problems = evidence.problems.get(..evidence.problems.len().min(PROBLEMS_MAX)).unwrap_or_default();
    if problems.is_empty() {
        return Vec::new();
    }
    let hosts = Hosts::of(evidence.surroundings());
    let steady = Steady::of(index, evidence);
    let gathered = attempts::gather(index, (evidence, &steady), problems, &|address| hosts.host(address));
    let lookups = evidence.lookups(index);
    let unsure = unsure(evidence);
    let look = Look { index, evidence, lookups, problems, hosts, gathered, unsure, steady };
    let mut impacts: Vec<Impact> = (0..problems.len()).into_par_iter().map(|at| look.at(&[at])).collect();
    let mut lead_of: Vec<Option<usize>> = vec![None; problems.len()];
    for other in 1..problems.len() {
        let free = |lead: &usize| lead_of.get(*lead).is_some_and(Option::is_none);
        let mut leads = (0..other).filter(free);
        let lead = leads.find(|lead| look.is_phase((*lead, other), &impacts) == Some(true));
        if let Some(slot) = lead_of.get_mut(other) {
            *slot = lead;
        }
    }
    for lead in 0..problems.len() {
        let phases: Vec<usize> =
            lead_of.iter().enumerate().filter(|(_, of)| **of == Some(lead)).map(|(at, _)| at).collect();
        let all: Vec<usize> = std::iter::once(lead).chain(phases.iter().copied()).collect();
        if let Some(impact) = impacts.get_mut(lead).filter(|_| !phases.is_empty()) {
            *impact = Impact { phases, ..look.at(&all) };
        }
    }
    for (impact, lead) in impacts.iter_mut().zip(lead_of) {
        impact.phase_of = lead;
    }
    impacts
}

/// Repeats after lost answers that nothing tells of whether they were answered in vain as well.
fn unsure(evidence: &Evidence) -> BTreeSet<u32> {
    let lost = |id: TransactionId| matches!(evidence.lost(id), Some(Lost::AskedAgain(_) | Lost::Ignored(_)));
    let last = evidence.again.iter().filter(|(before, after)| lost(*before) && !lost(*after));
    last.map(|(_, after)| after.0).collect()
}

/// Which addresses belong to one host.
pub struct Hosts {
    host: BTreeMap<Address, Address>,
}

impl Hosts {
    /// Addresses of one source MAC that is no router's: all of them are on this link, one IPv4 address at most. And those of both
    /// families that ask the same questions with the same ids at the same moments.
    pub fn of(surroundings: &Surroundings) -> Self {
        let mut by_link: BTreeMap<[u8; 6], Vec<(Address, Place)>> = BTreeMap::new();
        for sight in surroundings.sights() {
            let Some(link) = sight.link.filter(|link| *link != [0; 6]) else { continue };
            by_link.entry(link).or_default().push((sight.address, sight.place));
        }
        let mut host: BTreeMap<Address, Address> = BTreeMap::new();
        for addresses in by_link.into_values() {
            let near = addresses.iter().all(|(_, place)| matches!(place, Place::Here | Place::Link));
            let old = addresses.iter().filter(|(address, _)| !address.is_v6()).count();
            if !near || old > 1 || addresses.len() < 2 {
                continue;
            }
            let first = addresses.iter().map(|(address, _)| *address).min().unwrap_or_default();
            host.extend(addresses.into_iter().map(|(address, _)| (address, first)));
        }
        for (one, other) in surroundings.twins() {
            if !host.contains_key(one) && !host.contains_key(other) {
                host.extend([(*one, *one), (*other, *one)]);
            }
        }
        Self { host }
    }

    /// The other addresses of an address's host.
    pub fn others(&self, address: Address) -> impl Iterator<Item = Address> + '_ {
        let own = self.host.get(&address);
        let same = move |(other, host): &(&Address, &Address)| Some(*host) == own && **other != address;
        self.host.iter().filter(same).map(|(other, _)| *other)
    }

    /// The address that stands for all of a host.
    pub fn host(&self, address: Address) -> Address {
        self.host.get(&address).copied().unwrap_or(address)
    }
}

/// What is needed to look at one problem after another.
struct Look<'e> {
    index: &'e Index,
    evidence: &'e Evidence,
    lookups: &'e Lookups,
    problems: &'e [Problem],
    hosts: Hosts,
    gathered: Gathered,
    /// The last repeats of questions of which the answers before did not arrive: nothing tells whether theirs did.
    unsure: BTreeSet<u32>,
    steady: Steady,
}

impl Look<'_> {
    /// What some problems of one service did together; the first is the gravest.
    fn at(&self, members: &[usize]) -> Impact {
        let problems: Vec<&Problem> = members.iter().filter_map(|at| self.problems.get(*at)).collect();
        let Some(lead) = problems.first() else { return Impact::default() };
        let service: Service = attempts::service(lead);
        let all = self.gathered.attempts.get(&service).map(Vec::as_slice).unwrap_or_default();
        let mut failing: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for address in problems.iter().flat_map(|problem| &problem.clients) {
            failing.entry(self.hosts.host(*address)).or_default().insert(*address);
        }
        let failing: Vec<(Address, Vec<Address>)> =
            failing.into_iter().map(|(host, addresses)| (host, addresses.into_iter().collect())).collect();
        let position =
            |address: Address| failing.binary_search_by_key(&self.hosts.host(address), |(host, _)| *host);
        let periods: Vec<(Nanos, Nanos)> = problems.iter().map(|problem| self.period_ns(problem)).collect();
        let mut own: Vec<Attempt> = Vec::new();
        for attempt in all {
            let Ok(client) = position(attempt.address) else { continue };
            let bad = attempt.state != State::Good && self.is_bad(&problems, &periods, attempt);
            let state = match () {
                () if bad => State::Bad,
                () if self.unsure.contains(&attempt.id) => State::Other,
                () => attempt.state,
            };
            own.push(Attempt { client: client as u32, state, ..*attempt });
        }
        let mut left_out = self.unsure.clone();
        if lead.signature == Signature::ResponseCode(SERVFAIL) {
            left_out.extend(self.leave_out_unchecked(&mut own));
        }
        if absent::is_of_lost_names(&lead.signature) {
            self.leave_out_denied(&mut own);
        }
        own.sort_by_key(|attempt| attempt.began);
        let first_ns = periods.iter().map(|period| period.0).min().unwrap_or_default();
        let last_ns = periods.iter().map(|period| period.1).max().unwrap_or_default();
        let from = own.partition_point(|attempt| attempt.began.at_ns < first_ns);
        let to = own.partition_point(|attempt| attempt.began.at_ns <= last_ns);
        let during = own.get(from..to).unwrap_or_default();
        let mut split = splits::find(during, &lead.signature);
        if split == Split::Nothing && lead.signature == Signature::NoAnswer {
            let inside = |attempt: &&Attempt| (first_ns..=last_ns).contains(&attempt.began.at_ns);
            let served: Vec<&Attempt> =
                all.iter().filter(inside).filter(|attempt| attempt.state == State::Good).collect();
            split = splits::by_edns(during, &served);
        }
        let single = split == Split::Zone && splits::are_single_names(&own);
        if single
            || split == Split::Nothing && splits::are_names_that_fail_on(&own, all, |id| self.has_failed(id))
        {
            split = Split::Name;
        }
        let member = splits::class(&split, &own);
        let class: Vec<Attempt> = own.iter().filter(|attempt| member(attempt)).copied().collect();
        let mut found = windows::find(&class, self.evidence.parameters.episode_gap_ns);
        if found.is_empty() {
            found = vec![whole(lead)];
        }
        let served = Served {
            index: self.index,
            evidence: self.evidence,
            steady: &self.steady,
            service,
            gathered: &self.gathered,
            left_out: &left_out,
            lookups: self.lookups,
        };
        let mut clients = clients::table(&class, &failing, &found, &served);
        let mut totals = vec![0; failing.len()];
        for attempt in &own {
            if let Some(total) = totals.get_mut(attempt.client as usize) {
                *total += 1;
            }
        }
        for client in &mut clients {
            client.total = position(client.address).ok().and_then(|at| totals.get(at)).copied().unwrap_or(0);
            let beside = self.gathered.beside.get(&(self.hosts.host(client.address), service.0));
            let beside = beside.map(Vec::as_slice).unwrap_or_default().iter();
            let otherwise =
                beside.filter(|(by, at_ns)| *by != service && windows::are_around(&found, *at_ns)).count();
            client.otherwise = otherwise as u32;
        }
        let inside = |attempt: &&Attempt| windows::are_around(&found, attempt.began.at_ns);
        let beside = own.iter().filter(inside).filter(|a| a.state == State::Good && !member(a)).count();
        let good =
            all.iter().filter(inside).filter(|attempt| attempt.state == State::Good && member(attempt));
        let mut waits: BTreeMap<Address, Nanos> = BTreeMap::new();
        for attempt in good.filter(|attempt| position(attempt.address).is_err()) {
            let longest = waits.entry(self.hosts.host(attempt.address)).or_default();
            *longest = (*longest).max(attempt.ended.at_ns - attempt.began.at_ns);
        }
        let others: BTreeSet<Address> = waits.keys().copied().collect();
        let slow = waits.into_iter().filter(|(_, longest)| *longest > NOTICED_NS).take(UNAFFECTED_MAX);
        let open = all.iter().filter(inside).filter(|attempt| attempt.state != State::Good);
        let open: BTreeSet<Address> = open.map(|attempt| self.hosts.host(attempt.address)).collect();
        let mixed = others.intersection(&open).copied().take(UNAFFECTED_MAX).collect();
        Impact {
            split,
            windows: found.into_iter().map(|window| self.steady.recorded(window)).collect(),
            clients,
            unaffected: others.into_iter().take(UNAFFECTED_MAX).collect(),
            slow: slow.collect(),
            mixed,
            answered_beside: beside as u32,
            capped: self.gathered.capped,
            phases: Vec::new(),
            phase_of: None,
        }
    }

    /// Whether a question failed, in whatever way.
    fn has_failed(&self, id: u32) -> bool {
        self.evidence.transaction(TransactionId(id)).is_some_and(|own| signature(false, own).is_some())
    }

    /// An answer with checking disabled (CD) is none that the same client's programs get, which ask with it (RFC 4035 §3.2.2).
    fn leave_out_unchecked(&self, own: &mut [Attempt]) -> Vec<u32> {
        let unchecked = |attempt: &Attempt| {
            let row =
                self.evidence.transaction(TransactionId(attempt.id)).and_then(|own| own.question(self.index));
            row.is_some_and(|row| row.header.checking_disabled())
        };
        let checked: BTreeSet<u32> = own
            .iter()
            .filter(|attempt| attempt.state == State::Bad && !unchecked(attempt))
            .map(|attempt| attempt.client)
            .collect();
        let mut left_out = Vec::new();
        for attempt in own.iter_mut().filter(|attempt| attempt.state == State::Good) {
            if checked.contains(&attempt.client) && unchecked(attempt) {
                attempt.state = State::Other;
                left_out.push(attempt.id);
            }
        }
        left_out
    }

    /// That a name has no address of another family, or never existed, says neither that lost names are back nor that they are not.
    fn leave_out_denied(&self, own: &mut [Attempt]) {
        for attempt in own.iter_mut().filter(|attempt| attempt.state == State::Good) {
            let transaction = self.evidence.transaction(TransactionId(attempt.id));
            if transaction.is_some_and(|own| absent::is_denied(self.index, own)) {
                attempt.state = State::Other;
            }
        }
    }

    /// From the first query of a problem to its last sign, in times that are never set back.
    fn period_ns(&self, problem: &Problem) -> (Nanos, Nanos) {
        if self.steady.moves_nothing() {
            return (problem.first_ns, problem.last_ns);
        }
        let at = |packet: PacketId| {
            let at_ns = self.index.packet(packet).map_or(0, |packet| packet.time_ns());
            self.steady.mark(Mark { at_ns, packet }).at_ns
        };
        let episodes = problem.episodes.iter().filter_map(|id| self.evidence.episodes.get(id.0 as usize));
        let times = episodes.flat_map(|episode| episode.frames.iter().map(|frame| at(*frame)));
        let (mut first_ns, mut last_ns) = (Nanos::MAX, Nanos::MIN);
        times.for_each(|at_ns| (first_ns, last_ns) = (first_ns.min(at_ns), last_ns.max(at_ns)));
        if first_ns > last_ns { (problem.first_ns, problem.last_ns) } else { (first_ns, last_ns) }
    }

    fn is_bad(&self, problems: &[&Problem], periods: &[(Nanos, Nanos)], attempt: &Attempt) -> bool {
        let transaction = self.evidence.transaction(TransactionId(attempt.id));
        let signature = transaction.and_then(|transaction| signature(attempt.address.is_v6(), transaction));
        signature.is_some_and(|signature| {
            problems.iter().zip(periods).any(|(problem, (first_ns, last_ns))| {
                signature == problem.signature && (*first_ns..=*last_ns).contains(&attempt.began.at_ns)
            })
        })
    }

    /// Whether a problem is another face of a graver one: the same service failed the same clients at the same time, and
    /// nothing else worked meanwhile by which the two could be told apart.
    fn is_phase(&self, (lead, other): (usize, usize), impacts: &[Impact]) -> Option<bool> {
        let (one, two) = (self.problems.get(lead)?, self.problems.get(other)?);
        let (first, second) = (impacts.get(lead)?, impacts.get(other)?);
        let near = |one: &Window, two: &Window| {
            one.first_bad.at_ns <= two.last_bad.at_ns + PHASE_GAP_NS
                && two.first_bad.at_ns <= one.last_bad.at_ns + PHASE_GAP_NS
        };
        let together = second.windows.iter().all(|two| first.windows.iter().any(|one| near(one, two)));
        let share = two.clients.iter().all(|client| one.clients.contains(client));
        let whole = first.answered_beside == 0 && second.answered_beside == 0;
        let named = two.names.iter().all(|name| one.names.contains(name));
        // A server that answers other names with other codes read each question: these are as many failures.
        let codes = [&one.signature, &two.signature];
        let coded = codes.iter().all(|signature| matches!(signature, Signature::ResponseCode(_)));
        let whole = whole && !coded;
        Some(attempts::service(one) == attempts::service(two) && together && share && (whole || named))
    }
}

/// Where no attempt could be read: from first to last.
fn whole(problem: &Problem) -> Window {
    let mark = |at_ns| Mark { at_ns, packet: PacketId(0) };
    Window {
        last_good: None,
        first_bad: mark(problem.first_ns),
        last_bad: mark(problem.last_ns),
        first_good: None,
        failed: 0,
        asked: 0,
        answered: 0,
        alternates: false,
    }
}
