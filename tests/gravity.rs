//! How grave findings are: the share inside the windows, who had no alternative, how long rescued clients waited.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::{Packet, dns};
use scene::{MS, SECOND, SERVER, Scene};

const CLIENT: &str = "192.0.2.10";
const OTHER: &str = "203.0.113.9";

impl Scene {
    fn refused(&mut self, at_ns: i64, client: &str, id: u16, name: &str) {
        let query = self.query(at_ns, &format!("{client}:{}", 40_000 + id), SERVER, id, name, dns::A);
        self.put(at_ns + MS, Packet::port_unreachable(&query).ttl(60));
    }

    fn answered(&mut self, at_ns: i64, client: &str, server: &str, id: u16, name: &str) {
        self.lookup(at_ns, 5 * MS, &format!("{client}:{}", 40_000 + id), server, id, name);
    }

    fn failed(&mut self, at_ns: i64, server: &str, id: u16, code: u8, name: &str) {
        let from = format!("{CLIENT}:{}", 40_000 + id);
        self.query(at_ns, &from, server, id, name, dns::A);
        self.reply(at_ns + MS, server, &from, &dns::failure(id, name, dns::A, code));
    }
}

fn found(scene: Scene, id: &str) -> Finding {
    scene.examine().0.into_iter().find(|finding| finding.id == id).expect("a finding")
}

#[test]
fn two_outages_are_high_though_they_are_few_of_all_questions() {
    let mut scene = Scene::default();
    for round in 0..40_u16 {
        let at = i64::from(round) * 3 * SECOND;
        if matches!(round, 10..13 | 25..28) {
            scene.refused(at, CLIENT, round, "www.example.com");
        } else {
            scene.answered(at, CLIENT, SERVER, round, "www.example.com");
        }
    }
    let finding = found(scene, "refused-by-icmp");
    assert_eq!(finding.severity, Severity::High);
    assert!(finding.statement.contains("6 of 40 queries"), "{}", finding.statement);
}

#[test]
fn who_is_rescued_at_once_hardly_notices() {
    let mut scene = Scene::default();
    for round in 0..6_u16 {
        let (at, name) = (i64::from(round) * 20 * SECOND, format!("h{round}.example.com"));
        scene.refused(at, CLIENT, round, &name);
        scene.answered(at + 10 * MS, CLIENT, OTHER, 100 + round, &name);
    }
    let finding = found(scene, "refused-by-icmp");
    assert_eq!(finding.severity, Severity::Low);
    assert!(finding.statement.ends_with("each was then answered by 203.0.113.9"), "{}", finding.statement);
}

#[test]
fn who_waits_for_seconds_does_notice() {
    let mut scene = Scene::default();
    for round in 0..6_u16 {
        let (at, name) = (i64::from(round) * 20 * SECOND, format!("h{round}.example.com"));
        scene.refused(at, CLIENT, round, &name);
        scene.answered(at + 3 * SECOND, CLIENT, OTHER, 100 + round, &name);
    }
    assert_eq!(found(scene, "refused-by-icmp").severity, Severity::Medium);
}

#[test]
fn one_client_without_another_server_keeps_it_grave() {
    let mut scene = Scene::default();
    for round in 0..6_u16 {
        let (at, name) = (i64::from(round) * 20 * SECOND, format!("h{round}.example.com"));
        scene.refused(at, CLIENT, round, &name);
        scene.answered(at + 10 * MS, CLIENT, OTHER, 100 + round, &name);
        scene.refused(at + SECOND, "192.0.2.11", 200 + round, &name);
    }
    assert_eq!(found(scene, "refused-by-icmp").severity, Severity::High);
}

#[test]
fn two_of_three_error_answers_are_a_failure() {
    let mut scene = Scene::default();
    scene.failed(0, SERVER, 1, dns::SERVER_FAILURE, "www.example.com");
    scene.failed(9 * SECOND, SERVER, 2, dns::SERVER_FAILURE, "www.example.com");
    scene.answered(20 * SECOND, CLIENT, SERVER, 3, "www.example.com");
    let finding = found(scene, "rcode-outage");
    assert!(finding.severity >= Severity::Low);
    assert!(finding.statement.contains("2 of 3 questions of 192.0.2.10"), "{}", finding.statement);
}

#[test]
fn one_error_answer_of_each_of_four_servers_is_named() {
    let mut scene = Scene::default();
    for server in 1..5_u16 {
        let at = i64::from(server) * 100 * MS;
        scene.failed(at, &format!("198.51.100.{server}"), server, dns::SERVER_FAILURE, "www.example.com");
    }
    scene.answered(60 * SECOND, CLIENT, OTHER, 9, "www.example.net");
    let (findings, _) = scene.examine();
    let low =
        findings.iter().filter(|finding| finding.id == "rcode-outage" && finding.severity >= Severity::Low);
    assert_eq!(low.count(), 4);
}

#[test]
fn a_refusal_after_a_server_failure_for_one_name_is_named() {
    let mut scene = Scene::default();
    for round in 0..30_u16 {
        scene.answered(i64::from(round) * SECOND, CLIENT, OTHER, 100 + round, "www.example.net");
    }
    scene.failed(31 * SECOND, SERVER, 1, dns::SERVER_FAILURE, "www.example.com");
    scene.failed(31 * SECOND + 50 * MS, SERVER, 2, dns::REFUSED, "www.example.com");
    scene.answered(60 * SECOND, CLIENT, SERVER, 9, "www.example.net");
    assert!(scene.examine().0.iter().any(|finding| finding.id == "rcode-outage"));
}

#[test]
fn a_name_that_does_not_exist_is_an_answer() {
    let mut scene = Scene::default();
    for round in 0..3_u16 {
        scene.failed(i64::from(round) * 9 * SECOND, SERVER, round, dns::NAME_ERROR, "gone.example.com");
    }
    scene.answered(60 * SECOND, CLIENT, SERVER, 9, "www.example.net");
    assert!(scene.examine().0.iter().all(|finding| finding.severity == Severity::Info));
}
