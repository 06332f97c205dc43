//! Attempts over one connection that several places captured are one.

use hashbrown::HashMap;

use crate::attempts::{Attempt, Outcome};
use crate::connections::{Connection, End};

/// One connection that was captured at several places is one, also where its packets were not found to be copies: of attempts
/// in the order of their connections those are dropped whose connection was decided before.
pub fn once(connections: &[Connection], all: &mut Vec<Attempt>) {
    let mut captured: HashMap<(End, End, u32), bool> = HashMap::new();
    let mut kept = Vec::with_capacity(all.len());
    for own in all.chunk_by(|one, other| one.thread == other.thread) {
        let at = own.first().and_then(|own| own.thread.as_connection());
        let connection = at.and_then(|at| connections.get(at as usize));
        let key = connection.and_then(|own| Some((own.client, own.server, own.initial()?)));
        if let Some(key) = key {
            if captured.get(&key).is_some_and(|was_open| !was_open) {
                continue;
            }
            captured.insert(key, own.iter().all(is_undecided));
        }
        kept.extend_from_slice(own);
    }
    *all = kept;
}

/// Whether the packets of a capture leave open how an attempt ended.
fn is_undecided(own: &Attempt) -> bool {
    matches!(own.outcome, Outcome::OneDirection | Outcome::Undetermined)
}
