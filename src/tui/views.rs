//! Draws the state: one file per panel, nothing is changed here, only visible rows are formatted.

pub mod attempts;
pub mod causes;
pub mod comparison;
pub mod dialogs;
pub mod filter_line;
pub mod findings;
pub mod help;
pub mod ladder;
pub mod overview;
pub mod packet;
pub mod report;
pub mod status;
pub mod tabs;
pub mod timeline;
pub mod timeline_ties;
pub mod title;
pub mod verdict;
pub mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::fit::{put, put_line, width};
use super::layout::Panel;
use super::state::State;
use super::theme::{Role, Theme};
use super::update::Effect;
use crate::index::PacketId;

/// What a panel shows, and what keys and the mouse do in it: one file each, found by [`Panel::view`].
pub trait View: Sync {
    /// Which panel it is.
    fn panel(&self) -> Panel;

    /// Draws it into what its border leaves.
    fn render(&self, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer);

    /// What stands behind its title, in so many cells.
    fn counts(&self, _state: &State, _room: usize) -> String {
        String::new()
    }

    /// Its title in the border.
    fn title(&self, state: &State, theme: &Theme, style: Style, room: usize) -> Vec<Span<'static>> {
        let title = self.panel().title();
        let room = room.saturating_sub(width(title) + 2);
        vec![
            Span::styled(format!(" {title} "), style),
            Span::styled(self.counts(state, room), theme.style(Role::Muted)),
        ]
    }

    /// Moves its selection.
    fn step(&self, state: &mut State, by: isize);

    /// How far half a page of so many rows goes.
    fn half_page(&self, height: usize) -> usize {
        (height / 2).max(1)
    }

    /// How far a turn of the wheel by some lines goes.
    fn scrolled(&self, lines: isize) -> isize {
        lines
    }

    /// Enter.
    fn activate(&self, state: &mut State) -> Effect;

    /// Selects what was clicked: row and column inside its border.
    fn press(&self, state: &mut State, row: usize, column: u16);

    /// Brings selection and first visible row back into their bounds.
    fn settle(&self, state: &mut State, area: Rect);

    /// The packet that its highlighted row stands for; `None` where it stands for none.
    fn selected(&self, state: &State) -> Option<PacketId>;

    /// Points at what holds a packet that was selected elsewhere, where it has something of the kind.
    fn point(&self, _state: &mut State, _packet: PacketId) {}

    /// Its most useful keys, best first.
    fn hints(&self, state: &State) -> &'static [(&'static str, &'static str)];
}

impl Panel {
    /// What it shows.
    pub fn view(self) -> &'static dyn View {
        match self {
            Self::Timeline => &timeline::Timeline,
            Self::Packet => &packet::Packet,
            Self::Report => &report::Report,
            Self::Findings => &findings::Findings,
            Self::Causes => &causes::Causes,
            Self::Attempts => &attempts::Attempts,
            Self::Ladder => &ladder::Ladder,
        }
    }
}

/// Draws everything.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(*buffer.area());
    if area.is_empty() {
        return;
    }
    let layout = super::layout::layout(area, &state.panels);
    title::render(state, theme, layout.title, buffer);
    verdict::render(state, theme, layout.verdict, buffer);
    overview::render(state, theme, layout.overview, buffer);
    filter_line::render(state, theme, layout.filter, buffer);
    if let (Some(text), false) = (super::update::damage_line(state), layout.damage.is_empty()) {
        let changed =
            matches!(super::update::loud_notice(state), Some(crate::case::Notice::CaptureChanged { .. }));
        let hint = if changed { "  A goes on with it · D dismisses" } else { "  D dismisses" };
        let line = Line::from(vec![
            Span::styled(format!(" {} ", if state.unicode { "⚠" } else { "!" }), theme.style(Role::Warning)),
            Span::styled(text, theme.style(Role::Warning)),
            Span::styled(hint, theme.style(Role::Muted)),
        ]);
        put_line(buffer, layout.damage, 0, &line);
    }
    tabs::render(state, theme, layout.tabs, buffer);
    for panel in [Panel::Timeline, Panel::Packet, state.panels.side] {
        let place = layout.panel(panel);
        if place.is_empty() {
            continue;
        }
        if layout.bordered {
            frame(state, theme, panel, place, buffer);
        }
        panel.view().render(state, theme, layout.inner(panel), buffer);
    }
    status::render(state, theme, layout.status, buffer);
    filter_line::render_popup(state, theme, layout.filter, buffer);
    dialogs::render(state, theme, area, buffer);
    if !state.unicode {
        to_ascii(area, buffer);
    }
}

