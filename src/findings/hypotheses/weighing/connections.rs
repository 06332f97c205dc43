//! Rows from the TCP connections that carried questions: closed, reset or left without a byte by the server.

use crate::connections::{Connection, Ends, Seen};
use crate::correlate::Outcome;
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::answers as row;
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::thresholds::{ANSWERS_MAX, LARGE_BYTES};
use crate::findings::rules;
use crate::index::{Packet, PacketId};

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (mut closed, mut reset, mut mute) = (0usize, 0usize, 0usize);
    let (mut ended, mut silent) = (Vec::new(), Vec::new());
    for transaction in &scene.transactions {
        let Some(query) = scene.facts.index.packet(transaction.last) else { continue };
        let Some(connection) = scene.facts.evidence.connections.of(&query) else { continue };
        let seen = Seen { packet: query.id, time_ns: query.time_ns() };
        let end = match (transaction.outcome, connection.ends_for(seen)) {
            (Outcome::Mute, _) => {
                mute += 1;
                silent.push(query.id);
                continue;
            }
            (Outcome::Closed, Some(Ends::Closed(end))) => {
                closed += 1;
                end
            }
            (Outcome::TcpReset, Some(Ends::Reset(end)))
            | (Outcome::ResetMidway, Some(Ends::ResetMidway(end)))
                if connection.is_accepted() && is_as_far(scene, connection, end) =>
            {
                reset += 1;
                end
            }
            _ => continue,
        };
        ended.extend([query.id, end]);
    }
    unacknowledged(scene, ledger);
    if closed + reset > 0 {
        let text = format!(
            "{} accepted {} over TCP and ended {} without an answer ({closed} by FIN, {reset} by RST).",
            scene.server,
            rules::counted(closed + reset, "question", "questions"),
            if closed + reset == 1 { "its connection" } else { "their connections" },
        );
        ended.truncate(ANSWERS_MAX);
        ledger.see(&row::CLOSED_UNANSWERED, text, ended);
    }
    if mute > 0 {
        let text = format!(
            "{} accepted and acknowledged {} over TCP and sent no answer.",
            scene.server,
            rules::counted(mute, "question", "questions"),
        );
        silent.truncate(ANSWERS_MAX);
        ledger.see(&row::MUTE, text, silent);
    }
}

/// Data the server sent over TCP and the client never acknowledged, beside answers it did.
fn unacknowledged(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let evidence = scene.facts.evidence;
    let lost = |packet: &PacketId| {
        let packet = scene.facts.index.packet(*packet)?;
        let connection = evidence.connections.of(&packet)?;
        Some((connection.unacknowledged(), connection.from_server.last?.packet))
    };
    if scene.service.1 != TCP {
        return;
    }
    let failed: Vec<(u32, PacketId)> = scene
        .transactions
        .iter()
        .filter_map(|own| lost(&own.last))
        .filter(|(bytes, _)| *bytes >= LARGE_BYTES)
        .collect();
    if failed.len() * 2 <= scene.transactions.len() {
        return;
    }
    let arrived: Vec<PacketId> = scene
        .asked()
        .into_iter()
        .flat_map(|asked| &asked.answers)
        .map(|answer| answer.packet)
        .filter(|answer| lost(answer).is_some_and(|(bytes, _)| bytes == 0))
        .take(ANSWERS_MAX)
        .collect();
    let small = small_passed(scene);
    let most = failed.iter().map(|(bytes, _)| *bytes).max().unwrap_or_default();
    let beside = match arrived.len() {
        0 => String::new(),
        some => format!("; {} over TCP arrived", rules::counted(some, "other answer", "other answers")),
    };
    let beside = match small.len() {
        0 => beside,
        some => format!(
            "{beside}; {} of it reached the same {} meanwhile",
            rules::counted(some, "small packet", "small packets"),
            if scene.clients.len() == 1 { "client" } else { "clients" }
        ),
    };
    ledger.see(
        if arrived.is_empty() && small.is_empty() {
            &row::DATA_UNACKNOWLEDGED
        } else {
            &row::LARGE_UNACKNOWLEDGED
        },
        format!(
            "In {} up to {most} bytes of {} were never acknowledged{beside}.",
            rules::counted(failed.len(), "connection", "connections"),
            scene.server
        ),
        failed.iter().map(|(_, packet)| *packet).chain(arrived).chain(small).take(ANSWERS_MAX).collect(),
    );
}

/// Small packets of the server that are known to have reached the failing clients while its large ones did not: answers over UDP, and
/// the second half of handshakes that the client completed.
fn small_passed(scene: &Scene<'_, '_>) -> Vec<PacketId> {
    let evidence = scene.facts.evidence;
    let first_ns = scene.transactions.iter().map(|own| scene.facts.time(own.first)).min().unwrap_or_default();
    let last_ns = scene
        .transactions
        .iter()
        .filter_map(|own| evidence.connections.of(&scene.facts.index.packet(own.last)?))
        .map(|own| own.last.time_ns)
        .max()
        .unwrap_or_default();
    let over_udp = scene.facts.servers.get(&(scene.server, scene.service.0, UDP)).into_iter();
    let answers = over_udp
        .flat_map(|own| own.answers_in(first_ns, last_ns))
        .filter(|answer| {
            scene.clients.contains(&answer.client)
                && evidence.transaction_of(answer.packet).is_some_and(|id| evidence.lost(id).is_none())
        })
        .map(|answer| answer.packet);
    let handshakes = evidence
        .connections
        .iter()
        .filter(|own| own.server == (scene.server, scene.service.0) && scene.clients.contains(&own.client.0))
        .filter(|own| own.confirmed && own.first.time_ns > first_ns && own.first.time_ns < last_ns)
        .filter_map(|own| own.accepted.map(|accepted| accepted.packet));
    answers.chain(handshakes).take(ANSWERS_MAX).collect()
}

/// The IP protocol number of TCP.
const TCP: u8 = 6;
/// The IP protocol number of UDP.
const UDP: u8 = 17;

/// Whether a reset comes from as far as the packet that accepted the connection: another distance is another device's.
fn is_as_far(scene: &Scene<'_, '_>, connection: &Connection, reset: PacketId) -> bool {
    let packet = |id: PacketId| scene.facts.index.packet(id);
    let accepted = connection.accepted.and_then(|accepted| packet(accepted.packet));
    let ttls = accepted.as_ref().map(Packet::ttl).zip(packet(reset).as_ref().map(Packet::ttl));
    ttls.is_none_or(|(accepted, reset)| accepted == reset)
}
