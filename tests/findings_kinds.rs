//! Kinds of incident beside failed queries, and healthy traffic that only looks like one.

#![expect(clippy::indexing_slicing, reason = "a test that meets the unexpected should stop there")]

mod scene;

use portmortem::findings::hypotheses::Verdict;
use portmortem::findings::{Finding, Severity};
use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::{Arp, Packet, arp, flags};
use scene::{MS, SECOND, SERVER, Scene, client, expect, weight};

/// Lookups of all sorts, one or two a second, all answered.
fn office(scene: &mut Scene, seconds: i64) {
    for number in 0..seconds {
        let from = client(number as usize);
        let name = format!("www{}.example.org", number % 17);
        scene.lookup(number * SECOND + 300 * MS, 9 * MS, &from, SERVER, 7_000 + number as u16, &name);
    }
}

/// No incident, and nothing that a healthy network does not show.
#[track_caller]
fn healthy(scene: Scene) -> Vec<Finding> {
    let (found, assessments) = scene.examine();
    let grave: Vec<_> = found.iter().filter(|finding| finding.severity > Severity::Info).collect();
    assert!(grave.is_empty(), "{grave:?}");
    let kinds: Vec<_> = assessments.iter().map(|a| a.hypotheses[0].id()).collect();
    assert!(kinds.is_empty(), "{kinds:?}");
    found
}

/// `count` questions, every `gap_ns`, answered by `answer`.
fn asked(
    count: i64,
    gap_ns: i64,
    name: impl Fn(i64) -> String,
    qtype: u16,
    answer: impl Fn(u16, &str) -> Vec<u8>,
) -> Scene {
    let mut scene = Scene::default();
    office(&mut scene, 60);
    for number in 0..count {
        let (at, id, name) = (number * gap_ns, number as u16, name(number));
        let from = format!("192.0.2.10:{}", 20_000 + number);
        scene.query(at, &from, SERVER, id, &name, qtype);
        scene.reply(at + 9 * MS, SERVER, &from, &answer(id, &name));
    }
    scene
}

fn denied(id: u16, name: &str) -> Vec<u8> {
    dns::failure(id, name, dns::A, dns::NAME_ERROR)
}

#[test]
fn reverse_names_and_block_lists_are_no_flood() {
    let octets = |number: i64| format!("{}.{}.113.203", number % 250, number / 250 + 1);
    healthy(asked(400, 100 * MS, |n| format!("{}.in-addr.arpa", octets(n)), dns::A, denied));
    healthy(asked(400, 100 * MS, |n| format!("{}.list.example", octets(n)), dns::A, denied));
}

#[test]
fn large_answers_to_many_different_questions_are_no_reflection() {
    let large = |id: u16, name: &str| {
        let mut message = Message::response(id, name, 48, dns::NO_ERROR);
        for _ in 0..5 {
            message = message.answer(Data::Txt("k".repeat(250)));
        }
        message.bytes()
    };
    healthy(asked(150, 300 * MS, |n| format!("zone{n}.example"), 48, large));
}

#[test]
fn a_query_sent_twice_may_be_answered_twice_with_records_in_another_order() {
    let mut scene = Scene::default();
    office(&mut scene, 60);
    for number in 0..10_i64 {
        let (at, id) = (number * 5 * SECOND, number as u16);
        let from = format!("192.0.2.10:{}", 20_000 + number);
        for again in [0, 1] {
            scene.query(at + again * 300 * MS, &from, SERVER, id, "www.example", dns::A);
        }
        for again in [0, 1] {
            let answer = dns::answer(id, "www.example", Data::A([192, 0, 2, 80 + again].into()));
            scene.reply(at + 500 * MS + i64::from(again) * 10 * MS, SERVER, &from, &answer);
        }
    }
    healthy(scene);
}

#[test]
fn search_suffixes_and_a_lost_fragment_are_ordinary() {
    let mut scene = Scene::default();
    for number in 0..40_i64 {
        let at = number * SECOND;
        let from = format!("192.0.2.10:{}", 20_000 + number);
        for (step, suffix) in [".corp.example", ".lan.example"].iter().enumerate() {
            let (sent, name) = (at + step as i64 * 20 * MS, format!("www{number}.example.org{suffix}"));
            scene.query(sent, &from, SERVER, step as u16, &name, dns::A);
            scene.reply(sent + 9 * MS, SERVER, &from, &denied(step as u16, &name));
        }
        scene.lookup(at + 60 * MS, 9 * MS, &from, SERVER, 9, &format!("www{number}.example.org"));
    }
    healthy(scene);
}

