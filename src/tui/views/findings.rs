//! What the rules found, gravest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::View;
use crate::findings::Severity;
use crate::index::PacketId;
use crate::tui::fit::{put, wrap};
use crate::tui::layout::Panel;
use crate::tui::settle::settle_list;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};
use crate::tui::update::Effect;

/// Lines a finding takes.
const ROWS: usize = 3;

/// The panel.
pub struct Findings;

impl View for Findings {
    fn panel(&self) -> Panel {
        Panel::Findings
    }

    fn render(&self, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
        render(state, theme, area, buffer);
    }

    fn counts(&self, state: &State, _room: usize) -> String {
        format!("{} ", state.findings.len())
    }

    fn step(&self, state: &mut State, by: isize) {
        let last = state.findings.len().saturating_sub(1);
        state.finding_list.row = state.finding_list.row.saturating_add_signed(by).min(last);
    }

    fn activate(&self, state: &mut State) -> Effect {
        crate::tui::actions::reporting::follow_finding(state)
    }

    fn press(&self, state: &mut State, row: usize, _column: u16) {
        if let Some(row) = row_at(state, row) {
            state.finding_list.row = row;
        }
    }

    fn settle(&self, state: &mut State, area: Rect) {
        let findings = state.findings.len();
        settle_list(&mut state.finding_list, findings, usize::from(area.height) / ROWS);
    }

    fn selected(&self, state: &State) -> Option<PacketId> {
        state.findings.get(state.finding_list.row)?.frames.first().copied()
    }

    fn hints(&self, _state: &State) -> &'static [(&'static str, &'static str)] {
        &[("⏎", "its frames"), ("a", "into the report"), ("Space", "filter"), ("f", "filter by…")]
    }
}

/// The finding at a line of the panel.
fn row_at(state: &State, line: usize) -> Option<usize> {
    let row = state.finding_list.top + line / ROWS;
    (row < state.findings.len()).then_some(row)
}

/// Draws it.
fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
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
