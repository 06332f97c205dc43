//! A table of filters with the frames they must find in real captures, and properties of the parser.
//!
//! `peer` names the program whose answer was compared when the table was made (`tshark -Y`, `tcpdump -r`);
//! where its answer differs, `peer_frames` holds it and `reason` says why.

#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{Evidence, Parameters, correlate};
use portmortem::filter::{Context, Filter};
use portmortem::index::{Index, Input, PacketId, Progress, build};
use serde::Deserialize;

#[derive(Deserialize)]
struct Table {
    capture: String,
    #[serde(default)]
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    filter: String,
    /// `1-3, 7`.
    frames: String,
    peer: Option<String>,
    peer_frames: Option<String>,
    reason: Option<String>,
}

/// Reads `1-3, 7`.
fn frames(text: &str) -> Vec<u64> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .flat_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            first.parse::<u64>().unwrap()..=last.parse().unwrap()
        })
        .collect()
}

fn tables() -> Vec<Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filters");
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| toml::from_str(&std::fs::read_to_string(file.unwrap().path()).unwrap()).unwrap())
        .collect()
}

fn load(path: &Path) -> (Index, Evidence) {
    let (source, walk) = capture::open(path).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

#[test]
fn every_filter_of_the_table_finds_its_frames() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut wrong = Vec::new();
    for table in tables() {
        let (index, evidence) = load(&root.join("captures").join(&table.capture));
        let cancel = AtomicBool::new(false);
        let context = Context { index: &index, evidence: Some(&evidence), notes: None, cancel: &cancel };
        for case in &table.case {
            let filter = match Filter::parse(&case.filter) {
                Ok(filter) => filter,
                Err(error) => {
                    wrong.push(format!("{}: {}: {error:?}", table.capture, case.filter));
                    continue;
                }
            };
            let rows = filter.rows(&context);
            let found: Vec<u64> = rows.iter().map(|row| u64::from(*row) + 1).collect();
            let expected = frames(&case.frames);
            if found != expected {
                wrong.push(format!(
                    "{}: {}\n  expected {expected:?}\n  found    {found:?}",
                    table.capture, case.filter
                ));
            }
            // Packet by packet the answer is the same as over columns.
            let single: Vec<u32> =
                (0..index.len()).filter(|row| filter.matches(&context, PacketId(*row))).collect();
            if single != rows {
                wrong.push(format!(
                    "{}: {}\n  columns {rows:?}\n  packets {single:?}",
                    table.capture, case.filter
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_is_wide_enough_and_every_difference_from_a_peer_is_about_quoted_datagrams() {
    let (mut all, mut tshark, mut tcpdump) = (0, 0, 0);
    for table in tables() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(&table.capture);
        let (index, evidence) = load(&path);
        let cancel = AtomicBool::new(false);
        let context = Context { index: &index, evidence: Some(&evidence), notes: None, cancel: &cancel };
        let errors = Filter::parse("icmp.error").unwrap().rows(&context);
        for case in &table.case {
            all += 1;
            let Some(theirs) = &case.peer_frames else {
                tshark += usize::from(case.peer.as_deref() == Some("tshark"));
                tcpdump += usize::from(case.peer.as_deref() == Some("tcpdump"));
                continue;
            };
            assert!(case.reason.is_some(), "{}", case.filter);
            let (ours, theirs) = (frames(&case.frames), frames(theirs));
            let differs = ours.iter().chain(&theirs).filter(|f| ours.contains(f) != theirs.contains(f));
            for frame in differs {
                assert!(errors.contains(&(*frame as u32 - 1)), "{}: frame {frame}", case.filter);
            }
        }
    }
    assert!(all >= 150 && tshark >= 60 && tcpdump >= 30, "{all} {tshark} {tcpdump}");
}

/// Pieces of the language, so that random texts come near to filters.
const PIECES: &[&str] = &[
    "dns",
    "ip.addr",
    "==",
    "!=",
    "203.0.113.2",
    "203.0.113.0/24",
    "and",
    "or",
    "not",
    "(",
    ")",
    "{",
    "}",
    "in",
    "..",
    "port",
    "host",
    "src",
    "dst",
    "53",
    "\"yummy\"",
    "r\"^w\"",
    "contains",
    "matches",
    "[0:2]",
    "[",
    "01:00",
    "time",
    "13:26",
    "2s",
    "quoted.udp.port",
    "partner(",
    "$problems",
    "&",
    "|",
    "tcp[13]",
    "tcp-syn",
    "len(",
    ",",
    "\\",
    "\"",
    "é",
];

proptest::proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error_inside_it(text in "(?s).{0,4096}") {
        check_text(&text);
    }

    #[test]
    fn any_mix_of_pieces_is_a_filter_or_an_error_inside_it(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..200)
    ) {
        check_text(&pieces.join(" "));
        check_text(&pieces.concat());
    }
}

fn check_text(text: &str) {
    if let Err(error) = Filter::parse(text) {
        assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{text:?}: {error:?}");
        assert!(
            text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end),
            "{text:?}: {error:?}"
        );
        assert!(!error.message.is_empty());
    }
    for cursor in [0, text.len() / 2, text.len()] {
        let _ = portmortem::filter::complete(text, cursor, None, &portmortem::filter::named::ONLY_SHIPPED);
    }
}

#[test]
fn long_texts_take_time_in_proportion() {
    let time = |count: usize| {
        let texts =
            ["(".repeat(count), "not ".repeat(count), "dns or ".repeat(count), "port 53 and ".repeat(count)];
        let run = || {
            let start = std::time::Instant::now();
            for text in &texts {
                let _ = Filter::parse(text);
            }
            start.elapsed()
        };
        // The best of several is what the text costs; whatever else the machine does only adds to it.
        (0..9).map(|_| run()).min().unwrap_or_default()
    };
    // Four times the text in far less than sixteen times the time.
    assert!(time(4000) < time(1000) * 16 + std::time::Duration::from_millis(50));
}
