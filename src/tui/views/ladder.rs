//! One episode as a ladder: a column a host, an arrow a message, time down the left.
//!
//! ```text
//!                     192.51.100.15        203.0.113.2
//!  13:24:32.192571    ├──── A? yummyreci… ────▶│  #1
//!  +3.905993        ✗ │◀─── port unreachable ──┤  #2 about #1
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::correlate::{Episode, LinkKind};
use crate::decode::Address;
use crate::index::PacketId;
use crate::tui::fit::{clip, clip_middle, pad, pad_left, put, width};
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// Lines above the messages.
pub const HEAD_ROWS: usize = 3;
/// Messages of one episode shown.
const MESSAGES_MAX: usize = 2000;
const TIME_CELLS: u16 = 13;
/// Below this width numbers and margins give way to the arrows.
const COMFORTABLE_COLUMNS: u16 = 84;
/// From this width on both numbers of a pair are shown whole.
const NUMBERS_COLUMNS: u16 = 60;

/// Cells of the numbers at the right, and of the margins beside the poles.
fn sides(area: Rect) -> (u16, u16) {
    match area.width {
        COMFORTABLE_COLUMNS.. => (20, 4),
        NUMBERS_COLUMNS.. => (16, 1),
        _ => (11, 1),
    }
}

/// The episode shown.
pub fn episode(state: &State) -> Option<&Episode> {
    let evidence = state.evidence.as_ref()?;
    evidence.episodes.get(state.ladder.episode?.0 as usize)
}

/// Its messages.
pub fn frames(state: &State) -> Vec<PacketId> {
    let Some(episode) = episode(state) else { return Vec::new() };
    let mut frames: Vec<PacketId> = episode.frames.iter().copied().take(MESSAGES_MAX).collect();
    frames.extend(episode.recovery);
    frames
}

/// `episode 1 of 3 `
pub fn counts(state: &State) -> String {
    match (&state.evidence, state.ladder.episode) {
        (Some(evidence), Some(episode)) => {
            format!("episode {} of {} ", episode.0 + 1, evidence.episodes.len())
        }
        _ => String::new(),
    }
}

/// The hosts in the order of their columns: client, resolver, then who else sent errors.
fn hosts(state: &State, episode: &Episode, frames: &[PacketId]) -> Vec<Address> {
    let mut hosts = vec![episode.client, episode.server.0];
    for packet in frames.iter().filter_map(|id| state.index.packet(*id)) {
        for address in [packet.source_address(), packet.destination_address()] {
            if !hosts.contains(&address) && hosts.len() < 4 {
                hosts.push(address);
            }
        }
    }
    hosts
}

/// The messages' place and, below it, that of the comparison.
pub fn places(state: &State, area: Rect) -> (Rect, Rect) {
    let below = if state.ladder.compared.is_some() { area.height / 2 } else { 0 };
    let messages = Rect { height: area.height - below, ..area };
    (messages, Rect { y: area.y + messages.height, height: below, ..area })
}

