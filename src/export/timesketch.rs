//! Timesketch: lookups, cited errors and findings as events of a timeline, as JSONL and as CSV.
//!
//! `message`, `datetime` and `timestamp_desc` are the fields every event must have.

use super::cleared::Cleared;
use super::lookups::{self, Moment, without_dot};
use super::{Export, Job};
use crate::index::Packet;
use crate::time;

/// Timesketch, JSONL.
pub static TIMESKETCH: Export = Export {
    name: "timesketch",
    extension: "timesketch.jsonl",
    about: "Timesketch: lookups, errors and findings as events, one object a line",
    write: |job, out| {
        rows(job).try_for_each(|row| {
            let pairs = HEAD.iter().zip(row).filter(|(_, value)| !value.is_empty());
            let event = pairs.map(|(key, value)| ((*key).to_owned(), typed(key, value)));
            out.json_line(&job.clear(serde_json::Value::Object(event.collect())))
        })
    },
};

/// Timesketch, CSV.
pub static TIMESKETCH_CSV: Export = Export {
    name: "timesketch-csv",
    extension: "timesketch.csv",
    about: "the same for Timesketch as CSV",
    write: |job, out| {
        let rows: Vec<Cleared<Vec<String>>> = rows(job).map(|row| job.clear(row.into())).collect();
        out.csv(&HEAD, &rows)
    },
};

/// The fields, the mandatory ones first.
const HEAD: [&str; 12] = [
    "message",
    "datetime",
    "timestamp_desc",
    "timestamp",
    "source_ip",
    "destination_ip",
    "dns_name",
    "dns_outcome",
    "finding",
    "severity",
    "frames",
    "file",
];

/// The time stamp is a number of microseconds; all else is text.
fn typed(key: &str, value: String) -> serde_json::Value {
    match value.parse::<i64>() {
        Ok(number) if key == "timestamp" => number.into(),
        _ => value.into(),
    }
}

fn rows<'j>(job: &'j Job<'_>) -> impl Iterator<Item = [String; 12]> + use<'j> {
    let lookups = lookups::all(job).map(move |lookup| {
        let mut row = of_packet(job, &lookup.query, "DNS query sent", lookup.sentence());
        let [.., name, outcome, _, _, frames, _] = &mut row;
        *name = lookup.query.segment.names.get(lookup.row.name).map(without_dot).unwrap_or_default();
        lookup.outcome.name().clone_into(outcome);
        *frames = lookup.frames(job).join(" ");
        row
    });
    let cited = job.report.cited().into_iter().filter_map(|id| job.input.index.packet(id));
    let others = cited.filter(|packet| packet.dns().is_none());
    let others = others.map(move |packet| of_packet(job, &packet, "Packet captured", packet.summary()));
    let findings = job.input.findings.iter().map(move |finding| {
        let moment = Moment::of_first(job, &finding.frames);
        let labels: Vec<String> =
            finding.frames.iter().take(24).map(|id| job.input.index.label(*id)).collect();
        let mut row = timed(&moment, "First packet of the finding", finding.statement.clone());
        let [.., id, severity, frames, _] = &mut row;
        finding.id.clone_into(id);
        finding.severity.name().clone_into(severity);
        *frames = labels.join(" ");
        row
    });
    lookups.chain(others).chain(findings)
}

fn of_packet(job: &Job<'_>, packet: &Packet<'_>, what: &str, message: String) -> [String; 12] {
    let mut row = timed(&Moment::of(job, packet), what, message);
    let [_, _, _, _, source, destination, _, _, _, _, frames, file] = &mut row;
    *source = packet.source_address().bare().to_string();
    *destination = packet.destination_address().bare().to_string();
    *frames = job.input.index.label(packet.id);
    *file = crate::text::escape(&packet.source.name);
    row
}

/// A row with what every event has. What the capture says of the time stands in the message where that is no date.
fn timed(moment: &Moment, what: &str, message: String) -> [String; 12] {
    let mut row: [String; 12] = Default::default();
    let [text, datetime, description, timestamp, ..] = &mut row;
    *text = match &moment.stated {
        Some(stated) => format!("{message} (at {stated} by the capture, which has no date)"),
        None => message,
    };
    *datetime = time::rfc3339(moment.at_ns).replace('Z', "+00:00");
    what.clone_into(description);
    *timestamp = moment.at_ns.div_euclid(1_000).to_string();
    row
}
