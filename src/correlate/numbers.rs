//! Numbers for the clients and servers of failed lookups, so that other packets cost a look into two columns.

use rayon::prelude::*;

use super::dictionary::Dictionary;
use super::messages::NONE;
use crate::decode::Address;
use crate::index::{PacketId, Segment};

/// The clients and servers, and their numbers in the dictionary of each segment.
pub(super) struct Numbers<'d> {
    dictionary: &'d Dictionary,
    clients: Numbering,
    servers: Numbering,
    /// By segment and position in its dictionary: number as client, number as server.
    of: Vec<Vec<(u32, u32)>>,
}

/// Numbers given in the order in which they are first asked for, by the address's number in the dictionary.
struct Numbering {
    of: Vec<u32>,
    count: u32,
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

impl Numbering {
    fn number(&mut self, address: u32) -> u32 {
        let Some(slot) = self.of.get_mut(address as usize) else { return NONE };
        if *slot == NONE {
            *slot = self.count;
            self.count += 1;
        }
        *slot
    }

    fn known(&self, address: u32) -> u32 {
        self.of.get(address as usize).copied().unwrap_or(NONE)
    }
}

impl<'d> Numbers<'d> {
    pub fn new(dictionary: &'d Dictionary) -> Self {
        let none = || Numbering { of: dictionary.table(NONE), count: 0 };
        Self { dictionary, clients: none(), servers: none(), of: Vec::new() }
    }

    /// The numbers of a client and a server, given by their positions in a segment's dictionary.
    pub fn number(&mut self, at: usize, (client, server): (u32, u32)) -> (u32, u32) {
        let numbers = self.dictionary.of_segment(at);
        let get = |position: u32| numbers.get(position as usize).copied().unwrap_or(NONE);
        (self.clients.number(get(client)), self.servers.number(get(server)))
    }

    /// Numbered clients and servers.
    pub fn counts(&self) -> (usize, usize) {
        (self.clients.count as usize, self.servers.count as usize)
    }

    /// The number of a server that has one.
    pub fn server_number(&self, address: Address) -> Option<u32> {
        let number = self.servers.known(self.dictionary.number(address)?);
        (number != NONE).then_some(number)
    }

    /// Looks the numbered hosts up in the dictionaries of all segments; call when all have their numbers.
    pub fn read(&mut self, segments: usize) {
        let of = (0..segments).into_par_iter().map(|at| {
            let both = |number: &u32| (self.clients.known(*number), self.servers.known(*number));
            self.dictionary.of_segment(at).iter().map(both).collect()
        });
        self.of = of.collect();
    }

    /// The ends of a query in a segment; `None` unless both its client and its server are numbered.
    pub fn ends(&self, (at, segment): (usize, &Segment), query: PacketId) -> Option<Ends> {
        let numbers = self.of.get(at)?;
        let row = (query.0 - segment.base.0) as usize;
        let (client, _) = *numbers.get(*segment.source_address.get(row)? as usize)?;
        let (_, server) = *numbers.get(*segment.destination_address.get(row)? as usize)?;
        if client == NONE || server == NONE {
            return None;
        }
        let (port, transport) = (*segment.destination_port.get(row)?, *segment.transport.get(row)?);
        Some(Ends { client, server, port, transport })
    }
}
