//! Rows from DNS answers that report a failure: response codes, extended errors, policy, lateness.

use std::collections::{BTreeMap, HashSet};

use super::silence::firsts;
use crate::correlate::{Lost, Outcome, Signature, Transaction};
use crate::decode::Address;
use crate::findings::facts::{asked, records};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::{answers as row, surroundings};
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::thresholds::{
    AMID_CHANGES_MIN, AMID_MIN, AMID_OPEN_MIN, ANSWERS_MAX, AROUND_NS, CITED_MAX, DAMAGED_MIN,
    DAMAGED_ONE_IN, LARGE_MIN, LOST_ALL_MIN, OPEN_MAX, OPEN_NS,
};
use crate::findings::rules::plain_name;
use crate::findings::zones;
use crate::index::PacketId;
use crate::protocols::dns::{extended_error_name, failure_name};
use crate::time::{Nanos, clock, span};

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    match scene.signature {
        Some(Signature::ResponseCode(code)) => {
            response_code(scene, *code, ledger);
            extended(scene, *code, ledger);
            zone(scene, *code, ledger);
            if !disagree(scene, *code, ledger) {
                existed(scene, *code, ledger);
            }
            // A refusal is the server's own word about who asks.
            match *code {
                SERVFAIL => unchecked(scene, ledger),
                REFUSED => amid_served(scene, ledger),
                code if is_about_form(code) => edns_unknown(scene, ledger),
                _ => contradicted(scene, ledger),
            }
        }
        Some(Signature::Late) => late(scene, ledger),
        Some(Signature::NotReceived) => lost(scene, ledger),
        _ => {}
    }
}

fn answers(scene: &Scene<'_, '_>) -> Vec<PacketId> {
    scene.transactions.iter().filter_map(|transaction| transaction.answer).collect()
}

fn response_code(scene: &Scene<'_, '_>, code: u16, ledger: &mut Ledger) {
    let name = failure_name(code);
    let seen = match code {
        2 => &row::SERVER_FAILURE,
        5 => &row::REFUSED,
        NO_DATA | NAME_ERROR => &row::NAME_ERROR,
        _ if is_about_form(code) => &row::FORMAT_ERROR,
        _ => &row::OTHER_CODE,
    };
    ledger.see(
        seen,
        format!("{} answered {} queries with {name}.", scene.server, scene.transactions.len()),
        answers(scene),
    );
}

/// Whether a code says that the server cannot read the query: FORMERR, NOTIMP, BADVERS.
pub(in super::super) fn is_about_form(code: u16) -> bool {
    matches!(code, 1 | 4 | 16)
}

/// All that failed carried an OPT record (RFC 6891): what fared better without one, and whether it was tried.
fn edns_unknown(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let extended = |query: PacketId| {
        let packet = scene.facts.index.packet(query)?;
        Some(packet.dns()?.header.counts.last().is_some_and(|additional| *additional > 0))
    };
    if !scene.transactions.iter().all(|own| extended(own.first) == Some(true)) {
        return;
    }
    let evidence = scene.facts.evidence;
    let served = scene.asked().into_iter().flat_map(|asked| &asked.answers).take(ANSWERS_MAX);
    let served = served.filter(|answer| answer.response_code == 0);
    let plain: Vec<PacketId> = served
        .filter_map(|answer| evidence.transaction(evidence.transaction_of(answer.packet)?))
        .map(|own| own.first)
        .filter(|query| extended(*query) == Some(false))
        .collect();
    let beside = if plain.is_empty() {
        "; none was asked without".to_owned()
    } else {
        format!("; {} without one were answered", plain.len())
    };
    ledger.see(
        &row::EDNS_UNKNOWN,
        format!(
            "All {} queries that {} answered so carry EDNS (an OPT record){beside}.",
            scene.transactions.len(),
            scene.server
        ),
        firsts(&scene.transactions).into_iter().chain(plain.into_iter().take(LARGE_MIN)).collect(),
    );
}

