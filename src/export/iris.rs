//! DFIR-IRIS: case summary, timeline, assets, evidences and observables of a case as one JSON object.
//!
//! The fields are those of the IRIS API (`case_description`, `event_title`, `asset_name`, `file_hash`, `ioc_value`),
//! so that each list can be sent as it is. Lossy: hypotheses and their ledger stay in the report.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use serde_json::{Value, json};

use super::cleared::{Cleared, Sink};
use super::lookups::Moment;
use super::{Export, Job};
use crate::decode::Address;
use crate::report::Block;
use crate::report::view::{voice_mark, voice_name};
use crate::text::escape;
use crate::time;

/// The version written into each document.
pub const SCHEMA: &str = "portmortem-iris/1";
/// Assets and observables of one kind.
const MANY_MAX: usize = 1_000;

/// DFIR-IRIS.
pub static IRIS: Export = Export {
    name: "iris",
    extension: "iris.json",
    about: "DFIR-IRIS: case summary, timeline, assets, evidences, observables",
    write,
};

/// The timeline alone.
pub static IRIS_EVENTS: Export = Export {
    name: "iris-csv",
    extension: "iris.csv",
    about: "DFIR-IRIS: the timeline as CSV for its upload of events",
    write: |job, out| {
        let rows: Vec<Cleared<Vec<String>>> = events(job).map(|event| job.clear(row(event))).collect();
        out.csv(&HEAD, &rows)
    },
};

fn write(job: &Job<'_>, out: &mut Sink<'_>) -> io::Result<()> {
    out.json(&job.clear(document(job)))
}

/// The whole document.
pub fn document(job: &Job<'_>) -> Value {
    let field = |id: &str| job.input.case.fields.get(id);
    json!({
        "schema": SCHEMA,
        "tool": super::json::tool(job),
        "case_name": job.report.title,
        "case_soc_id": field("case.id"),
        "case_tlp": field("case.tlp"),
        "case_description": summary(job),
        "timeline": timeline(job),
        "assets": assets(job),
        "evidences": evidences(job),
        "iocs": observables(job),
    })
}

/// The summary section in Markdown, with citations.
fn summary(job: &Job<'_>) -> String {
    let mut out = format!("# {}\n\n", crate::report::markdown::escape(&job.report.title));
    for block in job.report.section("summary").into_iter().flat_map(|section| &section.blocks) {
        let Block::Claim(claim) = block else { continue };
        if !claim.is_printed() {
            continue;
        }
        let text = crate::report::markdown::escape(claim.text.trim_end_matches('.'));
        let cited = if claim.citation.is_empty() { String::new() } else { format!(" [{}]", claim.citation) };
        let _ = writeln!(out, "- {} *{}*: {text}{cited}.", voice_mark(claim.voice), voice_name(claim.voice));
    }
    let _ = write!(out, "\n{}, status {}.\n", job.rendered.get().view.tool, job.rendered.get().view.status);
    out
}

/// What IRIS files an event under where nothing better is chosen (`Unspecified`).
const CATEGORY: (u32, &str) = (1, "Unspecified");

/// One event a finding, at the time of its first frame.
struct Event {
    title: String,
    /// As IRIS reads it: no zone, six decimals.
    date: String,
    content: String,
    raw: String,
    tags: String,
    in_summary: bool,
}

