//! Links errors of a tcpdump transcript, which name the quoted receiver, often its port, but neither client port nor ids.

use std::collections::HashSet;

use super::quoted::{Target, pair_hash};
use super::reasons::{Crowd, Names};
use super::weigh::{Head, Weighed};
use super::{Evidence, Level, Reason};
use crate::decode::{Address, Transport, transcript};
use crate::index::segment::flow_hash;
use crate::index::{Index, Packet, PacketId};
use crate::time::Nanos;

/// Free packets whose length is compared with what an error quotes.
const COMPARED_MAX: usize = 8;
/// Bytes of an ICMP header, before the quote.
const ICMP_HEADER_BYTES: u32 = 8;
/// Bytes of TCP and UDP headers, and of the longest TCP header.
const TCP_BYTES: u32 = 20;
const TCP_MAX_BYTES: u32 = 60;
const UDP_BYTES: u32 = 8;

/// An error as tcpdump printed it.
pub(super) struct Error<'i> {
    pub head: Head,
    /// Who is told: the sender of the quoted packet.
    pub client: Address,
    /// Where the quoted packet was going, and to which port where the line names one.
    pub server: (Address, Option<u16>),
    /// The quoted packet's protocol, likewise.
    protocol: Option<u8>,
    icmp: transcript::Icmp<'i>,
}

impl<'i> Error<'i> {
    /// Reads a printed error; `None` for packets of other captures.
    pub fn read(index: &'i Index, id: PacketId) -> Option<Self> {
        let packet = index.packet(id)?;
        let line = packet.printed()?;
        let icmp = line.icmp?;
        let quoted = icmp.quoted?;
        let head = head(index, id, line.protocol() == 58, &icmp)?;
        Some(Self {
            head,
            client: packet.destination_address(),
            server: (quoted.address, icmp.quoted_port.or(quoted.port)),
            protocol: icmp.quoted_protocol,
            icmp,
        })
    }

    /// What candidates are remembered under: the client's port is not printed, and often nothing but the receiver is.
    pub fn target(&self) -> Target {
        match self.server {
            (server, Some(port)) => {
                Target::Printed(flow_hash(self.protocol.unwrap_or(17), (self.client, 0), (server, port)))
            }
            (server, None) => match self.protocol {
                Some(protocol) => Target::Pair(pair_hash(protocol, self.client, server)),
                None => Target::Hosts(pair_hash(0, self.client, server)),
            },
        }
    }
}

pub(super) fn head(index: &Index, id: PacketId, v6: bool, icmp: &transcript::Icmp<'_>) -> Option<Head> {
    let time_ns = index.packet(id)?.time_ns();
    Some(Head { packet: id, time_ns, kind: icmp.kind, code: icmp.code, v6, checksum_wrong: false })
}

/// How many bytes a printed packet had from its IP header on, at least and at most; `None` where the line does not say.
pub(super) fn length_bytes(packet: &Packet<'_>) -> Option<(u32, u32)> {
    let decoded = packet.decode();
    if decoded.ip_length > 0 {
        return Some((decoded.ip_length, decoded.ip_length));
    }
    let line = packet.printed()?;
    let stated = match (line.dns, line.icmp) {
        (Some(dns), _) => dns.length_bytes?,
        (_, Some(icmp)) => icmp.length_bytes?,
        _ => {
            let (_, number) = line.body().rsplit_once("length ")?;
            number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?
        }
    };
    let network = if packet.source_address().is_v6() { 40 } else { 20 };
    let (least, most) = match decoded.transport {
        Transport::Tcp { .. } => (TCP_BYTES, TCP_MAX_BYTES),
        Transport::Udp { .. } => (UDP_BYTES, UDP_BYTES),
        _ => (0, 0),
    };
    let stated = stated.saturating_add(network);
    Some((stated.saturating_add(least), stated.saturating_add(most)))
}

/// Whether an error of this printed length quotes a packet of this length from its IP header to its end.
pub(super) fn quotes_whole(icmp: &transcript::Icmp<'_>, packet: &Packet<'_>) -> bool {
    let quoted = icmp.length_bytes.and_then(|length| length.checked_sub(ICMP_HEADER_BYTES));
    quoted.zip(length_bytes(packet)).is_some_and(|(quoted, (least, most))| (least..=most).contains(&quoted))
}

