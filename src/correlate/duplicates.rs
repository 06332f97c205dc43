//! Recognises packets captured twice: mirror ports, both sides of a router, both sides of a NAT.
//!
//! DNS messages and ICMP errors are always compared. All other packets are compared only when a sample or those
//! show that the capture holds copies, because that means reading every packet's bytes again.

mod lines;
mod same;

use crate::settings::Settings;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::messages::Messages;
use super::{Evidence, Parameters};
use crate::decode::{Address, Decoded, LayerKind, Quote, Site, Transport, transcript};
use crate::index::segment::{self, DnsKind, flow_hash};
use crate::index::{DnsRow, IcmpRow, Index, Packet, PacketId};
use crate::time::Nanos;
use same::{COMMON_MIN, above_network, are_equal, are_same, around_checksum};

/// Recent packets remembered, by hash; a copy follows within milliseconds.
const RECENT_MAX: usize = 1 << 16;
/// Packets at the beginning that are compared to see whether the capture holds copies at all.
const SAMPLE: u32 = segment::FIRST_PACKETS;
/// Segments that open connections behind them which are compared to see whether a translator is in between.
const OPENING_MAX: usize = 1 << 14;
/// One copy in this many packets of the sample makes all packets be compared.
const SAMPLE_SHARE: u32 = 20;
/// Messages looked through by one thread at a time; with those before, their places fit 16 bits.
const BLOCK: u32 = 1 << 15;
/// One segment in this many is a copy where a capture point doubles what it sees.
const DOUBLED_ONE_IN: u32 = 4;
/// Protocol number of TCP.
const TCP: u8 = 6;
/// Bytes of a payload that tell it where captures were cut: short snap lengths keep no more behind the headers.
const KEPT_BYTES: usize = 24;
/// The flag of a segment that opens a connection (RFC 9293 §3.1).
const SYN: u8 = 2;
/// Bytes quoted of a message that tell it from others: a DNS header (RFC 1035 §4.1.1).
const QUOTED_MIN: usize = 12;
/// Copies one behind the other that are followed to the first.
const CHAIN_MAX: usize = 8;
/// A router holds a packet this long while it asks for a link address (RFC 4861 §10, the timer of retransmissions).
const HELD_NS: Nanos = 1_000_000_000;
/// Messages before a block that are remembered when it begins.
const WARM_MAX: usize = 1 << 14;

/// How a packet came to be captured again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CopyKind {
    /// The same packet with the same TTL: a mirror port, or two interfaces of one host.
    Mirror,
    /// The same packet one or two hops further on.
    Routed,
    /// The same packet with its client address or port changed by a NAT.
    Nat,
}

impl CopyKind {
    /// What links and reports call it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Mirror => "the same packet captured again (mirror port or second interface)",
            Self::Routed => "the same packet captured again behind a router",
            Self::Nat => "the same packet captured again behind a NAT",
        }
    }
}

/// A packet captured again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Copy {
    pub copy: PacketId,
    pub original: PacketId,
    pub delta_ns: i32,
    pub kind: CopyKind,
}

#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    time_ns: Nanos,
    packet: PacketId,
}

/// The newest packet for each of many hashes.
struct Recent(Vec<Slot>);

/// No packet.
const EMPTY: Slot = Slot { key: 0, time_ns: Nanos::MIN, packet: PacketId(0) };

impl Recent {
    fn new() -> Self {
        Self(vec![EMPTY; RECENT_MAX])
    }

    /// Remembers a packet and gives the one remembered before under the same key, when it is recent.
    fn replace(&mut self, key: u64, time_ns: Nanos, packet: PacketId, window_ns: Nanos) -> Option<Slot> {
        let slot = self.0.get_mut((key >> 48) as usize & (RECENT_MAX - 1))?;
        let before = std::mem::replace(slot, Slot { key, time_ns, packet });
        let age_ns = time_ns.saturating_sub(before.time_ns);
        (before.key == key && (0..=window_ns).contains(&age_ns)).then_some(before)
    }

