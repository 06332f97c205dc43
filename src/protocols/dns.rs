//! DNS and its relatives on other ports.

mod dissect;
mod summary;

use super::{Claim, Frame, Protocol};
use crate::decode::dns;
pub use crate::decode::dns::names::{
    class_name, extended_error_name, failure_name, opcode_name, option_name, push_class_name, push_type_name,
    response_code_name, response_code_number, type_name, type_number,
};

fields! {
    ID "dns.id" Number "message id";
    LENGTH "dns.length" Number "length of the message in bytes, as sent before it over TCP";
    FLAGS_FIELD "dns.flags" Number "the flag word";
    RESPONSE "dns.flags.response" Bool "response (QR)";
    OPCODE "dns.flags.opcode" Number "operation";
    AUTHORITATIVE "dns.flags.authoritative" Bool "authoritative answer (AA)";
    TRUNCATED "dns.flags.truncated" Bool "truncated (TC)";
    RECURSION_DESIRED "dns.flags.recdesired" Bool "recursion desired (RD)";
    RECURSION_AVAILABLE "dns.flags.recavail" Bool "recursion available (RA)";
    AUTHENTICATED "dns.flags.authenticated" Bool "authenticated data (AD)";
    CHECKING_DISABLED "dns.flags.checkdisable" Bool "checking disabled (CD)";
    RESPONSE_CODE "dns.flags.rcode" Number "response code";
    EXTENDED_RESPONSE_CODE "dns.rcode" Number "response code with its extended bits";
    QUESTIONS "dns.count.queries" Number "questions";
    ANSWERS "dns.count.answers" Number "answer records";
    AUTHORITIES "dns.count.auth_rr" Number "authority records";
    ADDITIONALS "dns.count.add_rr" Number "additional records";
    QUERY_NAME "dns.qry.name" Name "name in the question";
    QUERY_NAME_LENGTH "dns.qry.name.len" Number "characters of the name in the question";
    LABELS "dns.count.labels" Number "labels of the name in the question";
    UNICAST_WANTED "dns.qry.qu" Bool "an answer to the asker alone is wanted (mDNS)";
    ZERO "dns.flags.z" Bool "the reserved bit Z";
    QUERY_TYPE "dns.qry.type" Number "type in the question";
    QUERY_CLASS "dns.qry.class" Number "class in the question";
    RECORD_NAME "dns.resp.name" Name "owner name of a record";
    RECORD_TYPE "dns.resp.type" Number "type of a record";
    RECORD_CLASS "dns.resp.class" Number "class of a record";
    RECORD_TTL "dns.resp.ttl" Number "time to live of a record in seconds";
    RECORD_LENGTH "dns.resp.len" Number "bytes of a record's data";
    CACHE_FLUSH "dns.resp.cache_flush" Bool "replaces what is cached (mDNS)";
    A "dns.a" Address "address in an A record";
    AAAA "dns.aaaa" Address "address in an AAAA record";
    CNAME "dns.cname" Name "canonical name";
    NS "dns.ns" Name "name server";
    PTR "dns.ptr.domain_name" Name "name of an address";
    MX "dns.mx.mail_exchange" Name "mail exchange";
    MX_PREFERENCE "dns.mx.preference" Number "preference of a mail exchange";
    SOA_MAIL "dns.soa.rname" Name "mailbox of a zone's keeper";
    SOA_SERIAL "dns.soa.serial_number" Number "serial number of a zone";
    SOA_REFRESH "dns.soa.refresh_interval" Number "refresh interval of a zone in seconds";
    SOA_RETRY "dns.soa.retry_interval" Number "retry interval of a zone in seconds";
    SOA_EXPIRE "dns.soa.expire_limit" Number "expiry of a zone in seconds";
    SOA_MINIMUM "dns.soa.minimum_ttl" Number "time to live of answers that say no, in seconds";
    SOA "dns.soa.mname" Name "primary server of a zone";
    SRV "dns.srv.target" Name "target of a service";
    SRV_PRIORITY "dns.srv.priority" Number "priority of a service";
    SRV_WEIGHT "dns.srv.weight" Number "weight of a service";
    SRV_PORT "dns.srv.port" Number "port of a service";
    TXT_LENGTH "dns.txt.length" Number "bytes of one string of a text record";
    TXT "dns.txt" Text "text record";
    UDP_SIZE "dns.rr.udp_payload_size" Number "UDP payload size offered (EDNS)";
    EDNS_VERSION "dns.resp.edns0_version" Number "EDNS version";
    DNSSEC_OK "dns.resp.z.do" Bool "DNSSEC records wanted (DO)";
    OPTION "dns.opt.code" Number "EDNS option";
    COOKIE "dns.opt.cookie.client" Bytes "client cookie";
    EXTENDED_ERROR "dns.ede" Number "extended error code (RFC 8914)";
    EXTENDED_ERROR_TEXT "dns.ede.text" Text "extended error text";
}

/// DNS (RFC 1035).
pub static DNS: Protocol = Protocol {
    name: "dns",
    label: "DNS",
    title: "Domain Name System",
    claims: &[Claim::UdpPort(53), Claim::TcpPort(53)],
    fields: FIELDS,
    dissect: dissect::dissect,
    summary: summary::summary,
};

