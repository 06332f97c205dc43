//! DHCP servers that give the same clients different settings (services §1.7 `two-servers`).

use std::collections::{BTreeMap, BTreeSet};

use super::Facts;
use crate::decode::Address;
use crate::findings::Severity;
use crate::index::PacketId;
use crate::time::Nanos;

/// Offers kept of one server.
const OFFERS_MAX: usize = 64;

/// One server and what it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Giver {
    /// Its identifier (option 54).
    pub server: Address,
    /// The router it names (option 3).
    pub router: Option<Address>,
    /// The name servers it names (option 6).
    pub name_servers: Vec<Address>,
    /// Its offers and acknowledgments, the first of them.
    pub offers: Vec<PacketId>,
    /// When it gave first.
    pub first_ns: Nanos,
    /// Hardware addresses of clients that took its address, with the address.
    pub taken: Vec<(Address, Address)>,
}

/// Servers with different settings that answer the same clients, the one that was seen first first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rivals {
    /// The servers.
    pub givers: Vec<Giver>,
    /// Which of them what fails speaks against: clients that took its addresses failed afterwards, those of the others did not.
    failing: Option<usize>,
}

impl Rivals {
    /// The frames of all.
    pub fn frames(&self) -> Vec<PacketId> {
        let mut frames: Vec<PacketId> =
            self.givers.iter().flat_map(|giver| giver.offers.iter().copied()).collect();
        frames.sort_unstable();
        frames.dedup();
        frames
    }

    /// The one whose clients fail; where that parts them not, the one seen later.
    pub fn suspect(&self) -> Option<&Giver> {
        self.givers.get(self.failing.unwrap_or(1))
    }

    /// Whether what fails points to one of them.
    pub fn is_suffered(&self) -> bool {
        self.failing.is_some()
    }

    /// From when on the suspect gave addresses.
    pub fn since_ns(&self) -> Nanos {
        self.suspect().map_or(0, |giver| giver.first_ns)
    }

    /// Clients that took an address of the suspect.
    pub fn taken(&self) -> &[(Address, Address)] {
        self.suspect().map(|giver| giver.taken.as_slice()).unwrap_or_default()
    }
}

/// Whether something of weight failed for who had taken one of its addresses, since then.
fn suffers(facts: &Facts<'_>, giver: &Giver) -> bool {
    let taken = |address: Address| giver.taken.iter().any(|(_, own)| *own == address);
    let dns = facts.problems().any(|(_, problem)| {
        problem.last_ns >= giver.first_ns && problem.clients.iter().any(|client| taken(*client))
    });
    dns || facts.troubles.all.iter().any(|own| {
        own.severity > Severity::Low
            && own.span_ns().1 >= giver.first_ns
            && own.hit().any(|hit| taken(hit.address))
    })
}

/// Finds them; two of a pair with the same settings are one service.
pub(super) fn find(facts: &Facts<'_>) -> Option<Rivals> {
    let mut givers: BTreeMap<Address, Giver> = BTreeMap::new();
    let mut answered: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for lease in facts.attempts.leases.iter().filter(|lease| !lease.v6) {
        for offer in &lease.offers {
            let giver = givers.entry(offer.server).or_insert_with(|| Giver {
                server: offer.server,
                router: offer.router,
                name_servers: offer.name_servers.clone(),
                offers: Vec::new(),
                first_ns: offer.seen.time_ns,
                taken: Vec::new(),
            });
            if giver.offers.len() < OFFERS_MAX {
                giver.offers.push(offer.seen.packet);
            }
            if offer.is_final
                && giver.taken.len() < OFFERS_MAX
                && !giver.taken.iter().any(|(own, _)| *own == lease.client)
            {
                giver.taken.push((lease.client, offer.address));
            }
            answered.entry(lease.client).or_default().insert(offer.server);
        }
    }
    // Servers of several networks may be in one capture: only those that answer one client are rivals.
    let shared: BTreeSet<Address> =
        answered.into_values().filter(|servers| servers.len() > 1).flatten().collect();
    let mut rivals: Vec<Giver> =
        givers.into_values().filter(|giver| shared.contains(&giver.server)).collect();
    rivals.sort_by_key(|giver| giver.first_ns);
    let first = rivals.first()?;
    let settings = |giver: &Giver| (giver.router, giver.name_servers.clone());
    let differ = rivals.iter().any(|giver| settings(giver) != settings(first));
    if !differ {
        return None;
    }
    let failing: Vec<usize> =
        (0..rivals.len()).filter(|at| rivals.get(*at).is_some_and(|giver| suffers(facts, giver))).collect();
    let failing = match failing.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    Some(Rivals { givers: rivals, failing })
}
