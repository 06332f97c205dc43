//! UDP.

use std::fmt::Write as _;

use super::{Claim, Frame, Protocol};

/// User Datagram Protocol.
pub static UDP: Protocol = Protocol {
    name: "udp",
    label: "UDP",
    title: "User Datagram Protocol",
    claims: &[Claim::IpProtocol(17)],
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
