//! Causes by pattern: which lookups fail, are slow or are answered alike, and what stands beside a cause.

#![expect(clippy::indexing_slicing, reason = "a test that meets the unexpected should stop there")]

mod scene;

use std::collections::BTreeSet;

use portmortem::findings::hypotheses::{Assessment, Verdict};
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, flags};
use scene::{MS, SECOND, SERVER, Scene, expect, leading, weight};

/// Queries repeated after five seconds, and nothing else in the capture.
fn total_silence() -> Scene {
    let mut scene = Scene::default();
    for number in 0..5_i64 {
        let (at, id) = (number * 11 * SECOND, number as u16);
        let from = format!("192.0.2.10:{}", 40_000 + number);
        for repeat in 0..2 {
            scene.query(at + repeat * 5 * SECOND, &from, SERVER, id, "www.example", dns::A);
        }
    }
    scene
}

#[test]
fn total_silence_is_a_tie_beside_which_the_record_stands() {
    let (_, assessments) = total_silence().examine();
    let led: BTreeSet<&str> = assessments[0].leading().iter().map(|h| h.id()).collect();
    assert_eq!(led, BTreeSet::from(["H6", "H8"]));
    let record = assessments[0].hypothesis("H21").expect("a hypothesis");
    assert!(record.verdict <= Verdict::Consistent && record.tied_with.is_empty());
    for behind in ["H4", "H7", "H5"] {
        let one = assessments[0].hypothesis(behind).expect("a hypothesis");
        assert!(one.score_db < Some(5), "{behind}");
    }
}

/// Thirty-two questions of one client half a second apart; those that fail are refused, or left in silence and repeated.
fn mixed(refuse: bool, fails: impl Fn(i64) -> bool, port: impl Fn(i64) -> i64) -> Scene {
    let mut scene = Scene::default();
    for number in 0..32_i64 {
        let (at, id) = (number * 500 * MS, number as u16);
        let from = format!("192.0.2.10:{}", port(number));
        let name = ["www.example", "api.example", "mail.test"][number as usize % 3];
        if !fails(number) {
            scene.lookup(at, 9 * MS, &from, SERVER, id, name);
            continue;
        }
        let query = scene.query(at, &from, SERVER, id, name, dns::A);
        if refuse {
            scene.put(at + 9 * MS, Packet::port_unreachable(&query).ttl(57));
        } else {
            scene.query(at + 5 * SECOND, &from, SERVER, id, name, dns::A);
        }
    }
    // The capture goes on.
    scene.lookup(40 * SECOND, 9 * MS, "192.0.2.11:40000", SERVER, 99, "late.example");
    scene
}

fn plain(number: i64) -> i64 {
    40_000 + number * 7 % 1_000
}

#[test]
fn refusals_in_turn_with_answers_are_a_dead_member() {
    let (_, assessments) = expect(mixed(true, |number| number % 3 == 1, plain), "H39");
    assert_eq!(weight(&assessments, "H39", "L87"), Some(20));
    assert_eq!(weight(&assessments, "H39", "L85"), Some(20));
    assert_eq!(weight(&assessments, "H1", "L85"), Some(-20));
    assert!(!leading(&assessments).contains("H1") && !leading(&assessments).contains("H2"));
    // One outage is none, whatever came before and after.
    let (_, assessments) = expect(mixed(true, |number| (10..20).contains(&number), plain), "H1");
    assert_eq!(weight(&assessments, "H39", "L85"), None);
    assert_eq!(weight(&assessments, "H39", "L87"), None);
    assert_eq!(weight(&assessments, "H1", "L11"), None);
}

