//! Decisive messages of further protocols, offers that are declined, and what follows from what lies behind a service.

#![expect(clippy::indexing_slicing, reason = "a test that meets the unexpected should stop there")]

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::{Packet, Segment, flags};
use scene::{MS, SECOND, Scene, Session, leading, talk};

const HOST: &str = "198.51.100.7";

fn told(found: &[Finding]) -> Vec<&Finding> {
    found.iter().filter(|own| own.severity > Severity::Info).collect()
}

/// Conversations with a port, two seconds apart.
fn conversations(port: u16, first: usize, said: &[&[u8]], number: i64) -> Scene {
    let mut scene = Scene::default();
    for at in 0..number {
        let from = format!("192.0.2.10:{}", 40_000 + at);
        talk(&mut scene, at * 2 * SECOND, &from, &format!("{HOST}:{port}"), first, said);
    }
    scene
}

#[track_caller]
fn says(scene: Scene, words: &str) {
    let (found, _) = scene.examine();
    assert!(told(&found).iter().any(|own| own.statement.contains(words)), "{found:?}");
}

#[track_caller]
fn quiet(scene: Scene) {
    let (found, _) = scene.examine();
    assert!(told(&found).is_empty(), "{:?}", told(&found));
}

#[test]
fn an_offer_of_tls_that_is_declined_counts_where_the_client_leaves() {
    let mail: [&[u8]; 5] = [
        b"220 a\r\n",
        b"EHLO b\r\n",
        b"250 STARTTLS\r\n",
        b"STARTTLS\r\n",
        b"454 4.7.0 TLS not available\r\n",
    ];
    let leaves: Vec<&[u8]> = mail.iter().copied().chain([&b"QUIT\r\n"[..], b"221 bye\r\n"]).collect();
    says(conversations(25, 1, &leaves, 3), "TLS was asked for and declined");
    let goes_on: Vec<&[u8]> = mail
        .iter()
        .copied()
        .chain([
            &b"MAIL FROM:<a@example.net>\r\n"[..],
            b"250 ok\r\n",
            b"DATA\r\n",
            b"354 go\r\n",
            b"x\r\n.\r\n",
            b"250 taken\r\n",
        ])
        .collect();
    quiet(conversations(25, 1, &goes_on, 3));
    let asks_tls: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];
    says(conversations(5432, 0, &[asks_tls, b"N"], 3), "TLS was asked for and declined");
    let startup: &[u8] = b"\0\0\0\x10\0\x03\0\0user\0a\0\0";
    let ready: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    quiet(conversations(5432, 0, &[asks_tls, b"N", startup, ready], 3));
}

#[test]
fn telephony_over_tcp_and_remote_desktop_are_read() {
    let asks: &[u8] = b"REGISTER sip:a SIP/2.0\r\nFrom: <sip:1@a>\r\n\r\n";
    says(conversations(5060, 0, &[asks, b"SIP/2.0 503 Busy\r\n\r\n"], 3), "503 (service unavailable)");
    let signed: &[u8] = b"REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"1\"\r\n\r\n";
    let challenge: &[u8] = b"SIP/2.0 401 Unauthorized\r\n\r\n";
    quiet(conversations(5060, 0, &[asks, challenge, signed, b"SIP/2.0 200 OK\r\n\r\n"], 3));
    let confirm =
        |kind: u8, code: u8| vec![3, 0, 0, 19, 14, 0xd0, 0, 0, 0, 0, 0, kind, 0, 8, 0, code, 0, 0, 0];
    let request: &[u8] = b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=eve\r\n\x01\0\x08\0\0\0\0\0";
    says(conversations(3389, 0, &[request, &confirm(3, 5)], 3), "network level (NLA) required");
    quiet(conversations(3389, 0, &[request, &confirm(2, 1)], 3));
}

/// An error of Kerberos.
fn error(code: u8) -> Vec<u8> {
    vec![0x7e, 17, 0x30, 15, 0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 30, 0xa6, 3, 2, 1, code]
}

