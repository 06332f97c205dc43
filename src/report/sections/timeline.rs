//! One table of what happened when: packets, notes and rows the analyst adds by hand.

use super::super::words;
use super::super::{Block, Place, Section, Shown};
use super::{Builder, annex, limited, table};
use crate::correlate::LinkKind;
use crate::index::PacketId;
use crate::time::Nanos;

/// Rows of the table that the short form prints.
const ROWS_SHOWN: usize = 12;
/// Packet rows in the table; what is left out is said under it.
const ROWS_MAX: usize = 40;

/// The column with whose row it is, and the word for a packet's.
const SOURCE: usize = 1;
const PACKET: &str = "packet";

struct Row {
    at: Option<Nanos>,
    order: u32,
    cells: Vec<String>,
    frames: Vec<PacketId>,
}

pub fn timeline(b: &Builder<'_>) -> Section {
    let mut rows = Vec::new();
    let mut packets: Vec<PacketId> = b.facts.iter().flat_map(|facts| facts.frames.iter().copied()).collect();
    packets.extend(b.facts.iter().filter_map(|facts| facts.recovery));
    for assessment in b.incidents() {
        packets.extend(super::cause::frames_of(assessment, None));
    }
    packets.sort_unstable();
    packets.dedup();
    let left_out = packets.len().saturating_sub(ROWS_MAX);
    for id in ends(&packets) {
        rows.push(packet_row(b, id));
    }
    for note in b.input.case.annotations.iter().filter(|note| note.tag == "timeline") {
        let frames = b.frames_of(note);
        let at = frames.first().map(|first| b.time(*first));
        let when = at.map_or_else(|| "–".to_owned(), |at| b.clock.exact(at));
        rows.push(Row { at, order: 1, cells: vec![when, "note".to_owned(), note.note.clone()], frames });
    }
    for row in &b.input.case.manual_rows {
        let source = if row.by.is_empty() { "reported".to_owned() } else { format!("reported: {}", row.by) };
        rows.push(Row {
            at: moment(&row.when, b.inventory.first_ns),
            order: 2,
            cells: vec![row.when.clone(), source, row.text.clone()],
            frames: Vec::new(),
        });
    }
    // Rows without a time the program can read stand at the end, in the order they were made.
    rows.sort_by_key(|row| (row.at.is_none(), row.at, row.order));
    // Where every row is a packet, no column says so.
    let is_packet = |row: &Row| row.cells.get(SOURCE).is_some_and(|source| source == PACKET);
    let mut head = vec!["Time", "Source", "Event"];
    if rows.iter().all(is_packet) {
        head.remove(SOURCE);
        for row in &mut rows {
            row.cells.remove(SOURCE);
        }
    }
    let rows = rows.into_iter().map(|row| (row.cells, row.frames)).collect();
    let whole = table("timeline", "Timeline", &head, rows);
    let mut blocks = vec![limited(whole, Shown::Ends(ROWS_SHOWN))];
    if left_out > 0 {
        blocks.push(Block::Note(format!(
            "{} further packets of these failures are not listed; the first and last of each stretch are.",
            crate::text::thousands(left_out as u64)
        )));
    }
    annex(Place::Appendix, "timeline", "Timeline", blocks)
}

/// The first and the last packets when there are too many.
fn ends(packets: &[PacketId]) -> Vec<PacketId> {
    if packets.len() <= ROWS_MAX {
        return packets.to_vec();
    }
    let head = packets.get(..ROWS_MAX / 2).unwrap_or_default();
    let tail = packets.get(packets.len() - ROWS_MAX / 2..).unwrap_or_default();
    head.iter().chain(tail).copied().collect()
}

fn packet_row(b: &Builder<'_>, id: PacketId) -> Row {
    let at = b.time(id);
    Row {
        at: Some(at),
        order: 0,
        cells: vec![b.clock.exact(at), PACKET.to_owned(), reading(b, id)],
        frames: vec![id],
    }
}

/// One line about a packet: who, to whom, what, and what it refers to.
pub fn reading(b: &Builder<'_>, id: PacketId) -> String {
    let Some(packet) = b.input.index.packet(id) else { return String::new() };
    let port = |port: u16| {
        if matches!(packet.transport(), 6 | 17) && port != 0 {
            format!(" port {port}")
        } else {
            String::new()
        }
    };
    let (label, summary) = (packet.protocol().protocol().label, packet.summary());
    // Some summaries begin with their protocol's name already.
    let what = if summary.starts_with(label) { summary } else { format!("{label} {summary}") };
    let mut text = format!(
        "{}{} to {}{}: {what}",
        packet.source_address(),
        port(packet.source_port()),
        packet.destination_address(),
        port(packet.destination_port()),
    );
    let link = b.input.evidence.links_from(id).into_iter().find(|link| link.kind == LinkKind::ErrorAbout);
    if let Some(link) = link {
        match link.to {
            Some(to) => {
                let (about, level) = (b.input.index.label(to), link.level.name());
                text = format!("{text} – {} s after {about}, {level}", crate::time::seconds(link.delta_ns));
            }
            None => text = format!("{text} – {}", words::name(link.reason.words())),
        }
    }
    text
}

/// The moment an analyst's words begin with: `2024-05-14 13:20`, `13:20:05`; a time of day is taken on the
/// day of the first packet.
fn moment(words: &str, first_ns: Nanos) -> Option<Nanos> {
    let words = words.trim().replacen('T', " ", 1);
    let mut parts = words.split_whitespace();
    let first = parts.next()?;
    let (day, clock) = if first.contains('-') {
        let date = chrono::NaiveDate::parse_from_str(first, "%Y-%m-%d").ok()?;
        let midnight = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
        (midnight, parts.next().unwrap_or("00:00"))
    } else {
        (first_ns.div_euclid(86_400_000_000_000) * 86_400, first)
    };
    let mut seconds = 0i64;
    let mut scale = 3_600;
    for part in clock.trim_end_matches('Z').split(':').take(3) {
        let whole: i64 = part.split('.').next()?.parse().ok()?;
        seconds += whole * scale;
        scale /= 60;
    }
    clock.contains(':').then_some((day + seconds).saturating_mul(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_analysts_time_is_placed_on_the_day_of_the_capture() {
        let first = 946_733_072_192_571_000;
        assert_eq!(moment("13:20", first), Some(946_732_800_000_000_000));
        assert_eq!(moment("13:20:05 by phone", first), Some(946_732_805_000_000_000));
        assert_eq!(moment("2000-01-01T13:20:00Z", first), Some(946_732_800_000_000_000));
        assert_eq!(moment("around noon", first), None);
    }
}
