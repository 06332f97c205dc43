//! OCSF: every DNS transaction as an event of class DNS Activity (4003), one object a line.
//!
//! Lossy: errors of other protocols, findings and causes stay in the report. A capture without dates has the time of
//! the report as `time`, and its own as `metadata.original_time`.

use serde_json::{Map, Value, json};

use super::lookups::{self, Lookup, Moment, end};
use super::{Export, Job};
use crate::protocols::dns as names;
use crate::time::Nanos;

/// The version of the schema the events keep to.
const VERSION: &str = "1.3.0";
/// Network Activity.
const CATEGORY: u32 = 4;
/// DNS Activity.
const CLASS: u32 = 4003;

/// OCSF.
pub static OCSF: Export = Export {
    name: "ocsf",
    extension: "ocsf.jsonl",
    about: "OCSF: every lookup as DNS Activity (4003), one object a line",
    write: |job, out| lookups::all(job).try_for_each(|lookup| out.json_line(&job.clear(event(job, &lookup)))),
};

/// One event.
pub fn event(job: &Job<'_>, lookup: &Lookup<'_>) -> Value {
    // Query 1; query and response together 6.
    let activity = if lookup.answer.is_some() { 6 } else { 1 };
    let (status, label, severity) = match lookup.succeeded() {
        Some(true) => (1, "Success", 1),
        Some(false) => (2, "Failure", 2),
        None => (0, "Unknown", 1),
    };
    let asked = Moment::of(job, &lookup.query);
    let (client_port, server_port) = lookups::ports(&lookup.query);
    let mut event = json!({
        "activity_id": activity,
        "category_uid": CATEGORY,
        "class_uid": CLASS,
        "class_name": "DNS Activity",
        "type_uid": CLASS * 100 + activity,
        "severity_id": severity,
        "status_id": status,
        "status": label,
        "status_detail": lookup.outcome.name(),
        "time": milliseconds(asked.at_ns),
        "message": lookup.sentence(),
        "metadata": metadata(job, lookup, &asked),
        "src_endpoint": end(lookup.query.source_address(), client_port, "hostname"),
        "dst_endpoint": end(lookup.query.destination_address(), server_port, "hostname"),
        "connection_info": {
            "direction_id": 0,
            "protocol_num": lookup.query.transport(),
            "protocol_name": if lookup.query.transport() == 6 { "tcp" } else { "udp" },
        },
    });
    let Some(fields) = event.as_object_mut() else { return event };
    if asked.stated.is_none() {
        fields.insert("query_time".into(), json!(milliseconds(asked.at_ns)));
    }
    fields.extend(lookup.name().map(|name| ("query".to_owned(), query(lookup, &name).into())));
    if let Some((answer, _)) = &lookup.answer {
        let answered = Moment::of(job, answer);
        if answered.stated.is_none() {
            fields.insert("response_time".into(), json!(milliseconds(answered.at_ns)));
        }
    }
    if let Some(code) = lookup.response_code {
        let (number, caption) = response_code(code);
        fields.insert("rcode_id".into(), json!(number));
        fields.insert("rcode".into(), json!(caption));
    }
    event
}

fn metadata(job: &Job<'_>, lookup: &Lookup<'_>, asked: &Moment) -> Value {
    let original = asked.stated.clone().unwrap_or_else(|| asked.rfc3339());
    json!({
        "version": VERSION,
        "product": { "name": "portmortem", "vendor_name": "portmortem", "version": env!("CARGO_PKG_VERSION") },
        "uid": lookup.id("o"),
        "log_name": lookup.query.source.name,
        "original_time": original,
        "labels": lookup.frames(job),
    })
}

fn query(lookup: &Lookup<'_>, name: &str) -> Map<String, Value> {
    let mut query = Map::new();
    query.insert("hostname".into(), json!(name));
    query.insert("opcode_id".into(), json!(lookup.row.header.opcode()));
    query.insert("packet_uid".into(), json!(lookup.row.header.id));
    if let Some(kind) = lookup.row.asked_type() {
        query.insert("type".into(), json!(names::type_name(kind)));
        query.insert("class".into(), json!(names::class_name(lookup.row.qclass)));
    }
    query
}

/// The schema's number and caption of a response code.
fn response_code(code: u16) -> (u16, String) {
    const CAPTIONS: [&str; 12] = [
        "NoError",
        "FormError",
        "ServError",
        "NXDomain",
        "NotImp",
        "Refused",
        "YXDomain",
        "YXRRSet",
        "NXRRSet",
        "NotAuth",
        "NotZone",
        "DSOTYPENI",
    ];
    match code {
        0..12 => (code, CAPTIONS.get(usize::from(code)).copied().unwrap_or_default().to_owned()),
        16..24 => (code, names::response_code_name(code)),
        _ => (99, names::response_code_name(code)),
    }
}

fn milliseconds(at_ns: Nanos) -> i64 {
    at_ns.div_euclid(1_000_000)
}
