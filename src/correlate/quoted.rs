//! Remembers the packets that ICMP errors may quote: of each quoted flow its packets, in matching order.
//!
//! No table holds flows that no error quotes.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::dictionary::Dictionary;
use super::messages::Messages;
use super::prints::{COMPARED_MAX, Print, Prints};
use super::weigh::Error;
use super::{Evidence, printed};
use crate::decode::Address;
use crate::index::segment::{flags, flow_hash};
use crate::index::{PacketId, Segment};

/// Packets a printed error is weighed against, newest first.
const PRINTED_MAX: usize = 64;
/// Packets after an error in the file that are looked at when none before fits.
const FOLLOWING_MAX: usize = 4;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;
type Set<K> = HashSet<K, foldhash::fast::FixedState>;

/// Bits for each error in the table that sorts most packets out, and all bits at most (they fit the second cache).
const ROUGH_BITS: usize = 16;
const ROUGH_BITS_MAX: usize = 1 << 21;

/// Quoted pairs of addresses, by their numbers, with ports, a bit each: a packet without its bit is quoted by no error.
#[derive(Default)]
struct Rough(Vec<u64>);

impl Rough {
    fn new(wishes: usize) -> Self {
        let bits = (wishes * ROUGH_BITS).next_power_of_two().clamp(64, ROUGH_BITS_MAX);
        Self(vec![0; bits / 64])
    }

    /// Word and bit of a source and a destination, with their ports or none.
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
    /// Two hosts, whatever the protocol, for printed errors that name the receiver alone.
    Hosts(u64),
}

/// What one error says that decides which packets are kept for it.
#[derive(Clone, Copy)]
struct Wish {
    target: Target,
    source: Address,
    /// The numbers of source and destination; `None` for an address that no packet carries.
    ends: (Option<u32>, Option<u32>),
    ports: Option<(u16, u16)>,
}

/// The hash of two hosts; protocol 0 stands for any.
pub(super) fn pair_hash(protocol: u8, source: Address, destination: Address) -> u64 {
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
    fn read(messages: &Messages<'_>, dictionary: &Dictionary, packet: PacketId) -> Option<Self> {
        let ends = |source, destination| (dictionary.number(source), dictionary.number(destination));
        if let Some(error) = Error::read(messages.index, packet) {
            let inner = &error.quote.inner;
            let ends = ends(inner.source, inner.destination);
            return Some(Self {
                target: Target::of(&error),
                source: inner.source,
                ends,
                ports: inner.ports(),
            });
        }
        let error = printed::Error::read(messages.index, packet)?;
        let ends = ends(error.client, error.server.0);
        Some(Self { target: error.target(), source: error.client, ends, ports: None })
    }
}

/// Words of a bit for each port.
const PORT_WORDS: usize = (1 << 16) / 64;

/// What errors quote an address as, with ports and without.
const SOURCE: u8 = 1;
const DESTINATION: u8 = 2;
const BARE_SOURCE: u8 = 4;
const BARE_DESTINATION: u8 = 8;

/// What errors quote, and the packets seen of it.
#[derive(Default)]
pub(super) struct Quoted {
    flows: Map<u64, u32>,
    pairs: Map<u64, u32>,
    printed: Map<u64, u32>,
    hosts: Map<u64, u32>,
    /// Flows, pairs, printed flows and hosts together.
    count: u32,
    rough: Rough,
    /// A bit for each source port that is quoted.
    ports: Vec<u64>,
    /// Quoted sources of which at least one packet is in the capture.
    pub senders: Set<Address>,
    /// The packets of all slots, slot after slot, and where each slot begins.
    packets: Vec<PacketId>,
    starts: Vec<u32>,
    /// What the packets of slots with many of them carry, by slot.
    prints: Map<u32, Prints>,
    /// Rank of each packet in the order of time, where that is not file order.
    ranks: Option<Vec<u32>>,
}

/// What of all addresses errors quote, by number.
struct Ends {
    /// [`SOURCE`], [`DESTINATION`] and so on.
    kinds: Vec<u8>,
    /// Whether the address, quoted as a source, sent a packet.
    sent: Vec<AtomicBool>,
}

impl Ends {
    fn new(dictionary: &Dictionary, wishes: &[Wish]) -> Self {
        let mut kinds = dictionary.table(0);
        for Wish { ends: (source, destination), ports, .. } in wishes {
            let as_what =
                if ports.is_some() { (SOURCE, DESTINATION) } else { (BARE_SOURCE, BARE_DESTINATION) };
            for (number, kind) in [(source, as_what.0), (destination, as_what.1)] {
                if let Some(slot) = number.and_then(|number| kinds.get_mut(number as usize)) {
                    *slot |= kind;
                }
            }
        }
        let sent = kinds.iter().map(|_| AtomicBool::new(false)).collect();
        Self { kinds, sent }
    }

    fn has_sent(&self, number: u32) -> bool {
        self.sent.get(number as usize).is_some_and(|sent| sent.load(Ordering::Relaxed))
    }
}

