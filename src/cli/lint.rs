//! `portmortem lint`: checks the report of a capture or case and says what is wrong or open.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;

use super::Outcome;
use super::load::Open;
use super::printing::{Format, Printing};
use super::report::Made;
use crate::report::{draft, lint::lint};

/// Arguments of `lint`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    printing: Printing,
    #[command(flatten)]
    open: Open,
}

/// Runs the subcommand; exit code 1 when something is wrong or open.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut open = arguments.open.clone();
    for file in &mut open.files {
        if let Some(capture) = capture_of_case(file) {
            *file = capture;
        }
    }
    let made = Made::from(&open, true)?;
    let report = draft(&made.input());
    let found = lint(&report);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match arguments.printing.format {
        Format::Json => {
            writeln!(out, "{}", crate::text::json_pretty(&found)?)?;
        }
        Format::Text => {
            // What is wrong first, then what is open.
            let (open, wrong): (Vec<_>, Vec<_>) =
                found.issues.iter().partition(|issue| issue.check == "open");
            for issue in wrong.iter().chain(&open) {
                let id = crate::text::escape(&issue.id);
                writeln!(out, "{}: {id}: {}", issue.check, crate::text::escape(&issue.message))?;
            }
            if found.unaccepted > 0 {
                writeln!(out, "unaccepted: {} assessed claims are still suggestions", found.unaccepted)?;
            }
            let verdict = match (wrong.len(), found.is_final()) {
                (0, true) => "ready to be signed".to_owned(),
                (0, false) => "nothing wrong; not final while something is open or unaccepted".to_owned(),
                (1, _) => "1 point to correct".to_owned(),
                (many, _) => format!("{many} points to correct"),
            };
            writeln!(out, "{found}: {verdict}")?;
        }
    }
    out.flush()?;
    Ok(if found.issues.is_empty() { Outcome::Done } else { Outcome::NothingMatched })
}

/// The capture a case file lies beside.
fn capture_of_case(path: &Path) -> Option<std::path::PathBuf> {
    let text = path.to_str()?;
    let stem = text.strip_suffix(".portmortem.json").or_else(|| text.strip_suffix(".portmortem.journal"))?;
    Some(stem.into())
}
