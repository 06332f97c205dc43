//! Whether two packets hold the same, as far as two captures can show it.

use crate::correlate::hosts::{Sum, checksum};
use crate::decode::{Decoded, LayerKind, Transport};

/// Where the checksum stands in a TCP header (RFC 9293 §3.1) and in a UDP header (RFC 768).
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;
/// Bytes both captures hold of a packet that one of them cut.
pub(super) const COMMON_MIN: usize = 8;

/// Whether two packets of one length on the wire hold the same; the capture of one of them may have ended earlier.
pub(super) fn are_equal(one: &[u8], other: &[u8], apart: bool) -> bool {
    let common = one.len().min(other.len());
    one.len() == other.len() && one == other
        || apart && common >= COMMON_MIN && one.get(..common) == other.get(..common)
}

/// The packet's transport header and payload as captured; `None` for what is not IP.
pub(super) fn above_network<'a>(decoded: &Decoded<'a>) -> Option<&'a [u8]> {
    let network = |kind| matches!(kind, LayerKind::Ipv4 | LayerKind::Ipv6 | LayerKind::Ipv6Extension);
    let start = decoded.layers().iter().rev().find(|layer| network(layer.kind))?.end as usize;
    decoded.bytes.get(start..(decoded.payload_end as usize).max(start))
}

/// What stands before and behind the checksum of a segment or datagram: a host that leaves it to its network card is captured without,
/// and everybody behind it with it.
pub(super) fn around_checksum<'a>(decoded: &Decoded<'_>, bytes: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let at = match decoded.transport {
        Transport::Tcp { .. } => TCP_CHECKSUM,
        Transport::Udp { .. } => UDP_CHECKSUM,
        _ => return (bytes, &[]),
    };
    (bytes.get(..at).unwrap_or(bytes), bytes.get(at + 2..).unwrap_or_default())
}

/// Whether two packets hold the same above IP, or nothing but a checksum that one of them has yet to be given parts them.
pub(super) fn are_same(first: &Decoded<'_>, second: &Decoded<'_>, apart: bool) -> Option<bool> {
    let (one, other) = (above_network(first)?, above_network(second)?);
    if are_equal(one, other, apart) {
        return Some(true);
    }
    let unfinished = || [first, second].iter().any(|own| checksum(own) == Some(Sum::Unfinished));
    let (one, other) = (around_checksum(first, one), around_checksum(second, other));
    Some(apart && one.0 == other.0 && are_equal(one.1, other.1, apart) && unfinished())
}
