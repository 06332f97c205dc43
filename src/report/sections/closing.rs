//! Limitations, observables, ATT&CK and lessons.

use super::super::words;
use super::super::{Block, Place, Section, Voice};
use super::cause::{frames_of, quoted, rows_behind};
use super::findings::{claim, is_quality};
use super::opening::edge;
use super::problem::{ends, sentence};
use super::{Builder, annex, table};
use crate::findings::Severity;
use crate::findings::hypotheses::Topic;
use crate::index::PacketId;
use crate::text::thousands;
use crate::time;

pub fn limitations(b: &Builder<'_>) -> Section {
    let quality = || b.input.findings.iter().filter(|finding| is_quality(finding));
    let mut blocks: Vec<Block> = quality().filter(|f| f.code.is_none()).map(|f| claim(b, f)).collect();
    blocks.extend(unfaithful(b));
    let rows = quality().filter_map(|finding| {
        let cells = vec![finding.code?.to_owned(), sentence(&quoted(&finding.statement))];
        Some((cells, finding.frames.clone()))
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        blocks.push(table("limits.quality", "Record quality", &["Code", "Point"], rows));
    }
    for (what, text, frames) in cannot_tell(b) {
        blocks.push(b.claim(&format!("limits.{what}"), Voice::Assessed, text, &frames));
    }
    for (number, text) in of_the_record(b).into_iter().enumerate() {
        blocks.push(b.claim(&format!("limits.record.{}", number + 1), Voice::Observed, text, &edge(b)));
    }
    blocks.extend(b.notes("limitations"));
    annex(Place::Appendix, "limitations", "Limits of this record", blocks)
}

/// The conclusion from points that no faithful record shows.
fn unfaithful(b: &Builder<'_>) -> Option<Block> {
    let quality = || b.input.findings.iter().filter(|finding| finding.code.is_some());
    let grave: Vec<_> = quality().filter(|finding| finding.severity > Severity::Info).collect();
    let points = quality().count();
    let frames: Vec<PacketId> = grave.iter().flat_map(|finding| finding.frames.iter().copied()).collect();
    let text = format!(
        "{} of this {} not fit a faithful record (it may be edited, or teaching material); the conclusions of this report rest on addresses, message types and order only, not on its lengths and delays.",
        match points {
            1 => "1 detail".to_owned(),
            many => format!("{many} details"),
        },
        if points == 1 { format!("{} does", b.record) } else { format!("{} do", b.record) },
    );
    (!grave.is_empty()).then(|| b.claim("limits.unfaithful", Voice::Assessed, text, &frames))
}

/// What this capture cannot tell, one sentence each.
fn cannot_tell(b: &Builder<'_>) -> Vec<(&'static str, String, Vec<PacketId>)> {
    let Some(facts) = b.facts.first() else { return Vec::new() };
    let (server, port, record) = (facts.server, facts.port, b.record);
    let first_and_last = ends(facts);
    // Which side has a bound is told with the failure; only what has none is not known.
    let unknown = match super::outage::bounds(b, facts) {
        (None, None) => Some("Since when and until when the fault lasted is not known"),
        (None, Some(_)) => Some("Since when the fault lasted is not known"),
        (Some(_), None) => Some("Until when the fault lasted is not known"),
        (Some(_), Some(_)) => None,
    };
    let since = unknown.map(|unknown| {
        let text = format!("{unknown}; the {record} shows only the time between its first and last frame.");
        ("since", text, first_and_last.clone())
    });
    let mut out: Vec<(&'static str, String, Vec<PacketId>)> = since.into_iter().collect();
    let mut say =
        |what: &'static str, text: String, frames: &[PacketId]| out.push((what, text, frames.to_vec()));
    let missing = match b.clock.counted {
        crate::time::Basis::Nothing => "The date and the time are not recorded.",
        crate::time::Basis::Start => "The date and the time of day are not recorded.",
        crate::time::Basis::Midnight => "The date with its year and the time zone are not recorded.",
        crate::time::Basis::Local => "The time zone is not recorded.",
        crate::time::Basis::Utc => "",
    };
    if !missing.is_empty() {
        say("date", missing.to_owned(), &edge(b));
    }
    if facts.problem.clients.len() == 1 {
        say(
            "clients",
            format!(
                "Whether other clients or customers use {server} is not known; one client appears in this failure."
            ),
            &facts.queries,
        );
    }
    if facts.problem.transport == 17 && !b.inventory.tcp_dns_servers.contains(&server) {
        say(
            "tcp",
            format!("Whether TCP port {port} of {server} works is not known: it was not tried."),
            &facts.queries,
        );
    }
    if b.inventory.web == 0 {
        say(
            "web",
            "Whether the web server works is not known: no packet to a web server appears.".to_owned(),
            &b.inventory.whole(),
        );
    }
    if let [name] = facts.problem.names.as_slice()
        && !facts.problem.has_cut_names
        && !name.starts_with("www.")
    {
        say(
            "www",
            format!(
                "Only {0} was asked for, not www.{0}; whether that name can be resolved is not known.",
                words::name(name)
            ),
            &facts.queries,
        );
    }
    if facts.any_recursive && !b.inventory.answering.contains(&server) {
        say(
            "role",
            format!(
                "The role of {server} is not known: no DNS answer from it appears, so whether it is meant to be a resolver should be confirmed."
            ),
            &facts.queries,
        );
    }
    if facts.is_icmp() {
        let senders: Vec<String> = facts.senders.iter().map(ToString::to_string).collect();
        say(
            "sender",
            format!(
                "Which device sent the errors that carry the address {} is not known from the address alone.",
                words::list(&senders, 3)
            ),
            &facts.errors,
        );
    }
    if b.inventory.dns_servers.len() == 1 {
        say(
            "second",
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
    if i.packets > 0 && (b.clock.has_date || b.facts.is_empty()) {
        let mut basis = b.clock.basis().to_owned();
        if let Some(first) = basis.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        out.push(format!("{basis}."));
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
        let source = b.input.index.sources.get(clock.source.place());
        out.push(format!(
            "{}: {} an earlier time than the packet before, by {} at most; packets are matched {} and keep their numbers.",
            source.map(|source| crate::text::escape(&source.name)).unwrap_or_default(),
            words::count(clock.steps as usize, "packet has", "packets have"),
            time::span(clock.largest_ns),
            if b.input.evidence.was_set_back() { "in the order of the file" } else { "by time" }
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
    out.extend(b.input.evidence.notes().map(|note| super::problem::sentence(note)));
    out
}

/// Observables of one kind and failure listed one by one.
const LISTED_MAX: usize = 16;

pub fn observables(b: &Builder<'_>) -> Section {
    let mut rows = Vec::new();
    let mut row = |kind: &str, value: String, frames: &[PacketId]| {
        rows.push((vec![kind.to_owned(), value], frames.to_vec()));
    };
    for facts in b.detailed() {
        for client in facts.problem.clients.iter().take(LISTED_MAX) {
            row("address (client)", client.to_string(), &[]);
        }
        row("address (server asked)", facts.server.to_string(), &facts.queries);
        for sender in facts.senders.iter().filter(|sender| **sender != facts.server).take(LISTED_MAX) {
            row("address (sender of errors)", sender.to_string(), &facts.errors);
        }
        for name in facts.problem.names.iter().take(LISTED_MAX) {
            row("domain name", crate::text::escape(name), &[]);
        }
        let further = [
            ("address (client)", facts.problem.clients.len()),
            ("address (sender of errors)", facts.senders.len()),
            ("domain name", facts.problem.names.len()),
        ];
        for (kind, count) in further {
            if count > LISTED_MAX {
                let rest = thousands((count - LISTED_MAX) as u64);
                row(kind, format!("and {rest} more of the failure at {}", facts.server), &[]);
            }
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
    annex(Place::Further, "observables", "Observables", blocks)
}

pub fn attack(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    for (key, assessment, facts) in b.weighed_problems() {
        for technique in &assessment.attack {
            let id = format!("{key}.attack.{technique}");
            let text = format!(
                "The evidence allows a mapping to {technique}; intent and origin are not established."
            );
            let rows = rows_behind(assessment, Topic::Load);
            blocks.push(b.weighed(&id, text, &frames_of(assessment, facts), rows));
        }
    }
    let place = if blocks.is_empty() { Place::Further } else { Place::Appendix };
    if blocks.is_empty() {
        blocks.push(Block::Note("None: no adversary behaviour shown.".to_owned()));
    }
    annex(place, "attack", "ATT&CK mapping", blocks)
}
