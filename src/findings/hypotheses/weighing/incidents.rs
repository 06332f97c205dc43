//! Rows of incidents beside DNS: sites that fail, errors contradicted by answers, responses the client refused.

use std::collections::{BTreeSet, HashSet};

use super::errors::frames;
use super::surroundings::{meanwhile, unanswered};
use crate::correlate::{AnomalyKind, Signature};
use crate::findings::facts::one_address::OneAddress;
use crate::findings::facts::{ErrorFact, Meaning};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::errors as row;
use crate::findings::hypotheses::matrix::{answers, services, surroundings};
use crate::findings::hypotheses::scene::{Incident, Scene};
use crate::findings::hypotheses::thresholds::{PORT_NS, PORTS_MIN};
use crate::index::PacketId;
use crate::time::{Nanos, span};

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if matches!(scene.incident, Some(Incident::NoNextHop)) {
        let runs: Vec<_> = scene.facts.runs.iter().filter(|run| run.target == scene.server).collect();
        unanswered(&surroundings::NEXT_HOP_UNANSWERED, &runs, ledger);
    }
    if let Some(Incident::SecondDhcp(rivals)) = scene.incident {
        let text = format!("{}.", crate::findings::second_dhcp::statement(rivals));
        ledger.see(&services::TWO_SERVERS, text, rivals.frames());
    }
    portal(scene, ledger);
    contested(scene, ledger);
    outdated(scene, ledger);
    unknown_zone(scene, ledger);
    conflict(scene, ledger);
    unsent(scene, ledger);
    client_refused(scene, ledger);
}

/// What leads the scene's client to one address whatever it asks, or did so while this server refused its other questions.
fn led<'f>(scene: &Scene<'f, '_>) -> Option<&'f OneAddress> {
    if let Some(Incident::Portal(led)) = scene.incident {
        return Some(led);
    }
    let (from, to) = scene.period_ns;
    let refused = matches!(scene.signature, Some(Signature::ResponseCode(_)));
    let mut all = scene.facts.one_address.iter();
    all.find(|led| {
        refused
            && scene.clients.contains(&led.client)
            && led.servers.contains(&scene.server)
            && led.span_ns.0 <= to
            && from <= led.span_ns.1
    })
}

/// Two devices that answer in one server's name.
fn contested(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(Incident::Contested(contested)) = scene.incident else { return };
    ledger.see(
        &surroundings::CONTESTED,
        format!(
            "{} for {} got two answers from two devices in the name of {}, with different addresses.",
            crate::findings::rules::counted(contested.pairs.len(), "question", "questions"),
            crate::findings::rules::plain_name(&contested.name),
            contested.server
        ),
        contested.pairs.iter().flat_map(|pair| [pair.query, pair.first, pair.second]).collect(),
    );
}

/// A server with older data than another of its zone.
fn outdated(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(Incident::Outdated(own)) = scene.incident else { return };
    let zone = crate::findings::rules::plain_name(&own.zone);
    let (seen, text) = match own.serials {
        Some((old, new)) => (
            &surroundings::OUTDATED,
            format!(
                "{} answered for {zone} from serial number {old}, {} from {new} before.",
                own.outdated, own.current
            ),
        ),
        None => (
            &surroundings::OUTDATED_BY_ANSWERS,
            format!(
                "Asked by turns, {} and {} each always said the same, and not what the other one says.",
                own.outdated, own.current
            ),
        ),
    };
    ledger.see(seen, text, own.frames());
    let met = own.connections.words(scene.facts, own.outdated);
    if !met.is_empty() {
        ledger.see(&surroundings::OUTDATED_ADDRESS_FAILS, format!("{met}."), own.connections.failed.clone());
    }
}

/// A zone that another resolver knows.
fn unknown_zone(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(Incident::UnknownZone(own)) = scene.incident else { return };
    let seen = match () {
        () if own.same_zone.is_some() => &answers::DENIED_IN_ZONE,
        () if own.moved => &answers::DENIED_AFTER_MOVE,
        () => &answers::DENIED_TO_OTHERS,
    };
    let text = format!("{}.", crate::findings::zone_unknown::statement(scene.facts, own));
    ledger.see(seen, text, own.frames());
    let alone = scene.facts.unknown_zones.iter().filter(|other| other.lacks == own.lacks).count() == 1;
    if let Some(fine) = own.other_name.filter(|_| alone && own.same_zone.is_none()) {
        let text = format!("{} gives data for names of other zones.", own.lacks.0);
        ledger.see(&answers::ONE_ZONE_UNKNOWN, text, vec![fine]);
    }
}

