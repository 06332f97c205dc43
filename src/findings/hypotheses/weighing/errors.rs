//! Rows from the ICMP errors about the failed queries: what they say, who sent them, when.

use std::collections::BTreeSet;

use super::surroundings::wrong_address_class;
use crate::correlate::hosts::Place;
use crate::correlate::{Level, generator};
use crate::decode::Address;
use crate::findings::duplicate_address::link_words;
use crate::findings::facts::{Ending, ErrorFact, Meaning, Sort};
use crate::findings::hypotheses::catalogue::{Cause, Class};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::{errors as row, surroundings};
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::thresholds::{
    ANSWERS_MAX, FEW_HOPS_MAX, GENERATORS_MAX, HOPS_SLACK, NOISE_NS, QUOTE_BYTES_MIN, RESOLUTION_MAX_NS,
    RESOLUTION_MIN_NS, TOGETHER_FACTOR, TOGETHER_NS, TRIP_FACTOR,
};
use crate::index::PacketId;
use crate::time::{Nanos, span};

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    semantics(scene, ledger);
    let on_link = sender(scene, ledger);
    timing(scene, ledger);
    integrity(scene, on_link, ledger);
}

pub(super) fn frames(errors: &[&ErrorFact]) -> Vec<PacketId> {
    errors.iter().map(|error| error.packet).collect()
}

