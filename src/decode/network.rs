//! IP, ARP and transport headers, from the network header to the payload.

use etherparse::{
    ArpPacketSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
    TcpHeaderSlice, UdpHeaderSlice,
};

use super::{Address, Decoded, Fragment, LayerKind, Transport, link, tunnel};

const IPV6_EXTENSIONS_MAX: usize = 10;

/// Reads an IPv4 or IPv6 header, chosen by its version nibble, and what follows.
pub(super) fn ip(decoded: &mut Decoded<'_>, start: usize) {
    match decoded.bytes.get(start).map(|b| b >> 4) {
        Some(4) => ipv4(decoded, start),
        Some(6) => ipv6(decoded, start),
        Some(_) => decoded.stop(start, "IP header", "the version is neither 4 nor 6"),
        None => decoded.stop(start, "IP header", "nothing is left"),
    }
}

fn ipv4(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    let Ok(header) = Ipv4HeaderSlice::from_slice(rest) else {
        ipv4_cut(decoded, start);
        return;
    };
    let header_length = header.slice().len();
    if !enter_network(
        decoded,
        start,
        Address::V4(header.source_addr()),
        Address::V4(header.destination_addr()),
    ) {
        return;
    }
    decoded.ttl = header.ttl();
    decoded.ip_id = Some(header.identification());
    decoded.ip_length = u32::from(header.total_len());
    let (offset, more) = (u32::from(header.fragments_offset().value()) * 8, header.more_fragments());
    decoded.fragment = (offset > 0 || more).then(|| Fragment {
        id: u32::from(header.identification()),
        offset_bytes: offset,
        more,
    });
    // A total length of 0 is what TCP segmentation offload leaves in captures on the sending host.
    let end = match usize::from(header.total_len()) {
        0 => decoded.bytes.len(),
        length => (start + length.max(header_length)).min(decoded.bytes.len()),
    };
    let protocol = header.protocol().0;
    if decoded.push_layer(LayerKind::Ipv4, start, start + header_length) {
        transport(decoded, protocol, start + header_length, end);
    }
}

/// An IPv4 header that is cut in its options still tells its addresses.
fn ipv4_cut(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    if let Some(fixed) = rest.first_chunk::<20>().filter(|fixed| fixed[0] & 0xf >= 5) {
        let address = |at: usize| fixed.get(at..).and_then(|bytes| bytes.first_chunk::<4>());
        let of = |at: usize| address(at).map_or(Address::None, |bytes| Address::V4((*bytes).into()));
        if !enter_network(decoded, start, of(12), of(16)) {
            return;
        }
        decoded.ttl = fixed[8];
        decoded.ip_protocol = fixed[9];
        decoded.ip_id = Some(u16::from_be_bytes([fixed[4], fixed[5]]));
        decoded.ip_length = u32::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        decoded.push_layer(LayerKind::Ipv4, start, decoded.bytes.len());
    }
    decoded.stop(start, "IPv4 header", "the header is cut or its length field is wrong");
}

fn ipv6(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    let Ok(header) = Ipv6HeaderSlice::from_slice(rest) else {
        decoded.stop(start, "IPv6 header", "40 bytes are needed, fewer are there");
        return;
    };
    if !enter_network(
        decoded,
        start,
        Address::V6(header.source_addr()),
        Address::V6(header.destination_addr()),
    ) {
        return;
    }
    decoded.ttl = header.hop_limit();
    decoded.ip_id = None;
    decoded.ip_length = 40 + u32::from(header.payload_length());
    decoded.fragment = None;
    let end = match usize::from(header.payload_length()) {
        0 => decoded.bytes.len(),
        length => (start + 40 + length).min(decoded.bytes.len()),
    };
    let mut next = header.next_header().0;
    let mut at = start + 40;
    if !decoded.push_layer(LayerKind::Ipv6, start, at) {
        return;
    }
    for _ in 0..IPV6_EXTENSIONS_MAX {
        let rest = decoded.bytes.get(at..end).unwrap_or_default();
        let length = match next {
            44 => {
                let Ok(header) = Ipv6FragmentHeaderSlice::from_slice(rest) else {
                    decoded.stop(at, "IPv6 fragment header", "8 bytes are needed, fewer are there");
                    return;
                };
                let (offset, more) =
                    (u32::from(header.fragment_offset().value()) * 8, header.more_fragments());
                next = header.next_header().0;
                // An atomic fragment (offset 0, nothing more) is a whole packet (RFC 6946).
                decoded.fragment = (offset > 0 || more).then(|| Fragment {
                    id: header.identification(),
                    offset_bytes: offset,
                    more,
                });
                8
            }
            0 | 43 | 60 | 135 | 139 | 140 => {
                let Ok(header) = Ipv6RawExtHeaderSlice::from_slice(rest) else {
                    decoded.stop(at, "IPv6 extension header", "the header is cut");
                    return;
                };
                next = header.next_header().0;
                header.slice().len()
            }
            _ => break,
        };
        if !decoded.push_layer(LayerKind::Ipv6Extension, at, at + length) {
            return;
        }
        at += length;
    }
    if matches!(next, 0 | 43 | 44 | 60 | 135 | 139 | 140) {
        decoded.stop(at, "IPv6 extension header", "more of them follow than are read");
    }
    transport(decoded, next, at, end);
}

