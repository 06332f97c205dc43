//! Names that a server denies (NXDOMAIN) or filters, where that is no ordinary background: nearly all it was asked, names
//! that existed before, or answers that name a filter.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::{Facts, ServerKey, servers};
use crate::correlate::Transaction;
use crate::decode::Address;
use crate::index::PacketId;

/// Denied questions remembered.
const DENIED_MAX: usize = 200_000;
/// So many denied questions in a row of the same kind are more than a slip.
const MANY: usize = 5;
/// Denied questions of names that existed, or were filtered, from which they count.
const SEVERAL: usize = 3;
/// Share of a server's questions that leaves hardly any name existing, in percent.
const NEARLY_ALL_PERCENT: u64 = 90;
/// NXDOMAIN (RFC 1035 §4.1.1).
const NAME_ERROR: u16 = 3;

/// Why the denials stand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The answers carry an extended error that names a filter (RFC 8914: 15 to 18).
    Filtered,
    /// The names existed earlier in the capture.
    Changed,
    /// Hardly any name asked of the server exists.
    NearlyAll,
}

/// Denied questions of one server.
#[derive(Clone, Debug)]
pub struct Denial<'i> {
    /// Who was asked.
    pub server: ServerKey,
    /// The denied lookups.
    pub transactions: Vec<&'i Transaction>,
    /// Why they stand out.
    pub why: Why,
    /// An earlier answer to one of the questions, for names that existed.
    pub before: Option<PacketId>,
}

/// Whether an extended error names a filter: blocked, censored, filtered, prohibited.
pub fn is_filter(extended_error: Option<u16>) -> bool {
    matches!(extended_error, Some(15..=18))
}

/// Finds them.
pub(super) fn find<'i>(facts: &Facts<'i>) -> Vec<Denial<'i>> {
    let mut denied: BTreeMap<ServerKey, Vec<&'i Transaction>> = BTreeMap::new();
    let mut total = 0;
    for transaction in &facts.evidence.transactions {
        let filtered = is_filter(transaction.extended_error) && transaction.response_code == 0;
        let is_denied = transaction.answer.is_some() && (transaction.response_code == NAME_ERROR || filtered);
        if !is_denied || total >= DENIED_MAX || is_table_lookup(facts, transaction.first) {
            continue;
        }
        if let Some((_, key)) = servers::key_of(facts, transaction) {
            total += 1;
            denied.entry(key).or_default().push(transaction);
        }
    }
    denied.retain(|key, list| list.len() >= SEVERAL && facts.load.random_zone(key.0).is_none());
    let existed = existed(facts, &denied);
    denied.into_iter().filter_map(|(server, list)| standing_out(facts, server, list, &existed)).collect()
}

fn standing_out<'i>(
    facts: &Facts<'i>,
    server: ServerKey,
    list: Vec<&'i Transaction>,
    existed: &HashMap<(Address, u64), PacketId>,
) -> Option<Denial<'i>> {
    let only = |keep: &dyn Fn(&Transaction) -> bool| -> Vec<&'i Transaction> {
        list.iter().copied().filter(|transaction| keep(transaction)).collect()
    };
    let filtered = only(&|transaction| is_filter(transaction.extended_error));
    if filtered.len() >= SEVERAL {
        return Some(Denial { server, transactions: filtered, why: Why::Filtered, before: None });
    }
    let before = |transaction: &Transaction| {
        let question = facts.index.packet(transaction.first)?.dns()?.question;
        existed.get(&(server.0, question)).copied().filter(|answer| *answer < transaction.first)
    };
    let changed = only(&|transaction| before(transaction).is_some());
    if changed.len() >= SEVERAL {
        let earlier = changed.first().and_then(|transaction| before(transaction));
        return Some(Denial { server, transactions: changed, why: Why::Changed, before: earlier });
    }
    let asked = facts.servers.get(&server).map_or(0, |known| known.queries);
    let nearly_all = list.len() >= MANY && list.len() as u64 * 100 >= asked * NEARLY_ALL_PERCENT;
    nearly_all.then_some(Denial { server, transactions: list, why: Why::NearlyAll, before: None })
}

/// The first useful answer to each denied question.
fn existed(
    facts: &Facts<'_>,
    denied: &BTreeMap<ServerKey, Vec<&Transaction>>,
) -> HashMap<(Address, u64), PacketId> {
    let question = |transaction: &Transaction| {
        let packet = facts.index.packet(transaction.first)?;
        Some((packet.destination_address(), packet.dns()?.question))
    };
    let wanted: HashSet<(Address, u64)> =
        denied.values().flatten().filter_map(|transaction| question(transaction)).collect();
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return found;
    }
    for transaction in facts.evidence.transactions.iter().filter(|t| t.response_code == 0) {
        let Some(answer) = transaction.answer else { continue };
        let Some(key) = question(transaction).filter(|key| wanted.contains(key)) else { continue };
        let useful = facts.index.packet(answer).and_then(|packet| packet.dns());
        if useful.is_some_and(|row| row.header.counts.get(1) > Some(&0)) {
            found.entry(key).or_insert(answer);
        }
    }
    found
}

/// Whether a name is looked up as in a table: reverse names and block lists, where most answers are NXDOMAIN.
fn is_table_lookup(facts: &Facts<'_>, query: PacketId) -> bool {
    facts.name_of(query).is_some_and(|name| crate::findings::zones::is_table(&name))
}
