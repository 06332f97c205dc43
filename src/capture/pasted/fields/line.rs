//! Writes the line that tcpdump prints of a packet, or a list, from the fields that are told of it.

use std::fmt::Write as _;

use super::table::{TYPES, named};
use super::{Fields, Header, number};

/// What tcpdump calls response codes (`print-domain.c`), by number.
const RESPONSE_CODES: [&str; 11] = [
    "", "FormErr", "ServFail", "NXDomain", "NotImp", "Refused", "YXDomain", "YXRRSet", "NXRRSet", "NotAuth",
    "NotZone",
];
/// What a list calls them (`packet-dns.c`).
const RESPONSE_WORDS: [&str; 11] = [
    "",
    "Format error",
    "Server failure",
    "No such name",
    "Not implemented",
    "Refused",
    "Name exists",
    "RRset exists",
    "RRset does not exist",
    "Not authoritative",
    "Name out of zone",
];
/// Letters of flags, and the fields that say them one by one.
const FLAGS: [(char, u32, &str); 4] = [
    ('F', 1, "tcp.flags.fin"),
    ('S', 2, "tcp.flags.syn"),
    ('R', 4, "tcp.flags.reset"),
    ('P', 8, "tcp.flags.push"),
];
const ACK: u32 = 16;
/// What DHCP calls its messages (RFC 2132 §9.6).
const DHCP: [&str; 9] = ["", "Discover", "Offer", "Request", "Decline", "ACK", "NAK", "Release", "Inform"];
/// Records of TLS, and messages of its handshake.
const TLS_RECORDS: &[(u32, &str)] =
    &[(20, "Change Cipher Spec"), (21, "Alert"), (22, "Handshake"), (23, "Application Data")];
const TLS_MESSAGES: &[(u32, &str)] = &[(1, "Client Hello"), (2, "Server Hello"), (11, "Certificate")];
/// What ICMP's messages are called, by type and code; `D` stands for the quoted receiver, `P` for its protocol and port, `M` for
/// the size told (`print-icmp.c`).
const ICMP: &[(u32, u32, &str)] = &[
    (3, 0, "net D unreachable"),
    (3, 1, "host D unreachable"),
    (3, 2, "D protocol N unreachable"),
    (3, 3, "D P unreachable"),
    (3, 4, "D unreachable - need to fragM"),
    (3, 5, "D unreachable - source route failed"),
    (3, 6, "net D unreachable - unknown"),
    (3, 7, "host D unreachable - unknown"),
    (3, 8, "D unreachable - source host isolated"),
    (3, 9, "net D unreachable - admin prohibited"),
    (3, 10, "host D unreachable - admin prohibited"),
    (3, 11, "net D unreachable - tos prohibited"),
    (3, 12, "host D unreachable - tos prohibited"),
    (3, 13, "host D unreachable - admin prohibited filter"),
    (3, 14, "host D unreachable - host precedence violation"),
    (3, 15, "host D unreachable - precedence cutoff"),
    (4, 0, "source quench"),
    (5, 0, "redirect D to net D"),
    (5, 1, "redirect D to host D"),
    (11, 0, "time exceeded in-transit"),
    (11, 1, "ip reassembly time exceeded"),
    (12, 0, "parameter problem - octet 0"),
];
const ICMP6: &[(u32, u32, &str)] = &[
    (1, 0, "destination unreachable, unreachable route D"),
    (1, 1, "destination unreachable, unreachable prohibited D"),
    (1, 2, "destination unreachable, beyond scope D"),
    (1, 3, "destination unreachable, unreachable address D"),
    (1, 4, "destination unreachable, unreachable port, D P"),
    (2, 0, "packet too bigM"),
    (3, 0, "time exceeded in-transit for D"),
    (3, 1, "time exceeded in-transit (reassembly)"),
    (4, 0, "parameter problem"),
    (133, 0, "router solicitation"),
    (134, 0, "router advertisement"),
    (135, 0, "neighbor solicitation"),
    (136, 0, "neighbor advertisement"),
];