#[test]
fn silence_by_source_port_is_a_filter_by_property() {
    // In no order that repeats.
    let high = |number: i64| 0x5b1e_2d64_u64 >> number & 1 == 1;
    let by_port = move |number: i64| if high(number) { 50_000 + number } else { 20_000 + number };
    let (_, assessments) = expect(mixed(false, high, by_port), "H40");
    assert_eq!(weight(&assessments, "H40", "L86"), Some(20));
    assert_eq!(weight(&assessments, "H39", "L86"), Some(-20));
    let said = |text: &str| assessments[0].wording.iter().any(|sentence| sentence.text.contains(text));
    assert!(said("source ports of 50002 and above"), "{:?}", assessments[0].wording);
    // The same failures from ports of every kind are no such filter.
    let (_, assessments) = mixed(false, high, plain).examine();
    assert_eq!(weight(&assessments, "H40", "L86"), None);
    assert!(!leading(&assessments).contains("H1") && !leading(&assessments).contains("H6"));
}

/// Forty lookups of names asked once each, both addresses from one socket; every sixth socket gets nothing, nor do its repeats.
fn dead_for_sockets(ttl: impl Fn(i64) -> u8, name: impl Fn(i64) -> String) -> Scene {
    let mut scene = Scene::default();
    for number in 0..40_i64 {
        let (at, name) = (number * SECOND, name(number));
        let from = format!("192.0.2.10:{}", 40_000 + number * 7_919 % 20_000);
        for (qtype, id) in [(dns::A, number as u16 * 2), (dns::AAAA, number as u16 * 2 + 1)] {
            let at = at + i64::from(qtype) * MS / 10;
            scene.query(at, &from, SERVER, id, &name, qtype);
            if number % 6 == 2 {
                scene.query(at + 2 * SECOND, &from, SERVER, id, &name, qtype);
                continue;
            }
            let data = if qtype == dns::A {
                Data::A([192, 0, 2, 80].into())
            } else {
                Data::Aaaa(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x80))
            };
            let answer = dns::answer(id, &name, data);
            let to = Packet::udp(format!("{SERVER}:53").as_str(), from.as_str(), &answer);
            scene.put(at + 9 * MS, to.ttl(ttl(number)));
        }
    }
    scene.lookup(45 * SECOND, 9 * MS, "192.0.2.11:40000", SERVER, 999, "late.example");
    scene
}

#[test]
fn names_asked_in_one_lookup_each_do_not_hide_a_dead_member() {
    let once = |number: i64| format!("host{number}.example");
    let turns = |number: i64| if number * 5 % 7 < 3 { 254 } else { 63 };
    let (_, assessments) = expect(dead_for_sockets(turns, once), "H39");
    assert_eq!(weight(&assessments, "H39", "L86"), None);
    assert_eq!(weight(&assessments, "H39", "L220"), Some(10));
    assert!(!leading(&assessments).contains("H13"), "{:?}", leading(&assessments));
    // Other numbers of routers may be other paths, and one change is one path after the other.
    let paths = |number: i64| if number * 5 % 7 < 3 { 61 } else { 63 };
    assert_eq!(weight(&dead_for_sockets(paths, once).examine().1, "H39", "L220"), Some(2));
    let moved = |number: i64| if number < 20 { 254 } else { 63 };
    assert_eq!(weight(&dead_for_sockets(moved, once).examine().1, "H39", "L220"), None);
    // Names that fail in each of their lookups while others never do are those of a zone or a rule.
    let again = |number: i64| format!("{}.example", if number % 6 == 2 { "gone" } else { "www" });
    let (_, assessments) = dead_for_sockets(|_| 63, again).examine();
    assert_eq!(weight(&assessments, "H13", "L86"), Some(10));
}

#[test]
fn what_is_served_to_others_in_the_same_window_is_a_rule_by_address() {
    let outage = |others_at: i64| {
        let mut scene = mixed(true, |number| (10..20).contains(&number), plain);
        for number in 0..4 {
            let at = others_at + number * SECOND;
            scene.lookup(
                at + 100 * MS,
                9 * MS,
                "192.0.2.77:50000",
                SERVER,
                500 + number as u16,
                "www.example",
            );
        }
        scene.examine().1
    };
    assert_eq!(weight(&outage(5 * SECOND), "H1", "L11"), Some(-20));
    assert_eq!(weight(&outage(5 * SECOND), "H2", "L67"), Some(10));
    // The same answers after the outage say nothing.
    assert_eq!(weight(&outage(20 * SECOND), "H1", "L11"), None);
}

