//! The PROTOCOLS table: for each protocol its ports, its fields (which are filter names and detail rows),
//! and its one-line summary. A new protocol is one file here and one line in the table.

/// Declares fields as statics and lists them in `FIELDS`.
macro_rules! fields {
    ($($id:ident $name:literal $kind:ident $help:literal;)*) => {
        $(#[doc = concat!("`", $name, "`: ", $help, ".")]
        pub static $id: $crate::protocols::Field =
            $crate::protocols::Field { name: $name, kind: $crate::protocols::Kind::$kind, help: $help };)*
        /// All fields of this protocol.
        pub static FIELDS: &[&$crate::protocols::Field] = &[$(&$id),*];
    };
}

pub mod arp;
pub mod dhcp;
pub mod dns;
pub mod ethernet;
pub mod fragment;
pub mod frame;
pub mod http;
pub mod icmp;
pub mod ip;
pub mod ipv6;
pub mod labels;
pub mod ntp;
pub mod other;
pub mod sll;
pub mod tcp;
pub mod tls;
pub mod transcript;
pub mod udp;

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::decode::{Address, Decoded, LayerKind, Transport};
use crate::settings::Settings;

/// How a packet is recognised as belonging to a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Either UDP port.
    UdpPort(u16),
    /// Either TCP port.
    TcpPort(u16),
    /// The IP protocol number.
    IpProtocol(u8),
    /// The Ethernet type.
    EtherType(u16),
}

/// The type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A link or IP address.
    Address,
    /// A whole number.
    Number,
    /// A domain name, compared without case and final dot.
    Name,
    /// Text.
    Text,
    /// True or false.
    Bool,
    /// Raw bytes.
    Bytes,
    /// A span of time in nanoseconds.
    Duration,
    /// A moment in nanoseconds.
    Time,
}

/// One field of a protocol: a filter name and a row of the detail tree.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The filter name (`dns.qry.name`), Wireshark's where it has one.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// What it is, in one line.
    pub help: &'static str,
}

/// A field's value in one packet.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A heading without a value of its own.
    None,
    /// Number, duration or time.
    Number(i64),
    /// True or false.
    Bool(bool),
    /// Text or name, not yet escaped.
    Text(String),
    /// An address.
    Address(Address),
    /// The bytes at the node's range.
    Bytes(Vec<u8>),
}

/// One row of the detail tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// 0 for a protocol's heading, 1 for its fields, and so on.
    pub depth: u8,
    /// The field, where the row is one.
    pub field: Option<&'static Field>,
    /// What the row says, escaped and ready to show.
    pub text: String,
    /// The value filters compare with.
    pub value: Value,
    /// First byte in the frame (or in the reassembled message) the row was read from.
    pub start: u32,
    /// One past the last byte; equal to `start` for rows that come from no byte.
    pub end: u32,
    /// Whether the row belongs to a packet quoted inside an ICMP error.
    pub quoted: bool,
    /// Whether the range counts in reassembled bytes ([`Tree::assembled`]) and not in the frame.
    pub assembled: bool,
}

/// The detail rows of one packet, in reading order.
#[derive(Debug, Default)]
pub struct Tree {
    /// The rows.
    pub nodes: Vec<Node>,
    /// Values filters find although no row of their own shows them (`ip.addr`, `udp.port`).
    pub hidden: Vec<Node>,
    /// The reassembled bytes rows marked `assembled` point into.
    pub assembled: Vec<u8>,
    quoted: bool,
    in_assembled: bool,
    depth: u8,
}

impl Tree {
    /// Adds a heading and makes the rows that follow its children until [`Tree::leave`].
    pub fn enter(&mut self, text: String, start: usize, end: usize) {
        self.push(None, text, Value::None, start..end);
        self.depth += 1;
    }

    /// Ends the innermost heading.
    pub fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Adds a row.
    pub fn push(
        &mut self,
        field: Option<&'static Field>,
        text: String,
        value: Value,
        range: std::ops::Range<usize>,
    ) {
        let node = self.node(field, text, value, range);
        self.nodes.push(node);
    }

    fn node(
        &self,
        field: Option<&'static Field>,
        text: String,
        value: Value,
        range: std::ops::Range<usize>,
    ) -> Node {
        Node {
            depth: self.depth,
            field,
            text,
            value,
            start: range.start as u32,
            end: range.end as u32,
            quoted: self.quoted,
            assembled: self.in_assembled,
        }
    }

    /// Adds a value of a field that no row of its own shows.
    pub fn also(&mut self, field: &'static Field, value: Value, range: std::ops::Range<usize>) {
        let node = self.node(Some(field), String::new(), value, range);
        self.hidden.push(node);
    }

