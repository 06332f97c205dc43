//! The analyst's work on a capture: annotations, edits, marks, undo; saved as it is made.

pub mod comments;
pub mod event;
pub mod hash;
mod notice;
mod saving;
pub mod store;
mod unknown;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::{Nanos, rfc3339};
pub use event::Event;
pub use hash::hash_source;
pub use notice::Notice;
use saving::Store;
pub use saving::{Place, Saving, data_directory};

/// Events that can be taken back.
const UNDO_MAX: usize = 10_000;

/// A frame by source label position and frame number: stays true when files are reopened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FrameRef {
    /// Position of the source (0 = A).
    pub source: u32,
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
    /// Identity within the case.
    #[serde(default)]
    pub id: u64,
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

/// What a capture file is, recorded so that a changed one is noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// File name without its folder.
    pub name: String,
    /// Size in bytes as stored.
    pub size: u64,
    /// SHA-256 of the file as stored, in hexadecimal.
    pub sha256: String,
}

/// The name of a file without the folders it lies in; cases and reports hold no other.
pub fn file_name(name: &str) -> String {
    let own = std::path::Path::new(name).file_name();
    own.map_or_else(|| name.to_owned(), |own| own.to_string_lossy().into_owned())
}

/// One step of the chain of custody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustodyEntry {
    /// When, with zone (RFC 3339), or in the analyst's words.
    pub at: String,
    /// Who or what did it.
    pub who: String,
    /// What was done (`opened`, `hashed`, `exported`, or the analyst's words).
    pub action: String,
    /// From where to where, or a file name.
    pub detail: String,
    /// Whether the hash agreed; `None` where it was not checked.
    pub hash_ok: Option<bool>,
}

/// The state of a case, as saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Chain of custody, in order.
    pub custody: Vec<CustodyEntry>,
    /// The captures, in the order of their labels; empty until their hashes are known.
    pub evidence: Vec<EvidenceRecord>,
    /// Texts that are being written and not saved yet, by what they are for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub drafts: BTreeMap<String, String>,
}

impl State {
    /// The same without what is not for others: texts that were not finished.
    #[must_use]
    pub fn for_others(&self) -> Self {
        Self { drafts: BTreeMap::new(), ..self.clone() }
    }

    /// Whether nothing differs but texts that are not finished.
    pub fn is_same_work(&self, other: &Self) -> bool {
        if self.drafts == other.drafts {
            return self == other;
        }
        self.for_others() == other.for_others()
    }

    /// Whether the analyst has made anything that would be missed.
    pub fn is_made(&self) -> bool {
        let is_own = |note: &Annotation| note.tag != comments::TAG;
        self.annotations.iter().any(is_own)
            || !self.decisions.is_empty()
            || !self.fields.is_empty()
            || !self.manual_rows.is_empty()
            || !self.ledger.is_empty()
            || !self.drafts.is_empty()
    }
}

/// An open case: its state, its way back, and its files.
pub struct Case {
    state: State,
    undo: Vec<(Event, Event)>,
    redo: Vec<(Event, Event)>,
    notices: Vec<Notice>,
    saving: saving::Keeper,
}

impl Case {
    /// A case that is never saved.
    pub fn in_memory() -> Self {
        Self::with(Place::default(), Store::Memory)
    }

    fn with(place: Place, store: Store) -> Self {
        Self {
            state: State::default(),
            undo: Vec::new(),
            redo: Vec::new(),
            notices: Vec::new(),
            saving: saving::Keeper::new(place, store),
        }
    }

    /// The state, for drafting and drawing.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What the analyst has to be told.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Applies a change at a time (the wall clock, nanoseconds since 1970), and saves it.
    #[expect(clippy::needless_pass_by_value, reason = "an event is made to be applied once")]
    pub fn apply(&mut self, event: Event, at_ns: Nanos) {
        let inverse = self.state.apply(event.clone());
        if event.is_undoable() {
            if self.undo.len() >= UNDO_MAX {
                self.undo.remove(0);
            }
            self.undo.push((event.clone(), inverse));
            self.redo.clear();
        }
        self.save(&event, at_ns);
    }

