//! What failures follow from: an idle connection used again just as its server closed it, a failure behind a gateway, a service
//! that no longer takes connections.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Sort, Trouble, slow};
use crate::attempts::{Attempt, Face, Kind, Outcome, Service};
use crate::connections::ahead;
use crate::correlate::Vantage;
use crate::correlate::hosts::Place;
use crate::decode::{Address, Transport};
use crate::findings::facts::Facts;
use crate::index::PacketId;
use crate::time::Nanos;

/// Failures alike from which on they are no chance.
const ALIKE_MIN: usize = 2;
/// The share of failures that must be alike, in percent.
const ALIKE_PERCENT: usize = 80;
/// A gateway's answer follows the failure behind it within this time.
const FOLLOWS_NS: Nanos = 1_000_000_000;
/// A gateway ends what it waited for behind it this soon after its own answer.
const CLOSES_NS: Nanos = 50_000_000;
/// Failures behind a gateway that are looked at for one answer.
const BEHIND_MAX: usize = 64;
/// Failures looked at.
const LOOKED_AT: usize = 4_096;
/// Connections left waiting this close to silence belong to it.
const NEAR_NS: Nanos = 30_000_000_000;

/// Requests on idle connections that crossed the server's close of the same connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossed {
    /// How many.
    pub number: usize,
    /// How long the connections had been idle when the server closed them: least and most.
    pub idle_ns: (Nanos, Nanos),
    /// The closes and the requests.
    pub frames: Vec<PacketId>,
}

/// What failed behind a gateway while it answered that it cannot serve.
#[derive(Clone, Debug, PartialEq)]
pub struct Behind {
    /// The gateway as a client.
    pub client: Address,
    /// Whom it asked.
    pub service: Service,
    /// What for.
    pub kind: Kind,
    /// How these attempts ended, the first of them.
    pub outcome: Outcome,
    /// How many answers of the gateway each followed one.
    pub number: usize,
    /// Of how many.
    pub of: usize,
    /// The packets of the failures behind it.
    pub frames: Vec<PacketId>,
    /// They are requests that crossed a close.
    pub crossed: Option<Crossed>,
    /// How many attempts of its own failed, where these are told by their time and not one by one.
    pub meanwhile: Option<usize>,
}

/// Connections that a service was left with: accepted and never served, and such that were not accepted any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// Accepted by the system, not by the service.
    pub waiting: Vec<PacketId>,
    /// SYNs without an answer.
    pub silent: Vec<PacketId>,
}

fn tidy(mut frames: Vec<PacketId>) -> Vec<PacketId> {
    frames.sort_unstable();
    frames.dedup();
    frames.truncate(crate::findings::FRAMES_MAX);
    frames
}

fn are_most(number: usize, all: usize) -> bool {
    number >= ALIKE_MIN && number * 100 >= all * ALIKE_PERCENT
}

/// Finds requests that crossed a close, where most of the failures are.
pub fn crossed<'a>(facts: &Facts<'_>, failed: impl Iterator<Item = &'a Attempt>) -> Option<Crossed> {
    let (mut all, mut idle, mut frames) = (0, Vec::new(), Vec::new());
    for own in failed.take(LOOKED_AT) {
        all += 1;
        if let Some((idle_ns, close)) = idle_close(facts, own) {
            idle.push(idle_ns);
            frames.extend([close, own.asks]);
        }
    }
    let (least, most) = (idle.iter().min().copied(), idle.iter().max().copied());
    let idle_ns = least.zip(most).filter(|_| are_most(idle.len(), all))?;
    Some(Crossed { number: idle.len(), idle_ns, frames: tidy(frames) })
}

/// How long a connection that had served was idle when the server closed it without having seen a request that crosses the
/// close: its FIN does not acknowledge it.
fn idle_close(facts: &Facts<'_>, own: &Attempt) -> Option<(Nanos, PacketId)> {
    if own.outcome.face() != Some(Face::Cut) {
        return None;
    }
    let connection = facts.attempts.connection(own)?;
    let close = connection.from_server.finished?;
    let served = connection.from_server.last?;
    let numbers = |packet: PacketId| match facts.index.packet(packet)?.decode().transport {
        Transport::Tcp { sequence, acknowledgment, .. } => Some((sequence, acknowledgment)),
        _ => None,
    };
    let (sequence, _) = numbers(own.asks)?;
    let (_, acknowledged) = numbers(close.packet)?;
    let asked_ns = facts.time(own.asks);
    let is_idle = served.time_ns < asked_ns && served.time_ns <= close.time_ns;
    (is_idle && ahead(acknowledged, sequence) <= 0).then_some((close.time_ns - served.time_ns, close.packet))
}

