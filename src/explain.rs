//! Explains one packet in plain words: the line tcpdump prints, each of its parts in words, and what it means and does not mean.

mod dns;
mod icmp;
mod other;
mod services;

use crate::attempts::{Attempts, Kind, Places, ties};
use crate::correlate::{Evidence, Level, LinkKind, lookups};
use crate::decode::{Address, Decoded, Transport, transcript};
use crate::index::{Index, Packet, PacketId};
use crate::time::{self, Nanos};

/// One part of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// As it stands in the line; captured text is escaped.
    pub text: String,
    /// What follows it in the line: a blank, or a colon and a blank.
    pub glue: &'static str,
    /// What it says, in words; empty for marks that need none.
    pub words: String,
    /// Where it was read from in the frame.
    pub bytes: Option<(u32, u32)>,
    /// Where the field is defined.
    pub reference: &'static str,
}

/// A packet explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The packet in one sentence.
    pub sentence: String,
    /// The line as tcpdump prints it, part by part.
    pub tokens: Vec<Token>,
    /// What it means.
    pub so_what: String,
    /// The usual misreading.
    pub not_so: String,
    /// How it is tied to other packets, a sentence each.
    pub ties: Vec<String>,
    /// Questions and answers for a learner.
    pub quiz: Vec<(String, String)>,
}

impl Explanation {
    /// The line.
    pub fn line(&self) -> String {
        let mut line = String::new();
        for token in &self.tokens {
            line.push_str(&token.text);
            line.push_str(token.glue);
        }
        line.trim_end().to_owned()
    }

    /// The column each part begins at, in characters.
    pub fn columns(&self) -> Vec<usize> {
        let mut at = 0;
        self.tokens
            .iter()
            .map(|token| {
                let start = at;
                at += token.text.chars().count() + token.glue.chars().count();
                start
            })
            .collect()
    }

    fn push(
        &mut self,
        text: impl Into<String>,
        words: impl Into<String>,
        reference: &'static str,
    ) -> Pushed<'_> {
        let token = Token { text: text.into(), glue: " ", words: words.into(), bytes: None, reference };
        self.tokens.push(token);
        Pushed(self.tokens.last_mut())
    }
}

/// The part just added, for what only some parts have.
struct Pushed<'e>(Option<&'e mut Token>);

impl Pushed<'_> {
    fn at(self, start: u32, length: u32) -> Self {
        self.change(|token| token.bytes = Some((start, start + length)))
    }

    fn glue(self, glue: &'static str) -> Self {
        self.change(|token| token.glue = glue)
    }

    fn change(mut self, change: impl FnOnce(&mut Token)) -> Self {
        if let Some(token) = &mut self.0 {
            change(token);
        }
        self
    }
}

/// What explaining needs to know of a packet.
struct Subject<'i> {
    index: &'i Index,
    evidence: &'i Evidence,
    packet: Packet<'i>,
    decoded: Decoded<'i>,
    /// The printed line, where the capture is a transcript.
    printed: Option<transcript::Line<'i>>,
}

/// Explains a packet; `None` past the end.
pub fn explain(index: &Index, evidence: &Evidence, id: PacketId) -> Option<Explanation> {
    let packet = index.packet(id)?;
    let printed = packet.printed();
    let subject = Subject { index, evidence, packet, decoded: packet.decode(), printed };
    let mut explanation = Explanation::default();
    head(&subject, &mut explanation);
    if subject.decoded.icmp().is_some() {
        icmp::explain(&subject, &mut explanation);
    } else if packet.dns().is_some() {
        dns::explain(&subject, &mut explanation);
    } else {
        other::explain(&subject, &mut explanation);
    }
    let role = |address| role(&subject, address);
    if explanation.sentence.is_empty() {
        let (from, to) = (role(subject.decoded.source), role(subject.decoded.destination));
        let what = packet.protocol().protocol().title;
        explanation.sentence = format!("{from} sent {to} a packet ({what}).");
    }
    let when = basis(&packet).moment(packet.time_ns());
    let stop = if explanation.sentence.ends_with(['.', '?']) { "" } else { "." };
    explanation.sentence = format!("At {when} [{}] {}{stop}", index.label(id), explanation.sentence);
    ties(&subject, &mut explanation);
    if let Some((sentence, not_so)) = services::outcome(&subject) {
        explanation.ties.push(sentence);
        if !not_so.is_empty() {
            let before = explanation.not_so.as_str();
            explanation.not_so =
                if before.is_empty() { not_so.to_owned() } else { format!("{before} {not_so}") };
        }
    }
    Some(explanation)
}

