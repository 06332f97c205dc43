//! Appendices: evidence and custody, method, cited frames, ledger, glossary.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Block, Place, Report, Section, Shown, cite};
use super::cause::{author, silent, weighed_table};
use super::timeline::reading;
use super::{Builder, annex, limited, table};
use crate::capture::Format;
use crate::findings::hypotheses::{Author, LedgerRow};
use crate::findings::rules::runs;
use crate::index::{IndexedSource, PacketId, SourceId, source_label};
use crate::text::{escape, shell, thousands};
use crate::time;

/// Cited frames read one by one.
const FRAMES_MAX: usize = 40;
/// The value of a property the file does not state.
const ABSENT: &str = "not recorded";
/// Comments of a file or interface listed one by one.
const COMMENTS_MAX: usize = 8;
/// Of these the short form prints so many.
const FRAMES_SHOWN: usize = 12;
/// Frames and runs of frames of a list that are printed.
const LIST_PARTS_MAX: usize = 256;

/// The scale of confidence words, printed once.
const SCALE: &str = "Words used for explanations: best supported / consistent with the evidence / neither supported nor excluded / unlikely on this evidence / excluded within this capture / not assessable from this vantage. Weights are expert judgement, see the ledger; no percentages are given.";

pub fn evidence(b: &Builder<'_>) -> Section {
    let mut rows = Vec::new();
    for (at, source) in b.input.index.sources.iter().enumerate() {
        rows.extend(facts_of_source(b, at, source));
    }
    let brief =
        b.input.index.sources.iter().enumerate().map(|(at, source)| (brief(b, at, source), Vec::new()));
    let head = ["Capture", "What it holds", "SHA-256"];
    let mut blocks = vec![
        table("evidence.files", "", &head, brief.collect()),
        limited(
            table("evidence", "Properties of the captures", &["Capture", "Property", "Value"], rows),
            Shown::Nothing,
        ),
    ];
    if !b.input.case.custody.is_empty() {
        let rows = b.input.case.custody.iter().map(|entry| {
            let ok = entry.hash_ok.map_or("–", |ok| if ok { "yes" } else { "no" });
            let cells =
                [&entry.at, &entry.who, &entry.action, &entry.detail].map(|cell| escape(cell)).to_vec();
            (cells.into_iter().chain([ok.to_owned()]).collect(), Vec::new())
        });
        let head = ["When", "Who", "Action", "From, to", "Hash agreed"];
        let custody = table("custody", "Chain of custody", &head, rows.collect());
        // That the program opened and hashed what stands above is told by the hashes.
        let is_opening = |entry: &crate::case::CustodyEntry| {
            entry.who == "portmortem" && entry.action.starts_with("opened")
        };
        let only_opened = b.input.case.custody.iter().all(is_opening);
        blocks.push(if only_opened { limited(custody, Shown::Nothing) } else { custody });
    }
    blocks.push(Block::Note(super::super::UNMASKED.to_owned()));
    blocks.push(Block::Lines("To repeat".to_owned(), repeat(b)));
    blocks.extend(b.notes("evidence"));
    annex(Place::Appendix, "evidence", "Evidence and chain of custody", blocks)
}

/// A capture in a row.
fn brief(b: &Builder<'_>, at: usize, source: &IndexedSource) -> Vec<String> {
    let time_of = |row| {
        let packet = b.input.index.packet(source.packet(row)?)?;
        Some(packet.time_ns())
    };
    let ends = time_of(0).zip(time_of(source.packets.saturating_sub(1)));
    let ends = ends.map_or_else(String::new, |(first, last)| format!(", {}", b.clock.range(first, last)));
    let frames = crate::report::words::count(source.packets as usize, "frame", "frames");
    vec![
        format!("{} {}", source_label(SourceId::at(at)), escape(&source.name)),
        format!("{}, {frames}{ends}", format_of(source)),
        hash_of(b, at),
    ]
}

fn hash_of(b: &Builder<'_>, at: usize) -> String {
    b.input.case.evidence.get(at).map_or_else(|| "not yet computed".to_owned(), |r| r.sha256.clone())
}

