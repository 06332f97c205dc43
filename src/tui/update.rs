//! Messages in, changed state and effects out: no reading, no writing, no clock.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::actions::{self, Action};
use super::dialogs::Dialog;
use super::keys::{Meaning, Stroke, meaning};
use super::layout::Panel;
use super::overview::Overview;
use super::settle::settle;
use super::state::{Awaiting, FilterStatus, Loading, Rows, State, Tone};
use crate::case::{CustodyEntry, Event, EvidenceRecord, LedgerChange, Notice, Saving, State as Case};
use crate::correlate::Evidence;
use crate::filter::Filter;
use crate::filter::Vocabulary;
use crate::findings::Finding;
use crate::findings::hypotheses::Assessment;
use crate::index::{Index, PacketId};
use crate::report::lint::Lint;
use crate::report::{Block, Report};

/// Clicks nearer together than this are a double click.
const DOUBLE_CLICK_MS: u64 = 400;

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
    /// Keep these filters for later sessions.
    Remember(Vec<String>),
    /// Let the analyst's own editor change the text of the open dialog.
    OpenEditor(String),
    /// Leave.
    Quit,
}

/// Work done in the background.
pub enum Job {
    /// Join the packets of a finished index.
    Correlate {
        /// The packets.
        index: Index,
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
    /// Look for text from a row on, round the end.
    Search {
        /// Its number; only the newest counts.
        generation: u64,
        /// The text.
        text: String,
        /// The packets.
        index: Index,
        /// The rows to look in.
        rows: Rows,
        /// The row before the first looked at.
        from: usize,
        /// Towards the beginning.
        backward: bool,
    },
    /// Write the report.
    Export(Export),
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
}

/// A report to be written.
#[derive(Clone)]
pub struct Export {
    /// Where to.
    pub path: std::path::PathBuf,
    /// Template name.
    pub template: String,
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
        /// What it found.
        evidence: Arc<Evidence>,
        /// Packets of failures, sorted.
        problems: Arc<[PacketId]>,
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
    /// An export ended: what to say, and what goes into the chain of custody.
    Exported(Result<(String, CustodyEntry), String>),
    /// The report as a ticket, for the clipboard.
    Ticket(Result<String, String>),
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

/// Applies a message.
pub fn update(state: &mut State, message: Message) -> Effect {
    let effect = match message {
        Message::Act(action) => {
            state.pending.clear();
            state.notice = None;
            let effect = (action.run)(state);
            state.count = None;
            effect
        }
        Message::Text(Typed::Key(key)) => key_typed(state, key),
        Message::Text(Typed::Paste(text)) => pasted(state, &text),
        Message::Mouse(mouse) => moused(state, mouse),
        Message::Resize(width, height) => {
            state.size = Rect::new(0, 0, width, height);
            Effect::None
        }
        Message::Progress(progress) => progressed(state, progress),
        Message::Done(reply) => done(state, reply),
        Message::Tick(now_ms) => {
            state.now_ms = now_ms;
            Effect::None
        }
    };
    settle(state);
    effect
}

fn key_typed(state: &mut State, key: KeyEvent) -> Effect {
    if let Some(awaiting) = state.awaiting.take() {
        let KeyCode::Char(letter) = key.code else { return Effect::None };
        return match awaiting {
            Awaiting::Mark => actions::moving::set_mark(state, letter),
            Awaiting::GoToMark => actions::moving::go_to_mark(state, letter),
        };
    }
    if let Some(dialog) = &mut state.dialog {
        let choice = dialog.key(key);
        return choice.map_or(Effect::None, |choice| actions::choosing::choose(state, choice));
    }
    if state.filter.editing {
        if state.filter.line.key(key) {
            return actions::filtering::typed(state);
        }
        return Effect::None;
    }
    state.notice = None;
    // Digits count: from the start for 5…9, after `g` or other digits always.
    if let (KeyCode::Char(digit @ '0'..='9'), true) =
        (key.code, state.count.is_some() || !state.pending.is_empty() || key.code >= KeyCode::Char('5'))
    {
        let value = u32::from(digit) - u32::from('0');
        state.count = Some(state.count.unwrap_or(0).saturating_mul(10).saturating_add(value));
        return Effect::None;
    }
    if key.code == KeyCode::Enter && !state.pending.is_empty() {
        state.pending.clear();
        return actions::moving::go_to_count(state);
    }
    state.pending.push(Stroke::of(key));
    if !matches!(meaning(&state.contexts(), &state.pending), Meaning::Prefix) {
        state.pending.clear();
        state.count = None;
    }
    Effect::None
}

fn pasted(state: &mut State, text: &str) -> Effect {
    if let Some(dialog) = &mut state.dialog {
        dialog.paste(text);
    } else if state.filter.editing {
        state.filter.line.insert(text);
        return actions::filtering::typed(state);
    }
    Effect::None
}

fn moused(state: &mut State, mouse: MouseEvent) -> Effect {
    let (x, y) = (mouse.column, mouse.row);
    let lines = match mouse.kind {
        MouseEventKind::ScrollDown => 3,
        MouseEventKind::ScrollUp => -3,
        MouseEventKind::Down(MouseButton::Left) => return pressed(state, x, y),
        _ => return Effect::None,
    };
    if let Some(dialog) = &mut state.dialog {
        if let Dialog::Help { top, .. } = dialog {
            *top = top.saturating_add_signed(lines);
        }
        return Effect::None;
    }
    let layout = state.layout();
    let panel = [Panel::Timeline, Panel::Packet, state.panels.side]
        .into_iter()
        .find(|panel| layout.panel(*panel).contains((x, y).into()));
    if let Some(panel) = panel {
        actions::moving::scroll(state, panel, lines);
    }
    Effect::None
}

fn pressed(state: &mut State, x: u16, y: u16) -> Effect {
    if state.dialog.is_some() {
        return Effect::None;
    }
    let double = state.clicked.is_some_and(|(column, row, at)| {
        (column, row) == (x, y) && state.now_ms.saturating_sub(at) < DOUBLE_CLICK_MS
    });
    state.clicked = (!double).then_some((x, y, state.now_ms));
    let layout = state.layout();
    if layout.filter.contains((x, y).into()) {
        return actions::filtering::open(state);
    }
    if layout.tabs.contains((x, y).into()) {
        if let Some(panel) = super::views::tabs::at(state, layout.tabs, x) {
            state.focus(panel);
        }
        return Effect::None;
    }
    if layout.overview.contains((x, y).into()) {
        return actions::moving::to_overview(state, x);
    }
    for panel in [Panel::Timeline, Panel::Packet, state.panels.side] {
        if !layout.panel(panel).contains((x, y).into()) {
            continue;
        }
        state.focus(panel);
        let inner = layout.inner(panel);
        if inner.contains((x, y).into()) {
            actions::moving::press(state, panel, usize::from(y - inner.y), x - inner.x);
            if double {
                return actions::moving::activate(state);
            }
        }
        return Effect::None;
    }
    Effect::None
}

fn progressed(state: &mut State, progress: Progress) -> Effect {
    let complete = progress.index.complete;
    state.index = progress.index;
    state.overview = progress.overview;
    state.loading = (!complete).then_some(progress.loading);
    state.panels.damage = damage_line(state).is_some();
    if state.timeline.selected.is_none() && !state.index.is_empty() {
        state.select_row(0);
    }
    let mut effects = Vec::new();
    if complete {
        effects.push(Effect::Start(Job::Correlate { index: state.index.clone() }));
        effects.push(Effect::Start(Job::Hash { index: state.index.clone() }));
        if let Some(id) = state.timeline.selected {
            state.timeline.row = state.timeline.rows.nearest(&state.index, id);
        }
    }
    if state.filter.applied.is_some() && state.filter.status != FilterStatus::Running {
        effects.push(actions::filtering::again(state));
    }
    Effect::Many(effects)
}

/// A word about the case that needs attention and was not dismissed.
pub fn loud_notice(state: &State) -> Option<&Notice> {
    let work = &state.work;
    work.notices.iter().find(|notice| notice.is_loud() && !work.dismissed.contains(notice))
}

/// The one line about a case that needs attention, or about damage, if there is any.
pub fn damage_line(state: &State) -> Option<String> {
    if let Some(notice) = loud_notice(state) {
        return Some(notice.to_string());
    }
    if state.damage_dismissed {
        return None;
    }
    let several = state.index.sources.len() > 1;
    let lines: Vec<String> = state
        .index
        .sources
        .iter()
        .filter_map(|source| {
            let first = source.metadata.damage.first()?;
            let more = match source.metadata.damage.len() {
                1 => String::new(),
                count => format!(" · and {} more places", count - 1),
            };
            let name =
                if several { format!("{}: ", crate::text::escape(&source.name)) } else { String::new() };
            Some(format!("{name}{first}{more}"))
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join(" · "))
}

fn done(state: &mut State, reply: Reply) -> Effect {
    match reply {
        Reply::Evidence { evidence, problems } => {
            let failed = evidence.transactions.iter().filter(|query| query.outcome.is_failure());
            state.failed_queries = failed.count() as u64;
            state.evidence = Some(evidence);
            state.problems = problems;
            if state.ladder.episode.is_none() {
                let first = state.evidence.as_ref().is_some_and(|evidence| !evidence.episodes.is_empty());
                state.ladder.episode = first.then_some(crate::correlate::EpisodeId(0));
            }
            let draft = Effect::Many(vec![draft(state), vocabulary(state)]);
            if state.filter.applied.is_some() {
                return Effect::Many(vec![draft, actions::filtering::again(state)]);
            }
            draft
        }
        Reply::Vocabulary(vocabulary) => {
            state.filter.vocabulary = Some(vocabulary);
            Effect::None
        }
        Reply::Hashed(hashes) => {
            state.hashes = hashes;
            Effect::None
        }
        Reply::Matching { generation, filter, rows, done } => {
            if generation == state.generations.filter {
                actions::filtering::show_first(state, &filter, rows, done);
            }
            Effect::None
        }
        Reply::Filtered { generation, filter, rows, matching, seen, warnings } => {
            if generation == state.generations.filter {
                let fresh = state.index.len() > seen;
                actions::filtering::show(state, filter, rows, matching, seen, warnings);
                if fresh {
                    return actions::filtering::again(state);
                }
            }
            Effect::None
        }
        Reply::Drafted { generation, report, lint, made_with } => {
            state.draft.since_ms = None;
            if generation == state.generations.draft {
                state.findings = Arc::clone(&made_with.findings);
                state.assessments = Arc::clone(&made_with.assessments);
                state.draft.made_with = Some(made_with);
                state.report = report;
                reveal_note(state);
                state.lint = lint;
            }
            if std::mem::take(&mut state.draft.again) { draft(state) } else { Effect::None }
        }
        Reply::Found { generation, row } => {
            if generation == state.generations.search {
                return actions::filtering::found(state, row);
            }
            Effect::None
        }
        Reply::Exported(Ok((text, entry))) => {
            state.say(text, Tone::Good);
            let position = state.work.case.custody.len();
            Effect::Start(Job::Change(Event::Custody { position, entry: Some(entry) }))
        }
        Reply::Ticket(Ok(text)) => {
            state.say("the ticket text is on the clipboard", Tone::Good);
            Effect::Copy(text)
        }
        Reply::Exported(Err(text)) | Reply::Ticket(Err(text)) => {
            state.say(text, Tone::Warning);
            Effect::None
        }
        Reply::Exists(export) => {
            actions::choosing::ask_overwrite(state, export);
            Effect::None
        }
        Reply::Case { case, saving, notices } => {
            let changed = case != state.work.case;
            state.work.case = case;
            state.work.saving = saving;
            let quiet =
                notices.iter().find(|notice| !notice.is_loud() && !state.work.notices.contains(notice));
            if let Some(notice) = quiet {
                state.say(notice.to_string(), Tone::Plain);
            }
            state.work.notices = notices;
            state.panels.damage = damage_line(state).is_some();
            if changed { draft(state) } else { Effect::None }
        }
        Reply::Edited(Ok(text)) => {
            actions::choosing::take_edited(state, &text);
            Effect::None
        }
        Reply::Edited(Err(text)) => {
            state.say(text, Tone::Warning);
            Effect::None
        }
    }
}

/// Asks for the values that occur, for completion.
fn vocabulary(state: &State) -> Effect {
    let Some(evidence) = state.evidence.clone() else { return Effect::None };
    Effect::Start(Job::Vocabulary { index: state.index.clone(), evidence })
}

/// Asks for a new draft. One is written at a time: what changes meanwhile is in the next one.
pub fn draft(state: &mut State) -> Effect {
    let Some(evidence) = state.evidence.clone() else { return Effect::None };
    if state.draft.since_ms.is_some() {
        state.draft.again = true;
        return Effect::None;
    }
    state.draft.since_ms = Some(state.now_ms);
    state.generations.draft += 1;
    Effect::Start(Job::Draft {
        generation: state.generations.draft,
        index: state.index.clone(),
        evidence,
        case: Arc::clone(&state.work.case),
        before: state.draft.made_with.clone(),
    })
}

/// Brings the note just written into sight in the report, without taking the focus there.
fn reveal_note(state: &mut State) {
    let Some(id) = state.reading.reveal.take() else { return };
    let is_note = |block: &Block| matches!(block, Block::Claim(claim) if claim.annotation == Some(id));
    match state.report.blocks().position(is_note) {
        Some(item) => state.reading.item = item,
        None => state.reading.reveal = Some(id),
    }
}
