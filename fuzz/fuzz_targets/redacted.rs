//! Whatever stands around it, a captured word that is not the program's own is gone from redacted text.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portmortem::export::redact::Pseudonyms;
use portmortem::index::{Index, Input, Progress, build};
use portmortem::{capture, samples};

const SECRETS: [&str; 3] = ["kx7qsecretword", "host-kx7q.corp.example", "10.77.66.55"];

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let seed = samples::SAMPLES.iter().find(|sample| sample.name == samples::DEFAULT).expect("it is built in");
    let (source, walk) = capture::open_bytes(seed.name, seed.bytes).expect("the sample opens");
    build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {})
});

fuzz_target!(|text: &str| {
    let mut names = Pseudonyms::of(&INDEX);
    for secret in SECRETS {
        // A word of its own: what touches it would make another word of it.
        let out = names.text(&format!("{text} {secret} {text}"));
        assert!(text.contains(secret) || !out.contains(secret), "{secret} stands in {out:?}");
    }
});
