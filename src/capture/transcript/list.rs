//! Reads rows of the packet list of tshark and Wireshark: as printed, as exported in columns, and as CSV.

use super::head::{date, epoch, seconds as counted, time_of_day};
use super::{DAY_NS, Nanos, SECOND_NS, Stamp, Word, Words, is_arrow};

/// Columns of a row of CSV that are looked at.
const COLUMNS_MAX: usize = 16;
/// The longest name of a protocol.
const PROTOCOL_MAX_BYTES: usize = 20;

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its time, as far as it can be told what it counts from.
    pub stamp: Stamp,
    /// Sender: an address, or a name in place of one.
    pub source: Word<'a>,
    /// Receiver.
    pub destination: Word<'a>,
    /// Where columns for them were added.
    pub ports: Option<(u16, u16)>,
    /// `DNS`, `ICMP`, `TCP`.
    pub protocol: &'a str,
    /// Length of the frame in bytes.
    pub length: Option<u32>,
    /// Where the text of the last column begins.
    pub info: usize,
}

/// Reads a row at the beginning of `text`.
pub fn row(text: &str) -> Option<Row<'_>> {
    let line = text.lines().next()?;
    match line.trim_start().as_bytes().first()? {
        b'"' => separated(&quoted_columns(line)?),
        b'|' => separated(&divided_columns(line, '|')),
        _ => printed(line)
            .or_else(|| sniffed(line))
            .or_else(|| buffered(line))
            .or_else(|| logged(line))
            .or_else(|| separated(&divided_columns(line, ','))),
    }
}

/// `1 0.000000000 192.0.2.10 → 198.51.100.53 DNS 75 Standard query 0x1005 A www.example.com`.
fn printed(line: &str) -> Option<Row<'_>> {
    let mut words = Words::new(line.as_bytes(), 0);
    let mut ahead = words;
    // The number of the packet is a column that can be left out.
    if ahead.next()?.text.parse::<u64>().is_ok() {
        words = ahead;
    }
    let stamp = stamp(&mut words)?;
    let source = words.next()?;
    let mut next = words.next()?;
    let source_port = port(next.text);
    if source_port.is_some() {
        next = words.next()?;
    }
    let has_arrow = is_arrow(next.text);
    let destination = if has_arrow { words.next()? } else { next };
    let mut next = words.next()?;
    let destination_port = port(next.text).filter(|_| source_port.is_some());
    if destination_port.is_some() {
        next = words.next()?;
    }
    let length = words.peek().and_then(|word| word.text.parse().ok());
    // A list of packets has ports in columns of their own; behind a colon they are those of flows.
    if [source, destination].into_iter().any(|end| endpoint(end).is_some_and(|(_, port)| port.is_some())) {
        return None;
    }
    // Names for addresses are told from prose by the arrow and the column of lengths, or by their dots.
    let are_addresses = is_address(source.text) && is_address(destination.text);
    let are_names = has_arrow
        && !destination.text.ends_with(':')
        && (length.is_some()
            || is_snoop(line, words)
            || [source, destination].iter().any(|host| host.text.contains(['.', ':', '_'])));
    // `Syslog` is a protocol as well, where all else is told.
    let is_any = has_arrow
        && are_addresses
        && length.is_some()
        && next.text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_row = is_any || ((are_addresses || are_names) && is_protocol(next.text));
    if length.is_some() {
        words.next();
    }
    let info = words.peek()?.start;
    is_row.then_some(Row {
        stamp,
        source,
        destination,
        ports: source_port.zip(destination_port),
        protocol: next.text,
        length: length.filter(|length| *length > 0),
        info,
    })
}

/// `0   98     0.000000   192.0.2.10       ->  198.51.100.80    0  BE   ICMP`: number, size, time, ends, DSCP and its name, and the
/// protocol, as a router's buffer is shown in brief.
fn buffered(line: &str) -> Option<Row<'_>> {
    let mut words = Words::new(line.as_bytes(), 0);
    words.next()?.text.parse::<u64>().ok()?;
    let length = words.next()?.text.parse().ok()?;
    let stamp = stamp(&mut words).filter(|stamp| matches!(stamp, Stamp::Seconds(_)))?;
    let source = words.next()?;
    words.next().filter(|word| is_arrow(word.text))?;
    let destination = words.next()?;
    let are_addresses = is_address(source.text) && is_address(destination.text);
    words.next()?.text.parse::<u8>().ok()?;
    let last = words.last().filter(|_| are_addresses)?;
    let is_row = last.end == line.trim_end().len() && is_protocol(last.text);
    is_row.then_some(Row {
        stamp,
        source,
        destination,
        ports: None,
        protocol: last.text,
        length: Some(length),
        info: line.len(),
    })
}

