//! `portmortem-report/2`: the report for machines, with ECS names where a field exists (assets/report.schema.json).

mod services;

use std::io;

use serde_json::{Value, json};

use super::cleared::{Part, Sink};
use super::{Export, Job};
use crate::case::hash::hash_text;
use crate::correlate::clients::Client;
use crate::correlate::impact::Impact;
use crate::correlate::windows::{Mark, Window};
use crate::correlate::{Consequence, Episode, LinkKind, Problem, Signature};
use crate::decode::transcript;
use crate::findings::hypotheses::{Assessment, Author, Cause};
use crate::index::PacketId;
use crate::report::view::{state_name, voice_name};
use crate::time;

/// The version written into each document.
pub const SCHEMA: &str = "portmortem-report/2";
/// The JSON Schema of the documents.
pub static SCHEMA_TEXT: &str = include_str!("../../assets/report.schema.json");

/// JSON.
pub static JSON: Export =
    Export { name: "json", extension: "json", about: "portmortem-report/2, for machines", write };

fn write(job: &Job<'_>, out: &mut Sink<'_>) -> io::Result<()> {
    out.json_object(job, parts(job))
}

/// The whole document.
pub fn document(job: &Job<'_>) -> Value {
    let whole = |part: Part<'_>| match part {
        Part::Whole(value) => value,
        Part::Each(values) => values.collect(),
    };
    Value::Object(parts(job).map(|(key, part)| (key.to_owned(), whole(part))).collect())
}

/// How the value of a key is made.
type Maker<'j> = fn(&'j Job<'_>) -> Part<'j>;

/// The document key by key; what may be long is made one by one, so that it never stands in memory as a whole.
fn parts<'j>(job: &'j Job<'_>) -> impl Iterator<Item = (&'static str, Part<'j>)> {
    let keys: [(&'static str, Maker<'j>); 17] = [
        ("case", |job| Part::Whole(case(job))),
        ("claims", |job| Part::each(claims(job))),
        ("custody", |job| Part::Whole(custody(job))),
        ("episodes", |job| {
            let first = job.input.evidence.problems.first();
            Part::Whole(first.map(|problem| episodes(job, problem)).unwrap_or_default().into())
        }),
        ("evidence", |job| Part::Whole(evidence(job).into())),
        ("fields", |job| Part::Whole(fields(job))),
        ("findings", |job| Part::Whole(findings(job).into())),
        ("hypotheses", |job| {
            let lead = job.input.assessments.first();
            Part::Whole(lead.map(|lead| hypotheses(job, lead)).unwrap_or_default().into())
        }),
        ("links", |job| Part::each(links(job))),
        ("lint", |job| Part::Whole(json!(crate::report::lint::lint(job.report)))),
        ("not_assessed", |job| Part::Whole(not_assessed(job))),
        ("packets", |job| Part::each(job.report.cited().into_iter().filter_map(move |id| packet(job, id)))),
        ("problems", |job| {
            let problems = job.input.evidence.problems.iter().enumerate();
            Part::each(problems.map(move |(at, own)| problem(job, at, own)))
        }),
        ("schema", |_| Part::Whole(SCHEMA.into())),
        ("services", |job| {
            Part::each(job.input.assessments.iter().filter_map(move |own| services::failure(job, own)))
        }),
        ("tool", |job| Part::Whole(tool(job))),
        ("transactions", |job| Part::each(transactions(job))),
    ];
    keys.into_iter().map(move |(key, make)| (key, make(job).settled()))
}

fn not_assessed(job: &Job<'_>) -> Value {
    let item = |item: &crate::findings::coverage::OpenItem| {
        json!({
            "what": item.what(), "count": item.count, "frames": frames(job, &item.frames),
            "reason": item.reason(), "filter": item.filter,
        })
    };
    job.input.coverage.not_assessed.iter().map(item).collect()
}

fn fields(job: &Job<'_>) -> Value {
    let field = |field: &crate::report::OpenField| json!({ "id": field.id, "prompt": field.prompt, "value": field.value, "required": field.required });
    job.report.fields().map(field).collect()
}

