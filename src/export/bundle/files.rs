//! Writes a bundle as a folder or a ZIP archive, in full or not at all, and reads one back.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::{Bundle, MANIFEST, Manifest, SCHEMA};
use crate::files::{Existing, Folder, Readers, There};

/// The largest bundle read, in bytes, all files together.
const BUNDLE_MAX_BYTES: u64 = 1 << 30;
/// Files of a bundle that are looked at.
const FILES_MAX: usize = 1_000;

/// The files of a bundle by name.
pub type Contents = BTreeMap<String, Vec<u8>>;

fn refuse(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, text)
}

fn above(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a path names an archive by its ending.
pub fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

/// Whether a bundle may be written here: nothing is there, or `force` is given and what is there is a bundle.
pub fn check_place(path: &Path, force: bool) -> io::Result<()> {
    let shown = crate::text::escape(&path.display().to_string());
    match crate::files::there(path) {
        There::Nothing => return Ok(()),
        // Nothing is lost by writing into a pipe, and reading it would take what is somebody else's.
        There::Stream if is_archive(path) && force => return Ok(()),
        There::Stream => {
            return Err(refuse(format!("{shown} is a pipe or device: a bundle is a folder or a .zip")));
        }
        There::File | There::Folder => {}
    }
    if path.is_dir() == is_archive(path) && !is_archive(path) {
        return Err(refuse(format!("{shown} is a file: a bundle is a folder or a .zip")));
    }
    let empty = path.is_dir() && fs::read_dir(path)?.next().is_none();
    if empty {
        return Ok(());
    }
    if !force {
        return Err(refuse(format!("{shown} exists already: give --force to write over it")));
    }
    let contents = read(path).unwrap_or_default();
    let Ok(manifest) = manifest(&contents) else {
        return Err(refuse(format!("{shown} is no bundle of portmortem: it is never written over")));
    };
    // Somebody may keep other files in the folder.
    let is_own = |name: &str| name == MANIFEST || manifest.files.iter().any(|record| record.name == name);
    if let Some(other) = contents.keys().find(|name| !is_own(name)) {
        let other = crate::text::escape(other);
        return Err(refuse(format!(
            "{shown} holds {other}, which is no part of the bundle: it is not written over"
        )));
    }
    Ok(())
}

/// Writes the bundle where [`check_place`] allows it.
pub fn write(bundle: &Bundle, path: &Path, force: bool) -> io::Result<()> {
    check_place(path, force)?;
    if is_archive(path) { write_archive(bundle, path, force) } else { write_folder(bundle, path) }
}

fn write_folder(bundle: &Bundle, path: &Path) -> io::Result<()> {
    let made = above(path).join(crate::files::temporary_name());
    fs::create_dir(&made)?;
    let filled = fill_folder(bundle, &made).and_then(|()| crate::files::exchange_folder(&made, path));
    match filled {
        Ok(None) => {}
        Ok(Some(old)) => fs::remove_dir_all(old)?,
        Err(error) => {
            let _ = fs::remove_dir_all(&made);
            return Err(error);
        }
    }
    Folder::open(above(path))?.sync();
    Ok(())
}

fn fill_folder(bundle: &Bundle, made: &Path) -> io::Result<()> {
    let folder = Folder::open(made)?;
    for (name, content) in &bundle.files {
        let mut file = folder.create(name.as_ref(), Readers::Umask)?;
        file.write_all(content.get())?;
        file.sync_all()?;
    }
    folder.sync();
    Ok(())
}

#[cfg(feature = "docx")]
fn write_archive(bundle: &Bundle, path: &Path, force: bool) -> io::Result<()> {
    let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    // A fixed time stamp makes the same bundle the same file.
    let options = zip::write::SimpleFileOptions::default()
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    for (name, content) in &bundle.files {
        archive.start_file(*name, options).map_err(io::Error::other)?;
        archive.write_all(content.get())?;
    }
    let bytes = archive.finish().map_err(io::Error::other)?.into_inner();
    crate::files::write(path, Existing::forced(force), &mut |out| out.write_all(&bytes))
}

#[cfg(not(feature = "docx"))]
fn write_archive(_: &Bundle, _: &Path, _: bool) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this build writes no ZIP: name a folder instead"))
}

