//! Pseudonyms inside packets: headers, ARP, DNS messages and ICMP quotes are rewritten in place, other contents cut.
//!
//! What a header may carry beside its fixed fields (IP options, extension headers, attributes of capture headers) is blanked.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Pseudonyms, public_labels};
use crate::capture::LinkType;
use crate::decode::{Decoded, LayerKind, Quote, Transport, decode, dns};
use crate::protocols::{ProtocolId, classify};

/// Records of a message that are rewritten; what follows is blanked.
const RECORDS_MAX: usize = 4_096;

/// Rewrites one packet. The result is never longer than the input.
pub fn redact(pseudonyms: &mut Pseudonyms, link_type: LinkType, bytes: &[u8]) -> Vec<u8> {
    let decoded = decode(link_type, bytes);
    if decoded.layers().is_empty() {
        return Vec::new();
    }
    let mut out = bytes.to_vec();
    headers(pseudonyms, &decoded, &mut out);
    capture_header(link_type, &decoded, &mut out);
    let keep = if decoded.is_icmp_error() {
        quote(pseudonyms, &decoded, &mut out)
    } else {
        contents(pseudonyms, &decoded, &mut out)
    };
    out.truncate(keep);
    checksums(&decoded, &mut out);
    out
}

fn headers(pseudonyms: &mut Pseudonyms, decoded: &Decoded<'_>, out: &mut [u8]) {
    for layer in decoded.layers() {
        let start = layer.start as usize;
        match layer.kind {
            LayerKind::Ethernet => {
                ether(pseudonyms, out, start);
                ether(pseudonyms, out, start + 6);
            }
            LayerKind::Sll => ether(pseudonyms, out, start + 6),
            LayerKind::Sll2 => ether(pseudonyms, out, start + 12),
            LayerKind::Ipv4 => {
                v4(pseudonyms, out, start + 12);
                v4(pseudonyms, out, start + 16);
                let header = layer.start as usize..layer.end as usize;
                // Options record routes: "no operation" stands in their place (RFC 791 §3.1).
                fill(out, start + 20..header.end, 1);
                set_checksum(out, header.clone(), start + 10, 0);
            }
            LayerKind::Ipv6 => {
                v6(pseudonyms, out, start + 8);
                v6(pseudonyms, out, start + 24);
            }
            LayerKind::Arp => {
                ether(pseudonyms, out, start + 8);
                v4(pseudonyms, out, start + 14);
                ether(pseudonyms, out, start + 18);
                v4(pseudonyms, out, start + 24);
            }
            // Between two access points (To DS and From DS) a fourth address follows (IEEE 802.11 §9.3.2.1).
            LayerKind::Ieee80211 => {
                let relayed = out.get(start + 1).is_some_and(|flags| flags & 3 == 3);
                let places: &[usize] = if relayed { &[4, 10, 16, 24] } else { &[4, 10, 16] };
                for at in places {
                    ether(pseudonyms, out, start + at);
                }
            }
            LayerKind::Fddi => [1, 7].iter().for_each(|at| ether(pseudonyms, out, start + at)),
            // Routing headers and destination options hold addresses; next header and length stay.
            LayerKind::Ipv6Extension if !is_fragment(decoded, layer.start) => {
                fill(out, start + 2..layer.end as usize, 0);
            }
            // A redirect names a gateway (RFC 792).
            LayerKind::Icmp if out.get(start) == Some(&5) => v4(pseudonyms, out, start + 4),
            // Of other ICMP messages that are no error, the second word may be an address.
            LayerKind::Icmp if matches!(out.get(start), Some(17 | 18)) => fill(out, start + 8..start + 12, 0),
            _ => {}
        }
    }
}

fn fill(out: &mut [u8], range: std::ops::Range<usize>, value: u8) {
    let end = range.end.min(out.len());
    if let Some(part) = out.get_mut(range.start.min(end)..end) {
        part.fill(value);
    }
}

/// Whether the extension header that begins here is a fragment header, whose fields say where the piece belongs.
fn is_fragment(decoded: &Decoded<'_>, start: u32) -> bool {
    let before = decoded.layers().iter().take_while(|layer| layer.start < start).last();
    let next = before.and_then(|layer| match layer.kind {
        LayerKind::Ipv6 => decoded.bytes.get(layer.start as usize + 6),
        LayerKind::Ipv6Extension => decoded.bytes.get(layer.start as usize),
        _ => None,
    });
    next == Some(&44)
}

