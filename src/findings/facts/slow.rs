//! Lookups that were answered, but only after people notice the wait (truth T22).

use std::collections::{BTreeMap, BTreeSet};

use super::servers::{Answer, AnswerElsewhere};
use super::{Facts, ServerKey, asked};
use crate::correlate::episodes::is_error_code;
use crate::correlate::lookups::LookupId;
use crate::correlate::{Outcome, Transaction};
use crate::decode::Address;
use crate::index::{Index, PacketId};
use crate::time::{Nanos, clock};

/// A lookup that waited longer than this is slow: pages hesitate.
pub const SLOW_NS: Nanos = 1_000_000_000;
/// Slow lookups of one client at one server from which it is no chance.
pub const SLOW_MIN: usize = 3;
/// Slow lookups from which it is no chance where the client got no quick answer of that server at all.
const SLOW_ALL_MIN: usize = 2;
/// Each of those took this long at least.
const SLOW_ALL_NS: Nanos = 2_000_000_000;
/// The least share of slow lookups among those the client made at that server from the first slow one to the last, in percent.
pub const SLOW_PERCENT: usize = 5;
/// A stub goes to the next server within this time (resolv.conf(5): 5 s); what is asked later is a new wish.
const NEXT_NS: Nanos = 5_500_000_000;
/// It asks the same server again by another query within this time.
const AGAIN_NS: Nanos = 2_200_000_000;
/// Pairs of client and server looked at.
const PAIRS_MAX: usize = 65_536;

/// One question that had to wait.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// The first query.
    pub first: PacketId,
    /// When it was sent.
    pub asked_ns: Nanos,
    /// The answer the client got in the end, of whichever server.
    pub answer: PacketId,
    /// From the first query to that answer.
    pub waited_ns: Nanos,
    /// The type asked for.
    pub qtype: u16,
    /// Whether it was sent more than once, or to another server as well, before the answer came.
    pub repeated: bool,
    lookup: LookupId,
}

impl Wait {
    /// The wait of a question whose answer came too late.
    pub fn of_late(facts: &Facts<'_>, transaction: &Transaction) -> Option<Self> {
        Some(Self {
            first: transaction.first,
            asked_ns: facts.time(transaction.first),
            answer: transaction.answer?,
            waited_ns: transaction.waited_ns,
            qtype: transaction.question(facts.index)?.qtype,
            repeated: transaction.tries > 1,
            lookup: LookupId(u32::MAX),
        })
    }
}

/// The slow lookups of one client at one server.
#[derive(Clone, Debug)]
pub struct Slow {
    /// Who was asked first.
    pub server: ServerKey,
    /// Who waited.
    pub client: Address,
    /// The questions that waited, in order.
    pub questions: Vec<Wait>,
    /// The longest wait of each slow lookup, sorted.
    pub waits_ns: Vec<Nanos>,
    /// Lookups of this client at this server from the first slow one to the last.
    pub asked: usize,
}

impl Slow {
    /// The middle wait.
    pub fn median_ns(&self) -> Nanos {
        self.percentile_ns(50)
    }

    /// The wait that this share of the slow lookups, in percent, did not exceed.
    pub fn percentile_ns(&self, percent: usize) -> Nanos {
        let rank = (self.waits_ns.len() * percent).div_ceil(100);
        self.waits_ns.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }

    /// Slow lookups whose answer came only after the question was sent again.
    pub fn repeated(&self) -> usize {
        let lookups = self.questions.iter().filter(|wait| wait.repeated).map(|wait| wait.lookup);
        lookups.collect::<BTreeSet<_>>().len()
    }
}

/// Questions that something else already tells of, by themselves and by who asked what.
#[derive(Clone, Default)]
pub struct Told {
    queries: BTreeSet<PacketId>,
    asked: BTreeSet<(Address, u64)>,
}

/// The share of waits, in percent, from which on they are those of something told already.
const TOLD_PERCENT: usize = 80;

impl Told {
    /// Notes questions by their queries.
    pub fn note(&mut self, index: &Index, queries: impl IntoIterator<Item = PacketId>) {
        for query in queries {
            if let Some((client, _, question)) = question(index, query) {
                self.queries.insert(query);
                self.asked.insert((client, question));
            }
        }
    }

