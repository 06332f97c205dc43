//! Link-layer headers: from a frame's first byte to the network header.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{Decoded, LayerKind, network, transcript, tunnel, wireless};
use crate::capture::LinkType;

const ETHER_IPV4: u16 = 0x0800;
const ETHER_ARP: u16 = 0x0806;
const ETHER_IPV6: u16 = 0x86dd;
/// Tags of virtual interfaces and of port extenders (drafts of IEEE 802.1Qbh; IEEE 802.1BR §7.5).
const VN_TAG: u16 = 0x8926;
const E_TAG: u16 = 0x893f;
/// The security tag of IEEE 802.1AE.
const MACSEC: u16 = 0x88e5;
/// Type fields up to this are lengths of an IEEE 802.3 frame with an LLC header (IEEE 802.3 §3.2.6).
const LENGTH_MAX: u16 = 1500;
/// Netfilter log attributes read before the payload must be found.
const NFLOG_ATTRIBUTES_MAX: usize = 64;
/// Attributes of a netfilter log message: what comes first holds the protocol number, the other the packet
/// (`NFULA_PACKET_HDR`, `NFULA_PAYLOAD`).
const NFLOG_HEADER: u16 = 1;
const NFLOG_PAYLOAD: u16 = 9;

/// Reads the frame from its link header on.
pub(super) fn read(link_type: LinkType, decoded: &mut Decoded<'_>) {
    if link_type == LinkType::TRANSCRIPT {
        transcript::fill(decoded);
    } else {
        by_number(link_type.0, decoded, 0);
    }
}

/// Reads the header of one link type at `start` (the `LINKTYPE_` registry).
fn by_number(number: u16, decoded: &mut Decoded<'_>, start: usize) {
    match number {
        1 => ethernet(decoded, start),
        0 | 108 => loopback(decoded, start),
        12 | 14 | 101 | 228 | 229 => network::ip(decoded, start),
        9 | 50 | 166 | 204 => ppp_link(number, decoded, start),
        10 => fddi(decoded, start),
        51 => pppoe(decoded, start),
        100 => llc(decoded, start),
        104 => cisco_hdlc(decoded, start),
        105 => wireless::frame(decoded, start, false),
        109 => fixed(decoded, start, 12, "OpenBSD encapsulation header"),
        113 => cooked(decoded, start),
        117 => pflog(decoded, start),
        119 | 163 => wireless::prism_or_avs(decoded, start),
        127 => wireless::radiotap(decoded, start),
        138 => ieee1394(decoded, start),
        192 => per_packet_information(decoded, start),
        226 => fixed(decoded, start, 24, "IPNET header"),
        239 => nflog(decoded, start),
        258 => pktap(decoded, start),
        276 => cooked2(decoded, start),
        _ => decoded.stop(start, "link header", "this link type is not read"),
    }
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk::<2>().map(|pair| u16::from_be_bytes(*pair))
}

pub(super) fn ethernet(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    let Ok(header) = Ethernet2HeaderSlice::from_slice(rest) else {
        decoded.stop(start, "Ethernet header", "14 bytes are needed, fewer are there");
        return;
    };
    decoded.link_addresses = Some((header.source(), header.destination()));
    let kind = header.ether_type().0;
    if !decoded.push_layer(LayerKind::Ethernet, start, start + 14) {
        return;
    }
    type_or_length(decoded, kind, start + 14);
}

fn type_or_length(decoded: &mut Decoded<'_>, kind: u16, at: usize) {
    if kind <= LENGTH_MAX {
        llc(decoded, at);
    } else {
        ether_type(decoded, kind, at);
    }
}