/// Protocol, sender, and receiver with its port.
pub(super) type Sent = (u8, Address, (Address, u16));

/// The packets of one segment that errors quote: slot and packet.
type Seen = Vec<(u32, PacketId)>;

impl Quoted {
    /// Reads all errors and finds the packets they may quote.
    pub fn find(
        messages: &Messages<'_>,
        dictionary: &Dictionary,
        evidence: &Evidence,
        cancel: &AtomicBool,
    ) -> Self {
        let errors: Vec<PacketId> = messages.index.icmp_rows().map(|row| row.packet).collect();
        let read = |packet: &PacketId| Wish::read(messages, dictionary, *packet);
        let wishes: Vec<Wish> = errors.par_iter().filter_map(read).collect();
        Self::of_wishes(messages, (dictionary, evidence), &wishes, cancel)
    }

    /// Finds what was sent by a host to another and its port.
    pub fn between(
        messages: &Messages<'_>,
        (dictionary, evidence): (&Dictionary, &Evidence),
        flows: &[Sent],
        cancel: &AtomicBool,
    ) -> Self {
        let wish = |(protocol, source, to): &Sent| Wish {
            target: Target::Printed(flow_hash(*protocol, (*source, 0), *to)),
            source: *source,
            ends: (dictionary.number(*source), dictionary.number(to.0)),
            ports: None,
        };
        let wishes: Vec<Wish> = flows.iter().map(wish).collect();
        Self::of_wishes(messages, (dictionary, evidence), &wishes, cancel)
    }

    fn of_wishes(
        messages: &Messages<'_>,
        (dictionary, evidence): (&Dictionary, &Evidence),
        wishes: &[Wish],
        cancel: &AtomicBool,
    ) -> Self {
        let rough = Rough::new(wishes.len());
        let mut quoted = Self { rough, ports: vec![0; PORT_WORDS], ..Self::default() };
        for wish in wishes {
            quoted.want(wish);
        }
        if quoted.count == 0 {
            return quoted;
        }
        let ends = Ends::new(dictionary, wishes);
        let segments = messages.index.segments().par_iter().enumerate();
        let parts = segments.map(|(at, segment)| {
            if cancel.load(Ordering::Relaxed) {
                return Seen::new();
            }
            quoted.look(segment, dictionary.of_segment(at), &ends, evidence)
        });
        let parts: Vec<Seen> = parts.collect();
        quoted.gather(messages, &parts);
        quoted.read_prints(messages);
        let sent = wishes.iter().filter(|wish| wish.ends.0.is_some_and(|number| ends.has_sent(number)));
        quoted.senders = sent.map(|wish| wish.source).collect();
        quoted
    }

    fn want(&mut self, wish: &Wish) {
        if let (Some(source), Some(destination)) = wish.ends {
            self.rough.add((source, destination), wish.ports.unwrap_or_default());
        }
        if let Some((source, _)) = wish.ports
            && let Some(word) = self.ports.get_mut(usize::from(source / 64))
        {
            *word |= 1 << (source % 64);
        }
        let next = self.count;
        let slot = match wish.target {
            Target::Flow(flow) => self.flows.entry(flow).or_insert(next),
            Target::Pair(pair) => self.pairs.entry(pair).or_insert(next),
            Target::Printed(flow) => self.printed.entry(flow).or_insert(next),
            Target::Hosts(pair) => self.hosts.entry(pair).or_insert(next),
        };
        self.count += u32::from(*slot == next);
    }

