//! Opens anything that holds packets, detects its format by content, and hands out records.

pub mod bytes;
pub mod foreign;
mod logs;
pub mod map;
pub mod order;
mod pasted;
pub mod pcap;
pub mod pcapng;
pub mod stream;
pub mod transcript;
mod undecided;
pub mod watch;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::text::thousands;
use crate::time::Nanos;
pub use bytes::Bytes;
pub use map::{Look, Map, Problem, Window};
pub use stream::{Hold, Limits};

/// A link-layer header type (the LINKTYPE_ registry of the pcap formats, FCS bits masked off).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a 4-byte address family in the writer's byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet (with 802.1Q and the like).
    pub const ETHERNET: Self = Self(1);
    /// Raw IP, version from the first nibble.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: a 4-byte address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
    /// Ours: the "frame" is the text of one packet as tcpdump printed it (no registry number).
    pub const TRANSCRIPT: Self = Self(0xfff0);
}

/// What kind of file the records came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Classic pcap of any magic.
    Pcap,
    /// pcapng.
    Pcapng,
    /// Text printed by tcpdump and pasted.
    Transcript,
}

impl Format {
    /// The name used in reports: `pcap`, `pcapng`, `transcript`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
            Self::Transcript => "transcript",
        }
    }
}

/// One packet record: where its bytes are and what the capture says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Offset of the packet's first byte in the source's bytes.
    pub offset: u64,
    /// Time of capture.
    pub time_ns: Nanos,
    /// Bytes present in the source, beginning at `offset`.
    pub captured: u32,
    /// Bytes the packet had on the wire, as recorded.
    pub original: u32,
    /// Position in [`Metadata::interfaces`].
    pub interface: u16,
    /// Whether the capture states a time; without one `time_ns` is that of the packet before (pcapng simple packets).
    pub has_time: bool,
}

/// One interface packets were captured on (pcap: one; several put end to end: one for each link type and resolution).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Link-layer header type of its packets.
    pub link_type: LinkType,
    /// Snap length in bytes; 0 = not limited or not recorded.
    pub snap_length: u32,
    /// Interface name, where recorded.
    pub name: Option<String>,
    /// Interface description, where recorded.
    pub description: Option<String>,
    /// Capture filter, where recorded.
    pub filter: Option<String>,
    /// Decimal digits or binary power of the time stamps, in words (`µs`, `ns`, `2^-20 s`).
    pub resolution: String,
    /// Packets received by the interface, where recorded (pcapng ISB).
    pub received: Option<u64>,
    /// Packets dropped by the interface or the system, where recorded (pcapng ISB).
    pub dropped: Option<u64>,
    /// When capturing ended, where recorded (`isb_endtime` of the pcapng ISB), by each reading of its unit: the declared one, and
    /// microseconds, which dumpcap writes beside a declared resolution of nanoseconds.
    pub ended_ns: Vec<Nanos>,
    /// Comments on the interface.
    pub comments: Vec<String>,
}

impl Interface {
    /// An interface of which only the link type and snap length are known.
    pub fn new(link_type: LinkType, snap_length: u32, resolution: &str) -> Self {
        Self {
            link_type,
            snap_length,
            name: None,
            description: None,
            filter: None,
            resolution: resolution.to_owned(),
            received: None,
            dropped: None,
            ended_ns: Vec::new(),
            comments: Vec::new(),
        }
    }
}

/// A stretch of the file that could not be read as packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Byte offset where reading failed.
    pub offset: u64,
    /// Bytes skipped or lost there.
    pub skipped: u64,
    /// The last good frame before it (0 = none).
    pub after_frame: u64,
    /// What is wrong, in words, without the position: `the record needs 90 bytes, 12 are left`.
    pub reason: String,
    /// What `offset` and `skipped` count.
    pub place: Place,
}

