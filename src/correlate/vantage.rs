//! Infers where the capture was taken from the places of those who ask and those who are asked.

use super::duplicates::CopyKind;
use super::hosts::{self, Pair, Place, Seen, Sight};
use super::{Evidence, Vantage};
use super::{twins, uplinks};
use crate::decode::Address;
use crate::index::{Index, SourceId, source_label};

/// Share of the questions, in percent, whose ends must agree on the vantage.
const MOST_PERCENT: usize = 70;
/// Questions whose copies are looked at, spread evenly over all.
const QUESTIONS_MAX: usize = 4096;
/// Hosts whose place is stated in the reasons.
const REASONS_MAX: usize = 4;

/// Where the capture was taken, and the hosts whose packets tell it.
pub struct Surroundings {
    /// Where the capture was taken.
    pub vantage: Vantage,
    /// Why `vantage` is what it is, in words.
    pub reasons: Vec<String>,
    /// The hosts that ask, are asked or send ICMP errors, as far as looked at, sorted by address.
    sights: Vec<Sight>,
    /// Pairs of addresses of both families that ask as one host does.
    twins: Vec<(Address, Address)>,
    /// Servers, each with an address by which it asks others.
    uplinks: Vec<(Address, Address)>,
}

impl Surroundings {
    /// Looks at the hosts and infers the vantage.
    pub(super) fn look(index: &Index, evidence: &Evidence) -> Self {
        let Seen { sights, pairs } = hosts::look(index, evidence);
        let mut found = Self {
            vantage: Vantage::Unknown,
            reasons: Vec::new(),
            sights,
            twins: twins::find(index, evidence),
            uplinks: uplinks::find(index, evidence),
        };
        let mut votes = [0usize; 4];
        for pair in &pairs {
            if let Some(count) = votes.get_mut(found.vote(*pair) as usize) {
                *count += 1;
            }
        }
        let kinds = [Vantage::Client, Vantage::Server, Vantage::Middle, Vantage::Unknown];
        let best = kinds.into_iter().zip(votes).max_by_key(|(_, count)| *count);
        let vantage = best.filter(|(_, count)| *count > 0 && count * 100 >= pairs.len() * MOST_PERCENT);
        found.vantage = vantage.map_or(Vantage::Unknown, |(vantage, _)| vantage);
        found.reasons = found.reasons(&pairs, best.is_some() && vantage.is_none());
        if let Some(reasons) = found.by_capture(index) {
            found.vantage = Vantage::Unknown;
            found.reasons = reasons;
        }
        if let Some(reason) = on_both_sides(evidence) {
            // A card's checksums can reach the router unfinished where links are virtual, so they decide nothing here.
            let here = |reason: &String| reason.contains("captured on that host");
            found.vantage = Vantage::Middle;
            found.reasons.retain(|reason| !here(reason));
            found.reasons.insert(0, reason);
        }
        found
    }

    /// What the packets of a host tell about its place; `None` for hosts not looked at.
    pub fn sight(&self, address: Address) -> Option<&Sight> {
        let at = self.sights.binary_search_by_key(&address, |sight| sight.address).ok()?;
        self.sights.get(at)
    }

    /// Pairs of addresses of both families that ask as one host does.
    pub fn twins(&self) -> &[(Address, Address)] {
        &self.twins
    }

    /// Whether a server asks others by an address: its own, one by which it is seen to pass on what it is asked, or another one of the
    /// capturing host where the server is that host.
    pub fn asks_by(&self, server: Address, address: Address) -> bool {
        let here = |address| self.place(address) == Place::Here;
        address == server
            || here(address) && here(server)
            || self.uplinks.binary_search(&(server, address)).is_ok()
    }

    /// All hosts looked at, by address.
    pub fn sights(&self) -> &[Sight] {
        &self.sights
    }

    /// Where a host is, seen from the capture point.
    pub fn place(&self, address: Address) -> Place {
        self.sight(address).map_or(Place::Unknown, |sight| sight.place)
    }

    /// What one question's ends say.
    fn vote(&self, (client, server): Pair) -> Vantage {
        use Place::{Away, Here, Link, Unknown};
        match (self.place(client), self.place(server)) {
            (Here, _) => Vantage::Client,
            (_, Here) => Vantage::Server,
            (Link, Away(_) | Unknown) => Vantage::Client,
            (Away(_) | Unknown, Link) => Vantage::Server,
            (Away(_), Away(_)) => Vantage::Middle,
            (Link, Link) | (Away(_) | Unknown, Unknown) | (Unknown, Away(_)) => Vantage::Unknown,
        }
    }

