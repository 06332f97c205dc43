//! IP, ARP and transport headers, from the network header to the payload.

use etherparse::{
    ArpPacketSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
    TcpHeaderSlice, UdpHeaderSlice,
};

use super::{Address, Decoded, Fragment, LayerKind, Transport};

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
        decoded.stop(start, "IPv4 header", "the header is cut or its length field is wrong");
        return;
    };
    let header_length = header.slice().len();
    enter_network(decoded, start, Address::V4(header.source_addr()), Address::V4(header.destination_addr()));
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

fn ipv6(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    let Ok(header) = Ipv6HeaderSlice::from_slice(rest) else {
        decoded.stop(start, "IPv6 header", "40 bytes are needed, fewer are there");
        return;
    };
    enter_network(decoded, start, Address::V6(header.source_addr()), Address::V6(header.destination_addr()));
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
    transport(decoded, next, at, end);
}

fn enter_network(decoded: &mut Decoded<'_>, start: usize, source: Address, destination: Address) {
    if decoded.source != Address::None && decoded.outer.is_none() {
        decoded.outer = Some((decoded.source, decoded.destination));
    }
    decoded.network_start = start as u32;
    decoded.source = source;
    decoded.destination = destination;
}

/// Reads the transport header; `end` is where the IP packet ends in the captured bytes.
fn transport(decoded: &mut Decoded<'_>, protocol: u8, start: usize, end: usize) {
    decoded.ip_protocol = protocol;
    decoded.transport = Transport::Other(protocol);
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
        _ => {}
    }
}

fn udp(decoded: &mut Decoded<'_>, rest: &[u8], start: usize) {
    let Ok(header) = UdpHeaderSlice::from_slice(rest) else {
        decoded.stop(start, "UDP header", "8 bytes are needed, fewer are there");
        return;
    };
    let length = header.length();
    decoded.transport = Transport::Udp {
        source_port: header.source_port(),
        destination_port: header.destination_port(),
        length,
    };
    decoded.payload_start = (start + 8) as u32;
    if length >= 8 {
        decoded.payload_end = decoded.payload_end.min((start + usize::from(length)) as u32);
    }
    decoded.push_layer(LayerKind::Udp, start, start + 8);
}

fn tcp(decoded: &mut Decoded<'_>, rest: &[u8], start: usize) {
    let Ok(header) = TcpHeaderSlice::from_slice(rest) else {
        decoded.stop(start, "TCP header", "the header is cut or its length field is wrong");
        return;
    };
    decoded.transport = Transport::Tcp {
        source_port: header.source_port(),
        destination_port: header.destination_port(),
        sequence: header.sequence_number(),
        acknowledgment: header.acknowledgment_number(),
        flags: header.slice().get(13).copied().unwrap_or(0),
        window: header.window_size(),
    };
    let header_end = start + header.slice().len();
    decoded.payload_start = header_end as u32;
    decoded.push_layer(LayerKind::Tcp, start, header_end);
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
    decoded.source = address(packet.sender_protocol_addr());
    decoded.destination = address(packet.target_protocol_addr());
    let end = start + packet.slice().len();
    decoded.payload_start = end as u32;
    decoded.payload_end = end as u32;
    decoded.push_layer(LayerKind::Arp, start, end);
}
