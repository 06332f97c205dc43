//! Which thread of a service each packet belongs to, and how its packets are tied: answers to requests, repeats to first tries.
//!
//! Kept apart from the attempts themselves, since only filters and screens ask for it: four bytes a packet where anything is
//! followed, and twelve a tie.

use std::ops::Range;

use hashbrown::HashMap;

use super::stream::{ACK, RST, SYN, Segment};
use crate::connections::Seen;
use crate::correlate::{Evidence, Level, Link, LinkKind, Reason};
use crate::index::PacketId;

/// Segments and pings remembered until one with their number comes again or is answered.
const REMEMBERED_MAX: usize = 131_072;
/// Ties shown as ending at one packet.
const TIES_TO_MAX: usize = 1000;
/// Bits of a thread's number below those that say what it is.
const NUMBER_BITS: u32 = 30;

/// What packets belong to: a TCP connection, a request over UDP with its repeats, a run of pings, a wish for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thread(u32);

impl Thread {
    /// None.
    pub const NONE: Self = Self(u32::MAX);
    /// Kinds of threads.
    pub const KINDS: usize = 3;

    /// A TCP connection, by its position.
    pub fn connection(at: u32) -> Self {
        Self(at)
    }

    /// A request or a run of pings, by its position.
    pub fn exchange(at: u32) -> Self {
        Self(1 << NUMBER_BITS | at)
    }

    /// A wish for a lease, by its position.
    pub fn lease(at: u32) -> Self {
        Self(2 << NUMBER_BITS | at)
    }

    /// The position of the connection it is.
    pub fn as_connection(self) -> Option<u32> {
        (self.0 >> NUMBER_BITS == 0).then_some(self.0)
    }

    /// Its kind below [`Thread::KINDS`] and its position; `None` for no thread.
    pub fn place(self) -> Option<(usize, usize)> {
        let kind = (self.0 >> NUMBER_BITS) as usize;
        (kind < Self::KINDS).then_some((kind, (self.0 & ((1 << NUMBER_BITS) - 1)) as usize))
    }
}

/// A tie from one packet to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tie {
    from: PacketId,
    to: PacketId,
    kind: LinkKind,
    reason: Reason,
}

/// The threads and ties of all packets beside DNS.
#[derive(Debug, Default)]
pub struct Ties {
    /// The first packet of each segment.
    bases: Vec<PacketId>,
    /// For each segment the threads of its packets; empty where none has one.
    threads: Vec<Vec<Thread>>,
    /// Sorted by `from`.
    ties: Vec<Tie>,
    /// Positions in `ties` sorted by `to`.
    by_target: Vec<u32>,
}

impl Ties {
    /// The ties of a capture, worked out when first asked for. Threads that work for one pool must not be the first to ask,
    /// since they would wait for one another.
    pub fn of(evidence: &Evidence) -> &Self {
        super::insight(evidence).ties.get_or_init(|| super::tie(evidence))
    }

    /// The threads of the packets from one of them on, up to the end of its segment.
    pub fn threads_from(&self, packet: PacketId) -> &[Thread] {
        let at = self.bases.partition_point(|base| *base <= packet).saturating_sub(1);
        let (base, threads) = (self.bases.get(at), self.threads.get(at));
        let start = base.map_or(0, |base| packet.0.saturating_sub(base.0) as usize);
        threads.and_then(|threads| threads.get(start..)).unwrap_or_default()
    }

    /// The thread of a packet.
    pub fn thread(&self, packet: PacketId) -> Thread {
        self.threads_from(packet).first().copied().unwrap_or(Thread::NONE)
    }

    /// The ties of the packets of a range to earlier ones, in order.
    pub fn links_in(&self, range: Range<PacketId>, evidence: &Evidence) -> impl Iterator<Item = Link> {
        let start = self.ties.partition_point(|tie| tie.from < range.start);
        let own = self.ties.iter().skip(start).take_while(move |tie| tie.from < range.end);
        own.map(move |tie| tie.link(evidence))
    }

