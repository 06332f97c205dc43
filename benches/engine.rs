//! Times the engine on generated captures: building the index, unpacking, correlating, filtering, drafting.
//!
//! `cargo bench`; `PORTMORTEM_BENCH_MIB` sets the size of each capture (32 MiB otherwise).

#![expect(clippy::expect_used, reason = "a benchmark that cannot start should stop and say so")]

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use divan::counter::{BytesCount, ItemsCount};
use portmortem::capture::{Options, open_bytes, open_reader};
use portmortem::case::State;
use portmortem::correlate::{Evidence, Parameters, correlate};
use portmortem::filter::{Context, Filter};
use portmortem::findings::hypotheses::assess_all;
use portmortem::findings::{self, Input as Examined};
use portmortem::generate::bulk::{self, Mix};
use portmortem::generate::office::Office;
use portmortem::generate::{Packet, PcapWriter, Variant, dns, link};
use portmortem::index::{Index, Input, Progress, build};
use portmortem::report;

fn main() {
    divan::main();
}

const MIXES: [Mix; 2] = [Mix::Ordinary, Mix::Small];

fn capture(mix: Mix) -> &'static [u8] {
    static CAPTURES: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    let slot = if mix == Mix::Ordinary { &CAPTURES[0] } else { &CAPTURES[1] };
    slot.get_or_init(|| {
        let mebibytes = std::env::var("PORTMORTEM_BENCH_MIB").ok().and_then(|text| text.parse().ok());
        let mut bytes = Vec::new();
        bulk::write(&mut bytes, mix, mebibytes.unwrap_or(32_u64) << 20, 1)
            .expect("writing to memory cannot fail");
        bytes
    })
}

fn index_of(mix: Mix, threads: usize) -> Index {
    let (source, walk) = open_bytes("bulk", capture(mix)).expect("a generated capture opens");
    let input = Input { source, walk, offset_ns: 0 };
    build(vec![input], threads, &Progress::default(), |_| {})
}

fn evidence_of(index: &Index) -> Evidence {
    correlate(index, &Parameters::default(), &AtomicBool::new(false))
}

/// One port that asks without end, and an error with eight quoted bytes about every second query.
fn one_flow(queries: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = PcapWriter::new(&mut bytes, Variant::default(), link::ETHERNET).expect("a header");
    let router = "192.0.2.1".parse().expect("an address");
    for number in 0..queries {
        let message = dns::query(number as u16, "www.shop.example", dns::A);
        let query = Packet::udp("192.0.2.10:40000", "198.51.100.53:53", &message).id(number as u16 | 1);
        let time_ns = i64::from(number) * 20_000;
        writer.packet(time_ns, &query.ethernet()).expect("a packet");
        if number % 2 == 0 {
            let quote = query.bytes();
            let quote = quote.get(..28).expect("a header and eight bytes");
            let error = Packet::error_quoting(router, query.source(), 3, 13, quote);
            writer.packet(time_ns + 10_000, &error.ethernet()).expect("a packet");
        }
    }
    writer.finish().expect("the end");
    bytes
}

#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 3)]
fn correlate_short_quotes_of_one_flow(bencher: divan::Bencher, queries: u32) {
    let (source, walk) = open_reader("one flow", std::io::Cursor::new(one_flow(queries)), Options::default())
        .expect("a capture opens");
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    bencher.counter(ItemsCount::new(queries)).bench_local(|| evidence_of(&index).transactions.len());
}

#[divan::bench(args = MIXES, sample_count = 10)]
fn build_on_one_thread(bencher: divan::Bencher, mix: Mix) {
    let bytes = capture(mix).len();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| index_of(mix, 1).len());
}

#[divan::bench(args = MIXES, sample_count = 10)]
fn build_on_all_threads(bencher: divan::Bencher, mix: Mix) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let bytes = capture(mix).len();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| index_of(mix, threads).len());
}

#[divan::bench(args = MIXES, sample_count = 10)]
fn correlate_everything(bencher: divan::Bencher, mix: Mix) {
    let index = index_of(mix, 2);
    let messages = index.dns_rows().count();
    bencher.counter(ItemsCount::new(messages)).bench_local(|| evidence_of(&index).transactions.len());
}

/// One filter of every kind: columns, names, payloads, conversations, what correlation found, functions.
const FILTERS: [&str; 15] = [
    "udp port 53",
    "ip.addr == 203.0.113.2",
    "icmp.error",
    "dns.qry.name contains \"zone17\"",
    "udp.payload matches \"zone1[0-9]\"",
    "udp.stream == 3",
    "dns.outcome == no_answer",
    "dns.attempt > 1",
    "dns.response_in",
    "link.level == exact",
    "episode == 3",
    "partner(icmp.error)",
    "transaction(icmp.error)",
    "sibling(dns.flags.rcode == 3)",
    "link.level == exact and ip.src == 203.0.113.2",
];

