//! What one TCP connection carried: each direction's data, repeats, holes and stalls, and what is said in clear.

use super::http;
use super::kind::{Kind, TCP};
use super::printed::{self, Printed, Said};
use super::reply::Dialog;
use super::tls::Handshake;
use crate::connections::{Seen, ahead};
use crate::correlate::Reason;
use crate::time::Nanos;

const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;
/// Data of a keep-alive at most (RFC 9293 §3.8.4).
const KEEP_ALIVE_BYTES: u32 = 1;
/// Printed numbers further from each other than windows are count from different beginnings.
const NEAR_BYTES: u32 = 1 << 24;
/// A hole that is filled sooner was reordering (services §1.4 `reorder_s`).
const REORDER_NS: Nanos = 3_000_000;
/// Segments from this size on are the large ones (services §1.4 `big`).
pub const LARGE_BYTES: u32 = 1_200;

/// A segment as a stream takes it.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'p> {
    /// Packet and time.
    pub seen: Seen,
    /// Its sequence number.
    pub sequence: u32,
    /// What it acknowledges.
    pub acknowledgment: u32,
    /// Its flags.
    pub flags: u8,
    /// Its window, not scaled.
    pub window: u16,
    /// Bytes of its data on the wire.
    pub length: u32,
    /// Its data as captured.
    pub payload: &'p [u8],
    /// Its TTL or hop limit.
    pub ttl: u8,
    /// The server's port.
    pub port: u16,
    /// What is printed of it, where it is text.
    pub printed: Option<Printed<'p>>,
}

/// Data that were sent and not acknowledged for a time.
#[derive(Clone, Copy, Debug)]
pub struct PathStall {
    /// When the data became outstanding.
    pub since: Seen,
    /// The last repeat.
    pub last: Seen,
    /// How often one segment was sent again.
    pub repeats: u32,
    /// Bytes of the largest repeated segment.
    pub size: u32,
    /// How long the connection had been quiet before.
    pub quiet_ns: Nanos,
    /// The data were acknowledged after all.
    pub is_over: bool,
}

impl PathStall {
    /// How long nothing was acknowledged, as far as repeats show it.
    pub fn lasted_ns(&self) -> Nanos {
        self.last.time_ns - self.since.time_ns
    }
}

/// A receiver that took no more data for a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct WindowStall {
    /// The segment that closed the window, of the longest time it was closed.
    pub since: Option<Seen>,
    /// The last segment that said so.
    pub last: Option<Seen>,
    /// How long.
    pub lasted_ns: Nanos,
    /// How often it was closed, and for how long in all until it opened again.
    pub pauses: (u32, Nanos),
    closed: Option<Seen>,
}

/// Data that lie between others and were not seen.
#[derive(Clone, Copy, Debug)]
pub struct Hole {
    start: u32,
    end: u32,
    /// The segment that showed it.
    pub seen: Seen,
    /// The receiver said after that segment that it still waits for what is missing.
    pub is_reported: bool,
}

impl Hole {
    /// Its bytes.
    pub fn bytes(&self) -> u32 {
        self.end.wrapping_sub(self.start)
    }
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    /// Segments with data, repeats among them.
    pub sent: u32,
    /// The first segment with data.
    pub first: Option<Seen>,
    /// The last segment with new data.
    pub last: Option<Seen>,
    /// Segments whose data had been sent before.
    pub repeats: u32,
    /// The first of them.
    pub repeated: Option<Seen>,
    /// Holes that were filled later than reordering does.
    pub filled: u32,
    /// The largest segment that was acknowledged or followed by others.
    pub largest: u32,
    /// The worst time without acknowledgement.
    pub stall: Option<PathStall>,
    /// The worst time the receiver took nothing.
    pub window: WindowStall,
    /// Data that were not seen and not acknowledged.
    pub hole: Option<Hole>,
    /// TTL of its first packet; 0 where none is known.
    pub ttl: u8,
    next: Option<u32>,
    acknowledged: Option<u32>,
    outstanding: Option<Seen>,
    quiet_ns: Nanos,
    sequence: Option<u32>,
    run: u32,
    pending: u32,
    touched_ns: Option<Nanos>,
}