/// The line; nothing where no addresses are told.
pub(super) fn of(fields: &Fields) -> Option<String> {
    if let Some(line) = arp(fields) {
        return Some(line);
    }
    let headers = fields.headers();
    // What an error quotes stands last; of a tunnel the packet inside counts.
    let (own, quoted) = match headers.as_slice() {
        [.., own, quoted] if fields.is_error() => (Some(*own), Some(*quoted)),
        [.., own] => (Some(*own), None),
        [] => (None, None),
    };
    let Some(own) = own else { return row(fields, None) };
    if let Some(line) = row(fields, Some(own)) {
        return Some(line);
    }
    let protocol = protocol(fields, own);
    let link = link(fields, own);
    let time = fields.time();
    let message = match protocol {
        Some(1) => message(fields, ICMP, "ICMP ", quoted)?,
        Some(58) => message(fields, ICMP6, "ICMP6, ", quoted)?,
        _ => carried(fields, protocol),
    };
    let with_ports = matches!(protocol, Some(6 | 17));
    let (source, destination) = hosts(fields, own, with_ports)?;
    let header = header(fields, own);
    Some(format!("{time}{link}{header}{source} > {destination}: {message}"))
}

/// What a packet carries, by the fields that tell it where its header does not.
const CARRIED: [(&str, u32); 6] = [
    ("icmp.type", 1),
    ("icmpv6.type", 58),
    ("tcp.srcport", 6),
    ("tcp.dstport", 6),
    ("udp.srcport", 17),
    ("udp.dstport", 17),
];

/// The number of what a packet carries, told by its header or by what fields there are.
fn protocol(fields: &Fields, header: Header) -> Option<u32> {
    let told = fields.nth_number(if header.six { "ipv6.nxt" } else { "ip.proto" }, header.at);
    let headers = fields.headers();
    let is_quoted = fields.is_error() && headers.len() > 1 && headers.last() == Some(&header);
    let by_fields = || {
        let mut carried = CARRIED.iter().filter(|(name, _)| !(is_quoted && name.starts_with("icmp")));
        carried.find(|(name, _)| fields.get(name).is_some()).map(|(_, number)| *number)
    };
    // Extension headers name what follows them.
    told.filter(|number| matches!(number, 1 | 6 | 17 | 58)).or_else(by_fields).or(told)
}

fn hosts(fields: &Fields, header: Header, with_ports: bool) -> Option<(String, String)> {
    let (source, destination) = fields.ends(header)?;
    let port = |names: [&'static str; 2]| {
        let [tcp, udp] = names;
        let port = fields.get(if protocol(fields, header) == Some(6) { tcp } else { udp });
        port.filter(|_| with_ports).map(|port| format!(".{port}")).unwrap_or_default()
    };
    let from = port(["tcp.srcport", "udp.srcport"]);
    let to = port(["tcp.dstport", "udp.dstport"]);
    Some((format!("{source}{from}"), format!("{destination}{to}")))
}

/// Link addresses as `-e` prints them, or the name of the protocol.
fn link(fields: &Fields, header: Header) -> String {
    let plain = if header.six { "IP6 " } else { "IP " };
    let kind = if header.six { "IPv6 (0x86dd)" } else { "IPv4 (0x0800)" };
    let is_link = |text: &str| text.len() == 17 && text.split(':').count() == 6;
    let ends = fields.get("eth.src").zip(fields.get("eth.dst")).filter(|(a, b)| is_link(a) && is_link(b));
    match (ends, fields.number("frame.len"), fields.get("vlan.id")) {
        (Some((source, destination)), Some(length), None) => {
            format!("{source} > {destination}, ethertype {kind}, length {length}: ")
        }
        _ => plain.to_owned(),
    }
}