/// What Solaris' snoop begins messages of ICMP with.
const SNOOP_ICMP: [&str; 5] =
    ["Destination unreachable (", "Echo request", "Echo reply", "Time exceeded (", "Redirect ("];

/// Whether what follows the protocol is what Solaris' snoop prints there: a call, a reply, ports, or a message of ICMP.
fn is_snoop(line: &str, mut words: Words<'_>) -> bool {
    let info = words.peek().and_then(|word| line.get(word.start..)).unwrap_or("");
    if SNOOP_ICMP.iter().any(|begin| info.starts_with(begin)) {
        return true;
    }
    let Some(first) = words.next() else { return false };
    let is_call =
        matches!(first.text, "C" | "R") && line.get(first.end..).is_some_and(|rest| !rest.trim().is_empty());
    is_call || (first.text.starts_with("D=") && words.next().is_some_and(|word| word.text.starts_with("S=")))
}

/// `ether2 1.203 1 <- 02:00:5E:10:00:15 48:8F:5A:00:10:02 192.0.2.10:50112 198.51.100.53:53 (dns) ip:udp 75 0`: how a
/// router's sniffer lists packets.
fn sniffed(line: &str) -> Option<Row<'_>> {
    let mut words = Words::new(line.as_bytes(), 0);
    let interface = words.next()?;
    let stamp = stamp(&mut words)?;
    let is_number = words.next()?.text.bytes().all(|byte| byte.is_ascii_digit());
    let is_told = interface.text.starts_with(|c: char| c.is_ascii_alphabetic()) && is_number;
    if !is_told || !matches!(words.next()?.text, "<-" | "->" | ">" | "<") {
        return None;
    }
    let mut ends = [None; 2];
    for word in words.by_ref().take(COLUMNS_MAX) {
        if let Some(end) = endpoint(word) {
            *ends.iter_mut().find(|end| end.is_none())? = Some(end);
        } else if let Some(carried) = word
            .text
            .split_once(':')
            .and_then(|(network, carried)| matches!(network, "ip" | "ipv6").then_some(carried))
        {
            let [Some((source, source_port)), Some((destination, destination_port))] = ends else {
                return None;
            };
            let protocol = match carried {
                "udp" => "UDP",
                "tcp" => "TCP",
                "icmp" => "ICMP",
                "icmpv6" | "ipv6-icmp" => "ICMPv6",
                other => other,
            };
            return Some(Row {
                stamp,
                source,
                destination,
                ports: source_port.zip(destination_port),
                protocol,
                length: words.next().and_then(|word| word.text.parse().ok()),
                info: word.start,
            });
        }
    }
    None
}

/// `Nov 30 10:01:12 192.0.2.1 firewall,info drop: in:bridge out:ether1, proto TCP (SYN), 192.0.2.10:51514->203.0.113.80:443, len 60`:
/// how a router's firewall logs a packet; one that it translates has the translated end in brackets behind that.
fn logged(line: &str) -> Option<Row<'_>> {
    let at = line.find(PROTO)? + PROTO.len();
    let mut words = Words::new(line.as_bytes(), 0);
    let mut at_time = Words::new(line.as_bytes(), 0);
    let mut time = Stamp::None;
    while let Some(word) = words.next().filter(|word| word.start < at) {
        if let Some(told) = stamp(&mut at_time).filter(|told| !matches!(told, Stamp::Seconds(_))) {
            time = told;
            break;
        }
        at_time = Words::new(line.as_bytes(), word.end);
    }
    let told = line.get(at..)?;
    let protocol = told.split([' ', ',']).next()?;
    let protocol = match protocol {
        "TCP" | "UDP" | "ICMP" | "ICMPv6" => protocol,
        _ => return None,
    };
    let arrow = at + told.find("->")?;
    let before = line.get(at..arrow)?;
    let from = at + before.rfind([' ', ','])? + 1;
    let behind = line.get(arrow + 2..)?;
    let to = arrow + 2 + behind.find([',', ' ']).unwrap_or(behind.len());
    let word = |start: usize, end: usize| Some(Word { text: line.get(start..end)?, start, end });
    let (source, source_port) = endpoint(word(from, arrow)?)?;
    let (destination, destination_port) = endpoint(word(arrow + 2, to)?)?;
    let length =
        line.split_once(", len ").and_then(|(_, length)| length.split([' ', ',']).next()?.parse().ok());
    Some(Row {
        stamp: time,
        source,
        destination,
        ports: source_port.zip(destination_port),
        protocol,
        length,
        info: at + protocol.len() + 1,
    })
}

