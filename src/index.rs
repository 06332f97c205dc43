//! The packets of all sources as columns in immutable segments; everything else is decoded again when shown.

pub mod build;
mod kept;
pub mod names;
pub mod offsets;
pub mod reassembly;
pub mod segment;

use std::sync::Arc;

use crate::capture::{Format, LinkType, Map, Metadata, Sensor};
use crate::decode::{Address, Decoded, Site, transcript};
use crate::protocols::ProtocolId;
use crate::settings::Settings;
use crate::time::Nanos;
pub use build::{Input, Plan, Progress, build, build_as, build_with};
pub use reassembly::Assembly;
pub use segment::{DnsRow, IcmpRow, Segment};

/// A packet of the whole index, from 0: files one after the other, each in its order; what is followed live by turns, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PacketId(pub u32);

/// A packet's 1-based position in its own file, as Wireshark numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameNumber(pub u64);

/// Position of a source in [`Index::sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

impl SourceId {
    /// That of a source by its position.
    pub fn at(place: usize) -> Self {
        Self(place as u32)
    }

    /// Its position.
    pub fn place(self) -> usize {
        self.0 as usize
    }
}

/// One capture file as the index knows it.
#[derive(Clone)]
pub struct IndexedSource {
    /// Name shown to people.
    pub name: String,
    /// The file, where there is one.
    pub path: Option<std::path::PathBuf>,
    /// Size in bytes as stored.
    pub size: u64,
    /// The bytes records point into.
    pub bytes: Arc<Map>,
    /// What the capture says about itself; complete when the index is.
    pub metadata: Arc<Metadata>,
    /// Packets of this source.
    pub packets: u32,
    /// Where its packets stand in the index: one run, or many where it was followed beside others.
    runs: Vec<Run>,
    /// Where it was captured, in the user's words.
    pub place: Sensor,
    /// The site, where several are named: its private addresses are its own.
    pub site: Site,
    /// Added to every time stamp of this source: a clock offset given by the analyst, or measured.
    pub offset_ns: Nanos,
    /// What the user says about the captures.
    pub settings: Arc<Settings>,
}

/// Packets of one source that follow each other in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Packets of the source before them.
    first_row: u32,
    /// The first of them.
    base: PacketId,
}

impl IndexedSource {
    /// One of its packets, by position in the source; `None` past its end.
    pub fn packet(&self, row: u32) -> Option<PacketId> {
        if row >= self.packets {
            return None;
        }
        let run = self.runs.partition_point(|run| run.first_row <= row).checked_sub(1)?;
        self.runs.get(run).map(|run| PacketId(run.base.0 + (row - run.first_row)))
    }

    /// All its packets in file order.
    pub fn ids(&self) -> impl Iterator<Item = PacketId> {
        (0..self.packets).filter_map(|row| self.packet(row))
    }

    /// Counts a segment that was added or grew.
    fn extend(&mut self, segment: &Segment) {
        self.packets = segment.first_row + segment.len() as u32;
        let follows =
            |run: &Run| run.base.0.wrapping_add(segment.first_row - run.first_row) == segment.base.0;
        if !self.runs.last().is_some_and(follows) {
            self.runs.push(Run { first_row: segment.first_row, base: segment.base });
        }
    }
}

/// All packets, as a snapshot that never changes; cheap to clone.
#[derive(Clone, Default)]
pub struct Index {
    /// The captures, in the order given; labels are A, B, C…
    pub sources: Vec<IndexedSource>,
    segments: Vec<Arc<Segment>>,
    /// First packet of each segment.
    starts: Vec<u32>,
    /// Packets in order of time; `None` where id order is the order to show.
    pub order: Option<Arc<[u32]>>,
    /// Whether loading has finished.
    pub complete: bool,
    /// What the user says about the captures.
    pub settings: Arc<Settings>,
}

impl Index {
    /// Number of packets.
    pub fn len(&self) -> u32 {
        self.segments.last().map_or(0, |segment| segment.base.0 + segment.len() as u32)
    }

    /// Whether there are no packets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The segments in packet order.
    pub fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// Appends a segment, or puts it in the place of the last one when that begins at the same packet.
    pub(crate) fn push_or_replace(&mut self, segment: Arc<Segment>) {
        if self.starts.last() == Some(&segment.base.0) {
            self.segments.pop();
            self.starts.pop();
        }
        self.starts.push(segment.base.0);
        self.segments.push(segment);
    }

