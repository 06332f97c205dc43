//! Reads the decisive messages of protocols in binary, as a segment begins with them.

use super::codes::said;
use super::{Code, Said};
use crate::attempts::Kind;
use crate::attempts::exchange::{element, number};

/// Messages of one segment that are passed.
const MESSAGES_MAX: usize = 64;
/// Bytes of a document in which its fields are looked for.
const DOCUMENT_MAX_BYTES: usize = 2_048;

fn little(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte))
}

/// What is granted or denied for the session alone.
fn of_session(said: Said) -> Said {
    match said {
        Said::Breaks(denial) => Said::Denies(denial),
        other => other,
    }
}

/// The messages of PostgreSQL: a letter, a length that counts itself, a body (PostgreSQL documentation, "Message Formats").
fn postgres_messages(payload: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (letter, length) = (*rest.first()?, number(rest.get(1..5)?) as usize);
        let end = length.checked_add(1).filter(|end| *end >= 5)?.min(rest.len());
        let body = rest.get(5..end)?;
        rest = rest.get(end..)?;
        Some((letter, body))
    })
    .take(MESSAGES_MAX)
}

/// A field of an error: severity `S`, code `C`, message `M`.
fn postgres_field(body: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut fields = body.split(|byte| *byte == 0);
    fields.find_map(|field| field.split_first().filter(|(name, _)| **name == wanted)).map(|(_, text)| text)
}

pub(super) fn postgres(payload: &[u8], mut is_in: bool) -> Said {
    let mut last = Said::Nothing;
    for (letter, body) in postgres_messages(payload) {
        match letter {
            b'E' => {
                let code = postgres_field(body, b'C').unwrap_or_default();
                match said(Kind::Postgres, Code::new(code), is_in) {
                    Said::Nothing => {}
                    other if is_in => return other,
                    other => return of_session(other),
                }
            }
            // Ready for the first query.
            b'Z' => (is_in, last) = (true, Said::Serves),
            _ => {}
        }
    }
    last
}

pub(super) fn postgres_words(payload: &[u8]) -> Option<&[u8]> {
    let (_, body) = postgres_messages(payload).find(|(letter, _)| *letter == b'E')?;
    postgres_field(body, b'M')
}

/// Packets of MySQL: length of three bytes, number, and a body whose first byte tells what it is.
pub(super) fn mysql(payload: &[u8], is_in: bool) -> Said {
    match payload.get(4..).unwrap_or_default() {
        [0xff, low, high, ..] => {
            let error = said(Kind::Mysql, Code::number(little(&[*low, *high])), is_in);
            if is_in { error } else { of_session(error) }
        }
        [0x00, ..] if !is_in => Said::Serves,
        _ => Said::Nothing,
    }
}

pub(super) fn mysql_words(payload: &[u8]) -> Option<&[u8]> {
    let text = payload.get(4..)?.strip_prefix(&[0xff])?.get(2..)?;
    // The greeting's error has no SQLSTATE before the words.
    Some(if text.first() == Some(&b'#') { text.get(6..)? } else { text })
}

/// `OP_MSG` and `OP_REPLY` with a document of BSON whose field `ok` is 0 where the command failed.
pub(super) fn mongo(payload: &[u8]) -> Said {
    if !matches!(payload.get(12..16).map(little), Some(1 | 2013)) {
        return Said::Nothing;
    }
    let document = payload.get(16..payload.len().min(DOCUMENT_MAX_BYTES)).unwrap_or_default();
    let after = |name: &[u8]| {
        let at = document.windows(name.len()).position(|bytes| bytes == name)?;
        document.get(at + name.len()..)
    };
    let Some(ok) = after(b"\x01ok\0").and_then(|value| value.get(..8)) else { return Said::Nothing };
    if ok.iter().any(|byte| *byte != 0) {
        return Said::Serves;
    }
    match after(b"\x10code\0").and_then(|value| value.get(..4)) {
        Some(code) => said(Kind::Mongo, Code::number(little(code)), false),
        None => Said::Nothing,
    }
}

