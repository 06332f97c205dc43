//! How grave a problem is: by its share inside the windows, who had no alternative, and how long others had to wait.

use std::collections::BTreeSet;

use super::Severity;
use super::coverage::is_served;
use super::facts::{Facts, asked};
use crate::correlate::clients::Client;
use crate::correlate::impact::Impact;
use crate::correlate::windows::Window;
use crate::correlate::{Problem, Signature};
use crate::decode::Address;
use crate::time::Nanos;

/// From this share of failed attempts on hardly anything works.
const MOST_PERCENT: u64 = 90;
/// From this share on users notice.
const SOME_PERCENT: u64 = 20;
/// Below this share of this many attempts failures are few.
const FEW_PERCENT: u64 = 5;
/// Lookups below which a share says nothing about few failures.
const FEW_OF: u64 = 20;
/// Clients rescued sooner than this hardly notice.
const WAIT_NS: Nanos = 2_000_000_000;
/// A delay people do not notice.
pub const UNNOTICED_NS: Nanos = 100_000_000;
/// Going from IPv6 to IPv4 within this time is by design (RFC 8305).
const BY_DESIGN_NS: Nanos = 500_000_000;
/// Two failures over less than this may be one lookup's.
const LASTING_NS: Nanos = 2_000_000_000;
/// NXDOMAIN and NODATA are answers, even to a name that existed at another time.
const DENIALS: [u16; 2] = [0, 3];
/// An attempt sent this often is more than one chance loss.
const TRIES_MIN: u32 = 3;

/// TYPEs that programs ask for beside addresses: SVCB and HTTPS (RFC 9460 §3).
const BESIDE_ADDRESSES: [u16; 2] = [64, 65];

/// How grave the problem at a position is.
pub fn of(facts: &Facts<'_>, at: usize) -> Severity {
    let Some((problem, impact)) = facts.evidence.problems.get(at).zip(facts.evidence.impact(at)) else {
        return Severity::Low;
    };
    if are_checks(facts, problem) || are_search_tries(facts, problem, impact) || is_unnoticed(impact) {
        return Severity::Low;
    }
    let floor = floor(impact);
    if impact.is_covered() {
        return covered(problem, impact);
    }
    let lookups = lookups(facts, problem);
    if lookups <= 1 {
        return single(facts, problem, impact);
    }
    let (asked, failed) = impact.asked_and_failed();
    let scattered = impact.windows.iter().all(|window| window.failed <= 1);
    let (asked, failed) = if scattered { (totals(impact), failed) } else { (asked, failed) };
    let share = failed * 100 / asked.max(failed).max(1);
    let lasted_ns = impact.windows.iter().map(Window::lasted_ns).max().unwrap_or_default();
    let brief = lookups == 2 && lasted_ns < LASTING_NS;
    let stranded = impact.stranded().next().is_some();
    let grave = match share {
        _ if brief => Severity::Low,
        MOST_PERCENT.. if stranded && !is_aside(problem, impact, failed) => Severity::High,
        SOME_PERCENT.. => Severity::Medium,
        FEW_PERCENT.. => Severity::Low,
        _ if asked < FEW_OF => Severity::Low,
        _ => Severity::Info,
    };
    // Names still lead somewhere where only what is asked beside their addresses fails.
    let types = impact.split.types();
    let aside = types.is_some_and(|types| types.iter().all(|qtype| BESIDE_ADDRESSES.contains(qtype)));
    let grave = if aside && impact.answered_beside > 0 { grave.min(Severity::Medium) } else { grave };
    let denied = matches!(problem.signature, Signature::ResponseCode(code) if DENIALS.contains(&code));
    if denied { grave.min(Severity::Medium).max(floor) } else { grave.max(floor) }
}

/// Whether every failed question was answered elsewhere or when asked again, before people notice.
fn is_unnoticed(impact: &Impact) -> bool {
    let quick = |client: &Client| {
        client.lost() == 0 && client.longest_wait_ns.is_some_and(|wait_ns| wait_ns <= UNNOTICED_NS)
    };
    !impact.clients.is_empty() && !impact.is_covered() && impact.clients.iter().all(quick)
}

/// Whether the failed questions are checks of a balancer or monitor: the same one again and again at regular times by hosts that ask
/// nothing else, while the lookups of others are served.
pub fn are_checks(facts: &Facts<'_>, problem: &Problem) -> bool {
    let few = problem.names.len() == 1
        && problem.clients.len() <= CHECKERS_MAX
        && facts.evidence.transactions.len() <= LOOKED_AT_MAX;
    if !few || facts.transactions(problem).take(CHECKS_MIN).count() < CHECKS_MIN {
        return false;
    }
    let mut own: Vec<Nanos> = Vec::new();
    let (mut others, mut served) = (0usize, 0usize);
    let mut servers: BTreeSet<Address> = BTreeSet::new();
    for asked in asked::all(&facts.input()) {
        if !problem.clients.contains(&asked.client) {
            others += 1;
            served += usize::from(is_served(asked.transaction));
            continue;
        }
        servers.insert(asked.server.0);
        if asked.server.0 == problem.server.0 {
            own.push(asked.time_ns);
        }
        let name = facts.name_of(asked.transaction.first);
        if name.as_ref().is_none_or(|name| !problem.names.contains(name)) {
            return false;
        }
    }
    let mut gaps: Vec<Nanos> = own.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).collect();
    gaps.sort_unstable();
    let Some(middle) = gaps.get(gaps.len() / 2).copied() else { return false };
    let even = gaps.iter().filter(|gap| (*gap - middle).abs() * 4 <= middle).count();
    let regular = even * 10 >= gaps.len() * 8;
    regular && servers.len() >= MEMBERS_MIN && others >= OTHERS_MIN && served * 10 >= others * 9
}

