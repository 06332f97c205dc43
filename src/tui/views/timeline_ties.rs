//! The gutter of the timeline: which visible rows are tied, in at most two lanes, and arrows to ends out of sight.

use crate::attempts::ties;
use crate::correlate::{Evidence, Level, LinkKind};
use crate::index::{PacketId, segment::flags};
use crate::tui::state::State;
use crate::tui::theme::Role;

/// Lanes drawn side by side; further ties become arrows.
const LANES: usize = 2;

/// The gutter of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gutter {
    /// Lanes or an arrow, with how each piece looks.
    pub lanes: Vec<(String, Role)>,
    /// What the packet is: `✗ ✓ ? ! ↻` or nothing.
    pub mark: char,
    /// How the mark looks.
    pub role: Role,
}

struct Tie {
    /// Row of the upper end.
    top: usize,
    /// Row of the lower end.
    bottom: usize,
    /// Whether it is the selected packet's.
    lit: bool,
    /// How it looks.
    role: Role,
}

/// A piece of a lane and how it looks.
type Cell = (Piece, Role);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Empty,
    Top,
    Passing,
    Bottom,
}

/// The gutters of visible rows.
pub fn gutters(state: &State, ids: &[PacketId], cells: usize) -> Vec<Gutter> {
    let empty = Gutter { lanes: Vec::new(), mark: ' ', role: Role::Text };
    let mut out = vec![empty; ids.len()];
    let Some(evidence) = state.evidence.as_ref() else { return out };
    for (gutter, id) in out.iter_mut().zip(ids) {
        (gutter.mark, gutter.role) = mark(state, evidence, *id);
    }
    let mut ties = visible_ties(state, evidence, ids);
    // The selected packet's tie comes first, then short ones: they are read together.
    ties.sort_by_key(|tie| (!tie.lit, tie.bottom - tie.top, tie.top));
    let mut lanes = vec![[(Piece::Empty, Role::Text); LANES]; ids.len()];
    let mut arrows: Vec<(usize, usize)> = Vec::new();
    for tie in &ties {
        let free = (0..LANES).find(|lane| {
            (tie.top..=tie.bottom).all(|row| {
                lanes.get(row).and_then(|l| l.get(*lane)).is_some_and(|cell| cell.0 == Piece::Empty)
            })
        });
        let Some(lane) = free else {
            arrows.push((tie.top, tie.bottom));
            continue;
        };
        for row in tie.top..=tie.bottom {
            let piece = match row {
                _ if row == tie.top => Piece::Top,
                _ if row == tie.bottom => Piece::Bottom,
                _ => Piece::Passing,
            };
            if let Some(slot) = lanes.get_mut(row).and_then(|lanes| lanes.get_mut(lane)) {
                *slot = (piece, tie.role);
            }
        }
    }
    for (gutter, lanes) in out.iter_mut().zip(&lanes) {
        gutter.lanes = drawn(*lanes, state.unicode);
    }
    let number = |row: &usize| ids.get(*row).map(|id| state.number(*id)).unwrap_or_default();
    for (top, bottom) in arrows {
        point(&mut out, top, state, true, &number(&bottom), cells);
        point(&mut out, bottom, state, false, &number(&top), cells);
    }
    for (row, id) in ids.iter().enumerate() {
        if let Some(end) = far_end(evidence, ids, *id) {
            point(&mut out, row, state, end > *id, &state.number(end), cells);
        }
    }
    out
}

/// Ties whose two ends are both in sight.
fn visible_ties(state: &State, evidence: &Evidence, ids: &[PacketId]) -> Vec<Tie> {
    let mut rows: Vec<(PacketId, usize)> = ids.iter().enumerate().map(|(row, id)| (*id, row)).collect();
    rows.sort_unstable();
    let row_of = |id: PacketId| {
        rows.binary_search_by_key(&id, |(id, _)| *id).ok().and_then(|at| rows.get(at)).map(|(_, row)| *row)
    };
    let selected = state.timeline.selected;
    let mut ties = Vec::new();
    for (row, id) in ids.iter().enumerate() {
        for link in ties::links_from(evidence, *id) {
            let tied = matches!(link.kind, LinkKind::ErrorAbout | LinkKind::AnswerTo);
            if let (true, Some(other)) = (tied, link.to.and_then(row_of)) {
                let lit = selected == Some(*id) || selected == link.to;
                let role = match (link.kind, lit) {
                    (LinkKind::AnswerTo, _) => Role::Answer,
                    (_, true) => Role::Error,
                    (_, false) => Role::Tie,
                };
                ties.push(Tie { top: row.min(other), bottom: row.max(other), lit, role });
            }
        }
    }
    ties.retain(|tie| tie.top != tie.bottom);
    ties
}

