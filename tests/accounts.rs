//! Who is refused what others are given: outcome by client and account over time.

mod scene;

use portmortem::findings::{Finding, Severity};
use scene::{SECOND, Scene, leading, talk};

const DIRECTORY: &str = "198.51.100.7:389";

/// A bind of LDAP in a name.
fn bind(name: &str) -> Vec<u8> {
    let length = name.len() as u8;
    let mut out = vec![0x30, 12 + length, 2, 1, 1, 0x60, 7 + length, 2, 1, 3, 4, length];
    out.extend(name.bytes());
    out.extend([0x80, 0]);
    out
}

/// Its result.
fn result(code: u8) -> Vec<u8> {
    vec![0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, code, 4, 0, 4, 0]
}

/// Sign-ins a second apart: client, account, result.
fn directory(rows: &[(u8, &str, u8)]) -> Scene {
    let mut scene = Scene::default();
    for (at, (client, name, code)) in rows.iter().enumerate() {
        let from = format!("192.0.2.{client}:{}", 40_000 + at);
        talk(&mut scene, at as i64 * 5 * SECOND, &from, DIRECTORY, 0, &[&bind(name), &result(*code)]);
    }
    scene
}

fn told(found: &[Finding]) -> Vec<&Finding> {
    found.iter().filter(|own| own.severity > Severity::Info).collect()
}

#[test]
fn an_account_that_is_refused_from_a_moment_on_is_told_while_others_are_served() {
    let mut rows = vec![];
    for number in 0..8 {
        rows.push((10, "cn=web", 0));
        rows.push((10, "cn=app", if number < 4 { 0 } else { 49 }));
    }
    let (found, assessments) = directory(&rows).examine();
    let own = told(&found);
    assert_eq!(own.len(), 1, "{found:?}");
    assert_eq!(own[0].severity, Severity::Medium);
    assert!(own[0].statement.starts_with("4 of 4 ") && own[0].statement.contains("“cn=app”"), "{own:?}");
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H14"]);
    assert!(assessments[0].checks[0].action.contains("“cn=app”"), "{assessments:?}");
}

#[test]
fn a_client_that_is_always_refused_is_told_though_the_account_serves_another() {
    let mut rows = vec![];
    for _ in 0..3 {
        rows.push((10, "cn=app", 0));
        rows.push((20, "cn=app", 49));
    }
    let (found, _) = directory(&rows).examine();
    let own = told(&found);
    assert_eq!(own.iter().map(|own| own.severity).collect::<Vec<_>>(), [Severity::Low], "{found:?}");
    assert!(
        own[0].statement.starts_with("3 of 3 ") && own[0].statement.contains("from 192.0.2.20"),
        "{own:?}"
    );
}

#[test]
fn a_slip_that_is_followed_by_success_is_ordinary_and_the_service_is_named() {
    let rows = [
        (10, "cn=web", 0),
        (10, "cn=app", 49),
        (10, "cn=app", 49),
        (10, "cn=app", 0),
        (11, "cn=x", 49),
        (11, "cn=x", 0),
    ];
    let examined = directory(&rows).review();
    assert!(told(&examined.findings).is_empty(), "{:?}", examined.findings);
    let verdict = examined.coverage.verdict().unwrap_or_default();
    assert!(verdict.contains("(TCP port 389) (3 of 6 answered, 3 refused)"), "{verdict}");
}

/// A request for access and its answer.
fn access(scene: &mut Scene, at_ns: i64, id: u8, user: &str, answer: u8) {
    let length = user.len() as u8;
    let mut asks = vec![1, id, 0, 22 + length];
    asks.extend([id; 16]);
    asks.extend([1, 2 + length]);
    asks.extend(user.bytes());
    let mut answers = vec![answer, id, 0, 20];
    answers.extend([id; 16]);
    let (client, server) = ("192.0.2.5:50000", "198.51.100.9:1812");
    scene.put(at_ns, portmortem::generate::Packet::udp(client, server, &asks));
    scene.put(at_ns + 1_000_000, portmortem::generate::Packet::udp(server, client, &answers));
}

#[test]
fn a_challenge_between_two_refusals_lets_nobody_in() {
    let mut scene = Scene::default();
    for number in 0..6_u8 {
        let at_ns = i64::from(number) * 10 * SECOND;
        access(&mut scene, at_ns, number * 4, "good", 2);
        access(&mut scene, at_ns + SECOND, number * 4 + 1, "bad", 11);
        access(&mut scene, at_ns + 2 * SECOND, number * 4 + 2, "bad", 3);
    }
    let (found, _) = scene.examine();
    let own = told(&found);
    assert_eq!(own.len(), 1, "{found:?}");
    assert!(own[0].statement.contains("“bad”") && !own[0].statement.contains("“good”"), "{own:?}");
}

#[test]
fn one_user_of_a_site_whose_credentials_are_refused_is_told() {
    let mut scene = Scene::default();
    let ok: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let no: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    for number in 0..6_i64 {
        // bob:x, and eve without a password.
        for (user, answer, client) in [("Ym9iOng=", ok, 10), ("ZXZlOg==", no, 20)] {
            let request =
                format!("GET /d HTTP/1.1\r\nHost: a.example\r\nAuthorization: Basic {user}\r\n\r\n");
            let from = format!("192.0.2.{client}:{}", 40_000 + number);
            let at_ns = number * 4 * SECOND + client * SECOND / 10;
            talk(&mut scene, at_ns, &from, "198.51.100.8:80", 0, &[request.as_bytes(), answer]);
        }
        // A challenge that asks for credentials.
        let from = format!("192.0.2.10:{}", 41_000 + number);
        let bare = b"GET /d HTTP/1.1\r\nHost: a.example\r\n\r\n";
        talk(&mut scene, number * 4 * SECOND, &from, "198.51.100.8:80", 0, &[bare, no]);
    }
    let (found, _) = scene.examine();
    let own = told(&found);
    assert_eq!(own.len(), 1, "{found:?}");
    assert!(own[0].statement.contains("“eve”") && own[0].statement.starts_with("6 of 6"), "{own:?}");
}
