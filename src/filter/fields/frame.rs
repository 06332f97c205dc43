//! Fields of the capture record, and what reading it met.

use super::{Column, FieldInfo, Source, Word, field};
use crate::index::segment::flags;
use crate::protocols::Kind::{Bool, Bytes, Duration, Number, Text, Time};

/// The table.
pub static FIELDS: &[FieldInfo] = &[
    field("frame", Bytes, Source::Word(Word::Frame), "frame contains \"example\"", "every packet; its bytes"),
    field(
        "frame.number",
        Number,
        Source::Column(Column::FrameNumber),
        "frame.number in {10..20}",
        "position in its file, from 1",
    ),
    field("frame.len", Number, Source::Column(Column::Original), "frame.len > 1000", "bytes on the wire")
        .or(&["len"])
        .limited(0, u32::MAX as i64),
    field("frame.cap_len", Number, Source::Column(Column::Captured), "frame.cap_len < 64", "bytes captured")
        .limited(0, u32::MAX as i64),
    field(
        "frame.time",
        Time,
        Source::Column(Column::Time),
        "time in 13:24..13:27",
        "time of capture, UTC; the date may be left out",
    )
    .or(&["time", "frame.time_utc"]),
    field(
        "frame.time_epoch",
        Duration,
        Source::Column(Column::Time),
        "frame.time_epoch >= 1700000000",
        "seconds since 1970",
    ),
    field(
        "frame.time_relative",
        Duration,
        Source::Column(Column::TimeRelative),
        "frame.time_relative < 2s",
        "time since the first packet",
    ),
    field(
        "frame.time_delta",
        Duration,
        Source::Column(Column::TimeDelta),
        "frame.time_delta > 500ms",
        "time since the packet before it in its file",
    )
    .or(&["frame.time_delta_displayed"]),
    field(
        "frame.interface_id",
        Number,
        Source::Column(Column::Interface),
        "frame.interface_id == 0",
        "interface it was captured on",
    )
    .limited(0, u16::MAX as i64),
    field(
        "frame.interface_name",
        Text,
        Source::InterfaceName,
        "frame.interface_name == \"eth0\"",
        "name of the interface it was captured on, where the capture tells it",
    ),
    field(
        "frame.protocols",
        Text,
        Source::Layers,
        "frame.protocols contains \"vlan\"",
        "layers from the outermost in, as `eth:ethertype:ip:udp:dns`; without quoted datagrams",
    ),
    field("file", Text, Source::File, "file == A", "capture file: its letter, or part of its name"),
    field(
        "site",
        Text,
        Source::Site,
        "site == \"Oslo\"",
        "site its file was captured at, as `--site` names it",
    ),
    field(
        "sensor",
        Text,
        Source::Sensor,
        "sensor == \"client\"",
        "place its file was captured at, as `--sensor` names it",
    ),
    field(
        "frame.comment",
        Text,
        Source::Comment,
        "frame.comment contains \"retry\"",
        "comment stored in the capture",
    )
    .or(&["pkt_comment"]),
    field("fragment", Bool, Source::Flags(flags::FRAGMENT), "fragment", "a piece of a fragmented packet"),
    field("tunnel", Bool, Source::Flags(flags::TUNNEL), "tunnel", "the packet travelled in a tunnel"),
    field(
        "malformed",
        Bool,
        Source::Flags(flags::STOPPED),
        "malformed",
        "reading stopped before the payload, or the message is malformed",
    )
    .or(&["_ws.malformed"]),
    field("cut", Bool, Source::Flags(flags::CUT), "cut", "fewer bytes were captured than were on the wire"),
    field("backward", Bool, Source::Flags(flags::BACKWARD), "backward", "earlier than the packet before it"),
];