    /// Every value of a field, shown or hidden; those of quoted packets are marked.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &Node> {
        let all = self.nodes.iter().chain(&self.hidden);
        all.filter(move |node| node.field.is_some_and(|field| field.name == name))
    }

    /// Adds a true-or-false field as `label: yes`.
    pub fn flag(
        &mut self,
        field: &'static Field,
        label: &str,
        value: impl Into<bool>,
        range: std::ops::Range<usize>,
    ) {
        let value = value.into();
        let word = if value { "yes" } else { "no" };
        self.push(Some(field), format!("{label}: {word}"), Value::Bool(value), range);
    }

    /// Adds an address field as `label: address`.
    pub fn address(
        &mut self,
        field: &'static Field,
        label: &str,
        value: Address,
        range: std::ops::Range<usize>,
    ) {
        self.push(Some(field), format!("{label}: {value}"), Value::Address(value), range);
    }

    /// Adds a text field as `label: text`, escaped.
    pub fn text(&mut self, field: &'static Field, label: &str, value: String, range: std::ops::Range<usize>) {
        let shown = crate::text::escape(&value);
        self.push(Some(field), format!("{label}: {shown}"), Value::Text(value), range);
    }

    /// Rows added inside `body` point into these reassembled bytes.
    pub fn in_assembled(&mut self, bytes: &[u8], body: impl FnOnce(&mut Self, usize)) {
        let base = self.assembled.len();
        self.assembled.extend_from_slice(bytes);
        let before = std::mem::replace(&mut self.in_assembled, true);
        body(self, base);
        self.in_assembled = before;
    }

    /// Adds a number field as `label: value`.
    pub fn number(&mut self, field: &'static Field, label: &str, value: i64, range: std::ops::Range<usize>) {
        self.push(Some(field), format!("{label}: {value}"), Value::Number(value), range);
    }

    /// Marks rows added inside `body` as belonging to a quoted packet.
    pub fn quoted(&mut self, body: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.quoted, true);
        body(self);
        self.quoted = before;
    }
}

/// What a protocol sees of a packet.
pub struct Frame<'a, 'd> {
    /// The decoded headers.
    pub decoded: &'d Decoded<'a>,
    /// The DNS message this packet completes, where it does not simply stand in its payload: sent over TCP, or in
    /// IP fragments.
    pub assembled: Option<&'d [u8]>,
    /// The IP packet this fragment completes.
    pub datagram: Option<&'d Decoded<'d>>,
    /// What the user says about the capture.
    pub settings: &'d Settings,
}

/// One protocol.
pub struct Protocol {
    /// The filter word (`dns`).
    pub name: &'static str,
    /// The word in the timeline's protocol column (`DNS`).
    pub label: &'static str,
    /// The full name.
    pub title: &'static str,
    /// How packets are recognised; the first match in table order wins, ports before IP protocols.
    pub claims: &'static [Claim],
    /// Its fields.
    pub fields: &'static [&'static Field],
    /// Adds its rows to the tree.
    pub dissect: fn(&Frame<'_, '_>, &mut Tree),
    /// Writes its one-line summary; captured text is escaped.
    pub summary: fn(&Frame<'_, '_>, &mut String),
}

/// Position in [`PROTOCOLS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProtocolId(pub u8);

/// All protocols. The order decides between claims.
pub static PROTOCOLS: &[&Protocol] = &[
    &other::UNKNOWN,
    &dns::DNS,
    &dns::MDNS,
    &dns::LLMNR,
    &icmp::ICMP,
    &icmp::ICMPV6,
    &arp::ARP,
    &fragment::FRAGMENT,
    &tcp::TCP,
    &udp::UDP,
    &tls::TLS,
    &http::HTTP,
    &dhcp::DHCP,
    &ntp::NTP,
    &labels::QUIC,
    &labels::DNS_OVER_TLS,
    &labels::DNS_OVER_QUIC,
    &labels::NBNS,
    &labels::NETBIOS,
    &labels::SSDP,
    &labels::SNMP,
    &labels::SSH,
    &labels::SMTP,
    &labels::FTP,
    &labels::TELNET,
    &labels::POP,
    &labels::IMAP,
    &labels::LDAP,
    &labels::KERBEROS,
    &labels::SMB,
    &labels::SIP,
    &labels::SYSLOG,
    &labels::TFTP,
    &labels::RADIUS,
    &labels::RDP,
    &labels::BGP,
    &labels::DHCPV6,
    &labels::IGMP,
    &labels::OSPF,
    &labels::ESP,
    &labels::SCTP,
    &labels::GRE,
    &labels::LLDP,
    &labels::EAPOL,
    // Headers: never a packet's own protocol, listed for their fields.
    &frame::FRAME,
    &ethernet::ETHERNET,
    &ip::IP,
    &ipv6::IPV6,
    &sll::SLL,
];

