//! Routers that stand in for one another: who of a group says that it has the shared addresses, and when that changed (VRRP, RFC 9568;
//! CARP; HSRP, RFC 2281).

use std::collections::BTreeMap;

use super::Facts;
use super::neighbours::{Link, Owner};
use crate::decode::{Address, Decoded};
use crate::index::PacketId;
use crate::time::Nanos;

/// Groups followed.
const GROUPS_MAX: usize = 1_024;
/// Turns kept of one group.
const TURNS_MAX: usize = 1_024;
/// IP protocol number of VRRP and CARP.
const VRRP: u8 = 112;
/// IP protocol number and port of HSRP.
const UDP: u8 = 17;
/// The port of HSRP.
const HSRP_PORT: u16 = 1_985;
/// Turns of routers that both hold on to the addresses, within [`BOTH_NS`]; one that hands over needs three.
const BOTH_TURNS: usize = 5;
/// See [`BOTH_TURNS`].
const BOTH_NS: Nanos = 15_000_000_000;

/// Which protocol, the number of its group, and the version of IP.
pub type Key = (&'static str, u16, bool);

/// A time in which one router said that it has the addresses.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The router.
    pub speaker: Address,
    /// Its link address.
    pub link: Option<Link>,
    /// Its first announcement.
    pub first: (Nanos, PacketId),
    /// Its last one.
    pub last: (Nanos, PacketId),
    /// Its priority.
    pub priority: u32,
    /// The announcement by which it gave up, where it did.
    pub resigned: Option<(Nanos, PacketId)>,
}

/// Routers that share addresses.
#[derive(Clone, Debug)]
pub struct Group {
    /// Which.
    pub key: Key,
    /// The shared addresses, where the protocol names them.
    pub addresses: Vec<Address>,
    /// Who had them, in order.
    pub turns: Vec<Turn>,
}

impl Group {
    /// Whether two routers hold on to the addresses at one time, so that neither hears the other.
    pub fn is_torn(&self) -> bool {
        self.turns.windows(BOTH_TURNS).any(|turns| match turns {
            [first, .., last] => {
                last.first.0 - first.first.0 <= BOTH_NS && turns.iter().all(|turn| turn.resigned.is_none())
            }
            _ => false,
        })
    }

    /// Whether it explains that several devices speak for an address, one after the other.
    pub fn explains(&self, address: Address, owners: &[Owner]) -> bool {
        let speaks = |owner: &Owner| self.turns.iter().any(|turn| turn.link == Some(owner.link));
        self.addresses.contains(&address) && !self.is_torn() && owners.iter().all(speaks)
    }
}

/// What one announcement says.
struct Said {
    key: Key,
    priority: u32,
    /// Its sender gives up.
    resigns: bool,
    addresses: Vec<Address>,
}

/// The groups of a capture.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Group> {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    for segment in facts.index.segments() {
        for (row, transport) in segment.transport.iter().enumerate() {
            let hsrp = *transport == UDP && segment.destination_port.get(row) == Some(&HSRP_PORT);
            if *transport != VRRP && !hsrp {
                continue;
            }
            let Some(packet) = facts.index.packet(PacketId(segment.base.0 + row as u32)) else { continue };
            if facts.is_copy(packet.id) || packet.is_text() {
                continue;
            }
            let decoded = packet.decode();
            let said = if hsrp { standby(&decoded) } else { advertised(&decoded) };
            let Some(said) = said else { continue };
            let full = groups.len() >= GROUPS_MAX && !groups.contains_key(&said.key);
            if full {
                continue;
            }
            let group = groups.entry(said.key).or_insert_with(|| Group {
                key: said.key,
                addresses: Vec::new(),
                turns: Vec::new(),
            });
            for address in &said.addresses {
                if !group.addresses.contains(address) {
                    group.addresses.push(*address);
                }
            }
            let seen = (packet.time_ns(), packet.id);
            let link = decoded.link_addresses.map(|addresses| addresses.0);
            note(group, &said, decoded.source, link, seen);
        }
    }
    groups.into_values().collect()
}

fn note(group: &mut Group, said: &Said, speaker: Address, link: Option<Link>, seen: (Nanos, PacketId)) {
    let is_full = group.turns.len() >= TURNS_MAX;
    match group.turns.last_mut().filter(|turn| turn.speaker == speaker) {
        Some(turn) if said.resigns => turn.resigned = turn.resigned.or(Some(seen)),
        Some(turn) => (turn.last, turn.resigned) = (seen, None),
        None if said.resigns || is_full => {}
        None => group.turns.push(Turn {
            speaker,
            link,
            first: seen,
            last: seen,
            priority: said.priority,
            resigned: None,
        }),
    }
}

/// An advertisement of VRRP or CARP: only who has the addresses sends them, and priority 0 gives them up (RFC 9568 §5.2).
fn advertised(decoded: &Decoded<'_>) -> Option<Said> {
    /// Bytes of a message of CARP, and the length it states of its counter and hash in words.
    const CARP: (usize, u8) = (36, 7);
    const HEADER: usize = 8;
    let message = decoded.bytes.get(decoded.transport_start as usize..decoded.payload_end as usize)?;
    let (kind, id, priority, count) =
        (*message.first()?, *message.get(1)?, *message.get(2)?, *message.get(3)?);
    let v6 = decoded.source.is_v6();
    if kind & 15 != 1 {
        return None;
    }
    if kind >> 4 == 2 && (message.len(), count) == CARP {
        let key = ("CARP", u16::from(id), v6);
        // Where VRRP has its priority, CARP says how much later its sender speaks; 255 gives up.
        let priority = u32::from(u8::MAX - priority);
        return Some(Said { key, priority, resigns: priority == 0, addresses: Vec::new() });
    }
    let size = if v6 { 16 } else { 4 };
    let listed = message.get(HEADER..).unwrap_or_default().chunks_exact(size).take(usize::from(count));
    let addresses = listed.filter_map(address).map(|address| address.at(decoded.site)).collect();
    let key = ("VRRP", u16::from(id), v6);
    Some(Said { key, priority: u32::from(priority), resigns: priority == 0, addresses })
}

/// A hello of HSRP of who has the address, or its resignation (RFC 2281 §5; version 2 puts the same into an element of its own).
fn standby(decoded: &Decoded<'_>) -> Option<Said> {
    const RESIGN: u8 = 2;
    const ACTIVE_1: u8 = 16;
    const ACTIVE_2: u8 = 6;
    let message = decoded.payload();
    let said = |resigns, id, priority, listed: Option<&[u8]>| Said {
        key: ("HSRP", id, false),
        priority,
        resigns,
        addresses: listed.and_then(address).map(|address| address.at(decoded.site)).into_iter().collect(),
    };
    let number = |range: std::ops::Range<usize>| {
        message.get(range).map(|bytes| bytes.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)))
    };
    match message {
        [0, operation, state, ..] if *operation == RESIGN || *state == ACTIVE_1 => {
            let (priority, id) = (number(5..6)?, number(6..7)? as u16);
            Some(said(*operation == RESIGN, id, priority, message.get(16..20)))
        }
        [1, 40, 2, operation, state, 4, ..] if *operation == RESIGN || *state == ACTIVE_2 => {
            let (priority, id) = (number(14..18)?, number(6..8)? as u16);
            Some(said(*operation == RESIGN, id, priority, message.get(26..30)))
        }
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<Address> {
    match bytes.len() {
        4 => bytes.first_chunk::<4>().map(|octets| Address::V4((*octets).into())),
        _ => bytes.first_chunk::<16>().map(|octets| Address::V6((*octets).into())),
    }
}