/// What `-v` prints of an IP header, where it is told.
fn header(fields: &Fields, header: Header) -> String {
    let at = |name: &'static str| fields.nth_number(name, header.at);
    let name = |number: u32| match number {
        1 => "ICMP",
        6 => "TCP",
        17 => "UDP",
        58 => "ICMPv6",
        _ => "unknown",
    };
    if header.six {
        let told = at("ipv6.hlim").zip(at("ipv6.nxt")).zip(at("ipv6.plen"));
        return told.map_or(String::new(), |((hops, next), length)| {
            format!("(hlim {hops}, next-header {} ({next}) payload length: {length}) ", name(next))
        });
    }
    let told = at("ip.ttl").zip(at("ip.id")).zip(at("ip.proto").zip(at("ip.len")));
    let Some(((ttl, id), (protocol, length))) = told else {
        return at("ip.ttl").map_or(String::new(), |ttl| format!("(tos 0x0, ttl {ttl}) "));
    };
    let flags = match (at("ip.flags.mf"), at("ip.flags.df")) {
        (Some(1), _) => "+",
        (_, Some(1)) => "DF",
        _ => "none",
    };
    let offset = at("ip.frag_offset").unwrap_or(0);
    format!(
        "(tos 0x0, ttl {ttl}, id {id}, offset {offset}, flags [{flags}], proto {} ({protocol}), length {length}) ",
        name(protocol)
    )
}

/// What a packet carries, in tcpdump's words.
fn carried(fields: &Fields, protocol: Option<u32>) -> String {
    match protocol {
        Some(6) => segment(fields),
        Some(17) => dns(fields).unwrap_or_else(|| {
            let told = lease(fields).or_else(|| time_service(fields)).unwrap_or_else(|| "UDP".to_owned());
            match carried_length(fields) {
                Some(length) if told.contains('\n') => {
                    told.replacen('\n', &format!(", length {length}\n"), 1)
                }
                Some(length) => format!("{told}, length {length}"),
                None => told,
            }
        }),
        Some(number) => format!("ip-proto-{number} 0"),
        None => "ip".to_owned(),
    }
}

/// What `-v` prints of a message of DHCP whose client is told (`print-bootp.c`).
fn lease(fields: &Fields) -> Option<String> {
    let kind = fields.number("dhcp.option.dhcp").and_then(|kind| DHCP.get(kind as usize))?;
    let client = fields.get("dhcp.hw.mac_addr")?;
    let id = fields.get("dhcp.id").unwrap_or("0x0");
    let mut text = format!("BOOTP/DHCP, DHCP {kind}, xid {id}\n\t  Client-Ethernet-Address {client}");
    if let Some(own) = fields.get("dhcp.ip.your").filter(|own| *own != "0.0.0.0") {
        write!(text, "\n\t  Your-IP {own}").unwrap_or_default();
    }
    write!(text, "\n\t    DHCP-Message (53), length 1: {kind}").unwrap_or_default();
    for (name, option) in [
        ("dhcp.option.requested_ip_address", "Requested-IP (50)"),
        ("dhcp.option.dhcp_server_id", "Server-ID (54)"),
        ("dhcp.option.router", "Default-Gateway (3)"),
        ("dhcp.option.domain_name_server", "Domain-Name-Server (6)"),
    ] {
        let told: Vec<&str> = fields.all(name).collect();
        if !told.is_empty() {
            write!(text, "\n\t    {option}, length {}: {}", told.len() * 4, told.join(","))
                .unwrap_or_default();
        }
    }
    Some(text)
}

/// Bytes that a datagram carries, where they are told.
fn carried_length(fields: &Fields) -> Option<u32> {
    fields.number("udp.length").map(|length| length.saturating_sub(8))
}

/// What `-v` prints of a message of NTP.
fn time_service(fields: &Fields) -> Option<String> {
    let mode = match fields.number("ntp.flags.mode")? {
        3 => "Client",
        4 => "Server",
        1 => "symmetric active",
        2 => "symmetric passive",
        _ => "Broadcast",
    };
    let stratum = fields.number("ntp.stratum").map(|stratum| {
        let leap = fields.number("ntp.flags.li").unwrap_or(0);
        let word = if leap == 3 { "clock unsynchronized" } else { "" };
        format!("\n\tLeap indicator: {word} ({}), Stratum {stratum}, poll 6 (64s)", leap << 6)
    });
    Some(format!("NTPv4, {mode}{}", stratum.unwrap_or_default()))
}

