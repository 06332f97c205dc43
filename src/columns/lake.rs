//! The folder that tables stand in: what is there, and how new files take their places.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

use super::generation;
use super::schema::{CAPTURES, TABLES, Table};
use super::unit::{By, Status, Unit};
use crate::files::{Existing, Folder, Readers, temporary_name};
use crate::text::escape;

/// The file that names the generation questions read.
const CURRENT: &str = "CURRENT";
/// The longest name of a generation.
const CURRENT_MAX_BYTES: u64 = 256;
/// Where files are made before they take their places.
const STAGES: &str = "_tmp";
/// After this long nobody works in a stage any more.
const STAGE_AGE_MAX_S: i64 = 24 * 3_600;
/// Digits of a SHA-256.
const HASH_DIGITS: usize = 64;

/// A lake, held open.
pub struct Lake {
    root: Folder,
}

/// What stands in the place of a unit.
pub struct Known {
    /// Its id.
    pub id: String,
    /// The captures in it, and whether each could be read.
    pub captures: Vec<(String, bool)>,
}

/// What is to be done about a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing of it is there.
    New,
    /// All of it is there.
    There,
    /// It holds all that is there, and more: it takes the place of the unit with this id.
    Grew(String),
    /// What is there holds captures that are not among those given, so that their rows would be lost.
    Missing(usize),
    /// The day holds units of the other kind: their rows would be there twice.
    Mixed,
}

impl Lake {
    /// Opens a lake; `None` where there is none.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        match Folder::open(path) {
            Ok(root) => Ok(Some(Self { root })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot open the lake {}", shown(path))),
        }
    }

    /// Opens a lake, and makes it where there is none.
    pub fn made(path: &Path) -> Result<Self> {
        if let Some(lake) = Self::open(path)? {
            return Ok(lake);
        }
        let made = Folder::of(path).and_then(|(folder, name)| folder.made_below(&name));
        Ok(Self { root: made.with_context(|| format!("cannot make the lake {}", shown(path)))? })
    }

    /// The generation that questions read.
    pub fn current(&self) -> Result<Option<String>> {
        let text = self.root.text(OsStr::new(CURRENT), CURRENT_MAX_BYTES)?;
        Ok(text.map(|text| text.trim().to_owned()))
    }

    /// Makes this program's generation the one that questions read.
    pub fn set_current(&self) -> Result<()> {
        let line = format!("gen={}\n", generation());
        let write = &mut |out: &mut dyn std::io::Write| out.write_all(line.as_bytes());
        self.root.write(OsStr::new(CURRENT), Readers::Umask, Existing::Replace, write)?;
        Ok(())
    }

    /// The folder of a table's files for a unit; `None` where there is none yet.
    fn place(&self, table: &Table, unit: &Unit) -> Result<Option<Folder>> {
        let [generation, rest @ ..] = steps(table, unit);
        let mut folder = self.root.below(&generation)?;
        for step in rest {
            let Some(above) = folder else { return Ok(None) };
            folder = above.below(&step)?;
        }
        Ok(folder)
    }

    fn made_place(&self, table: &Table, unit: &Unit) -> Result<Folder> {
        let [generation, rest @ ..] = steps(table, unit);
        let mut folder = self.root.made_below(&generation)?;
        for step in rest {
            folder = folder.made_below(&step)?;
        }
        Ok(folder)
    }

    /// Whether hashes decide what is to be done: something of the sensor and day is there.
    pub fn has_any(&self, unit: &Unit) -> Result<bool> {
        let Some(folder) = self.place(&CAPTURES, unit)? else { return Ok(false) };
        Ok(folder.names()?.iter().any(|name| kind_of(name, &unit.sensor).is_some()))
    }

    /// What is to be done about a unit whose captures are hashed. With `again` what could not be read before is tried once more.
    pub fn judge(&self, unit: &Unit, again: bool) -> Result<Verdict> {
        let Some(folder) = self.place(&CAPTURES, unit)? else { return Ok(Verdict::New) };
        let kinds = folder.names()?;
        let mut kinds = kinds.iter().filter_map(|name| kind_of(name, &unit.sensor));
        if unit.day != super::unit::NO_DAY && kinds.any(|kind| kind != unit.by) {
            return Ok(Verdict::Mixed);
        }
        let Some(known) = known(&folder, &unit.file())? else { return Ok(Verdict::New) };
        let is_given = |sha256: &str| unit.members.iter().any(|member| member.sha256 == sha256);
        let is_there = |sha256: &str| known.captures.iter().any(|(there, _)| there == sha256);
        let retries = again && known.captures.iter().any(|(sha256, read)| !read && is_given(sha256));
        if unit.members.iter().all(|member| is_there(&member.sha256)) && !retries {
            return Ok(Verdict::There);
        }
        let missing = known.captures.iter().filter(|(sha256, _)| !is_given(sha256)).count();
        // Put in its own place it replaces nothing.
        Ok(match missing {
            0 if known.id == unit.id() => Verdict::New,
            0 => Verdict::Grew(known.id),
            missing => Verdict::Missing(missing),
        })
    }

    /// Makes a place where files are written before they take theirs.
    pub fn stage(&self) -> Result<Stage> {
        let stages = self.root.made_below(OsStr::new(STAGES))?;
        let name = temporary_name();
        let folder = stages.made_below(&name)?;
        Ok(Stage { stages, name, folder })
    }

    /// Takes away what programs that were killed left behind more than a day ago; `now_s` is in seconds since 1970.
    pub fn clear_stages(&self, now_s: i64) -> Result<()> {
        let Some(stages) = self.root.below(OsStr::new(STAGES))? else { return Ok(()) };
        for name in stages.names()? {
            let Ok(Some(stage)) = stages.below(&name) else { continue };
            if now_s - stage.changed_s()? > STAGE_AGE_MAX_S {
                empty(&stages, &name, &stage);
            }
        }
        Ok(())
    }
}

