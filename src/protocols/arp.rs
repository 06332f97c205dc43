//! ARP.

use std::fmt::Write as _;

use super::{Claim, Frame, Protocol};

/// Address Resolution Protocol.
pub static ARP: Protocol = Protocol {
    name: "arp",
    label: "ARP",
    title: "Address Resolution Protocol",
    claims: &[Claim::EtherType(0x0806)],
    fields: &[],
    dissect: |_, _| {},
    summary,
};

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let _ = match frame.decoded.ports() {
        Some((source, destination)) => write!(out, "{source} → {destination}"),
        None => write!(out, "{} → {}", frame.decoded.source, frame.decoded.destination),
    };
}
