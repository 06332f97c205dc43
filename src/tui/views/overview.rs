//! The overview: queries over time as a sparkline, errors and notes below it, and where the selection is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::fit::put;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};
use crate::tui::work::{letter, packet_of};

const LEGEND_CELLS: u16 = 17;

/// Where the bars begin and how many columns they take.
pub fn bars(state: &State, area: Rect) -> Option<(u16, u16)> {
    state.overview.first_ns?;
    let columns = area.width.checked_sub(LEGEND_CELLS + 12).filter(|columns| *columns >= 10)?;
    Some((area.x + 10, columns))
}

/// Draws it.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let Some((start, columns)) = bars(state, area) else { return };
    let muted = theme.style(Role::Muted);
    let Some(first) = state.overview.first_ns else { return };
    put(buffer, (area.x + 1, area.y), 9, &state.index.basis().clock(first), muted);
    let values = state.overview.columns(usize::from(columns));
    let most = values.iter().map(|(queries, _)| *queries).max().unwrap_or(0).max(1);
    let steps: &[&str] = if state.unicode {
        &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    } else {
        &["_", ".", "-", "="]
    };
    let (error_mark, here_mark) = if state.unicode { ("✗", "▴") } else { ("x", "^") };
    for (at, (queries, errors)) in values.iter().enumerate() {
        let x = start + at as u16;
        if *queries > 0 {
            let step = (*queries * steps.len() as u64).div_ceil(most).saturating_sub(1) as usize;
            let mark = steps.get(step.min(steps.len() - 1)).copied().unwrap_or("_");
            put(buffer, (x, area.y), 1, mark, theme.style(Role::Query));
        } else {
            put(buffer, (x, area.y), 1, if state.unicode { "·" } else { " " }, theme.style(Role::Border));
        }
        if *errors > 0 {
            put(buffer, (x, area.y + 1), 1, error_mark, theme.style(Role::Error));
        }
    }
    let column = |at_ns| start + state.overview.column(at_ns, usize::from(columns)) as u16;
    for (position, note) in state.work.case.annotations.iter().enumerate() {
        let frame = note.frames.first().and_then(|frame| packet_of(&state.index, *frame));
        if let Some(packet) = frame.and_then(|id| state.index.packet(id)) {
            let mark = letter(position).to_string();
            put(buffer, (column(packet.time_ns()), area.y + 1), 1, &mark, theme.style(Role::Note));
        }
    }
    if let Some(packet) = state.packet() {
        let x = column(packet.time_ns());
        let cell = (x, area.y + 1);
        if buffer.cell(cell).is_some_and(|cell| cell.symbol() == " ") {
            put(buffer, cell, 1, here_mark, theme.style(Role::Focus));
        }
        if let Some(cell) = buffer.cell_mut((x, area.y)) {
            cell.set_style(theme.style(Role::Selected));
        }
    }
    let legend = start + columns + 1;
    let last = state.index.basis().clock(state.overview.last_ns);
    let end = put(buffer, (legend, area.y), 9, &last, muted);
    put(buffer, (end + 1, area.y), LEGEND_CELLS - 9, "queries", theme.style(Role::Query));
    let end = put(buffer, (legend, area.y + 1), 8, &format!("{error_mark} errors"), theme.style(Role::Error));
    put(buffer, (end, area.y + 1), LEGEND_CELLS - 8, " A notes", theme.style(Role::Note));
}