/// The operation and result code of LDAP's messages that end an operation (RFC 4511 §4.1.9), with what follows the code.
fn ldap_results(payload: &[u8]) -> impl Iterator<Item = (u8, u64, &[u8])> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (tag, message, further) = element(rest)?;
        if tag != 0x30 {
            return None;
        }
        rest = further;
        let (_, _, body) = element(message)?;
        let (operation, result, _) = element(body)?;
        // Bind 1, search done 5, modify 7, add 9, delete 11, modify name 13, extended 24.
        let is_result = matches!(operation, 0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x78);
        let code = element(result).filter(|(tag, ..)| is_result && *tag == 0x0a);
        Some(code.map_or((0, 0, rest), |(_, code, words)| (operation, number(code), words)))
    })
    .take(MESSAGES_MAX)
}

pub(super) fn ldap(payload: &[u8]) -> Said {
    let mut last = Said::Nothing;
    for (operation, code, _) in ldap_results(payload) {
        let own = match (operation, code) {
            (0x61, 0) => Said::Serves,
            // The next step of a sign-in, or another server to ask.
            (0x61, 14 | 10) => Said::Nothing,
            (0x61, code) => of_session(said(Kind::Ldap, Code::number(code as u32), false)),
            // An offer of TLS that is declined is no failure; the last words of a server are (RFC 4511 §4.4.1).
            (0x78, 0) => Said::Nothing,
            (0x78, code) if !matches!(code, 51 | 52 | 80) => {
                match of_session(said(Kind::Ldap, Code::number(code as u32), false)) {
                    Said::Denies(denial) => Said::Declines(denial),
                    other => other,
                }
            }
            // A search that finds nothing was served.
            (1.., code) => match said(Kind::Ldap, Code::number(code as u32), true) {
                Said::Nothing => Said::Serves,
                grave => grave,
            },
            _ => Said::Nothing,
        };
        match own {
            Said::Nothing => {}
            Said::Breaks(_) => return own,
            other => last = other,
        }
    }
    last
}

pub(super) fn ldap_words(payload: &[u8]) -> Option<&[u8]> {
    let (_, _, rest) = ldap_results(payload).find(|(_, code, _)| *code != 0)?;
    // The name that matched, then the message for people.
    let (_, _, rest) = element(rest)?;
    element(rest).map(|(_, words, _)| words)
}

/// Responses of SMB2 and SMB1 behind the length of four bytes ([MS-SMB2] §2.2.1, [MS-CIFS] §2.2.3.1).
pub(super) fn smb(payload: &[u8]) -> Said {
    const MORE_TO_COME: u32 = 0xc000_0016;
    let Some(header) = payload.get(4..) else { return Said::Nothing };
    let (status, is_session, is_share) = match header {
        [0xfe, b'S', b'M', b'B', ..] => {
            let (Some(status), Some(command)) = (header.get(8..12), header.get(12..14)) else {
                return Said::Nothing;
            };
            (little(status), little(command) == 1, little(command) == 3)
        }
        [0xff, b'S', b'M', b'B', command, rest @ ..] => {
            (rest.get(..4).map_or(0, little), *command == 0x73, *command == 0x75)
        }
        _ => return Said::Nothing,
    };
    let code = || Code::new(format!("{status:08X}").as_bytes());
    match status {
        MORE_TO_COME => Said::Nothing,
        0 if is_session || is_share => Said::Serves,
        0xc000_0000.. if is_session || is_share => of_session(said(Kind::Smb, code(), false)),
        0xc000_0000.. => said(Kind::Smb, code(), true),
        _ => Said::Nothing,
    }
}

/// BGP's messages: a mark of sixteen bytes, length, type (RFC 4271 §4.1).
pub(super) fn bgp(payload: &[u8]) -> Said {
    /// Of two connections that cross one is closed (RFC 4271 §6.8).
    const CROSSED: (u8, u8) = (6, 7);
    let mut rest = payload;
    for _ in 0..MESSAGES_MAX {
        if !rest.starts_with(&[0xff; 16]) {
            return Said::Nothing;
        }
        let (Some(length), Some(kind)) = (rest.get(16..18), rest.get(18)) else { return Said::Nothing };
        match (kind, rest.get(19), rest.get(20)) {
            (3, Some(code), Some(part)) if (*code, *part) != CROSSED => {
                return said(Kind::Bgp, Code::new(format!("{code}/{part}").as_bytes()), true);
            }
            (3, ..) => return Said::Nothing,
            _ => {}
        }
        let Some(further) = rest.get((number(length) as usize).max(19)..) else { return Said::Nothing };
        rest = further;
    }
    Said::Nothing
}