/// Extended DNS errors (RFC 8914).
fn extended(scene: &Scene<'_, '_>, code: u16, ledger: &mut Ledger) {
    let with: Vec<&Transaction> =
        scene.transactions.iter().filter(|t| t.extended_error.is_some()).copied().collect();
    let Some(number) = with.first().and_then(|transaction| transaction.extended_error) else { return };
    let seen = match number {
        1 | 2 | 5..=12 | 24 | 25 | 27 => &row::EXTENDED_ZONE,
        22 | 23 => &row::EXTENDED_UPSTREAM,
        3 | 13 | 14 | 19 => &row::EXTENDED_STATE,
        15..=18 => &row::EXTENDED_FILTERED,
        20 if code == 5 => &row::EXTENDED_NOT_AUTHORITATIVE,
        _ => &row::EXTENDED_OTHER,
    };
    ledger.see(
        seen,
        format!(
            "{} of {} answers carry an extended DNS error, the first of them {number} ({}).",
            with.len(),
            scene.transactions.len(),
            extended_error_name(number)
        ),
        with.iter().filter_map(|transaction| transaction.answer).collect(),
    );
}

/// Only some zones fail while others resolve at the same server; several resolvers fail alike.
fn zone(scene: &Scene<'_, '_>, code: u16, ledger: &mut Ledger) {
    let failing = zones::common(&scene.names);
    if failing.is_empty() {
        return;
    }
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
        let seen = match code {
            2 if super::load::is_random_flood(scene) => &row::ONE_ZONE_FLOODED,
            2 => &row::ONE_ZONE_FAILS,
            5 => &row::ONE_ZONE_REFUSED,
            _ => &row::ONE_ZONE_OTHERWISE,
        };
        ledger.see(
            seen,
            format!("Only names in {} fail; other names resolve at the same server.", shown.join(", ")),
            vec![answer.packet],
        );
    }
    let alike = scene.facts.problems().find(|(_, other)| {
        Some(&other.signature) == scene.signature
            && other.server.0 != scene.server
            && other.names.iter().any(|name| scene.names.contains(name))
    });
    if let Some((_, other)) = alike.filter(|_| code == 2) {
        ledger.see(
            &row::SEVERAL_RESOLVERS,
            format!("{} fails for the same names with the same code.", other.server.0),
            firsts(&scene.transactions).into_iter().take(1).collect(),
        );
    }
}

/// The zone's servers disagree about a denied name: the asked one is one of them, or asked them itself.
fn disagree(scene: &Scene<'_, '_>, code: u16, ledger: &mut Ledger) -> bool {
    let own = scene.disagreement().filter(|_| matches!(code, NO_DATA | NAME_ERROR));
    if let Some(own) = own {
        let behind = if own.clients.contains(&scene.server) {
            format!("{} asked both: ", scene.server)
        } else {
            String::new()
        };
        let text = format!("{behind}{}.", crate::findings::disagreement::statement(own));
        ledger.see(&surroundings::SERVERS_DISAGREE, text, own.frames());
    }
    own.is_some()
}

