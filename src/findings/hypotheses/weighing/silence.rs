//! Rows from silence: only where this vantage would have seen an answer.

use super::errors::put;
use super::surroundings::absent_class;
use std::collections::BTreeSet;

use crate::correlate::hosts::is_loopback;
use crate::correlate::{Outcome, Signature, Transaction};
use crate::decode::Address;
use crate::findings::facts::{Connection, Ending, Meaning, Sort};
use crate::findings::hypotheses::Group;
use crate::findings::hypotheses::ledger::{Ledger, Observation, Row};
use crate::findings::hypotheses::scene::Scene;
use crate::index::PacketId;
use crate::time::Nanos;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    rate_limited(scene, ledger);
    let silent = scene.silent();
    if silent.is_empty() {
        return;
    }
    if scene.facts.evidence.one_sided {
        one_sided(scene, ledger);
        return;
    }
    silence(scene, &silent, ledger);
    port_only(scene, &silent, ledger);
    other_address(scene, ledger);
    other_answer(scene, &silent, ledger);
    new_flows(scene, ledger);
    if scene.names.len() > 1 && answered_in_period(scene).is_none() {
        let observation = Observation::new(
            Row::AllNamesFail,
            Group::OtherTraffic,
            format!("All {} names asked of {} in this time failed alike.", scene.names.len(), scene.server),
            firsts(&silent),
        )
        .fits("what is dropped does not depend on the name");
        put(ledger, &observation, &[("H8", 5)]);
    }
    let Some(host) = scene.host() else { return };
    let inside = |sort: Sort| {
        let (from, to) = scene.period_ns;
        let around = from - AROUND_NS..=to + AROUND_NS;
        host.of(sort).iter().find(|sign| around.contains(&sign.time_ns)).map(|sign| sign.packet)
    };
    if let Some(packet) = inside(Sort::Tcp).or_else(|| inside(Sort::Other)) {
        let observation = Observation::new(
            Row::OtherTraffic,
            Group::OtherTraffic,
            format!("Other traffic with {} flowed at that time.", scene.server),
            vec![packet],
        )
        .fits("the path and the host work; only this port is silent, as a filter makes it");
        put(ledger, &observation, &[("H8", 5)]);
    }
    if let Some(packet) = inside(Sort::Echo) {
        let observation = Observation::new(
            Row::EchoWorks,
            Group::OtherTraffic,
            format!("{} answered echo requests at that time.", scene.server),
            vec![packet],
        )
        .fits("the host is there and reachable; only this port is silent");
        put(ledger, &observation, &[("H8", 5)]);
    }
}

fn silence(scene: &Scene<'_, '_>, silent: &[&Transaction], ledger: &mut Ledger) {
    let tries: u64 = silent.iter().map(|transaction| u64::from(transaction.tries)).sum();
    let observation = Observation::new(
        Row::Silence,
        Group::ErrorSemantics,
        format!(
            "{} to {}, sent {}, received neither an answer nor an error with both directions in view.",
            crate::findings::rules::counted(silent.len(), "question", "questions"),
            scene.server,
            crate::findings::rules::counted(tries as usize, "time", "times")
        ),
        firsts(silent),
    )
    .fits("a filter that drops, loss, and a host that is gone are all silent")
    .against("a live host without a listener normally sends port unreachable, and a working server answers");
    let wrong_address = if absent_class(scene) == Some("H8") { 5 } else { 2 };
    put(
        ledger,
        &observation,
        &[
            ("H1", -10),
            ("H2", -5),
            ("H3", 0),
            ("H4", wrong_address),
            ("H5", 0),
            ("H6", 5),
            ("H7", 2),
            ("H8", 5),
            ("H9", 2),
            ("H13", -5),
            ("H17", -5),
            ("H20", -10),
        ],
    );
}

