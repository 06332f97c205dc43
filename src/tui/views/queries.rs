//! One row a DNS query: which attempt of its lookup it is, outcome, times, and the packet at the other end.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::correlate::{Outcome, Transaction, lookups};
use crate::tui::fit::{pad, pad_left, put};
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// Cells of the time waited and the partner.
const TIMES_CELLS: u16 = 20;
/// Cells of the round trip, where there is room for it.
const ROUND_TRIP_CELLS: u16 = 10;
/// From this width on times are shown, and from this one on the round trip too.
const TIMES_FROM: u16 = 74;
const ROUND_TRIP_FROM: u16 = 82;

/// `412 queries · 30 failed `
pub fn counts(state: &State) -> String {
    let Some(evidence) = &state.evidence else { return String::new() };
    let count = evidence.transactions.len();
    format!(
        "{} queries · {} failed ",
        crate::text::thousands(count as u64),
        crate::text::thousands(state.failed_queries)
    )
}

/// Draws it.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(evidence) = state.evidence.as_ref().filter(|evidence| !evidence.transactions.is_empty()) else {
        let text = if state.evidence.is_none() {
            "Queries are joined with their answers when the capture has been read."
        } else {
            "There are no DNS queries in this capture."
        };
        super::empty(buffer, area, text, theme.style(Role::Muted));
        return;
    };
    let head = format!("{} {} Question", pad_left("No", 7), pad("  Try Outcome", 24));
    put(buffer, (area.x, area.y), area.width, &head, theme.style(Role::Muted));
    let tail = tail_cells(area.width);
    let head = match tail {
        0 => "",
        TIMES_CELLS => "    Waited  Partner",
        _ => "       RTT    Waited  Partner",
    };
    put(buffer, (area.right().saturating_sub(tail), area.y), tail, head, theme.style(Role::Muted));
    let rows = usize::from(area.height.saturating_sub(1));
    for (line, transaction) in evidence.transactions.iter().skip(state.query_list.top).take(rows).enumerate()
    {
        let y = area.y + 1 + line as u16;
        row(state, theme, transaction, Rect { y, height: 1, ..area }, buffer);
        if state.query_list.top + line == state.query_list.row {
            buffer.set_style(Rect { y, height: 1, ..area }, theme.style(Role::Selected));
        }
    }
}

fn tail_cells(columns: u16) -> u16 {
    match columns {
        ROUND_TRIP_FROM.. => TIMES_CELLS + ROUND_TRIP_CELLS,
        TIMES_FROM.. => TIMES_CELLS,
        _ => 0,
    }
}

/// `2/3`: the second of three tries for this question; `1-2/3` where a repeated query makes two of them.
fn attempt(state: &State, transaction: &Transaction) -> String {
    let evidence = state.evidence.as_deref();
    let found = evidence.and_then(|evidence| lookups::attempt(&state.index, evidence, transaction.first));
    let tries = usize::try_from(transaction.tries).unwrap_or(1).max(1);
    let (number, all) = found.map_or((1, tries), |attempt| (attempt.number, attempt.total));
    match tries {
        1 => format!("{number}/{all}"),
        tries => format!("{number}-{}/{all}", number + tries - 1),
    }
}

fn row(state: &State, theme: &Theme, transaction: &Transaction, area: Rect, buffer: &mut Buffer) {
    let (word, role) = outcome(transaction);
    let mut x = area.x;
    let mut cell = |text: &str, role: Role, room: u16| {
        x = put(buffer, (x, area.y), room.min(area.right().saturating_sub(x)), text, theme.style(role));
    };
    cell(&pad_left(&state.number(transaction.first), 7), Role::Muted, 7);
    cell(&format!("{} ", pad_left(&attempt(state, transaction), 5)), Role::Muted, 6);
    cell(&pad(&word, 18), role, 18);
    let tail = tail_cells(area.width);
    let question = question(state, transaction);
    let room = area.width.saturating_sub(32 + tail);
    cell(&format!(" {}", pad(&question, usize::from(room))), Role::Text, room + 1);
    if tail > 0 {
        let span = |ns: i64| if ns > 0 { crate::time::span(ns) } else { "–".to_owned() };
        let round_trip = match tail {
            TIMES_CELLS => String::new(),
            _ => pad_left(&span(round_trip_ns(state, transaction)), usize::from(ROUND_TRIP_CELLS)),
        };
        let partner = transaction.error.or(transaction.answer);
        let partner = partner.map(|id| state.number(id)).unwrap_or_default();
        let text = format!("{round_trip}{}  {partner}", pad_left(&span(transaction.waited_ns), 10));
        put(buffer, (area.right().saturating_sub(tail), area.y), tail, &text, theme.style(Role::Muted));
    }
}

fn round_trip_ns(state: &State, transaction: &Transaction) -> i64 {
    state.evidence.as_ref().map_or(0, |evidence| evidence.rtt_ns(transaction))
}

fn question(state: &State, transaction: &Transaction) -> String {
    let Some(packet) = state.index.packet(transaction.first) else { return String::new() };
    let Some(row) = transaction.question(&state.index) else { return packet.summary() };
    let Some(wire) = packet.segment.names.get(row.name) else { return packet.summary() };
    // The name is in presentation form, which is plain ASCII already (RFC 4343 §2.1).
    let name = crate::decode::dns::presentation(wire);
    match row.asked_type() {
        Some(kind) => format!("{}? {name}", crate::protocols::dns::type_name(kind)),
        None => format!("{name} (type cut)"),
    }
}

/// The outcome with the code that decided it, and its role.
pub fn outcome(transaction: &Transaction) -> (String, Role) {
    match transaction.outcome {
        Outcome::Answered => {
            let role = if matches!(transaction.response_code, 0 | 3) { Role::Answer } else { Role::Error };
            let name = match transaction.response_code {
                0 => "answered".to_owned(),
                code => crate::protocols::dns::response_code_name(code),
            };
            (name, role)
        }
        Outcome::Unreadable => ("answered, cut".to_owned(), Role::Muted),
        Outcome::Late => ("late".to_owned(), Role::Warning),
        Outcome::Refused => {
            (format!("refused ICMP {}/{}", transaction.icmp.0, transaction.icmp.1), Role::Error)
        }
        Outcome::NoAnswer => ("no answer".to_owned(), Role::Error),
        Outcome::TcpReset => ("TCP reset".to_owned(), Role::Error),
        Outcome::RefusedByReset => ("refused by RST".to_owned(), Role::Error),
        Outcome::ResetMidway => ("reset midway".to_owned(), Role::Error),
        Outcome::Closed => ("closed".to_owned(), Role::Error),
        Outcome::Mute => ("mute".to_owned(), Role::Error),
        Outcome::Truncated => ("truncated".to_owned(), Role::Warning),
        Outcome::NotReceived => ("not received".to_owned(), Role::Error),
        Outcome::CoveredByRateLimit => ("rate-limited".to_owned(), Role::Warning),
        Outcome::Undetermined => ("undetermined".to_owned(), Role::Muted),
    }
}
