//! The windows in which a service failed its clients: each ends at a success, and four times bound it.

use std::collections::BTreeMap;

use super::attempts::{Attempt, State};
use crate::index::PacketId;
use crate::time::Nanos;

/// A failure this soon after the answer between two failures is the same alternation, not a second outage.
pub const ALTERNATION_NS: Nanos = 2_000_000_000;
/// From this many windows on of which most hold a single failure, failures alternate with answers.
const ALTERNATING_MIN: usize = 3;
/// Fewer answers than one for this many failures are stray: the service failed.
const FEW_ANSWERED_ONE_IN: u32 = 20;
/// Windows kept apart of one problem.
const WINDOWS_MAX: usize = 256;

/// A packet and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// When.
    pub at_ns: Nanos,
    /// The packet.
    pub packet: PacketId,
}

/// One outage: from the first failed query to the last sign of failure, and the successes that bound it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The last answer before it to a client that then failed; `None` where the capture holds none.
    pub last_good: Option<Mark>,
    /// The first query that failed.
    pub first_bad: Mark,
    /// The last try, error or unusable answer.
    pub last_bad: Mark,
    /// The first answer after it to such a client.
    pub first_good: Option<Mark>,
    /// Attempts that failed in it.
    pub failed: u32,
    /// Attempts of the failing clients in it, the failed ones included.
    pub asked: u32,
    /// Attempts in it that were answered.
    pub answered: u32,
    /// One client at least was answered between two failures of its own.
    pub alternates: bool,
}

impl Window {
    /// Whether failures and answers alternate in it.
    pub fn is_intermittent(&self) -> bool {
        self.alternates && self.answered > 0 && self.answered * FEW_ANSWERED_ONE_IN >= self.failed
    }

    /// How long it was seen to last.
    pub fn lasted_ns(&self) -> Nanos {
        self.last_bad.at_ns - self.first_bad.at_ns
    }

    fn extend(&mut self, other: &Self) {
        self.last_bad = self.last_bad.max(other.last_bad);
        self.failed += other.failed;
    }
}

/// The windows of a problem, from the attempts of its class in order of time; `client` of each is its position among the
/// failing clients. `gap_ns` is the longest pause within one window.
pub(super) fn find(attempts: &[Attempt], gap_ns: Nanos) -> Vec<Window> {
    let mut found = merged(of_clients(attempts, gap_ns), attempts, gap_ns);
    if alternates(&found, attempts) {
        found = found.into_iter().reduce(joined).into_iter().collect();
    }
    found = chained(found);
    found.truncate(WINDOWS_MAX);
    let good: Vec<Mark> = goods(attempts).collect();
    for window in &mut found {
        bound(window, attempts, &good);
    }
    // Several windows in which most questions are answered are one time of loss, not as many outages.
    let is_mixed = |window: &&Window| window.answered * 2 >= window.failed || is_single(window, attempts);
    let mixed = found.iter().filter(is_mixed).count();
    if found.len() >= ALTERNATING_MIN && mixed * 2 > found.len() {
        found = found.into_iter().reduce(joined).into_iter().collect();
        for window in &mut found {
            bound(window, attempts, &good);
        }
    }
    found
}

/// Whether a time is inside one of the windows, which are in order.
pub(super) fn are_around(windows: &[Window], at_ns: Nanos) -> bool {
    let next = windows.partition_point(|window| window.first_bad.at_ns <= at_ns);
    let window = next.checked_sub(1).and_then(|at| windows.get(at));
    window.is_some_and(|window| at_ns <= window.last_bad.at_ns)
}

fn joined(mut one: Window, other: Window) -> Window {
    one.extend(&other);
    one
}

