//! The detail rows of a DNS message.

use super::{
    A, AAAA, ADDITIONALS, ANSWERS, AUTHENTICATED, AUTHORITATIVE, AUTHORITIES, CACHE_FLUSH, CHECKING_DISABLED,
    CNAME, COOKIE, DNSSEC_OK, EDNS_VERSION, EXTENDED_ERROR, EXTENDED_ERROR_TEXT, EXTENDED_RESPONSE_CODE,
    FLAGS_FIELD, Frame, ID, LABELS, LENGTH, MX, MX_PREFERENCE, NS, OPCODE, OPTION, PTR, QUERY_CLASS,
    QUERY_NAME, QUERY_NAME_LENGTH, QUERY_TYPE, QUESTIONS, RECORD_CLASS, RECORD_LENGTH, RECORD_NAME,
    RECORD_TTL, RECORD_TYPE, RECURSION_AVAILABLE, RECURSION_DESIRED, RESPONSE, RESPONSE_CODE, Record, SOA,
    SOA_EXPIRE, SOA_MAIL, SOA_MINIMUM, SOA_REFRESH, SOA_RETRY, SOA_SERIAL, SRV, SRV_PORT, SRV_PRIORITY,
    SRV_WEIGHT, TRUNCATED, TXT, TXT_LENGTH, UDP_SIZE, UNICAST_WANTED, ZERO, class_name, data_text,
    extended_error_name, message, opcode_name, option_name, records, response_code_name, type_name,
};
use crate::decode::dns::{self, Message};
use crate::decode::{Address, Transport};
use crate::protocols::{Field, Tree, Value};
use crate::text::{escape, escape_bytes};

const OPT: u16 = 41;
const MDNS_PORT: u16 = 5353;
/// The top bit of a class in mDNS: cache-flush, or unicast wanted (RFC 6762 §5.4, §10.2).
const CLASS_MARK: u16 = 0x8000;

/// Adds the rows of the frame's message. Messages that stand in the frame keep the frame's byte ranges.
pub(super) fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let Some(message) = message(frame) else { return };
    let payload = frame.decoded.payload_start as usize;
    let multicast = frame.decoded.ports().is_some_and(|(from, to)| from == MDNS_PORT || to == MDNS_PORT);
    match frame.assembled {
        None => rows(&message, payload, multicast, tree),
        Some(bytes) => match place_in(frame.decoded.bytes, bytes) {
            Some(start) => rows(&message, start, multicast, tree),
            // Already among the reassembled packet's bytes, or a message of its own from a stream.
            None => tree.in_assembled(bytes, |tree, base| rows(&message, base, multicast, tree)),
        },
    }
    if matches!(frame.decoded.transport, Transport::Tcp { .. }) {
        let length = message.bytes.len();
        tree.also(&LENGTH, Value::Number(length as i64), payload..payload);
    }
}

/// Where `part` stands in `whole` when it is a slice of it.
fn place_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let offset = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (offset + part.len() <= whole.len()).then_some(offset)
}

