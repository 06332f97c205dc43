//! Brings selections and scroll positions back into their bounds after every message.

use super::fit::scroll_to;
use super::layout::Panel;
use super::state::{List, PacketTab, State};
use super::views;

/// Keeps every selection inside what there is, and inside what is visible.
pub fn settle(state: &mut State) {
    let layout = state.layout();
    let height = |panel: Panel| usize::from(layout.inner(panel).height);
    let rows = state.timeline.rows.len(&state.index);
    state.timeline.row = state.timeline.row.min(rows.saturating_sub(1));
    let visible = views::timeline::visible_rows(state);
    state.timeline.top = scroll_to(state.timeline.top, state.timeline.row, rows, visible);

    let nodes = views::packet::tree(state).len();
    settle_list(&mut state.packet.tree, nodes, height(Panel::Packet));
    let bytes = views::packet::byte_rows(state);
    state.packet.bytes_top = state.packet.bytes_top.min(bytes.saturating_sub(height(Panel::Packet)));
    let words = match state.packet.tab {
        PacketTab::Words => views::words::lines(state, layout.inner(Panel::Packet).width).len(),
        _ => 0,
    };
    state.packet.words_top = state.packet.words_top.min(words.saturating_sub(height(Panel::Packet)));

    settle_report(state, layout.inner(Panel::Report));
    settle_causes(state, layout.inner(Panel::Causes));
    let findings = state.findings.len();
    settle_list(&mut state.finding_list, findings, height(Panel::Findings) / views::findings::ROWS);
    let queries = state.evidence.as_ref().map_or(0, |evidence| evidence.transactions.len());
    settle_list(&mut state.query_list, queries, height(Panel::Queries).saturating_sub(1));
    let frames = views::ladder::frames(state).len();
    let (messages, _) = views::ladder::places(state, layout.inner(Panel::Ladder));
    let room = usize::from(messages.height).saturating_sub(views::ladder::HEAD_ROWS);
    settle_list(&mut state.ladder.list, frames, room);
    if let Some(super::dialogs::Dialog::Help { context, top }) = &mut state.dialog {
        let lines = views::help::lines(*context).len();
        *top = (*top).min(lines.saturating_sub(usize::from(views::help::height(state.size))));
    }
}

fn settle_list(list: &mut List, count: usize, height: usize) {
    list.row = list.row.min(count.saturating_sub(1));
    list.top = scroll_to(list.top, list.row, count, height.max(1));
}

/// The whole selected block is brought into sight where it fits; otherwise its beginning.
fn settle_report(state: &mut State, area: ratatui::layout::Rect) {
    let count = views::report::items(state).len();
    state.reading.item = state.reading.item.min(count.saturating_sub(1));
    if state.layout().panel(Panel::Report).is_empty() || state.panels.side != Panel::Report {
        return;
    }
    let lines = views::report::lines(state, area.width);
    state.reading.top = top_of(&lines, state.reading.item, state.reading.top, usize::from(area.height));
}

fn settle_causes(state: &mut State, area: ratatui::layout::Rect) {
    let count = views::causes::items(state).len();
    state.causes.problem = state.causes.problem.min(state.assessments.len().saturating_sub(1));
    state.causes.list.row = state.causes.list.row.min(count.saturating_sub(1));
    if state.layout().panel(Panel::Causes).is_empty() || state.panels.side != Panel::Causes {
        return;
    }
    let lines = views::causes::lines(state, area.width);
    let list = state.causes.list;
    state.causes.list.top = top_of(&lines, list.row, list.top, usize::from(area.height));
}

/// The first visible line, so that an item is in sight.
fn top_of(lines: &[views::report::ReportLine], item: usize, top: usize, height: usize) -> usize {
    let first = lines.iter().position(|line| line.item == Some(item)).unwrap_or(0);
    let last = lines.iter().rposition(|line| line.item == Some(item)).unwrap_or(first);
    // The heading above the first item is worth seeing.
    let first = if item == 0 { 0 } else { first };
    let below = scroll_to(top, last, lines.len(), height);
    if first < below { scroll_to(below, first, lines.len(), height) } else { below }
}