fn facts_of_source(b: &Builder<'_>, at: usize, source: &IndexedSource) -> Vec<(Vec<String>, Vec<PacketId>)> {
    let absent = || ABSENT.to_owned();
    let metadata = &source.metadata;
    let label = source_label(SourceId::at(at));
    let sha = hash_of(b, at);
    let mut values = vec![
        ("File", escape(&source.name)),
        ("Size", format!("{} bytes", thousands(source.size))),
        ("SHA-256", sha),
        ("Format", format_of(source)),
        ("Frames", thousands(u64::from(source.packets))),
    ];
    let place = [("Site", &source.place.site), ("Sensor", &source.place.sensor)];
    values.extend(place.into_iter().filter_map(|(what, name)| Some((what, escape(name.as_ref()?)))));
    for interface in &metadata.interfaces {
        if metadata.format != Format::Transcript {
            values.push(("Link type", interface.link_type.0.to_string()));
        }
        let snap = match interface.snap_length {
            0 => absent(),
            bytes => format!("{} bytes", thousands(u64::from(bytes))),
        };
        values.push(("Snap length", snap));
        values.push(("Interface", interface.name.as_deref().map_or_else(absent, escape)));
        if let Some(description) = &interface.description {
            values.push(("Interface description", escape(description)));
        }
        values.push(("Capture filter", interface.filter.as_deref().map_or_else(absent, escape)));
        if let Some(received) = interface.received {
            values.push(("Packets received", thousands(received)));
        }
        values.push(("Packets dropped", interface.dropped.map_or_else(absent, thousands)));
        values.push(("Time resolution", interface.resolution.clone()));
        for comment in interface.comments.iter().take(COMMENTS_MAX) {
            values.push(("Comment on the interface", escape(comment)));
        }
    }
    let row = |row| source.packet(row);
    let time_of = |at| b.input.index.packet(row(at)?).map(|packet| packet.time_ns());
    if let (Some(first), Some(last)) = (time_of(0), time_of(source.packets.saturating_sub(1))) {
        values.push(("First frame", b.clock.exact(first)));
        values.push(("Last frame", b.clock.exact(last)));
        let ends = row(0).zip(row(source.packets.saturating_sub(1)));
        let lasted_ns = ends.and_then(|(first, last)| b.input.evidence.between_ns(first, last));
        values.push(("Duration", lasted_ns.map_or_else(|| "cannot be told".to_owned(), time::span)));
    }
    if source.offset_ns != 0 {
        values.push(("Clock offset applied", format!("{} s", time::seconds(source.offset_ns))));
    }
    for by in &metadata.written_by {
        values.push(("Written by", escape(by)));
    }
    for comment in metadata.section_comments.iter().take(COMMENTS_MAX) {
        values.push(("Comment in the file", escape(comment)));
    }
    let mut missing: Vec<&str> =
        values.iter().filter(|(_, value)| value == ABSENT).map(|(property, _)| *property).collect();
    values.retain(|(_, value)| value != ABSENT);
    if !missing.is_empty() {
        missing.sort_unstable();
        missing.dedup();
        values.push(("Not recorded", missing.join(", ").to_lowercase()));
    }
    values
        .into_iter()
        .map(|(property, value)| (vec![label.clone(), property.to_owned(), value], Vec::new()))
        .collect()
}

fn format_of(source: &IndexedSource) -> String {
    let format = match source.metadata.format {
        Format::Transcript => "packets printed as text (transcript)".to_owned(),
        other => other.name().to_owned(),
    };
    match source.metadata.container {
        Some(container) => format!("{format}, packed with {container}"),
        None => format,
    }
}

pub fn method(b: &Builder<'_>) -> Section {
    let parameters = &b.input.evidence.parameters;
    let seconds = |ns: time::Nanos| time::span(ns);
    let lines = vec![
        format!("portmortem {}, rules {}", env!("CARGO_PKG_VERSION"), super::super::rules_version()),
        format!(
            "a repeat within {} of the last try is a retransmission",
            seconds(parameters.retry_window_ns)
        ),
        format!("an answer more than {} after the last try is late", seconds(parameters.late_after_ns)),
        format!("silence counts when the capture goes on for {}", seconds(parameters.watch_ns)),
        format!("failures further apart than {} are separate episodes", seconds(parameters.episode_gap_ns)),
    ];
    let rules: Vec<&str> = crate::findings::FINDINGS.iter().map(|rule| rule.id).collect();
    let mut blocks = vec![
        Block::Note("Queries are paired with answers by addresses, ports, query number and question; ICMP errors with the packet they quote. Frame numbers count from 1 in the file, before any filtering.".to_owned()),
        Block::Lines("Program and parameters".to_owned(), lines),
    ];
    if !rules.is_empty() {
        blocks.push(Block::Note(format!(
            "Rules applied (“portmortem findings --rules” explains them): {}.",
            rules.join(", ")
        )));
    }
    annex(Place::Further, "method", "Method", blocks)
}

