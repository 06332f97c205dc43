//! What ARP and neighbour discovery say: who asks for whose link address, who answers, and which addresses two devices claim
//! (RFC 826, RFC 4861, RFC 5227).

use std::collections::{BTreeMap, BTreeSet};

use super::Facts;
use super::owners::Parting;
use crate::decode::Address;
use crate::index::{Packet, PacketId};
use crate::protocols::ProtocolId;
use crate::time::Nanos;

/// Pairs of asker and target followed.
const PAIRS_MAX: usize = 16_384;
/// Requests kept of one pair; more say nothing new.
const KEPT_MAX: usize = 1_024;
/// Addresses whose owners are followed.
const OWNED_MAX: usize = 65_536;
/// Packets kept of one owner.
const CLAIMS_MAX: usize = 64;
/// Owners of one address that are told apart.
const OWNERS_MAX: usize = 8;
/// The first owner speaks again this soon after the second: both are there, and the address did not move (services §1.8).
const BOTH_NS: Nanos = 60_000_000_000;

/// A link address.
pub type Link = [u8; 6];

/// What is known of one pair while ARP and neighbour discovery are read.
#[derive(Default)]
pub(super) struct Pair {
    /// The requests, with their time.
    pub requests: Vec<(Nanos, PacketId)>,
}

/// The last sign of life of an address.
#[derive(Clone, Copy)]
pub(super) struct Sign {
    pub at_ns: Nanos,
    pub packet: PacketId,
    pub link: Option<Link>,
}

/// Everything ARP and neighbour discovery say.
#[derive(Default)]
pub(super) struct Heard {
    /// Requests by who asks for whom.
    pub pairs: BTreeMap<(Address, Address), Pair>,
    /// The last time an address spoke for itself.
    pub signs: BTreeMap<Address, Sign>,
    /// All times it did, up to a limit.
    spoken: BTreeMap<Address, Vec<(Nanos, PacketId)>>,
    /// Who got a reply addressed to it: replies would be seen here.
    pub told: BTreeSet<Address>,
    /// Which devices spoke for an address, in order of appearance.
    owners: BTreeMap<Address, Vec<Owner>>,
}

/// One device that speaks for an address.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Its link address.
    pub link: [u8; 6],
    /// Its first requests, replies and announcements.
    pub claims: Vec<PacketId>,
    /// When the first and the last of all were sent.
    pub span_ns: (Nanos, Nanos),
    /// It spoke again after another device had.
    returned: bool,
    /// Replies to one host that had not asked, which an address that moves does not need.
    unasked: usize,
}

/// An address that two devices use at one time.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The address.
    pub address: Address,
    /// The devices, in order of appearance; at least two.
    pub owners: Vec<Owner>,
    /// When the second appeared.
    pub since_ns: Nanos,
    /// How attempts at it end at each of them, where that differs.
    pub parting: Option<Parting>,
}

impl Owner {
    /// Whether it holds on to an address that another device claimed as well.
    pub(super) fn insists(&self) -> bool {
        self.returned || self.unasked >= UNASKED_MIN
    }
}

impl Conflict {
    /// The claims of all devices, in order.
    pub fn frames(&self) -> Vec<PacketId> {
        let mut frames: Vec<PacketId> =
            self.owners.iter().flat_map(|owner| owner.claims.iter().copied()).collect();
        frames.extend(self.parting.iter().flat_map(|parting| &parting.frames));
        frames.sort_unstable();
        frames
    }
}

/// Reads every ARP packet and neighbour message.
pub(super) fn listen(facts: &Facts<'_>) -> Heard {
    let mut heard = Heard::default();
    for segment in facts.index.segments() {
        for (row, protocol) in segment.protocol.iter().enumerate() {
            let arp = *protocol == ProtocolId::ARP.0;
            let nd = segment.transport.get(row) == Some(&58)
                && matches!(segment.source_port.get(row), Some(135 | 136));
            if !arp && !nd {
                continue;
            }
            let Some(packet) = facts.index.packet(PacketId(segment.base.0 + row as u32)) else { continue };
            if facts.is_copy(packet.id) {
                continue;
            }
            if arp {
                heard.arp(&packet);
            } else {
                heard.neighbour(&packet);
            }
        }
    }
    heard
}

impl Heard {
    /// The operation stands in bytes 6 and 7 of the packet (RFC 826), or in a printed line as words; 1 asks, 2 answers.
    fn arp(&mut self, packet: &Packet<'_>) {
        let decoded = packet.decode();
        let printed = packet.printed().map(|line| if line.body().contains(" is-at ") { 2 } else { 1 });
        let stated = || {
            let at = decoded.layers().last()?.start as usize;
            decoded.bytes.get(at + 6..at + 8)?.first_chunk::<2>().map(|pair| u16::from_be_bytes(*pair))
        };
        // Whoever shares an address sends from its own link address what names the shared one.
        let named = || {
            let at = decoded.layers().last()?.start as usize;
            decoded.bytes.get(at + 8..at + 14)?.first_chunk::<6>().copied()
        };
        let shared = named().filter(|link| printed.is_none() && is_shared(*link));
        let link = shared.or(decoded.link_addresses.map(|addresses| addresses.0));
        let (sender, target) = (decoded.source, decoded.destination);
        let unspecified = sender.ip().is_some_and(|ip| ip.is_unspecified());
        match printed.or_else(stated) {
            Some(1) => {
                // Whoever asks is alive; equal addresses announce one (RFC 5227), and 0.0.0.0 tests one.
                if !unspecified {
                    self.sign(sender, packet, link);
                }
                if sender != target && !unspecified {
                    self.ask(sender, target, packet);
                }
            }
            Some(2) => {
                self.sign(sender, packet, link);
                self.told.insert(target);
                self.unasked((sender, target), packet, link);
            }
            _ => {}
        }
    }