/// The windows of each client by itself: a success of the same client closes one.
fn of_clients(attempts: &[Attempt], gap_ns: Nanos) -> Vec<Window> {
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut found: Vec<Window> = Vec::new();
    for attempt in attempts {
        let client = attempt.client as usize;
        if open.len() <= client {
            open.resize(client + 1, None);
        }
        let Some(slot) = open.get_mut(client) else { continue };
        match attempt.state {
            State::Good => *slot = None,
            State::Other => {}
            State::Bad => {
                let own = Window {
                    last_good: None,
                    first_bad: attempt.began,
                    last_bad: attempt.ended,
                    first_good: None,
                    failed: 1,
                    asked: 0,
                    answered: 0,
                    alternates: false,
                };
                let known = slot.and_then(|at| found.get_mut(at));
                let known = known.filter(|known| attempt.began.at_ns - known.last_bad.at_ns <= gap_ns);
                if let Some(known) = known {
                    known.extend(&own);
                } else {
                    *slot = Some(found.len());
                    found.push(own);
                }
            }
        }
    }
    found.sort_by_key(|window| window.first_bad);
    found
}

/// Windows of different clients that overlap, or between which none of them was served.
fn merged(windows: Vec<Window>, attempts: &[Attempt], gap_ns: Nanos) -> Vec<Window> {
    let good: Vec<Nanos> = goods(attempts).map(|mark| mark.at_ns).collect();
    let served = |from: Nanos, to: Nanos| {
        let at = good.partition_point(|at_ns| *at_ns <= from);
        good.get(at).is_some_and(|at_ns| *at_ns < to)
    };
    let mut found: Vec<Window> = Vec::new();
    for window in windows {
        let before = found.last_mut().filter(|before| {
            let (from, to) = (before.last_bad.at_ns, window.first_bad.at_ns);
            to <= from || to - from <= gap_ns && !served(from, to)
        });
        match before {
            Some(before) => before.extend(&window),
            None => found.push(window),
        }
    }
    found
}

/// The answers of the class, sorted by time.
fn goods(attempts: &[Attempt]) -> impl Iterator<Item = Mark> {
    let mut marks: Vec<Mark> = attempts.iter().filter(|a| a.state == State::Good).map(|a| a.ended).collect();
    marks.sort_unstable();
    marks.into_iter()
}

/// Whether single failed lookups between answers are what most windows are.
fn alternates(windows: &[Window], attempts: &[Attempt]) -> bool {
    let single = || windows.iter().filter(|window| is_single(window, attempts)).count();
    windows.len() >= ALTERNATING_MIN && single() * 2 > windows.len()
}

/// Whether a single lookup failed in a window, of whatever types.
fn is_single(window: &Window, attempts: &[Attempt]) -> bool {
    let first = attempts.partition_point(|attempt| attempt.began.at_ns < window.first_bad.at_ns);
    let during = attempts.get(first..).unwrap_or_default().iter();
    let mut lookups = during
        .take_while(|attempt| attempt.began.at_ns <= window.last_bad.at_ns)
        .filter(|attempt| attempt.state == State::Bad)
        .map(|attempt| attempt.lookup);
    lookups.next().is_some_and(|first| lookups.all(|lookup| lookup == first))
}

/// Joins windows that follow each other faster than outages do.
fn chained(windows: Vec<Window>) -> Vec<Window> {
    let mut found: Vec<Window> = Vec::new();
    let mut began_ns = Nanos::MIN;
    for window in windows {
        // From the beginning of one failure to that of the next there are three changes with the answer before the first.
        let soon = began_ns > Nanos::MIN && window.first_bad.at_ns - began_ns <= ALTERNATION_NS;
        began_ns = window.first_bad.at_ns;
        match found.last_mut() {
            Some(before) if soon => before.extend(&window),
            _ => found.push(window),
        }
    }
    found
}

/// Fills in the successes around a window and what was asked in it; `good` are the answers, sorted by time.
fn bound(window: &mut Window, attempts: &[Attempt], good: &[Mark]) {
    let (from, to) = (window.first_bad.at_ns, window.last_bad.at_ns);
    let first = attempts.partition_point(|attempt| attempt.began.at_ns < from);
    let end = attempts.partition_point(|attempt| attempt.began.at_ns <= to);
    let during = attempts.get(first..end).unwrap_or_default();
    window.asked = during.len() as u32;
    let answered = during.iter().filter(|a| a.state == State::Good && a.began.at_ns > from);
    window.answered = answered.count() as u32;
    window.alternates = alternate(during);
    let before = good.partition_point(|mark| mark.at_ns <= from);
    window.last_good = before.checked_sub(1).and_then(|at| good.get(at)).copied();
    window.first_good = good.get(good.partition_point(|mark| mark.at_ns < to)).copied();
}

