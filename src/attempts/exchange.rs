//! How requests over UDP are told apart and matched with their answers: one function for each protocol (services §1.2).

use std::hash::BuildHasher as _;

use super::http;
use super::kind::Kind;
use super::reply::{Denial, datagrams as reply};
use crate::protocols::http::header;
use crate::time::Nanos;

/// What a datagram is to its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A request, with what tells it from others of its flow.
    Asks(u64),
    /// An answer to it, and what it says.
    Answers(u64, Says),
    /// Neither: notifications, streams, keep-alives.
    Neither,
}

/// What an answer says of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Says {
    /// It serves, or its word is final as a matter of policy.
    Served,
    /// It is alive and will answer later (SIP 1xx).
    Waits,
    /// The service itself cannot serve, with its code.
    Fails(u16),
    /// It denies what was asked for.
    Denies(Denial),
    /// NTP: a kiss-o'-death, by the four letters of its code.
    Kiss([u8; 4]),
    /// NTP: the server has no time itself (RFC 5905 §7.3, leap 3 or stratum 16).
    NoTime,
}

/// Reads the role of a datagram to or from a service's port; `to_server` tells which.
pub fn role(kind: Kind, payload: &[u8], to_server: bool) -> Role {
    match kind {
        _ if kind.answers() && is_padding(payload) => Role::Neither,
        Kind::Ntp => ntp(payload),
        Kind::Snmp => snmp(payload),
        Kind::Sip => sip(payload),
        Kind::Radius => radius(payload),
        Kind::Kerberos => reply::kerberos(payload),
        Kind::Cldap => cldap(payload, to_server),
        Kind::Tftp => tftp(payload, to_server),
        Kind::Ike => reply::ike(payload, to_server),
        Kind::Quic | Kind::Doq if to_server => {
            // Only packets with the long header open a connection (RFC 9000 §17.2).
            if payload.first().is_some_and(|first| first & 0xc0 == 0xc0) {
                Role::Asks(0)
            } else {
                Role::Neither
            }
        }
        _ if to_server => Role::Asks(0),
        _ => Role::Answers(0, Says::Served),
    }
}

/// Whether a datagram only keeps the way open (RFC 5626 §3.5.1, RFC 3948 §2.3): line ends, blanks, zeros, or a single byte, which is no
/// message of any protocol that answers. One of which nothing was captured may be anything.
fn is_padding(payload: &[u8]) -> bool {
    let is_blank = |byte: &u8| matches!(byte, 0 | b'\r' | b'\n' | b' ' | b'\t');
    payload.len() == 1 || !payload.is_empty() && payload.iter().all(is_blank)
}

/// A number, its highest byte first.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// Mode 3 asks, mode 4 answers and repeats the time of the query (RFC 5905 §7.3, §8).
fn ntp(payload: &[u8]) -> Role {
    let (Some(first), Some(stratum)) = (payload.first(), payload.get(1)) else { return Role::Neither };
    let stamp = |at: usize| payload.get(at..at + 8).map_or(0, number);
    match first & 7 {
        3 => Role::Asks(stamp(40)),
        4 => {
            let code = payload.get(12..16).and_then(|code| code.first_chunk::<4>()).copied();
            let says = match (*stratum, first >> 6) {
                // The code of a kiss is in letters (RFC 5905 §7.4).
                (0, _) if code.is_some_and(|code| code.iter().all(u8::is_ascii_uppercase)) => {
                    Says::Kiss(code.unwrap_or_default())
                }
                (16.., _) | (_, 3) => Says::NoTime,
                _ => Says::Served,
            };
            Role::Answers(stamp(24), says)
        }
        _ => Role::Neither,
    }
}

/// Seconds from the beginning of NTP's first era to 1970 (RFC 5905 §6).
const NTP_EPOCH_S: i64 = 2_208_988_800;
/// Seconds of an era.
const NTP_ERA_S: i64 = 1 << 32;

/// The transmit time of a message of NTP; `None` where it states none.
pub fn ntp_sent(payload: &[u8]) -> Option<Nanos> {
    let stamp = payload.get(40..48).map(number).filter(|stamp| *stamp != 0)?;
    let (seconds, fraction) = ((stamp >> 32) as i64, (stamp & u64::from(u32::MAX)) as i64);
    // The upper half of the first era began in 1968; the second begins in 2036.
    let era_s = if seconds < NTP_ERA_S / 2 { NTP_ERA_S } else { 0 };
    Some((seconds + era_s - NTP_EPOCH_S) * 1_000_000_000 + ((fraction * 1_000_000_000) >> 32))
}