/// Blanks what headers made by the capturing system say beside how to read the frame: names of interfaces, of
/// rules and of programs, positions, hardware addresses.
fn capture_header(link_type: LinkType, decoded: &Decoded<'_>, out: &mut [u8]) {
    let Some(first) = decoded.layers().first() else { return };
    let end = first.end as usize;
    match link_type.0 {
        // OpenBSD's packet filter log: length, family, action, reason; then names (PFLOG).
        117 => fill(out, 4..end, 0),
        // IP over IEEE 1394: two hardware addresses.
        138 => fill(out, 0..16, 0),
        // Per-packet information: version, flags, length and link type; then attributes.
        192 => fill(out, 8..end, 0),
        // Packet tap: length, type and link type; then names of interface and program.
        258 => fill(out, 12..end, 0),
        239 => netfilter_log(out, end),
        _ => {}
    }
}

/// Blanks every attribute before the packet, but not what it is and how long.
fn netfilter_log(out: &mut [u8], end: usize) {
    let mut at = 4;
    // The last attribute's four bytes are the packet's.
    while at + 8 <= end {
        let Some([a, b]) = out.get(at..).and_then(|rest| rest.first_chunk::<2>()).copied() else { return };
        // Attributes are in the writer's byte order, as when they are read.
        let length = usize::from(u16::from_be_bytes([a, b]).min(u16::from_le_bytes([a, b])));
        if length < 4 {
            return;
        }
        fill(out, at + 4..(at + length).min(end - 4), 0);
        at += length.next_multiple_of(4);
    }
}

fn ether(pseudonyms: &mut Pseudonyms, out: &mut [u8], at: usize) {
    if let Some(slot) = out.get_mut(at..at + 6).and_then(|slot| slot.first_chunk_mut::<6>()) {
        *slot = pseudonyms.ether(*slot);
    }
}

fn v4(pseudonyms: &mut Pseudonyms, out: &mut [u8], at: usize) {
    if let Some(slot) = out.get_mut(at..at + 4).and_then(|slot| slot.first_chunk_mut::<4>()) {
        *slot = pseudonyms.v4(Ipv4Addr::from(*slot)).octets();
    }
}

fn v6(pseudonyms: &mut Pseudonyms, out: &mut [u8], at: usize) {
    if let Some(slot) = out.get_mut(at..at + 16).and_then(|slot| slot.first_chunk_mut::<16>()) {
        *slot = pseudonyms.v6(Ipv6Addr::from(*slot)).octets();
    }
}

/// Rewrites DNS over UDP; says how many bytes of the frame may be kept.
fn contents(pseudonyms: &mut Pseudonyms, decoded: &Decoded<'_>, out: &mut [u8]) -> usize {
    let (start, end) = (decoded.payload_start as usize, decoded.payload_end as usize);
    let is_name_service = matches!(
        classify(decoded, &pseudonyms.settings),
        ProtocolId::DNS | ProtocolId::MDNS | ProtocolId::LLMNR
    );
    match decoded.transport {
        Transport::Udp { .. } if is_name_service && decoded.fragment.is_none() => {
            if let Some(message) = out.get_mut(start..end) {
                dns_message(pseudonyms, message);
            }
            end
        }
        // Neither a ping nor a router advertisement is kept beyond its header.
        _ if decoded.layers().last().is_some_and(|layer| layer.kind == LayerKind::Arp) => start,
        _ => start.min(out.len()),
    }
}

/// Rewrites the packet quoted in an ICMP error.
fn quote(pseudonyms: &mut Pseudonyms, decoded: &Decoded<'_>, out: &mut [u8]) -> usize {
    let end = (decoded.payload_end as usize).min(out.len());
    let Some(quote) = Quote::read(decoded) else { return (decoded.payload_start as usize).min(out.len()) };
    headers(pseudonyms, &quote.inner, out);
    let kept = quoted_contents(pseudonyms, &quote, end, out);
    // What was quoted whole gets the checksum that the redacted original has.
    if kept >= quote.inner.payload_end as usize {
        checksums(&quote.inner, out);
    }
    kept
}

/// Rewrites what the quoted packet carried; says how many bytes of the frame may be kept.
fn quoted_contents(pseudonyms: &mut Pseudonyms, quote: &Quote<'_>, end: usize, out: &mut [u8]) -> usize {
    let (start, stop) = (quote.inner.payload_start as usize, (quote.inner.payload_end as usize).min(end));
    let settings = &pseudonyms.settings;
    let dns =
        quote.inner.ports().is_some_and(|(from, to)| settings.is_dns_port(from) || settings.is_dns_port(to));
    match quote.inner.transport {
        Transport::Udp { .. } if dns => {
            if let Some(message) = out.get_mut(start..stop) {
                dns_message(pseudonyms, message);
            }
            stop
        }
        Transport::Udp { .. } | Transport::Tcp { .. } => start.min(end),
        _ => stop.min(start + 8).min(end),
    }
}

