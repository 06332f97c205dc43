//! Rows of failures beside DNS: how the attempts ended, what the host did otherwise, who was served meanwhile.

use std::collections::BTreeSet;

use super::surroundings::unanswered;
use crate::attempts::http::REFUSALS;
use crate::attempts::reply::{Limit, limit};
use crate::attempts::{Attempt, Denial, Face, Kind, Outcome, Why};
use crate::findings::facts::troubles::{Sort, Trouble};
use crate::findings::facts::{Meaning, astray, troubles};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::services as row;
use crate::findings::hypotheses::matrix::{Row, answers, errors, surroundings};
use crate::findings::hypotheses::scene::{Incident, Scene};
use crate::findings::{FRAMES_MAX, rules, service_words as words};
use crate::index::PacketId;
use crate::time::{Nanos, span};

/// A host that answered this close to a failure was there (services §5.3).
const NEAR_NS: Nanos = 30_000_000_000;
/// A handshake this long is a slow path (services §5.2 H30).
const SLOW_HANDSHAKE_NS: Nanos = 1_000_000_000;
/// A pause that firewalls may take for the end of a connection (services §5.2 H41 `idle_s`).
const IDLE_NS: Nanos = 30_000_000_000;
/// Connections held open from which on they may be what others lack.
const HELD_MIN: u64 = 2;
/// A pause that is long for the connection at least.
const PAUSE_NS: Nanos = 1_000_000_000;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(Incident::Service(trouble)) = scene.incident else { return };
    if let Sort::Failed(Face::Lease, _) = trouble.sort {
        lease(scene, trouble, ledger);
        return;
    }
    endings(scene, trouble, ledger);
    served(scene, trouble, ledger);
    host(scene, trouble, ledger);
    if let (Some(_), Sort::Failed(Face::Silenced, _)) = (trouble.stopped, trouble.sort) {
        let text =
            "What the connections had carried before was captured at both places, what was lost at one only."
                .to_owned();
        ledger.see(&row::LOST_BETWEEN, text, frames(trouble.attempts(scene.facts.attempts)));
    } else if let Some((failed, both)) = trouble.stopped {
        let text = format!(
            "{failed} of them were captured at one place only, while {both} attempts of the same clients that were served were captured at both."
        );
        ledger.see(&row::STOPPED_BETWEEN, text, frames(trouble.attempts(scene.facts.attempts)));
    }
    let hosts = trouble.hosts().len();
    if hosts > 1 {
        let text = format!("{} of {hosts} hosts failed alike at that time.", words::services(trouble));
        let is_refused = trouble.endings.iter().all(|(outcome, _)| *outcome == Outcome::RefusedByReset);
        let is_unoffered = is_refused && trouble.served.is_empty() && trouble.last_good.is_none();
        let seen = if is_unoffered { &row::SEVERAL_HOSTS_WITHOUT } else { &row::SEVERAL_HOSTS };
        ledger.see(seen, text, frames(trouble.attempts(scene.facts.attempts)));
    }
    owners(scene, ledger);
    chained(scene, trouble, ledger);
    for own in astray::of(scene.facts, trouble).take(1) {
        let seen = match &own.how {
            astray::How::OtherDomain { .. } => &row::LED_BY_DOMAIN,
            _ if own.served.0 > 0 => &row::LED_ASTRAY,
            _ => &row::LED_ELSEWHERE,
        };
        ledger.see(seen, format!("{}.", own.statement(scene.facts)), own.frames());
    }
    if let Some((name, packet)) = &trouble.resolved
        && !astray::of(scene.facts, trouble).any(|own| own.name == *name)
    {
        let text = format!("{} had been resolved to {} before.", rules::plain_name(name), scene.server);
        ledger.see(&row::NAME_RESOLVED, text, vec![*packet]);
    }
    let rescued: Vec<PacketId> = trouble.hit().filter_map(|client| client.rescue).collect();
    if !rescued.is_empty() {
        let number: u32 = trouble.hit().map(|client| client.rescued).sum();
        let text = format!(
            "{} then served in another way.",
            rules::counted(number as usize, "of them was", "of them were")
        );
        ledger.see(&row::SERVED_INSTEAD, text, rescued);
    }
}

