//! Links every ICMP error to the packet it quotes, whatever that packet carries (RFC 792; RFC 4443 §2.4; RFC 5508).
//!
//! One pass in the order of time: packets of quoted flows are remembered (the newest of each flow only), and each
//! error is weighed against them when it is reached. No table holds flows that no error quotes.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use super::messages::Messages;
use super::printed;
use super::weigh::{self, Error, Head, Weighed};
use super::{Anomaly, Evidence, Level, Link, LinkKind};
use crate::decode::Address;
use crate::index::segment::{DnsKind, flags, flow_hash};
use crate::index::{PacketId, Segment};
use crate::time::Nanos;

/// Packets of one quoted flow an error is weighed against, newest first.
const CANDIDATES_MAX: usize = 64;
/// Candidates kept without a ring of their own; most quoted flows have no more.
const FEW: usize = 4;

/// One bit for each port.
type PortSet = [u64; 1024];

fn port_slot(port: u16) -> (usize, u64) {
    (usize::from(port) >> 6, 1 << (port & 63))
}

fn add_port(set: &mut PortSet, port: u16) {
    let (word, bit) = port_slot(port);
    if let Some(word) = set.get_mut(word) {
        *word |= bit;
    }
}

fn has_port(set: &PortSet, port: u16) -> bool {
    let (word, bit) = port_slot(port);
    set.get(word).is_some_and(|word| word & bit != 0)
}

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// The newest packets of one flow.
struct Flow {
    few: [u32; FEW],
    count: u32,
    ring: u32,
}

/// What errors quote, and the packets seen of it.
#[derive(Default)]
struct Quoted {
    /// Flows with ports, by the hash the index made.
    flows: Map<u64, u32>,
    /// Pairs of hosts, for quotes without ports (ICMP, later fragments, cut quotes).
    pairs: Map<u64, u32>,
    /// Client, server and port, for printed errors, which show no client port.
    printed: Map<u64, u32>,
    seen: Vec<Flow>,
    rings: Vec<[u32; CANDIDATES_MAX]>,
    sources: HashSet<Address, foldhash::fast::FixedState>,
    destinations: HashSet<Address, foldhash::fast::FixedState>,
    /// Quoted source and destination ports.
    ports: Option<Box<(PortSet, PortSet)>>,
    /// Quoted sources of which at least one packet is in the capture.
    senders: HashSet<Address, foldhash::fast::FixedState>,
}

fn pair_hash(protocol: u8, source: Address, destination: Address) -> u64 {
    flow_hash(protocol, (source, 0), (destination, 0))
}

impl Quoted {
    fn want(&mut self, error: &Error<'_>) {
        let inner = &error.quote.inner;
        self.sources.insert(inner.source);
        self.destinations.insert(inner.destination);
        if let Some((source_port, destination_port)) = inner.ports() {
            let ports = self.ports.get_or_insert_with(|| Box::new(([0; 1024], [0; 1024])));
            add_port(&mut ports.0, source_port);
            add_port(&mut ports.1, destination_port);
        }
        let next = self.seen.len() as u32;
        let slot = match error.flow() {
            Some(flow) => self.flows.entry(flow).or_insert(next),
            None => self
                .pairs
                .entry(pair_hash(inner.ip_protocol, inner.source, inner.destination))
                .or_insert(next),
        };
        let new = *slot == next;
        self.slot(new);
    }

    fn want_printed(&mut self, error: &printed::Error<'_>) {
        self.sources.insert(error.client);
        self.destinations.insert(error.server.0);
        let next = self.seen.len() as u32;
        let new = *self.printed.entry(error.hash()).or_insert(next) == next;
        self.slot(new);
    }

    fn slot(&mut self, new: bool) {
        if new {
            self.seen.push(Flow { few: [0; FEW], count: 0, ring: u32::MAX });
        }
    }

    fn see(&mut self, at: u32, packet: PacketId) {
        let Some(flow) = self.seen.get_mut(at as usize) else { return };
        let count = flow.count as usize;
        flow.count = flow.count.wrapping_add(1).max(1);
        if count < FEW {
            if let Some(slot) = flow.few.get_mut(count) {
                *slot = packet.0;
            }
            return;
        }
        if flow.ring == u32::MAX {
            flow.ring = self.rings.len() as u32;
            let mut ring = [0; CANDIDATES_MAX];
            for (slot, few) in ring.iter_mut().zip(flow.few) {
                *slot = few;
            }
            self.rings.push(ring);
        }
        if let Some(slot) =
            self.rings.get_mut(flow.ring as usize).and_then(|r| r.get_mut(count % CANDIDATES_MAX))
        {
            *slot = packet.0;
        }
    }

    /// The newest packets of what an error quotes, newest first.
    fn candidates(&self, error: &Error<'_>) -> impl Iterator<Item = PacketId> {
        let inner = &error.quote.inner;
        let at = match error.flow() {
            Some(flow) => self.flows.get(&flow),
            None => self.pairs.get(&pair_hash(inner.ip_protocol, inner.source, inner.destination)),
        };
        self.newest(at.copied())
    }

