//! What attempts are told by others: refusals below 500 of what was served before, of which one is an answer and a row of them a
//! failure (services §5.4), and what is spoken at a port that was not reached.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::attempts::subject::{self, Subject};
use crate::attempts::{Attempt, Face, Kind, Outcome, Service};
use crate::decode::Address;
use crate::index::Index;

/// Refusals from which on they are a row (services §5.4).
const REFUSED_MIN: usize = 5;
/// Their share of the requests since the first, in percent (services §5.4).
const REFUSED_PERCENT: usize = 80;
/// What is not there may never have been: a search for pages meets it.
const MISSING: u16 = 404;

/// Where each request leads: by path, else by client to the whole site.
type Group = (Service, Option<Address>, Subject);

/// What was not reached is what others speak at that port of the host.
pub(super) fn name_unreached(all: &mut [Attempt]) {
    let spoken = |own: &&Attempt| matches!(own.kind, Kind::Http | Kind::Tls);
    let known: HashMap<Service, Kind> =
        all.iter().filter(spoken).map(|own| (own.service, own.kind)).collect();
    for own in
        all.iter_mut().filter(|own| own.kind == Kind::Tcp && own.outcome.face() == Some(Face::Unreached))
    {
        own.kind = known.get(&own.service).copied().unwrap_or(own.kind);
    }
}

/// Judges the served requests of `said`, positions with their statuses.
pub(super) fn judge(index: &Index, all: &mut [Attempt], said: &[(usize, u16)]) {
    let is_refused = |status: u16| (400..500).contains(&status);
    if said.iter().filter(|(_, status)| is_refused(*status)).count() < REFUSED_MIN {
        return;
    }
    let mut groups: BTreeMap<Group, Vec<(usize, u16)>> = BTreeMap::new();
    for (at, status) in said {
        let Some(own) = all.get(*at) else { continue };
        let subject = subject::of(index, own);
        if *status != MISSING {
            let site = Subject { path: None, ..subject.clone() };
            groups.entry((own.service, Some(own.client.0), site)).or_default().push((*at, *status));
        }
        groups.entry((own.service, None, subject)).or_default().push((*at, *status));
    }
    for ((_, client, _), mut own) in groups {
        own.sort_by_key(|(at, _)| all.get(*at).map(|own| (own.first.time_ns, own.asks)));
        let Some(served) = own.iter().position(|(_, status)| !is_refused(*status)) else { continue };
        let Some(turned) = own.iter().skip(served).position(|(_, status)| is_refused(*status)) else {
            continue;
        };
        // A whole site must have served for a while.
        if client.is_some() && (served > 0 || turned < REFUSED_MIN) {
            continue;
        }
        let since = own.get(served + turned..).unwrap_or_default();
        let refused = since.iter().filter(|(_, status)| is_refused(*status));
        let number = refused.clone().count();
        if number >= REFUSED_MIN && number * 100 >= since.len() * REFUSED_PERCENT {
            for (at, status) in refused {
                if let Some(own) = all.get_mut(*at) {
                    own.outcome = Outcome::Fails(*status);
                }
            }
        }
    }
}
