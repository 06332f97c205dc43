//! TCP connection attempts: who opened to whom, and how it ended.

use hashbrown::HashMap;

use super::{ErrorFact, Facts, Meaning};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// Attempts followed; a SYN flood or a scan can hold millions.
pub const CONNECTIONS_MAX: usize = 262_144;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// SYN-ACK came.
    Accepted,
    /// Reset instead of SYN-ACK.
    Refused,
    /// An ICMP error about the SYN, and nothing else.
    Rejected,
    /// Nothing came.
    Silent,
    /// Accepted, then reset by the server before it sent data.
    ResetLater,
}

/// One attempt: the first SYN of a 5-tuple and what followed.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Who opened it.
    pub client: (Address, u16),
    /// To whom.
    pub server: (Address, u16),
    /// The first SYN.
    pub syn: PacketId,
    /// When it was sent.
    pub time_ns: Nanos,
    /// The last SYN; equal to `syn` without repeats.
    pub last_syn: PacketId,
    /// When that was sent.
    pub last_syn_ns: Nanos,
    /// SYNs sent.
    pub tries: u32,
    /// How it ended.
    pub ending: Ending,
    /// The packet that decided it (SYN-ACK, reset).
    pub decided: Option<PacketId>,
    /// Whether the server sent data.
    pub served: bool,
}

const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// Follows SYNs, SYN-ACKs, resets and first data of all connections.
pub(super) fn follow(facts: &mut Facts<'_>) -> Vec<Connection> {
    let index = facts.index;
    let mut table: HashMap<(Address, u16, Address, u16), u32> = HashMap::new();
    let mut connections: Vec<Connection> = Vec::new();
    let mut left_out = 0u64;
    for segment in index.segments() {
        for (row, tcp_flags) in segment.tcp_flags.iter().enumerate() {
            if segment.transport.get(row) != Some(&6) || tcp_flags & (SYN | RST | PSH) == 0 {
                continue;
            }
            let Some(packet) = index.packet(PacketId(segment.base.0 + row as u32)) else { continue };
            let from = (packet.source_address(), packet.source_port());
            let to = (packet.destination_address(), packet.destination_port());
            if tcp_flags & (SYN | ACK) == SYN {
                if facts.is_copy(packet.id) {
                    continue;
                }
                if table.len() >= CONNECTIONS_MAX {
                    left_out += 1;
                    continue;
                }
                let at = *table.entry((from.0, from.1, to.0, to.1)).or_insert_with(|| {
                    connections.push(opened(from, to, packet.id, packet.time_ns()));
                    connections.len() as u32 - 1
                });
                if let Some(connection) = connections.get_mut(at as usize).filter(|c| c.syn != packet.id) {
                    connection.tries += 1;
                    connection.last_syn = packet.id;
                    connection.last_syn_ns = packet.time_ns();
                }
                continue;
            }
            let Some(at) = table.get(&(to.0, to.1, from.0, from.1)) else { continue };
            if let Some(connection) = connections.get_mut(*at as usize) {
                answer(connection, *tcp_flags, packet.id);
            }
        }
    }
    if left_out > 0 {
        facts
            .notes
            .push(format!("{left_out} connection attempts beyond {CONNECTIONS_MAX} were not followed"));
    }
    connections
}

/// Client and server of a connection.
type Flow = ((Address, u16), (Address, u16));

/// Notes which silent attempts met an ICMP error about a SYN (destination unreachable, time exceeded).
pub(super) fn reject(connections: &mut [Connection], errors: &[ErrorFact]) {
    let about = errors.iter().filter(|error| !matches!(error.meaning, Meaning::TooBig | Meaning::Other));
    let quoted = about.filter_map(|error| {
        let quoted = error.quoted.filter(|quoted| quoted.transport == 6)?;
        Some(((quoted.source, quoted.destination), error.packet))
    });
    let mut by_flow: HashMap<Flow, PacketId> = HashMap::new();
    for (flow, packet) in quoted {
        by_flow.entry(flow).or_insert(packet);
    }
    if by_flow.is_empty() {
        return;
    }
    for connection in connections.iter_mut().filter(|connection| connection.ending == Ending::Silent) {
        if let Some(error) = by_flow.get(&(connection.client, connection.server)) {
            (connection.ending, connection.decided) = (Ending::Rejected, Some(*error));
        }
    }
}

fn opened(client: (Address, u16), server: (Address, u16), syn: PacketId, time_ns: Nanos) -> Connection {
    Connection {
        client,
        server,
        syn,
        time_ns,
        last_syn: syn,
        last_syn_ns: time_ns,
        tries: 1,
        ending: Ending::Silent,
        decided: None,
        served: false,
    }
}

fn answer(connection: &mut Connection, tcp_flags: u8, packet: PacketId) {
    let reset = tcp_flags & RST != 0;
    match connection.ending {
        Ending::Silent if reset => (connection.ending, connection.decided) = (Ending::Refused, Some(packet)),
        Ending::Silent if tcp_flags & SYN != 0 => {
            (connection.ending, connection.decided) = (Ending::Accepted, Some(packet));
        }
        Ending::Accepted if reset && !connection.served => {
            (connection.ending, connection.decided) = (Ending::ResetLater, Some(packet));
        }
        Ending::Accepted if tcp_flags & PSH != 0 => connection.served = true,
        _ => {}
    }
}
