//! Lookups that were answered, but late enough for people to notice.

mod scene;

use portmortem::findings::{Finding, Severity};
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