fn segment(fields: &Fields) -> String {
    let all = fields.tcp_flags();
    let is = |bit: u32, name: &'static str| {
        all.map_or_else(|| fields.number(name) == Some(1), |flags| flags & bit != 0)
    };
    let mut letters: String =
        FLAGS.iter().filter(|(_, bit, name)| is(*bit, name)).map(|(letter, ..)| *letter).collect();
    let has_ack = is(ACK, "tcp.flags.ack");
    if has_ack {
        letters.push('.');
    }
    let number =
        |raw: &'static str, counted: &'static str| fields.number(raw).or_else(|| fields.number(counted));
    let length = fields.number("tcp.len").unwrap_or(0);
    let mut text = format!("Flags [{letters}]");
    if let Some(from) =
        number("tcp.seq_raw", "tcp.seq").filter(|_| length > 0 || !letters.trim_matches('.').is_empty())
    {
        match length {
            0 => write!(text, ", seq {from}"),
            _ => write!(text, ", seq {from}:{}", from.wrapping_add(length)),
        }
        .unwrap_or_default();
    }
    if let Some(ack) = number("tcp.ack_raw", "tcp.ack").filter(|_| has_ack) {
        write!(text, ", ack {ack}").unwrap_or_default();
    }
    if let Some(window) = fields.number("tcp.window_size_value") {
        write!(text, ", win {window}").unwrap_or_default();
    }
    if fields.get("tcp.len").is_some() {
        write!(text, ", length {length}").unwrap_or_default();
    }
    if let Some(message) = dns(fields).filter(|_| length > 0) {
        write!(text, ": {message}").unwrap_or_default();
    }
    text
}

/// `4101+ A? www.example.com. (33)`, `4101 q: A? www.example.com. 1/0/0 A 203.0.113.80 (49)`.
fn dns(fields: &Fields) -> Option<String> {
    let id = fields.number("dns.id")?;
    let flags = dns_flags(fields)?;
    let question = question(fields);
    let length =
        carried_length(fields).or_else(|| fields.number("tcp.len").map(|length| length.saturating_sub(2)));
    let length = length.map_or(String::new(), |length| format!("({length})"));
    let mark = |bit: u32, mark: &'static str| if flags & bit == 0 { "" } else { mark };
    if flags & 0x8000 == 0 {
        let opcode = match flags >> 11 & 15 {
            4 => " notify",
            5 => " update",
            _ => "",
        };
        return Some(format!("{id}{}{}{opcode} {question}{length}", mark(0x0100, "+"), mark(0x0010, "%")));
    }
    let code = flags & 15;
    let word =
        RESPONSE_CODES.get(code as usize).map_or_else(|| format!("Resp{code}"), |word| (*word).to_owned());
    let space = if word.is_empty() { "" } else { " " };
    let marks = [mark(0x0400, "*"), if flags & 0x0080 == 0 { "-" } else { "" }, mark(0x0200, "|")].concat();
    let count = |name: &'static str| fields.number(name).unwrap_or(0);
    // Where the number is not told, there are as many as stand there.
    let listed =
        ["dns.a", "dns.aaaa", "dns.cname"].map(|name| fields.all(name).count()).iter().sum::<usize>();
    let answers = fields.number("dns.count.answers").unwrap_or(listed as u32);
    let (authorities, additional) = (count("dns.count.auth_rr"), count("dns.count.add_rr"));
    let mut records = String::new();
    let (mut four, mut six, mut names) =
        (fields.all("dns.a"), fields.all("dns.aaaa"), fields.all("dns.cname"));
    let mut kinds: Vec<String> = fields.all("dns.resp.type").take(answers as usize).map(told_kind).collect();
    if kinds.is_empty() {
        let of = |name: &'static str, kind: &str| vec![kind.to_owned(); fields.all(name).count()];
        kinds = [of("dns.cname", "CNAME"), of("dns.a", "A"), of("dns.aaaa", "AAAA")].concat();
    }
    for kind in kinds {
        let data = match kind.as_str() {
            "A" => four.next(),
            "AAAA" => six.next(),
            "CNAME" => names.next(),
            _ => None,
        };
        let comma = if records.is_empty() { "" } else { "," };
        let data = data.map(|data| format!(" {data}")).unwrap_or_default();
        write!(records, "{comma} {kind}{data}").unwrap_or_default();
    }
    let asked = if question.is_empty() { String::new() } else { format!("q: {question}") };
    Some(format!("{id}{space}{word}{marks} {asked}{answers}/{authorities}/{additional}{records} {length}"))
}