impl ProtocolId {
    /// What no other protocol claims.
    pub const UNKNOWN: Self = Self(0);
    /// DNS.
    pub const DNS: Self = Self(1);
    /// Multicast DNS.
    pub const MDNS: Self = Self(2);
    /// LLMNR.
    pub const LLMNR: Self = Self(3);
    /// ICMP.
    pub const ICMP: Self = Self(4);
    /// ICMPv6.
    pub const ICMPV6: Self = Self(5);
    /// ARP.
    pub const ARP: Self = Self(6);
    /// A piece of an IP packet that does not complete it.
    pub const FRAGMENT: Self = Self(7);
    /// TCP without a protocol above it.
    pub const TCP: Self = Self(8);
    /// UDP without a protocol above it.
    pub const UDP: Self = Self(9);

    /// The table row.
    pub fn protocol(self) -> &'static Protocol {
        PROTOCOLS.get(usize::from(self.0)).copied().unwrap_or(&other::UNKNOWN)
    }

    /// Whether correlation and findings read its packets again.
    pub fn is_evidence(self) -> bool {
        matches!(self, Self::DNS | Self::MDNS | Self::LLMNR | Self::ICMP | Self::ICMPV6)
    }

    /// Finds a protocol by its filter word.
    pub fn by_name(name: &str) -> Option<Self> {
        PROTOCOLS.iter().position(|p| p.name == name).map(|at| Self(at as u8))
    }
}

struct Claims {
    udp: Box<[u8]>,
    tcp: Box<[u8]>,
    ip: [u8; 256],
    ether: Vec<(u16, u8)>,
}

static CLAIMS: LazyLock<Claims> = LazyLock::new(|| {
    let mut claims = Claims {
        udp: vec![0; 65536].into_boxed_slice(),
        tcp: vec![0; 65536].into_boxed_slice(),
        ip: [0; 256],
        ether: Vec::new(),
    };
    for (at, protocol) in PROTOCOLS.iter().enumerate().rev() {
        for claim in protocol.claims {
            let slot = match claim {
                Claim::UdpPort(port) => claims.udp.get_mut(usize::from(*port)),
                Claim::TcpPort(port) => claims.tcp.get_mut(usize::from(*port)),
                Claim::IpProtocol(number) => claims.ip.get_mut(usize::from(*number)),
                Claim::EtherType(kind) => {
                    claims.ether.push((*kind, at as u8));
                    None
                }
            };
            if let Some(slot) = slot {
                *slot = at as u8;
            }
        }
    }
    claims
});

/// Names the protocol of a decoded packet; ports the user names as DNS go before those of the table.
pub fn classify(decoded: &Decoded<'_>, settings: &Settings) -> ProtocolId {
    let claims = &*CLAIMS;
    if decoded.is_piece() {
        return ProtocolId::FRAGMENT;
    }
    let by_port = |table: &[u8], a: u16, b: u16| {
        let claim = |port: u16| match table.get(usize::from(port)) {
            _ if settings.is_named_port(port) => ProtocolId::DNS.0,
            claimed => claimed.copied().unwrap_or(0),
        };
        let (first, second) = (claim(a), claim(b));
        // Between two claimed ports the earlier row of the table wins.
        if first == 0 || (second != 0 && second < first) { second } else { first }
    };
    // A printed line has no payload bytes: what UDP carried, its port says.
    let printed = decoded.layers().first().is_some_and(|layer| layer.kind == LayerKind::Transcript);
    let carries = decoded.payload_end > decoded.payload_start;
    let id = match decoded.transport {
        // Without a payload a port says nothing: a probe of port 53 is no DNS message.
        Transport::Udp { source_port, destination_port, .. } if carries || printed => {
            by_port(&claims.udp, source_port, destination_port)
        }
        Transport::Tcp { source_port, destination_port, .. } if carries => {
            by_port(&claims.tcp, source_port, destination_port)
        }
        _ => 0,
    };
    if id != 0 {
        return ProtocolId(id);
    }
    let number = match decoded.transport {
        Transport::Udp { .. } => 17,
        Transport::Tcp { .. } => 6,
        Transport::Icmp { .. } => 1,
        Transport::Icmpv6 { .. } => 58,
        Transport::Other(number) => number,
        Transport::None => {
            let found = claims.ether.iter().find(|(kind, _)| *kind == decoded.ether_type);
            return ProtocolId(found.map_or(0, |(_, at)| *at));
        }
    };
    ProtocolId(claims.ip.get(usize::from(number)).copied().unwrap_or(0))
}