/// Which bytes a position counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Those of the capture, unpacked.
    #[default]
    Capture,
    /// Those of the packed data it came out of.
    Packed,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (frame, offset) = (thousands(self.after_frame), thousands(self.offset));
        let damaged = if self.place == Place::Capture && self.skipped > 0 { "damaged " } else { "" };
        // Of a text it is told by the lines themselves what was not read.
        if self.place == Place::Capture && self.skipped == 0 && self.after_frame == 0 && self.offset == 0 {
            return f.write_str(&self.reason);
        }
        write!(f, "{damaged}after frame {frame}: {} (byte {offset}", self.reason)?;
        match (self.place, self.skipped) {
            // Nothing is lost, or how much is not known.
            (Place::Capture, 0) => write!(f, ")"),
            (Place::Capture, lost) => write!(f, ", {} bytes lost)", thousands(lost)),
            (Place::Packed, unread) => {
                write!(f, " of the packed data, {} bytes not read)", thousands(unread))
            }
        }
    }
}

/// What a capture says about itself, complete once its last record has been walked.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// What the bytes are.
    pub format: Format,
    /// The compression around them (`gzip`, `zstd`, …), if any.
    pub container: Option<&'static str>,
    /// Interfaces in the order records refer to them.
    pub interfaces: Vec<Interface>,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// Packets that a text shows and of which nothing was read.
    pub unread: u64,
    /// Comments on packets: frame number (1-based) and text.
    pub comments: Vec<(u64, String)>,
    /// Comments on sections.
    pub section_comments: Vec<String>,
    /// Names of addresses recorded in the file (pcapng NRB).
    pub names: Vec<(IpAddr, String)>,
    /// Hardware, operating system and application that wrote the file, where recorded.
    pub written_by: Vec<String>,
    /// Whether times carry a date; a transcript without dates counts from midnight.
    pub has_date: bool,
    /// Whether times count from a moment that is not told: seconds since the first packet, or since the one before.
    pub counts_from_start: bool,
    /// Whether dates and times stand in a zone that is not told.
    pub is_local: bool,
    /// Whether any packet has a time; simple packet blocks and `tcpdump -t` record none.
    pub has_times: bool,
}

/// A capture never goes on for longer after its last packet than this; a stated end beyond it is misread.
const IDLE_MAX_NS: Nanos = 7 * 86_400 * 1_000_000_000;

impl Metadata {
    /// When capturing ended by what the interfaces' statistics state; `None` without a plausible statement. `last_ns` is the time of
    /// the last packet.
    pub fn ended_ns(&self, last_ns: Nanos) -> Option<Nanos> {
        let plausible = |ended: &&Nanos| (last_ns..=last_ns.saturating_add(IDLE_MAX_NS)).contains(*ended);
        let of_one = |interface: &Interface| interface.ended_ns.iter().find(plausible).copied();
        self.interfaces.iter().filter_map(of_one).max()
    }

    /// Metadata with nothing recorded yet.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            container: None,
            interfaces: Vec::new(),
            damage: Vec::new(),
            unread: 0,
            comments: Vec::new(),
            section_comments: Vec::new(),
            names: Vec::new(),
            written_by: Vec::new(),
            has_date: true,
            counts_from_start: false,
            is_local: false,
            has_times: true,
        }
    }

    /// Packets that were there and are not among those read: dropped while capturing, or on lines that were not understood.
    pub fn lost(&self) -> u64 {
        self.unread + self.dropped()
    }

    /// Packets that were dropped while capturing.
    pub fn dropped(&self) -> u64 {
        self.interfaces.iter().filter_map(|interface| interface.dropped).sum()
    }

    /// Adds damage; past [`DAMAGE_MAX`] entries only the bytes are counted, in the last one.
    pub(crate) fn push_damage(&mut self, damage: Damage) {
        let touches = |last: &&mut Damage| {
            last.after_frame == damage.after_frame
                && last.place == damage.place
                && last.reason == damage.reason
                && last.skipped > 0
                && last.offset.saturating_add(last.skipped) == damage.offset
        };
        // The same damage found bit by bit, as the bytes of a stream come.
        if let Some(last) = self.damage.last_mut().filter(touches) {
            last.skipped = last.skipped.saturating_add(damage.skipped);
        } else if self.damage.len() < DAMAGE_MAX {
            self.damage.push(damage);
        } else if let Some(last) = self.damage.last_mut() {
            last.skipped = last.skipped.saturating_add(damage.skipped);
            "more damage than is listed one by one".clone_into(&mut last.reason);
        }
    }
}

