//! Puts the draft together: one file a group of sections, all made with the same builder.

mod appendix;
mod behind;
mod cause;
mod change;
mod clocks;
mod closing;
mod coverage;
mod findings;
mod opening;
mod outage;
mod problem;
mod services;
mod spared;
mod timeline;
mod verdict;

use super::facts::{Facts, Inventory, PROBLEMS_MAX};
use super::words::Clock;
use super::{Block, Claim, ClaimState, Input, OpenField, Place, Report, Section, Shown, Table, Voice, cite};
use crate::capture::Format;
use crate::case::{Annotation, hash::hash_text};
use crate::correlate::Signature;
use crate::correlate::clients::Client;
use crate::findings::hypotheses::{Assessment, Cause};
use crate::index::{FrameNumber, PacketId, SourceId};

pub use appendix::LISTED;

/// Failures written out in full.
const DETAILED_MAX: usize = 3;

/// Makes the draft.
pub fn draft(input: &Input<'_>) -> Report {
    let builder = Builder::new(input);
    let sections = vec![
        opening::summary(&builder),
        opening::to_complete(&builder),
        findings::findings(&builder),
        cause::cause(&builder),
        cause::response(&builder),
        opening::scope(&builder),
        closing::limitations(&builder),
        timeline::timeline(&builder),
        appendix::evidence(&builder),
        appendix::method(&builder),
        closing::observables(&builder),
        closing::attack(&builder),
    ];
    let mut report = Report {
        title: builder.title(),
        sections,
        verdicts: verdict::all(&builder),
        lead: builder.weighed_problems().first().map(|(key, ..)| key.clone()),
        gravest: input.findings.iter().filter(|f| !findings::is_quality(f)).map(|f| f.severity).max(),
        subject: opening::subject(&builder),
        port_use: opening::port_use(&builder),
        record: builder.record,
        citation_example: builder.input.index.label(PacketId(0)),
        lists: cite::Lists::default(),
    };
    report.sections.push(appendix::ledger(&builder));
    number_lists(&builder, &mut report);
    let frames = appendix::frames(&builder, &report);
    // Cited frames stand behind the timeline, which shows some of them.
    let behind = report.sections.iter().position(|section| section.id == "timeline").map_or(0, |at| at + 1);
    report.sections.insert(behind, frames);
    report.sections.push(appendix::glossary());
    report
}

/// Frames, or runs of frames, that a citation of the summary names.
const SUMMARY_CITES: usize = 2;

