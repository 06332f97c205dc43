//! Tells names that vanished from names that never were: most answers that deny a name (NXDOMAIN) or its addresses (NODATA) are
//! ordinary, some are the failure.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;
use rayon::prelude::*;

use super::dictionary::Dictionary;
use super::evidence::{answer_of, set_bit};
use super::messages::{Messages, NONE, Ordinal};
use super::{Evidence, Outcome, Signature, Transaction, TransactionId};
use crate::decode::dns;
use crate::index::{DnsRow, Index, PacketId, Segment};
use crate::time::Nanos;

/// Distinct absent questions followed; random names of a flood would fill the table without end.
const QUESTIONS_MAX: usize = 1 << 16;
/// Answers of one question that are looked at for how often it came and went.
const SERIES_MAX: usize = 4_096;
/// Addresses that vanish, and come back at most, were removed; what comes and goes more often is served from several sources.
const CHANGES_MAX: usize = 2;
/// AA, RD and RA in the flags of a header (RFC 1035 §4.1.1).
const AUTHORITATIVE: u16 = 0x0400;
const RECURSION: u16 = 0x0180;
/// TYPE of an IPv4 and an IPv6 address.
const ADDRESSES: [u16; 2] = [1, 28];
/// Extended DNS errors by which a server says that its policy hides the name (RFC 8914 §4.16 to §4.19).
const POLICY: std::ops::RangeInclusive<u16> = 15..=18;

/// Whether a response says that the name does not exist, or has no such address (NODATA, RFC 2308 §2.2). A referral says neither:
/// who sends one is no authority and does not recurse.
pub(super) fn denies(row: &DnsRow) -> bool {
    let flags = row.header.flags;
    row.is_response()
        && match row.header.response_code() {
            code if u16::from(code) == NAME_ERROR => true,
            0 => {
                row.header.counts[1] == 0
                    && !row.header.is_truncated()
                    && (ADDRESSES.contains(&row.qtype) || row.question == 0)
                    && (flags & AUTHORITATIVE != 0 || flags & RECURSION == RECURSION)
            }
            _ => false,
        }
}

/// A question to a server: its hash, and the server's number in the dictionary.
type Asked = (u64, u32);

