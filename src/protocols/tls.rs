//! TLS: what is visible before encryption begins, above all the name a client asks for.

use std::fmt::Write as _;
use std::ops::Range;

use super::{Claim, Frame, Protocol, Tree, Value, big};
use crate::text::escape_bytes;

/// Extensions of one ClientHello that are passed.
const EXTENSIONS_MAX: usize = 64;

fields! {
    CONTENT_TYPE "tls.record.content_type" Number "record type";
    VERSION "tls.record.version" Number "version of the record layer";
    HANDSHAKE "tls.handshake.type" Number "handshake message";
    SERVER_NAME "tls.handshake.extensions_server_name" Name "name the client asks for (SNI)";
    ALERT_LEVEL "tls.alert_message.level" Number "alert level";
    ALERT "tls.alert_message.desc" Number "alert description";
}

/// Transport Layer Security (RFC 8446).
pub static TLS: Protocol = Protocol {
    name: "tls",
    label: "TLS",
    title: "Transport Layer Security",
    claims: &[
        Claim::TcpPort(443),
        Claim::TcpPort(8443),
        Claim::TcpPort(465),
        Claim::TcpPort(636),
        Claim::TcpPort(993),
        Claim::TcpPort(995),
    ],
    fields: FIELDS,
    dissect,
    summary,
};

/// The first record of a segment; `None` where no record begins there.
fn record(payload: &[u8]) -> Option<(u8, u16)> {
    let kind = *payload.first()?;
    let version = big(payload, 1, 2)? as u16;
    ((20..=24).contains(&kind) && version >> 8 == 3).then_some((kind, version))
}

/// What a ClientHello asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// Where the server's name (SNI) stands in the segment.
    pub name: Option<Range<usize>>,
    /// The highest version offered.
    pub version: u16,
}

impl Hello {
    /// The server's name, as sent; not escaped.
    pub fn server_name(&self, payload: &[u8]) -> Option<String> {
        let name = self.name.clone().and_then(|range| payload.get(range))?;
        Some(String::from_utf8_lossy(name).into_owned())
    }
}

/// Bytes of a record's header.
pub const HEADER: usize = 5;
/// Bytes of a hello before its session id: handshake header 4, version 2, random 32 (RFC 8446 §4.1.2).
const BEFORE_SESSION: usize = 38;

fn size(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    big(bytes, at, size).map(|value| value as usize)
}

/// Whether bytes begin like the first record of a client.
pub fn is_client_hello(payload: &[u8]) -> bool {
    matches!(payload, [22, 3, 0..=4, _, _, 1, ..])
}

/// Reads a ClientHello from the beginning of a segment; it may be cut.
pub fn client_hello(payload: &[u8]) -> Option<Hello> {
    let body = payload.get(HEADER..).filter(|_| is_client_hello(payload))?;
    let mut hello = Hello { name: None, version: size(body, 4, 2)? as u16 };
    // Session id, cipher suites, compression methods.
    let suites = BEFORE_SESSION + 1 + size(body, BEFORE_SESSION, 1)?;
    let start = || {
        let methods = suites + 2 + size(body, suites, 2)?;
        Some(methods + 1 + size(body, methods, 1)? + 2)
    };
    extensions(body, start().unwrap_or(body.len()), |kind, range| match kind {
        // RFC 6066 §3: list length, type, length, name.
        0 => {
            let start = range.start + 5;
            let end = size(body, range.start + 3, 2).map(|length| start + length);
            let end = end.filter(|end| *end <= range.end);
            hello.name = end.map(|end| HEADER + start..HEADER + end);
        }
        43 => {
            let offered = body.get(range.start + 1..range.end).unwrap_or_default().chunks_exact(2);
            let offered = offered.filter_map(|two| big(two, 0, 2)).map(|version| version as u16);
            // Values that grease (RFC 8701) are no versions.
            let highest = offered.filter(|version| version_name(*version).is_some()).max();
            hello.version = highest.unwrap_or(hello.version);
        }
        _ => {}
    });
    Some(hello)
}

/// The version a ServerHello agrees on, from its handshake header on.
pub fn agreed(body: &[u8]) -> Option<u16> {
    let mut version = size(body, 4, 2)? as u16;
    // Session id, cipher suite, compression method.
    let start = BEFORE_SESSION + 1 + size(body, BEFORE_SESSION, 1)? + 2 + 1 + 2;
    extensions(body, start, |kind, range| {
        if kind == 43 {
            version = size(body, range.start, 2).map_or(version, |agreed| agreed as u16);
        }
    });
    Some(version)
}

/// Calls `each` with the type of each extension and where its data stand.
fn extensions(body: &[u8], mut at: usize, mut each: impl FnMut(usize, Range<usize>)) {
    for _ in 0..EXTENSIONS_MAX {
        let Some((kind, length)) = size(body, at, 2).zip(size(body, at + 2, 2)) else { return };
        let range = at + 4..at + 4 + length;
        if range.end > body.len() {
            return;
        }
        at = range.end;
        each(kind, range);
    }
}

