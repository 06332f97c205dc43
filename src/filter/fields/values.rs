//! Names that stand for values in filters.

use crate::decode::dns::names;

/// A registry's table as values by name.
const fn by_name<const N: usize>(table: &[(u16, &'static str); N]) -> [(&'static str, i64); N] {
    let mut values = [("", 0); N];
    let (mut from, mut to): (&[_], &mut [_]) = (table, &mut values);
    while let ([(number, name), more @ ..], [value, room @ ..]) = (from, to) {
        *value = (*name, *number as i64);
        (from, to) = (more, room);
    }
    values
}

/// RCODE names (RFC 1035 §4.1.1, RFC 2136, RFC 6891).
pub const RESPONSE_CODES: &[(&str, i64)] = &by_name(&names::RESPONSE_CODES);

/// The same in Wireshark's words.
pub const RESPONSE_CODE_WORDS: &[(&str, i64)] = &[
    ("No error", 0),
    ("Format error", 1),
    ("Server failure", 2),
    ("No such name", 3),
    ("Not implemented", 4),
    ("Refused", 5),
];

/// Record types by name.
pub const RECORD_TYPES: &[(&str, i64)] = &by_name(&names::TYPES);
/// Classes by name.
pub const CLASSES: &[(&str, i64)] = &by_name(&names::CLASSES);
/// Operations by name.
pub const OPCODES: &[(&str, i64)] = &by_name(&names::OPCODES);
/// ICMP types as tcpdump names them (pcap-filter), with shorter words.
pub const ICMP_TYPES: &[(&str, i64)] = &[
    ("echo-reply", 0),
    ("unreachable", 3),
    ("unreach", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp", 13),
    ("timestamp-reply", 14),
];
/// ICMPv6 types by name.
pub const ICMPV6_TYPES: &[(&str, i64)] = &[
    ("unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo", 128),
    ("echo-reply", 129),
    ("router-solicitation", 133),
    ("router-advertisement", 134),
    ("neighbor-solicitation", 135),
    ("neighbor-advertisement", 136),
    ("redirect", 137),
];
/// IP protocol numbers by name.
pub const IP_PROTOCOLS: &[(&str, i64)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("icmpv6", 58),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("sctp", 132),
];
/// Ethernet types by name.
pub const ETHER_TYPES: &[(&str, i64)] =
    &[("ip", 0x0800), ("arp", 0x0806), ("rarp", 0x8035), ("vlan", 0x8100), ("ip6", 0x86dd), ("ipv6", 0x86dd)];
/// Ports by service name, besides those of the PROTOCOLS table.
pub const SERVICES: &[(&str, i64)] = &[
    ("domain", 53),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("imap", 143),
    ("snmp", 161),
    ("bgp", 179),
    ("ldap", 389),
    ("https", 443),
    ("syslog", 514),
    ("mdns", 5353),
    ("llmnr", 5355),
];
/// Link levels.
pub const LEVELS: &[&str] = &["exact", "probable", "nat", "orphan", "contradicted"];
/// Link kinds.
pub const LINK_KINDS: &[&str] = &["answer_to", "retry_of", "error_about", "duplicate_of"];
/// Outcomes of DNS transactions.
pub const OUTCOMES: &[&str] = &[
    "answered",
    "answered_unreadable",
    "late",
    "refused_by_icmp",
    "covered_by_rate_limit",
    "no_answer",
    "not_received",
    "tcp_reset",
    "refused_by_reset",
    "reset_midway",
    "closed",
    "mute",
    "truncated",
    "undetermined",
];

/// Outcomes of attempts at any service; those of DNS first.
pub const ATTEMPT_OUTCOMES: &[&str] = &[
    "answered",
    "answered_unreadable",
    "late",
    "refused_by_icmp",
    "covered_by_rate_limit",
    "no_answer",
    "tcp_reset",
    "refused_by_reset",
    "reset_midway",
    "closed",
    "mute",
    "truncated",
    "not_received",
    "undetermined",
    "accepted",
    "undelivered",
    "no_reply",
    "misaddressed",
    "reset",
    "reset_by_device",
    "alert",
    "left_handshake",
    "failed",
    "denied",
    "kiss",
    "no_time",
    "wrong_time",
    "stalled",
    "silenced",
    "displaced",
    "large_lost",
    "no_offer",
    "nak",
    "unconfirmed",
    "declined",
    "no_address",
    "one_direction",
];
/// Who ended an attempt.
pub const ENDED: &[&str] = &["client", "server", "device", "capture_end"];
/// What attempts are for: DNS, and the ids of `attempts::kind`.
pub const SERVICES_FOLLOWED: &[&str] = &[
    "dns",
    "http",
    "tls",
    "ssh",
    "smtp",
    "ftp",
    "imap",
    "pop3",
    "mysql",
    "postgres",
    "redis",
    "mongodb",
    "mqtt",
    "bgp",
    "rtsp",
    "ldap",
    "smb",
    "rdp",
    "tcp",
    "quic",
    "doq",
    "cldap",
    "ntp",
    "snmp",
    "snmp-trap",
    "syslog",
    "export",
    "sip",
    "radius",
    "ike",
    "tftp",
    "dhcp",
    "echo",
    "udp",
    "amqp",
    "sip-tcp",
    "kerberos-tcp",
    "kerberos",
];

/// ARP operations by name.
const ARP_OPERATIONS: &[(&str, i64)] = &[("request", 1), ("reply", 2)];

/// DHCP message types by name (RFC 2132 §9.6).
const DHCP_MESSAGES: &[(&str, i64)] = &[
    ("discover", 1),
    ("offer", 2),
    ("request", 3),
    ("decline", 4),
    ("ack", 5),
    ("nak", 6),
    ("release", 7),
    ("inform", 8),
];

/// Named values of fields that only the detail tree has.
pub const TREE_VALUES: &[(&str, &[(&str, i64)])] = &[
    ("arp.opcode", ARP_OPERATIONS),
    ("arp.proto.type", ETHER_TYPES),
    ("dhcp.option.dhcp", DHCP_MESSAGES),
    ("dns.resp.class", CLASSES),
    ("dns.resp.type", RECORD_TYPES),
    ("sll.etype", ETHER_TYPES),
    ("vlan.etype", ETHER_TYPES),
];

/// Other names of fields that only the detail tree has.
pub const TREE_ALIASES: &[(&str, &[&str])] = &[
    ("ip.dsfield", &["ip.tos"]),
    ("tcp.options.mss_val", &["tcp.options.mss"]),
    ("tcp.options.wscale.shift", &["tcp.options.wscale"]),
    ("tcp.options.timestamp.tsval", &["tcp.options.timestamp"]),
    ("dns.rr.udp_payload_size", &["dns.opt.udp_size"]),
    ("tls.handshake.extensions_server_name", &["tls.sni"]),
];

/// Earlier names of protocols, which people still type.
pub const PROTOCOL_ALIASES: &[(&str, &[&str])] = &[("tls", &["ssl"]), ("dhcp", &["bootp"])];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_can_be_filtered_by() {
        let all = crate::correlate::Outcome::ALL.map(crate::correlate::Outcome::name);
        assert_eq!(all.as_slice(), OUTCOMES);
    }

    #[test]
    fn every_followed_service_and_outcome_can_be_written() {
        for row in &crate::attempts::kind::KINDS {
            assert!(SERVICES_FOLLOWED.contains(&row.id), "{}", row.id);
        }
        assert_eq!(SERVICES_FOLLOWED.len(), crate::attempts::kind::KINDS.len() + 1);
        for outcome in crate::correlate::Outcome::ALL {
            assert!(OUTCOMES.contains(&outcome.name()) && ATTEMPT_OUTCOMES.contains(&outcome.name()));
        }
        for outcome in crate::attempts::outcome::each() {
            assert!(ATTEMPT_OUTCOMES.contains(&outcome.name()), "{outcome:?}");
        }
    }
}
