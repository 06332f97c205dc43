//! Tells the captures apart that one text holds, each behind its own prompt or `listening on`, or before `packets captured`.

use crate::capture::transcript::Stamp;
use crate::capture::transcript::notes::Notes;
use crate::time::Nanos;

/// The captures found so far.
#[derive(Default)]
pub(super) struct Parts {
    /// What is said of each.
    notes: Vec<Notes>,
    /// What was said since the last packet.
    ahead: Notes,
    last: Option<Stamp>,
}

impl Parts {
    /// Takes a line between packets.
    pub fn note(&mut self, line: &str) {
        self.ahead.take(line.as_bytes());
    }

    /// Which capture the next packet is of: another where what stands before it names another place, or where time begins again.
    pub fn of(&mut self, stamp: Stamp) -> usize {
        if !self.ahead.is_empty() || self.notes.is_empty() {
            let mut ahead = std::mem::take(&mut self.ahead);
            match self.notes.last_mut() {
                None => self.notes.push(ahead),
                Some(before) => {
                    before.add(ahead.take_end());
                    let is_other =
                        ahead.differs(before) || self.last.is_some_and(|last| is_back(last, stamp));
                    if ahead.is_boundary() && is_other {
                        self.notes.push(ahead);
                    } else {
                        before.add(ahead);
                    }
                }
            }
        }
        self.last = Some(stamp);
        self.notes.len().saturating_sub(1)
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

/// Whether a time of the same kind lies before another.
fn is_back(last: Stamp, next: Stamp) -> bool {
    let time = |stamp: Stamp| -> Option<(u8, Nanos)> {
        match stamp {
            Stamp::None => None,
            Stamp::Clock(time_ns) => Some((0, time_ns)),
            Stamp::Date(time_ns) => Some((1, time_ns)),
            Stamp::Local(time_ns) => Some((2, time_ns)),
            Stamp::Seconds(time_ns) => Some((3, time_ns)),
        }
    };
    time(last).zip(time(next)).is_some_and(|((kind, last), (own, next))| kind == own && next < last)
}
