//! The certificates that a handshake of TLS shows in clear, up to version 1.2 (RFC 5246 §7.4.2): for how long the first is valid,
//! and whose it is.

use super::exchange::{element, number};
use super::{Attempt, Attempts};
use crate::connections::{End, ahead};
use crate::decode::Transport;
use crate::index::{Index, PacketId};
use crate::time::Nanos;

/// Packets of a handshake that are looked at.
const PACKETS_MAX: u32 = 4_096;
/// Bytes of one side's flight that are put together.
const FLIGHT_MAX: usize = 65_536;
/// Bytes of a record's header.
const RECORD: usize = 5;
/// Content type of handshake records.
const HANDSHAKE: u8 = 22;
/// The message that holds the certificates.
const CERTIFICATE: u8 = 11;
/// Longest name that is told.
const NAME_MAX_BYTES: usize = 64;
/// A second.
const SECOND: Nanos = 1_000_000_000;

/// What one side presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The packet in which the message begins.
    pub packet: PacketId,
    /// Certificates in it; 0 where it has none to show.
    pub number: usize,
    /// Common name of its own one, not escaped; empty where there is none.
    pub name: String,
    /// From when on, and until when, that one is valid.
    pub valid_ns: Option<(Nanos, Nanos)>,
}

impl Presented {
    /// By how much it was out of its time: before it (negative) or after it.
    pub fn out_of_time(&self, now_ns: Nanos) -> Option<Nanos> {
        let (from, to) = self.valid_ns?;
        match now_ns {
            now_ns if now_ns > to => Some(now_ns - to),
            now_ns if now_ns < from => Some(now_ns - from),
            _ => None,
        }
    }
}

/// What the client, or the server, of an attempt presented.
pub fn presented(index: &Index, attempts: &Attempts, own: &Attempt, by_client: bool) -> Option<Presented> {
    let last = attempts.connection(own)?.last.packet.0.min(own.asks.0.saturating_add(PACKETS_MAX));
    let (client, server) = (own.client, (own.service.host, own.service.port));
    let (from, to) = if by_client { (client, server) } else { (server, client) };
    let (bytes, places) = flight(index, (own.asks.0, last), from, to);
    let mut messages: Vec<u8> = Vec::new();
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + RECORD) {
        // What follows is encrypted, or none of TLS.
        if header.first() != Some(&HANDSHAKE) {
            break;
        }
        starts.push((messages.len(), at + RECORD));
        let end = (at + RECORD + number(header.get(3..5)?) as usize).min(bytes.len());
        messages.extend(bytes.get(at + RECORD..end)?);
        at = end;
    }
    let mut at = 0;
    while let Some(header) = messages.get(at..at + 4) {
        let body = messages.get(at + 4..)?;
        let length = number(header.get(1..4)?) as usize;
        if header.first() == Some(&CERTIFICATE) {
            let (begins, stands) = starts.iter().rev().find(|(begins, _)| *begins <= at)?;
            let place = stands + (at - begins);
            let packet = places.iter().rev().find(|(start, _)| *start <= place)?.1;
            return Some(read(packet, body.get(..length.min(body.len()))?));
        }
        at += 4 + length;
    }
    None
}

/// The bytes that one end sent to another, in order and without gaps, with where each packet's begin.
fn flight(index: &Index, (first, last): (u32, u32), from: End, to: End) -> (Vec<u8>, Vec<(usize, PacketId)>) {
    let (mut bytes, mut places): (Vec<u8>, Vec<(usize, PacketId)>) = (Vec::new(), Vec::new());
    let mut begin: Option<u32> = None;
    for id in first..=last {
        let Some(packet) = index.packet(PacketId(id)).filter(|packet| {
            (packet.source_address(), packet.source_port()) == from
                && (packet.destination_address(), packet.destination_port()) == to
        }) else {
            continue;
        };
        let decoded = packet.decode();
        let Transport::Tcp { sequence, .. } = decoded.transport else { continue };
        let payload = decoded.payload();
        if payload.is_empty() {
            continue;
        }
        let start = *begin.get_or_insert(sequence);
        let at = ahead(sequence, start);
        // A gap ends what can be read; what was sent before is not read again.
        if usize::try_from(at).is_ok_and(|at| at == bytes.len()) && bytes.len() < FLIGHT_MAX {
            places.push((bytes.len(), packet.id));
            bytes.extend(payload);
        }
    }
    (bytes, places)
}

