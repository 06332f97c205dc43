//! Matches the queries, retries and responses of one share of all messages (correlation §1.3).
//!
//! Messages are shared out by flow and id, so that all that can belong together is in one share, in matching order,
//! and the table of a share fits the processor's cache.

use std::sync::atomic::{AtomicU32, Ordering};

use hashbrown::HashTable;

use super::evidence::Role;
use super::messages::{Messages, NONE, Position};
use super::{AnomalyKind, Parameters};
use crate::index::segment::{DnsKind, flags};
use crate::index::{DnsRow, PacketId, Segment};
use crate::settings::Settings;
use crate::time::Nanos;

/// Transactions of one flow and id that a message is compared with, newest first. A flow that repeats
/// an id with ever new questions would otherwise cost the square of its length.
pub(super) const CANDIDATES_MAX: usize = 16;
/// A client waits this many times as long as before at most: most double their timer, some treble it.
const BACKOFF_MAX: Nanos = 4;
const NANOS_A_MILLISECOND: Nanos = 1_000_000;
/// Unmatched responses a new query is compared with: an answer may be stamped just before its query.
const EARLY_MAX: usize = 16;

/// A message as matching sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Flow and id, mixed; the lowest bit tells responses.
    key: u64,
    /// The low half of the question's hash; among one flow and id it is as telling as the whole. Without a readable
    /// question 0, or [`ASKS_NOTHING`].
    question: u32,
    position: Position,
}

/// Question of a message that has none. Hashes of questions are odd.
const ASKS_NOTHING: u32 = 2;
/// Answer of a query that has none.
pub(super) const UNANSWERED: Position = NONE - 1;

/// The least a question takes: the root's name, type and class (RFC 1035 §4.1.2).
const QUESTION_BYTES: usize = 5;
const HEADER_BYTES: usize = 12;

/// Whether a message without QR asks nothing: it has no question, is no DNS message at all, or is a query that a server sent
/// back as it was, since servers ask at the port of DNS and not from it.
pub(super) fn is_no_query(segment: &Segment, row: &DnsRow, settings: &Settings) -> bool {
    let at = (row.packet.0 - segment.base.0) as usize;
    let port = |ports: &[u16]| ports.get(at).is_some_and(|port| settings.is_dns_port(*port));
    let [questions, ..] = row.header.counts;
    if questions == 0 || port(&segment.source_port) && !port(&segment.destination_port) {
        return true;
    }
    // What was cut or printed says less than was sent.
    let whole = || segment.flags.get(at).is_some_and(|bits| bits & flags::CUT == 0) && row.length > 0;
    let room = usize::from(row.length).saturating_sub(HEADER_BYTES) / QUESTION_BYTES;
    (row.is_malformed() || usize::from(questions) > room) && whole()
}

impl Entry {
    /// What matching needs of a message; `None` for one that is not matched at all.
    pub fn of(segment: &Segment, row: &DnsRow, position: Position, settings: &Settings) -> Option<Self> {
        let response = row.is_response();
        if row.kind != DnsKind::Dns || !response && is_no_query(segment, row, settings) {
            return None;
        }
        let mixed = (row.flow ^ u64::from(row.header.id).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_mul(0xd6e8_feb8_6659_fd93);
        let question = match row.header.counts {
            _ if row.question != 0 => row.question as u32,
            [0, ..] => ASKS_NOTHING,
            _ => 0,
        };
        Some(Self { key: mixed & !1 | u64::from(response), question, position })
    }

    /// The share of `1 << bits` it belongs to.
    pub fn share(&self, bits: u32) -> usize {
        self.key.checked_shr(64 - bits).unwrap_or(0) as usize
    }

    fn is_response(&self) -> bool {
        self.key & 1 != 0
    }

    /// Whether it has a question to compare.
    fn is_comparable(&self) -> bool {
        self.question & 1 != 0
    }
}

/// What matching needs to know of a transaction.
struct Open {
    key: u64,
    question: u32,
    /// The next older transaction of the same flow and id.
    previous: u32,
    first: Position,
    /// The last try.
    last: Position,
    answer: Position,
    /// The longest wait between two tries so far.
    waited_ms: u32,
}

impl Open {
    /// Whether its client, which waited longer each time, would still ask for it after such a pause (truth T29).
    fn is_still_asked(&self, gap_ns: Nanos, parameters: &Parameters) -> bool {
        let longest_ns = Nanos::from(self.waited_ms) * NANOS_A_MILLISECOND * BACKOFF_MAX;
        gap_ns <= parameters.retry_window_ns && gap_ns <= parameters.retry_first_ns.max(longest_ns)
    }

