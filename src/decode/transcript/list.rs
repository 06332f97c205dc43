//! Reads a row of the packet list of tshark and Wireshark: what its columns state, and no more.

use super::dns::Dns;
use super::icmp::Icmp;
use super::{Host, IpHeader, Line, plain_host, snoop};
use crate::capture::transcript::{Head, Link, Network, Word, list};
use crate::decode::{Transport, dns};
use crate::settings::Settings;

/// Response codes in Wireshark's words (`packet-dns.c`).
const RESPONSE_CODES: &[(&str, u16)] = &[
    ("Format error", 1),
    ("Server failure", 2),
    ("No such name", 3),
    ("Not implemented", 4),
    ("Refused", 5),
    ("Name exists", 6),
    ("RRset exists", 7),
    ("RRset does not exist", 8),
    ("Not authoritative", 9),
    ("Name out of zone", 10),
];

/// What stands in brackets behind `Destination unreachable` and its code for IPv4 (`packet-icmp.c`).
const UNREACHABLE: &[(&str, u8)] = &[
    ("Network unreachable)", 0),
    ("Net unreachable)", 0),
    ("Needs fragmentation", 4),
    ("Communication administratively prohibited)", 13),
    ("Host unreachable)", 1),
    ("Protocol unreachable)", 2),
    ("Port unreachable)", 3),
    ("Fragmentation needed)", 4),
    ("Source route failed)", 5),
    ("Destination network unknown)", 6),
    ("Destination host unknown)", 7),
    ("Source host isolated)", 8),
    ("Network administratively prohibited)", 9),
    ("Host administratively prohibited)", 10),
    ("Communication with Destination Network is Administratively Prohibited)", 9),
    ("Communication with Destination Host is Administratively Prohibited)", 10),
    ("Network unreachable for TOS)", 11),
    ("Host unreachable for TOS)", 12),
    ("Communication administratively filtered)", 13),
    ("Host precedence violation)", 14),
    ("Precedence cutoff in effect)", 15),
];

const TCP: u8 = 6;
const UNREACHABLE_WORDS: &str = "Destination unreachable (";

/// The same for IPv6 (`packet-icmpv6.c`).
const UNREACHABLE_6: &[(&str, u8)] = &[
    ("no route to destination)", 0),
    ("Administratively prohibited)", 1),
    ("Beyond scope of source address)", 2),
    ("Address unreachable)", 3),
    ("Port unreachable)", 4),
];

/// Words of messages and their types for IPv4.
const MESSAGES: &[(&str, u8, u8)] = &[
    ("Echo (ping) request", 8, 0),
    ("Echo request", 8, 0),
    ("Echo reply", 0, 0),
    ("Time exceeded (in reassembly", 11, 1),
    ("Time exceeded", 11, 0),
    ("Echo (ping) reply", 0, 0),
    ("Time-to-live exceeded (Time to live exceeded in transit)", 11, 0),
    ("Time-to-live exceeded (Fragment reassembly time exceeded)", 11, 1),
    ("Time-to-live exceeded", 11, 0),
    ("Redirect", 5, 1),
    ("Source quench", 4, 0),
    ("Parameter problem", 12, 0),
    ("Router advertisement", 9, 0),
    ("Router solicitation", 10, 0),
];

/// The same for IPv6.
const MESSAGES_6: &[(&str, u8, u8)] = &[
    ("Echo (ping) request", 128, 0),
    ("Echo request", 128, 0),
    ("Echo reply", 129, 0),
    ("Echo (ping) reply", 129, 0),
    ("Packet Too Big", 2, 0),
    ("Time Exceeded (fragment", 3, 1),
    ("Time Exceeded", 3, 0),
    ("Parameter Problem", 4, 0),
    ("Multicast Listener Query", 130, 0),
    ("Multicast Listener Report Message v2", 143, 0),
    ("Multicast Listener Report", 131, 0),
    ("Multicast Listener Done", 132, 0),
    ("Router Solicitation", 133, 0),
    ("Router Advertisement", 134, 0),
    ("Neighbor Solicitation", 135, 0),
    ("Neighbor Advertisement", 136, 0),
    ("Redirect", 137, 0),
];

