//! An all-clear is given only where everything was read, something was judged and nothing is open (truth T1, services §6).

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod scene;

use portmortem::attempts::{Kind, Outcome};
use portmortem::findings::coverage::{Coverage, OpenKind, Service, Standing};
use portmortem::findings::{Finding, Severity};
use portmortem::generate::{Arp, Packet, Segment, arp, flags};
use scene::{MS, SECOND, SERVER, START_NS, Scene};

const CLIENT: &str = "192.0.2.1:40000";
const SITE: &str = "198.51.100.7:443";

/// A client whose lookups are answered.
fn healthy() -> Scene {
    let mut scene = Scene::default();
    for number in 0..4 {
        let at_ns = i64::from(number) * SECOND;
        scene.lookup(at_ns, 9 * MS, "192.0.2.1:41000", SERVER, number, &format!("n{number}.example"));
    }
    scene
}

fn put(scene: &mut Scene, at_ns: i64, (from, to): (&str, &str), segment: Segment, payload: &[u8]) {
    scene.put(at_ns, Packet::tcp(from, to, segment, payload));
}

fn segment(flags: u8, sequence: u32, acknowledgment: u32) -> Segment {
    Segment { flags, sequence, acknowledgment }
}

/// A connection that is opened; what follows is numbered from 101 (client) and 501 (server).
fn opened(scene: &mut Scene, at_ns: i64, client: &str) {
    put(scene, at_ns, (client, SITE), segment(flags::SYN, 100, 0), b"");
    put(scene, at_ns + 9 * MS, (SITE, client), segment(flags::SYN | flags::ACK, 500, 101), b"");
    put(scene, at_ns + 10 * MS, (client, SITE), segment(flags::ACK, 101, 501), b"");
}

const DATA: u8 = flags::PSH | flags::ACK;

fn open_kinds(coverage: &Coverage) -> Vec<OpenKind> {
    coverage.of(Standing::Open).map(|item| item.kind).collect()
}

/// What is open in a capture with this beside lookups that were answered; the words name DNS all the same.
#[track_caller]
fn beside(add: impl FnOnce(&mut Scene)) -> (Vec<OpenKind>, Vec<Finding>) {
    let mut scene = healthy();
    add(&mut scene);
    let examined = scene.review();
    let coverage = &examined.coverage;
    let kinds = open_kinds(coverage);
    if !kinds.is_empty() {
        let (title, text) = (coverage.title(), coverage.sentences().join(" "));
        assert!(!coverage.is_clear() && !title.starts_with("No failure"), "{title}");
        assert!(
            text.contains("Seen, not assessed: ") && text.contains("No failure among DNS (4 of 4 answered)"),
            "{text}"
        );
    }
    (kinds, examined.findings)
}

#[test]
fn what_was_served_is_said_with_numbers() {
    let mut scene = healthy();
    opened(&mut scene, SECOND, CLIENT);
    put(&mut scene, 2 * SECOND, (CLIENT, SITE), segment(DATA, 101, 501), b"GET");
    put(&mut scene, 2 * SECOND + MS, (SITE, CLIENT), segment(DATA, 501, 104), b"HTTP/1.1 200 OK\r\n");
    let coverage = scene.review().coverage;
    assert!(coverage.is_clear(), "{:?}", coverage.not_assessed);
    assert_eq!(coverage.title(), "No failure among DNS, TCP port 443");
    let text = coverage.sentences().join(" ");
    assert!(text.contains("DNS (4 of 4 answered), TCP port 443 (1 of 1 answered)"), "{text}");
    assert_eq!(
        Coverage::default().title(),
        "No exchange in it is of a kind that is followed, so nothing was judged"
    );
}

/// The statement of the only finding of a rule.
fn told(found: &[Finding], rule: &str) -> (Severity, String) {
    let own: Vec<&Finding> = found.iter().filter(|finding| finding.id == rule).collect();
    assert_eq!(own.len(), 1, "{found:?}");
    (own[0].severity, own[0].statement.clone())
}