/// Names that are denied now were given at another time: from when to when, and in which zone.
fn existed(scene: &Scene<'_, '_>, code: u16, ledger: &mut Ledger) {
    let index = scene.facts.index;
    let row_of = |packet: PacketId| index.packet(packet)?.dns().copied();
    let question = |packet: PacketId| row_of(packet).map(|row| row.question);
    let wanted: HashSet<u64> = scene.transactions.iter().filter_map(|own| question(own.first)).collect();
    let first = scene.transactions.iter().find_map(|own| Some((own.first, own.answer?)));
    let Some((asked, denied)) = first.filter(|_| matches!(code, NO_DATA | NAME_ERROR)) else { return };
    let answers = || scene.asked().into_iter().flat_map(|asked| &asked.answers).take(ANSWERS_MAX);
    let has_data = |packet: PacketId| row_of(packet).is_some_and(|row| row.header.counts[1] > 0);
    let is_ours = |packet: PacketId| match question(packet) {
        // A printed answer does not repeat its question.
        Some(0) => scene
            .facts
            .evidence
            .transaction_of(packet)
            .and_then(|id| scene.facts.evidence.transaction(id))
            .is_some_and(|own| question(own.first).is_some_and(|own| wanted.contains(&own))),
        Some(own) => wanted.contains(&own),
        None => false,
    };
    let useful: Vec<_> = answers()
        .filter(|answer| answer.response_code == 0 && has_data(answer.packet) && is_ours(answer.packet))
        .collect();
    let (from, to) = scene.period_ns;
    let before = useful.iter().filter(|answer| answer.time_ns <= from).max_by_key(|answer| answer.time_ns);
    let after = useful.iter().filter(|answer| answer.time_ns >= to).min_by_key(|answer| answer.time_ns);
    // What was given only later was made later.
    let inside = useful.iter().find(|answer| (from..to).contains(&answer.time_ns));
    let Some(any) = before.or(inside) else { return };
    let mut frames = vec![any.packet, asked, denied];
    frames.extend(after.map(|first| first.packet));
    let when = given(scene, [before, after].map(|answer| answer.map(|answer| answer.time_ns)));
    let names = super::super::wording::names(scene);
    let (mut seen, mut zone) = (&row::EXISTED_BEFORE, String::new());
    if let Some(start) = scene.zone_named() {
        zone = format!("; its zone, by the SOA record, is {}", plain_name(&start.zone));
        let given_ns = before.map_or(Nanos::MIN, |last| last.time_ns);
        let denials = answers().filter(|answer| answer.time_ns < given_ns && !has_data(answer.packet));
        let earlier = denials.take(STARTS_MAX).filter_map(|answer| {
            let known = records::start_of(index, answer.packet)?;
            (known.zone == start.zone).then_some((known.serial, answer.packet))
        });
        if let Some((serial, packet)) = earlier.last().filter(|(serial, _)| *serial != start.serial) {
            zone = format!("{zone}, changed meanwhile (serial number {} after {serial})", start.serial);
            frames.push(packet);
            seen = &row::ZONE_CHANGED;
        }
    }
    ledger.see(seen, format!("{} gave data for {names}{when}{zone}.", scene.server), frames);
}

/// When names were given, by the last time before they were denied and the first after, and when they were denied.
fn given(scene: &Scene<'_, '_>, bounds: [Option<Nanos>; 2]) -> String {
    if !scene.facts.index.has_times() {
        return " at another time".to_owned();
    }
    let given = match bounds.map(|bound| bound.map(clock)) {
        [Some(last), None] => format!(" until {last}"),
        [None, Some(first)] => format!(" from {first} on"),
        [Some(last), Some(first)] => format!(" until {last} and again from {first} on"),
        [None, None] => " meanwhile as well".to_owned(),
    };
    let (from, to) = scene.period_ns;
    format!("{given}, and denied it between {} and {}", clock(from), clock(to))
}

