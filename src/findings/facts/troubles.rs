//! Failures of services beside DNS: the attempts of one service that failed alike, their windows, who was hit and who was
//! not, what parts them from those that were served, and how grave it is (services §4).

mod beside;
mod chains;
mod clients;
mod course;
mod fallback;
mod gravity;
mod held;
mod joined;
mod names;
mod parties;
mod parts;
mod slow;
mod stalls;
mod trials;

use std::collections::BTreeMap;

use super::Facts;
use crate::attempts::stream::LARGE_BYTES;
use crate::attempts::{Attempt, Attempts, Face, Kind, Outcome, Service};
use crate::decode::Address;
use crate::findings::Severity;
use crate::index::PacketId;
use crate::time::Nanos;
pub use chains::{Behind, Crossed, Queue};
pub use clients::Client;
use clients::Served;
use course::Courses;
pub use fallback::is_left_for_plain;
pub use gravity::{is_greylisted, ping_span};
use gravity::{is_told, severity};
pub use held::Held;
pub use names::Names;
pub use parts::{Part, Property, pieces};
pub use slow::{is_held, is_long, median_ns as slow_median_ns};
pub use stalls::Idle;
pub use trials::{TARGETS_MIN, are_probes};

/// A second.
const SECOND: Nanos = 1_000_000_000;
/// Failures further apart are different ones (services §4.1).
const GAP_NS: Nanos = 300 * SECOND;
/// Failure and success that follow each other within this time are one intermittent failure (services §4.3 `alt_s`).
const ALTERNATE_NS: Nanos = 2 * SECOND;
/// Changes between failure and success from which on it is intermittent.
const CHANGES_MIN: usize = 3;
/// Troubles told of one capture.
pub const TROUBLES_MAX: usize = 64;

/// What a trouble shows itself as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// Attempts that failed alike; TLS alerts and refusals below 500 by their number.
    Failed(Face, u16),
    /// Answered, but people had to wait.
    Slow,
}

/// A moment and the packet that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// When.
    pub at_ns: Nanos,
    /// Which packet.
    pub packet: PacketId,
}

/// One failure of one service, or of several of one host at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// How it shows.
    pub sort: Sort,
    /// The services, the one with most failures first.
    pub services: Vec<(Service, Kind)>,
    /// Positions of the failed attempts, in order.
    pub failed: Vec<u32>,
    /// Positions of the served ones of the same class, in order.
    pub served: Vec<u32>,
    /// Attempts of the class from the first failure to the last, served ones between them among these: what is told.
    pub asked: u64,
    /// Those inside the windows, by which it is weighed (services §4.6).
    asked_inside: u64,
    /// When it failed, each window from its first failure to its last.
    pub windows: Vec<(Mark, Mark)>,
    /// Failures and successes follow each other closely.
    pub is_intermittent: bool,
    /// From the first failure to the last of all ways in which the service failed between the same two successes, where they are
    /// several: one outage.
    pub outage: Option<(Mark, Mark)>,
    /// The last success before the first failure.
    pub last_good: Option<Mark>,
    /// The first success after the last failure.
    pub first_good: Option<Mark>,
    /// Successes of those that were hit before the first failure and after the last one.
    pub around: (u64, u64),
    /// The newest data of connections that carried data both ways for those that were hit all the time.
    pub alongside: Vec<PacketId>,
    /// Who asked, those that were hit first.
    pub clients: Vec<Client>,
    /// What failures have and successes have not.
    pub part: Option<Part>,
    /// Accounts that are always refused, or from a moment on, not escaped; empty where that is not what it is.
    pub accounts: Vec<String>,
    /// Its clients or accounts are always refused, or from a moment on, while these may serve others.
    pub is_lasting: bool,
    /// All who asked in its windows were refused, and several of them were let in before or after.
    pub is_whole: bool,
    /// Names that were asked for or led to the address, presentation form, not escaped.
    pub names: Vec<String>,
    /// The DNS answer that gave a client the address.
    pub resolved: Option<(String, PacketId)>,
    /// Captured at one of two places and not at the other, while what was served was captured at both: how many of each.
    pub stopped: Option<(u64, u64)>,
    /// How the failures ended, most frequent first.
    pub endings: Vec<(Outcome, u64)>,
    /// Those that were hit used the service on a connection opened before, all the time.
    pub in_use: bool,
    /// They are requests on idle connections that crossed the server's close.
    pub crossed: Option<Crossed>,
    /// They follow from what failed behind the gateway that tells them.
    pub behind: Option<Behind>,
    /// The service no longer takes the connections that its host accepts.
    pub queue: Option<Queue>,
    /// Who holds what the service says it has no more of.
    pub held: Option<Held>,
    /// Packets with hops enough that used them up, and the routers where they did: they go round.
    pub looped: Option<(usize, Vec<Address>)>,
    /// Positions of what was answered late in the same stall, begun before its end.
    pub late: Vec<u32>,
    /// Who held connections open and quiet all through the stall.
    pub idle: Option<Idle>,
    /// Clients that were hit and were given other addresses by DHCP, by which they were served after it, and the first such success.
    pub moved: Option<(Vec<Address>, Mark)>,
    /// Errors of its kind about requests that are not in the capture, before the first that is.
    pub earlier: Vec<PacketId>,
    /// Its clients paused what they were sent, and took the rest later.
    pub is_resumed: bool,
    /// How grave it is.
    pub severity: Severity,
}