fn senders(errors: &[&ErrorFact]) -> String {
    let mut seen: Vec<Address> = Vec::new();
    for error in errors {
        if !seen.contains(&error.source) {
            seen.push(error.source);
        }
    }
    let shown: Vec<String> = seen.iter().take(3).map(ToString::to_string).collect();
    let more = seen.len().saturating_sub(3);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn text(scene: &Scene<'_, '_>, errors: &[&ErrorFact]) -> String {
    let first = errors.first();
    format!(
        "{} × {} ({}) from {} about {} to {}.",
        errors.len(),
        first.map_or("", |error| error.words()),
        first.map_or_else(String::new, |error| error.code_words()),
        senders(errors),
        // What was tried over TCP after an answer over UDP was cut has errors of its own.
        if errors.iter().all(|error| error.quoted.is_some_and(|quoted| quoted.transport != scene.service.1)) {
            "TCP segments"
        } else {
            "queries"
        },
        scene.server
    )
}

/// What the errors say: the rows of the matrix.
fn semantics(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    for meaning in [
        Meaning::PortUnreachable,
        Meaning::Prohibited,
        Meaning::HostUnreachable,
        Meaning::NetUnreachable,
        Meaning::HopsExceeded,
    ] {
        let (by_server, elsewhere): (Vec<&ErrorFact>, Vec<&ErrorFact>) = scene
            .errors_of(meaning)
            .into_iter()
            .filter(|error| error.level != Some(Level::Contradicted))
            .partition(|error| error.source == scene.server);
        match meaning {
            Meaning::PortUnreachable => {
                port_by_server(scene, &by_server, ledger);
                port_elsewhere(scene, &elsewhere, ledger);
            }
            Meaning::Prohibited => {
                prohibited_by_server(scene, &by_server, ledger);
                prohibited_elsewhere(scene, &elsewhere, ledger);
            }
            Meaning::HostUnreachable => {
                unreachable_by_server(scene, &by_server, ledger);
                host_unreachable(scene, &elsewhere, ledger);
            }
            Meaning::NetUnreachable => {
                unreachable_by_server(scene, &by_server, ledger);
                net_unreachable(scene, &elsewhere, ledger);
            }
            _ => hops_exceeded(scene, &scene.errors_of(meaning), ledger),
        }
    }
}

fn port_by_server(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    let exact = errors.iter().any(|error| matches!(error.level, Some(Level::Exact | Level::Nat)));
    let seen = if exact { &row::PORT_UNREACHABLE } else { &row::PORT_UNREACHABLE_PROBABLE };
    ledger.see(seen, text(scene, errors), frames(errors));
}

fn port_elsewhere(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    ledger.see(&row::PORT_UNREACHABLE_ELSEWHERE, text(scene, errors), frames(errors));
}

fn prohibited_by_server(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    ledger.see(&row::PROHIBITED_BY_SERVER, text(scene, errors), frames(errors));
}

fn prohibited_elsewhere(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    ledger.see(&row::PROHIBITED_ELSEWHERE, text(scene, errors), frames(errors));
}

/// A host that says of itself that it cannot be reached: a rule with this code, or a translating device in front whose
/// backend is gone. Only the device waits for address resolution.
fn unreachable_by_server(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    let seen = if errors.iter().any(|error| took_resolution(error)) {
        &row::UNREACHABLE_BY_SERVER_SLOW
    } else {
        &row::UNREACHABLE_BY_SERVER_FAST
    };
    ledger.see(seen, host_unreachable_text(scene, errors), frames(errors));
}

fn host_unreachable(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    let waited = errors.iter().any(|error| took_resolution(error) || error.source == error.destination);
    if errors.is_empty() {
        return;
    }
    // Where nobody was ever heard, a wrong address sends the same packets as a dead host.
    let unheard = wrong_address_class(scene) == Some(Class::Of(Cause::HostDown));
    // Queries that wait behind the first one for the same address resolution get their error sooner.
    let seen = match (waited, unheard) {
        (true, false) => &row::HOST_UNREACHABLE_SLOW,
        (true, true) => &row::HOST_UNREACHABLE_SLOW_UNHEARD,
        (false, false) => &row::HOST_UNREACHABLE_FAST,
        (false, true) => &row::HOST_UNREACHABLE_FAST_UNHEARD,
    };
    ledger.see(seen, host_unreachable_text(scene, errors), frames(errors));
}

/// Whether the error came after the time address resolution takes.
fn took_resolution(error: &ErrorFact) -> bool {
    (RESOLUTION_MIN_NS..=RESOLUTION_MAX_NS).contains(&error.delta_ns)
}

/// The errors with their delay, where the queries they are about were captured.
fn host_unreachable_text(scene: &Scene<'_, '_>, errors: &[&ErrorFact]) -> String {
    let text = text(scene, errors);
    if errors.iter().all(|error| error.about.is_none()) {
        return text;
    }
    format!("{text} Delay after the query: {}.", delays(errors))
}

fn net_unreachable(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    ledger.see(&row::NET_UNREACHABLE, text(scene, errors), frames(errors));
}

fn hops_exceeded(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    few_hops(scene, ledger);
    ledger.see(&row::TIME_EXCEEDED, text(scene, errors), frames(errors));
}

/// Whether the failing queries left their client with fewer hops than any system gives.
fn few_hops(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let ttl =
        |packet: PacketId| scene.facts.index.packet(packet).map(|packet| packet.ttl()).filter(|ttl| *ttl > 0);
    let evidence = scene.facts.evidence;
    let own: BTreeSet<u8> = scene.transactions.iter().filter_map(|own| ttl(own.first)).collect();
    let Some(most) = own.last().copied().filter(|most| *most <= FEW_HOPS_MAX) else { return };
    let answered = scene.asked().into_iter().flat_map(|asked| asked.answers.iter().take(ANSWERS_MAX));
    let mut served =
        answered.filter_map(|answer| evidence.transaction(evidence.transaction_of(answer.packet)?));
    let other =
        served.find(|other| ttl(other.first).is_some_and(|ttl| ttl > FEW_HOPS_MAX)).map(|own| own.first);
    let beside = match other.and_then(ttl) {
        Some(ttl) => format!("; answered queries of others start with {ttl}"),
        None => String::new(),
    };
    let first = scene.transactions.first().map(|own| own.first);
    ledger.see(
        if other.is_some() { &surroundings::FEW_HOPS } else { &surroundings::FEW_HOPS_ALONE },
        format!("The failing queries leave their client with TTL {most} at most{beside}."),
        first.into_iter().chain(other).collect(),
    );
}

/// Who sent the errors: address, distance, quoted TTL; whether it was a third device on the server's link.
fn sender(scene: &Scene<'_, '_>, ledger: &mut Ledger) -> bool {
    // What disagrees with every packet sent says nothing about where the server stands.
    let about: Vec<&ErrorFact> = scene
        .errors
        .iter()
        .filter(|e| !e.is_about_response() && is_unreachable(e) && e.level != Some(Level::Contradicted))
        .copied()
        .collect();
    let (by_server, elsewhere): (Vec<&ErrorFact>, Vec<&ErrorFact>) =
        about.iter().copied().partition(|error| error.source == scene.server);
    if !elsewhere.is_empty() && by_server.len() < elsewhere.len() {
        source_differs(scene, &elsewhere, ledger);
    }
    let on_link = other_link(scene, &by_server, ledger);
    let bridged = bridge(scene, &by_server, ledger);
    distance(scene, &by_server, bridged, ledger);
    let local: Vec<&ErrorFact> = about
        .iter()
        .filter(|error| error.source == error.destination && error.source != scene.server)
        .copied()
        .collect();
    let Some(first) = local.first() else { return on_link };
    let rejects = local.iter().any(|e| matches!(e.meaning, Meaning::Prohibited | Meaning::PortUnreachable));
    ledger.see(
        match first.meaning {
            _ if rejects => &row::LOCAL_REJECTION,
            Meaning::NetUnreachable => &row::LOCAL_NO_ROUTE,
            _ => &row::LOCAL_ERROR,
        },
        format!("The errors about {} were sent by {} to itself.", scene.server, first.source),
        frames(&local),
    );
    on_link
}

/// Errors in the server's name that another device on this link sent: its answers bear another link address.
fn other_link(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) -> bool {
    let near = matches!(scene.facts.evidence.place(scene.server), Place::Here | Place::Link);
    let Some(host) = scene.host().filter(|_| near) else { return false };
    let link = |packet: PacketId| {
        let packet = scene.facts.index.packet(packet)?;
        packet.decode().link_addresses.map(|addresses| addresses.0).filter(|link| *link != [0; 6])
    };
    let own: BTreeSet<[u8; 6]> =
        host.of(Sort::Dns).iter().take(GENERATORS_MAX).filter_map(|sign| link(sign.packet)).collect();
    let sample = host.of(Sort::Dns).first();
    let other: Vec<PacketId> = errors
        .iter()
        .map(|error| error.packet)
        .filter(|error| link(*error).is_some_and(|link| !own.contains(&link)))
        .collect();
    let (Some(first), Some(sample)) = (other.first().and_then(|error| link(*error)), sample) else {
        return false;
    };
    if own.is_empty() || other.len() * 2 < errors.len() {
        return false;
    }
    let shown: Vec<String> = own.iter().map(|link| link_words(*link)).collect();
    ledger.see(
        &row::OTHER_LINK,
        format!(
            "{} in the name of {} came from link address {}, its answers from {}.",
            crate::findings::rules::counted(other.len(), "error", "errors"),
            scene.server,
            link_words(first),
            shown.join(", ")
        ),
        other.into_iter().chain([sample.packet]).collect(),
    );
    true
}

fn is_unreachable(error: &ErrorFact) -> bool {
    !matches!(error.meaning, Meaning::ReassemblyExpired | Meaning::TooBig | Meaning::Other)
}

fn source_differs(scene: &Scene<'_, '_>, elsewhere: &[&ErrorFact], ledger: &mut Ledger) {
    let rejecting: Vec<&ErrorFact> = elsewhere
        .iter()
        .copied()
        .filter(|error| matches!(error.meaning, Meaning::Prohibited | Meaning::PortUnreachable))
        .collect();
    if !rejecting.is_empty() {
        ledger.see(
            &row::SOURCE_DIFFERS,
            format!("The errors come from {}, not from {}.", senders(&rejecting), scene.server),
            frames(&rejecting),
        );
    }
    let quoted = rejecting.iter().find_map(|error| {
        let generator = generator::of(scene.facts.index, scene.facts.evidence, error.packet)?;
        Some((*error, generator.quoted_hops.filter(|gone| *gone > 0)?))
    });
    if let Some((error, gone)) = quoted {
        ledger.see(
            &row::QUOTED_TTL,
            format!(
                "The quoted TTL shows that the packet had travelled {} when it was rejected.",
                crate::findings::rules::counted(usize::from(gone), "hop", "hops")
            ),
            vec![error.packet],
        );
    }
}

/// Compares the errors' distance with that of other packets from the same address (correlation §2.6).
fn distance(scene: &Scene<'_, '_>, errors: &[&ErrorFact], bridged: Bridged, ledger: &mut Ledger) {
    let index = scene.facts.index;
    let found = errors.iter().filter(|error| error.ttl > 0).find_map(|error| {
        let generator = generator::of(index, scene.facts.evidence, error.packet)?;
        Some((*error, generator.hops?, generator.other_hops?))
    });
    let Some((first, error_hops, (other_hops, sample))) = found else { return };
    let other_ttl = index.packet(sample).map_or(0, |packet| packet.ttl());
    let frames = vec![first.packet, sample];
    let (seen, words) = match (error_hops.abs_diff(other_hops) <= HOPS_SLACK, bridged) {
        (true, Bridged::No) => (&row::HOPS_AGREE, "as far away as"),
        (true, Bridged::Yes) => (&row::HOPS_AGREE_BRIDGED, "as far away as"),
        (false, _) => (&row::HOPS_DIFFER, "another distance than"),
    };
    let text = format!(
        "The error (TTL {}, {error_hops} hops) comes from {words} other packets of {} (TTL {}, {other_hops} hops).",
        first.ttl, scene.server, other_ttl
    );
    ledger.see(seen, text, frames);
}

/// Whether errors bear the marks of a transparent filter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bridged {
    Yes,
    No,
}