    /// The target stands in bytes 8 to 23 of the message (RFC 4861 §4.3, §4.4).
    fn neighbour(&mut self, packet: &Packet<'_>) {
        let decoded = packet.decode();
        let target = decoded.layers().last().and_then(|layer| {
            let at = layer.start as usize + 8;
            decoded
                .bytes
                .get(at..)?
                .first_chunk::<16>()
                .map(|octets| Address::V6((*octets).into()).at(decoded.site))
        });
        let Some(target) = target else { return };
        let link = decoded.link_addresses.map(|addresses| addresses.0);
        let tests = decoded.source.ip().is_some_and(|ip| ip.is_unspecified());
        if packet.source_port() == 135 {
            if !tests {
                self.ask(decoded.source, target, packet);
            }
        } else {
            self.sign(target, packet, link);
            self.told.insert(decoded.destination);
        }
    }

    fn ask(&mut self, asker: Address, target: Address, packet: &Packet<'_>) {
        let full = self.pairs.len() >= PAIRS_MAX && !self.pairs.contains_key(&(asker, target));
        if full {
            return;
        }
        let requests = &mut self.pairs.entry((asker, target)).or_default().requests;
        if requests.len() < KEPT_MAX {
            requests.push((packet.time_ns(), packet.id));
        }
    }

    fn sign(&mut self, address: Address, packet: &Packet<'_>, link: Option<Link>) {
        let sign = Sign { at_ns: packet.time_ns(), packet: packet.id, link };
        if let Some(link) = link.filter(|link| *link != [0; 6] && !is_shared(*link)) {
            self.claim(address, packet, link);
        }
        let spoken = self.spoken.entry(address).or_default();
        if spoken.len() < KEPT_MAX {
            spoken.push((sign.at_ns, sign.packet));
        }
        let known = self.signs.entry(address).or_insert(sign);
        if sign.at_ns >= known.at_ns {
            *known = sign;
        }
    }

    /// Notes which device speaks for an address.
    fn claim(&mut self, address: Address, packet: &Packet<'_>, link: Link) {
        let full = self.owners.len() >= OWNED_MAX && !self.owners.contains_key(&address);
        if full {
            return;
        }
        let at_ns = packet.time_ns();
        let owners = self.owners.entry(address).or_default();
        let others_ns = owners.iter().filter(|owner| owner.link != link).map(|owner| owner.span_ns.1).max();
        let known = owners.iter().position(|owner| owner.link == link);
        if let Some(owner) = known.and_then(|at| owners.get_mut(at)) {
            let after = others_ns.filter(|others_ns| *others_ns > owner.span_ns.1);
            owner.returned |= after.is_some_and(|others_ns| at_ns - others_ns <= BOTH_NS);
            owner.span_ns.1 = owner.span_ns.1.max(at_ns);
            if owner.claims.len() < CLAIMS_MAX {
                owner.claims.push(packet.id);
            }
        } else if owners.len() < OWNERS_MAX {
            owners.push(Owner {
                link,
                claims: vec![packet.id],
                span_ns: (at_ns, at_ns),
                returned: false,
                unasked: 0,
            });
        }
    }

    /// Counts a reply to a host that did not ask for it just before.
    fn unasked(&mut self, (sender, target): (Address, Address), packet: &Packet<'_>, link: Option<Link>) {
        let asked = self.pairs.get(&(target, sender)).and_then(|pair| pair.requests.last());
        let soon = asked.is_some_and(|(at_ns, _)| packet.time_ns() - at_ns <= ASKED_NS);
        if soon || sender == target {
            return;
        }
        let owners = self.owners.get_mut(&sender).into_iter().flatten();
        if let Some(owner) = owners.into_iter().find(|owner| Some(owner.link) == link) {
            owner.unasked += 1;
        }
    }

    /// When an address spoke for itself.
    pub fn spoke(&self, address: Address) -> impl Iterator<Item = (Nanos, PacketId)> + use<'_> {
        self.spoken.get(&address).into_iter().flatten().copied()
    }

    /// Addresses that were asked for, and whether they spoke.
    pub fn asked(&self) -> BTreeMap<Address, bool> {
        self.pairs.keys().map(|(_, target)| (*target, self.signs.contains_key(target))).collect()
    }

    /// The addresses of which nothing was ever heard, with the requests for them.
    pub(super) fn unheard(&self) -> BTreeMap<Address, Vec<PacketId>> {
        let mut all: BTreeMap<Address, Vec<PacketId>> = BTreeMap::new();
        for ((_, target), pair) in
            self.pairs.iter().filter(|((_, target), _)| !self.signs.contains_key(target))
        {
            all.entry(*target).or_default().extend(pair.requests.iter().map(|(_, packet)| *packet));
        }
        all
    }

    /// The addresses that several devices spoke for, at any time.
    pub(super) fn contested(&self) -> impl Iterator<Item = (Address, &[Owner])> {
        let several = self.owners.iter().filter(|(_, owners)| owners.len() >= 2);
        several.map(|(address, owners)| (*address, owners.as_slice()))
    }
}

/// A reply this soon after a request answers it.
const ASKED_NS: Nanos = 2_000_000_000;
/// Replies nobody asked for by which a device insists on an address that another one had.
const UNASKED_MIN: usize = 5;

/// Link addresses that several routers share by design: VRRP and CARP (RFC 9568 §7.3), HSRP, GLBP.
fn is_shared(link: Link) -> bool {
    matches!(
        link,
        [0, 0, 0x5e, 0, 1 | 2, _]
            | [0, 0, 0x0c, 0x07, 0xac, _]
            | [0, 0, 0x0c, 0x9f, ..]
            | [0, 0x07, 0xb4, ..]
    )
}
