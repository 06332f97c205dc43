//! Writes files by the handle of their folder: no link in it is followed, nothing is half written, nothing is replaced unasked.
//!
//! A folder may come from somebody else, and hold links, pipes or devices where the program would put its own files. So
//! the folder is opened once, files in it are named by their last part alone, and only regular files count.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, BufWriter, Read as _, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Names tried for a temporary file before giving up.
const TRIES_MAX: usize = 64;
/// What a temporary file's name begins with.
const TEMPORARY: &str = ".portmortem-";

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The owner alone.
    Owner,
    /// Whoever the user's umask lets.
    Umask,
}

impl Readers {
    fn mode(self) -> Mode {
        Mode::from_raw_mode(match self {
            Self::Owner => 0o600,
            Self::Umask => 0o666,
        })
    }
}

/// What happens to a file that stands where one is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Keep,
    /// It is replaced as a whole.
    Replace,
}

impl Existing {
    /// Replaces only where that was asked for.
    pub fn forced(force: bool) -> Self {
        if force { Self::Replace } else { Self::Keep }
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing, not even a link.
    Nothing,
    /// A regular file, or a link.
    File,
    /// A folder.
    Folder,
    /// A pipe, a terminal or another device that takes bytes as they come: it is written into, never replaced.
    Stream,
}

/// What stands at a path. A link counts as a file unless it leads to what takes bytes as they come.
pub fn there(path: &Path) -> There {
    use std::os::unix::fs::FileTypeExt as _;
    let Ok(own) = std::fs::symlink_metadata(path) else { return There::Nothing };
    if own.is_dir() {
        return There::Folder;
    }
    let Ok(target) = std::fs::metadata(path) else { return There::File };
    let kind = target.file_type();
    let takes_bytes = kind.is_char_device() || kind.is_block_device() || kind.is_fifo() || kind.is_socket();
    if takes_bytes || is_descriptor(path) {
        There::Stream
    } else if target.is_dir() {
        There::Folder
    } else {
        There::File
    }
}

/// Whether a path names one of the program's own open files, as `/dev/stdout` does: what it leads to may be a regular
/// file, but the name is the system's.
fn is_descriptor(path: &Path) -> bool {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    folder.is_some_and(|folder| folder.starts_with("/dev") || folder.starts_with("/proc"))
}

/// A folder held open.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    path: PathBuf,
}

fn refused(name: &OsStr, why: &str) -> io::Error {
    let name = crate::text::escape(&name.to_string_lossy());
    io::Error::new(io::ErrorKind::InvalidInput, format!("{name} {why}"))
}