/// The flags of a DNS message, where whether recursion is asked for is told, or it is an answer.
fn dns_flags(fields: &Fields) -> Option<u32> {
    if let Some(flags) = fields.number("dns.flags") {
        return Some(flags);
    }
    let one = |name: &'static str| fields.number(name);
    let response = one("dns.flags.response").or_else(|| one("dns.flags.rcode").map(|_| 1))?;
    let asked = one("dns.flags.recdesired");
    if response == 0 && asked.is_none() {
        return None;
    }
    // That recursion is offered is not denied where it is not told.
    Some(
        response << 15
            | one("dns.flags.opcode").unwrap_or(0) << 11
            | one("dns.flags.authoritative").unwrap_or(0) << 10
            | one("dns.flags.truncated").unwrap_or(0) << 9
            | asked.unwrap_or(0) << 8
            | one("dns.flags.recavail").unwrap_or(1) << 7
            | one("dns.flags.rcode").unwrap_or(0),
    )
}

/// A record type as it is told, by number or by name.
fn told_kind(told: &str) -> String {
    number(told).map_or_else(|| told.to_owned(), kind_name)
}

/// The name of a record type; the number where it has none.
fn kind_name(kind: u32) -> String {
    named(TYPES, kind).map_or_else(|| format!("Type{kind}"), str::to_owned)
}

/// `A? www.example.com. `.
fn question(fields: &Fields) -> String {
    let Some(name) = fields.get("dns.qry.name") else { return String::new() };
    let kind = fields.get("dns.qry.type").map_or(String::new(), told_kind);
    if kind.is_empty() {
        return String::new();
    }
    let root = if name == "<Root>" { "" } else { name.trim_end_matches('.') };
    format!("{kind}? {root}. ")
}

/// An ICMP message in tcpdump's words, with the packet it quotes below it.
fn message(
    fields: &Fields,
    table: &[(u32, u32, &str)],
    begin: &str,
    quoted: Option<Header>,
) -> Option<String> {
    let six = begin == "ICMP6, ";
    let one = |four: &'static str, name: &'static str| fields.number(if six { name } else { four });
    let kind = one("icmp.type", "icmpv6.type")?;
    let code = one("icmp.code", "icmpv6.code");
    let echo = match (six, kind) {
        (false, 8) | (true, 128) => Some("echo request"),
        (false, 0) | (true, 129) => Some("echo reply"),
        _ => None,
    };
    if let Some(echo) = echo {
        let told =
            one("icmp.ident", "icmpv6.echo.identifier").zip(one("icmp.seq", "icmpv6.echo.sequence_number"));
        let told = told.map_or(String::new(), |(id, sequence)| format!(", id {id}, seq {sequence}"));
        return Some(format!("{begin}{echo}{told}, length {}", icmp_length(fields, quoted)));
    }
    let (_, _, words) =
        table.iter().find(|(known, of, _)| *known == kind && code.is_none_or(|code| code == *of))?;
    let receiver = quoted.and_then(|quoted| fields.ends(quoted)).map_or("", |(_, destination)| destination);
    let about = quoted.and_then(|quoted| protocol(fields, quoted));
    let port = match about {
        Some(6) => fields.get("tcp.dstport").map(|port| format!("tcp port {port}")),
        Some(17) => fields.get("udp.dstport").map(|port| format!("udp port {port}")),
        _ => None,
    };
    let size = one("icmp.mtu", "icmpv6.mtu")
        .map(|mtu| if six { format!(", mtu {mtu}") } else { format!(" (mtu {mtu})") });
    let mut text = begin.to_owned();
    for part in words.split_inclusive(['D', 'P', 'M', 'N']) {
        let (plain, mark) = part.split_at_checked(part.len() - 1).unwrap_or((part, ""));
        match mark {
            "D" => write!(text, "{plain}{receiver}"),
            "P" => write!(text, "{plain}{}", port.as_deref().unwrap_or("udp port 0")),
            "M" => write!(text, "{plain}{}", size.as_deref().unwrap_or("")),
            "N" => write!(text, "{plain}{}", about.unwrap_or(0)),
            _ => write!(text, "{part}"),
        }
        .unwrap_or_default();
    }
    write!(text, ", length {}", icmp_length(fields, quoted)).unwrap_or_default();
    if let Some(quoted) = quoted {
        let with_ports = matches!(about, Some(6 | 17));
        let (source, destination) = hosts(fields, quoted, with_ports)?;
        let name = if quoted.six { "IP6" } else { "IP" };
        let header = header(fields, quoted);
        write!(text, "\n\t{name} {header}{source} > {destination}: {}", carried(fields, about))
            .unwrap_or_default();
    }
    Some(text)
}