/// The partner of a row, where none of its ends is in sight.
fn far_end(evidence: &Evidence, ids: &[PacketId], id: PacketId) -> Option<PacketId> {
    let tied = |kind| matches!(kind, LinkKind::ErrorAbout | LinkKind::AnswerTo);
    let mut nearest = None;
    let ends = ties::links_from(evidence, id)
        .into_iter()
        .filter(|link| tied(link.kind))
        .filter_map(|link| link.to)
        .chain(ties::links_to(evidence, id).into_iter().filter(|link| tied(link.kind)).map(|link| link.from));
    for end in ends {
        if ids.contains(&end) {
            return None;
        }
        nearest = nearest.or(Some(end));
    }
    nearest
}

fn point(out: &mut [Gutter], row: usize, state: &State, down: bool, number: &str, cells: usize) {
    let Some(gutter) = out.get_mut(row) else { return };
    let arrow = match (state.unicode, down) {
        (true, true) => '↓',
        (true, false) => '↑',
        (false, true) => 'v',
        (false, false) => '^',
    };
    let text = format!("{arrow}{number}");
    let short = format!("{arrow}{}", number.trim_start_matches('#'));
    let text =
        [text, short].into_iter().find(|text| text.chars().count() <= cells).unwrap_or(arrow.to_string());
    gutter.lanes = vec![(text, Role::Muted)];
}

fn drawn(lanes: [Cell; LANES], unicode: bool) -> Vec<(String, Role)> {
    let [(inner, inner_role), (outer, outer_role)] = lanes;
    if (inner, outer) == (Piece::Empty, Piece::Empty) {
        return Vec::new();
    }
    let draw = |piece: Piece| match (piece, unicode) {
        (Piece::Empty, _) => " ",
        (Piece::Top, true) => "╭",
        (Piece::Bottom, true) => "╰",
        (Piece::Passing, true) => "│",
        (Piece::Top, false) => ",",
        (Piece::Bottom, false) => "`",
        (Piece::Passing, false) => "|",
    };
    let across = matches!(outer, Piece::Top | Piece::Bottom) && inner == Piece::Empty;
    let inner = match (across, unicode) {
        (true, true) => ("─", outer_role),
        (true, false) => ("-", outer_role),
        _ => (draw(inner), inner_role),
    };
    vec![(draw(outer).to_owned(), outer_role), (inner.0.to_owned(), inner.1)]
}

fn mark(state: &State, evidence: &Evidence, id: PacketId) -> (char, Role) {
    let Some(packet) = state.index.packet(id) else { return (' ', Role::Text) };
    let pick = |unicode: char, ascii: char| if state.unicode { unicode } else { ascii };
    let bits = packet.flags();
    if bits & flags::ICMP_ERROR != 0 {
        let link = evidence.links_from(id).into_iter().find(|link| link.kind == LinkKind::ErrorAbout);
        return match link.map(|link| link.level) {
            None | Some(Level::Orphan) => ('?', Role::Warning),
            Some(Level::Contradicted) => ('!', Role::Warning),
            Some(_) => (pick('✗', 'x'), Role::Error),
        };
    }
    if bits & flags::DNS_RESPONSE != 0 {
        let code = packet.dns().map_or(0, crate::index::DnsRow::response_code);
        let answers = evidence.links_from(id).iter().any(|link| link.kind == LinkKind::AnswerTo);
        return match (matches!(code, 0 | 3), answers) {
            (true, true) => (pick('✓', 'v'), Role::Answer),
            (false, _) => (pick('✗', 'x'), Role::Error),
            (true, false) => ('?', Role::Warning),
        };
    }
    if bits & flags::DNS_QUERY != 0 {
        if evidence.links_from(id).iter().any(|link| link.kind == LinkKind::RetryOf) {
            return (pick('↻', 'r'), Role::Retry);
        }
        let failed = evidence
            .transaction_of(id)
            .and_then(|id| evidence.transaction(id))
            .is_some_and(|transaction| transaction.outcome.is_failure() && transaction.error.is_none());
        if failed {
            return (pick('…', '.'), Role::Error);
        }
    }
    (' ', Role::Text)
}
