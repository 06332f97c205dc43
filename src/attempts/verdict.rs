//! Decides how each attempt ended.

mod clocks;
mod datagrams;
mod hosts;
mod lost;
mod several;
mod turned;

use hashbrown::{HashMap, HashSet};

use super::datagrams::Exchange;
use super::http::REFUSALS;
use super::lease::Lease;
use super::stream::{Spoken, Talk};
use super::ties::Thread;
use super::tls::Handshake;
use super::{Attempt, Denial, Kind, Outcome, Request, Service, Told, Why};
use crate::connections::{Connection, End, Known, Seen};
use crate::correlate::Evidence;
use crate::correlate::Vantage;
use crate::decode::Address;
use crate::index::{Index, PacketId};
use crate::time::Nanos;
use hosts::{here, receivers};

/// A second.
const SECOND: Nanos = 1_000_000_000;
/// A SYN unanswered for this long is silence (services §2.3 `syn_watch_s`).
const SYN_WATCH_NS: Nanos = 3 * SECOND;
/// A client that gives up after this long without an answer (services §1.4 `mute_s`).
const MUTE_NS: Nanos = 3 * SECOND;
/// A client that closed after this long and resets what is sent to it then.
const GIVEN_UP_NS: Nanos = SECOND;
/// A request watched for this long (services §1.4 `mute_watch_s`).
const MUTE_WATCH_NS: Nanos = 10 * SECOND;
/// Close and reset this soon after the request are the server's word about it (services §1.4).
const SOON_NS: Nanos = 2 * SECOND;
/// Repeats without progress (services §1.4 `rtx_n`).
const REPEATS_MIN: u32 = 3;
/// Repeats of a large segment while small ones pass (services §1.4).
const LARGE_REPEATS_MIN: u32 = 2;
/// Time without progress (services §1.4 `stall_s`).
const STALL_NS: Nanos = 3 * SECOND;
/// A receiver that takes nothing for this long (services §1.4 `zerowin_s`).
const WINDOW_NS: Nanos = SECOND;
/// Leaving a handshake this soon after the other side's flight (services §1.5 `left_s`).
const LEFT_NS: Nanos = 3 * SECOND;
/// Missing bytes from which on they may be a large segment.
const HOLE_MIN_BYTES: u32 = 500;
/// A hole that stays open for this long is lost data.
const HOLE_NS: Nanos = SECOND;
/// Errors come this soon after what they are about; a kernel that looks for a neighbour takes three seconds.
const ERROR_NS: Nanos = 5 * SECOND;
/// A version and a list of ciphers are that many segments at least.
const KEX_SEGMENTS: u32 = 2;
/// Ports that traceroute counts up from.
const TRACED: std::ops::RangeInclusive<u16> = 33_434..=33_689;

/// What is left to judge once everything has been read.
pub(super) struct Rest<'a> {
    pub connections: &'a [Connection],
    pub exchanges: &'a [Exchange],
    pub leases: &'a [Lease],
    /// Statuses of answered requests of HTTP by the packet that asks.
    pub said: Vec<(PacketId, u16)>,
}

/// The answered attempts by position with their statuses.
fn statuses(mut said: Vec<(PacketId, u16)>, all: &[Attempt]) -> Vec<(usize, u16)> {
    said.sort_unstable();
    let status = |own: &Attempt| {
        let at = said.binary_search_by_key(&own.asks, |(asks, _)| *asks).ok()?;
        said.get(at).map(|(_, status)| *status)
    };
    let answered = all.iter().enumerate().filter(|(_, own)| own.outcome == Outcome::Answered);
    answered.filter_map(|(at, own)| Some((at, status(own)?))).collect()
}

/// Packets of several files stand one file after the other: what came first is told by time.
fn order(seen: &Seen) -> (Nanos, PacketId) {
    (seen.time_ns, seen.packet)
}

