//! One connection: who opened it, what each side sent, and how it ended.

use super::row::{ACK, FIN, RST, Row};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// Address and port.
pub type End = (Address, u16);

/// A packet and when it was captured. Packed: a connection holds a dozen of them, and there may be millions.
#[repr(Rust, packed(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The packet.
    pub packet: PacketId,
    /// Its time.
    pub time_ns: Nanos,
}

impl Seen {
    /// What puts packets in order: their ids, or where several files show the same time, their times.
    pub(super) fn place(self, by_time: bool) -> (Nanos, PacketId) {
        (if by_time { self.time_ns } else { 0 }, self.packet)
    }

    fn of(row: &Row) -> Self {
        Self { packet: row.packet, time_ns: row.time_ns }
    }
}

/// How it is known which side is the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// It sent a SYN.
    BySyn,
    /// It was sent the SYN that accepts.
    ByAccept,
    /// The other side has the port of a service, or the lower one: the capture begins in the middle.
    ByPort,
}

/// What one side of a connection sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Bytes of payload, repeats not counted.
    pub bytes: u64,
    /// The first packet with payload.
    pub first: Option<Seen>,
    /// The last packet that carried new payload.
    pub last: Option<Seen>,
    /// Segments that brought no byte beyond those sent before: repeats, or out of order.
    pub again: u32,
    /// The first FIN.
    pub finished: Option<Seen>,
    /// The first RST.
    pub reset: Option<Seen>,
    /// The sequence number behind its last byte.
    end: Option<u32>,
    /// The highest one its segments without payload name: what lies before was sent, captured or not.
    reached: Option<u32>,
    /// The highest byte the other side has acknowledged.
    acked: Option<u32>,
}

/// How a connection that carries a request ended for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ends {
    /// The server closed it (FIN) and sent nothing after the request.
    Closed(PacketId),
    /// It was reset before the server sent anything on it.
    Reset(PacketId),
    /// The server reset it after it had sent something.
    ResetMidway(PacketId),
    /// The client gave up (FIN or RST) after this packet, and the server had sent nothing since the request.
    GivenUp(PacketId),
}

/// One TCP connection.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Who opened it, as far as `known` tells.
    pub client: End,
    /// To whom.
    pub server: End,
    /// How it is known which is which.
    pub known: Known,
    /// Its first packet in the capture.
    pub first: Seen,
    /// Its last packet in the capture.
    pub last: Seen,
    /// The first SYN of the client.
    pub syn: Option<Seen>,
    /// The last one; equal to `syn` without repeats.
    pub last_syn: Option<Seen>,
    /// SYNs sent.
    pub tries: u32,
    /// The first SYN and ACK of the server.
    pub accepted: Option<Seen>,
    /// How often the server sent it.
    pub accepts: u32,
    /// The client acknowledged it, or sent payload.
    pub confirmed: bool,
    /// What the client sent.
    pub from_client: Sent,
    /// What the server sent.
    pub from_server: Sent,
    /// The client's initial sequence number, and whether it is that of the wire.
    initial: Option<(u32, bool)>,
    /// Packets are in order by their times, not by their ids.
    pub(super) by_time: bool,
}

impl Connection {
    /// Whether any packet of the server is in the capture.
    pub fn hears_server(&self) -> bool {
        let sent = &self.from_server;
        let spoke = [sent.first, sent.finished, sent.reset, self.accepted].iter().any(Option::is_some);
        spoke || self.from_client.acked.is_some()
    }

    pub(super) fn begin(row: &Row) -> Self {
        let (known, is_client) = if row.opens() {
            (Known::BySyn, true)
        } else if row.accepts() {
            (Known::ByAccept, false)
        } else {
            (Known::ByPort, !row.from_service)
        };
        let (client, server) = if is_client { (row.from, row.to) } else { (row.to, row.from) };
        let seen = Seen::of(row);
        let mut connection = Self {
            client,
            server,
            known,
            first: seen,
            last: seen,
            syn: None,
            last_syn: None,
            tries: 0,
            accepted: None,
            accepts: 0,
            confirmed: false,
            from_client: Sent::default(),
            from_server: Sent::default(),
            initial: None,
            by_time: false,
        };
        connection.take(row);
        connection
    }

    /// Whether its ends are these, in either order.
    pub(super) fn joins(&self, one: End, other: End) -> bool {
        (self.client, self.server) == (one, other) || (self.client, self.server) == (other, one)
    }

