//! Every link and tunnel the decoder reads, put around an IP packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Packet, link};

/// A link: what it is called, its link-layer header type, and how it frames an IP packet.
pub type Link = (&'static str, u16, fn(&[u8]) -> Vec<u8>);

/// A tunnel: what it is called, and how it puts an IP packet into another IP packet.
pub type Tunnel = (&'static str, fn(&[u8]) -> Vec<u8>);

const NEAR: [u8; 6] = [2, 0, 0, 0, 0, 1];
const FAR: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Ends of the outer packet of a tunnel.
const ENTRY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const EXIT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// Above the ports of services, where no tunnel is suspected.
const TUNNEL_CLIENT: u16 = 40_000;

/// The links, each as captured by somebody.
pub const LINKS: &[Link] = &[
    ("Ethernet", 1, |ip| link::ethernet(NEAR, FAR, &[], link::ether_type(ip), ip)),
    ("802.1Q", 1, |ip| link::ethernet(NEAR, FAR, &[100], link::ether_type(ip), ip)),
    ("802.1ad", 1, |ip| link::ethernet(NEAR, FAR, &[200, 100], link::ether_type(ip), ip)),
    ("Linux cooked", 113, |ip| link::sll(NEAR, true, ip)),
    ("Linux cooked v2", 276, |ip| link::sll2(2, NEAR, false, ip)),
    ("raw IP", 101, <[u8]>::to_vec),
    ("raw IP, old number", 12, <[u8]>::to_vec),
    ("raw IPv4", 228, <[u8]>::to_vec),
    ("raw IPv6", 229, <[u8]>::to_vec),
    ("BSD loopback", 0, link::null),
    ("OpenBSD loopback", 108, |ip| {
        let family: u32 = if is_v6(ip) { 24 } else { 2 };
        [&family.to_be_bytes()[..], ip].concat()
    }),
    ("PPP", 9, |ip| [&[0xff, 0x03][..], &ppp_protocol(ip), ip].concat()),
    ("PPP in HDLC framing", 50, |ip| [&[0xff, 0x03][..], &ppp_protocol(ip), ip].concat()),
    ("PPPoE", 1, |ip| link::ethernet(NEAR, FAR, &[], 0x8864, &session(ip))),
    ("PPPoE, no Ethernet", 51, session),
    ("802.11", 105, wireless),
    ("802.11 with radiotap", 127, |ip| [&[0, 0, 8, 0, 0, 0, 0, 0][..], &wireless(ip)].concat()),
    ("NFLOG", 239, |ip| {
        let family = if is_v6(ip) { 10 } else { 2 };
        let length = (ip.len() + 4) as u16;
        let mut bytes = vec![family, 0, 0, 0];
        // A prefix attribute, then the payload attribute (linux/netfilter/nfnetlink_log.h).
        bytes.extend_from_slice(&[5, 0, 10, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&[9, 0]);
        bytes.extend_from_slice(ip);
        bytes
    }),
    ("IPNET", 226, |ip| {
        let mut header = [0; 24];
        (header[0], header[1]) = (1, if is_v6(ip) { 26 } else { 2 });
        [&header[..], ip].concat()
    }),
    ("MPLS", 1, |ip| {
        let labels = [&[0, 1, 0, 64][..], &[0, 2, 1, 64], ip].concat();
        link::ethernet(NEAR, FAR, &[], 0x8847, &labels)
    }),
    ("VN-Tag", 1, |ip| tagged(0x8926, &[0, 1, 0, 2], ip)),
    ("E-Tag", 1, |ip| tagged(0x893f, &[0, 0, 0, 9, 0, 0], ip)),
    ("MACsec in clear", 1, |ip| tagged(0x88e5, &[0x20, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0, 1], ip)),
];

/// The tunnels; each gives a whole IP packet.
pub const TUNNELS: &[Tunnel] = &[
    ("IP in IP", |ip| outer(if is_v6(ip) { 41 } else { 4 }, ip)),
    ("6in4 or 4in6", |ip| {
        let (entry, exit) = (Ipv6Addr::LOCALHOST, Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9));
        let protocol = if is_v6(ip) { 41 } else { 4 };
        Packet::raw(IpAddr::V6(entry), IpAddr::V6(exit), protocol, ip.to_vec()).bytes()
    }),
    ("GRE", |ip| outer(47, &[&[0, 0][..], &link::ether_type(ip).to_be_bytes(), ip].concat())),
    ("GRE with key and sequence", |ip| {
        let header = [&[0x30, 0][..], &link::ether_type(ip).to_be_bytes(), &[0, 0, 0, 9, 0, 0, 0, 1]];
        outer(47, &[&header.concat()[..], ip].concat())
    }),
    ("ERSPAN", |ip| {
        let header = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 100, 0, 1, 0, 0, 0, 0];
        outer(47, &[&header[..], &frame(ip)].concat())
    }),
    ("VXLAN", |ip| datagram(4789, &[&[8, 0, 0, 0, 0, 0, 100, 0][..], &frame(ip)].concat())),
    ("GENEVE", |ip| datagram(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 100, 0][..], &frame(ip)].concat())),
    ("Teredo", |ip| datagram(3544, ip)),
    ("GTP-U", |ip| {
        let length = (ip.len() as u16).to_be_bytes();
        datagram(2152, &[&[0x30, 0xff][..], &length, &[0, 0, 0, 7], ip].concat())
    }),
];

fn is_v6(ip: &[u8]) -> bool {
    link::ether_type(ip) == 0x86dd
}

fn frame(ip: &[u8]) -> Vec<u8> {
    link::ethernet(NEAR, FAR, &[], link::ether_type(ip), ip)
}

/// A tag of some kind, then the type of what it tags.
fn tagged(kind: u16, tag: &[u8], ip: &[u8]) -> Vec<u8> {
    link::ethernet(NEAR, FAR, &[], kind, &[tag, &link::ether_type(ip).to_be_bytes(), ip].concat())
}

fn ppp_protocol(ip: &[u8]) -> [u8; 2] {
    if is_v6(ip) { [0, 0x57] } else { [0, 0x21] }
}

/// A `PPPoE` session header (RFC 2516 §4).
fn session(ip: &[u8]) -> Vec<u8> {
    let length = (ip.len() as u16 + 2).to_be_bytes();
    [&[0x11, 0, 0, 7][..], &length, &ppp_protocol(ip), ip].concat()
}

/// A data frame towards the access point with an LLC/SNAP header.
fn wireless(ip: &[u8]) -> Vec<u8> {
    let header = [&[0x08, 0x01, 0, 0][..], &FAR, &NEAR, &FAR, &[0, 0]].concat();
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0][..], &link::ether_type(ip).to_be_bytes()].concat();
    [&header[..], &snap, ip].concat()
}

fn outer(protocol: u8, payload: &[u8]) -> Vec<u8> {
    Packet::raw(IpAddr::V4(ENTRY), IpAddr::V4(EXIT), protocol, payload.to_vec()).bytes()
}

fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    let end = |address, port| std::net::SocketAddr::new(IpAddr::V4(address), port);
    Packet::udp(end(ENTRY, TUNNEL_CLIENT), end(EXIT, port), payload).bytes()
}
