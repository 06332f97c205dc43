//! An incident on another port than 53, named with `--dns-port`, is told as on 53: findings, causes and report.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

use std::path::Path;
use std::process::Command;

use portmortem::capture;
use portmortem::decode::{Decoded, Quote, Transport, decode};
use portmortem::generate::{PcapWriter, Variant};
use portmortem::index::{Input, PacketId, Progress, build};

const USUAL: u16 = 53;
/// Of as many decimal digits as no other number of these captures has in it.
const OTHER: u16 = 5300;

/// Captures whose incidents take different ways through the program.
const CAPTURES: [&str; 12] = [
    "incidents/00_seed_plain.pcap",
    "incidents/01_server_down.pcap",
    "incidents/03_silent_drop.pcap",
    "incidents/06a_servfail.pcap",
    "incidents/07_udp_rejected_tcp_ok.pcap",
    "incidents/10b_fragments_lost_client_side.pcap",
    "incidents/13_portscan.pcap",
    "incidents/17_healthy.pcap",
    "incidents/05_wrong_resolver.pcap",
    "incidents/08_failover.pcap",
    "incidents/11c_ipv6.pcap",
    "incidents/11a_quote_8_bytes.pcap",
];

/// Writes a 16-bit field and keeps the checksums right that cover it (RFC 1624).
fn put(frame: &mut [u8], at: usize, value: u16, checksums: &[usize]) {
    let read = |frame: &[u8], at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    let old = read(frame, at);
    frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
    let end = frame.len();
    for sum in checksums.iter().copied().filter(|sum| sum + 2 <= end) {
        let before = read(frame, sum);
        if before == 0 {
            continue;
        }
        let mut new = u32::from(!before) + u32::from(!old) + u32::from(value);
        while new > 0xffff {
            new = (new & 0xffff) + (new >> 16);
        }
        frame[sum..sum + 2].copy_from_slice(&(!(new as u16)).to_be_bytes());
    }
}

/// Moves the ports of a header; `around` is the place of the checksum of what the packet stands in.
fn move_ports(decoded: &Decoded<'_>, around: Option<usize>, frame: &mut [u8]) {
    let start = decoded.transport_start as usize;
    let own = match decoded.transport {
        Transport::Udp { .. } => start + 6,
        Transport::Tcp { .. } => start + 16,
        _ => return,
    };
    let Some((from, to)) = decoded.ports() else { return };
    for (at, port) in [(start, from), (start + 2, to)] {
        if port == USUAL {
            // A checksum that stands in the quote changes as much as the port, the other way.
            let quoted_sum = around.is_some() && own + 2 <= frame.len();
            let covering = around.filter(|_| !quoted_sum);
            put(frame, at, OTHER, &[Some(own), covering].into_iter().flatten().collect::<Vec<_>>());
        }
    }
}

fn moved(frame: &[u8], link_type: capture::LinkType) -> Vec<u8> {
    let mut out = frame.to_vec();
    let decoded = decode(link_type, frame);
    if decoded.is_icmp_error() {
        if let Some(quote) = Quote::read(&decoded) {
            let sum = decoded.transport_start as usize + 2;
            move_ports(&quote.inner, Some(sum), &mut out);
        }
    } else {
        move_ports(&decoded, None, &mut out);
    }
    out
}

/// What a run prints, without what names the file.
fn told(folder: &Path, arguments: &[&str]) -> String {
    let binary = env!("CARGO_BIN_EXE_portmortem");
    let run = Command::new(binary).args(arguments).arg("capture.pcap").current_dir(folder).output().unwrap();
    assert!(run.stderr.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8(run.stdout).unwrap();
    let words = |line: &str| {
        let hash = |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let known = |word: &str| {
            if hash(word.trim_matches(['`', '"', ','])) { "#".to_owned() } else { word.to_owned() }
        };
        line.split_whitespace().map(known).collect::<Vec<_>>().join(" ")
    };
    // When it was made is another second each time.
    let timed = |line: &&str| !line.contains(" · made ") && !line.contains("opened and hashed");
    text.lines().filter(timed).map(words).collect::<Vec<_>>().join("\n")
}

/// The lines with one port of DNS, in order.
fn as_usual(text: &str) -> String {
    let text = text.replace("port 53 or port 5300", "port 53").replace("53 or 5300", "53");
    let text = text.replace(&OTHER.to_string(), &USUAL.to_string());
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn another_port_tells_the_same_incident() {
    for name in CAPTURES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(name);
        let (source, walk) = capture::open(&path).unwrap();
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
        let write = |change: &dyn Fn(&[u8], capture::LinkType) -> Vec<u8>| {
            let folder = tempfile::tempdir().unwrap();
            let file = std::fs::File::create(folder.path().join("capture.pcap")).unwrap();
            let kind = u32::from(index.packet(PacketId(0)).unwrap().link_type().0);
            let mut writer = PcapWriter::new(file, Variant::default(), kind).unwrap();
            for packet in (0..index.len()).filter_map(|id| index.packet(PacketId(id))) {
                let frame = change(packet.bytes(), packet.link_type());
                writer.cut_packet(packet.time_ns(), &frame, packet.original()).unwrap();
            }
            writer.finish().unwrap();
            folder
        };
        let usual = write(&|frame, _| frame.to_vec());
        let other = write(&moved);
        let port = OTHER.to_string();
        for command in [&["findings", "--hypotheses"][..], &["report", "--no-case"], &["episodes"], &["dns"]]
        {
            let expected = as_usual(&told(usual.path(), command));
            let named = [command, &["--dns-port", &port]].concat();
            let found = as_usual(&told(other.path(), &named));
            let (expected, found): (Vec<&str>, Vec<&str>) =
                (expected.lines().collect(), found.lines().collect());
            let differ: Vec<_> = expected.iter().zip(&found).filter(|(a, b)| a != b).take(5).collect();
            assert!(differ.is_empty() && found.len() == expected.len(), "{name} {command:?}: {differ:#?}");
        }
    }
}
