//! The report's sentences for an assessment (observed facts first, then what they leave open), each with its frames.

pub(super) mod certificates;
mod errors;
mod neighbours;
pub(super) mod services;
pub(super) mod title;

use super::catalogue::Cause;
use super::matrix::{Row, answers, surroundings};
use super::scene::{Incident, Scene};
use super::{Assessment, Sentence, Topic, Verdict};
use crate::capture::Format;
use crate::correlate::clients::Client;
use crate::correlate::{Level, Lost, Signature, Transaction};
use crate::findings::facts::contested::{Contested, Pair};
use crate::findings::facts::{ErrorFact, Meaning};
use crate::findings::gravity::UNNOTICED_NS;
use crate::findings::rules::{counted, names_of, plain_name};
use crate::findings::{FRAMES_MAX, zones};
use crate::index::PacketId;

use crate::protocols::dns::{extended_error_name, failure_name};
use crate::time::span;

/// Words a report never uses of its own: they claim more than packets show.
pub const FORBIDDEN: [&str; 7] = [
    "proves",
    "confirms the attack",
    "hacker",
    "obviously",
    "was caused by",
    "the server is down",
    "customers were affected",
];

type Said = (String, Vec<PacketId>);

/// The sentences, in the order of a paragraph.
pub fn sentences(scene: &Scene<'_, '_>, assessment: &Assessment) -> Vec<Sentence> {
    let mut all = Vec::new();
    for (topic, part) in parts(scene, assessment) {
        all.extend(part.into_iter().map(|(text, frames)| Sentence { topic, text, frames }));
    }
    all
}

fn parts(scene: &Scene<'_, '_>, assessment: &Assessment) -> Vec<(Topic, Vec<Said>)> {
    if let Some(Incident::Service(trouble)) = scene.incident {
        return services::parts(scene, trouble, assessment);
    }
    let mut out = Vec::new();
    let leading: Vec<Cause> = assessment.leading().iter().map(|hypothesis| hypothesis.cause).collect();
    match scene.signature {
        Some(Signature::ResponseCode(code)) => answered(scene, *code, &mut out),
        Some(Signature::NoAnswer) => silent(scene, &leading, &mut out),
        Some(Signature::Late) => late(scene, &mut out),
        Some(Signature::NotReceived) => lost(scene, &mut out),
        Some(
            Signature::TcpReset
            | Signature::ResetMidway
            | Signature::Closed
            | Signature::Mute
            | Signature::Truncated,
        ) => over_tcp(scene, &mut out),
        Some(Signature::Icmp { .. }) => errors::errors(scene, &leading, assessment, &mut out),
        None => incident(scene, &leading, assessment, &mut out),
    }
    let part = |write: &dyn Fn(&mut Vec<Said>)| {
        let mut said = Vec::new();
        write(&mut said);
        said
    };
    let by_server: Vec<&ErrorFact> = refusals(scene).0;
    let tied = part(&|out| tie(scene, &by_server, &leading, out));
    let after = part(&|out| {
        if !by_server.is_empty() && leading.contains(&Cause::WrongAddress) && never_answered(scene) {
            out.push((wrong_address(scene), packets(&by_server)));
        }
        beside(scene, &leading, assessment, out);
        for id in [Cause::Upstream, Cause::DeviceInFront, Cause::NoRoute, Cause::ServerFilter]
            .iter()
            .filter(|id| leading.contains(id))
        {
            out.extend(told(assessment, *id));
        }
    });
    vec![
        (Topic::Cause, out),
        (Topic::Tie, tied),
        (Topic::Cause, after),
        (Topic::Delays, part(&|out| errors::delayed(&by_server, out))),
        (Topic::Companion, part(&|out| companions(scene, assessment, out))),
        (Topic::Transport, part(&|out| untried(scene, assessment, out))),
        (Topic::Load, part(&|out| load(scene, assessment, out))),
        (Topic::Quality, part(&|out| quality(scene, out))),
    ]
}

