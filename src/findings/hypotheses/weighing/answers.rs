//! Rows from DNS answers that report a failure: response codes, extended errors, policy, lateness.

use super::errors::put;
use super::silence::firsts;
use crate::correlate::{Outcome, Signature, Transaction};
use crate::findings::hypotheses::Group;
use crate::findings::hypotheses::ledger::{EXCLUDED, Ledger, Observation, Row, Weight};
use crate::findings::hypotheses::scene::Scene;
use crate::findings::zones;
use crate::index::PacketId;
use crate::protocols::dns::{extended_error_name, response_code_name};

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    match scene.signature {
        Some(Signature::ResponseCode(code)) => {
            response_code(scene, *code, ledger);
            extended(scene, *code, ledger);
            zone(scene, *code, ledger);
            existed(scene, *code, ledger);
        }
        Some(Signature::Late) => late(scene, ledger),
        _ => {}
    }
}

fn answers(scene: &Scene<'_, '_>) -> Vec<PacketId> {
    scene.transactions.iter().filter_map(|transaction| transaction.answer).collect()
}

fn response_code(scene: &Scene<'_, '_>, code: u16, ledger: &mut Ledger) {
    let name = response_code_name(code);
    let observation = Observation::new(
        Row::ResponseCode,
        Group::ErrorSemantics,
        format!("{} answered {} queries with {name}.", scene.server, scene.transactions.len()),
        answers(scene),
    )
    .fits("the code names this kind of failure (RFC 1035 §4.1.1)")
    .against("the server received the query and answered it");
    let (upstream, policy, missing) = match code {
        2 => (10, 0, 0),
        5 => (0, 10, 0),
        3 => (0, 0, 20),
        _ => (5, 2, 0),
    };
    let mut weights: Vec<(&'static str, Weight)> =
        ["H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8"].iter().map(|id| (*id, EXCLUDED)).collect();
    weights.extend([
        ("H9", Some(2)),
        ("H13", Some(upstream)),
        ("H14", Some(policy)),
        ("H15", Some(missing)),
        ("H17", Some(0)),
        ("H20", Some(-5)),
    ]);
    ledger.weigh(&observation, &weights);
}

/// Extended DNS errors (RFC 8914).
fn extended(scene: &Scene<'_, '_>, code: u16, ledger: &mut Ledger) {
    let with: Vec<&Transaction> =
        scene.transactions.iter().filter(|t| t.extended_error.is_some()).copied().collect();
    let Some(number) = with.first().and_then(|transaction| transaction.extended_error) else { return };
    let weights: &[(&'static str, i32)] = match number {
        1 | 2 | 5..=12 | 24 | 25 | 27 => &[("H13", 20)],
        22 | 23 => &[("H13", 10)],
        3 | 13 | 14 | 19 => &[("H13", 5)],
        // The server says that it filters, not that the name does not exist.
        15..=18 => &[("H14", 20), ("H15", -10)],
        20 if code == 5 => &[("H14", 10)],
        _ => &[("H13", 2)],
    };
    let observation = Observation::new(
        Row::ExtendedError,
        Group::ErrorSemantics,
        format!("The answers carry extended DNS error {number} ({}).", extended_error_name(number)),
        with.iter().filter_map(|transaction| transaction.answer).collect(),
    )
    .fits("the server itself names the reason (RFC 8914)")
    .against("the server names another reason (RFC 8914)");
    put(ledger, &observation, weights);
}

/// Only some zones fail while others resolve at the same server; several resolvers fail alike.
fn zone(scene: &Scene<'_, '_>, code: u16, ledger: &mut Ledger) {
    let failing = zones::common(&scene.names);
    let (from, to) = scene.period_ns;
    let fine = scene.asked().and_then(|server| {
        server.answers_in(from, to).find(|answer| {
            answer.response_code == 0
                && scene
                    .facts
                    .name_of(answer.packet)
                    .is_some_and(|name| !failing.iter().any(|z| zones::is_below(&name, z)))
        })
    });
    if let Some(answer) = fine {
        let shown: Vec<String> =
            failing.iter().take(3).map(|zone| crate::findings::rules::plain_name(zone)).collect();
        let observation = Observation::new(
            Row::OneZone,
            Group::OtherTraffic,
            format!("Only names in {} fail; other names resolve at the same server.", shown.join(", ")),
            vec![answer.packet],
        )
        .fits("the fault follows the zone, not the resolver")
        .against("the server resolves other names at the same time");
        let weights: &[(&'static str, i32)] = match code {
            // Random labels fail in one zone only, whatever is at fault.
            2 if super::load::is_random_flood(scene) => &[("H13", 0), ("H9", 0)],
            2 => &[("H13", 10), ("H9", -5)],
            5 => &[("H13", 2), ("H14", 5), ("H9", -5)],
            _ => &[("H9", -5)],
        };
        put(ledger, &observation, weights);
    }
    let alike = scene.facts.problems().find(|(_, other)| {
        Some(&other.signature) == scene.signature
            && other.server.0 != scene.server
            && other.names.iter().any(|name| scene.names.contains(name))
    });
    if let Some((_, other)) = alike.filter(|_| code == 2) {
        let observation = Observation::new(
            Row::SeveralResolvers,
            Group::OtherTraffic,
            format!("{} fails for the same names with the same code.", other.server.0),
            firsts(&scene.transactions).into_iter().take(1).collect(),
        )
        .fits("independent resolvers agree");
        put(ledger, &observation, &[("H13", 10)]);
    }
}

/// A name that is denied now was answered usefully at another time.
fn existed(scene: &Scene<'_, '_>, code: u16, ledger: &mut Ledger) {
    let question = |packet: PacketId| Some(scene.facts.index.packet(packet)?.dns()?.question);
    let Some(wanted) = scene.transactions.first().filter(|_| code == 3).and_then(|t| question(t.first))
    else {
        return;
    };
    let answers = scene.asked().into_iter().flat_map(|asked| &asked.answers);
    let useful = answers.filter(|answer| answer.response_code == 0).take(ANSWERS_MAX);
    let Some(answer) = useful.into_iter().find(|answer| question(answer.packet) == Some(wanted)) else {
        return;
    };
    let observation = Observation::new(
        Row::ExistedBefore,
        Group::OtherTraffic,
        format!("{} answered the same question usefully at another time.", scene.server),
        vec![answer.packet],
    )
    .fits("the name was removed, expired or changed meanwhile");
    put(ledger, &observation, &[("H15", 5), ("H13", 2)]);
}

/// Answers of a server compared with one question.
const ANSWERS_MAX: usize = 100_000;

fn late(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let late = scene.ended(Outcome::Late);
    if late.is_empty() {
        return;
    }
    let observation = Observation::new(
        Row::LateAnswer,
        Group::ErrorSemantics,
        format!(
            "{} of {} came after the client's time limit.",
            crate::findings::rules::counted(late.len(), "answer", "answers"),
            scene.server
        ),
        late.iter().filter_map(|transaction| transaction.answer).collect(),
    )
    .fits("the answers exist but come too late to be used")
    .against("the server answered");
    let mut weights: Vec<(&'static str, Weight)> =
        [("H19", 10), ("H9", 2), ("H13", 2), ("H8", -10), ("H20", -5)]
            .iter()
            .map(|(id, db)| (*id, Some(*db)))
            .collect();
    weights.extend(["H1", "H2", "H4", "H6", "H7"].iter().map(|id| (*id, EXCLUDED)));
    ledger.weigh(&observation, &weights);
}
