//! Pieces of IP packets.

use std::fmt::Write as _;

use super::{Frame, Protocol};

/// A fragment that does not complete its packet (RFC 791 §3.2; RFC 8200 §4.5).
pub static FRAGMENT: Protocol = Protocol {
    name: "fragment",
    label: "Frag",
    title: "Fragment of an IP packet",
    claims: &[],
    fields: &[],
    dissect: |_, _| {},
    summary,
};

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let decoded = frame.decoded;
    let Some(fragment) = decoded.fragment else { return };
    let which = match (fragment.offset_bytes, fragment.more) {
        (0, _) => "first",
        (_, true) => "middle",
        (_, false) => "last",
    };
    let protocol = match decoded.ip_protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmp6".to_owned(),
        number => format!("protocol {number}"),
    };
    let bytes = decoded.payload_end.saturating_sub(decoded.transport_start);
    let _ = write!(
        out,
        "{which} fragment of {protocol}, id {:#06x}, offset {}, {bytes} bytes",
        fragment.id, fragment.offset_bytes
    );
}