/// The answer to CONNECT (MQTT 3.1.1 §3.2, MQTT 5 §3.2).
pub(super) fn mqtt(payload: &[u8]) -> Said {
    match payload {
        [0x20, _, _, 0, ..] => Said::Serves,
        // Another server to ask: 156, 157.
        [0x20, _, _, 156 | 157, ..] => Said::Nothing,
        [0x20, _, _, code, ..] => said(Kind::Mqtt, Code::number(u32::from(*code)), false),
        _ => Said::Nothing,
    }
}

/// Methods of AMQP 0-9-1 on the connection itself: frame, class 10, method, arguments (§2.3.5, §1.4.2).
pub(super) fn amqp(payload: &[u8]) -> Said {
    const METHOD: u8 = 1;
    const OPENED: [u8; 4] = [0, 10, 0, 41];
    const CLOSE: [u8; 4] = [0, 10, 0, 50];
    let Some(method) = payload.get(7..).filter(|_| payload.first() == Some(&METHOD)) else {
        return Said::Nothing;
    };
    if method.starts_with(&OPENED) {
        return Said::Serves;
    }
    match method.strip_prefix(&CLOSE) {
        Some([high, low, rest @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            let is_limit = rest.windows(LIMIT.len()).any(|words| words == LIMIT);
            let code = if is_limit { Code::new(b"LIMIT") } else { Code::number(u32::from(code)) };
            said(Kind::Amqp, code, false)
        }
        _ => Said::Nothing,
    }
}

/// How a broker says that a virtual host or user has as many connections as it may.
const LIMIT: &[u8] = b"connection limit";

pub(super) fn amqp_words(payload: &[u8]) -> Option<&[u8]> {
    let length = usize::from(*payload.get(13)?);
    payload.get(14..14 + length)
}

/// A client of PostgreSQL asks to go on encrypted (`SSLRequest`).
pub(super) const POSTGRES_ASKS_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What a server of Kerberos says: AS-REP, TGS-REP or KRB-ERROR with its code (RFC 4120 §5.4.2, §5.9.1).
pub(super) fn kerberos(payload: &[u8]) -> Said {
    const AS_REP: u8 = 0x6b;
    const TGS_REP: u8 = 0x6d;
    const ERROR: u8 = 0x7e;
    match element(payload) {
        Some((AS_REP | TGS_REP, ..)) => Said::Serves,
        Some((ERROR, body, _)) => match kerberos_code(body) {
            Some(code) => said(Kind::Kerberos, Code::number(code), false),
            None => Said::Nothing,
        },
        _ => Said::Nothing,
    }
}

/// The error code: the field with tag 6.
fn kerberos_code(body: &[u8]) -> Option<u32> {
    let (_, mut rest, _) = element(body)?;
    loop {
        let (tag, field, further) = element(rest)?;
        if tag == 0xa6 {
            return element(field).map(|(_, code, _)| number(code) as u32);
        }
        rest = further;
    }
}

/// The same behind a length of four bytes (RFC 4120 §7.2.2).
pub(super) fn kerberos_tcp(payload: &[u8]) -> Said {
    payload.get(4..).map_or(Said::Nothing, kerberos)
}

/// The negotiation in X.224's connection confirm ([MS-RDPBCGR] §2.2.1.2).
pub(super) fn rdp(payload: &[u8]) -> Said {
    const CONFIRMS: u8 = 0xd0;
    const AGREES: u8 = 2;
    const FAILS: u8 = 3;
    match payload {
        [3, 0, _, _, _, CONFIRMS, _, _, _, _, _, AGREES, ..] => Said::Serves,
        [3, 0, _, _, _, CONFIRMS, _, _, _, _, _, FAILS, _, _, _, code @ ..] => {
            let code = code.get(..4).map_or(0, little);
            said(Kind::Rdp, Code::number(code), false)
        }
        _ => Said::Nothing,
    }
}
