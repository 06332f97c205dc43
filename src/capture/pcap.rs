//! Walks classic pcap files of every magic, either byte order, and record headers of 16, 20, 24 and 28 bytes.

mod lanes;

use pcap_file::Endianness;
use pcap_file::pcap::{PcapHeader, PcapTsResolution};

use super::order::Order;
use super::{Bytes, Damage, Fill, Format, Interface, LinkType, Metadata, Place, Record, Walk};

/// Larger captured lengths are taken as damage (tcpdump's own limit is 256 KiB; jumbo dumps reach a few MiB).
const RECORD_MAX_BYTES: u32 = 64 << 20;
/// A captured length above this and above the snap length makes a header suspect (libpcap's `MAXIMUM_SNAPLEN`).
const USUAL_MAX_BYTES: u32 = 256 << 10;
/// How far the next good record is looked for after damage.
const RESYNC_MAX_BYTES: usize = 4 << 20;
/// Records that must follow each other before a place counts as a good record header.
const RESYNC_CHAIN: usize = 3;
/// Good records after damage lie at most this many seconds from the last one before it.
const RESYNC_MAX_S: i64 = 7 * 86_400;
/// Interfaces kept of captures put end to end: one for each link type and resolution.
const INTERFACES_MAX: usize = 64;
const FILE_HEADER_BYTES: usize = 24;

/// The state of a walk over one pcap file, or several put end to end.
pub struct Pcap {
    /// Where the first record of the capture being read begins.
    begin: usize,
    /// Its position in [`Metadata::interfaces`].
    interface: u16,
    order: Order,
    fraction_ns: i64,
    record_header: usize,
    /// Record header sizes to choose from, in the order they are tried.
    sizes: &'static [usize],
    lengths_swapped: bool,
    snap_length: u32,
    last_s: Option<i64>,
    position: usize,
    frames: u64,
    metadata: Metadata,
}

struct Magic {
    order: Order,
    nanoseconds: bool,
    version: (u16, u16),
    snap_length: u32,
    link: u32,
    /// Record header sizes in the order they are tried.
    sizes: &'static [usize],
}

/// The two magics of libpcap are read by pcap-file, Kuznetzov's modified one (24-byte record headers) here.
fn magic(bytes: &[u8]) -> Option<Magic> {
    let header = bytes.get(..FILE_HEADER_BYTES)?;
    if let Ok((_, standard)) = PcapHeader::from_slice(header) {
        let order = if standard.endianness == Endianness::Little { Order::Little } else { Order::Big };
        return Some(Magic {
            order,
            nanoseconds: standard.ts_resolution == PcapTsResolution::NanoSecond,
            version: (standard.version_major, standard.version_minor),
            snap_length: standard.snaplen,
            link: order.u32(header, 20),
            sizes: &[16, 24, 20],
        });
    }
    let order = match header.first_chunk::<4>()? {
        [0x34, 0xcd, 0xb2, 0xa1] => Order::Little,
        [0xa1, 0xb2, 0xcd, 0x34] => Order::Big,
        _ => return None,
    };
    Some(Magic {
        order,
        nanoseconds: false,
        version: (order.u16(header, 4), order.u16(header, 6)),
        snap_length: order.u32(header, 16),
        link: order.u32(header, 20),
        sizes: &[24, 28, 16],
    })
}

impl Magic {
    fn interface(&self) -> Interface {
        let resolution = if self.nanoseconds { "ns" } else { "µs" };
        // The upper bits say how long the frame check sequence is, not what the link is.
        Interface::new(LinkType((self.link & 0x03ff_ffff) as u16), self.snap_length, resolution)
    }
}

/// The first bytes of the magics `magic` knows.
const MAGICS: [[u8; 4]; 6] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x34, 0xcd, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xcd, 0x34],
];

/// Whether the bytes are those of such a header, as far as they go. Where it has zeros, since nobody ever wrote an
/// accuracy of time stamps, a record has its length on the wire.
fn may_be_header(rest: &[u8]) -> bool {
    rest.first_chunk::<4>().is_some_and(|first| MAGICS.contains(first))
        && rest.iter().take(16).skip(12).all(|byte| *byte == 0)
}

