//! `portmortem fields`: every field a filter can name, with its type and an example.

use anyhow::Result;

use super::{Outcome, print};
use crate::filter::reference;

/// Arguments of `fields`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Show only fields whose name or meaning has this text.
    #[arg(value_name = "TEXT")]
    pub about: Option<String>,
    /// Print a Markdown table.
    #[arg(long)]
    pub markdown: bool,
    /// Print how filters are written instead of the fields.
    #[arg(long)]
    pub language: bool,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    if arguments.language {
        return print(reference::text().as_bytes());
    }
    let all = if arguments.markdown { reference::fields_markdown() } else { reference::fields_text() };
    let Some(about) = &arguments.about else { return print(all.as_bytes()) };
    let wanted = about.to_lowercase();
    let heading = if arguments.markdown { 2 } else { 0 };
    let lines = all.lines().enumerate();
    let kept: Vec<&str> = lines
        .filter(|(at, line)| *at < heading || line.to_lowercase().contains(&wanted))
        .map(|(_, l)| l)
        .collect();
    if kept.len() <= heading {
        return Ok(Outcome::NothingMatched);
    }
    print(format!("{}\n", kept.join("\n")).as_bytes())
}
