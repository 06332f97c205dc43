//! What a printed line tells of a segment in place of its bytes: its length, its place in the stream, what is said in clear.

use super::http;
use crate::connections;
use crate::decode::Transport;
use crate::index::Packet;
use crate::protocols::tls;

/// TCP's flag PSH (RFC 9293 §3.1).
const PUSH: u8 = 8;
/// Names of protocols behind which tcpdump prints what is said, and how rows of lists begin with it.
const MARKS: [&str; 4] = [": HTTP: ", ": SMTP: ", ": FTP: ", ": RTSP: "];
const SPEAKERS: [&str; 5] = ["S: ", "C: ", "Response: ", "Request: ", "Reply: "];
/// The server's name behind the words of a ClientHello.
const SERVER_NAME: &str = "(SNI=";
/// What is said of data that a later row tells.
const PIECE: &str = "[TCP segment of a reassembled PDU]";
/// Where tcpdump begins to tell requests line by line.
const LINES: &str = ": HTTP, length: ";

/// What is said on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'p> {
    /// Nothing that was printed.
    Nothing,
    /// The beginning of the data, as text.
    Text(&'p [u8]),
    /// The names of records and messages of TLS, and whether the column names version 1.3.
    Tls(&'p str, bool),
}

/// A printed segment.
#[derive(Clone, Copy, Debug)]
pub struct Printed<'p> {
    /// It carries data.
    pub has_data: bool,
    /// Bytes of its data; 0 where they are not printed.
    pub length: u32,
    /// Its sequence number is printed.
    pub is_placed: bool,
    /// It is marked as sent again.
    pub is_repeat: bool,
    /// What is said in clear.
    pub said: Said<'p>,
    /// All that the line tells.
    pub told: &'p str,
}

/// Reads a packet that is text; `None` for packets that are bytes.
pub fn of<'i>(packet: &Packet<'i>) -> Option<Printed<'i>> {
    let line = packet.printed()?;
    let told_length = connections::told_length(&line);
    let length = told_length.unwrap_or(0);
    let told = line.told();
    let said = said(line.column, told);
    let is_list = !line.column.is_empty();
    // Rows of what is carried print neither sequence number nor length of the data.
    let is_tcp = matches!(line.transport, Transport::Tcp { .. } | Transport::Other(6));
    let is_carried = is_list
        && !told.contains("Seq=")
        && match line.column {
            "TCP" => said != Said::Nothing || told.contains(PIECE),
            _ => is_tcp,
        };
    // What is pushed is data; of a list's rows the column tells.
    let is_pushed = !is_list
        && told_length.is_none()
        && matches!(line.transport, Transport::Tcp { flags, .. } if flags & PUSH != 0);
    Some(Printed {
        has_data: length > 0 || is_carried || is_pushed,
        length,
        is_placed: !is_carried && length > 0 && tells_place(told),
        is_repeat: told.contains("Retransmission]") || told.contains("[TCP Out-Of-Order]"),
        said,
        told,
    })
}

/// The data of a packet: as captured, or as far as a line prints them.
pub fn payload<'i>(packet: &Packet<'i>) -> &'i [u8] {
    if !packet.is_text() {
        return packet.decode().payload();
    }
    match packet.printed().map(|line| said(line.column, line.told())) {
        Some(Said::Text(text)) => text,
        _ => b"",
    }
}

/// What the request asks for that a packet begins.
pub fn request(packet: &Packet<'_>) -> Option<http::Asked> {
    let payload = payload(packet);
    if packet.is_text() { http::asked_printed(payload) } else { http::asked(payload) }
}

/// The server's name in a printed ClientHello.
pub fn server_name(packet: &Packet<'_>) -> Option<String> {
    let line = packet.printed()?;
    let (_, name) = line.told().split_once(SERVER_NAME)?;
    name.split(')').next().map(str::to_owned)
}

/// Whether a sequence number is printed: `seq 1:78`, `Seq=1`, `P 1:78(77)`.
fn tells_place(told: &str) -> bool {
    let is_range = |word: &str| {
        word.ends_with(')') && word.contains(':') && word.starts_with(|c: char| c.is_ascii_digit())
    };
    told.split_ascii_whitespace()
        .any(|word| matches!(word, "seq" | "psh") || word.starts_with("Seq=") || is_range(word))
}

fn said<'p>(column: &str, told: &'p str) -> Said<'p> {
    if column.is_empty() {
        let text = MARKS.iter().find_map(|mark| told.split_once(mark)).map(|(_, text)| text);
        let lines = || told.split_once(LINES)?.1.split_once('\n').map(|(_, lines)| lines.trim_start());
        return text.or_else(lines).map_or(Said::Nothing, |text| Said::Text(text.as_bytes()));
    }
    let mut words = told;
    // `[TCP Retransmission] , Client Hello`
    while let Some((_, rest)) = words.strip_prefix('[').and_then(|words| words.split_once(']')) {
        words = rest.trim_start_matches([' ', ',']);
    }
    if column.starts_with("TLS") || column.starts_with("SSL") {
        return Said::Tls(words, column == "TLSv1.3");
    }
    let spoken = SPEAKERS.iter().find_map(|mark| words.strip_prefix(mark)).unwrap_or(words);
    let bytes = spoken.as_bytes();
    let is_http = http::is_request(bytes) || http::status(bytes).is_some();
    if is_http || spoken.len() < words.len() { Said::Text(bytes) } else { Said::Nothing }
}

/// The number of an alert that is printed: `Alert (Level: Fatal, Description: Protocol Version)`, and whether it is fatal.
pub fn alert(words: &str) -> Option<(u8, bool)> {
    let (_, level) = words.split_once("Alert (Level: ")?;
    let (level, name) = level.split_once(", Description: ")?;
    let name = name.split(')').next()?.to_ascii_lowercase().replace(' ', "_");
    let number = match name.as_str() {
        "user_cancelled" => 90,
        // Of chosen columns only the number may be there.
        name if name.bytes().all(|byte| byte.is_ascii_digit()) => name.parse().ok()?,
        name => (0..u8::MAX).find(|number| tls::alert_name(*number) == name)?,
    };
    Some((number, level == "Fatal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_read_by_their_names() {
        let fatal = |name: &str| alert(&format!("Alert (Level: Fatal, Description: {name})"));
        assert_eq!(fatal("Protocol Version"), Some((70, true)));
        assert_eq!(fatal("No application Protocol"), Some((120, true)));
        assert_eq!(fatal("Close Notify"), Some((0, true)));
        assert_eq!(
            alert("Alert (Level: Warning, Description: Unrecognized Name), Server Hello"),
            Some((112, false))
        );
        assert_eq!(alert("Encrypted Alert"), None);
    }

    #[test]
    fn what_is_said_follows_the_marks_of_each_program() {
        let line = "Flags [P.], seq 1:78, ack 1, win 502, length 77: HTTP: GET / HTTP/1.1";
        assert_eq!(said("", line), Said::Text(b"GET / HTTP/1.1"));
        let lines =
            "Flags [P.], seq 1:78, ack 1, win 502, length 77: HTTP, length: 77\n\tGET / HTTP/1.1\n\tHost: a";
        assert_eq!(said("", lines), Said::Text(b"GET / HTTP/1.1\n\tHost: a"));
        assert_eq!(said("TLSv1", "[TCP Retransmission] , Client Hello"), Said::Tls("Client Hello", false));
        assert_eq!(said("SMTP", "S: 421 closing"), Said::Text(b"421 closing"));
        assert_eq!(said("TCP", "40302 → 443 [SYN] Seq=0 Len=0"), Said::Nothing);
    }
}
