//! Captures whose clock was set back on the way: no duration is negative, and none uses the step (truth T34).

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::path::Path;

use portmortem::cli::load::Open;
use portmortem::cli::report::Made;
use portmortem::generate::dns;
use portmortem::generate::{Packet, PcapWriter, Variant, link};
use portmortem::report::lint::lint;
use portmortem::report::render::{Options, render_named};
use portmortem::report::{Report, draft};
use regex::Regex;

const SECOND: i64 = 1_000_000_000;
const START_S: u32 = 1_700_000_000;

/// The capture with its clock set back before the packet at this place, by so many seconds.
fn set_back(bytes: &[u8], place: usize, by_s: u32) -> Vec<u8> {
    let word = |at: usize| {
        let field = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
        field.map(|field| u32::from_le_bytes(*field))
    };
    let mut out = bytes.to_vec();
    let (mut at, mut number) = (24, 0);
    while let (Some(second), Some(length)) = (word(at), word(at + 8)) {
        if number >= place
            && let Some(field) = out.get_mut(at..at + 4)
        {
            field.copy_from_slice(&second.saturating_sub(by_s).to_le_bytes());
        }
        (at, number) = (at + 16 + length as usize, number + 1);
    }
    out
}

fn drafted(bytes: &[u8]) -> (Report, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clock.pcap");
    std::fs::write(&path, bytes).expect("a written file");
    let made = Made::from(&Open { files: vec![path], ..Open::default() }, false).expect("a capture");
    let input = made.input();
    let report = draft(&input);
    assert_eq!(lint(&report).contradictions(), [""; 0], "{}", report.title);
    let full = render_named(&report, &input, "long", &Options::default()).expect("a rendered report");
    (report, full.markdown)
}

#[test]
fn no_report_prints_a_negative_duration() {
    let negative = Regex::new(r"(^|[\s(|])[-−]\d[\d.]*,? ?(s|ms|µs|ns|min|h|d|and|to)\b").expect("a pattern");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    for name in [
        "incidents/02a_fw_admin_prohibited.pcap",
        "incidents/05_wrong_resolver.pcap",
        "incidents/08_failover.pcap",
        "incidents/15_span_duplicates.pcap",
        "lab/01_no_listener.pcap",
        "lab/17_glibc_failover.pcap",
        "lab/31_masquerade_refused_both_sides.pcap",
    ] {
        let bytes = std::fs::read(folder.join(name)).expect("a capture");
        for (place, by_s) in [(3, 3_600), (6, 10), (9, 86_400), (12, 100)] {
            let (_, text) = drafted(&set_back(&bytes, place, by_s));
            let found = negative.find(&text).map(|found| {
                let from = text.get(..found.start()).and_then(|before| before.rfind('\n')).unwrap_or(0);
                text.get(from..found.end()).unwrap_or_default().to_owned()
            });
            assert_eq!(found, None, "{name}, {by_s} s back before packet {place}");
        }
    }
}

/// Six refused questions in a row, the clock set back by 10 s before the `step`th.
fn refused(step: i64) -> (Report, String) {
    let mut writer = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).expect("a header");
    for number in 0..6_i64 {
        let behind = if number >= step { 10 } else { 0 };
        let at = i64::from(START_S) * SECOND + (number - behind) * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + number);
        let query =
            Packet::udp(from.as_str(), "198.51.100.53:53", &dns::query(number as u16, "a.example", dns::A));
        writer.packet(at, &query.ethernet()).expect("a packet");
        writer.packet(at + 1_000_000, &Packet::port_unreachable(&query).ethernet()).expect("a packet");
    }
    drafted(&writer.finish().expect("the end"))
}

#[test]
fn durations_across_a_step_are_not_told() {
    let said =
        |report: &Report| report.claims().map(|claim| claim.text.as_str()).collect::<Vec<_>>().join("\n");
    let (whole, _) = refused(9);
    let whole = said(&whole);
    assert!(whole.contains("(5.001 s)") && whole.contains("12 packets in 5.001000 s"), "{whole}");
    assert!(whole.contains("s after the previous failure"), "{whole}");
    // Behind the step the last times are earlier than the first ones, or later by less than was lived through.
    for step in 1..6 {
        let (report, text) = refused(step);
        let said = said(&report);
        assert!(said.contains("6 of 6 DNS queries from a client"), "{said}");
        assert!(said.contains("its times step backward"), "{said}");
        assert!(!said.contains("after the previous failure"), "{said}");
        assert!(said.contains("for how long cannot be told"), "{said}");
        assert!(text.contains("| Duration | cannot be told |"), "{text}");
        assert!(said.contains("matched in the order of the file"), "{said}");
    }
}

#[test]
fn packets_written_out_of_order_are_no_clock_that_was_set_back() {
    let mut writer = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).expect("a header");
    // The third packet was written 5 ms after its time.
    for (number, at_ms) in [0, 20, 15, 40].into_iter().enumerate() {
        let from = format!("192.0.2.10:{}", 40_000 + number);
        let query =
            Packet::udp(from.as_str(), "198.51.100.53:53", &dns::query(number as u16, "a.example", dns::A));
        let at = i64::from(START_S) * SECOND + at_ms * 1_000_000;
        writer.packet(at, &query.ethernet()).expect("a packet");
    }
    let (_, text) = drafted(&writer.finish().expect("the end"));
    assert!(text.contains("an earlier time than the packet before"), "{text}");
    assert!(!text.contains("set back"), "{text}");
}
