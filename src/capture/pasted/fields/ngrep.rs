//! Reads what ngrep prints: `U 2026/03/03 10:15:22.000000 192.0.2.44:5060 -> 198.51.100.60:5060 #1`, and below it what was carried.

use std::net::IpAddr;

use super::{Fields, Taker};

/// Lines looked at for a packet.
const LOOK_LINES: usize = 400;
/// The longest line of what was carried that is taken over.
const CARRIED_MAX_CHARS: usize = 300;

/// The first line of a packet.
struct Head<'a> {
    protocol: u8,
    time: String,
    ends: [(IpAddr, Option<u16>); 2],
    /// `AP`, of TCP; `3:3`, of ICMP.
    told: &'a str,
}

/// Whether packets of ngrep stand in the text.
pub(super) fn are_there(text: &str) -> bool {
    text.lines().take(LOOK_LINES).any(|line| head(line).is_some())
}

/// Hands on the packets of a text.
pub(super) fn read(text: &str, taker: &mut Taker<'_>) {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(found) = head(line) else { continue };
        // The first line tells what it is. A dot stands for each character that is not printed.
        let carried = lines.next_if(|line| head(line).is_none()).unwrap_or("");
        let carried: String = carried.trim().trim_end_matches('.').chars().take(CARRIED_MAX_CHARS).collect();
        match found.protocol {
            b'I' => taker.take(&found.message()),
            _ => taker.line(&found.line(&carried)),
        }
    }
}

fn head(line: &str) -> Option<Head<'_>> {
    let mut words = line.trim_end().trim_start_matches('#').split(' ').filter(|word| !word.is_empty());
    let protocol = words.next().filter(|word| word.len() == 1)?.bytes().next()?;
    if !b"TUI".contains(&protocol) {
        return None;
    }
    let mut next = words.next()?;
    let mut time = String::new();
    let digits =
        |text: &str, signs: &[u8]| text.bytes().all(|byte| byte.is_ascii_digit() || signs.contains(&byte));
    if next.len() == 10 && digits(next, b"/") {
        time = format!("{} {} ", next.replace('/', "-"), words.next()?);
        next = words.next()?;
    } else if next.starts_with('+') && digits(next.get(1..)?, b".") {
        // What `-T` prints: since the packet before.
        next = words.next()?;
    }
    let source = end(next)?;
    words.next().filter(|arrow| *arrow == "->")?;
    let destination = end(words.next()?)?;
    let told = words.next().unwrap_or("").trim_matches(['[', ']']);
    let told = if told.starts_with('#') { "" } else { told };
    Some(Head { protocol, time, ends: [source, destination], told })
}

/// `192.0.2.44:5060`, `2001:db8::a:5060` (the port stands last), `192.0.2.44`.
fn end(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let bare = || text.parse().ok().filter(IpAddr::is_ipv4).map(|address| (address, None));
    let with_port = || {
        let (address, port) = text.rsplit_once(':')?;
        let address = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        Some((address, Some(port.parse().ok()?)))
    };
    bare().or_else(with_port)
}

impl Head<'_> {
    /// The fields of a message of ICMP: its ends, type and code.
    fn message(&self) -> Fields {
        let mut fields = Fields::default();
        fields.add("_ws.col.Time", self.time.trim_end());
        let (six, names) = match self.ends {
            [(IpAddr::V6(_), _), _] => (true, ["ipv6.src", "ipv6.dst"]),
            _ => (false, ["ip.src", "ip.dst"]),
        };
        for (name, (address, _)) in names.into_iter().zip(self.ends) {
            fields.add(name, &address.to_string());
        }
        if let Some((kind, code)) = self.told.split_once(':') {
            fields.add(if six { "icmpv6.type" } else { "icmp.type" }, kind);
            fields.add(if six { "icmpv6.code" } else { "icmp.code" }, code);
        }
        fields
    }

    /// The line that tcpdump has for it. No length is printed, and none is said.
    fn line(&self, carried: &str) -> String {
        let network = if self.ends.iter().any(|(address, _)| address.is_ipv6()) { "IP6" } else { "IP" };
        let shown = |(address, port): (IpAddr, Option<u16>)| {
            port.map_or_else(|| address.to_string(), |port| format!("{address}.{port}"))
        };
        let [source, destination] = self.ends.map(shown);
        let is_sip = carried.ends_with(" SIP/2.0") || carried.starts_with("SIP/2.0 ");
        let is_http = carried.starts_with("HTTP/1.") || carried.contains(" HTTP/1.");
        let message = match (is_sip, is_http) {
            (true, _) => format!(": SIP: {carried}"),
            (_, true) => format!(": HTTP: {carried}"),
            _ => String::new(),
        };
        let body = match self.protocol {
            b'T' => {
                let letters: String = self
                    .told
                    .chars()
                    .filter(|letter| *letter != 'A')
                    .chain(self.told.contains('A').then_some('.'))
                    .collect();
                format!("Flags [{letters}]{message}")
            }
            _ if message.is_empty() => "UDP".to_owned(),
            _ => message.trim_start_matches(": ").to_owned(),
        };
        format!("{}{network} {source} > {destination}: {body}", self.time)
    }
}
