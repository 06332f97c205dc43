//! The files of a case: a JSON snapshot replaced as a whole, and a journal that grows by one line an event.
//!
//! Both are opened by the handle of their folder ([`Folder`]): what somebody put in their places is never followed.

use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::unknown::Unknown;
use super::{Event, Notice, State};
use crate::files::{Existing, Folder, Readers};

/// The version written into snapshots and journals. A version that adds to it is `portmortem-case/1.N`.
pub const SCHEMA: &str = "portmortem-case/1";
/// A case file larger than this is not read.
const FILE_MAX_BYTES: u64 = 256 << 20;
/// Case files looked at when a capture is searched for by its hash.
const SIBLINGS_MAX: usize = 512;
/// Bytes of those that are read, all together.
const SIBLINGS_MAX_BYTES: u64 = 256 << 20;
/// Numbers a journal may leave out between two lines, and the greatest a snapshot may begin with: beyond that they were
/// written by hand, so that what comes later would have none left.
const GAP_MAX: u64 = 1 << 32;
const SEQUENCE_MAX: u64 = 1 << 62;
/// Times a journal is looked for again when it was moved away while it was opened.
const LOCK_TRIES_MAX: usize = 8;

/// The two files of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The snapshot (`NAME.portmortem.json`).
    pub snapshot: PathBuf,
    /// The journal (`NAME.portmortem.journal`).
    pub journal: PathBuf,
}

impl Paths {
    /// The files beside a capture.
    pub fn beside(capture: &Path) -> Self {
        let named = |ending: &str| {
            let mut name = capture.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self { snapshot: named(".portmortem.json"), journal: named(".portmortem.journal") }
    }

    /// The files of a capture with this hash in a directory of cases.
    pub fn by_hash(directory: &Path, sha256: &str) -> Self {
        Self::beside(&directory.join(sha256))
    }

    /// The files that belong to a snapshot or journal named by its path.
    pub fn of_case(path: &Path) -> Self {
        let text = path.as_os_str().to_string_lossy();
        let stem = text.strip_suffix(".portmortem.json").or_else(|| text.strip_suffix(".portmortem.journal"));
        match stem {
            Some(stem) => Self::beside(Path::new(stem)),
            None => Self { snapshot: path.to_owned(), journal: path.with_extension("journal") },
        }
    }

    /// Whether anything stands in the place of either file, be it a link that leads nowhere.
    pub fn exist(&self) -> bool {
        let is_there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
        is_there(&self.snapshot) || is_there(&self.journal)
    }

    fn folder(&self) -> io::Result<Folder> {
        Ok(Folder::of(&self.snapshot)?.0)
    }

    fn names(&self) -> (&OsStr, &OsStr) {
        (self.snapshot.file_name().unwrap_or_default(), self.journal.file_name().unwrap_or_default())
    }
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    schema: String,
    /// The last journal line that is part of `state`.
    sequence: u64,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct Line {
    n: u64,
    at: String,
    event: Event,
}

/// A case as its files tell it.
#[derive(Default)]
pub struct Found {
    /// The state.
    pub state: State,
    /// Number of the last event in it.
    pub sequence: u64,
    /// The version it was written in, and what of it this program does not know.
    pub written: Written,
    /// What was wrong with the files.
    pub notices: Vec<Notice>,
}

/// The version a case was written in, and what of it this program does not know.
#[derive(Clone)]
pub struct Written {
    schema: String,
    unknown: Unknown,
}

impl Default for Written {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), unknown: Unknown::default() }
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Reads snapshot and journal. An error means that nothing may be written over these files.
pub fn read(paths: &Paths) -> io::Result<Found> {
    read_in(&paths.folder()?, paths, FILE_MAX_BYTES)
}

fn read_in(folder: &Folder, paths: &Paths, max: u64) -> io::Result<Found> {
    let (snapshot, journal) = paths.names();
    let mut found = Found::default();
    if let Some(text) = folder.text(snapshot, max)? {
        let whole: Value = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        let schema = whole.get("schema").and_then(Value::as_str).unwrap_or_default();
        let adds = schema.strip_prefix(SCHEMA).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if !adds {
            let schema = crate::text::escape(schema);
            return Err(invalid(format!("it is of version {schema}, this program reads {SCHEMA}")));
        }
        let snapshot: Snapshot = Snapshot::deserialize(&whole).map_err(|error| invalid(error.to_string()))?;
        if snapshot.sequence > SEQUENCE_MAX {
            return Err(invalid("its lines are numbered as no version does".to_owned()));
        }
        let known = serde_json::to_value(&snapshot).map_err(|error| invalid(error.to_string()))?;
        found.written.unknown = Unknown::between(&whole, &known);
        found.written.schema = snapshot.schema;
        found.state = snapshot.state;
        found.sequence = snapshot.sequence;
    }
    if let Some(text) = folder.text(journal, max)? {
        replay(&text, &mut found);
    }
    Ok(found)
}

/// Applies the lines that are newer than the snapshot; lines that cannot be read are counted and passed over.
fn replay(journal: &str, found: &mut Found) {
    let mut damaged = 0;
    for text in journal.lines().filter(|line| !line.trim().is_empty()) {
        let whole: Result<Value, _> = serde_json::from_str(text);
        let line = whole.and_then(|whole| Ok((Line::deserialize(&whole)?, whole)));
        match line {
            Ok((line, _)) if line.n > found.sequence.saturating_add(GAP_MAX) => damaged += 1,
            Ok((line, whole)) if line.n > found.sequence => {
                found.written.unknown.learn(whole.get("event").unwrap_or(&Value::Null), &line.event);
                found.state.apply(line.event);
                found.sequence = line.n;
            }
            Ok(_) => {}
            Err(_) => damaged += 1,
        }
    }
    if damaged > 0 {
        found.notices.push(Notice::DamagedJournal { lines: damaged });
    }
}

/// The journal of a case, locked against other processes, and the folder both files are in.
pub struct Journal {
    folder: Folder,
    paths: Paths,
    file: File,
    /// Whether its last line may have no end: the next is not to be written behind it.
    is_torn: bool,
}

impl Journal {
    /// Opens and locks it. `Ok(None)`: another process holds it.
    pub fn lock(paths: &Paths) -> io::Result<Option<Self>> {
        let folder = paths.folder()?;
        let name = paths.names().1;
        for _ in 0..LOCK_TRIES_MAX {
            let file = folder.append(name)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Who held it before may have moved it away: a lock on what has no name locks nobody out.
            if !is_same(&folder.append(name)?, &file)? {
                continue;
            }
            keep_private(&file)?;
            let is_torn = !ends_with_line(&file)?;
            return Ok(Some(Self { folder, paths: paths.clone(), file, is_torn }));
        }
        Err(io::Error::other("it is moved away again and again"))
    }

