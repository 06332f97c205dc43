//! Packets of every followed service are tied to what they answer or repeat, and filters ask for ties and attempts alike over
//! columns and packet by packet.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot run has failed")]

use std::sync::atomic::AtomicBool;

use portmortem::attempts::ties::{links_from, links_to};
use portmortem::capture::open_bytes;
use portmortem::correlate::{Evidence, Level, LinkKind, Parameters, correlate};
use portmortem::filter::{Context, Filter};
use portmortem::generate::{Packet, PcapWriter, Segment, Variant, flags};
use portmortem::index::{Index, Input, PacketId, Progress, build};

const CLIENT: &str = "192.0.2.10";
const SERVER: &str = "198.51.100.7";

/// Packets and their times in milliseconds.
#[derive(Default)]
struct Scene(Vec<(i64, Packet)>);

impl Scene {
    fn add(&mut self, at_ms: i64, packet: Packet) -> u32 {
        self.0.push((at_ms, packet));
        self.0.len() as u32 - 1
    }

    fn ask(&mut self, at_ms: i64, port: u16, payload: &[u8]) -> u32 {
        let from = format!("{CLIENT}:{}", 40_000 + port % 1000);
        self.add(at_ms, Packet::udp(from.as_str(), format!("{SERVER}:{port}").as_str(), payload))
    }

    fn answer(&mut self, at_ms: i64, port: u16, payload: &[u8]) -> u32 {
        let to = format!("{CLIENT}:{}", 40_000 + port % 1000);
        self.add(at_ms, Packet::udp(format!("{SERVER}:{port}").as_str(), to.as_str(), payload))
    }

    fn out(&mut self, at_ms: i64, port: u16, numbers: (u32, u32), bits: u8, payload: &[u8]) -> u32 {
        let segment = Segment { sequence: numbers.0, acknowledgment: numbers.1, flags: bits };
        let server = format!("{SERVER}:{port}");
        self.add(at_ms, Packet::tcp(format!("{CLIENT}:50000").as_str(), server.as_str(), segment, payload))
    }

    fn back(&mut self, at_ms: i64, port: u16, numbers: (u32, u32), bits: u8, payload: &[u8]) -> u32 {
        let segment = Segment { sequence: numbers.0, acknowledgment: numbers.1, flags: bits };
        let server = format!("{SERVER}:{port}");
        self.add(at_ms, Packet::tcp(server.as_str(), format!("{CLIENT}:50000").as_str(), segment, payload))
    }

    fn read(&self) -> Read {
        let mut writer = PcapWriter::new(Vec::new(), Variant::default(), 101).unwrap();
        for (at_ms, packet) in &self.0 {
            writer.packet(1_700_000_000_000_000_000 + at_ms * 1_000_000, &packet.bytes()).unwrap();
        }
        let file: &'static [u8] = writer.finish().unwrap().leak();
        let (source, walk) = open_bytes("test", file).unwrap();
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
        let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
        Read { index, evidence }
    }
}

struct Read {
    index: Index,
    evidence: Evidence,
}

impl Read {
    /// The only tie of a packet: kind, target, level.
    fn tie(&self, packet: u32) -> (LinkKind, u32, Level) {
        let links = links_from(&self.evidence, PacketId(packet));
        let [link] = links.as_slice() else { panic!("{packet}: {links:?}") };
        let back = links_to(&self.evidence, link.to.unwrap());
        assert!(back.iter().any(|back| back.from == PacketId(packet)), "{packet}: {back:?}");
        (link.kind, link.to.unwrap().0, link.level)
    }

    fn answers(&self, packet: u32, asked: u32) {
        assert_eq!(self.tie(packet), (LinkKind::AnswerTo, asked, Level::Exact));
    }

    fn repeats(&self, packet: u32, first: u32) {
        assert_eq!(self.tie(packet), (LinkKind::RetryOf, first, Level::Exact));
    }

    /// What a filter finds; packet by packet it is the same.
    fn rows(&self, text: &str) -> Vec<u32> {
        let cancel = AtomicBool::new(false);
        let (index, evidence) = (&self.index, Some(&self.evidence));
        let context = Context { index, evidence, notes: None, cancel: &cancel };
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let rows = filter.rows(&context);
        let single: Vec<u32> =
            (0..self.index.len()).filter(|row| filter.matches(&context, PacketId(*row))).collect();
        assert_eq!(rows, single, "{text}");
        rows
    }
}

