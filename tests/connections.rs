//! How questions over TCP end, and services that work while some connections to them fail.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use std::sync::atomic::AtomicBool;

use portmortem::capture::open_bytes;
use portmortem::correlate::{Evidence, Outcome, Parameters, correlate};
use portmortem::findings::Severity;
use portmortem::generate::dns::{self, Data, over_tcp};
use portmortem::generate::{Packet, PcapWriter, Segment, Variant, flags};
use portmortem::index::{Index, Input, Progress, build};
use scene::{MS, SECOND, START_NS, Scene};

const ACK: u8 = flags::ACK;
const SYN: u8 = flags::SYN;
const FIN: u8 = flags::FIN;
const RST: u8 = flags::RST;
const V4: (&str, &str) = ("192.0.2.10:40001", "198.51.100.53:53");
const V6: (&str, &str) = ("[2001:db8::10]:40001", "[2001:db8::53]:53");

/// One TCP connection, with the numbers each side has reached.
struct Talk {
    ends: (&'static str, &'static str),
    sent: (u32, u32),
    packets: Vec<(i64, Packet)>,
}

impl Talk {
    fn new(ends: (&'static str, &'static str)) -> Self {
        Self { ends, sent: (100, 900), packets: Vec::new() }
    }

    fn opened(ends: (&'static str, &'static str)) -> Self {
        Self::new(ends).out(0, SYN, b"").back(MS, SYN | ACK, b"").out(2 * MS, ACK, b"")
    }

    fn out(mut self, at_ns: i64, bits: u8, payload: &[u8]) -> Self {
        let acknowledgment = if bits & ACK == 0 { 0 } else { self.sent.1 };
        let segment = Segment { sequence: self.sent.0, acknowledgment, flags: bits };
        self.packets.push((at_ns, Packet::tcp(self.ends.0, self.ends.1, segment, payload)));
        self.sent.0 += payload.len() as u32 + u32::from(bits & (SYN | FIN) != 0);
        self
    }

    fn back(mut self, at_ns: i64, bits: u8, payload: &[u8]) -> Self {
        let segment = Segment { sequence: self.sent.1, acknowledgment: self.sent.0, flags: bits };
        self.packets.push((at_ns, Packet::tcp(self.ends.1, self.ends.0, segment, payload).ttl(57)));
        self.sent.1 += payload.len() as u32 + u32::from(bits & (SYN | FIN) != 0);
        self
    }

    /// Opened, asked and acknowledged at 4 ms.
    fn asked(ends: (&'static str, &'static str)) -> Self {
        Self::opened(ends).ask(3 * MS, 7).back(4 * MS, ACK, b"")
    }

    fn ask(self, at_ns: i64, id: u16) -> Self {
        self.out(at_ns, ACK, &over_tcp(&dns::query(id, "www.example.org", dns::A)))
    }

    /// Packets that keep the capture going for a while.
    fn then_others(mut self, until_ns: i64) -> Self {
        for (at, id) in [(until_ns, 1), (until_ns + 10 * MS, 2)] {
            self.packets.push((at, Packet::echo(self.client(), self.server(), id == 2, 1, 1)));
        }
        self
    }

    fn client(&self) -> std::net::IpAddr {
        self.ends.0.parse::<std::net::SocketAddr>().unwrap().ip()
    }

    fn server(&self) -> std::net::IpAddr {
        self.ends.1.parse::<std::net::SocketAddr>().unwrap().ip()
    }

    fn read(&self) -> (Index, Evidence) {
        let mut writer = PcapWriter::new(Vec::new(), Variant::default(), 101).unwrap();
        for (at_ns, packet) in &self.packets {
            writer.packet(START_NS + at_ns, &packet.bytes()).unwrap();
        }
        let file: &'static [u8] = writer.finish().unwrap().leak();
        let (source, walk) = open_bytes("test", file).unwrap();
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
        let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
        (index, evidence)
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.read().1.transactions.iter().map(|transaction| transaction.outcome).collect()
    }
}

fn answer(id: u16) -> Vec<u8> {
    over_tcp(&dns::answer(id, "www.example.org", Data::A([192, 0, 2, 80].into())))
}

#[test]
fn a_server_that_closes_without_an_answer_is_not_silent() {
    for ends in [V4, V6] {
        let closed = Talk::asked(ends).back(10 * MS, FIN | ACK, b"").then_others(20 * SECOND);
        assert_eq!(closed.outcomes(), [Outcome::Closed]);
    }
}