/// `log` where the packets come from printed text, else `capture`.
pub(super) fn record(scene: &Scene<'_, '_>) -> &'static str {
    let printed = |source: &crate::index::IndexedSource| source.metadata.format == Format::Transcript;
    if scene.facts.index.sources.iter().any(printed) { "log" } else { "capture" }
}

/// The refusals about the scene's queries: those the server's address sent, and those others sent.
fn refusals<'f>(scene: &Scene<'f, '_>) -> (Vec<&'f ErrorFact>, Vec<&'f ErrorFact>) {
    let port = scene.errors_of(Meaning::PortUnreachable);
    let prohibited = scene.errors_of(Meaning::Prohibited);
    port.iter().chain(&prohibited).copied().partition(|error| error.source == scene.server)
}

fn never_answered(scene: &Scene<'_, '_>) -> bool {
    scene.asked().is_none_or(|asked| asked.answers.is_empty())
}

/// The members of the leading class that send the same packets.
fn tie(scene: &Scene<'_, '_>, errors: &[&ErrorFact], leading: &[Cause], out: &mut Vec<Said>) {
    if errors.is_empty() || !leading.contains(&Cause::NotRunning) || !leading.contains(&Cause::ServerFilter) {
        return;
    }
    let text = format!(
        "The {} does not show whether no DNS service was listening there or whether a packet filter refused the port: both \
         send the same message, so the two cannot be separated here.",
        record(scene)
    );
    out.push((text, packets(errors)));
}

/// Incidents that are no DNS problem of their own.
fn incident(scene: &Scene<'_, '_>, leading: &[Cause], assessment: &Assessment, out: &mut Vec<Said>) {
    match scene.incident {
        Some(Incident::Silence) if !scene.silence_counts() => out.push((
            format!(
                "Repeated queries for {} to {} show no answer, but nothing at all was captured in the other direction; \
                 silence cannot be assessed here.",
                names(scene),
                scene.server
            ),
            scene.queries.clone(),
        )),
        Some(Incident::Silence) => silent(scene, leading, out),
        Some(Incident::Uncaptured) => {
            let frames: Vec<PacketId> = scene.errors.iter().map(|error| error.packet).collect();
            out.push((
                format!(
                    "Errors quote DNS queries to {} that are not in this {}: they never left the asking host, or were \
                     not captured.",
                    scene.server,
                    record(scene)
                ),
                frames,
            ));
            errors::errors(scene, leading, assessment, out);
        }
        Some(Incident::Outdated(own)) => {
            let differences = crate::findings::disagreement::differences(own);
            let what = differences.trim_start_matches("; it ");
            out.push((format!("{} {what}.", own.outdated), own.frames()));
            let met = own.connections.words(scene.facts, own.outdated);
            out.push(if met.is_empty() {
                let text = format!("What names of {} lead to depends on which server is asked.", plain_name(&own.zone));
                (text, own.frames())
            } else {
                (format!("{met}."), own.connections.failed.clone())
            });
        }
        Some(Incident::Contested(contested)) => out.push((
            contested_words(scene, contested),
            contested.pairs.iter().flat_map(|pair| [pair.first, pair.second]).collect(),
        )),
        Some(Incident::Conflict) => out.push((
            if scene.errors.iter().any(|error| error.level == Some(Level::Contradicted)) {
                format!("ICMP errors about {} disagree with every packet sent to it.", scene.server)
            } else if scene.errors.iter().all(|e| scene.facts.unsent.binary_search(&e.packet).is_ok()) {
                format!(
                    "ICMP errors quote queries to {} that were never sent, while the queries that were sent got answers.",
                    scene.server
                )
            } else {
                format!("Queries to {} met both an ICMP error and a genuine answer.", scene.server)
            },
            scene.errors.iter().map(|error| error.packet).collect(),
        )),
        Some(Incident::SecondDhcp(rivals)) => {
            out.push((format!("{}.", crate::findings::second_dhcp::statement(rivals)), rivals.frames()));
            let taken: Vec<String> =
                rivals.taken().iter().map(|(client, address)| format!("{client} ({address})")).collect();
            if !taken.is_empty() {
                out.push((
                    format!(
                        "Of {} an address was taken by {}; what fails for these clients may follow from its settings.",
                        scene.server,
                        crate::findings::service_words::list(&taken),
                    ),
                    rivals.frames(),
                ));
            }
            out.push((
                "Which of the two is meant to be there, and whether anybody intended it, the packets do not show.".to_owned(),
                rivals.frames(),
            ));
        }
        Some(Incident::Vanished) => neighbours::vanished(scene, out),
        Some(Incident::NoNextHop) => neighbours::no_next_hop(scene, out),
        Some(Incident::TwoOwners(conflict)) => out.push((
            format!("{}.", crate::findings::duplicate_address::words(conflict)),
            conflict.frames(),
        )),
        Some(Incident::Lame) => lame(scene, out),
        Some(
            Incident::Flood
            | Incident::Victim
            | Incident::Fragments
            | Incident::NoTcp
            | Incident::Denied
            | Incident::UnknownZone(_)
            | Incident::Slow
            | Incident::Portal(_)
            | Incident::Service(_),
        )
        | None => {}
    }
}

