//! Unpacks what archives hold: members, frames or streams one after the other, with padding and frames to be skipped between.
//!
//! Each decoder reads exactly one of them, so that what follows is looked at here: zeros are padding (tapes and `dd` write
//! whole blocks), the same packing goes on, and anything else is counted instead of being taken for damage.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zstd::stream::raw::{DParameter, InBuffer, Operation as _, OutBuffer};

use super::Packing;
use crate::capture::map::Place;

/// Dictionaries of xz larger than this are refused (its own highest preset needs 64 MiB).
const XZ_MEMORY_KIB: u32 = 512 << 10;
/// Windows of gzip are always accepted up to their greatest size, 2¹⁵ bytes.
const GZIP_WINDOW_LOG: u8 = 15;
/// zstd windows up to 2³⁰ bytes are accepted (`zstd --long=30`).
const ZSTD_WINDOW_LOG_MAX: u32 = 30;
/// Bytes that may be lost before damage in xz: less would take longer to unpack.
const CAREFUL_BYTES: usize = 64;
/// So many of them are handed on at once: a pipe may pause behind them.
const CAREFUL_PARTS: usize = 64;
/// Bytes a block of `lz4 -l` unpacks to at most.
const LEGACY_BLOCK_BYTES: usize = 8 << 20;
/// Packed bytes a block of `lz4 -l` has at most (`LZ4_COMPRESSBOUND`); a larger number is the magic of another frame.
const LEGACY_PACKED_MAX: usize = LEGACY_BLOCK_BYTES + LEGACY_BLOCK_BYTES / 255 + 16;
/// The least a zstd frame header can be.
const ZSTD_HEADER_BYTES_MIN: usize = 5;
/// First bytes that tell every packing.
pub(super) const MAGIC_BYTES: usize = 8;

/// Bytes that stand behind the end of what is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trailing {
    /// Where they begin in the packed data.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
}

/// Packed bytes, counted as they are used up so that the ratio can be judged, and looked at without being used up.
pub(super) struct Input<R> {
    /// Bytes taken from `inner` but not used up yet, from `at` on.
    ahead: Vec<u8>,
    at: usize,
    inner: R,
    count: Arc<AtomicU64>,
    /// Whether more was asked for than there is.
    is_over: bool,
}

impl<R: BufRead> Input<R> {
    /// Bytes of which the first were read already.
    pub fn new(first: Vec<u8>, inner: R) -> Self {
        Self { ahead: first, at: 0, inner, count: Arc::default(), is_over: false }
    }

    /// Counts the bytes used up.
    pub fn count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.count)
    }

    fn waiting(&self) -> &[u8] {
        self.ahead.get(self.at..).unwrap_or_default()
    }

    /// The next bytes, [`MAGIC_BYTES`] and fewer only at the end.
    fn peek(&mut self) -> io::Result<&[u8]> {
        self.peek_at(MAGIC_BYTES)
    }

    /// The next bytes, at least `want` and fewer only at the end.
    fn peek_at(&mut self, want: usize) -> io::Result<&[u8]> {
        if self.at > 0 {
            self.ahead.drain(..self.at);
            self.at = 0;
        }
        while self.ahead.len() < want {
            let there = match self.inner.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                there => there?,
            };
            if there.is_empty() {
                break;
            }
            let some = there.len().min(want - self.ahead.len());
            self.ahead.extend(there.iter().take(some));
            self.inner.consume(some);
        }
        Ok(&self.ahead)
    }

    /// Uses up zeros; false when nothing follows them.
    fn skip_zeros(&mut self) -> io::Result<bool> {
        loop {
            let there = self.fill_buf()?;
            if there.is_empty() {
                return Ok(false);
            }
            let zeros = there.iter().take_while(|byte| **byte == 0).count();
            let is_all = zeros == there.len();
            self.consume(zeros);
            if !is_all {
                return Ok(true);
            }
        }
    }

    /// Uses up the frame to be skipped that begins here.
    fn skip_frame(&mut self) -> io::Result<()> {
        let mut header = [0; 8];
        self.read_exact(&mut header)?;
        let length = header.last_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length));
        let skipped = io::copy(&mut self.take(u64::from(length)), &mut io::sink())?;
        if skipped < u64::from(length) {
            let kind = io::ErrorKind::UnexpectedEof;
            return Err(io::Error::new(
                kind,
                format!("a frame to be skipped lacks {} bytes", u64::from(length) - skipped),
            ));
        }
        Ok(())
    }

    /// The packing of bytes that begin with `guess`, past frames to be skipped: zstd and lz4 have them in common.
    pub fn settle(&mut self, guess: Packing) -> io::Result<Packing> {
        while is_skipped(self.peek()?) {
            self.skip_frame()?;
        }
        Ok(Packing::detect(self.peek()?).filter(|found| *found == Packing::Lz4).unwrap_or(guess))
    }
}