fn custody(job: &Job<'_>) -> Value {
    let entry = |entry: &crate::case::CustodyEntry| {
        json!({
            "at": entry.at, "who": entry.who, "action": entry.action, "detail": entry.detail,
            "hash_ok": entry.hash_ok,
        })
    };
    job.input.case.custody.iter().map(entry).collect()
}

pub(super) fn tool(job: &Job<'_>) -> Value {
    let parameters = &job.input.evidence.parameters;
    json!({
        "name": "portmortem",
        "version": env!("CARGO_PKG_VERSION"),
        "rules_version": crate::report::rules_version(),
        "rules": crate::findings::FINDINGS.iter().map(|rule| rule.id).collect::<Vec<_>>(),
        "parameters": {
            "retry_window_ns": parameters.retry_window_ns,
            "late_after_ns": parameters.late_after_ns,
            "watch_ns": parameters.watch_ns,
            "episode_gap_ns": parameters.episode_gap_ns,
        },
    })
}

/// A time as RFC 3339, or as a time of day where the capture has no date.
fn stamp(job: &Job<'_>, at: time::Nanos) -> String {
    crate::report::words::Clock::of(job.input.index).exact(at)
}

fn stamp_of(job: &Job<'_>, id: PacketId) -> Option<String> {
    job.input.index.packet(id).map(|packet| stamp(job, packet.time_ns()))
}

fn case(job: &Job<'_>) -> Value {
    let field = |id: &str| job.input.case.fields.get(id);
    let windows = job.input.evidence.impact(0).map(|impact| impact.windows.as_slice()).unwrap_or_default();
    let (first, last) = (windows.first(), windows.last());
    json!({
        "id": field("case.id"),
        "title": job.report.title,
        "status": job.rendered.get().view.status,
        "tlp": field("case.tlp"),
        "analyst": field("case.analyst"),
        "times": {
            "report": field("reported.when"),
            "detect": Value::Null,
            "start_observed": first.map(|window| stamp(job, window.first_bad.at_ns)),
            "end_observed": last.map(|window| stamp(job, window.last_bad.at_ns)),
            "recovery": last.and_then(|window| window.first_good).map(|mark| stamp(job, mark.at_ns)),
            "generation": job.rendered.get().view.generated,
        },
    })
}

fn evidence(job: &Job<'_>) -> Vec<Value> {
    let index = job.input.index;
    let sources = index.sources.iter().enumerate();
    sources
        .map(|(at, source)| {
            let interface = source.metadata.interfaces.first();
            let dropped: Vec<u64> = source.metadata.interfaces.iter().filter_map(|i| i.dropped).collect();
            let value = json!({
                "label": crate::index::source_label(crate::index::SourceId::at(at)),
                "file": {
                    "name": source.name,
                    "size": source.size,
                    "hash": { "sha256": job.input.case.evidence.get(at).map(|record| &record.sha256) },
                },
                "kind": source.metadata.format.name(),
                "link_type": interface.map(|i| i.link_type.0),
                "frames": source.packets,
                "first": source.packet(0).and_then(|id| stamp_of(job, id)),
                "last": source.packet(source.packets.saturating_sub(1)).and_then(|id| stamp_of(job, id)),
                "timezone": if source.metadata.has_date && !source.metadata.is_local { "UTC" } else { "unknown" },
                "snaplen": interface.map(|i| i.snap_length).filter(|bytes| *bytes > 0),
                "filter": interface.and_then(|i| i.filter.as_ref()),
                "drops": if dropped.is_empty() { Value::Null } else { json!(dropped.iter().sum::<u64>()) },
                "vantage": format!("{:?}", job.input.evidence.surroundings().vantage).to_lowercase(),
                "quality": if at == 0 { quality(job) } else { Vec::new() },
                "damage": source.metadata.damage.iter().map(ToString::to_string).collect::<Vec<_>>(),
            });
            with_place(value, &source.place)
        })
        .collect()
}

/// Points about the record itself.
fn quality(job: &Job<'_>) -> Vec<Value> {
    let points = job.input.findings.iter().filter_map(|finding| Some((finding.code?, finding)));
    points
        .map(|(code, finding)| {
            json!({ "code": code, "frames": frames(job, &finding.frames), "text": finding.statement })
        })
        .collect()
}

