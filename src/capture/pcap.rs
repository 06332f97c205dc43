//! Walks classic pcap files of every magic, either byte order, and record headers of 16, 20, 24 and 28 bytes.

mod lanes;

use pcap_file::Endianness;
use pcap_file::pcap::{PcapHeader, PcapTsResolution};

use super::order::Order;
use super::{Damage, Fill, Format, Interface, LinkType, Metadata, Record, Walk};

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
const FILE_HEADER_BYTES: usize = 24;

/// The state of a walk over one pcap file.
pub struct Pcap {
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

impl Pcap {
    /// Recognises the magic and reads the file header.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let magic = magic(bytes)?;
        let resolution = if magic.nanoseconds { "ns" } else { "µs" };
        let mut metadata = Metadata::new(Format::Pcap);
        // The upper bits say how long the frame check sequence is, not what the link is.
        let link_type = LinkType((magic.link & 0x03ff_ffff) as u16);
        metadata.interfaces.push(Interface::new(link_type, magic.snap_length, resolution));
        let mut walk = Self {
            order: magic.order,
            fraction_ns: if magic.nanoseconds { 1 } else { 1000 },
            record_header: magic.sizes.first().copied().unwrap_or(16),
            sizes: magic.sizes,
            // Before version 2.3 the two lengths stood in the other order.
            lengths_swapped: magic.version.0 == 2 && magic.version.1 < 3,
            snap_length: magic.snap_length,
            last_s: None,
            position: FILE_HEADER_BYTES,
            frames: 0,
            metadata,
        };
        walk.choose_size(bytes);
        Some(walk)
    }

    /// Chooses the first size with which good records follow each other as far as there are bytes; without one the usual
    /// size stays. A growing file may end anywhere: another size must not win because it ends just there.
    fn choose_size(&mut self, bytes: &[u8]) {
        let (usual, sizes) = (self.record_header, self.sizes);
        let fits = |size: &&usize| {
            self.record_header = **size;
            self.follow(bytes, FILE_HEADER_BYTES) != Chain::Broken
        };
        self.record_header = sizes.iter().find(fits).copied().unwrap_or(usual);
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
    fn chain(&self, bytes: &[u8], at: usize) -> bool {
        self.follow(bytes, at) == Chain::Whole
    }

    /// Reads a few record headers from `at` on.
    fn follow(&self, bytes: &[u8], mut at: usize) -> Chain {
        for count in 0..RESYNC_CHAIN {
            if at == bytes.len() && count > 0 {
                return Chain::Whole;
            }
            let Some(header) = bytes.get(at..).filter(|rest| rest.len() >= self.record_header) else {
                return if count > 0 { Chain::Short } else { Chain::Broken };
            };
            if !self.is_plausible(header) {
                return Chain::Broken;
            }
            at += self.record_header + self.lengths(header).0 as usize;
        }
        if at <= bytes.len() { Chain::Whole } else { Chain::Short }
    }

    /// Looks for good records after `from`. `Err` says that more bytes may bring them.
    fn resync(&self, bytes: &[u8], from: usize, complete: bool) -> Result<Option<usize>, ()> {
        let end = from.saturating_add(RESYNC_MAX_BYTES);
        if end > bytes.len() && !complete {
            return Err(());
        }
        Ok((from..end.min(bytes.len())).find(|at| self.chain(bytes, *at)))
    }

    /// Records damage at the position and goes on at `next`.
    fn skip(&mut self, next: usize, reason: String) {
        self.metadata.push_damage(Damage {
            offset: self.position as u64,
            skipped: (next - self.position) as u64,
            after_frame: self.frames,
            reason,
        });
        self.position = next;
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

/// Whether `rest` begins with the header of the file `bytes` once more; the snap length may be another.
fn is_file_header(bytes: &[u8], rest: &[u8]) -> bool {
    let same = |range: std::ops::Range<usize>| rest.get(range.clone()) == bytes.get(range);
    rest.len() >= FILE_HEADER_BYTES && same(0..8) && same(20..FILE_HEADER_BYTES)
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
    fn plain_record(&self, bytes: &[u8], at: usize) -> Option<Record> {
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
            interface: 0,
            has_time: true,
        }
    }

    /// The rare cases: the end, a cut record, a length that cannot be.
    #[cold]
    fn odd_step(&mut self, bytes: &[u8], complete: bool) -> Step {
        let rest = bytes.get(self.position..).unwrap_or_default();
        if rest.is_empty() {
            return Step::Stop(if complete { Fill::End } else { Fill::Starved });
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
        if is_file_header(bytes, rest) {
            let reason = "the file header of another capture (captures put end to end)".to_owned();
            self.skip(self.position + FILE_HEADER_BYTES, reason);
            return Step::Again;
        }
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
    fn fill(&mut self, bytes: &[u8], complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill {
        if self.frames == 0 && self.position == FILE_HEADER_BYTES {
            // A pipe may have held too little to tell when it was opened.
            self.choose_size(bytes);
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
