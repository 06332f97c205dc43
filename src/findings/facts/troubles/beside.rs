//! What stands beside the failures of a service: other ways in which it failed in the same outage, connections that went on, errors
//! about repeats, and whether anything shows that people noticed.

use hashbrown::{HashMap, HashSet};

use super::{Mark, Sort, Trouble};
use crate::attempts::{Attempt, Attempts, Face, Outcome};
use crate::connections::{Connection as Tracked, End};
use crate::correlate::Level;
use crate::decode::Address;
use crate::findings::facts::{ErrorFact, Facts};
use crate::index::PacketId;
use crate::time::Nanos;

/// An error comes this soon after the last failure it is about.
const ERROR_NS: Nanos = 1_000_000_000;
/// Failures of one service this close to each other meet.
const MEET_NS: Nanos = 2_000_000_000;
/// A stall that people notice.
pub(super) const STALL_NS: Nanos = 5_000_000_000;

/// Errors of the same kind about the same service for the same clients, whose requests came before the capture: with the first of
/// them it failed already.
pub(super) fn earlier(facts: &Facts<'_>, trouble: &mut Trouble) {
    let Some((first, _)) = trouble.windows.first().copied() else { return };
    let kinds: Vec<(bool, u8, u8)> = trouble
        .outcomes(facts.attempts)
        .iter()
        .filter_map(|(outcome, _)| match outcome {
            Outcome::RefusedByIcmp(v6, kind, code) => Some((*v6, *kind, *code)),
            _ => None,
        })
        .collect();
    let is_own = |error: &&ErrorFact| {
        let (kind, code, v6) = error.icmp;
        let flow = error.quoted.map(|quoted| (quoted.source.0, quoted.destination, quoted.transport));
        error.level == Some(Level::Orphan)
            && kinds.contains(&(v6, kind, code))
            && error.time_ns < first.at_ns
            && first.at_ns - error.time_ns <= super::GAP_NS
            && trouble.last_good.is_none_or(|good| good.at_ns < error.time_ns)
            && flow.is_some_and(|(client, (host, port), transport)| {
                trouble
                    .services
                    .iter()
                    .any(|(own, _)| (own.host, own.port, own.transport) == (host, port, transport))
                    && trouble.hit().any(|hit| hit.address == client)
            })
    };
    let found: Vec<&ErrorFact> = facts.errors.iter().filter(is_own).collect();
    let Some(begun) = found.iter().min_by_key(|error| error.time_ns) else { return };
    let begun = Mark { at_ns: begun.time_ns, packet: begun.packet };
    trouble.earlier = found.iter().map(|error| error.packet).collect();
    if let Some((first, _)) = trouble.windows.first_mut() {
        *first = begun;
    }
}

