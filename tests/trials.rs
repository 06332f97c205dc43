//! What hosts try on purpose and servers hold back on purpose: encrypted DNS left for plain DNS, addresses swept, single datagrams of
//! who looks around, limits on the rate of answers. None of it is an outage, and what only looks alike is.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use std::net::IpAddr;

use portmortem::findings::hypotheses::Assessment;
use portmortem::findings::{Finding, Severity};
use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::link::ethernet;
use portmortem::generate::{Packet, Segment, flags};
use scene::{MS, SECOND, SERVER, START_NS, Scene, leading};

const TESTER: &str = "192.0.2.14";
const ROUTER: &str = "192.0.2.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn told<'f>(found: &'f [Finding], id: &str) -> Option<&'f Finding> {
    found.iter().find(|finding| finding.id == id)
}

fn worst(found: &[Finding]) -> Severity {
    found.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Info)
}

/// A SYN and the reset that answers it.
fn refused(scene: &mut Scene, at: i64, from: &str, to: &str) {
    let syn = Segment { flags: flags::SYN, sequence: 7, ..Segment::default() };
    let reset = Segment { flags: flags::RST | flags::ACK, sequence: 0, acknowledgment: 8 };
    scene.put(at, Packet::tcp(from, to, syn, b""));
    scene.put(at + MS, Packet::tcp(to, from, reset, b"").ttl(57));
}

/// Encrypted DNS refused by two servers; the same host then looks names up in plain DNS, or only the server's own name.
fn opportunistic(name: Option<&str>, families: bool) -> Scene {
    let mut scene = Scene::default();
    let link = [2, 0, 0, 0, 0, 0x12];
    let second = if families { "[2001:db8:1::12]:40001" } else { "192.0.2.12:40001" };
    let server = if families { "[2001:db8:2::54]:853" } else { "198.51.100.54:853" };
    for (at, from, to) in [(0, "192.0.2.12:40000", "198.51.100.53:853"), (3 * MS, second, server)] {
        let before = scene.packets.len();
        refused(&mut scene, at, from, to);
        // Both addresses are those of one host.
        scene.packets[before].1[6..12].copy_from_slice(&link);
    }
    let resolver = dns::answer(1, "dns.example", Data::A([198, 51, 100, 53].into()));
    scene.query(-SECOND, "192.0.2.12:30001", SERVER, 1, "dns.example", dns::A);
    scene.reply(-SECOND + MS, SERVER, "192.0.2.12:30001", &resolver);
    if let Some(name) = name {
        let before = scene.packets.len();
        scene.query(6 * MS, "192.0.2.12:30002", SERVER, 2, name, dns::A);
        scene.reply(
            8 * MS,
            SERVER,
            "192.0.2.12:30002",
            &dns::answer(2, name, Data::A([192, 0, 2, 80].into())),
        );
        scene.packets[before].1[6..12].copy_from_slice(&link);
    }
    scene.lookup(30 * SECOND, MS, "192.0.2.99:30003", SERVER, 3, "late.example");
    scene
}

#[test]
fn encrypted_dns_that_is_refused_and_left_for_plain_dns_is_a_note() {
    let (found, assessments) = opportunistic(Some("www.example"), true).examine();
    let own = told(&found, "tcp-failures").or(told(&found, "site-down")).unwrap();
    assert_eq!(worst(&found), Severity::Info, "{found:?}");
    assert!(assessments.is_empty());
    assert!(own.statement.contains("from 192.0.2.12 (also 2001:db8:1::12) to"), "{}", own.statement);
    assert!(
        own.statement.contains("asked in plain DNS and was answered (198.51.100.53)"),
        "{}",
        own.statement
    );
}

#[test]
fn encrypted_dns_that_is_refused_to_who_wants_nothing_else_is_a_failure() {
    // Looking up the name of the encrypted server itself serves nobody.
    for name in [None, Some("dns.example")] {
        let (found, assessments) = opportunistic(name, false).examine();
        assert_eq!(worst(&found), Severity::High, "{found:?}");
        // Nothing listens is among what leads where several servers that never offered it refuse.
        assert!(leading(&assessments).contains("H1"), "{:?}", leading(&assessments));
    }
}

/// A request of the router for the link address of another.
fn sought(scene: &mut Scene, at: i64, address: &str) {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (ip("198.51.100.1"), ip(address)) else { return };
    let link = [2, 0, 198, 51, 100, 1];
    let mut request = vec![0, 1, 8, 0, 6, 4, 0, 1];
    request.extend(link);
    request.extend(from.octets());
    request.extend([0; 6]);
    request.extend(to.octets());
    scene.packets.push((START_NS + at, ethernet(link, [0xff; 6], &[], 0x0806, &request)));
}

