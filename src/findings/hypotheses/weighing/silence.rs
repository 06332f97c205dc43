//! Rows from silence: only where this vantage would have seen an answer.

use super::surroundings::wrong_address_class;
use std::collections::BTreeSet;

use crate::correlate::hosts::{Place, is_loopback};
use crate::correlate::{AnomalyKind, Outcome, Signature, Transaction, Vantage};
use crate::decode::Address;
use crate::findings::facts::{Connection, Ending, Meaning, Sort};
use crate::findings::hypotheses::catalogue::{Cause, Class};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::{answers as row, errors};
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::thresholds::{
    ACCEPTED_FACTOR, ANSWERS_MAX, CITED_MAX as ANSWERS_CITED, LATE_MIN, NEW_PORTS_BEFORE_MIN, NEW_PORTS_MIN,
    OTHER_DESTINATIONS_MIN, PATH_AROUND_NS,
};
use crate::index::PacketId;
use crate::time::Nanos;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    rate_limited(scene, ledger);
    let silent = scene.silent();
    if silent.is_empty() {
        return;
    }
    if let Some(by) = scene.blocked() {
        let text = format!(
            "The log itself says that {by} blocked {}.",
            crate::findings::rules::counted(scene.queries.len(), "of these queries", "of these queries")
        );
        ledger.see(&errors::BLOCKED_BY_RULE, text, firsts(&silent));
        return;
    }
    if scene.facts.evidence.one_sided {
        one_sided(scene, ledger);
        if !scene.silence_counts() {
            return;
        }
    }
    silence(scene, &silent, ledger);
    port_only(scene, &silent, ledger);
    other_address(scene, ledger);
    other_answer(scene, &silent, ledger);
    new_flows(scene, ledger);
    late_beside(scene, ledger);
    new_ports(scene, &silent, ledger);
    large_types(scene, &silent, ledger);
    if scene.names.len() > 1 && answered_in_period(scene).is_none() {
        ledger.see(
            &row::ALL_NAMES_FAIL,
            format!("All {} names asked of {} in this time failed alike.", scene.names.len(), scene.server),
            firsts(&silent),
        );
    }
    let Some(host) = scene.host() else { return };
    let inside = |sort: Sort| {
        let (from, to) = scene.period_ns;
        let around = from - PATH_AROUND_NS..=to + PATH_AROUND_NS;
        host.of(sort).iter().find(|sign| around.contains(&sign.time_ns)).map(|sign| sign.packet)
    };
    if let Some(packet) = inside(Sort::Tcp).or_else(|| inside(Sort::Other)) {
        ledger.see(
            &row::OTHER_TRAFFIC,
            format!("Other traffic with {} flowed at that time.", scene.server),
            vec![packet],
        );
    }
    if let Some(packet) = inside(Sort::Echo) {
        ledger.see(
            &row::ECHO_WORKS,
            format!("{} answered echo requests at that time.", scene.server),
            vec![packet],
        );
    }
}

fn silence(scene: &Scene<'_, '_>, silent: &[&Transaction], ledger: &mut Ledger) {
    let tries: u64 = silent.iter().map(|transaction| u64::from(transaction.tries)).sum();
    let unheard = wrong_address_class(scene) == Some(Class::Of(Cause::SilentDrop));
    let seen = if unheard { &row::SILENCE_UNHEARD } else { &row::SILENCE };
    ledger.see(
        seen,
        format!(
            "{} to {}, sent {}, received neither an answer nor an error with both directions in view.",
            crate::findings::rules::counted(silent.len(), "question", "questions"),
            scene.server,
            crate::findings::rules::counted(tries as usize, "time", "times")
        ),
        firsts(silent),
    );
}

/// An answer that came from another address than was asked; clients ignore it (RFC 2181 §4.1).
fn other_address(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (stray, from, all) = scene.misaddressed();
    if stray.is_empty() {
        return;
    }
    let refused = scene.facts.errors.iter().filter(|error| {
        error.meaning == Meaning::PortUnreachable && error.about.is_some_and(|about| stray.contains(&about))
    });
    let refused = match refused.count() {
        0 => String::new(),
        some => format!("; {some} of them met a port unreachable message of the asking host"),
    };
    let from: Vec<String> = from.iter().take(ANSWERS_CITED).map(ToString::to_string).collect();
    ledger.see(
        if all { &row::OTHER_ADDRESS_ALL } else { &row::OTHER_ADDRESS },
        format!(
            "{} with the right id and question came from {}, another address than {} that was asked{refused}.",
            crate::findings::rules::counted(stray.len(), "answer", "answers"),
            from.join(", "),
            scene.server
        ),
        stray,
    );
}