/// Failures of one service that show in several ways without a success between them are one outage (services §4.1).
pub(super) fn outages(all: &mut [Trouble]) {
    // What ends a failure that began later may come later as well: they must only meet.
    let key = |own: &Trouble| (own.service(), own.last_good);
    let mut spans: HashMap<_, (usize, Mark, Mark, Option<Mark>)> = HashMap::new();
    let is_outage = |own: &Trouble| {
        !own.is_intermittent && matches!(own.sort, Sort::Failed(face, _) if OUTAGES.contains(&face))
    };
    for own in all.iter().filter(|own| is_outage(own)) {
        let (Some((first, _)), Some((_, last))) = (own.windows.first(), own.windows.last()) else { continue };
        let span = spans.entry(key(own)).or_insert((0, *first, *last, own.first_good));
        let meets = first.at_ns <= span.2.at_ns + MEET_NS && span.1.at_ns <= last.at_ns + MEET_NS;
        if meets || span.3 == own.first_good {
            *span = (span.0 + 1, span.1.min(*first), span.2.max(*last), span.3);
        }
    }
    for own in all.iter_mut() {
        let inside =
            |first: Mark, last: Mark| own.span_ns().0 >= first.at_ns && own.span_ns().1 <= last.at_ns;
        let span = spans
            .get(&key(own))
            .filter(|(ways, first, last, _)| *ways > 1 && is_outage(own) && inside(*first, *last));
        own.outage = span.map(|(_, first, last, _)| (*first, *last));
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
    let newest: Vec<(&Tracked, PacketId)> = own
        .filter_map(|own| Some((own, own.from_server.last.filter(|last| last.time_ns >= to)?.packet)))
        .collect();
    if newest.is_empty() {
        return Vec::new();
    }
    let heard = heard(facts, trouble, (from, to));
    let newest = newest.into_iter().filter(|(own, _)| heard.contains(&(own.client, own.server)));
    newest.map(|(_, last)| last).take(crate::findings::FRAMES_MAX).collect()
}

/// Packets that are looked at for data of a server.
const PACKETS_MAX: usize = 1 << 20;

/// Connections on which data of the services that failed were sent to clients that were hit, within a time.
pub(super) fn heard(facts: &Facts<'_>, trouble: &Trouble, (from, to): (Nanos, Nanos)) -> HashSet<(End, End)> {
    let used = || trouble.services.iter().flat_map(|(service, _)| facts.used((service.host, service.port)));
    let hit: HashSet<Address> = trouble.hit().map(|client| client.address).collect();
    let wanted: HashSet<(End, End)> =
        used().map(|own| (own.client, own.server)).filter(|(client, _)| hit.contains(&client.0)).collect();
    let mut heard = HashSet::new();
    if wanted.is_empty() {
        return heard;
    }
    let packets = (0..facts.index.len()).filter_map(|id| facts.index.packet(PacketId(id)));
    // Files stand one behind the other: what is later in time may stand before.
    let inside = packets.filter(|packet| packet.transport() == 6 && (from..=to).contains(&packet.time_ns()));
    for packet in inside.take(PACKETS_MAX) {
        let ends = (
            (packet.destination_address(), packet.destination_port()),
            (packet.source_address(), packet.source_port()),
        );
        if wanted.contains(&ends) && !heard.contains(&ends) && !packet.decode().payload().is_empty() {
            heard.insert(ends);
            if heard.len() == wanted.len() {
                break;
            }
        }
    }
    heard
}

/// Whether the clients themselves took their time, and got what they asked for.
pub(super) fn is_resumed(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    trouble.attempts(facts.attempts).all(|own| {
        matches!(own.outcome, Outcome::Stalled { by_client: true, .. }) && facts.attempts.went_on(own)
    })
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
    let flow = |own: &Attempt| {
        let server = (own.service.host, own.service.port);
        match own.outcome {
            Outcome::RefusedByIcmp(..) => Some((own.client, server)),
            Outcome::Undelivered(Some(_)) => Some((server, own.client)),
            _ => None,
        }
    };
    let flows: HashSet<_> = trouble.attempts(all).filter_map(flow).collect();
    let (from, to) = trouble.span_ns();
    let told = if flows.is_empty() { &[][..] } else { all.told.as_slice() };
    let own = told.iter().filter(move |told| {
        flows.contains(&(told.flow.0, told.flow.1)) && (from..=to + ERROR_NS).contains(&{ told.seen.time_ns })
    });
    own.map(|told| told.seen.packet)
}

/// Packets of a connection that are looked at for what the server sent on it before or after.
const LOOKED_AT: usize = 65_536;

/// The last data of the server on a connection that had worked before it failed, up to a time.
pub(super) fn worked(facts: &Facts<'_>, trouble: &Trouble, until_ns: Nanos) -> Option<Mark> {
    let began = trouble.attempts(facts.attempts).filter(|own| own.failing.time_ns > own.first.time_ns);
    began.filter_map(|own| said(facts, own, false)).filter(|mark| mark.at_ns <= until_ns).max()
}

/// The first data of the server on connections that went on after an answer that came late.
pub(super) fn went_on(facts: &Facts<'_>, trouble: &Trouble) -> Option<Mark> {
    let late = trouble
        .attempts(facts.attempts)
        .filter(|own| own.outcome == Outcome::Answered && own.failing.time_ns > own.first.time_ns);
    late.filter_map(|own| said(facts, own, true)).min()
}

/// What the server said last on an attempt's connection before that failed, or first after it was decided.
fn said(facts: &Facts<'_>, own: &Attempt, after: bool) -> Option<Mark> {
    let connection = facts.attempts.connection(own)?;
    let at = |id: u32| {
        let packet = facts.index.packet(PacketId(id))?;
        let is_own = (packet.source_address(), packet.source_port()) == connection.server
            && (packet.destination_address(), packet.destination_port()) == connection.client;
        let time_ns = packet.time_ns();
        let in_time = if after { time_ns > own.ended_ns() } else { time_ns <= own.failing.time_ns };
        (is_own && in_time && !packet.decode().payload().is_empty())
            .then_some(Mark { at_ns: time_ns, packet: packet.id })
    };
    if after {
        (own.decided?.packet.0 + 1..=connection.last.packet.0).take(LOOKED_AT).find_map(at)
    } else {
        (connection.first.packet.0..own.failing.packet.0).rev().take(LOOKED_AT).find_map(at)
    }
}
