//! What correlation found, stored so that millions of transactions stay small: links between queries, retries
//! and answers are not kept but worked out when asked for.

mod links;

use std::any::Any;
use std::ops::Range;
use std::sync::OnceLock;

use super::arrival::Lost;
use super::clock::Backward;
use super::consequences::Consequences;
use super::duplicates::{Copy, CopyKind};
use super::hosts::{Place, Sight};
use super::impact::{self, Impact};
use super::lookups::Lookups;
use super::messages::Messages;
use super::vantage::Surroundings;
use super::{Anomaly, Consequence, Episode, Link, Outcome, Parameters, Problem, Transaction, TransactionId};
use crate::connections::Connections;
use crate::decode::Address;
use crate::index::{DnsRow, Index, PacketId};
use crate::time::{self, Nanos};

/// What a packet is to its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The first try.
    First,
    /// A later try.
    Retry,
    /// The response that counts.
    Answer,
    /// A response that counts, matched without a question to compare.
    ProbableAnswer,
    /// A further response to the same query (duplicate, conflicting, or the next message of a zone transfer).
    FurtherAnswer,
}

impl Role {
    const ALL: [Self; 5] =
        [Self::First, Self::Retry, Self::Answer, Self::ProbableAnswer, Self::FurtherAnswer];

    fn from_bits(bits: u32) -> Self {
        Self::ALL.get(bits as usize).copied().unwrap_or(Self::FurtherAnswer)
    }
}

/// Low bits of a tag: the role of a message in the transaction whose number stands above.
pub(super) const ROLE_BITS: u32 = 3;

/// Transactions that can be told apart; more are left out with a note.
pub const TRANSACTIONS_MAX: usize = 1 << (32 - ROLE_BITS);

/// A try or response beyond the first of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extra {
    pub transaction: TransactionId,
    pub packet: PacketId,
    pub role: Role,
    pub delta_ns: Nanos,
}

/// Everything correlation found. Never changes once made.
#[derive(Default)]
pub struct Evidence {
    /// All transactions in order of their first query.
    pub transactions: Vec<Transaction>,
    /// Links of ICMP errors, sorted by `from`; all others are worked out.
    stored: Vec<Link>,
    /// The targets of stored links in order, each with the link's position in `stored`.
    by_target: Vec<(PacketId, u32)>,
    /// Who traces the path to whom, in order.
    pub(super) traces: Vec<(Address, Address)>,
    /// Responses to messages that are no queries, with what they answer, in packet order.
    pub(super) loose: Vec<(PacketId, PacketId)>,
    /// Packets captured again, sorted by the copy.
    copies: Vec<Copy>,
    /// Positions in `copies` sorted by the original.
    copies_by_original: Vec<u32>,
    /// The index it is about; its segments are shared.
    index: Index,
    /// Ordinal of the first DNS message of each segment.
    starts: Vec<u32>,
    /// The transaction and role of each DNS message by ordinal, [`UNTAGGED`] for none.
    tags: Vec<u32>,
    /// Tries and responses beyond the first, sorted by transaction.
    extras: Vec<Extra>,
    /// A bit for each transaction that has any of them: most have none, and need not be searched for.
    has_extras: Vec<u64>,
    /// A bit for each transaction that is more than a query answered in time without an error: outcomes and failures are
    /// looked for among these.
    pub(super) unsettled: Vec<u64>,
    /// Questions that were asked again with flow and id after their answer, and the transaction of the repeat.
    pub(super) again: Vec<(TransactionId, TransactionId)>,
    /// How it is known of which answers that they did not arrive, by transaction.
    pub(super) lost: Vec<(TransactionId, Lost)>,
    /// What failed over UDP and was tried again over TCP in vain, with the last packet of that, by transaction.
    pub(super) tried_over_tcp: Vec<(TransactionId, PacketId)>,
    /// Episodes in order of their first query.
    pub episodes: Vec<Episode>,
    /// Problems, gravest first.
    pub problems: Vec<Problem>,
    /// What was noticed, sorted by packet.
    pub anomalies: Vec<Anomaly>,
    /// DNS connections over TCP.
    pub connections: Connections,
    /// Backward steps of each source's clock, sources without any left out.
    pub backward: Vec<Backward>,
    /// Packets before which a clock was set back, where file order is kept all the same.
    pub(super) set_back: Vec<PacketId>,
    /// The times the sources cover without a gap longer than the watch time, in order.
    pub(super) covered: Vec<(Nanos, Nanos)>,
    surroundings: OnceLock<Surroundings>,
    followed: OnceLock<Consequences>,
    impacts: OnceLock<Vec<Impact>>,
    lookups: OnceLock<Lookups>,
    /// A bit for each transaction that is more than a query and at most one response.
    involved: OnceLock<Vec<u64>>,
    /// The packets of episodes with the episode's position, in packet order.
    placed: OnceLock<Vec<(PacketId, u32)>>,
    /// What the room above works out of all this once, when first asked for.
    insight: OnceLock<Box<dyn Any + Send + Sync>>,
    /// Packets are seen in one direction only; silence then means nothing.
    pub one_sided: bool,
    /// Limits that correlation reached.
    pub(super) limits: Vec<String>,
    /// The numbers used.
    pub parameters: Parameters,
}

