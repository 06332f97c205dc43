//! Everything the screen shows, as plain data: changed only by `update`, read only by `render`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use ratatui::layout::Rect;

use super::actions::Context;
use super::attempts::{Grouping, Listed, Order, Table};
use super::dialogs::Dialog;
use super::export_form::Choices;
use super::keys::Stroke;
use super::ladder::Ladder as Drawn;
use super::layout::{Layout, Panel, Panels, layout};
use super::line::Line;
use super::live::Live;
use super::overview::Overview;
pub use super::rows::{Rows, TimeFormat};
use super::search::{Matches, Needle};
use super::update::Drafting;
use super::work::Work;
use crate::attempts::ties;
use crate::capture::watch::Change;
use crate::correlate::Evidence;
use crate::filter::Completion;
use crate::filter::Vocabulary;
use crate::filter::{Filter, FilterError};
use crate::findings::hypotheses::Assessment;
use crate::findings::{Coverage, Finding};
use crate::index::{Index, Packet, PacketId};
use crate::report::Report;
use crate::report::lint::Lint;
use crate::time::Nanos;

/// Positions kept in the selection history.
pub const HISTORY_MAX: usize = 500;

/// The whole state.
pub struct State {
    /// The screen.
    pub size: Rect,
    /// Whether line-drawing and other marks beyond ASCII can be shown.
    pub unicode: bool,
    /// Milliseconds since the start.
    pub now_ms: u64,
    /// The packets so far.
    pub index: Index,
    /// Their spread over time.
    pub overview: Arc<Overview>,
    /// How far loading is; `None` when done.
    pub loading: Option<Loading>,
    /// How the input stands while it grows.
    pub live: Live,
    /// What correlation found; `None` until it has.
    pub evidence: Option<Arc<Evidence>>,
    /// The packets that correlation saw; fewer than the index while more come. The draft speaks of these.
    pub correlated: Index,
    /// The lookups of the newest evidence, for the next draft.
    pub lookups: Arc<Table>,
    /// The attempts as they are listed, with the failures among them.
    pub listed: Listed,
    /// What the rules found.
    pub findings: Arc<[Finding]>,
    /// The assessments of the problems.
    pub assessments: Arc<[Assessment]>,
    /// What was judged, and what was seen without being assessed.
    pub coverage: Arc<Coverage>,
    /// The draft.
    pub report: Arc<Report>,
    /// What a supervisor would say to it.
    pub lint: Arc<Lint>,
    /// How drafting stands.
    pub draft: Draft,
    /// SHA-256 of each source, once computed.
    pub hashes: Vec<String>,
    /// The analyst's work and how it is saved.
    pub work: Work,
    /// Which panels are shown.
    pub panels: Panels,
    /// The timeline.
    pub timeline: Timeline,
    /// The packet panel.
    pub packet: PacketView,
    /// The report panel.
    pub reading: Reading,
    /// The findings panel.
    pub finding_list: List,
    /// The causes panel.
    pub causes: Causes,
    /// The attempts panel.
    pub attempts: AttemptsView,
    /// The ladder panel.
    pub ladder: Ladder,
    /// The filter line.
    pub filter: FilterBar,
    /// The frame of the first file to go to as soon as it is there.
    pub wanted: Option<crate::index::FrameNumber>,
    /// Which rows have which role.
    pub colours: Arc<super::colours::Colours>,
    /// The filters that `$name` means, beside those of the case.
    pub named: Arc<crate::filter::named::Named>,
    /// The text search.
    pub search: Search,
    /// Selections to go back to.
    pub history: History,
    /// What lies over the panels.
    pub dialog: Option<Dialog>,
    /// A word from the program until the next key.
    pub notice: Option<Notice>,
    /// Strokes that began a longer key.
    pub pending: Vec<Stroke>,
    /// Digits typed before a key.
    pub count: Option<u32>,
    /// What the next character is for.
    pub awaiting: Option<Awaiting>,
    /// Numbers of the newest job of each kind; replies with another number are late.
    pub generations: Generations,
    /// The last place the mouse was pressed and when, for double clicks.
    pub clicked: Option<(u16, u16, u64)>,
    /// The column of the overview where a stretch of time is being drawn from.
    pub dragged_from: Option<u16>,
    /// Whether the mouse holds the line between the columns.
    pub divides: bool,
    /// Whether damage was dismissed.
    pub damage_dismissed: bool,
    /// What was chosen in the export dialog last.
    pub exported: Choices,
    /// The text being written, and what of it is on the disk.
    pub jotting: super::drafts::Jotting,
    /// Captures that are not what was opened any more, by their position among the sources.
    pub changed: std::collections::BTreeMap<usize, Change>,
    /// Why a capture that comes through a pipe is not being kept on the disk.
    pub unkept: Option<String>,
    /// Whether a key or the mouse came; until then the timeline stands at the gravest failure.
    pub touched: bool,
    /// Where the analyst left this capture, until it is read.
    pub left: Option<super::session::Session>,
}

