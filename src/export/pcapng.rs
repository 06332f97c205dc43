//! pcapng of chosen packets, byte for byte as captured, with notes as packet comments that Wireshark shows.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};

use super::Job;
use super::cleared::{Carries, Sieve};
use crate::capture::LinkType;
use crate::index::{Index, Packet, PacketId, SourceId};

/// How the section comment of an exported file begins.
pub const SECTION_COMMENT: &str = crate::case::comments::EXPORTED;
/// The longest comment an option can hold (its length field has 16 bits).
const COMMENT_MAX_BYTES: usize = 65_000;

/// A packet to write and the comments it gets, in order.
pub struct Commented {
    /// The packet.
    pub packet: PacketId,
    /// Its comments.
    pub comments: Vec<String>,
}

/// A file to be written: everything it says, and its packets.
pub struct Capture<'i> {
    comment: String,
    interfaces: Vec<Interface>,
    packets: Vec<Written<'i>>,
    /// Whole seconds that are taken from each time, so that none before 1970 is lost (`if_tsoffset`).
    offset_s: i64,
}

struct Interface {
    link_type: LinkType,
    name: Option<String>,
    description: String,
}

struct Written<'i> {
    interface: usize,
    link_type: LinkType,
    time_ns: i64,
    original: u32,
    bytes: Cow<'i, [u8]>,
    comments: Vec<String>,
}

impl Capture<'_> {
    /// The bytes of the packets, in order.
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.packets.iter().map(|packet| &*packet.bytes)
    }
}

impl Carries for Capture<'_> {
    fn each(&mut self, sieve: &mut Sieve<'_>) {
        let Self { comment, interfaces, packets, offset_s: _ } = self;
        sieve.text(comment);
        for Interface { link_type: _, name, description } in interfaces {
            name.each(sieve);
            sieve.text(description);
        }
        for Written { interface: _, link_type, time_ns: _, original: _, bytes, comments } in packets {
            sieve.packet(*link_type, bytes);
            comments.each(sieve);
        }
    }
}

/// One interface of the file written: a source's interface.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Origin {
    source: SourceId,
    interface: u16,
}

