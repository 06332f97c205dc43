//! The answers clients had for names that failed later: what a cache may still hold.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use rayon::prelude::*;

use super::super::messages::Messages;
use super::super::{Episode, Evidence};
use super::ADDRESSES_MAX;
use crate::decode::Address;
use crate::index::names::name_hash;
use crate::index::segment::DnsKind;
use crate::index::{PacketId, Segment};
use crate::time::Nanos;

/// Answers kept for one client and name, the newest.
const ANSWERS_MAX: usize = 16;

type Fast = foldhash::fast::FixedState;

/// The answers of one client to one name.
#[derive(Default)]
struct Answers {
    /// When the last episode of that client and name began; later answers are no cache to it.
    until_ns: Nanos,
    newest: Vec<(Nanos, PacketId)>,
}

/// Answers by client and hash of the name.
#[derive(Default)]
pub(super) struct Earlier(HashMap<(Address, u64), Answers, Fast>);

/// The client and name an episode is about.
fn key(messages: &Messages<'_>, evidence: &Evidence, episode: &Episode) -> Option<(Address, u64)> {
    let transaction = evidence.transaction(*episode.transactions.first()?)?;
    let packet = messages.index.packet(transaction.first)?;
    let name = packet.segment.names.get(transaction.question(messages.index)?.name)?;
    Some((episode.client, name_hash(name)))
}

/// An answer to a client and name of some episode.
type Found = ((Address, u64), Nanos, PacketId);

impl Earlier {
    /// Reads all answers to the names and clients of the episodes, in one pass.
    pub fn new(messages: &Messages<'_>, evidence: &Evidence, episodes: &[Episode]) -> Self {
        let mut found = Self::default();
        let mut names: HashSet<u64, Fast> = HashSet::default();
        for episode in episodes {
            if let Some(key) = key(messages, evidence, episode) {
                names.insert(key.1);
                let answers = found.0.entry(key).or_default();
                answers.until_ns = answers.until_ns.max(episode.first_ns);
            }
        }
        if names.is_empty() {
            return found;
        }
        let until_ns = found.0.values().map(|answers| answers.until_ns).max().unwrap_or(Nanos::MIN);
        // No time of a segment lies further before its first one than any packet's before an earlier one.
        let fall_ns = messages.file_fall_ns;
        let is_near = |segment: &&Arc<Segment>| {
            segment.time_ns.first().is_some_and(|first_ns| first_ns.saturating_sub(fall_ns) < until_ns)
        };
        let shared = &found;
        let parts: Vec<Vec<Found>> = messages
            .index
            .segments()
            .par_iter()
            .filter(is_near)
            .map(|segment| shared.of_segment(messages, &names, segment))
            .collect();
        for (key, time_ns, packet) in parts.into_iter().flatten() {
            let Some(kept) = found.0.get_mut(&key) else { continue };
            if kept.newest.len() == ANSWERS_MAX {
                kept.newest.remove(0);
            }
            kept.newest.push((time_ns, packet));
        }
        found
    }

    fn of_segment(
        &self,
        messages: &Messages<'_>,
        names: &HashSet<u64, Fast>,
        segment: &Segment,
    ) -> Vec<Found> {
        let hashes = (0..segment.names.len() as u32).map(|at| {
            let hash = segment.names.get(at).map(name_hash);
            hash.filter(|hash| names.contains(hash))
        });
        let hashes: Vec<Option<u64>> = hashes.collect();
        if hashes.iter().all(Option::is_none) {
            return Vec::new();
        }
        let rows = segment.dns.iter().filter(|row| {
            let [_, answers, ..] = row.header.counts;
            row.is_response() && answers > 0 && row.kind == DnsKind::Dns
        });
        let answers = rows.filter_map(|row| {
            let hash = hashes.get(row.name as usize).copied().flatten()?;
            let packet = messages.index.packet(row.packet)?;
            let key = (packet.destination_address(), hash);
            let kept = self.0.get(&key)?;
            let time_ns = packet.time_ns();
            (time_ns < kept.until_ns).then_some((key, time_ns, row.packet))
        });
        answers.collect()
    }

    /// The addresses a client had for the name of an episode when it began.
    pub fn addresses(&self, messages: &Messages<'_>, evidence: &Evidence, episode: &Episode) -> Vec<IpAddr> {
        let answers = key(messages, evidence, episode).and_then(|key| self.0.get(&key));
        let answers = answers.map(|answers| answers.newest.as_slice()).unwrap_or_default();
        let mut found: Vec<IpAddr> = Vec::new();
        for (_, packet) in answers.iter().rev().filter(|(time_ns, _)| *time_ns < episode.first_ns) {
            for address in answered(messages, *packet) {
                if found.len() < ADDRESSES_MAX && !found.contains(&address) {
                    found.push(address);
                }
            }
        }
        found
    }
}

/// The addresses in the answer section of a response.
pub(super) fn answered(messages: &Messages<'_>, response: PacketId) -> Vec<IpAddr> {
    messages.index.packet(response).map_or_else(Vec::new, |packet| packet.answer_addresses())
}
