//! Searching: text, a pattern or bytes, shown while it is typed, counted, and gone through with `n` and `N`.

use std::sync::Arc;

use super::{Action, Context};
use crate::tui::dialogs::{Dialog, Prompt, PromptKind};
use crate::tui::line::Line;
use crate::tui::search::{Matches, Needle};
use crate::tui::state::{Sought, State, Tone};
use crate::tui::update::{Effect, Job};

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    row("search", "look for text, /a pattern/ or 0x bytes in the rows", &["s"], |state| {
        state.search.origin = state.timeline.selected;
        state.dialog = Some(Dialog::Prompt(Prompt {
            kind: PromptKind::Search,
            title: "Search in addresses and summaries: text, /pattern/ or 0x de ad".to_owned(),
            line: Line::new(&state.search.text),
        }));
        Effect::None
    }),
    row("next-match", "next match of the search", &["n"], |state| look(state, false)),
    row("previous-match", "previous match of the search", &["N"], |state| look(state, true)),
];

const fn row(
    name: &'static str,
    help: &'static str,
    keys: &'static [&'static str],
    run: fn(&mut State) -> Effect,
) -> Action {
    Action { name, help, keys, context: Context::Panels, run }
}

/// Goes to the first match of what is typed so far; the place from before comes back when it is left.
pub fn typed(state: &mut State, text: &str) -> Effect {
    back(state);
    text.clone_into(&mut state.search.text);
    read(state, text).map_or(Effect::None, |()| start(state, false, true))
}

/// Takes what was typed.
pub fn take(state: &mut State, text: &str) -> Effect {
    text.clone_into(&mut state.search.text);
    if text.is_empty() {
        return leave(state);
    }
    let first = state.search.origin.take();
    match Needle::read(text) {
        Err(message) => {
            state.say(message, Tone::Warning);
            Effect::None
        }
        // What was found while it was typed stays where it is.
        Ok(_) if first != state.timeline.selected && state.search.matches.is_some() => say_place(state),
        Ok(_) => read(state, text).map_or(Effect::None, |()| start(state, false, false)),
    }
}

/// Leaves the search: the place from before comes back, nothing is lit.
pub fn leave(state: &mut State) -> Effect {
    back(state);
    state.search.origin = None;
    state.search.needle = None;
    state.search.matches = None;
    stop(state)
}

/// Stops a search that runs.
pub fn stop(state: &mut State) -> Effect {
    if !std::mem::take(&mut state.search.running) {
        return Effect::None;
    }
    state.generations.search += 1;
    Effect::Start(Job::StopSearch)
}

fn back(state: &mut State) {
    if let Some(origin) = state.search.origin {
        let row = state.timeline.rows.nearest(&state.index, origin);
        state.select_row(row);
    }
}

/// Makes what is looked for out of text; `None` while it cannot be.
fn read(state: &mut State, text: &str) -> Option<()> {
    state.search.matches = None;
    state.search.needle = None;
    let needle = if text.is_empty() { None } else { Needle::read(text).ok() };
    state.search.needle = Some(Arc::new(needle?));
    Some(())
}

fn look(state: &mut State, backward: bool) -> Effect {
    if state.search.text.is_empty() {
        state.say("nothing searched for yet: s", Tone::Plain);
        return Effect::None;
    }
    if known(state).is_some() {
        return step(state, backward);
    }
    let text = state.search.text.clone();
    read(state, &text).map_or(Effect::None, |()| start(state, backward, false))
}

/// The matches, as long as the rows are those they were found in.
fn known(state: &State) -> Option<&Matches> {
    state.search.matches.as_ref().filter(|matches| matches.among == among(state))
}

fn among(state: &State) -> (usize, String) {
    (state.timeline.rows.len(&state.index), state.filter.shown.clone())
}

fn step(state: &mut State, backward: bool) -> Effect {
    let from = state.timeline.row;
    let Some((row, _)) = known(state).and_then(|matches| matches.next(from, backward)) else {
        return say_place(state);
    };
    let Some(id) = state.timeline.rows.get(&state.index, row) else { return Effect::None };
    let effect = super::moving::shown(state, id);
    say_place(state);
    effect
}

/// `“recipes”: 3 of 12 rows`.
fn say_place(state: &mut State) -> Effect {
    let Some(matches) = known(state) else { return Effect::None };
    let count = matches.rows.len();
    let number = matches.rows.binary_search(&(state.timeline.row as u32)).map(|at| at + 1);
    let text = crate::text::escape(&state.search.text);
    let counted = crate::text::thousands(count as u64);
    match (count, number) {
        (0, _) => state.say(format!("“{text}” is in none of these rows"), Tone::Warning),
        (_, Ok(number)) => {
            state.say(format!("“{text}”: {number} of {counted} · n next, N previous"), Tone::Plain);
        }
        (_, Err(_)) => state.say(format!("“{text}”: {counted} rows · n next, N previous"), Tone::Plain),
    }
    Effect::None
}

/// Looks from the selection on; `here` counts the selected row as well.
fn start(state: &mut State, backward: bool, here: bool) -> Effect {
    let Some(needle) = state.search.needle.clone() else { return Effect::None };
    state.generations.search += 1;
    state.search.running = true;
    state.search.sought = Sought::Text;
    let count = state.timeline.rows.len(&state.index).max(1);
    let from = if here { (state.timeline.row + count - 1) % count } else { state.timeline.row };
    Effect::Start(Job::Search {
        generation: state.generations.search,
        needle,
        index: state.index.clone(),
        rows: state.timeline.rows.clone(),
        from,
        backward,
    })
}

/// The first match was found, or there is none.
pub fn found(state: &mut State, row: Option<usize>) -> Effect {
    let text = state.search.sought == Sought::Text;
    // The matches are still being counted.
    state.search.running = text && row.is_some();
    if let Some(id) = row.and_then(|row| state.timeline.rows.get(&state.index, row)) {
        if state.search.origin.is_some() {
            let row = state.timeline.rows.nearest(&state.index, id);
            state.select_row(row);
            return Effect::None;
        }
        return super::moving::shown(state, id);
    }
    match state.search.sought {
        Sought::Text => {
            let text = crate::text::escape(&state.search.text);
            state.say(format!("“{text}” is in none of these rows"), Tone::Warning);
        }
        Sought::ConversationBelow => state.say("no further packet of this conversation below", Tone::Plain),
        Sought::ConversationAbove => state.say("no further packet of this conversation above", Tone::Plain),
    }
    Effect::None
}

/// All matches were counted.
pub fn counted(state: &mut State, rows: Arc<[u32]>) -> Effect {
    state.search.running = false;
    state.search.matches = Some(Matches { rows, among: among(state) });
    say_place(state)
}
