//! What can happen, what is asked of the outside, and what background work answers.

use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent};

use super::actions::Action;
use super::attempts::{Grouping, Listed, Order, Table};
use super::ladder::{About, Ladder};
use super::overview::Overview;
use super::search::Needle;
use super::state::{Loading, Rows};
use crate::attempts::Attempts;
use crate::capture::watch::Change;
use crate::case::{CustodyEntry, Event, EvidenceRecord, LedgerChange, Notice, Saving, State as Case};
use crate::correlate::Evidence;
use crate::filter::named::Named;
use crate::filter::{Filter, Vocabulary};
use crate::findings::hypotheses::Assessment;
use crate::findings::{Coverage, Finding};
use crate::index::{Index, PacketId};
use crate::report::Report;
use crate::report::lint::Lint;

/// Everything that can happen.
pub enum Message {
    /// An action of the table.
    Act(&'static Action),
    /// A key that is no action, or pasted text.
    Text(Typed),
    /// The mouse.
    Mouse(MouseEvent),
    /// The screen's new size.
    Resize(u16, u16),
    /// Loading went on.
    Progress(Progress),
    /// A job has ended.
    Done(Reply),
    /// Milliseconds since the start.
    Tick(u64),
}

/// Text from the keyboard.
pub enum Typed {
    /// One key.
    Key(KeyEvent),
    /// Pasted text.
    Paste(String),
}

/// A step of loading.
pub struct Progress {
    /// The packets so far.
    pub index: Index,
    /// Their spread over time.
    pub overview: Arc<Overview>,
    /// How far it is.
    pub loading: Loading,
}

/// What the state asks the outside to do.
#[derive(Default)]
pub enum Effect {
    /// Nothing.
    #[default]
    None,
    /// Several things in order.
    Many(Vec<Effect>),
    /// Start work in the background.
    Start(Job),
    /// Put text on the clipboard.
    Copy(String),
    /// Take another theme.
    Theme(&'static str),
    /// Keep these filters for later sessions.
    Remember(Vec<String>),
    /// Open a text in place of what is open.
    OpenText(String),
    /// Let the analyst's own editor change the text of the open dialog.
    OpenEditor(String),
    /// Draw everything anew, whatever something else wrote onto the screen.
    Redraw,
    /// Stop until the shell lets the program go on.
    Suspend,
    /// Leave.
    Quit,
}

/// Work done in the background.
pub enum Job {
    /// Join the packets of an index, which may still grow.
    Correlate {
        /// Its number; only the newest counts.
        generation: u64,
        /// The packets.
        index: Index,
        /// The filters that `$name` means.
        named: Arc<Named>,
    },
    /// Hash the captures.
    Hash {
        /// The packets with their sources.
        index: Index,
    },
    /// Count the values that occur.
    Vocabulary {
        /// The packets.
        index: Index,
        /// What correlation found.
        evidence: Arc<Evidence>,
    },
    /// Find the rows of a filter.
    Filter {
        /// Its number; only the newest counts.
        generation: u64,
        /// The filter.
        filter: Filter,
        /// Whether partners of matching packets are wanted too.
        partners: bool,
        /// What it found among the first packets already, and how many those were.
        known: Option<(u32, Arc<[u32]>)>,
        /// The packets.
        index: Index,
        /// What correlation found.
        evidence: Option<Arc<Evidence>>,
        /// The analyst's work.
        case: Arc<Case>,
    },
    /// Run the rules and write the draft.
    Draft {
        /// Its number; only the newest counts.
        generation: u64,
        /// The packets.
        index: Index,
        /// What correlation found.
        evidence: Arc<Evidence>,
        /// The analyst's work.
        case: Arc<Case>,
        /// What the draft before was made with; what still holds is not worked out again.
        before: Option<Arc<Drafting>>,
        /// The attempts so far: lookups alone before the first draft.
        table: Arc<Table>,
    },
    /// Put attempts in order, or together.
    List {
        /// Its number; only the newest counts.
        generation: u64,
        /// The packets.
        index: Index,
        /// The attempts.
        table: Arc<Table>,
        /// In which order.
        order: Order,
        /// By what.
        grouping: Grouping,
    },
    /// Draw the ladder of something.
    Ladder {
        /// Its number; only the newest counts.
        generation: u64,
        /// The packets.
        index: Index,
        /// The attempts.
        table: Arc<Table>,
        /// Of what.
        about: About,
    },
    /// Look for the next packet of a row's conversation.
    Conversation {
        /// Its number; only the newest counts.
        generation: u64,
        /// The packets.
        index: Index,
        /// The rows to look in.
        rows: Rows,
        /// The row whose conversation it is.
        from: usize,
        /// Towards the beginning.
        backward: bool,
    },
    /// Let go of the search that runs.
    StopSearch,
    /// Look for text from a row on, round the end, and count all rows that hold it.
    Search {
        /// Its number; only the newest counts.
        generation: u64,
        /// What is looked for.
        needle: Arc<Needle>,
        /// The packets.
        index: Index,
        /// The rows to look in.
        rows: Rows,
        /// The row before the first looked at.
        from: usize,
        /// Towards the beginning.
        backward: bool,
    },
    /// Write the report or a bundle.
    Export(Export),
    /// Write a capture that came through a pipe to a file, and tell the case what it is.
    Keep {
        /// Where to.
        path: std::path::PathBuf,
        /// The packets with their sources.
        index: Index,
    },
    /// Write the case to a file of the analyst's choice.
    SaveCase(std::path::PathBuf),
    /// Leave without saving.
    Quit,
    /// Write the report as a ticket, for the clipboard.
    Ticket {
        /// The packets.
        index: Index,
        /// What correlation found.
        evidence: Arc<Evidence>,
        /// The analyst's work.
        case: Arc<Case>,
    },
    /// Change the case.
    Change(Event),
    /// Go on with captures that are not the ones the case was made for.
    AcceptCapture {
        /// What they are now.
        records: Vec<EvidenceRecord>,
    },
    /// Take the last change of the case back.
    Undo,
    /// Make it again.
    Redo,
}

/// What a draft was made with.
#[derive(Clone)]
pub struct Drafting {
    /// What correlation found.
    pub evidence: Arc<Evidence>,
    /// The analyst's changes of the ledger.
    pub ledger: Vec<LedgerChange>,
    /// What the rules found.
    pub findings: Arc<[Finding]>,
    /// The assessments.
    pub assessments: Arc<[Assessment]>,
    /// What was judged, and what was seen without being assessed.
    pub coverage: Arc<Coverage>,
    /// What clients wanted of services beside DNS.
    pub attempts: Arc<Attempts>,
    /// The attempts with their failures; nothing where no screen asks.
    pub table: Arc<Table>,
    /// Which verdict speaks of a packet, by its place; in packet order.
    pub spoken: Vec<(PacketId, usize)>,
}

impl Drafting {
    /// The verdict that speaks of a packet.
    pub fn spoken_of(&self, packet: PacketId) -> Option<usize> {
        let at = self.spoken.binary_search_by_key(&packet, |(id, _)| *id).ok()?;
        self.spoken.get(at).map(|(_, verdict)| *verdict)
    }

