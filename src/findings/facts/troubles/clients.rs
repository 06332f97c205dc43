//! Who asked a service that has a trouble: how often each failed, was served, and was served otherwise (services §4.5).

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::course::Courses;
use super::{Names, Trouble, fallback, slow};
use crate::attempts::{Attempt, Kind, Outcome, Service};
use crate::connections::Seen;
use crate::decode::Address;
use crate::findings::facts::Facts;
use crate::index::PacketId;
use crate::time::Nanos;

/// Attempts of one wish of a user lie this close (services §1.1 `group_s`).
const GROUP_NS: Nanos = 3_000_000_000;
/// A client that gets an address this soon after it was refused one has what it needs (services §1.7 `nak`).
const LEASE_NS: Nanos = 60_000_000_000;
/// Clients told of one trouble.
const CLIENTS_MAX: usize = 4_096;

/// One client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: Address,
    /// The address that stands for its host: one has an address of each family.
    pub host: Address,
    /// Attempts that failed.
    pub failed: u32,
    /// Attempts of the same class that were served while others failed.
    pub served: u32,
    /// Attempts at the service that ask for something else and were served meanwhile.
    pub beside: u32,
    /// Attempts at the services begun or pending while others failed that failed in another way, came late, or were not seen to end.
    pub flawed: u32,
    /// Failed attempts for which it was served otherwise soon after.
    pub rescued: u32,
    /// By what.
    pub rescuer: Option<Service>,
    /// How long that took at most.
    pub rescue_ns: Option<Nanos>,
    /// The packet that shows it.
    pub rescue: Option<PacketId>,
}

/// The served attempts of a capture by who asked and of what, each in order.
#[derive(Default)]
pub struct Served<'a> {
    by_client: HashMap<Address, Vec<&'a Attempt>>,
    by_service: HashMap<Service, Vec<&'a Attempt>>,
    by_host: HashMap<Address, Vec<&'a Attempt>>,
    by_port: HashMap<(u8, u16), Vec<&'a Attempt>>,
    /// Those that failed, came late or were not seen to end, by service, with their positions.
    flawed: HashMap<Service, Vec<(u32, &'a Attempt)>>,
    /// The other addresses of a client, where its link address is its own.
    siblings: HashMap<Address, Vec<Address>>,
    /// Lookups in plain DNS.
    plain: fallback::Plain,
}

impl<'a> Served<'a> {
    /// Sorts the attempts out once.
    pub fn of(facts: &'a Facts<'_>) -> Self {
        let all = &facts.attempts.all;
        let plain = fallback::Plain::of(facts);
        let mut served = Self { siblings: siblings(facts), plain, ..Self::default() };
        for (at, own) in all.iter().enumerate().filter(|(_, own)| is_flawed(own)) {
            served.flawed.entry(super::service_of(own)).or_default().push((at as u32, own));
        }
        for own in all.iter().filter(|own| own.outcome.is_served()) {
            served.by_client.entry(own.client.0).or_default().push(own);
            served.by_service.entry(super::service_of(own)).or_default().push(own);
            served.by_host.entry(own.service.host).or_default().push(own);
            let port = (own.service.transport, own.service.port);
            served.by_port.entry(port).or_default().push(own);
        }
        served
    }

    /// The address that stands for the host of one.
    fn host(&self, address: Address) -> Address {
        let others = self.siblings.get(&address).map(Vec::as_slice).unwrap_or_default();
        others.iter().copied().fold(address, Address::min)
    }

    /// Whether a client was served anything in a time.
    pub fn serves_meanwhile(&self, client: Address, (from, to): (Nanos, Nanos)) -> bool {
        let all = self.by_client.get(&client).map(Vec::as_slice).unwrap_or_default();
        let first = all.partition_point(|own| own.first.time_ns < from);
        all.get(first).is_some_and(|own| own.first.time_ns <= to)
    }

    /// What a host served, in order.
    pub fn of_host(&self, host: Address) -> &[&'a Attempt] {
        self.by_host.get(&host).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Whether an attempt failed, came late, or was not seen to end.
fn is_flawed(own: &Attempt) -> bool {
    !own.outcome.is_served() || slow::is_long(own)
}

fn of<'c>(
    clients: &'c mut BTreeMap<Address, Client>,
    known: &Served<'_>,
    address: Address,
) -> Option<&'c mut Client> {
    if clients.len() >= CLIENTS_MAX && !clients.contains_key(&address) {
        return None;
    }
    let none = Client {
        address,
        host: known.host(address),
        failed: 0,
        served: 0,
        beside: 0,
        flawed: 0,
        rescued: 0,
        rescuer: None,
        rescue_ns: None,
        rescue: None,
    };
    Some(clients.entry(address).or_insert(none))
}