/// A server that does not serve the zone it was asked for.
/// Whose questions got two answers, and when.
fn contested_words(scene: &Scene<'_, '_>, contested: &Contested) -> String {
    let basis = scene.facts.index.basis();
    let at_ns = |pair: Option<&Pair>| pair.map_or(0, |pair| scene.facts.time(pair.query));
    let (first_ns, last_ns) = (at_ns(contested.pairs.first()), at_ns(contested.pairs.last()));
    let when = match contested.pairs.len() {
        _ if !scene.facts.index.has_times() => String::new(),
        1 => format!(" at {}", basis.clock(first_ns)),
        _ => format!(" from {} to {}", basis.clock(first_ns), basis.clock(last_ns)),
    };
    format!(
        "Two devices answered in the name of {}: {} of {} for {} got two answers with different addresses{when}. Clients take \
         the answer that comes first{}.",
        contested.server,
        counted(contested.pairs.len(), "question", "questions"),
        contested.client,
        names(scene),
        contested.met()
    )
}

fn lame(scene: &Scene<'_, '_>, out: &mut Vec<Said>) {
    let lame: Vec<_> = scene.facts.lame.iter().filter(|lame| lame.server == scene.server).collect();
    let Some(first) = lame.first() else { return };
    out.push((
        format!(
            "{} {} when asked for {}, without recursion desired.",
            scene.server,
            first.how.words(),
            names(scene)
        ),
        lame.iter().flat_map(|lame| [lame.transaction.first, lame.answer]).take(FRAMES_MAX).collect(),
    ));
}