/// An answer that came from another address than was asked; clients ignore it (RFC 2181 §4.1).
fn other_address(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let stray: Vec<PacketId> = scene
        .facts
        .evidence
        .anomalies
        .iter()
        .filter(|anomaly| anomaly.kind == "answer_from_other_address")
        .filter(|anomaly| anomaly.against.is_some_and(|query| scene.queries.contains(&query)))
        .map(|anomaly| anomaly.packet)
        .collect();
    if stray.is_empty() {
        return;
    }
    let observation = Observation::new(
        Row::OtherAddress,
        Group::ErrorSemantics,
        format!(
            "{} with the right id and question came from another address than was asked.",
            crate::findings::rules::counted(stray.len(), "answer", "answers")
        ),
        stray,
    )
    .fits("the answer exists, but clients drop it because of its source (RFC 2181 §4.1)")
    .against("the query was answered, from another address");
    put(ledger, &observation, &[("H16", 20), ("H8", -10), ("H1", -10), ("H6", -10), ("H3", 2)]);
}

/// A capture filter by port would have left out the errors that tell a refusal from silence.
fn port_only(scene: &Scene<'_, '_>, silent: &[&Transaction], ledger: &mut Ledger) {
    if !scene.facts.port_only {
        return;
    }
    let observation = Observation::new(
        Row::PortOnly,
        Group::Integrity,
        "Every packet of the capture has port 53; a capture filter by port leaves out ICMP errors."
            .to_owned(),
        firsts(silent),
    )
    .fits("a refusal would look like silence in such a capture");
    put(ledger, &observation, &[("H1", 5), ("H2", 2), ("H3", 2), ("H4", 2), ("H5", 2), ("H21", 10)]);
}

/// Responses of the server to the very ports that asked, with an id or a question nobody asked with.
fn other_answer(scene: &Scene<'_, '_>, silent: &[&Transaction], ledger: &mut Ledger) {
    let index = scene.facts.index;
    let asked: BTreeSet<(Address, u16)> = silent
        .iter()
        .filter_map(|transaction| index.packet(transaction.first))
        .map(|query| (query.source_address(), query.source_port()))
        .collect();
    let stray: Vec<PacketId> = scene
        .facts
        .evidence
        .anomalies
        .iter()
        .filter(|anomaly| matches!(anomaly.kind, "unsolicited" | "answer_to_other_question"))
        .filter_map(|anomaly| index.packet(anomaly.packet))
        .filter(|answer| answer.source_address() == scene.server)
        .filter(|answer| asked.contains(&(answer.destination_address(), answer.destination_port())))
        .map(|answer| answer.id)
        .collect();
    if stray.is_empty() {
        return;
    }
    let observation = Observation::new(
        Row::OtherAnswer,
        Group::ErrorSemantics,
        format!(
            "{} from {} to the asking ports with another id or question than was asked.",
            crate::findings::rules::counted(stray.len(), "response came", "responses came"),
            scene.server
        ),
        stray,
    )
    .fits("the answer comes, but clients must ignore what fits no question of theirs (RFC 5452 §9.1)")
    .against("something at the server's address received the query and responded");
    put(ledger, &observation, &[("H16", 10), ("H23", 5), ("H8", -10), ("H1", -20), ("H6", -20), ("H3", 2)]);
}

/// Packets of the server this close to a failure say something about the path during it.
const AROUND_NS: Nanos = 10_000_000_000;
/// Other destinations that must fail as well before new flows as such are thought to fail.
const OTHER_DESTINATIONS_MIN: usize = 2;

