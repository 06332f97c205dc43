//! Writes generated captures: the embedded office sample, and bulk captures for benchmarks.
//!
//! `cargo run --release --example generate -- office FILE` or `… -- ordinary|small FILE MIB [SEED]`.

use std::fs::File;
use std::io::BufWriter;

use portmortem::generate::bulk::{self, Mix};
use portmortem::generate::office::Office;

const USAGE: &str = "usage: generate office FILE | generate ordinary|small FILE MIB [SEED]";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["office", path] => {
            Office::sample().write_pcap(BufWriter::new(File::create(path)?))?;
        }
        [kind @ ("ordinary" | "small"), path, mebibytes, rest @ ..] => {
            let mix = if *kind == "small" { Mix::Small } else { Mix::Ordinary };
            let size = mebibytes.parse::<u64>()? << 20;
            let seed = rest.first().map_or(Ok(1), |text| text.parse())?;
            bulk::write(BufWriter::with_capacity(1 << 20, File::create(path)?), mix, size, seed)?;
        }
        _ => anyhow::bail!(USAGE),
    }
    Ok(())
}
