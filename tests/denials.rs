//! What services say in their answers, what failures follow from, and what is no failure: connections and datagrams at chosen times.

#![expect(clippy::indexing_slicing, reason = "a test that meets the unexpected should stop there")]

mod scene;

use std::sync::atomic::AtomicBool;

use portmortem::attempts::{Attempts, Kind};
use portmortem::capture;
use portmortem::correlate::{Parameters, correlate};
use portmortem::findings::hypotheses::Assessment;
use portmortem::findings::{Finding, Severity};
use portmortem::generate::{Packet, PcapWriter, Segment, Variant, flags, link};
use portmortem::index::{Input, Progress, build};
use scene::{MS, SECOND, START_NS, Scene, Session, leading, talk};

const CLIENT: &str = "192.0.2.10";
const DATABASE: &str = "198.51.100.7:5432";

fn from(number: i64) -> String {
    format!("{CLIENT}:{}", 40_000 + number)
}

/// Service failures that are more than notes.
fn told(found: &[Finding]) -> Vec<&Finding> {
    found.iter().filter(|own| own.severity > Severity::Info).collect()
}

#[track_caller]
fn quiet(scene: Scene) {
    let (found, _) = scene.examine();
    assert!(told(&found).is_empty(), "{:?}", told(&found));
}

fn first_check(assessments: &[Assessment]) -> String {
    assessments[0].checks[0].action.clone()
}

const STARTUP: &[u8] = b"\0\0\0\x10\0\x03\0\0user\0a\0\0";
const READY: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const FULL: &[u8] = b"E\0\0\0\x19SFATAL\0C53300\0Mfull\0\0";
const ASKS_TLS: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];

#[test]
fn the_wish_to_cancel_a_query_gets_no_answer_and_fails_nothing() {
    let ended = |asks: &[u8]| {
        let mut scene = Scene::default();
        for number in 0..12_i64 {
            talk(&mut scene, number * SECOND, &from(number), DATABASE, 0, &[STARTUP, READY]);
            let client = from(100 + number);
            let mut own = Session::open(&mut scene, number * SECOND + 300 * MS, &client, DATABASE);
            own.says(0, asks);
            own.segment(1, flags::FIN | flags::ACK, b"");
            own.segment(0, flags::FIN | flags::ACK, b"");
            own.segment(1, flags::ACK, b"");
        }
        scene
    };
    quiet(ended(&[0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 4, 210, 1, 2, 3, 4]));
    // Who greets and is shut out is not served.
    let (found, _) = ended(STARTUP).examine();
    assert!(!told(&found).is_empty());
}

#[test]
fn a_database_that_answers_with_errors_is_no_service_that_answered() {
    let mut scene = Scene::default();
    for number in 0..12_i64 {
        let answer = if (4..10).contains(&number) { FULL } else { READY };
        talk(&mut scene, number * SECOND, &from(number), DATABASE, 0, &[ASKS_TLS, b"N", STARTUP, answer]);
    }
    let (found, assessments) = scene.examine();
    let own = told(&found);
    assert!(
        own.iter().any(|own| own.severity >= Severity::Medium && own.statement.contains("53300")),
        "{found:?}"
    );
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H47"]);
}

/// A bind of LDAP and its result.
fn bind(code: u8) -> Vec<u8> {
    vec![0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, code, 4, 0, 4, 0]
}

#[test]
fn a_directory_that_demands_tls_refuses_by_its_settings() {
    let mut scene = Scene::default();
    for number in 0..8_i64 {
        let code = if number < 3 { 0 } else { 13 };
        talk(&mut scene, number * 2 * SECOND, &from(number), "198.51.100.7:389", 0, &[b"0", &bind(code)]);
    }
    let (found, assessments) = scene.examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("result code 13")), "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H14"]);
    assert!(first_check(&assessments).contains("settings, rights or passwords"), "{assessments:?}");
}