fn frames<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> Vec<PacketId> {
    let mut all: Vec<PacketId> = attempts.flat_map(Attempt::frames).collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(FRAMES_MAX);
    all
}

/// What the failures follow from.
fn chained(scene: &Scene<'_, '_>, trouble: &Trouble, ledger: &mut Ledger) {
    let behind = trouble.behind.as_ref();
    if let Some(behind) = behind {
        ledger.see(&row::FAILED_BEHIND, words::behind(behind), behind.frames.clone());
    }
    if let Some(crossed) = trouble.crossed.as_ref().or(behind.and_then(|behind| behind.crossed.as_ref())) {
        ledger.see(&row::CLOSE_CROSSED, words::crossed(crossed), crossed.frames.clone());
    }
    if let Some(queue) = &trouble.queue {
        let mut frames: Vec<PacketId> = queue.waiting.iter().chain(&queue.silent).copied().collect();
        frames.sort_unstable();
        frames.truncate(FRAMES_MAX);
        ledger.see(&row::CONNECTIONS_LEFT, words::queue(queue), frames);
    }
    if let Some(held) = trouble.held.as_ref().filter(|held| held.number >= HELD_MIN) {
        ledger.see(&row::CONNECTIONS_HELD, words::held(scene.facts, held), held.frames.clone());
    }
    if trouble.looped.is_some() {
        let text = words::looped(trouble).unwrap_or_default();
        ledger.see(&row::WENT_ROUND, text, frames(trouble.attempts(scene.facts.attempts)));
    }
}