/// What is carried in datagrams and in segments, by the beginning of the name in the column.
const OVER_UDP: &[&str] = &[
    "TFTP",
    "NTP",
    "SNMP",
    "Syslog",
    "SSDP",
    "DHCP",
    "RADIUS",
    "QUIC",
    "ISAKMP",
    "SIP",
    "RTP",
    "RTCP",
    "NBNS",
    "NBDS",
    "DTLS",
    "STUN",
    "WireGuard",
    "VXLAN",
    "GTP",
    "OpenVPN",
    "L2TP",
    "CoAP",
    "UDPENCAP",
];
const OVER_TCP: &[&str] = &[
    "HTTP",
    "TLS",
    "SSL",
    "SSH",
    "SMTP",
    "IMAP",
    "POP",
    "FTP",
    "BGP",
    "LDAP",
    "SMB",
    "MySQL",
    "PGSQL",
    "MQTT",
    "RDP",
    "TPKT",
    "TELNET",
    "WebSocket",
    "TDS",
    "AMQP",
];

/// Services of which rows print no ports: the server's, and words by which its answers are told.
const SERVERS: &[(&str, u16, &[&str])] = &[
    ("SIP", 5060, &["Status: "]),
    ("NTP", 123, &[", server", ", symmetric passive"]),
    ("SNMP", 161, &["get-response", "report"]),
    ("RADIUS", 1812, &["Access-Accept", "Access-Reject", "Access-Challenge"]),
    ("NBNS", 137, &["response"]),
    ("SSDP", 1900, &["HTTP/1.1 200"]),
    ("Syslog", 514, &[]),
];
const MDNS_PORT: u16 = 5353;
const LLMNR_PORT: u16 = 5355;

/// The ports of a row of such a service, the one that is known and 0 for the other.
fn supposed_ports(column: &str, info: &str) -> Option<(u16, u16)> {
    let (_, port, answers) = SERVERS.iter().find(|(name, ..)| column.starts_with(name))?;
    let is_answer = answers.iter().any(|words| info.contains(words));
    Some(if is_answer { (*port, 0) } else { (0, *port) })
}

/// Reads a row; `None` where the text is none.
pub(super) fn read<'a>(text: &'a str, settings: &Settings) -> Option<Line<'a>> {
    let row = list::row(text)?;
    let six = row.source.text.contains(':') && row.source.text.parse::<std::net::Ipv6Addr>().is_ok();
    let network = match (row.protocol, six) {
        ("ARP", _) => Network::Arp,
        (_, true) => Network::Ip6,
        (_, false) => Network::Ip,
    };
    let link = Link { length: row.length, ..Link::default() };
    let mut line = Line {
        text,
        head: Head { stamp: row.stamp, link, network, body: row.info, least_end: row.info },
        ip: IpHeader::default(),
        source: plain_host(row.source, six),
        destination: plain_host(row.destination, six),
        outer: None,
        transport: Transport::None,
        dns: None,
        icmp: None,
        body: row.info as u32,
        column: row.protocol,
    };
    let info = first_line(text, row.info);
    match row.protocol {
        "ARP" => arp(&mut line, info),
        "DNS" if snoop::is_message(info.text) => {
            line.dns = snoop::message(info);
            datagram(&mut line, row.ports, settings);
        }
        "TCP" | "UDP" if snoop::ports(info.text).is_some() => {
            set_ports(&mut line, snoop::ports(info.text));
            let ports = (port(line.source), port(line.destination));
            line.transport = snoop::transport(row.protocol, info.text, ports);
        }
        "ICMP" | "ICMPv6" => icmp(&mut line, info),
        "DNS" | "MDNS" | "mDNS" | "LLMNR" => {
            line.dns = message(info);
            let is_answer = line.dns.is_some_and(|message| message.header.is_response());
            let own = match row.protocol {
                "MDNS" | "mDNS" => Some((MDNS_PORT, MDNS_PORT)),
                "LLMNR" => Some(if is_answer { (LLMNR_PORT, 0) } else { (0, LLMNR_PORT) }),
                _ => None,
            };
            datagram(&mut line, row.ports.or_else(|| detail_ports(text)).or(own), settings);
        }
        "TCP" => segment(&mut line, info, row.ports),
        "UDP" => {
            let ports = row.ports.or_else(|| ports_of(info.text)).or_else(|| detail_ports(text));
            set_ports(&mut line, ports);
            line.transport = Transport::Udp {
                source_port: port(line.source),
                destination_port: port(line.destination),
                length: 0,
            };
        }
        _ => {
            set_ports(&mut line, row.ports.or_else(|| detail_ports(text)));
            let has_ports = line.source.is_some_and(|host| host.port.is_some());
            let is_over =
                |protocols: &[&str]| has_ports && protocols.iter().any(|name| row.protocol.starts_with(name));
            // HTTP/3 is carried by QUIC.
            let is_segment = OVER_TCP.iter().any(|name| row.protocol.starts_with(name));
            if is_segment && row.protocol != "HTTP3" {
                segment(&mut line, info, row.ports);
            } else if row.protocol == "DHCP" && !has_ports {
                // The list prints no ports, but each end has its own (RFC 2131 §4.1).
                let to_client =
                    ["DHCP Offer", "DHCP ACK", "DHCP NAK"].iter().any(|kind| info.text.starts_with(kind));
                let (source_port, destination_port) = if to_client { (67, 68) } else { (68, 67) };
                set_ports(&mut line, Some((source_port, destination_port)));
                line.transport = Transport::Udp { source_port, destination_port, length: 0 };
            } else if let Some((source, destination)) =
                supposed_ports(row.protocol, info.text).filter(|_| !has_ports)
            {
                set_ports(&mut line, Some((source, destination)));
                for host in line.source.iter_mut().chain(&mut line.destination) {
                    host.port = host.port.filter(|port| *port != 0);
                }
                line.transport =
                    Transport::Udp { source_port: source, destination_port: destination, length: 0 };
            } else if is_over(OVER_UDP) || text.contains("\nUser Datagram Protocol") {
                line.transport = Transport::Udp {
                    source_port: port(line.source),
                    destination_port: port(line.destination),
                    length: 0,
                };
            }
        }
    }
    Some(line)
}