/// The next element of BER: tag, content, and what follows.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length) = (*bytes.first()?, *bytes.get(1)?);
    let (length, at) = match length {
        0..=0x7f => (usize::from(length), 2),
        0x81 => (usize::from(*bytes.get(2)?), 3),
        0x82 => (number(bytes.get(2..4)?) as usize, 4),
        _ => return None,
    };
    let end = (at + length).min(bytes.len());
    Some((tag, bytes.get(at..end)?, bytes.get(end..)?))
}

/// A message of SNMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pdu<'p> {
    /// What it is (RFC 3416 §3); unknown in version 3, where it may be encrypted.
    pub tag: Option<u8>,
    /// Request id of versions 1 and 2c, message id of version 3.
    pub id: u64,
    /// Whether it wants an answer: GET, GETNEXT, SET, GETBULK and INFORM, and in version 3 whoever wants a report (RFC 3412 §6.4).
    pub asks: bool,
    /// The error status; empty where there is none.
    pub status: &'p [u8],
}

/// Reads a message of SNMP (RFC 3416 §3, RFC 3412 §6).
pub fn pdu(payload: &[u8]) -> Option<Pdu<'_>> {
    let (_, body, _) = element(payload).filter(|(tag, ..)| *tag == 0x30)?;
    let (_, version, rest) = element(body)?;
    let (tag, second, rest) = element(rest)?;
    if version == [3] && tag == 0x30 {
        let (_, id, rest) = element(second)?;
        let (_, _, rest) = element(rest)?;
        let (_, flags, _) = element(rest)?;
        let asks = flags.first().is_some_and(|flags| flags & 4 != 0);
        return Some(Pdu { tag: None, id: number(id), asks, status: b"" });
    }
    let (tag, pdu, _) = element(rest)?;
    let (_, id, rest) = element(pdu)?;
    let status = element(rest).map_or(&[][..], |(_, status, _)| status);
    let asks = matches!(tag, 0xa0 | 0xa1 | 0xa3 | 0xa5 | 0xa6);
    Some(Pdu { tag: Some(tag), id: number(id), asks, status })
}

fn snmp(payload: &[u8]) -> Role {
    match pdu(payload) {
        Some(Pdu { asks: true, id, .. }) => Role::Asks(id),
        Some(Pdu { tag: None, id, .. }) => Role::Answers(id, reply::snmp_report(payload)),
        Some(Pdu { tag: Some(0xa2), id, status, .. }) => Role::Answers(id, reply::snmp(status)),
        Some(Pdu { tag: Some(0xa8), id, .. }) => Role::Answers(id, Says::Served),
        _ => Role::Neither,
    }
}

/// The branch of the topmost Via with the number of CSeq (RFC 3261 §17.1.3).
fn sip(payload: &[u8]) -> Role {
    let header = |name: &[u8]| header(payload, name).map(|(_, value)| value);
    let branch = header(b"via:").or_else(|| header(b"v:")).unwrap_or_default();
    let at = branch.windows(7).position(|word| word.eq_ignore_ascii_case(b"branch="));
    let branch = at.and_then(|at| branch.get(at..)).unwrap_or(branch);
    let branch = branch.split(|byte| *byte == b';' || *byte == b',').next().unwrap_or_default();
    let sequence = header(b"cseq:");
    // Cut before it, a message is told by its flow alone.
    let id =
        sequence.map_or(0, |sequence| foldhash::fast::FixedState::default().hash_one((branch, sequence)));
    match payload.strip_prefix(b"SIP/2.0 ").and_then(http::code) {
        Some(100..200) => Role::Answers(id, Says::Waits),
        // 408 and 5xx are the server's failures; 486 and 603 are answers (services §1.9).
        Some(status @ (408 | 500..600)) => Role::Answers(id, Says::Fails(status)),
        Some(status) => Role::Answers(id, reply::sip(status).map_or(Says::Served, Says::Denies)),
        // An ACK is answered by nobody (RFC 3261 §17.1.1.3).
        None if payload.starts_with(b"ACK ") => Role::Neither,
        // A method is a word of letters (RFC 3261 §7.1, §25.1); STUN and keep-alives of phones share the port.
        None if !payload.is_empty() && !payload.first().is_some_and(u8::is_ascii_alphabetic) => Role::Neither,
        None => Role::Asks(id),
    }
}

/// Whether a request carries credentials: a challenge after it refuses them (RFC 3261 §22.2).
pub fn is_signed(kind: Kind, payload: &[u8]) -> bool {
    let named = |name: &[u8]| header(payload, name).is_some();
    kind == Kind::Sip && (named(b"authorization:") || named(b"proxy-authorization:"))
}

