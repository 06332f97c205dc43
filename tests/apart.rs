//! Two captures of one exchange whose clocks are apart: the offset is measured and is no wait.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod bench;

use std::path::{Path, PathBuf};

use bench::Bench;

use portmortem::attempts::Attempts;
use portmortem::cli::load::{ClockOffset, Loaded, Open};
use portmortem::correlate::Outcome;
use portmortem::findings::{self, Finding};
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, PcapWriter, Segment, Variant, flags, link};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
const START_NS: i64 = 1_700_000_000 * SECOND;
const CLIENT: &str = "192.0.2.10";
const SERVER: &str = "198.51.100.53";
/// From one place to the other.
const WAY: i64 = 4 * MS;

fn write(path: &Path, mut packets: Vec<(i64, Packet)>) {
    packets.sort_by_key(|(at, _)| *at);
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = PcapWriter::new(file, Variant::default(), link::ETHERNET).expect("a header");
    for (at, packet) in packets {
        writer.packet(START_NS + at, &packet.ethernet()).expect("a packet");
    }
    writer.finish().expect("the end");
}

fn load(ahead: i64, offset: Vec<ClockOffset>) -> Loaded {
    let (_folder, files) = captures(ahead);
    Open { files, offset, ..Open::default() }.load().expect("two captures")
}

/// Twelve lookups at the client and at the server, whose clock is ahead; the answers of six of them do not come back.
fn captures(ahead: i64) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for number in 0..12_u16 {
        let at = i64::from(number) * 2 * SECOND;
        let (from, name) = (format!("{CLIENT}:{}", 40_000 + number), format!("h{number}.example"));
        let query =
            Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &dns::query(number, &name, dns::A));
        let message = dns::answer(number, &name, Data::A([192, 0, 2, 80].into()));
        let answer = Packet::udp(format!("{SERVER}:53").as_str(), from.as_str(), &message);
        let (query, answer) = (query.id(2 * number + 1), answer.id(2 * number + 2));
        near.push((at, query.clone()));
        far.push((at + WAY + ahead, query.ttl(62)));
        far.push((at + WAY + MS + ahead, answer.clone()));
        if !(3..9).contains(&number) {
            near.push((at + 2 * WAY + MS, answer.ttl(62)));
        }
    }
    let files = vec![folder.path().join("near.pcap"), folder.path().join("far.pcap")];
    write(&files[0], near);
    write(&files[1], far);
    (folder, files)
}

#[test]
fn clocks_that_are_apart_are_set_by_what_both_files_hold() {
    for ahead in [2_310 * MS, -90 * SECOND] {
        let loaded = load(ahead, Vec::new());
        let added = loaded.index.sources[1].offset_ns;
        assert!((added + ahead).abs() < MS, "{added}");
        let outcome =
            |outcome| loaded.evidence.transactions.iter().filter(|own| own.outcome == outcome).count();
        assert_eq!((outcome(Outcome::Answered), outcome(Outcome::NotReceived)), (6, 6));
        assert!(loaded.evidence.transactions.iter().all(|own| own.waited_ns < SECOND));
    }
}

#[test]
fn clocks_that_agree_and_what_the_user_says_are_left_alone() {
    assert_eq!(load(0, Vec::new()).index.sources[1].offset_ns, 0);
    let said = ClockOffset { label: "B".to_owned(), offset_ns: 0 };
    assert_eq!(load(2_310 * MS, vec![said]).index.sources[1].offset_ns, 0);
}

#[test]
fn the_screen_sets_clocks_as_the_commands_do() {
    let (_folder, files) = captures(-90 * SECOND);
    let inputs = Open { files, ..Open::default() }.inputs().expect("two captures");
    let bench = Bench::with(inputs, 160, 45);
    bench.shows("+90");
    let added = bench.state.index.sources[1].offset_ns;
    assert!((added - 90 * SECOND).abs() < MS, "{added}");
    // One lookup after the other, at the client and at the server.
    let first = bench.state.timeline.rows.get(&bench.state.index, 1).expect("a second row");
    assert_eq!(bench.state.number(first), "B#1");
}

#[test]
fn an_index_whose_clocks_were_set_is_as_if_read_with_the_offset() {
    let (_folder, files) = captures(2_310 * MS);
    let set = Open { files: files.clone(), ..Open::default() }.load().expect("two captures").index;
    let offset_ns = set.sources[1].offset_ns;
    let offset = vec![ClockOffset { label: "B".to_owned(), offset_ns }];
    let said = Open { files, offset, ..Open::default() }.load().expect("two captures").index;
    assert_eq!(set.order, said.order);
    for (one, other) in set.segments().iter().zip(said.segments()) {
        assert_eq!((&one.time_ns, one.span_ns, &one.flags), (&other.time_ns, other.span_ns, &other.flags));
    }
}

/// Two captures, without any clock being set.
fn both(near: Vec<(i64, Packet)>, far: Vec<(i64, Packet)>) -> Loaded {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = vec![folder.path().join("near.pcap"), folder.path().join("far.pcap")];
    write(&files[0], near);
    write(&files[1], far);
    Open { files, ..Open::default() }.load().expect("two captures")
}