/// Whether one client was answered between two failures of its own.
fn alternate(during: &[Attempt]) -> bool {
    // Of each client, whether it failed, and whether it was answered after that.
    let mut met: BTreeMap<u32, bool> = BTreeMap::new();
    during.iter().any(|attempt| match attempt.state {
        State::Bad => met.insert(attempt.client, false) == Some(true),
        State::Good => {
            met.entry(attempt.client).and_modify(|answered| *answered = true);
            false
        }
        State::Other => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    /// `(second, client, state)`; each attempt ends 10 ms after it began.
    fn attempts(list: &[(i64, u32, State)]) -> Vec<Attempt> {
        let mark = |at_ns: Nanos, packet: usize| Mark { at_ns, packet: PacketId(packet as u32) };
        let all = list.iter().enumerate();
        all.map(|(at, (second, client, state))| Attempt {
            lookup: at as u32,
            state: *state,
            client: *client,
            began: mark(second * SECOND, at * 2),
            ended: mark(second * SECOND + 10_000_000, at * 2 + 1),
            ..Attempt::default()
        })
        .collect()
    }

    fn spans(windows: &[Window]) -> Vec<(i64, i64, u32)> {
        let second = |mark: Mark| mark.at_ns / SECOND;
        windows.iter().map(|w| (second(w.first_bad), second(w.last_bad), w.failed)).collect()
    }

    use State::{Bad, Good};

    #[test]
    fn two_restarts_are_two_outages_each_bounded_by_four_times() {
        let list = [
            (0, 0, Good),
            (10, 0, Bad),
            (12, 0, Bad),
            (20, 0, Good),
            (40, 0, Bad),
            (43, 0, Bad),
            (50, 0, Good),
        ];
        let found = find(&attempts(&list), 300 * SECOND);
        assert_eq!(spans(&found), [(10, 12, 2), (40, 43, 2)]);
        let times = |mark: Option<Mark>| mark.map(|mark| mark.at_ns / SECOND);
        let bounds: Vec<_> = found.iter().map(|w| (times(w.last_good), times(w.first_good))).collect();
        assert_eq!(bounds, [(Some(0), Some(20)), (Some(20), Some(50))]);
        assert!(found.iter().all(|window| !window.is_intermittent()));
    }

    #[test]
    fn a_success_of_another_client_does_not_close_the_window_of_one_that_fails_on() {
        let list = [(0, 0, Bad), (2, 1, Good), (4, 0, Bad), (6, 1, Bad), (9, 0, Bad)];
        assert_eq!(spans(&find(&attempts(&list), 300 * SECOND)), [(0, 9, 4)]);
    }

    #[test]
    fn failures_that_alternate_with_answers_are_one_intermittent_window() {
        let list: Vec<_> = (0..10).map(|at| (at, 0, if at % 2 == 0 { Bad } else { Good })).collect();
        let found = find(&attempts(&list), 300 * SECOND);
        assert_eq!(spans(&found), [(0, 8, 5)]);
        assert!(found.iter().all(|window| window.is_intermittent() && window.asked == 9));
    }

    #[test]
    fn clients_that_fail_and_clients_that_are_answered_by_turns_do_not_alternate() {
        let list = [(0, 0, Bad), (1, 1, Good), (2, 0, Bad), (3, 1, Good), (4, 0, Bad), (5, 1, Bad)];
        let found = find(&attempts(&list), 300 * SECOND);
        assert_eq!(spans(&found), [(0, 5, 4)]);
        assert!(found.iter().all(|window| window.answered == 2 && !window.is_intermittent()));
    }

    #[test]
    fn a_long_pause_makes_another_window() {
        let found = find(&attempts(&[(0, 0, Bad), (400, 0, Bad)]), 300 * SECOND);
        assert_eq!(spans(&found), [(0, 0, 1), (400, 400, 1)]);
    }
}