/// Finds what failed behind a gateway, where most of its answers follow such a failure.
pub fn behind(facts: &Facts<'_>, trouble: &Trouble) -> Option<Behind> {
    let is_late = trouble.sort == Sort::Slow;
    let says = |own: &&Attempt| {
        own.kind == Kind::Http && (is_late || matches!(own.outcome, Outcome::Fails(502..=504)))
    };
    let answers: Vec<&Attempt> = trouble.attempts(facts.attempts).filter(says).take(LOOKED_AT).collect();
    if answers.len() < ALIKE_MIN {
        return None;
    }
    let failed = facts.attempts.all.iter().filter(|own| {
        own.service.transport == 6
            && (slow::is_long(own)
                || matches!(
                    own.outcome.face(),
                    Some(Face::Cut | Face::CutByDevice | Face::Unreached | Face::Mute | Face::Silenced)
                ))
    });
    let mut failed: Vec<&Attempt> = failed.collect();
    failed.sort_by_key(|own| own.ended_ns());
    let mut found: BTreeMap<(Address, Service), Vec<(&Attempt, &Attempt)>> = BTreeMap::new();
    for answer in &answers {
        let until_ns = answer.ended_ns();
        // It may close what it waited for a moment after it has answered.
        let end = failed.partition_point(|own| own.ended_ns() <= until_ns + CLOSES_NS);
        let near = failed.get(..end).unwrap_or_default().iter().rev().take(BEHIND_MAX);
        let near = near.take_while(|own| own.ended_ns() >= answer.first.time_ns.max(until_ns - FOLLOWS_NS));
        let mut known: Vec<(Address, Service)> = Vec::new();
        for own in near {
            let key = (own.client.0, own.service);
            let is_other = own.client.0 != answer.client.0 && own.service != answer.service;
            if is_other && facts.time(own.asks) >= answer.first.time_ns && !known.contains(&key) {
                known.push(key);
                found.entry(key).or_default().push((answer, own));
            }
        }
    }
    let ((client, service), pairs) = found.into_iter().max_by_key(|(_, pairs)| pairs.len())?;
    if !are_most(pairs.len(), answers.len()) {
        return None;
    }
    let (_, first) = pairs.first()?;
    Some(Behind {
        client,
        service,
        kind: first.kind,
        outcome: first.outcome,
        number: pairs.len(),
        of: answers.len(),
        frames: tidy(pairs.iter().flat_map(|(_, own)| own.frames()).collect()),
        crossed: crossed(facts, pairs.iter().map(|(_, own)| *own)),
        meanwhile: None,
    })
}

/// Finds what the failing host itself asked for in vain at that time and not otherwise, where most failures fall into it.
pub fn meanwhile(facts: &Facts<'_>, trouble: &Trouble) -> Option<Behind> {
    let host = trouble.service().host;
    let (from, to) = trouble.span_ns();
    let near = |own: &&Attempt| own.first.time_ns <= to + NEAR_NS && own.ended_ns() >= from - NEAR_NS;
    let asked = facts.attempts.all.iter().filter(|own| own.client.0 == host && own.kind != Kind::Echo);
    let mut found: BTreeMap<Service, Vec<&Attempt>> = BTreeMap::new();
    for own in asked.clone().filter(near).filter(|own| {
        matches!(own.outcome.face(), Some(Face::Unreached | Face::Mute | Face::Cut | Face::Silenced))
    }) {
        found.entry(own.service).or_default().push(own);
    }
    let (service, failed) = found.into_iter().max_by_key(|(_, failed)| failed.len())?;
    let begins = failed.iter().map(|own| own.failing.time_ns).min()?;
    let ends = failed.iter().map(|own| own.ended_ns()).max()?;
    let tries: u32 = failed.iter().map(|own| own.tries).sum();
    // It must fail while its clients do, and serve before or after.
    let serves = |own: &&Attempt| own.service == service && own.outcome.is_served();
    let between = |own: &&Attempt| own.first.time_ns >= begins && own.ended_ns() <= ends;
    let mut served = asked.filter(serves);
    if tries < 3 || begins < from - NEAR_NS || ends > to + NEAR_NS || served.clone().any(|own| between(&own))
    {
        return None;
    }
    served.next()?;
    let covered = trouble
        .attempts(facts.attempts)
        .filter(|own| own.first.time_ns <= ends + FOLLOWS_NS && own.ended_ns() >= begins);
    let covered = covered.count();
    let first = failed.first()?;
    are_most(covered, trouble.failed.len()).then(|| Behind {
        client: host,
        service,
        kind: first.kind,
        outcome: first.outcome,
        number: covered,
        of: trouble.failed.len(),
        frames: tidy(failed.iter().flat_map(|own| own.frames()).collect()),
        crossed: None,
        meanwhile: Some(failed.len()),
    })
}