/// What is said in clear on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/1.
    Http,
    /// TLS.
    Tls,
    /// A greeting of the server, and what it names.
    Greeting(Option<Kind>),
    /// Something else.
    Other,
}

/// What one connection carried, while it goes on.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    /// From who opened it.
    pub request: Way,
    /// To who opened it.
    pub answer: Way,
    /// What is said in clear, once somebody spoke.
    pub spoken: Option<Spoken>,
    /// What the server's answers say, where its protocol is read.
    pub dialog: Dialog,
    /// The handshake, where TLS is spoken.
    pub handshake: Option<Box<Handshake>>,
    /// TTL of the server's reset; 0 without one.
    pub reset_ttl: u8,
    /// TTL of the client's reset; 0 without one.
    pub client_reset_ttl: u8,
    /// The client's last segment with new data.
    pub last_request: Option<Seen>,
    /// The request whose answer took longest, and that answer; of requests that wait for an event none.
    pub longest: Option<(Seen, Seen)>,
    /// The last request waits for an event, or is answered.
    is_told: bool,
    /// Rows of a list may belong to it that name no ports: what is not seen of it tells nothing.
    pub is_partial: bool,
}

/// What is kept of a connection once it is judged.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// TTL of the server's first packet; 0 where none is known.
    pub answer_ttl: u8,
    /// TTL of the client's first packet; 0 where none is known.
    pub request_ttl: u8,
    /// TTL of the server's reset; 0 without one.
    pub reset_ttl: u8,
    /// TTL of the client's reset; 0 without one.
    pub client_reset_ttl: u8,
    /// What was not smooth; most connections have nothing of it.
    pub rough: Option<Box<Rough>>,
}

/// Repeats, gaps and halts of both directions of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rough {
    /// Segments whose data had been sent before.
    pub repeats: u32,
    /// Gaps that were filled later than reordering does.
    pub filled: u32,
    /// Bytes neither seen nor acknowledged.
    pub missing: u32,
    /// The longest time a receiver took nothing.
    pub unread_ns: Nanos,
    /// How often the receiver of the client's data, and that of the server's, took nothing, and for how long in all.
    pauses: [(u32, Nanos); 2],
    /// The longest time without acknowledgement: of the client's data, and of the server's.
    pub stalls: [Option<PathStall>; 2],
    /// Whether transfers of the client's data, and of the server's, went on after their receiver paused.
    went_on: [bool; 2],
    /// Whether the receiver of the client's data, and that of the server's, takes nothing at the end.
    is_closed: [bool; 2],
}

impl Rough {
    /// Whether what the client, or the server, was sent went on after it paused.
    pub fn went_on(&self, by_client: bool) -> bool {
        let [of_client, of_server] = self.went_on;
        if by_client { of_server } else { of_client }
    }

    /// How often the client, or the server, took nothing, and for how long in all until it went on.
    pub fn pauses(&self, by_client: bool) -> (u32, Nanos) {
        let [of_client, of_server] = self.pauses;
        if by_client { of_server } else { of_client }
    }

    /// Whether the client, or the server, takes nothing at the end.
    pub fn is_closed(&self, by_client: bool) -> bool {
        let [of_client, of_server] = self.is_closed;
        if by_client { of_server } else { of_client }
    }
}

impl Talk {
    /// What is kept of it.
    pub fn carried(&self) -> Carried {
        let ways = [&self.request, &self.answer];
        let sum =
            |each: fn(&Way) -> u32| ways.map(each).iter().fold(0u32, |all, one| all.saturating_add(*one));
        let rough = Rough {
            repeats: sum(|way| way.repeats),
            filled: sum(|way| way.filled),
            missing: sum(|way| way.hole.map_or(0, |hole| hole.bytes())),
            unread_ns: ways.map(|way| way.window.lasted_ns).into_iter().max().unwrap_or(0),
            pauses: ways.map(|way| way.window.pauses),
            stalls: ways.map(|way| way.stall),
            went_on: ways.map(Way::went_on),
            is_closed: ways.map(Way::is_closed),
        };
        let is_smooth = (rough.repeats, rough.filled, rough.missing, rough.unread_ns) == (0, 0, 0, 0);
        Carried {
            answer_ttl: self.answer.ttl,
            request_ttl: self.request.ttl,
            reset_ttl: self.reset_ttl,
            client_reset_ttl: self.client_reset_ttl,
            rough: (!is_smooth).then(|| Box::new(rough)),
        }
    }
}

