//! Names that stand in packets besides the questions: in answers, in greetings of TLS, in requests of HTTP and DHCP.

use super::Pseudonyms;
use crate::attempts::{http, printed};
use crate::decode::dns;
use crate::index::{Index, SourceId, source_label};
use crate::protocols::tls;

/// Records of one message that are read.
const RECORDS_MAX: usize = 512;
/// Packets whose summary is read for host names.
const HOSTS_MAX: usize = 200_000;
/// Protocols whose summaries carry host names.
const WITH_HOSTS: [&str; 4] = ["tls", "http", "dhcp", "quic"];

/// What stands for the names of sites and sensors: `site-A`, `sensor-B`, by the first file of each.
pub fn places(index: &Index) -> Vec<(String, String)> {
    let mut places: Vec<(String, String)> = Vec::new();
    for (at, source) in index.sources.iter().enumerate() {
        let letter = source_label(SourceId::at(at));
        for (kind, name) in [("site", &source.place.site), ("sensor", &source.place.sensor)] {
            let Some(name) = name.as_ref().map(|name| crate::text::escape(name)) else { continue };
            if !places.iter().any(|(known, _)| *known == name) {
                places.push((name, format!("{kind}-{letter}")));
            }
        }
    }
    places.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    places
}

/// Learns the names in the records of every DNS response.
pub fn answers(pseudonyms: &mut Pseudonyms, index: &Index) {
    for row in index.dns_rows() {
        let Some(packet) = index.packet(row.packet) else { continue };
        records(pseudonyms, packet.message(row));
    }
}

fn records(pseudonyms: &mut Pseudonyms, message: &[u8]) {
    let count = |at: usize| {
        let bytes = message.get(at..at + 2).and_then(|bytes| bytes.first_chunk::<2>());
        bytes.map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes)))
    };
    let mut learn = |at: usize| -> Option<usize> {
        let (name, end) = dns::read_name(message, at).ok()?;
        pseudonyms.learn(name.wire());
        Some(end)
    };
    let mut at = 12;
    for _ in 0..count(4).min(RECORDS_MAX) {
        let Some(end) = learn(at) else { return };
        at = end + 4;
    }
    for _ in 0..(count(6) + count(8) + count(10)).min(RECORDS_MAX) {
        let Some(end) = learn(at) else { return };
        let (kind, length, data) = (count(end), count(end + 8), end + 10);
        match kind {
            2 | 5 | 12 | 39 => {
                learn(data);
            }
            6 => {
                learn(data).and_then(&mut learn);
            }
            15 => {
                learn(data + 2);
            }
            33 => {
                learn(data + 6);
            }
            47 => {
                learn(data);
            }
            _ => {}
        }
        at = data + length;
    }
}

/// Learns the host names that summaries of other protocols show, and those recorded in the file.
pub fn hosts(pseudonyms: &mut Pseudonyms, index: &Index) {
    for source in &index.sources {
        for (_, name) in &source.metadata.names {
            pseudonyms.learn_text(name);
        }
    }
    let mut read = 0;
    for segment in index.segments() {
        for (row, protocol) in segment.protocol.iter().enumerate() {
            let name = crate::protocols::ProtocolId(*protocol).protocol().name;
            if !WITH_HOSTS.contains(&name) || read >= HOSTS_MAX {
                continue;
            }
            read += 1;
            let Some(packet) = index.packet(crate::index::PacketId(segment.base.0 + row as u32)) else {
                continue;
            };
            let trim = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            for word in packet.summary().split([' ', '/', ',', '=']).map(|word| word.trim_matches(trim)) {
                let end = word.rsplit_once('.').map_or("", |(_, end)| end);
                if end.len() > 1 && end.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                    pseudonyms.learn_text(word);
                }
            }
        }
    }
}

/// Learns what is asked for in clear over TCP at any port: hosts and targets of HTTP, names in greetings of TLS.
pub fn requests(pseudonyms: &mut Pseudonyms, index: &Index) {
    let mut read = 0;
    for segment in index.segments() {
        for row in memchr::memchr_iter(TCP, &segment.transport) {
            let Some(packet) = index.packet(crate::index::PacketId(segment.base.0 + row as u32)) else {
                continue;
            };
            let payload = printed::payload(&packet);
            let name = if packet.is_text() { printed::server_name(&packet) } else { None };
            if let Some(name) = name {
                pseudonyms.learn_text(&name);
            }
            let (name, target) = match (printed::request(&packet), tls::client_hello(payload)) {
                (Some(asked), _) => (asked.host, http::target(payload)),
                (None, Some(hello)) => (hello.server_name(payload), None),
                (None, None) => continue,
            };
            read += 1;
            if read > HOSTS_MAX {
                return;
            }
            if let Some(name) = name.filter(|name| name.contains('.')) {
                pseudonyms.learn_text(&name);
            }
            if let Some(target) = target {
                pseudonyms.learn_path(&String::from_utf8_lossy(target));
            }
        }
    }
}

/// Protocol number of TCP.
const TCP: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_requests_are_masked_with_and_without_their_query() {
        let mut pseudonyms = Pseudonyms::default();
        pseudonyms.learn_path("/private/a?token=1");
        let text =
            pseudonyms.text("curl http://web:80/private/a?token=1, for /private/a. Others ask for /b.");
        assert_eq!(text, "curl http://web:80/path-1, for /path-2. Others ask for /b.");
    }
}
