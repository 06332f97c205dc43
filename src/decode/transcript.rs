//! Reads the text of one packet as tcpdump printed it. What the text does not say stays unknown.

use super::dns::{self, Name};
use super::{Address, Decoded, LayerKind, Transport};
use crate::capture::transcript::{Head, Network, Word, Words, group, head, is_arrow};

/// Words of one packet that are looked at.
const WORDS_MAX: usize = 512;

/// A host as printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// Address or name, without the port.
    pub text: &'a str,
    /// The address; [`Address::None`] where a name was printed.
    pub address: Address,
    /// The port, by number or by service name.
    pub port: Option<u16>,
    /// First byte of the text.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
}

/// What `-v` prints of an IP header between brackets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpHeader {
    /// TTL or hop limit.
    pub ttl: Option<u8>,
    /// IPv4 identification.
    pub id: Option<u16>,
    /// Protocol number.
    pub protocol: Option<u8>,
    /// Total length (IPv4) or 40 bytes and payload length (IPv6).
    pub length: Option<u32>,
}

/// A DNS message as printed (tcpdump's `print-domain.c`).
#[derive(Clone, Copy, Debug)]
pub struct Dns<'a> {
    /// The header as far as it is printed: id, QR, opcode, AA, TC, RD (`+`), CD (`%`), RA (absence of `-`), AD (`$`), RCODE, counts.
    /// RD of a response is not printed and stays 0.
    pub header: dns::Header,
    /// The name in the question, as printed; `None` where it is not printed (responses without `-vv`).
    pub name: Option<&'a str>,
    /// QTYPE, where a question is printed.
    pub qtype: Option<u16>,
    /// QCLASS, where a question is printed (IN is not printed and implied).
    pub qclass: Option<u16>,
    /// The message's length in bytes as printed: `(24)`.
    pub length_bytes: Option<u32>,
    /// Where the message's text stands.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// Where the name stands; empty without one.
    pub name_range: (u32, u32),
    /// Where the printed length stands; empty without one.
    pub length_range: (u32, u32),
}

/// An ICMP message as printed.
#[derive(Clone, Copy, Debug)]
pub struct Icmp<'a> {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// The destination of the packet it quotes.
    pub quoted: Option<Host<'a>>,
    /// IP protocol number of the quoted packet.
    pub quoted_protocol: Option<u8>,
    /// Its destination port.
    pub quoted_port: Option<u16>,
    /// The quoted packet itself, where `-v` printed it.
    pub quote: Option<Quoted<'a>>,
    /// The ICMP message's length in bytes as printed: `length 254`.
    pub length_bytes: Option<u32>,
    /// Where the message's text stands.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// Where the printed length stands; empty without one.
    pub length_range: (u32, u32),
}

/// A packet printed inside an ICMP error.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a> {
    /// Its IP header.
    pub ip: IpHeader,
    /// Its sender.
    pub source: Host<'a>,
    /// Its receiver.
    pub destination: Host<'a>,
    /// Its DNS message.
    pub dns: Option<Dns<'a>>,
}

/// One printed packet.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Its text.
    pub text: &'a str,
    /// Time stamp and network protocol.
    pub head: Head,
    /// The IP header, as far as printed.
    pub ip: IpHeader,
    /// Sender; ARP: who asks or answers.
    pub source: Option<Host<'a>>,
    /// Receiver; ARP: whose address is asked for.
    pub destination: Option<Host<'a>>,
    /// UDP, TCP or ICMP, as far as it can be told.
    pub transport: Transport,
    /// The DNS message, if it is one.
    pub dns: Option<Dns<'a>>,
    /// The ICMP message, if it is one.
    pub icmp: Option<Icmp<'a>>,
    /// Where the part after the addresses begins.
    pub body: u32,
}

