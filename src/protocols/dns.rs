//! DNS and its relatives on other ports.

use std::fmt::Write as _;

use super::{Claim, Field, Frame, Kind, Protocol, Tree, Value};
use crate::decode::dns;

/// QNAME of the first question.
pub static QUERY_NAME: Field = Field { name: "dns.qry.name", kind: Kind::Name, help: "name in the question" };

/// DNS (RFC 1035).
pub static DNS: Protocol = Protocol {
    name: "dns",
    label: "DNS",
    title: "Domain Name System",
    claims: &[Claim::UdpPort(53), Claim::TcpPort(53)],
    fields: &[&QUERY_NAME],
    dissect,
    summary,
};

/// Multicast DNS (RFC 6762).
pub static MDNS: Protocol = Protocol {
    name: "mdns",
    label: "MDNS",
    title: "Multicast DNS",
    claims: &[Claim::UdpPort(5353)],
    fields: &[],
    dissect,
    summary,
};

/// Link-local multicast name resolution (RFC 4795).
pub static LLMNR: Protocol = Protocol {
    name: "llmnr",
    label: "LLMNR",
    title: "Link-Local Multicast Name Resolution",
    claims: &[Claim::UdpPort(5355)],
    fields: &[],
    dissect,
    summary,
};

/// The usual name of a record type (`A`, `AAAA`, `TYPE1234`).
pub fn type_name(qtype: u16) -> String {
    let known = match qtype {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        43 => "DS",
        48 => "DNSKEY",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        _ => return format!("TYPE{qtype}"),
    };
    known.to_owned()
}

fn message<'f>(frame: &'f Frame<'_, '_>) -> Option<dns::Message<'f>> {
    dns::read(frame.assembled.unwrap_or_else(|| frame.decoded.payload()))
}

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let Some(message) = message(frame) else { return };
    let start = frame.decoded.payload_start as usize;
    let name = dns::presentation(message.name.wire());
    tree.enter(format!("DNS  id {}", message.header.id), start, frame.decoded.payload_end as usize);
    tree.push(
        Some(&QUERY_NAME),
        format!("Name: {name}"),
        Value::Text(name),
        start + 12..start + message.question_end,
    );
    tree.leave();
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let Some(message) = message(frame) else {
        out.push_str("DNS message cut before its header ends");
        return;
    };
    let name = dns::presentation(message.name.wire());
    let kind = type_name(message.qtype);
    if message.header.is_response() {
        let _ = write!(out, "{} rcode {} {kind} {name}", message.header.id, message.header.response_code());
    } else {
        let _ = write!(out, "{} {kind}? {name}", message.header.id);
    }
}