/// The header of a capture put behind another.
fn next_magic(rest: &[u8]) -> Option<Magic> {
    may_be_header(rest).then(|| magic(rest))?.filter(|magic| magic.version.0 == 2 && magic.version.1 <= 4)
}

impl Pcap {
    /// Recognises the magic and reads the file header.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let magic = magic(bytes)?;
        let mut walk = Self {
            begin: FILE_HEADER_BYTES,
            interface: 0,
            order: magic.order,
            fraction_ns: 1000,
            record_header: 16,
            sizes: &[],
            lengths_swapped: false,
            snap_length: 0,
            last_s: None,
            position: 0,
            frames: 0,
            metadata: Metadata::new(Format::Pcap),
        };
        walk.metadata.interfaces.push(magic.interface());
        walk.enter(bytes.into(), &magic);
        Some(walk)
    }

    /// Goes on behind the file header at the position; false when more bytes must tell how its records look.
    fn enter(&mut self, bytes: Bytes<'_>, magic: &Magic) -> bool {
        self.position += FILE_HEADER_BYTES;
        self.begin = self.position;
        self.order = magic.order;
        self.fraction_ns = if magic.nanoseconds { 1 } else { 1000 };
        self.sizes = magic.sizes;
        self.record_header = magic.sizes.first().copied().unwrap_or(16);
        // Before version 2.3 the two lengths stood in the other order.
        self.lengths_swapped = magic.version.0 == 2 && magic.version.1 < 3;
        self.snap_length = magic.snap_length;
        self.last_s = None;
        // 543.0 is what Kuznetzov's patched libpcap wrote.
        if !matches!(magic.version, (2, 0..=4) | (543, 0)) {
            let (major, minor) = magic.version;
            let reason = format!(
                "a capture of version {major}.{minor}, which is not specified: it is read as version 2.4"
            );
            self.damaged(0, reason);
        }
        self.choose_size(bytes)
    }

    /// Goes on with the next of several captures put end to end.
    fn enter_next(&mut self, bytes: Bytes<'_>, complete: bool, magic: &Magic) -> Step {
        let next = magic.interface();
        let same =
            |known: &Interface| known.link_type == next.link_type && known.resolution == next.resolution;
        let known = self.metadata.interfaces.iter().position(same);
        if known.is_none() && self.metadata.interfaces.len() >= INTERFACES_MAX {
            if !complete {
                return Step::Stop(Fill::Starved);
            }
            let reason = format!(
                "a capture put behind others is of link type {}, and more kinds than are kept came before",
                next.link_type.0
            );
            self.skip(bytes.len(), reason);
            return Step::Stop(Fill::End);
        }
        let reason = format!(
            "another capture begins (captures put end to end), of link type {} with times in {}",
            next.link_type.0, next.resolution
        );
        // Nothing is lost by it, but frames are counted on, and clocks may go back.
        self.damaged(0, reason);
        self.interface = known.unwrap_or(self.metadata.interfaces.len()) as u16;
        if known.is_none() {
            self.metadata.interfaces.push(next);
        }
        let decided = self.enter(bytes, magic);
        if decided || complete { Step::Again } else { Step::Stop(Fill::Starved) }
    }

    /// Chooses the first size with which good records follow each other as far as there are bytes; without one the usual
    /// size stays. A growing file may end anywhere: another size must not win because it ends just there, and with
    /// `false` more bytes could still make another win.
    fn choose_size(&mut self, bytes: Bytes<'_>) -> bool {
        let usual = self.sizes.first().copied().unwrap_or(16);
        let mut fits = self.sizes.iter().filter_map(|size| {
            self.record_header = *size;
            let chain = self.follow(bytes, self.begin);
            (chain != Chain::Broken).then_some((*size, chain))
        });
        let (first, another) = (fits.next(), fits.next());
        self.record_header = first.map_or(usual, |(size, _)| size);
        another.is_none() || first.is_some_and(|(_, chain)| chain == Chain::Whole)
    }

    #[inline]
    fn lengths(&self, header: &[u8]) -> (u32, u32) {
        let (first, second) = (self.order.u32(header, 8), self.order.u32(header, 12));
        if self.lengths_swapped { (second, first) } else { (first, second) }
    }

    fn is_usual(&self, captured: u32) -> bool {
        captured <= self.snap_length.clamp(USUAL_MAX_BYTES, RECORD_MAX_BYTES)
    }

    /// Whether a record header has lengths and a time that go with the file's.
    fn is_plausible(&self, header: &[u8]) -> bool {
        let (captured, original) = self.lengths(header);
        let fraction_max = if self.fraction_ns == 1 { 1_000_000_000 } else { 1_000_000 };
        let seconds = i64::from(self.order.u32(header, 0));
        let near = self.last_s.is_none_or(|last| (seconds - last).abs() <= RESYNC_MAX_S);
        self.is_usual(captured)
            && captured <= original
            && original != 0
            && original <= RECORD_MAX_BYTES
            && self.order.u32(header, 4) < fraction_max
            && near
    }

    /// Whether good record headers follow each other from `at`, or end exactly with the bytes.
    fn chain(&self, bytes: Bytes<'_>, at: usize) -> bool {
        self.follow(bytes, at) == Chain::Whole
    }

    /// Reads a few record headers from `at` on.
    fn follow(&self, bytes: Bytes<'_>, mut at: usize) -> Chain {
        for count in 0..RESYNC_CHAIN {
            let begins = |rest| next_magic(rest).is_some();
            if count > 0 && (at == bytes.len() || bytes.get(at..).is_some_and(begins)) {
                return Chain::Whole;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let is_short =
                rest.len() < self.record_header || (rest.len() < FILE_HEADER_BYTES && may_be_header(rest));
            if is_short {
                return if count > 0 { Chain::Short } else { Chain::Broken };
            }
            if !self.is_plausible(rest) {
                return Chain::Broken;
            }
            at += self.record_header + self.lengths(rest).0 as usize;
        }
        if at <= bytes.len() { Chain::Whole } else { Chain::Short }
    }

    /// Looks for good records, or another capture's header, after `from`. `Err` says that more bytes may bring them.
    fn resync(&self, bytes: Bytes<'_>, from: usize, complete: bool) -> Result<Option<usize>, ()> {
        let end = from.saturating_add(RESYNC_MAX_BYTES);
        if end > bytes.len() && !complete {
            return Err(());
        }
        let goes_on = |at: &usize| {
            self.chain(bytes, *at) || bytes.get(*at..).is_some_and(|rest| next_magic(rest).is_some())
        };
        Ok((from..end.min(bytes.len())).find(goes_on))
    }

    /// Records damage at the position and goes on at `next`.
    fn skip(&mut self, next: usize, reason: String) {
        self.damaged(next - self.position, reason);
        self.position = next;
    }

    fn damaged(&mut self, skipped: usize, reason: String) {
        self.metadata.push_damage(Damage {
            offset: self.position as u64,
            skipped: skipped as u64,
            after_frame: self.frames,
            reason,
            place: Place::Capture,
        });
    }
}