impl<'a> Line<'a> {
    /// The part after the addresses, as printed (line breaks and all).
    pub fn body(&self) -> &'a str {
        self.text.get(self.body as usize..).unwrap_or("")
    }

    /// Protocol number of the transport; 0 where it cannot be told.
    pub fn protocol(&self) -> u8 {
        match self.transport {
            Transport::Udp { .. } => 17,
            Transport::Tcp { .. } => 6,
            Transport::Icmp { .. } => 1,
            Transport::Icmpv6 { .. } => 58,
            Transport::Other(number) => number,
            Transport::None => 0,
        }
    }
}

/// Reads one packet's text; `None` where it does not begin like a packet.
pub fn read(bytes: &[u8]) -> Option<Line<'_>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?,
    };
    let head = head(text.as_bytes())?;
    let mut words = Words::new(text.as_bytes(), head.body);
    let mut line = Line {
        text,
        head,
        ip: IpHeader::default(),
        source: None,
        destination: None,
        transport: Transport::None,
        dns: None,
        icmp: None,
        body: head.body as u32,
    };
    if head.network == Network::Arp {
        arp(&mut line, words);
        return Some(line);
    }
    let packet = datagram(&mut words)?;
    line.ip = packet.ip;
    line.source = Some(packet.source);
    line.destination = Some(packet.destination);
    line.body = packet.body as u32;
    payload(&mut line, words, head.network == Network::Ip6);
    Some(line)
}

/// Fills the headers a printed packet states.
pub(super) fn fill(decoded: &mut Decoded<'_>) {
    let Some(line) = read(decoded.bytes) else {
        decoded.stop(0, "printed packet", "the text does not begin with a time stamp and IP, IP6 or ARP");
        return;
    };
    decoded.push_layer(LayerKind::Transcript, 0, decoded.bytes.len());
    decoded.ether_type = match line.head.network {
        Network::Ip => 0x0800,
        Network::Ip6 => 0x86dd,
        Network::Arp => 0x0806,
    };
    decoded.source = line.source.map_or(Address::None, |host| host.address);
    decoded.destination = line.destination.map_or(Address::None, |host| host.address);
    decoded.ttl = line.ip.ttl.unwrap_or(0);
    decoded.ip_id = line.ip.id;
    decoded.ip_length = line.ip.length.unwrap_or(0);
    decoded.transport = line.transport;
    decoded.ip_protocol = line.protocol();
}

struct Datagram<'a> {
    ip: IpHeader,
    source: Host<'a>,
    destination: Host<'a>,
    body: usize,
}

/// Reads `[(…)] host > host:`; `203.0.113.2. domain:` with a blank before the service counts as one host.
fn datagram<'a>(words: &mut Words<'a>) -> Option<Datagram<'a>> {
    let ip = group(words).map_or_else(IpHeader::default, ip_header);
    let source = host(words.next()?, false)?;
    if !is_arrow(words.next()?.text) {
        return None;
    }
    let first = words.next()?;
    let mut destination = host(first, true)?;
    if first.text.ends_with('.') {
        let service = words.peek().filter(|word| word.text.ends_with(':'));
        if let Some((word, port)) =
            service.and_then(|word| Some((word, port(word.text.trim_end_matches(':'))?)))
        {
            words.next();
            destination.port = Some(port);
            destination.end = word.end as u32 - 1;
        }
    }
    Some(Datagram { ip, source, destination, body: words.peek().map_or(words.offset(), |word| word.start) })
}

/// Reads `tos 0x0, ttl 64, id 7735, offset 0, flags [DF], proto UDP (17), length 67` and its IPv6 form.
fn ip_header(inner: Word<'_>) -> IpHeader {
    let mut header = IpHeader::default();
    let mut words = inner.text.split_ascii_whitespace().map(|word| word.trim_end_matches(','));
    while let Some(word) = words.next() {
        match word {
            "ttl" | "hlim" => header.ttl = words.next().and_then(|n| n.parse().ok()),
            "id" => header.id = words.next().and_then(|n| n.parse().ok()),
            "length" => header.length = words.next().and_then(|n| n.parse().ok()),
            "length:" => header.length = words.next().and_then(|n| n.parse::<u32>().ok()).map(|n| n + 40),
            "proto" | "next-header" => {
                let number = words.find(|word| word.starts_with('('));
                header.protocol = number.and_then(|n| n.trim_matches(['(', ')']).parse().ok());
            }
            _ => {}
        }
    }
    header
}

