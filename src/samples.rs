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
    Sample {
        name: "office",
        about: "3,627 packets of an office in which the first DNS resolver's service stops for a while",
        bytes: include_bytes!("../assets/samples/office.pcap"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::office::Office;

    #[test]
    fn the_office_sample_is_what_the_generator_makes() {
        let made = Office::sample().write_pcap(Vec::new()).expect("writing to memory cannot fail");
        let embedded = find("office").expect("the office sample is embedded").bytes;
        assert!(
            made == embedded,
            "remake it: cargo run --example generate -- office assets/samples/office.pcap"
        );
    }
}
