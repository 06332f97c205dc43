//! What routers announce on the local network: which DNS servers to use (RFC 4861 §4.2; RFC 8106 §5.1).

use std::collections::BTreeMap;

use super::Facts;
use crate::decode::Address;
use crate::index::{Packet, PacketId};
use crate::time::Nanos;

/// Routers followed.
const ROUTERS_MAX: usize = 256;
/// Advertisements kept of one router.
const KEPT_MAX: usize = 64;
/// ICMPv6 type of a router advertisement.
const ADVERTISEMENT: u16 = 134;
/// Bytes of an advertisement before its options.
const HEADER: usize = 16;
/// Option that lists recursive DNS servers.
const SERVERS: u8 = 25;

/// What one router announces.
#[derive(Clone, Debug, Default)]
pub struct Router {
    /// Its address on the link.
    pub address: Address,
    /// The DNS servers it gives, each once.
    pub servers: Vec<Address>,
    /// Its advertisements that give them, the first of them.
    pub packets: Vec<PacketId>,
    /// The first and the last of all.
    pub span_ns: (Nanos, Nanos),
}

/// The routers that announce DNS servers, by address.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Router> {
    let mut routers: BTreeMap<Address, Router> = BTreeMap::new();
    for segment in facts.index.segments() {
        for (row, transport) in segment.transport.iter().enumerate() {
            if *transport != 58 || segment.source_port.get(row) != Some(&ADVERTISEMENT) {
                continue;
            }
            let Some(packet) = facts.index.packet(PacketId(segment.base.0 + row as u32)) else { continue };
            let address = packet.source_address();
            let full = routers.len() >= ROUTERS_MAX && !routers.contains_key(&address);
            let servers = servers(&packet);
            if facts.is_copy(packet.id) || full || servers.is_empty() {
                continue;
            }
            let at_ns = packet.time_ns();
            let router = routers.entry(address).or_insert_with(|| Router {
                address,
                span_ns: (at_ns, at_ns),
                ..Router::default()
            });
            router.span_ns.1 = router.span_ns.1.max(at_ns);
            for server in servers {
                if !router.servers.contains(&server) && router.servers.len() < KEPT_MAX {
                    router.servers.push(server);
                }
            }
            if router.packets.len() < KEPT_MAX {
                router.packets.push(packet.id);
            }
        }
    }
    routers.into_values().collect()
}

/// The DNS servers an advertisement gives for more than no time.
fn servers(packet: &Packet<'_>) -> Vec<Address> {
    let decoded = packet.decode();
    let Some(layer) = decoded.layers().last() else { return Vec::new() };
    let mut rest = decoded.bytes.get(layer.start as usize + HEADER..).unwrap_or_default();
    let mut found = Vec::new();
    while let [kind, units, ..] = *rest {
        let length = usize::from(units) * 8;
        let Some(option) = rest.get(..length).filter(|_| length > 0) else { break };
        let lasts = option.get(4..8).is_some_and(|lifetime| lifetime != [0; 4]);
        if kind == SERVERS && lasts {
            let addresses = option.get(8..).unwrap_or_default().chunks_exact(16);
            let address =
                |octets: &[u8]| Some(Address::V6((*octets.first_chunk::<16>()?).into()).at(decoded.site));
            found.extend(addresses.filter_map(address));
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}
