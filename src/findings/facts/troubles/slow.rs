//! Answers that came late, measured against the service's own others (services §1.6).

use std::collections::BTreeSet;

use super::Trouble;
use crate::attempts::{Attempt, Attempts, Kind, Outcome, subject};
use crate::findings::Severity;
use crate::findings::facts::Facts;
use crate::time::Nanos;

/// A second.
const SECOND: Nanos = 1_000_000_000;
/// From this long on an answer is slow, where others are quicker (services §1.6 `slow_s`).
pub(super) const SLOW_NS: Nanos = 2 * SECOND;
/// And without others to compare (services §1.6 `slow_abs_s`).
const SLOW_ALONE_NS: Nanos = 5 * SECOND;
/// How many times the usual it takes.
const TIMES: Nanos = 10;
/// Answers from which on there is a usual time.
const USUAL_MIN: usize = 5;
/// Slow answers with this median are noticed by everybody (services §4.6).
const MEDIAN_MEDIUM_NS: Nanos = 3 * SECOND;

/// Whether an attempt took long enough to be looked at.
pub fn is_long(own: &Attempt) -> bool {
    own.outcome == Outcome::Answered
        && own.answered_ns >= SLOW_NS
        // Of unknown protocols nothing is known.
        && !matches!(own.kind, Kind::Dhcp | Kind::Tcp)
}

/// Positions of the slow ones among the attempts of one service.
pub fn of_service(all: &[Attempt], own: &[u32]) -> Vec<u32> {
    let get = |at: &u32| all.get(*at as usize);
    if !own.iter().filter_map(get).any(is_long) {
        return Vec::new();
    }
    let answered =
        own.iter().filter_map(get).filter(|own| own.answered_ns > 0 && own.outcome == Outcome::Answered);
    let mut times: Vec<Nanos> = answered.map(|own| own.answered_ns).collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or(0);
    let is_slow = |own: &Attempt| {
        let times_usual = times.len() >= USUAL_MIN && own.answered_ns >= median * TIMES;
        is_long(own) && (own.answered_ns >= SLOW_ALONE_NS || times_usual)
    };
    own.iter().filter(|at| get(at).is_some_and(is_slow)).copied().collect()
}

/// The median waiting time of the slow attempts.
pub fn median_ns(trouble: &Trouble, attempts: &Attempts) -> Nanos {
    let mut times: Vec<Nanos> = trouble.attempts(attempts).map(|own| own.answered_ns).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}

/// How grave waiting is.
pub fn severity(facts: &Facts<'_>, trouble: &Trouble) -> Severity {
    let attempts = facts.attempts;
    if is_held(facts, trouble) || is_polled(facts, trouble) || is_alone(facts, trouble) {
        return Severity::Info;
    }
    let grave = trouble.failed.len() >= 2 && median_ns(trouble, attempts) >= MEDIAN_MEDIUM_NS;
    if grave { Severity::Medium } else { Severity::Low }
}

/// Waiting times that differ by no more than a hundredth are held on purpose, or by a time-out: a long poll looks like this.
const HELD_SHARE: Nanos = 100;

/// Whether all answers took the same time and nothing of what was asked for came sooner.
pub fn is_held(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let attempts = facts.attempts;
    let times = || trouble.attempts(attempts).map(|own| own.answered_ns);
    let (Some(least), Some(most)) = (times().min(), times().max()) else { return false };
    let paths: BTreeSet<Option<String>> =
        trouble.attempts(attempts).take(READ_MAX).map(|own| subject::of(facts.index, own).path).collect();
    let quick = trouble.good(attempts).filter(|own| own.answered_ns > 0 && own.answered_ns < least);
    let same = |own: &Attempt| paths.contains(&subject::of(facts.index, own).path);
    trouble.failed.len() > 1 && most - least <= least / HELD_SHARE && !quick.take(READ_MAX).any(same)
}

/// Words in paths whose answers wait for an event: a server holds them on purpose (RFC 6202 §2).
const POLLS: [&str; 7] = ["poll", "comet", "http-bind", "getupdates", "subscribe", "eventsource", "sse"];

/// Whether all that came late was asked for by paths that wait for an event.
fn is_polled(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let polls = |own: &Attempt| {
        let path = subject::of(facts.index, own).path.unwrap_or_default().to_ascii_lowercase();
        path.split('/').any(|part| part.contains("poll") || POLLS.contains(&part))
    };
    trouble.attempts(facts.attempts).take(READ_MAX).all(polls)
}

/// Whether one request alone took long while the server answered others of the same service at once: what it asked for takes that
/// long, or waits for something.
fn is_alone(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let attempts = &facts.attempts;
    let mut own = trouble.attempts(attempts);
    let (Some(own), None) = (own.next(), own.next()) else { return false };
    let quick = |other: &Attempt| {
        let at_once = (1..=own.answered_ns / TIMES).contains(&other.answered_ns);
        at_once && other.service == own.service && other.is_within(own.first.time_ns, own.ended_ns())
    };
    attempts.all.iter().any(quick)
}

/// Attempts whose content is read again.
const READ_MAX: usize = 1_024;
