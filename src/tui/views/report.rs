//! The report panel: the draft as it grows, with voices, citations and states; tables are folded.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::View;
use crate::index::PacketId;
use crate::report::{Block, Claim, ClaimState, OpenField, Table, Voice};
use crate::tui::fit::{clip, pad_left, put, put_line, width, wrap};
use crate::tui::layout::Panel;
use crate::tui::settle::top_of;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};
use crate::tui::update::Effect;

/// Lines a fixed text shows before it is folded.
const LINES_OPEN: usize = 8;

/// A line of the panel: what it says, and which block it belongs to.
pub struct ReportLine {
    /// The block, counted over all sections; `None` for headings and gaps.
    pub item: Option<usize>,
    /// Pieces with their roles.
    pub pieces: Vec<(String, Role)>,
    /// Said at the right margin.
    pub right: Option<(String, Role)>,
}

/// All blocks in order.
pub fn items(state: &State) -> Vec<&Block> {
    state.report.sections.iter().flat_map(|section| &section.blocks).collect()
}

/// One block.
pub fn block(state: &State, item: usize) -> Option<&Block> {
    state.report.sections.iter().flat_map(|section| &section.blocks).nth(item)
}

/// What a block is folded under, if it can be.
pub fn fold_id(state: &State, item: usize) -> Option<String> {
    match block(state, item)? {
        Block::Table(table) => Some(table.id.clone()),
        Block::Lines(title, lines) if lines.len() > LINES_OPEN => Some(format!("lines:{title}")),
        _ => None,
    }
}

/// The packets a block cites.
pub fn cited(state: &State, item: usize) -> Vec<PacketId> {
    match block(state, item) {
        Some(Block::Claim(claim)) => claim.frames.clone(),
        Some(Block::Table(table)) if state.reading.open.contains(&table.id) => {
            let mut frames: Vec<PacketId> =
                table.rows.iter().flat_map(|(_, frames)| frames.clone()).collect();
            frames.dedup();
            frames
        }
        _ => Vec::new(),
    }
}

/// Of which packets of a growing capture the draft speaks: `first packet`, `first 6 packets`.
pub fn spoken_of(state: &State) -> String {
    match state.correlated.len() {
        1 => "first packet".to_owned(),
        count => format!("first {} packets", crate::text::thousands(u64::from(count))),
    }
}

/// `14 claims · 14 cited · 2 open `; while packets come, also of how many of them the draft speaks.
fn counts(state: &State) -> String {
    let so_far = if state.index.complete || state.evidence.is_none() {
        String::new()
    } else {
        format!("{} · ", spoken_of(state))
    };
    let drafting = format!("{}{so_far}", drafting(state));
    if state.report.sections.is_empty() {
        return drafting;
    }
    let lint = &state.lint;
    let undecided =
        if lint.unaccepted > 0 { format!(" · {} to accept", lint.unaccepted) } else { String::new() };
    format!("{drafting}{} claims · {} cited · {} open{undecided} ", lint.claims, lint.cited, lint.open)
}

/// The counts as they fit: with what is to be accepted, without, and as few characters as possible.
fn counts_within(state: &State, room: usize) -> String {
    let whole = counts(state);
    if width(&whole) <= room || state.report.sections.is_empty() {
        return whole;
    }
    let lint = &state.lint;
    if !state.index.complete {
        return format!("{} ", spoken_of(state));
    }
    let plain = format!("{} claims · {} cited · {} open ", lint.claims, lint.cited, lint.open);
    if width(&plain) <= room {
        return plain;
    }
    format!("{}/{} cited · {} open ", lint.cited, lint.claims, lint.open)
}

/// Drafts written faster than this are not spoken of.
const DRAFTING_MS: u64 = 300;

/// `drafting… 1,520,281 packets · 4 s · `
fn drafting(state: &State) -> String {
    let Some(since) = state.draft.since_ms else { return String::new() };
    let taken_ms = state.now_ms.saturating_sub(since);
    if taken_ms < DRAFTING_MS {
        return String::new();
    }
    let packets = crate::text::thousands(u64::from(state.index.len()));
    format!("drafting… {packets} packets · {} s · ", taken_ms / 1000)
}

/// The block at a line of the panel.
fn item_at(state: &State, line: usize) -> Option<usize> {
    let area = state.layout().inner(crate::tui::layout::Panel::Report);
    lines(state, area.width).get(state.reading.top + line)?.item
}