/// Finds connections that wait at a service which takes no more: seen at its host, or while that answers otherwise.
pub fn queue(facts: &Facts<'_>, trouble: &Trouble) -> Option<Queue> {
    if trouble.services.len() != 1 || trouble.service().transport != 6 {
        return None;
    }
    let service = trouble.service();
    let (from, to) = trouble.span_ns();
    let near = |own: &&Attempt| own.first.time_ns <= to + NEAR_NS && own.ended_ns() >= from - NEAR_NS;
    let all = facts.attempts.all.iter().filter(near);
    let is_here = facts.evidence.place(service.host) == Place::Here
        || facts.evidence.surroundings().vantage == Vantage::Server;
    let lives = || {
        all.clone()
            .any(|own| own.service.host == service.host && own.service != service && own.outcome.is_served())
    };
    if !is_here && !lives() {
        return None;
    }
    let own = all.clone().filter(|own| own.service == service).take(LOOKED_AT);
    // A system whose queue is full forgets the last step of the client, and sends its own again.
    let is_forgotten = |own: &Attempt| {
        facts.attempts.connection(own).is_some_and(|own| own.accepts >= 2 && own.confirmed && own.tries == 1)
    };
    let waiting = own.clone().filter(|own| own.outcome == Outcome::Mute || is_forgotten(own));
    let silent = own.filter(|own| own.outcome == Outcome::NoReply);
    let waiting: Vec<PacketId> = waiting.map(|own| own.first.packet).collect();
    let silent: Vec<PacketId> = silent.map(|own| own.first.packet).collect();
    (!waiting.is_empty() && waiting.len() + silent.len() > ALIKE_MIN && !silent.is_empty())
        .then_some(Queue { waiting, silent })
}

/// No system starts its packets with so few hops to go, and no way is as long.
const HOPS_ENOUGH: u8 = 60;
/// Errors about packets that went round, from which on it is no change of routes.
const LOOPED_MIN: usize = 2;

/// Packets that left with hops enough and used them up on the way (RFC 792, RFC 4443 §3.3): they pass the same routers again and
/// again.
pub fn looped(facts: &Facts<'_>, trouble: &Trouble) -> Option<(usize, Vec<Address>)> {
    let mut routers: Vec<Address> = Vec::new();
    let mut number = 0;
    for own in trouble.attempts(facts.attempts) {
        let is_used_up =
            matches!(own.outcome, Outcome::RefusedByIcmp(false, 11, 0) | Outcome::RefusedByIcmp(true, 3, 0));
        let sent = facts.index.packet(own.first.packet).map_or(0, |packet| packet.ttl());
        if !is_used_up || sent < HOPS_ENOUGH {
            continue;
        }
        // A run of pings is many.
        number += own.counts.0.max(1) as usize;
        let told = own.decided.and_then(|seen| facts.error(seen.packet)).map(|error| error.source);
        routers.extend(told.filter(|router| !routers.contains(router)));
        // Each ping of a run can have used them up at another.
        let all = facts.attempts.told.iter().filter(|told| {
            own.kind == Kind::Echo
                && (told.flow.0.0, told.flow.1.0) == (own.client.0, own.service.host)
                && told.seen.time_ns >= own.first.time_ns
                && matches!(told.icmp, (false, 11, 0) | (true, 3, 0))
        });
        for told in all {
            if !routers.contains(&told.source) {
                routers.push(told.source);
            }
        }
    }
    // Probes of a trace to the same host name the other routers of the round: those that come again with more hops.
    let (from, to) = trouble.span_ns();
    let told = facts.attempts.told.iter().filter(|told| {
        told.flow.1.0 == trouble.service().host
            && matches!(told.icmp, (false, 11, 0) | (true, 3, 0))
            && (from..=to + NEAR_NS).contains(&{ told.seen.time_ns })
    });
    let mut counted: HashMap<Address, usize> = HashMap::new();
    told.for_each(|told| *counted.entry(told.source).or_default() += 1);
    let mut again: Vec<Address> =
        counted.into_iter().filter(|(_, n)| *n >= ROUNDS_MIN).map(|(own, _)| own).collect();
    again.sort_unstable();
    routers.extend(again.into_iter().filter(|router| !routers.contains(router)).collect::<Vec<_>>());
    (number >= LOOPED_MIN).then_some((number, routers))
}

/// A router of a traced path that is met so often is passed more than once: each distance is asked three times.
const ROUNDS_MIN: usize = 4;
