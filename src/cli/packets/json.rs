//! One packet as one JSON object, written by hand: no allocation but the output's own.

use std::io::Write as _;
use std::net::Ipv4Addr;

use crate::attempts::ties;
use crate::cli::load::Loaded;
use crate::decode::{Address, Decoded, Quote, Transport, dns, transcript};
use crate::index::segment::flags;
use crate::index::{FrameNumber, Packet, source_label};
use crate::protocols::ProtocolId;
use crate::protocols::dns::{push_class_name, push_type_name};
use crate::settings::Settings;

/// Appends the object of one packet and a line feed.
pub(super) fn write(loaded: &Loaded, packet: &Packet<'_>, out: &mut Vec<u8>) {
    let decoded = packet.decode();
    out.extend_from_slice(b"{");
    out.extend_from_slice(b"\"file\":\"");
    out.extend_from_slice(source_label(packet.segment.source).as_bytes());
    out.extend_from_slice(b"\",");
    if let Some(sensor) = &packet.source.place.sensor {
        out.extend_from_slice(b"\"sensor\":");
        text(out, sensor);
        out.push(b',');
    }
    out.extend_from_slice(b"\"frame\":");
    number(out, packet.frame().0);
    out.extend_from_slice(b",\"time_ns\":");
    if packet.flags() & flags::NO_TIME == 0 {
        signed(out, packet.time_ns());
    } else {
        out.extend_from_slice(b"null");
    }
    // A transcript prints the length of the payload; that of the frame only with `-e`.
    if let Some(length) = packet.told_length() {
        out.extend_from_slice(b",\"length\":");
        number(out, u64::from(length));
    }
    if !packet.is_text() {
        out.extend_from_slice(b",\"captured_length\":");
        number(out, u64::from(packet.captured()));
    }
    endpoints(packet, &decoded, out);
    network(packet, &decoded, out);
    if let Some(line) = packet.printed() {
        printed(&line, out);
    } else {
        if let Some(message) = packet.dns().and_then(|row| dns::read(packet.message(row))) {
            out.extend_from_slice(b",\"dns\":");
            dns_object(&message, out);
        }
        further_messages(packet, out);
        icmp_object(packet.datagram().as_ref().unwrap_or(&decoded), &packet.source.settings, out);
    }
    links(loaded, packet, out);
    out.extend_from_slice(b"}\n");
}

fn endpoints(packet: &Packet<'_>, decoded: &Decoded<'_>, out: &mut Vec<u8>) {
    if let Some(line) = packet.printed() {
        return printed_endpoints(&line, out);
    }
    if !decoded.is_ip() {
        return;
    }
    // The ports of a fragmented packet are told where it is complete. A printed line may lack a port.
    let ports = match packet.transport() {
        _ if packet.protocol() == ProtocolId::FRAGMENT => None,
        6 | 17 if packet.assemblies().iter().any(|assembly| assembly.is_datagram) => {
            Some((packet.source_port(), packet.destination_port()))
        }
        _ => decoded.ports(),
    };
    let ends = [
        (&b",\"source\":"[..], packet.source_address(), ports.map(|p| p.0)),
        (&b",\"destination\":"[..], packet.destination_address(), ports.map(|p| p.1)),
    ];
    for (key, address, port) in ends {
        if address.is_host() {
            out.extend_from_slice(key);
            endpoint(address, port, out);
        }
    }
}

/// Hosts and ports as far as the line names them.
fn printed_endpoints(line: &transcript::Line<'_>, out: &mut Vec<u8>) {
    let has_ports = matches!(line.transport, Transport::Udp { .. } | Transport::Tcp { .. });
    for (key, host) in [(&b",\"source\":"[..], line.source), (&b",\"destination\":"[..], line.destination)] {
        if let Some(host) = host.filter(|host| host.address.is_host()) {
            out.extend_from_slice(key);
            endpoint(host.address, host.port.filter(|_| has_ports), out);
        }
    }
}

/// A text that may be the user's own, or what a line prints for a host.
fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(crate::text::json(&text).unwrap_or_default().as_bytes());
}