fn frame(job: &Job<'_>, id: PacketId) -> Value {
    super::frames::one(job.input.index, id)
}

fn frames(job: &Job<'_>, ids: &[PacketId]) -> Value {
    super::frames::all(job.input.index, ids)
}

fn packet(job: &Job<'_>, id: PacketId) -> Option<Value> {
    let packet = job.input.index.packet(id)?;
    let ports = matches!(packet.transport(), 6 | 17);
    let end = |address: crate::decode::Address, port: u16| end(address, ports.then_some(port));
    let mut value = json!({
        "frame": frame(job, id),
        "ts": stamp(job, packet.time_ns()),
        "source": end(packet.source_address(), packet.source_port()),
        "destination": end(packet.destination_address(), packet.destination_port()),
        "network": {
            "transport": match packet.transport() { 6 => "tcp", 17 => "udp", 1 => "icmp", 58 => "ipv6-icmp", _ => "" },
            "protocol": packet.protocol().protocol().name,
        },
        "summary": packet.summary(),
    });
    let map = value.as_object_mut()?;
    if let Some(row) = packet.dns() {
        let name = packet.segment.names.get(row.name).map(crate::decode::dns::presentation);
        let dns = json!({
            "type": if row.is_response() { "answer" } else { "query" },
            "id": row.header.id,
            "op_code": crate::protocols::dns::opcode_name(row.header.opcode()),
            "response_code": row.is_response().then(|| row.header.response_code()),
            "header_flags": if row.header.recursion_desired() { vec!["RD"] } else { vec![] },
            "question": name.map(|name| json!({
                "name": name,
                "type": row.asked_type().map(crate::protocols::dns::type_name),
                "class": row.asked_type().map(|_| crate::protocols::dns::class_name(row.qclass)),
            })),
        });
        map.insert("dns".to_owned(), dns);
    }
    let decoded = packet.decode();
    if let Some((kind, code)) = decoded.icmp() {
        let length = decoded.payload_end.saturating_sub(decoded.transport_start);
        let printed = packet.printed().and_then(|line| line.icmp);
        let icmp = json!({
            "type": kind,
            "code": code,
            "length": match &printed { Some(icmp) => icmp.length_bytes, None => Some(length) },
            "quoted": quoted(&decoded, printed.as_ref()),
        });
        map.insert("icmp".to_owned(), icmp);
    }
    Some(value)
}

/// A host and its port; one that was printed by name has no `ip` but a `name`.
fn end(address: crate::decode::Address, port: Option<u16>) -> Value {
    let value = match address.name() {
        Some(name) => json!({ "ip": null, "name": name.to_string(), "port": port }),
        None => json!({ "ip": address.ip().map(|ip| ip.to_string()), "port": port }),
    };
    with_sites(value, &[("site", address)])
}

/// The packet an ICMP error quotes; `bytes` is how much of it, unknown in printed text.
fn quoted(decoded: &crate::decode::Decoded<'_>, printed: Option<&transcript::Icmp<'_>>) -> Value {
    let transport = |protocol: u8| match protocol {
        6 => Some("tcp"),
        17 => Some("udp"),
        _ => None,
    };
    if let Some(icmp) = printed {
        let Some(to) = icmp.quoted else { return Value::Null };
        return json!({
            "destination": end(to.address, icmp.quoted_port),
            "network": { "transport": icmp.quoted_protocol.and_then(transport) },
            "bytes": Value::Null,
        });
    }
    let Some(quote) = crate::decode::Quote::read(decoded) else { return Value::Null };
    let ports = quote.inner.ports();
    json!({
        "source": end(quote.inner.source, ports.map(|ports| ports.0)),
        "destination": end(quote.inner.destination, ports.map(|ports| ports.1)),
        "network": { "transport": transport(quote.inner.ip_protocol) },
        "bytes": quote.length_bytes,
    })
}

