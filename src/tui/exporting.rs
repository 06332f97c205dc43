//! Writes reports and bundles where the analyst said, redacted or not.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::Context as _;

use super::attempts::Table;
use super::export_form::BUNDLE;
use super::update::{Drafting, Export};
use crate::case::{CustodyEntry, LedgerChange, State as Case};
use crate::correlate::Evidence;
use crate::export::cleared::{self, Sink};
use crate::export::redact::Pseudonyms;
use crate::export::{self, Job, bundle};
use crate::files::{self, Existing};
use crate::findings;
use crate::findings::hypotheses::{self, Cause, Change};
use crate::index::{Index, PacketId};
use crate::report::render::{self, Options};
use crate::report::{Input, Report, draft};

/// What rules, assessment and draft make of the evidence and the analyst's work. What `before` has and still holds
/// is taken from there: the analyst's words change neither findings nor, without a change of the ledger, assessments.
pub fn drafted(
    index: &Index,
    evidence: &Arc<Evidence>,
    case: &Case,
    before: Option<Arc<Drafting>>,
) -> (Report, Arc<Drafting>) {
    let input = findings::Input { index, evidence };
    let before = before.filter(|before| Arc::ptr_eq(&before.evidence, evidence));
    let (found, assessments, coverage, attempts) = if let Some(before) = before {
        let found = Arc::clone(&before.findings);
        let assessments = if before.ledger == case.ledger {
            Arc::clone(&before.assessments)
        } else {
            hypotheses::assess_all(&input, &found, &changes(case)).into()
        };
        (found, assessments, Arc::clone(&before.coverage), Arc::clone(&before.attempts))
    } else {
        let examined = findings::review(&input, &[], &changes(case));
        let found = (examined.findings.into(), examined.assessments.into());
        (found.0, found.1, examined.coverage.into(), examined.attempts)
    };
    let input =
        Input { index, evidence, findings: &found, assessments: &assessments, coverage: &coverage, case };
    let report = draft(&input);
    let (evidence, ledger) = (Arc::clone(evidence), case.ledger.clone());
    let (table, spoken) = (Arc::default(), Vec::new());
    let findings = found;
    let drafting = Drafting { evidence, ledger, findings, assessments, coverage, attempts, table, spoken };
    (report, Arc::new(drafting))
}

/// The same with what the screen shows beside the report: all attempts, and which verdict speaks of which packet.
pub fn screened(
    index: &Index,
    evidence: &Arc<Evidence>,
    case: &Case,
    before: Option<Arc<Drafting>>,
    lookups: &Table,
) -> (Report, Arc<Drafting>) {
    let known = before.clone();
    let (report, made_with) = drafted(index, evidence, case, before);
    let mut made_with = Drafting::clone(&made_with);
    let same = known.filter(|before| Arc::ptr_eq(&before.attempts, &made_with.attempts));
    made_with.table = match same {
        Some(before) => Arc::clone(&before.table),
        None => Arc::new(lookups.with(index, evidence, Arc::clone(&made_with.attempts))),
    };
    made_with.spoken = spoken(&report, &made_with);
    (report, Arc::new(made_with))
}

/// The packets of the failures that verdicts speak of; of several the first.
fn spoken(report: &Report, made: &Drafting) -> Vec<(PacketId, usize)> {
    let mut spoken = Vec::new();
    for (at, verdict) in report.verdicts.iter().enumerate() {
        let Some(own) = made.assessments.get(verdict.assessment) else { continue };
        let problem = own.problem.and_then(|problem| made.evidence.problems.get(problem));
        let episodes = problem.into_iter().flat_map(|problem| &problem.episodes);
        let frames = episodes
            .filter_map(|id| made.evidence.episodes.get(id.0 as usize))
            .flat_map(|episode| episode.frames.iter().copied())
            .take(findings::FRAMES_MAX);
        spoken.extend(frames.map(|packet| (packet, at)));
        if let Some(trouble) = &own.trouble {
            spoken.extend(trouble.frames(&made.attempts).into_iter().map(|packet| (packet, at)));
        }
    }
    spoken.sort_unstable();
    spoken.dedup_by_key(|(packet, _)| *packet);
    spoken
}

fn changes(case: &Case) -> Vec<Change> {
    let change = |change: &LedgerChange| {
        Some(Change {
            cause: Cause::parse(&change.hypothesis)?,
            row: change.row.clone(),
            weight_db: change.weight_db,
            off: change.off,
            note: change.note.clone(),
        })
    };
    case.ledger.iter().filter_map(change).collect()
}