    /// The packets remembered in one place, newest first.
    fn newest(&self, at: Option<u32>) -> impl Iterator<Item = PacketId> {
        let flow = at.and_then(|at| self.seen.get(at as usize));
        let count = flow.map_or(0, |flow| flow.count as usize);
        let ring = flow.map(|flow| match self.rings.get(flow.ring as usize) {
            Some(ring) => ring.as_slice(),
            None => flow.few.as_slice(),
        });
        let ring = ring.unwrap_or_default();
        (0..count.min(ring.len())).filter_map(move |back| {
            ring.get((count - 1 - back) % ring.len().max(1)).map(|packet| PacketId(*packet))
        })
    }
}

/// Finds the packet each ICMP error is about and hands the transactions their errors.
pub(super) fn join(messages: &Messages<'_>, evidence: &mut Evidence, cancel: &AtomicBool) {
    let index = messages.index;
    let mut quoted = Quoted::default();
    for row in index.icmp_rows() {
        if let Some(error) = Error::read(index, row.packet) {
            quoted.want(&error);
        } else if let Some(error) = printed::Error::read(index, row.packet) {
            quoted.want_printed(&error);
        }
    }
    let mut lost = Vec::new();
    if !quoted.seen.is_empty() {
        walk(messages, evidence, &mut quoted, &mut lost, cancel);
    }
    let found = super::nat::find(messages, &lost);
    for (packet, found) in lost.iter().zip(found) {
        let Some(error) = Error::read(index, *packet) else { continue };
        let weighed = found.unwrap_or_else(|| orphan(messages, &error, &quoted));
        attach(messages, evidence, &error.head, &weighed);
    }
}

/// Passes all packets in the order of time.
fn walk(
    messages: &Messages<'_>,
    evidence: &mut Evidence,
    quoted: &mut Quoted,
    lost: &mut Vec<PacketId>,
    cancel: &AtomicBool,
) {
    let index = messages.index;
    if let Some(order) = &index.order {
        for id in order.iter().copied() {
            let Some((segment, row)) = index.locate(PacketId(id)) else { continue };
            let column = |values: &[u32]| segment.address(values.get(row).copied().unwrap_or_default());
            let (source, destination) =
                (column(&segment.source_address), column(&segment.destination_address));
            let bits = segment.flags.get(row).copied().unwrap_or_default();
            if bits & flags::ICMP_ERROR != 0 {
                judge(messages, evidence, quoted, PacketId(id), lost);
            } else if quoted.sources.contains(&source) {
                quoted.senders.insert(source);
                if quoted.destinations.contains(&destination) {
                    remember(segment, row, evidence, quoted);
                }
            }
        }
        return;
    }
    for segment in index.segments() {
        if cancel.load(Ordering::Relaxed) {
            return;
        }
        let dictionary = |set: &HashSet<Address, _>| -> Vec<bool> {
            segment.addresses.iter().map(|address| set.contains(address)).collect()
        };
        let (sources, destinations) = (dictionary(&quoted.sources), dictionary(&quoted.destinations));
        let none_quoted = !sources.contains(&true);
        if none_quoted && segment.icmp.is_empty() {
            continue;
        }
        let is = |set: &[bool], position: &u32| set.get(*position as usize).copied().unwrap_or(false);
        let rows = segment.source_address.iter().zip(&segment.destination_address).zip(&segment.flags);
        let mut sent = vec![false; segment.addresses.len()];
        for (row, ((source, destination), bits)) in rows.enumerate() {
            if *bits & flags::ICMP_ERROR != 0 {
                judge(messages, evidence, quoted, PacketId(segment.base.0 + row as u32), lost);
                continue;
            }
            if let Some(sent) = sent.get_mut(*source as usize) {
                *sent = true;
            }
            if is(&sources, source) && is(&destinations, destination) {
                remember(segment, row, evidence, quoted);
            }
        }
        let senders =
            segment.addresses.iter().zip(sources).zip(sent).filter(|((_, quoted), sent)| *quoted && *sent);
        quoted.senders.extend(senders.map(|((address, _), _)| *address));
    }
}