pub(super) fn stable(prefix: &str, key: &str) -> String {
    let mut hash = hash_text(key);
    hash.truncate(12);
    format!("{prefix}-{hash}")
}

fn transactions<'j>(job: &'j Job<'_>) -> impl Iterator<Item = Value> + use<'j> {
    let evidence = job.input.evidence;
    let ids = evidence.problems.iter().flat_map(|problem| &problem.episodes);
    let episodes = ids.filter_map(move |id| evidence.episodes.get(id.0 as usize));
    let ids = episodes.flat_map(|episode| episode.transactions.iter()).take(MANY_MAX);
    ids.filter_map(move |id| Some((*id, evidence.transaction(*id)?))).map(move |(id, transaction)| {
        json!({
            "id": stable("t", &job.input.index.label(transaction.first)),
            "tries": frames(job, &evidence.tries(id)),
            "answer": transaction.answer.map(|id| frame(job, id)),
            "error": transaction.error.map(|id| frame(job, id)),
            "outcome": transaction.outcome.name(),
            "rtt_ns": evidence.round_trip_ns(transaction),
        })
    })
}

/// Transactions and links written at most; `problems` carries the whole numbers.
const MANY_MAX: usize = 10_000;

fn links<'j>(job: &'j Job<'_>) -> impl Iterator<Item = Value> + use<'j> {
    let links = job.input.evidence.error_links().iter().filter(|link| link.kind == LinkKind::ErrorAbout);
    links.take(MANY_MAX).map(move |link| {
        json!({
            "id": stable("l", &job.input.index.label(link.from)),
            "error": frame(job, link.from),
            "original": link.to.map(|id| frame(job, id)),
            "level": link.level.name(),
            "delta_ns": link.to.map(|_| link.delta_ns),
            "delayed": link.delayed,
            "reason": link.reason.words(),
            "fields": crate::report::agreement::fields(job.input.index, link),
            "alternatives": frames(
                job,
                &crate::report::agreement::alternatives(job.input.index, job.input.evidence, link),
            ),
        })
    })
}

/// The word for a failure: `icmp 3/3`, `no-answer`, `rcode 2`, …
fn signature(signature: &Signature) -> String {
    match signature {
        Signature::Icmp { v6: false, kind, code } => format!("icmp {kind}/{code}"),
        Signature::Icmp { v6: true, kind, code } => format!("icmpv6 {kind}/{code}"),
        Signature::NoAnswer => "no-answer".to_owned(),
        Signature::ResponseCode(code) => format!("rcode {code}"),
        Signature::TcpReset => "tcp-reset".to_owned(),
        Signature::ResetMidway => "reset-midway".to_owned(),
        Signature::Closed => "closed".to_owned(),
        Signature::Mute => "mute".to_owned(),
        Signature::Truncated => "truncated".to_owned(),
        Signature::NotReceived => "not-received".to_owned(),
        Signature::Late => "late".to_owned(),
    }
}

fn problem(job: &Job<'_>, at: usize, problem: &Problem) -> Value {
    let assessment = job.input.assessments.iter().find(|assessment| assessment.problem == Some(at));
    let impact = job.input.evidence.impact(at);
    let own = || problem.episodes.iter().filter_map(|id| job.input.evidence.episodes.get(id.0 as usize));
    let value = json!({
        "id": stable("p", &format!("{} {} {}", problem.server.0, signature(&problem.signature), problem.first_ns)),
        "server": problem.server.0.bare().to_string(),
        "port": problem.server.1,
        "transport": match problem.transport { 6 => "tcp", _ => "udp" },
        "signature": signature(&problem.signature),
        "windows": impact.map(|impact| windows(job, impact)).unwrap_or_default(),
        "clients": clients(problem, impact),
        "names": problem.names,
        "first": own().filter_map(|episode| episode.frames.first()).min().map(|id| frame(job, *id)),
        "first_ns": problem.first_ns,
        "last": own().filter_map(|episode| episode.frames.last()).max().map(|id| frame(job, *id)),
        "last_ns": problem.last_ns,
        "episodes": episodes(job, problem),
        "hypotheses": assessment.map(|assessment| hypotheses(job, assessment)).unwrap_or_default(),
        "wording": assessment.map(|own| wording(job, own)).unwrap_or_default(),
        "checks": assessment.map(checks).unwrap_or_default(),
        "attack": assessment.map(|a| a.attack.clone()).unwrap_or_default(),
    });
    with_sites(value, &[("server_site", problem.server.0)])
}