/// Time, network protocol, sender and receiver.
fn head(subject: &Subject<'_>, explanation: &mut Explanation) {
    let decoded = &subject.decoded;
    let time = basis(&subject.packet).moment(subject.packet.time_ns());
    let words =
        format!("{}: when it was captured, by the clock of the machine that captured it", spoken(subject));
    explanation.push(time, words, "pcap");
    let start = decoded.network_start;
    let (name, words, reference) = match decoded.source {
        address if address.is_v6() => ("IP6", "an Internet packet, version 6", "RFC 8200"),
        _ if decoded.ether_type == 0x0806 => ("ARP", "a question or answer of the local network", "RFC 826"),
        _ => ("IP", "an Internet packet, version 4", "RFC 791"),
    };
    explanation.push(name, words, reference).at(start, 1);
    if name == "ARP" {
        return;
    }
    let (source_port, destination_port) =
        decoded.ports().map_or((None, None), |ports| (Some(ports.0), Some(ports.1)));
    let v6 = name == "IP6";
    let (source_at, length) = if v6 { (start + 8, 16) } else { (start + 12, 4) };
    let binary = subject.printed.is_none();
    let endpoint = |explanation: &mut Explanation, address: Address, port: Option<u16>, at: u32, glue| {
        let text = port.map_or_else(|| address.to_string(), |port| format!("{address}.{port}"));
        let words = endpoint_words(subject, address, port);
        let token = explanation.push(text, words, "RFC 791, RFC 768").glue(glue);
        if binary {
            token.at(at, length);
        }
    };
    endpoint(explanation, decoded.source, source_port, source_at, " ");
    explanation.push(">", "sent to: the sender stands left, the receiver right", "");
    endpoint(explanation, decoded.destination, destination_port, source_at + length, ": ");
}

/// What a packet's time counts from.
fn basis(packet: &Packet<'_>) -> time::Basis {
    let metadata = &packet.source.metadata;
    if metadata.counts_from_start { time::Basis::Start } else { time::Basis::Utc }
}

fn spoken(subject: &Subject<'_>) -> String {
    if basis(&subject.packet) == time::Basis::Start {
        let at = time::seconds(subject.packet.time_ns());
        return format!("{at} s from where the log counts");
    }
    let text = time::time_of_day(subject.packet.time_ns());
    let mut parts = text.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(hour), Some(minute), Some(second)) => {
            let zone = match &subject.packet.source.metadata {
                metadata if !metadata.has_date => " (no date, no time zone)",
                metadata if metadata.is_local => " (no time zone)",
                _ => " UTC",
            };
            format!("{hour}:{minute} and {second} s{zone}")
        }
        _ => text,
    }
}

fn endpoint_words(subject: &Subject<'_>, address: Address, port: Option<u16>) -> String {
    let who = role(subject, address);
    match port {
        None => format!("{who}; ICMP has no ports"),
        Some(port) if subject.index.settings.is_dns_port(port) => {
            format!("{who}, port {port}, the DNS service; the last dot separates the port")
        }
        Some(port @ (5353 | 5355)) => format!("{who}, port {port}, a service's port"),
        Some(port)
            if !matches!(Kind::at(subject.packet.transport(), port), Kind::Tcp | Kind::Udp | Kind::Echo) =>
        {
            let name = Kind::at(subject.packet.transport(), port).name(port);
            format!("{who}, port {port}, usually {name}; the last dot separates the port")
        }
        Some(port) => {
            format!("{who}, port {port}: the last dot separates the port; a high number is temporary")
        }
    }
}