    fn is_answered(&self) -> bool {
        self.answer != UNANSWERED
    }
}

/// A response without a transaction so far.
struct Early {
    entry: Entry,
    is_taken: bool,
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

/// What a share holds besides the first queries and their answers.
#[derive(Default)]
pub(super) struct Found {
    pub further: Vec<Further>,
    /// Answers that count, matched without a question to compare.
    pub probable: Vec<Position>,
    /// Anomaly, message, and the message it is seen against.
    pub odd: Vec<(AnomalyKind, Position, Position)>,
    /// A query sent again after its answer: the first query of the new transaction and of the one before.
    pub again: Vec<(Position, Position)>,
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
    early: Vec<Early>,
}

/// The keys of a share agree in their upper bits, by which the table tells them apart first.
fn hash(key: u64) -> u64 {
    key.rotate_left(32)
}

struct Matcher<'m> {
    messages: &'m Messages<'m>,
    parameters: &'m Parameters,
    open: &'m mut Vec<Open>,
    newest: &'m mut HashTable<u32>,
    early: &'m mut Vec<Early>,
    found: Found,
}

/// Matches the messages of one share; `answers` receives the answer of each first query, or [`UNANSWERED`], at the query's
/// position.
pub(super) fn share(
    messages: &Messages<'_>,
    parameters: &Parameters,
    (entries, room): (impl Iterator<Item = Entry>, &mut Room),
    answers: &[AtomicU32],
) -> Found {
    let Room { open, newest, early } = room;
    open.clear();
    newest.clear();
    early.clear();
    let mut matcher = Matcher { messages, parameters, open, newest, early, found: Found::default() };
    for entry in entries {
        if entry.is_response() { matcher.response(&entry) } else { matcher.query(&entry) }
    }
    for open in matcher.open.iter() {
        if let Some(slot) = answers.get(open.first as usize) {
            slot.store(open.answer, Ordering::Relaxed);
        }
    }
    let mut found = matcher.found;
    found.strays = early.iter().filter(|early| !early.is_taken).map(|early| early.entry.position).collect();
    found
}

impl Matcher<'_> {
    fn newest(&self, key: u64) -> u32 {
        let open = &*self.open;
        let same = |at: &u32| open.get(*at as usize).is_some_and(|open| open.key == key);
        self.newest.find(hash(key), same).copied().unwrap_or(NONE)
    }

    /// The transactions of a flow and id from the newest, as far as they are compared.
    fn candidates(&self, newest: u32) -> impl Iterator<Item = (u32, &Open)> {
        let mut at = newest;
        std::iter::from_fn(move || {
            let found = self.open.get(at as usize)?;
            Some((std::mem::replace(&mut at, found.previous), found))
        })
        .take(CANDIDATES_MAX)
    }

    fn time_ns(&self, position: Position) -> Nanos {
        self.messages.at(position).map_or(0, |(_, time_ns)| time_ns)
    }

    fn elapsed_ns(&self, before: Position, after: Position) -> Nanos {
        let stamp = |position| {
            self.messages.at(position).map_or((PacketId(0), 0), |(row, at_ns)| (row.packet, at_ns))
        };
        self.messages.elapsed_ns(stamp(before), stamp(after))
    }

    /// Whether the time of a message lies too far before that of an earlier one for the message to come after it.
    fn is_before(&self, at: Position, first: Position) -> bool {
        let tolerance_ns = self.parameters.clock_tolerance_ns;
        self.messages.fall_ns > tolerance_ns
            && self.time_ns(at).saturating_add(tolerance_ns) < self.time_ns(first)
            && !self.is_set_back(first, at)
    }

    fn is_set_back(&self, before: Position, after: Position) -> bool {
        let packet = |position| self.messages.at(position).map_or(PacketId(0), |(row, _)| row.packet);
        self.messages.is_set_back_between(packet(before), packet(after))
    }

    fn query(&mut self, entry: &Entry) {
        let newest = self.newest(entry.key);
        let same = self.candidates(newest).find(|(_, open)| open.question == entry.question);
        if let Some((at, open)) = same {
            let time_ns = self.time_ns(entry.position);
            let gap_ns = time_ns.saturating_sub(self.time_ns(open.last));
            let within = gap_ns <= self.parameters.retry_window_ns;
            let (first, is_answered) = (open.first, open.is_answered());
            if !is_answered && open.is_still_asked(gap_ns, self.parameters) {
                let delta_ns = self.elapsed_ns(first, entry.position);
                if let Some(open) = self.open.get_mut(at as usize) {
                    open.last = entry.position;
                    let waited_ms = u32::try_from(gap_ns / NANOS_A_MILLISECOND).unwrap_or(u32::MAX);
                    open.waited_ms = open.waited_ms.max(waited_ms);
                }
                self.further(entry.position, first, Role::Retry, delta_ns);
                return;
            }
            if within && is_answered {
                self.found.again.push((entry.position, first));
            } else {
                self.found.odd.push((AnomalyKind::IdPortReuse, entry.position, first));
            }
        } else if newest != NONE {
            let crowded = self.candidates(newest).nth(CANDIDATES_MAX - 1).is_some();
            self.found.crowded |= crowded;
        }
        self.begin(entry, newest);
    }

