//! Servers that deny nearly every name asked of them (NXDOMAIN), reverse zones and block lists aside.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::{Facts, ServerKey, asked};
use crate::correlate::Transaction;
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
    let lookups = asked::all(input).filter(|asked| is_denied(asked.transaction));
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
    let told = |server: &ServerKey| {
        facts.problems().any(|(_, problem)| problem.server.0 == server.0)
            || facts.unknown_zones.iter().any(|own| own.lacks == *server && !own.is_harmless())
    };
    denied
        .into_iter()
        .filter(|(server, list)| nearly_all(server, list) && !told(server))
        .filter(|(server, _)| facts.load.random_zone(server.0).is_none())
        .map(|(server, transactions)| Denial { server, transactions })
        .collect()
}
