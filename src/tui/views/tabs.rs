//! The tab strip of narrow and zoomed screens.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::fit::put;
use crate::tui::layout::Panel;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// The titles as they fit: whole, their first letters, or only the focused one's.
fn titles(state: &State, columns: u16) -> Vec<(Panel, &'static str, &'static str)> {
    let room = usize::from(columns);
    let shortened = |letters: usize| -> Vec<(Panel, &'static str, &'static str)> {
        let short = |panel: Panel, title: &'static str| {
            let end = if panel == state.panels.focus { title.len() } else { letters.min(title.len()) };
            title.get(..end).unwrap_or(title)
        };
        Panel::ALL.iter().map(|(panel, key, title)| (*panel, *key, short(*panel, title))).collect()
    };
    let cells = |tabs: &[(Panel, &str, &str)]| {
        tabs.iter().map(|(_, key, title)| label(key, title).len()).sum::<usize>()
    };
    [usize::MAX, 4]
        .into_iter()
        .map(shortened)
        .find(|tabs| cells(tabs) <= room)
        .unwrap_or_else(|| shortened(0))
}

fn label(key: &str, title: &str) -> String {
    if title.is_empty() { format!(" {key} ") } else { format!(" {key} {title} ") }
}

/// The panel whose tab is at a column.
pub fn at(state: &State, area: Rect, x: u16) -> Option<Panel> {
    let mut start = area.x;
    for (panel, key, title) in titles(state, area.width) {
        let end = start + label(key, title).len() as u16;
        if (start..end).contains(&x) {
            return Some(panel);
        }
        start = end;
    }
    None
}

/// Draws it.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let mut x = area.x;
    for (panel, key, title) in titles(state, area.width) {
        let room = area.right().saturating_sub(x);
        let text = label(key, title);
        if panel == state.panels.focus {
            x = put(buffer, (x, area.y), room, &text, theme.style(Role::Tab));
        } else {
            x = put(buffer, (x, area.y), room, &format!(" {key}"), theme.style(Role::Key));
            let room = area.right().saturating_sub(x);
            let rest = text.get(1 + key.len()..).unwrap_or_default();
            x = put(buffer, (x, area.y), room, rest, theme.style(Role::Muted));
        }
    }
    let text = state.panels.focus.view().counts(state, usize::from(area.right().saturating_sub(x)));
    let cells = crate::tui::fit::width(&text) as u16;
    if x.saturating_add(cells) < area.right() {
        put(buffer, (area.right() - cells, area.y), cells, &text, theme.style(Role::Muted));
    }
}
