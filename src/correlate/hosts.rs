//! What the packets of each host that matters tell about its place: TTL, checksums left unfinished, link header.
//!
//! A packet fresh from its sender carries an initial TTL (64, 128 or 255); every router takes one off. A host that
//! leaves checksums to its network card is captured before the card has filled them in. Linux cooked headers state
//! which packets the capturing host sent.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rayon::prelude::*;

use super::Evidence;
use super::dictionary::Dictionary;
use crate::capture::LinkType;
use crate::decode::{self, Address, Decoded, HostName, Quote, Transport, transcript};
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId, Segment};

/// Hosts looked at: the ends of DNS questions and the senders of ICMP errors, in order of appearance.
const HOSTS_MAX: usize = 4096;
/// Transactions whose ends are looked at, spread evenly over all.
const PAIRS_MAX: usize = 4096;
/// Packets of one host in each direction whose bytes are read.
const READ_MAX: u32 = 64;
/// The same of hosts after the first of a capture with many.
const READ_FEW: u32 = 8;
/// The first hosts.
const FIRST_HOSTS: usize = 64;
/// Segments looked through side by side before the bytes of their packets are read.
const WAVE: usize = 16;
/// Share of a host's packets, in percent, that decides what its TTL says; the rest may be a traceroute.
const MOST_PERCENT: u64 = 90;
/// Packets whose checksum must be wrong alike before that means anything.
const WRONG_MIN: u32 = 3;
/// A TTL up to this beside higher ones of the same host is one a traceroute chose: no path takes that many hops off.
const CHOSEN_MAX: u8 = 30;
/// Initial TTLs in use (Linux and BSD, Windows, routers).
const INITIAL: [u8; 3] = [64, 128, 255];
/// Initial TTLs distances are counted from; 32 only old stacks send.
const STARTS: [u8; 4] = [32, 64, 128, 255];

/// Where a host is, seen from the capture point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The capture was taken on this host.
    Here,
    /// On this host or on its link: its packets have passed no router.
    Link,
    /// This many routers away.
    Away(u8),
    /// Cannot be told.
    #[default]
    Unknown,
}

/// What a host's packets tell.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Its address.
    pub address: Address,
    /// Packets it sent that state a TTL and are no copies; multicast and neighbour discovery are not counted.
    pub sent: u64,
    /// Those of them with an initial TTL.
    pub initial: u64,
    /// The TTL its packets carry most, 0 for none.
    pub ttl: u8,
    /// Packets that carry it.
    pub with_ttl: u64,
    /// A packet it sent that is no ICMP error, with its TTL.
    pub sample: Option<(PacketId, u8)>,
    /// Packets it sent whose transport checksum was read.
    pub checked: u32,
    /// Those of them with the pseudo-header's sum only, as senders leave it to their network card.
    pub unfinished: u32,
    /// Those of them with another wrong checksum.
    pub wrong: u32,
    /// Packets sent to it whose checksum was read.
    pub checked_to: u32,
    /// Those of them with a wrong or unfinished checksum.
    pub wrong_to: u32,
    /// Packets of it that a cooked header calls sent by the capturing host.
    pub outgoing: u32,
    /// Packets of it that a cooked header calls received.
    pub incoming: u32,
    /// It sent an ICMP error to itself, which never leaves a host.
    pub told_itself: bool,
    /// Link address its packets come from.
    pub link: Option<[u8; 6]>,
    /// Where that puts it.
    pub place: Place,
    counts: Vec<(u8, u64)>,
    /// Packets from it and to it whose bytes were read.
    read: [u32; 2],
}

impl Sight {
    /// Whether its checksums show that the capture was taken before its network card filled them in.
    pub fn leaves_checksums_to_card(&self) -> bool {
        let unfinished = self.checked > 0 && self.unfinished * 10 >= self.checked * 9;
        let wrong = self.wrong >= WRONG_MIN && self.wrong == self.checked && self.checked_to >= WRONG_MIN;
        // A cooked header says of what came in that another host sent it.
        (unfinished || wrong) && self.wrong_to == 0 && self.incoming == 0
    }

    /// Whether cooked headers show that the capturing host sent its packets and received none of them.
    pub fn is_marked_outgoing(&self) -> bool {
        self.outgoing > 0 && self.incoming == 0
    }

