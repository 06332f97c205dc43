//! Every field a filter can name: those answered from columns, those of our own, and those of the PROTOCOLS table.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::decode::LayerKind;
use crate::index::segment::flags;
use crate::protocols::{Field, Kind, PROTOCOLS, ProtocolId};

/// Which end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Sender or receiver.
    Either,
    /// Sender.
    Source,
    /// Receiver.
    Destination,
}

/// IP version asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 or IPv6, ARP included.
    Any,
    /// IPv4 headers.
    V4,
    /// IPv6 headers.
    V6,
    /// ARP.
    Arp,
}

/// What is known of each packet without decoding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum Column {
    FrameNumber,
    Original,
    Captured,
    Time,
    TimeRelative,
    TimeDelta,
    Interface,
    TcpFlags,
}

/// What the DNS side table knows of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum DnsField {
    Name,
    Type,
    Class,
    Id,
    Flags,
    Response,
    Opcode,
    ResponseCode,
    /// A bit of the flag word; `true`: only responses have it.
    Bit(u16, bool),
    /// One of the four counts.
    Count(usize),
}

/// What correlation knows of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum EvidenceField {
    LinkLevel,
    LinkKind,
    LinkFrame,
    LinkDelta,
    LinkDelayed,
    ResponseIn,
    ResponseTo,
    Duplicate,
    Outcome,
    Waited,
    Rtt,
    Attempt,
    Tries,
    ExtendedError,
    Episode,
    Problem,
    Anomaly,
}

/// What the case knows of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum NoteField {
    Marked,
    Note,
    Tag,
}

/// What is read from the headers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum HeaderField {
    EtherSource,
    EtherDestination,
    EtherEither,
    /// The Ethernet type of Ethernet frames.
    EtherType,
    /// The same of any link layer that carries one.
    LinkProtocol,
    Vlan,
    IpId,
    Payload(u8),
    PayloadLength(u8),
}

/// A protocol as a word in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Every packet.
    Frame,
    /// An IP version.
    Ip(Family),
    /// The protocol number above IP.
    Transport(u8),
    /// The protocol the packet is shown as.
    Protocol(ProtocolId),
    /// A header passed on the way.
    Layer(&'static [LayerKind]),
}

/// Where a field's values come from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "each names the kind of place")]
pub enum Source {
    Word(Word),
    Column(Column),
    Address(Family, Direction),
    /// Time to live or hop limit.
    Ttl(Family),
    /// IP protocol number.
    IpProtocol(Family),
    /// Port of a transport; 0 = UDP or TCP.
    Port(u8, Direction),
    TcpFlag(u8),
    /// Type (`false`) or code (`true`) of this IP protocol number.
    Icmp(u8, bool),
    Flags(u16),
    Dns(DnsField),
    Evidence(EvidenceField),
    Note(NoteField),
    Header(HeaderField),
    File,
    Comment,
    /// A field of the PROTOCOLS table.
    Tree(&'static str),
    /// A datagram quoted by an ICMP error.
    Quote,
}

/// Names that stand for values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values {
    /// No names.
    None,
    /// Numbers with names; names are compared without case.
    Numbers(&'static [(&'static str, i64)]),
    /// Texts; nothing else can occur.
    Words(&'static [&'static str]),
    /// Numbers from the first to the last; nothing else can occur.
    Range(i64, i64),
}

/// One filter field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldInfo {
    /// The name, Wireshark's where it has one.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// The type of its values.
    pub kind: Kind,
    /// What it is, in one line.
    pub help: &'static str,
    /// A filter that uses it.
    pub example: &'static str,
    /// Where its values come from.
    pub source: Source,
    /// Named or limited values.
    pub values: Values,
}

const fn field(
    name: &'static str,
    kind: Kind,
    source: Source,
    example: &'static str,
    help: &'static str,
) -> FieldInfo {
    FieldInfo { name, aliases: &[], kind, help, example, source, values: Values::None }
}