/// What the small packets hold, made once for all filters.
fn small() -> &'static (Index, Evidence) {
    static SMALL: OnceLock<(Index, Evidence)> = OnceLock::new();
    SMALL.get_or_init(|| {
        let index = index_of(Mix::Small, 2);
        let evidence = evidence_of(&index);
        evidence.prepare(&index);
        (index, evidence)
    })
}

/// All matches.
#[divan::bench(args = FILTERS, sample_count = 20)]
fn filter_small_packets(bencher: divan::Bencher, text: &str) {
    let (index, evidence) = small();
    let cancel = AtomicBool::new(false);
    let context = Context { index, evidence: Some(evidence), notes: None, cancel: &cancel };
    bencher
        .counter(ItemsCount::new(index.len()))
        .with_inputs(|| Filter::parse(text).expect("the filters are right"))
        .bench_local_refs(|filter| filter.rows(&context).len());
}

/// The first match: what a person waits for. The search is cancelled there, so stopping is in it too.
#[divan::bench(args = FILTERS, sample_count = 20)]
fn first_match_among_small_packets(bencher: divan::Bencher, text: &str) {
    let (index, evidence) = small();
    bencher.with_inputs(|| Filter::parse(text).expect("the filters are right")).bench_local_refs(|filter| {
        let cancel = AtomicBool::new(false);
        let context = Context { index, evidence: Some(evidence), notes: None, cancel: &cancel };
        filter.rows_with(&context, &mut |step| {
            cancel.store(!step.rows.is_empty(), Ordering::Relaxed);
        })
    });
}

const CONTAINERS: [&str; 5] = ["gzip", "zstd", "xz", "bzip2", "lz4"];

fn packed(container: &str) -> Vec<u8> {
    let bytes = capture(Mix::Ordinary);
    let failed = "packing in memory cannot fail";
    match container {
        "gzip" => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(bytes).expect(failed);
            writer.finish().expect(failed)
        }
        "zstd" => zstd::encode_all(bytes, 3).expect(failed),
        "xz" => {
            let options = lzma_rust2::XzOptions::with_preset(0);
            let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).expect(failed);
            writer.write_all(bytes).expect(failed);
            writer.finish().expect(failed)
        }
        "bzip2" => {
            let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            writer.write_all(bytes).expect(failed);
            writer.finish().expect(failed)
        }
        _ => {
            let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
            writer.write_all(bytes).expect(failed);
            writer.finish().expect(failed)
        }
    }
}

/// Unpacking and indexing at the same time; compare with `build_on_all_threads`.
#[divan::bench(args = CONTAINERS, sample_count = 3)]
fn unpack_and_build(bencher: divan::Bencher, container: &str) {
    let bytes: &'static [u8] = packed(container).leak();
    bencher.counter(BytesCount::new(capture(Mix::Ordinary).len())).bench_local(|| {
        let (source, walk) = open_reader("packed", bytes, Options::default()).expect("it opens");
        let input = Input { source, walk, offset_ns: 0 };
        build(vec![input], 2, &Progress::default(), |_| {}).len()
    });
}

/// From opening to the first snapshot that could be shown.
#[divan::bench(sample_count = 20)]
fn first_snapshot(bencher: divan::Bencher) {
    bencher.bench_local(|| {
        let (source, walk) = open_bytes("bulk", capture(Mix::Small)).expect("a generated capture opens");
        let progress = Progress::default();
        let stop = |_: &Index| progress.cancel.store(true, Ordering::Relaxed);
        build(vec![Input { source, walk, offset_ns: 0 }], 2, &progress, stop).len()
    });
}

/// Findings, hypotheses and the draft of the report over an hour of an office with an outage.
#[divan::bench(sample_count = 10)]
fn examine_and_draft(bencher: divan::Bencher) {
    let office = Office::sample().write_pcap(Vec::new()).expect("writing to memory cannot fail");
    let (source, walk) = open_bytes("office", office.leak()).expect("a generated capture opens");
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    let evidence = evidence_of(&index);
    let examined = Examined { index: &index, evidence: &evidence };
    bencher.counter(ItemsCount::new(index.len())).bench_local(|| {
        let findings = findings::run(&examined, &[]);
        let assessments = assess_all(&examined, &findings, &[]);
        let case = State::default();
        let coverage = findings::Coverage::default();
        let input = report::Input {
            index: &index,
            evidence: &evidence,
            findings: &findings,
            assessments: &assessments,
            coverage: &coverage,
            case: &case,
        };
        report::draft(&input).sections.len()
    });
}
