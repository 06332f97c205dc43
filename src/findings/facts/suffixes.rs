//! Clients whose short names are all completed with a domain in which none of them exists, while they exist in another one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, asked};
use crate::decode::Address;
use crate::decode::dns::presentation;
use crate::index::PacketId;
use crate::time::Nanos;

/// Lookups looked through.
const LOOKUPS_MAX: usize = 500_000;
/// Domains followed.
const DOMAINS_MAX: usize = 65_536;
/// Short names denied from which on it is no slip, and as many of them exist in the other domain.
const NAMES_MIN: usize = 3;
/// Denied lookups from which on it is no slip.
const MANY: usize = 5;
/// Frames kept.
const CITED_MAX: usize = 256;
/// A search list goes on to the next domain within this time.
const NEXT_NS: Nanos = 1_000_000_000;
/// NXDOMAIN (RFC 1035 §4.1.1).
const NAME_ERROR: u16 = 3;
/// A and AAAA.
const ADDRESSES: [u16; 2] = [1, 28];

/// A client with a domain of its own.
#[derive(Clone, Debug)]
pub struct Suffix {
    /// Who.
    pub client: Address,
    /// The domain its names are completed with, presentation form.
    pub domain: String,
    /// The short names.
    pub names: BTreeSet<String>,
    /// The domain in which they exist.
    pub other: String,
    /// The denied lookups: queries and answers.
    pub denied: Vec<PacketId>,
    /// How many.
    pub times: usize,
    /// An answer that shows one of them in the other domain.
    pub shown: PacketId,
    /// The client was given an address of any of them, in whatever domain.
    pub is_served: bool,
}

/// What was asked in one domain.
#[derive(Default)]
struct Domain {
    clients: BTreeSet<Address>,
    /// By short name: an answer, and who got one.
    known: BTreeMap<String, (PacketId, BTreeSet<Address>)>,
}

/// Denied lookups of one client in one domain: when, the short name, query and answer.
type Denied = Vec<(Nanos, String, [PacketId; 2])>;

/// Finds them. A search list that goes on to a domain where the name exists is how such names are found.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Suffix> {
    let mut domains: BTreeMap<String, Domain> = BTreeMap::new();
    let mut denied: BTreeMap<(Address, String), Denied> = BTreeMap::new();
    let mut found_at: BTreeMap<(Address, String), Vec<Nanos>> = BTreeMap::new();
    let input = facts.input();
    let lookups = asked::all(&input)
        .filter(|own| ADDRESSES.contains(&own.row.qtype) && own.row.header.recursion_desired());
    for own in lookups.take(LOOKUPS_MAX) {
        let Some(answer) = own.transaction.answer else { continue };
        let code = own.transaction.response_code;
        if !matches!(code, 0 | NAME_ERROR) {
            continue;
        }
        let Some(name) = own.segment.names.get(own.row.name).map(presentation) else { continue };
        let Some((short, domain)) = split(&name) else { continue };
        if domains.len() >= DOMAINS_MAX && !domains.contains_key(domain) {
            continue;
        }
        let entry = domains.entry(domain.to_owned()).or_default();
        entry.clients.insert(own.client);
        if code == NAME_ERROR {
            let list = denied.entry((own.client, domain.to_owned())).or_default();
            list.push((own.ended_ns(), short.to_owned(), [own.transaction.first, answer]));
        } else {
            let known = entry.known.entry(short.to_owned()).or_insert_with(|| (answer, BTreeSet::new()));
            known.1.insert(own.client);
            found_at.entry((own.client, short.to_owned())).or_default().push(own.time_ns);
        }
    }
    let wrong = |((client, domain), list): ((Address, String), Denied)| {
        let names: BTreeSet<String> = list.iter().map(|(_, short, _)| short.clone()).collect();
        let of = domains.get(&domain)?;
        let is_alone = of.known.is_empty() && of.clients.len() == 1;
        if !is_alone || names.len() < NAMES_MIN || list.len() < MANY {
            return None;
        }
        let next = |at_ns: Nanos, short: &String| {
            let found = found_at.get(&(client, short.clone())).map(Vec::as_slice).unwrap_or_default();
            found.iter().any(|when_ns| (at_ns..=at_ns + NEXT_NS).contains(when_ns))
        };
        let searched = list.iter().filter(|(at_ns, short, _)| next(*at_ns, short)).count();
        if searched * 2 >= list.len() {
            return None;
        }
        let shared = |other: &Domain| names.iter().filter(|short| other.known.contains_key(*short)).count();
        let (other, known) = domains
            .iter()
            .filter(|(name, other)| **name != domain && shared(other) >= NAMES_MIN)
            .max_by_key(|(_, other)| shared(other))?;
        (shared(known) * 2 >= names.len()).then_some(())?;
        let shown =
            known.known.iter().find(|(short, _)| names.contains(*short)).map(|(_, (answer, _))| *answer)?;
        let is_served = names.iter().any(|short| found_at.contains_key(&(client, short.clone())));
        Some(Suffix {
            client,
            times: list.len(),
            denied: list.iter().flat_map(|(_, _, packets)| *packets).take(CITED_MAX).collect(),
            other: other.clone(),
            domain,
            names,
            shown,
            is_served,
        })
    };
    denied.into_iter().filter_map(wrong).collect()
}

/// The first label of a name and what stands behind it; bare names have nothing there.
fn split(name: &str) -> Option<(&str, &str)> {
    let (short, domain) = name.split_once('.')?;
    (!short.is_empty() && !domain.trim_end_matches('.').is_empty()).then_some((short, domain))
}