fn endpoint(address: Address, port: Option<u16>, out: &mut Vec<u8>) {
    let site = address.site().name();
    if let Some(name) = address.bare().name() {
        out.extend_from_slice(b"{\"ip\":null,\"name\":");
        text(out, &name.to_string());
        out.extend_from_slice(b",\"port\":");
    } else {
        out.extend_from_slice(b"{\"ip\":\"");
        ip(out, address);
        out.extend_from_slice(b"\",\"port\":");
    }
    match port {
        Some(port) => number(out, u64::from(port)),
        None => out.extend_from_slice(b"null"),
    }
    if let Some(site) = site {
        out.extend_from_slice(b",\"site\":");
        text(out, site);
    }
    out.push(b'}');
}

fn network(packet: &Packet<'_>, decoded: &Decoded<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"network\":{");
    if decoded.is_ip() || packet.transport() != 0 {
        out.extend_from_slice(b"\"transport\":\"");
        transport_name(packet.transport(), out);
        out.extend_from_slice(b"\",");
    }
    out.extend_from_slice(b"\"protocol\":\"");
    out.extend_from_slice(packet.protocol().protocol().name.as_bytes());
    out.push(b'"');
    if decoded.is_ip() || decoded.ttl != 0 {
        out.extend_from_slice(b",\"ttl\":");
        number(out, u64::from(packet.ttl()));
    }
    out.extend_from_slice(b",\"vlan\":[");
    for (position, id) in decoded.vlans().iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        number(out, u64::from(*id));
    }
    out.push(b']');
    // A tunnel in fragments: the fragments' own addresses are the outer ones.
    let in_fragments = packet.flags() & flags::TUNNEL != 0 && decoded.fragment.is_some();
    let outer = if in_fragments { Some((decoded.source, decoded.destination)) } else { None };
    if let Some((source, destination)) = decoded.outer.or(outer) {
        out.extend_from_slice(b",\"outer\":{\"source\":{\"ip\":\"");
        ip(out, source);
        out.extend_from_slice(b"\"},\"destination\":{\"ip\":\"");
        ip(out, destination);
        out.extend_from_slice(b"\"}}");
    }
    out.push(b'}');
}

/// The IP protocol in words, or its number.
fn transport_name(protocol: u8, out: &mut Vec<u8>) {
    let name: &[u8] = match protocol {
        1 => b"icmp",
        2 => b"igmp",
        6 => b"tcp",
        17 => b"udp",
        47 => b"gre",
        50 => b"esp",
        51 => b"ah",
        58 => b"icmpv6",
        89 => b"ospf",
        132 => b"sctp",
        _ => return number(out, u64::from(protocol)),
    };
    out.extend_from_slice(name);
}

/// The DNS messages behind the first of one segment (RFC 7766 §6.2.1.1).
fn further_messages(packet: &Packet<'_>, out: &mut Vec<u8>) {
    let further = packet.dns_rows().get(1..).unwrap_or_default();
    let mut before = &b",\"further_dns\":["[..];
    for message in further.iter().filter_map(|row| dns::read(packet.message(row))) {
        out.extend_from_slice(before);
        dns_object(&message, out);
        before = b",";
    }
    if before == b"," {
        out.push(b']');
    }
}

fn dns_object(message: &dns::Message<'_>, out: &mut Vec<u8>) {
    message_object(message, (true, true), out);
}

/// A message; of a printed one it is said whether the text tells the id, and whether recursion was desired.
fn message_object(message: &dns::Message<'_>, (tells_id, tells_recursion): (bool, bool), out: &mut Vec<u8>) {
    let header = message.header;
    out.extend_from_slice(b"{\"id\":");
    if tells_id {
        number(out, u64::from(header.id));
    } else {
        out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b",\"response\":");
    boolean(out, header.is_response());
    out.extend_from_slice(b",\"opcode\":");
    number(out, u64::from(header.opcode()));
    out.extend_from_slice(b",\"response_code\":");
    if header.is_response() {
        number(out, u64::from(header.response_code()));
        let code = message.response_code();
        if code != u16::from(header.response_code()) {
            out.extend_from_slice(b",\"extended_response_code\":");
            number(out, u64::from(code));
        }
    } else {
        out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b",\"recursion_desired\":");
    if tells_recursion {
        boolean(out, header.recursion_desired());
    } else {
        out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b",\"truncated\":");
    boolean(out, header.is_truncated());
    question(message, out);
    out.push(b'}');
}

fn question(message: &dns::Message<'_>, out: &mut Vec<u8>) {
    if message.name.wire().is_empty() {
        return;
    }
    out.extend_from_slice(b",\"question\":{\"name\":\"");
    name(out, message.name.wire());
    out.push(b'"');
    // A question cut after its name still says which name.
    if message.question_end > 12 {
        out.extend_from_slice(b",\"type\":\"");
        push_type_name(message.qtype, out);
        out.extend_from_slice(b"\",\"class\":\"");
        push_class_name(message.qclass, out);
        out.push(b'"');
    }
    out.push(b'}');
}

