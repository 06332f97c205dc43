//! `portmortem verify`: checks the hashes of a bundle and makes its report again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::{Context as _, Result};

use super::load::{ClockOffset, Named, Open};
use super::report::{Form, Made};
use super::{Outcome, print};
use crate::case::{State, hash_source};
use crate::export::bundle::check::{self, Check, check};
use crate::export::bundle::{self, Manifest, SourceRecord, files};
use crate::text::escape;

/// Arguments of `verify`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The bundle: a folder or a .zip.
    bundle: PathBuf,
    /// The captures it was made from, in any order; looked for beside the bundle and in the current folder when not named.
    #[arg(value_name = "FILE")]
    captures: Vec<PathBuf>,
}

/// Runs the subcommand; exit code 1 when something differs.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let shown = escape(&arguments.bundle.display().to_string());
    let found = files::inspect(&arguments.bundle).with_context(|| format!("cannot read {shown}"))?;
    let mut notes = Vec::new();
    let mut checks = check::damaged(&found);
    let manifest = files::manifest(&found.contents);
    let manifest = match manifest {
        // What is left of a bundle whose manifest is gone or spoilt differs; anything else was never one.
        Err(error) if is_bundle(&found) => {
            checks.push(check(bundle::MANIFEST, vec![escape(&error.to_string())]));
            return conclude(&checks, &notes);
        }
        manifest => manifest.with_context(|| shown.clone())?,
    };
    let contents = found.contents;
    checks.push(check::own_hash(&contents));
    checks.extend(check::hashes(&manifest, &contents));
    match check::frame_map(&contents) {
        Ok(rows) => checks.extend(check::cited(&contents, &rows)),
        Err(problem) => checks.push(check("frame map", vec![problem])),
    }
    if manifest.redacted {
        notes
            .push("redacted: nothing is made again; hashes and the bundle in itself were checked".to_owned());
    } else {
        checks.extend(again(arguments, &manifest, &contents, &mut notes)?);
    }
    conclude(&checks, &notes)
}

fn is_bundle(found: &files::Found) -> bool {
    let names = [bundle::MANIFEST, bundle::REPORT, bundle::FRAMES, bundle::CASE];
    let named = |name: &str| names.contains(&name);
    found.contents.keys().any(|name| named(name)) || found.problems.iter().any(|(name, _)| named(name))
}

/// Prints the checks; exit code 1 when one differs.
fn conclude(checks: &[Check], notes: &[String]) -> Result<Outcome> {
    let mut out = String::new();
    for line in checks {
        let _ = writeln!(out, "{line}");
    }
    for note in notes {
        let _ = writeln!(out, "note     {note}");
    }
    let wrong = checks.iter().filter(|check| check.differs.is_some()).count();
    let _ = match wrong {
        0 => writeln!(out, "{} checks hold", checks.len()),
        wrong => writeln!(out, "{wrong} of {} checks differ", checks.len()),
    };
    print(out.as_bytes())?;
    Ok(if wrong == 0 { Outcome::Done } else { Outcome::NothingMatched })
}

/// Makes the report again from the captures, where they are found.
fn again(
    arguments: &Arguments,
    manifest: &Manifest,
    contents: &files::Contents,
    notes: &mut Vec<String>,
) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let mut open = Open::default();
    for source in &manifest.sources {
        if let Some(sample) = source.name.strip_prefix("sample:")
            && crate::samples::find(sample).is_some()
        {
            open.sample = Some(sample.to_owned());
            continue;
        }
        let label = escape(&source.label);
        match find(arguments, source)? {
            Found::Same(path) => {
                checks.push(check(
                    format!("capture {label}: hash of {}", escape(&path.display().to_string())),
                    vec![],
                ));
                open.files.push(path);
            }
            Found::Other(path, sha256) => {
                let differs = format!("SHA-256 is {sha256}, the manifest says {}", escape(&source.sha256));
                let what = format!("capture {label}: hash of {}", escape(&path.display().to_string()));
                checks.push(check(what, vec![differs]));
            }
            Found::Nothing => {}
        }
    }
    let found = open.files.len() + usize::from(open.sample.is_some());
    if found == 0 || found != manifest.sources.len() {
        let text = "without every original capture nothing is made again; name them after the bundle";
        notes.push(text.to_owned());
        return Ok(checks);
    }
    notes.extend(check::other_tool(manifest));
    let offsets = manifest.sources.iter().filter(|source| source.offset_ns != 0);
    open.offset = offsets
        .map(|source| ClockOffset { label: source.label.clone(), offset_ns: source.offset_ns })
        .collect();
    let named = |name: fn(&bundle::SourceRecord) -> &Option<String>| {
        let all = manifest.sources.iter();
        all.filter_map(|source| Some(Named::of_label(&source.label, name(source).as_ref()?))).collect()
    };
    open.site = named(|source| &source.site);
    open.sensor = named(|source| &source.sensor);
    let state = match state(contents) {
        Ok(state) => state,
        Err(error) => {
            let differs = format!("cannot be read: {}", escape(&format!("{error:#}")));
            checks.push(check(bundle::CASE, vec![differs]));
            return Ok(checks);
        }
    };
    let mut loaded = open.load()?;
    for (source, recorded) in loaded.index.sources.iter_mut().zip(&manifest.sources) {
        source.name.clone_from(&recorded.name);
    }
    let made = Made::of(loaded, state);
    let form = Form::of(&manifest.template, manifest.status == "final");
    let formed = form.fill(&made, manifest.generated.clone())?;
    let job = formed.job();
    // Through text and back, so that numbers compare as they were written.
    let document = serde_json::from_slice(&serde_json::to_vec(&crate::export::json::document(&job))?)?;
    let own = crate::report::render::find(&manifest.template.name).map_or("", |own| own.source);
    let after: Vec<String> = manifest.sources.iter().map(|source| source.sha256_after.clone()).collect();
    let template = (manifest.template.name.as_str(), own);
    checks.extend(check::recomputed(contents, &document, &bundle::make(&job, template, &after)?));
    Ok(checks)
}

fn state(contents: &files::Contents) -> Result<State> {
    #[derive(serde::Deserialize)]
    struct Saved {
        state: State,
    }
    let text = contents.get(bundle::CASE).context("it is missing")?;
    Ok(serde_json::from_slice::<Saved>(text)?.state)
}

enum Found {
    Same(PathBuf),
    Other(PathBuf, String),
    Nothing,
}

/// The capture a manifest speaks of: by its hash among the files named, else beside the bundle or where it was.
fn find(arguments: &Arguments, source: &SourceRecord) -> Result<Found> {
    let recorded = Path::new(&source.name);
    let mut candidates = arguments.captures.clone();
    if candidates.is_empty() {
        let beside = arguments.bundle.parent().filter(|parent| !parent.as_os_str().is_empty());
        let name = recorded.file_name().map(|name| beside.unwrap_or(Path::new(".")).join(name));
        candidates = name.into_iter().chain([recorded.to_owned()]).filter(|path| path.is_file()).collect();
    }
    let mut other = None;
    for path in candidates {
        let (never, progress) = (AtomicBool::new(false), AtomicU64::new(0));
        let sha256 = hash_source(Some(&path), &[], &never, &progress)
            .with_context(|| format!("cannot read {}", escape(&path.display().to_string())))?
            .unwrap_or_default();
        if sha256 == source.sha256 {
            return Ok(Found::Same(path));
        }
        if path.file_name() == recorded.file_name() || arguments.captures.len() == 1 {
            other = Some(Found::Other(path, sha256));
        }
    }
    Ok(other.unwrap_or(Found::Nothing))
}
