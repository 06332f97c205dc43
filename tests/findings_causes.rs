//! Causes by pattern: which lookups fail, are slow or are answered alike, and what stands beside a cause.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use std::collections::BTreeSet;

use portmortem::findings::hypotheses::Verdict;
use portmortem::generate::dns;
use scene::{SECOND, SERVER, Scene, leading};

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
    assert_eq!(record.verdict, Verdict::BestSupported);
    assert!(record.tied_with.is_empty() && leading(&assessments).contains("H21"));
    for behind in ["H4", "H7", "H5"] {
        let one = assessments[0].hypothesis(behind).expect("a hypothesis");
        assert!(one.score_db < Some(5), "{behind}");
    }
}
