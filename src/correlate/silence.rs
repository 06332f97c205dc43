//! Decides when silence counts: whether the client itself shows that it got nothing, and whether an answer would have been seen
//! here (truth T7, T8 and the table of §8).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU8, Ordering};

use rayon::prelude::*;

use super::evidence::set_in;
use super::hosts::Place;
use super::messages::Messages;
use super::{Evidence, Outcome, Transaction};
use crate::decode::Address;
use crate::index::{DnsRow, Index, Packet, Segment};
use crate::settings::Settings;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Who asks whom over which IP protocol.
type Pair = (Address, Address, u8);

/// Attempts at a server that answers nobody from which silence is no chance.
const ATTEMPTS_MIN: u32 = 2;

/// What is known of a client whose questions were left in silence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// Something that was sent to it is in the capture: an answer would be as well.
    Returns,
    /// Nothing is, but the capture was taken at the client: an answer that came would be in it.
    Own,
    /// Nothing is, and the capture was taken elsewhere.
    OneWay,
}

/// What decides whether the silence of unanswered questions counts.
#[derive(Default)]
pub(super) struct Silence {
    clients: Map<Address, View>,
    /// Silent questions of pairs to whose client nothing was sent.
    attempts: Map<Pair, u32>,
    /// Only one direction was captured, and not at a client: silence means nothing but for repeats.
    pub one_sided: bool,
}

fn ends(query: &Packet<'_>) -> Pair {
    (query.source_address(), query.destination_address(), query.transport())
}

fn is_silent(transaction: &Transaction) -> bool {
    transaction.answer.is_none() && transaction.error.is_none()
}

impl Silence {
    /// Looks at the clients of all silent questions.
    pub fn look(messages: &Messages<'_>, evidence: &Evidence) -> Self {
        if evidence.transactions.is_empty() {
            let one_sided = messages.len() > 0 && messages.index.dns_rows().all(DnsRow::is_response);
            return Self { one_sided, ..Self::default() };
        }
        let silent = || {
            let open = set_in(&evidence.unsettled, 0).filter_map(|at| evidence.transactions.get(at as usize));
            open.filter(|transaction| is_silent(transaction))
        };
        let packet = |transaction: &Transaction| messages.index.packet(transaction.first);
        let clients: Map<Address, AtomicU8> =
            silent().filter_map(packet).map(|query| (query.source_address(), AtomicU8::new(0))).collect();
        messages
            .index
            .segments()
            .par_iter()
            .for_each(|segment| returns(segment, &messages.index.settings, &clients));
        let mut found = Self::default();
        for (client, sent) in clients {
            let view = match sent.into_inner() {
                sent if sent & ANYTHING != 0 => View::Returns,
                // It is asked itself and nothing else reaches it: a capture filter by destination port leaves the rest out.
                QUERIES => View::OneWay,
                _ if matches!(evidence.place(client), Place::Here | Place::Link) => View::Own,
                _ => View::OneWay,
            };
            found.clients.insert(client, view);
        }
        if found.clients.values().all(|view| *view == View::Returns) {
            return found;
        }
        // Who acknowledges over TCP what is not there was answered where this capture does not look.
        let unheard: BTreeSet<Address> =
            found.clients.iter().filter(|(_, view)| **view == View::Own).map(|(client, _)| *client).collect();
        if !unheard.is_empty() && acknowledges(messages.index, &unheard) {
            for view in found.clients.values_mut().filter(|view| **view == View::Own) {
                *view = View::OneWay;
            }
        }
        // Where another host of the link is sent things, and this one nothing at all, its queries were flooded to the capture point
        // and answers were not.
        let near = |client: &Address| evidence.place(*client) == Place::Link;
        let link = |client: Address| evidence.surroundings().sight(client).and_then(|sight| sight.link);
        let reached: Vec<Option<[u8; 6]>> = found
            .clients
            .iter()
            .filter(|(client, view)| **view == View::Returns && (near(client) || is_here(evidence, **client)))
            .map(|(client, _)| link(*client))
            .collect();
        for (client, view) in found.clients.iter_mut().filter(|(_, view)| **view == View::Own) {
            let own = link(*client);
            if near(client) && reached.iter().any(|other| other.is_some() && *other != own) {
                *view = View::OneWay;
            }
        }
        for transaction in silent() {
            let Some(query) = packet(transaction) else { continue };
            // A copy further on shows that the query passed here and was not sent from here.
            if evidence.copied_as(transaction.first).is_some()
                && let Some(view) =
                    found.clients.get_mut(&query.source_address()).filter(|view| **view == View::Own)
            {
                *view = View::OneWay;
            }
            if found.clients.get(&query.source_address()) != Some(&View::Returns) {
                *found.attempts.entry(ends(&query)).or_default() += 1;
            }
        }
        let all = || evidence.transactions.iter();
        found.one_sided = all().all(is_silent) && found.clients.values().all(|view| *view == View::OneWay);
        found
    }

