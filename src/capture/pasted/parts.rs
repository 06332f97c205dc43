//! Tells the captures apart that one text holds: each behind its own prompt or `listening on`, before `packets captured`, or behind
//! what somebody wrote between them, where time begins again there or the packet that began the one before comes again.

use crate::capture::transcript::notes::Notes;
use crate::capture::transcript::{Stamp, stamped_head};
use crate::time::Nanos;

/// Packets of one capture come out of order by less: several queues, several threads.
const BACK_NS: Nanos = 1_000_000_000;
/// Packets behind which the first one does not come again as a repetition of itself.
const BEGUN_MIN: u64 = 3;
/// The longest line that names what stands below it.
const HEADING_MAX_CHARS: usize = 80;

/// The captures found so far.
#[derive(Default)]
pub(super) struct Parts {
    /// What is said of each.
    notes: Vec<Notes>,
    /// What was said since the last packet.
    ahead: Notes,
    /// Whether a line stands there that belongs to no packet, and the last that can be a heading.
    is_apart: bool,
    heading: Option<String>,
    last: Option<Stamp>,
    /// The first packet of this capture without its time, and how many there are.
    first: Option<String>,
    packets: u64,
}

impl Parts {
    /// Whether there was a packet.
    pub fn are_begun(&self) -> bool {
        !self.notes.is_empty()
    }

    /// Takes a line between packets; it may be that of a packet that is not read.
    pub fn note(&mut self, line: &str, is_packet: bool) {
        self.ahead.take(line.as_bytes());
        self.is_apart |= !is_packet;
        if let Some(heading) = heading(line) {
            self.heading = Some(heading);
        }
    }

    /// Which capture the next packet is of: another where what stands before it names another place, or where time begins again.
    pub fn of(&mut self, stamp: Stamp, text: &str) -> usize {
        if self.is_apart || self.notes.is_empty() {
            let mut ahead = std::mem::take(&mut self.ahead);
            ahead.head(self.heading.take());
            let is_again = self.begins_again(stamp, text);
            match self.notes.last_mut() {
                None => self.notes.push(ahead),
                Some(before) => {
                    before.add(ahead.take_end());
                    let is_other =
                        ahead.differs(before) || self.last.is_some_and(|last| is_back(last, stamp, 0));
                    if ahead.is_boundary() && is_other || is_again {
                        self.notes.push(ahead);
                        (self.first, self.packets) = (None, 0);
                    } else {
                        before.add(ahead);
                    }
                }
            }
            self.is_apart = false;
        }
        if self.packets == 0 {
            self.first = told(text).map(str::to_owned);
        }
        self.packets += 1;
        self.last = Some(stamp);
        self.notes.len().saturating_sub(1)
    }

    /// Whether what comes behind a line of somebody else begins anew: earlier, by another kind of clock, or with the first packet.
    fn begins_again(&self, stamp: Stamp, text: &str) -> bool {
        let Some(last) = self.last else { return false };
        let is_first =
            || self.packets >= BEGUN_MIN && self.first.is_some() && self.first.as_deref() == told(text);
        is_back(last, stamp, BACK_NS)
            || clock(last).zip(clock(stamp)).is_some_and(|((kind, _), (own, _))| kind != own)
            || is_first()
    }

    /// What is said of each, when no more lines come.
    pub fn finish(mut self) -> Vec<Notes> {
        let ahead = std::mem::take(&mut self.ahead);
        if let Some(last) = self.notes.last_mut() {
            last.add(ahead);
        }
        self.notes
    }
}

/// Whether behind an empty line a packet begins that is earlier than the one above it.
pub(super) fn begin_again(lines: &[&[u8]]) -> bool {
    let (mut last, mut is_apart) = (None, false);
    lines.iter().any(|line| {
        let Some(stamp) = stamped_head(line).map(|head| head.stamp) else {
            is_apart |= line.trim_ascii().is_empty();
            return false;
        };
        let is_again = is_apart && last.is_some_and(|last| is_back(last, stamp, BACK_NS));
        (last, is_apart) = (Some(stamp), false);
        is_again
    })
}

/// What is printed of a packet behind its time and IP header, where no repetition of it is printed so: a time stamp of TCP stands in it.
fn told(text: &str) -> Option<&str> {
    let body = [" IP ", " IP6 "].iter().find_map(|word| Some(text.split_once(word)?.1))?;
    let body = if body.starts_with('(') { body.split_once('\n')?.1.trim_start() } else { body };
    (body.contains(": Flags [S") && body.contains("TS val ")).then_some(body)
}

/// A line that names what stands below it: `Server side (vault):`, `## On the gateway`.
fn heading(line: &str) -> Option<String> {
    let bare = line.trim_matches(|c: char| c.is_whitespace() || "*_#=-`>".contains(c));
    let is_heading = bare.ends_with(':') || line.trim_start().starts_with("##");
    let bare = bare.trim_end_matches(':');
    let fits = !bare.is_empty() && bare.chars().count() <= HEADING_MAX_CHARS;
    (is_heading && fits).then(|| bare.to_owned())
}

fn clock(stamp: Stamp) -> Option<(u8, Nanos)> {
    match stamp {
        Stamp::None => None,
        Stamp::Clock(time_ns) => Some((0, time_ns)),
        Stamp::Date(time_ns) => Some((1, time_ns)),
        Stamp::Local(time_ns) => Some((2, time_ns)),
        Stamp::Seconds(time_ns) => Some((3, time_ns)),
    }
}

/// Whether a time of the same kind lies before another by more than so much.
fn is_back(last: Stamp, next: Stamp, least_ns: Nanos) -> bool {
    clock(last).zip(clock(next)).is_some_and(|((kind, last), (own, next))| {
        kind == own && next < last && last.saturating_sub(next) >= least_ns
    })
}
