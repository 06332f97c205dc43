//! How a capture is read never changes what is read: serial or parallel, in large pieces or small, from a file or a pipe.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Write as _;
use std::io::{Cursor, Read, Write as _};

use portmortem::capture::pcap::Pcap;
use portmortem::capture::{self, Fill, Hold, Options, Record, Source, Walk, Window};
use portmortem::generate::bulk::{self, Mix};
use portmortem::generate::{Random, mixed};
use portmortem::index::{Index, Input, PacketId, Plan, Progress, build_as};
use proptest::prelude::*;

/// Everything in one segment, one thread.
const SERIAL: Plan = Plan { threads: 1, first_packets: 1 << 20, segment_packets: 1 << 20 };

fn indexed((source, walk): (Source, Box<dyn Walk>), plan: Plan) -> Index {
    build_as(vec![Input { source, walk, offset_ns: 0 }], plan, &Progress::default(), |_| {})
}

fn from_memory(bytes: &[u8]) -> (Source, Box<dyn Walk>) {
    capture::open_bytes("capture", bytes.to_vec().leak()).unwrap()
}

/// All an index says of its packets, one line each, and of its source.
fn contents(index: &Index) -> Vec<String> {
    let mut lines: Vec<String> = (0..index.len()).map(|id| line(index, PacketId(id))).collect();
    for source in &index.sources {
        let metadata = &source.metadata;
        lines.push(format!(
            "{} {:?} {:?} {:?}",
            source.packets, metadata.interfaces, metadata.damage, metadata.comments
        ));
    }
    lines
}

fn line(index: &Index, id: PacketId) -> String {
    let packet = index.packet(id).unwrap();
    let mut line = format!(
        "{} {} {} {} {}:{} {}:{} {} {} {} {:x} {:x?}",
        packet.frame().0,
        packet.time_ns(),
        packet.captured(),
        packet.original(),
        packet.source_address(),
        packet.source_port(),
        packet.destination_address(),
        packet.destination_port(),
        packet.protocol().protocol().name,
        packet.transport(),
        packet.ttl(),
        packet.flags(),
        packet.bytes(),
    );
    for row in packet.dns_rows() {
        let name = packet.segment.names.get(row.name);
        write!(
            line,
            " dns {:?} {name:?} {} {:x} {:x} {:?}",
            row.header,
            row.qtype,
            row.flow,
            row.question,
            packet.message(row)
        )
        .unwrap();
    }
    for row in packet.segment.icmp.iter().filter(|row| row.packet == id) {
        write!(line, " icmp {row:?}").unwrap();
    }
    for assembly in packet.assemblies() {
        let (parts, bytes) = (assembly.parts(packet.segment), assembly.bytes(packet.segment));
        write!(line, " from {parts:?} {bytes:?}").unwrap();
    }
    line
}

/// Hands out its bytes in pieces of random size.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    random: Random,
    largest: u64,
}

impl Pieces {
    fn new(bytes: Vec<u8>, largest: u64, seed: u64) -> Self {
        Self { bytes: Cursor::new(bytes), random: Random::new(seed), largest }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = (self.random.between(1, self.largest + 1) as usize).min(buffer.len());
        if self.random.chance(10) {
            // The other side of the pipe writes when it likes.
            std::thread::yield_now();
        }
        self.bytes.read(&mut buffer[..size])
    }
}

