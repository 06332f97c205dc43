//! Captures of every kind, made here byte by byte: what is read is what was written, whatever surrounds it.

use std::io::{Read, Write as _};

use proptest::prelude::*;

use super::*;
use crate::index::{Index, Input, Progress, build};

mod containers;
mod end_to_end;

/// Opens a capture that is there as a whole.
fn open_map(name: String, path: Option<PathBuf>, map: Map) -> Result<(Source, Box<dyn Walk>), OpenError> {
    only(super::open_map(name, path, map, false)?, Path::new("test"))
}

/// A little-endian or big-endian writer of fixtures.
#[derive(Clone, Copy)]
enum End {
    Little,
    Big,
}

impl End {
    fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
    fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

fn frame(number: u8) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 28, 0, number, 0, 0, 64, 17, 0, 0, 192, 0, 2, number, 198, 51, 100, 7];
    bytes.extend_from_slice(&[0xc3, 0x50, 0, 123, 0, 8, 0, 0]);
    bytes
}

fn pcap_header(end: End, magic: u32) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(end.u32(magic));
    out.extend(end.u16(2));
    out.extend(end.u16(4));
    out.extend([0; 8]);
    out.extend(end.u32(65535));
    out.extend(end.u32(101));
    out
}

fn pcap_record(end: End, seconds: u32, fraction: u32, data: &[u8], extra: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for value in [seconds, fraction, data.len() as u32, data.len() as u32] {
        out.extend(end.u32(value));
    }
    out.extend(vec![0; extra]);
    out.extend_from_slice(data);
    out
}

fn pcap(end: End, magic: u32, extra: usize, count: u8) -> Vec<u8> {
    let mut out = pcap_header(end, magic);
    for number in 0..count {
        out.extend(pcap_record(end, 1_715_693_072 + u32::from(number), 192_571, &frame(number), extra));
    }
    out
}

fn block(end: End, kind: u32, body: &[u8]) -> Vec<u8> {
    let length = 12 + body.len().next_multiple_of(4) as u32;
    let mut out = Vec::new();
    out.extend(end.u32(kind));
    out.extend(end.u32(length));
    out.extend_from_slice(body);
    out.resize(length as usize - 4, 0);
    out.extend(end.u32(length));
    out
}

fn option(end: End, code: u16, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(end.u16(code));
    out.extend(end.u16(value.len() as u16));
    out.extend_from_slice(value);
    out.resize(4 + value.len().next_multiple_of(4), 0);
    out
}

fn section(end: End) -> Vec<u8> {
    let body = [&end.u32(0x1a2b_3c4d)[..], &end.u16(1), &end.u16(0), &[0xff; 8]].concat();
    block(end, 0x0a0d_0d0a, &body)
}

fn interface(end: End, options: &[u8]) -> Vec<u8> {
    block(end, 1, &[&end.u16(101)[..], &end.u16(0), &end.u32(0), options].concat())
}

fn enhanced(end: End, interface: u32, ticks: u64, data: &[u8], options: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for value in [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, data.len() as u32] {
        body.extend(end.u32(value));
    }
    body.extend_from_slice(data);
    body.resize(20 + data.len().next_multiple_of(4), 0);
    body.extend_from_slice(options);
    block(end, 6, &body)
}

fn pcapng(end: End, count: u8) -> Vec<u8> {
    let mut out = [section(end), interface(end, &[])].concat();
    for number in 0..count {
        out.extend(enhanced(end, 0, 1_715_693_072_000_000 + u64::from(number), &frame(number), &[]));
    }
    out
}

/// Everything a walk gives, `limit` records at a time.
fn walk(bytes: &[u8], limit: usize) -> Option<(Vec<Record>, Metadata)> {
    let mut walk = detect("test", bytes, true).ok()?;
    let mut all = Vec::new();
    loop {
        let mut records = Vec::new();
        let fill = walk.fill(bytes.into(), true, limit, &mut records);
        all.extend(records);
        if fill == Fill::End {
            return Some((all, walk.metadata().clone()));
        }
        assert_eq!(fill, Fill::More, "a complete source never starves");
    }
}

fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (records, _) = walk(bytes, 7).expect("a capture");
    let slice = |r: &Record| bytes[r.offset as usize..r.offset as usize + r.captured as usize].to_vec();
    records.iter().map(slice).collect()
}

