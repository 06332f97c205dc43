//! What the user says about the captures before they are read; handed down with the index to whoever asks.

use std::net::IpAddr;

/// The port of DNS over UDP and TCP (RFC 1035 §4.2).
pub const DNS_PORT: u16 = 53;
/// Multicast DNS (RFC 6762 §3).
pub const MDNS_PORT: u16 = 5353;
/// LLMNR (RFC 4795 §2).
pub const LLMNR_PORT: u16 = 5355;

/// What the user says about the captures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Further UDP and TCP ports that carry DNS.
    dns_ports: Vec<u16>,
    /// Resolvers of encrypted DNS the user names, by address.
    resolver_addresses: Vec<IpAddr>,
    /// The same by name, without final dot.
    resolver_names: Vec<String>,
    /// The user says how the clocks of the captures stand: nothing is measured.
    pub clocks_are_stated: bool,
}

/// What a capture filter for DNS must keep beside its ports: errors, link addresses, and fragments without a UDP header.
const BESIDE_PORTS: &str = "icmp or icmp6 or arp or (ip[6:2] & 0x1fff != 0) or ip6[6] = 44";

impl Settings {
    /// Settings with further ports of DNS, and resolvers of encrypted DNS by address or name.
    pub fn new(dns_ports: &[u16], resolvers: &[String]) -> Self {
        let mut settings = Self { dns_ports: dns_ports.to_vec(), ..Self::default() };
        for resolver in resolvers {
            match resolver.parse() {
                Ok(address) => settings.resolver_addresses.push(address),
                Err(_) => settings.resolver_names.push(resolver.trim_end_matches('.').to_owned()),
            }
        }
        settings
    }

    /// Whether a port is DNS: 53, or one the user names.
    pub fn is_dns_port(&self, port: u16) -> bool {
        port == DNS_PORT || self.is_named_port(port)
    }

    /// Whether the user names a port as one of DNS.
    pub fn is_named_port(&self, port: u16) -> bool {
        self.dns_ports.contains(&port)
    }

    /// Whether a port is of DNS or of one of its relatives, which tcpdump prints alike.
    pub fn is_name_service_port(&self, port: u16) -> bool {
        self.is_dns_port(port) || port == MDNS_PORT || port == LLMNR_PORT
    }

    /// The port queries of this capture go to when nothing tells: what the user names, as long as that is one.
    pub fn supposed_dns_port(&self) -> u16 {
        match self.dns_ports.as_slice() {
            [only] => *only,
            _ => DNS_PORT,
        }
    }

    /// All ports of DNS, 53 first.
    pub fn dns_ports(&self) -> impl Iterator<Item = u16> + '_ {
        std::iter::once(DNS_PORT).chain(self.dns_ports.iter().copied().filter(|port| *port != DNS_PORT))
    }

    /// The ports of DNS as words: `53`, `53 or 5300`.
    pub fn dns_ports_in_words(&self) -> String {
        self.dns_ports().map(|port| port.to_string()).collect::<Vec<_>>().join(" or ")
    }

    /// tcpdump's filter that keeps DNS, ICMP, ARP, and the later fragments that no port matches (truth T31).
    pub fn capture_filter(&self) -> String {
        let ports: Vec<String> = self.dns_ports().map(|port| format!("port {port}")).collect();
        format!("{} or {BESIDE_PORTS}", ports.join(" or "))
    }

    /// Whether the user names this address as a resolver of encrypted DNS.
    pub fn names_resolver_address(&self, address: IpAddr) -> bool {
        self.resolver_addresses.contains(&address)
    }

    /// Whether the user names this host as a resolver of encrypted DNS.
    pub fn names_resolver(&self, name: &[u8]) -> bool {
        self.resolver_names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_ports_and_resolvers_count_beside_the_usual_ones() {
        let settings = Settings::new(&[5300], &["192.0.2.1".to_owned(), "doh.example.".to_owned()]);
        assert!(settings.is_dns_port(5300) && settings.is_dns_port(53) && !settings.is_dns_port(5301));
        assert!(!Settings::default().is_dns_port(5300));
        assert!(settings.names_resolver(b"DoH.example") && !settings.names_resolver(b"example"));
        assert!(settings.names_resolver_address("192.0.2.1".parse().unwrap()));
        assert_eq!(settings.supposed_dns_port(), 5300);
        assert_eq!(Settings::new(&[5300, 5301], &[]).supposed_dns_port(), 53);
        assert_eq!(
            settings.capture_filter(),
            "port 53 or port 5300 or icmp or icmp6 or arp or (ip[6:2] & 0x1fff != 0) or ip6[6] = 44"
        );
        assert_eq!(settings.dns_ports_in_words(), "53 or 5300");
    }
}
