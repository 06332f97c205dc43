//! Packets that are text: what tcpdump printed, shown in its own words and as the fields the words state.

use super::{Field, Frame, Tree, Value, dns, icmp, other};
use crate::decode::LayerKind;
use crate::decode::transcript::{Dns, Host, Icmp, Line, read};
use crate::text::escape;

fn line<'a>(frame: &Frame<'a, '_>) -> Option<Line<'a>> {
    let printed = frame.decoded.layers().first().is_some_and(|layer| layer.kind == LayerKind::Transcript);
    printed.then(|| read(frame.decoded.bytes, frame.settings))?
}

/// Writes the part after the addresses as printed, on one line; false when the packet is not text.
pub(super) fn summary(frame: &Frame<'_, '_>, out: &mut String) -> bool {
    let Some(line) = line(frame) else { return false };
    let rule = rule(&line).unwrap_or("");
    for word in rule.split_ascii_whitespace().chain(line.body().split_ascii_whitespace()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&escape(word));
    }
    true
}

/// What a packet filter did with the packet, as pflog prints it: `rule 5/0(match): block in on em0:`.
fn rule<'a>(line: &Line<'a>) -> Option<&'a str> {
    let before = line.text.get(..line.source?.start as usize)?;
    let rule = before.get(before.find("rule ")?..)?;
    rule.contains("): ").then_some(rule)
}

/// Adds the rows of a printed packet; false when the packet is not text.
pub(super) fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) -> bool {
    let Some(line) = line(frame) else { return false };
    tree.enter("Printed by tcpdump (text, no packet bytes)".to_owned(), 0, line.text.len());
    if let Some(source) = line.source {
        host(tree, &other::IP_SRC, "Source", source);
    }
    if let Some(destination) = line.destination {
        host(tree, &other::IP_DST, "Destination", destination);
    }
    if let Some(ttl) = line.ip.ttl {
        tree.number(&other::IP_TTL, "Time to live", i64::from(ttl), 0..line.body as usize);
    }
    tree.leave();
    if let Some(message) = line.dns {
        dns_rows(tree, &message);
    }
    if let Some(message) = line.icmp {
        icmp_rows(tree, &message);
    }
    true
}

fn host(tree: &mut Tree, field: &'static Field, label: &str, host: Host<'_>) {
    let range = host.start as usize..host.end as usize;
    let port = host.port.map_or(String::new(), |port| format!(" port {port}"));
    let text = format!("{label}: {}{port}", escape(host.text));
    tree.push(Some(field), text, Value::Address(host.address), range);
}

fn dns_rows(tree: &mut Tree, message: &Dns<'_>) {
    let (start, end) = (message.start as usize, message.end as usize);
    let what = if message.header.is_response() { "response" } else { "query" };
    tree.enter(format!("DNS {what}, id {}", message.header.id), start, end);
    if !message.header.is_response() {
        let text = if message.header.recursion_desired() {
            "Recursion desired: yes (the + after the id)"
        } else {
            "Recursion desired: no (no + after the id)"
        };
        tree.push(None, text.to_owned(), Value::Bool(message.header.recursion_desired()), start..start);
    }
    if let Some(name) = message.name {
        let range = message.name_range.0 as usize..message.name_range.1 as usize;
        tree.push(
            Some(&dns::QUERY_NAME),
            format!("Name: {}", escape(name)),
            Value::Text(name.to_owned()),
            range.clone(),
        );
        if let Some(qtype) = message.qtype {
            let kind = dns::type_name(qtype);
            tree.push(None, format!("Type: {kind}"), Value::Text(kind), range);
        }
    }
    length(tree, message.length_bytes, message.length_range);
    tree.leave();
}

fn icmp_rows(tree: &mut Tree, message: &Icmp<'_>) {
    let range = message.start as usize..message.end as usize;
    tree.enter(
        format!("ICMP type {} code {}, as the words say", message.kind, message.code),
        range.start,
        range.end,
    );
    tree.number(&icmp::TYPE, "Type", i64::from(message.kind), range.clone());
    tree.number(&icmp::CODE, "Code", i64::from(message.code), range.clone());
    if let Some(quoted) = message.quoted {
        let port = match (message.quoted_protocol, message.quoted_port) {
            (Some(17), Some(port)) => format!(", UDP port {port}"),
            (Some(6), Some(port)) => format!(", TCP port {port}"),
            (Some(protocol), _) => format!(", IP protocol {protocol}"),
            _ => String::new(),
        };
        let text = format!("About a packet to {}{port}", escape(quoted.text));
        tree.push(None, text, Value::None, quoted.start as usize..quoted.end as usize);
    }
    length(tree, message.length_bytes, message.length_range);
    tree.leave();
}

fn length(tree: &mut Tree, bytes: Option<u32>, range: (u32, u32)) {
    if let Some(bytes) = bytes {
        let text = format!("Printed length: {bytes} bytes");
        tree.push(None, text, Value::Number(i64::from(bytes)), range.0 as usize..range.1 as usize);
    }
}
