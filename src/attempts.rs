//! What clients wanted of services, one thing each, and what became of it (services §1). DNS lookups are attempts as well;
//! they are followed by correlation.
//!
//! Every packet of TCP, UDP and ICMP that is no DNS message and no error is read once. An attempt is a TCP connection, a
//! request of HTTP on one, a request over UDP with its repeats, a run of pings, or a client's wish for a lease.

pub mod datagrams;
pub mod exchange;
pub mod http;
pub mod kind;
pub mod lease;
pub mod outcome;
pub mod printed;
pub mod reply;
pub mod stream;
pub mod subject;
pub mod tls;
mod verdict;

use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use crate::connections::{Connection, Connections, End, Scope, Seen};
use crate::correlate::{Evidence, LinkKind};
use crate::decode::{Address, Quote, Transport};
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId};
use crate::time::Nanos;
pub use kind::Kind;
pub use outcome::{Face, Outcome};
pub use reply::{Denial, Why};
use stream::{Begins, Segment, Talk};
use tls::Handshake;

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
    /// Its TCP connection in [`Attempts::connections`].
    pub connection: Option<u32>,
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
    /// Its connection.
    pub connection: u32,
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
    /// The TCP connections.
    pub connections: Vec<Connection>,
    /// What each of them carried, in the same order.
    pub talks: Vec<Talk>,
    /// The TLS handshakes that talks point to.
    pub handshakes: Vec<Handshake>,
    /// DHCP.
    pub leases: Vec<lease::Lease>,
    /// ICMP errors about something else than DNS.
    pub told: Vec<Told>,
    /// Hosts that anything was sent to in the capture.
    pub receivers: HashSet<Address>,
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
    /// What was left out, in words.
    pub notes: Vec<String>,
}

/// The columns of a capture's packets are walked in this order while attempts are followed.
struct Follower<'e> {
    evidence: &'e Evidence,
    /// The connection that begins with each packet.
    begun: HashMap<PacketId, u32>,
    /// The connection between two ends at the moment: ports are used again.
    table: HashMap<(End, End), u32>,
    /// The connections between two hosts that began in text, whose further rows may name no ports.
    hosts: HashMap<(Address, Address), Vec<u32>>,
    requests: Vec<Request>,
    /// The newest request of each connection.
    newest: HashMap<u32, u32>,
    datagrams: datagrams::Datagrams,
    attempts: Attempts,
}

impl Attempts {
    /// Follows all attempts of a capture.
    pub fn follow(index: &Index, evidence: &Evidence) -> Self {
        let connections = Connections::follow(index, Scope::All, &|packet| evidence.is_duplicate(packet));
        let notes = connections.note().into_iter().collect();
        let connections: Vec<Connection> = connections.iter().copied().collect();
        let begun = connections.iter().enumerate().map(|(at, own)| (own.first.packet, at as u32)).collect();
        let talks = vec![Talk::default(); connections.len()];
        let mut follower = Follower {
            evidence,
            begun,
            table: HashMap::new(),
            hosts: HashMap::new(),
            requests: Vec::new(),
            newest: HashMap::new(),
            datagrams: datagrams::Datagrams::default(),
            attempts: Self { connections, talks, notes, ..Self::default() },
        };
        follower.walk(index);
        follower.finish(index)
    }

    /// What an attempt carried, for those over TCP.
    pub fn talk(&self, attempt: &Attempt) -> Option<&Talk> {
        self.talks.get(attempt.connection? as usize)
    }

    /// Whether a transfer whose receiver paused went on to its end, or as long as it was watched.
    pub fn went_on(&self, attempt: &Attempt) -> bool {
        let Outcome::Stalled { by_client, .. } = attempt.outcome else { return false };
        let (Some(talk), Some(own)) = (self.talk(attempt), self.connection(attempt)) else { return false };
        let way = if by_client { &talk.answer } else { &talk.request };
        way.went_on()
            && own.reset().is_none_or(|reset| own.from_server.finished.is_some_and(|end| end <= reset))
    }

    /// Its TLS handshake.
    pub fn handshake(&self, attempt: &Attempt) -> Option<&Handshake> {
        self.handshakes.get(self.talk(attempt)?.handshake? as usize)
    }

