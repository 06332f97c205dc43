//! Weighs one ICMP error against the packets it may quote (correlation rules E1–E5) and names the level and why.

use std::net::IpAddr;

use super::compare::{Comparison, Field, compare};
use super::messages::Messages;
use super::parameters::error_window_ns;
use super::{Level, Parameters, Reason};
use crate::decode::{Address, Decoded, Quote, Transport};
use crate::index::segment::flow_hash;
use crate::index::{Index, PacketId};
use crate::time::Nanos;

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
    /// A redirect (RFC 792) or a source quench, which does not say that the packet was dropped (RFC 6633).
    pub fn is_note(&self) -> bool {
        !self.v6 && matches!(self.kind, 4 | 5)
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
    // Where the IP header has none either, sums were not filled in yet or were blanked when the record was made fit to be shown.
    let header = decoded.network_start as usize;
    let is_blank = |at: usize| decoded.bytes.get(at..at + 2) == Some(&[0, 0]);
    if decoded.source.is_v4() && is_blank(start + 2) && is_blank(header + 10) {
        return true;
    }
    let mut sum = 0u64;
    if let (Transport::Icmpv6 { .. }, Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) =
        (decoded.transport, decoded.source.ip(), decoded.destination.ip())
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

/// Chooses the packet an error is about among packets of what it quotes, newest first. `None` when there is none at all.
pub(super) fn choose(
    messages: &Messages<'_>,
    error: &Error<'_>,
    candidates: impl Iterator<Item = PacketId>,
    parameters: &Parameters,
) -> Option<Weighed> {
    let mut best: Option<(Comparison, PacketId)> = None;
    let (mut fitting, mut equals) = (0, 0);
    let (mut another, mut too_old) = (None, false);
    for id in candidates {
        let Some(packet) = messages.index.packet(id) else { continue };
        let delta_ns = error.head.time_ns - packet.time_ns();
        let early = delta_ns < -parameters.clock_tolerance_ns;
        if early && !messages.is_set_back_between(id, error.head.packet) {
            continue;
        }
        let mut found = compare(&error.quote, &packet.decode());
        if packet.is_text() {
            found = found.with_printed_id(&error.quote, packet.dns().map(|row| row.header.id));
        }
        if found.is_other_flow {
            continue;
        }
        if found.is_other() {
            another = another.or(Some(found));
            continue;
        }
        let late = delta_ns > parameters.error_limit_ns.max(error.head.window_ns());
        if late && !found.is_proved() && !found.ip_id.is_equal() {
            too_old = true;
            continue;
        }
        fitting += 1;
        match &best {
            Some((known, _)) if found.rank() < known.rank() => {}
            Some((known, _)) if found.rank() == known.rank() => equals += 1,
            _ => {
                best = Some((found, id));
                equals = 1;
            }
        }
        // Nothing older can agree better.
        if found.ip_id.is_equal() && found.is_proved() {
            break;
        }
    }
    let crowd = Crowd { fitting, equals };
    match best {
        Some((found, _)) if found.is_doubtful() && fitting > 1 => Some(Weighed::nothing(Reason::NotCaptured)),
        Some((found, id)) => Some(name(error, found, id, crowd)),
        None if another.is_some() => Some(Weighed::nothing(Reason::NotCaptured)),
        None => too_old.then(|| Weighed::nothing(Reason::TooOld)),
    }
}

/// How many packets fit.
#[derive(Clone, Copy)]
struct Crowd {
    fitting: u32,
    equals: u32,
}

/// Names level and reason of the best agreement.
fn name(error: &Error<'_>, found: Comparison, id: PacketId, crowd: Crowd) -> Weighed {
    let (level, reason) = if found.has_more_hops {
        (Level::Probable, Reason::MoreHops)
    } else if found.ip_id == Field::Different {
        (Level::Probable, if found.is_proved() { Reason::BytesNotIpId } else { Reason::LengthNotIpId })
    } else {
        agreement(found, crowd)
    };
    if error.head.checksum_wrong && level == Level::Exact {
        return Weighed { target: Some(id), level: Level::Probable, reason: Reason::ChecksumWrong };
    }
    Weighed { target: Some(id), level, reason }
}

/// The same where nothing speaks against it.
fn agreement(found: Comparison, crowd: Crowd) -> (Level, Reason) {
    let alone = crowd.equals == 1;
    let (payload, identifier) = (found.payload.is_equal(), found.identifier.is_equal());
    match found.ip_id.is_equal() {
        true if payload => (Level::Exact, Reason::PayloadAndIpId),
        true if identifier => (Level::Exact, Reason::IdentifierAndIpId),
        true if alone && found.length.is_equal() => (Level::Exact, Reason::IpIdAndLength),
        true => (Level::Probable, Reason::IpId),
        false if payload && alone => (Level::Exact, Reason::Payload),
        false if payload => (Level::Probable, Reason::PayloadOfSeveral),
        false if identifier && alone => (Level::Exact, Reason::Identifier),
        false if identifier => (Level::Probable, Reason::IdentifierOfSeveral),
        false if found.is_swapped => (Level::Probable, Reason::IpIdSwapped),
        false if crowd.fitting == 1 => (Level::Probable, Reason::FlowAlone),
        false => (Level::Probable, Reason::FlowOfSeveral),
    }
}