impl Troubles {
    /// Whether an ICMP error is about what a trouble tells of.
    pub fn cover(&self, service: Service, client: Address, at_ns: Nanos) -> bool {
        self.all.iter().any(|own| {
            let (from, to) = own.span_ns();
            own.services.iter().any(|(known, _)| *known == service)
                && own.hit().any(|hit| hit.address == client)
                && (from..=to + GAP_NS).contains(&at_ns)
        })
    }
}

impl Trouble {
    /// The service with most failures.
    pub fn service(&self) -> Service {
        self.services.first().map(|(service, _)| *service).unwrap_or_default()
    }

    /// How grave it is in a headline: what fails in the background comes after what people wait for.
    pub fn headline(&self) -> Severity {
        if self.kind().is_background() { self.severity.min(Severity::Medium) } else { self.severity }
    }

    /// The hosts of its services, each once.
    pub fn hosts(&self) -> Vec<Address> {
        let mut hosts: Vec<Address> = self.services.iter().map(|(service, _)| service.host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.services.first().map_or(Kind::Tcp, |(_, kind)| *kind)
    }

    /// The failed attempts.
    pub fn attempts<'a>(&'a self, all: &'a Attempts) -> impl Iterator<Item = &'a Attempt> + Clone {
        self.failed.iter().filter_map(|at| all.all.get(*at as usize))
    }

    /// What was answered late in the same stall.
    pub fn late<'a>(&'a self, all: &'a Attempts) -> impl Iterator<Item = &'a Attempt> + Clone {
        self.late.iter().filter_map(|at| all.all.get(*at as usize))
    }

    /// Attempts and failed ones as sentences count them, and the failed ones by how they ended: a run of pings is many.
    pub fn told(&self, all: &Attempts) -> (u64, u64, Vec<(Outcome, u64)>) {
        let failed = self.failed.len() as u64;
        if self.kind() != Kind::Echo {
            return (self.asked.max(failed), failed, self.endings.clone());
        }
        let (mut asked, mut failed) = (0, 0);
        let mut endings: Vec<(Outcome, u64)> =
            self.endings.iter().map(|(outcome, _)| (*outcome, 0)).collect();
        for own in self.attempts(all) {
            let silent = u64::from(own.counts.0.saturating_sub(own.counts.1));
            asked += u64::from(own.counts.0);
            failed += silent;
            let ending = endings.iter_mut().find(|(outcome, _)| *outcome == own.outcome);
            if let Some((_, count)) = ending {
                *count += silent;
            }
        }
        (asked, failed, endings)
    }

    /// The served ones of its class.
    pub fn good<'a>(&'a self, all: &'a Attempts) -> impl Iterator<Item = &'a Attempt> + Clone {
        self.served.iter().filter_map(|at| all.all.get(*at as usize))
    }

    /// Its failures by how they ended, most frequent first.
    pub fn outcomes(&self, all: &Attempts) -> Vec<(Outcome, u64)> {
        let mut counted: Vec<(Outcome, u64)> = Vec::new();
        for own in self.attempts(all) {
            match counted.iter_mut().find(|(outcome, _)| outcome.plain() == own.outcome.plain()) {
                Some((_, number)) => *number += 1,
                None => counted.push((own.outcome, 1)),
            }
        }
        counted.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        counted
    }

    /// The way of each client that was hit.
    pub fn courses(&self, all: &Attempts) -> Courses {
        Courses::of(self.attempts(all), self.good(all))
    }

    /// Whether an attempt is one at its services.
    pub fn asks_of(&self, own: &Attempt) -> bool {
        let asked = service_of(own);
        self.services.iter().any(|(service, kind)| shared(*service, *kind) == asked)
    }

    /// The clients that were hit.
    pub fn hit(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter().filter(|client| client.failed > 0)
    }

    /// The hosts that were hit, each by the address that stands for it.
    pub fn hosts_hit(&self) -> Vec<Address> {
        let mut hosts: Vec<Address> = self.hit().map(|client| client.host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// The clients that asked the same meanwhile and were served.
    pub fn spared(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter().filter(|client| client.failed == 0 && client.served > 0)
    }

    /// The packets of its failures, in order, each once.
    pub fn frames(&self, all: &Attempts) -> Vec<PacketId> {
        let mut frames: Vec<PacketId> =
            self.attempts(all).chain(self.late(all)).flat_map(Attempt::frames).collect();
        frames.extend(beside::errors(self, all));
        frames.extend(&self.earlier);
        frames.sort_unstable();
        frames.dedup();
        frames.truncate(crate::findings::FRAMES_MAX);
        frames
    }

    /// First to last failure of the outage it belongs to.
    pub fn outage_ns(&self) -> (Nanos, Nanos) {
        self.outage.map_or_else(|| self.span_ns(), |(first, last)| (first.at_ns, last.at_ns))
    }

    /// First to last failure.
    pub fn span_ns(&self) -> (Nanos, Nanos) {
        let first = self.windows.first().map_or(0, |(first, _)| first.at_ns);
        (first, self.windows.last().map_or(first, |(_, last)| last.at_ns))
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    /// The troubles, gravest first.
    pub all: Vec<Trouble>,
    /// Names of addresses, as DNS gave them.
    pub names: Names,
    /// Attempts that only look what is there: scans.
    pub tried: Vec<u32>,
    /// Failed attempts that are too few, or explained by something else: for the list of what is not assessed.
    pub few: Vec<u32>,
}

/// Finds the troubles of a capture.
pub(super) fn find(facts: &Facts<'_>) -> Troubles {
    let all = &facts.attempts.all;
    let concerned = |own: &Attempt| own.outcome.face().is_some() || slow::is_long(own);
    if !all.iter().any(concerned) {
        return Troubles::default();
    }
    let names = Names::read(facts);
    let tried = trials::scanned(facts, &names);
    let mut by_service: BTreeMap<Service, Vec<u32>> = BTreeMap::new();
    for (at, own) in all.iter().enumerate() {
        if !tried.contains(&(at as u32)) {
            by_service.entry(service_of(own)).or_default().push(at as u32);
        }
    }
    let mut found = Troubles { names, ..Troubles::default() };
    for own in by_service.values() {
        of_service(facts, own, &mut found);
    }
    let served = Served::of(facts);
    let joined = stalls::join(facts, joined::join(facts, std::mem::take(&mut found.all)));
    let (told, few) = joined
        .into_iter()
        .map(|trouble| weigh(facts, &served, &found.names, trouble))
        .partition::<Vec<Trouble>, _>(|trouble| is_told(facts, trouble));
    found.few = few.into_iter().flat_map(|trouble| trouble.failed).collect();
    found.few.sort_unstable();
    found.tried = tried.into_iter().collect();
    found.tried.sort_unstable();
    found.all = told;
    found.all.sort_by_key(|trouble| {
        let background = trouble.kind().is_background();
        let rank = (std::cmp::Reverse(trouble.headline()), background, std::cmp::Reverse(trouble.severity));
        (rank, std::cmp::Reverse(trouble.failed.len()), trouble.span_ns())
    });
    found.all.truncate(TROUBLES_MAX);
    beside::outages(&mut found.all);
    found
}

/// Leases are one service of a link, whichever server answered.
fn service_of(own: &Attempt) -> Service {
    shared(own.service, own.kind)
}

fn shared(service: Service, kind: Kind) -> Service {
    match kind {
        Kind::Dhcp => Service { host: Address::None, ..service },
        _ => service,
    }
}

/// The failures of one service, by how they show.
fn of_service(facts: &Facts<'_>, own: &[u32], found: &mut Troubles) {
    let all = &facts.attempts.all;
    let get = |at: &u32| all.get(*at as usize);
    let mut by_sort: BTreeMap<Sort, Vec<u32>> = BTreeMap::new();
    for at in own {
        if let Some(face) = get(at).and_then(|own| own.outcome.face()) {
            by_sort.entry(Sort::Failed(face, number(get(at).map(|own| own.outcome)))).or_default().push(*at);
        }
    }
    let waited = slow::of_service(all, own);
    if !waited.is_empty() {
        by_sort.insert(Sort::Slow, waited);
    }
    for (sort, mut failed) in by_sort {
        let good: Vec<u32> = own
            .iter()
            .filter(|at| get(at).is_some_and(|own| serves(sort, own)) && !failed.contains(at))
            .filter(|at| get(at).is_some_and(|own| is_as_large(facts, failed.first().and_then(get), own)))
            .copied()
            .collect();
        for lasting in parties::lasting(facts, sort, &failed, &good) {
            failed.retain(|at| lasting.failed.binary_search(at).is_err());
            for run in apart(all, &lasting.failed) {
                let own = trouble(all, sort, run, &lasting.served, lasting.part.clone());
                let accounts = lasting.accounts.clone();
                let is_whole = lasting.is_whole;
                found.all.push(Trouble { accounts, is_whole, is_lasting: true, ..own });
            }
        }
        let part = parts::find(facts, &failed, &good, sort);
        let served: Vec<u32> = match &part {
            Some(part) => good.iter().filter(|at| part.holds(facts, **at)).copied().collect(),
            None => good,
        };
        for run in apart(all, &failed) {
            found.all.push(trouble(all, sort, run, &served, part.clone()));
        }
    }
}

/// The number by which failures of one face are different ones: what a server says for different reasons.
fn number(outcome: Option<Outcome>) -> u16 {
    match outcome {
        Some(Outcome::Alert { number, by_client }) => u16::from(number) + 1 + 256 * u16::from(by_client),
        Some(Outcome::Fails(code)) => code,
        Some(Outcome::WrongTime { .. }) => 1,
        Some(Outcome::Denied(denial)) => denial
            .code
            .as_str()
            .bytes()
            .fold(0, |all: u16, byte| all.wrapping_mul(31).wrapping_add(byte.into())),
        _ => 0,
    }
}

/// Whether an attempt shows that what failed works: to be reached is enough where others were not, and to be answered where others
/// waited in vain.
fn serves(sort: Sort, own: &Attempt) -> bool {
    match sort {
        Sort::Failed(Face::Unreached, _) => {
            own.outcome.is_served() || own.outcome.face().is_some_and(|face| face != Face::Unreached)
        }
        // Whoever says that it cannot serve does answer.
        Sort::Failed(Face::Mute, _) => {
            own.outcome == Outcome::Answered || own.outcome.face() == Some(Face::Fails)
        }
        _ => own.outcome == Outcome::Answered,
    }
}

/// Whether a success carried enough to show that large packets pass, where these failed.
fn is_as_large(facts: &Facts<'_>, failed: Option<&Attempt>, own: &Attempt) -> bool {
    let Some(Outcome::LargeLost { of_client, .. }) = failed.map(|own| own.outcome) else { return true };
    let connection = facts.attempts.connection(own);
    connection.is_none_or(|own| {
        let sent = if of_client { &own.from_client } else { &own.from_server };
        sent.bytes >= u64::from(LARGE_BYTES)
    })
}

/// Failures far from each other are different ones.
fn apart(all: &[Attempt], failed: &[u32]) -> Vec<Vec<u32>> {
    let mut runs: Vec<Vec<u32>> = Vec::new();
    let mut until_ns = Nanos::MIN;
    for at in failed {
        let Some(own) = all.get(*at as usize) else { continue };
        match runs.last_mut() {
            Some(run) if own.first.time_ns.saturating_sub(until_ns) <= GAP_NS => run.push(*at),
            _ => runs.push(vec![*at]),
        }
        until_ns = until_ns.max(own.ended_ns());
    }
    runs
}

fn began(own: &Attempt) -> Mark {
    Mark { at_ns: own.failing.time_ns, packet: own.failing.packet }
}

fn ended(own: &Attempt) -> Mark {
    let decided = own.decided.filter(|seen| seen.time_ns >= own.last.time_ns).unwrap_or(own.last);
    Mark { at_ns: decided.time_ns, packet: decided.packet }
}

fn trouble(all: &[Attempt], sort: Sort, failed: Vec<u32>, served: &[u32], part: Option<Part>) -> Trouble {
    let get = |at: &u32| all.get(*at as usize);
    let mut services: Vec<(Service, Kind)> = Vec::new();
    let mut hit: Vec<Address> = Vec::new();
    for own in failed.iter().filter_map(get) {
        if !services.iter().any(|(service, _)| *service == own.service) {
            services.push((own.service, own.kind));
        }
        if !hit.contains(&own.client.0) {
            hit.push(own.client.0);
        }
    }
    // A success of a client that fails closes its window; those of others part nothing in time.
    let of_hit = |at: &&u32| get(at).is_some_and(|own| hit.contains(&own.client.0));
    let own_good: Vec<u32> = served.iter().filter(of_hit).copied().collect();
    let courses = Courses::of(failed.iter().filter_map(get), own_good.iter().filter_map(get));
    let (windows, is_intermittent) = windows(all, &failed, &own_good, &courses);
    let (first_ns, last_ns) = (
        windows.first().map_or(0, |(first, _)| first.at_ns),
        windows.last().map_or(0, |(_, last)| last.at_ns),
    );
    let good = || own_good.iter().filter_map(get);
    // To be reached and then fail is no success.
    let before =
        || good().filter(|own| own.outcome.is_served()).map(ended).filter(|mark| mark.at_ns <= first_ns);
    // Who displaces the last one has begun a moment before that ends.
    let since = |own: &Attempt| match sort {
        Sort::Failed(Face::Displaced, _) => own.first.time_ns >= last_ns - SECOND,
        _ => own.first.time_ns >= last_ns,
    };
    let after = || good().filter(|own| own.outcome.is_served() && since(own)).map(ended);
    let inside = |own: &&Attempt| windows.iter().any(|(first, last)| own.is_within(first.at_ns, last.at_ns));
    let good = || good().filter(|own| !courses.is_past(own));
    let asked = failed.len() as u64 + good().filter(|own| own.is_within(first_ns, last_ns)).count() as u64;
    let asked_inside = failed.len() as u64 + good().filter(inside).count() as u64;
    Trouble {
        sort,
        services,
        served: served.to_vec(),
        asked,
        asked_inside,
        outage: None,
        is_intermittent,
        last_good: before().max(),
        first_good: after().min(),
        around: (before().count() as u64, after().count() as u64),
        alongside: Vec::new(),
        windows,
        clients: Vec::new(),
        part,
        accounts: Vec::new(),
        is_lasting: false,
        is_whole: false,
        names: Vec::new(),
        resolved: None,
        stopped: None,
        endings: Vec::new(),
        in_use: false,
        crossed: None,
        behind: None,
        queue: None,
        held: None,
        looped: None,
        late: Vec::new(),
        idle: None,
        moved: None,
        earlier: Vec::new(),
        is_resumed: false,
        severity: Severity::Info,
        failed,
    }
}

/// When it failed: runs of failures between successes, and whether they alternate for any one client.
fn windows(all: &[Attempt], failed: &[u32], good: &[u32], courses: &Courses) -> (Vec<(Mark, Mark)>, bool) {
    let get = |at: &u32| all.get(*at as usize);
    let alternates = good.iter().filter_map(get).any(|own| courses.is_between(own));
    let good: Vec<(Nanos, Nanos)> =
        good.iter().filter_map(get).map(|own| (own.first.time_ns, own.ended_ns())).collect();
    let mut windows: Vec<(Mark, Mark)> = Vec::new();
    for own in failed.iter().filter_map(get) {
        let (first, last) = (began(own), ended(own));
        match windows.last_mut() {
            // A success that began after the failure and ended before the next one lies between them.
            Some((_, open)) if !good.iter().any(|(from, to)| *from >= open.at_ns && *to <= first.at_ns) => {
                if last.at_ns >= open.at_ns {
                    *open = last;
                }
            }
            _ => windows.push((first, last)),
        }
    }
    let gaps = windows.windows(2).filter(|pair| match pair {
        [(_, last), (first, _)] => first.at_ns - last.at_ns <= ALTERNATE_NS,
        _ => false,
    });
    let changes = gaps.count() * 2;
    if alternates
        && changes >= CHANGES_MIN
        && let (Some((first, _)), Some((_, last))) = (windows.first(), windows.last())
    {
        return (vec![(*first, *last)], true);
    }
    let inside =
        |from: Nanos, to: Nanos| windows.iter().any(|(first, last)| from >= first.at_ns && to <= last.at_ns);
    let mixed = alternates && good.iter().any(|(from, to)| inside(*from, *to));
    (windows, mixed)
}

/// Fills in who was hit, what it is called, and how grave it is.
fn weigh(facts: &Facts<'_>, served: &Served<'_>, names: &Names, mut trouble: Trouble) -> Trouble {
    trouble.clients = clients::table(facts, served, names, &trouble);
    beside::earlier(facts, &mut trouble);
    trouble.stopped = stopped(facts, &trouble);
    // What one connection carried while another had failed already is no success before the failure.
    let begins_ns = trouble.span_ns().0;
    let worked = beside::worked(facts, &trouble, begins_ns);
    if worked > trouble.last_good {
        // Data of a connection that worked then are none of the attempts counted.
        (trouble.last_good, trouble.around.0) = (worked, 0);
    }
    if trouble.sort == Sort::Slow {
        trouble.first_good = trouble.first_good.or(beside::went_on(facts, &trouble));
    }
    trouble.alongside = beside::alongside(facts, &trouble);
    trouble.endings = trouble.outcomes(facts.attempts);
    names.tell(facts, &mut trouble);
    trouble.in_use =
        matches!(trouble.sort, Sort::Failed(Face::Unreached, _)) && gravity::is_in_use(facts, &trouble);
    match trouble.sort {
        Sort::Failed(Face::Cut, _) => {
            trouble.crossed = chains::crossed(facts, trouble.attempts(facts.attempts));
        }
        Sort::Failed(Face::Stalled, _) => trouble.is_resumed = beside::is_resumed(facts, &trouble),
        Sort::Failed(Face::Fails, _) => {
            trouble.behind = chains::behind(facts, &trouble).or_else(|| chains::meanwhile(facts, &trouble));
            // What failed behind a gateway is told as that.
            trouble.held = if trouble.behind.is_none() { held::of(facts, &trouble) } else { None };
        }
        Sort::Failed(Face::Mute, _) => {
            trouble.behind = chains::meanwhile(facts, &trouble);
            trouble.queue = chains::queue(facts, &trouble);
        }
        Sort::Slow => {
            trouble.behind = chains::behind(facts, &trouble).or_else(|| chains::meanwhile(facts, &trouble));
        }
        Sort::Failed(Face::Unreached, _) => {
            trouble.queue = chains::queue(facts, &trouble);
            trouble.looped = chains::looped(facts, &trouble);
        }
        Sort::Failed(..) => {}
    }
    trouble.idle = stalls::idle(facts, &trouble);
    if trouble.first_good.is_none() {
        trouble.moved = stalls::moved(facts, &trouble);
    }
    trouble.severity = severity(facts, served, &trouble);
    trouble
}

/// Served attempts captured at two places from which on it tells something that a failed one was not.
const BOTH_MIN: u64 = 3;
/// Attempts looked at for copies.
const COPIES_MAX: usize = 4_096;

/// Whether another place captured a packet as well.
fn is_copied(facts: &Facts<'_>, packet: PacketId) -> bool {
    facts.evidence.is_duplicate(packet) || facts.evidence.copies(packet).next().is_some()
}

/// Whether failed attempts were captured at one place only, while served ones were captured at both (services §3.2).
fn stopped(facts: &Facts<'_>, trouble: &Trouble) -> Option<(u64, u64)> {
    if facts.index.sources.len() < 2 {
        return None;
    }
    if let Sort::Failed(Face::Silenced, _) = trouble.sort {
        // What was lost, and what the same connections had carried before.
        let own = || trouble.attempts(facts.attempts).take(COPIES_MAX);
        let lost = own().filter(|own| !is_copied(facts, own.failing.packet)).count() as u64;
        let both = own().filter(|own| is_copied(facts, own.first.packet)).count() as u64;
        return (lost == trouble.failed.len() as u64 && both == lost).then_some((lost, both));
    }
    if !matches!(trouble.sort, Sort::Failed(Face::Unreached, _)) {
        return None;
    }
    let is_copied = |own: &&Attempt| is_copied(facts, own.first.packet);
    let failed = trouble.attempts(facts.attempts).take(COPIES_MAX);
    if failed.clone().any(|own| is_copied(&own)) {
        return None;
    }
    let client = |address: Address| trouble.hit().any(|hit| hit.address == address);
    let good = facts.attempts.all.iter().filter(|own| own.outcome.is_served() && client(own.client.0));
    let both = good.take(COPIES_MAX).filter(is_copied).count() as u64;
    (both >= BOTH_MIN).then_some((trouble.failed.len() as u64, both))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::Seen;

    fn attempt(packet: u32, at_s: i64, outcome: Outcome) -> Attempt {
        let seen = Seen { packet: PacketId(packet), time_ns: at_s * SECOND };
        Attempt {
            kind: Kind::Http,
            client: (Address::V4([192, 0, 2, 1].into()), 40_000),
            service: Service { host: Address::V4([203, 0, 113, 80].into()), transport: 6, port: 80 },
            first: seen,
            last: seen,
            tries: 1,
            asks: PacketId(packet),
            decided: Some(seen),
            outcome,
            answered_ns: 0,
            handshake_ns: 0,
            thread: crate::attempts::ties::Thread::NONE,
            counts: (1, 0),
            failing: seen,
        }
    }

    #[test]
    fn a_success_between_failures_parts_two_windows() {
        let all: Vec<Attempt> = [(0, false), (5, false), (10, true), (15, false)]
            .iter()
            .enumerate()
            .map(|(at, (at_s, good))| {
                let outcome = if *good { Outcome::Answered } else { Outcome::RefusedByReset };
                attempt(at as u32, *at_s, outcome)
            })
            .collect();
        let own = trouble(&all, Sort::Failed(Face::Unreached, 0), vec![0, 1, 3], &[2], None);
        let seconds: Vec<(i64, i64)> =
            own.windows.iter().map(|(first, last)| (first.at_ns / SECOND, last.at_ns / SECOND)).collect();
        assert_eq!(seconds, [(0, 5), (15, 15)]);
        assert_eq!(own.first_good, None);
        assert_eq!((own.asked, own.asked_inside), (4, 3), "the success lies between the windows");
    }

    #[test]
    fn clients_with_courses_of_their_own_do_not_alternate() {
        // One is never served; another is served while the first fails, and then no more.
        let rows = [(0, 1, false), (1, 2, true), (2, 1, false), (3, 2, false), (4, 2, false)];
        let all: Vec<Attempt> = rows
            .iter()
            .enumerate()
            .map(|(at, (at_s, client, good))| {
                let outcome = if *good { Outcome::Answered } else { Outcome::NoReply };
                let mut own = attempt(at as u32, *at_s, outcome);
                own.client.0 = Address::V4([192, 0, 2, *client].into());
                own
            })
            .collect();
        let own = trouble(&all, Sort::Failed(Face::Unreached, 0), vec![0, 2, 3, 4], &[1], None);
        assert!(!own.is_intermittent);
        assert_eq!(own.asked, 4, "what was served before it was lost is not among what failed");
    }

    #[test]
    fn a_single_failure_beside_successes_does_not_alternate() {
        let all: Vec<Attempt> = (0..4).map(|at| attempt(at, i64::from(at), Outcome::Answered)).collect();
        let mut all = all;
        if let Some(own) = all.first_mut() {
            own.outcome = Outcome::NoReply;
            own.last.time_ns += 9 * SECOND;
        }
        let own = trouble(&all, Sort::Failed(Face::Unreached, 0), vec![0], &[1, 2, 3], None);
        assert!(!own.is_intermittent);
        assert_eq!(own.asked, 4);
    }

    #[test]
    fn failures_every_second_time_are_one_intermittent_failure() {
        let all: Vec<Attempt> = (0..8)
            .map(|at| {
                let outcome = if at % 2 == 0 { Outcome::RefusedByReset } else { Outcome::Answered };
                attempt(at, i64::from(at), outcome)
            })
            .collect();
        let own = trouble(&all, Sort::Failed(Face::Unreached, 0), vec![0, 2, 4, 6], &[1, 3, 5, 7], None);
        assert!(own.is_intermittent);
        assert_eq!((own.windows.len(), own.asked), (1, 7));
    }
}
