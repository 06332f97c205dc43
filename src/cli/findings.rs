//! `portmortem findings`: what the rules found, gravest first.

mod hypotheses;

use std::io::Write as _;

use anyhow::{Result, bail};

use super::printing::{Format, Printing};
use super::{Outcome, load::Open};
use crate::findings::{FINDINGS, Finding, Input, examine, run as run_rules};
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
    let (found, assessments) = if arguments.hypotheses {
        examine(&input, &arguments.suppress, &[])
    } else {
        (run_rules(&input, &arguments.suppress), Vec::new())
    };
    match arguments.printing.format {
        Format::Text => text(&mut out, &loaded.index, &found)?,
        Format::Json => json(&mut out, &loaded.index, &found)?,
    }
    if arguments.hypotheses && arguments.printing.format == Format::Text {
        hypotheses::print(&mut out, &loaded.index, &assessments)?;
    }
    out.flush()?;
    Ok(if found.is_empty() { Outcome::NothingMatched } else { Outcome::Done })
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

fn json(out: &mut impl std::io::Write, index: &Index, found: &[Finding]) -> Result<()> {
    let objects: Vec<serde_json::Value> = found
        .iter()
        .map(|finding| {
            let frames: Vec<serde_json::Value> =
                finding.frames.iter().map(|frame| frame_reference(index, *frame)).collect();
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
    serde_json::to_writer_pretty(&mut *out, &objects)?;
    writeln!(out)?;
    Ok(())
}

/// A frame number; with several captures the label, which names the capture as well.
fn frame_reference(index: &Index, frame: crate::index::PacketId) -> serde_json::Value {
    if index.sources.len() > 1 {
        serde_json::Value::from(index.label(frame))
    } else {
        serde_json::Value::from(index.packet(frame).map_or(0, |packet| packet.frame().0))
    }
}
