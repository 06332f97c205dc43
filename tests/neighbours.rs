//! Requests for link addresses that nobody answers: whose, since when, and what waits behind them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

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
    assert!(
        found.statement.contains("after F4, from 22:13:50 to 22:14:00; it was the way to other networks"),
        "{}",
        found.statement
    );
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

/// A DHCP acknowledgement that gives a client an address and a name server (RFC 2131 §2, RFC 2132 §3.8).
fn lease(client: &str, name_server: &str) -> Packet {
    let octets = |text: &str| text.parse::<std::net::Ipv4Addr>().expect("an address").octets();
    let mut message = vec![0; 236];
    message[..3].copy_from_slice(&[2, 1, 6]);
    message[16..20].copy_from_slice(&octets(client));
    message.extend([99, 130, 83, 99, 53, 1, 5, 6, 4]);
    message.extend(octets(name_server));
    message.push(255);
    Packet::udp("192.0.2.1:67", format!("{client}:68").as_str(), &message)
}

#[test]
fn a_name_server_that_dhcp_gives_and_nobody_answers_for_is_a_failure_of_who_was_given_it() {
    let scene = |given: &str| {
        let mut scene = Scene::default();
        framed(&mut scene, 0, (GATEWAY_MAC, CLIENT_MAC), &lease(CLIENT, given));
        framed(&mut scene, 0, (GATEWAY_MAC, [2, 0, 0, 0, 0, 11]), &lease("192.0.2.11", "192.0.2.53"));
        for at in 0..9 {
            beyond(&mut scene, at * 6 * SECOND);
        }
        attempts(&mut scene, SECOND, 4, "192.0.2.35");
        scene
    };
    let (found, assessments) = scene("192.0.2.35").examine();
    let own = found.iter().find(|own| own.id == "arp-unanswered").expect("a finding");
    assert_eq!(own.severity, Severity::High);
    assert!(
        own.statement.contains("12 requests of 192.0.2.10 for the link address of 192.0.2.35"),
        "{}",
        own.statement
    );
    assert!(
        own.statement.contains("DHCP gave it out as a name server (F1), and 192.0.2.53 to others"),
        "{}",
        own.statement
    );
    assert_eq!(assessments[0].title.as_deref(), Some("DNS server 192.0.2.35 does not answer on its network"));
    assert!(scene::leading(&assessments).contains("H4"));
    // The same requests for an address nobody was given are ordinary.
    assert_eq!(unanswered(scene("192.0.2.53"))[0].severity, Severity::Info);
}

#[test]
fn an_error_about_a_lease_that_its_client_has_and_the_end_of_a_trace_are_ordinary() {
    use portmortem::findings::coverage::{OpenKind, Standing};
    let mut scene = Scene::default();
    let given = lease(CLIENT, "192.0.2.53");
    scene.put(0, given.clone());
    scene.put(1_000_000, Packet::port_unreachable(&given));
    for number in 0..3i64 {
        let probe =
            Packet::udp("192.0.2.10:40000", format!("203.0.113.9:{}", 33_437 + number).as_str(), b"probe")
                .ttl(3);
        scene.put(SECOND + number * 1_000_000, probe.clone());
        scene.put(SECOND + number * 1_000_000 + 500_000, Packet::port_unreachable(&probe));
    }
    let examined = scene.review();
    assert!(examined.coverage.of(Standing::Open).next().is_none(), "{:?}", examined.coverage.not_assessed);
    let ordinary: Vec<(OpenKind, u64)> =
        examined.coverage.of(Standing::Ordinary).map(|item| (item.kind, item.count)).collect();
    assert_eq!(ordinary, [(OpenKind::Traced, 3), (OpenKind::Leased, 1)]);
}

const STANDBY: &str = "192.0.2.2";
const STANDBY_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const PRIMARY: &str = "192.0.2.3";
const PRIMARY_MAC: [u8; 6] = [2, 0, 0, 0, 0, 3];
/// The address that both routers share.
const SHARED: &str = "192.0.2.1";

