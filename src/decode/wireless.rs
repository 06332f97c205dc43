//! IEEE 802.11 frames and the radio headers captures put before them.

use super::link::{llc, no_further, word};
use super::{Decoded, LayerKind};

const DATA: u8 = 2;
const QOS: u8 = 8;
const NO_DATA: u8 = 4;
/// Two addresses and a length.
const SUBFRAME_HEADER: usize = 14;
/// Words of presence flags a radiotap header may chain.
const PRESENCE_WORDS_MAX: usize = 16;

fn little(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk::<2>().map(|b| u16::from_le_bytes(*b))
}

/// Radiotap: version, length and presence flags, little-endian (radiotap.org).
pub(super) fn radiotap(decoded: &mut Decoded<'_>, start: usize) {
    let Some(size) = little(decoded.bytes, start + 2).map(usize::from) else {
        decoded.stop(start, "radiotap header", "8 bytes are needed, fewer are there");
        return;
    };
    let end = start + size;
    if size < 8 || end > decoded.bytes.len() {
        decoded.stop(start, "radiotap header", "the header is cut or its length field is wrong");
        return;
    }
    let padded = radiotap_flags(decoded.bytes, start).is_some_and(|flags| flags & 0x20 != 0);
    if decoded.push_layer(LayerKind::Radiotap, start, end) {
        frame(decoded, end, padded);
    }
}

/// The flags field of a radiotap header, where present.
fn radiotap_flags(bytes: &[u8], start: usize) -> Option<u8> {
    let word = |at: usize| bytes.get(at..)?.first_chunk::<4>().map(|b| u32::from_le_bytes(*b));
    let first = word(start + 4)?;
    let mut at = 8;
    let mut presence = first;
    for _ in 0..PRESENCE_WORDS_MAX {
        if presence >> 31 == 0 {
            break;
        }
        presence = word(start + at)?;
        at += 4;
    }
    if first & 2 == 0 {
        return None;
    }
    if first & 1 != 0 {
        // The timer comes first and is aligned to 8 bytes.
        at = usize::next_multiple_of(at, 8) + 8;
    }
    bytes.get(start + at).copied()
}

/// A Prism header (message code, length) or an AVS header (magic, length, big-endian).
pub(super) fn prism_or_avs(decoded: &mut Decoded<'_>, start: usize) {
    let rest = decoded.bytes.get(start..).unwrap_or_default();
    let (Some(code), Some(length)) =
        (rest.first_chunk::<4>(), rest.get(4..).and_then(|rest| rest.first_chunk::<4>()))
    else {
        decoded.stop(start, "Prism header", "8 bytes are needed, fewer are there");
        return;
    };
    let is_avs = u32::from_be_bytes(*code) & 0xffff_f000 == 0x8021_1000;
    let size = if is_avs { u32::from_be_bytes(*length) } else { u32::from_le_bytes(*length) } as usize;
    let end = start.saturating_add(size);
    if size < 8 || end > decoded.bytes.len() {
        decoded.stop(start, "Prism header", "the header is cut or its length field is wrong");
    } else if decoded.push_layer(LayerKind::Radiotap, start, end) {
        frame(decoded, end, false);
    }
}

/// An IEEE 802.11 frame; `padded` says that its header is filled up to a multiple of 4 bytes.
pub(super) fn frame(decoded: &mut Decoded<'_>, start: usize, padded: bool) {
    let Some(control) = little(decoded.bytes, start) else {
        decoded.stop(start, "802.11 header", "24 bytes are needed, fewer are there");
        return;
    };
    let (kind, subtype) = ((control >> 2 & 3) as u8, (control >> 4 & 0xf) as u8);
    let (to_system, from_system) = (control & 0x100 != 0, control & 0x200 != 0);
    if kind != DATA {
        let size = if kind == 1 { 10 } else { 24 };
        let end = (start + size).min(decoded.bytes.len());
        if decoded.push_layer(LayerKind::Ieee80211, start, end) {
            no_further(decoded, end);
        }
        return;
    }
    let quality = subtype & QOS != 0;
    let mut size = 24;
    if to_system && from_system {
        size += 6;
    }
    let aggregated = quality && decoded.bytes.get(start + size).is_some_and(|control| control & 0x80 != 0);
    if quality {
        size += 2;
        if control & 0x8000 != 0 {
            size += 4;
        }
    }
    if padded {
        size = usize::next_multiple_of(size, 4);
    }
    if decoded.bytes.len() < start + size {
        decoded.stop(start, "802.11 header", "the header is cut");
        return;
    }
    decoded.link_addresses = addresses(decoded.bytes, start, to_system, from_system);
    if !decoded.push_layer(LayerKind::Ieee80211, start, start + size) {
        return;
    }
    if control & 0x4000 != 0 {
        decoded.stop(start + size, "802.11 data", "the frame is encrypted");
    } else if subtype & NO_DATA != 0 {
        no_further(decoded, start + size);
    } else if aggregated {
        first_subframe(decoded, start + size);
    } else {
        llc(decoded, start + size);
    }
}

/// The first subframe of an A-MSDU: two addresses and a length, then LLC; each but the last is filled up to a multiple of
/// four bytes (IEEE 802.11 §9.3.2.2). A row holds one packet: that there are more is said.
fn first_subframe(decoded: &mut Decoded<'_>, start: usize) {
    llc(decoded, start + SUBFRAME_HEADER);
    let Some(length) = word(decoded.bytes, start + 12) else { return };
    let next = start + (SUBFRAME_HEADER + usize::from(length)).next_multiple_of(4);
    if decoded.bytes.len() >= next + SUBFRAME_HEADER {
        decoded.stop(next, "A-MSDU", "only the first subframe is read");
    }
}

/// Source and destination stand in different places by direction (IEEE 802.11 §9.3.2.1).
fn addresses(bytes: &[u8], start: usize, to_system: bool, from_system: bool) -> Option<([u8; 6], [u8; 6])> {
    let at = |offset: usize| bytes.get(start + offset..)?.first_chunk::<6>().copied();
    let (source, destination) = match (to_system, from_system) {
        (false, false) => (10, 4),
        (false, true) => (16, 4),
        (true, false) => (10, 16),
        (true, true) => (24, 16),
    };
    Some((at(source)?, at(destination)?))
}
