//! Servers that deny nearly every name asked of them (NXDOMAIN), reverse zones and block lists aside.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::{Facts, ServerKey, asked};
use crate::correlate::{Outcome, Transaction};
use crate::decode::Address;
use crate::findings::{Input, zones};

/// Denied lookups remembered.
const DENIED_MAX: usize = 200_000;
/// So many denied lookups are more than a slip.
const MANY: usize = 5;
/// Different questions below which it is a program that always asks the same, as health checks do.
const NAMES_MIN: usize = 3;
/// Questions told apart.
const NAMES_MAX: usize = 1_024;
/// Share of a server's questions that leaves hardly any name existing, in percent.
const NEARLY_ALL_PERCENT: u64 = 90;
/// NXDOMAIN (RFC 1035 §4.1.1).
const NAME_ERROR: u16 = 3;

/// Denied lookups of one server.
#[derive(Clone, Debug)]
pub struct Denial<'i> {
    /// Who was asked.
    pub server: ServerKey,
    /// The denied lookups.
    pub transactions: Vec<&'i Transaction>,
}

/// Denied lookups by server.
pub(super) type Denied<'i> = BTreeMap<ServerKey, Vec<&'i Transaction>>;

/// Collects denied lookups.
pub(super) fn collect<'i>(input: &Input<'i>) -> Denied<'i> {
    let mut denied: HashMap<ServerKey, Vec<&'i Transaction>> = HashMap::new();
    let is_denied =
        |transaction: &Transaction| transaction.answer.is_some() && transaction.response_code == NAME_ERROR;
    // Who asks without wanting recursion asks zones' own servers, which know what does not exist.
    let lookups = asked::all(input)
        .filter(|asked| is_denied(asked.transaction) && asked.row.header.recursion_desired());
    // In reverse zones and block lists most names do not exist.
    let visited = lookups.filter(|asked| {
        asked.segment.names.get(asked.row.name).is_some_and(|wire| zones::of_wire(wire).is_some())
    });
    for asked in visited.take(DENIED_MAX) {
        denied.entry(asked.server).or_default().push(asked.transaction);
    }
    denied.into_iter().collect()
}

/// The servers of which nearly all names are denied.
pub(super) fn find<'i>(facts: &Facts<'i>, denied: Denied<'i>) -> Vec<Denial<'i>> {
    let nearly_all = |server: &ServerKey, list: &[&Transaction]| {
        let asked = facts.servers.get(server).map_or(0, |known| known.queries);
        let names: BTreeSet<u64> = list
            .iter()
            .filter_map(|own| own.question(facts.index))
            .map(|row| row.question)
            .take(NAMES_MAX)
            .collect();
        names.len() >= NAMES_MIN
            && list.len() >= MANY
            && list.len() as u64 * 100 >= asked * NEARLY_ALL_PERCENT
    };
    let lookups = facts.evidence.lookups(facts.index);
    // A search list goes on where a name is denied, perhaps to another server.
    let found_otherwise = |own: &Transaction| {
        let id = facts.evidence.transaction_of(own.first);
        let all = id.and_then(|id| lookups.of(id)).map(|lookup| lookups.members(lookup)).unwrap_or_default();
        all.iter()
            .filter_map(|id| facts.evidence.transaction(*id))
            .any(|other| other.outcome == Outcome::Answered && other.response_code == 0)
    };
    // A forwarder hands on what its clients ask, to whichever address of its server it likes.
    let askers: BTreeSet<Address> = facts
        .servers
        .iter()
        .filter(|(_, known)| !known.answers.is_empty())
        .map(|(server, _)| server.0)
        .collect();
    let is_handed_on = |own: &Transaction| {
        facts.index.packet(own.first).is_some_and(|query| askers.contains(&query.source_address()))
    };
    let told = |server: &ServerKey| {
        facts.problems().any(|(_, problem)| problem.server.0 == server.0)
            || facts.unknown_zones.iter().any(|own| own.lacks == *server && !own.is_harmless())
    };
    let kept = |mut list: Vec<&'i Transaction>| {
        list.retain(|own| !is_handed_on(own) && !found_otherwise(own));
        list
    };
    denied
        .into_iter()
        .map(|(server, list)| (server, kept(list)))
        .filter(|(server, list)| nearly_all(server, list) && !told(server))
        .filter(|(server, _)| facts.load.random_zone(server.0).is_none())
        .map(|(server, transactions)| Denial { server, transactions })
        .collect()
}