/// Every line, wrapped to the panel's width.
pub fn lines(state: &State, columns: u16) -> Vec<ReportLine> {
    let mut out = Vec::new();
    let mut item = 0;
    let room = usize::from(columns).saturating_sub(1);
    for section in &state.report.sections {
        if !out.is_empty() {
            out.push(ReportLine { item: None, pieces: Vec::new(), right: None });
        }
        for line in wrap(&section.title, room) {
            out.push(ReportLine { item: None, pieces: vec![(line, Role::Title)], right: None });
        }
        for block in &section.blocks {
            block_lines(state, block, item, room, &mut out);
            item += 1;
        }
    }
    out
}

fn block_lines(state: &State, block: &Block, item: usize, room: usize, out: &mut Vec<ReportLine>) {
    match block {
        Block::Claim(claim) => claim_lines(state, claim, item, room, out),
        Block::Field(field) => field_lines(field, item, room, out),
        Block::Table(table) => table_lines(state, table, item, room, out),
        Block::Lines(title, lines) => {
            let id = format!("lines:{title}");
            let open = lines.len() <= LINES_OPEN || state.reading.open.contains(&id);
            if lines.len() > LINES_OPEN {
                out.push(fold_line(state, open, title, lines.len(), "lines", item));
            } else if !title.is_empty() {
                out.push(plain(item, title.clone(), Role::Muted));
            }
            for line in lines.iter().filter(|_| open) {
                out.push(plain(item, format!("  {}", clip(line, room.saturating_sub(2))), Role::Text));
            }
        }
        Block::Note(text) | Block::Aside(text) => {
            for line in wrap(text, room.saturating_sub(2)) {
                out.push(plain(item, format!("  {line}"), Role::Muted));
            }
        }
    }
}

fn plain(item: usize, text: String, role: Role) -> ReportLine {
    ReportLine { item: Some(item), pieces: vec![(text, role)], right: None }
}

fn fold_line(state: &State, open: bool, title: &str, count: usize, what: &str, item: usize) -> ReportLine {
    let mark = match (state.unicode, open) {
        (true, true) => "▾",
        (true, false) => "▸",
        (false, true) => "v",
        (false, false) => ">",
    };
    ReportLine {
        item: Some(item),
        pieces: vec![(format!("{mark} {title}"), Role::Text), (format!(" ({count} {what})"), Role::Muted)],
        right: None,
    }
}

/// The mark of a voice and its role.
pub fn voice(voice: Voice, unicode: bool) -> (&'static str, Role) {
    match (voice, unicode) {
        (Voice::Observed, true) => ("●", Role::Observed),
        (Voice::Reported, true) => ("◆", Role::Reported),
        (Voice::Assessed, true) => ("◇", Role::Assessed),
        (Voice::Observed, false) => ("o", Role::Observed),
        (Voice::Reported, false) => ("r", Role::Reported),
        (Voice::Assessed, false) => ("a", Role::Assessed),
    }
}

fn state_word(claim: &Claim) -> Option<(&'static str, Role)> {
    if claim.annotation.is_some() {
        return Some(("your note", Role::Note));
    }
    match claim.state {
        ClaimState::Suggested => None,
        ClaimState::Accepted => Some(("accepted", Role::Accepted)),
        ClaimState::Edited => Some(("edited", Role::Accepted)),
        ClaimState::Stale => Some(("stale: the evidence changed", Role::Warning)),
        ClaimState::Rejected => Some(("rejected", Role::Muted)),
    }
}

fn claim_lines(state: &State, claim: &Claim, item: usize, room: usize, out: &mut Vec<ReportLine>) {
    let (mark, role) = voice(claim.voice, state.unicode);
    let text_role = if claim.state == ClaimState::Rejected { Role::Muted } else { Role::Text };
    let citation = citation(state, &claim.frames);
    let whole = if citation.is_empty() { claim.text.clone() } else { format!("{} {citation}", claim.text) };
    let start = out.len();
    let mut left = citation.chars().count();
    let wrapped = wrap(&whole, room.saturating_sub(2));
    let total: usize = wrapped.iter().map(|line| line.chars().count()).sum();
    let mut before = 0;
    for (at, line) in wrapped.iter().enumerate() {
        let lead = if at == 0 { format!("{mark} ") } else { "  ".to_owned() };
        let mut pieces = vec![(lead, role)];
        // The citation is a link: it is coloured wherever the wrapping put it.
        let length = line.chars().count();
        let text_left = (total - left).saturating_sub(before);
        let split = text_left.min(length);
        let split = line.char_indices().nth(split).map_or(line.len(), |(at, _)| at);
        let (text, cited) = line.split_at_checked(split).unwrap_or((line, ""));
        pieces.push((text.to_owned(), text_role));
        pieces.push((cited.to_owned(), Role::Key));
        before += length;
        out.push(ReportLine { item: Some(item), pieces, right: None });
    }
    left = 0;
    let _ = left;
    if let Some((word, role)) = state_word(claim) {
        place_right(out, start, item, word, role, room);
    }
}

