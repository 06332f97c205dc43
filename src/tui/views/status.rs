//! The last line: the most useful keys, or a word from the program, and the selected packet's link.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::attempts::ties;
use crate::correlate::{Level, LinkKind};
use crate::text::thousands;
use crate::tui::fit::{clip_middle, put, put_line, width};
use crate::tui::layout::Panel;
use crate::tui::state::{State, Tone};
use crate::tui::theme::{Role, Theme};

/// Below this width there is no room for keys and selection.
const CROWDED_COLUMNS: u16 = 100;

/// What stands at the right, and how many cells are left of it.
fn divided(state: &State, area: Rect) -> (String, u16) {
    let mut right = right(state);
    // A word from the program is read whole before the selection's.
    let said = state.notice.as_ref().map_or(0, |notice| width(&notice.text) + 4);
    // Where the selected packet is not on the screen, the keys of the panel that is are worth more.
    let elsewhere = !matches!(state.panels.focus, Panel::Timeline | Panel::Packet);
    let crowded = area.width < CROWDED_COLUMNS && elsewhere;
    if crowded || said + width(&right) + 2 > usize::from(area.width) {
        right.clear();
    }
    let cells = width(&right) as u16;
    if right.is_empty() || area.width <= cells + 30 {
        (String::new(), area.width)
    } else {
        (right, area.width - cells - 2)
    }
}

/// How wide a hint is: a blank around the key, one behind what it does.
fn hint_cells(key: &str, what: &str) -> usize {
    width(key) + width(what) + 3
}

/// The hints that fit into so many cells.
fn fitting(state: &State, room: u16) -> Vec<(&'static str, &'static str)> {
    let mut left = usize::from(room);
    let fits = |(key, what): &(&str, &str)| {
        // A blank is kept behind the last one.
        let fits = hint_cells(key, what) < left;
        left = left.saturating_sub(hint_cells(key, what));
        fits
    };
    hints(state).into_iter().take_while(fits).collect()
}

/// The key whose hint is at a column.
pub fn at(state: &State, area: Rect, x: u16) -> Option<&'static str> {
    if state.notice.is_some() || state.count.is_some() {
        return None;
    }
    let (_, room) = divided(state, area);
    let mut start = area.x;
    for (key, what) in fitting(state, room) {
        let end = start.saturating_add(hint_cells(key, what) as u16);
        if (start..end).contains(&x) {
            return Some(key);
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
    let (right, room) = divided(state, area);
    if !right.is_empty() {
        let cells = width(&right) as u16;
        put(
            buffer,
            (area.right().saturating_sub(cells + 1), area.y),
            cells,
            &right,
            theme.style(Role::Muted),
        );
    }
    let left = Rect { width: room, ..area };
    if let Some(notice) = &state.notice {
        let (mark, role) = match notice.tone {
            Tone::Plain => (" ", Role::Text),
            Tone::Good => (if state.unicode { " ✓ " } else { " ok " }, Role::Accepted),
            Tone::Warning => (" ! ", Role::Warning),
        };
        let style = theme.style(role);
        let text = clip_middle(&notice.text, usize::from(left.width).saturating_sub(width(mark) + 1));
        let line = Line::from(vec![Span::styled(mark, style), Span::styled(text, style)]);
        put_line(buffer, left, 0, &line);
        return;
    }
    if let Some(count) = state.count {
        let text = format!(" {count}… then gg, Enter after g, or a moving key");
        put(buffer, (left.x, left.y), left.width, &text, theme.style(Role::Text));
        return;
    }
    let mut spans: Vec<Span<'_>> = Vec::new();
    for (key, what) in fitting(state, room) {
        spans.push(Span::styled(format!(" {key} "), theme.style(Role::Key)));
        spans.push(Span::styled(format!("{what} "), theme.style(Role::Muted)));
    }
    put_line(buffer, left, 0, &Line::from(spans));
}

/// The most useful keys of the focused panel, best first; `?` and `q` always fit.
fn hints(state: &State) -> Vec<(&'static str, &'static str)> {
    let enter = if state.unicode { "⏎" } else { "Enter" };
    let own = state.panels.focus.view().hints(state);
    let mut all: Vec<(&str, &str)> = vec![("?", "help"), ("q", "quit")];
    all.extend(own.iter().map(|(key, what)| (if *key == "⏎" { enter } else { *key }, *what)));
    all.extend([("Tab", "panel"), (":", "command")]);
    all
}

/// `#2 of 2,317 · about #1, exact`
fn right(state: &State) -> String {
    let Some(id) = state.timeline.selected else { return String::new() };
    let count = state.timeline.rows.len(&state.index);
    if count == 0 {
        return String::new();
    }
    let mut text = format!("{} of {}", state.number(id), thousands(u64::from(state.index.len())));
    let Some(evidence) = &state.evidence else { return text };
    if let Some(link) = ties::links_from(evidence, id).first() {
        let word = match link.kind {
            LinkKind::ErrorAbout => "about",
            LinkKind::AnswerTo => "answers",
            LinkKind::RetryOf => "repeats",
            LinkKind::DuplicateOf => "copy of",
        };
        match link.to {
            Some(to) => {
                let _ = write!(text, " · {word} {}: {}", state.number(to), link.level.name());
            }
            None if link.level == Level::Contradicted => text.push_str(" · contradicted"),
            None => text.push_str(" · orphan"),
        }
    } else if let Some(partner) = ties::partner(evidence, id) {
        let _ = write!(text, " · linked to {}", state.number(partner));
    }
    text
}
