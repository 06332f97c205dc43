//! What clients wanted of services, one thing each, and what became of it (services §1). DNS lookups are attempts as well;
//! they are followed by correlation.
//!
//! Every packet of TCP, UDP and ICMP that is no DNS message and no error is read once. An attempt is a TCP connection, a
//! request of HTTP on one, a request over UDP with its repeats, a run of pings, or a client's wish for a lease.

pub mod certificate;
pub mod datagrams;
pub mod exchange;
pub mod http;
pub mod kind;
pub mod lease;
pub mod outcome;
mod places;
pub mod printed;
pub mod reply;
pub mod stream;
pub mod subject;
pub mod takeovers;
pub mod ties;
pub mod tls;
mod vantages;
mod verdict;

use std::net::IpAddr;
use std::sync::{Arc, LazyLock, OnceLock};

use hashbrown::{HashMap, HashSet};

use crate::connections::{Connection, Connections, End, Scope, Seen};
use crate::correlate::{Evidence, LinkKind, Reason};
use crate::decode::{Address, Quote, Transport};
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId};
use crate::time::Nanos;
pub use kind::Kind;
pub use outcome::{Ended, Face, Outcome};
pub use places::Places;
pub use reply::{Denial, Why};
use stream::{Begins, Carried, Segment, Talk};
use ties::{Recorder, Thread, Ties};
use vantages::Vantages;
use verdict::{Judge, Rest};

/// Requests of HTTP followed.
const REQUESTS_MAX: usize = 262_144;
/// Packets named of those that show nothing more.
const UNSEEN_MAX: usize = 256;
/// ICMP errors read.
const ERRORS_MAX: usize = 100_000;

/// The thing that is up or down: never a name, never a host alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// Its host; a group for what is asked of all on a link.
    pub host: Address,
    /// IP protocol number; 1 stands for ICMP of both versions.
    pub transport: u8,
    /// Its port; 0 for echo.
    pub port: u16,
}

/// One thing a client wanted once, with all its own repeats.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What for.
    pub kind: Kind,
    /// Who wanted it; the port is 0 where none is known.
    pub client: End,
    /// Of which service.
    pub service: Service,
    /// The first try.
    pub first: Seen,
    /// The last one.
    pub last: Seen,
    /// Tries.
    pub tries: u32,
    /// The packet that says what is asked for (request, hello); the first try where none does.
    pub asks: PacketId,
    /// The packet that answers or decides: answer, reset, error, alert, the client's last word.
    pub decided: Option<Seen>,
    /// How it ended.
    pub outcome: Outcome,
    /// From the last byte of the request to the first of the answer, also of one that came too late; 0 where nothing was answered.
    pub answered_ns: Nanos,
    /// From the first SYN to its acceptance; 0 where none was seen.
    pub handshake_ns: Nanos,
    /// What its packets belong to.
    pub thread: Thread,
    /// When it began to fail, where it had worked before; else the first try.
    pub failing: Seen,
    /// Requests and answers where one attempt stands for many (a run of pings); 1 and 0 or 1 else.
    pub counts: (u32, u32),
}

impl Attempt {
    /// When it ended: with its answer or failure, or with its last try.
    pub fn ended_ns(&self) -> Nanos {
        self.decided.map_or(self.last.time_ns, |seen| seen.time_ns.max(self.last.time_ns))
    }

    /// Whether it was answered when the client had given up.
    pub fn is_answered_in_vain(&self) -> bool {
        matches!(self.outcome, Outcome::Mute | Outcome::NoReply) && self.answered_ns > 0
    }

    /// Whether it was asked for, and decided, in a period.
    pub fn is_within(&self, from_ns: Nanos, to_ns: Nanos) -> bool {
        self.first.time_ns >= from_ns && self.ended_ns() <= to_ns
    }