fn repeat(b: &Builder<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for source in b.input.index.sources.iter().take(8) {
        let name = shell(&source.name);
        if source.metadata.format == Format::Transcript {
            lines.push(format!("portmortem packets {name}"));
            continue;
        }
        lines.push(format!("portmortem packets --filter 'dns or icmp' {name}"));
        lines.push(format!("tshark -n -r {name} -Y 'dns || icmp || icmpv6'"));
        lines.push(format!("tcpdump -n -r {name} '{}'", b.input.index.settings.capture_filter()));
    }
    lines
}

/// Every frame the claims before it cite: a reading for each that a citation names and no table shows, and the lists.
pub fn frames(b: &Builder<'_>, report: &Report) -> Section {
    let mut named: BTreeSet<PacketId> = BTreeSet::new();
    for claim in report.claims().filter(|claim| claim.is_printed()) {
        // A long citation names its first and its last frame.
        if cite::is_shortened(&claim.citation) {
            named.extend(claim.frames.first());
            named.extend(claim.frames.last());
        } else {
            named.extend(&claim.frames);
        }
    }
    let read = in_timeline(report);
    let missing: Vec<PacketId> = named.difference(&read).copied().collect();
    let rows = missing.iter().take(FRAMES_MAX).map(|id| {
        let cells = vec![b.input.index.label(*id), b.clock.exact(b.time(*id)), reading(b, *id)];
        (cells, vec![*id])
    });
    let rows: Vec<_> = rows.collect();
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        let caption = "Frames cited that the timeline does not show";
        let table = table("frames", caption, &["Frame", "Time", "Reading"], rows);
        blocks.push(limited(table, Shown::First(FRAMES_SHOWN)));
    }
    let sets = report.lists.sets();
    let lists = sets.iter().zip(1..).map(|(frames, number)| {
        let (parts, rest) = cite::made_of(sets, frames);
        let parts: Vec<String> = parts.iter().map(|part| format!("list {part}")).collect();
        let text = match (parts.is_empty(), rest.is_empty()) {
            (true, _) => listed(b, frames),
            (false, true) => parts.join(" and "),
            (false, false) => format!("{} and {}", parts.join(" and "), listed(b, &rest)),
        };
        (vec![format!("list {number}"), thousands(frames.len() as u64), text], Vec::new())
    });
    let lists: Vec<_> = lists.collect();
    if !lists.is_empty() {
        blocks.push(table("lists", "Lists of frames", &["List", "Frames", LISTED], lists));
    }
    annex(Place::Appendix, "frames", "Cited frames", blocks)
}

/// The head of the column with what shows the frames of a list again.
pub const LISTED: &str = "Filter that shows them";

/// In code marks a filter that shows these frames, or their labels where files number theirs alike; what is left out is said.
fn listed(b: &Builder<'_>, frames: &[PacketId]) -> String {
    if b.input.index.sources.len() > 1 {
        return cite::written_out(b.input.index, frames, LIST_PARTS_MAX);
    }
    let all = runs(b.input.index, frames);
    let told = all.get(..all.len().min(LIST_PARTS_MAX)).unwrap_or_default().join(", ");
    match all.len().saturating_sub(LIST_PARTS_MAX) {
        0 => format!("`frame.number in {{{told}}}`"),
        rest => format!(
            "`frame.number in {{{told}}}` and {} more frames or runs, which the JSON form lists",
            thousands(rest as u64)
        ),
    }
}

/// The frames whose reading stands in the timeline.
fn in_timeline(report: &Report) -> BTreeSet<PacketId> {
    let blocks = report.section("timeline").into_iter().flat_map(|section| &section.blocks);
    let tables = blocks.filter_map(|block| if let Block::Table(table) = block { Some(table) } else { None });
    tables.flat_map(|table| table.printed().flat_map(|(_, frames)| frames.iter().copied())).collect()
}

