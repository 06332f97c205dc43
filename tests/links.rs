//! A DNS query and an ICMP error are read through every link and every tunnel, and a cut frame says where reading stopped.
#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use portmortem::capture::{self, LinkType, OpenError};
use portmortem::decode::{Address, LayerKind, TUNNELS_MAX, decode};
use portmortem::generate::encapsulate::{LINKS, TUNNELS};
use portmortem::generate::{ByteOrder, Packet, PcapWriter, PcapngWriter, Variant, dns, link};
use portmortem::index::{Input, PacketId, Progress, build};

fn query(six: bool) -> Packet {
    let (client, server) = if six {
        ("[2001:db8::15]:50000", "[2001:db8::53]:53")
    } else {
        ("192.0.2.15:50000", "203.0.113.2:53")
    };
    Packet::udp(client, server, &dns::query(35084, "a.example", dns::A))
}

fn ends(six: bool) -> [Address; 2] {
    let texts = if six { ["2001:db8::15", "2001:db8::53"] } else { ["192.0.2.15", "203.0.113.2"] };
    texts.map(|text| Address::from(text.parse::<std::net::IpAddr>().unwrap()))
}

/// Checks that the frames are a query and the error about it.
fn check(name: &str, link_type: u16, six: bool, frames: &[Vec<u8>; 2]) {
    let mut writer = PcapWriter::new(Vec::new(), Variant::default(), u32::from(link_type)).unwrap();
    for (time_ns, frame) in (0..).zip(frames) {
        writer.packet(1_700_000_000_000_000_000 + time_ns * 1_000_000, frame).unwrap();
    }
    let (source, walk) = capture::open_bytes("links", writer.finish().unwrap().leak()).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let [client, server] = ends(six);
    let packet = index.packet(PacketId(0)).unwrap();
    assert_eq!((packet.source_address(), packet.destination_address()), (client, server), "{name}");
    assert_eq!((packet.source_port(), packet.destination_port()), (50000, 53), "{name}");
    assert_eq!(packet.dns().unwrap().header.id, 35084, "{name}");
    let error = index.packet(PacketId(1)).unwrap();
    let kind = if six { (1, 4) } else { (3, 3) };
    assert_eq!((error.source_port(), error.destination_port()), kind, "{name}");
    assert_eq!(index.icmp_rows().count(), 1, "{name}");
    let row = index.icmp_rows().next().unwrap();
    assert_eq!(row.quoted_flow, index.dns_rows().next().unwrap().flow, "{name}");
}

fn pairs() -> [(bool, [Vec<u8>; 2]); 2] {
    [false, true].map(|six| {
        let query = query(six);
        (six, [query.bytes(), Packet::port_unreachable(&query).bytes()])
    })
}

#[test]
fn every_link_is_passed() {
    for (name, link_type, frame) in LINKS {
        for (six, packets) in pairs() {
            if !(*link_type == 228 && six || *link_type == 229 && !six) {
                check(name, *link_type, six, &packets.map(|packet| frame(&packet)));
            }
        }
    }
}

#[test]
fn every_tunnel_is_passed_in_every_link() {
    for (name, tunnel) in TUNNELS {
        for (six, packets) in pairs() {
            // Teredo carries IPv6 only (RFC 4380).
            if *name == "Teredo" && !six {
                continue;
            }
            for (link_name, link_type, frame) in LINKS {
                let packets = packets.clone().map(|packet| tunnel(&packet));
                let outer_is_v6 =
                    packets.iter().all(|packet| packet.first().is_some_and(|byte| byte >> 4 == 6));
                if *link_type == 228 && outer_is_v6 || *link_type == 229 && !outer_is_v6 {
                    continue;
                }
                let name = format!("{name} in {link_name}");
                check(&name, *link_type, six, &packets.map(|packet| frame(&packet)));
            }
        }
    }
}

#[test]
fn tunnels_in_tunnels_are_followed_to_the_limit_and_no_further() {
    let mut packet = query(false).bytes();
    for depth in 0..2 * TUNNELS_MAX {
        let decoded = decode(LinkType::RAW, &packet);
        let inner = decoded.ports().map(|(_, port)| port) == Some(53);
        assert_eq!(inner, depth <= TUNNELS_MAX, "{depth} tunnels");
        assert_eq!(decoded.stopped.is_some(), !inner, "{depth} tunnels");
        let (_, ip_in_ip) = TUNNELS[0];
        packet = ip_in_ip(&packet);
    }
}