    /// Remembers a packet and gives the one before under the same key, where it is near enough to be captured at another place: between
    /// two files lies the way between them.
    fn near(
        &mut self,
        index: &Index,
        (key, time_ns, packet): (u64, Nanos, PacketId),
        parameters: &Parameters,
    ) -> Option<Slot> {
        let several = index.sources.len() > 1;
        let window_ns = if several { HELD_NS } else { parameters.duplicate_window_ns };
        let before = self.replace(key, time_ns, packet, window_ns)?;
        let age_ns = time_ns.saturating_sub(before.time_ns);
        let is_near =
            age_ns <= parameters.duplicate_window_ns || are_of_two_files(index, before.packet, packet);
        is_near.then_some(before)
    }

    /// Leaves the original in the place of both, so that a third copy refers to it as well; what travels on in a loop
    /// comes by for long.
    fn settle(&mut self, original: Slot, copy: &Copy) {
        if copy.original != original.packet {
            return;
        }
        if let Some(slot) = self.0.get_mut((original.key >> 48) as usize & (RECENT_MAX - 1)) {
            let time_ns = if copy.kind == CopyKind::Routed { slot.time_ns } else { original.time_ns };
            *slot = Slot { time_ns, ..original };
        }
    }
}

/// Finds the copies of the capture, sorted by the copy.
pub(super) fn find(messages: &Messages<'_>, evidence: &mut Evidence, cancel: &AtomicBool) {
    let parameters = evidence.parameters.clone();
    let index = messages.index;
    let mut copies = of_all(index, &parameters, Some(SAMPLE), cancel);
    let everywhere = copies.len() as u32 * SAMPLE_SHARE >= index.len().min(SAMPLE) && !copies.is_empty();
    if everywhere {
        copies = of_all(index, &parameters, None, cancel);
    }
    copies.extend(of_messages(messages, &parameters));
    if !everywhere {
        copies.extend(of_errors(messages, &parameters));
    }
    let is_translated = |copies: &[Copy]| copies.iter().any(|copy| copy.kind == CopyKind::Nat);
    // What is no DNS a translator changes as well: two files, or both sides of it in one, tell in a sample.
    let sampled = || of_translated(index, &parameters, sample(index), cancel);
    if is_translated(&copies) || !sampled().is_empty() {
        copies.extend(of_translated(index, &parameters, in_time(index), cancel));
        copies.extend(of_translated_errors(messages, &parameters));
    }
    copies.sort_unstable();
    copies.dedup_by_key(|copy| copy.copy);
    evidence.set_copies(settled(&copies));
}

/// Copies of copies made copies of the one packet that is none.
fn settled(copies: &[Copy]) -> Vec<Copy> {
    let of = |packet: PacketId| {
        let at = copies.partition_point(|copy| copy.copy < packet);
        copies.get(at).filter(|copy| copy.copy == packet)
    };
    let settle = |copy: &Copy| {
        let mut settled = *copy;
        for _ in 0..CHAIN_MAX {
            let Some(next) = of(settled.original) else { break };
            settled.original = next.original;
            settled.delta_ns = settled.delta_ns.saturating_add(next.delta_ns);
        }
        settled
    };
    copies.iter().map(settle).collect()
}

