//! HTTP/1: request and status lines, and the host asked for.

use std::fmt::Write as _;

use super::{Claim, Field, Frame, Protocol, Tree, Value};
use crate::text::escape_bytes;

/// Bytes of a segment in which lines are looked for.
pub const HEAD_MAX_BYTES: usize = 8192;

fields! {
    REQUEST "http.request" Bool "a request begins here";
    RESPONSE "http.response" Bool "a response begins here";
    REQUEST_VERSION "http.request.version" Text "version of a request";
    USER_AGENT "http.user_agent" Text "program that asks";
    CONTENT_TYPE "http.content_type" Text "type of what is sent";
    SERVER "http.server" Text "program that answers";
    METHOD "http.request.method" Text "request method";
    URI "http.request.uri" Text "request target";
    HOST "http.host" Name "host asked for";
    STATUS "http.response.code" Number "status code";
}

/// Hypertext Transfer Protocol (RFC 9112).
pub static HTTP: Protocol = Protocol {
    name: "http",
    label: "HTTP",
    title: "Hypertext Transfer Protocol",
    claims: &[Claim::TcpPort(80), Claim::TcpPort(8080), Claim::TcpPort(8000), Claim::TcpPort(3128)],
    fields: FIELDS,
    dissect,
    summary,
};

/// A line without its end and where it stands in the payload.
fn lines(payload: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    let head = payload.get(..HEAD_MAX_BYTES.min(payload.len())).unwrap_or_default();
    std::iter::from_fn(move || {
        let rest = head.get(at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..length)?;
        let start = at;
        at += length + 1;
        Some((start, line.strip_suffix(b"\r").unwrap_or(line)))
    })
}

/// Whether a segment or a line of it begins a request.
pub fn is_request(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 9] =
        [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PATCH ", b"TRACE "];
    METHODS.iter().any(|method| line.starts_with(method))
}

/// The value of a header and where it stands; `name` ends with the colon.
pub fn header<'p>(payload: &'p [u8], name: &[u8]) -> Option<(usize, &'p [u8])> {
    let headers = lines(payload).skip(1).take_while(|(_, line)| !line.is_empty());
    let is_named = |line: &[u8]| line.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name));
    let (at, line) = headers.into_iter().find(|(_, line)| is_named(line))?;
    let value = line.get(name.len()..)?;
    let skipped = value.len() - value.trim_ascii_start().len();
    Some((at + name.len() + skipped, value.trim_ascii()))
}

fn host(payload: &[u8]) -> Option<(usize, &[u8])> {
    header(payload, b"host:")
}

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let payload = frame.decoded.payload();
    let start = frame.decoded.payload_start as usize;
    let Some((_, first)) = lines(payload).next() else { return };
    tree.enter("HTTP".to_owned(), start, frame.decoded.payload_end as usize);
    let mut words = first.split(|byte| *byte == b' ');
    let (word, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let after = start + word.len() + 1;
    if is_request(first) {
        tree.also(&REQUEST, Value::Bool(true), start..start + first.len());
        if let Some(version) = words.next() {
            let text = String::from_utf8_lossy(version).into_owned();
            tree.also(&REQUEST_VERSION, Value::Text(text), start..start + first.len());
        }
        tree.text(&METHOD, "Method", String::from_utf8_lossy(word).into_owned(), start..after - 1);
        tree.text(&URI, "Target", String::from_utf8_lossy(second).into_owned(), after..after + second.len());
        if let Some((at, name)) = host(payload) {
            let range = start + at..start + at + name.len();
            tree.text(&HOST, "Host", String::from_utf8_lossy(name).into_owned(), range);
        }
    } else if word.starts_with(b"HTTP/")
        && let Some(code) = std::str::from_utf8(second).ok().and_then(|code| code.parse::<u16>().ok())
    {
        tree.also(&RESPONSE, Value::Bool(true), start..start + first.len());
        tree.number(&STATUS, "Status", i64::from(code), after..after + second.len());
    }
    let shown: [(&'static Field, &str, &[u8]); 3] = [
        (&USER_AGENT, "User agent", b"user-agent:"),
        (&SERVER, "Server", b"server:"),
        (&CONTENT_TYPE, "Content type", b"content-type:"),
    ];
    for (field, label, name) in shown {
        if let Some((at, value)) = header(payload, name) {
            let range = start + at..start + at + value.len();
            tree.text(field, label, String::from_utf8_lossy(value).into_owned(), range);
        }
    }
    tree.leave();
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let payload = frame.decoded.payload();
    let first = lines(payload).next().map_or(&b""[..], |(_, line)| line);
    if is_request(first) {
        out.push_str(&escape_bytes(first));
        if let Some((_, name)) = host(payload) {
            let _ = write!(out, " · Host {}", escape_bytes(name));
        }
    } else if first.starts_with(b"HTTP/") {
        out.push_str(&escape_bytes(first));
    } else {
        let _ = write!(out, "continuation, {} bytes", payload.len());
    }
}