#[test]
fn vlan_ids_are_kept_outermost_first() {
    let of = |name: &str| LINKS.iter().find(|(known, ..)| *known == name).unwrap().2;
    let packet = query(false).bytes();
    assert_eq!(decode(LinkType::ETHERNET, &of("802.1ad")(&packet)).vlans(), [200, 100]);
    assert_eq!(decode(LinkType::ETHERNET, &of("802.1Q")(&packet)).vlans(), [100]);
}

#[test]
fn a_frame_cut_anywhere_before_its_ports_says_where_and_why() {
    for (name, link_type, frame) in LINKS.iter().filter(|(_, number, _)| *number != 229) {
        let whole = frame(&query(false).bytes());
        let decoded = decode(LinkType(*link_type), &whole);
        let ports_end = decoded.transport_start as usize + 4;
        assert!(decoded.layers().iter().any(|layer| layer.kind == LayerKind::Udp), "{name}");
        for cut in 0..ports_end {
            let decoded = decode(LinkType(*link_type), &whole[..cut]);
            let stop = decoded.stopped.unwrap_or_else(|| panic!("{name} cut to {cut} bytes"));
            assert!(stop.at as usize <= cut, "{name}: {stop:?} in {cut} bytes");
            let inside = decoded.layers().iter().all(|layer| layer.end as usize <= cut);
            assert!(inside, "{name}: {:?} in {cut} bytes", decoded.layers());
            assert!(!stop.reading.is_empty() && !stop.reason.is_empty());
        }
    }
}

#[test]
fn captures_of_other_programs_are_named_with_the_command_that_converts_them() {
    // ERF has no magic number: three records of type 2 (Ethernet), 80 bytes each, a second apart.
    let record = |second: u8| {
        let mut record = vec![0; 80];
        record[4..16].copy_from_slice(&[second, 0x90, 0x45, 0x66, 2, 4, 0, 80, 0, 0, 0, 62]);
        record
    };
    let erf = [record(1), record(2), record(3)].concat();
    let files: [(&[u8], &str); 4] = [
        (&erf, "ERF"),
        (b"snoop\0\0\0\0\0\0\x02\0\0\0\x04", "snoop"),
        (b"GMBU\0\x02\x01\0\0\0\0\0\0\0\0\0", "Network Monitor 2"),
        (b"RTSS\0\x01\x01\0\0\0\0\0\0\0\0\0", "Network Monitor 1"),
    ];
    for (magic, what) in files {
        let mut bytes = magic.to_vec();
        bytes.resize(bytes.len().max(200), 0);
        let error = capture::open_bytes("capture.bin", bytes.leak()).err().unwrap();
        assert!(matches!(error, OpenError::Foreign { .. }), "{what}: {error}");
        let text = error.to_string();
        assert!(text.contains("editcap -F pcap capture.bin") && text.contains(what), "{text}");
    }
}

#[test]
fn extension_headers_are_passed_to_a_limit_and_a_short_udp_length_is_named() {
    let ipv6 = query(true).bytes();
    let chain = |count: usize| {
        let mut frame = ipv6[..40].to_vec();
        let length = u16::try_from(ipv6.len() - 40 + 8 * count).unwrap();
        frame[4..6].copy_from_slice(&length.to_be_bytes());
        frame[6] = if count > 0 { 60 } else { 17 };
        for number in 1..=count {
            frame.extend_from_slice(&[if number < count { 60 } else { 17 }, 0, 1, 4, 0, 0, 0, 0]);
        }
        frame.extend_from_slice(&ipv6[40..]);
        frame
    };
    let frame = chain(10);
    let decoded = decode(LinkType::RAW, &frame);
    assert_eq!((decoded.ports(), decoded.stopped), (Some((50000, 53)), None));
    let frame = chain(11);
    let stop = decode(LinkType::RAW, &frame).stopped.unwrap();
    assert_eq!((stop.at, stop.reading), (40 + 80, "IPv6 extension header"));

    let mut frame = chain(0);
    frame[44..46].copy_from_slice(&[0, 7]);
    let decoded = decode(LinkType::RAW, &frame);
    assert_eq!(decoded.ports(), Some((50000, 53)));
    assert!(decoded.stopped.unwrap().reason.contains("less than the header"));
}

/// The first line `packets` prints for a frame.
fn summary(link_type: u16, frame: &[u8]) -> String {
    let mut writer = PcapWriter::new(Vec::new(), Variant::default(), u32::from(link_type)).unwrap();
    writer.packet(1_700_000_000_000_000_000, frame).unwrap();
    let (source, walk) = capture::open_bytes("links", writer.finish().unwrap().leak()).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let packet = index.packet(PacketId(0)).unwrap();
    format!("{} {}", packet.protocol().protocol().label, packet.summary())
}

