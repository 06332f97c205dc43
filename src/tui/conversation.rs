//! Finds the packets of a conversation by their columns alone: nothing is decoded.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};

use super::state::Rows;
use crate::decode::Address;
use crate::index::{Index, PacketId, Segment};
use crate::time::Nanos;

/// Rows between two looks at the cancel flag.
const CANCEL_EVERY: usize = 65_536;

/// The two ends of a conversation and what carries it.
#[derive(Clone, Copy, Debug)]
pub struct Conversation {
    /// The ends; port 0 stands for any.
    pub ends: [(Address, u16); 2],
    /// IP protocol number.
    pub transport: u8,
}

/// A conversation's addresses as one segment numbers them.
type Numbers = Option<[u32; 2]>;

/// The row of the next packet between the same two ends, from `from` on towards one end of the rows.
pub fn next(index: &Index, rows: &Rows, from: usize, backward: bool, cancel: &AtomicBool) -> Option<usize> {
    let wanted = Conversation::of(index, rows.get(index, from)?)?;
    let mut numbers: Option<(PacketId, Numbers)> = None;
    let mut seen = 0_usize;
    let mut same = |row: &usize| {
        let Some(id) = rows.get(index, *row) else { return false };
        let Some((segment, at)) = index.locate(id) else { return false };
        let known = match numbers {
            Some((base, known)) if base == segment.base => known,
            _ => {
                let known = wanted.numbers(segment);
                numbers = Some((segment.base, known));
                known
            }
        };
        known.is_some_and(|known| wanted.matches(segment, at, known))
    };
    let mut going = |_: &usize| {
        seen += 1;
        !seen.is_multiple_of(CANCEL_EVERY) || !cancel.load(Ordering::Relaxed)
    };
    if backward {
        (0..from).rev().take_while(&mut going).find(&mut same)
    } else {
        (from + 1..rows.len(index)).take_while(&mut going).find(&mut same)
    }
}

/// Whether the port columns hold ports: ICMP keeps type and code there.
fn has_ports(transport: u8) -> bool {
    !matches!(transport, 1 | 58)
}

impl Conversation {
    /// That of a packet, whose sender is its first end.
    pub fn of(index: &Index, id: PacketId) -> Option<Self> {
        let packet = index.packet(id)?;
        let transport = packet.transport();
        let port = |port: u16| if has_ports(transport) { port } else { 0 };
        let ends = [
            (packet.source_address(), port(packet.source_port())),
            (packet.destination_address(), port(packet.destination_port())),
        ];
        Some(Self { ends, transport })
    }

    /// Its packets inside a stretch of time, in packet order.
    pub fn packets(
        &self,
        index: &Index,
        during: &RangeInclusive<Nanos>,
        cancel: &AtomicBool,
    ) -> Vec<PacketId> {
        let mut found = Vec::new();
        for segment in index.segments() {
            let (from, to) = segment.span_ns;
            let Some(known) =
                self.numbers(segment).filter(|_| to >= *during.start() && from <= *during.end())
            else {
                continue;
            };
            if cancel.load(Ordering::Relaxed) {
                return found;
            }
            let rows = segment.time_ns.iter().enumerate().filter(|(_, time_ns)| during.contains(time_ns));
            let own = rows.filter(|(row, _)| self.matches(segment, *row, known));
            found.extend(own.map(|(row, _)| PacketId(segment.base.0 + row as u32)));
        }
        found
    }

    fn numbers(&self, segment: &Segment) -> Numbers {
        let number = |wanted| segment.addresses.iter().position(|address| *address == wanted);
        let [a, b] = self.ends;
        Some([u32::try_from(number(a.0)?).ok()?, u32::try_from(number(b.0)?).ok()?])
    }

    fn matches(&self, segment: &Segment, row: usize, [a, b]: [u32; 2]) -> bool {
        let (Some(source), Some(destination)) =
            (segment.source_address.get(row), segment.destination_address.get(row))
        else {
            return false;
        };
        let (source, destination) = (*source, *destination);
        if !((source, destination) == (a, b) || (source, destination) == (b, a)) {
            return false;
        }
        if segment.transport.get(row) != Some(&self.transport) {
            return false;
        }
        let port = |column: &[u16]| match column.get(row) {
            Some(port) if has_ports(self.transport) => *port,
            _ => 0,
        };
        let ports = (port(&segment.source_port), port(&segment.destination_port));
        let [(_, first), (_, second)] = self.ends;
        let fits =
            |(one, other): (u16, u16)| (first == 0 || first == one) && (second == 0 || second == other);
        (fits(ports) && (source, destination) == (a, b))
            || (fits((ports.1, ports.0)) && (source, destination) == (b, a))
    }
}