/// Splits `192.0.2.1.53`, `2001:db8::1.53` or `ns.example.domain` into host and port.
fn host(word: Word<'_>, last: bool) -> Option<Host<'_>> {
    let text = if last { word.text.trim_end_matches(':') } else { word.text };
    let text = text.trim_end_matches(['.', ',', ';']);
    let whole = |text: &str| text.parse::<std::net::IpAddr>().map_or(Address::None, Address::from);
    let (host, port, address) = match (whole(text), text.rsplit_once('.')) {
        (Address::None, Some((front, back))) => match (whole(front), port(back)) {
            (Address::None, Some(port)) if front.contains('.') => (front, Some(port), Address::None),
            (Address::None, _) => (text, None, Address::None),
            (address, port) => (front, port, address),
        },
        (address, _) => (text, None, address),
    };
    (!host.is_empty()).then_some(Host {
        text: host,
        address,
        port,
        start: word.start as u32,
        end: (word.start + text.len()) as u32,
    })
}

/// A port by number or by the name tcpdump prints for it (from `/etc/services`).
fn port(text: &str) -> Option<u16> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    SERVICES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number)
}

const SERVICES: &[(&str, u16)] = &[
    ("domain", 53),
    ("domain-s", 853),
    ("mdns", 5353),
    ("llmnr", 5355),
    ("hostmon", 5355),
    ("http", 80),
    ("http-alt", 8080),
    ("webcache", 8080),
    ("https", 443),
    ("https-alt", 8443),
    ("bootps", 67),
    ("bootpc", 68),
    ("dhcpv6-client", 546),
    ("dhcpv6-server", 547),
    ("ntp", 123),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("submission", 587),
    ("ftp", 21),
    ("ftp-data", 20),
    ("tftp", 69),
    ("time", 37),
    ("whois", 43),
    ("nicname", 43),
    ("finger", 79),
    ("kerberos", 88),
    ("pop3", 110),
    ("pop3s", 995),
    ("sunrpc", 111),
    ("imap2", 143),
    ("imap", 143),
    ("imaps", 993),
    ("imap4-ssl", 993),
    ("snmp", 161),
    ("snmp-trap", 162),
    ("snmptrap", 162),
    ("bgp", 179),
    ("ldap", 389),
    ("ldaps", 636),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("microsoft-ds", 445),
    ("isakmp", 500),
    ("ipsec-nat-t", 4500),
    ("syslog", 514),
    ("shell", 514),
    ("ssdp", 1900),
    ("ms-sql-s", 1433),
    ("mysql", 3306),
    ("ms-wbt-server", 3389),
    ("postgresql", 5432),
    ("sip", 5060),
    ("nfs", 2049),
    ("openvpn", 1194),
    ("radius", 1812),
    ("x11", 6000),
    ("echo", 7),
    ("discard", 9),
    ("chargen", 19),
];