    /// The word for its service in tables.
    pub fn service_name(&self, index: &Index) -> &'static str {
        if self.is_dns(index) { "dns" } else { self.kind.id() }
    }

    /// Whether it is a connection to be asked over in DNS, that did not come about.
    fn is_dns(&self, index: &Index) -> bool {
        index.settings.is_dns_port(self.service.port) && self.service.transport == kind::TCP
    }

    /// How long the client waited for it.
    pub fn waited_ns(&self) -> Nanos {
        self.ended_ns() - self.first.time_ns
    }

    /// The packets that show it, in order.
    pub fn frames(&self) -> Vec<PacketId> {
        let mut frames = vec![self.first.packet, self.asks, self.last.packet];
        frames.extend(self.decided.map(|seen| seen.packet));
        frames.sort_unstable();
        frames.dedup();
        frames
    }
}

/// An ICMP error about something else than DNS.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The error.
    pub seen: Seen,
    /// Who sent it.
    pub source: Address,
    /// Whether ICMPv6, type and code.
    pub icmp: (bool, u8, u8),
    /// The packet it is about, where that was captured.
    pub about: Option<PacketId>,
    /// Who sent the quoted packet, to whom, over which IP protocol.
    pub flow: (End, End, u8),
}

/// One request of HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Where it begins.
    pub first: Seen,
    /// Its last segment.
    pub last: Seen,
    /// The response and its status.
    pub answer: Option<(Seen, u16)>,
}

/// Packets of which nothing more is seen: how many, and the first of them.
#[derive(Clone, Debug, Default)]
pub struct Unseen {
    /// How many.
    pub count: u64,
    /// The first ones.
    pub packets: Vec<PacketId>,
}

impl Unseen {
    fn note(&mut self, packet: PacketId) {
        self.count += 1;
        if self.packets.len() < UNSEEN_MAX {
            self.packets.push(packet);
        }
    }
}

/// All attempts beside DNS.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// In order of their first packet.
    pub all: Vec<Attempt>,
    /// Connections to DNS ports that did not come about, so that nothing could be asked on them.
    pub unasked: Vec<Attempt>,
    /// The TCP connections.
    pub connections: Vec<Connection>,
    /// What is kept of what each of them carried, in the same order.
    pub carried: Vec<Carried>,
    /// DHCP.
    pub leases: Vec<lease::Lease>,
    /// ICMP errors about something else than DNS.
    pub told: Vec<Told>,
    /// Hosts that anything was sent to in the capture.
    pub receivers: HashSet<Address>,
    /// Both ends of transfers over UDP that came to their end: who sends there once more is refused.
    pub finished: HashSet<(End, End)>,
    /// TCP connections whose beginning is not in the capture.
    pub strangers: Unseen,
    /// TCP connections of which lines print no flags.
    pub unprinted: Unseen,
    /// Segments with encrypted data of TLS.
    pub encrypted: Unseen,
    /// Datagrams of which nothing is known.
    pub one_way: Unseen,
    /// Datagrams of protocols that nobody answers.
    pub notices: Unseen,
    /// Connection attempts and requests beyond a limit, which were not followed.
    pub left_out: u64,
    /// What was left out, in words.
    pub notes: Vec<String>,
}

/// The columns of a capture's packets are walked in this order while attempts are followed.
struct Follower<'e> {
    evidence: &'e Evidence,
    vantages: Vantages<'e>,
    /// How many connections have begun: they are in order of their first packet.
    begun: usize,
    /// The connection between two ends at the moment: ports are used again.
    table: HashMap<(End, End), u32>,
    /// What goes on at the moment, of connections that were accepted or whose beginning was not captured.
    live: HashMap<u32, Box<Live>>,
    /// The connections between two hosts that began in text, whose further rows may name no ports.
    hosts: HashMap<(Address, Address), Vec<u32>>,
    /// Requests of HTTP followed.
    requests: usize,
    /// The statuses of those that were answered, by the packet that asks.
    said: Vec<(PacketId, u16)>,
    datagrams: datagrams::Datagrams,
    attempts: Attempts,
    /// Who judges, when attempts are what is asked for.
    judge: Option<Judge<'e>>,
    /// Where threads and ties are noted, when these are what is asked for.
    recorder: Option<Recorder>,
}

/// A connection that goes on.
#[derive(Default)]
struct Live {
    talk: Talk,
    requests: Vec<Request>,
    /// The first request without a response: responses come in order (RFC 9112 §9.3.2).
    open: usize,
}

