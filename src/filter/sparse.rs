//! Tests and functions whose answer is a list of packets: what correlation found, and what is linked to a match.

use super::Context;
use super::evaluate::{Plan, matches_test};
use super::expression::{Check, Function, Test, Transform};
use super::fields::{EvidenceField, Source};
use super::matcher::Scalar;
use super::{evidence, members};
use std::sync::atomic::Ordering;

use crate::correlate::{Evidence, LinkKind, TransactionId, lookups};
use crate::index::{Index, PacketId};

/// The packets that pass a test on evidence; `None` for tests of any other kind.
pub fn packets<'f>(test: &Test, context: &Context<'_>) -> Option<Plan<'f>> {
    let Source::Evidence(field) = test.source else { return None };
    let Some(evidence) = context.evidence else { return Some(Plan::Packets(Vec::new())) };
    let accepted_absent = matches!(&test.check, Check::Compare { matcher, negate, .. }
        if test.transform == Transform::None
            && matches!(field, EvidenceField::Duplicate | EvidenceField::LinkDelayed)
            && matcher.accepts(&Scalar::Bool(false)) != *negate);
    if accepted_absent || test.quoted {
        // Packets without any link match too: they have to be looked at one by one.
        return None;
    }
    let mut candidates: Vec<PacketId> = match field {
        EvidenceField::Episode | EvidenceField::Problem => {
            evidence.episodes.iter().flat_map(|episode| episode.frames.iter().copied()).collect()
        }
        EvidenceField::Anomaly => evidence.anomalies.iter().map(|anomaly| anomaly.packet).collect(),
        EvidenceField::Attempt => return Some(Plan::Packets(attempts(test, context, evidence))),
        EvidenceField::Duplicate => evidence.duplicates().map(|(copy, _, _)| copy).collect(),
        EvidenceField::Outcome
        | EvidenceField::Waited
        | EvidenceField::Rtt
        | EvidenceField::Tries
        | EvidenceField::ExtendedError => {
            return Some(Plan::Bits(members::passing(test, field, evidence, context)));
        }
        // Queries and answers are tied exactly or probably, and never as errors or copies.
        EvidenceField::LinkLevel if !accepts_any(test, &["exact", "probable"]) => {
            rare_ends(evidence).collect()
        }
        EvidenceField::LinkKind if !accepts_any(test, &["answer_to", "retry_of"]) => {
            rare_ends(evidence).collect()
        }
        _ => evidence.members().map(|(packet, _, _)| packet).chain(rare_ends(evidence)).collect(),
    };
    candidates.sort_unstable();
    candidates.dedup();
    Some(Plan::Packets(passing(test, &candidates, context)))
}

/// Whether a test passes with one of these words.
fn accepts_any(test: &Test, words: &[&str]) -> bool {
    match &test.check {
        Check::Compare { matcher, negate, all: false } if test.transform == Transform::None => {
            words.iter().any(|word| matcher.accepts(&Scalar::Text(word)) != *negate)
        }
        _ => true,
    }
}

/// Both ends of the links of errors and copies.
fn rare_ends(evidence: &Evidence) -> impl Iterator<Item = PacketId> + '_ {
    let errors = evidence.error_links().iter().flat_map(|link| [Some(link.from), link.to]).flatten();
    let copies = evidence.duplicates().flat_map(|(copy, original, _)| [copy, original]);
    errors.chain(copies)
}

fn passing(test: &Test, candidates: &[PacketId], context: &Context<'_>) -> Vec<u32> {
    use rayon::prelude::*;
    let passes = |id: &PacketId| {
        // Nobody waits for the rest of a cancelled search.
        !context.cancel.load(Ordering::Relaxed)
            && context.index.packet(*id).is_some_and(|packet| matches_test(test, &packet, context))
    };
    candidates.par_iter().filter(|id| passes(id)).map(|id| id.0).collect()
}

/// Numbers the tries of all lookups in one pass instead of searching for each.
fn attempts(test: &Test, context: &Context<'_>, evidence: &Evidence) -> Vec<u32> {
    let accepted = |number: usize| match &test.check {
        Check::Exists => true,
        Check::Compare { matcher, negate, .. } => {
            let value = if test.transform == Transform::Count { 1 } else { number as i64 };
            matcher.accepts(&Scalar::Number(value)) != *negate
        }
    };
    let numbered = lookups::numbered(context.index, evidence).into_iter();
    numbered.filter(|(_, number)| accepted(*number)).map(|(packet, _)| packet.0).collect()
}