    /// Whether a packet begins another connection between the same ends.
    pub(super) fn ends_before(&self, row: &Row) -> bool {
        if !row.opens() {
            return false;
        }
        let over = self.is_over();
        if row.from != self.client {
            // Both may open at once (RFC 9293 §3.5); later the ports are used the other way round.
            return over || self.accepted.is_some() || self.has_payload();
        }
        match self.initial {
            Some((initial, true)) if row.exact => {
                initial != row.sequence || over && (self.accepted.is_some() || self.has_payload())
            }
            Some((initial, _)) if initial != 0 && row.sequence != 0 => {
                initial != row.sequence || over && (self.accepted.is_some() || self.has_payload())
            }
            Some(_) => over,
            // Captured late, behind what it opened.
            None => over || !self.follows(row.sequence, row.exact),
        }
    }

    /// Whether what was seen of the client continues from a SYN.
    fn follows(&self, initial: u32, exact: bool) -> bool {
        let next = initial.wrapping_add(1);
        exact
            && match (self.from_client.acked, self.from_client.end) {
                (Some(acked), _) => (0..NEAR).contains(&ahead(acked, next)),
                (None, Some(end)) => (0..NEAR).contains(&ahead(end, next)),
                (None, None) => true,
            }
    }

    pub(super) fn take(&mut self, row: &Row) {
        let seen = Seen::of(row);
        self.last = seen;
        let by_client = row.from == self.client;
        if row.opens() && by_client {
            self.known = Known::BySyn;
            self.syn = self.syn.or(Some(seen));
            self.last_syn = Some(seen);
            self.tries += 1;
            self.initial = self.initial.or(Some((row.sequence, row.exact)));
        }
        if row.accepts() && !by_client {
            self.accepted = self.accepted.or(Some(seen));
            self.accepts += 1;
        }
        if by_client && !row.opens() && !row.has(RST) && row.has(ACK) {
            self.confirmed = true;
        }
        let is_late = row.has(RST) && !by_client && self.is_of_another(row);
        let (own, other) = if by_client {
            (&mut self.from_client, &mut self.from_server)
        } else {
            (&mut self.from_server, &mut self.from_client)
        };
        own.carry(row, seen);
        if row.has(FIN) {
            own.finished = own.finished.or(Some(seen));
        }
        if row.has(RST) && !is_late {
            own.reset = own.reset.or(Some(seen));
        }
        if row.has(ACK) && row.exact && other.acked.is_none_or(|acked| ahead(row.acknowledgment, acked) > 0) {
            other.acked = Some(row.acknowledgment);
        }
    }

    /// Whether a reset acknowledges another SYN than this connection's: it is about one before it.
    fn is_of_another(&self, row: &Row) -> bool {
        let Some((initial, true)) = self.initial else { return false };
        self.accepted.is_none()
            && !self.has_payload()
            && row.exact
            && row.has(ACK)
            && row.acknowledgment != initial.wrapping_add(1)
            // Devices that do not know the SYN acknowledge nothing.
            && row.acknowledgment != 0
    }

    fn has_payload(&self) -> bool {
        self.from_client.first.is_some() || self.from_server.first.is_some()
    }

    /// Reset, or closed by one side at least.
    pub fn is_over(&self) -> bool {
        let over = |side: &Sent| side.finished.is_some() || side.reset.is_some();
        over(&self.from_client) || over(&self.from_server)
    }

    /// The client's initial sequence number as it stood on the wire.
    pub fn initial(&self) -> Option<u32> {
        self.initial.filter(|(_, is_wire)| *is_wire && self.syn.is_some()).map(|(number, _)| number)
    }

    /// Whether the client's SYN was seen.
    pub fn is_opened_here(&self) -> bool {
        self.syn.is_some()
    }

    /// Accepted by the server, as far as the packets of either side show it.
    pub fn is_accepted(&self) -> bool {
        self.accepted.is_some() || self.confirmed || self.from_server.first.is_some()
    }

    /// Reset by the server before it was accepted: nothing listens there or a filter refuses.
    pub fn is_refused(&self) -> bool {
        self.from_server.reset.is_some() && !self.is_accepted() && self.is_opened_here()
    }

    /// Opened by the client and nothing came back.
    pub fn is_silent(&self) -> bool {
        self.from_server.reset.is_none() && !self.is_accepted() && self.is_opened_here()
    }

    /// Both sides sent payload: the service works for this client.
    pub fn is_in_use(&self) -> bool {
        self.from_client.first.is_some() && self.from_server.first.is_some()
    }

    /// Whether both sides sent payload, and the server some of it in or around a period.
    pub fn is_in_use_during(&self, from_ns: Nanos, to_ns: Nanos) -> bool {
        let (first, last) = (self.from_server.first, self.from_server.last);
        let spans =
            first.zip(last).is_some_and(|(first, last)| first.time_ns <= to_ns && last.time_ns >= from_ns);
        spans && self.from_client.first.is_some()
    }

