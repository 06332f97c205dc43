//! DHCP: which client asked for an address, who offered one, and how it ended (services §1.7; RFC 2131, RFC 8415).

use std::net::Ipv4Addr;

use hashbrown::HashMap;

use super::ties::{Recorder, Thread};
use crate::connections::{End, Seen};
use crate::correlate::Reason;
use crate::decode::Address;
use crate::index::{Packet, PacketId};
use crate::protocols::dhcp;

/// Clients followed; a starvation attack makes up millions.
const LEASES_MAX: usize = 65_536;
/// Offers kept of one client.
const OFFERS_MAX: usize = 8;

/// Requests looked at for the one that a reply without a number answers.
const ASKED_MAX: usize = 64;

/// What a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The server's identifier (option 54), or the sender.
    pub server: Address,
    /// The message.
    pub seen: Seen,
    /// The address offered.
    pub address: Address,
    /// The first router (option 3).
    pub router: Option<Address>,
    /// Name servers (option 6).
    pub name_servers: Vec<Address>,
    /// It came as an ACK.
    pub is_final: bool,
}

/// A message a client repeats until it is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// The first.
    pub first: Option<Seen>,
    /// The last.
    pub last: Option<Seen>,
    /// How often.
    pub tries: u32,
}

impl Asked {
    fn note(&mut self, seen: Seen) {
        self.first = self.first.or(Some(seen));
        // Copies of one message on a link are one try (services §2.2 `dup_ms`).
        let again = self.last.is_none_or(|last| seen.time_ns - last.time_ns >= DUPLICATE_NS);
        self.tries += u32::from(again);
        self.last = Some(seen);
    }
}

/// Messages closer than this are copies of one (services §2.2 `dup_ms`).
const DUPLICATE_NS: i64 = 50_000_000;

/// One client's wish for an address.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Its hardware address; for DHCPv6 the address it asks from.
    pub client: Address,
    /// Whether it is DHCPv6.
    pub v6: bool,
    /// DISCOVER or SOLICIT.
    pub discover: Asked,
    /// REQUEST, RENEW or REBIND.
    pub request: Asked,
    /// Ends of the last request that went to one server.
    pub unicast: Option<(End, End)>,
    /// What servers offered.
    pub offers: Vec<Offer>,
    /// ACK or REPLY.
    pub ack: Option<Seen>,
    /// NAK, and who sent it.
    pub nak: Option<(Seen, Address)>,
    /// DECLINE: the address is in use.
    pub decline: Option<Seen>,
    /// A server has no address to give (RFC 8415 §21.13, status 2).
    pub exhausted: Option<Seen>,
}

/// What a message is to a client's wish.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// DISCOVER or SOLICIT.
    Discovers,
    /// REQUEST, RENEW or REBIND.
    Requests,
    /// OFFER or ADVERTISE.
    Offers,
    /// ACK, NAK or REPLY.
    Decides,
    /// Another.
    Other,
}

impl Lease {
    /// Ties a message to what it answers or repeats.
    fn tie(&self, packet: PacketId, part: Part, thread: Thread, recorder: &mut Recorder) {
        recorder.place(packet, thread);
        let (asked, reason) = (&self.discover, Reason::SameNumber);
        match part {
            Part::Discovers | Part::Requests => {
                let own = if part == Part::Discovers { asked } else { &self.request };
                if let Some(first) = own.first {
                    recorder.retry(packet, first.packet, reason);
                }
            }
            Part::Offers | Part::Decides => {
                // With rapid commit a REPLY answers the SOLICIT itself (RFC 8415 §18.2.1).
                let requested = self.request.last.filter(|_| part == Part::Decides);
                if let Some(asked) = requested.or(asked.last) {
                    recorder.answer(packet, asked.packet, reason);
                }
            }
            Part::Other => {}
        }
    }
}

/// A message of DHCP for IPv4, as far as it is followed.
struct Message {
    /// The client's number for its wish.
    id: u64,
    /// Its hardware address.
    client: Address,
    /// What it is called where no hardware address is told: its address, or its number.
    named: Address,
    /// The type (RFC 2132 §9.6).
    kind: u8,
    server: Option<Address>,
    address: Address,
    router: Option<Address>,
    name_servers: Vec<Address>,
}

/// Types by the names that tcpdump and Wireshark print.
const KINDS: [(&str, u8); 9] = [
    ("Discover", 1),
    ("Offer", 2),
    ("Request", 3),
    ("Decline", 4),
    ("ACK", 5),
    ("NACK", 6),
    ("NAK", 6),
    ("Release", 7),
    ("Inform", 8),
];