fn message_key(row: &DnsRow) -> u64 {
    let mixed = row.question ^ (u64::from(row.header.id) << 1 | u64::from(row.is_response()));
    mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The newest message for each of many hashes, by the place in a block; half a word a slot, so that all fit the second cache.
struct Newest(Vec<u32>);

impl Newest {
    fn new() -> Self {
        Self(vec![u32::MAX; RECENT_MAX])
    }

    fn clear(&mut self) {
        self.0.fill(u32::MAX);
    }

    /// Remembers a message and gives the place of the one remembered before, if its hash may be the same.
    fn replace(&mut self, key: u64, place: u16) -> Option<u16> {
        let slot = self.0.get_mut((key >> 48) as usize & (RECENT_MAX - 1))?;
        let before = std::mem::replace(slot, Self::slot(key, place));
        (before != u32::MAX && before >> 16 == Self::slot(key, place) >> 16).then_some(before as u16)
    }

    /// Puts the original back in the place of its copy, so that a third copy refers to it as well.
    fn keep(&mut self, key: u64, original: u16) {
        if let Some(slot) = self.0.get_mut((key >> 48) as usize & (RECENT_MAX - 1)) {
            *slot = Self::slot(key, original);
        }
    }

    /// Bits of the hash that do not choose the slot, and the place.
    fn slot(key: u64, place: u16) -> u32 {
        (key >> 16) as u32 & 0xffff_0000 | u32::from(place)
    }
}

/// DNS messages: id and question decide what is worth comparing, so that a NAT's copy is found too. Blocks are looked
/// through side by side, each from a little before its beginning.
fn of_messages(messages: &Messages<'_>, parameters: &Parameters) -> Vec<Copy> {
    let blocks: Vec<Vec<Copy>> = (0..messages.len().div_ceil(BLOCK))
        .into_par_iter()
        .map_init(Newest::new, |newest, block| of_block(messages, parameters, newest, block))
        .collect();
    blocks.into_iter().flatten().collect()
}

fn of_block(messages: &Messages<'_>, parameters: &Parameters, newest: &mut Newest, block: u32) -> Vec<Copy> {
    newest.clear();
    let window_ns = parameters.duplicate_window_ns;
    let several = messages.index.sources.len() > 1;
    let start = block * BLOCK;
    let end = start.saturating_add(BLOCK).min(messages.len());
    let first_ns = messages.at(start).map_or(Nanos::MIN, |(_, time_ns)| time_ns);
    let is_near = |position: &u32| {
        messages.at(*position).is_some_and(|(_, time_ns)| first_ns.saturating_sub(time_ns) <= 2 * window_ns)
    };
    let warm = (0..start).rev().take(WARM_MAX).take_while(is_near).count() as u32;
    let mut copies = Vec::new();
    // When the newest copy behind a router was seen, by the original's place.
    let mut again: HashMap<u16, Nanos> = HashMap::new();
    for (place, row) in messages.rows(start - warm..end).enumerate() {
        if row.kind != DnsKind::Dns {
            continue;
        }
        let (key, place) = (message_key(row), place as u16);
        let Some(known) = newest.replace(key, place) else { continue };
        let position = start - warm + u32::from(place);
        let Some((before, sent_ns)) = messages.at(start - warm + u32::from(known)) else { continue };
        let before_ns = again.get(&known).copied().unwrap_or(sent_ns);
        let time_ns = messages.time_ns(row.packet);
        let age_ns = time_ns.saturating_sub(before_ns);
        // Between two capture points a packet may wait until the next hop's link address is known.
        let held =
            || age_ns <= HELD_NS && several && are_of_two_files(messages.index, before.packet, row.packet);
        if message_key(before) != key || age_ns < 0 || age_ns > window_ns && !held() {
            continue;
        }
        let before = Slot { key, time_ns: before_ns, packet: before.packet };
        if let Some(copy) = compare(messages.index, before, row.packet, time_ns, parameters) {
            if copy.original == before.packet {
                newest.keep(key, known);
            }
            // What travels on in a loop comes by for long.
            if copy.kind == CopyKind::Routed {
                again.insert(known, time_ns);
            }
            if position >= start {
                copies.push(copy);
            }
        }
    }
    copies
}

/// All ICMP errors; those of several files in the order of time: a copy may stand in the file read first.
fn errors_in_time<'i>(messages: &Messages<'i>) -> Vec<&'i IcmpRow> {
    let mut rows: Vec<_> = messages.index.icmp_rows().collect();
    if messages.index.sources.len() > 1 {
        rows.sort_by_key(|row| messages.time_ns(row.packet));
    }
    rows
}