/// How the attempts ended, one row for each way.
fn endings(scene: &Scene<'_, '_>, trouble: &Trouble, ledger: &mut Ledger) {
    let attempts = scene.facts.attempts;
    if trouble.sort == Sort::Slow {
        late(scene, trouble, ledger);
        return;
    }
    let place = words::place(trouble);
    for (outcome, number) in trouble.outcomes(attempts) {
        let own = || {
            trouble
                .attempts(attempts)
                .filter(move |own| std::mem::discriminant(&own.outcome) == std::mem::discriminant(&outcome))
        };
        let (number, all) = if trouble.kind() == Kind::Echo {
            // A run of pings is many.
            own().fold((0, 0), |(lost, all), own| {
                let (asked, answered) = own.counts;
                (lost + u64::from(asked.saturating_sub(answered)), all + u64::from(asked))
            })
        } else {
            (number, trouble.asked)
        };
        let text = format!(
            "{number} of {all} to {place} {}: {}.",
            if number == 1 { "was" } else { "were" },
            scene.blocked().filter(|_| outcome == Outcome::NoReply).map_or_else(
                || words::fate(scene.facts, trouble, outcome, number),
                |by| format!("blocked by {by}, as the log itself says")
            )
        );
        let seen: &[&'static Row] = match outcome {
            Outcome::RefusedByReset if nearer(scene, trouble) => &[&row::RESET_NEARER],
            Outcome::RefusedByReset if trouble.resolved.is_some() => &[&row::SYN_RESET_NAMED],
            Outcome::RefusedByReset => &[&row::SYN_RESET],
            Outcome::RefusedByIcmp(v6, kind, code) => {
                refused(scene, (v6, kind, code), own(), &text, ledger);
                continue;
            }
            Outcome::Undelivered(None) => &[&row::ACCEPTANCE_LOST],
            Outcome::Undelivered(Some((v6, kind, code))) => {
                let seen = match Meaning::of(v6, kind, code) {
                    Meaning::NetUnreachable | Meaning::HopsExceeded => &row::NO_WAY_BACK,
                    Meaning::Prohibited => &errors::PROHIBITED_ELSEWHERE,
                    _ => &row::ACCEPTANCE_LOST,
                };
                let text = format!("{text} From {}.", words::list(&reporters(scene, own())));
                ledger.see(seen, text, frames(own()));
                continue;
            }
            Outcome::NoReply if scene.blocked().is_some() => &[&errors::BLOCKED_BY_RULE],
            Outcome::NoReply if matches!(trouble.kind(), Kind::Snmp | Kind::Radius) => {
                &[&row::UNREACHED_BY_DESIGN]
            }
            Outcome::NoReply => &[&row::UNREACHED],
            Outcome::Misaddressed => &[&answers::OTHER_ADDRESS],
            Outcome::Mute => &[&row::REQUEST_MUTE],
            Outcome::Closed | Outcome::Reset | Outcome::ResetMidway => &[&row::CUT_EARLY],
            Outcome::ResetByDevice => &[&row::RESET_NEARER],
            Outcome::Alert { by_client: true, .. } => &[&row::ALERT_OF_CLIENT],
            Outcome::Alert { .. } => &[&row::ALERT_OF_SERVER],
            Outcome::Left { .. } => &[&row::HANDSHAKE_LEFT],
            Outcome::Fails(502 | 504) => &[&row::SAYS_FAILURE, &row::GATEWAY_FAILURE],
            outcome if limit(trouble.kind(), outcome).is_some_and(|limit| limit != Limit::Perhaps) => {
                &[&row::LIMIT_TOLD]
            }
            outcome if limit(trouble.kind(), outcome).is_some() && trouble.behind.is_none() => {
                &[&row::LIMIT_POSSIBLE]
            }
            Outcome::Denied(_) if trouble.is_whole => &[&row::ALL_REFUSED],
            // A client's mistake by its number; some of them are a server's word about itself (services §1.6).
            Outcome::Fails(code @ 400..500) if trouble.kind() == Kind::Http && !REFUSALS.contains(&code) => {
                &[&row::DENIED]
            }
            Outcome::Fails(_) if troubles::is_greylisted(scene.facts, trouble) => &[&row::DENIED],
            Outcome::Fails(_) | Outcome::Denied(Denial { why: Why::Fails, .. }) => &[&row::SAYS_FAILURE],
            Outcome::Denied(_) => &[&row::DENIED],
            Outcome::Kiss(_) | Outcome::NoTime => &[&row::NO_TIME_GIVEN],
            Outcome::WrongTime { .. } => &[&row::WRONG_TIME_GIVEN],
            Outcome::Stalled { .. } => &[&row::WINDOW_CLOSED],
            Outcome::LargeLost { .. } => &[&row::LARGE_MISSING],
            Outcome::Silenced { .. } => &[&row::WENT_SILENT],
            Outcome::Displaced => &[&row::SESSIONS_TAKEN],
            _ => &[],
        };
        for seen in seen {
            ledger.see(seen, text.clone(), frames(own()));
        }
        if matches!(outcome, Outcome::Reset | Outcome::ResetMidway) {
            ledger.see(&row::RESET_SEEN, text, frames(own()));
        }
    }
    silenced(scene, trouble, ledger);
}

/// Whether resets came from another distance than what else the host sent.
fn nearer(scene: &Scene<'_, '_>, trouble: &Trouble) -> bool {
    let attempts = scene.facts.attempts;
    let ttl = |packet: PacketId| scene.facts.index.packet(packet).map_or(0, |packet| packet.ttl());
    let resets: BTreeSet<u8> =
        trouble.attempts(attempts).filter_map(|own| own.decided).map(|seen| ttl(seen.packet)).collect();
    let served =
        attempts.all.iter().filter(|own| own.service.host == scene.server && own.outcome.is_served());
    let own: BTreeSet<u8> = served
        .filter_map(|own| attempts.carried(own).map(|carried| carried.answer_ttl).filter(|ttl| *ttl > 0))
        .collect();
    !own.is_empty() && !resets.contains(&0) && resets.is_disjoint(&own)
}

