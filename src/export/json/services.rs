//! Failures of services beside DNS, as the JSON report has them.

use serde_json::{Value, json};

use super::{Job, checks, frame, frames, hypotheses, stable, stamp, wording};
use crate::findings::facts::troubles::{Mark, Part, Property};
use crate::findings::hypotheses::{Assessment, Topic};
use crate::findings::service_words;
use crate::text::escape;

/// One failure; `None` for assessments of something else.
pub(super) fn failure(job: &Job<'_>, assessment: &Assessment) -> Option<Value> {
    let trouble = assessment.trouble.as_deref()?;
    let service = trouble.service();
    let mark = |mark: Option<Mark>| {
        mark.map(|mark| json!({ "at": stamp(job, mark.at_ns), "ns": mark.at_ns, "frame": frame(job, mark.packet) }))
    };
    let key = format!("{} {} {} {:?}", service.host, service.port, trouble.span_ns().0, trouble.sort);
    let seen = assessment.wording.iter().find(|sentence| sentence.topic == Topic::Failure);
    Some(json!({
        "id": stable("s", &key),
        "services": trouble.services.iter().map(|(service, kind)| json!({
            "host": service.host.bare().to_string(),
            "port": service.port,
            "transport": match service.transport { 6 => "tcp", 17 => "udp", _ => "icmp" },
            "kind": kind.id(),
        })).collect::<Vec<_>>(),
        "kind": trouble.kind().id(),
        "severity": trouble.severity.name(),
        "title": assessment.title,
        "asked": trouble.asked,
        "failed": trouble.failed.len(),
        "outcomes": trouble.endings.iter().map(|(outcome, count)| json!({
            "outcome": outcome.name(), "words": service_words::how(*outcome, trouble.kind()), "count": count,
        })).collect::<Vec<_>>(),
        "windows": trouble.windows.iter().map(|(first, last)| json!({
            "first_bad": stamp(job, first.at_ns), "first_bad_ns": first.at_ns,
            "last_bad": stamp(job, last.at_ns), "last_bad_ns": last.at_ns,
        })).collect::<Vec<_>>(),
        "intermittent": trouble.is_intermittent,
        "last_good": mark(trouble.last_good),
        "first_good": mark(trouble.first_good),
        "clients": trouble.clients.iter().map(|client| json!({
            "client": client.address.bare().to_string(),
            "failed": client.failed, "served": client.served, "rescued": client.rescued,
        })).collect::<Vec<_>>(),
        "names": trouble.names.iter().map(|name| escape(name)).collect::<Vec<_>>(),
        "part": trouble.part.as_ref().map(part),
        "frames": frames(job, seen.map_or(&[][..], |sentence| sentence.frames.as_slice())),
        "hypotheses": hypotheses(job, assessment),
        "wording": wording(job, assessment),
        "checks": checks(assessment),
    }))
}

/// What parts failures from successes.
fn part(part: &Part) -> Value {
    let property = match part.property {
        Property::Name => "name",
        Property::Path => "path",
        Property::Client => "client",
        Property::Account => "account",
        Property::Size => "size",
    };
    let values = |values: &[String]| values.iter().map(|value| escape(value)).collect::<Vec<_>>();
    json!({ "property": property, "failing": values(&part.failing), "served": values(&part.served) })
}
