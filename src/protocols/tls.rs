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

/// The range of the server name in a ClientHello (RFC 8446 §4.1.2; RFC 6066 §3).
fn server_name(payload: &[u8]) -> Option<Range<usize>> {
    let size = |at: usize, size: usize| big(payload, at, size).map(|value| value as usize);
    // Record header 5, handshake header 4, version 2, random 32.
    let mut at = 43;
    at += 1 + size(at, 1)?;
    at += 2 + size(at, 2)?;
    at += 1 + size(at, 1)?;
    at += 2;
    for _ in 0..EXTENSIONS_MAX {
        let (kind, length) = (size(at, 2)?, size(at + 2, 2)?);
        if kind == 0 {
            let start = at + 9;
            let end = start + size(at + 7, 2)?;
            return (end <= payload.len()).then_some(start..end);
        }
        at += 4 + length;
    }
    None
}

fn version_name(version: u16) -> &'static str {
    match version {
        0x0300 => "SSL 3.0",
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        0x0304 => "TLS 1.3",
        _ => "TLS",
    }
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

fn alert_name(code: u8) -> &'static str {
    match code {
        0 => "close notify",
        10 => "unexpected message",
        20 => "bad record MAC",
        40 => "handshake failure",
        42 => "bad certificate",
        45 => "certificate expired",
        46 => "certificate unknown",
        48 => "unknown CA",
        49 => "access denied",
        70 => "protocol version",
        71 => "insufficient security",
        80 => "internal error",
        112 => "unrecognized name",
        _ => "alert",
    }
}

/// An alert that is not encrypted has a body of two bytes.
fn plain_alert(payload: &[u8]) -> Option<(u8, u8)> {
    (big(payload, 3, 2)? == 2).then_some((*payload.get(5)?, *payload.get(6)?))
}

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let payload = frame.decoded.payload();
    let start = frame.decoded.payload_start as usize;
    let Some((kind, version)) = record(payload) else { return };
    tree.enter("TLS".to_owned(), start, frame.decoded.payload_end as usize);
    tree.number(&CONTENT_TYPE, "Record type", i64::from(kind), start..start + 1);
    let text = format!("Record version: {} ({version:#06x})", version_name(version));
    tree.push(Some(&VERSION), text, Value::Number(i64::from(version)), start + 1..start + 3);
    match (kind, payload.get(5)) {
        (22, Some(&message)) => {
            let text = format!("Handshake: {} ({message})", handshake_name(message));
            tree.push(Some(&HANDSHAKE), text, Value::Number(i64::from(message)), start + 5..start + 6);
            if let Some(range) = server_name(payload).filter(|_| message == 1) {
                let name =
                    String::from_utf8_lossy(payload.get(range.clone()).unwrap_or_default()).into_owned();
                tree.text(&SERVER_NAME, "Server name", name, start + range.start..start + range.end);
            }
        }
        (21, _) => {
            if let Some((level, alert)) = plain_alert(payload) {
                tree.number(&ALERT_LEVEL, "Alert level", i64::from(level), start + 5..start + 6);
                let text = format!("Alert: {} ({alert})", alert_name(alert));
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
            Some((_, alert)) => write!(out, "Alert: {}", alert_name(alert)),
            None => write!(out, "Encrypted alert"),
        },
        (22, Some(&message)) => write!(out, "{}", handshake_name(message)),
        (23, _) => write!(out, "Application data, {} bytes", payload.len()),
        _ => write!(out, "record type {kind}"),
    };
    if kind == 22 {
        let _ = write!(out, ", {}", version_name(version));
        if let Some(range) = server_name(payload).filter(|_| payload.get(5) == Some(&1)) {
            let name = payload.get(range).unwrap_or_default();
            let _ = write!(out, ", {}", escape_bytes(name));
        }
    }
}