/// An advertisement of VRRP version 2 for the shared address (RFC 3768 §5).
fn advertise(scene: &mut Scene, at_ns: i64, (from, mac): (&str, [u8; 6]), priority: u8) {
    let mut message = vec![0x21, 51, priority, 1, 0, 1, 0, 0, 192, 0, 2, 1];
    message.extend([0; 8]);
    let (from, group) = (from.parse().expect("an address"), "224.0.0.18".parse().expect("an address"));
    let packet = Packet::raw(from, group, 112, message).ttl(255);
    framed(scene, at_ns, (mac, [1, 0, 0x5e, 0, 0, 0x12]), &packet);
}

/// An announcement of an address by its own request (RFC 5227 §3).
fn announce(scene: &mut Scene, at_ns: i64, mac: [u8; 6], address: &str) {
    let address = address.parse().expect("an address");
    let own = Arp { operation: 1, sender_mac: mac, sender: address, target_mac: [0; 6], target: address };
    scene.packets.push((START_NS + at_ns, arp(&own)));
}

/// The shared address at one router, for 8 s at another, and back; with advertisements or without.
fn handed_over(advertised: bool, resigns: bool) -> Scene {
    let mut scene = Scene::default();
    announce(&mut scene, 0, PRIMARY_MAC, SHARED);
    announce(&mut scene, 10_500 * SECOND / 1_000, STANDBY_MAC, SHARED);
    announce(&mut scene, 20 * SECOND, PRIMARY_MAC, SHARED);
    if advertised {
        for at in 0..8 {
            advertise(&mut scene, at * SECOND, (PRIMARY, PRIMARY_MAC), 150);
        }
        if resigns {
            advertise(&mut scene, 8 * SECOND, (PRIMARY, PRIMARY_MAC), 0);
        }
        for at in 11..20 {
            advertise(&mut scene, at * SECOND, (STANDBY, STANDBY_MAC), 100);
        }
        for at in 20..25 {
            advertise(&mut scene, at * SECOND, (PRIMARY, PRIMARY_MAC), 150);
        }
    }
    scene
}

fn told(found: &[Finding]) -> Vec<(&str, Severity)> {
    found.iter().map(|own| (own.id, own.severity)).collect()
}

#[test]
fn routers_that_take_over_from_one_another_are_no_duplicate_address() {
    let (found, assessments) = handed_over(true, true).examine();
    assert_eq!(told(&found), [("router-failover", Severity::Info)], "{found:?}");
    let statement = &found[0].statement;
    assert!(
        statement
            .starts_with("192.0.2.1 (VRRP group 51) moved between routers: from 192.0.2.3 to 192.0.2.2 at ")
            && statement.contains(
                "4.000 s after the last announcement of the former, which resigned; from 192.0.2.2 to"
            ),
        "{statement}"
    );
    assert!(assessments.is_empty());
    // A router that just falls silent is worth looking after, and nothing else than its standby saw it.
    let (found, _) = handed_over(true, false).examine();
    assert_eq!(told(&found), [("router-failover", Severity::Low)], "{found:?}");
    // Without a word of a group it is one address at two devices.
    let (found, _) = handed_over(false, false).examine();
    assert_eq!(told(&found), [("duplicate-address", Severity::Medium)], "{found:?}");
    // A third device that claims the address of a group does so against it.
    let mut stolen = handed_over(true, true);
    announce(&mut stolen, 12 * SECOND, [2, 0, 0, 0, 0, 99], SHARED);
    let (found, _) = stolen.examine();
    assert!(told(&found).contains(&("duplicate-address", Severity::Medium)), "{found:?}");
}