/// Pings to addresses, each reported unreachable by the router; the first one answers where it is asked to.
fn pinged(addresses: &[String], answers: bool) -> Scene {
    let mut scene = Scene::default();
    for (number, address) in addresses.iter().enumerate() {
        let at = number as i64 * 50 * MS;
        let ping = scene.put(at, Packet::echo(ip(TESTER), ip(address), false, 7, number as u16));
        if number == 0 && answers {
            scene.put(at + MS, Packet::echo(ip(address), ip(TESTER), true, 7, number as u16).ttl(63));
        } else {
            scene.put(at + 3 * SECOND, Packet::error_about(ip(ROUTER), 3, 1, &ping));
            // The router looks for it on the other side.
            for second in 0..3 {
                sought(&mut scene, at + MS + second * SECOND, address);
            }
        }
    }
    scene.lookup(30 * SECOND, MS, "192.0.2.99:30003", SERVER, 3, "late.example");
    scene
}

#[test]
fn a_row_of_addresses_that_is_pinged_is_one_note() {
    let row: Vec<String> = (40..70).map(|last| format!("198.51.100.{last}")).collect();
    let (found, assessments) = pinged(&row, true).examine();
    let own = told(&found, "address-sweep").unwrap();
    assert_eq!((own.severity, assessments.len()), (Severity::Info, 0), "{found:?}");
    assert!(own.statement.contains("pinged 30 addresses one after another; 29 of them"), "{}", own.statement);
    assert!(told(&found, "datagrams-refused").is_none(), "{found:?}");
    // Nor are the router's requests for those addresses missed.
    assert_eq!(worst(&found), Severity::Info, "{found:?}");
    // Where nothing of the row answers, the network may be gone.
    let (found, _) = pinged(&row, false).examine();
    assert_eq!(told(&found, "address-sweep").unwrap().severity, Severity::Low);
    // A monitor pings what is there, wherever it lies.
    let hosts: Vec<String> = (4..16).map(|last| format!("198.51.100.{}", last * 11)).collect();
    let (found, _) = pinged(&hosts, false).examine();
    assert!(told(&found, "address-sweep").is_none(), "{found:?}");
    assert!(told(&found, "datagrams-refused").is_some(), "{found:?}");
}

/// Two datagrams that are refused, of a host that traced a path before, or did not.
fn probed(traces: bool, port: u16) -> Scene {
    let mut scene = Scene::default();
    let target = "203.0.113.10";
    if traces {
        for hops in 1..4u8 {
            let to = format!("{target}:{}", 44_444 + u16::from(hops));
            let probe = Packet::udp("192.0.2.14:50000", to.as_str(), &[0; 12]).ttl(hops);
            let at = i64::from(hops) * 20 * MS;
            let probe = scene.put(at, probe);
            let error = match hops {
                3 => Packet::port_unreachable(&probe),
                hops => Packet::error_about(ip(&format!("192.0.2.{hops}")), 11, 0, &probe),
            };
            scene.put(at + MS, error);
        }
    }
    for number in 0..2u16 {
        let (from, to) = (format!("{TESTER}:{}", 2_000 + number), format!("{target}:{port}"));
        let at = SECOND + i64::from(number) * SECOND;
        let probe = scene.put(at, Packet::udp(from.as_str(), to.as_str(), b""));
        scene.put(at + MS, Packet::port_unreachable(&probe));
    }
    scene.lookup(30 * SECOND, MS, "192.0.2.99:30003", SERVER, 3, "late.example");
    scene
}

#[test]
fn single_datagrams_of_who_traces_paths_are_probes() {
    let examined = probed(true, 9).review();
    let own = told(&examined.findings, "datagrams-refused").unwrap();
    assert_eq!(worst(&examined.findings), Severity::Info, "{:?}", examined.findings);
    assert!(own.statement.ends_with("single datagrams of such a host are probes"), "{}", own.statement);
    // The goal of the trace answered it, and what an ICMP error tells of is not said to be untold.
    let items = &examined.coverage.not_assessed;
    assert!(
        items.iter().any(|item| item.kind == portmortem::findings::coverage::OpenKind::Traced),
        "{items:?}"
    );
    let untold =
        [portmortem::findings::coverage::OpenKind::OneWay, portmortem::findings::coverage::OpenKind::Notices];
    assert!(items.iter().all(|item| !untold.contains(&item.kind)), "{items:?}");
    let (found, _) = probed(false, 9).examine();
    assert_eq!(told(&found, "datagrams-refused").unwrap().severity, Severity::High, "{found:?}");
}