/// The version a hello offers at most, or agrees on; `None` for what is no hello of a first record.
fn hello_version(payload: &[u8]) -> Option<u16> {
    match payload.get(HEADER)? {
        1 => client_hello(payload).map(|hello| hello.version),
        2 => agreed(payload.get(HEADER..)?).or_else(|| Some(big(payload, HEADER + 4, 2)? as u16)),
        _ => None,
    }
}

/// A version in words.
pub fn version_name(version: u16) -> Option<&'static str> {
    Some(match version {
        0x0300 => "SSL 3.0",
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        0x0304 => "TLS 1.3",
        _ => return None,
    })
}

/// An alert as its registry writes it (RFC 8446 §6, RFC 6066 §3).
pub fn alert_name(number: u8) -> &'static str {
    match number {
        0 => "close_notify",
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
        90 => "user_canceled",
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

/// The same in words.
fn alert_words(number: u8) -> String {
    alert_name(number).replace('_', " ")
}

fn handshake_name(kind: u8) -> &'static str {
    match kind {
        0 => "HelloRequest",
        1 => "ClientHello",
        2 => "ServerHello",
        4 => "NewSessionTicket",
        11 => "Certificate",
        12 => "ServerKeyExchange",
        14 => "ServerHelloDone",
        16 => "ClientKeyExchange",
        20 => "Finished",
        _ => "Encrypted handshake message",
    }
}

/// An alert that is not encrypted has a body of two bytes.
pub fn plain_alert(payload: &[u8]) -> Option<(u8, u8)> {
    (big(payload, 3, 2)? == 2).then_some((*payload.get(5)?, *payload.get(6)?))
}

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let payload = frame.decoded.payload();
    let start = frame.decoded.payload_start as usize;
    let Some((kind, version)) = record(payload) else { return };
    tree.enter("TLS".to_owned(), start, frame.decoded.payload_end as usize);
    tree.number(&CONTENT_TYPE, "Record type", i64::from(kind), start..start + 1);
    let text = format!("Record version: {} ({version:#06x})", version_name(version).unwrap_or("TLS"));
    tree.push(Some(&VERSION), text, Value::Number(i64::from(version)), start + 1..start + 3);
    match (kind, payload.get(5)) {
        (22, Some(&message)) => {
            let text = format!("Handshake: {} ({message})", handshake_name(message));
            tree.push(Some(&HANDSHAKE), text, Value::Number(i64::from(message)), start + 5..start + 6);
            if let Some(version) = hello_version(payload) {
                let does = if message == 1 { "offered at most" } else { "agreed on" };
                let text =
                    format!("Version {does}: {} ({version:#06x})", version_name(version).unwrap_or("TLS"));
                tree.push(None, text, Value::Number(i64::from(version)), start + 5..start + 6);
            }
            if let Some(range) = client_hello(payload).and_then(|hello| hello.name) {
                let name =
                    String::from_utf8_lossy(payload.get(range.clone()).unwrap_or_default()).into_owned();
                tree.text(&SERVER_NAME, "Server name", name, start + range.start..start + range.end);
            }
        }
        (21, _) => {
            if let Some((level, alert)) = plain_alert(payload) {
                tree.number(&ALERT_LEVEL, "Alert level", i64::from(level), start + 5..start + 6);
                let text = format!("Alert: {} ({alert})", alert_words(alert));
                tree.push(Some(&ALERT), text, Value::Number(i64::from(alert)), start + 6..start + 7);
            }
        }
        _ => {}
    }
    tree.leave();
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let payload = frame.decoded.payload();
    let Some((kind, version)) = record(payload) else {
        let _ = write!(out, "continuation, {} bytes", payload.len());
        return;
    };
    let _ = match (kind, payload.get(5)) {
        (20, _) => write!(out, "ChangeCipherSpec"),
        (21, _) => match plain_alert(payload) {
            Some((_, alert)) => write!(out, "Alert: {}", alert_words(alert)),
            None => write!(out, "Encrypted alert"),
        },
        (22, Some(&message)) => write!(out, "{}", handshake_name(message)),
        (23, _) => write!(out, "Application data, {} bytes", payload.len()),
        _ => write!(out, "record type {kind}"),
    };
    if kind == 22 {
        // What a record's header states is kept low for devices that know no better (RFC 8446 §5.1).
        let version = hello_version(payload).unwrap_or(version);
        let _ = write!(out, ", {}", version_name(version).unwrap_or("TLS"));
        if let Some(range) = client_hello(payload).and_then(|hello| hello.name) {
            let name = payload.get(range).unwrap_or_default();
            let _ = write!(out, ", {}", escape_bytes(name));
        }
    }
}