/// How far good records follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    /// As many as are looked at, or to the end of the bytes.
    Whole,
    /// At least one, until the bytes end within the next.
    Short,
    /// Something else stands where a record should.
    Broken,
}

/// What to do with the bytes at the position.
enum Step {
    Record { captured: u32, original: u32 },
    Again,
    Stop(Fill),
}

impl Pcap {
    /// The record at `at` when its header is as it should be.
    #[inline]
    fn plain_record(&self, bytes: Bytes<'_>, at: usize) -> Option<Record> {
        let rest = bytes.get(at..)?;
        let header = rest.get(..self.record_header)?;
        let (captured, original) = self.lengths(header);
        let whole = rest.len() - header.len() >= captured as usize;
        (whole && self.is_usual(captured) && original != 0)
            .then(|| self.record(header, at, captured, original))
    }

    /// A record whose header is at `at`.
    #[inline]
    fn record(&self, header: &[u8], at: usize, captured: u32, original: u32) -> Record {
        let seconds = i64::from(self.order.u32(header, 0));
        let fraction = i64::from(self.order.u32(header, 4));
        Record {
            offset: (at + self.record_header) as u64,
            // 2³² seconds and as many microseconds stay far below 2⁶³ nanoseconds.
            time_ns: seconds * 1_000_000_000 + fraction * self.fraction_ns,
            captured,
            original,
            interface: self.interface,
            has_time: true,
        }
    }