/// Access- and Accounting-Request ask; the identifier tells requests apart, with the authenticator (RFC 2865 §3).
fn radius(payload: &[u8]) -> Role {
    let (Some(code), Some(id)) = (payload.first(), payload.get(1)) else { return Role::Neither };
    match code {
        1 | 4 | 12 => Role::Asks(u64::from(*id)),
        3 => Role::Answers(u64::from(*id), reply::radius_reject()),
        2 | 5 | 11 => Role::Answers(u64::from(*id), Says::Served),
        _ => Role::Neither,
    }
}

/// The message id (RFC 4511 §4.1.1).
fn cldap(payload: &[u8], to_server: bool) -> Role {
    let id = element(payload).and_then(|(_, body, _)| element(body)).map_or(0, |(_, id, _)| number(id));
    if payload.first().is_some_and(|tag| *tag != 0x30) {
        return Role::Neither;
    }
    if to_server { Role::Asks(id) } else { Role::Answers(id, Says::Served) }
}

/// Read and write requests ask; data, acknowledgment, error and options answer, from another port (RFC 1350 §4).
fn tftp(payload: &[u8], to_server: bool) -> Role {
    match payload.first_chunk::<4>() {
        Some([0, 1 | 2, ..]) if to_server => Role::Asks(0),
        Some([0, 5, high, low]) => Role::Answers(0, reply::tftp(u16::from_be_bytes([*high, *low]))),
        Some([0, 3 | 4 | 6, ..]) => Role::Answers(0, Says::Served),
        _ => Role::Neither,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_time_server_repeats_the_query() {
        let mut query = [0u8; 48];
        query[0] = 0x23;
        query[47] = 7;
        let mut answer = [0u8; 48];
        (answer[0], answer[1], answer[31]) = (0x24, 2, 7);
        assert_eq!(role(Kind::Ntp, &query, true), Role::Asks(7));
        assert_eq!(role(Kind::Ntp, &answer, false), Role::Answers(7, Says::Served));
        answer[1] = 0;
        answer[12..16].copy_from_slice(b"RATE");
        assert_eq!(role(Kind::Ntp, &answer, false), Role::Answers(7, Says::Kiss(*b"RATE")));
    }

    #[test]
    fn what_keeps_a_way_open_asks_nothing() {
        let kinds = [Kind::Sip, Kind::Ike, Kind::Radius, Kind::Cldap, Kind::Kerberos, Kind::Snmp, Kind::Ntp];
        for payload in [&b"\r\n\r\n"[..], b"\r\n", b"\0", b"\0\0\0\0", b"\xff"] {
            for kind in kinds {
                assert_eq!(role(kind, payload, true), Role::Neither, "{kind:?} {payload:?}");
            }
        }
        let binding = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        assert_eq!(role(Kind::Sip, &binding, true), Role::Neither, "STUN");
        let ask = b"OPTIONS sip:a SIP/2.0\r\n\r\n";
        assert!(matches!(role(Kind::Sip, ask, true), Role::Asks(_)));
        assert!(matches!(role(Kind::Sip, b"", true), Role::Asks(_)), "cut before its first byte");
    }

    #[test]
    fn a_trap_asks_nothing() {
        let get = [0x30, 12, 2, 1, 1, 4, 1, b'c', 0xa0, 4, 2, 2, 1, 9];
        assert_eq!(role(Kind::Snmp, &get, true), Role::Asks(265));
        let trap = [0x30, 12, 2, 1, 1, 4, 1, b'c', 0xa7, 4, 2, 2, 1, 9];
        assert_eq!(role(Kind::Snmp, &trap, true), Role::Neither);
    }

    #[test]
    fn a_challenge_answers_and_an_error_of_the_server_fails() {
        let ask =
            b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx;rport\r\nCSeq: 1 OPTIONS\r\n\r\n";
        let Role::Asks(id) = role(Kind::Sip, ask, true) else { panic!("it asks") };
        let challenge = b"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx;received=h\r\nCSeq: 1 OPTIONS\r\n\r\n";
        let Role::Answers(answered, Says::Denies(denial)) = role(Kind::Sip, challenge, false) else {
            panic!("it is no grant")
        };
        assert_eq!((answered, denial.code.as_str()), (id, "401"));
        let failed = b"SIP/2.0 503 Busy\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCSeq: 1 OPTIONS\r\n\r\n";
        assert_eq!(role(Kind::Sip, failed, false), Role::Answers(id, Says::Fails(503)));
    }
}
