//! One row an attempt, of DNS and of every other service, or one a group of them: how it ended, who asked whom for what, how long it took.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::View;
use crate::index::PacketId;
use crate::text::thousands;
use crate::tui::attempts::{Group, Grouping, Order, SPARK_CELLS, Shown, place};
use crate::tui::dialogs::Join;
use crate::tui::fit::{clip_middle, pad, pad_left, put, width};
use crate::tui::layout::Panel;
use crate::tui::settle::settle_list;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};
use crate::tui::update::Effect;

/// The panel.
pub struct Attempts;

/// Cells of the number, the outcome, the waits and the tries.
const NUMBER_CELLS: usize = 7;
const OUTCOME_CELLS: usize = 16;
const SPAN_CELLS: usize = 9;
const TRIES_CELLS: usize = 5;
/// Cells of a time of day.
const TIME_CELLS: usize = 15;
/// Cells of an address with its port, where there is room.
const SERVER_CELLS: usize = 22;
const CLIENT_CELLS: usize = 17;
/// Fewer cells are no room for a name.
const NAME_CELLS_MIN: usize = 8;
/// From these widths on the further columns are shown: wait, partner, tries, client, round trip, time.
const WAITED_FROM: u16 = 50;
const PARTNER_FROM: u16 = 72;
const TRIES_FROM: u16 = 84;
const CLIENT_FROM: u16 = 96;
const ANSWERED_FROM: u16 = 112;
const TIME_FROM: u16 = 130;

impl View for Attempts {
    fn panel(&self) -> Panel {
        Panel::Attempts
    }

    fn render(&self, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        if state.listed.is_empty() {
            let text = if state.evidence.is_none() {
                "Requests are joined with their answers when the capture has been read."
            } else if state.draft.made_with.is_none() {
                "Attempts at services are being followed."
            } else {
                "Nobody asked a service for anything in this capture."
            };
            super::empty(buffer, area, text, theme.style(Role::Muted));
            return;
        }
        let rows = usize::from(area.height.saturating_sub(1));
        let list = state.attempts.list;
        let visible = list.top..state.listed.len().min(list.top + rows);
        if state.listed.grouping == Grouping::None {
            let shown: Vec<Shown> = visible
                .filter_map(|row| state.listed.table.shown(&state.index, state.listed.entry(row)?))
                .collect();
            one_by_one(state, theme, &shown, area, buffer);
        } else {
            let groups: Vec<&Group> = visible.filter_map(|row| state.listed.group(row)).collect();
            grouped(state, theme, &groups, area, buffer);
        }
        let selected = list.row.checked_sub(list.top).filter(|line| *line < rows);
        if let Some(line) = selected {
            let place = Rect { y: area.y + 1 + line as u16, height: 1, ..area };
            buffer.set_style(place, theme.style(Role::Selected));
        }
    }

    fn counts(&self, state: &State, _room: usize) -> String {
        let table = &state.listed.table;
        if table.evidence.is_none() {
            return String::new();
        }
        let word = |all: &[(Order, &'static str)]| {
            let known = all.iter().find(|(order, _)| *order == state.listed.order);
            known.map_or("", |(_, word)| *word)
        };
        let by = match state.listed.grouping {
            Grouping::None if state.listed.order == Order::Time => String::new(),
            Grouping::None => format!("· by {} ", word(&Order::ALL)),
            grouping => {
                let known = Grouping::ALL.iter().find(|(known, _)| *known == grouping);
                format!("· {} ", known.map_or("", |(_, word)| *word))
            }
        };
        format!("{} · {} failed {by}", thousands(table.entries.len() as u64), thousands(table.failed))
    }

    fn step(&self, state: &mut State, by: isize) {
        let row = state.attempts.list.row.saturating_add_signed(by);
        state.attempts.list.row = row.min(state.listed.len().saturating_sub(1));
    }

    fn press(&self, state: &mut State, row: usize, _column: u16) {
        if let Some(row) = row.checked_sub(1) {
            state.attempts.list.row = state.attempts.list.top + row;
        }
    }

    /// Enter shows only the packets of the row; again, what was shown before.
    fn activate(&self, state: &mut State) -> Effect {
        let Some(filter) = state.listed.filter(&state.index, state.attempts.list.row) else {
            return Effect::None;
        };
        if state.filter.line.text() == filter {
            let before = std::mem::take(&mut state.attempts.filter_before);
            state.filter.line.set(&before);
            return crate::tui::actions::filtering::typed(state);
        }
        state.attempts.filter_before = state.filter.line.text().to_owned();
        crate::tui::actions::filtering::join(state, &filter, Join::Replace)
    }

    fn settle(&self, state: &mut State, area: Rect) {
        let count = state.listed.len();
        settle_list(&mut state.attempts.list, count, usize::from(area.height).saturating_sub(1));
    }

    fn selected(&self, state: &State) -> Option<PacketId> {
        let entry = state.listed.entry(state.attempts.list.row)?;
        Some(state.listed.table.first(entry))
    }

    /// The attempt that the packet belongs to, or the one before it.
    fn point(&self, state: &mut State, packet: PacketId) {
        let place = state.listed.table.near(&state.index, packet);
        if let Some(row) = place.and_then(|place| state.listed.row(place)) {
            state.attempts.list.row = row;
        }
    }

    fn hints(&self, _state: &State) -> &'static [(&'static str, &'static str)] {
        &[
            ("⏎", "filter"),
            ("L", "ladder"),
            ("S", "sort"),
            ("Space", "group"),
            ("f", "filter by…"),
            ("a", "annotate"),
        ]
    }
}

