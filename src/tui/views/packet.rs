//! The selected packet: its layers as a tree, its bytes with the selected field's marked, and a reading in words.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::View;
use crate::index::PacketId;
use crate::protocols::Node;
use crate::tui::fit::put;
use crate::tui::layout::Panel;
use crate::tui::settle::settle_list;
use crate::tui::state::{PacketTab, State, WordsLevel};
use crate::tui::theme::{Role, Theme};
use crate::tui::update::Effect;

/// Bytes of a frame the panel shows.
const BYTES_MAX: usize = 256 * 1024;

/// A visible row of the tree.
pub struct TreeRow {
    /// The row.
    pub node: Node,
    /// Whether rows below it belong to it.
    pub has_children: bool,
    /// Whether they are folded away.
    pub folded: bool,
}

/// The visible rows of the selected packet's tree.
pub fn tree(state: &State) -> Vec<TreeRow> {
    let Some(packet) = state.packet() else { return Vec::new() };
    let nodes = packet.dissect().nodes;
    let mut out: Vec<TreeRow> = Vec::new();
    let mut hidden_below = None;
    let depths: Vec<u8> = nodes.iter().map(|node| node.depth).collect();
    for (at, node) in nodes.into_iter().enumerate() {
        if hidden_below.is_some_and(|depth| node.depth > depth) {
            continue;
        }
        let has_children = depths.get(at + 1).is_some_and(|depth| *depth > node.depth);
        let folded = has_children && state.packet.folded.contains(&fold_key(&node));
        hidden_below = folded.then_some(node.depth);
        out.push(TreeRow { node, has_children, folded });
    }
    out
}

/// Headings are known by their first word, so that a fold holds from packet to packet.
fn fold_key(node: &Node) -> String {
    let word = node.text.split([' ', ':']).next().unwrap_or_default();
    if node.quoted { format!("quoted {word}") } else { word.to_owned() }
}

/// Folds or unfolds the selected heading; on a field, its heading.
pub fn fold(state: &mut State, fold: bool) -> Effect {
    let rows = tree(state);
    let at = state.packet.tree.row;
    let Some(row) = rows.get(at) else { return Effect::None };
    if row.has_children && row.folded != fold {
        let key = fold_key(&row.node);
        if fold {
            state.packet.folded.insert(key);
        } else {
            state.packet.folded.remove(&key);
        }
    } else if fold {
        let depth = row.node.depth;
        let parent = rows.iter().take(at).rposition(|above| above.node.depth < depth);
        state.packet.tree.row = parent.unwrap_or(at);
    }
    Effect::None
}

/// The panel's title: its tabs, and the frame.
fn title(state: &State, theme: &Theme, style: Style) -> Vec<Span<'static>> {
    let number = state.timeline.selected.map(|id| state.number(id)).unwrap_or_default();
    let mut spans = vec![Span::styled(format!(" Packet {number} "), style)];
    let words = match state.packet.level {
        WordsLevel::Plain => "In words (w)",
        WordsLevel::Fields => "In words, with bytes (W)",
        WordsLevel::Quiz => "In words, quiz (W)",
        WordsLevel::Answers => "In words, answers (W)",
    };
    for (tab, name) in
        [(PacketTab::Layers, "Layers"), (PacketTab::Bytes, "Bytes (b)"), (PacketTab::Words, words)]
    {
        let chosen = state.packet.tab == tab;
        let style = if chosen { theme.style(Role::Tab) } else { theme.style(Role::Muted) };
        let text = if chosen && !state.unicode { format!("[{name}]") } else { format!(" {name} ") };
        spans.push(Span::styled(text, style));
    }
    spans
}

/// The panel.
pub struct Packet;

impl View for Packet {
    fn panel(&self) -> Panel {
        Panel::Packet
    }

    fn render(&self, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
        render(state, theme, area, buffer);
    }

    fn title(&self, state: &State, theme: &Theme, style: Style, _room: usize) -> Vec<Span<'static>> {
        title(state, theme, style)
    }

    fn step(&self, state: &mut State, by: isize) {
        let place = match state.packet.tab {
            PacketTab::Layers => &mut state.packet.tree.row,
            PacketTab::Bytes => &mut state.packet.bytes_top,
            PacketTab::Words => &mut state.packet.words_top,
        };
        *place = place.saturating_add_signed(by);
    }

    fn activate(&self, state: &mut State) -> Effect {
        crate::tui::actions::moving::to_partner(state)
    }

    fn press(&self, state: &mut State, row: usize, column: u16) {
        match state.packet.tab {
            PacketTab::Layers => state.packet.tree.row = state.packet.tree.top + row,
            PacketTab::Bytes => select_byte(state, row, column),
            PacketTab::Words => {}
        }
    }

    fn settle(&self, state: &mut State, area: Rect) {
        let height = usize::from(area.height);
        let nodes = tree(state).len();
        settle_list(&mut state.packet.tree, nodes, height);
        let bytes = byte_rows(state);
        state.packet.bytes_top = state.packet.bytes_top.min(bytes.saturating_sub(height));
        let words = match state.packet.tab {
            PacketTab::Words => super::words::lines(state, area.width).len(),
            _ => 0,
        };
        state.packet.words_top = state.packet.words_top.min(words.saturating_sub(height));
    }

    fn selected(&self, state: &State) -> Option<PacketId> {
        state.timeline.selected
    }

    fn hints(&self, state: &State) -> &'static [(&'static str, &'static str)] {
        if state.packet.tab == PacketTab::Words {
            return &[
                ("Space", "layers, bytes, words"),
                ("W", "more, quiz"),
                ("⏎", "partner"),
                ("a", "annotate"),
            ];
        }
        &[
            ("Space", "layers, bytes, words"),
            ("⏎", "partner"),
            ("a", "annotate"),
            ("f", "filter by…"),
            ("y", "copy"),
        ]
    }
}

