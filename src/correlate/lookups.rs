//! Joins the transactions by which one client looks one name up: A, AAAA and HTTPS, other servers, search suffixes.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::episodes::is_error_code;
use super::{Evidence, Transaction, TransactionId};
use crate::decode::Address;
use crate::index::names::name_hash;
use crate::index::{Index, PacketId};
use crate::time::Nanos;

/// Other questions for the name this soon after the last sign of a lookup belong to it.
pub const SIBLINGS_NS: Nanos = 2_000_000_000;
/// The same DNS id from another port or to another server is a retry of the same stub within this time: glibc keeps
/// the id when it opens a new socket.
const SAME_ID_NS: Nanos = 30_000_000_000;
/// A stub waits this long for the last try of a name before it goes on with its search list (resolv.conf(5): 5 s).
const WAITED_NS: Nanos = 5_500_000_000;
/// A search list is gone through within this time.
const SEARCHED_NS: Nanos = 12_000_000_000;
/// Names of one client that a new name is compared with, the newest.
const RECENT_MAX: usize = 16;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Position of a lookup, in order of its first query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupId(pub u32);

/// All lookups; every transaction belongs to one.
#[derive(Debug, Default)]
pub struct Lookups {
    /// The lookup of each transaction.
    of: Vec<u32>,
    /// Transactions ordered by lookup, and where each lookup's begin.
    members: Vec<TransactionId>,
    starts: Vec<u32>,
    /// A bit for each transaction that shares its lookup with another.
    shared: Vec<u64>,
}

/// A lookup that may go on.
#[derive(Clone, Copy)]
struct Open {
    last_ns: Nanos,
    dns_id: u16,
}

/// A name a client asked for.
#[derive(Clone, Copy)]
struct Recent<'i> {
    name: &'i [u8],
    /// Hash of the first label: variants of a name share it, and comparing it first keeps the rest out of the way.
    label: u32,
    transaction: u32,
}

/// What is needed of the lookups while they are made.
#[derive(Default)]
struct Maker<'i> {
    of: Vec<u32>,
    open: Vec<Open>,
    /// Lookups that were found to be part of an earlier one, and which.
    part_of: Map<u32, u32>,
    by_name: Map<(Address, u64), u32>,
    by_question: Map<(Address, u64), u32>,
    recent: Map<Address, Vec<Recent<'i>>>,
}