fn payload<'a>(line: &mut Line<'a>, words: Words<'a>, v6: bool) {
    let first = words.peek().map_or("", |word| word.text);
    match first {
        "ICMP" | "ICMP6," | "ICMP6" => {
            line.icmp = icmp(words, v6 || first != "ICMP");
            line.transport = match line.icmp {
                Some(Icmp { kind, code, .. }) if v6 => Transport::Icmpv6 { kind, code },
                Some(Icmp { kind, code, .. }) => Transport::Icmp { kind, code },
                None => Transport::Other(if v6 { 58 } else { 1 }),
            };
            return;
        }
        _ => {}
    }
    let ports = line.source.and_then(|host| host.port).zip(line.destination.and_then(|host| host.port));
    let Some((source_port, destination_port)) = ports else {
        line.transport = line.ip.protocol.map_or(Transport::None, Transport::Other);
        return;
    };
    let dns_port = |port: u16| matches!(port, 53 | 5353 | 5355);
    let carries_dns = dns_port(source_port) || dns_port(destination_port);
    if matches!(first, "Flags" | "tcp") || line.ip.protocol == Some(6) {
        line.transport = tcp(words, source_port, destination_port);
        if carries_dns {
            let mut after = words;
            while let Some(word) = after.next() {
                if word.text == "length" && after.next().is_some() {
                    line.dns = dns(after);
                }
            }
        }
    } else {
        line.transport = Transport::Udp { source_port, destination_port, length: 0 };
        if carries_dns {
            line.dns = dns(words);
        }
    }
}

/// Reads `Flags [S.], seq 1:5, ack 1, win 64240, …`; numbers that are not printed stay 0.
fn tcp(words: Words<'_>, source_port: u16, destination_port: u16) -> Transport {
    let (mut flags, mut sequence, mut acknowledgment, mut window) = (0, 0, 0, 0);
    let mut words = words.take(WORDS_MAX);
    while let Some(word) = words.next() {
        let number = |word: Option<Word<'_>>| {
            let text = word.map_or("", |word| word.text);
            text.split([':', ',']).next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0)
        };
        match word.text {
            "Flags" => {
                for letter in words.next().map_or("", |word| word.text).chars() {
                    flags |= match letter {
                        'F' => 1,
                        'S' => 2,
                        'R' => 4,
                        'P' => 8,
                        '.' => 16,
                        'U' => 32,
                        'E' => 64,
                        'W' => 128,
                        _ => 0,
                    };
                }
            }
            "seq" => sequence = number(words.next()),
            "ack" => acknowledgment = number(words.next()),
            "win" => window = number(words.next()) as u16,
            "length" => break,
            _ => {}
        }
    }
    Transport::Tcp { source_port, destination_port, sequence, acknowledgment, flags, window }
}

const RECORD_TYPES: &[(&str, u16)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("NULL", 10),
    ("WKS", 11),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("RP", 17),
    ("AFSDB", 18),
    ("SIG", 24),
    ("KEY", 25),
    ("AAAA", 28),
    ("LOC", 29),
    ("SRV", 33),
    ("NAPTR", 35),
    ("KX", 36),
    ("CERT", 37),
    ("A6", 38),
    ("DNAME", 39),
    ("OPT", 41),
    ("DS", 43),
    ("SSHFP", 44),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("TLSA", 52),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("SPF", 99),
    ("TKEY", 249),
    ("TSIG", 250),
    ("IXFR", 251),
    ("AXFR", 252),
    ("ANY", 255),
    ("URI", 256),
    ("CAA", 257),
];

/// A record type by name, as `TYPE65` or as tcpdump's `Type65`.
fn record_type(text: &str) -> Option<u16> {
    if let Some((_, number)) = RECORD_TYPES.iter().find(|(name, _)| *name == text) {
        return Some(*number);
    }
    text.strip_prefix("TYPE").or_else(|| text.strip_prefix("Type"))?.parse().ok()
}

fn class(text: &str) -> Option<u16> {
    match text {
        "IN" => Some(1),
        "CHAOS" | "CH" => Some(3),
        "HS" => Some(4),
        "ANY" => Some(255),
        _ => text.strip_prefix("CLASS").or_else(|| text.strip_prefix("Class"))?.parse().ok(),
    }
}

const OPCODES: &[(&str, u16)] = &[("inv_q", 1), ("stat", 2), ("op3", 3), ("notify", 4), ("update", 5)];

