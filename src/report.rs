//! The draft: sections of claims with citations, tables, figures and open fields, made from evidence and case.

pub mod agreement;
pub mod cite;
mod facts;
pub mod figure;
pub mod lint;
pub mod log;
pub mod markdown;
pub mod render;
mod sections;
pub mod view;
mod walkthrough;
pub mod words;

use serde::Serialize;

use crate::case::{Decision, Event, State};
use crate::correlate::Evidence;
use crate::findings::hypotheses::Assessment;
use crate::findings::{Coverage, Finding, Severity};
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
    /// Stable across runs and redrafts (`problem.F1.queries`).
    pub id: String,
    /// Whose statement it is.
    pub voice: Voice,
    /// The text without citations; captured text is escaped. The analyst's own words where they replaced the program's.
    pub text: String,
    /// What the program says; empty for what the analyst wrote.
    pub suggestion: String,
    /// The frames it cites.
    pub frames: Vec<PacketId>,
    /// The citation in the report's form, without brackets: `F1, F3, F5`; empty without frames.
    pub citation: String,
    /// Rows of the ledger behind an assessed claim about a cause (`L2`); empty for other claims.
    pub rows: Vec<String>,
    /// Where it stands.
    pub state: ClaimState,
    /// The annotation it comes from, if any.
    pub annotation: Option<u64>,
    /// Fingerprint of the program's text and frames; what [`crate::case::Decision::basis`] is compared with.
    pub basis: String,
}

impl Claim {
    /// The change of the case that accepts this claim as it stands.
    pub fn accept(&self) -> Event {
        self.decide(Some(true), None)
    }

    /// The change that strikes it out.
    pub fn reject(&self) -> Event {
        self.decide(Some(false), None)
    }

    /// The change that puts the analyst's text in its place.
    pub fn edit(&self, text: String) -> Event {
        self.decide(Some(true), Some(text))
    }

    /// The change that goes back to the program's suggestion.
    pub fn reset(&self) -> Event {
        Event::Decide { claim: self.id.clone(), decision: None }
    }

    fn decide(&self, accepted: Option<bool>, text: Option<String>) -> Event {
        let decision = Decision { accepted, text, basis: self.basis.clone() };
        Event::Decide { claim: self.id.clone(), decision: Some(decision) }
    }

    /// Whether it is printed.
    pub fn is_printed(&self) -> bool {
        self.state != ClaimState::Rejected
    }
}

/// A field only a person can fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenField {
    /// Stable id (`reported.when`).
    pub id: String,
    /// What to complete (`when was it reported, and by whom?`).
    pub prompt: String,
    /// The same in a word or two, for the box of a form.
    pub label: &'static str,
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
    /// What the short form prints of them.
    pub shown: Shown,
}

impl Table {
    /// How many rows the short form prints from the beginning and from the end.
    pub fn ends(&self) -> (usize, usize) {
        let all = self.rows.len();
        match self.shown {
            Shown::Nothing => (0, 0),
            Shown::First(most) if most < all => (most, 0),
            Shown::Ends(most) if most < all => (most.div_ceil(2), most / 2),
            _ => (all, 0),
        }
    }

    /// The rows the short form prints.
    pub fn printed(&self) -> impl Iterator<Item = &(Vec<String>, Vec<PacketId>)> {
        let (head, tail) = self.ends();
        self.rows.iter().take(head).chain(self.rows.iter().skip(self.rows.len() - tail))
    }
}

/// What the short form of a report prints of a table; the long form and those for machines have every row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// Every row.
    #[default]
    All,
    /// So many rows from the beginning.
    First(usize),
    /// So many rows, half of them from the beginning and half from the end.
    Ends(usize),
    /// Nothing.
    Nothing,
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
    /// The same, printed in the long form only.
    Aside(String),
}

/// A section of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Stable id (`summary`, `findings`, `cause`, `checks`, …).
    pub id: &'static str,
    /// Heading.
    pub title: String,
    /// Where it stands.
    pub place: Place,
    /// Its parts in order.
    pub blocks: Vec<Block>,
}

/// Where a section stands in a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// What everybody reads.
    #[default]
    Body,
    /// What stands behind it.
    Appendix,
    /// An appendix of the long form.
    Further,
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
    /// What was judged, and what was seen without being assessed.
    pub coverage: &'i Coverage,
    /// The analyst's work.
    pub case: &'i State,
}

