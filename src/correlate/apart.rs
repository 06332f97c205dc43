//! Measures how far the clocks of several files are apart, by DNS messages that two of them hold.

use std::collections::HashMap;
use std::sync::Arc;

use crate::index::{Index, Input, Plan, Progress, SourceId};
use crate::settings::Settings;
use crate::time::Nanos;

/// Messages of one file that are compared.
const MESSAGES_MAX: usize = 100_000;
/// Messages of each direction that two files must share.
const SHARED_MIN: usize = 3;
/// Clocks nearer than this are taken for one: nothing is read out of less.
const APART_NS: Nanos = 20_000_000;
/// The middle half of the differences of one direction spreads no more than this, or a tenth of the middle one.
const SPREAD_NS: Nanos = 5_000_000;

/// Corrections are made of whole ones: more digits in every time would say nothing.
const MICROSECOND_NS: Nanos = 1_000;

/// How the clock of one file stands to that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The file whose clock is measured.
    pub source: SourceId,
    /// The file it is compared with.
    pub reference: SourceId,
    /// How far its clock is ahead.
    pub ahead_ns: Nanos,
    /// The messages both hold.
    pub messages: usize,
}

impl Apart {
    /// Whether the two are so far apart that it would be taken for a wait or change the order of events.
    pub fn matters(&self) -> bool {
        self.ahead_ns.abs() >= APART_NS
    }
}

/// A message as no other is: flow, id, question and direction.
type Key = (u64, u16, u64, bool);

/// Compares each file with the first one before it that shares messages with it.
pub fn measure(index: &Index) -> Vec<Apart> {
    let mut sources: Vec<HashMap<Key, Option<Nanos>>> = vec![HashMap::new(); index.sources.len()];
    if sources.len() < 2 {
        return Vec::new();
    }
    for segment in index.segments() {
        let Some(own) = sources.get_mut(usize::from(segment.source.0)) else { continue };
        for row in &segment.dns {
            if own.len() >= MESSAGES_MAX {
                break;
            }
            let at = segment.time_ns.get((row.packet.0 - segment.base.0) as usize);
            if row.question == 0 {
                continue;
            }
            // What was sent twice is no measure.
            own.entry((row.flow, row.header.id, row.question, row.is_response()))
                .and_modify(|time_ns| *time_ns = None)
                .or_insert(at.copied());
        }
    }
    let mut found = Vec::new();
    for (at, own) in sources.iter().enumerate() {
        let mut before = sources.iter().take(at).enumerate();
        found.extend(before.find_map(|(other, reference)| compare((at, own), (other, reference))));
    }
    found
}

fn compare(
    (source, own): (usize, &HashMap<Key, Option<Nanos>>),
    (other, reference): (usize, &HashMap<Key, Option<Nanos>>),
) -> Option<Apart> {
    let mut differences: [Vec<Nanos>; 2] = [Vec::new(), Vec::new()];
    for (key, time_ns) in own {
        let Some((own_ns, other_ns)) = time_ns.zip(reference.get(key).copied().flatten()) else { continue };
        if let Some(side) = differences.get_mut(usize::from(key.3)) {
            side.push(own_ns - other_ns);
        }
    }
    let messages = differences.iter().map(Vec::len).sum();
    let [queries, responses] = differences.map(middle);
    let ((queries, spread_one), (responses, spread_two)) = queries.zip(responses)?;
    // One way the time between the places is added, the other way it is taken off.
    let ahead_ns = i64::midpoint(queries, responses);
    let steady = spread_one.max(spread_two) <= SPREAD_NS.max(ahead_ns.abs() / 10);
    let sure = ahead_ns.abs() < APART_NS || ahead_ns.abs() > (queries - responses).abs();
    let (source, reference) = (SourceId(source as u16), SourceId(other as u16));
    (steady && sure).then_some(Apart { source, reference, ahead_ns, messages })
}

/// The middle of some differences, and how far their middle half spreads.
fn middle(mut differences: Vec<Nanos>) -> Option<(Nanos, Nanos)> {
    if differences.len() < SHARED_MIN {
        return None;
    }
    differences.sort_unstable();
    let at = |part: usize| differences.get(differences.len() * part / 4).copied();
    Some((at(2)?, at(3)? - at(1)?))
}

/// Builds the index of captures and then sets the clocks of their files to that of the first, where messages that two of them hold show
/// that they are apart and nobody has said by how much; [`corrected`] says so.
pub fn build_with(
    captures: (Vec<Input>, Arc<Settings>),
    plan: Plan,
    progress: &Progress,
    publish: impl FnMut(&Index),
) -> Index {
    let mut index = crate::index::build_with(captures, plan, progress, publish);
    if !index.settings.clocks_are_stated {
        let added = corrections(&index);
        if added.iter().any(|added_ns| *added_ns != 0) {
            index.set_clocks(&added);
        }
    }
    index
}

/// The files whose clocks were set by what they share with another, and what was added to their times.
pub fn corrected(index: &Index) -> impl Iterator<Item = (SourceId, Nanos)> + '_ {
    let sources = index.sources.iter().enumerate().filter(|_| !index.settings.clocks_are_stated);
    sources.map(|(at, source)| (SourceId(at as u16), source.offset_ns)).filter(|(_, added_ns)| *added_ns != 0)
}

/// What to add to the times of each file so that all agree with the first of those that share messages; 0 where nothing must be.
fn corrections(index: &Index) -> Vec<Nanos> {
    let mut added: Vec<Nanos> = vec![0; index.sources.len()];
    for apart in measure(index).into_iter().filter(Apart::matters) {
        let reference = added.get(usize::from(apart.reference.0)).copied().unwrap_or(0);
        if let Some(slot) = added.get_mut(usize::from(apart.source.0)) {
            *slot = (reference - apart.ahead_ns) / MICROSECOND_NS * MICROSECOND_NS;
        }
    }
    added
}
