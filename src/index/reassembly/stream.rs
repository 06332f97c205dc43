//! TCP segments to DNS messages: a two-byte length before each (RFC 1035 §4.2.2; RFC 7766 §8).

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::{File, Message, Now, StreamHeader, Work, frame_offset};
use crate::decode::Address;
use crate::index::PacketId;
use crate::protocols::ProtocolId;
use crate::time::Nanos;

/// Directions of connections that are followed; the oldest gives way.
pub const STREAMS_MAX: usize = 1 << 16;
/// Segments of one direction that may wait for a gap to be filled.
pub const PENDING_MAX: usize = 128;
/// A gap that was not filled after this time is taken as lost.
pub const GAP_MAX_NS: Nanos = 3_000_000_000;
/// Bytes of unfinished messages held in all directions together.
pub const HELD_MAX_BYTES: usize = 32 << 20;
const HEADER_BYTES: usize = 12;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;

/// A run of bytes in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub offset: u64,
    pub length: u32,
}

/// Payload of a segment: in the file, or held because its IP packet was in fragments.
#[derive(Clone, Debug)]
pub(super) enum Data {
    File(Place),
    Held(Vec<u8>),
}

impl Data {
    fn bytes<'b>(&'b self, file: File<'b>) -> &'b [u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::File(place) => {
                let start = place.offset as usize;
                file.get(start..start.saturating_add(place.length as usize)).unwrap_or_default()
            }
        }
    }
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    from: (Address, u16),
    to: (Address, u16),
}

#[derive(Clone, Debug)]
struct Pending {
    sequence: u32,
    data: Data,
    packet: PacketId,
    time_ns: Nanos,
}

#[derive(Clone, Debug, Default)]
struct Stream {
    born: u64,
    /// The sequence number that comes next; `None` until a place to begin is found.
    next: Option<u32>,
    /// Whether bytes are missing before `next`, so that it may stand in the middle of a message.
    is_behind_gap: bool,
    /// The highest acknowledgment number its receiver sent.
    acked: Option<u32>,
    /// The bytes of a message that is not complete, its length first.
    buffer: Vec<u8>,
    /// The packets those bytes came in.
    parts: Vec<PacketId>,
    pending: Vec<Pending>,
}

/// A segment's bytes in their turn, and where they stand.
struct Chunk<'c> {
    bytes: &'c [u8],
    packet: PacketId,
    /// Offset of the bytes in the frame looked at; `None` where they stand in another.
    in_frame: Option<u32>,
}

/// All directions that are followed.
#[derive(Clone, Default)]
pub(super) struct Streams {
    streams: HashMap<Key, Stream>,
    order: VecDeque<(Key, u64)>,
    births: u64,
    held: usize,
}

impl Streams {
    /// Looks at one TCP packet and adds the messages it completes.
    pub fn push(
        &mut self,
        header: &StreamHeader,
        (source, destination): (Address, Address),
        data: &Data,
        now: Now,
        work: &mut Work<'_>,
    ) {
        let key = Key { from: (source, header.source_port), to: (destination, header.destination_port) };
        if header.flags & RST != 0 {
            self.remove(&key);
            self.remove(&Key { from: key.to, to: key.from });
            return;
        }
        let file = work.file;
        let payload = data.bytes(file);
        if !payload.is_empty() || header.flags & SYN != 0 {
            self.enter(key);
            let before = self.held_by(&key);
            if let Some(stream) = self.streams.get_mut(&key) {
                let sequence = stream.begin(header, payload);
                stream.accept(sequence, data, &key, now, work);
                if header.flags & FIN != 0 && stream.pending.is_empty() {
                    stream.next = None;
                }
            }
            self.held = (self.held + self.held_by(&key)).saturating_sub(before);
        }
        self.acknowledged(&Key { from: key.to, to: key.from }, header, now, work);
    }

    /// The receiver confirmed bytes that this capture does not have: the gap will never be filled.
    fn acknowledged(&mut self, reverse: &Key, header: &StreamHeader, now: Now, work: &mut Work<'_>) {
        const ACK: u8 = 16;
        if header.flags & ACK == 0 {
            return;
        }
        let before = self.held_by(reverse);
        let Some(stream) = self.streams.get_mut(reverse) else { return };
        if stream.acked.is_none_or(|acked| ahead(header.acknowledgment, acked) > 0) {
            stream.acked = Some(header.acknowledgment);
        }
        if stream.gap_is_acked() {
            stream.give_up_gap();
            stream.drain(reverse, now, work);
            self.held = (self.held + self.held_by(reverse)).saturating_sub(before);
        }
    }

