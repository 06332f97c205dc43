//! Pairs DNS queries with their retries and responses (RFC 5452 §9.1: same addresses, ports, id and question).
//!
//! Messages are noted in blocks, each block is sorted by share (a part of all flows and ids), every share is matched
//! on its own, and the blocks are put back in order; blocks and shares are worked on side by side.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::evidence::{Extra, Role, TRANSACTIONS_MAX};
use super::matching::{self, CANDIDATES_MAX, Entry, Found, Further, Room, UNPLACED};
use super::messages::{Messages, NONE, Position};
use super::{Anomaly, Evidence, Outcome, Transaction, TransactionId, strays};
use crate::decode::dns;
use crate::index::{DnsRow, PacketId};
use crate::time::Nanos;

/// Messages of a block: with their entries they fit the second cache.
const BLOCK: usize = 1 << 15;
/// Messages a share should have, so that its table fits the second cache.
const SHARE: usize = 1 << 14;
/// Shares at most, as a power of two.
const SHARE_BITS_MAX: u32 = 10;
/// QTYPE of zone transfers, whose answer is a sequence of messages (RFC 5936 §2.2; RFC 1995 §4).
const ZONE_TRANSFERS: [u16; 2] = [251, 252];

/// Makes the transactions of all unicast DNS messages.
pub(super) fn join(messages: &Messages<'_>, evidence: &mut Evidence, cancel: &AtomicBool) {
    let mut entries: Vec<Entry> = (0..messages.len())
        .into_par_iter()
        .map(|position| match messages.at(position) {
            Some((row, time_ns)) => Entry::of(row, time_ns, position, evidence.is_duplicate(row.packet)),
            None => Entry { position, ..Entry::default() },
        })
        .collect();
    if cancel.load(Ordering::Relaxed) {
        return;
    }
    let bits = (entries.len() / SHARE).next_power_of_two().trailing_zeros().min(SHARE_BITS_MAX);
    let found = matched(messages, evidence, &mut entries, bits);
    let firsts = numbered(&mut entries);
    evidence.set_tags(messages, tags(&entries));
    let number = |first: Position| {
        let tag = entries.get(first as usize).map_or(UNPLACED, |entry| entry.key);
        (tag != UNPLACED).then_some(TransactionId((tag >> super::evidence::ROLE_BITS) as u32))
    };
    let further: Vec<(TransactionId, Further)> =
        found.further.iter().filter_map(|further| Some((number(further.first)?, *further))).collect();
    drop(entries);
    evidence.transactions =
        firsts.par_iter().map(|(first, answer)| transaction(messages, *first, *answer)).collect();
    let packet = |position| messages.at(position).map(|(row, _)| row.packet);
    for (kind, position, against) in found.odd {
        let Some(odd) = packet(position) else { continue };
        evidence.anomalies.push(Anomaly { kind, packet: odd, against: packet(against) });
    }
    extend(messages, evidence, &further);
    if found.crowded {
        evidence.notes.push(format!(
            "Some flow repeats one DNS id with more than {CANDIDATES_MAX} different open questions; older ones were not compared."
        ));
    }
    strays::explain(messages, evidence, &found.strays);
}

/// Sorts the blocks by share, matches the shares, and puts the blocks back in order.
fn matched(messages: &Messages<'_>, evidence: &Evidence, entries: &mut [Entry], bits: u32) -> Found {
    let starts: Vec<Vec<u32>> = entries
        .par_chunks_mut(BLOCK)
        .map_init(Vec::new, |scratch, block| sort_by_share(block, scratch, bits))
        .collect();
    let mut shares: Vec<Vec<&mut [Entry]>> = (0..1usize << bits).map(|_| Vec::new()).collect();
    for (mut block, starts) in entries.chunks_mut(BLOCK).zip(&starts) {
        for (share, pair) in shares.iter_mut().zip(starts.windows(2)) {
            let length = pair.last().zip(pair.first()).map_or(0, |(end, start)| end - start);
            let Some((run, rest)) = block.split_at_mut_checked(length as usize) else { break };
            block = rest;
            if !run.is_empty() {
                share.push(run);
            }
        }
    }
    let all: Vec<Found> = shares
        .par_iter_mut()
        .map_init(Room::default, |room, runs| matching::share(messages, &evidence.parameters, runs, room))
        .collect();
    entries.par_chunks_mut(BLOCK).for_each_init(Vec::new, |scratch, block| sort_by_position(block, scratch));
    let mut found = Found::default();
    for mut part in all {
        found.further.append(&mut part.further);
        found.odd.append(&mut part.odd);
        found.strays.append(&mut part.strays);
        found.crowded |= part.crowded;
    }
    found.further.sort_unstable_by_key(|further| further.position);
    found.odd.sort_unstable_by_key(|(_, position, _)| *position);
    found.strays.sort_unstable();
    found
}

