//! ICMP and ICMPv6.

use std::fmt::Write as _;

use super::{Claim, Field, Frame, Kind, Protocol, Tree};

/// ICMP type.
pub static TYPE: Field = Field { name: "icmp.type", kind: Kind::Number, help: "type" };
/// ICMP code.
pub static CODE: Field = Field { name: "icmp.code", kind: Kind::Number, help: "code" };

/// ICMP (RFC 792).
pub static ICMP: Protocol = Protocol {
    name: "icmp",
    label: "ICMP",
    title: "Internet Control Message Protocol",
    claims: &[Claim::IpProtocol(1)],
    fields: &[&TYPE, &CODE],
    dissect,
    summary,
};

/// ICMPv6 (RFC 4443).
pub static ICMPV6: Protocol = Protocol {
    name: "icmpv6",
    label: "ICMPv6",
    title: "Internet Control Message Protocol version 6",
    claims: &[Claim::IpProtocol(58)],
    fields: &[],
    dissect,
    summary,
};

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let Some((kind, code)) = frame.decoded.icmp() else { return };
    let start = (frame.decoded.payload_start as usize).saturating_sub(8);
    tree.enter("ICMP".to_owned(), start, frame.decoded.payload_end as usize);
    tree.number(&TYPE, "Type", i64::from(kind), start..start + 1);
    tree.number(&CODE, "Code", i64::from(code), start + 1..start + 2);
    tree.leave();
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    if let Some((kind, code)) = frame.decoded.icmp() {
        let _ = write!(out, "type {kind} code {code}");
    }
}
