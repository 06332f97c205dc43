//! Finds, among many packets of one flow, the newest that carry what a quote holds, without looking at all of them.

use rayon::prelude::*;

use crate::decode::{Decoded, Transport};
use crate::index::{Index, PacketId};

/// Packets of a flow before an error that are all compared with it; of more, those that carry what it quotes.
pub(super) const COMPARED_MAX: usize = 16;
/// Packets taken for what they carry, for each thing a quote holds.
const ALIKE_MAX: usize = 4;
/// Packets taken because they are the newest.
const NEWEST_MAX: usize = 8;
/// Of the packets whose sequence numbers lie below the quoted one, those that may hold it.
const HOLDING_MAX: usize = 2;

/// What a packet carries besides addresses and ports, as far as a short quote holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Print {
    ip_id: Option<u16>,
    /// TCP sequence number, DNS id, echo identifier and sequence.
    identifier: Option<u32>,
    is_segment: bool,
}

impl Print {
    pub fn of(decoded: &Decoded<'_>) -> Self {
        let start = decoded.transport_start as usize;
        let word = |at: usize| {
            let bytes = decoded.bytes.get(start + at..)?.first_chunk::<4>()?;
            Some(u32::from_be_bytes(*bytes))
        };
        let identifier = match decoded.transport {
            Transport::Tcp { .. } | Transport::Icmp { .. } | Transport::Icmpv6 { .. } => word(4),
            Transport::Udp { .. } => {
                let id = decoded.payload().first_chunk::<2>();
                id.map(|id| u32::from(u16::from_be_bytes(*id)))
            }
            Transport::None | Transport::Other(_) => None,
        };
        // TCP's sequence and an echo's numbers both stand in the second word of their headers.
        let is_segment = matches!(decoded.transport, Transport::Tcp { .. });
        Self { ip_id: decoded.ip_id.filter(|id| *id != 0), identifier, is_segment }
    }
}

/// The packets of one flow by what they carry; places count from its first packet.
#[derive(Debug, Default)]
pub(super) struct Prints {
    ip_ids: Vec<(u16, u32)>,
    identifiers: Vec<(u32, u32)>,
}

impl Prints {
    /// Reads the packets of a flow, in matching order.
    pub fn read(index: &Index, packets: &[PacketId]) -> Self {
        let print = |packet: &PacketId| index.packet(*packet).map(|packet| Print::of(&packet.decode()));
        let prints: Vec<Print> = packets.par_iter().map(|packet| print(packet).unwrap_or_default()).collect();
        let placed = || prints.iter().zip(0u32..);
        let mut ip_ids: Vec<(u16, u32)> =
            placed().filter_map(|(print, at)| Some((print.ip_id?, at))).collect();
        let mut identifiers: Vec<(u32, u32)> =
            placed().filter_map(|(print, at)| Some((print.identifier?, at))).collect();
        ip_ids.par_sort_unstable();
        identifiers.par_sort_unstable();
        Self { ip_ids, identifiers }
    }

    /// The places before `end` whose packets may be the quoted one, newest first: a few, however many there are.
    pub fn places(&self, quoted: Print, end: u32) -> Vec<u32> {
        let mut places: Vec<u32> = (0..end).rev().take(NEWEST_MAX).collect();
        for id in quoted.ip_id.iter().flat_map(|id| [*id, id.swap_bytes()]) {
            places.extend(newest(&self.ip_ids, id, end));
        }
        if let Some(identifier) = quoted.identifier {
            places.extend(newest(&self.identifiers, identifier, end));
            if quoted.is_segment {
                let below = self.identifiers.partition_point(|(known, _)| *known < identifier);
                let holding = self.identifiers.iter().take(below).rev().take(HOLDING_MAX);
                places.extend(holding.map(|(_, at)| *at).filter(|at| *at < end));
            }
        }
        places.sort_unstable_by(|one, other| other.cmp(one));
        places.dedup();
        places
    }
}

/// The newest places before `end` under one key.
fn newest<K: Ord + Copy>(sorted: &[(K, u32)], key: K, end: u32) -> impl Iterator<Item = u32> + '_ {
    let next = sorted.partition_point(|entry| *entry < (key, end));
    let same = sorted.iter().take(next).rev().take_while(move |(known, _)| *known == key);
    same.take(ALIKE_MAX).map(|(_, at)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets a search may look at, whatever the flow holds.
    const STEPS_MAX: usize = NEWEST_MAX + 3 * ALIKE_MAX + HOLDING_MAX;

    fn prints(count: u32) -> Prints {
        let ip_ids = (0..count).map(|at| ((at % 5_000) as u16 + 1, at));
        let identifiers = (0..count).map(|at| (at % 7_000, at));
        let mut prints = Prints { ip_ids: ip_ids.collect(), identifiers: identifiers.collect() };
        prints.ip_ids.sort_unstable();
        prints.identifiers.sort_unstable();
        prints
    }

    #[test]
    fn a_flow_of_many_packets_costs_an_error_no_more_steps_than_a_short_one() {
        let prints = prints(100_000);
        for end in [1_000, 50_000, 99_999] {
            let sent = end - 700;
            let quoted = Print { ip_id: Some((sent % 5_000) as u16 + 1), ..Print::default() };
            let places = prints.places(quoted, end);
            assert!(places.contains(&sent), "the packet with the quoted IP id");
            assert!(places.len() <= STEPS_MAX && places.is_sorted_by(|one, other| one > other));
            let quoted = Print { identifier: Some(sent % 7_000), is_segment: true, ip_id: Some(9) };
            let places = prints.places(quoted, end);
            assert!(places.contains(&sent), "the packet with the quoted identifier");
            assert!(places.len() <= STEPS_MAX);
        }
    }
}