    /// Sets the clocks of its sources: what is added to the times of each, by position. The order is that of the new times.
    pub(crate) fn set_clocks(&mut self, added: &[Nanos]) {
        let of = |source: SourceId| added.get(source.place()).copied().unwrap_or(0);
        for segment in &mut self.segments {
            let added_ns = of(segment.source);
            if added_ns != 0 {
                Arc::make_mut(segment).set_clock(added_ns);
            }
        }
        for (source, added_ns) in self.sources.iter_mut().zip(added) {
            source.offset_ns += added_ns;
        }
        self.order = build::order::by_time(self);
    }

    /// The place in [`Index::segments`] of the segment that holds a packet.
    pub(crate) fn segment_of(&self, id: PacketId) -> Option<usize> {
        // All segments but the first of a file are usually full, so that the place can be guessed.
        let guess = id.0 as usize / segment::SEGMENT_MAX;
        let at = |at: usize| self.starts.get(at).is_some_and(|start| *start <= id.0);
        for guess in [guess + 1, guess] {
            if at(guess) && !at(guess + 1) {
                return Some(guess);
            }
        }
        self.starts.partition_point(|&start| start <= id.0).checked_sub(1)
    }

    /// The segment of a packet and the packet's row in it.
    pub fn locate(&self, id: PacketId) -> Option<(&Segment, usize)> {
        let segment = self.segments.get(self.segment_of(id)?)?;
        let row = (id.0 - segment.base.0) as usize;
        (row < segment.len()).then_some((segment.as_ref(), row))
    }

    /// The first packet of the segment that holds a packet; 0 past the end.
    pub fn segment_start(&self, id: u32) -> u32 {
        self.locate(PacketId(id)).map_or(0, |(segment, _)| segment.base.0)
    }

    /// One packet; `None` past the end.
    pub fn packet(&self, id: PacketId) -> Option<Packet<'_>> {
        let (segment, row) = self.locate(id)?;
        let source = self.sources.get(segment.source.place())?;
        Some(Packet { id, segment, row, source })
    }

    /// The packet with a frame number of one source.
    pub fn by_frame(&self, source: SourceId, frame: FrameNumber) -> Option<PacketId> {
        let source = self.sources.get(source.place())?;
        let row = u32::try_from(frame.0.checked_sub(1)?).ok()?;
        source.packet(row)
    }

    /// A citation label: `F17`; with several files `A:F17`; `L17` for packets of a transcript.
    pub fn label(&self, id: PacketId) -> String {
        let Some(packet) = self.packet(id) else { return format!("F?{}", id.0) };
        let letter = if packet.source.metadata.format == Format::Transcript { 'L' } else { 'F' };
        if self.sources.len() > 1 {
            format!("{}:{letter}{}", source_label(packet.segment.source), packet.frame().0)
        } else {
            format!("{letter}{}", packet.frame().0)
        }
    }

    /// Puts packets, given in id order, in the order to show.
    pub fn in_order(&self, rows: Vec<u32>) -> Vec<u32> {
        let Some(order) = &self.order else { return rows };
        if rows.len() == order.len() {
            return order.to_vec();
        }
        order.iter().copied().filter(|id| rows.binary_search(id).is_ok()).collect()
    }

    /// Every DNS message of the capture in packet order.
    pub fn dns_rows(&self) -> impl Iterator<Item = &DnsRow> {
        self.segments.iter().flat_map(|segment| segment.dns.iter())
    }

    /// Every ICMP error of the capture in packet order.
    pub fn icmp_rows(&self) -> impl Iterator<Item = &IcmpRow> {
        self.segments.iter().flat_map(|segment| segment.icmp.iter())
    }

    /// Whether texts show packets of which nothing was read.
    pub fn has_unread(&self) -> bool {
        self.sources.iter().any(|source| source.metadata.unread > 0)
    }

    /// Whether packets have times at all.
    pub fn has_times(&self) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|source| source.metadata.has_times)
    }

    /// What times count from: what any of the sources leaves open.
    pub fn basis(&self) -> crate::time::Basis {
        let any = |is: fn(&crate::capture::Metadata) -> bool| {
            self.sources.iter().any(|source| is(&source.metadata))
        };
        match () {
            () if !self.has_times() => crate::time::Basis::Nothing,
            () if any(|metadata| metadata.counts_from_start) => crate::time::Basis::Start,
            () if any(|metadata| !metadata.has_date) => crate::time::Basis::Midnight,
            () if any(|metadata| metadata.is_local) => crate::time::Basis::Local,
            () => crate::time::Basis::Utc,
        }
    }

    /// Whether times carry a date (false when any source is a transcript without dates).
    pub fn has_date(&self) -> bool {
        self.has_times() && self.sources.iter().all(|source| source.metadata.has_date)
    }
}