/// Who sent the errors that decided attempts.
fn reporters<'a>(scene: &Scene<'_, '_>, own: impl Iterator<Item = &'a Attempt>) -> Vec<String> {
    let errors = own.filter_map(|own| scene.facts.error(own.decided?.packet));
    let senders: BTreeSet<_> = errors.map(|error| error.source).collect();
    senders.iter().map(ToString::to_string).collect()
}

/// ICMP errors say who refused, and why.
fn refused<'a>(
    scene: &Scene<'_, '_>,
    (v6, kind, code): (bool, u8, u8),
    own: impl Iterator<Item = &'a Attempt> + Clone,
    text: &str,
    ledger: &mut Ledger,
) {
    let decided = || own.clone().filter_map(|own| own.decided);
    let senders: BTreeSet<_> =
        decided().filter_map(|seen| scene.facts.error(seen.packet)).map(|error| error.source).collect();
    let by_server = senders.iter().all(|sender| *sender == scene.server);
    let asking = senders.iter().all(|sender| scene.clients.contains(sender));
    let slow = own.clone().any(|own| own.waited_ns() >= 2 * PAUSE_NS);
    let seen = match Meaning::of(v6, kind, code) {
        Meaning::PortUnreachable if by_server => &errors::PORT_UNREACHABLE,
        Meaning::PortUnreachable => &errors::PORT_UNREACHABLE_ELSEWHERE,
        Meaning::Prohibited if by_server => &errors::PROHIBITED_BY_SERVER,
        Meaning::Prohibited => &errors::PROHIBITED_ELSEWHERE,
        Meaning::HostUnreachable if slow || asking => &errors::HOST_UNREACHABLE_SLOW,
        Meaning::HostUnreachable => &errors::HOST_UNREACHABLE_FAST,
        Meaning::NetUnreachable => &errors::NET_UNREACHABLE,
        Meaning::HopsExceeded => &errors::TIME_EXCEEDED,
        Meaning::ReassemblyExpired => &row::FRAGMENTS_MISSED,
        _ => return,
    };
    let names: Vec<String> = senders.iter().map(ToString::to_string).collect();
    let text = format!("{} From {}.", text, words::list(&names));
    ledger.see(seen, text, frames(own));
}

/// Answers that came late: where the time passed.
fn late(scene: &Scene<'_, '_>, trouble: &Trouble, ledger: &mut Ledger) {
    let attempts = scene.facts.attempts;
    let handshakes: Vec<Nanos> =
        trouble.attempts(attempts).map(|own| own.handshake_ns).filter(|took| *took > 0).collect();
    let pinged = pings(scene, trouble);
    let (seen, beside) = match handshakes.iter().max() {
        None if pinged.is_some_and(|longest| longest < SLOW_HANDSHAKE_NS) => (
            &row::LATE_BEHIND_HANDSHAKE,
            format!("; pings to it were answered after {} at most", span(pinged.unwrap_or(0))),
        ),
        Some(longest) if *longest < SLOW_HANDSHAKE_NS => {
            (&row::LATE_BEHIND_HANDSHAKE, format!("; the handshakes before took {} at most", span(*longest)))
        }
        Some(longest) => (&row::LATE_ALL, format!("; the handshakes before took up to {}", span(*longest))),
        None => (&row::LATE_UNCOMPARED, String::new()),
    };
    let text = format!(
        "Answers of {} came after {} in the middle{beside}.",
        words::place(trouble),
        words::late(scene.facts, trouble)
    );
    ledger.see(seen, text, frames(trouble.attempts(attempts)));
}

/// The longest answer of the host to pings at that time.
fn pings(scene: &Scene<'_, '_>, trouble: &Trouble) -> Option<Nanos> {
    let (from, to) = trouble.span_ns();
    let own = scene
        .facts
        .attempts
        .all
        .iter()
        .filter(|own| own.kind == Kind::Echo && own.service.host == scene.server);
    let during =
        own.filter(|own| own.outcome.is_served() && own.first.time_ns <= to && own.ended_ns() >= from);
    during.map(|own| own.answered_ns).max()
}

