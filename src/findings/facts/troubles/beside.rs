//! What stands beside the failures of a service: other ways in which it failed in the same outage, connections that went on, errors
//! about repeats, and whether anything shows that people noticed.

use hashbrown::{HashMap, HashSet};

use super::{Mark, Sort, Trouble};
use crate::attempts::{Attempt, Attempts, Face, Outcome};
use crate::findings::facts::Facts;
use crate::index::PacketId;
use crate::time::Nanos;

/// An error comes this soon after the last failure it is about.
const ERROR_NS: Nanos = 1_000_000_000;
/// A stall that people notice.
pub(super) const STALL_NS: Nanos = 5_000_000_000;

/// Failures of one service that show in several ways without a success between them are one outage (services §4.1).
pub(super) fn outages(all: &mut [Trouble]) {
    let key = |own: &Trouble| (own.service(), own.last_good, own.first_good);
    let mut spans: HashMap<_, (usize, Mark, Mark)> = HashMap::new();
    let is_outage = |own: &Trouble| {
        !own.is_intermittent && matches!(own.sort, Sort::Failed(face, _) if OUTAGES.contains(&face))
    };
    for own in all.iter().filter(|own| is_outage(own)) {
        let (Some((first, _)), Some((_, last))) = (own.windows.first(), own.windows.last()) else { continue };
        let span = spans.entry(key(own)).or_insert((0, *first, *last));
        *span = (span.0 + 1, span.1.min(*first), span.2.max(*last));
    }
    for own in all.iter_mut() {
        let span = spans.get(&key(own)).filter(|(ways, ..)| *ways > 1 && is_outage(own));
        own.outage = span.map(|(_, first, last)| (*first, *last));
    }
    // What it began with comes first.
    for one in 0..all.len() {
        for other in one + 1..all.len() {
            if let Ok([first, second]) = all.get_disjoint_mut([one, other])
                && first.outage.is_some()
                && key(first) == key(second)
                && second.outage == first.outage
                && second.span_ns() < first.span_ns()
                && second.severity == first.severity
            {
                std::mem::swap(first, second);
            }
        }
    }
}

/// How a service shows that it does not serve at all.
const OUTAGES: [Face; 4] = [Face::Unreached, Face::Mute, Face::Cut, Face::Silenced];

/// Connections to what failed that carried data both ways for clients that were hit, from before the first failure until after the
/// last one: their newest data.
pub(super) fn alongside(facts: &Facts<'_>, trouble: &Trouble) -> Vec<PacketId> {
    let (from, to) = trouble.span_ns();
    let attempts = &facts.attempts;
    let lost: HashSet<PacketId> = trouble
        .attempts(attempts)
        .filter_map(|own| attempts.connection(own))
        .map(|own| own.first.packet)
        .collect();
    let used = trouble.services.iter().flat_map(|(service, _)| facts.used((service.host, service.port)));
    let own = used.filter(|own| {
        trouble.hit().any(|client| client.address == own.client.0)
            && !lost.contains(&own.first.packet)
            && own.is_in_use_during(from, to)
            && own.first.time_ns <= from
    });
    let newest = own.filter_map(|own| own.from_server.last.filter(|last| last.time_ns >= to));
    newest.map(|last| last.packet).take(crate::findings::FRAMES_MAX).collect()
}

/// Whether the client itself took its time, for no longer than people notice, and got what it asked for.
pub(super) fn reads_slowly(facts: &Facts<'_>, own: &Attempt) -> bool {
    matches!(own.outcome, Outcome::Stalled { by_client: true, lasted_ns } if lasted_ns < STALL_NS)
        && facts.attempts.went_on(own)
}

/// Whether anything shows that the clients discarded what came from another address: they asked again, or refused it.
pub(super) fn is_ignored(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let attempts = &facts.attempts;
    let flow = |own: &Attempt| {
        let answer = facts.index.packet(own.decided?.packet)?;
        Some(((answer.source_address(), answer.source_port()), own.client, own.service.transport))
    };
    let flows: HashSet<_> = trouble.attempts(attempts).filter_map(flow).collect();
    let again = |own: &Attempt| own.decided.is_some_and(|answer| own.last.time_ns > answer.time_ns);
    trouble.attempts(attempts).any(again) || attempts.told.iter().any(|told| flows.contains(&told.flow))
}

/// The ICMP errors that refused it, those about repeats among them.
pub(super) fn errors<'a>(trouble: &Trouble, all: &'a Attempts) -> impl Iterator<Item = PacketId> + use<'a> {
    let refused = trouble.attempts(all).filter(|own| matches!(own.outcome, Outcome::RefusedByIcmp(..)));
    let flows: HashSet<_> = refused.map(|own| (own.client, (own.service.host, own.service.port))).collect();
    let (from, to) = trouble.span_ns();
    let told = if flows.is_empty() { &[][..] } else { all.told.as_slice() };
    let own = told.iter().filter(move |told| {
        flows.contains(&(told.flow.0, told.flow.1)) && (from..=to + ERROR_NS).contains(&{ told.seen.time_ns })
    });
    own.map(|told| told.seen.packet)
}
