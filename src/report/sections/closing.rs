//! Limitations, observables, ATT&CK and lessons.

use super::super::words;
use super::super::{Block, Section, Voice};
use super::findings::{claim, is_quality};
use super::opening::edge;
use super::problem::ends;
use super::{Builder, Need, section, table};
use crate::findings::Severity;
use crate::index::PacketId;
use crate::text::thousands;
use crate::time;

pub fn limitations(b: &Builder<'_>) -> Section {
    let mut blocks: Vec<Block> = b
        .input
        .findings
        .iter()
        .filter(|finding| is_quality(finding))
        .map(|finding| claim(b, finding))
        .collect();
    blocks.extend(unfaithful(b));
    for (number, (text, frames)) in cannot_tell(b).into_iter().enumerate() {
        blocks.push(b.claim(&format!("limits.open.{}", number + 1), Voice::Assessed, text, &frames));
    }
    for (number, text) in of_the_record(b).into_iter().enumerate() {
        blocks.push(b.claim(&format!("limits.record.{}", number + 1), Voice::Observed, text, &edge(b)));
    }
    blocks.extend(b.notes("limitations"));
    section("limitations", "Limitations and assumptions", blocks)
}

/// The conclusion from points that no faithful record shows.
fn unfaithful(b: &Builder<'_>) -> Option<Block> {
    let points = b.input.findings.iter().filter(|finding| finding.id == "record-quality");
    let grave: Vec<_> = points.filter(|finding| finding.severity > Severity::Info).collect();
    let frames: Vec<PacketId> = grave.iter().flat_map(|finding| finding.frames.iter().copied()).collect();
    let text = format!(
        "These points do not fit a faithful record (it may be edited, or teaching material); the conclusions of this report rest on addresses, message types and order only, not on lengths and delays in this {}.",
        b.record
    );
    (!grave.is_empty()).then(|| b.claim("limits.unfaithful", Voice::Assessed, text, &frames))
}

/// What this capture cannot tell, one sentence each.
fn cannot_tell(b: &Builder<'_>) -> Vec<(String, Vec<PacketId>)> {
    let Some(facts) = b.facts.first() else { return Vec::new() };
    let (server, port, record) = (facts.server, facts.port, b.record);
    let first_and_last = ends(facts);
    let mut out = vec![(
        format!(
            "Since when and until when the fault lasted is not known; the {record} shows only the time between its first and last frame."
        ),
        first_and_last.clone(),
    )];
    let mut say = |text: String, frames: &[PacketId]| out.push((text, frames.to_vec()));
    if !b.clock.has_date {
        say("The date and the time zone are not recorded.".to_owned(), &edge(b));
    }
    if facts.problem.clients.len() == 1 {
        say(
            format!(
                "Whether other clients or customers use {server} is not known; one client appears in this failure."
            ),
            &facts.queries,
        );
    }
    if facts.problem.transport == 17 && !b.inventory.tcp_dns_servers.contains(&server) {
        say(
            format!("Whether TCP port {port} of {server} works is not known: it was not tried."),
            &facts.queries,
        );
    }
    if b.inventory.web == 0 {
        say(
            "Whether the web server works is not known: no packet to a web server appears.".to_owned(),
            &b.inventory.whole(),
        );
    }
    if let [name] = facts.problem.names.as_slice()
        && !name.starts_with("www.")
    {
        say(
            format!(
                "Only {0} was asked for; whether www.{0} can be resolved is not known.",
                words::name(name)
            ),
            &facts.queries,
        );
    }
    if facts.answers.is_empty() {
        say(
            format!(
                "The role of {server} is not known: no DNS answer from it appears, so whether it is meant to be a resolver should be confirmed."
            ),
            &facts.queries,
        );
    }
    if facts.is_icmp() {
        let senders: Vec<String> = facts.senders.iter().map(ToString::to_string).collect();
        say(
            format!(
                "Which device sent the errors that carry the address {} is not known from the address alone.",
                words::list(&senders, 3)
            ),
            &facts.errors,
        );
    }
    if b.inventory.dns_servers.len() == 1 {
        say(
            "Whether the client has a second resolver is not known: it asked none.".to_owned(),
            &facts.queries,
        );
    }
    out
}