/// Services that answer each request at once, whose connections are kept open.
const WAITED: [Kind; 2] = [Kind::Redis, Kind::Ldap];
/// From this long on an answer is slow (services §1.6 `slow_s`).
const LONG_NS: Nanos = 2 * SECOND;

/// When an attempt that had worked began to fail.
fn failing(talk: &Talk, attempt: &Attempt) -> Seen {
    let since = match attempt.outcome {
        Outcome::Silenced { of_client, .. } => {
            let way = if of_client { &talk.request } else { &talk.answer };
            way.stall.map(|stall| stall.since)
        }
        Outcome::Stalled { by_client, .. } => {
            let way = if by_client { &talk.answer } else { &talk.request };
            way.window.since
        }
        Outcome::LargeLost { of_client, .. } => {
            let way = if of_client { &talk.request } else { &talk.answer };
            way.hole.map(|hole| hole.seen)
        }
        Outcome::ResetMidway => attempt.decided,
        Outcome::Answered if attempt.answered_ns >= LONG_NS && WAITED.contains(&attempt.kind) => {
            talk.longest.map(|(asked, _)| asked)
        }
        _ => None,
    };
    since.filter(|seen| seen.time_ns > attempt.first.time_ns).unwrap_or(attempt.first)
}

/// Decides how attempts ended: connections as soon as their last packet was read, all others at the end.
pub(super) struct Judge<'a> {
    evidence: &'a Evidence,
    /// Errors by the ends and the transport of what they quote.
    errors: HashMap<(End, End, u8), Vec<&'a Told>>,
    /// The same by the host and port quoted, where a line does not name who asked.
    printed: HashMap<(End, u8), Vec<&'a Told>>,
    /// Paths of which datagrams ran out of hops: who sent them, and to whom.
    traced: HashSet<(Address, Address, u8)>,
    /// Hosts that anything was sent to in the capture.
    told: HashSet<Address>,
    at_client: bool,
    /// The capturing host's addresses among those who ask.
    here: HashSet<Address>,
    /// First requests of runs of pings in rows that stayed without reply.
    lost: HashSet<PacketId>,
    /// Clients and services between which repeats of one connection prove silence: others that were given up sooner met the same.
    proved: HashSet<(Address, End)>,
}

impl<'a> Judge<'a> {
    /// A judge who knows the errors about everything but DNS.
    pub(super) fn new(evidence: &'a Evidence, all: &'a [Told]) -> Self {
        let mut errors: HashMap<_, Vec<&Told>> = HashMap::new();
        let mut printed: HashMap<_, Vec<&Told>> = HashMap::new();
        for told in all {
            if told.flow.0.1 == 0 {
                printed.entry((told.flow.1, told.flow.2)).or_default().push(told);
            } else {
                errors.entry(told.flow).or_default().push(told);
            }
        }
        for own in errors.values_mut().chain(printed.values_mut()) {
            own.sort_by_key(|told| order(&told.seen));
        }
        let expired = all.iter().filter(|told| datagrams::is_out_of_hops(told));
        let traced = expired.map(|told| (told.flow.0.0, told.flow.1.0, told.flow.2)).collect();
        let told = receivers(evidence.index());
        let at_client = evidence.surroundings().vantage == Vantage::Client;
        Self {
            evidence,
            errors,
            printed,
            traced,
            told,
            at_client,
            here: HashSet::new(),
            lost: HashSet::new(),
            proved: HashSet::new(),
        }
    }

