//! One stall of a service told as one: what was never answered and what was answered late around it, from the first that waited to
//! the answer that ended it; and who held connections open all through it.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::{Mark, SECOND, Sort, Trouble, chains};
use crate::attempts::{Attempt, Face, Kind, Outcome, Service};
use crate::connections::Connection;
use crate::decode::Address;
use crate::findings::facts::Facts;
use crate::index::PacketId;
use crate::time::Nanos;

/// From this long on an answer around a stall was held up by it, where the service is quicker otherwise.
const LATE_NS: Nanos = SECOND / 2;
/// How many times the usual it takes.
const TIMES: Nanos = 10;
/// Failures and late answers this close to each other meet.
const MEET_NS: Nanos = 2 * SECOND;
/// Rounds in which late answers are joined.
const ROUNDS_MAX: usize = 8;
/// Idle connections of one client from which on it may hold what others lack.
const HELD_MIN: u64 = 2;
/// They were quiet from the beginning and were ended with the stall by no more than this.
const EDGE_NS: Nanos = SECOND;

/// Connections that were open and quiet all through a stall and ended with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Idle {
    /// By client, those with most first.
    pub clients: Vec<(Address, u64)>,
    /// The last time any of them carried data.
    pub since_ns: Nanos,
    /// When the first of them ended.
    pub ended_ns: Nanos,
    /// Their first and last packets.
    pub frames: Vec<PacketId>,
}

/// Joins what belongs to one stall.
pub(super) fn join(facts: &Facts<'_>, mut all: Vec<Trouble>) -> Vec<Trouble> {
    let is_mute =
        |own: &&mut Trouble| matches!(own.sort, Sort::Failed(Face::Mute, _)) && own.services.len() == 1;
    if all.iter_mut().any(|own| is_mute(&own)) {
        let mut answered: HashMap<Service, Vec<u32>> = HashMap::new();
        let good =
            facts.attempts.all.iter().enumerate().filter(|(_, own)| {
                own.outcome == Outcome::Answered || own.outcome.face() == Some(Face::Fails)
            });
        for (at, own) in good {
            answered.entry(own.service).or_default().push(at as u32);
        }
        for own in all.iter_mut().filter(is_mute) {
            let good = answered.get(&own.service()).map(Vec::as_slice).unwrap_or_default();
            hold_up(facts, good, own);
        }
    }
    through_gateway(facts, &mut all);
    let late: BTreeSet<u32> = all.iter().flat_map(|own| own.late.iter().copied()).collect();
    all.retain(|own| own.sort != Sort::Slow || own.failed.iter().any(|at| !late.contains(at)));
    all
}

/// When an answered attempt was asked for, the last time.
fn asked_ns(own: &Attempt) -> Nanos {
    own.ended_ns() - own.answered_ns
}

