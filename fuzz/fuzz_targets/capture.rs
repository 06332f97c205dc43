//! Any bytes are a capture (of any format, damaged or not) or a clear error; what is read can be judged and drafted.

#![no_main]

use std::sync::atomic::AtomicBool;

use libfuzzer_sys::fuzz_target;
use portmortem::correlate::{Parameters, correlate};
use portmortem::index::{Input, Progress, build};
use portmortem::{capture, findings};

fuzz_target!(|bytes: &[u8]| {
    // The target leaks its input: captures in memory live as long as the program.
    let bytes: &'static [u8] = Box::leak(bytes.to_vec().into_boxed_slice());
    let Ok((source, walk)) = capture::open_bytes("fuzz", bytes) else { return };
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let _ = findings::run(&findings::Input { index: &index, evidence: &evidence }, &[]);
});
