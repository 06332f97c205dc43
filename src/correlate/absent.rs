//! Tells names that vanished from names that never were: most NXDOMAIN answers are ordinary, some are the failure.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::messages::Messages;
use super::{Outcome, Transaction};
use crate::decode::{Address, dns};
use crate::index::{DnsRow, Segment};

/// RCODE 3 (RFC 1035 §4.1.1).
const NXDOMAIN: u8 = 3;
/// Distinct absent questions followed; random names of a flood would fill the table without end.
const QUESTIONS_MAX: usize = 1 << 16;
/// Extended DNS errors by which a server says that its policy hides the name (RFC 8914 §4.16 to §4.19).
const POLICY: std::ops::RangeInclusive<u16> = 15..=18;

/// A question to a server: its hash, and the server's address.
type Asked = (u64, Address);
type Set<K> = HashSet<K, foldhash::fast::FixedState>;

/// What one segment's answers with NXDOMAIN say.
#[derive(Default)]
struct Part {
    absent: Set<Asked>,
    hidden: Vec<(Asked, u16)>,
    bare: bool,
}

/// Marks transactions answered with NXDOMAIN whose question the same server answers at another time in the capture, or whose
/// answer says that policy hides the name.
pub(super) fn mark(messages: &Messages<'_>, transactions: &mut [Transaction]) {
    let mut absent: Set<Asked> = Set::default();
    let mut hidden: HashMap<Asked, u16, foldhash::fast::FixedState> = HashMap::default();
    let mut bare = false;
    let segments = messages.index.segments();
    let parts: Vec<Part> = segments.par_iter().map(|segment| absent_in(messages, segment)).collect();
    for part in parts {
        bare |= part.bare;
        if absent.len() < QUESTIONS_MAX {
            absent.extend(part.absent);
        }
        if hidden.len() < QUESTIONS_MAX {
            hidden.extend(part.hidden);
        }
    }
    if absent.is_empty() {
        return;
    }
    let mut rough = vec![0u64; 1 << (ROUGH_BITS - 6)];
    for (question, _) in &absent {
        if let Some(word) = rough.get_mut(rough_word(*question)) {
            *word |= 1 << (question >> 1 & 63);
        }
    }
    let may_be = |question: u64| {
        rough.get(rough_word(question)).is_some_and(|word| word >> (question >> 1 & 63) & 1 != 0)
    };
    let parts: Vec<Vec<Asked>> = segments
        .par_iter()
        .map(|segment| {
            let rows = answers(segment, 0).filter(|row| may_be(row.question));
            let asked = rows.filter_map(|row| asked_of(segment, row));
            asked.filter(|asked| absent.contains(asked)).collect()
        })
        .collect();
    let mut present: Set<Asked> = parts.into_iter().flatten().collect();
    if bare {
        // Printed answers do not repeat the question: their queries tell it.
        let answered = |code: u16| {
            let ends = transactions
                .iter()
                .filter(move |t| t.outcome == Outcome::Answered && t.response_code == code);
            ends.filter_map(|transaction| asked(messages, transaction))
        };
        absent.extend(answered(u16::from(NXDOMAIN)).take(QUESTIONS_MAX));
        present.extend(answered(0).filter(|asked| absent.contains(asked)));
    }
    if present.is_empty() && hidden.is_empty() {
        return;
    }
    transactions.par_iter_mut().for_each(|transaction| {
        if transaction.outcome != Outcome::Answered || transaction.response_code != u16::from(NXDOMAIN) {
            return;
        }
        let Some(asked) = asked(messages, transaction) else { return };
        let policy = hidden.get(&asked).copied();
        transaction.name_lost = policy.is_some() || present.contains(&asked);
        transaction.extended_error = transaction.extended_error.or(policy);
    });
}

/// Bits of the table that sorts most questions out at once, as a power of two.
const ROUGH_BITS: u32 = 20;

/// Where a question stands in that table; the lowest bit of its hash is always set.
fn rough_word(question: u64) -> usize {
    (question >> 7) as usize & ((1 << (ROUGH_BITS - 6)) - 1)
}

fn absent_in(messages: &Messages<'_>, segment: &Segment) -> Part {
    let mut part = Part::default();
    for row in answers(segment, NXDOMAIN) {
        let Some(asked) = asked_of(segment, row) else { continue };
        part.bare |= row.question == 0;
        part.absent.insert(asked);
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

/// The responses of a segment with one response code.
fn answers(segment: &Segment, code: u8) -> impl Iterator<Item = &DnsRow> {
    segment.dns.iter().filter(move |row| row.is_response() && row.header.response_code() == code)
}

/// What a response answers, and who sent it.
fn asked_of(segment: &Segment, response: &DnsRow) -> Option<Asked> {
    let at = (response.packet.0 - segment.base.0) as usize;
    let server = segment.addresses.get(*segment.source_address.get(at)? as usize)?;
    Some((response.question, *server))
}

fn extended_error(messages: &Messages<'_>, row: &DnsRow) -> Option<u16> {
    let message = dns::read(messages.bytes(row))?;
    message.extension()?.extended_error(message.bytes).map(|(code, _)| code)
}