    fn locate(&mut self) {
        self.counts.sort_unstable_by_key(|(ttl, count)| (std::cmp::Reverse(*count), *ttl));
        // Routers take a few hops off; what is left with less beside packets with more, a trace's sender chose (RFC 792, time exceeded).
        let chosen: u64 =
            self.counts.iter().filter(|(ttl, _)| *ttl <= CHOSEN_MAX).map(|(_, count)| *count).sum();
        let only_chosen = chosen == self.sent;
        let sent = if only_chosen { self.sent } else { self.sent - chosen };
        let initial = self.initial;
        let usual = self.counts.iter().find(|(ttl, _)| only_chosen || *ttl > CHOSEN_MAX);
        (self.ttl, self.with_ttl) = usual.copied().unwrap_or_default();
        let most = |count: u64| sent > 0 && count * 100 >= sent * MOST_PERCENT;
        let fresh = most(initial) || self.sent == 0;
        self.place = if self.told_itself
            || fresh && (self.leaves_checksums_to_card() || self.is_marked_outgoing())
            || is_loopback(self.address)
        {
            Place::Here
        } else if most(initial) {
            Place::Link
        } else if most(sent.saturating_sub(initial)) {
            hops(self.ttl).map_or(Place::Unknown, Place::Away)
        } else {
            Place::Unknown
        };
    }
}

/// The TTL a packet most likely started with, the nearest usual one; `None` where no TTL was recorded.
pub fn initial(ttl: u8) -> Option<u8> {
    STARTS.into_iter().find(|initial| ttl > 0 && *initial >= ttl)
}

/// Routers a packet has passed, from the nearest usual initial TTL; `None` where no TTL was recorded.
pub fn hops(ttl: u8) -> Option<u8> {
    initial(ttl).map(|initial| initial - ttl)
}

/// Whether an address never leaves its host.
pub fn is_loopback(address: Address) -> bool {
    address.ip().is_some_and(|ip| ip.is_loopback()) || address.name().is_some_and(HostName::is_loopback)
}

/// One question's client and server.
pub(super) type Pair = (Address, Address);

/// Looks at the hosts that matter; gives the pairs of client and server looked at, for the vantage.
pub(super) fn look(index: &Index, evidence: &Evidence) -> Seen {
    let dictionary = Dictionary::new(index);
    let mut sights = Sights::default();
    let mut pairs = Vec::new();
    let step = evidence.transactions.len().div_ceil(PAIRS_MAX).max(1);
    for transaction in evidence.transactions.iter().step_by(step) {
        let Some(packet) = index.packet(transaction.first) else { continue };
        let pair = (packet.source_address(), packet.destination_address());
        sights.want(pair.0);
        sights.want(pair.1);
        pairs.push(pair);
    }
    let none_asked = pairs.is_empty();
    for segment in index.segments().iter().filter(|segment| !segment.icmp.is_empty()) {
        let mut seen = vec![false; segment.addresses.len()];
        for row in &segment.icmp {
            if sights.all.len() >= HOSTS_MAX {
                break;
            }
            let Some(packet) = index.packet(row.packet) else { continue };
            let position = |column: &[u32]| column.get(packet.row).copied().unwrap_or(NONE);
            let (from, to) = (position(&segment.source_address), position(&segment.destination_address));
            let again = seen.get_mut(from as usize).is_some_and(|seen| std::mem::replace(seen, true));
            if (!again || from == to)
                && let Some(sight) = sights.want(segment.address(from))
            {
                sight.told_itself |= from == to;
            }
            if none_asked && pairs.len() < PAIRS_MAX {
                let decoded = packet.decode();
                if let Some(inner) = Quote::read(&decoded).map(|quote| quote.inner)
                    && inner.ports().is_some_and(|ports| index.settings.is_dns_port(ports.1))
                {
                    sights.want(inner.source);
                    sights.want(inner.destination);
                    pairs.push((inner.source, inner.destination));
                }
            }
        }
    }
    let mut wanted = dictionary.table(NONE);
    for (address, at) in &sights.by_address {
        let slot = dictionary.number(*address).and_then(|number| wanted.get_mut(number as usize));
        if let Some(slot) = slot {
            *slot = *at;
        }
    }
    let numbered: Vec<(usize, &Arc<Segment>)> = index.segments().iter().enumerate().collect();
    for wave in numbered.chunks(WAVE) {
        let shared = &sights;
        let wanted = |at| {
            let numbers = dictionary.of_segment(at).iter();
            numbers.map(|number| wanted.get(*number as usize).copied().unwrap_or(NONE))
        };
        let parts: Vec<Part> = wave
            .par_iter()
            .map(|(at, segment)| shared.look_through(evidence, segment, wanted(*at)))
            .collect();
        for ((_, segment), part) in wave.iter().zip(parts) {
            sights.take(index, segment, part);
        }
    }

    for sight in &mut sights.all {
        sight.locate();
        sight.counts = Vec::new();
    }
    if index.sources.len() == 1 {
        doubt_checksums(&mut sights.all);
    }
    sights.all.sort_unstable_by_key(|sight| sight.address);
    Seen { sights: sights.all, pairs }
}

