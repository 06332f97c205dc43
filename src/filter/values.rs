//! Reads the values of one field in one packet: from columns where they have it, else from the headers or the detail tree.

use super::Context;
use super::expression::{SlicePart, Test, Transform};
use super::fields::{Column, Direction, DnsField, Family, HeaderField, NoteField, Source, Word};
use super::matcher::Scalar;
use super::{evidence, literal, tree, tried};
use crate::decode::{Address, Decoded, LayerKind, Quote, Transport, dns};
use crate::index::segment::{DnsKind, DnsRow, flags};
use crate::index::{Packet, source_label};
use crate::protocols::{self, ProtocolId};
use crate::settings::Settings;

/// Receives values; returns true to stop.
pub type Visit<'v> = &'v mut dyn FnMut(Scalar<'_>) -> bool;

/// Calls `visit` with each value of the test's field, its slice and transform applied.
pub fn each(test: &Test, packet: &Packet<'_>, context: &Context<'_>, visit: Visit<'_>) {
    shape(test, &mut |visit| raw(test, packet, context, visit), visit);
}

/// Calls `visit` with each value that `raw` hands out, the test's slice and transform applied.
pub fn shape(test: &Test, raw: &mut dyn FnMut(Visit<'_>), visit: Visit<'_>) {
    if test.transform == Transform::Count {
        let mut count = 0;
        raw(&mut |_| {
            count += 1;
            false
        });
        if count > 0 {
            visit(Scalar::Number(count));
        }
        return;
    }
    if test.slice.is_none() && test.transform == Transform::None {
        return raw(visit);
    }
    raw(&mut |value| shaped(test, &value, visit));
}

fn shaped(test: &Test, value: &Scalar<'_>, visit: Visit<'_>) -> bool {
    if test.transform == Transform::Text {
        return visit(Scalar::Text(&text_of(value)));
    }
    let Some(mut bytes) = bytes_of(value) else { return false };
    if let Some(parts) = &test.slice {
        let Some(cut) = slice(&bytes, parts) else { return false };
        bytes = cut;
    }
    match test.transform {
        Transform::Length => visit(Scalar::Number(bytes.len() as i64)),
        Transform::Lower => visit(Scalar::Bytes(&bytes.to_ascii_lowercase())),
        Transform::Upper => visit(Scalar::Bytes(&bytes.to_ascii_uppercase())),
        Transform::None | Transform::Count | Transform::Text => visit(Scalar::Bytes(&bytes)),
    }
}

/// A value as it is written.
fn text_of(value: &Scalar<'_>) -> String {
    match value {
        Scalar::Number(number) => number.to_string(),
        Scalar::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
        Scalar::Text(text) | Scalar::Name(text) => (*text).to_owned(),
        Scalar::Address(address) => address.bare().to_string(),
        Scalar::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn bytes_of(value: &Scalar<'_>) -> Option<Vec<u8>> {
    Some(match value {
        Scalar::Bytes(bytes) => bytes.to_vec(),
        Scalar::Text(text) | Scalar::Name(text) => text.as_bytes().to_vec(),
        Scalar::Address(Address::Ether(bytes)) => bytes.to_vec(),
        Scalar::Address(Address::V4(ip) | Address::V4At(_, ip)) => ip.octets().to_vec(),
        Scalar::Address(Address::V6(ip) | Address::V6At(_, ip)) => ip.octets().to_vec(),
        Scalar::Address(Address::Name(name)) => name.label().as_bytes().to_vec(),
        Scalar::Address(Address::None) | Scalar::Number(_) | Scalar::Bool(_) => return None,
    })
}

/// The parts of a byte string end to end; `None` where one lies outside.
fn slice(bytes: &[u8], parts: &[SlicePart]) -> Option<Vec<u8>> {
    let length = bytes.len() as i64;
    let place = |offset: i32| {
        let at = if offset < 0 { length + i64::from(offset) } else { i64::from(offset) };
        usize::try_from(at).ok()
    };
    let mut out = Vec::new();
    for part in parts {
        let start = place(part.start)?;
        let end = match (part.length, part.last) {
            (Some(length), _) => start.checked_add(length as usize)?,
            (None, Some(last)) => place(last)?.checked_add(1)?,
            (None, None) => bytes.len(),
        };
        out.extend_from_slice(bytes.get(start..end).filter(|part| !part.is_empty())?);
    }
    Some(out)
}

/// Whether a packet carries a protocol, not counting quoted datagrams.
pub fn has_word(word: Word, packet: &Packet<'_>) -> bool {
    let tunnelled = packet.flags() & flags::TUNNEL != 0;
    match word {
        Word::Frame => true,
        Word::Protocol(id) => packet.protocol() == id,
        Word::Ip(family) if !tunnelled => {
            is_family(family, packet.source_address(), packet.protocol())
                || is_family(family, packet.destination_address(), packet.protocol())
        }
        Word::Transport(number) if !tunnelled => {
            packet.transport() == number && packet.source_address().is_host()
        }
        Word::Ip(_) | Word::Transport(_) | Word::Layer(_) => {
            word_start(word, &packet.decode(), &packet.source.settings).is_some()
        }
    }
}

/// Whether an address of a packet counts for a family.
pub fn is_family(family: Family, address: Address, protocol: ProtocolId) -> bool {
    let arp = protocol == ProtocolId::ARP;
    match family {
        Family::Any => address.is_host(),
        Family::V4 => address.is_v4() && !arp,
        Family::V6 => address.is_v6(),
        Family::Arp => arp && address.is_host(),
    }
}

/// Where a protocol's bytes begin in a decoded packet.
fn word_start(word: Word, decoded: &Decoded<'_>, settings: &Settings) -> Option<u32> {
    let layer = |kinds: &[LayerKind]| {
        decoded.layers().iter().rev().find(|layer| kinds.contains(&layer.kind)).map(|layer| layer.start)
    };
    match word {
        Word::Frame => Some(0),
        Word::Ip(Family::V4) => layer(&[LayerKind::Ipv4]),
        Word::Ip(_) => layer(&[LayerKind::Ipv6]),
        Word::Layer(kinds) => layer(kinds),
        Word::Transport(number) => {
            let kind = match number {
                1 => LayerKind::Icmp,
                6 => LayerKind::Tcp,
                17 => LayerKind::Udp,
                58 => LayerKind::Icmpv6,
                132 => LayerKind::Sctp,
                2 => LayerKind::Igmp,
                _ => return None,
            };
            layer(&[kind]).or_else(|| {
                // Without a header of its own (a later fragment) the bytes after the IP header count.
                let innermost = decoded.layers().last()?;
                (decoded.ip_protocol == number && decoded.fragment.is_some()).then_some(innermost.end)
            })
        }
        Word::Protocol(ProtocolId::ARP) => layer(&[LayerKind::Arp]),
        Word::Protocol(id) => {
            let found =
                protocols::classify(decoded, settings) == id && decoded.payload_end > decoded.payload_start;
            found.then_some(decoded.payload_start)
        }
    }
}

fn raw(test: &Test, packet: &Packet<'_>, context: &Context<'_>, visit: Visit<'_>) {
    if test.quoted {
        return quoted(test.source, packet, visit);
    }
    let tunnelled = packet.flags() & flags::TUNNEL != 0;
    match test.source {
        Source::Word(word) => word_bytes(word, packet, visit),
        Source::Column(column) => {
            if let Some(value) = column_value(column, packet, context) {
                visit(Scalar::Number(value));
            }
        }
        Source::Flags(bits) => {
            visit(Scalar::Bool(packet.flags() & bits != 0));
        }
        Source::Dns(field) => dns_rows(field, packet, visit),
        Source::Evidence(field) => {
            if let Some(found) = context.evidence {
                evidence::each(field, packet.id, context.index, found, visit);
            }
        }
        Source::Attempt(field) => {
            if let Some(found) = context.evidence {
                tried::each(field, packet.id, found, visit);
            }
        }
        Source::Note(field) => notes(field, packet, context, visit),
        Source::File => {
            let name = packet.source.name.as_str();
            let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
            let letter = source_label(packet.segment.source);
            let _ = visit(Scalar::Text(&letter)) || visit(Scalar::Text(base)) || visit(Scalar::Text(name));
        }
        Source::Site | Source::Sensor => {
            let place = &packet.source.place;
            let name = if test.source == Source::Site { &place.site } else { &place.sensor };
            if let Some(name) = name {
                visit(Scalar::Text(name));
            }
        }
        Source::Comment => {
            let frame = packet.frame().0;
            for (number, text) in &packet.source.metadata.comments {
                if *number == frame && visit(Scalar::Text(text)) {
                    return;
                }
            }
        }
        Source::InterfaceName => {
            let interface = usize::from(packet.segment.interface(packet.row));
            let interface = packet.source.metadata.interfaces.get(interface);
            if let Some(name) = interface.and_then(|interface| interface.name.as_deref()) {
                visit(Scalar::Text(name));
            }
        }
        Source::Tree(name) => tree::each(name, packet, visit),
        Source::Layers => {
            visit(Scalar::Text(&tree::layers(packet)));
        }
        Source::Stream(field) => {
            let streams = test.streams.get(field, context);
            if let Some(value) = streams.value(field, packet, context) {
                visit(Scalar::Number(value));
            }
        }
        Source::Quote => {
            let found = packet.flags() & flags::ICMP_ERROR != 0 && Quote::read(&packet.decode()).is_some();
            visit(Scalar::Bool(found));
        }
        // Every header of its kind counts, as in Wireshark.
        source if tunnelled => tree::every_header(source, packet, visit),
        Source::Header(HeaderField::Payload(_)) if !test.own && packet.flags() & flags::FRAGMENT != 0 => {
            joined_headers(test.source, packet, visit);
        }
        Source::Header(_) => {
            headers(test.source, &packet.decode(), visit);
        }
        Source::Address(family, direction) => addresses(family, direction, packet, visit),
        Source::Ttl(_) | Source::IpProtocol(_) | Source::Port(..) | Source::TcpFlag(_) | Source::Icmp(..) => {
            transport(test.source, test.own, packet, visit);
        }
    }
}

/// The bytes of a protocol in a packet.
fn word_bytes(word: Word, packet: &Packet<'_>, visit: Visit<'_>) {
    if !has_word(word, packet) {
        return;
    }
    let messages = packet.dns_rows();
    if matches!(word, Word::Protocol(_)) && !messages.is_empty() {
        let _ = messages.iter().any(|row| visit(Scalar::Bytes(packet.message(row))));
        return;
    }
    let decoded = packet.decode();
    if let Some(start) = word_start(word, &decoded, &packet.source.settings) {
        visit(Scalar::Bytes(decoded.bytes.get(start as usize..).unwrap_or_default()));
    }
}

/// Values of a packet that is read together with the fragments before it; a fragment that does not complete its
/// packet has none.
fn joined_headers(source: Source, packet: &Packet<'_>, visit: Visit<'_>) {
    if let Some(whole) = packet.datagram() {
        headers(source, &whole, visit);
        return;
    }
    let decoded = packet.decode();
    if !decoded.is_piece() {
        headers(source, &decoded, visit);
    }
}

fn addresses(family: Family, direction: Direction, packet: &Packet<'_>, visit: Visit<'_>) {
    let (source, destination) = (packet.source_address(), packet.destination_address());
    for (end, address) in [(Direction::Source, source), (Direction::Destination, destination)] {
        let wanted = direction == Direction::Either || direction == end;
        if wanted && is_family(family, address, packet.protocol()) && visit(Scalar::Address(address)) {
            return;
        }
    }
}

/// Values of transport and IP header fields that the columns hold; `own`: those of this frame alone.
pub fn transport(source: Source, own: bool, packet: &Packet<'_>, visit: Visit<'_>) {
    let bits = packet.flags();
    if bits & flags::TUNNEL != 0 {
        return tree::every_header(source, packet, visit);
    }
    let of_ip = matches!(source, Source::Ttl(_) | Source::IpProtocol(_));
    if bits & flags::FRAGMENT != 0 && !own && !of_ip {
        return joined_headers(source, packet, visit);
    }
    if bits & (flags::FRAGMENT | flags::STOPPED) != 0 {
        headers(source, &packet.decode(), visit);
        return;
    }
    let number = packet.transport();
    let (first, second) = (packet.source_port(), packet.destination_port());
    let address = packet.source_address();
    match source {
        Source::Ttl(family) if is_family(family, address, packet.protocol()) => {
            let ttl = packet.segment.ttl.get(packet.row).copied().unwrap_or_default();
            visit(Scalar::Number(i64::from(ttl)));
        }
        Source::IpProtocol(family)
            if is_family(family, address, packet.protocol()) && packet.protocol() != ProtocolId::ARP =>
        {
            visit(Scalar::Number(i64::from(number)));
        }
        Source::Port(wanted, direction) if has_ports(wanted, number) => {
            ports(direction, first, second, visit);
        }
        Source::TcpFlag(bit) if number == 6 => {
            let bits = packet.segment.tcp_flags.get(packet.row).copied().unwrap_or_default();
            visit(Scalar::Bool(bits & bit != 0));
        }
        Source::Icmp(wanted, code) if number == wanted => {
            visit(Scalar::Number(i64::from(if code { second } else { first })));
        }
        _ => {}
    }
}

/// Whether a transport has ports and is the one asked for (0: any).
pub fn has_ports(wanted: u8, number: u8) -> bool {
    if wanted == 0 { matches!(number, 6 | 17 | 132) } else { number == wanted }
}

fn ports(direction: Direction, source: u16, destination: u16, visit: Visit<'_>) -> bool {
    let both = direction == Direction::Either;
    (both || direction == Direction::Source) && visit(Scalar::Number(i64::from(source)))
        || (both || direction == Direction::Destination) && visit(Scalar::Number(i64::from(destination)))
}

fn column_value(column: Column, packet: &Packet<'_>, context: &Context<'_>) -> Option<i64> {
    Some(match column {
        Column::FrameNumber => packet.frame().0 as i64,
        Column::Original => i64::from(packet.told_length()?),
        Column::Captured => i64::from(Some(packet.captured()).filter(|_| !packet.is_text())?),
        Column::Time => packet.time_ns(),
        Column::TimeRelative => packet.time_ns().saturating_sub(first_time(context)),
        Column::TimeDelta => {
            let before = packet.frame().0.checked_sub(2).and_then(|row| packet.source.packet(row as u32));
            let before = before.and_then(|id| context.index.packet(id));
            before.map_or(0, |before| packet.time_ns().saturating_sub(before.time_ns()))
        }
        Column::Interface => {
            // Only pcapng tells interfaces apart, and pcaps of several kinds put end to end.
            let metadata = &packet.source.metadata;
            let tells = metadata.format == crate::capture::Format::Pcapng || metadata.interfaces.len() > 1;
            tells.then(|| i64::from(packet.segment.interface(packet.row)))?
        }
        Column::TcpFlags => {
            let decoded = || packet.decode();
            let cut = packet.flags() & (flags::FRAGMENT | flags::STOPPED) != 0;
            if packet.transport() != 6 || (cut && (decoded().ports().is_none() || decoded().is_piece())) {
                return None;
            }
            i64::from(packet.segment.tcp_flags.get(packet.row).copied()?)
        }
    })
}

/// The time of the first packet in the order of the index.
pub fn first_time(context: &Context<'_>) -> i64 {
    let first = context.index.order.as_ref().and_then(|order| order.first().copied()).unwrap_or(0);
    context.index.packet(crate::index::PacketId(first)).map_or(0, |packet| packet.time_ns())
}

fn notes(field: NoteField, packet: &Packet<'_>, context: &Context<'_>, visit: Visit<'_>) {
    if field == NoteField::Marked {
        visit(Scalar::Bool(context.notes.is_some_and(|notes| notes.is_marked(packet.id))));
        return;
    }
    let Some(notes) = context.notes else { return };
    match field {
        NoteField::Marked => {}
        NoteField::Note => {
            let _ = notes.notes(packet.id).iter().any(|note| visit(Scalar::Text(note)));
        }
        NoteField::Tag => {
            let _ = notes.tags(packet.id).iter().any(|tag| visit(Scalar::Text(tag)));
        }
    }
}

fn dns_rows(field: DnsField, packet: &Packet<'_>, visit: Visit<'_>) {
    for row in packet.dns_rows() {
        if dns_row(field, row, packet, visit) {
            return;
        }
    }
}

/// Values of one message; true when `visit` stopped.
pub fn dns_row(field: DnsField, row: &DnsRow, packet: &Packet<'_>, visit: Visit<'_>) -> bool {
    if field == DnsField::ResponseCode {
        return row.is_response() && visit(Scalar::Number(i64::from(row.response_code())));
    }
    if has_questions(field, row) {
        return questions(field, packet.message(row), row, visit);
    }
    let name = if field == DnsField::Name { packet.segment.names.get(row.name) } else { None };
    dns_value(field, row.header, name, (row.qtype, class_of(row)), visit)
}

/// The class asked for, without the mark mDNS adds to it.
pub fn class_of(row: &DnsRow) -> u16 {
    plain_class(row.kind, row.qclass)
}

fn plain_class(kind: DnsKind, class: u16) -> u16 {
    if kind == DnsKind::Mdns { class & !UNICAST_WANTED } else { class }
}

/// The top bit of a class in an mDNS question (RFC 6762 §5.4).
const UNICAST_WANTED: u16 = 0x8000;
/// Questions of one message that are looked at.
const QUESTIONS_MAX: usize = 64;

/// Whether a field has a value in each of several questions, of which the side table knows the first.
pub fn has_questions(field: DnsField, row: &DnsRow) -> bool {
    matches!(field, DnsField::Name | DnsField::Type | DnsField::Class)
        && row.header.counts.first().is_some_and(|count| *count > 1)
}

fn questions(field: DnsField, bytes: &[u8], row: &DnsRow, visit: Visit<'_>) -> bool {
    let mut at = 12;
    let count = row.header.counts.first().copied().unwrap_or_default();
    for _ in 0..usize::from(count).min(QUESTIONS_MAX) {
        let Ok((mut name, end)) = dns::read_name(bytes, at) else { return false };
        name.make_lowercase();
        let word = |at: usize| protocols::big(bytes, at, 2).map(|value| value as u16);
        let (Some(qtype), Some(qclass)) = (word(end), word(end + 2)) else { return false };
        let qclass = plain_class(row.kind, qclass);
        if dns_value(field, row.header, Some(name.wire()), (qtype, qclass), visit) {
            return true;
        }
        at = end + 4;
    }
    false
}

/// AD (RFC 4035 §3.2.3; in queries RFC 6840 §5.7).
const AUTHENTICATED: u16 = 0x0020;
/// The operation whose sections and flags are others (RFC 2136).
const UPDATE: u8 = 5;

/// Calls `visit` with one field of a message's header or first question; true when it stopped.
pub fn dns_value(
    field: DnsField,
    header: dns::Header,
    name: Option<&[u8]>,
    (qtype, qclass): (u16, u16),
    visit: Visit<'_>,
) -> bool {
    let questions = header.counts.first().is_some_and(|count| *count > 0);
    let number = match field {
        DnsField::Name => {
            let Some(wire) = name.filter(|wire| !wire.is_empty()) else { return false };
            return visit(Scalar::Name(&literal::normal_name(&dns::presentation(wire))));
        }
        DnsField::Response => return visit(Scalar::Bool(header.is_response())),
        DnsField::Bit(bit, responses) => {
            // A query has AD only where it is set, as in Wireshark.
            let there =
                header.is_response() || (!responses && (bit != AUTHENTICATED || header.flags & bit != 0));
            return there && visit(Scalar::Bool(header.flags & bit != 0));
        }
        DnsField::Type if questions => i64::from(qtype),
        DnsField::Class if questions => i64::from(qclass),
        DnsField::Type | DnsField::Class => return false,
        DnsField::Id => i64::from(header.id),
        DnsField::Flags => i64::from(header.flags),
        DnsField::Opcode => i64::from(header.opcode()),
        DnsField::ResponseCode if header.is_response() => i64::from(header.response_code()),
        DnsField::ResponseCode => return false,
        // The sections of an update are others (RFC 2136 §2.2).
        DnsField::Count(0..=2) if header.opcode() == UPDATE => return false,
        DnsField::Count(which) => i64::from(header.counts.get(which).copied().unwrap_or_default()),
    };
    visit(Scalar::Number(number))
}

/// Values read from decoded headers; true when `visit` stopped.
pub fn headers(source: Source, decoded: &Decoded<'_>, visit: Visit<'_>) -> bool {
    let protocol = if decoded.ether_type == 0x0806 && decoded.network_start == 0 {
        ProtocolId::ARP
    } else {
        ProtocolId::UNKNOWN
    };
    let number = decoded.ip_protocol;
    match source {
        Source::Ttl(family) => {
            is_family(family, decoded.source, protocol) && visit(Scalar::Number(i64::from(decoded.ttl)))
        }
        Source::IpProtocol(family) => {
            is_family(family, decoded.source, protocol)
                && protocol != ProtocolId::ARP
                && visit(Scalar::Number(i64::from(number)))
        }
        Source::Port(wanted, direction) if has_ports(wanted, number) => {
            decoded.ports().is_some_and(|(from, to)| ports(direction, from, to, visit))
        }
        Source::TcpFlag(bit) => match decoded.transport {
            Transport::Tcp { flags, .. } => visit(Scalar::Bool(flags & bit != 0)),
            _ => false,
        },
        Source::Column(Column::TcpFlags) => match decoded.transport {
            Transport::Tcp { flags, .. } => visit(Scalar::Number(i64::from(flags))),
            _ => false,
        },
        Source::Icmp(wanted, code) if number == wanted => decoded
            .icmp()
            .is_some_and(|(kind, sub)| visit(Scalar::Number(i64::from(if code { sub } else { kind })))),
        Source::Address(family, direction) => {
            let both = direction == Direction::Either;
            let mut end = |wanted, address| {
                (both || direction == wanted)
                    && is_family(family, address, protocol)
                    && visit(Scalar::Address(address))
            };
            end(Direction::Source, decoded.source) || end(Direction::Destination, decoded.destination)
        }
        Source::Header(field) => header_field(field, decoded, visit),
        _ => false,
    }
}

fn header_field(field: HeaderField, decoded: &Decoded<'_>, visit: Visit<'_>) -> bool {
    // Other links have such addresses too, under other names.
    let is_ethernet = decoded.layers().iter().any(|layer| layer.kind == LayerKind::Ethernet);
    let mut ether = |direction: Direction| {
        decoded.link_addresses.filter(|_| is_ethernet).is_some_and(|(source, destination)| {
            let address = if direction == Direction::Source { source } else { destination };
            visit(Scalar::Address(Address::Ether(address)))
        })
    };
    match field {
        HeaderField::EtherSource => ether(Direction::Source),
        HeaderField::EtherDestination => ether(Direction::Destination),
        HeaderField::EtherEither => ether(Direction::Source) || ether(Direction::Destination),
        HeaderField::EtherType => {
            let first = decoded.layers().first().filter(|layer| layer.kind == LayerKind::Ethernet);
            let kind = first.and_then(|layer| protocols::big(decoded.bytes, layer.start as usize + 12, 2));
            kind.is_some_and(|kind| kind >= 0x600 && visit(Scalar::Number(kind as i64)))
        }
        HeaderField::LinkProtocol => {
            // Where the link says nothing, the IP version does.
            let version = decoded.layers().first().map_or(0, |layer| match layer.kind {
                LayerKind::Ipv4 => 0x0800,
                LayerKind::Ipv6 => 0x86dd,
                _ => 0,
            });
            let kind = if decoded.ether_type == 0 { version } else { decoded.ether_type };
            kind >= 0x600 && visit(Scalar::Number(i64::from(kind)))
        }
        HeaderField::Vlan => decoded.vlans().iter().any(|id| visit(Scalar::Number(i64::from(*id)))),
        HeaderField::Ipv6Next => {
            let header = decoded.layers().iter().rev().find(|layer| layer.kind == LayerKind::Ipv6);
            let next = header.and_then(|layer| decoded.bytes.get(layer.start as usize + 6));
            next.is_some_and(|next| visit(Scalar::Number(i64::from(*next))))
        }
        HeaderField::IpId => decoded.ip_id.is_some_and(|id| visit(Scalar::Number(i64::from(id)))),
        HeaderField::Payload(number) => {
            let payload = decoded.payload();
            decoded.ports().is_some()
                && decoded.ip_protocol == number
                && !payload.is_empty()
                && visit(Scalar::Bytes(payload))
        }
        HeaderField::PayloadLength(number) => {
            decoded.ports().is_some()
                && decoded.ip_protocol == number
                && visit(Scalar::Number(stated_length(decoded)))
        }
    }
}

/// Payload bytes as the IP header states them, captured or not.
fn stated_length(decoded: &Decoded<'_>) -> i64 {
    let header = decoded.payload_start.saturating_sub(decoded.network_start);
    match decoded.ip_length {
        0 => i64::from(decoded.payload_end.saturating_sub(decoded.payload_start)),
        stated => i64::from(stated.saturating_sub(header)),
    }
}

/// Values in the datagram an ICMP error quotes.
fn quoted(source: Source, packet: &Packet<'_>, visit: Visit<'_>) {
    if packet.flags() & flags::ICMP_ERROR == 0 {
        return;
    }
    let decoded = packet.decode();
    let Some(quote) = Quote::read(&decoded) else { return };
    match source {
        Source::Word(word) => {
            let start = match word {
                Word::Transport(number) if quote.inner.ip_protocol == number => {
                    word_start(word, &quote.inner, &packet.source.settings).or(quote
                        .inner
                        .layers()
                        .last()
                        .map(|layer| layer.end))
                }
                _ => word_start(word, &quote.inner, &packet.source.settings),
            };
            if let Some(start) = start {
                visit(Scalar::Bytes(quote.inner.bytes.get(start as usize..).unwrap_or_default()));
            }
        }
        Source::Dns(field) => {
            if protocols::classify(&quote.inner, &packet.source.settings) != ProtocolId::DNS {
                return;
            }
            if let Some(message) = dns::read(quote.payload()) {
                let mut name = message.name;
                name.make_lowercase();
                dns_value(field, message.header, Some(name.wire()), (message.qtype, message.qclass), visit);
            }
        }
        Source::Tree(name) => {
            tree::nodes(name, &packet.dissect(), true, visit);
        }
        other => {
            headers(other, &quote.inner, visit);
        }
    }
}