/// Causes whose sentence does not depend on how the failure showed.
fn beside(scene: &Scene<'_, '_>, leading: &[Cause], assessment: &Assessment, out: &mut Vec<Said>) {
    let rows = |id: Cause| -> Vec<(String, Vec<PacketId>)> {
        let ledger = assessment.of(id).map(|hypothesis| hypothesis.ledger.as_slice()).unwrap_or_default();
        let counted = ledger.iter().filter(|row| !row.off && row.weight_db > Some(0));
        counted.map(|row| (row.observation.clone(), row.frames.clone())).collect()
    };
    let frames = |rows: &[Said]| -> Vec<PacketId> {
        let mut all: Vec<PacketId> = rows.iter().flat_map(|(_, frames)| frames.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all.truncate(FRAMES_MAX);
        all
    };
    for (id, tail) in [
        (
            Cause::Overload,
            "This is consistent with a denial-of-service condition; intent and origin are not established, source \
             addresses may be forged.",
        ),
        (Cause::LargePacketsLost, "This points to fragments or large packets lost on the path."),
        (
            Cause::LameAnswer,
            "Such answers do not help the asker, so the lookups failed although answers were sent.",
        ),
        (
            Cause::LateAnswer,
            "The delay arose before the answers reached the client; it does not count against the service being there.",
        ),
        (
            Cause::DeadMember,
            "One of several members behind the address without the service, or a service that comes and goes, looks like this.",
        ),
        (
            Cause::PropertyFilter,
            "A device on the path and the server itself can do this; a capture at the server tells which.",
        ),
        (
            Cause::Portal,
            "A sign-in page that is wanted and a hijack look alike; the owner of the network knows.",
        ),
        (
            Cause::SplitDns,
            "Who is asked does not know these names, and another one does; settings of a network or a lost VPN look like this.",
        ),
        (Cause::LossyPath, "Packets lost on the way and repeated by the client look like this."),
        (Cause::SlowPath, "Everything was answered; the packets took that long on the way."),
        (Cause::SlowService, "Everything was answered; the server, or what it must ask, took that long."),
        (
            Cause::SecondPacketLost,
            "A translator or firewall on the way that handles both at once loses one of them.",
        ),
        (
            Cause::TableFull,
            "This fits an exhausted translation or connection table on the way; that device's counters are needed.",
        ),
        (Cause::ForgedError, "These errors should not be relied upon until confirmed."),
        (
            Cause::DuplicateAddress,
            "A device given an address that is in use and one that claims it falsely (ARP spoofing) send the same; which of the \
             two is meant to have it, its owner knows.",
        ),
    ] {
        if !leading.contains(&id) {
            continue;
        }
        let differ = [&surroundings::SERVERS_DISAGREE, &surroundings::OUTDATED];
        let tail = if id == Cause::LameAnswer && differ.iter().any(|row| rows_of(assessment, id, row)) {
            "Who asks the one is told something else than who asks the other."
        } else {
            tail
        };
        let all = rows(id);
        let cited = frames(&all);
        // A surge alone, with every question answered, shows load and no denial.
        let only_load = id == Cause::Overload
            && all.len() == 1
            && rows_of(assessment, Cause::Overload, &answers::RATE_HIGH);
        out.extend(all);
        let tail = if only_load && scene.problem.is_none() {
            "No failure goes with it in this capture: load is shown, denial of service is not; a crowd, a program that \
             runs wild and an attack look alike, and source addresses may be forged."
        } else {
            tail
        };
        out.push((tail.to_owned(), cited));
    }
}

fn rows_of(assessment: &Assessment, id: Cause, row: &Row) -> bool {
    let ledger = assessment.of(id).map(|h| h.ledger.as_slice()).unwrap_or_default();
    ledger.iter().any(|own| own.id == row.id() && !own.off && own.weight_db > Some(0))
}

/// Observations that decide between explanations and are worth a sentence of their own.
static DECISIVE: [&Row; 8] = [
    &surroundings::UPSTREAM_FAILS,
    &surroundings::TRANSFER_FAILED,
    &surroundings::SIGNATURES_EXPIRED,
    &surroundings::SIGNATURES_EARLY,
    &surroundings::FAILED_ELSEWHEN,
    &surroundings::TRANSLATED,
    &surroundings::LOOPED,
    &surroundings::TCP_REJECTED,
];

/// The decisive observations for a hypothesis, as sentences.
fn told(assessment: &Assessment, id: Cause) -> Vec<Said> {
    let ledger = assessment.of(id).map(|hypothesis| hypothesis.ledger.as_slice()).unwrap_or_default();
    let decisive = |row: &&super::LedgerRow| {
        !row.off && row.weight_db > Some(0) && DECISIVE.iter().any(|kind| kind.id() == row.id)
    };
    ledger.iter().filter(decisive).map(|row| (row.observation.clone(), row.frames.clone())).collect()
}

/// The name, or how many there are.
pub(super) fn names(scene: &Scene<'_, '_>) -> String {
    let problem = scene.problem.and_then(|at| scene.facts.evidence.problems.get(at));
    if let Some(problem) = problem.filter(|problem| problem.has_cut_names) {
        return names_of(problem);
    }
    match scene.names.as_slice() {
        [] => "names".to_owned(),
        [one] => plain_name(one),
        [one, two] => format!("{} and {}", plain_name(one), plain_name(two)),
        [one, rest @ ..] => format!("{} and {} other names", plain_name(one), rest.len()),
    }
}

fn packets(errors: &[&ErrorFact]) -> Vec<PacketId> {
    let mut frames: Vec<PacketId> = errors.iter().flat_map(|e| [e.about, Some(e.packet)]).flatten().collect();
    frames.sort_unstable();
    frames.dedup();
    frames.truncate(FRAMES_MAX);
    frames
}

fn wrong_address(scene: &Scene<'_, '_>) -> String {
    format!(
        "No DNS answer from {0} was seen for any client. Whether {0} is meant to be a resolver should be confirmed.",
        scene.server
    )
}

fn row_of(assessment: &Assessment, cause: Cause, wanted: &[&Row]) -> Option<Vec<PacketId>> {
    let rows = &assessment.of(cause)?.ledger;
    rows.iter().find(|row| wanted.iter().any(|kind| kind.id() == row.id)).map(|row| row.frames.clone())
}

/// The verdict word of one hypothesis.
fn word(assessment: &Assessment, id: Cause) -> &'static str {
    assessment.of(id).map_or(Verdict::Neither, |hypothesis| hypothesis.verdict).words()
}

