//! `portmortem FILE…`: the full screen; without a file the embedded sample.

use anyhow::Result;

use super::Outcome;
use super::load::Open;
use crate::index::FrameNumber;
use crate::tui::config;

/// Reads the name of a theme.
pub fn theme(name: &str) -> Result<&'static str, String> {
    config::theme(name).ok_or_else(|| format!("themes are {}", config::themes()))
}

/// Opens the captures on the full screen.
pub fn run(open: &Open, theme: Option<&'static str>, frame: Option<u64>) -> Result<Outcome> {
    let mut open = open.clone();
    if open.files.is_empty() && open.sample.is_none() {
        open.sample = Some(crate::samples::DEFAULT.to_owned());
    }
    let frame = frame.map(FrameNumber).or_else(|| open.wanted());
    crate::tui::run(open.inputs()?, open.settings(), theme, frame)?;
    Ok(Outcome::Done)
}
