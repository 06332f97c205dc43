//! What the rules found, gravest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::findings::Severity;
use crate::tui::fit::{put, wrap};
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// Lines a finding takes.
pub const ROWS: usize = 3;

/// The finding at a line of the panel.
pub fn row_at(state: &State, line: usize) -> Option<usize> {
    let row = state.finding_list.top + line / ROWS;
    (row < state.findings.len()).then_some(row)
}

/// Draws it.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if state.findings.is_empty() {
        let text = if state.draft.made_with.is_none() {
            "Findings are made when the capture has been read.".to_owned()
        } else {
            state.coverage.sentences().join(" ")
        };
        super::empty(buffer, area, &text, theme.style(Role::Muted));
        return;
    }
    let fitting = usize::from(area.height).div_ceil(ROWS);
    for (line, finding) in state.findings.iter().skip(state.finding_list.top).take(fitting).enumerate() {
        let y = area.y + (line * ROWS) as u16;
        let role = match finding.severity {
            Severity::High => Role::Error,
            Severity::Medium => Role::Warning,
            Severity::Low => Role::Retry,
            Severity::Info => Role::Muted,
        };
        let room = area.width.saturating_sub(10);
        put(buffer, (area.x + 1, y), 7, finding.severity.name(), theme.style(role));
        let text = wrap(&finding.statement, usize::from(room));
        for (at, part) in text.iter().take(2).enumerate() {
            let more = at == 1 && text.len() > 2;
            let part = if more { format!("{part} …") } else { part.clone() };
            let row = y + at as u16;
            if row < area.bottom() {
                put(buffer, (area.x + 9, row), room, &part, theme.style(Role::Text));
            }
        }
        let last = y + text.len().min(2) as u16;
        if last < area.bottom() {
            let citation = super::report::citation(state, &finding.frames);
            put(
                buffer,
                (area.x + 9, last),
                room,
                &format!("{citation}  {}", finding.id),
                theme.style(Role::Muted),
            );
        }
        if state.finding_list.top + line == state.finding_list.row {
            let height = (ROWS as u16).min(area.bottom().saturating_sub(y));
            buffer.set_style(Rect { y, height, ..area }, theme.style(Role::Selected));
        }
    }
}
