//! Rows about answers that kept people waiting: lost packets, a slow path, a slow server, a property, a limit.

use std::collections::{HashMap, HashSet};

use crate::correlate::hosts::Place;
use crate::correlate::{Signature, Vantage};
use crate::findings::facts::asked::{self, Asked};
use crate::findings::facts::limits::Limited;
use crate::findings::facts::slow::{self, SLOW_MIN, SLOW_NS as WAIT_NS, Wait};
use crate::findings::facts::tries::{self, Tries};
use crate::findings::facts::{Connection, Ending};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::answers as row;
use crate::findings::hypotheses::scene::{Incident, Scene};
use crate::findings::hypotheses::thresholds::{
    ANSWERS_MAX, AT_ONCE_NS, CITED_MAX, FAST_FACTOR, LOSS_ASKED_MIN, LOSS_PERCENT, PAIRS_MIN, REPEATED_MIN,
    SPLIT_SIDE_MIN,
};
use crate::findings::rules::counted;
use crate::index::PacketId;
use crate::time::{Nanos, span};

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if scene.signature == Some(&Signature::Late) {
        let late: Vec<Wait> =
            scene.transactions.iter().filter_map(|own| Wait::of_late(scene.facts, own)).collect();
        let late: Vec<&Wait> = late.iter().collect();
        trips(scene, &late, ledger);
        upstream(scene, &late, ledger);
        return;
    }
    let slow = matches!(scene.incident, Some(Incident::Slow));
    if !slow && !matches!(scene.signature, Some(Signature::NoAnswer | Signature::Truncated)) {
        return;
    }
    let waits: Vec<&Wait> = scene.waits().collect();
    limited(scene, ledger);
    if slow {
        ledger.see(
            &row::SERVED_LATE,
            format!(
                "{} of {} came in the end, {} to {} after the first query.",
                counted(waits.len(), "answer", "answers"),
                scene.server,
                span(waits.iter().map(|wait| wait.waited_ns).min().unwrap_or(0)),
                span(waits.iter().map(|wait| wait.waited_ns).max().unwrap_or(0))
            ),
            waits.iter().flat_map(|wait| [wait.first, wait.answer]).collect(),
        );
    }
    let repeated: Vec<(&Wait, Tries)> =
        waits.iter().filter_map(|wait| Some((*wait, tries::of(scene.facts, wait)?))).collect();
    let by_property = edns(scene, &repeated, ledger);
    pairs(scene, &repeated, ledger);
    if !by_property {
        lossy(scene, &repeated, slow, ledger);
    }
    if slow && repeated.len() * 2 <= waits.len() {
        let lost: HashSet<PacketId> = repeated.iter().map(|(wait, _)| wait.first).collect();
        let whole: Vec<&Wait> = waits.iter().copied().filter(|wait| !lost.contains(&wait.first)).collect();
        trips(scene, &whole, ledger);
    }
    if slow {
        upstream(scene, &waits, ledger);
    }
}

/// The server asked another one the same meanwhile, and answered when it had its answer.
fn upstream(scene: &Scene<'_, '_>, waits: &[&Wait], ledger: &mut Ledger) {
    let question = |packet: PacketId| tries::row(scene.facts.index, packet).map(|row| row.question);
    let wanted: HashSet<u64> = waits.iter().filter_map(|wait| question(wait.first)).collect();
    let mut behind: HashMap<u64, Vec<Asked<'_>>> = HashMap::new();
    for asked in asked::all(&scene.facts.input()) {
        let other = asked.server.0 != scene.server && asked.transaction.waited_ns > WAIT_NS;
        if other && asked.transaction.answer.is_some() && wanted.contains(&asked.row.question) {
            behind.entry(asked.row.question).or_default().push(asked);
        }
    }
    let explained = |wait: &Wait| {
        let (from, to) = (wait.asked_ns, wait.asked_ns + wait.waited_ns);
        let own = behind.get(&question(wait.first)?)?;
        let other = own.iter().find(|other| other.time_ns >= from && other.ended_ns() <= to)?;
        Some((other.transaction.first, other.transaction.answer?))
    };
    let found: Vec<(&Wait, (PacketId, PacketId))> =
        waits.iter().filter_map(|wait| Some((*wait, explained(wait)?))).collect();
    if found.len() < SLOW_MIN || found.len() * 2 < waits.len() {
        return;
    }
    ledger.see(
        &row::UPSTREAM_SLOW,
        format!(
            "For {} of {} slow answers {} itself waited for another server meanwhile, and answered when it had its answer.",
            found.len(),
            waits.len(),
            scene.server
        ),
        found.iter().take(CITED_MAX).flat_map(|(wait, other)| [wait.first, other.0, other.1, wait.answer]).collect(),
    );
}

/// Whether first tries are answered at once where they are answered: then a try without an answer was lost.
fn answers_at_once(scene: &Scene<'_, '_>) -> bool {
    scene.asked().and_then(crate::findings::facts::Server::median_trip_ns).is_some_and(|trip| trip < WAIT_NS)
}