/// How drafting stands.
#[derive(Clone, Default)]
pub struct Draft {
    /// Since when a draft is being written, in milliseconds since the start; `None` while none is.
    pub since_ms: Option<u64>,
    /// Whether something changed meanwhile.
    pub again: bool,
    /// What the last one was made with.
    pub made_with: Option<Arc<Drafting>>,
}

/// How far loading is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    /// Bytes walked.
    pub bytes_done: u64,
    /// Bytes to walk.
    pub bytes_total: u64,
    /// Milliseconds since loading began.
    pub elapsed_ms: u64,
    /// Whether it comes through a pipe or from a growing file, so that nobody knows how much there will be.
    pub receiving: bool,
}

/// What the next character is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaiting {
    /// The letter of a new mark.
    Mark,
    /// The letter of a mark to go to.
    GoToMark,
}

/// Newest job of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "one number per kind of job")]
pub struct Generations {
    pub correlate: u64,
    pub filter: u64,
    pub draft: u64,
    pub search: u64,
    pub list: u64,
    pub ladder: u64,
}

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something happened.
    Plain,
    /// Something went well.
    Good,
    /// Something needs attention.
    Warning,
}

/// A word from the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The text, escaped.
    pub text: String,
    /// How grave it is.
    pub tone: Tone,
}

/// The timeline's state.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// What it shows.
    pub rows: Rows,
    /// The selected row.
    pub row: usize,
    /// The selected packet; follows `row`.
    pub selected: Option<PacketId>,
    /// The first visible row.
    pub top: usize,
    /// How times are shown.
    pub time: TimeFormat,
    /// The packet relative times count from.
    pub reference: Option<PacketId>,
    /// Packets picked to be noted together.
    pub picked: BTreeSet<PacketId>,
    /// Where a range being picked begins; it ends at the selection.
    pub range_from: Option<PacketId>,
}

/// A selected row and the first visible one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The selected row.
    pub row: usize,
    /// The first visible row.
    pub top: usize,
}

/// What the packet panel shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketTab {
    /// The layers as a tree.
    #[default]
    Layers,
    /// The bytes.
    Bytes,
    /// In words.
    Words,
}

/// How much the packet in words says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WordsLevel {
    /// What it means, and its line in words.
    #[default]
    Plain,
    /// With the bytes and the definition of each part.
    Fields,
    /// Questions to a learner; the words are hidden.
    Quiz,
    /// The answers.
    Answers,
}

impl WordsLevel {
    /// The next one round.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Plain => Self::Fields,
            Self::Fields => Self::Quiz,
            Self::Quiz => Self::Answers,
            Self::Answers => Self::Plain,
        }
    }
}

/// Headings folded until the analyst opens them: what a packet says stands above how it travelled.
const FOLDED_FIRST: [&str; 6] = ["Ethernet", "Linux", "IPv4", "IPv6", "UDP", "VLAN"];

/// The packet panel's state.
#[derive(Clone, Debug)]
pub struct PacketView {
    /// What it shows.
    pub tab: PacketTab,
    /// How much the words say.
    pub level: WordsLevel,
    /// The selected row of the tree, counted among visible rows.
    pub tree: List,
    /// The first visible row of bytes.
    pub bytes_top: usize,
    /// The first visible row of words.
    pub words_top: usize,
    /// Headings (by their first word) that are folded.
    pub folded: BTreeSet<String>,
}

impl Default for PacketView {
    fn default() -> Self {
        Self {
            tab: PacketTab::default(),
            level: WordsLevel::default(),
            tree: List::default(),
            bytes_top: 0,
            words_top: 0,
            folded: FOLDED_FIRST.iter().map(|word| (*word).to_owned()).collect(),
        }
    }
}

/// The report panel's state.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The selected block, counted over all sections.
    pub item: usize,
    /// The first visible line.
    pub top: usize,
    /// Tables and other long parts that are unfolded, by id.
    pub open: BTreeSet<String>,
    /// Which citation of the selected block Enter goes to next.
    pub citation: usize,
    /// The note to bring into sight when it is in the draft.
    pub reveal: Option<u64>,
}

/// The state of the causes panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    /// The problem shown, as a position among the assessments.
    pub problem: usize,
    /// The selected cause or ledger row.
    pub list: List,
    /// Causes whose ledgers the analyst unfolded, by id.
    pub unfolded: BTreeSet<&'static str>,
    /// The cause whose ledger the analyst changed last, as it stood before; until the new sums are told.
    pub before_change: Option<(&'static str, Option<i32>, String)>,
    /// Which frame of the selected row Enter goes to next.
    pub citation: usize,
}

