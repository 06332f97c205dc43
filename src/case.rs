//! The analyst's work on a capture: annotations, edits, marks, undo; saved as it is made.

pub mod comments;
pub mod event;
pub mod hash;
mod notice;
pub mod store;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::time::{Nanos, rfc3339};
pub use event::Event;
pub use hash::hash_source;
pub use notice::Notice;
use store::Paths;

/// Events that can be taken back.
const UNDO_MAX: usize = 10_000;
/// Journal lines after which the snapshot is written anew.
const FOLD_EVERY: u32 = 200;

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
}

/// Where the case stands with the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saving {
    /// Nothing has been made that would need saving.
    Nothing,
    /// Every change so far is on disk; the time of the last one, as given to [`Case::apply`].
    Saved(Nanos),
    /// Changes wait for the capture's hash to know where to go.
    Waiting,
    /// Changes stay in memory.
    NotSaved,
}

enum Store {
    /// Nowhere yet; created with the first change.
    Unplaced { journalled: Vec<(Event, String)> },
    /// Open and locked.
    Open { paths: Paths, journal: File, since_fold: u32, damaged: bool },
    /// Only in memory, for the reason in the notices.
    Memory,
}

/// Where a case may live.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The first capture's file, where there is one.
    pub capture: Option<PathBuf>,
    /// The user's directory of cases, used when the capture's directory is not writable or there is no file.
    pub directory: Option<PathBuf>,
}

impl Place {
    /// A place for this capture, with the user's own directory of cases as the other choice.
    pub fn new(capture: Option<&Path>) -> Self {
        use etcetera::BaseStrategy as _;
        let directory = etcetera::choose_base_strategy().ok();
        Self {
            capture: capture.map(Path::to_owned),
            directory: directory.map(|base| base.data_dir().join("portmortem").join("cases")),
        }
    }
}

