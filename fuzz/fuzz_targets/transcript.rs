//! Any text is a transcript or none; the packets found in it are slices of it that read and show without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portmortem::capture::{Walk, transcript::Transcript};
use portmortem::decode::transcript::read;

fuzz_target!(|text: &str| {
    let mut records = Vec::new();
    Transcript::default().fill(text.as_bytes(), true, 10_000, &mut records);
    for record in records {
        let start = record.offset as usize;
        let _ = read(&text.as_bytes()[start..start + record.captured as usize]);
    }
});
