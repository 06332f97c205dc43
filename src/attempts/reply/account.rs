//! The account that a client names to a server, where its protocol sends it in clear.

use super::text::{is_one_of, lines, words};
use crate::attempts::Kind;
use crate::attempts::exchange::{element, number};
use crate::protocols::http::header;

/// Longest name of an account that is told.
const NAME_MAX_BYTES: usize = 120;
/// A client's greeting of PostgreSQL, version 3 (PostgreSQL documentation, "Message Formats").
const POSTGRES_VERSION: u64 = 0x0003_0000;
/// What stands in place of the version where a query of another connection is to be cancelled (the same, `CancelRequest`).
const POSTGRES_CANCEL: u64 = 80_877_102;
/// The client speaks the protocol of MySQL 4.1 and later.
const MYSQL_41: u8 = 2;
/// Where a client's greeting of MySQL names the account: behind capabilities, size, character set and reserve.
const MYSQL_NAME: usize = 32;
/// Bytes of a document of BSON in which a name is looked for.
const DOCUMENT_MAX_BYTES: usize = 512;

/// The account named in a segment of a client; `prompted` where the server asked for it with the message before.
pub fn named(kind: Kind, payload: &[u8], prompted: bool) -> Option<String> {
    let name = match kind {
        Kind::Postgres => postgres(payload)?.to_vec(),
        Kind::Mysql => mysql(payload)?.to_vec(),
        Kind::Ldap => ldap(payload)?.to_vec(),
        Kind::Redis => redis(payload)?.to_vec(),
        Kind::Mqtt => mqtt(payload)?.to_vec(),
        Kind::Mongo => mongo(payload)?.to_vec(),
        Kind::Amqp => amqp(payload)?.to_vec(),
        Kind::Smb => ntlm(payload)?,
        Kind::Smtp | Kind::Imap | Kind::Pop3 | Kind::Ftp => in_lines(kind, payload, prompted)?,
        Kind::Http | Kind::Rtsp => in_header(payload)?,
        Kind::Sip | Kind::SipTcp => in_header(payload).or_else(|| from(payload))?,
        Kind::Kerberos => kerberos(payload)?,
        Kind::KerberosTcp => kerberos(payload.get(4..)?)?,
        Kind::Rdp => rdp(payload)?.to_vec(),
        Kind::Radius => radius(payload)?.to_vec(),
        _ => return None,
    };
    let name = name.get(..NAME_MAX_BYTES.min(name.len()))?;
    (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
}

/// Whether the answer to a segment of a client asks for the account: the next line is its name, or holds it.
pub fn is_asked_for(kind: Kind, payload: &[u8]) -> bool {
    let Some(line) = lines(payload).next() else { return false };
    let mut all = words(line);
    let (one, two, three, four) = (all.next(), all.next(), all.next(), all.next());
    let is_mechanism = |word| is_one_of(word, &[b"PLAIN", b"LOGIN"]);
    match kind {
        Kind::Smtp | Kind::Pop3 => is_one_of(one, &[b"AUTH"]) && is_mechanism(two) && three.is_none(),
        Kind::Imap => is_one_of(two, &[b"AUTHENTICATE"]) && is_mechanism(three) && four.is_none(),
        _ => false,
    }
}

/// Whether a client's greeting of PostgreSQL is none: it asks to cancel a query.
pub fn is_cancel(payload: &[u8]) -> bool {
    payload.get(..4).is_some_and(|bytes| number(bytes) == payload.len() as u64)
        && payload.get(4..8).is_some_and(|bytes| number(bytes) == POSTGRES_CANCEL)
}

/// Names and values of a client's greeting, each ended by a zero.
fn postgres(payload: &[u8]) -> Option<&[u8]> {
    (number(payload.get(4..8)?) == POSTGRES_VERSION).then_some(())?;
    let mut fields = payload.get(8..)?.split(|byte| *byte == 0);
    std::iter::from_fn(|| Some((fields.next()?, fields.next()?)))
        .take_while(|(name, _)| !name.is_empty())
        .find(|(name, _)| *name == b"user")
        .map(|(_, user)| user)
}

fn mysql(payload: &[u8]) -> Option<&[u8]> {
    let body = payload.get(4..).filter(|_| matches!(payload.get(3), Some(1 | 2)))?;
    body.get(1).filter(|capabilities| **capabilities & MYSQL_41 != 0)?;
    // What is reserved is zero: a command is none.
    let reserved = body.get(9..28)?;
    let name = body.get(MYSQL_NAME..)?.split(|byte| *byte == 0).next();
    name.filter(|_| reserved.iter().all(|byte| *byte == 0))
}

/// The name of a bind (RFC 4511 §4.2).
fn ldap(payload: &[u8]) -> Option<&[u8]> {
    const BIND: u8 = 0x60;
    let (_, message, _) = element(payload).filter(|(tag, ..)| *tag == 0x30)?;
    let (_, _, body) = element(message)?;
    let (_, bind, _) = element(body).filter(|(tag, ..)| *tag == BIND)?;
    let (_, _, rest) = element(bind)?;
    element(rest).map(|(_, name, _)| name)
}

/// `AUTH name password`, as an array of strings or as a line.
fn redis(payload: &[u8]) -> Option<&[u8]> {
    let all: Vec<&[u8]> = match payload.first() {
        Some(b'*') => lines(payload).skip(1).filter(|line| line.first() != Some(&b'$')).take(3).collect(),
        _ => words(lines(payload).next()?).take(3).collect(),
    };
    match all.as_slice() {
        [command, name, _] if command.eq_ignore_ascii_case(b"AUTH") => Some(name),
        _ => None,
    }
}

/// The user name of CONNECT (MQTT 3.1.1 §3.1, MQTT 5 §3.1).
fn mqtt(payload: &[u8]) -> Option<&[u8]> {
    mqtt_names(payload).1
}

/// The name that CONNECT gives the client's session (MQTT 3.1.1 §3.1.3.1).
pub fn session(payload: &[u8]) -> Option<String> {
    let name = mqtt_names(payload).0.filter(|name| !name.is_empty())?;
    let name = name.get(..NAME_MAX_BYTES.min(name.len()))?;
    Some(String::from_utf8_lossy(name).into_owned())
}

/// The client's identifier and the user name of CONNECT.
fn mqtt_names(payload: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    const CONNECT: u8 = 0x10;
    const HAS_NAME: u8 = 0x80;
    const HAS_WILL: u8 = 4;
    const VERSION_5: u8 = 5;
    fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let length = number(bytes.get(..2)?) as usize;
        Some((bytes.get(2..2 + length)?, bytes.get(2 + length..)?))
    }
    fn variable(bytes: &[u8]) -> Option<(usize, &[u8])> {
        let end = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
        let length = bytes.iter().take(end).rev().fold(0, |all, byte| all << 7 | usize::from(byte & 0x7f));
        Some((length, bytes.get(end..)?))
    }
    let properties = |version: u8, bytes| -> Option<&[u8]> {
        if version < VERSION_5 {
            return Some(bytes);
        }
        let (length, rest) = variable(bytes)?;
        rest.get(length..)
    };
    let begin = || {
        (payload.first() == Some(&CONNECT)).then_some(())?;
        let (_, body) = variable(payload.get(1..)?)?;
        let (_, rest) = sized(body)?;
        let (version, flags) = (*rest.first()?, *rest.get(1)?);
        let (client, rest) = sized(properties(version, rest.get(4..)?)?)?;
        Some((version, flags, client, rest))
    };
    let Some((version, flags, client, rest)) = begin() else { return (None, None) };
    let user = || {
        (flags & HAS_NAME != 0).then_some(())?;
        let rest = if flags & HAS_WILL == 0 {
            rest
        } else {
            let (_, rest) = sized(properties(version, rest)?)?;
            sized(rest)?.1
        };
        sized(rest).map(|(name, _)| name)
    };
    (Some(client), user())
}