/// The last column, as far as it goes on its line.
pub(super) fn first_line(text: &str, start: usize) -> Word<'_> {
    let rest = text.get(start..).unwrap_or("");
    let line = rest.split('\n').next().unwrap_or("").trim_end_matches(['"', '|', '\r', ' ']);
    Word { text: line, start, end: start + line.len() }
}

fn port(host: Option<Host<'_>>) -> u16 {
    host.and_then(|host| host.port).unwrap_or(0)
}

fn set_ports(line: &mut Line<'_>, ports: Option<(u16, u16)>) {
    let Some((from, to)) = ports else { return };
    if let Some(source) = &mut line.source {
        source.port = Some(from);
    }
    if let Some(destination) = &mut line.destination {
        destination.port = Some(to);
    }
}

/// `40001 → 53`, as the cleaned row has it.
fn ports_of(info: &str) -> Option<(u16, u16)> {
    let mut words = info.split_whitespace().skip_while(|word| word.parse::<u16>().is_err());
    let from = words.next()?.parse().ok()?;
    words.next().filter(|arrow| crate::capture::transcript::is_arrow(arrow))?;
    Some((from, words.next()?.parse().ok()?))
}

/// The ports that the details below the row state.
fn detail_ports(text: &str) -> Option<(u16, u16)> {
    let number = |name: &str| {
        let at = text.find(name)? + name.len();
        // Names of services stand before the number: `domain (53)`.
        let word = text.get(at..)?.split([',', '\n']).next()?;
        let digits = word.rsplit_once('(').map_or(word, |(_, number)| number.trim_end_matches(')'));
        digits.trim().parse().ok()
    };
    Some((number("Src Port: ")?, number("Dst Port: ")?))
}

/// Ports of a DNS message: the list prints none, but one end is the server's.
fn datagram(line: &mut Line<'_>, ports: Option<(u16, u16)>, settings: &Settings) {
    let is_response = line.dns.is_some_and(|message| message.header.is_response());
    let known = ports.or_else(|| detail_ports(line.text));
    if known.is_some() {
        set_ports(line, known);
    } else {
        let server = if is_response { &mut line.source } else { &mut line.destination };
        if let Some(server) = server {
            server.port = Some(settings.supposed_dns_port());
        }
    }
    line.transport = Transport::Udp {
        source_port: port(line.source),
        destination_port: port(line.destination),
        length: 0,
    };
}