/// A capture filter by port would have left out the errors that tell a refusal from silence.
fn port_only(scene: &Scene<'_, '_>, silent: &[&Transaction], ledger: &mut Ledger) {
    if let Some(hidden) = &scene.facts.hidden {
        let text = hidden.words(&scene.facts.index.settings, super::super::wording::record(scene));
        ledger.see(&row::PORT_ONLY, text, firsts(silent));
    }
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
        .filter(|anomaly| {
            matches!(anomaly.kind, AnomalyKind::Unsolicited | AnomalyKind::AnswerToOtherQuestion)
        })
        .filter_map(|anomaly| index.packet(anomaly.packet))
        .filter(|answer| answer.source_address() == scene.server)
        .filter(|answer| asked.contains(&(answer.destination_address(), answer.destination_port())))
        .map(|answer| answer.id)
        .collect();
    if stray.is_empty() {
        return;
    }
    ledger.see(
        &row::OTHER_ANSWER,
        format!(
            "{} from {} to the asking ports with another id or question than was asked.",
            crate::findings::rules::counted(stray.len(), "response came", "responses came"),
            scene.server
        ),
        stray,
    );
}

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
        let near = (from - PATH_AROUND_NS..=to + PATH_AROUND_NS).contains(&error.time_ns);
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
    if failed.len() < OTHER_DESTINATIONS_MIN
        || accepted.len() > silent.len().max(failed.len()) * ACCEPTED_FACTOR
    {
        return;
    }
    frames.extend(firsts(&scene.silent()));
    ledger.see(
        &row::NEW_FLOWS_FAIL,
        format!(
            "New flows to {} other destinations were left without an answer at the same time.",
            failed.len()
        ),
        frames,
    );
    if answered_in_period(scene).is_some() {
        ledger.see(
            &row::INTERMITTENT_FLOWS,
            format!("Some new flows to {} still succeed in between.", scene.server),
            answered_in_period(scene).into_iter().collect(),
        );
    }
    if scene.clients.len() > 1 {
        ledger.see(
            &row::NEIGHBOURS_FAIL,
            format!("{} clients are affected alike.", scene.clients.len()),
            firsts(&scene.silent()),
        );
    }
}

/// Other questions of the same time were answered seconds later.
fn late_beside(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let late = scene.facts.problems().map(|(_, other)| other).filter(|other| {
        other.server == (scene.server, scene.service.0)
            && other.signature == Signature::Late
            && other.first_ns <= to + PATH_AROUND_NS
            && other.last_ns >= from - PATH_AROUND_NS
    });
    let late: Vec<&Transaction> = late.flat_map(|other| scene.facts.transactions(other)).collect();
    if late.len() < LATE_MIN {
        return;
    }
    ledger.see(
        &row::LATE_BESIDE,
        format!(
            "{} answered {} of the same time, seconds late.",
            scene.server,
            crate::findings::rules::counted(late.len(), "other question", "other questions")
        ),
        late.iter().flat_map(|own| [Some(own.first), own.answer]).flatten().take(ANSWERS_CITED).collect(),
    );
}

/// Every silent question came from a port of its own, as did those answered before.
fn new_ports(scene: &Scene<'_, '_>, silent: &[&Transaction], ledger: &mut Ledger) {
    let index = scene.facts.index;
    let port =
        |query: PacketId| index.packet(query).map(|query| (query.source_address(), query.source_port()));
    let failed: BTreeSet<_> = silent.iter().filter_map(|own| port(own.first)).collect();
    // Between hosts of one link nothing translates.
    let surroundings = scene.facts.evidence.surroundings();
    let is_near = |host: Address| matches!(surroundings.place(host), Place::Here | Place::Link);
    let near = is_near(scene.server) && scene.clients.iter().all(|client| is_near(*client));
    if near && surroundings.vantage != Vantage::Middle {
        return;
    }
    let (from, to) = scene.period_ns;
    let answers = scene.asked().into_iter().flat_map(|asked| asked.answers.iter().take(ANSWERS_MAX));
    let before: BTreeSet<_> = answers
        .clone()
        .filter(|answer| answer.time_ns < from)
        .filter_map(|answer| index.packet(answer.packet))
        .map(|answer| (answer.destination_address(), answer.destination_port()))
        .collect();
    let meanwhile = answers.clone().any(|answer| (from..=to).contains(&answer.time_ns));
    let own = |set: &BTreeSet<(Address, u16)>| {
        set.iter().filter(|(client, _)| scene.clients.contains(client)).count()
    };
    if meanwhile
        || failed.len() < NEW_PORTS_MIN
        || own(&before) < NEW_PORTS_BEFORE_MIN
        || !failed.is_disjoint(&before)
    {
        return;
    }
    ledger.see(
        &row::NEW_PORTS_FAIL,
        format!(
            "Questions to {} were answered from {} ports; from then on each came from a port not used before, and none was answered.",
            scene.server,
            own(&before)
        ),
        firsts(silent),
    );
    new_flows_pass(scene, ledger);
}