impl<R: BufRead> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let waiting = self.waiting();
        let count = if waiting.is_empty() {
            self.inner.read(buffer)?
        } else {
            let count = waiting.len().min(buffer.len());
            let (from, to) = (waiting.get(..count), buffer.get_mut(..count));
            if let (Some(from), Some(to)) = (from, to) {
                to.copy_from_slice(from);
            }
            self.at += count;
            count
        };
        self.is_over |= count == 0 && !buffer.is_empty();
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.ahead.len() {
            return Ok(self.waiting());
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        if self.at < self.ahead.len() {
            self.at += count;
        } else {
            self.inner.consume(count);
        }
    }
}

/// Whether a frame begins here that decoders of zstd and lz4 skip.
fn is_skipped(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The packing behind frames to be skipped; zstd where nothing that is known follows them.
pub(super) fn behind_skipped(mut bytes: &[u8]) -> Packing {
    while is_skipped(bytes) {
        let length =
            bytes.get(4..8).and_then(|length| length.first_chunk()).map_or(0, |raw| u32::from_le_bytes(*raw));
        bytes = bytes.get(8 + length as usize..).unwrap_or_default();
    }
    match Packing::detect(bytes) {
        Some(Packing::Lz4) => Packing::Lz4,
        _ => Packing::Zstd,
    }
}

/// Unpacks everything there is.
pub(super) struct Unpacker<R: BufRead> {
    packing: Option<Packing>,
    state: State<R>,
    /// Kept from frame to frame: making one costs more than a small frame.
    zstd: Option<ZstdDecoder>,
    /// Whether the first member was begun.
    has_begun: bool,
}

enum State<R: BufRead> {
    /// At the beginning of the next member, or behind the last.
    Between(Input<R>),
    /// Within a member.
    Member(Member<R>),
    Xz(Box<Careful<lzma_rust2::XzReader<Input<R>>>>),
    Lz4(Box<lz4_flex::frame::FrameDecoder<Input<R>>>),
    Legacy(Legacy<R>),
    /// After an error.
    Broken,
}

impl<R: BufRead> Unpacker<R> {
    /// What is packed as `packing` says, or as it is.
    pub fn new(packing: Option<Packing>, input: Input<R>) -> Self {
        Self { packing, state: State::Between(input), zstd: None, has_begun: false }
    }

    /// Fills `buffer` as far as it goes at once; 0 when nothing packed follows.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(packing) = self.packing else {
            let State::Between(input) = &mut self.state else { return Ok(0) };
            return input.read(buffer);
        };
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = match &mut self.state {
                State::Between(_) => {
                    if !self.begin(packing)? {
                        return Ok(0);
                    }
                    continue;
                }
                State::Member(member) => member.read(&mut To::Room(buffer)),
                State::Xz(decoder) => decoder.read(buffer),
                State::Lz4(decoder) => decoder.read(buffer),
                State::Legacy(decoder) => decoder.read(buffer),
                State::Broken => return Ok(0),
            }?;
            if read > 0 {
                return Ok(read);
            }
            self.leave()?;
        }
    }

    /// How many bytes the zstd frame that begins here says it has, and how far back in them the decoder may look; `None`
    /// anywhere else, or where it does not say.
    pub fn announced(&mut self) -> io::Result<Option<(u64, usize)>> {
        if self.packing != Some(Packing::Zstd) {
            return Ok(None);
        }
        if matches!(self.state, State::Between(_)) && !self.begin(Packing::Zstd)? {
            return Ok(None);
        }
        let State::Member(member) = &mut self.state else { return Ok(None) };
        if !matches!(member.codec, Codec::Zstd { is_fresh: true, .. }) {
            return Ok(None);
        }
        let head = member.input.peek_at(zstd::zstd_safe::FRAMEHEADERSIZE_MAX as usize)?;
        // What is wrong with a header, the decoder says.
        let length = zstd::zstd_safe::get_frame_content_size(head).unwrap_or(None);
        Ok(length
            .map(|length| (length, zstd_window(head).unwrap_or(length).try_into().unwrap_or(usize::MAX))))
    }

    /// Has the frame that begins here unpacked by [`Unpacker::read_in_place`], to its end.
    pub fn write_in_place(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Member(Member { codec: Codec::Zstd { decoder, .. }, .. }) => {
                decoder.set_parameter(DParameter::StableOutBuffer(true))
            }
            _ => Ok(()),
        }
    }

    /// Reads on into the place the frame was begun in; 0 at its end.
    pub fn read_in_place(&mut self, place: &mut Place) -> io::Result<usize> {
        let State::Member(member) = &mut self.state else { return Ok(0) };
        let read = member.read(&mut To::Place(place))?;
        if read == 0 {
            self.leave()?;
        }
        Ok(read)
    }

    /// Goes back between members.
    fn leave(&mut self) -> io::Result<()> {
        let input = match std::mem::replace(&mut self.state, State::Broken) {
            State::Between(input) => input,
            State::Member(member) => {
                if let Codec::Zstd { decoder, .. } = member.codec {
                    self.zstd = Some(decoder);
                }
                member.input
            }
            State::Xz(decoder) => decoder.reader.into_inner(),
            State::Lz4(decoder) => {
                let input = decoder.into_inner();
                // The decoder takes the end of its bytes for the end of the frame, whatever it was reading.
                if input.is_over {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a frame has no end mark"));
                }
                input
            }
            State::Legacy(decoder) => decoder.input,
            State::Broken => return Ok(()),
        };
        self.state = State::Between(input);
        Ok(())
    }

    /// Begins the next member; false when there is none.
    fn begin(&mut self, packing: Packing) -> io::Result<bool> {
        let State::Between(input) = &mut self.state else { return Ok(false) };
        let can_skip = matches!(packing, Packing::Zstd | Packing::Lz4);
        loop {
            if self.has_begun && !input.skip_zeros()? {
                return Ok(false);
            }
            if !can_skip || !is_skipped(input.peek()?) {
                break;
            }
            self.has_begun = true;
            input.skip_frame()?;
        }
        let head = input.peek()?;
        if Packing::detect(head) != Some(packing) {
            return Ok(false);
        }
        let is_legacy = head.starts_with(&LEGACY_MAGIC);
        self.has_begun = true;
        let State::Between(mut input) = std::mem::replace(&mut self.state, State::Broken) else {
            return Ok(false);
        };
        input.is_over = false;
        self.state = match packing {
            Packing::Gzip => {
                let codec = Codec::Gzip(flate2::Decompress::new_gzip(GZIP_WINDOW_LOG));
                State::Member(Member::new(input, codec))
            }
            Packing::Zstd => State::Member(Member::new(input, self.zstd()?)),
            Packing::Bzip2 => State::Member(Member::new(input, Codec::Bzip2(bzip2::Decompress::new(false)))),
            Packing::Xz => {
                let reader = lzma_rust2::XzReader::new_mem_limit(input, false, XZ_MEMORY_KIB);
                State::Xz(Box::new(Careful { reader, failed: None }))
            }
            Packing::Lz4 if is_legacy => State::Legacy(Legacy::new(input)?),
            Packing::Lz4 => State::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(input))),
        };
        Ok(true)
    }

    fn zstd(&mut self) -> io::Result<Codec> {
        let decoder = if let Some(mut decoder) = self.zstd.take() {
            decoder.reinit()?;
            decoder.set_parameter(DParameter::StableOutBuffer(false))?;
            decoder
        } else {
            let mut decoder = ZstdDecoder::new()?;
            decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
            decoder
        };
        Ok(Codec::Zstd { decoder, want: ZSTD_HEADER_BYTES_MIN, is_fresh: true })
    }

    /// Uses up what stands behind the end of what is packed; `None` when there is nothing, or only zeros.
    pub fn trailing(&mut self, is_cancelled: impl Fn() -> bool) -> io::Result<Option<Trailing>> {
        let State::Between(input) = &mut self.state else { return Ok(None) };
        let offset = input.count.load(Ordering::Relaxed);
        let mut bytes = 0;
        while !is_cancelled() {
            let there = match input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                there => there?.len(),
            };
            if there == 0 {
                break;
            }
            input.consume(there);
            bytes += there as u64;
        }
        Ok((bytes > 0).then_some(Trailing { offset, bytes }))
    }
}

