//! TCP connections and UDP conversations, numbered as Wireshark numbers them, and what is counted from their beginning.
//!
//! Made when a filter asks for it and kept with that filter: the index has no table of flows.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::Context;
use super::evaluate::{Mask, View, WORD};
use super::fields::StreamField;
use crate::decode::{Address, Decoded, Quote, Transport};
use crate::index::segment::flags;
use crate::index::{Packet, PacketId};

const NONE: u32 = u32::MAX;
/// Packets looked at before cancellation is seen to.
const STRETCH: usize = 2048;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// The conversations a test has asked for, shared by its copies.
#[derive(Clone, Default)]
pub struct Cache(Arc<Mutex<Option<Arc<Streams>>>>);

impl std::fmt::Debug for Cache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Cache")
    }
}

impl Cache {
    /// The conversations of an index, as far as they were asked for.
    pub fn get(&self, field: StreamField, context: &Context<'_>) -> Arc<Streams> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = Identity::of(field, context);
        if let Some(known) = kept.as_ref().filter(|known| known.identity == identity) {
            return Arc::clone(known);
        }
        let made = Arc::new(Streams { identity, grown: RwLock::default() });
        *kept = Some(Arc::clone(&made));
        made
    }
}

/// What conversations were made from: the same index never changes in length or place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    transport: u8,
    packets: u32,
    segment: usize,
}

impl Identity {
    fn of(field: StreamField, context: &Context<'_>) -> Self {
        let segment = context.index.segments().last().map_or(0, |segment| Arc::as_ptr(segment) as usize);
        Self { transport: transport_of(field), packets: context.index.len(), segment }
    }
}

fn transport_of(field: StreamField) -> u8 {
    match field {
        StreamField::Number(transport) => transport,
        _ => 6,
    }
}

/// The conversation of every packet of one transport, worked out segment by segment as packets are asked about.
pub struct Streams {
    identity: Identity,
    grown: RwLock<Grown>,
}

/// What is known up to the end of a segment. What is said of a packet does not change as more becomes known, except for
/// windows, which wait for the end.
#[derive(Default)]
struct Grown {
    /// Segments looked through.
    segments: usize,
    /// Rows looked through of the next one.
    rows: usize,
    of: Vec<u32>,
    connections: Vec<Connection>,
    known: HashMap<(End, End), u32>,
}

/// What is counted from the beginning of a TCP connection; one entry a direction, that of the lower end first.
#[derive(Clone, Copy, Default)]
struct Connection {
    first: [Option<u32>; 2],
    shift: [Shift; 2],
}

/// What a side's SYN says of scaling its window.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Shift {
    /// No SYN was seen.
    #[default]
    Unknown,
    /// The SYN announces no shift.
    Refused,
    /// It announces this one.
    Announced(u8),
}

type End = (Address, u16);

impl Streams {
    /// A field of one packet; `None` where it has none, and when cancelled.
    pub fn value(&self, field: StreamField, packet: &Packet<'_>, context: &Context<'_>) -> Option<i64> {
        let wanted = match field {
            StreamField::Window => context.index.segments().len(),
            _ => context.index.segment_of(packet.id)? + 1,
        };
        {
            let grown = self.grown.read().unwrap_or_else(PoisonError::into_inner);
            if grown.segments >= wanted {
                return grown.value(field, packet);
            }
        }
        let mut grown = self.grown.write().unwrap_or_else(PoisonError::into_inner);
        while grown.segments < wanted {
            if !grown.grow(self.identity.transport, context) {
                return None;
            }
        }
        grown.value(field, packet)
    }
}

impl Streams {
    /// The rows of a view whose conversation has one of the numbers accepted.
    pub fn mask(&self, view: &View<'_>, context: &Context<'_>, accepts: &dyn Fn(i64) -> bool) -> Mask {
        let mut mask = vec![0u64; view.len().div_ceil(WORD)];
        // The last packet needs all that is known of those before it.
        let last = view.packet(view.len().saturating_sub(1));
        let _ = self.value(StreamField::Number(self.identity.transport), &last, context);
        let grown = self.grown.read().unwrap_or_else(PoisonError::into_inner);
        let first = view.base() as usize;
        let of = grown.of.get(first..first + view.len()).unwrap_or_default();
        for (word, of) in mask.iter_mut().zip(of.chunks(WORD)) {
            let passes = |at: &u32| *at != NONE && accepts(i64::from(*at));
            *word = of.iter().enumerate().fold(0, |word, (at, of)| word | u64::from(passes(of)) << at);
        }
        mask
    }
}

