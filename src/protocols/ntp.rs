//! NTP: who asks whom for the time.

use std::fmt::Write as _;

use super::{Claim, Frame, Protocol, Tree};

fields! {
    VERSION "ntp.flags.vn" Number "version";
    MODE "ntp.flags.mode" Number "mode: 3 client, 4 server";
    STRATUM "ntp.stratum" Number "stratum";
}

/// Network Time Protocol (RFC 5905).
pub static NTP: Protocol = Protocol {
    name: "ntp",
    label: "NTP",
    title: "Network Time Protocol",
    claims: &[Claim::UdpPort(123)],
    fields: FIELDS,
    dissect,
    summary,
};

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let Some([first, stratum]) = frame.decoded.payload().first_chunk::<2>() else { return };
    let start = frame.decoded.payload_start as usize;
    tree.enter("NTP".to_owned(), start, frame.decoded.payload_end as usize);
    tree.number(&VERSION, "Version", i64::from(first >> 3 & 7), start..start + 1);
    tree.number(&MODE, "Mode", i64::from(first & 7), start..start + 1);
    tree.number(&STRATUM, "Stratum", i64::from(*stratum), start + 1..start + 2);
    tree.leave();
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let Some([first, stratum]) = frame.decoded.payload().first_chunk::<2>() else {
        out.push_str("NTP, cut");
        return;
    };
    let version = first >> 3 & 7;
    let _ = match first & 7 {
        3 => write!(out, "client, version {version}"),
        4 => write!(out, "server, version {version}, stratum {stratum}"),
        5 => write!(out, "broadcast, version {version}, stratum {stratum}"),
        mode => write!(out, "mode {mode}, version {version}"),
    };
}
