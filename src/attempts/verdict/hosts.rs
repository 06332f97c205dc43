//! Which hosts are where: the capturing one, and those that anything was sent to.

use hashbrown::HashSet;

use crate::correlate::Evidence;
use crate::correlate::hosts::Place;
use crate::decode::Address;
use crate::index::Index;

/// The addresses of the capturing host among those who ask: one of each family. Where several look like it, none is: what tells it
/// (unfilled checksums, initial hops) holds for all on one link or machine.
pub(super) fn here(evidence: &Evidence, asking: impl Iterator<Item = Address>) -> HashSet<Address> {
    let asking: HashSet<Address> = asking.collect();
    let mut here: HashSet<Address> =
        asking.into_iter().filter(|address| evidence.place(*address) == Place::Here).collect();
    for v6 in [false, true] {
        if here.iter().filter(|address| address.is_v6() == v6).count() > 1 {
            here.retain(|address| address.is_v6() != v6);
        }
    }
    here
}

/// The addresses that packets of others were sent to.
pub(super) fn receivers(index: &Index) -> HashSet<Address> {
    let mut told = HashSet::new();
    for segment in index.segments() {
        let mut seen = vec![false; segment.addresses.len()];
        for (source, destination) in segment.source_address.iter().zip(&segment.destination_address) {
            if source != destination
                && let Some(seen) = seen.get_mut(*destination as usize)
            {
                *seen = true;
            }
        }
        told.extend(
            segment.addresses.iter().zip(seen).filter(|(_, seen)| *seen).map(|(address, _)| *address),
        );
    }
    told
}