fn expected(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(frame).collect()
}

fn indexed(opened: Result<(Source, Box<dyn Walk>), OpenError>, threads: usize) -> Index {
    let (source, walk) = opened.expect("a capture");
    build(vec![Input { source, walk, offset_ns: 0 }], threads, &Progress::default(), |_| {})
}

/// What of an index must not depend on how it was built.
fn contents(index: &Index) -> Vec<(i64, u32, u32, u16, String, Vec<u8>)> {
    (0..index.len())
        .filter_map(|id| index.packet(crate::index::PacketId(id)))
        .map(|p| {
            (
                p.time_ns(),
                p.captured(),
                p.original(),
                p.flags(),
                p.source_address().to_string(),
                p.bytes().to_vec(),
            )
        })
        .collect()
}

#[test]
fn every_pcap_magic_gives_the_same_packets() {
    for end in [End::Little, End::Big] {
        for (magic, extra, step) in [
            (0xa1b2_c3d4, 0, 1000),
            (0xa1b2_3c4d, 0, 1),
            (0xa1b2_cd34, 8, 1000),
            (0xa1b2_c3d4, 8, 1000),
            (0xa1b2_c3d4, 4, 1000),
        ] {
            let bytes = pcap(end, magic, extra, 5);
            assert_eq!(frames(&bytes), expected(5), "magic {magic:x}, {extra} more bytes");
            let (records, metadata) = walk(&bytes, 100).expect("a capture");
            assert_eq!(records[0].time_ns, 1_715_693_072_000_000_000 + 192_571 * step);
            assert_eq!(metadata.interfaces[0].link_type, LinkType::RAW);
            assert!(metadata.damage.is_empty());
        }
    }
}

#[test]
fn fcs_bits_and_fractions_over_a_second_are_understood() {
    let mut bytes = pcap_header(End::Little, 0xa1b2_c3d4);
    bytes[20..24].copy_from_slice(&0x1400_0001u32.to_le_bytes());
    bytes.extend(pcap_record(End::Little, u32::MAX, 1_500_000, &frame(1), 0));
    let (records, metadata) = walk(&bytes, 10).expect("a capture");
    assert_eq!(metadata.interfaces[0].link_type, LinkType::ETHERNET);
    assert_eq!(records[0].time_ns, 4_294_967_296_500_000_000);
}

#[test]
fn a_cut_pcap_keeps_all_before_and_says_what_is_lost() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 3);
    let cut = &bytes[..bytes.len() - 5];
    let (records, metadata) = walk(cut, 10).expect("a capture");
    assert_eq!(records.len(), 2);
    let damage = &metadata.damage[0];
    assert_eq!((damage.offset, damage.skipped, damage.after_frame), (24 + 2 * 44, 39, 2));
    assert_eq!(damage.reason, "39 bytes of a 44-byte record");
}

#[test]
fn an_absurd_length_in_a_pcap_is_skipped_when_good_records_follow() {
    for length in [u32::MAX, 0x7fff_ffff, 100 << 20] {
        let mut bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 8);
        let third = 24 + 2 * 44;
        bytes[third + 8..third + 12].copy_from_slice(&length.to_le_bytes());
        let (records, metadata) = walk(&bytes, 10).expect("a capture");
        assert_eq!(records.len(), 7);
        assert_eq!((metadata.damage[0].offset, metadata.damage[0].skipped), (third as u64, 44));
    }
}

#[test]
fn zeros_after_the_last_record_are_no_packets() {
    let mut bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 3);
    bytes.extend([0; 4096]);
    let (records, metadata) = walk(&bytes, 10).expect("a capture");
    assert_eq!(records.len(), 3);
    assert_eq!(metadata.damage[0].skipped, 4096);
}

#[test]
fn pcapng_sections_of_both_orders_follow_each_other() {
    let bytes = [pcapng(End::Little, 3), pcapng(End::Big, 2)].concat();
    assert_eq!(frames(&bytes), [expected(3), expected(2)].concat());
    let (records, metadata) = walk(&bytes, 10).expect("a capture");
    assert_eq!((records[0].interface, records[4].interface), (0, 1));
    assert_eq!(metadata.interfaces.len(), 2);
}