/// The length of an ICMP message: what stands behind the outer header.
fn icmp_length(fields: &Fields, quoted: Option<Header>) -> u32 {
    let headers = fields.headers();
    let own = headers.len().saturating_sub(1 + usize::from(quoted.is_some()));
    let length = headers.get(own).and_then(|own| {
        if own.six {
            fields.nth_number("ipv6.plen", own.at)
        } else {
            fields.nth_number("ip.len", own.at).map(|length| length.saturating_sub(20))
        }
    });
    length.unwrap_or(0)
}

fn arp(fields: &Fields) -> Option<String> {
    let (asker, target) = (fields.get("arp.src.proto_ipv4")?, fields.get("arp.dst.proto_ipv4")?);
    let time = fields.time();
    let ends = fields.get("arp.src.hw_mac").or(fields.get("eth.src"));
    let link = ends.zip(fields.get("eth.dst")).zip(fields.number("frame.len"));
    let link = link.map_or("ARP, ".to_owned(), |((source, destination), length)| {
        format!("{source} > {destination}, ethertype ARP (0x0806), length {length}: ")
    });
    let told = match (fields.number("arp.opcode"), fields.get("arp.src.hw_mac")) {
        (Some(2), Some(owner)) => format!("Reply {asker} is-at {owner}, length 28"),
        _ if asker == "0.0.0.0" => format!("Request who-has {target} tell 0.0.0.0, length 28"),
        _ => format!("Request who-has {target} tell {asker}, length 28"),
    };
    Some(format!("{time}{link}{told}"))
}

/// The row of a list, where it tells more than a line: an application's message, a DNS message of which the flags are not told, or
/// what the columns of a list say.
fn row(fields: &Fields, own: Option<Header>) -> Option<String> {
    let told = own.and_then(|own| fields.ends(own));
    let ends = told.or_else(|| fields.get("_ws.col.Source").zip(fields.get("_ws.col.Destination")))?;
    let number_of = own.and_then(|own| protocol(fields, own));
    let (protocol, info) = info(fields, number_of)?;
    let ports = [("tcp.srcport", "tcp.dstport"), ("udp.srcport", "udp.dstport")]
        .iter()
        .find_map(|(from, to)| fields.number(from).zip(fields.number(to)));
    let (from, to) =
        ports.map_or((String::new(), String::new()), |(from, to)| (format!(" {from}"), format!(" {to}")));
    let time = fields.time();
    let time = if time.is_empty() { return None } else { time };
    // No frame has 0 bytes: that is how a row without its length is written.
    let length = fields.number("frame.len").unwrap_or(0);
    let (source, destination) = ends;
    let is_told = [source, destination].iter().all(|end| !end.contains(char::is_whitespace));
    is_told.then(|| format!("{time}{source}{from} → {destination}{to} {protocol} {length} {info}"))
}

