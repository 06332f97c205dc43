//! Rows from the ICMP errors about the failed queries: what they say, who sent them, when.

use super::surroundings::absent_class;
use crate::correlate::{Level, generator};
use crate::decode::Address;
use crate::findings::facts::{Ending, ErrorFact, Meaning};
use crate::findings::hypotheses::Group;
use crate::findings::hypotheses::ledger::{Ledger, Observation, Row};
use crate::findings::hypotheses::scene::Scene;
use crate::index::PacketId;
use crate::time::{Nanos, span};

/// Address resolution gives up after three tries a second apart; errors about it come in this window.
const RESOLUTION_NS: std::ops::RangeInclusive<Nanos> = 2_500_000_000..=5_000_000_000;
/// Errors this close together, about queries further apart, come from one queue being flushed.
const TOGETHER_NS: Nanos = 20_000_000;
/// Errors whose maker is read for one problem.
const GENERATORS_MAX: usize = 32;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    semantics(scene, ledger);
    sender(scene, ledger);
    timing(scene, ledger);
    integrity(scene, ledger);
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
        "{} × {} ({}) from {} about queries to {}.",
        errors.len(),
        first.map_or("", |error| error.words()),
        first.map_or_else(String::new, |error| error.code_words()),
        senders(errors),
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
    let observation =
        Observation::new(Row::PortUnreachable, Group::ErrorSemantics, text(scene, errors), frames(errors))
            .fits(
                "a host without a listener, a rejecting filter and a device in front all send exactly \
                 this (RFC 1122 §3.2.2.1)",
            )
            .against("a device using the server's address received the query and refused the port");
    let exact = errors.iter().any(|error| matches!(error.level, Some(Level::Exact | Level::Nat)));
    let weights = if exact {
        [10, 10, 10, 10, -10, -20, -20, -20, 0, -10, 0, -10]
    } else {
        [5, 5, 5, 5, -5, -10, -10, -10, 0, -5, 2, -5]
    };
    matrix(ledger, &observation, weights);
}

fn port_elsewhere(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    let observation = Observation::new(
        Row::PortUnreachableElsewhere,
        Group::ErrorSemantics,
        text(scene, errors),
        frames(errors),
    )
    .fits("a filter on the path may reject with port unreachable in its own name")
    .against("the refusal does not come from the server's address");
    matrix(ledger, &observation, [-10, -20, 2, -2, 10, -5, -5, -10, 0, -5, 2, -5]);
}

fn prohibited_by_server(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    let observation =
        Observation::new(Row::ProhibitedByServer, Group::ErrorSemantics, text(scene, errors), frames(errors))
            .fits("a rule on the host itself rejects with this code (RFC 1812 §5.2.7.1)")
            .against("the message names a rule at the server's address as the reason");
    matrix(ledger, &observation, [-10, 20, 5, -5, -5, -20, -20, -20, -2, -10, 0, -10]);
}

fn prohibited_elsewhere(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    let observation = Observation::new(
        Row::ProhibitedElsewhere,
        Group::ErrorSemantics,
        text(scene, errors),
        frames(errors),
    )
    .fits("the message is the one a filtering device sends in its own name (RFC 1812 §5.2.7.1)")
    .against("the message names a rule on another device as the reason");
    matrix(ledger, &observation, [-20, -20, 0, -5, 20, -10, -5, -20, -2, -10, 0, -10]);
}

/// A host that says of itself that it cannot be reached: a rule with this code, or a translating device in front whose
/// backend is gone. Only the device waits for address resolution.
fn unreachable_by_server(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    let waited = errors.iter().any(|error| RESOLUTION_NS.contains(&error.delta_ns));
    let observation = Observation::new(
        Row::UnreachableByServer,
        Group::ErrorSemantics,
        host_unreachable_text(scene, errors),
        frames(errors),
    )
    .fits(if waited {
        "a device that translates the address could not resolve the link address of the real server behind it"
    } else {
        "a rule can reject with this code; no host reports itself unreachable of its own accord"
    })
    .against("a device using the server's address received the query and sent the message");
    if waited {
        matrix(ledger, &observation, [-20, -5, 20, -5, -5, 10, -5, -20, -2, -20, 0, -10]);
    } else {
        matrix(ledger, &observation, [-10, 20, 10, -5, -5, -20, -10, -20, -2, -10, 0, -10]);
    }
}

