//! What making transactions needs to know of each message, in eight bytes: those between a query and its answer fit the
//! cache, and no second pass over all messages is needed.

use super::messages::{self, Messages, Position};
use crate::index::{DnsRow, PacketId, Segment};
use crate::time::Nanos;

/// Messages that are told from the same beginning.
pub(super) const BLOCK: Position = 1 << 15;
/// Bits for the packet, counted from the first of the block, and those above it for what the header says.
const PACKET_BITS: u32 = 18;
const CODE_BITS: u32 = 4;
const TRUNCATED: u64 = 1 << (PACKET_BITS + CODE_BITS);
const EXTENDED: u64 = TRUNCATED << 1;
/// The time in nanoseconds from that of the first of the block stands above.
const TIME_SHIFT: u32 = PACKET_BITS + CODE_BITS + 2;
/// Stands for a message that does not fit: long after the block's first, before it, or many packets away.
const UNFIT: u64 = u64::MAX;

/// What a transaction needs to know of a message.
#[derive(Clone, Copy)]
pub(super) struct Brief {
    pub time_ns: Nanos,
    pub packet: PacketId,
    pub response_code: u8,
    pub is_truncated: bool,
    pub is_extended: bool,
}

impl Brief {
    pub fn of(row: &DnsRow, time_ns: Nanos) -> Self {
        Self {
            time_ns,
            packet: row.packet,
            response_code: row.header.response_code(),
            is_truncated: row.header.is_truncated(),
            is_extended: row.is_extended(),
        }
    }
}

/// The messages of a block, told from packet and time of its first.
pub(super) struct Briefed {
    packet: PacketId,
    time_ns: Nanos,
    words: Vec<u64>,
}

impl Briefed {
    /// A block that begins with this message; nothing is in it yet.
    pub fn new(segment: &Segment, row: &DnsRow) -> Self {
        let words = Vec::with_capacity(BLOCK as usize);
        Self { packet: row.packet, time_ns: messages::time_in(segment, row.packet), words }
    }

    pub fn push(&mut self, segment: &Segment, row: &DnsRow) {
        let word = self.pack(&Brief::of(row, messages::time_in(segment, row.packet)));
        self.words.push(word.unwrap_or(UNFIT));
    }

    fn pack(&self, brief: &Brief) -> Option<u64> {
        let packet = brief.packet.0.checked_sub(self.packet.0).filter(|packet| *packet < 1 << PACKET_BITS)?;
        let time = u64::try_from(brief.time_ns.saturating_sub(self.time_ns)).ok()?;
        if time >= (1 << (u64::BITS - TIME_SHIFT)) - 1 {
            return None;
        }
        let truncated = u64::from(brief.is_truncated) * TRUNCATED;
        let extended = u64::from(brief.is_extended) * EXTENDED;
        let code = u64::from(brief.response_code) << PACKET_BITS;
        Some(time << TIME_SHIFT | truncated | extended | code | u64::from(packet))
    }

    fn unpack(&self, word: u64) -> Option<Brief> {
        (word != UNFIT).then(|| Brief {
            time_ns: self.time_ns + (word >> TIME_SHIFT) as Nanos,
            packet: PacketId(self.packet.0 + (word & ((1 << PACKET_BITS) - 1)) as u32),
            response_code: (word >> PACKET_BITS) as u8 & ((1 << CODE_BITS) - 1),
            is_truncated: word & TRUNCATED != 0,
            is_extended: word & EXTENDED != 0,
        })
    }
}

/// All messages in brief.
pub(super) struct Briefs<'m> {
    pub messages: &'m Messages<'m>,
    /// `None` for blocks without messages.
    pub blocks: Vec<Option<Briefed>>,
}

impl Briefs<'_> {
    pub fn get(&self, position: Position) -> Option<Brief> {
        let block = self.blocks.get((position / BLOCK) as usize)?.as_ref()?;
        let word = *block.words.get((position % BLOCK) as usize)?;
        block.unpack(word).or_else(|| {
            let (row, time_ns) = self.messages.at(position)?;
            Some(Brief::of(row, time_ns))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_brief_is_the_message() {
        let block = Briefed { packet: PacketId(1000), time_ns: -5, words: Vec::new() };
        let brief = Brief {
            time_ns: 1_000_000_000_000,
            packet: PacketId(1000 + (1 << PACKET_BITS) - 1),
            response_code: 15,
            is_truncated: true,
            is_extended: false,
        };
        let told = block.pack(&brief).and_then(|word| block.unpack(word)).expect("it fits");
        assert_eq!((told.time_ns, told.packet), (brief.time_ns, brief.packet));
        assert_eq!((told.response_code, told.is_truncated, told.is_extended), (15, true, false));
    }

    #[test]
    fn what_does_not_fit_is_not_told_in_brief() {
        let block = Briefed { packet: PacketId(1000), time_ns: 0, words: Vec::new() };
        let fits = Brief {
            time_ns: 0,
            packet: PacketId(1000),
            response_code: 0,
            is_truncated: false,
            is_extended: false,
        };
        assert!(block.pack(&fits).is_some());
        for unfit in [
            Brief { time_ns: -1, ..fits },
            Brief { time_ns: 1 << 40, ..fits },
            Brief { time_ns: Nanos::MAX, ..fits },
            Brief { packet: PacketId(999), ..fits },
            Brief { packet: PacketId(1000 + (1 << PACKET_BITS)), ..fits },
        ] {
            assert!(block.pack(&unfit).is_none());
        }
    }
}
