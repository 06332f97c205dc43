//! The timeline: one row a packet, with the ties between queries, answers and errors in its gutter.
//!
//! ```text
//!  ╭     1  13:24:32.192571  192.51.100.15  203.0.113.2    DNS   35084+ A? yummyrecipesforme.com.
//! A╰✗    2  13:24:36.098564  203.0.113.2    192.51.100.15  ICMP  port unreachable · about #1, exact
//! ```

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::View;
use super::timeline_ties::{Gutter, gutters};
use crate::attempts::ties;
use crate::correlate::{Evidence, Level, Link, LinkKind, Outcome, encrypted, lookups};
use crate::decode::Address;
use crate::index::{Packet, PacketId, segment::flags};
use crate::time;
use crate::tui::fit::{clip, clip_middle, pad, pad_left, put, scroll_to, width};
use crate::tui::layout::Panel;
use crate::tui::search::Needle;
use crate::tui::state::{State, TimeFormat};
use crate::tui::theme::{Role, Theme};
use crate::tui::update::Effect;

/// Below this width the addresses share a column and the selected row unfolds.
const NARROW_COLUMNS: u16 = 88;
/// Below this width columns stand close, and arrows in the gutter go without a number.
const COMFORTABLE_COLUMNS: u16 = 112;
/// Captures up to this size have every part of a filter tried alone, so that an empty list can say which one is empty.
const WARNED_PACKETS_MAX: u32 = 200_000;
/// Cells a summary keeps before remarks after the first give way.
const SUMMARY_CELLS: usize = 40;
/// Free rows below a short list from which on they tell what the selected packet means.
const PREVIEW_ROWS_MIN: usize = 5;

/// Rows that fit.
pub fn visible_rows(state: &State) -> usize {
    let inner = state.layout().inner(crate::tui::layout::Panel::Timeline);
    let rows = usize::from(inner.height.saturating_sub(1));
    if is_narrow(inner.width) { rows.saturating_sub(1) } else { rows }
}

fn is_narrow(columns: u16) -> bool {
    columns < NARROW_COLUMNS
}

/// The row of the timeline at a line of the panel.
pub fn row_at(state: &State, line: usize) -> Option<usize> {
    let inner = state.layout().inner(crate::tui::layout::Panel::Timeline);
    let mut row = state.timeline.top + line.checked_sub(1)?;
    if is_narrow(inner.width) && row > state.timeline.row {
        row -= 1;
    }
    (row < state.timeline.rows.len(&state.index)).then_some(row)
}

/// What the columns are wide, for one drawing.
struct Columns {
    lanes: usize,
    number: usize,
    time: usize,
    address: usize,
    protocol: usize,
    /// Between columns.
    gap: &'static str,
    narrow: bool,
}

impl Columns {
    fn of(state: &State, area: Rect) -> Self {
        let narrow = is_narrow(area.width);
        let digits = |count: u32| count.max(1).ilog10() as usize + 1;
        let most = state.index.sources.iter().map(|source| source.packets).max().unwrap_or(0);
        let letter = usize::from(state.index.sources.len() > 1) * 2;
        let number = (digits(most) + letter).max(2);
        let time = match state.timeline.time {
            TimeFormat::TimeOfDay => 15,
            TimeFormat::DateAndTime => 26,
            TimeFormat::Relative | TimeFormat::Delta => {
                let span = state.overview.last_ns.saturating_sub(state.overview.first_ns.unwrap_or(0));
                (digits((span.unsigned_abs() / 1_000_000_000).min(u64::from(u32::MAX)) as u32) + 8).max(9)
            }
        };
        let address_max = if area.width >= 130 { 24 } else { 17 };
        let address = if narrow { 17 } else { state.overview.address_cells.clamp(11, address_max) };
        let close = area.width < COMFORTABLE_COLUMNS;
        let lanes = if close { 2 } else { (number + 1).clamp(2, 7) };
        let protocol = state.overview.label_cells.clamp(5, 6);
        Self { lanes, number, time, address, protocol, gap: if close { " " } else { "  " }, narrow }
    }
}

/// The panel.
pub struct Timeline;