    /// How a question without answer or error ended.
    pub fn outcome(
        &self,
        messages: &Messages<'_>,
        evidence: &Evidence,
        transaction: &Transaction,
    ) -> Outcome {
        let parameters = &evidence.parameters;
        let (first_ns, last_ns) = (messages.time_ns(transaction.first), messages.time_ns(transaction.last));
        let repeated = transaction.tries > 1 && last_ns - first_ns >= parameters.repeat_min_ns;
        let watched = evidence.watched_after(last_ns) >= parameters.watch_ns;
        let query = messages.index.packet(transaction.first);
        let pair = query.map(|query| ends(&query));
        let view = pair.and_then(|(client, ..)| self.clients.get(&client)).copied();
        let attempts = pair.and_then(|pair| self.attempts.get(&pair)).copied().unwrap_or_default();
        let counts = repeated
            || match view.unwrap_or(View::Returns) {
                View::Returns => watched,
                View::Own => watched && attempts >= ATTEMPTS_MIN,
                View::OneWay => false,
            };
        if counts { Outcome::NoAnswer } else { Outcome::Undetermined }
    }
}

fn is_here(evidence: &Evidence, client: Address) -> bool {
    evidence.place(client) == Place::Here
}

/// Whether one of these hosts, to which nothing was sent in the capture, acknowledges over TCP.
fn acknowledges(index: &Index, hosts: &BTreeSet<Address>) -> bool {
    index.segments().iter().any(|segment| {
        let ours: Vec<bool> = segment.addresses.iter().map(|address| hosts.contains(address)).collect();
        let own = |row: usize| {
            let from = segment.source_address.get(row).and_then(|from| ours.get(*from as usize));
            from == Some(&true) && segment.transport.get(row) == Some(&6)
        };
        let flags = segment.tcp_flags.iter().enumerate();
        flags.into_iter().any(|(row, bits)| bits & (ACK | SYN | RST) == ACK && own(row))
    })
}

/// TCP flags (RFC 9293 §3.1).
const SYN: u8 = 2;
/// See [`SYN`].
const RST: u8 = 4;
/// See [`SYN`].
const ACK: u8 = 16;

/// Queries were sent to a client; anything else was.
const QUERIES: u8 = 1;
const ANYTHING: u8 = 2;

/// Marks the clients something was sent to. A host that asks may be asked itself: queries to it show only the direction that is
/// captured anyway.
fn returns(segment: &Segment, settings: &Settings, clients: &Map<Address, AtomicU8>) {
    let open =
        |address: &Address| clients.get(address).filter(|sent| sent.load(Ordering::Relaxed) & ANYTHING == 0);
    let mut wanted: Vec<Option<&AtomicU8>> = segment.addresses.iter().map(open).collect();
    let mut left = wanted.iter().flatten().count();
    let ends = segment.destination_address.iter().zip(&segment.source_address);
    for ((to, from), port) in ends.zip(&segment.destination_port) {
        if left == 0 {
            return;
        }
        if from == to {
            continue;
        }
        let Some(slot) = wanted.get_mut(*to as usize) else { continue };
        let Some(sent) = *slot else { continue };
        if settings.is_dns_port(*port) {
            sent.fetch_or(QUERIES, Ordering::Relaxed);
        } else {
            sent.fetch_or(ANYTHING, Ordering::Relaxed);
            *slot = None;
            left -= 1;
        }
    }
}
