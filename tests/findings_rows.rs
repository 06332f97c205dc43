//! Ledger rows that one observation each puts in: when they appear, when they do not, and with which weight.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use std::net::Ipv4Addr;

use portmortem::generate::Packet;
use portmortem::generate::dns::{self, Data, Message};
use scene::{MS, SECOND, SERVER, Scene, client, expect, leading, weight};

/// Both servers refuse; the second one's other packets come from `other_ttl`, its errors from the first one's distance.
fn two_refuse(second: &str, other_ttl: Option<u8>) -> Option<i32> {
    let mut scene = Scene::default();
    for number in 0..6_i64 {
        for (server, id) in [(SERVER, 0), (second, 100)] {
            let from = format!("192.0.2.10:{}", 40_000 + number);
            let at = number * 5 * SECOND;
            let query = scene.query(at, &from, server, id + number as u16, "www.example", dns::A);
            scene.put(at + 4 * MS, Packet::port_unreachable(&query).ttl(60));
        }
    }
    if let Some(ttl) = other_ttl {
        let (server, client) =
            (second.parse().expect("an address"), "192.0.2.10".parse().expect("an address"));
        scene.put(SECOND, Packet::echo(client, server, false, 7, 1));
        scene.put(SECOND + 20 * MS, Packet::echo(server, client, true, 7, 1).ttl(ttl));
    }
    let (_, assessments) = scene.examine();
    assert_eq!(weight(&assessments, "H1", "L66"), None);
    weight(&assessments, "H3", "L66")
}

#[test]
fn one_distance_points_in_front_only_of_servers_that_should_stand_apart() {
    assert_eq!(two_refuse("198.51.100.54", None), None);
    assert_eq!(two_refuse("203.0.113.54", None), Some(5));
    assert_eq!(two_refuse("198.51.100.54", Some(50)), Some(5));
    assert_eq!(two_refuse("198.51.100.54", Some(60)), None);
}

/// Refusals `gap_ns` apart.
fn refusals(count: i64, gap_ns: i64, delay_ns: i64) -> Scene {
    let mut scene = Scene::default();
    for number in 0..count {
        let from = format!("192.0.2.10:{}", 40_000 + number);
        let query = scene.query(number * gap_ns, &from, SERVER, number as u16, "www.example", dns::A);
        scene.put(number * gap_ns + delay_ns, Packet::port_unreachable(&query).ttl(60));
    }
    scene
}

#[test]
fn errors_that_keep_coming_for_minutes_speak_against_a_forger() {
    assert_eq!(weight(&refusals(8, 20 * SECOND, 9 * MS).examine().1, "H17", "L68"), Some(-5));
    // A burst within seconds, or errors too late for what they say, show no such patience.
    assert_eq!(weight(&refusals(8, SECOND, 9 * MS).examine().1, "H17", "L68"), None);
    assert_eq!(weight(&refusals(8, 20 * SECOND, 9 * SECOND).examine().1, "H17", "L68"), None);
}

/// A DHCP acknowledgement that gives one name server (RFC 2131 §2, RFC 2132 §3.8).
fn lease(name_server: Ipv4Addr) -> Packet {
    let mut message = vec![0; 236];
    message[..3].copy_from_slice(&[2, 1, 6]);
    message.extend([99, 130, 83, 99, 53, 1, 5, 6, 4]);
    message.extend(name_server.octets());
    message.push(255);
    Packet::udp("192.0.2.1:67", "192.0.2.10:68", &message)
}

#[test]
fn what_dhcp_hands_out_tells_whether_the_address_was_meant_to_be_asked() {
    let with = |given: &str| {
        let mut scene = refusals(6, 5 * SECOND, 9 * MS);
        scene.put(-SECOND, lease(given.parse().expect("an address")));
        weight(&scene.examine().1, "H4", "L73")
    };
    assert_eq!(with(SERVER), Some(10));
    assert_eq!(with("198.51.100.99"), Some(5));
    assert_eq!(weight(&refusals(6, 5 * SECOND, 9 * MS).examine().1, "H4", "L73"), None);
}

