//! Tells queries that a server refused for their EDNS from failures: it is asked again without and answers (RFC 6891 §6.2.6, §7).

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

/// What must be equal for one query to repeat another.
fn asks(query: &Packet<'_>) -> Option<(u64, bool)> {
    let row = query.dns()?;
    let [.., additional] = row.header.counts;
    Some((row.question, additional > 0))
}

/// Marks the transactions that were answered when they were asked again without EDNS.
pub(super) fn mark(messages: &Messages<'_>, evidence: &mut Evidence) {
    let refused = |transaction: &Transaction| {
        transaction.outcome == Outcome::Answered && UNKNOWN.contains(&transaction.response_code)
    };
    let open = set_in(&evidence.unsettled, 0).map(|at| at as usize);
    let known = open.filter(|at| evidence.transactions.get(*at).is_some_and(refused));
    let fell_back: Vec<usize> = known.filter(|at| is_answered_without(messages, evidence, *at)).collect();
    for at in fell_back {
        if let Some(transaction) = evidence.transactions.get_mut(at) {
            transaction.fell_back = true;
        }
    }
}

fn is_answered_without(messages: &Messages<'_>, evidence: &Evidence, at: usize) -> bool {
    let find = || {
        let query = messages.index.packet(evidence.transactions.get(at)?.first)?;
        let (question, extended) = asks(&query)?;
        let after = evidence.transactions.iter().skip(at + 1).take(AHEAD_MAX);
        extended.then_some(())?;
        for transaction in after {
            let again = messages.index.packet(transaction.first)?;
            if again.time_ns() - query.time_ns() > AGAIN_NS {
                return None;
            }
            let same = again.source_address() == query.source_address()
                && again.destination_address() == query.destination_address()
                && asks(&again) == Some((question, false));
            if same
                && transaction.outcome == Outcome::Answered
                && !UNKNOWN.contains(&transaction.response_code)
            {
                return Some(());
            }
        }
        None
    };
    find().is_some()
}
