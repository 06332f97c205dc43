//! Application bytes that name a host: TLS ClientHello, HTTP request and response, NTP.

use super::Random;

/// A TLS 1.3 ClientHello with a server name (RFC 8446 §4.1.2, RFC 6066 §3).
pub fn client_hello(server_name: &str, random: &mut Random) -> Vec<u8> {
    let host = server_name.as_bytes();
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, data: &[u8]| {
        extensions.extend_from_slice(&kind.to_be_bytes());
        extensions.extend_from_slice(&(data.len() as u16).to_be_bytes());
        extensions.extend_from_slice(data);
    };
    let mut names = ((host.len() + 3) as u16).to_be_bytes().to_vec();
    names.push(0);
    names.extend_from_slice(&(host.len() as u16).to_be_bytes());
    names.extend_from_slice(host);
    extension(0, &names);
    extension(10, &[0, 4, 0, 0x1d, 0, 0x17]);
    extension(13, &[0, 4, 0x04, 0x03, 0x08, 0x04]);
    extension(16, b"\x00\x0c\x02h2\x08http/1.1");
    extension(43, &[4, 3, 4, 3, 3]);

    let mut body = vec![3, 3];
    for _ in 0..4 {
        body.extend_from_slice(&random.bits().to_be_bytes());
    }
    body.push(0);
    body.extend_from_slice(&[0, 6, 0x13, 0x01, 0x13, 0x02, 0xc0, 0x2f]);
    body.extend_from_slice(&[1, 0]);
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);

    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&((body.len() + 4) as u16).to_be_bytes());
    record.push(1);
    record.extend_from_slice((body.len() as u32).to_be_bytes().get(1..).unwrap_or_default());
    record.extend_from_slice(&body);
    record
}

/// TLS records of application data (or, with `kind` 22, handshake) of about `size` bytes with random content.
pub fn tls_record(kind: u8, size: usize, random: &mut Random) -> Vec<u8> {
    let mut record = vec![kind, 3, 3];
    record.extend_from_slice(&(size as u16).to_be_bytes());
    while record.len() < size + 5 {
        record.extend_from_slice(&random.bits().to_le_bytes());
    }
    record.truncate(size + 5);
    record
}

/// A plain HTTP request.
pub fn http_request(host: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: office/1.0\r\nAccept: */*\r\n\r\n")
        .into_bytes()
}

/// A plain HTTP response with a body of `size` bytes.
pub fn http_response(size: usize) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n").into_bytes();
    bytes.resize(bytes.len() + size, b'.');
    bytes
}

/// An NTP message: client (mode 3) or server (mode 4), RFC 5905 §7.3.
pub fn ntp(server: bool) -> Vec<u8> {
    let mut message = vec![0; 48];
    if let Some(first) = message.first_mut() {
        *first = if server { 0x24 } else { 0x23 };
    }
    message
}