#[test]
fn kerberos_is_decided_by_its_error_and_not_by_the_wish_for_pre_authentication() {
    let requests = |codes: &[u8]| {
        let mut scene = Scene::default();
        for round in 0..4_i64 {
            for (at, code) in codes.iter().enumerate() {
                let from = format!("192.0.2.10:{}", 40_000 + round * 10 + at as i64);
                let at_ns = round * 3 * SECOND + at as i64 * 100 * MS;
                let server = format!("{HOST}:88");
                scene.put(at_ns, Packet::udp(from.as_str(), server.as_str(), &[0x6a, 2, 0x30, 0]));
                let answer = if *code == 0 { vec![0x6b, 2, 0x30, 0] } else { error(*code) };
                scene.put(at_ns + MS, Packet::udp(server.as_str(), from.as_str(), &answer));
            }
        }
        scene
    };
    quiet(requests(&[25, 0]));
    says(requests(&[25, 37]), "37 (the clocks differ too much)");
    let framed = |code: u8| [vec![0, 0, 0, 19], error(code)].concat();
    says(conversations(88, 0, &[b"\0\0\0\x04\x6a\x02\x30\0", &framed(18)], 3), "disabled, locked");
}

#[test]
fn a_family_that_lost_the_race_is_no_failure_and_no_direction_that_is_missing() {
    let mut scene = Scene::default();
    for number in 0..3_i64 {
        let at_ns = number * 5 * SECOND;
        let segment = Segment { sequence: 9, acknowledgment: 0, flags: flags::SYN };
        let from = format!("[2001:db8::10]:{}", 40_000 + number);
        scene.put(at_ns, Packet::tcp(from.as_str(), "[2001:db8:1::80]:80", segment, b""));
        let from = format!("192.0.2.10:{}", 50_000 + number);
        let asks: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
        let gives: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        talk(&mut scene, at_ns + 250 * MS, &from, "198.51.100.80:80", 0, &[asks, gives]);
    }
    let examined = scene.review();
    assert!(told(&examined.findings).is_empty(), "{:?}", examined.findings);
    let said = examined.coverage.judgement().join(" ");
    assert!(
        !said.contains("one direction") && said.contains("given up for one of the other family"),
        "{said}"
    );
}