impl Lookups {
    /// Groups the transactions of an index, in order of their first query.
    pub(super) fn make(index: &Index, transactions: &[Transaction]) -> Self {
        let mut maker = Maker::default();
        for (at, transaction) in transactions.iter().enumerate() {
            let lookup = maker.place(index, transactions, at as u32, transaction);
            maker.of.push(lookup);
        }
        maker.renumber();
        let mut members: Vec<TransactionId> = (0..maker.of.len() as u32).map(TransactionId).collect();
        members.sort_by_key(|id| maker.of.get(id.0 as usize).copied());
        let number = maker.of.iter().max().map_or(0, |last| *last as usize + 1);
        let mut starts = vec![0u32; number + 1];
        for lookup in &maker.of {
            if let Some(count) = starts.get_mut(*lookup as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut shared = vec![0u64; maker.of.len().div_ceil(64)];
        for (at, lookup) in maker.of.iter().enumerate() {
            let range = starts.get(*lookup as usize).zip(starts.get(*lookup as usize + 1));
            if let (Some((from, to)), Some(word)) = (range, shared.get_mut(at / 64)) {
                *word |= u64::from(to - from > 1) << (at % 64);
            }
        }
        Self { of: maker.of, members, starts, shared }
    }

    /// Number of lookups.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lookup a transaction belongs to.
    pub fn of(&self, id: TransactionId) -> Option<LookupId> {
        self.of.get(id.0 as usize).copied().map(LookupId)
    }

    /// Whether a transaction is a lookup by itself.
    pub fn is_alone(&self, id: TransactionId) -> bool {
        let word = self.shared.get(id.0 as usize / 64).copied().unwrap_or_default();
        word >> (id.0 % 64) & 1 == 0
    }

    /// The transactions of a lookup, in order of their first query.
    pub fn members(&self, lookup: LookupId) -> &[TransactionId] {
        let at = lookup.0 as usize;
        let range = self.starts.get(at).zip(self.starts.get(at + 1));
        let range = range.and_then(|(from, to)| self.members.get(*from as usize..*to as usize));
        range.unwrap_or_default()
    }
}

impl<'i> Maker<'i> {
    fn place(
        &mut self,
        index: &'i Index,
        transactions: &[Transaction],
        at: u32,
        transaction: &Transaction,
    ) -> u32 {
        let begin = |maker: &mut Self, last_ns, dns_id| {
            maker.open.push(Open { last_ns, dns_id });
            (maker.open.len() - 1) as u32
        };
        let packet = index.packet(transaction.first);
        let Some((packet, row)) = packet.and_then(|packet| Some((packet, transaction.question(index)?)))
        else {
            return begin(self, Nanos::MIN, 0);
        };
        let Some(name) = packet.segment.names.get(row.name) else {
            return begin(self, Nanos::MIN, 0);
        };
        let (client, time_ns) = (packet.source_address(), packet.time_ns());
        let last_ns = time_ns.saturating_add(transaction.waited_ns.max(0));
        let by_name = (client, name_hash(name));
        let lookup =
            match self.same_name(transactions, by_name, (client, row.question), time_ns, row.header.id) {
                Some(lookup) => lookup,
                None => self
                    .other_suffix(index, transactions, client, name, time_ns)
                    .unwrap_or_else(|| begin(self, last_ns, row.header.id)),
            };
        self.gather_suffixes(transactions, client, name, lookup, time_ns);
        if let Some(open) = self.open.get_mut(lookup as usize) {
            open.last_ns = open.last_ns.max(last_ns);
        }
        self.by_name.insert(by_name, lookup);
        self.by_question.insert((client, row.question), at);
        let recent = self.recent.entry(client).or_default();
        if recent.len() == RECENT_MAX {
            recent.remove(0);
        }
        recent.push(Recent { name, label: first_label(name), transaction: at });
        lookup
    }

    /// Gives the lookups of what was put together one number, without gaps and in order of their first queries.
    fn renumber(&mut self) {
        if self.part_of.is_empty() {
            return;
        }
        let mut numbers: Map<u32, u32> = Map::default();
        for lookup in &mut self.of {
            while let Some(whole) = self.part_of.get(lookup) {
                *lookup = *whole;
            }
            let next = numbers.len() as u32;
            *lookup = *numbers.entry(*lookup).or_insert(next);
        }
    }

    /// A name without a suffix ends the search list: what was tried before with any suffix belongs to it.
    fn gather_suffixes(
        &mut self,
        transactions: &[Transaction],
        client: Address,
        name: &[u8],
        lookup: u32,
        time_ns: Nanos,
    ) {
        let label = first_label(name);
        for recent in self.recent.get(&client).map(Vec::as_slice).unwrap_or_default() {
            let own = self.of.get(recent.transaction as usize).copied().unwrap_or(lookup);
            let since_ns = self.since(own, time_ns).map_or(Nanos::MAX, |(gap_ns, _)| gap_ns);
            let is_tried = recent.label == label
                && own < lookup
                && since_ns <= SEARCHED_NS
                && transactions.get(recent.transaction as usize).is_some_and(|own| !is_found(own))
                && is_with_suffix(recent.name, name);
            if is_tried {
                // Earlier numbers are never part of later ones, so that this ends.
                self.part_of.entry(lookup).and_modify(|whole| *whole = (*whole).min(own)).or_insert(own);
            }
        }
    }

    fn since(&self, lookup: u32, time_ns: Nanos) -> Option<(Nanos, u16)> {
        let open = self.open.get(lookup as usize)?;
        Some((time_ns.saturating_sub(open.last_ns), open.dns_id))
    }

    /// The lookup of the same name that a question continues. A question answered before begins a new one.
    fn same_name(
        &self,
        transactions: &[Transaction],
        name: (Address, u64),
        question: (Address, u64),
        time_ns: Nanos,
        dns_id: u16,
    ) -> Option<u32> {
        let lookup = *self.by_name.get(&name)?;
        let (gap_ns, known_id) = self.since(lookup, time_ns)?;
        let asked = self.by_question.get(&question).filter(|at| self.of.get(**at as usize) == Some(&lookup));
        let answered = asked.and_then(|at| transactions.get(*at as usize)).is_some_and(is_settled);
        let goes_on = gap_ns <= SIBLINGS_NS || known_id == dns_id && gap_ns <= SAME_ID_NS;
        (goes_on && !answered).then_some(lookup)
    }

    /// The lookup of which a name is the next to try by a search list.
    fn other_suffix(
        &self,
        index: &Index,
        transactions: &[Transaction],
        client: Address,
        name: &[u8],
        time_ns: Nanos,
    ) -> Option<u32> {
        let label = first_label(name);
        let mut alike = self.recent.get(&client)?.iter().rev().filter(|recent| recent.label == label);
        alike.find_map(|recent| {
            let before = transactions.get(recent.transaction as usize)?;
            let lookup = *self.of.get(recent.transaction as usize)?;
            let (gap_ns, _) = self.since(lookup, time_ns)?;
            // What is not answered is waited for before the next suffix is tried.
            let waited = || {
                let last = index.packet(before.last).filter(|_| before.answer.is_none());
                last.is_some_and(|last| time_ns.saturating_sub(last.time_ns()) <= WAITED_NS)
            };
            let goes_on = gap_ns <= SIBLINGS_NS || waited();
            (!is_found(before) && goes_on && is_search_variant(recent.name, name)).then_some(lookup)
        })
    }
}

/// Whether a name was found.
fn is_found(transaction: &Transaction) -> bool {
    transaction.answer.is_some() && transaction.response_code == 0
}

/// Whether the client has its answer: an address, or that the name does not exist.
fn is_settled(transaction: &Transaction) -> bool {
    transaction.answer.is_some() && !is_error_code(transaction.response_code) && !transaction.name_lost
}

/// A hash of a name's first label (FNV-1a).
fn first_label(name: &[u8]) -> u32 {
    let length = name.first().map_or(0, |length| usize::from(*length) + 1);
    let label = name.get(..length).unwrap_or(name);
    label.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Whether a name (wire form) is another with a search suffix: the list is gone through until one exists.
fn is_with_suffix(long: &[u8], short: &[u8]) -> bool {
    long.len() > short.len() && is_search_variant(long, short)
}

/// Whether two names (wire form) are one name with and without a search suffix, or with a suffix and its parent:
/// `host` and `host.corp.example`, `host.corp.example` and `host.example`.
pub(super) fn is_search_variant(one: &[u8], other: &[u8]) -> bool {
    let (long, short) = if one.len() > other.len() { (one, other) } else { (other, one) };
    let Some(bare) = short.strip_suffix(&[0]).filter(|bare| !bare.is_empty()) else { return false };
    if long.len() == short.len() {
        return false;
    }
    if long.starts_with(bare) {
        return true;
    }
    // The same first labels, and what follows them in the shorter ends the longer.
    let mut same = 0;
    while let Some(label) = short.get(same).map(|length| usize::from(*length) + 1)
        && label > 1
        && short.get(same..same + label).is_some_and(|own| long.get(same..same + label) == Some(own))
    {
        same += label;
    }
    let Some(suffix) = short.get(same..).filter(|_| same > 0) else { return false };
    suffix.len() > 1 && long.get(same..).is_some_and(|rest| rest.ends_with(suffix))
}

/// Which of the tries for one question of one lookup a query is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: usize,
    /// Tries for the same name and type in this lookup, at any server.
    pub total: usize,
    /// The first of them in order of time.
    pub all: Vec<PacketId>,
    /// First queries of the lookup's other questions: other types, other search suffixes.
    pub siblings: Vec<PacketId>,
}

/// Tries and siblings told of one lookup.
const TOLD_MAX: usize = 64;

fn question(index: &Index, evidence: &Evidence, id: TransactionId) -> Option<u64> {
    evidence.transaction(id)?.question(index).map(|row| row.question)
}

/// The transactions of a query's lookup: those that ask the same, and the others.
fn parted(
    index: &Index,
    evidence: &Evidence,
    query: PacketId,
) -> Option<(Vec<TransactionId>, Vec<TransactionId>)> {
    let id = evidence.transaction_of(query)?;
    let lookups = evidence.lookups(index);
    let members = lookups.members(lookups.of(id)?).iter().copied();
    if let (Some(_), None) = (members.clone().next(), members.clone().nth(1)) {
        return Some((vec![id], Vec::new()));
    }
    let mine = question(index, evidence, id)?;
    Some(members.partition(|member| question(index, evidence, *member) == Some(mine)))
}

/// The number of a query among the tries for its question in its lookup, from 1, and how many these are; `None` for
/// packets that are no query of a transaction.
pub fn place(index: &Index, evidence: &Evidence, query: PacketId) -> Option<(usize, usize)> {
    let (same, _) = parted(index, evidence, query)?;
    place_in(index, evidence, query, &same)
}

fn place_in(
    index: &Index,
    evidence: &Evidence,
    query: PacketId,
    same: &[TransactionId],
) -> Option<(usize, usize)> {
    // Where one interface captured, a step backward is the clock's.
    let time =
        |packet: PacketId| index.order.as_ref().and(index.packet(packet)).map(|packet| packet.time_ns());
    let when = |packet: PacketId| (time(packet), packet);
    let (mut before, mut total, mut found) = (0, 0, false);
    for member in same {
        let transaction = evidence.transaction(*member)?;
        total += transaction.tries as usize;
        if transaction.tries == 1 {
            before += usize::from(when(transaction.first) <= when(query));
            found |= transaction.first == query;
        } else {
            let tries = evidence.tries(*member);
            before += tries.iter().filter(|packet| when(**packet) <= when(query)).count();
            found |= tries.contains(&query);
        }
    }
    found.then_some((before, total))
}

/// Reads which attempt of its lookup a query is; `None` for packets that are no query of a transaction.
pub fn attempt(index: &Index, evidence: &Evidence, query: PacketId) -> Option<Attempt> {
    let (same, others) = parted(index, evidence, query)?;
    let (number, total) = place_in(index, evidence, query, &same)?;
    let tries = |member: &TransactionId| evidence.tries(*member).into_iter().take(TOLD_MAX);
    let mut all: Vec<PacketId> = same.iter().take(TOLD_MAX).flat_map(tries).collect();
    all.sort_by_key(|packet| (index.packet(*packet).map(|packet| packet.time_ns()), *packet));
    all.truncate(TOLD_MAX);
    let first = |member: &TransactionId| evidence.transaction(*member).map(|member| member.first);
    let siblings = others.iter().take(TOLD_MAX).filter_map(first).collect();
    Some(Attempt { number, total, all, siblings })
}

/// Calls `visit` with every query of a range of packets and its number, as [`place`] gives it, in packet order and in
/// one pass, until it says no.
pub fn number(
    index: &Index,
    evidence: &Evidence,
    range: Range<PacketId>,
    visit: &mut dyn FnMut(PacketId, usize) -> bool,
) {
    let lookups = evidence.lookups(index);
    let mut counts: Map<(LookupId, u64), usize> = Map::default();
    let mut counted: HashSet<LookupId, foldhash::fast::FixedState> = HashSet::default();
    let mut last = None;
    for (row, id) in evidence.queries_in(range.clone()) {
        let Some(lookup) = lookups.of(id) else { continue };
        let members = lookups.members(lookup);
        let once = members.len() == 1 && evidence.transaction(id).is_some_and(|found| found.tries == 1);
        let number = if once {
            Some(1)
        } else if index.order.is_some() {
            place(index, evidence, row.packet).map(|(number, _)| number)
        } else {
            if counted.insert(lookup) {
                count_before(index, evidence, (lookup, members), range.start, &mut counts);
            }
            let count = counts.entry((lookup, row.question)).or_default();
            *count += 1;
            Some(*count)
        };
        // Of several messages in one packet the first speaks for it.
        if last.replace(row.packet) != Some(row.packet)
            && number.is_some_and(|number| !visit(row.packet, number))
        {
            return;
        }
    }
}

/// Counts the tries of a lookup before a packet, question by question.
fn count_before(
    index: &Index,
    evidence: &Evidence,
    (lookup, members): (LookupId, &[TransactionId]),
    packet: PacketId,
    counts: &mut Map<(LookupId, u64), usize>,
) {
    for id in members {
        let Some(transaction) = evidence.transaction(*id).filter(|found| found.first < packet) else { break };
        let tries = if transaction.tries == 1 {
            1
        } else {
            evidence.tries(*id).iter().filter(|query| **query < packet).count()
        };
        if let Some(question) = question(index, evidence, *id) {
            *counts.entry((lookup, question)).or_default() += tries;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_suffixes_are_variants_and_neighbours_are_not() {
        let wire = |name: &str| -> Vec<u8> {
            let labels = name.split('.').flat_map(|label| {
                std::iter::once(label.len() as u8).chain(label.bytes()).collect::<Vec<_>>()
            });
            labels.chain([0]).collect()
        };
        let variants = |one: &str, other: &str| is_search_variant(&wire(one), &wire(other));
        assert!(variants("intranet", "intranet.corp.example"));
        assert!(variants("intranet.corp.example", "intranet.example"));
        assert!(variants("api.shop.example.corp.test.example", "api.shop.example.test.example"));
        assert!(!variants("www.shop.example", "www.bank.example"));
        assert!(!variants("shop.example", "www.shop.example"));
        assert!(!variants("shop.example", "shop.example"));
    }
}