/// The attempts panel's state.
#[derive(Clone, Debug, Default)]
pub struct AttemptsView {
    /// The selected row.
    pub list: List,
    /// The order wished for.
    pub order: Order,
    /// What rows are to be put together by.
    pub grouping: Grouping,
    /// A new order begins at its first row.
    pub from_top: bool,
    /// The filter there was before Enter showed one attempt alone.
    pub filter_before: String,
}

/// The ladder's state.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    /// The ladder shown.
    pub drawn: Arc<Drawn>,
    /// The selected message.
    pub list: List,
    /// The message the selected one is compared with.
    pub compared: Option<PacketId>,
}

/// What the filter line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FilterStatus {
    /// Nothing typed.
    #[default]
    Empty,
    /// Being evaluated.
    Running,
    /// Evaluated.
    Valid,
    /// Not finished yet.
    Unfinished(FilterError),
    /// Wrong.
    Wrong(FilterError),
}

/// The filter line.
#[derive(Clone, Debug, Default)]
pub struct FilterBar {
    /// What is typed.
    pub line: Line,
    /// Whether keys go to it.
    pub editing: bool,
    /// What was applied before editing began.
    pub before: String,
    /// The filter whose rows are shown; `None` shows all.
    pub applied: Option<Filter>,
    /// Whether partners of matching packets are shown too.
    pub partners: bool,
    /// What it says.
    pub status: FilterStatus,
    /// Legal parts that can match nothing.
    pub warnings: Vec<(Range<usize>, String)>,
    /// Packets that match, partners not counted.
    pub matching: usize,
    /// The text whose rows are shown.
    pub shown: String,
    /// Packets looked at while it is being evaluated.
    pub done: u32,
    /// The packet selected before the filter moved the selection, and where it moved it to.
    pub anchor: Option<(PacketId, Option<PacketId>)>,
    /// Packets known when the rows were found; more may have come.
    pub seen: u32,
    /// Filters applied before, also in earlier sessions, oldest first.
    pub past: Vec<String>,
    /// What can stand at the cursor.
    pub completions: Vec<Completion>,
    /// The completion Tab takes.
    pub completion: usize,
    /// Values that occur in this capture; `None` until they are counted.
    pub vocabulary: Option<Arc<Vocabulary>>,
}

/// The text search.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// What was last looked for.
    pub text: String,
    /// The same, as it is lit in the rows.
    pub needle: Option<Arc<Needle>>,
    /// Where it was found.
    pub matches: Option<Matches>,
    /// The packet that was selected when typing began, until it ends.
    pub origin: Option<PacketId>,
    /// Whether a search is running.
    pub running: bool,
    /// What the running search looks for.
    pub sought: Sought,
}

/// What a search looks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sought {
    /// The search text.
    #[default]
    Text,
    /// The next packet of a conversation.
    ConversationBelow,
    /// The previous one.
    ConversationAbove,
}

/// Selections to go back to.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The packets, oldest first.
    pub entries: Vec<PacketId>,
    /// Where in them the selection is; one past the end when it is new.
    pub at: usize,
    /// The packet a panel pointed at last.
    pub followed: Option<PacketId>,
}

impl State {
    /// The state before anything is known.
    pub fn new(size: Rect, unicode: bool, work: Work) -> Self {
        Self {
            size,
            unicode,
            now_ms: 0,
            index: Index::default(),
            overview: Arc::new(Overview::default()),
            loading: Some(Loading::default()),
            live: Live::default(),
            evidence: None,
            correlated: Index::default(),
            lookups: Arc::default(),
            listed: Listed::default(),
            colours: Arc::default(),
            named: Arc::default(),
            findings: Arc::new([]),
            assessments: Arc::new([]),
            coverage: Arc::default(),
            report: Arc::new(Report::default()),
            lint: Arc::new(Lint::default()),
            draft: Draft::default(),
            hashes: Vec::new(),
            work,
            panels: Panels::default(),
            timeline: Timeline::default(),
            packet: PacketView::default(),
            reading: Reading::default(),
            finding_list: List::default(),
            causes: Causes::default(),
            attempts: AttemptsView::default(),
            ladder: Ladder::default(),
            filter: FilterBar::default(),
            search: Search::default(),
            history: History::default(),
            dialog: None,
            notice: None,
            pending: Vec::new(),
            wanted: None,
            count: None,
            awaiting: None,
            generations: Generations::default(),
            clicked: None,
            dragged_from: None,
            divides: false,
            damage_dismissed: false,
            exported: Choices::default(),
            jotting: super::drafts::Jotting::default(),
            changed: std::collections::BTreeMap::new(),
            unkept: None,
            touched: false,
            left: None,
        }
    }

