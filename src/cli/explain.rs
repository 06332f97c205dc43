//! `portmortem explain`: one packet in plain words.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, anyhow};

use super::Outcome;
use super::load::Open;
use crate::explain::{Explanation, explain};
use crate::index::{FrameNumber, SourceId};

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Level {
    /// Words for every part of the line.
    #[default]
    Plain,
    /// Also where each part stands in the frame, its bytes and its definition.
    Fields,
    /// The line and questions; the words are left to you.
    Quiz,
}

/// Arguments of `explain`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The capture.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The frame's number, as timeline and Wireshark count (F17 and L17 work too); not needed behind FILE#17.
    #[arg(value_name = "FRAME")]
    pub frame: Option<String>,
    /// How much is said.
    #[arg(long, value_enum, default_value_t)]
    pub level: Level,
}

/// Bytes shown of one field.
const BYTES_SHOWN: usize = 16;

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let open = Open { files: vec![arguments.file.clone()], ..Open::default() };
    let number = match (&arguments.frame, open.wanted()) {
        (None, Some(frame)) => frame.0,
        (None, None) => return Err(anyhow!("which frame? Give its number after the file, or FILE#17")),
        (Some(frame), _) => frame
            .trim_start_matches(['F', 'f', 'L', 'l', '#'])
            .parse()
            .map_err(|_| anyhow!("{} is no frame number: give 17 or F17", crate::text::escape(frame)))?,
    };
    let loaded = open.load()?;
    let id = loaded.index.by_frame(SourceId(0), FrameNumber(number));
    let Some((id, explanation)) = id.and_then(|id| Some((id, explain(&loaded.index, &loaded.evidence, id)?)))
    else {
        return Err(anyhow!("there is no frame {number}: the capture has {}", loaded.index.len()));
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let bytes = loaded.index.packet(id).map_or(&[][..], |packet| packet.bytes());
    write(&mut out, &explanation, arguments.level, bytes, &loaded.index.label(id))?;
    out.flush()?;
    Ok(Outcome::Done)
}

fn write(
    out: &mut impl std::io::Write,
    explanation: &Explanation,
    level: Level,
    bytes: &[u8],
    label: &str,
) -> Result<()> {
    writeln!(out, "{label} as tcpdump prints it")?;
    writeln!(out, "  {}", explanation.line())?;
    let mut numbers = String::new();
    for (number, column) in explanation.columns().into_iter().enumerate() {
        let missing = column.saturating_sub(numbers.len());
        numbers.extend(std::iter::repeat_n(' ', missing));
        numbers.push_str(&(number + 1).to_string());
    }
    writeln!(out, "  {numbers}\n")?;
    if level == Level::Quiz {
        writeln!(out, "Questions")?;
        for (question, _) in &explanation.quiz {
            writeln!(out, "  {question}")?;
        }
        writeln!(out, "  What does each numbered part of the line say?")?;
        writeln!(out, "\nThe answers: the same command without --level quiz.")?;
        return Ok(());
    }
    writeln!(out, "In words")?;
    writeln!(out, "  {}", explanation.sentence)?;
    for (number, token) in explanation.tokens.iter().enumerate() {
        writeln!(out, "  {:>2}  {}: {}", number + 1, token.text, token.words)?;
        if level == Level::Fields {
            fields(out, token, bytes)?;
        }
    }
    writeln!(out, "\nSo what\n  {}", explanation.so_what)?;
    for tie in &explanation.ties {
        writeln!(out, "  {tie}")?;
    }
    writeln!(out, "Not so\n  {}", explanation.not_so)?;
    Ok(())
}

fn fields(out: &mut impl std::io::Write, token: &crate::explain::Token, bytes: &[u8]) -> Result<()> {
    let mut parts = Vec::new();
    if let Some((start, end)) = token.bytes
        && let Some(field) = bytes.get(start as usize..(end as usize).min(bytes.len()))
    {
        let hex: Vec<String> = field.iter().take(BYTES_SHOWN).map(|byte| format!("{byte:02x}")).collect();
        let more = if field.len() > BYTES_SHOWN { " …" } else { "" };
        parts.push(format!("offset {start}, {} bytes: {}{more}", field.len(), hex.join(" ")));
    }
    if !token.reference.is_empty() {
        parts.push(token.reference.to_owned());
    }
    if !parts.is_empty() {
        writeln!(out, "      {}", parts.join("; "))?;
    }
    Ok(())
}
