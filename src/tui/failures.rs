//! What went wrong in a few kinds for the eye: the packets `]` and `[` stop at, and how they spread over time.

use super::overview::{BINS, Span};
use crate::attempts::{self, Attempts};
use crate::correlate::{Evidence, LinkKind, Outcome, Transaction};
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId};
use crate::time::Nanos;

/// A kind of failure, as a band of the overview shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An ICMP error or a reset refused it.
    Refused,
    /// Nothing came back, or nothing more.
    Silent,
    /// The service answered that it cannot serve.
    Error,
    /// It began and was broken off.
    Broken,
    /// It was answered too late.
    Late,
}

impl Kind {
    /// All kinds in the order of their bands: mark, mark in ASCII, word.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 5] = [
        (Self::Refused, "✗", "x", "refused"),
        (Self::Silent, "…", ":", "silent"),
        (Self::Error, "!", "!", "error answer"),
        (Self::Broken, "÷", "/", "broken off"),
        (Self::Late, "~", "~", "late"),
    ];

    /// The kind of a lookup's failure; `None` where it did not fail.
    pub fn of_lookup(own: &Transaction) -> Option<Self> {
        Some(match own.outcome {
            // NOERROR and NXDOMAIN are answers (RFC 1035 §4.1.1).
            Outcome::Answered if !matches!(own.response_code, 0 | 3) && !own.fell_back => Self::Error,
            Outcome::Answered | Outcome::Unreadable | Outcome::Undetermined => return None,
            Outcome::Refused | Outcome::RefusedByReset => Self::Refused,
            Outcome::NoAnswer | Outcome::Mute | Outcome::NotReceived | Outcome::CoveredByRateLimit => {
                Self::Silent
            }
            Outcome::TcpReset | Outcome::ResetMidway | Outcome::Closed | Outcome::Truncated => Self::Broken,
            Outcome::Late => Self::Late,
        })
    }

    /// The kind of an attempt's failure; `None` where it did not fail.
    pub fn of_attempt(outcome: attempts::Outcome) -> Option<Self> {
        use attempts::Outcome as O;
        Some(match outcome {
            O::Answered | O::Accepted | O::OneDirection | O::Undetermined => return None,
            O::RefusedByReset | O::RefusedByIcmp(..) => Self::Refused,
            O::NoReply
            | O::Undelivered(_)
            | O::Mute
            | O::Stalled { .. }
            | O::Silenced { .. }
            | O::LargeLost { .. }
            | O::NoOffer
            | O::Unconfirmed => Self::Silent,
            O::Alert { .. }
            | O::Fails(_)
            | O::Denied(_)
            | O::Kiss(_)
            | O::NoTime
            | O::WrongTime { .. }
            | O::Nak
            | O::Declined
            | O::NoAddress
            | O::Misaddressed => Self::Error,
            O::Closed | O::Reset | O::ResetByDevice | O::ResetMidway | O::Displaced | O::Left { .. } => {
                Self::Broken
            }
        })
    }

    /// Its place among the bands.
    pub fn place(self) -> usize {
        Self::ALL.iter().position(|(kind, ..)| *kind == self).unwrap_or(0)
    }

    /// Its mark.
    pub fn mark(self, unicode: bool) -> &'static str {
        let row = Self::ALL.iter().find(|(kind, ..)| *kind == self);
        row.map_or("", |(_, mark, ascii, _)| if unicode { mark } else { ascii })
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., word)| word)
    }
}

/// A packet that shows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The packet: an error, an error answer, or the first try of what failed in silence.
    pub packet: PacketId,
    /// What kind of failure it shows.
    pub kind: Kind,
}

/// The failures of a capture.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    /// In packet order.
    pub marks: Vec<Mark>,
    /// What was asked of services, by bin.
    pub asked: Vec<u32>,
    /// The failures by kind and bin.
    pub bands: [Vec<u32>; Kind::ALL.len()],
    /// What the bins divide.
    pub span: Span,
}

impl Failures {
    /// Puts the failed lookups, whose packets a filter found, and the failed attempts in one order; `begun` are the times of all of them.
    pub fn new(
        index: &Index,
        evidence: &Evidence,
        lookups: &[PacketId],
        attempts: &Attempts,
        begun: impl Iterator<Item = Nanos>,
    ) -> Self {
        let mut marks: Vec<Mark> = lookups
            .iter()
            .filter_map(|packet| Some(Mark { packet: *packet, kind: kind_of(index, evidence, *packet)? }))
            .collect();
        marks.extend(attempts.all.iter().filter_map(|own| {
            let kind = Kind::of_attempt(own.outcome)?;
            Some(Mark { packet: own.decided.unwrap_or(own.first).packet, kind })
        }));
        marks.sort_by_key(|mark| mark.packet);
        marks.dedup_by_key(|mark| mark.packet);
        let span = Span::of(index);
        let mut found = Self { asked: vec![0; BINS], span, ..Self::default() };
        begun.for_each(|at| span.count(&mut found.asked, at));
        for (at, band) in found.bands.iter_mut().enumerate() {
            let own: Vec<PacketId> =
                marks.iter().filter(|mark| mark.kind.place() == at).map(|mark| mark.packet).collect();
            if !own.is_empty() {
                *band = vec![0; BINS];
            }
            for packet in own.into_iter().filter_map(|id| index.packet(id)) {
                span.count(band, packet.time_ns());
            }
        }
        found.marks = marks;
        found
    }

    /// Whether a packet shows a failure.
    pub fn contains(&self, packet: PacketId) -> bool {
        self.marks.binary_search_by_key(&packet, |mark| mark.packet).is_ok()
    }
}

/// What kind of failure a packet that the filter of problems found shows.
fn kind_of(index: &Index, evidence: &Evidence, id: PacketId) -> Option<Kind> {
    let packet = index.packet(id)?;
    if packet.flags() & flags::ICMP_ERROR != 0 {
        // Whoever refuses an answer no longer waited for it.
        let links = evidence.links_from(id);
        let about = links.into_iter().find(|link| link.kind == LinkKind::ErrorAbout).and_then(|link| link.to);
        let is_answer = |about: &Packet<'_>| about.flags() & flags::DNS_RESPONSE != 0;
        if about.and_then(|about| index.packet(about)).is_some_and(|about| is_answer(&about)) {
            return Some(Kind::Late);
        }
        // Hops that are used up refuse nothing: the packet did not arrive.
        let lost = matches!((packet.transport(), packet.source_port()), (1, 11) | (58, 3));
        return Some(if lost { Kind::Silent } else { Kind::Refused });
    }
    if packet.flags() & flags::DNS_RESPONSE != 0 {
        return Some(Kind::Error);
    }
    let transaction = evidence.transaction_of(id).and_then(|id| evidence.transaction(id));
    transaction.map_or(Some(Kind::Error), |own| Kind::of_lookup(own).or(Some(Kind::Error)))
}