/// The same server gives data for the same question at the same time: over TCP to the same client, or to others.
fn contradicted(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let index = scene.facts.index;
    let key = |packet: PacketId| Some(index.packet(packet)?.dns()?.question);
    let wanted: HashSet<u64> = scene.transactions.iter().filter_map(|own| key(own.first)).collect();
    let (from, to) = (scene.period_ns.0 - AROUND_NS, scene.period_ns.1 + AROUND_NS);
    let useful = |transport: u8| {
        let server = scene.facts.servers.get(&(scene.server, scene.service.0, transport));
        let answers = server.into_iter().flat_map(|server| &server.answers);
        let inside =
            answers.filter(move |answer| (from..=to).contains(&answer.time_ns) && answer.response_code == 0);
        inside.take(ANSWERS_MAX)
    };
    let has_data = |packet: PacketId| index.packet(packet)?.dns().map(|row| row.header.counts[1] > 0);
    let same = |packet: PacketId| {
        key(packet).is_some_and(|question| wanted.contains(&question)) && has_data(packet) == Some(true)
    };
    let own = |client: &Address| scene.clients.contains(client);
    let other_transport = if scene.service.1 == UDP { TCP } else { UDP };
    let by_transport: Vec<PacketId> = useful(other_transport)
        .filter(|answer| own(&answer.client) && same(answer.packet))
        .map(|answer| answer.packet)
        .collect();
    let by_client: Vec<PacketId> = useful(scene.service.1)
        .filter(|answer| !own(&answer.client) && same(answer.packet))
        .map(|answer| answer.packet)
        .collect();
    let shown = firsts(&scene.transactions).into_iter().take(LARGE_MIN);
    if !by_transport.is_empty() {
        ledger.see(
            &row::CONTRADICTED_BY_TRANSPORT,
            format!(
                "{} gave data for the same question over {} meanwhile.",
                scene.server,
                if other_transport == TCP { "TCP" } else { "UDP" }
            ),
            shown.chain(by_transport.into_iter().take(LARGE_MIN)).collect(),
        );
    } else if !by_client.is_empty() {
        ledger.see(
            &row::CONTRADICTED_BY_CLIENT,
            format!("{} gave data for the same question to another client meanwhile.", scene.server),
            shown.chain(by_client.into_iter().take(LARGE_MIN)).collect(),
        );
    }
}

/// The same question answered to who asked for no checking (CD, RFC 4035 §3.2.2).
fn unchecked(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let index = scene.facts.index;
    let evidence = scene.facts.evidence;
    let row = |packet: PacketId| index.packet(packet)?.dns().copied();
    let wanted: HashSet<u64> =
        scene.transactions.iter().filter_map(|own| Some(row(own.first)?.question)).collect();
    let (from, to) = (scene.period_ns.0 - AROUND_NS, scene.period_ns.1 + AROUND_NS);
    let answers = scene.asked().into_iter().flat_map(|asked| asked.answers_in(from, to)).take(ANSWERS_MAX);
    let found: Vec<PacketId> = answers
        .filter(|answer| answer.response_code == 0)
        .filter_map(|answer| evidence.transaction(evidence.transaction_of(answer.packet)?))
        .filter(|own| {
            row(own.first).is_some_and(|row| row.header.checking_disabled() && wanted.contains(&row.question))
        })
        .flat_map(|own| [Some(own.first), own.answer])
        .flatten()
        .take(LARGE_MIN * 2)
        .collect();
    if found.is_empty() {
        return;
    }
    let text = format!("Asked with checking disabled (CD), {} answers the same questions.", scene.server);
    ledger.see(&row::CHECKING_DISABLED_WORKS, text, found);
}

