//! Link-layer headers around an IP packet or an ARP packet.

use std::net::IpAddr;

/// `LINKTYPE_NULL`.
pub const NULL: u32 = 0;
/// `LINKTYPE_ETHERNET`.
pub const ETHERNET: u32 = 1;
/// `LINKTYPE_RAW`.
pub const RAW: u32 = 101;
/// `LINKTYPE_LINUX_SLL`.
pub const LINUX_SLL: u32 = 113;
/// `LINKTYPE_LINUX_SLL2`.
pub const LINUX_SLL2: u32 = 276;

/// Ethernet's shortest frame without the checksum; shorter ones are padded on the wire (IEEE 802.3).
const ETHERNET_MIN_BYTES: usize = 60;

/// A hardware address.
pub type Mac = [u8; 6];

/// A locally administered hardware address that belongs to an IP address, always the same.
pub fn mac_of(address: IpAddr) -> Mac {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [0x02, 0x00, a, b, c, d]
        }
        IpAddr::V6(v6) => {
            let [.., a, b, c, d, e] = v6.octets();
            [0x06, a, b, c, d, e]
        }
    }
}

/// The Ethernet type of an IP packet, by its version.
pub fn ether_type(ip: &[u8]) -> u16 {
    if ip.first().is_some_and(|octet| octet >> 4 == 6) { 0x86dd } else { 0x0800 }
}

/// An Ethernet II frame with the VLAN tags given (outermost first; two tags make 802.1ad around 802.1Q),
/// padded to the minimum length.
pub fn ethernet(source: Mac, destination: Mac, vlans: &[u16], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(18 + payload.len());
    frame.extend_from_slice(&destination);
    frame.extend_from_slice(&source);
    for (position, vlan) in vlans.iter().enumerate() {
        let tag: u16 = if position + 1 < vlans.len() { 0x88a8 } else { 0x8100 };
        frame.extend_from_slice(&tag.to_be_bytes());
        frame.extend_from_slice(&(vlan & 0x0fff).to_be_bytes());
    }
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(payload);
    if frame.len() < ETHERNET_MIN_BYTES {
        frame.resize(ETHERNET_MIN_BYTES, 0);
    }
    frame
}

/// A Linux cooked frame, version 1; `outgoing` packets have type 4, others 0.
pub fn sll(sender: Mac, outgoing: bool, ip: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(16 + ip.len());
    let kind: u16 = if outgoing { 4 } else { 0 };
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(&[0, 1, 0, 6]);
    frame.extend_from_slice(&sender);
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&ether_type(ip).to_be_bytes());
    frame.extend_from_slice(ip);
    frame
}

/// A Linux cooked frame, version 2.
pub fn sll2(interface: u32, sender: Mac, outgoing: bool, ip: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(20 + ip.len());
    frame.extend_from_slice(&ether_type(ip).to_be_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&interface.to_be_bytes());
    frame.extend_from_slice(&[0, 1, if outgoing { 4 } else { 0 }, 6]);
    frame.extend_from_slice(&sender);
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(ip);
    frame
}

/// A BSD loopback frame with the family in little-endian order.
pub fn null(ip: &[u8]) -> Vec<u8> {
    let family: u32 = if ether_type(ip) == 0x86dd { 30 } else { 2 };
    let mut frame = family.to_le_bytes().to_vec();
    frame.extend_from_slice(ip);
    frame
}
