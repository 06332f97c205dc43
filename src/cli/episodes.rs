//! `portmortem episodes`: one row an episode of failures.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Outcome;
pub use super::evidence::Arguments;
use super::evidence::Chooser;
use super::load::Loaded;
use super::records::{self, Cell, Column, Format};
use crate::correlate::{Episode, generator};
use crate::text;

const COLUMNS: [Column; 18] = [
    Column { key: "episode", head: "episode" },
    Column { key: "problem", head: "problem" },
    Column { key: "first", head: "first" },
    Column { key: "duration", head: "seconds" },
    Column { key: "client", head: "client" },
    Column { key: "server", head: "server" },
    Column { key: "server_port", head: "" },
    Column { key: "transport", head: "" },
    Column { key: "name", head: "name" },
    Column { key: "signature", head: "signature" },
    Column { key: "attempts", head: "attempts" },
    Column { key: "errors", head: "errors" },
    Column { key: "delayed_errors", head: "" },
    Column { key: "recovery", head: "recovery" },
    Column { key: "verdict", head: "verdict" },
    Column { key: "frames", head: "frames" },
    Column { key: "consequences", head: "" },
    Column { key: "error_sender", head: "" },
];

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    arguments.run(|out, loaded, chooser| print(out, arguments.format, loaded, chooser))
}

fn print(
    mut out: &mut dyn std::io::Write,
    format: Format,
    loaded: &Loaded,
    chooser: &Chooser<'_>,
) -> Result<usize> {
    let mut problems = BTreeMap::new();
    for (at, problem) in loaded.evidence.problems.iter().enumerate() {
        problems.extend(problem.episodes.iter().map(|id| (id.0 as usize, at + 1)));
    }
    let episodes = loaded.evidence.episodes.iter().enumerate();
    let chosen = episodes
        .filter(|(_, episode)| chooser.matches(episode.frames.iter().copied()))
        .map(|(at, episode)| record(loaded, at, episode, problems.get(&at).copied()));
    // Before threads ask for it.
    loaded.evidence.look_again();
    let count = records::write(&mut out, &loaded.index, format, &COLUMNS, chosen)?;
    if format == Format::Text && count > 0 {
        consequences(&mut out, loaded)?;
    }
    Ok(count)
}

/// Episodes whose consequences are spelled out under the table.
const CONSEQUENCES_SHOWN: usize = 20;

fn consequences(out: &mut impl std::io::Write, loaded: &Loaded) -> Result<()> {
    for at in 0..loaded.evidence.episodes.len().min(CONSEQUENCES_SHOWN) {
        for consequence in loaded.evidence.consequences(at) {
            let frames: Vec<String> = consequence.frames.iter().map(|id| loaded.index.label(*id)).collect();
            let space = if frames.is_empty() { "" } else { " " };
            writeln!(
                out,
                "episode {}: {} {}{space}{}",
                at + 1,
                consequence.code,
                consequence.text,
                frames.join(" ")
            )?;
        }
    }
    for note in loaded.evidence.notes() {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}

fn record(loaded: &Loaded, at: usize, episode: &Episode, problem: Option<usize>) -> Vec<Cell> {
    let delayed = episode
        .errors
        .iter()
        .filter(|error| loaded.evidence.links_from(**error).iter().any(|link| link.delayed));
    let first = episode.errors.first();
    let sender = first.and_then(|error| generator::of(&loaded.index, &loaded.evidence, *error));
    vec![
        Cell::Number(at as i64 + 1),
        problem.map_or(Cell::Empty, |problem| Cell::Number(problem as i64)),
        Cell::Time(episode.first_ns),
        loaded.evidence.lasted_ns(episode).map_or(Cell::Empty, Cell::Span),
        Cell::Host(episode.client),
        Cell::Host(episode.server.0),
        Cell::Number(i64::from(episode.server.1)),
        Cell::Text(if episode.transport == 6 { "tcp" } else { "udp" }.to_owned()),
        if episode.name.is_empty() { Cell::Empty } else { Cell::Text(text::escape(&episode.name)) },
        Cell::Text(episode.signature.words()),
        Cell::Number(episode.transactions.len() as i64),
        Cell::Number(episode.errors.len() as i64),
        Cell::Number(delayed.count() as i64),
        episode.recovery.map_or(Cell::Empty, |recovery| Cell::Frames(vec![recovery])),
        Cell::Text(episode.verdict(loaded.evidence.consequences(at)).to_owned()),
        Cell::Frames(episode.frames.clone()),
        Cell::List(
            loaded
                .evidence
                .consequences(at)
                .iter()
                .map(|consequence| format!("{} {}", consequence.code, consequence.text))
                .collect(),
        ),
        sender.map_or(Cell::Empty, |sender| Cell::Text(sender.note)),
    ]
}
