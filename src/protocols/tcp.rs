//! TCP.

use std::fmt::Write as _;

use super::{Claim, Field, Frame, Protocol, Tree, Value, big};
use crate::decode::{Decoded, Layer, LayerKind, Transport};

/// Options of one header that are read; 40 bytes hold no more.
const OPTIONS_MAX: usize = 40;

fields! {
    SOURCE_PORT "tcp.srcport" Number "source port";
    DESTINATION_PORT "tcp.dstport" Number "destination port";
    PORT "tcp.port" Number "source or destination port";
    SEQUENCE "tcp.seq_raw" Number "sequence number as sent";
    ACKNOWLEDGMENT "tcp.ack_raw" Number "acknowledgment number as sent";
    HEADER_LENGTH "tcp.hdr_len" Number "header length in bytes";
    LENGTH "tcp.len" Number "data in this segment in bytes";
    FLAGS "tcp.flags" Number "all flag bits";
    FIN "tcp.flags.fin" Bool "FIN";
    SYN "tcp.flags.syn" Bool "SYN";
    RESET "tcp.flags.reset" Bool "RST";
    PUSH "tcp.flags.push" Bool "PSH";
    ACK "tcp.flags.ack" Bool "ACK";
    URGENT "tcp.flags.urg" Bool "URG";
    ECE "tcp.flags.ece" Bool "ECN echo";
    CWR "tcp.flags.cwr" Bool "congestion window reduced";
    WINDOW "tcp.window_size_value" Number "window as sent";
    CHECKSUM "tcp.checksum" Number "checksum";
    URGENT_POINTER "tcp.urgent_pointer" Number "urgent pointer";
    MSS "tcp.options.mss_val" Number "maximum segment size";
    WINDOW_SCALE "tcp.options.wscale.shift" Number "window scale shift";
    SACK_PERMITTED "tcp.options.sack_perm" Bool "selective acknowledgment permitted";
    TIMESTAMP "tcp.options.timestamp.tsval" Number "time stamp value";
    TIMESTAMP_ECHO "tcp.options.timestamp.tsecr" Number "time stamp echo";
    PAYLOAD "tcp.payload" Bytes "data";
}

/// Transmission Control Protocol (RFC 9293).
pub static TCP: Protocol = Protocol {
    name: "tcp",
    label: "TCP",
    title: "Transmission Control Protocol",
    claims: &[Claim::IpProtocol(6)],
    fields: FIELDS,
    dissect: |_, _| {},
    summary,
};

const FLAG_ROWS: &[(u8, &Field, &str)] = &[
    (0x80, &CWR, "CWR"),
    (0x40, &ECE, "ECE"),
    (0x20, &URGENT, "URG"),
    (0x10, &ACK, "ACK"),
    (0x08, &PUSH, "PSH"),
    (0x04, &RESET, "RST"),
    (0x02, &SYN, "SYN"),
    (0x01, &FIN, "FIN"),
];

/// Flags as tcpdump prints them: `S`, `S.`, `P.`, `F.`, `R`, `.`, `none`.
fn flag_letters(flags: u8) -> String {
    let letters =
        [(2, 'S'), (1, 'F'), (4, 'R'), (8, 'P'), (0x20, 'U'), (0x40, 'E'), (0x80, 'W'), (0x10, '.')];
    let found: String =
        letters.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| *letter).collect();
    if found.is_empty() { "none".to_owned() } else { found }
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let decoded = frame.decoded;
    let Transport::Tcp { source_port, destination_port, sequence, acknowledgment, flags, window } =
        decoded.transport
    else {
        return;
    };
    let length = decoded.payload().len();
    let _ = write!(out, "{source_port} → {destination_port} Flags [{}], seq {sequence}", flag_letters(flags));
    if flags & 0x10 != 0 {
        let _ = write!(out, ", ack {acknowledgment}");
    }
    let _ = write!(out, ", win {window}, length {length}");
}

