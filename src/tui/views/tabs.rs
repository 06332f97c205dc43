//! The tab strip of narrow and zoomed screens.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::fit::put;
use crate::tui::layout::Panel;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

fn label(key: &str, title: &str) -> String {
    format!(" {key} {title} ")
}

/// The panel whose tab is at a column.
pub fn at(_state: &State, area: Rect, x: u16) -> Option<Panel> {
    let mut start = area.x;
    for (panel, key, title) in Panel::ALL {
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
    for (panel, key, title) in Panel::ALL {
        let room = area.right().saturating_sub(x);
        let text = label(key, title);
        if panel == state.panels.focus {
            x = put(buffer, (x, area.y), room, &text, theme.style(Role::Tab));
        } else {
            x = put(buffer, (x, area.y), room, &format!(" {key}"), theme.style(Role::Key));
            let room = area.right().saturating_sub(x);
            x = put(buffer, (x, area.y), room, &format!(" {title} "), theme.style(Role::Muted));
        }
    }
    let text = match state.panels.focus {
        Panel::Report => super::report::counts(state),
        Panel::Ladder => super::ladder::counts(state),
        _ => String::new(),
    };
    let cells = crate::tui::fit::width(&text) as u16;
    if x.saturating_add(cells) < area.right() {
        put(buffer, (area.right() - cells, area.y), cells, &text, theme.style(Role::Muted));
    }
}
