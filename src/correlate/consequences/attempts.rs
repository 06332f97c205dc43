//! The connections a client tries after a failure, why they belong to the failed name, and how they end.

use super::requests;
use crate::correlate::{Evidence, LinkKind, encrypted};
use crate::decode::Address;
use crate::index::{Index, Packet, PacketId};
use crate::time::Nanos;

/// Connections followed at a time; the oldest that has nothing to do with the name makes room.
const ATTEMPTS_MAX: usize = 64;
/// Packets with data read in each direction of a connection.
const READ_MAX: u8 = 4;
/// Frames kept of one connection.
const FRAMES_MAX: usize = 4;

const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// Why a connection belongs to the name that failed, the most telling last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Its address stood in an answer before the failure.
    Cached,
    /// Its address stands in a later answer.
    Answered,
    /// The server's certificate is for the name.
    Certificate,
    /// The client named the host in its HTTP request.
    HttpHost,
    /// The client named the host in its TLS hello.
    ServerName,
}

/// How a connection began, as far as seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Something came back that accepts it.
    Accepted,
    /// Reset before it was accepted.
    Reset,
    /// A fatal TLS alert ended it.
    Alert,
    /// An ICMP error refused it.
    Icmp(u16, u16),
    /// Nothing came back.
    Silent,
    /// Nothing came back, and this capture cannot tell.
    Unknown,
}

impl Ending {
    /// In words, for the end of a sentence.
    pub fn words(self) -> String {
        match self {
            Self::Accepted => "accepted".to_owned(),
            Self::Reset => "refused by reset".to_owned(),
            Self::Alert => "ended by a TLS alert".to_owned(),
            Self::Icmp(kind, code) => format!("refused by ICMP {kind}/{code}"),
            Self::Silent => "no reply".to_owned(),
            Self::Unknown => "no reply seen, which this capture cannot judge".to_owned(),
        }
    }

    /// Whether the client got through; `None` when that cannot be told.
    pub fn success(self) -> Option<bool> {
        match self {
            Self::Accepted => Some(true),
            Self::Unknown => None,
            _ => Some(false),
        }
    }
}

/// One connection.
pub(super) struct Attempt {
    pub server: Address,
    pub port: u16,
    client_port: u16,
    /// QUIC, as far as its port tells.
    pub quic: bool,
    first_ns: Nanos,
    pub frames: Vec<PacketId>,
    pub why: Option<Why>,
    ending: Option<Ending>,
    looked: [u8; 2],
}

impl Attempt {
    fn note(&mut self, packet: PacketId) {
        if self.frames.len() < FRAMES_MAX && !self.frames.contains(&packet) {
            self.frames.push(packet);
        }
    }

    fn because(&mut self, why: Why, packet: PacketId) {
        if self.why < Some(why) {
            self.why = Some(why);
            self.note(packet);
        }
    }

    /// How it ended.
    pub fn ending(&self, index: &Index, evidence: &Evidence) -> Ending {
        if let Some(ending) = self.ending {
            return ending;
        }
        let errors = self.frames.iter().flat_map(|frame| evidence.links_to(*frame));
        let refused = errors.filter(|link| link.kind == LinkKind::ErrorAbout).map(|link| link.from).next();
        if let Some(error) = refused.and_then(|error| index.packet(error)) {
            // The port columns of ICMP hold type and code.
            return Ending::Icmp(error.source_port(), error.destination_port());
        }
        if evidence.one_sided || evidence.watched_after(self.first_ns) < evidence.parameters.watch_ns {
            return Ending::Unknown;
        }
        Ending::Silent
    }
}

/// The connections of one client.
#[derive(Default)]
pub(super) struct Attempts(pub Vec<Attempt>);

impl Attempts {
    fn find(&mut self, server: Address, port: u16, client_port: u16) -> Option<&mut Attempt> {
        let same = |a: &&mut Attempt| (a.server, a.port, a.client_port) == (server, port, client_port);
        self.0.iter_mut().rev().find(same)
    }

    /// The connection a packet of the client belongs to, begun with it when it is not known.
    pub fn of_client(&mut self, packet: &Packet<'_>, why: Option<Why>) -> Option<&mut Attempt> {
        let (server, port) = (packet.destination_address(), packet.destination_port());
        let client_port = packet.source_port();
        if self.find(server, port, client_port).is_none() {
            if self.0.len() >= ATTEMPTS_MAX {
                let idle = self.0.iter().position(|attempt| attempt.why.is_none())?;
                self.0.remove(idle);
            }
            self.0.push(Attempt {
                server,
                port,
                client_port,
                quic: packet.transport() == 17,
                first_ns: packet.time_ns(),
                frames: vec![packet.id],
                why,
                ending: None,
                looked: [0; 2],
            });
        }
        self.find(server, port, client_port)
    }

    /// A segment with data of the client to a known connection or to a web port.
    pub fn data_of_client(&mut self, packet: &Packet<'_>, name: &str) -> Option<Seen> {
        let attempt = self.of_client(packet, None)?;
        if attempt.looked[0] >= READ_MAX {
            return None;
        }
        let decoded = packet.decode();
        let payload = decoded.payload();
        if payload.is_empty() {
            return None;
        }
        attempt.looked[0] += 1;
        // Data follows the handshake only.
        attempt.ending = attempt.ending.or(Some(Ending::Accepted));
        if requests::is_fatal_alert(payload) {
            attempt.ending = Some(Ending::Alert);
            attempt.note(packet.id);
        }
        let is_name = |host: &[u8]| host.eq_ignore_ascii_case(name.as_bytes());
        let hello = requests::hello(payload);
        if hello.and_then(|hello| hello.name).is_some_and(is_name) {
            attempt.because(Why::ServerName, packet.id);
        } else if requests::http_host(payload).is_some_and(is_name) {
            attempt.because(Why::HttpHost, packet.id);
        }
        hello
            .is_some_and(|hello| encrypted::is_of_resolver(hello, &packet.source.settings))
            .then_some(Seen::Resolver)
    }

    /// A packet to the client.
    pub fn reply(&mut self, packet: &Packet<'_>, tcp_flags: u8, name: &str) {
        let (server, port) = (packet.source_address(), packet.source_port());
        let Some(attempt) = self.find(server, port, packet.destination_port()) else { return };
        if attempt.ending.is_none() {
            attempt.ending = if attempt.quic || tcp_flags & (SYN | ACK) == SYN | ACK {
                Some(Ending::Accepted)
            } else if tcp_flags & RST != 0 {
                Some(Ending::Reset)
            } else {
                None
            };
            if attempt.ending.is_some() {
                attempt.note(packet.id);
            }
        }
        if attempt.quic || attempt.looked[1] >= READ_MAX {
            return;
        }
        let decoded = packet.decode();
        let payload = decoded.payload();
        if payload.is_empty() {
            return;
        }
        attempt.looked[1] += 1;
        if requests::is_fatal_alert(payload) {
            attempt.ending = Some(Ending::Alert);
            attempt.note(packet.id);
        } else if attempt.why.is_none() && requests::certifies(payload, name) {
            attempt.because(Why::Certificate, packet.id);
        }
    }
}

/// What a segment shows besides the name.
pub(super) enum Seen {
    /// It goes to a public resolver, or offers DNS over TLS.
    Resolver,
}
