//! Plays the office: visits, lookups with their retries, and the small talk of a network.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::link::Mac;
use super::super::packet::{Arp, Packet, Segment, arp, flags};
use super::super::{Random, dns, payload};
use super::hosts::{self, Client, Identifications, Stub};
use super::{Fault, Office, TimedFrame};

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

/// Linux sends this many errors to one destination at once, then one a second (`icmp_ratelimit`).
const ERROR_BURST: i64 = 6;

/// The state while the office is played.
pub(super) struct Traffic<'o> {
    office: &'o Office,
    random: Random,
    clients: Vec<Client>,
    ids: Identifications,
    frames: Vec<TimedFrame>,
    /// Errors a server may still send to a client, and when that was counted.
    buckets: HashMap<(IpAddr, IpAddr), (i64, i64)>,
}

/// One question of one client.
#[derive(Clone, Copy)]
struct Question<'n> {
    client: Client,
    name: &'n str,
    qtype: u16,
    id: u16,
}

/// How one try ended.
enum Reply {
    Answered(i64),
    Refused(i64),
    Nothing,
}

/// Both ends of a connection.
#[derive(Clone, Copy)]
struct Connection {
    client: Client,
    local: SocketAddr,
    remote: SocketAddr,
    round_trip_ns: i64,
}

impl<'o> Traffic<'o> {
    pub(super) fn new(office: &'o Office, random: Random) -> Self {
        Self {
            office,
            random,
            clients: hosts::clients(office.clients),
            ids: Identifications::default(),
            frames: Vec::new(),
            buckets: HashMap::new(),
        }
    }

    pub(super) fn run(mut self) -> Vec<TimedFrame> {
        let length_ns = i64::from(self.office.seconds) * SECOND;
        self.small_talk(length_ns);
        let visits = u64::from(self.office.visits_per_minute) * u64::from(self.office.seconds) / 60;
        let mut starts: Vec<i64> =
            (0..visits).map(|_| self.random.below(length_ns.cast_unsigned()).cast_signed()).collect();
        starts.sort_unstable();
        for start in starts {
            self.visit(self.office.start_ns + start / MICROSECOND * MICROSECOND);
        }
        let end_ns = self.office.start_ns + length_ns;
        self.frames.retain(|(time_ns, _)| *time_ns < end_ns);
        self.frames
    }

    /// A client opens a page: it looks the name up and, if that works, connects.
    fn visit(&mut self, at: i64) {
        let Some(client) = self.random.pick(&self.clients.clone()).copied() else { return };
        let popular = self.random.popular(hosts::NAMES.len() as u64) as usize;
        let Some(&name) = hosts::NAMES.get(popular) else { return };
        if self.random.chance(4) {
            // A name that does not exist: a search suffix put after a good name.
            let wrong = format!("{name}.office.example");
            self.lookup(at, client, &wrong);
            return;
        }
        let Some(ready) = self.lookup(at, client, name) else {
            self.after_failure(at, client, name);
            return;
        };
        let (v4, v6) = hosts::addresses(name);
        let plain = self.random.chance(12);
        let port = if plain { 80 } else { 443 };
        let (from, to) = match client.address6 {
            Some(address6) if self.random.chance(40) => (address6, IpAddr::V6(v6)),
            _ => (client.address, IpAddr::V4(v4)),
        };
        let connection = Connection {
            client,
            local: SocketAddr::new(from, self.port()),
            remote: SocketAddr::new(to, port),
            round_trip_ns: self.jitter(8, 40),
        };
        let opened = ready + self.jitter(0, 3);
        self.page(opened, connection, name, plain);
    }

    /// Asks for the addresses of a name as the client's library does; gives the time of the address.
    fn lookup(&mut self, at: i64, client: Client, name: &str) -> Option<i64> {
        let mut types = vec![dns::A];
        if client.address6.is_some() || client.stub == Stub::Windows {
            types.push(dns::AAAA);
        }
        if client.stub == Stub::Windows && self.random.chance(30) {
            types.push(dns::HTTPS);
        }
        let mut ready = None;
        for (position, qtype) in types.into_iter().enumerate() {
            let question = Question { client, name, qtype, id: self.random.word() };
            let done = self.transaction(at + position as i64 * 90 * MICROSECOND, question);
            ready = ready.max(done);
        }
        ready.filter(|_| hosts::NAMES.contains(&name))
    }