/// A message of DHCP.
fn lease(kind: u8, xid: u8) -> Vec<u8> {
    let mut out = vec![0; 240];
    (out[0], out[1], out[2]) = (if kind == 6 { 2 } else { 1 }, 1, 6);
    out[7] = xid;
    out[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    out[236..240].copy_from_slice(&[99, 130, 83, 99]);
    out.extend([53, 1, kind, 255]);
    out
}

#[test]
fn a_client_that_discovers_after_a_refusal_begins_anew() {
    let mut scene = Scene::default();
    let (client, all, server) = ("0.0.0.0:68", "255.255.255.255:67", "192.0.2.1:67");
    scene.put(0, Packet::udp(client, all, &lease(3, 7)));
    scene.put(5 * MS, Packet::udp(server, "255.255.255.255:68", &lease(6, 7)));
    for (at_s, at_ms) in [(0, 10), (3, 0), (8, 0), (16, 0)] {
        scene.put(at_s * SECOND + at_ms * MS, Packet::udp(client, all, &lease(1, 7)));
    }
    says(scene, "without any offer");
}

#[test]
fn a_client_that_closes_and_resets_the_answer_had_given_up() {
    let late = |resets: bool| {
        let mut scene = Scene::default();
        for number in 0..4_i64 {
            let from = format!("192.0.2.10:{}", 40_000 + number);
            let mut own = Session::open(&mut scene, number * SECOND, &from, &format!("{HOST}:6379"));
            own.says(0, b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
            own.at_ns += if resets { 2 * SECOND } else { MS };
            own.segment(0, flags::FIN | flags::ACK, b"");
            own.at_ns = 20 * SECOND + number * MS;
            if !resets {
                own.at_ns = number * SECOND + 30 * MS;
            }
            own.segment(1, flags::ACK | flags::PSH, b"$1\r\nx\r\n");
            own.segment(0, if resets { flags::RST } else { flags::ACK }, b"");
        }
        scene
    };
    says(late(true), "not answered before the clients gave up");
    quiet(late(false));
}

/// Requests for access of two users that are let in but for a time in which the server's directory is silent.
fn backend(silent: bool) -> Scene {
    let mut scene = Scene::default();
    for number in 0..12_u8 {
        let at_ns = i64::from(number) * 2 * SECOND;
        let refused = (4..9).contains(&number);
        let user = if number % 2 == 0 { b"anna" } else { b"bert" };
        let mut asks = vec![1, number, 0, 26];
        asks.extend([number; 16]);
        asks.extend([1, 6]);
        asks.extend(user);
        let mut answers = vec![if refused { 3 } else { 2 }, number, 0, 20];
        answers.extend([number; 16]);
        let (nas, server) = ("192.0.2.5:50000", "198.51.100.7:1812");
        scene.put(at_ns, Packet::udp(nas, server, &asks));
        scene.put(at_ns + SECOND, Packet::udp(server, nas, &answers));
        let from = format!("{HOST}:{}", 45_000 + u16::from(number));
        if refused && silent {
            for again in 0..2_i64 {
                let segment = Segment { sequence: 9, acknowledgment: 0, flags: flags::SYN };
                let syn = Packet::tcp(from.as_str(), "203.0.113.40:389", segment, b"");
                scene.put(at_ns + 5 * MS + again * SECOND, syn);
            }
        } else {
            let bound = [0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, 0, 4, 0, 4, 0];
            talk(&mut scene, at_ns + 5 * MS, &from, "203.0.113.40:389", 0, &[b"0", &bound]);
        }
    }
    scene
}

#[test]
fn all_who_are_refused_at_one_time_are_no_slips_and_what_lies_behind_is_named() {
    let (found, assessments) = backend(true).examine();
    let own: Vec<_> = told(&found).into_iter().filter(|own| own.statement.contains("RADIUS")).collect();
    assert!(own.len() == 1 && own[0].severity == Severity::High, "{found:?}");
    assert!(own[0].statement.starts_with("5 of 5 "), "{own:?}");
    let radius = assessments.iter().find(|own| format!("{own:?}").contains("1812")).unwrap();
    assert_eq!(leading(std::slice::from_ref(radius)).into_iter().collect::<Vec<_>>(), ["H26"]);
    assert!(radius.checks[0].action.contains("203.0.113.40"), "{:?}", radius.checks);
    let (found, assessments) = backend(false).examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("RADIUS")), "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H14", "H26"]);
}

#[test]
fn a_service_works_meanwhile_only_where_its_data_are_seen_in_that_time() {
    let scene = |speaks: bool| {
        let mut scene = Scene::default();
        let mut own = Session::open(&mut scene, 0, "192.0.2.10:40000", "198.51.100.7:9000");
        own.says(0, b"a");
        own.says(1, b"b");
        if speaks {
            own.at_ns = 12 * SECOND;
            own.says(1, b"c");
        }
        own.at_ns = 40 * SECOND;
        own.says(0, b"d");
        own.says(1, b"e");
        for number in 0..4_i64 {
            for again in 0..3_i64 {
                let segment = Segment { sequence: 9, acknowledgment: 0, flags: flags::SYN };
                let from = format!("192.0.2.10:{}", 41_000 + number);
                let syn = Packet::tcp(from.as_str(), "198.51.100.7:9000", segment, b"");
                scene.put((8 + number * 4) * SECOND + again * SECOND, syn);
            }
        }
        let (found, _) = scene.examine();
        told(&found).iter().map(|own| own.severity).max()
    };
    assert_eq!(scene(true), Some(Severity::Low));
    assert_eq!(scene(false), Some(Severity::High));
}