    /// Takes the last change back; false when there is none.
    pub fn undo(&mut self, at_ns: Nanos) -> bool {
        let Some((event, inverse)) = self.undo.pop() else { return false };
        self.state.apply(inverse.clone());
        self.save(&inverse, at_ns);
        self.redo.push((event, inverse));
        true
    }

    /// Makes the last change taken back again; false when there is none.
    pub fn redo(&mut self, at_ns: Nanos) -> bool {
        let Some((event, _)) = self.redo.pop() else { return false };
        let inverse = self.state.apply(event.clone());
        self.save(&event, at_ns);
        self.undo.push((event, inverse));
        true
    }

    /// Adds a chain-of-custody entry.
    pub fn record(&mut self, entry: CustodyEntry, at_ns: Nanos) {
        self.apply(Event::Custody { position: self.state.custody.len(), entry: Some(entry) }, at_ns);
    }

    /// Tells the case what its captures are. A capture that differs from the recorded one gives a loud
    /// notice and leaves the record as it was; a case known under this hash elsewhere is taken up.
    pub fn identify(&mut self, records: Vec<EvidenceRecord>, at_ns: Nanos) {
        if self.state.evidence.is_empty() {
            self.take_up_known(&records, at_ns);
        }
        self.compare(records, at_ns);
        self.settle_under_hash();
    }

    fn compare(&mut self, records: Vec<EvidenceRecord>, at_ns: Nanos) {
        if self.state.evidence.is_empty() {
            self.write_down(&Event::Evidence { records }, at_ns);
            return;
        }
        let mut changed = Vec::new();
        for (recorded, found) in self.state.evidence.iter().zip(&records) {
            if recorded.sha256 != found.sha256 {
                changed.push(Notice::CaptureChanged {
                    name: found.name.clone(),
                    recorded: recorded.sha256.clone(),
                    found: found.sha256.clone(),
                });
            }
        }
        let more = records.len() > self.state.evidence.len();
        if changed.is_empty() && more {
            self.write_down(&Event::Evidence { records }, at_ns);
        }
        self.notices.extend(changed);
    }

    /// Writes into the chain of custody that the captures were opened and hashed, and takes up, once, the comments
    /// found in them. Call it after [`Case::identify`] with the same records.
    pub fn opened(&mut self, index: &crate::index::Index, records: &[EvidenceRecord], at_ns: Nanos) {
        for (at, found) in records.iter().enumerate() {
            let recorded = self.state.evidence.get(at).map(|record| record.sha256 == found.sha256);
            let short = found.sha256.get(..12).unwrap_or_default();
            let detail = format!("{} (SHA-256 {short}…)", found.name);
            self.write_down_step(at_ns, "opened and hashed", detail, recorded);
        }
        if self.state.custody.iter().any(|entry| entry.action == comments::TAKEN_UP) {
            return;
        }
        let events = comments::events(&self.state, index);
        if events.is_empty() {
            return;
        }
        let detail = format!("{} from the captures", events.len());
        for event in &events {
            self.write_down(event, at_ns);
        }
        self.write_down_step(at_ns, comments::TAKEN_UP, detail, None);
    }

    fn write_down_step(&mut self, at_ns: Nanos, action: &str, detail: String, hash_ok: Option<bool>) {
        let entry = CustodyEntry {
            at: rfc3339(at_ns),
            who: "portmortem".to_owned(),
            action: action.to_owned(),
            detail,
            hash_ok,
        };
        let position = self.state.custody.len();
        self.write_down(&Event::Custody { position, entry: Some(entry) }, at_ns);
    }

    /// The analyst has looked at the changed capture and goes on with it.
    pub fn accept_changed_capture(&mut self, records: Vec<EvidenceRecord>, at_ns: Nanos) {
        self.notices.retain(|notice| !matches!(notice, Notice::CaptureChanged { .. }));
        self.apply(Event::Evidence { records }, at_ns);
        let entry = CustodyEntry {
            at: rfc3339(at_ns),
            who: "analyst".to_owned(),
            action: "accepted a changed capture".to_owned(),
            detail: String::new(),
            hash_ok: Some(false),
        };
        self.record(entry, at_ns);
    }
}

#[cfg(test)]
mod tests;
