//! The analyst's work on a capture: annotations, edits, marks, undo; saved as it is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A frame by source label position and frame number: stays true when files are reopened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FrameRef {
    /// Position of the source (0 = A).
    pub source: u16,
    /// 1-based frame number in that source.
    pub frame: u64,
}

/// A note on one or more frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// Identity within the case, from 1.
    pub id: u64,
    /// The frames, in order; never empty.
    pub frames: Vec<FrameRef>,
    /// The text, several lines allowed.
    pub note: String,
    /// A word that decides the report section (`finding`, `cause`, `impact`, `timeline`, `question`, or the analyst's own).
    pub tag: String,
    /// `info`, `low`, `medium`, `high`, or none.
    pub severity: Option<String>,
}

/// What the analyst decided about a claim the program drafted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Accepted or rejected; `None` while open.
    pub accepted: Option<bool>,
    /// The analyst's own text instead of the program's.
    pub text: Option<String>,
    /// Fingerprint of the program's text when the analyst decided; a different one now means stale.
    pub basis: String,
}

/// A timeline row that comes from no packet (a call, a ticket).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualRow {
    /// Identity within the case.
    pub id: u64,
    /// When, in the analyst's words or as a time.
    pub when: String,
    /// Who or what says so.
    pub by: String,
    /// What happened.
    pub text: String,
}

/// A change of the hypothesis ledger by the analyst.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerChange {
    /// Hypothesis id.
    pub hypothesis: String,
    /// Row id of the program's row, or empty for a row of the analyst's own.
    pub row: String,
    /// New weight in decibans.
    pub weight_db: Option<i32>,
    /// Switched off.
    pub off: bool,
    /// The analyst's words.
    pub note: String,
}

/// The state of a case, as saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Annotations in the order made.
    pub annotations: Vec<Annotation>,
    /// Decisions by claim id.
    pub decisions: BTreeMap<String, Decision>,
    /// Open fields by id, filled by the analyst.
    pub fields: BTreeMap<String, String>,
    /// Manual timeline rows.
    pub manual_rows: Vec<ManualRow>,
    /// Ledger changes.
    pub ledger: Vec<LedgerChange>,
    /// Marks by letter.
    pub marks: BTreeMap<char, FrameRef>,
    /// Named filters.
    pub filters: BTreeMap<String, String>,
}
