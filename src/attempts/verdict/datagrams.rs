//! How requests over UDP, pings and leases ended.

use hashbrown::{HashMap, HashSet};

use super::{ERROR_NS, Judge, SECOND, TRACED, order, refuses};

use crate::attempts::datagrams::{Exchange, PINGS_MIN, TRACE_TTL_MAX};
use crate::attempts::exchange::Says;
use crate::attempts::lease::{Asked, Lease};
use crate::attempts::ties::Thread;
use crate::attempts::{Attempt, Kind, Outcome, Service, Told};
use crate::connections::{Connection, End, Seen};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// A receiver gives missing fragments up by then.
const TORN_NS: Nanos = 60 * SECOND;

/// The first requests of runs of pings that stayed without reply in a row of three requests or more: some programs send one or two and
/// take another identifier for the next.
pub(super) fn lost(exchanges: &[Exchange]) -> HashSet<PacketId> {
    let mut rows: HashMap<(Address, Address), Vec<&Exchange>> = HashMap::new();
    for own in exchanges.iter().filter(|own| own.kind == Kind::Echo && !own.is_trace) {
        rows.entry((own.client.0, own.server.0)).or_default().push(own);
    }
    let mut lost = HashSet::new();
    for runs in rows.values_mut() {
        runs.sort_by_key(|own| order(&own.first));
        for row in runs.chunk_by(|one, other| one.answer.is_none() == other.answer.is_none()) {
            let silent = row.iter().filter(|own| own.answer.is_none());
            if silent.clone().map(|own| own.tries).sum::<u32>() >= PINGS_MIN {
                lost.extend(silent.map(|own| own.first.packet));
            }
        }
    }
    lost
}

/// Whether an error says that a packet ran out of hops.
pub(super) fn is_out_of_hops(told: &Told) -> bool {
    matches!(told.icmp, (false, 11, _) | (true, 3, _))
}

