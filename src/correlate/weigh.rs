//! Weighs one ICMP error against the packets it may quote (correlation rules E1–E5) and names the level and why.

use super::messages::Messages;
use super::parameters::error_window_ns;
use super::{Level, Parameters, Reason};
use crate::decode::{Address, Decoded, Quote, Transport};
use crate::index::segment::flow_hash;
use crate::index::{Index, PacketId};
use crate::time::Nanos;

/// Quoted payload bytes that must agree before they prove a link: a DNS header (RFC 1035 §4.1.1).
const PAYLOAD_MIN_BYTES: usize = 12;

/// What an ICMP error says about itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub packet: PacketId,
    pub time_ns: Nanos,
    pub kind: u8,
    pub code: u8,
    pub v6: bool,
    /// The message is complete and its checksum does not fit: the receiving kernel drops it.
    pub checksum_wrong: bool,
}

/// An ICMP error with its quote read.
pub(super) struct Error<'i> {
    pub head: Head,
    pub quote: Quote<'i>,
    pub outer_source: Address,
    pub outer_destination: Address,
}

/// The outcome of weighing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighed {
    pub target: Option<PacketId>,
    pub level: Level,
    pub reason: Reason,
}

impl<'i> Error<'i> {
    /// Reads an error packet; `None` when it is none or quotes nothing readable.
    pub fn read(index: &'i Index, id: PacketId) -> Option<Self> {
        let packet = index.packet(id)?;
        let decoded = packet.decode();
        let quote = Quote::read(&decoded)?;
        let (kind, code) = decoded.icmp()?;
        let cut = packet.captured() < packet.original();
        let head = Head {
            packet: id,
            time_ns: packet.time_ns(),
            kind,
            code,
            v6: matches!(decoded.transport, Transport::Icmpv6 { .. }),
            checksum_wrong: !cut && decoded.fragment.is_none() && !checksum_fits(&decoded),
        };
        Some(Self { head, quote, outer_source: decoded.source, outer_destination: decoded.destination })
    }

    /// The hash of the quoted flow as the index makes it; `None` without ports.
    pub fn flow(&self) -> Option<u64> {
        let inner = &self.quote.inner;
        let (source_port, destination_port) = inner.ports()?;
        let (from, to) = ((inner.source, source_port), (inner.destination, destination_port));
        Some(flow_hash(inner.ip_protocol, from, to))
    }
}

impl Head {
    /// ICMP redirect (RFC 792) or the ICMPv6 messages below 128 that report no failure (none).
    pub fn is_redirect(&self) -> bool {
        !self.v6 && self.kind == 5
    }

    /// The time within which this type and code follows its packet (see `--help-parameters`).
    pub fn window_ns(&self) -> Nanos {
        error_window_ns(self.v6, self.kind, self.code)
    }
}

/// Verifies the ICMP checksum (RFC 792; RFC 4443 §2.3 with the pseudo-header).
fn checksum_fits(decoded: &Decoded<'_>) -> bool {
    let start = (decoded.payload_start as usize).saturating_sub(8);
    let end = decoded.payload_end as usize;
    let Some(message) = decoded.bytes.get(start..end).filter(|message| message.len() >= 8) else {
        return true;
    };
    // Cut off within the IP length: nothing to verify.
    let stated = decoded.network_start as usize + decoded.ip_length as usize;
    if stated > decoded.bytes.len() {
        return true;
    }
    let mut sum = 0u64;
    if let (Transport::Icmpv6 { .. }, Address::V6(source), Address::V6(destination)) =
        (decoded.transport, decoded.source, decoded.destination)
    {
        sum += add(&source.octets()) + add(&destination.octets()) + message.len() as u64 + 58;
    }
    sum += add(message);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}

fn add(bytes: &[u8]) -> u64 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let sum: u64 = pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum();
    sum + rest.first().map_or(0, |last| u64::from(*last) << 8)
}

/// What agrees between a quote and one packet; the derived order prefers the better packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Agreement {
    /// Nothing is impossible (an id that differs, more bytes or hops than were sent).
    possible: bool,
    /// E1: the quoted payload is the packet's, header and question at least.
    payload: bool,
    /// E2: the DNS id, the TCP sequence number or the echo identifier is the packet's.
    identifier: bool,
    /// E3: the IP id is the packet's and not zero.
    ip_id: bool,
    /// The IP id is the packet's with its bytes swapped, as some stacks quote it.
    ip_id_swapped: bool,
    /// Not yet answered when the error came.
    unanswered: bool,
    /// E4: the UDP length is the packet's.
    length: bool,
}

