//! Who holds what a service has no more of: the connections to it that were open when it refused others, or the requests before.

use std::collections::BTreeMap;

use super::{SECOND, Sort, Trouble};
use crate::attempts::reply::{Limit, limit};
use crate::attempts::{Attempt, Face};
use crate::connections::Connection;
use crate::decode::Address;
use crate::findings::facts::Facts;
use crate::index::PacketId;
use crate::time::Nanos;

/// Refusals at which the open connections are counted.
const REFUSALS_MAX: usize = 64;
/// Requests this long before a refusal count towards a limit of requests in a time.
const RATE_NS: Nanos = 60 * SECOND;

/// Who holds what.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Connections open at the first refusal, or requests in the minute before.
    pub limit: Limit,
    /// By client: how many, and since when; those with most first.
    pub clients: Vec<(Address, u64, Nanos)>,
    /// How many in all.
    pub number: u64,
    /// Least and most connections open at the refusals.
    pub range: (u64, u64),
    /// The packets that show it.
    pub frames: Vec<PacketId>,
    /// When the oldest began; of connections open at the beginning of the capture that is not known.
    pub is_older: bool,
}

/// From when to when a connection is held: from its acceptance until one side ends it.
fn span(own: &Connection) -> Option<(Nanos, Nanos)> {
    let from = if own.is_opened_here() { own.accepted? } else { own.first };
    let ends = [&own.from_client, &own.from_server].map(|sent| [sent.finished, sent.reset]);
    let end = ends.into_iter().flatten().flatten().map(|seen| seen.time_ns).min();
    Some((from.time_ns, end.unwrap_or(Nanos::MAX)))
}

/// Finds who holds what a service says it has no more of; where nobody is seen to hold any, nothing is said.
pub(super) fn of(facts: &Facts<'_>, trouble: &Trouble) -> Option<Held> {
    if !matches!(trouble.sort, Sort::Failed(Face::Fails, _)) || trouble.services.len() != 1 {
        return None;
    }
    let kind = trouble.kind();
    let told = trouble.endings.first().and_then(|(outcome, _)| limit(kind, *outcome))?;
    let is_any = |held: &Held| held.number > 0;
    if told == Limit::Rate {
        return Some(requests(facts, trouble)).filter(is_any);
    }
    let service = trouble.service();
    if service.transport != 6 {
        return None;
    }
    let refused: Vec<&Attempt> = trouble.attempts(facts.attempts).collect();
    let lost: std::collections::HashSet<PacketId> =
        refused.iter().filter_map(|own| facts.attempts.connection(own)).map(|own| own.first.packet).collect();
    let all = facts.attempts.connections.iter().filter(|own| own.server == (service.host, service.port));
    let held: Vec<(&Connection, (Nanos, Nanos))> = all
        .filter(|own| !lost.contains(&own.first.packet))
        .filter_map(|own| Some((own, span(own)?)))
        .collect();
    let at = |own: &Attempt| own.decided.map_or(own.first.time_ns, |seen| seen.time_ns);
    let open_at = |time_ns: Nanos| held.iter().filter(move |(_, (from, to))| (*from..*to).contains(&time_ns));
    let first_ns = refused.iter().map(|own| at(own)).min()?;
    let counts: Vec<u64> =
        refused.iter().take(REFUSALS_MAX).map(|own| open_at(at(own)).count() as u64).collect();
    let mut clients: BTreeMap<Address, (u64, Nanos)> = BTreeMap::new();
    let (mut frames, mut is_older) = (Vec::new(), false);
    for (own, (from, _)) in open_at(first_ns) {
        let (number, since) = clients.entry(own.client.0).or_insert((0, *from));
        (*number, *since) = (*number + 1, (*since).min(*from));
        is_older |= !own.is_opened_here();
        frames.push(own.first.packet);
    }
    let range = (counts.iter().min().copied()?, counts.iter().max().copied()?);
    Some(Held { range, is_older, ..told_of(told, clients, frames) }).filter(is_any)
}

/// Who asked most in the minute before the first refusal.
fn requests(facts: &Facts<'_>, trouble: &Trouble) -> Held {
    let first_ns = trouble.span_ns().0;
    let service = trouble.service();
    let mut clients: BTreeMap<Address, (u64, Nanos)> = BTreeMap::new();
    let mut frames = Vec::new();
    let before = facts.attempts.all.iter().filter(|own| {
        own.service == service && (first_ns - RATE_NS..first_ns).contains(&{ own.first.time_ns })
    });
    for own in before {
        let (number, since) = clients.entry(own.client.0).or_insert((0, own.first.time_ns));
        (*number, *since) = (*number + 1, (*since).min(own.first.time_ns));
        frames.push(own.asks);
    }
    told_of(Limit::Rate, clients, frames)
}

fn told_of(limit: Limit, clients: BTreeMap<Address, (u64, Nanos)>, mut frames: Vec<PacketId>) -> Held {
    let number = clients.values().map(|(number, _)| number).sum();
    let mut clients: Vec<(Address, u64, Nanos)> =
        clients.into_iter().map(|(client, (number, since))| (client, number, since)).collect();
    clients.sort_by_key(|(client, number, since)| (std::cmp::Reverse(*number), *since, *client));
    frames.sort_unstable();
    frames.dedup();
    frames.truncate(crate::findings::FRAMES_MAX);
    Held { limit, clients, number, range: (number, number), frames, is_older: false }
}
