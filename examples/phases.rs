//! Prints what building the index and each stage of correlation take on a capture: wall time, time of all threads, memory.
//!
//! `cargo run --release --example phases -- FILE [TIMES]`; of several runs the quickest of each stage is shown.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it measures")]

use std::fs::read_to_string;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context as _;
use portmortem::capture;
use portmortem::correlate::{Parameters, correlate_noting};
use portmortem::index::{Input, Progress, build};

const USAGE: &str = "usage: phases FILE [TIMES]";

/// What was used when a stage ended.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    /// Nanoseconds that the threads now alive have run.
    run_ns: u64,
}

impl Mark {
    fn now() -> Self {
        let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let run = |thread: std::fs::DirEntry| {
            let text = read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        Self { at: Instant::now(), run_ns: threads.filter_map(run).sum() }
    }
}

/// Milliseconds of one stage: on the clock, and of all threads.
struct Stage {
    name: &'static str,
    wall_ms: f64,
    run_ms: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().context(USAGE)?;
    let times = arguments.get(1).map_or(Ok(1), |text| text.parse::<usize>())?;
    let mut best: Vec<Stage> = Vec::new();
    for _ in 0..times {
        let stages = run(Path::new(path))?;
        if best.is_empty() {
            best = stages;
            continue;
        }
        for (best, stage) in best.iter_mut().zip(stages) {
            best.wall_ms = best.wall_ms.min(stage.wall_ms);
            best.run_ms = best.run_ms.min(stage.run_ms);
        }
    }
    println!("{:>10} {:>12}", "wall ms", "threads ms");
    for Stage { name, wall_ms, run_ms } in &best {
        println!("{wall_ms:>10.1} {run_ms:>12.1}  {name}");
    }
    Ok(())
}

fn run(path: &Path) -> anyhow::Result<Vec<Stage>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (source, walk) = capture::open(path)?;
    let start = Mark::now();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], threads, &Progress::default(), |_| {});
    let mut before = Mark::now();
    let wall_ms = |from: Mark, to: Mark| (to.at - from.at).as_secs_f64() * 1e3;
    // The threads that built the index are gone, and what they ran is not known any more.
    let mut stages = vec![Stage { name: "index", wall_ms: wall_ms(start, before), run_ms: 0.0 }];
    let built = before;
    let evidence = correlate_noting(&index, &Parameters::default(), &AtomicBool::new(false), &mut |name| {
        let now = Mark::now();
        // Threads that built the index end only now and then are not counted any more.
        let run_ms = now.run_ns.saturating_sub(before.run_ns) as f64 / 1e6;
        stages.push(Stage { name, wall_ms: wall_ms(before, now), run_ms });
        before = now;
    });
    let run_ms = stages.iter().map(|stage| stage.run_ms).sum();
    stages.push(Stage { name: "correlation", wall_ms: wall_ms(built, before), run_ms });
    eprintln!(
        "{} packets, {} transactions, {} episodes; {}",
        index.len(),
        evidence.transactions.len(),
        evidence.episodes.len(),
        memory()
    );
    Ok(stages)
}

/// The process's memory that is no file, now and at most.
fn memory() -> String {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("RssAnon") || line.starts_with("VmHWM"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}
