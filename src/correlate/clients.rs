//! The client table of a problem: who asked, how often it failed, who rescued it, and who was never served.

use std::collections::BTreeMap;

use super::attempts::{Attempt, Gathered, Rescue, Service, State};
use super::windows::{self, Window};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// The same question answered elsewhere this soon after a failed try is a rescue.
pub const RESCUE_NS: Nanos = 10_000_000_000;

/// One client of a problem: all addresses of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The address it failed with; the lowest of several.
    pub address: Address,
    /// Its other addresses, of the same source MAC.
    pub others: Vec<Address>,
    /// Attempts at the service in the whole capture, of whatever class.
    pub total: u32,
    /// Attempts of the class inside the windows.
    pub asked: u32,
    /// Those that failed as the problem says.
    pub failed: u32,
    /// Failed attempts whose question another server, family or transport answered soon after.
    pub rescued: u32,
    /// Failed attempts whose question the same service answered soon after.
    pub repeated: u32,
    /// Who answered most of the rescued ones.
    pub rescued_by: Option<Address>,
    /// The longest time from the first try to such an answer.
    pub longest_wait_ns: Option<Nanos>,
    /// The answer it waited longest for.
    pub slowest: Option<PacketId>,
    /// The class was never answered to it inside the windows, and nobody rescued it.
    pub never_served: bool,
}

impl Client {
    /// Whether each of its failed attempts was answered elsewhere or again.
    pub fn is_rescued(&self) -> bool {
        self.rescued > 0 && self.rescued + self.repeated >= self.failed
    }
}

/// Makes the table from the attempts of the class, of which `client` is the position among `hosts`.
pub(super) fn table(
    attempts: &[Attempt],
    hosts: &[(Address, Vec<Address>)],
    windows: &[Window],
    (service, gathered): (Service, &Gathered),
) -> Vec<Client> {
    let mut rows: Vec<Client> = Vec::with_capacity(hosts.len());
    for (_, addresses) in hosts {
        rows.push(Client { address: addresses.first().copied().unwrap_or_default(), ..Client::default() });
    }
    let mut answered = vec![0u32; hosts.len()];
    let mut rescuers: Vec<BTreeMap<Address, u32>> = vec![BTreeMap::new(); hosts.len()];
    for attempt in attempts.iter().filter(|attempt| windows::are_around(windows, attempt.began.at_ns)) {
        let at = attempt.client as usize;
        let (Some(row), Some(rescuers)) = (rows.get_mut(at), rescuers.get_mut(at)) else { continue };
        row.asked += 1;
        match attempt.state {
            State::Good => *answered.get_mut(at).unwrap_or(&mut 0) += 1,
            State::Other => {}
            State::Bad => {
                row.failed += 1;
                let host = hosts.get(at).map_or(Address::None, |(host, _)| *host);
                let Some(rescue) = rescue(attempt, host, service, gathered) else { continue };
                if rescue.service == service {
                    row.repeated += 1;
                } else {
                    row.rescued += 1;
                    *rescuers.entry(rescue.service.0).or_default() += 1;
                }
                let waited_ns = rescue.ended.at_ns - attempt.began.at_ns;
                if row.longest_wait_ns.is_none_or(|known| known < waited_ns) {
                    row.longest_wait_ns = Some(waited_ns);
                    row.slowest = Some(rescue.ended.packet);
                }
            }
        }
    }
    for (((row, (_, addresses)), answered), rescuers) in
        rows.iter_mut().zip(hosts).zip(answered).zip(rescuers)
    {
        row.others = addresses.iter().skip(1).copied().collect();
        row.rescued_by = rescuers.into_iter().max_by_key(|(_, count)| *count).map(|(server, _)| server);
        row.never_served = answered == 0 && row.rescued + row.repeated == 0;
    }
    rows.retain(|row| row.failed > 0);
    rows.sort_by_key(|row| row.address);
    rows
}

/// The first usable answer to the same question soon after, elsewhere before the same service.
fn rescue(attempt: &Attempt, host: Address, service: Service, gathered: &Gathered) -> Option<Rescue> {
    let known = gathered.rescues.get(&(host, attempt.question))?;
    let (from, to) = (attempt.began.at_ns, attempt.ended.at_ns + RESCUE_NS);
    let soon = known.iter().filter(|rescue| (from..=to).contains(&rescue.ended.at_ns));
    soon.clone().find(|rescue| rescue.service != service).or_else(|| soon.clone().next()).copied()
}