/// What is refused is served to the same clients between: other names of the same zones, of the same types. No rule about who asks or
/// for what does so; a limit on what waits at once does, and then the server's own questions are seen to pile up.
fn amid_served(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (facts, evidence) = (scene.facts, scene.facts.evidence);
    let key = |own: &Transaction| {
        let (client, _) = scene.ends(own)?;
        let zone = zones::common(&[facts.name_of(own.first)?]).into_iter().next()?;
        Some((client, zone, own.question(facts.index)?.qtype))
    };
    let (from, to) = scene.period_ns;
    let mut steps: BTreeMap<_, Vec<(Nanos, PacketId, bool)>> = BTreeMap::new();
    for own in scene.transactions.iter().take(ANSWERS_MAX) {
        let Some(key) = key(own) else { continue };
        steps.entry(key).or_default().push((facts.time(own.first), own.first, true));
    }
    for answer in scene.asked().into_iter().flat_map(|asked| asked.answers_in(from, to)).take(ANSWERS_MAX) {
        let Some(own) = evidence.transaction_of(answer.packet).and_then(|id| evidence.transaction(id)) else {
            continue;
        };
        let served = matches!(own.response_code, NO_DATA | NAME_ERROR);
        if let Some(steps) = key(own).filter(|_| served).and_then(|key| steps.get_mut(&key)) {
            steps.push((facts.time(own.first), own.first, false));
        }
    }
    let (mut refused, mut served, mut changes, mut frames) = (Vec::new(), Vec::new(), 0, Vec::new());
    for steps in steps.values_mut() {
        steps.sort_unstable();
        if steps.iter().all(|step| step.2) {
            continue;
        }
        let turns = steps.windows(2).filter(|pair| matches!(pair, [a, b] if a.2 != b.2));
        let turns: Vec<PacketId> = turns.flatten().map(|step| step.1).collect();
        changes += turns.len() / 2;
        frames.extend(turns.into_iter().take(CITED_MAX));
        refused.extend(steps.iter().filter(|step| step.2).map(|step| step.0));
        served.extend(steps.iter().filter(|step| !step.2).map(|step| step.0));
    }
    let all = scene.transactions.len().min(ANSWERS_MAX);
    if refused.len() < AMID_MIN || refused.len() * 2 <= all || changes < AMID_CHANGES_MIN {
        return;
    }
    let mut text = format!(
        "{} of {} refused questions are like {} that {} served the same clients meanwhile (same zone, same type), in turns ({changes} \
         changes)",
        refused.len(),
        all,
        served.len(),
        scene.server
    );
    let open = Open::of(scene);
    let least = refused.iter().map(|at_ns| open.at(*at_ns)).min().unwrap_or(0);
    let piled = least >= AMID_OPEN_MIN;
    if piled {
        text = format!(
            "{text}; whenever it refused, {least} questions of its own or more, sent within {} before, were without an answer",
            span(OPEN_NS)
        );
    }
    frames.sort_unstable();
    frames.dedup();
    ledger.see(
        if piled { &row::REFUSED_WHILE_WAITING } else { &row::REFUSED_AMID_SERVED },
        text + ".",
        frames,
    );
}

/// When the server itself waited for answers of others.
struct Open {
    began: Vec<Nanos>,
    ended: Vec<Nanos>,
}

impl Open {
    fn of(scene: &Scene<'_, '_>) -> Self {
        let surroundings = scene.facts.evidence.surroundings();
        let input = scene.facts.input();
        let (mut began, mut ended) = (Vec::new(), Vec::new());
        let own = asked::all(&input)
            .filter(|own| own.server.0 != scene.server && surroundings.asks_by(scene.server, own.client));
        for own in own.take(OPEN_MAX) {
            began.push(own.time_ns);
            let last_ns = || scene.facts.time(own.transaction.last) + OPEN_NS;
            ended.push(if own.transaction.answer.is_some() { own.ended_ns() } else { last_ns() });
        }
        began.sort_unstable();
        ended.sort_unstable();
        Self { began, ended }
    }

    fn at(&self, at_ns: Nanos) -> usize {
        let before = |all: &[Nanos]| all.partition_point(|own_ns| *own_ns <= at_ns);
        before(&self.began).saturating_sub(before(&self.ended))
    }
}

/// Negative answers read for the serial number of their zone.
const STARTS_MAX: usize = 1_000;
/// NOERROR without an answer (RFC 2308 §2.2).
const NO_DATA: u16 = 0;
/// NXDOMAIN (RFC 1035 §4.1.1).
const NAME_ERROR: u16 = 3;
/// SERVFAIL (RFC 1035 §4.1.1).
const SERVFAIL: u16 = 2;
/// REFUSED (RFC 1035 §4.1.1).
const REFUSED: u16 = 5;
/// The IP protocol number of TCP.
const TCP: u8 = 6;
/// The IP protocol number of UDP.
const UDP: u8 = 17;