impl Evidence {
    /// Nothing found yet, with the numbers that will be used.
    pub(super) fn with(parameters: Parameters) -> Self {
        Self { parameters, ..Self::default() }
    }

    /// The packets it is about.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The place where the room above keeps what it works out once; that room's type is the only one asked for.
    pub fn insight<T: Any + Default + Send + Sync>(&self) -> Option<&T> {
        self.insight.get_or_init(|| Box::<T>::default()).downcast_ref()
    }

    /// Works out what is otherwise made when first asked for.
    pub fn prepare(&self, index: &Index) {
        self.lookups(index);
        self.look_again();
        self.is_plain(TransactionId(0));
        self.placed_in(&(PacketId(0)..PacketId(0)));
    }

    /// Reads again what hosts are like and what clients did after failures. Threads that work for one pool must not be the
    /// first to ask for either, since they would wait for one another.
    pub fn look_again(&self) {
        self.surroundings();
        self.followed();
        self.impacts();
    }

    /// What the problems did to their clients, the gravest first, up to [`impact::PROBLEMS_MAX`]; looked for when first
    /// asked for, since all attempts at the failing services are read again.
    pub fn impacts(&self) -> &[Impact] {
        self.impacts.get_or_init(|| impact::look(&self.index, self))
    }

    /// The same of one problem, by its position; `None` for problems beyond the limit.
    pub fn impact(&self, problem: usize) -> Option<&Impact> {
        self.impacts().get(problem)
    }

    /// The hosts and where the capture was taken, looked at when first asked for: that takes every packet.
    pub fn surroundings(&self) -> &Surroundings {
        self.surroundings.get_or_init(|| Surroundings::look(&self.index, self))
    }

    /// What clients did after their episodes, looked for when first asked for: packets are read again for it.
    fn followed(&self) -> &Consequences {
        self.followed.get_or_init(|| Consequences::look(&self.index, self))
    }

    /// What the client of an episode, by its position, did next.
    pub fn consequences(&self, episode: usize) -> &[Consequence] {
        self.followed().found.get(episode).map(Vec::as_slice).unwrap_or_default()
    }

    /// Limits that were reached and what was left out because of it.
    pub fn notes(&self) -> impl Iterator<Item = &String> {
        self.limits.iter().chain(&self.followed().note)
    }

    /// The lookups, made when first asked for.
    pub fn lookups(&self, index: &Index) -> &Lookups {
        self.lookups.get_or_init(|| Lookups::make(index, &self.transactions))
    }