/// Marks of a transparent filter in errors that carry the server's address.
fn bridge(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) -> Bridged {
    let bridged = |error: &&&ErrorFact| {
        generator::of(scene.facts.index, scene.facts.evidence, error.packet)
            .is_some_and(|generator| generator.make == generator::Make::LinuxBridge)
    };
    let marked: Vec<PacketId> =
        errors.iter().take(GENERATORS_MAX).filter(bridged).map(|error| error.packet).collect();
    if marked.is_empty() || marked.len() < errors.len().min(GENERATORS_MAX) {
        return Bridged::No;
    }
    ledger.see(
        &row::BRIDGE_PATTERN,
        "The errors carry TOS 0, don't fragment and IP id 0.".to_owned(),
        marked,
    );
    Bridged::Yes
}

/// When the errors came.
fn timing(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let refusals: Vec<&ErrorFact> = scene
        .errors
        .iter()
        .filter(|error| matches!(error.meaning, Meaning::PortUnreachable | Meaning::Prohibited))
        .filter(|error| !error.is_about_response() && error.about.is_some())
        .copied()
        .collect();
    let (late, prompt): (Vec<&ErrorFact>, Vec<&ErrorFact>) = refusals.into_iter().partition(|e| e.delayed);
    if !late.is_empty() {
        ledger.see(
            &row::DELAYED,
            format!("The errors came {} after their queries; such an error is sent at once.", delays(&late)),
            frames(&late),
        );
    }
    trips(scene, &prompt, ledger);
    together(scene, ledger);
}

