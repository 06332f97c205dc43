//! Rows from what the asked server itself asked of others meanwhile: what lies behind it.

use super::signatures::Signatures;
use crate::correlate::hosts::{Place, is_loopback};
use crate::correlate::{Problem, Signature};
use crate::decode::Address;
use crate::findings::facts::starved::Starved;
use crate::findings::facts::{Connection, Pieces, asked};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::surroundings as row;
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::thresholds::{HOST_AROUND_NS, SYN_WATCH_NS, UPSTREAM_CITED};
use crate::findings::rules::counted;
use crate::findings::zones;
use crate::index::PacketId;

/// The server asked others for the same names, and that failed too.
pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    transfers(scene, ledger);
    let (from, to) = scene.period_ns;
    let refuses = scene.signature == Some(&Signature::ResponseCode(5));
    let behind: Vec<&Problem> = scene
        .facts
        .problems()
        .filter(|(at, other)| {
            other.clients.iter().any(|client| is_same_host(scene, *client))
                && other.server.0 != scene.server
                && other.first_ns <= to + HOST_AROUND_NS
                // A resolver remembers a failure for a while (RFC 9520 §3.2).
                && other.last_ns >= from - HOST_AROUND_NS
                && (is_total(scene, *at, other) || asks_the_same(scene, other))
                // Who refuses passes on a refusal: to silence it answers SERVFAIL, or nothing.
                && (!refuses || matches!(other.signature, Signature::ResponseCode(_)))
        })
        .map(|(_, other)| other)
        .collect();
    let mut servers: Vec<_> = behind.iter().map(|other| other.server.0).collect();
    servers.sort_unstable();
    servers.dedup();
    let (over_tcp, unanswered) = unanswered_over_tcp(scene);
    if servers.is_empty() {
        if !incomplete_behind(scene, ledger) {
            answered_behind(scene, ledger);
        }
        return;
    }
    let cut = behind.iter().any(|other| other.signature == Signature::Truncated) && !unanswered.is_empty();
    let same = behind.iter().any(|other| asks_the_same(scene, other));
    let alike = |signature: &Signature| behind.iter().all(|other| other.signature == *signature);
    let how = match () {
        () if alike(&Signature::Late) => "and was answered late",
        () if alike(&Signature::NotReceived) => "and the answers did not arrive",
        () => "without success",
    };
    let frames = behind
        .into_iter()
        .flat_map(|other| scene.facts.transactions(other).take(UPSTREAM_CITED))
        .flat_map(|t| [Some(t.first), t.error, t.answer])
        .flatten()
        .chain(unanswered.into_iter().filter(|_| cut).take(UPSTREAM_CITED))
        .collect();
    let over_tcp =
        if cut { format!("; its answers over UDP were cut (TC), and {over_tcp}") } else { String::new() };
    let shown: Vec<String> = servers.iter().take(UPSTREAM_CITED).map(ToString::to_string).collect();
    ledger.see(
        match () {
            () if super::load::is_random_flood(scene) => &row::UPSTREAM_FLOODED,
            () if cut => &row::UPSTREAM_WITHOUT_TCP,
            () => &row::UPSTREAM_FAILS,
        },
        match (same, scene.names.len()) {
            (true, 1) => format!(
                "{} itself asked {} for the same name or its zone, {how}{over_tcp}.",
                scene.server,
                shown.join(", ")
            ),
            (true, _) => format!(
                "{} itself asked {} for the same names or their zone, {how}{over_tcp}.",
                scene.server,
                shown.join(", ")
            ),
            (false, _) => format!(
                "{} itself asked {} shortly before and got no answer to anything.",
                scene.server,
                shown.join(", ")
            ),
        },
        frames,
    );
}

/// The server is a secondary that was refused its copy of the zone.
fn transfers(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if !matches!(scene.signature, Some(Signature::ResponseCode(2))) {
        return;
    }
    let own = |starved: &&Starved| {
        starved.server == scene.server && scene.names.iter().all(|name| zones::is_below(name, &starved.zone))
    };
    for starved in scene.facts.starved.iter().filter(own).take(1) {
        let text = format!("{}.", starved.statement(scene.facts));
        ledger.see(&row::TRANSFER_FAILED, text, starved.frames());
    }
}

/// What became of the connections that the server itself opened to DNS ports meanwhile and that nobody answered, in words, and
/// their first packets; no words where there are none.
fn unanswered_over_tcp(scene: &Scene<'_, '_>) -> (String, Vec<PacketId>) {
    let (from, to) = scene.period_ns;
    let (_, end_ns) = scene.facts.span();
    let silent = scene.facts.connections.iter().filter(|own| {
        own.is_unanswered(end_ns, SYN_WATCH_NS)
            && own.server.0 != scene.server
            && scene.facts.is_dns_port(own.server.1)
            && (from - HOST_AROUND_NS..=to + HOST_AROUND_NS).contains(&own.time_ns)
            && is_same_host(scene, own.client.0)
    });
    let silent: Vec<&Connection> = silent.collect();
    let tries: u32 = silent.iter().map(|own| own.tries).sum();
    let text = format!(
        "{} to TCP port {} there ({}) got no answer",
        counted(silent.len(), "connection", "connections"),
        silent.first().map_or(0, |own| own.server.1),
        counted(tries as usize, "SYN", "SYNs")
    );
    (text, silent.into_iter().map(|own| own.syn).collect())
}