/// The table of a trouble, those that were hit first.
pub fn table(facts: &Facts<'_>, known: &Served<'_>, names: &Names, trouble: &Trouble) -> Vec<Client> {
    let mut clients: BTreeMap<Address, Client> = BTreeMap::new();
    let by_client: BTreeSet<Address> = trouble.attempts(facts.attempts).map(|own| own.client.0).collect();
    let alike = follower(known, trouble, facts);
    for own in trouble.attempts(facts.attempts) {
        let served = known.by_client.get(&own.client.0).map(Vec::as_slice).unwrap_or_default();
        let Some(client) = of(&mut clients, known, own.client.0) else { continue };
        // A run of pings is many.
        let number = match own.kind {
            Kind::Echo => own.counts.0.saturating_sub(own.counts.1).max(1),
            _ => 1,
        };
        client.failed += number;
        let from = served.partition_point(|other| other.first.packet < own.first.packet);
        let within_ns = if own.kind == Kind::Dhcp { LEASE_NS } else { GROUP_NS };
        let near =
            served.iter().skip(from).take_while(|other| other.first.time_ns <= own.ended_ns() + within_ns);
        let rescue = near.into_iter().find(|other| is_instead(facts, names, own, other)).or_else(|| {
            let others = known.siblings.get(&own.client.0).map_or(alike.as_slice(), Vec::as_slice);
            let all = others.iter().filter_map(|address| known.by_client.get(address)).flatten();
            let near = |other: &&&Attempt| {
                (own.first.time_ns..=own.ended_ns() + GROUP_NS).contains(&{ other.first.time_ns })
            };
            all.filter(near).find(|other| is_other_family(facts, names, own, other))
        });
        let rescue = rescue.map(|other| {
            // An address is there when it is confirmed.
            let then_ns = if own.kind == Kind::Dhcp { other.ended_ns() } else { other.first.time_ns };
            (other.service, Seen { time_ns: then_ns, ..other.first })
        });
        let rescue = rescue.or_else(|| {
            let others = known.siblings.get(&own.client.0).map(Vec::as_slice).unwrap_or_default();
            let mut all = std::iter::once(&own.client.0).chain(others);
            all.find_map(|address| known.plain.after(names, own, *address, GROUP_NS))
        });
        if let Some((service, seen)) = rescue {
            client.rescued += number;
            client.rescuer = Some(service);
            client.rescue_ns = client.rescue_ns.max(Some(seen.time_ns - own.first.time_ns));
            client.rescue = client.rescue.or(Some(seen.packet));
        }
    }
    let (from, to) = trouble.span_ns();
    let good: Vec<&Attempt> = match &trouble.part {
        // What parts clients is told of those that were served meanwhile.
        Some(_) => {
            let own = trouble
                .services
                .iter()
                .filter_map(|(service, _)| known.by_service.get(&super::shared(*service, trouble.kind())));
            own.flatten().copied().collect()
        }
        None => trouble.good(facts.attempts).collect(),
    };
    let courses = Courses::of(trouble.attempts(facts.attempts), good.iter().copied());
    // To be reached and then fail is no service.
    let good = good.into_iter().filter(|own| own.outcome.is_served());
    for own in good.filter(|own| own.is_within(from, to) && !courses.is_past(own)) {
        let is_hit = by_client.contains(&own.client.0);
        let counts = !is_hit || trouble.part.as_ref().is_none();
        if let Some(client) = of(&mut clients, known, own.client.0) {
            *if counts { &mut client.served } else { &mut client.beside } += 1;
        }
    }
    let services: BTreeSet<Service> =
        trouble.services.iter().map(|(service, kind)| super::shared(*service, *kind)).collect();
    for (at, own) in services.iter().filter_map(|service| known.flawed.get(service)).flatten() {
        let is_pending = own.first.time_ns <= to && own.ended_ns() >= from;
        if is_pending
            && trouble.failed.binary_search(at).is_err()
            && let Some(client) = clients.get_mut(&own.client.0)
        {
            client.flawed += 1;
        }
    }
    let mut table: Vec<Client> = clients.into_values().collect();
    table.sort_by_key(|client| (std::cmp::Reverse(client.failed), client.address));
    table
}