    /// The positions of the episodes a packet is part of.
    pub fn episodes_of(&self, packet: PacketId) -> impl Iterator<Item = usize> {
        let own = self.placed_in(&(packet..PacketId(packet.0.saturating_add(1))));
        own.iter().map(|(_, at)| *at as usize)
    }

    /// The packets of a range that are part of episodes with the episode's position, in packet order.
    pub fn placed_in(&self, range: &Range<PacketId>) -> &[(PacketId, u32)] {
        let placed = self.placed.get_or_init(|| {
            let all = self.episodes.iter().enumerate();
            let mut placed: Vec<(PacketId, u32)> =
                all.flat_map(|(at, of)| of.frames.iter().map(move |frame| (*frame, at as u32))).collect();
            placed.sort_unstable();
            placed.dedup();
            placed
        });
        let start = placed.partition_point(|(frame, _)| *frame < range.start);
        let end = placed.partition_point(|(frame, _)| *frame < range.end);
        placed.get(start..end).unwrap_or_default()
    }

    /// What was noticed about the packets of a range, in packet order.
    pub fn anomalies_in(&self, range: &Range<PacketId>) -> &[Anomaly] {
        let start = self.anomalies.partition_point(|anomaly| anomaly.packet < range.start);
        let end = self.anomalies.partition_point(|anomaly| anomaly.packet < range.end);
        self.anomalies.get(start..end).unwrap_or_default()
    }

    /// How long the capture goes on after a time without a gap; 0 outside it.
    pub fn watched_after(&self, time_ns: Nanos) -> Nanos {
        let at = self.covered.partition_point(|(_, end_ns)| *end_ns < time_ns);
        self.covered
            .get(at)
            .filter(|(first_ns, _)| *first_ns <= time_ns)
            .map_or(0, |(_, end_ns)| end_ns - time_ns)
    }

    /// Why it cannot be told how a transaction ended, in words; `None` where it can.
    pub fn undetermined_because(&self, index: &Index, transaction: &Transaction) -> Option<String> {
        if transaction.outcome != Outcome::Undetermined {
            return None;
        }
        if let Some(unserved) = self.unserved(transaction.last).filter(|_| transaction.answer.is_none()) {
            return Some(unserved.words().to_owned());
        }
        if !self.index.has_times() {
            return Some("the capture records no times".to_owned());
        }
        let seen = transaction.answer.unwrap_or(transaction.last);
        let left_ns = self.watched_after(index.packet(seen).map_or(0, |packet| packet.time_ns()));
        if transaction.answer.is_none() && left_ns >= self.parameters.watch_ns {
            let why = "nothing sent to its client was captured and it was sent only once, so an answer may have gone another way";
            return Some(why.to_owned());
        }
        let after = if transaction.answer.is_some() { "the truncated answer" } else { "the last try" };
        Some(format!("the capture ends {} after {after}", time::span(left_ns)))
    }

    /// What the packets of a host tell about its place; `None` for hosts not looked at.
    pub fn sight(&self, address: Address) -> Option<&Sight> {
        self.surroundings().sight(address)
    }

    /// Where a host is, seen from the capture point.
    pub fn place(&self, address: Address) -> Place {
        self.surroundings().place(address)
    }

    /// Whether a packet is a copy of one seen before; copies never count.
    pub fn is_duplicate(&self, packet: PacketId) -> bool {
        !self.copies.is_empty() && self.copy(packet).is_some()
    }

    /// How the last copy of a packet was made, where there is one.
    pub fn copied_as(&self, packet: PacketId) -> Option<CopyKind> {
        self.made_of(packet).last().map(|copy| copy.kind)
    }

    /// The packets that are copies of a packet, with what made each.
    pub fn copies(&self, packet: PacketId) -> impl Iterator<Item = (PacketId, CopyKind)> {
        self.made_of(packet).map(|copy| (copy.copy, copy.kind))
    }

