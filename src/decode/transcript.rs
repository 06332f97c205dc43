//! Reads the text of one packet as tcpdump printed it. What the text does not say stays unknown.

mod dns;
mod fragment;
mod icmp;
mod list;
mod segment;
pub mod services;
mod snoop;
mod tunnel;
mod verdict;

use super::dns::{NAME_MAX_BYTES, Name, read_name};
use super::{Address, Decoded, Fragment, LayerKind, Site, Transport};
use crate::capture::transcript::{Head, Network, Word, Words, head, header_group, is_arrow};
use crate::settings::Settings;
pub use dns::Dns;
pub use icmp::{CODE_NOT_PRINTED, Icmp, Quoted};
use services::port;
pub use verdict::Verdict;

/// Words of one packet that are looked at.
const WORDS_MAX: usize = 512;
/// Extension headers, which `-v` names in place of what follows them: hop-by-hop options, routing, fragment, destination options.
const EXTENSIONS: [u8; 4] = [0, 43, 44, 60];
/// An IPv4 header without options.
const IPV4_HEADER_BYTES: u32 = 20;

/// A host as printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// Address or name, without the port.
    pub text: &'a str,
    /// The address, or the name.
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
    /// Which piece of a fragmented packet it is, and how many bytes of that packet it carries.
    pub piece: Option<(Fragment, u32)>,
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
    /// Ends of the tunnel it was printed in, the outermost.
    pub outer: Option<(Address, Address)>,
    /// UDP, TCP or ICMP, as far as it can be told.
    pub transport: Transport,
    /// The DNS message, if it is one.
    pub dns: Option<Dns<'a>>,
    /// The ICMP message, if it is one.
    pub icmp: Option<Icmp<'a>>,
    /// Where the part after the addresses begins.
    pub body: u32,
    /// The protocol as a list's column names it; empty elsewhere.
    pub column: &'a str,
}

impl<'a> Line<'a> {
    /// The part after the addresses, as printed (line breaks and all).
    pub fn body(&self) -> &'a str {
        self.text.get(self.body as usize..).unwrap_or("")
    }

    /// What is told of it: of a row of a list the last column, else the part after the addresses.
    pub fn told(&self) -> &'a str {
        if self.column.is_empty() {
            self.body()
        } else {
            list::first_line(self.text, self.body as usize).text
        }
    }

    /// Interface and direction as `-i any` and sniffers print them before the protocol: `veth4 P`, `eth0 Out`, `port3 in`.
    pub fn place(&self) -> Option<(&'a str, &'a str)> {
        let before = self.text.get(..self.head.body)?;
        let mut words = before.split_ascii_whitespace().peekable();
        while let Some(word) = words.next() {
            let is_direction = |next: &&&str| matches!(**next, "In" | "Out" | "in" | "out" | "B" | "M" | "P");
            if let Some(direction) = words.peek().filter(is_direction) {
                return Some((word, direction));
            }
        }
        None
    }

    /// Takes its private addresses for those of a site.
    pub fn take_for(&mut self, site: Site) {
        if site == Site::NONE {
            return;
        }
        let icmp = self.icmp.as_mut();
        let (quoted, quote) = icmp.map_or((None, None), |icmp| (icmp.quoted.as_mut(), icmp.quote.as_mut()));
        let quote = quote.into_iter().flat_map(|quote| [&mut quote.source, &mut quote.destination]);
        for host in self.source.iter_mut().chain(&mut self.destination).chain(quoted).chain(quote) {
            host.address = host.address.at(site);
        }
        self.outer = self.outer.map(|(source, destination)| (source.at(site), destination.at(site)));
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

/// What `-vv` prints of the checksum of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpSum {
    /// `[udp sum ok]`.
    Right,
    /// `[bad udp cksum 0x8274 -> 0x871c!]`: what stands in the packet.
    Wrong(u16),
}

impl Line<'_> {
    /// What the line says of its checksum; up to version 4.0 `[bad udp cksum 8274!]`.
    pub fn udp_sum(&self) -> Option<UdpSum> {
        let (mark, _) = self.body().strip_prefix('[')?.split_once(']')?;
        if mark == "udp sum ok" {
            return Some(UdpSum::Right);
        }
        let number = mark.strip_prefix("bad udp cksum ")?.split([' ', '!']).next()?;
        u16::from_str_radix(number.strip_prefix("0x").unwrap_or(number), 16).ok().map(UdpSum::Wrong)
    }
}