/// Writes cells side by side, each in its own role, with a space between them.
struct Cells<'c> {
    buffer: &'c mut Buffer,
    theme: &'c Theme,
    x: u16,
    y: u16,
    right: u16,
}

impl Cells<'_> {
    fn put(&mut self, text: &str, cells: usize, role: Role) {
        if cells == 0 {
            return;
        }
        let room = (cells as u16).min(self.right.saturating_sub(self.x));
        put(self.buffer, (self.x, self.y), room, text, self.theme.style(role));
        self.x = self.x.saturating_add(cells as u16 + 1);
    }
}

/// What each column takes; 0 where it is not shown.
struct Widths {
    time: usize,
    tries: usize,
    service: usize,
    client: usize,
    server: usize,
    name: usize,
    waited: usize,
    answered: usize,
    partner: usize,
}

impl Widths {
    fn of(columns: u16, shown: &[Shown]) -> Self {
        let from = |width: u16, cells: usize| if columns >= width { cells } else { 0 };
        let service = shown.iter().map(|own| width(own.service)).max().unwrap_or(0).max(3);
        let mut widths = Self {
            time: from(TIME_FROM, TIME_CELLS),
            tries: from(TRIES_FROM, TRIES_CELLS),
            service,
            client: from(CLIENT_FROM, CLIENT_CELLS),
            server: 0,
            name: 0,
            waited: from(WAITED_FROM, SPAN_CELLS),
            answered: from(ANSWERED_FROM, SPAN_CELLS),
            partner: from(PARTNER_FROM, NUMBER_CELLS),
        };
        let fixed =
            [widths.time, widths.tries, widths.service, widths.client, widths.waited, widths.answered];
        let others = [widths.partner, NUMBER_CELLS, OUTCOME_CELLS];
        let used: usize =
            fixed.iter().chain(&others).filter(|cells| **cells > 0).map(|cells| cells + 1).sum();
        let rest = usize::from(columns).saturating_sub(used);
        let longest = shown.iter().map(|own| width(&place(own.server))).max().unwrap_or(0).max(6);
        widths.server = rest.min(longest).min(SERVER_CELLS);
        widths.name = rest.saturating_sub(widths.server + 1);
        if widths.name < NAME_CELLS_MIN {
            (widths.server, widths.name) = (rest, 0);
        }
        widths
    }
}

fn span(ns: i64) -> String {
    if ns > 0 { crate::time::span(ns) } else { "–".to_owned() }
}

