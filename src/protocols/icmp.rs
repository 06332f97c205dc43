//! ICMP and ICMPv6, and the packets their errors quote.

use crate::settings::Settings;
use std::fmt::Write as _;

use super::{Claim, Frame, Protocol, Tree, Value, big, classify, other};
use crate::decode::{Address, Decoded, Quote, Transport, icmp_checksum_is_right};

/// Neighbour discovery options of one message that are read.
const OPTIONS_MAX: usize = 16;

mod v4 {
    fields! {
        TYPE "icmp.type" Number "type";
        CODE "icmp.code" Number "code";
        CHECKSUM "icmp.checksum" Number "checksum";
        CHECKSUM_STATUS "icmp.checksum.status" Number "0 wrong, 1 right, 2 not verifiable";
        IDENT "icmp.ident" Number "identifier of an echo";
        SEQUENCE "icmp.seq" Number "sequence number of an echo";
        MTU "icmp.mtu" Number "MTU of the next hop";
        GATEWAY "icmp.redir_gw" Address "better gateway of a redirect";
        LENGTH "icmp.length" Number "length of the quoted packet in bytes, as stated (RFC 4884)";
    }
}

mod v6 {
    fields! {
        TYPE "icmpv6.type" Number "type";
        CODE "icmpv6.code" Number "code";
        CHECKSUM "icmpv6.checksum" Number "checksum";
        CHECKSUM_STATUS "icmpv6.checksum.status" Number "0 wrong, 1 right, 2 not verifiable";
        IDENT "icmpv6.echo.identifier" Number "identifier of an echo";
        SEQUENCE "icmpv6.echo.sequence_number" Number "sequence number of an echo";
        MTU "icmpv6.mtu" Number "MTU of the next hop";
        TARGET "icmpv6.nd.ns.target_address" Address "address that is asked for";
        ADVERTISED "icmpv6.nd.na.target_address" Address "address that is advertised";
        LINK_ADDRESS "icmpv6.opt.linkaddr" Address "hardware address in a discovery option";
    }
}

pub use v4::{CODE, TYPE};

/// ICMP (RFC 792).
pub static ICMP: Protocol = Protocol {
    name: "icmp",
    label: "ICMP",
    title: "Internet Control Message Protocol",
    claims: &[Claim::IpProtocol(1)],
    fields: v4::FIELDS,
    dissect,
    summary,
};

/// ICMPv6 (RFC 4443).
pub static ICMPV6: Protocol = Protocol {
    name: "icmpv6",
    label: "ICMPv6",
    title: "Internet Control Message Protocol version 6",
    claims: &[Claim::IpProtocol(58)],
    fields: v6::FIELDS,
    dissect,
    summary,
};

/// What a type and code mean, in the field's usual words; `None` for unregistered ones.
pub fn meaning(is_v6: bool, kind: u8, code: u8) -> Option<&'static str> {
    if is_v6 { meaning_v6(kind, code) } else { meaning_v4(kind, code) }
}

fn meaning_v4(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (0, _) => "echo reply",
        (3, 0) => "net unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => "fragmentation needed",
        (3, 5) => "source route failed",
        (3, 6) => "destination net unknown",
        (3, 7) => "destination host unknown",
        (3, 8) => "source host isolated",
        (3, 9) => "net administratively prohibited",
        (3, 10) => "host administratively prohibited",
        (3, 11) => "net unreachable for this service",
        (3, 12) => "host unreachable for this service",
        (3, 13) => "communication administratively prohibited",
        (3, 14) => "host precedence violation",
        (3, 15) => "precedence cutoff",
        (3, _) => "destination unreachable",
        (4, _) => "source quench",
        (5, 0) => "redirect for net",
        (5, 1) => "redirect for host",
        (5, _) => "redirect",
        (8, _) => "echo request",
        (9, _) => "router advertisement",
        (10, _) => "router solicitation",
        (11, 0) => "time to live exceeded in transit",
        (11, 1) => "fragment reassembly time exceeded",
        (11, _) => "time exceeded",
        (12, _) => "parameter problem",
        (13, _) => "time stamp request",
        (14, _) => "time stamp reply",
        (17, _) => "address mask request",
        (18, _) => "address mask reply",
        (42, _) => "extended echo request",
        (43, _) => "extended echo reply",
        _ => return None,
    })
}

fn meaning_v6(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (1, 0) => "no route to destination",
        (1, 1) => "communication administratively prohibited",
        (1, 2) => "beyond scope of source address",
        (1, 3) => "address unreachable",
        (1, 4) => "port unreachable",
        (1, 5) => "source address failed policy",
        (1, 6) => "route rejected",
        (1, _) => "destination unreachable",
        (2, _) => "packet too big",
        (3, 0) => "hop limit exceeded in transit",
        (3, 1) => "fragment reassembly time exceeded",
        (3, _) => "time exceeded",
        (4, _) => "parameter problem",
        (128, _) => "echo request",
        (129, _) => "echo reply",
        (130, _) => "multicast listener query",
        (131, _) => "multicast listener report",
        (132, _) => "multicast listener done",
        (133, _) => "router solicitation",
        (134, _) => "router advertisement",
        (135, _) => "neighbor solicitation",
        (136, _) => "neighbor advertisement",
        (137, _) => "redirect",
        (143, _) => "multicast listener report v2",
        _ => return None,
    })
}

