//! Reads frames as arrays of C: Wireshark's "C Arrays" export (`pkt1[75]`) and what it copies as one (`packet_bytes[]`).
//!
//! Arrays of what a stream carried (`peer0_0[]`) and of reassembled data (`pkt1_1[]`) are no frames.

use super::{Taker, bytes};
use crate::capture::LinkType;
use crate::capture::pasted::join::Packet;
use crate::capture::transcript::Stamp;

/// What stands behind the number of bytes, or of none.
const BEGIN: &str = "= {";
/// The longest array that is read.
const FRAME_MAX_BYTES: usize = 64 << 10;
/// The longest text of one: `0x00, ` for each byte and what comments show of them.
const ARRAY_MAX_BYTES: usize = FRAME_MAX_BYTES * 12;
/// The longest name of one, with its length.
const NAME_MAX_BYTES: usize = 64;

/// Whether an array of a frame stands in the text.
pub(super) fn are_there(text: &str) -> bool {
    text.match_indices(BEGIN).any(|(at, _)| is_frame(text, at))
}

/// Hands on the packets of a text.
pub(super) fn read(text: &str, taker: &mut Taker<'_>) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(BEGIN)).map(|at| from + at) {
        from = at + BEGIN.len();
        if !is_frame(text, at) {
            continue;
        }
        let rest = text.as_bytes().get(from..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'}', rest.get(..ARRAY_MAX_BYTES).unwrap_or(rest)) else {
            taker.cut += 1;
            from = text.ceil_char_boundary(from.saturating_add(ARRAY_MAX_BYTES));
            continue;
        };
        let digits: String = without_comments(text.get(from..from + length).unwrap_or(""))
            .split(',')
            .filter_map(|value| value.trim().strip_prefix("0x"))
            .collect();
        from += length;
        let found = bytes(&digits).filter(|bytes| bytes.len() <= FRAME_MAX_BYTES);
        let Some((link, bytes)) = found.and_then(|bytes| Some((link_of(&bytes)?, bytes))) else {
            taker.other += 1;
            continue;
        };
        let (original, part) = (bytes.len(), taker.part);
        let packet = Packet { stamp: Stamp::None, link, bytes: &bytes, original, part };
        taker.prepared.push(&packet, taker.given);
    }
}

/// Whether the name that ends here is that of a frame: `pkt12[75]`, `packet_bytes[]`.
fn is_frame(text: &str, end: usize) -> bool {
    let start = text.ceil_char_boundary(end.saturating_sub(NAME_MAX_BYTES));
    let before = text.get(start..end).unwrap_or("");
    let Some((declared, _)) = before.trim_end().strip_suffix(']').and_then(|text| text.rsplit_once('['))
    else {
        return false;
    };
    let name = declared.rsplit([' ', '\t', '\n', '*']).next().unwrap_or("");
    let number = name.strip_prefix("pkt").unwrap_or("");
    name == "packet_bytes" || !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// Where a type of what is carried stands in each kind of frame: Ethernet, Linux cooked, Linux cooked v2.
const TYPES: [(usize, LinkType); 3] =
    [(12, LinkType::ETHERNET), (14, LinkType::LINUX_SLL), (0, LinkType::LINUX_SLL2)];

/// What a frame begins with, told by the type of what it carries (IPv4, IPv6, ARP, a VLAN tag) or by the version of IP.
fn link_of(frame: &[u8]) -> Option<LinkType> {
    let is_known = |at: usize| {
        matches!(
            frame.get(at..at + 2),
            Some([0x08, 0x00 | 0x06] | [0x86, 0xdd] | [0x81, 0x00] | [0x88, 0xa8])
        )
    };
    let told = TYPES.iter().find(|(at, _)| is_known(*at)).map(|(_, link)| *link);
    let is_ip = || {
        let length = |at: usize| {
            frame.get(at..)?.first_chunk::<2>().map(|pair| usize::from(u16::from_be_bytes(*pair)))
        };
        match frame.first()? >> 4 {
            4 => length(2).map(|length| length == frame.len()),
            6 => length(4).map(|length| length + 40 == frame.len()),
            _ => None,
        }
    };
    told.or_else(|| is_ip().filter(|is_ip| *is_ip).map(|_| LinkType::RAW))
}