/// What stands before the protocol of a packet that a router's firewall logged.
const PROTO: &str = ", proto ";

/// An address with the port behind its colon, where it has one.
fn endpoint(word: Word<'_>) -> Option<(Word<'_>, Option<u16>)> {
    if word.text.parse::<std::net::IpAddr>().is_ok() {
        return Some((word, None));
    }
    let (address, number) = word.text.rsplit_once(':')?;
    let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    bare.parse::<std::net::IpAddr>().ok()?;
    let start = word.start + address.find(bare)?;
    Some((Word { text: bare, start, end: start + bare.len() }, Some(number.parse().ok()?)))
}

/// The columns of a row, as many as there are.
struct Columns<'a> {
    columns: [Word<'a>; COLUMNS_MAX],
    used: usize,
}

/// `| 1 | 0.000000 | 192.0.2.10 | …` and `1,0.000000,192.0.2.10,…`. The last column can have the divider in it.
fn divided_columns(line: &str, divider: char) -> Columns<'_> {
    let mut found = Columns { columns: [Word { text: "", start: 0, end: 0 }; COLUMNS_MAX], used: 0 };
    let mut start = line.len() - line.trim_start().len();
    if line.get(start..).is_some_and(|rest| rest.starts_with('|')) {
        start += 1;
    }
    let mut addresses = 0;
    let mut behind = 0;
    while found.used < COLUMNS_MAX && start <= line.len() {
        let rest = line.get(start..).unwrap_or("");
        // Behind the addresses stand protocol and length, and then what is told of the packet.
        let is_last = behind == 2;
        let length = if is_last { rest.len() } else { rest.find(divider).unwrap_or(rest.len()) };
        let text = rest.get(..length).unwrap_or("");
        let trimmed = text.trim();
        let from = start + (text.len() - text.trim_start().len());
        if let Some(slot) = found.columns.get_mut(found.used) {
            *slot = Word { text: trimmed, start: from, end: from + trimmed.len() };
            found.used += 1;
        }
        let is_end = is_address(trimmed);
        behind += usize::from(addresses == 2 && port(trimmed).is_none_or(|_| behind == 1));
        addresses += usize::from(is_end);
        if is_last {
            break;
        }
        start += length + 1;
    }
    found
}

/// `"1","0.000000","192.0.2.10","198.51.100.53","DNS","75","Standard query 0x1005 A www.example.com"`.
fn quoted_columns(line: &str) -> Option<Columns<'_>> {
    let mut columns = [Word { text: "", start: 0, end: 0 }; COLUMNS_MAX];
    let mut used = 0;
    let mut at = line.find('"')?;
    for slot in &mut columns {
        let inner = line.get(at + 1..)?;
        // Quotation marks within are doubled, which no address has.
        let length = inner.find("\",").or_else(|| inner.rfind('"'))?;
        *slot = Word { text: inner.get(..length)?.trim(), start: at + 1, end: at + 1 + length };
        used += 1;
        at += length + 2;
        if line.get(at..at + 2) != Some(",\"") {
            break;
        }
        at += 1;
    }
    Some(Columns { columns, used })
}

/// Reads a row by its columns: time, two addresses, protocol, length, and what is told of the packet.
fn separated<'a>(found: &Columns<'a>) -> Option<Row<'a>> {
    // Prose with a divider in it has no addresses.
    let columns = found.columns.get(..found.used)?;
    let first = columns.iter().position(|column| is_address(column.text))?;
    let at = |offset: usize| columns.get(first + offset).copied();
    let before = columns.get(..first)?.iter().rev();
    let stamp = before.clone().find_map(|column| stamp(&mut Words::new(column.text.as_bytes(), 0)))?;
    let (source, second) = (at(0)?, at(1)?);
    let source_port = port(second.text);
    let destination = if source_port.is_some() { at(2)? } else { second };
    let behind = if source_port.is_some() { 3 } else { 2 };
    let destination_port = port(at(behind)?.text).filter(|_| source_port.is_some());
    let behind = behind + usize::from(destination_port.is_some());
    let protocol = at(behind)?;
    let info = columns.last()?;
    let length = at(behind + 1).and_then(|column| column.text.parse().ok());
    let is_row = is_address(destination.text) && is_protocol(protocol.text) && info.start > protocol.start;
    is_row.then_some(Row {
        stamp,
        source,
        destination,
        ports: source_port.zip(destination_port),
        protocol: protocol.text,
        length,
        info: info.start,
    })
}