fn of_errors(messages: &Messages<'_>, parameters: &Parameters) -> Vec<Copy> {
    let mut recent = Recent::new();
    let mut copies = Vec::new();
    for row in errors_in_time(messages) {
        let key = (row.quoted_flow ^ u64::from(row.kind) << 8 ^ u64::from(row.code))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let time_ns = messages.time_ns(row.packet);
        let Some(before) = recent.near(messages.index, (key, time_ns, row.packet), parameters) else {
            continue;
        };
        if let Some(copy) = compare(messages.index, before, row.packet, time_ns, parameters) {
            copies.push(copy);
            recent.settle(before, &copy);
        }
    }
    copies
}

/// All packets in order; those of several files in the order of time.
fn in_time(index: &Index) -> Box<dyn Iterator<Item = u32> + '_> {
    if index.sources.len() < 2 {
        return Box::new(0..index.len());
    }
    let times = index.segments().iter().flat_map(|segment| &segment.time_ns);
    let mut order: Vec<(Nanos, u32)> = times.copied().zip(0u32..).collect();
    order.sort_unstable();
    Box::new(order.into_iter().map(|(_, id)| id))
}

/// All packets, or the first `limit`, by a hash of everything a hop may not change.
fn of_all(index: &Index, parameters: &Parameters, limit: Option<u32>, cancel: &AtomicBool) -> Vec<Copy> {
    let mut recent = Recent::new();
    let mut copies = Vec::new();
    let kept = kept_bytes(index);
    let mut doubled = Doubled::default();
    for (at, id) in in_time(index).enumerate().take(limit.unwrap_or(u32::MAX) as usize) {
        if at % SAMPLE as usize == 0 && cancel.load(Ordering::Relaxed) {
            break;
        }
        let Some(packet) = index.packet(PacketId(id)) else { break };
        let decoded = packet.decode();
        doubled.told += u32::from(tells_itself(&decoded) == Some(true));
        let Some(key) = fingerprint(&decoded, kept) else { continue };
        let time_ns = packet.time_ns();
        let Some(before) = recent.near(index, (key, time_ns, packet.id), parameters) else { continue };
        if let Some(copy) = compare(index, before, packet.id, time_ns, parameters) {
            doubled.note(index, &copy);
            copies.push(copy);
            recent.settle(before, &copy);
        }
    }
    doubled.sure(copies)
}

/// Whether the capture point doubles segments: where no id tells them from what a host sends twice, those that tell themselves decide.
#[derive(Default)]
struct Doubled {
    /// Segments that tell themselves, copies among them.
    told: u32,
    /// Copies among them.
    copied: u32,
    /// Copies that only their bytes show: resets and acknowledgments are alike as well, and so is what is sent again at once.
    doubtful: Vec<PacketId>,
}

impl Doubled {
    fn note(&mut self, index: &Index, copy: &Copy) {
        let (Some(first), Some(second)) = (index.packet(copy.original), index.packet(copy.copy)) else {
            return;
        };
        if !are_at_one_place(&first, &second) {
            return;
        }
        let (one, other) = (first.decode(), second.decode());
        match tells_itself(&other) {
            Some(true) => self.copied += 1,
            Some(false) if copy.kind == CopyKind::Mirror => {
                let link = |decoded: &Decoded<'_>| {
                    decoded.bytes.get(..decoded.network_start as usize).map(<[u8]>::to_vec)
                };
                if link(&one) == link(&other) {
                    self.doubtful.push(copy.copy);
                }
            }
            _ => {}
        }
    }

    /// The copies without those that are none: a capture point that doubles does so with each packet it sees.
    fn sure(self, mut copies: Vec<Copy>) -> Vec<Copy> {
        if self.copied * DOUBLED_ONE_IN < self.told.max(1) {
            let doubtful: HashSet<PacketId> = self.doubtful.into_iter().collect();
            copies.retain(|copy| !doubtful.contains(&copy.copy));
        }
        copies
    }
}

