//! Writers for pcap in its four variants and for pcapng with comments.

use std::io::{self, Write};

/// The byte order of a file's own fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ByteOrder {
    /// As on most machines today.
    #[default]
    Little,
    /// Network order.
    Big,
}

impl ByteOrder {
    fn word(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn double(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

/// Which pcap to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// Byte order of the headers.
    pub order: ByteOrder,
    /// Nanosecond time stamps instead of microseconds.
    pub nanoseconds: bool,
}

const SNAP_LENGTH: u32 = 262_144;

/// Writes classic pcap.
#[derive(Debug)]
pub struct PcapWriter<W> {
    out: W,
    variant: Variant,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header.
    pub fn new(mut out: W, variant: Variant, link_type: u32) -> io::Result<Self> {
        let order = variant.order;
        let magic: u32 = if variant.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        out.write_all(&order.double(magic))?;
        out.write_all(&order.word(2))?;
        out.write_all(&order.word(4))?;
        for field in [0, 0, SNAP_LENGTH, link_type] {
            out.write_all(&order.double(field))?;
        }
        Ok(Self { out, variant })
    }

    /// Writes a whole packet.
    pub fn packet(&mut self, time_ns: i64, bytes: &[u8]) -> io::Result<()> {
        self.cut_packet(time_ns, bytes, bytes.len() as u32)
    }

    /// Writes a packet of which only `bytes` of `original` were captured.
    pub fn cut_packet(&mut self, time_ns: i64, bytes: &[u8], original: u32) -> io::Result<()> {
        let order = self.variant.order;
        let seconds = time_ns.div_euclid(1_000_000_000) as u32;
        let rest = time_ns.rem_euclid(1_000_000_000) as u32;
        let rest = if self.variant.nanoseconds { rest } else { rest / 1000 };
        for field in [seconds, rest, bytes.len() as u32, original] {
            self.out.write_all(&order.double(field))?;
        }
        self.out.write_all(bytes)
    }

    /// Flushes and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Writes pcapng: one section, interfaces as they are declared, comments on section, interface and packet.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    order: ByteOrder,
    /// Time stamp exponents (10^-n s), by interface.
    resolutions: Vec<u8>,
}

impl<W: Write> PcapngWriter<W> {
    /// Writes a section header; a further section may follow at any time through [`Self::section`].
    pub fn new(out: W, order: ByteOrder, comments: &[&str]) -> io::Result<Self> {
        let mut writer = Self { out, order, resolutions: Vec::new() };
        writer.section(order, comments)?;
        Ok(writer)
    }

    /// Begins a section; its interfaces are counted from 0 again.
    pub fn section(&mut self, order: ByteOrder, comments: &[&str]) -> io::Result<()> {
        self.order = order;
        self.resolutions.clear();
        let mut body = order.double(0x1a2b_3c4d).to_vec();
        body.extend_from_slice(&order.word(1));
        body.extend_from_slice(&order.word(0));
        body.extend_from_slice(&[0xff; 8]);
        for comment in comments {
            self.option(&mut body, 1, comment.as_bytes());
        }
        self.end_options(&mut body, !comments.is_empty());
        self.block(0x0a0d_0d0a, &body)
    }

    /// Declares an interface; times are written in units of 10^-`exponent` seconds (at most 9).
    pub fn interface(&mut self, link_type: u32, exponent: u8, name: &str) -> io::Result<()> {
        self.resolutions.push(exponent.min(9));
        let mut body = self.order.word(link_type as u16).to_vec();
        body.extend_from_slice(&[0, 0]);
        body.extend_from_slice(&self.order.double(SNAP_LENGTH));
        if !name.is_empty() {
            self.option(&mut body, 2, name.as_bytes());
        }
        self.option(&mut body, 9, &[exponent.min(9)]);
        self.end_options(&mut body, true);
        self.block(1, &body)
    }

    /// Writes an enhanced packet block with any number of comments.
    pub fn packet(
        &mut self,
        interface: u32,
        time_ns: i64,
        bytes: &[u8],
        comments: &[&str],
    ) -> io::Result<()> {
        let exponent = self.resolutions.get(interface as usize).copied().unwrap_or(6);
        let units = time_ns.cast_unsigned() / 10u64.pow(u32::from(9 - exponent));
        let mut body = Vec::with_capacity(bytes.len() + 32);
        for field in [interface, (units >> 32) as u32, units as u32, bytes.len() as u32, bytes.len() as u32] {
            body.extend_from_slice(&self.order.double(field));
        }
        body.extend_from_slice(bytes);
        pad(&mut body);
        for comment in comments {
            self.option(&mut body, 1, comment.as_bytes());
        }
        self.end_options(&mut body, !comments.is_empty());
        self.block(6, &body)
    }

    /// Writes a name resolution block with one address (IPv4).
    pub fn name(&mut self, address: std::net::Ipv4Addr, name: &str) -> io::Result<()> {
        let mut value = address.octets().to_vec();
        value.extend_from_slice(name.as_bytes());
        value.push(0);
        let mut body = Vec::new();
        self.option(&mut body, 1, &value);
        body.extend_from_slice(&[0; 4]);
        self.block(4, &body)
    }

    /// Writes interface statistics: packets received and dropped.
    pub fn statistics(&mut self, interface: u32, received: u64, dropped: u64) -> io::Result<()> {
        let mut body = self.order.double(interface).to_vec();
        body.extend_from_slice(&[0; 8]);
        for (code, count) in [(4, received), (5, dropped)] {
            let bytes = match self.order {
                ByteOrder::Little => count.to_le_bytes(),
                ByteOrder::Big => count.to_be_bytes(),
            };
            self.option(&mut body, code, &bytes);
        }
        self.end_options(&mut body, true);
        self.block(5, &body)
    }

    /// Writes a block of any type; the body is padded to 32 bits.
    pub fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let mut body = body.to_vec();
        pad(&mut body);
        let length = self.order.double(body.len() as u32 + 12);
        self.out.write_all(&self.order.double(kind))?;
        self.out.write_all(&length)?;
        self.out.write_all(&body)?;
        self.out.write_all(&length)
    }

    /// Flushes and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn option(&self, body: &mut Vec<u8>, code: u16, value: &[u8]) {
        body.extend_from_slice(&self.order.word(code));
        body.extend_from_slice(&self.order.word(value.len() as u16));
        body.extend_from_slice(value);
        pad(body);
    }

    fn end_options(&self, body: &mut Vec<u8>, any: bool) {
        if any {
            body.extend_from_slice(&self.order.double(0));
        }
    }
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