/// Connections that pass from which the router has room for new flows.
const NEW_FLOWS_MIN: usize = 3;

/// New connections of the same time were accepted through the router that the server's answers had come from.
fn new_flows_pass(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let index = scene.facts.index;
    let Some(router) = scene.facts.evidence.surroundings().sight(scene.server).and_then(|sight| sight.link)
    else {
        return;
    };
    let through = |packet: PacketId| {
        let addresses = index.packet(packet).and_then(|packet| packet.decode().link_addresses);
        addresses.is_some_and(|addresses| addresses.0 == router)
    };
    let accepted = scene.facts.connections.iter().filter(|own| {
        matches!(own.ending, Ending::Accepted | Ending::ResetLater)
            && own.server.0 != scene.server
            && (from..=to).contains(&own.time_ns)
    });
    let passed: Vec<PacketId> = accepted
        .filter_map(|own| own.decided)
        .filter(|answer| through(*answer))
        .take(ANSWERS_CITED)
        .collect();
    if passed.len() < NEW_FLOWS_MIN {
        return;
    }
    let text = format!(
        "New TCP connections were accepted meanwhile through the router from which answers of {} had come.",
        scene.server
    );
    ledger.see(&row::NEW_FLOWS_PASS, text, passed);
}

/// Types whose answers are large (ANY, TXT, DNSKEY, RRSIG) fail while others are answered.
fn large_types(scene: &Scene<'_, '_>, silent: &[&Transaction], ledger: &mut Ledger) {
    let index = scene.facts.index;
    let qtype = |query: PacketId| index.packet(query).and_then(|query| query.dns().map(|row| row.qtype));
    let large = |qtype: u16| matches!(qtype, 16 | 46 | 48 | 255);
    let (from, to) = scene.period_ns;
    let answers = scene.asked().into_iter().flat_map(|asked| asked.answers_in(from, to));
    let served: Vec<PacketId> = answers
        .filter(|answer| scene.clients.contains(&answer.client))
        .map(|answer| answer.packet)
        .take(ANSWERS_CITED)
        .collect();
    let small =
        !served.is_empty() && served.iter().all(|answer| qtype(*answer).is_some_and(|qtype| !large(qtype)));
    if silent.len() < LATE_MIN || !small || !silent.iter().all(|own| qtype(own.first).is_some_and(large)) {
        return;
    }
    ledger.see(
        &row::LARGE_TYPES_FAIL,
        format!(
            "All {} silent questions are of types with large answers; those of other types were answered meanwhile.",
            silent.len()
        ),
        firsts(silent).into_iter().chain(served).collect(),
    );
}

fn rate_limited(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let covered = scene.ended(Outcome::CoveredByRateLimit);
    if covered.is_empty() {
        return;
    }
    ledger.see(
        &row::RATE_LIMITED,
        format!(
            "{} silent queries lie between errors that came no faster than an ICMP rate limit allows.",
            covered.len()
        ),
        firsts(&covered),
    );
}

fn one_sided(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    ledger.see(
        &row::ONE_SIDED,
        "Only one direction is in view; silence means nothing here.".to_owned(),
        scene.queries.iter().copied().take(2).collect(),
    );
}

/// The first answer of the server within the failure's period, to anyone.
pub(super) fn answered_in_period(scene: &Scene<'_, '_>) -> Option<PacketId> {
    let (from, to) = scene.period_ns;
    scene.asked()?.answers_in(from, to).next().map(|answer| answer.packet)
}

pub(super) fn firsts(transactions: &[&Transaction]) -> Vec<PacketId> {
    transactions.iter().map(|transaction| transaction.first).collect()
}