#[test]
fn names_that_existed_and_are_denied_now_were_removed_or_changed() {
    let mut scene = Scene::default();
    office(&mut scene, 120);
    for number in 0..40_i64 {
        let (at, id) = (number * 3 * SECOND, number as u16);
        let from = format!("192.0.2.10:{}", 20_000 + number);
        let name = ["www.bakery.example", "mail.bakery.example"][number as usize % 2];
        if (10..30).contains(&number) {
            scene.query(at, &from, SERVER, id, name, dns::A);
            scene.reply(at + 9 * MS, SERVER, &from, &denied(id, name));
        } else {
            scene.lookup(at, 9 * MS, &from, SERVER, id, name);
        }
    }
    let (found, assessments) = expect(scene, "H15");
    assert!(found.iter().any(|finding| finding.id == "rcode-outage" && finding.severity == Severity::Medium));
    assert_eq!(weight(&assessments, "H15", "L74"), Some(10));
}

#[test]
fn a_filter_that_names_itself_is_policy() {
    let filtered = |id: u16, name: &str| {
        Message::response(id, name, dns::A, dns::NAME_ERROR).edns(1232).extended_error(17, "").bytes()
    };
    let scene = asked(12, 4 * SECOND, |n| format!("www{n}.games.example"), dns::A, filtered);
    let (_, assessments) = expect(scene, "H14");
    assert_eq!(assessments[0].hypotheses[0].id(), "H14", "the server says so itself");
}

#[test]
fn truncated_answers_without_working_tcp_show_one_transport_failing() {
    for reset in [true, false] {
        let mut scene = Scene::default();
        for number in 0..8_i64 {
            let (at, id) = (number * 9 * SECOND, number as u16);
            let from = format!("192.0.2.10:{}", 20_000 + number);
            let name = format!("signed{number}.example");
            scene.query(at, &from, SERVER, id, &name, 48);
            let mut cut = Message::response(id, &name, 48, dns::NO_ERROR).bytes();
            cut[2] |= 2;
            scene.reply(at + 9 * MS, SERVER, &from, &cut);
            let (from, to) = (format!("192.0.2.10:{}", 30_000 + number), format!("{SERVER}:53"));
            scene.tcp(at + 20 * MS, &from, &to, flags::SYN, b"");
            if reset {
                scene.tcp(at + 29 * MS, &to, &from, flags::RST | flags::ACK, b"");
            }
        }
        office(&mut scene, 90);
        let (found, assessments) = expect(scene, "H12");
        assert!(found.iter().any(|f| f.id == "truncated-without-tcp" && f.severity == Severity::Medium));
        let said: String = assessments[0].wording.iter().map(|sentence| sentence.text.as_str()).collect();
        assert!(said.contains("TCP brought no whole one"), "{said}");
    }
}

#[test]
fn reassembly_that_expires_at_clients_shows_at_the_server_too() {
    let mut scene = Scene::default();
    office(&mut scene, 120);
    for number in 0..5_i64 {
        let (at, id) = (number * 12 * SECOND, number as u16);
        let from = format!("192.0.2.{}:{}", 10 + number, 20_000 + number);
        let name = format!("signed{number}.example");
        scene.query(at, &from, SERVER, id, &name, 48);
        let mut message = Message::response(id, &name, 48, dns::NO_ERROR);
        for _ in 0..8 {
            message = message.answer(Data::Txt("k".repeat(250)));
        }
        // All pieces leave the server; the client reports that some never came.
        let answer = scene.reply(at + MS, SERVER, &from, &message.bytes());
        let to = answer.destination();
        let quote = answer.bytes();
        scene.put(at + 30 * SECOND, Packet::error_quoting(to, answer.source(), 11, 1, &quote[..28]));
    }
    expect(scene, "H11");
}

/// An ARP request for an address.
fn question(target: std::net::Ipv4Addr) -> Vec<u8> {
    let (sender_mac, sender) = ([2, 0, 0, 0, 0, 1], [192, 0, 2, 10].into());
    arp(&Arp { operation: 1, sender_mac, sender, target_mac: [0; 6], target })
}

#[test]
fn a_server_on_this_network_that_stops_answering_for_its_address_is_gone() {
    let mut scene = Scene::default();
    let server = "192.0.2.53";
    for number in 0..10_i64 {
        scene.lookup(number * SECOND, MS, "192.0.2.10:40000", server, number as u16, "www.example");
    }
    for number in 0..9_i64 {
        let frame = question(server.parse().expect("an address"));
        scene.packets.push((scene::START_NS + 40 * SECOND + number * SECOND, frame));
    }
    let (found, assessments) = expect(scene, "H6");
    assert!(found.iter().any(|f| f.id == "arp-unanswered" && f.severity == Severity::High), "{found:?}");
    assert_eq!(assessments[0].hypothesis("H4").expect("a hypothesis").verdict, Verdict::Excluded);
}

#[test]
fn unanswered_link_addresses_make_one_finding_whatever_their_number() {
    let mut scene = Scene::default();
    office(&mut scene, 30);
    for number in 0..300_i64 {
        let frame = question([10, 0, (number / 4) as u8, 9].into());
        scene.packets.push((scene::START_NS + number * 90 * MS, frame));
    }
    let found = healthy(scene);
    let arp: Vec<_> = found.iter().filter(|finding| finding.id == "arp-unanswered").collect();
    assert!(matches!(arp.as_slice(), [one] if one.counts[0].value == 300), "{arp:?}");
}

