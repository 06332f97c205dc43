//! The full-screen program: terminal guard, event loop, performs effects.
//!
//! `update` changes the state and returns effects; `render` draws the state; `layout` divides the screen for both.
//! Everything slow runs in `jobs`; all events come through one bounded channel and are taken together before drawing.

pub mod actions;
pub mod attempts;
pub mod colours;
pub mod config;
pub mod conversation;
pub mod dialogs;
pub mod drafts;
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
pub mod own_editor;
pub mod past;
pub mod places;
pub mod rows;
pub mod search;
pub mod session;
pub mod settings;
pub mod settle;
mod signals;
pub mod spool;
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
use crate::index::{FrameNumber, Index, Input, Plan};
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

/// How often somebody from outside, or a capture that changed, is noticed when nothing else happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Captures looked at each time; of more, others are looked at the next time.
const LOOKS_MAX: usize = 1_000;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The analyst quit.
    Quit,
    /// Something from outside ended it; this is the exit code for it.
    Asked(u8),
}

/// What comes through the channel.
enum Incoming {
    Terminal(Event),
    TerminalGone,
    Leave,
    Continued,
    Progress(Progress),
    Reply(Reply),
}

/// What the analyst wishes of the screen.
#[derive(Default)]
pub struct Wishes {
    /// A theme, before the one in `config.toml`.
    pub theme: Option<&'static str>,
    /// The frame of the first file to open at.
    pub frame: Option<FrameNumber>,
    /// Who starts the analyst's own editor.
    pub editor: Option<own_editor::Helper>,
}

/// Opens the captures on the full screen and returns when the analyst quits, or something from outside ends it. Without any
/// capture it asks for a text to be pasted; one that is pasted later is opened in place of what is open.
pub fn run(inputs: Vec<Input>, settings: &Arc<Settings>, wishes: Wishes) -> Result<Ended> {
    let (config, wrong) = settings::config();
    keys::own(config.keys);
    let mut screen = Screen::open(wishes.theme.or(config.theme), wishes.editor)?;
    let mut start = Start { time: config.time, frame: wishes.frame, wrong };
    let mut next = Some(inputs);
    while let Some(inputs) = next {
        next = open(&mut screen, inputs, Arc::clone(settings), &mut start)?;
    }
    screen.close();
    Ok(signals::leaving().map_or(Ended::Quit, Ended::Asked))
}

/// How the first capture opens.
struct Start {
    /// How times are shown.
    time: state::TimeFormat,
    /// The frame to go to.
    frame: Option<FrameNumber>,
    /// What is wrong with the settings.
    wrong: Option<String>,
}

/// One capture, or several, from opening to leaving them; what is opened next.
fn open(
    screen: &mut Screen,
    inputs: Vec<Input>,
    settings: Arc<Settings>,
    start: &mut Start,
) -> Result<Option<Vec<Input>>> {
    let is_pasting = inputs.is_empty();
    let is_sample = inputs.first().is_some_and(|input| input.source.name.starts_with("sample:"));
    let capture = inputs.first().and_then(|input| input.source.path.clone());
    let is_live = |input: &Input| input.source.bytes.is_live();
    let piped = inputs.iter().find(|input| input.source.path.is_none() && input.source.size == 0);
    let piped = piped.map(|input| Arc::clone(&input.source.bytes));
    let mut place = Place::new(capture.as_deref());
    if piped.is_some() || inputs.iter().any(is_live) {
        place.live = spool::place(&chrono::Utc::now().format("%Y%m%dT%H%M%S").to_string());
    }
    let live = place.live.clone();
    let paths: Vec<_> = inputs.iter().filter_map(|input| input.source.path.clone()).collect();
    let session = session::key(&paths).filter(|_| paths.len() == inputs.len());
    let (sender, receiver) = mpsc::sync_channel(QUEUE_MAX);
    signals::listen(sender.clone())?;
    read_terminal(sender.clone());
    watch(&inputs, sender.clone());
    load((inputs, settings), sender.clone());
    let replies = sender.clone();
    let send: Arc<jobs::Send> = Arc::new(move |reply| {
        let _ = replies.send(Incoming::Reply(reply));
    });
    let unkept = Arc::clone(&send);
    let spool = piped.map(|map| {
        let told = Arc::clone(&unkept);
        let path = live.ok_or_else(|| std::io::Error::other("there is no home directory"))?;
        spool::Spool::begin(path, map, move |failure| told(Reply::Unkept(failure)))
    });
    let spool =
        spool.and_then(|begun| begun.map_err(|error| unkept(Reply::Unkept(Some(error.to_string())))).ok());
    let mut jobs = Jobs::new(send, move || Case::open(place));
    let (width, height) = screen.size()?;
    let mut state = State::new(Rect::new(0, 0, width, height), terminal::shows_unicode(), Work::default());
    state.filter.past = past::read();
    state.wanted = start.frame.take();
    let (named, wrong_filters) = settings::filters();
    let (colours, wrong) = settings::colours(&named);
    state.named = Arc::new(named);
    state.colours = Arc::new(colours);
    state.timeline.time = start.time;
    if is_pasting {
        actions::leaving::paste(&mut state, "");
    }
    if let Some(message) = start.wrong.take().or(wrong_filters).or(wrong) {
        state.say(message, state::Tone::Warning);
    } else if is_sample {
        state.say("a sample incident · ] next problem · ? keys · yours: portmortem FILE", state::Tone::Plain);
    }
    state.left = session.as_deref().and_then(session::read);
    let result = event_loop(&mut state, screen, &mut jobs, &receiver);
    // The receiver goes first: whoever waits to send sees that nobody listens any more.
    drop(receiver);
    drop(sender);
    drop(unkept);
    let asked = signals::leaving().or_else(|| result.is_err().then_some(1));
    // What is cut short stays where it can be found beside its capture; what ends goes where the hash finds it.
    jobs.finish(asked.is_none().then_some(&state.index));
    // A place that is not remembered is no reason to complain.
    if let Some(key) = session.filter(|_| state.touched) {
        drop(session::write(session::Session::of(&state, &key)));
    }
    if let Some(spool) = spool {
        if asked.is_some() {
            screen.close();
        }
        leave_spool(spool, asked.is_some());
    }
    result
}

