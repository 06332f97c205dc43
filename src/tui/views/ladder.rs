//! A ladder: a column a host, an arrow a message, time down the left; pauses are breaks.
//!
//! ```text
//!                     192.51.100.15        203.0.113.2
//!  13:24:32.192571    ├──── A? yummyreci… ────▶│  #1
//!        ⋮ 3.906 s    ┊                        ┊
//!  13:24:36         ✗ │◀─── port unreachable ──┤  #2 about #1
//! ```

use std::fmt::Write as _;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::View;
use crate::correlate::{EpisodeId, LinkKind};
use crate::index::{Packet, PacketId};
use crate::text::thousands;
use crate::time::Nanos;
use crate::tui::attempts::Entry;
use crate::tui::fit::{clip, clip_middle, pad, pad_left, put, scroll_to, width};
use crate::tui::ladder::{About, Message};
use crate::tui::layout::Panel;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};
use crate::tui::update::{Effect, Job};

/// Lines above the messages.
pub const HEAD_ROWS: usize = 3;
/// A pause longer than this is drawn as a break.
const BREAK_NS: Nanos = 1_000_000_000;
const TIME_CELLS: u16 = 13;
/// Below this width numbers and margins give way to the arrows.
const COMFORTABLE_COLUMNS: u16 = 84;
/// From this width on both numbers of a pair are shown whole.
const NUMBERS_COLUMNS: u16 = 60;

/// The panel.
pub struct Ladder;

/// Cells of the numbers at the right, and of the margins beside the poles.
fn sides(area: Rect) -> (u16, u16) {
    match area.width {
        COMFORTABLE_COLUMNS.. => (20, 4),
        NUMBERS_COLUMNS.. => (16, 1),
        _ => (11, 1),
    }
}

/// Its messages.
pub fn frames(state: &State) -> Vec<PacketId> {
    state.ladder.drawn.messages.iter().map(|message| message.packet).collect()
}

/// Asks for the ladder of something.
pub fn ask(state: &mut State, about: About) -> Effect {
    if state.listed.table.evidence.is_none() {
        return Effect::None;
    }
    state.generations.ladder += 1;
    Effect::Start(Job::Ladder {
        generation: state.generations.ladder,
        index: state.index.clone(),
        table: Arc::clone(&state.listed.table),
        about,
    })
}

/// Shows the ladder of the highlighted attempt, else of whatever the selected packet belongs to.
pub fn open(state: &mut State) -> Effect {
    let row = state.attempts.list.row;
    let chosen = state.listed.entry(row).filter(|_| state.panels.focus == Panel::Attempts);
    let about = match (chosen, state.timeline.selected) {
        (Some(entry), _) => About::Entry(entry, state.listed.table.first(entry)),
        (None, Some(packet)) => About::Packet(packet),
        (None, None) => return Effect::None,
    };
    state.focus(Panel::Ladder);
    ask(state, about)
}

/// The ladder once more, from what is known now; at first that of the first episode.
pub fn again(state: &mut State) -> Effect {
    let about = match state.ladder.drawn.messages.first() {
        Some(message) => About::Again(message.packet),
        None if state.evidence.as_ref().is_some_and(|evidence| !evidence.episodes.is_empty()) => {
            About::Episode(EpisodeId(0))
        }
        None => return Effect::None,
    };
    ask(state, about)
}

/// Shows a ladder that was asked for.
pub fn show(state: &mut State, drawn: crate::tui::ladder::Ladder) {
    let place = drawn.chosen.and_then(|id| drawn.messages.iter().position(|own| own.packet == id));
    // Drawn again because the capture grew, the place is kept.
    let before = frames(state).get(state.ladder.list.row).copied();
    let kept = before.and_then(|id| drawn.messages.iter().position(|own| own.packet == id));
    state.ladder.list.row = place.or(kept).unwrap_or(0);
    state.ladder.drawn = Arc::new(drawn);
    let area = state.layout().inner(Panel::Ladder);
    Ladder.settle(state, area);
}

/// The ladder of the next episode, or of the next attempt that was no lookup.
pub fn neighbour(state: &mut State, forward: bool) -> Effect {
    let step = |at: usize| if forward { at.checked_add(1) } else { at.checked_sub(1) };
    let drawn = Arc::clone(&state.ladder.drawn);
    let about = match (drawn.episode, drawn.entry) {
        (Some(id), _) => {
            let count = state.evidence.as_ref().map_or(0, |evidence| evidence.episodes.len());
            let next = step(id.0 as usize).filter(|at| *at < count);
            next.map(|at| About::Episode(EpisodeId(at as u32)))
        }
        (None, Some(entry)) => {
            let table = &state.listed.table;
            let next = |mut at: usize| {
                loop {
                    at = step(at)?;
                    let entry = table.entries.get(at).copied()?;
                    if matches!(entry, Entry::Service(_)) {
                        return Some(About::Entry(entry, table.first(entry)));
                    }
                }
            };
            table.place(entry).and_then(next)
        }
        (None, None) => None,
    };
    about.map_or(Effect::None, |about| ask(state, about))
}

