//! Rule `answers-not-received`: answers that passed the capture point and did not reach who asked.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Pieces};
use super::{Count, Finding, Rule, gravity, rules};
use crate::correlate::{Lost, Outcome, Problem, Signature, Transaction};
use crate::decode::Address;
use crate::index::{PacketId, source_label};

/// The rule.
pub static RULE: Rule = Rule {
    id: "answers-not-received",
    title: "DNS answers that did not reach who asked",
    doc: "Questions whose answer was captured but did not arrive: a device on the way reported that it did not deliver it, the \
          client sent the same query again at least 0.2 s and a round trip after it (seen away from the client), the capture of the \
          client's side shows the query and not the answer, or the answer came in and was not sent on as others were. Severity as for \
          unanswered queries.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let lost = facts.problems().filter(|(_, problem)| problem.signature == Signature::NotReceived);
    lost.filter_map(|(at, problem)| finding(facts, at, problem)).collect()
}

fn finding(facts: &Facts<'_>, at: usize, problem: &Problem) -> Option<Finding> {
    let own: Vec<(&Transaction, Lost)> = facts
        .transactions(problem)
        .filter(|transaction| transaction.outcome == Outcome::NotReceived)
        .filter_map(|transaction| {
            let id = facts.evidence.transaction_of(transaction.first)?;
            Some((transaction, facts.evidence.lost(id)?))
        })
        .collect();
    let first = own.first()?.0;
    let asked = rules::asked(facts, at).max(own.len() as u64);
    let frames: Vec<PacketId> = own
        .iter()
        .flat_map(|(transaction, lost)| {
            let shown = match lost {
                Lost::Rejected(packet)
                | Lost::Refused(packet)
                | Lost::Damaged(packet)
                | Lost::Ignored(packet)
                | Lost::AskedAgain(packet) => Some(*packet),
                Lost::NotIn(_) | Lost::NotSentOn | Lost::Unacknowledged => None,
            };
            [Some(transaction.first), transaction.answer, shown]
        })
        .flatten()
        .collect();
    let queries: Vec<PacketId> = own.iter().map(|(transaction, _)| transaction.first).collect();
    let frames = rules::tidy(frames);
    let client = facts.index.packet(first.first).map_or(Address::None, |packet| packet.source_address());
    // Of an answer that was begun over TCP the server's numbers alone may tell.
    let is_seen = own.iter().any(|(transaction, _)| transaction.answer.is_some());
    Some(Finding {
        id: RULE.id,
        severity: gravity::of(facts, at),
        statement: format!(
            "The answers of {} to {} of {asked} queries from {} for {} {}, but were not received by {}: {}{}",
            problem.server.0,
            own.len(),
            rules::clients(&problem.clients),
            rules::names_of(problem),
            if is_seen { "passed this point" } else { "were sent" },
            if problem.clients.len() == 1 { client.to_string() } else { "them".to_owned() },
            ways(facts, &own),
            rules::rescue(problem, facts.evidence.impact(at))
        ),
        counts: vec![Count {
            label: "questions whose answer did not arrive".into(),
            value: queries.len() as u64,
            filter: rules::frames_counted(facts, &queries),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    })
}

/// Whether the server's data are seen to be sent again.
fn is_repeated(facts: &Facts<'_>, own: &[(&Transaction, Lost)]) -> bool {
    let repeats = |transaction: &Transaction| {
        let query = facts.index.packet(transaction.last)?;
        Some(facts.evidence.connections.of(&query)?.from_server.again > 0)
    };
    let mut lost = own.iter().filter(|(_, lost)| *lost == Lost::Unacknowledged);
    lost.any(|(transaction, _)| repeats(transaction) == Some(true))
}

/// How it is known, most frequent first.
fn ways(facts: &Facts<'_>, own: &[(&Transaction, Lost)]) -> String {
    let mut senders: BTreeMap<Address, (usize, BTreeSet<&'static str>)> = BTreeMap::new();
    let (mut again, mut stopped, mut unacknowledged, mut damaged, mut ignored) =
        (0usize, 0usize, 0usize, 0usize, 0usize);
    let mut missing: BTreeMap<u8, usize> = BTreeMap::new();
    let mut in_part: BTreeMap<u8, usize> = BTreeMap::new();
    let arrived_in_part = |transaction: &Transaction| {
        let split = |pieces: &&Pieces| pieces.stops_between;
        let holds = |answer: PacketId| {
            facts.pieces.iter().filter(split).any(|pieces| pieces.packets.contains(&answer))
        };
        transaction.answer.is_some_and(holds)
    };
    for (transaction, lost) in own {
        match lost {
            Lost::Rejected(packet) | Lost::Refused(packet) => {
                let Some(error) = facts.error(*packet) else { continue };
                let (count, words) = senders.entry(error.source).or_default();
                *count += 1;
                words.insert(error.words());
            }
            Lost::AskedAgain(_) => again += 1,
            Lost::Ignored(_) => ignored += 1,
            Lost::NotIn(source) if arrived_in_part(transaction) => {
                *in_part.entry(source.0 as u8).or_default() += 1;
            }
            Lost::NotIn(source) => *missing.entry(source.0 as u8).or_default() += 1,
            Lost::NotSentOn => stopped += 1,
            Lost::Unacknowledged => unacknowledged += 1,
            Lost::Damaged(_) => damaged += 1,
        }
    }
    let mut said: Vec<(usize, String)> = senders
        .into_iter()
        .map(|(sender, (count, words))| {
            let words: Vec<&str> = words.into_iter().collect();
            (
                count,
                format!(
                    "{sender} reported {} as {}",
                    rules::counted(count, "of them", "of them"),
                    words.join(", ")
                ),
            )
        })
        .collect();
    if again > 0 {
        said.push((
            again,
            format!("the client asked again after {}", rules::counted(again, "answer", "answers")),
        ));
    }
    if stopped > 0 {
        said.push((stopped, format!("{stopped} came in and were not sent on, as others were")));
    }
    if ignored > 0 {
        said.push((
            ignored,
            format!(
                "{ignored} passed here on the way to it, and it asked the same again after its timer: they were lost behind this \
                 point, or its own host did not take them"
            ),
        ));
    }
    if damaged > 0 {
        said.push((
            damaged,
            format!("{damaged} came with a wrong UDP checksum, and are thrown away by who gets them"),
        ));
    }
    if unacknowledged > 0 {
        said.push((
            unacknowledged,
            if is_repeated(facts, own) {
                format!(
                    "{unacknowledged} over TCP were never acknowledged, though their data were sent again"
                )
            } else {
                format!("{unacknowledged} over TCP were never acknowledged")
            },
        ));
    }
    for (source, count) in in_part {
        let label = source_label(crate::index::SourceId(source.into()));
        said.push((
            count,
            format!("{count} came to capture {label} in part only: not all of their fragments are there"),
        ));
    }
    for (source, count) in missing {
        let label = source_label(crate::index::SourceId(source.into()));
        said.push((count, format!("{count} are not in capture {label}, which shows the queries")));
    }
    said.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    said.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("; ")
}