/// Damage listed one by one in one capture.
pub const DAMAGE_MAX: usize = 1_000;

/// How a call of [`Walk::fill`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The limit was reached; more records may follow at once.
    More,
    /// The bytes given so far are used up; call again when there are more.
    Starved,
    /// Nothing more can come.
    End,
}

/// Walks the records of one capture. Works on the bytes that are there, which may grow between calls.
pub trait Walk: Send {
    /// Appends up to `limit` records to `records`. `bytes` is the source so far, from [`Walk::wanted`] on at least; `complete`
    /// says that it will not grow. A partial record at the end of an incomplete source is left for the next call.
    fn fill(&mut self, bytes: Bytes<'_>, complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill;
    /// What is known about the capture so far.
    fn metadata(&self) -> &Metadata;
    /// Bytes walked so far.
    fn position(&self) -> u64;
    /// The first byte that is still looked at.
    fn wanted(&self) -> u64 {
        self.position()
    }
    /// The record that stands at the end of a source which has been quiet for a while, when it looks whole although only
    /// what follows could prove it. It is not walked: [`Walk::fill`] gives it again, perhaps longer, when that is known.
    fn unproven(&mut self, _bytes: Bytes<'_>) -> Option<Record> {
        None
    }
    /// Takes what [`Walk::unproven`] gives as walked, because packets of another source come after it. What of it comes
    /// later is counted as damage.
    fn settle(&mut self, _bytes: Bytes<'_>) -> Option<Record> {
        None
    }
}

/// Why a file could not be opened. Each message says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused.
    #[error("cannot open {path}: {reason}")]
    Io {
        /// The file.
        path: String,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// The content is no capture in a format that is read.
    #[error("{path} is not a capture: {found}. Expected pcap, pcapng or text printed by tcpdump.")]
    NotACapture {
        /// The file.
        path: String,
        /// What the file begins with, in words.
        found: String,
    },
    /// A capture in a format that other programs convert.
    #[error("{path} is {what}, which is not read. Convert it first: editcap -F pcap {path} OUT.pcap")]
    Foreign {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A text, but no packet lines in it.
    #[error(
        "no packets in this text: {path} has no line with `HOST > HOST:` as tcpdump prints packets, and no packet list of tshark"
    )]
    NoPackets {
        /// The file.
        path: String,
    },
    /// The text of a program that prints no packets, or none that are read.
    #[error("{path} is {what}, which is not read; {instead}")]
    OtherText {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
        /// What to give instead.
        instead: &'static str,
    },
}

/// One opened capture: its bytes and where they came from. The file is never written to.
pub struct Source {
    /// The path or name shown to people (`-` for standard input, `sample:seed` for embedded ones).
    pub name: String,
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    /// Size in bytes of the file as it is stored.
    pub size: u64,
    /// The bytes records point into (unpacked where the file is compressed).
    pub bytes: Arc<Map>,
    /// Where the user says it was captured.
    pub place: Sensor,
}

/// Where a capture was made, in the user's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sensor {
    /// The network whose private addresses are its own.
    pub site: Option<String>,
    /// The place in it.
    pub sensor: Option<String>,
}

/// How captures are opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Limits on what packed files and pipes may become.
    pub limits: Limits,
    /// What to do at the end of a plain file.
    pub end: AtEnd,
    /// What to do when nothing has come yet.
    pub start: AtStart,
    /// What of a packed file stays in memory.
    pub hold: Hold,
}

