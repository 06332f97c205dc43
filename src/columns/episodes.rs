//! The table `episodes`: one row an episode of failed lookups.

use std::collections::BTreeMap;
use std::fs::File;

use anyhow::Result;

use super::schema::EPISODES;
use super::scribe::{Scribe, transport_name};
use super::table::Rows;
use crate::correlate::{Episode, generator};
use crate::text::escape;
use crate::time::Nanos;

/// Writes all episodes of a unit in the order of their first queries.
pub(super) fn write(scribe: &Scribe<'_>, file: File) -> Result<u64> {
    let mut problems = BTreeMap::new();
    for (at, problem) in scribe.evidence.problems.iter().enumerate() {
        problems.extend(problem.episodes.iter().map(|id| (id.0 as usize, at as i64 + 1)));
    }
    let segments = scribe.index.segments().iter().filter(|segment| !segment.is_empty());
    let span_ns =
        segments.map(|segment| segment.span_ns).reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)));
    let mut rows = Rows::new(&EPISODES, file)?;
    for (at, episode) in scribe.evidence.episodes.iter().enumerate() {
        row(scribe, &mut rows, (at, episode), (problems.get(&at).copied(), span_ns.unwrap_or_default()))?;
    }
    rows.finish()
}

/// Whether it may have begun before the unit, or gone on after it: no failure that long before or after would begin another.
fn is_cut(scribe: &Scribe<'_>, episode: &Episode, (first_ns, last_ns): (Nanos, Nanos)) -> Option<bool> {
    let gap_ns = scribe.evidence.parameters.episode_gap_ns;
    let before = episode.first_ns - first_ns < gap_ns;
    let after = episode.recovery.is_none() && last_ns - episode.last_ns < gap_ns;
    scribe.index.has_times().then_some(before || after)
}

fn row(
    scribe: &Scribe<'_>,
    rows: &mut Rows,
    (at, episode): (usize, &Episode),
    (problem, span_ns): (Option<i64>, (Nanos, Nanos)),
) -> Result<()> {
    let (index, evidence) = (scribe.index, scribe.evidence);
    let is_late = |error: &&_| evidence.links_from(**error).iter().any(|link| link.delayed);
    let consequences = evidence.consequences(at);
    let sender = episode.errors.first().and_then(|error| generator::of(index, evidence, *error));
    scribe.begin(rows, episode.frames.first().copied());
    rows.number(Some(at as i64 + 1));
    rows.number(problem);
    rows.host_and_bytes(episode.client);
    rows.host_and_bytes(episode.server.0);
    rows.small(Some(i32::from(episode.server.1)));
    rows.text(transport_name(episode.transport));
    rows.shown((!episode.name.is_empty()).then(|| escape(&episode.name)));
    rows.shown(Some(episode.signature.words()));
    rows.number(evidence.lasted_ns(episode));
    rows.number(Some(episode.transactions.len() as i64));
    rows.number(Some(episode.errors.len() as i64));
    rows.number(Some(episode.errors.iter().filter(is_late).count() as i64));
    rows.text(Some(episode.verdict(consequences)));
    rows.truth(is_cut(scribe, episode, span_ns));
    rows.texts(consequences.iter().map(|next| format!("{} {}", next.code, next.text)));
    rows.shown(sender.map(|sender| sender.note));
    rows.texts(scribe.cites(episode.frames.iter().copied()));
    rows.texts(scribe.cites(episode.recovery));
    rows.end()
}