    /// One question with its retries; gives the time of the answer.
    fn transaction(&mut self, at: i64, question: Question<'_>) -> Option<i64> {
        let (first, second) = (super::PRIMARY, super::SECONDARY);
        let plan: &[(IpAddr, i64)] = match question.client.stub {
            Stub::Glibc => &[(first, 5_000), (second, 5_000), (first, 5_000), (second, 5_000)],
            Stub::Windows => &[(first, 1_000), (second, 1_000), (first, 2_000), (second, 4_000)],
            Stub::Single => &[(first, 5_000), (first, 5_000), (first, 5_000)],
        };
        let mut now = at;
        let mut port = self.port();
        let mut question = question;
        for &(server, patience_ms) in plan {
            match self.attempt(now, question, server, port) {
                Reply::Answered(done) => return Some(done),
                Reply::Refused(told) => {
                    port = self.port();
                    now = match question.client.stub {
                        Stub::Glibc => told + self.jitter_us(20, 120),
                        Stub::Windows => told + self.jitter(1, 30),
                        Stub::Single => {
                            question.id = self.random.word();
                            told + self.jitter(2_000, 6_000)
                        }
                    };
                }
                Reply::Nothing => now += patience_ms * MILLISECOND + self.jitter_us(300, 4_000),
            }
        }
        None
    }

    /// One query to one server and what comes back.
    fn attempt(&mut self, at: i64, question: Question<'_>, server: IpAddr, port: u16) -> Reply {
        let client = question.client;
        let mut message = dns::Message::query(question.id, question.name, question.qtype);
        if client.stub == Stub::Glibc {
            message = message.edns(1232);
        }
        let local = SocketAddr::new(client.address, port);
        let remote = SocketAddr::new(server, 53);
        let id = self.ids.next(client.address, &mut self.random);
        let query = Packet::udp(local, remote, &message.bytes()).id(id).ttl(client.ttl);
        self.outgoing(at, client, &query);
        match self.office.fault_at(server, at) {
            None if self.random.below(1000) < 4 => Reply::Nothing,
            None => {
                let wait = self.jitter(2, 5) + if self.random.chance(25) { self.jitter(15, 120) } else { 0 };
                self.respond(at + wait, question, remote, local, None)
            }
            Some(Fault::Late(wait_ms)) => {
                self.respond(at + i64::from(wait_ms) * MILLISECOND, question, remote, local, None);
                Reply::Nothing
            }
            Some(Fault::ServerFailure) => {
                let wait = self.jitter(20, 900);
                self.respond(at + wait, question, remote, local, Some(dns::SERVER_FAILURE));
                Reply::Refused(at + wait)
            }
            Some(Fault::SilentDrop) => Reply::Nothing,
            Some(Fault::ServiceStopped) => {
                let hops = 64 - hosts::arriving_ttl(server);
                let about = query.after_hops(hops);
                let wait = self.jitter(2, 4);
                self.refuse(at + wait, client, &Packet::port_unreachable(&about).ttl(64 - hops))
            }
            Some(Fault::Prohibited) => {
                let wait = self.jitter_us(150, 600);
                let error = Packet::error_about(super::GATEWAY, 3, 13, &query);
                self.refuse(at + wait, client, &error)
            }
            Some(Fault::HostUnreachable) => self.host_unreachable(at, client, &query),
        }
    }

    fn respond(
        &mut self,
        at: i64,
        question: Question<'_>,
        server: SocketAddr,
        client: SocketAddr,
        failure: Option<u8>,
    ) -> Reply {
        let message = Self::answer_to(question, failure);
        let id = self.ids.next(server.ip(), &mut self.random);
        let packet =
            Packet::udp(server, client, &message.bytes()).id(id).ttl(hosts::arriving_ttl(server.ip()));
        self.incoming(at, question.client, &packet);
        Reply::Answered(at)
    }

    fn answer_to(question: Question<'_>, failure: Option<u8>) -> dns::Message {
        let Question { name, qtype, id, client } = question;
        if let Some(code) = failure {
            return dns::Message::response(id, name, qtype, code)
                .extended_error(22, "at delegation office.example");
        }
        let exists = hosts::NAMES.contains(&name);
        let code = if exists { dns::NO_ERROR } else { dns::NAME_ERROR };
        let mut message = dns::Message::response(id, name, qtype, code);
        let (v4, v6) = hosts::addresses(name);
        let zone = name.split_once('.').map_or(name, |(_, zone)| zone);
        message = match qtype {
            dns::A if exists && name.starts_with("cdn") => {
                message.answer(dns::Data::Cname(format!("edge.{zone}"))).answer(dns::Data::A(v4))
            }
            dns::A if exists => message.answer(dns::Data::A(v4)),
            dns::AAAA if exists => message.answer(dns::Data::Aaaa(v6)),
            _ => message.authority(zone),
        };
        if client.stub == Stub::Glibc { message.edns(1232) } else { message }
    }