/// What opening a stream that has not begun means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtStart {
    /// Its first bytes are waited for, and must be those of a capture.
    #[default]
    Wait,
    /// They are waited for a moment; what comes later is judged when it comes, so that others need not wait for it.
    GoOn,
}

/// What the end of a plain file means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// The capture ends there.
    #[default]
    Stop,
    /// More may be written; wait for it.
    Follow,
}

/// Bytes of a stream that must be there before its format is judged.
const DETECT_BYTES: usize = 64;
/// How long more of a stream's first bytes are waited for at a time.
const START_WAIT: Duration = Duration::from_millis(50);
/// Such waits after which a stream that need not have begun counts as silent.
const START_WAITS_MAX: usize = 10;

/// Such waits for the end of a text that comes out of a stream.
const PASTE_WAITS_MAX: usize = 2;

/// Opens a capture file read-only and chooses the walker for its format.
pub fn open(path: &Path) -> Result<(Source, Box<dyn Walk>), OpenError> {
    open_with(path, Options::default())
}

/// Opens a file, a pipe, or standard input (`-`). What a stream's first bytes are waited for, [`Options::start`] says.
pub fn open_with(path: &Path, options: Options) -> Result<(Source, Box<dyn Walk>), OpenError> {
    only(open_each(path, options, false)?, path)
}

/// The same, with each capture by itself where a text holds several: what was printed at two prompts.
pub fn open_apart(path: &Path, options: Options) -> Result<Found, OpenError> {
    open_each(path, options, true)
}

fn only(mut opened: Found, path: &Path) -> Result<(Source, Box<dyn Walk>), OpenError> {
    opened
        .pop()
        .ok_or_else(|| OpenError::NoPackets { path: crate::text::escape(&path.display().to_string()) })
}

/// What was found in a file: a source with its walk for each capture.
pub type Found = Vec<(Source, Box<dyn Walk>)>;

fn open_each(path: &Path, options: Options, are_apart: bool) -> Result<Found, OpenError> {
    let name = path.display().to_string();
    let failed = |reason| OpenError::Io { path: crate::text::escape(&name), reason };
    if path.as_os_str() == "-" {
        let bytes = stream::spool(|| Ok(std::io::stdin()), options.limits).map_err(failed)?;
        return open_spooled(name, None, 0, bytes, (options.start, are_apart));
    }
    let status = std::fs::metadata(path).map_err(failed)?;
    let size = status.len();
    if !status.is_file() {
        let pipe = path.to_owned();
        let bytes = stream::spool(move || std::fs::File::open(pipe), options.limits).map_err(failed)?;
        return open_spooled(name, None, 0, bytes, (options.start, are_apart));
    }
    let map = Map::file(path).map_err(failed)?;
    let own = Some(path.to_owned());
    if let Some(packing) = stream::Packing::detect(map.bytes()) {
        let file = map::open_file(path).map_err(failed)?;
        let stored = watch::Stored::of(path, &file).map_err(failed)?;
        let bytes =
            stream::unpack(Arc::new(file), size, packing, options.limits, options.hold).map_err(failed)?;
        bytes.remember(stored);
        return open_spooled(name, own, size, bytes, (AtStart::Wait, are_apart));
    }
    if options.end == AtEnd::Follow {
        let bytes = stream::follow(path).map_err(failed)?;
        return open_spooled(name, own, size, bytes, (options.start, are_apart));
    }
    open_map(name, own, map, are_apart)
}

/// How often a part of a file was missing that was there when the file was opened.
pub fn faults() -> u64 {
    map::faults()
}

/// Opens a capture that is already in memory, such as an embedded sample.
pub fn open_bytes(name: &str, bytes: &'static [u8]) -> Result<(Source, Box<dyn Walk>), OpenError> {
    only(open_map(name.to_owned(), None, Map::fixed(bytes), false)?, Path::new(name))
}