/// The size of the window a zstd frame's header states; `None` where it is the whole frame (RFC 8878 §3.1.1.1).
fn zstd_window(head: &[u8]) -> Option<u64> {
    let (flags, window) = (head.get(4)?, head.get(5)?);
    let is_single = flags & 0x20 != 0;
    let base = 1_u64 << (10 + (window >> 3));
    (!is_single).then_some(base + base / 8 * u64::from(window & 7))
}

/// Numbers of errors of zstd, which are stable (`zstd_errors.h`).
const ZSTD_CORRUPTED: usize = 20;
const ZSTD_DESTINATION_TOO_SMALL: usize = 70;

/// What the library says of an error: it hands its number out as a size below 0.
fn zstd_message(number: usize) -> &'static str {
    zstd::zstd_safe::get_error_name(number.wrapping_neg())
}

type ZstdDecoder = zstd::stream::raw::Decoder<'static>;

/// A decoder that says how far it came also where it fails, so that nothing before the damage is lost.
enum Codec {
    Gzip(flate2::Decompress),
    Zstd {
        decoder: ZstdDecoder,
        /// The bytes it wants next: given more, it drops the blocks before the one that is damaged.
        want: usize,
        /// Whether the frame was not begun.
        is_fresh: bool,
    },
    Bzip2(bzip2::Decompress),
}