/// The pause before a message; 0 where it is no break.
fn pause_ns(state: &State, at: usize) -> Nanos {
    let time = |at: usize| {
        let message = state.ladder.drawn.messages.get(at)?;
        state.index.packet(message.packet).map(|packet| packet.time_ns())
    };
    let before = at.checked_sub(1).and_then(time);
    let gap = before.zip(time(at)).map_or(0, |(before, now)| now.saturating_sub(before));
    if gap > BREAK_NS { gap } else { 0 }
}

/// The lines of the ladder: a message, or the pause before one.
fn lines(state: &State) -> Vec<(usize, bool)> {
    let count = state.ladder.drawn.messages.len();
    let of = |at: usize| {
        let pause = (pause_ns(state, at) > 0).then_some((at, true));
        pause.into_iter().chain([(at, false)])
    };
    (0..count).flat_map(of).collect()
}

/// The messages' place and, below it, that of the comparison.
pub fn places(state: &State, area: Rect) -> (Rect, Rect) {
    let below = if state.ladder.compared.is_some() { area.height / 2 } else { 0 };
    let messages = Rect { height: area.height - below, ..area };
    (messages, Rect { y: area.y + messages.height, height: below, ..area })
}

impl View for Ladder {
    fn panel(&self) -> Panel {
        Panel::Ladder
    }

    fn render(&self, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
        let (area, below) = places(state, area);
        let drawn = &state.ladder.drawn;
        let selected = drawn.messages.get(state.ladder.list.row).map(|message| message.packet);
        if let (Some(first), Some(second)) = (state.ladder.compared, selected) {
            super::comparison::render(state, theme, (first, second), below, buffer);
        }
        if drawn.messages.is_empty() {
            let text = if state.evidence.is_none() {
                "Messages are put together when the capture has been read."
            } else {
                "L on a packet or an attempt draws its messages here."
            };
            super::empty(buffer, area, text, theme.style(Role::Muted));
            return;
        }
        let room = area.width.saturating_sub(2);
        put(buffer, (area.x + 1, area.y), room, &drawn.title, theme.style(Role::Title));
        let (number_cells, margin) = sides(area);
        let room = area.width.saturating_sub(TIME_CELLS + number_cells + 2 * margin);
        let step = room / drawn.columns.len().saturating_sub(1).max(1) as u16;
        if step < 8 || area.height <= HEAD_ROWS as u16 {
            return;
        }
        heads(state, theme, step, area, buffer);
        let rows = usize::from(area.height) - HEAD_ROWS;
        for (line, (at, is_break)) in
            lines(state).into_iter().skip(state.ladder.list.top).take(rows).enumerate()
        {
            let Some(own) = drawn.messages.get(at) else { continue };
            let place = Rect { y: area.y + (HEAD_ROWS + line) as u16, height: 1, ..area };
            let before = at.checked_sub(1).and_then(|at| drawn.messages.get(at)).map(|own| own.packet);
            let row = Row { state, theme, step, own, before };
            if is_break {
                row.pause(pause_ns(state, at), place, buffer);
                continue;
            }
            row.render(place, buffer);
            if at == state.ladder.list.row {
                buffer.set_style(place, theme.style(Role::Selected));
            } else if state.partner() == Some(own.packet) {
                buffer.set_style(place, theme.style(Role::Partner));
            }
        }
    }

    /// `episode 1 of 3`, `12 messages`
    fn counts(&self, state: &State, _room: usize) -> String {
        let drawn = &state.ladder.drawn;
        let count = drawn.messages.len();
        let messages = if drawn.total > count {
            format!("{} of {} messages ", thousands(count as u64), thousands(drawn.total as u64))
        } else {
            format!("{} messages ", thousands(count as u64))
        };
        match (&state.evidence, drawn.episode) {
            (Some(evidence), Some(episode)) => {
                format!("episode {} of {} ", episode.0 + 1, evidence.episodes.len())
            }
            _ if count > 0 => messages,
            _ => String::new(),
        }
    }

