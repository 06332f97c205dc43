//! `portmortem packets`: one line or JSON object a packet.

mod json;
mod line;

use std::io::Write;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use rayon::prelude::*;

use super::{Outcome, load::Loaded, load::Open};
use crate::attempts::ties::Ties;
use crate::filter::Context;
use crate::index::{Packet, PacketId};

/// Packets formatted by one worker at a time; large enough to hide the cost of handing out work.
const CHUNK_PACKETS: usize = 256;
/// Chunks formatted before the next are begun, which bounds the text held in memory.
const WAVE_CHUNKS: usize = 16;

/// How packets are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One aligned line a packet.
    #[default]
    Text,
    /// One JSON object a packet, one a line.
    Json,
}

/// Arguments of `packets`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Show only packets that match.
    #[arg(long, default_value = "")]
    pub filter: String,
    /// How packets are printed.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    open: Open,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let filter = super::mistake::parse(&arguments.filter, &arguments.open)?;
    let narrow = filter.is_about_evidence(&arguments.open.settings());
    let loaded = if narrow { arguments.open.load_evidence()? } else { arguments.open.load()? };
    let cancel = AtomicBool::new(false);
    let context =
        Context { index: &loaded.index, evidence: Some(&loaded.evidence), notes: None, cancel: &cancel };
    super::mistake::warn(&filter, &context)?;
    let rows = loaded.index.in_order(filter.rows(&context));
    let tied =
        |row: &u32| loaded.index.packet(PacketId(*row)).is_some_and(|packet| json::ties_others(&packet));
    if arguments.format == Format::Json && rows.iter().any(tied) {
        // Worked out before threads ask for it.
        Ties::of(&loaded.evidence);
    }
    write_rows(&loaded, &rows, arguments.format, &mut std::io::stdout().lock())?;
    Ok(if rows.is_empty() { Outcome::NothingMatched } else { Outcome::Done })
}

/// Formats chunks of rows in parallel and writes them in order.
fn write_rows(loaded: &Loaded, rows: &[u32], format: Format, out: &mut dyn Write) -> Result<()> {
    let one = |packet: &Packet<'_>, out: &mut Vec<u8>| match format {
        Format::Text => line::write(loaded, packet, out),
        Format::Json => json::write(loaded, packet, out),
    };
    for wave in rows.chunks(CHUNK_PACKETS * WAVE_CHUNKS) {
        let texts: Vec<Vec<u8>> = wave
            .par_chunks(CHUNK_PACKETS)
            .map(|chunk| {
                let mut text = Vec::with_capacity(chunk.len() * 256);
                for packet in chunk.iter().filter_map(|row| loaded.index.packet(PacketId(*row))) {
                    one(&packet, &mut text);
                }
                text
            })
            .collect();
        for text in texts {
            out.write_all(&text)?;
        }
    }
    out.flush()?;
    Ok(())
}