/// What a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// A request of HTTP.
    Request,
    /// A final response, with its status.
    Response(u16),
    /// Further data of a request.
    More,
    /// Nothing of HTTP.
    Nothing,
}

impl Talk {
    /// Takes one segment.
    pub fn take(&mut self, segment: &Segment<'_>, by_client: bool) -> Begins {
        let reset_ttl = if by_client { &mut self.client_reset_ttl } else { &mut self.reset_ttl };
        if segment.flags & RST != 0 && *reset_ttl == 0 {
            *reset_ttl = segment.ttl;
        }
        let before = self.request.touched_ns.max(self.answer.touched_ns);
        let (way, other) = if by_client {
            (&mut self.request, &mut self.answer)
        } else {
            (&mut self.answer, &mut self.request)
        };
        let fresh = match &segment.printed {
            Some(printed) => way.print(segment, printed, before),
            None => way.send(segment, before),
        };
        other.heard(segment);
        way.touched_ns = Some(segment.seen.time_ns);
        if let Some(printed) = segment.printed.filter(|printed| printed.has_data && fresh != Fresh::Again) {
            return self.hear(segment, &printed, by_client);
        }
        if segment.payload.is_empty() || fresh == Fresh::Again {
            return Begins::Nothing;
        }
        self.read(segment, by_client, fresh == Fresh::Next)
    }

    /// Takes what is printed of a segment's data.
    fn hear(&mut self, segment: &Segment<'_>, printed: &Printed<'_>, by_client: bool) -> Begins {
        match printed.said {
            // What was not printed may be anything.
            Said::Nothing => {
                if by_client {
                    self.last_request = Some(segment.seen);
                }
                self.dialog.print(segment.port, printed.told, by_client, segment.seen);
            }
            Said::Text(_) if !by_client && self.spoken.is_none() && self.request.first.is_some() => {}
            Said::Text(payload) => {
                return self.read(&Segment { payload, ..*segment }, by_client, true);
            }
            Said::Tls(words, is_13) => {
                // Columns may hold no types of messages: an alert in clear, or its handshake's record, is of a handshake all the same.
                let begins = words.starts_with("Handshake") || printed::alert(words).is_some();
                if self.spoken.is_none() && self.handshake.is_none() && begins {
                    self.handshake = Some(Box::default());
                }
                self.spoken = self.spoken.or(Some(Spoken::Tls));
                if by_client {
                    self.last_request = Some(segment.seen);
                    if self.handshake.is_none() && words.contains("Client Hello") {
                        self.handshake = Some(Box::default());
                    }
                }
                if let Some(own) = &mut self.handshake {
                    own.print(words, is_13, by_client, segment.seen);
                }
            }
        }
        Begins::Nothing
    }

    /// Why data of the server answer those the client sent before; requests of HTTP are told one by one.
    pub fn answers_by(&self, port: u16) -> Option<Reason> {
        let answers = Kind::at(TCP, port).answers();
        match self.spoken {
            Some(Spoken::Http) => None,
            Some(Spoken::Tls) => Some(Reason::NextAnswer),
            _ if answers => Some(Reason::NextAnswer),
            _ => Some(Reason::NextData),
        }
    }

