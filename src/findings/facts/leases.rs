//! What DHCP gave to whom: the name servers and routers that clients use because of it.

use std::collections::{BTreeMap, BTreeSet};

use super::Facts;
use crate::decode::Address;
use crate::index::PacketId;
use crate::protocols::dhcp;

/// What an address was given out as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GivenAs {
    /// The way to other networks.
    Router,
    /// A name server.
    NameServer,
}

/// What clients were given: the last acknowledgment that names an address to a client.
#[derive(Clone, Debug, Default)]
pub struct Given {
    by_client: BTreeMap<(Address, Address), (GivenAs, PacketId)>,
    clients: BTreeSet<Address>,
    /// Name servers by client, as given last.
    servers: BTreeMap<Address, (Vec<Address>, PacketId)>,
}

impl Given {
    /// Reads the acknowledgments.
    pub(super) fn read(facts: &Facts<'_>) -> Self {
        let mut found = Self::default();
        for packet in facts.leases.iter().filter_map(|id| facts.index.packet(*id)) {
            let Some(given) = dhcp::given(packet.decode().payload()) else { continue };
            let site = packet.source.site;
            let client = given.client.at(site);
            found.clients.insert(client);
            let servers: Vec<Address> = given.servers.iter().map(|server| server.at(site)).collect();
            for server in &servers {
                found.by_client.insert((client, *server), (GivenAs::NameServer, packet.id));
            }
            for router in given.routers {
                found.by_client.insert((client, router.at(site)), (GivenAs::Router, packet.id));
            }
            if !servers.is_empty() {
                found.servers.insert(client, (servers, packet.id));
            }
        }
        found
    }

    /// Whether a client was given an address, with whatever else.
    pub fn has(&self, client: Address) -> bool {
        self.clients.contains(&client)
    }

    /// What an address was given to a client as, and the acknowledgment that did.
    pub fn to(&self, client: Address, address: Address) -> Option<(GivenAs, PacketId)> {
        self.by_client.get(&(client, address)).copied()
    }

    /// Name servers that other clients were given and not this address, with one acknowledgment of each.
    pub fn instead_of(&self, address: Address) -> BTreeMap<Address, PacketId> {
        let others = self.servers.values().filter(|(servers, _)| !servers.contains(&address));
        others.flat_map(|(servers, packet)| servers.iter().map(|server| (*server, *packet))).collect()
    }
}
