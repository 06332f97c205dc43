//! Tests of what is known of a whole DNS transaction: each transaction is asked once, then its packets are marked.

use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::Context;
use super::evaluate::WORD;
use super::expression::{Check, Test, Transform};
use super::fields::EvidenceField;
use super::matcher::{Matcher, Scalar};
use crate::correlate::{Evidence, Outcome, Transaction};

/// Transactions looked at before cancellation is seen to.
const STRETCH: usize = 1 << 16;

/// A bit for each packet: those of transactions that pass, and the errors about them.
pub fn passing(test: &Test, field: EvidenceField, evidence: &Evidence, context: &Context<'_>) -> Vec<u64> {
    let accepted = transactions(test, field, evidence, context);
    let has = |id: u32| bit(&accepted, id as usize);
    let words = (context.index.len() as usize).div_ceil(WORD);
    let parts: Vec<(usize, Vec<u64>)> = (0..evidence.segment_count())
        .into_par_iter()
        .map(|segment| {
            let (mut base, mut bits, mut before) = (None, Vec::new(), None);
            let stopped = context.cancel.load(Ordering::Relaxed);
            for (packet, id, _) in evidence.members_of(segment).take_while(|_| !stopped) {
                // Of several messages in one packet the first speaks for it.
                if before.replace(packet) == Some(packet) || !has(id.0) {
                    continue;
                }
                let word = packet.0 as usize / WORD;
                let at = word - *base.get_or_insert(word);
                if bits.len() <= at {
                    bits.resize(at + 1, 0u64);
                }
                if let Some(word) = bits.get_mut(at) {
                    *word |= 1 << (packet.0 as usize % WORD);
                }
            }
            (base.unwrap_or_default(), bits)
        })
        .collect();
    let mut all = vec![0u64; words];
    for (base, bits) in parts {
        for (word, more) in all.iter_mut().skip(base).zip(bits) {
            *word |= more;
        }
    }
    let mut before = None;
    for link in evidence.error_links() {
        let again = before.replace(link.from) == Some(link.from);
        if again || evidence.transaction_of(link.from).is_some() {
            continue;
        }
        let id = link.to.and_then(|to| evidence.transaction_of(to));
        if let (true, Some(word)) = (id.is_some_and(|id| has(id.0)), all.get_mut(link.from.0 as usize / WORD))
        {
            *word |= 1 << (link.from.0 as usize % WORD);
        }
    }
    all
}

fn bit(bits: &[u64], at: usize) -> bool {
    bits.get(at / WORD).is_some_and(|word| word >> (at % WORD) & 1 == 1)
}

/// A bit for each transaction that passes.
fn transactions(test: &Test, field: EvidenceField, evidence: &Evidence, context: &Context<'_>) -> Vec<u64> {
    let accepts = |value: Scalar<'_>| match &test.check {
        Check::Exists => true,
        Check::Compare { matcher, negate, .. } => accepts(test, matcher, &value) != *negate,
    };
    // Words are compared once, not in every transaction.
    let outcomes: Vec<(Outcome, bool)> =
        Outcome::ALL.iter().map(|outcome| (*outcome, accepts(Scalar::Text(outcome.name())))).collect();
    let passes = |transaction: &Transaction| match field {
        EvidenceField::Outcome => {
            outcomes.iter().any(|(outcome, accepted)| *outcome == transaction.outcome && *accepted)
        }
        _ => super::evidence::number_of(field, evidence, transaction)
            .is_some_and(|number| accepts(Scalar::Number(number))),
    };
    let part = |chunk: &[Transaction]| {
        if context.cancel.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let word = |few: &[Transaction]| {
            few.iter().enumerate().fold(0u64, |word, (at, one)| word | u64::from(passes(one)) << at)
        };
        chunk.chunks(WORD).map(word).collect::<Vec<u64>>()
    };
    let parts: Vec<Vec<u64>> = evidence.transactions.par_chunks(STRETCH).map(part).collect();
    parts.concat()
}

/// Applies what the test does to a value first.
fn accepts(test: &Test, matcher: &Matcher, value: &Scalar<'_>) -> bool {
    match (test.transform, value) {
        (Transform::None, _) => test.slice.is_none() && matcher.accepts(value),
        (Transform::Count, _) => matcher.accepts(&Scalar::Number(1)),
        (Transform::Text, Scalar::Number(number)) => matcher.accepts(&Scalar::Text(&number.to_string())),
        (Transform::Text | Transform::Lower, Scalar::Text(text)) => matcher.accepts(&Scalar::Text(text)),
        (Transform::Upper, Scalar::Text(text)) => matcher.accepts(&Scalar::Text(&text.to_uppercase())),
        (Transform::Length, Scalar::Text(text)) => matcher.accepts(&Scalar::Number(text.len() as i64)),
        _ => false,
    }
}
