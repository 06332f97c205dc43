//! Compares the packet an ICMP error quotes with a captured one by what no path may change: IP id, sequence or echo
//! number, length and payload (RFC 1812 §4.3.2.3; RFC 5508 §4.2).
//!
//! Quoted checksums never count: a NAT restores them wrongly, and a network card fills them in after the capture.

use crate::decode::{Decoded, Quote, Transport};

/// Quoted payload bytes that must agree before they prove a link: a DNS header (RFC 1035 §4.1.1).
const PAYLOAD_MIN_BYTES: usize = 12;
/// Payload bytes that hold a DNS id.
const ID_BYTES: usize = 2;
/// Bytes of a transport header every quote must hold (RFC 792).
const HEADER_BYTES: usize = 8;
/// Old BSD stacks quote a total length that is off by the IP header's.
const IP_HEADER_BYTES: u32 = 20;

/// How one thing a quote holds stands to the captured packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Field {
    /// One of the two does not hold it, or it means nothing there.
    #[default]
    Unknown,
    /// They agree.
    Equal,
    /// They do not.
    Different,
}

impl Field {
    fn of(equal: bool) -> Self {
        if equal { Self::Equal } else { Self::Different }
    }

    pub fn is_equal(self) -> bool {
        self == Self::Equal
    }

    fn is_different(self) -> bool {
        self == Self::Different
    }
}

/// What agrees between a quote and one packet of the same flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// The quoted payload; equal from a DNS header on.
    pub payload: Field,
    /// TCP sequence number, echo identifier and sequence, DNS id.
    pub identifier: Field,
    /// The IPv4 id.
    pub ip_id: Field,
    /// The IP id agrees with its bytes swapped, as some stacks quote it.
    pub is_swapped: bool,
    /// UDP length, or the total length where that is all there is.
    pub length: Field,
    /// More hops are left in the quote than the packet had here; they never grow on the way.
    pub has_more_hops: bool,
    /// An echo with another identifier: not even the same flow.
    pub is_other_flow: bool,
}

impl Comparison {
    /// Whether the quote holds another packet than this one.
    pub fn is_other(self) -> bool {
        self.payload.is_different()
            || self.identifier.is_different()
            || self.length.is_different()
            || self.ip_id.is_different() && !self.is_proved() && !self.length.is_equal()
            || self.has_more_hops && !self.is_proved() && !self.ip_id.is_equal()
    }

    /// The same with the DNS id that a printed packet states, which has no bytes to compare.
    pub fn with_printed_id(self, quote: &Quote<'_>, id: Option<u16>) -> Self {
        let payload = quote.payload();
        let quoted = payload.first_chunk::<ID_BYTES>().filter(|_| payload.len() >= PAYLOAD_MIN_BYTES);
        match (quoted, id) {
            (Some(quoted), Some(id)) => {
                Self { identifier: Field::of(u16::from_be_bytes(*quoted) == id), ..self }
            }
            _ => self,
        }
    }

    /// Whether what differs is the IP id alone, with nothing beside it but a length to make up for it.
    pub fn is_doubtful(self) -> bool {
        self.ip_id.is_different() && !self.is_proved()
    }

    /// Whether payload or identifier agree.
    pub fn is_proved(self) -> bool {
        self.payload.is_equal() || self.identifier.is_equal()
    }

    /// The better of two packets comes last.
    pub fn rank(self) -> impl Ord + Copy {
        let equal = Field::is_equal;
        (
            equal(self.payload),
            equal(self.identifier),
            equal(self.ip_id),
            self.is_swapped,
            !self.has_more_hops,
            equal(self.length),
        )
    }
}

/// Compares a quote with a packet between the same hosts and ports.
pub(crate) fn compare(quote: &Quote<'_>, packet: &Decoded<'_>) -> Comparison {
    let inner = &quote.inner;
    let mut found = Comparison { length: length(inner, packet), ..Comparison::default() };
    if let (Some(quoted), Some(sent)) = (inner.ip_id, packet.ip_id) {
        found.is_swapped = quoted == sent.swap_bytes() && quoted != sent;
        found.ip_id = match quoted == sent {
            // An id of 0 means nothing (RFC 6864 §4.1).
            true if quoted == 0 => Field::Unknown,
            _ if found.is_swapped => Field::Unknown,
            equal => Field::of(equal),
        };
    }
    found.has_more_hops = inner.ttl > packet.ttl && packet.ttl > 0;
    match (inner.transport, packet.transport) {
        (Transport::Tcp { sequence: quoted, .. }, Transport::Tcp { sequence: sent, .. }) => {
            segment((inner, quoted), (packet, sent), &mut found);
        }
        (
            Transport::Icmp { .. } | Transport::Icmpv6 { .. },
            Transport::Icmp { .. } | Transport::Icmpv6 { .. },
        ) => echo(inner, packet, &mut found),
        (Transport::Udp { .. }, Transport::Udp { .. }) => {
            bytes(quote.payload(), packet.payload(), &mut found);
        }
        _ => piece(inner, packet, &mut found),
    }
    found
}