/// Makes this IP header the innermost; `false` when tunnels nest too deep to follow.
fn enter_network(decoded: &mut Decoded<'_>, start: usize, source: Address, destination: Address) -> bool {
    if decoded.network_start_known {
        if decoded.tunnels_left == 0 {
            too_deep(decoded, start);
            return false;
        }
        decoded.tunnels_left -= 1;
        decoded.outer = decoded.outer.or(Some((decoded.source, decoded.destination)));
    }
    decoded.network_start_known = true;
    decoded.network_start = start as u32;
    decoded.source = source;
    decoded.destination = destination;
    true
}

fn too_deep(decoded: &mut Decoded<'_>, at: usize) {
    decoded.stop(at, "tunnel", "tunnels nest deeper than they are followed");
}

/// Reads the transport header; `end` is where the IP packet ends in the captured bytes.
fn transport(decoded: &mut Decoded<'_>, protocol: u8, start: usize, end: usize) {
    decoded.ip_protocol = protocol;
    decoded.transport = Transport::Other(protocol);
    decoded.transport_start = start.min(end) as u32;
    decoded.payload_start = start.min(end) as u32;
    decoded.payload_end = end as u32;
    if decoded.fragment.is_some_and(|fragment| fragment.offset_bytes > 0) {
        decoded.transport = Transport::None;
        return;
    }
    let rest = decoded.bytes.get(start..end).unwrap_or_default();
    match protocol {
        17 => udp(decoded, rest, start),
        6 => tcp(decoded, rest, start),
        1 | 58 => icmp(decoded, rest, start, protocol),
        132 => sctp(decoded, rest, start),
        51 => authentication(decoded, rest, start, end),
        4 | 41 | 47 | 97 | 137 if decoded.fragment.is_none() => match protocol {
            _ if decoded.tunnels_left == 0 => too_deep(decoded, start),
            47 => tunnel::gre(decoded, start),
            97 => tunnel::ethernet_in_ip(decoded, start),
            137 => tunnel::mpls(decoded, start),
            _ => ip(decoded, start),
        },
        _ => {}
    }
}

/// IP authentication: next header, length in 4-byte words minus two, then what it covers (RFC 4302 §2).
fn authentication(decoded: &mut Decoded<'_>, rest: &[u8], start: usize, end: usize) {
    let (Some(&next), Some(&words)) = (rest.first(), rest.get(1)) else {
        decoded.stop(start, "authentication header", "the header is cut");
        return;
    };
    let at = start + (usize::from(words) + 2) * 4;
    if at > end {
        decoded.stop(start, "authentication header", "the header is cut");
    } else if decoded.push_layer(LayerKind::Ah, start, at) {
        transport(decoded, next, at, end);
    }
}

/// Ports stand in the first four bytes of UDP, TCP and SCTP and survive almost any cut.
fn ports(rest: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = rest.first_chunk::<4>()?;
    Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
}