fn host_unreachable(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    let (slow, fast): (Vec<&ErrorFact>, Vec<&ErrorFact>) = errors
        .iter()
        .copied()
        .partition(|error| RESOLUTION_NS.contains(&error.delta_ns) || error.source == error.destination);
    // Queries that wait behind the first one for the same address resolution get their error sooner.
    let (decisive, row) = if slow.is_empty() {
        (fast, Row::HostUnreachableFast)
    } else {
        (errors.to_vec(), Row::HostUnreachableSlow)
    };
    if decisive.is_empty() {
        return;
    }
    let observation = Observation::new(
        row,
        Group::ErrorSemantics,
        host_unreachable_text(scene, &decisive),
        frames(&decisive),
    )
    .fits(if row == Row::HostUnreachableSlow {
        "the last router could not resolve the host's link address; three tries a second \
             apart take about 3 s"
    } else {
        "at once it comes from a reject route, a rule with this code, or an address that had just failed to resolve"
    })
    .against("the router reported that the host could not be reached");
    // Where nobody was ever heard, a wrong address sends the same packets as a dead host.
    let alike = |class, db| if absent_class(scene) == Some(class) { db } else { 0 };
    if row == Row::HostUnreachableSlow {
        matrix(ledger, &observation, [-20, -20, -10, alike("H6", 20), -5, 20, 2, -20, -2, -20, 0, -10]);
    } else {
        // Three causes send this alike, and it proves none of them.
        matrix(ledger, &observation, [-20, -20, -10, alike("H6", 5), 5, 5, 5, -20, -2, -20, 0, -10]);
    }
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
    let observation =
        Observation::new(Row::NetUnreachable, Group::ErrorSemantics, text(scene, errors), frames(errors))
            .fits("a router without a route to the network sends this")
            .against("the query did not reach the server's network");
    let alike = |class, db| if absent_class(scene) == Some(class) { db } else { 0 };
    matrix(ledger, &observation, [-20, -20, -10, alike("H7", 20), -2, -2, 20, -20, -2, -20, 0, -10]);
}

fn hops_exceeded(scene: &Scene<'_, '_>, errors: &[&ErrorFact], ledger: &mut Ledger) {
    if errors.is_empty() {
        return;
    }
    let observation =
        Observation::new(Row::TimeExceeded, Group::ErrorSemantics, text(scene, errors), frames(errors))
            .fits("queries that use up their hops travel in a loop")
            .against("the query did not reach the server's network");
    matrix(ledger, &observation, [-20, -20, -10, 0, -5, -5, 20, -20, -2, -20, 0, -10]);
}

/// Who sent the errors: address, distance, quoted TTL.
fn sender(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
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
    let bridged = bridge(scene, &by_server, ledger);
    distance(scene, &by_server, bridged, ledger);
    if let Some(local) = about.iter().find(|error| error.source == error.destination) {
        let observation = Observation::new(
            Row::LocalError,
            Group::Generator,
            format!("The error about {} was sent by {} to itself.", scene.server, local.source),
            vec![local.packet],
        )
        .fits("the asking host's own kernel reports that it could not resolve the neighbour's link address")
        .against("the query never left the asking host");
        put(ledger, &observation, &[("H6", 10), ("H5", -10), ("H7", -5)]);
    }
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
        let observation = Observation::new(
            Row::SourceDiffers,
            Group::Generator,
            format!("The errors come from {}, not from {}.", senders(&rejecting), scene.server),
            frames(&rejecting),
        )
        .fits("a device on the path speaks in its own name")
        .against("the server's address did not send the message");
        put(ledger, &observation, &[("H5", 10), ("H1", -5), ("H2", -5)]);
    }
    let quoted = rejecting.iter().find_map(|error| {
        let generator = generator::of(scene.facts.index, scene.facts.evidence, error.packet)?;
        Some((*error, generator.quoted_hops.filter(|gone| *gone > 0)?))
    });
    if let Some((error, gone)) = quoted {
        let observation = Observation::new(
            Row::QuotedTtl,
            Group::Generator,
            format!(
                "The quoted TTL shows that the query had travelled {} when it was rejected.",
                crate::findings::rules::counted(usize::from(gone), "hop", "hops")
            ),
            vec![error.packet],
        )
        .fits("the rejecting device stands that far along the path");
        put(ledger, &observation, &[("H5", 2)]);
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
    let (ledger_row, words) = if error_hops.abs_diff(other_hops) <= 1 {
        (Row::HopsAgree, "as far away as")
    } else {
        (Row::HopsDiffer, "another distance than")
    };
    let observation = Observation::new(ledger_row, Group::Generator, format!(
            "The error (TTL {}, {error_hops} hops) comes from {words} other packets of {} (TTL {}, {other_hops} hops).",
            first.ttl, scene.server, other_ttl
        ), frames).fits("the distance agrees with where this explanation puts the sender").against("the distance does not agree with where this explanation puts the sender");
    if ledger_row == Row::HopsAgree {
        put(
            ledger,
            &observation,
            // A bridge takes no hop off: as far away as the server is where it stands.
            &[
                ("H1", 2),
                ("H2", 2),
                ("H3", if bridged == Bridged::Yes { 0 } else { -5 }),
                ("H4", 2),
                ("H5", -5),
                ("H9", 0),
                ("H17", -5),
            ],
        );
    } else {
        put(ledger, &observation, &[("H1", -2), ("H2", -2), ("H3", 5), ("H4", -2), ("H5", 2), ("H17", 5)]);
    }
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
    let observation = Observation::new(
        Row::BridgePattern,
        Group::Generator,
        "The errors carry TOS 0, don't fragment and IP id 0.".to_owned(),
        marked,
    )
    .fits("a reject rule on a Linux bridge makes errors like these; the kernel's own carry TOS 0xc0")
    .against("a Linux host's own errors carry TOS 0xc0, no don't fragment and an IP id");
    put(ledger, &observation, &[("H3", 5), ("H1", -5), ("H2", -5), ("H4", -5)]);
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
        let observation = Observation::new(
            Row::Delayed,
            Group::Timing,
            format!("The errors came {} after their queries; such an error is sent at once.", delays(&late)),
            frames(&late),
        )
        .fits("an unexplained delay leaves room for another sender");
        put(
            ledger,
            &observation,
            &[
                ("H1", 0),
                ("H2", 0),
                ("H3", 2),
                ("H4", 0),
                ("H5", 0),
                ("H6", 2),
                ("H7", 0),
                ("H8", 0),
                ("H9", 2),
                ("H17", 2),
            ],
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
    let Some(delta) = deltas.get(deltas.len() / 2).copied() else { return };
    let words = format!(
        "The errors came {} after the queries; {what} of {} took {}.",
        span(delta),
        scene.server,
        span(trip)
    );
    if delta.saturating_mul(2) < trip && trip - delta > 1_000_000 {
        let observation = Observation::new(Row::DelayShort, Group::Timing, words, frames(prompt))
            .fits("the sender is nearer than the server")
            .against("the message came sooner than the server can respond");
        put(ledger, &observation, &[("H3", 5), ("H5", 5), ("H1", -5), ("H2", -5), ("H4", -5)]);
    } else if delta <= trip.saturating_mul(2) {
        let observation = Observation::new(Row::DelayFits, Group::Timing, words, frames(prompt))
            .fits("the delay is one round trip to the server")
            .against("the delay is one round trip to the server");
        put(ledger, &observation, &[("H1", 2), ("H2", 2), ("H4", 2), ("H17", -5)]);
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
            let apart = (a.delta_ns - b.delta_ns).abs() > 5 * TOGETHER_NS;
            (close && apart).then(|| vec![a.packet, b.packet])
        }
        _ => None,
    });
    if let Some(frames) = pair {
        let observation = Observation::new(
            Row::ErrorsTogether,
            Group::Timing,
            "Errors about queries sent at different times came at the same moment.".to_owned(),
            frames,
        )
        .fits("queries wait in one queue while the address is resolved and are returned together");
        put(ledger, &observation, &[("H6", 5)]);
    }
}

