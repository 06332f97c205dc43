//! Writes the report as Markdown where the analyst said.

use std::io::Write as _;

use super::update::Export;

/// Writes the file whole or not at all: it is written beside its place and then moved there.
pub fn write(export: &Export) -> anyhow::Result<()> {
    let directory = export.path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(std::path::Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(markdown(export)?.as_bytes())?;
    file.as_file().sync_all()?;
    if export.overwrite {
        file.persist(&export.path)?;
    } else {
        file.persist_noclobber(&export.path)?;
    }
    Ok(())
}

fn markdown(export: &Export) -> anyhow::Result<String> {
    let input = crate::findings::Input { index: &export.index, evidence: &export.evidence };
    let findings = crate::findings::run(&input, &[]);
    let report = crate::report::draft(&crate::report::Input {
        index: &export.index,
        evidence: &export.evidence,
        findings: &findings,
        assessments: &crate::findings::hypotheses::assess_all(&input, &findings, &[]),
        case: &export.case,
    });
    let mut out = format!("# {}\n", report.title);
    for section in &report.sections {
        out.push_str(&format!("\n## {}\n\n", section.title));
    }
    Ok(out)
}