/// The name of Connection.StartOk, by PLAIN: behind the client's properties and the mechanism (AMQP 0-9-1 §1.4.2.2).
fn amqp(payload: &[u8]) -> Option<&[u8]> {
    const PLAIN: &[u8] = b"\x05PLAIN\0\0";
    payload.get(7..11).filter(|method| *method == [0, 10, 0, 11])?;
    let at = payload.windows(PLAIN.len()).position(|part| part == PLAIN)?;
    // The length takes four bytes; its lower two and the zero of PLAIN stand before the name.
    payload.get(at + PLAIN.len() + 3..)?.split(|byte| *byte == 0).next()
}

/// The name of a sign-in by SCRAM (RFC 5802 §5): `n,,n=name,r=…`.
fn mongo(payload: &[u8]) -> Option<&[u8]> {
    const BEGINS: &[u8] = b"n,,n=";
    let document = payload.get(..DOCUMENT_MAX_BYTES.min(payload.len()))?;
    let at = document.windows(BEGINS.len()).position(|part| part == BEGINS)?;
    document.get(at + BEGINS.len()..)?.split(|byte| *byte == b',').next()
}

/// Domain and user of NTLM's last message ([MS-NLMP] §2.2.1.3), as UTF-8.
fn ntlm(payload: &[u8]) -> Option<Vec<u8>> {
    const SIGNATURE: &[u8] = b"NTLMSSP\0\x03\0\0\0";
    const UNICODE: u8 = 1;
    let at = payload.windows(SIGNATURE.len()).position(|part| part == SIGNATURE)?;
    let message = payload.get(at..)?;
    let little = |at: usize| message.get(at..at + 2).and_then(|two| two.first_chunk::<2>());
    let field = |at: usize| -> Option<String> {
        let length = usize::from(u16::from_le_bytes(*little(at)?));
        let from = usize::from(u16::from_le_bytes(*little(at + 4)?));
        let bytes = message.get(from..from + length)?;
        if message.get(60).is_some_and(|flags| flags & UNICODE == 0) {
            return Some(String::from_utf8_lossy(bytes).into_owned());
        }
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        Some(String::from_utf16_lossy(&units))
    };
    let (domain, user) = (field(28)?, field(36)?);
    let name = if domain.is_empty() { user } else { format!("{domain}\\{user}") };
    Some(name.into_bytes())
}

