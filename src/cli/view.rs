//! `portmortem FILE…`: the full screen; without a file the embedded sample.

use anyhow::Result;

use super::Outcome;
use super::load::Open;

/// Opens the captures on the full screen.
pub fn run(open: &Open) -> Result<Outcome> {
    let mut open = open.clone();
    if open.files.is_empty() && open.sample.is_none() {
        open.sample = Some(crate::samples::DEFAULT.to_owned());
    }
    crate::tui::run(open.inputs()?, open.settings())?;
    Ok(Outcome::Done)
}
