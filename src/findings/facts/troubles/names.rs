//! Which names led clients to which addresses, as DNS answers tell.

use std::collections::{BTreeMap, BTreeSet};

use super::Trouble;
use crate::attempts::{Attempt, subject};
use crate::correlate::AnomalyKind;
use crate::decode::{Address, answers};
use crate::findings::facts::Facts;
use crate::index::PacketId;
use crate::index::segment::DnsKind;
use crate::time::Nanos;

/// Responses read for their addresses.
const RESPONSES_MAX: usize = 200_000;
/// Answers kept of one address.
const GIVEN_MAX: usize = 256;
/// Lookups this long before an attempt may have led to it.
const LED_NS: Nanos = 10_000_000_000;
/// Names told of one trouble.
const NAMES_MAX: usize = 16;

/// An answer that gave an address.
#[derive(Clone, Debug)]
struct Given {
    client: Address,
    name: String,
    packet: PacketId,
    time_ns: Nanos,
}

/// The answers by the addresses they gave.
#[derive(Clone, Debug, Default)]
pub struct Names {
    given: BTreeMap<Address, Vec<Given>>,
}

impl Names {
    /// Reads the answers of a capture.
    pub(super) fn read(facts: &Facts<'_>) -> Self {
        let used: BTreeSet<Address> = facts.attempts.all.iter().map(|own| own.service.host).collect();
        let mut names = Self::default();
        // Of two answers to one question the client has taken the first.
        let late = facts.evidence.anomalies.iter().filter(|odd| odd.kind == AnomalyKind::ConflictingAnswer);
        let late: BTreeSet<PacketId> = late.map(|odd| odd.packet).collect();
        let responses = facts
            .index
            .dns_rows()
            .filter(|row| {
                row.is_response()
                    && row.kind == DnsKind::Dns
                    && row.header.counts.get(1) > Some(&0)
                    && !late.contains(&row.packet)
            })
            .take(RESPONSES_MAX);
        for row in responses {
            let Some(packet) = facts.index.packet(row.packet) else { continue };
            // A printed answer does not repeat the question: its query names it.
            let query =
                || facts.evidence.transaction(facts.evidence.transaction_of(row.packet)?).map(|t| t.first);
            // An address is the name's only through its chain of aliases.
            let addresses = if packet.is_text() {
                packet.answer_addresses()
            } else {
                answers::addresses(packet.message(row))
            };
            let wire = packet.segment.names.get(row.name);
            let name = || wire.map(crate::decode::dns::presentation).or_else(|| facts.name_of(query()?));
            for address in addresses.into_iter().map(|ip| Address::from(ip).at(packet.source.site)) {
                if !used.contains(&address) {
                    continue;
                }
                let all = names.given.entry(address).or_default();
                if all.len() < GIVEN_MAX {
                    all.push(Given {
                        client: packet.destination_address(),
                        name: name().unwrap_or_default(),
                        packet: row.packet,
                        time_ns: packet.time_ns(),
                    });
                }
            }
        }
        names
    }

    /// Whether any answer gave an address.
    pub fn knows(&self, address: Address) -> bool {
        self.given.contains_key(&address)
    }

    /// The names that led any of these clients to an address.
    pub(in crate::findings::facts) fn led(
        &self,
        address: Address,
        clients: &BTreeSet<Address>,
    ) -> BTreeSet<String> {
        let all = self.given.get(&address).into_iter().flatten();
        all.filter(|given| clients.contains(&given.client)).map(|given| given.name.clone()).collect()
    }

    /// The first answer that gave an address for a name.
    pub(in crate::findings::facts) fn first_given(
        &self,
        address: Address,
        name: &str,
    ) -> Option<(Nanos, PacketId)> {
        let all = self.given.get(&address)?.iter();
        all.filter(|given| is_same(&given.name, name)).map(|given| (given.time_ns, given.packet)).min()
    }

