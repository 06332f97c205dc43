//! What a TCP packet says of its connection, read from its header.

use super::{End, Scope, hash};
use crate::decode::transcript::Line;
use crate::decode::{Decoded, Transport};
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId, Segment};
use crate::settings::Settings;
use crate::time::Nanos;

/// Protocol number of TCP.
const TCP: u8 = 6;

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;

/// One TCP packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub packet: PacketId,
    pub time_ns: Nanos,
    pub from: End,
    pub to: End,
    /// Of both ends.
    pub hash: u64,
    pub flags: u8,
    /// Printed packets count from the connection's beginning, and some not at all: 0 then.
    pub sequence: u32,
    pub acknowledgment: u32,
    /// Bytes it carries on the wire, captured or not.
    pub payload: u32,
    /// Whether the numbers are those of the wire.
    pub exact: bool,
    /// Whether it comes from the server as far as ports tell.
    pub from_service: bool,
}

impl Row {
    /// Whether it is a SYN alone, which opens a connection.
    pub fn opens(&self) -> bool {
        self.flags & (SYN | ACK) == SYN
    }

    /// Whether it is the SYN that accepts one.
    pub fn accepts(&self) -> bool {
        self.flags & (SYN | ACK) == SYN | ACK
    }

    /// Whether all of these flags are set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Reads the TCP packets of a segment, by its place, in order.
pub(super) fn read(index: &Index, at: usize, scope: Scope, push: &mut dyn FnMut(Row)) {
    let Some(segment) = index.segments().get(at) else { return };
    for row in memchr::memchr_iter(TCP, &segment.transport) {
        if scope == Scope::All || has_dns_port(segment, row, &index.settings) {
            let packet = index.packet(PacketId(segment.base.0 + row as u32));
            if let Some(row) = packet.and_then(|packet| one(&packet)) {
                push(row);
            }
        }
    }
}

fn has_dns_port(segment: &Segment, row: usize, settings: &Settings) -> bool {
    let is_dns = |ports: &[u16]| ports.get(row).is_some_and(|port| settings.is_dns_port(*port));
    is_dns(&segment.source_port) || is_dns(&segment.destination_port)
}

/// Whether the port a packet comes from is the server's, where no SYN tells.
fn is_service(from: u16, to: u16, settings: &Settings) -> bool {
    match (settings.is_dns_port(from), settings.is_dns_port(to)) {
        (true, false) => true,
        (false, true) => false,
        _ => from < to,
    }
}

fn one(packet: &Packet<'_>) -> Option<Row> {
    let datagram = if packet.flags() & flags::FRAGMENT == 0 { None } else { packet.datagram() };
    let decoded = packet.decode();
    let decoded = datagram.as_ref().unwrap_or(&decoded);
    let from = (packet.source_address(), packet.source_port());
    let to = (packet.destination_address(), packet.destination_port());
    let row = Row {
        packet: packet.id,
        time_ns: packet.time_ns(),
        from,
        to,
        hash: hash(from, to),
        flags: packet.segment.tcp_flags.get(packet.row).copied().unwrap_or_default(),
        sequence: 0,
        acknowledgment: 0,
        payload: 0,
        exact: false,
        from_service: is_service(from.1, to.1, &packet.source.settings),
    };
    let Transport::Tcp { sequence, acknowledgment, .. } = decoded.transport else {
        // A fragment of it, or a header that was cut: only the columns tell. A printed line without ports tells nothing.
        return (!packet.is_text() && packet.flags() & flags::FRAGMENT == 0).then_some(row);
    };
    let exact = !packet.is_text();
    let payload =
        if exact { stated(decoded) } else { packet.printed().map_or(0, |line| printed_length(&line)) };
    Some(Row { sequence, acknowledgment, payload, exact, ..row })
}

/// Bytes of the payload as the IP header states them; as captured where it does not (segmentation offload states 0).
fn stated(decoded: &Decoded<'_>) -> u32 {
    if decoded.stopped.is_some() && decoded.payload_start == 0 {
        return 0;
    }
    let end = if decoded.ip_length == 0 {
        decoded.payload_end
    } else {
        decoded.network_start.saturating_add(decoded.ip_length)
    };
    end.saturating_sub(decoded.payload_start)
}

/// The `length` that a printed segment ends with, or what `tcp 33` says.
pub(crate) fn printed_length(line: &Line<'_>) -> u32 {
    told_length(line).unwrap_or(0)
}

/// The same; nothing where neither it nor a range of sequence numbers (`seq 1:140`) is printed.
pub(crate) fn told_length(line: &Line<'_>) -> Option<u32> {
    let mut range = None;
    let mut words = line.body().split_ascii_whitespace();
    while let Some(word) = words.next() {
        // In lists.
        if let Some(length) = word.strip_prefix("Len=").and_then(|number| number.parse().ok()) {
            return Some(length);
        }
        // `P 1:15(14)`, as versions up to 3.9 print it.
        let old = word.strip_suffix(')').and_then(|word| word.split_once('('));
        if let Some((range, length)) =
            old.filter(|(range, _)| range.contains(':') && range.starts_with(|c: char| c.is_ascii_digit()))
            && range.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
            && let Ok(length) = length.parse()
        {
            return Some(length);
        }
        if word == "seq" {
            let ends = words.next().unwrap_or_default().trim_end_matches(',').split_once(':');
            let ends = ends.and_then(|(from, to)| from.parse::<u32>().ok().zip(to.parse::<u32>().ok()));
            range = ends.map(|(from, to)| to.wrapping_sub(from)).or(range);
        }
        if word == "length" || word == "tcp" {
            let number = words.next().unwrap_or_default().trim_end_matches([':', ',', ')']);
            if let Ok(length) = number.parse() {
                return Some(length);
            }
        }
    }
    range
}
