//! Links errors of a tcpdump transcript, which name the quoted server and port but neither client port nor ids, and errors
//! whose quote the capture cut off.

use super::messages::Messages;
use super::reasons::{Crowd, Names};
use super::weigh::{Head, Weighed};
use super::{Evidence, Level, Reason, quotes};
use crate::capture::LinkType;
use crate::decode::{Address, Quote, Transport, transcript};
use crate::index::segment::flow_hash;
use crate::index::{Index, PacketId};

/// Open queries looked back at for an error that names nothing.
const LOOK_BACK_MAX: usize = 64;

/// An error as tcpdump printed it.
pub(super) struct Error<'i> {
    pub head: Head,
    /// Who is told: the sender of the quoted packet.
    pub client: Address,
    /// Where the quoted packet was going.
    pub server: (Address, u16),
    protocol: u8,
    /// The line names the server alone (`ICMP host S unreachable`): its DNS port is supposed.
    portless: bool,
    quote: Option<transcript::Quoted<'i>>,
}

impl<'i> Error<'i> {
    /// Reads a printed error; `None` for packets of other captures.
    pub fn read(index: &'i Index, id: PacketId) -> Option<Self> {
        let packet = index.packet(id)?;
        let line = packet.printed()?;
        let icmp = line.icmp?;
        let quoted = icmp.quoted?;
        let head = head(index, id, line.protocol() == 58, &icmp)?;
        let port = icmp.quoted_port.or(quoted.port);
        Some(Self {
            head,
            client: packet.destination_address(),
            server: (quoted.address, port.unwrap_or_else(|| index.settings.supposed_dns_port())),
            portless: port.is_none(),
            protocol: icmp.quoted_protocol.unwrap_or(17),
            quote: icmp.quote,
        })
    }

    /// The hash candidates are remembered under: the client's port is not printed.
    pub fn hash(&self) -> u64 {
        flow_hash(self.protocol, (self.client, 0), self.server)
    }
}

fn head(index: &Index, id: PacketId, v6: bool, icmp: &transcript::Icmp<'_>) -> Option<Head> {
    let time_ns = index.packet(id)?.time_ns();
    Some(Head { packet: id, time_ns, kind: icmp.kind, code: icmp.code, v6, checksum_wrong: false })
}

/// An error that names no packet: a printed line without one, or a frame cut before the end of the quoted header. `None` for
/// other packets.
pub(super) fn nameless(index: &Index, id: PacketId) -> Option<Head> {
    let packet = index.packet(id)?;
    if packet.link_type() != LinkType::TRANSCRIPT {
        if packet.captured() >= packet.original() {
            return None;
        }
        let decoded = packet.decode();
        let (kind, code) =
            decoded.icmp().filter(|_| decoded.is_icmp_error() && Quote::read(&decoded).is_none())?;
        let v6 = matches!(decoded.transport, Transport::Icmpv6 { .. });
        return Some(Head { packet: id, time_ns: packet.time_ns(), kind, code, v6, checksum_wrong: false });
    }
    let line = packet.printed()?;
    let icmp = line.icmp.filter(|icmp| icmp.quoted.is_none())?;
    let v6 = line.protocol() == 58;
    matches!((v6, icmp.kind), (false, 3 | 11) | (true, 1 | 3)).then(|| head(index, id, v6, &icmp))?
}

/// Ties errors that name neither address nor port (`ICMP time exceeded in-transit`) to the newest open query of the host told;
/// a refused port is told by the host that was asked.
pub(super) fn join_nameless(messages: &Messages<'_>, evidence: &mut Evidence) {
    let index = messages.index;
    for row in index.icmp_rows() {
        let Some(head) = nameless(index, row.packet) else { continue };
        let Some(packet) = index.packet(row.packet) else { continue };
        let told = packet.destination_address();
        let by_host = matches!((head.v6, head.kind, head.code), (false, 3, 3) | (true, 1, 4));
        let asked = by_host.then(|| packet.source_address());
        let before = evidence.transactions.partition_point(|t| messages.time_ns(t.first) <= head.time_ns);
        let recent = evidence.transactions.get(..before).unwrap_or_default().iter().rev().take(LOOK_BACK_MAX);
        let mut open = recent.filter(|t| {
            let asks = index.packet(t.first).is_some_and(|query| {
                query.source_address() == told
                    && asked.is_none_or(|server| query.destination_address() == server)
            });
            asks && t.answer.is_none() && t.error.is_none() && messages.time_ns(t.last) <= head.time_ns
        });
        let (newest, another) = (open.next().map(|t| t.last), open.next().is_some());
        let weighed = match newest {
            Some(query) => Weighed {
                target: Some(query),
                level: Level::Probable,
                reason: Reason::Open(Names::Nothing, if another { Crowd::Several } else { Crowd::One }),
            },
            None => Weighed::nothing(Reason::Open(Names::Nothing, Crowd::Nobody)),
        };
        quotes::attach(messages, evidence, &head, &weighed);
    }
}

/// Chooses the newest query without an error of its own; exact only where `-v` printed the quote with both ids.
pub(super) fn choose(
    index: &Index,
    evidence: &Evidence,
    error: &Error<'_>,
    candidates: impl Iterator<Item = PacketId>,
) -> Weighed {
    let mut newest = None;
    let mut open = Vec::new();
    for id in candidates {
        let Some(packet) = index.packet(id) else { continue };
        if let Some(quote) = &error.quote {
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
        newest = newest.or(Some(id));
        let of = evidence.transaction_of(id).and_then(|of| evidence.transaction(of));
        // Answered or not: each query has one error at most as long as another has none.
        if of.is_none_or(|of| of.error.is_none()) {
            open.push((id, of.is_none_or(|of| of.answer.is_none())));
        }
    }
    let names = if error.portless { Names::Server } else { Names::ServerAndPort };
    let crowd = match open.as_slice() {
        [] => Crowd::Settled,
        [(_, true)] => Crowd::One,
        _ => Crowd::Several,
    };
    match open.first().map(|(id, _)| *id).or(newest) {
        Some(id) => Weighed { target: Some(id), level: Level::Probable, reason: Reason::Open(names, crowd) },
        None => Weighed::nothing(Reason::Open(names, Crowd::Nobody)),
    }
}