/// What the gravest problem is about, in short phrases for titles and tickets; captured text is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Clients, listed.
    pub clients: String,
    /// The address asked.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// `UDP` or `TCP`.
    pub transport: String,
    /// Names, listed.
    pub names: String,
    /// Queries that failed.
    pub failed: usize,
    /// Queries sent.
    pub asked: usize,
    /// `refused by ICMP port unreachable`.
    pub what: String,
    /// `ICMP type 3 code 3`; empty where the failures are no ICMP errors.
    pub icmp: String,
    /// First to last failure.
    pub range: String,
    /// Citation of all its frames.
    pub citation: String,
    /// What the client did next.
    pub then: String,
    /// The first next checks.
    pub checks: Vec<String>,
}

/// A failure in one line: what failed, how often, when, and what explains it; captured text is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The position of its assessment in [`Input::assessments`].
    pub assessment: usize,
    /// The line.
    pub text: String,
}

/// The draft.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Title.
    pub title: String,
    /// The sections in order.
    pub sections: Vec<Section>,
    /// What failed, a line each, the gravest first.
    pub verdicts: Vec<Verdict>,
    /// Id prefix of the gravest problem's claims (`problem.F1`); `None` without a problem.
    pub lead: Option<String>,
    /// The severity of the gravest finding that is not about the record itself.
    pub gravest: Option<Severity>,
    /// What the gravest problem is about.
    pub subject: Option<Subject>,
    /// What the failing port is used for, in a sentence.
    pub port_use: String,
    /// `capture`, or `log` for a transcript.
    pub record: &'static str,
    /// The label of the first frame, as an example of a citation.
    pub citation_example: String,
    /// The lists of frames that citations refer to by number.
    pub lists: cite::Lists,
}

impl Report {
    /// All claims in order, rejected ones included.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.blocks().filter_map(|block| if let Block::Claim(claim) = block { Some(claim) } else { None })
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = &OpenField> {
        self.blocks().filter_map(|block| if let Block::Field(field) = block { Some(field) } else { None })
    }

    /// All blocks in order.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.sections.iter().flat_map(|section| section.blocks.iter())
    }

    /// The frames printed claims cite, in order.
    pub fn cited(&self) -> Vec<PacketId> {
        let mut cited = Vec::new();
        for claim in self.claims().filter(|claim| claim.is_printed()) {
            cited.extend(&claim.frames);
            // Claims about one failure cite the same frames: kept apart, they would fill memory.
            if cited.len() >= CITED_MANY {
                cited.sort_unstable();
                cited.dedup();
            }
        }
        cited.sort_unstable();
        cited.dedup();
        cited
    }

    /// The analyst's notes on a frame.
    pub fn notes_on(&self, packet: PacketId) -> Vec<String> {
        let notes = self.claims().filter(|claim| claim.annotation.is_some() && claim.is_printed());
        notes.filter(|claim| claim.frames.contains(&packet)).map(|claim| claim.text.clone()).collect()
    }

    /// A claim by its id.
    pub fn claim(&self, id: &str) -> Option<&Claim> {
        self.claims().find(|claim| claim.id == id)
    }

    /// A section by its id.
    pub fn section(&self, id: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }
}

/// Citations gathered before those that are there twice are taken out.
const CITED_MANY: usize = 1 << 20;

/// What the report says about masking when nothing is masked; redaction puts its own statement in this place.
pub const UNMASKED: &str =
    "The captures were opened read-only, hashed, and not changed. No value in this report was masked.";

/// A mark of the rules of findings and hypotheses with every weight and threshold: two reports with the same mark were judged by the same rules.
pub fn rules_version() -> String {
    let rules = crate::findings::FINDINGS.iter().map(|rule| format!("{}: {}", rule.id, rule.title));
    let rules: Vec<String> = rules.collect();
    let judged = crate::findings::hypotheses::matrix::fingerprint();
    let mut hash = crate::case::hash::hash_text(&format!("{}\n{judged}", rules.join("\n")));
    hash.truncate(12);
    format!("{}-{hash}", rules.len())
}

/// Makes the draft. The same input gives the same draft.
pub fn draft(input: &Input<'_>) -> Report {
    sections::draft(input)
}