impl FieldInfo {
    const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
    const fn named(mut self, values: &'static [(&'static str, i64)]) -> Self {
        self.values = Values::Numbers(values);
        self
    }
    const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.values = Values::Words(words);
        self
    }
    const fn limited(mut self, first: i64, last: i64) -> Self {
        self.values = Values::Range(first, last);
        self
    }
    /// Whether a datagram inside an ICMP error can have it.
    pub fn can_be_quoted(&self) -> bool {
        match self.source {
            Source::Word(Word::Frame)
            | Source::Flags(_)
            | Source::Evidence(_)
            | Source::Note(_)
            | Source::File
            | Source::Comment
            | Source::Quote => false,
            Source::Column(column) => column == Column::TcpFlags,
            _ => true,
        }
    }
    /// Whether it is a protocol word, whose value is the protocol's bytes.
    pub fn is_word(&self) -> bool {
        matches!(self.source, Source::Word(_))
    }
}

/// RCODE names (RFC 1035 §4.1.1, RFC 2136, RFC 6891).
pub const RESPONSE_CODES: &[(&str, i64)] = &[
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
    ("DSOTYPENI", 11),
    ("BADVERS", 16),
    ("BADCOOKIE", 23),
];

/// Record types by name.
pub const RECORD_TYPES: &[(&str, i64)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("NAPTR", 35),
    ("DNAME", 39),
    ("OPT", 41),
    ("DS", 43),
    ("SSHFP", 44),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("TLSA", 52),
    ("CDS", 59),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("SPF", 99),
    ("IXFR", 251),
    ("AXFR", 252),
    ("ANY", 255),
    ("CAA", 257),
];

const CLASSES: &[(&str, i64)] = &[("IN", 1), ("CH", 3), ("HS", 4), ("NONE", 254), ("ANY", 255)];
const OPCODES: &[(&str, i64)] =
    &[("QUERY", 0), ("IQUERY", 1), ("STATUS", 2), ("NOTIFY", 4), ("UPDATE", 5), ("DSO", 6)];
