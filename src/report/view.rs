//! The report as templates and machine formats see it: plain, serialisable, nothing left to look up.

use std::collections::BTreeMap;

use serde::Serialize;

use super::lint::Lint;
use super::{Block, Claim, ClaimState, Input, OpenField, Report, Subject, Table, Voice, cite};

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Title.
    pub title: String,
    /// `draft` or `final`.
    pub status: &'static str,
    /// When it was made (RFC 3339); `None` where no clock was given.
    pub generated: Option<String>,
    /// Program and version.
    pub tool: String,
    /// `capture` or `log`.
    pub record: &'static str,
    /// All sections in order.
    pub sections: Vec<SectionView>,
    /// The same by id.
    pub section: BTreeMap<String, SectionView>,
    /// Printed claims by id.
    pub claims: BTreeMap<String, ClaimView>,
    /// Claims of the gravest problem by the last part of their id (`queries`, `errors`, …).
    pub lead: BTreeMap<String, ClaimView>,
    /// Tables of the gravest problem by the last part of their id.
    pub lead_tables: BTreeMap<String, TableView>,
    /// All tables by id.
    pub tables: BTreeMap<String, TableView>,
    /// Fields by id.
    pub fields: BTreeMap<String, FieldView>,
    /// What the gravest problem is about.
    pub subject: Option<Subject>,
    /// What the failing port is used for, in a sentence.
    pub port_use: String,
    /// Claims, citations and open fields.
    pub lint: Lint,
    /// The packets of the log in one line each, where few enough.
    pub log: Vec<String>,
    /// How many packets the log leaves out.
    pub log_left_out: u64,
    /// The first exchange in plain words, items 1 to 7.
    pub walkthrough: Vec<String>,
    /// The label of the first frame, as an example of a citation.
    pub citation_example: String,
    /// File name and hash of each capture, for short forms.
    pub captures: Vec<CaptureView>,
    /// Choices made for this rendering.
    pub options: OptionsView,
}

/// A capture in short.
#[derive(Clone, Debug, Serialize)]
pub struct CaptureView {
    /// Label (`A`).
    pub label: String,
    /// Name as given.
    pub name: String,
    /// SHA-256, empty where not computed.
    pub sha256: String,
}

/// Choices that change the form, not the content.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct OptionsView {
    /// Replace the official wording "ICMP echo reply" by "ICMP error message".
    pub corrected_headings: bool,
    /// Two headings and running text instead of one heading a question.
    pub prose: bool,
}

/// A section.
#[derive(Clone, Debug, Serialize)]
pub struct SectionView {
    /// Stable id.
    pub id: String,
    /// Heading.
    pub title: String,
    /// `1`, `2`, …; empty for appendices, whose titles carry A1…
    pub number: String,
    /// Its parts.
    pub blocks: Vec<BlockView>,
}

/// A part of a section.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BlockView {
    /// A claim.
    Claim {
        /// It.
        claim: ClaimView,
    },
    /// A field.
    Field {
        /// It.
        field: FieldView,
    },
    /// A table.
    Table {
        /// It.
        table: TableView,
    },
    /// Lines shown as they are.
    Lines {
        /// What they are.
        caption: String,
        /// The lines.
        lines: Vec<String>,
    },
    /// Fixed wording.
    Note {
        /// It.
        text: String,
    },
}

/// A claim.
#[derive(Clone, Debug, Serialize)]
pub struct ClaimView {
    /// Stable id.
    pub id: String,
    /// `observed`, `reported`, `assessed`.
    pub voice: &'static str,
    /// The mark of the voice: ●, ◆, ◇.
    pub mark: &'static str,
    /// Text without citation.
    pub text: String,
    /// Citation without brackets.
    pub citation: String,
    /// Rows of the ledger behind it.
    pub rows: Vec<String>,
    /// Labels of the frames.
    pub frames: Vec<String>,
    /// `suggested`, `accepted`, `edited`, `stale`.
    pub state: &'static str,
}

/// A field.
#[derive(Clone, Debug, Serialize)]
pub struct FieldView {
    /// Stable id.
    pub id: String,
    /// What to complete.
    pub prompt: String,
    /// What the analyst wrote.
    pub value: Option<String>,
    /// Needed for a final report.
    pub required: bool,
}

/// A table.
#[derive(Clone, Debug, Serialize)]
pub struct TableView {
    /// Stable id.
    pub id: String,
    /// Caption.
    pub caption: String,
    /// Column heads; the last is `Frames` when `cited`.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<RowView>,
}

/// A row of a table.
#[derive(Clone, Debug, Serialize)]
pub struct RowView {
    /// The cells without the citation.
    pub cells: Vec<String>,
    /// Which of the cells are commands or filters, to be shown as code.
    pub code: Vec<usize>,
    /// The citation without brackets; `None` where the table has no column for it.
    pub citation: Option<String>,
}

/// The word for a voice.
pub fn voice_name(voice: Voice) -> &'static str {
    match voice {
        Voice::Observed => "observed",
        Voice::Reported => "reported",
        Voice::Assessed => "assessed",
    }
}

/// The mark of a voice, which says the same without colour.
pub fn voice_mark(voice: Voice) -> &'static str {
    match voice {
        Voice::Observed => "●",
        Voice::Reported => "◆",
        Voice::Assessed => "◇",
    }
}

/// The word for a claim's state.
pub fn state_name(state: ClaimState) -> &'static str {
    match state {
        ClaimState::Suggested => "suggested",
        ClaimState::Accepted => "accepted",
        ClaimState::Edited => "edited",
        ClaimState::Stale => "stale",
        ClaimState::Rejected => "rejected",
    }
}

