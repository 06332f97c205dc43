//! Fragmented packets, and which of them never arrived whole.

use std::collections::BTreeMap;

use super::Facts;
use crate::decode::{Address, Transport};
use crate::index::PacketId;
use crate::index::segment::flags;
use crate::time::Nanos;

/// Fragmented packets followed.
pub const PACKETS_MAX: usize = 65_536;

/// The pieces of one packet, tied by addresses, protocol and identification (RFC 791 §3.2, RFC 8200 §4.5).
#[derive(Clone, Debug)]
pub struct Pieces {
    /// Sender.
    pub source: Address,
    /// Receiver.
    pub destination: Address,
    /// The pieces' packets in order of capture.
    pub packets: Vec<PacketId>,
    /// When the first one came.
    pub time_ns: Nanos,
    /// Ports, where the first piece was captured.
    pub ports: Option<(u16, u16)>,
    /// Whether it comes from a port of DNS.
    from_dns: bool,
    /// Bytes of all pieces.
    received: u32,
    /// Length of the whole, known from the last piece.
    whole: Option<u32>,
    /// Some pieces were captured again in another file, and others were not: these did not arrive there.
    pub stops_between: bool,
}

impl Pieces {
    /// Whether pieces are missing.
    pub fn is_incomplete(&self) -> bool {
        self.whole.is_none_or(|whole| self.received < whole)
    }

    /// Whether only later pieces are missing: the first one came.
    pub fn lacks_the_rest(&self) -> bool {
        self.ports.is_some() && self.is_incomplete()
    }

    /// Whether a later piece was captured.
    pub fn has_later(&self) -> bool {
        self.ports.is_none() || self.packets.len() > 1
    }

    /// Whether it carries a DNS response.
    pub fn is_dns_answer(&self) -> bool {
        self.from_dns
    }
}

/// Pieces kept per packet; more is no packet that could be put together.
const PIECES_MAX: usize = 64;

/// Collects the pieces of all fragmented packets.
pub(super) fn collect(facts: &mut Facts<'_>) -> Vec<Pieces> {
    let index = facts.index;
    let mut table: BTreeMap<(Address, Address, u8, u32), Pieces> = BTreeMap::new();
    let mut left_out = false;
    for segment in index.segments() {
        for (row, bits) in segment.flags.iter().enumerate() {
            if bits & flags::FRAGMENT == 0 {
                continue;
            }
            let Some(packet) = index.packet(PacketId(segment.base.0 + row as u32)) else { continue };
            let decoded = packet.decode();
            let Some(fragment) = decoded.fragment else { continue };
            if facts.is_copy(packet.id) {
                continue;
            }
            let key = (decoded.source, decoded.destination, decoded.ip_protocol, fragment.id);
            if table.len() >= PACKETS_MAX && !table.contains_key(&key) {
                left_out = true;
                continue;
            }
            let pieces = table.entry(key).or_insert_with(|| Pieces {
                source: decoded.source,
                destination: decoded.destination,
                packets: Vec::new(),
                time_ns: packet.time_ns(),
                ports: None,
                from_dns: false,
                received: 0,
                whole: None,
                stops_between: false,
            });
            if pieces.packets.len() >= PIECES_MAX {
                continue;
            }
            // What the piece carries after the IP header: the UDP header counts, as offsets do.
            let header = if matches!(decoded.transport, Transport::Udp { .. }) { 8 } else { 0 };
            // As the IP header states it: a snap length may have cut the piece.
            let stated = decoded.network_start + decoded.ip_length;
            let end =
                if decoded.ip_length > 0 { stated.max(decoded.payload_end) } else { decoded.payload_end };
            let printed = packet.printed().and_then(|line| line.ip.piece);
            let length = printed.map_or((end - decoded.payload_start) + header, |(_, bytes)| bytes);
            pieces.packets.push(packet.id);
            pieces.received = pieces.received.saturating_add(length);
            if fragment.offset_bytes == 0 {
                pieces.ports = decoded.ports();
                pieces.from_dns = pieces.ports.is_some_and(|(source, _)| facts.is_dns_port(source));
            }
            if !fragment.more {
                pieces.whole = Some(fragment.offset_bytes.saturating_add(length));
            }
        }
    }
    if left_out {
        facts.notes.push(format!("only the first {PACKETS_MAX} fragmented packets were followed"));
    }
    let mut all: Vec<Pieces> = table.into_values().collect();
    if index.sources.len() > 1 {
        let source = |packet: PacketId| index.packet(packet).map(|packet| packet.segment.source);
        let arrives = |packet: &PacketId| {
            facts.evidence.copies(*packet).any(|(copy, _)| source(copy) != source(*packet))
        };
        for pieces in &mut all {
            let arrived = pieces.packets.iter().filter(|packet| arrives(packet)).count();
            pieces.stops_between = arrived > 0 && arrived < pieces.packets.len();
        }
    }
    all.sort_by_key(|pieces| pieces.packets.first().copied());
    all
}
