//! What a TLS handshake shows in clear: the first flights, alerts, and who left when (RFC 8446, RFC 5246).

use super::printed;
use crate::connections::Seen;
use crate::protocols::tls::{HEADER, agreed, is_client_hello};

/// Content types of records (RFC 8446 §5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// Bytes of an alert in clear.
const ALERT_BYTES: usize = 2;
/// Bytes of an encrypted alert of TLS 1.3: alert, content type and tag (RFC 8446 §5.2).
const SEALED_ALERT_BYTES: usize = 19;
const FATAL: u8 = 2;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// The version of TLS 1.3, as extension 43 writes it (RFC 8446 §4.2.1).
const TLS13: u16 = 0x0304;

/// One direction of a connection as a row of records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Records {
    /// Bytes of the record begun that are still to come; `None` where the place in the stream is lost.
    left: Option<usize>,
    begun: bool,
    /// Encrypted records, those of an alert's size not counted.
    pub data: u32,
    /// The last record was one of an encrypted alert's size.
    pub sealed_alert: Option<Seen>,
    /// It goes on encrypted (`ChangeCipherSpec`).
    is_sealed: bool,
    /// It sent its Finished; of TLS 1.3, where that is encrypted data, this is not told.
    is_finished: bool,
}

/// What the packets show of one handshake.
#[derive(Clone, Copy, Debug, Default)]
pub struct Handshake {
    /// The ClientHello.
    pub hello: Option<Seen>,
    /// The ServerHello.
    pub answer: Option<Seen>,
    /// It agreed on TLS 1.3.
    pub is_13: bool,
    /// Some of it was not captured, so that what is missing tells nothing.
    pub is_cut: bool,
    /// The server sent data after the client's last flight.
    pub is_served: bool,
    /// The first fatal alert in clear: its number, whether the client sent it.
    pub alert: Option<(u8, bool, Seen)>,
    /// What the client sent.
    pub client: Records,
    /// What the server sent.
    pub server: Records,
}

impl Handshake {
    /// Whether bytes begin like the first record of a client.
    pub fn begins(payload: &[u8]) -> bool {
        is_client_hello(payload)
    }

    /// Whether both sides finished it: the client goes on with data, or the server answers its last flight. In TLS 1.3 the
    /// client's first encrypted record is its Finished (RFC 8446 §4.4.4).
    pub fn is_done(&self) -> bool {
        let both = self.client.is_finished && self.server.is_finished;
        self.answer.is_some() && (self.is_served || both || self.client.data > u32::from(self.is_13))
    }

    /// Whether the client accepted what the server presented: it sent its Finished, the first encrypted record of TLS 1.3, and a
    /// client that does not accept it sends an alert in its place.
    pub fn is_accepted(&self) -> bool {
        self.answer.is_some() && if self.is_13 { self.client.data > 0 } else { self.client.is_finished }
    }

    /// Whether an alert comes after the handshake was complete, so that it ends nothing but the connection.
    fn is_over(&self) -> bool {
        self.is_served || self.client.is_finished && self.server.is_finished
    }

    /// The alert in clear that ended the handshake.
    pub fn failure(&self) -> Option<(u8, bool, Seen)> {
        self.alert.filter(|_| !self.is_served)
    }

