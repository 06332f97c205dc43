//! The answers clients had for names that failed later: what a cache may still hold.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::super::messages::Messages;
use super::super::{Episode, Evidence};
use super::ADDRESSES_MAX;
use crate::decode::Address;
use crate::index::PacketId;
use crate::index::segment::DnsKind;
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

/// Answers by client and name in wire form.
#[derive(Default)]
pub(super) struct Earlier(HashMap<(Address, Vec<u8>), Answers, Fast>);

/// The name an episode is about, in wire form.
fn wire<'i>(messages: &Messages<'i>, evidence: &Evidence, episode: &Episode) -> Option<&'i [u8]> {
    let first = evidence.transaction(*episode.transactions.first()?)?.first;
    let packet = messages.index.packet(first)?;
    packet.segment.names.get(packet.dns()?.name)
}

impl Earlier {
    /// Reads all answers to the names and clients of the episodes, in one pass.
    pub fn new(messages: &Messages<'_>, evidence: &Evidence, episodes: &[Episode]) -> Self {
        let mut found = Self::default();
        let mut names: HashSet<&[u8], Fast> = HashSet::default();
        for episode in episodes {
            if let Some(name) = wire(messages, evidence, episode) {
                names.insert(name);
                let answers = found.0.entry((episode.client, name.to_vec())).or_default();
                answers.until_ns = answers.until_ns.max(episode.first_ns);
            }
        }
        for segment in messages.index.segments() {
            if names.is_empty() || segment.dns.is_empty() {
                continue;
            }
            let wanted = |at: u32| segment.names.get(at).is_some_and(|name| names.contains(name));
            let wanted: Vec<bool> = (0..segment.names.len() as u32).map(wanted).collect();
            if !wanted.contains(&true) {
                continue;
            }
            let answers = segment.dns.iter().filter(|row| {
                let [_, answers, ..] = row.header.counts;
                row.is_response()
                    && answers > 0
                    && row.kind == DnsKind::Dns
                    && wanted.get(row.name as usize).copied().unwrap_or(false)
            });
            for row in answers {
                let Some(packet) = messages.index.packet(row.packet) else { continue };
                let name = segment.names.get(row.name).unwrap_or_default().to_vec();
                let Some(kept) = found.0.get_mut(&(packet.destination_address(), name)) else { continue };
                let time_ns = packet.time_ns();
                if time_ns >= kept.until_ns {
                    continue;
                }
                if kept.newest.len() == ANSWERS_MAX {
                    kept.newest.remove(0);
                }
                kept.newest.push((time_ns, row.packet));
            }
        }
        found
    }

    /// The addresses a client had for the name of an episode when it began.
    pub fn addresses(&self, messages: &Messages<'_>, evidence: &Evidence, episode: &Episode) -> Vec<IpAddr> {
        let key = wire(messages, evidence, episode).map(|name| (episode.client, name.to_vec()));
        let answers = key.and_then(|key| self.0.get(&key)).map(|answers| answers.newest.as_slice());
        let mut found: Vec<IpAddr> = Vec::new();
        let answers = answers.unwrap_or_default();
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
