//! Reads what single answers over UDP deny: SIP, SNMP, IKE.

use super::codes::denial;
use super::{Code, Denial, Said};
use crate::attempts::Kind;
use crate::attempts::exchange::{Role, Says, element, number};

/// Whether an answer asks for credentials: a challenge.
pub fn is_challenge(denial: Denial) -> bool {
    matches!(denial.code.as_str(), "401" | "407")
}

/// A final answer of SIP beside failures of the server.
pub fn sip(status: u16) -> Option<Denial> {
    denial(Kind::Sip, Code::number(u32::from(status)))
}

/// An error of TFTP.
pub fn tftp(code: u16) -> Says {
    denial(Kind::Tftp, Code::number(u32::from(code))).map_or(Says::Served, Says::Denies)
}

/// An Access-Reject.
pub fn radius_reject() -> Says {
    denial(Kind::Radius, Code::new(b"Reject")).map_or(Says::Served, Says::Denies)
}

/// AS-REQ and TGS-REQ ask (RFC 4120 §5.4); flows have a port for each request.
pub fn kerberos(payload: &[u8]) -> Role {
    match (payload.first(), super::binary::kerberos(payload)) {
        (Some(0x6a | 0x6c), _) => Role::Asks(0),
        (Some(0x6b | 0x6d | 0x7e), Said::Denies(denial) | Said::Breaks(denial)) => {
            Role::Answers(0, Says::Denies(denial))
        }
        (Some(0x6b | 0x6d | 0x7e), _) => Role::Answers(0, Says::Served),
        _ => Role::Neither,
    }
}

/// The error status of a response of SNMP 1 and 2c.
pub fn snmp(status: &[u8]) -> Says {
    denial(Kind::Snmp, Code::number(number(status) as u32)).map_or(Says::Served, Says::Denies)
}

/// A report of SNMP 3 by the counter it carries (RFC 3414 §5); those about engine and time are steps on the way to an answer.
/// `after` is what follows the message's header: security parameters and the scoped PDU (RFC 3412 §6).
pub fn snmp_report(after: &[u8]) -> Says {
    const COUNTERS: [u8; 8] = [0x2b, 6, 1, 6, 3, 15, 1, 1];
    const REPORT: u8 = 0xa8;
    let report = || {
        let (_, _, scoped) = element(after)?;
        let (_, scoped, _) = element(scoped).filter(|(tag, ..)| *tag == 0x30)?;
        let (_, _, rest) = element(scoped)?;
        let (_, _, rest) = element(rest)?;
        element(rest).filter(|(tag, ..)| *tag == REPORT).map(|(_, pdu, _)| pdu)
    };
    let counter = report().and_then(|pdu| {
        let at = pdu.windows(COUNTERS.len()).position(|bytes| bytes == COUNTERS)?;
        pdu.get(at + COUNTERS.len())
    });
    let code = counter.map(|counter| Code::new(format!("v3-{counter}").as_bytes()));
    code.and_then(|code| denial(Kind::Snmp, code)).map_or(Says::Served, Says::Denies)
}

/// Bytes before IKE at port 4500 (RFC 3948 §2.2).
const NO_ESP: [u8; 4] = [0; 4];
/// Bytes of IKE's header (RFC 7296 §3.1).
const HEADER: usize = 28;

/// IKE of both versions: who opens has no cookie of the other side yet; version 2 marks responses (RFC 7296 §3.1, RFC 2408 §3.1).
pub fn ike(payload: &[u8], to_server: bool) -> Role {
    const RESPONSE: u8 = 0x20;
    const INFORMATIONAL: u8 = 5;
    const NOTIFY_1: u8 = 11;
    const NOTIFY_2: u8 = 41;
    let payload = payload.strip_prefix(&NO_ESP).unwrap_or(payload);
    let (Some(header), Some(body)) = (payload.get(..HEADER), payload.get(HEADER..)) else {
        return Role::Neither;
    };
    let (cookie, next) = (number(header.get(..8).unwrap_or_default()), header.get(16).copied());
    let (version, exchange) =
        (header.get(17).copied().unwrap_or(0) >> 4, header.get(18).copied().unwrap_or(0));
    let flags = header.get(19).copied().unwrap_or(0);
    let message = number(header.get(20..24).unwrap_or_default());
    let says = |code: Option<&[u8]>| {
        let code = code.map(|code| Code::number(number(code) as u32));
        code.and_then(|code| denial(Kind::Ike, code)).map_or(Says::Served, Says::Denies)
    };
    match version {
        2 if flags & RESPONSE == 0 => Role::Asks(cookie ^ message.rotate_left(32)),
        // Next payload, flags, length, protocol, size of the SPI, type (RFC 7296 §3.10).
        2 => Role::Answers(
            cookie ^ message.rotate_left(32),
            says(if next == Some(NOTIFY_2) { body.get(6..8) } else { None }),
        ),
        1 if to_server && header.get(8..16) == Some(&[0; 8][..]) => Role::Asks(cookie),
        1 if to_server => Role::Neither,
        // Next payload, reserved, length, domain of interpretation, protocol, size of the SPI, type (RFC 2408 §3.14).
        1 if exchange == INFORMATIONAL && next == Some(NOTIFY_1) => {
            Role::Answers(cookie, says(body.get(10..12)))
        }
        1 => Role::Answers(cookie, Says::Served),
        _ => Role::Neither,
    }
}