/// The folders from the lake down to a table's files for a unit.
fn steps(table: &Table, unit: &Unit) -> [OsString; 4] {
    let steps = [
        format!("gen={}", generation()),
        table.name.to_owned(),
        format!("site={}", unit.site),
        format!("day={}", unit.day),
    ];
    steps.map(OsString::from)
}

/// Which kind of unit a file is of, where it is one of the sensor.
fn kind_of(name: &OsStr, sensor: &str) -> Option<By> {
    let rest = name.to_str()?.strip_prefix(sensor)?.strip_suffix(".parquet")?;
    match rest.strip_prefix('.') {
        None => rest.is_empty().then_some(By::SensorDay),
        Some(hash) => {
            let is_hash = hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash.then_some(By::Capture)
        }
    }
}

/// Reads which captures a unit's file holds.
fn known(folder: &Folder, file: &str) -> Result<Option<Known>> {
    let Some(opened) = folder.read(OsStr::new(file))? else { return Ok(None) };
    let place = || format!("cannot read {}", shown(&folder.path().join(file)));
    let reader = SerializedFileReader::new(opened).with_context(place)?;
    let mut known = Known { id: String::new(), captures: Vec::new() };
    for row in reader.get_row_iter(None).with_context(place)? {
        let row = row.with_context(place)?;
        let text = |wanted: &str| {
            let found = row.get_column_iter().find(|(name, _)| *name == wanted);
            match found {
                Some((_, Field::Str(text))) => text.clone(),
                _ => String::new(),
            }
        };
        known.id = text("unit_id");
        known.captures.push((text("capture_sha256"), text("status") != Status::Quarantined.name()));
    }
    Ok(Some(known))
}

/// Files on their way into a lake.
pub struct Stage {
    stages: Folder,
    name: OsString,
    folder: Folder,
}

impl Stage {
    /// A new file for a table.
    pub fn file(&self, table: &Table) -> Result<File> {
        Ok(self.folder.create(OsStr::new(table.name), Readers::Umask)?)
    }

    /// Puts the files in their places, those without rows left out; a table that had rows before and has none now loses its file.
    /// `captures` comes last: what stands in it is there.
    pub fn publish(self, lake: &Lake, unit: &Unit, rows: &[(&'static str, u64)]) -> Result<()> {
        let file = OsString::from(unit.file());
        let has_rows = |table: &Table| rows.iter().any(|(name, count)| *name == table.name && *count > 0);
        let put = |table: &'static Table| -> Result<()> {
            if has_rows(table) {
                let folder = lake.made_place(table, unit)?;
                self.folder.replace(OsStr::new(table.name), &folder, &file)?;
                folder.sync();
            } else if let Some(folder) = lake.place(table, unit)?.filter(|folder| folder.has(&file)) {
                folder.remove(&file)?;
                folder.sync();
            }
            Ok(())
        };
        let done = TABLES.iter().try_for_each(|table| put(table));
        self.discard();
        done
    }

    /// Takes away what is left.
    pub fn discard(self) {
        empty(&self.stages, &self.name, &self.folder);
    }
}

/// Takes a stage away; what cannot be is left for the next run.
fn empty(stages: &Folder, name: &OsStr, stage: &Folder) {
    for file in stage.names().unwrap_or_default() {
        let _ = stage.remove(&file);
    }
    let _ = stages.remove_below(name);
}

/// Checks that a lake has room for units of a site and sensor: their names become those of folders and files.
pub fn check_names(site: &str, sensor: &str) -> Result<()> {
    for (option, name) in [("--site", site), ("--sensor", sensor)] {
        if !super::unit::is_name(name) {
            bail!(
                "{option} {}: a name has 1 to 64 of the letters A to Z and a to z, digits, and . _ -, and begins with no . or _",
                crate::text::quoted(name)
            );
        }
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    escape(&path.display().to_string())
}