    /// Its connection.
    pub fn connection(&self, attempt: &Attempt) -> Option<&Connection> {
        self.connections.get(attempt.connection? as usize)
    }
}

impl Follower<'_> {
    fn walk(&mut self, index: &Index) {
        for segment in index.segments() {
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
                let Some(packet) = index.packet(id).filter(|_| !self.evidence.is_duplicate(id)) else {
                    continue;
                };
                match transport {
                    6 => self.stream(&packet),
                    1 | 58 if self.evidence.is_probe(&packet) => {}
                    _ => self.datagrams.note(&packet),
                }
            }
        }
    }

    fn stream(&mut self, packet: &Packet<'_>) {
        let from = (packet.source_address(), packet.source_port());
        let to = (packet.destination_address(), packet.destination_port());
        if let Some(at) = self.begun.get(&packet.id)
            && let Some(own) = self.attempts.connections.get(*at as usize)
        {
            self.table.remove(&(own.server, own.client));
            self.table.insert((own.client, own.server), *at);
            if packet.is_text() {
                self.hosts.entry((own.client.0, own.server.0)).or_default().push(*at);
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
        let Some(talk) = self.attempts.talks.get_mut(at as usize) else { return };
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
            port: self.attempts.connections.get(at as usize).map_or(0, |own| own.server.1),
            printed,
        };
        match talk.take(&segment, by_client, &mut self.attempts.handshakes) {
            Begins::Request if self.requests.len() < REQUESTS_MAX => {
                self.newest.insert(at, self.requests.len() as u32);
                self.requests.push(Request { connection: at, first: seen, last: seen, answer: None });
            }
            Begins::More => {
                if let Some(request) = self.newest.get(&at).and_then(|at| self.requests.get_mut(*at as usize))
                {
                    request.last = seen;
                }
            }
            Begins::Response(status) => self.respond(at, seen, status),
            _ => {}
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
            if let Some(talk) = self.attempts.talks.get_mut(at as usize) {
                talk.is_partial = true;
            }
        }
        None
    }

    /// The nth final response answers the nth request (RFC 9112 §9.3.2).
    fn respond(&mut self, connection: u32, seen: Seen, status: u16) {
        let Some(newest) = self.newest.get(&connection).copied() else { return };
        let mut open = None;
        for at in (0..=newest).rev().take(PIPELINED_MAX) {
            match self.requests.get(at as usize) {
                Some(request) if request.connection != connection => {}
                Some(request) if request.answer.is_none() => open = Some(at),
                _ => break,
            }
        }
        if let Some(request) = open.and_then(|at| self.requests.get_mut(at as usize)) {
            request.answer = Some((seen, status));
        }
    }

    fn finish(mut self, index: &Index) -> Attempts {
        self.datagrams.match_strays();
        let told = errors(index, self.evidence);
        for own in self.attempts.connections.iter().filter(|own| !own.is_opened_here()) {
            let unseen = if prints_no_flags(index, own) {
                &mut self.attempts.unprinted
            } else {
                &mut self.attempts.strangers
            };
            unseen.note(own.first.packet);
        }
        self.attempts.one_way = std::mem::take(&mut self.datagrams.one_way);
        self.attempts.notices = std::mem::take(&mut self.datagrams.notices);
        let left_out = self.datagrams.left_out + self.datagrams.leases.left_out;
        if left_out > 0 {
            self.attempts
                .notes
                .push(format!("{left_out} requests over UDP beyond a limit were not followed"));
        }
        let (judged, receivers) = verdict::all(&verdict::Input {
            index,
            evidence: self.evidence,
            attempts: &self.attempts,
            requests: &self.requests,
            exchanges: &self.datagrams.all,
            leases: &self.datagrams.leases.all,
            told: &told,
        });
        self.attempts.receivers = receivers;
        self.attempts.all = judged;
        self.attempts.all.sort_by_key(|own| (own.first.packet, own.asks));
        self.attempts.leases = self.datagrams.leases.all;
        self.attempts.told = told;
        self.attempts
    }
}

/// Connections between two hosts that are looked at for a row without ports, the newest first.
const OPEN_MAX: usize = 64;
/// Requests of one connection that may wait for their responses at a time, and those of others between them.
const PIPELINED_MAX: usize = 256;

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
