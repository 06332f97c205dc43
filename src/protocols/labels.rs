//! Protocols that are only named: who speaks on which port, without reading further.

use std::fmt::Write as _;

use super::{Claim, Frame, Protocol, Tree};

macro_rules! labels {
    ($($id:ident $name:literal $label:literal $title:literal [$($claim:expr),* $(,)?];)*) => {
        $(#[doc = concat!("`", $name, "`: only named.")]
        pub static $id: Protocol = Protocol {
            name: $name,
            label: $label,
            title: $title,
            claims: &[$($claim),*],
            fields: &[],
            dissect,
            summary,
        };)*
    };
}

labels! {
    QUIC "quic" "QUIC" "QUIC (by its port)" [Claim::UdpPort(443)];
    DNS_OVER_TLS "dot" "DoT" "DNS over TLS (by its port, possible)" [Claim::TcpPort(853)];
    // RFC 9250 §4.1.1, and the ports of its drafts.
    DNS_OVER_QUIC "doq" "DoQ" "DNS over QUIC (by its port, possible)"
        [Claim::UdpPort(853), Claim::UdpPort(784), Claim::UdpPort(8853)];
    NBNS "nbns" "NBNS" "NetBIOS Name Service" [Claim::UdpPort(137)];
    NETBIOS "netbios" "NetBIOS" "NetBIOS datagram and session services" [Claim::UdpPort(138), Claim::TcpPort(139)];
    SSDP "ssdp" "SSDP" "Simple Service Discovery Protocol" [Claim::UdpPort(1900)];
    SNMP "snmp" "SNMP" "Simple Network Management Protocol" [Claim::UdpPort(161), Claim::UdpPort(162)];
    SSH "ssh" "SSH" "Secure Shell" [Claim::TcpPort(22)];
    SMTP "smtp" "SMTP" "Simple Mail Transfer Protocol" [Claim::TcpPort(25), Claim::TcpPort(587)];
    FTP "ftp" "FTP" "File Transfer Protocol" [Claim::TcpPort(21)];
    TELNET "telnet" "Telnet" "Telnet" [Claim::TcpPort(23)];
    POP "pop" "POP3" "Post Office Protocol" [Claim::TcpPort(110)];
    IMAP "imap" "IMAP" "Internet Message Access Protocol" [Claim::TcpPort(143)];
    LDAP "ldap" "LDAP" "Lightweight Directory Access Protocol" [Claim::TcpPort(389), Claim::UdpPort(389)];
    KERBEROS "kerberos" "KRB5" "Kerberos" [Claim::TcpPort(88), Claim::UdpPort(88)];
    SMB "smb" "SMB" "Server Message Block" [Claim::TcpPort(445)];
    SIP "sip" "SIP" "Session Initiation Protocol" [Claim::UdpPort(5060), Claim::TcpPort(5060)];
    SYSLOG "syslog" "Syslog" "Syslog" [Claim::UdpPort(514)];
    TFTP "tftp" "TFTP" "Trivial File Transfer Protocol" [Claim::UdpPort(69)];
    RADIUS "radius" "RADIUS" "RADIUS" [Claim::UdpPort(1812), Claim::UdpPort(1813)];
    RDP "rdp" "RDP" "Remote Desktop Protocol" [Claim::TcpPort(3389)];
    BGP "bgp" "BGP" "Border Gateway Protocol" [Claim::TcpPort(179)];
    DHCPV6 "dhcpv6" "DHCPv6" "DHCP for IPv6" [Claim::UdpPort(546), Claim::UdpPort(547)];
    IGMP "igmp" "IGMP" "Internet Group Management Protocol" [Claim::IpProtocol(2)];
    OSPF "ospf" "OSPF" "Open Shortest Path First" [Claim::IpProtocol(89)];
    ESP "esp" "ESP" "Encrypted IP payload" [Claim::IpProtocol(50)];
    SCTP "sctp" "SCTP" "Stream Control Transmission Protocol" [Claim::IpProtocol(132)];
    GRE "gre" "GRE" "Generic Routing Encapsulation" [Claim::IpProtocol(47)];
    LLDP "lldp" "LLDP" "Link Layer Discovery Protocol" [Claim::EtherType(0x88cc)];
    EAPOL "eapol" "EAPOL" "Port-based authentication" [Claim::EtherType(0x888e)];
}

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let (start, end) = (frame.decoded.payload_start as usize, frame.decoded.payload_end as usize);
    if end > start {
        tree.push(None, format!("Data: {} bytes", end - start), super::Value::None, start..end);
    }
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let decoded = frame.decoded;
    let _ = match decoded.ports() {
        Some((source, destination)) => {
            write!(out, "{source} → {destination}, {} bytes", decoded.payload().len())
        }
        None => write!(out, "{} bytes", decoded.payload().len()),
    };
}
