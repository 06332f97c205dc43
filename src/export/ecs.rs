//! Elastic Common Schema 8: an event for each DNS query and each answer, one for each other packet the report cites,
//! and an alert for each finding, one object a line.
//!
//! ICMP types and codes have no field in the core schema and are written under a custom `icmp`. A capture without dates
//! has the time of the report as `@timestamp` (when the event was first received) and its own under `portmortem.time`.

use serde_json::{Map, Value, json};

use super::Job;
use super::json::stable;
use super::lookups::{self, Lookup, Moment, end};
use crate::decode::Quote;
use crate::findings::{Finding, Severity};
use crate::index::{DnsRow, Packet};
use crate::protocols::ProtocolId;
use crate::protocols::dns as names;

/// The version of the schema.
const VERSION: &str = "8.11.0";

/// The documents: lookups, other cited packets, findings; each becomes one line.
pub fn documents<'j>(job: &'j Job<'_>) -> impl Iterator<Item = Value> + use<'j> {
    let lookups = lookups::all(job).flat_map(move |lookup| {
        let answer = lookup.answer.is_some().then(|| dns_document(job, &lookup, true));
        std::iter::once(dns_document(job, &lookup, false)).chain(answer)
    });
    let cited = job.report.cited().into_iter().filter_map(|id| job.input.index.packet(id));
    let others = cited.filter(|packet| packet.dns().is_none());
    let others = others.map(move |packet| packet_document(job, &packet));
    let findings = job.input.findings.iter();
    lookups.chain(others).chain(findings.map(move |finding| finding_document(job, finding)))
}

fn common(job: &Job<'_>, moment: &Moment, packet: Option<&Packet<'_>>, event: Value) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("@timestamp".into(), json!(moment.rfc3339()));
    document.insert("ecs".into(), json!({"version": VERSION}));
    let version = env!("CARGO_PKG_VERSION");
    document.insert("observer".into(), json!({"product": "portmortem", "version": version}));
    document.insert("event".into(), event);
    document.insert("labels".into(), json!({"case": job.report.title}));
    if let Some(stated) = &moment.stated {
        document.insert("portmortem".into(), json!({"time": stated}));
    }
    if let Some(packet) = packet {
        let number = packet.segment.source.place();
        let mut file = json!({"name": packet.source.name, "size": packet.source.size});
        if let (Some(record), Some(object)) = (job.input.case.evidence.get(number), file.as_object_mut()) {
            object.insert("hash".into(), json!({"sha256": record.sha256}));
        }
        document.insert("file".into(), file);
    }
    document
}

/// The event of a query, or of its answer with the details of the query.
fn dns_document(job: &Job<'_>, lookup: &Lookup<'_>, is_answer: bool) -> Value {
    let shown = lookup.answer.as_ref().filter(|_| is_answer).map_or(&lookup.query, |(packet, _)| packet);
    let outcome = match lookup.succeeded() {
        Some(true) => "success",
        Some(false) => "failure",
        None => "unknown",
    };
    let mut event = json!({
        "kind": "event", "category": ["network"], "type": ["protocol"], "dataset": "portmortem.dns",
        "action": if is_answer { "dns_answer" } else { "dns_query" },
        "id": lookup.id(if is_answer { "a" } else { "q" }),
        "outcome": outcome, "reason": lookup.outcome.name(),
    });
    if let (true, Some(duration_ns), Some(event)) = (is_answer, lookup.round_trip_ns, event.as_object_mut()) {
        event.insert("duration".into(), json!(duration_ns));
    }
    let mut document = common(job, &Moment::of(job, shown), Some(shown), event);
    document.insert("message".into(), json!(lookup.sentence()));
    // Source is who asks, also in the event of the answer.
    let (client_port, server_port) = lookups::ports(&lookup.query);
    let query = &lookup.query;
    document.insert("source".into(), end(query.source_address(), client_port, "domain").into());
    document.insert("destination".into(), end(query.destination_address(), server_port, "domain").into());
    document.insert("network".into(), network(shown));
    let answer = lookup.answer.as_ref().filter(|_| is_answer).and_then(|(_, row)| *row);
    document.insert("dns".into(), dns_object(lookup, answer, is_answer));
    document.into()
}