    /// Sends an ICMP error if the sender's rate limit lets it.
    fn refuse(&mut self, at: i64, client: Client, error: &Packet) -> Reply {
        if !self.may_report(error.source(), client.address, at) {
            return Reply::Nothing;
        }
        let id = self.ids.next(error.source(), &mut self.random);
        let error = error.clone().id(id);
        self.incoming(at, client, &error);
        Reply::Refused(at)
    }

    fn host_unreachable(&mut self, at: i64, client: Client, query: &Packet) -> Reply {
        let IpAddr::V4(target) = query.destination() else { return Reply::Nothing };
        for second in 0..3 {
            let request = Arp {
                operation: 1,
                sender_mac: hosts::GATEWAY_MAC,
                sender: Ipv4Addr::new(203, 0, 113, 1),
                target_mac: [0; 6],
                target,
            };
            self.frames.push((at + 200 * MICROSECOND + second * SECOND, arp(&request)));
        }
        let error = Packet::error_about(super::GATEWAY, 3, 1, &query.clone().after_hops(1));
        let told = at + 3_050 * MILLISECOND + self.jitter_us(0, 900);
        // Linux does not hand host unreachable to a UDP socket: the client waits for its timeout.
        self.refuse(told, client, &error);
        Reply::Nothing
    }

    /// A token bucket for each pair of hosts, as Linux limits ICMP errors.
    fn may_report(&mut self, reporter: IpAddr, to: IpAddr, at: i64) -> bool {
        let (tokens, since) = self.buckets.entry((reporter, to)).or_insert((ERROR_BURST, at));
        let earned = (at - *since).max(0) / SECOND;
        *tokens = (*tokens + earned).min(ERROR_BURST);
        *since += earned * SECOND;
        if *tokens == 0 {
            return false;
        }
        *tokens -= 1;
        true
    }

    /// What a client does when no server helped: some try TCP.
    fn after_failure(&mut self, at: i64, client: Client, name: &str) {
        if !self.random.chance(60) {
            return;
        }
        let server = super::PRIMARY;
        let connection = Connection {
            client,
            local: SocketAddr::new(client.address, self.port()),
            remote: SocketAddr::new(server, 53),
            round_trip_ns: self.jitter(2, 5),
        };
        let sequence = self.random.bits() as u32;
        // The last of the client's own tries lies some seconds back by now.
        let at = at + self.jitter(9_000, 14_000);
        self.segment(at, connection, true, Segment { sequence, acknowledgment: 0, flags: flags::SYN }, &[]);
        match self.office.fault_at(server, at) {
            Some(Fault::ServiceStopped) => {
                let reset = Segment {
                    sequence: 0,
                    acknowledgment: sequence.wrapping_add(1),
                    flags: flags::RST | flags::ACK,
                };
                self.segment(at + connection.round_trip_ns, connection, false, reset, &[]);
            }
            None => self.lookup_over_tcp(at, connection, sequence, name),
            Some(_) => {}
        }
    }

    fn lookup_over_tcp(&mut self, at: i64, connection: Connection, sequence: u32, name: &str) {
        let question = Question { client: connection.client, name, qtype: dns::A, id: self.random.word() };
        let query = dns::over_tcp(&dns::query(question.id, name, question.qtype));
        let answer = dns::over_tcp(&Self::answer_to(question, None).bytes());
        let talk = [(true, query), (false, answer)];
        self.conversation(at, connection, sequence, &talk);
    }

