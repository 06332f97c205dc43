//! The client table of a problem: who asked, how often it failed, who rescued it, and who was never served.

use std::collections::{BTreeMap, BTreeSet};

use super::attempts::{Attempt, Gathered, Rescue, Service, State, is_good};
use super::episodes::signature;
use super::lookups::{Lookups, is_search_variant};
use super::steady::Steady;
use super::windows::{self, Mark, Window};
use super::{Evidence, Outcome, Transaction, TransactionId};
use crate::decode::Address;
use crate::index::{Index, PacketId};
use crate::time::Nanos;

/// The same question answered elsewhere this soon after a failed try is a rescue.
pub const RESCUE_NS: Nanos = 10_000_000_000;

/// The same question answered by the same server this soon after the last try belongs to the same wish.
const AGAIN_NS: Nanos = 3_000_000_000;

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
    /// Failed attempts that were answered, but too late.
    pub late: u32,
    /// Attempts that were answered to who asks for no checking (CD), as the failed ones do not.
    pub unchecked: u32,
    /// Attempts that failed in another way than the problem says.
    pub otherwise_failed: u32,
    /// Failed attempts whose question another server, family or transport answered soon after.
    pub rescued: u32,
    /// Failed attempts whose lookup went on and was answered by the same service.
    pub repeated: u32,
    /// Those of the latter that are tries of a search list: the name was found with another suffix, or without.
    pub searched: u32,
    /// What answered most of the rescued ones.
    pub rescuer: Option<Service>,
    /// The longest time from the first try to such an answer.
    pub longest_wait_ns: Option<Nanos>,
    /// The answer it waited longest for.
    pub slowest: Option<PacketId>,
    /// The class was never answered to it inside the windows, and nobody rescued it.
    pub never_served: bool,
    /// Questions, of whatever names, that the same server answered it over another transport inside the windows.
    pub otherwise: u32,
}

impl Client {
    /// Who answered most of the rescued ones.
    pub fn rescued_by(&self) -> Option<Address> {
        self.rescuer.map(|(server, ..)| server)
    }

    /// Failed attempts that nobody answered later.
    pub fn lost(&self) -> u32 {
        self.failed.saturating_sub(self.rescued + self.repeated)
    }

    /// Whether nothing of the class was answered to it, and the server answered it nothing over another transport either.
    pub fn is_without_service(&self) -> bool {
        self.never_served && self.otherwise == 0
    }

    /// Whether it lost more than chance takes: two attempts, one in twenty, or all it asked.
    pub fn is_let_down(&self) -> bool {
        weighs(self.lost(), self.total)
    }

    /// Whether each of its failed attempts was answered elsewhere or again.
    pub fn is_rescued(&self) -> bool {
        self.rescued + self.searched > 0 && self.rescued + self.repeated >= self.failed
    }

    /// Whether each of its failed attempts was a try of a search list whose lookup ended well.
    pub fn is_searched(&self) -> bool {
        self.searched > 0 && self.searched >= self.failed
    }
}

/// Lost attempts of one client that are more than chance.
const LOST_MIN: u32 = 2;
/// One lost attempt in so many is more than chance, where the client asked that much.
const LOST_ONE_IN: u32 = 20;

/// Whether a client that lost some of its attempts was let down rather than unlucky.
pub(super) fn weighs(lost: u32, asked: u32) -> bool {
    lost >= LOST_MIN || lost > 0 && (lost >= asked || asked >= LOST_ONE_IN && lost * LOST_ONE_IN >= asked)
}