impl View for Timeline {
    fn panel(&self) -> Panel {
        Panel::Timeline
    }

    fn render(&self, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
        render(state, theme, area, buffer);
    }

    fn step(&self, state: &mut State, by: isize) {
        let row = state.timeline.row.saturating_add_signed(by);
        state.select_row(row);
    }

    fn activate(&self, state: &mut State) -> Effect {
        crate::tui::actions::moving::to_partner(state)
    }

    fn press(&self, state: &mut State, row: usize, _column: u16) {
        if let Some(row) = row_at(state, row) {
            state.select_row(row);
        }
    }

    fn settle(&self, state: &mut State, _area: Rect) {
        let rows = state.timeline.rows.len(&state.index);
        state.timeline.row = state.timeline.row.min(rows.saturating_sub(1));
        let visible = visible_rows(state);
        state.timeline.top = scroll_to(state.timeline.top, state.timeline.row, rows, visible);
    }

    fn selected(&self, state: &State) -> Option<PacketId> {
        state.timeline.selected
    }

    fn hints(&self, _state: &State) -> &'static [(&'static str, &'static str)] {
        &[
            ("⏎", "partner"),
            ("a", "annotate"),
            ("]", "next problem"),
            ("/", "filter"),
            ("f", "filter by…"),
            ("v", "pick several"),
            ("x", "export"),
        ]
    }
}

/// Draws it.
fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let count = state.timeline.rows.len(&state.index);
    if count == 0 {
        render_empty(state, theme, area, buffer);
        return;
    }
    let columns = Columns::of(state, area);
    header(&columns, theme, area, buffer);
    let rows = usize::from(area.height - 1);
    let top = state.timeline.top;
    let ids: Vec<PacketId> =
        (top..(top + rows).min(count)).filter_map(|row| state.timeline.rows.get(&state.index, row)).collect();
    let ties = gutters(state, &ids, columns.lanes);
    let partner = state.partner();
    let range = state.range();
    let mut y = area.y + 1;
    for (at, id) in ids.iter().enumerate() {
        if y >= area.bottom() {
            return;
        }
        let Some(packet) = state.index.packet(*id) else { continue };
        let selected = state.timeline.selected == Some(*id);
        let row = Row {
            state,
            theme,
            columns: &columns,
            packet,
            above: at.checked_sub(1).and_then(|at| ids.get(at)),
            picked: state.timeline.picked.contains(id)
                || range.as_ref().is_some_and(|range| range.contains(&(top + at))),
        };
        let line = Rect { y, height: 1, ..area };
        row.render(ties.get(at), line, buffer);
        y += 1;
        let unfolded = selected && columns.narrow && y < area.bottom();
        if unfolded {
            row.render_unfolded(Rect { y, height: 1, ..area }, buffer);
            y += 1;
        }
        let lit = if selected {
            Some(theme.style(Role::Selected))
        } else {
            (partner == Some(*id)).then(|| theme.style(Role::Partner))
        };
        if let Some(style) = lit {
            let height = 1 + u16::from(unfolded);
            buffer.set_style(Rect { height, ..line }.intersection(area), style);
        }
        if let Some(needle) = &state.search.needle {
            light(needle, theme, line.intersection(area), buffer);
        }
    }
    // Where one panel is shown at a time, the room a short list leaves tells what the selected packet means.
    if columns.narrow && !state.layout().bordered {
        preview(state, theme, Rect { y, height: area.bottom().saturating_sub(y), ..area }, buffer);
    }
}

/// Lights what is searched for where it stands in a row.
fn light(needle: &Needle, theme: &Theme, line: Rect, buffer: &mut Buffer) {
    let mut text = String::new();
    let mut ends = Vec::new();
    for x in line.left()..line.right() {
        text.push_str(buffer.cell((x, line.y)).map_or(" ", |cell| cell.symbol()));
        ends.push(text.len());
    }
    for range in needle.ranges(&text) {
        let first = ends.partition_point(|end| *end <= range.start) as u16;
        let last = ends.partition_point(|end| *end < range.end) as u16;
        let place = Rect { x: line.x + first, width: last - first + 1, ..line };
        buffer.set_style(place.intersection(line), theme.style(Role::Match));
    }
}

