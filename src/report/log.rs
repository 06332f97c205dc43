//! The packets of a report in the form tcpdump prints them, one a line with its frame number.

use super::Input;
use crate::index::{Packet, PacketId, segment::flags};

/// Packets printed; the rest is counted.
const LINES_MAX: usize = 200;

/// The DNS and ICMP packets of the problems, or of the whole capture where there are none; and how many were left out.
pub fn lines(input: &Input<'_>) -> (Vec<String>, u64) {
    let mut ids: Vec<PacketId> = input
        .evidence
        .problems
        .iter()
        .flat_map(|problem| &problem.episodes)
        .filter_map(|id| input.evidence.episodes.get(id.0 as usize))
        .flat_map(|episode| episode.frames.iter().copied())
        .collect();
    if ids.is_empty() {
        let dns = input.index.dns_rows().map(|row| row.packet);
        ids = dns.chain(input.index.icmp_rows().map(|row| row.packet)).collect();
    }
    ids.sort_unstable();
    ids.dedup();
    let left_out = ids.len().saturating_sub(LINES_MAX) as u64;
    ids.truncate(LINES_MAX);
    let lines = ids.iter().filter_map(|id| input.index.packet(*id)).map(|packet| line(input, &packet));
    (lines.collect(), left_out)
}

/// `F2 13:24:36.098564 IP 203.0.113.2 > 192.51.100.15: ICMP …`; a transcript's own text is kept.
pub fn line(input: &Input<'_>, packet: &Packet<'_>) -> String {
    let label = input.index.label(packet.id);
    if packet.is_text() {
        let text = crate::text::escape_bytes(packet.bytes());
        let text = text.replace("\\x0a", " ").replace("\\x0d", " ");
        return format!("{label} {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let family = match packet.source_address() {
        address if address.is_v6() => "IP6 ",
        address if address.is_v4() => "IP ",
        _ => "",
    };
    let ports = matches!(packet.transport(), 6 | 17) && packet.flags() & flags::STOPPED == 0;
    let end = |address: crate::decode::Address, port: u16| {
        if ports { format!("{address}.{port}") } else { address.to_string() }
    };
    let summary = packet.summary();
    let word = match packet.protocol() {
        crate::protocols::ProtocolId::DNS => String::new(),
        other if summary.starts_with(other.protocol().label) => String::new(),
        other => format!("{} ", other.protocol().label),
    };
    format!(
        "{label} {} {family}{} > {}: {word}{summary}",
        input.index.basis().moment(packet.time_ns()),
        end(packet.source_address(), packet.source_port()),
        end(packet.destination_address(), packet.destination_port()),
    )
}
