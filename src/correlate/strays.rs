//! Explains responses that match no query: from another address than was asked (RFC 2181 §4.1), or unsolicited.

use std::collections::HashMap;

use rayon::prelude::*;

use super::duplicates::CopyKind;
use super::messages::{Messages, Position};
use super::{Anomaly, AnomalyKind, Evidence, Outcome, unserved};
use crate::decode::Address;
use crate::index::segment::DnsKind;
use crate::index::{DnsRow, PacketId};
use crate::time::Nanos;

/// Stray responses with one id and question that a query is compared with.
const STRAYS_MAX: usize = 64;
/// Positions looked through by one thread at a time.
const BLOCK: u32 = 1 << 16;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// A response without a query.
struct Stray {
    packet: PacketId,
    time_ns: Nanos,
    /// Where it was going.
    client: (Address, u16),
    position: Position,
    /// The newest message it may answer that is no query.
    misfit: Option<PacketId>,
    /// The newest query it may answer.
    query: Option<PacketId>,
    /// The query it answers as a NAT sent that on.
    translated: Option<PacketId>,
}

fn key(row: &DnsRow) -> (u64, u16) {
    (row.question, row.header.id)
}

/// Names what each stray response is.
pub(super) fn explain(messages: &Messages<'_>, evidence: &mut Evidence, positions: &[Position]) {
    let mut strays: Vec<Stray> = Vec::new();
    let mut wanted: Map<(u64, u16), Vec<u32>> = Map::default();
    let mut bare: Map<(u64, u16), u32> = Map::default();
    let mut ids = vec![false; 1 << 16];
    for position in positions {
        let Some((row, time_ns)) = messages.at(*position) else { continue };
        let packet = messages.index.packet(row.packet);
        let client = packet.map(|packet| (packet.destination_address(), packet.destination_port()));
        let same = wanted.entry(key(row)).or_default();
        if same.len() < STRAYS_MAX {
            same.push(strays.len() as u32);
            if let Some(id) = ids.get_mut(usize::from(row.header.id)) {
                *id = true;
            }
        }
        let client = client.unwrap_or_default();
        if row.question == 0 {
            bare.insert((row.flow, row.header.id), strays.len() as u32);
        }
        let (packet, position) = (row.packet, *position);
        strays.push(Stray { packet, time_ns, client, position, misfit: None, query: None, translated: None });
    }
    if strays.is_empty() {
        return;
    }
    // A printed answer repeats no question: id and client must do.
    let keys = |row: &DnsRow| [key(row), (0, row.header.id)];
    let is_wanted = |row: &DnsRow| {
        !row.is_response()
            && row.kind == DnsKind::Dns
            && ids.get(usize::from(row.header.id)).copied().unwrap_or(false)
            && (row.question != 0 && keys(row).iter().any(|key| wanted.contains_key(key))
                || bare.contains_key(&(row.flow, row.header.id)))
            && !evidence.is_duplicate(row.packet)
    };
    let blocks = messages.len().div_ceil(BLOCK);
    let queries: Vec<Vec<(&DnsRow, Nanos)>> = (0..blocks)
        .into_par_iter()
        .map(|block| {
            let range = block * BLOCK..(block + 1).saturating_mul(BLOCK).min(messages.len());
            let rows = messages.rows(range).filter(|row| is_wanted(row));
            rows.map(|row| (row, messages.time_ns(row.packet))).collect()
        })
        .collect();
    let tolerance_ns = evidence.parameters.clock_tolerance_ns;
    for (row, time_ns) in queries.into_iter().flatten() {
        let Some(packet) = messages.index.packet(row.packet) else { continue };
        let client = (packet.source_address(), packet.source_port());
        let asks_nothing = evidence.roles_of(row.packet).next().is_none();
        if let Some(at) = bare.get(&(row.flow, row.header.id)).filter(|_| asks_nothing)
            && let Some(stray) = strays.get_mut(*at as usize).filter(|stray| time_ns <= stray.time_ns)
        {
            stray.misfit = Some(row.packet);
        }
        if row.question == 0 || asks_nothing {
            continue;
        }
        for at in keys(row).iter().filter_map(|key| wanted.get(key)).flatten() {
            let Some(stray) = strays.get_mut(*at as usize) else { continue };
            if stray.client == client && time_ns <= stray.time_ns.saturating_add(tolerance_ns) {
                stray.query = Some(row.packet);
            }
        }
    }
    translated(messages, evidence, &wanted, &mut strays);
    for stray in strays {
        if let Some(query) = stray.translated {
            answer(messages, evidence, &stray, query);
            continue;
        }
        if let Some(query) = stray.query
            && messages.index.packet(query).is_some_and(|packet| unserved::is_to_group(&packet))
        {
            answer(messages, evidence, &stray, query);
            continue;
        }
        if let Some(misfit) = stray.misfit.filter(|_| stray.query.is_none()) {
            evidence.loose.push((stray.packet, misfit));
            continue;
        }
        let kind = if stray.query.is_some() {
            AnomalyKind::AnswerFromOtherAddress
        } else {
            AnomalyKind::Unsolicited
        };
        evidence.anomalies.push(Anomaly { kind, packet: stray.packet, against: stray.query });
    }
}

/// Finds the responses to queries as a NAT sent them on: where nothing of the answer was captured behind it, they answer the query
/// the client sent.
fn translated(
    messages: &Messages<'_>,
    evidence: &Evidence,
    wanted: &Map<(u64, u16), Vec<u32>>,
    strays: &mut [Stray],
) {
    let tolerance_ns = evidence.parameters.clock_tolerance_ns;
    for (copy, original, _) in evidence.duplicates().filter(|(.., kind)| *kind == CopyKind::Nat) {
        let Some(packet) = messages.index.packet(copy) else { continue };
        let Some(row) = packet.dns().filter(|row| !row.is_response()) else { continue };
        let client = (packet.source_address(), packet.source_port());
        for at in wanted.get(&key(row)).into_iter().flatten() {
            let Some(stray) = strays.get_mut(*at as usize).filter(|stray| stray.client == client) else {
                continue;
            };
            let from = messages.index.packet(stray.packet).map(|packet| packet.source_address());
            let in_time = packet.time_ns() <= stray.time_ns.saturating_add(tolerance_ns);
            if in_time && from == Some(packet.destination_address()) {
                stray.translated = Some(original);
            }
        }
    }
}

/// Gives a query its first answer, which another flow carries: to everybody it comes from whoever has one (RFC 1122 §3.2.1.3),
/// behind a NAT with other addresses.
fn answer(messages: &Messages<'_>, evidence: &mut Evidence, stray: &Stray, query: PacketId) {
    let Some((id, row)) = evidence.transaction_of(query).zip(messages.at(stray.position).map(|(row, _)| row))
    else {
        return;
    };
    let Some(transaction) = evidence.transactions.get_mut(id.0 as usize).filter(|of| of.answer.is_none())
    else {
        return;
    };
    let first = (transaction.first, messages.time_ns(transaction.first));
    transaction.answer = Some(stray.packet);
    transaction.response_code = row.response_code();
    transaction.waited_ns = messages.elapsed_ns(first, (stray.packet, stray.time_ns));
    transaction.outcome = Outcome::Answered;
    evidence.tag_answer(messages.ordinal(stray.position), id);
}
