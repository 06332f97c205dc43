//! TCP, ARP, other UDP and everything else in words.

use super::{Explanation, Subject, role, services};
use crate::correlate::encrypted;
use crate::decode::Transport;

pub(super) fn explain(subject: &Subject<'_>, explanation: &mut Explanation) {
    let decoded = &subject.decoded;
    match decoded.transport {
        Transport::Tcp { .. } => tcp(subject, explanation),
        Transport::Udp { .. } => udp(subject, explanation),
        _ if decoded.ether_type == 0x0806 => arp(subject, explanation),
        _ => {
            let title = subject.packet.protocol().protocol().title;
            explanation.push(subject.packet.summary(), format!("a packet of {title}"), "");
            let told = services::read(subject);
            explanation.so_what = match decoded.stopped {
                Some(stop) => format!(
                    "Reading stopped ({}: {}): whether it is part of name resolution cannot be told.",
                    stop.reading, stop.reason
                ),
                None => told.so_what,
            };
            if decoded.is_ip() && decoded.stopped.is_none() {
                let (from, to) = (role(subject, decoded.source), role(subject, decoded.destination));
                explanation.sentence = format!("{from} sent {to} {}", told.what);
            }
            explanation.not_so = told.not_so;
        }
    }
}

fn udp(subject: &Subject<'_>, explanation: &mut Explanation) {
    let decoded = &subject.decoded;
    let told = services::read(subject);
    let length = decoded.payload_end.saturating_sub(decoded.payload_start);
    if told.parts.is_empty() {
        let words = "a datagram: sent without a connection, without confirmation";
        explanation.push("UDP,", words, "RFC 768").glue(" ");
    }
    for (text, words, reference) in told.parts {
        explanation.push(text, words, reference);
    }
    explanation.push(format!("length {length}"), format!("{length} bytes of data"), "RFC 768");
    let (what, so_what) = match encrypted::label(&subject.packet) {
        Some("DNS over QUIC") => ("DNS over QUIC, as its port tells".to_owned(), ENCRYPTED.to_owned()),
        Some(_) => {
            let what = "QUIC, which may carry DNS over HTTPS (the server is a known resolver)";
            (what.to_owned(), ENCRYPTED.to_owned())
        }
        None => (told.what, told.so_what),
    };
    let (from, to) = (role(subject, decoded.source), role(subject, decoded.destination));
    explanation.sentence = format!("{from} sent {to} {what}.");
    explanation.so_what = so_what;
    explanation.not_so = told.not_so;
}

/// What a packet of encrypted DNS means.
const ENCRYPTED: &str = "It may carry name resolution, which cannot be seen: it is encrypted.";

fn tcp(subject: &Subject<'_>, explanation: &mut Explanation) {
    let Transport::Tcp { flags, sequence, acknowledgment, window, .. } = subject.decoded.transport else {
        return;
    };
    let decoded = &subject.decoded;
    let (syn, ack, rst, fin) = (flags & 2 != 0, flags & 16 != 0, flags & 4 != 0, flags & 1 != 0);
    let mut marks = String::new();
    for (bit, mark) in [(2, 'S'), (1, 'F'), (4, 'R'), (8, 'P'), (16, '.')] {
        if flags & bit != 0 {
            marks.push(mark);
        }
    }
    let length = decoded.payload_end.saturating_sub(decoded.payload_start);
    let (says, so_what, not_so) = match (syn, ack, rst, fin) {
        (_, _, true, _) => (
            "refused or aborted",
            "The connection was refused or aborted: nobody listens on the port, or a firewall answers so; the packet is the same.",
            "A reset does not say that the host is down: it, or a device in its name, answered.",
        ),
        (true, false, ..) => (
            "may I open a connection?",
            "The first packet of a connection; see whether an answer follows.",
            "One of them proves nothing; repeated ones without reply mean silence on the way or at the end.",
        ),
        (true, true, ..) => (
            "yes, and I you",
            "The port is open and accepts connections.",
            "It does not say that the service behind it works.",
        ),
        (.., true) => {
            ("I have finished sending", "One side closes in the usual way.", "A close is not an abort.")
        }
        _ if length > 0 => ("here is data", "Data on an open connection.", "Nothing here is an error."),
        _ => ("received so far", "A confirmation.", "Nothing here is an error."),
    };
    explanation.push("Flags", "the TCP header's flags follow", "RFC 9293 §3.1");
    let start = decoded.transport_start;
    explanation.push(format!("[{marks}]"), says, "RFC 9293 §3.1").glue(", ").at(start + 13, 1);
    explanation
        .push(format!("seq {sequence}"), "my counter of bytes sent", "RFC 9293 §3.4")
        .glue(", ")
        .at(start + 4, 4);
    if ack {
        let words = "the next byte I expect from you";
        explanation.push(format!("ack {acknowledgment}"), words, "RFC 9293 §3.4").glue(", ").at(start + 8, 4);
    }
    let words = "how many bytes I can take";
    explanation.push(format!("win {window}"), words, "RFC 9293 §3.8.6").glue(", ").at(start + 14, 2);
    explanation.push(format!("length {length}"), "bytes of data in this packet, headers not counted", "");
    let (from, to) = (role(subject, decoded.source), role(subject, decoded.destination));
    explanation.sentence = format!("{from} said to {to} over TCP: {says}");
    explanation.so_what = String::from(so_what);
    explanation.not_so = String::from(not_so);
    // Also of text that is printed behind a length.
    if !syn && !rst && (length > 0 || subject.printed.is_some()) {
        carried(subject, (&from, &to), explanation);
    }
    explanation.quiz = vec![("What does this segment say?".to_owned(), says.to_owned())];
}

/// What the data of a segment say.
fn carried(subject: &Subject<'_>, (from, to): (&str, &str), explanation: &mut Explanation) {
    let told = services::read(subject);
    if told.what.is_empty() {
        return;
    }
    if let Some(length) = explanation.tokens.last_mut().filter(|_| !told.parts.is_empty()) {
        length.glue = ": ";
    }
    for (text, words, reference) in told.parts {
        explanation.push(text, words, reference);
    }
    explanation.sentence = format!("{from} sent {to} over TCP {}", told.what);
    explanation.so_what = told.so_what;
    explanation.not_so = told.not_so;
}

fn arp(subject: &Subject<'_>, explanation: &mut Explanation) {
    let summary = subject.packet.summary();
    let reply = summary.contains("is at") || summary.contains("is-at");
    let words =
        if reply { "that address is mine, at this link address" } else { "who owns this address? tell me" };
    explanation.push(summary, words, "RFC 826");
    let (from, to) = (subject.decoded.source, subject.decoded.destination);
    explanation.sentence = if reply {
        format!("{from} told {to} its link address.")
    } else {
        format!("{from} asked the local network who owns {to}.")
    };
    explanation.so_what = if reply {
        "The machine is there and answers on the local network.".to_owned()
    } else {
        "Needed before anything can be sent to a neighbour; three requests a second apart without reply mean that the machine is not on this network.".to_owned()
    };
    explanation.not_so =
        String::from("ARP never leaves the local network and says nothing about the Internet.");
}
