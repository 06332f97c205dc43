//! TCP connection attempts: who opened to whom, and how it ended.

use hashbrown::HashMap;

use super::{ErrorFact, Facts, Meaning};
use crate::connections::{Connection as Tracked, Known};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

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
    /// Bytes of the server that the client never acknowledged.
    pub unacknowledged: u32,
    /// Whether any packet of the server was captured.
    heard: bool,
}

impl Connection {
    /// Whether it was left without any answer: asked again, or watched for this long.
    pub fn is_unanswered(&self, end_ns: Nanos, watch_ns: Nanos) -> bool {
        self.ending == Ending::Silent && (self.tries > 1 || end_ns - self.last_syn_ns >= watch_ns)
    }

    /// Whether any packet of the server is in the capture.
    pub fn is_heard(&self) -> bool {
        self.heard
    }
}

/// The connections whose SYN was seen, and how each ended.
pub(super) fn follow(facts: &mut Facts<'_>) {
    facts.notes.extend(facts.attempts.notes.iter().cloned());
    facts.connections = facts.attempts.connections.iter().filter_map(opened).collect();
    for connection in facts.attempts.connections.iter().filter(|connection| connection.is_in_use()) {
        facts.used.entry(connection.server).or_default().push(*connection);
        if connection.known == Known::ByPort {
            // Seen from its middle, the ports alone tell which side serves.
            facts.used.entry(connection.client).or_default().push(*connection);
        }
    }
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

fn opened(connection: &Tracked) -> Option<Connection> {
    let (syn, last_syn) = connection.syn.zip(connection.last_syn)?;
    let reset = connection.from_server.reset;
    let (ending, decided) = match (connection.accepted, reset) {
        _ if connection.is_refused() => (Ending::Refused, reset),
        _ if connection.is_silent() => (Ending::Silent, None),
        (_, Some(_)) if connection.from_server.first.is_none() => (Ending::ResetLater, reset),
        (accepted, _) => (Ending::Accepted, accepted.or(connection.from_server.first)),
    };
    Some(Connection {
        client: connection.client,
        server: connection.server,
        syn: syn.packet,
        time_ns: syn.time_ns,
        last_syn: last_syn.packet,
        last_syn_ns: last_syn.time_ns,
        tries: connection.tries,
        ending,
        decided: decided.map(|seen| seen.packet),
        served: connection.from_server.first.is_some(),
        unacknowledged: connection.unacknowledged(),
        heard: connection.hears_server(),
    })
}
