//! The filter line: its text, what it says about it, and how many packets match.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use crate::text::thousands;
use crate::tui::fit::{line_width, put, put_line, width};
use crate::tui::state::{FilterStatus, State};
use crate::tui::theme::{Role, Theme};

/// Columns before the text.
const PROMPT_CELLS: u16 = 3;

/// Draws it.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let bar = &state.filter;
    let muted = theme.style(Role::Muted);
    let right = right(state, theme);
    let cells = line_width(&right) as u16;
    put(buffer, (area.x + 1, area.y), 2, "/", theme.style(if bar.editing { Role::Focus } else { Role::Key }));
    let room = area.width.saturating_sub(PROMPT_CELLS + cells + 2);
    let start = area.x + PROMPT_CELLS;
    if bar.line.text().is_empty() && !bar.editing {
        let hint = "filter: dns or icmp.error   host 203.0.113.2   dns.qry.name contains \"recipes\"";
        put(buffer, (start, area.y), room, hint, muted);
    } else {
        text(state, theme, Rect { x: start, width: room, ..area }, buffer);
    }
    let place = Rect { x: area.right().saturating_sub(cells + 1).max(start), width: cells, ..area };
    put_line(buffer, place.intersection(area), 0, &Line::from(right));
}

fn text(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let line = &state.filter.line;
    let escaped = crate::text::escape(line.before());
    // While typing, what is left of the cursor stays in sight.
    let skip =
        if state.filter.editing { (width(&escaped) + 2).saturating_sub(usize::from(area.width)) } else { 0 };
    let full = line.text();
    let shown: String = full.chars().skip(skip).collect();
    let style = match state.filter.status {
        FilterStatus::Wrong(_) => theme.style(Role::Error),
        _ => theme.style(Role::Text),
    };
    put(buffer, (area.x, area.y), area.width, &shown, style);
    if let FilterStatus::Wrong(error) = &state.filter.status {
        let from = width(full.get(..error.span.start).unwrap_or(full)).saturating_sub(skip) as u16;
        let to = width(full.get(..error.span.end).unwrap_or(full)).saturating_sub(skip) as u16;
        for x in from..to.max(from + 1) {
            if let Some(cell) = buffer.cell_mut((area.x + x, area.y)).filter(|_| x < area.width) {
                cell.set_style(cell.style().add_modifier(Modifier::UNDERLINED));
            }
        }
    }
    if state.filter.editing {
        let x = area.x + (width(&escaped).saturating_sub(skip) as u16).min(area.width.saturating_sub(1));
        if let Some(cell) = buffer.cell_mut((x, area.y)) {
            cell.set_style(cell.style().add_modifier(Modifier::REVERSED));
        }
    }
}

fn right(state: &State, theme: &Theme) -> Vec<Span<'static>> {
    let bar = &state.filter;
    let muted = theme.style(Role::Muted);
    let total = thousands(u64::from(state.index.len()));
    let tick = if state.unicode { "✓" } else { "ok" };
    let mut spans = Vec::new();
    match &bar.status {
        FilterStatus::Empty => {
            if bar.editing {
                spans.push(Span::styled(format!("all {total}   Enter keep · Esc leave"), muted));
            }
            return spans;
        }
        FilterStatus::Unfinished(_) => spans.push(Span::styled("… not finished", muted)),
        FilterStatus::Wrong(_) => {
            let cross = if state.unicode { "✗" } else { "x" };
            spans.push(Span::styled(format!("{cross} list unchanged"), theme.style(Role::Error)));
        }
        FilterStatus::Running => {
            let found = thousands(bar.matching as u64);
            let percent = u64::from(bar.done) * 100 / u64::from(state.index.len().max(1));
            spans.push(Span::styled(format!("{found} so far · {percent} % of {total}"), muted));
        }
        FilterStatus::Valid => {
            let matching = thousands(bar.matching as u64);
            let role = if bar.matching == 0 { Role::Warning } else { Role::Accepted };
            let mark = if bar.matching == 0 { "!" } else { tick };
            spans.push(Span::styled(format!("{mark} {matching} of {total}"), theme.style(role)));
            let shown = state.timeline.rows.len(&state.index);
            if bar.partners && shown > bar.matching {
                spans.push(Span::styled(format!(" + {} partners", shown - bar.matching), muted));
            } else if let Some(hidden) = hidden_partner(state) {
                spans.push(Span::styled(format!("  {hidden} hidden: p"), theme.style(Role::Warning)));
            }
        }
    }
    let hint = if bar.editing { "   Enter keep · Esc leave" } else { "   Esc clear" };
    spans.push(Span::styled(hint, muted));
    spans
}

