//! The distinct question names of a segment, with half a hash of each.

use std::hash::Hasher as _;

use super::segment::hasher;
use crate::decode::dns;

/// Distinct names of a segment, end to end in one buffer.
#[derive(Clone, Default)]
pub struct Names {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// The lower half of each name's hash ([`name_hash`]).
    hashes: Vec<u32>,
}

impl Names {
    /// Number of names.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The wire form of one name.
    pub fn get(&self, position: u32) -> Option<&[u8]> {
        let at = position as usize;
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&e| e as usize);
        self.bytes.get(start..end)
    }

    /// The lower halves of all names' hashes ([`name_hash`]), by position: equal names have equal ones in every segment.
    pub fn hashes(&self) -> &[u32] {
        &self.hashes
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.hashes.shrink_to_fit();
    }

    pub(super) fn push(&mut self, name: &[u8], hash: u64) -> u32 {
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len() as u32);
        self.hashes.push(hash as u32);
        (self.ends.len() - 1) as u32
    }
}

/// Hashes a name in wire form, lower-cased.
pub fn name_hash(name: &[u8]) -> u64 {
    let mut hasher = hasher();
    hasher.write(name);
    hasher.finish()
}

/// A name in wire form, lower-cased, with its hash.
#[derive(Clone, Copy)]
pub(super) struct Hashed<'n> {
    pub wire: &'n [u8],
    pub hash: u64,
}

impl<'n> Hashed<'n> {
    pub fn new(lower: &'n dns::Name) -> Self {
        let wire = lower.wire();
        Self { wire, hash: name_hash(wire) }
    }
}
