//! Fields of what clients wanted of services, and of the connections that carried it.

use super::values::{ATTEMPT_OUTCOMES, ENDED, SERVICES_FOLLOWED};
use super::{AttemptField, FieldInfo, Source, field};
use crate::protocols::Kind::{Address, Bool, Duration, Number, Text};

/// The table.
pub static FIELDS: &[FieldInfo] = &[
    field(
        "attempt.outcome",
        Text,
        Source::Attempt(AttemptField::Outcome),
        "attempt.outcome == no_reply",
        "how the attempt it belongs to ended, at any service; DNS keeps the words of dns.outcome",
    )
    .words(ATTEMPT_OUTCOMES),
    field(
        "attempt.failed",
        Bool,
        Source::Attempt(AttemptField::Failed),
        "attempt.failed",
        "its attempt did not get what it was for",
    ),
    field(
        "attempt.first",
        Bool,
        Source::Attempt(AttemptField::First),
        "attempt.first and attempt.failed",
        "the packet its attempt begins with",
    ),
    field(
        "attempt.service",
        Text,
        Source::Attempt(AttemptField::Service),
        "attempt.service == tls",
        "what its attempt is for",
    )
    .words(SERVICES_FOLLOWED),
    field(
        "attempt.server",
        Address,
        Source::Attempt(AttemptField::Server),
        "attempt.server == 203.0.113.7",
        "host of the service its attempt is for, on packets of either side",
    ),
    field(
        "attempt.port",
        Number,
        Source::Attempt(AttemptField::Port),
        "attempt.port == 443",
        "port of that service",
    )
    .limited(0, 65535),
    field(
        "attempt.client",
        Address,
        Source::Attempt(AttemptField::Client),
        "attempt.client == 192.0.2.10",
        "who made the attempt",
    ),
    field(
        "attempt.tries",
        Number,
        Source::Attempt(AttemptField::Tries),
        "attempt.tries >= 3",
        "how often it was tried: SYNs, requests, messages to get a lease",
    ),
    field(
        "attempt.waited",
        Duration,
        Source::Attempt(AttemptField::Waited),
        "attempt.waited > 3s",
        "from the first try to what ended it, or to the last try",
    ),
    field(
        "attempt.answered",
        Duration,
        Source::Attempt(AttemptField::Answered),
        "attempt.answered > 2s",
        "from the last byte of the request to the first of the answer",
    ),
    field(
        "attempt.watched",
        Duration,
        Source::Attempt(AttemptField::Watched),
        "attempt.watched < 3s",
        "how long the capture goes on after the last try",
    ),
    field(
        "attempt.ended_by",
        Text,
        Source::Attempt(AttemptField::EndedBy),
        "attempt.ended_by == device",
        "whose packet ended it",
    )
    .words(ENDED),
    field(
        "transport.handshake",
        Duration,
        Source::Attempt(AttemptField::Handshake),
        "transport.handshake > 200ms",
        "from the last SYN of its connection to the acceptance",
    ),
    field(
        "transport.repeats",
        Number,
        Source::Attempt(AttemptField::Repeats),
        "transport.repeats > 10",
        "segments of its connection whose data had been sent before",
    ),
    field(
        "transport.filled",
        Number,
        Source::Attempt(AttemptField::Filled),
        "transport.filled > 0",
        "gaps of its connection that were filled later than reordering does: loss before this point",
    ),
    field(
        "transport.missing",
        Number,
        Source::Attempt(AttemptField::Missing),
        "transport.missing > 1000",
        "bytes of its connection that were neither seen nor acknowledged",
    ),
    field(
        "transport.unread",
        Duration,
        Source::Attempt(AttemptField::Unread),
        "transport.unread > 1s",
        "the longest time a receiver of its connection took nothing (window 0)",
    ),
    field(
        "transport.unacknowledged",
        Duration,
        Source::Attempt(AttemptField::Unacknowledged),
        "transport.unacknowledged > 3s",
        "the longest time data of its connection were repeated without acknowledgement",
    ),
];