/// The packets that stand in a relation to any of `rows`, in order.
pub fn related(function: Function, rows: &[u32], context: &Context<'_>) -> Vec<u32> {
    let Some(evidence) = context.evidence else { return Vec::new() };
    let mut out: Vec<u32> = match function {
        Function::Partner => {
            rows.iter().flat_map(|row| linked(PacketId(*row), evidence)).map(|id| id.0).collect()
        }
        _ => by_transaction(function, rows, context.index, evidence),
    };
    out.sort_unstable();
    out.dedup();
    out
}

/// Transactions of one lookup that are looked at for one packet.
const LOOKUP_MAX: usize = 4096;

fn linked(packet: PacketId, evidence: &Evidence) -> Vec<PacketId> {
    let mut ends: Vec<PacketId> = evidence.links_from(packet).iter().filter_map(|link| link.to).collect();
    ends.extend(evidence.links_to(packet).iter().map(|link| link.from));
    ends
}

fn by_transaction(function: Function, rows: &[u32], index: &Index, evidence: &Evidence) -> Vec<u32> {
    // A lookup's transactions stand together for siblings: other types, other servers, search suffixes.
    let group = |id: TransactionId| match function {
        Function::Sibling => evidence.lookups(index).of(id).map_or(id.0, |lookup| lookup.0),
        _ => id.0,
    };
    // For each group how many of its packets matched, and the last that did.
    let mut matched = vec![(0u32, 0u32); evidence.transactions.len()];
    for row in rows {
        let id = evidence::transaction_id(PacketId(*row), evidence);
        if let Some(entry) = id.and_then(|id| matched.get_mut(group(id) as usize)) {
            *entry = (entry.0 + 1, *row);
        }
    }
    if function == Function::First {
        let hit = matched.iter().zip(&evidence.transactions).filter(|((count, _), _)| *count > 0);
        return hit.map(|(_, transaction)| transaction.first.0).collect();
    }
    let wanted = |packet: PacketId, id: TransactionId| {
        matched.get(group(id) as usize).is_some_and(|(count, last)| match function {
            Function::Sibling => *count > 1 || (*count == 1 && *last != packet.0),
            _ => *count > 0,
        })
    };
    let members =
        evidence.members().filter(|(packet, id, _)| wanted(*packet, *id)).map(|(packet, _, _)| packet.0);
    let errors = evidence.error_links().iter().filter_map(|link| {
        let id = evidence.transaction_of(link.to?)?;
        wanted(link.from, id).then_some(link.from.0)
    });
    members.chain(errors).collect()
}

/// The packets one of which must match for `packet` to stand in a relation to it.
pub fn neighbours(function: Function, packet: PacketId, context: &Context<'_>) -> Vec<PacketId> {
    let Some(evidence) = context.evidence else { return Vec::new() };
    if function == Function::Partner {
        return linked(packet, evidence);
    }
    let Some(id) = evidence::transaction_id(packet, evidence) else { return Vec::new() };
    let first = evidence.transaction(id).map(|transaction| transaction.first);
    if function == Function::First && first != Some(packet) {
        return Vec::new();
    }
    let lookups = (function == Function::Sibling).then(|| evidence.lookups(context.index));
    let lookup = lookups.and_then(|lookups| Some(lookups.members(lookups.of(id)?)));
    let members = lookup.unwrap_or(std::slice::from_ref(&id)).iter().take(LOOKUP_MAX);
    let mut all: Vec<PacketId> = members.flat_map(|id| evidence.packets_of(*id)).collect();
    let about =
        |id: &PacketId| evidence.links_to(*id).into_iter().filter(|link| link.kind == LinkKind::ErrorAbout);
    let errors: Vec<PacketId> = all.iter().flat_map(about).map(|link| link.from).collect();
    all.extend(errors);
    if function == Function::Sibling {
        all.retain(|id| *id != packet);
    }
    all
}