/// Answers that passed here and did not arrive: what stands between this point and the client, not the server.
fn lost(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let evidence = scene.facts.evidence;
    let how = |transaction: &Transaction| evidence.lost(evidence.transaction_of(transaction.first)?);
    let rejected: Vec<PacketId> = scene
        .transactions
        .iter()
        .filter_map(|transaction| match how(transaction)? {
            Lost::Rejected(error) => Some(error),
            _ => None,
        })
        .collect();
    let ignored: Vec<PacketId> = scene
        .transactions
        .iter()
        .filter_map(|transaction| match how(transaction)? {
            Lost::Ignored(again) => Some([transaction.answer?, again]),
            _ => None,
        })
        .flatten()
        .collect();
    let intermittent = scene
        .impact()
        .is_some_and(|impact| impact.windows.iter().any(crate::correlate::windows::Window::is_intermittent));
    if ignored.len() > scene.transactions.len() && !intermittent {
        ledger.see(
            &row::ANSWER_IGNORED,
            format!(
                "{} answers of {} came to the asking host's link, and it asked the same again after its timer.",
                ignored.len() / 2,
                scene.server
            ),
            ignored,
        );
        return;
    }
    // What the client's own host refused has reached it.
    let refused = |transaction: &&&Transaction| matches!(how(transaction), Some(Lost::Refused(_)));
    if scene.transactions.iter().filter(refused).count() * 2 > scene.transactions.len() {
        return;
    }
    let damaged: Vec<PacketId> = scene
        .transactions
        .iter()
        .filter_map(|transaction| match how(transaction)? {
            Lost::Damaged(packet) => Some(packet),
            _ => None,
        })
        .collect();
    if damaged.len() >= DAMAGED_MIN && damaged.len() * DAMAGED_ONE_IN >= scene.transactions.len() {
        ledger.see(
            &row::ANSWER_DAMAGED,
            format!(
                "{} of {} questions got an answer of {} with a wrong UDP checksum, which a receiver throws away.",
                damaged.len(),
                scene.transactions.len(),
                scene.server
            ),
            damaged,
        );
        return;
    }
    large(scene, ledger);
    if rejected.is_empty() {
        let windows = scene.impact().map(|impact| impact.windows.as_slice()).unwrap_or_default();
        let amid = windows.iter().any(crate::correlate::windows::Window::is_intermittent);
        let stranded =
            scene.impact().is_some_and(|i| !i.clients.is_empty() && i.stranded().count() == i.clients.len());
        let several = scene.transactions.len() >= LOST_ALL_MIN;
        let seen = match () {
            () if amid => &row::ANSWER_LOST_AMID,
            () if stranded && several => &row::ANSWER_LOST_ALL,
            () => &row::ANSWER_LOST,
        };
        ledger.see(
            seen,
            format!("{} answers of {} did not reach who asked.", scene.transactions.len(), scene.server),
            answers(scene),
        );
    } else {
        ledger.see(
            &row::ANSWER_REJECTED,
            format!("A device on the way reported that it did not deliver {} answers.", rejected.len()),
            rejected,
        );
    }
}

/// Only the large ones among the answers were lost.
fn large(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let size = |answer: &PacketId| scene.facts.index.packet(*answer)?.dns().map(|row| row.length);
    let lost = answers(scene);
    let others = scene.asked().into_iter().flat_map(|asked| &asked.answers).map(|answer| answer.packet);
    let arrived: Vec<PacketId> = others.filter(|answer| !lost.contains(answer)).take(ANSWERS_MAX).collect();
    let (Some(least), Some(most)) =
        (lost.iter().filter_map(size).min(), arrived.iter().filter_map(size).max())
    else {
        return;
    };
    if lost.len() < LARGE_MIN || arrived.len() < LARGE_MIN || least <= most {
        return;
    }
    ledger.see(
        &row::LARGE_ONLY_LOST,
        format!(
            "The answers of {} that were lost have {least} bytes and more, those that arrived {most} at most.",
            scene.server
        ),
        lost.into_iter().take(LARGE_MIN).chain(arrived.into_iter().take(LARGE_MIN)).collect(),
    );
}

fn late(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let late = scene.ended(Outcome::Late);
    if late.is_empty() {
        return;
    }
    ledger.see(
        &row::LATE_ANSWER,
        format!(
            "{} of {} came after the client's time limit.",
            crate::findings::rules::counted(late.len(), "answer", "answers"),
            scene.server
        ),
        late.iter().filter_map(|transaction| transaction.answer).collect(),
    );
}
