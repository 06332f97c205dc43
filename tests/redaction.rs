//! Redacted packets give nothing away: not one address, name or host stays in any byte of any packet.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on ends")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use portmortem::capture;
use portmortem::decode::{Address, decode};
use portmortem::export::redact::{Pseudonyms, packet::redact};
use portmortem::index::{Index, Input, PacketId, Progress, build};

fn index_of(path: &Path) -> Option<Index> {
    let (source, walk) = capture::open(path).ok()?;
    Some(build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {}))
}

/// Captures in a folder and those below it.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(captures(&path));
        } else if !matches!(path.extension().and_then(|ending| ending.to_str()), Some("json" | "txt" | "md"))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What must not be found: bytes of addresses that are unlikely to occur by chance, and labels of names.
#[derive(Default)]
struct Secrets {
    v4: HashSet<[u8; 4]>,
    ether: HashSet<[u8; 6]>,
    v6: HashSet<[u8; 16]>,
    labels: HashSet<Vec<u8>>,
}

/// Labels that redaction keeps, because they name a role or a public zone.
const PUBLIC: [&str; 3] = ["in-addr", "localdomain", "_kerberos"];

fn secrets(index: &Index) -> Secrets {
    let (mut found, mut zones) = (Secrets::default(), HashSet::new());
    for segment in index.segments() {
        for address in &segment.addresses {
            match address {
                Address::V4(ip) => {
                    let octets = ip.octets();
                    let plain = octets.iter().filter(|byte| **byte != 0 && **byte != 255).count() == 4;
                    let kept =
                        ip.is_multicast() || ip.is_loopback() || octets[0] == 198 && octets[1] & 0xfe == 18;
                    if plain && !kept {
                        found.v4.insert(octets);
                    }
                }
                Address::V6(ip) if !(ip.is_multicast() || ip.is_loopback() || ip.is_unspecified()) => {
                    found.v6.insert(ip.octets());
                }
                Address::Ether(ether)
                    if ether[0] & 1 == 0 && ether.iter().filter(|b| **b != 0).count() > 3 =>
                {
                    found.ether.insert(*ether);
                }
                _ => {}
            }
        }
        for name in (0..segment.names.len() as u32).filter_map(|at| segment.names.get(at)) {
            let mut rest = name;
            let mut labels = Vec::new();
            while let Some((&length, tail)) = rest.split_first() {
                let Some((label, tail)) = tail.split_at_checked(usize::from(length)) else { break };
                labels.push(label.to_ascii_lowercase());
                rest = tail;
            }
            // The root and the top-level zone stay, wherever the same word stands.
            zones.extend(labels.iter().rev().nth(1).cloned());
            labels.truncate(labels.len().saturating_sub(2));
            let kept = |label: &Vec<u8>| PUBLIC.iter().any(|public| public.as_bytes() == label.as_slice());
            found.labels.extend(labels.into_iter().filter(|label| label.len() > 5 && !kept(label)));
        }
    }
    found.labels.retain(|label| !zones.contains(label));
    found
}

/// The first secret in these bytes.
fn leak(secrets: &Secrets, bytes: &[u8]) -> Option<String> {
    let v4 = bytes.windows(4).find(|w| secrets.v4.contains(*w)).map(|w| format!("IPv4 {w:?}"));
    let v6 = || bytes.windows(16).find(|w| secrets.v6.contains(*w)).map(|w| format!("IPv6 {w:?}"));
    let ether = || bytes.windows(6).find(|w| secrets.ether.contains(*w)).map(|w| format!("link {w:02x?}"));
    let lower = bytes.to_ascii_lowercase();
    let label = || {
        let found = secrets.labels.iter().find(|label| memchr::memmem::find(&lower, label).is_some());
        found.map(|label| format!("label {}", String::from_utf8_lossy(label)))
    };
    v4.or_else(v6).or_else(ether).or_else(label)
}

