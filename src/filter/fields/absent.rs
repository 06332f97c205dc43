//! Names people know from Wireshark and tcpdump that are no fields here: why, and what to write instead.

/// A name, or the beginning of names where it ends in `.` or `_`; why there is none; what to write instead. The first that fits counts.
type Absent = (&'static str, &'static str, Option<&'static str>);

const SEGMENTS: &str = "TCP is not analysed segment by segment here";
const TIMES: &str = "times within a conversation are not kept";
const RECORDS: &str = "what is inside these records is not a field; their type is";
const OPTIONS: &str = "of EDNS options only the code and the extended error are fields";
const ECHOES: &str = "echo requests are not tied to their replies";
const LINK_LAYERS: &str = "this protocol is not told apart; its number below IP or Ethernet is";
const LOGS: &str = "logs of packet filters are not read";
const WIRELESS: &str = "of wireless frames only the IP packets inside are read";

const ABSENT: &[Absent] = &[
    ("tcp.analysis.zero_window", SEGMENTS, Some("tcp.window_size == 0")),
    ("tcp.analysis.", SEGMENTS, Some("tcp.flags.reset == 1")),
    ("tcp.connection.rst", SEGMENTS, Some("tcp.flags.reset == 1")),
    ("tcp.connection.fin", SEGMENTS, Some("tcp.flags.fin == 1")),
    ("tcp.connection.", SEGMENTS, Some("tcp.flags.syn == 1")),
    ("tcp.completeness", SEGMENTS, Some("tcp.flags.syn == 1")),
    ("tcp.nxtseq", SEGMENTS, Some("tcp.seq")),
    ("tcp.segment_data", SEGMENTS, Some("tcp.payload")),
    ("tcp.pdu.", SEGMENTS, Some("tcp.len")),
    ("tcp.reassembled_in", SEGMENTS, Some("tcp.payload")),
    ("tcp.time_", TIMES, Some("frame.time_delta")),
    ("udp.time_", TIMES, Some("frame.time_delta")),
    ("tcp.sport", "no field is named `tcp.sport`", Some("tcp.srcport")),
    ("tcp.dport", "no field is named `tcp.dport`", Some("tcp.dstport")),
    ("udp.sport", "no field is named `udp.sport`", Some("udp.srcport")),
    ("udp.dport", "no field is named `udp.dport`", Some("udp.dstport")),
    (
        "dns.retransmit_response",
        "an answer given again is an anomaly here",
        Some("anomaly == duplicate_answer"),
    ),
    ("dns.retransmit_request_in", "a retry is tied to the first try", Some("link.frame")),
    ("dns.retransmission", "a retry is tied to the first try", Some("link.kind == retry_of")),
    ("dns.retransmit_request", "a retry is tied to the first try", Some("link.kind == retry_of")),
    ("dns.unsolicited", "an answer nobody asked for is an anomaly here", Some("anomaly == unsolicited")),
    ("dns.extended_error", OPTIONS, Some("dns.ede")),
    ("dns.opt.ext_error.", OPTIONS, Some("dns.ede")),
    ("dns.opt.", OPTIONS, Some("dns.opt.code")),
    ("dns.opt", OPTIONS, Some("dns.opt.code")),
    ("dns.rrsig", RECORDS, Some("dns.resp.type == RRSIG")),
    ("dns.rrsig.", RECORDS, Some("dns.resp.type == RRSIG")),
    ("dns.dnskey.", RECORDS, Some("dns.resp.type == DNSKEY")),
    ("dns.ds.", RECORDS, Some("dns.resp.type == DS")),
    ("dns.nsec3", RECORDS, Some("dns.resp.type == NSEC3")),
    ("dns.nsec3.", RECORDS, Some("dns.resp.type == NSEC3")),
    ("dns.https", RECORDS, Some("dns.resp.type == HTTPS")),
    ("dns.svcb", RECORDS, Some("dns.resp.type == SVCB")),
    ("dns.svcb.", RECORDS, Some("dns.resp.type == SVCB")),
    ("dns.caa", RECORDS, Some("dns.resp.type == CAA")),
    ("dns.caa.", RECORDS, Some("dns.resp.type == CAA")),
    ("dns.tcp", "no field is named `dns.tcp`", Some("dns and tcp")),
    ("mdns.", "multicast DNS has the fields of DNS", Some("dns.qry.name")),
    ("icmp.resp_", ECHOES, Some("icmp.ident")),
    ("icmp.resptime", ECHOES, Some("icmp.ident")),
    ("icmp.no_resp", ECHOES, Some("icmp.ident")),
    ("icmp.seq_le", "no field is named `icmp.seq_le`", Some("icmp.seq")),
    ("data.len", "bytes no protocol reads are not a field of their own", Some("len(udp.payload) > 0")),
    ("data.", "bytes no protocol reads are not a field of their own", Some("udp.payload")),
    ("ip.fragment", "fragments are told by their flags and offsets", Some("ip and fragment")),
    ("ip.fragment.", "fragments are told by their flags and offsets", Some("ip and fragment")),
    ("ip.fragments", "fragments are told by their flags and offsets", Some("ip and fragment")),
    ("ip.reassembled_in", "fragments are told by their flags and offsets", Some("ip and fragment")),
    ("ipv6.fraghdr", "fragments are told by their header", Some("ipv6 and fragment")),
    ("ipv6.fraghdr.", "fragments are told by their header", Some("ipv6 and fragment")),
    ("ipv6.fragment", "fragments are told by their header", Some("ipv6 and fragment")),
    ("ip.geoip.", "no database of places is read", Some("ip.addr")),
    ("frame.coloring_rule.", "colours belong to the screen", None),
    ("frame.ignored", "no packet is ignored", Some("not marked")),
    (
        "eth.src.oui",
        "a maker's part of an address is its first three bytes",
        Some("eth.src[0:3] == 00:00:5e"),
    ),
    (
        "eth.dst.oui",
        "a maker's part of an address is its first three bytes",
        Some("eth.dst[0:3] == 00:00:5e"),
    ),
    ("eth.addr_resolved", "addresses are not resolved to makers", Some("eth.addr")),
    ("_ws.expert", "there is no expert; what cannot be read is", Some("_ws.malformed")),
    ("_ws.expert.", "there is no expert; what cannot be read is", Some("_ws.malformed")),
    ("_ws.col.protocol", "columns are no fields", Some("frame.protocols")),
    ("_ws.col.", "columns are no fields", Some("frame contains \"text\"")),
    ("expert.", "there is no expert; what cannot be read is", Some("_ws.malformed")),
    ("gateway", "`gateway` needs names of link addresses, which no capture tells", Some("ether host")),
    ("inbound", "which way a packet went is not told by most captures", Some("src host")),
    ("outbound", "which way a packet went is not told by most captures", Some("src host")),
    ("ifname", "interfaces have names and numbers", Some("frame.interface_name")),
    ("on", "interfaces have names and numbers", Some("frame.interface_name")),
    ("rnr", LOGS, None),
    ("rulenum", LOGS, None),
    ("rset", LOGS, None),
    ("srnr", LOGS, None),
    ("reason", LOGS, None),
    ("action", LOGS, None),
    ("type", WIRELESS, None),
    ("subtype", WIRELESS, None),
    ("dir", WIRELESS, None),
    ("wlan.", WIRELESS, Some("wlan")),
    ("radiotap.", WIRELESS, Some("radiotap")),
    ("rarp", LINK_LAYERS, Some("ether proto rarp")),
    ("pppoed", LINK_LAYERS, Some("ether proto 0x8863")),
    ("atalk", LINK_LAYERS, Some("ether proto 0x809b")),
    ("aarp", LINK_LAYERS, Some("ether proto 0x80f3")),
    ("ipx", LINK_LAYERS, Some("ether proto 0x8137")),
    ("decnet", LINK_LAYERS, Some("ether proto 0x6003")),
    ("lat", LINK_LAYERS, Some("ether proto 0x6004")),
    ("pim", LINK_LAYERS, Some("ip proto pim")),
    ("vrrp", LINK_LAYERS, Some("ip proto vrrp")),
    ("carp", LINK_LAYERS, Some("ip proto 112")),
    ("igrp", LINK_LAYERS, Some("ip proto 9")),
    ("stp", LINK_LAYERS, Some("ether dst 01:80:c2:00:00:00")),
    ("iso", LINK_LAYERS, Some("llc")),
    ("clnp", LINK_LAYERS, Some("llc")),
    ("isis", LINK_LAYERS, Some("llc")),
    ("esis", LINK_LAYERS, Some("llc")),
    ("netbeui", LINK_LAYERS, Some("llc")),
];

/// Why a name a peer has is no field, and what comes nearest to it; `None` for names nobody has.
pub fn absent(name: &str) -> Option<(&'static str, Option<&'static str>)> {
    let fits = |known: &str| name == known || known.ends_with(['.', '_']) && name.starts_with(known);
    ABSENT.iter().find(|(known, ..)| fits(known)).map(|(_, why, instead)| (*why, *instead))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Filter, fields};

    #[test]
    fn what_is_suggested_is_a_filter_and_what_is_absent_is_no_field() {
        for (name, _, instead) in ABSENT {
            assert!(fields::find(name).is_none(), "{name}");
            // Primitives of tcpdump want their value after them.
            let Some(instead) = instead.filter(|text| !text.ends_with("host")) else { continue };
            assert!(Filter::parse(instead).is_ok(), "{name}: {instead}");
        }
    }
}
