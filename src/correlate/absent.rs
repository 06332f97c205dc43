//! Tells names that vanished from names that never were: most NXDOMAIN answers are ordinary, some are the failure.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;
use rayon::prelude::*;

use super::messages::{Messages, Ordinal};
use super::transactions::NXDOMAIN;
use super::{Outcome, Transaction};
use crate::decode::{Address, dns};
use crate::index::{DnsRow, Segment};

/// Distinct absent questions followed; random names of a flood would fill the table without end.
const QUESTIONS_MAX: usize = 1 << 16;
/// Extended DNS errors by which a server says that its policy hides the name (RFC 8914 §4.16 to §4.19).
const POLICY: std::ops::RangeInclusive<u16> = 15..=18;

/// A question to a server: its hash, and the server's address.
type Asked = (u64, Address);

fn hash(asked: &Asked) -> u64 {
    foldhash::fast::FixedState::default().hash_one(asked)
}

/// The questions answered with NXDOMAIN.
#[derive(Default)]
struct Absent {
    all: Vec<Asked>,
    /// Positions in `all`.
    table: HashTable<u32>,
}

impl Absent {
    fn position(&self, asked: &Asked) -> Option<usize> {
        let same = |at: &u32| self.all.get(*at as usize) == Some(asked);
        self.table.find(hash(asked), same).map(|at| *at as usize)
    }

    fn insert(&mut self, asked: Asked) {
        if self.position(&asked).is_some() {
            return;
        }
        let next = self.all.len() as u32;
        self.all.push(asked);
        let all = &self.all;
        self.table.insert_unique(hash(&asked), next, |at| all.get(*at as usize).map_or(0, hash));
    }
}

/// What one segment's answers with NXDOMAIN say.
#[derive(Default)]
struct Part {
    absent: Vec<Asked>,
    hidden: Vec<(Asked, u16)>,
    bare: bool,
}

/// Marks transactions answered with NXDOMAIN whose question the same server answers at another time in the capture, or whose
/// answer says that policy hides the name. `denials` are the ordinals of all responses with NXDOMAIN, in order.
pub(super) fn mark(messages: &Messages<'_>, denials: &[Ordinal], transactions: &mut [Transaction]) {
    let mut absent = Absent::default();
    let mut hidden: HashMap<Asked, u16, foldhash::fast::FixedState> = HashMap::default();
    let mut bare = false;
    let segments = messages.index.segments();
    let starts = messages.starts.iter().skip(1).copied().chain([messages.len()]);
    let mut rest = denials;
    let own: Vec<&[Ordinal]> = starts
        .map(|end| {
            let (own, after) = rest.split_at(rest.partition_point(|ordinal| *ordinal < end));
            rest = after;
            own
        })
        .collect();
    let parts = segments.par_iter().zip(own).map(|(segment, own)| absent_in(messages, segment, own));
    let parts: Vec<Part> = parts.collect();
    for part in parts {
        bare |= part.bare;
        if absent.all.len() < QUESTIONS_MAX {
            part.absent.into_iter().for_each(|asked| absent.insert(asked));
        }
        if hidden.len() < QUESTIONS_MAX {
            hidden.extend(part.hidden);
        }
    }
    if absent.all.is_empty() {
        return;
    }
    let mut present = present(segments, &absent);
    if bare {
        // Printed answers do not repeat the question: their queries tell it.
        let answered = |code: u16| {
            let ends = transactions
                .iter()
                .filter(move |t| t.outcome == Outcome::Answered && t.response_code == code);
            ends.filter_map(|transaction| asked(messages, transaction))
        };
        answered(u16::from(NXDOMAIN)).take(QUESTIONS_MAX).for_each(|asked| absent.insert(asked));
        present.resize(absent.all.len(), false);
        for asked in answered(0) {
            if let Some(slot) = absent.position(&asked).and_then(|at| present.get_mut(at)) {
                *slot = true;
            }
        }
    }
    if !present.contains(&true) && hidden.is_empty() {
        return;
    }
    transactions.par_iter_mut().for_each(|transaction| {
        if transaction.outcome != Outcome::Answered || transaction.response_code != u16::from(NXDOMAIN) {
            return;
        }
        let Some(asked) = asked(messages, transaction) else { return };
        let policy = hidden.get(&asked).copied();
        let is_present = || absent.position(&asked).and_then(|at| present.get(at)).copied();
        transaction.name_lost = policy.is_some() || is_present().unwrap_or(false);
        transaction.extended_error = transaction.extended_error.or(policy);
    });
}