/// Writes a report or a bundle, whole or not at all.
pub fn write(export: &Export) -> anyhow::Result<CustodyEntry> {
    let bundle = export.format == BUNDLE;
    if bundle && (!export.index.complete || export.hashes.is_empty()) {
        anyhow::bail!("a bundle needs the whole capture, hashed");
    }
    let now_ns = super::wall_clock_ns();
    let name = export.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let detail = format!("{} ({}, {})", crate::text::escape(&name), export.template, export.format);
    let entry = |detail: String| exported(now_ns, detail, bundle.then_some(true));
    let mut case = export.case.for_others();
    if !export.hashes.is_empty() {
        case.evidence = super::work::records(&export.index, &export.hashes);
    }
    if bundle {
        case.custody.push(entry(format!("bundle {name}")));
    }
    let after = unchanged(export)?;
    let (index, case) = export::leaving(&export.index, &case, export.redact);
    let pseudonyms = export.redact.then(|| RefCell::new(Pseudonyms::of(&index).knowing(&case)));
    let (report, made_with) = drafted(&index, &export.evidence, &case, export.before.clone());
    let Drafting { findings, assessments, coverage, .. } = &*made_with;
    let input =
        Input { index: &index, evidence: &export.evidence, findings, assessments, coverage, case: &case };
    let template = render::find(&export.template)
        .map(|template| (template.name, template.source))
        .with_context(|| format!("there is no template {}", export.template))?;
    let options = Options { generated: Some(crate::time::rfc3339(now_ns)), ..Options::default() };
    let redaction = pseudonyms.as_ref();
    let rendered = cleared::render(redaction, &report, &input, template, &options)
        .with_context(|| format!("template {}", export.template))?;
    let job = Job { report: &report, rendered: &rendered, input, redaction };
    if bundle {
        let bundle = bundle::make(&job, template, &after)?;
        bundle::files::write(&bundle, &export.path, export.overwrite)?;
    } else {
        let format = export::find(export.format).unwrap_or(&export::markdown::MARKDOWN);
        files::write(&export.path, Existing::forced(export.overwrite), &mut |out| {
            (format.write)(&job, &mut Sink::new(out))
        })?;
    }
    Ok(entry(detail))
}

/// A step of the chain of custody: something left the program.
pub fn exported(now_ns: crate::time::Nanos, detail: String, hash_ok: Option<bool>) -> CustodyEntry {
    CustodyEntry {
        at: crate::time::rfc3339(now_ns),
        who: "portmortem".to_owned(),
        action: "exported".to_owned(),
        detail,
        hash_ok,
    }
}

/// The captures' hashes now. An error when a finished capture is not what it was when it was opened.
fn unchanged(export: &Export) -> anyhow::Result<Vec<String>> {
    let mut after = Vec::new();
    for (source, before) in export.index.sources.iter().zip(&export.hashes) {
        let (never, progress) = (AtomicBool::new(false), AtomicU64::new(0));
        let Some(path) = source.path.as_deref().filter(|_| export.index.complete) else {
            after.push(before.clone());
            continue;
        };
        let now = crate::case::hash_source(Some(path), &[], &never, &progress);
        let name = crate::text::escape(&source.name);
        let now = now.with_context(|| format!("cannot hash {name}"))?.unwrap_or_default();
        if now != *before {
            anyhow::bail!("{name} changed since it was opened (SHA-256 was {before}, is {now})");
        }
        after.push(now);
    }
    Ok(after)
}

/// Writes a capture that came through a pipe to a new file, as far as it has come; gives its SHA-256.
pub fn keep(path: &Path, index: &Index) -> anyhow::Result<String> {
    let source = index.sources.iter().find(|source| source.path.is_none());
    let source = source.context("there is no capture that came through a pipe")?;
    let bytes = source.bytes.bytes();
    files::write(path, Existing::Keep, &mut |out| out.write_all(bytes))?;
    Ok(crate::case::hash::hash_bytes(bytes))
}

/// The ticket form of the report, for the clipboard.
pub fn ticket(index: &Index, evidence: &Arc<Evidence>, case: &Case) -> anyhow::Result<String> {
    let (report, made_with) = drafted(index, evidence, case, None);
    let Drafting { findings, assessments, coverage, .. } = &*made_with;
    let input = Input { index, evidence, findings, assessments, coverage, case };
    Ok(render::render_named(&report, &input, "ticket", &Options::default())?.markdown)
}
