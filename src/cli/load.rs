//! Opens the captures named on the command line and builds index and evidence for headless subcommands.

mod arguments;
mod places;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use signal_hook::consts::SIGINT;

use super::complain_line;
use crate::capture;
use crate::correlate::apart;
use crate::correlate::{Evidence, Parameters, correlate};
use crate::index::{
    FrameNumber, Index, IndexedSource, Input, PacketId, Plan, Progress, SourceId, source_label,
};
use crate::samples;
use crate::settings::Settings;
use crate::text;

/// Exit code after a second Ctrl-C, as shells count it.
const INTERRUPTED: i32 = 130;
const INTERRUPT_POLL: Duration = Duration::from_millis(50);
/// What a writer on the same terminal gets to write its rest.
const INTERRUPT_GRACE: Duration = Duration::from_millis(500);
/// Files left out of a directory that are named one by one on standard error.
const NOTE_LINES_MAX: usize = 10;
/// Folders within folders that are searched.
const FOLDERS_MAX: usize = 16;
/// Captures open at a time: more than anybody keeps in one place, and their names and first bytes still fit in memory.
const SOURCES_MAX: usize = 1 << 20;
/// Damaged places named one by one on standard error.
const DAMAGE_LINES_MAX: usize = 5;

pub use arguments::ClockOffset;
#[cfg(feature = "columns")]
pub(in crate::cli) use arguments::size;
pub use places::Named;

/// Which captures to open, and how.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Open {
    /// Captures: pcap, pcapng, text printed by tcpdump; packed or not; directories of them; - for standard input, on a
    /// terminal a log to paste; FILE#17 is frame 17 of a file: explained, printed, or gone to.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Open an embedded sample instead of files (see --list-samples).
    #[arg(long, value_name = "NAME", conflicts_with = "files")]
    pub sample: Option<String>,
    /// Correct the clock of one file, by its label: B=+1.5s, A=-200ms.
    #[arg(long, value_name = "LABEL=SPAN", value_parser = arguments::clock_offset, allow_hyphen_values = true)]
    pub offset: Vec<ClockOffset>,
    /// Name the site a file was captured at: equal private addresses of two sites are two hosts. Files of one site,
    /// and all files while one site is named, share their addresses; may be given several times.
    #[arg(long, value_name = "FILE=NAME", value_parser = places::named)]
    pub site: Vec<Named>,
    /// Name the place of a file's capture, for tables, JSON and filters; may be given several times.
    #[arg(long, value_name = "FILE=NAME", value_parser = places::named)]
    pub sensor: Vec<Named>,
    /// Read this UDP and TCP port as DNS too; may be given several times.
    #[arg(long, value_name = "PORT")]
    pub dns_port: Vec<u16>,
    /// Take this address or name for a resolver that speaks DNS over HTTPS; may be given several times.
    #[arg(long, value_name = "ADDRESS|NAME")]
    pub encrypted_dns: Vec<String>,
    /// Wait for more at the end of a plain file that is still written.
    #[arg(long)]
    pub follow: bool,
    /// Unpack compressed captures up to this size, whatever their ratio (default 16G, and at most 400 times their size).
    #[arg(long, value_name = "BYTES", value_parser = arguments::size)]
    pub max_unpacked: Option<u64>,
    /// Keep at most this much of a pipe or of standard input (default 16G).
    #[arg(long, value_name = "BYTES", value_parser = arguments::size)]
    pub spool_limit: Option<u64>,
    /// What of packed files stays in memory.
    #[arg(skip)]
    pub hold: capture::Hold,
    /// One clock wrote all files, as rotation does: none is corrected by another.
    #[arg(skip)]
    pub one_clock: bool,
}

/// Captures, read to the end.
pub struct Loaded {
    /// All packets.
    pub index: Index,
    /// What correlation found.
    pub evidence: Evidence,
}

impl Open {
    /// The same, with the default sample where nothing is named: what the full-screen program opens.
    #[must_use]
    pub fn or_sample(&self) -> Self {
        let mut open = self.clone();
        if open.files.is_empty() && open.sample.is_none() {
            open.sample = Some(samples::DEFAULT.to_owned());
        }
        open
    }

    /// The frame that one of the files is named with (`FILE#17`), if any; an error where the file has none such.
    pub fn frame(&self, index: &Index) -> Result<Option<PacketId>> {
        let Some((path, frame)) = self.files.iter().find_map(|file| numbered(file)) else { return Ok(None) };
        let is_it = |source: &IndexedSource| source.path.as_deref() == Some(path.as_path());
        let at = index.sources.iter().position(is_it).unwrap_or(0);
        match index.by_frame(SourceId::at(at), frame) {
            Some(id) => Ok(Some(id)),
            None => bail!("{} has no frame {}", text::escape(&path.display().to_string()), frame.0),
        }
    }

