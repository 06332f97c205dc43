//! Requests and final responses of HTTP/1 as segments begin with them (RFC 9112).

use crate::protocols::http::HEAD_MAX_BYTES;
pub use crate::protocols::http::is_request;

/// Statuses of HTTP below 500, and that of a portal, that say that the service does not serve (services §1.6).
pub const REFUSALS: [u16; 5] = [407, 408, 421, 429, 511];
/// Longest path and host that are told of.
const SHOWN_MAX: usize = 120;

/// The status of a response that a segment begins.
pub fn status(payload: &[u8]) -> Option<u16> {
    let rest = payload.strip_prefix(b"HTTP/1.")?;
    code(rest.get(2..)?)
}

/// Three digits.
pub fn code(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.first_chunk::<3>()?;
    digits
        .iter()
        .all(u8::is_ascii_digit)
        .then(|| digits.iter().fold(0, |all, d| all * 10 + u16::from(d - b'0')))
}

/// What a request asks for; not escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    /// The host, without port.
    pub host: Option<String>,
    /// The path without query.
    pub path: String,
}

/// The target of a request as it stands in its first line, query and all.
pub fn target(payload: &[u8]) -> Option<&[u8]> {
    let head = payload.get(..HEAD_MAX_BYTES.min(payload.len())).filter(|head| is_request(head))?;
    let line = head.split(|byte| *byte == b'\n').next()?;
    line.split(|byte| *byte == b' ').nth(1)
}

/// Reads what a request asks for.
pub fn asked(payload: &[u8]) -> Option<Asked> {
    let head = payload.get(..HEAD_MAX_BYTES.min(payload.len()))?;
    // A line without its end was cut, and says less than was sent.
    let lines = head.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    asked_in(payload, lines.map(<[u8]>::trim_ascii_end))
}

/// The same of lines that were printed, each as far as its program shows it.
pub fn asked_printed(text: &[u8]) -> Option<Asked> {
    asked_in(text, text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii))
}

fn asked_in<'p>(payload: &[u8], mut lines: impl Iterator<Item = &'p [u8]>) -> Option<Asked> {
    let target = lines.next().filter(|_| is_request(payload))?.split(|byte| *byte == b' ').nth(1)?;
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let host = lines
        .take_while(|line| !line.is_empty())
        .find(|line| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:")))
        .and_then(|line| line.get(5..));
    let text = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes.get(..SHOWN_MAX.min(bytes.len())).unwrap_or_default()).into_owned()
    };
    let plain = |host: &[u8]| {
        let host = text(host.trim_ascii());
        host.rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(host.clone(), |(name, _)| name.to_owned())
    };
    Some(Asked { host: host.map(plain), path: text(path) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_tells_host_and_path() {
        let asked = asked(b"GET /a/b?secret=1 HTTP/1.1\r\nAccept: */*\r\nHost: www.example.com:8080\r\n\r\n");
        let expected = Asked { host: Some("www.example.com".to_owned()), path: "/a/b".to_owned() };
        assert_eq!(asked, Some(expected));
        assert_eq!(status(b"HTTP/1.1 503 Service Unavailable\r\n"), Some(503));
        assert_eq!(status(b"HTTP/2.0"), None);
    }
}