/// `40100 → 443 [SYN] Seq=0 Win=64240 Len=0`.
fn segment(line: &mut Line<'_>, info: Word<'_>, ports: Option<(u16, u16)>) {
    set_ports(line, ports.or_else(|| ports_of(info.text)).or_else(|| detail_ports(line.text)));
    if line.source.is_none_or(|host| host.port.is_none()) {
        // Without ports it belongs to no connection that can be told.
        line.transport = Transport::Other(TCP);
        return;
    }
    let mut flags = 0;
    for (name, bit) in
        [("FIN", 1), ("SYN", 2), ("RST", 4), ("PSH", 8), ("ACK", 16), ("URG", 32), ("ECE", 64), ("CWR", 128)]
    {
        let named = info
            .text
            .split(['[', ']'])
            .skip(1)
            .step_by(2)
            .any(|list| list.split(", ").any(|flag| flag == name));
        // `(SYN,ACK), 192.0.2.10:443->…`, as a router's firewall logs it.
        let logged =
            info.text.strip_prefix('(').and_then(|told| told.split_once(')')).map_or("", |(list, _)| list);
        flags |= if named || logged.split(',').any(|flag| flag == name) { bit } else { 0 };
    }
    let number = |name: &str| {
        let at = info.text.find(name)? + name.len();
        info.text.get(at..)?.split(' ').next()?.parse::<u32>().ok()
    };
    line.transport = Transport::Tcp {
        source_port: port(line.source),
        destination_port: port(line.destination),
        sequence: number("Seq=").unwrap_or(0),
        acknowledgment: number("Ack=").unwrap_or(0),
        flags,
        // Windows are printed scaled; one that is not printed is none of 0.
        window: number("Win=").map_or(u16::MAX, |window| window.min(u32::from(u16::MAX)) as u16),
    };
}

/// `Who has 192.0.2.1? Tell 192.0.2.10`, `192.0.2.1 is at 02:00:5e:10:00:01`.
fn arp<'a>(line: &mut Line<'a>, info: Word<'a>) {
    let at = |text: &str| {
        let start = info.start + info.text.find(text)?;
        plain_host(
            Word {
                text: info.text.get(start - info.start..start - info.start + text.len())?,
                start,
                end: start + text.len(),
            },
            false,
        )
    };
    // Who asks whether somebody has an address has none yet, and who announces one tells of itself.
    let announced = ["ARP Announcement for ", "Gratuitous ARP for "]
        .iter()
        .find_map(|words| info.text.strip_prefix(words));
    if let Some(rest) = announced {
        line.source = at(rest.split(' ').next().unwrap_or(""));
        line.destination = line.source;
    } else if let Some(rest) = info.text.strip_prefix("Who has ") {
        let (target, asker) = rest.split_once("? Tell ").unwrap_or((rest, ""));
        line.destination = at(target.split('?').next().unwrap_or(""));
        line.source = if asker.is_empty() {
            None
        } else {
            at(asker.split(' ').next().unwrap_or("")).filter(|host| !host.text.is_empty())
        };
    } else if let Some((owner, _)) = info.text.split_once(" is at ") {
        line.source = at(owner);
    }
}

fn icmp(line: &mut Line<'_>, info: Word<'_>) {
    let v6 = line.head.network == Network::Ip6 || info.text.contains("ICMPv6");
    let messages = if v6 { MESSAGES_6 } else { MESSAGES };
    let reasons = if v6 { UNREACHABLE_6 } else { UNREACHABLE };
    let begins =
        |words: &str| info.text.get(..words.len()).is_some_and(|said| said.eq_ignore_ascii_case(words));
    let unreachable =
        begins(UNREACHABLE_WORDS).then(|| info.text.get(UNREACHABLE_WORDS.len()..).unwrap_or(""));
    let found = match unreachable {
        Some(reason) => {
            let code = reasons.iter().find(|(words, _)| {
                reason.get(..words.len()).is_some_and(|said| said.eq_ignore_ascii_case(words))
            });
            // `UDP port 53 unreachable`: with the port in it.
            let by_port = || reason.contains(" port ").then_some(if v6 { 4 } else { 3 });
            let code = code.map(|(_, code)| *code).or_else(by_port);
            code.map(|code| (if v6 { 1 } else { 3 }, code))
        }
        None => messages.iter().find(|(words, ..)| begins(words)).map(|(_, kind, code)| (*kind, *code)),
    };
    // `(type 8, code 0), 192.0.2.10->203.0.113.5`, as a router's firewall logs it.
    let numbers = || {
        let (kind, rest) = info.text.strip_prefix("(type ")?.split_once(", code ")?;
        Some((kind.parse().ok()?, rest.split(')').next()?.parse().ok()?))
    };
    let found = found.or_else(numbers);
    let Some((kind, code)) = found else {
        line.transport = Transport::Other(if v6 { 58 } else { 1 });
        return;
    };
    line.transport = if v6 { Transport::Icmpv6 { kind, code } } else { Transport::Icmp { kind, code } };
    line.icmp = Some(Icmp::new(kind, code, info.start as u32..info.end as u32));
}

