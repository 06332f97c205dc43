//! Finds the attempt a packet belongs to.

use super::ties::{Thread, Ties};
use super::{Attempts, insight};
use crate::correlate::Evidence;
use crate::index::PacketId;

/// The attempts of each thread.
#[derive(Debug, Default)]
pub struct Places {
    /// Positions of attempts by thread, then in order.
    order: Vec<u32>,
    /// For each kind of thread and each thread, where its attempts begin in `order`; one more at the end.
    starts: [Vec<u32>; Thread::KINDS],
}

impl Places {
    /// The places of a capture, worked out when first asked for; see [`Attempts::of`].
    pub fn of(evidence: &Evidence) -> &Self {
        insight(evidence).places.get_or_init(|| Self::new(Attempts::of(evidence)))
    }

    fn new(attempts: &Attempts) -> Self {
        let key = |at: &u32| attempts.all.get(*at as usize).map(|own| (own.thread, own.first.packet));
        let mut order: Vec<u32> = (0..attempts.all.len() as u32).collect();
        order.sort_by_key(key);
        let mut starts: [Vec<u32>; Thread::KINDS] = Default::default();
        for (place, at) in order.iter().enumerate() {
            let thread = key(at).and_then(|(thread, _)| thread.place());
            let Some((starts, thread)) = thread.and_then(|(kind, at)| Some((starts.get_mut(kind)?, at)))
            else {
                continue;
            };
            if starts.len() <= thread {
                starts.resize(thread + 1, place as u32);
            }
        }
        // Threads without attempts begin where the next ones do.
        let mut end = order.len() as u32;
        for starts in starts.iter_mut().rev() {
            starts.push(end);
            end = starts.first().copied().unwrap_or(end);
        }
        Self { order, starts }
    }

    /// The attempts of a thread by position, in order.
    pub fn in_thread(&self, thread: Thread) -> &[u32] {
        let find = || {
            let (kind, at) = thread.place()?;
            let starts = self.starts.get(kind)?;
            self.order.get(*starts.get(at)? as usize..*starts.get(at + 1)? as usize)
        };
        find().unwrap_or_default()
    }

    /// The attempt of a packet of a thread: of several the newest that has begun.
    pub fn at(&self, thread: Thread, packet: PacketId, attempts: &Attempts) -> Option<u32> {
        let own = self.in_thread(thread);
        let begun = |at: &u32| attempts.all.get(*at as usize).is_some_and(|own| own.first.packet <= packet);
        let behind = if own.len() > 1 { own.partition_point(begun) } else { 0 };
        own.get(behind.saturating_sub(1)).copied()
    }

    /// The attempt a packet belongs to, by its position; an error belongs to that of the packet it is about.
    pub fn attempt(packet: PacketId, evidence: &Evidence) -> Option<u32> {
        let of = |packet| {
            let thread = Ties::of(evidence).thread(packet);
            Self::of(evidence).at(thread, packet, Attempts::of(evidence))
        };
        let range = packet..PacketId(packet.0.saturating_add(1));
        let about = || evidence.errors_in(&range).first().and_then(|link| link.to);
        of(packet).or_else(|| of(about()?))
    }
}