    /// The first frame that a file is named with, for who looks it up later.
    pub fn wanted(&self) -> Option<FrameNumber> {
        self.files.iter().find_map(|file| numbered(file)).map(|(_, frame)| frame)
    }

    /// Opens the files without reading them through.
    pub fn inputs(&self) -> Result<Vec<Input>> {
        self.inputs_noting(&mut Vec::new())
    }

    /// Opens the files without reading them through; files of a directory that are left out are named in `notes`.
    pub fn inputs_noting(&self, notes: &mut Vec<String>) -> Result<Vec<Input>> {
        let mut inputs = Vec::new();
        if let Some(name) = &self.sample {
            inputs.push(sample(name)?);
        } else if self.files.is_empty() {
            bail!("no capture named: give a FILE, or --sample {}", samples::DEFAULT);
        }
        for file in &self.files {
            let plain = numbered(file).map(|(path, _)| path);
            let file = plain.as_ref().unwrap_or(file);
            if file.is_dir() {
                self.directory(file, &mut inputs, notes)?;
            } else {
                // One text may hold several captures.
                let found = capture::open_apart(file, self.options())?;
                inputs.extend(found.into_iter().map(|(source, walk)| Input { source, walk, offset_ns: 0 }));
            }
        }
        for ClockOffset { label, offset_ns } in &self.offset {
            let labelled = |at: &usize| source_label(SourceId::at(*at)) == *label;
            let at = (0..inputs.len()).find(labelled);
            let Some(input) = at.and_then(|at| inputs.get_mut(at)) else {
                let last = source_label(SourceId::at(inputs.len().saturating_sub(1)));
                bail!("--offset names file {label:?}, but the files are labelled A to {last}");
            };
            input.offset_ns = *offset_ns;
        }
        places::tell(&mut inputs, &self.site, &self.sensor)?;
        Ok(inputs)
    }

    /// What the user says about the captures.
    pub fn settings(&self) -> Arc<Settings> {
        let mut settings = Settings::new(&self.dns_port, &self.encrypted_dns);
        settings.clocks_are_stated = self.one_clock || !self.offset.is_empty();
        Arc::new(settings)
    }

    /// How each file is opened.
    pub(super) fn options(&self) -> capture::Options {
        let mut limits = capture::Limits::default();
        if let Some(bytes) = self.max_unpacked {
            limits = capture::Limits { unpacked_bytes: bytes, ratio: u64::MAX, ..limits };
        }
        limits.spool_bytes = self.spool_limit.unwrap_or(limits.spool_bytes);
        let end = if self.follow { capture::AtEnd::Follow } else { capture::AtEnd::Stop };
        // Of several streams one may stay silent, and the others must not wait for it.
        let several = self.files.len() > 1;
        let start = if several { capture::AtStart::GoOn } else { capture::AtStart::Wait };
        capture::Options { limits, end, start, hold: self.hold }
    }

    /// Opens every capture of a directory and of those in it, in order of names; what is none is noted and left out.
    fn directory(&self, path: &Path, inputs: &mut Vec<Input>, notes: &mut Vec<String>) -> Result<()> {
        let before = inputs.len();
        for file in files_below(path, notes)? {
            if inputs.len() >= SOURCES_MAX {
                notes.push(format!("{}: left out, {SOURCES_MAX} captures are open already", shown(&file)));
                continue;
            }
            match capture::open_with(&file, self.options()) {
                Ok((source, walk)) => inputs.push(Input { source, walk, offset_ns: 0 }),
                Err(error) => notes.push(format!("left out: {error}")),
            }
        }
        if inputs.len() == before {
            bail!("there is no capture in {}", shown(path));
        }
        Ok(())
    }

    /// Reads everything and correlates it.
    pub fn load(&self) -> Result<Loaded> {
        self.load_noting(&mut |_| Ok(()))
    }

    /// The same, where little but DNS and ICMP will be read again: of packed files that alone stays in memory. What
    /// else is asked for after all is unpacked a second time.
    pub fn load_evidence(&self) -> Result<Loaded> {
        let hold = capture::Hold::Window(capture::Window::default());
        Self { hold, ..self.clone() }.load()
    }

    /// The same, with a look at the opened files before they are read through.
    pub fn load_noting(&self, before: &mut dyn FnMut(&[Input]) -> Result<()>) -> Result<Loaded> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut notes = Vec::new();
        let inputs = self.inputs_noting(&mut notes)?;
        before(&inputs)?;
        let progress = Arc::new(Progress::default());
        if inputs.iter().any(|input| !input.source.bytes.is_complete()) {
            finish_on_interrupt(&progress);
        }
        let index = apart::build_with((inputs, self.settings()), Plan::new(threads), &progress, |_| {});
        for (source, added_ns) in apart::corrected(&index) {
            tell_correction(&source_label(source), added_ns);
        }
        warn_of_files(&notes);
        warn_of_damage(&index);
        for source in &index.sources {
            // Of a file this is known when it is opened, of a pipe only at its end.
            if source.packets == 0 && source.metadata.format == capture::Format::Transcript {
                let path = text::escape(&source.name);
                return Err(capture::no_packets(path, source.bytes.bytes()).into());
            }
        }
        let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
        Ok(Loaded { index, evidence })
    }
}

