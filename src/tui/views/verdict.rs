//! The verdict line: the gravest failure, or the one the selected packet shows, in one line that is always there.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::tui::fit::{clip, put, put_line, width};
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// What it says: a mark, the text, how that looks.
fn said(state: &State) -> (&'static str, String, Role) {
    let marks: [&str; 4] = if state.unicode { ["✗", "✓", "?", "·"] } else { ["x", "+", "?", "-"] };
    let [failed, clear, open, plain] = marks;
    let Some(made) = &state.draft.made_with else {
        let text = match (&state.evidence, state.index.complete) {
            (_, false) => "what failed is said when the capture has been read",
            (None, true) => "packets are being tied",
            (Some(_), true) => "what failed is being weighed",
        };
        return (plain, text.to_owned(), Role::Muted);
    };
    let at = state.timeline.selected.and_then(|id| made.spoken_of(id)).unwrap_or(0);
    if let Some(verdict) = state.report.verdicts.get(at) {
        let all = state.report.verdicts.len();
        let number = if all > 1 { format!("{} of {all}: ", at + 1) } else { String::new() };
        return (failed, format!("{number}{}", verdict.text), Role::Error);
    }
    let title = state.report.title.clone();
    match state.coverage.is_clear() {
        true => (clear, title, Role::Accepted),
        false if state.coverage.open().next().is_some() => (open, title, Role::Warning),
        false => (plain, title, Role::Text),
    }
}

/// Draws it.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let (mark, text, role) = said(state);
    let hint = if state.report.verdicts.is_empty() { "" } else { "] next " };
    let hint_cells = width(hint) as u16;
    let room = usize::from(area.width.saturating_sub(4 + hint_cells));
    let line = Line::from(vec![
        Span::styled(format!(" {mark} "), theme.style(role)),
        Span::styled(clip(&text, room), theme.style(role)),
    ]);
    put_line(buffer, area, 0, &line);
    let x = area.right().saturating_sub(hint_cells);
    put(buffer, (x, area.y), hint_cells, hint, theme.style(Role::Key));
}
