//! What failures have in common and successes have not: a name, a path, a client (services §4.3).

use std::collections::BTreeSet;

use super::course::Courses;
use super::{Sort, slow};
use crate::attempts::{Attempt, Face, subject};
use crate::decode::Address;
use crate::findings::facts::Facts;
use crate::index::segment::flags;
use crate::time::Nanos;

/// Attempts whose content is read again to find it.
const READ_MAX: usize = 4_096;
/// Successes further from the failures than this tell of another time.
const NEAR_NS: Nanos = 60_000_000_000;

/// What parts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// The name asked for (SNI, Host).
    Name,
    /// The path of a request.
    Path,
    /// Who asks.
    Client,
    /// In whose name it is asked.
    Account,
    /// Whether it is sent in fragments or in one piece.
    Size,
}

/// The values that fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which property.
    pub property: Property,
    /// Its values among the failures, not escaped.
    pub failing: Vec<String>,
    /// And among the successes.
    pub served: Vec<String>,
    pub(super) clients: Vec<Address>,
}

impl Part {
    /// Whether an attempt has a value that fails.
    pub fn holds(&self, facts: &Facts<'_>, at: u32) -> bool {
        let Some(own) = facts.attempts.all.get(at as usize) else { return false };
        match self.property {
            Property::Client => self.clients.contains(&own.client.0),
            property => value(facts, own, property).is_some_and(|value| self.failing.contains(&value)),
        }
    }
}

fn value(facts: &Facts<'_>, own: &Attempt, property: Property) -> Option<String> {
    match property {
        Property::Client => Some(own.client.0.to_string()),
        Property::Name => subject::of(facts.index, own).name,
        Property::Path => subject::of(facts.index, own).path,
        Property::Account => subject::account(facts.index, own),
        Property::Size => Some(pieces(facts, own)),
    }
}

/// How a request over UDP was sent.
pub fn pieces(facts: &Facts<'_>, own: &Attempt) -> String {
    let is_torn = facts.index.packet(own.asks).is_some_and(|packet| packet.flags() & flags::FRAGMENT != 0);
    if is_torn { "in fragments" } else { "in one piece" }.to_owned()
}

/// Finds what parts failures from successes of the same time completely.
pub fn find(facts: &Facts<'_>, failed: &[u32], good: &[u32], sort: Sort) -> Option<Part> {
    let all = &facts.attempts.all;
    let get = |at: &u32| all.get(*at as usize);
    let times = || failed.iter().filter_map(get);
    let from_ns = times().map(|own| own.first.time_ns).min()?;
    let to_ns = times().map(Attempt::ended_ns).max()?;
    let near =
        |own: &&Attempt| own.first.time_ns >= from_ns - NEAR_NS && own.first.time_ns <= to_ns + NEAR_NS;
    let courses = Courses::of(times(), good.iter().filter_map(get));
    // What suffered itself is no contrast, nor what lies in part outside the time, nor what a client had before it lost it.
    let meanwhile = |own: &&Attempt| own.is_within(from_ns, to_ns) && !courses.is_past(own);
    let sound = |own: &&Attempt| near(own) && !slow::is_long(own);
    let near: Vec<&Attempt> = good.iter().filter_map(get).filter(sound).take(READ_MAX).collect();
    let during: Vec<&Attempt> = near.iter().copied().filter(|own| meanwhile(own)).collect();
    // What was served at the same time tells most; of failures that were told at once, also what was served close by.
    let at_once = times().all(|own| own.waited_ns() < slow::SLOW_NS);
    [during, if at_once { near } else { Vec::new() }]
        .iter()
        .filter(|good| !good.is_empty())
        .find_map(|good| split(facts, failed, good, sort, meanwhile))
}

fn split(
    facts: &Facts<'_>,
    failed: &[u32],
    good: &[&Attempt],
    sort: Sort,
    meanwhile: impl Fn(&&Attempt) -> bool,
) -> Option<Part> {
    let all = &facts.attempts.all;
    let get = |at: &u32| all.get(*at as usize);
    let failed: Vec<&Attempt> = failed.iter().filter_map(get).take(READ_MAX).collect();
    // What is not reached is not told what is asked for.
    let properties: &[Property] = match sort {
        Sort::Failed(Face::Unreached, _) if failed.first().is_some_and(|own| own.service.transport == 17) => {
            &[Property::Size, Property::Client]
        }
        Sort::Failed(Face::Unreached, _) => &[Property::Client],
        _ => &[Property::Name, Property::Path, Property::Client],
    };
    properties.iter().find_map(|property| {
        let values = |own: &[&Attempt]| -> Option<BTreeSet<String>> {
            own.iter().map(|own| value(facts, own, *property)).collect()
        };
        // Clients that were served at other times show nothing about who may ask.
        if *property == Property::Client && (failed.len() < 2 || !good.iter().any(&meanwhile)) {
            return None;
        }
        // Where other clients ask for other things, it is the client that parts them.
        let both = good.iter().any(|own| failed.iter().any(|other| other.client.0 == own.client.0));
        if *property != Property::Client && !both {
            return None;
        }
        let failing = values(&failed)?;
        let is_hit = |own: &Attempt| failed.iter().any(|other| other.client.0 == own.client.0);
        let others: Vec<&Attempt> = match property {
            Property::Client => good.iter().copied().filter(|own| meanwhile(own)).collect(),
            // Others have ways of their own, which may carry fragments.
            Property::Size => good.iter().copied().filter(|own| is_hit(own)).collect(),
            _ => good.to_vec(),
        };
        let served = values(&others)?;
        let mut clients: Vec<Address> = failed.iter().map(|own| own.client.0).collect();
        clients.sort_unstable();
        clients.dedup();
        failing.is_disjoint(&served).then(|| Part {
            property: *property,
            failing: failing.into_iter().collect(),
            served: served.into_iter().collect(),
            clients,
        })
    })
}