/// A time in one of the forms of `tshark -t`: seconds since the first packet or the one before, of the day, since 1970.
fn stamp(words: &mut Words<'_>) -> Option<Stamp> {
    let first = words.next()?.text;
    if let Some(time) = time_of_day(first) {
        return Some(Stamp::Clock(time));
    }
    if let Some(day) = routers_date(first) {
        let time = time_of_day(words.next()?.text)?;
        return Some(Stamp::Local(day.checked_mul(DAY_NS)?.checked_add(time)?));
    }
    if let Some((day, "")) = date(first) {
        let clock = words.next()?.text;
        let time = time_of_day(clock.trim_end_matches('Z'))?;
        let at = day.checked_mul(DAY_NS)?.checked_add(time)?;
        return Some(if clock.ends_with('Z') { Stamp::Date(at) } else { Stamp::Local(at) });
    }
    let (sign, bare) = first.strip_prefix('-').map_or((1, first), |bare| (-1, bare));
    let (seconds, fraction) = bare.split_once(['.', ',']).unwrap_or((bare, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    if seconds.len() >= 9 {
        return epoch(bare).map(|time| counted(sign * time));
    }
    let fraction: Nanos = format!("{fraction:0<9}").parse().ok()?;
    Some(Stamp::Seconds(sign * (seconds.parse::<Nanos>().ok()? * SECOND_NS + fraction)))
}

/// Days since 1970 of `mar/20/2025`, as a router's log has it.
fn routers_date(word: &str) -> Option<i64> {
    let mut parts = word.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let is_whole = parts.next().is_none() && day.len() == 2 && year.len() == 4;
    is_whole.then(|| date(&format!("{year}-{month:02}-{day}")).map(|(days, _)| days))?
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

fn port(text: &str) -> Option<u16> {
    text.parse().ok()
}

/// An address of any kind; Wireshark puts names of makers before link addresses.
fn is_address(text: &str) -> bool {
    let is_link = |text: &str| {
        text.split(['_', ':']).skip(1).count() >= 3 && text.ends_with(|c: char| c.is_ascii_hexdigit())
    };
    text.parse::<std::net::IpAddr>().is_ok() || text == "Broadcast" || is_link(text)
}

fn is_protocol(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-/_".contains(&byte);
    text.len() <= PROTOCOL_MAX_BYTES
        && text.starts_with(|c: char| c.is_ascii_uppercase() || c == 'm' || c == 'x' || c == '0')
        && text.bytes().filter(u8::is_ascii_uppercase).count() >= 2
        && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> Option<(&str, &str, &str, &str)> {
        let row = row(text)?;
        Some((row.source.text, row.destination.text, row.protocol, text.get(row.info..)?))
    }

    #[test]
    fn rows_of_all_forms_are_read() {
        let expected = Some(("192.0.2.10", "198.51.100.53", "DNS", "Standard query 0x1005"));
        for text in [
            "    1 0.000000000   192.0.2.10 → 198.51.100.53 DNS 75 Standard query 0x1005",
            "  1   0.000000 192.0.2.10 -> 198.51.100.53 DNS 75 Standard query 0x1005",
            "1 14:00:01.192571 192.0.2.10 > 198.51.100.53 DNS 75 Standard query 0x1005",
            "1 2024-03-05 14:00:01.192571 192.0.2.10 > 198.51.100.53 DNS 75 Standard query 0x1005",
            "1709647201.192571000 192.0.2.10 > 198.51.100.53 DNS Standard query 0x1005",
            "      1 0.000000       192.0.2.10            198.51.100.53         DNS      75     Standard query 0x1005",
        ] {
            assert_eq!(ends(text), expected, "{text}");
        }
        let text = "\"1\",\"0.5\",\"192.0.2.10\",\"198.51.100.53\",\"DNS\",\"75\",\"Standard query 0x1005\"";
        let row = row(text).unwrap();
        assert_eq!(
            (row.stamp, row.length, row.destination.text),
            (Stamp::Seconds(500_000_000), Some(75), "198.51.100.53")
        );
        assert_eq!(&text[row.info..text.len() - 1], "Standard query 0x1005");
    }

    #[test]
    fn prose_and_packets_of_tcpdump_are_no_rows() {
        for text in [
            "1 of 5 hosts > 3 DNS servers",
            "14:00:01.1 IP 192.0.2.10.4 > 198.51.100.53.53: 1+ A? a. (19)",
            "\"a\",\"b\",\"c\"",
            "1 0.5 seconds -> then DNS failed",
            "2026-03-03 10:11:12.345 192.0.2.10:40112 -> 203.0.113.9:443 TCP ...S. 1 60 1",
        ] {
            assert_eq!(ends(text), None, "{text}");
        }
    }
}