impl Message {
    fn read(payload: &[u8]) -> Option<Self> {
        let id = payload.get(4..8)?;
        let hardware = payload.get(28..34).and_then(|six| six.first_chunk::<6>())?;
        let (kind, _) = dhcp::message_type(payload)?;
        let of = |code: u8| dhcp::options(payload).find(|(own, _)| *own == code).map(|(_, range)| range);
        Some(Self {
            id: id.iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte)),
            client: Address::Ether(*hardware),
            named: Address::None,
            kind,
            server: of(54).and_then(|range| dhcp::four(payload, range.start)),
            address: dhcp::four(payload, 16).unwrap_or_default(),
            router: of(3).and_then(|range| dhcp::four(payload, range.start)),
            name_servers: dhcp::name_servers(payload),
        })
    }

    /// What a line says of it. Without `-v` it tells neither type nor number: a client without an address asks for one, a client
    /// that has one asks to keep it, and what is sent to a client offers one.
    fn printed(packet: &Packet<'_>) -> Option<Self> {
        let line = packet.printed()?;
        let text = line.body();
        let behind = |name: &str| Some(text.split_once(name)?.1.trim_start_matches([':', ' ']));
        let word = |text: &str| text.split([' ', ',', '\n']).next().map(str::trim).map(str::to_owned);
        let is_list = !line.column.is_empty();
        let option = |name: &str| {
            let told = text.lines().map(str::trim).filter(|told| told.starts_with(name));
            told.filter_map(|told| told.split_once(": ")).map(|(_, value)| value).next()
        };
        let number = behind(if is_list { "Transaction ID" } else { "xid" }).and_then(word);
        let id = number.and_then(|id| u64::from_str_radix(id.trim_start_matches("0x"), 16).ok());
        let hardware = behind("Request from ").or_else(|| behind("Client-Ethernet-Address")).and_then(word);
        let hardware = hardware.and_then(|text| hardware_address(&text));
        let named = if is_list { behind("DHCP ") } else { option("DHCP-Message") }.and_then(word);
        let kind = named.and_then(|named| KINDS.iter().find(|(name, _)| *name == named));
        let to_client = packet.destination_port() == CLIENT_PORT;
        let kind = match (kind, super::is_host(packet.source_address())) {
            (Some((_, kind)), _) => *kind,
            (None, _) if to_client => 2,
            (None, has_address) => {
                if has_address {
                    3
                } else {
                    1
                }
            }
        };
        let address = |text: &str| text.trim().parse().ok().map(Address::V4);
        let all = |value: &str| value.split(',').filter_map(address).collect::<Vec<_>>();
        Some(Self {
            id: id.unwrap_or(0),
            client: hardware.unwrap_or(if is_list && id.is_none() {
                Address::V4(Ipv4Addr::UNSPECIFIED)
            } else {
                Address::None
            }),
            named: match (is_list, id) {
                (true, Some(_)) if super::is_host(packet.source_address()) && !to_client => {
                    packet.source_address()
                }
                (true, Some(id)) => Address::printed(&format!("client-of-{id:#010x}"), false),
                _ => Address::None,
            },
            kind,
            server: option("Server-ID").and_then(address),
            address: behind("Your-IP").and_then(word).and_then(|text| address(&text)).unwrap_or_default(),
            router: option("Default-Gateway").and_then(|value| all(value).into_iter().next()),
            name_servers: option("Domain-Name-Server").map(all).unwrap_or_default(),
        })
    }
}

fn hardware_address(text: &str) -> Option<Address> {
    let mut six = [0; 6];
    let mut pairs = text.split([':', '-']);
    for byte in &mut six {
        *byte = u8::from_str_radix(pairs.next()?, 16).ok()?;
    }
    Some(Address::Ether(six))
}

/// The port of clients (RFC 2131 §4.1).
const CLIENT_PORT: u16 = 68;

/// The leases while packets are read.
#[derive(Default)]
pub struct Leases {
    table: HashMap<(u64, Address), u32>,
    /// All, in order of their first message.
    pub all: Vec<Lease>,
    /// Messages of clients beyond the limit.
    pub left_out: u64,
}

