//! Quitting: asks where something would be lost, and keeps a capture that came through a pipe.

use super::{Action, Context};
use crate::case::Saving;
use crate::tui::dialogs::{Choice, Dialog, Menu, MenuItem, Pasting, Prompt, PromptKind};
use crate::tui::line::Line;
use crate::tui::state::{State, Tone};
use crate::tui::update::{Effect, Job};

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    Action {
        name: "quit",
        help: "quit; the case is saved",
        keys: &["q", "Ctrl-c"],
        context: Context::Panels,
        run: quit,
    },
    Action {
        name: "suspend",
        help: "stop until the shell's `fg` lets it go on",
        keys: &["Ctrl-z"],
        context: Context::Panels,
        run: |_| Effect::Suspend,
    },
    Action {
        name: "paste",
        help: "paste a log and open it in place of what is open",
        keys: &["P"],
        context: Context::Panels,
        run: |state| paste(state, ""),
    },
];

/// Asks for a log, with what was pasted already.
pub fn paste(state: &mut State, text: &str) -> Effect {
    let mut pasting = Pasting::default();
    if !text.is_empty() {
        pasting.add(text);
    }
    state.dialog = Some(Dialog::Paste(pasting));
    Effect::None
}

/// Opens what was pasted; nothing is like leaving.
pub fn open_pasted(state: &mut State) -> Effect {
    let text = match &state.dialog {
        Some(Dialog::Paste(pasting)) => pasting.text.clone(),
        _ => String::new(),
    };
    if text.trim().is_empty() { leave_paste(state) } else { Effect::OpenText(text) }
}

/// Goes back to what is open; where nothing is, there is nothing to go back to.
pub fn leave_paste(state: &mut State) -> Effect {
    state.dialog = None;
    if state.index.sources.is_empty() { Effect::Quit } else { Effect::None }
}

fn quit(state: &mut State) -> Effect {
    if !state.index.is_empty() && piped(state).is_some() {
        let item = |key: char, label: &str, choice: Choice| MenuItem { key, label: label.to_owned(), choice };
        state.dialog = Some(Dialog::Menu(Menu {
            title: "This capture came through a pipe and is in no file".to_owned(),
            items: vec![
                item('s', "save the capture with its notes, then quit", Choice::KeepCapture),
                item('q', "quit and lose the capture", Choice::Quit),
            ],
            row: 0,
            join: None,
        }));
        return Effect::None;
    }
    if state.work.case.is_made() && state.work.saving == Saving::NotSaved {
        let reason = state.work.notices.iter().find(|notice| notice.is_loud()).map(ToString::to_string);
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let item = |key: char, label: &str, choice: Choice| MenuItem { key, label: label.to_owned(), choice };
        state.dialog = Some(Dialog::Menu(Menu {
            title: format!("Your notes and decisions are NOT saved{reason}"),
            items: vec![
                item('s', "save them elsewhere, then quit", Choice::SaveCase),
                item('q', "quit and lose them", Choice::Quit),
            ],
            row: 0,
            join: None,
        }));
        return Effect::None;
    }
    Effect::Quit
}

/// Asks for a file to save the case in.
pub fn ask_where_case(state: &mut State) -> Effect {
    state.dialog = Some(Dialog::Prompt(Prompt {
        title: "Save the case as".to_owned(),
        line: Line::new("notes.portmortem.json"),
        kind: PromptKind::SaveCase,
    }));
    Effect::None
}

/// Writes the case to a file; the program ends when that is done.
pub fn save_case(state: &mut State, path: &str) -> Effect {
    if path.is_empty() {
        return ask_where_case(state);
    }
    state.say("writing the case…", Tone::Plain);
    Effect::Start(Job::SaveCase(path.into()))
}

/// The position of the first capture that came through a pipe.
pub fn piped(state: &State) -> Option<usize> {
    state.index.sources.iter().position(|source| source.path.is_none() && source.size == 0)
}

/// Asks for a file to keep the capture in.
pub fn ask_where(state: &mut State) -> Effect {
    let format = piped(state).and_then(|at| state.index.sources.get(at)).map(|source| source.metadata.format);
    let name = match format.map(crate::capture::Format::name) {
        Some("pcapng") => "capture.pcapng",
        Some("transcript") => "capture.txt",
        _ => "capture.pcap",
    };
    state.dialog = Some(Dialog::Prompt(Prompt {
        title: "Keep the capture as".to_owned(),
        line: Line::new(name),
        kind: PromptKind::KeepCapture,
    }));
    Effect::None
}

/// Writes the capture to a file; the program ends when that is done.
pub fn keep(state: &mut State, path: &str) -> Effect {
    if path.is_empty() {
        return ask_where(state);
    }
    state.say("writing the capture…", Tone::Plain);
    Effect::Start(Job::Keep { path: path.into(), index: state.index.clone() })
}