/// Draws it.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let (area, below) = places(state, area);
    let selected = frames(state).get(state.ladder.list.row).copied();
    if let (Some(first), Some(second)) = (state.ladder.compared, selected) {
        super::comparison::render(state, theme, (first, second), below, buffer);
    }
    let Some(episode) = episode(state) else {
        let text = if state.evidence.is_none() {
            "Episodes are found when the capture has been read."
        } else {
            "No DNS failure in this capture: there is no episode to draw."
        };
        super::empty(buffer, area, text, theme.style(Role::Muted));
        return;
    };
    let frames = frames(state);
    let name = if episode.name.is_empty() { "a name that is cut" } else { episode.name.as_str() };
    let title = format!("{} → {} port {} · {name}", episode.client, episode.server.0, episode.server.1);
    put(buffer, (area.x + 1, area.y), area.width.saturating_sub(2), &title, theme.style(Role::Title));
    let hosts = hosts(state, episode, &frames);
    let (number_cells, margin) = sides(area);
    let room = area.width.saturating_sub(TIME_CELLS + number_cells + 2 * margin);
    let step = room / hosts.len().saturating_sub(1).max(1) as u16;
    if step < 8 || area.height <= HEAD_ROWS as u16 {
        return;
    }
    let column = |at: usize| area.x + TIME_CELLS + margin + step * at as u16;
    let mut free = [area.x; 2];
    for (at, host) in hosts.iter().enumerate() {
        let word = match at {
            0 => "client",
            1 => "resolver",
            _ => "ICMP sender",
        };
        for ((row, text), free) in [(1, word.to_owned()), (2, host.to_string())].into_iter().zip(&mut free) {
            // Both ends of an address tell it apart; the last one may reach over the numbers.
            let cells = match at {
                _ if hosts.len() > 2 => step.saturating_sub(1),
                0 => (step + number_cells + margin) / 2 - 1,
                _ => (area.right() - 1).saturating_sub(*free),
            };
            let text = clip_middle(&text, usize::from(cells));
            let x = match at {
                0 => column(at),
                _ if at + 1 == hosts.len() => (column(at) + number_cells + margin)
                    .saturating_sub(width(&text) as u16)
                    .min(column(at).saturating_sub(width(&text) as u16 / 2)),
                _ => column(at).saturating_sub(width(&text) as u16 / 2),
            };
            let x = x.max(*free);
            let role = if row == 1 { Role::Muted } else { Role::Text };
            *free = put(buffer, (x, area.y + row), cells, &text, theme.style(role)) + 1;
        }
    }
    let rows = usize::from(area.height) - HEAD_ROWS;
    for (line, id) in frames.iter().enumerate().skip(state.ladder.list.top).take(rows) {
        let y = area.y + (HEAD_ROWS + line - state.ladder.list.top) as u16;
        let before = line.checked_sub(1).and_then(|at| frames.get(at)).copied();
        let place = Rect { y, height: 1, ..area };
        message(&Message { state, theme, hosts: &hosts, step, id: *id, before }, place, buffer);
        if line == state.ladder.list.row {
            buffer.set_style(place, theme.style(Role::Selected));
        } else if state.partner() == Some(*id) {
            buffer.set_style(place, theme.style(Role::Partner));
        }
    }
}

struct Message<'m> {
    state: &'m State,
    theme: &'m Theme,
    hosts: &'m [Address],
    step: u16,
    id: PacketId,
    before: Option<PacketId>,
}

fn message(message: &Message<'_>, area: Rect, buffer: &mut Buffer) {
    let Message { state, theme, hosts, step, id, before } = message;
    let Some(packet) = state.index.packet(*id) else { return };
    let role = super::timeline::role_of(state, &packet);
    let time = match before.and_then(|id| state.index.packet(id)) {
        Some(before) => {
            let gap = packet.time_ns().saturating_sub(before.time_ns());
            // A clock that was set back tells no span.
            if gap < 0 { "–".to_owned() } else { format!("+{}", crate::time::seconds(gap)) }
        }
        None => state.index.basis().clock(packet.time_ns()),
    };
    put(buffer, (area.x, area.y), TIME_CELLS, &pad_left(&time, 12), theme.style(Role::Muted));
    let (number_cells, margin) = sides(area);
    let column = |at: usize| area.x + TIME_CELLS + margin + step * at as u16;
    let pole = if state.unicode { "│" } else { "|" };
    for at in 0..hosts.len() {
        put(buffer, (column(at), area.y), 1, pole, theme.style(Role::Border));
    }
    let place = |address: Address| hosts.iter().position(|host| *host == address);
    let (Some(from), Some(to)) = (place(packet.source_address()), place(packet.destination_address())) else {
        return;
    };
    if from == to {
        return;
    }
    let (left, right) = (column(from.min(to)), column(from.max(to)));
    let cells = usize::from(right.saturating_sub(left + 1));
    let (dash, head_right, head_left) = if state.unicode { ("─", "▶", "◀") } else { ("-", ">", "<") };
    let label = format!(" {} ", clip(&label(state, *id), cells.saturating_sub(4)));
    let fill = cells.saturating_sub(width(&label) + 1);
    let (before, after) = (dash.repeat(fill / 2), dash.repeat(fill - fill / 2));
    let arrow = if from < to {
        format!("{before}{label}{after}{head_right}")
    } else {
        format!("{head_left}{before}{label}{after}")
    };
    put(buffer, (left + 1, area.y), cells as u16, &arrow, theme.style(role));
    let about = state.evidence.as_ref().and_then(|evidence| {
        let link = evidence.links_from(*id).into_iter().find(|link| link.kind == LinkKind::ErrorAbout)?;
        link.to
    });
    let number = state.number(*id);
    let cross = if state.unicode { "✗" } else { "x" };
    let text = match about {
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

fn label(state: &State, id: PacketId) -> String {
    state.index.packet(id).map(|packet| packet.summary()).unwrap_or_default()
}
