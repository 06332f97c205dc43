//! Fields of link and network headers.

use super::Direction::{Destination as Dst, Either, Source as Src};
use super::values::{ETHER_TYPES, IP_PROTOCOLS};
use super::{Family, FieldInfo, HeaderField, Source, Word, field};
use crate::decode::LayerKind;
use crate::protocols::Kind::{Address, Bytes, Number};

/// The table.
pub static FIELDS: &[FieldInfo] = &[
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
    field(
        "eth.type",
        Number,
        Source::Header(HeaderField::EtherType),
        "eth.type == 0x0806",
        "Ethernet type; of tagged frames that of the tag",
    )
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
    field("nflog", Bytes, Source::Word(Word::Layer(&[LayerKind::Nflog])), "nflog", "Linux netfilter logs"),
    field(
        "radiotap",
        Bytes,
        Source::Word(Word::Layer(&[LayerKind::Radiotap])),
        "radiotap",
        "radio headers before wireless frames",
    ),
    field("wlan", Bytes, Source::Word(Word::Layer(&[LayerKind::Ieee80211])), "wlan", "wireless frames"),
    field("llc", Bytes, Source::Word(Word::Layer(&[LayerKind::Llc])), "llc", "IEEE 802.2 headers"),
    field("ppp", Bytes, Source::Word(Word::Layer(&[LayerKind::Ppp])), "ppp", "PPP frames"),
    field("ah", Bytes, Source::Word(Word::Layer(&[LayerKind::Ah])), "ah", "IPsec authentication headers"),
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
    )
    .or(&["ipv6.src_host"]),
    field(
        "ipv6.dst",
        Address,
        Source::Address(Family::V6, Dst),
        "ipv6.dst == 2001:db8::53",
        "IPv6 address of the receiver",
    )
    .or(&["ipv6.dst_host"]),
    field(
        "ipv6.nxt",
        Number,
        Source::Header(HeaderField::Ipv6Next),
        "ipv6.nxt == 17",
        "what follows the IPv6 header: a protocol, or an extension header",
    )
    .named(IP_PROTOCOLS),
    field("ipv6.hlim", Number, Source::Ttl(Family::V6), "ipv6.hlim == 1", "hop limit").limited(0, 255),
];
