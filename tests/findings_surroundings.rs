//! Findings and hypotheses from what surrounds a failure: loops, bursts, filters by port, printed lengths, bridges.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{Parameters, correlate};
use portmortem::findings::hypotheses::{Topic, Verdict};
use portmortem::findings::{self, Severity};
use portmortem::generate::dns::{self, Message};
use portmortem::generate::{Packet, flags};
use portmortem::index::{Input, Progress, build};
use scene::{MS, SECOND, SERVER, START_NS, Scene, client, expect, leading, weight};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_datagram_in_a_loop_is_one_query_and_no_storm_of_retries() {
    let mut scene = Scene::default();
    for round in 0..3_i64 {
        let from = format!("192.0.2.10:{}", 40_000 + round);
        let message = dns::query(round as u16, "www.example.org", dns::A);
        let packet = |ttl: u8| {
            Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &message)
                .id(700 + round as u16)
                .ttl(ttl)
        };
        let at = START_NS + round * 3 * SECOND;
        for pass in 0..30_u8 {
            scene.packets.push((at + i64::from(pass) * 400_000, packet(63 - 2 * pass).ethernet()));
        }
        let error = Packet::error_about(address("192.0.2.254"), 11, 0, &packet(1));
        scene.put(round * 3 * SECOND + 14 * MS, error);
    }
    let (found, assessments) = expect(scene, "H7");
    assert!(found.iter().all(|finding| finding.id != "retransmission-storm"), "{found:?}");
    assert_eq!(weight(&assessments, "H7", "L79"), Some(20));
}

#[test]
fn a_burst_whose_questions_are_all_answered_is_load_and_no_denial() {
    let mut scene = Scene::default();
    for second in 0..30 {
        scene.lookup(second * SECOND, 8 * MS, &client(second as usize), SERVER, 1, "www.example.org");
    }
    for number in 0..900_i64 {
        let at = 31 * SECOND + number * 2 * MS;
        scene.lookup(at, MS, &client(number as usize), SERVER, number as u16, "www.example.org");
    }
    let (found, assessments) = scene.examine();
    assert!(found.iter().any(|f| f.id == "query-surge" && f.severity == Severity::Medium), "{found:?}");
    let load = assessments[0].hypothesis("H9").unwrap();
    assert_eq!(load.verdict, Verdict::Consistent);
    assert!(assessments[0].attack.is_empty());
    let said: Vec<&str> = assessments[0].wording.iter().map(|sentence| sentence.text.as_str()).collect();
    assert!(said.iter().any(|text| text.contains("denial of service is not")), "{said:?}");
}

#[test]
fn a_capture_of_one_port_does_not_tell_silence_from_refusal() {
    let mut scene = Scene::default();
    for round in 0..4_i64 {
        let from = format!("192.0.2.10:{}", 40_000 + round);
        scene.query(round * 2 * SECOND, &from, SERVER, round as u16, "www.example.org", dns::A);
    }
    // The client asks elsewhere later on, which shows both directions.
    scene.lookup(20 * SECOND, 8 * MS, "192.0.2.10:41000", "203.0.113.9", 9, "mail.example.net");
    scene.lookup(21 * SECOND, 8 * MS, "192.0.2.10:41001", "203.0.113.9", 10, "mail.example.net");
    let (found, assessments) = scene.examine();
    let quality = found.iter().find(|f| f.id == "capture-quality").unwrap();
    assert!(quality.statement.contains("`port 53 or icmp or icmp6 or arp or"), "{}", quality.statement);
    assert_eq!(weight(&assessments, "H1", "L82"), Some(5));
    assert!(leading(&assessments).contains("H8"), "what is seen is silence");
    let quality = assessments[0].wording.iter().any(|sentence| sentence.text.contains("filter by port"));
    assert!(quality, "{:?}", assessments[0].wording);
}