/// Multicast DNS (RFC 6762).
pub static MDNS: Protocol = Protocol {
    name: "mdns",
    label: "MDNS",
    title: "Multicast DNS",
    claims: &[Claim::UdpPort(5353)],
    fields: &[],
    dissect: dissect::dissect,
    summary: summary::summary,
};

/// Link-local multicast name resolution (RFC 4795).
pub static LLMNR: Protocol = Protocol {
    name: "llmnr",
    label: "LLMNR",
    title: "Link-Local Multicast Name Resolution",
    claims: &[Claim::UdpPort(5355)],
    fields: &[],
    dissect: dissect::dissect,
    summary: summary::summary,
};

/// Records of one message that are shown; more are only counted.
const RECORDS_SHOWN_MAX: usize = 512;

/// The first message of a frame.
fn message<'f>(frame: &'f Frame<'_, '_>) -> Option<dns::Message<'f>> {
    dns::read(frame.assembled.unwrap_or_else(|| frame.decoded.payload()))
}

/// Where one record stands in the message.
struct Record {
    start: usize,
    kind: u16,
    class: u16,
    ttl: u32,
    data: usize,
    end: usize,
    section: &'static str,
}

/// All records that can be walked, and why walking ended early.
fn records(message: &dns::Message<'_>) -> (Vec<Record>, Option<&'static str>) {
    let bytes = message.bytes;
    let [questions, answers, authorities, additionals] = message.header.counts;
    let mut at = 12;
    let mut found = Vec::new();
    for _ in 0..usize::from(questions).min(RECORDS_SHOWN_MAX) {
        let Some(end) = dns::skip_name(bytes, at).filter(|end| end + 4 <= bytes.len()) else {
            return (found, Some("a question is cut"));
        };
        at = end + 4;
    }
    for (count, section) in [(answers, "Answer"), (authorities, "Authority"), (additionals, "Additional")] {
        for _ in 0..count {
            if found.len() >= RECORDS_SHOWN_MAX {
                return (found, Some("more records than are shown"));
            }
            let fixed = dns::skip_name(bytes, at);
            let head = fixed.and_then(|fixed| bytes.get(fixed..)?.first_chunk::<10>());
            let (Some(fixed), Some([a, b, c, d, e, f, g, h, i, j])) = (fixed, head) else {
                return (found, Some("a record is cut"));
            };
            let data = fixed + 10;
            let end = data + usize::from(u16::from_be_bytes([*i, *j]));
            if end > bytes.len() {
                return (found, Some("a record's data is cut"));
            }
            found.push(Record {
                start: at,
                kind: u16::from_be_bytes([*a, *b]),
                class: u16::from_be_bytes([*c, *d]),
                ttl: u32::from_be_bytes([*e, *f, *g, *h]),
                data,
                end,
                section,
            });
            at = end;
        }
    }
    (found, None)
}

/// A record's data in presentation form; bytes in hexadecimal where its type is not known or it is malformed.
fn data_text(bytes: &[u8], record: &Record) -> String {
    use domain::base::record::ParsedRecord;
    use domain::rdata::AllRecordData;
    let parsed = || {
        let mut parser = octseq_parser(bytes, record.start)?;
        let parsed = ParsedRecord::parse(&mut parser).ok()?;
        let any = parsed.to_any_record::<AllRecordData<_, _>>().ok()?;
        Some(any.data().to_string())
    };
    parsed().unwrap_or_else(|| {
        let data = bytes.get(record.data..record.end).unwrap_or_default();
        data.iter().fold(format!("\\# {}", data.len()), |mut text, byte| {
            use std::fmt::Write as _;
            let _ = write!(text, " {byte:02x}");
            text
        })
    })
}

fn octseq_parser(bytes: &[u8], at: usize) -> Option<domain::dep::octseq::Parser<'_, [u8]>> {
    let mut parser = domain::dep::octseq::Parser::from_ref(bytes);
    parser.seek(at).ok()?;
    Some(parser)
}

/// What a record says, with its byte ranges left out: addresses and names in the usual short form.
fn short_data(bytes: &[u8], record: &Record) -> String {
    let data = bytes.get(record.data..record.end).unwrap_or_default();
    match (record.kind, data.len()) {
        (1, 4) => {
            data.first_chunk::<4>().map_or_else(String::new, |b| std::net::Ipv4Addr::from(*b).to_string())
        }
        (28, 16) => {
            data.first_chunk::<16>().map_or_else(String::new, |b| std::net::Ipv6Addr::from(*b).to_string())
        }
        (2 | 5 | 12 | 39, _) => dns::read_name(bytes, record.data)
            .map_or_else(|problem| format!("({problem})"), |(name, _)| name_text(&name)),
        _ => crate::text::escape(&data_text(bytes, record)),
    }
}

/// A name as the timeline shows it: presentation form without the final dot (the root keeps its dot).
fn name_text(name: &dns::Name) -> String {
    let full = dns::presentation(name.wire());
    match full.strip_suffix('.') {
        Some(short) if !short.is_empty() && !short.ends_with('\\') => short.to_owned(),
        _ => full,
    }
}
