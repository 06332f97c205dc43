//! Matches the queries, retries and responses of one share of all messages (correlation §1.3).
//!
//! Messages are shared out by flow and id, so that all that can belong together is in one share, in matching order,
//! and the table of a share fits the processor's cache.

use hashbrown::HashTable;

use super::Parameters;
use super::evidence::Role;
use super::messages::{Messages, NONE, Position};
use crate::index::segment::DnsKind;
use crate::index::{DnsRow, PacketId};
use crate::time::Nanos;

/// Transactions of one flow and id that a message is compared with, newest first. A flow that repeats
/// an id with ever new questions would otherwise cost the square of its length.
pub(super) const CANDIDATES_MAX: usize = 16;
/// Unmatched responses a new query is compared with: an answer may be stamped just before its query.
const EARLY_MAX: usize = 16;

/// A message as matching sees it; when it is matched, the fields it is matched by give way to the result.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    /// Flow and id, mixed; the lowest bit tells responses. Matched: a [`Role`], or [`UNPLACED`].
    pub key: u64,
    pub time_ns: Nanos,
    /// The low half of the question's hash; among one flow and id it is as telling as the whole. Without a readable
    /// question 0, or [`ASKS_NOTHING`]. Matched: the answer of a first query, the first query of all others.
    pub question: u32,
    pub position: Position,
}

/// The message belongs to no transaction.
pub(super) const UNPLACED: u64 = u64::MAX;
/// Question of a message that has none. Hashes of questions are odd.
const ASKS_NOTHING: u32 = 2;
/// Key of messages that are not matched at all.
const ASIDE: u64 = 0;

impl Entry {
    /// What matching needs of a message.
    pub fn of(row: &DnsRow, time_ns: Nanos, position: Position, is_copy: bool) -> Self {
        let response = row.is_response();
        // A header that asks nothing and carries nothing is a probe, not a query.
        let aside = is_copy || row.kind != DnsKind::Dns || !response && row.header.counts == [0; 4];
        let mixed = (row.flow ^ u64::from(row.header.id).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_mul(0xd6e8_feb8_6659_fd93);
        let key = if aside { ASIDE } else { mixed & !1 | 2 | u64::from(response) };
        let question = match row.header.counts {
            _ if row.question != 0 => row.question as u32,
            [0, ..] => ASKS_NOTHING,
            _ => 0,
        };
        Self { key, time_ns, question, position }
    }

    /// The share of `1 << bits` it belongs to.
    pub fn share(&self, bits: u32) -> usize {
        self.key.checked_shr(64 - bits).unwrap_or(0) as usize
    }

    fn place(&mut self, role: Role, other: Position) {
        self.key = role as u64;
        self.question = other;
    }
}

/// Where an entry is: the run of the share and the place in it.
type Place = (u32, u32);

/// What matching needs to know of a transaction.
struct Open {
    key: u64,
    /// The next older transaction of the same flow and id.
    previous: u32,
    question: u32,
    first: Place,
    first_position: Position,
    /// The last try.
    last_position: Position,
    first_ns: Nanos,
    last_ns: Nanos,
    is_answered: bool,
}

/// A try or response beyond the first of its transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Further {
    pub position: Position,
    /// The first query of its transaction.
    pub first: Position,
    pub role: Role,
    pub delta_ns: Nanos,
}

/// What a share holds besides the places of its messages.
#[derive(Default)]
pub(super) struct Found {
    pub further: Vec<Further>,
    /// Anomaly, message, and the message it is seen against.
    pub odd: Vec<(&'static str, Position, Position)>,
    /// Responses that match nothing.
    pub strays: Vec<Position>,
    /// A flow and id has more open questions than are compared.
    pub crowded: bool,
}

/// Room for the transactions of one share, kept from share to share.
#[derive(Default)]
pub(super) struct Room {
    open: Vec<Open>,
    newest: HashTable<u32>,
    /// Responses without a transaction so far.
    early: Vec<Place>,
}

/// The keys of a share agree in their upper bits, by which the table tells them apart first.
fn hash(key: u64) -> u64 {
    key.rotate_left(32)
}

struct Matcher<'m, 'e> {
    messages: &'m Messages<'m>,
    parameters: &'m Parameters,
    runs: &'m mut [&'e mut [Entry]],
    room: &'m mut Room,
    found: Found,
}