/// `Standard query 0x1005 A www.example.com`, `Standard query response 0x1005 No such name A www.example.com SOA ns.example.com`.
fn message(info: Word<'_>) -> Option<Dns<'_>> {
    let (opcode, rest) = [
        ("Standard query", 0u16),
        ("Inverse query", 1),
        ("Server status request", 2),
        ("Zone change notification", 4),
        ("Dynamic update", 5),
    ]
    .iter()
    .find_map(|(words, opcode)| Some((*opcode, info.text.strip_prefix(words)?)))?;
    let response = rest.trim_start().strip_prefix("response").map(|rest| rest.trim_start_matches(','));
    let mut rest = response.unwrap_or(rest).trim_start();
    // The list tells neither RD nor RA; clients and resolvers set both.
    let mut flags = opcode << 11 | 0x0100 | if response.is_some() { 0x8080 } else { 0 };
    let (mut id, mut tells_id) = (0, false);
    if let Some(number) = rest.strip_prefix("0x") {
        let digits = number.split(' ').next().unwrap_or("");
        id = u16::from_str_radix(digits, 16).ok()?;
        tells_id = true;
        rest = number.get(digits.len()..).unwrap_or("").trim_start();
    }
    if let Some((words, code)) =
        RESPONSE_CODES.iter().find(|(words, _)| response.is_some() && rest.starts_with(words))
    {
        flags |= code;
        rest = rest.get(words.len()..).unwrap_or("").trim_start();
    }
    let mut words = rest.split_whitespace();
    let mut first = words.next();
    // Questions are separated by commas, and multicast DNS says how they want to be answered.
    let qtype = first.and_then(dns::names::type_number);
    // Where the column of types was left out, the name stands alone.
    first = if qtype.is_some() { words.next() } else { first.filter(|word| word.contains('.')) };
    let name = first.map(|name| name.trim_end_matches(',')).filter(|name| !name.is_empty());
    let mut counts = [u16::from(name.is_some() || response.is_some()), 0, 0, 0];
    if response.is_some() {
        for word in words.filter(|word| {
            dns::names::type_number(word).is_some_and(|_| word.bytes().all(|byte| !byte.is_ascii_lowercase()))
        }) {
            let section = match word {
                "SOA" if qtype != Some(6) => 2,
                "OPT" => 3,
                _ => 1,
            };
            if let Some(count) = counts.get_mut(section) {
                *count = count.saturating_add(1);
            }
        }
    }
    let place = |text: &str| {
        let start = info.start + (text.as_ptr() as usize).saturating_sub(info.text.as_ptr() as usize);
        (start as u32, (start + text.len()) as u32)
    };
    Some(Dns {
        header: dns::Header { id, flags, counts },
        name: name.map(|name| if name == "<Root>" { "." } else { name }),
        qtype: qtype.filter(|_| name.is_some()),
        qclass: qtype.and(name).map(|_| 1),
        tells_recursion: false,
        tells_id,
        answer_type: None,
        length_bytes: None,
        start: info.start as u32,
        end: info.end as u32,
        name_range: name.map_or((0, 0), place),
        length_range: (0, 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Address;

    fn line(text: &str) -> Line<'_> {
        read(text, &Settings::default()).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn queries_and_responses_have_the_id_the_name_and_the_code_of_the_row() {
        let query =
            line("1 0.000000 192.0.2.10 > 198.51.100.53 DNS 75 Standard query 0x1005 A www.example.com");
        let message = query.dns.unwrap();
        assert_eq!(
            (message.header.id, message.name, message.qtype, message.header.is_response()),
            (0x1005, Some("www.example.com"), Some(1), false)
        );
        assert_eq!((query.source.unwrap().port, query.destination.unwrap().port), (None, Some(53)));
        let text = "2 0.1 198.51.100.53 -> 192.0.2.10 DNS 75 Standard query response 0x1005 No such name A www.example.com SOA ns.example.com";
        let answer = line(text);
        let message = answer.dns.unwrap();
        assert_eq!(
            (message.header.flags & 15, message.header.counts, message.header.is_response()),
            (3, [1, 0, 1, 0], true)
        );
        assert_eq!(
            answer.source.unwrap().address,
            Address::from("198.51.100.53".parse::<std::net::IpAddr>().unwrap())
        );
        let range = message.name_range;
        assert_eq!(&text[range.0 as usize..range.1 as usize], "www.example.com");
    }

    #[test]
    fn errors_segments_and_arp_are_what_their_words_say() {
        let error =
            line("2 0.1 198.51.100.53 > 192.0.2.10 ICMP 103 Destination unreachable (Port unreachable)");
        assert_eq!(error.transport, Transport::Icmp { kind: 3, code: 3 });
        let error =
            line("2 0.1 2001:db8::1 > 2001:db8::2 ICMPv6 103 Destination Unreachable (Port unreachable)");
        assert_eq!(error.transport, Transport::Icmpv6 { kind: 1, code: 4 });
        let segment =
            line("5 5.1 192.0.2.10 > 203.0.113.80 TCP 74 40100 > 443 [SYN, ACK] Seq=7 Win=64240 Len=0");
        assert!(matches!(
            segment.transport,
            Transport::Tcp { source_port: 40100, destination_port: 443, sequence: 7, flags: 18, .. }
        ));
        let request =
            line("5 5.1 02:00:5e:10:00:01 > ff:ff:ff:ff:ff:ff ARP 42 Who has 192.0.2.1? Tell 192.0.2.10");
        assert_eq!(
            (request.source.unwrap().text, request.destination.unwrap().text),
            ("192.0.2.10", "192.0.2.1")
        );
        for (info, ends) in [
            ("Who has 169.254.33.7? (ARP Probe)", (None, Some("169.254.33.7"))),
            ("ARP Announcement for 192.0.2.127", (Some("192.0.2.127"), Some("192.0.2.127"))),
            ("Gratuitous ARP for 192.0.2.127 (Reply)", (Some("192.0.2.127"), Some("192.0.2.127"))),
        ] {
            let text = format!("5 5.1 02:00:5e:10:00:01 > ff:ff:ff:ff:ff:ff ARP 42 {info}");
            let row = line(&text);
            assert_eq!(
                (row.source.map(|host| host.text), row.destination.map(|host| host.text)),
                ends,
                "{info}"
            );
        }
        for (protocol, info, ports) in [
            ("SIP", "Request: INVITE sip:100@203.0.113.60 |", (0, 5060)),
            ("SIP/SDP", "Status: 200 OK (INVITE) |", (5060, 0)),
            ("NTP", "NTP Version 4, client", (0, 123)),
            ("NTP", "NTP Version 4, server", (123, 0)),
            ("SNMP", "get-response 1.3.6.1.2.1.1.1.0", (161, 0)),
            ("MDNS", "Standard query 0x0000 PTR _ipp._tcp.local, \"QM\" question", (5353, 5353)),
        ] {
            let text = format!("5 5.1 192.0.2.10 > 203.0.113.60 {protocol} 319 {info}");
            let Transport::Udp { source_port, destination_port, .. } = line(&text).transport else {
                panic!("{text}")
            };
            assert_eq!((source_port, destination_port), ports, "{text}");
        }
        let ports = "5 5.1 192.0.2.10 > 203.0.113.80 DNS 74 Standard query 0x1 A a\nUser Datagram Protocol, Src Port: 40001, Dst Port: domain (53)";
        assert_eq!(line(ports).source.unwrap().port, Some(40001));
    }
}
