//! The sample incidents embedded in the binary, so that the program shows something without any file.

/// One embedded capture.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The word after `--sample`.
    pub name: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    /// The capture as it would stand in a file.
    pub bytes: &'static [u8],
}

/// The sample opened when no file is named.
pub const DEFAULT: &str = "seed";

/// All samples, the default first.
pub static SAMPLES: &[Sample] = &[
    Sample {
        name: DEFAULT,
        about: "six packets: a client asks a DNS server three times, each time the port is unreachable",
        bytes: include_bytes!("../assets/samples/seed.pcap"),
    },
    Sample {
        name: "transcript",
        about: "the same incident as tcpdump text, the way it was published",
        bytes: include_bytes!("../assets/samples/transcript.txt"),
    },
];

/// The sample of a name.
pub fn find(name: &str) -> Option<&'static Sample> {
    SAMPLES.iter().find(|sample| sample.name == name)
}

/// What `--list-samples` prints: one line a sample, name and description.
pub fn listing() -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for sample in SAMPLES {
        let _ = writeln!(out, "{:<12} {}", sample.name, sample.about);
    }
    out
}