pub fn ledger(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    for (key, assessment, _) in b.weighed_problems() {
        let mut entries: Vec<Entry<'_>> = Vec::new();
        for hypothesis in &assessment.hypotheses {
            for row in &hypothesis.ledger {
                enter(&mut entries, hypothesis.id(), row);
            }
        }
        entries.sort_by_key(|entry| (entry.row.id.len(), entry.row.id.clone()));
        let own = entries.iter().all(|entry| !entry.row.off && entry.row.author == Author::Program);
        let rows = entries.iter().map(|entry| {
            let by = if entry.row.off { "switched off by the analyst" } else { author(entry.row.author) };
            let mut cells = vec![
                entry.row.id.clone(),
                entry.row.observation.clone(),
                entry.weights(),
                entry.reasons.join("; "),
            ];
            if !own {
                cells.push(by.to_owned());
            }
            (cells, entry.row.frames.clone())
        });
        let head = ["Row", "Observation", "dB for each explanation", "Reason", "By"];
        let head = head.get(..head.len() - usize::from(own)).unwrap_or(&head);
        blocks.push(weighed_table(&key, assessment));
        blocks.extend(silent(assessment));
        blocks.push(table(&format!("{key}.ledger"), "Observations and their weights", head, rows.collect()));
    }
    if blocks.is_empty() {
        blocks.push(Block::Note("No explanation was weighed.".to_owned()));
    } else {
        let scale = "Weights in decibans (10·log10 of how many times more expected an observation is if the explanation is true): ±20 hallmark, ±10 strong, ±5 moderate, ±2 slight, 0 says nothing. Each group of evidence is capped at ±20; repeated observations count once.";
        blocks.insert(0, Block::Note(scale.to_owned()));
        blocks.insert(1, Block::Note(SCALE.to_owned()));
    }
    annex(Place::Further, "ledger", "Ledger", blocks)
}

/// One observation with its weights for the explanations.
struct Entry<'l> {
    row: &'l LedgerRow,
    weights: Vec<(&'l str, Option<i32>)>,
    reasons: Vec<String>,
}

impl Entry<'_> {
    /// `H1, H2 +10; H5 -10; H9 0`, greatest weight first, what it excludes last.
    fn weights(&self) -> String {
        let mut by_weight: BTreeMap<std::cmp::Reverse<Option<i32>>, Vec<&str>> = BTreeMap::new();
        for (hypothesis, weight) in &self.weights {
            by_weight.entry(std::cmp::Reverse(*weight)).or_default().push(hypothesis);
        }
        let parts: Vec<String> = by_weight
            .into_iter()
            .map(|(std::cmp::Reverse(weight), ids)| match weight {
                None => format!("{} excluded", ids.join(", ")),
                Some(0) => format!("{} 0", ids.join(", ")),
                Some(weight) => format!("{} {weight:+}", ids.join(", ")),
            })
            .collect();
        parts.join("; ")
    }
}

/// Adds a hypothesis's row to the entry of its observation; a row the analyst changed or added stands alone.
fn enter<'l>(entries: &mut Vec<Entry<'l>>, hypothesis: &'l str, row: &'l LedgerRow) {
    let weight = (hypothesis, row.weight_db);
    let reason = (row.weight_db != Some(0)).then(|| row.reason.clone());
    let same = |entry: &&mut Entry<'_>| {
        entry.row.id == row.id && entry.row.author == row.author && entry.row.observation == row.observation
    };
    let Some(entry) = entries.iter_mut().find(same) else {
        entries.push(Entry { row, weights: vec![weight], reasons: reason.into_iter().collect() });
        return;
    };
    entry.weights.push(weight);
    if let Some(reason) = reason.filter(|reason| !entry.reasons.contains(reason)) {
        entry.reasons.push(reason);
    }
}

pub fn glossary() -> Section {
    let rows = [
        ("DNS", "the service that turns names into addresses; a query asks, a response answers"),
        ("resolver", "a DNS server that searches on behalf of its clients"),
        ("recursion desired", "a mark in a query that asks the server to do the whole search; usual"),
        ("UDP", "a way to send single messages without a connection; DNS uses port 53"),
        ("port", "a number that says which service on a host a message is for"),
        ("ICMP", "the network's reporting protocol; it has no ports and quotes the packet it reports about"),
        ("port unreachable", "the host's address was reached, the port refused the message"),
        ("frame", "one packet of the capture, numbered from 1 in the file"),
        ("deciban", "a tenth of a power of ten in odds; +10 means ten times more expected"),
    ];
    let rows =
        rows.iter().map(|(word, meaning)| (vec![(*word).to_owned(), (*meaning).to_owned()], Vec::new()));
    annex(
        Place::Further,
        "glossary",
        "Glossary",
        vec![table("glossary", "Glossary", &["Word", "Meaning"], rows.collect())],
    )
}