/// Questions of two clients; of the first, some are answered by the demand for a cookie and some not at all, and each of those is
/// asked again with the cookie. The other one is always answered.
fn limited(always: bool) -> (Vec<Finding>, Vec<Assessment>) {
    let mut scene = Scene::default();
    let name = "h1.pub.example";
    for number in 0..60_u16 {
        let at = i64::from(number) * 20 * MS;
        let from = format!("203.0.113.10:{}", 40_000 + number);
        let asks = Message::query(number, name, dns::A).edns(1232).cookie([1; 8]).bytes();
        let whole = Message::response(number, name, dns::A, dns::NO_ERROR)
            .answer(Data::A([203, 0, 113, 1].into()))
            .edns(1232)
            .bytes();
        scene.put(at, Packet::udp(from.as_str(), "198.51.100.53:53", &asks));
        let wants = Message::response(number, name, dns::A, 7).edns(1232).bytes();
        match number % 3 {
            _ if always => drop(scene.reply(at + MS, SERVER, &from, &wants)),
            0 => drop(scene.reply(at + MS, SERVER, &from, &whole)),
            1 => drop(scene.reply(at + MS, SERVER, &from, &wants)),
            _ => {
                let again = format!("203.0.113.10:{}", 50_000 + number);
                scene.put(at + 60 * MS, Packet::udp(again.as_str(), "198.51.100.53:53", &asks));
                scene.reply(at + 61 * MS, SERVER, &again, &whole);
            }
        }
        scene.lookup(
            at + 5 * MS,
            MS,
            &format!("192.0.2.11:{}", 30_000 + number),
            SERVER,
            number,
            "www.pub.example",
        );
    }
    scene.lookup(30 * SECOND, MS, "192.0.2.99:30003", SERVER, 3, "late.example");
    scene.examine()
}

#[test]
fn a_demand_for_a_cookie_beside_silence_is_a_limit_on_the_rate_of_answers() {
    let (found, assessments) = limited(false);
    let own = told(&found, "responses-limited").unwrap();
    assert!(own.statement.contains("asked 20 times for a cookie (BADCOOKIE)"), "{}", own.statement);
    assert!(own.statement.contains("all to 203.0.113.10"), "{}", own.statement);
    assert_eq!(told(&found, "unanswered-queries").unwrap().severity, Severity::Low, "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H14"]);
    // Who always wants a cookie limits nothing.
    assert!(told(&limited(true).0, "responses-limited").is_none());
}

/// SYNs that leave with more hops each: routers end the first ones, the goal resets those that reach it, or nothing comes back.
fn traced_by_syns(rises: bool) -> Scene {
    let mut scene = Scene::default();
    let target = "203.0.113.10:443";
    for number in 1..7u8 {
        let syn = Segment { flags: flags::SYN, sequence: 7, ..Segment::default() };
        let from = format!("{TESTER}:{}", 40_000 + u16::from(number));
        let at = i64::from(number) * 20 * MS;
        let hops = if rises { number } else { 64 };
        let probe = scene.put(at, Packet::tcp(from.as_str(), target, syn, b"").ttl(hops));
        if hops < 3 {
            scene.put(at + MS, Packet::error_about(ip(&format!("192.0.2.{hops}")), 11, 0, &probe));
        } else {
            let reset = Segment { flags: flags::RST | flags::ACK, sequence: 0, acknowledgment: 8 };
            scene.put(at + MS, Packet::tcp(target, from.as_str(), reset, b"").ttl(57));
        }
    }
    scene.lookup(30 * SECOND, MS, "192.0.2.99:30003", SERVER, 3, "late.example");
    scene
}

#[test]
fn the_goal_of_a_path_traced_by_syns_is_not_down() {
    let (found, _) = traced_by_syns(true).examine();
    assert_eq!(worst(&found), Severity::Info, "{found:?}");
    let (found, _) = traced_by_syns(false).examine();
    assert!(worst(&found) > Severity::Low, "{found:?}");
}

/// Questions with a version of EDNS, each answered BADVERS, beside what is answered.
fn versions(version: u8) -> Scene {
    let mut scene = Scene::default();
    for number in 0..6u16 {
        let from = format!("{TESTER}:{}", 30_000 + number);
        let at = i64::from(number) * 100 * MS;
        let mut query = Message::query(number, "www.example", dns::A).edns(1232).bytes();
        let mut answer = Message::response(number, "www.example", dns::A, dns::NO_ERROR).edns(1232).bytes();
        // The record ends with the upper bits of the code, the version, two bytes of flags, and a length of 0.
        let (asked, told) = (query.len() - 5, answer.len() - 6);
        query[asked] = version;
        answer[told] = 1;
        scene.put(at, Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &query));
        scene.reply(at + MS, SERVER, &from, &answer);
    }
    for number in 0..6i64 {
        scene.lookup(number * SECOND, MS, "192.0.2.99:30003", SERVER, 40 + number as u16, "other.example");
    }
    scene
}

#[test]
fn a_version_of_edns_that_nobody_knows_is_answered_as_it_should_be() {
    let (found, _) = versions(1).examine();
    assert_eq!(worst(&found), Severity::Info, "{found:?}");
    let own = told(&found, "declined-requests").or_else(|| found.first()).unwrap();
    assert!(own.statement.contains("version of EDNS above 0"), "{found:?}");
    // A server that does not know version 0 is one that does not speak EDNS.
    let (found, _) = versions(0).examine();
    assert!(worst(&found) > Severity::Low, "{found:?}");
}
