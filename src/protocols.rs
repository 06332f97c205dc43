//! The PROTOCOLS table: for each protocol its ports, its fields (which are filter names and detail rows),
//! and its one-line summary. A new protocol is one file here and one line in the table.

pub mod arp;
pub mod dns;
pub mod fragment;
pub mod icmp;
pub mod other;
pub mod tcp;
pub mod transcript;
pub mod udp;

use std::sync::LazyLock;

use crate::decode::{Address, Decoded, Transport};

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
}

/// The detail rows of one packet, in reading order.
#[derive(Debug, Default)]
pub struct Tree {
    /// The rows.
    pub nodes: Vec<Node>,
    quoted: bool,
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
        self.nodes.push(Node {
            depth: self.depth,
            field,
            text,
            value,
            start: range.start as u32,
            end: range.end as u32,
            quoted: self.quoted,
        });
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

    /// The table row.
    pub fn protocol(self) -> &'static Protocol {
        PROTOCOLS.get(usize::from(self.0)).copied().unwrap_or(&other::UNKNOWN)
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

/// Names the protocol of a decoded packet.
pub fn classify(decoded: &Decoded<'_>) -> ProtocolId {
    let claims = &*CLAIMS;
    if decoded.is_piece() {
        return ProtocolId::FRAGMENT;
    }
    let by_port = |table: &[u8], a: u16, b: u16| {
        let claim = |port: u16| table.get(usize::from(port)).copied().unwrap_or(0);
        let (first, second) = (claim(a), claim(b));
        // Between two claimed ports the earlier row of the table wins.
        if first == 0 || (second != 0 && second < first) { second } else { first }
    };
    let id = match decoded.transport {
        Transport::Udp { source_port, destination_port, .. } => {
            by_port(&claims.udp, source_port, destination_port)
        }
        Transport::Tcp { source_port, destination_port, .. }
            if decoded.payload_end > decoded.payload_start =>
        {
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

/// The one-line summary of a packet, in the field's usual words.
pub fn summary(protocol: ProtocolId, frame: &Frame<'_, '_>) -> String {
    let mut out = String::new();
    if transcript::summary(frame, &mut out) {
        return out;
    }
    (protocol.protocol().summary)(frame, &mut out);
    out
}

/// All detail rows of a packet: link, network and transport headers, then its protocol.
pub fn dissect(protocol: ProtocolId, frame: &Frame<'_, '_>) -> Tree {
    let mut tree = Tree::default();
    if transcript::dissect(frame, &mut tree) {
        return tree;
    }
    other::headers(frame.decoded, &mut tree);
    (protocol.protocol().dissect)(frame, &mut tree);
    tree
}
