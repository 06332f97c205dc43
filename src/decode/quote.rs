//! The packet quoted inside an ICMP error (RFC 792; RFC 4443 §2.4; RFC 4884).

use super::{Decoded, Transport, checksum, dns, network};
use crate::settings::Settings;

/// Where an extension begins when its sender left the length field empty (RFC 4884 §5).
const COMPATIBLE_EXTENSION_AT: usize = 128;

/// A quoted packet, read as far as the quote goes.
#[derive(Clone, Debug)]
pub struct Quote<'a> {
    /// The quoted headers; offsets count from the first byte of the *frame* that carries the error.
    pub inner: Decoded<'a>,
    /// Bytes of the quote that are captured, from the quoted IP header on, without padding and extensions.
    pub length_bytes: u32,
    /// Where an extension structure begins in the frame, if the error carries one (RFC 4884 §7).
    pub extension_start: Option<u32>,
}

impl<'a> Quote<'a> {
    /// Reads the quote of an ICMP error; `None` when the frame is no ICMP error or quotes nothing.
    pub fn read(error: &Decoded<'a>) -> Option<Self> {
        if !error.is_icmp_error() {
            return None;
        }
        let start = error.payload_start as usize;
        let message_end = error.payload_end as usize;
        if message_end <= start {
            return None;
        }
        let (end, extension_start) = boundaries(error, start, message_end);
        let bytes = error.bytes.get(..end)?;
        let mut inner = Decoded::empty(bytes);
        // Only the packet that provoked the error is read: its tunnelled content is not what was refused.
        inner.tunnels_left = 0;
        network::ip(&mut inner, start);
        if inner.layers().is_empty() {
            return None;
        }
        let stated = start + inner.ip_length as usize;
        let length_bytes = (if inner.ip_length == 0 { end } else { end.min(stated) }) - start;
        inner.take_for(error.site);
        Some(Self { inner, length_bytes: length_bytes as u32, extension_start })
    }

    /// The DNS message it quotes, when its header is there.
    pub fn message(&self, settings: &Settings) -> Option<dns::Message<'a>> {
        let Transport::Udp { source_port, destination_port, .. } = self.inner.transport else { return None };
        let is_asked =
            [source_port, destination_port].into_iter().any(|port| settings.is_name_service_port(port));
        if is_asked { dns::read(self.payload()) } else { None }
    }

    /// What the quoted UDP or TCP header carried, as far as quoted.
    pub fn payload(&self) -> &'a [u8] {
        self.inner.payload()
    }
}

/// Where the quote ends and where its extension begins.
///
/// The length field counts 32-bit words in ICMP (fifth byte) and 64-bit words in ICMPv6 (fourth byte), and only
/// in the types RFC 4884 §4 names. Without it, an extension is accepted only if its version and checksum fit.
fn boundaries(error: &Decoded<'_>, start: usize, end: usize) -> (usize, Option<u32>) {
    let octet =
        |at: u32| error.bytes.get((error.transport_start + at) as usize).map_or(0, |b| usize::from(*b));
    let stated = match error.transport {
        Transport::Icmp { kind: 3 | 11 | 12, .. } => octet(5) * 4,
        Transport::Icmpv6 { kind: 1 | 3, .. } => octet(4) * 8,
        _ => return (end, None),
    };
    if stated > 0 {
        let quote_end = (start + stated).min(end);
        return (quote_end, (quote_end < end).then_some(quote_end as u32));
    }
    let at = start + COMPATIBLE_EXTENSION_AT;
    let extension = error.bytes.get(at..end).unwrap_or_default();
    let fits = extension.len() >= 8
        && extension.first().is_some_and(|first| first >> 4 == 2)
        && checksum(0, extension) == 0;
    if fits { (at, Some(at as u32)) } else { (end, None) }
}