/// What terminals without UTF-8 show instead of typography.
const ASCII: [(&str, &str); 24] = [
    ("…", "."),
    ("·", "-"),
    ("→", ">"),
    ("←", "<"),
    ("×", "x"),
    ("–", "-"),
    ("−", "-"),
    ("±", "+"),
    ("“", "\""),
    ("”", "\""),
    ("‘", "'"),
    ("’", "'"),
    ("«", "<"),
    ("»", ">"),
    ("µ", "u"),
    ("§", "S"),
    ("█", "#"),
    ("░", "-"),
    ("≥", ">"),
    ("≤", "<"),
    ("▾", "v"),
    ("▸", ">"),
    ("●", "o"),
    ("◆", "r"),
];

/// Replaces what such a terminal cannot show, in every cell: texts come from many places.
fn to_ascii(area: Rect, buffer: &mut Buffer) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let Some(cell) = buffer.cell_mut((x, y)) else { continue };
            if cell.symbol().is_ascii() {
                continue;
            }
            let found = ASCII.iter().find(|(unicode, _)| *unicode == cell.symbol());
            let plain = found.map_or("?", |(_, ascii)| ascii);
            cell.set_symbol(plain);
        }
    }
}

/// A panel's border with its title; the focused one stands out by colour and weight.
fn frame(state: &State, theme: &Theme, panel: Panel, area: Rect, buffer: &mut Buffer) {
    let focused = state.panels.focus == panel && state.dialog.is_none();
    let style = theme.style(if focused { Role::Focus } else { Role::Border });
    boxed(buffer, area, style, state.unicode);
    let title_style = if focused { style.patch(theme.style(Role::Title)) } else { theme.style(Role::Muted) };
    let spans = panel.view().title(state, theme, title_style, usize::from(area.width.saturating_sub(6)));
    let room = area.width.saturating_sub(4);
    put_line(buffer, Rect { x: area.x.saturating_add(2), width: room, ..area }, 0, &Line::from(spans));
}

/// Draws a box.
pub fn boxed(buffer: &mut Buffer, area: Rect, style: Style, unicode: bool) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let [corner_a, corner_b, corner_c, corner_d, across, down] =
        if unicode { ["╭", "╮", "╰", "╯", "─", "│"] } else { ["+", "+", "+", "+", "-", "|"] };
    let line = across.repeat(usize::from(area.width - 2));
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    put(buffer, (area.x, area.y), area.width, &format!("{corner_a}{line}{corner_b}"), style);
    put(buffer, (area.x, bottom), area.width, &format!("{corner_c}{line}{corner_d}"), style);
    for y in area.y + 1..bottom {
        put(buffer, (area.x, y), 1, down, style);
        put(buffer, (right, y), 1, down, style);
    }
}

/// Writes several lines of muted text in the middle of an empty panel.
pub fn empty(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    let width = area.width.saturating_sub(4).min(72);
    let lines = super::fit::wrap(text, usize::from(width));
    let top = area.y + area.height.saturating_sub(lines.len() as u16) / 3;
    for (at, line) in lines.iter().enumerate() {
        let y = top.saturating_add(at as u16);
        if y >= area.bottom() {
            return;
        }
        put(buffer, (area.x.saturating_add(2), y), area.width.saturating_sub(2), line, style);
    }
}
