//! Labels packets whose flow may carry encrypted DNS: by port, or by a resolver known by address or name.
//!
//! A label is no claim: what such a flow carries cannot be seen, and it never counts as a query or an answer.

use std::net::{IpAddr, Ipv6Addr};

use super::consequences::requests::{self, Hello};
use crate::index::Packet;
use crate::settings::Settings;

const TCP: u8 = 6;
const UDP: u8 = 17;
const HTTPS: u16 = 443;
/// DNS over TLS and over QUIC (RFC 7858 §3.1, RFC 9250 §4.1.1).
const DNS_OVER_TLS: u16 = 853;
/// Ports of DNS over QUIC in its drafts, which some servers keep.
const DNS_OVER_QUIC_DRAFTS: [u16; 2] = [784, 8853];

/// Public resolvers by the name they are reached under with DNS over HTTPS or TLS.
const RESOLVER_NAMES: [&str; 12] = [
    "dns.google",
    "cloudflare-dns.com",
    "mozilla.cloudflare-dns.com",
    "chrome.cloudflare-dns.com",
    "one.one.one.one",
    "dns.quad9.net",
    "doh.opendns.com",
    "dns.nextdns.io",
    "dns.adguard-dns.com",
    "doh.cleanbrowsing.org",
    "dns.mullvad.net",
    "doh.dns.sb",
];

/// The addresses of the largest of them.
const RESOLVER_ADDRESSES: [[u8; 4]; 8] = [
    [1, 1, 1, 1],
    [1, 0, 0, 1],
    [8, 8, 8, 8],
    [8, 8, 4, 4],
    [9, 9, 9, 9],
    [149, 112, 112, 112],
    [208, 67, 222, 222],
    [208, 67, 220, 220],
];

/// The same over IPv6.
const RESOLVER_ADDRESSES_V6: [Ipv6Addr; 6] = [
    Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111),
    Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1001),
    Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888),
    Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8844),
    Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 0xfe),
    Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 9),
];

/// Whether a host name is that of a known resolver.
pub(super) fn is_resolver_name(name: &[u8], settings: &Settings) -> bool {
    let known = RESOLVER_NAMES.into_iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    known || settings.names_resolver(name)
}

/// Whether an address is that of a known resolver.
pub(super) fn is_resolver_address(address: IpAddr, settings: &Settings) -> bool {
    settings.names_resolver_address(address)
        || match address {
            IpAddr::V4(ip) => RESOLVER_ADDRESSES.contains(&ip.octets()),
            IpAddr::V6(ip) => RESOLVER_ADDRESSES_V6.contains(&ip),
        }
}

/// Whether a first TLS message goes to a resolver or offers DNS over TLS.
pub(super) fn is_of_resolver(hello: Hello<'_>, settings: &Settings) -> bool {
    hello.offers_dns || hello.name.is_some_and(|name| is_resolver_name(name, settings))
}

/// What a service at a port may be, by its transport and port alone.
pub fn by_port(transport: u8, port: u16) -> Option<&'static str> {
    match (transport, port) {
        (TCP, DNS_OVER_TLS) => Some("DNS over TLS"),
        (UDP, DNS_OVER_TLS) => Some("DNS over QUIC"),
        (UDP, port) if DNS_OVER_QUIC_DRAFTS.contains(&port) => Some("DNS over QUIC"),
        _ => None,
    }
}

/// What encrypted DNS a packet's flow may carry: `DNS over TLS`, `DNS over QUIC`, `DNS over HTTPS`; `None` where nothing
/// suggests any. Over port 443 the server must be a known resolver, or the packet name one.
pub fn label(packet: &Packet<'_>) -> Option<&'static str> {
    let transport = packet.transport();
    if transport != TCP && transport != UDP {
        return None;
    }
    let (from, to) = (packet.source_port(), packet.destination_port());
    if let Some(label) = by_port(transport, to).or_else(|| by_port(transport, from)) {
        return Some(label);
    }
    let settings = &packet.source.settings;
    let known =
        |address: crate::decode::Address| address.ip().is_some_and(|ip| is_resolver_address(ip, settings));
    let resolver =
        to == HTTPS && known(packet.destination_address()) || from == HTTPS && known(packet.source_address());
    if resolver {
        return Some("DNS over HTTPS");
    }
    let names_one = transport == TCP
        && to == HTTPS
        && requests::hello(packet.decode().payload()).is_some_and(|hello| is_of_resolver(hello, settings));
    names_one.then_some("DNS over HTTPS")
}