/// Reads one packet's text; `None` where it does not begin like a packet.
pub fn read<'a>(bytes: &'a [u8], settings: &Settings) -> Option<Line<'a>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?,
    };
    let Some(head) = head(text.as_bytes()) else { return list::read(text, settings) };
    let mut words = Words::new(text.as_bytes(), head.body);
    let mut line = Line {
        text,
        head,
        ip: IpHeader::default(),
        source: None,
        destination: None,
        outer: None,
        transport: Transport::None,
        dns: None,
        icmp: None,
        body: head.body as u32,
        column: "",
    };
    if head.network == Network::Arp {
        arp(&mut line, words);
        return Some(line);
    }
    let mut packet = datagram(&mut words, line.head.network == Network::Ip6)?;
    // What is judged of a tunnel's packet is the one inside, as in a capture.
    while let Some((inside, network)) = tunnel::inner(words) {
        if network == Network::Arp {
            line.outer = line.outer.or(Some((packet.source.address, packet.destination.address)));
            line.head.network = network;
            arp(&mut line, inside);
            return Some(line);
        }
        let mut inside = inside;
        let Some(inner) = datagram(&mut inside, network == Network::Ip6) else { break };
        line.outer = line.outer.or(Some((packet.source.address, packet.destination.address)));
        (packet, words, line.head.network) = (inner, inside, network);
    }
    line.ip = packet.ip;
    line.source = Some(packet.source);
    line.destination = Some(packet.destination);
    line.body = packet.body as u32;
    let v6 = line.head.network == Network::Ip6;
    payload(&mut line, words, v6, settings);
    Some(line)
}

/// Fills the headers a printed packet states; which ports are DNS makes no difference to them.
pub(super) fn fill(decoded: &mut Decoded<'_>) {
    let line = read(decoded.bytes, &Settings::default());
    fill_from(decoded, line.as_ref());
}

/// The headers of a packet whose line was read.
pub fn decoded<'a>(bytes: &'a [u8], line: Option<&Line<'a>>) -> Decoded<'a> {
    let mut decoded = Decoded::empty(bytes);
    fill_from(&mut decoded, line);
    decoded
}

fn fill_from(decoded: &mut Decoded<'_>, line: Option<&Line<'_>>) {
    let Some(line) = line else {
        decoded.stop(0, "printed packet", "the text does not begin with a time stamp and IP, IP6 or ARP");
        return;
    };
    decoded.push_layer(LayerKind::Transcript, 0, decoded.bytes.len());
    for vlan in line.head.link.vlans.into_iter().filter(|vlan| *vlan != 0) {
        decoded.push_vlan(vlan);
    }
    decoded.link_addresses = line.head.link.source.zip(line.head.link.destination);
    decoded.ether_type = match line.head.network {
        Network::Ip => 0x0800,
        Network::Ip6 => 0x86dd,
        Network::Arp => 0x0806,
    };
    decoded.source = line.source.map_or(Address::None, |host| host.address);
    decoded.destination = line.destination.map_or(Address::None, |host| host.address);
    decoded.outer = line.outer;
    decoded.ttl = line.ip.ttl.unwrap_or(0);
    decoded.ip_id = line.ip.id;
    decoded.ip_length = line.ip.length.unwrap_or(0);
    decoded.fragment = line.ip.piece.map(|(fragment, _)| fragment);
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
fn datagram<'a>(words: &mut Words<'a>, v6: bool) -> Option<Datagram<'a>> {
    let ip = header_group(words).map_or_else(IpHeader::default, ip_header);
    let from = words.next()?;
    if !is_arrow(words.arrow()?.text) {
        return None;
    }
    let to = words.next()?;
    let service = words.peek().filter(|word| to.text.ends_with('.') && word.text.ends_with(':'));
    let service =
        service.and_then(|word| Some((word.end as u32 - 1, port(word.text.trim_end_matches(':'))?)));
    if service.is_some() {
        words.next();
    }
    let ports = Ports::before(*words);
    let source = host(from, v6, ports)?;
    // An address may end with two colons of its own: `2001:db8:::`.
    let to = Word { text: to.text.strip_suffix(':').unwrap_or(to.text), ..to };
    let mut destination = host(to, v6, if service.is_some() { Ports::None } else { ports })?;
    if let Some((end, port)) = service {
        (destination.port, destination.end) = (Some(port), end);
    }
    Some(Datagram { ip, source, destination, body: words.peek().map_or(words.offset(), |word| word.start) })
}

/// Whether hosts are printed with a port behind them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// Never: ICMP, fragments, ARP.
    None,
    /// Where the last part is one.
    Known,
    /// Always, even if nobody knows what port its name stands for.
    Always,
}