/// Reads the list of certificates: three bytes of length, then each with its own.
fn read(packet: PacketId, body: &[u8]) -> Presented {
    let mut rest = body.get(3..).unwrap_or_default();
    let mut all: Vec<&[u8]> = Vec::new();
    while let Some(length) = rest.get(..3).map(|bytes| number(bytes) as usize).filter(|length| *length > 0) {
        all.push(rest.get(3..(3 + length).min(rest.len())).unwrap_or_default());
        rest = rest.get(3 + length..).unwrap_or_default();
    }
    let own = all.first().and_then(|own| fields(own));
    let (name, valid_ns) = own.map_or((String::new(), None), |(name, valid)| (name, Some(valid)));
    Presented { packet, number: all.len(), name, valid_ns }
}

/// Common name and validity (RFC 5280 §4.1).
fn fields(der: &[u8]) -> Option<(String, (Nanos, Nanos))> {
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    if rest.first() == Some(&VERSION) {
        (_, _, rest) = element(rest)?;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        (_, _, rest) = element(rest)?;
    }
    let (_, validity, rest) = element(rest)?;
    let (tag, from, until) = element(validity)?;
    let from_ns = time(tag, from)?;
    let (tag, until, _) = element(until)?;
    let until_ns = time(tag, until)?;
    let (_, subject, _) = element(rest)?;
    Some((common_name(subject).unwrap_or_default(), (from_ns, until_ns)))
}

/// The attribute 2.5.4.3 of a name.
fn common_name(name: &[u8]) -> Option<String> {
    const COMMON_NAME: [u8; 5] = [6, 3, 0x55, 4, 3];
    let at = name.windows(COMMON_NAME.len()).position(|part| part == COMMON_NAME)?;
    let (_, text, _) = element(name.get(at + COMMON_NAME.len()..)?)?;
    Some(String::from_utf8_lossy(text.get(..NAME_MAX_BYTES.min(text.len()))?).into_owned())
}

/// `UTCTime` and `GeneralizedTime` in UTC (RFC 5280 §4.1.2.5).
fn time(tag: u8, text: &[u8]) -> Option<Nanos> {
    const GENERALIZED: u8 = 0x18;
    let digits = |at: usize, length: usize| -> Option<i64> {
        let digits = text.get(at..at + length)?;
        digits.iter().all(u8::is_ascii_digit).then_some(())?;
        Some(digits.iter().fold(0, |all, digit| all * 10 + i64::from(digit - b'0')))
    };
    let (year, at) = match tag {
        GENERALIZED => (digits(0, 4)?, 4),
        _ => match digits(0, 2)? {
            year @ 50.. => (1900 + year, 2),
            year => (2000 + year, 2),
        },
    };
    let (month, day) = (digits(at, 2)?, digits(at + 2, 2)?);
    let (hour, minute, second) = (digits(at + 4, 2)?, digits(at + 6, 2)?, digits(at + 8, 2)?);
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    // A date beyond what nanoseconds count is never.
    Some(seconds.checked_mul(SECOND).unwrap_or(Nanos::MAX))
}

/// Days from 1970 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_certificate_are_read_in_both_forms() {
        assert_eq!(time(0x17, b"261130120000Z"), Some(1_796_040_000 * SECOND));
        assert_eq!(time(0x18, b"20261130120000Z"), Some(1_796_040_000 * SECOND));
        assert_eq!(time(0x17, b"991231235959Z"), Some(946_684_799 * SECOND));
        assert_eq!(time(0x18, b"99991231235959Z"), Some(Nanos::MAX));
    }
}