/// What the record itself lacks.
fn of_the_record(b: &Builder<'_>) -> Vec<String> {
    let i = &b.inventory;
    let mut out = Vec::new();
    if i.packets > 0 {
        out.push(format!("Times are {}.", b.clock.basis().trim_start_matches("times ")));
    }
    if b.input.evidence.one_sided {
        out.push(
            "Packets are seen in one direction only; missing answers therefore mean nothing.".to_owned(),
        );
    }
    let counted = [
        (i.cut, "packet was", "packets were", "captured only in part (snap length)"),
        (i.stopped, "packet", "packets", "could not be read to the end"),
    ];
    for (number, one, many, what) in counted {
        if number > 0 {
            out.push(format!("{} {what}.", words::count(number as usize, one, many)));
        }
    }
    for clock in &b.input.evidence.backward {
        let source = b.input.index.sources.get(usize::from(clock.source.0));
        out.push(format!(
            "{}: {} an earlier time than the packet before, by {} at most; packets are matched by time and keep their numbers.",
            source.map(|source| crate::text::escape(&source.name)).unwrap_or_default(),
            words::count(clock.steps as usize, "packet has", "packets have"),
            time::span(clock.largest_ns)
        ));
    }
    for source in &b.input.index.sources {
        let name = crate::text::escape(&source.name);
        for damage in source.metadata.damage.iter().take(8) {
            out.push(format!("{name}: {damage}."));
        }
        for interface in &source.metadata.interfaces {
            if let Some(dropped) = interface.dropped.filter(|dropped| *dropped > 0) {
                out.push(format!("{name}: {} packets were dropped while capturing.", thousands(dropped)));
            }
            if let Some(filter) = &interface.filter {
                out.push(format!(
                    "{name}: captured with the filter “{}”; what it excludes cannot be seen.",
                    crate::text::escape(filter)
                ));
            }
        }
    }
    out.extend(b.input.evidence.notes.iter().map(|note| super::problem::sentence(note)));
    out
}

pub fn observables(b: &Builder<'_>) -> Section {
    let mut rows = Vec::new();
    let mut row = |kind: &str, value: String, frames: &[PacketId]| {
        rows.push((vec![kind.to_owned(), value], frames.to_vec()));
    };
    for facts in &b.facts {
        for client in facts.problem.clients.iter().take(32) {
            row("address (client)", client.to_string(), &[]);
        }
        row("address (server asked)", facts.server.to_string(), &facts.queries);
        for sender in facts.senders.iter().filter(|sender| **sender != facts.server).take(32) {
            row("address (sender of errors)", sender.to_string(), &facts.errors);
        }
        for name in facts.problem.names.iter().take(32) {
            row("domain name", crate::text::escape(name), &[]);
        }
        row("port", format!("{} {}", words::transport(facts.problem.transport), facts.port), &facts.queries);
        if let (1, Some(id)) = (facts.ids.len(), facts.ids.first()) {
            row("DNS query number", id.to_string(), &facts.queries);
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    rows.retain(|(cells, _)| seen.insert(cells.clone()));
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        blocks.push(table("observables", "Observables", &["Kind", "Value"], rows));
    }
    blocks.push(Block::Note(
        "These are observables: values seen in the packets. None is an indicator of compromise unless the analyst says so."
            .to_owned(),
    ));
    blocks.extend(b.notes("observables"));
    section("observables", "Observables", blocks)
}

pub fn attack(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    for (facts, at) in b.facts.iter().zip(0..) {
        let techniques = b.assessment(at).map(|assessment| assessment.attack.as_slice()).unwrap_or_default();
        for technique in techniques {
            let id = format!("{}.attack.{technique}", facts.key);
            let text = format!(
                "The evidence allows a mapping to {technique}; intent and origin are not established."
            );
            blocks.push(b.claim(&id, Voice::Assessed, text, &facts.frames));
        }
    }
    if blocks.is_empty() {
        blocks.push(Block::Note("None: no adversary behaviour shown.".to_owned()));
    }
    section("attack", "ATT&CK mapping", blocks)
}

pub fn lessons(b: &Builder<'_>) -> Section {
    let prompt = "what went well, what did not, what will be changed, by whom and when";
    let mut blocks = vec![b.field("lessons.learned", prompt, Need::Optional)];
    blocks.extend(b.notes("lessons"));
    section("lessons", "Lessons learned", blocks)
}