fn claim(index: &crate::index::Index, claim: &Claim) -> ClaimView {
    ClaimView {
        id: claim.id.clone(),
        voice: voice_name(claim.voice),
        mark: voice_mark(claim.voice),
        text: claim.text.clone(),
        citation: claim.citation.clone(),
        rows: claim.rows.clone(),
        frames: claim.frames.iter().map(|id| index.label(*id)).collect(),
        state: state_name(claim.state),
    }
}

fn field(field: &OpenField) -> FieldView {
    FieldView {
        id: field.id.clone(),
        prompt: field.prompt.clone(),
        value: field.value.clone(),
        required: field.required,
    }
}

fn table(index: &crate::index::Index, table: &Table) -> TableView {
    // Tables of frames and of links name their frames in their own columns.
    let named = table.head.first().is_some_and(|head| head == "Frame" || head == "Error");
    let cites = !named && table.rows.iter().any(|(_, frames)| !frames.is_empty());
    let mut head = table.head.clone();
    let commands = ["Check", "Filter that counts it again"];
    let code: Vec<usize> = (0..head.len())
        .filter(|at| head.get(*at).is_some_and(|head| commands.contains(&head.as_str())))
        .collect();
    if cites {
        head.push("Frames".to_owned());
    }
    let rows = table.rows.iter().map(|(cells, frames)| RowView {
        cells: cells.clone(),
        code: code.clone(),
        citation: cites.then(|| cite::frames(index, frames)),
    });
    TableView { id: table.id.clone(), caption: table.caption.clone(), head, rows: rows.collect() }
}

impl View {
    /// The view of a report. `options` and the time come from the caller.
    pub fn of(report: &Report, input: &Input<'_>, options: OptionsView, generated: Option<String>) -> Self {
        let mut number = 0;
        let sections: Vec<SectionView> = report
            .sections
            .iter()
            .map(|section| {
                let appendix = section.title.starts_with('A')
                    && section.title.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
                if !appendix {
                    number += 1;
                }
                SectionView {
                    id: section.id.to_owned(),
                    title: section.title.clone(),
                    number: if appendix { String::new() } else { number.to_string() },
                    blocks: section.blocks.iter().filter_map(|b| block(input.index, b)).collect(),
                }
            })
            .collect();
        let mut view = Self {
            title: report.title.clone(),
            status: "draft",
            generated,
            tool: format!("portmortem {}", env!("CARGO_PKG_VERSION")),
            record: report.record,
            section: sections.iter().map(|section| (section.id.clone(), section.clone())).collect(),
            sections,
            claims: BTreeMap::new(),
            lead: BTreeMap::new(),
            lead_tables: BTreeMap::new(),
            tables: BTreeMap::new(),
            fields: BTreeMap::new(),
            subject: report.subject.clone(),
            port_use: report.port_use.clone(),
            lint: super::lint::lint(report),
            log: Vec::new(),
            log_left_out: 0,
            walkthrough: Vec::new(),
            citation_example: report.citation_example.clone(),
            captures: captures(input),
            options,
        };
        view.collect(report.lead.as_deref());
        (view.log, view.log_left_out) = super::log::lines(input);
        view.walkthrough = super::walkthrough::items(report, input);
        view
    }

    /// Files blocks under their ids.
    fn collect(&mut self, lead: Option<&str>) {
        let prefix = lead.map(|lead| format!("{lead}."));
        let slot = |id: &str| {
            let rest = id.strip_prefix(prefix.as_deref()?)?;
            Some(rest.to_owned())
        };
        for section in &self.sections {
            for block in &section.blocks {
                match block {
                    BlockView::Claim { claim } => {
                        if let Some(slot) = slot(&claim.id) {
                            self.lead.insert(slot, claim.clone());
                        }
                        self.claims.insert(claim.id.clone(), claim.clone());
                    }
                    BlockView::Field { field } => {
                        self.fields.insert(field.id.clone(), field.clone());
                    }
                    BlockView::Table { table } => {
                        if let Some(slot) = slot(&table.id) {
                            self.lead_tables.insert(slot, table.clone());
                        }
                        self.tables.insert(table.id.clone(), table.clone());
                    }
                    BlockView::Lines { .. } | BlockView::Note { .. } => {}
                }
            }
        }
    }
}

fn captures(input: &Input<'_>) -> Vec<CaptureView> {
    let name = |name: &str| {
        let short = std::path::Path::new(name).file_name().map(|name| name.to_string_lossy().into_owned());
        crate::text::escape(&short.unwrap_or_else(|| name.to_owned()))
    };
    input
        .index
        .sources
        .iter()
        .enumerate()
        .map(|(at, source)| CaptureView {
            label: crate::index::source_label(crate::index::SourceId(at as u16)),
            name: name(&source.name),
            sha256: input.case.evidence.get(at).map_or_else(String::new, |record| record.sha256.clone()),
        })
        .collect()
}

fn block(index: &crate::index::Index, block: &Block) -> Option<BlockView> {
    Some(match block {
        Block::Claim(own) if !own.is_printed() => return None,
        Block::Claim(own) => BlockView::Claim { claim: claim(index, own) },
        Block::Field(own) => BlockView::Field { field: field(own) },
        Block::Table(own) if own.rows.is_empty() => return None,
        Block::Table(own) => BlockView::Table { table: table(index, own) },
        Block::Lines(caption, lines) => BlockView::Lines { caption: caption.clone(), lines: lines.clone() },
        Block::Note(text) if text.is_empty() => return None,
        Block::Note(text) => BlockView::Note { text: text.clone() },
    })
}
