//! The table `findings`: what the rules found, gravest first, and what was seen and not assessed.

use std::fs::File;

use anyhow::Result;

use super::schema::FINDINGS;
use super::scribe::Scribe;
use super::table::Rows;
use crate::findings::coverage::NOT_ASSESSED;
use crate::findings::{Coverage, Finding};

/// Writes the findings of a unit.
pub(super) fn write(
    scribe: &Scribe<'_>,
    file: File,
    (found, coverage): (&[Finding], &Coverage),
) -> Result<u64> {
    let mut rows = Rows::new(&FINDINGS, file)?;
    for (at, finding) in found.iter().enumerate() {
        scribe.begin(&mut rows, finding.frames.first().copied());
        rows.small(Some(at as i32 + 1));
        rows.text(Some(finding.id));
        rows.text(finding.code);
        rows.text(Some(finding.severity.name()));
        rows.text(Some(&finding.statement));
        rows.text(None);
        rows.text((!finding.filter.is_empty()).then_some(&finding.filter));
        rows.texts(scribe.cites(finding.frames.iter().copied()));
        rows.end()?;
    }
    for (at, item) in coverage.not_assessed.iter().enumerate() {
        scribe.begin(&mut rows, item.frames.first().copied());
        rows.small(Some((found.len() + at) as i32 + 1));
        rows.text(Some(NOT_ASSESSED));
        rows.text(None);
        rows.text(None);
        rows.text(Some(&item.what()));
        rows.text(Some(item.reason()));
        rows.text((!item.filter.is_empty()).then_some(&item.filter));
        rows.texts(scribe.cites(item.frames.iter().copied()));
        rows.end()?;
    }
    rows.finish()
}
