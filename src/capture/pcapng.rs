//! Walks pcapng files: sections of either byte order, all packet blocks, and what interfaces and comments say.
//!
//! Blocks are framed by pcap-file's `RawBlock`; what it rejects is salvaged by looking for the next block
//! whose two lengths agree (draft-ietf-opsawg-pcapng).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use byteorder_slice::{BigEndian, LittleEndian};
use pcap_file::pcapng::RawBlock;
use pcap_file::pcapng::blocks::block_common::{
    CUSTOM_BLOCK_COPIABLE, CUSTOM_BLOCK_NON_COPIABLE, ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK,
    INTERFACE_STATISTIC_BLOCK, NAME_RESOLUTION_BLOCK, PACKET_BLOCK, SECTION_HEADER_BLOCK,
    SIMPLE_PACKET_BLOCK, SYSTEMD_JOURNAL_EXPORT_BLOCK,
};

use super::order::Order;
use super::{Bytes, Damage, Fill, Format, Interface, LinkType, Metadata, Place, Record, Walk};
use crate::time::Nanos;

/// Larger blocks are taken as damage.
const BLOCK_MAX_BYTES: usize = 64 << 20;
/// Interfaces kept over all sections; packets of further ones are counted as damage.
const INTERFACES_MAX: usize = 4096;
/// Comments kept, on packets and on sections and interfaces each.
const COMMENTS_MAX: usize = 100_000;
/// Address names kept.
const NAMES_MAX: usize = 100_000;
/// Options read in one block.
const OPTIONS_MAX: usize = 1_000;
const DECRYPTION_SECRETS_BLOCK: u32 = 0x0a;
const OPTION_COMMENT: u16 = 1;

/// How an interface's ticks become nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// The interface's position in [`Metadata::interfaces`].
    interface: u16,
    snap_length: u32,
    resolution: Resolution,
    offset_ns: i128,
}

#[derive(Clone, Copy, Debug)]
enum Resolution {
    /// Ticks are this many nanoseconds.
    Multiply(u64),
    /// This many ticks are a nanosecond.
    Divide(u128),
    /// Ticks are 2⁻ⁿ seconds.
    Binary(u8),
}

impl Resolution {
    /// Reads `if_tsresol`: the highest bit chooses powers of two.
    fn new(value: u8) -> Self {
        match value {
            128..=255 => Self::Binary(value & 0x7f),
            0..=9 => Self::Multiply(10u64.pow(9 - u32::from(value))),
            _ => 10u128.checked_pow(u32::from(value) - 9).map_or(Self::Divide(u128::MAX), Self::Divide),
        }
    }

    fn words(value: u8) -> String {
        match value {
            0 => "s".to_owned(),
            3 => "ms".to_owned(),
            6 => "µs".to_owned(),
            9 => "ns".to_owned(),
            12 => "ps".to_owned(),
            128..=255 => format!("2^-{} s", value & 0x7f),
            _ => format!("10^-{value} s"),
        }
    }
}

impl Clock {
    /// Nanoseconds since 1970; what does not fit in 64 bits stays at the nearest end.
    #[inline]
    fn time_ns(&self, ticks: u64) -> Nanos {
        if let (Resolution::Multiply(factor), 0) = (self.resolution, self.offset_ns)
            && let Some(time) = ticks.checked_mul(factor)
        {
            return Nanos::try_from(time).unwrap_or(Nanos::MAX);
        }
        let ns = match self.resolution {
            Resolution::Multiply(factor) => u128::from(ticks) * u128::from(factor),
            Resolution::Divide(divisor) => u128::from(ticks) / divisor,
            Resolution::Binary(shift) => {
                (u128::from(ticks) * 1_000_000_000).checked_shr(shift.into()).unwrap_or(0)
            }
        };
        let time = i128::try_from(ns).unwrap_or(i128::MAX).saturating_add(self.offset_ns);
        time.clamp(Nanos::MIN.into(), Nanos::MAX.into()) as Nanos
    }
}

/// The state of a walk over one pcapng file.
pub struct Pcapng {
    order: Order,
    /// Interfaces of the current section.
    clocks: Vec<Clock>,
    position: usize,
    /// Where the search for the next good block stands; 0 when none is under way.
    searched: usize,
    /// What began the search.
    trouble: String,
    frames: u64,
    /// Time of the last packet that had one.
    last_ns: Nanos,
    metadata: Metadata,
}

