//! What the rules found, gravest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::View;
use super::report::ReportLine;
use crate::findings::Severity;
use crate::index::PacketId;
use crate::tui::fit::{clip, wrap};
use crate::tui::layout::Panel;
use crate::tui::settle::top_of;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};
use crate::tui::update::Effect;

/// Lines a finding takes that is not selected where not all fit whole.
const SHORT: usize = 2;

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
        state.finding_list.row = state.finding_list.row.min(state.findings.len().saturating_sub(1));
        if area.is_empty() || state.panels.side != Panel::Findings {
            return;
        }
        let list = state.finding_list;
        let lines = lines(state, area);
        state.finding_list.top = top_of(&lines, list.row, list.top, usize::from(area.height));
    }

    /// It moves by findings of several lines.
    fn half_page(&self, height: usize) -> usize {
        (height / 8).max(1)
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
    let area = state.layout().inner(Panel::Findings);
    lines(state, area).get(state.finding_list.top + line)?.item
}

/// Every line: whole sentences where all fit, else the selected one's alone.
fn lines(state: &State, area: Rect) -> Vec<ReportLine> {
    let whole = wrapped(state, area, usize::MAX);
    if whole.len() <= usize::from(area.height) { whole } else { wrapped(state, area, SHORT) }
}

/// Every line, findings that are not selected in so many lines at most.
fn wrapped(state: &State, area: Rect, most: usize) -> Vec<ReportLine> {
    let room = usize::from(area.width).saturating_sub(10).max(12);
    let mut out = Vec::new();
    for (item, finding) in state.findings.iter().enumerate() {
        let role = match finding.severity {
            Severity::High => Role::Error,
            Severity::Medium => Role::Warning,
            Severity::Low => Role::Retry,
            Severity::Info => Role::Muted,
        };
        let mut line = |lead: &str, text: String, text_role: Role| {
            let pieces = vec![(format!("{lead:<8}"), role), (text, text_role)];
            out.push(ReportLine { item: Some(item), pieces, right: None });
        };
        let text = wrap(&finding.statement, room);
        let shown = if item == state.finding_list.row { text.len() } else { text.len().min(most) };
        for (at, part) in text.iter().take(shown).enumerate() {
            let lead = if at == 0 { finding.severity.name() } else { "" };
            let cut = at + 1 == shown && shown < text.len();
            let part = if cut { clip(&format!("{part} …"), room) } else { part.clone() };
            line(lead, part, Role::Text);
        }
        let citation = super::report::citation(state, &finding.frames);
        line("", format!("{citation}  {}", finding.id), Role::Muted);
    }
    out
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
    let list = state.finding_list;
    super::report::draw(&lines(state, area), list.top, Some(list.row), theme, area, buffer);
}
