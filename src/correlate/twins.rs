//! Addresses of both families that are one host, told by what it asks: the same question with the same id at the same moment.
//!
//! A stub with servers of both families repeats a question to the next one as it is. Behind a router its two addresses share no link
//! address of their own, so this is what tells that one host asks with both.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Evidence;
use crate::decode::Address;
use crate::index::Index;
use crate::time::Nanos;

/// The second family is asked this soon after the first.
const SOON_NS: Nanos = 50_000_000;
/// Different ids from which on a pair is no chance; one id of 65,536 for the same name may be.
const IDS_MIN: usize = 2;
/// Transactions looked through; a capture with more tells of one server, mostly.
const LOOKED_AT_MAX: usize = 500_000;

/// The pairs of addresses of which each asks as the other does, and as no third.
pub(super) fn find(index: &Index, evidence: &Evidence) -> Vec<(Address, Address)> {
    let mut last: HashMap<(u16, u64), (Address, Nanos), foldhash::fast::FixedState> = HashMap::default();
    let mut ids: BTreeMap<(Address, Address), BTreeSet<u16>> = BTreeMap::new();
    for own in evidence.transactions.iter().take(LOOKED_AT_MAX) {
        let (Some(packet), Some(row)) = (index.packet(own.first), own.question(index)) else { continue };
        let (asker, at_ns) = (packet.source_address(), packet.time_ns());
        let before = last.insert((row.header.id, row.question), (asker, at_ns));
        let Some((other, _)) = before.filter(|(_, before_ns)| (0..=SOON_NS).contains(&(at_ns - before_ns)))
        else {
            continue;
        };
        if other.is_v6() != asker.is_v6() {
            let known = ids.entry((asker.min(other), asker.max(other))).or_default();
            if known.len() < IDS_MIN {
                known.insert(row.header.id);
            }
        }
    }
    let mut partners: BTreeMap<Address, usize> = BTreeMap::new();
    for (one, other) in ids.keys() {
        *partners.entry(*one).or_default() += 1;
        *partners.entry(*other).or_default() += 1;
    }
    // An address that asks for several others is a translator's or a forwarder's.
    let alone = |address: &Address| partners.get(address) == Some(&1);
    let pairs = ids.into_iter().filter(|(_, ids)| ids.len() >= IDS_MIN).map(|(pair, _)| pair);
    pairs.filter(|(one, other)| alone(one) && alone(other)).collect()
}
