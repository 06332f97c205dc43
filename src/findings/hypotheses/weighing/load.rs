//! Rows about load: only where queries from many sources would be seen.

use super::errors::put;
use crate::findings::hypotheses::Group;
use crate::findings::hypotheses::ledger::{Ledger, Observation, Row};
use crate::findings::hypotheses::scene::Scene;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if !scene.sees_load() {
        let queries = scene.asked().map_or(0, |server| server.queries);
        let observation = Observation {
            row: Row::LoadUnknown,
            text: format!(
                "The capture contains {queries} queries to {} from {} client(s); the server's load is not visible here.",
                scene.server,
                scene.clients.len()
            ),
            frames: scene.queries.clone(),
            group: Group::Load,
            fits: "",
            against: "",
        };
        put(ledger, &observation, &[("H9", 0)]);
    }
}