#[test]
fn packets_without_an_id_are_known_again_in_a_file_whose_clock_is_a_little_off() {
    for ahead in [-15 * MS, 15 * MS, 0] {
        for far_hops in [1, 12] {
            let (mut near, mut far) = (Vec::new(), Vec::new());
            for number in 0..12_u16 {
                let at = i64::from(number) * SECOND;
                let (from, to) = (format!("{CLIENT}:{}", 40_000 + number), format!("{SERVER}:53"));
                let name = format!("h{number}.example");
                let query = Packet::udp(from.as_str(), to.as_str(), &dns::query(number, &name, dns::A)).id(0);
                let message = dns::answer(number, &name, Data::A([192, 0, 2, 80].into()));
                let answer = Packet::udp(to.as_str(), from.as_str(), &message).id(0);
                near.push((at, query.clone().ttl(64)));
                far.push((at + WAY + ahead, query.ttl(64 - far_hops)));
                far.push((at + WAY + MS + ahead, answer.clone().ttl(64)));
                near.push((at + 2 * WAY + MS, answer.ttl(64 - far_hops)));
            }
            let loaded = both(near, far);
            assert_eq!(loaded.evidence.transactions.len(), 12, "{ahead} {far_hops}");
            assert_eq!(loaded.evidence.duplicates().len(), 24, "{ahead} {far_hops}");
        }
    }
}

/// A connection of a client to a web server as one point sees it.
fn connection(at: i64, from: &str, ttl: u8, reply_ttl: u8, number: u32) -> Vec<(i64, Packet)> {
    let to = "198.51.100.80:80";
    let segment =
        |bits: u8, sequence: u32, acknowledgment: u32| Segment { flags: bits, sequence, acknowledgment };
    let (one, two) = (1000 * (number + 1), 700_000 + 1000 * number);
    let ask = b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n";
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    vec![
        (at, Packet::tcp(from, to, segment(flags::SYN, one, 0), b"").id(0).ttl(ttl)),
        (
            at + 10 * MS,
            Packet::tcp(to, from, segment(flags::SYN | flags::ACK, two, one + 1), b"").id(0).ttl(reply_ttl),
        ),
        (
            at + 20 * MS,
            Packet::tcp(from, to, segment(flags::ACK | flags::PSH, one + 1, two + 1), ask).id(0).ttl(ttl),
        ),
        (
            at + 30 * MS,
            Packet::tcp(
                to,
                from,
                segment(flags::ACK | flags::PSH, two + 1, one + 1 + ask.len() as u32),
                answer,
            )
            .id(0)
            .ttl(reply_ttl),
        ),
    ]
}

#[test]
fn what_a_translator_between_two_files_sends_on_is_counted_once() {
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for number in 0..10_u16 {
        let at = i64::from(number) * SECOND;
        let (inside, outside) =
            (format!("10.0.0.5:{}", 40_000 + number), format!("203.0.113.9:{}", 52_000 + number));
        let (to, name) = (format!("{SERVER}:53"), format!("h{number}.example"));
        let question = dns::query(number, &name, dns::A);
        let message = dns::answer(number, &name, Data::A([192, 0, 2, 80].into()));
        // The translator gives datagrams an id of its own.
        near.push((at, Packet::udp(inside.as_str(), to.as_str(), &question).id(2 * number + 7)));
        far.push((
            at + 15 * MS,
            Packet::udp(outside.as_str(), to.as_str(), &question).id(900 + number).ttl(63),
        ));
        far.push((at + 16 * MS, Packet::udp(to.as_str(), outside.as_str(), &message).id(0)));
        near.push((at + 31 * MS, Packet::udp(to.as_str(), inside.as_str(), &message).id(0).ttl(63)));
        near.extend(connection(at + 100 * MS, &inside, 64, 62, u32::from(number)));
        far.extend(connection(at + 105 * MS, &outside, 63, 63, u32::from(number)));
    }
    let loaded = both(near, far);
    assert_eq!(loaded.evidence.transactions.len(), 10);
    let attempts = Attempts::of(&loaded.evidence);
    let clients: Vec<String> = attempts.all.iter().map(|own| own.client.0.to_string()).collect();
    assert_eq!(clients, vec!["10.0.0.5"; 10], "a connection is the one inside");
}

/// What the rules find in two captures.
fn findings_of(loaded: &Loaded) -> Vec<Finding> {
    findings::run(&findings::Input { index: &loaded.index, evidence: &loaded.evidence }, &[])
}