fn preview(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let lines = super::words::preview(state, area.width);
    if lines.is_empty() || usize::from(area.height) < PREVIEW_ROWS_MIN {
        return;
    }
    let rule = if state.unicode { "─" } else { "-" }.repeat(usize::from(area.width));
    put(buffer, (area.x, area.y + 1), area.width, &rule, theme.style(Role::Border));
    let room = usize::from(area.height - 2);
    for (at, (line, role)) in lines.iter().take(room).enumerate() {
        let (y, cells) = (area.y + 2 + at as u16, area.width.saturating_sub(1));
        let more = at + 1 == room && lines.len() > room;
        let text = if more { "… w shows all" } else { line.as_str() };
        let role = if more { Role::Muted } else { *role };
        put(buffer, (area.x + 1, y), cells, text, theme.style(role));
    }
}

fn render_empty(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let text = if state.loading.is_some() {
        "reading…".to_owned()
    } else if state.index.is_empty() {
        "No packets: the capture's header was read, but no record follows it.".to_owned()
    } else if let Some((span, message)) = state.filter.warnings.first() {
        let part = state.filter.line.text().get(span.clone()).unwrap_or_default();
        format!("Nothing matches: {message} (`{}`). Esc clears the filter.", crate::text::escape(part))
    } else {
        let text = crate::text::escape(state.filter.line.text());
        let known = state.index.complete && state.index.len() <= WARNED_PACKETS_MAX;
        let why = if known && state.evidence.is_some() {
            "its parts fit packets, but never the same one"
        } else {
            "no packet fits"
        };
        format!("Nothing matches `{text}`: {why}. Esc clears the filter.")
    };
    super::empty(buffer, area, &text, theme.style(Role::Muted));
}

fn header(columns: &Columns, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let gutter = " ".repeat(columns.lanes + 3);
    let number = pad_left("No", columns.number);
    let time = pad("Time", columns.time);
    let text = if columns.narrow {
        format!("{gutter}{number} {time} {} Info", pad("Between", columns.address))
    } else {
        let address = columns.address;
        let (source, destination) = (pad("Source", address), pad("Destination", address));
        let gap = columns.gap;
        format!(
            "{gutter}{number}{gap}{time}{gap}{source}{gap}{destination}{gap}{} Info",
            pad("Proto", columns.protocol)
        )
    };
    put(buffer, (area.x, area.y), area.width, &text, theme.style(Role::Muted));
}

struct Row<'r> {
    state: &'r State,
    theme: &'r Theme,
    columns: &'r Columns,
    packet: Packet<'r>,
    above: Option<&'r PacketId>,
    /// Picked to be noted together with others.
    picked: bool,
}