#[test]
fn every_clock_of_pcapng_becomes_nanoseconds() {
    let end = End::Big;
    let clock = |resolution: u8, offset: i64, ticks: u64| {
        let options = [option(end, 9, &[resolution]), option(end, 14, &offset.to_be_bytes())].concat();
        let bytes =
            [section(end), interface(end, &options), enhanced(end, 0, ticks, &frame(1), &[])].concat();
        walk(&bytes, 10).expect("a capture").0[0].time_ns
    };
    assert_eq!(clock(6, 0, 1_500_000), 1_500_000_000);
    assert_eq!(clock(9, 0, 7), 7);
    assert_eq!(clock(12, 0, 7_999), 7);
    assert_eq!(clock(0x80 | 0x14, 0, 3 << 19), 1_500_000_000);
    assert_eq!(clock(0x80 | 32, 0, 1 << 31), 500_000_000);
    assert_eq!(clock(6, -10, 1_000_000), -9_000_000_000);
    assert_eq!(clock(0, 0, 5_000_000_000), 5_000_000_000_000_000_000);
    assert_eq!(clock(0, 0, u64::MAX), i64::MAX);
    assert_eq!(clock(0x7f, 0, u64::MAX), 0);
    assert_eq!(clock(0xff, i64::MIN, 0), i64::MIN);
}

#[test]
fn what_pcapng_says_besides_packets_is_kept() {
    let end = End::Little;
    let described =
        [option(end, 2, b"eth0"), option(end, 11, b"\0port 53"), option(end, 1, b"uplink")].concat();
    let comments = [option(end, 1, b"first"), option(end, 1, b"second"), option(end, 0, &[])].concat();
    let name = [&end.u16(1)[..], &end.u16(4 + 11), &[192, 0, 2, 1], b"a.example\0\0\0", &[0; 4]].concat();
    let statistics =
        [&[0; 12][..], &option(end, 4, &100u64.to_le_bytes()), &option(end, 5, &7u64.to_le_bytes())].concat();
    let simple = [&end.u32(28)[..], &frame(2)].concat();
    let obsolete =
        [&end.u16(0)[..], &end.u16(0), &end.u32(0), &end.u32(9), &end.u32(28), &end.u32(28), &frame(3)]
            .concat();
    let bytes = [
        section(end),
        interface(end, &described),
        enhanced(end, 0, 5, &frame(1), &comments),
        block(end, 4, &name),
        block(end, 0x0bad, &[1; 9]),
        block(end, 0x0a, &[1; 20]),
        block(end, 0x7777, &[1; 3]),
        block(end, 3, &simple),
        block(end, 2, &obsolete),
        block(end, 5, &statistics),
    ]
    .concat();
    let (records, metadata) = walk(&bytes, 10).expect("a capture");
    assert_eq!(frames(&bytes), vec![frame(1), frame(2), frame(3)]);
    assert_eq!((records[1].has_time, records[1].time_ns, records[2].time_ns), (false, 5_000, 9_000));
    let found = &metadata.interfaces[0];
    assert_eq!((found.name.as_deref(), found.filter.as_deref()), (Some("eth0"), Some("port 53")));
    assert_eq!((found.received, found.dropped), (Some(100), Some(7)));
    assert_eq!(metadata.comments, vec![(1, "first".to_owned()), (1, "second".to_owned())]);
    assert_eq!(metadata.names, vec![("192.0.2.1".parse().unwrap(), "a.example".to_owned())]);
    assert!(metadata.damage.is_empty(), "{:?}", metadata.damage);
}

#[test]
fn the_end_of_capturing_is_read_in_the_declared_unit_or_else_in_microseconds() {
    let end = End::Little;
    let ended = |resolution: u8, ticks: u64| {
        let halves = [((ticks >> 32) as u32).to_le_bytes(), (ticks as u32).to_le_bytes()].concat();
        let statistics = [&[0; 12][..], &option(end, 3, &halves)].concat();
        let described = option(end, 9, &[resolution]);
        let bytes = [
            section(end),
            interface(end, &described),
            enhanced(end, 0, 5, &frame(1), &[]),
            block(end, 5, &statistics),
        ];
        walk(&bytes.concat(), 10).expect("a capture").1
    };
    let (last_ns, ended_ns) = (1_700_000_000_000_000_000, 1_700_000_009_000_000_000);
    assert_eq!(ended(6, ended_ns as u64 / 1_000).ended_ns(last_ns), Some(ended_ns));
    assert_eq!(ended(9, ended_ns as u64).ended_ns(last_ns), Some(ended_ns));
    // dumpcap writes microseconds beside a declared resolution of nanoseconds.
    assert_eq!(ended(9, ended_ns as u64 / 1_000).ended_ns(last_ns), Some(ended_ns));
    assert_eq!(ended(6, 5).ended_ns(last_ns), None);
}

