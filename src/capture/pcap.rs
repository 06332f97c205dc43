//! Walks classic pcap files: microsecond and nanosecond magic, both byte orders.

use super::{Damage, Fill, Format, Interface, LinkType, Metadata, Record, Walk};

/// Larger captured lengths are taken as damage (tcpdump's own limit is 256 KiB; jumbo dumps reach a few MiB).
const RECORD_MAX_BYTES: u32 = 64 << 20;
const FILE_HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;

/// The state of a walk over one pcap file.
pub struct Pcap {
    swapped: bool,
    fraction_ns: i64,
    position: usize,
    frames: u64,
    metadata: Metadata,
}

impl Pcap {
    /// Recognises the magic and reads the file header.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..FILE_HEADER_BYTES)?;
        let magic = u32::from_le_bytes(header.first_chunk::<4>().copied()?);
        let (swapped, fraction_ns) = match magic {
            0xa1b2_c3d4 => (false, 1000),
            0xa1b2_3c4d => (false, 1),
            0xd4c3_b2a1 => (true, 1000),
            0x4d3c_b2a1 => (true, 1),
            _ => return None,
        };
        let link = word(header, 20, swapped) & 0x03ff_ffff;
        let resolution = if fraction_ns == 1 { "ns" } else { "µs" };
        let mut metadata = Metadata::new(Format::Pcap);
        metadata.interfaces.push(Interface::new(
            LinkType(link as u16),
            word(header, 16, swapped),
            resolution,
        ));
        Some(Self { swapped, fraction_ns, position: FILE_HEADER_BYTES, frames: 0, metadata })
    }

    fn damaged(&mut self, bytes: &[u8], reason: String) -> Fill {
        self.metadata.damage.push(Damage {
            offset: self.position as u64,
            skipped: (bytes.len() - self.position) as u64,
            after_frame: self.frames,
            reason,
        });
        self.position = bytes.len();
        Fill::End
    }
}

fn word(bytes: &[u8], at: usize, swapped: bool) -> u32 {
    let raw = bytes.get(at..at + 4).and_then(|b| b.first_chunk::<4>().copied()).unwrap_or_default();
    if swapped { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }
}

impl Walk for Pcap {
    fn fill(&mut self, bytes: &[u8], complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill {
        for _ in 0..limit {
            let rest = bytes.get(self.position..).unwrap_or_default();
            if rest.is_empty() {
                return if complete { Fill::End } else { Fill::Starved };
            }
            let Some(header) = rest.get(..RECORD_HEADER_BYTES) else {
                if !complete {
                    return Fill::Starved;
                }
                return self.damaged(bytes, format!("{} bytes of a record header", rest.len()));
            };
            let captured = word(header, 8, self.swapped);
            if captured > RECORD_MAX_BYTES {
                return self.damaged(bytes, format!("a record claims {captured} bytes"));
            }
            let end = RECORD_HEADER_BYTES + captured as usize;
            if rest.len() < end {
                if !complete {
                    return Fill::Starved;
                }
                let reason = format!("{} bytes of a {end}-byte record", rest.len());
                return self.damaged(bytes, reason);
            }
            let seconds = i64::from(word(header, 0, self.swapped));
            let fraction = i64::from(word(header, 4, self.swapped));
            records.push(Record {
                offset: (self.position + RECORD_HEADER_BYTES) as u64,
                time_ns: seconds * 1_000_000_000 + fraction * self.fraction_ns,
                captured,
                original: word(header, 12, self.swapped),
                interface: 0,
            });
            self.frames += 1;
            self.position += end;
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