/// Finds what was answered late around attempts that were never answered.
fn hold_up(facts: &Facts<'_>, good: &[u32], trouble: &mut Trouble) {
    let all = &facts.attempts.all;
    let answered = || {
        let all = good.iter().filter_map(|at| Some((*at as usize, all.get(*at as usize)?)));
        all.filter(|(_, own)| own.kind != Kind::Dhcp)
    };
    let (mut from, mut to) = trouble.span_ns();
    let mut usual: Vec<Nanos> = answered().map(|(_, own)| own.answered_ns).filter(|took| *took > 0).collect();
    usual.sort_unstable();
    let least_ns = LATE_NS.max(usual.get(usual.len() / 2).map_or(0, |usual| (*usual).min(LATE_NS) * TIMES));
    let is_late = |own: &Attempt| own.outcome == Outcome::Answered && own.answered_ns >= least_ns;
    let is_quick = |own: &Attempt| own.answered_ns < least_ns;
    let mut late: BTreeSet<u32> = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let known = late.len();
        for (at, own) in answered().filter(|(_, own)| is_late(own)) {
            if asked_ns(own) <= to + MEET_NS && own.ended_ns() >= from - MEET_NS {
                late.insert(at as u32);
                (from, to) = (from.min(asked_ns(own)), to.max(own.ended_ns()));
            }
        }
        if late.len() == known {
            break;
        }
    }
    // What was asked for and answered at once in that time parts it.
    let is_parted = answered().any(|(_, own)| is_quick(own) && own.is_within(from, to));
    if late.is_empty() || is_parted {
        return;
    }
    let get = |at: &u32| all.get(*at as usize);
    let clients: BTreeSet<Address> =
        trouble.failed.iter().chain(&late).filter_map(get).map(|own| own.client.0).collect();
    let asks = |own: &Attempt| Mark { at_ns: asked_ns(own), packet: own.asks };
    let ends = |own: &Attempt| Mark {
        at_ns: own.ended_ns(),
        packet: own.decided.map_or(own.last.packet, |seen| seen.packet),
    };
    let first = late.iter().filter_map(get).map(asks).chain(trouble.windows.first().map(|own| own.0)).min();
    let last = late.iter().filter_map(get).map(ends).chain(trouble.windows.last().map(|own| own.1)).max();
    let (Some(first), Some(last)) = (first, last) else { return };
    trouble.windows = vec![(first, last)];
    trouble.is_intermittent = false;
    let good = || {
        answered().filter(|(at, own)| {
            own.outcome.is_served() && clients.contains(&own.client.0) && !late.contains(&(*at as u32))
        })
    };
    let before = || good().map(|(_, own)| ends(own)).filter(|mark| mark.at_ns <= first.at_ns);
    let after = || good().filter(|(_, own)| own.first.time_ns >= last.at_ns).map(|(_, own)| ends(own));
    (trouble.last_good, trouble.first_good) = (before().max(), after().min());
    trouble.around = (before().count() as u64, after().count() as u64);
    trouble.asked = trouble.failed.len() as u64;
    trouble.asked_inside = trouble.asked;
    if let Some(part) = &trouble.part
        && late.iter().any(|at| !part.holds(facts, *at))
    {
        trouble.part = None;
    }
    // An answer that came late is no success of that time.
    trouble.served.retain(|at| !late.contains(at));
    trouble.late = late.into_iter().collect();
}

/// What a gateway answered late and what it answered with an error at one time, both for the same behind it, are one.
fn through_gateway(facts: &Facts<'_>, all: &mut [Trouble]) {
    let fails =
        |own: &Trouble| own.kind() == Kind::Http && matches!(own.sort, Sort::Failed(Face::Fails, 502..=504));
    let gateways: BTreeSet<Service> = all.iter().filter(|own| fails(own)).map(Trouble::service).collect();
    let concerned = all.iter().enumerate().filter(|(_, own)| {
        fails(own) || own.sort == Sort::Slow && own.kind() == Kind::Http && gateways.contains(&own.service())
    });
    let behind: Vec<(usize, (Address, Service))> = concerned
        .filter_map(|(at, own)| Some((at, chains::behind(facts, own).map(|own| (own.client, own.service))?)))
        .collect();
    for (one, behind_one) in &behind {
        for (other, behind_other) in &behind {
            let Ok([own, slow]) = all.get_disjoint_mut([*one, *other]) else { continue };
            let is_same = behind_one == behind_other;
            let (from, to) = own.span_ns();
            let (slow_from, slow_to) = slow.span_ns();
            let meets = slow_from <= to + MEET_NS && from <= slow_to + MEET_NS;
            let fits = own.sort != Sort::Slow && slow.sort == Sort::Slow && own.service() == slow.service();
            if !(is_same && meets && fits) {
                continue;
            }
            let late: BTreeSet<u32> = slow.failed.iter().copied().collect();
            // An answer that came late is no success of that time.
            let served: Vec<u32> = own.served.iter().filter(|at| !late.contains(at)).copied().collect();
            let failed = std::mem::take(&mut own.failed);
            *own = super::trouble(&facts.attempts.all, own.sort, failed, &served, own.part.take());
            own.late = late.into_iter().collect();
            let mut windows: Vec<(Mark, Mark)> = own.windows.iter().chain(&slow.windows).copied().collect();
            windows.sort_unstable();
            own.windows.clear();
            for (first, last) in windows {
                match own.windows.last_mut() {
                    Some((_, open)) if first.at_ns <= open.at_ns + MEET_NS => *open = (*open).max(last),
                    _ => own.windows.push((first, last)),
                }
            }
            if slow_to > to {
                (own.first_good, own.around.1) = (slow.first_good, slow.around.1);
            }
            if slow_from < from {
                (own.last_good, own.around.0) = (slow.last_good, slow.around.0);
            }
        }
    }
}

