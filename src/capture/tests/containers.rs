//! What surrounds and follows packed captures: padding, other bytes, frames to be skipped, cuts at every byte.

use std::io::Cursor;

use super::*;

/// What an index says of a packed capture: its packets' bytes, its container and its damage; or why it is none.
type Said = Result<(Vec<Vec<u8>>, Option<&'static str>, Vec<Damage>), String>;

fn said(opened: Result<(Source, Box<dyn Walk>), OpenError>) -> Said {
    let (source, walk) = opened.map_err(|error| error.to_string())?;
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    assert!(index.complete);
    let packets = contents(&index).into_iter().map(|packet| packet.5).collect();
    let metadata = &index.sources[0].metadata;
    Ok((packets, metadata.container, metadata.damage.clone()))
}

fn short(said: &Said) -> String {
    match said {
        Ok((packets, container, damage)) => format!("{} packets, {container:?}, {damage:?}", packets.len()),
        Err(error) => error.clone(),
    }
}

/// The same from a pipe in pieces and from a file, which must agree.
fn read(packed: &[u8]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packed");
    std::fs::write(&path, packed).unwrap();
    let file = said(open(&path));
    let pieces = Trickle { bytes: packed.to_vec(), at: 0, sizes: vec![1, 7, 300], turn: 0 };
    let piped = said(open_reader(&path.display().to_string(), pieces, Options::default()));
    // Where no packet is, it depends on whether the end has come when it is opened: then it is refused, before it may be a
    // text whose first line is still to come.
    let is_nothing = |said: &Said| said.as_ref().map_or(true, |(packets, ..)| packets.is_empty());
    let alike = file == piped || is_nothing(&file) && is_nothing(&piped);
    // Said in short: the packets of a failure fill a screen.
    assert!(alike, "file and pipe differ: {:?} and {:?}", short(&file), short(&piped));
    file
}

fn legacy(bytes: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().legacy_frame(true);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn all_packings(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = packings(bytes);
    all.push(("lz4", legacy(bytes)));
    all
}

/// A frame that decoders of zstd and lz4 skip.
fn skipped(content: &[u8]) -> Vec<u8> {
    [&[0x53, 0x2a, 0x4d, 0x18][..], &(content.len() as u32).to_le_bytes(), content].concat()
}

#[test]
fn zeros_behind_and_between_packed_data_are_padding() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 200);
    let (front, back) = bytes.split_at(1000);
    let halves = all_packings(front).into_iter().zip(all_packings(back));
    for ((name, whole), ((_, front), (_, back))) in all_packings(&bytes).into_iter().zip(halves) {
        for zeros in [1, 2, 3, 4, 511, 10_240, 300_000] {
            let padding = vec![0; zeros];
            for padded in [[&whole[..], &padding].concat(), [&front[..], &padding, &back, &padding].concat()]
            {
                let (packets, container, damage) = read(&padded).unwrap();
                assert_eq!(
                    (packets.len(), container, damage),
                    (200, Some(name), Vec::new()),
                    "{name}, {zeros} zeros"
                );
            }
        }
    }
}

#[test]
fn other_bytes_behind_packed_data_are_counted_where_they_stand() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 200);
    for (name, packed) in all_packings(&bytes) {
        for (zeros, garbage) in
            [(0, &b"x"[..]), (0, b"\xff\0\0\0"), (512, b"trailing text\n"), (3, &[0xee; 5000])]
        {
            let padded = [&packed[..], &vec![0; zeros], garbage].concat();
            let (packets, _, damage) = read(&padded).unwrap();
            assert_eq!((packets.len(), damage.len()), (200, 1), "{name}: {damage:?}");
            let found = &damage[0];
            let place = ((packed.len() + zeros) as u64, garbage.len() as u64, 200, Place::Packed);
            assert_eq!((found.offset, found.skipped, found.after_frame, found.place), place, "{name}");
            let shown = found.to_string();
            let expected = format!("of the packed data, {} bytes not read)", thousands(garbage.len() as u64));
            assert!(shown.starts_with("after frame 200: the ") && shown.ends_with(&expected), "{shown}");
        }
    }
}

#[test]
fn another_packing_behind_the_first_is_not_read_and_said_so() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 20);
    let all = packings(&bytes);
    for (at, (name, packed)) in all.iter().enumerate() {
        let (_, other) = &all[(at + 1) % all.len()];
        let (packets, _, damage) = read(&[&packed[..], other].concat()).unwrap();
        assert_eq!((packets.len(), damage.len(), damage[0].skipped), (20, 1, other.len() as u64), "{name}");
    }
}