pub(super) fn rows(decoded: &Decoded<'_>, layer: Layer, tree: &mut Tree) {
    let (bytes, start, end) = (decoded.bytes, layer.start as usize, layer.end as usize);
    let number = |at: usize, size: usize| {
        let value = big(bytes, start + at, size).filter(|_| start + at + size <= end);
        value.map(|value| value as i64)
    };
    let (Some(source), Some(destination)) = (number(0, 2), number(2, 2)) else { return };
    tree.enter(format!("TCP  {source} → {destination}"), start, end);
    tree.number(&SOURCE_PORT, "Source port", source, start..start + 2);
    tree.also(&PORT, Value::Number(source), start..start + 2);
    tree.number(&DESTINATION_PORT, "Destination port", destination, start + 2..start + 4);
    tree.also(&PORT, Value::Number(destination), start + 2..start + 4);
    let plain: [(&'static Field, &str, usize, usize); 5] = [
        (&SEQUENCE, "Sequence number", 4, 4),
        (&ACKNOWLEDGMENT, "Acknowledgment number", 8, 4),
        (&WINDOW, "Window", 14, 2),
        (&CHECKSUM, "Checksum", 16, 2),
        (&URGENT_POINTER, "Urgent pointer", 18, 2),
    ];
    for (field, label, at, size) in plain {
        if let Some(value) = number(at, size) {
            tree.number(field, label, value, start + at..start + at + size);
        }
    }
    if let Some(words) = number(12, 1) {
        tree.number(&HEADER_LENGTH, "Header length", (words >> 4) * 4, start + 12..start + 13);
    }
    if let Some(flags) = number(13, 1) {
        flag_rows(tree, flags as u8, start + 13);
    }
    options(bytes, start + 20, end, tree);
    if layer.end == decoded.payload_start {
        let range = decoded.payload_start as usize..decoded.payload_end as usize;
        tree.number(&LENGTH, "Data in this segment", range.len() as i64, range.clone());
        if !range.is_empty() {
            tree.also(&PAYLOAD, Value::Bytes(decoded.payload().to_vec()), range);
        }
    }
    tree.leave();
}

fn flag_rows(tree: &mut Tree, flags: u8, at: usize) {
    let text = format!("Flags: {flags:#04x} [{}]", flag_letters(flags));
    tree.push(Some(&FLAGS), text, Value::Number(i64::from(flags)), at..at + 1);
    for (bit, field, label) in FLAG_ROWS {
        tree.flag(field, label, flags & bit != 0, at..at + 1);
    }
}

/// The window shift a header announces (RFC 7323 §2.2).
pub fn window_shift(decoded: &Decoded<'_>) -> Option<u8> {
    let layer = decoded.layers().iter().rev().find(|layer| layer.kind == LayerKind::Tcp)?;
    let options = decoded.bytes.get(layer.start as usize + 20..layer.end as usize)?;
    let mut at = 0;
    for _ in 0..OPTIONS_MAX {
        match *options.get(at)? {
            0 => return None,
            1 => at += 1,
            3 => return options.get(at + 2).copied(),
            _ => at += usize::from(*options.get(at + 1)?).max(1),
        }
    }
    None
}

fn options(bytes: &[u8], mut at: usize, end: usize, tree: &mut Tree) {
    for _ in 0..OPTIONS_MAX {
        let Some(&kind) = bytes.get(at).filter(|_| at < end) else { return };
        if kind == 0 {
            return;
        }
        if kind == 1 {
            at += 1;
            continue;
        }
        let size = bytes.get(at + 1).map_or(0, |size| usize::from(*size));
        if size < 2 || at + size > end {
            tree.push(None, "Options: the length is wrong".to_owned(), Value::None, at..end.max(at));
            return;
        }
        let value = |from: usize, size: usize| big(bytes, at + from, size).map_or(0, |value| value as i64);
        let range = at..at + size;
        match (kind, size) {
            (2, 4) => tree.number(&MSS, "Option: maximum segment size", value(2, 2), range),
            (3, 3) => tree.number(&WINDOW_SCALE, "Option: window scale", value(2, 1), range),
            (4, 2) => tree.flag(&SACK_PERMITTED, "Option: selective acknowledgment", true, range),
            (8, 10) => {
                tree.number(&TIMESTAMP, "Option: time stamp", value(2, 4), at..at + 6);
                tree.number(&TIMESTAMP_ECHO, "Option: time stamp echo", value(6, 4), at + 6..at + 10);
            }
            _ => tree.push(None, format!("Option: kind {kind}, {size} bytes"), Value::None, range),
        }
        at += size;
    }
}