/// Several hosts of one file that leave their checksums to the card are on virtual links, where nobody fills them in: that shows no
/// place.
fn doubt_checksums(sights: &mut [Sight]) {
    let left = |sight: &&Sight| sight.checked > 0 && sight.unfinished * 10 >= sight.checked * 9;
    let near = |sight: &&Sight| matches!(sight.place, Place::Here | Place::Link);
    let links: std::collections::BTreeSet<_> =
        sights.iter().filter(left).filter(near).filter_map(|sight| sight.link).collect();
    if links.len() < 2 {
        return;
    }
    let by_sums = |sight: &&mut Sight| {
        sight.place == Place::Here
            && !sight.told_itself
            && !sight.is_marked_outgoing()
            && !is_loopback(sight.address)
    };
    sights.iter_mut().filter(by_sums).for_each(|sight| sight.place = Place::Link);
}

/// What was seen of the hosts that matter.
pub(super) struct Seen {
    /// The hosts, by address.
    pub sights: Vec<Sight>,
    /// The client and server of the questions looked at.
    pub pairs: Vec<Pair>,
}

/// What one segment holds of one host, besides what is counted for every packet.
struct Tally {
    host: u32,
    /// TTLs other than the one seen last, with the packets that carry them.
    others: Vec<(u8, u64)>,
    sample: Option<(PacketId, u8)>,
    /// Packets from it and to it that may still be noted for reading.
    left: [u8; 2],
}

/// What every packet of a host changes: small, so that all hosts of a segment fit the cache.
#[derive(Clone, Copy, Default)]
struct Hot {
    /// Packets with the TTL seen last; most hosts have no other.
    packets: u32,
    ttl: u8,
    /// The next packet may tell more than its TTL.
    watched: bool,
}

/// What one segment holds of the hosts that matter.
#[derive(Default)]
struct Part {
    /// Positions in `tallies` plus 1 by position in the segment's dictionary; 0 for other hosts.
    slots: Vec<u16>,
    /// The hosts the segment knows, with what it holds of each.
    tallies: Vec<(Tally, Hot)>,
    /// Rows whose bytes may be worth reading.
    rows: Vec<u32>,
}

/// Marks of a destination: packets to it are not counted, or may be worth reading.
const ASIDE: u8 = 1;
const WATCHED: u8 = 2;

#[derive(Default)]
struct Sights {
    all: Vec<Sight>,
    by_address: HashMap<Address, u32, foldhash::fast::FixedState>,
}

/// No host.
const NONE: u32 = u32::MAX;
const ICMPV6: u8 = 58;

impl Sights {
    fn want(&mut self, address: Address) -> Option<&mut Sight> {
        if let Some(at) = self.by_address.get(&address) {
            return self.all.get_mut(*at as usize);
        }
        if self.all.len() >= HOSTS_MAX || !address.is_host() {
            return None;
        }
        self.by_address.insert(address, self.all.len() as u32);
        self.all.push(Sight { address, ..Sight::default() });
        self.all.last_mut()
    }

    /// Packets of a host that are read in one direction.
    fn limit(at: u32) -> u32 {
        if (at as usize) < FIRST_HOSTS { READ_MAX } else { READ_FEW }
    }

    /// Packets of a host that may still be read in one direction.
    fn left(&self, at: u32, side: usize) -> u8 {
        let read = self.all.get(at as usize).and_then(|sight| sight.read.get(side));
        read.map_or(0, |read| Self::limit(at).saturating_sub(*read) as u8)
    }