#[test]
fn passwords_that_are_mistyped_now_and_then_are_no_failure_and_a_row_of_refusals_is() {
    let mut scene = Scene::default();
    let mut rows = Scene::default();
    for number in 0..12_i64 {
        let code = if number % 3 == 1 { 49 } else { 0 };
        talk(&mut scene, number * 5 * SECOND, &from(number), "198.51.100.7:389", 0, &[b"0", &bind(code)]);
        let code = if number < 6 { 0 } else { 49 };
        talk(&mut rows, number * 5 * SECOND, &from(number), "198.51.100.7:389", 0, &[b"0", &bind(code)]);
    }
    quiet(scene);
    let (found, _) = rows.examine();
    assert_eq!(told(&found).iter().map(|own| own.severity).collect::<Vec<_>>(), [Severity::Medium]);
}

#[test]
fn mail_that_is_put_off_once_and_taken_then_is_no_failure() {
    let mail = |answer: &'static [u8]| -> Vec<&'static [u8]> {
        vec![b"220 a\r\n", b"EHLO b\r\n", b"250 a\r\n", b"RCPT TO:<c@example.net>\r\n", answer]
    };
    let taken: Vec<&[u8]> = vec![
        b"220 a\r\n",
        b"EHLO b\r\n",
        b"250 a\r\n",
        b"DATA\r\n",
        b"354 go\r\n",
        b"x\r\n.\r\n",
        b"250 taken\r\n",
    ];
    let mut scene = Scene::default();
    talk(&mut scene, 0, &from(0), "198.51.100.7:25", 1, &mail(b"451 4.7.1 Greylisted, come again\r\n"));
    talk(&mut scene, 12 * SECOND, &from(1), "198.51.100.7:25", 1, &taken);
    quiet(scene);
    let mut full = Scene::default();
    for number in 0..4_i64 {
        talk(
            &mut full,
            number * SECOND,
            &from(number),
            "198.51.100.7:25",
            1,
            &mail(b"452 4.3.1 storage\r\n"),
        );
    }
    talk(&mut full, 12 * SECOND, &from(9), "198.51.100.7:25", 1, &taken);
    let (found, _) = full.examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("452")), "{found:?}");
}

const ASKED: &[u8] = b"GET /data HTTP/1.1\r\nHost: api.example\r\n\r\n";
const GIVEN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BARRED: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";

#[test]
fn a_path_that_was_served_and_is_then_refused_in_a_row_fails() {
    let requests = |statuses: &dyn Fn(i64) -> bool| {
        let mut scene = Scene::default();
        for number in 0..12_i64 {
            let answer = if statuses(number) { GIVEN } else { BARRED };
            talk(&mut scene, number * SECOND, &from(number), "198.51.100.7:80", 0, &[ASKED, answer]);
        }
        scene
    };
    let (found, assessments) = requests(&|number| number < 5).examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("403")), "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H14"]);
    quiet(requests(&|number| number % 2 == 0));
    quiet(requests(&|_| false));
}

/// A query to a server of NTP and its answer with the server's clock `ahead_s` seconds off.
fn time(scene: &mut Scene, at_ns: i64, client: &str, server: &str, ahead_s: i64) {
    let stamp = |at_ns: i64| -> [u8; 8] {
        let ns = START_NS + at_ns;
        let (seconds, rest) = (ns / SECOND + 2_208_988_800, ns % SECOND);
        (((seconds as u64) << 32) | (((rest as u64) << 32) / SECOND as u64)).to_be_bytes()
    };
    let mut query = [0u8; 48];
    query[0] = 0x23;
    query[40..].copy_from_slice(&(at_ns as u64 ^ 0x1234_5678_0000_0001).to_be_bytes());
    let mut answer = [0u8; 48];
    (answer[0], answer[1]) = (0x24, 2);
    answer[24..32].copy_from_slice(&query[40..]);
    answer[40..].copy_from_slice(&stamp(at_ns + ahead_s * SECOND));
    let server = format!("{server}:123");
    scene.put(at_ns, Packet::udp(client, server.as_str(), &query));
    scene.put(at_ns + 2 * MS, Packet::udp(server.as_str(), client, &answer));
}

