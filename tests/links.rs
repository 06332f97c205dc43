//! A DNS query and an ICMP error are read through every link and every tunnel, and a cut frame says where reading stopped.
#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use portmortem::capture::{self, LinkType, OpenError};
use portmortem::decode::{Address, LayerKind, TUNNELS_MAX, decode};
use portmortem::generate::encapsulate::{LINKS, TUNNELS};
use portmortem::generate::{Packet, PcapWriter, Variant, dns};
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