impl Grown {
    /// Looks through the next segment; false when cancelled, and the rest of it follows when asked again.
    fn grow(&mut self, transport: u8, context: &Context<'_>) -> bool {
        let index = context.index;
        let Some(segment) = index.segments().get(self.segments) else { return false };
        self.of.resize(segment.base.0 as usize + segment.len(), NONE);
        let Some(source) = index.sources.get(segment.source.place()) else { return false };
        for row in self.rows..segment.len() {
            if row % STRETCH == 0 && context.cancel.load(Ordering::Relaxed) {
                self.rows = row;
                return false;
            }
            let bits = segment.flags.get(row).copied().unwrap_or_default();
            let number = segment.transport.get(row).copied().unwrap_or_default();
            let is_error = bits & flags::ICMP_ERROR != 0;
            if number != transport && !is_error {
                continue;
            }
            let id = PacketId(segment.base.0 + row as u32);
            let packet = Packet { id, segment, row, source };
            if is_error {
                // Wireshark counts what an error quotes as a conversation of its own when it is the first of it.
                let decoded = packet.decode();
                if let Some(ends) = Quote::read(&decoded).and_then(|quote| ends_of(&quote.inner, transport)) {
                    self.number(ends, None);
                }
                continue;
            }
            if transport == 17 && bits & flags::FRAGMENT == 0 {
                let ends = (
                    (packet.source_address(), packet.source_port()),
                    (packet.destination_address(), packet.destination_port()),
                );
                let at = self.number(ends, None);
                self.put(id, at);
                continue;
            }
            let datagram = packet.datagram();
            let decoded = packet.decode();
            let decoded = datagram.as_ref().unwrap_or(&decoded);
            if datagram.is_none() && decoded.is_piece() {
                continue;
            }
            if let Some(ends) = ends_of(decoded, transport) {
                let at = self.number(ends, Some(decoded));
                self.put(id, at);
            }
        }
        self.segments += 1;
        self.rows = 0;
        true
    }

    fn put(&mut self, id: PacketId, at: u32) {
        if let Some(slot) = self.of.get_mut(id.0 as usize) {
            *slot = at;
        }
    }

    /// The number of a conversation, a new one where it is new.
    fn number(&mut self, (from, to): (End, End), decoded: Option<&Decoded<'_>>) -> u32 {
        let (key, side) = if from <= to { ((from, to), 0) } else { ((to, from), 1) };
        let mut at = self.known.get(&key).copied();
        let segment = decoded.and_then(Segment::of);
        if let (Some(found), Some(segment)) = (at, segment)
            && segment.flags & (SYN | ACK) == SYN
            && self.first(found, side).is_some_and(|first| first != segment.sequence)
        {
            // The same ports used again.
            at = None;
        }
        let at = at.unwrap_or_else(|| {
            let next = self.connections.len() as u32;
            self.connections.push(Connection::default());
            self.known.insert(key, next);
            next
        });
        if let Some((connection, segment)) = self.connections.get_mut(at as usize).zip(segment) {
            connection.learn(side, &segment);
        }
        at
    }

    fn first(&self, at: u32, side: usize) -> Option<u32> {
        *self.connections.get(at as usize)?.first.get(side)?
    }

    fn value(&self, field: StreamField, packet: &Packet<'_>) -> Option<i64> {
        let at = self.of.get(packet.id.0 as usize).copied().filter(|at| *at != NONE)?;
        if let StreamField::Number(_) = field {
            return Some(i64::from(at));
        }
        let datagram = packet.datagram();
        let decoded = packet.decode();
        let decoded = datagram.as_ref().unwrap_or(&decoded);
        let (from, to) = ends_of(decoded, 6)?;
        let side = usize::from(from > to);
        let segment = Segment::of(decoded)?;
        let connection = self.connections.get(at as usize)?;
        let since = |side: usize, value: u32| {
            let first = connection.first.get(side).copied().flatten()?;
            Some(i64::from(value.wrapping_sub(first)))
        };
        match field {
            StreamField::Number(_) => None,
            StreamField::Sequence => since(side, segment.sequence),
            StreamField::Acknowledgment if segment.flags & ACK == 0 => {
                Some(i64::from(segment.acknowledgment))
            }
            StreamField::Acknowledgment => since(1 - side, segment.acknowledgment),
            StreamField::Window => Some(connection.window(side, &segment)),
        }
    }
}

impl Connection {
    fn learn(&mut self, side: usize, segment: &Segment) {
        let syn = segment.flags & SYN != 0;
        if let Some(first @ None) = self.first.get_mut(side) {
            // Without the SYN the first byte seen counts as 1.
            *first = Some(if syn { segment.sequence } else { segment.sequence.wrapping_sub(1) });
        }
        if segment.flags & ACK != 0
            && let Some(other @ None) = self.first.get_mut(1 - side)
        {
            *other = Some(segment.acknowledgment.wrapping_sub(1));
        }
        if let Some(shift) = self.shift.get_mut(side).filter(|_| syn) {
            *shift = segment.shift.map_or(Shift::Refused, Shift::Announced);
        }
    }

    /// The window in bytes (RFC 7323 §2.2: only when both sides announce a shift, and never in a SYN).
    fn window(&self, side: usize, segment: &Segment) -> i64 {
        let plain = i64::from(segment.window);
        let refused = self.shift.contains(&Shift::Refused);
        match self.shift.get(side) {
            Some(Shift::Announced(shift)) if !refused && segment.flags & SYN == 0 => {
                plain << (*shift).min(14)
            }
            _ => plain,
        }
    }
}

/// What is read of a TCP header.
#[derive(Clone, Copy)]
struct Segment {
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
    window: u16,
    shift: Option<u8>,
}

impl Segment {
    fn of(decoded: &Decoded<'_>) -> Option<Self> {
        let Transport::Tcp { sequence, acknowledgment, flags, window, .. } = decoded.transport else {
            return None;
        };
        let shift = if flags & SYN == 0 { None } else { crate::protocols::tcp::window_shift(decoded) };
        Some(Self { sequence, acknowledgment, flags, window, shift })
    }
}

fn ends_of(decoded: &Decoded<'_>, transport: u8) -> Option<(End, End)> {
    let number = match decoded.transport {
        Transport::Udp { .. } => 17,
        Transport::Tcp { .. } => 6,
        _ => return None,
    };
    let (from, to) = decoded.ports().filter(|_| number == transport)?;
    Some(((decoded.source, from), (decoded.destination, to)))
}