/// Six lookups that pass both points, and then six of which only the near one sees the query, or the first packet of a connection.
fn stopped(refused: bool, over_tcp: bool, passing: u16) -> Vec<Finding> {
    let (mut near, mut far) = (Vec::new(), Vec::new());
    let to = format!("{SERVER}:53");
    for number in 0..passing {
        let at = i64::from(number) * SECOND;
        let (from, name) = (format!("{CLIENT}:{}", 40_000 + number), format!("h{number}.example"));
        let query =
            Packet::udp(from.as_str(), to.as_str(), &dns::query(number, &name, dns::A)).id(number + 1);
        let message = dns::answer(number, &name, Data::A([192, 0, 2, 80].into()));
        let answer = Packet::udp(to.as_str(), from.as_str(), &message).id(number + 101);
        near.extend([(at, query.clone()), (at + 9 * MS, answer.clone().ttl(62))]);
        far.extend([(at + WAY, query.ttl(62)), (at + WAY + MS, answer)]);
    }
    for number in 0..6_u16 {
        let at = (i64::from(number) * 4 + 20) * SECOND;
        let from = format!("{CLIENT}:{}", 41_000 + number);
        if over_tcp {
            let open =
                |ack| Segment { flags: flags::SYN, sequence: 77 + u32::from(number), acknowledgment: ack };
            near.push((at, Packet::tcp(from.as_str(), to.as_str(), open(0), b"").id(300 + number)));
            near.push((at + SECOND, Packet::tcp(from.as_str(), to.as_str(), open(0), b"").id(400 + number)));
            continue;
        }
        let question = dns::query(500 + number, "www.example", dns::A);
        let query = Packet::udp(from.as_str(), to.as_str(), &question).id(300 + number);
        if refused {
            near.push((at + 2 * MS, Packet::port_unreachable(&query)));
        }
        near.push((at, query));
    }
    far.push((60 * SECOND, Packet::udp("198.51.100.53:123", "198.51.100.7:123", &[0; 48])));
    near.push((60 * SECOND, Packet::udp("192.0.2.10:123", "192.0.2.7:123", &[0; 48])));
    findings_of(&both(near, far))
}

#[test]
fn failed_queries_and_connections_that_did_not_arrive_at_the_second_place_are_told() {
    for (refused, over_tcp, what, how) in [
        (false, false, "6 queries of unanswered questions", "lost or dropped between the two"),
        (true, false, "6 queries", "what refused them stands between the two"),
        (false, true, "6 TCP connection requests", "lost or dropped between the two"),
    ] {
        let found = stopped(refused, over_tcp, 6);
        let own = found.iter().find(|own| own.id == "not-sent-on").map(|own| own.statement.clone());
        let own = own.unwrap_or_else(|| panic!("{what}: {found:?}"));
        assert!(own.starts_with(&format!("{what} to {SERVER} were captured at one place only")), "{own}");
        assert!(own.ends_with(how), "{own}");
        // Where too little passes both points, what passes is not known.
        let found = stopped(refused, over_tcp, 2);
        assert!(found.iter().all(|own| own.id != "not-sent-on"), "{found:?}");
    }
}

#[test]
fn fragments_that_did_not_arrive_at_the_second_place_are_told() {
    let lost = |stops: bool| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = vec![folder.path().join("server.pcap"), folder.path().join("client.pcap")];
        let (mut there, mut here) = (Vec::new(), Vec::new());
        for number in 0..6_u16 {
            let at = i64::from(number) * SECOND;
            let (from, to) = (format!("{CLIENT}:{}", 40_000 + number), format!("{SERVER}:53"));
            let query = Packet::udp(from.as_str(), to.as_str(), &dns::query(number, "key.example", dns::TXT))
                .id(number + 1);
            here.push((at, query.bytes()));
            there.push((at + WAY, query.ttl(62).bytes()));
            let mut whole = dns::Message::response(number, "key.example", dns::TXT, dns::NO_ERROR).edns(4096);
            for _ in 0..10 {
                whole = whole.answer(Data::Txt("k".repeat(200)));
            }
            let answer = Packet::udp(to.as_str(), from.as_str(), &whole.bytes()).id(number + 101);
            let nearer = answer.clone().ttl(62).fragments(1480);
            there.extend(answer.fragments(1480).into_iter().map(|piece| (at + WAY + MS, piece)));
            here.extend(
                nearer.into_iter().take(if stops { 1 } else { 9 }).map(|piece| (at + 2 * WAY + MS, piece)),
            );
        }
        for (path, packets) in files.iter().zip([there, here]) {
            let file = std::fs::File::create(path).expect("a file");
            let mut writer = PcapWriter::new(file, Variant::default(), link::ETHERNET).expect("a header");
            for (at, bytes) in packets {
                let frame = link::ethernet([2; 6], [4; 6], &[], link::ether_type(&bytes), &bytes);
                writer.packet(START_NS + at, &frame).expect("a packet");
            }
            writer.finish().expect("the end");
        }
        let found = findings_of(&Open { files, ..Open::default() }.load().expect("two captures"));
        found.into_iter().find(|own| own.id == "lost-fragments").map(|own| (own.severity, own.statement))
    };
    let (severity, told) = lost(true).expect("a finding");
    assert!(
        told.starts_with(&format!("Of 6 fragmented packets from {SERVER} to {CLIENT} some fragments")),
        "{told}"
    );
    assert!(told.ends_with("did not arrive at the second"), "{told}");
    assert_eq!(severity, findings::Severity::Medium);
    assert_eq!(lost(false), None);
}