impl Judge<'_> {
    /// A request over UDP, or a run of pings.
    pub(super) fn exchange(&self, own: &Exchange) -> Option<Attempt> {
        let transport = if own.kind == Kind::Echo { 1 } else { 17 };
        let service = Service { host: own.server.0, transport, port: own.server.1 };
        let attempt = Attempt {
            kind: own.kind,
            client: own.client,
            service,
            first: own.first,
            last: own.last,
            tries: own.tries.max(1),
            asks: own.first.packet,
            decided: own.answer,
            outcome: Outcome::Answered,
            // Who was told to wait waits for a person (SIP 180).
            answered_ns: own
                .answer
                .filter(|_| !own.waits)
                .map_or(0, |answer| (answer.time_ns - own.first.time_ns).max(0)),
            handshake_ns: 0,
            thread: own.thread,
            failing: own.first,
            counts: if own.kind == Kind::Echo { (own.asked, own.answered) } else { (1, own.answered.min(1)) },
        };
        let flow_transport = match own.server.0 {
            _ if transport == 17 => 17,
            host if host.is_v6() => 58,
            _ => 1,
        };
        let flow = match own.kind {
            Kind::Echo => (own.client, (own.server.0, 0), flow_transport),
            _ => (own.client, own.server, 17),
        };
        // An error is about the newest packet before it: later ones belong to later requests.
        let until_ns = own.last.time_ns + if own.answer.is_some() { SECOND } else { ERROR_NS };
        let error = self.error(flow, own.first.time_ns, until_ns);
        let is_trace = |told: &Told| {
            TRACED.contains(&own.server.1) && own.kind == Kind::Udp
                || self.is_trace(own.first.packet, Some(told))
                || self.ends_trace(own, told)
        };
        if own.is_trace || error.is_some_and(is_trace) {
            return None;
        }
        let error = error.or_else(|| self.torn(flow, own));
        let (outcome, decided) = match (own.says, error) {
            (Says::Fails(code), _) if own.answer.is_some() => (Outcome::Fails(code), own.answer),
            (Says::Denies(denial), _) if own.answer.is_some() => (Outcome::Denied(denial), own.answer),
            (Says::Kiss(code), _) if own.answer.is_some() => (Outcome::Kiss(code), own.answer),
            (Says::NoTime, _) if own.answer.is_some() => (Outcome::NoTime, own.answer),
            (_, Some(told)) if own.answer.is_none() || own.kind == Kind::Echo && own.tries > 0 => {
                let (v6, kind, code) = told.icmp;
                (Outcome::RefusedByIcmp(v6, kind, code), Some(told.seen))
            }
            _ if own.kind == Kind::Echo => match own.tries {
                0 => (Outcome::Answered, own.last_answer),
                PINGS_MIN.. if self.sees_silence(own.client.0) => (Outcome::NoReply, None),
                _ if self.lost.contains(&own.first.packet) && self.sees_silence(own.client.0) => {
                    (Outcome::NoReply, None)
                }
                _ if own.answer.is_some() => (Outcome::Answered, own.answer),
                _ => (Outcome::Undetermined, None),
            },
            // Whoever had closed its port by then has no use for the answer.
            _ if own.answer.is_some() && self.is_late(own) => (Outcome::NoReply, None),
            _ if own.answer.is_some() => (Outcome::Answered, own.answer),
            _ if own.elsewhere.is_some() => (Outcome::Misaddressed, own.elsewhere),
            _ if own.waits => (Outcome::Undetermined, None),
            _ if !own.kind.answers() => (Outcome::OneDirection, None),
            _ if !self.sees_silence(own.client.0) => (Outcome::OneDirection, None),
            _ if own.tries > 1 || self.watched_ns(own.last.time_ns) >= own.kind.row().watch_ns => {
                (Outcome::NoReply, None)
            }
            _ => (Outcome::Undetermined, None),
        };
        let mut attempt = attempt;
        if !own.kind.answers()
            && let Some(told) = error
        {
            // A flow that goes on for long is refused while errors come.
            let all = self.errors.get(&flow).map(Vec::as_slice).unwrap_or_default();
            let all = all.iter().filter(|told| refuses(told));
            attempt.failing = told.seen;
            attempt.last = all.map(|told| told.seen).max_by_key(order).unwrap_or(told.seen);
        }
        // Of protocols that nobody answers only what is refused tells something.
        (outcome != Outcome::OneDirection || own.kind.answers()).then_some(Attempt {
            decided,
            outcome,
            ..attempt
        })
    }

    /// The receiver's word that fragments of a request did not all arrive; it waits for them for a minute at most (RFC 1122 §3.3.2).
    fn torn(&self, flow: (End, End, u8), own: &Exchange) -> Option<&Told> {
        let all = self.errors.get(&flow)?;
        let near = |told: &&&Told| {
            let at_ns = told.seen.time_ns;
            at_ns >= own.first.time_ns && at_ns <= own.last.time_ns + TORN_NS
        };
        let torn = |told: &&&Told| matches!(told.icmp, (false, 11, 1) | (true, 3, 1));
        all.iter().filter(near).find(torn).copied()
    }

    /// Whether packets are sent to learn the way: they leave with few hops and meet their end on purpose.
    pub(super) fn is_trace(&self, first: PacketId, error: Option<&Told>) -> bool {
        let ttl = self.index().packet(first).map_or(0, |packet| packet.ttl());
        (1..=TRACE_TTL_MAX).contains(&ttl) && error.is_some_and(is_out_of_hops)
    }

    /// Whether a SYN left with few hops to the goal of a path that others before it traced: what comes back, or nothing, is what the
    /// trace asks for.
    pub(super) fn ends_traced_path(&self, own: &Connection) -> bool {
        let ttl = || self.index().packet(own.first.packet).map_or(0, |packet| packet.ttl());
        self.traced.contains(&(own.client.0, own.server.0, 6)) && (1..=TRACE_TTL_MAX).contains(&ttl())
    }

    /// Whether a datagram reached the goal of a traced path: it left with few hops, as those before it that ran out of them.
    fn ends_trace(&self, own: &Exchange, error: &Told) -> bool {
        let ttl = self.index().packet(own.first.packet).map_or(0, |packet| packet.ttl());
        own.kind == Kind::Udp
            && error.source == own.server.0
            && matches!(error.icmp, (false, 3, 3) | (true, 1, 4))
            && (1..=TRACE_TTL_MAX).contains(&ttl)
            && self.traced.contains(&(own.client.0, own.server.0, 17))
    }

    /// Whether the client refused the answer: it had given up.
    fn is_late(&self, own: &Exchange) -> bool {
        let Some(answer) = own.answer else { return false };
        let back = self.error((own.server, own.client, 17), answer.time_ns, answer.time_ns + SECOND);
        back.is_some() && answer.time_ns - own.first.time_ns >= SECOND
    }

    /// A client's wish for an address.
    pub(super) fn lease(&self, lease: &Lease, thread: Thread) -> Option<Attempt> {
        let first = lease.discover.first.or(lease.request.first)?;
        let last = lease.request.last.or(lease.discover.last)?;
        let named = lease.offers.first().map(|offer| offer.server);
        let port = if lease.v6 { 547 } else { 67 };
        let service = Service { host: named.unwrap_or_default(), transport: 17, port };
        let tries = if lease.request.tries > 0 { lease.request.tries } else { lease.discover.tries };
        let watched = |seen: Seen| self.watched_ns(seen.time_ns) >= Kind::Dhcp.row().watch_ns;
        let silent = |asked: &Asked| asked.tries > 1 || asked.last.is_some_and(watched);
        let refused =
            lease.unicast.and_then(|(from, to)| self.error((from, to, 17), first.time_ns, Nanos::MAX));
        let offered = !lease.offers.is_empty() || lease.ack.is_some();
        let (outcome, decided) = match () {
            () if lease.decline.is_some() => (Outcome::Declined, lease.decline),
            () if lease.ack.is_some() => (Outcome::Answered, lease.ack),
            () if lease.nak.is_some() => (Outcome::Nak, lease.nak.map(|(seen, _)| seen)),
            () if lease.exhausted.is_some() => (Outcome::NoAddress, lease.exhausted),
            () if lease.request.tries > 0 && (silent(&lease.request) || refused.is_some()) => {
                (Outcome::Unconfirmed, refused.map(|told| told.seen))
            }
            () if lease.discover.tries > 0 && !offered && silent(&lease.discover) => (Outcome::NoOffer, None),
            () => (Outcome::Undetermined, None),
        };
        Some(Attempt {
            kind: Kind::Dhcp,
            client: (lease.client, if lease.v6 { 546 } else { 68 }),
            service,
            first,
            last,
            tries,
            asks: first.packet,
            decided,
            outcome,
            answered_ns: decided.map_or(0, |seen| (seen.time_ns - first.time_ns).max(0)),
            handshake_ns: 0,
            thread,
            failing: first,
            counts: (1, u32::from(decided.is_some())),
        })
    }
}
