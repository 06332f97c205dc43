//! Times as a clock that is never set back would have stamped them, to compare times across a step (truth T34).

use super::Evidence;
use super::windows::{Mark, Window};
use crate::index::{Index, PacketId};
use crate::time::Nanos;

/// By how much the times of packets are moved; nothing where no clock was set back.
#[derive(Default)]
pub(super) struct Steady {
    /// The first packet after each step, and by how much clocks had been set back until then.
    shifts: Vec<(PacketId, Nanos)>,
}

impl Steady {
    pub(super) fn of(index: &Index, evidence: &Evidence) -> Self {
        let time_ns = |id: u32| index.packet(PacketId(id)).map_or(0, |packet| packet.time_ns());
        let mut shift_ns = 0;
        let step = |packet: &PacketId| {
            shift_ns += (time_ns(packet.0.saturating_sub(1)) - time_ns(packet.0)).max(0);
            (*packet, shift_ns)
        };
        Self { shifts: evidence.set_back.iter().map(step).collect() }
    }

    /// By how much the times from this packet on are moved.
    fn shift_ns(&self, packet: PacketId) -> Nanos {
        let next = self.shifts.partition_point(|(step, _)| *step <= packet);
        next.checked_sub(1).and_then(|at| self.shifts.get(at)).map_or(0, |(_, shift_ns)| *shift_ns)
    }

    /// A packet with its time moved.
    pub(super) fn mark(&self, mark: Mark) -> Mark {
        Mark { at_ns: mark.at_ns + self.shift_ns(mark.packet), ..mark }
    }

    /// The window with the times that were recorded.
    pub(super) fn recorded(&self, window: Window) -> Window {
        let back = |mark: Mark| Mark { at_ns: mark.at_ns - self.shift_ns(mark.packet), ..mark };
        Window {
            last_good: window.last_good.map(back),
            first_bad: back(window.first_bad),
            last_bad: back(window.last_bad),
            first_good: window.first_good.map(back),
            ..window
        }
    }

    /// Whether no time is moved.
    pub(super) fn moves_nothing(&self) -> bool {
        self.shifts.is_empty()
    }
}