/// What is worked out of the evidence once, when first asked for.
#[derive(Default)]
struct Insight {
    attempts: OnceLock<Arc<Attempts>>,
    places: OnceLock<Places>,
    ties: OnceLock<Ties>,
}

fn insight(evidence: &Evidence) -> &Insight {
    static NOTHING: LazyLock<Insight> = LazyLock::new(Insight::default);
    evidence.insight().unwrap_or(&NOTHING)
}

/// Works out the ties of a capture.
fn tie(evidence: &Evidence) -> Ties {
    let mut follower = Follower::new(evidence.index(), evidence);
    follower.recorder = Some(Recorder::default());
    follower.walk(evidence.index());
    follower.recorder.map(Recorder::finish).unwrap_or_default()
}

impl Attempts {
    /// All attempts of a capture, followed when first asked for. Threads that work for one pool must not be the first to ask,
    /// since they would wait for one another.
    pub fn of(evidence: &Evidence) -> &Self {
        Self::kept(evidence)
    }

    /// The same, to keep.
    pub fn shared(evidence: &Evidence) -> Arc<Self> {
        Arc::clone(Self::kept(evidence))
    }

    fn kept(evidence: &Evidence) -> &Arc<Self> {
        insight(evidence).attempts.get_or_init(|| {
            let told = errors(evidence.index(), evidence);
            let mut follower = Follower::new(evidence.index(), evidence);
            follower.datagrams.refused =
                told.iter().filter(|told| told.flow.2 == 17).map(|told| (told.flow.0, told.flow.1)).collect();
            follower.judge = Some(Judge::new(evidence, &told));
            follower.walk(evidence.index());
            let attempts = follower.finish();
            // Lookups are followed by correlation; what asks nothing is no lookup.
            let (unasked, all) = attempts.all.into_iter().partition(|own| own.is_dns(evidence.index()));
            Arc::new(Self { all, unasked, told, ..attempts })
        })
    }

    /// Works out what is otherwise made when first asked for.
    pub fn prepare(evidence: &Evidence) {
        Places::of(evidence);
        Ties::of(evidence);
    }

    /// What is kept of what carried an attempt, for those over TCP.
    pub fn carried(&self, attempt: &Attempt) -> Option<&Carried> {
        self.carried.get(attempt.thread.as_connection()? as usize)
    }

    /// Who ended an attempt: whose packet decided it.
    pub fn ended(index: &Index, attempt: &Attempt) -> Ended {
        let Some(packet) = attempt.decided.and_then(|seen| index.packet(seen.packet)) else {
            return Ended::CaptureEnd;
        };
        let is_error = packet.flags() & flags::ICMP_ERROR != 0;
        match packet.source_address() {
            _ if attempt.outcome == Outcome::ResetByDevice => Ended::Device,
            source if source == attempt.client.0 && !is_error => Ended::Client,
            source if source != attempt.service.host && is_error => Ended::Device,
            _ => Ended::Server,
        }
    }

    /// Whether a transfer whose receiver paused went on to its end, or as long as it was watched.
    pub fn went_on(&self, attempt: &Attempt) -> bool {
        let Outcome::Stalled { by_client, .. } = attempt.outcome else { return false };
        let (Some(carried), Some(own)) = (self.carried(attempt), self.connection(attempt)) else {
            return false;
        };
        let went_on = carried.rough.as_ref().is_some_and(|rough| rough.went_on(by_client));
        went_on && own.reset().is_none_or(|reset| own.from_server.finished.is_some_and(|end| end <= reset))
    }

    /// Its connection.
    pub fn connection(&self, attempt: &Attempt) -> Option<&Connection> {
        self.connections.get(attempt.thread.as_connection()? as usize)
    }
}

impl<'e> Follower<'e> {
    fn new(index: &Index, evidence: &'e Evidence) -> Self {
        let vantages = Vantages::of(index, evidence);
        let connections = Connections::follow(index, Scope::All, &|packet| vantages.leaves_out(packet));
        let notes = connections.note().into_iter().collect();
        let left_out = connections.left_out();
        let mut connections = connections.into_all();
        // Packets are followed in the order of their ids, whatever the order of several files in time.
        connections.sort_unstable_by_key(|own| own.first.packet);
        let carried = vec![Carried::default(); connections.len()];
        Self {
            evidence,
            vantages,
            begun: 0,
            table: HashMap::new(),
            live: HashMap::new(),
            hosts: HashMap::new(),
            requests: 0,
            said: Vec::new(),
            datagrams: datagrams::Datagrams::default(),
            attempts: Attempts { connections, carried, left_out, notes, ..Attempts::default() },
            judge: None,
            recorder: None,
        }
    }