#[test]
fn errors_in_the_servers_name_with_a_bridges_marks_leave_the_device_in_front_in_the_tie() {
    let mut scene = Scene::default();
    for round in 0..3_i64 {
        let at = round * 2 * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + round);
        let query = scene.query(at, &from, SERVER, round as u16, "www.example.org", dns::A);
        let error = Packet::port_unreachable(&query).traffic_class(0).dont_fragment().id(0).ttl(57);
        scene.packets.push((START_NS + at + 20 * MS, error.ethernet()));
        let tcp = format!("192.0.2.10:{}", 50_000 + round);
        scene.tcp(at + 500 * MS, &tcp, &format!("{SERVER}:80"), flags::SYN, b"");
        let answer = Packet::tcp(
            format!("{SERVER}:80").as_str(),
            tcp.as_str(),
            portmortem::generate::Segment { flags: flags::SYN | flags::ACK, ..Default::default() },
            b"",
        );
        scene.put(at + 520 * MS, answer.ttl(57));
    }
    let (_, assessments) = expect(scene, "H3");
    assert_eq!(weight(&assessments, "H1", "L69"), Some(-5));
    assert_eq!(weight(&assessments, "H3", "L14"), Some(0), "a bridge stands where the server stands");
}

#[test]
fn silence_for_a_name_that_also_gets_servfail_lies_behind_the_server() {
    let mut scene = Scene::default();
    for round in 0..4_i64 {
        let from = format!("192.0.2.10:{}", 40_000 + round);
        scene.lookup(round * 12 * SECOND, 9 * MS, &from, SERVER, 50 + round as u16, "www.example.net");
        let from = format!("192.0.2.10:{}", 42_000 + round);
        let at = round * 12 * SECOND + SECOND;
        scene.query(at, &from, SERVER, round as u16, "www.example.org", dns::A);
        if round == 3 {
            let failed = dns::failure(round as u16, "www.example.org", dns::A, dns::SERVER_FAILURE);
            scene.reply(at + 4 * MS, SERVER, &from, &failed);
        }
    }
    scene.lookup(60 * SECOND, 9 * MS, "192.0.2.10:44000", SERVER, 99, "www.example.net");
    let (_, assessments) = expect(scene, "H13");
    assert_eq!(weight(&assessments, "H13", "L80"), Some(10));
}

#[test]
fn two_questions_a_mute_server_never_answers_are_more_than_chance() {
    let mut scene = Scene::default();
    for round in 0..2_i64 {
        let from = format!("192.0.2.10:{}", 40_000 + round);
        scene.query(round * 4 * SECOND, &from, SERVER, round as u16, "www.example.org", dns::A);
    }
    scene.lookup(20 * SECOND, 8 * MS, "192.0.2.10:41000", "203.0.113.9", 9, "mail.example.net");
    scene.put(21 * SECOND, Packet::echo(address("203.0.113.9"), address("192.0.2.10"), true, 1, 1));
    let (found, _) = scene.examine();
    let silent = found.iter().find(|finding| finding.id == "unanswered-queries").unwrap();
    assert_eq!(silent.severity, Severity::High, "all it asked there, twice, and nobody else answered");
}

#[test]
fn a_truncated_answer_without_tcp_never_leaves_the_likely_issue_empty() {
    let mut scene = Scene::default();
    for round in 0..3_i64 {
        let at = round * 10 * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + round);
        scene.query(at, &from, SERVER, round as u16, "big.example.org", 16);
        let cut = Message::response(round as u16, "big.example.org", 16, dns::NO_ERROR).truncated().bytes();
        scene.reply(at + 8 * MS, SERVER, &from, &cut);
        let tcp = format!("192.0.2.10:{}", 50_000 + round);
        for again in 0..3 {
            scene.tcp(at + (10 + again * 1000) * MS, &tcp, &format!("{SERVER}:53"), flags::SYN, b"");
        }
    }
    let (_, assessments) = expect(scene, "H12");
    assert_eq!(leading(&assessments).first(), Some(&"H12"));
    assert!(assessments[0].wording.iter().any(|sentence| sentence.topic == Topic::Companion));
}

/// The record-quality codes of a printed log.
fn codes(log: &str) -> Vec<&'static str> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("log.txt");
    std::fs::write(&path, log).expect("a file");
    let (source, walk) = capture::open(&path).expect("a log");
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let input = findings::Input { index: &index, evidence: &evidence };
    findings::run(&input, &[]).iter().filter_map(|finding| finding.code).collect()
}

