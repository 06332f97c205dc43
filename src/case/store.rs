//! The files of a case: a JSON snapshot replaced as a whole, and a journal that grows by one line an event.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Event, Notice, State};

/// The version written into snapshots and journals.
pub const SCHEMA: &str = "portmortem-case/1";
/// A case file larger than this is not read.
const FILE_MAX_BYTES: u64 = 256 << 20;
/// Case files looked at when a capture is searched for by its hash.
const SIBLINGS_MAX: usize = 512;

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
        Self {
            snapshot: directory.join(format!("{sha256}.portmortem.json")),
            journal: directory.join(format!("{sha256}.portmortem.journal")),
        }
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

    /// Whether either file is there.
    pub fn exist(&self) -> bool {
        self.snapshot.exists() || self.journal.exists()
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
pub struct Read {
    /// The state.
    pub state: State,
    /// Number of the last event in it.
    pub sequence: u64,
    /// What was wrong with the files.
    pub notices: Vec<Notice>,
}

/// Reads snapshot and journal. An error means that nothing may be written over these files.
pub fn read(paths: &Paths) -> io::Result<Read> {
    let mut found = Read { state: State::default(), sequence: 0, notices: Vec::new() };
    if paths.snapshot.exists() {
        let text = read_text(&paths.snapshot)?;
        let snapshot: Snapshot = serde_json::from_str(&text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        if snapshot.schema != SCHEMA {
            let reason = format!(
                "it is of version {}, this program reads {SCHEMA}",
                crate::text::escape(&snapshot.schema)
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        found.state = snapshot.state;
        found.sequence = snapshot.sequence;
    }
    if paths.journal.exists() {
        replay(&read_text(&paths.journal)?, &mut found);
    }
    Ok(found)
}

/// Applies the lines that are newer than the snapshot; lines that cannot be read are counted and passed over.
fn replay(journal: &str, found: &mut Read) {
    let mut damaged = 0;
    for text in journal.lines().filter(|line| !line.trim().is_empty()) {
        match serde_json::from_str::<Line>(text) {
            Ok(line) if line.n > found.sequence => {
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

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens the journal for appending and locks it against other processes. `Ok(None)`: another process holds it.
pub fn lock(paths: &Paths) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.create(true).read(true).append(true);
    let file = private(&mut options).open(&paths.journal)?;
    keep_private(&file)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(Some(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// New files are the owner's alone, as snapshots are: notes and names in them are nobody else's business.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &OpenOptions {
    options
}

/// A journal that others could read (made by an earlier version, or by hand) becomes private when it is used.
#[cfg(unix)]
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

#[cfg(not(unix))]
fn keep_private(_: &File) -> io::Result<()> {
    Ok(())
}

/// Makes the directory of cases, for its owner alone where it is new. Whether that worked shows when a file is made in it.
pub fn make_directory(directory: &Path) {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let _ = builder.create(directory);
}

/// Takes the files of a case away that was joined with another.
pub fn remove(paths: &Paths) {
    let _ = std::fs::remove_file(&paths.snapshot);
    let _ = std::fs::remove_file(&paths.journal);
}

/// Appends one event and waits until the disk has it.
pub fn append(journal: &mut File, n: u64, at: &str, event: &Event) -> io::Result<()> {
    let line = Line { n, at: at.to_owned(), event: event.clone() };
    let mut text = serde_json::to_string(&line)?;
    text.push('\n');
    journal.write_all(text.as_bytes())?;
    journal.sync_data()
}

/// Replaces the snapshot by this state, then empties the journal; unreadable journal lines are kept aside.
pub fn fold(
    paths: &Paths,
    journal: &mut File,
    state: &State,
    sequence: u64,
    damaged: bool,
) -> io::Result<()> {
    if damaged {
        let mut aside = paths.journal.as_os_str().to_owned();
        aside.push(".damaged");
        std::fs::copy(&paths.journal, PathBuf::from(aside))?;
    }
    let directory = paths.snapshot.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".portmortem-").tempfile_in(directory)?;
    let snapshot = Snapshot { schema: SCHEMA.to_owned(), sequence, state: state.clone() };
    serde_json::to_writer_pretty(&mut file, &snapshot)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(&paths.snapshot).map_err(|error| error.error)?;
    // The rename itself is only durable once the directory is.
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
    journal.set_len(0)?;
    journal.seek(io::SeekFrom::Start(0))?;
    journal.sync_data()
}

/// Finds a case whose first capture has this hash: beside a capture in the same directory, or in the directory of cases.
pub fn find_by_hash(beside: Option<&Path>, directory: Option<&Path>, sha256: &str) -> Option<Paths> {
    let in_cases = directory.map(|directory| Paths::by_hash(directory, sha256)).filter(Paths::exist);
    in_cases.or_else(|| {
        let folder = beside?.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::read_dir(folder)
            .ok()?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().ends_with(".portmortem.json"))
            .take(SIBLINGS_MAX)
            .map(|path| Paths::of_case(&path))
            .find(|paths| {
                read(paths).is_ok_and(|found| {
                    found.state.evidence.first().is_some_and(|record| record.sha256 == sha256)
                })
            })
    })
}
