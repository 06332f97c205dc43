//! Answers that came when the client had stopped waiting: its own host refused them.

use std::collections::BTreeMap;

use super::{Facts, Meaning, ServerKey, servers};
use crate::correlate::{Outcome, Transaction};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// Answers sooner than this are refused by clients that needed only one of several, not by clients that gave up.
const WAITED_NS: Nanos = 1_000_000_000;
/// Refused answers from which it is more than one program's end.
const REFUSED_MIN: usize = 3;

/// The refused answers of one server to one client.
#[derive(Clone, Debug)]
pub struct GivenUp<'i> {
    /// Who answered.
    pub server: ServerKey,
    /// Who had asked and no longer listened.
    pub client: Address,
    /// The questions.
    pub transactions: Vec<&'i Transaction>,
    /// The client's errors, in packet order.
    pub errors: Vec<PacketId>,
}

impl GivenUp<'_> {
    /// The shortest and the longest time between question and answer.
    pub fn waits_ns(&self) -> (Nanos, Nanos) {
        let waits = self.transactions.iter().map(|transaction| transaction.waited_ns);
        (waits.clone().min().unwrap_or(0), waits.max().unwrap_or(0))
    }
}

/// Finds answers within the time limit of the late ones that their client refused; one finding for client and server.
pub(super) fn find<'i>(facts: &Facts<'i>) -> Vec<GivenUp<'i>> {
    let mut by_pair: BTreeMap<(ServerKey, Address), GivenUp<'i>> = BTreeMap::new();
    let refusals =
        facts.errors.iter().filter(|e| e.is_about_response() && e.meaning == Meaning::PortUnreachable);
    for error in refusals {
        let transaction = error.about.and_then(|answer| {
            let id = facts.evidence.transaction_of(answer)?;
            facts.evidence.transaction(id).filter(|transaction| transaction.answer == Some(answer))
        });
        let given_up = transaction.filter(|t| t.outcome == Outcome::Answered && t.waited_ns >= WAITED_NS);
        let Some(transaction) = given_up else { continue };
        let Some((client, server)) = servers::key_of(facts, transaction) else { continue };
        let all = by_pair.entry((server, client)).or_insert_with(|| GivenUp {
            server,
            client,
            transactions: Vec::new(),
            errors: Vec::new(),
        });
        all.transactions.push(transaction);
        all.errors.push(error.packet);
    }
    by_pair.into_values().filter(|given_up| given_up.transactions.len() >= REFUSED_MIN).collect()
}
