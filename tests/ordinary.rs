//! What healthy clients and servers do that looks like failure, and what only seems to have helped.

#![expect(
    clippy::indexing_slicing,
    clippy::too_many_arguments,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, Segment, flags};
use scene::{MS, SECOND, SERVER, Scene};

const CLIENT: &str = "192.0.2.10";

/// Opcode, as the header's flag word has it.
const NOTIFY: u16 = 4 << 11;
const UPDATE: u16 = 5 << 11;
/// QR, AA, RD and RA (RFC 1035 §4.1.1).
const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const RD: u16 = 0x0100;
const RA: u16 = 0x0080;
const REFUSED: u16 = 5;
const NOTAUTH: u16 = 9;

/// A DNS message with another flag word.
fn with_flags(mut message: Vec<u8>, flags: u16) -> Vec<u8> {
    message[2..4].copy_from_slice(&flags.to_be_bytes());
    message
}

/// A question and its answer, each with its flag word.
fn exchange(
    scene: &mut Scene,
    at: i64,
    id: u16,
    name: &str,
    qtype: u16,
    (asks, says): (u16, u16),
    good: bool,
) {
    let from = format!("{CLIENT}:{}", 40_000 + u32::from(id) * 7 % 20_000);
    let question = with_flags(dns::query(id, name, qtype), asks);
    scene.put(at, Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &question));
    let answer = if good {
        dns::answer(id, name, Data::A([192, 0, 2, 80].into()))
    } else {
        dns::failure(id, name, qtype, (says & 0xf) as u8)
    };
    scene.reply(at + 5 * MS, SERVER, &from, &with_flags(answer, says));
}

/// A server of its own zone: it answers for `served.example` with authority and recurses for nobody.
fn authoritative(refused: u16, served: u16) -> Scene {
    let mut scene = Scene::default();
    for number in 0..served {
        let name = format!("host{number}.served.example");
        exchange(&mut scene, i64::from(number) * SECOND, number, &name, dns::A, (RD, QR | AA | RD), true);
    }
    for number in 0..refused {
        let (id, at) = (500 + number, i64::from(number) * SECOND + 400 * MS);
        exchange(
            &mut scene,
            at,
            id,
            &format!("www{number}.other.test"),
            dns::A,
            (RD, QR | RD | REFUSED),
            false,
        );
    }
    scene
}

#[track_caller]
fn worst(found: &[Finding]) -> Severity {
    found.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Info)
}

#[track_caller]
fn statement<'f>(found: &'f [Finding], id: &str) -> &'f str {
    &found.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("{id}: {found:?}")).statement
}

#[test]
fn an_authoritative_server_that_refuses_recursion_does_its_job() {
    let (found, assessments) = authoritative(4, 20).examine();
    assert_eq!(worst(&found), Severity::Info, "{found:?}");
    assert!(assessments.is_empty());
    assert!(statement(&found, "declined").contains("recurses for nobody"));
    // Whoever gets hardly anything else from it uses it as a resolver, and one that recurses refuses by a rule.
    assert!(worst(&authoritative(4, 3).examine().0) > Severity::Info);
    let mut resolver = authoritative(4, 20);
    exchange(&mut resolver, 30 * SECOND, 900, "www.third.test", dns::A, (RD, QR | RD | RA), true);
    assert!(worst(&resolver.examine().0) > Severity::Info);
    // Names of a zone it serves are no business of others.
    let mut own = authoritative(0, 20);
    for number in 0..4 {
        let at = i64::from(number) * SECOND + 300 * MS;
        let name = format!("gone{number}.served.example");
        exchange(&mut own, at, 700 + number, &name, dns::A, (RD, QR | RD | REFUSED), false);
    }
    assert!(worst(&own.examine().0) > Severity::Info);
    // What a resolver hands on, as a delegation tells it to, is lame.
    let mut lame = authoritative(0, 20);
    for number in 0..4 {
        let at = i64::from(number) * SECOND + 300 * MS;
        let name = format!("www{number}.other.test");
        exchange(&mut lame, at, 700 + number, &name, dns::A, (0, QR | REFUSED), false);
    }
    assert!(worst(&lame.examine().0) > Severity::Info);
}