#[test]
fn a_request_over_tcp_without_answer_is_told() {
    let (open, found) = beside(|scene| {
        opened(scene, 0, CLIENT);
        put(scene, 20 * MS, (CLIENT, SITE), segment(DATA, 101, 501), b"GET / HTTP/1.1\r\n");
        put(scene, 30 * MS, (SITE, CLIENT), segment(flags::ACK, 501, 117), b"");
        put(scene, 6 * SECOND, (CLIENT, SITE), segment(flags::FIN | flags::ACK, 117, 501), b"");
    });
    assert_eq!(open, []);
    let (severity, statement) = told(&found, "service-failures");
    assert!(severity == Severity::Low && statement.contains("never answered"), "{statement}");
}

#[test]
fn one_reset_after_the_request_is_open_and_one_refusal_before_success_is_not() {
    let (open, _) = beside(|scene| {
        opened(scene, 0, CLIENT);
        put(scene, 20 * MS, (CLIENT, SITE), segment(DATA, 101, 501), b"GET / HTTP/1.1\r\n");
        put(scene, 30 * MS, (SITE, CLIENT), segment(flags::RST | flags::ACK, 501, 117), b"");
    });
    assert_eq!(open, [OpenKind::Few(Kind::Http, Outcome::Reset)]);
    let refused = |scene: &mut Scene| {
        put(scene, 0, ("192.0.2.1:40001", SITE), segment(flags::SYN, 100, 0), b"");
        put(scene, 9 * MS, (SITE, "192.0.2.1:40001"), segment(flags::RST | flags::ACK, 0, 101), b"");
    };
    let (open, found) = beside(refused);
    assert_eq!(open, []);
    assert_eq!(told(&found, "tcp-failures").0, Severity::Low);
    let (open, found) = beside(|scene| {
        refused(scene);
        opened(scene, SECOND, CLIENT);
        put(scene, SECOND + 20 * MS, (CLIENT, SITE), segment(DATA, 101, 501), b"GET");
        put(scene, SECOND + 30 * MS, (SITE, CLIENT), segment(DATA, 501, 104), b"HTTP/1.1 200 OK\r\n");
    });
    assert_eq!(open, []);
    assert!(found.iter().all(|finding| finding.id != "tcp-failures"), "{found:?}");
}

#[test]
fn data_that_is_never_acknowledged_is_a_failure_of_its_own() {
    let (open, found) = beside(|scene| {
        opened(scene, 0, CLIENT);
        put(scene, 20 * MS, (CLIENT, SITE), segment(DATA, 101, 501), b"ask");
        put(scene, 30 * MS, (SITE, CLIENT), segment(DATA, 501, 104), b"answer");
        for again in 0..4 {
            put(scene, (1 + again) * SECOND, (CLIENT, SITE), segment(DATA, 104, 507), b"more");
        }
    });
    assert_eq!(open, []);
    let (_, statement) = told(&found, "service-failures");
    assert!(statement.contains("never acknowledged"), "{statement}");
}

#[test]
fn alerts_and_failed_requests_in_clear_are_told() {
    let answered_with = |ask: &'static [u8], answer: &'static [u8]| {
        let (_, found) = beside(move |scene| {
            opened(scene, 0, CLIENT);
            put(scene, 20 * MS, (CLIENT, SITE), segment(DATA, 101, 501), ask);
            put(scene, 30 * MS, (SITE, CLIENT), segment(DATA, 501, 101 + ask.len() as u32), answer);
        });
        found.iter().find(|finding| finding.id == "service-failures").map(|finding| finding.statement.clone())
    };
    let (hello, get) = (&[22, 3, 1, 0, 1, 1], b"GET / HTTP/1.1\r\n");
    let alert = answered_with(hello, &[21, 3, 3, 0, 2, 2, 112]);
    assert!(alert.is_some_and(|statement| {
        statement.contains("by the server with the fatal TLS alert unrecognized_name (112)")
    }));
    let status = answered_with(get, b"HTTP/1.1 503 Service Unavailable\r\n");
    assert!(status.is_some_and(|statement| statement.contains("answered with 503")));
    assert_eq!(answered_with(get, b"HTTP/1.1 404 Not Found\r\n"), None);
    assert_eq!(answered_with(hello, &[21, 3, 3, 0, 2, 1, 0]), None);
}