/// An 802.11 data frame with several packets in it.
fn aggregate(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = vec![0x88, 0x01, 0, 0];
    frame.extend([2; 18]);
    // The quality-of-service field says that subframes follow.
    frame.extend([0, 0, 0x80, 0]);
    for packet in packets {
        let start = frame.len();
        frame.extend([2; 12]);
        frame.extend((packet.len() as u16 + 8).to_be_bytes());
        frame.extend([0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
        frame.extend(packet);
        frame.resize(start + (frame.len() - start).next_multiple_of(4), 0);
    }
    frame
}

#[test]
fn of_several_packets_in_one_frame_it_is_said_that_one_is_read() {
    let packet = query(false).bytes();
    let one = aggregate(std::slice::from_ref(&packet));
    assert_eq!(summary(105, &one), "DNS A? a.example");
    assert_eq!(decode(LinkType(105), &one).stopped, None);
    let several = aggregate(&[packet.clone(), packet]);
    assert_eq!(summary(105, &several), "DNS A? a.example · A-MSDU: only the first subframe is read");
    assert!(decode(LinkType(105), &several).stopped.is_some());
}

#[test]
fn what_is_encrypted_or_cut_is_said_in_the_line() {
    let ip = query(false).bytes();
    let tag = [0x2c, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0, 1];
    let macsec = link::ethernet([2; 6], [4; 6], &[], 0x88e5, &[&tag[..], &ip].concat());
    assert!(summary(1, &macsec).ends_with("MACsec: the frame is encrypted"), "{}", summary(1, &macsec));
    let error = Packet::port_unreachable(&query(false)).bytes();
    assert_eq!(summary(101, &error[..21]), "ICMP ICMP header: 8 bytes are needed, fewer are there");
    let error = Packet::port_unreachable(&query(true)).bytes();
    assert_eq!(summary(101, &error[..41]), "ICMPv6 ICMP header: 8 bytes are needed, fewer are there");
}

#[test]
fn logged_packets_that_are_not_ip_are_read_by_their_protocol_number() {
    let arp = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1];
    let logged = |protocol: [u8; 2], payload: &[u8]| {
        // The header attribute: protocol number, hook, padding; then the payload.
        let header = [8, 0, 1, 0, protocol[0], protocol[1], 0, 0];
        let length = (payload.len() as u16 + 4).to_le_bytes();
        [&[7, 0, 0, 0][..], &header, &length, &[9, 0], payload].concat()
    };
    assert_eq!(summary(239, &logged([8, 6], &arp)), "ARP who-has 192.0.2.1 tell 192.0.2.10");
    assert_eq!(summary(239, &logged([8, 0], &query(false).bytes())), "DNS A? a.example");
    assert_eq!(summary(239, &logged([0, 0], &query(true).bytes())), "DNS A? a.example");
    assert_eq!(summary(239, &logged([0x88, 0xcc], &arp)), "LLDP 28 bytes");
}

#[test]
fn a_version_that_nobody_specified_is_named() {
    let damage = |bytes: Vec<u8>| {
        let (source, walk) = capture::open_bytes("version", bytes.leak()).unwrap();
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
        assert_eq!(index.len(), 1);
        index.sources[0].metadata.damage.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let pcap = |major: u8, minor: u8| {
        let mut writer = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).unwrap();
        writer.packet(1_700_000_000_000_000_000, &query(false).ethernet()).unwrap();
        let mut bytes = writer.finish().unwrap();
        (bytes[4], bytes[6]) = (major, minor);
        bytes
    };
    assert!(damage(pcap(2, 4)).is_empty());
    assert!(damage(pcap(3, 0))[0].contains("version 3.0, which is not specified"));
    let pcapng = |major: u8, minor: u8| {
        let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Little, &[]).unwrap();
        writer.interface(link::ETHERNET, 9, "eth0").unwrap();
        writer.packet(0, 1_700_000_000_000_000_000, &query(false).ethernet(), &[]).unwrap();
        let mut bytes = writer.finish().unwrap();
        (bytes[12], bytes[14]) = (major, minor);
        bytes
    };
    assert!(damage(pcapng(1, 0)).is_empty() && damage(pcapng(1, 2)).is_empty());
    assert!(damage(pcapng(2, 0))[0].contains("version 2.0, which is not specified"));
}

#[test]
fn quic_to_the_port_of_dns_is_dns_over_quic() {
    let to = |port: u16| Packet::udp("192.0.2.15:50000", format!("203.0.113.2:{port}").as_str(), &[0xc0; 30]);
    assert_eq!(summary(101, &to(853).bytes()), "DoQ 50000 → 853, 30 bytes");
    assert_eq!(summary(101, &to(443).bytes()), "QUIC 50000 → 443, 30 bytes");
}
