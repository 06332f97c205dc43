//! What the tracker tells of connections, packet by packet.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::generate::{Packet, PcapWriter, Segment, Variant, flags};
use crate::index::{Input, Progress, build};

const CLIENT: &str = "192.0.2.10:50000";
const SERVER: &str = "198.51.100.7:443";
const CLIENT6: &str = "[2001:db8::10]:50000";
const SERVER6: &str = "[2001:db8::7]:443";
const SYN: u8 = flags::SYN;
const ACK: u8 = flags::ACK;
const RST: u8 = flags::RST;
const FIN: u8 = flags::FIN;

/// Packets a tenth of a second apart.
#[derive(Default)]
struct Talk(Vec<Vec<u8>>);

impl Talk {
    fn put(mut self, from: &str, to: &str, numbers: (u32, u32), bits: u8, payload: &[u8]) -> Self {
        let segment = Segment { sequence: numbers.0, acknowledgment: numbers.1, flags: bits };
        self.0.push(Packet::tcp(from, to, segment, payload).bytes());
        self
    }

    fn out(self, numbers: (u32, u32), bits: u8, payload: &[u8]) -> Self {
        self.put(CLIENT, SERVER, numbers, bits, payload)
    }

    fn back(self, numbers: (u32, u32), bits: u8, payload: &[u8]) -> Self {
        self.put(SERVER, CLIENT, numbers, bits, payload)
    }

    fn open(self, initial: u32) -> Self {
        self.out((initial, 0), SYN, b"").back((9_000, initial + 1), SYN | ACK, b"").out(
            (initial + 1, 9_001),
            ACK,
            b"",
        )
    }

    fn follow(&self) -> Connections {
        let mut writer = PcapWriter::new(Vec::new(), Variant::default(), 101).unwrap();
        for (at, packet) in self.0.iter().enumerate() {
            writer.packet(1_700_000_000_000_000_000 + at as i64 * 100_000_000, packet).unwrap();
        }
        let file: &'static [u8] = writer.finish().unwrap().leak();
        let (source, walk) = crate::capture::open_bytes("test", file).unwrap();
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
        Connections::follow(&index, Scope::All, &|_| false)
    }

    fn one(&self) -> Connection {
        let all = self.follow();
        assert_eq!(all.iter().count(), 1);
        *all.iter().next().unwrap()
    }
}

fn request(connection: &Connection) -> Seen {
    connection.from_client.last.unwrap()
}

#[test]
fn a_port_used_again_is_another_connection() {
    let talk = Talk::default()
        .open(100)
        .out((101, 9_001), ACK, b"ask")
        .back((9_001, 104), ACK, b"answer")
        .out((7_000_000, 0), SYN, b"")
        .back((0, 7_000_001), RST | ACK, b"");
    let all = talk.follow();
    let told: Vec<(bool, bool)> = all.iter().map(|c| (c.is_in_use(), c.is_refused())).collect();
    assert_eq!(told, [(true, false), (false, true)]);
}

#[test]
fn a_repeated_syn_is_another_try_of_the_same_connection() {
    let silent =
        Talk::default().out((100, 0), SYN, b"").out((100, 0), SYN, b"").out((100, 0), SYN, b"").one();
    assert!(silent.is_silent() && silent.tries == 3);
}

#[test]
fn a_constant_initial_number_does_not_hide_that_ports_are_used_again() {
    let talk = Talk::default().open(1).out((2, 9_001), FIN | ACK, b"").out((1, 0), SYN, b"");
    assert_eq!(talk.follow().iter().count(), 2);
}

#[test]
fn a_reset_of_an_earlier_attempt_refuses_no_later_one() {
    let talk = Talk::default()
        .out((100, 0), SYN, b"")
        .out((7_000, 0), SYN, b"")
        .back((0, 101), RST | ACK, b"")
        .back((50, 7_001), SYN | ACK, b"");
    let all = talk.follow();
    let last = all.iter().last().unwrap();
    assert!(last.is_accepted() && last.reset().is_none());
}

#[test]
fn a_syn_captured_behind_its_answer_opens_that_connection() {
    let one = Talk::default().back((9_000, 101), SYN | ACK, b"").out((100, 0), SYN, b"").one();
    assert!(one.is_opened_here() && one.is_accepted());
    assert_eq!(one.client.1, 50_000);
}