    /// Where the files are.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Reads snapshot and journal.
    pub fn read(&self) -> io::Result<Found> {
        read_in(&self.folder, &self.paths, FILE_MAX_BYTES)
    }

    /// Appends events, the first of them with number `first`, and waits until the disk has them. On an error none counts
    /// as written.
    pub fn append(&mut self, first: u64, events: &[(Event, String)]) -> io::Result<()> {
        let mut text = String::new();
        for ((event, at), n) in events.iter().zip(first..) {
            let line = Line { n, at: at.clone(), event: event.clone() };
            text.push_str(&crate::text::json(&line)?);
            text.push('\n');
        }
        let before = self.file.metadata()?.len();
        if self.is_torn {
            text.insert(0, '\n');
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.is_torn = false,
            // A full disk takes half a line: it is taken back, or else closed before the next.
            Err(_) if self.file.set_len(before).is_ok() => {}
            Err(_) => self.is_torn = true,
        }
        written
    }

    /// Keeps a copy of the journal under a name of its own.
    pub fn set_aside(&mut self) -> io::Result<()> {
        let mut name = self.paths.names().1.to_owned();
        name.push(".damaged");
        let (mut copy, name) = self.folder.create_numbered(&name, Readers::Owner)?;
        let copied = self
            .file
            .seek(io::SeekFrom::Start(0))
            .and_then(|_| io::copy(&mut (&self.file).take(FILE_MAX_BYTES), &mut copy))
            .and_then(|_| copy.sync_all());
        if copied.is_err() {
            let _ = self.folder.remove(&name);
        }
        copied
    }