/// Connections that went silent: after a pause, while new ones work.
fn silenced(scene: &Scene<'_, '_>, trouble: &Trouble, ledger: &mut Ledger) {
    let attempts = scene.facts.attempts;
    let quiet = trouble.attempts(attempts).filter_map(|own| match own.outcome {
        Outcome::Silenced { quiet_ns, .. } => Some((quiet_ns, own)),
        _ => None,
    });
    let Some((quiet_ns, own)) = quiet.max_by_key(|(quiet_ns, _)| *quiet_ns) else { return };
    if quiet_ns >= PAUSE_NS {
        let text = format!(
            "The connection had been quiet for {} before the data that were lost{}.",
            span(quiet_ns),
            if quiet_ns < IDLE_NS { ", which is short for a firewall to forget it" } else { "" }
        );
        ledger.see(&row::QUIET_BEFORE, text, own.frames());
    }
    let (from, to) = trouble.span_ns();
    let meanwhile: Vec<&Attempt> = attempts
        .all
        .iter()
        .filter(|other| {
            other.service == own.service
                && other.client.0 == own.client.0
                && (other.outcome.is_served() || other.failing.time_ns > other.first.time_ns)
                && other.first.time_ns >= from
                && other.first.time_ns <= to + NEAR_NS
        })
        .collect();
    if !meanwhile.is_empty() {
        let text = format!(
            "{} to the same port worked meanwhile or soon after.",
            rules::counted(meanwhile.len(), "new connection", "new connections")
        );
        ledger.see(&row::NEW_CONNECTION_WORKS, text, frames(meanwhile.into_iter()));
    }
}

