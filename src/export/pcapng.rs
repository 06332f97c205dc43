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
use super::redact::{Redaction, say};
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

/// One interface of the file written: a source's interface.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Origin {
    source: SourceId,
    interface: u16,
}

/// Writes the packets in the order given. Packets of a transcript have no bytes and are an error.
pub fn write(
    (index, redaction): (&Index, Redaction<'_>),
    packets: &[Commented],
    section_comment: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let found: Vec<(Packet<'_>, &Commented)> =
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
    // Times before 1970 are written with an offset of whole seconds (if_tsoffset), so that none is lost.
    let earliest_ns = found.iter().map(|(packet, _)| packet.time_ns()).min().unwrap_or(0);
    let offset_s = earliest_ns.min(0).div_euclid(1_000_000_000);
    let section = SectionHeaderBlock {
        options: vec![
            SectionHeaderOption::UserApplication(concat!("portmortem ", env!("CARGO_PKG_VERSION")).into()),
            SectionHeaderOption::Common(CommonOption::Comment(clipped(&say(
                redaction,
                section_comment.to_owned(),
            )))),
        ],
        ..SectionHeaderBlock::default()
    };
    let mut writer = PcapNgWriter::with_section_header(out, section).map_err(io::Error::other)?;
    for origin in &origins {
        writer
            .write_pcapng_block(interface((index, redaction), *origin, offset_s))
            .map_err(io::Error::other)?;
    }
    for (packet, wanted) in &found {
        let number = origins.iter().position(|known| *known == origin(packet)).unwrap_or(0);
        let since = packet.time_ns().saturating_sub(offset_s.saturating_mul(1_000_000_000));
        let bytes = bytes_of(redaction, packet);
        let comments = wanted.comments.iter().map(|text| {
            EnhancedPacketOption::Common(CommonOption::Comment(clipped(&say(redaction, text.clone()))))
        });
        writer
            .write_pcapng_block(EnhancedPacketBlock {
                interface_id: number as u32,
                timestamp: Duration::from_nanos(since.max(0).unsigned_abs()),
                original_len: packet.original().max(bytes.len() as u32),
                data: bytes,
                options: comments.collect(),
            })
            .map_err(io::Error::other)?;
    }
    Ok(())
}

/// What the file says about itself.
pub fn section_comment(job: &Job<'_>) -> String {
    format!("{SECTION_COMMENT}{}", job.report.title)
}

/// The bytes of a packet as they may leave.
pub fn bytes_of<'i>(redaction: Redaction<'_>, packet: &Packet<'i>) -> Cow<'i, [u8]> {
    match redaction {
        None => Cow::Borrowed(packet.bytes()),
        Some(pseudonyms) => {
            let mut pseudonyms = pseudonyms.borrow_mut();
            super::redact::packet::redact(&mut pseudonyms, packet.link_type(), packet.bytes()).into()
        }
    }
}

fn origin(packet: &Packet<'_>) -> Origin {
    let interface = packet.segment.interface(packet.row);
    Origin { source: packet.segment.source, interface }
}

fn interface(
    (index, redaction): (&Index, Redaction<'_>),
    origin: Origin,
    offset_s: i64,
) -> InterfaceDescriptionBlock<'static> {
    let source = index.sources.get(usize::from(origin.source.0));
    let known = source.and_then(|source| source.metadata.interfaces.get(usize::from(origin.interface)));
    let mut options = vec![InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO)];
    if offset_s != 0 {
        options.push(InterfaceDescriptionOption::IfTsOffset(offset_s));
    }
    if let Some(name) = known.and_then(|known| known.name.clone()) {
        options.push(InterfaceDescriptionOption::IfName(say(redaction, name).into()));
    }
    if let Some(source) = source {
        let label = crate::index::source_label(origin.source);
        let text = format!("{label}: {}", crate::text::escape(&source.name));
        options.push(InterfaceDescriptionOption::IfDescription(text.into()));
    }
    InterfaceDescriptionBlock {
        linktype: u32::from(known.map_or(1, |known| known.link_type.0)).into(),
        // Packets are written as captured whatever the limit was; 0 says "no limit".
        snaplen: 0,
        options,
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
        write((&index, None), &packets, "cited packets", &mut out).unwrap();
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
