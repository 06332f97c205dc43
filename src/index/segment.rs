//! One immutable run of packets: plain columns, and side tables for DNS messages and ICMP errors.

mod printed;
mod unnumbered;

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;

use printed::PrintedPieces;
use unnumbered::Unnumbered;

use super::kept::Kept;
use super::names::{Hashed, Names};
use super::offsets::Offsets;
use super::reassembly::{Assembly, Piece};
use super::{PacketId, SourceId};
use crate::capture::{Bytes, LinkType, Record};
use crate::decode::{Address, Decoded, Quote, Site, Transport, decode, dns, transcript};
use crate::protocols::{ProtocolId, classify};
use crate::settings::{LLMNR_PORT, MDNS_PORT, Settings};
use crate::time::{EARLIEST_NS, LATEST_NS, Nanos};

/// Packets in a full segment.
pub const SEGMENT_MAX: usize = 1 << 16;

/// Bits of the flags column.
pub mod flags {
    /// An ICMP or ICMPv6 message that quotes another packet.
    pub const ICMP_ERROR: u16 = 1;
    /// A DNS query (QR = 0).
    pub const DNS_QUERY: u16 = 2;
    /// A DNS response (QR = 1).
    pub const DNS_RESPONSE: u16 = 4;
    /// An IP fragment.
    pub const FRAGMENT: u16 = 8;
    /// Reading stopped before the payload, or the message is malformed.
    pub const STOPPED: u16 = 16;
    /// Fewer bytes were captured than were on the wire.
    pub const CUT: u16 = 32;
    /// The time is earlier than that of the frame before it.
    pub const BACKWARD: u16 = 64;
    /// TCP on port 53 with payload (input of stream reassembly).
    pub const DNS_STREAM: u16 = 128;
    /// The innermost packet travelled in a tunnel.
    pub const TUNNEL: u16 = 256;
    /// The capture states no time; the one shown is that of the packet before.
    pub const NO_TIME: u16 = 512;
}

/// What kind of DNS message a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsKind {
    /// Unicast DNS on port 53.
    Dns,
    /// mDNS, never matched as unicast DNS.
    Mdns,
    /// LLMNR, likewise.
    Llmnr,
}

impl DnsKind {
    fn of(protocol: ProtocolId) -> Self {
        match protocol {
            ProtocolId::MDNS => Self::Mdns,
            ProtocolId::LLMNR => Self::Llmnr,
            _ => Self::Dns,
        }
    }
}

/// One DNS message, in 48 bytes: captures hold millions. Client and server are decided by QR: a query's source is the client.
#[derive(Clone, Copy, Debug)]
pub struct DnsRow {
    /// The packet that carries or completes it.
    pub packet: PacketId,
    /// Hash of (transport, client address, client port, server address, server port).
    pub flow: u64,
    /// Hash of (name without case, type, class, opcode); 0 where there is no readable question.
    pub question: u64,
    /// Position of the name in the segment's names; `u32::MAX` where there is none.
    pub name: u32,
    /// Where the message begins in the frame, or in the segment's reassembled bytes ([`Segment::message`]).
    pub start: u32,
    /// Bytes of the message that are there; a DNS message has at most 65,535.
    pub length: u16,
    /// The header.
    pub header: dns::Header,
    /// QTYPE.
    pub qtype: u16,
    /// QCLASS.
    pub qclass: u16,
    /// Whether it is DNS, mDNS or LLMNR.
    pub kind: DnsKind,
    marks: u8,
}

impl DnsRow {
    /// Whether it is a response.
    pub fn is_response(&self) -> bool {
        self.header.is_response()
    }

    /// Whether its bytes are reassembled ones.
    pub fn is_assembled(&self) -> bool {
        self.marks & ASSEMBLED != 0
    }

    /// Whether its header or first question is malformed or cut.
    pub fn is_malformed(&self) -> bool {
        self.marks & MALFORMED != 0
    }

    /// The type asked for; `None` where the question was cut before it, or is printed without it.
    pub fn asked_type(&self) -> Option<u16> {
        // Type 0 and class 0 are asked by nobody (RFC 6895 §3.1, §3.2): in a cut question, and where only the name is printed, they
        // stand for none.
        let cut = self.question == 0 || self.qtype == 0 && (self.is_malformed() || self.qclass == 0);
        (!cut).then_some(self.qtype)
    }

