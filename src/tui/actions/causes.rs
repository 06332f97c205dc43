//! The ledger: rows switched on and off, weighed otherwise, and what the analyst knows from elsewhere.

use super::{Action, Context};
use crate::case::{Event, LedgerChange};
use crate::findings::hypotheses::ledger::WEIGHTS_DB;
use crate::findings::hypotheses::{Group, Hypothesis, LedgerRow, catalogue};
use crate::tui::dialogs::{Dialog, Form, FormTarget};
use crate::tui::line::Line;
use crate::tui::state::{List, State, Tone};
use crate::tui::update::{Effect, Job};
use crate::tui::views::causes::{Item, assessment, selected, weight};

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    row("toggle-row", "switch this ledger row off or on; on a cause: fold it", &["Space"], toggle),
    row("heavier", "weigh this row more in favour", &["+"], |state| weigh(state, true)),
    row("lighter", "weigh this row more against", &["-"], |state| weigh(state, false)),
    row("add-known", "add what you know for or against this cause (not from packets)", &["a"], |state| {
        let Some(cause) = selected(state).and_then(Item::cause).map(Hypothesis::id) else {
            return Effect::None;
        };
        open(state, cause.to_owned(), None)
    }),
    row("edit-known", "change a row of your own", &["e"], edit),
    row("reset-row", "back to the program's weight; removes a row of your own", &["R"], reset),
    row("previous-causes", "previous problem", &["Left", "h"], |state| problem(state, false)),
    row("next-causes", "next problem", &["Right", "l"], |state| problem(state, true)),
];

const fn row(
    name: &'static str,
    help: &'static str,
    keys: &'static [&'static str],
    run: fn(&mut State) -> Effect,
) -> Action {
    Action { name, help, keys, context: Context::Causes, run }
}

/// The selected row with its cause's id.
fn selected_row(state: &mut State) -> Option<(&'static str, LedgerRow)> {
    if let Some(Item::Row(cause, row)) = selected(state) {
        return Some((cause.id(), row.clone()));
    }
    state.say("this is a cause: its rows are below it (Space unfolds)", Tone::Plain);
    None
}

/// The analyst's change of a row, if there is one. Rows of the analyst's own are `A1`, `A2`, … in the order made.
fn change_of(state: &State, cause: &str, row: &LedgerRow) -> Option<LedgerChange> {
    let mut changes = state.work.case.ledger.iter().filter(|change| change.hypothesis == cause);
    if row.group == Group::Analyst {
        let number: usize = row.id.strip_prefix('A')?.parse().ok()?;
        return changes.filter(|change| change.row.is_empty()).nth(number.checked_sub(1)?).cloned();
    }
    changes.find(|change| change.row == row.id).cloned()
}

fn change_row(state: &State, cause: &str, row: &LedgerRow) -> LedgerChange {
    change_of(state, cause, row).unwrap_or_else(|| LedgerChange {
        id: state.work.case.next_id(),
        hypothesis: cause.to_owned(),
        row: row.id.clone(),
        weight_db: None,
        off: false,
        note: String::new(),
    })
}

/// A change of a program's row that changes nothing is none.
fn put(change: LedgerChange) -> Effect {
    let nothing =
        !change.row.is_empty() && !change.off && change.weight_db.is_none() && change.note.is_empty();
    let event = if nothing { Event::RemoveLedger { id: change.id } } else { Event::PutLedger { change } };
    Effect::Start(Job::Change(event))
}

fn toggle(state: &mut State) -> Effect {
    let fold = match selected(state) {
        Some(item @ (Item::Cause(_) | Item::Rest(_))) => Some(item.fold_id()),
        _ => None,
    };
    if let Some(id) = fold {
        if !state.causes.unfolded.remove(id) {
            state.causes.unfolded.insert(id);
        }
        return Effect::None;
    }
    let Some((cause, row)) = selected_row(state) else { return Effect::None };
    let mut change = change_row(state, cause, &row);
    change.off = !row.off;
    let word = if change.off { "switched off" } else { "counted again" };
    state.say(format!("{cause} {}: {word}; the report says that you did", row.id), Tone::Good);
    stood(state, cause);
    put(change)
}

fn weigh(state: &mut State, more: bool) -> Effect {
    let Some((cause, row)) = selected_row(state) else { return Effect::None };
    let mut allowed = WEIGHTS_DB;
    allowed.sort_unstable();
    let next = match (row.weight_db, more) {
        (None, true) => allowed.first().copied(),
        (None, false) => None,
        (Some(now), true) => allowed.into_iter().find(|weight| *weight > now),
        (Some(now), false) => allowed.into_iter().rev().find(|weight| *weight < now),
    };
    let Some(next) = next else {
        state.say("there is no weight beyond this one", Tone::Plain);
        return Effect::None;
    };
    let mut change = change_row(state, cause, &row);
    change.weight_db = Some(next);
    state.say(format!("{cause} {}: {next:+} dB; R goes back", row.id), Tone::Good);
    stood(state, cause);
    put(change)
}

/// A cause of the problem shown.
fn shown_cause<'a>(state: &'a State, id: &str) -> Option<&'a Hypothesis> {
    assessment(state)?.hypotheses.iter().find(|cause| cause.id() == id)
}