    /// Counts TTLs in one segment, and notes the packets to read; `wanted` gives the host of each of its addresses.
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "lazy operators are branches, and the processor guesses these badly"
    )]
    fn look_through(
        &self,
        evidence: &Evidence,
        segment: &Segment,
        wanted: impl Iterator<Item = u32>,
    ) -> Part {
        let mut tallies: Vec<Tally> = Vec::new();
        let mut hot = vec![Hot::default()];
        let slot = |host: u32| {
            let Some(sight) = self.all.get(host as usize) else { return 0 };
            let left = [self.left(host, 0), self.left(host, 1)];
            tallies.push(Tally { host, others: Vec::new(), sample: sight.sample, left });
            // What earlier segments hold tells what to expect of this one.
            let ttl = sight.counts.first().map_or(0, |(ttl, _)| *ttl);
            hot.push(Hot { packets: 0, ttl, watched: sight.sample.is_none() || left[0] > 0 });
            tallies.len() as u16
        };
        let slots: Vec<u16> = wanted.map(slot).collect();
        if tallies.is_empty() {
            return Part::default();
        }
        let slot_of = |position: &u32| slots.get(*position as usize).copied().unwrap_or(0);
        let watches = |slot: u16, side: usize| {
            let tally = usize::from(slot).checked_sub(1).and_then(|at| tallies.get(at));
            tally.is_some_and(|tally| tally.left.get(side).is_some_and(|left| *left > 0))
        };
        let marks = segment.addresses.iter().zip(&slots).map(|(address, slot)| {
            (u8::from(is_multicast(*address)) * ASIDE) | (u8::from(watches(*slot, 1)) * WATCHED)
        });
        let mut marks: Vec<u8> = marks.collect();
        let copies = evidence.duplicates().len() > 0;
        let mut rows = Vec::new();
        let columns = segment.source_address.iter().zip(&segment.destination_address);
        let values = segment.ttl.iter().zip(&segment.flags).zip(&segment.transport);
        for (row, ((source, destination), ((ttl, bits), transport))) in columns.zip(values).enumerate() {
            let from = usize::from(slot_of(source));
            let mark = marks.get(*destination as usize).copied().unwrap_or(ASIDE);
            let Some(host) = hot.get_mut(from) else { continue };
            // Most packets only add to a count; one condition tells them, since the processor guesses it right.
            let known = (host.ttl == *ttl)
                & !host.watched
                & (bits & flags::TUNNEL == 0)
                & (*transport != ICMPV6)
                & !copies;
            if (mark == 0) & (known | (from == 0)) {
                host.packets += 1;
                continue;
            }
            let to = slot_of(destination);
            if mark & ASIDE != 0 || from == 0 && to == 0 {
                continue;
            }
            let id = PacketId(segment.base.0 + row as u32);
            let aside = bits & flags::TUNNEL != 0 || is_neighbour_discovery(segment, row);
            if aside || evidence.is_duplicate(id) {
                continue;
            }
            let mut read = false;
            if let Some(tally) = from.checked_sub(1).and_then(|at| tallies.get_mut(at)) {
                read = tally.note(0);
                if *ttl > 0 {
                    if host.ttl != *ttl {
                        host.turn(tally, *ttl);
                    }
                    if bits & flags::ICMP_ERROR == 0 {
                        tally.sample = tally.sample.or(Some((id, *ttl)));
                    }
                    host.packets += 1;
                }
                let [left, _] = tally.left;
                host.watched = tally.sample.is_none() || left > 0;
            }
            if let Some(tally) = usize::from(to).checked_sub(1).and_then(|at| tallies.get_mut(at)) {
                read |= tally.note(1);
                let [_, left] = tally.left;
                if let Some(mark) = marks.get_mut(*destination as usize).filter(|_| left == 0) {
                    *mark &= !WATCHED;
                }
            }
            if read {
                rows.push(row as u32);
            }
        }
        let tallies = tallies.into_iter().zip(hot.into_iter().skip(1)).collect();
        Part { slots, tallies, rows }
    }

    /// Adds what a segment holds; segments come in order.
    fn take(&mut self, index: &Index, segment: &Segment, part: Part) {
        let mut numbers = Vec::with_capacity(part.tallies.len());
        for (tally, hot) in part.tallies {
            numbers.push(tally.host);
            if let Some(sight) = self.all.get_mut(tally.host as usize) {
                sight.add(tally, hot);
            }
        }
        let number = |column: &[u32], row: u32| {
            let position = column.get(row as usize).copied().unwrap_or(NONE);
            let slot = part.slots.get(position as usize).copied().unwrap_or(0);
            let at = usize::from(slot).checked_sub(1);
            at.and_then(|at| numbers.get(at)).copied().unwrap_or(NONE)
        };
        for row in part.rows {
            let (from, to) =
                (number(&segment.source_address, row), number(&segment.destination_address, row));
            if self.left(from, 0) == 0 && self.left(to, 1) == 0 {
                continue;
            }
            if let Some(packet) = index.packet(PacketId(segment.base.0 + row)) {
                self.detail(&packet, from, to);
            }
        }
    }

    /// Reads what only a packet's bytes tell.
    fn detail(&mut self, packet: &Packet<'_>, from: u32, to: u32) {
        if packet.link_type() == LinkType::TRANSCRIPT {
            return;
        }
        let decoded = packet.decode();
        let sum = checksum(&decoded);
        if let Some(sight) = self.all.get_mut(to as usize).filter(|sight| sight.read[1] < Self::limit(to)) {
            sight.read[1] += 1;
            sight.checked_to += u32::from(sum.is_some());
            sight.wrong_to += u32::from(matches!(sum, Some(Sum::Unfinished | Sum::Wrong)));
        }
        let limit = Self::limit(from);
        let Some(sight) = self.all.get_mut(from as usize).filter(|sight| sight.read[0] < limit) else {
            return;
        };
        sight.read[0] += 1;
        sight.checked += u32::from(sum.is_some());
        sight.unfinished += u32::from(sum == Some(Sum::Unfinished));
        sight.wrong += u32::from(sum == Some(Sum::Wrong));
        match cooked_kind(packet.link_type(), decoded.bytes) {
            Some(OUTGOING) => sight.outgoing = sight.outgoing.saturating_add(1),
            Some(_) => sight.incoming = sight.incoming.saturating_add(1),
            None => {}
        }
        sight.link = sight.link.or(decoded.link_addresses.map(|addresses| addresses.0));
    }
}

