//! What the failing server itself asked of others and did not get: the failure behind that of its clients, told before it.

use std::collections::BTreeSet;

use super::super::facts::Facts;
use super::super::{Block, Voice, words};
use super::{Builder, outage};
use crate::correlate::Signature;
use crate::correlate::windows::Mark;
use crate::decode::Address;
use crate::findings::facts::slow::Told;
use crate::findings::hypotheses::matrix::surroundings as row;
use crate::findings::{Finding, Severity, slow};
use crate::index::PacketId;
use crate::text::thousands;
use crate::time::Nanos;

/// Failures of a resolver this long before or after those of its clients belong to them (RFC 9520 §3.2 lets it remember them).
const AROUND_NS: Nanos = 30_000_000_000;
/// Servers named.
const NAMED_MAX: usize = 4;

/// Whether a failure of this kind behind a resolver makes it fail its clients.
fn tells(signature: &Signature) -> bool {
    matches!(
        signature,
        Signature::NoAnswer
            | Signature::Icmp { .. }
            | Signature::TcpReset
            | Signature::ResponseCode(2 | 5)
            | Signature::Truncated
    )
}

/// The failures behind the first one: no server behind answered the failing server for the same names meanwhile.
pub fn of<'b, 'i>(b: &'b Builder<'i>) -> Vec<(usize, &'b Facts<'i>)> {
    let Some(front) = b.facts.first() else { return Vec::new() };
    let surroundings = b.input.evidence.surroundings();
    let same_host = |address: &Address| surroundings.asks_by(front.server, *address);
    let (first_ns, last_ns) = (front.problem.first_ns, front.problem.last_ns);
    let others = b.facts.iter().enumerate().skip(1);
    let behind: Vec<(usize, &Facts<'i>)> = others
        .filter(|(_, other)| {
            let problem = other.problem;
            let shares = problem.names.iter().any(|name| front.problem.names.binary_search(name).is_ok());
            tells(&problem.signature)
                && (problem.signature == Signature::NoAnswer || shares)
                && other.server != front.server
                && problem.clients.iter().all(same_host)
                && problem.first_ns <= first_ns + AROUND_NS
                && problem.last_ns >= first_ns - AROUND_NS
                && problem.first_ns <= last_ns
        })
        .collect();
    // What was answered in between is loss, which clients need not have felt.
    let silent = |own: &Facts<'_>| own.impact.is_some_and(|own| own.windows.iter().all(|w| w.answered == 0));
    if behind.iter().all(|(_, own)| silent(own)) { behind } else { Vec::new() }
}

/// The servers behind that are silent, for the title: empty where there are none.
pub fn title(b: &Builder<'_>) -> String {
    let behind = of(b);
    let servers: BTreeSet<Address> = behind.iter().map(|(_, own)| own.server).collect();
    if servers.is_empty() {
        return String::new();
    }
    let listed: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let silent = behind.iter().all(|(_, own)| own.problem.signature == Signature::NoAnswer);
    // Who answers other questions is not silent.
    let answers = servers.iter().any(|server| b.inventory.answering.contains(server));
    let how = match (silent, answers, listed.len()) {
        (true, true, 1) => "leaves questions of it unanswered",
        (true, true, _) => "leave questions of it unanswered",
        (true, false, 1) => "is silent",
        (true, false, _) => "are silent",
        (false, _, 1) => "fails it",
        (false, ..) => "fail it",
    };
    format!("; {}, which it asks, {how}", words::list(&listed, NAMED_MAX))
}

/// What did not come from behind, since when, and what of the first failure's server followed.
pub fn block(b: &Builder<'_>) -> Option<Block> {
    let front = b.facts.first()?;
    let behind = of(b);
    let windows = || behind.iter().filter_map(|(_, own)| own.impact).flat_map(|own| &own.windows);
    let first = windows().map(|window| window.first_bad).min_by_key(|mark: &Mark| mark.at_ns)?;
    let last_good = windows().filter_map(|window| window.last_good).max_by_key(|mark: &Mark| mark.at_ns);
    let servers: BTreeSet<Address> = behind.iter().map(|(_, own)| own.server).collect();
    let listed: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let (mut asked, mut failed) = (0, 0);
    for (_, own) in &behind {
        let (one, other) = outage::asked_and_failed(own);
        (asked, failed) = (asked + one, failed + other);
    }
    let class = match behind.as_slice() {
        [(_, only)] => outage::class(only),
        _ => String::new(),
    };
    let before = last_good.filter(|good| good.at_ns < first.at_ns).map_or_else(String::new, |good| {
        format!("; the last answer before came at {}", b.clock.fine(good.at_ns))
    });
    let frames: Vec<PacketId> = behind
        .iter()
        .flat_map(|(_, own)| own.frames.iter().copied())
        .chain(last_good.map(|good| good.packet))
        .collect();
    let mut fates: Vec<String> =
        behind.iter().map(|(_, own)| words::signature(&own.problem.signature)).collect();
    fates.sort_unstable();
    fates.dedup();
    let text = if fates.iter().all(|fate| *fate == words::signature(&Signature::NoAnswer)) {
        format!(
            "Behind it: {} itself got no answer to {} of {}{class} from {}, from {} on{before}.",
            front.server,
            thousands(failed),
            words::count(asked as usize, "question", "questions"),
            words::list(&listed, NAMED_MAX),
            b.clock.fine(first.at_ns)
        )
    } else {
        format!(
            "Behind it: {} of {}{class} that {} itself asked of {} were {}, from {} on{before}.",
            thousands(failed),
            words::count(asked as usize, "question", "questions"),
            front.server,
            words::list(&listed, NAMED_MAX),
            words::list(&fates, NAMED_MAX),
            b.clock.fine(first.at_ns)
        )
    };
    Some(b.claim("summary.behind", Voice::Observed, text, &frames))
}

/// Where slow lookups stand to the failures told: at the same server, or behind it, asked by its host.
fn place(b: &Builder<'_>, own: &Finding) -> Option<&'static str> {
    let mut queries = own.frames.iter().filter_map(|frame| b.input.index.packet(*frame));
    let query = queries.find(|packet| packet.dns().is_some_and(|row| !row.is_response()))?;
    let (client, server) = (query.source_address(), query.destination_address());
    let failed = |address: Address| b.facts.iter().any(|told| told.server == address);
    let same_host = |front: Address| b.input.evidence.surroundings().asks_by(front, client);
    match () {
        () if failed(server) => Some("Slow there as well"),
        () if b.facts.iter().any(|told| same_host(told.server)) => Some("Behind it"),
        () => None,
    }
}

/// Whether a finding is about what a server gave whose copy of a zone is what failed to come.
fn is_of_copy(b: &Builder<'_>, own: &Finding) -> bool {
    let Some(front) = b.facts.first().filter(|front| front.called.is_some()) else { return false };
    let from = |frame: &PacketId| b.input.index.packet(*frame).map(|packet| packet.source_address());
    own.frames.iter().filter_map(from).any(|sender| front.problem.clients.contains(&sender))
}

/// Rules whose findings are incidents of DNS without a failed question, so that no failure tells of them.
const BESIDE: [&str; 2] = ["slow-dns", "servers-disagree"];

/// Such incidents beside the failures told, as their finding states them, and the waits that those failures made.
pub fn found_beside(b: &Builder<'_>) -> Vec<Block> {
    let index = b.input.index;
    let mut told = Told::default();
    told.note(index, b.facts.iter().flat_map(|own| own.queries.iter().copied()));
    told.note(index, b.incidents().into_iter().flat_map(|own| own.queries.iter().copied()));
    let mut first = Told::default();
    match (b.facts.first(), b.incidents().first()) {
        (Some(own), _) => first.note(index, own.queries.iter().copied()),
        (None, Some(own)) => first.note(index, own.queries.iter().copied()),
        (None, None) => {}
    }
    let own =
        b.input.findings.iter().filter(|own| BESIDE.contains(&own.id) && own.severity >= Severity::Medium);
    let is_slow = |own: &&Finding| own.id == slow::RULE.id;
    // Two servers that disagree are the cause of something told, or not told yet.
    let is_cause = |own: &Finding| {
        let all = b.input.assessments.iter().filter(|own| own.problem.is_some() || own.trouble.is_some());
        let leading = all.flat_map(|told| told.leading());
        let mut rows = leading
            .flat_map(|cause| &cause.ledger)
            .filter(|row| row.id == row::OUTDATED.id() || row.id == row::SERVERS_DISAGREE.id());
        rows.any(|row| row.frames.iter().any(|frame| own.frames.contains(frame)))
    };
    let own = own.filter(|own| if is_slow(own) { !told.holds(index, &own.frames) } else { !is_cause(own) });
    own.take(NAMED_MAX)
        .enumerate()
        .map(|(number, own)| {
            let follows = is_slow(&own) && told.covers(index, &own.frames);
            let what = match place(b, own) {
                _ if follows && first.covers(index, &own.frames) => "Its effect",
                _ if follows => "Effect of a further failure",
                Some(place) if is_slow(&own) => place,
                _ if is_of_copy(b, own) => "Seen with it",
                _ => "Another incident",
            };
            let text = format!("{what}: {}.", own.statement);
            b.claim(&format!("summary.found.{}", number + 1), Voice::Observed, text, &own.frames)
        })
        .collect()
}
