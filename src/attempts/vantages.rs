//! From which of several files each connection is read.
//!
//! Of packets that several places captured the first is the original, which may be in one file for one packet and in another for the
//! next: a connection or flow put together of both would have lost its order, or one of its directions. It is read from one of its places alone.

use hashbrown::HashMap;

use crate::connections::End;
use crate::correlate::Evidence;
use crate::decode::Address;
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId, SourceId};
use crate::time::Nanos;

/// Flows that several files show.
const FLOWS_MAX: usize = 262_144;
/// A place must have this share of the packets of the one that has most, in percent: others see only a part.
const MOST_PERCENT: u64 = 80;
/// IP protocol number of TCP.
const TCP: u8 = 6;
/// What is followed beside TCP: UDP, and ICMP of both versions.
const DATAGRAMS: [u8; 3] = [1, 17, 58];

/// The packets that count for nothing.
pub(super) struct Vantages<'e> {
    evidence: &'e Evidence,
    /// A bit for each packet, where several files make up the capture.
    left_out: Option<Vec<u64>>,
}

type Flow = (End, End);

/// The ends of a packet. ICMP has no ports: type and code stand in their place, which differ between a request and its reply.
fn ends(packet: &Packet<'_>) -> Flow {
    let ports = match packet.transport() {
        1 | 58 => (0, 0),
        _ => (packet.source_port(), packet.destination_port()),
    };
    ((packet.source_address(), ports.0), (packet.destination_address(), ports.1))
}

fn flow(packet: &Packet<'_>) -> Flow {
    let (from, to) = ends(packet);
    if from <= to { (from, to) } else { (to, from) }
}

impl<'e> Vantages<'e> {
    pub(super) fn of(index: &Index, evidence: &'e Evidence) -> Self {
        let left_out = (index.sources.len() > 1).then(|| choose(index, evidence)).flatten();
        Self { evidence, left_out }
    }

    /// Whether a packet is a copy of another one, or its connection is read elsewhere.
    pub(super) fn leaves_out(&self, packet: PacketId) -> bool {
        match &self.left_out {
            Some(bits) => {
                bits.get(packet.0 as usize / 64).is_some_and(|word| word >> (packet.0 % 64) & 1 == 1)
            }
            None => self.evidence.is_duplicate(packet),
        }
    }
}

/// Packets of one flow by file: how many, and the time of the first.
type Seen = Vec<(SourceId, u64, Nanos)>;

/// A flow in several files, and who spoke first in it.
struct Flowing {
    opener: (Nanos, End),
    seen: Seen,
}

/// Whether attempts are made of a packet: lookups are followed by correlation.
fn is_followed(packet: &Packet<'_>) -> bool {
    let is_dns = packet.flags() & (flags::DNS_QUERY | flags::DNS_RESPONSE) != 0;
    packet.transport() == TCP || DATAGRAMS.contains(&packet.transport()) && !is_dns
}

fn choose(index: &Index, evidence: &Evidence) -> Option<Vec<u64>> {
    let mut flows: HashMap<Flow, Flowing> = HashMap::new();
    let mut originals: HashMap<PacketId, PacketId> = HashMap::new();
    for (copy, original, _) in evidence.duplicates() {
        let (Some(one), Some(other)) = (index.packet(copy), index.packet(original)) else { continue };
        let elsewhere = one.segment.source != other.segment.source;
        if is_followed(&one) && elsewhere && flow(&one) == flow(&other) && flows.len() < FLOWS_MAX {
            let none = Flowing { opener: (Nanos::MAX, (Address::None, 0)), seen: Vec::new() };
            flows.entry(flow(&one)).or_insert(none);
            originals.insert(copy, original);
        }
    }
    if flows.is_empty() {
        return None;
    }
    let packets = || (0..index.len()).filter_map(|id| index.packet(PacketId(id)));
    let followed = || packets().filter(is_followed);
    let is_copy_here = |id: PacketId| evidence.is_duplicate(id) && !originals.contains_key(&id);
    for packet in followed() {
        if let Some(own) = flows.get_mut(&flow(&packet)) {
            own.opener = own.opener.min((packet.time_ns(), ends(&packet).0));
        }
    }
    for packet in followed().filter(|packet| !is_copy_here(packet.id)) {
        let Some(own) = flows.get_mut(&flow(&packet)) else { continue };
        // What does not arrive tells nothing of a place: over UDP the file counts that has what the asking side sent.
        let is_openers = own.opener.1 == ends(&packet).0;
        if packet.transport() != TCP && !is_openers {
            continue;
        }
        match own.seen.iter_mut().find(|(source, ..)| *source == packet.segment.source) {
            Some((_, number, first_ns)) => {
                (*number, *first_ns) = (*number + 1, (*first_ns).min(packet.time_ns()));
            }
            None => own.seen.push((packet.segment.source, 1, packet.time_ns())),
        }
    }
    let chosen: HashMap<Flow, SourceId> = flows
        .into_iter()
        .filter_map(|(flow, own)| {
            let most = own.seen.iter().map(|(_, number, _)| *number).max()?;
            let whole = own.seen.iter().filter(|(_, number, _)| number * 100 >= most * MOST_PERCENT);
            // Nearest to who opened it.
            whole
                .min_by_key(|(source, _, first_ns)| (*first_ns, source.0))
                .map(|(source, ..)| (flow, *source))
        })
        .collect();
    let mut bits = vec![0u64; (index.len() as usize).div_ceil(64)];
    for packet in packets() {
        let is_left_out = match chosen.get(&flow(&packet)).filter(|_| is_followed(&packet)) {
            Some(source) => packet.segment.source != *source || is_copy_here(packet.id),
            None => evidence.is_duplicate(packet.id),
        };
        if let Some(word) = bits.get_mut(packet.id.0 as usize / 64).filter(|_| is_left_out) {
            *word |= 1 << (packet.id.0 % 64);
        }
    }
    Some(bits)
}
