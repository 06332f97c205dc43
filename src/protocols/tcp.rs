//! TCP.

use std::fmt::Write as _;

use super::{Claim, Frame, Protocol};

/// Transmission Control Protocol.
pub static TCP: Protocol = Protocol {
    name: "tcp",
    label: "TCP",
    title: "Transmission Control Protocol",
    claims: &[Claim::IpProtocol(6)],
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
