//! Gives packets their times: what times of day without a date count from is told by the first of them.

use super::{DAY_NS, Stamp};
use crate::capture::Metadata;
use crate::time::Nanos;

/// What times of day without a date count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Basis {
    /// Nothing seen yet.
    Unknown,
    /// From midnight.
    Midnight,
    /// From the first packet (`-ttttt`).
    First,
    /// From the packet before (`-ttt`).
    Before,
}

/// The times given so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::capture) struct Clock {
    basis: Basis,
    day_ns: Nanos,
    last_ns: Nanos,
}

impl Default for Clock {
    fn default() -> Self {
        Self { basis: Basis::Unknown, day_ns: 0, last_ns: Nanos::MIN }
    }
}

impl Clock {
    /// Whether what times count from is not decided yet.
    pub fn is_undecided(&self) -> bool {
        self.basis == Basis::Unknown
    }

    /// Decides what times count from by the first packets: one at exactly midnight begins a count of differences.
    pub fn decide(&mut self, first: Stamp, following: impl Iterator<Item = Stamp>) {
        if !matches!(first, Stamp::Clock(0) | Stamp::Seconds(0)) {
            self.basis = Basis::Midnight;
            return;
        }
        self.basis = Basis::First;
        let mut before = 0;
        for stamp in following {
            if let Stamp::Clock(time_ns) | Stamp::Seconds(time_ns) = stamp {
                if time_ns < before {
                    self.basis = Basis::Before;
                    return;
                }
                before = time_ns;
            }
        }
    }

    /// The time of the next packet, the first of which has no packets before it.
    pub fn time(&mut self, stamp: Stamp, is_first: bool, metadata: &mut Metadata) -> Nanos {
        let clock_ns = match stamp {
            Stamp::Date(time_ns) | Stamp::Local(time_ns) => {
                metadata.has_times = true;
                metadata.is_local |= matches!(stamp, Stamp::Local(_));
                self.last_ns = time_ns;
                return time_ns;
            }
            Stamp::None => {
                metadata.has_date = false;
                metadata.has_times &= !is_first;
                return if self.last_ns == Nanos::MIN { 0 } else { self.last_ns };
            }
            Stamp::Clock(clock_ns) | Stamp::Seconds(clock_ns) => clock_ns,
        };
        metadata.has_times = true;
        metadata.has_date = false;
        let is_counted = matches!(stamp, Stamp::Seconds(_));
        metadata.counts_from_start |= is_counted || matches!(self.basis, Basis::First | Basis::Before);
        // Differences can be negative, and from the first packet on they only grow in a capture that is in order.
        if self.basis == Basis::First && clock_ns < self.last_ns.max(0) {
            self.basis = Basis::Before;
        }
        let time = match self.basis {
            Basis::Before => self.last_ns.max(0).saturating_add(clock_ns),
            Basis::First => clock_ns,
            // Seconds that begin anywhere are what they are, and never pass midnight.
            Basis::Midnight | Basis::Unknown if is_counted => clock_ns,
            Basis::Midnight | Basis::Unknown => {
                let mut time = self.day_ns.saturating_add(clock_ns.abs());
                // Without a date, a jump back by more than half a day is midnight.
                if self.last_ns != Nanos::MIN && time < self.last_ns.saturating_sub(DAY_NS / 2) {
                    self.day_ns = self.day_ns.saturating_add(DAY_NS);
                    time = time.saturating_add(DAY_NS);
                }
                time
            }
        };
        self.last_ns = time;
        time
    }
}
