//! The full-screen program: terminal guard, event loop, performs effects.
//!
//! `update` changes the state and returns effects; `render` draws the state; `layout` divides the screen for both.
//! Everything slow runs in `jobs`; all events come through one bounded channel and are taken together before drawing.

pub mod actions;
pub mod attempts;
pub mod colours;
pub mod conversation;
pub mod dialogs;
pub mod export_form;
pub mod exporting;
pub mod failures;
pub mod fit;
pub mod jobs;
pub mod keys;
pub mod ladder;
pub mod layout;
pub mod line;
pub mod live;
pub mod message;
pub mod mouse;
pub mod overview;
pub mod past;
pub mod places;
pub mod rows;
pub mod settings;
pub mod settle;
pub mod state;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod views;
pub mod work;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use anyhow::Result;
use crossterm::event::Event;
use ratatui::layout::Rect;

use crate::case::{Case, Place};
use crate::index::{Index, Input, Plan};
use crate::settings::Settings;
use crate::time::Nanos;
use jobs::Jobs;
use overview::Overview;
use state::{Loading, State};
use terminal::Screen;
use update::{Effect, Message, Progress, Reply, update};
use work::Work;

/// Events that may wait.
const QUEUE_MAX: usize = 256;
/// Snapshots of a growing index are taken at most this often.
const PUBLISH_EVERY: Duration = Duration::from_millis(60);
/// While something is under way, the screen is refreshed this often.
const TICK: Duration = Duration::from_millis(120);

/// What comes through the channel.
enum Incoming {
    Terminal(Event),
    TerminalGone,
    Progress(Progress),
    Reply(Reply),
}

/// Opens the captures on the full screen and returns when the analyst quits. Without any capture it asks for a text to be pasted; one
/// that is pasted later is opened in place of what is open.
pub fn run(inputs: Vec<Input>, settings: &Arc<Settings>) -> Result<()> {
    let mut screen = Screen::open()?;
    let mut next = Some(inputs);
    while let Some(inputs) = next {
        next = session(&mut screen, inputs, Arc::clone(settings))?;
    }
    screen.close();
    Ok(())
}

/// One capture, or several, from opening to leaving them; what is opened next.
fn session(screen: &mut Screen, inputs: Vec<Input>, settings: Arc<Settings>) -> Result<Option<Vec<Input>>> {
    let is_pasting = inputs.is_empty();
    let is_sample = inputs.first().is_some_and(|input| input.source.name.starts_with("sample:"));
    let capture = inputs.first().and_then(|input| input.source.path.clone());
    let place = Place::new(capture.as_deref());
    let (sender, receiver) = mpsc::sync_channel(QUEUE_MAX);
    read_terminal(sender.clone());
    load((inputs, settings), sender.clone());
    let replies = sender.clone();
    let send: Arc<jobs::Send> = Arc::new(move |reply| {
        let _ = replies.send(Incoming::Reply(reply));
    });
    let mut jobs = Jobs::new(send, move || Case::open(place));
    let (width, height) = screen.size()?;
    let mut state = State::new(Rect::new(0, 0, width, height), terminal::shows_unicode(), Work::default());
    state.filter.past = past::read();
    let (named, wrong_filters) = settings::filters();
    let (colours, wrong) = settings::colours(&named);
    state.named = Arc::new(named);
    state.colours = Arc::new(colours);
    if is_pasting {
        actions::leaving::paste(&mut state, "");
    }
    if let Some(message) = wrong_filters.or(wrong) {
        state.say(message, state::Tone::Warning);
    } else if is_sample {
        state.say("a sample incident · ] next problem · ? keys · yours: portmortem FILE", state::Tone::Plain);
    }
    let result = event_loop(&mut state, screen, &mut jobs, &receiver);
    // The receiver goes first: whoever waits to send sees that nobody listens any more.
    drop(receiver);
    drop(sender);
    jobs.finish(&state);
    result
}