    /// Finds the packets of a segment that errors may quote; `numbers` are those of its addresses.
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "lazy operators are branches, and the processor guesses these badly"
    )]
    fn look(&self, segment: &Segment, numbers: &[u32], ends: &Ends, evidence: &Evidence) -> Seen {
        let kind = |number: &u32| ends.kinds.get(*number as usize).copied().unwrap_or(0);
        // A byte an address, so that those of a segment fit the first cache.
        let kinds: Vec<u8> = numbers.iter().map(kind).collect();
        if kinds.iter().all(|kind| kind & (SOURCE | BARE_SOURCE) == 0) {
            return Seen::new();
        }
        let of = |position: u32| kinds.get(position as usize).copied().unwrap_or(0);
        let number = |position: u32| numbers.get(position as usize).copied().unwrap_or(u32::MAX);
        let ports = segment.source_port.iter().zip(&segment.destination_port);
        let addresses = segment.source_address.iter().zip(&segment.destination_address);
        let mut sent = vec![false; kinds.len()];
        let mut seen = Seen::new();
        for (row, (((source, destination), ports), bits)) in
            addresses.zip(ports).zip(&segment.flags).enumerate()
        {
            let (source, destination) = (*source, *destination);
            let is_error = bits & flags::ICMP_ERROR != 0;
            if let Some(sent) = sent.get_mut(source as usize) {
                *sent |= !is_error;
            }
            let word = self.ports.get(usize::from(ports.0 / 64)).copied().unwrap_or(0);
            let (from, to) = (of(source), of(destination));
            let port = word >> (ports.0 % 64) & 1 != 0;
            let flow = port & (from & SOURCE != 0) & (to & DESTINATION != 0);
            let bare = (from & BARE_SOURCE != 0) & (to & BARE_DESTINATION != 0);
            if is_error | !(flow | bare) {
                continue;
            }
            let ends = (number(source), number(destination));
            if flow && self.rough.may_hold(ends, (*ports.0, *ports.1))
                || bare && self.rough.may_hold(ends, (0, 0))
            {
                self.remember(segment, row, evidence, &mut seen);
            }
        }
        for ((number, kind), sent) in numbers.iter().zip(kinds).zip(sent) {
            if sent
                && kind & (SOURCE | BARE_SOURCE) != 0
                && let Some(slot) = ends.sent.get(*number as usize)
            {
                slot.store(true, Ordering::Relaxed);
            }
        }
        seen
    }

    /// Keeps a packet between quoted hosts when some error may quote it.
    fn remember(&self, segment: &Segment, row: usize, evidence: &Evidence, seen: &mut Seen) {
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
        if !self.hosts.is_empty() {
            see(self.hosts.get(&pair_hash(0, source, destination)));
        }
    }

    /// Sorts what the segments hold by slot, in matching order within each.
    fn gather(&mut self, messages: &Messages<'_>, parts: &[Seen]) {
        let mut starts = vec![0u32; self.count as usize + 1];
        for (slot, _) in parts.iter().flatten() {
            if let Some(count) = starts.get_mut(*slot as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut packets = vec![PacketId(0); sum as usize];
        for (slot, packet) in parts.iter().flatten() {
            let Some(next) = next.get_mut(*slot as usize) else { continue };
            if let Some(place) = packets.get_mut(*next as usize) {
                *place = *packet;
            }
            *next += 1;
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

    fn read_prints(&mut self, messages: &Messages<'_>) {
        let slots = self.starts.windows(2).zip(0u32..).filter_map(|(ends, slot)| {
            let [start, end] = *ends else { return None };
            let packets = self.packets.get(start as usize..end as usize)?;
            (packets.len() > COMPARED_MAX).then_some((slot, packets))
        });
        let slots: Vec<(u32, &[PacketId])> = slots.collect();
        let read = |(slot, packets): &(u32, &[PacketId])| (*slot, Prints::read(messages.index, packets));
        self.prints = slots.par_iter().map(read).collect();
    }

    fn slot(&self, target: Target) -> Option<u32> {
        let slot = match target {
            Target::Flow(flow) => self.flows.get(&flow),
            Target::Pair(pair) => self.pairs.get(&pair),
            Target::Printed(flow) => self.printed.get(&flow),
            Target::Hosts(pair) => self.hosts.get(&pair),
        };
        slot.copied()
    }

    /// The packets of what an error quotes, before the error and after it.
    fn split(&self, target: Target, error: PacketId) -> (&[PacketId], &[PacketId]) {
        let range = self.slot(target).and_then(|slot| {
            let at = slot as usize;
            Some(*self.starts.get(at)? as usize..*self.starts.get(at + 1)? as usize)
        });
        let all = range.and_then(|range| self.packets.get(range)).unwrap_or_default();
        let rank = self.rank(error);
        all.split_at(all.partition_point(|packet| self.rank(*packet) < rank))
    }

    /// The packets an error may quote, newest first: all of a few, and of many those that carry what it quotes.
    pub fn before(&self, error: &Error<'_>, target: Target) -> impl Iterator<Item = PacketId> + '_ {
        let (packets, _) = self.split(target, error.head.packet);
        let prints = self.slot(target).and_then(|slot| self.prints.get(&slot));
        let places = prints
            .filter(|_| packets.len() > COMPARED_MAX)
            .map(|prints| prints.places(Print::of(&error.quote.inner), packets.len() as u32));
        let all = if places.is_some() { 0 } else { packets.len() };
        let chosen = places.unwrap_or_default().into_iter().map(|at| at as usize);
        chosen.chain((0..all).rev()).filter_map(|at| packets.get(at).copied())
    }

    /// What a host sent to another and its port before an error, as far as it may be quoted, newest first.
    pub fn sent(
        &self,
        (protocol, source, to): Sent,
        error: &Error<'_>,
    ) -> impl Iterator<Item = PacketId> + '_ {
        self.before(error, Target::Printed(flow_hash(protocol, (source, 0), to)))
    }

    /// The newest packets before a printed error.
    pub fn newest(&self, target: Target, error: PacketId) -> impl Iterator<Item = PacketId> + '_ {
        self.split(target, error).0.iter().rev().take(PRINTED_MAX).copied()
    }

    /// The first packets after an error, which it may quote if the clocks differ a little.
    pub fn after(&self, target: Target, error: PacketId) -> impl Iterator<Item = PacketId> + '_ {
        self.split(target, error).1.iter().take(FOLLOWING_MAX).copied()
    }
}
