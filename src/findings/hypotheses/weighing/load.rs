//! Rows about load: only where queries from many sources would be seen.

use crate::findings::facts::load::ZoneLoad;
use crate::findings::facts::{Meaning, load};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::answers as row;
use crate::findings::hypotheses::scene::{Incident, Scene};
use crate::findings::hypotheses::thresholds::{
    FLOOD_CLIENTS_MIN, RISEN_FACTOR, SLOW_NS, SURGE_AROUND_NS, TRIPS_MIN,
};
use crate::findings::zones;
use crate::index::PacketId;
use crate::time::{Nanos, span};

/// Whether names under one zone are asked at random.
pub(super) fn is_random_flood(scene: &Scene<'_, '_>) -> bool {
    flood(scene).is_some()
}

/// The zone asked for at random at this server, or at another that may pass its questions on to it, and the load there.
fn flood<'f>(scene: &Scene<'f, '_>) -> Option<(&'f str, &'f ZoneLoad)> {
    let load = &scene.facts.load;
    load.random_zone(scene.server).or_else(|| {
        let mut floods = load.zones.iter().filter(|(_, zone)| zone.is_random_flood());
        let found = floods.find(|((_, zone), _)| {
            scene.names.iter().filter(|name| zones::is_below(name, zone)).count() * 2 > scene.names.len()
        });
        found.map(|((_, zone), load)| (zone.as_str(), load))
    })
}

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if matches!(scene.incident, Some(Incident::Service(_) | Incident::SecondDhcp(_))) {
        return;
    }
    let mut seen = victim(scene, ledger);
    seen |= random_labels(scene, ledger);
    seen |= amplification(scene, ledger);
    if scene.sees_load() {
        seen |= surge(scene, ledger);
        rising(scene, ledger);
        if !seen {
            low(scene, ledger);
        }
    } else if !seen {
        unknown(scene, ledger);
    }
}

fn random_labels(scene: &Scene<'_, '_>, ledger: &mut Ledger) -> bool {
    let Some((zone, of)) = flood(scene) else { return false };
    let sources = of.flooders();
    let (queries, failed) = of.of(&sources);
    let sources = sources.len();
    let many = sources >= FLOOD_CLIENTS_MIN || scene.sees_load();
    ledger.see(
        if many { &row::RANDOM_LABELS } else { &row::RANDOM_LABELS_FEW },
        format!(
            "{} queries for {} different names under {} from {}, {} % without a useful answer.",
            queries,
            of.names.min(queries),
            crate::findings::rules::plain_name(zone),
            crate::findings::rules::counted(sources, "client", "clients"),
            failed * 100 / queries.max(1)
        ),
        of.samples.clone(),
    );
    true
}

fn amplification(scene: &Scene<'_, '_>, ledger: &mut Ledger) -> bool {
    let Some((source, of)) = scene.facts.load.reflected(scene.server) else { return false };
    ledger.see(&row::AMPLIFICATION, format!(
            "{source} asked {} questions of types with large answers; answers are {} times the size of the queries.",
            of.queries,
            of.answer_bytes / of.query_bytes.max(1)
        ), of.samples.clone());
    true
}

fn victim(scene: &Scene<'_, '_>, ledger: &mut Ledger) -> bool {
    if !matches!(scene.incident, Some(Incident::Victim)) {
        return false;
    }
    let Some(unsolicited) = scene.facts.load.unsolicited.get(&scene.server) else { return false };
    let refusals: Vec<PacketId> = scene
        .facts
        .errors
        .iter()
        .filter(|error| {
            error.source == scene.server
                && error.is_about_response()
                && error.meaning == Meaning::PortUnreachable
        })
        .map(|error| error.packet)
        .collect();
    let refused =
        if refusals.is_empty() { String::new() } else { format!(" and refused {} of them", refusals.len()) };
    ledger.see(
        &row::REFLECTION_VICTIM,
        format!(
            "{} received {} DNS responses from {} resolvers that answer none of its queries{refused}.",
            scene.server,
            unsolicited.responses,
            unsolicited.resolvers.len()
        ),
        unsolicited.samples.iter().copied().chain(refusals).collect(),
    );
    true
}

fn surge(scene: &Scene<'_, '_>, ledger: &mut Ledger) -> bool {
    let Some(surge) = scene.facts.load.surge(scene.server) else { return false };
    let (from, to) = scene.period_ns;
    let meanwhile =
        scene.problem.is_some() && (from - SURGE_AROUND_NS..=to + SURGE_AROUND_NS).contains(&surge.at_ns);
    ledger.see(
        if meanwhile { &row::RATE_HIGH_MEANWHILE } else { &row::RATE_HIGH },
        format!(
            "Up to {} queries a second to {}; usual in this capture {} {}.",
            crate::text::thousands(surge.peak),
            scene.server,
            if surge.usual == 1 { "is" } else { "are" },
            surge.usual
        ),
        scene.queries.iter().copied().take(64).collect(),
    );
    true
}

/// Answers took ever longer before they failed.
fn rising(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(asked) = scene.asked() else { return };
    let (from, to) = scene.period_ns;
    let middle = |mut trips: Vec<Nanos>| {
        trips.sort_unstable();
        (trips.len() >= TRIPS_MIN).then(|| trips.get(trips.len() / 2).copied()).flatten()
    };
    let before = middle(asked.answers.iter().filter(|a| a.time_ns < from).map(|a| a.trip_ns).collect());
    let during = middle(asked.answers_in(from, to).map(|answer| answer.trip_ns).collect());
    let (Some(before), Some(during)) = (before, during) else { return };
    if during < SLOW_NS || during < before.saturating_mul(RISEN_FACTOR) {
        return;
    }
    ledger.see(
        &row::RISING_DELAY,
        format!(
            "Answers of {} took {} before and {} during the failure.",
            scene.server,
            span(before),
            span(during)
        ),
        asked.answers_in(from, to).take(3).map(|answer| answer.packet).collect(),
    );
}

fn low(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(asked) = scene.asked() else { return };
    ledger.see(
        &row::RATE_LOW,
        format!(
            "{} queries from {} clients to {}, never {} times the usual rate; this vantage sees its load.",
            asked.queries,
            asked.clients.len(),
            scene.server,
            load::RATE_FACTOR
        ),
        scene.queries.iter().copied().take(64).collect(),
    );
}

fn unknown(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let queries = scene.asked().map_or(0, |server| server.queries);
    ledger.see(
        &row::LOAD_UNKNOWN,
        format!(
            "{} to {} from {} {} in view; the server's load is not visible here.",
            crate::findings::rules::counted(queries as usize, "query", "queries"),
            scene.server,
            crate::findings::rules::counted(
                scene.asked().map_or(0, |server| server.clients.len()),
                "client",
                "clients"
            ),
            if queries == 1 { "is" } else { "are" }
        ),
        scene.queries.clone(),
    );
}
