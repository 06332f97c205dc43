//! Pairs DNS queries with their retries and responses (RFC 5452 §9.1: same addresses, ports, id and question).
//!
//! Messages are noted in blocks, each block sorted by share (a part of all flows and ids); every share is matched on its
//! own and writes the answers of its first queries where those stand. Blocks and shares are worked on side by side.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use rayon::prelude::*;

use super::briefs::{BLOCK, Briefed, Briefs};
use super::duplicates::CopyKind;
use super::episodes::is_error_code;
use super::evidence::{Extra, ROLE_BITS, Role, TRANSACTIONS_MAX, UNTAGGED};
use super::matching::{self, CANDIDATES_MAX, Entry, Found, Further, Room, UNANSWERED};
use super::messages::{Messages, NONE, Ordinal, Position};
use super::{Anomaly, AnomalyKind, Evidence, Outcome, Transaction, TransactionId, absent, strays};
use crate::decode::dns;
use crate::index::{DnsRow, PacketId};
use crate::time::Nanos;

/// Messages a share should have at most, so that they and their table fit the second cache.
const SHARE: u32 = 1 << 13;
/// Shares at most, as a power of two.
const SHARE_BITS_MAX: u32 = 10;
/// QTYPE of zone transfers, whose answer is a sequence of messages (RFC 5936 §2.2; RFC 1995 §4).
const ZONE_TRANSFERS: [u16; 2] = [251, 252];