/// Whether an error may be about a packet by the size the error states: what fits the next link is not too big for it.
fn may_be_too_big(icmp: &transcript::Icmp<'_>, packet: &Packet<'_>) -> bool {
    icmp.mtu.zip(length_bytes(packet)).is_none_or(|(mtu, (_, most))| most > mtu)
}

/// A packet that fits an error.
struct Fitting {
    packet: PacketId,
    /// It has no answer.
    is_open: bool,
    /// No other error is about it: each packet has one at most as long as another has none.
    is_free: bool,
    /// The error is as long as if it quoted all of it.
    is_whole: bool,
    is_dns: bool,
}

/// Chooses the newest packet without an error of its own; exact only where `-v` printed the quote with both ids. `told`
/// are packets other errors are about.
pub(super) fn choose(
    index: &Index,
    evidence: &Evidence,
    error: &Error<'_>,
    told: &HashSet<PacketId>,
    candidates: impl Iterator<Item = PacketId>,
) -> Weighed {
    let mut fitting: Vec<Fitting> = Vec::new();
    let mut compared = 0;
    let is_portless = error.server.1.is_none();
    for id in candidates {
        let Some(packet) = index.packet(id) else { continue };
        if let Some(quote) = &error.icmp.quote {
            let decoded = packet.decode();
            let port = quote.source.port.is_none_or(|port| port == packet.source_port());
            let ip_id = quote.ip.id.is_some_and(|id| decoded.ip_id == Some(id) && id != 0);
            let dns_id =
                quote.dns.zip(packet.dns()).is_some_and(|(quoted, sent)| quoted.header.id == sent.header.id);
            if port && ip_id && dns_id {
                return Weighed { target: Some(id), level: Level::Exact, reason: Reason::PrintedQuote };
            }
            if !port || (quote.dns.is_some() && !dns_id) {
                continue;
            }
        }
        if is_portless && !may_be_about(error, &packet, evidence.parameters.error_limit_ns) {
            continue;
        }
        let of = evidence.transaction_of(id).and_then(|of| evidence.transaction(of));
        let is_free = of.is_none_or(|of| of.error.is_none()) && !told.contains(&id);
        compared += usize::from(is_free);
        let is_compared = is_portless && is_free && compared <= COMPARED_MAX;
        fitting.push(Fitting {
            packet: id,
            is_open: of.is_none_or(|of| of.answer.is_none()),
            is_free,
            is_whole: is_compared && quotes_whole(&error.icmp, &packet),
            is_dns: packet.dns().is_some(),
        });
        // Nothing older can fit better, and whether others fit is known.
        if error.icmp.quote.is_none()
            && compared > 1
            && (!is_portless || fitting.iter().any(|fitting| fitting.is_whole))
        {
            break;
        }
    }
    let names = if is_portless { Names::Server } else { Names::ServerAndPort };
    let free = || fitting.iter().filter(|fitting| fitting.is_free);
    let chosen = free().find(|fitting| fitting.is_whole).or_else(|| free().next()).or(fitting.first());
    let crowd = match (free().next(), free().nth(1)) {
        (None, _) => Crowd::Settled,
        (Some(only), None) if only.is_open => Crowd::One,
        _ => Crowd::Several,
    };
    match chosen {
        Some(Fitting { packet, is_dns, .. }) => {
            let reason = if *is_dns { Reason::Open(names, crowd) } else { Reason::Sent(names, crowd) };
            Weighed { target: Some(*packet), level: Level::Probable, reason }
        }
        None => Weighed::nothing(Reason::Open(names, Crowd::Nobody)),
    }
}

/// Whether an error that names no port may be about a packet to that host by size and time.
fn may_be_about(error: &Error<'_>, packet: &Packet<'_>, limit_ns: Nanos) -> bool {
    let is_late = error.head.time_ns - packet.time_ns() > limit_ns.max(error.head.window_ns());
    may_be_too_big(&error.icmp, packet) && !(is_late && packet.dns().is_none())
}
