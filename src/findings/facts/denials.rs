//! Names that a server denies (NXDOMAIN) or filters, where that is no ordinary background: nearly all it was asked, names
//! that existed before, or answers that name a filter.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::{Facts, ServerKey, asked};
use crate::correlate::Transaction;
use crate::decode::Address;
use crate::findings::{Input, zones};
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

/// Denied lookups with their question.
type Denied<'i> = Vec<(&'i Transaction, u64)>;

/// What the walk over all lookups gives: denied ones by server, and the first useful answer to each of their questions.
#[derive(Default)]
pub(super) struct Collected<'i> {
    denied: BTreeMap<ServerKey, Denied<'i>>,
    existed: HashMap<(u64, Address), PacketId>,
}

/// Collects denied lookups.
pub(super) fn collect<'i>(input: &Input<'i>) -> Collected<'i> {
    let mut denied: HashMap<ServerKey, Denied<'i>> = HashMap::new();
    let mut total = 0;
    for asked in asked::all(input) {
        let transaction = asked.transaction;
        let filtered = is_filter(transaction.extended_error) && transaction.response_code == 0;
        let is_denied = transaction.answer.is_some() && (transaction.response_code == NAME_ERROR || filtered);
        if !is_denied || total >= DENIED_MAX {
            continue;
        }
        // In reverse zones and block lists most names do not exist.
        let is_table =
            asked.segment.names.get(asked.row.name).is_none_or(|wire| zones::of_wire(wire).is_none());
        if !is_table {
            total += 1;
            denied.entry(asked.server).or_default().push((transaction, asked.row.question));
        }
    }
    denied.retain(|_, list| list.len() >= SEVERAL);
    let denied: BTreeMap<_, _> = denied.into_iter().collect();
    let existed = existed(input, &denied);
    Collected { denied, existed }
}

/// Those that stand out.
pub(super) fn find<'i>(facts: &Facts<'i>, collected: Collected<'i>) -> Vec<Denial<'i>> {
    let existed = collected.existed;
    let denied = collected.denied.into_iter();
    denied
        .filter(|(server, _)| facts.load.random_zone(server.0).is_none())
        .filter_map(|(server, list)| standing_out(facts, server, &list, &existed))
        .collect()
}

fn standing_out<'i>(
    facts: &Facts<'i>,
    server: ServerKey,
    list: &[(&'i Transaction, u64)],
    existed: &HashMap<(u64, Address), PacketId>,
) -> Option<Denial<'i>> {
    let only = |keep: &dyn Fn(&(&Transaction, u64)) -> bool| -> Vec<&'i Transaction> {
        list.iter().filter(|entry| keep(entry)).map(|(transaction, _)| *transaction).collect()
    };
    let filtered = only(&|(transaction, _)| is_filter(transaction.extended_error));
    if filtered.len() >= SEVERAL {
        return Some(Denial { server, transactions: filtered, why: Why::Filtered, before: None });
    }
    let before = |(transaction, question): &(&Transaction, u64)| {
        existed.get(&(*question, server.0)).copied().filter(|answer| *answer < transaction.first)
    };
    let changed = only(&|entry| before(entry).is_some());
    if changed.len() >= SEVERAL {
        let earlier = list.iter().find_map(|entry| before(entry));
        return Some(Denial { server, transactions: changed, why: Why::Changed, before: earlier });
    }
    let asked = facts.servers.get(&server).map_or(0, |known| known.queries);
    let nearly_all = list.len() >= MANY && list.len() as u64 * 100 >= asked * NEARLY_ALL_PERCENT;
    nearly_all.then(|| Denial { server, transactions: only(&|_| true), why: Why::NearlyAll, before: None })
}

/// The first useful answer to each denied question.
fn existed(input: &Input<'_>, denied: &BTreeMap<ServerKey, Denied<'_>>) -> HashMap<(u64, Address), PacketId> {
    let wanted: HashSet<u64> = denied.values().flatten().map(|(_, question)| *question).collect();
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return found;
    }
    for asked in asked::all(input).filter(|asked| asked.transaction.response_code == 0) {
        let Some(answer) = asked.transaction.answer.filter(|_| wanted.contains(&asked.row.question)) else {
            continue;
        };
        let key = (asked.row.question, asked.server.0);
        if found.contains_key(&key) {
            continue;
        }
        let useful = input.index.packet(answer).and_then(|packet| packet.dns());
        if useful.is_some_and(|row| row.header.counts.get(1) > Some(&0)) {
            found.insert(key, answer);
        }
    }
    found
}
