//! Links errors that name no packet at all: printed without one (`ICMP time exceeded in-transit`), or cut within the quote.

use std::collections::HashSet;

use super::messages::Messages;
use super::printed::{head, quotes_whole};
use super::reasons::{Crowd, Names};
use super::weigh::{Head, Weighed};
use super::{Evidence, Level, Reason, quotes};
use crate::capture::LinkType;
use crate::decode::{Address, Quote, Transport};
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId};

/// Open queries looked back at for an error that names nothing.
const LOOK_BACK_MAX: usize = 64;
/// Packets before such an error, and after it, that are looked at.
const BEFORE_MAX: u32 = 64;
const AFTER_MAX: u32 = 16;

/// An error that names no packet: a printed line without one, or a frame cut before the end of the quoted header. `None` for
/// other packets.
pub(super) fn read(index: &Index, id: PacketId) -> Option<Head> {
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

/// Ties errors that name neither address nor port to the newest open query of the host told, or in a text to what else it
/// sent since and got no answer for; a refused port is told by the host that was asked.
pub(super) fn join(messages: &Messages<'_>, evidence: &mut Evidence) {
    let index = messages.index;
    let mut told: HashSet<PacketId> = evidence.told().collect();
    for row in index.icmp_rows() {
        let Some(head) = read(index, row.packet) else { continue };
        let Some(packet) = index.packet(row.packet) else { continue };
        if evidence.is_duplicate(row.packet) {
            continue;
        }
        let by_host = matches!((head.v6, head.kind, head.code), (false, 3, 3) | (true, 1, 4));
        let asked = by_host.then(|| packet.source_address());
        let queries =
            newest_queries(messages, evidence, (packet.destination_address(), asked), (&head, &told));
        let sent = if packet.is_text() {
            newest_sent(messages, evidence, (&packet, asked), &head, &told)
        } else {
            [None; 2]
        };
        let weighed = choose(index, &packet, queries, sent);
        told.extend(weighed.target);
        quotes::attach(messages, evidence, &head, &weighed);
    }
}

/// The newest two open queries of a client before an error.
fn newest_queries(
    messages: &Messages<'_>,
    evidence: &Evidence,
    (client, server): (Address, Option<Address>),
    (error, told): (&Head, &HashSet<PacketId>),
) -> [Option<PacketId>; 2] {
    let before = evidence.transactions.partition_point(|t| messages.time_ns(t.first) <= error.time_ns);
    let recent = evidence.transactions.get(..before).unwrap_or_default().iter().rev().take(LOOK_BACK_MAX);
    let mut open = recent.filter_map(|t| {
        let asks = messages.index.packet(t.first).is_some_and(|query| {
            query.source_address() == client
                && server.is_none_or(|server| query.destination_address() == server)
        });
        (asks && t.answer.is_none()).then(|| {
            // Each try may have an error of its own, and a later one is not what this is about.
            let is_open = |id: &PacketId| messages.time_ns(*id) <= error.time_ns && !told.contains(id);
            [t.last, t.first].into_iter().find(is_open)
        })?
    });
    [open.next(), open.next()]
}

/// The newest two packets that carry no DNS and that whoever is told had sent before, without an answer or an error.
fn newest_sent(
    messages: &Messages<'_>,
    evidence: &Evidence,
    (error, server): (&Packet<'_>, Option<Address>),
    head: &Head,
    told: &HashSet<PacketId>,
) -> [Option<PacketId>; 2] {
    let (index, client) = (messages.index, error.destination_address());
    let (start, end) = (error.id.0.saturating_sub(BEFORE_MAX), error.id.0.saturating_add(AFTER_MAX));
    let mut answers = Vec::new();
    let mut found = [None; 2];
    for packet in (start..end).rev().filter_map(|id| index.packet(PacketId(id))) {
        if packet.flags() & flags::ICMP_ERROR != 0 || evidence.is_duplicate(packet.id) {
            continue;
        }
        let ports = match packet.transport() {
            6 | 17 => (packet.source_port(), packet.destination_port()),
            _ => (0, 0),
        };
        if packet.destination_address() == client {
            answers.push((packet.source_address(), packet.transport(), (ports.1, ports.0)));
            continue;
        }
        let is_before = packet.id < error.id && head.time_ns - packet.time_ns() <= head.window_ns();
        let is_asked = server.is_none_or(|server| packet.destination_address() == server);
        let is_answered = || answers.contains(&(packet.destination_address(), packet.transport(), ports));
        if packet.source_address() != client || !is_before || !is_asked || packet.dns().is_some() {
            continue;
        }
        if is_answered() || told.contains(&packet.id) {
            continue;
        }
        match found {
            [None, _] => found = [Some(packet.id), None],
            [newest, _] => return [newest, Some(packet.id)],
        }
    }
    found
}

/// Of both the one the error quotes whole by its length, else the newer.
fn choose(
    index: &Index,
    error: &Packet<'_>,
    [query, second]: [Option<PacketId>; 2],
    [sent, other]: [Option<PacketId>; 2],
) -> Weighed {
    let icmp = error.printed().and_then(|line| line.icmp);
    let is_whole = |id: PacketId| {
        icmp.as_ref().zip(index.packet(id)).is_some_and(|(icmp, packet)| quotes_whole(icmp, &packet))
    };
    let newest = [query, sent].into_iter().flatten().max_by_key(|id| (is_whole(*id), *id));
    let count = [query, second, sent, other].into_iter().flatten().count();
    let crowd = if count > 1 { Crowd::Several } else { Crowd::One };
    match newest {
        Some(id) => {
            let reason = if newest == query {
                Reason::Open(Names::Nothing, crowd)
            } else {
                Reason::Sent(Names::Nothing, crowd)
            };
            Weighed { target: Some(id), level: Level::Probable, reason }
        }
        None => Weighed::nothing(Reason::Open(Names::Nothing, Crowd::Nobody)),
    }
}