/// The name of a sign-in in lines (RFC 4954, RFC 9051 §6.2, RFC 1939, RFC 959).
fn in_lines(kind: Kind, payload: &[u8], prompted: bool) -> Option<Vec<u8>> {
    if prompted {
        return encoded(lines(payload).next()?);
    }
    lines(payload).find_map(|line| {
        let mut all = words(line);
        // Commands of IMAP have a tag before them.
        let command = if kind == Kind::Imap { all.nth(1) } else { all.next() };
        let (one, two) = (all.next(), all.next());
        match kind {
            Kind::Imap if is_one_of(command, &[b"LOGIN"]) => Some(
                one?.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(one?).to_vec(),
            ),
            Kind::Imap if is_one_of(command, &[b"AUTHENTICATE"]) => encoded(two?),
            Kind::Smtp | Kind::Pop3 if is_one_of(command, &[b"AUTH"]) => encoded(two?),
            Kind::Pop3 if is_one_of(command, &[b"USER", b"APOP"]) => Some(one?.to_vec()),
            Kind::Ftp if is_one_of(command, &[b"USER"]) => Some(one?.to_vec()),
            _ => None,
        }
    })
}

/// The name in what is sent in base 64: alone (LOGIN), or between zeros (RFC 4616 §2).
fn encoded(word: &[u8]) -> Option<Vec<u8>> {
    let bytes = base64(word)?;
    let name = bytes.split(|byte| *byte == 0).nth(1).unwrap_or(&bytes);
    let is_text = std::str::from_utf8(name).is_ok_and(|name| !name.contains(char::is_control));
    (!name.is_empty() && is_text).then(|| name.to_vec())
}

/// The name that signs a request: of Basic and Digest (RFC 7617, RFC 7616).
fn in_header(payload: &[u8]) -> Option<Vec<u8>> {
    let (_, value) =
        header(payload, b"authorization:").or_else(|| header(payload, b"proxy-authorization:"))?;
    let mut all = words(value);
    match all.next()? {
        scheme if scheme.eq_ignore_ascii_case(b"Basic") => {
            let bytes = base64(all.next()?)?;
            bytes.split(|byte| *byte == b':').next().map(<[u8]>::to_vec)
        }
        scheme if scheme.eq_ignore_ascii_case(b"Digest") => {
            const NAME: &[u8] = b"username=\"";
            let at = value.windows(NAME.len()).position(|part| part.eq_ignore_ascii_case(NAME))?;
            value.get(at + NAME.len()..)?.split(|byte| *byte == b'"').next().map(<[u8]>::to_vec)
        }
        _ => None,
    }
}

/// Who asks, by the From of a message of SIP (RFC 3261 §20.20).
fn from(payload: &[u8]) -> Option<Vec<u8>> {
    let (_, value) = header(payload, b"from:").or_else(|| header(payload, b"f:"))?;
    let at = value.windows(4).position(|part| part == b"sip:").map(|at| at + 4)?;
    let ends = |byte: &u8| matches!(byte, b'>' | b';' | b' ');
    value.get(at..)?.split(ends).next().map(<[u8]>::to_vec)
}

