//! Fields of UDP, TCP and ICMP.

use super::Direction::{Destination as Dst, Either, Source as Src};
use super::values::{ICMP_TYPES, ICMPV6_TYPES, SERVICES};
use super::{Column, FieldInfo, HeaderField, Source, StreamField, Word, field};
use crate::index::segment::flags;
use crate::protocols::Kind::{Bool, Bytes, Number};

/// The table.
pub static FIELDS: &[FieldInfo] = &[
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
    field(
        "udp.stream",
        Number,
        Source::Stream(StreamField::Number(17)),
        "udp.stream == 0",
        "conversation, numbered from 0 in order of first packets",
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
    field(
        "tcp.stream",
        Number,
        Source::Stream(StreamField::Number(6)),
        "tcp.stream == 0",
        "connection, numbered from 0 in order of first packets",
    ),
    field(
        "tcp.seq",
        Number,
        Source::Stream(StreamField::Sequence),
        "tcp.seq == 1",
        "sequence number, counted from the connection's first",
    ),
    field(
        "tcp.ack",
        Number,
        Source::Stream(StreamField::Acknowledgment),
        "tcp.ack == 1",
        "acknowledgment number, counted from the other side's first",
    ),
    field(
        "tcp.window_size",
        Number,
        Source::Stream(StreamField::Window),
        "tcp.window_size < 1000",
        "window in bytes, scaled as agreed when the connection was opened",
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
    field(
        "sctp.port",
        Number,
        Source::Port(132, Either),
        "sctp.port == 3868",
        "SCTP port of sender or receiver",
    )
    .named(SERVICES),
    field("sctp.srcport", Number, Source::Port(132, Src), "sctp.srcport == 3868", "SCTP port of the sender")
        .named(SERVICES),
    field(
        "sctp.dstport",
        Number,
        Source::Port(132, Dst),
        "sctp.dstport == 3868",
        "SCTP port of the receiver",
    )
    .named(SERVICES),
    field("quoted", Bool, Source::Quote, "quoted", "an ICMP error whose quoted datagram can be read"),
];
