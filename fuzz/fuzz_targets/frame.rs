//! Any bytes of any link type decode, dissect and summarise without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portmortem::capture::LinkType;
use portmortem::decode::{Quote, decode};

fuzz_target!(|input: (u16, &[u8])| {
    let (link_type, bytes) = input;
    let decoded = decode(LinkType(link_type), bytes);
    let _ = Quote::read(&decoded);
    let _ = portmortem::protocols::classify(&decoded, &portmortem::settings::Settings::default());
    let _ = portmortem::decode::dns::read(decoded.payload());
});
