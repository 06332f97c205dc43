//! Before, while it failed, and after: what the same clients asked the same server, side by side.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Block;
use super::super::facts::Facts;
use super::{Builder, table};
use crate::correlate::windows::Window;
use crate::decode::Address;
use crate::index::PacketId;
use crate::protocols::dns::response_code_name;
use crate::text::thousands;
use crate::time::{self, Nanos};

/// Lookups looked through; of a capture with more the box would not tell all, and is left out.
const LOOKED_AT_MAX: usize = 500_000;
/// Fewer questions on either side are no before and after.
const QUESTIONS_MIN: u64 = 3;
/// Kinds of answers, and TTLs, told of one time.
const TOLD_MAX: usize = 4;

/// One stretch of time, or several alike.
#[derive(Default)]
struct Stretch {
    lasted_ns: Nanos,
    asked: u64,
    /// The first and the last question.
    ends: Option<(PacketId, PacketId)>,
    waited_ns: Vec<Nanos>,
    codes: BTreeMap<u16, u64>,
    ttls: BTreeMap<u8, u64>,
}

/// The box; `None` where nothing was answered before or after, so that there is no change to show.
pub fn box_of(b: &Builder<'_>, facts: &Facts<'_>) -> Option<Block> {
    let (index, evidence) = (b.input.index, b.input.evidence);
    let impact = facts.impact?;
    let (first, last) = (impact.windows.first()?, impact.windows.last()?);
    let small = evidence.transactions.len() <= LOOKED_AT_MAX;
    if !small || !b.clock.has_times || evidence.was_set_back() {
        return None;
    }
    let hit: BTreeSet<Address> = impact
        .clients
        .iter()
        .flat_map(|client| std::iter::once(client.address).chain(client.others.clone()))
        .collect();
    let several = impact.windows.len() > 1;
    let mut stretches = [Stretch::default(), Stretch::default(), Stretch::default()];
    for own in &evidence.transactions {
        let Some(query) = index.packet(own.first) else { continue };
        let (to, port) = (query.destination_address(), query.destination_port());
        let is_own = to == facts.server && port == facts.port && query.transport() == facts.problem.transport;
        let is_hit = !facts.flooders.is_empty() || hit.contains(&query.source_address());
        if !is_own || !is_hit {
            continue;
        }
        let at = place(&impact.windows, query.time_ns());
        let Some(stretch) = stretches.get_mut(at) else { continue };
        stretch.asked += 1;
        let begun = stretch.ends.map_or(own.first, |(begun, _)| begun);
        stretch.ends = Some((begun, own.first));
        if let Some(answer) = own.answer.and_then(|answer| index.packet(answer)) {
            stretch.waited_ns.extend(evidence.round_trip_ns(own));
            *stretch.codes.entry(own.response_code).or_default() += 1;
            *stretch.ttls.entry(answer.ttl()).or_default() += 1;
        }
    }
    let [before, during, after] = &mut stretches;
    before.lasted_ns = first.first_bad.at_ns - b.inventory.first_ns;
    during.lasted_ns = impact.windows.iter().map(Window::lasted_ns).sum();
    let between_ns = last.last_bad.at_ns - first.first_bad.at_ns - during.lasted_ns;
    after.lasted_ns = b.inventory.last_ns - last.last_bad.at_ns + between_ns;
    if several {
        before.join(std::mem::take(after));
    }
    let answered = before.answered() + after.answered();
    if during.asked < QUESTIONS_MIN || answered < QUESTIONS_MIN {
        return None;
    }
    let names =
        if several { ["Otherwise", "While it failed", ""] } else { ["Before", "While it failed", "After"] };
    let shown: Vec<(&str, &Stretch)> =
        names.into_iter().zip(&stretches).filter(|(_, stretch)| stretch.asked > 0).collect();
    let row = |label: &str, say: &dyn Fn(&Stretch) -> String| {
        let cells = shown.iter().map(|(_, stretch)| say(stretch));
        (std::iter::once(label.to_owned()).chain(cells).collect::<Vec<_>>(), Vec::new())
    };
    let mut rows = vec![
        row("Questions", &Stretch::rate),
        row("Answers", &|stretch| {
            format!("{} of {}", thousands(stretch.answered()), thousands(stretch.asked))
        }),
        row("Response time, median", &Stretch::median),
        row("Result codes", &|stretch| mix(&stretch.codes, |code| response_code_name(*code))),
        row("TTL of the answers", &|stretch| mix(&stretch.ttls, ToString::to_string)),
    ];
    // What differs nowhere, or was nowhere printed, is no change.
    let no_ttl = shown.iter().all(|(_, stretch)| stretch.ttls.keys().all(|ttl| *ttl == 0));
    rows.retain(|(cells, _)| {
        cells.iter().skip(1).any(|cell| cell != "–")
            && !(no_ttl && cells.first().is_some_and(|cell| cell.starts_with("TTL")))
    });
    let ends = shown.iter().filter_map(|(_, stretch)| stretch.ends).flat_map(|(begun, ended)| [begun, ended]);
    if let Some((_, frames)) = rows.first_mut() {
        frames.extend(ends);
    }
    let caption = format!(
        "What {} asked {} over time",
        if facts.flooders.is_empty() { "the clients that failed" } else { "all clients" },
        facts.server
    );
    let head: Vec<&str> = std::iter::once("").chain(shown.iter().map(|(name, _)| *name)).collect();
    Some(table(&format!("{}.change", facts.key), &caption, &head, rows))
}