/// An open case: its state, its way back, and its files.
pub struct Case {
    state: State,
    undo: Vec<(Event, Event)>,
    redo: Vec<(Event, Event)>,
    place: Place,
    store: Store,
    sequence: u64,
    saved: Option<Nanos>,
    notices: Vec<Notice>,
    /// What was done in files made before the captures' hashes were known; a case known under the hash gets it too.
    early: Option<Vec<(Event, String)>>,
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
            place,
            store,
            sequence: 0,
            saved: None,
            notices: Vec::new(),
            early: None,
        }
    }

    /// Opens the case found by name beside the capture, or an empty one that is created with the first change.
    /// Call [`Case::identify`] when the hashes are known.
    pub fn open(place: Place) -> Self {
        let paths = place.capture.as_deref().map(Paths::beside).filter(Paths::exist);
        let mut case = Self::with(place, Store::Unplaced { journalled: Vec::new() });
        if let Some(paths) = paths {
            case.adopt(&paths);
        }
        case
    }

    /// Reads a case without locking or changing anything.
    pub fn read_state(paths: &Paths) -> std::io::Result<(State, Vec<Notice>)> {
        let found = store::read(paths)?;
        Ok((found.state, found.notices))
    }

    /// The state, for drafting and drawing.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What the analyst has to be told.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Where the case stands with the disk.
    pub fn saving(&self) -> Saving {
        match &self.store {
            Store::Memory => Saving::NotSaved,
            Store::Unplaced { journalled } if journalled.is_empty() => Saving::Nothing,
            Store::Unplaced { .. } => Saving::Waiting,
            Store::Open { .. } => self.saved.map_or(Saving::Nothing, Saving::Saved),
        }
    }

    /// The snapshot's path once there is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.store {
            Store::Open { paths, .. } => Some(&paths.snapshot),
            _ => None,
        }
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
        let early = self.early.take();
        if self.state.evidence.is_empty() {
            self.take_up_known(&records, early);
        }
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

    /// Writes the snapshot and empties the journal. Also done when the case is dropped.
    pub fn fold(&mut self) {
        let Store::Open { paths, journal, since_fold, damaged } = &mut self.store else { return };
        if *since_fold == 0 && paths.snapshot.exists() {
            return;
        }
        match store::fold(paths, journal, &self.state, self.sequence, *damaged) {
            Ok(()) => (*since_fold, *damaged) = (0, false),
            Err(error) => self.lose(error.to_string()),
        }
    }

    /// Records something about the capture; saved only once the analyst has made something worth a file.
    fn write_down(&mut self, event: &Event, at_ns: Nanos) {
        self.state.apply(event.clone());
        match &mut self.store {
            Store::Unplaced { journalled } if journalled.is_empty() => {}
            _ => self.save(event, at_ns),
        }
    }

    /// Joins a case stored under this hash with what was done since opening. Files made meanwhile give way to it.
    fn take_up_known(&mut self, records: &[EvidenceRecord], early: Option<Vec<(Event, String)>>) {
        let Some(first) = records.first() else { return };
        let made = match (&self.store, early) {
            (Store::Unplaced { journalled }, _) => journalled.clone(),
            (Store::Open { .. }, Some(early)) => early,
            _ => return,
        };
        let (capture, directory) = (self.place.capture.clone(), self.place.directory.clone());
        let found = store::find_by_hash(capture.as_deref(), directory.as_deref(), &first.sha256);
        let Some(paths) = found else { return };
        let (undo, redo) = (std::mem::take(&mut self.undo), std::mem::take(&mut self.redo));
        let before = (std::mem::take(&mut self.state), self.sequence);
        let own = std::mem::replace(&mut self.store, Store::Memory);
        self.adopt(&paths);
        if let (Store::Open { paths: own, .. }, Store::Open { .. }) = (&own, &self.store) {
            store::remove(own);
        } else if matches!(own, Store::Open { .. }) {
            // The known case cannot be had now: what was made stays where it is saved.
            (self.state, self.sequence) = before;
            (self.store, self.undo, self.redo) = (own, undo, redo);
            return;
        }
        if Some(&paths.snapshot) != capture.map(|c| Paths::beside(&c).snapshot).as_ref() {
            self.notices.push(Notice::FoundElsewhere { path: paths.snapshot });
        }
        let shift = self.state.next_id() - 1;
        let shifted = |mut event: Event| {
            event.shift_ids(shift);
            event
        };
        for (event, at) in made {
            let event = shifted(event);
            self.state.apply(event.clone());
            self.append(&event, &at);
        }
        let both = |(event, inverse)| (shifted(event), shifted(inverse));
        self.undo = undo.into_iter().map(both).collect();
        self.redo = redo.into_iter().map(both).collect();
    }

    /// Takes the state of existing files and locks them; read-only when another process has them.
    fn adopt(&mut self, paths: &Paths) {
        let read = match store::read(paths) {
            Ok(read) => read,
            Err(error) => return self.lose(error.to_string()),
        };
        let damaged = !read.notices.is_empty();
        self.state = read.state;
        self.sequence = read.sequence;
        self.notices.extend(read.notices);
        match store::lock(paths) {
            Ok(Some(journal)) => {
                self.store =
                    Store::Open { paths: paths.clone(), journal, since_fold: u32::from(damaged), damaged };
            }
            Ok(None) => {
                self.notices.push(Notice::Locked);
                self.store = Store::Memory;
            }
            Err(error) => self.lose(error.to_string()),
        }
    }

    fn lose(&mut self, reason: String) {
        self.notices.push(Notice::ReadOnly { reason });
        self.store = Store::Memory;
    }

    fn save(&mut self, event: &Event, at_ns: Nanos) {
        let at = rfc3339(at_ns);
        if let Store::Unplaced { journalled } = &mut self.store {
            journalled.push((event.clone(), at));
            self.create();
        } else {
            self.append(event, &at);
        }
        if matches!(self.store, Store::Open { .. }) {
            self.saved = Some(at_ns);
        }
    }

    /// Creates the files for the first change: beside the capture, else in the directory of cases.
    fn create(&mut self) {
        let beside = self.place.capture.as_deref().map(Paths::beside);
        let hash = self.state.evidence.first().map(|record| record.sha256.clone());
        let other = self.place.directory.as_deref().zip(hash.as_deref());
        let other = other.map(|(directory, hash)| Paths::by_hash(directory, hash));
        let waits = self.place.directory.is_some() && hash.is_none();
        let mut reason = "there is no place for it".to_owned();
        for paths in beside.into_iter().chain(other) {
            if paths.exist() {
                "another process created this case meanwhile; open it again".clone_into(&mut reason);
                break;
            }
            if let Some(directory) = self.place.directory.as_deref()
                && paths.snapshot.starts_with(directory)
            {
                store::make_directory(directory);
            }
            match store::lock(&paths) {
                Ok(Some(journal)) => {
                    self.sequence += 1;
                    if let (Store::Unplaced { journalled }, true) = (&mut self.store, hash.is_none()) {
                        self.early = Some(std::mem::take(journalled));
                    }
                    self.store = Store::Open { paths, journal, since_fold: 1, damaged: false };
                    self.fold();
                    return;
                }
                Ok(None) => "another process has it".clone_into(&mut reason),
                Err(error) => reason = error.to_string(),
            }
            if waits {
                return;
            }
        }
        if !waits {
            self.lose(reason);
        }
    }

    fn append(&mut self, event: &Event, at: &str) {
        let Store::Open { journal, since_fold, .. } = &mut self.store else { return };
        self.sequence += 1;
        *since_fold += 1;
        let fold = *since_fold >= FOLD_EVERY;
        if let Some(early) = &mut self.early {
            early.push((event.clone(), at.to_owned()));
        }
        if let Err(error) = store::append(journal, self.sequence, at, event) {
            self.lose(error.to_string());
        } else if fold {
            self.fold();
        }
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        self.fold();
    }
}

#[cfg(test)]
mod tests;