/// RCODEs as tcpdump prints them; `Resp12` and the like carry their number.
fn response_code(text: &str) -> Option<u16> {
    let known = match text {
        "FormErr" => 1,
        "ServFail" => 2,
        "NXDomain" => 3,
        "NotImp" => 4,
        "Refused" => 5,
        "YXDomain" => 6,
        "YXRRSet" => 7,
        "NXRRSet" => 8,
        "NotAuth" => 9,
        "NotZone" => 10,
        _ => return text.strip_prefix("Resp")?.parse().ok().filter(|code| *code < 16),
    };
    Some(known)
}

/// Reads a DNS message from its id on; `None` where the text is none.
fn dns(mut words: Words<'_>) -> Option<Dns<'_>> {
    while words.peek().is_some_and(|word| {
        word.text.starts_with('[') || matches!(word.text, "udp" | "sum" | "ok]" | "bad" | "no" | "cksum]")
    }) {
        words.next();
    }
    let first = words.next()?;
    let digits = first.text.bytes().take_while(u8::is_ascii_digit).count();
    let (id, marks) = first.text.split_at_checked(digits)?;
    let mut dns = Dns {
        header: dns::Header { id: id.parse().ok()?, ..dns::Header::default() },
        name: None,
        qtype: None,
        qclass: None,
        length_bytes: None,
        start: first.start as u32,
        end: first.end as u32,
        name_range: (0, 0),
        length_range: (0, 0),
    };
    let mut seen = Marks::default();
    seen.read(marks, &mut dns.header)?;
    let mut answered = false;
    let mut limit = WORDS_MAX;
    while let Some(word) = words.next().filter(|_| limit > 0) {
        limit -= 1;
        if let Some(length) = printed_length(word.text) {
            dns.length_bytes = Some(length);
            dns.length_range = (word.start as u32, word.end as u32);
            dns.end = word.end as u32;
            break;
        }
        dns.end = word.end as u32;
        if let Some((answers, authorities, additional)) = counts(word.text) {
            let questions = dns.header.counts.first().copied().unwrap_or(0);
            dns.header.counts = [questions, answers, authorities, additional];
            answered = true;
        } else if outcome(word.text, &mut dns.header, &mut seen) {
            // Opcode and response code stand between the id and the counts.
        } else if let Some((what, count)) = bracketed_count(word.text) {
            if let Some(slot) = dns.header.counts.get_mut(what) {
                *slot = count;
            }
        } else if dns.name.is_none() {
            question(word, &mut words, &mut dns);
        }
    }
    finish(&mut dns, answered, seen);
    (answered || dns.name.is_some() || dns.length_bytes.is_some()).then_some(dns)
}

/// Reads an opcode or response code with the marks behind it: `NXDomain*-`.
fn outcome(word: &str, header: &mut dns::Header, seen: &mut Marks) -> bool {
    let bare = word.trim_end_matches(['+', '-', '%', '*', '|', '$']);
    let flags = if let Some((_, opcode)) = OPCODES.iter().find(|(name, _)| *name == bare) {
        opcode << 11
    } else if let Some(code) = response_code(bare) {
        0x8000 | code
    } else {
        return false;
    };
    header.flags |= flags;
    seen.read(word.get(bare.len()..).unwrap_or(""), header).is_some()
}

/// Reads `A?` or `TXT CHAOS?` and the name after it.
fn question<'a>(word: Word<'a>, words: &mut Words<'a>, dns: &mut Dns<'a>) {
    let (kind, class_text) = if let Some(kind) = word.text.strip_suffix('?') {
        (record_type(kind), None)
    } else {
        let next = words
            .peek()
            .and_then(|next| next.text.strip_suffix('?'))
            .filter(|_| record_type(word.text).is_some());
        let Some(next) = next else { return };
        words.next();
        (record_type(word.text), Some(next))
    };
    let Some(kind) = kind else { return };
    // `A (QM)? name.`: multicast DNS says whether the answer may be multicast (RFC 6762 §5.4).
    let Some(name) = words.next() else { return };
    dns.qtype = Some(kind);
    dns.qclass = Some(class_text.map_or(1, |text| class(text).unwrap_or(1)));
    dns.name = Some(name.text);
    dns.name_range = (name.start as u32, name.end as u32);
    dns.end = name.end as u32;
}

