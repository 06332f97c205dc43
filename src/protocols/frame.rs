//! What the capture itself records of a packet; filters answer these fields from the index.

use super::Protocol;

fields! {
    NUMBER "frame.number" Number "position in its own file, from 1";
    TIME "frame.time" Time "time of capture";
    TIME_RELATIVE "frame.time_relative" Duration "time since the first packet";
    TIME_DELTA "frame.time_delta" Duration "time since the packet before";
    LENGTH "frame.len" Number "bytes on the wire";
    CAPTURED "frame.cap_len" Number "bytes captured";
    INTERFACE "frame.interface_id" Number "interface the packet was captured on";
    PROTOCOLS_FIELD "frame.protocols" Text "layers of the packet, outermost first";
}

/// The record around a packet.
pub static FRAME: Protocol = Protocol {
    name: "frame",
    label: "Frame",
    title: "Capture record",
    claims: &[],
    fields: FIELDS,
    dissect: |_, _| {},
    summary: |_, _| {},
};
