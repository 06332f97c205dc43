//! The first pass over a DNS message: header and first question, without allocating (RFC 1035 §4.1).

pub mod names;

/// The longest name on the wire (RFC 1035 §3.1).
pub const NAME_MAX_BYTES: usize = 255;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 12;
/// Questions and records passed in search of OPT.
const RECORDS_MAX: usize = 256;
/// EDNS options of one message that are looked at.
const OPTIONS_MAX: usize = 64;
const OPT: u16 = 41;
const EXTENDED_ERROR: u16 = 15;

/// The fixed header (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Message id.
    pub id: u16,
    /// Flag word as sent: QR, opcode, AA, TC, RD, RA, Z, AD, CD, RCODE.
    pub flags: u16,
    /// QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT.
    pub counts: [u16; 4],
}

impl Header {
    /// Whether QR says response.
    pub fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }
    /// OPCODE.
    pub fn opcode(self) -> u8 {
        (self.flags >> 11 & 0xf) as u8
    }
    /// AA.
    pub fn is_authoritative(self) -> bool {
        self.flags & 0x0400 != 0
    }
    /// TC.
    pub fn is_truncated(self) -> bool {
        self.flags & 0x0200 != 0
    }
    /// RD.
    pub fn recursion_desired(self) -> bool {
        self.flags & 0x0100 != 0
    }
    /// RA.
    pub fn recursion_available(self) -> bool {
        self.flags & 0x0080 != 0
    }
    /// CD: the client wants data that were not checked as well (RFC 4035 §3.2.2).
    pub fn checking_disabled(self) -> bool {
        self.flags & 0x0010 != 0
    }
    /// RCODE of the header (the extended bits stand in OPT).
    pub fn response_code(self) -> u8 {
        (self.flags & 0xf) as u8
    }
}

/// Header and first question of a message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The fixed header.
    pub header: Header,
    /// The first question's name in wire form without compression pointers, final root label
    /// included; empty where there is no question or it is cut or malformed.
    pub name: Name,
    /// QTYPE, 0 where there is no readable question.
    pub qtype: u16,
    /// QCLASS, 0 where there is no readable question.
    pub qclass: u16,
    /// The message's bytes.
    pub bytes: &'a [u8],
    /// Where the question section's first entry ends; 12 where it could not be read.
    pub question_end: usize,
    /// Why the message is malformed or cut, if it is.
    pub problem: Option<&'static str>,
}

impl Message<'_> {
    /// RCODE with the extended bits of OPT (RFC 6891 §6.1.3).
    pub fn response_code(&self) -> u16 {
        let high = self.extension().map_or(0, |extension| u16::from(extension.response_code_high));
        high << 4 | u16::from(self.header.response_code())
    }

    /// The OPT record, if the message has one and everything before it can be passed (RFC 6891 §6.1).
    pub fn extension(&self) -> Option<Extension> {
        let [questions, answers, authorities, additionals] = self.header.counts.map(usize::from);
        if additionals == 0 {
            return None;
        }
        let mut at = HEADER_BYTES;
        for _ in 0..questions.min(RECORDS_MAX) {
            at = skip_name(self.bytes, at)? + 4;
        }
        for _ in 0..(answers + authorities + additionals).min(RECORDS_MAX) {
            let fixed = skip_name(self.bytes, at)?;
            let [t, u, c, d, high, version, f, g, l, m] = *self.bytes.get(fixed..)?.first_chunk::<10>()?;
            let data = fixed + 10;
            let end = data + usize::from(u16::from_be_bytes([l, m]));
            if u16::from_be_bytes([t, u]) == OPT {
                return Some(Extension {
                    start: at,
                    data,
                    end: end.min(self.bytes.len()),
                    udp_size: u16::from_be_bytes([c, d]),
                    response_code_high: high,
                    version,
                    flags: u16::from_be_bytes([f, g]),
                });
            }
            at = end;
        }
        None
    }
}

/// An OPT record (RFC 6891 §6.1.2). Offsets count from the message's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Where the record begins.
    pub start: usize,
    /// Where its options begin.
    pub data: usize,
    /// One past its last byte that is there.
    pub end: usize,
    /// Size of UDP payload its sender can take.
    pub udp_size: u16,
    /// The upper eight bits of the response code.
    pub response_code_high: u8,
    /// EDNS version.
    pub version: u8,
    /// Flags; the first bit is DO.
    pub flags: u16,
}

impl Extension {
    /// Whether DO asks for DNSSEC records (RFC 3225).
    pub fn dnssec_ok(self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// The options: code, and the range of its data in the message.
    pub fn options(self, bytes: &[u8]) -> impl Iterator<Item = (u16, std::ops::Range<usize>)> + '_ {
        let mut at = self.data;
        let option = move || {
            let [a, b, c, d] = *bytes.get(at..self.end)?.first_chunk::<4>()?;
            let start = at + 4;
            let end = start + usize::from(u16::from_be_bytes([c, d]));
            at = end;
            (end <= self.end).then_some((u16::from_be_bytes([a, b]), start..end))
        };
        std::iter::from_fn(option).take(OPTIONS_MAX)
    }