#[test]
fn repeats_are_counted_once_and_keep_alives_not_at_all() {
    let one = Talk::default()
        .open(100)
        .out((101, 9_001), ACK, b"ask")
        .out((101, 9_001), ACK, b"ask")
        .out((103, 9_001), ACK, b"k")
        .one();
    assert_eq!((one.from_client.bytes, one.from_client.again), (3, 1));
}

#[test]
fn a_capture_that_begins_in_the_middle_knows_the_server_by_its_port() {
    let one = Talk::default().back((9_001, 101), ACK, b"data").out((101, 9_005), ACK, b"more").one();
    assert_eq!((one.client.1, one.known), (50_000, Known::ByPort));
    assert!(one.is_in_use() && !one.is_opened_here());
}

#[test]
fn ipv6_connections_are_followed_alike() {
    let one = Talk::default()
        .put(CLIENT6, SERVER6, (100, 0), SYN, b"")
        .put(SERVER6, CLIENT6, (0, 101), RST | ACK, b"")
        .one();
    assert!(one.is_refused());
}

#[test]
fn only_the_clients_packets_do_not_make_silence() {
    let one = Talk::default().out((100, 0), SYN, b"").out((101, 9_001), ACK, b"ask").one();
    assert!(!one.is_silent() && one.is_accepted());
}

#[test]
fn ends_for_a_request_are_told_apart() {
    let asked = || Talk::default().open(100).out((101, 9_001), ACK, b"ask").back((9_001, 104), ACK, b"");
    let ends = |talk: Talk| {
        let one = talk.one();
        one.ends_for(request(&one))
    };
    assert!(matches!(ends(asked().back((9_001, 104), FIN | ACK, b"")), Some(Ends::Closed(_))));
    assert!(matches!(ends(asked().back((9_001, 104), RST | ACK, b"")), Some(Ends::Reset(_))));
    let begun = asked().back((9_001, 104), ACK, b"ha").back((9_003, 104), RST, b"");
    assert!(matches!(ends(begun), Some(Ends::ResetMidway(_))));
    let left = asked().out((104, 9_001), FIN | ACK, b"").back((9_001, 105), FIN | ACK, b"");
    assert!(matches!(ends(left), Some(Ends::GivenUp(_))));
    assert!(asked().one().is_acknowledged() && ends(asked()).is_none());
}

#[test]
fn a_client_that_closes_its_side_with_the_request_still_waits() {
    let one = Talk::default()
        .open(100)
        .out((101, 9_001), FIN | ACK, b"ask")
        .back((9_001, 105), FIN | ACK, b"")
        .one();
    assert!(matches!(one.ends_for(request(&one)), Some(Ends::Closed(_))));
}

#[test]
fn printed_segments_have_the_length_they_state() {
    let text = "13:00:00.000000 IP 192.0.2.10.50000 > 198.51.100.7.443: Flags [S], seq 7, win 1, length 0\n\
                13:00:00.100000 IP 198.51.100.7.443 > 192.0.2.10.50000: Flags [S.], seq 9, ack 8, win 1, length 0\n\
                13:00:00.200000 IP 192.0.2.10.50000 > 198.51.100.7.443: Flags [P.], seq 1:5, ack 1, win 1, length 4\n\
                13:00:00.300000 IP 198.51.100.7.443 > 192.0.2.10.50000: Flags [P.], seq 1:11, ack 5, win 1, length 10\n";
    let (source, walk) = crate::capture::open_bytes("test", text.as_bytes().to_vec().leak()).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let all = Connections::follow(&index, Scope::All, &|_| false);
    let bytes: Vec<(u64, u64)> = all.iter().map(|c| (c.from_client.bytes, c.from_server.bytes)).collect();
    assert_eq!(bytes, [(4, 10)]);
}

#[test]
fn the_limit_is_told() {
    let mut share = Share::default();
    let row = |port: u16, at: u32| row::Row {
        packet: PacketId(at),
        time_ns: 0,
        from: (crate::decode::Address::None, port),
        to: (crate::decode::Address::None, at as u16),
        hash: hash((crate::decode::Address::None, port), (crate::decode::Address::None, at as u16)),
        flags: SYN,
        sequence: at,
        acknowledgment: 0,
        payload: 0,
        exact: true,
        from_service: false,
    };
    for at in 0..(CONNECTIONS_MAX / SHARES) as u32 + 2 {
        share.follow(&row((at >> 14) as u16, at));
    }
    assert_eq!(share.left_out, 2);
    let all = Connections { left_out: share.left_out, ..Connections::default() };
    assert_eq!(all.note().unwrap(), "2 connection attempts beyond 262144 were not followed");
}