/// Name and realm of the client in AS-REQ (RFC 4120 §5.4.1): body 4, name 1, realm 2.
fn kerberos(payload: &[u8]) -> Option<Vec<u8>> {
    const AS_REQ: u8 = 0x6a;
    fn field(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
        let (_, mut rest, _) = element(bytes)?;
        loop {
            let (tag, inside, further) = element(rest)?;
            if tag == 0xa0 | wanted {
                return Some(inside);
            }
            rest = further;
        }
    }
    let (_, request, _) = element(payload).filter(|(tag, ..)| *tag == AS_REQ)?;
    let body = field(request, 4)?;
    let (_, parts, _) = element(field(field(body, 1)?, 1)?)?;
    let (_, name, _) = element(parts)?;
    let (_, realm, _) = element(field(body, 2)?)?;
    Some([name, b"@", realm].concat())
}

/// The name in the cookie of X.224's connection request ([MS-RDPBCGR] §2.2.1.1).
fn rdp(payload: &[u8]) -> Option<&[u8]> {
    const COOKIE: &[u8] = b"Cookie: mstshash=";
    let at = payload.windows(COOKIE.len()).position(|part| part == COOKIE)?;
    payload.get(at + COOKIE.len()..)?.split(|byte| *byte == b'\r').next()
}

/// The attribute User-Name (RFC 2865 §5.1) behind code, identifier, length and authenticator.
fn radius(payload: &[u8]) -> Option<&[u8]> {
    const HEADER: usize = 20;
    const USER_NAME: u8 = 1;
    let mut rest = payload.get(HEADER..)?;
    loop {
        let (kind, length) = (*rest.first()?, usize::from(*rest.get(1)?));
        if kind == USER_NAME {
            return rest.get(2..length);
        }
        rest = rest.get(length.max(2)..)?;
    }
}

/// Bytes written in base 64 (RFC 4648 §4).
fn base64(word: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(word.len() * 3 / 4);
    let (mut bits, mut number) = (0u32, 0u32);
    for letter in word.iter().take_while(|letter| **letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        number += 6;
        if number >= 8 {
            number -= 8;
            out.push((bits >> number) as u8);
            bits &= (1 << number) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: Kind, payload: &[u8]) -> String {
        named(kind, payload, false).unwrap_or_default()
    }

    #[test]
    fn each_protocol_names_its_account_in_its_own_way() {
        assert_eq!(name(Kind::Postgres, b"\0\0\0\x1c\0\x03\0\0database\0shop\0user\0app\0\0"), "app");
        assert_eq!(
            name(Kind::Ldap, b"\x30\x13\x02\x01\x01\x60\x0e\x02\x01\x03\x04\x04cn=a\x80\x03abc"),
            "cn=a"
        );
        let mut greeting = vec![40, 0, 0, 1, 0x85, 0xa2, 0, 0, 0, 0, 0, 1, 33];
        greeting.extend([0; 23]);
        greeting.extend(b"root\0\0");
        assert_eq!(name(Kind::Mysql, &greeting), "root");
        assert_eq!(name(Kind::Redis, b"*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$1\r\nx\r\n"), "app");
        assert_eq!(name(Kind::Mqtt, b"\x10\x12\0\x04MQTT\x04\x82\0\x3c\0\x01c\0\x03dev"), "dev");
        assert_eq!(name(Kind::Smtp, b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"), "alice");
        assert_eq!(named(Kind::Smtp, b"YWxpY2U=\r\n", true).as_deref(), Some("alice"));
        assert_eq!(name(Kind::Imap, b"a1 LOGIN \"bob\" x\r\n"), "bob");
        assert_eq!(name(Kind::Pop3, b"USER carol\r\n"), "carol");
        assert_eq!(name(Kind::Ftp, b"USER dave\r\n"), "dave");
        assert_eq!(name(Kind::Http, b"GET / HTTP/1.1\r\nAuthorization: Basic ZXZlOng=\r\n\r\n"), "eve");
        assert_eq!(name(Kind::Sip, b"REGISTER sip:x SIP/2.0\r\nFrom: <sip:1001@x>;tag=1\r\n\r\n"), "1001@x");
        let broker = b"\x01\0\0\0\0\0\x20\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0b\0shop\0secret\x05en_US\xce";
        assert_eq!(name(Kind::Amqp, broker), "shop");
        let mut request = vec![1, 7, 0, 27];
        request.extend([0; 16]);
        request.extend([1, 7, b'f', b'r', b'a', b'n', b'k']);
        assert_eq!(name(Kind::Radius, &request), "frank");
        assert!(
            is_asked_for(Kind::Smtp, b"AUTH LOGIN\r\n") && !is_asked_for(Kind::Smtp, b"AUTH LOGIN YQ==\r\n")
        );
    }
}