/// ICMP types as tcpdump names them (pcap-filter), with shorter words.
pub const ICMP_TYPES: &[(&str, i64)] = &[
    ("echo-reply", 0),
    ("unreachable", 3),
    ("unreach", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp", 13),
    ("timestamp-reply", 14),
];
/// ICMPv6 types by name.
pub const ICMPV6_TYPES: &[(&str, i64)] = &[
    ("unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo", 128),
    ("echo-reply", 129),
    ("router-solicitation", 133),
    ("router-advertisement", 134),
    ("neighbor-solicitation", 135),
    ("neighbor-advertisement", 136),
    ("redirect", 137),
];
/// IP protocol numbers by name.
pub const IP_PROTOCOLS: &[(&str, i64)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("icmpv6", 58),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("sctp", 132),
];
/// Ethernet types by name.
pub const ETHER_TYPES: &[(&str, i64)] =
    &[("ip", 0x0800), ("arp", 0x0806), ("rarp", 0x8035), ("vlan", 0x8100), ("ip6", 0x86dd), ("ipv6", 0x86dd)];
/// Ports by service name, besides those of the PROTOCOLS table.
pub const SERVICES: &[(&str, i64)] = &[
    ("domain", 53),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("imap", 143),
    ("snmp", 161),
    ("bgp", 179),
    ("ldap", 389),
    ("https", 443),
    ("syslog", 514),
    ("mdns", 5353),
    ("llmnr", 5355),
];
/// Link levels.
pub const LEVELS: &[&str] = &["exact", "probable", "nat", "orphan", "contradicted"];
/// Link kinds.
pub const LINK_KINDS: &[&str] = &["answer_to", "retry_of", "error_about", "duplicate_of"];
/// Outcomes of DNS transactions.
pub const OUTCOMES: &[&str] = &[
    "answered",
    "late",
    "refused_by_icmp",
    "covered_by_rate_limit",
    "no_answer",
    "tcp_reset",
    "truncated",
    "undetermined",
];

use Direction::{Destination as Dst, Either, Source as Src};
use Kind::{Address, Bool, Bytes, Duration, Name, Number, Text, Time};

/// Fields answered from columns, side tables, evidence and annotations.
static OWN: &[FieldInfo] = &[
    field("frame", Bytes, Source::Word(Word::Frame), "frame contains \"example\"", "every packet; its bytes"),
    field(
        "frame.number",
        Number,
        Source::Column(Column::FrameNumber),
        "frame.number in {10..20}",
        "position in its file, from 1",
    ),
    field("frame.len", Number, Source::Column(Column::Original), "frame.len > 1000", "bytes on the wire")
        .or(&["len"])
        .limited(0, u32::MAX as i64),
    field("frame.cap_len", Number, Source::Column(Column::Captured), "frame.cap_len < 64", "bytes captured")
        .limited(0, u32::MAX as i64),
    field(
        "frame.time",
        Time,
        Source::Column(Column::Time),
        "time in 13:24..13:27",
        "time of capture, UTC; the date may be left out",
    )
    .or(&["time", "frame.time_utc"]),
    field(
        "frame.time_epoch",
        Duration,
        Source::Column(Column::Time),
        "frame.time_epoch >= 1700000000",
        "seconds since 1970",
    ),
    field(
        "frame.time_relative",
        Duration,
        Source::Column(Column::TimeRelative),
        "frame.time_relative < 2s",
        "time since the first packet",
    ),
    field(
        "frame.time_delta",
        Duration,
        Source::Column(Column::TimeDelta),
        "frame.time_delta > 500ms",
        "time since the packet before it in its file",
    ),
    field(
        "frame.interface_id",
        Number,
        Source::Column(Column::Interface),
        "frame.interface_id == 0",
        "interface it was captured on",
    )
    .limited(0, u16::MAX as i64),
    field("file", Text, Source::File, "file == A", "capture file: its letter, or part of its name"),
    field(
        "frame.comment",
        Text,
        Source::Comment,
        "frame.comment contains \"retry\"",
        "comment stored in the capture",
    ),
    field("eth", Bytes, Source::Word(Word::Layer(&[LayerKind::Ethernet])), "eth", "Ethernet frames")
        .or(&["ether"]),
    field(
        "eth.addr",
        Address,
        Source::Header(HeaderField::EtherEither),
        "eth.addr == 02:00:00:00:00:01",
        "link address of sender or receiver",
    ),
    field(
        "eth.src",
        Address,
        Source::Header(HeaderField::EtherSource),
        "eth.src == 02:00:00:00:00:01",
        "link address of the sender",
    ),
    field(
        "eth.dst",
        Address,
        Source::Header(HeaderField::EtherDestination),
        "eth.dst == ff:ff:ff:ff:ff:ff",
        "link address of the receiver",
    ),
    field("eth.type", Number, Source::Header(HeaderField::EtherType), "eth.type == 0x0806", "Ethernet type")
        .named(ETHER_TYPES),
    field("vlan", Bytes, Source::Word(Word::Layer(&[LayerKind::Vlan])), "vlan", "802.1Q tagged frames"),
    field("vlan.id", Number, Source::Header(HeaderField::Vlan), "vlan.id == 10", "VLAN number of any tag")
        .limited(0, 4095),
    field(
        "sll",
        Bytes,
        Source::Word(Word::Layer(&[LayerKind::Sll, LayerKind::Sll2])),
        "sll",
        "Linux cooked captures",
    ),
    field("mpls", Bytes, Source::Word(Word::Layer(&[LayerKind::Mpls])), "mpls", "MPLS labels"),
    field(
        "pppoes",
        Bytes,
        Source::Word(Word::Layer(&[LayerKind::Pppoe])),
        "pppoes",
        "PPP over Ethernet sessions",
    )
    .or(&["pppoe"]),
    field("gre", Bytes, Source::Word(Word::Layer(&[LayerKind::Gre])), "gre", "GRE tunnels"),
    field("vxlan", Bytes, Source::Word(Word::Layer(&[LayerKind::Vxlan])), "vxlan", "VXLAN tunnels"),
    field("geneve", Bytes, Source::Word(Word::Layer(&[LayerKind::Geneve])), "geneve", "Geneve tunnels"),
    field("teredo", Bytes, Source::Word(Word::Layer(&[LayerKind::Teredo])), "teredo", "Teredo tunnels"),
    field("gtp", Bytes, Source::Word(Word::Layer(&[LayerKind::Gtp])), "gtp", "GTP tunnels"),
    field("ip", Bytes, Source::Word(Word::Ip(Family::V4)), "ip", "IPv4"),
    field(
        "ip.addr",
        Address,
        Source::Address(Family::V4, Either),
        "ip.addr == 203.0.113.0/24",
        "IPv4 address of sender or receiver",
    )
    .or(&["ip.host"]),
    field(
        "ip.src",
        Address,
        Source::Address(Family::V4, Src),
        "ip.src == 203.0.113.2",
        "IPv4 address of the sender",
    )
    .or(&["ip.src_host"]),
    field(
        "ip.dst",
        Address,
        Source::Address(Family::V4, Dst),
        "ip.dst == 192.0.2.53",
        "IPv4 address of the receiver",
    )
    .or(&["ip.dst_host"]),
    field("ip.ttl", Number, Source::Ttl(Family::V4), "ip.ttl < 5", "time to live").limited(0, 255),
    field("ip.proto", Number, Source::IpProtocol(Family::V4), "ip.proto == 17", "protocol above IPv4")
        .named(IP_PROTOCOLS),
    field("ip.id", Number, Source::Header(HeaderField::IpId), "ip.id == 0", "IPv4 identification")
        .limited(0, 65535),
    field("ipv6", Bytes, Source::Word(Word::Ip(Family::V6)), "ipv6", "IPv6").or(&["ip6"]),
    field(
        "ipv6.addr",
        Address,
        Source::Address(Family::V6, Either),
        "ipv6.addr == 2001:db8::/32",
        "IPv6 address of sender or receiver",
    )
    .or(&["ipv6.host"]),
    field(
        "ipv6.src",
        Address,
        Source::Address(Family::V6, Src),
        "ipv6.src == 2001:db8::1",
        "IPv6 address of the sender",
    ),
    field(
        "ipv6.dst",
        Address,
        Source::Address(Family::V6, Dst),
        "ipv6.dst == 2001:db8::53",
        "IPv6 address of the receiver",
    ),
    field(
        "ipv6.nxt",
        Number,
        Source::IpProtocol(Family::V6),
        "ipv6.nxt == 17",
        "protocol above IPv6 and its extension headers",
    )
    .named(IP_PROTOCOLS),
    field("ipv6.hlim", Number, Source::Ttl(Family::V6), "ipv6.hlim == 1", "hop limit").limited(0, 255),
    field("fragment", Bool, Source::Flags(flags::FRAGMENT), "fragment", "a piece of a fragmented packet"),
    field("tunnel", Bool, Source::Flags(flags::TUNNEL), "tunnel", "the packet travelled in a tunnel"),
    field(
        "malformed",
        Bool,
        Source::Flags(flags::STOPPED),
        "malformed",
        "reading stopped before the payload, or the message is malformed",
    )
    .or(&["_ws.malformed"]),
    field("cut", Bool, Source::Flags(flags::CUT), "cut", "fewer bytes were captured than were on the wire"),
    field("backward", Bool, Source::Flags(flags::BACKWARD), "backward", "earlier than the packet before it"),
    field("udp", Bytes, Source::Word(Word::Transport(17)), "udp", "UDP, fragments included"),
    field("udp.port", Number, Source::Port(17, Either), "udp.port == 53", "UDP port of sender or receiver")
        .named(SERVICES),
    field("udp.srcport", Number, Source::Port(17, Src), "udp.srcport == 53", "UDP port of the sender")
        .named(SERVICES),
    field("udp.dstport", Number, Source::Port(17, Dst), "udp.dstport == 53", "UDP port of the receiver")
        .named(SERVICES),
    field(
        "udp.payload",
        Bytes,
        Source::Header(HeaderField::Payload(17)),
        "udp.payload[0:2] == 01:00",
        "what the UDP datagram carries",
    ),
    field("tcp", Bytes, Source::Word(Word::Transport(6)), "tcp", "TCP, fragments included"),
    field(
        "tcp.port",
        Number,
        Source::Port(6, Either),
        "tcp.port in {80, 443}",
        "TCP port of sender or receiver",
    )
    .named(SERVICES),
    field("tcp.srcport", Number, Source::Port(6, Src), "tcp.srcport == 443", "TCP port of the sender")
        .named(SERVICES),
    field("tcp.dstport", Number, Source::Port(6, Dst), "tcp.dstport == 443", "TCP port of the receiver")
        .named(SERVICES),
    field("tcp.flags", Number, Source::Column(Column::TcpFlags), "tcp.flags == 0x02", "the flag bits")
        .limited(0, 0xfff),
    field("tcp.flags.fin", Bool, Source::TcpFlag(1), "tcp.flags.fin == 1", "FIN"),
    field("tcp.flags.syn", Bool, Source::TcpFlag(2), "tcp.flags.syn == 1 and tcp.flags.ack == 0", "SYN"),
    field("tcp.flags.reset", Bool, Source::TcpFlag(4), "tcp.flags.reset == 1", "RST").or(&["tcp.flags.rst"]),
    field("tcp.flags.push", Bool, Source::TcpFlag(8), "tcp.flags.push == 1", "PSH"),
    field("tcp.flags.ack", Bool, Source::TcpFlag(16), "tcp.flags.ack == 1", "ACK"),
    field("tcp.flags.urg", Bool, Source::TcpFlag(32), "tcp.flags.urg == 1", "URG"),
    field("tcp.flags.ece", Bool, Source::TcpFlag(64), "tcp.flags.ece == 1", "ECE").or(&["tcp.flags.ecn"]),
    field("tcp.flags.cwr", Bool, Source::TcpFlag(128), "tcp.flags.cwr == 1", "CWR"),
    field(
        "tcp.len",
        Number,
        Source::Header(HeaderField::PayloadLength(6)),
        "tcp.len > 0",
        "bytes the segment carries",
    ),
    field(
        "tcp.payload",
        Bytes,
        Source::Header(HeaderField::Payload(6)),
        "tcp.payload contains \"GET\"",
        "what the TCP segment carries",
    ),
    field("icmp", Bytes, Source::Word(Word::Transport(1)), "icmp", "ICMP"),
    field("icmp.type", Number, Source::Icmp(1, false), "icmp.type == 3", "ICMP type").named(ICMP_TYPES),
    field("icmp.code", Number, Source::Icmp(1, true), "icmp.code == 3", "ICMP code").limited(0, 255),
    field(
        "icmp.error",
        Bool,
        Source::Flags(flags::ICMP_ERROR),
        "icmp.error",
        "an ICMP or ICMPv6 message that quotes another packet",
    ),
    field("icmpv6", Bytes, Source::Word(Word::Transport(58)), "icmpv6", "ICMPv6").or(&["icmp6"]),
    field("icmpv6.type", Number, Source::Icmp(58, false), "icmpv6.type == 1", "ICMPv6 type")
        .named(ICMPV6_TYPES),
    field("icmpv6.code", Number, Source::Icmp(58, true), "icmpv6.code == 4", "ICMPv6 code").limited(0, 255),
    field("igmp", Bytes, Source::Word(Word::Transport(2)), "igmp", "IGMP"),
    field("sctp", Bytes, Source::Word(Word::Transport(132)), "sctp", "SCTP"),
    field("quoted", Bool, Source::Quote, "quoted", "an ICMP error whose quoted datagram can be read"),
    field(
        "dns.qry.name",
        Name,
        Source::Dns(DnsField::Name),
        "dns.qry.name contains \"yummy\"",
        "name in the question",
    )
    .or(&["dns.name"]),
    field(
        "dns.qry.type",
        Number,
        Source::Dns(DnsField::Type),
        "dns.qry.type == AAAA",
        "type in the question",
    )
    .or(&["dns.type"])
    .named(RECORD_TYPES),
    field(
        "dns.qry.class",
        Number,
        Source::Dns(DnsField::Class),
        "dns.qry.class == IN",
        "class in the question",
    )
    .or(&["dns.class"])
    .named(CLASSES),
    field("dns.id", Number, Source::Dns(DnsField::Id), "dns.id == 0x890c", "message id").limited(0, 65535),
    field("dns.flags", Number, Source::Dns(DnsField::Flags), "dns.flags == 0x0100", "the flag word")
        .limited(0, 65535),
    field(
        "dns.flags.response",
        Bool,
        Source::Dns(DnsField::Response),
        "dns.flags.response == 0",
        "response (QR = 1)",
    )
    .or(&["dns.response"]),
    field("dns.flags.opcode", Number, Source::Dns(DnsField::Opcode), "dns.flags.opcode == 0", "OPCODE")
        .or(&["dns.opcode"])
        .named(OPCODES),
    field(
        "dns.flags.rcode",
        Number,
        Source::Dns(DnsField::ResponseCode),
        "dns.flags.rcode == NXDOMAIN",
        "RCODE of a response",
    )
    .or(&["dns.rcode"])
    .named(RESPONSE_CODES),
    field(
        "dns.flags.authoritative",
        Bool,
        Source::Dns(DnsField::Bit(0x0400, true)),
        "dns.flags.authoritative == 1",
        "AA of a response",
    ),
    field(
        "dns.flags.truncated",
        Bool,
        Source::Dns(DnsField::Bit(0x0200, false)),
        "dns.flags.truncated == 1",
        "TC",
    ),
    field(
        "dns.flags.recdesired",
        Bool,
        Source::Dns(DnsField::Bit(0x0100, false)),
        "dns.flags.recdesired == 0",
        "RD",
    ),
    field(
        "dns.flags.recavail",
        Bool,
        Source::Dns(DnsField::Bit(0x0080, true)),
        "dns.flags.recavail == 0",
        "RA of a response",
    ),
    field(
        "dns.flags.authenticated",
        Bool,
        Source::Dns(DnsField::Bit(0x0020, true)),
        "dns.flags.authenticated == 1",
        "AD of a response",
    ),
    field(
        "dns.flags.checkdisable",
        Bool,
        Source::Dns(DnsField::Bit(0x0010, false)),
        "dns.flags.checkdisable == 1",
        "CD",
    ),
    field("dns.count.queries", Number, Source::Dns(DnsField::Count(0)), "dns.count.queries != 1", "QDCOUNT")
        .limited(0, 65535),
    field("dns.count.answers", Number, Source::Dns(DnsField::Count(1)), "dns.count.answers == 0", "ANCOUNT")
        .limited(0, 65535),
    field("dns.count.auth_rr", Number, Source::Dns(DnsField::Count(2)), "dns.count.auth_rr > 0", "NSCOUNT")
        .limited(0, 65535),
    field("dns.count.add_rr", Number, Source::Dns(DnsField::Count(3)), "dns.count.add_rr > 0", "ARCOUNT")
        .limited(0, 65535),
    field(
        "dns.outcome",
        Text,
        Source::Evidence(EvidenceField::Outcome),
        "dns.outcome == no_answer",
        "how the transaction it belongs to ended",
    )
    .words(OUTCOMES),
    field(
        "dns.waited",
        Duration,
        Source::Evidence(EvidenceField::Waited),
        "dns.waited > 2s",
        "from the first try to the answer or error: what the user felt",
    ),
    field(
        "dns.rtt",
        Duration,
        Source::Evidence(EvidenceField::Rtt),
        "dns.rtt > 200ms",
        "from the last try to the response",
    )
    .or(&["dns.time"]),
    field(
        "dns.attempt",
        Number,
        Source::Evidence(EvidenceField::Attempt),
        "dns.attempt > 1",
        "which try of its transaction a query is, from 1",
    ),
    field(
        "dns.tries",
        Number,
        Source::Evidence(EvidenceField::Tries),
        "dns.tries >= 3",
        "queries sent in its transaction",
    ),
    field(
        "dns.ede",
        Number,
        Source::Evidence(EvidenceField::ExtendedError),
        "dns.ede == 22",
        "extended DNS error of the answer (RFC 8914)",
    )
    .limited(0, 65535),
    field(
        "dns.response_in",
        Number,
        Source::Evidence(EvidenceField::ResponseIn),
        "dns.response_in",
        "frame of the response to this query",
    ),
    field(
        "dns.response_to",
        Number,
        Source::Evidence(EvidenceField::ResponseTo),
        "dns.response_to == 1",
        "frame of the query this answers",
    ),
    field(
        "link.level",
        Text,
        Source::Evidence(EvidenceField::LinkLevel),
        "link.level == orphan",
        "how sure a tie to another packet is",
    )
    .words(LEVELS),
    field(
        "link.kind",
        Text,
        Source::Evidence(EvidenceField::LinkKind),
        "link.kind == error_about",
        "what ties it to another packet",
    )
    .words(LINK_KINDS),
    field(
        "link.frame",
        Number,
        Source::Evidence(EvidenceField::LinkFrame),
        "link.frame == 1",
        "frame at the other end of a tie",
    ),
    field(
        "link.delta",
        Duration,
        Source::Evidence(EvidenceField::LinkDelta),
        "link.delta > 1s",
        "time between the two ends of a tie",
    ),
    field(
        "link.delayed",
        Bool,
        Source::Evidence(EvidenceField::LinkDelayed),
        "link.delayed",
        "an error outside the time window of its type",
    ),
    field(
        "duplicate",
        Bool,
        Source::Evidence(EvidenceField::Duplicate),
        "not duplicate",
        "a copy of a packet seen before",
    ),
    field(
        "episode",
        Number,
        Source::Evidence(EvidenceField::Episode),
        "episode == 1",
        "episode of failures it belongs to, from 1",
    )
    .or(&["episodes"]),
    field(
        "problem",
        Number,
        Source::Evidence(EvidenceField::Problem),
        "problem == 1",
        "problem it belongs to, from 1, gravest first",
    )
    .or(&["problems"]),
    field(
        "anomaly",
        Text,
        Source::Evidence(EvidenceField::Anomaly),
        "anomaly == unsolicited",
        "what correlation noticed about it",
    ),
    field("marked", Bool, Source::Note(NoteField::Marked), "marked", "marked by the analyst")
        .or(&["frame.marked"]),
    field("note", Text, Source::Note(NoteField::Note), "note contains \"firewall\"", "the analyst's note"),
    field("tag", Text, Source::Note(NoteField::Tag), "tag == cause", "the analyst's tag"),
];

/// All fields with their index by name.
pub struct Fields {
    all: Vec<FieldInfo>,
    by_name: HashMap<&'static str, usize>,
}

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let mut fields = Fields { all: OWN.to_vec(), by_name: HashMap::new() };
    for (at, info) in OWN.iter().enumerate() {
        fields.by_name.insert(info.name, at);
        for alias in info.aliases {
            fields.by_name.insert(alias, at);
        }
    }
    for (at, protocol) in PROTOCOLS.iter().enumerate() {
        let source = Source::Word(Word::Protocol(ProtocolId(at as u8)));
        fields.add(field(protocol.name, Kind::Bytes, source, protocol.name, protocol.title));
        for entry in protocol.fields {
            fields.add(from_table(entry));
        }
    }
    fields
});