#[test]
fn what_tcpdump_really_prints_is_no_bad_record() {
    // Queries with a DNS cookie, and the errors about them.
    let cookies = "\
08:37:10.472118 IP 198.51.100.15.55237 > 203.0.113.2.53: 60877+ [1au] A? yummyrecipesforme.com. (62)
08:37:10.472189 IP 203.0.113.2 > 198.51.100.15: ICMP 203.0.113.2 udp port 53 unreachable, length 98
08:37:11.019687 IP 198.51.100.15.44161 > 203.0.113.2.53: 36128+ A? yummyrecipesforme.com. (39)
08:37:11.019735 IP 203.0.113.2 > 198.51.100.15: ICMP 203.0.113.2 udp port 53 unreachable, length 75
";
    assert_eq!(codes(cookies), Vec::<&str>::new());
    // Errors of the client about answers that came too late for it.
    let late = "\
09:01:40.263774 IP 198.51.100.15.40000 > 203.0.113.2.53: 7+ A? yummyrecipesforme.com. (39)
09:01:46.270000 IP 203.0.113.2.53 > 198.51.100.15.40000: 7 1/0/0 A 192.0.2.80 (55)
09:01:46.270040 IP 198.51.100.15 > 203.0.113.2: ICMP 198.51.100.15 udp port 40000 unreachable, length 91
";
    assert_eq!(codes(late), Vec::<&str>::new());
    // Lengths that no error about these queries can have.
    let invented = cookies.replace("length 98", "length 254");
    assert!(codes(&invented).contains(&"D2"));
}

#[test]
fn printed_link_address_requests_count_as_captured_ones_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("log.txt");
    let line = |second: u32, text: &str| format!("08:40:{second:02}.825089 {text}\n");
    let mut log = String::new();
    for second in 0..4 {
        let request = "ARP, Request who-has 198.51.100.99 tell 198.51.100.15, length 28";
        log.push_str(&line(10 + second, request));
    }
    log.push_str(&line(20, "ARP, Request who-has 198.51.100.1 tell 198.51.100.15, length 28"));
    log.push_str(&line(21, "ARP, Reply 198.51.100.1 is-at 00:00:5e:00:53:01, length 28"));
    std::fs::write(&path, log).expect("a file");
    let (source, walk) = capture::open(&path).expect("a log");
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let input = findings::Input { index: &index, evidence: &evidence };
    let found = findings::run(&input, &[]);
    let unanswered: Vec<&str> =
        found.iter().filter(|f| f.id == "arp-unanswered").map(|f| f.statement.as_str()).collect();
    assert_eq!(unanswered, ["4 requests for the link address of 198.51.100.99 got no reply"]);
}

#[test]
fn errors_about_queries_nobody_sent_are_stray_where_all_that_was_sent_got_answers() {
    let mut scene = Scene::default();
    for round in 0..20_i64 {
        let from = format!("192.0.2.10:{}", 42_000 + round);
        scene.lookup(round * 3 * SECOND, 20 * MS, &from, SERVER, round as u16, "www.example.org");
    }
    for number in 0..60_u16 {
        let from = format!("192.0.2.10:{}", 20_000 + number);
        let message = dns::query(0, "www.example.org", dns::A);
        let guessed = Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &message);
        // Eight bytes beyond the IP header, as far as a blind sender has to guess.
        let quote = &guessed.bytes()[..28];
        let error = Packet::error_quoting(address(SERVER), address("192.0.2.10"), 3, 3, quote).ttl(244);
        scene.put(30 * SECOND + i64::from(number) * 2 * MS, error);
    }
    let (found, assessments) = expect(scene, "H17");
    assert!(found.iter().any(|f| f.id == "stray-icmp" && f.severity == Severity::Medium), "{found:?}");
    assert_eq!(weight(&assessments, "H17", "L84"), Some(10));
    assert_eq!(assessments[0].hypothesis("H1").unwrap().verdict, Verdict::Unlikely);
}