/// Matches the messages of one share.
pub(super) fn share(
    messages: &Messages<'_>,
    parameters: &Parameters,
    runs: &mut [&mut [Entry]],
    room: &mut Room,
) -> Found {
    room.open.clear();
    room.newest.clear();
    room.early.clear();
    let lengths: Vec<u32> = runs.iter().map(|run| run.len() as u32).collect();
    let mut matcher = Matcher { messages, parameters, runs, room, found: Found::default() };
    for (run, length) in lengths.into_iter().enumerate() {
        for at in 0..length {
            let place = (run as u32, at);
            let Some(entry) = matcher.entry(place) else { continue };
            if entry.key == ASIDE {
                matcher.place(place, None);
            } else if entry.key & 1 == 0 {
                matcher.query(place, entry);
            } else {
                let placed = matcher.response(place, entry);
                if !placed {
                    matcher.place(place, None);
                }
            }
        }
    }
    let strays = std::mem::take(&mut matcher.room.early);
    let strays = strays.into_iter().filter_map(|place| matcher.entry(place));
    let strays: Vec<Position> = strays.filter(|entry| entry.key == UNPLACED).map(|e| e.position).collect();
    matcher.found.strays = strays;
    matcher.found
}

impl Matcher<'_, '_> {
    fn entry(&self, (run, at): Place) -> Option<Entry> {
        self.runs.get(run as usize)?.get(at as usize).copied()
    }

    fn place(&mut self, (run, at): Place, role: Option<(Role, Position)>) {
        let run = self.runs.get_mut(run as usize);
        let Some(entry) = run.and_then(|run| run.get_mut(at as usize)) else { return };
        match role {
            Some((role, other)) => entry.place(role, other),
            None => entry.key = UNPLACED,
        }
    }

    fn open(&self, at: u32) -> Option<&Open> {
        self.room.open.get(at as usize)
    }

    fn newest(&self, key: u64) -> u32 {
        let open = &self.room.open;
        let same = |at: &u32| open.get(*at as usize).is_some_and(|open| open.key == key);
        self.room.newest.find(hash(key), same).copied().unwrap_or(NONE)
    }

    /// The transactions of a flow and id from the newest, as far as they are compared.
    fn candidates(&self, newest: u32) -> impl Iterator<Item = (u32, &Open)> {
        let mut at = newest;
        std::iter::from_fn(move || {
            let found = self.open(at)?;
            Some((std::mem::replace(&mut at, found.previous), found))
        })
        .take(CANDIDATES_MAX)
    }

    /// Whether a time lies too far before another for the message to come after it.
    fn is_before(&self, (time_ns, at): (Nanos, Position), (first_ns, first): (Nanos, Position)) -> bool {
        time_ns.saturating_add(self.parameters.clock_tolerance_ns) < first_ns && !self.is_set_back(first, at)
    }

    fn is_set_back(&self, before: Position, after: Position) -> bool {
        let packet = |position| self.messages.at(position).map_or(PacketId(0), |(row, _)| row.packet);
        self.messages.is_set_back_between(packet(before), packet(after))
    }

    fn query(&mut self, place: Place, entry: Entry) {
        let newest = self.newest(entry.key);
        let same = self.candidates(newest).find(|(_, open)| open.question == entry.question);
        if let Some((at, open)) = same {
            let gap_ns = entry.time_ns.saturating_sub(open.last_ns);
            let within = gap_ns <= self.parameters.retry_window_ns;
            let (first, first_ns, is_answered) = (open.first_position, open.first_ns, open.is_answered);
            if within && !is_answered {
                if let Some(open) = self.room.open.get_mut(at as usize) {
                    (open.last_ns, open.last_position) = (entry.time_ns, entry.position);
                }
                let delta_ns = entry.time_ns - first_ns;
                self.further(entry.position, first, Role::Retry, delta_ns);
                self.place(place, Some((Role::Retry, first)));
                return;
            }
            if !within {
                self.found.odd.push(("id_port_reuse", entry.position, first));
            }
        } else {
            let crowded = self.candidates(newest).nth(CANDIDATES_MAX - 1).is_some();
            self.found.crowded |= crowded;
        }
        self.begin(place, entry, newest);
    }

