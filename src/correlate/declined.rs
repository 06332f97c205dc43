//! Tells refusals by servers that do their job from failed lookups: messages that look up no name, versions of EDNS that nobody
//! knows yet, and recursion that an authoritative server does not offer.

use std::collections::{HashMap, HashSet};

use super::attempts::zone_hash;
use super::episodes::is_error_code;
use super::evidence::set_in;
use super::hosts::initial;
use super::messages::Messages;
use super::{Evidence, Outcome, Transaction};
use crate::decode::{Address, dns};
use crate::index::{Index, Packet};

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;
type Set<K> = HashSet<K, foldhash::fast::FixedState>;

/// SERVFAIL (RFC 1035 §4.1.1): the server would, and could not.
const SERVFAIL: u16 = 2;
/// REFUSED (RFC 1035 §4.1.1).
const REFUSED: u16 = 5;
/// NOTIMP (RFC 1035 §4.1.1), REFUSED and NOTAUTH (RFC 2136 §2.2): how zone transfers are denied.
const DENIALS: [u16; 3] = [4, REFUSED, 9];
/// IXFR and AXFR (RFC 1995, RFC 5936).
const TRANSFERS: [u16; 2] = [251, 252];
/// BADVERS (RFC 6891 §6.1.3).
const WRONG_VERSION: u16 = 16;
/// Class CH, in which servers tell name and version (RFC 4892).
const CHAOS: u16 = 3;

/// A client that got so many authoritative answers for one refusal asks the server for its zones, not as its resolver.
const SERVED_FOR_ONE: usize = 4;

/// Why an error code is no failed lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Declined {
    /// It answers a message of another opcode than QUERY (RFC 1996, RFC 2136, RFC 8490).
    Message,
    /// It answers a question about the server itself.
    Identity,
    /// It denies a zone transfer.
    Transfer,
    /// It answers a version of EDNS above the one the server knows with that one (RFC 6891 §6.1.3).
    Version,
    /// It comes from a server that is authoritative for other zones and recurses for nobody.
    Recursion,
}

/// What one server's answers say of it.
#[derive(Default)]
struct Server {
    recurses: bool,
    /// Zones it gave authoritative answers for, and to whom it gave them.
    zones: Set<u64>,
    /// How many such answers each client got.
    clients: Map<Address, usize>,
}

/// A refused question that asked for recursion.
struct Refused {
    at: usize,
    client: Address,
    server: Address,
    zone: u64,
    /// The server is on the link of the capture, and the client is not: what else the client did cannot be seen here.
    is_from_afar: bool,
}

/// Marks the answered transactions whose error code declines no lookup.
pub(super) fn mark(messages: &Messages<'_>, evidence: &mut Evidence) {
    let coded = |transaction: &Transaction| {
        transaction.outcome == Outcome::Answered && is_error_code(transaction.response_code)
    };
    let mut declined: Vec<(usize, Declined)> = Vec::new();
    let mut refused: Vec<Refused> = Vec::new();
    for at in set_in(&evidence.unsettled, 0).map(|at| at as usize) {
        let Some(transaction) = evidence.transactions.get(at).filter(|own| coded(own)) else { continue };
        match by_message(messages.index, transaction) {
            Some(why) => declined.push((at, why)),
            None => refused.extend(refusal(messages.index, at, transaction)),
        }
    }
    let servers = look_at(messages.index, evidence, &refused);
    let mut of_client: Map<(Address, Address), usize> = Map::default();
    for own in &refused {
        *of_client.entry((own.client, own.server)).or_default() += 1;
    }
    let is_declined = |own: &&Refused| {
        servers.get(&own.server).is_some_and(|server| {
            let answered = server.clients.get(&own.client).copied().unwrap_or(0);
            let refused = of_client.get(&(own.client, own.server)).copied().unwrap_or(0);
            let known = own.is_from_afar || answered >= refused * SERVED_FOR_ONE;
            known && !server.recurses && !server.zones.is_empty() && !server.zones.contains(&own.zone)
        })
    };
    declined.extend(refused.iter().filter(is_declined).map(|own| (own.at, Declined::Recursion)));
    for (at, why) in declined {
        if let Some(transaction) = evidence.transactions.get_mut(at) {
            transaction.declined = Some(why);
        }
    }
}

/// What the message that was refused tells by itself.
fn by_message(index: &Index, transaction: &Transaction) -> Option<Declined> {
    let row = transaction.question(index)?;
    match transaction.response_code {
        code if row.header.opcode() != 0 => (code != SERVFAIL).then_some(Declined::Message),
        _ if row.qclass == CHAOS => Some(Declined::Identity),
        WRONG_VERSION => {
            let query = index.packet(transaction.first).filter(|packet| !packet.is_text())?;
            let asked = dns::read(query.message(row))?.extension()?;
            (asked.version > 0).then_some(Declined::Version)
        }
        code if TRANSFERS.contains(&row.qtype) => DENIALS.contains(&code).then_some(Declined::Transfer),
        _ => None,
    }
}

/// A question for recursion that was refused by a server that says it offers none.
fn refusal(index: &Index, at: usize, transaction: &Transaction) -> Option<Refused> {
    let query = index.packet(transaction.first)?;
    let answer = index.packet(transaction.answer?)?;
    let row = transaction.question(index)?;
    let offers = answer.dns().is_none_or(|row| row.header.recursion_available());
    let wanted = transaction.response_code == REFUSED && row.header.recursion_desired() && !offers;
    let is_new = |packet: &Packet<'_>| initial(packet.ttl()) == Some(packet.ttl());
    wanted.then(|| Refused {
        at,
        client: query.source_address(),
        server: query.destination_address(),
        zone: query.segment.names.get(row.name).map_or(0, zone_hash),
        is_from_afar: is_new(&answer) && !is_new(&query),
    })
}

/// What the servers that refused otherwise answered, to anyone.
fn look_at(index: &Index, evidence: &Evidence, refused: &[Refused]) -> Map<Address, Server> {
    let mut servers: Map<Address, Server> =
        refused.iter().map(|own| (own.server, Server::default())).collect();
    if servers.is_empty() {
        return servers;
    }
    for transaction in evidence.transactions.iter().filter(|own| own.outcome == Outcome::Answered) {
        let Some(query) = index.packet(transaction.first) else { continue };
        let Some(server) = servers.get_mut(&query.destination_address()) else { continue };
        let answer = transaction.answer.and_then(|answer| index.packet(answer));
        let Some(header) = answer.and_then(|answer| answer.dns().map(|row| row.header)) else { continue };
        server.recurses |= header.recursion_available();
        if header.is_authoritative() && !is_error_code(transaction.response_code) {
            let name = transaction.question(index).and_then(|row| query.segment.names.get(row.name));
            server.zones.extend(name.map(zone_hash));
            *server.clients.entry(query.source_address()).or_default() += 1;
        }
    }
    servers
}
