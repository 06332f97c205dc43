//! Headers that carry another packet: MPLS, GRE, ERSPAN, VXLAN, GENEVE, Teredo, GTP-U, L2TP, NSH.
//!
//! How deep they may nest is limited by [`super::TUNNELS_MAX`] and [`super::LAYERS_MAX`].

use super::link::{self, ether_type, ethernet, no_further, ppp, word};
use super::{Decoded, LayerKind, network};

/// Extension headers of one GTP-U packet that are passed.
const GTP_EXTENSIONS_MAX: usize = 8;
const TRANSPARENT_ETHERNET: u16 = 0x6558;

/// Ports below 1024 belong to services; their clients' ports are chosen at random and may be a tunnel's by chance.
const SERVICE_PORTS: std::ops::Range<u16> = 1..1024;

/// UDP ports whose payload is another packet. A packet from or to a service's port is that service's: an answer of a DNS
/// server to a client port of 4789 is no VXLAN.
pub(super) fn udp_carrier(source_port: u16, destination_port: u16) -> Option<Carrier> {
    if SERVICE_PORTS.contains(&source_port) || SERVICE_PORTS.contains(&destination_port) {
        return None;
    }
    Some(match (source_port, destination_port) {
        (_, 4789 | 8472) | (4789, _) => Carrier::Vxlan,
        (_, 4790) | (4790, _) => Carrier::VxlanGpe,
        (_, 6081) | (6081, _) => Carrier::Geneve,
        (3544, _) | (_, 3544) => Carrier::Teredo,
        (2152, _) | (_, 2152) => Carrier::Gtp,
        (1701, _) | (_, 1701) => Carrier::L2tp,
        (_, 4754) => Carrier::Gre,
        (_, 6635) => Carrier::Mpls,
        (_, 4341) => Carrier::Lisp,
        _ => return None,
    })
}

/// What a UDP port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Vxlan,
    VxlanGpe,
    Geneve,
    Teredo,
    Gtp,
    L2tp,
    Gre,
    Mpls,
    Lisp,
}

/// Reads the tunnel header at `start` and the packet in it; what does not look like one is left as payload.
pub(super) fn read(carrier: Carrier, decoded: &mut Decoded<'_>, start: usize) {
    match carrier {
        Carrier::Vxlan => vxlan(decoded, start),
        Carrier::VxlanGpe => vxlan_gpe(decoded, start),
        Carrier::Geneve => geneve(decoded, start),
        Carrier::Teredo => teredo(decoded, start),
        Carrier::Gtp => gtp(decoded, start),
        Carrier::L2tp => l2tp(decoded, start),
        Carrier::Gre => gre(decoded, start),
        Carrier::Mpls => mpls(decoded, start),
        Carrier::Lisp => lisp(decoded, start),
    }
}

/// A label stack, then whatever the first nibble suggests (RFC 3032 §2; RFC 4385 §3).
pub(super) fn mpls(decoded: &mut Decoded<'_>, start: usize) {
    let mut at = start;
    loop {
        let Some(&[_, _, bottom, _]) = decoded.bytes.get(at..at + 4) else {
            decoded.stop(at, "MPLS label", "4 bytes are needed, fewer are there");
            return;
        };
        // The limit on layers also ends a stack without a bottom.
        if !decoded.push_layer(LayerKind::Mpls, at, at + 4) {
            return;
        }
        at += 4;
        if bottom & 1 != 0 {
            break;
        }
    }
    match decoded.bytes.get(at).map(|byte| byte >> 4) {
        Some(4 | 6) => network::ip(decoded, at),
        // A pseudowire control word begins with a zero nibble; an Ethernet frame follows it.
        Some(0) => ethernet(decoded, at + 4),
        Some(_) => ethernet(decoded, at),
        None => decoded.stop(at, "MPLS payload", "nothing is left"),
    }
}

