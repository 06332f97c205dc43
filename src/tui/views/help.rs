//! The help screen, made from the ACTIONS table: the panel's own keys first, then those that count everywhere.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::actions::{self, Context};
use crate::tui::fit::{pad, put, width};
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

const KEY_CELLS: usize = 18;

/// The lines: keys and help, or a heading.
pub fn lines(context: Context) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut contexts = vec![context, Context::Panels, Context::FilterLine, Context::Editor, Context::Choices];
    contexts.dedup();
    for context in contexts {
        let group: Vec<_> = actions::all().filter(|action| action.context == context).collect();
        if group.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push((String::new(), String::new()));
        }
        out.push((String::new(), context.title().to_owned()));
        for action in group {
            out.push((action.keys.join("  "), action.help.to_owned()));
        }
    }
    out.push((String::new(), String::new()));
    out.push((String::new(), "Marks in the timeline".to_owned()));
    for (mark, what) in [
        ("╭ ╰✗", "a query and the ICMP error about it"),
        ("╭ ╰✓", "a query and its answer"),
        ("↑#n ↓#n", "the other end is out of sight"),
        ("↻", "a repeated query"),
        ("…", "a query nothing came back for"),
        ("?", "orphan: what it is about is not in this capture"),
        ("!", "contradicted: it fits no packet that was sent"),
        ("A B C", "your notes"),
        ("■", "picked, to be noted together"),
        ("● ◆ ◇", "observed in packets, reported by a person, assessed"),
    ] {
        out.push((mark.to_owned(), what.to_owned()));
    }
    out
}

/// Rows of text the help shows on a screen.
pub fn height(screen: Rect) -> u16 {
    place(screen).height.saturating_sub(2)
}

fn place(screen: Rect) -> Rect {
    let width = screen.width.min(92);
    let height = screen.height.saturating_sub(2).min(46);
    Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + screen.height.saturating_sub(height) / 2,
        width,
        height,
    }
}

/// Draws it.
pub fn render(state: &State, theme: &Theme, screen: Rect, dialog: (Context, usize), buffer: &mut Buffer) {
    let (context, top) = dialog;
    let area = place(screen);
    let all = lines(context);
    let shown = top + usize::from(height(screen));
    let title = if all.len() > usize::from(height(screen)) {
        format!("Keys · j k scroll · Esc closes · {} %", shown.min(all.len()) * 100 / all.len().max(1))
    } else {
        "Keys · Esc closes".to_owned()
    };
    let inner = super::dialogs::popup(state, theme, area, &title, buffer);
    for (at, (keys, help)) in all.iter().skip(top).take(usize::from(inner.height)).enumerate() {
        let y = inner.y + at as u16;
        if keys.is_empty() {
            put(buffer, (inner.x, y), inner.width, help, theme.style(Role::Title));
            continue;
        }
        let cells = width(keys).max(KEY_CELLS);
        let x = put(buffer, (inner.x, y), inner.width, &pad(keys, cells), theme.style(Role::Key));
        put(buffer, (x + 1, y), inner.right().saturating_sub(x + 1), help, theme.style(Role::Text));
    }
}
