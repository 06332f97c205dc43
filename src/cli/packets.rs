//! `portmortem packets`: one line or JSON object a packet.

use std::io::Write as _;
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::{Outcome, load::Open};
use crate::filter::{Context, Filter};
use crate::index::PacketId;

/// Arguments of `packets`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Show only packets that match.
    #[arg(long, default_value = "")]
    pub filter: String,
    #[command(flatten)]
    open: Open,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let filter = Filter::parse(&arguments.filter)?;
    let loaded = arguments.open.load()?;
    let cancel = AtomicBool::new(false);
    let context =
        Context { index: &loaded.index, evidence: Some(&loaded.evidence), notes: None, cancel: &cancel };
    let rows = filter.rows(&context);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for row in &rows {
        let Some(packet) = loaded.index.packet(PacketId(*row)) else { continue };
        writeln!(
            out,
            "{} {} {} > {} {} {}",
            packet.frame().0,
            crate::time::time_of_day(packet.time_ns()),
            packet.source_address(),
            packet.destination_address(),
            packet.protocol().protocol().label,
            packet.summary()
        )?;
    }
    out.flush()?;
    Ok(if rows.is_empty() { Outcome::NothingMatched } else { Outcome::Done })
}
