//! Fields of DNS headers and questions, answered from the side table.

use super::values::{CLASSES, OPCODES, RECORD_TYPES, RESPONSE_CODES};
use super::{DnsField, FieldInfo, Source, field};
use crate::protocols::Kind::{Bool, Name, Number};

/// The table.
pub static FIELDS: &[FieldInfo] = &[
    field(
        "dns.qry.name",
        Name,
        Source::Dns(DnsField::Name),
        "dns.qry.name contains \"yummy\"",
        "name in the question",
    )
    .or(&["dns.name"]),
    field(
        "dns.qry.type",
        Number,
        Source::Dns(DnsField::Type),
        "dns.qry.type == AAAA",
        "type in the question",
    )
    .or(&["dns.type"])
    .named(RECORD_TYPES),
    field(
        "dns.qry.class",
        Number,
        Source::Dns(DnsField::Class),
        "dns.qry.class == IN",
        "class in the question",
    )
    .or(&["dns.class"])
    .named(CLASSES),
    field("dns.id", Number, Source::Dns(DnsField::Id), "dns.id == 0x890c", "message id").limited(0, 65535),
    field("dns.flags", Number, Source::Dns(DnsField::Flags), "dns.flags == 0x0100", "the flag word")
        .limited(0, 65535),
    field(
        "dns.flags.response",
        Bool,
        Source::Dns(DnsField::Response),
        "dns.flags.response == 0",
        "response (QR = 1)",
    )
    .or(&["dns.response"]),
    field("dns.flags.opcode", Number, Source::Dns(DnsField::Opcode), "dns.flags.opcode == 0", "OPCODE")
        .or(&["dns.opcode"])
        .named(OPCODES),
    field(
        "dns.flags.rcode",
        Number,
        Source::Dns(DnsField::ResponseCode),
        "dns.flags.rcode == NXDOMAIN",
        "RCODE of a response",
    )
    .or(&["dns.rcode"])
    .named(RESPONSE_CODES),
    field(
        "dns.flags.authoritative",
        Bool,
        Source::Dns(DnsField::Bit(0x0400, true)),
        "dns.flags.authoritative == 1",
        "AA of a response",
    ),
    field(
        "dns.flags.truncated",
        Bool,
        Source::Dns(DnsField::Bit(0x0200, false)),
        "dns.flags.truncated == 1",
        "TC",
    ),
    field(
        "dns.flags.recdesired",
        Bool,
        Source::Dns(DnsField::Bit(0x0100, false)),
        "dns.flags.recdesired == 0",
        "RD",
    ),
    field(
        "dns.flags.recavail",
        Bool,
        Source::Dns(DnsField::Bit(0x0080, true)),
        "dns.flags.recavail == 0",
        "RA of a response",
    ),
    field(
        "dns.flags.authenticated",
        Bool,
        Source::Dns(DnsField::Bit(0x0020, false)),
        "dns.flags.authenticated == 1",
        "AD",
    ),
    field(
        "dns.flags.checkdisable",
        Bool,
        Source::Dns(DnsField::Bit(0x0010, false)),
        "dns.flags.checkdisable == 1",
        "CD",
    ),
    field("dns.count.queries", Number, Source::Dns(DnsField::Count(0)), "dns.count.queries != 1", "QDCOUNT")
        .limited(0, 65535),
    field("dns.count.answers", Number, Source::Dns(DnsField::Count(1)), "dns.count.answers == 0", "ANCOUNT")
        .limited(0, 65535),
    field("dns.count.auth_rr", Number, Source::Dns(DnsField::Count(2)), "dns.count.auth_rr > 0", "NSCOUNT")
        .limited(0, 65535),
    field("dns.count.add_rr", Number, Source::Dns(DnsField::Count(3)), "dns.count.add_rr > 0", "ARCOUNT")
        .limited(0, 65535),
];