#[test]
fn notices_and_updates_are_no_lookups() {
    let mut scene = authoritative(0, 10);
    for number in 0..3 {
        let at = i64::from(number) * SECOND + 300 * MS;
        let flags = (NOTIFY | AA, QR | NOTIFY | NOTAUTH);
        exchange(&mut scene, at, 600 + number, "zone.test", dns::SOA, flags, false);
    }
    let (found, assessments) = scene.examine();
    assert_eq!(worst(&found), Severity::Info, "{found:?}");
    assert!(assessments.is_empty());
    assert!(statement(&found, "declined").contains("3 notices of changed zones (NOTIFY)"));
    // An update that is never accepted is a small fault of its own, one that is at the second try is none.
    let updates = |accepted: bool| {
        let mut scene = authoritative(0, 10);
        for number in 0..2 {
            let at = i64::from(number) * SECOND + 300 * MS;
            exchange(
                &mut scene,
                at,
                600 + number,
                "zone.test",
                dns::SOA,
                (UPDATE, QR | UPDATE | REFUSED),
                false,
            );
        }
        if accepted {
            let says = QR | UPDATE;
            let from = format!("{CLIENT}:41000");
            let message = with_flags(dns::query(650, "zone.test", dns::SOA), UPDATE);
            scene.put(3 * SECOND, Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &message));
            let answer = with_flags(dns::query(650, "zone.test", dns::SOA), says);
            scene.reply(3 * SECOND + MS, SERVER, &from, &answer);
        }
        scene.examine().0
    };
    let refused = updates(false);
    assert_eq!(worst(&refused), Severity::Low, "{refused:?}");
    assert!(statement(&refused, "declined").contains("2 UPDATE messages"), "{refused:?}");
    assert_eq!(worst(&updates(true)), Severity::Info);
}

#[test]
fn names_denied_to_a_recursor_or_amid_a_search_list_are_answers() {
    let denied = |asks: u16, searched: bool| {
        let mut scene = Scene::default();
        for number in 0..12_u16 {
            let at = i64::from(number) * 5 * SECOND;
            let name = format!("h{number}.shop.test.corp.example");
            exchange(&mut scene, at, number, &name, dns::A, (asks, QR | asks | 3), false);
            if searched {
                let name = format!("h{number}.shop.test");
                let from = format!("{CLIENT}:{}", 50_000 + number);
                scene.lookup(at + 20 * MS, 5 * MS, &from, "203.0.113.53", 300 + number, &name);
            }
        }
        worst(&scene.examine().0)
    };
    assert_eq!(denied(0, false), Severity::Info);
    assert_eq!(denied(RD, true), Severity::Info);
    assert_eq!(denied(RD, false), Severity::Low);
}

/// Names with a search suffix that fail, after which each is found without; `silent` ones are waited for.
fn search_list(silent: bool, found: bool) -> Scene {
    let mut scene = Scene::default();
    for number in 0..8_u16 {
        let at = i64::from(number) * 10 * SECOND;
        let from = format!("{CLIENT}:{}", 40_000 + number * 11);
        let bare = ["api.shop.test", "www.bank.test"][usize::from(number) % 2];
        let long = format!("{bare}.corp.dead.example");
        scene.query(at, &from, SERVER, number, &long, dns::A);
        let after = if silent { 4 * SECOND } else { 5 * MS };
        if !silent {
            scene.reply(at + 2 * MS, SERVER, &from, &dns::failure(number, &long, dns::A, 2));
        }
        let between = format!("{bare}.dead.example");
        let from = format!("{CLIENT}:{}", 41_000 + number * 11);
        scene.query(at + after, &from, SERVER, 100 + number, &between, dns::A);
        scene.reply(at + after + 2 * MS, SERVER, &from, &dns::failure(100 + number, &between, dns::A, 3));
        let from = format!("{CLIENT}:{}", 42_000 + number * 11);
        if found {
            scene.lookup(at + after + 4 * MS, 2 * MS, &from, SERVER, 200 + number, bare);
        }
    }
    for number in 0..20_u16 {
        let from = format!("{CLIENT}:{}", 50_000 + number);
        scene.lookup(i64::from(number) * 4 * SECOND, MS, &from, SERVER, 400 + number, "other.example");
    }
    scene
}

