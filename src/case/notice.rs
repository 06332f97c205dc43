//! What the analyst has to be told about a case.

use std::path::PathBuf;

/// Something about the case the analyst has to be told. `Display` gives the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The capture is not the one the case was made for.
    CaptureChanged {
        /// The capture's name.
        name: String,
        /// The hash in the case.
        recorded: String,
        /// The hash of the file as it is now.
        found: String,
    },
    /// Another process has the case open.
    Locked,
    /// The case cannot be read or written; nothing is saved while that is so.
    ReadOnly {
        /// Why.
        reason: String,
    },
    /// Journal lines that could not be read were passed over.
    DamagedJournal {
        /// How many.
        lines: u64,
    },
    /// What could not be saved before is on disk now.
    Saved,
    /// The case was found by the capture's hash under another name.
    FoundElsewhere {
        /// Where.
        path: PathBuf,
    },
}

impl Notice {
    /// Whether conclusions are in doubt until the analyst has looked at it.
    pub fn is_loud(&self) -> bool {
        !matches!(self, Self::FoundElsewhere { .. } | Self::Saved)
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_owned();
        match self {
            Self::CaptureChanged { name, recorded, found } => write!(
                f,
                "WARNING: {} has changed since this case was made (SHA-256 was {}…, is {}…); notes and citations may not fit",
                crate::text::escape(name),
                short(recorded),
                short(found)
            ),
            Self::Locked => f.write_str(
                "another portmortem has this case open: changes here are NOT saved until it is closed",
            ),
            Self::Saved => f.write_str("everything is saved again"),
            Self::ReadOnly { reason } => {
                write!(
                    f,
                    "the case is NOT saved ({}); saving is tried again every few seconds",
                    crate::text::escape(reason)
                )
            }
            Self::DamagedJournal { lines } => write!(
                f,
                "the case's journal has {lines} unreadable {}; everything else was kept",
                if *lines == 1 { "line" } else { "lines" }
            ),
            Self::FoundElsewhere { path } => {
                write!(
                    f,
                    "case found by the capture's hash: {}",
                    crate::text::escape(&path.display().to_string())
                )
            }
        }
    }
}
