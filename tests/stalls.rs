//! Services beside DNS: sessions that end each other's, stalls told as one, and what stands behind them.

#![expect(clippy::indexing_slicing, reason = "a test that meets the unexpected should stop there")]

mod scene;

use portmortem::attempts::{Attempts, Outcome};
use portmortem::findings::hypotheses::Assessment;
use portmortem::findings::{Finding, Severity};
use portmortem::generate::flags;
use scene::{MS, SECOND, Scene, Session, leading};

const HOST: &str = "198.51.100.80";
const FIN: u8 = flags::FIN | flags::ACK;

fn connect(name: &str) -> Vec<u8> {
    let mut message = b"\x10\x00\x00\x04MQTT\x04\x02\x00\x3c\x00".to_vec();
    message.push(name.len() as u8);
    message.extend_from_slice(name.as_bytes());
    message[1] = (message.len() - 2) as u8;
    message
}

/// Two clients by turns, one a second: the session of the one ends as the other signs in. Each says `first` of its number.
fn by_turns(port: u16, number: usize, first: impl Fn(usize) -> Vec<u8>, answer: &[u8]) -> Scene {
    let mut scene = Scene::default();
    for turn in 0..number {
        let at_ns = turn as i64 * SECOND;
        let client = |turn: usize| format!("192.0.2.{}:{}", 10 + turn % 2, 40_000 + turn);
        let to = format!("{HOST}:{port}");
        let mut own = Session::open(&mut scene, at_ns, &client(turn), &to);
        own.next = [1_000 + turn as u32, 5_000 + turn as u32];
        own.says(0, &first(turn));
        own.says(1, answer);
        if turn + 1 < number {
            own.at_ns = at_ns + SECOND + 5 * MS;
            own.segment(1, FIN, b"");
            own.segment(0, FIN, b"");
            own.segment(1, flags::ACK, b"");
        }
    }
    scene
}

fn displaced(scene: Scene) -> (usize, Vec<Finding>, Vec<Assessment>) {
    let (index, evidence) = scene.load();
    let all = &Attempts::of(&evidence).all;
    let number = all.iter().filter(|own| own.outcome == Outcome::Displaced).count();
    let input = portmortem::findings::Input { index: &index, evidence: &evidence };
    let examined = portmortem::findings::review(&input, &[], &[]);
    (number, examined.findings, examined.assessments)
}

#[test]
fn sessions_with_one_name_that_end_each_other_are_an_incident() {
    let (number, found, assessments) = displaced(by_turns(1883, 4, |_| connect("gw-7"), b"\x20\x02\x00\x00"));
    assert_eq!(number, 3);
    let own = found.iter().find(|own| own.id == "service-failures").map(|own| own.severity);
    assert_eq!(own, Some(Severity::Medium), "{found:?}");
    assert_eq!(leading(&assessments), ["H48"].into());
    let told: Vec<&str> = assessments[0].wording.iter().map(|own| own.text.as_str()).collect();
    let names = |text: &str| ["192.0.2.10", "192.0.2.11", "“gw-7”"].iter().all(|word| text.contains(word));
    assert!(told.iter().any(|text| names(text)), "{told:?}");
}

#[test]
fn sessions_with_names_of_their_own_do_not_end_each_other() {
    let name = |turn: usize| connect(&format!("gw-{}", turn % 2));
    assert_eq!(displaced(by_turns(1883, 8, name, b"\x20\x02\x00\x00")).0, 0);
    // One that moves to another address takes its session along.
    assert_eq!(displaced(by_turns(1883, 2, |_| connect("gw-7"), b"\x20\x02\x00\x00")).0, 0);
}

