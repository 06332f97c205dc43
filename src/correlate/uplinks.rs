//! Addresses by which a server asks others: of what its clients ask it, they ask the same at once, under an id of their own.
//!
//! A resolver with a link to its clients and one to the world has an address on each, and captures of both links share no packet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Evidence;
use crate::decode::Address;
use crate::index::Index;
use crate::time::Nanos;

/// A server asks this soon after it was asked.
const SOON_NS: Nanos = 100_000_000;
/// Different questions passed on from which a pair is no chance.
const PASSED_MIN: usize = 3;
/// Of the questions that both sides ask, at most one in this many may be asked by the second at another time first.
const STRAY_ONE_IN: usize = 5;
/// Transactions looked through; a capture with more tells of one server, mostly.
const LOOKED_AT_MAX: usize = 500_000;
/// Pairs followed.
const PAIRS_MAX: usize = 4_096;

/// Questions that the second address asked first soon after the server was asked, and those it asked first at another time.
#[derive(Default)]
struct Pair {
    passed: BTreeSet<u64>,
    astray: usize,
}

/// Servers, each with an address by which it asks others; sorted.
pub(super) fn find(index: &Index, evidence: &Evidence) -> Vec<(Address, Address)> {
    let mut asked: HashMap<u64, Vec<(Address, u16, Nanos)>, foldhash::fast::FixedState> = HashMap::default();
    let mut first: BTreeSet<(Address, u64)> = BTreeSet::new();
    let mut served: BTreeSet<(Address, Address)> = BTreeSet::new();
    let mut pairs: BTreeMap<(Address, Address), Pair> = BTreeMap::new();
    for own in evidence.transactions.iter().take(LOOKED_AT_MAX) {
        let (Some(packet), Some(row)) = (index.packet(own.first), own.question(index)) else { continue };
        let (asker, server, at_ns) =
            (packet.source_address(), packet.destination_address(), packet.time_ns());
        served.insert((server, asker));
        if row.question == 0 {
            continue;
        }
        let known = asked.entry(row.question).or_default();
        if first.insert((asker, row.question)) {
            let mut seen: BTreeSet<Address> = BTreeSet::new();
            for (front, id, before_ns) in known.iter().rev() {
                // The same id is the same message, passed through a translator or asked again by a host with two addresses.
                let other = *front != asker && *front != server && *id != row.header.id;
                if !other || !seen.insert(*front) || pairs.len() >= PAIRS_MAX {
                    continue;
                }
                let pair = pairs.entry((*front, asker)).or_default();
                if (0..=SOON_NS).contains(&(at_ns - before_ns)) {
                    pair.passed.insert(row.question);
                } else {
                    pair.astray += 1;
                }
            }
        }
        if row.header.recursion_desired() {
            known.push((server, row.header.id, at_ns));
        }
    }
    let is_uplink = |own: &(&(Address, Address), &Pair)| {
        let (&(front, asker), pair) = *own;
        pair.passed.len() >= PASSED_MIN
            && pair.astray * STRAY_ONE_IN <= pair.passed.len()
            // Who asks the server is its client, and who is asked by it another server.
            && !served.contains(&(front, asker))
            && !served.contains(&(asker, front))
    };
    pairs.iter().filter(is_uplink).map(|(pair, _)| *pair).collect()
}
