//! `portmortem attempts`: one row for each thing a client wanted of a service.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Outcome;
pub use super::evidence::Arguments;
use super::evidence::Chooser;
use super::load::Loaded;
use super::records::{self, Cell, Column, Format};
use crate::attempts::{Attempt, Attempts, subject};
use crate::correlate::{Transaction, TransactionId};
use crate::decode::dns;
use crate::index::PacketId;
use crate::text::escape;

const COLUMNS: [Column; 16] = [
    Column { key: "first", head: "first" },
    Column { key: "time", head: "time" },
    Column { key: "client", head: "client" },
    Column { key: "client_port", head: "" },
    Column { key: "server", head: "server" },
    Column { key: "server_port", head: "port" },
    Column { key: "transport", head: "over" },
    Column { key: "service", head: "service" },
    Column { key: "name", head: "name" },
    Column { key: "tries", head: "tries" },
    Column { key: "outcome", head: "outcome" },
    Column { key: "detail", head: "detail" },
    Column { key: "waited", head: "waited" },
    Column { key: "answered", head: "answered" },
    Column { key: "decided", head: "decided" },
    Column { key: "handshake", head: "" },
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
    let attempts = Attempts::of(&loaded.evidence);
    let mut ledger: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut rows: Vec<(PacketId, Row<'_>)> = attempts
        .all
        .iter()
        .chain(&attempts.unasked)
        .map(|own| (own.first.packet, Row::Attempt(own)))
        .collect();
    rows.extend(
        loaded
            .evidence
            .transactions
            .iter()
            .enumerate()
            .map(|(at, own)| (own.first, Row::Lookup(TransactionId(at as u32), own))),
    );
    rows.sort_by_key(|(first, _)| *first);
    let chosen = rows
        .iter()
        .filter(|(_, row)| chooser.is_everything() || chooser.matches(row.frames(loaded).into_iter()))
        .map(|(_, row)| {
            *ledger.entry(row.outcome()).or_default() += 1;
            row.record(loaded)
        });
    let count = records::write(&mut out, &loaded.index, format, &COLUMNS, chosen)?;
    if format == Format::Text && count > 0 {
        let endings: Vec<String> = ledger.iter().map(|(name, number)| format!("{number} {name}")).collect();
        writeln!(out, "\n{count} attempts: {}", endings.join(", "))?;
        for note in &attempts.notes {
            writeln!(out, "note: {note}")?;
        }
    }
    Ok(count)
}

/// An attempt of either room.
enum Row<'r> {
    Attempt(&'r Attempt),
    Lookup(TransactionId, &'r Transaction),
}

impl Row<'_> {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Attempt(own) => own.outcome.name(),
            Self::Lookup(_, own) => own.outcome.name(),
        }
    }

    fn frames(&self, loaded: &Loaded) -> Vec<PacketId> {
        match self {
            Self::Attempt(own) => own.frames(),
            Self::Lookup(id, own) => {
                loaded.evidence.tries(*id).into_iter().chain(own.answer).chain(own.error).collect()
            }
        }
    }

    fn record(&self, loaded: &Loaded) -> Vec<Cell> {
        match self {
            Self::Attempt(own) => attempt(loaded, own),
            Self::Lookup(_, own) => lookup(loaded, own),
        }
    }
}

fn transport(number: u8) -> Cell {
    let name = match number {
        6 => "tcp",
        17 => "udp",
        _ => "icmp",
    };
    Cell::Text(name.to_owned())
}

fn span(span_ns: i64) -> Cell {
    if span_ns > 0 { Cell::Span(span_ns) } else { Cell::Empty }
}

fn attempt(loaded: &Loaded, own: &Attempt) -> Vec<Cell> {
    let name = subject::wanted(&loaded.evidence, own);
    vec![
        Cell::Frames(vec![own.first.packet]),
        Cell::Time(own.first.time_ns),
        Cell::Host(own.client.0),
        Cell::Number(i64::from(own.client.1)),
        Cell::Host(own.service.host),
        Cell::Number(i64::from(own.service.port)),
        transport(own.service.transport),
        Cell::Text(own.service_name(&loaded.index).to_owned()),
        name.map_or(Cell::Empty, |name| Cell::Text(escape(&name))),
        Cell::Number(i64::from(own.tries)),
        Cell::Text(own.outcome.name().to_owned()),
        Cell::Text(own.outcome.detail()),
        span(own.waited_ns()),
        span(own.answered_ns),
        own.decided.map_or(Cell::Empty, |seen| Cell::Frames(vec![seen.packet])),
        span(own.handshake_ns),
    ]
}

fn lookup(loaded: &Loaded, own: &Transaction) -> Vec<Cell> {
    let Some(query) = loaded.index.packet(own.first) else { return vec![Cell::Empty; COLUMNS.len()] };
    let row = own.question(&loaded.index);
    let name = row.and_then(|row| query.segment.names.get(row.name)).map(dns::presentation);
    let decided = own.answer.or(own.error);
    vec![
        Cell::Frames(vec![own.first]),
        Cell::Time(query.time_ns()),
        Cell::Host(query.source_address()),
        Cell::Number(i64::from(query.source_port())),
        Cell::Host(query.destination_address()),
        Cell::Number(i64::from(query.destination_port())),
        transport(query.transport()),
        Cell::Text("dns".to_owned()),
        name.map_or(Cell::Empty, Cell::Text),
        Cell::Number(i64::from(own.tries)),
        Cell::Text(own.outcome.name().to_owned()),
        Cell::Text(loaded.evidence.detail(own)),
        loaded.evidence.waited_ns(own).map_or(Cell::Empty, Cell::Span),
        loaded.evidence.round_trip_ns(own).map_or(Cell::Empty, Cell::Span),
        decided.map_or(Cell::Empty, |packet| Cell::Frames(vec![packet])),
        Cell::Empty,
    ]
}