/// A resolver asks a parent for names in a zone, gets a referral with glue, and asks the server it names.
fn delegated(answer: impl Fn(u16, &str) -> Vec<u8>) -> Scene {
    let mut scene = Scene::default();
    let (resolver, parent, child) = ("192.0.2.53", "203.0.113.1", SERVER);
    for number in 0..6_i64 {
        let (at, id) = (number * 5 * SECOND, number as u16);
        let from = format!("{resolver}:{}", 40_000 + number);
        let name = format!("www{number}.lame.example");
        let mut asked = dns::query(id, &name, dns::A);
        asked[2] &= !1;
        scene.put(at, Packet::udp(from.as_str(), format!("{parent}:53").as_str(), &asked));
        let mut referral = Message::response(id, &name, dns::A, dns::NO_ERROR).bytes();
        referral[2..4].copy_from_slice(&[0x80, 0]);
        referral[8..12].copy_from_slice(&[0, 1, 0, 1]);
        let wire = |name: &str| -> Vec<u8> {
            let labels =
                name.split('.').flat_map(|label| std::iter::once(label.len() as u8).chain(label.bytes()));
            labels.chain([0]).collect()
        };
        let server = wire("ns.lame.example");
        referral.extend(wire("lame.example"));
        referral.extend([0, 2, 0, 1, 0, 0, 0, 60, 0, server.len() as u8]);
        referral.extend(&server);
        referral.extend(&server);
        referral.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        referral.extend(child.parse::<Ipv4Addr>().expect("an address").octets());
        scene.reply(at + 9 * MS, parent, &from, &referral);
        let from = format!("{resolver}:{}", 50_000 + number);
        scene.put(at + 20 * MS, Packet::udp(from.as_str(), format!("{child}:53").as_str(), &asked));
        scene.reply(at + 30 * MS, child, &from, &answer(id, &name));
    }
    scene
}

#[test]
fn a_server_that_does_not_serve_what_a_referral_hands_it_is_lame() {
    for code in [dns::REFUSED, dns::SERVER_FAILURE] {
        let scene = delegated(|id, name| Message::response(id, name, dns::A, code).bytes());
        let (_, assessments) = expect(scene, "H16");
        assert_eq!(weight(&assessments, "H16", "L53"), Some(20));
    }
    // It answers, but without being authoritative for the zone.
    let borrowed = delegated(|id, name| dns::answer(id, name, Data::A([192, 0, 2, 80].into())));
    let (found, assessments) = expect(borrowed, "H16");
    assert_eq!(weight(&assessments, "H1", "L53"), None, "excluded, not weighed");
    assert!(found.iter().any(|finding| finding.id == "misaddressed-answer"));
    // An authoritative answer is what it should be.
    let proper = delegated(|id, name| {
        let mut answer = dns::answer(id, name, Data::A([192, 0, 2, 80].into()));
        answer[2] |= 4;
        answer
    });
    let (found, assessments) = proper.examine();
    assert!(assessments.is_empty() && found.is_empty(), "{found:?}");
}

#[test]
fn a_refusal_of_questions_sent_to_a_resolver_is_policy_not_lameness() {
    let mut scene = Scene::default();
    for number in 0..6_i64 {
        let from = format!("192.0.2.10:{}", 40_000 + number);
        scene.query(number * SECOND, &from, SERVER, number as u16, "www.example", dns::A);
        let refused = dns::failure(number as u16, "www.example", dns::A, dns::REFUSED);
        scene.reply(number * SECOND + 9 * MS, SERVER, &from, &refused);
    }
    let (_, assessments) = expect(scene, "H14");
    assert_eq!(weight(&assessments, "H16", "L53"), None);
}

/// Forty lookups a second apart; those `refused` are refused, the others answered.
fn alternating(refused: impl Fn(i64) -> bool) -> Scene {
    let mut scene = Scene::default();
    for number in 0..40_i64 {
        let (at, id) = (number * SECOND, number as u16);
        let from = client(number as usize);
        if refused(number) {
            let query = scene.query(at, &from, SERVER, id, "www.example", dns::A);
            scene.put(at + 9 * MS, Packet::port_unreachable(&query).ttl(57));
        } else {
            scene.lookup(at, 9 * MS, &from, SERVER, id, "www.example");
        }
    }
    scene
}

#[test]
fn a_service_that_stops_twice_is_no_rule_that_serves_some() {
    // Down, up, down: the service answers between failures, but never while it fails.
    let (_, assessments) = expect(alternating(|number| !(13..27).contains(&number)), "H1");
    assert_eq!(weight(&assessments, "H1", "L11"), None);
    // Every other client refused all the time: the service runs.
    let (_, assessments) = expect(alternating(|number| number % 2 == 0), "H2");
    assert_eq!(weight(&assessments, "H1", "L11"), Some(-20));
    assert!(!leading(&assessments).contains("H1"));
}