/// Continues with what an Ethernet type field announces; VLAN tags of any number are passed.
pub(super) fn ether_type(decoded: &mut Decoded<'_>, mut kind: u16, mut at: usize) {
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100 | 0x9200) {
        let rest = decoded.bytes.get(at..).unwrap_or_default();
        let Ok(tag) = SingleVlanHeaderSlice::from_slice(rest) else {
            decoded.stop(at, "VLAN tag", "4 bytes are needed, fewer are there");
            return;
        };
        decoded.push_vlan(tag.vlan_identifier().value());
        if !decoded.push_layer(LayerKind::Vlan, at, at + 4) {
            return;
        }
        kind = tag.ether_type().0;
        at += 4;
        if kind <= LENGTH_MAX {
            llc(decoded, at);
            return;
        }
    }
    decoded.ether_type = kind;
    match kind {
        ETHER_IPV4 | ETHER_IPV6 => network::ip(decoded, at),
        ETHER_ARP => network::arp(decoded, at),
        0x8847 | 0x8848 => tunnel::mpls(decoded, at),
        0x8864 => pppoe(decoded, at),
        0x894f => tunnel::service_header(decoded, at),
        0x88e7 => provider_backbone(decoded, at),
        0x8909 => cisco_metadata(decoded, at),
        VN_TAG => tag(decoded, at, 4),
        E_TAG => tag(decoded, at, 6),
        MACSEC => macsec(decoded, at),
        _ => no_further(decoded, at),
    }
}

/// What follows is a payload no header of ours describes.
pub(super) fn no_further(decoded: &mut Decoded<'_>, at: usize) {
    decoded.payload_start = at.min(decoded.bytes.len()) as u32;
    decoded.payload_end = decoded.bytes.len() as u32;
}

/// An IEEE 802.2 header, with SNAP where it announces one (RFC 1042).
pub(super) fn llc(decoded: &mut Decoded<'_>, at: usize) {
    let Some([destination, source, control]) = decoded.bytes.get(at..).and_then(|b| b.first_chunk::<3>())
    else {
        decoded.stop(at, "LLC header", "3 bytes are needed, fewer are there");
        return;
    };
    match (destination, source, control) {
        (0xaa, 0xaa, 3) => {
            let Some(kind) = word(decoded.bytes, at + 6) else {
                decoded.stop(at, "SNAP header", "8 bytes are needed, fewer are there");
                return;
            };
            let organisation = decoded.bytes.get(at + 3..at + 6).unwrap_or_default();
            if !decoded.push_layer(LayerKind::Llc, at, at + 8) {
                return;
            }
            // RFC 1042 and the bridge-tunnel code announce Ethernet types; others are a vendor's own.
            if matches!(organisation, [0, 0, 0 | 0xf8]) {
                ether_type(decoded, kind, at + 8);
            } else {
                no_further(decoded, at + 8);
            }
        }
        (6, 6, 3) => {
            if decoded.push_layer(LayerKind::Llc, at, at + 3) {
                network::ip(decoded, at + 3);
            }
        }
        _ => {
            if decoded.push_layer(LayerKind::Llc, at, at + 3) {
                no_further(decoded, at + 3);
            }
        }
    }
}

/// The I-TAG of a provider backbone bridge: 4 bytes, then a customer's Ethernet frame (IEEE 802.1ah).
fn provider_backbone(decoded: &mut Decoded<'_>, at: usize) {
    if decoded.push_layer(LayerKind::Vlan, at, at + 4) {
        ethernet(decoded, at + 4);
    }
}

/// Cisco metadata: version, length, one option with a security group tag, then a type.
fn cisco_metadata(decoded: &mut Decoded<'_>, at: usize) {
    let Some(kind) = word(decoded.bytes, at + 6) else {
        decoded.stop(at, "Cisco metadata", "8 bytes are needed, fewer are there");
        return;
    };
    if decoded.push_layer(LayerKind::Vlan, at, at + 8) {
        type_or_length(decoded, kind, at + 8);
    }
}

/// A tag of which only the size matters, then a type.
fn tag(decoded: &mut Decoded<'_>, at: usize, size: usize) {
    let Some(kind) = word(decoded.bytes, at + size) else {
        decoded.stop(at, "tag", "the tag is cut");
        return;
    };
    if decoded.push_layer(LayerKind::Tag, at, at + size + 2) {
        type_or_length(decoded, kind, at + size + 2);
    }
}

