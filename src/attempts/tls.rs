//! What a TLS handshake shows in clear: the first flights, alerts, and who left when (RFC 8446, RFC 5246).

use super::printed;
use crate::connections::Seen;

/// Content types of records (RFC 8446 §5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// Bytes of a record's header.
const HEADER: usize = 5;
/// Bytes of an alert in clear.
const ALERT_BYTES: usize = 2;
/// Bytes of an encrypted alert of TLS 1.3: alert, content type and tag (RFC 8446 §5.2).
const SEALED_ALERT_BYTES: usize = 19;
const FATAL: u8 = 2;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// The version of TLS 1.3, as extension 43 writes it (RFC 8446 §4.2.1).
const TLS13: u16 = 0x0304;
/// Extensions of one hello that are passed.
const EXTENSIONS_MAX: usize = 64;

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
        matches!(payload, [HANDSHAKE, 3, 0..=4, _, _, CLIENT_HELLO, ..])
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

/// The words of an alert (RFC 8446 §6, RFC 6066 §3).
pub fn alert_name(number: u8) -> &'static str {
    match number {
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "alert without a known name",
    }
}

/// A version in words.
pub fn version_name(version: u16) -> Option<&'static str> {
    Some(match version {
        0x0300 => "SSL 3.0",
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        TLS13 => "TLS 1.3",
        _ => return None,
    })
}

/// What a ClientHello asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The server's name (SNI), as sent; not escaped.
    pub name: Option<String>,
    /// The highest version offered.
    pub version: u16,
}

/// Reads a ClientHello from the beginning of a segment; it may be cut.
pub fn asked(payload: &[u8]) -> Option<Asked> {
    let body = payload.get(HEADER..).filter(|_| Handshake::begins(payload))?;
    let mut asked = Asked { name: None, version: number(body, 4, 2)? as u16 };
    let each = |kind: usize, data: &[u8]| match kind {
        // RFC 6066 §3: list length, type, length, name.
        0 => asked.name = data.get(5..).map(|name| String::from_utf8_lossy(name).into_owned()),
        43 => {
            let offered = data.get(1..).unwrap_or_default().chunks_exact(2);
            let offered =
                offered.filter_map(|two| two.first_chunk::<2>().map(|two| u16::from_be_bytes(*two)));
            // Values that grease (RFC 8701) are no versions.
            asked.version = offered.filter(|one| version_name(*one).is_some()).max().unwrap_or(asked.version);
        }
        _ => {}
    };
    // Handshake header 4, version 2, random 32; then the session id, cipher suites and compression methods.
    let mut at = 38;
    at += 1 + number(body, at, 1)?;
    let at = at;
    let walked = number(body, at, 2).and_then(|suites| {
        let at = at + 2 + suites;
        Some(at + 1 + number(body, at, 1)? + 2)
    });
    if let Some(at) = walked {
        extensions(body, at, each);
    }
    Some(asked)
}

/// The version a ServerHello agrees on.
fn agreed(body: &[u8]) -> Option<u16> {
    let mut version = number(body, 4, 2)? as u16;
    let at = 38 + 1 + number(body, 38, 1)? + 2 + 1 + 2;
    extensions(body, at, |kind, data| {
        if kind == 43 {
            version = number(data, 0, 2).map_or(version, |agreed| agreed as u16);
        }
    });
    Some(version)
}

fn extensions(body: &[u8], mut at: usize, mut each: impl FnMut(usize, &[u8])) {
    for _ in 0..EXTENSIONS_MAX {
        let Some((kind, length)) = number(body, at, 2).zip(number(body, at + 2, 2)) else { return };
        let Some(data) = body.get(at + 4..at + 4 + length) else { return };
        each(kind, data);
        at += 4 + length;
    }
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)))
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
