//! Lookups that were answered, but late enough for people to notice.

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::Packet;
use portmortem::generate::dns::{self, Data};
use scene::{MS, SECOND, SERVER, Scene, client};

fn slow(scene: Scene) -> Vec<Finding> {
    let (found, _) = scene.examine();
    found.into_iter().filter(|finding| finding.id == "slow-dns").collect()
}

/// `count` lookups of one client, `every`th of them answered after `wait_ns`, the others after 9 ms.
fn lookups(count: i64, every: i64, wait_ns: i64) -> Scene {
    let mut scene = Scene::default();
    for number in 0..count {
        let trip = if number % every == 0 { wait_ns } else { 9 * MS };
        let name = format!("www{number}.example.org");
        scene.lookup(number * 6 * SECOND, trip, &client(1), SERVER, 100 + number as u16, &name);
    }
    scene
}

#[test]
fn answers_after_seconds_are_a_finding_with_count_median_and_longest() {
    let found = slow(lookups(10, 1, 3_200 * MS));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Medium);
    assert!(found[0].statement.starts_with("10 of 10 lookups of "), "{}", found[0].statement);
    assert!(found[0].statement.contains("median 3.200 s, longest 3.200 s"), "{}", found[0].statement);
    assert_eq!(slow(lookups(10, 1, 1_400 * MS))[0].severity, Severity::Low);
}

#[test]
fn waiting_that_is_the_rule_is_graver_than_waiting_now_and_then() {
    assert_eq!(slow(lookups(20, 1, 1_400 * MS))[0].severity, Severity::Medium);
    assert_eq!(slow(lookups(40, 2, 1_400 * MS))[0].severity, Severity::Low);
}

#[test]
fn two_slow_answers_one_in_thirty_and_quick_ones_are_none() {
    assert!(slow(lookups(20, 10, 3_200 * MS)).is_empty());
    assert!(slow(lookups(100, 30, 3_200 * MS)).is_empty());
    assert!(slow(lookups(20, 1, 900 * MS)).is_empty());
}

#[test]
fn what_another_client_waits_for_is_not_counted_with_this_one() {
    let mut scene = lookups(4, 1, 2_500 * MS);
    for number in 0..30 {
        let name = format!("other{number}.example.org");
        scene.lookup(number * SECOND + 400 * MS, 9 * MS, &client(2), SERVER, 900 + number as u16, &name);
    }
    let found = slow(scene);
    assert!(found[0].statement.starts_with("4 of 4 lookups of "), "{}", found[0].statement);
}

#[test]
fn an_answer_to_a_repeat_from_another_port_ends_the_wait_that_the_first_query_began() {
    let mut scene = Scene::default();
    for number in 0..4i64 {
        let (at, id, name) = (number * 20 * SECOND, 50 + number as u16, format!("www{number}.example.org"));
        let from = |port: i64| format!("192.0.2.10:{}", 30_000 + number * 10 + port);
        scene.query(at, &from(0), SERVER, id, &name, dns::A);
        scene.query(at + 1_500 * MS, &from(1), SERVER, id, &name, dns::A);
        scene.reply(
            at + 1_510 * MS,
            SERVER,
            &from(1),
            &dns::answer(id, &name, Data::A([192, 0, 2, 80].into())),
        );
    }
    scene.lookup(90 * SECOND, 9 * MS, &client(3), SERVER, 7, "quick.example.org");
    let found = slow(scene);
    assert_eq!(found.len(), 1);
    assert!(found[0].statement.contains("median 1.510 s"), "{}", found[0].statement);
    assert!(found[0].statement.ends_with("each was answered only after it was asked again"));
}

/// Questions that a server answers late, each of `tries` queries with an answer of its own unless `merged`.
fn stalled(ttl: u8) -> Scene {
    let mut scene = Scene::default();
    for number in 0..40i64 {
        let (id, from) = (100 + number as u16, format!("192.0.2.{}:{}", 10 + number % 2, 30_000 + number));
        let name = format!("www{number}.example.org");
        let answer = dns::answer(id, &name, Data::A([192, 0, 2, 80].into()));
        let server = format!("{SERVER}:53");
        let reply = |scene: &mut Scene, at: i64| {
            scene.put(at, Packet::udp(server.as_str(), from.as_str(), &answer).ttl(ttl));
        };
        let at = number * SECOND;
        let is_stalled = (10..20).contains(&number);
        scene.put(at, Packet::udp(from.as_str(), server.as_str(), &dns::query(id, &name, dns::A)).ttl(63));
        if is_stalled {
            scene.put(
                at + 2 * SECOND,
                Packet::udp(from.as_str(), server.as_str(), &dns::query(id, &name, dns::A)).ttl(63),
            );
            reply(&mut scene, at + 2_500 * MS);
            reply(&mut scene, at + 2_501 * MS);
        } else {
            reply(&mut scene, at + MS);
        }
    }
    scene
}

#[test]
fn as_many_answers_as_queries_are_no_loss_but_a_late_server() {
    // At the server's own link, and some hops away.
    for (ttl, slow_server) in [(64, true), (57, false)] {
        let (found, assessments) = stalled(ttl).examine();
        let statement = &found.iter().find(|own| own.id == "slow-dns").unwrap().statement;
        assert!(statement.contains("from 22:13:30 to 22:13:41"), "{statement}");
        assert!(statement.contains("median 2.500 s"), "{statement}");
        let leads = scene::leading(&assessments);
        assert!(!leads.contains("H29"), "{leads:?}");
        assert!(leads.contains("H31"), "{leads:?}");
        assert_eq!(leads.len() == 1, slow_server, "{leads:?}");
    }
}
