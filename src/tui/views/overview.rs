//! The overview: what was asked over time as a sparkline, a band for each kind of failure, notes, and where the selection is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::failures::Kind;
use crate::tui::fit::put;
use crate::tui::overview::spread;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};
use crate::tui::work::{letter, packet_of};

/// Cells of the words at the right.
const LEGEND_CELLS: u16 = 17;
/// Cells of the time at the left.
const TIME_CELLS: u16 = 10;

/// Where the bars begin and how many columns they take.
pub fn bars(state: &State, area: Rect) -> Option<(u16, u16)> {
    state.overview.first_ns?;
    let columns = area.width.checked_sub(LEGEND_CELLS + TIME_CELLS + 2).filter(|columns| *columns >= 10)?;
    Some((area.x + TIME_CELLS, columns))
}

/// What one row of the overview shows: the failures of some kinds, by column.
struct Band {
    kinds: Vec<(Kind, Vec<u64>)>,
}

/// The bands that fit into so many rows: one a kind that occurs, what is left over in the last.
fn bands(state: &State, columns: usize, rows: usize) -> Vec<Band> {
    let failures = &state.listed.table.failures;
    let mut own: Vec<(Kind, Vec<u64>)> = Kind::ALL
        .iter()
        .zip(&failures.bands)
        .filter(|(_, bins)| !bins.is_empty())
        .map(|((kind, ..), bins)| (*kind, spread(bins, columns)))
        .collect();
    if state.evidence.is_none() && state.overview.errors > 0 {
        // Before packets are tied, errors alone are known.
        let errors = state.overview.columns(columns).into_iter().map(|(_, errors)| errors).collect();
        own = vec![(Kind::Refused, errors)];
    }
    if rows == 0 {
        return Vec::new();
    }
    let rest = own.split_off(own.len().min(rows - 1));
    let mut out: Vec<Band> = own.into_iter().map(|one| Band { kinds: vec![one] }).collect();
    if !rest.is_empty() {
        out.push(Band { kinds: rest });
    }
    out
}

/// The role a kind of failure is drawn in.
fn role(kind: Kind) -> Role {
    match kind {
        Kind::Refused | Kind::Broken => Role::Error,
        Kind::Silent => Role::Retry,
        Kind::Error => Role::Reported,
        Kind::Late => Role::Warning,
    }
}

/// The bars of a sparkline, the lowest first.
pub fn levels(unicode: bool) -> &'static [&'static str] {
    if unicode { &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] } else { &["_", ".", "-", "="] }
}

/// The bar of a number that is not 0 among numbers up to `most`.
pub fn level(levels: &[&'static str], number: u64, most: u64) -> &'static str {
    let level = (number * levels.len() as u64).div_ceil(most.max(1)).saturating_sub(1) as usize;
    levels.get(level).or(levels.last()).copied().unwrap_or_default()
}

/// Draws it.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let Some((start, columns)) = bars(state, area) else { return };
    let Some(first) = state.overview.first_ns else { return };
    let muted = theme.style(Role::Muted);
    put(buffer, (area.x + 1, area.y), TIME_CELLS - 1, &state.index.basis().clock(first), muted);
    let failures = &state.listed.table.failures;
    let (asked, word) = if state.listed.table.attempts.all.is_empty() {
        let queries = state.overview.columns(usize::from(columns));
        (queries.into_iter().map(|(queries, _)| queries).collect(), "queries")
    } else {
        (spread(&failures.asked, usize::from(columns)), "attempts")
    };
    let levels = levels(state.unicode);
    let most = asked.iter().copied().max().unwrap_or(0).max(1);
    for (at, number) in asked.iter().enumerate() {
        let cell = (start + at as u16, area.y);
        if *number > 0 {
            put(buffer, cell, 1, level(levels, *number, most), theme.style(Role::Query));
        } else {
            put(buffer, cell, 1, if state.unicode { "·" } else { " " }, theme.style(Role::Border));
        }
    }
    let legend = start + columns + 1;
    let last = state.index.basis().clock(state.overview.last_ns);
    let end = put(buffer, (legend, area.y), 9, &last, muted);
    put(buffer, (end + 1, area.y), area.right().saturating_sub(end + 1), word, theme.style(Role::Query));
    let rows = usize::from(area.height - 1);
    for (row, band) in bands(state, usize::from(columns), rows).iter().enumerate() {
        let place = Rect { y: area.y + 1 + row as u16, height: 1, ..area };
        draw_band(state, theme, band, (start, columns), place, buffer);
    }
    notes_and_place(state, theme, (start, columns), area, buffer);
}

fn draw_band(
    state: &State,
    theme: &Theme,
    band: &Band,
    (start, columns): (u16, u16),
    area: Rect,
    buffer: &mut Buffer,
) {
    let most = band.kinds.iter().flat_map(|(_, counts)| counts).copied().max().unwrap_or(0).max(1);
    let alone = band.kinds.len() == 1;
    for at in 0..usize::from(columns) {
        let counts = band.kinds.iter().map(|(kind, counts)| (counts.get(at).copied().unwrap_or(0), *kind));
        // Of several the most frequent is shown; of equal ones the first.
        let Some((number, kind)) = counts.filter(|(number, _)| *number > 0).rev().max_by_key(|(n, _)| *n)
        else {
            continue;
        };
        let style = theme.style(role(kind));
        // Few are a mark, many a bar whose height is their number.
        let tall = alone && state.unicode && number * 2 > most && number > 3;
        let text = match number * 8 / most {
            8.. if tall => "█",
            7 if tall => "▇",
            6 if tall => "▆",
            _ if tall => "▅",
            _ => kind.mark(state.unicode),
        };
        put(buffer, (start + at as u16, area.y), 1, text, style);
    }
    let mut x = start + columns + 1;
    for (kind, counts) in &band.kinds {
        let number = crate::text::thousands(counts.iter().sum());
        let mark = kind.mark(state.unicode);
        let text =
            if alone { format!("{mark} {number} {}", kind.word()) } else { format!("{mark} {number} ") };
        x = put(buffer, (x, area.y), area.right().saturating_sub(x), &text, theme.style(role(*kind)));
    }
}

/// Letters of notes and where the selection is, on the row of the sparkline.
fn notes_and_place(
    state: &State,
    theme: &Theme,
    (start, columns): (u16, u16),
    area: Rect,
    buffer: &mut Buffer,
) {
    let column = |at_ns| start + state.overview.column(at_ns, usize::from(columns)) as u16;
    for (position, note) in state.work.case.annotations.iter().enumerate() {
        let frame = note.frames.first().and_then(|frame| packet_of(&state.index, *frame));
        if let Some(packet) = frame.and_then(|id| state.index.packet(id)) {
            let mark = letter(position).to_string();
            put(buffer, (column(packet.time_ns()), area.y), 1, &mark, theme.style(Role::Note));
        }
    }
    let Some(packet) = state.packet() else { return };
    for y in area.top()..area.bottom() {
        if let Some(cell) = buffer.cell_mut((column(packet.time_ns()), y)) {
            cell.set_style(theme.style(Role::Selected));
        }
    }
}