    /// The first reset of either side.
    pub fn reset(&self) -> Option<Seen> {
        let resets = [self.from_client.reset, self.from_server.reset].into_iter().flatten();
        resets.min_by_key(|seen| seen.place(self.by_time))
    }

    /// How it ended for a request that the server never answered; `None` while it goes on. `answered` tells whether the
    /// server sent a whole answer to anything on it.
    pub fn ends_for(&self, request: Seen) -> Option<Ends> {
        let place = |seen: &Seen| seen.place(self.by_time);
        let after = |seen: Option<Seen>| seen.filter(|seen| place(seen) >= place(&request));
        let server = [
            after(self.from_server.finished).map(|seen| (seen, false)),
            after(self.from_server.reset).map(|seen| (seen, true)),
        ];
        let server = server.into_iter().flatten().min_by_key(|(seen, _)| place(seen));
        let client = [after(self.from_client.finished), after(self.from_client.reset)];
        let client = client.into_iter().flatten().min_by_key(place);
        // A client that has sent all it wants closes its side with the request, and still waits.
        let client = client.filter(|seen| seen.time_ns - request.time_ns > HALF_CLOSE_NS);
        match (server, client) {
            (Some((server, _)), Some(client)) if place(&client) < place(&server) => {
                Some(Ends::GivenUp(client.packet))
            }
            (Some((server, true)), _) if self.from_server.first.is_some() => {
                Some(Ends::ResetMidway(server.packet))
            }
            (Some((server, true)), _) => Some(Ends::Reset(server.packet)),
            (Some((server, false)), _) => Some(Ends::Closed(server.packet)),
            (None, Some(client)) => Some(Ends::GivenUp(client.packet)),
            (None, None) => None,
        }
    }

    /// Whether the server acknowledged all that the client sent.
    pub fn is_acknowledged(&self) -> bool {
        let Sent { end, acked, .. } = self.from_client;
        end.zip(acked).is_some_and(|(end, acked)| ahead(acked, end) >= 0)
    }

    /// Bytes of the server that the client never acknowledged, although the connection was watched for long enough after they were
    /// sent; 0 where all arrived or it cannot be told.
    pub fn unacknowledged(&self) -> u32 {
        let Sent { first, end, reached, acked: Some(acked), .. } = self.from_server else { return 0 };
        let sent = [end, reached].into_iter().flatten().map(|sent| ahead(sent, acked)).max().unwrap_or(0);
        let since = first.or(self.from_client.last).unwrap_or(self.first);
        let watched = self.last.time_ns - since.time_ns >= UNACKNOWLEDGED_NS;
        u32::try_from(sent).unwrap_or(0) * u32::from(watched)
    }

    /// Whether the server sent payload after a packet.
    pub fn speaks_after(&self, request: Seen) -> bool {
        self.from_server.last.is_some_and(|last| last.place(self.by_time) > request.place(self.by_time))
    }
}

/// Data without acknowledgement for this long are lost (services §1.4: the repeats of a stalled path).
const UNACKNOWLEDGED_NS: Nanos = 3_000_000_000;
/// A client's FIN this soon after its request closes its own side only.
const HALF_CLOSE_NS: Nanos = 10_000_000;
/// Bytes after its SYN that a connection has sent at most when that is captured late.
const NEAR: i32 = 1 << 20;

impl Sent {
    fn carry(&mut self, row: &Row, seen: Seen) {
        if row.payload == 0 {
            let ahead_of = |known: u32| ahead(row.sequence, known) > 0;
            if row.exact && !row.has(RST) && self.reached.is_none_or(ahead_of) {
                self.reached = Some(row.sequence);
            }
            return;
        }
        // A SYN counts one (RFC 9293 §3.4).
        let end =
            row.sequence.wrapping_add(row.payload).wrapping_add(u32::from(row.opens() || row.accepts()));
        let fresh = match self.end {
            Some(known) if row.sequence != 0 || row.exact => ahead(end, known),
            _ => row.payload as i32,
        };
        if fresh <= 0 {
            // One byte before the end asks whether the other side still lives.
            self.again += u32::from(row.payload > 1);
            return;
        }
        self.bytes += u64::from(row.payload.min(fresh.unsigned_abs()));
        self.first = self.first.or(Some(seen));
        self.last = Some(seen);
        self.end = Some(end);
    }
}

/// How far one sequence number is ahead of another, modulo 2³² (RFC 9293 §3.4).
pub fn ahead(sequence: u32, base: u32) -> i32 {
    sequence.wrapping_sub(base) as i32
}