/// Questions of one client that are answered after `trips`; those lost are sent again after two seconds.
fn waiting(count: i64, gap_ns: i64, trip_ns: i64, lost: impl Fn(i64) -> bool) -> Scene {
    let mut scene = Scene::default();
    for number in 0..count {
        let (at, id, name) = (number * gap_ns, number as u16, format!("host{number}.example"));
        let from = format!("192.0.2.10:{}", plain(number));
        if lost(number) {
            scene.query(at, &from, SERVER, id, &name, dns::A);
            scene.lookup(at + 2 * SECOND, trip_ns, &from, SERVER, id, &name);
        } else {
            scene.lookup(at, trip_ns, &from, SERVER, id, &name);
        }
    }
    scene
}

fn led(assessments: &[Assessment]) -> BTreeSet<&'static str> {
    assessments.first().map(|a| a.leading().iter().map(|h| h.id()).collect()).unwrap_or_default()
}

#[test]
fn questions_served_only_when_repeated_are_lost_on_the_path() {
    let (_, assessments) = expect(waiting(60, 300 * MS, 9 * MS, |number| number % 9 == 4), "H29");
    assert_eq!(weight(&assessments, "H29", "L91"), Some(20));
    // One repeat in sixty is ordinary.
    assert!(waiting(60, 300 * MS, 9 * MS, |number| number == 4).examine().1.is_empty());
}

#[test]
fn slow_answers_alone_do_not_part_path_and_server() {
    let slow = || waiting(10, 4 * SECOND, 3 * SECOND, |_| false);
    assert_eq!(led(&slow().examine().1), BTreeSet::from(["H30", "H31"]));
    // What else is known of the path parts them.
    let with_handshake = |trip_ns: i64| {
        let (client, server) = ("192.0.2.10:50123", format!("{SERVER}:443"));
        let mut scene = slow();
        scene.tcp(SECOND, client, &server, flags::SYN, b"");
        scene.tcp(SECOND + trip_ns, &server, client, flags::SYN | flags::ACK, b"");
        led(&scene.examine().1)
    };
    assert_eq!(with_handshake(9 * MS), BTreeSet::from(["H31"]));
    assert_eq!(with_handshake(2_900 * MS), BTreeSet::from(["H30"]));
    // Others answered at once at the same time were not on a slow path.
    let mut scene = slow();
    for number in 0..6 {
        let at = number * 6 * SECOND + 500 * MS;
        scene.lookup(at, 4 * MS, "192.0.2.10:45000", SERVER, 700 + number as u16, "cached.example");
    }
    let (_, assessments) = scene.examine();
    assert_eq!(weight(&assessments, "H30", "L94"), Some(-10));
    assert_eq!(led(&assessments), BTreeSet::from(["H31"]));
    assert!(waiting(10, 4 * SECOND, 90 * MS, |_| false).examine().1.is_empty());
}

#[test]
fn tries_that_fail_with_edns_and_pass_without_name_it() {
    let scene = |edns: bool| {
        let mut scene = Scene::default();
        for number in 0..6_i64 {
            let (at, id, name) = (number * 3 * SECOND, number as u16, format!("host{number}.example"));
            let from = format!("192.0.2.10:{}", plain(number));
            let first = dns::Message::query(id, &name, dns::A);
            let first = if edns { first.edns(1232) } else { first };
            scene.put(at, Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &first.bytes()));
            scene.lookup(at + 1_500 * MS, 9 * MS, &from, SERVER, id, &name);
        }
        scene.examine().1
    };
    let assessments = scene(true);
    assert_eq!(led(&assessments), BTreeSet::from(["H40"]));
    assert!(assessments[0].wording.iter().any(|sentence| sentence.text.contains("EDNS")));
    assert_eq!(weight(&scene(false), "H40", "L89"), None);
}

