//! Links every ICMP error to the packet it quotes, whatever that packet carries (RFC 792; RFC 4443 §2.4; RFC 5508).
//!
//! The errors are weighed side by side against the packets of what they quote; their links and what follows from them
//! are stored in packet order.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use super::dictionary::Dictionary;
use super::evidence::set_bit;
use super::messages::Messages;
use super::quoted::{Quoted, Target};
use super::translated::Mappings;
use super::weigh::{self, Error, Head, Weighed};
use super::{Anomaly, AnomalyKind, Evidence, Level, Link, LinkKind, Reason, TransactionId};
use super::{in_view, nameless, nat, printed};
use crate::index::PacketId;
use crate::index::segment::DnsKind;
use crate::time::Nanos;

/// Errors about packets that were not captured for which the record is searched for gaps.
const DOUBTS_MAX: usize = 256;

/// What is known of one error after weighing.
enum Judged {
    /// A packet in the capture, or why none.
    Told(Told),
    /// Nothing of what it quotes was seen, for the reason told, unless a NAT changed what it quotes.
    Lost(Told, Option<nat::Key>),
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
pub(super) fn weigh(
    messages: &Messages<'_>,
    dictionary: &Dictionary,
    evidence: &Evidence,
    cancel: &AtomicBool,
) -> Weighing {
    let quoted = Quoted::find(messages, dictionary, evidence, cancel);
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
pub(super) fn attach_all(
    (messages, dictionary): (&Messages<'_>, &Dictionary),
    evidence: &mut Evidence,
    weighing: Weighing,
) {
    let Weighing { quoted, errors } = weighing;
    let mut lost = Vec::new();
    let mut doubts_left = DOUBTS_MAX;
    let mut printed = HashSet::new();
    for (packet, judged) in errors {
        match judged {
            Judged::Told(mut told) => {
                if told.link.reason == Reason::NotCaptured && doubts_left > 0 {
                    doubts_left -= 1;
                    let error = Error::read(messages.index, packet);
                    if error.is_some_and(|error| in_view::shows_all_sent(messages, &error)) {
                        (told.link.level, told.link.reason) = (Level::Contradicted, Reason::Disagrees);
                    }
                }
                store(messages, evidence, told);
            }
            Judged::Lost(told, key) => lost.push((told, key)),
            Judged::Printed => print(messages, evidence, &quoted, &mut printed, packet),
            Judged::Unreadable => {
                let weighed = Weighed::nothing(Reason::Unreadable);
                evidence.push_link(link(packet, &weighed, 0, false));
            }
        }
    }
    let translated = nat::find(
        messages,
        evidence,
        &lost.iter().map(|(told, key)| (told.head.packet, *key)).collect::<Vec<_>>(),
    );
    let mut mappings = Mappings::default();
    let mut left = Vec::new();
    for ((told, _), weighed) in lost.into_iter().zip(translated) {
        match weighed {
            Some(weighed) => {
                mappings.learn(messages, told.head.packet, &weighed);
                attach(messages, evidence, &told.head, &weighed);
            }
            None => left.push(told),
        }
    }
    let errors: Vec<PacketId> = left.iter().map(|told| told.head.packet).collect();
    let known = mappings.find((messages, dictionary), evidence, &errors);
    for (told, weighed) in left.into_iter().zip(known) {
        match weighed {
            Some(weighed) => attach(messages, evidence, &told.head, &weighed),
            None => store(messages, evidence, told),
        }
    }
}

/// Weighs one error against what was seen of what it quotes.
fn judge(messages: &Messages<'_>, evidence: &Evidence, quoted: &Quoted, packet: PacketId) -> Judged {
    let Some(error) = Error::read(messages.index, packet) else {
        let index = messages.index;
        let printed =
            printed::Error::read(index, packet).is_some() || nameless::read(index, packet).is_some();
        return if printed { Judged::Printed } else { Judged::Unreadable };
    };
    let target = Target::of(&error);
    let parameters = &evidence.parameters;
    let before = weigh::choose(messages, &error, quoted.before(&error, target), parameters);
    let weighed = if before.is_some_and(|weighed| weighed.target.is_some()) {
        before
    } else {
        let after = weigh::choose(messages, &error, quoted.after(target, packet), parameters);
        after.filter(|weighed| weighed.target.is_some()).or(before).or(after)
    };
    if let Some(weighed) = weighed {
        return Judged::Told(told(messages, evidence, &error.head, &weighed));
    }
    let weighed = orphan(messages, &error, quoted);
    Judged::Lost(told(messages, evidence, &error.head, &weighed), nat::key(&error))
}

/// Attaches a printed error; `told` are the packets those before it are about.
fn print(
    messages: &Messages<'_>,
    evidence: &mut Evidence,
    quoted: &Quoted,
    told: &mut HashSet<PacketId>,
    packet: PacketId,
) {
    let Some(error) = printed::Error::read(messages.index, packet) else { return };
    let candidates = quoted.newest(error.target(), packet);
    let weighed = printed::choose(messages.index, evidence, &error, told, candidates);
    told.extend(weighed.target);
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

/// What follows from one error.
struct Told {
    head: Head,
    link: Link,
    /// It is about a response.
    about_response: bool,
    /// The transactions it is about; most errors are about one.
    first: Option<TransactionId>,
    others: Vec<TransactionId>,
}

/// Works out what follows from an error.
fn told(messages: &Messages<'_>, evidence: &Evidence, error: &Head, weighed: &Weighed) -> Told {
    let delta_ns = weighed.target.map_or(0, |target| {
        messages.elapsed_ns((target, messages.time_ns(target)), (error.packet, error.time_ns))
    });
    let delayed = weighed.target.is_some() && delta_ns > error.window_ns();
    let link = link(error.packet, weighed, delta_ns, delayed);
    let mut told = Told { head: *error, link, about_response: false, first: None, others: Vec::new() };
    let Some(target) = weighed.target else { return told };
    let packet = messages.index.packet(target);
    let row = packet.and_then(|packet| packet.dns()).filter(|row| row.kind == DnsKind::Dns);
    told.about_response = row.is_some_and(crate::index::DnsRow::is_response);
    if !told.about_response && !error.is_note() {
        let mut ids = evidence.roles_of(target).map(|(id, _)| id);
        told.first = ids.next();
        told.others = ids.collect();
    }
    told
}

/// Stores the link of an error and tells the transactions it is about.
pub(super) fn attach(messages: &Messages<'_>, evidence: &mut Evidence, error: &Head, weighed: &Weighed) {
    let told = told(messages, evidence, error, weighed);
    store(messages, evidence, told);
}

fn store(messages: &Messages<'_>, evidence: &mut Evidence, told: Told) {
    let Told { head: error, link, about_response, first, others } = told;
    let (packet, against) = (error.packet, link.to);
    evidence.push_link(link);
    if error.checksum_wrong {
        evidence.anomalies.push(Anomaly { kind: AnomalyKind::IcmpBadChecksum, packet, against });
    }
    if about_response {
        evidence.anomalies.push(Anomaly { kind: AnomalyKind::ErrorAboutResponse, packet, against });
    }
    for id in first.into_iter().chain(others) {
        let Some(transaction) = evidence.transactions.get_mut(id.0 as usize) else { continue };
        set_bit(&mut evidence.unsettled, id);
        if transaction.error.is_none() {
            transaction.error = Some(error.packet);
            transaction.icmp = (error.kind, error.code);
            if transaction.answer.is_none() {
                let first = (transaction.first, messages.time_ns(transaction.first));
                transaction.waited_ns = messages.elapsed_ns(first, (error.packet, error.time_ns));
            }
        }
    }
}

/// Says why nothing in the capture is what an error quotes.
fn orphan(messages: &Messages<'_>, error: &Error<'_>, quoted: &Quoted) -> Weighed {
    let inner = &error.quote.inner;
    let outer = (error.outer_source, error.outer_destination);
    Weighed::nothing(if outer.0 == outer.1 && outer.0 == inner.source {
        Reason::OwnHost
    } else if error.head.time_ns - messages.first_ns <= error.head.window_ns() {
        Reason::BeforeCapture
    } else if !quoted.senders.contains(&inner.source) {
        Reason::UnknownSender
    } else {
        Reason::NotInCapture
    })
}

impl Weighed {
    pub(super) fn nothing(reason: Reason) -> Self {
        Self { target: None, level: Level::Orphan, reason }
    }
}
