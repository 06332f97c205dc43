//! `portmortem report`: writes the report of a capture, with the case beside it where there is one.

mod form;
mod made;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::Outcome;
use super::load::Open;
use crate::capture;
use crate::export::cleared::Sink;
use crate::export::{self, Job};
use crate::report::render;
pub use form::{Form, Formed, Style};
pub use made::Made;

/// Arguments of `report`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    form: Form,
    /// Format: markdown, text, html, docx, pdf, json, ecs, iris, pcapng [default: by the name of the output, else markdown].
    #[arg(long)]
    pub format: Option<String>,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over an existing output file.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    open: Open,
}

/// Now, in nanoseconds since 1970, as exact as the chain of custody states it: in whole seconds.
pub(super) fn now_ns() -> crate::time::Nanos {
    chrono::Utc::now().timestamp().saturating_mul(1_000_000_000)
}

/// Now, as reports state it: RFC 3339 in whole seconds.
pub(super) fn stamp() -> String {
    chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let format = format(arguments)?;
    if let Some(path) = &arguments.output {
        check_output(path, &arguments.open, arguments.force)?;
    }
    arguments.form.template()?;
    let mut made = Made::from(&arguments.open, !arguments.form.no_case)?;
    let now_ns = now_ns();
    made.record_opening(now_ns);
    let formed = arguments.form.fill(&made, Some(stamp()))?;
    made.check_unchanged()?;
    write(arguments, format, &formed.job())?;
    if let Some(path) = &arguments.output
        && !arguments.form.no_case
    {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        made.note_export(now_ns, format!("{} ({})", crate::text::escape(&name), format.name));
    }
    Ok(if made.input().index.is_empty() { Outcome::NothingMatched } else { Outcome::Done })
}

fn write(arguments: &Arguments, format: &export::Export, job: &Job<'_>) -> Result<()> {
    let Some(path) = &arguments.output else {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        (format.write)(job, &mut Sink::new(&mut out))?;
        out.flush()?;
        return Ok(());
    };
    write_whole(path, arguments.force, &mut |out| (format.write)(job, &mut Sink::new(out)))
}

/// Writes a file in full or not at all.
pub(super) fn write_whole(
    path: &Path,
    force: bool,
    write: &mut dyn FnMut(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let context = || format!("cannot write {}", path.display());
    let mut file =
        tempfile::Builder::new().prefix(".portmortem-").tempfile_in(directory).with_context(context)?;
    let mut out = std::io::BufWriter::new(&mut file);
    write(&mut out)?;
    out.flush()?;
    drop(out);
    make_readable(file.as_file()).with_context(context)?;
    if force {
        file.persist(path).with_context(context)?;
    } else {
        file.persist_noclobber(path).with_context(context)?;
    }
    Ok(())
}

/// Temporary files are private; a report is as readable as other new files.
#[cfg(unix)]
pub(super) fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub(super) fn make_readable(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// The output may be new, or replaced with --force; never a capture.
pub(super) fn check_output(path: &Path, open: &Open, force: bool) -> Result<()> {
    let same = |capture: &PathBuf| match (capture.canonicalize(), path.canonicalize()) {
        (Ok(capture), Ok(path)) => capture == path,
        _ => false,
    };
    if open.files.iter().any(same) || (path.exists() && capture::open(path).is_ok()) {
        bail!("{} is a capture: it is never written over", path.display());
    }
    if path.exists() && !force {
        bail!("{} exists already: give --force to write over it", path.display());
    }
    Ok(())
}

fn format(arguments: &Arguments) -> Result<&'static export::Export> {
    let by_ending = || {
        let path = arguments.output.as_ref()?;
        Some(path.extension()?.to_string_lossy().to_lowercase())
    };
    let json = (arguments.form.template == render::JSON).then(|| "json".to_owned());
    let name = arguments.format.clone().or(json).or_else(by_ending);
    let Some(name) = name else { return Ok(&export::markdown::MARKDOWN) };
    match export::find(&name) {
        Some(found) => Ok(found),
        None if arguments.format.is_none() => Ok(&export::markdown::MARKDOWN),
        None => {
            let known: Vec<&str> = export::EXPORTS.iter().map(|export| export.name).collect();
            bail!("no format named {name:?}; there are {}", known.join(", "))
        }
    }
}