#[test]
fn a_client_that_closes_its_side_with_the_question_waits_for_the_server() {
    let half = Talk::opened(V4)
        .out(3 * MS, FIN | ACK, &over_tcp(&dns::query(7, "www.example.org", dns::A)))
        .back(10 * MS, FIN | ACK, b"")
        .then_others(20 * SECOND);
    assert_eq!(half.outcomes(), [Outcome::Closed]);
}

#[test]
fn resets_are_told_apart_by_what_came_before() {
    let reset = |talk: Talk| talk.back(10 * MS, RST | ACK, b"").then_others(20 * SECOND).outcomes();
    assert_eq!(reset(Talk::asked(V4)), [Outcome::TcpReset]);
    let whole = answer(7);
    let (begun, _) = whole.split_at(20);
    assert_eq!(reset(Talk::asked(V4).back(6 * MS, ACK, begun)), [Outcome::ResetMidway]);
    let served = Talk::asked(V4).back(6 * MS, ACK, &whole).ask(7 * MS, 8);
    assert_eq!(reset(served), [Outcome::Answered, Outcome::ResetMidway]);
    // Data in the SYN (RFC 7413) that meets a closed port.
    let opened = Talk::new(V4).out(0, SYN, &over_tcp(&dns::query(7, "www.example.org", dns::A)));
    assert_eq!(reset(opened), [Outcome::RefusedByReset]);
}

#[test]
fn an_acknowledged_question_is_mute_once_the_client_gave_up_or_long_enough_passed() {
    let mute = [Outcome::Mute];
    let left = Talk::asked(V4).out(4 * SECOND, FIN | ACK, b"").back(4 * SECOND + MS, FIN | ACK, b"");
    assert_eq!(left.then_others(5 * SECOND).outcomes(), mute);
    assert_eq!(Talk::asked(V4).then_others(11 * SECOND).outcomes(), mute);
    let unacknowledged = Talk::opened(V4).ask(3 * MS, 7).then_others(11 * SECOND);
    assert_eq!(unacknowledged.outcomes(), [Outcome::NoAnswer]);
    let soon = Talk::asked(V4).out(SECOND, FIN | ACK, b"").back(SECOND + MS, FIN | ACK, b"");
    assert_ne!(soon.then_others(11 * SECOND).outcomes(), mute);
}

#[test]
fn a_connection_over_the_same_port_later_does_not_end_an_earlier_question() {
    let mut talk = Talk::asked(V4).back(10 * MS, ACK, &answer(7)).out(20 * MS, FIN | ACK, b"");
    talk.sent = (70_000, 80_000);
    let talk = talk.out(SECOND, SYN, b"").back(SECOND + MS, RST | ACK, b"").then_others(20 * SECOND);
    assert_eq!(talk.outcomes(), [Outcome::Answered]);
}

#[test]
fn closed_connections_are_found_and_explained_by_the_service() {
    let mut scene = Scene::default();
    for number in 0..4_i64 {
        let ends: (&'static str, &'static str) =
            (format!("192.0.2.10:{}", 41_000 + number).leak(), "198.51.100.53:53");
        let talk = Talk::opened(ends)
            .out(3 * MS, ACK, &over_tcp(&dns::query(number as u16, "www.example.org", dns::A)))
            .back(4 * MS, ACK, b"")
            .back(10 * MS, FIN | ACK, b"");
        for (at_ns, packet) in talk.packets {
            scene.put(number * 2 * SECOND + at_ns, packet);
        }
    }
    scene.lookup(20 * SECOND, MS, "192.0.2.10:50000", "198.51.100.54", 9, "www.example.net");
    let (found, assessments) = scene.examine();
    let finding = found.iter().find(|finding| finding.id == "tcp-unanswered").expect("it is found");
    assert!(finding.severity >= Severity::Medium, "{finding:?}");
    assert!(scene::leading(&assessments).contains("H26"));
}

