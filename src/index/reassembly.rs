//! Puts IP fragments and DNS over TCP back together, in file order, as segments of the index are finished.
//!
//! What is put together belongs to the frame that completes it. Waiting pieces are remembered by their place in the
//! file; bytes are copied only for messages that span frames. A capture without fragments and without DNS over TCP
//! has no pieces and pays nothing.

mod datagram;
mod stream;

use std::ops::Range;
use std::sync::Arc;

use super::kept::Kept;
use super::names::Hashed;
use super::segment::{DnsRow, IcmpRow, Segment, dns_row, flags, flow_hash};
use super::{Index, PacketId, SourceId, segment};
use crate::capture::Map;
use crate::decode::{Address, Decoded, Fragment, Quote, Site, Transport, decode_ip, dns};
use crate::protocols::{ProtocolId, classify};
use crate::settings::Settings;
use crate::time::Nanos;
use datagram::Datagrams;
use hashbrown::HashMap;
use stream::Streams;

/// Parts recorded of one assembly; a packet in more pieces names only the first of them.
pub const PARTS_MAX: usize = 4096;

/// Something put together from several frames.
#[derive(Clone, Copy, Debug)]
pub struct Assembly {
    /// The packet that completed it.
    pub packet: PacketId,
    /// An IP packet from fragments; otherwise a message from TCP segments.
    pub is_datagram: bool,
    start: u32,
    length: u32,
    parts_start: u32,
    parts_count: u32,
}

impl Assembly {
    /// The packets it was put together from, in order of their bytes.
    pub fn parts<'s>(&self, segment: &'s Segment) -> &'s [PacketId] {
        let start = self.parts_start as usize;
        segment.parts.get(start..start + self.parts_count as usize).unwrap_or_default()
    }

    /// Its bytes; empty where only its parts are remembered.
    pub fn bytes<'s>(&self, segment: &'s Segment) -> &'s [u8] {
        let start = self.start as usize;
        segment.arena.get(start..start + self.length as usize).unwrap_or_default()
    }

    /// The IP packet, where it is one and its bytes were kept.
    pub(super) fn datagram<'s>(&self, segment: &'s Segment) -> Option<&'s [u8]> {
        (self.is_datagram && self.length > 0).then(|| self.bytes(segment))
    }
}

/// A packet reassembly must look at, noted while its segment is decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Row in the segment.
    row: u32,
    source: Address,
    destination: Address,
    /// Where the piece's bytes begin in the file.
    offset: u64,
    length: u32,
    kind: PieceKind,
}

#[derive(Clone, Copy, Debug)]
enum PieceKind {
    Fragment {
        fragment: Fragment,
        protocol: u8,
        /// Where the IP header begins in the file, and its length.
        header: (u64, u32),
    },
    Stream(StreamHeader),
}

/// What reassembly needs of a TCP header.
#[derive(Clone, Copy, Debug)]
struct StreamHeader {
    source_port: u16,
    destination_port: u16,
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
}

impl StreamHeader {
    fn of(decoded: &Decoded<'_>) -> Option<Self> {
        let Transport::Tcp { source_port, destination_port, sequence, acknowledgment, flags, .. } =
            decoded.transport
        else {
            return None;
        };
        Some(Self { source_port, destination_port, sequence, acknowledgment, flags })
    }
}

impl Piece {
    /// What a packet contributes: a whole fragment, or anything of a TCP connection with a port of DNS.
    pub(super) fn of(
        decoded: &Decoded<'_>,
        protocol: ProtocolId,
        (row, frame_offset): (u32, u64),
        settings: &Settings,
    ) -> Option<Self> {
        let piece = |start: u32, end: u32, kind| Self {
            row,
            source: decoded.source,
            destination: decoded.destination,
            offset: frame_offset + u64::from(start),
            length: end.saturating_sub(start),
            kind,
        };
        if protocol == ProtocolId::FRAGMENT {
            let end = decoded.network_start + decoded.ip_length;
            if decoded.ip_length == 0 || end as usize > decoded.bytes.len() {
                return None;
            }
            let header = (
                frame_offset + u64::from(decoded.network_start),
                decoded.transport_start - decoded.network_start,
            );
            let fragment = decoded.fragment?;
            let kind = PieceKind::Fragment { fragment, protocol: decoded.ip_protocol, header };
            return Some(piece(decoded.transport_start, end, kind));
        }
        if protocol != ProtocolId::TCP {
            return None;
        }
        let header = StreamHeader::of(decoded)?;
        if !settings.is_dns_port(header.source_port) && !settings.is_dns_port(header.destination_port) {
            return None;
        }
        Some(piece(decoded.payload_start, decoded.payload_end, PieceKind::Stream(header)))
    }
}

/// Keeps what waits for its other pieces, from one segment to the next.
#[derive(Clone, Default)]
pub(super) struct Reassembler {
    datagrams: Datagrams,
    streams: Streams,
}