/// What a bundle holds, and what in it cannot be read or does not belong there: names and problems.
#[derive(Debug, Default)]
pub struct Found {
    /// The files.
    pub contents: Contents,
    /// Damaged, doubled and nested entries.
    pub problems: Vec<(String, String)>,
}

/// Reads every file of a bundle; an error where one cannot be read.
pub fn read(path: &Path) -> io::Result<Contents> {
    let found = inspect(path)?;
    match found.problems.into_iter().next() {
        None => Ok(found.contents),
        Some((name, problem)) => {
            let text = format!("{}: {problem}", crate::text::escape(&name));
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
    }
}

/// Reads what can be read of a bundle and notes the rest.
pub fn inspect(path: &Path) -> io::Result<Found> {
    if path.is_dir() { read_folder(path) } else { read_archive(path) }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the bundle is too large")
}

fn read_folder(path: &Path) -> io::Result<Found> {
    let (mut found, mut left) = (Found::default(), BUNDLE_MAX_BYTES);
    for (at, entry) in fs::read_dir(path)?.enumerate() {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_file() || at >= FILES_MAX {
            let problem =
                if at >= FILES_MAX { "too many files" } else { "it is no file: bundles have none such" };
            found.problems.push((name, problem.to_owned()));
            if at >= FILES_MAX {
                break;
            }
            continue;
        }
        let mut content = Vec::new();
        fs::File::open(entry.path())?.take(left + 1).read_to_end(&mut content)?;
        left = left.checked_sub(content.len() as u64).ok_or_else(too_large)?;
        found.contents.insert(name, content);
    }
    Ok(found)
}

#[cfg(feature = "docx")]
fn read_archive(path: &Path) -> io::Result<Found> {
    let invalid = |error: zip::result::ZipError| {
        io::Error::new(io::ErrorKind::InvalidData, format!("not a bundle: {error}"))
    };
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(BUNDLE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BUNDLE_MAX_BYTES {
        return Err(too_large());
    }
    let mut archive = zip::ZipArchive::new(io::Cursor::new(&bytes)).map_err(invalid)?;
    let (mut found, mut left) = (Found::default(), BUNDLE_MAX_BYTES);
    found.problems = super::archive::problems(&bytes);
    if archive.len() > FILES_MAX {
        found.problems.push((format!("{} entries", archive.len()), "too many files".to_owned()));
    }
    for at in 0..archive.len().min(FILES_MAX) {
        let known = match archive.name_for_index(at) {
            Some(Ok(name)) => name.into_owned(),
            _ => format!("entry {}", at + 1),
        };
        let file = match archive.by_index(at) {
            Ok(file) => file,
            Err(error) => {
                found.problems.push((known, format!("it cannot be read: {error}")));
                continue;
            }
        };
        if !file.is_file() {
            found.problems.push((known, "it is no file: bundles have none such".to_owned()));
            continue;
        }
        let name = file.name().map_err(invalid)?.into_owned();
        let mut content = Vec::new();
        if let Err(error) = file.take(left + 1).read_to_end(&mut content) {
            found.problems.push((name, format!("it cannot be read: {error}")));
            continue;
        }
        left = left.checked_sub(content.len() as u64).ok_or_else(too_large)?;
        if found.contents.insert(name.clone(), content).is_some() {
            found.problems.push((name, "it is there twice".to_owned()));
        }
    }
    Ok(found)
}

#[cfg(not(feature = "docx"))]
fn read_archive(_: &Path) -> io::Result<Found> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this build reads no ZIP: unpack the bundle first"))
}

/// The manifest of a bundle.
pub fn manifest(contents: &Contents) -> io::Result<Manifest> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let text =
        contents.get(MANIFEST).ok_or_else(|| invalid(format!("not a bundle: it has no {MANIFEST}")))?;
    let manifest: Manifest = serde_json::from_slice(text)
        .map_err(|error| invalid(format!("{MANIFEST} cannot be read: {error}")))?;
    if manifest.schema != SCHEMA {
        let found = crate::text::escape(&manifest.schema);
        return Err(invalid(format!("the bundle is of version {found}, this program reads {SCHEMA}")));
    }
    Ok(manifest)
}