    /// Notes what the asked server itself asked of others, whose own waits are told otherwise.
    pub fn note_behind(&mut self, index: &Index, queries: impl IntoIterator<Item = PacketId>) {
        let asked = queries.into_iter().filter_map(|query| question(index, query));
        self.asked.extend(asked.map(|(client, _, question)| (client, question)));
    }

    /// Whether waits are those of the same questions.
    pub fn holds(&self, index: &Index, queries: &[PacketId]) -> bool {
        share(index, queries, &|query, _| self.queries.contains(&query))
    }

    /// Whether waits are those of what is told: the same questions, or what the server had to ask another one for.
    pub fn covers(&self, index: &Index, queries: &[PacketId]) -> bool {
        share(index, queries, &|query, asked| self.queries.contains(&query) || self.asked.contains(&asked))
    }
}

/// Whether most of some questions are known, each told by its query, whom it asks, and what.
fn share(index: &Index, queries: &[PacketId], known: &dyn Fn(PacketId, (Address, u64)) -> bool) -> bool {
    let asked = queries.iter().filter_map(|query| Some((*query, question(index, *query)?)));
    let (mut told, mut all) = (0, 0);
    for (query, (_, server, question)) in asked {
        told += usize::from(known(query, (server, question)));
        all += 1;
    }
    all > 0 && told * 100 >= all * TOLD_PERCENT
}

/// Who asked whom what.
fn question(index: &Index, query: PacketId) -> Option<(Address, Address, u64)> {
    let packet = index.packet(query)?;
    let row = packet.dns().filter(|row| !row.is_response() && row.question != 0)?;
    Some((packet.source_address(), packet.destination_address(), row.question))
}

/// Quick answers after the last slow one that show that it is over.
const QUICK_MIN: usize = 3;
/// Where more than one quick answer for so many slow ones came meanwhile, quick ones later tell nothing: others were quick all the
/// time, from the cache or because they are smaller.
const QUICK_ONE_IN: usize = 4;

/// When what waited was asked and answered, and from when on the server answered quickly again; `None` without times.
pub fn during(facts: &Facts<'_>, server: ServerKey, waits: &[Wait]) -> Option<(String, Option<String>)> {
    let (first, last) =
        (waits.iter().min_by_key(|own| own.asked_ns)?, waits.iter().max_by_key(|own| own.asked_ns)?);
    let until_ns = waits.iter().map(|own| own.asked_ns + own.waited_ns).max()?;
    if !facts.index.has_times() || facts.evidence.was_set_back() {
        return None;
    }
    let (from, to) = (clock(first.asked_ns), clock(until_ns));
    let during = if from == to { format!("at {from}") } else { format!("from {from} to {to}") };
    let answers = facts.servers.get(&server).map(|own| own.answers.as_slice()).unwrap_or_default();
    let asked_ns = |answer: &Answer| answer.time_ns - answer.trip_ns;
    let quick = |answer: &&Answer| asked_ns(answer) > last.asked_ns && answer.trip_ns <= SLOW_NS;
    let mut after: Vec<Nanos> = answers.iter().filter(quick).map(asked_ns).collect();
    after.sort_unstable();
    let meanwhile = first.asked_ns..=last.asked_ns;
    let beside =
        answers.iter().filter(|answer| answer.trip_ns <= SLOW_NS && meanwhile.contains(&asked_ns(answer)));
    let is_over = after.len() >= QUICK_MIN && beside.count() * QUICK_ONE_IN <= waits.len();
    let again = after.first().filter(|_| is_over);
    Some((
        during,
        again.map(|at| format!("what was asked from {} on was answered within 1 s again", clock(*at))),
    ))
}

/// Whether a transaction gave its client something to use.
fn is_served(transaction: &Transaction) -> bool {
    transaction.outcome == Outcome::Answered && !is_error_code(transaction.response_code)
}