    /// Judges what can only be judged when everything has been read: what nobody accepted, requests over UDP, leases, and what
    /// only several attempts show. Gives the hosts that anything was sent to.
    pub(super) fn close(mut self, rest: Rest<'_>, all: &mut Vec<Attempt>) -> HashSet<Address> {
        let asking = rest.connections.iter().map(|own| own.client.0);
        self.here = here(self.evidence, asking.chain(rest.exchanges.iter().map(|own| own.client.0)));
        self.lost = datagrams::lost(rest.exchanges);
        let proving = |own: &&Connection| own.is_silent() && Self::proves_silence(own);
        self.proved = rest.connections.iter().filter(proving).map(|own| (own.client.0, own.server)).collect();
        let nothing = Talk::default();
        for (own, at) in rest.connections.iter().zip(0..) {
            if !own.is_accepted() && own.is_opened_here() {
                self.connection(at, own, &nothing, &[], all);
            }
        }
        all.sort_by_key(|own| (own.thread, own.first.packet, own.asks));
        if self.index().sources.len() > 1 {
            several::once(rest.connections, all);
        }
        let said = statuses(rest.said, all);
        turned::judge_parties(self.index(), all, &said);
        turned::judge(self.index(), all, &said);
        turned::name_unreached(all);
        super::takeovers::judge(self.index(), rest.connections, all);
        let parts = rest.exchanges.iter().flat_map(|exchange| exchange.parts().into_iter().flatten());
        all.extend(parts.filter_map(|exchange| self.exchange(&exchange)));
        clocks::judge(rest.exchanges, &self.here, all);
        let leases = rest.leases.iter().zip(0..);
        all.extend(leases.filter_map(|(lease, at)| self.lease(lease, Thread::lease(at))));
        self.told
    }

