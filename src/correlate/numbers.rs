//! Numbers for the clients and servers of failed lookups, so that other packets cost a look into two columns.

use rayon::prelude::*;

use super::dictionary::Dictionary;
use super::messages::NONE;
use crate::decode::Address;
use crate::index::{PacketId, Segment};

/// The clients and servers, and their numbers in the dictionary of each segment.
pub(super) struct Numbers<'d> {
    dictionary: &'d Dictionary,
    /// By the address's number in the dictionary: number as client, number as server, given in the order in which they are
    /// first asked for.
    known: Vec<(u32, u32)>,
    clients: u32,
    servers: u32,
    /// By segment and position in its dictionary, the same.
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

impl<'d> Numbers<'d> {
    pub fn new(dictionary: &'d Dictionary) -> Self {
        let known = dictionary.table((NONE, NONE));
        Self { dictionary, known, clients: 0, servers: 0, of: Vec::new() }
    }

    /// The numbers of a client and a server, given by their positions in a segment's dictionary.
    pub fn number(&mut self, at: usize, (client, server): (u32, u32)) -> (u32, u32) {
        let numbers = self.dictionary.of_segment(at);
        let place = |position: u32| numbers.get(position as usize).map(|number| *number as usize);
        let number = |slot: Option<&mut u32>, count: &mut u32| {
            let Some(slot) = slot else { return NONE };
            if *slot == NONE {
                *slot = *count;
                *count += 1;
            }
            *slot
        };
        let client = place(client).and_then(|at| self.known.get_mut(at));
        let client = number(client.map(|known| &mut known.0), &mut self.clients);
        let server = place(server).and_then(|at| self.known.get_mut(at));
        (client, number(server.map(|known| &mut known.1), &mut self.servers))
    }

    /// Numbered clients and servers.
    pub fn counts(&self) -> (usize, usize) {
        (self.clients as usize, self.servers as usize)
    }

    fn known(&self, address: u32) -> (u32, u32) {
        self.known.get(address as usize).copied().unwrap_or((NONE, NONE))
    }

    /// The number of a server that has one.
    pub fn server_number(&self, address: Address) -> Option<u32> {
        let (_, number) = self.known(self.dictionary.number(address)?);
        (number != NONE).then_some(number)
    }

    /// The number of a client that has one.
    pub fn client_number(&self, address: Address) -> Option<u32> {
        let (number, _) = self.known(self.dictionary.number(address)?);
        (number != NONE).then_some(number)
    }

    /// The numbers of a query's client and server, [`NONE`] for each without.
    pub fn either(&self, (at, segment): (usize, &Segment), row: usize) -> (u32, u32) {
        let ends = || {
            let numbers = self.of.get(at)?;
            let (client, _) = *numbers.get(*segment.source_address.get(row)? as usize)?;
            let (_, server) = *numbers.get(*segment.destination_address.get(row)? as usize)?;
            Some((client, server))
        };
        ends().unwrap_or((NONE, NONE))
    }

    /// Looks the numbered hosts up in the dictionaries of all segments; call when all have their numbers.
    pub fn read(&mut self, segments: usize) {
        let of = (0..segments).into_par_iter().map(|at| {
            let numbers = self.dictionary.of_segment(at).iter();
            numbers.map(|number| self.known(*number)).collect()
        });
        self.of = of.collect();
    }

    /// The numbers of a query's client and server; `None` unless both are numbered.
    pub fn hosts(&self, (at, segment): (usize, &Segment), row: usize) -> Option<(u32, u32)> {
        let numbers = self.of.get(at)?;
        let (client, _) = *numbers.get(*segment.source_address.get(row)? as usize)?;
        let (_, server) = *numbers.get(*segment.destination_address.get(row)? as usize)?;
        (client != NONE && server != NONE).then_some((client, server))
    }

    /// The ends of a query in a segment; `None` unless both its client and its server are numbered.
    pub fn ends(&self, (at, segment): (usize, &Segment), query: PacketId) -> Option<Ends> {
        let row = (query.0 - segment.base.0) as usize;
        let (client, server) = self.hosts((at, segment), row)?;
        let (port, transport) = (*segment.destination_port.get(row)?, *segment.transport.get(row)?);
        Some(Ends { client, server, port, transport })
    }
}