    /// Every copy with its original and what made it, in packet order.
    pub fn duplicates(&self) -> impl ExactSizeIterator<Item = (PacketId, PacketId, CopyKind)> {
        self.copies.iter().map(|copy| (copy.copy, copy.original, copy.kind))
    }

    pub(super) fn set_copies(&mut self, copies: Vec<Copy>) {
        let mut order: Vec<u32> = (0..copies.len() as u32).collect();
        order.sort_by_key(|at| copies.get(*at as usize).map(|copy| (copy.original, copy.copy)));
        self.copies_by_original = order;
        self.copies = copies;
    }

    /// Answers with the right id and question that came to one of these queries from another address than was asked: each with the
    /// query it is seen against.
    pub fn misaddressed<'e>(
        &'e self,
        queries: &'e [PacketId],
    ) -> impl Iterator<Item = (PacketId, PacketId)> + 'e {
        let other =
            self.anomalies.iter().filter(|own| own.kind == super::AnomalyKind::AnswerFromOtherAddress);
        other.filter_map(|own| Some((own.packet, own.against.filter(|query| queries.contains(query))?)))
    }

    /// The transaction that failed over UDP before a connection with this last packet was tried in vain.
    pub fn failed_before(&self, last: PacketId) -> Option<TransactionId> {
        self.tried_over_tcp.iter().find(|(_, tried)| *tried == last).map(|(id, _)| *id)
    }

    /// The last packet of a connection by which its client tried a failed question again in vain, or on which its answer was sent
    /// again and again.
    pub(super) fn tried_over_tcp(&self, id: TransactionId) -> Option<PacketId> {
        let at = self.tried_over_tcp.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.tried_over_tcp.get(at).map(|(_, last)| *last)
    }

    /// The transaction a query or response belongs to (the first, where it carries several messages).
    pub fn transaction_of(&self, packet: PacketId) -> Option<TransactionId> {
        self.roles_of(packet).next().map(|(id, _)| id)
    }

    /// Every transaction a packet belongs to, and what it is to it.
    pub fn roles_of(&self, packet: PacketId) -> impl Iterator<Item = (TransactionId, Role)> + use<'_> {
        let at = self.index.segment_of(packet);
        let tags = at.and_then(|at| {
            let segment = self.index.segments().get(at)?;
            let (rows, start) = (&segment.dns, segment.first_dns(packet));
            let same = rows.get(start..)?.iter().take_while(|row| row.packet == packet).count();
            let start = *self.starts.get(at)? as usize + start;
            self.tags.get(start..start + same)
        });
        tags.unwrap_or_default().iter().filter_map(|tag| membership(*tag))
    }

    /// Every query and response that belongs to a transaction, in packet order.
    pub fn members(&self) -> impl Iterator<Item = (PacketId, TransactionId, Role)> + '_ {
        let rows = self.index.segments().iter().flat_map(|segment| segment.dns.iter());
        rows.zip(&self.tags).filter_map(|(row, tag)| {
            let (id, role) = membership(*tag)?;
            Some((row.packet, id, role))
        })
    }

    /// Every query of a transaction, first tries and retries, in packet order.
    pub fn queries(&self) -> impl Iterator<Item = (&DnsRow, TransactionId)> + '_ {
        let rows = self.index.segments().iter().flat_map(|segment| segment.dns.iter());
        rows.zip(&self.tags).filter_map(|(row, tag)| {
            let (id, role) = membership(*tag)?;
            matches!(role, Role::First | Role::Retry).then_some((row, id))
        })
    }

    /// The part of [`Evidence::members`] that is in a range of packets.
    pub fn members_in(
        &self,
        range: Range<PacketId>,
    ) -> impl Iterator<Item = (PacketId, TransactionId, Role)> + '_ {
        self.rows_in(range).map(|(row, id, role)| (row.packet, id, role))
    }

    /// The part of [`Evidence::queries`] that is in a range of packets.
    pub fn queries_in(&self, range: Range<PacketId>) -> impl Iterator<Item = (&DnsRow, TransactionId)> + '_ {
        let queries = self.rows_in(range).filter(|(.., role)| matches!(role, Role::First | Role::Retry));
        queries.map(|(row, id, _)| (row, id))
    }

    fn rows_in(&self, range: Range<PacketId>) -> impl Iterator<Item = (&DnsRow, TransactionId, Role)> + '_ {
        let first = self.index.segment_of(range.start).unwrap_or(usize::MAX);
        let segments = self.index.segments().iter().enumerate().skip(first);
        let segments = segments.take_while(move |(_, segment)| segment.base < range.end);
        let all = segments.flat_map(move |(at, segment)| {
            let start = segment.first_dns(range.start);
            let tags = self.starts.get(at).and_then(|first| self.tags.get(*first as usize + start..));
            segment.dns.get(start..).unwrap_or_default().iter().zip(tags.unwrap_or_default())
        });
        all.take_while(move |(row, _)| row.packet < range.end).filter_map(|(row, tag)| {
            let (id, role) = membership(*tag)?;
            Some((row, id, role))
        })
    }

    /// The tries and responses beyond the first of a transaction, and what they are to it.
    pub fn further(&self, id: TransactionId) -> impl Iterator<Item = (PacketId, Role)> {
        self.extras_of(id).map(|extra| (extra.packet, extra.role))
    }

    /// Every try and response of a transaction.
    pub fn packets_of(&self, id: TransactionId) -> impl Iterator<Item = PacketId> {
        let extras = self.extras_of(id).map(|extra| extra.packet);
        let own = self.transaction(id).map(|found| [Some(found.first), found.answer]);
        own.into_iter().flatten().flatten().chain(extras)
    }

    /// Every try of a transaction, in order.
    pub fn tries(&self, id: TransactionId) -> Vec<PacketId> {
        self.tries_of(id).collect()
    }

    /// The same one by one.
    pub(super) fn tries_of(&self, id: TransactionId) -> impl Iterator<Item = PacketId> {
        let found = self.transaction(id);
        let extras = found.filter(|found| found.tries > 1).map(|_| self.extras_of(id));
        let retries = extras.into_iter().flatten().filter(|extra| extra.role == Role::Retry);
        found.map(|found| found.first).into_iter().chain(retries.map(|extra| extra.packet))
    }

    fn extra(&self, id: TransactionId, packet: PacketId) -> Option<&Extra> {
        let at = self.extras.partition_point(|extra| (extra.transaction, extra.packet) < (id, packet));
        self.extras.get(at).filter(|extra| extra.packet == packet)
    }

    fn extras_of(&self, id: TransactionId) -> impl Iterator<Item = &Extra> {
        let start = if self.has_extras(id) {
            self.extras.partition_point(|extra| extra.transaction < id)
        } else {
            usize::MAX
        };
        self.extras.iter().skip(start).take_while(move |extra| extra.transaction == id)
    }

    fn has_extras(&self, id: TransactionId) -> bool {
        has_bit(&self.has_extras, id)
    }

    /// Whether as many answers as tries were captured, so that none of either was lost before this point.
    pub fn is_each_try_answered(&self, id: TransactionId) -> bool {
        let Some(transaction) = self.transaction(id).filter(|own| own.answer.is_some()) else { return false };
        let further = self.extras_of(id).filter(|extra| extra.role == Role::FurtherAnswer).count();
        further + 1 >= usize::try_from(transaction.tries).unwrap_or(usize::MAX)
    }

    /// Whether a transaction is one query and at most one response, and no error is about either.
    pub fn is_plain(&self, id: TransactionId) -> bool {
        let involved = self.involved.get_or_init(|| {
            let mut involved = self.has_extras.clone();
            let targets = self.stored.iter().filter_map(|link| link.to);
            for (id, _) in targets.flat_map(|target| self.roles_of(target)) {
                set_bit(&mut involved, id);
            }
            involved
        });
        !has_bit(involved, id)
    }

    /// One transaction.
    pub fn transaction(&self, id: TransactionId) -> Option<&Transaction> {
        self.transactions.get(id.0 as usize)
    }

    /// The response of a transaction minus the last try before it; 0 when not answered.
    pub fn rtt_ns(&self, transaction: &Transaction) -> Nanos {
        if transaction.answer.is_none() {
            return 0;
        }
        let time_ns = |packet| self.index.packet(packet).map_or(0, |packet| packet.time_ns());
        let retried = transaction.last != transaction.first;
        let tried_ns = if retried { time_ns(transaction.last) - time_ns(transaction.first) } else { 0 };
        // A clock that was set back between the tries tells nothing.
        (transaction.waited_ns - tried_ns.max(0)).max(0)
    }

    /// The response of a transaction minus the last try before it; `None` without one, where the clock was set back in
    /// between, and in captures without times.
    pub fn round_trip_ns(&self, transaction: &Transaction) -> Option<Nanos> {
        let known = self.is_timed(transaction.last, transaction.answer?);
        known.then(|| self.rtt_ns(transaction))
    }

    /// What came back minus the first try; `None` where nothing did, and where it cannot be told.
    pub fn waited_ns(&self, transaction: &Transaction) -> Option<Nanos> {
        let known = self.is_timed(transaction.first, transaction.answer.or(transaction.error)?);
        known.then_some(transaction.waited_ns.max(0))
    }

    /// The time from one packet to a later one; `None` where it cannot be told: the clock was set back in between, the
    /// times run the other way, or the capture has none (truth T34).
    pub fn between_ns(&self, before: PacketId, after: PacketId) -> Option<Nanos> {
        let time_ns = |id| self.index.packet(id).map(|packet| packet.time_ns());
        let known = self.is_timed(before, after);
        known.then(|| Some(time_ns(after)? - time_ns(before)?)).flatten().filter(|span_ns| *span_ns >= 0)
    }

    /// Whether a clock was set back, so that the order of the file is the order of events.
    pub fn was_set_back(&self) -> bool {
        !self.set_back.is_empty()
    }

    /// Whether the times of two packets can be compared.
    fn is_timed(&self, before: PacketId, after: PacketId) -> bool {
        let (before, after) = (before.min(after), before.max(after));
        let next = self.set_back.partition_point(|step| *step <= before);
        self.index.has_times() && self.set_back.get(next).is_none_or(|step| *step > after)
    }

    pub(super) fn push_link(&mut self, link: Link) {
        self.stored.push(link);
    }

    /// The packets errors are known to be about so far.
    pub(super) fn told(&self) -> impl Iterator<Item = PacketId> + '_ {
        self.stored.iter().filter_map(|link| link.to)
    }

    /// Takes over the transaction and role of each message, by position.
    pub(super) fn set_tags(&mut self, messages: &Messages<'_>, tags: Vec<u32>) {
        self.index = messages.index.clone();
        self.starts.clone_from(&messages.starts);
        self.tags = match &messages.ordered {
            None => tags,
            Some(ordered) => {
                let mut sorted = vec![UNTAGGED; tags.len()];
                for (ordinal, tag) in ordered.iter().zip(tags) {
                    if let Some(slot) = sorted.get_mut(*ordinal as usize) {
                        *slot = tag;
                    }
                }
                sorted
            }
        };
    }

    /// Makes a message, by its ordinal, the answer of a transaction that had none.
    pub(super) fn tag_answer(&mut self, ordinal: u32, id: TransactionId) {
        if let Some(tag) = self.tags.get_mut(ordinal as usize) {
            *tag = id.0 << ROLE_BITS | Role::Answer as u32;
        }
        set_bit(&mut self.unsettled, id);
    }

    /// Notes which message of its packet each first try is, where packets carry several.
    pub(super) fn place_questions(&mut self) {
        for (segment, start) in self.index.segments().iter().zip(&self.starts) {
            if !segment.has_several {
                continue;
            }
            let tags = self.tags.get(*start as usize..).unwrap_or_default();
            let (mut before, mut message) = (None, 0u8);
            for (row, tag) in segment.dns.iter().zip(tags) {
                message = if before == Some(row.packet) { message.saturating_add(1) } else { 0 };
                before = Some(row.packet);
                let first = first_of(*tag).and_then(|id| self.transactions.get_mut(id.0 as usize));
                if let Some(transaction) = first {
                    transaction.message = message;
                }
            }
        }
    }

    /// The tags of the messages from an ordinal on; see [`first_of`].
    pub(super) fn tags_from(&self, ordinal: u32) -> &[u32] {
        self.tags.get(ordinal as usize..).unwrap_or_default()
    }

    pub(super) fn set_extras(&mut self, mut extras: Vec<Extra>) {
        extras.sort_unstable();
        extras.shrink_to_fit();
        for extra in &extras {
            set_bit(&mut self.has_extras, extra.transaction);
            set_bit(&mut self.unsettled, extra.transaction);
        }
        self.extras = extras;
    }

    /// Sorts what queries need sorted; call after a stage that adds members or links.
    pub(super) fn seal(&mut self) {
        self.stored.sort_by_key(|link| (link.from, link.kind, link.to));
        self.loose.sort_unstable();
        self.anomalies.sort_by_key(|anomaly| (anomaly.packet, anomaly.kind));
        let targets = self.stored.iter().zip(0u32..).filter_map(|(link, at)| Some((link.to?, link.from, at)));
        let mut targets: Vec<(PacketId, PacketId, u32)> = targets.collect();
        targets.sort_unstable();
        self.by_target = targets.into_iter().map(|(target, _, at)| (target, at)).collect();
    }
}