/// Tries that carried an OPT record were lost, those without were served, or the reverse (RFC 6891).
fn edns(scene: &Scene<'_, '_>, repeated: &[(&Wait, Tries)], ledger: &mut Ledger) -> bool {
    let has = |query: &PacketId| {
        tries::row(scene.facts.index, *query).map(|row| row.header.counts.last().is_some_and(|n| *n > 0))
    };
    let lost: Vec<PacketId> = repeated.iter().flat_map(|(_, tries)| tries.lost.iter().copied()).collect();
    let served: Vec<PacketId> = repeated.iter().map(|(_, tries)| tries.served).collect();
    let all = |side: &[PacketId], wanted: bool| side.iter().all(|query| has(query) == Some(wanted));
    if lost.len() < SPLIT_SIDE_MIN || served.len() < SPLIT_SIDE_MIN {
        return false;
    }
    let (with, without) = ("with EDNS (an OPT record)", "without EDNS");
    let (failing, fine) = match () {
        () if all(&lost, true) && all(&served, false) => (with, without),
        () if all(&lost, false) && all(&served, true) => (without, with),
        () => return false,
    };
    ledger.see(
        &row::TRIES_SPLIT,
        format!(
            "Only tries {failing} were left without an answer by {} ({} of {}); the same questions {fine} were answered \
             ({} of {}).",
            scene.server,
            lost.len(),
            lost.len(),
            served.len(),
            served.len()
        ),
        lost.iter().chain(&served).copied().collect(),
    );
    true
}

/// Of two queries sent at once from one port exactly one was lost, and both were served when asked again.
fn pairs(scene: &Scene<'_, '_>, repeated: &[(&Wait, Tries)], ledger: &mut Ledger) {
    let torn: Vec<(&Wait, PacketId)> = repeated
        .iter()
        .filter_map(|(wait, _)| {
            let (other, transaction) = tries::sibling(scene.facts, wait.first)?;
            let at_once = transaction.answer.is_some() && transaction.waited_ns < WAIT_NS;
            at_once.then_some((*wait, other))
        })
        .collect();
    if torn.len() < PAIRS_MIN || torn.len() * 2 < repeated.len() {
        return;
    }
    let longest = torn.iter().map(|(wait, _)| wait.waited_ns).max().unwrap_or(0);
    ledger.see(
        &row::PAIR_TORN,
        format!(
            "Of two queries sent together from one port one was lost {} times; each cost up to {}.",
            torn.len(),
            span(longest)
        ),
        torn.iter().flat_map(|(wait, other)| [wait.first, *other]).collect(),
    );
}

/// Questions served only when they were asked again, while others are served at once.
fn lossy(scene: &Scene<'_, '_>, repeated: &[(&Wait, Tries)], slow: bool, ledger: &mut Ledger) {
    let Some(asked) = scene.asked().filter(|_| answers_at_once(scene)) else { return };
    let lost: Vec<PacketId> = repeated.iter().flat_map(|(_, tries)| tries.lost.iter().copied()).collect();
    // What was lost is answered as fast as anything else once it gets through; what is late again was not lost.
    let mut again: Vec<Nanos> = repeated.iter().map(|(_, tries)| tries.trip_ns).collect();
    again.sort_unstable();
    let usual_ns = asked.median_trip_ns().unwrap_or(0).saturating_mul(FAST_FACTOR).max(AT_ONCE_NS);
    let is_late_again = again.get(again.len() / 2).is_some_and(|middle| *middle > usual_ns);
    if asked.repeated < REPEATED_MIN || is_late_again || tries::is_at_server(scene.facts) {
        return;
    }
    let many = asked.queries >= LOSS_ASKED_MIN && asked.repeated * 100 >= asked.queries * LOSS_PERCENT;
    if !many && !slow {
        return;
    }
    ledger.see(
        if many { &row::REPEATED_MANY } else { &row::REPEATED_FEW },
        format!(
            "{} of {} to {} were answered only after they were sent again; an answered try took {} in the middle.",
            asked.repeated,
            counted(asked.queries as usize, "question", "questions"),
            scene.server,
            span(asked.median_trip_ns().unwrap_or(0))
        ),
        lost.iter().copied().take(CITED_MAX).collect(),
    );
}

