//! Rule `guessed-answers`: many responses in one server's name that answer none of a host's queries: somebody guesses ids and ports.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::AnomalyKind;
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::{Nanos, span};

/// The rule.
pub static RULE: Rule = Rule {
    id: "guessed-answers",
    title: "Responses that guess",
    doc: "At least 20 responses of one server's address to one host that asks that server match none of its queries, repeat few questions \
          and bear different ids: whoever sends them guesses id and port to have a forged answer taken (RFC 5452 §4). Medium; whether \
          one was taken is told by contested answers.",
    run,
};

/// Responses from which it is no stray one.
const RESPONSES_MIN: usize = 20;
/// Different ids among them.
const IDS_MIN: usize = 10;
/// Responses for each question at least: guesses repeat it.
const REPEATS_MIN: usize = 5;
/// Responses looked at.
const LOOKED_AT_MAX: usize = 200_000;

/// What one host was sent in one server's name.
#[derive(Default)]
struct Guesses {
    packets: Vec<PacketId>,
    ids: BTreeSet<u16>,
    questions: BTreeSet<u64>,
    span_ns: Option<(Nanos, Nanos)>,
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut pairs: BTreeMap<(Address, Address), Guesses> = BTreeMap::new();
    let unsolicited =
        facts.evidence.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::Unsolicited);
    for anomaly in unsolicited.take(LOOKED_AT_MAX) {
        let Some(packet) = facts.index.packet(anomaly.packet) else { continue };
        let Some(row) = packet.dns() else { continue };
        let guesses = pairs.entry((packet.source_address(), packet.destination_address())).or_default();
        guesses.packets.push(packet.id);
        guesses.ids.insert(row.header.id);
        guesses.questions.insert(row.question);
        let (from, to) = guesses.span_ns.unwrap_or((packet.time_ns(), packet.time_ns()));
        guesses.span_ns = Some((from.min(packet.time_ns()), to.max(packet.time_ns())));
    }
    pairs.into_iter().filter_map(|(ends, guesses)| finding(facts, ends, &guesses)).collect()
}

fn finding(facts: &Facts<'_>, (server, host): (Address, Address), guesses: &Guesses) -> Option<Finding> {
    let count = guesses.packets.len();
    let asks = facts.servers.iter().any(|(key, known)| key.0 == server && known.clients.contains(&host));
    let guessed = count >= RESPONSES_MIN
        && guesses.ids.len() >= IDS_MIN
        && guesses.questions.len() * REPEATS_MIN <= count;
    if !asks || !guessed {
        return None;
    }
    let name = guesses.packets.first().and_then(|packet| facts.name_of(*packet));
    let (from, to) = guesses.span_ns?;
    // What the host says of ports that nobody listens at.
    let refusals = facts.errors.iter().filter(|error| {
        error.source == host
            && error.is_about_response()
            && error.quoted.is_some_and(|quoted| quoted.source.0 == server)
    });
    let frames = refusals.map(|error| error.packet).chain(guesses.packets.iter().copied()).collect();
    Some(Finding {
        id: RULE.id,
        severity: Severity::Medium,
        statement: format!(
            "{} responses in the name of {server} to {host} for {} within {} answer none of its queries and bear {} different ids: \
             guesses to have a forged answer taken",
            crate::text::thousands(count as u64),
            name.as_deref().map_or_else(|| "one name".to_owned(), rules::plain_name),
            span(to - from),
            crate::text::thousands(guesses.ids.len() as u64)
        ),
        counts: vec![Count {
            label: "responses without a query".into(),
            value: count as u64,
            filter: rules::frames_counted(facts, &guesses.packets),
        }],
        filter: rules::frames_filter(facts, &guesses.packets),
        frames: rules::tidy(frames),
        code: None,
    })
}