fn icmp_object(decoded: &Decoded<'_>, settings: &Settings, out: &mut Vec<u8>) {
    let Some((kind, code)) = decoded.icmp() else { return };
    out.extend_from_slice(b",\"icmp\":{\"type\":");
    number(out, u64::from(kind));
    out.extend_from_slice(b",\"code\":");
    number(out, u64::from(code));
    if let Some(quote) = Quote::read(decoded) {
        quoted(&quote, settings, out);
    }
    out.push(b'}');
}

fn quoted(quote: &Quote<'_>, settings: &Settings, out: &mut Vec<u8>) {
    let inner = &quote.inner;
    let ports = inner.ports();
    out.extend_from_slice(b",\"quoted\":{\"source\":");
    endpoint(inner.source, ports.map(|p| p.0), out);
    out.extend_from_slice(b",\"destination\":");
    endpoint(inner.destination, ports.map(|p| p.1), out);
    if ports.is_some() {
        out.extend_from_slice(b",\"transport\":\"");
        transport_name(inner.ip_protocol, out);
        out.push(b'"');
    } else {
        out.extend_from_slice(b",\"protocol\":");
        number(out, u64::from(inner.ip_protocol));
    }
    if let Some(id) = inner.ip_id {
        out.extend_from_slice(b",\"ip_id\":");
        number(out, u64::from(id));
    }
    out.extend_from_slice(b",\"ttl\":");
    number(out, u64::from(inner.ttl));
    if let Some(first_pass) = quote.message(settings) {
        out.extend_from_slice(b",\"dns\":{\"id\":");
        number(out, u64::from(first_pass.header.id));
        question(&first_pass, out);
        out.push(b'}');
    }
    out.push(b'}');
}

/// What a line printed by tcpdump states of DNS and ICMP.
fn printed(line: &transcript::Line<'_>, out: &mut Vec<u8>) {
    if let Some(message) = line.dns {
        out.extend_from_slice(b",\"dns\":");
        message_object(&stated(&message), (message.tells_id, message.tells_recursion), out);
    }
    let Some(icmp) = line.icmp else { return };
    out.extend_from_slice(b",\"icmp\":{\"type\":");
    number(out, u64::from(icmp.kind));
    out.extend_from_slice(b",\"code\":");
    match icmp.code {
        transcript::CODE_NOT_PRINTED => out.extend_from_slice(b"null"),
        code => number(out, u64::from(code)),
    }
    if let Some(quote) = icmp.quote.filter(|quote| quote.source.address.is_host()) {
        out.extend_from_slice(b",\"quoted\":{\"source\":");
        endpoint(quote.source.address, quote.source.port, out);
        out.extend_from_slice(b",\"destination\":");
        endpoint(quote.destination.address, quote.destination.port, out);
        if let Some(protocol) = icmp.quoted_protocol.or(quote.ip.protocol) {
            out.extend_from_slice(b",\"transport\":\"");
            transport_name(protocol, out);
            out.push(b'"');
        }
        optional(out, "ip_id", quote.ip.id.map(u64::from));
        optional(out, "ttl", quote.ip.ttl.map(u64::from));
        if let Some(message) = quote.dns {
            out.extend_from_slice(b",\"dns\":{\"id\":");
            number(out, u64::from(message.header.id));
            question(&stated(&message), out);
            out.push(b'}');
        }
        out.push(b'}');
    } else if let Some(to) = icmp.quoted.filter(|host| host.address.is_host()) {
        // The line names the receiver of the refused packet, not its sender.
        out.extend_from_slice(b",\"quoted\":{\"destination\":");
        endpoint(to.address, icmp.quoted_port, out);
        if let Some(protocol) = icmp.quoted_protocol {
            out.extend_from_slice(b",\"transport\":\"");
            transport_name(protocol, out);
            out.push(b'"');
        }
        out.push(b'}');
    }
    out.push(b'}');
}

