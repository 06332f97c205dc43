//! Tells names that vanished from names that never were: most NXDOMAIN answers are ordinary, some are the failure.

use std::collections::{HashMap, HashSet};

use super::messages::Messages;
use super::{Outcome, Transaction};
use crate::decode::{Address, dns};
use crate::index::DnsRow;

/// RCODE 3 (RFC 1035 §4.1.1).
const NXDOMAIN: u8 = 3;
/// Distinct absent questions followed; random names of a flood would fill the table without end.
const QUESTIONS_MAX: usize = 1 << 16;
/// Extended DNS errors by which a server says that its policy hides the name (RFC 8914 §4.16 to §4.19).
const POLICY: std::ops::RangeInclusive<u16> = 15..=18;

/// A question to a server: its hash, and the server's address.
type Asked = (u64, Address);
type Set<K> = HashSet<K, foldhash::fast::FixedState>;

/// Marks transactions answered with NXDOMAIN whose question the same server answers at another time in the capture, or whose
/// answer says that policy hides the name.
pub(super) fn mark(messages: &Messages<'_>, transactions: &mut [Transaction]) {
    let mut absent: Set<Asked> = Set::default();
    let mut hidden: HashMap<Asked, u16, foldhash::fast::FixedState> = HashMap::default();
    let mut bare = false;
    for_each_answer(messages, NXDOMAIN, |row, asked| {
        bare |= row.question == 0;
        if absent.len() < QUESTIONS_MAX {
            absent.insert(asked);
        }
        // Without additional records there is no OPT, hence no extended error.
        if row.header.counts[3] > 0
            && hidden.len() < QUESTIONS_MAX
            && let Some(number) = extended_error(messages, row).filter(|n| POLICY.contains(n))
        {
            hidden.insert(asked, number);
        }
    });
    if absent.is_empty() {
        return;
    }
    let mut present: Set<Asked> = Set::default();
    for_each_answer(messages, 0, |_, asked| {
        if absent.contains(&asked) {
            present.insert(asked);
        }
    });
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
    let nameless =
        |t: &&mut Transaction| t.outcome == Outcome::Answered && t.response_code == u16::from(NXDOMAIN);
    for transaction in transactions.iter_mut().filter(nameless) {
        let Some(asked) = asked(messages, transaction) else { continue };
        let policy = hidden.get(&asked).copied();
        transaction.name_lost = policy.is_some() || present.contains(&asked);
        transaction.extended_error = transaction.extended_error.or(policy);
    }
}

/// What a transaction asks, and whom.
fn asked(messages: &Messages<'_>, transaction: &Transaction) -> Option<Asked> {
    let packet = messages.index.packet(transaction.first)?;
    let question = packet.dns()?.question;
    (question != 0).then(|| (question, packet.destination_address()))
}

/// Visits the responses with one response code, segment by segment.
fn for_each_answer(messages: &Messages<'_>, code: u8, mut visit: impl FnMut(&DnsRow, Asked)) {
    for segment in messages.index.segments() {
        let fits = |row: &&DnsRow| row.is_response() && row.header.response_code() == code;
        for row in segment.dns.iter().filter(fits) {
            let at = (row.packet.0 - segment.base.0) as usize;
            let server = segment.source_address.get(at).and_then(|id| segment.addresses.get(*id as usize));
            if let Some(server) = server {
                visit(row, (row.question, *server));
            }
        }
    }
}

fn extended_error(messages: &Messages<'_>, row: &DnsRow) -> Option<u16> {
    let message = dns::read(messages.bytes(row))?;
    message.extension()?.extended_error(message.bytes).map(|(code, _)| code)
}