    fn read(&mut self, segment: &Segment<'_>, by_client: bool, follows: bool) -> Begins {
        let payload = segment.payload;
        if self.spoken.is_none() {
            self.spoken = Some(match by_client {
                true if http::is_request(payload) => Spoken::Http,
                true if Handshake::begins(payload) => {
                    self.handshake = Some(Box::default());
                    Spoken::Tls
                }
                false if is_greeting(payload) => Spoken::Greeting(greeted(payload)),
                _ => Spoken::Other,
            });
        }
        // Who is greeted in another language asks in vain for a page.
        if self.spoken == Some(Spoken::Http)
            && !by_client
            && self.answer.first == Some(segment.seen)
            && is_greeting(payload)
        {
            self.spoken = Some(Spoken::Greeting(greeted(payload)));
        }
        if let Some(Spoken::Greeting(Some(named))) = self.spoken
            && self.answer.first == Some(segment.seen)
            && !by_client
        {
            self.dialog.name(named);
        }
        if by_client {
            self.last_request = Some(segment.seen);
            self.is_told = waits(payload);
        } else if let Some(asked) = self.last_request.filter(|_| !std::mem::replace(&mut self.is_told, true))
            // What had to be sent again was late on the way.
            && self.request.stall.is_none_or(|stall| stall.last.time_ns < asked.time_ns)
        {
            let took = |(asked, answered): (Seen, Seen)| answered.time_ns - asked.time_ns;
            let own = (asked, segment.seen);
            self.longest = self.longest.filter(|known| took(*known) >= took(own)).or(Some(own));
        }
        match self.spoken {
            Some(Spoken::Tls) => {
                if let Some(own) = &mut self.handshake {
                    own.read(payload, segment.length as usize, by_client, follows, segment.seen);
                }
            }
            Some(Spoken::Http) => match (by_client, http::status(payload)) {
                (true, _) if http::is_request(payload) => return Begins::Request,
                (true, _) => return Begins::More,
                (false, Some(status)) if status >= 200 || status == 101 => return Begins::Response(status),
                (false, _) => {}
            },
            _ => self.dialog.take(segment.port, payload, by_client, segment.seen),
        }
        Begins::Nothing
    }
}

/// Commands of Redis that wait for an event.
const WAITING: [&[u8]; 7] = [b"BLPOP", b"BRPOP", b"BLMOVE", b"BZPOP", b"BLOCK", b"SUBSCRIBE", b"WAIT"];
/// Bytes of a request in which they are looked for.
const COMMAND_MAX_BYTES: usize = 64;

