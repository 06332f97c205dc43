//! `portmortem FILE…`: the full screen; without a file the embedded sample, with `-` on a terminal a log that is pasted.

use std::io::IsTerminal as _;

use anyhow::Result;

use super::Outcome;
use super::load::Open;

/// Opens the captures on the full screen.
pub fn run(open: &Open) -> Result<Outcome> {
    let mut open = open.clone();
    if open.files.is_empty() && open.sample.is_none() {
        open.sample = Some(crate::samples::DEFAULT.to_owned());
    }
    // On a terminal nothing comes through standard input by itself: the log is asked for.
    let is_asked = open.files.iter().any(|file| file.as_os_str() == "-") && std::io::stdin().is_terminal();
    if is_asked && open.files.len() > 1 {
        anyhow::bail!("a log is pasted by itself: give - alone, or the other files from a pipe");
    }
    let inputs = if is_asked { Vec::new() } else { open.inputs()? };
    crate::tui::run(inputs, &open.settings())?;
    Ok(Outcome::Done)
}