    /// The ties of later packets to those of a range, in order of these.
    pub fn targets(&self, range: Range<PacketId>, evidence: &Evidence) -> impl Iterator<Item = Link> {
        let tie = |at: &u32| self.ties.get(*at as usize);
        let start = self.by_target.partition_point(|at| tie(at).is_some_and(|tie| tie.to < range.start));
        let own = self.by_target.iter().skip(start).filter_map(tie);
        own.take_while(move |tie| tie.to < range.end).map(move |tie| tie.link(evidence))
    }
}

impl Tie {
    fn link(&self, evidence: &Evidence) -> Link {
        let level = match self.reason {
            Reason::SameFlow | Reason::NextData => Level::Probable,
            _ => Level::Exact,
        };
        let delta_ns = evidence.between_ns(self.to, self.from).unwrap_or(0);
        let (kind, reason) = (self.kind, self.reason);
        Link { from: self.from, to: Some(self.to), kind, level, delta_ns, reason, delayed: false }
    }
}

fn one(packet: PacketId) -> Range<PacketId> {
    packet..PacketId(packet.0.saturating_add(1))
}

/// Links that begin at a packet, of whatever service. A copy has the links of its original besides the one to it.
pub fn links_from(evidence: &Evidence, packet: PacketId) -> Vec<Link> {
    with_own(evidence, packet, evidence.links_from(packet))
}

/// The same, and for errors and answers of DNS also the link to the copy of the query on their own side.
pub fn all_links_from(evidence: &Evidence, packet: PacketId) -> Vec<Link> {
    with_own(evidence, packet, evidence.all_links_from(packet))
}

fn with_own(evidence: &Evidence, packet: PacketId, mut links: Vec<Link>) -> Vec<Link> {
    let original = links.iter().find(|link| link.kind == LinkKind::DuplicateOf).and_then(|link| link.to);
    let own = Ties::of(evidence).links_in(one(original.unwrap_or(packet)), evidence);
    links.extend(own.map(|link| Link { from: packet, ..link }));
    links.sort_by_key(|link| (link.kind, link.to));
    links
}

/// Links that end at a packet, the most telling first.
pub fn links_to(evidence: &Evidence, packet: PacketId) -> Vec<Link> {
    let mut links = evidence.links_to(packet);
    links.extend(Ties::of(evidence).targets(one(packet), evidence).take(TIES_TO_MAX));
    links.sort_by_key(|link| (link.kind, link.from));
    links
}

/// The packet at the other end that matters most: an error's packet, a packet's error, else its answer or first try.
pub fn partner(evidence: &Evidence, packet: PacketId) -> Option<PacketId> {
    evidence.partner(packet).or_else(|| {
        let out = links_from(evidence, packet).into_iter().filter_map(|link| Some((link.kind, link.to?)));
        let back = links_to(evidence, packet).into_iter().map(|link| (link.kind, link.from));
        out.chain(back).min().map(|(_, partner)| partner)
    })
}

/// What has been seen of a connection, as far as ties need it.
#[derive(Clone, Copy, Default)]
struct Turn {
    opened: Option<PacketId>,
    tried: Option<PacketId>,
    accepted: Option<PacketId>,
    /// The client's newest data, until the server sends any.
    asked: Option<PacketId>,
    is_refused: bool,
}

/// Ties while packets are followed.
#[derive(Default)]
pub(super) struct Recorder {
    found: Ties,
    turns: HashMap<u32, Turn>,
    /// Newer and older packets by thread, direction and number.
    remembered: [HashMap<(Thread, bool, u32), PacketId>; 2],
}

impl Recorder {
    /// Begins a segment.
    pub fn enter(&mut self, base: PacketId, length: usize) {
        self.found.bases.push(base);
        self.found.threads.push(vec![Thread::NONE; length]);
    }

