//! Responses that are there but cannot be read: cut by the snap length, or the first fragment of one whose rest was not
//! captured. Their ids and QR bits show that questions were answered (truth T3).

use std::collections::{HashMap, HashSet};

use super::evidence::set_in;
use super::messages::Messages;
use super::{Evidence, Transaction};
use crate::decode::Address;
use crate::index::segment::flags;
use crate::index::{DnsRow, Packet, PacketId};
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Client, its port, server, its port, and the id of the message.
type Key = ((Address, u16), (Address, u16), u16);

/// Bytes of a DNS message that hold its id and the QR bit (RFC 1035 §4.1.1).
const MARKED_BYTES: usize = 3;
const QR: u8 = 0x80;

/// The unread responses that answer silent questions.
#[derive(Default)]
pub(super) struct Unreadable {
    /// When the first response of each came.
    seen: Map<Key, (Nanos, PacketId)>,
}

fn key(query: &Packet<'_>) -> Option<Key> {
    let row = query.dns()?;
    Some((
        (query.source_address(), query.source_port()),
        (query.destination_address(), query.destination_port()),
        row.header.id,
    ))
}

/// Whom a response answers, read from as much of it as is there; `None` where it is no response.
fn answers(packet: &Packet<'_>) -> Option<Key> {
    let decoded = packet.decode();
    let (source, destination) = decoded.ports()?;
    let head = decoded.payload().first_chunk::<MARKED_BYTES>()?;
    let [high, low, bits] = *head;
    (bits & QR != 0).then_some((
        (decoded.destination, destination),
        (decoded.source, source),
        u16::from_be_bytes([high, low]),
    ))
}

impl Unreadable {
    /// Looks for them, where questions were left without an answer and the capture holds such packets.
    pub fn look(messages: &Messages<'_>, evidence: &Evidence) -> Self {
        let open = set_in(&evidence.unsettled, 0).filter_map(|at| evidence.transactions.get(at as usize));
        let silent = open.filter(|transaction| transaction.answer.is_none() && transaction.error.is_none());
        let asked = silent.filter_map(|transaction| key(&messages.index.packet(transaction.first)?));
        let wanted: HashSet<Key, foldhash::fast::FixedState> = asked.collect();
        let mut found = Self::default();
        if wanted.is_empty() {
            return found;
        }
        let mut first_fragments: Vec<(Key, Nanos, PacketId)> = Vec::new();
        let mut rest_is_visible = false;
        for segment in messages.index.segments() {
            for (row, (bits, port)) in segment.flags.iter().zip(&segment.source_port).enumerate() {
                let fragment = bits & flags::FRAGMENT != 0;
                let cut = bits & flags::STOPPED != 0 && messages.index.settings.is_dns_port(*port);
                if !fragment && !cut {
                    continue;
                }
                let id = PacketId(segment.base.0 + row as u32);
                let Some(packet) = messages.index.packet(id) else { continue };
                if packet.dns().is_some_and(DnsRow::is_response) {
                    continue;
                }
                let later =
                    |packet: &Packet<'_>| packet.decode().fragment.is_some_and(|f| f.offset_bytes > 0);
                rest_is_visible |= fragment && later(&packet);
                let Some(key) = answers(&packet).filter(|key| wanted.contains(key)) else { continue };
                if fragment {
                    first_fragments.push((key, packet.time_ns(), id));
                } else {
                    found.seen.entry(key).or_insert((packet.time_ns(), id));
                }
            }
        }
        // Where later fragments of any packet were captured, those that are missing were lost, and the answer with them.
        for (key, at_ns, packet) in first_fragments.into_iter().filter(|_| !rest_is_visible) {
            found.seen.entry(key).or_insert((at_ns, packet));
        }
        found
    }

    /// The response to a question that cannot be read.
    pub fn answer(
        &self,
        (messages, evidence): (&Messages<'_>, &Evidence),
        transaction: &Transaction,
    ) -> Option<PacketId> {
        if self.seen.is_empty() {
            return None;
        }
        let query = messages.index.packet(transaction.first)?;
        let (at_ns, packet) = self.seen.get(&key(&query)?)?;
        // A client that asks again got nothing it could use.
        let asked_again = messages.time_ns(transaction.last) > *at_ns + evidence.parameters.repeat_min_ns;
        (*at_ns >= query.time_ns() && !asked_again).then_some(*packet)
    }
}
