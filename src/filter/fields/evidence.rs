//! Fields of our own: what correlation found, and what the analyst noted.

use super::values::{LEVELS, LINK_KINDS, OUTCOMES};
use super::{EvidenceField, FieldInfo, NoteField, Source, field};
use crate::protocols::Kind::{Bool, Duration, Number, Text};

/// The table.
pub static FIELDS: &[FieldInfo] = &[
    field(
        "dns.outcome",
        Text,
        Source::Evidence(EvidenceField::Outcome),
        "dns.outcome == no_answer",
        "how the transaction it belongs to ended",
    )
    .words(OUTCOMES),
    field(
        "dns.waited",
        Duration,
        Source::Evidence(EvidenceField::Waited),
        "dns.waited > 2s",
        "from the first try to the answer or error: what the user felt",
    ),
    field(
        "dns.rtt",
        Duration,
        Source::Evidence(EvidenceField::Rtt),
        "dns.rtt > 200ms",
        "from the last try to the response, for every packet of the transaction",
    ),
    field(
        "dns.time",
        Duration,
        Source::Evidence(EvidenceField::ResponseTime),
        "dns.time > 200ms",
        "from the query to this response",
    ),
    field(
        "dns.attempt",
        Number,
        Source::Evidence(EvidenceField::Attempt),
        "dns.attempt > 1",
        "which try for its question a query is in its lookup, from 1",
    ),
    field(
        "dns.tries",
        Number,
        Source::Evidence(EvidenceField::Tries),
        "dns.tries >= 3",
        "queries sent in its transaction",
    ),
    field(
        "dns.ede",
        Number,
        Source::Evidence(EvidenceField::ExtendedError),
        "dns.ede == 22",
        "extended DNS error of the answer (RFC 8914)",
    )
    .limited(0, 65535),
    field(
        "dns.response_in",
        Number,
        Source::Evidence(EvidenceField::ResponseIn),
        "dns.response_in",
        "frame of the response to this query",
    ),
    field(
        "dns.response_to",
        Number,
        Source::Evidence(EvidenceField::ResponseTo),
        "dns.response_to == 1",
        "frame of the query this answers",
    ),
    field(
        "link.level",
        Text,
        Source::Evidence(EvidenceField::LinkLevel),
        "link.level == orphan",
        "how sure a tie to another packet is",
    )
    .words(LEVELS),
    field(
        "link.kind",
        Text,
        Source::Evidence(EvidenceField::LinkKind),
        "link.kind == error_about",
        "what ties it to another packet",
    )
    .words(LINK_KINDS),
    field(
        "link.frame",
        Number,
        Source::Evidence(EvidenceField::LinkFrame),
        "link.frame == 1",
        "frame at the other end of a tie",
    ),
    field(
        "link.delta",
        Duration,
        Source::Evidence(EvidenceField::LinkDelta),
        "link.delta > 1s",
        "time between the two ends of a tie",
    ),
    field(
        "link.delayed",
        Bool,
        Source::Evidence(EvidenceField::LinkDelayed),
        "link.delayed",
        "an error outside the time window of its type",
    ),
    field(
        "duplicate",
        Bool,
        Source::Evidence(EvidenceField::Duplicate),
        "not duplicate",
        "a copy of a packet seen before",
    ),
    field(
        "episode",
        Number,
        Source::Evidence(EvidenceField::Episode),
        "episode == 1",
        "episode of failures it belongs to, from 1",
    )
    .or(&["episodes"]),
    field(
        "problem",
        Number,
        Source::Evidence(EvidenceField::Problem),
        "problem == 1",
        "problem it belongs to, from 1, gravest first",
    )
    .or(&["problems"]),
    field(
        "anomaly",
        Text,
        Source::Evidence(EvidenceField::Anomaly),
        "anomaly == unsolicited",
        "what correlation noticed about it",
    ),
    field("marked", Bool, Source::Note(NoteField::Marked), "marked", "marked by the analyst")
        .or(&["frame.marked"]),
    field("note", Text, Source::Note(NoteField::Note), "note contains \"firewall\"", "the analyst's note"),
    field("tag", Text, Source::Note(NoteField::Tag), "tag == cause", "the analyst's tag"),
];
