//! A capture that still grows: the view that follows its end, and when it is worth correlating it again.
//!
//! A round (correlation and draft) begins soon after the input falls quiet, or a second after it grew when it never
//! does; after it the program rests three times as long as it took, so that rounds take a quarter of the time at most.

use std::sync::Arc;

use super::dialogs::Dialog;
use super::state::{State, Tone};
use super::update::{Effect, Job};

/// A quiet of this length is a good moment to look at what came.
const QUIET_MS: u64 = 500;
/// Input that never falls quiet is looked at after this time.
const WAIT_MS: u64 = 1_000;
/// The rest after a round, in lengths of the round.
const REST_ROUNDS: u64 = 3;
/// Input that ends sooner than this was no live capture: the view goes back to its beginning.
const GLANCE_MS: u64 = 2_000;

/// How the input stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// Files that are read once.
    #[default]
    Files,
    /// A pipe or a growing file: more may come.
    Receiving,
    /// A pipe that has ended.
    Ended,
}

/// What is known of a capture that grows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live {
    /// How the input stands.
    pub input: Input,
    /// Whether the timeline keeps its last row selected.
    pub following: bool,
    /// When receiving began.
    since_ms: u64,
    /// When packets came last.
    grown_ms: u64,
    /// When the first packet came that no round has seen.
    unseen_ms: Option<u64>,
    /// When the running round began.
    round_ms: Option<u64>,
    /// No round begins before this.
    rest_until_ms: u64,
}

impl Live {
    /// Whether a round should begin now.
    fn is_due(&self, now_ms: u64) -> bool {
        let Some(unseen_ms) = self.unseen_ms else { return false };
        let quiet = now_ms.saturating_sub(self.grown_ms) >= QUIET_MS;
        let waited = now_ms.saturating_sub(unseen_ms) >= WAIT_MS;
        self.round_ms.is_none() && now_ms >= self.rest_until_ms && (quiet || waited)
    }

    /// A draft is there: the round that led to it is over.
    pub fn rest(&mut self, now_ms: u64) {
        if let Some(begun_ms) = self.round_ms.take() {
            let took_ms = now_ms.saturating_sub(begun_ms);
            self.rest_until_ms = now_ms.saturating_add(took_ms.saturating_mul(REST_ROUNDS));
        }
    }
}

/// The index has grown by `more` packets, or ended. A finished input needs no rounds: all of it is correlated once.
pub fn grew(state: &mut State, more: u32, receiving: bool) {
    let now_ms = state.now_ms;
    let live = &mut state.live;
    if receiving && live.input == Input::Files {
        *live = Live { input: Input::Receiving, following: true, since_ms: now_ms, ..*live };
    }
    if more > 0 {
        live.grown_ms = now_ms;
        live.unseen_ms = live.unseen_ms.or(Some(now_ms));
    }
    if !state.index.complete {
        return;
    }
    let ended = live.input == Input::Receiving;
    let following = std::mem::take(&mut live.following);
    (live.unseen_ms, live.round_ms) = (None, None);
    if ended {
        live.input = Input::Ended;
        let glance = now_ms.saturating_sub(live.since_ms) < GLANCE_MS;
        let packets = crate::text::thousands(u64::from(state.index.len()));
        state.say(format!("end of input: {packets} packets"), Tone::Plain);
        if following && glance {
            state.select_row(0);
        }
    }
}

/// Time has passed: begins a round where one is due.
pub fn tick(state: &mut State) -> Effect {
    let growing = !state.index.complete && state.draft.since_ms.is_none();
    if !growing || !state.live.is_due(state.now_ms) {
        return Effect::None;
    }
    state.live.unseen_ms = None;
    state.live.round_ms = Some(state.now_ms);
    correlate(state)
}

/// Asks for the ties of what is there now.
pub fn correlate(state: &mut State) -> Effect {
    state.generations.correlate += 1;
    Effect::Start(Job::Correlate {
        generation: state.generations.correlate,
        index: state.index.clone(),
        named: Arc::clone(&state.named),
    })
}

/// What [`keep_up`] compares with.
#[derive(Clone, Copy)]
pub struct Before {
    /// Whether the view followed.
    pub following: bool,
    /// The packet selected.
    pub selected: Option<crate::index::PacketId>,
}

/// Keeps the last row selected until the analyst turns to something else; `hand` tells whether a key or the mouse came.
pub fn keep_up(state: &mut State, before: Before, hand: bool) {
    if !state.live.following {
        return;
    }
    let busy = match &state.dialog {
        None | Some(Dialog::Help(_) | Dialog::Palette(_)) => false,
        Some(_) => true,
    };
    let turned = busy || state.timeline.range_from.is_some() || state.timeline.selected != before.selected;
    if hand && before.following && turned {
        state.live.following = false;
        if state.notice.is_none() && !busy {
            state.say("auto-scroll stopped: G on the timeline follows again", Tone::Plain);
        }
        return;
    }
    let last = state.timeline.rows.len(&state.index).saturating_sub(1);
    state.select_row(last);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of a length while packets come without a pause: how long they took together in a minute.
    fn rounds_ms(round_ms: u64) -> u64 {
        let mut live = Live { input: Input::Receiving, ..Live::default() };
        let (mut spent_ms, mut ends_ms) = (0, None);
        for now_ms in (0..60_000).step_by(50) {
            live.grown_ms = now_ms;
            live.unseen_ms = live.unseen_ms.or(Some(now_ms));
            if ends_ms.is_some_and(|end| now_ms >= end) {
                ends_ms = None;
                live.rest(now_ms);
            }
            if live.is_due(now_ms) {
                live.unseen_ms = None;
                live.round_ms = Some(now_ms);
                ends_ms = Some(now_ms + round_ms);
                spent_ms += round_ms;
            }
        }
        spent_ms
    }

    #[test]
    fn rounds_take_a_quarter_of_the_time_at_most_and_short_ones_come_every_second() {
        for round_ms in [10, 100, 1_000, 5_000] {
            // The last round may reach beyond the minute.
            assert!(rounds_ms(round_ms) <= 15_000 + round_ms, "{round_ms}");
        }
        assert!(rounds_ms(10) / 10 >= 50, "{}", rounds_ms(10));
    }

    #[test]
    fn a_pause_of_the_input_is_used_at_once() {
        let mut live = Live { input: Input::Receiving, unseen_ms: Some(1_000), ..Live::default() };
        live.grown_ms = 1_100;
        assert!(!live.is_due(1_500));
        assert!(live.is_due(1_600));
    }
}