/// Where a decoder writes.
enum To<'t> {
    /// It keeps what it may copy from itself.
    Room(&'t mut [u8]),
    /// What it may copy from stands before, in the same place.
    Place(&'t mut Place),
}

impl To<'_> {
    /// Whether `written` bytes are all it can take.
    fn is_full(&self, written: usize) -> bool {
        match self {
            Self::Room(room) => written == room.len(),
            Self::Place(_) => false,
        }
    }

    fn room(&mut self) -> &mut [u8] {
        match self {
            Self::Room(room) => room,
            Self::Place(_) => &mut [],
        }
    }
}

/// What one call of a decoder did.
struct Step {
    used: usize,
    written: usize,
    /// Whether the member has ended.
    outcome: io::Result<bool>,
}

impl Codec {
    fn step(&mut self, from: &[u8], to: &mut To) -> Step {
        match self {
            Self::Gzip(decoder) => {
                let (used, written) = (decoder.total_in(), decoder.total_out());
                let result = decoder.decompress(from, to.room(), flate2::FlushDecompress::None);
                Step {
                    used: (decoder.total_in() - used) as usize,
                    written: (decoder.total_out() - written) as usize,
                    // What the library says depends on how much it was asked for.
                    outcome: result
                        .map(|status| status == flate2::Status::StreamEnd)
                        .map_err(|_| io::Error::other("what is packed, or its checksum, is wrong")),
                }
            }
            Self::Bzip2(decoder) => {
                let (used, written) = (decoder.total_in(), decoder.total_out());
                let result = decoder.decompress(from, to.room());
                Step {
                    used: (decoder.total_in() - used) as usize,
                    written: (decoder.total_out() - written) as usize,
                    outcome: result
                        .map(|status| status == bzip2::Status::StreamEnd)
                        .map_err(io::Error::other),
                }
            }
            Self::Zstd { decoder, want, is_fresh } => {
                *is_fresh = false;
                let mut from = InBuffer::around(from.get(..*want).unwrap_or(from));
                let (written, result) = match to {
                    To::Room(room) => {
                        let mut to = OutBuffer::around(*room);
                        let result = decoder.run(&mut from, &mut to);
                        (to.pos(), result)
                    }
                    To::Place(place) => place.run(decoder, &mut from),
                };
                if let Ok(hint) = result {
                    *want = hint.max(1);
                }
                // What is too long for its frame is damage like any other, but the library says so only in place.
                let result = result.map_err(|error| {
                    let is_too_long = error.to_string() == zstd_message(ZSTD_DESTINATION_TOO_SMALL);
                    if is_too_long { io::Error::other(zstd_message(ZSTD_CORRUPTED)) } else { error }
                });
                Step { used: from.pos(), written, outcome: result.map(|hint| hint == 0) }
            }
        }
    }
}