/// Where the bytes of pieces are.
#[derive(Clone, Copy)]
struct File<'w> {
    /// The frames kept of the segment looked at.
    now: &'w Kept,
    /// The segments before it, of all sources, with theirs.
    before: &'w [Arc<Segment>],
    source: SourceId,
    /// The whole capture; what was kept is looked for first.
    map: Option<&'w Map>,
}

impl<'w> File<'w> {
    /// The bytes in a range of the file.
    fn get(&self, range: Range<usize>) -> Option<&'w [u8]> {
        let wide = range.start as u64..range.end as u64;
        if let Some(kept) = self.now.get(wide.clone()) {
            return Some(kept);
        }
        // Most pieces come close behind each other.
        let own = self.before.iter().rev().filter(|segment| segment.source == self.source);
        let holds = |segment: &&Arc<Segment>| segment.offset.get(0).is_some_and(|first| first <= wide.start);
        if self.is_passing() {
            return own.filter(holds).find_map(|segment| segment.kept.get(wide.clone()));
        }
        self.map?.slice(range)
    }

    /// Whether the file is not held in memory.
    fn is_passing(&self) -> bool {
        self.map.is_some_and(Map::is_passing)
    }
}

/// One segment while pieces are added to it.
struct Work<'w> {
    segment: &'w mut Segment,
    file: File<'w>,
    names: HashMap<Box<[u8]>, u32>,
    addresses: HashMap<Address, u32>,
    added: bool,
    settings: &'w Settings,
    site: Site,
}

/// The packet being looked at.
#[derive(Clone, Copy)]
struct Now {
    row: u32,
    packet: PacketId,
    time_ns: Nanos,
}

impl Reassembler {
    /// Looks at the pieces of the next segment, behind those `before`, and adds what they complete to it.
    pub(super) fn absorb(&mut self, segment: &mut Segment, index: &Index, map: Option<&Map>) {
        let pieces = std::mem::take(&mut segment.pieces);
        let kept = std::mem::take(&mut segment.kept);
        let file = File { now: &kept, before: index.segments(), source: segment.source, map };
        let (names, addresses) = (HashMap::new(), HashMap::new());
        let site = index.sources.get(segment.source.place()).map_or(Site::NONE, |source| source.site);
        let mut work =
            Work { segment, file, names, addresses, added: false, settings: &index.settings, site };
        for piece in &pieces {
            let now = Now {
                row: piece.row,
                packet: PacketId(work.segment.base.0 + piece.row),
                time_ns: work.segment.time_ns.get(piece.row as usize).copied().unwrap_or(0),
            };
            self.one(piece, now, &mut work);
        }
        if work.added {
            segment.dns.sort_by_key(|row| row.packet);
            segment.place_dns();
            segment.icmp.sort_by_key(|row| row.packet);
        }
        segment.kept = kept;
    }

    fn one(&mut self, piece: &Piece, now: Now, work: &mut Work<'_>) {
        match piece.kind {
            PieceKind::Stream(header) => {
                let place = stream::Place { offset: piece.offset, length: piece.length };
                let ends = (piece.source, piece.destination);
                self.streams.push(&header, ends, &stream::Data::File(place), now, work);
            }
            PieceKind::Fragment { fragment, protocol, header } => {
                let key = datagram::Key {
                    source: piece.source,
                    destination: piece.destination,
                    id: fragment.id,
                    // IPv6 knows a packet by its addresses and identification alone (RFC 8200 §4.5).
                    protocol: if piece.source.is_v6() { 0 } else { protocol },
                };
                let part = datagram::Part {
                    start: fragment.offset_bytes,
                    length: piece.length,
                    offset: piece.offset,
                    packet: now.packet,
                };
                let head = (fragment.offset_bytes == 0).then_some((header, protocol));
                let whole = self.datagrams.push(key, (part, fragment.more), head, now, work.file);
                if let Some(whole) = whole {
                    self.complete(&whole, now, work);
                }
            }
        }
    }

    /// Reads a reassembled IP packet and gives its row what a whole packet's row has.
    fn complete(&mut self, whole: &datagram::Whole, now: Now, work: &mut Work<'_>) {
        let mut decoded = decode_ip(&whole.bytes);
        decoded.take_for(work.site);
        let protocol = classify(&decoded, work.settings);
        work.retitle(now, &decoded, protocol);
        let is_error = decoded.is_icmp_error();
        let is_name_service = matches!(protocol, ProtocolId::DNS | ProtocolId::MDNS | ProtocolId::LLMNR);
        let kept: &[u8] = if is_error || is_name_service { &whole.bytes } else { &[] };
        let start = work.assembly(now.packet, true, kept, &whole.parts);
        if is_error {
            work.icmp(now, &decoded);
        } else if is_name_service {
            match (StreamHeader::of(&decoded), decoded.ports()) {
                (Some(header), _) => {
                    let data = stream::Data::Held(decoded.payload().to_vec());
                    self.streams.push(&header, (decoded.source, decoded.destination), &data, now, work);
                }
                (None, Some((from, to))) => {
                    let ends = ((decoded.source, from), (decoded.destination, to));
                    let at = Message { start: start + decoded.payload_start, assembled: true, transport: 17 };
                    work.message(now, protocol, decoded.payload(), ends, at);
                }
                (None, None) => {}
            }
        }
    }
}