fn events<'j>(job: &'j Job<'_>) -> impl Iterator<Item = Event> + use<'j> {
    job.input.findings.iter().map(move |finding| {
        let moment = Moment::of_first(job, &finding.frames);
        let labels: Vec<String> =
            finding.frames.iter().take(24).map(|id| job.input.index.label(*id)).collect();
        let more = finding.frames.len().saturating_sub(labels.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let undated = moment.stated.as_ref().map(|stated| {
            format!(
                " The capture has no date and says {stated}; the date of the event is that of the report."
            )
        });
        Event {
            title: finding.statement.clone(),
            date: time::date_and_time(moment.at_ns).replace(' ', "T").chars().take(26).collect(),
            content: format!(
                "Frames: {}{more}. Filter that shows them: {}.{}",
                labels.join(", "),
                finding.filter,
                undated.unwrap_or_default()
            ),
            raw: finding
                .counts
                .iter()
                .map(|count| format!("{}: {}", count.label, count.value))
                .collect::<Vec<_>>()
                .join("; "),
            tags: format!("{},{}", finding.id, finding.severity.name()),
            in_summary: finding.severity > crate::findings::Severity::Info,
        }
    })
}

fn timeline(job: &Job<'_>) -> Vec<Value> {
    let event = |event: Event| {
        json!({
            "event_title": event.title,
            "event_date": event.date,
            "event_tz": "+00:00",
            "event_category_id": CATEGORY.0,
            "event_assets": [],
            "event_iocs": [],
            "event_content": event.content,
            "event_source": "portmortem",
            "event_raw": event.raw,
            "event_tags": event.tags,
            "event_in_summary": event.in_summary,
            "event_in_graph": true,
        })
    };
    events(job).map(event).collect()
}

/// The columns that the upload of events asks for.
const HEAD: [&str; 10] = [
    "event_date",
    "event_tz",
    "event_title",
    "event_category",
    "event_content",
    "event_raw",
    "event_source",
    "event_assets",
    "event_iocs",
    "event_tags",
];

/// The timeline for the upload of events. A line break would end a row there, and tags stand between bars.
fn row(event: Event) -> Vec<String> {
    let cells = [
        event.date,
        "+00:00".to_owned(),
        event.title,
        CATEGORY.1.to_owned(),
        event.content,
        event.raw,
        "portmortem".to_owned(),
        String::new(),
        String::new(),
        event.tags.replace(',', "|"),
    ];
    cells.into_iter().map(|cell| cell.replace(['\n', '\r'], " ")).collect()
}

/// Clients, servers and senders of ICMP errors, with their roles.
fn assets(job: &Job<'_>) -> Vec<Value> {
    let mut roles: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut note = |address: Address, role: &'static str| {
        let key = address.to_string();
        if roles.len() < MANY_MAX || roles.contains_key(&key) {
            let known = roles.entry(key).or_default();
            if !known.contains(&role) {
                known.push(role);
            }
        }
    };
    for problem in &job.input.evidence.problems {
        problem.clients.iter().for_each(|client| note(*client, "client"));
        note(problem.server.0, "DNS server asked");
    }
    for row in job.input.index.icmp_rows() {
        if let Some(packet) = job.input.index.packet(row.packet) {
            note(packet.source_address(), "sender of ICMP errors");
        }
    }
    let asset = |(address, roles): (String, Vec<&str>)| {
        json!({
            "asset_name": address,
            "asset_ip": address,
            "asset_type": if roles.contains(&"client") { "Other" } else { "Server" },
            "asset_description": roles.join(", "),
            "asset_tags": roles.join(","),
            "analysis_status": "Unspecified",
            "asset_compromise_status": "Unknown",
        })
    };
    roles.into_iter().map(asset).collect()
}

fn evidences(job: &Job<'_>) -> Vec<Value> {
    let sources = job.input.index.sources.iter().enumerate();
    sources
        .map(|(at, source)| {
            let label = crate::index::source_label(crate::index::SourceId::at(at));
            json!({
                "filename": escape(&source.name),
                "file_size": source.size,
                "file_hash": job.input.case.evidence.get(at).map(|record| &record.sha256),
                "file_description": format!(
                    "capture {label}: {}, {} frames, SHA-256", source.metadata.format.name(), source.packets
                ),
            })
        })
        .collect()
}

/// Addresses and names of the problems; none is an indicator of compromise.
fn observables(job: &Job<'_>) -> Vec<Value> {
    let mut found: BTreeMap<(String, &str), &str> = BTreeMap::new();
    for problem in &job.input.evidence.problems {
        found.insert((problem.server.0.to_string(), "ip-dst"), "server asked");
        for client in problem.clients.iter().take(MANY_MAX) {
            found.insert((client.to_string(), "ip-src"), "client");
        }
        for name in problem.names.iter().take(MANY_MAX) {
            found.insert((escape(name.trim_end_matches('.')), "domain"), "name asked for");
        }
    }
    let tlp = job.input.case.fields.get("case.tlp");
    let observable = |((value, kind), role): ((String, &str), &str)| {
        json!({
            "ioc_value": value,
            "ioc_type": kind,
            "ioc_tlp": tlp,
            "ioc_tags": "observable",
            "ioc_description": format!("{role}; an observable, not an indicator of compromise"),
        })
    };
    found.into_iter().take(MANY_MAX).map(observable).collect()
}
