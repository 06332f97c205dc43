//! Edges of rules that whole captures seldom reach: what is labelled, why an error fits nothing, who was served soon enough,
//! where the time passed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where it finds less than it needs"
)]

mod scene;

use std::net::IpAddr;

use portmortem::correlate::{Reason, encrypted};
use portmortem::findings::Finding;
use portmortem::findings::coverage::OpenKind;
use portmortem::findings::hypotheses::Assessment;
use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::{Packet, Segment, link};
use portmortem::index::PacketId;
use scene::{MS, SECOND, SERVER, START_NS, Scene};

const CLIENT: &str = "192.0.2.10:40001";
const OTHER: &str = "198.51.100.54";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn query(id: u16, name: &str) -> Packet {
    Packet::udp(CLIENT, format!("{SERVER}:53").as_str(), &dns::query(id, name, dns::A))
}

fn answer(id: u16, name: &str) -> Vec<u8> {
    dns::answer(id, name, Data::A([192, 0, 2, 80].into()))
}

#[test]
fn a_flow_is_labelled_by_either_end_and_over_either_transport() {
    let cases: [(&str, &str, u8, Option<&str>); 11] = [
        (CLIENT, "203.0.113.5:853", 6, Some("DNS over TLS")),
        ("203.0.113.5:853", CLIENT, 6, Some("DNS over TLS")),
        (CLIENT, "203.0.113.5:853", 17, Some("DNS over QUIC")),
        ("203.0.113.5:784", CLIENT, 17, Some("DNS over QUIC")),
        (CLIENT, "203.0.113.5:784", 6, None),
        (CLIENT, "9.9.9.9:443", 6, Some("DNS over HTTPS")),
        ("9.9.9.9:443", CLIENT, 6, Some("DNS over HTTPS")),
        ("9.9.9.9:50000", CLIENT, 6, None),
        (CLIENT, "9.9.9.9:80", 6, None),
        ("[2001:db8::10]:40001", "[2620:fe::fe]:443", 17, Some("DNS over HTTPS")),
        (CLIENT, "203.0.113.5:443", 6, None),
    ];
    let mut scene = Scene::default();
    for (at, (from, to, transport, _)) in cases.iter().enumerate() {
        let packet = match transport {
            6 => Packet::tcp(*from, *to, Segment { flags: 2, ..Segment::default() }, b""),
            _ => Packet::udp(*from, *to, &[0x40; 32]),
        };
        scene.put(at as i64 * MS, packet);
    }
    scene.put(SECOND, Packet::icmp(ip("9.9.9.9"), ip("192.0.2.10"), 8, 0, [0; 4], b"echo"));
    let (index, _) = scene.load();
    for (at, (from, to, transport, expected)) in cases.iter().enumerate() {
        let packet = index.packet(PacketId(at as u32)).unwrap();
        assert_eq!(encrypted::label(&packet), *expected, "{from} {to} {transport}");
    }
    assert_eq!(encrypted::label(&index.packet(PacketId(cases.len() as u32)).unwrap()), None);
}

/// The reason of the only error about a query that was not captured, sent by one host to another.
fn orphaned(at_ns: i64, client: &str, (source, to): (&str, &str)) -> Reason {
    let mut scene = Scene::default();
    scene.put(0, Packet::udp("192.0.2.99:123", "192.0.2.98:123", &[0; 48]));
    scene.put(100 * SECOND, query(1, "www.example.org"));
    scene.reply(100 * SECOND + 9 * MS, SERVER, CLIENT, &answer(1, "www.example.org"));
    let from = format!("{client}:41000");
    let lost = Packet::udp(from.as_str(), "203.0.113.53:53", &dns::query(9, "a.example", dns::A)).id(77);
    scene.put(at_ns, Packet::error_quoting(ip(source), ip(to), 3, 3, &lost.bytes()));
    let (_, evidence) = scene.load();
    evidence.error_links()[0].reason
}