fn packed(bytes: &[u8], how: u8) -> Vec<u8> {
    match how {
        1 => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        2 => zstd::encode_all(bytes, 1).unwrap(),
        3 => {
            let options = lzma_rust2::XzOptions::with_preset(0);
            let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        4 => {
            let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        5 => {
            let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        _ => bytes.to_vec(),
    }
}

/// The same in two parts with padding behind each, where there is a packing that can have it.
fn packed_in_two(bytes: &[u8], how: u8, cut: usize, padding: usize) -> Vec<u8> {
    if how == 0 {
        return bytes.to_vec();
    }
    let (front, back) = bytes.split_at(cut);
    let zeros = vec![0; padding];
    [packed(front, how), zeros.clone(), packed(back, how), zeros].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_parallel_build_of_any_batches_is_the_serial_one(
        seed in any::<u64>(),
        shape in 0..mixed::SHAPES.len(),
        packets in 1usize..700,
        threads in 1usize..5,
        first_packets in 1usize..60,
        segment_packets in 1usize..200,
    ) {
        let bytes = mixed::write(mixed::SHAPES[shape], packets, seed).unwrap();
        let serial = indexed(from_memory(&bytes), SERIAL);
        prop_assert!(serial.len() as usize >= packets);
        let parallel = indexed(from_memory(&bytes), Plan { threads, first_packets, segment_packets });
        prop_assert!(parallel.segments().len() >= serial.len() as usize / segment_packets.max(first_packets));
        prop_assert_eq!(contents(&serial), contents(&parallel));
    }

    #[test]
    fn a_pipe_in_random_pieces_is_the_file(
        seed in any::<u64>(),
        shape in 0..mixed::SHAPES.len(),
        packets in 1usize..400,
        largest in prop_oneof![1u64..20, 20u64..3_000, 3_000u64..100_000],
        packing in 0u8..6,
        cut in any::<prop::sample::Index>(),
        padding in prop_oneof![Just(0usize), 1usize..600],
        segment_packets in 1usize..200,
    ) {
        let bytes = mixed::write(mixed::SHAPES[shape], packets, seed).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture");
        std::fs::write(&path, &bytes).unwrap();
        let file = indexed(capture::open(&path).unwrap(), SERIAL);
        let whole = packed_in_two(&bytes, packing, cut.index(bytes.len()), padding);
        let pieces = Pieces::new(whole, largest, seed);
        let opened = capture::open_reader("pipe", pieces, Options::default()).unwrap();
        let piped = indexed(opened, Plan { threads: 2, first_packets: 7, segment_packets });
        prop_assert_eq!(contents(&file), contents(&piped));
    }
}

/// A window that gives up bytes as early as can be.
fn narrow(steps: usize) -> Hold {
    Hold::Window(Window { least_bytes: steps * PAGE, step_bytes: PAGE, dense_bytes: 0 })
}

/// Memory is moved by pages, of which the largest in use have this size.
const PAGE: usize = 64 << 10;

/// A frame that says how long it is, so that it can be unpacked in place, with a window that is shorter.
fn zstd_frame(bytes: &[u8], window_log: u32) -> Vec<u8> {
    let mut writer = zstd::Encoder::new(Vec::new(), 1).unwrap();
    writer.window_log(window_log).unwrap();
    writer.include_checksum(true).unwrap();
    writer.set_pledged_src_size(Some(bytes.len() as u64)).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn from_file(bytes: &[u8], hold: Hold) -> (Source, Box<dyn Walk>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    std::fs::write(&path, bytes).unwrap();
    capture::open_with(&path, Options { hold, ..Options::default() }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    // Frames larger than those that are kept anyway make sure that some are unpacked again.
    #[test]
    fn bytes_given_up_behind_their_readers_are_those_of_the_file(
        seed in any::<u64>(),
        shape in 0..mixed::SHAPES.len(),
        packets in 1_000usize..6_000,
        packing in 1u8..6,
        cut in any::<prop::sample::Index>(),
        steps in 1usize..6,
        segment_packets in 1usize..2_000,
    ) {
        let bytes = mixed::write(mixed::SHAPES[shape], packets, seed).unwrap();
        let whole = indexed(from_memory(&bytes), SERIAL);
        let packed = packed_in_two(&bytes, packing, cut.index(bytes.len()), 0);
        let plan = Plan { threads: 2, first_packets: 7, segment_packets };
        let passing = indexed(from_file(&packed, narrow(steps)), plan);
        prop_assert!(passing.sources[0].bytes.is_passing());
        prop_assert_eq!(contents(&whole), contents(&passing));
        prop_assert!(passing.sources[0].bytes.bytes() == bytes, "the capture is another when it is unpacked again");
    }

    // A pipe is never unpacked in place.
    #[test]
    fn zstd_unpacked_in_place_is_what_a_pipe_gives(
        seed in any::<u64>(),
        mix in prop::sample::select(vec![Mix::Ordinary, Mix::Small]),
        window_log in 10u32..19,
        cut in any::<prop::sample::Index>(),
        damage in prop_oneof![Just(None), any::<(prop::sample::Index, u8)>().prop_map(Some)],
        is_cut in any::<bool>(),
        steps in 8usize..40,
    ) {
        let mut bytes = Vec::new();
        bulk::write(&mut bytes, mix, 4 << 20, seed).unwrap();
        let (front, back) = bytes.split_at(cut.index(bytes.len()));
        let mut packed = [zstd_frame(front, window_log), zstd_frame(back, window_log)].concat();
        if let Some((at, value)) = damage {
            // The header of the capture stays, so that there is one.
            let at = 4_096 + at.index(packed.len() - 4_096);
            packed[at] = value;
        }
        if is_cut {
            packed.truncate(packed.len() * 3 / 4);
        }
        let pipe = Pieces::new(packed.clone(), 1 << 20, seed);
        let piped = indexed(capture::open_reader("pipe", pipe, Options::default()).unwrap(), Plan::new(2));
        let piped_contents = contents(&piped);
        for hold in [Hold::All, narrow(steps)] {
            let file = indexed(from_file(&packed, hold), Plan::new(2));
            let file_contents = contents(&file);
            prop_assert_eq!(file_contents.len(), piped_contents.len());
            let differing = file_contents.iter().zip(&piped_contents).find(|(one, other)| one != other);
            prop_assert!(differing.is_none(), "{hold:?}: {differing:?}");
            prop_assert!(file.sources[0].bytes.bytes() == piped.sources[0].bytes.bytes(), "{hold:?}");
        }
    }
}

fn walked(bytes: &[u8], step: usize) -> (Vec<Record>, String) {
    let mut walk = Pcap::detect(bytes).unwrap();
    let mut records = Vec::new();
    loop {
        let mut some = Vec::new();
        let fill = walk.fill(bytes.into(), true, step, &mut some);
        assert!(some.len() <= step);
        records.append(&mut some);
        if fill == Fill::End {
            return (records, format!("{:?}", walk.metadata().damage));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    // Steps below the least number of records are walked one by one, larger ones in several lanes.
    #[test]
    fn walking_in_lanes_gives_the_records_of_one_walk(
        seed in any::<u64>(),
        mix in prop::sample::select(vec![Mix::Ordinary, Mix::Small]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        step in 4_096usize..40_000,
    ) {
        let mut bytes = Vec::new();
        bulk::write(&mut bytes, mix, 4 << 20, seed).unwrap();
        for (at, value) in changes {
            let at = 24 + at.index(bytes.len() - 24);
            bytes[at] = value;
        }
        let (expected, damage) = walked(&bytes, 1_000);
        let (records, same) = walked(&bytes, step);
        prop_assert_eq!(expected.len(), records.len());
        prop_assert!(expected == records, "the records differ");
        prop_assert_eq!(damage, same);
    }
}

#[test]
fn live_sources_are_read_after_files_and_merged_by_time() {
    let first = mixed::write(mixed::SHAPES[0], 60, 1).unwrap();
    let second = mixed::write(mixed::SHAPES[4], 50, 2).unwrap();
    let pipe = capture::open_reader("pipe", Pieces::new(first.clone(), 100, 3), Options::default()).unwrap();
    let inputs = [pipe, from_memory(&second)];
    let inputs = inputs.into_iter().map(|(source, walk)| Input { source, walk, offset_ns: 0 }).collect();
    let mut snapshots_in_order = 0;
    let index = build_as(inputs, Plan::new(2), &Progress::default(), |index| {
        if let Some(order) = &index.order {
            assert_eq!(order.len(), index.len() as usize);
            snapshots_in_order += 1;
        }
    });
    let order = index.order.as_ref().unwrap();
    let time = |id: &u32| index.packet(PacketId(*id)).unwrap().time_ns();
    assert!(order.is_sorted_by_key(time));
    let alone = indexed(from_memory(&first), SERIAL);
    let source = &index.sources[0];
    assert_eq!((source.name.as_str(), source.packets), ("pipe", alone.len()));
    let frame = index.by_frame(portmortem::index::SourceId(0), portmortem::index::FrameNumber(7)).unwrap();
    assert_eq!(index.label(frame), "A:F7");
    assert_eq!(index.packet(frame).unwrap().bytes(), alone.packet(PacketId(6)).unwrap().bytes());
}
