//! One number for each address of a capture, whatever segment's dictionary it stands in: stages that ask something of
//! every address ask it once, and look the rest up by number.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU32, Ordering};

use hashbrown::HashTable;
use rayon::prelude::*;

use super::messages::NONE;
use crate::decode::Address;
use crate::index::Index;

/// Shares of all addresses that are numbered side by side, as a power of two; the lowest bits of a number name the share.
const SHARE_BITS: u32 = 2;

/// The numbers of all addresses.
pub(super) struct Dictionary {
    /// By segment and position in its dictionary.
    of: Vec<Vec<u32>>,
    shares: Vec<Share>,
}

/// The addresses of one share in the order of their numbers.
#[derive(Default)]
struct Share {
    all: Vec<Address>,
    /// Positions in `all`.
    table: HashTable<u32>,
}

fn hash(address: &Address) -> u64 {
    foldhash::fast::FixedState::default().hash_one(address)
}

/// The bits of a hash that choose the share are none of those by which tables look first.
fn share_of(hash: u64) -> usize {
    (hash >> 40) as usize & ((1 << SHARE_BITS) - 1)
}

impl Dictionary {
    pub fn new(index: &Index) -> Self {
        let hashed = index.segments().par_iter().map(|segment| {
            let hashes: Vec<u64> = segment.addresses.iter().map(hash).collect();
            let numbers: Vec<AtomicU32> = segment.addresses.iter().map(|_| AtomicU32::new(NONE)).collect();
            (hashes, numbers)
        });
        let hashed: Vec<(Vec<u64>, Vec<AtomicU32>)> = hashed.collect();
        let number = |at: usize| {
            let mut share = Share::default();
            for (segment, (hashes, numbers)) in index.segments().iter().zip(&hashed) {
                for ((hash, slot), address) in hashes.iter().zip(numbers).zip(&segment.addresses) {
                    if share_of(*hash) == at {
                        let number = share.number(*hash, *address) << SHARE_BITS | at as u32;
                        slot.store(number, Ordering::Relaxed);
                    }
                }
            }
            share
        };
        let shares = (0..1usize << SHARE_BITS).into_par_iter().map(number).collect();
        let plain =
            |(_, numbers): (_, Vec<AtomicU32>)| numbers.into_iter().map(AtomicU32::into_inner).collect();
        Self { of: hashed.into_iter().map(plain).collect(), shares }
    }

    /// The numbers of a segment's addresses, by position in its dictionary.
    pub fn of_segment(&self, at: usize) -> &[u32] {
        self.of.get(at).map(Vec::as_slice).unwrap_or_default()
    }

    /// The number of an address; `None` for one that no packet carries.
    pub fn number(&self, address: Address) -> Option<u32> {
        let hash = hash(&address);
        let at = share_of(hash);
        let share = self.shares.get(at)?;
        share.find(hash, address).map(|number| number << SHARE_BITS | at as u32)
    }

    /// A table with a place for every number.
    pub fn table<T: Clone>(&self, value: T) -> Vec<T> {
        let longest = self.shares.iter().map(|share| share.all.len()).max().unwrap_or(0);
        vec![value; longest << SHARE_BITS]
    }
}

impl Share {
    fn find(&self, hash: u64, address: Address) -> Option<u32> {
        self.table.find(hash, |at| self.all.get(*at as usize) == Some(&address)).copied()
    }

    fn number(&mut self, hash: u64, address: Address) -> u32 {
        if let Some(known) = self.find(hash, address) {
            return known;
        }
        let next = self.all.len() as u32;
        self.all.push(address);
        let all = &self.all;
        self.table.insert_unique(hash, next, |at| all.get(*at as usize).map_or(0, self::hash));
        next
    }
}