impl Tally {
    /// Whether a packet may be worth reading; counts it if so.
    fn note(&mut self, side: usize) -> bool {
        let Some(left) = self.left.get_mut(side).filter(|left| **left > 0) else { return false };
        *left -= 1;
        true
    }
}

impl Hot {
    /// Files the count of the TTL seen last and begins another.
    fn turn(&mut self, tally: &mut Tally, ttl: u8) {
        if self.packets > 0 {
            count(&mut tally.others, self.ttl, u64::from(self.packets));
        }
        (self.ttl, self.packets) = (ttl, 0);
    }
}

impl Sight {
    fn add(&mut self, tally: Tally, hot: Hot) {
        let last = (hot.packets > 0).then_some((hot.ttl, u64::from(hot.packets)));
        for (ttl, packets) in tally.others.into_iter().chain(last) {
            self.sent += packets;
            self.initial += if INITIAL.contains(&ttl) { packets } else { 0 };
            count(&mut self.counts, ttl, packets);
        }
        self.sample = self.sample.or(tally.sample);
    }
}

fn count(counts: &mut Vec<(u8, u64)>, ttl: u8, packets: u64) {
    match counts.iter_mut().find(|(known, _)| *known == ttl) {
        Some((_, count)) => *count += packets,
        None => counts.push((ttl, packets)),
    }
}

/// Broadcast and multicast addresses, and what is no address.
pub(super) fn is_multicast(address: Address) -> bool {
    match address.ip() {
        Some(IpAddr::V4(ip)) => ip.is_multicast() || ip.is_broadcast(),
        Some(IpAddr::V6(ip)) => ip.is_multicast(),
        None => !address.is_host(),
    }
}

/// Router and neighbour discovery carry hop limit 255 whoever sends them (RFC 4861 §4).
fn is_neighbour_discovery(segment: &Segment, row: usize) -> bool {
    segment.transport.get(row) == Some(&ICMPV6)
        && segment.source_port.get(row).is_some_and(|kind| (133..=137).contains(kind))
}

