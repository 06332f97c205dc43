//! Mutates captures, containers, transcripts and frames for a while: nothing may panic, hang, or ask for much memory.
//!
//! Rounds are functions of their number. `PORTMORTEM_MUTATION_SECONDS` sets how long each test runs (2 otherwise) and
//! `PORTMORTEM_MUTATION_FIRST` where it begins, so that a long run does not repeat the short one. A failure names its round.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::{Cursor, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use portmortem::capture::{self, Limits, LinkType, OpenError, Options, Source, Walk};
use portmortem::correlate::{Parameters, correlate};
use portmortem::decode::{Quote, decode};
use portmortem::generate::{Random, mixed};
use portmortem::index::{Index, Input, PacketId, Progress, build};

/// One round takes milliseconds; far more is a loop that was not meant.
const ROUND_MAX: Duration = Duration::from_secs(30);
/// Memory the process may have had at its most; the largest input is some hundred KiB.
const MEMORY_MAX_KIB: u64 = 2 << 20;
/// Bytes of an input that are mutated.
const INPUT_MAX_BYTES: usize = 60_000;
/// Packets of each round whose details are shown.
const SHOWN_MAX: u32 = 60;

const LINK_TYPES: [u16; 22] =
    [0, 1, 9, 10, 12, 14, 50, 51, 101, 105, 108, 109, 113, 117, 119, 127, 163, 192, 226, 228, 239, 276];

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Runs rounds until the time is up.
fn rounds(name: &str, mut round: impl FnMut(&mut Random)) {
    let patience = Duration::from_secs(number("PORTMORTEM_MUTATION_SECONDS", 2));
    let begun = Instant::now();
    let first = number("PORTMORTEM_MUTATION_FIRST", 0);
    let mut done = 0;
    while begun.elapsed() < patience || done < 3 {
        let seed = first + done;
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| round(&mut Random::new(seed))));
        assert!(outcome.is_ok(), "{name}: round {seed} panicked");
        assert!(started.elapsed() < ROUND_MAX, "{name}: round {seed} took {:?}", started.elapsed());
        done += 1;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    if let Some(peak) = peak.and_then(|text| text.trim().parse::<u64>().ok()) {
        assert!(peak < MEMORY_MAX_KIB, "{name}: {peak} KiB were in use after {done} rounds");
    }
}

fn captures() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut found = Vec::new();
    for folder in ["incidents", "lab"] {
        let mut paths: Vec<_> =
            std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let is_capture = |path: &&std::path::PathBuf| {
            path.extension().is_some_and(|ending| ending != "json" && ending != "txt")
        };
        found.extend(paths.iter().filter(is_capture).map(|path| {
            let mut bytes = std::fs::read(path).unwrap();
            bytes.truncate(INPUT_MAX_BYTES);
            bytes
        }));
    }
    found.extend((0..12).map(|seed| mixed::write(mixed::SHAPES[seed % 6], 60, seed as u64).unwrap()));
    found
}

/// Bit flips, extreme lengths, cuts, repeats, holes, and pieces of another input.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..random.between(1, 24) {
        let length = bytes.len() as u64;
        let at = random.below(length.max(1)) as usize;
        match random.below(14) {
            0..=3 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            4 | 5 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.bits() as u8;
                }
            }
            6 | 7 => {
                let values = [0u32, 1, 7, 0x7f, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, u32::MAX];
                let value = *random.pick(&values).unwrap();
                let value = if random.chance(50) { value.to_le_bytes() } else { value.to_be_bytes() };
                let width = if random.chance(50) { 4 } else { 2 };
                if let Some(slot) = bytes.get_mut(at..at + width) {
                    slot.copy_from_slice(&value[4 - width..]);
                }
            }
            8 => bytes.truncate(at),
            9 => {
                let end = (at + random.below(300) as usize).min(bytes.len());
                let piece = bytes[at.min(end)..end].to_vec();
                let to = random.below(length + 1) as usize;
                bytes.splice(to.min(bytes.len())..to.min(bytes.len()), piece);
            }
            10 => {
                let end = (at + random.below(80) as usize).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            11 => {
                let from = random.below(other.len().max(1) as u64) as usize;
                let end = (from + random.below(400) as usize).min(other.len());
                let to = at.min(bytes.len());
                bytes.splice(to..to, other.get(from..end).unwrap_or_default().iter().copied());
            }
            12 => {
                if let Some(slot) = bytes.get_mut(at..at + 2) {
                    slot.copy_from_slice(&[0xc0 | random.below(4) as u8, random.bits() as u8]);
                }
            }
            _ => {
                let end = (at + random.below(40) as usize).min(bytes.len());
                let value = if random.chance(50) { 0 } else { 0xff };
                bytes[at.min(end)..end].fill(value);
            }
        }
    }
}

/// Builds, correlates and shows whatever opens; an error is as good as a capture, but it must say something.
fn through(opened: Result<(Source, Box<dyn Walk>), OpenError>) -> u32 {
    let (source, walk) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return 0;
        }
    };
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    show(&index);
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    for transaction in evidence.transactions.iter().take(SHOWN_MAX as usize) {
        assert!(transaction.first.0 < index.len());
    }
    index.len()
}

fn show(index: &Index) {
    for id in (0..index.len().min(SHOWN_MAX)).map(PacketId) {
        let packet = index.packet(id).unwrap();
        assert!(!packet.summary().contains(['\n', '\u{1b}']));
        assert!(!format!("{:?}", packet.dissect()).is_empty());
    }
}

