//! Who is refused what others are given: refusals of passwords, names and rights by client and account, in the order of time.
//!
//! People mistype a password and then get it right; a client or account that is refused from a moment on, or always, has a failure
//! of its own, whoever else is served.

use std::collections::{BTreeMap, BTreeSet};

use super::parts::{Part, Property};
use super::{Sort, Trouble};
use crate::attempts::http::{code, status};
use crate::attempts::{Attempt, Denial, Face, Kind, Outcome, Why, subject};
use crate::decode::Address;
use crate::findings::facts::Facts;

/// Refusals in a row of whoever was let in before, and no success after them, that are more than a slip.
const LAST_MIN: usize = 2;
/// Refusals in a row from which on they are a failure also where it was mended in the end, as those of HTTP (services §5.4).
const ROW_MIN: usize = 5;
/// Refusals of whoever is never let in.
const NEVER_MIN: usize = 3;
/// Refusals in a row, without anybody let in between, that are the service's.
const WHOLE_MIN: usize = 3;
/// Clients or accounts among them that are let in at other times.
const KNOWN_MIN: usize = 2;
/// Refusals whose account is read.
const READ_MAX: usize = 16_384;

/// Who asks: the client, and the account where it is known.
type Party = (Address, Option<String>);

/// The failures of some parties that are always refused, or from a moment on.
pub(super) struct Lasting {
    /// Positions of the refusals.
    pub failed: Vec<u32>,
    /// Positions of what the same parties were given.
    pub served: Vec<u32>,
    /// What parts them from those that were served meanwhile.
    pub part: Option<Part>,
    /// Their accounts, not escaped.
    pub accounts: Vec<String>,
    /// All who asked in that time were refused, and several of them were let in before or after.
    pub is_whole: bool,
}

/// Whether an attempt ended with a refusal of what the client gave.
pub(super) fn rejects(own: &Attempt) -> bool {
    match own.outcome {
        Outcome::Denied(Denial { why: Why::Rejects, .. }) => true,
        Outcome::Fails(status) => own.kind == Kind::Http && is_denial(status),
        _ => false,
    }
}

/// Statuses that deny it to who asks (RFC 9110 §15.5).
pub(super) fn is_denial(status: u16) -> bool {
    matches!(status, 401 | 403)
}

/// Whether mail was refused, not a sign-in, to one client of which nothing was ever taken: lists of recipients are guessed as well.
pub(super) fn is_guessed_mail(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let all = facts.attempts;
    let is_taken = |own: &Attempt| {
        let packet = own.decided.and_then(|seen| facts.index.packet(seen.packet));
        packet.is_some_and(|packet| matches!(code(packet.decode().payload()), Some(235 | 250)))
    };
    trouble.kind() == Kind::Smtp
        && trouble.hit().count() == 1
        && trouble.attempts(all).all(|own| rejects(own) && !is_entry(own))
        && !trouble.good(all).any(|own| trouble.hit().any(|hit| hit.address == own.client.0) && is_taken(own))
}

/// Whether a refusal is about a sign-in; the others are about recipients, shares, mailboxes.
fn is_entry(own: &Attempt) -> bool {
    let Outcome::Denied(denial) = own.outcome else { return true };
    match own.kind {
        Kind::Smtp => matches!(denial.code.basic(), Some(534 | 535)),
        Kind::Smb => denial.code.as_str() != "C00000CC",
        _ => true,
    }
}

/// Whether an answer lets somebody in; challenges and what needs no account say nothing about it.
fn grants(facts: &Facts<'_>, own: &Attempt) -> bool {
    let payload = || {
        let packet = facts.index.packet(own.decided?.packet)?;
        Some(packet.decode().payload().get(..16)?.to_vec())
    };
    match own.kind {
        _ if own.outcome != Outcome::Answered => false,
        // Access-Accept.
        Kind::Radius => payload().is_none_or(|bytes| bytes.first() == Some(&2)),
        // A ticket; that more is wanted first is no grant.
        Kind::Kerberos => payload().is_none_or(|bytes| matches!(bytes.first(), Some(0x6b | 0x6d))),
        Kind::KerberosTcp => payload().is_none_or(|bytes| matches!(bytes.get(4), Some(0x6b | 0x6d))),
        Kind::Sip | Kind::SipTcp => payload().is_none_or(|bytes| bytes.starts_with(b"SIP/2.0 2")),
        Kind::Http => payload().is_none_or(|bytes| status(&bytes).is_none_or(|status| status < 400)),
        _ => true,
    }
}

fn party(facts: &Facts<'_>, own: &Attempt) -> Party {
    (own.client.0, subject::account(facts.index, own))
}

/// Finds times in which all were refused, and those that are refused for good, among the failures of one service.
pub(super) fn lasting(facts: &Facts<'_>, sort: Sort, failed: &[u32], good: &[u32]) -> Vec<Lasting> {
    let get = |at: &u32| facts.attempts.all.get(*at as usize);
    let is_concerned = matches!(sort, Sort::Failed(Face::Fails, _))
        && failed.iter().filter_map(get).all(rejects)
        && failed.len() >= LAST_MIN;
    if !is_concerned || failed.len() + good.len() > READ_MAX {
        return Vec::new();
    }
    let mut rows: BTreeMap<Party, Vec<(u32, bool)>> = BTreeMap::new();
    let granted = good.iter().filter(|at| get(at).is_some_and(|own| grants(facts, own)));
    for (at, is_given) in failed.iter().map(|at| (at, false)).chain(granted.map(|at| (at, true))) {
        if let Some(own) = get(at) {
            rows.entry(party(facts, own)).or_default().push((*at, is_given));
        }
    }
    let mut all = whole(facts, &rows);
    let told: BTreeSet<u32> = all.iter().flat_map(|own| own.failed.iter().copied()).collect();
    for row in rows.values_mut() {
        row.retain(|(at, _)| !told.contains(at));
    }
    rows.retain(|_, row| !row.is_empty());
    all.extend(apart(facts, rows));
    all
}

