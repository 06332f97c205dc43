//! `portmortem dns`: one row a DNS transaction.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Outcome;
pub use super::evidence::Arguments;
use super::evidence::Chooser;
use super::load::Loaded;
use super::records::{self, Cell, Column, Format};
use crate::correlate::{Outcome as Ending, Transaction, TransactionId, tally};
use crate::decode::dns;
use crate::index::PacketId;
use crate::protocols::dns as names;

const COLUMNS: [Column; 22] = [
    Column { key: "query", head: "query" },
    Column { key: "time", head: "time" },
    Column { key: "client", head: "client" },
    Column { key: "client_port", head: "" },
    Column { key: "server", head: "server" },
    Column { key: "server_port", head: "" },
    Column { key: "transport", head: "" },
    Column { key: "id", head: "id" },
    Column { key: "type", head: "type" },
    Column { key: "name", head: "name" },
    Column { key: "tries", head: "tries" },
    Column { key: "outcome", head: "outcome" },
    Column { key: "detail", head: "detail" },
    Column { key: "rtt", head: "rtt" },
    Column { key: "waited", head: "waited" },
    Column { key: "answer", head: "answer" },
    Column { key: "error", head: "error" },
    Column { key: "retries", head: "" },
    Column { key: "episode", head: "" },
    Column { key: "extended_error", head: "" },
    Column { key: "error_from", head: "" },
    Column { key: "lookup", head: "" },
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
    let matches = |id: TransactionId, transaction: &Transaction| {
        let tries = if chooser.is_everything() { Vec::new() } else { loaded.evidence.tries(id) };
        chooser.matches(tries.into_iter().chain(transaction.answer).chain(transaction.error))
    };
    let mut episodes = BTreeMap::new();
    for (at, episode) in loaded.evidence.episodes.iter().enumerate() {
        episodes.extend(episode.transactions.iter().map(|id| (*id, at + 1)));
    }
    let mut ledger: BTreeMap<Ending, u64> = BTreeMap::new();
    let transactions = loaded.evidence.transactions.iter().enumerate();
    let chosen = transactions.filter_map(|(at, transaction)| {
        let id = TransactionId(at as u32);
        matches(id, transaction).then(|| {
            *ledger.entry(transaction.outcome).or_default() += 1;
            record(loaded, id, transaction, episodes.get(&id).copied())
        })
    });
    let count = records::write(&mut out, &loaded.index, format, &COLUMNS, chosen)?;
    if format == Format::Text && count > 0 {
        let endings: Vec<String> = Ending::ALL
            .iter()
            .filter_map(|ending| Some(format!("{} {}", ledger.get(ending)?, ending.name())))
            .collect();
        writeln!(out, "\n{count} transactions: {}", endings.join(", "))?;
        let errors = tally::dns_errors(&loaded.index, &loaded.evidence);
        if chooser.is_everything() && errors.all > 0 {
            writeln!(out, "{} ICMP errors about DNS, {} linked to a DNS message", errors.all, errors.linked)?;
        }
        let surroundings = loaded.evidence.surroundings();
        writeln!(out, "vantage: {} ({})", surroundings.vantage.name(), surroundings.reasons.join("; "))?;
        for note in loaded.evidence.notes() {
            writeln!(out, "note: {note}")?;
        }
    }
    Ok(count)
}

fn record(
    loaded: &Loaded,
    id: TransactionId,
    transaction: &Transaction,
    episode: Option<usize>,
) -> Vec<Cell> {
    let Some(query) = loaded.index.packet(transaction.first) else { return vec![Cell::Empty; COLUMNS.len()] };
    let row = transaction.question(&loaded.index);
    // The form of RFC 1035 §5.1 is escaped already, and plain ASCII.
    let name = row.and_then(|row| query.segment.names.get(row.name)).map(dns::presentation);
    let one = |packet: Option<PacketId>| packet.map_or(Cell::Empty, |packet| Cell::Frames(vec![packet]));
    let lookup = loaded.evidence.lookups(&loaded.index).of(id);
    vec![
        Cell::Frames(vec![transaction.first]),
        Cell::Time(query.time_ns()),
        Cell::Host(query.source_address()),
        Cell::Number(i64::from(query.source_port())),
        Cell::Host(query.destination_address()),
        Cell::Number(i64::from(query.destination_port())),
        Cell::Text(if query.transport() == 6 { "tcp" } else { "udp" }.to_owned()),
        row.map_or(Cell::Empty, |row| Cell::Number(i64::from(row.header.id))),
        row.and_then(crate::index::DnsRow::asked_type)
            .map_or(Cell::Empty, |kind| Cell::Text(names::type_name(kind))),
        name.map_or(Cell::Empty, Cell::Text),
        Cell::Number(i64::from(transaction.tries)),
        Cell::Text(transaction.outcome.name().to_owned()),
        Cell::Text(loaded.evidence.detail(transaction)),
        loaded.evidence.round_trip_ns(transaction).map_or(Cell::Empty, Cell::Span),
        loaded.evidence.waited_ns(transaction).map_or(Cell::Empty, Cell::Span),
        one(transaction.answer),
        one(transaction.error),
        Cell::Frames(loaded.evidence.tries(id).into_iter().skip(1).collect()),
        episode.map_or(Cell::Empty, |episode| Cell::Number(episode as i64)),
        transaction
            .extended_error
            .map_or(Cell::Empty, |code| Cell::Text(format!("{code} {}", names::extended_error_name(code)))),
        transaction
            .error
            .and_then(|error| loaded.index.packet(error))
            .map_or(Cell::Empty, |error| Cell::Host(error.source_address())),
        lookup.map_or(Cell::Empty, |lookup| Cell::Number(i64::from(lookup.0) + 1)),
    ]
}
