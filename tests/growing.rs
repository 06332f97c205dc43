//! A capture that grows while it is looked at: ties and draft follow, the analyst's place does not move.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on ends")]

mod bench;

use std::sync::Arc;

use bench::Bench;
use portmortem::capture;
use portmortem::index::{Index, Input, Progress, build};
use portmortem::tui::overview::Overview;
use portmortem::tui::state::{Loading, State};
use portmortem::tui::update::{self, Message, Reply, update};

const DOWN: &str = "tests/captures/incidents/01_server_down.pcap";

/// The first packets of a capture, as a snapshot of an index that still grows.
fn first(path: &str, packets: usize) -> Index {
    let bytes = std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let mut at = 24;
    for _ in 0..packets {
        let Some(length) = bytes.get(at + 8..at + 12) else { break };
        at += 16 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
    }
    let part: &'static [u8] = bytes[..at.min(bytes.len())].to_vec().leak();
    let (source, walk) = capture::open_bytes("growing.pcap", part).unwrap();
    let mut index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    index.complete = false;
    index
}

fn progress(index: &Index) -> Message {
    let mut overview = Overview::default();
    overview.extend(index);
    let loading = Loading { receiving: true, ..Loading::default() };
    Message::Progress(update::Progress { index: index.clone(), overview: Arc::new(overview), loading })
}

/// A bench with the first packets of a live capture, correlated.
fn live(path: &str, packets: usize) -> Bench {
    let mut bench = Bench::with(Vec::new(), 160, 45);
    bench.state = State::new(bench.state.size, true, portmortem::tui::work::Work::default());
    grow(&mut bench, path, packets, 10_000);
    bench
}

fn grow(bench: &mut Bench, path: &str, packets: usize, now_ms: u64) {
    bench.send(Message::Tick(now_ms));
    bench.send(progress(&first(path, packets)));
    bench.send(Message::Tick(now_ms + 2_000));
}

fn text(report: &portmortem::report::Report, item: usize) -> String {
    format!("{:?}", report.blocks().nth(item)).split("text").next().unwrap_or_default().to_owned()
}

#[test]
fn ties_findings_and_draft_appear_before_the_input_ends() {
    let bench = live(DOWN, 60);
    assert!(bench.state.evidence.is_some() && bench.state.loading.is_some());
    assert_eq!(bench.state.correlated.len(), 60);
    bench.shows("live · following");
    bench.shows("first 60 packets");
    assert!(!bench.state.report.sections.is_empty());
}

#[test]
fn growth_moves_neither_selection_nor_place() {
    let mut bench = live(DOWN, 120);
    bench.keys("4 j");
    let finding = bench.state.findings[bench.state.finding_list.row].id;
    bench.keys("d 9 G k k k");
    let attempt = |bench: &Bench| {
        let listed = &bench.state.listed;
        listed.table.first(listed.entry(bench.state.attempts.list.row).unwrap())
    };
    let query = attempt(&bench);
    bench.keys("3 j j j j j");
    let block = text(&bench.state.report, bench.state.reading.item);
    bench.keys("1 g g j j");
    bench.shows("G follows");
    let selected = bench.state.timeline.selected;
    let before = bench.state.report.clone();
    grow(&mut bench, DOWN, 200, 20_000);
    assert!(!Arc::ptr_eq(&before, &bench.state.report), "the draft is a new one");
    assert_eq!(bench.state.correlated.len(), bench.state.index.len());
    assert_eq!(bench.state.timeline.selected, selected);
    assert_eq!(bench.state.findings[bench.state.finding_list.row].id, finding);
    assert_eq!(attempt(&bench), query);
    assert_eq!(text(&bench.state.report, bench.state.reading.item), block);
    // One key follows the end again; a note keeps what it was written on.
    bench.keys("G");
    bench.shows("live · following");
    let last = bench.state.timeline.selected.unwrap();
    bench.keys("a").text("here");
    grow(&mut bench, DOWN, 265, 30_000);
    bench.keys("Ctrl-s");
    bench.shows("G follows");
    assert_eq!(bench.state.timeline.selected, Some(last));
    let note = &bench.state.work.case.annotations[0];
    assert_eq!(note.frames[0].frame, u64::from(last.0) + 1);
}

#[test]
fn a_stale_correlation_is_dropped_and_the_end_is_said() {
    let mut bench = live(DOWN, 60);
    let (old, index) = (bench.state.evidence.clone().unwrap(), bench.state.correlated.clone());
    let mut whole = first(DOWN, 100_000);
    whole.complete = true;
    bench.send(progress(&whole));
    bench.shows("end of input");
    bench.shows("input ended");
    let newest = bench.state.evidence.clone().unwrap();
    assert!(newest.transactions.len() > old.transactions.len());
    let late = Reply::Evidence { generation: 1, index, evidence: old, table: Arc::default() };
    update(&mut bench.state, Message::Done(late));
    assert!(Arc::ptr_eq(bench.state.evidence.as_ref().unwrap(), &newest));
}

#[test]
fn a_file_that_is_read_once_is_not_followed() {
    let mut bench = Bench::with(Vec::new(), 160, 45);
    bench.state = State::new(bench.state.size, true, portmortem::tui::work::Work::default());
    let index = first(DOWN, 60);
    let loading = Loading::default();
    bench.send(Message::Progress(update::Progress { index, overview: Arc::default(), loading }));
    assert!(!bench.state.live.following);
    assert_eq!(bench.frame(), 1);
}

#[test]
fn the_overview_counts_packets_of_a_segment_that_comes_again_once() {
    let (two, all) = (first(DOWN, 60), first(DOWN, 100_000));
    let mut settled = Overview::default();
    let before = settled.growing(&two);
    let after = settled.growing(&all);
    let mut whole = Overview::default();
    whole.extend(&all);
    assert!(before.queries < after.queries);
    assert_eq!(after, whole);
}
