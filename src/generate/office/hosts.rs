//! Who is in the office and whom it talks to.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::Random;
use super::super::link::Mac;

/// The gateway; the capture is taken on its office side.
pub const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// The resolver that clients ask first.
pub const PRIMARY: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 53));
/// The resolver that some clients know as their second.
pub const SECONDARY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 53));
/// The time server.
pub const TIME_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 123));
/// The monitoring host, which pings the first resolver.
pub const MONITOR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 20));
/// The gateway's hardware address.
pub const GATEWAY_MAC: Mac = [0x02, 0x00, 0x5e, 0x00, 0x02, 0x01];

/// How a client's resolver library behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stub {
    /// Two servers, 5 s each, two rounds; goes on at once when refused, on a new socket with the same id.
    Glibc,
    /// Two servers; 1, 1, 2 and 4 s, the same id and socket.
    Windows,
    /// Knows the first server only; the application asks again after a while.
    Single,
}

/// One client.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Address.
    pub address: IpAddr,
    /// IPv6 address, where it has one.
    pub address6: Option<IpAddr>,
    /// Hardware address.
    pub mac: Mac,
    /// Its resolver library.
    pub stub: Stub,
    /// Initial time to live.
    pub ttl: u8,
}

/// The clients of an office: half glibc, a third Windows, the rest with one server; every third has IPv6.
pub fn clients(count: u8) -> Vec<Client> {
    (0..count.min(100))
        .map(|number| {
            let host = 101 + number;
            let stub = match number % 6 {
                0 | 2 | 4 => Stub::Glibc,
                1 | 3 => Stub::Windows,
                _ => Stub::Single,
            };
            Client {
                address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)),
                address6: (number % 3 == 0)
                    .then(|| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, u16::from(host)))),
                mac: [0x02, 0x00, 0x5e, 0x10, 0x02, host],
                stub,
                ttl: if stub == Stub::Windows { 128 } else { 64 },
            }
        })
        .collect()
}

/// Names the office asks for, popular ones first.
pub const NAMES: &[&str] = &[
    "intranet.office.example",
    "mail.office.example",
    "www.example.com",
    "chat.office.example",
    "files.office.example",
    "cdn.example.net",
    "api.payroll.example",
    "www.news.example",
    "img.news.example",
    "search.example.org",
    "updates.software.example",
    "telemetry.software.example",
    "crm.sales.example",
    "www.example.org",
    "maps.example.net",
    "weather.example.org",
    "calendar.office.example",
    "video.meetings.example",
    "static.meetings.example",
    "docs.example.com",
    "shop.supplies.example",
    "www.bank.example",
    "login.bank.example",
    "fonts.example.net",
    "tickets.office.example",
    "wiki.office.example",
    "git.engineering.example",
    "ci.engineering.example",
    "packages.engineering.example",
    "www.travel.example",
    "tracking.parcels.example",
    "yummyrecipesforme.example",
];

/// The addresses behind a name, always the same.
pub fn addresses(name: &str) -> (Ipv4Addr, Ipv6Addr) {
    let hash = name.bytes().fold(7u16, |hash, byte| hash.wrapping_mul(31).wrapping_add(u16::from(byte)));
    let host = 60 + (hash % 190) as u8;
    let v4 =
        if hash & 0x400 == 0 { Ipv4Addr::new(203, 0, 113, host) } else { Ipv4Addr::new(198, 51, 100, host) };
    (v4, Ipv6Addr::new(0x2001, 0xdb8, 0x80, 0, 0, 0, 0, u16::from(host)))
}

/// The time to live with which a host's packets arrive in the office.
pub fn arriving_ttl(address: IpAddr) -> u8 {
    match address {
        PRIMARY => 61,
        SECONDARY => 57,
        GATEWAY => 64,
        IpAddr::V4(v4) => 49 + v4.octets().last().copied().unwrap_or(0) % 8,
        IpAddr::V6(_) => 53,
    }
}

/// Counters of IPv4 identification, one a sender, as most hosts keep them.
#[derive(Debug, Default)]
pub struct Identifications {
    next: HashMap<IpAddr, u16>,
}

impl Identifications {
    /// The next number of a sender; the first is random.
    pub fn next(&mut self, sender: IpAddr, random: &mut Random) -> u16 {
        let slot = self.next.entry(sender).or_insert_with(|| random.word());
        *slot = slot.wrapping_add(1).max(1);
        *slot
    }
}