/// Answers to first tries that took long: on the way, or at the server.
fn trips(scene: &Scene<'_, '_>, waits: &[&Wait], ledger: &mut Ledger) {
    let facts = scene.facts;
    let own = |wait: &&&Wait| {
        facts.evidence.transaction_of(wait.first) == facts.evidence.transaction_of(wait.answer)
    };
    let plain: Vec<&&Wait> = waits.iter().filter(own).collect();
    let repeated = plain.iter().filter(|wait| wait.repeated).count();
    let key = (scene.server, scene.service.0, scene.service.1);
    let all: Vec<Wait> = plain.iter().map(|wait| ***wait).collect();
    let (when, again) = slow::during(facts, key, &all).unzip();
    let when = when.map(|when| format!("{when} ")).unwrap_or_default();
    let again = again.flatten().map(|again| format!("; {again}")).unwrap_or_default();
    let mut trips: Vec<Nanos> = plain.iter().map(|wait| wait.waited_ns).collect();
    trips.sort_unstable();
    let Some(middle) = crate::time::median(&trips) else { return };
    let cited: Vec<PacketId> =
        plain.iter().take(CITED_MAX).flat_map(|wait| [wait.first, wait.answer]).collect();
    ledger.see(
        &row::SLOW_TRIPS,
        format!(
            "{} of {} {when}took {} in the middle, {}{again}.",
            counted(trips.len(), "answer", "answers"),
            scene.server,
            span(middle),
            match repeated {
                0 => "asked once".to_owned(),
                repeated => format!(
                    "counted from the first query; {repeated} of the questions were sent again before it, and no query or \
                     answer was lost up to this point"
                ),
            }
        ),
        cited.clone(),
    );
    if far_side(scene, &plain) {
        let text = format!(
            "Where the queries are captured again, nearer to {}, its answers come as late.",
            scene.server
        );
        ledger.see(&row::SLOW_AT_SERVER, text, cited);
        return;
    }
    if scene.facts.evidence.surroundings().vantage == Vantage::Server {
        let at =
            if scene.facts.evidence.place(scene.server) == Place::Here { "at" } else { "on the link of" };
        let text = format!("The capture was taken {at} {}: the answers left it that late.", scene.server);
        ledger.see(&row::SLOW_AT_SERVER, text, cited);
        return;
    }
    if let Some((connection, trip)) = handshake(scene) {
        let seen = if trip.saturating_mul(FAST_FACTOR) <= middle {
            &row::HANDSHAKE_FAST
        } else if trip.saturating_mul(2) >= middle {
            &row::HANDSHAKE_SLOW
        } else {
            return;
        };
        let text = format!("A TCP handshake with {} took {}.", scene.server, span(trip));
        ledger.see(seen, text, vec![connection.syn]);
    }
    let (from, to) = scene.period_ns;
    let fast: Vec<PacketId> = scene
        .asked()
        .into_iter()
        .flat_map(|asked| asked.answers_in(from, to))
        .filter(|answer| answer.trip_ns.saturating_mul(FAST_FACTOR) <= middle)
        .map(|answer| answer.packet)
        .collect();
    if fast.len() >= REPEATED_MIN as usize {
        ledger.see(
            &row::FAST_BESIDE,
            format!(
                "{} other answers of {} took less than a tenth of that at the same time.",
                fast.len(),
                scene.server
            ),
            fast.into_iter().take(CITED_MAX).collect(),
        );
    }
}

/// Whether most of the time passed beyond the farthest point where query and answer were captured.
fn far_side(scene: &Scene<'_, '_>, plain: &[&&Wait]) -> bool {
    let evidence = scene.facts.evidence;
    let times = |packet: PacketId| {
        evidence
            .copies(packet)
            .map(|(copy, _)| copy)
            .chain([packet])
            .map(|copy| scene.facts.time(copy))
            .collect::<Vec<_>>()
    };
    let (mut seen, mut beyond) = (0usize, 0usize);
    for wait in plain.iter().take(ANSWERS_MAX) {
        let (asked, answered) = (times(wait.first), times(wait.answer));
        if asked.len() < 2 || answered.len() < 2 {
            continue;
        }
        let inner_ns =
            answered.iter().min().zip(asked.iter().max()).map_or(0, |(answer, query)| answer - query);
        seen += 1;
        beyond += usize::from(inner_ns * 10 >= wait.waited_ns * 8);
    }
    seen >= SLOW_MIN && beyond * 10 >= seen * 8
}

/// The fastest TCP handshake with the server and its round trip.
fn handshake<'f>(scene: &Scene<'f, '_>) -> Option<(&'f Connection, Nanos)> {
    let mine = scene.facts.connections.iter().filter(|c| c.server.0 == scene.server && c.tries == 1);
    let answered = mine.filter(|c| c.ending != Ending::Silent);
    answered.filter_map(|c| Some((c, scene.facts.time(c.decided?) - c.time_ns))).min_by_key(|(_, trip)| *trip)
}

/// The server cut answers that fit: it limits how often it answers.
fn limited(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let server = (scene.server, scene.service.0, scene.service.1);
    let own = |limited: &&Limited| {
        limited.server == server && scene.clients.iter().any(|client| limited.clients.contains(client))
    };
    if let Some(limited) = scene.facts.limits.iter().find(own) {
        ledger.see(&row::RESPONSES_LIMITED, format!("{}.", limited.statement()), limited.frames());
    }
}
