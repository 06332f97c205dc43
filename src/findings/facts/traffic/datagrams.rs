//! Requests over UDP and ICMP of protocols that answer each of them, and whether answers came.

use hashbrown::HashMap;

use super::{EXCHANGES_MAX, Seen, ends, is_host};
use crate::decode::Address;
use crate::index::{Packet, PacketId};
use crate::time::Nanos;

/// A service that answers each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// DHCP of both versions of IP (RFC 2131, RFC 8415).
    Dhcp,
    /// NTP (RFC 5905).
    Ntp,
    /// SNMP (RFC 3416).
    Snmp,
    /// LDAP over UDP (RFC 1798).
    Cldap,
    /// QUIC (RFC 9000).
    Quic,
    /// DNS over QUIC (RFC 9250).
    Doq,
    /// RADIUS (RFC 2865, RFC 2866).
    Radius,
    /// SIP (RFC 3261).
    Sip,
    /// ICMP echo.
    Echo,
}

/// The ports of services that answer.
const SERVICES: [(u16, Kind); 11] = [
    (123, Kind::Ntp),
    (161, Kind::Snmp),
    (389, Kind::Cldap),
    (443, Kind::Quic),
    (853, Kind::Doq),
    (1645, Kind::Radius),
    (1646, Kind::Radius),
    (1812, Kind::Radius),
    (1813, Kind::Radius),
    (5060, Kind::Sip),
    (5061, Kind::Sip),
];

impl Kind {
    /// Its name, as it is written about.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dhcp => "DHCP",
            Self::Ntp => "NTP",
            Self::Snmp => "SNMP",
            Self::Cldap => "LDAP over UDP",
            Self::Quic => "QUIC",
            Self::Doq => "DNS over QUIC",
            Self::Radius => "RADIUS",
            Self::Sip => "SIP",
            Self::Echo => "ping",
        }
    }

    /// The service at a UDP port.
    pub fn of_port(port: u16) -> Option<Self> {
        SERVICES.iter().find(|(known, _)| *known == port).map(|(_, kind)| *kind)
    }
}

/// What one client asked one server for over one pair of ports.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What for.
    pub kind: Kind,
    /// Who asked.
    pub client: Address,
    /// Whom; a group for a request to all.
    pub server: (Address, u16),
    /// Requests.
    pub asked: u32,
    /// Datagrams that came back.
    pub answered: u32,
    /// Requests after the last answer.
    pub open: Seen,
    /// When the last request was sent.
    pub last_ns: Nanos,
}

type Key = (Kind, Address, u64, Address);

/// The exchanges while packets are read.
#[derive(Default)]
pub(super) struct Datagrams {
    table: HashMap<Key, u32>,
    pub exchanges: Vec<Exchange>,
    pub one_way: Seen,
    pub left_out: u64,
}

impl Datagrams {
    pub(super) fn note(&mut self, packet: &Packet<'_>) {
        let (from, to) = ends(packet);
        if packet.transport() != 17 {
            self.echo(packet, (from.0, to.0));
            return;
        }
        match (from.1, to.1) {
            (68, 67) | (67, 68 | 67) => self.lease(packet),
            (546, 547) | (547, 546) => self.lease_v6(packet),
            _ => self.service(packet, from, to),
        }
    }

    fn service(&mut self, packet: &Packet<'_>, from: (Address, u16), to: (Address, u16)) {
        let (asked, answers) = (Kind::of_port(to.1), Kind::of_port(from.1));
        let reply = answers.is_some_and(|kind| self.table.contains_key(&key(kind, to, from)));
        match (asked, answers) {
            (_, Some(kind)) if reply || asked.is_none() => self.answer(&key(kind, to, from)),
            (Some(kind), _) if is_host(to.0) && is_request(kind, packet) => {
                self.ask(key(kind, from, to), to, packet);
            }
            // Groups, port 53 and names asked of all on the link have rules of their own.
            (None, None) if is_host(to.0) && packet.protocol() == crate::protocols::ProtocolId::UNKNOWN => {
                self.one_way.note(packet.id);
            }
            _ => {}
        }
    }

