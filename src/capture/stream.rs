//! Captures that are not a plain file: pipes, packed files, files that still grow. A thread unpacks them into the
//! bytes of the capture while their packets are already read.

mod unpack;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::map::{Map, Origin, Passing, Problem, Window, Writer, open_file};
use crate::text::thousands;
use unpack::{Input, MAGIC_BYTES, Unpacker};

/// Bytes kept of a plain pipe, unless the analyst says otherwise.
pub const SPOOL_MAX_BYTES: u64 = 16 << 30;
/// Bytes a packed capture may unpack to, unless the analyst says otherwise.
pub const UNPACKED_MAX_BYTES: u64 = 16 << 30;
/// Unpacked bytes a packed byte may give before it counts as a bomb, unless a limit was given explicitly.
pub const RATIO_MAX: u64 = 400;
/// The ratio is not judged before this many unpacked bytes.
const RATIO_FROM_BYTES: u64 = 256 << 20;
/// A growing file is read up to this size.
const FOLLOW_MAX_BYTES: u64 = 1 << 40;
/// How often a growing file's size is asked for.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(50);
/// Bytes asked for at a time. A packed file whose turn has not come is unpacked this far, enough to know its format.
const CHUNK_BYTES: usize = 256 << 10;
/// Bytes read at a time from a pipe or packed file: few enough to be still in the cache when they are unpacked.
const INPUT_BYTES: usize = 256 << 10;

/// Limits on what is unpacked or spooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes kept of a plain pipe.
    pub spool_bytes: u64,
    /// Most bytes a packed capture may unpack to.
    pub unpacked_bytes: u64,
    /// Most unpacked bytes per packed byte.
    pub ratio: u64,
}

impl Limits {
    fn bytes(self, packing: Option<Packing>) -> usize {
        let bytes = if packing.is_some() { self.unpacked_bytes } else { self.spool_bytes };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { spool_bytes: SPOOL_MAX_BYTES, unpacked_bytes: UNPACKED_MAX_BYTES, ratio: RATIO_MAX }
    }
}

/// The packing around a capture, recognised by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
    /// LZ4 frame.
    Lz4,
}

impl Packing {
    /// Recognises the magic number.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, 0x08, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // Frames to be skipped may come first, of either.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(unpack::behind_skipped(bytes)),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            // The first block follows, or in an empty stream the end.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..] => Some(Self::Bzip2),
            // The second is the magic number of `lz4 -l`.
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Some(Self::Lz4),
            _ => None,
        }
    }

    /// Its name: `gzip`, `zstd`, `xz`, `bzip2`, `lz4`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
            Self::Lz4 => "lz4",
        }
    }
}

/// Spools a pipe. It is opened and read by a thread that is started here, since either may take until another program
/// has something to say; what the packing is, and what went wrong, is found in the map.
pub(super) fn spool<R: Read + Send + 'static>(
    open: impl FnOnce() -> io::Result<R> + Send + 'static,
    limits: Limits,
) -> io::Result<Arc<Map>> {
    let max = limits.bytes(None).max(limits.bytes(Some(Packing::Gzip)));
    let (map, mut writer) = Map::reserve(max, Origin::Live, None)?;
    std::thread::Builder::new().name("unpack".to_owned()).spawn(move || {
        let read = || {
            let mut input = open()?;
            let mut first = Vec::new();
            // They tell every packing; a pipe may hand them out one by one.
            input.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut first)?;
            let guess = Packing::detect(&first);
            // A plain stream is handed on as it comes: a second buffer would only hold it back.
            let buffer = if guess.is_some() { INPUT_BYTES } else { 1 };
            let mut input = Input::new(first, BufReader::with_capacity(buffer, input));
            let settled = guess.map(|guess| input.settle(guess).map_err(|error| (guess, error))).transpose();
            let packing = settled.map_err(|(guess, error)| {
                writer.unpack(Some(guess.name()), 0);
                damaged(guess, &error)
            })?;
            writer.unpack(packing.map(Packing::name), limits.bytes(packing));
            copy(packing, input, &mut writer, limits)
        };
        let problem = read().unwrap_or_else(|error: io::Error| Some(Problem::Stopped(error.to_string())));
        writer.finish(problem);
    })?;
    Ok(map)
}

/// What of a packed file's bytes stays in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// All of them.
    #[default]
    All,
    /// What readers have not come to yet. What is asked for afterwards is unpacked a second time.
    Window(Window),
}

/// A file read from its beginning, whoever else reads it.
struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Unpacks a file of `size` bytes; the thread that does is started here.
pub(super) fn unpack(
    file: Arc<File>,
    size: u64,
    packing: Packing,
    limits: Limits,
    hold: Hold,
) -> io::Result<Arc<Map>> {
    // The ratio bounds what can come; thousands of small files must not each reserve the greatest length.
    let bound = size.saturating_mul(limits.ratio).max(RATIO_FROM_BYTES).saturating_add(CHUNK_BYTES as u64);
    let max = limits.bytes(Some(packing)).min(usize::try_from(bound).unwrap_or(usize::MAX));
    let passing = match hold {
        Hold::All => None,
        Hold::Window(window) => {
            let file = Arc::clone(&file);
            let again = move || unpack(Arc::clone(&file), size, packing, limits, Hold::All);
            Some(Passing::new(window, again))
        }
    };
    let (map, mut writer) = Map::reserve(max, Origin::File, passing)?;
    writer.unpack(Some(packing.name()), max);
    std::thread::Builder::new().name("unpack".to_owned()).spawn(move || {
        let file = FromStart { file, at: 0 };
        let input = Input::new(Vec::new(), BufReader::with_capacity(INPUT_BYTES, file));
        let copied = copy(Some(packing), input, &mut writer, limits);
        let problem = copied.unwrap_or_else(|error| Some(Problem::Stopped(error.to_string())));
        writer.finish(problem);
    })?;
    Ok(map)
}