    /// Whether it is a response whose OPT record carries an extended response code or error (RFC 6891; RFC 8914).
    pub fn is_extended(&self) -> bool {
        self.marks & EXTENDED != 0
    }

    /// RCODE with its extended bits (RFC 6891 §6.1.3); codes from 240 on, of which none is assigned, stand for each other.
    pub fn response_code(&self) -> u16 {
        u16::from(self.marks >> HIGH_SHIFT) << 4 | u16::from(self.header.response_code())
    }

    pub(super) fn set_assembled(&mut self, assembled: bool) {
        self.marks = self.marks & !ASSEMBLED | if assembled { ASSEMBLED } else { 0 };
    }
}

const ASSEMBLED: u8 = 1;
const MALFORMED: u8 = 2;
const EXTENDED: u8 = 4;
/// The upper half of the marks holds the upper bits of the response code, as far as they fit.
const HIGH_SHIFT: u32 = 4;
const HIGH_MAX: u8 = 15;

/// The marks for what the OPT record of a response adds to its header.
fn extended(message: &dns::Message<'_>) -> u8 {
    if !message.header.is_response() {
        return 0;
    }
    let Some(opt) = message.extension() else { return 0 };
    let high = opt.response_code_high;
    let extended = high != 0 || opt.extended_error(message.bytes).is_some();
    high.min(HIGH_MAX) << HIGH_SHIFT | if extended { EXTENDED } else { 0 }
}

/// One ICMP error that quotes a packet.
#[derive(Clone, Copy, Debug)]
pub struct IcmpRow {
    /// The packet.
    pub packet: PacketId,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Whether it is ICMPv6.
    pub v6: bool,
    /// Hash of the quoted (transport, source, source port, destination, destination port), in that order; 0 without a readable quote.
    pub quoted_flow: u64,
    /// Whether `quoted_flow` counts the source port as 0 because a printed line does not tell it:
    /// compare with [`flow_hash`] of the query with its client port taken as 0.
    pub port_unknown: bool,
}

/// Packets at the beginning of the index that are all read again, to see whether the capture has everything twice.
pub const FIRST_PACKETS: u32 = 4096;
/// Frames up to this size are kept, whatever they are: ICMP errors quote them, and they are little beside the others.
const SMALL_BYTES: u32 = 128;
/// TCP segments with no other flags (PSH, ACK) belong to connections that work, and are many.
const TCP_BARE: u8 = 0x18;
/// Frames that are read again to find out what happened or what they are, beside those of some protocols.
const EVIDENCE: u16 = flags::ICMP_ERROR
    | flags::DNS_QUERY
    | flags::DNS_RESPONSE
    | flags::FRAGMENT
    | flags::STOPPED
    | flags::DNS_STREAM
    | flags::TUNNEL;

/// Packets that share a place among the DNS messages, as a power of two.
const DNS_STEP_BITS: u32 = 5;

/// One run of packets.
#[derive(Clone)]
#[expect(missing_docs, reason = "the columns are described at Packet, their accessor")]
pub struct Segment {
    pub base: PacketId,
    pub source: SourceId,
    /// Packets of the source before its first.
    pub first_row: u32,
    pub offset: Offsets,
    pub time_ns: Vec<Nanos>,
    /// The earliest and the latest time; the first is greater than the last without packets.
    pub span_ns: (Nanos, Nanos),
    /// Whether some packet has [`flags::BACKWARD`].
    pub goes_back: bool,
    /// Whether some packet carries or completes several DNS messages.
    pub has_several: bool,
    pub captured: Vec<u32>,
    /// Empty where every packet of the segment was captured whole ([`Segment::originals`]).
    pub(super) original: Vec<u32>,
    pub source_address: Vec<u32>,
    pub destination_address: Vec<u32>,
    pub source_port: Vec<u16>,
    pub destination_port: Vec<u16>,
    /// Empty where all packets are of the first interface ([`Segment::interface`]).
    pub(super) interface: Vec<u16>,
    pub flags: Vec<u16>,
    pub protocol: Vec<u8>,
    pub transport: Vec<u8>,
    pub ttl: Vec<u8>,
    pub tcp_flags: Vec<u8>,
    /// The distinct addresses; address columns are positions in it. Position 0 is "none".
    pub addresses: Vec<Address>,
    /// The distinct question names, lower-cased, in wire form.
    pub names: Names,
    pub dns: Vec<DnsRow>,
    /// How many rows of `dns` come before each `1 << DNS_STEP_BITS`th packet, and all of them; see [`Segment::place_dns`].
    dns_places: Vec<u32>,
    pub icmp: Vec<IcmpRow>,
    /// What packets of the segment completed, in packet order.
    pub assemblies: Vec<Assembly>,
    /// The packets each assembly was put together from.
    pub(super) parts: Vec<PacketId>,
    /// Reassembled bytes, end to end.
    pub(super) arena: Vec<u8>,
    /// What reassembly has still to look at.
    pub(super) pieces: Vec<Piece>,
    /// Bytes of frames whose capture is not held in memory.
    pub(super) kept: Kept,
}