/// `MACsec`: a tag of 6 bytes, 14 with a channel identifier (SC); the rest is in clear where neither E nor C is set
/// (IEEE 802.1AE §9.5).
fn macsec(decoded: &mut Decoded<'_>, at: usize) {
    let Some(&control) = decoded.bytes.get(at) else {
        decoded.stop(at, "MACsec tag", "the tag is cut");
        return;
    };
    let size = if control & 0x20 != 0 { 14 } else { 6 };
    if control & 0x0c == 0 {
        tag(decoded, at, size);
    } else if decoded.push_layer(LayerKind::Tag, at, (at + size).min(decoded.bytes.len())) {
        decoded.stop(at + size, "MACsec", "the frame is encrypted");
    }
}

fn loopback(decoded: &mut Decoded<'_>, start: usize) {
    let Some(family) = decoded.bytes.get(start..).and_then(|b| b.first_chunk::<4>()) else {
        decoded.stop(start, "loopback header", "4 bytes are needed, fewer are there");
        return;
    };
    // The family is a small number in the writer's byte order; one order gives a small number.
    let family = match u32::from_le_bytes(*family) {
        small if small < 0x1_0000 => small,
        _ => u32::from_be_bytes(*family),
    };
    if !decoded.push_layer(LayerKind::Loopback, start, start + 4) {
        return;
    }
    // Some writers put an Ethernet type or other numbers there; the IP version then tells.
    let is_ip = matches!(decoded.bytes.get(start + 4), Some(0x45..=0x4f | 0x60..=0x6f));
    match family {
        2 | 10 | 24 | 28 | 30 => network::ip(decoded, start + 4),
        _ if is_ip => network::ip(decoded, start + 4),
        _ => decoded.stop(start + 4, "loopback header", "the address family is neither IPv4 nor IPv6"),
    }
}

fn cooked(decoded: &mut Decoded<'_>, start: usize) {
    let (Some(kind), Some(hardware)) = (word(decoded.bytes, start + 14), word(decoded.bytes, start + 2))
    else {
        decoded.stop(start, "Linux cooked header", "16 bytes are needed, fewer are there");
        return;
    };
    if decoded.push_layer(LayerKind::Sll, start, start + 16) {
        cooked_payload(decoded, hardware, kind, start + 16);
    }
}

fn cooked2(decoded: &mut Decoded<'_>, start: usize) {
    let header = (word(decoded.bytes, start), word(decoded.bytes, start + 8));
    let (Some(kind), Some(hardware), true) = (header.0, header.1, decoded.bytes.len() >= start + 20) else {
        decoded.stop(start, "Linux cooked header", "20 bytes are needed, fewer are there");
        return;
    };
    if decoded.push_layer(LayerKind::Sll2, start, start + 20) {
        cooked_payload(decoded, hardware, kind, start + 20);
    }
}

/// The protocol field of a cooked header depends on the device type (`LINKTYPE_LINUX_SLL`).
fn cooked_payload(decoded: &mut Decoded<'_>, hardware: u16, kind: u16, at: usize) {
    const NETLINK: u16 = 824;
    const GRE: u16 = 778;
    const RADIOTAP: u16 = 803;
    match (hardware, kind) {
        (NETLINK, _) => no_further(decoded, at),
        (GRE, _) if kind <= LENGTH_MAX => no_further(decoded, at),
        (RADIOTAP, _) => wireless::radiotap(decoded, at),
        // 1: raw 802.3; 4: 802.2 LLC; others below the first type are Linux-internal kinds.
        (_, 4) => llc(decoded, at),
        (_, 0..=LENGTH_MAX) => no_further(decoded, at),
        _ => ether_type(decoded, kind, at),
    }
}

/// A header of which only the size matters, then IP.
fn fixed(decoded: &mut Decoded<'_>, start: usize, size: usize, reading: &'static str) {
    if decoded.bytes.len() < start + size {
        decoded.stop(start, reading, "the header is cut");
    } else if decoded.push_layer(LayerKind::Ipnet, start, start + size) {
        network::ip(decoded, start + size);
    }
}

