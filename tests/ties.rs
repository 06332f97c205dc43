//! Which packet an ICMP error is about, and how sure that is: what a path may change, and what it may not.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot start should stop there"
)]

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{AnomalyKind, Evidence, Level, LinkKind, Outcome, Parameters, Reason, correlate};
use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::{Packet, PcapWriter, Segment, Variant, flags, link};
use portmortem::index::{Index, Input, PacketId, Progress, build};

const START_NS: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
const CLIENT: &str = "192.0.2.10:40000";
const SERVER: &str = "198.51.100.53:53";
const ROUTER: &str = "192.0.2.1";
const NAME: &str = "www.shop.example";

fn examine_frames(frames: &[(i64, Vec<u8>)]) -> (Index, Evidence) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = PcapWriter::new(file.as_file(), Variant::default(), link::ETHERNET).unwrap();
    for (at_ns, bytes) in frames {
        writer.packet(START_NS + at_ns, bytes).unwrap();
    }
    let end = Packet::udp("192.0.2.99:123", "192.0.2.98:123", &[0; 48]).ethernet();
    writer.packet(START_NS + 90 * SECOND, &end).unwrap();
    writer.finish().unwrap();
    let (source, walk) = capture::open(file.path()).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

fn examine(frames: &[(i64, Packet)]) -> (Index, Evidence) {
    let frames: Vec<(i64, Vec<u8>)> = frames.iter().map(|(at, packet)| (*at, packet.ethernet())).collect();
    examine_frames(&frames)
}

/// What the first error is about, how sure that is, and why.
fn tie(frames: &[(i64, Packet)]) -> (Option<u32>, Level, Reason) {
    let (_, evidence) = examine(frames);
    first(&evidence)
}

fn first(evidence: &Evidence) -> (Option<u32>, Level, Reason) {
    let link = evidence.error_links().first().expect("an error has a link");
    (link.to.map(|to| to.0), link.level, link.reason)
}