    fn begin(&mut self, place: Place, entry: Entry, previous: u32) {
        let id = self.room.open.len() as u32;
        let Room { open, newest, .. } = &mut *self.room;
        let same = |at: &u32| open.get(*at as usize).is_some_and(|open| open.key == entry.key);
        if let Some(slot) = newest.find_mut(hash(entry.key), same) {
            *slot = id;
        } else {
            let rehash = |at: &u32| open.get(*at as usize).map_or(0, |open| hash(open.key));
            newest.insert_unique(hash(entry.key), id, rehash);
        }
        let early = self.early_answer(&entry);
        self.room.open.push(Open {
            key: entry.key,
            previous,
            question: entry.question,
            first: place,
            first_position: entry.position,
            last_position: entry.position,
            first_ns: entry.time_ns,
            last_ns: entry.time_ns,
            is_answered: early.is_some(),
        });
        let answer = early.map(|(_, answer)| answer);
        self.place(place, Some((Role::First, answer.unwrap_or(NONE))));
        if let Some((early, _)) = early {
            self.place(early, Some((Role::Answer, entry.position)));
        }
    }

    /// A response that came just before its query: two interfaces, two clocks.
    fn early_answer(&self, query: &Entry) -> Option<(Place, Position)> {
        let tolerance_ns = self.parameters.clock_tolerance_ns;
        self.room.early.iter().rev().take(EARLY_MAX).find_map(|place| {
            let early = self.entry(*place).filter(|early| early.key == UNPLACED)?;
            let (row, time_ns) = self.messages.at(early.position)?;
            let known = Entry::of(row, time_ns, early.position, false);
            let near = query.time_ns.saturating_sub(time_ns) <= tolerance_ns;
            let same = known.key & !1 == query.key && known.question == query.question;
            (near && same && row.question != 0).then_some((*place, early.position))
        })
    }

    fn further(&mut self, position: Position, first: Position, role: Role, delta_ns: Nanos) {
        self.found.further.push(Further { position, first, role, delta_ns });
    }

    /// Gives a response its place; false when nothing fits.
    fn response(&mut self, place: Place, entry: Entry) -> bool {
        let comparable = entry.question & 1 != 0;
        let (mut unanswered, mut answered, mut others, mut waiting) = (None, None, None, 0);
        for (at, open) in self.candidates(self.newest(entry.key & !1)) {
            if self.is_before((entry.time_ns, entry.position), (open.first_ns, open.first_position)) {
                continue;
            }
            let asks = open.question & 1 != 0;
            if comparable && asks && open.question != entry.question {
                others = others.or(Some(open.last_position));
                continue;
            }
            if open.is_answered {
                answered = answered.or(Some(at));
            } else {
                waiting += 1;
                unanswered = unanswered.or(Some(at));
            }
        }
        let asks = |at: u32| self.open(at).is_some_and(|open| open.question & 1 != 0);
        let exact = comparable || entry.question == ASKS_NOTHING && unanswered.is_some_and(|at| !asks(at));
        match (unanswered, answered) {
            (Some(at), _) if exact || waiting == 1 => {
                let Some(open) = self.room.open.get_mut(at as usize) else { return false };
                open.is_answered = true;
                let (query, first) = (open.first, open.first_position);
                let role = if exact { Role::Answer } else { Role::ProbableAnswer };
                self.place(query, Some((Role::First, entry.position)));
                self.place(place, Some((role, first)));
                true
            }
            (_, Some(at)) => {
                let Some(open) = self.open(at) else { return false };
                let (first, delta_ns) = (open.first_position, entry.time_ns - open.last_ns);
                self.further(entry.position, first, Role::FurtherAnswer, delta_ns);
                self.place(place, Some((Role::FurtherAnswer, first)));
                true
            }
            _ => {
                match others {
                    Some(query) => {
                        self.found.odd.push(("answer_to_other_question", entry.position, query));
                    }
                    None => self.room.early.push(place),
                }
                others.is_some() && {
                    self.place(place, None);
                    true
                }
            }
        }
    }
}