fn udp(decoded: &mut Decoded<'_>, rest: &[u8], start: usize) {
    let Ok(header) = UdpHeaderSlice::from_slice(rest) else {
        decoded.stop(start, "UDP header", "8 bytes are needed, fewer are there");
        if let Some((source_port, destination_port)) = ports(rest) {
            let length = link::word(rest, 4).unwrap_or(0);
            decoded.transport = Transport::Udp { source_port, destination_port, length };
            decoded.payload_start = decoded.payload_end;
            decoded.push_layer(LayerKind::Udp, start, start + rest.len());
        }
        return;
    };
    let length = header.length();
    let (source_port, destination_port) = (header.source_port(), header.destination_port());
    decoded.transport = Transport::Udp { source_port, destination_port, length };
    let at = start + 8;
    decoded.payload_start = at as u32;
    if (1..8).contains(&length) {
        // 0 stands for "as long as the IP packet" (RFC 2675 §4, and what offloading leaves).
        decoded.stop(start, "UDP header", "its length field is less than the header");
    }
    if length >= 8 {
        decoded.payload_end = decoded.payload_end.min((start + usize::from(length)) as u32);
    }
    if !decoded.push_layer(LayerKind::Udp, start, at) || decoded.fragment.is_some() {
        return;
    }
    if decoded.payload_end > decoded.payload_start
        && let Some(carrier) = tunnel::udp_carrier(source_port, destination_port)
    {
        if decoded.tunnels_left == 0 {
            too_deep(decoded, at);
        } else {
            tunnel::read(carrier, decoded, at);
        }
    }
}

fn tcp(decoded: &mut Decoded<'_>, rest: &[u8], start: usize) {
    let header = TcpHeaderSlice::from_slice(rest);
    let (end, flags, window) = match &header {
        Ok(header) => (start + header.slice().len(), header.slice().get(13).copied(), header.window_size()),
        Err(_) => (decoded.payload_end as usize, rest.get(13).copied(), link::word(rest, 14).unwrap_or(0)),
    };
    if header.is_err() {
        decoded.stop(start, "TCP header", "the header is cut or its length field is wrong");
    }
    let Some((source_port, destination_port)) = ports(rest) else { return };
    let long = |at: usize| {
        rest.get(at..).and_then(|bytes| bytes.first_chunk::<4>()).map_or(0, |b| u32::from_be_bytes(*b))
    };
    decoded.transport = Transport::Tcp {
        source_port,
        destination_port,
        sequence: long(4),
        acknowledgment: long(8),
        flags: flags.unwrap_or(0),
        window,
    };
    decoded.payload_start = end as u32;
    decoded.push_layer(LayerKind::Tcp, start, end);
}

/// SCTP's common header (RFC 9260 §3.1).
fn sctp(decoded: &mut Decoded<'_>, rest: &[u8], start: usize) {
    let end = start + rest.len().min(12);
    decoded.payload_start = end as u32;
    decoded.push_layer(LayerKind::Sctp, start, end);
    if rest.len() < 12 {
        decoded.stop(start, "SCTP header", "12 bytes are needed, fewer are there");
    }
}

fn icmp(decoded: &mut Decoded<'_>, rest: &[u8], start: usize, protocol: u8) {
    let (Some(&kind), Some(&code)) = (rest.first(), rest.get(1)) else {
        decoded.stop(start, "ICMP header", "8 bytes are needed, fewer are there");
        return;
    };
    let layer = if protocol == 1 {
        decoded.transport = Transport::Icmp { kind, code };
        LayerKind::Icmp
    } else {
        decoded.transport = Transport::Icmpv6 { kind, code };
        LayerKind::Icmpv6
    };
    let header_end = start + rest.len().min(8);
    decoded.payload_start = header_end as u32;
    decoded.push_layer(layer, start, header_end);
}

/// Reads an ARP packet (RFC 826): sender and target IPv4 addresses become source and destination.
pub(super) fn arp(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    let Ok(packet) = ArpPacketSlice::from_slice(rest) else {
        decoded.stop(start, "ARP packet", "the packet is cut");
        return;
    };
    let address = |bytes: &[u8]| bytes.first_chunk::<4>().map_or(Address::None, |b| Address::V4((*b).into()));
    // Inside a tunnel the carrying packet's addresses stay.
    if !decoded.network_start_known {
        decoded.source = address(packet.sender_protocol_addr());
        decoded.destination = address(packet.target_protocol_addr());
    }
    decoded.transport = Transport::None;
    let end = start + packet.slice().len();
    decoded.payload_start = end as u32;
    decoded.payload_end = end as u32;
    decoded.push_layer(LayerKind::Arp, start, end);
}
