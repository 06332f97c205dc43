//! What attempts are told by others: refusals below 500 of what was served before, of which one is an answer and a row of them a
//! failure (services §5.4), and what is spoken at a port that was not reached.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::attempts::subject::{self, Subject};
use crate::attempts::{Attempt, Face, Kind, Outcome, Service, printed};
use crate::decode::Address;
use crate::index::Index;
use crate::protocols::http::header;

/// Refusals from which on they are a row (services §5.4).
const REFUSED_MIN: usize = 5;
/// Their share of the requests since the first, in percent (services §5.4).
const REFUSED_PERCENT: usize = 80;
/// What is not there may never have been: a search for pages meets it.
const MISSING: u16 = 404;

/// Where each request leads: by path, else by client to the whole site.
type Group = (Service, Option<Address>, Subject);

/// Service, site, client and account of requests that are signed.
type Asked = (Service, Option<String>, Address, Option<String>);

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

/// Refused sign-ins of one account in a row, and no success after them, that are more than a slip.
const SIGNED_MIN: usize = 3;
/// What is refused to whoever signs a request wrongly, and what is refused to who may not (RFC 9110 §15.5).
const UNSIGNED: u16 = 401;
/// The other of them.
const FORBIDDEN: u16 = 403;

/// Judges requests that are refused to some clients or accounts and not to others: `said`, positions with their statuses.
pub(super) fn judge_parties(index: &Index, all: &mut [Attempt], said: &[(usize, u16)]) {
    let is_denial = |status: u16| matches!(status, UNSIGNED | FORBIDDEN);
    let get = |at: usize| all.get(at);
    let mut denied: BTreeMap<Service, usize> = BTreeMap::new();
    for own in said.iter().filter(|(_, status)| is_denial(*status)).filter_map(|(at, _)| get(*at)) {
        *denied.entry(own.service).or_default() += 1;
    }
    denied.retain(|_, number| *number >= SIGNED_MIN);
    let mut rows: BTreeMap<Asked, Vec<(usize, u16)>> = BTreeMap::new();
    for (at, status) in said {
        let Some(own) = get(*at).filter(|own| denied.contains_key(&own.service)) else { continue };
        // A challenge asks for credentials and refuses none.
        if *status == UNSIGNED && !is_signed(index, own) {
            continue;
        }
        let key = (own.service, subject::of(index, own).name, own.client.0, subject::account(index, own));
        rows.entry(key).or_default().push((*at, *status));
    }
    let path = |at: usize| get(at).and_then(|own| subject::of(index, own).path);
    let mut turned: Vec<(usize, u16)> = Vec::new();
    for ((service, site, client, account), row) in &mut rows.clone() {
        row.sort_by_key(|(at, _)| get(*at).map(|own| (own.first.time_ns, own.asks)));
        let refused = row.iter().rev().take_while(|(_, status)| is_denial(*status));
        let last: Vec<(usize, u16)> = refused.copied().collect();
        let signed = last.iter().filter(|(_, status)| *status == UNSIGNED).count();
        let given_to_others = || {
            let paths: BTreeSet<Option<String>> = last.iter().map(|(at, _)| path(*at)).collect();
            let others = rows.iter().filter(|((of, at, who, whose), _)| {
                (of, at) == (service, site) && (who, whose) != (client, account)
            });
            others.flat_map(|(_, row)| row).any(|(at, status)| *status < 400 && paths.contains(&path(*at)))
        };
        if signed >= SIGNED_MIN || last.len() >= REFUSED_MIN && given_to_others() {
            turned
                .extend(last.into_iter().filter(|(_, status)| signed >= SIGNED_MIN || *status == FORBIDDEN));
        }
    }
    for (at, status) in turned {
        if let Some(own) = all.get_mut(at) {
            own.outcome = Outcome::Fails(status);
        }
    }
}

/// Whether a request carries credentials that are meant to be enough: the first step of NTLM asks for a challenge.
fn is_signed(index: &Index, own: &Attempt) -> bool {
    const STEP: &[u8] = b"TlRMTVNTUAAB";
    let Some(packet) = index.packet(own.asks) else { return false };
    header(printed::payload(&packet), b"authorization:")
        .is_some_and(|(_, value)| !value.windows(STEP.len()).any(|part| part == STEP))
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