/// Makes the transactions of all unicast DNS messages; gives the ordinals of all responses that deny a name, in order.
pub(super) fn join(messages: &Messages<'_>, evidence: &mut Evidence, cancel: &AtomicBool) -> Vec<Ordinal> {
    let bits = (messages.len() / SHARE).next_power_of_two().trailing_zeros().min(SHARE_BITS_MAX);
    let translated = translated(messages, evidence);
    let blocks: Vec<Block> = (0..messages.len().div_ceil(BLOCK))
        .into_par_iter()
        .map_init(Vec::new, |scratch, block| {
            Block::read(messages, evidence, (block, bits), &translated, scratch)
        })
        .collect();
    if cancel.load(Ordering::Relaxed) {
        return Vec::new();
    }
    let mut denials: Vec<Ordinal> = blocks.iter().flat_map(|block| block.denials.iter().copied()).collect();
    if messages.ordered.is_some() {
        denials.sort_unstable();
    }
    let answers: Vec<AtomicU32> = (0..messages.len()).into_par_iter().map(|_| AtomicU32::new(NONE)).collect();
    let found = matched(messages, evidence, &blocks, &answers);
    let briefs = blocks.into_iter().map(|block| block.briefs).collect();
    let briefs = Briefs { messages, blocks: briefs };
    let firsts = Firsts::find(&answers);
    // Each answer is read once, by its own query's transaction, which puts the query's tag in its place.
    let tags = answers;
    let tag = |position: Position, tag: u32| {
        if let Some(slot) = tags.get(position as usize) {
            slot.store(tag, Ordering::Relaxed);
        }
    };
    let unsettled: Vec<AtomicU64> = (0..firsts.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
    let late_after_ns = evidence.parameters.late_after_ns;
    let one = |block: &mut usize, id: usize| {
        let first = firsts.get(id, block).unwrap_or(NONE);
        let answer = tags.get(first as usize).map_or(UNANSWERED, |answer| answer.load(Ordering::Relaxed));
        let number = (id as u32) << ROLE_BITS;
        tag(first, number | Role::First as u32);
        if answer != UNANSWERED {
            tag(answer, number | Role::Answer as u32);
        }
        let transaction = transaction(&briefs, (first, answer), late_after_ns);
        if (transaction.outcome != Outcome::Answered || is_error_code(transaction.response_code))
            && let Some(word) = unsettled.get(id / 64)
        {
            word.fetch_or(1 << (id % 64), Ordering::Relaxed);
        }
        transaction
    };
    evidence.transactions = (0..firsts.len()).into_par_iter().map_init(|| 0, one).collect();
    drop((firsts, briefs));
    evidence.unsettled = unsettled.into_iter().map(AtomicU64::into_inner).collect();
    let number = |position: Position| {
        let tag = tags.get(position as usize).map_or(UNTAGGED, |tag| tag.load(Ordering::Relaxed));
        (tag != UNTAGGED).then_some(tag >> ROLE_BITS)
    };
    for position in &found.probable {
        let Some(id) = number(*position) else { continue };
        tag(*position, id << ROLE_BITS | Role::ProbableAnswer as u32);
    }
    let mut further = Vec::with_capacity(found.further.len());
    for one in &found.further {
        let Some(id) = number(one.first) else { continue };
        tag(one.position, id << ROLE_BITS | one.role as u32);
        further.push((TransactionId(id), *one));
    }
    let mut again: Vec<(TransactionId, TransactionId)> = found
        .again
        .iter()
        .filter_map(|(after, before)| Some((TransactionId(number(*before)?), TransactionId(number(*after)?))))
        .collect();
    again.sort_unstable();
    evidence.again = again;
    evidence.set_tags(messages, tags.into_iter().map(AtomicU32::into_inner).collect());
    let packet = |position| messages.at(position).map(|(row, _)| row.packet);
    for (kind, position, against) in found.odd {
        let Some(odd) = packet(position) else { continue };
        evidence.anomalies.push(Anomaly { kind, packet: odd, against: packet(against) });
    }
    evidence.place_questions();
    extend(messages, evidence, &further);
    if found.crowded {
        evidence.limits.push(format!(
            "Some flow repeats one DNS id with more than {CANDIDATES_MAX} different open questions; older ones were not compared."
        ));
    }
    strays::explain(messages, evidence, &found.strays);
    denials
}

/// The flows that questions had inside a translator, by flow and id outside.
type Translated = HashMap<(u64, u16), u64, foldhash::fast::FixedState>;

fn translated(messages: &Messages<'_>, evidence: &Evidence) -> Translated {
    let row = |id: PacketId| messages.index.packet(id).and_then(|packet| packet.dns().copied());
    let copies = evidence.duplicates().filter(|(.., kind)| *kind == CopyKind::Nat);
    let flows = copies.filter_map(|(copy, original, ..)| {
        let (outside, inside) = (row(copy)?, row(original)?);
        (!outside.is_response()).then_some(((outside.flow, outside.header.id), inside.flow))
    });
    flows.collect()
}

/// The messages of a block, sorted by share.
struct Block {
    entries: Vec<Entry>,
    /// Where each share begins, and the end.
    starts: Vec<u32>,
    /// All messages in the order of their positions.
    briefs: Option<Briefed>,
    /// Responses that deny names of whatever kind: gathered here because every pass over all messages has its price.
    denials: Vec<Ordinal>,
}

impl Block {
    fn read(
        messages: &Messages<'_>,
        evidence: &Evidence,
        (block, bits): (u32, u32),
        translated: &Translated,
        scratch: &mut Vec<Entry>,
    ) -> Self {
        let first = block * BLOCK;
        let range = first..first.saturating_add(BLOCK).min(messages.len());
        let mut starts = vec![0u32; (1 << bits) + 1];
        let mut denials = Vec::new();
        let mut briefs: Option<Briefed> = None;
        scratch.clear();
        for run in messages.runs(range) {
            for (row, position) in run.rows.iter().zip(run.first..) {
                // An answer that was seen outside a translator alone belongs to what was asked inside.
                let inside = row.is_response().then(|| translated.get(&(row.flow, row.header.id))).flatten();
                let mut seen_outside = *row;
                let row = inside.map_or(row, |flow| {
                    seen_outside.flow = *flow;
                    &seen_outside
                });
                briefs.get_or_insert_with(|| Briefed::new(run.segment, row)).push(run.segment, row);
                if absent::denies(row) {
                    denials.push(run.ordinal + (position - run.first));
                }
                let Some(entry) = Entry::of(run.segment, row, position, &messages.index.settings) else {
                    continue;
                };
                if evidence.is_duplicate(row.packet) {
                    continue;
                }
                if let Some(count) = starts.get_mut(entry.share(bits) + 1) {
                    *count += 1;
                }
                scratch.push(entry);
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut entries = scratch.clone();
        for entry in &*scratch {
            let Some(next) = next.get_mut(entry.share(bits)) else { continue };
            if let Some(slot) = entries.get_mut(*next as usize) {
                *slot = *entry;
            }
            *next += 1;
        }
        Self { entries, starts, briefs, denials }
    }

    fn share(&self, share: usize) -> &[Entry] {
        let range = self.starts.get(share).zip(self.starts.get(share + 1));
        let range = range.map(|(start, end)| *start as usize..*end as usize);
        range.and_then(|range| self.entries.get(range)).unwrap_or_default()
    }
}

/// Matches the shares side by side.
fn matched(messages: &Messages<'_>, evidence: &Evidence, blocks: &[Block], answers: &[AtomicU32]) -> Found {
    let shares = blocks.first().map_or(0, |block| block.starts.len() - 1);
    let all: Vec<Found> = (0..shares)
        .into_par_iter()
        .map_init(Room::default, |room, share| {
            let entries = blocks.iter().flat_map(|block| block.share(share)).copied();
            matching::share(messages, &evidence.parameters, (entries, room), answers)
        })
        .collect();
    let mut found = Found::default();
    for mut part in all {
        found.further.append(&mut part.further);
        found.probable.append(&mut part.probable);
        found.odd.append(&mut part.odd);
        found.again.append(&mut part.again);
        found.strays.append(&mut part.strays);
        found.crowded |= part.crowded;
    }
    found.further.par_sort_unstable_by_key(|further| further.position);
    found.odd.sort_unstable_by_key(|(_, position, _)| *position);
    found.strays.sort_unstable();
    found
}

/// The first queries in matching order.
struct Firsts {
    /// Their positions from the beginning of each block.
    blocks: Vec<Vec<u16>>,
    /// How many come before each block, and all of them.
    starts: Vec<usize>,
}

impl Firsts {
    /// Finds those that have an answer, or stand as unanswered.
    fn find(answers: &[AtomicU32]) -> Self {
        let find = |block: &[AtomicU32]| {
            let is_first = |answer: &&AtomicU32| answer.load(Ordering::Relaxed) != NONE;
            let mut firsts = Vec::with_capacity(block.iter().filter(is_first).count());
            firsts.extend(block.iter().zip(0u16..).filter(|(answer, _)| is_first(answer)).map(|(_, at)| at));
            firsts
        };
        let mut blocks: Vec<Vec<u16>> = answers.par_chunks(BLOCK as usize).map(find).collect();
        let mut starts = vec![0];
        let mut sum = 0usize;
        for (block, answers) in blocks.iter_mut().zip(answers.chunks(BLOCK as usize)) {
            // What cannot be numbered is left out.
            let room = TRANSACTIONS_MAX.saturating_sub(sum).min(block.len());
            for answer in block.drain(room..).filter_map(|at| answers.get(usize::from(at))) {
                answer.store(NONE, Ordering::Relaxed);
            }
            sum += block.len();
            starts.push(sum);
        }
        Self { blocks, starts }
    }

    fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The position of one of them; `block` is where the one before was found.
    fn get(&self, id: usize, block: &mut usize) -> Option<Position> {
        let holds = |block: usize| {
            let range = self.starts.get(block).zip(self.starts.get(block + 1));
            range.is_some_and(|(start, end)| (*start..*end).contains(&id))
        };
        if !holds(*block) {
            *block = self.starts.partition_point(|start| *start <= id).checked_sub(1)?;
        }
        let at = self.blocks.get(*block)?.get(id - self.starts.get(*block)?)?;
        Some(*block as Position * BLOCK + Position::from(*at))
    }
}

/// A transaction as its first query and its answer tell it; how it ended is settled where nothing else can change it.
fn transaction(
    briefs: &Briefs<'_>,
    (first, answer): (Position, Position),
    late_after_ns: Nanos,
) -> Transaction {
    let (query, asked_ns) = briefs.get(first).map_or((PacketId(0), 0), |brief| (brief.packet, brief.time_ns));
    let brief = if answer == UNANSWERED { None } else { briefs.get(answer) };
    let waited_ns =
        brief.map_or(0, |brief| briefs.messages.elapsed_ns((query, asked_ns), (brief.packet, brief.time_ns)));
    let (response_code, extended_error) = match brief {
        Some(brief) if brief.is_extended => {
            briefs.messages.at(answer).map_or((0, None), |(row, _)| ending(briefs.messages, row))
        }
        Some(brief) => (u16::from(brief.response_code), None),
        None => (0, None),
    };
    let outcome = match brief {
        Some(brief) if brief.is_truncated => Outcome::Truncated,
        Some(_) if waited_ns <= late_after_ns => Outcome::Answered,
        _ => Outcome::Undetermined,
    };
    Transaction {
        first: query,
        last: query,
        answer: brief.map(|brief| brief.packet),
        error: None,
        outcome,
        response_code,
        icmp: (0, 0),
        tries: 1,
        extended_error,
        name_lost: false,
        fell_back: false,
        declined: None,
        message: 0,
        waited_ns,
    }
}

/// The response code with its extended bits and the extended error of an answer (RFC 6891 §6.1.3; RFC 8914).
fn ending(messages: &Messages<'_>, row: &DnsRow) -> (u16, Option<u16>) {
    let low = u16::from(row.header.response_code());
    let message = dns::read(messages.bytes(row));
    let Some((message, extension)) = message.and_then(|m| Some((m, m.extension()?))) else {
        return (low, None);
    };
    let error = extension.extended_error(message.bytes).map(|(code, _)| code);
    (u16::from(extension.response_code_high) << 4 | low, error)
}

/// Adds tries and responses beyond the first.
fn extend(messages: &Messages<'_>, evidence: &mut Evidence, all: &[(TransactionId, Further)]) {
    let mut extras = Vec::with_capacity(all.len());
    for (id, further) in all {
        let Some((row, _)) = messages.at(further.position) else { continue };
        let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) else { continue };
        let (packet, role, delta_ns) = (row.packet, further.role, further.delta_ns);
        extras.push(Extra { transaction: *id, packet, role, delta_ns });
        if role == Role::Retry {
            transaction.last = row.packet;
            transaction.tries = transaction.tries.saturating_add(1);
        } else if let Some(answer) = transaction.answer
            && let Some(kind) = repeated(messages, answer, row)
        {
            evidence.anomalies.push(Anomaly { kind, packet: row.packet, against: Some(answer) });
        }
    }
    evidence.set_extras(extras);
}

/// What a response is to one that came before it; `None` where several belong together.
fn repeated(messages: &Messages<'_>, answer: PacketId, row: &DnsRow) -> Option<AnomalyKind> {
    if ZONE_TRANSFERS.contains(&row.qtype) || row.question == 0 {
        return None;
    }
    let first = messages.index.packet(answer).and_then(|packet| packet.dns());
    let equal = first.is_some_and(|first| messages.bytes(first) == messages.bytes(row));
    Some(if equal { AnomalyKind::DuplicateAnswer } else { AnomalyKind::ConflictingAnswer })
}

/// Marks answers that come later than any client waits.
pub(super) fn implausible(transaction: &Transaction, rtt_ns: Nanos, limit_ns: Nanos) -> Option<Anomaly> {
    let packet = transaction.answer.filter(|_| rtt_ns > limit_ns)?;
    Some(Anomaly { kind: AnomalyKind::ImplausiblyLateAnswer, packet, against: Some(transaction.last) })
}
