//! IP fragments to whole IP packets (RFC 791 §3.2; RFC 8200 §4.5).

use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::{File, Now};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// Packets that may wait for fragments; the oldest gives way.
pub const DATAGRAMS_MAX: usize = 8192;
/// Fragments of one packet that are remembered; the 64 KiB of IP in pieces of 32 bytes.
pub const FRAGMENTS_MAX: usize = 2048;
/// A packet's fragments belong together only within this time (RFC 8200 §4.5: 60 s; RFC 1122 §3.3.2: up to 120 s).
pub const AGE_MAX_NS: Nanos = 120_000_000_000;
const IP_MAX_BYTES: usize = 65_535;

/// What fragments of one packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub source: Address,
    pub destination: Address,
    pub id: u32,
    pub protocol: u8,
}

/// One fragment's data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Offset in the packet's data.
    pub start: u32,
    pub length: u32,
    /// Offset in the file.
    pub offset: u64,
    pub packet: PacketId,
}

/// Where the IP header of the first fragment stands in the file, its length, and the protocol above it.
type Head = ((u64, u32), u8);

/// A whole IP packet and the packets it came in.
pub(super) struct Whole {
    pub bytes: Vec<u8>,
    pub parts: Vec<PacketId>,
}

#[derive(Clone)]
struct Waiting {
    born: u64,
    last_ns: Nanos,
    parts: Vec<Part>,
    total: Option<u32>,
    held: u32,
    head: Option<Head>,
}

/// All packets that wait for fragments.
#[derive(Clone, Default)]
pub(super) struct Datagrams {
    waiting: HashMap<Key, Waiting>,
    /// Keys in order of their first fragment, to find the oldest.
    order: VecDeque<(Key, u64)>,
    births: u64,
}

impl Datagrams {
    /// Adds a fragment; gives the packet when this fragment completes it.
    pub fn push(
        &mut self,
        key: Key,
        (part, more): (Part, bool),
        head: Option<Head>,
        now: Now,
        file: File<'_>,
    ) -> Option<Whole> {
        if self
            .waiting
            .get(&key)
            .is_some_and(|waiting| now.time_ns.saturating_sub(waiting.last_ns).saturating_abs() > AGE_MAX_NS)
        {
            self.waiting.remove(&key);
        }
        if !self.waiting.contains_key(&key) {
            self.make_room();
            self.births += 1;
            self.order.push_back((key, self.births));
        }
        let born = self.births;
        let waiting = self.waiting.entry(key).or_insert_with(|| Waiting {
            born,
            last_ns: now.time_ns,
            parts: Vec::new(),
            total: None,
            held: 0,
            head: None,
        });
        waiting.last_ns = now.time_ns;
        let is_copy =
            waiting.parts.iter().any(|known| known.start == part.start && known.length == part.length);
        if is_copy || waiting.parts.len() >= FRAGMENTS_MAX {
            return None;
        }
        waiting.parts.push(part);
        waiting.held = waiting.held.saturating_add(part.length);
        waiting.head = waiting.head.or(head);
        if !more {
            waiting.total = Some(part.start.saturating_add(part.length));
        }
        let whole = waiting.whole(key, file)?;
        self.waiting.remove(&key);
        Some(whole)
    }

    /// Makes the oldest packet give way when too many wait.
    fn make_room(&mut self) {
        // Finished packets leave their keys behind, so the queue may be longer than the map.
        while self.waiting.len() >= DATAGRAMS_MAX || self.order.len() >= 4 * DATAGRAMS_MAX {
            let Some((key, born)) = self.order.pop_front() else { return };
            if self.waiting.get(&key).is_some_and(|waiting| waiting.born == born) {
                self.waiting.remove(&key);
            }
        }
    }
}

impl Waiting {
    fn whole(&mut self, key: Key, file: File<'_>) -> Option<Whole> {
        let (total, ((header_offset, header_length), protocol)) = (self.total?, self.head?);
        if self.held < total || total as usize > IP_MAX_BYTES {
            return None;
        }
        self.parts.sort_by_key(|part| (part.start, part.packet));
        let slice = |offset: u64, length: u32| {
            let start = usize::try_from(offset).ok()?;
            file.get(start..start.checked_add(length as usize)?)
        };
        let header = slice(header_offset, header_length)?;
        let mut bytes;
        if let (Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) =
            (key.source.ip(), key.destination.ip())
        {
            let hop_limit = header.get(7).copied().unwrap_or(0);
            let [high, low] = (total as u16).to_be_bytes();
            bytes = vec![0x60, 0, 0, 0, high, low, protocol, hop_limit];
            bytes.extend_from_slice(&source.octets());
            bytes.extend_from_slice(&destination.octets());
        } else {
            bytes = header.to_vec();
            let length = u16::try_from(header.len() + total as usize).ok()?.to_be_bytes();
            bytes.get_mut(2..4)?.copy_from_slice(&length);
            bytes.get_mut(6..8)?.fill(0);
        }
        let header_bytes = bytes.len();
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let reached = (bytes.len() - header_bytes) as u32;
            if part.start > reached {
                return None;
            }
            // Where fragments overlap, the bytes that were there first stay.
            let skip = reached - part.start;
            if skip < part.length && reached < total {
                let wanted = (part.length - skip).min(total - reached);
                bytes.extend_from_slice(slice(part.offset + u64::from(skip), wanted)?);
                parts.push(part.packet);
            }
        }
        (bytes.len() - header_bytes >= total as usize).then_some(Whole { bytes, parts })
    }
}