/// An alert as a list writes it. Where its level is not told, all are fatal but those that may be sent as a warning
/// (RFC 8446 §6, RFC 5246 §7.2.2, RFC 6066 §3).
fn alert(fields: &Fields) -> Option<String> {
    let first = |name: &'static str| fields.all(name).find_map(number);
    let (level, kind) = (first("tls.alert_message.level"), first("tls.alert_message.desc"));
    if level.or(kind).is_none() {
        let is_record = fields.all("tls.record.content_type").any(|kind| kind == "21");
        return is_record.then(|| "Alert".to_owned());
    }
    let may_warn = || kind.is_none_or(|kind| matches!(kind, 0 | 90 | 100 | 112));
    let is_fatal = level.map_or_else(|| !may_warn(), |level| level == 2);
    let level = if is_fatal { "Fatal" } else { "Warning" };
    let name = kind.map_or_else(|| "Unknown".to_owned(), |kind| kind.to_string());
    Some(format!("Alert (Level: {level}, Description: {name})"))
}

/// Protocol and text of a row.
fn info(fields: &Fields, carried: Option<u32>) -> Option<(String, String)> {
    let column = fields.get("_ws.col.Protocol").zip(fields.get("_ws.col.Info"));
    if let Some((protocol, info)) = column {
        return Some((protocol.to_owned(), info.to_owned()));
    }
    // What is told of a message belongs to the packet that an error quotes.
    if fields.is_error() {
        return None;
    }
    let told = |protocol: &str, info: String| Some((protocol.to_owned(), info));
    if let Some(method) = fields.get("http.request.method") {
        return told("HTTP", format!("{method} {} HTTP/1.1", fields.get("http.request.uri").unwrap_or("/")));
    }
    if let Some(code) = fields.get("http.response.code") {
        return told("HTTP", format!("HTTP/1.1 {code} {}", fields.get("http.response.phrase").unwrap_or("")));
    }
    if let Some(line) = fields.get("sip.Request-Line") {
        return told("SIP", format!("Request: {}", line.trim_end_matches(" SIP/2.0")));
    }
    if let Some(line) = fields.get("sip.Status-Line") {
        return told("SIP", format!("Status: {}", line.trim_start_matches("SIP/2.0 ")));
    }
    let hello = fields.number("tls.handshake.type").and_then(|kind| named(TLS_MESSAGES, kind));
    let record = || fields.number("tls.record.content_type").and_then(|kind| named(TLS_RECORDS, kind));
    let message = hello.or_else(record).filter(|message| *message != "Alert").map(str::to_owned);
    let messages: Vec<String> = message.into_iter().chain(alert(fields)).collect();
    if !messages.is_empty() {
        let message = messages.join(", ");
        let name = fields.get("tls.handshake.extensions_server_name");
        let name = name.map_or(String::new(), |name| format!(" (SNI={name})"));
        return told("TLSv1.2", format!("{message}{name}"));
    }
    let kind = fields.number("dhcp.option.dhcp").and_then(|kind| DHCP.get(kind as usize).copied());
    if let Some(kind) = kind.filter(|_| fields.get("dhcp.hw.mac_addr").is_none()) {
        let id = fields.get("dhcp.id").unwrap_or("0x0");
        return told("DHCP", format!("DHCP {kind} - Transaction ID {id}"));
    }
    if fields.get("dns.id").is_some() && dns_flags(fields).is_none() {
        let id = fields.number("dns.id").unwrap_or(0);
        let kind = fields.get("dns.qry.type").map_or(String::new(), |told| told_kind(told) + " ");
        let name = fields.get("dns.qry.name").map_or("", |name| if name.contains('.') { name } else { "" });
        let code = fields.number("dns.flags.rcode").unwrap_or(0) as usize;
        let is_response = fields.number("dns.flags.response") == Some(1);
        let response = if is_response { " response" } else { "" };
        let word = RESPONSE_WORDS.get(code).filter(|word| is_response && !word.is_empty());
        let word = word.map_or(String::new(), |word| format!(" {word}"));
        return told("DNS", format!("Standard query{response} 0x{id:04x}{word} {kind}{name}"));
    }
    // Of a segment without flags a line would deny them.
    let has_flags = fields.tcp_flags().or_else(|| fields.number("tcp.flags.syn")).is_some();
    if carried == Some(6) && !has_flags {
        let ports = fields.number("tcp.srcport").zip(fields.number("tcp.dstport"))?;
        return told("TCP", format!("{} → {}", ports.0, ports.1));
    }
    None
}
