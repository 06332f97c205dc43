//! UDP.

use std::fmt::Write as _;

use super::{Claim, Frame, Protocol, Tree, Value, big};
use crate::decode::{Decoded, Layer};

fields! {
    SOURCE_PORT "udp.srcport" Number "source port";
    DESTINATION_PORT "udp.dstport" Number "destination port";
    PORT "udp.port" Number "source or destination port";
    LENGTH "udp.length" Number "length of header and data in bytes";
    CHECKSUM "udp.checksum" Number "checksum";
    PAYLOAD "udp.payload" Bytes "data";
}

/// User Datagram Protocol (RFC 768).
pub static UDP: Protocol = Protocol {
    name: "udp",
    label: "UDP",
    title: "User Datagram Protocol",
    claims: &[Claim::IpProtocol(17)],
    fields: FIELDS,
    dissect: |_, _| {},
    summary,
};

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let decoded = frame.decoded;
    if let Some((source, destination)) = decoded.ports() {
        let _ = write!(out, "{source} → {destination}, {} bytes", decoded.payload().len());
    }
}

pub(super) fn rows(decoded: &Decoded<'_>, layer: Layer, tree: &mut Tree) {
    let (bytes, start, end) = (decoded.bytes, layer.start as usize, layer.end as usize);
    let number =
        |at: usize| big(bytes, start + at, 2).filter(|_| start + at + 2 <= end).map(|value| value as i64);
    let (Some(source), Some(destination)) = (number(0), number(2)) else { return };
    tree.enter(format!("UDP  {source} → {destination}"), start, end);
    tree.number(&SOURCE_PORT, "Source port", source, start..start + 2);
    tree.also(&PORT, Value::Number(source), start..start + 2);
    tree.number(&DESTINATION_PORT, "Destination port", destination, start + 2..start + 4);
    tree.also(&PORT, Value::Number(destination), start + 2..start + 4);
    if let Some(length) = number(4) {
        tree.number(&LENGTH, "Length", length, start + 4..start + 6);
    }
    if let Some(sum) = number(6) {
        let note = if sum == 0 { " (none)" } else { "" };
        let text = format!("Checksum: {sum:#06x}{note}");
        tree.push(Some(&CHECKSUM), text, Value::Number(sum), start + 6..start + 8);
    }
    if layer.end == decoded.payload_start && decoded.payload_end > decoded.payload_start {
        let range = decoded.payload_start as usize..decoded.payload_end as usize;
        tree.also(&PAYLOAD, Value::Bytes(decoded.payload().to_vec()), range);
    } else if layer.end < decoded.payload_start
        && let Some(range) = number(4).map(|length| end..(start + length as usize).min(bytes.len()))
        && let Some(carried) = bytes.get(range.clone()).filter(|carried| !carried.is_empty())
    {
        // The outer header of a tunnel.
        tree.also(&PAYLOAD, Value::Bytes(carried.to_vec()), range);
    }
    tree.leave();
}