/// Whether a request waits for an event.
fn waits(payload: &[u8]) -> bool {
    let begin = payload.get(..COMMAND_MAX_BYTES.min(payload.len())).unwrap_or_default();
    WAITING.iter().any(|word| begin.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// Whether a server greets so: SSH, SMTP and FTP with a code, IMAP, POP3.
fn is_greeting(payload: &[u8]) -> bool {
    payload.starts_with(b"SSH-")
        || payload.starts_with(b"* ")
        || payload.starts_with(b"+OK")
        || http::code(payload).is_some() && matches!(payload.get(3), Some(b' ' | b'-'))
}

/// The service that a greeting names; of those that begin with a code only some do.
fn greeted(payload: &[u8]) -> Option<Kind> {
    let line = payload.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let says = |word: &[u8]| line.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    match line {
        [b'S', b'S', b'H', b'-', ..] => Some(Kind::Ssh),
        // Others say OK as well, where their beginning was not captured.
        [b'+', b'O', b'K', ..] if says(b"pop") => Some(Kind::Pop3),
        [b'*', b' ', ..] => Some(Kind::Imap),
        _ if says(b"smtp") => Some(Kind::Smtp),
        _ if says(b"ftp") => Some(Kind::Ftp),
        _ => None,
    }
}

/// How a segment continues its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fresh {
    /// It begins where the one before ended.
    Next,
    /// Something is missing before it.
    Ahead,
    /// It brings nothing new.
    Again,
}

impl Way {
    /// Whether all that was sent has been acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        self.outstanding.is_none()
    }

    /// Since when sent data have been without acknowledgement.
    pub fn outstanding(&self) -> Option<Seen> {
        self.outstanding
    }

    /// Takes a printed segment: empty ones print no place, rows of what is carried none either, and numbers are counted from
    /// the beginning of the connection or from that of TCP's own.
    fn print(&mut self, segment: &Segment<'_>, printed: &Printed<'_>, before: Option<Nanos>) -> Fresh {
        let is_data = printed.has_data && segment.flags & (SYN | RST) == 0;
        if is_data && printed.is_placed {
            self.next = self.next.filter(|next| is_near(segment.sequence, *next));
            return self.send(segment, before);
        }
        if self.ttl == 0 && segment.flags & RST == 0 {
            self.ttl = segment.ttl;
        }
        if !is_data {
            return Fresh::Next;
        }
        self.sent += 1;
        self.first = self.first.or(Some(segment.seen));
        if printed.is_repeat {
            self.repeats += 1;
            self.repeated = self.repeated.or(Some(segment.seen));
            return Fresh::Again;
        }
        (self.last, self.next) = (Some(segment.seen), None);
        Fresh::Next
    }

    fn send(&mut self, segment: &Segment<'_>, before: Option<Nanos>) -> Fresh {
        if self.ttl == 0 && segment.flags & RST == 0 {
            self.ttl = segment.ttl;
        }
        let Segment { seen, sequence, flags, length, .. } = *segment;
        if flags & RST != 0 {
            return Fresh::Again;
        }
        if flags & SYN != 0 {
            self.next = self.next.or(Some(sequence.wrapping_add(1)));
            return Fresh::Next;
        }
        if length == 0 {
            // What an empty segment stands behind was sent, seen or not.
            if self.next.is_some_and(|next| ahead(sequence, next) > 0) {
                self.miss(self.next.unwrap_or(sequence), sequence, seen);
                self.next = Some(sequence);
            }
            if flags & FIN != 0 {
                self.next = self
                    .next
                    .map(|next| if ahead(sequence, next) >= 0 { sequence.wrapping_add(1) } else { next });
            }
            return Fresh::Next;
        }
        let end = sequence.wrapping_add(length);
        let next = self.next.unwrap_or(sequence);
        if length <= KEEP_ALIVE_BYTES && sequence == next.wrapping_sub(1) {
            return Fresh::Again;
        }
        self.sent += 1;
        self.first = self.first.or(Some(seen));
        self.fill(sequence, end, seen);
        if ahead(end, next) <= 0 {
            self.repeat(segment);
            return Fresh::Again;
        }
        let fresh = if ahead(sequence, next) > 0 {
            self.miss(next, sequence, seen);
            Fresh::Ahead
        } else {
            Fresh::Next
        };
        self.next = Some(end.wrapping_add(u32::from(flags & FIN != 0)));
        self.last = Some(seen);
        if self.outstanding.is_none() {
            self.outstanding = Some(seen);
            self.quiet_ns = before.map_or(0, |before| seen.time_ns - before);
        }
        self.pending = self.pending.max(length);
        (self.sequence, self.run) = (Some(sequence), 0);
        fresh
    }

    fn repeat(&mut self, segment: &Segment<'_>) {
        self.repeats += 1;
        self.repeated = self.repeated.or(Some(segment.seen));
        self.run = if self.sequence == Some(segment.sequence) || self.run == 0 { self.run + 1 } else { 1 };
        self.sequence = Some(segment.sequence);
        let Some(since) = self.outstanding else { return };
        let stall = PathStall {
            since,
            last: segment.seen,
            repeats: self.run,
            size: segment.length,
            quiet_ns: self.quiet_ns,
            is_over: false,
        };
        let worse = |known: PathStall| stall.lasted_ns() >= known.lasted_ns();
        if self.stall.is_none_or(worse) {
            let size = self.stall.filter(|known| known.since == since).map_or(0, |known| known.size);
            self.stall = Some(PathStall { size: size.max(stall.size), ..stall });
        }
    }

    fn miss(&mut self, start: u32, end: u32, seen: Seen) {
        self.hole = self.hole.or(Some(Hole { start, end, seen, is_reported: false }));
    }

    fn fill(&mut self, sequence: u32, end: u32, seen: Seen) {
        let Some(hole) = &mut self.hole else { return };
        if ahead(sequence, hole.start) <= 0 && ahead(end, hole.start) > 0 {
            hole.start = end;
        }
        if ahead(hole.start, hole.end) >= 0 {
            self.filled += u32::from(seen.time_ns - hole.seen.time_ns >= REORDER_NS);
            self.hole = None;
        }
    }

    /// What the other side says about the data of this direction.
    fn heard(&mut self, segment: &Segment<'_>) {
        let Segment { seen, acknowledgment, flags, window, .. } = *segment;
        if flags & (RST | SYN) != 0 || flags & ACK == 0 {
            return;
        }
        if segment.printed.is_some() {
            self.acknowledged = self.acknowledged.filter(|known| is_near(acknowledgment, *known));
        }
        if self.acknowledged.is_none_or(|known| ahead(acknowledgment, known) > 0) {
            (self.acknowledged, self.run) = (Some(acknowledgment), 0);
            let all = self.next.is_none_or(|next| ahead(acknowledgment, next) >= 0);
            if let Some(stall) = self.stall.as_mut().filter(|stall| Some(stall.since) == self.outstanding) {
                stall.is_over = true;
                stall.last = seen;
            }
            self.largest = self.largest.max(self.pending);
            self.outstanding = if all { None } else { Some(seen) };
            self.quiet_ns = 0;
            if all {
                self.pending = 0;
            }
            // Whoever acknowledges it has it: this capture missed it.
            if self.hole.is_some_and(|hole| ahead(acknowledgment, hole.start) > 0) {
                self.hole = None;
            }
        }
        if let Some(hole) = self.hole.as_mut().filter(|hole| hole.start == acknowledgment) {
            hole.is_reported = true;
        }
        let stall = &mut self.window;
        match (window, stall.closed) {
            (0, closed) if flags & FIN == 0 => {
                stall.pauses.0 = stall.pauses.0.saturating_add(u32::from(closed.is_none()));
                let closed = closed.unwrap_or(seen);
                stall.closed = Some(closed);
                stall.note(closed, seen);
            }
            (_, Some(closed)) => {
                stall.note(closed, seen);
                stall.closed = None;
                stall.pauses.1 = stall.pauses.1.saturating_add(seen.time_ns - closed.time_ns);
            }
            _ => {}
        }
    }

    /// Whether the receiver takes nothing at the end.
    pub fn is_closed(&self) -> bool {
        self.window.closed.is_some()
    }

    /// Whether a receiver that took nothing for a time went on: it took data again, and no later pause was as long.
    pub fn went_on(&self) -> bool {
        let stall = &self.window;
        let resumed =
            self.last.zip(stall.last).is_some_and(|(data, stalled)| data.time_ns >= stalled.time_ns);
        resumed && (stall.closed.is_none() || stall.closed != stall.since)
    }
}