#[test]
fn one_of_two_queries_sent_at_once_is_lost_in_a_race() {
    let scene = |together: bool| {
        let mut scene = Scene::default();
        for number in 0..8_i64 {
            let (at, id, name) = (number * 7 * SECOND, number as u16 * 2, format!("host{number}.example"));
            let from = format!("192.0.2.10:{}", plain(number));
            scene.lookup(at, 9 * MS, &from, SERVER, id, &name);
            let second = if together { at + MS } else { at + 3 * SECOND };
            let tries: &[i64] = if number % 2 == 0 { &[0, 5 * SECOND] } else { &[0] };
            for wait in tries {
                scene.query(second + wait, &from, SERVER, id + 1, &name, dns::AAAA);
            }
            let answered = second + tries.last().copied().unwrap_or(0) + 9 * MS;
            let none = dns::Message::response(id + 1, &name, dns::AAAA, dns::NO_ERROR).bytes();
            scene.reply(answered, SERVER, &from, &none);
        }
        scene.examine().1
    };
    assert_eq!(led(&scene(true)), BTreeSet::from(["H42"]));
    assert_eq!(weight(&scene(false), "H42", "L90"), None);
}

#[test]
fn a_server_that_cuts_and_drops_the_excess_limits_its_responses() {
    let scene = |cut: bool| {
        let mut scene = Scene::default();
        for number in 0..40_i64 {
            let (at, id) = (number * 60 * MS, number as u16);
            let from = format!("192.0.2.10:{}", plain(number));
            match number % 4 {
                0 if number > 8 => {
                    for again in 0..2 {
                        scene.query(at + again * SECOND, &from, SERVER, id, "www.example", dns::A);
                    }
                }
                1 if cut => {
                    scene.query(at, &from, SERVER, id, "www.example", dns::A);
                    let mut short = dns::Message::response(id, "www.example", dns::A, dns::NO_ERROR).bytes();
                    short[2] |= 2;
                    scene.reply(at + 3 * MS, SERVER, &from, &short);
                }
                _ => scene.lookup(at, 3 * MS, &from, SERVER, id, "www.example"),
            }
        }
        scene.lookup(30 * SECOND, 3 * MS, "192.0.2.11:40000", SERVER, 99, "late.example");
        scene.examine().1
    };
    let limits = |assessments: &[Assessment]| {
        assessments.iter().filter_map(|a| a.hypothesis("H14")).any(|h| h.ledger.iter().any(|r| r.id == "L95"))
    };
    assert!(limits(&scene(true)));
    assert!(!limits(&scene(false)));
}

#[test]
fn names_that_all_lead_to_one_private_address_are_intercepted() {
    let scene = |one: bool| {
        let mut scene = Scene::default();
        for number in 0..6_i64 {
            let (at, id) = (number * SECOND, number as u16);
            let (from, name) = (format!("192.0.2.10:{}", plain(number)), format!("www.zone{number}.example"));
            let last = if one { 1 } else { number as u8 + 1 };
            scene.query(at, &from, SERVER, id, &name, dns::A);
            let answer = dns::answer(id, &name, dns::Data::A([10, 20, 25, last].into()));
            scene.reply(at + MS, SERVER, &from, &answer);
        }
        scene.examine().1
    };
    let assessments = scene(true);
    assert_eq!(led(&assessments), BTreeSet::from(["H36"]));
    assert!(assessments[0].checks.iter().any(|check| check.place == "people"));
    assert!(scene(false).iter().all(|a| a.hypothesis("H36").is_none()));
}

#[test]
fn printed_commands_hold_no_blanks_to_fill_in() {
    for scene in [
        total_silence(),
        mixed(true, |number| number % 3 == 1, plain),
        waiting(10, 4 * SECOND, 3 * SECOND, |_| false),
    ] {
        let (_, assessments) = scene.examine();
        let all = assessments.iter().flat_map(|a| &a.checks);
        assert!(all.clone().count() > 0 && all.clone().all(|check| !check.action.contains('<')));
    }
}
