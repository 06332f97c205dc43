//! What passes between hosts beside DNS, as far as it shows whether people were served: what TCP connections carry, and
//! requests over UDP and ICMP with their answers.

mod datagrams;
mod streams;

use std::net::IpAddr;

use super::Facts;
use crate::decode::Address;
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId};
use crate::time::Nanos;
pub use datagrams::{Exchange, Kind};
pub use streams::{Talk, Way};

/// Exchanges followed at a time; a scan can hold millions.
const EXCHANGES_MAX: usize = 65_536;
/// Packets kept of one exchange, and of one thing seen in many connections.
pub const KEPT_MAX: usize = 64;

/// Packets of one sort: how many, and the first of them.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub packets: Vec<PacketId>,
    /// The last of them.
    pub last: Option<PacketId>,
}

impl Seen {
    pub(super) fn note(&mut self, packet: PacketId) {
        self.count += 1;
        self.last = Some(packet);
        if self.packets.len() < KEPT_MAX {
            self.packets.push(packet);
        }
    }
}

/// A message in clear that says that a request was not served.
#[derive(Clone, Copy, Debug)]
pub struct Complaint {
    /// The segment that carries it.
    pub packet: PacketId,
    /// Who sent it.
    pub from: (Address, u16),
    /// To whom.
    pub to: (Address, u16),
    /// What it says.
    pub says: Says,
}

/// What a message in clear says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Says {
    /// A fatal TLS alert, by its number (RFC 8446 §6).
    Alert(u8),
    /// An HTTP status from 500 on (RFC 9110 §15.6).
    Status(u16),
}

/// A receiver that took no more data for a time.
#[derive(Clone, Debug, Default)]
pub struct Stall {
    /// Segments that announce a window of 0.
    pub seen: Seen,
    /// When the window was closed, of the longest time it was.
    pub closed_ns: Option<Nanos>,
    /// The longest time it was closed.
    pub longest_ns: Nanos,
}

/// Everything seen.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// What each connection of [`Facts::connections`] carried, in their order.
    pub talks: Vec<Talk>,
    /// Alerts and statuses.
    pub complaints: Vec<Complaint>,
    /// TCP packets of connections whose beginning is not in the capture.
    pub strangers: Seen,
    /// Segments whose content is encrypted.
    pub encrypted: Seen,
    /// Requests over UDP and ICMP by who asked whom for what, in order.
    pub exchanges: Vec<Exchange>,
    /// UDP datagrams of ports of which nothing is known, and one-way protocols.
    pub one_way: Seen,
    /// Limits that were reached.
    pub left_out: u64,
}

/// Reads TCP segments, requests and answers again.
pub(super) fn watch(facts: &Facts<'_>) -> Traffic {
    let mut streams = streams::Streams::of(&facts.connections);
    let mut datagrams = datagrams::Datagrams::default();
    let index: &Index = facts.index;
    for segment in index.segments() {
        for (row, transport) in segment.transport.iter().enumerate() {
            if !matches!(transport, 1 | 6 | 17 | 58) {
                continue;
            }
            let bits = segment.flags.get(row).copied().unwrap_or_default();
            if bits & (flags::ICMP_ERROR | flags::DNS_QUERY | flags::DNS_RESPONSE) != 0 {
                continue;
            }
            let id = PacketId(segment.base.0 + row as u32);
            let Some(packet) = index.packet(id).filter(|_| !facts.is_copy(id)) else { continue };
            match transport {
                6 => streams.note(&packet),
                _ => datagrams.note(&packet),
            }
        }
    }
    let mut traffic = streams.traffic;
    (traffic.exchanges, traffic.one_way) = (datagrams.exchanges, datagrams.one_way);
    traffic.left_out = datagrams.left_out;
    traffic
}

/// Sender and receiver of a packet with their ports.
fn ends(packet: &Packet<'_>) -> ((Address, u16), (Address, u16)) {
    (
        (packet.source_address(), packet.source_port()),
        (packet.destination_address(), packet.destination_port()),
    )
}

/// Whether an address names one host: no group, and neither all hosts nor none.
pub fn is_host(address: Address) -> bool {
    match address.ip() {
        Some(IpAddr::V4(v4)) => {
            !v4.is_multicast() && !v4.is_broadcast() && !v4.is_unspecified() && v4.octets()[3] != u8::MAX
        }
        Some(IpAddr::V6(v6)) => !v6.is_multicast() && !v6.is_unspecified(),
        None => address.is_host(),
    }
}