/// Whether the errors themselves can be trusted.
fn integrity(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let contradicted: Vec<&ErrorFact> =
        scene.errors.iter().filter(|error| error.level == Some(Level::Contradicted)).copied().collect();
    if !contradicted.is_empty() {
        let observation = Observation::new(
            Row::Contradicted,
            Group::Integrity,
            format!(
                "{} not agree with any packet sent.",
                crate::findings::rules::counted(contradicted.len(), "error does", "errors do")
            ),
            frames(&contradicted),
        )
        .fits("a blind sender cannot know what the client really sent (RFC 5927 §4)");
        put(ledger, &observation, &[("H17", 10)]);
    }
    let exact: Vec<&ErrorFact> = scene
        .errors
        .iter()
        .filter(|error| error.level == Some(Level::Exact))
        .filter(|error| error.quoted.is_some_and(|quoted| quoted.payload_bytes >= 12))
        .copied()
        .collect();
    if !exact.is_empty() {
        let observation = Observation::new(
            Row::FullQuote,
            Group::Integrity,
            format!(
                "{} the query with its DNS id, byte for byte.",
                crate::findings::rules::counted(exact.len(), "error quotes", "errors quote")
            ),
            frames(&exact),
        )
        .against("a sender off the path cannot know the DNS id");
        put(ledger, &observation, &[("H17", -10)]);
    }
}

fn delays(errors: &[&ErrorFact]) -> String {
    let low = errors.iter().map(|error| error.delta_ns).min().unwrap_or(0);
    let high = errors.iter().map(|error| error.delta_ns).max().unwrap_or(0);
    if low == high { span(low) } else { format!("{} to {}", span(low), span(high)) }
}

/// The hypotheses of the evidence matrix, in the order of its columns.
const COLUMNS: [&str; 12] = ["H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "H9", "H13", "H17", "H20"];

/// Adds one row of the evidence matrix.
fn matrix(ledger: &mut Ledger, observation: &Observation, weights_db: [i32; 12]) {
    let weights: Vec<_> = COLUMNS.iter().copied().zip(weights_db.map(Some)).collect();
    ledger.weigh(observation, &weights);
}

pub(super) fn put(ledger: &mut Ledger, observation: &Observation, weights: &[(&'static str, i32)]) {
    let weights: Vec<_> = weights.iter().map(|(id, db)| (*id, Some(*db))).collect();
    ledger.weigh(observation, &weights);
}
