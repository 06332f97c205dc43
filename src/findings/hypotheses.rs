//! Competing explanations of one problem, each with a ledger of weighted evidence (decibans), verdict and checks.

use crate::index::PacketId;

/// Groups of evidence; the sum of one group is capped at ±20 dB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// What the error says.
    ErrorSemantics,
    /// Who sent it.
    Generator,
    /// When it came.
    Timing,
    /// How much traffic there was.
    Load,
    /// What else the capture shows.
    OtherTraffic,
    /// Whether the record can be trusted.
    Integrity,
    /// What the analyst knows from elsewhere.
    Analyst,
}

/// Who put a row into the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The program.
    Program,
    /// The analyst (added, or changed from the program's row).
    Analyst,
}

/// One row of a ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerRow {
    /// Stable id within a problem (`L1`).
    pub id: String,
    /// What was observed.
    pub observation: String,
    /// Where.
    pub frames: Vec<PacketId>,
    /// Weight in decibans; `None` = logically incompatible.
    pub weight_db: Option<i32>,
    /// Its group.
    pub group: Group,
    /// Why this weight, in one sentence.
    pub reason: String,
    /// Who says so.
    pub author: Author,
    /// Switched off by the analyst: shown, not counted.
    pub off: bool,
}

/// The verdict words; no percentages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Sum ≥ 15 and 10 ahead of the next class.
    BestSupported,
    /// Sum ≥ 5.
    Consistent,
    /// −5 … 5.
    Neither,
    /// Below −5.
    Unlikely,
    /// A row excludes it within this capture.
    Excluded,
    /// This vantage could not have seen it.
    NotAssessable,
}

impl Verdict {
    /// The words of the report's scale.
    pub fn words(self) -> &'static str {
        match self {
            Self::BestSupported => "best supported",
            Self::Consistent => "consistent with the evidence",
            Self::Neither => "neither supported nor excluded",
            Self::Unlikely => "unlikely on this evidence",
            Self::Excluded => "excluded within this capture",
            Self::NotAssessable => "not assessable from this vantage",
        }
    }
}

/// One explanation and what speaks for and against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// `H1` … `H23`.
    pub id: &'static str,
    /// Short name (`DNS service not running`).
    pub title: &'static str,
    /// Equivalence class: hypotheses of one class send the same packets.
    pub class: &'static str,
    /// Capped sum in decibans; `None` when excluded.
    pub score_db: Option<i32>,
    /// Verdict.
    pub verdict: Verdict,
    /// The rows.
    pub ledger: Vec<LedgerRow>,
    /// Ids it cannot be told apart from here.
    pub tied_with: Vec<&'static str>,
    /// What cannot be told from this capture.
    pub cannot_tell: String,
}

/// A next step: what to run, and what each explanation predicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The command or action, addresses filled in.
    pub action: String,
    /// Where to run it.
    pub place: &'static str,
    /// (hypothesis id, expected result).
    pub expected: Vec<(&'static str, String)>,
}

/// The whole assessment of one problem.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// Position in `Evidence::problems`; `None` when there is no DNS problem.
    pub problem: Option<usize>,
    /// All hypotheses, best first.
    pub hypotheses: Vec<Hypothesis>,
    /// The report's sentences for the top class (hypotheses §5), each with its frames.
    pub wording: Vec<(String, Vec<PacketId>)>,
    /// Ordered next checks.
    pub checks: Vec<Check>,
    /// What would change the ranking, in sentences.
    pub would_change: Vec<String>,
    /// ATT&CK techniques, only where the rule allows.
    pub attack: Vec<String>,
}