    fn walk(&mut self, index: &Index) {
        for segment in index.segments() {
            if let Some(recorder) = &mut self.recorder {
                recorder.enter(segment.base, segment.len());
            }
            for (row, transport) in segment.transport.iter().enumerate() {
                if !matches!(transport, 1 | 6 | 17 | 58) {
                    continue;
                }
                let bits = segment.flags.get(row).copied().unwrap_or_default();
                let id = PacketId(segment.base.0 + row as u32);
                let is_dns = bits & (flags::DNS_QUERY | flags::DNS_RESPONSE) != 0;
                if bits & flags::ICMP_ERROR != 0 || is_dns && *transport != 6 {
                    continue;
                }
                let Some(packet) = index.packet(id).filter(|_| !self.vantages.leaves_out(id)) else {
                    continue;
                };
                match transport {
                    6 => self.stream(&packet),
                    1 | 58 if self.evidence.is_probe(&packet) => {}
                    // What follows a first fragment has no header of its own.
                    17 if bits & flags::FRAGMENT != 0 && !begins(&packet) => {}
                    _ => self.datagrams.note(&packet, &mut self.recorder),
                }
            }
        }
    }

    fn stream(&mut self, packet: &Packet<'_>) {
        let from = (packet.source_address(), packet.source_port());
        let to = (packet.destination_address(), packet.destination_port());
        if let Some(own) = self.attempts.connections.get(self.begun)
            && own.first.packet == packet.id
        {
            let at = self.begun as u32;
            self.begun += 1;
            self.table.remove(&(own.server, own.client));
            self.table.insert((own.client, own.server), at);
            if packet.is_text() {
                self.hosts.entry((own.client.0, own.server.0)).or_default().push(at);
            }
        }
        let own = self.table.get(&(from, to)).map(|at| (*at, true));
        let known = own.or_else(|| self.table.get(&(to, from)).map(|at| (*at, false)));
        let decoded = packet.decode();
        let payload = decoded.payload();
        let printed = printed::of(packet);
        let known = match printed {
            Some(printed) if (from.1, to.1) == (0, 0) => self.between((from.0, to.0), packet.id, &printed),
            _ => known,
        };
        if matches!(payload, [23, 3, 0..=4, ..]) {
            self.attempts.encrypted.note(packet.id);
        }
        let Some((at, by_client)) = known else { return };
        let (sequence, acknowledgment, flags, window) = match decoded.transport {
            Transport::Tcp { sequence, acknowledgment, flags, window, .. } => {
                (sequence, acknowledgment, flags, window)
            }
            // A row of what is carried.
            _ if printed.is_some() => (0, 0, 0, u16::MAX),
            _ => return,
        };
        let Some(own) = self.attempts.connections.get(at as usize) else { return };
        let is_last = own.last.packet == packet.id;
        // Who only sends SYNs carries nothing: a flood has millions of them.
        if self.recorder.is_none() && !own.is_accepted() && own.is_opened_here() {
            if is_last {
                self.table.remove(&(own.client, own.server));
            }
            return;
        }
        let live = self.live.entry(at).or_default();
        let talk = &mut live.talk;
        let headers = decoded.payload_start.saturating_sub(decoded.network_start);
        let stated = decoded.ip_length.saturating_sub(headers);
        let seen = Seen { packet: packet.id, time_ns: packet.time_ns() };
        let segment = Segment {
            seen,
            sequence,
            acknowledgment,
            flags,
            window,
            // Segmentation offload states no length.
            length: match printed {
                Some(printed) => printed.length,
                None if decoded.ip_length == 0 => payload.len() as u32,
                None => stated,
            },
            payload,
            ttl: packet.ttl(),
            port: own.server.1,
            printed,
        };
        let repeats = talk.request.repeats + talk.answer.repeats;
        let begins = talk.take(&segment, by_client);
        if let Some(recorder) = &mut self.recorder {
            let reason = talk.answers_by(own.server.1);
            let repeats = talk.request.repeats + talk.answer.repeats > repeats;
            recorder.segment(at, by_client, &segment, repeats, reason);
        }
        match begins {
            Begins::Request if self.requests < REQUESTS_MAX => {
                self.requests += 1;
                live.requests.push(Request { first: seen, last: seen, answer: None });
            }
            Begins::More => {
                if let Some(request) = live.requests.last_mut() {
                    request.last = seen;
                }
            }
            Begins::Response(status) => {
                if let Some(request) = live.requests.get_mut(live.open) {
                    live.open += 1;
                    request.answer = Some((seen, status));
                    if let Some(recorder) = &mut self.recorder {
                        recorder.answer(seen.packet, request.first.packet, Reason::InTurn);
                    }
                }
            }
            _ => {}
        }
        if is_last {
            self.end(at);
        }
    }