/// The selected packet's partner, where the filter hides it.
fn hidden_partner(state: &State) -> Option<String> {
    let partner = state.partner()?;
    state.timeline.rows.find(&state.index, partner).is_none().then(|| state.number(partner))
}

/// Completions shown at once.
const COMPLETION_ROWS: usize = 8;

/// What stands under the line while it is typed: what is wrong and where, and what can stand at the cursor.
pub fn render_popup(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let rows = caret(state, theme, area, buffer);
    if state.filter.editing {
        completions(state, theme, Rect { y: area.y.saturating_add(1 + rows), ..area }, buffer);
    }
}

fn completions(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let bar = &state.filter;
    let Some(first) = bar.completions.first() else { return };
    let before = bar.line.text().get(..first.range.start).unwrap_or_default();
    // What is typed out already needs no list over the rows it found.
    if bar.completion == 0 && bar.line.text().get(first.range.clone()) == Some(first.text.as_str()) {
        return;
    }
    let wide = bar.completions.iter().map(|found| width(&found.text)).max().unwrap_or(0).clamp(8, 44);
    let cells = (wide as u16 + 46).min(area.width);
    let x = (area.x + PROMPT_CELLS + width(before) as u16).min(area.right().saturating_sub(cells));
    let top = crate::tui::fit::scroll_to(0, bar.completion, bar.completions.len(), COMPLETION_ROWS);
    let popup = theme.style(Role::Popup);
    for (at, found) in bar.completions.iter().enumerate().skip(top).take(COMPLETION_ROWS) {
        let y = area.y.saturating_add((at - top) as u16);
        if y >= buffer.area().bottom() {
            return;
        }
        let row = Rect { x, y, width: cells, height: 1 };
        super::dialogs::clear(row, popup, buffer);
        let end = put(
            buffer,
            (x, y),
            cells,
            &crate::tui::fit::pad(&found.text, wide),
            popup.patch(theme.style(Role::Key)),
        );
        let count = found.count.map(thousands).unwrap_or_default();
        let help = crate::tui::fit::pad(&found.help, 34);
        let room = row.right().saturating_sub(end + 1);
        let text = format!("{help} {}", crate::tui::fit::pad_left(&count, 9));
        put(buffer, (end + 1, y), room, &text, popup.patch(theme.style(Role::Muted)));
        if at == bar.completion {
            buffer.set_style(row.intersection(*buffer.area()), theme.style(Role::Selected));
        }
    }
}

/// Draws the caret line; how many rows it took.
fn caret(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let bar = &state.filter;
    let (span, message, suggestion, role) = match &bar.status {
        FilterStatus::Wrong(error) => (error.span.clone(), &error.message, &error.suggestion, Role::Error),
        FilterStatus::Unfinished(error) if bar.editing => {
            (error.span.clone(), &error.message, &error.suggestion, Role::Muted)
        }
        FilterStatus::Valid if bar.editing || bar.matching == 0 => match bar.warnings.first() {
            Some((span, message)) => (span.clone(), message, &None, Role::Warning),
            None => return 0,
        },
        _ => return 0,
    };
    let y = area.y.saturating_add(1);
    if area.is_empty() || y >= buffer.area().bottom() {
        return 0;
    }
    let row = Rect { y, height: 1, ..area };
    super::dialogs::clear(row, theme.style(Role::Popup), buffer);
    let column = width(bar.line.text().get(..span.start).unwrap_or_default()) as u16;
    let column = column.min(area.width.saturating_sub(PROMPT_CELLS + 30).max(1));
    let carets = if state.unicode { "▔" } else { "^" }.repeat((span.len()).clamp(1, 40));
    let mut text = format!("{carets} {}", crate::text::escape(message));
    if let Some(suggestion) = suggestion {
        let _ = write!(text, " · try {}", crate::text::escape(suggestion));
    }
    let x = area.x + PROMPT_CELLS + column;
    put(
        buffer,
        (x, y),
        area.right().saturating_sub(x),
        &text,
        theme.style(Role::Popup).patch(theme.style(role)),
    );
    1
}