/// Rewrites names and addresses of a DNS message in place; what cannot be read is blanked.
fn dns_message(pseudonyms: &mut Pseudonyms, message: &mut [u8]) {
    let count = |message: &[u8], at: usize| {
        message
            .get(at..at + 2)
            .and_then(|b| b.first_chunk::<2>())
            .map_or(0, |b| usize::from(u16::from_be_bytes(*b)))
    };
    let questions = count(message, 4);
    let records = count(message, 6) + count(message, 8) + count(message, 10);
    let mut done = HashSet::new();
    let mut at = 12;
    for _ in 0..questions.min(RECORDS_MAX) {
        match name(pseudonyms, message, at, &mut done) {
            Some(end) => at = end + 4,
            None => return blank(message, at),
        }
    }
    for _ in 0..records.min(RECORDS_MAX) {
        let Some(end) = name(pseudonyms, message, at, &mut done) else { return blank(message, at) };
        let kind = count(message, end);
        let length = count(message, end + 8);
        let data = end + 10;
        if message.len() < data + length {
            return blank(message, data.min(message.len()));
        }
        record(pseudonyms, message, kind, data..data + length, &mut done);
        at = data + length;
    }
    blank(message, at);
}

fn record(
    pseudonyms: &mut Pseudonyms,
    message: &mut [u8],
    kind: usize,
    data: std::ops::Range<usize>,
    done: &mut HashSet<usize>,
) {
    let rewritten = match kind {
        1 => {
            v4(pseudonyms, message, data.start);
            data.start + 4
        }
        28 => {
            v6(pseudonyms, message, data.start);
            data.start + 16
        }
        2 | 5 | 12 | 39 => name(pseudonyms, message, data.start, done).unwrap_or(data.start),
        15 => name(pseudonyms, message, data.start + 2, done).unwrap_or(data.start),
        33 => name(pseudonyms, message, data.start + 6, done).unwrap_or(data.start),
        6 => {
            let second = name(pseudonyms, message, data.start, done);
            let numbers = second.and_then(|at| name(pseudonyms, message, at, done));
            numbers.map_or(data.start, |_| data.end)
        }
        41 => {
            options(message, data.clone());
            data.end
        }
        _ => data.start,
    };
    if let Some(rest) = message.get_mut(rewritten.min(data.end)..data.end) {
        rest.fill(b'x');
    }
}

/// Blanks the contents of EDNS options except the number of an extended error (RFC 8914).
fn options(message: &mut [u8], data: std::ops::Range<usize>) {
    let mut at = data.start;
    while let Some([a, b, c, d]) =
        message.get(at..(at + 4).min(data.end)).and_then(|h| h.first_chunk::<4>()).copied()
    {
        let (code, length) = (u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d])));
        let kept = if code == 15 { 2 } else { 0 };
        let end = (at + 4 + length).min(data.end);
        if let Some(content) = message.get_mut((at + 4 + kept).min(end)..end) {
            content.fill(0);
        }
        at = end;
    }
}

fn blank(message: &mut [u8], from: usize) {
    if let Some(rest) = message.get_mut(from..) {
        rest.fill(0);
    }
}

/// Rewrites the labels of a name that stand here, each once, down to its public suffix; gives the offset after the name.
fn name(
    pseudonyms: &mut Pseudonyms,
    message: &mut [u8],
    at: usize,
    done: &mut HashSet<usize>,
) -> Option<usize> {
    // Suffixes are kept, so that what was rewritten before and is pointed to has the same one.
    let (count, public) = match dns::read_name(message, at) {
        Ok((name, _)) => extent(name.wire()),
        Err(_) => (usize::MAX, 0),
    };
    let (mut position, mut number) = (at, 0);
    loop {
        let length = usize::from(*message.get(position)?);
        match length {
            0 => return Some(position + 1),
            0xc0.. => return message.get(position + 1).map(|_| position + 2),
            1..=63 => {
                message.get(position + 1 + length)?;
                let label = message.get_mut(position + 1..position + 1 + length)?;
                if number + public < count && done.insert(position) {
                    let masked = pseudonyms.label(label);
                    label.copy_from_slice(&masked);
                }
                number += 1;
                position += 1 + length;
            }
            _ => return None,
        }
    }
}