/// Whether a segment cannot be taken for another one: by its IP id (0 means nothing, RFC 6864 §4.1), or because it opens a connection;
/// `None` for what is no TCP of a capture.
fn tells_itself(decoded: &Decoded<'_>) -> Option<bool> {
    match decoded.transport {
        Transport::Tcp { flags, .. } => Some(decoded.ip_id.is_some_and(|id| id != 0) || flags & SYN != 0),
        _ => None,
    }
}

fn are_at_one_place(first: &Packet<'_>, second: &Packet<'_>) -> bool {
    first.segment.source == second.segment.source
        && first.segment.interface(first.row) == second.segment.interface(second.row)
}

/// The packets that tell whether a translator is in between: the first ones, and in one file the first segments that open connections.
fn sample(index: &Index) -> Box<dyn Iterator<Item = u32> + '_> {
    let first = in_time(index).take(SAMPLE as usize);
    if index.sources.len() > 1 {
        return Box::new(first);
    }
    let opens = index.segments().iter().flat_map(|segment| {
        let rows = segment.tcp_flags.iter().zip(segment.base.0..);
        rows.filter(|(flags, _)| **flags & SYN != 0).map(|(_, id)| id)
    });
    Box::new(first.chain(opens.filter(|id| *id >= SAMPLE).take(OPENING_MAX)))
}

/// Segments and datagrams that a translator sent on with another address or port, among these packets; DNS is compared by its ids.
fn of_translated(
    index: &Index,
    parameters: &Parameters,
    packets: impl Iterator<Item = u32>,
    cancel: &AtomicBool,
) -> Vec<Copy> {
    let mut recent = Recent::new();
    let mut copies = Vec::new();
    let kept = kept_bytes(index);
    for (at, id) in packets.enumerate() {
        if at % SAMPLE as usize == 0 && cancel.load(Ordering::Relaxed) {
            break;
        }
        let Some(packet) = index.packet(PacketId(id)) else { break };
        // A question that was cut tells no message by itself.
        let is_told = |row: &DnsRow| row.kind == DnsKind::Dns && kept == usize::MAX;
        if packet.is_text() || packet.dns().is_some_and(is_told) {
            continue;
        }
        let Some(key) = content_key(&packet.decode(), kept) else { continue };
        let time_ns = packet.time_ns();
        let Some(before) = recent.near(index, (key, time_ns, packet.id), parameters) else { continue };
        let found = compare(index, before, packet.id, time_ns, parameters);
        if let Some(copy) = found.filter(|copy| copy.kind == CopyKind::Nat) {
            copies.push(copy);
            recent.settle(before, &copy);
        }
    }
    copies
}

/// Bytes of a packet by which it is looked up: all, but where one of several files was cut.
fn kept_bytes(index: &Index) -> usize {
    let is_cut = |segment: &std::sync::Arc<segment::Segment>| {
        segment.flags.iter().any(|bits| bits & segment::flags::CUT != 0)
    };
    if index.sources.len() > 1 && index.segments().iter().any(is_cut) { KEPT_BYTES } else { usize::MAX }
}

fn up_to(bytes: &[u8], kept: usize) -> &[u8] {
    bytes.get(..kept).unwrap_or(bytes)
}

