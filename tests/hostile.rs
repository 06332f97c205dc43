//! Damages captures at random and takes each through the whole program: nothing may panic, hang, or lose count.
//!
//! The damage is a function of the seed. `PORTMORTEM_HOSTILE_ROUNDS` sets how many captures are damaged (120 otherwise).

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use portmortem::capture::open;
use portmortem::case::State;
use portmortem::correlate::{Parameters, correlate};
use portmortem::filter::{Context, Filter};
use portmortem::findings::hypotheses::assess_all;
use portmortem::findings::{self, Input as Examined};
use portmortem::generate::Random;
use portmortem::generate::office::Office;
use portmortem::index::{Index, Input, PacketId, Progress, build};
use portmortem::report;

/// Packets of each damaged capture whose every detail is shown.
const SHOWN_MAX: u32 = 400;

fn originals() -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut originals = Vec::new();
    for folder in ["incidents", "lab"] {
        let entries = fs::read_dir(root.join(folder)).expect("the captures are there");
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending != "json")) {
            originals.push(fs::read(path).expect("a capture can be read"));
        }
    }
    let office = Office { seconds: 20, visits_per_minute: 60, ..Office::sample() };
    originals.push(office.write_pcap(Vec::new()).expect("writing to memory cannot fail"));
    originals
}

/// Flips bytes, writes extreme lengths, cuts, repeats and splices; headers and payloads alike.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    bytes.truncate(60_000);
    for _ in 0..random.between(1, 40) {
        let length = bytes.len() as u64;
        let at = random.below(length.max(1)) as usize;
        match random.below(12) {
            0..=5 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.bits() as u8;
                }
            }
            6 | 7 => {
                let value = *random.pick(&[0u32, 1, 0x7fff_ffff, 0xffff_ffff, 0x0000_ffff]).unwrap_or(&0);
                if let Some(slot) = bytes.get_mut(at..at + 4) {
                    slot.copy_from_slice(&value.to_le_bytes());
                }
            }
            8 => bytes.truncate(at.max(24)),
            9 => {
                let end = (at + random.below(200) as usize).min(bytes.len());
                let piece = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.extend_from_slice(&piece);
            }
            10 => {
                let end = (at + random.below(60) as usize).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                // A compression pointer, in the hope of a loop in a DNS name.
                if let Some(slot) = bytes.get_mut(at..at + 2) {
                    slot.copy_from_slice(&[0xc0, random.below(64) as u8]);
                }
            }
        }
    }
}

fn show_everything(index: &Index) {
    for number in 0..index.len().min(SHOWN_MAX) {
        let packet = index.packet(PacketId(number)).expect("the packet is in the index");
        let summary = packet.summary();
        assert!(
            !summary.contains('\u{1b}') && !summary.contains('\n'),
            "captured text is escaped: {summary:?}"
        );
        let tree = format!("{:?}", packet.dissect());
        assert!(!tree.is_empty());
    }
}

#[test]
fn damaged_captures_are_read_as_far_as_they_go() {
    let rounds = std::env::var("PORTMORTEM_HOSTILE_ROUNDS").ok().and_then(|text| text.parse().ok());
    let originals = originals();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("damaged");
    let cancel = AtomicBool::new(false);
    let (mut opened, mut packets) = (0, 0);
    for seed in 0..rounds.unwrap_or(120_u64) {
        let mut random = Random::new(seed);
        let mut bytes = random.pick(&originals).expect("there are captures").clone();
        damage(&mut bytes, &mut random);
        fs::write(&path, &bytes).expect("a file in the temporary folder");
        let Ok((source, walk)) = open(&path) else { continue };
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
        let evidence = correlate(&index, &Parameters::default(), &cancel);
        let examined = Examined { index: &index, evidence: &evidence };
        let (findings, coverage) = findings::look(&examined, &[]);
        let assessments = assess_all(&examined, &findings, &[]);
        let case = State::default();
        let draft = report::draft(&report::Input {
            index: &index,
            evidence: &evidence,
            findings: &findings,
            assessments: &assessments,
            coverage: &coverage,
            case: &case,
        });
        assert!(!draft.sections.is_empty());
        assert_eq!(report::lint::lint(&draft).contradictions(), [""; 0], "{}", draft.title);
        show_everything(&index);
        let context = Context { index: &index, evidence: Some(&evidence), notes: None, cancel: &cancel };
        for text in
            ["dns or icmp.error", "partner(icmp.error)", "dns.qry.name contains \"a\" and tcp.port > 5"]
        {
            let filter = Filter::parse(text).expect("the filter is right");
            assert!(filter.rows(&context).len() <= index.len() as usize);
        }
        opened += 1;
        packets += index.len();
    }
    assert!(
        opened > 50 && packets > 5_000,
        "the damage leaves something to read: {opened} files, {packets} packets"
    );
}

#[test]
fn any_text_is_a_filter_or_a_mistake_inside_the_text() {
    let words = [
        "dns",
        "icmp.error",
        "ip.addr",
        "==",
        "!=",
        "contains",
        "matches",
        "\"a",
        "\"b\"",
        "(",
        ")",
        "{",
        "}",
        "..",
        "and",
        "or",
        "not",
        "port",
        "53",
        "host",
        "203.0.113.0/24",
        "13:26",
        "in",
        "[",
        "0:2",
        "]",
        "partner(",
        "é",
        "\\",
        "r\"",
        "0x",
        "-1",
        "99999999999999999999",
        "!",
        "&&",
        "||",
        ",",
        "tcp",
        "\u{202e}",
        "less",
        "net",
    ];
    for seed in 0..4_000 {
        let mut random = Random::new(seed);
        let mut text = String::new();
        for _ in 0..random.below(30) {
            text.push_str(random.pick(&words).unwrap_or(&""));
            if random.chance(70) {
                text.push(' ');
            }
        }
        if let Err(error) = Filter::parse(&text) {
            assert!(
                error.span.start <= error.span.end && error.span.end <= text.len(),
                "{text:?}: {error:?}"
            );
            assert!(
                text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end),
                "{text:?}"
            );
            assert!(!error.message.is_empty());
        }
    }
}

#[test]
fn deep_and_long_filters_end_in_linear_time() {
    for text in ["(".repeat(4_096), "not ".repeat(1_024), "dns and ".repeat(512), "!".repeat(4_096)] {
        let error = Filter::parse(&text).expect_err("none of these is whole");
        assert!(error.span.end <= text.len());
    }
}
