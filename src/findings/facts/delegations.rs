//! Referrals seen in the capture, and servers that do not serve what a referral hands them (lame, RFC 9499 §7).

use std::collections::BTreeMap;

use super::records::{self, Data, Place, Record};
use super::{Facts, asked};
use crate::correlate::Transaction;
use crate::decode::Address;
use crate::findings::zones;
use crate::index::PacketId;
use crate::protocols::dns::response_code_name;

/// Iterative queries looked at.
const QUERIES_MAX: usize = 100_000;
/// Delegations remembered per address.
const ZONES_MAX: usize = 256;
/// Addresses and names of servers remembered.
const SERVERS_MAX: usize = 16_384;

/// How a server shows that it does not serve a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// It answers with an error code (SERVFAIL, REFUSED, NOTAUTH).
    Code(u16),
    /// It refers back to the zone itself, or to one above it.
    Upward,
    /// It answers without being authoritative.
    NotAuthoritative,
}

impl How {
    /// What it did, to follow the server's address.
    pub fn words(self) -> String {
        match self {
            Self::Code(code) => format!("answered {}", response_code_name(code)),
            Self::Upward => "referred back to the zone itself or to one above it".to_owned(),
            Self::NotAuthoritative => "answered without being authoritative".to_owned(),
        }
    }
}

/// An answer that does not serve the zone it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Lame<'i> {
    /// Who was asked.
    pub server: Address,
    /// The lookup.
    pub transaction: &'i Transaction,
    /// Its answer.
    pub answer: PacketId,
    /// What the answer did.
    pub how: How,
    /// The referral that names the server for a zone of this name; `None` when none was captured.
    pub referral: Option<PacketId>,
}

/// A referral to one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The zone it is for.
    pub zone: String,
    /// The answer that refers.
    pub referral: PacketId,
}

/// The referrals in view, by the address they name.
pub type Delegations = BTreeMap<Address, Vec<Delegation>>;

/// An iterative lookup (asked without recursion desired, as resolvers ask a zone's own servers) and its answer.
struct Asked<'i> {
    transaction: &'i Transaction,
    answer: PacketId,
    server: Address,
    name: String,
    authoritative: bool,
    records: Vec<Record>,
}

/// Finds the referrals, and the answers of servers that do not serve the zone they were asked for.
pub(super) fn find<'i>(facts: &Facts<'i>) -> (Delegations, Vec<Lame<'i>>) {
    let asked = iterative(facts);
    let delegated = delegations(&asked);
    let lame = asked
        .iter()
        .filter_map(|lookup| {
            let known = delegated.get(&lookup.server).map(Vec::as_slice).unwrap_or_default();
            let named = known.iter().rev().find(|delegation| zones::is_below(&lookup.name, &delegation.zone));
            let how = how(lookup, named.map(|delegation| delegation.zone.as_str()))?;
            let referral = named.map(|delegation| delegation.referral);
            let (server, answer) = (lookup.server, lookup.answer);
            Some(Lame { server, transaction: lookup.transaction, answer, how, referral })
        })
        .collect();
    (delegated, lame)
}

fn iterative<'i>(facts: &Facts<'i>) -> Vec<Asked<'i>> {
    let mut asked = Vec::new();
    let input = facts.input();
    for lookup in asked::all(&input).filter(|lookup| !lookup.row.header.recursion_desired()).take(QUERIES_MAX)
    {
        let transaction = lookup.transaction;
        let Some(answer) = transaction.answer else { continue };
        let Some(packet) = facts.index.packet(answer) else { continue };
        let Some(row) = packet.dns() else { continue };
        asked.push(Asked {
            transaction,
            answer,
            server: lookup.server.0,
            name: facts.name_of(transaction.first).unwrap_or_default(),
            authoritative: row.header.is_authoritative(),
            records: records::of(&packet, row),
        });
    }
    asked
}

impl Asked<'_> {
    /// The zones its authority section refers to, with the servers' names.
    fn referrals(&self) -> impl Iterator<Item = (&str, &str)> {
        let refers = self.transaction.response_code == 0
            && !self.authoritative
            && self.records.iter().all(|record| record.place != Place::Answer);
        self.records.iter().filter(move |record| refers && record.place == Place::Authority).filter_map(
            |record| match &record.data {
                Data::Server(server) => Some((record.owner.as_str(), server.as_str())),
                _ => None,
            },
        )
    }
}

/// Which addresses referrals name for which zones: by glue, or by an answer with the server's address.
fn delegations(asked: &[Asked<'_>]) -> Delegations {
    let mut addresses: BTreeMap<&str, Vec<Address>> = BTreeMap::new();
    for record in asked.iter().flat_map(|lookup| &lookup.records) {
        if let Data::Address(address) = record.data
            && (addresses.len() < SERVERS_MAX || addresses.contains_key(record.owner.as_str()))
        {
            let known = addresses.entry(record.owner.as_str()).or_default();
            if known.len() < ZONES_MAX && !known.contains(&address) {
                known.push(address);
            }
        }
    }
    let mut delegated = Delegations::new();
    for lookup in asked {
        for (zone, server) in lookup.referrals() {
            for address in addresses.get(server).into_iter().flatten() {
                let known = delegated.entry(*address).or_default();
                // A server that names itself again has not been handed the zone by that.
                let own = *address == lookup.server;
                if !own && known.len() < ZONES_MAX && known.iter().all(|d| d.zone != zone) {
                    known.push(Delegation { zone: zone.to_owned(), referral: lookup.answer });
                }
            }
        }
    }
    delegated
}

/// How an answer shows that its server does not serve the zone, if it does.
fn how(lookup: &Asked<'_>, zone: Option<&str>) -> Option<How> {
    let code = lookup.transaction.response_code;
    if matches!(code, 2 | 5 | 9) {
        return Some(How::Code(code));
    }
    if !matches!(code, 0 | 3) || lookup.authoritative {
        return None;
    }
    let mut referrals = lookup.referrals().peekable();
    if referrals.peek().is_some() {
        // A referral leads down to a part of the zone; any other leads back (RFC 1034 §4.3.2).
        let back = |owner: &str| match zone {
            Some(zone) => zones::is_below(zone, owner),
            None => owner == "." && lookup.name.matches('.').count() > 1,
        };
        return referrals.any(|(owner, _)| back(owner) || owner == ".").then_some(How::Upward);
    }
    let answered = lookup.records.iter().any(|record| record.place == Place::Answer) || code == 3;
    (zone.is_some() && answered).then_some(How::NotAuthoritative)
}