    fn index(&self) -> &'a Index {
        self.evidence.index()
    }

    /// The time until which something sent at a time was watched.
    fn watched_ns(&self, since_ns: Nanos) -> Nanos {
        self.evidence.watched_after(since_ns)
    }

    /// What waits from a packet on until the capture ends.
    fn until_end(&self, seen: Seen) -> Seen {
        Seen { time_ns: seen.time_ns + self.watched_ns(seen.time_ns), ..seen }
    }

    /// The first unreachable or time exceeded message about a flow in a period.
    fn error(&self, flow: (End, End, u8), from_ns: Nanos, to_ns: Nanos) -> Option<&'a Told> {
        let of = |all: Option<&Vec<&'a Told>>| {
            let all = all?;
            // In order of time: a flow may have as many errors as requests.
            let from = all.partition_point(|told| told.seen.time_ns < from_ns);
            let mut near = all.get(from..)?.iter().take_while(|told| told.seen.time_ns <= to_ns);
            near.find(|told| refuses(told) && told.flow.0.0 == flow.0.0).copied()
        };
        of(self.errors.get(&flow)).or_else(|| of(self.printed.get(&(flow.1, flow.2))))
    }

    /// Whether silence towards a client can be seen at all: something sent to it is in the capture, or that was taken at the client,
    /// whose own repeats show that nothing came (services §2.1).
    fn sees_silence(&self, client: Address) -> bool {
        self.told.contains(&client) || self.at_client && self.here.contains(&client)
    }

    /// Whether a client's own repeats show that nothing had reached it, even where nothing sent to it could be captured: who is
    /// answered goes on, and who is refused does not repeat for long (services §2.2, §2.5).
    fn proves_silence(own: &Connection) -> bool {
        let lasted_ns = own.syn.zip(own.last_syn).map_or(0, |(first, last)| last.time_ns - first.time_ns);
        own.tries > 1 && lasted_ns >= SYN_WATCH_NS
    }

    /// What a connection came to, with the requests of HTTP it carried.
    pub(super) fn connection(
        &self,
        at: u32,
        own: &Connection,
        talk: &Talk,
        requests: &[Request],
        out: &mut Vec<Attempt>,
    ) {
        let from = out.len();
        self.judge(at, own, talk, requests, out);
        for attempt in out.iter_mut().skip(from) {
            attempt.failing = failing(talk, attempt);
        }
    }

    fn judge(&self, at: u32, own: &Connection, talk: &Talk, requests: &[Request], out: &mut Vec<Attempt>) {
        let opens = !own.is_accepted() && own.is_opened_here();
        if self.index().settings.is_dns_port(own.server.1) && !opens {
            return;
        }
        let kind = kind_of(own, talk);
        let service = Service { host: own.server.0, transport: 6, port: own.server.1 };
        let first = own.syn.unwrap_or(own.first);
        let attempt = Attempt {
            kind,
            client: own.client,
            service,
            first,
            last: own.last_syn.unwrap_or(first),
            tries: own.tries.max(1),
            asks: first.packet,
            decided: None,
            outcome: Outcome::Undetermined,
            answered_ns: 0,
            handshake_ns: own
                .accepted
                .zip(own.last_syn)
                .map_or(0, |(to, from)| (to.time_ns - from.time_ns).max(0)),
            thread: Thread::connection(at),
            counts: (1, 0),
            failing: first,
        };
        if opens {
            if let Some(attempt) = self.opening(own, attempt) {
                out.push(attempt);
            }
            return;
        }
        if requests.is_empty()
            && super::is_unheard(self.index(), own, SYN_WATCH_NS)
            && self.sees_silence(own.client.0)
        {
            out.push(Attempt { outcome: Outcome::NoReply, last: own.last, ..attempt });
            return;
        }
        if let Some(attempt) = self.undelivered(own, attempt) {
            out.push(attempt);
            return;
        }
        if self.cancels(own, talk, kind) {
            return;
        }
        if requests.is_empty() || kind != Kind::Http {
            let carried = self.carried(own, talk, attempt);
            if carried.outcome != Outcome::Undetermined || !super::prints_no_flags(self.index(), own) {
                out.push(carried);
            }
            return;
        }
        for (number, request) in requests.iter().enumerate() {
            let begins = if number == 0 { first } else { request.first };
            let attempt = Attempt {
                first: begins,
                failing: begins,
                last: request.last,
                asks: request.first.packet,
                ..attempt
            };
            let is_last = number + 1 == requests.len();
            out.push(self.request(own, talk, attempt, request, is_last));
        }
    }

    /// A connection that nobody accepted.
    fn opening(&self, own: &Connection, attempt: Attempt) -> Option<Attempt> {
        let flow = (own.client, own.server, 6);
        let error = self.error(flow, attempt.first.time_ns, Nanos::MAX);
        if self.is_trace(attempt.first.packet, error) || self.ends_traced_path(own) {
            return None;
        }
        let watch_ns = self.watched_ns(attempt.last.time_ns);
        let outcome = if own.is_refused() {
            (Outcome::RefusedByReset, own.from_server.reset)
        } else if let Some(told) = error {
            let (v6, kind, code) = told.icmp;
            (Outcome::RefusedByIcmp(v6, kind, code), Some(told.seen))
        } else if own.from_client.first.is_some() && !own.hears_server()
            || !self.sees_silence(own.client.0)
                && !Self::proves_silence(own)
                && !self.proved.contains(&(own.client.0, own.server))
        {
            (Outcome::OneDirection, None)
        } else if own.tries > 1 || watch_ns >= SYN_WATCH_NS {
            (Outcome::NoReply, None)
        } else {
            (Outcome::Undetermined, None)
        };
        Some(Attempt { outcome: outcome.0, decided: outcome.1, ..attempt })
    }

    /// What a connection came to that was accepted, or whose beginning was not captured.
    fn carried(&self, own: &Connection, talk: &Talk, attempt: Attempt) -> Attempt {
        let handshake = talk.handshake.as_deref();
        let asked =
            handshake.and_then(|own| own.hello).or_else(|| talk.dialog.account()).or(talk.request.first);
        let attempt = asked.map_or(attempt, |asked| Attempt { asks: asked.packet, ..attempt });
        let done = |outcome, decided| Attempt { decided, outcome, ..attempt };
        if !own.hears_server() && own.from_client.first.is_some() {
            return done(Outcome::OneDirection, None);
        }
        // Whoever resets a handshake in the client's name, from another distance than the client's own packets, is not the client.
        if let Some(reset) = own.from_client.reset
            && talk.client_reset_ttl > 0
            && talk.request.ttl > 0
            && talk.client_reset_ttl != talk.request.ttl
            && handshake.is_some_and(|shown| !shown.is_done())
        {
            return done(Outcome::ResetByDevice, Some(reset));
        }
        if let Some(reset) = own.from_server.reset.filter(|_| own.from_server.finished.is_none())
            && Self::reset(talk) == Outcome::ResetByDevice
            && talk.request.last.is_some_and(|asked| reset.time_ns - asked.time_ns <= SOON_NS)
            && !handshake.is_some_and(|shown| shown.is_served)
        {
            return done(Outcome::ResetByDevice, Some(reset));
        }
        if let Some(handshake) = handshake
            && let Some((outcome, seen)) = Self::handshake(own, talk, handshake)
        {
            return done(outcome, Some(seen));
        }
        if (own.known == Known::BySyn || own.known == Known::ByAccept) && !talk.is_partial {
            let unanswered = self.unanswered(own, talk, attempt.kind);
            // After answers that decide nothing only waiting in vain tells something.
            let counts = |outcome: &Outcome| talk.answer.first.is_none() || *outcome == Outcome::Mute;
            if let Some((outcome, seen)) = unanswered.filter(|(outcome, _)| counts(outcome)) {
                let late = talk.answer.first.filter(|answer| order(answer) > order(&seen));
                let answered_ns = late
                    .zip(talk.request.last.or(own.accepted))
                    .map_or(0, |(to, from)| (to.time_ns - from.time_ns).max(0));
                return Attempt { answered_ns, ..done(outcome, Some(seen)) };
            }
        }
        let is_whole = own.known != Known::ByPort && !talk.is_partial;
        if let Some((denial, seen)) = talk.dialog.denial(attempt.kind, is_whole) {
            return done(denied(attempt.kind, denial), Some(seen));
        }
        if let Some(end) = Self::keyless(own, talk, attempt.kind).filter(|_| !self.is_printed(own)) {
            return done(Outcome::Denied(super::reply::no_keys()), Some(end));
        }
        // Who has said goodbye under encryption (close_notify) and closed breaks nothing off by what the server does then.
        let has_left = |seen: &Seen| {
            attempt.kind == Kind::Tls
                && own.from_client.finished.is_some_and(|left| order(&left) <= order(seen))
        };
        let halted = self.halted(own, talk).filter(|(outcome, seen)| {
            !(matches!(outcome, Outcome::ResetMidway | Outcome::ResetByDevice) && has_left(seen))
        });
        if let Some((outcome, seen)) = halted {
            return done(outcome, Some(seen));
        }
        let answer = talk.answer.first;
        let answered_ns = answer
            .zip(talk.request.first.filter(|_| !attempt.kind.greets()).or(own.accepted))
            .map_or(0, |(to, from)| (to.time_ns - from.time_ns).max(0));
        let outcome = match answer {
            Some(_) => Outcome::Answered,
            None if own.known == Known::ByPort => Outcome::Undetermined,
            // What is only sent to, as a printer is, took all of it and closed in order.
            None if talk.request.first.is_some()
                && own.from_server.finished.is_some()
                && own.from_server.reset.is_none()
                && talk.request.is_acknowledged()
                && attempt.kind == Kind::Tcp =>
            {
                Outcome::Answered
            }
            None if talk.request.first.is_some() => Outcome::Undetermined,
            None => Outcome::Accepted,
        };
        let granted = talk.dialog.granted(attempt.kind);
        // Of a connection that is kept open the answer that was waited for longest tells whether the service was slow.
        if let Some((asked, answered)) = talk.longest.filter(|_| WAITED.contains(&attempt.kind)) {
            let answered_ns = (answered.time_ns - asked.time_ns).max(0);
            if answered_ns >= LONG_NS {
                return Attempt { answered_ns, ..done(outcome, Some(answered)) };
            }
        }
        let answered_ns = if attempt.kind == Kind::Redis { 0 } else { answered_ns };
        Attempt { answered_ns, ..done(outcome, granted.or(answer).or(own.accepted)) }
    }

    /// Whether a connection only carried the wish to cancel a query of another one: the server ends it without an answer, whatever
    /// becomes of the wish (PostgreSQL documentation, "Canceling Requests in Progress").
    fn cancels(&self, own: &Connection, talk: &Talk, kind: Kind) -> bool {
        let is_ended = own.from_server.finished.is_some();
        let asked = talk.request.last.filter(|_| kind == Kind::Postgres && is_ended);
        asked
            .and_then(|asked| self.index().packet(asked.packet))
            .is_some_and(|packet| super::reply::account::is_cancel(packet.decode().payload()))
    }

    fn is_printed(&self, own: &Connection) -> bool {
        self.index().packet(own.first.packet).is_some_and(|packet| packet.is_text())
    }

    /// When an SSH server ended a session at once after both sides had said what they take, and before it answered the client's part
    /// of the key exchange. Who only looks for the version says nothing of its own ciphers.
    fn keyless(own: &Connection, talk: &Talk, kind: Kind) -> Option<Seen> {
        let ended = |side: &crate::connections::Sent| {
            [side.finished, side.reset].into_iter().flatten().min_by_key(order)
        };
        let (client, server) = (ended(&own.from_client), ended(&own.from_server)?);
        let last = talk.request.last?;
        let is_keyless = kind == Kind::Ssh
            && (own.known == Known::BySyn || own.known == Known::ByAccept)
            && talk.request.sent >= KEX_SEGMENTS
            && (KEX_SEGMENTS..=KEX_SEGMENTS + 1).contains(&talk.answer.sent)
            && talk.dialog.granted(kind).is_none()
            && client.is_none_or(|client| order(&server) < order(&client))
            && server.time_ns - last.time_ns <= SOON_NS;
        is_keyless.then_some(server)
    }

    /// A TLS handshake that came to nothing.
    fn handshake(own: &Connection, talk: &Talk, shown: &Handshake) -> Option<(Outcome, Seen)> {
        if let Some((number, by_client, seen)) = shown.failure() {
            return Some((Outcome::Alert { number, by_client }, seen));
        }
        let answer = shown.answer?;
        let ended = |side: &crate::connections::Sent| {
            [side.finished, side.reset].into_iter().flatten().min_by_key(order)
        };
        let (client, server) = (ended(&own.from_client), ended(&own.from_server));
        // The server's only further record after the client's last flight is one of an alert's size, and it closes.
        // Where the client's was the first, both say good-bye.
        let is_first = |alert: Seen| shown.client.sealed_alert.is_none_or(|own| order(&alert) < order(&own));
        if let (Some(alert), Some(server), false) = (shown.server.sealed_alert, server, shown.is_served)
            && shown.is_13
            && shown.client.data > 0
            && is_first(alert)
            && client.is_none_or(|client| order(&server) <= order(&client))
        {
            return Some((Outcome::Left { by_client: false }, server));
        }
        if shown.is_done() || shown.is_cut || talk.answer.hole.is_some() {
            return None;
        }
        let flight = talk.answer.last.unwrap_or(answer);
        match (client, server) {
            (Some(client), server)
                if server.is_none_or(|server| order(&client) < order(&server))
                    && client.time_ns - flight.time_ns <= LEFT_NS =>
            {
                // Who has accepted what the server presented, and then leaves, has seen what it wanted.
                (!shown.is_accepted()).then_some((Outcome::Left { by_client: true }, client))
            }
            // The server follows a client that said good-bye.
            (_, Some(_)) if shown.is_accepted() && shown.client.sealed_alert.is_some() => None,
            (_, Some(server)) if server.time_ns - flight.time_ns <= LEFT_NS => {
                Some((Outcome::Left { by_client: false }, server))
            }
            _ => None,
        }
    }

    /// A connection on which the server sent nothing, or only when the client had given up.
    fn unanswered(&self, own: &Connection, talk: &Talk, kind: Kind) -> Option<(Outcome, Seen)> {
        let asked = match (kind.greets(), talk.request.first) {
            // Whoever waits for a greeting has asked by connecting.
            (true, asked) => own.accepted.or(asked)?,
            (false, asked) => asked?,
        };
        let last = talk.request.last.unwrap_or(asked);
        let server =
            [own.from_server.reset, own.from_server.finished].into_iter().flatten().min_by_key(order);
        let client =
            [own.from_client.reset, own.from_client.finished].into_iter().flatten().min_by_key(order);
        if let Some(answer) = talk.answer.first.filter(|_| !talk.dialog.is_undecided()) {
            let given_up = client.filter(|client| {
                order(client) < order(&answer)
                    && kind.answers()
                    && is_given_up(own, client.time_ns - last.time_ns, answer)
            });
            return given_up.map(|client| (Outcome::Mute, client));
        }
        let lost = self.large(own, talk);
        if lost.is_some() {
            return lost;
        }
        let by_client = client.filter(|client| server.is_none_or(|server| order(client) < order(&server)));
        if let Some(client) = by_client.filter(|client| client.time_ns - last.time_ns > 0) {
            let waited_ns = client.time_ns - last.time_ns;
            let known = kind.answers() || kind == Kind::Tcp;
            // A client that leaves at once only looked whether somebody is there.
            return (waited_ns >= MUTE_NS && known && talk.request.is_acknowledged())
                .then_some((Outcome::Mute, client));
        }
        if let Some(server) = server {
            let soon = server.time_ns - last.time_ns <= SOON_NS;
            if own.from_server.reset.is_some_and(|reset| reset.packet == server.packet) {
                return Some((Self::reset(talk), server));
            }
            return soon.then_some((Outcome::Closed, server));
        }
        if !talk.request.is_acknowledged() {
            return None;
        }
        let watched = self.watched_ns(last.time_ns) >= MUTE_WATCH_NS;
        (watched && kind.answers()).then(|| (Outcome::Mute, self.until_end(last)))
    }

    /// Who reset a connection: a device nearer by leaves other hops in its packets.
    fn reset(talk: &Talk) -> Outcome {
        let differs = talk.reset_ttl > 0 && talk.answer.ttl > 0 && talk.reset_ttl != talk.answer.ttl;
        if differs { Outcome::ResetByDevice } else { Outcome::Reset }
    }

    /// One request of HTTP.
    fn request(
        &self,
        own: &Connection,
        talk: &Talk,
        attempt: Attempt,
        request: &Request,
        is_last: bool,
    ) -> Attempt {
        let done = |outcome, decided| Attempt { decided, outcome, ..attempt };
        let given_up = [own.from_client.reset, own.from_client.finished]
            .into_iter()
            .flatten()
            .filter(|seen| {
                order(seen) > order(&request.first) && seen.time_ns - request.last.time_ns >= GIVEN_UP_NS
            })
            .min_by_key(order);
        // An answer that comes after the client has given up is none for it.
        if let Some((client, (answer, _))) = given_up.zip(request.answer)
            && order(&client) < order(&answer)
            && is_given_up(own, client.time_ns - request.last.time_ns, answer)
        {
            let answered_ns = (answer.time_ns - request.last.time_ns).max(0);
            return Attempt { answered_ns, ..done(Outcome::Mute, Some(client)) };
        }
        if let Some((seen, status)) = request.answer {
            let answered_ns = (seen.time_ns - request.last.time_ns).max(0);
            let fails = status >= 500 || REFUSALS.contains(&status);
            let halted = if is_last { self.halted(own, talk) } else { None };
            return match halted {
                _ if fails => Attempt { answered_ns, ..done(Outcome::Fails(status), Some(seen)) },
                Some((outcome, at)) => Attempt { answered_ns, ..done(outcome, Some(at)) },
                None => Attempt { answered_ns, ..done(Outcome::Answered, Some(seen)) },
            };
        }
        if !own.hears_server() {
            return done(Outcome::OneDirection, None);
        }
        if !is_last || talk.is_partial {
            return done(Outcome::Undetermined, None);
        }
        if let Some((outcome, seen)) = self.large(own, talk) {
            return done(outcome, Some(seen));
        }
        // Something came after the request that is no beginning of a response: it was missed, or cut.
        let spoke = talk.answer.last.is_some_and(|last| order(&last) > order(&request.first));
        let after = |seen: Option<Seen>| seen.filter(|seen| order(seen) > order(&request.first));
        let reset = after(own.from_server.reset);
        let server = [reset, after(own.from_server.finished)].into_iter().flatten().min_by_key(order);
        let client = [after(own.from_client.reset), after(own.from_client.finished)];
        let client = client.into_iter().flatten().min_by_key(order);
        let first = client.filter(|client| server.is_none_or(|server| order(client) < order(&server)));
        match (first, server) {
            _ if spoke => {
                self.halted(own, talk).map_or(done(Outcome::Answered, talk.answer.last), |(outcome, seen)| {
                    done(outcome, Some(seen))
                })
            }
            (Some(client), _) if client.time_ns - request.last.time_ns >= MUTE_NS => {
                if talk.request.is_acknowledged() {
                    done(Outcome::Mute, Some(client))
                } else {
                    done(Outcome::Silenced { of_client: true, quiet_ns: 0 }, Some(client))
                }
            }
            (Some(client), _) => done(Outcome::Undetermined, Some(client)),
            (None, Some(server)) if reset.is_some_and(|reset| reset.packet == server.packet) => {
                done(Self::reset(talk), Some(server))
            }
            (None, Some(server)) => done(Outcome::Closed, Some(server)),
            (None, None) => match self.halted(own, talk) {
                Some((outcome, seen)) => done(outcome, Some(seen)),
                None if self.watched_ns(request.last.time_ns) >= MUTE_WATCH_NS
                    && talk.request.is_acknowledged() =>
                {
                    done(Outcome::Mute, Some(self.until_end(request.last)))
                }
                None => done(Outcome::Undetermined, None),
            },
        }
    }
}