fn one_by_one(state: &State, theme: &Theme, shown: &[Shown], area: Rect, buffer: &mut Buffer) {
    let widths = Widths::of(area.width, shown);
    let mut cells = Cells { buffer, theme, x: area.x, y: area.y, right: area.right() };
    cells.put(&pad_left("No", NUMBER_CELLS), NUMBER_CELLS, Role::Muted);
    cells.put("Time", widths.time, Role::Muted);
    cells.put(&pad_left("Tries", widths.tries), widths.tries, Role::Muted);
    cells.put("Outcome", OUTCOME_CELLS, Role::Muted);
    cells.put(&pad("For", widths.service), widths.service, Role::Muted);
    cells.put("Client", widths.client, Role::Muted);
    cells.put("Server", widths.server, Role::Muted);
    cells.put("Asked for", widths.name, Role::Muted);
    cells.put(&pad_left("Answered", widths.answered), widths.answered, Role::Muted);
    cells.put(&pad_left("Waited", widths.waited), widths.waited, Role::Muted);
    cells.put("Partner", widths.partner, Role::Muted);
    for (line, own) in shown.iter().enumerate() {
        let (x, y, right) = (area.x, area.y + 1 + line as u16, area.right());
        let mut cells = Cells { buffer: &mut *cells.buffer, theme, x, y, right };
        cells.put(&pad_left(&state.number(own.first), NUMBER_CELLS), NUMBER_CELLS, Role::Muted);
        cells.put(&time(state, own.time_ns), widths.time, Role::Muted);
        cells.put(&pad_left(&own.tries.to_string(), widths.tries), widths.tries, Role::Muted);
        cells.put(&own.outcome, OUTCOME_CELLS, own.role);
        cells.put(own.service, widths.service, Role::Text);
        cells.put(&clip_middle(&own.client.to_string(), widths.client), widths.client, Role::Text);
        cells.put(&clip_middle(&place(own.server), widths.server), widths.server, Role::Text);
        cells.put(&own.name, widths.name, Role::Text);
        cells.put(&pad_left(&span(own.answered_ns), widths.answered), widths.answered, Role::Muted);
        cells.put(&pad_left(&span(own.waited_ns), widths.waited), widths.waited, Role::Muted);
        let partner = own.partner.map(|id| state.number(id)).unwrap_or_default();
        cells.put(&partner, widths.partner, Role::Muted);
    }
}

fn time(state: &State, time_ns: i64) -> String {
    state.index.basis().moment(time_ns)
}

/// Cells of the numbers of a group: attempts, failed, share.
const COUNT_CELLS: usize = 8;
const SHARE_CELLS: usize = 5;
/// From these widths on groups show their line over time, and their further waits.
const SPARK_FROM: u16 = 70;
const WAITS_FROM: u16 = 92;

fn grouped(state: &State, theme: &Theme, groups: &[&Group], area: Rect, buffer: &mut Buffer) {
    let spark = if area.width >= SPARK_FROM { SPARK_CELLS } else { 0 };
    let waits = if area.width >= WAITS_FROM { SPAN_CELLS } else { 0 };
    let taken = [COUNT_CELLS, COUNT_CELLS, SHARE_CELLS, spark, SPAN_CELLS, waits, waits];
    let used: usize = taken.iter().filter(|cells| **cells > 0).map(|cells| cells + 1).sum();
    let label = usize::from(area.width).saturating_sub(used + 1);
    let mut cells = Cells { buffer, theme, x: area.x, y: area.y, right: area.right() };
    cells.put(&pad_left("Attempts", COUNT_CELLS), COUNT_CELLS, Role::Muted);
    cells.put(&pad_left("Failed", COUNT_CELLS), COUNT_CELLS, Role::Muted);
    cells.put(&pad_left("%", SHARE_CELLS), SHARE_CELLS, Role::Muted);
    cells.put("Over time", spark, Role::Muted);
    cells.put("Of", label, Role::Muted);
    cells.put(&pad_left("median", SPAN_CELLS), SPAN_CELLS, Role::Muted);
    cells.put(&pad_left("p95", waits), waits, Role::Muted);
    cells.put(&pad_left("longest", waits), waits, Role::Muted);
    for (line, own) in groups.iter().enumerate() {
        let (x, y, right) = (area.x, area.y + 1 + line as u16, area.right());
        let mut cells = Cells { buffer: &mut *cells.buffer, theme, x, y, right };
        let count = own.members.len() as u64;
        let role = if own.failed > 0 { Role::Error } else { Role::Answer };
        cells.put(&pad_left(&thousands(count), COUNT_CELLS), COUNT_CELLS, Role::Text);
        cells.put(&pad_left(&thousands(own.failed), COUNT_CELLS), COUNT_CELLS, role);
        let share = own.failed * 100 / count.max(1);
        cells.put(&pad_left(&share.to_string(), SHARE_CELLS), SHARE_CELLS, role);
        cells.put(&sparkline(state, own), spark, Role::Query);
        cells.put(&clip_middle(&own.label, label), label, Role::Text);
        let [median, most, longest] = own.waits_ns;
        cells.put(&pad_left(&span(median), SPAN_CELLS), SPAN_CELLS, Role::Muted);
        cells.put(&pad_left(&span(most), waits), waits, Role::Muted);
        cells.put(&pad_left(&span(longest), waits), waits, Role::Muted);
    }
}

fn sparkline(state: &State, own: &Group) -> String {
    let most = u64::from(own.spark.iter().copied().max().unwrap_or(0).max(1));
    let levels = super::overview::levels(state.unicode);
    let none = if state.unicode { "·" } else { " " };
    let cell = |number: &u32| match u64::from(*number) {
        0 => none,
        number => super::overview::level(levels, number, most),
    };
    own.spark.iter().map(cell).collect()
}
