//! The registered names of DNS types, classes, operations, response codes, EDNS options and extended errors.

use std::io::Write as _;

/// Record and query types (IANA DNS parameters, Resource Record TYPEs).
pub const TYPES: [(u16, &str); 81] = [
    (1, "A"),
    (2, "NS"),
    (3, "MD"),
    (4, "MF"),
    (5, "CNAME"),
    (6, "SOA"),
    (7, "MB"),
    (8, "MG"),
    (9, "MR"),
    (10, "NULL"),
    (11, "WKS"),
    (12, "PTR"),
    (13, "HINFO"),
    (14, "MINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (19, "X25"),
    (20, "ISDN"),
    (21, "RT"),
    (22, "NSAP"),
    (23, "NSAP-PTR"),
    (24, "SIG"),
    (25, "KEY"),
    (26, "PX"),
    (27, "GPOS"),
    (28, "AAAA"),
    (29, "LOC"),
    (30, "NXT"),
    (33, "SRV"),
    (35, "NAPTR"),
    (36, "KX"),
    (37, "CERT"),
    (38, "A6"),
    (39, "DNAME"),
    (41, "OPT"),
    (42, "APL"),
    (43, "DS"),
    (44, "SSHFP"),
    (45, "IPSECKEY"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (49, "DHCID"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (53, "SMIMEA"),
    (55, "HIP"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (62, "CSYNC"),
    (63, "ZONEMD"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (66, "DSYNC"),
    (99, "SPF"),
    (104, "NID"),
    (105, "L32"),
    (106, "L64"),
    (107, "LP"),
    (108, "EUI48"),
    (109, "EUI64"),
    (128, "NXNAME"),
    (249, "TKEY"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (253, "MAILB"),
    (254, "MAILA"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
    (258, "AVC"),
    (259, "DOA"),
    (260, "AMTRELAY"),
    (261, "RESINFO"),
    (32768, "TA"),
    (32769, "DLV"),
];

/// Response codes with their extended range (IANA DNS parameters, RCODEs).
pub const RESPONSE_CODES: [(u16, &str); 20] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSET"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (11, "DSOTYPENI"),
    (16, "BADVERS"),
    (17, "BADKEY"),
    (18, "BADTIME"),
    (19, "BADMODE"),
    (20, "BADNAME"),
    (21, "BADALG"),
    (22, "BADTRUNC"),
    (23, "BADCOOKIE"),
];

/// Classes (RFC 1035 §3.2.4, RFC 2136 §2.4).
pub const CLASSES: [(u16, &str); 5] = [(1, "IN"), (3, "CH"), (4, "HS"), (254, "NONE"), (255, "ANY")];

/// Operations (RFC 1035 §4.1.1 and its registry).
pub const OPCODES: [(u16, &str); 6] =
    [(0, "QUERY"), (1, "IQUERY"), (2, "STATUS"), (4, "NOTIFY"), (5, "UPDATE"), (6, "DSO")];

/// Extended DNS error codes (RFC 8914 §5.2 and its registry).
const EXTENDED_ERRORS: &[&str] = &[
    "Other Error",
    "Unsupported DNSKEY Algorithm",
    "Unsupported DS Digest Type",
    "Stale Answer",
    "Forged Answer",
    "DNSSEC Indeterminate",
    "DNSSEC Bogus",
    "Signature Expired",
    "Signature Not Yet Valid",
    "DNSKEY Missing",
    "RRSIGs Missing",
    "No Zone Key Bit Set",
    "NSEC Missing",
    "Cached Error",
    "Not Ready",
    "Blocked",
    "Censored",
    "Filtered",
    "Prohibited",
    "Stale NXDOMAIN Answer",
    "Not Authoritative",
    "Not Supported",
    "No Reachable Authority",
    "Network Error",
    "Invalid Data",
    "Signature Expired before Valid",
    "Too Early",
    "Unsupported NSEC3 Iterations Value",
    "Unable to conform to policy",
    "Synthesized",
    "Invalid Query Type",
];

/// EDNS option codes (IANA DNS EDNS0 Option Codes).
const OPTIONS: &[(u16, &str)] = &[
    (1, "LLQ"),
    (2, "Update Lease"),
    (3, "NSID"),
    (5, "DAU"),
    (6, "DHU"),
    (7, "N3U"),
    (8, "Client Subnet"),
    (9, "Expire"),
    (10, "Cookie"),
    (11, "TCP Keepalive"),
    (12, "Padding"),
    (13, "Chain"),
    (14, "Key Tag"),
    (15, "Extended DNS Error"),
    (16, "Client Tag"),
    (17, "Server Tag"),
    (18, "Report Channel"),
    (19, "Zone Version"),
];

fn find(table: &[(u16, &'static str)], number: u16) -> Option<&'static str> {
    let at = table.binary_search_by_key(&number, |(value, _)| *value).ok()?;
    table.get(at).map(|(_, name)| *name)
}

/// The name of a record type; unknown ones as `TYPE1234` (RFC 3597 §5).
pub fn type_name(qtype: u16) -> String {
    find(&TYPES, qtype).map_or_else(|| format!("TYPE{qtype}"), str::to_owned)
}

/// The number of a record type, by its name without case or as `TYPE1234`.
pub fn type_number(name: &str) -> Option<u16> {
    let known = TYPES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
    known.map(|(number, _)| *number).or_else(|| name.strip_prefix("TYPE")?.parse().ok())
}

/// Appends the name of a record type without allocating.
pub fn push_type_name(qtype: u16, out: &mut Vec<u8>) {
    match find(&TYPES, qtype) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        // Writing to memory cannot fail.
        None => drop(write!(out, "TYPE{qtype}")),
    }
}

/// The name of a class; unknown ones as `CLASS1234` (RFC 3597 §5).
pub fn class_name(qclass: u16) -> String {
    find(&CLASSES, qclass).map_or_else(|| format!("CLASS{qclass}"), str::to_owned)
}

/// Appends the name of a class without allocating.
pub fn push_class_name(qclass: u16, out: &mut Vec<u8>) {
    match find(&CLASSES, qclass) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => drop(write!(out, "CLASS{qclass}")),
    }
}

/// The name of a response code, extended range included; unknown ones as `RCODE11`.
pub fn response_code_name(code: u16) -> String {
    find(&RESPONSE_CODES, code).map_or_else(|| format!("RCODE{code}"), str::to_owned)
}

/// What a failed answer is called: its code, or that it holds nothing of what was asked for (RFC 2308 §2.2).
pub fn failure_name(code: u16) -> String {
    if code == 0 { "NODATA".to_owned() } else { response_code_name(code) }
}

/// The number of a response code, by its name without case.
pub fn response_code_number(name: &str) -> Option<u16> {
    RESPONSE_CODES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(number, _)| *number)
}

/// The name of an operation; unknown ones as `OPCODE7`.
pub fn opcode_name(opcode: u8) -> String {
    find(&OPCODES, u16::from(opcode)).map_or_else(|| format!("OPCODE{opcode}"), str::to_owned)
}

/// The name of an extended DNS error; `unregistered` where there is none.
pub fn extended_error_name(code: u16) -> &'static str {
    EXTENDED_ERRORS.get(usize::from(code)).copied().unwrap_or("unregistered")
}

/// The name of an EDNS option; unknown ones as `option 99`.
pub fn option_name(code: u16) -> String {
    find(OPTIONS, code).map_or_else(|| format!("option {code}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_so_that_lookups_find_everything() {
        for table in [&TYPES[..], &RESPONSE_CODES, &CLASSES, &OPCODES, OPTIONS] {
            assert!(table.is_sorted_by_key(|(number, _)| *number));
        }
        assert_eq!(type_name(65), "HTTPS");
        assert_eq!(type_name(65280), "TYPE65280");
        assert_eq!(type_number("aaaa"), Some(28));
        assert_eq!(response_code_name(23), "BADCOOKIE");
        assert_eq!(extended_error_name(23), "Network Error");
    }
}