/// Questions are hashes already.
fn hash((question, server): &Asked) -> u64 {
    (question ^ u64::from(*server).wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// The questions that were denied.
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

/// What one segment's denials say.
#[derive(Default)]
struct Part {
    absent: Vec<(Asked, Ordinal)>,
    hidden: Vec<(Asked, u16)>,
    bare: bool,
}

/// A name that was lost: it was answered before, or policy hides it.
struct Lost {
    /// The extended error by which policy hides it.
    policy: Option<u16>,
}

/// What the responses that deny names, and others to the same questions, say.
#[derive(Default)]
pub(super) struct Denied {
    absent: Absent,
    /// Whether each absent question is answered at another time.
    present: Vec<bool>,
    /// Questions whose answers say that policy hides the name, with the extended error.
    hidden: HashMap<Asked, u16, foldhash::fast::FixedState>,
    /// Some response does not repeat its question.
    bare: bool,
    parts: Vec<Part>,
}

impl Denied {
    /// Reads the messages; `denials` are the ordinals of all responses that [`denies`] names, in order.
    pub fn read(messages: &Messages<'_>, dictionary: &Dictionary, denials: &[Ordinal]) -> Self {
        let mut denied = Self::default();
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
        let parts = segments.par_iter().enumerate().zip(own);
        let parts = parts.map(|((at, segment), own)| absent_in(messages, dictionary, (at, segment), own));
        denied.parts = parts.collect();
        for part in &denied.parts {
            denied.bare |= part.bare;
            if denied.absent.all.len() < QUESTIONS_MAX {
                part.absent.iter().for_each(|(asked, _)| denied.absent.insert(*asked));
            }
            if denied.hidden.len() < QUESTIONS_MAX {
                denied.hidden.extend(part.hidden.iter().copied());
            }
        }
        if !denied.absent.all.is_empty() {
            denied.present = present(segments, dictionary, &denied.absent);
        }
        denied
    }

    /// Why a question's name counts as lost, if it does.
    fn lost(&self, told: &Asked) -> Option<Lost> {
        let policy = self.hidden.get(told).copied();
        let is_present = || self.absent.position(told).and_then(|at| self.present.get(at)).copied();
        (policy.is_some() || is_present().unwrap_or(false)).then_some(Lost { policy })
    }

    /// Marks denied transactions whose question the same server answered with data before, or whose answer
    /// says that policy hides the name.
    pub fn mark(mut self, messages: &Messages<'_>, dictionary: &Dictionary, evidence: &mut Evidence) {
        let asked = |transaction: &Transaction| asked(messages, dictionary, transaction);
        if self.bare {
            // Printed answers do not repeat the question: their queries tell it.
            let answered = |wanted: fn(&DnsRow) -> bool| {
                let all = evidence.transactions.iter().filter(|own| own.outcome == Outcome::Answered);
                let fits = move |own: &&Transaction| answer_row(messages, own).is_some_and(wanted);
                all.filter(fits).filter_map(asked)
            };
            answered(denies).take(QUESTIONS_MAX).for_each(|asked| self.absent.insert(asked));
            self.present.resize(self.absent.all.len(), false);
            for asked in answered(gives_data) {
                if let Some(slot) = self.absent.position(&asked).and_then(|at| self.present.get_mut(at)) {
                    *slot = true;
                }
            }
        }
        if !self.present.contains(&true) && self.hidden.is_empty() {
            return;
        }
        let all = self.parts.par_iter().flat_map_iter(|part| &part.absent);
        let lost = all.filter_map(|(told, ordinal)| {
            let repeats_question = told.0 != 0;
            let lost = if repeats_question { Some(self.lost(told)?) } else { None };
            let id = answer_of(*evidence.tags_from(*ordinal).first()?)?;
            let denied = |t: &&Transaction| {
                t.outcome == Outcome::Answered && matches!(t.response_code, NO_ERROR | NAME_ERROR)
            };
            let transaction = evidence.transaction(id).filter(denied)?;
            let lost = lost.or_else(|| self.lost(&asked(transaction)?))?;
            let is_bare = transaction.response_code == NO_ERROR;
            // What was asked has another type than addresses where the answer does not say.
            let kind = transaction.question(messages.index)?.qtype;
            if is_bare && (lost.policy.is_some() || !ADDRESSES.contains(&kind)) {
                return None;
            }
            let is_told = lost.policy.is_some();
            let told = if is_told { None } else { Some(asked(transaction)?) };
            Some((id, lost, told))
        });
        let mut lost: Vec<(TransactionId, Lost, Option<Asked>)> = lost.collect();
        keep_removed(messages, dictionary, evidence, &mut lost);
        for (id, Lost { policy }, _) in lost {
            let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) else { continue };
            transaction.name_lost = true;
            set_bit(&mut evidence.unsettled, id);
            transaction.extended_error = transaction.extended_error.or(policy);
        }
    }
}

/// RCODE 0: no error; without an answer it denies the type, not the name (RFC 2308 §2.2).
const NO_ERROR: u16 = 0;
/// RCODE 3: the name does not exist (RFC 1035 §4.1.1).
const NAME_ERROR: u16 = 3;

/// What one server said to one question, in order: when, and whether it denied.
type Series = Vec<((Nanos, PacketId), bool)>;

/// Leaves out names denied before they were first given, which came into being later, and addresses that come and go: some sources
/// of one server have them and others do not, at all times.
fn keep_removed(
    messages: &Messages<'_>,
    dictionary: &Dictionary,
    evidence: &Evidence,
    lost: &mut Vec<(TransactionId, Lost, Option<Asked>)>,
) {
    let mut series: HashMap<Asked, Series, foldhash::fast::FixedState> = HashMap::default();
    series.extend(lost.iter().filter_map(|(_, _, told)| Some(((*told)?, Vec::new()))));
    if series.is_empty() {
        return;
    }
    for own in evidence.transactions.iter().filter(|own| own.answer.is_some()) {
        let Some(told) = asked(messages, dictionary, own) else { continue };
        let Some(known) = series.get_mut(&told).filter(|known| known.len() < SERIES_MAX) else { continue };
        let Some(row) = answer_row(messages, own).filter(|row| denies(row) || gives_data(row)) else {
            continue;
        };
        known.push(((messages.time_ns(row.packet), row.packet), denies(row)));
    }
    series.values_mut().for_each(|all| all.sort_unstable());
    let is_steady = |all: &Series| {
        let changes = all.windows(2).filter(|pair| matches!(pair, [a, b] if a.1 != b.1)).count();
        changes <= CHANGES_MAX && all.first().is_some_and(|first| !first.1)
    };
    lost.retain(|(id, _, told)| {
        let Some(all) = told.and_then(|told| series.get(&told)) else { return true };
        let Some(own) = evidence.transaction(*id) else { return false };
        let denied = own.answer.map(|answer| (messages.time_ns(answer), answer));
        let given = all.iter().find(|(_, denies)| !denies).map(|(at, _)| *at);
        let was_given = given.is_some() && given < denied;
        was_given && (own.response_code == NAME_ERROR || is_steady(all))
    });
}

/// The message that answered a transaction.
fn answer_row<'i>(messages: &Messages<'i>, transaction: &Transaction) -> Option<&'i DnsRow> {
    messages.index.packet(transaction.answer?)?.dns()
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
fn present(segments: &[Arc<Segment>], dictionary: &Dictionary, absent: &Absent) -> Vec<bool> {
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
    segments.par_iter().enumerate().for_each(|(at, segment)| {
        let numbers = dictionary.of_segment(at);
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
            let Some(number) = numbers.get(position as usize) else { continue };
            let at = absent.position(&(row.question, *number));
            if let Some(slot) = at.and_then(|at| present.get(at)) {
                slot.store(true, Ordering::Relaxed);
            }
        }
    });
    present.into_iter().map(AtomicBool::into_inner).collect()
}