impl Row<'_> {
    fn render(&self, gutter: Option<&Gutter>, area: Rect, buffer: &mut Buffer) {
        let (columns, theme, packet) = (self.columns, self.theme, &self.packet);
        let right = area.right();
        let mut x = area.x;
        let mut cell = |text: &str, role: Role| {
            x = put(buffer, (x, area.y), right.saturating_sub(x), text, theme.style(role));
        };
        let (mark, mark_role) = self.mark();
        cell(&mark.to_string(), mark_role);
        match gutter {
            Some(gutter) => {
                let used: usize = gutter.lanes.iter().map(|(text, _)| width(text)).sum();
                cell(&" ".repeat(columns.lanes.saturating_sub(used)), Role::Text);
                for (text, role) in &gutter.lanes {
                    cell(text, *role);
                }
                cell(&format!("{} ", gutter.mark), gutter.role);
            }
            None => cell(&" ".repeat(columns.lanes + 2), Role::Text),
        }
        let backward = packet.flags() & flags::BACKWARD != 0;
        let gap = columns.gap;
        cell(&pad_left(&frame_text(self.state, packet), columns.number), Role::Muted);
        cell(gap, Role::Text);
        let time = time_text(self.state, packet, self.above.copied());
        cell(&pad(&time, columns.time), if backward { Role::Warning } else { Role::Muted });
        cell(gap, Role::Text);
        let role = role_of(self.state, packet);
        let (source, destination) = (packet.source_address(), packet.destination_address());
        if columns.narrow {
            let arrow = if self.state.unicode { "→" } else { ">" };
            let both = format!("{}{arrow}{}", short(source), short(destination));
            cell(&pad(&both, columns.address), Role::Text);
            cell(" ", Role::Text);
        } else {
            cell(&pad(&clip_middle(&source.to_string(), columns.address), columns.address), Role::Text);
            cell(gap, Role::Text);
            cell(&pad(&clip_middle(&destination.to_string(), columns.address), columns.address), Role::Text);
            cell(gap, Role::Text);
            cell(&pad(&clip(packet.protocol().protocol().label, columns.protocol), columns.protocol), role);
            cell(" ", Role::Text);
        }
        let room = usize::from(right.saturating_sub(x));
        for (text, role) in self.info(room, role) {
            x = put(buffer, (x, area.y), right.saturating_sub(x), &text, theme.style(role));
        }
    }

    /// The summary and, after dots, what we know; where there is little room the later remarks go first, then
    /// the summary's end: what a packet is tied to matters more than the rest of its name.
    fn info(&self, room: usize, role: Role) -> Vec<(String, Role)> {
        let summary = self.packet.summary();
        let mut known = remarks(self.state, &self.packet);
        if known.is_empty() || (self.columns.narrow && self.state.timeline.selected == Some(self.packet.id)) {
            return vec![(clip(&summary, room), role)];
        }
        let all = known.len();
        let wanted = self.telling_cells(&summary);
        let tail = loop {
            let more = if known.len() < all { "…" } else { "" };
            let tail = format!(" · {}{more}", known.join(" · "));
            if width(&tail) + wanted <= room {
                break tail;
            }
            if known.len() == 1 {
                // An exact link needs no word for it where there is little room.
                let plain = format!("{}{more}", tail.trim_end_matches('…').trim_end_matches(", exact"));
                if width(&plain) + wanted <= room {
                    break plain;
                }
                break self.short_remark().filter(|short| width(short) < width(&tail)).unwrap_or(tail);
            }
            known.pop();
        };
        let head_room = room.saturating_sub(width(&tail)).max(room / 3);
        let head = clip(&summary, head_room);
        let tail = clip(&tail, room.saturating_sub(width(&head)));
        vec![(head, role), (tail, Role::Muted)]
    }

    /// Cells of the summary that come before later remarks: of an ICMP error what it says, as the packet it
    /// returns is the one it is tied to; of others all of it, within reason.
    fn telling_cells(&self, summary: &str) -> usize {
        let is_error = self.packet.flags() & flags::ICMP_ERROR != 0;
        match summary.find(')').filter(|_| is_error).and_then(|at| summary.get(..=at)) {
            Some(says) if says.len() < summary.len() => width(says) + 1,
            _ => width(summary).min(SUMMARY_CELLS),
        }
    }

    /// The first remark in the fewest cells: only the packet it is tied to.
    fn short_remark(&self) -> Option<String> {
        let other = ties::partner(self.state.evidence.as_ref()?, self.packet.id)?;
        let bits = self.state.index.packet(other).map_or(0, |packet| packet.flags());
        let mark = match (bits & flags::ICMP_ERROR != 0, bits & flags::DNS_RESPONSE != 0, self.state.unicode)
        {
            (true, _, true) => "✗",
            (true, _, false) => "x",
            (_, true, true) => "✓",
            (_, true, false) => "v",
            (_, _, true) => "↔",
            (_, _, false) => "~",
        };
        Some(format!(" {mark} {}", self.state.number(other)))
    }

    /// The second line of the selected row on narrow screens: addresses whole, and what we know.
    fn render_unfolded(&self, area: Rect, buffer: &mut Buffer) {
        let packet = &self.packet;
        let arrow = if self.state.unicode { "→" } else { ">" };
        let mut text = format!("{} {arrow} {}", endpoint(packet, true), endpoint(packet, false));
        let _ = write!(text, "  {}", packet.protocol().protocol().label);
        for remark in remarks(self.state, packet) {
            let _ = write!(text, " · {remark}");
        }
        let indent = (self.columns.lanes + 4) as u16;
        let room = area.width.saturating_sub(indent);
        put(buffer, (area.x + indent, area.y), room, &text, self.theme.style(Role::Text));
    }

    /// The first column: a note's letter, a mark, or where the selection is.
    fn mark(&self) -> (char, Role) {
        let id = self.packet.id;
        if self.picked {
            return (if self.state.unicode { '■' } else { '*' }, Role::Focus);
        }
        if let Some((position, _)) = self.state.work.annotations(&self.state.index, id).next() {
            return (crate::tui::work::letter(position), Role::Note);
        }
        if let Some(letter) = self.state.work.mark(&self.state.index, id) {
            return (letter, Role::Focus);
        }
        if self.state.timeline.selected == Some(id) {
            return (if self.state.unicode { '▸' } else { '>' }, Role::Focus);
        }
        (' ', Role::Text)
    }
}