    /// Puts a packet of the newest segment into a thread.
    pub fn place(&mut self, packet: PacketId, thread: Thread) {
        let base = self.found.bases.last().map_or(0, |base| base.0);
        let row = packet.0.saturating_sub(base) as usize;
        if let Some(slot) = self.found.threads.last_mut().and_then(|threads| threads.get_mut(row)) {
            *slot = thread;
        }
    }

    /// Ties a packet to an earlier one.
    pub fn answer(&mut self, from: PacketId, to: PacketId, reason: Reason) {
        self.found.ties.push(Tie { from, to, kind: LinkKind::AnswerTo, reason });
    }

    /// Ties a repeat to the first try.
    pub fn retry(&mut self, from: PacketId, to: PacketId, reason: Reason) {
        if from != to {
            self.found.ties.push(Tie { from, to, kind: LinkKind::RetryOf, reason });
        }
    }

    /// Remembers a packet by a number of its thread and direction.
    pub fn remember(&mut self, key: (Thread, bool, u32), packet: PacketId) {
        let [newer, older] = &mut self.remembered;
        if newer.len() >= REMEMBERED_MAX {
            std::mem::swap(newer, older);
            newer.clear();
        }
        newer.insert(key, packet);
    }

    /// The newest packet remembered by a number.
    pub fn recall(&self, key: (Thread, bool, u32)) -> Option<PacketId> {
        self.remembered.iter().find_map(|packets| packets.get(&key)).copied()
    }

    /// Takes a TCP segment; `reason` is why data of the server answer those of the client before, where they do.
    pub fn segment(
        &mut self,
        at: u32,
        by_client: bool,
        segment: &Segment<'_>,
        repeats: bool,
        reason: Option<Reason>,
    ) {
        let Seen { packet, .. } = segment.seen;
        let thread = Thread::connection(at);
        self.place(packet, thread);
        let mut turn = self.turns.get(&at).copied().unwrap_or_default();
        let flags = segment.flags & (SYN | ACK | RST);
        if by_client && flags == SYN {
            if let Some(opened) = turn.opened {
                self.retry(packet, opened, Reason::SameSequence);
            }
            (turn.opened, turn.tried) = (turn.opened.or(Some(packet)), Some(packet));
        } else if !by_client && flags == SYN | ACK {
            match (turn.accepted, turn.tried) {
                (Some(accepted), _) => self.retry(packet, accepted, Reason::SameSequence),
                (None, Some(tried)) => self.answer(packet, tried, Reason::Acknowledges),
                _ => {}
            }
            turn.accepted = turn.accepted.or(Some(packet));
        } else if !by_client && flags & RST != 0 && turn.accepted.is_none() && !turn.is_refused {
            if let Some(tried) = turn.tried {
                self.answer(packet, tried, Reason::Acknowledges);
            }
            turn.is_refused = true;
        }
        let has_data = segment.printed.map_or(segment.length > 0, |printed| printed.has_data);
        if has_data && repeats {
            if let Some(first) = self.recall((thread, by_client, segment.sequence)) {
                self.retry(packet, first, Reason::SameSequence);
            }
        } else if has_data {
            if segment.printed.is_none_or(|printed| printed.is_placed) {
                self.remember((thread, by_client, segment.sequence), packet);
            }
            match (by_client, turn.asked.take(), reason) {
                (true, ..) => turn.asked = Some(packet),
                (false, Some(asked), Some(reason)) => self.answer(packet, asked, reason),
                _ => {}
            }
        }
        self.turns.insert(at, turn);
    }

    /// Sorts what was found.
    pub fn finish(self) -> Ties {
        let mut found = self.found;
        for threads in &mut found.threads {
            if threads.iter().all(|thread| *thread == Thread::NONE) {
                *threads = Vec::new();
            }
        }
        found.ties.sort_unstable();
        found.ties.dedup();
        found.ties.shrink_to_fit();
        found.by_target = (0..found.ties.len() as u32).collect();
        let ties = &found.ties;
        found.by_target.sort_by_key(|at| ties.get(*at as usize).map(|tie| (tie.to, tie.from)));
        found
    }
}