impl Ports {
    /// By the first words of what the packet carries.
    fn before(mut words: Words<'_>) -> Self {
        let whole = words;
        let first = words.next().map_or("", |word| word.text);
        let next = words.next().map_or("", |word| word.text);
        match first {
            "ICMP" | "ICMP6," | "ICMP6" | "icmp:" | "icmp6:" | "[icmp6" | "HBH" | "DSTOPT" | "srcrt" => {
                Self::None
            }
            "Flags" => Self::Always,
            _ if segment::is_old(whole) || segment::is_plain(whole) => Self::Always,
            // What follows a first fragment is printed without ports; `-q` prints `tcp 0` and `UDP, length 4`.
            "udp" | "tcp" | "sctp" if next.is_empty() => Self::None,
            "udp" | "tcp" | "sctp" | "UDP," | "UDP" => Self::Known,
            _ if named_protocol(first).is_some() => Self::None,
            _ => Self::Known,
        }
    }
}

/// Reads `tos 0x0, ttl 64, id 7735, offset 0, flags [DF], proto UDP (17), length 67` and its IPv6 form.
fn ip_header(inner: Word<'_>) -> IpHeader {
    let mut header = IpHeader::default();
    let mut words = inner.text.split_ascii_whitespace().map(|word| word.trim_end_matches(','));
    let (mut offset_bytes, mut more) = (0, false);
    while let Some(word) = words.next() {
        match word {
            "offset" => offset_bytes = words.next().and_then(|n| n.parse().ok()).unwrap_or(0),
            // `[+]` and `[+, DF]`.
            "flags" => more = words.next().is_some_and(|flags| flags.starts_with("[+")),
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
    if let Some(id) = header.id.filter(|_| more || offset_bytes > 0) {
        let bytes = header.length.unwrap_or(0).saturating_sub(IPV4_HEADER_BYTES);
        header.piece = Some((Fragment { id: u32::from(id), offset_bytes, more }, bytes));
    }
    header
}

/// Splits `192.0.2.1.53`, `2001:db8::1.53` or `resolver1.domain` into host and port.
fn host(word: Word<'_>, v6: bool, ports: Ports) -> Option<Host<'_>> {
    let text = word.text.trim_end_matches(['.', ',', ';']);
    let (host, port, address) = numbered(text).unwrap_or_else(|| {
        let (host, port) = split(text, ports);
        (host, port, Address::printed(host, v6))
    });
    (address != Address::None).then_some(Host {
        text: host,
        address,
        port,
        start: word.start as u32,
        end: (word.start + text.len()) as u32,
    })
}

/// Splits what most hosts are, an IPv4 address with or without the number of a port.
fn numbered(text: &str) -> Option<(&str, Option<u16>, Address)> {
    let mut octets = [0u8; 4];
    let mut rest = text;
    for (at, slot) in octets.iter_mut().enumerate() {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = rest.get(..length).filter(|digits| *digits == "0" || !digits.starts_with('0'))?;
        *slot = digits.parse().ok()?;
        rest = rest.get(length..)?;
        if at < 3 {
            rest = rest.strip_prefix('.')?;
        }
    }
    let address = Address::V4(octets.into());
    if rest.is_empty() {
        return Some((text, None, address));
    }
    let port = rest.strip_prefix('.').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((text.get(..text.len() - rest.len())?, port.parse().ok(), address))
}

fn split(text: &str, ports: Ports) -> (&str, Option<u16>) {
    let is_number = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
    let Some((front, back)) = text.rsplit_once('.').filter(|(front, _)| !front.is_empty()) else {
        return (text, None);
    };
    match port(back) {
        _ if is_number(text) => (text, None),
        port if is_number(front) => (front, port),
        _ if ports == Ports::None => (text, None),
        Some(port) => (front, Some(port)),
        None if ports == Ports::Always => (front, None),
        None => (text, None),
    }
}

fn payload<'a>(line: &mut Line<'a>, mut words: Words<'a>, v6: bool, settings: &Settings) {
    if v6 {
        // `[icmp6 sum ok]` stands before the message; what UDP prints there belongs to its own reader.
        let mut ahead = words;
        // `HBH (rtalert: 0x0000) (padn) ICMP6, …`: extension headers.
        if ahead.peek().is_some_and(|word| matches!(word.text, "HBH" | "DSTOPT" | "srcrt")) {
            ahead.next();
            while crate::capture::transcript::group(&mut ahead).is_some() {}
            words = ahead;
        }
        if ahead.next().is_some_and(|word| word.text == "[icmp6" || word.text == "[bad") {
            while ahead.next().is_some_and(|word| !word.text.ends_with(']')) {}
            if ahead.peek().is_some_and(|word| word.text.starts_with("ICMP6")) {
                words = ahead;
            }
        }
    }
    fragment::read(line, &mut words);
    let first = words.peek().map_or("", |word| word.text);
    // In small letters up to version 3.9, and in OpenBSD's.
    if matches!(first, "ICMP" | "ICMP6," | "ICMP6" | "icmp:" | "icmp6:") {
        line.icmp = icmp::read(words, v6 || !matches!(first, "ICMP" | "icmp:"), settings);
        line.transport = match line.icmp {
            Some(Icmp { kind, code, .. }) if v6 => Transport::Icmpv6 { kind, code },
            Some(Icmp { kind, code, .. }) => Transport::Icmp { kind, code },
            None => Transport::Other(if v6 { 58 } else { 1 }),
        };
        return;
    }
    let ports = line.source.and_then(|host| host.port).zip(line.destination.and_then(|host| host.port));
    let Some((source_port, destination_port)) = ports else {
        let protocol = line.ip.protocol.or_else(|| named_protocol(first));
        line.transport = protocol.map_or(Transport::None, Transport::Other);
        return;
    };
    // SCTP and DCCP have ports too.
    let named = line.ip.protocol.filter(|number| !EXTENSIONS.contains(number));
    if let Some(other) = named.or_else(|| named_protocol(first)).filter(|number| !matches!(number, 6 | 17)) {
        line.transport = Transport::Other(other);
        return;
    }
    let carries_dns =
        [source_port, destination_port].into_iter().any(|port| settings.is_name_service_port(port));
    if segment::begins(words) || line.ip.protocol == Some(6) {
        line.transport = segment::read(words, source_port, destination_port);
        if carries_dns {
            line.dns = segment::message(line.text, words);
        }
    } else {
        line.transport = Transport::Udp { source_port, destination_port, length: 0 };
        if carries_dns {
            line.dns = dns::read(words);
        }
    }
}

/// The protocol of a later fragment, or of one tcpdump does not read: `ip-proto-17`, `udp`, `igmp`.
fn named_protocol(word: &str) -> Option<u8> {
    if let Some(number) = word.strip_prefix("ip-proto-") {
        return number.trim_end_matches([':', ',']).parse().ok();
    }
    // `ESP(spi=0xc48993b8,seq=0x41),`
    Some(match word.split(['(', ':', ',']).next().unwrap_or("") {
        "icmp" => 1,
        "igmp" => 2,
        "tcp" => 6,
        "udp" | "UDP" => 17,
        "GREv0" | "GREv1" | "gre" => 47,
        "ESP" | "esp" => 50,
        "AH" | "ah" => 51,
        "ipv6-icmp" => 58,
        "OSPFv2" | "OSPFv3" | "ospf" => 89,
        "sctp" => 132,
        "DCCP" => 33,
        _ => return None,
    })
}

/// A host of a list, whose ports stand elsewhere.
fn plain_host(word: Word<'_>, v6: bool) -> Option<Host<'_>> {
    let is_link = word.text.split(':').count() == 6
        && word
            .text
            .split(':')
            .all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let address = if is_link { Address::None } else { Address::printed(word.text, v6) };
    let (start, end) = (word.start as u32, word.end as u32);
    (!word.text.is_empty()).then_some(Host { text: word.text, address, port: None, start, end })
}

/// Reads `Request who-has X tell Y` and `Reply X is-at MAC` (RFC 826).
fn arp<'a>(line: &mut Line<'a>, words: Words<'a>) {
    line.body = words.peek().map_or(words.offset(), |word| word.start) as u32;
    let mut words = words.take(WORDS_MAX).peekable();
    let mut before = "";
    while let Some(word) = words.next() {
        let plain = Word { text: word.text.trim_end_matches(','), ..word };
        match before {
            "who-has" => line.destination = host(plain, false, Ports::None),
            "tell" => line.source = host(plain, false, Ports::None),
            _ if words.peek().is_some_and(|next| next.text == "is-at") => {
                line.source = host(plain, false, Ports::None);
            }
            _ => {}
        }
        // `who-has X (00:00:5e:00:53:01) tell Y` names the link address asked.
        before = plain.text;
    }
}

/// A printed name in wire form, as far as it can be one; tcpdump prints names without escapes.
pub fn wire_name(text: &str) -> Name {
    let mut wire = [0u8; NAME_MAX_BYTES];
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
    read_name(wire.get(..=at).unwrap_or_default(), 0).map_or(Name::EMPTY, |(name, _)| name)
}