/// Answers to the server itself came in part only, and nothing over TCP either.
fn incomplete_behind(scene: &Scene<'_, '_>, ledger: &mut Ledger) -> bool {
    if !scene.facts.misses_fragments()
        || !matches!(
            scene.signature,
            Some(Signature::ResponseCode(2) | Signature::Late | Signature::NoAnswer)
        )
    {
        return false;
    }
    let (from, to) = (scene.period_ns.0 - HOST_AROUND_NS, scene.period_ns.1 + HOST_AROUND_NS);
    let cut: Vec<&Pieces> = scene
        .facts
        .pieces
        .iter()
        .filter(|own| own.source != scene.server && own.is_dns_answer() && own.lacks_the_rest())
        .filter(|own| (from..=to).contains(&own.time_ns) && is_same_host(scene, own.destination))
        .collect();
    let Some(first) = cut.first() else { return false };
    let (over_tcp, unanswered) = unanswered_over_tcp(scene);
    let over_tcp = if unanswered.is_empty() { String::new() } else { format!(", and {over_tcp}") };
    let text = format!(
        "{} itself asked {} meanwhile: of {} only the first fragment came{over_tcp}.",
        scene.server,
        first.source,
        counted(cut.len(), "answer", "answers")
    );
    let seen = if unanswered.is_empty() { &row::UPSTREAM_FAILS } else { &row::UPSTREAM_WITHOUT_TCP };
    let frames = cut.iter().flat_map(|own| own.packets.iter().copied()).take(UPSTREAM_CITED);
    ledger.see(seen, text, frames.chain(unanswered.into_iter().take(UPSTREAM_CITED)).collect());
    true
}

/// Whether a server behind fell silent for all names before this failure began: a resolver then fails names it no longer asks for.
fn is_total(scene: &Scene<'_, '_>, at: usize, other: &Problem) -> bool {
    let impact = scene.facts.evidence.impact(at);
    other.signature == Signature::NoAnswer
        && other.names.len() >= TOTAL_NAMES_MIN
        && other.first_ns <= scene.period_ns.0
        && impact.is_some_and(|own| {
            own.answered_beside == 0 && own.windows.iter().all(|window| window.answered == 0)
        })
}

/// Whether a failure behind is about the same names or their zone.
fn asks_the_same(scene: &Scene<'_, '_>, other: &Problem) -> bool {
    other.names.iter().any(|name| {
        // A secondary asks for the zone itself (SOA, transfer).
        scene.names.contains(name) || name != "." && scene.names.iter().any(|own| zones::is_below(own, name))
    })
}

/// Names left in silence from which it is the server that is silent.
const TOTAL_NAMES_MIN: usize = 3;

/// Lookups of a server behind it that are looked through.
const BEHIND_MAX: usize = 100_000;

/// The server asked others for the same names or their zone meanwhile and was answered: what failed is in the answers.
fn answered_behind(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if !matches!(scene.signature, Some(Signature::ResponseCode(2))) {
        return;
    }
    let (from, to) = (scene.period_ns.0 - HOST_AROUND_NS, scene.period_ns.1 + HOST_AROUND_NS);
    let mut answers = Vec::new();
    let mut servers: Vec<Address> = Vec::new();
    let mut signatures = Signatures::default();
    let input = scene.facts.input();
    // What the server itself hands out unchecked shows the same signatures.
    let answered = asked::all(&input).filter(|own| {
        (from..=to).contains(&own.time_ns)
            && (own.server.0 == scene.server || is_same_host(scene, own.client))
            && own.transaction.response_code == 0
    });
    for own in answered.take(BEHIND_MAX) {
        let Some(answer) = own.transaction.answer else { continue };
        let Some(name) = scene.facts.name_of(own.transaction.first).filter(|name| name != ".") else {
            continue;
        };
        let same = scene.names.contains(&name) || scene.names.iter().any(|own| zones::is_below(own, &name));
        let Some(packet) = scene.facts.index.packet(answer).filter(|_| same) else { continue };
        signatures.read(&packet, own.server.0);
        if own.server.0 == scene.server {
            continue;
        }
        answers.push(answer);
        if !servers.contains(&own.server.0) {
            servers.push(own.server.0);
        }
    }
    if !answers.is_empty() {
        let shown: Vec<String> = servers.iter().take(UPSTREAM_CITED).map(ToString::to_string).collect();
        let text = format!(
            "{} itself asked {} for the same names or their zone and was answered.",
            scene.server,
            shown.join(", ")
        );
        ledger.see(&row::UPSTREAM_ANSWERS, text, answers);
    }
    // Signatures carry a date, so the capture must as well.
    if scene.facts.index.has_date() {
        signatures.weigh(scene, ledger);
    }
}

/// Whether an address is the server's: its own, or any of the capturing host where the server is that host, or asked over loopback as
/// stub resolvers are.
fn is_same_host(scene: &Scene<'_, '_>, address: Address) -> bool {
    let surroundings = scene.facts.evidence.surroundings();
    let here = |address| surroundings.place(address) == Place::Here;
    address == scene.server
        || !is_loopback(address)
            && (surroundings.asks_by(scene.server, address) || here(address) && is_loopback(scene.server))
}