#[test]
fn routers_that_both_announce_an_address_hold_it_at_one_time() {
    let mut scene = Scene::default();
    for at in 0..12 {
        advertise(&mut scene, at * SECOND, (PRIMARY, PRIMARY_MAC), 150);
        advertise(&mut scene, at * SECOND + SECOND / 2, (STANDBY, STANDBY_MAC), 100);
    }
    for at in [0, 3, 6] {
        announce(&mut scene, at * SECOND, PRIMARY_MAC, SHARED);
        announce(&mut scene, (at + 1) * SECOND, STANDBY_MAC, SHARED);
    }
    let (found, _) = scene.examine();
    let told = told(&found);
    for id in ["duplicate-address", "router-failover"] {
        assert!(told.contains(&(id, Severity::Medium)), "{found:?}");
    }
    assert!(found.iter().any(|own| own.statement.contains("192.0.2.2 and 192.0.2.3 announce by turns")));
}

const PRINTER: &str = "192.0.2.50";
const PRINTER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 50];
const INTRUDER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 51];

/// A connection to the printer's address by way of one device, which takes it or refuses it.
fn print(scene: &mut Scene, at_ns: i64, from: &str, port: u32, mac: [u8; 6], takes: bool) {
    use portmortem::generate::{Segment, flags};
    let (client, to) = (format!("{from}:{port}"), format!("{PRINTER}:9100"));
    let mut put = |at_ns: i64, out: bool, (sequence, acknowledgment): (u32, u32), flags: u8, data: &[u8]| {
        let segment = Segment { sequence, acknowledgment, flags };
        let (from, to, links) =
            if out { (&client, &to, (CLIENT_MAC, mac)) } else { (&to, &client, (mac, CLIENT_MAC)) };
        scene.ip_id += 1;
        let packet = Packet::tcp(from.as_str(), to.as_str(), segment, data).id(scene.ip_id);
        scene.packets.push((START_NS + at_ns, packet.ethernet_between(links.0, links.1)));
    };
    let ms = SECOND / 1_000;
    put(at_ns, true, (100, 0), flags::SYN, b"");
    if !takes {
        put(at_ns + ms, false, (0, 101), flags::RST | flags::ACK, b"");
        return;
    }
    put(at_ns + ms, false, (900, 101), flags::SYN | flags::ACK, b"");
    put(at_ns + 2 * ms, true, (101, 901), flags::ACK | flags::PSH, b"page");
    put(at_ns + 3 * ms, false, (901, 105), flags::ACK | flags::PSH, b"done");
    put(at_ns + 4 * ms, true, (105, 905), flags::FIN | flags::ACK, b"");
    put(at_ns + 5 * ms, false, (905, 106), flags::FIN | flags::ACK, b"");
    put(at_ns + 6 * ms, true, (106, 906), flags::ACK, b"");
}

#[test]
fn answers_that_part_along_the_device_show_one_address_at_two_of_them() {
    let printer = |meanwhile: bool| {
        let mut scene = Scene::default();
        announce(&mut scene, 0, PRINTER_MAC, PRINTER);
        for at in 1..10u32 {
            print(&mut scene, i64::from(at) * SECOND, CLIENT, 40_000 + at, PRINTER_MAC, true);
        }
        announce(&mut scene, 10 * SECOND, INTRUDER_MAC, PRINTER);
        for at in 11..20u32 {
            let at_ns = i64::from(at) * SECOND;
            print(&mut scene, at_ns, CLIENT, 40_000 + at, INTRUDER_MAC, false);
            if meanwhile {
                print(&mut scene, at_ns, "192.0.2.12", 50_000 + at, PRINTER_MAC, true);
            }
        }
        scene
    };
    let (found, assessments) = printer(true).examine();
    let own = found.iter().find(|own| own.id == "duplicate-address").expect("a finding");
    assert_eq!(own.severity, Severity::High);
    assert!(
        own.statement
            .contains("18 attempts were served by 02:00:00:00:00:32, and 9 refused by 02:00:00:00:00:33"),
        "{}",
        own.statement
    );
    assert_eq!(scene::leading(&assessments).into_iter().collect::<Vec<_>>(), ["H32"]);
    // An address that was given to another device, which refuses, is at one of them.
    let (found, assessments) = printer(false).examine();
    assert!(found.iter().all(|own| own.id != "duplicate-address"), "{found:?}");
    assert!(!scene::leading(&assessments).contains("H32"));
}
