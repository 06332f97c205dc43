//! Times the engine on generated captures: building the index, correlating, filtering.
//!
//! `cargo bench`; `PORTMORTEM_BENCH_MIB` sets the size of each capture (32 MiB otherwise).

#![expect(clippy::expect_used, reason = "a benchmark that cannot start should stop and say so")]

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use divan::counter::{BytesCount, ItemsCount};
use portmortem::capture::open_bytes;
use portmortem::correlate::{Evidence, Parameters, correlate};
use portmortem::filter::{Context, Filter};
use portmortem::generate::bulk::{self, Mix};
use portmortem::index::{Index, Input, Progress, build};

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

const FILTERS: [&str; 5] = [
    "udp port 53",
    "ip.addr == 203.0.113.2",
    "icmp.error",
    "dns.qry.name contains \"zone17\"",
    "partner(icmp.error)",
];

#[divan::bench(args = FILTERS, sample_count = 20)]
fn filter_small_packets(bencher: divan::Bencher, text: &str) {
    let index = index_of(Mix::Small, 2);
    let evidence = evidence_of(&index);
    let cancel = AtomicBool::new(false);
    let context = Context { index: &index, evidence: Some(&evidence), notes: None, cancel: &cancel };
    let filter = Filter::parse(text).expect("the filters are right");
    bencher.counter(ItemsCount::new(index.len())).bench_local(|| filter.rows(&context).len());
}