    /// The first packet that the gravest failure shows itself in.
    pub fn gravest(&self) -> Option<PacketId> {
        let marks = &self.table.failures.marks;
        let of_gravest = marks.iter().find(|mark| self.spoken_of(mark.packet) == Some(0));
        of_gravest.or(marks.first()).map(|mark| mark.packet)
    }
}

/// A report to be written.
#[derive(Clone)]
pub struct Export {
    /// Where to.
    pub path: std::path::PathBuf,
    /// Template name.
    pub template: String,
    /// The format's name, or [`super::export_form::BUNDLE`].
    pub format: &'static str,
    /// Replace addresses and names by pseudonyms.
    pub redact: bool,
    /// Write over a file that is there.
    pub overwrite: bool,
    /// The packets.
    pub index: Index,
    /// What correlation found.
    pub evidence: Arc<Evidence>,
    /// The analyst's work.
    pub case: Arc<Case>,
    /// SHA-256 of each source, once known.
    pub hashes: Vec<String>,
    /// What the last draft was made with.
    pub before: Option<Arc<Drafting>>,
}

/// What a job found.
pub enum Reply {
    /// Correlation.
    Evidence {
        /// The job's number.
        generation: u64,
        /// The packets it saw.
        index: Index,
        /// What it found.
        evidence: Arc<Evidence>,
        /// The lookups.
        table: Arc<Table>,
    },
    /// Attempts in order, or together.
    Listed {
        /// The job's number.
        generation: u64,
        /// The list.
        listed: Listed,
    },
    /// A ladder; `None` where there is nothing to draw.
    Ladder {
        /// The job's number.
        generation: u64,
        /// The ladder.
        ladder: Option<Ladder>,
    },
    /// Values that occur in the capture.
    Vocabulary(Arc<Vocabulary>),
    /// Hashes of the sources, in their order; empty text where one could not be read.
    Hashed(Vec<String>),
    /// The first rows of a filter, while it still looks for more.
    Matching {
        /// The job's number.
        generation: u64,
        /// The filter.
        filter: Filter,
        /// The rows so far.
        rows: Arc<[u32]>,
        /// Packets looked at.
        done: u32,
    },
    /// The rows of a filter.
    Filtered {
        /// The job's number.
        generation: u64,
        /// The filter.
        filter: Filter,
        /// The rows.
        rows: Rows,
        /// Packets that match, partners not counted.
        matching: usize,
        /// Packets there were.
        seen: u32,
        /// Legal parts that can match nothing.
        warnings: Vec<(std::ops::Range<usize>, String)>,
    },
    /// The draft.
    Drafted {
        /// The job's number.
        generation: u64,
        /// The draft.
        report: Arc<Report>,
        /// What a supervisor would say to it.
        lint: Arc<Lint>,
        /// What it was made with.
        made_with: Arc<Drafting>,
    },
    /// A search ended.
    Found {
        /// The job's number.
        generation: u64,
        /// The row, if any.
        row: Option<usize>,
    },
    /// All rows that hold what is searched for.
    Counted {
        /// The job's number.
        generation: u64,
        /// Their positions, rising.
        rows: Arc<[u32]>,
    },
    /// An export ended: what to say. What goes into the chain of custody went there already.
    Exported(Result<(String, CustodyEntry), String>),
    /// The case was written where the analyst said, or why not.
    CaseSaved(Result<(), String>),
    /// A capture file is not what was opened any more, or is again.
    Changed {
        /// Its position among the sources.
        source: usize,
        /// How it differs.
        change: Option<Change>,
    },
    /// Why a capture that comes through a pipe is not being kept on the disk; nothing where it is again.
    Unkept(Option<String>),
    /// The report as a ticket, for the clipboard.
    Ticket(Result<String, String>),
    /// A capture is kept: its hash, and what goes into the chain of custody. Or why not.
    Kept(Result<(String, CustodyEntry), String>),
    /// The file is there already: ask.
    Exists(Export),
    /// The case after a change.
    Case {
        /// The case.
        case: Arc<Case>,
        /// Where it stands with the disk.
        saving: Saving,
        /// What the analyst has to be told.
        notices: Vec<Notice>,
    },
    /// The analyst's editor gave this text back.
    Edited(Result<String, String>),
}