/// The ICMP message of a frame: what is read of it whatever its type.
struct Message<'f, 'a> {
    decoded: &'f Decoded<'a>,
    start: usize,
    is_v6: bool,
    kind: u8,
    code: u8,
}

impl<'f, 'a> Message<'f, 'a> {
    fn of(decoded: &'f Decoded<'a>) -> Option<Self> {
        let (kind, code) = decoded.icmp()?;
        let is_v6 = matches!(decoded.transport, Transport::Icmpv6 { .. });
        Some(Self { decoded, start: decoded.transport_start as usize, is_v6, kind, code })
    }

    fn number(&self, at: usize, size: usize) -> Option<u64> {
        let end = self.decoded.payload_end as usize;
        big(self.decoded.bytes, self.start + at, size).filter(|_| self.start + at + size <= end)
    }

    fn meaning(&self) -> String {
        let known = meaning(self.is_v6, self.kind, self.code);
        known.map_or_else(|| format!("type {} code {}", self.kind, self.code), str::to_owned)
    }

    fn is_echo(&self) -> bool {
        matches!((self.is_v6, self.kind), (false, 0 | 8) | (true, 128 | 129))
    }

    /// Echoes, time stamps, and requests for information and masks (RFC 792; RFC 950).
    fn is_numbered(&self) -> bool {
        self.is_echo() || (!self.is_v6 && matches!(self.kind, 13..=18))
    }

    /// The MTU an error states, where it does.
    fn mtu(&self) -> Option<(u64, usize, usize)> {
        match (self.is_v6, self.kind, self.code) {
            (false, 3, 4) => Some((self.number(6, 2)?, 6, 2)),
            (true, 2, _) => Some((self.number(4, 4)?, 4, 4)),
            _ => None,
        }
    }

    /// The address a neighbour discovery message is about (RFC 4861 §4.3).
    fn target(&self) -> Option<Address> {
        if !self.is_v6 || !matches!(self.kind, 135 | 136) {
            return None;
        }
        let bytes = self.decoded.bytes.get(self.start + 8..self.decoded.payload_end as usize)?;
        bytes.first_chunk::<16>().map(|sixteen| Address::V6((*sixteen).into()))
    }
}

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let decoded = frame.decoded;
    let Some(message) = Message::of(decoded) else { return };
    let (start, end) = (message.start, decoded.payload_end as usize);
    let name = if message.is_v6 { "ICMPv6" } else { "ICMP" };
    tree.enter(format!("{name}  {}", message.meaning()), start, end);
    let (kind, code) = if message.is_v6 { (&v6::TYPE, &v6::CODE) } else { (&v4::TYPE, &v4::CODE) };
    tree.number(kind, "Type", i64::from(message.kind), start..start + 1);
    let text = match meaning(message.is_v6, message.kind, message.code) {
        Some(words) => format!("Code: {} ({words})", message.code),
        None => format!("Code: {}", message.code),
    };
    tree.push(Some(code), text, Value::Number(i64::from(message.code)), start + 1..start + 2);
    checksum_rows(&message, tree);
    body_rows(&message, tree);
    tree.leave();
    if let Some(quote) = Quote::read(decoded) {
        quote_rows(&quote, frame.settings, tree);
    }
}

fn checksum_rows(message: &Message<'_, '_>, tree: &mut Tree) {
    let Some(sum) = message.number(2, 2) else { return };
    let range = message.start + 2..message.start + 4;
    let (verdict, status) = match icmp_checksum_is_right(message.decoded) {
        Some(true) => ("correct", 1),
        Some(false) => ("wrong", 0),
        None => ("not verifiable: not captured to its end", 2),
    };
    let (field, status_field) = if message.is_v6 {
        (&v6::CHECKSUM, &v6::CHECKSUM_STATUS)
    } else {
        (&v4::CHECKSUM, &v4::CHECKSUM_STATUS)
    };
    let text = format!("Checksum: {sum:#06x} ({verdict})");
    tree.push(Some(field), text, Value::Number(sum as i64), range.clone());
    tree.also(status_field, Value::Number(status), range);
}