/// 0 before the windows, 1 inside one of them, 2 after the last; between two of them it is neither before nor after, and
/// counts as after.
fn place(windows: &[Window], at_ns: Nanos) -> usize {
    let next = windows.partition_point(|window| window.first_bad.at_ns <= at_ns);
    match next.checked_sub(1).and_then(|at| windows.get(at)) {
        None => 0,
        Some(window) if at_ns <= window.last_bad.at_ns => 1,
        Some(_) => 2,
    }
}

/// `NOERROR 12, NXDOMAIN 3`, the most frequent first.
fn mix<K: Ord>(counted: &BTreeMap<K, u64>, name: impl Fn(&K) -> String) -> String {
    let mut sorted: Vec<(&K, &u64)> = counted.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rest = sorted.len().saturating_sub(TOLD_MAX);
    let mut parts: Vec<String> = match sorted.as_slice() {
        [] => return "–".to_owned(),
        [(only, _)] => vec![name(only)],
        _ => sorted
            .iter()
            .take(TOLD_MAX)
            .map(|(key, count)| format!("{} ({})", name(key), thousands(**count)))
            .collect(),
    };
    if rest > 0 {
        parts.push(format!("{rest} more"));
    }
    parts.join(", ")
}

impl Stretch {
    fn answered(&self) -> u64 {
        self.codes.values().sum()
    }

    fn join(&mut self, other: Self) {
        self.lasted_ns += other.lasted_ns;
        self.asked += other.asked;
        self.ends = match (self.ends, other.ends) {
            (Some((begun, _)), Some((_, ended))) => Some((begun, ended)),
            (one, another) => one.or(another),
        };
        self.waited_ns.extend(other.waited_ns);
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        for (ttl, count) in other.ttls {
            *self.ttls.entry(ttl).or_default() += count;
        }
    }

    /// `277 in 2 min 36 s (1.8 a second)`.
    fn rate(&self) -> String {
        let asked = thousands(self.asked);
        let seconds = self.lasted_ns as f64 / 1e9;
        // Over less than a second a rate is chance.
        if seconds < 1.0 {
            return asked;
        }
        let rate = self.asked as f64 / seconds;
        let rate = if rate >= 10.0 { thousands(rate.round() as u64) } else { format!("{rate:.2}") };
        format!("{asked} in {} ({rate} a second)", time::span(self.lasted_ns))
    }

    fn median(&self) -> String {
        let mut sorted = self.waited_ns.clone();
        sorted.sort_unstable();
        time::median(&sorted).map_or_else(|| "–".to_owned(), time::span)
    }
}
