//! Follows TCP connections once for every room that asks: columns in, a table of connections out.
//!
//! A connection is told by its ends *and* its initial sequence number: ports used again make another one (RFC 9293 §3.4.1).
//! Only rows of TCP are looked at, segment by segment side by side; what their headers say is then followed by shares of
//! the flows, so that no result depends on the number of threads.

mod connection;
mod row;

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;

use hashbrown::HashTable;
use rayon::prelude::*;

pub use connection::{Connection, End, Ends, Known, Seen, Sent, ahead};
use row::Row;
pub(crate) use row::told_length;

use crate::index::{Index, Packet, PacketId, SourceId};
use crate::time::Nanos;

/// Connections followed; a SYN flood or a scan can hold millions.
pub const CONNECTIONS_MAX: usize = 262_144;
/// Shares of the flows that are followed side by side; each has its part of [`CONNECTIONS_MAX`].
const SHARES: usize = 8;
/// Segments whose rows are held at a time.
const SEGMENTS_MAX: usize = 16;

/// Which connections are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those with a DNS port.
    Dns,
    /// All.
    All,
}

/// The connections of a capture.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// In order of their first packet.
    all: Vec<Connection>,
    /// Positions in `all` by ends, the lower one first, then in order.
    by_ends: Vec<u32>,
    /// SYNs that were not followed because [`CONNECTIONS_MAX`] was reached.
    left_out: u64,
    /// Several files show the same time: packets are in order by their times, not by their ids.
    by_time: bool,
}

impl Connections {
    /// Follows the connections of an index; packets that `is_copy` names count for nothing.
    pub fn follow(index: &Index, scope: Scope, is_copy: &(dyn Fn(PacketId) -> bool + Sync)) -> Self {
        let mut shares: Vec<Share> = (0..SHARES).map(|_| Share::default()).collect();
        let by_time = do_files_overlap(index);
        let segments: Vec<usize> = (0..index.segments().len()).collect();
        let held = if by_time { segments.len().max(1) } else { SEGMENTS_MAX };
        for segments in segments.chunks(held) {
            let rows = segments.par_iter().map(|at| {
                let mut shared: [Vec<Row>; SHARES] = Default::default();
                row::read(index, *at, scope, &mut |row| {
                    if !is_copy(row.packet)
                        && let Some(share) = shared.get_mut(share_of(row.hash))
                    {
                        share.push(row);
                    }
                });
                shared
            });
            let rows: Vec<[Vec<Row>; SHARES]> = rows.collect();
            shares.par_iter_mut().enumerate().for_each(|(at, share)| {
                let own = rows.iter().filter_map(|rows| rows.get(at)).flatten();
                if by_time {
                    let mut own: Vec<&Row> = own.collect();
                    own.sort_unstable_by_key(|row| (row.time_ns, row.packet));
                    for row in own {
                        share.follow(row);
                    }
                } else {
                    own.for_each(|row| share.follow(row));
                }
            });
        }
        let left_out = shares.iter().map(|share| share.left_out).sum();
        let mut all: Vec<Connection> = shares.into_iter().flat_map(|share| share.all).collect();
        for connection in &mut all {
            connection.by_time = by_time;
        }
        all.sort_unstable_by_key(|connection| connection.first.place(by_time));
        let mut by_ends: Vec<u32> = (0..all.len() as u32).collect();
        by_ends.sort_by_key(|at| all.get(*at as usize).map(|own| ordered(own.client, own.server)));
        Self { all, by_ends, left_out, by_time }
    }

    /// All of them, in order of their first packet.
    pub fn iter(&self) -> std::slice::Iter<'_, Connection> {
        self.all.iter()
    }

    /// The same, to keep.
    pub fn into_all(self) -> Vec<Connection> {
        self.all
    }

    /// The connection a packet is of, which begins with it or before it.
    pub fn of(&self, packet: &Packet<'_>) -> Option<&Connection> {
        let from = (packet.source_address(), packet.source_port());
        let ends = ordered(from, (packet.destination_address(), packet.destination_port()));
        let get = |at: &u32| self.all.get(*at as usize);
        let place = Seen { packet: packet.id, time_ns: packet.time_ns() }.place(self.by_time);
        let behind = self.by_ends.partition_point(|at| {
            get(at).is_some_and(|own| {
                (ordered(own.client, own.server), own.first.place(self.by_time)) <= (ends, place)
            })
        });
        let newest = behind.checked_sub(1).and_then(|at| self.by_ends.get(at)).and_then(get)?;
        (ordered(newest.client, newest.server) == ends).then_some(newest)
    }

    /// SYNs that were not followed because there were too many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What was left out, in words; `None` when nothing was.
    pub fn note(&self) -> Option<String> {
        let left_out = self.left_out;
        (left_out > 0)
            .then(|| format!("{left_out} connection attempts beyond {CONNECTIONS_MAX} were not followed"))
    }
}

impl<'c> IntoIterator for &'c Connections {
    type Item = &'c Connection;
    type IntoIter = std::slice::Iter<'c, Connection>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Whether packets of one time stand in several files, so that the order of files is not that of events.
fn do_files_overlap(index: &Index) -> bool {
    let mut spans: BTreeMap<SourceId, (Nanos, Nanos)> = BTreeMap::new();
    if index.sources.len() < 2 {
        return false;
    }
    for segment in index.segments() {
        let ends = segment.time_ns.iter().min().zip(segment.time_ns.iter().max());
        let Some((first, last)) = ends.map(|(first, last)| (*first, *last)) else { continue };
        let span = spans.entry(segment.source).or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
    }
    // In the order of the files, each begins where the one before has ended.
    let mut end = Nanos::MIN;
    spans.into_values().any(|(first, last)| first < std::mem::replace(&mut end, last))
}

/// The hash of a connection's ends, whichever of them sends.
fn hash(from: End, to: End) -> u64 {
    foldhash::fast::FixedState::default().hash_one(ordered(from, to))
}

/// Two ends, the lower one first.
fn ordered(one: End, other: End) -> (End, End) {
    if one <= other { (one, other) } else { (other, one) }
}

/// The bits of a hash that choose the share are none of those by which tables look first.
fn share_of(hash: u64) -> usize {
    (hash >> 40) as usize % SHARES
}

/// The connections of some flows.
#[derive(Default)]
struct Share {
    all: Vec<Connection>,
    /// The newest connection between two ends.
    newest: HashTable<u32>,
    left_out: u64,
}

impl Share {
    fn follow(&mut self, row: &Row) {
        let all = &self.all;
        let is_own = |at: &u32| all.get(*at as usize).is_some_and(|known| known.joins(row.from, row.to));
        let known = self.newest.find(row.hash, is_own).copied();
        let goes_on = known.filter(|at| all.get(*at as usize).is_some_and(|known| !known.ends_before(row)));
        if let Some(at) = goes_on {
            if let Some(connection) = self.all.get_mut(at as usize) {
                connection.take(row);
            }
            return;
        }
        if self.all.len() >= CONNECTIONS_MAX / SHARES {
            self.left_out += u64::from(row.opens());
            return;
        }
        let next = self.all.len() as u32;
        self.all.push(Connection::begin(row));
        let all = &self.all;
        let is_own = |at: &u32| all.get(*at as usize).is_some_and(|known| known.joins(row.from, row.to));
        if let Some(slot) = self.newest.find_mut(row.hash, is_own) {
            *slot = next;
        } else {
            let hash_of =
                |at: &u32| all.get(*at as usize).map_or(0, |known| hash(known.client, known.server));
            self.newest.insert_unique(row.hash, next, hash_of);
        }
    }
}

#[cfg(test)]
mod tests;