/// GRE of version 0 and 1 (RFC 2784, RFC 2890, RFC 2637 §4.1).
pub(super) fn gre(decoded: &mut Decoded<'_>, start: usize) {
    let (Some(flags), Some(kind)) = (word(decoded.bytes, start), word(decoded.bytes, start + 2)) else {
        decoded.stop(start, "GRE header", "4 bytes are needed, fewer are there");
        return;
    };
    let mut size = 4;
    if flags & 0xc000 != 0 {
        size += 4;
    }
    if flags & 0x2000 != 0 {
        size += 4;
    }
    let sequenced = flags & 0x1000 != 0;
    if sequenced {
        size += 4;
    }
    if flags & 7 == 1 && flags & 0x80 != 0 {
        size += 4;
    }
    let at = start + size;
    if decoded.bytes.len() < at {
        decoded.stop(start, "GRE header", "the header is cut");
        return;
    }
    if !decoded.push_layer(LayerKind::Gre, start, at) || at == decoded.bytes.len() {
        return;
    }
    match kind {
        0x88be if sequenced => erspan(decoded, at, 8),
        0x88be | TRANSPARENT_ETHERNET => ethernet(decoded, at),
        0x22eb => {
            let optional = decoded.bytes.get(at + 11).is_some_and(|byte| byte & 1 != 0);
            erspan(decoded, at, if optional { 20 } else { 12 });
        }
        0x880b => ppp(decoded, at),
        // A WCCP redirect header of 4 bytes may stand before the packet.
        0x883e if decoded.bytes.get(at).is_some_and(|byte| byte >> 4 != 4) => network::ip(decoded, at + 4),
        0x883e => network::ip(decoded, at),
        _ => ether_type(decoded, kind, at),
    }
}

fn erspan(decoded: &mut Decoded<'_>, start: usize, size: usize) {
    if decoded.bytes.len() < start + size {
        decoded.stop(start, "ERSPAN header", "the header is cut");
    } else if decoded.push_layer(LayerKind::Erspan, start, start + size) {
        ethernet(decoded, start + size);
    }
}

/// VXLAN: flags with the I bit, network identifier, then Ethernet (RFC 7348 §5).
fn vxlan(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    let Some(header) = rest.first_chunk::<8>() else {
        decoded.stop(start, "VXLAN header", "8 bytes are needed, fewer are there");
        return;
    };
    if header[0] & 8 != 0 && decoded.push_layer(LayerKind::Vxlan, start, start + 8) {
        ethernet(decoded, start + 8);
    }
}

fn vxlan_gpe(decoded: &mut Decoded<'_>, start: usize) {
    let Some(&next) = decoded.bytes.get(start + 3).filter(|_| decoded.bytes.len() >= start + 8) else {
        decoded.stop(start, "VXLAN header", "8 bytes are needed, fewer are there");
        return;
    };
    if decoded.push_layer(LayerKind::Vxlan, start, start + 8) {
        match next {
            1 | 2 => network::ip(decoded, start + 8),
            3 => ethernet(decoded, start + 8),
            4 => service_header(decoded, start + 8),
            5 => mpls(decoded, start + 8),
            _ => {}
        }
    }
}

/// GENEVE: version, option length, protocol type (RFC 8926 §3.4).
fn geneve(decoded: &mut Decoded<'_>, start: usize) {
    let (Some(&first), Some(kind)) = (decoded.bytes.get(start), word(decoded.bytes, start + 2)) else {
        decoded.stop(start, "GENEVE header", "8 bytes are needed, fewer are there");
        return;
    };
    let at = start + 8 + usize::from(first & 0x3f) * 4;
    if first >> 6 != 0 {
        return;
    }
    if at > decoded.bytes.len() {
        decoded.stop(start, "GENEVE header", "the header is cut");
    } else if decoded.push_layer(LayerKind::Geneve, start, at) {
        if kind == TRANSPARENT_ETHERNET {
            ethernet(decoded, at);
        } else {
            ether_type(decoded, kind, at);
        }
    }
}

/// Teredo: authentication and origin indications, then IPv6 (RFC 4380 §5.1.1).
fn teredo(decoded: &mut Decoded<'_>, start: usize) {
    let mut at = start;
    if word(decoded.bytes, at) == Some(1) {
        let length = |offset: usize| decoded.bytes.get(at + offset).map_or(0, |byte| usize::from(*byte));
        at += 13 + length(2) + length(3);
    }
    if word(decoded.bytes, at) == Some(0) {
        at += 8;
    }
    if decoded.bytes.get(at).map(|byte| byte >> 4) == Some(6)
        && decoded.push_layer(LayerKind::Teredo, start, at)
    {
        network::ip(decoded, at);
    }
}