fn open_in_memory(bytes: Vec<u8>) -> u32 {
    let limits = Limits { spool_bytes: 64 << 20, unpacked_bytes: 64 << 20, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    through(capture::open_reader("mutated", Cursor::new(bytes), options))
}

#[test]
fn mutated_captures() {
    let originals = captures();
    rounds("captures", |random| {
        let mut bytes = random.pick(&originals).unwrap().clone();
        let other = random.pick(&originals).unwrap();
        if random.chance(30) && bytes.len() > 24 && bytes[..4] == [0xd4, 0xc3, 0xb2, 0xa1] {
            let link_type = *random.pick(&LINK_TYPES).unwrap();
            bytes[20..22].copy_from_slice(&link_type.to_le_bytes());
        }
        mutate(&mut bytes, other, random);
        open_in_memory(bytes);
    });
}

fn containers(bytes: &[u8]) -> Vec<Vec<u8>> {
    let gzip = {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    let xz = {
        let options = lzma_rust2::XzOptions::with_preset(1);
        let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    let bzip2 = {
        let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    let lz4 = {
        let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    vec![gzip, zstd::encode_all(bytes, 3).unwrap(), xz, bzip2, lz4]
}

#[test]
fn mutated_containers() {
    let originals: Vec<Vec<u8>> = captures().iter().take(4).flat_map(|bytes| containers(bytes)).collect();
    rounds("containers", |random| {
        let mut bytes = random.pick(&originals).unwrap().clone();
        let other = random.pick(&originals).unwrap();
        mutate(&mut bytes, other, random);
        open_in_memory(bytes);
    });
}

const LINES: &str = "\
13:24:32.192571 IP 192.51.100.15.52444 > 203.0.113.2.domain: 35084+ [1au] A? yummyrecipesforme.com. (24)
13:24:36.098564 IP 203.0.113.2 > 192.51.100.15: ICMP 203.0.113.2 udp port 53 unreachable, length 254
 00:00:00.000000 eth0  Out ifindex 2 52:54:00:00:00:01 ethertype IPv4 (0x0800), length 88: 192.0.2.15.52444 > 203.0.113.2.53: 12345*- q: TXT CHAOS? version.bind. 1/0/0 version.bind. TXT \"9\" (40)
2024-05-14 13:24:32.192571 02:00:00:00:00:01 (oui Unknown) > Broadcast, ethertype 802.1Q (0x8100), length 79: vlan 100, p 0, ethertype ARP (0x0806), Ethernet (len 6), IPv4 (len 4), Request who-has 192.0.2.1 tell 192.0.2.2, length 28
IP6 (flowlabel 0x4, hlim 64, next-header ICMPv6 (58) payload length: 89) 2001:db8::1 > 2001:db8::2: [icmp6 sum ok] ICMP6, destination unreachable, unreachable port, 2001:db8::2 udp port 53
1715693072.192571 IP (tos 0x0, ttl 64, id 4096, offset 0, flags [DF], proto TCP (6), length 67)
    192.0.2.1.40000 > 203.0.113.2.53: Flags [P.], cksum 0x1 (correct), seq 1:40, ack 1, win 502, options [nop], length 39 12+ A? a.example. (37)
\t0x0000:  4500 0043 1000 0000 4011 0a65 c033 640f  E..C....@..e.3d.
> 13:24:32.192571 IP 192.0.2.1.1 \u{203a} 192.0.2.2.53: 7 NXDomain*- 0/1/1 (107)
";

#[test]
fn mutated_transcripts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/lab/00_seed_canonical.txt");
    let originals = [LINES.as_bytes().to_vec(), std::fs::read(root).unwrap()];
    let tokens = [
        "(",
        ")",
        ">",
        "\u{a0}",
        "\u{202e}",
        "IP",
        "IP6",
        "ARP,",
        "length",
        "\n",
        "\r\n",
        "\t",
        "13:24:32.1",
        "00:00:00.000000",
        "-",
        "vlan",
        "ethertype",
        "ICMP",
        "9999999999999",
        "(tos",
        "[",
        "]",
        "\u{feff}",
        "|",
    ];
    rounds("transcripts", |random| {
        let mut bytes = random.pick(&originals).unwrap().clone();
        let other = random.pick(&originals).unwrap();
        mutate(&mut bytes, other, random);
        for _ in 0..random.below(30) {
            let at = random.below(bytes.len() as u64 + 1) as usize;
            bytes.splice(at..at, random.pick(&tokens).unwrap().bytes());
        }
        open_in_memory(bytes);
    });
}

#[test]
fn mutated_frames() {
    let originals = captures();
    let mut frames = Vec::new();
    for bytes in &originals {
        let opened = capture::open_bytes("frames", bytes.clone().leak()).unwrap();
        let (source, walk) = opened;
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
        let some = (0..index.len().min(200)).filter_map(|id| index.packet(PacketId(id)));
        frames.extend(some.map(|packet| (packet.link_type().0, packet.bytes().to_vec())));
    }
    rounds("frames", |random| {
        for _ in 0..200 {
            let (link_type, mut bytes) = random.pick(&frames).unwrap().clone();
            let (_, other) = random.pick(&frames).unwrap();
            mutate(&mut bytes, other, random);
            let link_type = if random.chance(60) { link_type } else { *random.pick(&LINK_TYPES).unwrap() };
            let decoded = decode(LinkType(link_type), &bytes);
            let layers = decoded
                .layers()
                .iter()
                .all(|layer| layer.end as usize <= bytes.len() && layer.start <= layer.end);
            assert!(layers, "a layer ends behind the frame: {:?} of {} bytes", decoded.layers(), bytes.len());
            let _ = Quote::read(&decoded);
            let _ = portmortem::protocols::classify(&decoded, &portmortem::settings::Settings::default());
            let _ = portmortem::decode::dns::read(decoded.payload());
        }
    });
}