/// New flows fail whoever they go to, while flows that were open go on: the sign of a full translation table.
fn new_flows(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let inside = |time_ns: Nanos| (from..=to).contains(&time_ns);
    // Where routers report that they cannot deliver, what fails beside it needs no full table.
    let undelivered = scene.facts.errors.iter().any(|error| {
        let lost = matches!(
            error.meaning,
            Meaning::HostUnreachable | Meaning::NetUnreachable | Meaning::HopsExceeded
        );
        let near = (from - AROUND_NS..=to + AROUND_NS).contains(&error.time_ns);
        let receiver = error.destination;
        lost && near && (scene.clients.contains(&receiver) || receiver == scene.server)
    });
    if undelivered {
        return;
    }
    let mut failed: BTreeSet<Address> = BTreeSet::new();
    let mut frames = Vec::new();
    for (_, problem) in scene.facts.problems() {
        let overlaps = problem.first_ns <= to && problem.last_ns >= from;
        // A resolver on the way fails because the one behind it does; that makes no further destination.
        let asks_on = is_loopback(problem.server.0) || scene.clients.contains(&problem.server.0);
        let other = problem.server.0 != scene.server && !asks_on;
        if problem.signature == Signature::NoAnswer && overlaps && other {
            failed.insert(problem.server.0);
        }
    }
    let attempts: Vec<&Connection> = scene
        .facts
        .connections
        .iter()
        .filter(|connection| connection.server.0 != scene.server && inside(connection.time_ns))
        .collect();
    let (silent, accepted): (Vec<&Connection>, Vec<&Connection>) =
        attempts.into_iter().partition(|c| c.ending == Ending::Silent);
    failed.extend(silent.iter().map(|connection| connection.server.0));
    frames.extend(silent.iter().map(|connection| connection.syn));
    if failed.len() < OTHER_DESTINATIONS_MIN || accepted.len() > silent.len().max(failed.len()) * 4 {
        return;
    }
    frames.extend(firsts(&scene.silent()));
    let observation = Observation::new(
        Row::NewFlowsFail,
        Group::OtherTraffic,
        format!(
            "New flows to {} other destinations were left without an answer at the same time.",
            failed.len()
        ),
        frames,
    )
    .fits("what fails is every new flow, not one server: a translation or connection table may be full")
    .against("other destinations fail as well");
    put(ledger, &observation, &[("H22", 10), ("H8", -2), ("H6", -10), ("H4", -10)]);
    if answered_in_period(scene).is_some() {
        let observation = Observation::new(
            Row::IntermittentFlows,
            Group::Timing,
            format!("Some new flows to {} still succeed in between.", scene.server),
            answered_in_period(scene).into_iter().collect(),
        )
        .fits("entries become free from time to time");
        put(ledger, &observation, &[("H22", 5)]);
    }
    if scene.clients.len() > 1 {
        let observation = Observation::new(
            Row::NeighboursFail,
            Group::OtherTraffic,
            format!("{} clients are affected alike.", scene.clients.len()),
            firsts(&scene.silent()),
        )
        .fits("hosts behind the same translator share its table");
        put(ledger, &observation, &[("H22", 5)]);
    }
}

fn rate_limited(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let covered = scene.ended(Outcome::CoveredByRateLimit);
    if covered.is_empty() {
        return;
    }
    let observation = Observation::new(
        Row::RateLimited,
        Group::Timing,
        format!(
            "{} silent queries lie between errors that came no faster than an ICMP rate limit allows.",
            covered.len()
        ),
        firsts(&covered),
    )
    .fits("hosts limit the rate of errors (6 at once, then 1 a second on Linux); the refusal was continuous")
    .against("the silence is explained by rate limiting of the errors");
    put(ledger, &observation, &[("H10", 20), ("H8", -5)]);
}

fn one_sided(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let observation = Observation::new(
        Row::OneSided,
        Group::Integrity,
        "Only one direction is in view; silence means nothing here.".to_owned(),
        scene.queries.iter().copied().take(2).collect(),
    )
    .fits("answers and errors would not have been captured");
    put(ledger, &observation, &[("H21", 20), ("H8", 0)]);
}

/// The first answer of the server within the failure's period, to anyone.
pub(super) fn answered_in_period(scene: &Scene<'_, '_>) -> Option<PacketId> {
    let (from, to) = scene.period_ns;
    scene.asked()?.answers_in(from, to).next().map(|answer| answer.packet)
}

pub(super) fn firsts(transactions: &[&Transaction]) -> Vec<PacketId> {
    transactions.iter().map(|transaction| transaction.first).collect()
}
