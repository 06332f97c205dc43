//! Counts the ICMP errors about DNS and those of them that are tied to a DNS message of the capture.

use super::{Evidence, printed};
use crate::decode::Quote;
use crate::index::segment::flags;
use crate::index::{Index, PacketId};

/// ICMP errors about DNS; copies and redirects are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DnsErrors {
    /// Errors that quote a packet from or to a port of DNS.
    pub all: u64,
    /// Those linked to a DNS query or response (or the first piece of one), not to a probe without a question.
    pub linked: u64,
}

/// Counts them.
pub fn dns_errors(index: &Index, evidence: &Evidence) -> DnsErrors {
    let mut counts = DnsErrors::default();
    for link in evidence.error_links() {
        if quotes_dns(index, link.from, link.to) {
            counts.all += 1;
            counts.linked += u64::from(link.to.is_some_and(|target| is_message(index, target)));
        }
    }
    counts
}

fn quotes_dns(index: &Index, error: PacketId, target: Option<PacketId>) -> bool {
    if let Some(error) = printed::Error::read(index, error) {
        // A line that names no port is about DNS if what it is tied to is.
        let tied = || index.packet(target?).map(|packet| packet.destination_port());
        let port = error.server.1.or_else(tied);
        return port.is_some_and(|port| index.settings.is_dns_port(port)) && !error.head.is_note();
    }
    let Some(packet) = index.packet(error) else { return false };
    let decoded = packet.decode();
    let note = !packet.source_address().is_v6() && matches!(packet.source_port(), 4 | 5);
    let ports = Quote::read(&decoded).and_then(|quote| quote.inner.ports());
    !note
        && ports.is_some_and(|(from, to)| index.settings.is_dns_port(from) || index.settings.is_dns_port(to))
}

fn is_message(index: &Index, target: PacketId) -> bool {
    let Some(packet) = index.packet(target) else { return false };
    let asks = packet.dns_rows().iter().any(|row| row.header.counts != [0; 4]);
    // Over TCP the error is about a segment of the connection, which need not complete a message.
    asks || packet.flags() & flags::FRAGMENT != 0 || packet.transport() == 6
}
