//! Prints the competing hypotheses of every problem with their ledgers, for `portmortem findings --hypotheses`.

use std::io::{Result, Write};

use crate::findings::hypotheses::{Assessment, Hypothesis, LedgerRow, catalogue};
use crate::index::{Index, PacketId};

/// Frames printed per row before the rest is only counted.
const FRAMES_SHOWN: usize = 12;

/// Prints all assessments.
pub fn print(out: &mut impl Write, index: &Index, assessments: &[Assessment]) -> Result<()> {
    for assessment in assessments {
        match assessment.problem {
            Some(at) => writeln!(out, "\nProblem {}", at + 1)?,
            None => writeln!(out, "\nIncident outside DNS failures")?,
        }
        for hypothesis in &assessment.hypotheses {
            one(out, index, hypothesis)?;
        }
        for sentence in &assessment.wording {
            writeln!(out, "  {} {}", sentence.text, cited(index, &sentence.frames))?;
        }
        for technique in &assessment.attack {
            writeln!(out, "  ATT&CK: {technique}")?;
        }
        for (number, check) in assessment.checks.iter().enumerate() {
            writeln!(out, "  {}. [{}] {}", number + 1, check.place, check.action)?;
            for (id, expected) in &check.expected {
                writeln!(out, "       {id}: {expected}")?;
            }
        }
        for sentence in &assessment.would_change {
            writeln!(out, "  would change: {sentence}")?;
        }
    }
    Ok(())
}

fn one(out: &mut impl Write, index: &Index, hypothesis: &Hypothesis) -> Result<()> {
    let score = hypothesis.score_db.map_or_else(|| "✗".to_owned(), |db| format!("{db:+} dB"));
    let tied = if hypothesis.tied_with.is_empty() {
        String::new()
    } else {
        format!(", tied with {}", catalogue::list(&hypothesis.tied_with))
    };
    writeln!(
        out,
        "  {:<4} {score:>7}  {}: {}{tied}",
        hypothesis.cause,
        hypothesis.verdict.words(),
        hypothesis.title
    )?;
    for row in &hypothesis.ledger {
        ledger_row(out, index, row)?;
    }
    Ok(())
}

fn ledger_row(out: &mut impl Write, index: &Index, row: &LedgerRow) -> Result<()> {
    let weight = row.weight_db.map_or_else(|| "✗".to_owned(), |db| format!("{db:+}"));
    let off = if row.off { " (switched off)" } else { "" };
    writeln!(
        out,
        "         {:<4} {weight:>4}{off} {} {} – {}",
        row.id,
        row.observation,
        cited(index, &row.frames),
        row.reason
    )
}

fn cited(index: &Index, frames: &[PacketId]) -> String {
    if frames.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = frames.iter().take(FRAMES_SHOWN).map(|frame| index.label(*frame)).collect();
    match frames.len().saturating_sub(FRAMES_SHOWN) {
        0 => format!("[{}]", shown.join(", ")),
        more => format!("[{} … {more} more]", shown.join(", ")),
    }
}
