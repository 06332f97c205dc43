//! Failures of services beside DNS, as the JSON report has them.

use serde_json::{Value, json};

use super::{Job, checks, frame, frames, hypotheses, stable, wording};
use crate::attempts::Attempts;
use crate::findings::facts::troubles::{Mark, Part, Property};
use crate::findings::hypotheses::{Assessment, Topic};
use crate::findings::service_words;
use crate::text::escape;

/// One failure; `None` for assessments of something else.
pub(super) fn failure(job: &Job<'_>, assessment: &Assessment) -> Option<Value> {
    let trouble = assessment.trouble.as_deref()?;
    let service = trouble.service();
    let good = |mark: Option<Mark>| (mark.map(|mark| frame(job, mark.packet)), mark.map(|mark| mark.at_ns));
    let (last_good, last_good_ns) = good(trouble.last_good);
    let (first_good, first_good_ns) = good(trouble.first_good);
    let key = format!("{} {} {} {:?}", service.host, service.port, trouble.span_ns().0, trouble.sort);
    let (asked, failed, endings) = trouble.told(Attempts::of(job.input.evidence));
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
        "asked": asked,
        "failed": failed,
        "outcomes": endings.iter().map(|(outcome, count)| json!({
            "outcome": outcome.name(), "words": service_words::how(*outcome, trouble.kind()), "count": count,
        })).collect::<Vec<_>>(),
        "windows": trouble.windows.iter().map(|(first, last)| json!({
            "first_bad": frame(job, first.packet), "first_bad_ns": first.at_ns,
            "last_bad": frame(job, last.packet), "last_bad_ns": last.at_ns,
        })).collect::<Vec<_>>(),
        "intermittent": trouble.is_intermittent,
        "last_good": last_good, "last_good_ns": last_good_ns,
        "first_good": first_good, "first_good_ns": first_good_ns,
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
    json!({ "property": property, "failing": values(&part.failing), "others": values(&part.served) })
}