/// Notes how a cause stands before its ledger is changed.
fn stood(state: &mut State, id: &'static str) {
    let before = shown_cause(state, id).map(|cause| (id, cause.score_db, catalogue::list(&cause.tied_with)));
    state.causes.before_change = before;
}

/// Says what the last change of a ledger does to its cause, once the sums are made anew: `H1: +27 → +17 dB, now ties H3`.
pub fn say_what_changed(state: &mut State) {
    let Some((id, score_db, tied)) = state.causes.before_change.take() else { return };
    let Some(cause) = shown_cause(state, id) else { return };
    let arrow = if state.unicode { "→" } else { "->" };
    let ties = catalogue::list(&cause.tied_with);
    let sums = if cause.score_db == score_db {
        format!("{id}: {} as before", weight(score_db))
    } else {
        format!("{id}: {} {arrow} {}", weight(score_db), weight(cause.score_db))
    };
    let tie = match (ties == tied, ties.is_empty()) {
        (true, _) => String::new(),
        (false, true) => ", tied with none any more".to_owned(),
        (false, false) => format!(", now tied with {ties}"),
    };
    let text = format!("{sums}{tie} · {}", cause.verdict.words());
    state.say(text, Tone::Good);
}

fn edit(state: &mut State) -> Effect {
    let Some((cause, row)) = selected_row(state) else { return Effect::None };
    if row.group != Group::Analyst {
        state.say("the program's rows are weighed with + and - or switched off with Space", Tone::Plain);
        return Effect::None;
    }
    let change = change_of(state, cause, &row);
    open(state, cause.to_owned(), change)
}

fn open(state: &mut State, hypothesis: String, change: Option<LedgerChange>) -> Effect {
    let note = change.as_ref().map(|change| change.note.clone()).unwrap_or_default();
    let weight_db = change.as_ref().and_then(|change| change.weight_db).unwrap_or(10);
    state.dialog = Some(Dialog::Form(Form {
        title: format!("What you know for or against {hypothesis}"),
        target: FormTarget::LedgerRow { hypothesis, id: change.map(|change| change.id) },
        fields: vec![
            ("What is known", Line::new(&note)),
            ("Weight in dB", Line::new(&format!("{weight_db:+}"))),
        ],
        field: 0,
        hint: "weights: ±20 decisive, ±10 strong, ±5 fair, ±2 weak; minus speaks against it",
    }));
    Effect::None
}

/// Saves a row of the analyst's own.
pub fn save(state: &mut State, hypothesis: &str, id: Option<u64>, form: &Form) -> Effect {
    let note = form.text(0);
    if note.is_empty() {
        if let Some(id) = id {
            return Effect::Start(Job::Change(Event::RemoveLedger { id }));
        }
        state.say("a row without text was not saved", Tone::Warning);
        return Effect::None;
    }
    let typed = form.text(1).replace('−', "-");
    let number = typed.trim_start_matches('+').trim_end_matches("dB").trim().parse::<i32>();
    let Some(weight_db) = number.ok().filter(|weight| (-20..=20).contains(weight)) else {
        let typed = crate::text::escape(&typed);
        state.say(format!("“{typed}” is no weight between −20 and +20"), Tone::Warning);
        // What was written stays on the screen.
        let id = id.and_then(|id| state.work.case.ledger.iter().find(|change| change.id == id).cloned());
        let effect = open(state, hypothesis.to_owned(), id);
        if let Some(Dialog::Form(again)) = &mut state.dialog {
            again.fields.clone_from(&form.fields);
            again.field = 1;
        }
        return effect;
    };
    let weight_db = WEIGHTS_DB.into_iter().min_by_key(|allowed| (allowed - weight_db).abs()).unwrap_or(0);
    let off = id.is_some_and(|id| state.work.case.ledger.iter().any(|change| change.id == id && change.off));
    let change = LedgerChange {
        id: id.unwrap_or_else(|| state.work.case.next_id()),
        hypothesis: hypothesis.to_owned(),
        row: String::new(),
        weight_db: Some(weight_db),
        off,
        note,
    };
    state.say("saved; assessment and report are made anew with it", Tone::Good);
    put(change)
}

fn reset(state: &mut State) -> Effect {
    let Some((cause, row)) = selected_row(state) else { return Effect::None };
    if let Some(change) = change_of(state, cause, &row) {
        return Effect::Start(Job::Change(Event::RemoveLedger { id: change.id }));
    }
    state.say("this row is as the program weighs it", Tone::Plain);
    Effect::None
}

fn problem(state: &mut State, forward: bool) -> Effect {
    let last = state.assessments.len().saturating_sub(1);
    let at = state.causes.problem;
    state.causes.problem = if forward { (at + 1).min(last) } else { at.saturating_sub(1) };
    state.causes.list = List::default();
    Effect::None
}

/// Goes to the frames of the selected row, one after the other; on a cause, folds it.
pub fn follow(state: &mut State) -> Effect {
    let frames = match selected(state) {
        Some(Item::Row(_, row)) => row.frames.clone(),
        Some(Item::Cause(_) | Item::Rest(_)) => return toggle(state),
        None => return Effect::None,
    };
    let Some(id) = frames.get(state.causes.citation % frames.len().max(1)).copied() else {
        state.say("this row cites no packet", Tone::Plain);
        return Effect::None;
    };
    state.causes.citation += 1;
    super::moving::shown(state, id)
}
