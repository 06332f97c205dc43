//! Prints records of one kind as aligned text, JSON lines or CSV.

use std::io::Write;

use anyhow::Result;
use serde_json::{Map, Value};

use crate::decode::Address;
use crate::export::frames;
use crate::index::{Index, PacketId};
use crate::time::{self, Nanos};

/// How records are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns under a head.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// Comma-separated values with a head (RFC 4180).
    Csv,
}

/// One value of a record. Captured text is escaped by whoever makes the cell.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Nothing to say.
    Empty,
    /// Text.
    Text(String),
    /// A host; in JSON its site stands in a key of its own.
    Host(Address),
    /// A whole number.
    Number(i64),
    /// A moment; a time of day in text, nanoseconds in JSON.
    Time(Nanos),
    /// A span; seconds in text, nanoseconds in JSON.
    Span(Nanos),
    /// Frames.
    Frames(Vec<PacketId>),
    /// Several texts.
    List(Vec<String>),
}

/// A column: its JSON key, its head in text, and whether text output has it.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Key in JSON and head in CSV.
    pub key: &'static str,
    /// Head in text; empty for columns that text leaves out.
    pub head: &'static str,
}

/// Records whose widths decide the columns of text output.
const MEASURED_MAX: usize = 4096;
/// Frames shown of one cell in text.
const FRAMES_SHOWN: usize = 12;

/// Prints all records; gives their number.
pub fn write(
    out: &mut dyn Write,
    index: &Index,
    format: Format,
    columns: &[Column],
    records: impl Iterator<Item = Vec<Cell>>,
) -> Result<usize> {
    match format {
        Format::Text => text(out, index, columns, records),
        Format::Json => json(out, index, columns, records),
        Format::Csv => comma_separated(out, index, columns, records),
    }
}

fn json(
    out: &mut dyn Write,
    index: &Index,
    columns: &[Column],
    records: impl Iterator<Item = Vec<Cell>>,
) -> Result<usize> {
    let mut count = 0;
    for record in records {
        let mut object = Map::new();
        for (column, cell) in columns.iter().zip(record) {
            let is_frames = matches!(cell, Cell::Frames(_));
            let value = match cell {
                Cell::Empty => Value::Null,
                Cell::Time(_) if !index.has_times() => Value::Null,
                // Of a clock that was set back (truth T34).
                Cell::Span(..0) => Value::Null,
                Cell::Text(text) => Value::from(text),
                Cell::Host(host) => {
                    if let Some(site) = host.site().name() {
                        object.insert(format!("{}_site", column.key), site.into());
                    }
                    Value::from(host.bare().to_string())
                }
                Cell::Number(number) | Cell::Time(number) | Cell::Span(number) => Value::from(number),
                Cell::Frames(ids) => frames::all(index, &ids),
                Cell::List(texts) => Value::from(texts),
            };
            let unit =
                !is_frames && matches!(column.key, "time" | "rtt" | "waited" | "first" | "last" | "duration");
            let key = if unit { format!("{}_ns", column.key) } else { column.key.to_owned() };
            object.insert(key, value);
        }
        let mut object = Value::Object(object);
        frames::settle(&mut object);
        writeln!(out, "{}", crate::text::json(&object)?)?;
        count += 1;
    }
    Ok(count)
}

/// A cell as people read it.
fn shown(index: &Index, cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Host(host) => host.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Time(_) if !index.has_times() => "–".to_owned(),
        Cell::Time(time_ns) => index.basis().moment(*time_ns),
        Cell::Span(..0) => "–".to_owned(),
        Cell::Span(span_ns) => time::seconds(*span_ns),
        Cell::Frames(frames) => {
            let labels: Vec<String> = frames.iter().take(FRAMES_SHOWN).map(|id| index.label(*id)).collect();
            let more = frames.len().saturating_sub(FRAMES_SHOWN);
            if more > 0 { format!("{} … {more} more", labels.join(" ")) } else { labels.join(" ") }
        }
        Cell::List(texts) => texts.join("; "),
    }
}

fn comma_separated(
    out: &mut dyn Write,
    index: &Index,
    columns: &[Column],
    records: impl Iterator<Item = Vec<Cell>>,
) -> Result<usize> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns.iter().map(|column| column.key))?;
    let mut count = 0;
    for record in records {
        let cells = record.iter().map(|cell| {
            let frames = match cell {
                Cell::Frames(frames) => {
                    frames.iter().map(|id| index.label(*id)).collect::<Vec<_>>().join(" ")
                }
                Cell::Time(time_ns) if index.has_date() => time::rfc3339(*time_ns),
                cell => shown(index, cell),
            };
            // A cell that begins like a formula is run by spreadsheets.
            if matches!(cell, Cell::Text(_) | Cell::List(_)) && frames.starts_with(['=', '+', '-', '@', '\t'])
            {
                format!("'{frames}")
            } else {
                frames
            }
        });
        writer.write_record(cells)?;
        count += 1;
    }
    writer.flush()?;
    Ok(count)
}

fn text(
    out: &mut dyn Write,
    index: &Index,
    columns: &[Column],
    mut records: impl Iterator<Item = Vec<Cell>>,
) -> Result<usize> {
    let line = |record: &[Cell]| -> Vec<String> {
        let cells = columns.iter().zip(record).filter(|(column, _)| !column.head.is_empty());
        cells.map(|(_, cell)| shown(index, cell)).collect()
    };
    let first: Vec<Vec<String>> = records.by_ref().take(MEASURED_MAX).map(|record| line(&record)).collect();
    if first.is_empty() {
        return Ok(0);
    }
    let heads: Vec<String> = columns
        .iter()
        .filter(|column| !column.head.is_empty())
        .map(|column| column.head.to_owned())
        .collect();
    let mut widths: Vec<usize> = heads.iter().map(String::len).collect();
    for cells in &first {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(unicode_width::UnicodeWidthStr::width(cell.as_str()));
        }
    }
    let mut count = 0;
    put(out, &heads, &widths)?;
    for cells in first.into_iter().chain(records.map(|record| line(&record))) {
        put(out, &cells, &widths)?;
        count += 1;
    }
    Ok(count)
}

fn put(out: &mut dyn Write, cells: &[String], widths: &[usize]) -> Result<()> {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str(cell);
        let missing = width.saturating_sub(unicode_width::UnicodeWidthStr::width(cell.as_str()));
        text.extend(std::iter::repeat_n(' ', missing + 2));
    }
    writeln!(out, "{}", text.trim_end())?;
    Ok(())
}

/// Prints every number that can change a result: of correlation, of the rules, of the judgement.
pub fn parameters(out: &mut dyn Write) -> Result<()> {
    use crate::correlate::parameters::{Parameters, error_windows};
    for row in Parameters::default().rows().into_iter().chain(error_windows()) {
        writeln!(out, "{} = {}\n    {}\n    Source: {}.\n", row.name, row.value, row.meaning, row.source)?;
    }
    for row in crate::findings::parameters::rows() {
        writeln!(out, "{} = {}\n    {}\n    Source: {}.\n", row.name, row.value, row.meaning, row.source)?;
    }
    Ok(())
}
