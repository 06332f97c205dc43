//! Writes the report where the analyst said; the ending of the path decides the format.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::update::{Drafting, Export};
use crate::case::{CustodyEntry, LedgerChange, State as Case};
use crate::correlate::Evidence;
use crate::export::{self, Job};
use crate::findings;
use crate::findings::hypotheses::{self, Change};
use crate::index::Index;
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
    let found = match &before {
        Some(before) => Arc::clone(&before.findings),
        None => findings::run(&input, &[]).into(),
    };
    let assessments = match before.filter(|before| before.ledger == case.ledger) {
        Some(before) => Arc::clone(&before.assessments),
        None => hypotheses::assess_all(&input, &found, &changes(case)).into(),
    };
    let report = draft(&Input { index, evidence, findings: &found, assessments: &assessments, case });
    let (evidence, ledger) = (Arc::clone(evidence), case.ledger.clone());
    (report, Arc::new(Drafting { evidence, ledger, findings: found, assessments }))
}

fn changes(case: &Case) -> Vec<Change> {
    let change = |change: &LedgerChange| Change {
        hypothesis: change.hypothesis.clone(),
        row: change.row.clone(),
        weight_db: change.weight_db,
        off: change.off,
        note: change.note.clone(),
    };
    case.ledger.iter().map(change).collect()
}

/// Writes the file whole or not at all: it is written beside its place and then moved there.
pub fn write(export: &Export) -> anyhow::Result<CustodyEntry> {
    let (report, made_with) = drafted(&export.index, &export.evidence, &export.case, export.before.clone());
    let input = Input {
        index: &export.index,
        evidence: &export.evidence,
        findings: &made_with.findings,
        assessments: &made_with.assessments,
        case: &export.case,
    };
    let now_ns = super::wall_clock_ns();
    let options = Options { generated: Some(crate::time::rfc3339(now_ns)), ..Options::default() };
    let rendered = render::render_named(&report, &input, &export.template, &options)
        .with_context(|| format!("template {}", export.template))?;
    let format = format_of(&export.path);
    let directory = export.path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".portmortem-").tempfile_in(directory)?;
    (format.write)(&Job { report: &report, rendered: &rendered, input, redaction: None }, &mut file)?;
    file.flush()?;
    make_readable(file.as_file())?;
    file.as_file().sync_all()?;
    if export.overwrite {
        file.persist(&export.path)?;
    } else {
        file.persist_noclobber(&export.path)?;
    }
    Ok(CustodyEntry {
        at: crate::time::rfc3339(now_ns),
        who: "portmortem".to_owned(),
        action: "exported".to_owned(),
        detail: format!("{} ({}, {})", export.path.display(), export.template, format.name),
        hash_ok: None,
    })
}

/// The format a path's ending names; Markdown where it names none.
fn format_of(path: &Path) -> &'static export::Export {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.and_then(|ending| export::find(&ending)).unwrap_or(&export::markdown::MARKDOWN)
}

/// The ticket form of the report, for the clipboard.
pub fn ticket(index: &Index, evidence: &Arc<Evidence>, case: &Case) -> anyhow::Result<String> {
    let (report, made_with) = drafted(index, evidence, case, None);
    let Drafting { findings, assessments, .. } = &*made_with;
    let input = Input { index, evidence, findings, assessments, case };
    Ok(render::render_named(&report, &input, "ticket", &Options::default())?.markdown)
}

/// Temporary files are private; a report is as readable as other new files.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}