/// The transactions whose bits are set, of some words of bits of which the first stands for this transaction.
pub(super) fn set_in(words: &[u64], first: u32) -> impl Iterator<Item = u32> + '_ {
    words.iter().zip((first..).step_by(64)).flat_map(|(word, first)| {
        let mut left = *word;
        std::iter::from_fn(move || {
            let at = left.trailing_zeros();
            left &= left.checked_sub(1)?;
            Some(first + at)
        })
    })
}

fn has_bit(bits: &[u64], id: TransactionId) -> bool {
    bits.get(id.0 as usize / 64).is_some_and(|word| word >> (id.0 % 64) & 1 == 1)
}

pub(super) fn set_bit(bits: &mut Vec<u64>, id: TransactionId) {
    let at = id.0 as usize / 64;
    if bits.len() <= at {
        bits.resize(at + 1, 0);
    }
    if let Some(word) = bits.get_mut(at) {
        *word |= 1 << (id.0 % 64);
    }
}

/// The tag of a message that belongs to no transaction.
pub(super) const UNTAGGED: u32 = u32::MAX;

/// The transaction whose first query has a tag.
pub(super) fn first_of(tag: u32) -> Option<TransactionId> {
    membership(tag).filter(|(_, role)| *role == Role::First).map(|(id, _)| id)
}

/// The transaction whose answer that counts has a tag.
pub(super) fn answer_of(tag: u32) -> Option<TransactionId> {
    let counts = |role| matches!(role, Role::Answer | Role::ProbableAnswer);
    membership(tag).filter(|(_, role)| counts(*role)).map(|(id, _)| id)
}

fn membership(tag: u32) -> Option<(TransactionId, Role)> {
    let role = Role::from_bits(tag & ((1 << ROLE_BITS) - 1));
    (tag != UNTAGGED).then_some((TransactionId(tag >> ROLE_BITS), role))
}