/// What a translator leaves of a segment, datagram or echo message as it is; `None` where that tells nothing.
fn content_key(decoded: &Decoded<'_>, kept: usize) -> Option<u64> {
    use std::hash::{BuildHasher as _, Hasher as _};
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    match decoded.transport {
        Transport::Tcp { sequence, acknowledgment, flags, .. } => {
            hasher.write_u32(sequence);
            hasher.write_u32(acknowledgment);
            hasher.write_u8(flags);
            hasher.write_u32(decoded.ip_length);
            // What is so short is mixed too little for the bits that choose a slot.
            return Some(hasher.finish().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        Transport::Udp { length, .. } if decoded.payload().len() >= QUOTED_MIN => {
            hasher.write_u16(length);
            hasher.write(up_to(decoded.payload(), kept));
        }
        _ => {
            hasher.write_u8(decoded.icmp()?.0);
            hasher.write(up_to(echo_content(decoded)?, kept));
        }
    }
    Some(hasher.finish())
}

/// Sequence number and data of an echo message (RFC 792; RFC 4443 §4): a translator changes its checksum and identifier alone.
fn echo_content<'a>(decoded: &Decoded<'a>) -> Option<&'a [u8]> {
    let (0 | 8 | 128 | 129, 0) = decoded.icmp()? else { return None };
    let start = decoded.transport_start as usize + 6;
    decoded.bytes.get(start..(decoded.payload_end as usize).max(start))
}

fn are_of_two_files(index: &Index, one: PacketId, other: PacketId) -> bool {
    let source = |packet: PacketId| index.packet(packet).map(|packet| packet.segment.source);
    source(one) != source(other)
}

fn fingerprint(decoded: &Decoded<'_>, kept: usize) -> Option<u64> {
    use std::hash::{BuildHasher as _, Hasher as _};
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    let is_text = decoded.layers().first().is_some_and(|layer| layer.kind == LayerKind::Transcript);
    if is_text {
        hasher.write(lines::content(&transcript::read(decoded.bytes, &Settings::default())?).as_bytes());
    } else {
        let (before, after) = around_checksum(decoded, up_to(above_network(decoded)?, kept));
        hasher.write(before);
        hasher.write(after);
    }
    hasher.write_u32(u32::from(decoded.ip_id.unwrap_or(0)) << 16 | decoded.ip_length & 0xffff);
    // A printed segment tells itself by its ports and numbers, whatever address a translator gave it.
    let is_segment = is_text && decoded.ip_protocol == TCP;
    let ends = match decoded.ports().filter(|_| is_segment) {
        Some((from, to)) => ((Address::None, from), (Address::None, to)),
        None => ((decoded.source, 0), (decoded.destination, 0)),
    };
    hasher.write_u64(flow_hash(decoded.ip_protocol, ends.0, ends.1));
    Some(hasher.finish())
}

fn compare(
    index: &Index,
    before: Slot,
    packet: PacketId,
    time_ns: Nanos,
    parameters: &Parameters,
) -> Option<Copy> {
    let gap_ns = time_ns - before.time_ns;
    let (first, second) = (index.packet(before.packet)?, index.packet(packet)?);
    let delta_ns = gap_ns.max(second.time_ns() - first.time_ns());
    let is_response = second.dns().is_some_and(DnsRow::is_response);
    let settings = &second.source.settings;
    if first.is_text() && second.is_text() {
        let kind = lines::copy_kind(index, &first, &second)?;
        return Some(copy(before.packet, packet, delta_ns, kind, is_response));
    }
    let apart = first.segment.source != second.segment.source;
    // An id of DNS and its question tell a message, numbers of TCP a segment.
    let is_told = second.dns().is_some() || second.transport() == TCP;
    let (mut first, mut second) = (first.decode(), second.decode());
    let is_told = is_told || echo_content(&second).is_some();
    let (mut ids, mut delta_ns) = ((before.packet, packet), delta_ns);
    // By the clock of another file a packet may seem to come before it was sent.
    if apart && second.ttl > first.ttl {
        std::mem::swap(&mut first, &mut second);
        (ids, delta_ns) = ((ids.1, ids.0), -delta_ns);
    }
    let kind = copy_kind(&first, &second, apart)?;
    let to_client = is_response
        || is_error_to_client(&second, settings)
        || kind == CopyKind::Nat && is_to_client(&first, &second);
    // An IPv4 id of 0 in an atomic datagram means nothing (RFC 6864 §4.1), and IPv6 has none.
    let told_apart = first.ip_id.is_some_and(|id| id != 0) || apart && is_told;
    let routed = second.ttl < first.ttl;
    if !told_apart && (kind == CopyKind::Nat && !routed || gap_ns > parameters.duplicate_window_without_id_ns)
    {
        return None;
    }
    Some(copy(ids.0, ids.1, delta_ns, kind, to_client))
}

