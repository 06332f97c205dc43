//! `portmortem report`: writes the report of a capture, with the case beside it where there is one.

mod form;
mod made;

use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::Outcome;
use super::load::Open;
use crate::capture;
use crate::export::cleared::Sink;
use crate::export::{self, Job};
use crate::files::{self, Existing, There};
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
    files::write(path, Existing::forced(arguments.force), &mut |out| (format.write)(job, &mut Sink::new(out)))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The output may be new, or replaced with --force; never a capture. A pipe or device is written into, and never read.
pub(super) fn check_output(path: &Path, open: &Open, force: bool) -> Result<()> {
    let there = files::there(path);
    match there {
        There::Nothing => return Ok(()),
        There::Folder => bail!("{} is a folder: name a file in it", path.display()),
        There::Stream if force || !is_block_device(path) => return Ok(()),
        There::Stream | There::File => {}
    }
    let same = |capture: &PathBuf| match (capture.canonicalize(), path.canonicalize()) {
        (Ok(capture), Ok(path)) => capture == path,
        _ => false,
    };
    if open.files.iter().any(same) || (there == There::File && is_capture(path)) {
        bail!("{} is a capture: it is never written over", path.display());
    }
    if !force {
        bail!("{} exists already: give --force to write over it", path.display());
    }
    Ok(())
}

/// Whether what is on a disk would be lost by writing into it.
fn is_block_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device())
}

/// Whether a file holds packets that came from somewhere else: cited packets this program wrote before may be written again.
fn is_capture(path: &Path) -> bool {
    /// Where the comment on the first section stands.
    const HEAD_BYTES: usize = 64 << 10;
    let Ok((source, _)) = capture::open(path) else { return false };
    let head = source.bytes.bytes();
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    memchr::memmem::find(head, crate::case::comments::EXPORTED.as_bytes()).is_none() && !is_own_page(path)
}

/// Whether a file is a page that this program wrote: the lines of a log that it quotes read as packets.
fn is_own_page(path: &Path) -> bool {
    /// Its last bytes name the program.
    const END_BYTES: u64 = 1 << 10;
    let ends = || -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        let mut file = std::fs::File::open(path)?;
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        std::io::Read::by_ref(&mut file).take(END_BYTES).read_to_end(&mut head)?;
        let length = file.metadata()?.len();
        file.seek(std::io::SeekFrom::Start(length.saturating_sub(END_BYTES)))?;
        file.take(END_BYTES).read_to_end(&mut tail)?;
        Ok((head, tail))
    };
    ends().is_ok_and(|(head, tail)| export::html::is_own(&head, &tail))
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