fn event_loop(
    state: &mut State,
    screen: &mut Screen,
    jobs: &mut Jobs,
    receiver: &Receiver<Incoming>,
) -> Result<Option<Vec<Input>>> {
    let start = Instant::now();
    let mut next = None;
    loop {
        screen.draw(state)?;
        let first = if state.is_busy() {
            match receiver.recv_timeout(TICK) {
                Ok(incoming) => Some(incoming),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        } else {
            match receiver.recv() {
                Ok(incoming) => Some(incoming),
                Err(_) => return Ok(None),
            }
        };
        let effect = update(state, Message::Tick(start.elapsed().as_millis() as u64));
        if !perform(state, screen, (jobs, &mut next), effect)? {
            return Ok(next);
        }
        let waiting: Vec<Incoming> = first.into_iter().chain(receiver.try_iter().take(QUEUE_MAX)).collect();
        for incoming in waiting {
            let message = match incoming {
                Incoming::Terminal(event) => keys::message(state, &event),
                Incoming::TerminalGone => return Ok(None),
                Incoming::Progress(progress) => Some(Message::Progress(progress)),
                Incoming::Reply(reply) => Some(Message::Done(reply)),
            };
            let Some(message) = message else { continue };
            let effect = update(state, message);
            if !perform(state, screen, (jobs, &mut next), effect)? {
                return Ok(next);
            }
        }
    }
}

/// Does what an effect asks; false means leaving.
fn perform(
    state: &mut State,
    screen: &mut Screen,
    (jobs, next): (&mut Jobs, &mut Option<Vec<Input>>),
    effect: Effect,
) -> Result<bool> {
    match effect {
        Effect::None => {}
        Effect::Many(effects) => {
            for effect in effects {
                if !perform(state, screen, (jobs, next), effect)? {
                    return Ok(false);
                }
            }
        }
        Effect::Start(job) => jobs.start(job),
        // A filter that is not remembered is no reason to stop.
        Effect::Remember(filters) => drop(past::write(&filters)),
        Effect::Copy(text) => screen.copy(&text)?,
        Effect::OpenEditor(text) => {
            let edited = screen.edit(&text).map_err(|error| format!("no text from the editor: {error:#}"));
            let effect = update(state, Message::Done(Reply::Edited(edited)));
            return perform(state, screen, (jobs, next), effect);
        }
        Effect::OpenText(text) => match crate::capture::open_text("pasted text", text.into_bytes()) {
            Ok(found) => {
                let inputs = found.into_iter().map(|(source, walk)| Input { source, walk, offset_ns: 0 });
                *next = Some(inputs.collect());
                return Ok(false);
            }
            Err(error) => state.say(error.to_string(), state::Tone::Warning),
        },
        Effect::Quit => return Ok(false),
    }
    Ok(true)
}

/// Who gets what comes from the terminal: the session there is.
static SINK: Mutex<Option<SyncSender<Incoming>>> = Mutex::new(None);
static READER: Once = Once::new();
/// How long a key waits for the next session before it is looked for again.
const SESSION_WAIT: Duration = Duration::from_millis(20);

/// Keys come from the terminal device, so that a capture may come through standard input. One thread reads them for all sessions.
fn read_terminal(sender: SyncSender<Incoming>) {
    if let Ok(mut sink) = SINK.lock() {
        *sink = Some(sender);
    }
    READER.call_once(|| {
        std::thread::spawn(|| {
            loop {
                let mut incoming = match crossterm::event::read() {
                    Ok(event) => Incoming::Terminal(event),
                    Err(_) => Incoming::TerminalGone,
                };
                let last = matches!(incoming, Incoming::TerminalGone);
                // While the analyst's own editor has the terminal, its keys are not ours.
                terminal::wait_while_lent();
                loop {
                    let sink = SINK.lock().ok().and_then(|sink| sink.clone());
                    let Some(sink) = sink else { return };
                    match sink.send(incoming) {
                        Ok(()) => break,
                        // Nobody listens between one session and the next.
                        Err(mpsc::SendError(back)) => incoming = back,
                    }
                    std::thread::sleep(SESSION_WAIT);
                }
                if last {
                    return;
                }
            }
        });
    });
}

/// Builds the index on a thread of its own; another sends the newest snapshot as it grows, the last one at once.
fn load(inputs: (Vec<Input>, Arc<Settings>), sender: SyncSender<Incoming>) {
    let progress = Arc::new(crate::index::Progress::default());
    let (snapshots, newest) = mpsc::channel::<Index>();
    let shared = Arc::clone(&progress);
    std::thread::spawn(move || {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let index = crate::correlate::apart::build_with(inputs, Plan::new(threads), &shared, |index| {
            let _ = snapshots.send(index.clone());
        });
        let _ = snapshots.send(index);
    });
    std::thread::spawn(move || {
        let start = Instant::now();
        let mut overview = Overview::default();
        let mut rest = Duration::ZERO;
        // A snapshot that comes too soon is not lost: the newest is sent when the time is over.
        while let Some(index) = next_snapshot(&newest, rest) {
            let loading = Loading {
                receiving: is_receiving(&index),
                bytes_done: progress.bytes_done.load(std::sync::atomic::Ordering::Relaxed),
                bytes_total: progress.bytes_total.load(std::sync::atomic::Ordering::Relaxed),
                elapsed_ms: start.elapsed().as_millis() as u64,
            };
            // Clocks are set at the end: what was counted before stood at other times.
            if index.complete && index.sources.iter().any(|source| source.offset_ns != 0) {
                overview = Overview::default();
            }
            let overview = Arc::new(overview.growing(&index));
            if sender.send(Incoming::Progress(Progress { index, overview, loading })).is_err() {
                progress.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
                return;
            }
            rest = PUBLISH_EVERY;
        }
    });
}

/// The newest snapshot when `rest` is over, or the last there will be as soon as it comes; `None` after that.
fn next_snapshot(snapshots: &mpsc::Receiver<Index>, rest: Duration) -> Option<Index> {
    let begun = Instant::now();
    let mut newest = None;
    loop {
        let left = rest.saturating_sub(begun.elapsed());
        match snapshots.recv_timeout(left) {
            Ok(index) if index.complete => return Some(index),
            Ok(index) => newest = Some(index),
            Err(RecvTimeoutError::Disconnected) => return newest,
            Err(RecvTimeoutError::Timeout) if newest.is_some() => return newest,
            Err(RecvTimeoutError::Timeout) => newest = Some(snapshots.recv().ok()?),
        }
    }
}

/// Whether a source is a pipe or a file that grows; a packed file is neither, although it is unpacked bit by bit.
fn is_receiving(index: &Index) -> bool {
    index.sources.iter().any(|source| source.bytes.is_live())
}

/// Nanoseconds since 1970 by the machine's clock.
pub fn wall_clock_ns() -> Nanos {
    chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default()
}

/// `13:41`, in the machine's own time zone.
pub fn local_clock(at_ns: Nanos) -> String {
    let at = chrono::DateTime::from_timestamp_nanos(at_ns).with_timezone(&chrono::Local);
    at.format("%H:%M").to_string()
}