#[test]
fn frames_to_be_skipped_do_not_hide_whether_zstd_or_lz4_follows() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 200);
    let both = [
        ("zstd", packings(&bytes).swap_remove(1).1),
        ("lz4", packings(&bytes).swap_remove(2).1),
        ("lz4", legacy(&bytes)),
    ];
    let heads =
        [skipped(b""), skipped(b"\x28\xb5\x2f\xfd"), [skipped(b"one"), skipped(&vec![7; 100_000])].concat()];
    for (name, packed) in both {
        for head in &heads {
            let (packets, container, damage) = read(&[&head[..], &packed, head].concat()).unwrap();
            assert_eq!((packets.len(), container, damage), (200, Some(name), Vec::new()));
        }
    }
    // Nothing behind them, something else, or less than they say.
    let message = |packed: &[u8]| read(packed).unwrap_err();
    assert!(message(&skipped(b"only")).contains("it is empty"));
    assert!(message(&[skipped(b"a"), b"text behind".to_vec()].concat()).contains("(byte 9, 11 bytes)"));
    assert!(message(&skipped(&[7; 100])[..50]).contains("lacks 58 bytes"));
}

#[test]
fn a_cut_of_packed_data_is_never_silent_and_reads_alike_from_files_and_pipes() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 30);
    let whole = frames(&bytes);
    let (front, back) = bytes.split_at(700);
    for ((name, first), (_, second)) in all_packings(front).into_iter().zip(all_packings(back)) {
        let packed = [&first[..], &second].concat();
        for length in 0..=packed.len() {
            let Ok((packets, _, damage)) = read(&packed[..length]) else {
                assert!(length < first.len(), "{name}: {length} bytes are no capture");
                continue;
            };
            assert!(whole.starts_with(&packets), "{name}: a cut after {length} bytes changes packets");
            let is_whole = length == packed.len();
            // Between two members the capture itself is cut in a record.
            assert_eq!(
                damage.is_empty(),
                is_whole,
                "{name}: cut after {length} of {}: {damage:?}",
                packed.len()
            );
            assert!(!is_whole || packets == whole, "{name}");
        }
    }
}

#[test]
fn damage_in_packed_data_costs_nothing_before_it() {
    let mut bytes = pcap_header(End::Little, 0xa1b2_c3d4);
    let mut random = crate::generate::Random::new(1);
    for number in 0..1500 {
        // Half of it repeats, so that nothing is stored as it is.
        let mut data: Vec<u8> = (0..100).map(|_| random.bits() as u8).collect();
        data.extend(data.clone());
        bytes.extend(pcap_record(End::Little, 1_715_693_072, number, &data, 0));
    }
    let whole = frames(&bytes);
    for (name, mut packed) in all_packings(&bytes) {
        let at = packed.len() * 4 / 5;
        packed[at..at + 40].fill(0xff);
        let (packets, _, damage) = read(&packed).unwrap();
        let same = packets.iter().zip(&whole).take_while(|(one, other)| one == other).count();
        assert!(!damage.is_empty() || packets.len() == whole.len(), "{name}: {damage:?}");
        // bzip2 and lz4 give whole blocks: of 100,000 bytes, or of the size the frame states.
        let least = match name {
            "gzip" | "zstd" | "xz" => 1100,
            "bzip2" => 900,
            _ => 0,
        };
        assert!(same >= least, "{name} kept {same} packets");
    }
}

#[test]
fn a_writer_that_is_gone_ends_the_bytes_with_a_reason() {
    let (map, mut writer) = Map::reserve(1000, map::Origin::File, None).unwrap();
    writer.room(10).unwrap().fill(7);
    writer.commit(10).unwrap();
    drop(writer);
    assert!(map.is_complete() && matches!(map.problem(), Some(Problem::Stopped(_))));
    assert_eq!(map.bytes(), [7; 10]);
}

#[test]
fn many_small_members_are_one_capture() {
    let bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 250);
    for at in 0..all_packings(b"x").len() {
        let mut packed = Vec::new();
        for piece in bytes.chunks(97) {
            packed.extend(all_packings(piece).swap_remove(at).1);
            // An empty member holds nothing, which is no end.
            packed.extend(all_packings(b"").swap_remove(at).1);
        }
        let (packets, _, damage) =
            said(open_reader("many", Cursor::new(packed), Options::default())).unwrap();
        assert_eq!((packets.len(), damage), (250, Vec::new()), "packing {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn odd_archives_read_alike_from_files_and_pipes(
        which in 0usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        tail in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..40),
        keep in any::<bool>(),
    ) {
        let bytes = pcap(End::Big, 0xa1b2_c3d4, 0, 30);
        let mut packed = all_packings(&bytes).swap_remove(which).1;
        for (at, value) in changes {
            let at = at.index(packed.len());
            packed[at] = value;
        }
        if !keep {
            packed.truncate(cut.index(packed.len() + 1));
        }
        packed.extend(tail);
        let _ = read(&packed);
    }
}
