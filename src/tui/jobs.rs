//! Background work: each job runs on a thread of its own and sends one reply; a newer one of its kind cancels it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::attempts::{Listed, Table};
use super::search::Search;
use super::state::Rows;
use super::update::{Export, Job, Reply};
use super::work::{Notes, records};
use crate::attempts::Attempts;
use crate::case::{Case, CustodyEntry, EvidenceRecord};
use crate::correlate::{Evidence, Parameters, correlate};
use crate::files::There;
use crate::filter::named::Named;
use crate::filter::{Context, Filter};
use crate::index::{Index, PacketId};

/// What a thread sends: an event of the terminal, a step of loading, or a reply.
pub type Send = dyn Fn(Reply) + std::marker::Send + Sync;

/// Runs jobs.
pub struct Jobs {
    send: Arc<Send>,
    running: HashMap<Kind, Arc<AtomicBool>>,
    case: Option<SyncSender<CaseJob>>,
    case_thread: Option<JoinHandle<()>>,
    /// What is being written for others; the program does not leave before it is, and written down.
    exports: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Correlate,
    Hash,
    Filter,
    Draft,
    List,
    Ladder,
    Vocabulary,
    Search,
}

enum CaseJob {
    Job(Job),
    Record(CustodyEntry),
    Identify(Vec<EvidenceRecord>, Index),
    /// The same where the case still wants to know what its captures are.
    Settle(Index),
}

/// Changes that may wait to be written.
const CASE_QUEUE_MAX: usize = 256;
/// How often it is tried again to save what could not be saved.
const RETRY_EVERY: Duration = Duration::from_secs(2);