/// Whether bare names were refused, the last tries of a search list, of clients that the server answers longer names at that time.
fn are_search_tries(facts: &Facts<'_>, problem: &Problem, impact: &Impact) -> bool {
    let bare = |name: &String| !name.trim_end_matches('.').contains('.');
    if problem.signature != Signature::ResponseCode(REFUSED) || !problem.names.iter().all(bare) {
        return false;
    }
    let around = |at_ns: Nanos| {
        impact.windows.iter().any(|window| {
            (window.first_bad.at_ns - SEARCH_NS..=window.last_bad.at_ns + SEARCH_NS).contains(&at_ns)
        })
    };
    let served: BTreeSet<Address> = asked::all(&facts.input())
        .filter(|asked| {
            asked.server.0 == problem.server.0 && around(asked.time_ns) && is_served(asked.transaction)
        })
        .filter(|asked| facts.name_of(asked.transaction.first).is_some_and(|name| !bare(&name)))
        .map(|asked| asked.client)
        .collect();
    problem.clients.iter().all(|client| served.contains(client))
}

/// RCODE of a policy that does not answer (RFC 1035 §4.1.1).
const REFUSED: u16 = 5;
/// A search list is gone through within this time.
const SEARCH_NS: Nanos = 10_000_000_000;

/// Failed checks from which they are seen to be a series.
const CHECKS_MIN: usize = 4;
/// Lookups of a capture in which checks are looked for.
const LOOKED_AT_MAX: usize = 500_000;
/// Hosts that check one server.
const CHECKERS_MAX: usize = 4;
/// Servers that are checked alike.
const MEMBERS_MIN: usize = 2;
/// Lookups of others from which they are known to be served.
const OTHERS_MIN: usize = 10;

/// One degree less grave, but still a fault.
pub fn milder(severity: Severity) -> Severity {
    match severity {
        Severity::High => Severity::Medium,
        Severity::Medium | Severity::Low => Severity::Low,
        Severity::Info => Severity::Info,
    }
}

/// Two lost attempts of one client, or all it asked, are never a mere note.
fn floor(impact: &Impact) -> Severity {
    if impact.clients.iter().any(Client::is_let_down) { Severity::Low } else { Severity::Info }
}

/// Every client was rescued: what counts is how long it took.
fn covered(problem: &Problem, impact: &Impact) -> Severity {
    let wait_ns = impact.clients.iter().filter_map(|client| client.longest_wait_ns).max().unwrap_or_default();
    let down =
        |client: &Client| problem.server.0.is_v6() && client.rescued_by().is_some_and(|by| !by.is_v6());
    match wait_ns {
        WAIT_NS.. => Severity::Medium,
        ..BY_DESIGN_NS if impact.clients.iter().all(down) => Severity::Info,
        _ => Severity::Low,
    }
}

/// One lookup: grave only where it is all its client asked and was sent again and again.
fn single(facts: &Facts<'_>, problem: &Problem, impact: &Impact) -> Severity {
    let tries: u32 = facts.transactions(problem).map(|transaction| transaction.tries).sum();
    let all = impact.clients.iter().all(|client| client.total == client.failed && client.never_served);
    let served = impact.clients.iter().all(|client| client.rescued + client.repeated > 0);
    let asked = totals(impact);
    match () {
        () if all && tries >= TRIES_MIN => Severity::High,
        () if served => Severity::Info,
        () if asked >= FEW_OF && 100 < asked * FEW_PERCENT => Severity::Info,
        () => Severity::Low,
    }
}

/// What the failing clients asked of the service in the whole capture.
pub fn totals(impact: &Impact) -> u64 {
    impact.clients.iter().map(|client| u64::from(client.total)).sum()
}

/// Distinct lookups among the failures.
fn lookups(facts: &Facts<'_>, problem: &Problem) -> usize {
    let lookups = facts.evidence.lookups(facts.index);
    let episodes = problem.episodes.iter().filter_map(|id| facts.evidence.episodes.get(id.0 as usize));
    let all: BTreeSet<_> =
        episodes.flat_map(|episode| &episode.transactions).filter_map(|id| lookups.of(*id)).collect();
    all.len()
}

/// An error code for few of the names asked meanwhile: a zone somewhere is broken, the resolver serves its clients.
fn is_aside(problem: &Problem, impact: &Impact, failed: u64) -> bool {
    let beside = u64::from(impact.answered_beside);
    matches!(problem.signature, Signature::ResponseCode(_)) && failed * 100 < (failed + beside) * FEW_PERCENT
}