/// Lengths, where neither packet is a piece of a larger one.
fn length(inner: &Decoded<'_>, packet: &Decoded<'_>) -> Field {
    if let (Transport::Udp { length: quoted, .. }, Transport::Udp { length: sent, .. }) =
        (inner.transport, packet.transport)
    {
        // 0 stands for "as long as the IP packet" (RFC 2675 §4).
        return if quoted == 0 || sent == 0 { Field::Unknown } else { Field::of(quoted == sent) };
    }
    let (quoted, sent) = (inner.ip_length, packet.ip_length);
    if quoted == 0 || sent == 0 || inner.fragment.is_some() || packet.fragment.is_some() {
        return Field::Unknown;
    }
    let swapped = u32::from((sent as u16).swap_bytes());
    let misquoted = quoted.abs_diff(sent) == IP_HEADER_BYTES || quoted == swapped && sent <= 0xffff;
    match quoted == sent {
        false if misquoted => Field::Unknown,
        equal => Field::of(equal),
    }
}

/// TCP segments by their sequence numbers; what was captured before the card cut it up holds several.
fn segment(
    (inner, quoted): (&Decoded<'_>, u32),
    (packet, sent): (&Decoded<'_>, u32),
    found: &mut Comparison,
) {
    if inner.bytes.len() < inner.transport_start as usize + HEADER_BYTES {
        return;
    }
    let into = quoted.wrapping_sub(sent);
    let header = packet.payload_start.saturating_sub(packet.network_start);
    let data = packet.ip_length.saturating_sub(header);
    found.identifier = Field::of(into == 0 || into < data);
    if into != 0 && into < data {
        (found.ip_id, found.is_swapped, found.length) = (Field::Unknown, false, Field::Unknown);
    } else if into == 0 && data > 0 && inner.ip_length < packet.ip_length {
        found.length = Field::Unknown;
    }
}

/// ICMP messages by type, code and the four bytes after the checksum.
fn echo(inner: &Decoded<'_>, packet: &Decoded<'_>, found: &mut Comparison) {
    let header = |decoded: &Decoded<'_>| {
        let start = decoded.transport_start as usize;
        decoded
            .bytes
            .get(start..start + HEADER_BYTES)
            .and_then(|bytes| bytes.first_chunk::<HEADER_BYTES>().copied())
    };
    let (Some([kind, code, _, _, quoted @ ..]), Some([of, with, _, _, sent @ ..])) =
        (header(inner), header(packet))
    else {
        found.identifier = if inner.icmp() == packet.icmp() { Field::Unknown } else { Field::Different };
        return;
    };
    found.is_other_flow = kind != of || quoted.first_chunk::<2>() != sent.first_chunk::<2>();
    found.identifier = Field::of((kind, code, quoted) == (of, with, sent));
}

/// Payload bytes, as far as both go.
fn bytes(quoted: &[u8], sent: &[u8], found: &mut Comparison) {
    let both = quoted.len().min(sent.len());
    if both == 0 {
        return;
    }
    if quoted.get(..both) != sent.get(..both) {
        (found.payload, found.identifier) = (Field::Different, Field::Different);
        return;
    }
    if both >= PAYLOAD_MIN_BYTES {
        found.payload = Field::Equal;
    }
    if both >= ID_BYTES {
        found.identifier = Field::Equal;
    }
}

/// What has no ports: other protocols by their bytes, later pieces by offset and id.
fn piece(inner: &Decoded<'_>, packet: &Decoded<'_>, found: &mut Comparison) {
    match (inner.fragment, packet.fragment) {
        (Some(quoted), Some(sent)) if quoted != sent => {
            found.identifier = Field::of(quoted.offset_bytes == sent.offset_bytes && quoted.id == sent.id);
            return;
        }
        // Only the sender splits IPv6 packets; the id of an IPv4 packet split on the way is compared as such.
        (Some(_), None) | (None, Some(_)) => {
            if inner.ip_id.is_none() {
                found.identifier = Field::Different;
            }
            return;
        }
        _ => {}
    }
    let start = |decoded: &Decoded<'_>| decoded.transport_start as usize;
    let rest = |decoded: &Decoded<'_>, length: usize| {
        decoded
            .bytes
            .get(start(decoded)..(start(decoded) + length).min(decoded.bytes.len()))
            .map(<[u8]>::to_vec)
    };
    let (quoted, sent) = (rest(inner, HEADER_BYTES), rest(packet, HEADER_BYTES));
    if let (Some(quoted), Some(sent)) = (quoted, sent) {
        let both = quoted.len().min(sent.len());
        if both > 0 && quoted.get(..both) != sent.get(..both) {
            found.identifier = Field::Different;
        }
    }
}
