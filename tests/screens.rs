//! What the screens look like, and that no size and no state makes drawing panic.

mod bench;

use std::sync::Arc;

use bench::Bench;
use portmortem::filter::Filter;
use portmortem::index::PacketId;
use portmortem::report::{Block, Claim, ClaimState, OpenField, Place, Report, Section, Shown, Table, Voice};
use portmortem::tui::message::{Message, Reply};
use portmortem::tui::state::{FilterStatus, Rows};
use portmortem::tui::theme::{Depth, Theme};
use portmortem::tui::views;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A report of every kind of part, so that the screens do not depend on the draft's wording.
fn report() -> Report {
    let claim = |id: &str, voice, text: &str, frames: &[u32], state| {
        Block::Claim(Claim {
            id: id.to_owned(),
            voice,
            text: text.to_owned(),
            suggestion: text.to_owned(),
            rows: Vec::new(),
            frames: frames.iter().map(|id| PacketId(*id)).collect(),
            citation: String::new(),
            state,
            annotation: None,
            basis: String::new(),
        })
    };
    let observed = "Three DNS queries over UDP to 203.0.113.2, port 53, were sent; none was answered.";
    let assessed = "Either no DNS service is listening there or a packet filter refuses the port.";
    let field = |id: &str, value: Option<&str>| {
        Block::Field(OpenField {
            label: "Status",
            id: id.to_owned(),
            prompt: "when was it reported, and by whom?".to_owned(),
            value: value.map(str::to_owned),
            required: true,
        })
    };
    let row = |cells: [&str; 3], frame| (cells.map(str::to_owned).to_vec(), vec![PacketId(frame)]);
    let table = Table {
        id: "timeline".to_owned(),
        caption: "Timeline".to_owned(),
        head: ["Time", "Source", "Event"].map(str::to_owned).to_vec(),
        shown: Shown::All,
        rows: vec![row(["13:24:32", "F1", "query"], 0), row(["13:24:36", "F2", "refused"], 1)],
    };
    let part = |id, title: &str, blocks| Section { id, title: title.to_owned(), place: Place::Body, blocks };
    Report {
        title: "Name resolution refused".to_owned(),
        sections: vec![
            part(
                "summary",
                "Part 1 · Summary of the problem",
                vec![
                    claim("a", Voice::Observed, observed, &[0, 2, 4], ClaimState::Accepted),
                    claim("b", Voice::Assessed, assessed, &[1, 3, 5], ClaimState::Suggested),
                    claim("c", Voice::Assessed, "Not this.", &[1], ClaimState::Rejected),
                    field("reported.when", None),
                    field("reported.by", Some("The help line, at 13:30.")),
                ],
            ),
            part(
                "cause",
                "Part 2 · Analysis and likely cause",
                vec![Block::Table(table), Block::Note("Times as recorded by the capturing host.".to_owned())],
            ),
        ],
        ..Report::default()
    }
}

/// The sample with that report, before anything else is drafted.
fn seed(width: u16, height: u16) -> Bench {
    let mut bench = Bench::sample("seed", width, height);
    bench.state.report = Arc::new(report());
    bench.state.lint = Arc::new(portmortem::report::lint::lint(&bench.state.report));
    bench
}

