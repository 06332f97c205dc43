//! Any bytes behind any packing are unpacked within their limits, or refused with a reason.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use portmortem::capture::{Limits, Options, open_reader};
use portmortem::index::{Input, Progress, build};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { spool_bytes: 16 << 20, unpacked_bytes: 16 << 20, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let Ok((source, walk)) = open_reader("fuzz", Cursor::new(bytes.to_vec()), options) else { return };
    let _ = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
});
