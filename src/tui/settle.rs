//! Brings selections and scroll positions back into their bounds after every message.

use super::fit::scroll_to;
use super::layout::Panel;
use super::state::{List, State};
use super::views;

/// Keeps every selection inside what there is, and inside what is visible.
pub fn settle(state: &mut State) {
    let layout = state.layout();
    for (panel, ..) in Panel::ALL {
        panel.view().settle(state, layout.inner(panel));
    }
    if let Some(super::dialogs::Dialog::Help(help)) = &mut state.dialog {
        let keys = views::help::lines(help).iter().filter(|line| line.action.is_some()).count();
        help.row = help.row.min(keys.saturating_sub(1));
    }
}

/// Keeps a list's row among its rows and in sight.
pub fn settle_list(list: &mut List, count: usize, height: usize) {
    list.row = list.row.min(count.saturating_sub(1));
    list.top = scroll_to(list.top, list.row, count, height.max(1));
}

/// The first visible line, so that an item is in sight.
pub fn top_of(lines: &[views::report::ReportLine], item: usize, top: usize, height: usize) -> usize {
    let first = lines.iter().position(|line| line.item == Some(item)).unwrap_or(0);
    let last = lines.iter().rposition(|line| line.item == Some(item)).unwrap_or(first);
    // The heading above the first item is worth seeing.
    let first = if item == 0 { 0 } else { first };
    let below = scroll_to(top, last, lines.len(), height);
    if first < below { scroll_to(below, first, lines.len(), height) } else { below }
}
