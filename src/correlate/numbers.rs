//! Numbers for the clients and servers of failed lookups, so that other packets cost a look into two columns.

use std::collections::HashMap;

use rayon::prelude::*;

use super::messages::NONE;
use crate::decode::Address;
use crate::index::{Index, PacketId};

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// The clients and servers, and their numbers in the dictionary of each segment.
#[derive(Default)]
pub(super) struct Numbers {
    clients: Map<Address, u32>,
    servers: Map<Address, u32>,
    /// By segment and position in its dictionary: number as client, number as server.
    of: Vec<Vec<(u32, u32)>>,
}

/// A query between numbered hosts.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub client: u32,
    pub server: u32,
    /// The server's port.
    pub port: u16,
    pub transport: u8,
}

fn number(known: &mut Map<Address, u32>, address: Address) -> u32 {
    let next = known.len() as u32;
    *known.entry(address).or_insert(next)
}

impl Numbers {
    /// The number of a client, given when first asked for.
    pub fn client(&mut self, address: Address) -> u32 {
        number(&mut self.clients, address)
    }

    /// The number of a server, given when first asked for.
    pub fn server(&mut self, address: Address) -> u32 {
        number(&mut self.servers, address)
    }

    /// Numbered clients and servers.
    pub fn counts(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }

    /// The number of a server that has one.
    pub fn server_number(&self, address: Address) -> Option<u32> {
        self.servers.get(&address).copied()
    }

    /// Looks the numbered hosts up in all dictionaries; call when all have their numbers.
    pub fn read(&mut self, index: &Index) {
        let (clients, servers) = (&self.clients, &self.servers);
        let get = |known: &Map<Address, u32>, address| known.get(address).copied().unwrap_or(NONE);
        let of = index.segments().par_iter().map(|segment| {
            segment.addresses.iter().map(|address| (get(clients, address), get(servers, address))).collect()
        });
        self.of = of.collect();
    }

    /// The segment and ends of a query; `None` unless both its client and its server are numbered.
    pub fn ends(&self, index: &Index, query: PacketId) -> Option<(usize, Ends)> {
        let at = index.segment_of(query)?;
        let segment = index.segments().get(at)?;
        let numbers = self.of.get(at)?;
        let row = (query.0 - segment.base.0) as usize;
        let (client, _) = *numbers.get(*segment.source_address.get(row)? as usize)?;
        let (_, server) = *numbers.get(*segment.destination_address.get(row)? as usize)?;
        if client == NONE || server == NONE {
            return None;
        }
        let (port, transport) = (*segment.destination_port.get(row)?, *segment.transport.get(row)?);
        Some((at, Ends { client, server, port, transport }))
    }
}