/// Whether it is an error about what a client sent, not about a server's answer.
fn is_error_to_client(decoded: &Decoded<'_>, settings: &Settings) -> bool {
    decoded.icmp().is_some()
        && Quote::read(decoded)
            .is_some_and(|quote| quote.inner.ports().is_some_and(|ports| !settings.is_dns_port(ports.0)))
}

/// Whether a translated packet went to the client: its sender kept address and port, or its receiver did, and the sender's port is the
/// lower one, as services have.
fn is_to_client(first: &Decoded<'_>, second: &Decoded<'_>) -> bool {
    if let Some((kind, _)) = first.icmp() {
        return matches!(kind, 0 | 129);
    }
    let ends = first.ports().zip(second.ports());
    // Of a service published at another address, answers leave with that.
    let published = |other: (u16, u16)| {
        first.destination == second.destination && first.source != second.source && other.0 < other.1
    };
    ends.is_some_and(|(one, other)| {
        first.source == second.source && one.0 == other.0 && one.0 < one.1 || published(other)
    })
}

/// Whether one end has a private address of one site in the first and of another in the second: no translator makes that.
fn are_of_two_sites(first: &Decoded<'_>, second: &Decoded<'_>) -> bool {
    let differ = |a: Site, b: Site| a != Site::NONE && b != Site::NONE && a != b;
    differ(first.source.site(), second.source.site())
        || differ(first.destination.site(), second.destination.site())
}

/// The first is the original; behind a NAT it is the one nearer the client, whose addresses are those of the client: the
/// first of what it sends, the last of what it is sent.
fn copy(first: PacketId, second: PacketId, delta_ns: Nanos, kind: CopyKind, to_client: bool) -> Copy {
    let delta_ns = i32::try_from(delta_ns).unwrap_or(i32::MAX);
    if to_client && kind == CopyKind::Nat {
        Copy { copy: first, original: second, delta_ns: -delta_ns, kind }
    } else {
        Copy { copy: second, original: first, delta_ns, kind }
    }
}

/// Errors that differ only in the addresses a NAT changed, outside and in the quote (RFC 5508 §4.2).
fn of_translated_errors(messages: &Messages<'_>, parameters: &Parameters) -> Vec<Copy> {
    use std::hash::{BuildHasher as _, Hasher as _};
    let mut recent = Recent::new();
    let mut copies = Vec::new();
    let kept = if kept_bytes(messages.index) == usize::MAX { usize::MAX } else { QUOTED_MIN };
    for row in errors_in_time(messages) {
        let Some(packet) = messages.index.packet(row.packet) else { continue };
        let decoded = packet.decode();
        let Some(quote) = Quote::read(&decoded).filter(|quote| quote.payload().len() >= QUOTED_MIN) else {
            continue;
        };
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        hasher.write(up_to(quote.payload(), kept));
        hasher.write_u16(u16::from(row.kind) << 8 | u16::from(row.code));
        let time_ns = messages.time_ns(row.packet);
        let now = (hasher.finish(), time_ns, row.packet);
        let Some(before) = recent.near(messages.index, now, parameters) else { continue };
        let Some(first) = messages.index.packet(before.packet) else { continue };
        let (mut ids, mut delta_ns) = ((before.packet, row.packet), time_ns - before.time_ns);
        let (mut first, mut second) = (first.decode(), decoded);
        let apart = are_of_two_files(messages.index, before.packet, row.packet);
        if apart && second.ttl > first.ttl {
            std::mem::swap(&mut first, &mut second);
            (ids, delta_ns) = ((ids.1, ids.0), -delta_ns);
        }
        if is_translated_error(&first, &second, apart) {
            let to_client = is_error_to_client(&second, &messages.index.settings);
            copies.push(copy(ids.0, ids.1, delta_ns, CopyKind::Nat, to_client));
        }
    }
    copies
}