impl Leases {
    /// Takes a message of DHCP for IPv4 (RFC 2131 §2).
    pub(super) fn note(&mut self, packet: &Packet<'_>, payload: &[u8], recorder: &mut Option<Recorder>) {
        let message = if packet.is_text() { Message::printed(packet) } else { Message::read(payload) };
        let Some(mut message) = message else { return };
        let seen = Seen { packet: packet.id, time_ns: packet.time_ns() };
        let key = (message.id, message.client);
        let asks = matches!(message.kind, 1 | 3 | 4);
        if asks {
            self.renew(key, seen, message.kind == 1);
        }
        // What an asked server sends to the address it was asked from is its answer, whatever kind that is.
        let asked = if asks || key != (0, Address::None) { None } else { self.asked_by(packet) };
        let found = match asked {
            Some(at) => self.all.get_mut(at).map(|lease| (lease, Thread::lease(at as u32))),
            None => self.of(key, false, asks),
        };
        let Some((lease, thread)) = found else { return };
        if asked.is_some() {
            message.kind = 5;
        }
        if asks && lease.client == Address::None {
            lease.client = message.named;
        }
        if let Some(recorder) = recorder {
            let part = match message.kind {
                1 => Part::Discovers,
                3 => Part::Requests,
                2 => Part::Offers,
                5 | 6 => Part::Decides,
                _ => Part::Other,
            };
            lease.tie(packet.id, part, thread, recorder);
        }
        let server = message.server.unwrap_or_else(|| packet.source_address());
        match message.kind {
            1 => lease.discover.note(seen),
            3 => {
                lease.request.note(seen);
                let to = (packet.destination_address(), packet.destination_port());
                if super::is_host(to.0) {
                    lease.unicast = Some(((packet.source_address(), packet.source_port()), to));
                }
            }
            4 => lease.decline = lease.decline.or(Some(seen)),
            6 => lease.nak = lease.nak.or(Some((seen, server))),
            2 | 5 => {
                let is_final = message.kind == 5;
                if is_final {
                    lease.ack = lease.ack.or(Some(seen));
                }
                if lease.offers.len() < OFFERS_MAX {
                    let Message { address, router, name_servers, .. } = message;
                    lease.offers.push(Offer { server, seen, address, router, name_servers, is_final });
                }
            }
            _ => {}
        }
    }

    /// The newest request without an answer that went from a reply's receiver to its sender alone.
    fn asked_by(&self, reply: &Packet<'_>) -> Option<usize> {
        let (client, server) = (reply.destination_address(), reply.source_address());
        let fits = |lease: &Lease| {
            lease.ack.is_none() && lease.unicast.is_some_and(|(from, to)| from.0 == client && to.0 == server)
        };
        let newest = self.all.len().saturating_sub(ASKED_MAX);
        self.all.get(newest..)?.iter().rposition(fits).map(|at| newest + at)
    }

    /// Takes a message of DHCPv6 (RFC 8415 §7.3, §8).
    pub(super) fn note_v6(&mut self, packet: &Packet<'_>, payload: &[u8], recorder: &mut Option<Recorder>) {
        let (Some(kind), Some(id)) = (payload.first(), payload.get(1..4)) else { return };
        let id = id.iter().fold(1u64 << 32, |all, byte| all << 8 | u64::from(*byte));
        let seen = Seen { packet: packet.id, time_ns: packet.time_ns() };
        let asks = matches!(kind, 1 | 3 | 5 | 6);
        let client = if asks { packet.source_address() } else { packet.destination_address() };
        let Some((lease, thread)) = self.of((id, client), true, asks) else { return };
        if let Some(recorder) = recorder {
            let part = match kind {
                1 => Part::Discovers,
                3 | 5 | 6 => Part::Requests,
                2 => Part::Offers,
                7 => Part::Decides,
                _ => Part::Other,
            };
            lease.tie(packet.id, part, thread, recorder);
        }
        match kind {
            1 => lease.discover.note(seen),
            3 | 5 | 6 => lease.request.note(seen),
            2 | 7 => {
                // Option 13 with status 2 may stand inside the address option: its bytes are looked for.
                let exhausted = payload.windows(6).any(|six| matches!(six, [0, 13, 0, _, 0, 2]));
                if exhausted {
                    lease.exhausted = lease.exhausted.or(Some(seen));
                } else {
                    lease.ack = lease.ack.or(Some(seen));
                }
            }
            _ => {}
        }
    }

    /// A client may keep its number when it asks again later: what it was given before is another wish.
    /// Whoever discovers after a refusal begins anew at once (RFC 2131 §3.2).
    fn renew(&mut self, key: (u64, Address), seen: Seen, discovers: bool) {
        let known = self.table.get(&key).and_then(|at| self.all.get(*at as usize));
        let is_anew = discovers && known.is_some_and(|lease| lease.nak.is_some());
        let given = known.and_then(|lease| lease.ack.or(lease.nak.map(|(seen, _)| seen)));
        if is_anew || given.is_some_and(|given| seen.time_ns - given.time_ns >= DUPLICATE_NS) {
            self.table.remove(&key);
        }
    }

    fn of(&mut self, key: (u64, Address), v6: bool, asks: bool) -> Option<(&mut Lease, Thread)> {
        let at = match self.table.get(&key) {
            Some(at) => *at,
            // A reply whose client is not printed goes to who asked last.
            None if !asks && key == (0, Address::None) => (self.all.len() as u32).checked_sub(1)?,
            None if !asks => return None,
            None if self.all.len() >= LEASES_MAX => {
                self.left_out += 1;
                return None;
            }
            None => {
                let at = self.all.len() as u32;
                self.table.insert(key, at);
                self.all.push(Lease {
                    client: key.1,
                    v6,
                    discover: Asked::default(),
                    request: Asked::default(),
                    unicast: None,
                    offers: Vec::new(),
                    ack: None,
                    nak: None,
                    decline: None,
                    exhausted: None,
                });
                at
            }
        };
        self.all.get_mut(at as usize).map(|lease| (lease, Thread::lease(at)))
    }
}