/// Finds who held connections open and quiet from before a stall until its very end, where several clients waited.
pub(super) fn idle(facts: &Facts<'_>, trouble: &Trouble) -> Option<Idle> {
    let service = trouble.service();
    if trouble.late.is_empty() || service.transport != 6 || trouble.services.len() != 1 {
        return None;
    }
    let (from, to) = trouble.span_ns();
    let end = |own: &Connection| {
        let ends = [&own.from_client, &own.from_server].map(|sent| [sent.finished, sent.reset]);
        ends.into_iter().flatten().flatten().map(|seen| seen.time_ns).min()
    };
    let newest = |own: &Connection| {
        let data = [own.from_client.last, own.from_server.last].into_iter().flatten();
        data.map(|seen| seen.time_ns).max()
    };
    let mut clients: BTreeMap<Address, u64> = BTreeMap::new();
    let (mut since_ns, mut ended_ns, mut frames) = (Nanos::MIN, Nanos::MAX, Vec::new());
    let own = facts.attempts.connections.iter().filter(|own| own.server == (service.host, service.port));
    for own in own {
        let (Some(accepted), Some(newest), Some(end)) = (own.accepted, newest(own), end(own)) else {
            continue;
        };
        let held = accepted.time_ns <= from
            && newest <= from + EDGE_NS
            && (to - EDGE_NS..=to + EDGE_NS).contains(&end);
        if held {
            *clients.entry(own.client.0).or_default() += 1;
            (since_ns, ended_ns) = (since_ns.max(newest), ended_ns.min(end));
            frames.extend([own.first.packet, own.last.packet]);
        }
    }
    clients.retain(|_, number| *number >= HELD_MIN);
    let mut clients: Vec<(Address, u64)> = clients.into_iter().collect();
    clients.sort_by_key(|(client, number)| (std::cmp::Reverse(*number), *client));
    frames.sort_unstable();
    (!clients.is_empty()).then_some(Idle { clients, since_ns, ended_ns, frames })
}

/// Where DHCP gave clients that were hit another address and the service served that: who they are now, and the first such success.
pub(super) fn moved(facts: &Facts<'_>, trouble: &Trouble) -> Option<(Vec<Address>, Mark)> {
    if facts.attempts.leases.is_empty() {
        return None;
    }
    let mut given: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for lease in facts.attempts.leases.iter().filter(|lease| lease.ack.is_some()) {
        let own = lease.offers.iter().filter(|offer| offer.is_final).map(|offer| offer.address);
        given.entry(lease.client).or_default().extend(own);
    }
    let hit: BTreeSet<Address> = trouble.hit().map(|client| client.address).collect();
    let others: BTreeSet<Address> = given
        .values()
        .filter(|own| own.len() > 1 && own.iter().any(|address| hit.contains(address)))
        .flatten()
        .filter(|address| !hit.contains(*address))
        .copied()
        .collect();
    if others.is_empty() {
        return None;
    }
    let (_, to) = trouble.span_ns();
    let mut now: BTreeSet<Address> = BTreeSet::new();
    let mut first: Option<Mark> = None;
    for own in &facts.attempts.all {
        if others.contains(&own.client.0)
            && own.outcome.is_served()
            && own.first.time_ns >= to
            && trouble.asks_of(own)
        {
            now.insert(own.client.0);
            let mark = Mark {
                at_ns: own.ended_ns(),
                packet: own.decided.map_or(own.last.packet, |seen| seen.packet),
            };
            first = Some(first.map_or(mark, |known| known.min(mark)));
        }
    }
    Some((now.into_iter().collect(), first?))
}
