//! Rows about lost fragments and packets too big for the path.

use super::errors::{frames, put};
use crate::correlate::Outcome;
use crate::findings::facts::{ErrorFact, Meaning, Pieces};
use crate::findings::hypotheses::Group;
use crate::findings::hypotheses::ledger::{Ledger, Observation, Row};
use crate::findings::hypotheses::scene::Scene;
use crate::index::PacketId;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let lost: Vec<&Pieces> = scene
        .facts
        .pieces
        .iter()
        .filter(|pieces| pieces.source == scene.server && pieces.lacks_the_rest() && pieces.is_dns_answer())
        .collect();
    if !lost.is_empty() {
        missing(scene, &lost, ledger);
    }
    let expired: Vec<&ErrorFact> =
        errors(scene, Meaning::ReassemblyExpired, |error| scene.server == error.destination);
    if !expired.is_empty() {
        let observation = Observation::new(
            Row::ReassemblyExpired,
            Group::ErrorSemantics,
            format!(
                "{} × reassembly time exceeded, sent to {} about its answers.",
                expired.len(),
                scene.server
            ),
            frames(&expired),
        )
        .fits("the receiver waited for the missing fragments and gave up (RFC 792, RFC 8200 §4.5)")
        .against("the answer left the server and arrived in part");
        put(ledger, &observation, &[("H11", 20), ("H8", -10), ("H1", -20), ("H6", -20), ("H12", 0)]);
    }
    let big = errors(scene, Meaning::TooBig, |error| {
        error.quoted.is_some_and(|quoted| quoted.source.0 == scene.server && quoted.source.1 == 53)
    });
    if !big.is_empty() {
        let observation = Observation::new(
            Row::TooBig,
            Group::ErrorSemantics,
            format!("{} × packet too big, sent to {} about its answers.", big.len(), scene.server),
            frames(&big),
        )
        .fits("a link on the path is too small for the server's answers");
        put(ledger, &observation, &[("H11", 10), ("H8", -5)]);
    }
    if !(lost.is_empty() && expired.is_empty() && big.is_empty()) {
        small_and_large(scene, ledger);
    }
}

fn errors<'f>(
    scene: &Scene<'f, '_>,
    meaning: Meaning,
    fits: impl Fn(&ErrorFact) -> bool,
) -> Vec<&'f ErrorFact> {
    scene.facts.errors.iter().filter(|error| error.meaning == meaning && fits(error)).collect()
}

fn missing(scene: &Scene<'_, '_>, lost: &[&Pieces], ledger: &mut Ledger) {
    let observation = Observation::new(
        Row::FragmentMissing,
        Group::Integrity,
        format!(
            "Of {} answers of {} the first fragment came and later ones did not.",
            lost.len(),
            scene.server
        ),
        lost.iter().flat_map(|pieces| pieces.packets.iter().copied()).collect(),
    )
    .fits("the path loses fragments")
    .against("the answer left the server and arrived in part");
    put(ledger, &observation, &[("H11", 10), ("H8", -10), ("H1", -20), ("H2", -10), ("H6", -20), ("H5", -5)]);
}

/// Small answers arrive while large ones fail, and a smaller size or TCP helps.
fn small_and_large(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let over = |transport: u8| scene.facts.servers.get(&(scene.server, scene.service.0, transport));
    let small: Vec<PacketId> =
        over(17).into_iter().flat_map(|s| s.answers.iter().map(|a| a.packet)).take(3).collect();
    if !small.is_empty() {
        let observation = Observation::new(
            Row::LargeFail,
            Group::OtherTraffic,
            format!("Small answers of {} arrive, large ones do not.", scene.server),
            small,
        )
        .fits("the failure depends on size")
        .against("the server answers, the path carries small packets");
        put(ledger, &observation, &[("H11", 10), ("H6", -20), ("H1", -20)]);
    }
    let retried = scene
        .transactions
        .iter()
        .find(|t| t.tries > 1 && matches!(t.outcome, Outcome::Answered | Outcome::Truncated | Outcome::Late))
        .and_then(|transaction| transaction.answer);
    let tcp = over(6).and_then(|server| server.answers.first()).map(|answer| answer.packet);
    if let Some(packet) = tcp.or(retried) {
        let observation = Observation::new(
            Row::SmallerWorks,
            Group::OtherTraffic,
            "A smaller EDNS size or TCP succeeded for what had failed.".to_owned(),
            vec![packet],
        )
        .fits("avoiding large datagrams avoids the failure");
        put(ledger, &observation, &[("H11", 10)]);
    }
}