/// The letter of a source: A…Z, then S27, S28, …
pub fn source_label(source: SourceId) -> String {
    match u8::try_from(source.0) {
        Ok(number @ 0..=25) => char::from(b'A' + number).to_string(),
        _ => format!("S{}", source.0 + 1),
    }
}

/// One packet of the index.
#[derive(Clone, Copy)]
pub struct Packet<'i> {
    /// Its id.
    pub id: PacketId,
    /// The segment that holds it.
    pub segment: &'i Segment,
    /// Its row in the segment.
    pub row: usize,
    /// Its capture.
    pub source: &'i IndexedSource,
}

impl<'i> Packet<'i> {
    /// Frame number in its own file.
    pub fn frame(&self) -> FrameNumber {
        FrameNumber(u64::from(self.segment.first_row) + self.row as u64 + 1)
    }
    /// Time of capture, with the source's clock offset applied.
    pub fn time_ns(&self) -> Nanos {
        column(&self.segment.time_ns, self.row)
    }
    /// Bytes captured.
    pub fn captured(&self) -> u32 {
        column(&self.segment.captured, self.row)
    }
    /// Bytes on the wire.
    pub fn original(&self) -> u32 {
        column(self.segment.originals(), self.row)
    }
    /// Length of the frame in bytes; of text only where it is printed.
    pub fn told_length(&self) -> Option<u32> {
        if self.is_text() { self.printed()?.head.link.length } else { Some(self.original()) }
    }
    /// Source address.
    pub fn source_address(&self) -> Address {
        self.segment.address(column(&self.segment.source_address, self.row))
    }
    /// Destination address.
    pub fn destination_address(&self) -> Address {
        self.segment.address(column(&self.segment.destination_address, self.row))
    }
    /// Source port (ICMP: type; otherwise 0).
    pub fn source_port(&self) -> u16 {
        column(&self.segment.source_port, self.row)
    }
    /// Destination port (ICMP: code; otherwise 0).
    pub fn destination_port(&self) -> u16 {
        column(&self.segment.destination_port, self.row)
    }
    /// Protocol.
    pub fn protocol(&self) -> ProtocolId {
        ProtocolId(column(&self.segment.protocol, self.row))
    }
    /// IP protocol number (6, 17, 1, 58, …), 0 where there is none.
    pub fn transport(&self) -> u8 {
        column(&self.segment.transport, self.row)
    }
    /// TTL or hop limit, 0 where there is none.
    pub fn ttl(&self) -> u8 {
        column(&self.segment.ttl, self.row)
    }
    /// Flags, see [`segment::flags`].
    pub fn flags(&self) -> u16 {
        column(&self.segment.flags, self.row)
    }
    /// The captured bytes. Where they are not held in memory, the capture is unpacked again.
    pub fn bytes(&self) -> &'i [u8] {
        let offset = self.segment.offset.get(self.row).unwrap_or(0);
        let range = offset..offset + u64::from(self.captured());
        if !self.segment.kept.is_empty()
            && let Some(kept) = self.segment.kept.get(range.clone())
        {
            return kept;
        }
        self.source.bytes.slice(range.start as usize..range.end as usize).unwrap_or_default()
    }
    /// The link type of its interface.
    pub fn link_type(&self) -> LinkType {
        let interface = usize::from(self.segment.interface(self.row));
        self.source.metadata.interfaces.get(interface).map_or(LinkType(u16::MAX), |i| i.link_type)
    }
    /// The headers, read again from the bytes.
    pub fn decode(&self) -> Decoded<'i> {
        let mut decoded = crate::decode::decode(self.link_type(), self.bytes());
        decoded.take_for(self.source.site);
        decoded
    }
    /// Whether the packet is text that a program printed, and no bytes.
    pub fn is_text(&self) -> bool {
        self.link_type() == LinkType::TRANSCRIPT
    }
    /// The packet as a transcript prints it; `None` for packets that are bytes.
    pub fn printed(&self) -> Option<transcript::Line<'i>> {
        let mut line = self.is_text().then(|| transcript::read(self.bytes(), &self.source.settings))??;
        line.take_for(self.source.site);
        Some(line)
    }
    /// The IP packet it completes, where that was kept: DNS messages and ICMP errors sent in fragments.
    pub fn datagram(&self) -> Option<Decoded<'i>> {
        let bytes = self.assemblies().iter().find_map(|assembly| assembly.datagram(self.segment))?;
        let mut decoded = crate::decode::decode_ip(bytes);
        decoded.take_for(self.source.site);
        Some(decoded)
    }
    /// What it completes: IP packets and messages put together from several frames.
    pub fn assemblies(&self) -> &'i [Assembly] {
        let all = &self.segment.assemblies;
        let start = all.partition_point(|assembly| assembly.packet < self.id);
        let end = all.partition_point(|assembly| assembly.packet <= self.id);
        all.get(start..end).unwrap_or_default()
    }
    /// All DNS messages it carries or completes.
    pub fn dns_rows(&self) -> &'i [DnsRow] {
        let rows = self.segment.dns.get(self.segment.first_dns(self.id)..).unwrap_or_default();
        let own = rows.iter().take_while(|row| row.packet == self.id).count();
        rows.get(..own).unwrap_or_default()
    }
    /// The bytes of one of its DNS messages.
    pub fn message(&self, row: &DnsRow) -> &'i [u8] {
        if row.is_assembled() {
            return self.segment.message(row);
        }
        let start = row.start as usize;
        self.bytes().get(start..start + usize::from(row.length)).unwrap_or_default()
    }
    /// The addresses its DNS answer gives (A and AAAA records).
    pub fn answer_addresses(&self) -> Vec<std::net::IpAddr> {
        if self.link_type() == crate::capture::LinkType::TRANSCRIPT {
            return crate::decode::answers::printed_addresses(
                &String::from_utf8_lossy(self.bytes()),
                &self.source.settings,
            );
        }
        self.dns().map_or_else(Vec::new, |row| crate::decode::answers::addresses(self.message(row)))
    }
    /// Its first DNS message, if it carries or completes one.
    pub fn dns(&self) -> Option<&'i DnsRow> {
        self.segment.dns.get(self.segment.first_dns(self.id)).filter(|row| row.packet == self.id)
    }
    /// The one-line summary.
    pub fn summary(&self) -> String {
        let messages = self.dns_rows();
        if messages.len() < 2 {
            return self.with_frame(crate::protocols::summary);
        }
        let mut told: Vec<String> =
            messages.iter().take(MESSAGES_SHOWN_MAX).map(|row| self.summary_of(row)).collect();
        if messages.len() > MESSAGES_SHOWN_MAX {
            told.push(format!("and {} more messages", messages.len() - MESSAGES_SHOWN_MAX));
        }
        told.join("; ")
    }
    /// The one-line summary of one of its DNS messages.
    pub fn summary_of(&self, row: &DnsRow) -> String {
        self.with_message(Some(row), crate::protocols::summary)
    }
    /// The detail rows; of several DNS messages each (RFC 7766 §6.2.1.1).
    pub fn dissect(&self) -> crate::protocols::Tree {
        let mut tree = self.with_frame(crate::protocols::dissect);
        let further = self.dns_rows().get(1..).unwrap_or_default();
        for row in further.iter().take(MESSAGES_DETAILED_MAX) {
            self.with_message(Some(row), |id, frame| crate::protocols::dissect_message(id, frame, &mut tree));
        }
        if further.len() > MESSAGES_DETAILED_MAX {
            let text = format!("And {} more DNS messages", further.len() - MESSAGES_DETAILED_MAX);
            tree.push(None, text, crate::protocols::Value::None, 0..0);
        }
        tree
    }
    fn with_frame<T>(&self, body: impl FnOnce(ProtocolId, &crate::protocols::Frame<'_, '_>) -> T) -> T {
        let assembled = self.dns().filter(|row| self.transport() == 6 || row.is_assembled());
        self.with_message(assembled, body)
    }
    /// With a DNS message that does not simply stand in the payload.
    fn with_message<T>(
        &self,
        assembled: Option<&DnsRow>,
        body: impl FnOnce(ProtocolId, &crate::protocols::Frame<'_, '_>) -> T,
    ) -> T {
        let decoded = self.decode();
        let datagram = self.datagram();
        let frame = crate::protocols::Frame {
            decoded: &decoded,
            assembled: assembled.map(|row| self.message(row)),
            datagram: datagram.as_ref(),
            settings: &self.source.settings,
        };
        body(self.protocol(), &frame)
    }
}

/// Messages of one packet told in its summary.
const MESSAGES_SHOWN_MAX: usize = 4;
/// Further messages of one packet told in its detail rows.
const MESSAGES_DETAILED_MAX: usize = 63;

fn column<T: Copy + Default>(values: &[T], row: usize) -> T {
    values.get(row).copied().unwrap_or_default()
}