    /// Judges a connection of which everything has been read, and keeps little of it.
    fn end(&mut self, at: u32) {
        let Some(own) = self.attempts.connections.get(at as usize) else { return };
        self.table.remove(&(own.client, own.server));
        let live = self.live.remove(&at).unwrap_or_default();
        let carries = own.is_accepted() || !own.is_opened_here();
        if let Some(judge) = self.judge.as_ref().filter(|_| carries) {
            judge.connection(at, own, &live.talk, &live.requests, &mut self.attempts.all);
            let answered =
                live.requests.iter().filter_map(|asked| Some((asked.first.packet, asked.answer?.1)));
            self.said.extend(answered);
        }
        if let Some(slot) = self.attempts.carried.get_mut(at as usize) {
            *slot = live.talk.carried();
        }
    }

    /// The connection that a row without ports belongs to, where only one between its hosts goes on; whether the client sent it.
    /// Of several none can be judged by what it lacks.
    fn between(
        &mut self,
        (from, to): (Address, Address),
        packet: PacketId,
        printed: &printed::Printed<'_>,
    ) -> Option<(u32, bool)> {
        if !printed.has_data {
            return None;
        }
        let connections = &self.attempts.connections;
        let open = |ends: (Address, Address)| {
            let all = self.hosts.get(&ends).map(Vec::as_slice).unwrap_or_default();
            let newest = all.iter().rev().take(OPEN_MAX);
            newest.filter(|at| connections.get(**at as usize).is_some_and(|own| own.last.packet > packet))
        };
        let found: Vec<(u32, bool)> =
            open((from, to)).map(|at| (*at, true)).chain(open((to, from)).map(|at| (*at, false))).collect();
        if let [one] = found.as_slice() {
            return Some(*one);
        }
        for (at, _) in found {
            self.live.entry(at).or_default().talk.is_partial = true;
        }
        None
    }

    fn finish(mut self) -> Attempts {
        // What goes on at the end, and what nobody accepted.
        let mut open: Vec<u32> = self.live.keys().copied().collect();
        open.sort_unstable();
        for at in open {
            self.end(at);
        }
        let index = self.evidence.index();
        let Self { mut attempts, judge, mut datagrams, said, .. } = self;
        datagrams.match_strays();
        for own in attempts.connections.iter().filter(|own| !own.is_opened_here()) {
            let unseen =
                if prints_no_flags(index, own) { &mut attempts.unprinted } else { &mut attempts.strangers };
            unseen.note(own.first.packet);
        }
        attempts.one_way = std::mem::take(&mut datagrams.one_way);
        attempts.finished = datagrams.finished();
        attempts.notices = std::mem::take(&mut datagrams.notices);
        let left_out = datagrams.left_out + datagrams.leases.left_out;
        attempts.left_out += left_out;
        if left_out > 0 {
            let note = format!("{left_out} requests over UDP beyond a limit were not followed");
            attempts.notes.push(note);
        }
        if let Some(judge) = judge {
            let rest = Rest {
                connections: &attempts.connections,
                exchanges: &datagrams.all,
                leases: &datagrams.leases.all,
                said,
            };
            attempts.receivers = judge.close(rest, &mut attempts.all);
        }
        attempts.all.sort_by_key(|own| (own.first.packet, own.asks));
        attempts.all.shrink_to_fit();
        attempts.leases = datagrams.leases.all;
        attempts
    }
}