/// Compares the errors' delay with the server's round trip, where other packets show one.
fn trips(scene: &Scene<'_, '_>, prompt: &[&ErrorFact], ledger: &mut Ledger) {
    let Some((trip, what)) = shortest_trip(scene) else { return };
    let mut deltas: Vec<Nanos> = prompt.iter().map(|error| error.delta_ns).collect();
    deltas.sort_unstable();
    let Some(delta) = crate::time::median(&deltas) else { return };
    let words = format!(
        "The errors came {} after the queries; {what} of {} took {}.",
        span(delta),
        scene.server,
        span(trip)
    );
    if delta.saturating_mul(TRIP_FACTOR) < trip && trip - delta > NOISE_NS {
        ledger.see(&row::DELAY_SHORT, words, frames(prompt));
    } else if delta <= trip.saturating_mul(TRIP_FACTOR) {
        ledger.see(&row::DELAY_FITS, words, frames(prompt));
    }
}

/// The shortest round trip to the server seen, of answers or of TCP, and what it is of: what takes longer, the server
/// may have spent on its own.
fn shortest_trip(scene: &Scene<'_, '_>) -> Option<(Nanos, &'static str)> {
    let answers = scene.asked().and_then(|asked| asked.trips_ns.first().copied());
    let handshakes = scene.facts.connections.iter().filter_map(|connection| {
        let mine = connection.server.0 == scene.server && connection.tries == 1;
        let ended = matches!(connection.ending, Ending::Accepted | Ending::Refused | Ending::ResetLater);
        let decided = connection.decided.filter(|_| mine && ended)?;
        Some(scene.facts.time(decided) - connection.time_ns)
    });
    let answers = answers.map(|trip| (trip, "the fastest answer"));
    let handshakes = handshakes.map(|trip| (trip, "the fastest TCP reply"));
    answers.into_iter().chain(handshakes).filter(|(trip, _)| *trip > 0).min()
}

