//! Tells queries that a server refused for their EDNS from failures: it is asked again without, or with the cookie it gave, and
//! answers (RFC 6891 §6.2.6, §7; RFC 7873 §5.3).

use super::evidence::set_in;
use super::messages::Messages;
use super::{Evidence, Outcome, Transaction};
use crate::index::Packet;
use crate::time::Nanos;

/// A resolver asks again without EDNS as soon as it is refused; later it is another lookup.
const AGAIN_NS: Nanos = 2_000_000_000;
/// Transactions looked through after a refused one.
const AHEAD_MAX: usize = 1_024;
/// FORMERR, NOTIMP and BADVERS: what servers answer that do not know EDNS, or not this version of it.
const UNKNOWN: [u16; 3] = [1, 4, 16];
/// BADCOOKIE: the server wants the cookie it sends along (RFC 7873 §5.2.3).
const WANTS_COOKIE: u16 = 23;

/// What must be equal for one query to repeat another.
fn asks(query: &Packet<'_>) -> Option<(u64, bool)> {
    let row = query.dns()?;
    let [.., additional] = row.header.counts;
    Some((row.question, additional > 0))
}

fn is_refusal(code: u16) -> bool {
    UNKNOWN.contains(&code) || code == WANTS_COOKIE
}

/// Marks the transactions that were answered when they were asked again as the server wants it.
pub(super) fn mark(messages: &Messages<'_>, evidence: &mut Evidence) {
    let refused = |transaction: &Transaction| {
        transaction.outcome == Outcome::Answered && is_refusal(transaction.response_code)
    };
    let open = set_in(&evidence.unsettled, 0).map(|at| at as usize);
    let known = open.filter(|at| evidence.transactions.get(*at).is_some_and(refused));
    let fell_back: Vec<usize> = known.filter(|at| is_answered_again(messages, evidence, *at)).collect();
    for at in fell_back {
        if let Some(transaction) = evidence.transactions.get_mut(at) {
            transaction.fell_back = true;
        }
    }
}

fn is_answered_again(messages: &Messages<'_>, evidence: &Evidence, at: usize) -> bool {
    let find = || {
        let refused = evidence.transactions.get(at)?;
        let query = messages.index.packet(refused.first)?;
        let (question, extended) = asks(&query)?;
        let wanted = refused.response_code == WANTS_COOKIE;
        let after = evidence.transactions.iter().skip(at + 1).take(AHEAD_MAX);
        extended.then_some(())?;
        for transaction in after {
            let again = messages.index.packet(transaction.first)?;
            if again.time_ns() - query.time_ns() > AGAIN_NS {
                return None;
            }
            let same = again.source_address() == query.source_address()
                && again.destination_address() == query.destination_address()
                && asks(&again) == Some((question, wanted));
            if same && transaction.outcome == Outcome::Answered && !is_refusal(transaction.response_code) {
                return Some(());
            }
        }
        None
    };
    find().is_some()
}