/// Draws it.
fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if state.packet().is_none() {
        super::empty(buffer, area, "No packet is selected.", theme.style(Role::Muted));
        return;
    }
    match state.packet.tab {
        PacketTab::Layers => layers(state, theme, area, buffer),
        PacketTab::Bytes => bytes(state, theme, area, buffer),
        PacketTab::Words => {
            let lines = super::words::lines(state, area.width);
            let height = usize::from(area.height);
            for (at, (line, role)) in lines.iter().skip(state.packet.words_top).take(height).enumerate() {
                let room = area.width.saturating_sub(1);
                put(buffer, (area.x + 1, area.y + at as u16), room, line, theme.style(*role));
            }
        }
    }
}

fn layers(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    // Where there is room, the bytes stand beside the tree.
    let hex_cells = 6 + 16 * 3 + 2 + 16;
    let beside = area.width >= hex_cells + 44;
    let tree_area = Rect { width: if beside { area.width - hex_cells } else { area.width }, ..area };
    let (open, closed) = if state.unicode { ("▾", "▸") } else { ("v", ">") };
    let rows = tree(state);
    let visible = rows.iter().enumerate().skip(state.packet.tree.top).take(usize::from(area.height));
    for (line, (at, row)) in visible.enumerate() {
        let y = area.y + line as u16;
        let mark = match (row.has_children, row.folded) {
            (true, true) => closed,
            (true, false) => open,
            _ => " ",
        };
        let indent = usize::from(row.node.depth) * 2;
        let quoted = if row.node.quoted && row.has_children { "quoted " } else { "" };
        let text = format!("{}{mark} {quoted}{}", " ".repeat(indent), row.node.text);
        let role = if row.node.depth == 0 { Role::Title } else { Role::Text };
        let room = tree_area.width.saturating_sub(2);
        put(buffer, (area.x + 1, y), room, &text, theme.style(role));
        if at == state.packet.tree.row {
            let style = theme.style(Role::Selected);
            buffer.set_style(Rect { y, height: 1, ..tree_area }.intersection(area), style);
        }
    }
    if beside {
        let hex = Rect { x: tree_area.right(), width: hex_cells, ..area };
        let first = rows.get(state.packet.tree.row).map_or(0, |row| row.node.start as usize / 16);
        let height = usize::from(area.height);
        let top = if first < height { 0 } else { first.saturating_sub(height / 3) };
        let top = top.min(byte_rows(state).saturating_sub(height));
        hex_rows(state, theme, hex, top, buffer);
    }
}

fn bytes(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    hex_rows(state, theme, area, state.packet.bytes_top, buffer);
}

/// Bytes in a row: 16, on narrow panels 8.
fn per_row(columns: u16) -> usize {
    if columns >= 6 + 16 * 3 + 2 + 16 { 16 } else { 8 }
}

/// Rows the bytes take.
fn byte_rows(state: &State) -> usize {
    let columns = state.layout().inner(crate::tui::layout::Panel::Packet).width;
    let count = state.packet().map_or(0, |packet| packet.bytes().len().min(BYTES_MAX));
    count.div_ceil(per_row(columns))
}

fn hex_rows(state: &State, theme: &Theme, area: Rect, top: usize, buffer: &mut Buffer) {
    let Some(packet) = state.packet() else { return };
    let all = packet.bytes();
    let per_row = per_row(area.width);
    let marked = tree(state).get(state.packet.tree.row).map_or(0..0, |row| row.node.start..row.node.end);
    let style = |role| theme.style(role);
    for line in 0..usize::from(area.height) {
        let start = (top + line) * per_row;
        let Some(row) = all.get(start..(start + per_row).min(all.len())).filter(|row| !row.is_empty()) else {
            return;
        };
        let y = area.y + line as u16;
        put(buffer, (area.x, y), area.width, &format!("{start:04x}"), style(Role::Muted));
        for (at, byte) in row.iter().enumerate() {
            let is_marked = marked.contains(&((start + at) as u32));
            let hex = area.x + 6 + at as u16 * 3 + u16::from(at >= 8);
            let ascii = area.x + 6 + per_row as u16 * 3 + 2 + at as u16;
            let printable = byte.is_ascii_graphic() || *byte == b' ';
            let character = if printable { char::from(*byte).to_string() } else { ".".to_owned() };
            let role = if printable { Role::Text } else { Role::Muted };
            let look = if is_marked { style(role).patch(style(Role::Bytes)) } else { style(role) };
            let room = area.right().saturating_sub(hex);
            put(buffer, (hex, y), room.min(2), &format!("{byte:02x}"), look);
            put(buffer, (ascii, y), area.right().saturating_sub(ascii).min(1), &character, look);
        }
    }
}

/// Selects the innermost field a clicked byte belongs to.
fn select_byte(state: &mut State, row: usize, column: u16) {
    let columns = state.layout().inner(crate::tui::layout::Panel::Packet).width;
    let per_row = per_row(columns);
    let Some(within) = column.checked_sub(6) else { return };
    let at = usize::from(within.saturating_sub(u16::from(within > 24)) / 3);
    if at >= per_row {
        return;
    }
    let byte = ((state.packet.bytes_top + row) * per_row + at) as u32;
    let found = tree(state)
        .iter()
        .enumerate()
        .filter(|(_, row)| (row.node.start..row.node.end).contains(&byte))
        .min_by_key(|(_, row)| row.node.end - row.node.start)
        .map(|(at, _)| at);
    if let Some(found) = found {
        state.packet.tree.row = found;
    }
}