    fn held_by(&self, key: &Key) -> usize {
        self.streams.get(key).map_or(0, |stream| stream.buffer.len())
    }

    fn enter(&mut self, key: Key) {
        if self.streams.contains_key(&key) {
            return;
        }
        while self.streams.len() >= STREAMS_MAX
            || self.held > HELD_MAX_BYTES
            || self.order.len() >= 4 * STREAMS_MAX
        {
            let Some((oldest, born)) = self.order.pop_front() else { break };
            if self.streams.get(&oldest).is_some_and(|stream| stream.born == born) {
                self.remove(&oldest);
            }
        }
        self.births += 1;
        self.order.push_back((key, self.births));
        self.streams.insert(key, Stream { born: self.births, ..Stream::default() });
    }

    fn remove(&mut self, key: &Key) {
        if let Some(stream) = self.streams.remove(key) {
            self.held = self.held.saturating_sub(stream.buffer.len());
        }
    }
}

/// How far `sequence` is ahead of `base`, modulo 2³² (RFC 9293 §3.4).
fn ahead(sequence: u32, base: u32) -> i32 {
    sequence.wrapping_sub(base) as i32
}

/// Whether bytes can be the beginning of a message: without the handshake nothing else tells where one begins.
fn begins_message(bytes: &[u8]) -> bool {
    let Some([a, b]) = bytes.first_chunk::<2>() else { return false };
    let length = usize::from(u16::from_be_bytes([*a, *b]));
    if length < HEADER_BYTES {
        return false;
    }
    let Some(header) = bytes.get(2..2 + HEADER_BYTES) else { return bytes.len() == 2 };
    let count = |at: usize| {
        let pair = header.get(at..).and_then(|rest| rest.first_chunk::<2>());
        pair.map_or(0, |pair| usize::from(u16::from_be_bytes(*pair)))
    };
    let opcode = header.get(2).map_or(0, |flags| flags >> 3 & 0xf);
    // Each question takes five bytes and each record eleven at least.
    let least = HEADER_BYTES + count(4) * 5 + (count(6) + count(8) + count(10)) * 11;
    opcode <= 6 && count(4) <= 4 && least <= length
}

impl Stream {
    /// Finds where to begin; gives the sequence number of the payload's first byte.
    fn begin(&mut self, header: &StreamHeader, payload: &[u8]) -> u32 {
        if header.flags & SYN != 0 {
            let first = header.sequence.wrapping_add(1);
            // A repeated SYN of the same connection changes nothing.
            if self.next.is_none_or(|next| !(0..=1 << 20).contains(&ahead(next, first))) {
                self.reset();
                self.next = Some(first);
            }
            return first;
        }
        if self.next.is_none() && begins_message(payload) {
            self.next = Some(header.sequence);
        }
        header.sequence
    }

    fn reset(&mut self) {
        self.next = None;
        self.acked = None;
        self.is_behind_gap = false;
        self.buffer.clear();
        self.parts.clear();
        self.pending.clear();
    }

    /// Takes a segment in its turn, or keeps it until its turn comes.
    fn accept(&mut self, sequence: u32, data: &Data, key: &Key, now: Now, work: &mut Work<'_>) {
        let Some(next) = self.next else { return };
        let file = work.file;
        let bytes = data.bytes(file);
        if bytes.is_empty() {
            return;
        }
        let distance = ahead(sequence, next);
        if distance > 0 {
            self.wait(Pending { sequence, data: data.clone(), packet: now.packet, time_ns: now.time_ns });
            let gave_up = self.gap_is_acked()
                || self.pending.len() >= PENDING_MAX
                || self
                    .pending
                    .iter()
                    .any(|pending| now.time_ns.saturating_sub(pending.time_ns) > GAP_MAX_NS);
            if gave_up {
                self.give_up_gap();
                self.drain(key, now, work);
            }
            return;
        }
        let known = distance.unsigned_abs() as usize;
        let Some(fresh) = bytes.get(known..).filter(|fresh| !fresh.is_empty()) else { return };
        let in_frame = match data {
            Data::Held(_) => None,
            Data::File(place) => {
                let start = place.offset.saturating_sub(frame_offset(work.segment, now.row));
                Some(start as u32 + known as u32)
            }
        };
        self.take(&Chunk { bytes: fresh, packet: now.packet, in_frame }, key, now, work);
        self.drain(key, now, work);
    }

