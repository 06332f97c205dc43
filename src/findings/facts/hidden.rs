//! Captures that cannot show ICMP errors: a filter by port or for UDP leaves them out, so that a refusal looks like silence.

use crate::index::{Index, IndexedSource};
use crate::settings::Settings;
use crate::text::escape;

/// Packets from which it is no chance that all are alike.
const ALIKE_MIN: u32 = 4;
/// The IP protocol number of UDP.
const UDP: u8 = 17;
/// Words of a capture filter that ICMP does not match (pcap-filter(7)).
const LEFT_OUT_BY: [&str; 4] = ["port", "portrange", "udp", "tcp"];

/// Why a capture would not show ICMP errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// Every packet has a port of DNS.
    Ports,
    /// Every packet is UDP.
    Udp,
    /// The capture records a filter that leaves them out.
    Filter(String),
}

impl Hidden {
    /// Looks at recorded filters and at what all packets have in common; `None` where some capture shows ICMP.
    pub fn of(index: &Index) -> Option<Self> {
        let recorded = index.sources.iter().map(|source| filter_of(source).filter(|text| leaves_out(text)));
        let recorded: Option<Vec<String>> = recorded.collect();
        if let Some(first) = recorded.and_then(|all| all.into_iter().next()) {
            return Some(Self::Filter(first));
        }
        if index.len() < ALIKE_MIN || index.sources.iter().any(|source| filter_of(source).is_some()) {
            return None;
        }
        let is_dns = |port: &u16| index.settings.is_dns_port(*port);
        let (mut ports, mut udp) = (true, true);
        for segment in index.segments() {
            let ends = segment.source_port.iter().zip(&segment.destination_port);
            for (transport, (from, to)) in segment.transport.iter().zip(ends) {
                udp &= *transport == UDP;
                ports &= matches!(*transport, 6 | UDP) && (is_dns(from) || is_dns(to));
            }
            if !(ports || udp) {
                return None;
            }
        }
        Some(if ports { Self::Ports } else { Self::Udp })
    }

    /// One sentence about a `capture` or `log`.
    pub fn words(&self, settings: &Settings, record: &str) -> String {
        match self {
            Self::Ports => format!(
                "Every packet of the {record} has port {}; a capture filter by port leaves out ICMP errors.",
                settings.dns_ports_in_words()
            ),
            Self::Udp => format!(
                "Every packet of the {record} is UDP; a capture filter for it leaves out ICMP errors."
            ),
            Self::Filter(filter) => {
                format!("The capture filter “{}” leaves out ICMP errors.", escape(filter))
            }
        }
    }
}

/// The filter that a capture records.
fn filter_of(source: &IndexedSource) -> Option<String> {
    source.metadata.interfaces.iter().find_map(|interface| interface.filter.clone())
}

/// Whether a capture filter leaves out ICMP: each of its alternatives asks for ports, UDP or TCP.
pub fn leaves_out(filter: &str) -> bool {
    let lower = filter.to_lowercase().replace("||", " or ");
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect()
    };
    // Inside brackets an alternative belongs to what stands before them.
    let depth_zero = !lower.contains('(');
    let asks = |part: &str| words(part).iter().any(|word| LEFT_OUT_BY.contains(&word.as_str()));
    let all = words(&lower);
    // What is left out by name keeps the rest.
    if lower.contains('!') || all.iter().any(|word| word.starts_with("icmp") || word == "not") {
        return false;
    }
    if depth_zero { lower.split(" or ").all(asks) } else { asks(&lower) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_by_port_or_transport_leave_out_icmp() {
        for filter in [
            "port 53",
            "udp",
            "udp port 53 or tcp port 53",
            "host 192.0.2.1 and (port 53)",
            "portrange 53-54",
        ] {
            assert!(leaves_out(filter), "{filter}");
        }
        for filter in [
            "port 53 or icmp",
            "host 192.0.2.1",
            "host 192.0.2.1 or port 53",
            "udp or icmp6",
            "arp || port 53",
            "not tcp port 22",
        ] {
            assert!(!leaves_out(filter), "{filter}");
        }
    }
}