#[test]
fn a_time_server_is_wrong_where_more_clocks_agree_with_the_capture_than_with_it() {
    let clocks = |ahead: &[i64]| {
        let mut scene = Scene::default();
        for round in 0..6_i64 {
            for (number, ahead_s) in ahead.iter().enumerate() {
                let client = format!("192.0.2.{}:{}", 20 + number, 50_000 + round);
                let server = format!("198.51.100.{}", 11 + number);
                time(&mut scene, round * 10 * SECOND + number as i64 * SECOND, &client, &server, *ahead_s);
            }
        }
        scene
    };
    let (found, assessments) = clocks(&[0, 3_600, 0]).examine();
    let own = told(&found);
    assert!(
        own.iter()
            .any(|own| own.severity == Severity::Medium && own.statement.contains("ahead of other clocks")),
        "{found:?}"
    );
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H38"]);
    assert!(first_check(&assessments).contains("takes its time from"));
    quiet(clocks(&[3_600, 3_600, 3_600]));
    quiet(clocks(&[3_600]));
    quiet(clocks(&[0, 0]));
}

#[test]
fn requests_that_cross_the_close_of_an_idle_connection_have_a_cause_of_their_own() {
    let mut scene = Scene::default();
    for number in 0..16_i64 {
        let at_ns = number * 5 * SECOND;
        let browser = format!("192.0.2.50:{}", 41_000 + number);
        let (proxy, backend) = (format!("10.80.0.1:{}", 42_000 + number), "10.80.0.9:8080");
        let mut own = Session::open(&mut scene, at_ns, &proxy, backend);
        own.says(0, ASKED);
        own.says(1, GIVEN);
        let idle_ns = own.at_ns + 2 * SECOND;
        let crosses = number % 2 == 0;
        let answer: &[u8] =
            if crosses { b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n" } else { GIVEN };
        if crosses {
            own.at_ns = idle_ns - MS;
            let request = own.next[0];
            own.segment(1, flags::FIN | flags::ACK, b"");
            own.next[1] -= 1;
            own.segment(
                0,
                flags::ACK | flags::PSH,
                b"POST /data HTTP/1.1\r\nHost: api.example\r\nContent-Length: 0\r\n\r\n",
            );
            own.next[1] += 1;
            assert!(own.next[0] > request);
            own.segment(1, flags::RST, b"");
        } else {
            own.at_ns = idle_ns - SECOND;
            own.says(0, ASKED);
            own.says(1, GIVEN);
            own.close();
        }
        let asked_ns = if crosses { idle_ns - 4 * MS } else { idle_ns - SECOND - 6 * MS };
        let mut front = Session::open(&mut scene, asked_ns - 4 * MS, &browser, "192.0.2.2:80");
        front.says(0, b"POST /data HTTP/1.1\r\nHost: api.example\r\nContent-Length: 0\r\n\r\n");
        front.at_ns += 8 * MS;
        front.says(1, answer);
        front.close();
    }
    let (_, assessments) = scene.examine();
    let led: Vec<Vec<&str>> =
        assessments.iter().map(|own| own.leading().iter().map(|h| h.id()).collect()).collect();
    assert_eq!(led, [["H45"], ["H45"]], "the gateway's answers follow what failed behind it");
    assert!(first_check(&assessments).contains("keep-alive"));
}

#[test]
fn a_host_that_accepts_what_its_service_does_not_take_and_then_nothing_has_a_full_queue() {
    let mut scene = Scene::default();
    let service = "198.51.100.7:9000";
    for number in 0..4_i64 {
        talk(&mut scene, number * SECOND, &from(number), service, 0, &[ASKED, GIVEN]);
        talk(
            &mut scene,
            (8 + number * 3) * SECOND,
            &from(100 + number),
            "198.51.100.7:80",
            0,
            &[ASKED, GIVEN],
        );
    }
    for number in 0..4_i64 {
        let mut own = Session::open(&mut scene, (6 + number) * SECOND, &from(200 + number), service);
        own.says(0, ASKED);
        own.at_ns += 4 * SECOND;
        own.segment(0, flags::FIN | flags::ACK, b"");
    }
    for number in 0..6_i64 {
        for again in 0..3_i64 {
            let segment = Segment { sequence: 77, acknowledgment: 0, flags: flags::SYN };
            let packet = Packet::tcp(from(300 + number).as_str(), service, segment, b"");
            scene.put((11 + number) * SECOND + again * SECOND, packet);
        }
    }
    let (found, assessments) = scene.examine();
    let led: Vec<Vec<&str>> =
        assessments.iter().map(|own| own.leading().iter().map(|h| h.id()).collect()).collect();
    assert!(!led.is_empty() && led.iter().all(|own| own == &["H46"]), "{led:?} {found:?}");
}

#[test]
fn packets_that_use_up_their_hops_go_round_and_the_routers_are_asked_first() {
    let mut scene = Scene::default();
    for number in 0..5_i64 {
        let segment = Segment { sequence: 9, acknowledgment: 0, flags: flags::SYN };
        let syn =
            scene.put(number * SECOND, Packet::tcp(from(number).as_str(), "203.0.113.25:80", segment, b""));
        let router = if number % 2 == 0 { "10.11.255.2" } else { "10.11.1.1" };
        let error = Packet::error_about(router.parse().unwrap(), 11, 0, &syn);
        scene.put(number * SECOND + 5 * MS, error);
    }
    let (_, assessments) = scene.examine();
    assert_eq!(leading(&assessments).into_iter().filter(|id| *id == "H7").count(), 1);
    let first = first_check(&assessments);
    assert!(first.contains("10.11.255.2") && first.contains("10.11.1.1"), "{first}");
    let own = assessments[0].of(portmortem::findings::hypotheses::Cause::NoRoute).unwrap();
    assert!(own.title.contains("routing loop") && !own.title.contains("no route"), "{}", own.title);
}

/// A header of IKE and what follows.
fn ike(kind: u8, response: bool, next: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![7; 8];
    out.extend([if response { 9 } else { 0 }; 8]);
    out.extend([next, 0x20, kind, if response { 0x20 } else { 8 }, 0, 0, 0, 0]);
    out.extend((28 + body.len() as u32).to_be_bytes());
    out.extend(body);
    out
}

#[test]
fn a_vpn_gateway_that_does_not_answer_or_takes_no_proposal_fails() {
    let (peer, gateway) = ("192.0.2.10:500", "198.51.100.7:500");
    let mut silent = Scene::default();
    for number in 0..4_i64 {
        silent.put(number * 3 * SECOND, Packet::udp(peer, gateway, &ike(34, false, 33, &[0; 40])));
    }
    silent.lookup(0, 5 * MS, "192.0.2.10:40000", "198.51.100.53", 1, "a.example");
    silent.lookup(20 * SECOND, 5 * MS, "192.0.2.10:40001", "198.51.100.53", 2, "b.example");
    let (found, _) = silent.examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("VPN (IKE)")), "{found:?}");
    let mut refused = Scene::default();
    for number in 0..4_i64 {
        let mut asks = ike(34, false, 33, &[0; 40]);
        asks[0] = number as u8;
        let mut answers = ike(34, true, 41, &[0, 0, 0, 8, 0, 0, 0, 14]);
        answers[0] = number as u8;
        refused.put(number * 3 * SECOND, Packet::udp(peer, gateway, &asks));
        refused.put(number * 3 * SECOND + 9 * MS, Packet::udp(gateway, peer, &answers));
    }
    let (found, assessments) = refused.examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("no proposal chosen")), "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H14"]);
}