/// Sorts a block by share, keeping the order within each; gives where each share begins, and the end.
fn sort_by_share(block: &mut [Entry], scratch: &mut Vec<Entry>, bits: u32) -> Vec<u32> {
    let mut starts = vec![0u32; (1 << bits) + 1];
    for entry in &*block {
        if let Some(count) = starts.get_mut(entry.share(bits) + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    scratch.clear();
    scratch.extend_from_slice(block);
    let mut next = starts.clone();
    for entry in &*scratch {
        let Some(next) = next.get_mut(entry.share(bits)) else { continue };
        if let Some(slot) = block.get_mut(*next as usize) {
            *slot = *entry;
        }
        *next += 1;
    }
    starts
}

fn sort_by_position(block: &mut [Entry], scratch: &mut Vec<Entry>) {
    scratch.clear();
    scratch.extend_from_slice(block);
    let first = scratch.iter().map(|entry| entry.position).min().unwrap_or(0);
    for entry in &*scratch {
        if let Some(slot) = block.get_mut((entry.position - first) as usize) {
            *slot = *entry;
        }
    }
}

/// Numbers the first queries in matching order; gives each one's position and that of its answer.
fn numbered(entries: &mut [Entry]) -> Vec<(Position, Position)> {
    let counts: Vec<usize> = entries
        .par_chunks(BLOCK)
        .map(|block| block.iter().filter(|entry| entry.key == Role::First as u64).count())
        .collect();
    let before = counts.iter().scan(0, |sum, count| {
        let before = *sum;
        *sum += count;
        Some(before)
    });
    let before: Vec<usize> = before.collect();
    let blocks: Vec<Vec<(Position, Position)>> = entries
        .par_chunks_mut(BLOCK)
        .zip(before)
        .map(|(block, before)| {
            let mut firsts = Vec::new();
            for entry in block.iter_mut().filter(|entry| entry.key == Role::First as u64) {
                let id = before + firsts.len();
                if id >= TRANSACTIONS_MAX {
                    entry.key = UNPLACED;
                    continue;
                }
                firsts.push((entry.position, entry.question));
                // First is role 0, so that the tag of a first query is its number alone.
                entry.key = (id as u64) << super::evidence::ROLE_BITS;
            }
            firsts
        })
        .collect();
    let mut firsts = Vec::with_capacity(blocks.iter().map(Vec::len).sum());
    for block in blocks {
        firsts.extend(block);
    }
    firsts
}

/// The transaction and role of every message, by position.
fn tags(entries: &[Entry]) -> Vec<u32> {
    let tag = |entry: &Entry| {
        if entry.key == UNPLACED {
            return NONE;
        }
        let of_first = |first: &Entry| if first.key == UNPLACED { NONE } else { first.key as u32 };
        let role = Role::OTHERS.into_iter().find(|role| *role as u64 == entry.key && entry.question != NONE);
        match role {
            Some(role) => {
                let first = entries.get(entry.question as usize).map_or(NONE, of_first);
                if first == NONE { NONE } else { first | role as u32 }
            }
            None => entry.key as u32,
        }
    };
    entries.par_iter().map(tag).collect()
}

/// A transaction as its first query and its answer tell it.
fn transaction(messages: &Messages<'_>, first: Position, answer: Position) -> Transaction {
    let (query, asked_ns) =
        messages.at(first).map_or((PacketId(0), 0), |(row, time_ns)| (row.packet, time_ns));
    let answer = if answer == NONE { None } else { messages.at(answer) };
    let truncated = answer.is_some_and(|(row, _)| row.header.is_truncated());
    let waited_ns = answer.map_or(0, |(_, time_ns)| time_ns - asked_ns);
    let (response_code, extended_error) = answer.map_or((0, None), |(row, _)| ending(messages, row));
    Transaction {
        first: query,
        last: query,
        answer: answer.map(|(row, _)| row.packet),
        error: None,
        outcome: if truncated { Outcome::Truncated } else { Outcome::Undetermined },
        response_code,
        icmp: (0, 0),
        tries: 1,
        extended_error,
        name_lost: false,
        rtt_ns: waited_ns,
        waited_ns,
    }
}

/// The response code with its extended bits and the extended error of an answer (RFC 6891 §6.1.3; RFC 8914).
fn ending(messages: &Messages<'_>, row: &DnsRow) -> (u16, Option<u16>) {
    let low = u16::from(row.header.response_code());
    if !row.is_extended() {
        return (low, None);
    }
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
        let Some((row, time_ns)) = messages.at(further.position) else { continue };
        let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) else { continue };
        let (packet, role, delta_ns) = (row.packet, further.role, further.delta_ns);
        extras.push(Extra { transaction: *id, packet, role, delta_ns });
        if role == Role::Retry {
            transaction.last = row.packet;
            transaction.tries = transaction.tries.saturating_add(1);
            if let Some(answer) = transaction.answer {
                transaction.rtt_ns = messages.time_ns(answer) - time_ns;
            }
        } else if let Some(answer) = transaction.answer
            && let Some(kind) = repeated(messages, answer, row)
        {
            evidence.anomalies.push(Anomaly { kind, packet: row.packet, against: Some(answer) });
        }
    }
    evidence.set_extras(extras);
}

/// What a response is to one that came before it; `None` where several belong together.
fn repeated(messages: &Messages<'_>, answer: PacketId, row: &DnsRow) -> Option<&'static str> {
    if ZONE_TRANSFERS.contains(&row.qtype) || row.question == 0 {
        return None;
    }
    let first = messages.index.packet(answer).and_then(|packet| packet.dns());
    let equal = first.is_some_and(|first| messages.bytes(first) == messages.bytes(row));
    Some(if equal { "duplicate_answer" } else { "conflicting_answer" })
}

/// Marks answers that come later than any client waits.
pub(super) fn implausible(transaction: &Transaction, limit_ns: Nanos) -> Option<Anomaly> {
    let packet = transaction.answer.filter(|_| transaction.rtt_ns > limit_ns)?;
    Some(Anomaly { kind: "implausibly_late_answer", packet, against: Some(transaction.last) })
}