/// A name that was resolved, two attempts at its address that meet silence, and another connection with `data` of the
/// server at these seconds.
fn site(data: &[i64]) -> Scene {
    let mut scene = Scene::default();
    scene.lookup(0, MS, "192.0.2.10:50000", "198.51.100.53", 9, "www.example.org");
    let mut talk = Talk::opened(("192.0.2.10:50001", "192.0.2.80:443"));
    for second in data {
        talk = talk.out(second * SECOND, ACK, b"ask").back(second * SECOND + MS, ACK, b"answer");
    }
    if !data.is_empty() {
        for (at_ns, packet) in talk.packets {
            scene.put(10 * MS + at_ns, packet);
        }
    }
    for port in [50_002, 50_003] {
        let segment = Segment { sequence: port, acknowledgment: 0, flags: SYN };
        for second in [2, 3, 5] {
            let packet = Packet::tcp(format!("192.0.2.10:{port}").as_str(), "192.0.2.80:443", segment, b"");
            scene.put(second * SECOND + i64::from(port), packet);
        }
    }
    scene.lookup(20 * SECOND, MS, "192.0.2.10:50004", "198.51.100.53", 10, "www.example.net");
    scene
}

#[test]
fn a_site_in_use_is_not_down() {
    let (found, assessments) = site(&[1, 4, 8]).examine();
    assert!(found.iter().all(|finding| finding.severity <= Severity::Low), "{found:?}");
    assert!(found.iter().any(|finding| finding.statement.contains("the service works")), "{found:?}");
    assert!(
        assessments.iter().all(|assessment| assessment.hypothesis("H20").is_none_or(|h| h.ledger.is_empty()))
    );
    for alone in [&[][..], &[12, 13]] {
        let (found, _) = site(alone).examine();
        assert!(
            found.iter().any(|finding| finding.id == "site-down" && finding.severity == Severity::High),
            "{found:?}"
        );
    }
}

/// Id, name, and whether it failed, of every question.
fn told((index, evidence): &(Index, Evidence)) -> Vec<(u16, String, u16)> {
    let told = evidence.transactions.iter().map(|transaction| {
        let row = transaction.question(index).expect("a question");
        let (segment, _) = index.locate(row.packet).expect("its segment");
        let name = portmortem::decode::dns::presentation(segment.names.get(row.name).unwrap_or_default());
        (row.header.id, name, transaction.response_code)
    });
    told.collect()
}

#[test]
fn questions_in_one_segment_keep_their_names_and_ids() {
    let ask = |id, name| over_tcp(&dns::query(id, name, dns::A));
    let both = [ask(1, "good.example.org"), ask(2, "bad.example.org")].concat();
    let answers = [
        over_tcp(&dns::failure(2, "bad.example.org", dns::A, 2)),
        over_tcp(&dns::answer(1, "good.example.org", Data::A([192, 0, 2, 80].into()))),
    ]
    .concat();
    let good = |id: u16| (id, "good.example.org.".to_owned(), 0);
    let bad = |id: u16| (id, "bad.example.org.".to_owned(), 2);
    for ends in [V4, V6] {
        let talk = Talk::opened(ends).out(3 * MS, ACK, &both).back(9 * MS, ACK, &answers);
        let read = talk.then_others(20 * SECOND).read();
        assert_eq!(told(&read), [good(1), bad(2)]);
        // The failure is told of the name that failed.
        assert!(read.1.episodes.iter().all(|episode| episode.name == "bad.example.org."));
        let summary = |packet: u32| read.0.packet(portmortem::index::PacketId(packet)).unwrap().summary();
        assert_eq!(summary(3), "A? good.example.org; A? bad.example.org");
        assert_eq!(summary(4), "SERVFAIL bad.example.org (A); A good.example.org → 192.0.2.80");
    }
    // Cut anywhere, also inside the length before a message.
    for cut in [1, 2, 10, 35, 36, 37, 50] {
        let (head, tail) = both.split_at(cut);
        let talk = Talk::opened(V4).out(3 * MS, ACK, head).out(4 * MS, ACK, tail).back(9 * MS, ACK, &answers);
        assert_eq!(told(&talk.then_others(20 * SECOND).read()), [good(1), bad(2)], "{cut}");
    }
}

#[test]
fn errors_about_datagrams_explain_no_silence_over_tcp() {
    let mut talk = Talk::opened(V4);
    let query = Packet::udp("192.0.2.10:40000", V4.1, &dns::query(7, "www.example.org", dns::A));
    // The same question over UDP, refused; then over TCP, where the capture ends.
    talk.packets.insert(0, (-20 * MS, query.clone()));
    talk.packets.insert(1, (-19 * MS, Packet::port_unreachable(&query)));
    let talk = talk.ask(3 * MS, 7);
    assert_eq!(talk.outcomes(), [Outcome::Refused, Outcome::Undetermined]);
}