#[test]
fn handshakes_that_were_finished_and_closed_are_no_refusals() {
    let finished = [record(20, &[1]), record(22, &[9; 40])].concat();
    let bye = record(21, &[7; 26]);
    let mut scene = Scene::default();
    for number in 0..4_i64 {
        let mut own = Session::open(&mut scene, number * SECOND, &from(number), "198.51.100.7:443");
        own.says(0, &hello(1));
        own.says(1, &hello(2));
        own.says(0, &finished);
        own.says(1, &finished);
        own.segment(0, flags::ACK | flags::PSH, &bye);
        own.segment(1, flags::FIN | flags::ACK, b"");
        own.segment(0, flags::FIN | flags::ACK, b"");
    }
    quiet(scene);
}

/// A record of TLS.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, 3, 3];
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

/// A hello of TLS 1.2 without extensions.
fn hello(kind: u8) -> Vec<u8> {
    let mut body = vec![kind, 0, 0, 40, 3, 3];
    body.extend([0; 36]);
    record(22, &body)
}

/// Handshakes that a device resets in the client's name, with that TTL, after the server's hello.
fn reset_handshakes(scene: &mut Scene, ttl: u8) {
    for number in 0..4_i64 {
        let mut own = Session::open(scene, number * SECOND, &from(number), "198.51.100.7:443");
        own.says(0, &hello(1));
        own.says(1, &hello(2));
        let segment = Segment { sequence: own.next[0], acknowledgment: 0, flags: flags::RST };
        let reset = Packet::tcp(from(number).as_str(), "198.51.100.7:443", segment, b"").ttl(ttl);
        scene.put(number * SECOND + 20 * MS, reset);
    }
}

