//! The list of attempts: its order, and what its rows are put together by.

use std::sync::Arc;

use super::{Action, Context};
use crate::tui::attempts::{Grouping, Listed, Order};
use crate::tui::layout::Panel;
use crate::tui::state::{List, State, Tone};
use crate::tui::update::{Effect, Job};

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    row("sort-attempts", "sort by time, outcome, wait, service, client, server", &["S"], |state| {
        state.attempts.order = next(&Order::ALL, state.attempts.order);
        state.attempts.grouping = Grouping::None;
        let word = Order::ALL.iter().find(|(order, _)| *order == state.attempts.order);
        state.say(format!("sorted by {}", word.map_or("", |(_, word)| *word)), Tone::Plain);
        list(state)
    }),
    row(
        "group-attempts",
        "put together by service, client, name, outcome, with times waited",
        &["Space"],
        |state| {
            state.attempts.grouping = next(&Grouping::ALL, state.attempts.grouping);
            let word = Grouping::ALL.iter().find(|(grouping, _)| *grouping == state.attempts.grouping);
            state.say(format!("attempts {}", word.map_or("", |(_, word)| *word)), Tone::Plain);
            list(state)
        },
    ),
];

const fn row(
    name: &'static str,
    help: &'static str,
    keys: &'static [&'static str],
    run: fn(&mut State) -> Effect,
) -> Action {
    Action { name, help, keys, context: Context::Attempts, run }
}

/// The next one round.
fn next<T: Copy + PartialEq>(all: &[(T, &str)], now: T) -> T {
    let at = all.iter().position(|(one, _)| *one == now).unwrap_or(0);
    all.get((at + 1) % all.len()).map_or(now, |(one, _)| *one)
}

/// Asks for the list as it is to be; the old one stays until it is there.
pub fn list(state: &mut State) -> Effect {
    state.attempts.from_top = true;
    arrange(state, Arc::clone(&state.listed.table))
}

/// Lists a table: at once where that is no work.
pub fn arrange(state: &mut State, table: Arc<crate::tui::attempts::Table>) -> Effect {
    state.generations.list += 1;
    let (order, grouping) = (state.attempts.order, state.attempts.grouping);
    if (order, grouping) == (Order::Time, Grouping::None) {
        show(state, Listed { table, ..Listed::default() });
        return Effect::None;
    }
    Effect::Start(Job::List {
        generation: state.generations.list,
        index: state.index.clone(),
        table,
        order,
        grouping,
    })
}

/// Shows another list; the attempt that is selected stays so, where the eye is.
pub fn show(state: &mut State, listed: Listed) {
    let entry = state.listed.entry(state.attempts.list.row);
    let first = entry.map(|entry| (state.listed.table.first(entry), std::mem::discriminant(&entry)));
    let place = first.and_then(|first| {
        let same = |entry: &crate::tui::attempts::Entry| {
            (listed.table.first(*entry), std::mem::discriminant(entry)) == first
        };
        listed.table.entries.iter().position(same)
    });
    let row = place.and_then(|place| listed.row(place)).unwrap_or(0);
    state.listed = listed;
    if !std::mem::take(&mut state.attempts.from_top) {
        crate::tui::places::moved(&mut state.attempts.list, row);
        return;
    }
    state.attempts.list = List::default();
    let first = state.listed.entry(0).map(|entry| state.listed.table.first(entry));
    if let (Some(first), Panel::Attempts) = (first, state.panels.focus) {
        state.follow(first);
    }
}
