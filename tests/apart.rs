//! Two captures of one exchange whose clocks are apart: the offset is measured and is no wait.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod bench;

use std::path::{Path, PathBuf};

use bench::Bench;

use portmortem::cli::load::{ClockOffset, Loaded, Open};
use portmortem::correlate::Outcome;
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, PcapWriter, Variant, link};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
const START_NS: i64 = 1_700_000_000 * SECOND;
const CLIENT: &str = "192.0.2.10";
const SERVER: &str = "198.51.100.53";
/// From one place to the other.
const WAY: i64 = 4 * MS;

fn write(path: &Path, mut packets: Vec<(i64, Packet)>) {
    packets.sort_by_key(|(at, _)| *at);
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = PcapWriter::new(file, Variant::default(), link::ETHERNET).expect("a header");
    for (at, packet) in packets {
        writer.packet(START_NS + at, &packet.ethernet()).expect("a packet");
    }
    writer.finish().expect("the end");
}

fn load(ahead: i64, offset: Vec<ClockOffset>) -> Loaded {
    let (_folder, files) = captures(ahead);
    Open { files, offset, ..Open::default() }.load().expect("two captures")
}

/// Twelve lookups at the client and at the server, whose clock is ahead; the answers of six of them do not come back.
fn captures(ahead: i64) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for number in 0..12_u16 {
        let at = i64::from(number) * 2 * SECOND;
        let (from, name) = (format!("{CLIENT}:{}", 40_000 + number), format!("h{number}.example"));
        let query =
            Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &dns::query(number, &name, dns::A));
        let message = dns::answer(number, &name, Data::A([192, 0, 2, 80].into()));
        let answer = Packet::udp(format!("{SERVER}:53").as_str(), from.as_str(), &message);
        let (query, answer) = (query.id(2 * number + 1), answer.id(2 * number + 2));
        near.push((at, query.clone()));
        far.push((at + WAY + ahead, query.ttl(62)));
        far.push((at + WAY + MS + ahead, answer.clone()));
        if !(3..9).contains(&number) {
            near.push((at + 2 * WAY + MS, answer.ttl(62)));
        }
    }
    let files = vec![folder.path().join("near.pcap"), folder.path().join("far.pcap")];
    write(&files[0], near);
    write(&files[1], far);
    (folder, files)
}

#[test]
fn clocks_that_are_apart_are_set_by_what_both_files_hold() {
    for ahead in [2_310 * MS, -90 * SECOND] {
        let loaded = load(ahead, Vec::new());
        let added = loaded.index.sources[1].offset_ns;
        assert!((added + ahead).abs() < MS, "{added}");
        let outcome =
            |outcome| loaded.evidence.transactions.iter().filter(|own| own.outcome == outcome).count();
        assert_eq!((outcome(Outcome::Answered), outcome(Outcome::NotReceived)), (6, 6));
        assert!(loaded.evidence.transactions.iter().all(|own| own.waited_ns < SECOND));
    }
}

#[test]
fn clocks_that_agree_and_what_the_user_says_are_left_alone() {
    assert_eq!(load(0, Vec::new()).index.sources[1].offset_ns, 0);
    let said = ClockOffset { label: "B".to_owned(), offset_ns: 0 };
    assert_eq!(load(2_310 * MS, vec![said]).index.sources[1].offset_ns, 0);
}

#[test]
fn the_screen_sets_clocks_as_the_commands_do() {
    let (_folder, files) = captures(-90 * SECOND);
    let inputs = Open { files, ..Open::default() }.inputs().expect("two captures");
    let bench = Bench::with(inputs, 160, 45);
    bench.shows("+90");
    let added = bench.state.index.sources[1].offset_ns;
    assert!((added - 90 * SECOND).abs() < MS, "{added}");
    // One lookup after the other, at the client and at the server.
    let first = bench.state.timeline.rows.get(&bench.state.index, 1).expect("a second row");
    assert_eq!(bench.state.number(first), "B#1");
}

#[test]
fn an_index_whose_clocks_were_set_is_as_if_read_with_the_offset() {
    let (_folder, files) = captures(2_310 * MS);
    let set = Open { files: files.clone(), ..Open::default() }.load().expect("two captures").index;
    let offset_ns = set.sources[1].offset_ns;
    let offset = vec![ClockOffset { label: "B".to_owned(), offset_ns }];
    let said = Open { files, offset, ..Open::default() }.load().expect("two captures").index;
    assert_eq!(set.order, said.order);
    for (one, other) in set.segments().iter().zip(said.segments()) {
        assert_eq!((&one.time_ns, one.span_ns, &one.flags), (&other.time_ns, other.span_ns, &other.flags));
    }
}