#[test]
fn without_a_name_only_turns_tell_that_sessions_end_each_other() {
    let login = |_: usize| b"<stream to='example.net'>".to_vec();
    assert_eq!(displaced(by_turns(5222, 6, login, b"<stream>")).0, 5);
    assert_eq!(displaced(by_turns(5222, 4, login, b"<stream>")).0, 0, "three are too few");
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A request of HTTP answered after `took_ns`, or given up after it where there is no answer.
fn get(scene: &mut Scene, at_ns: i64, client: &str, server: &str, took_ns: i64, answer: Option<&[u8]>) {
    let mut own = Session::open(scene, at_ns, client, server);
    own.says(0, b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n");
    own.at_ns += took_ns;
    if let Some(answer) = answer {
        own.says(1, answer);
    }
    own.close();
}

/// Ten quick ones, a stall of which some give up and others see the end, and ten quick ones.
fn stall(scene: &mut Scene, client: &str, server: &str) {
    let quick = |scene: &mut Scene, from_ns: i64, port: u16| {
        for number in 0..10u16 {
            let at_ns = from_ns + i64::from(number) * SECOND / 2;
            get(scene, at_ns, &format!("{client}:{}", port + number), server, 5 * MS, Some(OK));
        }
    };
    quick(scene, 0, 40_000);
    for number in 0..4u16 {
        let at_ns = 10 * SECOND + i64::from(number) * SECOND;
        get(scene, at_ns, &format!("{client}:{}", 41_000 + number), server, 4 * SECOND, None);
    }
    for number in 0..3u16 {
        let at_ns = 14 * SECOND + i64::from(number) * SECOND;
        let took_ns = 18 * SECOND - at_ns;
        get(scene, at_ns, &format!("{client}:{}", 42_000 + number), server, took_ns, Some(OK));
    }
    quick(scene, 20 * SECOND, 43_000);
}

#[test]
fn what_was_never_answered_and_what_came_late_is_one_stall() {
    let mut scene = Scene::default();
    stall(&mut scene, "192.0.2.10", "198.51.100.80:80");
    let (found, assessments) = scene.examine();
    let own: Vec<&Finding> = found.iter().filter(|own| own.id == "service-failures").collect();
    assert_eq!(own.len(), 1, "{found:?}");
    assert_eq!(own[0].severity, Severity::High);
    let told: Vec<&str> = assessments[0].wording.iter().map(|own| own.text.as_str()).collect();
    assert!(told.iter().any(|text| text.starts_with("3 further attempts of 192.0.2.10")), "{told:?}");
}

#[test]
fn late_answers_beside_quick_ones_are_no_part_of_a_stall() {
    let mut scene = Scene::default();
    stall(&mut scene, "192.0.2.10", "198.51.100.80:80");
    get(&mut scene, 12 * SECOND, "192.0.2.20:50000", "198.51.100.80:80", 5 * MS, Some(OK));
    let (found, _) = scene.examine();
    assert_eq!(found.iter().filter(|own| own.id == "service-failures").count(), 2, "{found:?}");
}

#[test]
fn errors_and_late_answers_of_a_gateway_lead_to_what_hung_behind_it() {
    let mut scene = Scene::default();
    stall(&mut scene, "203.0.113.1", "198.51.100.90:8080");
    let error = b"HTTP/1.1 504 Gateway Time-out\r\nContent-Length: 0\r\n\r\n";
    for number in 0..4u16 {
        let at_ns = 10 * SECOND + i64::from(number) * SECOND - MS;
        let client = format!("192.0.2.{}:{}", 10 + number % 2, 51_000 + number);
        get(&mut scene, at_ns, &client, "198.51.100.80:80", 4 * SECOND, Some(error));
    }
    for number in 0..3u16 {
        let at_ns = 14 * SECOND + i64::from(number) * SECOND - MS;
        let took_ns = 18 * SECOND - at_ns + 2 * MS;
        let client = format!("192.0.2.{}:{}", 10 + number % 2, 52_000 + number);
        get(&mut scene, at_ns, &client, "198.51.100.80:80", took_ns, Some(OK));
    }
    let (found, assessments) = scene.examine();
    assert_eq!(found.iter().filter(|own| own.id == "service-failures").count(), 2, "{found:?}");
    let told: Vec<&str> =
        assessments.iter().flat_map(|own| &own.wording).map(|own| own.text.as_str()).collect();
    let behind =
        "followed a failure behind it: a request of 203.0.113.1 to web (TCP port 8080) of 198.51.100.90";
    assert!(told.iter().any(|text| text.contains(behind)), "{told:#?}");
}

#[test]
fn who_is_served_and_fails_otherwise_meanwhile_is_not_called_unaffected() {
    let report = |fails: bool| {
        let mut scene = Scene::default();
        stall(&mut scene, "203.0.113.1", "198.51.100.90:8080");
        let error = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        for number in 0..4u16 {
            let at_ns = 30 * SECOND + i64::from(number) * SECOND;
            let client = |host: u16, port: u16| format!("192.0.2.{host}:{}", port + number);
            get(&mut scene, at_ns, &client(10, 51_000), "198.51.100.80:80", 5 * MS, Some(error));
            get(&mut scene, at_ns + 300 * MS, &client(20, 52_000), "198.51.100.80:80", 5 * MS, Some(OK));
            if fails && number == 1 {
                let error = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
                get(
                    &mut scene,
                    at_ns + 600 * MS,
                    &client(20, 53_000),
                    "198.51.100.80:80",
                    5 * MS,
                    Some(error),
                );
            }
        }
        format!("{:?}", scene.report())
    };
    assert!(report(false).contains("Served meanwhile: 192.0.2.20 (3 times)"), "{}", report(false));
    let text = report(true);
    assert!(
        !text.contains("Served meanwhile: 192.0.2.20 (") && text.contains("1 other failed in another way"),
        "{text}"
    );
}