impl Segment {
    /// Sets the clock of its source by something added to all its times.
    pub(super) fn set_clock(&mut self, added_ns: Nanos) {
        let moved = |time_ns: Nanos| time_ns.saturating_add(added_ns).clamp(EARLIEST_NS, LATEST_NS);
        self.time_ns.iter_mut().for_each(|time_ns| *time_ns = moved(*time_ns));
        if !self.time_ns.is_empty() {
            self.span_ns = (moved(self.span_ns.0), moved(self.span_ns.1));
        }
    }
}

impl Segment {
    /// Packets in it.
    pub fn len(&self) -> usize {
        self.offset.len()
    }

    /// Whether it has no packets.
    pub fn is_empty(&self) -> bool {
        self.offset.is_empty()
    }

    /// The bytes of a reassembled message; empty for messages that stand in one frame.
    pub fn message(&self, row: &DnsRow) -> &[u8] {
        let start = row.start as usize;
        if !row.is_assembled() {
            return &[];
        }
        self.arena.get(start..start + usize::from(row.length)).unwrap_or_default()
    }

    /// Where the rows of DNS messages begin that belong to a packet or a later one.
    pub(crate) fn first_dns(&self, packet: PacketId) -> usize {
        let step = (packet.0.saturating_sub(self.base.0) >> DNS_STEP_BITS) as usize;
        let place = |step: usize| self.dns_places.get(step).map_or(self.dns.len(), |place| *place as usize);
        let (low, high) = (place(step), place(step + 1));
        let rows = self.dns.get(low..high).unwrap_or_default();
        low + rows.partition_point(|row| row.packet < packet)
    }

    /// Notes where the rows of DNS messages stand; call when they have changed.
    pub(super) fn place_dns(&mut self) {
        let mut places = Vec::with_capacity((self.len() >> DNS_STEP_BITS) + 2);
        for (row, at) in self.dns.iter().zip(0u32..) {
            let step = (row.packet.0.saturating_sub(self.base.0) >> DNS_STEP_BITS) as usize;
            if places.len() <= step {
                places.resize(step + 1, at);
            }
        }
        self.dns_places = places;
    }

    /// Bytes on the wire, by row.
    pub fn originals(&self) -> &[u32] {
        if self.original.is_empty() { &self.captured } else { &self.original }
    }

    /// The interface of a row's packet, by its number in the source.
    pub fn interface(&self, row: usize) -> u16 {
        self.interface.get(row).copied().unwrap_or(0)
    }

    /// The address at a position of the dictionary.
    pub fn address(&self, position: u32) -> Address {
        self.addresses.get(position as usize).copied().unwrap_or_default()
    }
}

/// The seed is fixed so that two builds of one capture are equal; the hashes never decide a table's layout.
pub(super) fn hasher() -> impl Hasher {
    foldhash::quality::FixedState::with_seed(0x706f_7274).build_hasher()
}

/// Hashes a flow in the given direction.
pub fn flow_hash(transport: u8, from: (Address, u16), to: (Address, u16)) -> u64 {
    use std::hash::Hash as _;
    let mut hasher = hasher();
    (transport, from.0, from.1, to.0, to.1).hash(&mut hasher);
    hasher.finish() | 1
}

