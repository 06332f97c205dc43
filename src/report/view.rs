//! The report as templates and machine formats see it: plain, serialisable, nothing left to look up.

mod texts;

use std::collections::BTreeMap;

use serde::Serialize;

use super::lint::Lint;
use super::{
    Block, Claim, ClaimState, Input, OpenField, Place, Report, Section, Shown, Subject, Table, Voice, cite,
};
use crate::text::thousands;

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Title.
    pub title: String,
    /// `draft` or `final`.
    pub status: &'static str,
    /// What is open in a report that is called final all the same, to be read behind that word; else empty.
    pub still_open: String,
    /// When it was made (RFC 3339); `None` where no clock was given.
    pub generated: Option<String>,
    /// Program and version.
    pub tool: String,
    /// `capture` or `log`.
    pub record: &'static str,
    /// All sections in order.
    pub sections: Vec<SectionView>,
    /// Appendices that the short form leaves out.
    pub further: Vec<SectionView>,
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
    /// Every appendix, row and aside.
    pub long: bool,
    /// Keep the folders of captures.
    pub paths: bool,
}

/// A section.
#[derive(Clone, Debug, Serialize)]
pub struct SectionView {
    /// Stable id.
    pub id: String,
    /// Heading.
    pub title: String,
    /// `1`, `2`, …; `A1`, `A2`, … for appendices.
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
    /// The number of the list in the appendix that has all of its frames, where the citation does not name each.
    pub list: Option<usize>,
    /// Whether the list stands for the citation (in the summary).
    pub brief: bool,
    /// Rows of the ledger behind it.
    pub rows: Vec<String>,
    /// Labels of the first frames; the JSON report has them all.
    pub frames: Vec<String>,
    /// How many frames there are.
    pub frame_count: usize,
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
    /// The same in a word or two.
    pub label: &'static str,
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
    /// The number of the list in the appendix that has all of its frames.
    pub list: Option<usize>,
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

/// Labels of a claim's frames that templates are given: a claim may cite every packet of a capture.
const LABELS_MAX: usize = 100;

fn claim(index: &crate::index::Index, lists: &cite::Lists, brief: bool, claim: &Claim) -> ClaimView {
    let list = lists.number(&claim.frames);
    ClaimView {
        id: claim.id.clone(),
        voice: voice_name(claim.voice),
        mark: voice_mark(claim.voice),
        text: claim.text.clone(),
        citation: claim.citation.clone(),
        list: list.filter(|_| brief || cite::is_shortened(&claim.citation)),
        brief,
        rows: claim.rows.clone(),
        frames: claim.frames.iter().take(LABELS_MAX).map(|id| index.label(*id)).collect(),
        frame_count: claim.frames.len(),
        state: state_name(claim.state),
    }
}

fn field(field: &OpenField) -> FieldView {
    FieldView {
        id: field.id.clone(),
        prompt: field.prompt.clone(),
        label: field.label,
        value: field.value.clone(),
        required: field.required,
    }
}

fn table(index: &crate::index::Index, lists: &cite::Lists, long: bool, table: &Table) -> TableView {
    // Tables of frames and of links name their frames in their own columns.
    let named = table.head.first().is_some_and(|head| head == "Frame" || head == "Error");
    let cites = !named && table.rows.iter().any(|(_, frames)| !frames.is_empty());
    let mut head = table.head.clone();
    let commands = ["Check", "Filter that counts it again", super::sections::LISTED];
    let code: Vec<usize> = (0..head.len())
        .filter(|at| head.get(*at).is_some_and(|head| commands.contains(&head.as_str())))
        .collect();
    if cites {
        head.push("Frames".to_owned());
    }
    let (head_rows, tail_rows) = table.ends();
    let (all, count) = (table.rows.len(), head_rows + tail_rows);
    let caption = if long || count == all {
        table.caption.clone()
    } else {
        format!("{} ({count} of {} shown)", table.caption, thousands(all as u64))
    };
    let is_shown = |at: usize| long || at < head_rows || at >= all - tail_rows;
    let printed = table.rows.iter().enumerate().filter(|(at, _)| is_shown(*at));
    let rows = printed.map(|(_, (cells, frames))| {
        let citation = cites.then(|| cite::frames(index, frames));
        let is_long = citation.as_deref().is_some_and(cite::is_shortened);
        // What shows a list may be other lists, in words.
        let is_code = |at: &usize| {
            let listed = head.get(*at).is_some_and(|head| head == super::sections::LISTED);
            !listed || cells.get(*at).is_some_and(|cell| cell.contains('`'))
        };
        RowView {
            cells: cells.clone(),
            code: code.iter().copied().filter(is_code).collect(),
            citation,
            list: is_long.then(|| lists.number(&super::sections::sorted(frames))).flatten(),
        }
    });
    let rows = rows.collect();
    TableView { id: table.id.clone(), caption, head, rows }
}

impl View {
    /// The view of a report. `options` and the time come from the caller.
    pub fn of(report: &Report, input: &Input<'_>, options: OptionsView, generated: Option<String>) -> Self {
        let mut numbers = (0, 0);
        let (mut by_id, mut further, mut sections) = (BTreeMap::new(), Vec::new(), Vec::new());
        for section in &report.sections {
            let is_further = section.place == Place::Further && !options.long;
            let long = options.long || is_further;
            let blocks = section.blocks.iter().filter_map(|b| block(input.index, report, section, long, b));
            let blocks: Vec<BlockView> = blocks.collect();
            let is_empty = blocks.is_empty() && section.place != Place::Body;
            let number = match section.place {
                // An appendix without anything in it is no appendix.
                _ if is_further || is_empty => String::new(),
                Place::Body => {
                    numbers.0 += 1;
                    numbers.0.to_string()
                }
                Place::Appendix | Place::Further => {
                    numbers.1 += 1;
                    format!("A{}", numbers.1)
                }
            };
            let view =
                SectionView { id: section.id.to_owned(), title: section.title.clone(), number, blocks };
            by_id.insert(view.id.clone(), view.clone());
            match () {
                () if is_empty => {}
                () if is_further => further.push(view),
                () => sections.push(view),
            }
        }
        let mut view = Self {
            title: report.title.clone(),
            status: "draft",
            still_open: String::new(),
            generated,
            tool: format!("portmortem {}", env!("CARGO_PKG_VERSION")),
            record: report.record,
            section: by_id,
            sections,
            further,
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
        view.collect(report, input.index);
        (view.log, view.log_left_out) = super::log::lines(input);
        view.walkthrough = super::walkthrough::items(report, input);
        view
    }

    /// Files everything under its id, also what only the long form prints.
    fn collect(&mut self, report: &Report, index: &crate::index::Index) {
        let prefix = report.lead.as_deref().map(|lead| format!("{lead}."));
        let slot = |id: &str| prefix.as_deref().and_then(|prefix| id.strip_prefix(prefix)).map(str::to_owned);
        for section in &report.sections {
            for own in &section.blocks {
                match block(index, report, section, true, own) {
                    Some(BlockView::Claim { claim }) => {
                        if let Some(slot) = slot(&claim.id) {
                            self.lead.insert(slot, claim.clone());
                        }
                        self.claims.insert(claim.id.clone(), claim);
                    }
                    Some(BlockView::Field { field }) => {
                        self.fields.insert(field.id.clone(), field);
                    }
                    Some(BlockView::Table { table }) => {
                        if let Some(slot) = slot(&table.id) {
                            self.lead_tables.insert(slot, table.clone());
                        }
                        self.tables.insert(table.id.clone(), table);
                    }
                    Some(BlockView::Lines { .. } | BlockView::Note { .. }) | None => {}
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
            label: crate::index::source_label(crate::index::SourceId::at(at)),
            name: name(&source.name),
            sha256: input.case.evidence.get(at).map_or_else(String::new, |record| record.sha256.clone()),
        })
        .collect()
}

/// Ends of the ids of claims that repeat, with more detail, what the summary says.
const LONG_ONLY: [&str; 17] = [
    ".when",
    ".again",
    ".then.C10",
    ".cause.1",
    ".cause.2",
    ".cause.3",
    ".cause.parting",
    "detection.span",
    "limits.www",
    "limits.sender",
    "limits.since",
    "limits.date",
    "limits.clients",
    "limits.tcp",
    "limits.web",
    "limits.role",
    "limits.second",
];

/// Whether the short form leaves a claim out; what the analyst wrote always stands.
fn is_for_the_long_form(claim: &Claim) -> bool {
    claim.state != ClaimState::Edited
        && !claim.id.starts_with("summary.")
        && LONG_ONLY.iter().any(|end| claim.id.ends_with(end))
}

fn block(
    index: &crate::index::Index,
    report: &Report,
    section: &Section,
    long: bool,
    block: &Block,
) -> Option<BlockView> {
    let lists = &report.lists;
    Some(match block {
        Block::Claim(own) if !own.is_printed() || !long && is_for_the_long_form(own) => return None,
        Block::Claim(own) => BlockView::Claim { claim: claim(index, lists, section.id == "summary", own) },
        Block::Field(own) => BlockView::Field { field: field(own) },
        Block::Table(own) if own.rows.is_empty() || own.shown == Shown::Nothing && !long => return None,
        Block::Table(own) => {
            let mut table = table(index, lists, long, own);
            // What the heading says already is not said again.
            if table.caption == section.title {
                table.caption.clear();
            }
            BlockView::Table { table }
        }
        Block::Aside(text) if text.is_empty() || !long => return None,
        Block::Aside(text) => BlockView::Note { text: text.clone() },
        Block::Lines(caption, lines) => BlockView::Lines { caption: caption.clone(), lines: lines.clone() },
        Block::Note(text) if text.is_empty() => return None,
        Block::Note(text) => BlockView::Note { text: text.clone() },
    })
}