#[test]
fn an_error_that_fits_nothing_says_why() {
    let late = 200 * SECOND;
    let router = "192.0.2.1";
    assert_eq!(orphaned(late, "192.0.2.10", ("192.0.2.10", "192.0.2.10")), Reason::OwnHost);
    assert_eq!(orphaned(SECOND, "192.0.2.10", (router, "192.0.2.10")), Reason::BeforeCapture);
    assert_eq!(orphaned(late, "192.0.2.77", (router, "192.0.2.77")), Reason::UnknownSender);
    assert_eq!(orphaned(late, "192.0.2.10", (router, "192.0.2.10")), Reason::NotInCapture);
    // To itself, but about somebody else's packet.
    assert_ne!(orphaned(late, "192.0.2.77", (router, router)), Reason::OwnHost);
}

#[test]
fn packets_to_others_and_quotes_without_an_id_decide_nothing() {
    let sent = |id: u16, server: &str| {
        let to = format!("{server}:53");
        Packet::udp(CLIENT, to.as_str(), &dns::query(id, "www.example.org", dns::A)).id(100 + id).unfinished()
    };
    let level = |quoted_id: u16| {
        let mut scene = Scene::default();
        let begin = 10 * SECOND;
        let mut put = |at_ns: i64, packet: &Packet| scene.packets.push((START_NS + at_ns, packet.ethernet()));
        put(0, &Packet::udp("192.0.2.99:123", "192.0.2.98:123", &[0; 48]));
        put(begin, &sent(1, SERVER));
        // Numbered otherwise, since each server's packets have their own ids.
        put(begin + 5 * MS, &sent(70, OTHER));
        put(begin + 10 * MS, &sent(2, SERVER));
        let other = Packet::udp(
            CLIENT,
            format!("{SERVER}:53").as_str(),
            &dns::query(7_777, "www.example.org", dns::A),
        );
        put(begin + 21 * MS, &Packet::error_about(ip(SERVER), 3, 3, &other.id(quoted_id)));
        put(begin + 25 * MS, &sent(90, OTHER));
        put(begin + 30 * MS, &sent(3, SERVER));
        let (_, evidence) = scene.load();
        evidence.error_links()[0].reason
    };
    assert_eq!(level(500), Reason::Disagrees);
    assert_eq!(level(0), Reason::NotCaptured);
}

/// A question at one server that is silent, asked again elsewhere or there, and what became of the client.
fn rescued(after_ns: i64, server: &str) -> (u32, u32, bool) {
    let mut scene = Scene::default();
    for round in 0..3u16 {
        let at = i64::from(round) * 60 * SECOND;
        let (name, from) = (format!("host{round}.example.org"), format!("192.0.2.10:{}", 41_000 + round));
        scene.query(at, &from, SERVER, round, &name, dns::A);
        let again = format!("192.0.2.10:{}", 42_000 + round);
        scene.lookup(at + after_ns, 5 * MS, &again, server, 500 + round, &name);
    }
    // The capture goes on, so that the last silence is one.
    scene.lookup(300 * SECOND, 5 * MS, "192.0.2.200:5000", OTHER, 999, "www.example.net");
    let (_, evidence) = scene.load();
    let client = &evidence.impact(0).unwrap().clients[0];
    (client.rescued, client.repeated, client.never_served)
}

#[test]
fn a_rescue_comes_within_ten_seconds_elsewhere_or_three_at_the_same_server() {
    assert_eq!(rescued(4 * SECOND, OTHER), (3, 0, false));
    assert_eq!(rescued(9 * SECOND, OTHER), (3, 0, false));
    assert_eq!(rescued(20 * SECOND, OTHER), (0, 0, true));
    assert_eq!(rescued(2 * SECOND, SERVER), (0, 3, false));
    assert_eq!(rescued(25 * SECOND, SERVER).1, 0);
}

/// Responses with another id than was asked, to ports of which the questions stay unanswered, or to others.
fn stray(to_asking_ports: bool) -> Vec<Finding> {
    let mut scene = Scene::default();
    for round in 0..6u16 {
        let (at, from) = (i64::from(round) * 10 * SECOND, format!("192.0.2.10:{}", 41_000 + round));
        let name = format!("host{round}.example.org");
        for again in 0..2 {
            scene.query(at + again * 3 * SECOND, &from, SERVER, round, &name, dns::A);
        }
        let to = if to_asking_ports { from } else { format!("192.0.2.10:{}", 51_000 + round) };
        scene.reply(at + 20 * MS, SERVER, &to, &answer(900 + round, &name));
        scene.lookup(
            at + 7 * SECOND,
            5 * MS,
            &format!("192.0.2.11:{}", 43_000 + round),
            OTHER,
            round,
            "www.example.net",
        );
    }
    let (found, _) = scene.examine();
    found.into_iter().filter(|own| own.id == "misaddressed-answer").collect()
}

