//! Answers that pass the capture point are not taken for answers that arrived (truth T11 to T13, services §3).

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod scene;

use std::sync::atomic::AtomicBool;

use portmortem::capture::open;
use portmortem::correlate::{Evidence, Lost, Outcome, Parameters, correlate};
use portmortem::findings::{self, Severity};
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, PcapWriter, Variant, link};
use portmortem::index::{Index, Input, Progress, build};
use scene::{MS, SECOND, SERVER, START_NS, Scene};

type Frames = Vec<(i64, Packet)>;

const CLIENT: &str = "192.0.2.1";

/// Examines captures that were taken at the same time.
fn examine(captures: &[Frames]) -> (Index, Evidence) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inputs = captures.iter().enumerate().map(|(at, frames)| {
        let path = folder.path().join(format!("{at}.pcap"));
        let file = std::fs::File::create(&path).expect("a file");
        let mut writer = PcapWriter::new(file, Variant::default(), link::ETHERNET).expect("a header");
        for (at_ns, packet) in frames {
            writer.packet(START_NS + at_ns, &packet.ethernet()).expect("a packet");
        }
        writer.finish().expect("the end");
        let (source, walk) = open(&path).expect("a capture");
        Input { source, walk, offset_ns: 0 }
    });
    let index = build(inputs.collect(), 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

fn outcomes(evidence: &Evidence) -> Vec<Outcome> {
    evidence.transactions.iter().map(|transaction| transaction.outcome).collect()
}

fn query(id: u16, ttl: u8) -> Packet {
    let port = 40_000 + id;
    let from = format!("{CLIENT}:{port}");
    let message = dns::query(id, &format!("n{id}.example"), dns::A);
    Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &message).id(100 + id).ttl(ttl)
}

fn answer(id: u16, ttl: u8) -> Packet {
    let port = 40_000 + id;
    let message = dns::answer(id, &format!("n{id}.example"), Data::A([192, 0, 2, 80].into()));
    Packet::udp(format!("{SERVER}:53").as_str(), format!("{CLIENT}:{port}").as_str(), &message)
        .id(900 + id)
        .ttl(ttl)
}

/// Questions as the server's side sees them: the client is a hop away; `again_ns` after each answer the client asks again.
fn at_server(again_ns: Option<i64>, ttl: u8) -> Frames {
    let mut frames = Frames::new();
    for id in 0..4u16 {
        let at_ns = i64::from(id) * 10 * SECOND;
        frames.push((at_ns, query(id, ttl)));
        frames.push((at_ns + MS, answer(id, 64)));
        if let Some(again_ns) = again_ns {
            frames.push((at_ns + MS + again_ns, query(id, ttl).id(500 + id)));
            frames.push((at_ns + 2 * MS + again_ns, answer(id, 64).id(700 + id)));
        }
    }
    frames.push((60 * SECOND, query(9, ttl)));
    frames.push((60 * SECOND + MS, answer(9, 64)));
    frames
}

#[test]
fn a_question_asked_again_after_its_answer_shows_that_the_answer_did_not_arrive() {
    let (index, evidence) = examine(&[at_server(Some(2 * SECOND), 63)]);
    let lost = outcomes(&evidence).into_iter().filter(|outcome| *outcome == Outcome::NotReceived).count();
    assert_eq!(lost, 4, "{:?}", outcomes(&evidence));
    assert!(matches!(evidence.lost(portmortem::correlate::TransactionId(0)), Some(Lost::AskedAgain(_))));
    let found = findings::run(&findings::Input { index: &index, evidence: &evidence }, &[]);
    let finding = found.iter().find(|finding| finding.id == "answers-not-received").expect("a finding");
    assert!(
        finding.severity > Severity::Info && finding.statement.contains("asked again after 4 answers"),
        "{finding:?}"
    );
}

#[test]
fn a_repeat_sooner_than_the_answer_could_arrive_shows_nothing() {
    assert!(outcomes(&examine(&[at_server(Some(150 * MS), 63)]).1).iter().all(|o| *o == Outcome::Answered));
    assert!(outcomes(&examine(&[at_server(None, 63)]).1).iter().all(|o| *o == Outcome::Answered));
}

#[test]
fn at_the_client_only_a_row_of_repeats_shows_that_its_host_takes_no_answers() {
    // At the client itself its queries carry the initial TTL.
    let row = examine(&[at_server(Some(2 * SECOND), 64)]).1;
    assert!(matches!(row.lost(portmortem::correlate::TransactionId(0)), Some(Lost::Ignored(_))));
    let mut few = at_server(Some(2 * SECOND), 64);
    few.retain(|(at_ns, _)| *at_ns < 15 * SECOND || *at_ns >= 50 * SECOND);
    assert!(outcomes(&examine(&[few]).1).iter().all(|outcome| *outcome == Outcome::Answered));
}

#[test]
fn a_pair_that_is_repeated_for_its_other_half_says_nothing_about_the_first() {
    let other = |id: u16| {
        let message = dns::query(id + 50, &format!("n{id}.example"), dns::AAAA);
        Packet::udp(format!("{CLIENT}:{}", 40_000 + id).as_str(), format!("{SERVER}:53").as_str(), &message)
            .ttl(63)
    };
    // Both at once, or the second once the first is answered.
    for after_ns in [MS / 2, 50 * MS] {
        let mut frames = at_server(Some(2 * SECOND), 63);
        for id in 0..4u16 {
            frames.push((i64::from(id) * 10 * SECOND + after_ns, other(id)));
        }
        frames.sort_by_key(|(at_ns, _)| *at_ns);
        let (_, evidence) = examine(&[frames]);
        assert!(
            outcomes(&evidence).iter().all(|outcome| *outcome != Outcome::NotReceived),
            "{after_ns}: {:?}",
            outcomes(&evidence)
        );
    }
}

