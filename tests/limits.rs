//! What a service has no more of, and who holds it.

mod scene;

use portmortem::findings::{Finding, Severity};
use scene::{SECOND, Scene, Session, leading, talk};

const DATABASE: &str = "198.51.100.7:5432";
const STARTUP: &[u8] = b"\0\0\0\x10\0\x03\0\0user\0a\0\0";
const READY: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const FULL: &[u8] = b"E\0\0\0\x19SFATAL\0C53300\0Mfull\0\0";

fn told(found: &[Finding]) -> Vec<&Finding> {
    found.iter().filter(|own| own.severity > Severity::Info).collect()
}

/// Connections of one client that are held open, then others that are refused.
fn held(scene: &mut Scene, server: &str, asks: &[u8], gives: &[u8], refuses: &[u8]) {
    for number in 0..5_i64 {
        let from = format!("192.0.2.66:{}", 40_000 + number);
        let mut own = Session::open(scene, number * SECOND, &from, server);
        own.says(0, asks);
        own.says(1, gives);
    }
    for number in 0..4_i64 {
        let from = format!("192.0.2.10:{}", 41_000 + number);
        talk(scene, (10 + number) * SECOND, &from, server, 0, &[asks, refuses]);
    }
}

#[test]
fn who_holds_the_connections_that_a_database_has_no_more_of_is_told() {
    let mut scene = Scene::default();
    held(&mut scene, DATABASE, STARTUP, READY, FULL);
    let (found, assessments) = scene.examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("53300")), "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H47"]);
    let said = format!("{:?}", assessments[0]);
    assert!(said.contains("5 other connections to it were held open: by 192.0.2.66 5"), "{said}");
    let checks: Vec<&str> = assessments[0].checks.iter().map(|own| own.action.as_str()).collect();
    assert!(checks[0].contains("192.0.2.66 had 5"), "{checks:?}");
    assert!(checks.iter().any(|own| own.contains("pg_stat_activity")), "{checks:?}");
}

#[test]
fn a_service_that_is_unavailable_ties_with_its_limit_only_where_connections_are_held() {
    let unavailable = [0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, 52, 4, 0, 4, 0];
    let given = [0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, 0, 4, 0, 4, 0];
    let mut scene = Scene::default();
    held(&mut scene, "198.51.100.7:389", b"0", &given, &unavailable);
    let (_, assessments) = scene.examine();
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H26", "H47"]);
    let mut alone = Scene::default();
    for number in 0..4_i64 {
        let from = format!("192.0.2.10:{}", 41_000 + number);
        talk(&mut alone, number * SECOND, &from, "198.51.100.7:389", 0, &[b"0", &unavailable]);
    }
    let (_, assessments) = alone.examine();
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H26"]);
}

#[test]
fn a_broker_tells_its_limit_in_words() {
    let close = |code: [u8; 2], words: &[u8]| {
        let mut out = vec![1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 50, code[0], code[1], words.len() as u8];
        out.extend(words);
        out.extend([0, 10, 0, 40, 0xce]);
        out
    };
    let opened = [1, 0, 0, 0, 0, 0, 5, 0, 10, 0, 41, 0, 0xce];
    let full = close([2, 18], b"NOT_ALLOWED - connection limit (5) is reached");
    let mut scene = Scene::default();
    held(&mut scene, "198.51.100.7:5672", b"AMQP\0\0\x09\x01", &opened, &full);
    let (found, assessments) = scene.examine();
    assert!(told(&found).iter().any(|own| own.statement.contains("limit of connections")), "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H47"]);
}

#[test]
fn who_asked_most_before_a_limit_of_requests_is_told() {
    let mut scene = Scene::default();
    let asks: &[u8] = b"GET /api HTTP/1.1\r\nHost: a.example\r\n\r\n";
    for number in 0..30_i64 {
        let answer: &[u8] = if number < 20 {
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        } else {
            b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
        };
        let from = format!("192.0.2.66:{}", 40_000 + number);
        talk(&mut scene, number * SECOND / 2, &from, "198.51.100.8:80", 0, &[asks, answer]);
    }
    let (found, assessments) = scene.examine();
    assert!(told(&found).iter().all(|own| own.severity <= Severity::Low), "{found:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H47"]);
    assert!(
        format!("{:?}", assessments[0]).contains("it was asked 20 times: 192.0.2.66 20"),
        "{assessments:?}"
    );
}