/// Where a message was found.
#[derive(Clone, Copy)]
struct Message {
    start: u32,
    assembled: bool,
    transport: u8,
}

impl Work<'_> {
    /// Appends an assembly; gives the offset of its bytes in the arena.
    fn assembly(&mut self, packet: PacketId, is_datagram: bool, bytes: &[u8], parts: &[PacketId]) -> u32 {
        let segment = &mut *self.segment;
        let start = segment.arena.len() as u32;
        let parts_start = segment.parts.len() as u32;
        segment.arena.extend_from_slice(bytes);
        segment.parts.extend(parts.iter().take(PARTS_MAX));
        segment.assemblies.push(Assembly {
            packet,
            is_datagram,
            start,
            length: bytes.len() as u32,
            parts_start,
            parts_count: parts.len().min(PARTS_MAX) as u32,
        });
        start
    }

    /// Replaces what the columns say of a fragment by what the whole packet says.
    fn retitle(&mut self, now: Now, decoded: &Decoded<'_>, protocol: ProtocolId) {
        let ports = match decoded.icmp() {
            Some((kind, code)) => (u16::from(kind), u16::from(code)),
            None => decoded.ports().unwrap_or((0, 0)),
        };
        let addresses = (self.address(decoded.source), self.address(decoded.destination));
        let row = now.row as usize;
        let segment = &mut *self.segment;
        set(&mut segment.source_port, row, ports.0);
        set(&mut segment.destination_port, row, ports.1);
        set(&mut segment.source_address, row, addresses.0);
        set(&mut segment.destination_address, row, addresses.1);
        set(&mut segment.protocol, row, protocol.0);
        set(&mut segment.transport, row, decoded.ip_protocol);
        set(&mut segment.ttl, row, decoded.ttl);
        if let Transport::Tcp { flags, .. } = decoded.transport {
            set(&mut segment.tcp_flags, row, flags);
        }
        if decoded.outer.is_some() {
            self.flag(now, flags::TUNNEL);
        }
    }

    fn flag(&mut self, now: Now, bits: u16) {
        if let Some(slot) = self.segment.flags.get_mut(now.row as usize) {
            *slot |= bits;
        }
    }

    fn icmp(&mut self, now: Now, decoded: &Decoded<'_>) {
        let Some((kind, code)) = decoded.icmp() else { return };
        let quoted_flow = Quote::read(decoded).and_then(|quote| {
            let (from, to) = quote.inner.ports()?;
            let inner = &quote.inner;
            Some(flow_hash(inner.ip_protocol, (inner.source, from), (inner.destination, to)))
        });
        self.flag(now, flags::ICMP_ERROR);
        self.added = true;
        self.segment.icmp.push(IcmpRow {
            packet: now.packet,
            kind,
            code,
            v6: matches!(decoded.transport, Transport::Icmpv6 { .. }),
            quoted_flow: quoted_flow.unwrap_or(0),
            port_unknown: false,
        });
    }

    /// Adds the row of a DNS message that this packet completes.
    fn message(
        &mut self,
        now: Now,
        protocol: ProtocolId,
        bytes: &[u8],
        ends: ((Address, u16), (Address, u16)),
        at: Message,
    ) {
        let Some(mut message) = dns::read(bytes) else { return };
        message.name.make_lowercase();
        let name = Hashed::new(&message.name);
        let mut row: DnsRow = dns_row(now.packet, protocol, (&message, name), at.transport, ends);
        row.start = at.start;
        row.set_assembled(at.assembled);
        if row.question != 0 {
            row.name = self.name(name);
        }
        self.flag(now, if row.is_response() { flags::DNS_RESPONSE } else { flags::DNS_QUERY });
        set(&mut self.segment.protocol, now.row as usize, protocol.0);
        self.added = true;
        // Those of one packet are completed one after another.
        self.segment.has_several |= self.segment.dns.last().is_some_and(|last| last.packet == now.packet);
        self.segment.dns.push(row);
    }

    fn name(&mut self, name: Hashed<'_>) -> u32 {
        if let Some(at) = self.names.get(name.wire) {
            return *at;
        }
        let at = self.segment.names.push(name.wire, name.hash);
        self.names.insert(name.wire.into(), at);
        at
    }

    fn address(&mut self, address: Address) -> u32 {
        if self.addresses.is_empty() {
            let known = self.segment.addresses.iter().enumerate();
            self.addresses = known.map(|(at, address)| (*address, at as u32)).collect();
        }
        let addresses = &mut self.segment.addresses;
        *self.addresses.entry(address).or_insert_with(|| {
            addresses.push(address);
            (addresses.len() - 1) as u32
        })
    }
}

fn set<T>(column: &mut [T], row: usize, value: T) {
    if let Some(slot) = column.get_mut(row) {
        *slot = value;
    }
}

/// The record's own frame begins here; a message inside it is addressed from there.
fn frame_offset(segment: &segment::Segment, row: u32) -> u64 {
    segment.offset.get(row as usize).unwrap_or(0)
}