/// Opens a text that was pasted and is in no file, each capture in it by itself.
pub fn open_text(name: &str, text: Vec<u8>) -> Result<Found, OpenError> {
    let mut found = open_map(name.to_owned(), None, Map::owned(text), true)?;
    // It is stored nowhere.
    for (source, _) in &mut found {
        source.size = 0;
    }
    Ok(found)
}

/// Opens a capture that comes out of a reader, packed or not.
pub fn open_reader(
    name: &str,
    reader: impl std::io::Read + Send + 'static,
    options: Options,
) -> Result<(Source, Box<dyn Walk>), OpenError> {
    let failed = |reason| OpenError::Io { path: crate::text::escape(name), reason };
    let bytes = stream::spool(|| Ok(reader), options.limits).map_err(failed)?;
    only(open_spooled(name.to_owned(), None, 0, bytes, (options.start, false))?, Path::new(name))
}

fn open_map(name: String, path: Option<PathBuf>, map: Map, are_apart: bool) -> Result<Found, OpenError> {
    let bytes = Arc::new(map);
    let source = Source { name, path, size: bytes.bytes().len() as u64, bytes, place: Sensor::default() };
    if let Some(found) = open_pasted(&source, are_apart)? {
        return Ok(found);
    }
    let walk = detect(&source.name, source.bytes.bytes(), true)?;
    Ok(vec![(source, walk)])
}

/// Opens a whole text that tcpdump did not write as it is; `None` for anything else.
fn open_pasted(source: &Source, are_apart: bool) -> Result<Option<Found>, OpenError> {
    let (name, given) = (source.name.as_str(), &source.bytes);
    let bytes = given.bytes();
    let is_capture = pcap::Pcap::detect(bytes).is_some() || pcapng::Pcapng::detect(bytes).is_some();
    if is_capture || stream::Packing::detect(bytes).is_some() {
        return Ok(None);
    }
    let is_text = transcript::is_text(bytes) && foreign::recognise(bytes).is_none();
    let is_plain = || pasted::is_plain(bytes) && transcript::has_packets(bytes);
    let is_pasted = pasted::is_wide(bytes) || (is_text && !is_plain());
    if !is_pasted {
        return Ok(None);
    }
    let mut prepared = pasted::prepare(bytes);
    if prepared.is_empty() {
        return Err(no_packets(crate::text::escape(name), bytes));
    }
    let made = std::mem::take(&mut prepared.made);
    let bytes = Arc::new(Map::behind(Arc::clone(given), made));
    let walks = prepared.walks(are_apart);
    let several = walks.len() > 1;
    let part = |(at, (walk, place)): (usize, (pasted::Pasted, Option<String>))| {
        let source = Source {
            name: if several { format!("{name} part {}", at + 1) } else { name.to_owned() },
            path: source.path.clone(),
            size: source.size,
            bytes: Arc::clone(&bytes),
            place: Sensor { site: None, sensor: place },
        };
        (source, Box::new(walk) as Box<dyn Walk>)
    };
    Ok(Some(walks.into_iter().enumerate().map(part).collect()))
}