/// PPP link types: 204 has a direction byte first; 50 may hold Cisco HDLC (RFC 1662; `LINKTYPE_PPP_HDLC`).
fn ppp_link(number: u16, decoded: &mut Decoded<'_>, start: usize) {
    let at = if matches!(number, 166 | 204) { start + 1 } else { start };
    match decoded.bytes.get(at) {
        Some(0x0f | 0x8f) => cisco_hdlc(decoded, at),
        _ => ppp(decoded, at),
    }
}

/// A PPP header: address and control if present, then a protocol field of one or two bytes (RFC 1661 §2).
pub(super) fn ppp(decoded: &mut Decoded<'_>, start: usize) {
    let mut at = start;
    if decoded.bytes.get(at..at + 2) == Some(&[0xff, 3]) {
        at += 2;
    }
    let protocol = match decoded.bytes.get(at) {
        // The address byte alone; as a protocol it would be the control field's (RFC 1661 §6.6).
        Some(0xff) => None,
        Some(&odd) if odd & 1 == 1 => {
            at += 1;
            Some(u16::from(odd))
        }
        Some(_) => {
            at += 2;
            word(decoded.bytes, at - 2)
        }
        None => None,
    };
    let Some(protocol) = protocol else {
        decoded.stop(start, "PPP header", "the header is cut");
        return;
    };
    if !decoded.push_layer(LayerKind::Ppp, start, at) {
        return;
    }
    match protocol {
        0x0021 | 0x0057 => network::ip(decoded, at),
        0x0281 | 0x0283 => tunnel::mpls(decoded, at),
        _ => no_further(decoded, at),
    }
}

/// A `PPPoE` session header: 6 bytes, then PPP (RFC 2516 §4).
fn pppoe(decoded: &mut Decoded<'_>, start: usize) {
    if decoded.bytes.len() < start + 6 {
        decoded.stop(start, "PPPoE header", "6 bytes are needed, fewer are there");
        return;
    }
    let is_session = decoded.bytes.get(start + 1) == Some(&0);
    if !decoded.push_layer(LayerKind::Pppoe, start, start + 6) {
        return;
    }
    if is_session {
        ppp(decoded, start + 6);
    } else {
        no_further(decoded, start + 6);
    }
}

fn cisco_hdlc(decoded: &mut Decoded<'_>, start: usize) {
    let Some(kind) = word(decoded.bytes, start + 2) else {
        decoded.stop(start, "HDLC header", "4 bytes are needed, fewer are there");
        return;
    };
    if decoded.push_layer(LayerKind::Ppp, start, start + 4) {
        ether_type(decoded, kind, start + 4);
    }
}

/// FDDI: frame control, two addresses, LLC.
fn fddi(decoded: &mut Decoded<'_>, start: usize) {
    let addresses = decoded.bytes.get(start + 1..).and_then(|b| b.first_chunk::<12>());
    let Some([a, b, c, d, e, f, g, h, i, j, k, l]) = addresses else {
        decoded.stop(start, "FDDI header", "13 bytes are needed, fewer are there");
        return;
    };
    decoded.link_addresses = Some(([*g, *h, *i, *j, *k, *l], [*a, *b, *c, *d, *e, *f]));
    if decoded.push_layer(LayerKind::Fddi, start, start + 13) {
        llc(decoded, start + 13);
    }
}

/// IP over IEEE 1394 as Apple writes it: two 8-byte addresses and a type.
fn ieee1394(decoded: &mut Decoded<'_>, start: usize) {
    let Some(kind) = word(decoded.bytes, start + 16) else {
        decoded.stop(start, "IEEE 1394 header", "18 bytes are needed, fewer are there");
        return;
    };
    if decoded.push_layer(LayerKind::Ethernet, start, start + 18) {
        ether_type(decoded, kind, start + 18);
    }
}

