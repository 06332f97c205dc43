//! Reads the link, network and transport headers of one frame, as far as they go, and says where and why it stopped.
//!
//! No heap is used: a frame is decoded again whenever it is shown.

pub mod address;
pub mod answers;
pub mod dns;
pub mod host_name;
pub mod link;
pub mod network;
pub mod quote;
pub mod signature;
mod site;
pub mod transcript;
mod tunnel;
mod wireless;

use std::net::IpAddr;

use crate::capture::LinkType;
pub use address::Address;
pub use host_name::HostName;
pub use quote::Quote;
pub use site::Site;

/// Tunnels and tags deeper than this are not followed.
pub const LAYERS_MAX: usize = 24;
/// IP packets inside IP packets that are followed.
pub const TUNNELS_MAX: u8 = 6;
/// Stacked 802.1Q / 802.1ad tags kept.
pub const VLANS_MAX: usize = 4;

/// What a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the protocols' own")]
pub enum LayerKind {
    Ethernet,
    Vlan,
    /// Another tag before the type field; the type before it says which.
    Tag,
    Sll,
    Sll2,
    Loopback,
    Fddi,
    Pflog,
    Radiotap,
    Ieee80211,
    Llc,
    Ppp,
    Pppoe,
    Nflog,
    Ipnet,
    Mpls,
    Arp,
    Ipv4,
    Ipv6,
    Ipv6Extension,
    Ah,
    Udp,
    Tcp,
    Sctp,
    Icmp,
    Icmpv6,
    Igmp,
    Gre,
    Erspan,
    Vxlan,
    Geneve,
    Teredo,
    Gtp,
    L2tp,
    Lisp,
    Nsh,
    /// The text of one packet, as tcpdump printed it.
    Transcript,
}

/// One header: what it is and where its bytes are in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What the header is.
    pub kind: LayerKind,
    /// First byte of the header.
    pub start: u32,
    /// One past the header's last byte.
    pub end: u32,
}

/// Why reading stopped before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Byte offset in the frame.
    pub at: u32,
    /// What was being read (`IPv4 header`).
    pub reading: &'static str,
    /// What is wrong (`20 bytes needed, fewer are left`).
    pub reason: &'static str,
}

/// Fragment fields of an IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Identification (16 bits in IPv4, 32 in IPv6).
    pub id: u32,
    /// Offset of this piece in bytes.
    pub offset_bytes: u32,
    /// Whether more pieces follow.
    pub more: bool,
}

/// The transport header of the innermost packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// None was read (not IP, a later fragment, or cut off).
    #[default]
    None,
    /// UDP (RFC 768); `length` as the header says.
    Udp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// Header and data in bytes, as stated.
        length: u16,
    },
    /// TCP (RFC 9293).
    Tcp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// Sequence number.
        sequence: u32,
        /// Acknowledgment number.
        acknowledgment: u32,
        /// Flag bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.
        flags: u8,
        /// Window as sent.
        window: u16,
    },
    /// ICMP for IPv4 (RFC 792).
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// ICMPv6 (RFC 4443).
    Icmpv6 {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// Another IP protocol, by number.
    Other(u8),
}

/// One frame, decoded: the innermost addresses and ports outside any ICMP quote, and every layer passed on the way.
#[derive(Clone, Debug)]
pub struct Decoded<'a> {
    /// The frame's captured bytes.
    pub bytes: &'a [u8],
    layers: [Layer; LAYERS_MAX],
    layer_count: u8,
    vlans: [u16; VLANS_MAX],
    vlan_count: u8,
    /// Link-layer source and destination, where the link has them.
    pub link_addresses: Option<([u8; 6], [u8; 6])>,
    /// Ethertype of the innermost link layer, 0 where unknown.
    pub ether_type: u16,
    /// Source address of the innermost IP header (ARP: sender's IPv4 address).
    pub source: Address,
    /// Destination address of the innermost IP header (ARP: target's IPv4 address).
    pub destination: Address,
    /// Addresses of the outermost IP header when the packet was tunnelled.
    pub outer: Option<(Address, Address)>,
    /// Where the innermost IP header begins; 0 where there is none.
    pub network_start: u32,
    /// TTL or hop limit of the innermost IP header.
    pub ttl: u8,
    /// IPv4 identification of the innermost header; `None` for IPv6.
    pub ip_id: Option<u16>,
    /// Total length of the innermost IP packet as its header states it (header included); 0 where unknown.
    pub ip_length: u32,
    /// Protocol number above the innermost IP header and its extension headers.
    pub ip_protocol: u8,
    /// Fragment fields; `None` for whole packets (an atomic IPv6 fragment counts as whole).
    pub fragment: Option<Fragment>,
    /// The innermost transport header.
    pub transport: Transport,
    /// Where the transport header begins (later fragments: their data).
    pub transport_start: u32,
    /// What the transport carries (ICMP: what follows the first 8 bytes), cut to the IP length.
    pub payload_start: u32,
    /// One past the payload's last captured byte.
    pub payload_end: u32,
    /// Set where reading stopped early.
    pub stopped: Option<Stop>,
    /// The site its private addresses belong to.
    pub site: Site,
    network_start_known: bool,
    tunnels_left: u8,
}

