//! Queries that no server owes an answer: sent to everybody on a link, or sent with few hops to trace the path.

use std::collections::BTreeMap;

use super::messages::Messages;
use super::{Evidence, hosts};
use crate::decode::Address;
use crate::index::{Index, Packet, PacketId};

/// Hops a trace begins with 1 of, and that no system gives its own packets (RFC 1812 §5.3.1; traceroute stops at 30).
const TRACE_TTL_MAX: u8 = 30;
/// The bit of a trace's first packets, which have one hop.
const FIRST_HOP: u32 = 1 << 1;
/// Packets around an error that are searched for others of the same sender.
const LOOK_MAX: u32 = 4_096;

/// Why silence about a query is no failure, and an error about it neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// It went to a broadcast or multicast address (RFC 919; RFC 4291 §2.7).
    Group,
    /// It was sent to use up its hops.
    Trace,
}

impl Unserved {
    /// Why, in words that follow `because`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Group => "it went to a broadcast or multicast address, which is no server",
            Self::Trace => "it was sent with few hops to trace the path, not to be answered",
        }
    }
}

impl Evidence {
    /// Whether a query asks no server, and how.
    pub fn unserved(&self, query: PacketId) -> Option<Unserved> {
        let packet = self.index().packet(query)?;
        if self.is_probe(&packet) {
            return Some(Unserved::Trace);
        }
        is_to_group(&packet).then_some(Unserved::Group)
    }

    /// Whether a packet was sent with few hops by a host that traces a path.
    pub fn is_probe(&self, packet: &Packet<'_>) -> bool {
        (1..=TRACE_TTL_MAX).contains(&packet.ttl())
            && self.traces.binary_search(&(packet.source_address(), packet.destination_address())).is_ok()
    }
}

/// Whether a packet goes to everybody or to a group, by its address or by that of its frame.
pub(super) fn is_to_group(packet: &Packet<'_>) -> bool {
    let group = |mac: [u8; 6]| mac.first().is_some_and(|first| first & 1 != 0);
    hosts::is_multicast(packet.destination_address()) || {
        let decoded = packet.decode();
        decoded.link_addresses.is_some_and(|(_, to)| group(to))
    }
}

/// Whether an ICMP error says that the hops were used up.
fn is_hops_exceeded(error: &Packet<'_>) -> bool {
    let expected = if error.source_address().is_v6() { 3 } else { 11 };
    error.source_port() == expected && error.destination_port() == 0
}

/// Finds who traces the path to whom, and takes the errors that a trace wants off its queries.
pub(super) fn find_traces(messages: &Messages<'_>, evidence: &mut Evidence) {
    let index = messages.index;
    // The hops with which each pair's packets met their end, a bit each.
    let mut hops: BTreeMap<(Address, Address), (u32, PacketId)> = BTreeMap::new();
    let mut probes: Vec<(PacketId, PacketId)> = Vec::new();
    for link in evidence.error_links() {
        let Some(target) = link.to.and_then(|to| index.packet(to)) else { continue };
        let ttl = target.ttl();
        if !(1..=TRACE_TTL_MAX).contains(&ttl)
            || !index.packet(link.from).is_some_and(|error| is_hops_exceeded(&error))
        {
            continue;
        }
        if began_with_more(index, evidence, target.id) {
            continue;
        }
        let pair = (target.source_address(), target.destination_address());
        hops.entry(pair).or_insert((0, link.from)).0 |= 1 << ttl;
        probes.push((link.from, target.id));
    }
    // One number of hops alone may be a host's own setting; a trace that meets a single router begins with one hop.
    hops.retain(|(source, _), (ttls, error)| {
        ttls.count_ones() > 1 || *ttls == FIRST_HOP && sends_otherwise(index, *source, *error)
    });
    evidence.traces = hops.into_keys().collect();
    for (error, probe) in probes {
        let known = index.packet(probe).is_some_and(|packet| evidence.is_probe(&packet));
        let ids: Vec<_> = evidence.roles_of(probe).map(|(id, _)| id).filter(|_| known).collect();
        for id in ids {
            let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) else { continue };
            if transaction.error == Some(error) {
                (transaction.error, transaction.icmp) = (None, (0, 0));
                transaction.waited_ns = if transaction.answer.is_some() { transaction.waited_ns } else { 0 };
            }
        }
    }
}

/// Whether a query was first seen with more hops than a trace gives: a loop has used them up.
fn began_with_more(index: &Index, evidence: &Evidence, query: PacketId) -> bool {
    let firsts = evidence.roles_of(query).filter_map(|(id, _)| evidence.transaction(id));
    let mut firsts = firsts.filter_map(|transaction| index.packet(transaction.first));
    firsts.any(|first| first.ttl() > TRACE_TTL_MAX)
}

/// Whether packets of a host near an error begin with more hops than a trace's.
fn sends_otherwise(index: &Index, source: Address, error: PacketId) -> bool {
    let around = error.0.saturating_sub(LOOK_MAX)..error.0.saturating_add(LOOK_MAX);
    around
        .map_while(|id| index.packet(PacketId(id)))
        .any(|packet| packet.source_address() == source && packet.ttl() > TRACE_TTL_MAX)
}