/// Makes the table from the attempts of the class, of which `client` is the position among `hosts`.
pub(super) fn table(
    attempts: &[Attempt],
    hosts: &[(Address, Vec<Address>)],
    windows: &[Window],
    served: &Served<'_>,
) -> Vec<Client> {
    let mut rows: Vec<Client> = Vec::with_capacity(hosts.len());
    for (_, addresses) in hosts {
        rows.push(Client { address: addresses.first().copied().unwrap_or_default(), ..Client::default() });
    }
    let mut answered = vec![0u32; hosts.len()];
    // Repeats that the service answered while it still failed others: after it came back, that is no service meanwhile.
    let mut meanwhile = vec![0u32; hosts.len()];
    let mut rescuers: Vec<BTreeMap<Service, u32>> = vec![BTreeMap::new(); hosts.len()];
    for attempt in attempts.iter().filter(|attempt| windows::are_around(windows, attempt.began.at_ns)) {
        let at = attempt.client as usize;
        let (Some(row), Some(rescuers)) = (rows.get_mut(at), rescuers.get_mut(at)) else { continue };
        row.asked += 1;
        match attempt.state {
            State::Good => {
                let during = !is_after(windows, attempt.began.at_ns, attempt.ended.at_ns);
                *answered.get_mut(at).unwrap_or(&mut 0) += u32::from(during);
            }
            State::Other => {
                let own = served.evidence.transaction(TransactionId(attempt.id));
                let unchecked = own.filter(|own| is_good(own)).and_then(|own| own.question(served.index));
                let is_failure = own.is_some_and(|own| signature(false, own).is_some());
                row.otherwise_failed += u32::from(is_failure && !served.left_out.contains(&attempt.id));
                row.unchecked += u32::from(unchecked.is_some_and(|row| row.header.checking_disabled()));
            }
            State::Bad => {
                row.failed += 1;
                let own = served.evidence.transaction(TransactionId(attempt.id));
                row.late += u32::from(own.is_some_and(|own| own.outcome == Outcome::Late));
                let host = hosts.get(at).map_or(Address::None, |(host, _)| *host);
                let rescue = served.soon_after(attempt, host).or_else(|| {
                    let found = served.by_search(attempt);
                    row.searched += u32::from(found.is_some());
                    found
                });
                let Some(rescue) = rescue else { continue };
                if rescue.service == served.service {
                    row.repeated += 1;
                    let during = !is_after(windows, attempt.began.at_ns, rescue.ended.at_ns);
                    *meanwhile.get_mut(at).unwrap_or(&mut 0) += u32::from(during);
                } else {
                    row.rescued += 1;
                    *rescuers.entry(rescue.service).or_default() += 1;
                }
                let waited_ns = rescue.ended.at_ns - attempt.began.at_ns;
                if waited_ns >= 0 && row.longest_wait_ns.is_none_or(|known| known < waited_ns) {
                    row.longest_wait_ns = Some(waited_ns);
                    row.slowest = Some(rescue.ended.packet);
                }
            }
        }
    }
    for ((((row, (_, addresses)), answered), rescuers), meanwhile) in
        rows.iter_mut().zip(hosts).zip(answered).zip(rescuers).zip(meanwhile)
    {
        row.others = addresses.iter().skip(1).copied().collect();
        row.rescuer = rescuers.into_iter().max_by_key(|(_, count)| *count).map(|(service, _)| service);
        // Whoever got all it asked for in the end was delayed.
        row.never_served = answered == 0 && row.rescued + meanwhile == 0 && row.lost() > 0;
    }
    rows.retain(|row| row.failed > 0);
    rows.sort_by_key(|row| row.address);
    rows
}

/// Whether an answer came after the end of the window in which its question failed.
fn is_after(windows: &[Window], began_ns: Nanos, answered_ns: Nanos) -> bool {
    let own = windows.iter().find(|window| window.first_good.is_none_or(|good| began_ns < good.at_ns));
    own.is_some_and(|window| window.first_good.is_some_and(|good| answered_ns >= good.at_ns))
}

/// Where answers to failed questions are looked up.
pub(super) struct Served<'g> {
    pub index: &'g Index,
    pub evidence: &'g Evidence,
    pub steady: &'g Steady,
    /// The service that failed.
    pub service: Service,
    pub gathered: &'g Gathered,
    /// Lookups whose answer serves nobody, as far as can be told: last repeats of lost ones, and answers without checking.
    pub left_out: &'g BTreeSet<u32>,
    pub lookups: &'g Lookups,
}

/// Questions of one lookup looked through.
const QUESTIONS_MAX: usize = 64;

impl Served<'_> {
    /// The answer by which a lookup ended well that went on with its search list.
    fn by_search(&self, attempt: &Attempt) -> Option<Rescue> {
        let name = |transaction: &Transaction| {
            let packet = self.index.packet(transaction.first)?;
            packet.segment.names.get(transaction.question(self.index)?.name)
        };
        let own = name(self.evidence.transaction(TransactionId(attempt.id))?)?;
        let all = self.lookups.members(self.lookups.of(TransactionId(attempt.id))?);
        all.iter().take(QUESTIONS_MAX).find_map(|id| {
            let other = self.evidence.transaction(*id)?;
            let found = is_good(other) && other.response_code == 0 && is_search_variant(own, name(other)?);
            let packet = other.answer.filter(|_| found)?;
            let ended = self.steady.mark(Mark { at_ns: self.index.packet(packet)?.time_ns(), packet });
            let rescue = Rescue { id: id.0, service: self.service, ended };
            (ended.at_ns >= attempt.began.at_ns).then_some(rescue)
        })
    }

    /// The first usable answer to the same question soon after: elsewhere, before the same service within the same lookup.
    fn soon_after(&self, attempt: &Attempt, host: Address) -> Option<Rescue> {
        let known = self.gathered.rescues.get(&(host, attempt.question))?;
        let (from, to) = (attempt.began.at_ns, attempt.ended.at_ns + RESCUE_NS);
        let first = known.partition_point(|rescue| rescue.ended.at_ns < from - RESCUE_NS);
        let mut again = None;
        for rescue in known.get(first..).unwrap_or_default() {
            if rescue.ended.at_ns > to + RESCUE_NS {
                break;
            }
            if !(from..=to).contains(&rescue.ended.at_ns) || self.left_out.contains(&rescue.id) {
                continue;
            }
            if rescue.service != self.service {
                return Some(*rescue);
            }
            let lookup = |id: u32| self.lookups.of(TransactionId(id));
            let soon = rescue.ended.at_ns <= attempt.ended.at_ns + AGAIN_NS;
            if again.is_none() && (soon || lookup(rescue.id) == lookup(attempt.id)) {
                again = Some(*rescue);
            }
        }
        again
    }
}