fn wording(job: &Job<'_>, assessment: &Assessment) -> Vec<Value> {
    let said = assessment.wording.iter();
    said.map(|sentence| json!({ "text": sentence.text, "frames": frames(job, &sentence.frames) })).collect()
}

fn checks(assessment: &Assessment) -> Vec<Value> {
    let all = assessment.checks.iter();
    all.map(|check| {
        let expected = check.expected.iter();
        let expected: Vec<Value> =
            expected.map(|(id, text)| json!({ "hypothesis": id.id(), "result": text })).collect();
        json!({ "action": check.action, "place": check.place, "expected": expected })
    })
    .collect()
}

/// Adds what the user calls the place of capture.
fn with_place(mut value: Value, place: &crate::capture::Sensor) -> Value {
    if let Some(map) = value.as_object_mut() {
        let told = [("site", &place.site), ("sensor", &place.sensor)];
        map.extend(told.into_iter().filter_map(|(key, name)| Some((key.to_owned(), json!(name.as_ref()?)))));
    }
    value
}

/// Adds the sites of hosts, where they have one.
fn with_sites(mut value: Value, hosts: &[(&str, crate::decode::Address)]) -> Value {
    if let Some(map) = value.as_object_mut() {
        let sited = hosts.iter().filter_map(|(key, host)| Some((*key, host.site().name()?)));
        map.extend(sited.map(|(key, site)| (key.to_owned(), json!(site))));
    }
    value
}

/// The outages, each bounded by four packets and their times.
fn windows(job: &Job<'_>, impact: &Impact) -> Vec<Value> {
    let mark = |mark: Option<Mark>| (mark.map(|mark| frame(job, mark.packet)), mark.map(|mark| mark.at_ns));
    let window = |window: &Window| {
        let (last_good, last_good_ns) = mark(window.last_good);
        let (first_bad, first_bad_ns) = mark(Some(window.first_bad));
        let (last_bad, last_bad_ns) = mark(Some(window.last_bad));
        let (first_good, first_good_ns) = mark(window.first_good);
        json!({
            "last_good": last_good, "last_good_ns": last_good_ns,
            "first_bad": first_bad, "first_bad_ns": first_bad_ns,
            "last_bad": last_bad, "last_bad_ns": last_bad_ns,
            "first_good": first_good, "first_good_ns": first_good_ns,
            "asked": window.asked, "failed": window.failed, "intermittent": window.is_intermittent(),
        })
    };
    impact.windows.iter().map(window).collect()
}

/// The client table; of problems beyond those looked at in detail the addresses alone.
fn clients(problem: &Problem, impact: Option<&Impact>) -> Vec<Value> {
    let Some(impact) = impact else {
        let row = |client: &crate::decode::Address| {
            with_sites(json!({ "client": client.bare().to_string() }), &[("client_site", *client)])
        };
        return problem.clients.iter().map(row).collect();
    };
    let row = |client: &Client| {
        let value = json!({
            "client": client.address.bare().to_string(),
            "addresses": std::iter::once(&client.address).chain(&client.others).map(ToString::to_string).collect::<Vec<_>>(),
            "asked": client.asked,
            "failed": client.failed,
            "rescued": client.rescued,
            "rescued_by": client.rescued_by().map(|server| server.to_string()),
            "longest_wait_ns": client.longest_wait_ns,
            "never_served": client.is_without_service(),
        });
        with_sites(value, &[("client_site", client.address)])
    };
    impact.clients.iter().map(row).collect()
}

/// What the client did last, in one word.
fn consequence(all: &[Consequence]) -> &'static str {
    match all.last().map(|last| last.code) {
        None | Some("C10") => "undetermined",
        Some("C1") => "asked_again",
        Some("C2") => "asked_another_server",
        Some("C9") => "gave_up_in_capture",
        Some(_) => "went_on",
    }
}