fn time_query(mark: u8) -> [u8; 48] {
    let mut query = [0; 48];
    (query[0], query[47]) = (0x23, mark);
    query
}

fn time_answer(mark: u8) -> [u8; 48] {
    let mut answer = [0; 48];
    (answer[0], answer[1], answer[31]) = (0x24, 2, mark);
    answer
}

#[test]
fn requests_over_udp_are_tied_to_their_answers_and_repeats() {
    let mut scene = Scene::default();
    let get = [0x30, 12, 2, 1, 1, 4, 1, b'c', 0xa0, 4, 2, 2, 1, 9];
    let response = [0x30, 12, 2, 1, 1, 4, 1, b'c', 0xa2, 4, 2, 2, 1, 9];
    let options = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCSeq: 1 OPTIONS\r\n\r\n";
    let trying = b"SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCSeq: 1 OPTIONS\r\n\r\n";
    let ok = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCSeq: 1 OPTIONS\r\n\r\n";
    let ntp = [
        scene.ask(0, 123, &time_query(1)),
        scene.ask(900, 123, &time_query(2)),
        scene.answer(950, 123, &time_answer(2)),
    ];
    let snmp =
        [scene.ask(1_000, 161, &get), scene.ask(2_000, 161, &get), scene.answer(2_030, 161, &response)];
    let sip = [
        scene.ask(3_000, 5060, options),
        scene.ask(3_500, 5060, options),
        scene.answer(3_510, 5060, trying),
        scene.answer(3_700, 5060, ok),
    ];
    let radius = [
        scene.ask(4_000, 1812, &[1, 7, 0, 20]),
        scene.ask(6_000, 1812, &[1, 7, 0, 20]),
        scene.answer(6_010, 1812, &[2, 7, 0, 20]),
    ];
    let plain = [scene.ask(7_000, 9_900, b"hello"), scene.answer(7_010, 9_900, b"there")];
    let read = scene.read();
    assert!(links_from(&read.evidence, PacketId(ntp[0])).is_empty());
    read.answers(ntp[2], ntp[1]);
    read.repeats(snmp[1], snmp[0]);
    read.answers(snmp[2], snmp[1]);
    read.repeats(sip[1], sip[0]);
    read.answers(sip[2], sip[1]);
    read.answers(sip[3], sip[1]);
    read.repeats(radius[1], radius[0]);
    read.answers(radius[2], radius[1]);
    assert_eq!(read.tie(plain[1]), (LinkKind::AnswerTo, plain[0], Level::Probable));
    assert_eq!(read.rows("link.kind == retry_of"), [snmp[0], snmp[1], sip[0], sip[1], radius[0], radius[1]]);
    assert_eq!(read.rows("link.level == probable"), plain);
    assert_eq!(read.rows("partner(frame.number == 3)"), [ntp[1]]);
    assert_eq!(read.rows("transaction(frame.number == 5)"), snmp);
    assert_eq!(read.rows("first(frame.number == 6)"), [snmp[0]]);
    assert_eq!(read.rows("attempt.service == snmp and attempt.tries == 2"), snmp);
    assert_eq!(read.rows("attempt.waited > 2s and attempt.service == radius"), radius);
    assert_eq!(read.rows("attempt.first and attempt.ended_by == server and attempt.port == 5060"), [sip[0]]);
}

#[test]
fn pings_are_tied_by_their_number() {
    let mut scene = Scene::default();
    let (client, server) = (CLIENT.parse().unwrap(), SERVER.parse().unwrap());
    let ask = |number| Packet::echo(client, server, false, 9, number);
    let reply = |number| Packet::echo(server, client, true, 9, number);
    let asked = [scene.add(0, ask(1)), scene.add(1_000, ask(2)), scene.add(2_000, ask(3))];
    let answered = [scene.add(2_100, reply(3)), scene.add(2_200, reply(1))];
    let read = scene.read();
    read.answers(answered[0], asked[2]);
    read.answers(answered[1], asked[0]);
    assert_eq!(read.rows("attempt.service == echo"), [0, 1, 2, 3, 4]);
}