    fn wait(&mut self, segment: Pending) {
        let Some(next) = self.next else { return };
        let at = self.pending.partition_point(|other| {
            (ahead(other.sequence, next), other.packet) < (ahead(segment.sequence, next), segment.packet)
        });
        let is_copy = |other: &Pending| other.sequence == segment.sequence;
        if !self.pending.get(at).is_some_and(is_copy)
            && !at.checked_sub(1).and_then(|before| self.pending.get(before)).is_some_and(is_copy)
        {
            self.pending.insert(at, segment);
        }
    }

    /// Whether the receiver has everything before the first waiting segment, so that nothing will fill the gap.
    fn gap_is_acked(&self) -> bool {
        let first = self.pending.first().zip(self.acked);
        first.is_some_and(|(first, acked)| ahead(first.sequence, acked) <= 0)
    }

    /// Begins anew behind a gap: the unfinished message is lost.
    fn give_up_gap(&mut self) {
        self.buffer.clear();
        self.parts.clear();
        self.next = self.pending.first().map(|pending| pending.sequence);
        self.is_behind_gap = true;
    }

    /// Takes waiting segments whose turn has come.
    fn drain(&mut self, key: &Key, now: Now, work: &mut Work<'_>) {
        while let (Some(next), Some(first)) = (self.next, self.pending.first()) {
            let distance = ahead(first.sequence, next);
            if distance > 0 {
                break;
            }
            let first = self.pending.remove(0);
            let file = work.file;
            let bytes = first.data.bytes(file);
            let Some(fresh) = bytes.get(distance.unsigned_abs() as usize..).filter(|b| !b.is_empty()) else {
                continue;
            };
            let in_frame = match first.data {
                Data::File(place) if first.packet == now.packet => {
                    let start = place.offset.saturating_sub(frame_offset(work.segment, now.row));
                    Some(start as u32 + distance.unsigned_abs())
                }
                _ => None,
            };
            self.take(&Chunk { bytes: fresh, packet: first.packet, in_frame }, key, now, work);
        }
    }

    /// Adds bytes in their turn and cuts out the messages they complete.
    fn take(&mut self, chunk: &Chunk<'_>, key: &Key, now: Now, work: &mut Work<'_>) {
        self.next = self.next.map(|next| next.wrapping_add(chunk.bytes.len() as u32));
        if self.is_behind_gap && !begins_message(chunk.bytes) {
            return;
        }
        self.is_behind_gap = false;
        let carried = self.buffer.len();
        self.buffer.extend_from_slice(chunk.bytes);
        self.parts.push(chunk.packet);
        let buffer = std::mem::take(&mut self.buffer);
        let mut at = 0;
        while let Some(prefix) = buffer.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
            let length = usize::from(u16::from_be_bytes(*prefix));
            if length < HEADER_BYTES {
                // No message is that short: the place is lost, and the next one must be found again.
                self.parts.clear();
                self.next = None;
                return;
            }
            let Some(message) = buffer.get(at + 2..at + 2 + length) else { break };
            let ends = (key.from, key.to);
            let whole = (at >= carried).then_some(chunk.in_frame).flatten();
            let place = if let Some(start) = whole {
                let start = start + (at + 2 - carried) as u32;
                Message { start, assembled: false, transport: 6 }
            } else {
                let start = work.assembly(now.packet, false, message, &self.parts);
                Message { start, assembled: true, transport: 6 }
            };
            work.message(now, ProtocolId::DNS, message, ends, place);
            self.parts.clear();
            self.parts.push(chunk.packet);
            at += 2 + length;
        }
        self.buffer = buffer.get(at..).unwrap_or_default().to_vec();
        if self.buffer.is_empty() {
            self.parts.clear();
        }
    }
}
