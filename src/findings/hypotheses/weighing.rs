//! Weighs a scene: every observation that speaks for or against a cause becomes one ledger row per hypothesis.

mod answers;
mod errors;
mod fragments;
mod incidents;
mod load;
mod silence;
mod surroundings;

pub(in crate::findings) use answers::{code_name, extended_name};

use super::Group;
use super::ledger::{Ledger, Observation, Row};
use super::scene::Scene;
use super::verdicts::Classing;

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
    load::weigh(scene, &mut ledger);
    let classing =
        Classing { wrong_address: surroundings::absent_class(scene), load_unseen: !scene.sees_load() };
    (ledger, classing)
}

fn prior(ledger: &mut Ledger) {
    let rare = Observation {
        row: Row::RarePrior,
        text: "Prior: attacks and forgeries are rarer than faults.".to_owned(),
        frames: Vec::new(),
        group: Group::Analyst,
        fits: "",
        against: "a starting value by judgement, to be changed by the analyst where more is known",
    };
    ledger.weigh(&rare, &[("H9", Some(-5)), ("H17", Some(-5))]);
}