/// Takes a kept capture away when the analyst quit, and names it when the program was ended.
fn leave_spool(spool: spool::Spool, is_asked: bool) {
    if !is_asked {
        return spool.remove();
    }
    let path = spool.stay();
    let shown = crate::text::escape(&path.display().to_string());
    tell(&format!("the capture that came through the pipe is kept, with its notes: portmortem {shown}"));
}

/// Says a line on standard error, which may be gone.
fn tell(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "portmortem: {}", crate::text::shown(line));
}

/// Looks whether the captures are still what was opened.
fn watch(inputs: &[Input], sender: SyncSender<Incoming>) {
    let maps: Vec<_> = inputs.iter().map(|input| Arc::downgrade(&input.source.bytes)).collect();
    std::thread::spawn(move || {
        let mut told = vec![None; maps.len()];
        let mut next = (0..maps.len()).cycle();
        loop {
            std::thread::sleep(LOOK_EVERY);
            for source in next.by_ref().take(maps.len().min(LOOKS_MAX)) {
                let Some(map) = maps.get(source).and_then(std::sync::Weak::upgrade) else { continue };
                let change = map.change();
                let Some(told) = told.get_mut(source).filter(|told| **told != change) else { continue };
                told.clone_from(&change);
                if sender.send(Incoming::Reply(Reply::Changed { source, change })).is_err() {
                    return;
                }
            }
        }
    });
}

fn event_loop(
    state: &mut State,
    screen: &mut Screen,
    jobs: &mut Jobs,
    receiver: &Receiver<Incoming>,
) -> Result<Option<Vec<Input>>> {
    let start = Instant::now();
    let mut is_drawn = false;
    let mut next = None;
    loop {
        if signals::leaving().is_some() {
            let effect = drafts::leave(state);
            perform(state, screen, (jobs, &mut next), effect)?;
            return Ok(None);
        }
        if !is_drawn && let Err(error) = screen.draw(state) {
            hung_up(error)?;
            continue;
        }
        let is_busy = state.is_busy();
        let first = match receiver.recv_timeout(if is_busy { TICK } else { LOOK_EVERY }) {
            Ok(incoming) => Some(incoming),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        };
        is_drawn = first.is_none() && !is_busy;
        let effect = update(state, Message::Tick(start.elapsed().as_millis() as u64));
        if !perform(state, screen, (jobs, &mut next), effect)? {
            return Ok(next);
        }
        let waiting: Vec<Incoming> = first.into_iter().chain(receiver.try_iter().take(QUEUE_MAX)).collect();
        for incoming in waiting {
            let message = match incoming {
                Incoming::Terminal(event) => keys::message(state, &event),
                Incoming::TerminalGone => {
                    signals::hung_up();
                    continue;
                }
                Incoming::Leave => continue,
                Incoming::Continued => {
                    screen.take_back()?;
                    continue;
                }
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

/// A terminal that cannot be written to is gone; that is no mistake of the program.
fn hung_up(error: anyhow::Error) -> Result<()> {
    let code = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
    if matches!(code, Some(libc::EIO | libc::EPIPE | libc::ENXIO)) {
        signals::hung_up();
        return Ok(());
    }
    Err(error)
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
        Effect::Theme(name) => screen.paint(name),
        Effect::OpenEditor(text) => {
            let edited = screen.edit(&text).map_err(|error| format!("no text from the editor: {error:#}"));
            let effect = update(state, Message::Done(Reply::Edited(edited)));
            return perform(state, screen, (jobs, next), effect);
        }
        Effect::Redraw => screen.redraw()?,
        Effect::Suspend => screen.suspend()?,
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
