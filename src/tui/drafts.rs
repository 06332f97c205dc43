//! Texts that are being written: kept on disk while they are, so that a crash loses a second of typing at most, and
//! taken up again when the same thing is written the next time.

use super::dialogs::{Dialog, EditTarget, editor, text_of};
use super::state::{State, Tone};
use super::update::{Effect, Job};
use super::work::frame_of;
use crate::case::Event;
use crate::index::Index;

/// A text is kept this long after it changed at the latest.
const KEEP_MS: u64 = 1_000;
/// Keys longer than this are told by their hash.
const KEY_MAX_BYTES: usize = 120;

/// The text being written, and what of it is kept.
#[derive(Clone, Debug, Default)]
pub struct Jotting {
    current: Option<Jotted>,
    /// Set when the text was saved, so that no draft of it stays.
    is_saved: bool,
}

#[derive(Clone, Debug)]
struct Jotted {
    key: String,
    /// What there was when writing began.
    first: String,
    text: String,
    /// What the case has of it.
    kept: Option<String>,
    kept_ms: u64,
}

impl Jotting {
    /// The text was saved: its draft is over.
    pub fn saved(&mut self) {
        self.is_saved = true;
    }

    /// Whether something waits to be kept.
    pub fn is_due(&self) -> bool {
        self.current.as_ref().is_some_and(Jotted::differs)
    }
}

impl Jotted {
    /// What should be kept: nothing where nothing new was written.
    fn wanted(&self) -> Option<&str> {
        let is_new = self.text != self.first && !self.text.trim().is_empty();
        is_new.then_some(self.text.as_str())
    }

    fn differs(&self) -> bool {
        self.wanted() != self.kept.as_deref()
    }

    fn keep(&mut self, now_ms: u64) -> Effect {
        self.kept = self.wanted().map(str::to_owned);
        self.kept_ms = now_ms;
        Effect::Start(Job::Change(Event::KeepDraft { key: self.key.clone(), text: self.kept.clone() }))
    }
}

/// What a dialog's text is for, and the text.
fn being_written(dialog: &Dialog, index: &Index) -> Option<(String, String)> {
    let (key, area) = match dialog {
        Dialog::Annotate(annotate) => {
            let frames = annotate.packets.iter().filter_map(|id| frame_of(index, *id));
            let frames: Vec<String> =
                frames.map(|frame| format!("{}:{}", frame.source, frame.frame)).collect();
            let id = annotate.id.map_or_else(|| "new".to_owned(), |id| id.to_string());
            (format!("note {id} {}", frames.join(",")), &annotate.note)
        }
        Dialog::Edit(edit) => match &edit.target {
            EditTarget::Claim(claim) => (format!("claim {}", claim.id), &edit.area),
            EditTarget::Field(id) => (format!("field {id}"), &edit.area),
        },
        _ => return None,
    };
    let key = if key.len() > KEY_MAX_BYTES { crate::case::hash::hash_text(&key) } else { key };
    Some((key, text_of(area)))
}

fn put(dialog: &mut Dialog, text: &str) {
    match dialog {
        Dialog::Annotate(annotate) => annotate.note = editor(text),
        Dialog::Edit(edit) => edit.area = editor(text),
        _ => {}
    }
}

/// Follows what is being written; called after everything that happens.
pub fn keep_up(state: &mut State) -> Effect {
    let written = state.dialog.as_ref().and_then(|dialog| being_written(dialog, &state.index));
    let now_ms = state.now_ms;
    let is_saved = std::mem::take(&mut state.jotting.is_saved);
    match (state.jotting.current.take(), written) {
        (Some(mut jotted), Some((key, text))) if jotted.key == key => {
            let ends_line = text.matches('\n').count() != jotted.text.matches('\n').count();
            jotted.text = text;
            let is_due = ends_line || now_ms.saturating_sub(jotted.kept_ms) >= KEEP_MS;
            let effect = if jotted.differs() && is_due { jotted.keep(now_ms) } else { Effect::None };
            state.jotting.current = Some(jotted);
            effect
        }
        (before, written) => {
            let ended = before.map_or(Effect::None, |jotted| end(state, jotted, is_saved));
            if let Some((key, first)) = written {
                begin(state, key, first);
            }
            ended
        }
    }
}

/// The program is ended: what is written counts as left.
pub fn leave(state: &mut State) -> Effect {
    state.jotting.current.take().map_or(Effect::None, |jotted| end(state, jotted, false))
}

/// A text is begun, or taken up where it was left.
fn begin(state: &mut State, key: String, first: String) {
    let kept = state.work.case.drafts.get(&key).cloned();
    let mut text = first.clone();
    if let Some(kept) = kept.as_ref().filter(|kept| **kept != first) {
        text.clone_from(kept);
        if let Some(dialog) = &mut state.dialog {
            put(dialog, kept);
        }
        state.say("taken up where it was left, and not saved yet: Ctrl-s saves it", Tone::Plain);
    }
    state.jotting.current = Some(Jotted { key, first, text, kept, kept_ms: state.now_ms });
}

/// A text was saved, or left: then what is written of it stays as a draft.
fn end(state: &mut State, mut jotted: Jotted, is_saved: bool) -> Effect {
    if is_saved {
        jotted.text.clone_from(&jotted.first);
    } else if jotted.wanted().is_some() && state.notice.is_none() {
        state.say(
            "not saved; what you wrote is kept as a draft and comes back with the same key",
            Tone::Plain,
        );
    }
    if jotted.differs() { jotted.keep(state.now_ms) } else { Effect::None }
}
