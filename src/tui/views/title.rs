//! The title line: file, packets, span of time, loading or hash, and whether the case is saved.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::case::Saving;
use crate::text::{escape, thousands};
use crate::tui::fit::{clip, put_line, width};
use crate::tui::live::Input;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// Draws it.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.width);
    let title = theme.style(Role::Title);
    let muted = theme.style(Role::Muted);
    let right = right(state);
    let right_cells: usize = right.iter().map(|(text, _)| width(text) + 2).sum();
    let mut left = vec![Span::styled(" portmortem ", theme.style(Role::Key))];
    let mut used = 12;
    let mut push = |text: String, style, least: usize| {
        let left_room = room.saturating_sub(used + right_cells + 1);
        if left_room < least.min(width(&text)) {
            return false;
        }
        let text = clip(&text, left_room);
        used += width(&text);
        left.push(Span::styled(text, style));
        true
    };
    push(format!(" {}  ", files(state)), title, 6);
    push(packets(state), theme.style(Role::Text), 10);
    if let Some(first) = state.overview.first_ns {
        // Whole, or only when it begins and how long it is.
        if !push(format!(" · {}", times(state, first)), muted, usize::MAX) {
            let span = crate::time::span(state.overview.last_ns.saturating_sub(first));
            push(format!(" · {} + {span}", state.index.basis().clock(first)), muted, usize::MAX);
        }
    }
    put_line(buffer, area, 0, &Line::from(left));
    let mut x = area.right().saturating_sub(right_cells as u16);
    for (text, role) in right {
        x = crate::tui::fit::put(
            buffer,
            (x, area.y),
            area.right().saturating_sub(x),
            &text,
            theme.style(role),
        );
        x = x.saturating_add(2);
    }
}

fn files(state: &State) -> String {
    match state.index.sources.as_slice() {
        [] => "…".to_owned(),
        [one] => base_name(&one.name),
        [first, ..] => format!("{} and {} more", base_name(&first.name), state.index.sources.len() - 1),
    }
}

fn base_name(name: &str) -> String {
    if name == "-" {
        return "standard input".to_owned();
    }
    escape(name.rsplit('/').next().unwrap_or(name))
}

fn packets(state: &State) -> String {
    match state.index.len() {
        1 => "1 packet".to_owned(),
        count => format!("{} packets", thousands(u64::from(count))),
    }
}

fn times(state: &State, first: i64) -> String {
    let last = state.overview.last_ns;
    let span = crate::time::span(last.saturating_sub(first));
    let (from, to) = (crate::time::date_and_time(first), crate::time::date_and_time(last));
    let seconds = |text: &str| text.split('.').next().unwrap_or_default().to_owned();
    if !state.index.has_date() {
        let basis = state.index.basis();
        let zone = if basis == crate::time::Basis::Start { "start" } else { "zone" };
        return format!("{} – {}, {zone} unknown ({span})", basis.clock(first), basis.clock(last));
    }
    let (from, to) = (seconds(&from), seconds(&to));
    let to = if from.get(..10) == to.get(..10) { to.get(11..).unwrap_or_default().to_owned() } else { to };
    let zone = if state.index.basis() == crate::time::Basis::Local { ", zone unknown" } else { " UTC" };
    format!("{from} – {to}{zone} ({span})")
}

fn right(state: &State) -> Vec<(String, Role)> {
    let mut parts = Vec::new();
    match (state.live.input, state.loading) {
        (Input::Receiving, _) => parts.push((live_text(state).to_owned(), Role::Key)),
        (_, Some(loading)) => return vec![(loading_text(&loading), Role::Key)],
        (Input::Ended, None) => parts.push(("input ended".to_owned(), Role::Muted)),
        (Input::Files, None) => {}
    }
    if state.evidence.is_none() && state.index.complete && !state.index.is_empty() {
        parts.push(("linking…".to_owned(), Role::Key));
    }
    let wide = state.size.width >= 100;
    if wide && state.index.complete {
        let tick = if state.unicode { "✓" } else { "ok" };
        match state.hashes.first().map(String::as_str) {
            _ if !state.changed.is_empty() => {
                parts.push(("sha256 no longer holds".to_owned(), Role::Warning));
            }
            Some("") => parts.push(("sha256 not readable".to_owned(), Role::Warning)),
            Some(hash) => {
                parts.push((format!("sha256 {}… {tick}", hash.get(..6).unwrap_or(hash)), Role::Muted));
            }
            None => parts.push(("sha256 …".to_owned(), Role::Muted)),
        }
    }
    match &state.work.saving {
        Saving::Nothing => {}
        Saving::Saved(at_ns) => {
            let clock = crate::tui::local_clock(*at_ns);
            parts.push((format!("case saved {clock}"), Role::Accepted));
        }
        Saving::Waiting => parts.push(("case: saving…".to_owned(), Role::Muted)),
        Saving::NotSaved if !state.work.case.is_made() => {}
        Saving::NotSaved => parts.push(("case NOT saved".to_owned(), Role::Warning)),
    }
    parts
}

/// `● live · following`
fn live_text(state: &State) -> &'static str {
    match (state.unicode, state.live.following) {
        (true, true) => "● live · following",
        (true, false) => "● live · G follows",
        (false, true) => "live, following",
        (false, false) => "live, G follows",
    }
}

/// `61 % · 640 MB/s · 0.4 s left`
fn loading_text(loading: &crate::tui::state::Loading) -> String {
    let (done, total) = (loading.bytes_done, loading.bytes_total.max(1));
    let percent = (done.saturating_mul(100) / total).min(100);
    let mut text = format!("{percent} %");
    if let Some(rate) = (done / 1000).checked_div(loading.elapsed_ms).filter(|rate| *rate > 0) {
        let left_ms = total.saturating_sub(done) / 1000 / rate;
        let _ = write!(text, " · {rate} MB/s · {}.{} s left", left_ms / 1000, left_ms % 1000 / 100);
    }
    let filled = (percent / 10) as usize;
    format!("{}{} {text}", "█".repeat(filled), "░".repeat(10 - filled))
}
