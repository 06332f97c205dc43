//! What one host or one cause does is told once: pings and traces, several addresses of one host, waits behind another failure.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

mod scene;

use std::net::IpAddr;

use portmortem::attempts::{Attempts, Kind, Outcome};
use portmortem::findings::Finding;
use portmortem::generate::Packet;
use portmortem::generate::dns::{self, Data};
use portmortem::report::{Block, Report};
use scene::{MS, SECOND, SERVER, START_NS, Scene};

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
    let attempts = Attempts::of(&examined.1);
    attempts.all.iter().filter(|own| own.kind == Kind::Echo).map(|own| (own.outcome, own.counts)).collect()
}

fn statement(found: &[Finding], part: &str) -> Option<String> {
    found.iter().find(|own| own.statement.contains(part)).map(|own| own.statement.clone())
}

#[test]
fn pings_of_two_requests_each_are_counted_together() {
    let (found, _) = silent_pings(5).examine();
    let told = statement(&found, "pings").unwrap_or_else(|| panic!("{found:?}"));
    assert!(
        told.starts_with(
            "10 of 10 pings from 192.0.2.10 to 203.0.113.30 were without any reply; no answer of that host is"
        ),
        "{told}"
    );
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
    assert!(
        told.starts_with(
            "10 of 10 pings from 192.0.2.10 to 203.0.113.30 were without any reply; no answer of that host is"
        ),
        "{told}"
    );
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

/// The text of a claim of the summary.
fn claim(report: &Report, id: &str) -> Option<String> {
    let mut blocks = report.sections.iter().flat_map(|section| &section.blocks);
    blocks.find_map(|block| match block {
        Block::Claim(claim) if claim.id == id => Some(claim.text.clone()),
        _ => None,
    })
}

fn summary(report: &Report) -> String {
    let section = report.sections.iter().find(|section| section.id == "summary").unwrap();
    let texts = section.blocks.iter().filter_map(|block| match block {
        Block::Claim(claim) => Some(claim.text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

const SECOND_SERVER: &str = "203.0.113.53";

/// Lookups that the first resolver answers, then leaves in silence, so that the second answers them three seconds later.
fn failing_over() -> Scene {
    let mut scene = Scene::default();
    for number in 0..20_u16 {
        let at = i64::from(number) * 5 * SECOND;
        let (from, name) = (format!("{PINGER}:{}", 40_000 + number), format!("h{number}.example.org"));
        if number < 6 {
            scene.lookup(at, 8 * MS, &from, SERVER, number, &name);
            continue;
        }
        scene.query(at, &from, SERVER, number, &name, dns::A);
        scene.lookup(at + 3 * SECOND, 8 * MS, &from, SECOND_SERVER, number, &name);
    }
    scene
}

/// Requests for the time, each refused.
fn refused_time(scene: &mut Scene) {
    for number in 0..4_i64 {
        let from = format!("{PINGER}:{}", 50_000 + number);
        let request = Packet::udp(from.as_str(), "198.51.100.80:123", &[0x23; 48]);
        let request = scene.put(number * 7 * SECOND, request);
        scene.put(number * 7 * SECOND + MS, Packet::port_unreachable(&request));
    }
}

#[test]
fn lookups_that_all_wait_lead_before_refused_requests_for_the_time() {
    let mut scene = failing_over();
    refused_time(&mut scene);
    let report = scene.report();
    assert!(report.title.contains(SERVER), "{}", report.title);
    for (id, part) in [("summary.seen", SERVER), ("summary.cause", SERVER), ("summary.next", SERVER)] {
        let text = claim(&report, id).unwrap();
        assert!(text.contains(part), "{id}: {text}");
    }
    assert!(claim(&report, "summary.beside").unwrap().contains("time (NTP)"), "{}", summary(&report));
}

#[test]
fn what_leads_before_lookups_has_the_first_lines() {
    let mut scene = failing_over();
    for number in 0..12_u16 {
        let from = format!("{PINGER}:{}", 51_000 + number);
        for again in 0..3 {
            let at = i64::from(number) * 8 * SECOND + i64::from(again) * 2 * SECOND;
            scene.tcp(at, &from, "198.51.100.80:443", 2, b"");
        }
    }
    let report = scene.report();
    assert!(report.title.contains("198.51.100.80"), "{}", report.title);
    assert!(claim(&report, "summary.seen").unwrap().contains("198.51.100.80"), "{}", summary(&report));
    assert!(claim(&report, "summary.seen.dns").unwrap().contains(SERVER), "{}", summary(&report));
}

#[test]
fn waits_of_failed_questions_are_no_further_incident() {
    let report = failing_over().report();
    let text = summary(&report);
    assert!(text.contains("got neither an answer nor an error"), "{text}");
    assert!(!text.contains("Another incident") && !text.contains("Its effect"), "{text}");
}

/// A forwarder whose upstream answers after three seconds.
fn slow_behind(forwards: bool) -> Scene {
    let mut scene = Scene::default();
    for number in 0..16_u16 {
        let at = i64::from(number) * 5 * SECOND;
        let name = format!("h{number}.example.org");
        let from = format!("{PINGER}:{}", 40_000 + number);
        scene.lookup(at, 3 * SECOND + 4 * MS, &from, SERVER, number, &name);
        let asked = if forwards { name } else { format!("other{number}.example.net") };
        let upstream = format!("{SERVER}:{}", 20_000 + number);
        scene.lookup(at + 2 * MS, 3 * SECOND, &upstream, SECOND_SERVER, 700 + number, &asked);
    }
    scene
}

#[test]
fn a_server_that_waits_for_another_is_no_second_cause() {
    for (forwards, incidents) in [(true, 1), (false, 2)] {
        let examined = slow_behind(forwards).review();
        let titles: Vec<_> = examined.assessments.iter().filter_map(|own| own.title.clone()).collect();
        assert_eq!(titles.len(), incidents, "{titles:?}");
        assert_eq!(titles.last().unwrap(), "DNS answers of 203.0.113.53 are slow");
    }
    let text = summary(&slow_behind(true).report());
    assert!(text.contains("Its effect: 16 of 16 lookups of 192.0.2.10 at 198.51.100.53 waited"), "{text}");
}

const CLIENT_LINK: [u8; 6] = [2, 0, 0, 0, 0, 0x21];
const SERVER_LINK: [u8; 6] = [2, 0, 0, 0, 0, 0x53];
const OTHER_LINK: [u8; 6] = [2, 0, 0, 0, 0, 0x54];

/// A resolver that loses its IPv6 address; the same client asks its IPv4 address three seconds later. `second` is the link address
/// of that.
fn address_removed(second: [u8; 6]) -> Scene {
    let mut scene = Scene::default();
    let mut put = |at: i64, packet: &Packet, from, to| {
        scene.packets.push((START_NS + at, packet.ethernet_between(from, to)));
    };
    for number in 0..16_u16 {
        let at = i64::from(number) * 5 * SECOND;
        let (id, name) = (number, format!("h{number}.example.org"));
        let question = dns::query(id, &name, dns::A);
        let message = dns::answer(id, &name, Data::A([192, 0, 2, 80].into()));
        let (from, to) = (format!("[2001:db8:10::21]:{}", 40_000 + number), "[2001:db8:10::53]:53");
        put(at, &Packet::udp(from.as_str(), to, &question), CLIENT_LINK, SERVER_LINK);
        if number < 6 {
            put(at + 2 * MS, &Packet::udp(to, from.as_str(), &message), SERVER_LINK, CLIENT_LINK);
            continue;
        }
        let (own, target) = (address("2001:db8:10::21"), address("2001:db8:10::53"));
        let IpAddr::V6(bytes) = target else { return scene };
        let solicit = |to: IpAddr| Packet::icmp(own, to, 135, 0, [0; 4], &bytes.octets()).ttl(255);
        for again in 0..3 {
            let to = address("ff02::1:ff00:53");
            put(at + again * SECOND, &solicit(to), CLIENT_LINK, [0x33, 0x33, 0xff, 0, 0, 0x53]);
        }
        let (from, to) = (format!("192.0.2.21:{}", 40_000 + number), "192.0.2.53:53");
        put(at + 3 * SECOND, &Packet::udp(from.as_str(), to, &question).id(number + 1), CLIENT_LINK, second);
        put(
            at + 3 * SECOND + MS,
            &Packet::udp(to, from.as_str(), &message).id(number + 9),
            second,
            CLIENT_LINK,
        );
    }
    scene
}

#[test]
fn a_client_with_two_families_is_one_and_a_host_whose_other_address_answers_is_there() {
    let text = summary(&address_removed(SERVER_LINK).report());
    assert!(!text.contains("ot affected"), "{text}");
    assert!(text.contains("held the address 2001:db8:10::53 any more, although its host is there"), "{text}");
    let text = summary(&address_removed(OTHER_LINK).report());
    assert!(!text.contains("although its host is there"), "another host answers: {text}");
}