    fn step(&self, state: &mut State, by: isize) {
        let row = state.ladder.list.row.saturating_add_signed(by);
        state.ladder.list.row = row.min(state.ladder.drawn.messages.len().saturating_sub(1));
    }

    fn press(&self, state: &mut State, row: usize, _column: u16) {
        let line = row.checked_sub(HEAD_ROWS).map(|row| row + state.ladder.list.top);
        if let Some((at, _)) = line.and_then(|line| lines(state).get(line).copied()) {
            state.ladder.list.row = at;
        }
    }

    fn activate(&self, state: &mut State) -> Effect {
        match self.selected(state) {
            Some(id) => crate::tui::actions::moving::shown(state, id),
            None => Effect::None,
        }
    }

    fn settle(&self, state: &mut State, area: Rect) {
        let (messages, _) = places(state, area);
        let room = usize::from(messages.height).saturating_sub(HEAD_ROWS);
        let count = state.ladder.drawn.messages.len();
        state.ladder.list.row = state.ladder.list.row.min(count.saturating_sub(1));
        if state.panels.side != Panel::Ladder {
            return;
        }
        let lines = lines(state);
        let at = lines.iter().position(|line| *line == (state.ladder.list.row, false)).unwrap_or(0);
        state.ladder.list.top = scroll_to(state.ladder.list.top, at, lines.len(), room.max(1));
    }

    fn selected(&self, state: &State) -> Option<PacketId> {
        state.ladder.drawn.messages.get(state.ladder.list.row).map(|message| message.packet)
    }

    fn point(&self, state: &mut State, packet: PacketId) {
        let place = state.ladder.drawn.messages.iter().position(|own| own.packet == packet);
        state.ladder.list.row = place.unwrap_or(state.ladder.list.row);
    }

    fn hints(&self, state: &State) -> &'static [(&'static str, &'static str)] {
        if state.ladder.drawn.episode.is_some() {
            &[("⏎", "its frame"), ("=", "compare"), ("← →", "episodes"), ("y", "copy"), ("a", "annotate")]
        } else {
            &[("⏎", "its frame"), ("=", "compare"), ("← →", "attempts"), ("y", "copy"), ("a", "annotate")]
        }
    }
}

/// The words and addresses above the poles.
fn heads(state: &State, theme: &Theme, step: u16, area: Rect, buffer: &mut Buffer) {
    let columns = &state.ladder.drawn.columns;
    let (number_cells, margin) = sides(area);
    let column = |at: usize| area.x + TIME_CELLS + margin + step * at as u16;
    let mut free = [area.x; 2];
    for (at, head) in columns.iter().enumerate() {
        let texts = [(1, head.word.to_owned()), (2, head.host.to_string())];
        for ((row, text), free) in texts.into_iter().zip(&mut free) {
            // Both ends of an address tell it apart; the last one may reach over the numbers.
            let cells = match at {
                _ if columns.len() > 2 => step.saturating_sub(1),
                0 => (step + number_cells + margin) / 2 - 1,
                _ => (area.right() - 1).saturating_sub(*free),
            };
            let text = clip_middle(&text, usize::from(cells));
            let x = match at {
                0 => column(at),
                _ if at + 1 == columns.len() => (column(at) + number_cells + margin)
                    .saturating_sub(width(&text) as u16)
                    .min(column(at).saturating_sub(width(&text) as u16 / 2)),
                _ => column(at).saturating_sub(width(&text) as u16 / 2),
            };
            let x = x.max(*free);
            let role = if row == 1 { Role::Muted } else { Role::Text };
            *free = put(buffer, (x, area.y + row), cells, &text, theme.style(role)) + 1;
        }
    }
}

struct Row<'m> {
    state: &'m State,
    theme: &'m Theme,
    step: u16,
    own: &'m Message,
    before: Option<PacketId>,
}