#[test]
fn a_reset_in_the_clients_name_from_another_distance_is_a_devices() {
    let mut scene = Scene::default();
    reset_handshakes(&mut scene, 110);
    let (found, assessments) = scene.examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("from another distance")), "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H43"]);
    let mut scene = Scene::default();
    reset_handshakes(&mut scene, 64);
    let (found, _) = scene.examine();
    assert!(!found.iter().any(|own| own.statement.contains("from another distance")), "{found:?}");
}

#[test]
fn a_connection_captured_in_two_files_is_counted_once_also_where_its_packets_were_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, first_id: u16| {
        let mut scene = Scene { ip_id: first_id, ..Scene::default() };
        for number in 0..3_i64 {
            talk(&mut scene, number * SECOND, &from(number), "198.51.100.7:80", 0, &[ASKED, GIVEN]);
        }
        let path = folder.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = PcapWriter::new(file, Variant::default(), link::ETHERNET).unwrap();
        scene.packets.iter().for_each(|(time_ns, frame)| writer.packet(*time_ns, frame).unwrap());
        writer.finish().unwrap();
        let (source, walk) = capture::open(&path).unwrap();
        Input { source, walk, offset_ns: 0 }
    };
    let index = build(vec![save("a", 10), save("b", 9_000)], 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let attempts = Attempts::of(&evidence);
    assert_eq!(attempts.all.iter().filter(|own| own.kind == Kind::Http).count(), 3);
}

/// A mail connection in which the recipient is answered so, and what follows where it is taken.
fn mail(scene: &mut Scene, at_ns: i64, from: &str, answer: &[u8]) {
    let said: [&[u8]; 6] = [
        b"220 mx ESMTP\r\n",
        b"EHLO a\r\n",
        b"250 mx\r\n",
        b"RCPT TO:<a@example.com>\r\n",
        answer,
        b"QUIT\r\n",
    ];
    talk(scene, at_ns, from, "198.51.100.25:25", 1, &said);
}

#[test]
fn mail_refused_by_rules_is_no_overload() {
    let refused = |answer: &[u8]| {
        let mut scene = Scene::default();
        for number in 0..6_i64 {
            mail(&mut scene, number * SECOND, &from(number), answer);
        }
        let (found, assessments) = scene.examine();
        let told: Vec<String> = told(&found).iter().map(|own| own.statement.clone()).collect();
        (told.join("\n"), leading(&assessments).into_iter().collect::<Vec<_>>().join(" "))
    };
    let (told, leads) = refused(b"454 4.7.1 <a@example.com>: Relay access denied\r\n");
    assert!(told.contains("answered with 454 4.7.1 (refused by policy)"), "{told}");
    assert_eq!(leads, "H14");
    // Where no further code is given, the words tell.
    assert_eq!(refused(b"454 relaying denied\r\n").1, "H14");
    let (told, leads) = refused(b"552 5.3.4 Message size exceeds fixed limit\r\n");
    assert!(told.contains("552 5.3.4 (message too big)"), "{told}");
    assert_eq!(leads, "H14");
    // What the server cannot stays its failure.
    assert_eq!(refused(b"452 4.3.1 Insufficient system storage\r\n").1, "H26");
    assert_eq!(refused(b"451 local error in processing\r\n").1, "H26");
}

#[test]
fn one_client_whose_recipients_are_never_known_guesses_them() {
    let severity = |clients: i64| {
        let mut scene = Scene::default();
        for number in 0..6_i64 {
            let from = format!("192.0.2.{}:{}", 10 + number % clients, 40_000 + number);
            mail(&mut scene, number * SECOND, &from, b"550 5.1.1 no such user\r\n");
        }
        // What is greeted and says nothing was taken from nobody.
        talk(&mut scene, 7 * SECOND, &from(9), "198.51.100.25:25", 1, &[b"220 mx ESMTP\r\n", b"QUIT\r\n"]);
        told(&scene.examine().0)[0].severity
    };
    assert_eq!(severity(1), Severity::Low);
    assert!(severity(3) > Severity::Low, "several clients have a failure");
}