fn dns_object(lookup: &Lookup<'_>, answer: Option<&DnsRow>, is_answer: bool) -> Value {
    let header = answer.unwrap_or(lookup.row).header;
    let flags =
        [(0x0400, "AA"), (0x0200, "TC"), (0x0100, "RD"), (0x0080, "RA"), (0x0020, "AD"), (0x0010, "CD")];
    let set: Vec<&str> =
        flags.iter().filter(|(bit, _)| header.flags & bit != 0).map(|(_, name)| *name).collect();
    let mut object = json!({
        "id": lookup.row.header.id.to_string(),
        "type": if is_answer { "answer" } else { "query" },
        "op_code": names::opcode_name(header.opcode()).to_uppercase(),
        "header_flags": set,
    });
    let Some(fields) = object.as_object_mut() else { return object };
    if let Some(code) = lookup.response_code.filter(|_| is_answer) {
        fields.insert("response_code".into(), json!(names::response_code_name(code)));
    }
    if let Some(name) = lookup.name() {
        let mut question = json!({ "name": name });
        if let (Some(kind), Some(question)) = (lookup.row.asked_type(), question.as_object_mut()) {
            question.insert("type".into(), json!(names::type_name(kind)));
            question.insert("class".into(), json!(names::class_name(lookup.row.qclass)));
        }
        fields.insert("question".into(), question);
    }
    object
}

fn network(packet: &Packet<'_>) -> Value {
    let transport = match packet.transport() {
        6 => "tcp",
        17 => "udp",
        1 => "icmp",
        58 => "ipv6-icmp",
        _ => "",
    };
    let mut network = json!({"protocol": packet.protocol().protocol().name});
    if let Some(network) = network.as_object_mut() {
        if !transport.is_empty() {
            network.insert("transport".into(), json!(transport));
        }
        if !packet.is_text() {
            network.insert("bytes".into(), json!(packet.original()));
        }
    }
    network
}

fn packet_document(job: &Job<'_>, packet: &Packet<'_>) -> Value {
    let event = json!({
        "kind": "event", "category": ["network"], "type": ["info"], "dataset": "portmortem.packet",
        "id": stable("p", &lookups::key(job, packet)),
    });
    let mut document = common(job, &Moment::of(job, packet), Some(packet), event);
    document.insert("message".into(), json!(packet.summary()));
    let ports = packet.decode().ports();
    let (source, destination) = (packet.source_address(), packet.destination_address());
    document.insert("source".into(), end(source, ports.map(|p| p.0), "domain").into());
    document.insert("destination".into(), end(destination, ports.map(|p| p.1), "domain").into());
    document.insert("network".into(), network(packet));
    if let Some(icmp) = icmp_object(packet) {
        document.insert("icmp".into(), icmp);
    }
    document.into()
}

fn icmp_object(packet: &Packet<'_>) -> Option<Value> {
    if !matches!(packet.protocol(), ProtocolId::ICMP | ProtocolId::ICMPV6) {
        return None;
    }
    let decoded = packet.decode();
    let (kind, code) = decoded.icmp()?;
    let mut icmp = json!({"type": kind, "code": code});
    if let (Some(quote), Some(object)) = (Quote::read(&decoded), icmp.as_object_mut()) {
        let ports = quote.inner.ports();
        object.insert(
            "quoted".into(),
            json!({
                "source": end(quote.inner.source, ports.map(|p| p.0), "domain"),
                "destination": end(quote.inner.destination, ports.map(|p| p.1), "domain"),
            }),
        );
    }
    Some(icmp)
}

fn finding_document(job: &Job<'_>, finding: &Finding) -> Value {
    let first = finding.frames.first().and_then(|id| job.input.index.packet(*id));
    let severity = match finding.severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
    };
    let key = first.as_ref().map(|packet| lookups::key(job, packet)).unwrap_or_default();
    let event = json!({
        "kind": "alert", "category": ["network"], "type": ["info"], "dataset": "portmortem.finding",
        "severity": severity, "id": stable("f", &format!("{key} {} {}", finding.id, finding.statement)),
    });
    let mut document = common(job, &Moment::of_first(job, &finding.frames), first.as_ref(), event);
    document.insert("rule".into(), json!({"id": finding.id, "name": finding.id}));
    document.insert("message".into(), json!(finding.statement));
    let labels: Vec<String> = finding.frames.iter().take(100).map(|id| job.input.index.label(*id)).collect();
    let own = document.entry("portmortem").or_insert_with(|| json!({}));
    if let Some(own) = own.as_object_mut() {
        own.insert("frames".into(), json!(labels));
        own.insert("frame_count".into(), json!(finding.frames.len()));
        own.insert("filter".into(), json!(finding.filter));
    }
    document.into()
}