impl Row<'_> {
    fn column(&self, area: Rect, at: usize) -> u16 {
        let (_, margin) = sides(area);
        area.x + TIME_CELLS + margin + self.step * at as u16
    }

    fn poles(&self, pole: &str, area: Rect, buffer: &mut Buffer) {
        for at in 0..self.state.ladder.drawn.columns.len() {
            put(buffer, (self.column(area, at), area.y), 1, pole, self.theme.style(Role::Border));
        }
    }

    /// `⋮ 39.9 s`: nothing went between them for that time.
    fn pause(&self, pause_ns: Nanos, area: Rect, buffer: &mut Buffer) {
        let (mark, pole) = if self.state.unicode { ("⋮", "┊") } else { (":", ":") };
        let text = format!("{mark} {}", crate::time::span(pause_ns));
        put(buffer, (area.x, area.y), TIME_CELLS, &pad_left(&text, 12), self.theme.style(Role::Muted));
        self.poles(pole, area, buffer);
    }

    fn render(&self, area: Rect, buffer: &mut Buffer) {
        let Row { state, theme, own, .. } = self;
        let Some(packet) = state.index.packet(own.packet) else { return };
        let role = super::timeline::role_of(state, &packet);
        let time = time_text(state, own.packet, self.before);
        put(buffer, (area.x, area.y), TIME_CELLS, &pad_left(&time, 12), theme.style(Role::Muted));
        let (number_cells, _) = sides(area);
        self.poles(if state.unicode { "│" } else { "|" }, area, buffer);
        if own.from != own.to {
            let (left, right) =
                (self.column(area, own.from.min(own.to)), self.column(area, own.from.max(own.to)));
            let cells = usize::from(right.saturating_sub(left + 1));
            let (dash, head_right, head_left) =
                if state.unicode { ("─", "▶", "◀") } else { ("-", ">", "<") };
            let label = format!(" {} ", clip(&label(&packet), cells.saturating_sub(4)));
            let fill = cells.saturating_sub(width(&label) + 1);
            let (before, after) = (dash.repeat(fill / 2), dash.repeat(fill - fill / 2));
            let arrow = if own.from < own.to {
                format!("{before}{label}{after}{head_right}")
            } else {
                format!("{head_left}{before}{label}{after}")
            };
            put(buffer, (left + 1, area.y), cells as u16, &arrow, theme.style(role));
        }
        let number = state.number(own.packet);
        let cross = if state.unicode { "✗" } else { "x" };
        let text = match about(state, own.packet) {
            Some(target) => {
                let whole = format!("{cross} {number} about {}", state.number(target));
                let short = format!("{cross}{number}>{}", state.number(target));
                if width(&whole) <= usize::from(number_cells) { whole } else { short }
            }
            None => format!("  {number}"),
        };
        let x = area.right().saturating_sub(number_cells);
        put(buffer, (x, area.y), number_cells, &pad(&text, usize::from(number_cells)), theme.style(role));
    }
}

/// What a message says. The ports of a connection stand above it already.
fn label(packet: &Packet<'_>) -> String {
    let summary = packet.summary();
    let ports = format!("{} → {} ", packet.source_port(), packet.destination_port());
    match summary.strip_prefix(&ports) {
        Some(rest) if packet.transport() == 6 => rest.to_owned(),
        _ => summary,
    }
}

/// The time of the first message and of one after a pause, and of the others how long after the one before.
fn time_text(state: &State, id: PacketId, before: Option<PacketId>) -> String {
    let Some(packet) = state.index.packet(id) else { return String::new() };
    match before.and_then(|id| state.index.packet(id)) {
        Some(before) if packet.time_ns().saturating_sub(before.time_ns()) <= BREAK_NS => {
            let gap = packet.time_ns().saturating_sub(before.time_ns());
            // A clock that was set back tells no span.
            if gap < 0 { "–".to_owned() } else { format!("+{}", crate::time::seconds(gap)) }
        }
        _ => state.index.basis().clock(packet.time_ns()),
    }
}

/// The packet an error is about.
fn about(state: &State, id: PacketId) -> Option<PacketId> {
    let links = state.evidence.as_ref()?.links_from(id);
    links.into_iter().find(|link| link.kind == LinkKind::ErrorAbout)?.to
}

/// The ladder as text, for a ticket.
pub fn text(state: &State) -> String {
    let drawn = &state.ladder.drawn;
    if drawn.messages.is_empty() {
        return String::new();
    }
    let mut out = format!("{}\n", drawn.title);
    let mut before = None;
    for (at, own) in drawn.messages.iter().enumerate() {
        let Some(packet) = state.index.packet(own.packet) else { continue };
        if pause_ns(state, at) > 0 {
            let _ = writeln!(out, "{:>13}  ({} later)", ":", crate::time::span(pause_ns(state, at)));
        }
        let time = time_text(state, own.packet, before);
        let host = |at: usize| drawn.columns.get(at).map_or_else(String::new, |own| own.host.to_string());
        let (from, to) = (host(own.from), host(own.to));
        let about = about(state, own.packet).map(|id| format!("  about {}", state.number(id)));
        let _ = writeln!(
            out,
            "{time:>13}  {:>6}  {from} -> {to}  {}{}",
            state.number(own.packet),
            packet.summary(),
            about.unwrap_or_default()
        );
        before = Some(own.packet);
    }
    out
}