fn silent(scene: &Scene<'_, '_>, leading: &[Cause], out: &mut Vec<Said>) {
    let tries: u64 = scene.transactions.iter().map(|transaction| u64::from(transaction.tries)).sum();
    let frames: Vec<PacketId> = scene.queries.iter().copied().take(FRAMES_MAX).collect();
    let (from, to) = scene.period_ns;
    let ends = scene.queries.first().zip(scene.queries.last());
    let timed = ends.and_then(|(first, last)| scene.facts.evidence.between_ns(*first, *last)).is_some();
    let lasted = if timed && from <= to { format!("{} of", span(to - from)) } else { "the".to_owned() };
    // What was answered from elsewhere is told as that.
    if leading.contains(&Cause::LargePacketsLost) || scene.misaddressed().2 {
        return;
    }
    out.push((
        format!(
            "{tries} queries for {} to {} received neither an answer nor an error in {lasted} two-way {}.",
            names(scene),
            scene.server,
            record(scene)
        ),
        frames.clone(),
    ));
    if !leading.contains(&Cause::Upstream) {
        out.push((
            "A filter, packet loss and an unresponsive server look alike here.".to_owned(),
            frames.clone(),
        ));
    }
    if let Some(hidden) = &scene.facts.hidden {
        let text = hidden.words(&scene.facts.index.settings, record(scene));
        out.push((
            format!("{text} So the server or a device on the path may also have refused the queries."),
            frames.clone(),
        ));
    }
    if leading.contains(&Cause::WrongAddress) {
        out.push((wrong_address(scene), frames));
    }
}

fn answered(scene: &Scene<'_, '_>, code: u16, out: &mut Vec<Said>) {
    let frames: Vec<PacketId> =
        scene.transactions.iter().filter_map(|transaction| transaction.answer).take(FRAMES_MAX).collect();
    let extended = scene.transactions.iter().find_map(|transaction| transaction.extended_error);
    let words = extended.map_or_else(String::new, |number| {
        let with = scene.transactions.iter().filter(|own| own.extended_error == Some(number)).count();
        let some = if with == scene.transactions.len() { String::new() } else { format!(", {with} of them") };
        format!(" and extended DNS error {number} ({}{some})", extended_error_name(number))
    });
    let zones = zones::common(&scene.names);
    let place = match code {
        _ if matches!(scene.incident, Some(Incident::UnknownZone(_))) => "in what it knows of the zone",
        5 => "in what the server takes (policy, addressing, or a limit of its own)",
        0 | 3 => "in the name",
        1 | 4 | 16 => "in how the two speak DNS with each other (the form of the query, EDNS)",
        _ => "upstream of it or in the zone",
    };
    let zone = match scene.zone_named() {
        Some(named) => format!("zone by the SOA record of its answers: {}", plain_name(&named.zone)),
        None => format!(
            "zone as guessed from the names: {}",
            zones.first().map_or_else(|| "none".to_owned(), |zone| plain_name(zone))
        ),
    };
    out.push((
        format!(
            "{} answered {} queries for {} with {}{words}.",
            scene.server,
            scene.transactions.len(),
            names(scene),
            failure_name(code)
        ),
        frames.clone(),
    ));
    out.push((format!("The server and the path to it worked; the failure lies {place} ({zone})."), frames));
}