/// Errors about several queries that arrive at the same moment: a waiting queue was flushed.
fn together(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let unreachable = scene.errors_of(Meaning::HostUnreachable);
    let pair = unreachable.windows(2).find_map(|pair| match pair {
        [a, b] => {
            let close = (b.time_ns - a.time_ns).abs() <= TOGETHER_NS;
            let apart = (a.delta_ns - b.delta_ns).abs() > TOGETHER_FACTOR * TOGETHER_NS;
            (close && apart).then(|| vec![a.packet, b.packet])
        }
        _ => None,
    });
    if let Some(frames) = pair {
        ledger.see(
            &row::ERRORS_TOGETHER,
            "Errors about queries sent at different times came at the same moment.".to_owned(),
            frames,
        );
    }
}

/// Whether the errors themselves can be trusted; a third device on the link sees the queries it quotes.
fn integrity(scene: &Scene<'_, '_>, on_link: bool, ledger: &mut Ledger) {
    let contradicted: Vec<&ErrorFact> =
        scene.errors.iter().filter(|error| error.level == Some(Level::Contradicted)).copied().collect();
    if !contradicted.is_empty() {
        ledger.see(
            &row::CONTRADICTED,
            format!(
                "{} not agree with any packet sent.",
                crate::findings::rules::counted(contradicted.len(), "error does", "errors do")
            ),
            frames(&contradicted),
        );
    }
    let exact: Vec<&ErrorFact> = scene
        .errors
        .iter()
        .filter(|error| error.level == Some(Level::Exact))
        .filter(|error| error.quoted.is_some_and(|quoted| quoted.payload_bytes >= QUOTE_BYTES_MIN))
        .copied()
        .collect();
    if !exact.is_empty() && !on_link {
        ledger.see(
            &row::FULL_QUOTE,
            format!(
                "{} the query with its DNS id, byte for byte.",
                crate::findings::rules::counted(exact.len(), "error quotes", "errors quote")
            ),
            frames(&exact),
        );
    }
}

fn delays(errors: &[&ErrorFact]) -> String {
    let low = errors.iter().map(|error| error.delta_ns).min().unwrap_or(0);
    let high = errors.iter().map(|error| error.delta_ns).max().unwrap_or(0);
    if low == high { span(low) } else { format!("{} to {}", span(low), span(high)) }
}
