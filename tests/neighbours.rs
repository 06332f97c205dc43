//! Requests for link addresses that nobody answers: whose, since when, and what waits behind them.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::{Arp, Packet, arp};
use scene::{SECOND, START_NS, Scene};

const CLIENT: &str = "192.0.2.10";
const GATEWAY: &str = "192.0.2.1";
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 10];
const GATEWAY_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn request(scene: &mut Scene, at_ns: i64, from: &str, target: &str) {
    let request = Arp {
        operation: 1,
        sender_mac: CLIENT_MAC,
        sender: from.parse().expect("an address"),
        target_mac: [0; 6],
        target: target.parse().expect("an address"),
    };
    scene.packets.push((START_NS + at_ns, arp(&request)));
}

fn reply(scene: &mut Scene, at_ns: i64, from: &str) {
    let reply = Arp {
        operation: 2,
        sender_mac: GATEWAY_MAC,
        sender: from.parse().expect("an address"),
        target_mac: CLIENT_MAC,
        target: CLIENT.parse().expect("an address"),
    };
    scene.packets.push((START_NS + at_ns, arp(&reply)));
}

/// `bursts` attempts of three requests a second apart.
fn attempts(scene: &mut Scene, at_ns: i64, bursts: i64, target: &str) {
    for burst in 0..bursts {
        for number in 0..3 {
            request(scene, at_ns + (burst * 4 + number) * SECOND, CLIENT, target);
        }
    }
}

/// A frame with these link addresses.
fn framed(scene: &mut Scene, at_ns: i64, (from, to): ([u8; 6], [u8; 6]), packet: &Packet) {
    scene.packets.push((START_NS + at_ns, packet.ethernet_between(from, to)));
}

fn beyond(scene: &mut Scene, at_ns: i64) {
    let out = Packet::udp(format!("{CLIENT}:5000").as_str(), "203.0.113.9:5000", b"there");
    framed(scene, at_ns, (CLIENT_MAC, GATEWAY_MAC), &out);
    let back = Packet::udp("203.0.113.9:5000", format!("{CLIENT}:5000").as_str(), b"back").ttl(58);
    framed(scene, at_ns + SECOND / 100, (GATEWAY_MAC, CLIENT_MAC), &back);
}

fn unanswered(scene: Scene) -> Vec<Finding> {
    let (found, _) = scene.examine();
    found.into_iter().filter(|finding| finding.id == "arp-unanswered").collect()
}

fn only(scene: Scene) -> Finding {
    let found = unanswered(scene);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("a finding")
}

#[test]
fn a_next_hop_that_stops_answering_is_an_outage_of_everything_beyond_it() {
    let mut scene = Scene::default();
    request(&mut scene, 0, CLIENT, GATEWAY);
    reply(&mut scene, SECOND / 100, GATEWAY);
    beyond(&mut scene, SECOND);
    attempts(&mut scene, 30 * SECOND, 3, GATEWAY);
    let found = only(scene);
    assert_eq!(found.severity, Severity::High);
    assert!(found.statement.starts_with("9 requests of 192.0.2.10 for the link address of 192.0.2.1"));
    assert!(found.statement.contains("after F4; it was the way to other networks"), "{}", found.statement);
}

#[test]
fn a_sign_of_life_ends_a_run_and_between_requests_there_is_none() {
    // Nine requests in vain are an outage, also where it ended.
    let mut late_reply = Scene::default();
    reply(&mut late_reply, 0, GATEWAY);
    beyond(&mut late_reply, SECOND);
    attempts(&mut late_reply, 30 * SECOND, 3, GATEWAY);
    reply(&mut late_reply, 60 * SECOND, GATEWAY);
    assert_eq!(only(late_reply).severity, Severity::High);
    // Where each third request is answered, none is.
    let mut answered = Scene::default();
    reply(&mut answered, 0, GATEWAY);
    beyond(&mut answered, SECOND);
    for burst in 0..3 {
        attempts(&mut answered, (30 + burst * 10) * SECOND, 1, GATEWAY);
        reply(&mut answered, (32 + burst * 10) * SECOND + SECOND / 100, GATEWAY);
    }
    assert!(unanswered(answered).is_empty());
    // Packets it forwards show it as well, by the link address they come from.
    let mut forwarding = Scene::default();
    reply(&mut forwarding, 0, GATEWAY);
    beyond(&mut forwarding, SECOND);
    for burst in 0..3 {
        attempts(&mut forwarding, (30 + burst * 10) * SECOND, 1, GATEWAY);
        beyond(&mut forwarding, (33 + burst * 10) * SECOND);
    }
    assert!(unanswered(forwarding).is_empty());
}

#[test]
fn where_only_questions_are_visible_nothing_is_told() {
    let mut scene = Scene::default();
    for number in 0..20i64 {
        let from = format!("192.0.2.{}", 20 + number % 5);
        request(&mut scene, number * SECOND, &from, "192.0.2.200");
    }
    scene.put(SECOND, Packet::udp("192.0.2.77:4000", "192.0.2.78:4000", b"others"));
    assert!(unanswered(scene).is_empty());
}

#[test]
fn a_host_that_only_asks_is_told_from_nine_requests_in_three_attempts_on() {
    let asked = |bursts| {
        let mut scene = Scene::default();
        attempts(&mut scene, 0, bursts, "192.0.2.53");
        only(scene)
    };
    assert_eq!((asked(3).severity, asked(2).severity), (Severity::Low, Severity::Info));
    assert!(!asked(3).statement.contains("resolver"));
}
