//! What each TCP connection carried: requests and whether they were answered, repeats, closed windows, alerts and statuses.

use hashbrown::HashMap;

use super::super::Connection;
use super::{Complaint, Says, Seen, Stall, Traffic, ends};
use crate::decode::{Address, Transport};
use crate::index::{Packet, PacketId};
use crate::time::Nanos;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
/// Data of a keep-alive at most (RFC 9293 §3.8.4).
const KEEP_ALIVE_BYTES: u32 = 1;

/// One direction of a connection.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Segments with data.
    pub sent: u32,
    /// The first of them.
    pub first: Option<PacketId>,
    /// The last of them.
    pub last: Option<PacketId>,
    /// Segments whose data had been sent before.
    pub repeats: Seen,
    /// How often the most repeated segment was sent again.
    pub most: u32,
    /// Its receiver took nothing for a time.
    pub stall: Stall,
    run: u32,
    sequence: Option<u32>,
    next: Option<u32>,
    acknowledged: Option<u32>,
}

/// What one connection carried.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    /// From who opened it.
    pub request: Way,
    /// To who opened it.
    pub answer: Way,
    /// FIN or RST of either side.
    pub ended: Option<Nanos>,
}

/// The connections while packets are read.
pub(super) struct Streams {
    /// The connection that begins with each SYN.
    begun: HashMap<PacketId, (Flow, u32)>,
    /// The connection each flow belongs to at the moment: ports are used again.
    table: HashMap<Flow, u32>,
    pub traffic: Traffic,
}

type Flow = ((Address, u16), (Address, u16));

impl Streams {
    pub(super) fn of(connections: &[Connection]) -> Self {
        let begun = |(at, connection): (usize, &Connection)| {
            (connection.syn, ((connection.client, connection.server), at as u32))
        };
        Self {
            begun: connections.iter().enumerate().map(begun).collect(),
            table: HashMap::new(),
            traffic: Traffic { talks: vec![Talk::default(); connections.len()], ..Traffic::default() },
        }
    }

    pub(super) fn note(&mut self, packet: &Packet<'_>) {
        let (from, to) = ends(packet);
        if let Some((flow, at)) = self.begun.get(&packet.id) {
            self.table.insert(*flow, *at);
        }
        let own = self.table.get(&(from, to)).map(|at| (*at, true));
        let known = own.or_else(|| self.table.get(&(to, from)).map(|at| (*at, false)));
        let decoded = packet.decode();
        let payload = decoded.payload();
        if let Some(says) = complaint(payload) {
            self.traffic.complaints.push(Complaint { packet: packet.id, from, to, says });
        }
        if is_encrypted(payload) {
            self.traffic.encrypted.note(packet.id);
        }
        let Some((at, is_request)) = known else {
            self.traffic.strangers.note(packet.id);
            return;
        };
        let (Some(talk), Transport::Tcp { sequence, acknowledgment, flags, window, .. }) =
            (self.traffic.talks.get_mut(at as usize), decoded.transport)
        else {
            return;
        };
        if flags & (FIN | RST) != 0 {
            talk.ended = talk.ended.or(Some(packet.time_ns()));
        }
        let (way, other) = if is_request {
            (&mut talk.request, &mut talk.answer)
        } else {
            (&mut talk.answer, &mut talk.request)
        };
        // What was captured of the segment may be less than its length; printed lines state none.
        let length = stated_length(&decoded);
        way.send(packet, sequence, length, flags);
        other.take(packet, acknowledgment, window, flags);
    }
}

/// Bytes of data of a segment by its IP header.
fn stated_length(decoded: &crate::decode::Decoded<'_>) -> u32 {
    let headers = decoded.payload_start.saturating_sub(decoded.network_start);
    decoded.ip_length.saturating_sub(headers)
}

impl Way {
    fn send(&mut self, packet: &Packet<'_>, sequence: u32, length: u32, flags: u8) {
        let begins = flags & SYN != 0;
        if flags & RST != 0 || (length == 0 && !begins) {
            return;
        }
        if begins {
            (self.next, self.sequence, self.run) = (Some(sequence.wrapping_add(1)), None, 0);
            return;
        }
        let end = sequence.wrapping_add(length);
        let before = self.next.is_some_and(|next| (end.wrapping_sub(next) as i32) <= 0);
        let probe =
            length <= KEEP_ALIVE_BYTES && self.next.is_some_and(|next| sequence == next.wrapping_sub(1));
        if probe {
            return;
        }
        self.sent += 1;
        self.first = self.first.or(Some(packet.id));
        self.last = Some(packet.id);
        if before && self.sent > 1 {
            self.repeats.note(packet.id);
            self.run = if self.sequence == Some(sequence) { self.run + 1 } else { 1 };
            self.most = self.most.max(self.run);
        } else {
            self.next = Some(end);
            self.run = 0;
        }
        self.sequence = Some(sequence);
    }

    /// What the other side says about the data of this direction.
    fn take(&mut self, packet: &Packet<'_>, acknowledgment: u32, window: u16, flags: u8) {
        if flags & (RST | SYN) != 0 {
            return;
        }
        if self.acknowledged != Some(acknowledgment) {
            (self.acknowledged, self.run) = (Some(acknowledgment), 0);
        }
        let at_ns = packet.time_ns();
        match (window, self.stall.closed_ns) {
            (0, closed) if flags & FIN == 0 => {
                self.stall.seen.note(packet.id);
                self.stall.closed_ns = closed.or(Some(at_ns));
                let since = at_ns - closed.unwrap_or(at_ns);
                self.stall.longest_ns = self.stall.longest_ns.max(since);
            }
            (_, Some(closed_ns)) => {
                self.stall.longest_ns = self.stall.longest_ns.max(at_ns - closed_ns);
                self.stall.closed_ns = None;
            }
            _ => {}
        }
    }
}

/// TLS record types (RFC 8446 §5.1).
const ALERT: u8 = 21;
const APPLICATION_DATA: u8 = 23;
/// Length of an alert in clear.
const ALERT_BYTES: u8 = 2;
const FATAL: u8 = 2;
const STATUS_ERRORS: std::ops::Range<u16> = 500..600;

/// Reads a fatal alert or the status of a failed request from the beginning of a segment.
fn complaint(payload: &[u8]) -> Option<Says> {
    match payload {
        [ALERT, 3, _, 0, ALERT_BYTES, FATAL, description, ..] => Some(Says::Alert(*description)),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', a, b, c, ..] => {
            let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
            let status = digit(a)? * 100 + digit(b)? * 10 + digit(c)?;
            STATUS_ERRORS.contains(&status).then_some(Says::Status(status))
        }
        _ => None,
    }
}

/// Whether a segment begins with encrypted data of TLS.
fn is_encrypted(payload: &[u8]) -> bool {
    matches!(payload, [APPLICATION_DATA, 3, 0..=4, ..])
}

impl Talk {
    /// Since when a request has been without any answer; `None` where one came, or nothing was asked.
    pub fn unanswered_since(&self) -> Option<PacketId> {
        self.request.first.filter(|_| self.answer.sent == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fatal_alerts_and_failed_requests_are_complaints() {
        assert_eq!(complaint(&[21, 3, 3, 0, 2, 2, 112]), Some(Says::Alert(112)));
        assert_eq!(complaint(&[21, 3, 3, 0, 2, 1, 0]), None, "close_notify is the normal end");
        assert_eq!(complaint(b"HTTP/1.1 503 Service Unavailable\r\n"), Some(Says::Status(503)));
        assert_eq!(complaint(b"HTTP/1.1 404 Not Found\r\n"), None);
    }
}