/// Gives each set of frames that is not written out where it is cited a number.
fn number_lists(b: &Builder<'_>, report: &mut Report) {
    let mut lists = cite::Lists::default();
    for section in &report.sections {
        for block in &section.blocks {
            match block {
                Block::Claim(claim) if claim.is_printed() => {
                    let is_long =
                        section.id == "summary" && claim.citation.split(", ").count() > SUMMARY_CITES;
                    if is_long || cite::is_shortened(&claim.citation) {
                        lists.enter(&claim.frames);
                    }
                }
                Block::Table(table) => {
                    for (_, frames) in &table.rows {
                        if cite::is_shortened(&cite::frames(b.input.index, frames)) {
                            lists.enter(&sorted(frames));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    report.lists = lists;
}

/// Frames in order, each once.
pub(super) fn sorted(frames: &[PacketId]) -> Vec<PacketId> {
    let mut frames = frames.to_vec();
    frames.sort_unstable();
    frames.dedup();
    frames
}

/// What every section is made with.
pub(super) struct Builder<'i> {
    pub input: Input<'i>,
    pub inventory: Inventory,
    pub facts: Vec<Facts<'i>>,
    pub clock: Clock,
    /// `capture` or `log`.
    pub record: &'static str,
}

/// The same words to begin a sentence.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

impl<'i> Builder<'i> {
    fn new(input: &Input<'i>) -> Self {
        let transcript =
            input.index.sources.iter().any(|source| source.metadata.format == Format::Transcript);
        let inventory = Inventory::count(input);
        let problems = input.evidence.problems.iter().take(PROBLEMS_MAX);
        let questions = inventory.questions;
        let facts = problems
            .enumerate()
            .map(|(at, problem)| {
                let own = input.assessments.iter().find(|assessment| assessment.problem == Some(at));
                let flooders = own.map(|own| own.flooders.as_slice()).unwrap_or_default();
                let checks = own.is_some_and(|own| own.is_probing);
                Facts { checks, flooders, ..Facts::of(input, problem, input.evidence.impact(at)) }
            })
            .collect::<Vec<_>>();
        // Up to the last that is no single slip: places are those of the failures.
        let told = facts.iter().rposition(|facts| !is_isolated(facts, questions)).map_or(0, |last| last + 1);
        let facts = facts.into_iter().take(told).collect();
        Self {
            input: *input,
            inventory,
            facts,
            clock: Clock::of(input.index),
            record: if transcript { "log" } else { "capture" },
        }
    }

    fn title(&self) -> String {
        let incidents = self.incidents();
        let Some(facts) = self.facts.first().filter(|_| !self.leads_beside_dns()) else {
            let first = incidents.first();
            return match first.map(|own| (&own.title, &own.trouble)) {
                Some((Some(title), Some(trouble))) => services::title(self, title, trouble),
                Some((Some(title), None)) => title.clone(),
                Some((None, _)) => format!("A failure that this {} cannot assess", self.record),
                None => coverage::title(self),
            };
        };
        if let Some(title) = self.assessment(0).and_then(|assessment| assessment.title.clone()) {
            return title;
        }
        let what = facts.called.map_or_else(|| "Queries".to_owned(), |(_, many)| capital(many));
        format!(
            "{what} to {} ({} port {}) {}{}{}",
            facts.server,
            super::words::transport(facts.problem.transport),
            facts.port,
            facts.fate(),
            outage::rescued(facts),
            behind::title(self)
        )
    }

    /// Whether something beside DNS failed more gravely than any lookup.
    pub fn leads_beside_dns(&self) -> bool {
        let dns = self.assessment(0).and_then(|own| own.severity);
        let beside = self.incidents().first().and_then(|own| own.headline());
        // What explains the failed lookups comes before them.
        let explains = self
            .incidents()
            .first()
            .is_some_and(|own| own.leading().iter().any(|cause| cause.cause == Cause::SecondDhcp));
        self.facts.is_empty() || beside.is_some() && (beside > dns || explains && beside == dns)
    }

    /// The assessment of a problem by its position.
    pub fn assessment(&self, problem: usize) -> Option<&'i Assessment> {
        self.input.assessments.iter().find(|assessment| assessment.problem == Some(problem))
    }

    /// Other faces of the outage whose first face is the problem at a position.
    pub fn phases(&self, at: usize) -> Vec<&Facts<'i>> {
        let phases = self.facts.get(at).and_then(|facts| facts.impact).map(|impact| impact.phases.as_slice());
        phases.unwrap_or_default().iter().filter_map(|phase| self.facts.get(*phase)).collect()
    }

    /// The failures written out in full; the others stand in one table.
    pub fn detailed(&self) -> &[Facts<'i>] {
        self.facts.get(..self.facts.len().min(DETAILED_MAX)).unwrap_or_default()
    }

    /// The failures written out in full with the key of their claims: those of DNS, else those beside it.
    pub fn weighed_problems(&self) -> Vec<(String, &'i Assessment, Option<&Facts<'i>>)> {
        let of = |(at, facts): (usize, &'_ Facts<'i>)| Some((facts.key.clone(), self.assessment(at)?, at));
        let mut out: Vec<_> = self
            .detailed()
            .iter()
            .enumerate()
            .filter_map(of)
            .map(|(key, assessment, at)| (key, assessment, self.facts.get(at)))
            .collect();
        let mut beside: Vec<(String, &'i Assessment, Option<&Facts<'i>>)> = Vec::new();
        for (number, assessment) in self.incidents().into_iter().enumerate() {
            beside.push((format!("incident.{}", number + 1), assessment, None));
        }
        if self.leads_beside_dns() {
            beside.append(&mut out);
            return beside;
        }
        out.append(&mut beside);
        out
    }

    /// What was weighed beside DNS failures.
    pub fn incidents(&self) -> Vec<&'i Assessment> {
        let beside = |a: &&Assessment| a.problem.is_none() && !a.hypotheses.is_empty();
        self.input.assessments.iter().filter(beside).take(DETAILED_MAX).collect()
    }

    /// A claim of the program with what the analyst decided about it.
    pub fn claim(&self, id: &str, voice: Voice, text: String, frames: &[PacketId]) -> Block {
        let citation = cite::frames(self.input.index, frames);
        self.settle(id, voice, text, frames, citation)
    }

    /// A claim about a cause, with the ledger rows behind it.
    pub fn weighed(&self, id: &str, text: String, frames: &[PacketId], rows: Vec<String>) -> Block {
        let mut block = self.claim(id, Voice::Assessed, text, frames);
        if let Block::Claim(claim) = &mut block {
            claim.rows = rows;
        }
        block
    }

    /// A claim that cites pairs: each error with its query.
    pub fn paired(&self, id: &str, voice: Voice, text: String, pairs: &[(PacketId, PacketId)]) -> Block {
        let frames: Vec<PacketId> = pairs.iter().flat_map(|(from, to)| [*from, *to]).collect();
        let citation = if pairs.len() <= 4 {
            let each: Vec<String> =
                pairs.iter().map(|(from, to)| cite::pair(self.input.index, *from, *to)).collect();
            each.join(", ")
        } else {
            cite::frames(self.input.index, &frames)
        };
        self.settle(id, voice, text, &frames, citation)
    }

    fn settle(&self, id: &str, voice: Voice, text: String, frames: &[PacketId], citation: String) -> Block {
        let frames = sorted(frames);
        let basis = fingerprint(&text, &citation);
        let decision = self.input.case.decisions.get(id);
        let state = match decision {
            None => ClaimState::Suggested,
            Some(decision) if decision.accepted == Some(false) => ClaimState::Rejected,
            Some(decision) if decision.basis != basis => ClaimState::Stale,
            Some(decision) if decision.text.is_some() => ClaimState::Edited,
            Some(decision) if decision.accepted == Some(true) => ClaimState::Accepted,
            Some(_) => ClaimState::Suggested,
        };
        let own = decision.and_then(|decision| decision.text.clone());
        Block::Claim(Claim {
            id: id.to_owned(),
            voice,
            text: own.unwrap_or_else(|| text.clone()),
            suggestion: text,
            frames,
            citation,
            rows: Vec::new(),
            state,
            annotation: None,
            basis,
        })
    }

    /// A field only a person can fill, with what the analyst wrote.
    pub fn field(&self, id: &str, label: &'static str, prompt: &str, need: Need) -> Block {
        let value = self.input.case.fields.get(id).filter(|value| !value.trim().is_empty()).cloned();
        Block::Field(OpenField {
            id: id.to_owned(),
            prompt: prompt.to_owned(),
            label,
            value,
            required: need == Need::Required,
        })
    }

    /// The analyst's notes that belong into a section.
    pub fn notes(&self, section: &str) -> Vec<Block> {
        let notes = self.input.case.annotations.iter().filter(|note| section_of_tag(&note.tag) == section);
        notes.map(|note| self.note(note)).collect()
    }

    fn note(&self, note: &Annotation) -> Block {
        let frames = self.frames_of(note);
        let mut text = note.note.trim().to_owned();
        if let Some(severity) = &note.severity {
            text = format!("{text} (severity: {severity})");
        }
        let known = section_of_tag(&note.tag) != "findings" || note.tag == "finding" || note.tag.is_empty();
        if note.tag == crate::case::comments::TAG {
            text = format!("Comment in the capture file: {text}");
        } else if !known {
            text = format!("{}: {text}", note.tag);
        }
        let id = format!("note.{}", note.id);
        let citation = cite::frames(self.input.index, &frames);
        let rejected = self.input.case.decisions.get(&id).is_some_and(|d| d.accepted == Some(false));
        Block::Claim(Claim {
            basis: fingerprint(&text, &citation),
            id,
            voice: Voice::Reported,
            text,
            suggestion: String::new(),
            frames,
            citation,
            rows: Vec::new(),
            state: if rejected { ClaimState::Rejected } else { ClaimState::Accepted },
            annotation: Some(note.id),
        })
    }

    /// The packets an annotation is about, those that the captures have.
    pub fn frames_of(&self, note: &Annotation) -> Vec<PacketId> {
        let packet = |frame: &crate::case::FrameRef| {
            self.input.index.by_frame(SourceId(frame.source), FrameNumber(frame.frame))
        };
        note.frames.iter().filter_map(packet).collect()
    }

    pub fn time(&self, packet: PacketId) -> crate::time::Nanos {
        self.input.index.packet(packet).map_or(0, |packet| packet.time_ns())
    }
}

/// One question that stayed without answer, or was answered badly, among others is no failure to report at length; the
/// findings of the rules list it. The gravest come first, so nothing graver follows.
fn is_isolated(facts: &Facts<'_>, questions: u64) -> bool {
    if facts.impact.is_some_and(|impact| impact.clients.iter().any(Client::is_let_down)) {
        return false;
    }
    let tries: u64 = facts.transactions.iter().map(|transaction| u64::from(transaction.tries)).sum();
    let refused = matches!(
        facts.problem.signature,
        Signature::Icmp { .. } | Signature::TcpReset | Signature::ResetMidway | Signature::Closed
    );
    facts.transactions.len() == 1 && tries < 3 && !refused && questions > 1
}

/// Whether a final report needs a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

/// The section an annotation's tag names.
fn section_of_tag(tag: &str) -> &'static str {
    match tag.trim().to_lowercase().as_str() {
        "cause" | "hypothesis" => "cause",
        "impact" | "detection" | "report" | "lesson" | "lessons" => "case",
        "timeline" => "timeline",
        "question" | "limitation" | "quality" => "limitations",
        "response" | "action" | "next" | "check" => "response",
        "scope" => "scope",
        "summary" => "summary",
        "observable" | "ioc" => "observables",
        "evidence" => "evidence",
        _ => "findings",
    }
}

/// A short mark of a text and its citation.
fn fingerprint(text: &str, citation: &str) -> String {
    let mut hash = hash_text(&format!("{text}\n{citation}"));
    hash.truncate(16);
    hash
}

fn section(id: &'static str, title: &str, blocks: Vec<Block>) -> Section {
    Section { id, title: title.to_owned(), place: Place::Body, blocks }
}

fn annex(place: Place, id: &'static str, title: &str, blocks: Vec<Block>) -> Section {
    Section { place, ..section(id, title, blocks) }
}

/// Says what the short form prints of a table.
fn limited(block: Block, shown: Shown) -> Block {
    match block {
        Block::Table(table) => Block::Table(Table { shown, ..table }),
        other => other,
    }
}

fn table(id: &str, caption: &str, head: &[&str], rows: Vec<(Vec<String>, Vec<PacketId>)>) -> Block {
    Block::Table(Table {
        id: id.to_owned(),
        caption: caption.to_owned(),
        head: head.iter().map(|&cell| cell.to_owned()).collect(),
        rows,
        shown: Shown::All,
    })
}
