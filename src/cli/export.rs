//! `portmortem export`: writes a bundle of report, cited packets, frame map, case and hashes.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::load::Open;
use super::report::{Form, Made, check_output, now_ns, stamp};
use super::{Outcome, print};
use crate::case::hash::hash_bytes;
use crate::export::bundle::{self, files};

/// Arguments of `export`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write the bundle here: a folder, or an archive when the name ends in .zip.
    #[arg(long, value_name = "DIR|FILE.zip")]
    bundle: PathBuf,
    /// Write over an existing bundle.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    open: Open,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let path = &arguments.bundle;
    let shown = crate::text::escape(&path.display().to_string());
    // A folder that is there is judged by check_place; a file may be a capture.
    if crate::files::there(path) != crate::files::There::Folder {
        check_output(path, &arguments.open, arguments.force)?;
    }
    files::check_place(path, arguments.force)?;
    let (template, source) = arguments.form.template()?;
    let mut made = Made::from(&arguments.open, !arguments.form.no_case)?;
    let now_ns = now_ns();
    made.record_opening(now_ns);
    let name = path.file_name().map_or_else(|| shown.clone(), |name| name.to_string_lossy().into_owned());
    let name = crate::text::escape(&name);
    made.record(now_ns, "exported", format!("bundle {name}"), Some(true));
    let formed = arguments.form.fill(&made, Some(stamp()))?;
    let after = made.check_unchanged()?;
    let bundle = bundle::make(&formed.job(), (&template, &source), &after)?;
    files::write(&bundle, path, arguments.force).with_context(|| format!("cannot write {shown}"))?;
    if !arguments.form.no_case {
        made.note_export(now_ns, format!("bundle {name}"));
    }
    let manifest = bundle.files.first().map(|(_, content)| hash_bytes(content.get())).unwrap_or_default();
    print(
        format!("{shown}: {} files; SHA-256 of {}: {manifest}\n", bundle.files.len(), bundle::MANIFEST)
            .as_bytes(),
    )?;
    Ok(if made.input().index.is_empty() { Outcome::NothingMatched } else { Outcome::Done })
}