/// A client tries the other family this soon after the first (RFC 8305 §5: 250 ms).
const FALLBACK_NS: std::ops::RangeInclusive<Nanos> = 50_000_000..=600_000_000;
/// Failures each followed by the other family from which on that is no chance.
const FOLLOWED_MIN: usize = 3;

/// The address of the other family whose attempts follow nearly each of the failures, where link addresses tell nothing.
fn follower(known: &Served<'_>, trouble: &Trouble, facts: &Facts<'_>) -> Option<Address> {
    let mut seen: BTreeMap<Address, usize> = BTreeMap::new();
    let service = trouble.service();
    let all = known.by_port.get(&(service.transport, service.port))?;
    for own in trouble.attempts(facts.attempts).filter(|own| own.client.0.is_v6()) {
        let from = all.partition_point(|other| other.first.packet < own.first.packet);
        let near = all.iter().skip(from);
        let near = near.take_while(|other| other.first.time_ns - own.first.time_ns <= *FALLBACK_NS.end());
        let mut after: Vec<Address> = near
            .filter(|other| {
                FALLBACK_NS.contains(&(other.first.time_ns - own.first.time_ns)) && other.client.0.is_v4()
            })
            .map(|other| other.client.0)
            .collect();
        after.sort_unstable();
        after.dedup();
        for address in after {
            *seen.entry(address).or_default() += 1;
        }
    }
    let (address, followed) = seen.into_iter().max_by_key(|(_, followed)| *followed)?;
    (followed >= FOLLOWED_MIN && followed * 5 >= trouble.failed.len() * 4).then_some(address)
}

/// Addresses of one family a host has at most; more are the hosts behind a router.
const ADDRESSES_MAX: usize = 4;

/// The addresses of one host in both families, told by its link address.
fn siblings(facts: &Facts<'_>) -> HashMap<Address, Vec<Address>> {
    let mut links: HashMap<[u8; 6], BTreeSet<Address>> = HashMap::new();
    let mut asked: BTreeSet<Address> = BTreeSet::new();
    for own in facts.attempts.all.iter().filter(|own| own.kind != Kind::Dhcp) {
        if asked.len() < CLIENTS_MAX && asked.insert(own.client.0) {
            let packet = facts.index.packet(own.first.packet);
            if let Some(link) = packet.and_then(|packet| packet.decode().link_source()) {
                links.entry(link).or_default().insert(own.client.0);
            }
        }
    }
    let mut siblings = HashMap::new();
    for own in links.into_values() {
        let v6 = own.iter().filter(|address| address.is_v6()).count();
        if v6 > 0 && v6 <= ADDRESSES_MAX && own.len() == v6 + 1 {
            for address in &own {
                let others = own.iter().filter(|other| other.is_v6() != address.is_v6());
                siblings.insert(*address, others.copied().collect());
            }
        }
    }
    siblings
}

/// Whether another attempt of the same host is what it tries beside this one (RFC 8305): the same port, by the other family.
fn is_other_family(facts: &Facts<'_>, names: &Names, own: &Attempt, other: &Attempt) -> bool {
    own.service.port == other.service.port
        && own.service.transport == other.service.transport
        && (names.is_same_wish(facts, own, other)
            || !names.knows(own.service.host) && !names.knows(other.service.host))
}

/// Whether another attempt gave the client what this one did not: the same name at another address, or the same port over
/// another transport.
fn is_instead(facts: &Facts<'_>, names: &Names, own: &Attempt, other: &Attempt) -> bool {
    if own.kind == Kind::Dhcp {
        return other.kind == Kind::Dhcp && other.outcome == Outcome::Answered;
    }
    // A file that is not there is asked for under another name (RFC 1350 has no other way).
    if own.kind == Kind::Tftp && other.kind == Kind::Tftp {
        return other.outcome == Outcome::Answered;
    }
    if own.service == other.service || other.service.transport == 1 {
        return false;
    }
    // Clients of these have several servers for the same.
    let several =
        matches!(own.kind, Kind::Radius | Kind::Ntp | Kind::Ldap | Kind::Cldap) && own.kind == other.kind;
    if several && own.service.port == other.service.port {
        return true;
    }
    let same_host = own.service.host == other.service.host;
    let same_port = own.service.port == other.service.port;
    same_port && (same_host || names.is_same_wish(facts, own, other))
}