    /// The rare cases: the end, a cut record, a length that cannot be.
    #[cold]
    fn odd_step(&mut self, bytes: Bytes<'_>, complete: bool) -> Step {
        let rest = bytes.get(self.position..).unwrap_or_default();
        if rest.is_empty() {
            return Step::Stop(if complete { Fill::End } else { Fill::Starved });
        }
        if let Some(magic) = next_magic(rest) {
            return self.enter_next(bytes, complete, &magic);
        }
        if rest.len() < FILE_HEADER_BYTES && may_be_header(rest) {
            if !complete {
                return Step::Stop(Fill::Starved);
            }
            let reason =
                format!("{} of the {FILE_HEADER_BYTES} bytes of another capture's header", rest.len());
            self.skip(bytes.len(), reason);
            return Step::Stop(Fill::End);
        }
        let Some(header) = rest.get(..self.record_header) else {
            if !complete {
                return Step::Stop(Fill::Starved);
            }
            let reason = format!("{} of the {} bytes of a record header", rest.len(), self.record_header);
            self.skip(bytes.len(), reason);
            return Step::Stop(Fill::End);
        };
        let (captured, original) = self.lengths(header);
        let need = self.record_header + captured as usize;
        let whole = rest.len() >= need;
        let zeros = original == 0 && captured == 0 && header.iter().all(|byte| *byte == 0);
        if self.is_usual(captured) && !zeros {
            if whole {
                return Step::Record { captured, original };
            }
            if !complete {
                return Step::Stop(Fill::Starved);
            }
            let reason = format!("{} bytes of a {need}-byte record", rest.len());
            // The last record is usually just cut; one that could not be right anyway may have good ones behind it.
            if !self.is_plausible(header)
                && let Ok(Some(next)) = self.resync(bytes, self.position + 1, complete)
            {
                self.skip(next, reason);
                return Step::Again;
            }
            self.skip(bytes.len(), reason);
            return Step::Stop(Fill::End);
        }
        let Ok(next) = self.resync(bytes, self.position + 1, complete) else {
            return Step::Stop(Fill::Starved);
        };
        let reason = if zeros {
            "zeros instead of a record".to_owned()
        } else {
            format!("a record claims {captured} bytes")
        };
        match next {
            Some(next) => {
                self.skip(next, reason);
                Step::Again
            }
            // A record larger than usual, but all there and with nothing better inside, is taken as it is.
            None if whole && captured <= RECORD_MAX_BYTES && !zeros => Step::Record { captured, original },
            None => {
                self.skip(bytes.len(), reason);
                Step::Stop(if complete { Fill::End } else { Fill::Starved })
            }
        }
    }
}

impl Walk for Pcap {
    fn fill(&mut self, bytes: Bytes<'_>, complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill {
        if self.position == self.begin {
            // A pipe may have held too little to tell when it was opened, and may still.
            if !self.choose_size(bytes) && !complete {
                return Fill::Starved;
            }
        }
        lanes::walk(self, bytes, limit, records);
        while records.len() < limit {
            let record = if let Some(record) = self.plain_record(bytes, self.position) {
                record
            } else {
                match self.odd_step(bytes, complete) {
                    Step::Record { captured, original } => {
                        let header = bytes.get(self.position..).unwrap_or_default();
                        self.record(header, self.position, captured, original)
                    }
                    Step::Again => continue,
                    Step::Stop(fill) => return fill,
                }
            };
            self.last_s = Some(record.time_ns.div_euclid(1_000_000_000));
            self.frames += 1;
            self.position = record.offset as usize + record.captured as usize;
            records.push(record);
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