fn rows(message: &Message<'_>, base: usize, multicast: bool, tree: &mut Tree) {
    let header = message.header;
    let what = if header.is_response() { "response" } else { "query" };
    tree.enter(
        format!("DNS {what}  id {:#06x} ({})", header.id, header.id),
        base,
        base + message.bytes.len(),
    );
    let id = format!("Id: {:#06x} ({})", header.id, header.id);
    tree.push(Some(&ID), id, Value::Number(i64::from(header.id)), base..base + 2);
    flag_rows(message, base, tree);
    let counts: [(&'static Field, &str); 4] = [
        (&QUESTIONS, "Questions"),
        (&ANSWERS, "Answer records"),
        (&AUTHORITIES, "Authority records"),
        (&ADDITIONALS, "Additional records"),
    ];
    for (position, ((field, label), count)) in counts.into_iter().zip(header.counts).enumerate() {
        let at = base + 4 + position * 2;
        tree.number(field, label, i64::from(count), at..at + 2);
    }
    question_rows(message, base, multicast, tree);
    let (all, ended) = records(message);
    for record in &all {
        if record.kind == OPT {
            let range = base + record.start..base + record.end;
            tree.also(&RECORD_NAME, Value::Text(".".to_owned()), range.clone());
            tree.also(&RECORD_TYPE, Value::Number(i64::from(OPT)), range.clone());
            tree.also(&RECORD_LENGTH, Value::Number((record.end - record.data) as i64), range);
            extension_rows(message, base, tree);
        } else {
            record_rows(message.bytes, record, base, multicast, tree);
        }
    }
    if let Some(problem) = message.problem.or(ended) {
        let end = base + message.bytes.len();
        tree.push(None, format!("Malformed or cut: {problem}"), Value::None, end..end);
    }
    tree.leave();
}

fn flag_rows(message: &Message<'_>, base: usize, tree: &mut Tree) {
    let header = message.header;
    let flags = header.flags;
    let (first, second) = (base + 2..base + 3, base + 3..base + 4);
    let text = format!("Flags: {flags:#06x}");
    tree.push(Some(&FLAGS_FIELD), text, Value::Number(i64::from(flags)), base + 2..base + 4);
    tree.flag(&RESPONSE, "Response", header.is_response(), first.clone());
    let opcode = header.opcode();
    let text = format!("Operation: {opcode} ({})", opcode_name(opcode));
    tree.push(Some(&OPCODE), text, Value::Number(i64::from(opcode)), first.clone());
    if header.is_response() {
        tree.flag(&AUTHORITATIVE, "Authoritative answer", flags & 0x0400 != 0, first.clone());
    }
    tree.flag(&TRUNCATED, "Truncated", header.is_truncated(), first.clone());
    tree.flag(&RECURSION_DESIRED, "Recursion desired", header.recursion_desired(), first);
    if header.is_response() {
        tree.flag(&RECURSION_AVAILABLE, "Recursion available", flags & 0x0080 != 0, second.clone());
        tree.flag(&AUTHENTICATED, "Authenticated data", flags & 0x0020 != 0, second.clone());
    }
    tree.also(&ZERO, Value::Bool(flags & 0x0040 != 0), second.clone());
    tree.flag(&CHECKING_DISABLED, "Checking disabled", flags & 0x0010 != 0, second.clone());
    if header.is_response() {
        let low = u16::from(header.response_code());
        let code = message.response_code();
        let mut text = format!("Response code: {code} ({})", response_code_name(code));
        if code != low {
            text = format!("{text}: {low} in the header, the rest in OPT");
        }
        tree.push(Some(&RESPONSE_CODE), text, Value::Number(i64::from(code)), second.clone());
        tree.also(&EXTENDED_RESPONSE_CODE, Value::Number(i64::from(code)), second);
    }
}

fn question_rows(message: &Message<'_>, base: usize, multicast: bool, tree: &mut Tree) {
    let mut at = 12;
    for _ in 0..message.header.counts.first().copied().unwrap_or(0).min(64) {
        let Ok((name, end)) = dns::read_name(message.bytes, at) else { return };
        let shown = dns::presentation(name.wire());
        let word = |at: usize| super::super::big(message.bytes, at, 2).map(|value| value as u16);
        let kind = word(end).map_or_else(String::new, |kind| format!(" {}", type_name(kind)));
        tree.enter(format!("Question: {shown}{kind}"), base + at, base + (end + 4).min(message.bytes.len()));
        let range = base + at..base + end;
        // Without the final dot, except for the root itself.
        let length = shown.chars().count().saturating_sub(1);
        let labels = message.bytes.get(at..end).map_or(0, |_| label_count(name.wire()));
        tree.also(&QUERY_NAME_LENGTH, Value::Number(length as i64), range.clone());
        tree.also(&LABELS, Value::Number(labels), range.clone());
        tree.text(&QUERY_NAME, "Name", shown, range);
        if let (Some(kind), Some(class)) = (word(end), word(end + 2)) {
            let text = format!("Type: {} ({kind})", type_name(kind));
            tree.push(Some(&QUERY_TYPE), text, Value::Number(i64::from(kind)), base + end..base + end + 2);
            let plain = if multicast { class & !CLASS_MARK } else { class };
            let text = format!("Class: {} ({class})", class_name(plain));
            let range = base + end + 2..base + end + 4;
            if multicast {
                tree.also(&UNICAST_WANTED, Value::Bool(class != plain), range.clone());
            }
            tree.push(Some(&QUERY_CLASS), text, Value::Number(i64::from(plain)), range);
        }
        tree.leave();
        at = end + 4;
    }
}

/// Labels of a name in wire form, the root not counted.
fn label_count(wire: &[u8]) -> i64 {
    let (mut rest, mut count) = (wire, 0);
    while let Some((length, tail)) = rest.split_first().filter(|(length, _)| **length > 0) {
        count += 1;
        rest = tail.get(usize::from(*length)..).unwrap_or_default();
    }
    count
}

fn record_rows(bytes: &[u8], record: &Record, base: usize, multicast: bool, tree: &mut Tree) {
    let Ok((name, name_end)) = dns::read_name(bytes, record.start) else { return };
    let owner = dns::presentation(name.wire());
    let kind = type_name(record.kind);
    let data = escape(&data_text(bytes, record));
    let heading = format!("{}: {} {kind} {data}", record.section, escape(&owner));
    tree.enter(heading, base + record.start, base + record.end);
    tree.text(&RECORD_NAME, "Name", owner, base + record.start..base + name_end);
    let fixed = base + record.data - 10;
    let text = format!("Type: {kind} ({})", record.kind);
    tree.push(Some(&RECORD_TYPE), text, Value::Number(i64::from(record.kind)), fixed..fixed + 2);
    let plain = if multicast { record.class & !CLASS_MARK } else { record.class };
    let text = format!("Class: {} ({})", class_name(record.class & !CLASS_MARK), record.class);
    tree.push(Some(&RECORD_CLASS), text, Value::Number(i64::from(plain)), fixed + 2..fixed + 4);
    if multicast {
        tree.also(&CACHE_FLUSH, Value::Bool(record.class != plain), fixed + 2..fixed + 4);
    }
    tree.also(&RECORD_LENGTH, Value::Number((record.end - record.data) as i64), fixed + 8..fixed + 10);
    tree.number(&RECORD_TTL, "Time to live", i64::from(record.ttl), fixed + 4..fixed + 8);
    data_row(bytes, record, &data, base, tree);
    tree.leave();
}

fn data_row(bytes: &[u8], record: &Record, text: &str, base: usize, tree: &mut Tree) {
    let range = base + record.data..base + record.end;
    let data = bytes.get(record.data..record.end).unwrap_or_default();
    let four = data.first_chunk::<4>().filter(|_| data.len() == 4);
    let sixteen = data.first_chunk::<16>().filter(|_| data.len() == 16);
    match (record.kind, four, sixteen) {
        (1, Some(four), _) => tree.address(&A, "Address", Address::V4((*four).into()), range),
        (28, _, Some(sixteen)) => tree.address(&AAAA, "Address", Address::V6((*sixteen).into()), range),
        (16, ..) => {
            let mut joined = Vec::new();
            let mut rest = data;
            while let Some((&length, tail)) = rest.split_first() {
                tree.also(&TXT_LENGTH, Value::Number(i64::from(length)), range.clone());
                joined.extend_from_slice(tail.get(..usize::from(length)).unwrap_or(tail));
                rest = tail.get(usize::from(length)..).unwrap_or_default();
            }
            tree.text(&TXT, "Text", String::from_utf8_lossy(&joined).into_owned(), range);
        }
        _ => {
            let named: Option<(&'static Field, usize)> = match record.kind {
                2 => Some((&NS, 0)),
                5 => Some((&CNAME, 0)),
                6 => Some((&SOA, 0)),
                12 => Some((&PTR, 0)),
                15 => Some((&MX, 2)),
                33 => Some((&SRV, 6)),
                _ => None,
            };
            tree.push(None, format!("Data: {text}"), Value::None, range.clone());
            if let Some((field, skip)) = named
                && record.data + skip < record.end
                && let Ok((name, end)) = dns::read_name(bytes, record.data + skip)
            {
                tree.also(field, Value::Text(dns::presentation(name.wire())), range.clone());
                if record.kind == 6 {
                    zone_rows(bytes, end, range.clone(), tree);
                }
            }
            let numbers: &[(&'static Field, usize)] = match record.kind {
                15 => &[(&MX_PREFERENCE, 0)],
                33 => &[(&SRV_PRIORITY, 0), (&SRV_WEIGHT, 2), (&SRV_PORT, 4)],
                _ => &[],
            };
            for (field, at) in numbers {
                if let Some(value) = crate::protocols::big(data, *at, 2) {
                    tree.also(field, Value::Number(value as i64), range.clone());
                }
            }
        }
    }
}

/// What follows the primary server in a SOA record (RFC 1035 §3.3.13).
fn zone_rows(bytes: &[u8], at: usize, range: std::ops::Range<usize>, tree: &mut Tree) {
    let Ok((mail, end)) = dns::read_name(bytes, at) else { return };
    tree.also(&SOA_MAIL, Value::Text(dns::presentation(mail.wire())), range.clone());
    let numbers = [&SOA_SERIAL, &SOA_REFRESH, &SOA_RETRY, &SOA_EXPIRE, &SOA_MINIMUM];
    for (position, field) in numbers.into_iter().enumerate() {
        if let Some(value) = crate::protocols::big(bytes, end + position * 4, 4) {
            tree.also(field, Value::Number(value as i64), range.clone());
        }
    }
}

fn extension_rows(message: &Message<'_>, base: usize, tree: &mut Tree) {
    let Some(extension) = message.extension() else { return };
    let fixed = base + extension.data - 10;
    tree.enter("EDNS".to_owned(), base + extension.start, base + extension.end);
    tree.number(&UDP_SIZE, "UDP payload size", i64::from(extension.udp_size), fixed + 2..fixed + 4);
    tree.number(&EDNS_VERSION, "Version", i64::from(extension.version), fixed + 5..fixed + 6);
    tree.flag(&DNSSEC_OK, "DNSSEC records wanted (DO)", extension.dnssec_ok(), fixed + 6..fixed + 8);
    for (code, range) in extension.options(message.bytes) {
        let data = message.bytes.get(range.clone()).unwrap_or_default();
        let place = base + range.start..base + range.end;
        let name = option_name(code);
        let text = match code {
            15 => continue,
            3 => format!("{name}: {}", escape_bytes(data)),
            8 => format!("{name}: {}", client_subnet(data)),
            _ => format!("{name}: {}", hexadecimal(data)),
        };
        tree.push(Some(&OPTION), text, Value::Number(i64::from(code)), place.clone());
        if code == 10 {
            let client = data.get(..8).unwrap_or(data).to_vec();
            tree.also(&COOKIE, Value::Bytes(client), place);
        }
    }
    if let Some((error, range)) = extension.extended_error(message.bytes) {
        let place = base + range.start - 2..base + range.start;
        let text = format!("Extended error: {error} ({})", extended_error_name(error));
        tree.push(Some(&EXTENDED_ERROR), text, Value::Number(i64::from(error)), place);
        let words = message.bytes.get(range.clone()).unwrap_or_default();
        if !words.is_empty() {
            let words = String::from_utf8_lossy(words).into_owned();
            tree.text(
                &EXTENDED_ERROR_TEXT,
                "Extended error text",
                words,
                base + range.start..base + range.end,
            );
        }
    }
    tree.leave();
}

/// Family, prefix lengths and the address's first bytes (RFC 7871 §6).
fn client_subnet(data: &[u8]) -> String {
    let Some(([_, family, prefix, _], rest)) = data.split_first_chunk::<4>() else {
        return hexadecimal(data);
    };
    let fill = |octets: &mut [u8]| {
        for (slot, byte) in octets.iter_mut().zip(rest) {
            *slot = *byte;
        }
    };
    if *family == 1 {
        let mut octets = [0; 4];
        fill(&mut octets);
        format!("{}/{prefix}", std::net::Ipv4Addr::from(octets))
    } else {
        let mut octets = [0; 16];
        fill(&mut octets);
        format!("{}/{prefix}", std::net::Ipv6Addr::from(octets))
    }
}

fn hexadecimal(data: &[u8]) -> String {
    use std::fmt::Write as _;
    data.iter().fold(String::with_capacity(data.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