/// Whether the second error is the first with other addresses.
fn is_translated_error(first: &Decoded<'_>, second: &Decoded<'_>, apart: bool) -> bool {
    if are_of_two_sites(first, second) {
        return false;
    }
    let same_datagram = (apart || first.ip_id.is_some_and(|id| id != 0) && first.ip_id == second.ip_id)
        && first.ip_length == second.ip_length
        && first.icmp() == second.icmp();
    let hops = first.ttl.checked_sub(second.ttl);
    let ends = |decoded: &Decoded<'_>| (decoded.source, decoded.destination);
    let payloads = Quote::read(first).zip(Quote::read(second));
    same_datagram
        && hops.is_some_and(|hops| hops <= 2 || apart)
        && ends(first) != ends(second)
        && payloads.is_some_and(|(one, other)| are_equal(one.payload(), other.payload(), apart))
}

/// What kind of copy the second packet is of the first, if it is one.
fn copy_kind(first: &Decoded<'_>, second: &Decoded<'_>, apart: bool) -> Option<CopyKind> {
    if are_of_two_sites(first, second) {
        return None;
    }
    let same_ends = first.source == second.source && first.destination == second.destination;
    // Some translators give what they send on an id of their own.
    let same_id = first.ip_id == second.ip_id || apart && !same_ends;
    let same_datagram = same_id
        && first.ip_length == second.ip_length
        && first.ip_protocol == second.ip_protocol
        && first.fragment == second.fragment;
    let hops = first.ttl.checked_sub(second.ttl)?;
    // In a routing loop the same datagram, told by its id, comes by until its hops are used up; two files may lie far apart.
    // IPv6 has no id, but no host sends the same again with fewer hops to go.
    let looped = same_ends && first.ip_id.is_none_or(|id| id != 0);
    if !same_datagram || hops > 2 && !(looped || apart) {
        return None;
    }
    if same_ends {
        return are_same(first, second, apart)?.then_some(if hops == 0 {
            CopyKind::Mirror
        } else {
            CopyKind::Routed
        });
    }
    if let Some((one, other)) = echo_content(first).zip(echo_content(second)) {
        let one_end = first.source == second.source || first.destination == second.destination;
        return (one_end && first.icmp() == second.icmp() && are_equal(one, other, apart))
            .then_some(CopyKind::Nat);
    }
    let (from, to) = (first.ports()?, second.ports()?);
    let same_server = (first.destination, from.1) == (second.destination, to.1)
        || (first.source, from.0) == (second.source, to.0);
    let payload = first.payload();
    // A segment without data tells itself by its numbers.
    let is_told = !payload.is_empty() || segment_numbers(first).is_some();
    let numbers = segment_numbers(first);
    // Numbers tell a segment of which a short capture keeps next to nothing.
    let common = payload.len().min(second.payload().len());
    let cut_away = apart && numbers.is_some() && common < COMMON_MIN;
    let same = (are_equal(payload, second.payload(), apart)
        || cut_away && payload.len() != second.payload().len())
        && numbers == segment_numbers(second);
    (same_server && is_told && same).then_some(CopyKind::Nat)
}

/// The numbers and flags of a TCP segment, which translators leave as they are.
fn segment_numbers(decoded: &Decoded<'_>) -> Option<(u32, u32, u8)> {
    match decoded.transport {
        Transport::Tcp { sequence, acknowledgment, flags, .. } => Some((sequence, acknowledgment, flags)),
        _ => None,
    }
}
