//! DNS and its relatives on other ports.

mod names;

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

pub use names::{
    class_name, extended_error_name, opcode_name, option_name, push_class_name, push_type_name,
    response_code_name, response_code_number, type_name, type_number,
};

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