impl WindowStall {
    fn note(&mut self, closed: Seen, seen: Seen) {
        let lasted_ns = seen.time_ns - closed.time_ns;
        if self.since.is_none() || lasted_ns >= self.lasted_ns {
            (self.since, self.last, self.lasted_ns) = (Some(closed), Some(seen), lasted_ns);
        }
    }
}

/// Whether two printed numbers count from the same beginning.
fn is_near(sequence: u32, base: u32) -> bool {
    ahead(sequence, base).unsigned_abs() <= NEAR_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::PacketId;

    fn segment(packet: u32, at_ms: i64, sequence: u32, length: u32) -> Segment<'static> {
        let seen = Seen { packet: PacketId(packet), time_ns: at_ms * 1_000_000 };
        Segment {
            seen,
            sequence,
            acknowledgment: 0,
            flags: ACK,
            window: 100,
            length,
            payload: b"",
            ttl: 64,
            port: 0,
            printed: None,
        }
    }

    #[test]
    fn data_sent_again_without_acknowledgement_are_a_stall_from_their_first_sending() {
        let mut talk = Talk::default();
        for (packet, at_ms) in [(0, 0), (1, 200), (2, 600), (3, 3_200)] {
            talk.take(&segment(packet, at_ms, 1, 100), true);
        }
        let stall = talk.request.stall.map(|stall| (stall.repeats, stall.lasted_ns(), stall.is_over));
        assert_eq!(stall, Some((3, 3_200_000_000, false)));
    }

    #[test]
    fn a_hole_that_is_acknowledged_was_missed_by_the_capture() {
        let mut talk = Talk::default();
        talk.take(&segment(0, 0, 1, 100), false);
        talk.take(&segment(1, 1, 1_549, 100), false);
        assert_eq!(talk.answer.hole.map(|hole| hole.bytes()), Some(1_448));
        talk.take(&Segment { acknowledgment: 1_649, ..segment(2, 2, 1, 0) }, true);
        assert!(talk.answer.hole.is_none());
    }
}