/// GTP-U G-PDUs of version 1 and 0 (3GPP TS 29.281 §5.1).
fn gtp(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    let (Some(&flags), Some(&kind)) = (rest.first(), rest.get(1)) else {
        decoded.stop(start, "GTP header", "8 bytes are needed, fewer are there");
        return;
    };
    if kind != 255 || flags & 0x10 == 0 {
        return;
    }
    let mut at = start + if flags >> 5 == 0 { 20 } else { 8 };
    if flags >> 5 == 1 && flags & 7 != 0 {
        at += 4;
        let mut next = if flags & 4 != 0 { decoded.bytes.get(at - 1).copied().unwrap_or(0) } else { 0 };
        for _ in 0..GTP_EXTENSIONS_MAX {
            let length = decoded.bytes.get(at).map_or(0, |words| usize::from(*words) * 4);
            if next == 0 || length == 0 {
                break;
            }
            at += length;
            next = decoded.bytes.get(at - 1).copied().unwrap_or(0);
        }
    }
    match decoded.bytes.get(at).map(|byte| byte >> 4) {
        Some(4 | 6) => {
            if decoded.push_layer(LayerKind::Gtp, start, at) {
                network::ip(decoded, at);
            }
        }
        Some(_) => {}
        None => decoded.stop(start, "GTP header", "the header is cut"),
    }
}

/// L2TP version 2 data messages: optional fields by flag, then PPP (RFC 2661 §3.1).
fn l2tp(decoded: &mut Decoded<'_>, start: usize) {
    let Some(flags) = word(decoded.bytes, start) else {
        decoded.stop(start, "L2TP header", "6 bytes are needed, fewer are there");
        return;
    };
    if flags & 0x8000 != 0 || flags & 0xf != 2 {
        return;
    }
    let mut at = start + if flags & 0x4000 != 0 { 8 } else { 6 };
    if flags & 0x0800 != 0 {
        at += 4;
    }
    if flags & 0x0200 != 0 {
        at += 2 + word(decoded.bytes, at).map_or(0, usize::from);
    }
    if at >= decoded.bytes.len() {
        decoded.stop(start, "L2TP header", "the header is cut");
    } else if decoded.push_layer(LayerKind::L2tp, start, at) {
        ppp(decoded, at);
    }
}

/// LISP data: 8 bytes, then IP (RFC 9300 §5.1).
fn lisp(decoded: &mut Decoded<'_>, start: usize) {
    if matches!(decoded.bytes.get(start + 8).map(|byte| byte >> 4), Some(4 | 6))
        && decoded.push_layer(LayerKind::Lisp, start, start + 8)
    {
        network::ip(decoded, start + 8);
    }
}

/// A network service header: length in words, next protocol (RFC 8300 §2.2).
pub(super) fn service_header(decoded: &mut Decoded<'_>, start: usize) {
    let (Some(&length), Some(&next)) = (decoded.bytes.get(start + 1), decoded.bytes.get(start + 3)) else {
        decoded.stop(start, "NSH header", "8 bytes are needed, fewer are there");
        return;
    };
    let at = start + usize::from(length & 0x3f) * 4;
    if at < start + 8 || at > decoded.bytes.len() {
        decoded.stop(start, "NSH header", "the header is cut or its length field is wrong");
    } else if decoded.push_layer(LayerKind::Nsh, start, at) {
        match next {
            1 | 2 => network::ip(decoded, at),
            3 => ethernet(decoded, at),
            5 => mpls(decoded, at),
            _ => link::no_further(decoded, at),
        }
    }
}

/// Ethernet within IP: two bytes, then a frame (RFC 3378).
pub(super) fn ethernet_in_ip(decoded: &mut Decoded<'_>, start: usize) {
    if decoded.bytes.len() < start + 2 {
        no_further(decoded, start);
    } else {
        ethernet(decoded, start + 2);
    }
}