    /// A page over TLS or plain HTTP.
    fn page(&mut self, at: i64, connection: Connection, name: &str, plain: bool) {
        let sequence = self.random.bits() as u32;
        self.segment(at, connection, true, Segment { sequence, acknowledgment: 0, flags: flags::SYN }, &[]);
        let size = self.random.between(200, 1_300) as usize;
        let mut talk = if plain {
            vec![(true, payload::http_request(name, "/")), (false, payload::http_response(size))]
        } else {
            let finished = payload::tls_record(23, 64, &mut self.random);
            let request = payload::tls_record(23, size / 3, &mut self.random);
            vec![
                (true, payload::client_hello(name, &mut self.random)),
                (false, payload::tls_record(22, size, &mut self.random)),
                (true, finished),
                (true, request),
            ]
        };
        for _ in 0..self.random.between(1, 5) {
            let size = self.random.between(400, 1_400) as usize;
            talk.push((false, payload::tls_record(23, size, &mut self.random)));
        }
        self.conversation(at, connection, sequence, &talk);
    }

    /// Everything after the SYN: handshake, messages with acknowledgments, and the end.
    fn conversation(&mut self, at: i64, connection: Connection, sequence: u32, talk: &[(bool, Vec<u8>)]) {
        let mut ours = sequence.wrapping_add(1);
        let mut theirs = self.random.bits() as u32;
        let mut now = at + connection.round_trip_ns;
        let opened = Segment { sequence: theirs, acknowledgment: ours, flags: flags::SYN | flags::ACK };
        self.segment(now, connection, false, opened, &[]);
        theirs = theirs.wrapping_add(1);
        now += self.jitter_us(30, 200);
        let acknowledge = Segment { sequence: ours, acknowledgment: theirs, flags: flags::ACK };
        self.segment(now, connection, true, acknowledge, &[]);
        let mut ours_before = true;
        for (from_client, bytes) in talk {
            now +=
                if *from_client == ours_before { self.jitter_us(80, 900) } else { connection.round_trip_ns };
            ours_before = *from_client;
            let (sequence, acknowledgment) = if *from_client { (ours, theirs) } else { (theirs, ours) };
            let data = Segment { sequence, acknowledgment, flags: flags::PSH | flags::ACK };
            self.segment(now, connection, *from_client, data, bytes);
            if *from_client {
                ours = ours.wrapping_add(bytes.len() as u32);
            } else {
                theirs = theirs.wrapping_add(bytes.len() as u32);
                now += self.jitter_us(20, 90);
                let seen = Segment { sequence: ours, acknowledgment: theirs, flags: flags::ACK };
                self.segment(now, connection, true, seen, &[]);
            }
        }
        now += self.jitter(5, 400);
        let fin = flags::FIN | flags::ACK;
        self.segment(
            now,
            connection,
            true,
            Segment { sequence: ours, acknowledgment: theirs, flags: fin },
            &[],
        );
        now += connection.round_trip_ns;
        ours = ours.wrapping_add(1);
        self.segment(
            now,
            connection,
            false,
            Segment { sequence: theirs, acknowledgment: ours, flags: fin },
            &[],
        );
        now += self.jitter_us(20, 90);
        let last = Segment { sequence: ours, acknowledgment: theirs.wrapping_add(1), flags: flags::ACK };
        self.segment(now, connection, true, last, &[]);
    }

    fn segment(&mut self, at: i64, connection: Connection, ours: bool, segment: Segment, bytes: &[u8]) {
        let Connection { client, local, remote, .. } = connection;
        let (from, to, ttl) = if ours {
            (local, remote, client.ttl)
        } else {
            (remote, local, hosts::arriving_ttl(remote.ip()))
        };
        let id = self.ids.next(from.ip(), &mut self.random);
        let packet = Packet::tcp(from, to, segment, bytes).id(id).ttl(ttl);
        if ours {
            self.outgoing(at, client, &packet);
        } else {
            self.incoming(at, client, &packet);
        }
    }

    /// ARP, NTP, pings of the first resolver, and a traceroute that someone left running.
    fn small_talk(&mut self, length_ns: i64) {
        let start = self.office.start_ns;
        for client in self.clients.clone() {
            let mut at = self.jitter(0, 40_000);
            while at < length_ns {
                self.neighbour(start + at, client);
                at += self.jitter(30_000, 75_000);
            }
            let mut at = self.jitter(0, 60_000);
            while at < length_ns {
                self.set_clock(start + at, client);
                at += 64 * SECOND + self.jitter(0, 800);
            }
        }
        let monitor = Self::monitor();
        let echo_id = self.random.word();
        for sequence in 0..length_ns / (10 * SECOND) {
            let at = start + sequence * 10 * SECOND + self.jitter_us(500, 1_500);
            self.ping(at, monitor, echo_id, sequence as u16 + 1);
        }
        let at = start + length_ns / 5;
        for hop in 1..=3u8 {
            self.probe(at + i64::from(hop) * 210 * MILLISECOND, monitor, hop);
        }
    }