/// Big-endian number of up to eight bytes at an offset; `None` past the end.
pub(crate) fn big(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let slice = bytes.get(at..at.checked_add(size)?)?;
    Some(slice.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// All fields of all protocols.
pub fn all_fields() -> impl Iterator<Item = &'static Field> {
    PROTOCOLS.iter().flat_map(|protocol| protocol.fields.iter().copied())
}

/// The one-line summary of a packet, in the field's usual words.
pub fn summary(protocol: ProtocolId, frame: &Frame<'_, '_>) -> String {
    let mut out = String::new();
    if transcript::summary(frame, &mut out) {
        return out;
    }
    match frame.datagram {
        Some(whole) => (protocol.protocol().summary)(&Frame { decoded: whole, ..*frame }, &mut out),
        None => (protocol.protocol().summary)(frame, &mut out),
    }
    if frame.decoded.fragment.is_some() && protocol != ProtocolId::FRAGMENT {
        if out.is_empty() {
            (fragment::FRAGMENT.summary)(frame, &mut out);
        }
        out.push_str(" · from fragments");
    }
    let whole = frame.datagram.and_then(|whole| whole.stopped);
    if let Some(stop) = whole.or(frame.decoded.stopped) {
        let between = if out.is_empty() { "" } else { " · " };
        let _ = write!(out, "{between}{}: {}", stop.reading, stop.reason);
    }
    out
}

/// Adds the rows of link, network and transport headers only.
pub fn headers(decoded: &Decoded<'_>, tree: &mut Tree) {
    other::headers(decoded, tree);
}

/// All detail rows of a packet: link, network and transport headers, then its protocol.
pub fn dissect(protocol: ProtocolId, frame: &Frame<'_, '_>) -> Tree {
    let mut tree = Tree::default();
    if transcript::dissect(frame, &mut tree) {
        return tree;
    }
    other::headers(frame.decoded, &mut tree);
    if let Some(whole) = frame.datagram {
        // A fragment that completes its packet: after its own headers what follows the whole packet's IP header.
        tree.in_assembled(whole.bytes, |tree, _| {
            other::above_ip(whole, tree);
            (protocol.protocol().dissect)(&Frame { decoded: whole, ..*frame }, tree);
        });
    } else {
        (protocol.protocol().dissect)(frame, &mut tree);
    }
    if let Some(stop) = frame.decoded.stopped {
        let at = stop.at as usize;
        let text = format!("Reading stopped: {}, byte {at}: {}", stop.reading, stop.reason);
        tree.push(None, text, Value::None, at..at);
    }
    tree
}

/// Adds the rows of a further message of the same packet.
pub fn dissect_message(protocol: ProtocolId, frame: &Frame<'_, '_>, tree: &mut Tree) {
    let decoded = frame.datagram.unwrap_or(frame.decoded);
    (protocol.protocol().dissect)(&Frame { decoded, ..*frame }, tree);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;
    use crate::decode::{decode, dns as wire};
    use proptest::prelude::*;

    /// A query for `a.example` from 192.0.2.1:5000 to 192.0.2.53:53.
    fn query() -> Vec<u8> {
        let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(b"\x01a\x07example\x00\x00\x01\x00\x01");
        let mut datagram = vec![0x13, 0x88, 0, 53, 0, 8 + message.len() as u8, 0, 0];
        datagram.extend(message);
        let mut packet = vec![0x45, 0, 0, 20 + datagram.len() as u8, 0, 7, 0, 0, 64, 17, 0, 0];
        packet.extend([192, 0, 2, 1, 192, 0, 2, 53]);
        packet.extend(datagram);
        packet
    }

    /// The ICMP port unreachable about [`query`], from its receiver.
    fn error() -> Vec<u8> {
        let quoted = query();
        let mut message = vec![3, 3, 0, 0, 0, 0, 0, 0];
        message.extend(quoted);
        let sum = crate::decode::checksum(0, &message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
        let mut packet = vec![0x45, 0, 0, 20 + message.len() as u8, 0, 9, 0, 0, 64, 1, 0, 0];
        packet.extend([192, 0, 2, 53, 192, 0, 2, 1]);
        packet.extend(message);
        packet
    }

    fn show(link_type: LinkType, bytes: &[u8]) -> (String, Tree) {
        let decoded = decode(link_type, bytes);
        let settings = Settings::default();
        let frame = Frame { decoded: &decoded, assembled: None, datagram: None, settings: &settings };
        let settings = Settings::default();
        let protocol = classify(&decoded, &settings);
        (summary(protocol, &frame), dissect(protocol, &frame))
    }

    #[test]
    fn an_error_names_the_refused_flow_and_marks_quoted_fields() {
        let (summary, tree) = show(LinkType::RAW, &error());
        assert_eq!(summary, "port unreachable (udp 53) 192.0.2.1:5000 → 192.0.2.53:53");
        let names: Vec<_> = tree.values("dns.qry.name").collect();
        assert_eq!(names.len(), 1);
        assert!(names.iter().all(|node| node.quoted));
        let sources: Vec<_> = tree.values("ip.src").map(|node| (node.quoted, node.value.clone())).collect();
        assert_eq!(
            sources,
            [
                (false, Value::Address(Address::V4([192, 0, 2, 53].into()))),
                (true, Value::Address(Address::V4([192, 0, 2, 1].into())))
            ]
        );
        assert_eq!(
            tree.values("icmp.checksum.status").next().map(|n| n.value.clone()),
            Some(Value::Number(1))
        );
    }

    #[test]
    fn rows_point_at_their_own_bytes() {
        let bytes = query();
        let (summary, tree) = show(LinkType::RAW, &bytes);
        assert_eq!(summary, "A? a.example");
        let node = tree.values("dns.qry.name").next().unwrap();
        assert_eq!(&bytes[node.start as usize..node.end as usize], b"\x01a\x07example\x00");
        let port = tree.values("udp.dstport").next().unwrap();
        assert_eq!(&bytes[port.start as usize..port.end as usize], &[0, 53]);
    }

    #[test]
    fn ports_survive_a_quote_of_eight_bytes() {
        let mut packet = error();
        packet.truncate(20 + 8 + 20 + 8);
        let decoded = decode(LinkType::RAW, &packet);
        let quote = crate::decode::Quote::read(&decoded).unwrap();
        assert_eq!(quote.inner.ports(), Some((5000, 53)));
        assert_eq!(crate::decode::icmp_checksum_is_right(&decoded), None);
    }

    #[test]
    fn an_answer_shows_its_extended_error() {
        let mut message = vec![0, 1, 0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 1];
        message.extend_from_slice(b"\x01a\x00\x00\x01\x00\x01");
        message.extend_from_slice(&[0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 8, 0, 15, 0, 4, 0, 23, b'n', b'o']);
        let parsed = wire::read(&message).unwrap();
        let extension = parsed.extension().unwrap();
        assert!(extension.dnssec_ok());
        assert_eq!(
            extension.extended_error(&message).map(|(code, range)| (code, message[range].to_vec())),
            Some((23, b"no".to_vec()))
        );
        let mut packet = vec![0, 53, 0x13, 0x88, 0, 8 + message.len() as u8, 0, 0];
        packet.extend(message);
        let mut ip =
            vec![0x45, 0, 0, 20 + packet.len() as u8, 0, 7, 0, 0, 64, 17, 0, 0, 192, 0, 2, 53, 192, 0, 2, 1];
        ip.extend(packet);
        assert_eq!(show(LinkType::RAW, &ip).0, "SERVFAIL a (A) · EDE 23 Network Error: no");
    }

    #[test]
    fn protocols_and_fields_have_distinct_names() {
        let mut names: Vec<_> = PROTOCOLS.iter().map(|protocol| protocol.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        let mut fields: Vec<_> = all_fields().map(|field| field.name).collect();
        fields.sort_unstable();
        assert!(fields.windows(2).all(|pair| pair[0] != pair[1]), "{fields:?}");
    }

    const LINK_TYPES: [u16; 25] = [
        0, 1, 9, 10, 12, 50, 51, 100, 101, 104, 105, 108, 109, 113, 117, 119, 127, 138, 163, 192, 226, 239,
        258, 276, 7,
    ];

    fn never_panics(bytes: &[u8]) {
        for link_type in LINK_TYPES {
            let (_, tree) = show(LinkType(link_type), bytes);
            for node in tree.nodes.iter().chain(&tree.hidden) {
                assert!(node.start <= node.end, "{node:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn random_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            never_panics(&bytes);
        }

        #[test]
        fn damaged_packets_are_read_without_panic(
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12),
            cut in 0usize..160,
            ethernet in any::<bool>(),
        ) {
            let mut bytes = if ethernet { vec![2; 12] } else { Vec::new() };
            if ethernet {
                bytes.extend([8, 0]);
            }
            bytes.extend(error());
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(cut);
            never_panics(&bytes);
        }
    }
}