#[test]
fn the_seed_on_a_wide_screen() {
    let mut bench = seed(200, 60);
    bench.keys("]");
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn the_report_on_a_small_screen() {
    let mut bench = seed(80, 24);
    bench.keys("3 G k Space");
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn the_seed_on_a_small_screen() {
    let mut bench = seed(80, 24);
    bench.keys("]");
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn a_note_being_written_on_a_small_screen() {
    let mut bench = seed(80, 24);
    bench.keys("] a").text("The refusal comes 3.9 s after the query.\nAsk who runs the server.");
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn the_filter_bar_says_what_is_wrong_and_what_is_not_finished() {
    let mut bench = Bench::sample("seed", 120, 30);
    let mut bars = Vec::new();
    for text in ["dns", "dns and", "dns.nonsense", "host 203.0.113.2 and not arp", "icmp and tcp"] {
        bench.keys("/ Ctrl-u").text(text);
        let screen = bench.screen();
        let rows: Vec<&str> =
            screen.lines().skip(4).take(2).filter(|line| !line.contains("Timeline")).collect();
        bars.push(rows.join("\n"));
        bench.keys("Esc");
    }
    insta::assert_snapshot!(bars.join("\n\n"));
}

#[test]
fn the_filter_bar_says_that_it_is_looking_and_that_nothing_can_match() {
    let mut bench = Bench::sample("seed", 120, 30);
    let bar =
        |bench: &Bench| -> String { bench.screen().lines().skip(2).take(4).collect::<Vec<_>>().join("\n") };
    bench.keys("/").text("dns.flags.rcode == 99");
    assert!(bar(&bench).contains("dns.flags.rcode has no value 99"), "{}", bar(&bench));
    bench.keys("Ctrl-u").text("dns");
    assert!(bar(&bench).contains("✓ 3 of 6"), "{}", bar(&bench));
    bench.state.filter.status = FilterStatus::Running;
    (bench.state.filter.matching, bench.state.filter.done) = (2, 3);
    assert!(bar(&bench).contains("2 so far · 50 % of 6"), "{}", bar(&bench));
}

#[test]
fn a_late_count_of_an_older_filter_is_no_answer_to_an_unfinished_one() {
    let mut bench = Bench::sample("seed", 120, 30);
    bench.keys("/").text("dns");
    let generation = bench.state.generations.filter;
    bench.text(" and");
    let filter = Filter::parse("dns").expect("a filter");
    let rows = Rows::Some(vec![0, 2, 4].into());
    bench.send(Message::Done(Reply::Filtered {
        generation,
        filter,
        rows,
        matching: 3,
        seen: 6,
        warnings: Vec::new(),
    }));
    let bar = bench.screen().lines().nth(3).map(str::to_owned).unwrap_or_default();
    assert!(bench.screen().contains("… not finished"), "{bar}");
    assert!(!bench.screen().contains("✓ 3 of 6"), "{bar}");
    bench.text(" udp");
    bench.shows("✓ 3 of 6");
}

#[test]
fn attempts_and_ladder_of_a_failover() {
    let mut bench = Bench::open("tests/captures/incidents/08_failover.pcap", 160, 40);
    let mut screens = Vec::new();
    for key in ["d", "L"] {
        bench.keys("]").keys(key);
        screens.push(bench.screen());
    }
    insta::assert_snapshot!(screens.join("\n\n"));
}

#[test]
fn without_unicode_every_mark_has_an_ascii_form() {
    let mut bench = Bench::sample("seed", 120, 30);
    bench.state.unicode = false;
    bench.keys("]");
    let screen = bench.screen();
    let timeline: Vec<&str> = screen.lines().skip(5).take(8).collect();
    assert!(timeline.iter().any(|line| line.contains("`x")), "{screen}");
    assert!(!screen.contains('╭') && !screen.contains('✗'), "{screen}");
    for keys in ["c", "L", "d", "4", "3", "f", "Esc", "?"] {
        bench.keys(keys);
        let screen = bench.screen();
        assert!(screen.is_ascii(), "{screen}");
    }
}

#[test]
fn no_size_panics() {
    let mut bench = Bench::sample("seed", 80, 24);
    let states: [&[&str]; 13] = [
        &[],
        &["a"],
        &["Esc", "f"],
        &["Esc", "?"],
        &["Esc", ":"],
        &["Esc", "/", "d", "n", "("],
        &["Esc", "2", "b"],
        &["w"],
        &["3", "e"],
        &["Esc", "L"],
        &["=", "j"],
        &["c", "a"],
        &["Esc", "v", "j", "3", "i"],
    ];
    for keys in states {
        for key in keys {
            bench.keys(key);
        }
        for width in 0..=12 {
            for height in 0..=12 {
                bench.resize(width, height);
                let _ = bench.buffer();
            }
        }
        for (width, height) in
            [(0, 60), (60, 0), (1, 200), (300, 1), (109, 30), (110, 30), (80, 24), (500, 200)]
        {
            bench.resize(width, height);
            let _ = bench.buffer();
        }
    }
}

#[test]
fn drawing_into_a_smaller_buffer_than_the_state_knows_does_not_panic() {
    let bench = Bench::sample("seed", 200, 60);
    let theme = Theme::suited(Depth::True, true);
    for (width, height) in [(10, 5), (199, 59), (300, 100)] {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        views::render(&bench.state, &theme, area, &mut buffer);
    }
}

#[test]
fn every_capture_at_hand_can_be_walked_through() {
    for folder in ["tests/captures/incidents", "tests/captures/lab"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in std::fs::read_dir(path).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            if std::path::Path::new(&name).extension().is_some_and(|ending| ending == "json") {
                continue;
            }
            let mut bench = Bench::open(&format!("{folder}/{name}"), 120, 40);
            for key in [
                "]", "Enter", "G", "}", "{", "d", "Enter", "L", "=", "j", "Enter", "4", "Enter", "c", "j",
                "Enter", "Space", "w", "b", "t", "[",
            ] {
                bench.keys(key);
                let _ = bench.buffer();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn hostile_notes_never_break_the_screen(note in "\\PC{0,200}", width in 1u16..90, height in 1u16..30) {
        let mut bench = Bench::sample("seed", width, height);
        bench.keys("a");
        bench.send(portmortem::tui::update::Message::Text(portmortem::tui::update::Typed::Paste(note)));
        let _ = bench.buffer();
        bench.keys("Ctrl-s 3");
        let _ = bench.buffer();
    }
}
