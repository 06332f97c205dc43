//! DFIR-IRIS: case summary, timeline, assets, evidences and observables of a case as one JSON object.
//!
//! The fields are those of the IRIS API (`case_description`, `event_title`, `asset_name`, `file_hash`, `ioc_value`),
//! so that each list can be sent as it is. Lossy: hypotheses and their ledger stay in the report.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Value, json};

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
    write: |job, out| write(job, out),
};

fn write(job: &Job<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", crate::text::json_pretty(&job.say_value(document(job)))?)
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
    let _ = write!(out, "\n{}, status {}.\n", job.rendered.view.tool, job.rendered.view.status);
    out
}

/// One event a finding, at the time of its first frame.
fn timeline(job: &Job<'_>) -> Vec<Value> {
    let index = job.input.index;
    let event = |finding: &crate::findings::Finding| {
        let first_ns = finding.frames.first().and_then(|id| index.packet(*id)).map(|packet| packet.time_ns());
        let labels: Vec<String> = finding.frames.iter().take(24).map(|id| index.label(*id)).collect();
        let more = finding.frames.len().saturating_sub(labels.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let time_of_day = first_ns.filter(|_| !index.has_date()).map(|at| index.basis().moment(at));
        json!({
            "event_title": finding.statement,
            "event_date": first_ns.filter(|_| index.has_date()).map(time::rfc3339),
            "event_time_of_day": time_of_day,
            "event_tz": (index.basis() == time::Basis::Utc).then_some("+00:00"),
            "event_content": format!(
                "Frames: {}{more}. Filter that shows them: {}", labels.join(", "), finding.filter
            ),
            "event_source": "portmortem",
            "event_raw": finding.counts.iter().map(|count| format!("{}: {}", count.label, count.value))
                .collect::<Vec<_>>().join("; "),
            "event_tags": format!("{},{}", finding.id, finding.severity.name()),
            "event_in_summary": finding.severity > crate::findings::Severity::Info,
            "event_in_graph": true,
        })
    };
    job.input.findings.iter().map(event).collect()
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
            let label = crate::index::source_label(crate::index::SourceId(at as u16));
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