/// Puts a word at the right margin of the last line, or of a new one where there is no room.
fn place_right(out: &mut Vec<ReportLine>, start: usize, item: usize, word: &str, role: Role, room: usize) {
    let fits = out.last().is_some_and(|line| {
        let used: usize = line.pieces.iter().map(|(text, _)| width(text)).sum();
        used + width(word) + 2 <= room
    });
    if fits && out.len() > start {
        if let Some(line) = out.last_mut() {
            line.right = Some((word.to_owned(), role));
        }
    } else {
        out.push(ReportLine { item: Some(item), pieces: Vec::new(), right: Some((word.to_owned(), role)) });
    }
}

/// `[F1, F3, F5]`, long sets as first, last and count.
pub fn citation(state: &State, frames: &[PacketId]) -> String {
    let label = |id: &PacketId| state.index.label(*id);
    match frames {
        [] => String::new(),
        [first, .., last] if frames.len() > 6 => {
            format!("[{}…{}, {} frames]", label(first), label(last), frames.len())
        }
        few => format!("[{}]", few.iter().map(label).collect::<Vec<_>>().join(", ")),
    }
}

fn field_lines(field: &OpenField, item: usize, room: usize, out: &mut Vec<ReportLine>) {
    let start = out.len();
    if let Some(value) = &field.value {
        for (at, line) in wrap(value, room.saturating_sub(2)).iter().enumerate() {
            let lead = if at == 0 { "◆ " } else { "  " };
            let pieces = vec![(lead.to_owned(), Role::Reported), (line.clone(), Role::Text)];
            out.push(ReportLine { item: Some(item), pieces, right: None });
        }
        place_right(out, start, item, "filled in", Role::Accepted, room);
    } else {
        let text = format!("«to be completed: {}»", field.prompt);
        for line in wrap(&text, room.saturating_sub(2)) {
            out.push(plain(item, format!("  {line}"), Role::Warning));
        }
    }
}

fn table_lines(state: &State, table: &Table, item: usize, room: usize, out: &mut Vec<ReportLine>) {
    let open = state.reading.open.contains(&table.id);
    out.push(fold_line(state, open, &table.caption, table.rows.len(), "rows", item));
    if !open {
        return;
    }
    let columns = table.head.len().max(1);
    let widest = |at: usize| {
        let cells = table.rows.iter().filter_map(|(cells, _)| cells.get(at)).chain(table.head.get(at));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    let gaps = 2 * columns;
    // The widest columns give way until the table fits.
    while widths.iter().sum::<usize>() + gaps > room {
        let Some(most) = widths.iter_mut().max().filter(|most| **most > 4) else { break };
        *most -= 1;
    }
    let row = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).map(|(cell, cells)| crate::tui::fit::pad(cell, *cells));
        format!("  {}", cells.collect::<Vec<_>>().join("  "))
    };
    out.push(plain(item, row(&table.head), Role::Muted));
    for (cells, _) in &table.rows {
        out.push(plain(item, row(cells), Role::Text));
    }
}

/// The panel.
pub struct Report;

impl View for Report {
    fn panel(&self) -> Panel {
        Panel::Report
    }

    fn render(&self, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
        render(state, theme, area, buffer);
    }

    fn counts(&self, state: &State, room: usize) -> String {
        counts_within(state, room)
    }

    fn step(&self, state: &mut State, by: isize) {
        let last = items(state).len().saturating_sub(1);
        state.reading.item = state.reading.item.saturating_add_signed(by).min(last);
        state.reading.citation = 0;
    }

    /// It moves by blocks, not by lines.
    fn half_page(&self, height: usize) -> usize {
        (height / 8).max(1)
    }