/// Bits of the table that sorts most questions out at once, as a power of two.
const ROUGH_BITS: u32 = 20;
/// Questions that a segment's answers were compared with last, as a power of two; popular ones come again and again.
const COMPARED_BITS: u32 = 12;

/// Where a question stands in the rough table; the lowest bit of its hash is always set.
fn rough_place(question: u64) -> (usize, u64) {
    ((question >> 7) as usize & ((1 << (ROUGH_BITS - 6)) - 1), 1 << (question >> 1 & 63))
}

/// Whether each absent question is answered at another time.
fn present(segments: &[Arc<Segment>], absent: &Absent) -> Vec<bool> {
    let mut rough = vec![0u64; 1 << (ROUGH_BITS - 6)];
    for (question, _) in &absent.all {
        let (word, bit) = rough_place(*question);
        if let Some(word) = rough.get_mut(word) {
            *word |= bit;
        }
    }
    let may_be = |row: &&DnsRow| {
        let (word, bit) = rough_place(row.question);
        rough.get(word).is_some_and(|word| word & bit != 0)
    };
    let present: Vec<AtomicBool> = absent.all.iter().map(|_| AtomicBool::new(false)).collect();
    segments.par_iter().for_each(|segment| {
        let mut compared = vec![0u64; 1 << COMPARED_BITS];
        for row in answers(segment).filter(may_be) {
            let Some(position) = server(segment, row) else { continue };
            // Two questions or servers are told apart as well as two hashes are.
            let both = row.question ^ u64::from(position).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let Some(slot) = compared.get_mut((both >> (64 - COMPARED_BITS)) as usize) else { continue };
            if *slot == both {
                continue;
            }
            *slot = both;
            let at = absent.position(&(row.question, segment.address(position)));
            if let Some(slot) = at.and_then(|at| present.get(at)) {
                slot.store(true, Ordering::Relaxed);
            }
        }
    });
    present.into_iter().map(AtomicBool::into_inner).collect()
}

fn absent_in(messages: &Messages<'_>, segment: &Segment, denials: &[Ordinal]) -> Part {
    let mut part = Part::default();
    for row in denials.iter().filter_map(|ordinal| messages.row(*ordinal)) {
        let Some(position) = server(segment, row) else { continue };
        let asked = (row.question, segment.address(position));
        part.bare |= row.question == 0;
        part.absent.push(asked);
        if row.is_extended()
            && let Some(number) = extended_error(messages, row).filter(|n| POLICY.contains(n))
        {
            part.hidden.push((asked, number));
        }
    }
    part
}

/// What a transaction asks, and whom.
fn asked(messages: &Messages<'_>, transaction: &Transaction) -> Option<Asked> {
    let packet = messages.index.packet(transaction.first)?;
    let question = packet.dns()?.question;
    (question != 0).then(|| (question, packet.destination_address()))
}

/// The responses of a segment that report no error.
fn answers(segment: &Segment) -> impl Iterator<Item = &DnsRow> {
    segment.dns.iter().filter(move |row| row.is_response() && row.header.response_code() == 0)
}

/// Who sent a response, by position in the segment's dictionary.
fn server(segment: &Segment, response: &DnsRow) -> Option<u32> {
    segment.source_address.get((response.packet.0 - segment.base.0) as usize).copied()
}

fn extended_error(messages: &Messages<'_>, row: &DnsRow) -> Option<u16> {
    let message = dns::read(messages.bytes(row))?;
    message.extension()?.extended_error(message.bytes).map(|(code, _)| code)
}