/// Chooses the packet an error is about. `None` when there is no candidate at all.
pub(super) fn choose(
    messages: &Messages<'_>,
    error: &Error<'_>,
    candidates: impl Iterator<Item = PacketId>,
    parameters: &Parameters,
    answered_ns: impl Fn(PacketId) -> Option<Nanos>,
) -> Option<Weighed> {
    let mut best: Option<(Agreement, PacketId, Nanos)> = None;
    let (mut fitting, mut any) = (0, false);
    let mut equals = 0;
    for id in candidates {
        let Some(packet) = messages.index.packet(id) else { continue };
        let delta_ns = error.head.time_ns - packet.time_ns();
        let early = delta_ns < -parameters.clock_tolerance_ns;
        if early && !messages.is_set_back_between(id, error.head.packet) {
            continue;
        }
        any = true;
        let mut agreement = agree(error, &packet.decode());
        agreement.unanswered = answered_ns(id).is_none_or(|answer_ns| answer_ns >= error.head.time_ns);
        let late = delta_ns > parameters.error_limit_ns.max(error.head.window_ns());
        if late && !agreement.payload && !agreement.ip_id && !agreement.identifier {
            continue;
        }
        fitting += u32::from(agreement.possible);
        match &best {
            Some((known, ..)) if agreement < *known => {}
            Some((known, ..)) if agreement == *known => equals += 1,
            _ => {
                best = Some((agreement, id, delta_ns));
                equals = 1;
            }
        }
        // Nothing older can agree better.
        if agreement.payload && agreement.ip_id {
            break;
        }
    }
    let Some((agreement, id, _)) = best else {
        return any.then_some(Weighed { target: None, level: Level::Orphan, reason: Reason::TooOld });
    };
    Some(name(error, agreement, id, Crowd { fitting, equals }))
}

/// How many packets fit.
#[derive(Clone, Copy)]
struct Crowd {
    fitting: u32,
    equals: u32,
}

/// Names level and reason of the best agreement.
fn name(error: &Error<'_>, agreement: Agreement, id: PacketId, crowd: Crowd) -> Weighed {
    if !agreement.possible {
        return Weighed { target: None, level: Level::Contradicted, reason: Reason::Disagrees };
    }
    let alone = crowd.fitting == 1;
    let (level, reason) = match agreement {
        Agreement { payload: true, ip_id: true, .. } => (Level::Exact, Reason::PayloadAndIpId),
        Agreement { payload: true, .. } if crowd.equals == 1 => (Level::Exact, Reason::Payload),
        Agreement { payload: true, .. } => (Level::Probable, Reason::PayloadOfSeveral),
        Agreement { identifier: true, ip_id: true, .. } => (Level::Exact, Reason::IdentifierAndIpId),
        Agreement { ip_id: true, length: true, .. } if crowd.equals == 1 => {
            (Level::Exact, Reason::IpIdAndLength)
        }
        Agreement { identifier: true, .. } if crowd.equals == 1 => (Level::Exact, Reason::Identifier),
        Agreement { ip_id: true, .. } => (Level::Probable, Reason::IpId),
        Agreement { ip_id_swapped: true, .. } => (Level::Probable, Reason::IpIdSwapped),
        _ if alone => (Level::Probable, Reason::FlowAlone),
        _ => (Level::Probable, Reason::FlowOfSeveral),
    };
    if error.head.checksum_wrong && level == Level::Exact {
        return Weighed { target: Some(id), level: Level::Probable, reason: Reason::ChecksumWrong };
    }
    Weighed { target: Some(id), level, reason }
}

/// Compares a quote with one packet of the same flow.
fn agree(error: &Error<'_>, packet: &Decoded<'_>) -> Agreement {
    let inner = &error.quote.inner;
    let mut agreement = Agreement { possible: true, ..Agreement::default() };
    if let (Some(quoted), Some(sent)) = (inner.ip_id, packet.ip_id) {
        agreement.ip_id = quoted == sent && quoted != 0;
        agreement.ip_id_swapped = quoted == sent.swap_bytes() && quoted != sent;
    }
    if let (Transport::Udp { length: quoted, .. }, Transport::Udp { length: sent, .. }) =
        (inner.transport, packet.transport)
    {
        agreement.length = quoted == sent;
        agreement.possible &= quoted <= sent || packet.fragment.is_some();
    }
    // The TTL may be quoted as received or decremented, but never grows on the way (RFC 1812 §4.3.2.3).
    agreement.possible &= inner.ttl <= packet.ttl || inner.ttl == 0 || packet.ttl == 0;
    let (quoted, sent) = (error.quote.payload(), packet.payload());
    match (inner.transport, packet.transport) {
        (Transport::Tcp { sequence: quoted, .. }, Transport::Tcp { sequence: sent, .. }) => {
            agreement.identifier = quoted == sent;
        }
        (
            Transport::Icmp { .. } | Transport::Icmpv6 { .. },
            Transport::Icmp { .. } | Transport::Icmpv6 { .. },
        ) => {
            let header = |decoded: &Decoded<'_>| {
                let end = decoded.payload_start as usize;
                decoded.bytes.get(end.saturating_sub(8)..end).map(<[u8]>::to_vec)
            };
            agreement.identifier = header(inner) == header(packet);
            agreement.possible &= agreement.identifier;
        }
        (Transport::None | Transport::Other(_), _) => {
            agreement.possible &= inner.ip_id.is_none() || agreement.ip_id;
        }
        _ => {
            let both = quoted.len().min(sent.len());
            let equal = quoted.get(..both) == sent.get(..both);
            agreement.payload = equal && both >= PAYLOAD_MIN_BYTES;
            agreement.identifier = equal && both >= 2;
            agreement.possible &= both < 2 || quoted.get(..2) == sent.get(..2);
        }
    }
    agreement
}