/// Who was served by this service meanwhile.
fn served(scene: &Scene<'_, '_>, trouble: &Trouble, ledger: &mut Ledger) {
    let attempts = scene.facts.attempts;
    let (from, to) = trouble.span_ns();
    let hit: BTreeSet<_> = trouble.hit().map(|client| client.address).collect();
    let inside = |own: &&Attempt| own.is_within(from, to);
    let between: Vec<&Attempt> =
        trouble.good(attempts).filter(inside).filter(|own| hit.contains(&own.client.0)).collect();
    // A new connection that works says nothing about one that went silent.
    let counts = matches!(trouble.sort, Sort::Failed(face, _) if !matches!(face, Face::Silenced | Face::Stalled | Face::Large));
    if counts && trouble.part.is_none() && !between.is_empty() {
        let courses = trouble.courses(attempts);
        let alternating: Vec<&Attempt> =
            between.iter().copied().filter(|own| courses.is_between(own)).collect();
        let served = |own: &[&Attempt]| {
            let attempts = rules::counted(own.len(), "attempt", "attempts");
            format!("{attempts} of the same clients {} served", if own.len() == 1 { "was" } else { "were" })
        };
        // What a service says itself tells nothing of members behind it.
        let by_word = matches!(trouble.sort, Sort::Failed(Face::Fails, _));
        if alternating.is_empty() {
            let text = format!(
                "While they failed, {}, none of them between two failures of one client.",
                served(&between)
            );
            let seen = if by_word { &row::SERVED_BETWEEN_WORDS } else { &row::SERVED_BESIDE };
            ledger.see(seen, text, frames(between.into_iter()));
        } else {
            let text = format!("Between the failures {}.", served(&alternating));
            let seen = if by_word { &row::SERVED_BETWEEN_WORDS } else { &row::SERVED_BETWEEN };
            ledger.see(seen, text, frames(alternating.into_iter()));
        }
    }
    let is_other = |own: &&Attempt| match &trouble.part {
        Some(part) if part.property != troubles::Property::Client => {
            !words::is_same_part(scene.facts, part, own)
        }
        _ => !hit.contains(&own.client.0),
    };
    // A contrast is what was begun and served while they failed; of failures that were told at once also what was close by.
    let is_by_client = trouble.part.as_ref().is_none_or(|part| part.property == troubles::Property::Client);
    let margin = if is_by_client { 0 } else { NEAR_NS };
    let all = || attempts.all.iter().filter(|own| trouble.asks_of(own));
    let others = |margin: Nanos| -> Vec<&Attempt> {
        let near = all().filter(move |own| {
            own.outcome.is_served() && !troubles::is_long(own) && own.is_within(from - margin, to + margin)
        });
        near.filter(is_other).take(FRAMES_MAX).collect()
    };
    // Where what has not the property failed as well, it parts nothing.
    let own_failures: BTreeSet<u32> = trouble.failed.iter().copied().collect();
    let fails_too = || {
        let all = attempts.all.iter().enumerate().filter(|(at, own)| {
            trouble.asks_of(own) && !own_failures.contains(&(*at as u32)) && own.outcome.face().is_some()
        });
        all.into_iter().any(|(_, own)| own.first.time_ns <= to && own.ended_ns() >= from && is_other(&own))
    };
    let inside = others(0);
    let (others, when) =
        if inside.is_empty() { (others(margin), "close to that time") } else { (inside, "at that time") };
    let others = if !is_by_client && !others.is_empty() && fails_too() { Vec::new() } else { others };
    if !others.is_empty() {
        let what = match &trouble.part {
            Some(part) if part.property == troubles::Property::Path => "other paths",
            Some(part) if part.property == troubles::Property::Name => "other names",
            Some(part) if part.property == troubles::Property::Account => "other accounts",
            Some(part) if part.property == troubles::Property::Size => "requests in one piece",
            _ => "other clients",
        };
        let by_client = trouble.part.as_ref().is_none_or(|part| part.property == troubles::Property::Client);
        let by_size = trouble.part.as_ref().is_some_and(|part| part.property == troubles::Property::Size);
        let seen = match by_client {
            _ if by_size => &row::PIECES_SERVED,
            true => &row::OTHER_CLIENTS_SERVED,
            false => &row::OTHERS_SERVED,
        };
        let text = format!(
            "{} for {what} {} served by {} {when}.",
            rules::counted(others.len(), "attempt", "attempts"),
            if others.len() == 1 { "was" } else { "were" },
            words::place(trouble)
        );
        ledger.see(seen, text, frames(others.into_iter()));
    }
    let refused = trouble.outcomes(attempts).iter().any(|(outcome, _)| {
        matches!(
            outcome,
            Outcome::RefusedByReset
                | Outcome::RefusedByIcmp(false, 3, 3)
                | Outcome::RefusedByIcmp(true, 1, 4)
        )
    });
    if let Some(good) = trouble.last_good.filter(|_| refused && trouble.part.is_none()) {
        let text = format!("{} served the same clients before.", words::place(trouble));
        ledger.see(&row::SERVED_BEFORE, text, vec![good.packet]);
    }
}

/// Two devices that speak for the server's address.
fn owners(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(conflict) = scene.facts.conflicts.iter().find(|own| own.address == scene.server) else { return };
    let text = format!("{}.", crate::findings::duplicate_address::words(conflict));
    let seen =
        if conflict.parting.is_some() { &surroundings::OWNERS_PARTED } else { &surroundings::TWO_OWNERS };
    ledger.see(seen, text, conflict.frames());
}

