//! What the subcommands that print correlation's results have in common: filter, format, parameters, captures.

use std::io::Write as _;
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::load::{Loaded, Open};
use super::records::{self, Format};
use super::{Outcome, mistake};
use crate::filter::Context;
use crate::index::PacketId;

/// Arguments of `attempts`, `dns` and `episodes`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Show only rows of which some packet (a try, an answer, an error) matches.
    #[arg(long, default_value = "")]
    pub filter: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Print every number correlation uses, with its meaning and source, and stop.
    #[arg(long)]
    pub help_parameters: bool,
    #[command(flatten)]
    open: Open,
}

/// Decides whether a packet matches the filter; everything does where none was given.
pub struct Chooser<'l> {
    filter: Option<crate::filter::Filter>,
    loaded: &'l Loaded,
    cancel: AtomicBool,
}

impl Chooser<'_> {
    /// Whether no filter was given.
    pub fn is_everything(&self) -> bool {
        self.filter.is_none()
    }

    /// Whether any of the packets matches.
    pub fn matches(&self, mut packets: impl Iterator<Item = PacketId>) -> bool {
        let Some(filter) = &self.filter else { return true };
        let evidence = Some(&self.loaded.evidence);
        let context = Context { index: &self.loaded.index, evidence, notes: None, cancel: &self.cancel };
        packets.any(|packet| filter.matches(&context, packet))
    }
}

impl Arguments {
    /// Prints the parameters, or loads the captures and calls `body`, which gives the number of rows it printed.
    pub fn run(
        &self,
        body: impl FnOnce(&mut dyn std::io::Write, &Loaded, &Chooser<'_>) -> Result<usize>,
    ) -> Result<Outcome> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        if self.help_parameters {
            records::parameters(&mut out)?;
            out.flush()?;
            return Ok(Outcome::Done);
        }
        let filter = mistake::parse(&self.filter, &self.open)?;
        let filter = (!self.filter.trim().is_empty()).then_some(filter);
        let loaded = self.open.load()?;
        filter.as_ref().map_or(Ok(()), |filter| mistake::check(filter, &loaded.index))?;
        let chooser = Chooser { filter, loaded: &loaded, cancel: AtomicBool::new(false) };
        let count = body(&mut out, &loaded, &chooser)?;
        out.flush()?;
        Ok(if count == 0 { Outcome::NothingMatched } else { Outcome::Done })
    }
}
