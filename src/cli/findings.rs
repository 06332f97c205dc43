//! `portmortem findings`: what the rules found, gravest first.

mod hypotheses;

use std::io::Write as _;

use anyhow::{Result, bail};

use super::printing::{Format, Printing};
use super::{Outcome, load::Open};
use crate::export::frames;
use crate::findings::coverage::{NOT_ASSESSED, Standing};
use crate::findings::{Coverage, Examined, FINDINGS, Finding, Input, look, review};
use crate::index::Index;

/// Arguments of `findings`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    printing: Printing,
    /// Leave out the findings of a rule; may be given several times.
    #[arg(long, value_name = "ID")]
    pub suppress: Vec<String>,
    /// List the rules with what they detect, and stop.
    #[arg(long)]
    pub rules: bool,
    /// Print the competing hypotheses with their ledgers after the findings (text only).
    #[arg(long)]
    pub hypotheses: bool,
    #[command(flatten)]
    open: Open,
}

/// Frames printed per finding in text before the rest is only counted.
const FRAMES_SHOWN: usize = 24;

/// Runs the subcommand; nothing found is exit code 1.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    if let Some(unknown) = arguments.suppress.iter().find(|id| !FINDINGS.iter().any(|rule| rule.id == *id)) {
        let known: Vec<&str> = FINDINGS.iter().map(|rule| rule.id).collect();
        bail!("no rule is called {unknown}; there are {}", known.join(", "));
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if arguments.rules {
        for rule in FINDINGS {
            writeln!(out, "{}\n    {}\n    {}\n", rule.id, rule.title, rule.doc)?;
        }
        out.flush()?;
        return Ok(Outcome::Done);
    }
    let loaded = arguments.open.load()?;
    let input = Input { index: &loaded.index, evidence: &loaded.evidence };
    let Examined { findings: found, assessments, coverage, .. } = if arguments.hypotheses {
        review(&input, &arguments.suppress, &[])
    } else {
        let (findings, coverage) = look(&input, &arguments.suppress);
        Examined { findings, coverage, ..Examined::default() }
    };
    match arguments.printing.format {
        Format::Text => {
            text(&mut out, &loaded.index, &found)?;
            not_assessed(&mut out, &loaded.index, &coverage)?;
        }
        Format::Json => json(&mut out, &loaded.index, &found, &coverage)?,
    }
    if arguments.hypotheses && arguments.printing.format == Format::Text {
        hypotheses::print(&mut out, &loaded.index, &assessments)?;
    }
    out.flush()?;
    let nothing = found.is_empty() && coverage.open().next().is_none();
    Ok(if nothing { Outcome::NothingMatched } else { Outcome::Done })
}

fn text(out: &mut impl std::io::Write, index: &Index, found: &[Finding]) -> std::io::Result<()> {
    for finding in found {
        let code = finding.code.map_or_else(String::new, |code| format!(" {code}"));
        writeln!(out, "{:<6} {}{code}: {}", finding.severity.name(), finding.id, finding.statement)?;
        let shown: Vec<String> =
            finding.frames.iter().take(FRAMES_SHOWN).map(|frame| index.label(*frame)).collect();
        let more = finding.frames.len().saturating_sub(FRAMES_SHOWN);
        let more = if more > 0 { format!(" … {more} more") } else { String::new() };
        writeln!(out, "       frames {}{more}", shown.join(" "))?;
        for count in &finding.counts {
            let filter = match count.filter.as_str() {
                "" => String::new(),
                filter => format!("  ({filter})"),
            };
            writeln!(out, "       {} {}{filter}", count.value, count.label)?;
        }
        writeln!(out, "       filter {}", finding.filter)?;
    }
    Ok(())
}

/// What was judged and what was only seen, in the words of the report.
fn not_assessed(out: &mut impl std::io::Write, index: &Index, coverage: &Coverage) -> std::io::Result<()> {
    for sentence in coverage.sentences() {
        writeln!(out, "{sentence}")?;
    }
    for item in &coverage.not_assessed {
        let shown: Vec<String> =
            item.frames.iter().take(FRAMES_SHOWN).map(|frame| index.label(*frame)).collect();
        let standing = match item.kind.standing() {
            Standing::Open => "open  ",
            Standing::Ordinary => "usual ",
            Standing::NotVisible => "unseen",
        };
        writeln!(out, "{standing} {}: {}", item.what(), item.reason())?;
        if !shown.is_empty() {
            let more = item.count.saturating_sub(shown.len() as u64);
            let more = if more > 0 { " …" } else { "" };
            writeln!(out, "       {}  frames {}{more}", item.when(index.basis()), shown.join(" "))?;
            writeln!(out, "       filter {}", item.filter)?;
        }
    }
    Ok(())
}

fn json(out: &mut impl std::io::Write, index: &Index, found: &[Finding], coverage: &Coverage) -> Result<()> {
    let mut objects: Vec<serde_json::Value> = found
        .iter()
        .map(|finding| {
            let frames = frames::all(index, &finding.frames);
            let counts: Vec<serde_json::Value> = finding
                .counts
                .iter()
                .map(|count| serde_json::json!({"label": count.label, "value": count.value, "filter": count.filter}))
                .collect();
            serde_json::json!({
                "id": finding.id,
                "severity": finding.severity.name(),
                "statement": finding.statement,
                "frames": frames,
                "counts": counts,
                "filter": finding.filter,
                "code": finding.code,
            })
        })
        .collect();
    objects.extend(coverage.not_assessed.iter().map(|item| {
        let frames = frames::all(index, &item.frames);
        serde_json::json!({
            "id": NOT_ASSESSED,
            "severity": null,
            "what": item.what(),
            "statement": item.what(),
            "count": item.count,
            "frames": frames,
            "reason": item.reason(),
            "filter": item.filter,
        })
    }));
    objects.iter_mut().for_each(frames::settle);
    writeln!(out, "{}", crate::text::json_pretty(&objects)?)?;
    Ok(())
}