fn from_table(entry: &'static Field) -> FieldInfo {
    field(entry.name, entry.kind, Source::Tree(entry.name), entry.name, entry.help)
}

impl Fields {
    fn add(&mut self, info: FieldInfo) {
        if !self.by_name.contains_key(info.name) {
            self.by_name.insert(info.name, self.all.len());
            self.all.push(info);
        }
    }
}

/// Every field: those of our own first, then those only the detail tree has.
pub fn all() -> &'static [FieldInfo] {
    &FIELDS.all
}

/// Finds a field by name or alias, without case.
pub fn find(name: &str) -> Option<&'static FieldInfo> {
    let fields = &*FIELDS;
    let found = fields.by_name.get(name).or_else(|| fields.by_name.get(name.to_ascii_lowercase().as_str()));
    fields.all.get(*found?)
}

/// The name nearest to a mistyped one, if any is near enough to suggest.
pub fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (wrong.chars().count() / 3).clamp(1, 4);
    let near = names.filter_map(|name| Some((distance(wrong, name, limit)?, name)));
    near.min_by_key(|(steps, name)| (*steps, name.len())).map(|(_, name)| name)
}

/// Edit distance (insert, delete, replace, swap of neighbours) up to a limit, without case.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    const LENGTH_MAX: usize = 64;
    let fold = |text: &str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<u8>>();
    let (a, b) = (fold(a), fold(b));
    if a.len().abs_diff(b.len()) > limit || a.len() > LENGTH_MAX {
        return None;
    }
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<_>>(), vec![0; b.len() + 1]];
    for (i, x) in a.iter().enumerate() {
        let [before, last, row] = &mut rows;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(last, j) + usize::from(x != y)).min(at(last, j + 1) + 1).min(at(row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(before, j - 1) + 1);
            }
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
        }
        rows.rotate_left(1);
    }
    rows.get(1)?.last().copied().filter(|steps| *steps <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_field_is_suggested() {
        let names = || all().iter().map(|info| info.name);
        assert_eq!(nearest("dns.qry.nam", names()), Some("dns.qry.name"));
        assert_eq!(nearest("ip.adr", names()), Some("ip.addr"));
        assert_eq!(nearest("tpc", names()), Some("tcp"));
        assert_eq!(nearest("zzzzzzz", names()), None);
    }

    #[test]
    fn no_name_means_two_fields() {
        let mut names: Vec<&str> =
            all().iter().flat_map(|info| info.aliases.iter().chain([&info.name])).copied().collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
