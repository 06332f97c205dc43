//! The ledger: one observation weighed for each hypothesis, in the decibans allowed, each observation once.

use std::collections::BTreeMap;

use super::catalogue::Cause;
use super::matrix::Row;
use super::thresholds::GROUP_CAP_DB;
use super::{Author, Change, Group, LedgerRow};
use crate::findings::FRAMES_MAX;
use crate::index::PacketId;

/// The only weights there are: a student can check them.
pub const WEIGHTS_DB: [i32; 9] = [20, 10, 5, 2, 0, -2, -5, -10, -20];

/// Rows by hypothesis.
#[derive(Default)]
pub struct Ledger {
    rows: BTreeMap<Cause, Vec<LedgerRow>>,
}

impl Ledger {
    /// Enters an observation for every cause its row of the matrix weighs; a second observation of the same number is
    /// not counted again.
    #[expect(clippy::needless_pass_by_value, reason = "what was seen is made for the ledger and given to it")]
    pub fn see(&mut self, seen: &'static Row, observation: String, frames: Vec<PacketId>) {
        let id = seen.id();
        for (cause, weight_db) in seen.all() {
            let rows = self.rows.entry(cause).or_default();
            if rows.iter().any(|row| row.id == id) {
                continue;
            }
            let reason = match weight_db {
                None => format!("cannot hold together with this: {}", seen.against),
                Some(0) => "says nothing about this explanation".to_owned(),
                Some(1..) => seen.fits.to_owned(),
                Some(_) => seen.against.to_owned(),
            };
            rows.push(LedgerRow {
                id: id.clone(),
                observation: observation.clone(),
                frames: frames.iter().copied().take(FRAMES_MAX).collect(),
                weight_db,
                group: seen.group,
                reason,
                author: Author::Program,
                off: false,
            });
        }
    }

    /// Takes one hypothesis's rows with the analyst's changes applied.
    pub fn take(&mut self, cause: Cause, changes: &[Change]) -> Vec<LedgerRow> {
        let mut rows = self.rows.remove(&cause).unwrap_or_default();
        let mut own = 0;
        for change in changes.iter().filter(|change| change.cause == cause) {
            if change.row.is_empty() {
                own += 1;
                rows.push(own_row(own, change));
                continue;
            }
            for row in rows.iter_mut().filter(|row| row.id == change.row) {
                apply(row, change);
            }
        }
        rows
    }
}

fn own_row(number: usize, change: &Change) -> LedgerRow {
    LedgerRow {
        id: format!("A{number}"),
        observation: change.note.clone(),
        frames: Vec::new(),
        weight_db: Some(nearest(change.weight_db.unwrap_or(0))),
        group: Group::Analyst,
        reason: "analyst input".to_owned(),
        author: Author::Analyst,
        off: change.off,
    }
}

fn apply(row: &mut LedgerRow, change: &Change) {
    row.author = Author::Analyst;
    row.off = change.off;
    if let Some(weight) = change.weight_db {
        let before = row.weight_db.map_or_else(|| "✗".to_owned(), |db| format!("{db:+}"));
        let weight = nearest(weight);
        row.reason = format!("{}; analyst changed {before} to {weight:+}", row.reason);
        row.weight_db = Some(weight);
    }
    if !change.note.is_empty() {
        row.reason = format!("{}; analyst: {}", row.reason, change.note);
    }
}

/// The allowed weight nearest to a number.
fn nearest(weight_db: i32) -> i32 {
    WEIGHTS_DB
        .into_iter()
        .min_by_key(|allowed| (i64::from(*allowed) - i64::from(weight_db)).abs())
        .unwrap_or(0)
}

/// The sum of the rows that count, each group capped; `None` when a row excludes the hypothesis.
pub fn sum(rows: &[LedgerRow]) -> Option<i32> {
    let mut groups: BTreeMap<Group, i32> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.off) {
        *groups.entry(row.group).or_default() += row.weight_db?;
    }
    Some(groups.values().map(|sum| (*sum).clamp(-GROUP_CAP_DB, GROUP_CAP_DB)).sum())
}

#[cfg(test)]
mod tests {
    use super::super::matrix::{answers, surroundings};
    use super::*;

    #[test]
    fn a_repeated_observation_counts_once_and_a_group_is_capped() {
        let mut ledger = Ledger::default();
        for _ in 0..3 {
            ledger.see(&answers::SILENCE, "silent".into(), vec![]);
        }
        for row in
            [&surroundings::UPSTREAM_FAILS, &surroundings::FAILED_ELSEWHEN, &answers::SEVERAL_RESOLVERS]
        {
            ledger.see(row, "seen".into(), vec![]);
        }
        let rows = ledger.take(Cause::Upstream, &[]);
        assert_eq!(rows.len(), 4);
        assert_eq!(sum(&rows), Some(-5 + 20));
    }

    #[test]
    fn an_analyst_can_switch_off_an_exclusion_and_add_a_row() {
        let mut ledger = Ledger::default();
        ledger.see(&surroundings::ANSWERED_MEANWHILE, "answered".into(), vec![]);
        let changes = [
            Change {
                cause: Cause::WrongAddress,
                row: surroundings::ANSWERED_MEANWHILE.id(),
                weight_db: None,
                off: true,
                note: "spoofed".into(),
            },
            Change {
                cause: Cause::WrongAddress,
                row: String::new(),
                weight_db: Some(9),
                off: false,
                note: "admin says so".into(),
            },
        ];
        let rows = ledger.take(Cause::WrongAddress, &changes);
        assert_eq!(sum(&rows), Some(10));
        assert!(rows.iter().all(|row| row.author == Author::Analyst));
    }
}