    /// Reads the records that a segment carries; `follows` tells whether it continues the direction without a gap.
    ///
    /// `length` is what the segment carries on the wire; where less was captured, the place in the stream is lost.
    pub fn read(&mut self, payload: &[u8], length: usize, by_client: bool, follows: bool, seen: Seen) {
        let client_spoke = self.client.data > 0;
        let (mut is_served, is_over) = (self.is_served, self.is_over());
        let records = if by_client { &mut self.client } else { &mut self.server };
        let mut at = match records.left {
            Some(left) if follows || !records.begun => left,
            _ if is_header(payload) => 0,
            _ => {
                records.left = None;
                self.is_cut = true;
                return;
            }
        };
        records.begun = true;
        while let Some(rest) = payload.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(header) = rest.first_chunk::<HEADER>().filter(|_| is_header(rest)) else {
                records.left = None;
                self.is_cut = true;
                return;
            };
            let record = usize::from(u16::from_be_bytes([header[3], header[4]]));
            let body = rest.get(HEADER..).unwrap_or_default();
            let body = body.get(..record.min(body.len())).unwrap_or_default();
            records.sealed_alert = None;
            match (header[0], body.first()) {
                (HANDSHAKE, Some(&CLIENT_HELLO)) if by_client => self.hello = self.hello.or(Some(seen)),
                (HANDSHAKE, Some(&SERVER_HELLO)) if !by_client && self.answer.is_none() => {
                    self.answer = Some(seen);
                    self.is_13 = agreed(body) == Some(TLS13);
                }
                (ALERT, Some(level)) if record == ALERT_BYTES => {
                    // In TLS 1.3 every error is fatal whatever the level says; 0 and 90 end or cancel (RFC 8446 §6).
                    let number = body.get(1).copied().unwrap_or_default();
                    if number != 0 && number != 90 && (*level == FATAL || self.is_13) && !is_over {
                        self.alert = self.alert.or(Some((number, by_client, seen)));
                    }
                }
                (APPLICATION_DATA, _) if record == SEALED_ALERT_BYTES => records.sealed_alert = Some(seen),
                (ALERT, _) => records.sealed_alert = Some(seen),
                (CHANGE_CIPHER_SPEC, _) => records.is_sealed = true,
                (HANDSHAKE, _) if records.is_sealed => records.is_finished = true,
                (APPLICATION_DATA, _) => {
                    records.data += 1;
                    is_served |= !by_client && (!self.is_13 || client_spoke);
                }
                _ => {}
            }
            at += HEADER + record;
        }
        let is_cut = length > payload.len() && at < length;
        records.left = if is_cut { None } else { Some(at.saturating_sub(length.max(payload.len()))) };
        self.is_cut |= is_cut;
        self.is_served = is_served;
    }

    /// Reads the names of records and messages that a row of a list prints.
    pub fn print(&mut self, words: &str, is_13: bool, by_client: bool, seen: Seen) {
        if by_client && words.contains("Client Hello") {
            self.hello = self.hello.or(Some(seen));
        }
        if !by_client && words.contains("Server Hello") && self.answer.is_none() {
            (self.answer, self.is_13) = (Some(seen), is_13);
        }
        if let Some((number, is_fatal)) = printed::alert(words)
            && number != 0
            && number != 90
            && (is_fatal || self.is_13)
        {
            self.alert = self.alert.or(Some((number, by_client, seen)));
        }
        let client_spoke = self.client.data > 0;
        let records = if by_client { &mut self.client } else { &mut self.server };
        let data = words.matches("Application Data").count() as u32;
        records.data += data;
        records.sealed_alert = words.contains("Encrypted Alert").then_some(seen);
        self.is_served |= data > 0 && !by_client && (!self.is_13 || client_spoke);
    }
}

fn is_header(bytes: &[u8]) -> bool {
    matches!(bytes, [CHANGE_CIPHER_SPEC..=APPLICATION_DATA, 3, 0..=4, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::PacketId;

    fn seen(packet: u32) -> Seen {
        Seen { packet: PacketId(packet), time_ns: 0 }
    }

    #[test]
    fn alerts_are_read_behind_other_records_and_across_segments() {
        let mut shown = Handshake::default();
        shown.read(&[22, 3, 3, 0, 4, 2, 0, 0], 8, false, true, seen(0));
        shown.read(&[0, 21, 3, 3, 0, 2, 2, 112], 8, false, true, seen(1));
        assert_eq!(
            shown.alert.map(|(number, by_client, seen)| (number, by_client, seen.packet.0)),
            Some((112, false, 1))
        );
    }

    #[test]
    fn a_handshake_that_both_sides_finished_is_done_without_any_data() {
        let mut shown = Handshake::default();
        let hello = [22, 3, 3, 0, 4, 2, 0, 0, 0];
        let finished = [20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 4, 9, 9, 9, 9];
        shown.read(&hello, 9, false, true, seen(0));
        shown.read(&finished, 15, true, true, seen(1));
        assert!(shown.is_accepted() && !shown.is_done(), "the server may still refuse the client");
        shown.read(&finished, 15, false, true, seen(2));
        assert!(shown.is_done());
        shown.read(&[21, 3, 3, 0, 2, 2, 40], 7, false, true, seen(3));
        assert_eq!(shown.failure(), None, "an alert behind it ends the connection alone");
    }

    #[test]
    fn a_close_notify_is_no_alert() {
        let mut shown = Handshake::default();
        shown.read(&[21, 3, 3, 0, 2, 1, 0], 7, true, true, seen(0));
        assert_eq!(shown.alert, None);
    }
}