    /// Why, in words with numbers.
    fn reasons(&self, pairs: &[Pair], divided: bool) -> Vec<String> {
        let distinct = |of: fn(&Pair) -> Address| {
            let mut found: Vec<Address> = Vec::new();
            for address in pairs.iter().map(of) {
                if found.len() > REASONS_MAX {
                    break;
                }
                if !found.contains(&address) {
                    found.push(address);
                }
            }
            found
        };
        let (clients, servers) = (distinct(|pair| pair.0), distinct(|pair| pair.1));
        let mut reasons = Vec::new();
        for (addresses, role) in [(&clients, "asking"), (&servers, "asked")] {
            let words = addresses.iter().take(REASONS_MAX / 2).map(|address| match self.sight(*address) {
                Some(sight) => words(sight),
                None => format!("{address} was not looked at"),
            });
            reasons.extend(words);
            if let Some(more) = addresses.len().checked_sub(REASONS_MAX / 2).filter(|more| *more > 0) {
                reasons.push(format!("and {more} or more other {role} hosts"));
            }
        }
        let near = |v6: bool| {
            let near = |client: &&Address| client.is_v6() == v6 && self.place(**client) == Place::Link;
            clients.iter().filter(near).count()
        };
        let several = near(false).max(near(true)) > 1 && !self.shares_a_link_address(&clients);
        if self.vantage == Vantage::Client && several {
            reasons.push("several asking hosts are on this link, so it was taken next to them".to_owned());
        }
        let beside = |v6: bool| {
            let near = |server: &&Address| server.is_v6() == v6 && self.place(**server) == Place::Link;
            servers.iter().filter(near).count()
        };
        let several = beside(false).max(beside(true)) > 1 && !self.shares_a_link_address(&servers);
        if self.vantage == Vantage::Server && several {
            reasons.push(
                "several asked hosts are on this link, so it was taken next to them, as by a switch"
                    .to_owned(),
            );
        }
        let on_this_link = |addresses: &[Address]| {
            !addresses.is_empty() && addresses.iter().all(|address| self.place(*address) == Place::Link)
        };
        if pairs.is_empty() {
            reasons.push("no DNS question is in it".to_owned());
        } else if divided {
            reasons.push("the questions do not agree".to_owned());
        } else if self.vantage == Vantage::Unknown && on_this_link(&clients) && on_this_link(&servers) {
            reasons.push("both sides are on this link".to_owned());
        }
        let mut seen = std::collections::BTreeSet::new();
        reasons.retain(|reason| seen.insert(reason.clone()));
        reasons
    }

    /// Next to whom each capture was taken, where several were taken next to different hosts.
    fn by_capture(&self, index: &Index) -> Option<Vec<String>> {
        let mut near: std::collections::BTreeMap<SourceId, Vec<String>> = std::collections::BTreeMap::new();
        if index.sources.len() < 2 {
            return None;
        }
        for sight in self.sights.iter().filter(|sight| matches!(sight.place, Place::Here | Place::Link)) {
            let Some((packet, _)) = sight.sample else { continue };
            let Some((segment, _)) = index.locate(packet) else { continue };
            near.entry(segment.source).or_default().push(sight.address.to_string());
        }
        let told = |(source, hosts): (&SourceId, &Vec<String>)| {
            let more = hosts.len().saturating_sub(REASONS_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let shown = hosts.get(..REASONS_MAX.min(hosts.len())).unwrap_or_default().join(", ");
            format!(
                "capture {} shows packets of {shown}{more} that no router has passed",
                source_label(*source)
            )
        };
        (near.len() > 1).then(|| near.iter().map(told).collect())
    }

    fn shares_a_link_address(&self, addresses: &[Address]) -> bool {
        let mut links = addresses.iter().map(|address| self.sight(*address).and_then(|sight| sight.link));
        let first = links.next().flatten();
        first.is_some() && links.all(|link| link == first)
    }
}

/// Why the capture was taken on both sides of a router, when most questions were captured before and behind one.
fn on_both_sides(evidence: &Evidence) -> Option<String> {
    let mut sides = [0usize; 2];
    let step = evidence.transactions.len().div_ceil(QUESTIONS_MAX).max(1);
    let mut asked = 0;
    for transaction in evidence.transactions.iter().step_by(step) {
        asked += 1;
        let side = match evidence.copied_as(transaction.first) {
            Some(CopyKind::Routed) => 0,
            Some(CopyKind::Nat) => 1,
            Some(CopyKind::Mirror) | None => continue,
        };
        if let Some(count) = sides.get_mut(side) {
            *count += 1;
        }
    }
    let [routed, translated] = sides;
    let both = routed + translated;
    if both == 0 || both * 100 < asked * MOST_PERCENT {
        return None;
    }
    let device = if translated > 0 { "a router that translates addresses (NAT)" } else { "a router" };
    Some(format!("{both} of {asked} questions looked at were captured before and behind {device}"))
}

/// One host's place and what shows it.
fn words(sight: &Sight) -> String {
    let address = sight.address;
    let ttl = match sight.sent {
        1 => format!("the only packet of {address} carries TTL {}", sight.ttl),
        sent if sight.with_ttl == sent => format!("all {sent} packets of {address} carry TTL {}", sight.ttl),
        sent => format!("{} of {sent} packets of {address} carry TTL {}", sight.with_ttl, sight.ttl),
    };
    if sight.told_itself {
        return format!("{address} sent an ICMP error to itself, which never leaves the host");
    }
    match sight.place {
        Place::Here if sight.is_marked_outgoing() => {
            format!(
                "the link header marks {} packets of {address} as sent by the capturing host",
                sight.outgoing
            )
        }
        Place::Here if sight.checked > 0 && sight.leaves_checksums_to_card() => format!(
            "{} of {} checksums {address} sent are left to its network card: captured on that host",
            sight.unfinished + sight.wrong,
            sight.checked
        ),
        Place::Here => format!("{address} is a loopback address"),
        Place::Link => format!("{ttl}, an initial value: no router passed"),
        Place::Away(hops) => {
            format!("{ttl}: {hops} {} away", if hops == 1 { "hop" } else { "hops" })
        }
        Place::Unknown if sight.sent == 0 => format!("no packet of {address} states a TTL"),
        Place::Unknown => format!("{ttl}, others another: its distance varies"),
    }
}
