//! Turns terminal events into messages: key strokes are looked up in the ACTIONS table by context.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

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

/// A key of an action: the strokes one after the other.
pub struct Binding {
    /// Where it counts.
    pub context: Context,
    /// The strokes.
    pub strokes: Vec<Stroke>,
    /// The text in the table.
    pub text: String,
    /// What it does.
    pub action: &'static Action,
}

/// The analyst's own keys by action; they take the place of the action's keys in the table.
pub type Own = std::collections::BTreeMap<String, Vec<String>>;

static OWN: OnceLock<Own> = OnceLock::new();
static BINDINGS: LazyLock<Vec<Binding>> = LazyLock::new(|| with(OWN.get().unwrap_or(&Own::new())));

/// Every key of every action, with the analyst's own keys in place of those in the table.
pub fn with(own: &Own) -> Vec<Binding> {
    let mut bindings = Vec::new();
    for action in actions::all() {
        let table = || action.keys.iter().map(|key| (*key).to_owned()).collect();
        for text in own.get(action.name).cloned().unwrap_or_else(table) {
            let strokes = text.split(' ').filter_map(Stroke::parse).collect();
            bindings.push(Binding { context: action.context, strokes, text, action });
        }
    }
    bindings
}

/// Takes the analyst's own keys; counts only before the first key is looked up.
pub fn own(keys: Own) {
    let _ = OWN.set(keys);
}

/// Every key of every action.
pub fn bindings() -> &'static [Binding] {
    &BINDINGS
}

/// The keys of an action, as they are written.
pub fn of(action: &Action) -> Vec<&'static str> {
    let own = bindings().iter().filter(|binding| std::ptr::eq(binding.action, action));
    own.map(|binding| binding.text.as_str()).collect()
}

/// Contexts whose keys count at the same time.
pub fn stacks() -> Vec<Vec<Context>> {
    let panels =
        super::layout::Panel::ALL.iter().map(|(panel, ..)| vec![Context::of(*panel), Context::Panels]);
    let dialogs = [
        vec![Context::Line],
        vec![Context::FilterLine],
        vec![Context::Editor],
        vec![Context::Export],
        vec![Context::Choices],
        vec![Context::Palette],
        vec![Context::Question],
        vec![Context::Help],
        vec![Context::Paste],
    ];
    panels.chain(dialogs).collect()
}

/// What is wrong with a set of keys: one that cannot be read, that means two things, or that hides a longer one.
pub fn conflict(bindings: &[Binding]) -> Option<(&'static str, String)> {
    for stack in stacks() {
        let mut seen: HashMap<&[Stroke], &Binding> = HashMap::new();
        for binding in bindings.iter().filter(|binding| stack.contains(&binding.context)) {
            let name = binding.action.name;
            if binding.strokes.len() != binding.text.split(' ').count() {
                return Some((name, format!("`{}` is no key", crate::text::escape(&binding.text))));
            }
            if let Some(other) = seen.insert(&binding.strokes, binding) {
                return Some((name, format!("`{}` means {} and {name}", binding.text, other.action.name)));
            }
        }
        for (short, binding) in &seen {
            let longer = seen.iter().find(|(long, _)| long.len() > short.len() && long.starts_with(short));
            if let Some((_, longer)) = longer {
                let name = binding.action.name;
                return Some((name, format!("`{}` hides `{}`", binding.text, longer.text)));
            }
        }
    }
    None
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
