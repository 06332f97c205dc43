//! Causes by pattern: which lookups fail, are slow or are answered alike, and what stands beside a cause.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use std::collections::BTreeSet;

use portmortem::findings::hypotheses::Verdict;
use portmortem::generate::Packet;
use portmortem::generate::dns;
use scene::{MS, SECOND, SERVER, Scene, expect, leading, weight};

/// Queries repeated after five seconds, and nothing else in the capture.
fn total_silence() -> Scene {
    let mut scene = Scene::default();
    for number in 0..5_i64 {
        let (at, id) = (number * 11 * SECOND, number as u16);
        let from = format!("192.0.2.10:{}", 40_000 + number);
        for repeat in 0..2 {
            scene.query(at + repeat * 5 * SECOND, &from, SERVER, id, "www.example", dns::A);
        }
    }
    scene
}

#[test]
fn total_silence_is_a_tie_beside_which_the_record_stands() {
    let (_, assessments) = total_silence().examine();
    let led: BTreeSet<&str> = assessments[0].leading().iter().map(|h| h.id()).collect();
    assert_eq!(led, BTreeSet::from(["H6", "H8"]));
    let record = assessments[0].hypothesis("H21").expect("a hypothesis");
    assert!(record.verdict <= Verdict::Consistent && record.tied_with.is_empty());
    for behind in ["H4", "H7", "H5"] {
        let one = assessments[0].hypothesis(behind).expect("a hypothesis");
        assert!(one.score_db < Some(5), "{behind}");
    }
}

/// Thirty-two questions of one client half a second apart; those that fail are refused, or left in silence and repeated.
fn mixed(refuse: bool, fails: impl Fn(i64) -> bool, port: impl Fn(i64) -> i64) -> Scene {
    let mut scene = Scene::default();
    for number in 0..32_i64 {
        let (at, id) = (number * 500 * MS, number as u16);
        let from = format!("192.0.2.10:{}", port(number));
        let name = ["www.example", "api.example", "mail.test"][number as usize % 3];
        if !fails(number) {
            scene.lookup(at, 9 * MS, &from, SERVER, id, name);
            continue;
        }
        let query = scene.query(at, &from, SERVER, id, name, dns::A);
        if refuse {
            scene.put(at + 9 * MS, Packet::port_unreachable(&query).ttl(57));
        } else {
            scene.query(at + 5 * SECOND, &from, SERVER, id, name, dns::A);
        }
    }
    // The capture goes on.
    scene.lookup(40 * SECOND, 9 * MS, "192.0.2.11:40000", SERVER, 99, "late.example");
    scene
}

fn plain(number: i64) -> i64 {
    40_000 + number * 7 % 1_000
}

#[test]
fn refusals_in_turn_with_answers_are_a_dead_member() {
    let (_, assessments) = expect(mixed(true, |number| number % 3 == 1, plain), "H39");
    assert_eq!(weight(&assessments, "H39", "L87"), Some(20));
    assert_eq!(weight(&assessments, "H39", "L85"), Some(20));
    assert_eq!(weight(&assessments, "H1", "L85"), Some(-20));
    assert!(!leading(&assessments).contains("H1") && !leading(&assessments).contains("H2"));
    // One outage is none, whatever came before and after.
    let (_, assessments) = expect(mixed(true, |number| (10..20).contains(&number), plain), "H1");
    assert_eq!(weight(&assessments, "H39", "L85"), None);
    assert_eq!(weight(&assessments, "H39", "L87"), None);
    assert_eq!(weight(&assessments, "H1", "L11"), None);
}

#[test]
fn silence_by_source_port_is_a_filter_by_property() {
    // In no order that repeats.
    let high = |number: i64| 0x5b1e_2d64_u64 >> number & 1 == 1;
    let by_port = move |number: i64| if high(number) { 50_000 + number } else { 20_000 + number };
    let (_, assessments) = expect(mixed(false, high, by_port), "H40");
    assert_eq!(weight(&assessments, "H40", "L86"), Some(20));
    assert_eq!(weight(&assessments, "H39", "L86"), Some(-20));
    let said = |text: &str| assessments[0].wording.iter().any(|sentence| sentence.text.contains(text));
    assert!(said("source ports of 50002 and above"), "{:?}", assessments[0].wording);
    // The same failures from ports of every kind are no such filter.
    let (_, assessments) = mixed(false, high, plain).examine();
    assert_eq!(weight(&assessments, "H40", "L86"), None);
    assert!(!leading(&assessments).contains("H1") && !leading(&assessments).contains("H6"));
}

#[test]
fn what_is_served_to_others_in_the_same_window_is_a_rule_by_address() {
    let outage = |others_at: i64| {
        let mut scene = mixed(true, |number| (10..20).contains(&number), plain);
        for number in 0..4 {
            let at = others_at + number * SECOND;
            scene.lookup(
                at + 100 * MS,
                9 * MS,
                "192.0.2.77:50000",
                SERVER,
                500 + number as u16,
                "www.example",
            );
        }
        scene.examine().1
    };
    assert_eq!(weight(&outage(5 * SECOND), "H1", "L11"), Some(-20));
    assert_eq!(weight(&outage(5 * SECOND), "H2", "L67"), Some(10));
    // The same answers after the outage say nothing.
    assert_eq!(weight(&outage(20 * SECOND), "H1", "L11"), None);
}
