//! Rows of incidents beside DNS: sites that fail, errors contradicted by answers, responses the client refused.

use super::errors::{frames, put};
use super::extended_name;
use crate::findings::facts::{ErrorFact, Meaning};
use crate::findings::hypotheses::Group;
use crate::findings::hypotheses::ledger::{EXCLUDED, Ledger, Observation, Row, Weight};
use crate::findings::hypotheses::scene::{Incident, Scene};
use crate::index::PacketId;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if let Some(Incident::Site(site)) = scene.incident {
        let observation = Observation {
            row: Row::ConnectionFailed,
            text: format!(
                "{} was resolved to {}; {} to port {} met {}.",
                crate::findings::rules::plain_name(&site.name),
                site.site.0,
                crate::findings::rules::counted(site.attempts.len(), "connection", "connections"),
                site.site.1,
                site.words()
            ),
            frames: site.frames(),
            group: Group::ErrorSemantics,
            fits: "name resolution had succeeded before the connection failed",
            against: "the name was resolved: DNS worked for it",
        };
        let mut weights: Vec<(&'static str, Weight)> =
            ["H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "H13", "H14", "H15", "H16"]
                .iter()
                .map(|id| (*id, EXCLUDED))
                .collect();
        weights.extend([("H9", Some(0)), ("H17", Some(-10)), ("H20", Some(20))]);
        ledger.weigh(&observation, &weights);
    }
    if let Some(Incident::Denied(denial)) = scene.incident
        && let Some(number) = denial.filter
    {
        let observation = Observation {
            row: Row::ExtendedError,
            text: format!("The answers carry extended DNS error {number} ({}).", extended_name(number)),
            frames: denial.transactions.iter().filter_map(|transaction| transaction.answer).collect(),
            group: Group::ErrorSemantics,
            fits: "the server itself names the reason (RFC 8914)",
            against: "the server says that it filters, not that the name does not exist",
        };
        put(ledger, &observation, &[("H14", 20), ("H15", -10)]);
    }
    if let Some(Incident::Denied(denial)) = scene.incident
        && let Some(answer) = denial.before
    {
        let observation = Observation {
            row: Row::ExistedBefore,
            text: format!("{} answered the same question usefully before.", scene.server),
            frames: vec![answer],
            group: Group::OtherTraffic,
            fits: "the name was removed, expired or changed meanwhile",
            against: "",
        };
        put(ledger, &observation, &[("H15", 5), ("H13", 2)]);
    }
    conflict(scene, ledger);
    client_refused(scene, ledger);
}

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
            error.and_then(|error| error.quoted).is_some_and(|quoted| quoted.destination.0 == scene.server)
        })
        .flat_map(|anomaly| [Some(anomaly.packet), anomaly.against].into_iter().flatten())
        .collect();
    if both.is_empty() {
        return;
    }
    let observation = Observation {
        row: Row::ErrorAndAnswer,
        text: format!("Queries to {} met both an ICMP error and a genuine answer.", scene.server),
        frames: both,
        group: Group::Integrity,
        fits: "one of the two did not come from the server",
        against: "the service answered the same query",
    };
    // A rule that rejects a query does not let it through as well.
    let against = ["H1", "H2", "H5", "H6", "H7"].map(|id| (id, -20));
    put(ledger, &observation, &against);
    put(ledger, &observation, &[("H17", 10), ("H3", -20), ("H4", -20)]);
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
    let observation = Observation {
        row: Row::ClientRefused,
        text: format!(
            "{} responses of {}: the client no longer listened.",
            crate::findings::rules::counted(
                refused.len(),
                "port unreachable message quotes",
                "port unreachable messages quote"
            ),
            scene.server
        ),
        frames: frames(&refused),
        group: Group::OtherTraffic,
        fits: "the client had given up and closed its socket before the answer came",
        against: "the server's answer reached the client's host",
    };
    put(ledger, &observation, &[("H19", 10), ("H8", -10)]);
}