/// What the host did otherwise.
fn host(scene: &Scene<'_, '_>, trouble: &Trouble, ledger: &mut Ledger) {
    let unreached = matches!(trouble.sort, Sort::Failed(Face::Unreached | Face::Silenced, _));
    if !unreached {
        return;
    }
    let (from, to) = trouble.span_ns();
    let attempts = scene.facts.attempts;
    let near = |own: &&Attempt| {
        own.service.host == scene.server
            && !trouble.services.iter().any(|(service, _)| *service == own.service)
            && own.ended_ns() >= from
            && own.first.time_ns <= to
    };
    let alive: Vec<&Attempt> =
        attempts.all.iter().filter(near).filter(|own| own.outcome.is_served()).collect();
    let asked = scene.facts.servers.iter().filter(|(key, _)| key.0 == scene.server);
    let resolved: Vec<PacketId> = asked
        .flat_map(|(_, server)| server.answers_in(from, to))
        .map(|answer| answer.packet)
        .take(FRAMES_MAX)
        .collect();
    let sent = |own: &&Attempt| own.client.0 == scene.server && (from..=to).contains(&{ own.first.time_ns });
    let asking: Vec<&Attempt> = attempts.all.iter().filter(sent).take(FRAMES_MAX).collect();
    let lives = match alive.first() {
        Some(first) if first.kind == Kind::Echo => {
            Some(("answered pings".to_owned(), frames(alive.into_iter())))
        }
        Some(first) => {
            let what = format!("answered {}", words::kind(first.service, first.kind));
            Some((what, frames(alive.into_iter().take(FRAMES_MAX))))
        }
        None if !resolved.is_empty() => Some(("answered DNS".to_owned(), resolved)),
        None if !asking.is_empty() => {
            Some(("sent requests of its own".to_owned(), asking.iter().map(|own| own.first.packet).collect()))
        }
        None => None,
    };
    if let Some((what, frames)) = lives {
        ledger.see(&row::HOST_LIVES, format!("{} {what} at that time.", scene.server), frames);
    } else {
        let silent: Vec<&Attempt> =
            attempts.all.iter().filter(near).filter(|own| own.outcome == Outcome::NoReply).collect();
        if !silent.is_empty() {
            let text = format!("Pings or other requests to {} got no reply either.", scene.server);
            ledger.see(&row::HOST_SILENT, text, frames(silent.into_iter().take(FRAMES_MAX)));
        }
    }
    let runs: Vec<_> = scene.facts.runs.iter().filter(|run| run.target == scene.server).collect();
    if !runs.is_empty() {
        unanswered(&row::HOST_UNANSWERED, &runs, ledger);
    }
    let hops: Vec<_> = scene
        .facts
        .runs
        .iter()
        .filter(|run| {
            run.wanted == crate::findings::facts::runs::Wanted::NextHop && scene.clients.contains(&run.asker)
        })
        .collect();
    if !hops.is_empty() {
        unanswered(&surroundings::NEXT_HOP_UNANSWERED, &hops, ledger);
    }
}

/// Leases: who was asked, and whether others got theirs.
fn lease(scene: &Scene<'_, '_>, trouble: &Trouble, ledger: &mut Ledger) {
    let attempts = scene.facts.attempts;
    for (outcome, number) in trouble.outcomes(attempts) {
        let own = trouble.attempts(attempts).filter(|own| own.outcome == outcome);
        let text = format!("{number} of {}: {}.", trouble.asked, words::how(outcome, Kind::Dhcp));
        let seen = match outcome {
            Outcome::NoOffer | Outcome::Unconfirmed => &row::NO_OFFER,
            Outcome::Nak | Outcome::NoAddress => &row::LEASE_REFUSED,
            Outcome::Declined => &surroundings::TWO_OWNERS,
            _ => continue,
        };
        ledger.see(seen, text, frames(own));
    }
    let (from, to) = trouble.span_ns();
    let hit: BTreeSet<_> = trouble.hit().map(|client| client.address).collect();
    let others: Vec<&Attempt> = attempts
        .all
        .iter()
        .filter(|own| {
            own.kind == Kind::Dhcp && own.outcome == Outcome::Answered && !hit.contains(&own.client.0)
        })
        .filter(|own| own.first.time_ns >= from - NEAR_NS && own.first.time_ns <= to + NEAR_NS)
        .collect();
    let given: BTreeSet<_> = others.iter().map(|own| own.client.0).collect();
    if !others.is_empty() {
        let text = format!(
            "{} an address meanwhile.",
            rules::counted(given.len(), "other client was given", "other clients were given")
        );
        ledger.see(&row::OTHERS_OFFERED, text, frames(others.into_iter()));
    }
}
