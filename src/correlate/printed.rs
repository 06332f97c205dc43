//! Links errors of a tcpdump transcript, which name the quoted server and port but neither client port nor ids.

use super::weigh::{Head, Weighed};
use super::{Evidence, Level, Outcome};
use crate::capture::LinkType;
use crate::decode::{Address, transcript};
use crate::index::segment::flow_hash;
use crate::index::{Index, PacketId};

/// An error as tcpdump printed it.
pub(super) struct Error<'i> {
    pub head: Head,
    /// Who is told: the sender of the quoted packet.
    pub client: Address,
    /// Where the quoted packet was going.
    pub server: (Address, u16),
    protocol: u8,
    quote: Option<transcript::Quoted<'i>>,
}

impl<'i> Error<'i> {
    /// Reads a printed error; `None` for packets of other captures.
    pub fn read(index: &'i Index, id: PacketId) -> Option<Self> {
        let packet = index.packet(id).filter(|packet| packet.link_type() == LinkType::TRANSCRIPT)?;
        let line = transcript::read(packet.bytes())?;
        let icmp = line.icmp?;
        let quoted = icmp.quoted?;
        let head = Head {
            packet: id,
            time_ns: packet.time_ns(),
            kind: icmp.kind,
            code: icmp.code,
            v6: line.protocol() == 58,
            checksum_wrong: false,
        };
        let port = icmp.quoted_port.or(quoted.port).unwrap_or(0);
        Some(Self {
            head,
            client: packet.destination_address(),
            server: (quoted.address, port),
            protocol: icmp.quoted_protocol.unwrap_or(17),
            quote: icmp.quote,
        })
    }

    /// The hash candidates are remembered under: the client's port is not printed.
    pub fn hash(&self) -> u64 {
        flow_hash(self.protocol, (self.client, 0), self.server)
    }
}

/// Chooses the newest query that is still open; exact only where `-v` printed the quote with both ids.
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
                let reason = "the printed quote shows its port, IP id and DNS id";
                return Weighed { target: Some(id), level: Level::Exact, reason };
            }
            if !port || (quote.dns.is_some() && !dns_id) {
                continue;
            }
        }
        newest = newest.or(Some(id));
        let of = evidence.transaction_of(id).and_then(|of| evidence.transaction(of));
        if of
            .is_none_or(|of| of.answer.is_none() && of.error.is_none() && of.outcome == Outcome::Undetermined)
        {
            open.push(id);
        }
    }
    let reason = match open.len() {
        0 => "server, port and client agree; all such queries were answered or refused before",
        1 => "the only open query of this client to that server and port; the line shows no port or id",
        _ => "the newest open query of this client to that server and port; the line shows no port or id",
    };
    match open.first().copied().or(newest) {
        Some(id) => Weighed { target: Some(id), level: Level::Probable, reason },
        None => Weighed::nothing("no query of this client to that server and port is in the text before it"),
    }
}
