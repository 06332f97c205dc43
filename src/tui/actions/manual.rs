//! Timeline rows made by hand: what a call, a ticket or a log says, beside what packets show.

use super::{Action, Context};
use crate::case::{Event, ManualRow};
use crate::tui::dialogs::{Choice, Dialog, Form, FormTarget, Menu, MenuItem};
use crate::tui::line::Line;
use crate::tui::state::{State, Tone};
use crate::tui::update::{Effect, Job};

/// Rows the menu offers, each with a key.
const ROWS_MAX: usize = 26;

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    Action {
        name: "new-row",
        help: "add a row to the report's timeline by hand (a call, a ticket)",
        keys: &["i"],
        context: Context::Report,
        run: |state| open(state, None),
    },
    Action {
        name: "edit-row",
        help: "change or remove a row made by hand",
        keys: &["I"],
        context: Context::Report,
        run: choose,
    },
];

/// Opens the form of a row; a new one begins with the selected packet's time.
pub fn open(state: &mut State, id: Option<u64>) -> Effect {
    let found = state.work.case.manual_rows.iter().find(|row| Some(row.id) == id).cloned();
    let row = found.unwrap_or_else(|| {
        let time = state.packet().map(|packet| packet.time_ns());
        let when = match time {
            Some(at) if state.index.has_date() => crate::time::date_and_time(at),
            Some(at) => crate::time::clock(at),
            None => String::new(),
        };
        let when = when.split('.').next().unwrap_or_default().to_owned();
        ManualRow { id: 0, when, by: String::new(), text: String::new() }
    });
    let fields = vec![
        ("When (UTC)", Line::new(&row.when)),
        ("Who says so", Line::new(&row.by)),
        ("What happened", Line::new(&row.text)),
    ];
    let title = if id.is_some() { "Change this timeline row" } else { "A timeline row made by hand" };
    let hint = if id.is_some() { "nothing under “What happened” removes the row" } else { "" };
    // A new row's time is there already; who said it comes next.
    let field = usize::from(id.is_none());
    let target = FormTarget::ManualRow(id);
    state.dialog = Some(Dialog::Form(Form { target, title: title.to_owned(), fields, field, hint }));
    Effect::None
}

fn choose(state: &mut State) -> Effect {
    let rows = &state.work.case.manual_rows;
    if rows.is_empty() {
        state.say("no row was made by hand yet: i makes one", Tone::Plain);
        return Effect::None;
    }
    let items = rows.iter().zip('a'..='z').take(ROWS_MAX).map(|(row, key)| MenuItem {
        key,
        label: crate::text::escape(&format!("{}  {}  {}", row.when, row.by, row.text)),
        choice: Choice::ManualRow(row.id),
    });
    let menu = Menu { title: "Which timeline row?".to_owned(), items: items.collect(), row: 0, join: None };
    state.dialog = Some(Dialog::Menu(menu));
    Effect::None
}

/// Saves a form's row; without text it is removed.
pub fn save(state: &mut State, id: Option<u64>, form: &Form) -> Effect {
    let row = ManualRow {
        id: id.unwrap_or_else(|| state.work.case.next_id()),
        when: form.text(0),
        by: form.text(1),
        text: form.text(2),
    };
    let event = match (row.text.is_empty(), id) {
        (true, None) => {
            state.say("a row without text was not saved", Tone::Warning);
            return Effect::None;
        }
        (true, Some(id)) => {
            state.say("row removed; u brings it back", Tone::Plain);
            Event::RemoveRow { id }
        }
        (false, _) => {
            state.reading.open.insert("timeline".to_owned());
            state.say("row saved; it stands in the report's timeline", Tone::Good);
            Event::PutRow { row }
        }
    };
    Effect::Start(Job::Change(event))
}