/// Completes what the print implies: one question unless it says otherwise, QR by the kind of line.
fn finish(dns: &mut Dns<'_>, answered: bool, marks: Marks) {
    if answered {
        dns.header.flags |= 0x8000;
        if !marks.minus {
            dns.header.flags |= 0x0080;
        }
    }
    // tcpdump prints the number of questions only where it is not one.
    if let Some(questions) = dns.header.counts.first_mut()
        && *questions == 0
        && (dns.name.is_some() || answered)
    {
        *questions = 1;
    }
}

#[derive(Clone, Copy, Default)]
struct Marks {
    minus: bool,
}

impl Marks {
    fn read(&mut self, marks: &str, header: &mut dns::Header) -> Option<()> {
        for mark in marks.chars() {
            header.flags |= match mark {
                '+' => 0x0100,
                '%' => 0x0010,
                '*' => 0x0400,
                '|' => 0x0200,
                '$' => 0x0020,
                '-' => {
                    self.minus = true;
                    0
                }
                _ => return None,
            };
        }
        Some(())
    }
}

/// `1/0/2`: answers, authority records, additional records.
fn counts(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.trim_end_matches(',').splitn(3, '/').map(|part| part.parse::<u16>().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// `[2q]`, `[1a]`, `[1n]`, `[1au]`: which count, and its value.
fn bracketed_count(text: &str) -> Option<(usize, u16)> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    let (number, letters) = inner.split_at_checked(digits)?;
    let which = match letters {
        "q" => 0,
        "a" => 1,
        "n" => 2,
        "au" => 3,
        _ => return None,
    };
    Some((which, number.parse().ok()?))
}

/// `(24)`.
fn printed_length(text: &str) -> Option<u32> {
    text.strip_prefix('(')?.trim_end_matches([',', '.', '*']).strip_suffix(')')?.parse().ok()
}

/// Reads an ICMP message in the wordings of `print-icmp.c` and `print-icmp6.c`.
fn icmp(words: Words<'_>, v6: bool) -> Option<Icmp<'_>> {
    let start = words.peek()?.start;
    let mut icmp = Icmp {
        kind: 0,
        code: 0,
        quoted: None,
        quoted_protocol: None,
        quoted_port: None,
        quote: None,
        length_bytes: None,
        start: start as u32,
        end: start as u32,
        length_range: (0, 0),
    };
    let mut list = [""; 24];
    let mut used = 0;
    let mut cursor = words;
    cursor.next();
    while let Some(word) = cursor.next() {
        let plain = word.text.trim_end_matches([',', ':', ';']);
        icmp.end = word.end as u32;
        if plain == "length" {
            if let Some(number) = cursor.next() {
                icmp.length_bytes = number.text.trim_end_matches([',', '.', ':', '*']).parse().ok();
                icmp.length_range = (number.start as u32, number.end as u32);
                icmp.end = number.end as u32;
            }
            break;
        }
        let Some(slot) = list.get_mut(used) else { break };
        *slot = plain;
        used += 1;
        if icmp.quoted.is_none() && plain.parse::<std::net::IpAddr>().is_ok() {
            icmp.quoted = host(Word { text: plain, ..word }, false);
        }
    }
    let said = list.get(..used).unwrap_or_default();
    (icmp.kind, icmp.code) = if v6 { icmp6_type(said) } else { icmp4_type(said) }?;
    icmp.quote = quoted(cursor);
    transport_of_quote(said, &mut icmp);
    if let Some(quote) = icmp.quote {
        icmp.quoted = icmp.quoted.or(Some(quote.destination));
        icmp.quoted_port = icmp.quoted_port.or(quote.destination.port);
        icmp.quoted_protocol = icmp.quoted_protocol.or(quote.ip.protocol);
    }
    Some(icmp)
}

/// Finds `udp port 53`, `tcp port http`, `protocol 17 port 53` among the words.
fn transport_of_quote(said: &[&str], icmp: &mut Icmp<'_>) {
    for three in said.windows(3) {
        let [first, second, third] = three else { continue };
        match (*first, *second) {
            ("udp", "port") => (icmp.quoted_protocol, icmp.quoted_port) = (Some(17), port(third)),
            ("tcp", "port") => (icmp.quoted_protocol, icmp.quoted_port) = (Some(6), port(third)),
            ("protocol", number) => {
                icmp.quoted_protocol = number.parse().ok();
                let at = said.iter().position(|word| *word == "port");
                icmp.quoted_port = at.and_then(|at| port(said.get(at + 1)?));
            }
            _ => {}
        }
    }
}

/// Reads the packet `-v` prints under an ICMP error.
fn quoted(mut words: Words<'_>) -> Option<Quoted<'_>> {
    let word = words.next()?;
    if !matches!(word.text, "IP" | "IP6") {
        return None;
    }
    let packet = datagram(&mut words)?;
    let is_dns = packet.source.port == Some(53) || packet.destination.port == Some(53);
    Some(Quoted {
        ip: packet.ip,
        source: packet.source,
        destination: packet.destination,
        dns: if is_dns { dns(words) } else { None },
    })
}

fn has(said: &[&str], phrase: &[&str]) -> bool {
    said.windows(phrase.len()).any(|window| window == phrase)
}

/// Type and code of ICMP for IPv4 (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
fn icmp4_type(said: &[&str]) -> Option<(u8, u8)> {
    let unreachable = said.contains(&"unreachable");
    let of_net = said.first() == Some(&"net");
    let code = if !unreachable {
        return icmp4_other(said);
    } else if has(said, &["admin", "prohibited", "filter"]) {
        13
    } else if has(said, &["admin", "prohibited"]) {
        if of_net { 9 } else { 10 }
    } else if has(said, &["tos", "prohibited"]) {
        if of_net { 11 } else { 12 }
    } else if has(said, &["need", "to", "frag"]) {
        4
    } else if has(said, &["source", "route", "failed"]) {
        5
    } else if has(said, &["source", "host", "isolated"]) {
        8
    } else if has(said, &["precedence", "violation"]) {
        14
    } else if has(said, &["precedence", "cutoff"]) {
        15
    } else if said.contains(&"unknown") {
        if of_net { 6 } else { 7 }
    } else if said.contains(&"port") {
        3
    } else if said.contains(&"protocol") {
        2
    } else if of_net {
        0
    } else if said.first() == Some(&"host") {
        1
    } else {
        let number = said.first().and_then(|word| word.strip_prefix('#'));
        number.and_then(|number| number.parse().ok())?
    };
    Some((3, code))
}

fn icmp4_other(said: &[&str]) -> Option<(u8, u8)> {
    if has(said, &["echo", "request"]) {
        Some((8, 0))
    } else if has(said, &["echo", "reply"]) {
        Some((0, 0))
    } else if has(said, &["source", "quench"]) {
        Some((4, 0))
    } else if matches!(said.first(), Some(&("redirect" | "redirect-tos"))) {
        let tos = said.first() == Some(&"redirect-tos");
        let host = said.contains(&"host");
        Some((5, u8::from(tos) * 2 + u8::from(host)))
    } else if has(said, &["reassembly", "time", "exceeded"]) {
        Some((11, 1))
    } else if has(said, &["time", "exceeded"]) {
        Some((11, 0))
    } else if has(said, &["parameter", "problem"]) {
        Some((12, 0))
    } else if has(said, &["router", "advertisement"]) {
        Some((9, 0))
    } else if has(said, &["router", "solicitation"]) {
        Some((10, 0))
    } else if has(said, &["time", "stamp", "query"]) {
        Some((13, 0))
    } else if has(said, &["time", "stamp", "reply"]) {
        Some((14, 0))
    } else if has(said, &["address", "mask"]) {
        Some((if said.contains(&"request") { 17 } else { 18 }, 0))
    } else {
        None
    }
}

/// Type and code of ICMPv6 (RFC 4443, RFC 4861).
fn icmp6_type(said: &[&str]) -> Option<(u8, u8)> {
    if has(said, &["destination", "unreachable"]) {
        let code = if has(said, &["unreachable", "route"]) {
            0
        } else if has(said, &["unreachable", "prohibited"]) {
            1
        } else if has(said, &["beyond", "scope"]) {
            2
        } else if has(said, &["unreachable", "address"]) {
            3
        } else if has(said, &["unreachable", "port"]) {
            4
        } else {
            let number = said.iter().find_map(|word| word.strip_prefix('(')?.strip_suffix(')'));
            number.and_then(|number| number.parse().ok())?
        };
        return Some((1, code));
    }
    let table: &[(&[&str], (u8, u8))] = &[
        (&["packet", "too", "big"], (2, 0)),
        (&["time", "exceeded", "in-reassembly"], (3, 1)),
        (&["time", "exceeded"], (3, 0)),
        (&["parameter", "problem"], (4, 0)),
        (&["echo", "request"], (128, 0)),
        (&["echo", "reply"], (129, 0)),
        (&["multicast", "listener", "query"], (130, 0)),
        (&["multicast", "listener", "report", "v2"], (143, 0)),
        (&["multicast", "listener", "report"], (131, 0)),
        (&["multicast", "listener", "done"], (132, 0)),
        (&["router", "solicitation"], (133, 0)),
        (&["router", "advertisement"], (134, 0)),
        (&["neighbor", "solicitation"], (135, 0)),
        (&["neighbor", "advertisement"], (136, 0)),
        (&["redirect"], (137, 0)),
    ];
    table.iter().find(|(phrase, _)| has(said, phrase)).map(|(_, kind)| *kind)
}

/// Reads `Request who-has X tell Y` and `Reply X is-at MAC` (RFC 826).
fn arp<'a>(line: &mut Line<'a>, words: Words<'a>) {
    line.body = words.peek().map_or(words.offset(), |word| word.start) as u32;
    let mut words = words.take(WORDS_MAX).peekable();
    let mut before = "";
    while let Some(word) = words.next() {
        let plain = Word { text: word.text.trim_end_matches(','), ..word };
        match before {
            "who-has" => line.destination = host(plain, false),
            "tell" => line.source = host(plain, false),
            _ if words.peek().is_some_and(|next| next.text == "is-at") => line.source = host(plain, false),
            _ => {}
        }
        // `who-has X (00:00:5e:00:53:01) tell Y` names the link address asked.
        before = plain.text;
    }
}

/// A printed name in wire form, as far as it can be one; tcpdump prints names without escapes.
pub fn wire_name(text: &str) -> Name {
    let mut wire = [0u8; dns::NAME_MAX_BYTES];
    let mut at = 0;
    for label in text.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        let length = label.len();
        // One byte is kept for the root label.
        let Some(slot) = wire.get_mut(at..at + 1 + length).filter(|_| length < 64 && at + length + 2 <= 255)
        else {
            return Name::EMPTY;
        };
        if let Some((first, rest)) = slot.split_first_mut() {
            *first = length as u8;
            rest.copy_from_slice(label.as_bytes());
        }
        at += 1 + length;
    }
    dns::read_name(wire.get(..=at).unwrap_or_default(), 0).map_or(Name::EMPTY, |(name, _)| name)
}