impl<'a> Decoded<'a> {
    pub(crate) fn empty(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            layers: [Layer { kind: LayerKind::Ethernet, start: 0, end: 0 }; LAYERS_MAX],
            layer_count: 0,
            vlans: [0; VLANS_MAX],
            vlan_count: 0,
            link_addresses: None,
            ether_type: 0,
            source: Address::None,
            destination: Address::None,
            outer: None,
            network_start: 0,
            ttl: 0,
            ip_id: None,
            ip_length: 0,
            ip_protocol: 0,
            fragment: None,
            transport: Transport::None,
            transport_start: 0,
            payload_start: 0,
            payload_end: 0,
            stopped: None,
            site: Site::NONE,
            network_start_known: false,
            tunnels_left: TUNNELS_MAX,
        }
    }

    /// Takes its private addresses for those of a site. In place: a frame's headers are too large to hand on for each packet.
    #[inline]
    pub fn take_for(&mut self, site: Site) {
        if site != Site::NONE {
            self.site = site;
            self.source = self.source.at(site);
            self.destination = self.destination.at(site);
            self.outer = self.outer.map(|(source, destination)| (source.at(site), destination.at(site)));
        }
    }

    /// Whether an IP header was read.
    pub fn is_ip(&self) -> bool {
        self.network_start_known
    }

    /// Whether this is a part of an IP packet to be read together with the others. A first part of which the end
    /// was not captured can never be put together; it is read for what it shows.
    pub fn is_piece(&self) -> bool {
        let is_printed = self.layers().first().is_some_and(|layer| layer.kind == LayerKind::Transcript);
        let end = (self.network_start + self.ip_length) as usize;
        let complete = self.ip_length > 0 && end <= self.bytes.len();
        self.fragment.is_some_and(|fragment| fragment.offset_bytes > 0 || complete || is_printed)
    }

    /// The headers passed, outermost first.
    pub fn layers(&self) -> &[Layer] {
        self.layers.get(..usize::from(self.layer_count)).unwrap_or_default()
    }

    /// VLAN ids, outermost first.
    pub fn vlans(&self) -> &[u16] {
        self.vlans.get(..usize::from(self.vlan_count)).unwrap_or_default()
    }

    /// The payload's captured bytes.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.payload_start as usize..self.payload_end as usize).unwrap_or_default()
    }

    /// The link address the frame came from. Linux cooked headers hold that one alone (`LINKTYPE_LINUX_SLL`, `…_SLL2`).
    pub fn link_source(&self) -> Option<[u8; 6]> {
        let cooked = || {
            let layer = self.layers().first()?;
            let header = self.bytes.get(layer.start as usize..layer.end as usize)?;
            let (kind, length, address) = match layer.kind {
                LayerKind::Sll => (header.get(2..4)?, *header.get(5)?, header.get(6..12)?),
                LayerKind::Sll2 => (header.get(8..10)?, *header.get(11)?, header.get(12..18)?),
                _ => return None,
            };
            let is_ethernet = kind == [0, 1] && length == 6;
            address.first_chunk::<6>().copied().filter(|_| is_ethernet)
        };
        self.link_addresses.map(|(source, _)| source).or_else(cooked)
    }

    /// Source and destination port of UDP or TCP.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self.transport {
            Transport::Udp { source_port, destination_port, .. }
            | Transport::Tcp { source_port, destination_port, .. } => Some((source_port, destination_port)),
            _ => None,
        }
    }

    /// ICMP or ICMPv6 type and code.
    pub fn icmp(&self) -> Option<(u8, u8)> {
        match self.transport {
            Transport::Icmp { kind, code } | Transport::Icmpv6 { kind, code } => Some((kind, code)),
            _ => None,
        }
    }

    /// Whether this is an ICMP or ICMPv6 message that quotes another packet (RFC 792; RFC 4443 §2.1).
    pub fn is_icmp_error(&self) -> bool {
        match self.transport {
            Transport::Icmp { kind, .. } => matches!(kind, 3 | 4 | 5 | 11 | 12),
            Transport::Icmpv6 { kind, .. } => kind > 0 && kind < 128,
            _ => false,
        }
    }

    pub(crate) fn push_layer(&mut self, kind: LayerKind, start: usize, end: usize) -> bool {
        let Some(slot) = self.layers.get_mut(usize::from(self.layer_count)) else {
            self.stop(start, "layers", "more layers than are followed");
            return false;
        };
        *slot = Layer { kind, start: start as u32, end: end as u32 };
        self.layer_count += 1;
        true
    }

    pub(crate) fn push_vlan(&mut self, id: u16) {
        if let Some(slot) = self.vlans.get_mut(usize::from(self.vlan_count)) {
            *slot = id;
            self.vlan_count += 1;
        }
    }

    pub(crate) fn stop(&mut self, at: usize, reading: &'static str, reason: &'static str) {
        if self.stopped.is_none() {
            self.stopped = Some(Stop { at: at.min(self.bytes.len()) as u32, reading, reason });
        }
    }
}