fn frame_text(state: &State, packet: &Packet<'_>) -> String {
    if state.index.sources.len() > 1 {
        format!("{}:{}", crate::index::source_label(packet.segment.source), packet.frame().0)
    } else {
        packet.frame().0.to_string()
    }
}

/// Address with port, whole.
pub fn endpoint(packet: &Packet<'_>, source: bool) -> String {
    let (address, port) = if source {
        (packet.source_address(), packet.source_port())
    } else {
        (packet.destination_address(), packet.destination_port())
    };
    if !matches!(packet.transport(), 6 | 17) {
        return address.to_string();
    }
    address.with_port(port)
}

/// The end of an address that tells it from its neighbours.
fn short(address: Address) -> String {
    let text = address.to_string();
    match address {
        Address::V4(_) | Address::V4At(..) => {
            let mut dots = text.rmatch_indices('.');
            dots.next();
            dots.next().map_or(text.clone(), |(at, _)| text.get(at..).unwrap_or_default().to_owned())
        }
        _ => clip_middle(&text, 8),
    }
}

/// The time cell.
pub fn time_text(state: &State, packet: &Packet<'_>, above: Option<PacketId>) -> String {
    let at = packet.time_ns();
    match state.timeline.time {
        _ if packet.flags() & flags::NO_TIME != 0 => "–".to_owned(),
        TimeFormat::TimeOfDay => state.index.basis().moment(at),
        TimeFormat::DateAndTime if !state.index.has_date() => {
            format!("(no date)  {}", state.index.basis().moment(at))
        }
        TimeFormat::DateAndTime => time::date_and_time(at),
        TimeFormat::Relative => time::seconds(at.saturating_sub(state.zero_ns())),
        TimeFormat::Delta => {
            let before = above.or_else(|| {
                let row = state.timeline.rows.find(&state.index, packet.id)?.checked_sub(1)?;
                state.timeline.rows.get(&state.index, row)
            });
            let before = before.and_then(|id| state.index.packet(id)).map_or(at, |packet| packet.time_ns());
            let gap = at.saturating_sub(before);
            // A clock that was set back tells no span.
            if gap < 0 { "–".to_owned() } else { format!("+{}", time::seconds(gap)) }
        }
    }
}

/// What a packet is to the investigation, as the colour rules have it.
pub fn role_of(state: &State, packet: &Packet<'_>) -> Role {
    state.colours.role(state, packet)
}

/// What correlation and the capture know of a packet, in a few words each.
pub fn remarks(state: &State, packet: &Packet<'_>) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(evidence) = &state.evidence {
        for link in ties::links_from(evidence, packet.id) {
            link_words(state, evidence, &link, &mut out);
        }
        if packet.flags() & flags::DNS_QUERY != 0 {
            query_words(state, evidence, packet.id, &mut out);
        }
        // Anomalies are sorted by packet.
        let first = evidence.anomalies.partition_point(|anomaly| anomaly.packet < packet.id);
        let own = evidence.anomalies.iter().skip(first).take_while(|anomaly| anomaly.packet == packet.id);
        for anomaly in own.take(2) {
            out.push(anomaly.kind.name().replace('_', " "));
        }
    }
    if let Some(what) = encrypted::label(packet) {
        out.push(format!("possibly {what}"));
    }
    if packet.flags() & flags::BACKWARD != 0 {
        out.push("time steps back".to_owned());
    }
    if packet.flags() & flags::CUT != 0 && packet.dns().is_some_and(crate::index::DnsRow::is_malformed) {
        out.push(format!("cut: {} of {} bytes", packet.captured(), packet.original()));
    }
    out
}