    /// The first extended error: its code and the range of its text (RFC 8914 §2).
    pub fn extended_error(self, bytes: &[u8]) -> Option<(u16, std::ops::Range<usize>)> {
        let (_, range) = self.options(bytes).find(|(code, _)| *code == EXTENDED_ERROR)?;
        let [a, b] = *bytes.get(range.clone())?.first_chunk::<2>()?;
        Some((u16::from_be_bytes([a, b]), range.start + 2..range.end))
    }
}

/// The offset after a name, without following its pointer.
pub(crate) fn skip_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    let begin = at;
    while at < begin + NAME_MAX_BYTES {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0..=0xff => return Some(at + 2),
            _ => return None,
        }
    }
    None
}

/// A name in wire form: length-prefixed labels with the final zero.
#[derive(Clone, Copy)]
pub struct Name {
    bytes: [u8; NAME_MAX_BYTES],
    length: u8,
}

impl Name {
    /// No name at all (not even the root).
    pub const EMPTY: Self = Self { bytes: [0; NAME_MAX_BYTES], length: 0 };

    /// Lower-cases ASCII letters in place (names compare without case, RFC 4343).
    pub fn make_lowercase(&mut self) {
        // Length octets are below 64 and so never letters.
        if let Some(wire) = self.bytes.get_mut(..usize::from(self.length)) {
            wire.make_ascii_lowercase();
        }
    }

    /// The wire form; empty for no name.
    pub fn wire(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Whether two names are the same, whatever the case of their letters (RFC 4343).
    pub fn equals(&self, other: &Self) -> bool {
        self.wire().eq_ignore_ascii_case(other.wire())
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&presentation(self.wire()))
    }
}

/// Shows a wire-form name as people write it, with the final dot; odd bytes as `\DDD` (RFC 1035 §5.1).
pub fn presentation(wire: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(wire.len() + 1);
    let mut rest = wire;
    while let Some((&length, tail)) = rest.split_first() {
        let length = usize::from(length);
        let Some(label) = tail.get(..length).filter(|label| !label.is_empty()) else { break };
        for &byte in label {
            match byte {
                b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                    out.push('\\');
                    out.push(byte as char);
                }
                0x21..=0x7e => out.push(byte as char),
                _ => {
                    let _ = write!(out, "\\{byte:03}");
                }
            }
        }
        out.push('.');
        rest = tail.get(length..).unwrap_or_default();
    }
    if out.is_empty() {
        out.push('.');
    }
    out
}

/// Reads header and first question; `None` only when fewer than 12 bytes are there.
pub fn read(bytes: &[u8]) -> Option<Message<'_>> {
    let fixed = bytes.first_chunk::<HEADER_BYTES>()?;
    let word = |at: usize| {
        u16::from_be_bytes([fixed.get(at).copied().unwrap_or(0), fixed.get(at + 1).copied().unwrap_or(0)])
    };
    let header = Header { id: word(0), flags: word(2), counts: [word(4), word(6), word(8), word(10)] };
    let mut message = Message {
        header,
        name: Name::EMPTY,
        qtype: 0,
        qclass: 0,
        bytes,
        question_end: HEADER_BYTES,
        problem: None,
    };
    if word(4) == 0 {
        return Some(message);
    }
    match read_name(bytes, HEADER_BYTES) {
        Ok((name, end)) => {
            if let Some([a, b, c, d]) = bytes.get(end..end + 4).and_then(|b| b.first_chunk::<4>()) {
                message.name = name;
                message.qtype = u16::from_be_bytes([*a, *b]);
                message.qclass = u16::from_be_bytes([*c, *d]);
                message.question_end = end + 4;
            } else {
                message.name = name;
                message.problem = Some("the question is cut");
            }
        }
        Err(problem) => message.problem = Some(problem),
    }
    Some(message)
}

/// Reads a possibly compressed name at `at`; gives the name and the offset after it (RFC 1035 §4.1.4).
/// Pointers must point backwards, which bounds the work.
pub fn read_name(bytes: &[u8], at: usize) -> Result<(Name, usize), &'static str> {
    let mut name = Name::EMPTY;
    let mut length = 0usize;
    let mut position = at;
    let mut end = None;
    let mut lowest = at;
    loop {
        let Some(&octet) = bytes.get(position) else { return Err("the name is cut") };
        match octet {
            0 => {
                length += 1;
                if length > NAME_MAX_BYTES {
                    return Err("the name is longer than 255 bytes");
                }
                name.length = length as u8;
                return Ok((name, end.unwrap_or(position + 1)));
            }
            1..=63 => {
                let size = usize::from(octet) + 1;
                let Some(label) = bytes.get(position..position + size) else { return Err("the name is cut") };
                let Some(slot) = name.bytes.get_mut(length..length + size) else {
                    return Err("the name is longer than 255 bytes");
                };
                slot.copy_from_slice(label);
                length += size;
                position += size;
            }
            0xc0..=0xff => {
                let Some(&low) = bytes.get(position + 1) else { return Err("the name is cut") };
                let target = usize::from(octet & 0x3f) << 8 | usize::from(low);
                end = end.or(Some(position + 2));
                if target >= lowest {
                    return Err("a compression pointer does not point backwards");
                }
                lowest = target;
                position = target;
            }
            _ => return Err("a label has a reserved type"),
        }
    }
}
