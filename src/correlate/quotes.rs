//! Links every ICMP error to the packet it quotes, whatever that packet carries (RFC 792; RFC 4443 §2.4; RFC 5508).
//!
//! The errors are weighed side by side against the packets of what they quote; their links and what follows from them
//! are stored in packet order.

use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use super::messages::Messages;
use super::printed;
use super::quoted::{Quoted, Target};
use super::weigh::{self, Error, Head, Weighed};
use super::{Anomaly, Evidence, Level, Link, LinkKind};
use crate::index::PacketId;
use crate::index::segment::DnsKind;
use crate::time::Nanos;

/// What is known of one error after weighing.
enum Judged {
    /// A packet in the capture, or why none.
    Weighed(Head, Weighed),
    /// Nothing of what it quotes was seen.
    Lost,
    /// A line of text: what it is about depends on the errors before it.
    Printed,
    Unreadable,
}

/// All errors weighed.
pub(super) struct Weighing {
    quoted: Quoted,
    /// The errors in matching order, copies left out.
    errors: Vec<(PacketId, Judged)>,
}

/// Weighs each ICMP error against the packets it may be about.
pub(super) fn weigh(messages: &Messages<'_>, evidence: &Evidence, cancel: &AtomicBool) -> Weighing {
    let quoted = Quoted::find(messages, evidence, cancel);
    let mut errors: Vec<PacketId> = messages.index.icmp_rows().map(|row| row.packet).collect();
    errors.retain(|packet| !evidence.is_duplicate(*packet));
    if messages.order.is_some() {
        errors.sort_by_key(|packet| (messages.time_ns(*packet), *packet));
    }
    let judged = |packet: PacketId| (packet, judge(messages, evidence, &quoted, packet));
    let errors = errors.into_par_iter().map(judged).collect();
    Weighing { quoted, errors }
}

/// Stores the links of the errors and hands the transactions their errors.
pub(super) fn attach_all(messages: &Messages<'_>, evidence: &mut Evidence, weighing: Weighing) {
    let Weighing { quoted, errors } = weighing;
    let mut lost = Vec::new();
    for (packet, judged) in errors {
        match judged {
            Judged::Weighed(head, weighed) => attach(messages, evidence, &head, &weighed),
            Judged::Lost => lost.push(packet),
            Judged::Printed => print(messages, evidence, &quoted, packet),
            Judged::Unreadable => {
                let weighed = Weighed::nothing("it quotes no packet that can be read");
                evidence.push_link(link(packet, &weighed, 0, false));
            }
        }
    }
    let found = super::nat::find(messages, evidence, &lost);
    for (packet, found) in lost.iter().zip(found) {
        let Some(error) = Error::read(messages.index, *packet) else { continue };
        let weighed = found.unwrap_or_else(|| orphan(messages, &error, &quoted));
        attach(messages, evidence, &error.head, &weighed);
    }
}

/// Weighs one error against what was seen of what it quotes.
fn judge(messages: &Messages<'_>, evidence: &Evidence, quoted: &Quoted, packet: PacketId) -> Judged {
    let Some(error) = Error::read(messages.index, packet) else {
        let index = messages.index;
        let printed =
            printed::Error::read(index, packet).is_some() || printed::nameless(index, packet).is_some();
        return if printed { Judged::Printed } else { Judged::Unreadable };
    };
    let answered = |query: PacketId| {
        let id = evidence.transaction_of(query)?;
        evidence.transaction(id)?.answer.map(|answer| messages.time_ns(answer))
    };
    let target = Target::of(&error);
    let weighed =
        weigh::choose(messages, &error, quoted.before(target, packet), &evidence.parameters, answered)
            .or_else(|| {
                weigh::choose(messages, &error, quoted.after(target, packet), &evidence.parameters, answered)
            });
    weighed.map_or(Judged::Lost, |weighed| Judged::Weighed(error.head, weighed))
}

fn print(messages: &Messages<'_>, evidence: &mut Evidence, quoted: &Quoted, packet: PacketId) {
    let Some(error) = printed::Error::read(messages.index, packet) else { return };
    let candidates = quoted.before(Target::Printed(error.hash()), packet);
    let weighed = printed::choose(messages.index, evidence, &error, candidates);
    attach(messages, evidence, &error.head, &weighed);
}

fn link(from: PacketId, weighed: &Weighed, delta_ns: Nanos, delayed: bool) -> Link {
    Link {
        from,
        to: weighed.target,
        kind: LinkKind::ErrorAbout,
        level: weighed.level,
        delta_ns,
        reason: weighed.reason,
        delayed,
    }
}

/// Stores the link of an error and tells the transaction it is about.
pub(super) fn attach(messages: &Messages<'_>, evidence: &mut Evidence, error: &Head, weighed: &Weighed) {
    let delta_ns = weighed.target.map_or(0, |target| error.time_ns - messages.time_ns(target));
    let delayed = weighed.target.is_some() && delta_ns > error.window_ns();
    evidence.push_link(link(error.packet, weighed, delta_ns, delayed));
    if error.checksum_wrong {
        evidence.anomalies.push(Anomaly {
            kind: "icmp_bad_checksum",
            packet: error.packet,
            against: weighed.target,
        });
    }
    let Some(target) = weighed.target else { return };
    let packet = messages.index.packet(target);
    let row = packet.and_then(|packet| packet.dns()).filter(|row| row.kind == DnsKind::Dns);
    if row.is_some_and(crate::index::DnsRow::is_response) {
        let kind = "error_about_response";
        evidence.anomalies.push(Anomaly { kind, packet: error.packet, against: Some(target) });
        return;
    }
    // A redirect reports no failure (RFC 792).
    if error.is_redirect() {
        return;
    }
    let of_packet: Vec<_> = evidence.roles_of(target).map(|(id, _)| id).collect();
    for id in of_packet {
        let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) else { continue };
        if transaction.error.is_none() {
            transaction.error = Some(error.packet);
            transaction.icmp = (error.kind, error.code);
            if transaction.answer.is_none() {
                transaction.waited_ns = error.time_ns - messages.time_ns(transaction.first);
            }
        }
    }
}

/// Says why nothing in the capture is what an error quotes.
fn orphan(messages: &Messages<'_>, error: &Error<'_>, quoted: &Quoted) -> Weighed {
    let inner = &error.quote.inner;
    let outer = (error.outer_source, error.outer_destination);
    Weighed::nothing(if outer.0 == outer.1 && outer.0 == inner.source {
        "the host told itself: the packet never left it"
    } else if error.head.time_ns - messages.first_ns <= error.head.window_ns() {
        "the packet was sent before the capture began, or was not captured"
    } else if !quoted.senders.contains(&inner.source) {
        "no packet of the quoted sender is in this capture"
    } else {
        "the quoted packet is not in this capture"
    })
}

impl Weighed {
    pub(super) fn nothing(reason: &'static str) -> Self {
        Self { target: None, level: Level::Orphan, reason }
    }
}
