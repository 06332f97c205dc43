//! Reads the decisive lines of protocols in text.

use super::codes::{mail, said};
use super::{Asked, Code, Denial, Said, Why};
use crate::attempts::{Kind, http};
use crate::protocols::http::header;

/// Lines of a segment that are passed.
const LINES_MAX: usize = 64;

pub(super) fn lines(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    payload.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).take(LINES_MAX)
}

pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

pub(super) fn is_one_of(word: Option<&[u8]>, all: &[&[u8]]) -> bool {
    word.is_some_and(|word| all.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// What a client asks with a segment, after what it asked before: steps of a sign-in and bodies of mail belong to what began them.
pub(super) fn asked(kind: Kind, payload: &[u8], before: Asked) -> Asked {
    let line = lines(payload).next().unwrap_or_default();
    let mut first = words(line);
    let (one, two) = (first.next(), first.next());
    match kind {
        Kind::Imap if is_one_of(two, &[b"STARTTLS"]) => Asked::Cipher,
        Kind::Smtp | Kind::Pop3 if is_one_of(one, &[b"STARTTLS", b"STLS"]) => Asked::Cipher,
        Kind::Ftp if is_one_of(one, &[b"AUTH"]) && is_one_of(two, &[b"TLS", b"SSL"]) => Asked::Cipher,
        Kind::Imap if is_one_of(two, &[b"LOGIN", b"AUTHENTICATE"]) => Asked::Entry,
        Kind::Imap if two.is_none() && before == Asked::Entry => Asked::Entry,
        Kind::Pop3 if is_one_of(one, &[b"USER", b"PASS", b"APOP", b"AUTH"]) => Asked::Entry,
        Kind::Pop3 if two.is_none() && before == Asked::Entry && !is_one_of(one, &[b"QUIT", b"CAPA"]) => {
            Asked::Entry
        }
        // A request that carries credentials.
        Kind::SipTcp
            if header(payload, b"authorization:")
                .or_else(|| header(payload, b"proxy-authorization:"))
                .is_some() =>
        {
            Asked::Entry
        }
        Kind::Smtp if before == Asked::Delivery => Asked::Delivery,
        _ => Asked::Other,
    }
}

/// What a client of SMTP asks after an answer: the body of a mail, or nothing any more.
pub(super) fn after(payload: &[u8], before: Asked) -> Asked {
    match http::code(payload) {
        Some(354) => Asked::Delivery,
        Some(_) if before == Asked::Delivery => Asked::Other,
        _ => before,
    }
}

/// Whether a line ends a command of IMAP with a refusal, or a connection.
pub(super) fn is_tagged(line: &[u8]) -> bool {
    let mut first = words(line);
    let (tag, word) = (first.next(), first.next());
    is_one_of(word, &[b"NO", b"BAD"]) && tag != Some(b"*") || tag == Some(b"*") && is_one_of(word, &[b"BYE"])
}

/// The code in brackets of a line: `a1 NO [UNAVAILABLE] …`.
fn bracketed(line: &[u8]) -> Option<Code> {
    let from = line.iter().position(|byte| *byte == b'[')? + 1;
    let inside = line.get(from..)?.split(|byte| matches!(byte, b']' | b' ')).next()?;
    (!inside.is_empty()).then(|| Code::new(inside))
}

/// What a server answers.
pub(super) fn answer(kind: Kind, payload: &[u8], asked: Asked) -> Said {
    if asked == Asked::Cipher {
        let line = lines(payload).next().unwrap_or_default();
        let is_declined = match kind {
            Kind::Imap => is_tagged(line),
            Kind::Pop3 => line.starts_with(b"-ERR"),
            _ => http::code(line).is_some_and(|code| code >= 400),
        };
        return if is_declined { super::no_tls() } else { Said::Nothing };
    }
    match kind {
        Kind::Ssh => ssh(payload),
        Kind::Redis => redis(payload),
        Kind::Ftp => ftp(payload),
        Kind::Smtp => smtp(payload, asked),
        Kind::Imap => imap(payload, asked),
        Kind::Pop3 => pop3(payload, asked),
        Kind::Rtsp => rtsp(payload),
        Kind::SipTcp => sip(payload, asked),
        _ => Said::Nothing,
    }
}

/// Words in place of a version (OpenSSH), or the reply to the client's part of the key exchange and what comes behind it (RFC 4253 §7.3, §8;
/// RFC 4419 §3; RFC 5656 §4).
fn ssh(payload: &[u8]) -> Said {
    match payload {
        [b'E', ..] if payload.starts_with(b"Exceeded MaxStartups") => {
            said(Kind::Ssh, Code::new(b"MaxStartups"), false)
        }
        [b'N', ..] if payload.starts_with(b"Not allowed at this time") => {
            said(Kind::Ssh, Code::new(b"not-allowed"), false)
        }
        [0, 0, _, _, _, 21 | 31 | 33, ..] => Said::Serves,
        _ => Said::Nothing,
    }
}

/// Errors begin with a minus and a word in capitals (RESP).
fn redis(payload: &[u8]) -> Said {
    let Some(error) = payload.strip_prefix(b"-") else {
        return if matches!(payload.first(), Some(b'+' | b':' | b'$' | b'*' | b'%' | b'_' | b'#')) {
            Said::Serves
        } else {
            Said::Nothing
        };
    };
    let line = lines(error).next().unwrap_or_default();
    match words(line).next() {
        Some(b"ERR") if line.starts_with(b"ERR max number of clients") => {
            said(Kind::Redis, Code::new(b"ERR-max"), false)
        }
        Some(word) => said(Kind::Redis, Code::new(word), false),
        None => Said::Nothing,
    }
}

fn ftp(payload: &[u8]) -> Said {
    match http::code(payload) {
        Some(230) => Said::Serves,
        Some(code @ 400..600) => said(Kind::Ftp, Code::number(u32::from(code)), false),
        _ => Said::Nothing,
    }
}

/// Commands may be sent together, and are answered so (RFC 2920 §3.1).
fn smtp(payload: &[u8], asked: Asked) -> Said {
    for line in lines(payload) {
        let own = match http::code(line) {
            Some(235) => Said::Serves,
            Some(200..300) if asked == Asked::Delivery => Said::Serves,
            Some(code @ 400..600) => mail(code, line),
            _ => Said::Nothing,
        };
        match own {
            Said::Nothing => {}
            // A greeting that refuses is about the service as such, unless it says that it is about who asks.
            Said::Denies(denial) if asked == Asked::Nothing && denial.code.basic() == code_alone(denial) => {
                return Said::Denies(Denial { why: Why::Fails, ..denial });
            }
            other => return other,
        }
    }
    Said::Nothing
}

/// The code of a denial that gives no further one.
fn code_alone(denial: Denial) -> Option<u16> {
    denial.code.as_str().parse().ok()
}

fn imap(payload: &[u8], asked: Asked) -> Said {
    for line in lines(payload) {
        let mut first = words(line);
        let (tag, word) = (first.next(), first.next());
        match asked {
            Asked::Nothing if is_tagged(line) => {
                let code = bracketed(line).unwrap_or_else(|| Code::new(b"BYE"));
                return match said(Kind::Imap, code, true) {
                    Said::Nothing => said(Kind::Imap, Code::new(b"BYE"), false),
                    grave => grave,
                };
            }
            _ if tag == Some(b"*") || tag == Some(b"+") => {}
            Asked::Entry if is_one_of(word, &[b"OK"]) => return Said::Serves,
            Asked::Entry | Asked::Other if is_tagged(line) => {
                let code = bracketed(line).or_else(|| word.map(Code::new)).unwrap_or_default();
                // A folder that is missing is an answer.
                return said(Kind::Imap, code, asked == Asked::Other);
            }
            _ => {}
        }
    }
    Said::Nothing
}

fn pop3(payload: &[u8], asked: Asked) -> Said {
    let line = lines(payload).next().unwrap_or_default();
    match asked {
        Asked::Entry | Asked::Nothing if line.starts_with(b"-ERR") => {
            let code = bracketed(line).unwrap_or_else(|| Code::new(b"-ERR"));
            said(Kind::Pop3, code, false)
        }
        Asked::Entry if line.starts_with(b"+OK") => Said::Serves,
        _ => Said::Nothing,
    }
}

/// Final answers; a challenge is one only where the request was signed.
fn sip(payload: &[u8], asked: Asked) -> Said {
    match payload.strip_prefix(b"SIP/2.0 ").and_then(http::code) {
        Some(200..300) => Said::Serves,
        Some(401 | 407) if asked != Asked::Entry => Said::Nothing,
        Some(code @ 400..600) => said(Kind::SipTcp, Code::number(u32::from(code)), false),
        _ => Said::Nothing,
    }
}

/// Whether a client says good-bye.
pub(super) fn leaves(kind: Kind, payload: &[u8]) -> bool {
    let line = lines(payload).next().unwrap_or_default();
    let mut all = words(line);
    let (one, two) = (all.next(), all.next());
    match kind {
        Kind::Postgres => payload.first() == Some(&b'X'),
        // Unbind (RFC 4511 §4.3).
        Kind::Ldap => payload.windows(2).any(|part| part == [0x42, 0]),
        _ => is_one_of(one, &[b"QUIT"]) || is_one_of(two, &[b"LOGOUT"]),
    }
}

fn rtsp(payload: &[u8]) -> Said {
    let status = payload.strip_prefix(b"RTSP/").and_then(|rest| http::code(rest.get(4..)?));
    match status {
        Some(200..300) => Said::Serves,
        Some(code @ 400..600) => said(Kind::Rtsp, Code::number(u32::from(code)), false),
        _ => Said::Nothing,
    }
}