impl Folder {
    /// Opens a folder by the path the user gave.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { handle: rustix::fs::open(path, flags, Mode::empty())?, path: path.to_owned() })
    }

    /// Opens the folder of a file, and gives the file's name in it.
    pub fn of(path: &Path) -> io::Result<(Self, OsString)> {
        let name = path.file_name();
        let name = name.ok_or_else(|| refused(path.as_os_str(), "does not name a file"))?.to_owned();
        Ok((Self::open(path.parent().unwrap_or(Path::new(".")))?, name))
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether anything has this name, be it a link that leads nowhere.
    pub fn has(&self, name: &OsStr) -> bool {
        rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Opens a regular file to be read; `None` where there is nothing of this name.
    pub fn read(&self, name: &OsStr) -> io::Result<Option<File>> {
        self.existing(name, OFlags::RDONLY)
    }

    /// The text of a regular file of at most `max` bytes; `None` where there is nothing of this name.
    pub fn text(&self, name: &OsStr, max: u64) -> io::Result<Option<String>> {
        let Some(file) = self.read(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(refused(name, &format!("is larger than {} bytes", crate::text::thousands(max))));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Opens a file that lines are added to; makes it, for its owner alone, where there is none.
    pub fn append(&self, name: &OsStr) -> io::Result<File> {
        for _ in 0..TRIES_MAX {
            if let Some(file) = self.existing(name, OFlags::RDWR | OFlags::APPEND)? {
                let status = rustix::fs::fstat(&file)?;
                // A second name may stand anywhere: what is written here would be written there as well.
                if status.st_nlink > 1 {
                    return Err(refused(name, "has several names (hard links): it is not written to"));
                }
                return Ok(file);
            }
            match self.create_with(name, Readers::Owner, OFlags::RDWR | OFlags::APPEND) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result,
            }
        }
        Err(refused(name, "comes and goes"))
    }

    /// Makes a file that was not there.
    pub fn create(&self, name: &OsStr, readers: Readers) -> io::Result<File> {
        self.create_with(name, readers, OFlags::RDWR)
    }

    /// Makes a file under the first free of `name`, `name.2`, `name.3`, … and gives its name.
    pub fn create_numbered(&self, name: &OsStr, readers: Readers) -> io::Result<(File, OsString)> {
        const NUMBER_MAX: u32 = 10_000;
        for number in 1..NUMBER_MAX {
            let mut numbered = name.to_owned();
            if number > 1 {
                numbered.push(format!(".{number}"));
            }
            match self.create(&numbered, readers) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result.map(|file| (file, numbered)),
            }
        }
        Err(refused(name, "is there too often"))
    }

    /// Takes a file away.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// Gives a file of this folder another name in `to`, where nothing may have that name.
    pub fn rename(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.handle, name, &to.handle, new, RenameFlags::NOREPLACE) {
            // Not every file system can; a second name that is made only where there is none does the same.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                rustix::fs::linkat(&self.handle, name, &to.handle, new, AtFlags::empty())?;
                self.remove(name)
            }
            result => Ok(result?),
        }
    }

    /// Puts a file of this folder in another, in the place of what has that name there.
    pub fn replace(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.handle, name, &to.handle, new)?)
    }

    /// Opens a folder in this one; `None` where there is nothing of this name. A link is not followed.
    pub fn below(&self, name: &OsStr) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => Ok(Some(Self { handle, path: self.path.join(name) })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => Err(refused(name, "is no folder, or a link to one")),
            Err(error) => Err(error.into()),
        }
    }

    /// The same; it is made where there is none.
    pub fn made_below(&self, name: &OsStr) -> io::Result<Self> {
        for _ in 0..TRIES_MAX {
            if let Some(folder) = self.below(name)? {
                return Ok(folder);
            }
            match rustix::fs::mkdirat(&self.handle, name, Mode::from_raw_mode(0o777)) {
                Ok(()) => self.sync(),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(refused(name, "comes and goes"))
    }

    /// Takes an empty folder away.
    pub fn remove_below(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR)?)
    }

    /// The names in it, in order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.handle)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// When something in it was last made or taken away, in seconds since 1970.
    pub fn changed_s(&self) -> io::Result<i64> {
        Ok(rustix::fs::fstat(&self.handle)?.st_mtime)
    }

    /// Waits until the disk knows the names in this folder. Where the system cannot do that, nothing is lost by it.
    pub fn sync(&self) {
        let _ = rustix::fs::fsync(&self.handle);
    }

    /// Writes a file in full or not at all: beside its place first, and moved there when the disk has it.
    pub fn write(
        &self,
        name: &OsStr,
        readers: Readers,
        existing: Existing,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if existing == Existing::Keep && self.has(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (file, temporary) = self.temporary(readers)?;
        let filled = fill(file, write).and_then(|()| match existing {
            Existing::Keep => self.rename(&temporary, self, name),
            Existing::Replace => Ok(rustix::fs::renameat(&self.handle, &temporary, &self.handle, name)?),
        });
        if filled.is_err() {
            let _ = self.remove(&temporary);
        }
        self.sync();
        filled
    }

    fn temporary(&self, readers: Readers) -> io::Result<(File, OsString)> {
        for _ in 0..TRIES_MAX {
            let name = temporary_name();
            match self.create(&name, readers) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result.map(|file| (file, name)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn existing(&self, name: &OsStr, flags: OFlags) -> io::Result<Option<File>> {
        // A pipe or device must not hold the program up while it is looked at.
        let safe = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let status = match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Opening alone may already do something to a device.
        is_regular(name, status.st_mode)?;
        match rustix::fs::openat(&self.handle, name, flags | safe, Mode::empty()) {
            Ok(handle) => {
                is_regular(name, rustix::fs::fstat(&handle)?.st_mode)?;
                Ok(Some(handle.into()))
            }
            Err(Errno::LOOP) => Err(refused(name, "is a symbolic link: it is not followed")),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn create_with(&self, name: &OsStr, readers: Readers, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.handle, name, flags, readers.mode())?.into())
    }
}

fn is_regular(name: &OsStr, mode: rustix::fs::RawMode) -> io::Result<()> {
    let what = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => "is a symbolic link: it is not followed",
        FileType::Directory => "is a folder, where a file belongs",
        FileType::Fifo => "is a pipe, where a file belongs",
        FileType::Socket => "is a socket, where a file belongs",
        _ => "is a device, where a file belongs",
    };
    Err(refused(name, what))
}

/// A name nobody can guess before the file is there.
pub fn temporary_name() -> OsString {
    let random = std::hash::RandomState::new().build_hasher().finish();
    OsString::from(format!("{TEMPORARY}{random:016x}"))
}

fn fill(file: File, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

/// Writes a file the user named, in full or not at all; into a pipe or device it is written as it comes.
pub fn write(
    path: &Path,
    existing: Existing,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if there(path) == There::Stream {
        let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
        write(&mut out)?;
        return out.flush();
    }
    let (folder, name) = Folder::of(path)?;
    folder.write(&name, Readers::Umask, existing, write)
}

/// Puts a folder that was made beside its place there, for what may be there already; gives what was there back, to be
/// taken away.
pub fn exchange_folder(made: &Path, place: &Path) -> io::Result<Option<PathBuf>> {
    let cwd = rustix::fs::CWD;
    if there(place) == There::Nothing {
        rustix::fs::renameat_with(cwd, made, cwd, place, RenameFlags::NOREPLACE).or_else(
            |error| match error {
                Errno::INVAL | Errno::NOSYS | Errno::NOTSUP => rustix::fs::rename(made, place),
                error => Err(error),
            },
        )?;
        return Ok(None);
    }
    match rustix::fs::renameat_with(cwd, made, cwd, place, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(Some(made.to_owned())),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            // What was there goes aside first and comes back when the new one cannot take its place.
            let aside = made.with_file_name(temporary_name());
            rustix::fs::rename(place, &aside)?;
            if let Err(error) = rustix::fs::rename(made, place) {
                let _ = rustix::fs::rename(&aside, place);
                return Err(error.into());
            }
            Ok(Some(aside))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(place.path()).expect("it opens");
        (place, folder)
    }

    fn say(text: &'static str) -> impl FnMut(&mut dyn Write) -> io::Result<()> {
        move |out| out.write_all(text.as_bytes())
    }

    #[test]
    fn only_regular_files_are_opened() {
        let (place, folder) = folder();
        let victim = place.path().join("victim");
        std::fs::write(&victim, "mine").expect("written");
        symlink(&victim, place.path().join("link")).expect("a link");
        symlink(place.path().join("nothing"), place.path().join("dangling")).expect("a link");
        std::fs::hard_link(&victim, place.path().join("second")).expect("a second name");
        std::fs::create_dir(place.path().join("folder")).expect("a folder");
        rustix::fs::mkfifoat(rustix::fs::CWD, place.path().join("pipe"), Mode::from_raw_mode(0o600))
            .expect("a pipe");
        for name in ["link", "dangling", "folder", "pipe"] {
            let name = OsStr::new(name);
            assert!(folder.has(name));
            for error in [folder.read(name).err(), folder.append(name).err()] {
                let error = error.expect("refused");
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}: {error}");
            }
            assert!(folder.create(name, Readers::Owner).is_err());
        }
        assert!(folder.append(OsStr::new("second")).is_err(), "a file of two names");
        assert!(folder.append(OsStr::new("new")).is_ok() && folder.append(OsStr::new("new")).is_ok());
        assert_eq!(std::fs::read_to_string(&victim).expect("readable"), "mine");
    }

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_stays() {
        let (place, folder) = folder();
        let victim = place.path().join("victim");
        std::fs::write(&victim, "mine").expect("written");
        symlink(&victim, place.path().join("link")).expect("a link");
        let name = OsStr::new("link");
        assert!(folder.write(name, Readers::Umask, Existing::Keep, &mut say("x")).is_err());
        folder.write(name, Readers::Umask, Existing::Replace, &mut say("new")).expect("written");
        assert_eq!(std::fs::read_to_string(&victim).expect("readable"), "mine");
        assert_eq!(std::fs::read_to_string(place.path().join("link")).expect("readable"), "new");
    }

    #[test]
    fn a_failure_leaves_what_was_there_and_nothing_else() {
        let (place, folder) = folder();
        let name = OsStr::new("report");
        folder.write(name, Readers::Owner, Existing::Keep, &mut say("old")).expect("written");
        let mut fails = |out: &mut dyn Write| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        };
        assert!(folder.write(name, Readers::Owner, Existing::Replace, &mut fails).is_err());
        let names: Vec<OsString> = std::fs::read_dir(place.path())
            .expect("readable")
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(names, ["report"]);
        assert_eq!(std::fs::read_to_string(place.path().join("report")).expect("readable"), "old");
    }

    #[test]
    fn numbered_copies_never_meet() {
        let (_place, folder) = folder();
        let names: Vec<OsString> = (0..3)
            .map(|_| folder.create_numbered(OsStr::new("a.damaged"), Readers::Owner).expect("made").1)
            .collect();
        assert_eq!(names, ["a.damaged", "a.damaged.2", "a.damaged.3"]);
    }

    #[test]
    fn a_pipe_is_written_into_and_a_new_file_follows_the_umask() {
        let (place, _folder) = folder();
        let pipe = place.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::from_raw_mode(0o600)).expect("a pipe");
        assert_eq!(there(&pipe), There::Stream);
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read_to_string(pipe).expect("readable")
        });
        super::write(&pipe, Existing::Replace, &mut say("through")).expect("written");
        assert_eq!(reader.join().expect("read"), "through");
        assert_eq!(there(&pipe), There::Stream, "the pipe is still one");
        assert_eq!(there(Path::new("/dev/null")), There::Stream);
        assert_eq!(there(Path::new("/dev/stdout")), There::Stream);
        let plain = place.path().join("plain");
        let probe = place.path().join("probe");
        super::write(&plain, Existing::Keep, &mut say("x")).expect("written");
        std::fs::write(&probe, "x").expect("written");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&plain), mode(&probe));
    }
}
