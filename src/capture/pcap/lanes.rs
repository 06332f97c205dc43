//! Walks several stretches of a file at once, so that the processor waits for memory once instead of four times.
//!
//! Where a record header stands is known only from the one before, and with ordinary packets each lies in a place
//! memory has to be asked for: one walk spends nearly all its time waiting. Further walks begin at places that look like a
//! record header and count only if the walk before them arrives exactly there, so the result is that of a single walk.

use super::{Bytes, Pcap, Record};

/// Walks under way at the same time.
const LANES: usize = 4;
/// Fewer records than this are walked one after the other.
const RECORDS_MIN: usize = 4096;
/// How far a lane's first record is looked for; jumbo frames are shorter.
const SCOUT_MAX_BYTES: usize = 64 << 10;

/// One walk: where it stands and where it need not go further.
struct Lane {
    at: usize,
    stop: usize,
    /// Records it may still take.
    left: usize,
}

/// Appends up to `limit - records.len()` records from the position on, as far as all is in order.
pub(super) fn walk(pcap: &mut Pcap, bytes: Bytes<'_>, limit: usize, records: &mut Vec<Record>) {
    let want = limit.saturating_sub(records.len());
    if want < RECORDS_MIN || pcap.frames == 0 {
        return;
    }
    let begin = records.len();
    let span = (pcap.position / pcap.frames as usize).max(1).saturating_mul(want / LANES);
    if pcap.position.saturating_add(span.saturating_mul(LANES)) > bytes.len() {
        return;
    }
    let Some(mut lanes) = lanes(pcap, bytes, span, want) else { return };
    let mut found: [Vec<Record>; LANES - 1] =
        std::array::from_fn(|_| Vec::with_capacity(want / LANES * 5 / 4));
    let mut going = true;
    while going {
        going = false;
        for (lane, slot) in lanes.iter_mut().zip(std::iter::once(&mut *records).chain(&mut found)) {
            if lane.at >= lane.stop || lane.left == 0 {
                continue;
            }
            let Some(record) = pcap.plain_record(bytes, lane.at) else {
                lane.stop = 0;
                continue;
            };
            lane.at = record.offset as usize + record.captured as usize;
            lane.left -= 1;
            slot.push(record);
            going = true;
        }
    }
    let [first, rest @ ..] = &lanes;
    let mut position = first.at;
    for (lane, found) in rest.iter().zip(&found) {
        let start = found.first().map(|record| record.offset as usize - pcap.record_header);
        let room = limit - records.len();
        if start != Some(position) || room == 0 {
            break;
        }
        records.extend_from_slice(found.get(..room).unwrap_or(found));
        let cut = found.get(room - 1).filter(|_| room < found.len());
        position = cut.map_or(lane.at, |last| last.offset as usize + last.captured as usize);
    }
    if let Some(last) = records.get(begin..).and_then(<[Record]>::last) {
        pcap.last_s = Some(last.time_ns.div_euclid(1_000_000_000));
    }
    pcap.frames += (records.len() - begin) as u64;
    pcap.position = position;
}

/// Lanes that begin at the position and, `span` bytes apart, at places that look like records.
fn lanes(pcap: &Pcap, bytes: Bytes<'_>, span: usize, want: usize) -> Option<[Lane; LANES]> {
    let mut starts = [pcap.position; LANES];
    for (number, start) in starts.iter_mut().enumerate().skip(1) {
        let from = pcap.position + number * span;
        *start = (from..from.saturating_add(SCOUT_MAX_BYTES).min(bytes.len()))
            .find(|at| pcap.chain(bytes, *at))?;
    }
    let end = pcap.position + LANES * span;
    Some(std::array::from_fn(|number| Lane {
        at: starts.get(number).copied().unwrap_or(end),
        stop: starts.get(number + 1).copied().unwrap_or(end),
        left: want,
    }))
}
