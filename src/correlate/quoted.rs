//! Remembers the packets that ICMP errors may quote: of each quoted flow its packets, in matching order.
//!
//! No table holds flows that no error quotes.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::dictionary::Dictionary;
use super::messages::Messages;
use super::weigh::Error;
use super::{Evidence, printed};
use crate::decode::Address;
use crate::index::segment::{flags, flow_hash};
use crate::index::{PacketId, Segment};

/// Packets of one quoted flow an error is weighed against, newest first.
const CANDIDATES_MAX: usize = 64;
/// Packets after an error in the file that are looked at when none before fits.
const FOLLOWING_MAX: usize = 4;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;
type Set<K> = HashSet<K, foldhash::fast::FixedState>;

/// Bits for each error in the table that sorts most packets out, and all bits at most (they fit the second cache).
const ROUGH_BITS: usize = 16;
const ROUGH_BITS_MAX: usize = 1 << 21;

/// Marks of quoted addresses and ports, a bit each: a packet without its bit is quoted by no error.
#[derive(Default)]
struct Rough(Vec<u64>);

impl Rough {
    fn new(wishes: usize) -> Self {
        let bits = (wishes * ROUGH_BITS).next_power_of_two().clamp(64, ROUGH_BITS_MAX);
        Self(vec![0; bits / 64])
    }

    /// The mark of an address; not 0.
    fn mark(address: Address) -> u32 {
        foldhash::fast::FixedState::default().hash_one(address) as u32 | 1
    }