fn query(id: u16, name: &str) -> Packet {
    Packet::udp(CLIENT, SERVER, &dns::query(id, name, dns::A))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Eight bytes beyond the IP header, as old stacks quote.
fn short(about: &Packet) -> Packet {
    let bytes = about.bytes();
    Packet::error_quoting(ip(ROUTER), about.source(), 3, 13, &bytes[..28])
}

fn full(about: &Packet) -> Packet {
    Packet::error_about(ip(ROUTER), 3, 13, about)
}

#[test]
fn another_ip_id_alone_does_not_part_a_quote_from_its_datagram() {
    let sent = query(8, NAME).id(44);
    let rewritten = query(8, NAME).id(900);
    let found = tie(&[(0, sent.clone()), (MS, full(&rewritten))]);
    assert_eq!(found, (Some(0), Level::Probable, Reason::BytesNotIpId));
    let found = tie(&[(0, sent.clone()), (MS, short(&rewritten))]);
    assert_eq!(found, (Some(0), Level::Probable, Reason::LengthNotIpId));
    let swapped = query(8, NAME).id(44_u16.swap_bytes());
    let found = tie(&[(0, sent.clone()), (MS, short(&swapped))]);
    assert_eq!(found, (Some(0), Level::Probable, Reason::IpIdSwapped));
    // Two of that length: it may be a third.
    let second = query(9, NAME).id(45);
    let found = tie(&[(0, sent.clone()), (MS, second), (2 * MS, short(&rewritten))]);
    assert_eq!(found, (None, Level::Orphan, Reason::NotCaptured));
    // Another length is another datagram.
    let other = query(8, "www.example").id(900);
    let found = tie(&[(0, sent), (MS, short(&other))]);
    assert_eq!(found, (None, Level::Orphan, Reason::NotCaptured));
}

#[test]
fn tcp_segments_are_told_apart_by_sequence_ip_id_and_length() {
    let segment = |sequence: u32, bits: u8, data: &[u8]| {
        let segment = Segment { sequence, flags: bits, ..Segment::default() };
        Packet::tcp("192.0.2.10:50000", "198.51.100.80:443", segment, data)
    };
    let sent = segment(1_000, flags::ACK, &[7; 100]).id(600);
    assert_eq!(
        tie(&[(0, sent.clone()), (MS, full(&sent))]),
        (Some(0), Level::Exact, Reason::IdentifierAndIpId)
    );
    assert_eq!(tie(&[(0, sent.clone()), (MS, short(&sent))]).1, Level::Exact);
    let next = segment(1_100, flags::ACK, &[7; 60]).id(601);
    for quote in [full(&next), short(&next)] {
        let found = tie(&[(0, sent.clone()), (MS, quote)]);
        assert_eq!(found, (None, Level::Orphan, Reason::NotCaptured));
    }
    let repeated = segment(1_000, flags::ACK, &[7; 100]).id(602);
    let found = tie(&[(0, sent.clone()), (MS, full(&repeated))]);
    assert_eq!(found, (Some(0), Level::Probable, Reason::BytesNotIpId));
    // What the network card cut up was captured in one piece.
    let large = segment(1_000, flags::ACK, &[7; 4_000]).id(600);
    let second = segment(2_400, flags::ACK, &[7; 1_400]).id(601);
    let found = tie(&[(0, large), (MS, full(&second))]);
    assert_eq!((found.0, found.1), (Some(0), Level::Exact));
    // Another attempt from the same port.
    let (one, other) = (segment(5, flags::SYN, &[]).id(1), segment(9, flags::SYN, &[]).id(2));
    assert_eq!(tie(&[(0, one), (MS, full(&other))]), (None, Level::Orphan, Reason::NotCaptured));
}

#[test]
fn an_echo_flow_is_addresses_and_identifier() {
    for (from, to, kind) in
        [("192.0.2.10", "198.51.100.7", (11, 0)), ("2001:db8::10", "2001:db8:9::7", (3, 0))]
    {
        let echo =
            |id: u16, sequence: u16| Packet::echo(ip(from), ip(to), false, id, sequence).id(sequence + 70);
        let reporter = if from.contains(':') { "2001:db8::1" } else { ROUTER };
        let error = |about: &Packet| Packet::error_about(ip(reporter), kind.0, kind.1, about);
        let frames = [(0, echo(1, 1)), (MS, echo(2, 1)), (2 * MS, echo(1, 2)), (3 * MS, error(&echo(2, 1)))];
        let found = tie(&frames);
        assert_eq!((found.0, found.1), (Some(1), Level::Exact), "{from}");
        let unseen = [(0, echo(1, 1)), (MS, echo(1, 2)), (2 * MS, error(&echo(1, 3)))];
        assert_eq!(tie(&unseen), (None, Level::Orphan, Reason::NotCaptured), "{from}");
        let stranger = [(5 * SECOND, echo(1, 1)), (6 * SECOND, error(&echo(7, 1)))];
        let found = tie(&stranger);
        assert_eq!((found.0, found.1), (None, Level::Orphan), "{from}");
        assert_ne!(found.2, Reason::NotCaptured, "another flow, {from}");
        // A NAT writes the checksum of what it translated back anew; it proves nothing.
        let mut quote = echo(1, 1).bytes();
        let at = if from.contains(':') { 42 } else { 22 };
        quote[at] ^= 0x5a;
        let error = Packet::error_quoting(ip(reporter), ip(from), kind.0, kind.1, &quote);
        assert_eq!(tie(&[(0, echo(1, 1)), (MS, error)]).1, Level::Exact, "{from}");
    }
}

#[test]
fn the_newest_of_several_that_fit_is_named_answered_or_not() {
    let asked = |id: u16| query(id, NAME);
    let answer =
        |id: u16| Packet::udp(SERVER, CLIENT, &dns::answer(id, NAME, Data::A([203, 0, 113, 80].into())));
    let frames = [
        (0, asked(1)),
        (SECOND, asked(2)),
        (SECOND + 5 * MS, answer(2)),
        (SECOND + 6 * MS, short(&asked(2))),
    ];
    assert_eq!(tie(&frames), (Some(1), Level::Probable, Reason::FlowOfSeveral));
}

#[test]
fn an_error_with_a_wrong_checksum_proves_nothing() {
    let sent = query(8, NAME).id(44);
    let mut frame = full(&sent).ethernet();
    frame[36] ^= 0xff;
    let (_, evidence) = examine_frames(&[(0, sent.ethernet()), (MS, frame)]);
    assert_eq!(first(&evidence), (Some(0), Level::Probable, Reason::ChecksumWrong));
}

#[test]
fn tags_and_extensions_change_nothing() {
    let sent = query(8, NAME).id(44);
    let mut quote = sent.bytes();
    quote.resize(128, 0);
    // Version 2, its checksum, and one object (RFC 4884 §7; RFC 5837).
    let mut extension = vec![0x20, 0, 0, 0, 0, 8, 2, 0, 0, 0, 0, 1];
    let sum =
        extension.chunks(2).fold(0_u32, |sum, pair| sum + (u32::from(pair[0]) << 8 | u32::from(pair[1])));
    let sum = !(sum as u16);
    extension[2..4].copy_from_slice(&sum.to_be_bytes());
    quote.extend(extension);
    let error = Packet::icmp(ip(ROUTER), ip("192.0.2.10"), 3, 13, [0, 32, 0, 0], &quote);
    let mac = |address: &str| link::mac_of(ip(address));
    let tagged = |packet: &Packet| packet.tagged(mac("192.0.2.10"), mac(ROUTER), &[12, 7]);
    let (_, evidence) = examine_frames(&[(0, tagged(&sent)), (MS, tagged(&error))]);
    assert_eq!(first(&evidence), (Some(0), Level::Exact, Reason::PayloadAndIpId));
}

#[test]
fn more_hops_in_the_quote_than_here_were_left_when_it_was_quoted_before_this_point() {
    let sent = query(8, NAME).id(44);
    let found = tie(&[(0, sent.clone().ttl(62)), (MS, full(&sent.ttl(64)))]);
    assert_eq!(found, (Some(0), Level::Probable, Reason::MoreHops));
}

#[test]
fn source_quench_fails_no_query() {
    let sent = query(8, NAME).id(44);
    let quench = Packet::error_about(ip(ROUTER), 4, 0, &sent);
    let (_, evidence) = examine(&[(0, sent), (MS, quench)]);
    assert_eq!(first(&evidence).1, Level::Exact);
    assert_eq!(evidence.transactions[0].error, None);
    assert_ne!(evidence.transactions[0].outcome, Outcome::Refused);
}

#[test]
fn a_flow_of_thousands_of_queries_is_searched_by_what_short_quotes_hold() {
    let mut frames = Vec::new();
    for number in 0..3_000_u16 {
        let asked = query(number, NAME).id(number + 1);
        frames.push((i64::from(number) * MS, asked));
    }
    let mut errors = Vec::new();
    for number in (0..3_000_u16).step_by(2) {
        let asked = query(number, NAME).id(number + 1);
        errors.push((3_001 * MS + i64::from(number) * 1_000, short(&asked)));
    }
    frames.extend(errors);
    let (index, evidence) = examine(&frames);
    assert_eq!(index.len(), 4_501);
    let about: Vec<Option<PacketId>> = evidence.error_links().iter().map(|link| link.to).collect();
    let right: Vec<Option<PacketId>> = (0..3_000).step_by(2).map(|number| Some(PacketId(number))).collect();
    assert_eq!(about, right);
}

#[test]
fn one_translated_quote_serves_the_short_quotes_of_the_same_nat() {
    let outside = |port: u16, id: u16, message: &[u8]| {
        Packet::udp(format!("203.0.113.1:{port}").as_str(), SERVER, message).id(id)
    };
    let (one, two) = (dns::query(8, NAME, dns::A), dns::query(9, "www.example", dns::A));
    let sent = [query(8, NAME).id(44), Packet::udp("192.0.2.10:40001", SERVER, &two).id(45)];
    let told = |quote: &[u8]| Packet::error_quoting(ip(ROUTER), ip("192.0.2.10"), 3, 13, quote);
    let taught = told(&outside(61_000, 44, &one).bytes());
    let short = told(&outside(61_001, 45, &two).bytes()[..28]);
    let [first_sent, second_sent] = sent;
    let frames = [(0, first_sent), (MS, taught), (2 * MS, second_sent.clone()), (3 * MS, short.clone())];
    let (_, evidence) = examine(&frames);
    let links = evidence.error_links();
    assert_eq!((links[0].to, links[0].level), (Some(PacketId(0)), Level::Nat));
    assert_eq!(
        (links[1].to, links[1].level, links[1].reason),
        (Some(PacketId(2)), Level::Probable, Reason::NatKnown)
    );
    assert_eq!(evidence.transactions[1].outcome, Outcome::Refused);
    // Nothing taught, nothing known.
    assert_eq!(tie(&[(0, second_sent), (MS, short)]).1, Level::Orphan);
}

#[test]
fn what_asks_nothing_is_no_query() {
    let datagram = |from: &str, to: &str, payload: &[u8]| Packet::udp(from, to, payload);
    let bare = [0_u8, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let refused = Message::bare_response(7, 1).bytes();
    let letters: Vec<u8> = (b'A'..=b'`').collect();
    let asked = dns::query(3, NAME, dns::A);
    let frames = [
        (0, datagram(CLIENT, SERVER, &bare)),
        (MS, datagram(SERVER, CLIENT, &refused)),
        (2 * MS, datagram("192.0.2.10:40002", SERVER, &letters)),
        (3 * MS, datagram("192.0.2.10:40003", SERVER, &asked)),
        (4 * MS, datagram(SERVER, "192.0.2.10:40003", &asked)),
    ];
    let (_, evidence) = examine(&frames);
    let asked: Vec<u32> = evidence.transactions.iter().map(|transaction| transaction.first.0).collect();
    assert_eq!(asked, [3], "neither a header, nor letters, nor a query sent back");
    assert_eq!(evidence.transactions[0].tries, 1);
    assert_eq!(evidence.transactions[0].outcome, Outcome::NoAnswer);
    let link = evidence.links_from(PacketId(1)).into_iter().next().expect("the error answers the header");
    assert_eq!((link.to, link.kind, link.level), (Some(PacketId(0)), LinkKind::AnswerTo, Level::Probable));
    assert_eq!(evidence.links_to(PacketId(0)).len(), 1);
    assert!(evidence.anomalies.iter().all(|anomaly| anomaly.kind != AnomalyKind::Unsolicited));
}

#[test]
fn whoever_answers_a_query_to_everybody_answers_it() {
    for to in ["255.255.255.255:53", "[ff02::fb]:53"] {
        let v6 = to.starts_with('[');
        let (from, server) =
            if v6 { ("[2001:db8::10]:4000", "[2001:db8::53]:53") } else { (CLIENT, "192.0.2.53:53") };
        let asked = Packet::udp(from, to, &dns::query(3, NAME, dns::A));
        let answer = dns::answer(3, NAME, Data::A([203, 0, 113, 80].into()));
        let answer = Packet::udp(server, from, &answer);
        let (_, evidence) = examine(&[(0, asked.clone()), (3 * MS, answer)]);
        let [transaction] = evidence.transactions.as_slice() else { panic!("one question") };
        assert_eq!((transaction.answer, transaction.outcome), (Some(PacketId(1)), Outcome::Answered), "{to}");
        assert_eq!(transaction.waited_ns, 3 * MS);
        assert!(evidence.anomalies.is_empty(), "{:?}", evidence.anomalies);
        let again = Packet::udp(from, to, &dns::query(3, NAME, dns::A));
        let (_, evidence) = examine(&[(0, asked), (2 * SECOND, again)]);
        assert_eq!(evidence.transactions[0].outcome, Outcome::Undetermined, "{to} is no server");
        assert!(evidence.problems.is_empty());
    }
    // The broadcast address of a subnet shows in the frame alone.
    let asked = Packet::udp(CLIENT, "192.0.2.255:53", &dns::query(3, NAME, dns::A));
    let frame = asked.ethernet_between(link::mac_of(ip("192.0.2.10")), [0xff; 6]);
    let (_, evidence) = examine_frames(&[(0, frame)]);
    assert_eq!(evidence.transactions[0].outcome, Outcome::Undetermined);
}

#[test]
fn queries_that_trace_a_path_are_no_failed_lookups() {
    for v6 in [false, true] {
        let (from, to) = if v6 { ("[2001:db8::10]:4000", "[2001:db8:9::53]:53") } else { (CLIENT, SERVER) };
        let kind = if v6 { (3, 0) } else { (11, 0) };
        let probe = |ttl: u8| Packet::udp(from, to, &dns::query(u16::from(ttl), NAME, dns::A)).ttl(ttl);
        let router = |ttl: u8| {
            let reporter = if v6 { format!("2001:db8:{ttl}::1") } else { format!("198.51.{ttl}.1") };
            Packet::error_about(ip(&reporter), kind.0, kind.1, &probe(ttl).ttl(1))
        };
        let mut frames = Vec::new();
        for ttl in 1..=3_u8 {
            frames.push((i64::from(ttl) * SECOND, probe(ttl)));
            if ttl != 2 {
                frames.push((i64::from(ttl) * SECOND + MS, router(ttl)));
            }
        }
        let (_, evidence) = examine(&frames);
        let outcomes: Vec<Outcome> =
            evidence.transactions.iter().map(|transaction| transaction.outcome).collect();
        assert_eq!(outcomes, [Outcome::Undetermined; 3], "answered by routers or not, v6 {v6}");
        assert!(evidence.problems.is_empty());
        // A host that gives all its packets few hops traces nothing.
        let lost = [(0, probe(3)), (MS, router(3))];
        let (_, evidence) = examine(&lost);
        assert_eq!(evidence.transactions[0].outcome, Outcome::Refused);
    }
}

#[test]
fn a_step_of_the_clock_is_no_duration() {
    let answer = Packet::udp(SERVER, CLIENT, &dns::answer(8, NAME, Data::A([203, 0, 113, 80].into())));
    let frames = [(20 * SECOND, query(8, NAME)), (10 * SECOND, answer)];
    let (_, evidence) = examine(&frames);
    let transaction = &evidence.transactions[0];
    assert_eq!((transaction.outcome, transaction.waited_ns), (Outcome::Answered, 0));
    assert_eq!((evidence.round_trip_ns(transaction), evidence.waited_ns(transaction)), (None, None));
    let error = full(&query(8, NAME));
    let (_, evidence) = examine(&[(20 * SECOND, query(8, NAME)), (10 * SECOND, error)]);
    let link = &evidence.error_links()[0];
    assert_eq!((link.to, link.delta_ns), (Some(PacketId(0)), 0));
}
