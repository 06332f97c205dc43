//! Whether a file is still what it was when it was opened: captures are rotated, cut and written over while they are read.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Bytes at either end of the file that are compared.
const SAMPLE_BYTES: u64 = 4096;

/// How a file differs from what was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has more bytes; those there were are the same.
    Grown,
    /// It has fewer bytes: this many.
    Cut(u64),
    /// Its bytes are others.
    Overwritten,
    /// It was written to, although nothing of it looks different.
    Touched,
    /// Another file has its name; the one that was opened can still be read.
    Replaced,
    /// Nothing has its name; the file that was opened can still be read.
    Removed,
    /// It cannot be looked at any more, for this reason.
    Unreadable(String),
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Grown => f.write_str("it has grown since it was opened (--follow reads on)"),
            Self::Cut(at) => write!(f, "cut while open at byte {}", crate::text::thousands(*at)),
            Self::Overwritten => {
                f.write_str("overwritten while open: its bytes are not those that were opened")
            }
            Self::Touched => {
                f.write_str("written to while open: its bytes may not be those that were opened")
            }
            Self::Replaced => f.write_str("replaced while open: another file has its name now"),
            Self::Removed => f.write_str("removed while open: nothing has its name now"),
            Self::Unreadable(reason) => {
                write!(f, "not readable any more ({})", crate::text::escape(reason))
            }
        }
    }
}

/// What a file was when it was opened.
#[derive(Clone, Debug)]
pub struct Stored {
    path: PathBuf,
    stamp: Stamp,
    ends: (Vec<u8>, Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    number: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn ends(file: &File, size: u64) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let piece = |at: u64| {
        let mut bytes = vec![0; SAMPLE_BYTES.min(size - at) as usize];
        file.read_exact_at(&mut bytes, at).map(|()| bytes)
    };
    Ok((piece(0)?, piece(size.saturating_sub(SAMPLE_BYTES))?))
}

impl Stored {
    /// What an opened file is now.
    pub fn of(path: &Path, file: &File) -> io::Result<Self> {
        let stamp = Stamp::of(&file.metadata()?);
        Ok(Self { path: path.to_owned(), stamp, ends: ends(file, stamp.size)? })
    }

    /// How the file differs now; `None` where it is the same.
    pub fn change(&self) -> Option<Change> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(Change::Removed),
            Err(error) => return Some(Change::Unreadable(error.to_string())),
        };
        let now = Stamp::of(&metadata);
        if now == self.stamp {
            return None;
        }
        if (now.device, now.number) != (self.stamp.device, self.stamp.number) || !metadata.is_file() {
            return Some(Change::Replaced);
        }
        if now.size < self.stamp.size {
            return Some(Change::Cut(now.size));
        }
        match File::open(&self.path).and_then(|file| ends(&file, self.stamp.size)) {
            Ok(ends) if ends != self.ends => Some(Change::Overwritten),
            Ok(_) if now.size > self.stamp.size => Some(Change::Grown),
            // Another name, other rights: the bytes are the same as far as can be seen without reading all.
            Ok(_) if now.modified == self.stamp.modified => None,
            Ok(_) => Some(Change::Touched),
            Err(error) => Some(Change::Unreadable(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_file_is_told_from_the_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.pcap");
        let open = || {
            std::fs::write(&path, vec![1; 20_000]).expect("written");
            Stored::of(&path, &File::open(&path).expect("there")).expect("readable")
        };
        let stored = open();
        assert_eq!(stored.change(), None);
        std::fs::OpenOptions::new().append(true).open(&path).expect("there").set_len(20_001).expect("longer");
        assert_eq!(stored.change(), Some(Change::Grown));
        std::fs::write(&path, vec![1; 5_000]).expect("written");
        assert_eq!(stored.change(), Some(Change::Cut(5_000)));
        std::fs::write(&path, vec![2; 30_000]).expect("written");
        assert_eq!(stored.change(), Some(Change::Overwritten));
        let other = folder.path().join("other");
        std::fs::write(&other, vec![1; 20_000]).expect("written");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(stored.change(), Some(Change::Removed));
        std::fs::rename(&other, &path).expect("renamed");
        assert_eq!(stored.change(), Some(Change::Replaced));
    }
}