/// A reader that drops what it read in a call that meets an error: it is asked for little at a time.
struct Careful<R> {
    reader: R,
    /// What is wrong behind the bytes read so far.
    failed: Option<io::Error>,
}

impl<R: Read> Read for Careful<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut filled = 0;
        for part in buffer.chunks_mut(CAREFUL_BYTES).take(CAREFUL_PARTS) {
            match self.reader.read(part) {
                Ok(read) => {
                    filled += read;
                    if read < part.len() {
                        break;
                    }
                }
                Err(error) if filled == 0 => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(filled)
    }
}

/// A gzip member, zstd frame or bzip2 stream.
struct Member<R> {
    input: Input<R>,
    codec: Codec,
    has_ended: bool,
    /// Whether the last call was given too little room, so that the decoder may still hold something.
    holds_more: bool,
    /// What is wrong behind the bytes read so far.
    failed: Option<io::Error>,
}

impl<R: BufRead> Member<R> {
    fn new(input: Input<R>, codec: Codec) -> Self {
        Self { input, codec, has_ended: false, holds_more: false, failed: None }
    }

    /// Reads on; 0 at the end.
    fn read(&mut self, to: &mut To) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while !self.has_ended {
            // What the decoder holds comes before more is waited for.
            let holds_more = std::mem::take(&mut self.holds_more);
            let there = if holds_more { &[] } else { self.input.fill_buf()? };
            let is_over = there.is_empty() && !holds_more;
            let Step { used, written, outcome } = self.codec.step(there, to);
            self.input.consume(used);
            self.holds_more = to.is_full(written);
            match outcome {
                Ok(has_ended) => self.has_ended = has_ended,
                Err(error) if written > 0 => self.failed = Some(error),
                Err(error) => return Err(error),
            }
            if written > 0 {
                return Ok(written);
            }
            if is_over && !self.has_ended {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "they are cut"));
            }
        }
        Ok(0)
    }
}

/// The magic number of `lz4 -l`.
const LEGACY_MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// A frame as `lz4 -l` writes it: blocks with their length in front, without an end mark.
struct Legacy<R> {
    input: Input<R>,
    packed: Vec<u8>,
    block: Vec<u8>,
    /// What of the block has not been read.
    left: std::ops::Range<usize>,
}

impl<R: BufRead> Legacy<R> {
    fn new(mut input: Input<R>) -> io::Result<Self> {
        input.read_exact(&mut [0; LEGACY_MAGIC.len()])?;
        Ok(Self { input, packed: Vec::new(), block: Vec::new(), left: 0..0 })
    }

    /// Reads on; 0 where no block follows.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            let Some(length) = self.length()? else { return Ok(0) };
            self.input.read_exact(&mut [0; 4])?;
            self.packed.clear();
            (&mut self.input).take(length as u64).read_to_end(&mut self.packed)?;
            if self.packed.len() < length {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a block is cut"));
            }
            self.block.resize(LEGACY_BLOCK_BYTES, 0);
            let whole =
                lz4_flex::block::decompress_into(&self.packed, &mut self.block).map_err(io::Error::other)?;
            self.left = 0..whole;
        }
        let from = self.block.get(self.left.clone()).unwrap_or_default();
        let count = from.len().min(buffer.len());
        if let (Some(from), Some(to)) = (from.get(..count), buffer.get_mut(..count)) {
            to.copy_from_slice(from);
        }
        self.left.start += count;
        Ok(count)
    }

    /// The length of the block that begins here; the magic of another frame, padding and the end are none.
    fn length(&mut self) -> io::Result<Option<usize>> {
        let head = self.input.peek()?;
        let Some(length) = head.first_chunk::<4>().map(|raw| u32::from_le_bytes(*raw) as usize) else {
            if head.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the length of a block is cut"));
        };
        Ok((1..=LEGACY_PACKED_MAX).contains(&length).then_some(length))
    }
}
