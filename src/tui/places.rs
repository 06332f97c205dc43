//! The analyst's place in lists that are made anew: kept by what is selected, not by its number.

use super::layout::Panel;
use super::state::{List, State};
use super::views;
use crate::correlate::Problem;
use crate::index::PacketId;
use crate::report::Block;

/// What is selected where, before evidence or draft are replaced.
pub struct Places {
    finding: Option<(&'static str, Option<PacketId>)>,
    problem: Option<Problem>,
    cause: Option<(&'static str, Option<String>)>,
    block: Option<String>,
    /// Lines between the top of the report panel and the selected block.
    offset: usize,
}

impl Places {
    /// Notes them.
    pub fn of(state: &State) -> Self {
        let finding = state.findings.get(state.finding_list.row);
        let cause = views::causes::selected(state).map(|item| match item {
            views::causes::Item::Cause(cause) => (cause.id(), None),
            views::causes::Item::Row(cause, row) => (cause.id(), Some(row.id.clone())),
            item @ views::causes::Item::Rest(_) => (item.fold_id(), None),
        });
        let block = views::report::block(state, state.reading.item).map(identity);
        let offset = first_line(state).saturating_sub(state.reading.top);
        Self {
            finding: finding.map(|finding| (finding.id, finding.frames.first().copied())),
            problem: shown_problem(state).cloned(),
            cause,
            block,
            offset,
        }
    }

    /// Goes back to those that concern findings, causes and draft.
    pub fn restore_draft(&self, state: &mut State) {
        if let Some((id, frame)) = self.finding {
            let same = |exact: bool| {
                state.findings.iter().position(|finding| {
                    finding.id == id && (!exact || finding.frames.first().copied() == frame)
                })
            };
            if let Some(row) = same(true).or_else(|| same(false)) {
                moved(&mut state.finding_list, row);
            }
        }
        self.restore_causes(state);
        let Some(block) = &self.block else { return };
        if let Some(item) = state.report.blocks().position(|other| identity(other) == *block) {
            let at = (state.reading.item, item);
            state.reading.item = item;
            if at.0 != at.1 || state.panels.side == Panel::Report {
                state.reading.top = first_line(state).saturating_sub(self.offset);
            }
        }
    }

    fn restore_causes(&self, state: &mut State) {
        if let (Some(problem), Some(evidence)) = (&self.problem, &state.evidence) {
            let same = |other: &Problem| {
                (other.server, other.transport, &other.signature)
                    == (problem.server, problem.transport, &problem.signature)
            };
            let at = state.assessments.iter().position(|assessment| {
                assessment.problem.and_then(|at| evidence.problems.get(at)).is_some_and(same)
            });
            state.causes.problem = at.unwrap_or(state.causes.problem);
        }
        let Some((cause, row)) = &self.cause else { return };
        let at = views::causes::items(state).iter().position(|item| match (item, row) {
            (views::causes::Item::Cause(_) | views::causes::Item::Rest(_), None) => item.fold_id() == *cause,
            (views::causes::Item::Row(other, found), Some(row)) => other.id() == *cause && found.id == *row,
            _ => false,
        });
        if let Some(at) = at {
            state.causes.list.row = at;
        }
    }
}

fn shown_problem(state: &State) -> Option<&Problem> {
    let shown = views::causes::assessment(state)?;
    state.evidence.as_ref()?.problems.get(shown.problem?)
}

/// Selects another row and keeps it where the eye is.
pub fn moved(list: &mut List, row: usize) {
    let offset = list.row.saturating_sub(list.top);
    *list = List { row, top: row.saturating_sub(offset) };
}

/// What a block is, whatever it says now.
fn identity(block: &Block) -> String {
    match block {
        Block::Claim(claim) => format!("claim {}", claim.id),
        Block::Field(field) => format!("field {}", field.id),
        Block::Table(table) => format!("table {}", table.id),
        Block::Lines(title, _) => format!("lines {title}"),
        Block::Note(text) | Block::Aside(text) => format!("note {text}"),
    }
}

/// The first line of the selected block of the report.
fn first_line(state: &State) -> usize {
    let area = state.layout().inner(Panel::Report);
    if area.is_empty() || state.panels.side != Panel::Report {
        return 0;
    }
    let lines = views::report::lines(state, area.width);
    lines.iter().position(|line| line.item == Some(state.reading.item)).unwrap_or(0)
}