/// Hashes a question from the hash of its name.
pub fn question_hash(name: u64, qtype: u16, qclass: u16, opcode: u8) -> u64 {
    let mut hasher = hasher();
    hasher.write_u64(name);
    hasher.write_u64(u64::from(qtype) << 32 | u64::from(qclass) << 16 | u64::from(opcode));
    hasher.finish() | 1
}

/// The row of a message that is bytes, whose name is given; the name's place and the message's are the caller's to fill in.
pub(super) fn dns_row(
    packet: PacketId,
    protocol: ProtocolId,
    (message, name): (&dns::Message<'_>, Hashed<'_>),
    transport: u8,
    (from, to): ((Address, u16), (Address, u16)),
) -> DnsRow {
    let response = message.header.is_response();
    let (client, server) = if response { (to, from) } else { (from, to) };
    let question = if name.wire.is_empty() {
        0
    } else {
        question_hash(name.hash, message.qtype, message.qclass, message.header.opcode())
    };
    DnsRow {
        packet,
        flow: flow_hash(transport, client, server),
        question,
        name: u32::MAX,
        start: 0,
        length: message.bytes.len().min(usize::from(u16::MAX)) as u16,
        header: message.header,
        qtype: message.qtype,
        qclass: message.qclass,
        kind: DnsKind::of(protocol),
        marks: if message.problem.is_some() { MALFORMED } else { 0 } | extended(message),
    }
}

/// Builds one segment from records.
pub struct SegmentBuilder<'s> {
    settings: &'s Settings,
    segment: Segment,
    address_table: HashTable<u32>,
    name_table: HashTable<u32>,
    keeps_bytes: bool,
    site: Site,
    printed_pieces: PrintedPieces,
    unnumbered: Unnumbered,
}

impl<'s> SegmentBuilder<'s> {
    /// An empty segment that begins at `base`, with the `first_row`th packet of its source.
    pub fn new(
        base: PacketId,
        (source, first_row): (SourceId, u32),
        capacity: usize,
        settings: &'s Settings,
    ) -> Self {
        let segment = Segment {
            base,
            source,
            first_row,
            offset: Offsets::with_capacity(capacity),
            time_ns: Vec::with_capacity(capacity),
            span_ns: (Nanos::MAX, Nanos::MIN),
            goes_back: false,
            has_several: false,
            captured: Vec::with_capacity(capacity),
            original: Vec::with_capacity(capacity),
            source_address: Vec::with_capacity(capacity),
            destination_address: Vec::with_capacity(capacity),
            source_port: Vec::with_capacity(capacity),
            destination_port: Vec::with_capacity(capacity),
            interface: Vec::with_capacity(capacity),
            flags: Vec::with_capacity(capacity),
            protocol: Vec::with_capacity(capacity),
            transport: Vec::with_capacity(capacity),
            ttl: Vec::with_capacity(capacity),
            tcp_flags: Vec::with_capacity(capacity),
            addresses: vec![Address::None],
            names: Names::default(),
            dns: Vec::new(),
            dns_places: Vec::new(),
            icmp: Vec::new(),
            assemblies: Vec::new(),
            parts: Vec::new(),
            arena: Vec::new(),
            pieces: Vec::new(),
            kept: Kept::default(),
        };
        let (address_table, name_table) = (HashTable::new(), HashTable::new());
        let printed_pieces = PrintedPieces::default();
        Self {
            settings,
            segment,
            address_table,
            name_table,
            keeps_bytes: false,
            site: Site::NONE,
            printed_pieces,
            unnumbered: Unnumbered::default(),
        }
    }

    /// Keeps the bytes of frames that are read again to find out what happened, because the capture's will be gone.
    pub fn keep_bytes(&mut self) {
        self.keeps_bytes = true;
    }

    /// Takes the private addresses of packets that follow for those of a site.
    pub fn take_for(&mut self, site: Site) {
        self.site = site;
    }