#[test]
fn no_packet_of_any_capture_at_hand_keeps_an_address_or_a_name() {
    let folder = std::env::var_os("PORTMORTEM_CAPTURES");
    let folder =
        folder.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures"), PathBuf::from);
    let mut wrong = Vec::new();
    for path in captures(&folder) {
        let Some(index) = index_of(&path) else { continue };
        let secrets = secrets(&index);
        let mut pseudonyms = Pseudonyms::of(&index);
        for id in 0..index.len().min(3_000) {
            let packet = index.packet(PacketId(id)).unwrap();
            if packet.link_type() == capture::LinkType::TRANSCRIPT {
                break;
            }
            let redacted = redact(&mut pseudonyms, packet.link_type(), packet.bytes());
            if let Some(leak) = leak(&secrets, &redacted) {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                wrong.push(format!(
                    "{name} frame {}, {}: {leak}",
                    id + 1,
                    decode(packet.link_type(), packet.bytes())
                        .layers()
                        .iter()
                        .map(|l| format!("{:?}", l.kind))
                        .collect::<Vec<_>>()
                        .join("/")
                ));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} leaks:\n{}", wrong.len(), wrong.join("\n"));
}

const SECRET: [u8; 4] = [11, 22, 33, 44];
const SECRET_V6: [u8; 16] =
    [0x26, 0x20, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee];
const SECRET_ETHER: [u8; 6] = [0x3c, 0x52, 0x82, 0x11, 0x22, 0x33];
const SECRET_NAME: &[u8] = b"\x09geheimnis\x05firma\x07example\x00";
const SECRET_TEXT: &[u8] = b"geheimnis.firma.example 11.22.33.44 44.33.22.11.in-addr.arpa";

fn sum(bytes: &[u8], start: u32) -> u16 {
    let mut sum = start;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn ethernet(kind: u16, body: &[u8]) -> Vec<u8> {
    [&SECRET_ETHER[..], &SECRET_ETHER, &kind.to_be_bytes(), body].concat()
}

fn ipv4(protocol: u8, options: &[u8], body: &[u8]) -> Vec<u8> {
    let words = (20 + options.len()) / 4;
    let length = (words * 4 + body.len()) as u16;
    let mut head = vec![0x40 | words as u8, 0, 0, 0, 0, 7, 0, 0, 64, protocol, 0, 0];
    head[2..4].copy_from_slice(&length.to_be_bytes());
    head.extend(SECRET);
    head.extend(SECRET);
    head.extend(options);
    let check = sum(&head, 0);
    head[10..12].copy_from_slice(&check.to_be_bytes());
    [&head[..], body].concat()
}

fn ipv6(next: u8, body: &[u8]) -> Vec<u8> {
    let mut head = vec![0x60, 0, 0, 0];
    head.extend((body.len() as u16).to_be_bytes());
    head.extend([next, 64]);
    [&head[..], &SECRET_V6, &SECRET_V6, body].concat()
}

fn udp(source: u16, destination: u16, body: &[u8]) -> Vec<u8> {
    let length = 8 + body.len() as u16;
    let mut out = [source, destination, length, 0].map(u16::to_be_bytes).concat();
    out.extend(body);
    let pseudo = [&SECRET[..], &SECRET, &[0, 17], &length.to_be_bytes()].concat();
    let check = sum(&[pseudo, out.clone()].concat(), 0);
    out[6..8].copy_from_slice(&check.to_be_bytes());
    out
}

fn icmp(kind: u8, code: u8, rest: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = [&[kind, code, 0, 0][..], &rest, body].concat();
    let check = sum(&out, 0);
    out[2..4].copy_from_slice(&check.to_be_bytes());
    out
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let head =
        [&[0xc0, 12][..], &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &(data.len() as u16).to_be_bytes()];
    [&head.concat()[..], data].concat()
}

/// A response with records that carry addresses and names in every way there is.
fn response() -> Vec<u8> {
    let svcb = [&[0, 1][..], SECRET_NAME, &[0, 4, 0, 4], &SECRET, &[0, 6, 0, 16], &SECRET_V6].concat();
    let soa = [SECRET_NAME, SECRET_NAME, &[0; 20]].concat();
    let records = [
        record(1, &SECRET),
        record(28, &SECRET_V6),
        record(2, SECRET_NAME),
        record(5, SECRET_NAME),
        record(6, &soa),
        record(12, SECRET_NAME),
        record(15, &[&[0, 10][..], SECRET_NAME].concat()),
        record(16, &[&[SECRET_TEXT.len() as u8][..], SECRET_TEXT].concat()),
        record(33, &[&[0, 1, 0, 1, 0, 53][..], SECRET_NAME].concat()),
        record(35, &[&[0; 4][..], &[9], b"geheimnis", SECRET_NAME].concat()),
        record(47, &[SECRET_NAME, &[0, 1, 0x40]].concat()),
        record(65, &svcb),
        record(257, SECRET_TEXT),
        record(65_300, &SECRET),
    ];
    // Client subnet (RFC 7871) and an extended error with text (RFC 8914).
    let subnet = [&[0, 8, 0, 8, 0, 1, 32, 0][..], &SECRET].concat();
    let error = [&[0, 15][..], &(SECRET_TEXT.len() as u16 + 2).to_be_bytes(), &[0, 22], SECRET_TEXT].concat();
    let options = [subnet, error].concat();
    let opt = [&[0, 0, 41, 4, 208, 0, 0, 0, 0][..], &(options.len() as u16).to_be_bytes(), &options].concat();
    let count = (records.len() as u16).to_be_bytes();
    let head = [&[0x12, 0x34, 0x81, 0x80, 0, 1][..], &count, &[0, 0, 0, 1]].concat();
    [head, SECRET_NAME.to_vec(), vec![0, 1, 0, 1], records.concat(), opt].concat()
}

fn query() -> Vec<u8> {
    [&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], SECRET_NAME, &[0, 1, 0, 1]].concat()
}

/// Frames that hold secrets where a careless eye does not look.
fn hostile() -> Vec<(&'static str, u16, Vec<u8>)> {
    let over = |inner: Vec<u8>| ethernet(0x0800, &inner);
    let route = [&[7, 11, 12][..], &SECRET, &SECRET, &[0]].concat();
    let dns = ipv4(17, &[], &udp(53, 40_000, &response()));
    let quoted = ipv4(17, &[], &udp(40_000, 53, &query()));
    let quoted_answer = ipv4(17, &route, &udp(53, 40_000, &response()));
    // An extension after 128 bytes of quote (RFC 4884) that names the interface's address (RFC 5837).
    let mut padded = quoted.clone();
    padded.resize(128, 0);
    let object = [&[0, 12, 2, 0x94, 0, 1, 0, 0][..], &SECRET].concat();
    let extension = [&[0x20, 0, 0, 0][..], &object].concat();
    let extended = [padded, extension].concat();
    let http = b"GET / HTTP/1.1\r\nHost: geheimnis.firma.example\r\nX-Forwarded-For: 11.22.33.44\r\n\r\n";
    let tcp = |body: &[u8]| {
        [&[0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x18, 1, 0, 0, 0, 0, 0][..], body].concat()
    };
    let hello = [&[22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3][..], SECRET_TEXT].concat();
    let routing = [&[17, 2, 4, 0, 0, 0, 0, 0][..], &SECRET_V6, &udp(40_000, 53, &query())].concat();
    let vxlan = [&[8, 0, 0, 0, 0, 0, 1, 0][..], &ethernet(0x0800, &dns)].concat();
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 2][..], &SECRET_ETHER, &SECRET, &SECRET_ETHER, &SECRET].concat();
    let mut sll2 = [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6][..], &SECRET_ETHER, &[0, 0]].concat();
    sll2.extend(&dns);
    let mut sll = [&[0, 0, 0, 1, 0, 6][..], &SECRET_ETHER, &[0, 0, 8, 0]].concat();
    sll.extend(&dns);
    let tlv = |kind: u16, data: &[u8]| {
        let mut out = [&(4 + data.len() as u16).to_le_bytes()[..], &kind.to_le_bytes(), data].concat();
        out.resize(out.len().next_multiple_of(4), 0);
        out
    };
    let hardware = [&[0, 6, 0, 0][..], &SECRET_ETHER, &[0, 0]].concat();
    let nflog = [vec![2, 0, 0, 0], tlv(8, &hardware), tlv(10, SECRET_TEXT), tlv(9, &dns)].concat();
    let wireless = [
        &[8, 3, 0, 0][..],
        &SECRET_ETHER,
        &SECRET_ETHER,
        &SECRET_ETHER,
        &[0, 0],
        &SECRET_ETHER,
        &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
        &dns,
    ]
    .concat();
    let neighbour = [&[0; 4][..], &SECRET_V6, &[2, 1], &SECRET_ETHER].concat();
    vec![
        ("DNS with every record, and a trailer", 1, [over(dns.clone()), SECRET_TEXT.to_vec()].concat()),
        ("recorded route", 1, over(ipv4(17, &route, &udp(40_000, 53, &query())))),
        ("ICMP error", 1, over(ipv4(1, &[], &icmp(3, 3, [0; 4], &quoted)))),
        (
            "ICMP error about an answer with options",
            1,
            over(ipv4(1, &[], &icmp(3, 3, [0; 4], &quoted_answer))),
        ),
        ("ICMP error, eight bytes quoted", 1, over(ipv4(1, &[], &icmp(3, 3, [0; 4], &quoted[..28])))),
        ("ICMP error with an extension", 1, over(ipv4(1, &[], &icmp(3, 3, [0, 32, 0, 0], &extended)))),
        ("ICMP redirect", 1, over(ipv4(1, &[], &icmp(5, 1, SECRET, &quoted)))),
        ("ICMP echo", 1, over(ipv4(1, &[], &icmp(8, 0, [0; 4], SECRET_TEXT)))),
        (
            "ICMP address mask and router advertisement",
            1,
            over(ipv4(1, &[], &icmp(9, 0, [1, 2, 0, 60], &SECRET))),
        ),
        (
            "ICMPv6 error",
            1,
            ethernet(0x86dd, &ipv6(58, &icmp(1, 4, [0; 4], &ipv6(17, &udp(40_000, 53, &query()))))),
        ),
        ("neighbour advertisement", 1, ethernet(0x86dd, &ipv6(58, &icmp(136, 0, [0; 4], &neighbour[4..])))),
        ("IPv6 routing header", 1, ethernet(0x86dd, &ipv6(43, &routing))),
        ("HTTP", 1, over(ipv4(6, &[], &tcp(http)))),
        ("TLS", 1, over(ipv4(6, &[], &tcp(&hello)))),
        ("mDNS", 1, over(ipv4(17, &[], &udp(5353, 5353, &response())))),
        ("LLMNR", 1, over(ipv4(17, &[], &udp(40_000, 5355, &query())))),
        ("NetBIOS", 1, over(ipv4(17, &[], &udp(137, 137, &response())))),
        (
            "DHCP",
            1,
            over(ipv4(
                17,
                &[],
                &udp(
                    68,
                    67,
                    &[&[1, 1, 6, 0][..], &[0; 8], &SECRET, &SECRET, &SECRET, &SECRET, &SECRET_ETHER].concat(),
                ),
            )),
        ),
        ("syslog", 1, over(ipv4(17, &[], &udp(40_000, 514, SECRET_TEXT)))),
        ("VXLAN", 1, over(ipv4(17, &[], &udp(40_000, 4789, &vxlan)))),
        ("GRE", 1, over(ipv4(47, &[], &[&[0, 0, 8, 0][..], &dns].concat()))),
        ("IP in IP", 1, over(ipv4(4, &[], &dns))),
        ("6in4", 1, over(ipv4(41, &[], &ipv6(17, &udp(40_000, 53, &query()))))),
        ("ARP", 1, ethernet(0x0806, &arp)),
        ("VLAN", 1, ethernet(0x8100, &[&[0, 5, 8, 0][..], &dns].concat())),
        ("unknown ethertype", 1, ethernet(0x88b5, SECRET_TEXT)),
        ("LLDP", 1, ethernet(0x88cc, SECRET_TEXT)),
        ("cooked", 113, sll),
        ("cooked 2", 276, sll2),
        ("NFLOG", 239, nflog),
        ("802.11 with four addresses", 105, wireless),
        ("raw", 101, dns),
        ("cut in the middle of a name", 1, over(ipv4(17, &[], &udp(40_000, 53, &query())))[..62].to_vec()),
        ("unknown link type", 147, SECRET_TEXT.to_vec()),
    ]
}