    /// The same host name in other domains, with the addresses it was given there that anybody used.
    pub(in crate::findings::facts) fn elsewhere(&self, name: &str) -> Vec<(&str, Address, PacketId)> {
        let Some((short, domain)) = name.split_once('.') else { return Vec::new() };
        let other = |own: &&Given| {
            let parts = own.name.split_once('.');
            parts.is_some_and(|(other, its)| other.eq_ignore_ascii_case(short) && !is_same(its, domain))
        };
        let all = self.given.iter().flat_map(|(address, all)| all.iter().map(move |own| (*address, own)));
        let mut found: Vec<(&str, Address, PacketId)> = Vec::new();
        for (address, own) in all.filter(|(_, own)| other(own)) {
            if !found.iter().any(|known| known.0 == own.name && known.1 == address) {
                found.push((&own.name, address, own.packet));
            }
        }
        found
    }

    /// Whether any answer gave an address for a name.
    pub(super) fn has_led(&self, name: &str, address: Address) -> bool {
        self.given.get(&address).into_iter().flatten().any(|given| is_same(&given.name, name))
    }

    /// Whether two addresses were given for one name.
    fn are_one(&self, one: Address, other: Address) -> bool {
        let own = |address| self.given.get(&address).into_iter().flatten().map(|given| &given.name);
        let names: BTreeSet<&String> = own(one).collect();
        own(other).any(|name| names.contains(name))
    }

    /// Whether another attempt, at an address given for one of the same names, is for the name that led to the first: addresses
    /// are shared, and what else is fetched there says nothing of it.
    pub fn is_same_wish(&self, facts: &Facts<'_>, own: &Attempt, other: &Attempt) -> bool {
        if !self.are_one(own.service.host, other.service.host) {
            return false;
        }
        let asked = |own| subject::of(facts.index, own).name.filter(|name| is_name(name));
        let given = |own: &Attempt| {
            let until_ns = own.first.time_ns;
            let all = self.given.get(&own.service.host).into_iter().flatten();
            all.filter(move |given| given.time_ns <= until_ns)
        };
        let looked_up = || {
            let mine: Vec<&Given> = given(own).filter(|given| given.client == own.client.0).collect();
            let since_ns = mine.last().map_or(0, |last| last.time_ns.min(own.first.time_ns - LED_NS));
            mine.iter().filter(|given| given.time_ns >= since_ns).map(|given| given.name.clone()).collect()
        };
        let wanted: Vec<String> = asked(own).map_or_else(looked_up, |name| vec![name]);
        let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| is_same(wanted, name));
        match asked(other) {
            Some(name) => is_wanted(&name),
            None => given(other).any(|given| is_wanted(&given.name)),
        }
    }

    /// The answer that gave a client an address before a time.
    ///
    /// Of several names the one that is asked for then, else the one looked up last.
    pub fn before(
        &self,
        address: Address,
        client: Address,
        time_ns: Nanos,
        asked: Option<&str>,
    ) -> Option<(&str, PacketId)> {
        let all = self.given.get(&address)?.iter();
        let given: Vec<&Given> =
            all.filter(|given| given.client == client && given.time_ns <= time_ns).collect();
        let named = asked.and_then(|asked| given.iter().rev().find(|given| is_same(&given.name, asked)));
        let given = named.or_else(|| given.last().filter(|_| asked.is_none()))?;
        Some((&given.name, given.packet))
    }

    /// Fills in the names of a trouble.
    pub(super) fn tell(&self, facts: &Facts<'_>, trouble: &mut Trouble) {
        let mut names: Vec<String> = Vec::new();
        let mut resolved = None;
        for own in trouble.attempts(facts.attempts).take(NAMES_MAX) {
            // What is asked for on the connection is sure; the lookup before it is the next best.
            let asked = subject::of(facts.index, own).name.filter(|name| is_name(name));
            let given = self.before(own.service.host, own.client.0, own.first.time_ns, asked.as_deref());
            let name = asked.or_else(|| given.map(|(name, _)| name.trim_end_matches('.').to_owned()));
            if let Some(name) = name.filter(|name| !name.is_empty())
                && !names.iter().any(|own| is_same(own, &name))
            {
                names.push(name);
            }
            resolved = resolved.or(given.map(|(name, packet)| (name.to_owned(), packet)));
        }
        trouble.names = names;
        trouble.resolved = resolved;
    }
}

/// Whether a host of a request is a name and no address.
fn is_name(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err()
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}