#[test]
fn what_a_greeting_names_is_the_service_whatever_the_port() {
    let mut scene = Scene::default();
    // Somebody asks a mail server for a page.
    let page: [&[u8]; 2] = [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"220 mx ESMTP\r\n"];
    talk(&mut scene, 0, &from(0), "198.51.100.25:25", 0, &page);
    talk(&mut scene, SECOND, &from(1), "198.51.100.25:8022", 1, &[b"SSH-2.0-a\r\n", b"SSH-2.0-b\r\n"]);
    talk(&mut scene, 2 * SECOND, &from(2), "198.51.100.25:2525", 1, &[b"220 mx ESMTP\r\n", b"QUIT\r\n"]);
    let (_, evidence) = scene.load();
    let kinds: Vec<Kind> = Attempts::of(&evidence).all.iter().map(|own| own.kind).collect();
    assert_eq!(kinds, [Kind::Smtp, Kind::Ssh, Kind::Smtp]);
}

#[test]
fn a_file_that_a_server_does_not_have_and_the_port_of_a_transfer_are_no_failures() {
    use portmortem::findings::coverage::{OpenKind, Standing};
    let mut scene = Scene::default();
    let (client, server) = ("192.0.2.10", "198.51.100.69");
    let put = |scene: &mut Scene, at_ms: i64, from: String, to: String, data: &[u8]| {
        scene.put(at_ms * MS, Packet::udp(from.as_str(), to.as_str(), data))
    };
    let ends = |port: u16, other: u16| (format!("{client}:{port}"), format!("{server}:{other}"));
    let (from, to) = ends(2_000, 69);
    put(&mut scene, 0, from.clone(), to, b"\0\x01SEP1.cnf\0octet\0");
    put(&mut scene, 1, ends(0, 4_001).1, from.clone(), b"\0\x05\0\x01File not found\0");
    let late = put(&mut scene, 2, from, ends(0, 4_001).1, b"\0\x04\0\0");
    scene.put(3 * MS, Packet::port_unreachable(&late));
    let (from, to) = ends(2_001, 69);
    put(&mut scene, 500, from.clone(), to, b"\0\x01default.cnf\0octet\0");
    for block in 1..=6_u8 {
        let mut data = vec![0, 3, 0, block];
        data.resize(if block < 6 { 516 } else { 100 }, b'x');
        put(&mut scene, 500 + 10 * i64::from(block), ends(0, 4_002).1, from.clone(), &data);
        put(&mut scene, 505 + 10 * i64::from(block), from.clone(), ends(0, 4_002).1, &[0, 4, 0, block]);
    }
    let examined = scene.review();
    assert!(told(&examined.findings).is_empty(), "{:?}", examined.findings);
    let items: Vec<(OpenKind, u64)> =
        examined.coverage.not_assessed.iter().map(|item| (item.kind, item.count)).collect();
    assert!(items.contains(&(OpenKind::Finished, 1)), "{items:?}");
    assert!(examined.coverage.of(Standing::Open).next().is_none(), "{items:?}");
    assert!(items.iter().all(|(kind, _)| *kind != OpenKind::OneWay), "{items:?}");
}

#[test]
fn a_file_that_nobody_gets_is_refused_and_no_overload() {
    let mut scene = Scene::default();
    for number in 0..8_u16 {
        let from = format!("192.0.2.10:{}", 2_000 + number);
        let at = i64::from(number) * SECOND;
        scene.put(at, Packet::udp(from.as_str(), "198.51.100.69:69", b"\0\x01boot.img\0octet\0"));
        let told = b"\0\x05\0\x01File not found\0";
        scene.put(
            at + MS,
            Packet::udp(format!("198.51.100.69:{}", 4_000 + number).as_str(), from.as_str(), told),
        );
    }
    let (found, assessments) = scene.examine();
    assert!(told(&found)[0].statement.contains("error 1 (file not found)"), "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H14"]);
}