    /// Word and bit of the marks of a source and a destination, with their ports or none.
    fn place(&self, (source, destination): (u32, u32), ports: (u16, u16)) -> (usize, u64) {
        let ends = u64::from(source) << 32 | u64::from(destination);
        let ports = u64::from(ports.0) << 16 | u64::from(ports.1);
        let mixed =
            (ends ^ ports.wrapping_mul(0xd6e8_feb8_6659_fd93)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        ((mixed >> 6) as usize & self.0.len().saturating_sub(1), 1 << (mixed & 63))
    }

    fn add(&mut self, ends: (u32, u32), ports: (u16, u16)) {
        let (word, bit) = self.place(ends, ports);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_hold(&self, ends: (u32, u32), ports: (u16, u16)) -> bool {
        let (word, bit) = self.place(ends, ports);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// What one error quotes, as packets are looked up by it.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// A flow with ports, by the hash the index makes.
    Flow(u64),
    /// A pair of hosts, for quotes without ports (ICMP, later fragments, cut quotes).
    Pair(u64),
    /// Client, server and port, for printed errors, which show no client port.
    Printed(u64),
}

/// What one error says that decides which packets are kept for it.
#[derive(Clone, Copy)]
struct Wish {
    target: Target,
    source: Address,
    destination: Address,
    ports: Option<(u16, u16)>,
}

fn pair_hash(protocol: u8, source: Address, destination: Address) -> u64 {
    flow_hash(protocol, (source, 0), (destination, 0))
}

impl Target {
    pub fn of(error: &Error<'_>) -> Self {
        let inner = &error.quote.inner;
        let pair = || pair_hash(inner.ip_protocol, inner.source, inner.destination);
        error.flow().map_or_else(|| Self::Pair(pair()), Self::Flow)
    }
}

impl Wish {
    fn read(messages: &Messages<'_>, packet: PacketId) -> Option<Self> {
        if let Some(error) = Error::read(messages.index, packet) {
            let inner = &error.quote.inner;
            let (source, destination, ports) = (inner.source, inner.destination, inner.ports());
            return Some(Self { target: Target::of(&error), source, destination, ports });
        }
        let error = printed::Error::read(messages.index, packet)?;
        let (source, destination) = (error.client, error.server.0);
        Some(Self { target: Target::Printed(error.hash()), source, destination, ports: None })
    }
}

/// The marks of quoted addresses, 0 for all others, by number.
fn marks(dictionary: &Dictionary, set: &Set<Address>) -> Vec<u32> {
    let mut marks = dictionary.table(0);
    for address in set {
        let slot = dictionary.number(*address).and_then(|number| marks.get_mut(number as usize));
        if let Some(slot) = slot {
            *slot = Rough::mark(*address);
        }
    }
    marks
}

/// What a table by number says of the numbers of a segment.
fn of(numbers: &[u32], table: &[u32]) -> Vec<u32> {
    numbers.iter().map(|number| table.get(*number as usize).copied().unwrap_or(0)).collect()
}

/// What errors quote, and the packets seen of it.
#[derive(Default)]
pub(super) struct Quoted {
    flows: Map<u64, u32>,
    pairs: Map<u64, u32>,
    printed: Map<u64, u32>,
    /// Flows, pairs and printed flows together.
    count: u32,
    sources: Set<Address>,
    destinations: Set<Address>,
    rough: Rough,
    /// Quoted sources of which at least one packet is in the capture.
    pub senders: Set<Address>,
    /// The packets of all slots, slot after slot, and where each slot begins.
    packets: Vec<PacketId>,
    starts: Vec<u32>,
    /// Rank of each packet in the order of time, where that is not file order.
    ranks: Option<Vec<u32>>,
}

/// What one segment holds of what errors quote.
#[derive(Default)]
struct Part {
    /// Slot and packet.
    seen: Vec<(u32, PacketId)>,
    senders: Vec<Address>,
}

impl Quoted {
    /// Reads all errors and finds the packets they may quote.
    pub fn find(
        messages: &Messages<'_>,
        dictionary: &Dictionary,
        evidence: &Evidence,
        cancel: &AtomicBool,
    ) -> Self {
        let errors: Vec<PacketId> = messages.index.icmp_rows().map(|row| row.packet).collect();
        let wishes: Vec<Wish> =
            errors.par_iter().filter_map(|packet| Wish::read(messages, *packet)).collect();
        let mut quoted = Self { rough: Rough::new(wishes.len()), ..Self::default() };
        for wish in &wishes {
            quoted.want(wish);
        }
        if quoted.count == 0 {
            return quoted;
        }
        let marks = (marks(dictionary, &quoted.sources), marks(dictionary, &quoted.destinations));
        let parts: Vec<Part> = messages
            .index
            .segments()
            .par_iter()
            .enumerate()
            .map(|(at, segment)| {
                if cancel.load(Ordering::Relaxed) {
                    return Part::default();
                }
                let numbers = dictionary.of_segment(at);
                quoted.look(segment, (&of(numbers, &marks.0), &of(numbers, &marks.1)), evidence)
            })
            .collect();
        quoted.gather(messages, parts);
        quoted
    }

    fn want(&mut self, wish: &Wish) {
        self.sources.insert(wish.source);
        self.destinations.insert(wish.destination);
        let ends = (Rough::mark(wish.source), Rough::mark(wish.destination));
        self.rough.add(ends, wish.ports.unwrap_or_default());
        let next = self.count;
        let slot = match wish.target {
            Target::Flow(flow) => self.flows.entry(flow).or_insert(next),
            Target::Pair(pair) => self.pairs.entry(pair).or_insert(next),
            Target::Printed(flow) => self.printed.entry(flow).or_insert(next),
        };
        self.count += u32::from(*slot == next);
    }

    /// `sources` and `destinations` are the marks of the segment's addresses.
    fn look(
        &self,
        segment: &Segment,
        (sources, destinations): (&[u32], &[u32]),
        evidence: &Evidence,
    ) -> Part {
        if sources.iter().all(|mark| *mark == 0) {
            return Part::default();
        }
        let mark = |marks: &[u32], position: &u32| marks.get(*position as usize).copied().unwrap_or(0);
        let portless = !self.pairs.is_empty() || !self.printed.is_empty();
        let ends = segment.source_address.iter().zip(&segment.destination_address);
        let ports = segment.source_port.iter().zip(&segment.destination_port);
        let mut sent = vec![false; segment.addresses.len()];
        let mut part = Part::default();
        let rows = ends.zip(ports).zip(&segment.flags).enumerate();
        for (row, (((source, destination), ports), bits)) in rows {
            if *bits & flags::ICMP_ERROR != 0 {
                continue;
            }
            let marks = (mark(sources, source), mark(destinations, destination));
            if marks.0 == 0 {
                continue;
            }
            if let Some(sent) = sent.get_mut(*source as usize) {
                *sent = true;
            }
            if marks.1 == 0 {
                continue;
            }
            let ports = (*ports.0, *ports.1);
            let flow = self.rough.may_hold(marks, ports);
            if flow || portless && self.rough.may_hold(marks, (0, 0)) {
                self.remember(segment, row, evidence, &mut part.seen);
            }
        }
        let senders = segment.addresses.iter().zip(sources).zip(sent);
        let senders = senders.filter(|((_, mark), sent)| **mark != 0 && *sent);
        part.senders = senders.map(|((address, _), _)| *address).collect();
        part
    }

    /// Keeps a packet between quoted hosts when some error may quote it.
    fn remember(&self, segment: &Segment, row: usize, evidence: &Evidence, seen: &mut Vec<(u32, PacketId)>) {
        let column = |values: &[u16]| values.get(row).copied().unwrap_or_default();
        let ports = (column(&segment.source_port), column(&segment.destination_port));
        let packet = PacketId(segment.base.0 + row as u32);
        if evidence.is_duplicate(packet) {
            return;
        }
        let address = |values: &[u32]| segment.address(values.get(row).copied().unwrap_or_default());
        let (source, destination) = (address(&segment.source_address), address(&segment.destination_address));
        let protocol = segment.transport.get(row).copied().unwrap_or_default();
        let mut see = |slot: Option<&u32>| seen.extend(slot.map(|slot| (*slot, packet)));
        if !self.flows.is_empty() {
            see(self.flows.get(&flow_hash(protocol, (source, ports.0), (destination, ports.1))));
        }
        if !self.pairs.is_empty() {
            see(self.pairs.get(&pair_hash(protocol, source, destination)));
        }
        if !self.printed.is_empty() {
            see(self.printed.get(&flow_hash(protocol, (source, 0), (destination, ports.1))));
        }
    }

    /// Sorts what the segments hold by slot, in matching order within each.
    fn gather(&mut self, messages: &Messages<'_>, parts: Vec<Part>) {
        let mut starts = vec![0u32; self.count as usize + 1];
        for part in &parts {
            for (slot, _) in &part.seen {
                if let Some(count) = starts.get_mut(*slot as usize + 1) {
                    *count += 1;
                }
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut packets = vec![PacketId(0); sum as usize];
        for part in parts {
            self.senders.extend(part.senders);
            for (slot, packet) in part.seen {
                let Some(next) = next.get_mut(slot as usize) else { continue };
                if let Some(place) = packets.get_mut(*next as usize) {
                    *place = packet;
                }
                *next += 1;
            }
        }
        if let Some(order) = &messages.order {
            let mut ranks = vec![0u32; order.len()];
            for (rank, id) in order.iter().enumerate() {
                if let Some(slot) = ranks.get_mut(*id as usize) {
                    *slot = rank as u32;
                }
            }
            for pair in starts.windows(2) {
                let [start, end] = *pair else { continue };
                let Some(packets) = packets.get_mut(start as usize..end as usize) else { continue };
                packets.sort_unstable_by_key(|id| ranks.get(id.0 as usize).copied());
            }
            self.ranks = Some(ranks);
        }
        (self.packets, self.starts) = (packets, starts);
    }

    fn rank(&self, packet: PacketId) -> u32 {
        match &self.ranks {
            Some(ranks) => ranks.get(packet.0 as usize).copied().unwrap_or(u32::MAX),
            None => packet.0,
        }
    }

    /// The packets of what an error quotes, before the error and after it.
    fn split(&self, target: Target, error: PacketId) -> (&[PacketId], &[PacketId]) {
        let slot = match target {
            Target::Flow(flow) => self.flows.get(&flow),
            Target::Pair(pair) => self.pairs.get(&pair),
            Target::Printed(flow) => self.printed.get(&flow),
        };
        let range = slot.and_then(|slot| {
            let at = *slot as usize;
            Some(*self.starts.get(at)? as usize..*self.starts.get(at + 1)? as usize)
        });
        let all = range.and_then(|range| self.packets.get(range)).unwrap_or_default();
        let rank = self.rank(error);
        all.split_at(all.partition_point(|packet| self.rank(*packet) < rank))
    }

    /// The packets an error may quote, newest first.
    pub fn before(&self, target: Target, error: PacketId) -> impl Iterator<Item = PacketId> + '_ {
        self.split(target, error).0.iter().rev().take(CANDIDATES_MAX).copied()
    }

    /// The first packets after an error, which it may quote if the clocks differ a little.
    pub fn after(&self, target: Target, error: PacketId) -> impl Iterator<Item = PacketId> + '_ {
        self.split(target, error).1.iter().take(FOLLOWING_MAX).copied()
    }
}
