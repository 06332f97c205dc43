//! Weighs a scene: every observation that speaks for or against a cause becomes one ledger row per hypothesis.

mod answers;
mod errors;
mod fragments;
mod further;
mod incidents;
mod load;
mod silence;
mod surroundings;

use super::Group;
use super::ledger::{Ledger, Observation, Row};
use super::scene::{Incident, Scene};
use super::verdicts::Classing;
use crate::findings::{Finding, record_quality};

/// Weighs everything the scene shows.
pub fn weigh(scene: &Scene<'_, '_>) -> (Ledger, Classing) {
    let mut ledger = Ledger::default();
    prior(&mut ledger);
    errors::weigh(scene, &mut ledger);
    silence::weigh(scene, &mut ledger);
    answers::weigh(scene, &mut ledger);
    surroundings::weigh(scene, &mut ledger);
    fragments::weigh(scene, &mut ledger);
    incidents::weigh(scene, &mut ledger);
    further::weigh(scene, &mut ledger);
    load::weigh(scene, &mut ledger);
    unfaithful(scene, &mut ledger);
    let classing = Classing {
        wrong_address: surroundings::absent_class(scene),
        load_unseen: !scene.sees_load(),
        silence_unseen: scene.facts.evidence.one_sided && matches!(scene.incident, Some(Incident::Silence)),
    };
    (ledger, classing)
}

/// The record-quality points about packets of this scene.
fn unfaithful(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let points: Vec<&Finding> = scene.quality().collect();
    if points.is_empty() || !record_quality::is_unfaithful(scene.findings) {
        return;
    }
    let mut codes: Vec<&str> = points.iter().filter_map(|finding| finding.code).collect();
    codes.sort_unstable();
    let mut frames: Vec<_> = points.iter().flat_map(|finding| finding.frames.iter().copied()).collect();
    frames.sort_unstable();
    frames.dedup();
    let observation = Observation::new(
        Row::Unfaithful,
        Group::Integrity,
        format!(
            "Record quality: {} points that no faithful record has ({}).",
            points.len(),
            codes.join(", ")
        ),
        frames,
    )
    .fits("conclusions rest on addresses, message types and order only");
    errors::put(ledger, &observation, &[("H21", 20)]);
}

fn prior(ledger: &mut Ledger) {
    let rare = Observation::new(
        Row::RarePrior,
        Group::Analyst,
        "Prior: attacks and forgeries are rarer than faults.".to_owned(),
        Vec::new(),
    )
    .against("a starting value by judgement, to be changed by the analyst where more is known");
    ledger.weigh(&rare, &[("H9", Some(-5)), ("H17", Some(-5))]);
}
