//! Every ICMP error as rules read it: who sent it, what it means, what it quotes, what it is linked to.

use super::Facts;
use crate::correlate::{Level, LinkKind};
use crate::decode::transcript::CODE_NOT_PRINTED;
use crate::decode::{Address, Quote};
use crate::index::{DnsRow, Packet, PacketId};
use crate::time::Nanos;

/// Errors read in detail; a scan or a flood of answers to closed ports can hold millions.
pub const ERRORS_MAX: usize = 100_000;

/// What an error says, over both versions (RFC 792, RFC 1812 §5.2.7, RFC 4443 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// 3/3, v6 1/4 (and 3/2 about UDP or TCP).
    PortUnreachable,
    /// 3/2 about any other protocol: the host does not take it.
    ProtocolUnreachable,
    /// 3/9, 3/10, 3/13, 3/14, 3/15, v6 1/1, 1/5, 1/6.
    Prohibited,
    /// 3/1, 3/5, 3/7, 3/8, 3/12, v6 1/2, 1/3.
    HostUnreachable,
    /// 3/0, 3/6, 3/11, v6 1/0.
    NetUnreachable,
    /// 3/4, v6 type 2.
    TooBig,
    /// 11/0, v6 3/0.
    HopsExceeded,
    /// 11/1, v6 3/1.
    ReassemblyExpired,
    /// Anything else (redirect, source quench, parameter problem).
    Other,
}

impl Meaning {
    /// Reads type and code.
    pub fn of(v6: bool, kind: u8, code: u8) -> Self {
        match (v6, kind, code) {
            (false, 3, 2 | 3) | (true, 1, 4) => Self::PortUnreachable,
            (false, 3, 9 | 10 | 13 | 14 | 15) | (true, 1, 1 | 5 | 6) => Self::Prohibited,
            (false, 3, 1 | 5 | 7 | 8 | 12) | (true, 1, 2 | 3) => Self::HostUnreachable,
            (false, 3, 0 | 6 | 11) | (true, 1, 0) => Self::NetUnreachable,
            (false, 3, 4) | (true, 2, _) => Self::TooBig,
            (false, 11, 0) | (true, 3, 0) => Self::HopsExceeded,
            (false, 11, 1) | (true, 3, 1) => Self::ReassemblyExpired,
            _ => Self::Other,
        }
    }

    /// The message's name in plain words.
    pub fn words(self) -> &'static str {
        match self {
            Self::PortUnreachable => "port unreachable",
            Self::ProtocolUnreachable => "protocol unreachable",
            Self::Prohibited => "administratively prohibited",
            Self::HostUnreachable => "host unreachable",
            Self::NetUnreachable => "network unreachable",
            Self::TooBig => "packet too big",
            Self::HopsExceeded => "time exceeded in transit",
            Self::ReassemblyExpired => "reassembly time exceeded",
            Self::Other => "ICMP error",
        }
    }
}

/// What the quote inside an error shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Sender and port of the quoted packet.
    pub source: (Address, u16),
    /// Receiver and port.
    pub destination: (Address, u16),
    /// IP protocol number.
    pub transport: u8,
    /// TTL or hop limit as quoted.
    pub ttl: u8,
    /// Quoted bytes after the transport header.
    pub payload_bytes: usize,
}

/// One ICMP error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorFact {
    /// Its packet.
    pub packet: PacketId,
    /// When.
    pub time_ns: Nanos,
    /// Who sent it.
    pub source: Address,
    /// Who was told.
    pub destination: Address,
    /// Type and code, and whether ICMPv6.
    pub icmp: (u8, u8, bool),
    /// What it says.
    pub meaning: Meaning,
    /// TTL on arrival; 0 when not recorded.
    pub ttl: u8,
    /// The quote, where one can be read.
    pub quoted: Option<Quoted>,
    /// The packet it is about.
    pub about: Option<PacketId>,
    /// The packet it is about is a DNS response.
    of_response: bool,
    /// Where the packet it is about was going, as linked or as a line prints it.
    about_destination: Option<Address>,
    /// How sure that is; `None` when correlation made no link.
    pub level: Option<Level>,
    /// Time since that packet; 0 without one.
    pub delta_ns: Nanos,
    /// Later than its type explains.
    pub delayed: bool,
}

impl ErrorFact {
    /// The message's name in plain words; 3/2 means the same as 3/3 and has a name of its own.
    pub fn words(&self) -> &'static str {
        match self.icmp {
            (3, 2, false) => "protocol unreachable",
            _ => self.meaning.words(),
        }
    }

    /// `3/3`, `v6 1/4`.
    pub fn code_words(&self) -> String {
        let (kind, code, v6) = self.icmp;
        if code == CODE_NOT_PRINTED {
            return format!("{} type {kind} (its code was not captured)", if v6 { "ICMPv6" } else { "ICMP" });
        }
        if v6 { format!("ICMPv6 type {kind} code {code}") } else { format!("ICMP type {kind} code {code}") }
    }

    /// Where the packet went that it is about: as quoted, or, where a printed line quotes nothing, as linked.
    pub fn refused_destination(&self) -> Option<Address> {
        self.quoted.map(|quoted| quoted.destination.0).or(self.about_destination)
    }

    /// Whether it is about a DNS response, not a query: the client's side sent it.
    pub fn is_about_response(&self) -> bool {
        self.of_response
    }
}