/// Does what comes for the case, until nobody can send any more.
fn keep_case(mut case: Case, changes: &Receiver<CaseJob>, reply: &Send) {
    reply(case_reply(&case));
    loop {
        match changes.recv_timeout(RETRY_EVERY) {
            Ok(CaseJob::Job(Job::SaveCase(path))) => {
                let saved = case.save_as(&path).map_err(|error| {
                    format!("the case was not written: {error}{}", crate::sandbox::hint(&error))
                });
                reply(Reply::CaseSaved(saved));
            }
            Ok(CaseJob::Job(job)) => change_case(&mut case, job),
            Ok(CaseJob::Record(entry)) => case.record(entry, super::wall_clock_ns()),
            Ok(CaseJob::Identify(records, index)) => identify(&mut case, &records, &index),
            Ok(CaseJob::Settle(index)) => {
                if case.wants_hash()
                    && let Some(hashes) = hash(&index, &AtomicBool::new(false))
                {
                    identify(&mut case, &records(&index, &hashes), &index);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                if !case.retry(super::wall_clock_ns()) {
                    continue;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
        reply(case_reply(&case));
    }
    // The last chance for what no disk would take before.
    case.retry(super::wall_clock_ns());
}

fn identify(case: &mut Case, records: &[EvidenceRecord], index: &Index) {
    let now_ns = super::wall_clock_ns();
    case.identify(records.to_vec(), now_ns);
    case.opened(index, records, now_ns);
}

impl Jobs {
    /// Jobs that reply through `send`; `case` is opened by the thread that keeps it.
    pub fn new(send: Arc<Send>, case: impl FnOnce() -> Case + std::marker::Send + 'static) -> Self {
        let (to_case, changes) = mpsc::sync_channel(CASE_QUEUE_MAX);
        let reply = Arc::clone(&send);
        let case_thread = std::thread::spawn(move || keep_case(case(), &changes, &*reply));
        Self {
            send,
            running: HashMap::new(),
            case: Some(to_case),
            case_thread: Some(case_thread),
            exports: Vec::new(),
        }
    }

    /// Starts a job.
    pub fn start(&mut self, job: Job) {
        let kind = match &job {
            Job::Change(_) | Job::AcceptCapture { .. } | Job::Undo | Job::Redo | Job::SaveCase(_) => {
                if let Some(case) = &self.case {
                    let _ = case.send(CaseJob::Job(job));
                }
                return;
            }
            Job::Correlate { .. } => Kind::Correlate,
            Job::Hash { .. } => Kind::Hash,
            Job::Filter { .. } => Kind::Filter,
            Job::Draft { .. } => Kind::Draft,
            Job::List { .. } => Kind::List,
            Job::Ladder { .. } => Kind::Ladder,
            Job::Vocabulary { .. } => Kind::Vocabulary,
            Job::Search { .. } | Job::StopSearch | Job::Conversation { .. } => Kind::Search,
            Job::Export(_) | Job::Ticket { .. } | Job::Keep { .. } => return self.export(job),
            Job::Quit => return,
        };
        let cancel = Arc::new(AtomicBool::new(false));
        if let Some(older) = self.running.insert(kind, Arc::clone(&cancel)) {
            older.store(true, Ordering::Relaxed);
        }
        let send = Arc::clone(&self.send);
        let case = self.case.clone();
        std::thread::spawn(move || {
            let hashed = match &job {
                Job::Hash { index } => Some(index.clone()),
                _ => None,
            };
            let reply = run(job, &cancel, &*send);
            if cancel.load(Ordering::Relaxed) {
                return;
            }
            if let (Some(Reply::Hashed(hashes)), Some(index), Some(case)) = (&reply, hashed, case) {
                let _ = case.send(CaseJob::Identify(records(&index, hashes), index));
            }
            if let Some(reply) = reply {
                send(reply);
            }
        });
    }

    /// Writes something for others. It is never cancelled, and what finishes is written down whatever else happens.
    fn export(&mut self, job: Job) {
        self.exports.retain(|export| !export.is_finished());
        let send = Arc::clone(&self.send);
        let case = self.case.clone();
        self.exports.push(std::thread::spawn(move || {
            let index = match &job {
                Job::Keep { index, .. } => Some(index.clone()),
                _ => None,
            };
            let Some(reply) = run(job, &AtomicBool::new(false), &*send) else { return };
            let entry = match &reply {
                Reply::Exported(Ok((_, entry))) | Reply::Kept(Ok((_, entry))) => Some(entry.clone()),
                Reply::Ticket(Ok(_)) => {
                    let now_ns = super::wall_clock_ns();
                    Some(super::exporting::exported(now_ns, "ticket, to the clipboard".to_owned(), None))
                }
                _ => None,
            };
            if let Some(case) = case {
                if let (Reply::Kept(Ok((hash, _))), Some(index)) = (&reply, index) {
                    let known = records(&index, std::slice::from_ref(hash));
                    let _ = case.send(CaseJob::Identify(known, index));
                }
                if let Some(entry) = entry {
                    let _ = case.send(CaseJob::Record(entry));
                }
            }
            send(reply);
        }));
    }

    /// Cancels what nobody waits for any more, and waits until exports and case are written. With `index` the case learns what
    /// its captures are, where it does not know yet.
    pub fn finish(&mut self, index: Option<&Index>) {
        for cancel in self.running.values() {
            cancel.store(true, Ordering::Relaxed);
        }
        for export in self.exports.drain(..) {
            let _ = export.join();
        }
        if let (Some(case), Some(index)) = (&self.case, index) {
            let _ = case.send(CaseJob::Settle(index.clone()));
        }
        self.case = None;
        if let Some(thread) = self.case_thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Jobs {
    /// A panic must not end the program before the case is written.
    fn drop(&mut self) {
        self.finish(None);
    }
}

/// Applies a change to the case.
pub fn change_case(case: &mut Case, job: Job) {
    let now_ns = super::wall_clock_ns();
    match job {
        Job::Change(event) => case.apply(event, now_ns),
        Job::AcceptCapture { records } => case.accept_changed_capture(records, now_ns),
        Job::Undo => {
            case.undo(now_ns);
        }
        Job::Redo => {
            case.redo(now_ns);
        }
        _ => {}
    }
}

/// The case as the screen shows it.
pub fn case_reply(case: &Case) -> Reply {
    Reply::Case {
        case: Arc::new(case.state().clone()),
        saving: case.saving(),
        notices: case.notices().to_vec(),
    }
}

/// Does a job that does not concern the case; `None` when there is nothing more to say. What is found before the
/// end goes through `early`.
pub fn run(job: Job, cancel: &AtomicBool, early: &dyn Fn(Reply)) -> Option<Reply> {
    Some(match job {
        Job::Correlate { generation, index, named } => {
            let evidence = Arc::new(correlate(&index, &Parameters::default(), cancel));
            // Worked out here once, so that no screen and no filter waits for it.
            evidence.prepare(&index);
            Attempts::prepare(&evidence);
            let failed = problems(&index, &evidence, &named, cancel);
            let table = Arc::new(Table::of_lookups(&index, &evidence, failed));
            Reply::Evidence { generation, index, evidence, table }
        }
        Job::Vocabulary { index, evidence } => {
            let context = Context { index: &index, evidence: Some(&evidence), notes: None, cancel };
            Reply::Vocabulary(Arc::new(crate::filter::Vocabulary::new(&context)))
        }
        Job::Hash { index } => Reply::Hashed(hash(&index, cancel)?),
        Job::Filter { generation, filter, partners, known, index, evidence, case } => {
            let notes = Notes { case, index: index.clone() };
            let context =
                Context { index: &index, evidence: evidence.as_deref(), notes: Some(&notes), cancel };
            let wider = (partners && evidence.is_some()).then(|| filter.with_partners());
            filtered(generation, filter, wider, known, &context, early)?
        }
        Job::Draft { generation, index, evidence, case, before, table } => {
            let (report, made_with) = super::exporting::screened(&index, &evidence, &case, before, &table);
            let lint = Arc::new(crate::report::lint::lint(&report));
            Reply::Drafted { generation, report: Arc::new(report), lint, made_with }
        }
        Job::List { generation, index, table, order, grouping } => {
            Reply::Listed { generation, listed: Listed::new(&index, table, (order, grouping), cancel)? }
        }
        Job::Ladder { generation, index, table, about } => {
            Reply::Ladder { generation, ladder: super::ladder::draw(&index, &table, about, cancel) }
        }
        Job::Search { generation, needle, index, rows, from, backward } => {
            let search = Search { needle: &needle, index: &index, rows: &rows, from, backward };
            let row = search.next(cancel);
            if row.is_none() {
                return Some(Reply::Found { generation, row });
            }
            early(Reply::Found { generation, row });
            Reply::Counted { generation, rows: search.all(cancel)? }
        }
        Job::Conversation { generation, index, rows, from, backward } => {
            Reply::Found { generation, row: super::conversation::next(&index, &rows, from, backward, cancel) }
        }
        Job::Export(export) => write_export(export),
        Job::Keep { path, index } => {
            let kept = super::exporting::keep(&path, &index).map(|hash| {
                let detail = format!("the capture itself: {} (SHA-256 {hash})", path.display());
                let entry = super::exporting::exported(super::wall_clock_ns(), detail, Some(true));
                (hash, entry)
            });
            Reply::Kept(kept.map_err(|error| format!("the capture was not kept: {error:#}")))
        }
        Job::Ticket { index, evidence, case } => {
            let ticket = super::exporting::ticket(&index, &evidence, &case);
            Reply::Ticket(ticket.map_err(|error| format!("no ticket: {error:#}")))
        }
        Job::Change(_)
        | Job::AcceptCapture { .. }
        | Job::Undo
        | Job::Redo
        | Job::SaveCase(_)
        | Job::Quit
        | Job::StopSearch => {
            return None;
        }
    })
}

/// The first rows are handed on at once; further ones whenever there are twice as many, so that copying them
/// costs no more than finding them. `wider` says what is shown where that is more than what matches.
fn filtered(
    generation: u64,
    filter: Filter,
    wider: Option<Filter>,
    known: Option<(u32, Arc<[u32]>)>,
    context: &Context<'_>,
    early: &dyn Fn(Reply),
) -> Option<Reply> {
    let (first, mut rows) = match known {
        // The last segment may have been completed meanwhile: what spans packets is found at its end.
        Some((seen, known)) => {
            let first = context.index.segment_start(seen.saturating_sub(1));
            (first, known.iter().copied().take_while(|row| *row < first).collect())
        }
        None => (0, Vec::new()),
    };
    let mut handed_on = rows.len();
    let finished = filter.rows_from(first, context, &mut |step| {
        rows.extend_from_slice(step.rows);
        if wider.is_none() && step.done < step.total && rows.len() > handed_on * 2 {
            handed_on = rows.len();
            let (filter, rows) = (filter.clone(), rows.as_slice().into());
            early(Reply::Matching { generation, filter, rows, done: step.done });
        }
    });
    if !finished {
        return None;
    }
    let matching = rows.len();
    let warnings = filter.warnings(context);
    if let Some(wider) = wider {
        rows.clear();
        if !wider.rows_with(context, &mut |step| rows.extend_from_slice(step.rows)) {
            return None;
        }
    }
    let seen = context.index.len();
    Some(Reply::Filtered { generation, filter, rows: Rows::Some(rows.into()), matching, seen, warnings })
}

fn hash(index: &Index, cancel: &AtomicBool) -> Option<Vec<String>> {
    let progress = AtomicU64::new(0);
    let mut hashes = Vec::new();
    for source in &index.sources {
        let path = source.path.as_deref();
        match crate::case::hash_source(path, source.bytes.bytes(), cancel, &progress) {
            Ok(Some(hash)) => hashes.push(hash),
            Ok(None) => return None,
            Err(_) => hashes.push(String::new()),
        }
    }
    Some(hashes)
}

/// Packets `]` stops at: those of the filter `$problem-marks`, in packet order.
fn problems(index: &Index, evidence: &Evidence, named: &Named, cancel: &AtomicBool) -> Vec<PacketId> {
    let Some(filter) = named
        .find("problem-marks")
        .and_then(|marks| Filter::parse_with(&marks.filter, &|_| None, named).ok())
    else {
        return Vec::new();
    };
    let context = Context { index, evidence: Some(evidence), notes: None, cancel };
    let mut rows = filter.rows(&context);
    rows.sort_unstable();
    rows.into_iter().map(PacketId).collect()
}

fn write_export(export: Export) -> Reply {
    let shown = crate::text::escape(&export.path.display().to_string());
    let there = crate::files::there(&export.path);
    if !export.overwrite && !matches!(there, There::Nothing | There::Stream) {
        return Reply::Exists(export);
    }
    let sources = export.index.sources.iter().filter_map(|source| source.path.as_ref());
    if sources
        .filter_map(|path| path.canonicalize().ok())
        .any(|path| export.path.canonicalize().ok() == Some(path))
    {
        return Reply::Exported(Err(format!("{shown} is the capture itself: nothing was written")));
    }
    Reply::Exported(match super::exporting::write(&export) {
        Ok(entry) => {
            let what = if export.format == super::export_form::BUNDLE { "bundle" } else { "report" };
            let redacted = if export.redact { "redacted " } else { "" };
            Ok((format!("{redacted}{what} written to {shown}"), entry))
        }
        Err(error) => {
            let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
            let hint = io.map_or("", crate::sandbox::hint);
            Err(format!("nothing was written: {error:#}{hint}"))
        }
    })
}
