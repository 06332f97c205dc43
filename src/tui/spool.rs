//! Keeps a capture that comes through a pipe in a file while it comes, so that notes on it do not outlive it.
//!
//! The file is in the user's own directory and goes when the program ends as it should; after a crash it is offered again.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::capture::Map;
use crate::case::store::{self, Paths};
use crate::case::{Case, data_directory};
use crate::files::{Folder, Readers};

/// How often what has come is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often the disk is waited for.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long after a failure it is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// What kept captures end in.
const ENDING: &str = ".capture";
/// Kept captures looked at.
const LEFT_MAX: usize = 1_000;

/// The folder of captures that are still coming.
fn directory() -> Option<PathBuf> {
    Some(data_directory()?.join("live"))
}

/// A name nobody has yet for a capture that is still coming; `None` without a home.
pub fn place(now: &str) -> Option<PathBuf> {
    let name = format!("live-{now}-{}{ENDING}", std::process::id());
    Some(directory()?.join(name))
}

/// A capture being kept.
pub struct Spool {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Spool {
    /// Begins to keep what comes; `fail` is told when that cannot be, and told nothing when it can again.
    pub fn begin(
        path: PathBuf,
        map: Arc<Map>,
        fail: impl Fn(Option<String>) + Send + 'static,
    ) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            store::make_directory(directory);
        }
        let (folder, name) = Folder::of(&path)?;
        let file = folder.create(&name, Readers::Owner)?;
        // Whoever looks for captures that were left sees by the lock that this one is not.
        file.lock()?;
        folder.sync();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || keep(file, &map, &stopping, &fail))?;
        Ok(Self { path, stop, thread })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends keeping; the file stays, with everything that has come.
    pub fn stay(self) -> PathBuf {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.path
    }

    /// Ends keeping, and takes the file away.
    pub fn remove(self) {
        let path = self.stay();
        if let Ok((folder, name)) = Folder::of(&path) {
            let _ = folder.remove(&name);
        }
    }
}

fn keep(mut file: File, map: &Map, stop: &AtomicBool, fail: &dyn Fn(Option<String>)) {
    let (mut written, mut synced, mut failed) = (0, 0, false);
    let mut since = Instant::now();
    loop {
        let stops = stop.load(Ordering::Relaxed) || map.is_complete();
        let there = map.bytes();
        let more = there.get(written..).unwrap_or_default();
        let mut step = || -> io::Result<bool> {
            // What was half written before is written again.
            file.set_len(written as u64)?;
            file.seek(io::SeekFrom::Start(written as u64))?;
            file.write_all(more)?;
            if stops || since.elapsed() >= SYNC_EVERY {
                file.sync_data()?;
                return Ok(true);
            }
            Ok(false)
        };
        let is_idle = more.is_empty() && (synced == written || !stops);
        let outcome = if is_idle { Ok(false) } else { step() };
        match outcome {
            Ok(is_synced) => {
                written += more.len();
                if is_synced {
                    (synced, since) = (written, Instant::now());
                }
                if std::mem::take(&mut failed) {
                    fail(None);
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failed, true) {
                    fail(Some(error.to_string()));
                }
            }
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        // A capture that is whole is kept until the program says what becomes of it: the lock has to stay.
        std::thread::sleep(if failed { RETRY_EVERY } else { LOOK_EVERY });
    }
}

/// A capture that a session before left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Where it is.
    pub path: PathBuf,
    /// How many bytes it has.
    pub bytes: u64,
    /// Notes of the analyst on it.
    pub notes: usize,
}

/// Captures that sessions before left behind, oldest first. Those that are still being written are not among them.
pub fn left() -> Vec<Left> {
    directory().map_or_else(Vec::new, |directory| left_in(&directory))
}

fn left_in(directory: &Path) -> Vec<Left> {
    let (Ok(folder), Ok(entries)) = (Folder::open(directory), std::fs::read_dir(directory)) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).take(LEFT_MAX).collect();
    names.sort();
    let is_kept = |name: &&std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.starts_with("live-") && name.ends_with(ENDING)
    };
    names.iter().filter(is_kept).filter_map(|name| left_as(&folder, name)).collect()
}

fn left_as(folder: &Folder, name: &OsStr) -> Option<Left> {
    let file = folder.read(name).ok()??;
    file.try_lock().ok()?;
    let path = folder.path().join(name);
    let notes = Case::read_state(&Paths::beside(&path)).map_or(0, |(state, _)| state.annotations.len());
    Some(Left { bytes: file.metadata().ok()?.len(), notes, path })
}

/// Takes a capture that was left, and its case, away.
pub fn forget(left: &Left) -> io::Result<()> {
    let (folder, name) = Folder::of(&left.path)?;
    folder.remove(&name)?;
    let paths = Paths::beside(&left.path);
    for path in [paths.snapshot, paths.journal] {
        if let Some(name) = path.file_name().filter(|name| folder.has(name)) {
            folder.remove(name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_kept_until_it_is_taken_away_and_found_after_a_crash() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("live-1.capture");
        let map = Arc::new(Map::owned(b"captured".to_vec()));
        let spool = Spool::begin(path.clone(), map, |failure| assert_eq!(failure, None)).expect("begun");
        assert!(left_in(home.path()).is_empty(), "it is still being written");
        let kept = spool.stay();
        assert_eq!(std::fs::read(&kept).expect("readable"), b"captured");
        let found = left_in(home.path());
        assert_eq!(found, [Left { path: kept, bytes: 8, notes: 0 }]);
        forget(found.first().expect("one")).expect("forgotten");
        assert_eq!(std::fs::read_dir(home.path()).expect("readable").count(), 0);
        std::os::unix::fs::symlink("/etc/passwd", &path).expect("a link");
        assert!(left_in(home.path()).is_empty());
    }
}
