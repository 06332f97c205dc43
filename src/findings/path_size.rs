//! Rule `path-size-ignored`: a router says that packets are too big, and their sender goes on sending them.

use std::collections::BTreeMap;

use super::facts::errors::Quoted;
use super::facts::{ErrorFact, Facts, Meaning};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// The rule.
pub static RULE: Rule = Rule {
    id: "path-size-ignored",
    title: "Packets too big for the path, sent again and again",
    doc: "A router reports three times or more that packets of one flow are too big for the next link (ICMP fragmentation needed, \
          ICMPv6 packet too big), each time a fifth of a second or more after it had said so first: the sender never learns it \
          (RFC 1191 §4, RFC 2923 §2.1). Once or within that time it is how path MTU discovery works. Medium.",
    run,
};

/// What was sent before the first message came does not count.
const SETTLED_NS: Nanos = 200_000_000;
/// Messages after that, with the first, from which on it is no chance.
const MESSAGES_MIN: usize = 3;

/// A flow whose sender kept its size.
pub(super) struct Told {
    quoted: Quoted,
    sender: Address,
    packets: Vec<PacketId>,
}

impl Told {
    /// Whether a message is one of those about it.
    pub(super) fn shows(&self, packet: PacketId) -> bool {
        self.packets.binary_search(&packet).is_ok()
    }
}

/// The flows about which a router said the same again after it must have been known.
pub(super) fn ignored(facts: &Facts<'_>) -> Vec<Told> {
    type Flow = ((Address, u16), (Address, u16), u8, Address);
    let mut flows: BTreeMap<Flow, Vec<(&ErrorFact, Quoted)>> = BTreeMap::new();
    for error in facts.errors.iter().filter(|error| error.meaning == Meaning::TooBig) {
        let Some(quoted) = error.quoted.or_else(|| named(error)) else { continue };
        let flow = (quoted.source, quoted.destination, quoted.transport, error.source);
        flows.entry(flow).or_default().push((error, quoted));
    }
    let kept = flows.into_values().filter_map(|errors| {
        let (first, quoted) = errors.first()?;
        let late = |(error, _): &&(&ErrorFact, Quoted)| error.time_ns - first.time_ns >= SETTLED_NS;
        errors.iter().any(|error| late(&error)).then(|| Told {
            quoted: *quoted,
            sender: first.source,
            packets: errors.iter().map(|(error, _)| error.packet).collect(),
        })
    });
    kept.collect()
}

/// The hosts alone, where a printed line names no ports.
fn named(error: &ErrorFact) -> Option<Quoted> {
    error.refused_destination().map(|receiver| Quoted {
        source: (error.destination, 0),
        destination: (receiver, 0),
        transport: 0,
        ttl: 0,
        payload_bytes: 0,
    })
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let lasting = ignored(facts).into_iter().filter(|told| told.packets.len() >= MESSAGES_MIN);
    lasting.map(|told| finding(facts, told)).collect()
}

fn finding(facts: &Facts<'_>, told: Told) -> Finding {
    let Told { quoted, sender, packets } = told;
    let count = packets.len();
    let size = packets.first().and_then(|packet| size(facts, *packet));
    let size =
        size.map_or_else(String::new, |size| format!(" (the next link takes {size} bytes: MTU {size})"));
    let port = match (quoted.transport, quoted.destination.1) {
        (_, 0) => String::new(),
        (6, port) => format!(" TCP port {port}"),
        (_, port) => format!(" UDP port {port}"),
    };
    let frames = rules::tidy(packets);
    Finding {
        id: RULE.id,
        severity: Severity::Medium,
        statement: format!(
            "{sender} said {count} times that packets from {} to {}{port} are too big{size}, and they kept coming",
            quoted.source.0, quoted.destination.0
        ),
        counts: vec![Count {
            label: "messages".into(),
            value: count as u64,
            filter: rules::frames_counted(facts, &frames),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}

/// The size a message names: bytes 6 and 7 of ICMP (RFC 1191 §4), 4 to 7 of ICMPv6 (RFC 4443 §3.2); 0 names none.
fn size(facts: &Facts<'_>, packet: PacketId) -> Option<u32> {
    let packet = facts.index.packet(packet)?;
    if let Some(line) = packet.printed() {
        return line.icmp?.mtu;
    }
    let decoded = packet.decode();
    let at = decoded.transport_start as usize;
    let from = if packet.transport() == 58 { at + 4 } else { at + 6 };
    let bytes = decoded.bytes.get(from..at + 8)?;
    Some(bytes.iter().fold(0, |all, byte| all << 8 | u32::from(*byte))).filter(|size| *size > 0)
}
