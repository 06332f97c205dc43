//! Follows TCP connections to port 53: opened, refused, silent, reset.

use std::collections::HashMap;

use rayon::prelude::*;

use super::Evidence;
use super::messages::Messages;
use crate::decode::Address;
use crate::index::{Packet, PacketId, Segment};
use crate::time::Nanos;

const DNS_PORT: u16 = 53;
const TCP: u8 = 6;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// One TCP connection of a client to port 53.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Who opened it.
    pub client: (Address, u16),
    /// Whom it was opened to.
    pub server: (Address, u16),
    /// Its first packet in the capture.
    pub first: PacketId,
    /// Its last packet in the capture.
    pub last: PacketId,
    /// Time of its first packet.
    pub first_ns: Nanos,
    /// The client's first SYN was seen.
    pub opened_here: bool,
    /// The server's SYN and ACK.
    pub accepted: Option<PacketId>,
    /// The first RST, and its time.
    pub reset: Option<(PacketId, Nanos)>,
    /// Some packet carries FIN.
    pub closed: bool,
}

impl Connection {
    /// Reset before it was accepted: nothing listens there or a filter refuses.
    pub fn is_refused(&self) -> bool {
        self.reset.is_some() && self.accepted.is_none() && self.opened_here
    }

    /// Opened by the client and nothing came back.
    pub fn is_silent(&self) -> bool {
        self.reset.is_none() && self.accepted.is_none() && self.opened_here
    }
}

/// Finds the connections; a port reused after a reset or close begins a new one.
pub(super) fn find(messages: &Messages<'_>, evidence: &Evidence) -> Vec<Connection> {
    let mut newest: HashMap<((Address, u16), Address), usize, foldhash::fast::FixedState> =
        HashMap::default();
    let mut connections: Vec<Connection> = Vec::new();
    let rows: Vec<Vec<usize>> = messages.index.segments().par_iter().map(|segment| rows(segment)).collect();
    for (segment, rows) in messages.index.segments().iter().zip(rows) {
        for row in rows {
            let id = PacketId(segment.base.0 + row as u32);
            if evidence.is_duplicate(id) {
                continue;
            }
            let Some(packet) = messages.index.packet(id) else { continue };
            let flags = segment.tcp_flags.get(row).copied().unwrap_or_default();
            follow(&mut connections, &mut newest, &packet, flags);
        }
    }
    connections
}

/// The rows of a segment that are TCP from or to port 53.
#[expect(clippy::needless_bitwise_bool, reason = "a lazy operator is a way out of the loop over a stretch")]
fn rows(segment: &Segment) -> Vec<usize> {
    let is_dns = |((transport, from), to): ((&u8, &u16), &u16)| {
        (*transport == TCP) & ((*from == DNS_PORT) | (*to == DNS_PORT))
    };
    let mut found = Vec::new();
    let stretches = segment.transport.chunks(STRETCH).zip(segment.source_port.chunks(STRETCH));
    for (at, ((transports, from), to)) in stretches.zip(segment.destination_port.chunks(STRETCH)).enumerate()
    {
        let columns = transports.iter().zip(from).zip(to);
        // Without a way out of the loop the processor compares many rows at once; few stretches have such a packet.
        if columns.clone().fold(false, |any, columns| any | is_dns(columns)) {
            let rows = columns.enumerate().filter(|(_, columns)| is_dns(*columns));
            found.extend(rows.map(|(row, _)| at * STRETCH + row));
        }
    }
    found
}

/// Rows that are looked at together.
const STRETCH: usize = 128;

fn follow(
    connections: &mut Vec<Connection>,
    newest: &mut HashMap<((Address, u16), Address), usize, foldhash::fast::FixedState>,
    packet: &Packet<'_>,
    flags: u8,
) {
    let from = (packet.source_address(), packet.source_port());
    let to = (packet.destination_address(), packet.destination_port());
    let from_client = to.1 == DNS_PORT;
    let (client, server) = if from_client { (from, to) } else { (to, from) };
    let opens = from_client && flags & (SYN | ACK) == SYN;
    let known = newest.get(&(client, server.0)).copied().filter(|at| {
        connections.get(*at).is_some_and(|known| !opens || (known.reset.is_none() && !known.closed))
    });
    let at = known.unwrap_or_else(|| {
        connections.push(Connection {
            client,
            server,
            first: packet.id,
            last: packet.id,
            first_ns: packet.time_ns(),
            opened_here: opens,
            accepted: None,
            reset: None,
            closed: false,
        });
        newest.insert((client, server.0), connections.len() - 1);
        connections.len() - 1
    });
    let Some(connection) = connections.get_mut(at) else { return };
    connection.last = packet.id;
    if !from_client && flags & (SYN | ACK) == SYN | ACK {
        connection.accepted = connection.accepted.or(Some(packet.id));
    }
    if flags & RST != 0 {
        connection.reset = connection.reset.or(Some((packet.id, packet.time_ns())));
    }
    connection.closed |= flags & FIN != 0;
}