fn open_spooled(
    name: String,
    path: Option<PathBuf>,
    size: u64,
    bytes: Arc<Map>,
    (start, are_apart): (AtStart, bool),
) -> Result<Found, OpenError> {
    // Nothing is given up before more than the first bytes were asked for.
    let look = bytes.look(0);
    let first = || look.as_ref().and_then(|look| look.bytes().get(..)).unwrap_or_default();
    let mut waits = 0;
    while !is_enough(first(), bytes.is_complete()) {
        if start == AtStart::GoOn && waits == START_WAITS_MAX {
            let walk = Box::new(undecided::Undecided::new(&name));
            drop(look);
            return Ok(vec![(Source { name, path, size, bytes, place: Sensor::default() }, walk)]);
        }
        waits += 1;
        bytes.wait(first().len(), START_WAIT);
    }
    // What somebody pastes is there at once, and is read as a whole.
    for _ in 0..PASTE_WAITS_MAX {
        if bytes.is_complete() || !transcript::is_text(first()) {
            break;
        }
        bytes.wait(first().len(), START_WAIT);
    }
    let is_complete = bytes.is_complete();
    let source = Source { name, path, size, bytes: Arc::clone(&bytes), place: Sensor::default() };
    if is_complete && let Some(found) = open_pasted(&source, are_apart)? {
        drop(look);
        return Ok(found);
    }
    let seen = first();
    let walk = detect(&source.name, seen, is_complete);
    let is_empty = seen.is_empty();
    // Where enough is there, what it is tells more than why there is no more.
    if seen.len() < DETECT_BYTES
        && let (Err(OpenError::NotACapture { path, .. }), Some(problem)) = (&walk, bytes.problem())
    {
        let path = path.clone();
        match problem {
            Problem::Stopped(reason) if is_empty && bytes.container().is_none() => {
                return Err(OpenError::Io { path, reason: std::io::Error::other(reason) });
            }
            Problem::Stopped(found) => return Err(OpenError::NotACapture { path, found }),
            Problem::Trailing { reason, offset, bytes } if is_empty => {
                let (offset, bytes) = (thousands(offset), thousands(bytes));
                let found = format!("nothing is packed in it; {reason} (byte {offset}, {bytes} bytes)");
                return Err(OpenError::NotACapture { path, found });
            }
            Problem::Trailing { .. } => {}
        }
    }
    if walk.is_err() {
        bytes.cancel();
    }
    drop(look);
    Ok(vec![(source, walk?)])
}

/// Whether the first bytes of a stream are enough to judge its format by. A trickling source may need longer than any
/// wait; a pcap header alone is enough to begin.
fn is_enough(bytes: &[u8], complete: bool) -> bool {
    complete || bytes.len() >= DETECT_BYTES || (bytes.len() >= 24 && pcap::Pcap::detect(bytes).is_some())
}

/// Why a text has no packets, as far as its look tells.
pub fn no_packets(path: String, text: &[u8]) -> OpenError {
    match logs::recognise(text) {
        Some(logs::Other { what, instead }) => OpenError::OtherText { path, what, instead },
        None => OpenError::NoPackets { path },
    }
}

/// Chooses the walker by the first bytes.
fn detect(name: &str, bytes: &[u8], complete: bool) -> Result<Box<dyn Walk>, OpenError> {
    if let Some(walk) = pcap::Pcap::detect(bytes) {
        return Ok(Box::new(walk));
    }
    if let Some(walk) = pcapng::Pcapng::detect(bytes) {
        return Ok(Box::new(walk));
    }
    let path = crate::text::escape(name);
    if let Some(packing) = stream::Packing::detect(bytes) {
        let found =
            format!("inside its packing it is packed once more, with {}; unpack it once", packing.name());
        return Err(OpenError::NotACapture { path, found });
    }
    if let Some(foreign) = foreign::recognise(bytes) {
        if foreign.convertible {
            return Err(OpenError::Foreign { path, what: foreign.what });
        }
        return Err(OpenError::NotACapture { path, found: format!("it is {}", foreign.what) });
    }
    if transcript::is_text(bytes) {
        // In a text that still grows, packets may follow later.
        if complete && !transcript::has_packets(bytes) {
            return Err(no_packets(path, bytes));
        }
        return Ok(Box::new(transcript::Transcript::default()));
    }
    let found = if bytes.is_empty() {
        "it is empty".to_owned()
    } else {
        let first: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("it begins with the bytes {}", first.join(" "))
    };
    Err(OpenError::NotACapture { path, found })
}

#[cfg(test)]
mod tests;
