//! IP packets with right lengths and checksums, and the ICMP errors they provoke.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::link::{self, Mac};

/// TCP flag bits (RFC 9293 §3.1).
pub mod flags {
    /// FIN
    pub const FIN: u8 = 0x01;
    /// SYN
    pub const SYN: u8 = 0x02;
    /// RST
    pub const RST: u8 = 0x04;
    /// PSH
    pub const PSH: u8 = 0x08;
    /// ACK
    pub const ACK: u8 = 0x10;
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// The most a Linux host quotes: the error stays within 576 bytes (RFC 1812 §4.3.2.3).
const QUOTE_V4_MAX_BYTES: usize = 548;
/// The error stays within 1,280 bytes (RFC 4443 §2.4c).
const QUOTE_V6_MAX_BYTES: usize = 1232;

/// One IP packet: header fields that tests set, and the transport bytes with their checksum in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    ttl: u8,
    id: u16,
    traffic_class: u8,
    fragment: u16,
    payload: Vec<u8>,
}

/// What stands in a TCP header beside the ports.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment {
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// Bits of [`flags`].
    pub flags: u8,
}

/// What an ARP packet says (RFC 826).
#[derive(Clone, Copy, Debug)]
pub struct Arp {
    /// Request (1) or reply (2).
    pub operation: u16,
    /// Sender's hardware address.
    pub sender_mac: Mac,
    /// Sender's address.
    pub sender: Ipv4Addr,
    /// Target's hardware address; zero in a request.
    pub target_mac: Mac,
    /// Target's address.
    pub target: Ipv4Addr,
}

/// An ARP packet in an Ethernet frame: a request goes to everybody.
pub fn arp(message: &Arp) -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4];
    bytes.extend_from_slice(&message.operation.to_be_bytes());
    bytes.extend_from_slice(&message.sender_mac);
    bytes.extend_from_slice(&message.sender.octets());
    bytes.extend_from_slice(&message.target_mac);
    bytes.extend_from_slice(&message.target.octets());
    let to = if message.operation == 1 { [0xff; 6] } else { message.target_mac };
    link::ethernet(message.sender_mac, to, &[], 0x0806, &bytes)
}

/// Addresses as tests write them: `"192.0.2.1:53"`, `"[2001:db8::1]:53"`, or a [`SocketAddr`].
pub trait IntoEndpoint {
    /// The address and port; text that is none becomes `0.0.0.0:0`, which no real packet has.
    fn endpoint(self) -> SocketAddr;
}

impl IntoEndpoint for SocketAddr {
    fn endpoint(self) -> SocketAddr {
        self
    }
}

impl IntoEndpoint for &str {
    fn endpoint(self) -> SocketAddr {
        self.parse().unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))
    }
}

impl Packet {
    /// A packet of any IP protocol; the payload is taken as it is.
    pub fn raw(source: IpAddr, destination: IpAddr, protocol: u8, payload: Vec<u8>) -> Self {
        Self { source, destination, protocol, ttl: 64, id: 0, traffic_class: 0, fragment: 0, payload }
    }

