//! What one host or one cause does is told once: pings and traces, several addresses of one host, waits behind another failure.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

mod scene;

use std::net::IpAddr;

use portmortem::attempts::{Attempts, Kind, Outcome};
use portmortem::findings::Finding;
use portmortem::generate::Packet;
use scene::{MS, SECOND, SERVER, Scene};

const PINGED: &str = "203.0.113.30";
const ROUTER: &str = "192.0.2.1";
const PINGER: &str = "192.0.2.10";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn request(id: u16, sequence: u16, ttl: u8) -> Packet {
    Packet::echo(address(PINGER), address(PINGED), false, id, sequence).ttl(ttl)
}

/// Pings of two requests each, with an identifier of their own, that nobody answers; the pinger is answered by others.
fn silent_pings(runs: u16) -> Scene {
    let mut scene = Scene::default();
    for run in 0..runs {
        let at = i64::from(run) * 3 * SECOND;
        scene.put(at, request(900 + run, 1, 64));
        scene.put(at + 300 * MS, request(900 + run, 2, 64));
        scene.lookup(
            at + SECOND,
            8 * MS,
            &format!("{PINGER}:{}", 40_000 + run),
            SERVER,
            run,
            "www.example.org",
        );
    }
    scene
}

fn pings(scene: Scene) -> Vec<(Outcome, (u32, u32))> {
    let examined = scene.load();
    let attempts = Attempts::follow(&examined.0, &examined.1);
    attempts.all.iter().filter(|own| own.kind == Kind::Echo).map(|own| (own.outcome, own.counts)).collect()
}

fn statement(found: &[Finding], part: &str) -> Option<String> {
    found.iter().find(|own| own.statement.contains(part)).map(|own| own.statement.clone())
}

#[test]
fn pings_of_two_requests_each_are_counted_together() {
    let (found, _) = silent_pings(5).examine();
    let told = statement(&found, "pings").unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(told, "10 of 10 pings from 192.0.2.10 to 203.0.113.30 were without any reply");
    let alone = pings(silent_pings(1));
    assert_eq!(alone, [(Outcome::Undetermined, (2, 0))], "two lost pings tell nothing");
}

#[test]
fn an_error_about_a_traceroute_probe_is_none_about_pings() {
    let mut scene = silent_pings(5);
    for hop in 1..=5_u16 {
        let probe = scene.put(16 * SECOND + i64::from(hop) * MS, request(77, hop, hop as u8));
        if hop == 1 {
            scene.put(16 * SECOND + MS + MS / 2, Packet::error_about(address(ROUTER), 11, 0, &probe));
        }
    }
    let (found, _) = scene.examine();
    let told = statement(&found, "pings").unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(told, "10 of 10 pings from 192.0.2.10 to 203.0.113.30 were without any reply");
}

#[test]
fn an_error_is_joined_to_the_pings_whose_identifier_it_quotes() {
    let mut scene = Scene::default();
    for sequence in 0..4_u16 {
        let at = i64::from(sequence) * SECOND;
        scene.put(at, request(1, sequence, 64));
        let refused = scene.put(at + 10 * MS, request(2, sequence, 64));
        scene.put(at + 12 * MS, Packet::error_about(address(ROUTER), 3, 1, &refused));
    }
    let told = pings(scene);
    assert_eq!(told, [(Outcome::NoReply, (4, 0)), (Outcome::RefusedByIcmp(false, 3, 1), (4, 0))]);
}

#[test]
fn probes_with_rising_hops_are_a_trace_without_any_error_too() {
    let mut scene = silent_pings(0);
    for hop in 1..=9_u16 {
        scene.put(i64::from(hop) * SECOND, request(5, hop, hop as u8));
    }
    assert_eq!(pings(scene), []);
}

#[test]
fn a_system_that_uses_one_identifier_pings_and_traces_apart() {
    let mut scene = Scene::default();
    for number in 0..6_u16 {
        let at = i64::from(number) * SECOND;
        scene.put(at, request(1, 2 * number, 128));
        scene.put(at + 5 * MS, request(1, 2 * number + 1, number as u8 + 1));
        scene.put(at + 8 * MS, Packet::echo(address(PINGED), address(PINGER), true, 1, 2 * number).ttl(60));
    }
    assert_eq!(pings(scene), [(Outcome::Answered, (6, 6))]);
}
