//! `portmortem packets`: one line or JSON object a packet.

mod json;
mod line;

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use rayon::prelude::*;

use super::report::check_output;
use super::{Outcome, load::Loaded, load::Open};
use crate::attempts::ties::Ties;
use crate::export::cleared::{self, Sink};
use crate::export::pcapng;
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
    /// Write the packets as pcapng to this file instead of printing them (- for standard output).
    #[arg(short, long, value_name = "FILE.pcapng", conflicts_with = "format")]
    pub write: Option<PathBuf>,
    /// Write over an existing file.
    #[arg(long, requires = "write")]
    pub force: bool,
    #[command(flatten)]
    open: Open,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let filter = super::mistake::parse(&arguments.filter, &arguments.open)?;
    if let Some(path) = arguments.write.as_deref().filter(|path| *path != Path::new("-")) {
        check_output(path, &arguments.open, arguments.force)?;
    }
    let narrow = filter.is_about_evidence(&arguments.open.settings());
    let loaded = if narrow { arguments.open.load_evidence()? } else { arguments.open.load()? };
    let cancel = AtomicBool::new(false);
    let context =
        Context { index: &loaded.index, evidence: Some(&loaded.evidence), notes: None, cancel: &cancel };
    super::mistake::warn(&filter, &context)?;
    let mut rows = loaded.index.in_order(filter.rows(&context));
    if let Some(wanted) = arguments.open.frame(&loaded.index)? {
        rows.retain(|row| *row == wanted.0);
    }
    if let Some(path) = &arguments.write {
        return save(arguments, &loaded, &rows, path);
    }
    let tied =
        |row: &u32| loaded.index.packet(PacketId(*row)).is_some_and(|packet| json::ties_others(&packet));
    if arguments.format == Format::Json && rows.iter().any(tied) {
        // Worked out before threads ask for it.
        Ties::of(&loaded.evidence);
    }
    write_rows(&loaded, &rows, arguments.format, &mut std::io::stdout().lock())?;
    Ok(if rows.is_empty() { Outcome::NothingMatched } else { Outcome::Done })
}

/// Writes packets as captured, with the comments they had.
fn save(arguments: &Arguments, loaded: &Loaded, rows: &[u32], path: &Path) -> Result<Outcome> {
    let index = &loaded.index;
    let mut comments: HashMap<(u32, u64), Vec<String>> = HashMap::new();
    for (at, source) in index.sources.iter().enumerate() {
        for (frame, comment) in &source.metadata.comments {
            comments.entry((at as u32, *frame)).or_default().push(comment.clone());
        }
    }
    let packets = rows.iter().filter_map(|row| index.packet(PacketId(*row)));
    let packets: Vec<pcapng::Commented> = packets
        .map(|packet| pcapng::Commented {
            packet: packet.id,
            comments: comments.remove(&(packet.segment.source.0, packet.frame().0)).unwrap_or_default(),
        })
        .collect();
    if packets.is_empty() {
        return Ok(Outcome::NothingMatched);
    }
    let what = if arguments.filter.is_empty() { "all packets".to_owned() } else { arguments.filter.clone() };
    let comment = format!("{}{what}", pcapng::SECTION_COMMENT);
    let capture = cleared::as_captured(pcapng::capture(index, &packets, comment)?);
    let mut write = |out: &mut dyn Write| Sink::new(out).capture(&capture);
    if path == Path::new("-") {
        write(&mut std::io::stdout().lock())?;
    } else {
        crate::files::write(path, crate::files::Existing::forced(arguments.force), &mut write)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Outcome::Done)
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
