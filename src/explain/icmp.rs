//! ICMP errors in words: an envelope that returns the letter it is about.

use super::{Explanation, Subject, role, transport_name};
use crate::attempts::exchange;
use crate::correlate::generator;
use crate::decode::{Address, Quote, Transport};

/// What is known of an error and of what it quotes.
struct Error {
    v6: bool,
    kind: u8,
    code: u8,
    quoted: Option<(Address, Option<u16>, &'static str)>,
    /// Error about an answer of a DNS server.
    about_answer: bool,
    /// Whoever the packet was for sent the error.
    by_receiver: bool,
    length: Option<u32>,
    quote_bytes: Option<u32>,
    ids: String,
}

fn read(subject: &Subject<'_>) -> Option<Error> {
    let (kind, code) = subject.decoded.icmp()?;
    let v6 = matches!(subject.decoded.transport, Transport::Icmpv6 { .. });
    if let Some(printed) = subject.printed.and_then(|line| line.icmp) {
        let protocol = if printed.quoted_protocol == Some(6) { "tcp" } else { "udp" };
        return Some(Error {
            v6,
            kind,
            code,
            quoted: printed.quoted.map(|host| (host.address, printed.quoted_port, protocol)),
            about_answer: false,
            by_receiver: printed.quoted.is_some_and(|host| host.address == subject.decoded.source),
            length: printed.length_bytes,
            quote_bytes: None,
            ids: String::new(),
        });
    }
    let decoded = &subject.decoded;
    let quote = Quote::read(decoded);
    let header = decoded.payload_start.saturating_sub(8);
    let mut ids = String::new();
    if let Some(quote) = &quote {
        if let Some(id) = quote.inner.ip_id {
            ids = format!("It returns IP id {id}");
        }
        if let Some(what) = returned(subject, quote) {
            let before = if ids.is_empty() { "It returns".to_owned() } else { format!("{ids} and") };
            ids = format!("{before} {what}");
        }
    }
    Some(Error {
        v6,
        kind,
        code,
        quoted: quote.as_ref().map(|quote| {
            let port = quote.inner.ports().map(|ports| ports.1);
            (quote.inner.destination, port, transport_name(quote.inner.transport))
        }),
        about_answer: quote.as_ref().is_some_and(|quote| {
            quote.inner.ports().is_some_and(|ports| subject.index.settings.is_dns_port(ports.0))
        }),
        by_receiver: quote.as_ref().is_some_and(|quote| quote.inner.destination == decoded.source),
        length: Some(decoded.payload_end.saturating_sub(header)),
        quote_bytes: quote.as_ref().map(|quote| quote.length_bytes),
        ids,
    })
}

/// What tells the returned packet from others of its flow, in the terms of what it carries.
fn returned(subject: &Subject<'_>, quote: &Quote<'_>) -> Option<String> {
    let (from, to) = quote.inner.ports()?;
    let settings = &subject.index.settings;
    let is_name_service = |port: u16| settings.is_name_service_port(port);
    match quote.inner.transport {
        Transport::Tcp { sequence, .. } => Some(format!("sequence number {sequence}")),
        Transport::Udp { .. } if is_name_service(from) || is_name_service(to) => {
            let message = crate::decode::dns::read(quote.payload())?;
            Some(format!("DNS number {}", message.header.id))
        }
        Transport::Udp { .. } if !quote.payload().is_empty() => {
            let protocol = crate::protocols::classify(&quote.inner, settings).protocol();
            let number = exchange::pdu(quote.payload()).filter(|_| protocol.name == "snmp");
            let number = number.map_or_else(String::new, |pdu| format!(" with request number {}", pdu.id));
            Some(format!("the beginning of what it carried ({}{number})", protocol.label))
        }
        _ => None,
    }
}

/// The tail of tcpdump's line, what the type and code mean, and what follows from it.
fn meaning(error: &Error) -> (String, &'static str, &'static str) {
    let (to, port, protocol) = error.quoted.unwrap_or((Address::None, None, "ip"));
    let port = port.map_or_else(String::new, |port| format!(" port {port}"));
    let prohibited = "A rule on the way forbids this; the device that sent the error applies it.";
    match (error.v6, error.kind, error.code) {
        (false, 3, 3) => (
            format!("{to} {protocol}{port} unreachable"),
            "port unreachable: the packet arrived, the port was refused",
            "Something that answers for the address is alive and refuses the port: either no program listens there, or a filter refuses; both look the same.",
        ),
        (true, 1, 4) => (
            format!("destination unreachable, unreachable port, {to} {protocol}{port}"),
            "port unreachable: the packet arrived, the port was refused",
            "Something that answers for the address is alive and refuses the port: either no program listens there, or a filter refuses; both look the same.",
        ),
        (false, 3, 0) => (
            format!("net {to} unreachable"),
            "no route to that network",
            "A router has no way to the destination.",
        ),
        (true, 1, 0) => (
            format!("destination unreachable, unreachable route {to}"),
            "no route",
            "A router has no way to the destination.",
        ),
        (false, 3, 1) => (
            format!("host {to} unreachable"),
            "the last router cannot reach that machine (often after 3 s of asking for it)",
            "The machine is off, gone, or never existed at that address.",
        ),
        (true, 1, 3) => (
            format!("destination unreachable, unreachable address {to}"),
            "the last router cannot reach that machine",
            "The machine is off, gone, or never existed at that address.",
        ),
        (false, 3, 4) => (
            format!("{to} unreachable - need to frag"),
            "too big for the next link, and not allowed to be split",
            "The sender must send smaller packets; if it never hears this, big answers vanish.",
        ),
        (true, 2, _) => (
            "packet too big".to_owned(),
            "too big for the next link",
            "The sender must send smaller packets.",
        ),
        (false, 3, 13) => {
            (format!("host {to} unreachable - admin prohibited filter"), "a rule forbids this", prohibited)
        }
        (false, 3, 9 | 10) => (
            format!("host {to} unreachable - admin prohibited"),
            "a rule forbids this (older code)",
            prohibited,
        ),
        (true, 1, 1) => (
            format!("destination unreachable, unreachable prohibited {to}"),
            "a rule forbids this",
            prohibited,
        ),
        (false, 11, 0) | (true, 3, 0) => (
            "time exceeded in-transit".to_owned(),
            "the hop counter ran out on the way",
            "A routing loop, or a traceroute at work.",
        ),
        (false, 11, 1) | (true, 3, 1) => (
            "ip reassembly time exceeded".to_owned(),
            "pieces of a split packet did not arrive in time",
            "Fragments are lost on the way; big answers do not get through.",
        ),
        (false, 4, _) => (
            "source quench".to_owned(),
            "a request to send less (obsolete)",
            "A note, not a failure: it does not say that the packet was lost.",
        ),
        (false, 5, _) => {
            (format!("redirect {to}"), "use another router for that destination", "A hint, not a failure.")
        }
        (false, 0, _) => ("echo reply".to_owned(), "the answer to a ping", "The host answers pings."),
        (false, 8, _) => ("echo request".to_owned(), "a ping", "Someone tests whether the host answers."),
        (true, 128, _) => ("echo request".to_owned(), "a ping", "Someone tests whether the host answers."),
        (true, 129, _) => ("echo reply".to_owned(), "the answer to a ping", "The host answers pings."),
        (true, 135, _) => (
            "neighbor solicitation".to_owned(),
            "who owns this address on the local network?",
            "Local housekeeping.",
        ),
        (true, 136, _) => ("neighbor advertisement".to_owned(), "I own this address", "Local housekeeping."),
        (_, kind, code) => {
            (format!("type {kind} code {code}"), "an ICMP message", "See the type's registration.")
        }
    }
}

pub(super) fn explain(subject: &Subject<'_>, explanation: &mut Explanation) {
    let Some(error) = read(subject) else { return };
    let decoded = &subject.decoded;
    let header = decoded.payload_start.saturating_sub(8);
    let (tail, meaning, so_what) = meaning(&error);
    let label = if error.v6 { "ICMP6," } else { "ICMP" };
    let reference = if error.v6 { "RFC 4443" } else { "RFC 792" };
    explanation.push(label, "the network's own reporting protocol; it has no ports", reference);
    let words = format!("type {} code {}: {meaning}", error.kind, error.code);
    let token = explanation.push(tail, words, reference).glue(", ");
    if subject.printed.is_none() {
        token.at(header, 2);
    }
    if let Some(length) = error.length {
        let words = error.quote_bytes.map_or_else(
            || format!("printed as {length} bytes: 8 of ICMP and what it returns of the original packet"),
            |quote| format!("{length} bytes: 8 of ICMP and {quote} of the returned packet"),
        );
        explanation.push(format!("length {length}"), words, reference);
    }
    let (from, to) = (role(subject, decoded.source), role(subject, decoded.destination));
    explanation.sentence = match error.quoted {
        Some((address, port, protocol)) => {
            let port = port.map_or_else(String::new, |port| format!(" {protocol} port {port}"));
            format!("{from} told {to} about a packet to {}{port}: {meaning}.", role(subject, address))
        }
        None => format!("{from} sent {to} an ICMP message: {meaning}."),
    };
    explanation.so_what = String::from(so_what);
    if error.about_answer {
        explanation.so_what = String::from(if error.by_receiver {
            "The client had closed its port before the answer came: the answer was late or unwanted."
        } else {
            "The answer did not get past the device that sent this error."
        });
        explanation.not_so = String::from("The DNS server is not down: this error is about its answer.");
    } else if decoded.is_icmp_error() {
        let port = error.quoted.and_then(|(_, port, _)| port);
        let is_dns = port.is_none_or(|port| subject.index.settings.is_dns_port(port));
        let program = if is_dns { "the DNS program" } else { "the program asked" };
        explanation.not_so = format!(
            "Not an echo reply, and not a reply of {program}. The ICMP packet itself was delivered; what could not be delivered is the packet it returns.",
        );
        if matches!((error.v6, error.kind, error.code), (false, 3, 3) | (true, 1, 4)) {
            explanation.not_so.push_str(" It does not say that the host is down.");
        }
    } else {
        explanation.not_so = String::from("Not an error message.");
    }
    if !error.ids.is_empty() {
        explanation.ties.push(format!("{}.", error.ids));
    }
    if let Some(generator) = generator::of(subject.index, subject.evidence, subject.packet.id) {
        explanation.ties.push(generator.note);
    }
    if decoded.is_icmp_error() {
        explanation.quiz = vec![
            ("Who sent this packet?".to_owned(), format!("{from}.")),
            ("Which packet was undeliverable?".to_owned(), "The one it returns, not the ICMP packet.".to_owned()),
            ("Is the destination host up?".to_owned(), so_what.to_owned()),
            (
                "Name two causes and one test.".to_owned(),
                "No program listens, or a filter refuses; look at the server's sockets and its filter counters during one query.".to_owned(),
            ),
        ];
    }
}
