//! Rows of incidents beside DNS: sites that fail, errors contradicted by answers, responses the client refused.

use std::collections::BTreeSet;

use super::errors::{frames, put};
use super::surroundings::meanwhile;
use crate::findings::facts::{ErrorFact, Meaning};
use crate::findings::hypotheses::Group;
use crate::findings::hypotheses::ledger::{EXCLUDED, Ledger, Observation, Row, Weight};
use crate::findings::hypotheses::scene::{Incident, Scene};
use crate::index::PacketId;
use crate::time::{Nanos, span};

/// What an error weighs where the service it denies answered all the same.
const SERVED: [(&str, i32); 8] =
    [("H17", 10), ("H1", -20), ("H2", -10), ("H3", -10), ("H4", -20), ("H5", -10), ("H6", -20), ("H7", -20)];

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if let Some(Incident::Site(site)) = scene.incident {
        let observation = Observation::new(
            Row::ConnectionFailed,
            Group::ErrorSemantics,
            format!(
                "{} was resolved to {}; {} to port {} met {}.",
                crate::findings::rules::plain_name(&site.name),
                site.site.0,
                crate::findings::rules::counted(site.attempts.len(), "connection", "connections"),
                site.site.1,
                site.words()
            ),
            site.frames(),
        )
        .fits("name resolution had succeeded before the connection failed")
        .against("the name was resolved: DNS worked for it");
        let mut weights: Vec<(&'static str, Weight)> =
            ["H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "H13", "H14", "H15", "H16"]
                .iter()
                .map(|id| (*id, EXCLUDED))
                .collect();
        weights.extend([("H9", Some(0)), ("H17", Some(-10)), ("H20", Some(20))]);
        ledger.weigh(&observation, &weights);
    }
    if let Some(Incident::GivenUp(given_up)) = scene.incident {
        let (shortest, longest) = given_up.waits_ns();
        let observation = Observation::new(
            Row::LateAnswer,
            Group::ErrorSemantics,
            format!(
                "{} of {} came {} to {} after the question, when the client no longer listened.",
                crate::findings::rules::counted(given_up.errors.len(), "answer", "answers"),
                scene.server,
                span(shortest),
                span(longest)
            ),
            given_up.transactions.iter().filter_map(|transaction| transaction.answer).collect(),
        )
        .fits("the answers exist but come too late to be used")
        .against("the server answered");
        let mut weights: Vec<(&'static str, Weight)> =
            ["H1", "H2", "H4", "H6", "H7"].iter().map(|id| (*id, EXCLUDED)).collect();
        weights.extend([("H19", Some(10)), ("H9", Some(2)), ("H13", Some(2)), ("H8", Some(-10))]);
        ledger.weigh(&observation, &weights);
    }
    conflict(scene, ledger);
    unsent(scene, ledger);
    client_refused(scene, ledger);
}

/// Errors about queries their receiver did not send, although what it sent was captured and answered.
fn unsent(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let about = |error: &&&ErrorFact| scene.facts.unsent.binary_search(&error.packet).is_ok();
    let unsent: Vec<&ErrorFact> = scene.errors.iter().filter(about).copied().collect();
    let (Some(first), Some(last)) = (unsent.first(), unsent.last()) else { return };
    let observation = Observation::new(
        Row::Unsent,
        Group::Integrity,
        format!(
            "{} queries that {} did not send in this capture, while its other queries were captured and answered.",
            crate::findings::rules::counted(unsent.len(), "error quotes", "errors quote"),
            first.destination
        ),
        frames(&unsent),
    )
    .fits("a blind sender guesses ports (RFC 5927 §4)")
    .against("the service answered the queries that were sent");
    put(ledger, &observation, &SERVED);
    let ports: BTreeSet<u16> = unsent.iter().filter_map(|e| e.quoted.map(|quoted| quoted.source.1)).collect();
    let lasted = last.time_ns - first.time_ns;
    if ports.len() < PORTS_MIN || lasted > ports.len() as Nanos * PORT_NS {
        return;
    }
    let observation = Observation::new(
        Row::ManyPorts,
        Group::Timing,
        format!("The errors name {} ports of {} within {}.", ports.len(), first.destination, span(lasted)),
        frames(&unsent),
    )
    .fits("a burst that tries one port after the other guesses");
    put(ledger, &observation, &[("H17", 10)]);
}

/// Ports named from which errors are a burst.
const PORTS_MIN: usize = 20;
/// Time for each port within which they are one.
const PORT_NS: Nanos = 100_000_000;

/// An error about a query that was answered all the same.
fn conflict(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let both: Vec<PacketId> = scene
        .facts
        .evidence
        .anomalies
        .iter()
        .filter(|anomaly| anomaly.kind == "icmp_and_answer")
        .filter(|anomaly| {
            let error = scene.facts.error(anomaly.packet);
            error.and_then(ErrorFact::refused_destination) == Some(scene.server)
        })
        .flat_map(|anomaly| [Some(anomaly.packet), anomaly.against].into_iter().flatten())
        .collect();
    if both.is_empty() {
        return;
    }
    let observation = Observation::new(
        Row::ErrorAndAnswer,
        Group::Integrity,
        format!("Queries to {} met both an ICMP error and a genuine answer.", scene.server),
        both.clone(),
    )
    .fits("one of the two did not come from the server")
    .against("the service answered the same query");
    put(ledger, &observation, &SERVED);
    // A problem of its own has this row from its surroundings.
    if let Some(answer) = both.get(1).filter(|_| scene.incident.is_some()) {
        meanwhile(scene, *answer, ledger);
    }
}

/// The client's own host refused responses of this server.
fn client_refused(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let refused: Vec<&ErrorFact> = scene
        .facts
        .errors
        .iter()
        .filter(|error| error.is_about_response() && error.meaning == Meaning::PortUnreachable)
        .filter(|error| error.quoted.is_some_and(|quoted| quoted.source.0 == scene.server))
        .collect();
    if refused.is_empty() {
        return;
    }
    let observation = Observation::new(
        Row::ClientRefused,
        Group::OtherTraffic,
        format!(
            "{} responses of {}: the client no longer listened.",
            crate::findings::rules::counted(
                refused.len(),
                "port unreachable message quotes",
                "port unreachable messages quote"
            ),
            scene.server
        ),
        frames(&refused),
    )
    .fits("the client had given up and closed its socket before the answer came")
    .against("the server's answer reached the client's host");
    // Whoever refuses answers to questions that only amplify did not ask them.
    if scene.facts.load.reflected(scene.server).is_some() {
        put(ledger, &observation, &[("H9", 10), ("H19", 0), ("H8", -10)]);
    } else {
        put(ledger, &observation, &[("H19", 10), ("H8", -10)]);
    }
}