    /// Where everything is now.
    pub fn layout(&self) -> Layout {
        layout(self.size, &self.panels)
    }

    /// The contexts keys are looked up in, the nearest first.
    pub fn contexts(&self) -> Vec<Context> {
        if let Some(dialog) = &self.dialog {
            return dialog.contexts();
        }
        if self.filter.editing {
            return vec![Context::FilterLine, Context::Line];
        }
        vec![Context::of(self.panels.focus), Context::Panels]
    }

    /// The selected packet.
    pub fn packet(&self) -> Option<Packet<'_>> {
        self.index.packet(self.timeline.selected?)
    }

    /// The packet at the other end of the selected one's most telling link.
    pub fn partner(&self) -> Option<PacketId> {
        ties::partner(self.evidence.as_ref()?, self.timeline.selected?)
    }

    /// `#17`, with several files `A#17`.
    pub fn number(&self, id: PacketId) -> String {
        let Some(packet) = self.index.packet(id) else { return format!("#?{}", id.0) };
        if self.index.sources.len() > 1 {
            format!("{}#{}", crate::index::source_label(packet.segment.source), packet.frame().0)
        } else {
            format!("#{}", packet.frame().0)
        }
    }

    /// Time zero of relative times.
    pub fn zero_ns(&self) -> Nanos {
        let reference = self.timeline.reference.and_then(|id| self.index.packet(id));
        reference.map(|packet| packet.time_ns()).or(self.overview.first_ns).unwrap_or(0)
    }

    /// Shows a word until the next key.
    pub fn say(&mut self, text: impl Into<String>, tone: Tone) {
        self.notice = Some(Notice { text: text.into(), tone });
    }

    /// Selects a row of the timeline.
    pub fn select_row(&mut self, row: usize) {
        let count = self.timeline.rows.len(&self.index);
        self.timeline.row = row.min(count.saturating_sub(1));
        let selected = self.timeline.rows.get(&self.index, self.timeline.row);
        if selected != self.timeline.selected {
            self.timeline.selected = selected;
            self.packet.bytes_top = 0;
            self.packet.words_top = 0;
        }
    }

    fn remember(&mut self, from: PacketId) {
        self.history.entries.truncate(self.history.at);
        self.history.entries.push(from);
        if self.history.entries.len() > HISTORY_MAX {
            self.history.entries.remove(0);
        }
        self.history.at = self.history.entries.len();
    }

    /// Jumps to a packet and remembers where from. Returns false where the filter hides it.
    pub fn jump(&mut self, id: PacketId) -> bool {
        let Some(row) = self.timeline.rows.find(&self.index, id) else { return false };
        if let Some(from) = self.timeline.selected.filter(|from| *from != id) {
            self.remember(from);
        }
        self.select_row(row);
        // What comes from out of sight is shown with its surroundings.
        let visible = super::views::timeline::visible_rows(self);
        if !(self.timeline.top..self.timeline.top + visible).contains(&row) {
            self.timeline.top = row.saturating_sub(visible / 3);
        }
        true
    }

    /// Selects a packet that the focused panel points at, also one the filter hides; the row is then the nearest. Where one
    /// comes from is kept for going back, but not each row on the way.
    pub fn follow(&mut self, id: PacketId) {
        let here = self.timeline.selected;
        if here == Some(id) {
            return;
        }
        if let Some(from) = here.filter(|_| here != self.history.followed) {
            self.remember(from);
        }
        let row = self.timeline.rows.nearest(&self.index, id);
        self.select_row(row);
        self.timeline.selected = Some(id);
        self.history.followed = Some(id);
    }

    /// Gives a panel the focus and shows it.
    pub fn focus(&mut self, panel: Panel) {
        self.panels.focus = panel;
        if panel.is_side() {
            self.panels.side = panel;
        }
    }
}

impl State {
    /// The rows of the range being picked, both ends included.
    pub fn range(&self) -> Option<std::ops::RangeInclusive<usize>> {
        let from = self.timeline.rows.find(&self.index, self.timeline.range_from?)?;
        let to = self.timeline.row;
        Some(from.min(to)..=from.max(to))
    }

    /// Whether something is under way that changes the screen without a key.
    pub fn is_busy(&self) -> bool {
        self.loading.is_some()
            || self.draft.since_ms.is_some()
            || self.evidence.is_none()
            || self.filter.status == FilterStatus::Running
            || self.search.running
            || self.jotting.is_due()
    }
}