/// How many labels a name has, and how many at its end are public; a name of one label is somebody's host.
fn extent(wire: &[u8]) -> (usize, usize) {
    let (mut count, mut rest) = (0, wire);
    while let Some((&length, tail)) = rest.split_first().filter(|(length, _)| **length > 0) {
        count += 1;
        rest = tail.get(usize::from(length)..).unwrap_or_default();
    }
    let public = if count > 1 { public_labels(&dns::presentation(wire)) } else { 0 };
    (count, public)
}

/// Makes the checksums of UDP and ICMP fit again where the whole datagram is kept.
fn checksums(decoded: &Decoded<'_>, out: &mut [u8]) {
    let Some(layer) = decoded.layers().last().copied() else { return };
    let (start, end) = (layer.start as usize, decoded.payload_end as usize);
    if end > out.len() || decoded.stopped.is_some() || decoded.fragment.is_some() {
        return;
    }
    let network = decoded.network_start as usize;
    let addresses = match decoded.ip_id {
        Some(_) => network + 12..network + 20,
        None => network + 8..network + 40,
    };
    let pseudo: u32 =
        words(out.get(addresses).unwrap_or_default()) + u32::from(decoded.ip_protocol) + (end - start) as u32;
    match layer.kind {
        LayerKind::Udp => {
            let sent = out.get(start + 6..start + 8).is_some_and(|sum| sum != [0, 0]);
            if sent {
                set_checksum(out, start..end, start + 6, pseudo);
            }
        }
        LayerKind::Icmp => set_checksum(out, start..end, start + 2, 0),
        LayerKind::Icmpv6 => set_checksum(out, start..end, start + 2, pseudo),
        _ => {}
    }
}

/// Writes the Internet checksum (RFC 1071) of a range at `at`, which lies in it.
fn set_checksum(out: &mut [u8], range: std::ops::Range<usize>, at: usize, pseudo: u32) {
    if out.get(range.clone()).is_none() || !range.contains(&(at + 1)) {
        return;
    }
    if let Some(slot) = out.get_mut(at..at + 2) {
        slot.fill(0);
    }
    let mut sum = pseudo + words(out.get(range).unwrap_or_default());
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = match !(sum as u16) {
        0 => 0xffff,
        sum => sum,
    };
    if let Some(slot) = out.get_mut(at..at + 2) {
        slot.copy_from_slice(&sum.to_be_bytes());
    }
}

fn words(bytes: &[u8]) -> u32 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let high = u32::from(pair.first().copied().unwrap_or(0));
        let low = u32::from(pair.get(1).copied().unwrap_or(0));
        sum = sum.wrapping_add(high << 8 | low);
        // Folded as it grows, so that jumbo datagrams do not overflow.
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture;
    use crate::index::{Input, PacketId, Progress, build};

    fn index(name: &str) -> crate::index::Index {
        let (source, walk) = capture::open(std::path::Path::new(name)).unwrap();
        build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {})
    }

    #[test]
    fn nothing_identifying_is_left_and_quotes_still_fit() {
        let index = index("tests/captures/lab/00_seed_reenacted.pcap");
        let mut pseudonyms = Pseudonyms::of(&index);
        let mut packets = Vec::new();
        for id in 0..index.len() {
            let packet = index.packet(PacketId(id)).unwrap();
            packets.push((packet.link_type(), redact(&mut pseudonyms, packet.link_type(), packet.bytes())));
        }
        for (_, bytes) in &packets {
            assert!(!bytes.windows(5).any(|w| w == b"yummy"));
            assert!(!bytes.windows(4).any(|w| w == [192, 51, 100, 15] || w == [203, 0, 113, 2]));
        }
        let query = decode(packets[0].0, &packets[0].1);
        let error = decode(packets[1].0, &packets[1].1);
        let quote = Quote::read(&error).unwrap();
        assert_eq!(quote.inner.source, query.source);
        assert_eq!(quote.payload(), query.payload());
    }

    #[test]
    fn any_bytes_can_be_redacted() {
        let mut pseudonyms = Pseudonyms::default();
        let index = index("tests/captures/incidents/10b_fragments_lost_client_side.pcap");
        for id in 0..index.len().min(80) {
            let packet = index.packet(PacketId(id)).unwrap();
            for cut in 0..packet.bytes().len() {
                let bytes = &packet.bytes()[..cut];
                assert!(redact(&mut pseudonyms, packet.link_type(), bytes).len() <= cut);
                let mut noise = bytes.to_vec();
                noise.iter_mut().enumerate().for_each(|(at, b)| *b ^= (at * 7 + cut) as u8 & 0x55);
                assert!(redact(&mut pseudonyms, packet.link_type(), &noise).len() <= cut);
            }
        }
    }
}
