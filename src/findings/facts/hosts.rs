//! What else was seen of the addresses that matter: life signs with their distance, and DHCP replies.

use std::collections::BTreeMap;

use super::Facts;
use crate::correlate::{Outcome, Transaction};
use crate::decode::Address;
use crate::index::segment::flags;
use crate::index::{Packet, PacketId};
use crate::protocols::ProtocolId;
use crate::time::Nanos;

/// Addresses watched.
pub const HOSTS_MAX: usize = 4_096;
/// Life signs kept per address and sort; enough to see whether it lived during a failure.
const SIGNS_MAX: usize = 20_000;
/// DHCP replies kept: what a network hands out does not change with each of them.
const LEASES_MAX: usize = 4_096;

/// What kind of packet a life sign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// A DNS response, or a first fragment from a port of DNS.
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

/// Looks at every packet once and keeps what the watched addresses sent.
pub(super) fn watch(facts: &mut Facts<'_>) {
    let mut hosts: BTreeMap<Address, Host> = BTreeMap::new();
    for (_, problem) in facts.problems() {
        hosts.entry(problem.server.0).or_default();
    }
    // Servers that left repeated queries in silence until the capture ended.
    let open = |t: &&Transaction| t.tries > 1 && t.outcome == Outcome::Undetermined && t.answer.is_none();
    for transaction in facts.evidence.transactions.iter().filter(open) {
        let server = facts.index.packet(transaction.first).map(|packet| packet.destination_address());
        if let Some(server) = server.filter(|_| hosts.len() < HOSTS_MAX) {
            hosts.entry(server).or_default();
        }
    }
    for error in &facts.errors {
        if hosts.len() >= HOSTS_MAX {
            facts.notes.push(format!("only the first {HOSTS_MAX} addresses were looked at in detail"));
            break;
        }
        hosts.entry(error.source).or_default();
    }
    let index = facts.index;
    let dhcp = ProtocolId::by_name("dhcp").map(|id| id.0);
    let mut leases = Vec::new();
    for segment in index.segments() {
        let watched: Vec<bool> =
            segment.addresses.iter().map(|address| hosts.contains_key(address)).collect();
        for (row, source) in segment.source_address.iter().enumerate() {
            let seen = watched.get(*source as usize).copied().unwrap_or(false);
            let protocol = segment.protocol.get(row).copied();
            if protocol == dhcp && leases.len() < LEASES_MAX && segment.source_port.get(row) == Some(&67) {
                leases.push(PacketId(segment.base.0 + row as u32));
            }
            if !seen || protocol == Some(ProtocolId::ARP.0) {
                continue;
            }
            let Some(packet) = index.packet(PacketId(segment.base.0 + row as u32)) else { continue };
            if let Some(host) = hosts.get_mut(&segment.address(*source)) {
                sign(host, &packet);
            }
        }
    }
    facts.hosts = hosts;
    facts.leases = leases;
}

fn sign(host: &mut Host, packet: &Packet<'_>) {
    let tcp_flags = packet.segment.tcp_flags.get(packet.row).copied().unwrap_or(0);
    let bits = packet.flags();
    let sort = match packet.transport() {
        _ if bits & flags::ICMP_ERROR != 0 => Sort::Error,
        _ if bits & flags::DNS_RESPONSE != 0 => Sort::Dns,
        17 if packet.source.settings.is_dns_port(packet.source_port()) => Sort::Dns,
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