/// The packets in the order given. Packets of a transcript have no bytes and are an error.
pub fn capture<'i>(index: &'i Index, packets: &[Commented], comment: String) -> io::Result<Capture<'i>> {
    let found: Vec<(Packet<'i>, &Commented)> =
        packets.iter().filter_map(|wanted| Some((index.packet(wanted.packet)?, wanted))).collect();
    if found.iter().any(|(packet, _)| packet.link_type() == LinkType::TRANSCRIPT) {
        let message = "packets of a text transcript have no bytes to write; export the report instead";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    let mut origins: Vec<Origin> = Vec::new();
    for (packet, _) in &found {
        let origin = origin(packet);
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    let earliest_ns = found.iter().map(|(packet, _)| packet.time_ns()).min().unwrap_or(0);
    let written = found.iter().map(|(packet, wanted)| Written {
        interface: origins.iter().position(|known| *known == origin(packet)).unwrap_or(0),
        link_type: packet.link_type(),
        time_ns: packet.time_ns(),
        original: packet.original(),
        bytes: packet.bytes().into(),
        comments: wanted.comments.clone(),
    });
    Ok(Capture {
        comment,
        packets: written.collect(),
        interfaces: origins.iter().map(|origin| interface(index, *origin)).collect(),
        offset_s: earliest_ns.min(0).div_euclid(1_000_000_000),
    })
}

/// Writes a file.
pub fn encode(capture: &Capture<'_>, out: &mut dyn Write) -> io::Result<()> {
    let section = SectionHeaderBlock {
        options: vec![
            SectionHeaderOption::UserApplication(concat!("portmortem ", env!("CARGO_PKG_VERSION")).into()),
            SectionHeaderOption::Common(CommonOption::Comment(clipped(&capture.comment))),
        ],
        ..SectionHeaderBlock::default()
    };
    let mut writer = PcapNgWriter::with_section_header(out, section).map_err(io::Error::other)?;
    for interface in &capture.interfaces {
        let mut options = vec![InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO)];
        if capture.offset_s != 0 {
            options.push(InterfaceDescriptionOption::IfTsOffset(capture.offset_s));
        }
        options.extend(interface.name.clone().map(|name| InterfaceDescriptionOption::IfName(name.into())));
        options.push(InterfaceDescriptionOption::IfDescription(interface.description.clone().into()));
        let block = InterfaceDescriptionBlock {
            linktype: u32::from(interface.link_type.0).into(),
            // Packets are written as captured whatever the limit was; 0 says "no limit".
            snaplen: 0,
            options,
        };
        writer.write_pcapng_block(block).map_err(io::Error::other)?;
    }
    for packet in &capture.packets {
        let since = packet.time_ns.saturating_sub(capture.offset_s.saturating_mul(1_000_000_000));
        let comments = packet
            .comments
            .iter()
            .map(|text| EnhancedPacketOption::Common(CommonOption::Comment(clipped(text))));
        let block = EnhancedPacketBlock {
            interface_id: packet.interface as u32,
            timestamp: Duration::from_nanos(since.max(0).unsigned_abs()),
            original_len: packet.original.max(packet.bytes.len() as u32),
            data: Cow::Borrowed(&packet.bytes),
            options: comments.collect(),
        };
        writer.write_pcapng_block(block).map_err(io::Error::other)?;
    }
    Ok(())
}

/// What the file says about itself.
pub fn section_comment(job: &Job<'_>) -> String {
    format!("{SECTION_COMMENT}{}", job.report.title)
}

fn origin(packet: &Packet<'_>) -> Origin {
    let interface = packet.segment.interface(packet.row);
    Origin { source: packet.segment.source, interface }
}

fn interface(index: &Index, origin: Origin) -> Interface {
    let source = index.sources.get(origin.source.place());
    let known = source.and_then(|source| source.metadata.interfaces.get(usize::from(origin.interface)));
    let label = crate::index::source_label(origin.source);
    let name =
        source.map_or_else(String::new, |source| crate::text::escape(&crate::case::file_name(&source.name)));
    Interface {
        link_type: known.map_or(LinkType(1), |known| known.link_type),
        name: known.and_then(|known| known.name.clone()),
        description: format!("{label}: {name}"),
    }
}

fn clipped(text: &str) -> Cow<'static, str> {
    let mut end = text.len().min(COMMENT_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Input, Progress, build};

    #[test]
    fn packets_come_back_with_bytes_times_and_comments() {
        let path = std::path::Path::new("tests/captures/lab/00_seed_reenacted.pcap");
        let (source, walk) = crate::capture::open(path).unwrap();
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
        let note = |text: &str| vec![text.to_owned()];
        let packets = [
            Commented { packet: PacketId(1), comments: note("refused\nsecond line") },
            Commented { packet: PacketId(4), comments: Vec::new() },
        ];
        let mut out = Vec::new();
        encode(&capture(&index, &packets, "cited packets".to_owned()).unwrap(), &mut out).unwrap();
        let mut reader = pcap_file::pcapng::PcapNgReader::new(out.as_slice()).unwrap();
        let mut read = Vec::new();
        while let Some(block) = reader.next_block() {
            if let pcap_file::pcapng::Block::EnhancedPacket(packet) = block.unwrap().0 {
                let comments =
                    packet.options.iter().filter(|o| matches!(o, EnhancedPacketOption::Common(_))).count();
                read.push((packet.timestamp.as_nanos() as i64, packet.data.to_vec(), comments));
            }
        }
        assert_eq!(read.len(), 2);
        for (wanted, (time_ns, bytes, comments)) in packets.iter().zip(&read) {
            let packet = index.packet(wanted.packet).unwrap();
            assert_eq!((packet.time_ns(), packet.bytes()), (*time_ns, bytes.as_slice()));
            assert_eq!(*comments, wanted.comments.len());
        }
    }
}