fn late(scene: &Scene<'_, '_>, out: &mut Vec<Said>) {
    let frames: Vec<PacketId> = scene
        .transactions
        .iter()
        .flat_map(|t| [Some(t.first), t.answer])
        .flatten()
        .take(FRAMES_MAX)
        .collect();
    let waits = scene.transactions.iter().map(|transaction| scene.facts.evidence.rtt_ns(transaction));
    let (low, high) = (waits.clone().min().unwrap_or(0), waits.max().unwrap_or(0));
    out.push((
        format!(
            "{} answers of {} arrived {} to {} after the last try, later than resolvers' clients usually wait.",
            scene.transactions.len(),
            scene.server,
            span(low),
            span(high)
        ),
        frames,
    ));
}

fn lost(scene: &Scene<'_, '_>, out: &mut Vec<Said>) {
    let evidence = scene.facts.evidence;
    let how = |own: &&&Transaction| evidence.transaction_of(own.first).and_then(|id| evidence.lost(id));
    let here = |own: &&&Transaction| {
        matches!(how(own), Some(Lost::Ignored(_) | Lost::Damaged(_) | Lost::Refused(_)))
    };
    // What came and was not taken is told with its cause.
    if scene.transactions.iter().filter(here).count() * 2 > scene.transactions.len() {
        return;
    }
    let frames = scene.transactions.iter().flat_map(|t| [Some(t.first), t.answer]).flatten();
    out.push((
        format!(
            "{} answered {} questions, but the answers did not reach who asked: they were lost between this point and the client.",
            scene.server,
            scene.transactions.len()
        ),
        frames.take(FRAMES_MAX).collect(),
    ));
}

fn over_tcp(scene: &Scene<'_, '_>, out: &mut Vec<Said>) {
    let frames: Vec<PacketId> = scene.queries.iter().copied().take(FRAMES_MAX).collect();
    let text = if scene.signature == Some(&Signature::Truncated) {
        format!(
            "{} sent truncated answers, and TCP brought no whole one in this {}.",
            scene.server,
            record(scene)
        )
    } else {
        let (port, server) = (scene.service.0, scene.server);
        match scene.signature {
            Some(Signature::Closed) => {
                format!("{server} accepted TCP connections to port {port} and closed them without an answer.")
            }
            Some(Signature::Mute) => {
                format!("{server} acknowledged questions to TCP port {port} and sent no answer.")
            }
            Some(Signature::ResetMidway) => {
                format!("TCP connections to port {port} of {server} were reset after it had sent something.")
            }
            _ => format!("TCP port {port} of {server} was reset or did not open."),
        }
    };
    out.push((text, frames));
}

