//! Names files that are not read, so that the error says what to do instead.

use super::order::Order;

/// A recognised format that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is, with its article: `a snoop capture`.
    pub what: &'static str,
    /// Whether `editcap` turns it into pcap.
    pub convertible: bool,
}

const CAPTURES: &[(&[u8], &str)] = &[
    (b"snoop\0\0\0", "a snoop capture"),
    (b"GMBU", "a Microsoft Network Monitor 2 capture"),
    (b"RTSS", "a Microsoft Network Monitor 1 capture"),
    (b"btsnoop\0", "a Bluetooth snoop capture"),
    (b"TRSNIFF data    \x1a", "a Sniffer capture"),
    (b"\x05VNF", "a Visual Networks capture"),
    (b"ObserverPktBuffe", "a Network Instruments Observer capture"),
    (b"XCP\0", "a NetXray capture"),
    (b"\x7fver", "an EtherPeek capture"),
];

const OTHERS: &[(&[u8], &str)] = &[
    (b"\x7fELF", "an ELF program"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive (or an Office document); unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"LZIP", "an lzip archive; unpack it first"),
    (b"\x5d\0\0", "a file packed by lzma; unpack it first"),
    (b"\x1f\x9d", "a file packed by compress; unpack it first"),
    (b"SQLite format 3", "an SQLite database"),
    (b"MZ", "a Windows program"),
    (b"ElfFile\0", "a Windows event log"),
];

/// Recognises a format that is not read by its first bytes.
pub fn recognise(bytes: &[u8]) -> Option<Foreign> {
    let begins = |(magic, _): &&(&[u8], &str)| bytes.starts_with(magic);
    if let Some((_, what)) = CAPTURES.iter().find(begins) {
        return Some(Foreign { what, convertible: true });
    }
    if let Some((_, what)) = OTHERS.iter().find(begins) {
        return Some(Foreign { what, convertible: false });
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(Foreign { what: "a tar archive; unpack it first", convertible: false });
    }
    // Letters can look like its headers.
    (is_erf(bytes) && !super::transcript::is_text(bytes))
        .then_some(Foreign { what: "an ERF capture", convertible: true })
}

/// ERF has no magic number: three records in a row must have a known type, a sane length and rising times.
fn is_erf(bytes: &[u8]) -> bool {
    const TYPE_MAX: u8 = 48;
    let (mut at, mut before) = (0, 0);
    for count in 0..3 {
        if at == bytes.len() && count > 0 {
            return true;
        }
        let Some(header) = bytes.get(at..at + 16) else { return false };
        let seconds = Order::Little.u32(header, 4);
        let kind = header.get(8).copied().unwrap_or(0) & 0x7f;
        let length = usize::from(Order::Big.u16(header, 10));
        let wire = Order::Big.u16(header, 14);
        // Times before 1996 cannot be: DAG cards did not exist.
        if !(1..=TYPE_MAX).contains(&kind)
            || length < 16
            || wire == 0
            || seconds < 820_454_400
            || seconds < before
        {
            return false;
        }
        before = seconds;
        at += length;
    }
    true
}
