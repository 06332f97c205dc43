//! One packet as one aligned line of text.

use std::io::Write as _;

use crate::cli::load::Loaded;
use crate::index::Packet;
use crate::index::segment::flags;

/// Appends the line of one packet: label, time, addresses, protocol, length, summary.
pub(super) fn write(loaded: &Loaded, packet: &Packet<'_>, out: &mut Vec<u8>) {
    let label = loaded.index.label(packet.id);
    let time = if packet.flags() & flags::NO_TIME != 0 {
        "–".to_owned()
    } else if packet.source.metadata.has_date {
        crate::time::date_and_time(packet.time_ns())
    } else {
        loaded.index.basis().moment(packet.time_ns())
    };
    let length = packet.told_length().map_or_else(|| "–".to_owned(), |bytes| bytes.to_string());
    // Writing to memory cannot fail.
    let _ = writeln!(
        out,
        "{label:>7}  {time}  {:>15} → {:<15}  {:<6} {:>5}  {}",
        packet.source_address(),
        packet.destination_address(),
        packet.protocol().protocol().label,
        length,
        packet.summary()
    );
}