#[test]
fn requests_over_udp_without_answer_are_told_and_lone_lost_ones_are_not() {
    let clock = |scene: &mut Scene, at_ns: i64, answered: bool| {
        let mut ask = [0x23; 48];
        ask[47] = (at_ns / SECOND) as u8;
        scene.put(at_ns, Packet::udp("192.0.2.1:50000", "198.51.100.9:123", &ask));
        if answered {
            let mut answer = [0x24; 48];
            answer[24..32].copy_from_slice(&ask[40..48]);
            scene.put(at_ns + MS, Packet::udp("198.51.100.9:123", "192.0.2.1:50000", &answer));
        }
    };
    let (open, found) = beside(|scene| (0..3).for_each(|at| clock(scene, at * SECOND, false)));
    assert_eq!(open, []);
    assert!(told(&found, "datagrams-refused").1.contains("time (NTP) (UDP port 123)"));
    let (_, found) = beside(|scene| (0..3).for_each(|at| clock(scene, at * SECOND, at != 2)));
    assert!(found.iter().all(|finding| finding.id != "datagrams-refused"), "one poll may be lost: {found:?}");
}

#[test]
fn a_server_that_never_answers_is_not_cleared_by_one_that_does() {
    let poll = |scene: &mut Scene, at_ns: i64, server: &str, is_answered: bool| {
        let mut ask = [0x23; 48];
        ask[40..].copy_from_slice(&(at_ns as u64 + 1).to_be_bytes());
        scene.put(at_ns, Packet::udp("192.0.2.1:123", server, &ask));
        if is_answered {
            let mut answer = [0; 48];
            (answer[0], answer[1]) = (0x24, 2);
            answer[24..32].copy_from_slice(&ask[40..]);
            scene.put(at_ns + MS, Packet::udp(server, "192.0.2.1:123", &answer));
        }
    };
    let told = |answered: &dyn Fn(i64) -> bool| {
        let mut scene = Scene::default();
        for round in 0..3 {
            let at_ns = round * 300 * MS;
            poll(&mut scene, at_ns, "198.51.100.11:123", true);
            poll(&mut scene, at_ns + 10 * MS, "198.51.100.12:123", answered(round));
        }
        poll(&mut scene, 1_800 * MS, "198.51.100.11:123", true);
        let coverage = scene.review().coverage;
        (coverage.is_clear(), coverage.sentences().join(" "))
    };
    let (is_clear, words) = told(&|_| false);
    assert!(!is_clear && !words.contains("No failure among"), "{words}");
    assert!(words.contains("198.51.100.12 port 123"), "{words}");
    // Single polls are lost in health.
    assert!(told(&|round| round != 1).0);
    assert!(told(&|_| true).0);
}

#[test]
fn refused_datagrams_are_told_by_how_many_there_are() {
    let refused = |scene: &mut Scene, count: i64| {
        for at in 0..count {
            let client = format!("192.0.2.1:{}", 51_000 + at);
            let asked = scene.put(at * SECOND, Packet::udp(client.as_str(), SITE, &[0xc3; 60]));
            scene.put(at * SECOND + 9 * MS, Packet::port_unreachable(&asked));
        }
    };
    let (open, found) = beside(|scene| refused(scene, 3));
    assert_eq!(open, []);
    let (severity, statement) = told(&found, "datagrams-refused");
    assert!(severity == Severity::High && statement.contains("QUIC (UDP port 443)"), "{statement}");
    let (open, found) = beside(|scene| refused(scene, 1));
    assert_eq!(open, []);
    assert_eq!(told(&found, "datagrams-refused").0, Severity::Low);
}