/// Packet type of cooked headers: sent by the capturing host (`LINKTYPE_LINUX_SLL`).
pub(super) const OUTGOING: u8 = 4;

pub(super) fn cooked_kind(link: LinkType, bytes: &[u8]) -> Option<u8> {
    match link {
        LinkType::LINUX_SLL => bytes.get(1).copied(),
        LinkType::LINUX_SLL2 => bytes.get(10).copied(),
        _ => None,
    }
}

/// How a transport checksum stands to its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    Right,
    /// What a sender leaves to its network card.
    Unfinished,
    Wrong,
}

/// Verifies a transport checksum; `None` where there is none or not all bytes are there.
pub(super) fn checksum(decoded: &Decoded<'_>) -> Option<Sum> {
    let (protocol, at) = match decoded.transport {
        Transport::Udp { .. } => (UDP, 6),
        Transport::Tcp { .. } => (TCP, 16),
        _ => return None,
    };
    let end = (decoded.network_start + decoded.ip_length) as usize;
    if decoded.fragment.is_some() || decoded.ip_length == 0 {
        return None;
    }
    let bytes = decoded.bytes.get(decoded.transport_start as usize..end)?;
    let stated = bytes.get(at..at + 2)?.first_chunk::<2>().map(|pair| u16::from_be_bytes(*pair))?;
    if protocol == UDP && stated == 0 {
        return None;
    }
    let (pseudo, left) = pseudo_sums(decoded, protocol, bytes.len() as u32)?;
    Some(if decode::checksum(pseudo, bytes) == 0 {
        Sum::Right
    } else if left.contains(&stated) {
        Sum::Unfinished
    } else {
        Sum::Wrong
    })
}

/// What a line says of the checksum of a datagram: `[bad udp cksum 0x8274 -> 0x871c!]`; `None` where it says nothing.
pub(super) fn printed_checksum(packet: &Packet<'_>) -> Option<Sum> {
    let stated = match packet.printed()?.udp_sum()? {
        transcript::UdpSum::Right => return Some(Sum::Right),
        transcript::UdpSum::Wrong(stated) => stated,
    };
    let decoded = packet.decode();
    let header = if packet.source_address().is_v6() { 40 } else { 20 };
    let length = decoded.ip_length.checked_sub(header)?;
    let (_, left) = pseudo_sums(&decoded, UDP, length)?;
    Some(if left.contains(&stated) { Sum::Unfinished } else { Sum::Wrong })
}

/// The sum over the pseudo-header, and what the kernel leaves of it in the packet: the same, in large sends without the length.
fn pseudo_sums(decoded: &Decoded<'_>, protocol: u32, length: u32) -> Option<(u32, [u16; 2])> {
    let words: Vec<u8> = match (decoded.source.ip()?, decoded.destination.ip()?) {
        (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
        (IpAddr::V6(from), IpAddr::V6(to)) => [from.octets(), to.octets()].concat(),
        _ => return None,
    };
    let addresses = u32::from(!decode::checksum(0, &words));
    let pseudo = addresses + protocol + length;
    Some((pseudo, [pseudo, addresses + protocol].map(|sum| !decode::checksum(sum, &[]))))
}

/// TCP's protocol number.
const TCP: u32 = 6;
/// UDP's.
const UDP: u32 = 17;

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(last: u8, link: u8) -> Sight {
        let mut sight = Sight {
            address: Address::V4(std::net::Ipv4Addr::new(192, 0, 2, last)),
            sent: 5,
            initial: 5,
            checked: 5,
            unfinished: 5,
            link: Some([2, 0, 0, 0, 0, link]),
            counts: vec![(64, 5)],
            ..Sight::default()
        };
        sight.locate();
        sight
    }

    #[test]
    fn checksums_that_several_hosts_leave_to_their_cards_show_no_place() {
        let mut one = vec![sight(1, 1), sight(2, 1)];
        doubt_checksums(&mut one);
        assert!(one.iter().all(|sight| sight.place == Place::Here));
        let mut two = vec![sight(1, 1), sight(2, 2)];
        doubt_checksums(&mut two);
        assert!(two.iter().all(|sight| sight.place == Place::Link));
    }
}