#[test]
fn an_error_of_a_device_on_the_way_about_the_answer_is_a_failure_and_one_of_the_client_is_not() {
    let with_errors = |sender: &str, code: u8| {
        let mut frames = at_server(None, 63);
        let sender = sender.parse().expect("an address");
        for id in 0..4u16 {
            let about = answer(id, 64);
            frames.push((i64::from(id) * 10 * SECOND + 2 * MS, Packet::error_about(sender, 3, code, &about)));
        }
        frames.sort_by_key(|(at_ns, _)| *at_ns);
        frames
    };
    let (index, evidence) = examine(&[with_errors("198.51.100.1", 13)]);
    assert_eq!(outcomes(&evidence).iter().filter(|outcome| **outcome == Outcome::NotReceived).count(), 4);
    let found = findings::run(&findings::Input { index: &index, evidence: &evidence }, &[]);
    let says = |finding: &findings::Finding| {
        finding.statement.contains("198.51.100.1 reported 4 of them as administratively prohibited")
    };
    assert!(found.iter().any(says), "{found:?}");
    let (_, evidence) = examine(&[with_errors(CLIENT, 3)]);
    assert!(outcomes(&evidence).iter().all(|outcome| *outcome == Outcome::Answered));
}

#[test]
fn the_capture_of_the_server_does_not_erase_what_the_client_missed() {
    let (mut client, mut server) = (Frames::new(), Frames::new());
    for id in 0..6u16 {
        let at_ns = i64::from(id) * 2 * SECOND;
        client.push((at_ns, query(id, 64)));
        server.push((at_ns + MS, query(id, 63)));
        server.push((at_ns + 2 * MS, answer(id, 64)));
        // The first two answers arrive.
        if id < 2 {
            client.push((at_ns + 3 * MS, answer(id, 63)));
        }
    }
    for (at, frames) in [(20, &mut client), (21, &mut server)] {
        frames.push((at * SECOND, query(8, 64)));
    }
    let (_, evidence) = examine(&[client, server]);
    let lost: Vec<bool> =
        outcomes(&evidence).iter().map(|outcome| *outcome == Outcome::NotReceived).collect();
    assert_eq!(
        lost.get(..6),
        Some([false, false, true, true, true, true].as_slice()),
        "{:?}",
        outcomes(&evidence)
    );
}

/// What a router sees of a question: before and behind it, in and out.
fn through(frames: &mut Frames, at_ns: i64, id: u16, (asked, told): (bool, bool)) {
    frames.push((at_ns, query(id, 64)));
    if asked {
        frames.push((at_ns + MS / 100, query(id, 63)));
        frames.push((at_ns + MS, answer(id, 64)));
    }
    if told {
        frames.push((at_ns + MS + MS / 100, answer(id, 63)));
    }
}

#[test]
fn what_comes_into_a_router_and_does_not_leave_it_stops_there() {
    let mut frames = Frames::new();
    for id in 0..10u16 {
        let gone = if id < 4 { (true, true) } else { (false, false) };
        through(&mut frames, i64::from(id) * 2 * SECOND, id, gone);
        if id >= 4 {
            frames.push((i64::from(id) * 2 * SECOND + SECOND, query(id, 64).id(600 + id)));
        }
    }
    frames.push((60 * SECOND, query(20, 64)));
    let (index, evidence) = examine(&[frames]);
    let found = findings::run(&findings::Input { index: &index, evidence: &evidence }, &[]);
    assert!(found.iter().any(|finding| finding.id == "not-sent-on"), "{found:?}");
    let mut frames = Frames::new();
    for id in 0..8u16 {
        through(&mut frames, i64::from(id) * 2 * SECOND, id, (true, id < 4));
    }
    let (_, evidence) = examine(&[frames]);
    let lost = outcomes(&evidence).into_iter().filter(|outcome| *outcome == Outcome::NotReceived).count();
    assert_eq!(lost, 4, "{:?}", outcomes(&evidence));
}

#[test]
fn a_client_behind_a_router_that_refuses_an_answer_may_have_had_another_one() {
    let mut scene = Scene::default();
    let server = "198.51.100.53:53";
    for number in 0..12u16 {
        let (at, from) =
            (i64::from(number) * SECOND, format!("192.0.2.{}:{}", 10 + number % 3, 40_000 + number));
        let name = format!("www{number}.example.org");
        let query = dns::query(number, &name, dns::A);
        scene.put(at, Packet::udp(from.as_str(), server, &query).ttl(63));
        let answer = dns::answer(number, &name, dns::Data::A([192, 0, 2, 80].into()));
        let answer = scene.put(at + 20 * MS, Packet::udp(server, from.as_str(), &answer));
        if number % 2 == 0 {
            scene.put(at + 20 * MS + MS / 5, Packet::port_unreachable(&answer).ttl(63));
        }
    }
    let (found, assessments) = scene.examine();
    assert!(assessments.is_empty(), "{found:?}");
}