    /// Decodes one record and appends its row. `bytes` are those of the source.
    pub fn push(&mut self, record: &Record, link_type: LinkType, bytes: Bytes<'_>, offset_ns: Nanos) {
        let start = record.offset as usize;
        let frame = bytes.get(start..start + record.captured as usize).unwrap_or_default();
        let is_text = link_type == LinkType::TRANSCRIPT;
        let mut line = if is_text { transcript::read(frame, self.settings) } else { None };
        // A line is read once.
        let mut decoded =
            if is_text { transcript::decoded(frame, line.as_ref()) } else { decode(link_type, frame) };
        decoded.take_for(self.site);
        let mut protocol = classify(&decoded, self.settings);
        if let Some(line) = &mut line {
            line.take_for(self.site);
        }
        let id = PacketId(self.segment.base.0 + self.segment.len() as u32);
        let mut bits = 0;
        if decoded.stopped.is_some() {
            bits |= flags::STOPPED;
        }
        if decoded.fragment.is_some() {
            bits |= flags::FRAGMENT;
        }
        if !record.has_time {
            bits |= flags::NO_TIME;
        }
        if record.captured < record.original {
            bits |= flags::CUT;
        }
        if decoded.outer.is_some() {
            bits |= flags::TUNNEL;
        }
        if decoded.is_icmp_error() {
            bits |= flags::ICMP_ERROR;
            match &line {
                Some(line) => self.push_printed_icmp(id, line),
                None => self.push_icmp(id, &decoded),
            }
        }
        let (mut source_port, mut destination_port) = match decoded.icmp() {
            Some((kind, code)) => (u16::from(kind), u16::from(code)),
            None => decoded.ports().unwrap_or((0, 0)),
        };
        if let Some(line) = &line {
            if line.dns.is_none() && line.ip.piece.is_none() && protocol == ProtocolId::DNS {
                // A port says where something went, not what it was: `udp 33`.
                protocol = ProtocolId::UDP;
            }
            // Printed lines carry no payload to claim: the ports say which relative of DNS it is.
            let is_whole = line.ip.piece.is_none();
            if is_whole && line.dns.is_some() && matches!(protocol.protocol().name, "tcp" | "udp") {
                let has = |port| source_port == port || destination_port == port;
                protocol = match () {
                    () if has(MDNS_PORT) => ProtocolId::MDNS,
                    () if has(LLMNR_PORT) => ProtocolId::LLMNR,
                    () => ProtocolId::DNS,
                };
            }
            let row = self.printed_message(
                (id, &mut protocol),
                (&decoded, line),
                (&mut source_port, &mut destination_port),
            );
            if let Some(row) = row {
                bits |= if row.is_response() { flags::DNS_RESPONSE } else { flags::DNS_QUERY };
                self.segment.dns.push(row);
            }
        } else if matches!(protocol, ProtocolId::DNS | ProtocolId::MDNS | ProtocolId::LLMNR) {
            match decoded.transport {
                Transport::Tcp { .. } => {
                    // Which segments hold messages is known only when the stream is read.
                    bits |= flags::DNS_STREAM;
                    protocol = ProtocolId::TCP;
                }
                _ => bits |= self.push_dns(id, protocol, &decoded),
            }
        }
        if line.is_none() && matches!(protocol, ProtocolId::TCP | ProtocolId::FRAGMENT) {
            let row = self.segment.len() as u32;
            self.segment.pieces.extend(Piece::of(&decoded, protocol, (row, record.offset), self.settings));
        }
        let tcp_flags = if let Transport::Tcp { flags, .. } = decoded.transport { flags } else { 0 };
        let is_evidence = || {
            let is_bare = matches!(decoded.transport, Transport::Tcp { .. }) && tcp_flags & !TCP_BARE == 0;
            let is_quoted = record.captured <= SMALL_BYTES && !is_bare;
            let dns_port =
                [source_port, destination_port].into_iter().any(|port| self.settings.is_dns_port(port));
            let is_first = id.0 < FIRST_PACKETS;
            is_first || is_quoted || dns_port || protocol.is_evidence() || bits & EVIDENCE != 0
        };
        if self.keeps_bytes && is_evidence() {
            self.segment.kept.push(record.offset, frame);
        }
        let source_address = self.address(decoded.source);
        let destination_address = self.address(decoded.destination);
        let segment = &mut self.segment;
        segment.offset.push(record.offset);
        let time_ns = record.time_ns.saturating_add(offset_ns).clamp(EARLIEST_NS, LATEST_NS);
        segment.time_ns.push(time_ns);
        segment.captured.push(record.captured);
        segment.original.push(record.original);
        segment.source_address.push(source_address);
        segment.destination_address.push(destination_address);
        segment.source_port.push(source_port);
        segment.destination_port.push(destination_port);
        segment.interface.push(record.interface);
        segment.flags.push(bits);
        segment.protocol.push(protocol.0);
        segment.transport.push(decoded.ip_protocol);
        segment.ttl.push(decoded.ttl);
        segment.tcp_flags.push(tcp_flags);
    }