#[test]
fn garbage_between_pcapng_blocks_is_skipped_and_counted() {
    let whole = pcapng(End::Little, 4);
    let packet = enhanced(End::Little, 0, 0, &frame(0), &[]).len();
    let at = whole.len() - packet;
    let bytes = [&whole[..at], b"thirteen byte", &whole[at..]].concat();
    assert_eq!(frames(&bytes), expected(4));
    let damage = walk(&bytes, 10).expect("a capture").1.damage;
    assert_eq!(
        (damage.len(), damage[0].offset, damage[0].skipped, damage[0].after_frame),
        (1, at as u64, 13, 3)
    );
}

#[test]
fn a_packet_of_an_unknown_interface_is_damage_and_has_no_number() {
    let end = End::Little;
    let bytes =
        [pcapng(end, 1), enhanced(end, 9, 0, &frame(8), &[]), enhanced(end, 0, 0, &frame(1), &[])].concat();
    assert_eq!(frames(&bytes), expected(2));
    assert_eq!(walk(&bytes, 10).expect("a capture").1.damage.len(), 1);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn packings(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(bytes).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(bytes).unwrap();
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    xz.write_all(bytes).unwrap();
    vec![
        ("gzip", gzip(bytes)),
        ("zstd", zstd::encode_all(bytes, 1).unwrap()),
        ("lz4", lz4.finish().unwrap()),
        ("bzip2", bzip2.finish().unwrap()),
        ("xz", xz.finish().unwrap()),
    ]
}

#[test]
fn a_packed_capture_is_the_capture_also_in_two_members() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 200);
    let plain =
        contents(&indexed(open_reader("plain", std::io::Cursor::new(bytes.clone()), Options::default()), 2));
    assert_eq!(plain.len(), 200);
    let (front, back) = bytes.split_at(1000);
    for ((name, mut first), (_, second)) in packings(front).into_iter().zip(packings(back)) {
        first.extend(second);
        let index = indexed(open_reader(name, std::io::Cursor::new(first), Options::default()), 2);
        assert_eq!(index.sources[0].metadata.container, Some(name));
        assert!(
            index.sources[0].metadata.damage.is_empty(),
            "{name}: {:?}",
            index.sources[0].metadata.damage
        );
        assert!(contents(&index) == plain, "{name} differs");
    }
}

#[test]
fn a_cut_archive_keeps_what_comes_before_the_cut() {
    let mut bytes = pcap_header(End::Little, 0xa1b2_c3d4);
    // Incompressible packets, so that the cut is in their middle.
    let mut state = 1u32;
    for number in 0..3000 {
        let data: Vec<u8> = (0..200)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        bytes.extend(pcap_record(End::Little, 1_715_693_072, number, &data, 0));
    }
    // lz4 and bzip2 give nothing of a block before it is whole, and these captures are one block.
    for (name, packed) in
        packings(&bytes).into_iter().filter(|(name, _)| matches!(*name, "gzip" | "zstd" | "xz"))
    {
        let cut = packed[..packed.len() * 3 / 4].to_vec();
        let index = indexed(open_reader(name, std::io::Cursor::new(cut), Options::default()), 1);
        assert!(index.complete);
        let damage = &index.sources[0].metadata.damage;
        assert!(damage.iter().any(|d| d.reason.contains(name)), "{name}: {damage:?}");
        assert!(index.len() > 1500, "{name} kept {}", index.len());
    }
}

#[test]
fn lz4_frames_of_the_old_kind_and_frames_to_skip_are_read() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 200);
    let (front, back) = bytes.split_at(1000);
    let packed = |bytes: &[u8], legacy| {
        let info = lz4_flex::frame::FrameInfo::new().legacy_frame(legacy);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    for packed in [packed(&bytes, true), [packed(front, false), skipped, packed(back, false)].concat()] {
        let index = indexed(open_reader("lz4", std::io::Cursor::new(packed), Options::default()), 1);
        assert_eq!((index.len(), index.sources[0].metadata.container), (200, Some("lz4")));
        assert!(index.sources[0].metadata.damage.is_empty(), "{:?}", index.sources[0].metadata.damage);
    }
}