#[test]
fn an_error_that_disagrees_with_every_query_is_no_outage() {
    let mut scene = Scene::default();
    office(&mut scene, 60);
    // Taken on the client, whose IP ids follow one another: nothing else was sent.
    let mut own = |at: i64, packet: Packet| scene.packets.push((scene::START_NS + at, packet.ethernet()));
    for number in 0..12_i64 {
        let (at, id) = (10 * SECOND + number * 300 * MS, number as u16);
        let from = format!("192.0.2.77:{}", 20_000 + number);
        let ask = |dns_id: u16| {
            let message = dns::query(dns_id, "www.example", dns::A);
            Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &message)
        };
        own(at, ask(id).id(500 + id).unfinished());
        let answer = dns::answer(id, "www.example", Data::A([192, 0, 2, 80].into()));
        own(at + 9 * MS, Packet::udp(format!("{SERVER}:53").as_str(), from.as_str(), &answer).id(3 + id));
        if (4..10).contains(&number) {
            own(at + MS, Packet::port_unreachable(&ask(id ^ 0x5555)).ttl(250));
        }
    }
    let (found, assessments) = scene.examine();
    assert!(found.iter().any(|f| f.id == "stray-icmp" && f.severity == Severity::Medium), "{found:?}");
    let scored = |id: &str| assessments.first().and_then(|a| a.hypothesis(id)).and_then(|h| h.score_db);
    assert!(scored("H17") > scored("H1"), "{:?} {:?}", scored("H17"), scored("H1"));
}

#[test]
fn a_server_without_edns_that_answers_when_asked_plainly_is_healthy() {
    let exchange = |scene: &mut Scene, number: i64, again: bool| {
        let (at, id, name) = (number * 4 * SECOND, number as u16, format!("www{number}.example.org"));
        let from = format!("192.0.2.10:{}", 20_000 + number);
        let query = Message::query(id, &name, dns::A).edns(1232).bytes();
        scene.put(at, Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &query));
        scene.reply(at + 9 * MS, SERVER, &from, &dns::failure(id, &name, dns::A, 1));
        if again {
            scene.lookup(at + 10 * MS, 9 * MS, &from, SERVER, 500 + id, &name);
        }
    };
    let mut plain = Scene::default();
    (0..8).for_each(|number| exchange(&mut plain, number, true));
    healthy(plain);
    let mut refused = Scene::default();
    (0..8).for_each(|number| exchange(&mut refused, number, false));
    let (found, _) = refused.examine();
    assert!(found.iter().any(|finding| finding.id == "rcode-outage"), "{found:?}");
}

#[test]
fn what_a_resolver_fails_its_clients_for_comes_before_what_failed_behind_it() {
    let mut scene = Scene::default();
    let upstream = "203.0.113.53";
    for number in 0..6_i64 {
        let (at, id, name) = (number * 5 * SECOND, number as u16, format!("www{number}.example.org"));
        let from = format!("192.0.2.10:{}", 20_000 + number);
        scene.query(at, &from, SERVER, id, &name, dns::A);
        for again in 0..3 {
            let own = format!("{SERVER}:{}", 30_000 + number * 10 + again);
            let query = scene.query(at + (10 + again * 100) * MS, &own, upstream, 900 + id, &name, dns::A);
            scene.put(at + (12 + again * 100) * MS, Packet::port_unreachable(&query));
        }
        scene.reply(at + 400 * MS, SERVER, &from, &dns::failure(id, &name, dns::A, 2));
    }
    let (_, assessments) = scene.examine();
    assert_eq!(assessments[0].hypotheses[0].id(), "H13");
}

#[test]
fn a_query_that_loops_until_its_hops_are_used_up_is_no_trace() {
    let mut scene = Scene::default();
    let (client, server, router) = ("2001:db8:25::20", "2001:db8:100::53", "2001:db8:fe::2");
    for number in 0..6_i64 {
        let (at, id) = (number * 3 * SECOND, number as u16);
        let from = format!("[{client}]:{}", 40_000 + number);
        let to = format!("[{server}]:53");
        let name = format!("www{number}.example.org");
        let query = Packet::udp(from.as_str(), to.as_str(), &dns::query(id, &name, dns::A));
        for gone in 0..21_u8 {
            scene.put(at + i64::from(gone) * 3 * MS, query.clone().ttl(64 - 3 * gone));
        }
        let last = query.ttl(1 + number as u8 % 3);
        scene.put(at + 70 * MS, last.clone());
        scene.put(at + 71 * MS, Packet::error_about(router.parse().expect("an address"), 3, 0, &last));
    }
    let (found, assessments) = scene.examine();
    let told = |finding: &Finding| finding.id == "unreachable" && finding.severity > Severity::Info;
    assert!(found.iter().any(told), "{found:?}");
    assert_eq!(assessments[0].hypotheses[0].id(), "H7");
}