    fn scrolled(&self, lines: isize) -> isize {
        lines.signum()
    }

    fn activate(&self, state: &mut State) -> Effect {
        crate::tui::actions::reporting::follow_citation(state)
    }

    fn press(&self, state: &mut State, row: usize, _column: u16) {
        if let Some(item) = item_at(state, row) {
            state.reading.item = item;
            state.reading.citation = 0;
        }
    }

    /// The whole selected block is brought into sight where it fits; otherwise its beginning.
    fn settle(&self, state: &mut State, area: Rect) {
        let count = items(state).len();
        state.reading.item = state.reading.item.min(count.saturating_sub(1));
        if area.is_empty() || state.panels.side != Panel::Report {
            return;
        }
        let lines = lines(state, area.width);
        state.reading.top = top_of(&lines, state.reading.item, state.reading.top, usize::from(area.height));
    }

    fn selected(&self, state: &State) -> Option<PacketId> {
        cited(state, state.reading.item).first().copied()
    }

    fn hints(&self, _state: &State) -> &'static [(&'static str, &'static str)] {
        &[
            ("⏎", "go to citation"),
            ("a", "accept"),
            ("r", "reject"),
            ("e", "edit"),
            ("o", "next open"),
            ("i", "timeline row"),
            ("x", "export"),
        ]
    }
}

/// Draws it.
fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if state.report.sections.is_empty() {
        let text = if state.evidence.is_none() {
            "The report is drafted when the capture has been read."
        } else if state.overview.queries == 0 && state.overview.errors == 0 {
            "There is no DNS and no ICMP error in this capture. The timeline, the filter and notes still work: \
             look at TCP resets (tcp.flags.reset == 1), ARP (arp), or a host's traffic (host ADDRESS), and press a \
             on a packet to begin a report with a note."
        } else {
            "The report is being drafted from the whole capture. Notes can be written meanwhile: a on a packet; they appear here with \
             their citation."
        };
        super::empty(buffer, area, text, theme.style(Role::Muted));
        return;
    }
    let all = lines(state, area.width);
    let focused = state.panels.focus == crate::tui::layout::Panel::Report;
    let selected = focused.then_some(state.reading.item);
    draw(&all, state.reading.top, selected, theme, area, buffer);
    for (at, line) in all.iter().skip(state.reading.top).take(usize::from(area.height)).enumerate() {
        if line.item != selected && line.item.is_some_and(|item| cites_selected(state, item)) {
            let mark = Rect { y: area.y + at as u16, width: 1, height: 1, ..area };
            buffer.set_style(mark, theme.style(Role::Bytes));
        }
    }
}

/// Draws lines from `top` on, the selected item's lit, and how far down that is.
pub fn draw(
    all: &[ReportLine],
    top: usize,
    selected: Option<usize>,
    theme: &Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let height = usize::from(area.height);
    for (at, line) in all.iter().skip(top).take(height).enumerate() {
        let row = Rect { y: area.y + at as u16, height: 1, ..area };
        let spans: Vec<Span<'_>> =
            line.pieces.iter().map(|(text, role)| Span::styled(text.as_str(), theme.style(*role))).collect();
        let inside = Rect { x: row.x + 1, width: row.width.saturating_sub(1), ..row };
        put_line(buffer, inside, 0, &Line::from(spans));
        if let Some((word, role)) = &line.right {
            let cells = width(word) as u16;
            let x = row.right().saturating_sub(cells + 1).max(row.x);
            put(buffer, (x, row.y), cells, word, theme.style(*role));
        }
        if selected.is_some() && line.item == selected {
            buffer.set_style(row, theme.style(Role::Selected));
        }
    }
    if all.len() > height && area.width > 8 {
        let percent = format!("{} %", ((top + height).min(all.len()) * 100) / all.len());
        let y = area.bottom().saturating_sub(1);
        let last_is_full = buffer.cell((area.right() - 3, y)).is_some_and(|cell| cell.symbol() != " ");
        if !last_is_full {
            put(buffer, (area.right() - 7, y), 6, &pad_left(&percent, 6), theme.style(Role::Muted));
        }
    }
}

fn cites_selected(state: &State, item: usize) -> bool {
    let selected = state.timeline.selected;
    matches!(block(state, item), Some(Block::Claim(claim)) if selected.is_some_and(|id| claim.frames.contains(&id)))
}
