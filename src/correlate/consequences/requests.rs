//! The host a client names in its request: TLS server name, HTTP host; and the names of certificates.

/// Extensions read of one `ClientHello`.
const EXTENSIONS_MAX: usize = 64;
/// Lines of an HTTP request read for its host.
const LINES_MAX: usize = 64;

const SERVER_NAME: usize = 0;
const PROTOCOLS: usize = 16;

/// What a `ClientHello` says in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::correlate) struct Hello<'a> {
    /// The server's name (RFC 6066 §3).
    pub name: Option<&'a [u8]>,
    /// It offers DNS over TLS as protocol (`dot`, RFC 7858 with RFC 7301).
    pub offers_dns: bool,
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at + 2)?.first_chunk::<2>().map(|pair| usize::from(u16::from_be_bytes(*pair)))
}

/// Reads a `ClientHello` that begins in this segment (RFC 8446 §4.1.2), as far as it goes.
pub(in crate::correlate) fn hello(payload: &[u8]) -> Option<Hello<'_>> {
    if payload.first() != Some(&22) || payload.get(5) != Some(&1) {
        return None;
    }
    let mut found = Hello::default();
    read_extensions(payload, &mut found);
    Some(found)
}

fn read_extensions<'a>(payload: &'a [u8], found: &mut Hello<'a>) -> Option<()> {
    let mut at = 44 + usize::from(*payload.get(43)?);
    at += 2 + word(payload, at)?;
    at += 1 + usize::from(*payload.get(at)?);
    let end = at + 2 + word(payload, at)?;
    at += 2;
    for _ in 0..EXTENSIONS_MAX {
        if at + 4 > end {
            break;
        }
        let length = word(payload, at + 2)?;
        let body = payload.get(at + 4..at + 4 + length)?;
        match word(payload, at)? {
            SERVER_NAME => found.name = word(body, 3).and_then(|length| body.get(5..5 + length)),
            PROTOCOLS => found.offers_dns = body.windows(4).any(|window| window == b"\x03dot"),
            _ => {}
        }
        at += 4 + length;
    }
    Some(())
}

/// The host an HTTP/1 request names (RFC 9110 §7.2), without its port.
pub(super) fn http_host(payload: &[u8]) -> Option<&[u8]> {
    let methods: [&[u8]; 5] = [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS "];
    if !methods.iter().any(|method| payload.starts_with(method)) {
        return None;
    }
    let mut lines = payload.split(|byte| *byte == b'\n').take(LINES_MAX);
    let line = lines.find(|line| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:")))?;
    line.get(5..)?.trim_ascii().split(|byte| *byte == b':').next()
}

/// Whether a handshake record in clear holds a certificate for the name (dNSName, RFC 5280 §4.2.1.6).
pub(super) fn certifies(payload: &[u8], name: &str) -> bool {
    const DNS_NAME: u8 = 0x82;
    let Ok(length @ 1..=127) = u8::try_from(name.len()) else { return false };
    let mut wanted = vec![DNS_NAME, length];
    wanted.extend_from_slice(name.as_bytes());
    payload.first() == Some(&22) && payload.windows(wanted.len()).any(|window| window == wanted)
}

/// Whether a segment begins with a fatal TLS alert in clear (RFC 8446 §6).
pub(super) fn is_fatal_alert(payload: &[u8]) -> bool {
    matches!(payload, [21, 3, _, 0, 2, 2, _, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_client_hello_gives_no_name() {
        let mut bytes = vec![22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3];
        bytes.extend([7; 32]);
        bytes.extend([0, 0, 2, 0x13, 1, 1, 0, 0, 24, 0, 0, 0, 10, 0, 8, 0, 0, 5]);
        bytes.extend(b"a.b.c");
        let named = bytes.len();
        bytes.extend([0, 16, 0, 6, 0, 4, 3, b'd', b'o', b't']);
        assert_eq!(hello(&bytes).unwrap(), Hello { name: Some(b"a.b.c"), offers_dns: true });
        for cut in 6..named {
            assert_eq!(hello(&bytes[..cut]), Some(Hello::default()), "{cut}");
        }
    }

    #[test]
    fn only_a_fatal_alert_in_clear_counts() {
        assert!(is_fatal_alert(&[21, 3, 3, 0, 2, 2, 40]));
        assert!(!is_fatal_alert(&[21, 3, 3, 0, 26, 9, 9, 9]), "an encrypted close notice");
    }

    #[test]
    fn a_certificate_must_hold_the_whole_name() {
        let mut record = vec![22, 3, 3, 0, 40, 11];
        record.extend(b"\x82\x10www.shop.example");
        assert!(certifies(&record, "www.shop.example"));
        assert!(!certifies(&record, "shop.example"));
    }
}
