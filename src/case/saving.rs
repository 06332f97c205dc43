//! Where a case is kept: made with the first change, tried again when it could not be, settled under its capture's hash.
//!
//! A change counts as saved when the disk has it. Until then it waits in `pending`, whatever the reason, and nothing says
//! "saved" while something waits there.

use std::path::{Path, PathBuf};

use super::store::{self, Journal, Paths, Written};
use super::{Case, Event, EvidenceRecord, Notice};
use crate::files::{self, Existing};
use crate::time::{Nanos, rfc3339};

/// Journal lines after which the snapshot is written anew.
const FOLD_EVERY: usize = 200;

/// Where the case stands with the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saving {
    /// Nothing has been made that would need saving.
    Nothing,
    /// Every change so far is on disk; the time of the last one, as given to [`Case::apply`].
    Saved(Nanos),
    /// Changes wait for the capture's hash to know where to go.
    Waiting,
    /// Changes are in memory alone.
    NotSaved,
}

/// Where a case may live.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The first capture's file, where there is one.
    pub capture: Option<PathBuf>,
    /// The user's directory of cases, used when the capture's directory is not writable or there is no file.
    pub directory: Option<PathBuf>,
    /// The name a capture that is still coming goes by: the case stands beside it until the capture's hash is known.
    pub live: Option<PathBuf>,
}

impl Place {
    /// A place for this capture, with the user's own directory of cases as the other choice.
    pub fn new(capture: Option<&Path>) -> Self {
        Self {
            capture: capture.map(Path::to_owned),
            directory: data_directory().map(|data| data.join("cases")),
            live: None,
        }
    }
}

/// The user's directory for what the program keeps; `None` without a home.
pub fn data_directory() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("portmortem"))
}

/// Where the files are.
pub(super) enum Store {
    /// Nowhere yet; made with the first change.
    Unplaced,
    /// Open and locked.
    Open(Box<Journal>),
    /// There are files, and they cannot be had now: another process has them, or they cannot be read.
    Refused { paths: Paths },
    /// Never saved.
    Memory,
}

/// What a case knows of its files.
pub(super) struct Keeper {
    place: Place,
    store: Store,
    /// Changes the disk does not have yet, with their times.
    pending: Vec<(Event, String)>,
    /// Why they are still here.
    failed: Option<String>,
    /// Number of the last event on disk.
    sequence: u64,
    /// Journal lines since the snapshot was written.
    since_fold: usize,
    /// Whether the journal holds lines that cannot be read and have to be kept aside.
    is_damaged: bool,
    /// The version the case was written in, and what of it is not known.
    written: Written,
    saved: Option<Nanos>,
    /// What was done in files made before the captures' hashes were known; a case known under the hash gets it too.
    early: Option<Vec<(Event, String)>>,
    /// The first id that is certainly this session's own.
    first_own: u64,
}

impl Keeper {
    pub(super) fn new(place: Place, store: Store) -> Self {
        Self {
            place,
            store,
            pending: Vec::new(),
            failed: None,
            sequence: 0,
            since_fold: 0,
            is_damaged: false,
            written: Written::default(),
            saved: None,
            early: None,
            first_own: 1,
        }
    }
}

impl Case {
    /// Opens the case found by name beside the capture, or an empty one that is created with the first change.
    /// Call [`Case::identify`] when the hashes are known.
    pub fn open(place: Place) -> Self {
        let paths = place.capture.as_deref().map(Paths::beside).filter(Paths::exist);
        let mut case = Self::with(place, Store::Unplaced);
        if let Some(paths) = paths {
            case.adopt(&paths);
        }
        case
    }

    /// Reads a case without locking or changing anything.
    pub fn read_state(paths: &Paths) -> std::io::Result<(super::State, Vec<Notice>)> {
        let found = store::read(paths)?;
        Ok((found.state, found.notices))
    }