    /// The finished segment.
    pub fn finish(mut self) -> Segment {
        // Most captures are of one interface and keep packets whole: what all rows share is not stored.
        if self.segment.original == self.segment.captured {
            self.segment.original = Vec::new();
        }
        if self.segment.interface.iter().all(|interface| *interface == 0) {
            self.segment.interface = Vec::new();
        }
        self.segment.addresses.shrink_to_fit();
        self.segment.names.shrink_to_fit();
        self.segment.dns.shrink_to_fit();
        self.segment.kept.shrink();
        self.segment.place_dns();
        self.segment
    }

    fn address(&mut self, address: Address) -> u32 {
        if address == Address::None {
            return 0;
        }
        let addresses = &mut self.segment.addresses;
        let state = foldhash::fast::FixedState::default();
        let hash = state.hash_one(address);
        let is_it = |at: &u32| addresses.get(*at as usize) == Some(&address);
        if let Some(at) = self.address_table.find(hash, is_it) {
            return *at;
        }
        let at = addresses.len() as u32;
        addresses.push(address);
        let addresses = &*addresses;
        self.address_table.insert_unique(hash, at, |at| {
            state.hash_one(addresses.get(*at as usize).copied().unwrap_or_default())
        });
        at
    }

    fn name(&mut self, name: Hashed<'_>) -> u32 {
        let names = &mut self.segment.names;
        // Half a hash is kept of each name; the table looks at both ends of a whole one.
        let spread = |half: u32| u64::from(half).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = spread(name.hash as u32);
        if let Some(at) = self.name_table.find(hash, |at| names.get(*at) == Some(name.wire)) {
            return *at;
        }
        let at = names.push(name.wire, name.hash);
        let hashes = names.hashes();
        let known = |at: &u32| spread(hashes.get(*at as usize).copied().unwrap_or(0));
        self.name_table.insert_unique(hash, at, known);
        at
    }

    fn push_icmp(&mut self, id: PacketId, decoded: &Decoded<'_>) {
        let Some((kind, code)) = decoded.icmp() else { return };
        let quoted_flow = Quote::read(decoded).and_then(|quote| {
            let (source_port, destination_port) = quote.inner.ports()?;
            Some(flow_hash(
                quote.inner.ip_protocol,
                (quote.inner.source, source_port),
                (quote.inner.destination, destination_port),
            ))
        });
        let v6 = matches!(decoded.transport, Transport::Icmpv6 { .. });
        self.segment.icmp.push(IcmpRow {
            packet: id,
            kind,
            code,
            v6,
            quoted_flow: quoted_flow.unwrap_or(0),
            port_unknown: false,
        });
    }

    fn push_dns(&mut self, id: PacketId, protocol: ProtocolId, decoded: &Decoded<'_>) -> u16 {
        let Some(mut message) = dns::read(decoded.payload()) else { return flags::STOPPED };
        let Some((source_port, destination_port)) = decoded.ports() else { return 0 };
        let ends = ((decoded.source, source_port), (decoded.destination, destination_port));
        message.name.make_lowercase();
        let name = Hashed::new(&message.name);
        let mut row = dns_row(id, protocol, (&message, name), decoded.ip_protocol, ends);
        row.start = decoded.payload_start;
        if row.question != 0 {
            row.name = self.name(name);
        }
        self.segment.dns.push(row);
        if row.is_response() { flags::DNS_RESPONSE } else { flags::DNS_QUERY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dns_row_keeps_to_its_size() {
        assert!(size_of::<DnsRow>() <= 48);
    }
}