    /// Replaces the snapshot by this state, then empties the journal.
    pub fn fold(&mut self, state: &State, sequence: u64, written: &Written) -> io::Result<()> {
        let text = snapshot(state, sequence, written)?;
        let (name, _) = self.paths.names();
        self.folder.write(name, Readers::Owner, Existing::Replace, &mut |out| out.write_all(&text))?;
        self.file.set_len(0)?;
        self.file.seek(io::SeekFrom::Start(0))?;
        self.is_torn = false;
        self.file.sync_data()
    }

    /// Whether there is a snapshot.
    pub fn has_snapshot(&self) -> bool {
        self.folder.has(self.paths.names().0)
    }

    /// Gives the files other names; nothing may stand there.
    pub fn rename(&mut self, to: &Paths) -> io::Result<()> {
        if to.exist() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let folder = to.folder()?;
        let ((snapshot, journal), (new_snapshot, new_journal)) = (self.paths.names(), to.names());
        self.folder.rename(journal, &folder, new_journal)?;
        if self.folder.has(snapshot)
            && let Err(error) = self.folder.rename(snapshot, &folder, new_snapshot)
        {
            folder.rename(new_journal, &self.folder, journal)?;
            return Err(error);
        }
        folder.sync();
        self.folder.sync();
        (self.folder, self.paths) = (folder, to.clone());
        Ok(())
    }

    /// Takes the files of a case away that was joined with another.
    pub fn remove(self) {
        let (snapshot, journal) = self.paths.names();
        let _ = self.folder.remove(snapshot);
        let _ = self.folder.remove(journal);
        self.folder.sync();
    }
}

/// A snapshot as it is written.
pub fn snapshot(state: &State, sequence: u64, written: &Written) -> io::Result<Vec<u8>> {
    let snapshot = Snapshot { schema: written.schema.clone(), sequence, state: state.clone() };
    let mut whole = serde_json::to_value(&snapshot)?;
    written.unknown.put(&mut whole);
    Ok((crate::text::json_pretty(&whole)? + "\n").into_bytes())
}

fn is_same(one: &File, other: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok(one.dev() == other.dev() && one.ino() == other.ino())
}

fn ends_with_line(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::FileExt as _;
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}

/// A journal that others could read (made by an earlier version, or by hand) becomes private when it is used.
fn keep_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata()?;
    let for_others = 0o077;
    if metadata.permissions().mode() & for_others == 0 {
        return Ok(());
    }
    match file.set_permissions(std::fs::Permissions::from_mode(0o600)) {
        // Some file systems have no permissions to set.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Makes the directory of cases, for its owner alone where it is new. Whether that worked shows when a file is made in it.
pub fn make_directory(directory: &Path) {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let _ = builder.create(directory);
}

/// Finds a case whose first capture has this hash: beside a capture in the same directory, or in the directory of cases.
pub fn find_by_hash(beside: Option<&Path>, directory: Option<&Path>, sha256: &str) -> Option<Paths> {
    let in_cases = directory.map(|directory| Paths::by_hash(directory, sha256)).filter(Paths::exist);
    in_cases.or_else(|| {
        let folder = Folder::of(beside?).ok()?.0;
        let ending = |name: &OsString| name.to_string_lossy().ends_with(".portmortem.json");
        let mut names: Vec<OsString> = std::fs::read_dir(folder.path())
            .ok()?
            .flatten()
            .map(|entry| entry.file_name())
            .filter(ending)
            .collect();
        names.sort();
        let mut left = SIBLINGS_MAX_BYTES;
        let mut is_it = |paths: &Paths| {
            let size = |name: &OsStr| folder.read(name).ok().flatten()?.metadata().ok();
            let size = size(paths.names().0).map_or(0, |metadata| metadata.len());
            let Some(rest) = left.checked_sub(size) else { return false };
            left = rest;
            read_in(&folder, paths, FILE_MAX_BYTES)
                .is_ok_and(|found| found.state.evidence.first().is_some_and(|record| record.sha256 == sha256))
        };
        let siblings = names.into_iter().take(SIBLINGS_MAX);
        siblings.map(|name| Paths::of_case(&folder.path().join(name))).find(|paths| is_it(paths))
    })
}