/// Rows of what parties were refused and given, by position.
type Rows = BTreeMap<Party, Vec<(u32, bool)>>;

/// Times in which nobody was let in, though several of those who asked are let in otherwise: the service refuses, not they err.
fn whole(facts: &Facts<'_>, rows: &Rows) -> Vec<Lasting> {
    let get = |at: u32| facts.attempts.all.get(at as usize);
    let mut row: Vec<(u32, bool, &Party)> = rows
        .iter()
        .flat_map(|(party, row)| row.iter().map(move |(at, given)| (*at, *given, party)))
        .collect();
    row.sort_by_key(|(at, ..)| (get(*at).map(Attempt::ended_ns), *at));
    let known: BTreeSet<&Party> =
        row.iter().filter(|(_, given, _)| *given).map(|(.., party)| *party).collect();
    let given: Vec<u32> = row.iter().filter(|(_, given, _)| *given).map(|(at, ..)| *at).collect();
    row.chunk_by(|(_, one, _), (_, other, _)| one == other)
        .filter(|run| run.first().is_some_and(|(_, given, _)| !given) && run.len() >= WHOLE_MIN)
        .filter(|run| {
            let parties: BTreeSet<&Party> = run.iter().map(|(.., party)| *party).collect();
            parties.intersection(&known).count() >= KNOWN_MIN
        })
        .map(|run| {
            let mut failed: Vec<u32> = run.iter().map(|(at, ..)| *at).collect();
            let mut served = given.clone();
            failed.sort_unstable();
            served.sort_unstable();
            Lasting { failed, served, part: None, accounts: Vec::new(), is_whole: true }
        })
        .collect()
}

/// Parties that are refused for good.
fn apart(facts: &Facts<'_>, rows: Rows) -> Option<Lasting> {
    let get = |at: &u32| facts.attempts.all.get(*at as usize);
    let mut found =
        Lasting { failed: Vec::new(), served: Vec::new(), part: None, accounts: Vec::new(), is_whole: false };
    let mut parties: BTreeSet<Party> = BTreeSet::new();
    for (party, mut row) in rows.clone() {
        row.sort_by_key(|(at, _)| get(at).map(|own| (own.ended_ns(), *at)));
        let is_never = row.iter().all(|(_, is_given)| !is_given);
        let last = row.last().map(|(at, _)| *at);
        let mut own: Vec<u32> = Vec::new();
        for run in row.chunk_by(|(_, one), (_, other)| one == other) {
            let is_last = run.last().map(|(at, _)| *at) == last;
            let is_refused = run.first().is_some_and(|(_, is_given)| !is_given);
            let entry = run.first().and_then(|(at, _)| get(at)).is_some_and(is_entry);
            let least = if is_never {
                NEVER_MIN
            } else if is_last && entry {
                LAST_MIN
            } else {
                ROW_MIN
            };
            if is_refused && run.len() >= least {
                own.extend(run.iter().map(|(at, _)| *at));
            }
        }
        if !own.is_empty() {
            found.failed.extend(own);
            found.served.extend(row.iter().filter(|(_, is_given)| *is_given).map(|(at, _)| *at));
            found.accounts.extend(party.1.clone().filter(|name| !found.accounts.contains(name)));
            parties.insert(party);
        }
    }
    if parties.is_empty() {
        return None;
    }
    found.failed.sort_unstable();
    found.served.sort_unstable();
    let spared: BTreeSet<Party> = rows
        .into_iter()
        .filter(|(party, row)| !parties.contains(party) && row.iter().any(|(_, is_given)| *is_given))
        .map(|(party, _)| party)
        .collect();
    found.part = part(&parties, &spared);
    Some(found)
}

/// What all that are refused have, and none of those that are served.
fn part(refused: &BTreeSet<Party>, served: &BTreeSet<Party>) -> Option<Part> {
    let accounts = |all: &BTreeSet<Party>| -> BTreeSet<String> {
        all.iter().filter_map(|(_, account)| account.clone()).collect()
    };
    let clients =
        |all: &BTreeSet<Party>| -> BTreeSet<Address> { all.iter().map(|(client, _)| *client).collect() };
    let (failing, others) = (accounts(refused), accounts(served));
    let who = clients(refused);
    let are_named = refused.iter().all(|(_, account)| account.is_some());
    let texts = |all: BTreeSet<Address>| all.iter().map(ToString::to_string).collect();
    let (property, failing, others) = if served.is_empty() {
        return None;
    } else if are_named && failing.is_disjoint(&others) {
        (Property::Account, failing.into_iter().collect(), others.into_iter().collect())
    } else if who.is_disjoint(&clients(served)) {
        (Property::Client, texts(who.clone()), texts(clients(served)))
    } else {
        return None;
    };
    Some(Part { property, failing, served: others, clients: who.into_iter().collect() })
}