fn shown(path: &Path) -> String {
    text::escape(&path.display().to_string())
}

/// The files of a directory and of those in it, in order of names.
pub(super) fn files_below(path: &Path, notes: &mut Vec<String>) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut below = vec![(path.to_owned(), 0)];
    while let Some((folder, depth)) = below.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if depth > 0 => {
                notes.push(format!("{}: left out: {error}", shown(&folder)));
                continue;
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", shown(&folder))),
        };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        let mut folders = Vec::new();
        for file in files {
            // A link to a folder may lead anywhere, also round in a circle.
            if file.is_dir() && !file.is_symlink() && depth < FOLDERS_MAX {
                folders.push((file, depth + 1));
            } else if !file.is_file() {
                // A FIFO would wait for a writer nobody promised.
                notes.push(format!("{}: left out, it is no file", shown(&file)));
            } else {
                found.push(file);
            }
        }
        below.extend(folders.into_iter().rev());
    }
    Ok(found)
}

/// A file and the frame in it, of `FILE#17` (`#F17` and `#L17` too); `None` where a file has the whole name.
pub(super) fn numbered(file: &Path) -> Option<(PathBuf, FrameNumber)> {
    let text = file.to_str()?;
    let (path, frame) = text.rsplit_once('#')?;
    let number = frame.trim_start_matches(['F', 'f', 'L', 'l']).parse().ok()?;
    (!path.is_empty() && !file.exists()).then(|| (PathBuf::from(path), FrameNumber(number)))
}

/// Makes the first Ctrl-C end the input instead of the program, so that what was read is still printed; the
/// second ends the program. A writer on the same terminal gets the signal too and has a moment to write its rest.
fn finish_on_interrupt(progress: &Arc<Progress>) {
    let interrupted = Arc::new(AtomicBool::new(false));
    let twice =
        signal_hook::flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&interrupted));
    if twice.is_err() || signal_hook::flag::register(SIGINT, Arc::clone(&interrupted)).is_err() {
        return;
    }
    let progress = Arc::downgrade(progress);
    std::thread::spawn(move || {
        while !interrupted.load(Ordering::Relaxed) {
            std::thread::sleep(INTERRUPT_POLL);
            if progress.strong_count() == 0 {
                return;
            }
        }
        std::thread::sleep(INTERRUPT_GRACE);
        if let Some(progress) = progress.upgrade() {
            progress.cancel.store(true, Ordering::Relaxed);
        }
    });
}

/// Says on standard error that the clock of a file was corrected.
fn tell_correction(label: &str, added_ns: crate::time::Nanos) {
    let seconds = crate::time::seconds(added_ns);
    let sign = if added_ns > 0 { "+" } else { "" };
    complain_line(&format!(
        "{sign}{seconds} s added to the times of file {label}, as messages it shares with another file show \
         (--offset {label}=0s leaves its clock alone)"
    ));
}

/// Says on standard error which files of a directory were left out.
pub(super) fn warn_of_files(notes: &[String]) {
    for note in notes.iter().take(NOTE_LINES_MAX) {
        complain_line(note);
    }
    if notes.len() > NOTE_LINES_MAX {
        complain_line(&format!("and {} more files left out", notes.len() - NOTE_LINES_MAX));
    }
}

/// Says on standard error what could not be read, a line for each file and damage.
fn warn_of_damage(index: &Index) {
    for source in &index.sources {
        for damage in source.metadata.damage.iter().take(DAMAGE_LINES_MAX) {
            complain_line(&format!("{}: {damage}", text::escape(&source.name)));
        }
        let more = source.metadata.damage.len().saturating_sub(DAMAGE_LINES_MAX);
        if more > 0 {
            complain_line(&format!("{}: and {more} more damaged places", text::escape(&source.name)));
        }
    }
}

fn sample(name: &str) -> Result<Input> {
    let names = || samples::SAMPLES.iter().map(|sample| sample.name).collect::<Vec<_>>().join(", ");
    let sample =
        samples::find(name).ok_or_else(|| anyhow!("no sample named {name:?}; there are {}", names()))?;
    let (source, walk) = capture::open_bytes(&format!("sample:{name}"), sample.bytes)?;
    Ok(Input { source, walk, offset_ns: 0 })
}
