//! Rows of DNS messages and ICMP errors that stand in printed lines.

use std::collections::HashMap;

use super::{DnsKind, DnsRow, IcmpRow, SegmentBuilder, flow_hash, question_hash};
use crate::decode::{Address, Decoded, Fragment, Transport, dns, transcript};
use crate::index::PacketId;
use crate::index::names::Hashed;
use crate::protocols::ProtocolId;

/// Packets followed at a time.
const PACKETS_MAX: usize = 4_096;

/// What has been printed of packets in pieces.
#[derive(Default)]
pub(super) struct PrintedPieces(HashMap<(Address, Address, u32), Pending>);

#[derive(Default)]
struct Pending {
    row: Option<DnsRow>,
    ports: Option<(u16, u16)>,
    received: u32,
    whole: Option<u32>,
}

impl PrintedPieces {
    /// Adds a piece; gives the message and the ports of the first piece once nothing is missing.
    pub fn add(
        &mut self,
        (source, destination): (Address, Address),
        (fragment, bytes): (Fragment, u32),
        row: Option<DnsRow>,
        ports: Option<(u16, u16)>,
    ) -> Option<(DnsRow, Option<(u16, u16)>)> {
        if self.0.len() >= PACKETS_MAX {
            self.0.clear();
        }
        let key = (source, destination, fragment.id);
        let pending = self.0.entry(key).or_default();
        pending.row = pending.row.take().or(row);
        pending.ports = pending.ports.or(ports);
        pending.received = pending.received.saturating_add(bytes);
        if !fragment.more {
            pending.whole = Some(fragment.offset_bytes.saturating_add(bytes));
        }
        pending.whole.filter(|whole| pending.received >= *whole)?;
        let pending = self.0.remove(&key)?;
        Some((pending.row?, pending.ports))
    }
}

impl SegmentBuilder<'_> {
    /// The row of the message a line prints, or completes: one in pieces is there with the last of them, from the first's ports.
    pub(super) fn printed_message(
        &mut self,
        (id, protocol): (PacketId, &mut ProtocolId),
        (decoded, line): (&Decoded<'_>, &transcript::Line<'_>),
        (source_port, destination_port): (&mut u16, &mut u16),
    ) -> Option<DnsRow> {
        let row = self.printed_dns(id, *protocol, line);
        let Some(piece) = line.ip.piece else { return row };
        let ends = (decoded.source, decoded.destination);
        let (row, ports) = self.printed_pieces.add(ends, piece, row, decoded.ports())?;
        (*source_port, *destination_port) = ports.unwrap_or((*source_port, *destination_port));
        *protocol = ProtocolId::DNS;
        Some(DnsRow { packet: id, start: 0, length: 0, kind: DnsKind::Dns, ..row })
    }

    /// An ICMP error as a line prints it: the quoted receiver and its port are known, the sender is
    /// whoever received the error, its port is known only where `-v` printed the quoted packet.
    pub(super) fn push_printed_icmp(&mut self, id: PacketId, line: &transcript::Line<'_>) {
        let (Some(icmp), Some(receiver)) = (line.icmp, line.destination) else { return };
        let (mut quoted_flow, mut port_unknown) = (0, false);
        if let Some(quote) = icmp.quote {
            let protocol = icmp.quoted_protocol.or(quote.ip.protocol);
            if let (Some(protocol), Some(from), Some(to)) =
                (protocol, quote.source.port, quote.destination.port)
            {
                quoted_flow =
                    flow_hash(protocol, (quote.source.address, from), (quote.destination.address, to));
            }
        } else if let (Some(protocol), Some(port), Some(to)) =
            (icmp.quoted_protocol, icmp.quoted_port, icmp.quoted)
        {
            quoted_flow = flow_hash(protocol, (receiver.address, 0), (to.address, port));
            port_unknown = true;
        }
        if let Some(source) = line.source {
            self.unnumbered.refused(receiver.address, source.address);
        }
        let v6 = matches!(line.transport, Transport::Icmpv6 { .. });
        let row = IcmpRow { packet: id, kind: icmp.kind, code: icmp.code, v6, quoted_flow, port_unknown };
        self.segment.icmp.push(row);
    }

    /// A DNS message as a line prints it. A response printed without its question has question 0.
    fn printed_dns(
        &mut self,
        id: PacketId,
        protocol: ProtocolId,
        line: &transcript::Line<'_>,
    ) -> Option<DnsRow> {
        let (Some(message), Some(from), Some(to)) = (line.dns, line.source, line.destination) else {
            return None;
        };
        let ends = ((from.address, from.port.unwrap_or(0)), (to.address, to.port.unwrap_or(0)));
        let response = message.header.is_response();
        let (client, server) = if response { (ends.1, ends.0) } else { ends };
        // Of a response without its question the answer tells what was asked for.
        let qtype = message.qtype.or(message.answer_type).unwrap_or(0);
        let qclass = message.qclass.unwrap_or(0);
        let mut lower = message.name.map_or(dns::Name::EMPTY, transcript::wire_name);
        lower.make_lowercase();
        let (name, question) = if lower.wire().is_empty() {
            (u32::MAX, 0)
        } else {
            let name = Hashed::new(&lower);
            let hash = question_hash(name.hash, qtype, qclass, message.header.opcode());
            (self.name(name), hash)
        };
        let mut header = message.header;
        if !message.tells_id {
            let (client, server) = (client.0, server.0);
            header.id = if response {
                self.unnumbered.response(client, server, question)
            } else {
                self.unnumbered.query(client, server, question)
            };
        }
        Some(DnsRow {
            packet: id,
            flow: flow_hash(line.protocol(), client, server),
            question,
            name,
            start: message.start,
            header,
            qtype,
            qclass,
            kind: DnsKind::of(protocol),
            // The text of a question that was cut says nothing of its length.
            length: if message.name.is_none() && !response {
                0
            } else {
                message.end.saturating_sub(message.start).min(u32::from(u16::MAX)) as u16
            },
            marks: 0,
        })
    }
}