/// Keeps a packet between quoted hosts when some error may quote it.
fn remember(segment: &Segment, row: usize, evidence: &Evidence, quoted: &mut Quoted) {
    let column = |values: &[u16]| values.get(row).copied().unwrap_or_default();
    let ports = (column(&segment.source_port), column(&segment.destination_port));
    let flow =
        quoted.ports.as_ref().is_some_and(|set| has_port(&set.0, ports.0) && has_port(&set.1, ports.1));
    let packet = PacketId(segment.base.0 + row as u32);
    if !flow && quoted.pairs.is_empty() && quoted.printed.is_empty() || evidence.is_duplicate(packet) {
        return;
    }
    let address = |values: &[u32]| segment.address(values.get(row).copied().unwrap_or_default());
    let (source, destination) = (address(&segment.source_address), address(&segment.destination_address));
    let protocol = segment.transport.get(row).copied().unwrap_or_default();
    if flow
        && let Some(at) = quoted.flows.get(&flow_hash(protocol, (source, ports.0), (destination, ports.1)))
    {
        quoted.see(*at, packet);
    }
    if !quoted.pairs.is_empty()
        && let Some(at) = quoted.pairs.get(&pair_hash(protocol, source, destination))
    {
        quoted.see(*at, packet);
    }
    if !quoted.printed.is_empty()
        && let Some(at) = quoted.printed.get(&flow_hash(protocol, (source, 0), (destination, ports.1)))
    {
        quoted.see(*at, packet);
    }
}

/// Weighs one error against what was seen; puts it on `lost` when nothing of its flow was.
fn judge(
    messages: &Messages<'_>,
    evidence: &mut Evidence,
    quoted: &Quoted,
    packet: PacketId,
    lost: &mut Vec<PacketId>,
) {
    if evidence.is_duplicate(packet) {
        return;
    }
    if let Some(error) = printed::Error::read(messages.index, packet) {
        let candidates = quoted.newest(quoted.printed.get(&error.hash()).copied());
        let weighed = printed::choose(messages.index, evidence, &error, candidates);
        attach(messages, evidence, &error.head, &weighed);
        return;
    }
    let Some(error) = Error::read(messages.index, packet) else {
        let weighed = Weighed::nothing("it quotes no packet that can be read");
        let delta_ns = 0;
        evidence.push_link(link(packet, &weighed, delta_ns, false));
        return;
    };
    let answered = |query: PacketId| {
        let id = evidence.transaction_of(query)?;
        evidence.transaction(id)?.answer.map(|answer| messages.time_ns(answer))
    };
    match weigh::choose(messages.index, &error, quoted.candidates(&error), &evidence.parameters, answered) {
        Some(weighed) => attach(messages, evidence, &error.head, &weighed),
        None => lost.push(packet),
    }
}

fn link(from: PacketId, weighed: &Weighed, delta_ns: Nanos, delayed: bool) -> Link {
    Link {
        from,
        to: weighed.target,
        kind: LinkKind::ErrorAbout,
        level: weighed.level,
        delta_ns,
        reason: weighed.reason,
        delayed,
    }
}

/// Stores the link of an error and tells the transaction it is about.
pub(super) fn attach(messages: &Messages<'_>, evidence: &mut Evidence, error: &Head, weighed: &Weighed) {
    let delta_ns = weighed.target.map_or(0, |target| error.time_ns - messages.time_ns(target));
    let delayed = weighed.target.is_some() && delta_ns > error.window_ns();
    evidence.push_link(link(error.packet, weighed, delta_ns, delayed));
    if error.checksum_wrong {
        evidence.anomalies.push(Anomaly {
            kind: "icmp_bad_checksum",
            packet: error.packet,
            against: weighed.target,
        });
    }
    let Some(target) = weighed.target else { return };
    let packet = messages.index.packet(target);
    let row = packet.and_then(|packet| packet.dns()).filter(|row| row.kind == DnsKind::Dns);
    if row.is_some_and(crate::index::DnsRow::is_response) {
        let kind = "error_about_response";
        evidence.anomalies.push(Anomaly { kind, packet: error.packet, against: Some(target) });
        return;
    }
    // A redirect reports no failure (RFC 792).
    if error.is_redirect() {
        return;
    }
    let of_packet: Vec<_> = evidence.roles_of(target).map(|(id, _)| id).collect();
    for id in of_packet {
        let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) else { continue };
        if transaction.error.is_none() {
            transaction.error = Some(error.packet);
            transaction.icmp = (error.kind, error.code);
            if transaction.answer.is_none() {
                transaction.waited_ns = error.time_ns - messages.time_ns(transaction.first);
            }
        }
    }
}

/// Says why nothing in the capture is what an error quotes.
fn orphan(messages: &Messages<'_>, error: &Error<'_>, quoted: &Quoted) -> Weighed {
    let inner = &error.quote.inner;
    let outer = (error.outer_source, error.outer_destination);
    Weighed::nothing(if outer.0 == outer.1 && outer.0 == inner.source {
        "the host told itself: the packet never left it"
    } else if error.head.time_ns - messages.first_ns <= error.head.window_ns() {
        "the packet was sent before the capture began, or was not captured"
    } else if !quoted.senders.contains(&inner.source) {
        "no packet of the quoted sender is in this capture"
    } else {
        "the quoted packet is not in this capture"
    })
}

impl Weighed {
    pub(super) fn nothing(reason: &'static str) -> Self {
        Self { target: None, level: Level::Orphan, reason }
    }
}