/// Whether an error says that what it quotes did not arrive: packets too big for a link and redirects do not.
fn refuses(told: &Told) -> bool {
    match told.icmp {
        (false, 3, code) => code != 4,
        (false, 11, 0) | (true, 1, _) | (true, 3, 0) => true,
        _ => false,
    }
}

/// Whether a client that closed before an answer had given up: it waited long, or takes nothing any more. Who only ends its own
/// part still wants the answer.
fn is_given_up(own: &Connection, waited_ns: Nanos, answer: Seen) -> bool {
    let resets = || own.from_client.reset.is_some_and(|reset| order(&reset) > order(&answer));
    waited_ns >= MUTE_NS || waited_ns >= GIVEN_UP_NS && resets()
}

/// How an answer that denies ends an attempt: temporary failures of mail by their code, as those of HTTP.
fn denied(kind: Kind, denial: Denial) -> Outcome {
    match denial.code.basic() {
        Some(code) if kind == Kind::Smtp && denial.why == Why::Fails => Outcome::Fails(code),
        _ => Outcome::Denied(denial),
    }
}

/// What a connection is for: what is spoken on it, else what is usual at its port.
fn kind_of(own: &Connection, talk: &Talk) -> Kind {
    let usual = Kind::at(6, own.server.1);
    match talk.spoken {
        Some(Spoken::Http) => Kind::Http,
        Some(Spoken::Tls) => Kind::Tls,
        // What speaks otherwise than its port says is something else.
        Some(Spoken::Other) if matches!(usual, Kind::Http | Kind::Tls) && talk.request.first.is_some() => {
            Kind::Tcp
        }
        Some(Spoken::Greeting(Some(named))) => named,
        Some(Spoken::Greeting(None)) if !usual.greets() => Kind::Tcp,
        _ => usual,
    }
}