/// Finds the pairs of client and server whose lookups were slow.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Slow> {
    let mut pairs: BTreeMap<(ServerKey, Address), Vec<Wait>> = BTreeMap::new();
    for asked in asked::all(&facts.input()) {
        let Some(wait) = wait(facts, &asked) else { continue };
        let key = (asked.server, asked.client);
        if pairs.len() < PAIRS_MAX || pairs.contains_key(&key) {
            pairs.entry(key).or_default().push(wait);
        }
    }
    pairs.retain(|_, waits| waits.len() >= SLOW_ALL_MIN);
    if pairs.is_empty() {
        return Vec::new();
    }
    let asked = lookups_asked(facts, &mut pairs);
    let made = pairs.into_iter().zip(asked).filter_map(|(((server, client), questions), asked)| {
        let mut longest: BTreeMap<LookupId, Nanos> = BTreeMap::new();
        for wait in &questions {
            let slot = longest.entry(wait.lookup).or_insert(wait.waited_ns);
            *slot = (*slot).max(wait.waited_ns);
        }
        let mut waits_ns: Vec<Nanos> = longest.into_values().collect();
        waits_ns.sort_unstable();
        let is_slow = waits_ns.len() >= SLOW_MIN && waits_ns.len() * 100 >= asked * SLOW_PERCENT;
        (is_slow || is_all_slow(facts, (server, client), &waits_ns)).then_some(Slow {
            server,
            client,
            questions,
            waits_ns,
            asked,
        })
    });
    made.collect()
}

/// Whether a client had to wait for all that it asked of a server.
fn is_all_slow(facts: &Facts<'_>, (server, client): (ServerKey, Address), waits_ns: &[Nanos]) -> bool {
    let answers = facts.servers.get(&server).map(|own| own.answers.as_slice()).unwrap_or_default();
    waits_ns.len() >= SLOW_ALL_MIN
        && waits_ns.first().is_some_and(|least| *least >= SLOW_ALL_NS)
        && answers.iter().all(|answer| answer.client != client || answer.trip_ns > SLOW_NS)
}

/// The wait of a question: until its own answer, or where it got none until the next answer to the same question.
fn wait(facts: &Facts<'_>, asked: &asked::Asked<'_>) -> Option<Wait> {
    let transaction = asked.transaction;
    let (answer, waited_ns, repeated) = match transaction.outcome {
        _ if is_served(transaction) => (transaction.answer?, transaction.waited_ns, transaction.tries > 1),
        // A server that never answers is an outage with failover, no slow one.
        Outcome::NoAnswer if !facts.servers.get(&asked.server)?.answers.is_empty() => {
            let later = facts.answered.get(&(asked.client, asked.row.question))?;
            let last_ns = facts.time(transaction.last);
            let same = |answer: &&AnswerElsewhere| {
                let begins = facts.evidence.transaction_of(answer.packet);
                let begins =
                    begins.and_then(|id| facts.evidence.transaction(id)).map(|own| facts.time(own.first));
                answer.time_ns >= asked.time_ns
                    && begins.is_some_and(|at_ns| {
                        at_ns - last_ns <= if answer.server == asked.server.0 { AGAIN_NS } else { NEXT_NS }
                    })
            };
            let next = later.iter().filter(same).min_by_key(|answer| answer.time_ns)?;
            (next.packet, facts.evidence.between_ns(transaction.first, next.packet)?, true)
        }
        _ => return None,
    };
    (waited_ns > SLOW_NS).then_some(Wait {
        first: transaction.first,
        asked_ns: asked.time_ns,
        answer,
        waited_ns,
        qtype: asked.row.qtype,
        repeated,
        lookup: LookupId(u32::MAX),
    })
}

/// Fills in the lookup of each wait, and counts the lookups of each pair between its first and last wait.
fn lookups_asked(facts: &Facts<'_>, pairs: &mut BTreeMap<(ServerKey, Address), Vec<Wait>>) -> Vec<usize> {
    let lookups = facts.evidence.lookups(facts.index);
    let of = |first: PacketId| facts.evidence.transaction_of(first).and_then(|id| lookups.of(id));
    let mut seen: BTreeMap<(ServerKey, Address), (Nanos, Nanos, BTreeSet<LookupId>)> = BTreeMap::new();
    for (key, waits) in pairs {
        for wait in &mut *waits {
            wait.lookup = of(wait.first).unwrap_or(wait.lookup);
        }
        let from = waits.iter().map(|wait| wait.asked_ns).min().unwrap_or(0);
        let to = waits.iter().map(|wait| wait.asked_ns).max().unwrap_or(0);
        seen.insert(*key, (from, to, BTreeSet::new()));
    }
    for asked in asked::all(&facts.input()) {
        let Some((from, to, found)) = seen.get_mut(&(asked.server, asked.client)) else { continue };
        if (*from..=*to).contains(&asked.time_ns) {
            found.extend(of(asked.transaction.first));
        }
    }
    seen.into_values().map(|(.., found)| found.len()).collect()
}