impl Pcapng {
    /// Recognises the section header block a pcapng file begins with.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let order = section_order(bytes)?;
        Some(Self {
            order,
            clocks: Vec::new(),
            position: 0,
            searched: 0,
            trouble: String::new(),
            frames: 0,
            last_ns: 0,
            metadata: Metadata::new(Format::Pcapng),
        })
    }

    fn damaged(&mut self, offset: usize, skipped: usize, reason: String) {
        self.metadata.push_damage(Damage {
            offset: offset as u64,
            skipped: skipped as u64,
            after_frame: self.frames,
            reason,
            place: Place::Capture,
        });
    }

    /// What stands at the position: a block's type and total length, or why it is none.
    #[inline]
    fn frame(&self, rest: &[u8]) -> Framed {
        if rest.len() < 12 {
            return Framed::Short;
        }
        let kind = self.order.u32(rest, 0);
        let order = if kind == SECTION_HEADER_BLOCK {
            match section_order(rest) {
                Some(order) => order,
                None => return Framed::Bad("a section header without its byte-order mark".to_owned()),
            }
        } else {
            self.order
        };
        let length = order.u32(rest, 4) as usize;
        if length < 12 || !length.is_multiple_of(4) || length > BLOCK_MAX_BYTES {
            return Framed::Bad(format!("a block claims {length} bytes"));
        }
        if rest.len() < length {
            return Framed::Cut { length };
        }
        let framed = match order {
            Order::Little => RawBlock::from_slice::<LittleEndian>(rest),
            Order::Big => RawBlock::from_slice::<BigEndian>(rest),
        };
        match framed {
            Ok((_, block)) => Framed::Block { kind: block.type_, length, order },
            Err(_) => Framed::Bad("the two lengths of a block differ".to_owned()),
        }
    }

    /// Looks for the next block from `searched` on; true when the walk can go on.
    fn search(&mut self, bytes: Bytes<'_>, complete: bool) -> Option<Fill> {
        while self.searched + 12 <= bytes.len() {
            let rest = bytes.get(self.searched..).unwrap_or_default();
            if is_known(self.order.u32(rest, 0)) {
                match self.frame(rest) {
                    Framed::Block { .. } => {
                        let (from, reason) = (self.position, std::mem::take(&mut self.trouble));
                        self.damaged(from, self.searched - from, reason);
                        self.position = self.searched;
                        self.searched = 0;
                        return None;
                    }
                    Framed::Cut { .. } | Framed::Short if !complete => return Some(Fill::Starved),
                    _ => {}
                }
            }
            self.searched += 1;
        }
        if !complete {
            return Some(Fill::Starved);
        }
        let (from, reason) = (self.position, std::mem::take(&mut self.trouble));
        self.damaged(from, bytes.len() - from, reason);
        self.position = bytes.len();
        self.searched = 0;
        Some(Fill::End)
    }

    fn begin_search(&mut self, reason: String) {
        self.trouble = reason;
        self.searched = self.position + 1;
    }

    /// Reads one whole block; a packet is appended to `records`.
    #[inline]
    fn block(&mut self, block: &[u8], kind: u32, order: Order, records: &mut Vec<Record>) {
        match kind {
            ENHANCED_PACKET_BLOCK => {
                let ticks = u64::from(order.u32(block, 12)) << 32 | u64::from(order.u32(block, 16));
                let packet = Packet {
                    interface: order.u32(block, 8),
                    ticks: Some(ticks),
                    captured: order.u32(block, 20),
                    original: order.u32(block, 24),
                    data: 28,
                };
                self.packet(block, &packet, records);
            }
            SIMPLE_PACKET_BLOCK => self.simple_packet(block, records),
            PACKET_BLOCK => {
                let ticks = u64::from(order.u32(block, 12)) << 32 | u64::from(order.u32(block, 16));
                let packet = Packet {
                    interface: u32::from(order.u16(block, 8)),
                    ticks: Some(ticks),
                    captured: order.u32(block, 20),
                    original: order.u32(block, 24),
                    data: 28,
                };
                self.packet(block, &packet, records);
            }
            SECTION_HEADER_BLOCK => self.section(block, order),
            INTERFACE_DESCRIPTION_BLOCK => self.interface(block),
            INTERFACE_STATISTIC_BLOCK => self.statistics(block),
            NAME_RESOLUTION_BLOCK => self.names(block),
            // Decryption secrets, custom and unknown blocks hold no packets.
            _ => {}
        }
    }

    fn simple_packet(&mut self, block: &[u8], records: &mut Vec<Record>) {
        let original = self.order.u32(block, 8);
        let limit = self.clocks.first().map_or(0, |clock| clock.snap_length);
        // The block has no captured length: it is the least of the original, the snap length and what is there.
        let there = block.len().saturating_sub(16) as u32;
        let captured = if limit == 0 { original } else { original.min(limit) };
        let packet = Packet { interface: 0, ticks: None, captured: captured.min(there), original, data: 12 };
        self.packet(block, &packet, records);
    }

    #[inline]
    fn packet(&mut self, block: &[u8], packet: &Packet, records: &mut Vec<Record>) {
        let Some(clock) = self.clocks.get(packet.interface as usize).copied() else {
            let reason = format!("a packet of interface {}, which is not described", packet.interface);
            self.damaged(self.position, block.len(), reason);
            return;
        };
        let there = block.len().saturating_sub(packet.data + 4);
        if block.len() < packet.data + 4 {
            self.damaged(self.position, block.len(), "a packet block too short for its fields".to_owned());
            return;
        }
        let mut captured = packet.captured;
        if captured as usize > there {
            let reason = format!("a packet claims {captured} bytes, its block has {there}");
            self.damaged(self.position + packet.data, 0, reason);
            captured = there as u32;
        }
        self.frames += 1;
        if let Some(ticks) = packet.ticks {
            self.last_ns = clock.time_ns(ticks);
            self.metadata.has_times = true;
        } else if self.frames == 1 {
            self.metadata.has_times = false;
        }
        records.push(Record {
            offset: (self.position + packet.data) as u64,
            time_ns: self.last_ns,
            has_time: packet.ticks.is_some(),
            captured,
            original: packet.original,
            interface: clock.interface,
        });
        let options = packet.data + (captured as usize).next_multiple_of(4);
        if packet.ticks.is_some() && options + 8 <= block.len() {
            self.packet_comments(block, options);
        }
    }

    fn packet_comments(&mut self, block: &[u8], at: usize) {
        for (code, value) in self.options(block, at) {
            if code == OPTION_COMMENT && self.metadata.comments.len() < COMMENTS_MAX {
                self.metadata.comments.push((self.frames, text(value)));
            }
        }
    }

    fn options<'b>(&self, block: &'b [u8], at: usize) -> Options<'b> {
        let end = block.len().saturating_sub(4);
        Options { bytes: block.get(at..end).unwrap_or_default(), order: self.order, left: OPTIONS_MAX }
    }

    fn section(&mut self, block: &[u8], order: Order) {
        self.order = order;
        self.clocks.clear();
        // 1.2 stands for 1.0 (draft-ietf-opsawg-pcapng §4.1).
        let version = (order.u16(block, 12), order.u16(block, 14));
        if !matches!(version, (1, 0 | 2)) {
            let (major, minor) = version;
            let reason = format!(
                "a section of version {major}.{minor}, which is not specified: what it holds is read as version 1.0"
            );
            self.damaged(self.position, 0, reason);
        }
        for (code, value) in self.options(block, 24) {
            match code {
                OPTION_COMMENT if self.metadata.section_comments.len() < COMMENTS_MAX => {
                    self.metadata.section_comments.push(text(value));
                }
                // shb_hardware, shb_os, shb_userappl
                2..=4 => {
                    let said = text(value);
                    if !self.metadata.written_by.contains(&said) && self.metadata.written_by.len() < 64 {
                        self.metadata.written_by.push(said);
                    }
                }
                _ => {}
            }
        }
    }

    fn interface(&mut self, block: &[u8]) {
        let number = self.metadata.interfaces.len();
        if number >= INTERFACES_MAX {
            self.damaged(self.position, block.len(), "more interfaces than are kept".to_owned());
            return;
        }
        let link_type = LinkType(self.order.u16(block, 8));
        let snap_length = self.order.u32(block, 12);
        let mut interface = Interface::new(link_type, snap_length, "µs");
        let (mut resolution, mut offset_ns) = (Resolution::new(6), 0);
        for (code, value) in self.options(block, 16) {
            match code {
                OPTION_COMMENT => interface.comments.push(text(value)),
                2 => interface.name = Some(text(value)),
                3 => interface.description = Some(text(value)),
                9 => {
                    let exponent = value.first().copied().unwrap_or(6);
                    resolution = Resolution::new(exponent);
                    interface.resolution = Resolution::words(exponent);
                }
                // if_filter: a first byte 0 says that text follows.
                11 => interface.filter = value.strip_prefix(&[0]).map(text),
                14 if value.len() >= 8 => {
                    offset_ns = i128::from(self.order.u64(value, 0) as i64) * 1_000_000_000;
                }
                _ => {}
            }
        }
        self.metadata.interfaces.push(interface);
        self.clocks.push(Clock { interface: number as u16, snap_length, resolution, offset_ns });
    }

    fn statistics(&mut self, block: &[u8]) {
        let Some(clock) = self.clocks.get(self.order.u32(block, 8) as usize).copied() else { return };
        let options = self.options(block, 20);
        let order = self.order;
        let Some(interface) = self.metadata.interfaces.get_mut(usize::from(clock.interface)) else { return };
        let mut dropped = None;
        for (code, value) in options {
            let number = || (value.len() >= 8).then(|| order.u64(value, 0));
            match code {
                // isb_endtime: two halves of a time stamp, the higher first.
                3 if value.len() >= 8 => {
                    let ticks = u64::from(order.u32(value, 0)) << 32 | u64::from(order.u32(value, 4));
                    let micro = Clock { resolution: Resolution::new(6), ..clock };
                    interface.ended_ns = vec![clock.time_ns(ticks), micro.time_ns(ticks)];
                }
                // isb_ifrecv
                4 => interface.received = number().or(interface.received),
                // isb_ifdrop and isb_osdrop count different packets.
                5 | 7 => dropped = number().map(|n| n.saturating_add(dropped.unwrap_or(0))).or(dropped),
                OPTION_COMMENT => interface.comments.push(text(value)),
                _ => {}
            }
        }
        interface.dropped = dropped.or(interface.dropped);
    }

    fn names(&mut self, block: &[u8]) {
        let end = block.len().saturating_sub(4);
        let mut rest = block.get(8..end).unwrap_or_default();
        while rest.len() >= 4 && self.metadata.names.len() < NAMES_MAX {
            let (kind, length) = (self.order.u16(rest, 0), usize::from(self.order.u16(rest, 2)));
            let Some(value) = rest.get(4..4 + length) else { return };
            let (address, names) = match kind {
                0 => return,
                1 => (value.first_chunk::<4>().map(|b| IpAddr::V4(Ipv4Addr::from(*b))), value.get(4..)),
                2 => (value.first_chunk::<16>().map(|b| IpAddr::V6(Ipv6Addr::from(*b))), value.get(16..)),
                _ => (None, None),
            };
            if let (Some(address), Some(names)) = (address, names) {
                for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
                    self.metadata.names.push((address, text(name)));
                }
            }
            rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

struct Packet {
    interface: u32,
    ticks: Option<u64>,
    captured: u32,
    original: u32,
    /// Where the packet's bytes begin in the block.
    data: usize,
}

enum Framed {
    Block {
        kind: u32,
        length: usize,
        order: Order,
    },
    /// Fewer bytes than a block header and trailer are there.
    Short,
    /// The block is longer than what is there.
    Cut {
        length: usize,
    },
    Bad(String),
}

/// The byte order a section header states at its byte 8.
fn section_order(bytes: &[u8]) -> Option<Order> {
    if bytes.get(..4)? != [0x0a, 0x0d, 0x0d, 0x0a] {
        return None;
    }
    match bytes.get(8..12)? {
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(Order::Little),
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(Order::Big),
        _ => None,
    }
}

fn is_known(kind: u32) -> bool {
    matches!(
        kind,
        SECTION_HEADER_BLOCK
            | INTERFACE_DESCRIPTION_BLOCK
            | PACKET_BLOCK
            | SIMPLE_PACKET_BLOCK
            | NAME_RESOLUTION_BLOCK
            | INTERFACE_STATISTIC_BLOCK
            | ENHANCED_PACKET_BLOCK
            | SYSTEMD_JOURNAL_EXPORT_BLOCK
            | DECRYPTION_SECRETS_BLOCK
            | CUSTOM_BLOCK_COPIABLE
            | CUSTOM_BLOCK_NON_COPIABLE
    )
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

/// The options of one block: code and value.
struct Options<'b> {
    bytes: &'b [u8],
    order: Order,
    left: usize,
}

impl<'b> Iterator for Options<'b> {
    type Item = (u16, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.len() < 4 || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let code = self.order.u16(self.bytes, 0);
        let length = usize::from(self.order.u16(self.bytes, 2));
        if code == 0 {
            return None;
        }
        let value = self.bytes.get(4..4 + length)?;
        self.bytes = self.bytes.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

impl Walk for Pcapng {
    fn fill(&mut self, bytes: Bytes<'_>, complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill {
        while records.len() < limit {
            if self.searched > 0 {
                match self.search(bytes, complete) {
                    Some(fill) => return fill,
                    None => continue,
                }
            }
            let rest = bytes.get(self.position..).unwrap_or_default();
            match self.frame(rest) {
                Framed::Block { kind, length, order } => {
                    let block = rest.get(..length).unwrap_or_default();
                    self.block(block, kind, order, records);
                    self.position += length;
                }
                Framed::Short if rest.is_empty() && complete => return Fill::End,
                Framed::Short | Framed::Cut { .. } if !complete => return Fill::Starved,
                Framed::Short => self.begin_search(format!("{} bytes of a block", rest.len())),
                Framed::Cut { length } => {
                    self.begin_search(format!("{} bytes of a {length}-byte block", rest.len()));
                }
                Framed::Bad(reason) => self.begin_search(reason),
            }
        }
        Fill::More
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn position(&self) -> u64 {
        self.position as u64
    }
}
