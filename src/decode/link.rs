//! Link-layer headers: from a frame's first byte to the network header.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{Decoded, LayerKind, network, transcript};
use crate::capture::LinkType;

const ETHER_IPV4: u16 = 0x0800;
const ETHER_ARP: u16 = 0x0806;
const ETHER_IPV6: u16 = 0x86dd;

/// Reads the frame from its link header on.
pub(super) fn read(link_type: LinkType, decoded: &mut Decoded<'_>) {
    match link_type {
        LinkType::ETHERNET => ethernet(decoded, 0),
        LinkType::RAW | LinkType(12 | 14 | 228 | 229) => network::ip(decoded, 0),
        LinkType::NULL | LinkType::LOOP => loopback(decoded),
        LinkType::LINUX_SLL => cooked(decoded),
        LinkType::LINUX_SLL2 => cooked2(decoded),
        LinkType::TRANSCRIPT => transcript::fill(decoded),
        _ => decoded.stop(0, "link header", "this link type is not read"),
    }
}

fn ethernet(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    let Ok(header) = Ethernet2HeaderSlice::from_slice(rest) else {
        decoded.stop(start, "Ethernet header", "14 bytes are needed, fewer are there");
        return;
    };
    decoded.link_addresses = Some((header.source(), header.destination()));
    if decoded.push_layer(LayerKind::Ethernet, start, start + 14) {
        ether_type(decoded, header.ether_type().0, start + 14);
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
    }
    decoded.ether_type = kind;
    match kind {
        ETHER_IPV4 | ETHER_IPV6 => network::ip(decoded, at),
        ETHER_ARP => network::arp(decoded, at),
        _ => {
            decoded.payload_start = at as u32;
            decoded.payload_end = decoded.bytes.len() as u32;
        }
    }
}

fn loopback(decoded: &mut Decoded<'_>) {
    let Some(family) = decoded.bytes.first_chunk::<4>() else {
        decoded.stop(0, "loopback header", "4 bytes are needed, fewer are there");
        return;
    };
    let family = match u32::from_le_bytes(*family) {
        small if small < 0x1_0000 => small,
        _ => u32::from_be_bytes(*family),
    };
    if !decoded.push_layer(LayerKind::Loopback, 0, 4) {
        return;
    }
    match family {
        2 | 10 | 24 | 28 | 30 => network::ip(decoded, 4),
        _ => decoded.stop(4, "loopback header", "the address family is neither IPv4 nor IPv6"),
    }
}

fn cooked(decoded: &mut Decoded<'_>) {
    let Some(kind) = decoded.bytes.get(14..16).and_then(|b| b.first_chunk::<2>()) else {
        decoded.stop(0, "Linux cooked header", "16 bytes are needed, fewer are there");
        return;
    };
    let kind = u16::from_be_bytes(*kind);
    if decoded.push_layer(LayerKind::Sll, 0, 16) {
        ether_type(decoded, kind, 16);
    }
}

fn cooked2(decoded: &mut Decoded<'_>) {
    let Some(kind) = decoded.bytes.first_chunk::<2>().filter(|_| decoded.bytes.len() >= 20) else {
        decoded.stop(0, "Linux cooked header", "20 bytes are needed, fewer are there");
        return;
    };
    let kind = u16::from_be_bytes(*kind);
    if decoded.push_layer(LayerKind::Sll2, 0, 20) {
        ether_type(decoded, kind, 20);
    }
}
