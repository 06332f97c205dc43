//! Any text is a transcript or none; the packets found in it are slices of it that read and show without a panic, however it comes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portmortem::capture::{Fill, Record, Walk, transcript::Transcript};
use portmortem::decode::transcript::read;

fn show(text: &str, records: &[Record]) {
    let mut before = 0;
    for record in records {
        assert!(record.offset >= before, "packets overlap");
        let start = record.offset as usize;
        before = record.offset + u64::from(record.captured);
        let _ = read(&text.as_bytes()[start..start + record.captured as usize], &portmortem::settings::Settings::default());
    }
}

fuzz_target!(|text: &str| {
    let bytes = text.as_bytes();
    let mut whole = Vec::new();
    Transcript::default().fill(bytes.into(), true, 10_000, &mut whole);
    show(text, &whole);
    // Live, with a pause now and then, in which the last packet is shown or taken as it is.
    let mut walk = Transcript::default();
    let mut records = Vec::new();
    for (turn, end) in (0..bytes.len()).step_by(1 + bytes.len() / 7).enumerate() {
        while walk.fill(bytes[..end].into(), false, 100, &mut records) == Fill::More {}
        match turn % 3 {
            0 => drop(walk.unproven(bytes[..end].into())),
            1 => records.extend(walk.settle(bytes[..end].into())),
            _ => {}
        }
    }
    while walk.fill(bytes.into(), true, 100, &mut records) == Fill::More {}
    show(text, &records);
});