#[test]
fn a_lease_is_tied_by_its_transaction() {
    let mut scene = Scene::default();
    let message = |kind: u8| {
        let mut bytes = vec![0; 240];
        bytes[0] = if matches!(kind, 1 | 3) { 1 } else { 2 };
        (bytes[1], bytes[2], bytes[7]) = (1, 6, 5);
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
        bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
        bytes.extend([53, 1, kind, 54, 4, 198, 51, 100, 7, 255]);
        bytes
    };
    let ask = |kind| Packet::udp("0.0.0.0:68", "255.255.255.255:67", &message(kind));
    let answer = |kind| Packet::udp("198.51.100.7:67", "192.0.2.10:68", &message(kind));
    let all: Vec<u32> =
        [(0, ask(1)), (3_000, ask(1)), (3_100, answer(2)), (3_200, ask(3)), (3_300, answer(5))]
            .into_iter()
            .map(|(at_ms, packet)| scene.add(at_ms, packet))
            .collect();
    let read = scene.read();
    read.repeats(all[1], all[0]);
    read.answers(all[2], all[1]);
    read.answers(all[4], all[3]);
    assert_eq!(read.rows("attempt.service == dhcp and attempt.outcome == answered"), all);
}

#[test]
fn connections_are_tied_from_syn_to_answer() {
    let (syn, ack) = (flags::SYN, flags::ACK);
    let mut scene = Scene::default();
    let web = [
        scene.out(0, 80, (100, 0), syn, b""),
        scene.out(1_000, 80, (100, 0), syn, b""),
        scene.back(1_010, 80, (900, 101), syn | ack, b""),
        scene.out(1_020, 80, (101, 901), ack, b""),
        scene.out(1_030, 80, (101, 901), ack, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        scene.out(1_300, 80, (101, 901), ack, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        scene.back(1_320, 80, (901, 128), ack, b"HTTP/1.1 503 Busy\r\n\r\n"),
        scene.out(1_400, 80, (128, 922), flags::FIN | ack, b""),
    ];
    let refused = [
        scene.out(2_000, 8_443, (500, 0), syn, b""),
        scene.back(2_001, 8_443, (0, 501), flags::RST | ack, b""),
    ];
    let own = [
        scene.out(3_000, 9_999, (700, 0), syn, b""),
        scene.back(3_010, 9_999, (800, 701), syn | ack, b""),
        scene.out(3_020, 9_999, (701, 801), ack, b"ask"),
        scene.back(3_030, 9_999, (801, 704), ack, b"answer"),
    ];
    let read = scene.read();
    read.repeats(web[1], web[0]);
    read.answers(web[2], web[1]);
    read.repeats(web[5], web[4]);
    read.answers(web[6], web[4]);
    read.answers(refused[1], refused[0]);
    read.answers(own[1], own[0]);
    assert_eq!(read.tie(own[3]), (LinkKind::AnswerTo, own[2], Level::Probable));
    assert_eq!(read.rows("attempt.outcome == failed"), web);
    assert_eq!(read.rows("attempt.failed and attempt.first"), [web[0], refused[0]]);
    assert_eq!(read.rows("attempt.outcome == refused_by_reset"), refused);
    assert_eq!(read.rows("transport.repeats == 1"), web);
    assert_eq!(read.rows("transport.handshake == 10ms and attempt.port == 9999"), own);
    assert_eq!(read.rows("transaction(frame.number == 7)"), [web[4], web[5], web[6]]);
    assert_eq!(read.rows("attempt.server == 198.51.100.7 and not attempt.failed"), own);
    assert_eq!(read.rows("attempt.client == 198.51.100.7"), [0; 0]);
    assert_eq!(read.rows("attempt.waited > attempt.answered and attempt.service == http"), web);
}

#[test]
fn an_error_belongs_to_the_attempt_it_is_about() {
    let mut scene = Scene::default();
    let asked = scene.ask(0, 161, &[0x30, 12, 2, 1, 1, 4, 1, b'c', 0xa0, 4, 2, 2, 1, 9]);
    let quote = scene.0[0].1.bytes();
    let error = Packet::error_quoting(SERVER.parse().unwrap(), CLIENT.parse().unwrap(), 3, 3, &quote);
    let error = scene.add(1, error);
    let read = scene.read();
    assert_eq!(read.tie(error).0, LinkKind::ErrorAbout);
    assert_eq!(read.rows("attempt.outcome == refused_by_icmp"), [asked, error]);
    assert_eq!(read.rows("transaction(icmp.error)"), [asked, error]);
    assert_eq!(read.rows("attempt.ended_by == server"), [asked, error]);
}