/// A printed message in the form of one that was read from bytes.
fn stated(message: &transcript::Dns<'_>) -> dns::Message<'static> {
    dns::Message {
        header: message.header,
        name: message.name.map_or(dns::Name::EMPTY, transcript::wire_name),
        qtype: message.qtype.unwrap_or(0),
        qclass: message.qclass.unwrap_or(1),
        bytes: &[],
        question_end: if message.qtype.is_some() { usize::MAX } else { 0 },
        problem: None,
    }
}

fn optional(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        number(out, value);
    }
}

/// Whether a packet may be tied to others as part of another service than DNS.
pub(super) fn ties_others(packet: &Packet<'_>) -> bool {
    let not_told = flags::DNS_QUERY | flags::DNS_RESPONSE | flags::ICMP_ERROR;
    matches!(packet.transport(), 1 | 6 | 17 | 58)
        && (packet.transport() == 6 || packet.flags() & not_told == 0)
}

fn links(loaded: &Loaded, packet: &Packet<'_>, out: &mut Vec<u8>) {
    let found = if ties_others(packet) {
        ties::all_links_from(&loaded.evidence, packet.id)
    } else {
        loaded.evidence.all_links_from(packet.id)
    };
    if found.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"links\":[");
    for (position, link) in found.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"kind\":\"");
        out.extend_from_slice(link.kind.name().as_bytes());
        out.extend_from_slice(b"\"");
        if let Some(target) = link.to.and_then(|to| loaded.index.packet(to)) {
            out.extend_from_slice(b",\"file\":\"");
            out.extend_from_slice(source_label(target.segment.source).as_bytes());
            out.push(b'"');
            out.extend_from_slice(b",\"frame\":");
            let FrameNumber(frame) = target.frame();
            number(out, frame);
        } else {
            out.extend_from_slice(b",\"frame\":null");
        }
        out.extend_from_slice(b",\"level\":\"");
        out.extend_from_slice(link.level.name().as_bytes());
        out.extend_from_slice(b"\",\"delta_ns\":");
        if link.to.is_some() {
            signed(out, link.delta_ns);
        } else {
            out.extend_from_slice(b"null");
        }
        out.push(b'}');
    }
    out.push(b']');
}

fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    number(out, value.unsigned_abs());
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut begin = digits.len();
    for (position, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        begin = position;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(begin..).unwrap_or_default());
}

fn ip(out: &mut Vec<u8>, address: Address) {
    match address {
        Address::V4(address) | Address::V4At(_, address) => ipv4(out, address),
        // Writing to memory cannot fail.
        Address::V6(address) | Address::V6At(_, address) => drop(write!(out, "{address}")),
        Address::None | Address::Ether(_) | Address::Name(_) => {}
    }
}

fn ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    for (position, octet) in address.octets().into_iter().enumerate() {
        if position > 0 {
            out.push(b'.');
        }
        number(out, u64::from(octet));
    }
}

/// A wire-form name in presentation form (RFC 1035 §5.1), its backslashes escaped for JSON.
fn name(out: &mut Vec<u8>, wire: &[u8]) {
    let mut rest = wire;
    let begin = out.len();
    while let Some((&length, tail)) = rest.split_first() {
        let Some(label) = tail.get(..usize::from(length)).filter(|label| !label.is_empty()) else { break };
        for &byte in label {
            match byte {
                b'"' => out.extend_from_slice(b"\\\\\\\""),
                b'\\' => out.extend_from_slice(b"\\\\\\\\"),
                b'.' | b'(' | b')' | b';' | b'@' | b'$' => {
                    out.extend_from_slice(b"\\\\");
                    out.push(byte);
                }
                0x21..=0x7e => out.push(byte),
                _ => {
                    out.extend_from_slice(b"\\\\");
                    out.extend_from_slice(&[b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]);
                }
            }
        }
        out.push(b'.');
        rest = tail.get(usize::from(length)..).unwrap_or_default();
    }
    if out.len() == begin {
        out.push(b'.');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full_range() {
        let mut out = Vec::new();
        for value in [0, 9, 10, u64::MAX] {
            number(&mut out, value);
            out.push(b' ');
        }
        signed(&mut out, i64::MIN);
        assert_eq!(out, b"0 9 10 18446744073709551615 -9223372036854775808");
    }

    #[test]
    fn a_name_with_quotes_and_backslashes_stays_valid_json() {
        let mut out = b"\"".to_vec();
        name(&mut out, b"\x05a\"\\.\x01\x00");
        out.push(b'"');
        let text: String = serde_json::from_slice(&out).unwrap();
        assert_eq!(text, dns::presentation(b"\x05a\"\\.\x01\x00"));
    }
}
