//! Captures put end to end: `cat a.pcap b.pcap`, whatever headers they have.

use super::*;

/// A capture whose packets have a link type.
fn linked(end: End, magic: u32, link: u16, count: u8) -> Vec<u8> {
    let mut bytes = pcap(end, magic, 0, count);
    bytes[20..24].copy_from_slice(&end.u32(u32::from(link)));
    bytes
}

/// Captures that differ in byte order, resolution, link type and record headers; one has no packets.
pub(super) fn mixed() -> Vec<u8> {
    [
        pcap(End::Little, 0xa1b2_c3d4, 0, 5),
        pcap(End::Big, 0xa1b2_c3d4, 0, 1),
        pcap_header(End::Little, 0xa1b2_c3d4),
        pcap(End::Big, 0xa1b2_3c4d, 0, 4),
        pcap(End::Little, 0xa1b2_cd34, 8, 3),
        linked(End::Little, 0xa1b2_3c4d, 1, 2),
    ]
    .concat()
}

#[test]
fn captures_with_the_same_header_are_read_on() {
    let one = pcap(End::Big, 0xa1b2_3c4d, 0, 5);
    let both = [&one[..], &one].concat();
    assert_eq!(frames(&both), [expected(5), expected(5)].concat());
    let (_, metadata) = walk(&both, 3).expect("a capture");
    assert_eq!((metadata.damage.len(), metadata.interfaces.len()), (1, 1));
    let note = metadata.damage[0].to_string();
    assert!(
        note.starts_with("after frame 5: another capture begins") && note.contains("end to end"),
        "{note}"
    );
}

#[test]
fn captures_with_other_headers_are_read_on() {
    let bytes = mixed();
    let counts = [5, 1, 4, 3, 2];
    assert_eq!(frames(&bytes), counts.map(expected).concat());
    let (records, metadata) = walk(&bytes, 100).expect("a capture");
    let interfaces: Vec<_> =
        metadata.interfaces.iter().map(|i| (i.link_type.0, i.resolution.as_str())).collect();
    assert_eq!(interfaces, [(101, "µs"), (101, "ns"), (1, "ns")]);
    let used: Vec<u16> = records.iter().map(|record| record.interface).collect();
    assert_eq!(used, [[0; 6].as_slice(), &[1; 4], &[0; 3], &[2; 2]].concat());
    // The same fraction, read as microseconds and as nanoseconds.
    let second = 1_715_693_072_000_000_000;
    assert_eq!((records[5].time_ns, records[6].time_ns), (second + 192_571_000, second + 192_571));
    assert_eq!((metadata.damage.len(), metadata.damage.iter().map(|d| d.skipped).sum::<u64>()), (5, 0));
}

#[test]
fn a_few_records_with_long_headers_are_told_before_another_header() {
    let long = pcap(End::Little, 0xa1b2_c3d4, 8, 2);
    let bytes = [&long[..], &pcap(End::Big, 0xa1b2_c3d4, 0, 3), &long].concat();
    assert_eq!(frames(&bytes), [expected(2), expected(3), expected(2)].concat());
}

#[test]
fn packets_of_each_capture_are_decoded_by_its_own_link_type() {
    let ethernet = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &frame(9)].concat();
    let mut bytes = pcap(End::Little, 0xa1b2_c3d4, 0, 1);
    let mut header = pcap_header(End::Big, 0xa1b2_c3d4);
    header[20..24].copy_from_slice(&1u32.to_be_bytes());
    bytes.extend(header);
    bytes.extend(pcap_record(End::Big, 1_715_693_099, 0, &ethernet, 0));
    let index = indexed(open_map("both".to_owned(), None, Map::owned(bytes)), 1);
    let addresses: Vec<String> = contents(&index).into_iter().map(|packet| packet.4).collect();
    assert_eq!(addresses, ["192.0.2.0", "192.0.2.9"]);
}

#[test]
fn a_cut_header_of_the_next_capture_is_counted() {
    let first = pcap(End::Little, 0xa1b2_c3d4, 0, 3);
    let header = pcap_header(End::Big, 0xa1b2_c3d4);
    for length in 1..24 {
        let (records, metadata) = walk(&[&first[..], &header[..length]].concat(), 10).expect("a capture");
        let damage = &metadata.damage;
        assert_eq!((records.len(), damage.len()), (3, 1), "{length}: {damage:?}");
        assert_eq!((damage[0].offset, damage[0].skipped), (first.len() as u64, length as u64));
    }
}

#[test]
fn the_next_capture_is_found_behind_a_damaged_stretch() {
    let noise = [&[0xff; 40][..], &[0; 60], b"some text"].concat();
    let next = pcap(End::Big, 0xa1b2_3c4d, 0, 4);
    let bytes = [&pcap(End::Little, 0xa1b2_c3d4, 0, 3)[..], &noise, &next].concat();
    assert_eq!(frames(&bytes), [expected(3), expected(4)].concat());
    let (_, metadata) = walk(&bytes, 10).expect("a capture");
    assert_eq!((metadata.damage[0].skipped, metadata.damage.len()), (noise.len() as u64, 2));
}

#[test]
fn more_kinds_of_captures_than_are_kept_are_counted_as_unread() {
    let each: Vec<Vec<u8>> = (0..70).map(|link| linked(End::Little, 0xa1b2_c3d4, link, 1)).collect();
    let bytes = each.concat();
    let (records, metadata) = walk(&bytes, 1000).expect("a capture");
    assert_eq!((records.len(), metadata.interfaces.len()), (64, 64));
    let last = metadata.damage.last().expect("said so");
    assert_eq!((last.offset, last.skipped), (64 * 68, 6 * 68));
    assert!(last.reason.contains("more kinds than are kept"), "{last}");
}
