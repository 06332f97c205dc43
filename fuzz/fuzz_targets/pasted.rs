//! Any bytes are a pasted text or none; what is found in it lies in it or behind it, and reads without a panic. Seeds are the logs and
//! texts of the tests: `cargo fuzz run pasted fuzz/corpus/pasted tests/truth/logs tests/prose`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portmortem::capture::{self, Fill};
use portmortem::decode::transcript::read;
use portmortem::settings::Settings;

fuzz_target!(|bytes: &[u8]| {
    let Ok(found) = capture::open_text("text", bytes.to_vec()) else { return };
    let settings = Settings::default();
    for (source, mut walk) in found {
        let mut records = Vec::new();
        while walk.fill(source.bytes.bytes().into(), true, 100, &mut records) == Fill::More {}
        for record in &records {
            let start = record.offset as usize;
            let bytes = source.bytes.slice(start..start + record.captured as usize);
            let _ = read(bytes.expect("a packet lies in the text or behind it"), &settings);
        }
    }
});