/// Reads all errors that are not copies, in packet order.
pub(super) fn read(facts: &mut Facts<'_>) -> Vec<ErrorFact> {
    let mut errors = Vec::new();
    for row in facts.index.icmp_rows() {
        if errors.len() >= ERRORS_MAX {
            facts.notes.push(format!("only the first {ERRORS_MAX} ICMP errors were looked at in detail"));
            break;
        }
        if facts.is_copy(row.packet) {
            continue;
        }
        let Some(packet) = facts.index.packet(row.packet) else { continue };
        let decoded = packet.decode();
        let link =
            facts.evidence.links_from(row.packet).into_iter().find(|link| link.kind == LinkKind::ErrorAbout);
        let about = link.as_ref().and_then(|link| link.to);
        let target = about.and_then(|about| facts.index.packet(about));
        let quoted = Quote::read(&decoded)
            .map(|quote| {
                let (source_port, destination_port) = quote.inner.ports().unwrap_or((0, 0));
                Quoted {
                    source: (quote.inner.source, source_port),
                    destination: (quote.inner.destination, destination_port),
                    transport: quote.inner.ip_protocol,
                    ttl: quote.inner.ttl,
                    payload_bytes: quote.payload().len(),
                }
            })
            .or_else(|| target.as_ref().filter(|_| packet.is_text()).and_then(supposed))
            .or_else(|| printed(&packet));
        errors.push(ErrorFact {
            packet: row.packet,
            time_ns: packet.time_ns(),
            source: decoded.source,
            destination: decoded.destination,
            icmp: (row.kind, row.code, row.v6),
            meaning: match (row.v6, row.kind, row.code) {
                (false, 3, 2) if !carries_ports(&packet, quoted.as_ref()) => Meaning::ProtocolUnreachable,
                (v6, kind, code) => Meaning::of(v6, kind, code),
            },
            ttl: decoded.ttl,
            quoted,
            about,
            about_destination: target.map(|packet| packet.destination_address()).or_else(|| {
                let receiver = packet.printed()?.icmp?.quoted?;
                Some(receiver.address)
            }),
            of_response: target.is_some_and(|packet| packet.dns().is_some_and(DnsRow::is_response))
                || quoted.is_some_and(|quoted| {
                    facts.is_dns_port(quoted.source.1) && !facts.is_dns_port(quoted.destination.1)
                }),
            level: link.as_ref().map(|link| link.level),
            delta_ns: link.as_ref().map_or(0, |link| link.delta_ns),
            delayed: link.as_ref().is_some_and(|link| link.delayed),
        });
    }
    errors
}

/// Whether an error is about a packet of a protocol with ports, as far as can be told.
fn carries_ports(packet: &Packet<'_>, quoted: Option<&Quoted>) -> bool {
    let printed = || packet.printed()?.icmp?.quoted_protocol;
    quoted.map(|quoted| quoted.transport).or_else(printed).is_none_or(|protocol| matches!(protocol, 6 | 17))
}

/// What a printed line tells of the packet an error is about: `203.0.113.2 udp port 53 unreachable`.
fn printed(packet: &Packet<'_>) -> Option<Quoted> {
    let icmp = packet.printed()?.icmp?;
    let transport = icmp.quoted_protocol?;
    let has_ports = matches!(transport, 6 | 17);
    Some(Quoted {
        source: (packet.destination_address(), 0),
        destination: (icmp.quoted?.address, if has_ports { icmp.quoted_port? } else { 0 }),
        transport,
        ttl: 0,
        payload_bytes: 0,
    })
}

/// What a packet would be quoted as by a line that names no ports, if that line is about it; what is asked of DNS is told by
/// its transaction.
fn supposed(target: &Packet<'_>) -> Option<Quoted> {
    let has_ports = matches!(target.transport(), 6 | 17);
    (has_ports && target.dns().is_none()).then(|| Quoted {
        source: (target.source_address(), target.source_port()),
        destination: (target.destination_address(), target.destination_port()),
        transport: target.transport(),
        ttl: 0,
        payload_bytes: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_an_error_mean_the_same() {
        assert_eq!(Meaning::of(false, 3, 3), Meaning::of(true, 1, 4));
        assert_eq!(Meaning::of(false, 3, 13), Meaning::of(true, 1, 1));
        assert_eq!(Meaning::of(false, 3, 1), Meaning::of(true, 1, 3));
        assert_eq!(Meaning::of(false, 11, 1), Meaning::of(true, 3, 1));
    }
}