fn episodes(job: &Job<'_>, problem: &Problem) -> Vec<Value> {
    let episode = |(episode, consequences): (&Episode, &[Consequence])| {
        let value = json!({
            "id": stable("e", &format!("{} {} {} {}", episode.client, episode.server.0, episode.name, episode.first_ns)),
            "client": episode.client.bare().to_string(),
            "server": episode.server.0.bare().to_string(),
            "name": Some(&episode.name).filter(|name| !name.is_empty()),
            "signature": signature(&episode.signature),
            "attempts": episode.transactions.len(),
            "first": episode.frames.first().map(|id| frame(job, *id)),
            "last": episode.frames.last().map(|id| frame(job, *id)),
            "recovery": episode.recovery.map(|id| frame(job, id)),
            "consequence": consequence(consequences),
            "consequences": consequences.iter().map(|c| json!({
                "code": c.code, "text": c.text, "frames": frames(job, &c.frames),
            })).collect::<Vec<_>>(),
        });
        with_sites(value, &[("client_site", episode.client), ("server_site", episode.server.0)])
    };
    let evidence = job.input.evidence;
    let told = |at: usize| Some((evidence.episodes.get(at)?, evidence.consequences(at)));
    let episodes = problem.episodes.iter().filter_map(|id| told(id.0 as usize));
    episodes.take(MANY_MAX).map(episode).collect()
}

fn hypotheses(job: &Job<'_>, assessment: &Assessment) -> Vec<Value> {
    let ledger = |h: &crate::findings::hypotheses::Hypothesis| {
        h.ledger
            .iter()
            .map(|row| {
                json!({
                    "row": row.id,
                    "observation": row.observation,
                    "frames": frames(job, &row.frames),
                    "weight_db": row.weight_db,
                    "reason": row.reason,
                    "by": match row.author { Author::Program => "program", Author::Analyst => "analyst" },
                    "off": row.off,
                })
            })
            .collect::<Vec<_>>()
    };
    assessment
        .hypotheses
        .iter()
        .map(|h| {
            json!({
                "id": h.id(),
                "title": h.title,
                "class": h.class.name(),
                "score_db": h.score_db,
                "verdict": h.verdict.words(),
                "ledger": ledger(h),
                "tied_with": h.tied_with.iter().map(|cause| cause.id()).collect::<Vec<_>>(),
                "cannot_tell": h.cannot_tell,
                "checks": assessment
                    .checks
                    .iter()
                    .filter(|check| check.expected.iter().any(|(cause, _)| *cause == h.cause))
                    .map(|check| check.action.as_str())
                    .collect::<Vec<_>>(),
                "attack": if h.cause == Cause::Overload { assessment.attack.clone() } else { Vec::new() },
            })
        })
        .collect()
}

fn findings(job: &Job<'_>) -> Vec<Value> {
    job.input
        .findings
        .iter()
        .map(|finding| {
            json!({
                "id": finding.id,
                "severity": finding.severity.name(),
                "statement": finding.statement,
                "frames": frames(job, &finding.frames),
                "filter": finding.filter,
                "counts": finding.counts.iter().map(|count| json!({
                    "label": count.label, "value": count.value, "filter": count.filter,
                })).collect::<Vec<_>>(),
            })
        })
        .collect()
}

fn claims<'j>(job: &'j Job<'_>) -> impl Iterator<Item = Value> + use<'j> {
    let blocks =
        job.report.sections.iter().flat_map(|section| section.blocks.iter().map(move |own| (section, own)));
    blocks.filter_map(move |(section, block)| {
        let crate::report::Block::Claim(claim) = block else { return None };
        Some(json!({
            "id": claim.id,
            "section": section.id,
            "voice": voice_name(claim.voice),
            "text": claim.text,
            "frames": frames(job, &claim.frames),
            "citation": claim.citation,
            "ledger": claim.rows,
            "state": state_name(claim.state),
            "accepted": matches!(claim.state, crate::report::ClaimState::Accepted | crate::report::ClaimState::Edited),
        }))
    })
}