/// Decodes an IP packet that stands alone, such as a reassembled one.
pub fn decode_ip(bytes: &[u8]) -> Decoded<'_> {
    decode(LinkType::RAW, bytes)
}

/// Decodes one frame. Never fails: what cannot be read is said in [`Decoded::stopped`].
#[inline]
pub fn decode(link_type: LinkType, bytes: &[u8]) -> Decoded<'_> {
    let mut decoded = Decoded::empty(bytes);
    link::read(link_type, &mut decoded);
    decoded
}

/// The ones' complement of the ones' complement sum of 16-bit words (RFC 1071), begun with `sum`; 0 when the
/// bytes include a correct checksum.
pub(crate) fn checksum(sum: u32, bytes: &[u8]) -> u16 {
    let mut sum = u64::from(sum);
    // 2³² and 2¹⁶ leave the same remainder as 1, so larger words add up to the same sum (RFC 1071 §2, "deferred carries").
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_be_bytes(*word);
        sum += (word >> 32) + (word & 0xffff_ffff);
    }
    for pair in rest.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        sum += u64::from(u16::from_be_bytes([high, pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Whether the ICMP or ICMPv6 checksum is right; `None` when the message is not completely captured
/// (RFC 792; RFC 4443 §2.3).
pub fn icmp_checksum_is_right(decoded: &Decoded<'_>) -> Option<bool> {
    let end = (decoded.network_start + decoded.ip_length) as usize;
    if decoded.fragment.is_some() || decoded.ip_length == 0 || end > decoded.bytes.len() {
        return None;
    }
    let message = decoded.bytes.get(decoded.transport_start as usize..end)?;
    let pseudo = match (decoded.transport, decoded.source.ip(), decoded.destination.ip()) {
        (Transport::Icmp { .. }, ..) => 0,
        (Transport::Icmpv6 { .. }, Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) => {
            let words = source.segments().into_iter().chain(destination.segments());
            words.map(u32::from).sum::<u32>() + message.len() as u32 + 58
        }
        _ => return None,
    };
    Some(checksum(pseudo, message) == 0)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn wide_words_give_the_checksum_of_narrow_ones() {
        let bytes: Vec<u8> = (0..200u32).map(|at| (at * 37 + 11) as u8).collect();
        for end in 0..bytes.len() {
            let mut sum = 7u32;
            for pair in bytes[..end].chunks(2) {
                sum += u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from);
            }
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            assert_eq!(checksum(7, &bytes[..end]), !(sum as u16), "{end} bytes");
        }
    }
}