    /// Where the case stands with the disk.
    pub fn saving(&self) -> Saving {
        let keeper = &self.saving;
        match &keeper.store {
            Store::Memory | Store::Refused { .. } => Saving::NotSaved,
            _ if keeper.failed.is_some() && !keeper.pending.is_empty() => Saving::NotSaved,
            Store::Unplaced if keeper.pending.is_empty() => Saving::Nothing,
            Store::Unplaced => Saving::Waiting,
            Store::Open(_) => keeper.saved.map_or(Saving::Nothing, Saving::Saved),
        }
    }

    /// The snapshot's path once there is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.saving.store {
            Store::Open(journal) => Some(&journal.paths().snapshot),
            _ => None,
        }
    }

    /// Whether the captures' hashes would give the case a place it can stay at.
    pub fn wants_hash(&self) -> bool {
        let keeper = &self.saving;
        match &keeper.store {
            Store::Unplaced => !keeper.pending.is_empty(),
            Store::Open(journal) => self.is_live(journal.paths()),
            _ => false,
        }
    }

    /// Tries again to save what could not be saved; true when anything changed by it.
    pub fn retry(&mut self, at_ns: Nanos) -> bool {
        let keeper = &self.saving;
        if let Store::Refused { paths } = &keeper.store {
            let paths = paths.clone();
            return self.take_back(&paths, at_ns);
        }
        if keeper.failed.is_none() || keeper.pending.is_empty() {
            return false;
        }
        self.flush(at_ns);
        self.saving.failed.is_none()
    }

    /// Writes the case as it is to a new file of the analyst's choice.
    pub fn save_as(&self, path: &Path) -> std::io::Result<()> {
        let keeper = &self.saving;
        let text = store::snapshot(&self.state, keeper.sequence, &keeper.written)?;
        files::write(path, Existing::Keep, &mut |out| out.write_all(&text))
    }

    /// Writes the snapshot and empties the journal. Also done when the case is dropped.
    pub fn fold(&mut self) {
        let keeper = &mut self.saving;
        let Store::Open(journal) = &mut keeper.store else { return };
        // What is not in the journal yet must not get into the snapshot as if it were.
        if !keeper.pending.is_empty() || (keeper.since_fold == 0 && journal.has_snapshot()) {
            return;
        }
        if keeper.is_damaged && journal.set_aside().is_err() {
            return;
        }
        keeper.is_damaged = false;
        // The journal has everything: a snapshot that cannot be written now is written another time.
        let _ = journal.fold(&self.state, keeper.sequence, &keeper.written);
        keeper.since_fold = 0;
    }

    /// Records something about the capture; saved only once the analyst has made something worth a file.
    pub(super) fn write_down(&mut self, event: &Event, at_ns: Nanos) {
        self.state.apply(event.clone());
        match &self.saving.store {
            Store::Unplaced if self.saving.pending.is_empty() => {}
            _ => self.save(event, at_ns),
        }
    }

    pub(super) fn save(&mut self, event: &Event, at_ns: Nanos) {
        if matches!(self.saving.store, Store::Memory) {
            return;
        }
        self.saving.pending.push((event.clone(), rfc3339(at_ns)));
        if !matches!(self.saving.store, Store::Refused { .. }) {
            self.flush(at_ns);
        }
    }

    /// Brings what waits to the disk.
    fn flush(&mut self, at_ns: Nanos) {
        let is_new = matches!(self.saving.store, Store::Unplaced);
        if is_new {
            self.create();
        }
        let keeper = &mut self.saving;
        let Store::Open(journal) = &mut keeper.store else { return };
        match journal.append(keeper.sequence.saturating_add(1), &keeper.pending) {
            Ok(()) => {
                let written = std::mem::take(&mut keeper.pending);
                keeper.sequence = keeper.sequence.saturating_add(written.len() as u64);
                keeper.since_fold += written.len();
                if let Some(early) = &mut keeper.early {
                    early.extend(written);
                }
                keeper.saved = Some(at_ns);
                // What was written down before the first change is in no journal.
                let is_due = is_new || keeper.since_fold >= FOLD_EVERY;
                self.recovered();
                if is_due {
                    self.fold();
                }
            }
            Err(error) => self.failed(error.to_string()),
        }
    }

    fn failed(&mut self, reason: String) {
        if self.saving.failed.as_ref() != Some(&reason) {
            self.notices.retain(|notice| !matches!(notice, Notice::ReadOnly { .. } | Notice::Saved));
            self.notices.push(Notice::ReadOnly { reason: reason.clone() });
        }
        self.saving.failed = Some(reason);
    }

    fn recovered(&mut self) {
        if self.saving.failed.take().is_some() {
            self.notices.retain(|notice| !matches!(notice, Notice::ReadOnly { .. } | Notice::Locked));
            self.notices.push(Notice::Saved);
        }
    }

    /// Makes the files for the first change: beside the capture, else in the directory of cases, else beside what a
    /// capture that is still coming is kept in.
    fn create(&mut self) {
        let place = self.saving.place.clone();
        let beside = place.capture.as_deref().map(Paths::beside);
        let hash = self.state.evidence.first().map(|record| record.sha256.clone());
        let by_hash = place.directory.as_deref().zip(hash.as_deref());
        let by_hash = by_hash.map(|(directory, hash)| Paths::by_hash(directory, hash));
        let live = place.live.as_deref().filter(|_| hash.is_none()).map(Paths::beside);
        let waits = place.directory.is_some() && hash.is_none() && live.is_none();
        let mut reason = "there is no place for it".to_owned();
        for paths in beside.into_iter().chain(by_hash).chain(live) {
            if paths.exist() {
                self.notices.push(Notice::Locked);
                self.saving.failed = Some(String::new());
                self.saving.store = Store::Refused { paths };
                return;
            }
            for own in [place.directory.as_deref(), place.live.as_deref().and_then(Path::parent)] {
                if let Some(own) = own.filter(|own| paths.snapshot.starts_with(own)) {
                    store::make_directory(own);
                }
            }
            match Journal::lock(&paths) {
                Ok(Some(journal)) => {
                    if hash.is_none() {
                        self.saving.early = Some(Vec::new());
                    }
                    self.saving.store = Store::Open(Box::new(journal));
                    return;
                }
                Ok(None) => "another process has it".clone_into(&mut reason),
                Err(error) => reason = error.to_string(),
            }
        }
        if !waits {
            self.failed(reason);
        }
    }

    /// Takes the state of existing files and locks them; when that is not to be had, it is tried again later.
    fn adopt(&mut self, paths: &Paths) {
        match read_and_lock(paths) {
            Ok((found, journal)) => {
                self.saving.is_damaged = !found.notices.is_empty();
                self.saving.since_fold = usize::from(self.saving.is_damaged);
                self.notices.extend(found.notices);
                self.state = found.state;
                self.saving.first_own = self.state.next_id();
                (self.saving.sequence, self.saving.written) = (found.sequence, found.written);
                self.saving.failed = None;
                if let Some(journal) = journal {
                    self.saving.store = Store::Open(Box::new(journal));
                } else {
                    self.notices.push(Notice::Locked);
                    self.saving.failed = Some(String::new());
                    self.saving.store = Store::Refused { paths: paths.clone() };
                }
            }
            Err(error) => {
                self.failed(error.to_string());
                self.saving.store = Store::Refused { paths: paths.clone() };
            }
        }
    }

    /// Takes files that were refused before, as they are now, and adds what was done meanwhile.
    fn take_back(&mut self, paths: &Paths, at_ns: Nanos) -> bool {
        let Ok((found, Some(journal))) = read_and_lock(paths) else { return false };
        let first = self.saving.first_own;
        let (state, pending) = (found.state, std::mem::take(&mut self.saving.pending));
        let shift = state.next_id().saturating_sub(first);
        self.saving.is_damaged = !found.notices.is_empty();
        self.saving.since_fold = usize::from(self.saving.is_damaged);
        self.notices.retain(|notice| !matches!(notice, Notice::ReadOnly { .. } | Notice::Locked));
        self.notices.extend(found.notices);
        self.state = state;
        (self.saving.sequence, self.saving.written) = (found.sequence, found.written);
        self.saving.store = Store::Open(Box::new(journal));
        self.add(pending, (first, shift));
        if self.saving.pending.is_empty() {
            self.recovered();
        } else {
            self.flush(at_ns);
        }
        true
    }

    /// Applies what was done elsewhere, and leaves it to be written.
    fn add(&mut self, made: Vec<(Event, String)>, (first, shift): (u64, u64)) {
        let shifted = |mut event: Event| {
            event.shift_ids(first, shift);
            event
        };
        for (event, at) in made {
            let event = shifted(event);
            self.state.apply(event.clone());
            self.saving.pending.push((event, at));
        }
        for (event, inverse) in self.undo.iter_mut().chain(&mut self.redo) {
            event.shift_ids(first, shift);
            inverse.shift_ids(first, shift);
        }
    }

    /// Joins a case stored under this hash with what was done since opening. Files made meanwhile give way to it.
    pub(super) fn take_up_known(&mut self, records: &[EvidenceRecord], at_ns: Nanos) {
        let early = self.saving.early.take();
        let Some(first) = records.first() else { return };
        let pending = self.saving.pending.clone();
        let made = match (&self.saving.store, early) {
            (Store::Unplaced, _) => pending,
            (Store::Open(_), Some(early)) => early.into_iter().chain(pending).collect(),
            _ => return,
        };
        let (capture, directory) = (self.saving.place.capture.clone(), self.saving.place.directory.clone());
        let found = store::find_by_hash(capture.as_deref(), directory.as_deref(), &first.sha256);
        let own = match &self.saving.store {
            Store::Open(journal) => Some(journal.paths().clone()),
            _ => None,
        };
        let Some(paths) = found.filter(|paths| Some(paths) != own.as_ref()) else { return };
        let place = self.saving.place.clone();
        let mut known = Self::with(place, Store::Unplaced);
        known.adopt(&paths);
        if !matches!(known.saving.store, Store::Open(_)) && own.is_some() {
            // The known case cannot be had now: what was made stays where it is saved.
            self.notices.append(&mut known.notices);
            return;
        }
        std::mem::swap(&mut self.saving, &mut known.saving);
        if let Store::Open(own) = std::mem::replace(&mut known.saving.store, Store::Memory) {
            own.remove();
        }
        self.state = std::mem::take(&mut known.state);
        self.notices.append(&mut known.notices);
        if Some(&paths.snapshot) != capture.map(|capture| Paths::beside(&capture).snapshot).as_ref() {
            self.notices.push(Notice::FoundElsewhere { path: paths.snapshot });
        }
        let shift = self.state.next_id().saturating_sub(1);
        self.add(made, (1, shift));
        if !self.saving.pending.is_empty() && matches!(self.saving.store, Store::Open(_)) {
            self.flush(at_ns);
        }
    }

    fn is_live(&self, paths: &Paths) -> bool {
        self.saving.place.live.as_deref().is_some_and(|live| *paths == Paths::beside(live))
    }

    /// Moves a case that stood beside a capture which was still coming to where its hash finds it again.
    pub(super) fn settle_under_hash(&mut self) {
        let Store::Open(journal) = &self.saving.store else { return };
        let Some(record) = self.state.evidence.first() else { return };
        let Some(directory) = self.saving.place.directory.as_deref() else { return };
        if !self.is_live(journal.paths()) {
            return;
        }
        let to = Paths::by_hash(directory, &record.sha256);
        store::make_directory(directory);
        if let Store::Open(journal) = &mut self.saving.store {
            // Where it stands it is safe as well; only its name will not tell whose it is.
            let _ = journal.rename(&to);
        }
    }
}

fn read_and_lock(paths: &Paths) -> std::io::Result<(store::Found, Option<Journal>)> {
    // What cannot be read is not to be written to either, so it is read before a journal is made.
    let found = store::read(paths)?;
    match Journal::lock(paths)? {
        // Who held it before may have written more.
        Some(journal) => Ok((journal.read()?, Some(journal))),
        None => Ok((found, None)),
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        self.fold();
    }
}