#[test]
fn a_capture_packed_twice_says_so() {
    let twice = gzip(&gzip(&pcap(End::Little, 0xa1b2_c3d4, 0, 3)));
    let opened = open_reader("twice.gz.gz", std::io::Cursor::new(twice), Options::default());
    let message = opened.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("packed once more, with gzip"), "{message}");
}

#[test]
fn a_wrong_length_shortly_before_the_end_costs_one_record() {
    let mut bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 6);
    // The fourth record claims less than it has; what then stands where a header should claims more than is left.
    let at = 24 + 3 * 44 + 8;
    bytes[at] = 10;
    bytes[at + 4] = 10;
    let kept = frames(&bytes);
    assert_eq!(kept[..3], expected(6)[..3]);
    assert_eq!(kept[4..], expected(6)[4..]);
    // A record that is merely cut brings no other.
    let cut = &pcap(End::Little, 0xa1b2_c3d4, 0, 6)[..24 + 6 * 44 - 3];
    assert_eq!(frames(cut), expected(5));
}

#[test]
fn damage_found_bit_by_bit_is_one_damage() {
    let mut metadata = Metadata::new(Format::Pcap);
    let damage = |offset, skipped, after_frame| Damage {
        offset,
        skipped,
        after_frame,
        reason: "zeros".to_owned(),
        place: Place::Capture,
    };
    metadata.push_damage(damage(100, 20, 3));
    metadata.push_damage(damage(120, 30, 3));
    metadata.push_damage(damage(150, 1, 4));
    assert_eq!(metadata.damage, [damage(100, 50, 3), damage(150, 1, 4)]);
}

#[test]
fn unpacking_stops_at_the_limit_and_says_how_to_raise_it() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 200);
    let limits = Limits { unpacked_bytes: 1000, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let index = indexed(open_reader("z", std::io::Cursor::new(gzip(&bytes)), options), 1);
    assert_eq!(index.len(), (1000 - 24) / 44);
    assert!(index.sources[0].metadata.damage.iter().any(|d| d.reason.contains("--max-unpacked")));
}

#[test]
fn formats_that_are_not_read_are_named_with_the_way_out() {
    let message =
        |bytes: &[u8]| detect("x.dat", bytes, true).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message(b"snoop\0\0\0\0\0\0\x02").contains("editcap -F pcap x.dat"));
    assert!(message(b"\x7fELF\x02").contains("ELF"));
    assert!(message(b"").contains("empty"));
    let erf: Vec<u8> = (0..3u8)
        .flat_map(|n| {
            [&[0, 0, 0, n][..], &1_715_693_072u32.to_le_bytes(), &[2, 4, 0, 18, 0, 0, 0, 60, 1, 2]].concat()
        })
        .collect();
    assert!(message(&erf).contains("ERF"));
}

/// A reader that hands out its bytes in pieces of given sizes.
struct Trickle {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].min(buffer.len()).min(self.bytes.len() - self.at);
        self.turn += 1;
        buffer[..size].copy_from_slice(&self.bytes[self.at..self.at + size]);
        self.at += size;
        Ok(size)
    }
}

fn fixtures() -> Vec<Vec<u8>> {
    vec![
        pcap(End::Little, 0xa1b2_c3d4, 0, 40),
        pcap(End::Big, 0xa1b2_cd34, 8, 40),
        [pcapng(End::Little, 20), b"xyz".to_vec(), pcapng(End::Big, 20)].concat(),
        end_to_end::mixed(),
        include_bytes!("../../assets/samples/transcript.txt").to_vec(),
    ]
}