/// A host by its role in this packet, where it has one, with its address.
fn role(subject: &Subject<'_>, address: Address) -> String {
    let decoded = &subject.decoded;
    let is_dns = |port: u16| subject.index.settings.is_dns_port(port);
    let quoted = crate::decode::Quote::read(decoded);
    let (server, client) = if let Some(quote) = &quoted {
        match quote.inner.ports() {
            Some((_, port)) if is_dns(port) => (quote.inner.destination, quote.inner.source),
            Some((port, _)) if is_dns(port) => (quote.inner.source, quote.inner.destination),
            _ => (Address::None, Address::None),
        }
    } else if let Some(quoted) = subject.printed.and_then(|line| line.icmp).and_then(|icmp| icmp.quoted) {
        (quoted.address, decoded.destination)
    } else {
        match decoded.ports() {
            Some((_, port)) if is_dns(port) => (decoded.destination, decoded.source),
            Some((port, _)) if is_dns(port) => (decoded.source, decoded.destination),
            _ => (Address::None, Address::None),
        }
    };
    let attempt = || {
        let at = Places::attempt(subject.packet.id, subject.evidence)?;
        Attempts::of(subject.evidence).all.get(at as usize)
    };
    let (asked, asks) = if server == Address::None && !decoded.is_icmp_error() {
        attempt().map_or((Address::None, Address::None), |own| (own.service.host, own.client.0))
    } else {
        (Address::None, Address::None)
    };
    if address == Address::None {
        "an unknown host".to_owned()
    } else if address == server {
        format!("the DNS server ({address})")
    } else if address == asked {
        format!("the server ({address})")
    } else if address == client || address == asks {
        format!("the client ({address})")
    } else if decoded.is_icmp_error() && address == decoded.source {
        format!("a device in between ({address})")
    } else {
        address.to_string()
    }
}

/// How the packet is tied to others, with the level in words.
fn ties(subject: &Subject<'_>, explanation: &mut Explanation) {
    let label = |id: PacketId| subject.index.label(id);
    for link in ties::links_from(subject.evidence, subject.packet.id) {
        let Some(to) = link.to else {
            explanation
                .ties
                .push(format!("It refers to no packet of this capture: {}.", link.reason.words()));
            continue;
        };
        let earlier = link.from < to;
        let (after, to) = (time::span(link.delta_ns), label(to));
        explanation.ties.push(match link.kind {
            LinkKind::AnswerTo => format!("It answers {to}, {after} later: {}.", link.reason.words()),
            LinkKind::RetryOf => format!("It repeats {to} after {after}: {}.", link.reason.words()),
            LinkKind::DuplicateOf if earlier => {
                format!("It is {to} captured elsewhere {after} before; it does not count.")
            }
            LinkKind::DuplicateOf => format!("It is {to} captured again after {after}; it does not count."),
            LinkKind::ErrorAbout => {
                let level = match link.level {
                    Level::Exact => "exact",
                    Level::Probable => "probable, not provable from this packet",
                    _ => link.level.name(),
                };
                let delayed = if link.delayed {
                    " So late an error says nothing about the server's speed."
                } else {
                    ""
                };
                format!(
                    "It returns the packet of {to}, {after} later: {level}; {}.{delayed}",
                    link.reason.words()
                )
            }
        });
    }
    if let Some(attempt) = lookups::attempt(subject.index, subject.evidence, subject.packet.id) {
        explanation.ties.extend(attempt_words(subject, &attempt));
    }
    for link in ties::links_to(subject.evidence, subject.packet.id).into_iter().take(8) {
        let (from, after) = (label(link.from), time::span(link.delta_ns));
        explanation.ties.push(match link.kind {
            LinkKind::AnswerTo => format!("{from} answers it, {after} later."),
            LinkKind::RetryOf => format!("{from} repeats it, {after} later."),
            LinkKind::DuplicateOf => format!("{from} is the same packet captured again."),
            LinkKind::ErrorAbout => {
                format!("{from} is an ICMP error about it ({}), {after} later.", link.level.name())
            }
        });
    }
}

/// Frames named of one lookup.
const ATTEMPTS_TOLD: usize = 6;

/// Which attempt of its lookup a query is, and what else the client asked for the name.
fn attempt_words(subject: &Subject<'_>, attempt: &lookups::Attempt) -> Vec<String> {
    let labels = |packets: &[PacketId]| {
        let shown: Vec<String> =
            packets.iter().take(ATTEMPTS_TOLD).map(|packet| subject.index.label(*packet)).collect();
        let more = if packets.len() > ATTEMPTS_TOLD { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    let mut words = Vec::new();
    if attempt.total > 1 {
        let (number, of) = (attempt.number, attempt.total);
        words.push(format!("It is attempt {number}/{of} of this lookup: {}.", labels(&attempt.all)));
    }
    if !attempt.siblings.is_empty() {
        words.push(format!("The same lookup also asked {}.", labels(&attempt.siblings)));
    }
    words
}

/// How long until something, for sentences.
fn later(span_ns: Nanos) -> String {
    format!("{} later", time::span(span_ns))
}

/// The transport's name in words.
fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp { .. } => "udp",
        Transport::Tcp { .. } => "tcp",
        Transport::Icmp { .. } => "icmp",
        Transport::Icmpv6 { .. } => "icmp6",
        Transport::None | Transport::Other(_) => "ip",
    }
}

#[cfg(test)]
mod tests;