#[test]
fn a_response_with_another_id_is_told_where_the_very_port_asked_in_vain() {
    assert_eq!(stray(true).len(), 1);
    assert_eq!(stray(true)[0].counts[0].value, 6);
    assert!(stray(false).is_empty());
}

/// Lookups that took two seconds, each captured on both sides of a router between which some of the time passed; with quick ones
/// of another client beside them.
fn slow(on_the_way_ns: i64, quick: bool) -> Vec<Assessment> {
    let mut scene = Scene::default();
    let (one, two) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let mut put = |at_ns: i64, frame: Vec<u8>| scene.packets.push((START_NS + at_ns, frame));
    for round in 0..12u16 {
        let at = i64::from(round) * 4 * SECOND;
        let (name, from) = (format!("host{round}.example.org"), format!("192.0.2.10:{}", 41_000 + round));
        let sent =
            Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &dns::query(round, &name, dns::A))
                .id(200 + round);
        let back = Packet::udp(format!("{SERVER}:53").as_str(), from.as_str(), &answer(round, &name))
            .id(600 + round)
            .ttl(60);
        put(at, sent.ethernet());
        put(at + on_the_way_ns + MS, sent.clone().after_hops(1).ethernet_between(two, one));
        put(at + 2 * SECOND - on_the_way_ns, back.ethernet_between(one, two));
        put(
            at + 2 * SECOND + MS,
            back.clone().after_hops(1).ethernet_between(two, link::mac_of(ip("192.0.2.10"))),
        );
        if quick {
            let from = format!("192.0.2.11:{}", 43_000 + round);
            let sent = Packet::udp(
                from.as_str(),
                format!("{SERVER}:53").as_str(),
                &dns::query(round, "www.example.net", dns::A),
            )
            .id(900 + round);
            let back = Packet::udp(
                format!("{SERVER}:53").as_str(),
                from.as_str(),
                &answer(round, "www.example.net"),
            )
            .id(1_200 + round)
            .ttl(60);
            put(at + SECOND, sent.ethernet());
            put(at + SECOND + 10 * MS, back.ethernet());
        }
    }
    scene.examine().1
}

fn observed(assessments: &[Assessment], part: &str) -> bool {
    let mut ledgers = assessments.iter().flat_map(|own| &own.hypotheses).flat_map(|cause| &cause.ledger);
    ledgers.any(|row| row.observation.contains(part))
}

#[test]
fn where_the_time_passes_is_told_from_the_copies_behind_a_router() {
    let nearer = "Where the queries are captured again, nearer to 198.51.100.53, its answers come as late.";
    assert!(observed(&slow(MS, false), nearer));
    assert!(!observed(&slow(900 * MS, false), nearer));
}

#[test]
fn quick_answers_beside_slow_ones_are_told() {
    let beside = "took less than a tenth of that at the same time";
    assert!(!observed(&slow(900 * MS, false), beside));
    assert!(observed(&slow(900 * MS, true), beside));
}

/// Questions nobody answers and nothing tells of, one at each of some servers.
fn single_questions(servers: u8) -> Vec<(OpenKind, u64, u64)> {
    let mut scene = Scene::default();
    for number in 0..servers {
        let server = format!("203.0.113.{}", 10 + number);
        let from = format!("192.0.2.{}:{}", 10 + number, 41_000 + u16::from(number));
        scene.query(
            i64::from(number) * 20 * MS,
            &from,
            &server,
            u16::from(number),
            "www.example.org",
            dns::A,
        );
        scene.lookup(SECOND, 5 * MS, "192.0.2.200:5000", SERVER, 400, "www.example.net");
    }
    let items = scene.review().coverage.not_assessed;
    items.iter().map(|item| (item.kind, item.count, item.clients)).collect()
}