#[test]
fn a_path_size_that_the_sender_takes_over_is_ordinary_and_one_it_ignores_is_a_finding() {
    let router = "203.0.113.1".parse().expect("an address");
    let told = |scene: &mut Scene, step_ns: i64| {
        for at in 0..4 {
            let sent =
                scene.put(at * step_ns, Packet::tcp(CLIENT, SITE, segment(DATA, 101, 501), &[7; 1400]));
            scene.put(at * step_ns + 5 * MS, Packet::error_about(router, 3, 4, &sent));
        }
    };
    let mut scene = healthy();
    told(&mut scene, MS);
    let examined = scene.review();
    assert!(examined.coverage.of(Standing::Ordinary).any(|item| item.kind == OpenKind::PathSize));
    assert_eq!(open_kinds(&examined.coverage), []);
    let (_, found) = beside(|scene| told(scene, SECOND));
    assert!(
        found.iter().any(|finding| finding.id == "path-size-ignored" && finding.severity == Severity::Medium)
    );
}

#[test]
fn link_addresses_that_nobody_answers_for_are_open() {
    let mac = [2, 0, 0, 0, 0, 9];
    let mut scene = Scene::default();
    for at in 0..4 {
        let ask = Arp {
            operation: 1,
            sender_mac: mac,
            sender: [192, 0, 2, 10].into(),
            target_mac: [0; 6],
            target: [192, 0, 2, 1].into(),
        };
        scene.packets.push((START_NS + at * SECOND, arp(&ask)));
    }
    let coverage = scene.review().coverage;
    assert_eq!(open_kinds(&coverage), [OpenKind::Neighbour]);
    assert!(coverage.title().contains("4 requests for a link address for 192.0.2.1"), "{}", coverage.title());
}

#[test]
fn packets_that_could_not_be_read_come_first() {
    let mut scene = healthy();
    scene.snap = 50;
    let coverage = scene.review().coverage;
    let text = coverage.sentences().join(" ");
    assert!(text.starts_with("0 of 8 packets could be read ("), "{text}");
    assert!(!coverage.is_clear() && coverage.judged.iter().all(|judged| judged.service != Service::Dns));
}

#[test]
fn link_addresses_that_nobody_has_and_those_that_moved_are_named_as_ordinary() {
    let mut scene = healthy();
    let (host, one, two) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 7], [2, 0, 0, 0, 0, 8]);
    let say = |operation, link, from: [u8; 4], to: [u8; 4]| {
        arp(&Arp { operation, sender_mac: link, sender: from.into(), target_mac: [0; 6], target: to.into() })
    };
    for (at, link) in [(1, one), (3, two), (5, two)] {
        scene.packets.push((START_NS + at * SECOND, say(1, host, [192, 0, 2, 1], [192, 0, 2, 7])));
        scene.packets.push((START_NS + at * SECOND + MS, say(2, link, [192, 0, 2, 7], [192, 0, 2, 1])));
    }
    scene.packets.push((START_NS + 4 * SECOND, say(1, host, [192, 0, 2, 1], [192, 0, 2, 99])));
    let examined = scene.review();
    let ordinary: Vec<(OpenKind, u64)> =
        examined.coverage.of(Standing::Ordinary).map(|item| (item.kind, item.count)).collect();
    assert_eq!(ordinary, [(OpenKind::Unused, 1), (OpenKind::Moved, 1)]);
    assert!(examined.coverage.is_clear(), "{:?}", examined.coverage);
}

#[test]
fn many_of_one_ending_are_not_called_single() {
    let cut = |number: u16| {
        let (kinds, _) = beside(|scene| {
            for own in 0..8 {
                let client = format!("192.0.2.1:{}", 42_000 + own);
                let site = "198.51.100.7:5140";
                let at_ns = i64::from(own) * SECOND;
                put(scene, at_ns, (&client, site), segment(flags::SYN, 100, 0), b"");
                put(scene, at_ns + MS, (site, &client), segment(flags::SYN | flags::ACK, 500, 101), b"");
                put(scene, at_ns + 2 * MS, (&client, site), segment(DATA, 101, 501), b"one");
                let end = if own < number { flags::RST | flags::ACK } else { DATA };
                put(
                    scene,
                    at_ns + 3 * MS,
                    (site, &client),
                    segment(end, 501, 104),
                    if own < number { b"" } else { b"two" },
                );
            }
        });
        kinds
    };
    assert_eq!(cut(2), []);
    assert_eq!(cut(6), [OpenKind::Few(Kind::Tcp, Outcome::Reset)]);
}
