//! Opens the captures named on the command line and builds index and evidence for headless subcommands.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, anyhow, bail};

use crate::capture;
use crate::correlate::{Evidence, Parameters, correlate};
use crate::index::{Index, Input, Progress, build};
use crate::samples;
use crate::text;

/// Damaged places named one by one on standard error.
const DAMAGE_LINES_MAX: usize = 5;

/// Which captures to open, and how.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Open {
    /// Captures: pcap, pcapng, or text printed by tcpdump.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Open an embedded sample instead of files (see --list-samples).
    #[arg(long, value_name = "NAME", conflicts_with = "files")]
    pub sample: Option<String>,
}

/// Captures, read to the end.
pub struct Loaded {
    /// All packets.
    pub index: Index,
    /// What correlation found.
    pub evidence: Evidence,
}

impl Open {
    /// The same, with the default sample where nothing is named: what the full-screen program opens.
    #[must_use]
    pub fn or_sample(&self) -> Self {
        let mut open = self.clone();
        if open.files.is_empty() && open.sample.is_none() {
            open.sample = Some(samples::DEFAULT.to_owned());
        }
        open
    }

    /// Opens the files without reading them through.
    pub fn inputs(&self) -> Result<Vec<Input>> {
        let mut inputs = Vec::new();
        if let Some(name) = &self.sample {
            inputs.push(sample(name)?);
        } else if self.files.is_empty() {
            bail!("no capture named: give a FILE, or --sample {}", samples::DEFAULT);
        }
        for file in &self.files {
            let (source, walk) = capture::open(file)?;
            inputs.push(Input { source, walk, offset_ns: 0 });
        }
        Ok(inputs)
    }

    /// Reads everything and correlates it.
    pub fn load(&self) -> Result<Loaded> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let index = build(self.inputs()?, threads, &Progress::default(), |_| {});
        warn_of_damage(&index);
        let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
        Ok(Loaded { index, evidence })
    }
}

/// Says on standard error what could not be read, a line for each file and damage.
#[expect(
    clippy::print_stderr,
    reason = "standard output carries the packets; a warning must not mix with them"
)]
fn warn_of_damage(index: &Index) {
    for source in &index.sources {
        for damage in source.metadata.damage.iter().take(DAMAGE_LINES_MAX) {
            eprintln!("portmortem: {}: {damage}", text::escape(&source.name));
        }
        let more = source.metadata.damage.len().saturating_sub(DAMAGE_LINES_MAX);
        if more > 0 {
            eprintln!("portmortem: {}: and {more} more damaged places", text::escape(&source.name));
        }
    }
}

fn sample(name: &str) -> Result<Input> {
    let names = || samples::SAMPLES.iter().map(|sample| sample.name).collect::<Vec<_>>().join(", ");
    let sample =
        samples::find(name).ok_or_else(|| anyhow!("no sample named {name:?}; there are {}", names()))?;
    let (source, walk) = capture::open_bytes(&format!("sample:{name}"), sample.bytes)?;
    Ok(Input { source, walk, offset_ns: 0 })
}