#[test]
fn what_is_open_at_many_servers_is_listed_up_to_a_number_and_counted_whole() {
    let few = single_questions(5);
    assert!(
        few.iter()
            .all(|(kind, count, clients)| *kind == OpenKind::Undetermined && (*count, *clients) == (1, 1))
    );
    assert_eq!(few.len(), 5);
    let many = single_questions(30);
    assert_eq!(many.iter().map(|(_, count, _)| count).sum::<u64>(), 30);
    assert_eq!(many.len(), 13, "twelve by their servers, the rest together");
    assert!(many.iter().any(|(_, count, clients)| (*count, *clients) == (18, 18)));
}

/// Repeated questions until the capture ends, sent by the host that captures, with nothing in the other direction.
fn one_direction() -> Vec<Assessment> {
    let mut scene = Scene::default();
    for round in 0..4u16 {
        for again in 0..3i64 {
            let (from, to) = (format!("192.0.2.10:{}", 41_000 + round), format!("{SERVER}:53"));
            let question = dns::query(round, &format!("host{round}.example.org"), dns::A);
            let packet = Packet::udp(from.as_str(), to.as_str(), &question).unfinished();
            scene.put(i64::from(round) * 20 * SECOND + again * 5 * SECOND, packet);
        }
    }
    scene.examine().1
}

#[test]
fn silence_in_one_direction_counts_at_the_client() {
    let assessments = one_direction();
    assert!(assessments.iter().any(|own| own.leading().iter().any(|cause| cause.id() == "H8")));
    assert!(observed(&assessments, "received neither an answer nor an error"));
}

#[test]
fn an_answer_that_says_where_else_to_ask_rescues_nobody() {
    let scene = |referral: bool| {
        let mut scene = Scene::default();
        for round in 0..4u16 {
            let (at, name) = (i64::from(round) * 30 * SECOND, format!("host{round}.example.org"));
            let ask = |scene: &mut Scene, at: i64, server: &str, id: u16| {
                let from = format!("192.0.2.53:{}", 20_000 + id);
                let query = Message::query(id, &name, dns::A).flags(0).bytes();
                scene.put(at, Packet::udp(from.as_str(), format!("{server}:53").as_str(), &query));
                from
            };
            ask(&mut scene, at, SERVER, round);
            let id = 500 + round;
            let from = ask(&mut scene, at + 3 * SECOND, OTHER, id);
            let mut told = Message::response(id, &name, dns::A, 0).flags(0x8000);
            if !referral {
                told = told.answer(Data::A([192, 0, 2, 80].into()));
            }
            let mut bytes = told.bytes();
            if referral {
                bytes[9] = 1;
                let server = dns::name("ns.example.org");
                bytes.extend(dns::name("example.org"));
                bytes.extend([0, 2, 0, 1, 0, 0, 1, 0, 0, server.len() as u8]);
                bytes.extend(&server);
            }
            scene.reply(at + 3 * SECOND + 9 * MS, OTHER, &from, &bytes);
        }
        scene.lookup(300 * SECOND, 5 * MS, "192.0.2.200:5000", OTHER, 999, "www.example.net");
        let (_, evidence) = scene.load();
        evidence.impact(0).unwrap().clients[0].rescued
    };
    assert_eq!((scene(false), scene(true)), (4, 0));
}

#[test]
fn messages_that_are_no_lookups_are_called_what_they_are() {
    let mut scene = Scene::default();
    for round in 0..4u16 {
        let at = i64::from(round) * 15 * SECOND;
        for again in 0..3 {
            let from = format!("{OTHER}:{}", 41_000 + round);
            let notify = Message::query(round, "example.org", 6).flags(0x2400).bytes();
            scene.put(
                at + again * 3 * SECOND,
                Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &notify),
            );
        }
        scene.lookup(at, 5 * MS, "192.0.2.10:5000", "192.0.2.53", 400 + round, "www.example.net");
    }
    let again = Scene { packets: scene.packets.clone(), ip_id: 0, snap: 0 };
    let (found, _) = scene.examine();
    let own = found.iter().find(|own| own.id == "unanswered-queries").unwrap();
    assert!(own.statement.contains("NOTIFY messages from"), "{}", own.statement);
    let report = again.report();
    assert!(report.title.starts_with("NOTIFY messages to 198.51.100.53"), "{}", report.title);
    assert!(report.claims().any(|claim| claim.text.contains("no lookup is among these NOTIFY messages")));
}
