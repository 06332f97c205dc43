//! The draft: sections of claims with citations, tables, figures and open fields, made from evidence and case.

pub mod figure;

use crate::case::State;
use crate::correlate::Evidence;
use crate::findings::Finding;
use crate::findings::hypotheses::Assessment;
use crate::index::{Index, PacketId};

/// Whose statement a claim is. The three never share a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// Packets show it.
    Observed,
    /// A person or a log says it.
    Reported,
    /// A judgement, with a word from the scale.
    Assessed,
}

/// Where a claim stands with the analyst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimState {
    /// The program's suggestion, not yet looked at.
    Suggested,
    /// Accepted as it is.
    Accepted,
    /// The analyst's own text.
    Edited,
    /// Edited or accepted, and the evidence under it has changed since.
    Stale,
    /// Struck out; not exported.
    Rejected,
}

/// One sentence or short paragraph with its frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Stable across runs and redrafts (`problem.summary.1`).
    pub id: String,
    /// Whose statement it is.
    pub voice: Voice,
    /// The text without citations; captured text is escaped.
    pub text: String,
    /// The frames it cites.
    pub frames: Vec<PacketId>,
    /// Where it stands.
    pub state: ClaimState,
    /// The annotation it comes from, if any.
    pub annotation: Option<u64>,
}

/// A field only a person can fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenField {
    /// Stable id (`reported.when`).
    pub id: String,
    /// What to complete (`when was it reported, and by whom?`).
    pub prompt: String,
    /// The analyst's text; `None` shows `«to be completed: …»`.
    pub value: Option<String>,
    /// A final report needs it.
    pub required: bool,
}

/// A table; captured text in cells is escaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Stable id.
    pub id: String,
    /// Caption.
    pub caption: String,
    /// Column heads.
    pub head: Vec<String>,
    /// Rows: cells and the frames the row cites.
    pub rows: Vec<(Vec<String>, Vec<PacketId>)>,
}

/// A part of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A claim.
    Claim(Claim),
    /// A field to complete.
    Field(OpenField),
    /// A table.
    Table(Table),
    /// Text lines shown as they are (log, commands).
    Lines(String, Vec<String>),
    /// Fixed wording of the program that states no fact about the capture.
    Note(String),
}

/// A section of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Stable id (`summary`, `findings`, `cause`, `checks`, …).
    pub id: &'static str,
    /// Heading.
    pub title: String,
    /// Its parts in order.
    pub blocks: Vec<Block>,
}

/// What a draft is made from.
#[derive(Clone, Copy)]
pub struct Input<'i> {
    /// The packets.
    pub index: &'i Index,
    /// What correlation found.
    pub evidence: &'i Evidence,
    /// What the rules found.
    pub findings: &'i [Finding],
    /// One assessment per problem, gravest first.
    pub assessments: &'i [Assessment],
    /// The analyst's work.
    pub case: &'i State,
}

/// The draft.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Title.
    pub title: String,
    /// The sections in order.
    pub sections: Vec<Section>,
}

/// Makes the draft. The same input gives the same draft.
pub fn draft(input: &Input<'_>) -> Report {
    let _ = input;
    Report::default()
}