    /// A UDP datagram (RFC 768).
    pub fn udp(source: impl IntoEndpoint, destination: impl IntoEndpoint, payload: &[u8]) -> Self {
        let (source, destination) = (source.endpoint(), destination.endpoint());
        let length = (8 + payload.len()) as u16;
        let mut bytes = Vec::with_capacity(usize::from(length));
        bytes.extend_from_slice(&source.port().to_be_bytes());
        bytes.extend_from_slice(&destination.port().to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(payload);
        let sum = match transport_checksum(source.ip(), destination.ip(), UDP, &bytes) {
            0 => 0xffff,
            sum => sum,
        };
        put_word(&mut bytes, 6, sum);
        Self::raw(source.ip(), destination.ip(), UDP, bytes)
    }

    /// A TCP segment (RFC 9293); SYN carries a maximum segment size. Don't-fragment is set, as hosts do.
    pub fn tcp(
        source: impl IntoEndpoint,
        destination: impl IntoEndpoint,
        segment: Segment,
        payload: &[u8],
    ) -> Self {
        let (source, destination) = (source.endpoint(), destination.endpoint());
        let options: &[u8] = if segment.flags & flags::SYN == 0 { &[] } else { &[2, 4, 0x05, 0xb4] };
        let mut bytes = Vec::with_capacity(24 + payload.len());
        bytes.extend_from_slice(&source.port().to_be_bytes());
        bytes.extend_from_slice(&destination.port().to_be_bytes());
        bytes.extend_from_slice(&segment.sequence.to_be_bytes());
        bytes.extend_from_slice(&segment.acknowledgment.to_be_bytes());
        bytes.push(((20 + options.len()) / 4) as u8 * 16);
        bytes.push(segment.flags);
        let window: u16 = if segment.flags & flags::RST == 0 { 64_240 } else { 0 };
        bytes.extend_from_slice(&window.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(options);
        bytes.extend_from_slice(payload);
        let sum = transport_checksum(source.ip(), destination.ip(), TCP, &bytes);
        put_word(&mut bytes, 16, sum);
        Self::raw(source.ip(), destination.ip(), TCP, bytes).dont_fragment()
    }

    /// An ICMP or ICMPv6 message, by the addresses' family; `rest` is octets 4 to 7 of the header.
    pub fn icmp(
        source: IpAddr,
        destination: IpAddr,
        kind: u8,
        code: u8,
        rest: [u8; 4],
        payload: &[u8],
    ) -> Self {
        let mut bytes = vec![kind, code, 0, 0];
        bytes.extend_from_slice(&rest);
        bytes.extend_from_slice(payload);
        let (protocol, sum) = if source.is_ipv4() {
            (ICMP, fold(sum_words(0, &bytes)))
        } else {
            (ICMPV6, transport_checksum(source, destination, ICMPV6, &bytes))
        };
        put_word(&mut bytes, 2, sum);
        Self::raw(source, destination, protocol, bytes)
    }

    /// An echo request or reply with 56 bytes of data, as ping sends it.
    pub fn echo(source: IpAddr, destination: IpAddr, reply: bool, id: u16, sequence: u16) -> Self {
        let kind = match (source.is_ipv4(), reply) {
            (true, false) => 8,
            (true, true) => 0,
            (false, false) => 128,
            (false, true) => 129,
        };
        let [a, b] = id.to_be_bytes();
        let [c, d] = sequence.to_be_bytes();
        let data: Vec<u8> = (0..56).collect();
        Self::icmp(source, destination, kind, 0, [a, b, c, d], &data)
    }

    /// An ICMP error about a packet from `reporter` to the packet's sender, quoting as much as Linux does.
    pub fn error_about(reporter: IpAddr, kind: u8, code: u8, about: &Self) -> Self {
        let limit = if about.source.is_ipv4() { QUOTE_V4_MAX_BYTES } else { QUOTE_V6_MAX_BYTES };
        let mut quote = about.bytes();
        quote.truncate(limit);
        Self::error_quoting(reporter, about.source, kind, code, &quote)
    }

    /// An ICMP error with a quote of the caller's making (short, damaged, translated by a NAT, …).
    pub fn error_quoting(reporter: IpAddr, to: IpAddr, kind: u8, code: u8, quote: &[u8]) -> Self {
        let mut packet = Self::icmp(reporter, to, kind, code, [0; 4], quote);
        if reporter.is_ipv4() {
            packet.traffic_class = 0xc0;
        }
        packet
    }

    /// Port unreachable (3/3, or 1/4 for IPv6) from the destination itself.
    pub fn port_unreachable(about: &Self) -> Self {
        let (kind, code) = if about.source.is_ipv4() { (3, 3) } else { (1, 4) };
        Self::error_about(about.destination, kind, code, about)
    }

    /// A UDP datagram as it is captured on its sender, whose network card fills the checksum in.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        let nothing = vec![0; self.payload.len()];
        let sum = !transport_checksum(self.source, self.destination, self.protocol, &nothing);
        put_word(&mut self.payload, 6, sum);
        self
    }

    /// Sets the time to live or hop limit (64 otherwise).
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets the IPv4 identification (0 otherwise).
    #[must_use]
    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    /// Sets the traffic class (0 otherwise; 0xc0 in `ICMPv4` errors).
    #[must_use]
    pub fn traffic_class(mut self, value: u8) -> Self {
        self.traffic_class = value;
        self
    }

    /// Sets the don't-fragment bit (IPv4).
    #[must_use]
    pub fn dont_fragment(mut self) -> Self {
        self.fragment |= 0x4000;
        self
    }

    /// The packet as it is after some routers: its time to live is smaller.
    #[must_use]
    pub fn after_hops(mut self, hops: u8) -> Self {
        self.ttl = self.ttl.saturating_sub(hops);
        self
    }

    /// Who sends it.
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// Whom it is for.
    pub fn destination(&self) -> IpAddr {
        self.destination
    }

    /// The packet from its IP header on.
    pub fn bytes(&self) -> Vec<u8> {
        self.fragment_bytes(self.fragment, &self.payload)
    }

    /// The packet cut into fragments of at most `size` payload bytes (rounded down to 8; IPv4 only,
    /// RFC 791 §3.2; an IPv6 packet comes back whole).
    pub fn fragments(&self, size: usize) -> Vec<Vec<u8>> {
        let size = (size & !7).max(8);
        if !self.source.is_ipv4() || self.payload.len() <= size {
            return vec![self.bytes()];
        }
        let last = (self.payload.len() - 1) / size;
        self.payload
            .chunks(size)
            .enumerate()
            .map(|(number, part)| {
                let more = if number < last { 0x2000 } else { 0 };
                self.fragment_bytes(more | (number * size / 8) as u16, part)
            })
            .collect()
    }

    fn fragment_bytes(&self, fragment: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40 + payload.len());
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                bytes.extend_from_slice(&[0x45, self.traffic_class]);
                bytes.extend_from_slice(&((20 + payload.len()) as u16).to_be_bytes());
                bytes.extend_from_slice(&self.id.to_be_bytes());
                bytes.extend_from_slice(&fragment.to_be_bytes());
                bytes.extend_from_slice(&[self.ttl, self.protocol, 0, 0]);
                bytes.extend_from_slice(&source.octets());
                bytes.extend_from_slice(&destination.octets());
                let sum = fold(sum_words(0, &bytes));
                put_word(&mut bytes, 10, sum);
            }
            (source, destination) => {
                let first = 6u32 << 28 | u32::from(self.traffic_class) << 20;
                bytes.extend_from_slice(&first.to_be_bytes());
                bytes.extend_from_slice(&(payload.len() as u16).to_be_bytes());
                bytes.extend_from_slice(&[self.protocol, self.ttl]);
                bytes.extend_from_slice(&six(source));
                bytes.extend_from_slice(&six(destination));
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// The packet in an Ethernet frame between hardware addresses derived from the IP addresses.
    pub fn ethernet(&self) -> Vec<u8> {
        self.ethernet_between(link::mac_of(self.source), link::mac_of(self.destination))
    }

    /// The packet in an Ethernet frame between two hardware addresses.
    pub fn ethernet_between(&self, source: Mac, destination: Mac) -> Vec<u8> {
        self.tagged(source, destination, &[])
    }

    /// The packet in an Ethernet frame with VLAN tags, outermost first.
    pub fn tagged(&self, source: Mac, destination: Mac, vlans: &[u16]) -> Vec<u8> {
        let bytes = self.bytes();
        link::ethernet(source, destination, vlans, link::ether_type(&bytes), &bytes)
    }
}

fn six(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn put_word(bytes: &mut [u8], at: usize, word: u16) {
    if let Some(slot) = bytes.get_mut(at..at + 2) {
        slot.copy_from_slice(&word.to_be_bytes());
    }
}

/// Adds 16-bit words for the Internet checksum (RFC 1071).
fn sum_words(start: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(2);
    let mut sum = start;
    for pair in words.by_ref() {
        if let [high, low] = pair {
            sum += u64::from(u16::from_be_bytes([*high, *low]));
        }
    }
    if let [last] = words.remainder() {
        sum += u64::from(*last) << 8;
    }
    sum
}

fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The checksum over pseudo-header and transport bytes (RFC 768, RFC 9293 §3.1, RFC 8200 §8.1).
fn transport_checksum(source: IpAddr, destination: IpAddr, protocol: u8, bytes: &[u8]) -> u16 {
    let mut sum = u64::from(protocol) + bytes.len() as u64;
    for address in [source, destination] {
        sum = match address {
            IpAddr::V4(v4) => sum_words(sum, &v4.octets()),
            IpAddr::V6(v6) => sum_words(sum, &v6.octets()),
        };
    }
    fold(sum_words(sum, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_verify_to_zero() {
        for (source, destination) in
            [("192.0.2.1:4000", "203.0.113.2:53"), ("[2001:db8::1]:4000", "[2001:db8::2]:53")]
        {
            let packet = Packet::udp(source, destination, b"odd");
            let sum = transport_checksum(packet.source, packet.destination, UDP, &packet.payload);
            assert_eq!(sum, 0, "a checksum over bytes that include the right checksum is zero");
            let error = Packet::port_unreachable(&packet);
            let bytes = error.bytes();
            if packet.source.is_ipv4() {
                assert_eq!(fold(sum_words(0, &bytes[..20])), 0);
                assert_eq!(fold(sum_words(0, &bytes[20..])), 0);
            }
        }
    }

    #[test]
    fn fragments_carry_all_bytes_once() {
        let packet = Packet::udp("192.0.2.1:4000", "203.0.113.2:53", &[7; 3000]).id(9);
        let parts = packet.fragments(1480);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts.iter().map(|part| part.len() - 20).sum::<usize>(), 3008);
        assert_eq!(parts[2][6..8], [0x01, 0x72], "the last offset is 2960 / 8 and no more follow");
    }
}