fn companions(scene: &Scene<'_, '_>, assessment: &Assessment, out: &mut Vec<Said>) {
    let holds = |id: Cause| assessment.of(id).filter(|h| h.verdict == Verdict::BestSupported);
    if let Some(hypothesis) = holds(Cause::OneTransport) {
        let frames = hypothesis.ledger.first().map(|row| row.frames.clone()).unwrap_or_default();
        let over_udp = scene.service.1 == 17 && scene.signature != Some(&Signature::Truncated);
        let text = if over_udp {
            let fared = if scene.errors.is_empty() { "gave no answer" } else { "was refused" };
            format!("UDP port {0} {fared} while TCP port {0} answered.", scene.service.0)
        } else {
            format!("UDP port {0} answered while TCP port {0} failed.", scene.service.0)
        };
        out.push((text, frames));
    }
    if let Some(hypothesis) = holds(Cause::Failover) {
        let frames = hypothesis.ledger.first().map(|row| row.frames.clone()).unwrap_or_default();
        let rows = scene.impact().map(|impact| impact.clients.as_slice()).unwrap_or_default();
        let waited = rows.iter().filter_map(|client| client.longest_wait_ns).max().unwrap_or_default();
        let other = rows.iter().filter_map(Client::rescued_by).find(|by| *by != scene.server);
        let other = other.map_or_else(|| "another resolver".to_owned(), |by| by.to_string());
        let who = if rows.len() == 1 { "The client" } else { "Each client" };
        let felt = if waited < UNNOTICED_NS { "noticed nothing" } else { "were delayed, not interrupted" };
        let waited = span(waited);
        let text = format!(
            "{who} turned to {other} and had its answer at most {waited} after its first query. Users {felt}, as far as is seen."
        );
        out.push((text, frames));
    }
    if let Some(hypothesis) = holds(Cause::ErrorLimit) {
        let frames = hypothesis.ledger.first().map(|row| row.frames.clone()).unwrap_or_default();
        out.push((
            "Queries without an error lie between errors that came no faster than hosts limit them; the refusal is read as \
             continuous, not as intermittent loss."
                .to_owned(),
            frames,
        ));
    }
}

fn untried(scene: &Scene<'_, '_>, assessment: &Assessment, out: &mut Vec<Said>) {
    let told = assessment.of(Cause::OneTransport).is_some_and(|h| h.verdict == Verdict::BestSupported);
    if !told && scene.service.1 == 17 && scene.is_lookup() && !tcp_tried(scene) {
        let text = format!("TCP was not tried in this {}.", record(scene));
        out.push((text, scene.queries.iter().copied().take(1).collect()));
    }
}

/// Whether TCP to the asked port was tried at all.
pub(super) fn tcp_tried(scene: &Scene<'_, '_>) -> bool {
    scene.facts.connections.iter().any(|connection| connection.server == (scene.server, scene.service.0))
}

fn load(scene: &Scene<'_, '_>, assessment: &Assessment, out: &mut Vec<Said>) {
    if word(assessment, Cause::Overload) != Verdict::NotAssessable.words() {
        return;
    }
    if !scene.is_lookup() {
        return;
    }
    let queries = scene.asked().map_or(0, |asked| asked.queries);
    if queries == 0 {
        return;
    }
    let clients = match scene.asked().map_or(0, |asked| asked.clients.len()) {
        1 => "one client".to_owned(),
        n => format!("{n} clients"),
    };
    out.push((
        format!(
            "The {} contains {} to it from {clients}. It neither supports nor excludes an attack on {}; the server's own query \
             statistics are needed.",
            record(scene),
            if queries == 1 { "1 question".to_owned() } else { format!("{queries} questions") },
            scene.server
        ),
        scene.queries.iter().copied().take(FRAMES_MAX).collect(),
    ));
}

fn quality(scene: &Scene<'_, '_>, out: &mut Vec<Said>) {
    let points: Vec<_> = scene.quality().collect();
    if points.is_empty() {
        return;
    }
    let mut codes: Vec<&str> = points.iter().filter_map(|finding| finding.code).collect();
    codes.sort_unstable();
    let mut frames: Vec<PacketId> =
        points.iter().flat_map(|finding| finding.frames.iter().copied()).collect();
    frames.sort_unstable();
    frames.dedup();
    out.push((
        format!(
            "Record quality limits every conclusion: {} ({}) do not fit a faithful {}; the conclusions assume that addresses, \
             message types and order are correct.",
            if points.len() == 1 { "1 point".to_owned() } else { format!("{} points", points.len()) },
            codes.join(", "),
            record(scene)
        ),
        frames,
    ));
}