    fn monitor() -> Client {
        Client {
            address: hosts::MONITOR,
            address6: None,
            mac: [0x02, 0x00, 0x5e, 0x10, 0x02, 20],
            stub: Stub::Glibc,
            ttl: 64,
        }
    }

    fn neighbour(&mut self, at: i64, client: Client) {
        let (IpAddr::V4(sender), IpAddr::V4(target)) = (client.address, super::GATEWAY) else { return };
        let request = Arp { operation: 1, sender_mac: client.mac, sender, target_mac: [0; 6], target };
        self.frames.push((at, arp(&request)));
        let reply = Arp {
            operation: 2,
            sender_mac: hosts::GATEWAY_MAC,
            sender: target,
            target_mac: client.mac,
            target: sender,
        };
        let wait = self.jitter_us(120, 500);
        self.frames.push((at + wait, arp(&reply)));
    }

    fn set_clock(&mut self, at: i64, client: Client) {
        let local = SocketAddr::new(client.address, 123);
        let remote = SocketAddr::new(hosts::TIME_SERVER, 123);
        let id = self.ids.next(client.address, &mut self.random);
        let request = Packet::udp(local, remote, &payload::ntp(false)).id(id).ttl(client.ttl);
        self.outgoing(at, client, &request);
        let id = self.ids.next(hosts::TIME_SERVER, &mut self.random);
        let ttl = hosts::arriving_ttl(hosts::TIME_SERVER);
        let reply = Packet::udp(remote, local, &payload::ntp(true)).id(id).ttl(ttl);
        let wait = self.jitter(6, 12);
        self.incoming(at + wait, client, &reply);
    }

    fn ping(&mut self, at: i64, from: Client, id: u16, sequence: u16) {
        let server = super::PRIMARY;
        let number = self.ids.next(from.address, &mut self.random);
        let request = Packet::echo(from.address, server, false, id, sequence).id(number).dont_fragment();
        self.outgoing(at, from, &request);
        if matches!(self.office.fault_at(server, at), Some(Fault::HostUnreachable)) {
            return;
        }
        let number = self.ids.next(server, &mut self.random);
        let reply = Packet::echo(server, from.address, true, id, sequence)
            .id(number)
            .ttl(hosts::arriving_ttl(server));
        let wait = self.jitter(2, 4);
        self.incoming(at + wait, from, &reply);
    }

    fn probe(&mut self, at: i64, from: Client, hop: u8) {
        let local = SocketAddr::new(from.address, 41_234);
        let remote = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 33_434 + u16::from(hop));
        let id = self.ids.next(from.address, &mut self.random);
        let probe = Packet::udp(local, remote, &[0; 32]).id(id).ttl(hop);
        self.outgoing(at, from, &probe);
        let router = match hop {
            1 => super::GATEWAY,
            _ => IpAddr::V4(Ipv4Addr::new(198, 51, 100, hop)),
        };
        let id = self.ids.next(router, &mut self.random);
        let error = Packet::error_about(router, 11, 0, &probe.clone().ttl(1)).id(id).ttl(65 - hop);
        let wait = self.jitter(1, 3 * u64::from(hop));
        self.incoming(at + wait, from, &error);
    }

    fn outgoing(&mut self, at: i64, client: Client, packet: &Packet) {
        self.push(at, packet, client.mac, hosts::GATEWAY_MAC);
    }

    fn incoming(&mut self, at: i64, client: Client, packet: &Packet) {
        self.push(at, packet, hosts::GATEWAY_MAC, client.mac);
    }

    fn push(&mut self, at: i64, packet: &Packet, from: Mac, to: Mac) {
        self.frames.push((at, packet.ethernet_between(from, to)));
    }

    fn port(&mut self) -> u16 {
        self.random.between(32_768, 60_999) as u16
    }

    /// A random span between two numbers of milliseconds, with microseconds.
    fn jitter(&mut self, low_ms: u64, high_ms: u64) -> i64 {
        self.jitter_us(low_ms * 1_000, high_ms * 1_000)
    }

    fn jitter_us(&mut self, low_us: u64, high_us: u64) -> i64 {
        self.random.between(low_us, high_us).cast_signed() * MICROSECOND
    }
}