fn body_rows(message: &Message<'_, '_>, tree: &mut Tree) {
    let start = message.start;
    if message.is_numbered() {
        let (ident, sequence) =
            if message.is_v6 { (&v6::IDENT, &v6::SEQUENCE) } else { (&v4::IDENT, &v4::SEQUENCE) };
        if let (Some(id), Some(number)) = (message.number(4, 2), message.number(6, 2)) {
            tree.number(ident, "Identifier", id as i64, start + 4..start + 6);
            tree.number(sequence, "Sequence number", number as i64, start + 6..start + 8);
        }
    }
    if let Some((mtu, at, size)) = message.mtu() {
        let field = if message.is_v6 { &v6::MTU } else { &v4::MTU };
        tree.number(field, "MTU of next hop", mtu as i64, start + at..start + at + size);
    }
    if !message.is_v6 && message.kind == 5 {
        let bytes = message.decoded.bytes.get(start + 4..).and_then(|rest| rest.first_chunk::<4>());
        if let Some(gateway) = bytes {
            tree.address(&v4::GATEWAY, "Gateway", Address::V4((*gateway).into()), start + 4..start + 8);
        }
    }
    if !message.is_v6
        && matches!(message.kind, 3 | 11 | 12)
        && let Some(words) = message.number(5, 1).filter(|words| *words > 0)
    {
        tree.number(&v4::LENGTH, "Length of quote", words as i64 * 4, start + 5..start + 6);
    }
    if let Some(target) = message.target() {
        let field = if message.kind == 135 { &v6::TARGET } else { &v6::ADVERTISED };
        tree.address(field, "Target", target, start + 8..start + 24);
        discovery_options(message, tree);
    }
}

/// Link-layer address options (RFC 4861 §4.6.1).
fn discovery_options(message: &Message<'_, '_>, tree: &mut Tree) {
    let mut at = 24;
    for _ in 0..OPTIONS_MAX {
        let (Some(kind), Some(words)) = (message.number(at, 1), message.number(at + 1, 1)) else { return };
        let from = message.start + at;
        if matches!((kind, words), (1 | 2, 1)) {
            let bytes = message.decoded.bytes.get(from + 2..).and_then(|rest| rest.first_chunk::<6>());
            if let Some(hardware) = bytes {
                tree.address(
                    &v6::LINK_ADDRESS,
                    "Hardware address",
                    Address::Ether(*hardware),
                    from + 2..from + 8,
                );
            }
        }
        if words == 0 {
            return;
        }
        at += words as usize * 8;
    }
}

/// The quoted packet's own headers and, where it reaches that far, its DNS message.
fn quote_rows(quote: &Quote<'_>, settings: &Settings, tree: &mut Tree) {
    let inner = &quote.inner;
    let start = inner.network_start as usize;
    let end = start + quote.length_bytes as usize;
    let ends = endpoints(inner).unwrap_or_else(|| format!("{} → {}", inner.source, inner.destination));
    tree.enter(format!("Returned packet  {ends}"), start, end);
    tree.quoted(|tree| {
        other::headers(inner, tree);
        let protocol = classify(inner, settings).protocol();
        // An error never quotes an error, so this goes one deep only.
        if !inner.is_icmp_error() && !inner.payload().is_empty() {
            let frame = Frame { decoded: inner, assembled: None, datagram: None, settings };
            (protocol.dissect)(&frame, tree);
        }
        if let Some(stop) = inner.stopped {
            let at = stop.at as usize;
            tree.push(None, format!("The quote ends here: {}", stop.reading), Value::None, at..at);
        }
    });
    if let Some(extension) = quote.extension_start {
        let from = extension as usize;
        tree.push(
            None,
            "ICMP extensions (RFC 4884)".to_owned(),
            Value::None,
            from..inner.bytes.len().max(from),
        );
    }
    tree.leave();
}

fn endpoints(decoded: &Decoded<'_>) -> Option<String> {
    let (from, to) = decoded.ports()?;
    let end = |address: Address, port: u16| match address {
        Address::V6(address) => format!("[{address}]:{port}"),
        other => format!("{other}:{port}"),
    };
    Some(format!("{} → {}", end(decoded.source, from), end(decoded.destination, to)))
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let Some(message) = Message::of(frame.decoded) else { return };
    out.push_str(&message.meaning());
    if message.is_echo() {
        if let (Some(id), Some(sequence)) = (message.number(4, 2), message.number(6, 2)) {
            let _ = write!(out, ", id {id}, seq {sequence}");
        }
        return;
    }
    if let Some((mtu, ..)) = message.mtu() {
        let _ = write!(out, ", mtu {mtu}");
    }
    if let Some(target) = message.target() {
        let word = if message.kind == 135 { "who has" } else { "target is" };
        let _ = write!(out, ", {word} {target}");
    }
    let Some(quote) = Quote::read(frame.decoded) else { return };
    let inner = &quote.inner;
    let transport = match inner.transport {
        Transport::Udp { .. } => "udp",
        Transport::Tcp { .. } => "tcp",
        Transport::Icmp { .. } => "icmp",
        Transport::Icmpv6 { .. } => "icmp6",
        _ => "",
    };
    let _ = match (endpoints(inner), inner.ports()) {
        (Some(ends), Some((_, port))) => write!(out, " ({transport} {port}) {ends}"),
        _ if transport.is_empty() => {
            write!(out, " (protocol {}) {} → {}", inner.ip_protocol, inner.source, inner.destination)
        }
        _ => write!(out, " ({transport}) {} → {}", inner.source, inner.destination),
    };
    if icmp_checksum_is_right(frame.decoded) == Some(false) {
        out.push_str(" · bad checksum");
    }
}
