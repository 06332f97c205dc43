//! Any text is a filter or an error whose span lies inside it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portmortem::filter::named::Named;
use portmortem::filter::{Filter, complete};

fuzz_target!(|text: &str| {
    if let Err(error) = Filter::parse(text) {
        assert!(error.span.start <= error.span.end && error.span.end <= text.len());
        assert!(text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end));
    }
    let _ = complete(text, text.len(), None, &Named::default());
});