#[test]
fn tries_of_a_search_list_are_delays_where_the_lookup_ends_well() {
    for (silent, severity) in [(true, Severity::Medium), (false, Severity::Low)] {
        let found = search_list(silent, true).examine().0;
        let id = if silent { "unanswered-queries" } else { "rcode-outage" };
        let told = found.iter().find(|finding| finding.id == id).expect("a finding");
        assert_eq!(told.severity, severity, "{told:?}");
        assert!(silent || worst(&found) == severity, "{found:?}");
    }
    // Where no name is found the lookups failed.
    assert_eq!(worst(&search_list(false, false).examine().0), Severity::High);
}

/// A connection that opens and carries data.
fn served(scene: &mut Scene, at: i64, (client, port): (&str, u16), server: &str, host: &str) {
    let request = portmortem::generate::payload::http_request(host, "/");
    let (from, to) = (format!("{client}:{port}"), format!("{server}:80"));
    let packets: [(bool, u8, &[u8]); 5] = [
        (true, flags::SYN, b""),
        (false, flags::SYN | flags::ACK, b""),
        (true, flags::ACK, b""),
        (true, flags::ACK | flags::PSH, &request),
        (false, flags::ACK | flags::PSH, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ];
    let mut next = [1_000_u32, 5_000];
    for (number, (mine, bits, data)) in packets.into_iter().enumerate() {
        let (own, other) = (usize::from(!mine), usize::from(mine));
        let segment = portmortem::generate::Segment {
            flags: bits,
            sequence: next[own],
            acknowledgment: if bits & flags::ACK == 0 { 0 } else { next[other] },
        };
        next[own] += data.len() as u32 + u32::from(bits & flags::SYN != 0);
        let (source, target) = if mine { (&from, &to) } else { (&to, &from) };
        scene.put(at + number as i64 * MS, Packet::tcp(source.as_str(), target.as_str(), segment, data));
    }
}

#[test]
fn connections_served_between_failures_count_among_those_asked_for() {
    let mut scene = Scene::default();
    for number in 0..12_u16 {
        let at = i64::from(number) * 10 * SECOND;
        if number % 3 == 0 {
            served(&mut scene, at, (CLIENT, 40_000 + number), "203.0.113.80", "www.example");
        } else {
            let from = format!("{CLIENT}:{}", 40_000 + number);
            scene.tcp(at, &from, "203.0.113.80:80", flags::SYN, b"");
            scene.tcp(at + SECOND, &from, "203.0.113.80:80", flags::SYN, b"");
        }
    }
    scene.lookup(140 * SECOND, MS, "192.0.2.10:50000", SERVER, 1, "other.example");
    let found = scene.examine().0;
    let told = found.iter().find(|finding| finding.statement.contains("203.0.113.80")).expect("a finding");
    assert!(told.statement.starts_with("8 of 11 connections"), "{}", told.statement);
}

#[test]
fn quick_answers_amid_slow_ones_are_no_recovery() {
    let slow = |quick_meanwhile: bool| {
        let mut scene = Scene::default();
        for number in 0..20_u16 {
            let at = i64::from(number) * 3 * SECOND;
            let from = format!("{CLIENT}:{}", 40_000 + number * 3);
            let is_slow = number < 10 && (number % 2 == 0 || !quick_meanwhile);
            let trip = if is_slow { 2_500 * MS } else { 5 * MS };
            scene.lookup(at, trip, &from, SERVER, number, &format!("h{number}.example"));
        }
        let found = scene.examine().0;
        found.into_iter().find(|finding| finding.id == "slow-dns").expect("a finding").statement
    };
    assert!(slow(false).contains("answered within 1 s again"), "{}", slow(false));
    assert!(!slow(true).contains("again"), "{}", slow(true));
}

#[test]
fn another_name_at_a_shared_address_serves_nobody_in_another_way() {
    let rescued = |served_name: &str| {
        let mut scene = Scene::default();
        for number in 0..4_u16 {
            let at = i64::from(number) * 20 * SECOND;
            let from = |port: u16| format!("{CLIENT}:{}", port + number);
            // Both names were given the shared address at some time; the failing one leads to a dead one as well.
            for (id, name, host) in [
                (10, "shop.example", [203, 0, 113, 80]),
                (20, served_name, [203, 0, 113, 80]),
                (30, "shop.example", [198, 51, 100, 66]),
            ] {
                let from = from(50_000 + id * 10);
                let at = at + i64::from(id) * 50 * MS;
                scene.query(at, &from, SERVER, id + number, name, dns::A);
                scene.reply(at + MS, SERVER, &from, &dns::answer(id + number, name, Data::A(host.into())));
            }
            let dead = from(40_000);
            for again in 0..3 {
                scene.tcp(at + (2 + again) * SECOND, &dead, "198.51.100.66:80", flags::SYN, b"");
            }
            served(&mut scene, at + 5 * SECOND, (CLIENT, 41_000 + number), "203.0.113.80", served_name);
        }
        let found = scene.examine().0;
        let told = found.into_iter().find(|finding| finding.statement.contains("198.51.100.66"));
        told.expect("a finding").statement
    };
    assert!(rescued("shop.example").contains("4 of them were then served in another way"));
    assert!(!rescued("other.example").contains("served in another way"), "{}", rescued("other.example"));
}

#[test]
fn pings_to_a_host_never_heard_are_a_note_beside_what_is_served() {
    let ip = |text: &str| text.parse().expect("an address");
    let pings = |served: bool| {
        let mut scene = Scene::default();
        for number in 0..6_u16 {
            let ping = Packet::echo(ip(CLIENT), ip("203.0.113.30"), false, 7, number);
            scene.put(i64::from(number) * SECOND, ping);
            let from = format!("{CLIENT}:{}", 50_000 + number);
            let at = i64::from(number) * SECOND + if served { 10 * MS } else { -20 * SECOND };
            scene.lookup(at, MS, &from, SERVER, number, "other.example");
        }
        worst(&scene.examine().0)
    };
    assert_eq!(pings(true), Severity::Info);
    assert_eq!(pings(false), Severity::Low);
}

/// A SYN and the acceptance of it, sent `accepts` times a second apart; a router at the server may say that it has no way back.
fn half_opened(scene: &mut Scene, at: i64, from: &str, to: &str, accepts: i64, router: Option<&str>) {
    let segment = |flags, sequence, acknowledgment| Segment { flags, sequence, acknowledgment };
    scene.put(at, Packet::tcp(from, to, segment(flags::SYN, 1_000, 0), b""));
    for number in 0..accepts {
        let accept = Packet::tcp(to, from, segment(flags::SYN | flags::ACK, 5_000, 1_001), b"");
        let at = at + MS + number * SECOND;
        let accept = scene.put(at, accept);
        if let Some(router) = router {
            scene.put(at + MS, Packet::error_about(router.parse().unwrap(), 3, 0, &accept));
        }
    }
}

#[test]
fn an_acceptance_that_does_not_arrive_is_a_failure_of_who_asked() {
    const SITE: &str = "203.0.113.80";
    let scene = |accepts: i64, router: Option<&str>| {
        let mut scene = Scene::default();
        for number in 0..8_u16 {
            let at = i64::from(number) * 4 * SECOND;
            served(&mut scene, at, (CLIENT, 40_000 + number), SITE, "www.example");
            let from = format!("198.51.100.9:{}", 41_000 + number);
            half_opened(&mut scene, at + SECOND, &from, "203.0.113.80:80", accepts, router);
        }
        scene.lookup(60 * SECOND, MS, "192.0.2.10:50000", SERVER, 1, "other.example");
        scene.review()
    };
    for router in [None, Some("203.0.113.1")] {
        let examined = scene(3, router);
        let told = statement(&examined.findings, "tcp-failures");
        assert!(told.starts_with("8 of 8 connections from 198.51.100.9 to web"), "{told}");
        assert!(told.contains("accepted by the server"), "{told}");
        assert!(!told.contains("refused"), "{told}");
        let coverage = examined.coverage.sentences().join(" ");
        assert!(!coverage.contains("web"), "{coverage}");
        assert!(!coverage.contains("ICMP"), "the errors belong to that failure: {coverage}");
        if router.is_some() {
            let led = scene::leading(&examined.assessments);
            assert_eq!(led.into_iter().collect::<Vec<_>>(), ["H7"]);
        }
    }
    // Seen once and not again, it is not known how it went on, but nobody was answered.
    let examined = scene(1, None);
    assert!(examined.findings.is_empty(), "{:?}", examined.findings);
    let coverage = examined.coverage.sentences().join(" ");
    assert!(coverage.contains("(8 of 16 answered, 8 accepted without data seen)"), "{coverage}");
}

/// Uploads of which the server gets the beginning and the end, and says so; what is missing may come later.
fn uploads(number: u16, is_filled: bool) -> Scene {
    let mut scene = Scene::default();
    for upload in 0..number {
        let from = format!("{CLIENT}:{}", 42_000 + upload);
        let mut session =
            scene::Session::open(&mut scene, i64::from(upload) * 6 * SECOND, &from, "203.0.113.80:9100");
        session.says(0, b"store this");
        session.says(1, b"go on");
        let missing = session.next[0];
        session.next[0] = missing.wrapping_add(8_000);
        session.segment(0, flags::ACK | flags::PSH, &[7; 400]);
        let end = std::mem::replace(&mut session.next[0], missing);
        session.segment(1, flags::ACK, b"");
        if is_filled {
            session.at_ns += 300 * MS;
            for _ in 0..8 {
                session.segment(0, flags::ACK, &[7; 1_000]);
            }
            session.next[0] = end;
            session.segment(1, flags::ACK, b"");
            session.says(1, b"stored");
        }
    }
    scene.lookup(60 * SECOND, MS, "192.0.2.10:50000", SERVER, 1, "other.example");
    scene
}

#[test]
fn a_hole_that_its_receiver_reports_and_nobody_fills_is_a_failed_transfer() {
    let examined = uploads(2, false).review();
    let told = statement(&examined.findings, "service-failures");
    assert!(told.contains("large packets of the client did not arrive"), "{told}");
    let coverage = examined.coverage.sentences().join(" ");
    assert!(!coverage.contains("9100"), "{coverage}");
    let examined = uploads(2, true).review();
    assert!(examined.findings.iter().all(|own| own.severity <= Severity::Low), "{:?}", examined.findings);
    assert!(examined.coverage.sentences().join(" ").contains("9100"), "the service worked");
}

#[test]
fn other_clients_that_asked_in_vain_at_that_time_asked() {
    let told = |others: bool| {
        let mut scene = Scene::default();
        for number in 0..3_u16 {
            let at = i64::from(number) * 2 * SECOND;
            let mut ask = |client: &str, wait: i64, said: Option<&[u8]>| {
                let from = format!("{client}:{}", 43_000 + number);
                let mut session = scene::Session::open(&mut scene, at, &from, "203.0.113.25:25");
                session.at_ns += wait;
                if let Some(said) = said {
                    session.says(1, said);
                }
                session.close();
            };
            ask(CLIENT, 12 * SECOND, None);
            if others {
                ask("192.0.2.77", 5 * SECOND, Some(b"454 4.7.0 try again later\r\n"));
            }
        }
        let report = scene.report();
        format!("{report:?}")
    };
    let (alone, beside) = (told(false), told(true));
    assert!(alone.contains("No other client in this capture asked for it meanwhile"));
    assert!(!beside.contains("No other client"));
}

#[test]
fn what_keeps_a_way_open_is_no_request_in_vain() {
    let mut scene = Scene::default();
    for number in 0..6 {
        scene.put(
            i64::from(number) * 20 * SECOND,
            Packet::udp("192.0.2.27:5060", "192.0.2.60:5060", b"\r\n\r\n"),
        );
    }
    for number in 0..3_u16 {
        let ask = format!(
            "OPTIONS sip:192.0.2.60 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.27;branch=z9hG4bK{number}\r\nCSeq: {number} OPTIONS\r\n\r\n"
        );
        let answer = ask.replacen("OPTIONS sip:192.0.2.60 SIP/2.0", "SIP/2.0 200 OK", 1);
        let at = i64::from(number) * 30 * SECOND + SECOND;
        scene.put(at, Packet::udp("192.0.2.27:5060", "192.0.2.60:5060", ask.as_bytes()));
        scene.put(at + MS, Packet::udp("192.0.2.60:5060", "192.0.2.27:5060", answer.as_bytes()));
    }
    let examined = scene.review();
    assert!(examined.findings.is_empty(), "{:?}", examined.findings);
    let coverage = examined.coverage.sentences().join(" ");
    assert!(coverage.contains("(3 of 3 answered)"), "{coverage}");
}
