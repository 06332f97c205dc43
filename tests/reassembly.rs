//! IP fragments and DNS over TCP come together whatever the order and the cuts they arrive in.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use portmortem::capture;
use portmortem::generate::dns::{Message, over_tcp, query};
use portmortem::generate::{Packet, PcapWriter, Segment, Variant, flags};
use portmortem::index::{Index, Input, PacketId, Progress, build};
use proptest::prelude::*;

const CLIENT: &str = "192.0.2.1:50000";
const SERVER: &str = "192.0.2.53:53";

/// Indexes raw IP packets, one every millisecond.
fn index(packets: &[Vec<u8>]) -> Index {
    let mut writer = PcapWriter::new(Vec::new(), Variant::default(), 101).unwrap();
    for (at, packet) in packets.iter().enumerate() {
        writer.packet(1_700_000_000_000_000_000 + at as i64 * 1_000_000, packet).unwrap();
    }
    let file: &'static [u8] = writer.finish().unwrap().leak();
    let (source, walk) = capture::open_bytes("test", file).unwrap();
    build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {})
}

/// (frame, id) of every DNS message, in order.
fn messages(index: &Index) -> Vec<(u64, u16)> {
    index.dns_rows().map(|row| (u64::from(row.packet.0) + 1, row.header.id)).collect()
}

fn client(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    Packet::tcp(CLIENT, SERVER, Segment { sequence, acknowledgment: 1, flags }, payload).bytes()
}

fn long_answer(id: u16) -> Vec<u8> {
    let mut message = Message::response(id, "a.example", 16, 0).bytes();
    // Bytes behind the records stand for a long answer; only the header and the question matter here.
    message.resize(3000, 7);
    message
}

#[test]
fn a_fragmented_answer_belongs_to_the_frame_that_completes_it() {
    let whole = Packet::udp(SERVER, CLIENT, &long_answer(77)).id(9);
    let mut pieces = whole.fragments(1480);
    assert!(pieces.len() >= 3);
    pieces.swap(0, 2);
    let index = index(&pieces);
    assert_eq!(messages(&index), [(3, 77)]);
    let packet = index.packet(PacketId(2)).unwrap();
    assert_eq!((packet.source_port(), packet.destination_port()), (53, 50000));
    let row = packet.dns().unwrap();
    assert_eq!(packet.message(row), long_answer(77));
    let parts: Vec<u32> = packet.assemblies()[0].parts(packet.segment).iter().map(|id| id.0).collect();
    assert_eq!(parts, [2, 1, 0]);
    assert!(packet.summary().contains("from fragments"), "{}", packet.summary());
}

#[test]
fn fragments_with_a_hole_complete_nothing() {
    let mut pieces = Packet::udp(SERVER, CLIENT, &long_answer(77)).id(9).fragments(1480);
    pieces.remove(1);
    let index = index(&pieces);
    assert_eq!(messages(&index), []);
    assert!(index.packet(PacketId(0)).unwrap().summary().starts_with("first fragment of udp"));
}

#[test]
fn a_hole_its_receiver_confirmed_is_given_up_at_once() {
    let stream: Vec<Vec<u8>> = (1..=3).map(|id| over_tcp(&query(id, "a.example", 1))).collect();
    let size = stream[0].len() as u32;
    let confirm = Packet::tcp(
        SERVER,
        CLIENT,
        Segment { sequence: 1, acknowledgment: 1 + 2 * size, flags: flags::ACK },
        &[],
    );
    let index = index(&[
        client(0, flags::SYN, &[]),
        client(1, flags::ACK, &stream[0]),
        // The second message is not in the capture, yet the server has it.
        confirm.bytes(),
        client(1 + 2 * size, flags::ACK, &stream[2]),
    ]);
    assert_eq!(messages(&index), [(2, 1), (4, 3)]);
}

#[test]
fn a_stream_joined_in_the_middle_is_read_from_its_next_message() {
    let first = over_tcp(&query(1, "a.example", 1));
    let second = over_tcp(&query(2, "b.example", 1));
    let index = index(&[
        client(900, flags::ACK, &first[5..]),
        client(900 + first.len() as u32 - 5, flags::ACK, &second),
    ]);
    assert_eq!(messages(&index), [(2, 2)]);
}

proptest! {
    #[test]
    fn every_message_of_a_stream_is_found_once(
        count in 1u16..12,
        cuts in proptest::collection::vec(1usize..60, 1..40),
        swaps in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        repeats in proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
        begin in any::<u32>(),
    ) {
        let stream: Vec<u8> = (0..count).flat_map(|id| over_tcp(&query(id, "name.example", 1))).collect();
        let mut segments = Vec::new();
        let (mut at, mut cut) = (0, cuts.iter().cycle());
        while at < stream.len() {
            let end = (at + cut.next().unwrap()).min(stream.len());
            let sequence = begin.wrapping_add(1 + at as u32);
            segments.push(client(sequence, flags::ACK, &stream[at..end]));
            at = end;
        }
        for swap in swaps {
            let at = swap.index(segments.len());
            if at > 0 {
                segments.swap(at - 1, at);
            }
        }
        for repeat in repeats {
            let at = repeat.index(segments.len());
            segments.insert(at, segments[at].clone());
        }
        segments.insert(0, client(begin, flags::SYN, &[]));
        let index = index(&segments);
        let found = messages(&index);
        prop_assert_eq!(found.iter().map(|(_, id)| *id).collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        prop_assert!(found.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        for row in index.dns_rows() {
            let packet = index.packet(row.packet).unwrap();
            prop_assert_eq!(packet.message(row), &query(row.header.id, "name.example", 1)[..]);
        }
    }
}