    fn begin(&mut self, entry: &Entry, previous: u32) {
        let id = self.open.len() as u32;
        let open = &*self.open;
        let known = (previous != NONE).then(|| {
            let same = |at: &u32| open.get(*at as usize).is_some_and(|open| open.key == entry.key);
            self.newest.find_mut(hash(entry.key), same)
        });
        if let Some(slot) = known.flatten() {
            *slot = id;
        } else {
            let rehash = |at: &u32| open.get(*at as usize).map_or(0, |open| hash(open.key));
            self.newest.insert_unique(hash(entry.key), id, rehash);
        }
        let answer = self.early_answer(entry).unwrap_or(UNANSWERED);
        self.open.push(Open {
            key: entry.key,
            question: entry.question,
            previous,
            first: entry.position,
            last: entry.position,
            answer,
            waited_ms: 0,
        });
    }

    /// A response that came just before its query: two interfaces, two clocks.
    fn early_answer(&mut self, query: &Entry) -> Option<Position> {
        let tolerance_ns = self.parameters.clock_tolerance_ns;
        let messages = self.messages;
        let time_ns = |position| messages.at(position).map_or(0, |(_, time_ns)| time_ns);
        let early = self.early.iter_mut().rev().take(EARLY_MAX).find(|early| {
            let known = &early.entry;
            !early.is_taken
                && known.key & !1 == query.key
                && known.question == query.question
                && known.is_comparable()
                && time_ns(query.position).saturating_sub(time_ns(known.position)) <= tolerance_ns
        })?;
        early.is_taken = true;
        Some(early.entry.position)
    }

    fn further(&mut self, position: Position, first: Position, role: Role, delta_ns: Nanos) {
        self.found.further.push(Further { position, first, role, delta_ns });
    }

    fn is_text(&self, position: Position) -> bool {
        let row = self.messages.at(position).map(|(row, _)| row.packet);
        row.and_then(|id| self.messages.index.packet(id)).is_some_and(|packet| packet.is_text())
    }

    /// Of several open questions of one flow and id the one that a printed response without its question answers: of the type of
    /// its records, and of several the oldest, since they are answered in order.
    fn by_type(&self, entry: &Entry) -> Option<(u32, bool)> {
        let qtype = |position| self.messages.at(position).map_or(0, |(row, _)| row.qtype);
        let told = qtype(entry.position);
        let open = self.candidates(self.newest(entry.key & !1));
        let waiting =
            open.filter(|(_, open)| !open.is_answered() && !self.is_before(entry.position, open.first));
        let waiting: Vec<(u32, u16, bool)> =
            waiting.map(|(at, open)| (at, qtype(open.first), open.question & 1 != 0)).collect();
        let oldest = waiting.iter().rev().find(|(_, asked, _)| told == 0 || *asked == told);
        oldest.map(|(at, _, asks)| (*at, *asks))
    }

    /// Gives a response its place, if it has one.
    fn response(&mut self, entry: &Entry) {
        let comparable = entry.is_comparable();
        let (mut unanswered, mut answered, mut others, mut waiting) = (None, None, None, 0);
        for (at, open) in self.candidates(self.newest(entry.key & !1)) {
            if self.is_before(entry.position, open.first) {
                continue;
            }
            let asks = open.question & 1 != 0;
            if comparable && asks && open.question != entry.question {
                others = others.or(Some(open.last));
                continue;
            }
            if open.is_answered() {
                answered = answered.or(Some((open.first, open.last)));
            } else {
                waiting += 1;
                unanswered = unanswered.or(Some((at, asks)));
            }
        }
        if !comparable && waiting > 1 && self.is_text(entry.position) {
            unanswered = self.by_type(entry);
            waiting = usize::from(unanswered.is_some());
        }
        let exact = comparable || entry.question == ASKS_NOTHING && unanswered.is_some_and(|(_, asks)| !asks);
        match (unanswered, answered) {
            (Some((at, _)), _) if exact || waiting == 1 => {
                if let Some(open) = self.open.get_mut(at as usize) {
                    open.answer = entry.position;
                }
                if !exact {
                    self.found.probable.push(entry.position);
                }
            }
            (_, Some((first, last))) => {
                let delta_ns = self.elapsed_ns(last, entry.position);
                self.further(entry.position, first, Role::FurtherAnswer, delta_ns);
            }
            _ => match others {
                Some(query) => {
                    self.found.odd.push((AnomalyKind::AnswerToOtherQuestion, entry.position, query));
                }
                None => self.early.push(Early { entry: *entry, is_taken: false }),
            },
        }
    }
}