#[test]
fn a_source_that_pauses_anywhere_gives_the_records_of_the_whole() {
    for (which, bytes) in fixtures().into_iter().enumerate() {
        let (whole, _) = walk(&bytes, 1000).expect("a capture");
        for pause in 64..bytes.len() {
            let mut walker = detect("test", &bytes, true).expect("a capture");
            let mut records = Vec::new();
            while walker.fill(bytes[..pause].into(), false, records.len() + 3, &mut records) == Fill::More {}
            while walker.fill(bytes.as_slice().into(), true, records.len() + 3, &mut records) == Fill::More {}
            assert_eq!(records, whole, "fixture {which}, pause after {pause} bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_pipe_in_any_pieces_is_the_file(which in 0usize..5, sizes in prop::collection::vec(1usize..700, 1..20), threads in 1usize..4) {
        let bytes = fixtures().swap_remove(which);
        let whole = indexed(open_map("file".to_owned(), None, Map::owned(bytes.clone())), 1);
        let reader = Trickle { bytes, at: 0, sizes, turn: 0 };
        let piped = indexed(open_reader("pipe", reader, Options::default()), threads);
        prop_assert_eq!(contents(&whole), contents(&piped));
        prop_assert_eq!(&whole.sources[0].metadata.damage, &piped.sources[0].metadata.damage);
    }

    #[test]
    fn a_growing_source_gives_the_records_of_the_whole(which in 0usize..5, cuts in prop::collection::vec(0usize..4000, 0..12)) {
        let bytes = fixtures().swap_remove(which);
        let (whole, _) = walk(&bytes, 1000).expect("a capture");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| 64 + cut % (bytes.len() - 64)).collect();
        cuts.sort_unstable();
        let mut walker = detect("test", &bytes, true).expect("a capture");
        let mut records = Vec::new();
        for cut in cuts {
            while walker.fill(bytes[..cut].into(), false, records.len() + 3, &mut records) == Fill::More {}
        }
        while walker.fill(bytes.as_slice().into(), true, records.len() + 3, &mut records) == Fill::More {}
        prop_assert_eq!(records, whole);
    }

    #[test]
    fn hostile_bytes_never_panic_or_point_outside(which in 0usize..5, changes in prop::collection::vec((0usize..4000, any::<u8>()), 0..30), cut in 0usize..4000) {
        let mut bytes = fixtures().swap_remove(which);
        let length = bytes.len();
        for (at, value) in changes {
            bytes[at % length] = value;
        }
        bytes.truncate(length - cut % length);
        if let Some((records, metadata)) = walk(&bytes, 50) {
            for record in &records {
                prop_assert!(record.offset + u64::from(record.captured) <= bytes.len() as u64);
            }
            prop_assert!(records.len() <= bytes.len());
            for damage in &metadata.damage {
                prop_assert!(damage.offset <= bytes.len() as u64);
            }
        }
    }

    #[test]
    fn random_bytes_after_a_header_never_panic(which in 0usize..3, noise in prop::collection::vec(any::<u8>(), 0..2000)) {
        let start = match which {
            0 => pcap_header(End::Little, 0xa1b2_c3d4),
            1 => pcap_header(End::Big, 0xa1b2_cd34),
            _ => [section(End::Little), interface(End::Little, &[])].concat(),
        };
        let bytes = [start, noise].concat();
        let (records, _) = walk(&bytes, 50).expect("the header is whole");
        prop_assert!(records.iter().all(|r| r.offset + u64::from(r.captured) <= bytes.len() as u64));
    }

    #[test]
    fn random_text_never_panics(text in "[ -~\n]{0,300}", at in 0usize..300) {
        let mut all = text.clone();
        let at = (0..=at.min(all.len())).rev().find(|at| all.is_char_boundary(*at)).unwrap_or(0);
        all.insert_str(at, " 13:24:32.192571 IP 192.0.2.1.5000 > 192.0.2.53.53: ");
        let (records, _) = walk(all.as_bytes(), 10).unwrap_or_else(|| (Vec::new(), Metadata::new(Format::Transcript)));
        for record in records {
            let start = record.offset as usize;
            let _ = crate::decode::transcript::read(&all.as_bytes()[start..start + record.captured as usize], &crate::settings::Settings::default());
        }
    }
}

#[test]
fn several_files_are_merged_by_time_and_stay_themselves() {
    let early = pcap(End::Little, 0xa1b2_c3d4, 0, 4);
    let inputs = [0, 500_000_000]
        .into_iter()
        .map(|offset_ns| {
            let (source, walk) =
                open_map("x".to_owned(), None, Map::owned(early.clone())).expect("a capture");
            Input { source, walk, offset_ns }
        })
        .collect();
    let index = build(inputs, 2, &Progress::default(), |_| {});
    let order = index.in_order((0..index.len()).collect());
    assert_eq!(order, vec![0, 4, 1, 5, 2, 6, 3, 7]);
    assert_eq!(index.label(crate::index::PacketId(order[1])), "B:F1");
}
