//! What else was seen of the addresses that matter: life signs with their distance, ARP requests and replies.

use std::collections::BTreeMap;

use super::Facts;
use crate::decode::Address;
use crate::index::segment::flags;
use crate::index::{Packet, PacketId};
use crate::protocols::ProtocolId;
use crate::time::Nanos;

/// Addresses watched.
pub const HOSTS_MAX: usize = 4_096;
/// Life signs kept per address and sort; enough to see whether it lived during a failure.
const SIGNS_MAX: usize = 20_000;
/// Packets kept per ARP target.
const REQUESTS_MAX: usize = 256;

/// What kind of packet a life sign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// A DNS response, or a first fragment from port 53.
    Dns,
    /// TCP that is not a reset.
    Tcp,
    /// A TCP reset.
    Reset,
    /// An echo reply.
    Echo,
    /// An ICMP error.
    Error,
    /// Anything else.
    Other,
}

/// One packet an address sent.
#[derive(Clone, Copy, Debug)]
pub struct Sign {
    /// When.
    pub time_ns: Nanos,
    /// Which.
    pub packet: PacketId,
    /// Source port (ICMP: type).
    pub port: u16,
    /// TTL on arrival; 0 when not recorded.
    pub ttl: u8,
    /// To whom.
    pub to: Address,
}

/// What one address sent.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Packets by sort.
    pub signs: BTreeMap<Sort, Vec<Sign>>,
}

impl Host {
    /// The life signs of one sort.
    pub fn of(&self, sort: Sort) -> &[Sign] {
        self.signs.get(&sort).map(Vec::as_slice).unwrap_or_default()
    }

    /// All signs that are no ICMP errors.
    pub fn alive(&self) -> impl Iterator<Item = &Sign> {
        self.signs.iter().filter(|(sort, _)| **sort != Sort::Error).flat_map(|(_, signs)| signs.iter())
    }
}

/// Requests for the link address of one IP address, and replies.
#[derive(Clone, Debug, Default)]
pub struct Neighbour {
    /// ARP requests or neighbour solicitations, with their time.
    pub requests: Vec<(Nanos, PacketId)>,
    /// Replies.
    pub replies: Vec<PacketId>,
}

/// Looks at every packet once and keeps what the watched addresses sent.
pub(super) fn watch(facts: &mut Facts<'_>) {
    let mut hosts: BTreeMap<Address, Host> = BTreeMap::new();
    for (_, problem) in facts.problems() {
        hosts.entry(problem.server.0).or_default();
    }
    for error in &facts.errors {
        if hosts.len() >= HOSTS_MAX {
            facts.notes.push(format!("only the first {HOSTS_MAX} addresses were looked at in detail"));
            break;
        }
        hosts.entry(error.source).or_default();
    }
    let index = facts.index;
    let mut neighbours: BTreeMap<Address, Neighbour> = BTreeMap::new();
    for segment in index.segments() {
        let watched: Vec<bool> =
            segment.addresses.iter().map(|address| hosts.contains_key(address)).collect();
        for (row, source) in segment.source_address.iter().enumerate() {
            let seen = watched.get(*source as usize).copied().unwrap_or(false);
            let arp = segment.protocol.get(row) == Some(&ProtocolId::ARP.0);
            if !seen && !arp {
                continue;
            }
            let Some(packet) = index.packet(PacketId(segment.base.0 + row as u32)) else { continue };
            if arp {
                neighbour(&mut neighbours, &packet);
            } else if let Some(host) = hosts.get_mut(&segment.address(*source)) {
                sign(host, &packet);
            }
        }
    }
    facts.hosts = hosts;
    facts.neighbours = neighbours;
}

fn sign(host: &mut Host, packet: &Packet<'_>) {
    let tcp_flags = packet.segment.tcp_flags.get(packet.row).copied().unwrap_or(0);
    let bits = packet.flags();
    let sort = match packet.transport() {
        _ if bits & flags::ICMP_ERROR != 0 => Sort::Error,
        _ if bits & flags::DNS_RESPONSE != 0 => Sort::Dns,
        17 if packet.source_port() == 53 => Sort::Dns,
        6 if tcp_flags & 4 != 0 => Sort::Reset,
        6 => Sort::Tcp,
        1 if packet.source_port() == 0 => Sort::Echo,
        58 if packet.source_port() == 129 => Sort::Echo,
        _ => Sort::Other,
    };
    let signs = host.signs.entry(sort).or_default();
    if signs.len() < SIGNS_MAX {
        signs.push(Sign {
            time_ns: packet.time_ns(),
            packet: packet.id,
            port: packet.source_port(),
            ttl: packet.segment.ttl.get(packet.row).copied().unwrap_or(0),
            to: packet.destination_address(),
        });
    }
}

/// ARP: the operation stands in bytes 6 and 7 of the packet (RFC 826); 1 asks, 2 answers.
fn neighbour(neighbours: &mut BTreeMap<Address, Neighbour>, packet: &Packet<'_>) {
    let decoded = packet.decode();
    let Some(layer) = decoded.layers().last() else { return };
    let at = layer.start as usize;
    let operation = decoded.bytes.get(at + 6..at + 8).and_then(|bytes| bytes.first_chunk::<2>());
    match operation.map(|bytes| u16::from_be_bytes(*bytes)) {
        // Source and destination equal is an announcement, not a question (RFC 5227).
        Some(1) if decoded.source != decoded.destination && neighbours.len() < HOSTS_MAX => {
            let requests = &mut neighbours.entry(decoded.destination).or_default().requests;
            if requests.len() < REQUESTS_MAX {
                requests.push((packet.time_ns(), packet.id));
            }
        }
        Some(2) => {
            if let Some(neighbour) = neighbours.get_mut(&decoded.source) {
                neighbour.replies.push(packet.id);
            }
        }
        _ => {}
    }
}