/// The header of OpenBSD's packet filter log; its first byte is its length, padded to 4.
fn pflog(decoded: &mut Decoded<'_>, start: usize) {
    let Some(&length) = decoded.bytes.get(start) else {
        decoded.stop(start, "packet filter log header", "nothing is there");
        return;
    };
    let size = usize::from(length).next_multiple_of(4);
    if size < 4 || decoded.bytes.len() < start + size {
        decoded.stop(start, "packet filter log header", "the header is cut or its length field is wrong");
    } else if decoded.push_layer(LayerKind::Pflog, start, start + size) {
        network::ip(decoded, start + size);
    }
}

/// Netfilter log: family, version, resource, then attributes, one of which is the packet (`LINKTYPE_NFLOG`). Bridges and
/// ARP tables log packets that are not IP; the protocol number stands in network byte order whatever the writer's.
fn nflog(decoded: &mut Decoded<'_>, start: usize) {
    let mut at = start + 4;
    let mut protocol = None;
    for _ in 0..NFLOG_ATTRIBUTES_MAX {
        let (Some(length), Some(kind)) = (word(decoded.bytes, at), word(decoded.bytes, at + 2)) else {
            break;
        };
        // Attributes are in the writer's byte order; a length below 1024 in one order decides it.
        let (length, kind) = if length.swap_bytes() < length {
            (length.swap_bytes(), kind.swap_bytes())
        } else {
            (length, kind)
        };
        if length < 4 {
            break;
        }
        if kind & 0x7fff == NFLOG_HEADER && length >= 6 {
            protocol = word(decoded.bytes, at + 4);
        }
        if kind & 0x7fff == NFLOG_PAYLOAD {
            if decoded.push_layer(LayerKind::Nflog, start, at + 4) {
                nflog_payload(decoded, protocol, at + 4);
            }
            return;
        }
        at += usize::from(length).next_multiple_of(4);
    }
    decoded.stop(at.min(decoded.bytes.len()), "netfilter log", "no attribute holds the packet");
}

fn nflog_payload(decoded: &mut Decoded<'_>, protocol: Option<u16>, at: usize) {
    let is_ip = matches!(decoded.bytes.get(at), Some(0x45..=0x4f | 0x60..=0x6f));
    match protocol {
        Some(kind) if kind > LENGTH_MAX && !matches!(kind, ETHER_IPV4 | ETHER_IPV6) => {
            ether_type(decoded, kind, at);
        }
        // Numbers below the first type are Linux-internal kinds, as in a cooked header.
        Some(4) => llc(decoded, at),
        Some(1..=LENGTH_MAX) if !is_ip => no_further(decoded, at),
        _ => network::ip(decoded, at),
    }
}

fn little(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|b| u32::from_le_bytes(*b))
}

/// Per-packet information: a length and the real link type, both little-endian (`LINKTYPE_PPI`).
fn per_packet_information(decoded: &mut Decoded<'_>, start: usize) {
    let head = (little(decoded.bytes, start), little(decoded.bytes, start + 4));
    let (Some(first), Some(next)) = head else {
        decoded.stop(start, "PPI header", "8 bytes are needed, fewer are there");
        return;
    };
    let size = (first >> 16) as usize;
    nested(decoded, start, size, next, "PPI header");
}

/// Apple's packet tap: a length and the real link type, both little-endian (`LINKTYPE_PKTAP`).
fn pktap(decoded: &mut Decoded<'_>, start: usize) {
    let head = (little(decoded.bytes, start), little(decoded.bytes, start + 8));
    let (Some(size), Some(next)) = head else {
        decoded.stop(start, "packet tap header", "12 bytes are needed, fewer are there");
        return;
    };
    nested(decoded, start, size as usize, next, "packet tap header");
}

fn nested(decoded: &mut Decoded<'_>, start: usize, size: usize, next: u32, reading: &'static str) {
    let end = start.saturating_add(size);
    if size < 8 || end > decoded.bytes.len() || matches!(next, 192 | 258) {
        decoded.stop(start, reading, "the header is cut or its length field is wrong");
    } else if decoded.push_layer(LayerKind::Radiotap, start, end) {
        by_number(u16::try_from(next).unwrap_or(u16::MAX), decoded, end);
    }
}