/// Unrelated names that all lead to one address.
fn portal(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(led) = led(scene) else { return };
    let seen = if led.is_next_hop { &row::LED_TO_NEXT_HOP } else { &row::LED_TO_ONE_ADDRESS };
    let itself = if led.is_next_hop { ", the client's own gateway" } else { "" };
    ledger.see(
        seen,
        format!(
            "{} names of {} unrelated zones were all answered with {}{itself}.",
            led.names.len(),
            led.zones,
            led.address
        ),
        led.answers.clone(),
    );
    if let Some((answer, name, address)) = &led.otherwise {
        let text = format!("{} was also answered with {address}.", crate::findings::rules::plain_name(name));
        ledger.see(&row::ANSWERED_OTHERWISE, text, vec![*answer]);
    }
}

/// Errors about queries their receiver did not send, although what it sent was captured and answered.
fn unsent(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let about = |error: &&&ErrorFact| scene.facts.unsent.binary_search(&error.packet).is_ok();
    let unsent: Vec<&ErrorFact> = scene.errors.iter().filter(about).copied().collect();
    let (Some(first), Some(last)) = (unsent.first(), unsent.last()) else { return };
    ledger.see(
        &row::UNSENT,
        format!(
            "{} queries that {} did not send in this capture, while its other queries were captured and answered.",
            crate::findings::rules::counted(unsent.len(), "error quotes", "errors quote"),
            first.destination
        ),
        frames(&unsent),
    );
    let ports: BTreeSet<u16> = unsent.iter().filter_map(|e| e.quoted.map(|quoted| quoted.source.1)).collect();
    let Some(lasted) = scene.facts.evidence.between_ns(first.packet, last.packet) else { return };
    if ports.len() < PORTS_MIN || lasted > ports.len() as Nanos * PORT_NS {
        return;
    }
    ledger.see(
        &row::MANY_PORTS,
        format!("The errors name {} ports of {} within {}.", ports.len(), first.destination, span(lasted)),
        frames(&unsent),
    );
}

/// An error about a query that was answered all the same.
fn conflict(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let both: Vec<PacketId> = scene
        .facts
        .evidence
        .anomalies
        .iter()
        .filter(|anomaly| anomaly.kind == AnomalyKind::IcmpAndAnswer)
        .filter(|anomaly| {
            let error = scene.facts.error(anomaly.packet);
            error.and_then(ErrorFact::refused_destination) == Some(scene.server)
        })
        .flat_map(|anomaly| [Some(anomaly.packet), anomaly.against].into_iter().flatten())
        .collect();
    if both.is_empty() {
        return;
    }
    ledger.see(
        &row::ERROR_AND_ANSWER,
        format!("Queries to {} met both an ICMP error and a genuine answer.", scene.server),
        both.clone(),
    );
    // A problem of its own has this row from its surroundings.
    if let Some(answer) = both.get(1).filter(|_| scene.incident.is_some()) {
        meanwhile(scene, *answer, ledger);
    }
}

/// The client's own host refused responses of this server.
fn client_refused(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    // Errors about answers to lookups that did not fail are ordinary (truth T28).
    let own: HashSet<PacketId> =
        scene.transactions.iter().filter_map(|transaction| transaction.answer).collect();
    let is_own = |error: &&ErrorFact| match scene.incident {
        Some(Incident::Conflict) => false,
        Some(_) => true,
        None => error.about.is_some_and(|answer| own.contains(&answer)),
    };
    let refused: Vec<&ErrorFact> = scene
        .facts
        .errors
        .iter()
        .filter(|error| error.is_about_response() && error.meaning == Meaning::PortUnreachable)
        .filter(|error| error.quoted.is_some_and(|quoted| quoted.source.0 == scene.server))
        .filter(|error| is_own(error))
        .collect();
    if refused.is_empty() {
        return;
    }
    // Whoever refuses answers to questions that only amplify did not ask them.
    let amplified = scene.facts.load.reflected(scene.server).is_some();
    let seen = if amplified { &row::VICTIM_REFUSED } else { &row::CLIENT_REFUSED };
    ledger.see(
        seen,
        format!(
            "{} responses of {}: {}.",
            crate::findings::rules::counted(
                refused.len(),
                "port unreachable message quotes",
                "port unreachable messages quote"
            ),
            scene.server,
            if amplified { "who got them had not asked" } else { "the client no longer listened" }
        ),
        frames(&refused),
    );
}
