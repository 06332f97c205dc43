//! TCP connection attempts: who opened to whom, and how it ended.

use hashbrown::{HashMap, HashSet};

use super::{Facts, ServerKey, servers};
use crate::correlate::{Outcome, Transaction};
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

/// A truncated answer, and the TCP attempt that should have brought the whole one and failed.
#[derive(Clone, Copy, Debug)]
pub struct Stuck<'i> {
    /// Who was asked.
    pub server: ServerKey,
    /// The lookup over UDP.
    pub transaction: &'i Transaction,
    /// The TCP attempt that followed.
    pub connection: Connection,
}

/// TCP follows a truncated answer within this time (RFC 7766 §5).
const TCP_AFTER_NS: Nanos = 10_000_000_000;
/// A SYN unanswered for this long is silence.
const SYN_WATCH_NS: Nanos = 3_000_000_000;

/// Truncated answers whose questions then failed over TCP; servers whose TCP serves anyone in between are left out.
pub(super) fn stuck<'i>(facts: &Facts<'i>) -> Vec<Stuck<'i>> {
    let (_, end_ns) = facts.span();
    let over_dns = |connection: &&Connection| connection.server.1 == 53;
    let failed = |connection: &Connection| match connection.ending {
        Ending::Refused | Ending::ResetLater => true,
        Ending::Silent => end_ns - connection.last_syn_ns >= SYN_WATCH_NS,
        Ending::Accepted => false,
    };
    let mut attempts: HashMap<(Address, Address), Vec<Connection>> = HashMap::new();
    for connection in facts.connections.iter().filter(over_dns).filter(|connection| failed(connection)) {
        attempts.entry((connection.client.0, connection.server.0)).or_default().push(*connection);
    }
    if attempts.is_empty() {
        return Vec::new();
    }
    let working: HashSet<Address> =
        facts.connections.iter().filter(over_dns).filter(|c| c.served).map(|c| c.server.0).collect();
    let mut found = Vec::new();
    for transaction in facts.evidence.transactions.iter().filter(|t| t.outcome == Outcome::Answered) {
        let Some((client, server)) = servers::key_of(facts, transaction) else { continue };
        let Some(tried) = attempts.get(&(client, server.0)).filter(|_| server.2 == 17) else { continue };
        let Some(answer) = transaction.answer.and_then(|answer| facts.index.packet(answer)) else { continue };
        if working.contains(&server.0) || !answer.dns().is_some_and(|row| row.header.is_truncated()) {
            continue;
        }
        let window = answer.time_ns()..=answer.time_ns() + TCP_AFTER_NS;
        if let Some(connection) = tried.iter().find(|connection| window.contains(&connection.time_ns)) {
            found.push(Stuck { server, transaction, connection: *connection });
        }
    }
    found
}