/// Whether a fragment begins a datagram.
fn begins(packet: &Packet<'_>) -> bool {
    matches!(packet.decode().transport, Transport::Udp { .. })
}

/// Connections between two hosts that are looked at for a row without ports, the newest first.
const OPEN_MAX: usize = 64;
/// The ICMP errors about something else than DNS lookups.
fn errors(index: &Index, evidence: &Evidence) -> Vec<Told> {
    let mut told = Vec::new();
    for row in index.icmp_rows().filter(|row| !evidence.is_duplicate(row.packet)).take(ERRORS_MAX) {
        let Some(packet) = index.packet(row.packet) else { continue };
        let links = evidence.links_from(row.packet);
        let about = links.into_iter().find(|link| link.kind == LinkKind::ErrorAbout).and_then(|link| link.to);
        if about.is_some_and(|about| evidence.transaction_of(about).is_some()) {
            continue;
        }
        let decoded = packet.decode();
        let quote = Quote::read(&decoded);
        let quoted = quote.as_ref().map(|quote| {
            let (from, to) = quote.inner.ports().unwrap_or((0, 0));
            ((quote.inner.source, from), (quote.inner.destination, to), quote.inner.ip_protocol)
        });
        let original = about.and_then(|about| index.packet(about));
        let linked = original.map(|about| {
            let from = (about.source_address(), about.source_port());
            (from, (about.destination_address(), about.destination_port()), about.transport())
        });
        let printed = || {
            let icmp = packet.printed()?.icmp?;
            let to = (icmp.quoted?.address, icmp.quoted_port.unwrap_or(0));
            Some(((packet.destination_address(), 0), to, icmp.quoted_protocol.unwrap_or(0)))
        };
        let Some(mut flow) = linked.or(quoted).or_else(printed) else { continue };
        if matches!(flow.2, 1 | 58) {
            if original.is_some_and(|about| evidence.is_probe(&about)) {
                continue;
            }
            // Where ports would stand, ICMP has its type and code; an identifier tells whose pings they are.
            let id = match original {
                // Lines are told by their hosts alone.
                Some(about) if about.is_text() => 0,
                Some(about) => datagrams::identifier(&about.decode()),
                None => quote.map_or(0, |quote| datagrams::identifier(&quote.inner)),
            };
            (flow.0.1, flow.1.1) = (id, 0);
        }
        told.push(Told {
            seen: Seen { packet: row.packet, time_ns: packet.time_ns() },
            source: packet.source_address(),
            icmp: (row.v6, row.kind, row.code),
            about,
            flow,
        });
    }
    told
}

/// Whether a connection is known from lines that print no flags of TCP (every segment has some): how it began and ended they do not
/// say.
fn prints_no_flags(index: &Index, own: &Connection) -> bool {
    let bare = |packet: PacketId| {
        let packet = index.packet(packet)?;
        Some(packet.is_text() && packet.segment.tcp_flags.get(packet.row) == Some(&0))
    };
    !own.is_over() && [own.first.packet, own.last.packet].into_iter().all(|packet| bare(packet) == Some(true))
}

/// Whether a client printed without flags sends nothing but empty segments for so long and hears nothing. Where others are heard, these
/// can be no others than those that open a connection, sent again.
fn is_unheard(index: &Index, own: &Connection, watch_ns: Nanos) -> bool {
    prints_no_flags(index, own)
        && !own.hears_server()
        && own.from_client.first.is_none()
        && own.last.time_ns - own.first.time_ns >= watch_ns
}

/// Whether an address names one host: no group, and neither all hosts nor none.
pub fn is_host(address: Address) -> bool {
    match address.ip() {
        Some(IpAddr::V4(v4)) => {
            !v4.is_multicast() && !v4.is_broadcast() && !v4.is_unspecified() && v4.octets()[3] != u8::MAX
        }
        Some(IpAddr::V6(v6)) => !v6.is_multicast() && !v6.is_unspecified(),
        None => address.is_host(),
    }
}
