//! Weighs a scene: every observation that speaks for or against a cause becomes one ledger row per hypothesis.

mod answers;
mod connections;
mod errors;
mod fragments;
mod further;
mod incidents;
mod load;
mod patterns;
mod services;
mod signatures;
mod silence;
mod surroundings;
mod upstream;
mod waiting;

use super::ledger::Ledger;
use super::matrix::surroundings as row;
use super::scene::{Incident, Scene};
use super::verdicts::Classing;
use crate::findings::{Finding, record_quality};

/// Weighs everything the scene shows.
pub fn weigh(scene: &Scene<'_, '_>) -> (Ledger, Classing) {
    let mut ledger = Ledger::default();
    let prior = "Prior: attacks and forgeries are rarer than faults.".to_owned();
    ledger.see(&row::RARE_PRIOR, prior, Vec::new());
    errors::weigh(scene, &mut ledger);
    silence::weigh(scene, &mut ledger);
    answers::weigh(scene, &mut ledger);
    connections::weigh(scene, &mut ledger);
    upstream::weigh(scene, &mut ledger);
    surroundings::weigh(scene, &mut ledger);
    patterns::weigh(scene, &mut ledger);
    waiting::weigh(scene, &mut ledger);
    fragments::weigh(scene, &mut ledger);
    incidents::weigh(scene, &mut ledger);
    services::weigh(scene, &mut ledger);
    further::weigh(scene, &mut ledger);
    load::weigh(scene, &mut ledger);
    unfaithful(scene, &mut ledger);
    let classing = Classing {
        absent: surroundings::absent_class(scene),
        wrong_address: surroundings::wrong_address_class(scene),
        load_unseen: !scene.sees_load(),
        silence_unseen: matches!(scene.incident, Some(Incident::Silence)) && !scene.silence_counts(),
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
    ledger.see(
        &row::UNFAITHFUL,
        format!(
            "Record quality: {} points that no faithful record has ({}).",
            points.len(),
            codes.join(", ")
        ),
        frames,
    );
}