#[test]
fn secrets_in_unusual_places_are_removed_too() {
    let secrets = Secrets {
        v4: HashSet::from([SECRET, [44, 33, 22, 11]]),
        v6: HashSet::from([SECRET_V6]),
        ether: HashSet::from([SECRET_ETHER]),
        labels: [&b"geheimnis"[..], b"firma", b"11.22.33.44", b"44.33.22.11"].map(<[u8]>::to_vec).into(),
    };
    let mut wrong = Vec::new();
    for (what, link_type, bytes) in hostile() {
        let link_type = capture::LinkType(link_type);
        assert!(leak(&secrets, &bytes).is_some(), "{what} holds no secret to begin with");
        for cut in (0..=bytes.len()).rev() {
            let mut pseudonyms = Pseudonyms::default();
            let redacted = redact(&mut pseudonyms, link_type, &bytes[..cut]);
            if let Some(leak) = leak(&secrets, &redacted) {
                wrong.push(format!("{what}, cut to {cut} of {}: {leak}", bytes.len()));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} leaks:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn checksums_fit_the_pseudonyms() {
    let mut pseudonyms = Pseudonyms::default();
    let frame = |body: Vec<u8>| ethernet(0x0800, &body);
    let mut redacted = |bytes: Vec<u8>| redact(&mut pseudonyms, capture::LinkType(1), &bytes);
    let dns = redacted(frame(ipv4(17, &[], &udp(40_000, 53, &query()))));
    assert_eq!(sum(&dns[14..34], 0), 0, "IPv4 header");
    let length = (dns.len() - 34) as u32;
    assert_eq!(sum(&[&dns[26..34], &dns[34..]].concat(), 17 + length), 0, "UDP");
    let quoted = ipv4(17, &[], &udp(40_000, 53, &query()));
    let error = redacted(frame(ipv4(1, &[], &icmp(3, 3, [0; 4], &quoted))));
    assert_eq!(sum(&error[34..], 0), 0, "ICMP");
    assert_eq!(sum(&error[42..62], 0), 0, "the quoted IPv4 header");
    // The quoted datagram is the one that was sent: the tie stays exact.
    assert_eq!(&error[62..], &dns[34..]);
}
