//! Names that a server denies (NXDOMAIN) or filters, where that is no ordinary background: nearly all it was asked, names
//! that existed before, or answers that name a filter.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::{Facts, ServerKey, asked};
use crate::capture::LinkType;
use crate::correlate::Transaction;
use crate::decode::{Address, dns};
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
    /// The extended error that names a filter: blocked, censored, filtered, prohibited (RFC 8914 §4.16 to §4.19).
    pub filter: Option<u16>,
}

/// A denied lookup.
struct Lookup<'i> {
    transaction: &'i Transaction,
    question: u64,
    /// The extended error, when it names a filter.
    filter: Option<u16>,
}

type Denied<'i> = Vec<Lookup<'i>>;

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
        let Some(answer) = transaction.answer else { continue };
        if transaction.response_code != NAME_ERROR || total >= DENIED_MAX {
            continue;
        }
        // In reverse zones and block lists most names do not exist.
        let is_table =
            asked.segment.names.get(asked.row.name).is_none_or(|wire| zones::of_wire(wire).is_none());
        if !is_table {
            total += 1;
            let question = asked.row.question;
            let lookup = Lookup { transaction, question, filter: filter(input, answer) };
            denied.entry(asked.server).or_default().push(lookup);
        }
    }
    denied.retain(|_, list| list.len() >= SEVERAL);
    let denied: BTreeMap<_, _> = denied.into_iter().collect();
    let existed = existed(input, &denied);
    Collected { denied, existed }
}

/// The extended error of an answer, when it names a filter.
fn filter(input: &Input<'_>, answer: PacketId) -> Option<u16> {
    let packet = input.index.packet(answer)?;
    let row = packet.dns().filter(|row| row.header.counts.get(3) > Some(&0))?;
    let message = dns::read(packet.message(row)).filter(|_| packet.link_type() != LinkType::TRANSCRIPT)?;
    let (number, _) = message.extension()?.extended_error(message.bytes)?;
    (15..=18).contains(&number).then_some(number)
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
    list: &[Lookup<'i>],
    existed: &HashMap<(u64, Address), PacketId>,
) -> Option<Denial<'i>> {
    let only = |keep: &dyn Fn(&Lookup<'_>) -> bool| -> Vec<&'i Transaction> {
        list.iter().filter(|lookup| keep(lookup)).map(|lookup| lookup.transaction).collect()
    };
    let denial = |transactions, why| Denial { server, transactions, why, before: None, filter: None };
    let filtered = only(&|lookup| lookup.filter.is_some());
    if filtered.len() >= SEVERAL {
        let filter = list.iter().find_map(|lookup| lookup.filter);
        return Some(Denial { filter, ..denial(filtered, Why::Filtered) });
    }
    let before = |lookup: &Lookup<'_>| {
        let known = existed.get(&(lookup.question, server.0)).copied();
        known.filter(|answer| *answer < lookup.transaction.first)
    };
    let changed = only(&|lookup| before(lookup).is_some());
    if changed.len() >= SEVERAL {
        return Some(Denial { before: list.iter().find_map(before), ..denial(changed, Why::Changed) });
    }
    let asked = facts.servers.get(&server).map_or(0, |known| known.queries);
    let nearly_all = list.len() >= MANY && list.len() as u64 * 100 >= asked * NEARLY_ALL_PERCENT;
    nearly_all.then(|| denial(only(&|_| true), Why::NearlyAll))
}

/// The first useful answer to each denied question.
fn existed(input: &Input<'_>, denied: &BTreeMap<ServerKey, Denied<'_>>) -> HashMap<(u64, Address), PacketId> {
    let wanted: HashSet<u64> = denied.values().flatten().map(|lookup| lookup.question).collect();
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