    /// Echo requests and replies (RFC 792; RFC 4443 §4): the identifier stands in bytes 4 and 5.
    fn echo(&mut self, packet: &Packet<'_>, (from, to): (Address, Address)) {
        let decoded = packet.decode();
        let (asks, answers) = match decoded.icmp() {
            Some((8 | 128, _)) if is_host(to) => (true, false),
            Some((0, _)) if packet.transport() == 1 => (false, true),
            Some((129, _)) => (false, true),
            _ => return,
        };
        let at = decoded.transport_start as usize + 4;
        let id = decoded
            .bytes
            .get(at..at + 2)
            .map_or(0, |bytes| bytes.iter().fold(0, |all, b| all << 8 | u64::from(*b)));
        if asks {
            self.ask((Kind::Echo, from, id, to), (to, 0), packet);
        } else if answers {
            self.answer(&(Kind::Echo, to, id, from));
        }
    }

    /// DHCP (RFC 2131 §2): 1 asks, 2 answers; the transaction's number stands in bytes 4 to 7.
    fn lease(&mut self, packet: &Packet<'_>) {
        let payload = packet.decode().payload();
        let Some(id) = payload.get(4..8).map(number) else { return };
        let key = (Kind::Dhcp, Address::None, id, Address::None);
        match payload.first() {
            Some(1) if asks_for_lease(payload) => {
                self.ask(key, (packet.destination_address(), 67), packet);
            }
            Some(2) => self.answer(&key),
            _ => {}
        }
    }

    /// DHCP for IPv6 (RFC 8415 §7.3, §8): message type and a transaction's number of 24 bits.
    fn lease_v6(&mut self, packet: &Packet<'_>) {
        let payload = packet.decode().payload();
        let Some(id) = payload.get(1..4).map(number) else { return };
        let key = (Kind::Dhcp, Address::None, id | 1 << 32, Address::None);
        match payload.first() {
            Some(1 | 3 | 5 | 6) => self.ask(key, (packet.destination_address(), 547), packet),
            Some(2 | 7) => self.answer(&key),
            _ => {}
        }
    }

    fn ask(&mut self, key: Key, server: (Address, u16), packet: &Packet<'_>) {
        if self.exchanges.len() >= EXCHANGES_MAX && !self.table.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let exchanges = &mut self.exchanges;
        let at = *self.table.entry(key).or_insert_with(|| {
            exchanges.push(Exchange {
                kind: key.0,
                client: packet.source_address(),
                server,
                asked: 0,
                answered: 0,
                open: Seen::default(),
                last_ns: 0,
            });
            exchanges.len() as u32 - 1
        });
        let Some(exchange) = exchanges.get_mut(at as usize) else { return };
        exchange.asked += 1;
        exchange.last_ns = packet.time_ns();
        exchange.open.note(packet.id);
    }

    fn answer(&mut self, key: &Key) {
        let known = self.table.get(key).and_then(|at| self.exchanges.get_mut(*at as usize));
        if let Some(exchange) = known {
            exchange.answered += 1;
            exchange.open = Seen::default();
        }
    }
}

fn key(kind: Kind, client: (Address, u16), server: (Address, u16)) -> Key {
    (kind, client.0, u64::from(client.1) << 16 | u64::from(server.1), server.0)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// Of NTP only mode 3 asks (RFC 5905 §7.3); of QUIC only packets with the long header open a connection (RFC 9000 §17.2).
fn is_request(kind: Kind, packet: &Packet<'_>) -> bool {
    let first = || packet.decode().payload().first().copied().unwrap_or_default();
    match kind {
        Kind::Ntp => first() & 7 == 3 || packet.is_text(),
        Kind::Quic => first() & 0xc0 == 0xc0,
        _ => true,
    }
}

/// Where the options of DHCP begin, after the cookie.
const OPTIONS_START: usize = 240;
/// Options of a DHCP message that are looked through.
const OPTIONS_MAX: usize = 64;

/// Whether a message of DHCP asks for a lease: DISCOVER or REQUEST, by option 53; the others are not always answered.
fn asks_for_lease(payload: &[u8]) -> bool {
    let mut at = OPTIONS_START;
    for _ in 0..OPTIONS_MAX {
        match payload.get(at) {
            Some(53) => return matches!(payload.get(at + 2), Some(1 | 3)),
            Some(0) => at += 1,
            Some(_) => at += 2 + payload.get(at + 1).map_or(0, |length| usize::from(*length)),
            None => return false,
        }
    }
    false
}

impl Exchange {
    /// Its requests that no answer followed.
    pub fn open_packets(&self) -> &[PacketId] {
        &self.open.packets
    }
}