#[test]
fn an_error_of_a_signature_is_told_in_words() {
    let mut scene = Scene::default();
    for number in 0..4_u16 {
        let at_ns = i64::from(number) * 5 * SECOND;
        scene.query(at_ns, "192.0.2.10:40000", "198.51.100.53", number + 1, "a.example", 1);
        let mut message = portmortem::generate::dns::query(number + 1, "a.example", 1);
        (message[2], message[3], message[11]) = (0x80, 9, 1);
        message.extend([1, b'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 19]);
        message.extend([1, b'a', 0, 0, 0, 0, 0, 0, 0, 1, 44, 0, 0, 0, 1, 0, 18, 0, 0]);
        scene.reply(at_ns + 5 * MS, "198.51.100.53", "192.0.2.10:40000", &message);
    }
    let (found, _) = scene.examine();
    assert!(found.iter().any(|own| own.statement.contains("BADTIME (18): the clocks")), "{found:?}");
}

#[test]
fn a_host_that_serves_close_to_pings_and_never_answers_any_ignores_them() {
    let pings = |answered_before: bool| {
        let mut scene = Scene::default();
        let (client, host) = ("192.0.2.10".parse().unwrap(), HOST.parse().unwrap());
        for number in 0..8_u16 {
            let at_ns = i64::from(number) * SECOND;
            scene.put(at_ns, Packet::echo(client, host, false, 1, number));
            if answered_before && number < 3 {
                scene.put(at_ns + MS, Packet::echo(host, client, true, 1, number));
            }
        }
        let asks: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
        let gives: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        talk(&mut scene, 10 * SECOND, "192.0.2.10:40000", &format!("{HOST}:80"), 0, &[asks, gives]);
        scene
    };
    quiet(pings(false));
    let (found, _) = pings(true).examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("ping")), "{found:?}");
}

/// A conversation that the server ends, three times, or five that go on.
fn ended(port: u16, first: usize, said: &[&[u8]]) -> Scene {
    let mut scene = Scene::default();
    for at in 0..3 {
        let from = format!("192.0.2.10:{}", 40_000 + at);
        let mut session = Session::open(&mut scene, at * 2 * SECOND, &from, &format!("{HOST}:{port}"));
        for (turn, bytes) in said.iter().enumerate() {
            session.says((first + turn) % 2, bytes);
        }
        session.segment(1, flags::FIN | flags::ACK, b"");
        session.segment(0, flags::FIN | flags::ACK, b"");
        session.segment(1, flags::ACK, b"");
    }
    scene
}

#[test]
fn what_an_ssh_server_does_in_place_of_a_session_is_read() {
    let version: &[u8] = b"SSH-2.0-a\r\n";
    let offers: &[u8] = b"\0\0\0\x0c\x06\x14abcdefghij";
    let (asks, replies): (&[u8], &[u8]) = (b"\0\0\0\x0c\x06\x1eabcdefghij", b"\0\0\0\x0c\x06\x1fabcdefghij");
    says(ended(22, 1, &[b"Exceeded MaxStartups\r\n"]), "MaxStartups (too many sign-ins at a time)");
    says(ended(22, 1, &[b"Not allowed at this time\r\n"]), "not allowed at this time");
    says(ended(22, 1, &[version, version, offers, offers]), "ended by the server before keys were agreed");
    quiet(conversations(22, 1, &[version, version, offers, asks, replies], 3));
    quiet(ended(22, 1, &[version, version, offers, asks, replies]));
    // Who leaves itself has seen what it wanted.
    quiet(conversations(22, 1, &[version, version, offers, offers], 3));
}

#[test]
fn a_reset_after_the_client_said_goodbye_under_encryption_breaks_nothing_off() {
    let record = |kind: u8, number: u8| [&[kind, 3, 3, 0, 40][..], &[number; 40]].concat();
    let hello = [&[22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3][..], &[7; 53]].concat();
    let answer = [&[22, 3, 3, 0, 60, 2, 0, 0, 56, 3, 3][..], &[9; 53]].concat();
    let failures = |leaves: bool| {
        let mut scene = Scene::default();
        for number in 0..4_i64 {
            let from = format!("192.0.2.10:{}", 41_000 + number);
            let mut own = Session::open(&mut scene, number * SECOND, &from, "198.51.100.8:443");
            own.says(0, &hello);
            own.says(1, &answer);
            own.says(0, &record(23, 1));
            own.says(1, &record(23, 2));
            own.says(0, &record(23, 3));
            if leaves {
                own.segment(0, flags::FIN | flags::ACK, b"");
            }
            own.segment(1, flags::RST | flags::ACK, b"");
        }
        scene.examine().0.iter().filter(|own| own.severity > Severity::Info).count()
    };
    assert_eq!(failures(true), 0);
    assert!(failures(false) > 0);
}
