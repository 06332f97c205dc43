//! Opens the captures named on the command line and builds index and evidence for headless subcommands.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, anyhow, bail};

use crate::capture;
use crate::correlate::{Evidence, Parameters, correlate};
use crate::index::{Index, Input, Progress, build};
use crate::samples;

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
        let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
        Ok(Loaded { index, evidence })
    }
}

fn sample(name: &str) -> Result<Input> {
    let names = || samples::SAMPLES.iter().map(|sample| sample.name).collect::<Vec<_>>().join(", ");
    let sample =
        samples::find(name).ok_or_else(|| anyhow!("no sample named {name:?}; there are {}", names()))?;
    let (source, walk) = capture::open_bytes(&format!("sample:{name}"), sample.bytes)?;
    Ok(Input { source, walk, offset_ns: 0 })
}