fn absent_in(
    messages: &Messages<'_>,
    dictionary: &Dictionary,
    (at, segment): (usize, &Segment),
    denials: &[Ordinal],
) -> Part {
    let mut part = Part::default();
    let numbers = dictionary.of_segment(at);
    let rows = denials.iter().filter_map(|ordinal| Some((messages.row(*ordinal)?, *ordinal)));
    for (row, ordinal) in rows {
        let Some(position) = server(segment, row) else { continue };
        let asked = (row.question, numbers.get(position as usize).copied().unwrap_or(NONE));
        part.bare |= row.question == 0;
        part.absent.push((asked, ordinal));
        if row.is_extended()
            && let Some(number) = extended_error(messages, row).filter(|n| POLICY.contains(n))
        {
            part.hidden.push((asked, number));
        }
    }
    part
}

/// Whether a transaction was answered with a denial, of a name that was lost or that never was.
pub(super) fn is_denied(index: &Index, transaction: &Transaction) -> bool {
    let row = || index.packet(transaction.answer?)?.dns();
    transaction.response_code == NAME_ERROR
        || transaction.response_code == NO_ERROR && row().is_some_and(denies)
}

/// Whether failures with this response code are names, or addresses of names, that were lost.
pub(super) fn is_of_lost_names(signature: &Signature) -> bool {
    matches!(signature, Signature::ResponseCode(NO_ERROR | NAME_ERROR))
}

/// What a transaction asks, and whom.
fn asked(messages: &Messages<'_>, dictionary: &Dictionary, transaction: &Transaction) -> Option<Asked> {
    let packet = messages.index.packet(transaction.first)?;
    let question = transaction.question(messages.index)?.question;
    let numbers = dictionary.of_segment(messages.index.segment_of(transaction.first)?);
    let position = *packet.segment.destination_address.get(packet.row)?;
    (question != 0).then_some((question, *numbers.get(position as usize)?))
}

/// Whether a response reports no error and holds what was asked for, or is cut.
fn gives_data(row: &DnsRow) -> bool {
    row.is_response()
        && row.header.response_code() == 0
        && (row.header.counts[1] > 0 || row.header.is_truncated())
}

/// The responses of a segment that give data.
fn answers(segment: &Segment) -> impl Iterator<Item = &DnsRow> {
    segment.dns.iter().filter(|row| gives_data(row))
}

/// Who sent a response, by position in the segment's dictionary.
fn server(segment: &Segment, response: &DnsRow) -> Option<u32> {
    segment.source_address.get((response.packet.0 - segment.base.0) as usize).copied()
}

fn extended_error(messages: &Messages<'_>, row: &DnsRow) -> Option<u16> {
    let message = dns::read(messages.bytes(row))?;
    message.extension()?.extended_error(message.bytes).map(|(code, _)| code)
}
