//! Turns terminal events into messages: key strokes are looked up in the ACTIONS table by context.

use std::sync::LazyLock;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::actions::{self, Action, Context};
use super::state::State;
use super::update::{Message, Typed};

/// One key with its modifiers, in a form that compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stroke {
    /// The key.
    pub code: KeyCode,
    /// Ctrl and Alt (Shift only where it is no part of the character).
    pub modifiers: KeyModifiers,
}

impl Stroke {
    /// The stroke of an event. Shift is dropped for characters: `G` is its own key.
    pub fn of(event: KeyEvent) -> Self {
        let mut modifiers =
            event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let mut code = event.code;
        if code == KeyCode::Tab && modifiers.contains(KeyModifiers::SHIFT) {
            code = KeyCode::BackTab;
        }
        if matches!(code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers -= KeyModifiers::SHIFT;
        }
        Self { code, modifiers }
    }

    /// Reads `j`, `Ctrl-d`, `Alt-Left`, `PgUp`, `Enter`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        loop {
            if let Some(after) = rest.strip_prefix("Ctrl-").filter(|after| !after.is_empty()) {
                modifiers |= KeyModifiers::CONTROL;
                rest = after;
            } else if let Some(after) = rest.strip_prefix("Alt-").filter(|after| !after.is_empty()) {
                modifiers |= KeyModifiers::ALT;
                rest = after;
            } else {
                break;
            }
        }
        let code = match rest {
            "Enter" => KeyCode::Enter,
            "Esc" => KeyCode::Esc,
            "Tab" => KeyCode::Tab,
            "Shift-Tab" => KeyCode::BackTab,
            "Up" => KeyCode::Up,
            "Down" => KeyCode::Down,
            "Left" => KeyCode::Left,
            "Right" => KeyCode::Right,
            "PgUp" => KeyCode::PageUp,
            "PgDn" => KeyCode::PageDown,
            "Home" => KeyCode::Home,
            "End" => KeyCode::End,
            "Space" => KeyCode::Char(' '),
            "Backspace" => KeyCode::Backspace,
            "F1" => KeyCode::F(1),
            _ => {
                let mut characters = rest.chars();
                let first = characters.next()?;
                if characters.next().is_some() {
                    return None;
                }
                KeyCode::Char(first)
            }
        };
        Some(Self { code, modifiers })
    }
}

/// A default key of an action: the strokes one after the other.
pub struct Binding {
    /// Where it counts.
    pub context: Context,
    /// The strokes.
    pub strokes: Vec<Stroke>,
    /// The text in the table.
    pub text: &'static str,
    /// What it does.
    pub action: &'static Action,
}

static BINDINGS: LazyLock<Vec<Binding>> = LazyLock::new(|| {
    let mut bindings = Vec::new();
    for action in actions::all() {
        for text in action.keys {
            let strokes = text.split(' ').filter_map(Stroke::parse).collect();
            bindings.push(Binding { context: action.context, strokes, text, action });
        }
    }
    bindings
});

/// Every default key of every action.
pub fn bindings() -> &'static [Binding] {
    &BINDINGS
}

/// What a sequence of strokes means in a list of contexts, the first that knows it deciding.
pub enum Meaning {
    /// An action.
    Action(&'static Action),
    /// The beginning of longer sequences.
    Prefix,
    /// Nothing.
    Nothing,
}

/// Looks a sequence up.
pub fn meaning(contexts: &[Context], strokes: &[Stroke]) -> Meaning {
    for context in contexts {
        let found =
            bindings().iter().find(|binding| binding.context == *context && binding.strokes == strokes);
        if let Some(binding) = found {
            return Meaning::Action(binding.action);
        }
    }
    let begins = |binding: &Binding| {
        contexts.contains(&binding.context)
            && binding.strokes.len() > strokes.len()
            && binding.strokes.starts_with(strokes)
    };
    if bindings().iter().any(begins) { Meaning::Prefix } else { Meaning::Nothing }
}

/// The message for a terminal event, if it means anything.
pub fn message(state: &State, event: &Event) -> Option<Message> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            let mut strokes = state.pending.clone();
            strokes.push(Stroke::of(*key));
            if state.awaiting.is_none()
                && let Meaning::Action(action) = meaning(&state.contexts(), &strokes)
            {
                return Some(Message::Act(action));
            }
            Some(Message::Text(Typed::Key(*key)))
        }
        Event::Paste(text) => Some(Message::Text(Typed::Paste(text.clone()))),
        Event::Mouse(mouse) => Some(Message::Mouse(*mouse)),
        Event::Resize(width, height) => Some(Message::Resize(*width, *height)),
        _ => None,
    }
}
