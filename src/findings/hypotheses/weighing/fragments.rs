//! Rows about lost fragments and packets too big for the path.

use super::errors::frames;
use crate::correlate::Outcome;
use crate::findings::facts::servers::Answer;
use crate::findings::facts::{ErrorFact, Meaning, Pieces, tries};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::answers as row;
use crate::findings::hypotheses::scene::Scene;
use crate::index::PacketId;
use crate::time::Nanos;

/// An answer over TCP this long after the same question failed shows that TCP helps.
const HELPS_NS: Nanos = 30_000_000_000;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let lost: Vec<&Pieces> = scene
        .facts
        .pieces
        .iter()
        .filter(|_| scene.facts.misses_fragments())
        .filter(|pieces| pieces.source == scene.server && pieces.lacks_the_rest() && pieces.is_dns_answer())
        .collect();
    if !lost.is_empty() {
        missing(scene, &lost, ledger);
    }
    let expired: Vec<&ErrorFact> =
        errors(scene, Meaning::ReassemblyExpired, |error| scene.server == error.destination);
    if !expired.is_empty() {
        ledger.see(
            &row::REASSEMBLY_EXPIRED,
            format!(
                "{} × reassembly time exceeded, sent to {} about its answers.",
                expired.len(),
                scene.server
            ),
            frames(&expired),
        );
    }
    let big = errors(scene, Meaning::TooBig, |error| {
        error
            .quoted
            .is_some_and(|quoted| quoted.source.0 == scene.server && scene.facts.is_dns_port(quoted.source.1))
    });
    if !big.is_empty() {
        ledger.see(
            &row::TOO_BIG,
            format!("{} × packet too big, sent to {} about its answers.", big.len(), scene.server),
            frames(&big),
        );
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
    ledger.see(
        &row::FRAGMENT_MISSING,
        format!(
            "Of {} answers of {} the first fragment came and later ones did not.",
            lost.len(),
            scene.server
        ),
        lost.iter().flat_map(|pieces| pieces.packets.iter().copied()).collect(),
    );
}

/// Small answers arrive while large ones fail, and a smaller size or TCP helps.
fn small_and_large(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let over = |transport: u8| scene.facts.servers.get(&(scene.server, scene.service.0, transport));
    let small: Vec<PacketId> =
        over(17).into_iter().flat_map(|s| s.answers.iter().map(|a| a.packet)).take(3).collect();
    if !small.is_empty() {
        ledger.see(
            &row::LARGE_FAIL,
            format!("Small answers of {} arrive, large ones do not.", scene.server),
            small,
        );
    }
    let retried = scene
        .transactions
        .iter()
        .find(|t| t.tries > 1 && matches!(t.outcome, Outcome::Answered | Outcome::Truncated | Outcome::Late))
        .and_then(|transaction| transaction.answer);
    // Only what succeeded after it had failed shows what helps.
    let question = |packet: PacketId| tries::row(scene.facts.index, packet).map(|row| row.question);
    let failed: Vec<_> = scene
        .transactions
        .iter()
        .filter_map(|own| Some((question(own.first)?, scene.facts.time(own.first))))
        .collect();
    let arrived = |answer: &&Answer| {
        let evidence = scene.facts.evidence;
        let own = evidence.transaction_of(answer.packet).and_then(|id| evidence.transaction(id));
        own.is_none_or(|own| own.outcome != Outcome::NotReceived)
    };
    let helped = |answer: &&Answer| {
        let same = question(answer.packet);
        failed.iter().any(|(question, asked_ns)| {
            same == Some(*question) && (0..=HELPS_NS).contains(&(answer.time_ns - asked_ns))
        })
    };
    let tcp = over(6)
        .and_then(|server| server.answers.iter().filter(arrived).find(helped))
        .map(|answer| answer.packet);
    if let Some(packet) = tcp.or(retried) {
        ledger.see(
            &row::SMALLER_WORKS,
            "A smaller EDNS size or TCP succeeded for what had failed.".to_owned(),
            vec![packet],
        );
    }
}