fn link_words(state: &State, evidence: &Evidence, link: &Link, out: &mut Vec<String>) {
    let Some(to) = link.to else {
        let (word, why) = match link.level {
            Level::Contradicted => ("contradicted", link.reason.words().to_owned()),
            _ => ("orphan", "what it is about is not in this capture".to_owned()),
        };
        out.extend([word.to_owned(), why]);
        return;
    };
    let target = state.number(to);
    let gap = time::span(link.delta_ns);
    match link.kind {
        LinkKind::ErrorAbout => {
            out.push(format!("about {target}, {}", link.level.name()));
            out.push(if link.delayed { format!("{gap} late") } else { format!("after {gap}") });
        }
        LinkKind::AnswerTo => {
            let level =
                if link.level == Level::Exact { String::new() } else { format!(", {}", link.level.name()) };
            out.push(format!("answers {target}{level}"));
            out.push(gap);
        }
        LinkKind::RetryOf => match lookups::place(&state.index, evidence, link.from) {
            Some((number, total)) => out.push(format!("attempt {number}/{total}")),
            None => out.push(format!("repeats {target}")),
        },
        LinkKind::DuplicateOf => out.push(format!("copy of {target}")),
    }
}

fn query_words(state: &State, evidence: &Evidence, id: PacketId, out: &mut Vec<String>) {
    let Some(transaction) = evidence.transaction_of(id).and_then(|id| evidence.transaction(id)) else {
        return;
    };
    if transaction.first == id
        && let Some((number, total @ 2..)) = lookups::place(&state.index, evidence, id)
    {
        out.push(format!("attempt {number}/{total}"));
    }
    // Each try names its own error; the outcome is said once, at the first.
    let own = evidence.links_to(id).into_iter().find(|link| link.kind == LinkKind::ErrorAbout);
    if let Some(error) = own {
        out.push(format!("refused by {}", state.number(error.from)));
    } else if let Some(answer) = transaction.answer {
        let (late, lost) = match transaction.outcome {
            Outcome::Late => ("late, ", ""),
            Outcome::NotReceived => ("", ", which did not arrive"),
            _ => ("", ""),
        };
        out.push(format!("{late}answered in {}{lost}", state.number(answer)));
    } else if transaction.first == id || transaction.last == id {
        out.push(outcome_words(transaction.outcome).to_owned());
    }
}

/// An outcome in words.
pub fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::Unreadable => "answered, not readable further",
        Outcome::Late => "answered late",
        Outcome::Refused => "refused by ICMP",
        Outcome::NoAnswer => "no answer",
        Outcome::Undetermined => "undetermined: the capture cannot tell",
        Outcome::TcpReset => "TCP reset",
        Outcome::RefusedByReset => "TCP refused by reset",
        Outcome::ResetMidway => "TCP reset midway",
        Outcome::Closed => "TCP closed without an answer",
        Outcome::Mute => "acknowledged over TCP, no answer",
        Outcome::Truncated => "truncated, no TCP retry",
        Outcome::NotReceived => "answered, but the answer did not arrive",
        Outcome::CoveredByRateLimit => "silent, explained by ICMP rate limiting",
    }
}

/// The cells of a row, whole.
pub fn cells(state: &State, id: PacketId) -> Vec<String> {
    let Some(packet) = state.index.packet(id) else { return Vec::new() };
    let mut info = packet.summary();
    for remark in remarks(state, &packet) {
        let _ = write!(info, " · {remark}");
    }
    vec![
        packet.frame().0.to_string(),
        time::date_and_time(packet.time_ns()),
        endpoint(&packet, true),
        endpoint(&packet, false),
        packet.protocol().protocol().label.to_owned(),
        info,
    ]
}