fn damaged(packing: Packing, error: &io::Error) -> io::Error {
    io::Error::other(format!("the {} data end or are damaged here: {error}", packing.name()))
}

/// Unpacks all of `input`, and says what stands behind it.
fn copy(
    packing: Option<Packing>,
    input: Input<impl BufRead>,
    writer: &mut Writer,
    limits: Limits,
) -> io::Result<Option<Problem>> {
    let count = input.count();
    let mut reader = Unpacker::new(packing, input);
    loop {
        let (read, is_full) = match next(&mut reader, writer) {
            Ok((0, _)) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(packing.map_or_else(
                    || io::Error::other(format!("the stream ends here: {error}")),
                    |packing| damaged(packing, &error),
                ));
            }
        };
        let packed = count.load(std::sync::atomic::Ordering::Relaxed).max(1);
        let written = writer.written() as u64 + read as u64;
        let is_bomb = written > RATIO_FROM_BYTES && written > packed.saturating_mul(limits.ratio);
        if packing.is_some() && is_bomb {
            let ratio = limits.ratio;
            return Err(io::Error::other(format!(
                "it unpacks to more than {ratio} times its size; --max-unpacked allows it"
            )));
        }
        if is_full {
            let limit = thousands(limits.bytes(packing) as u64);
            let raise = if packing.is_some() { "--max-unpacked" } else { "--spool-limit" };
            return Err(io::Error::other(format!(
                "the limit of {limit} bytes is reached; {raise} raises it"
            )));
        }
        writer.commit(read)?;
        if packing.is_some() && writer.written() >= CHUNK_BYTES {
            writer.map().wait_for_begin();
        }
        if writer.map().is_cancelled() {
            return Ok(None);
        }
    }
    let Some(packing) = packing else { return Ok(None) };
    let trailing = reader.trailing(|| writer.map().is_cancelled())?;
    Ok(trailing.map(|trailing| Problem::Trailing {
        reason: format!("the {} data end here, and what follows is none of them", packing.name()),
        offset: trailing.offset,
        bytes: trailing.bytes,
    }))
}

/// Unpacks a little more into the map, to be committed: how many bytes, and whether there was no room for them. 0 at the end.
fn next(reader: &mut Unpacker<impl BufRead>, writer: &mut Writer) -> io::Result<(usize, bool)> {
    let mut beyond = [0];
    loop {
        // Of a pipe nothing is asked for that the decoder could do without.
        if !writer.map().is_live()
            && let Some((length, history)) = reader.announced()?
            && writer.enter(length, history)
        {
            reader.write_in_place()?;
        }
        if let Some(place) = writer.place() {
            let read = reader.read_in_place(place)?;
            if read > 0 {
                return Ok((read, false));
            }
            writer.leave();
            continue;
        }
        let room = writer.room(CHUNK_BYTES)?;
        let is_full = room.is_empty();
        return Ok((reader.read(if is_full { &mut beyond } else { room })?, is_full));
    }
}

/// Reads a file that another program still writes; a thread reads what comes until it is cancelled. The file is not
/// mapped: whoever writes it may cut it or begin anew.
pub(super) fn follow(path: &Path) -> io::Result<Arc<Map>> {
    let file = open_file(path)?;
    let max = usize::try_from(FOLLOW_MAX_BYTES).unwrap_or(usize::MAX);
    let (map, mut writer) = Map::reserve(max, Origin::Live, None)?;
    std::thread::Builder::new().name("follow".to_owned()).spawn(move || {
        let mut followed = Followed { file, at: 0, last: Vec::new() };
        let problem = loop {
            if writer.map().is_cancelled() {
                break None;
            }
            match followed.read_on(&mut writer) {
                Ok(0) => std::thread::sleep(FOLLOW_INTERVAL),
                Ok(_) => {}
                Err(error) => break Some(Problem::Stopped(error.to_string())),
            }
        };
        writer.finish(problem);
    })?;
    Ok(map)
}

/// A file that is read as it grows.
struct Followed {
    file: File,
    /// Bytes read.
    at: u64,
    /// The last of them: they must still be there when more have come.
    last: Vec<u8>,
}

/// Bytes of the end of what was read that are compared when a file has grown.
const LAST_BYTES: usize = 256;

impl Followed {
    /// Reads a little of what has come; 0 where nothing has.
    fn read_on(&mut self, writer: &mut Writer) -> io::Result<usize> {
        let at = thousands(self.at);
        let length = self.file.metadata()?.len();
        if length < self.at {
            let now = thousands(length);
            let text =
                format!("the file was cut while it was followed: {at} bytes were read, {now} are left");
            return Err(io::Error::other(text));
        }
        if length == self.at {
            return Ok(0);
        }
        let mut last = vec![0; self.last.len()];
        self.file.read_exact_at(&mut last, self.at - self.last.len() as u64)?;
        if last != self.last {
            let text = format!("the file was overwritten while it was followed, after byte {at}");
            return Err(io::Error::other(text));
        }
        let room = writer.room(CHUNK_BYTES)?;
        if room.is_empty() {
            return Err(io::Error::other(format!("no more than {at} bytes can be followed here")));
        }
        let read = self.file.read_at(room, self.at)?;
        self.last.extend_from_slice(room.get(read.saturating_sub(LAST_BYTES)..read).unwrap_or_default());
        self.last.drain(..self.last.len().saturating_sub(LAST_BYTES));
        writer.commit(read)?;
        self.at += read as u64;
        Ok(read)
    }
}
