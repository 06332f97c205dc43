//! The tables and their columns, as data; each file that fills a table gives values in this order.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text in UTF-8.
    Text,
    /// A small number.
    Int32,
    /// A count, or nanoseconds.
    Int64,
    /// Yes or no.
    Bool,
    /// Microseconds since 1970 in UTC.
    Moment,
    /// An address as 16 bytes; IPv4 as `::ffff:a.b.c.d`.
    Address,
    /// Several texts; none is NULL.
    Texts,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether every row has a value.
    pub required: bool,
    /// Whether values rarely come again, so that a dictionary of them would only cost.
    pub distinct: bool,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// The columns beside those every table begins with.
    pub own: &'static [Column],
    /// Whether a row stands for a packet: `frame`, `evidence`, `ts` and `ts_ns` follow the capture.
    pub has_packet: bool,
}

impl Table {
    /// All its columns in order.
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> {
        let packet = if self.has_packet { PACKET } else { &[] };
        CAPTURE.iter().chain(packet).chain(self.own)
    }
}

const fn of(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, required: false, distinct: false }
}

const fn must(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, required: true, distinct: false }
}

const fn varied(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, required: false, distinct: true }
}

/// Where a row comes from.
const CAPTURE: &[Column] = &[
    must("site", Kind::Text),
    must("sensor", Kind::Text),
    must("capture", Kind::Text),
    must("capture_sha256", Kind::Text),
];

/// The packet a row stands for.
const PACKET: &[Column] = &[
    varied("frame", Kind::Int64),
    varied("evidence", Kind::Text),
    varied("ts", Kind::Moment),
    varied("ts_ns", Kind::Int64),
];

/// All tables in the order they are put in place; `captures` is the last, and says that the others are there.
pub const TABLES: &[&Table] = &[&DNS, &ICMP_ERRORS, &LINKS, &EPISODES, &FINDINGS, &ATTEMPTS, &CAPTURES];

/// One row a lookup.
pub(super) const DNS: Table = Table {
    name: "dns",
    has_packet: true,
    own: &[
        must("message", Kind::Int32),
        of("client_ip", Kind::Text),
        of("client_ip16", Kind::Address),
        of("client_port", Kind::Int32),
        of("server_ip", Kind::Text),
        of("server_ip16", Kind::Address),
        of("server_port", Kind::Int32),
        of("transport", Kind::Text),
        varied("dns_id", Kind::Int32),
        of("qname", Kind::Text),
        of("qtype", Kind::Text),
        must("outcome", Kind::Text),
        of("detail", Kind::Text),
        of("extended_error", Kind::Text),
        of("failed", Kind::Bool),
        must("tries", Kind::Int64),
        varied("rtt_ns", Kind::Int64),
        varied("waited_ns", Kind::Int64),
        of("episode", Kind::Int64),
        varied("lookup", Kind::Int64),
        of("error_from", Kind::Text),
        varied("query_frames", Kind::Texts),
        varied("answer_frames", Kind::Texts),
        varied("error_frames", Kind::Texts),
    ],
};

/// One row an ICMP error that quotes a packet.
pub(super) const ICMP_ERRORS: Table = Table {
    name: "icmp_errors",
    has_packet: true,
    own: &[
        of("from_ip", Kind::Text),
        of("from_ip16", Kind::Address),
        of("to_ip", Kind::Text),
        of("icmp_version", Kind::Int32),
        of("icmp_type", Kind::Int32),
        of("icmp_code", Kind::Int32),
        of("ttl", Kind::Int32),
        of("copy", Kind::Bool),
        of("quoted_src_ip", Kind::Text),
        of("quoted_src_port", Kind::Int32),
        of("quoted_dst_ip", Kind::Text),
        of("quoted_dst_port", Kind::Int32),
        of("quoted_transport", Kind::Text),
        of("quoted_dns_id", Kind::Int32),
        of("quoted_qname", Kind::Text),
        of("quoted_qtype", Kind::Text),
        varied("about_frame", Kind::Int64),
        varied("about_evidence", Kind::Text),
        of("level", Kind::Text),
        varied("delta_ns", Kind::Int64),
    ],
};

/// One row a tie of an error to what it is about, or of a copy to its original.
pub(super) const LINKS: Table = Table {
    name: "links",
    has_packet: true,
    own: &[
        must("link", Kind::Int32),
        must("kind", Kind::Text),
        varied("to_frame", Kind::Int64),
        varied("to_evidence", Kind::Text),
        must("level", Kind::Text),
        varied("delta_ns", Kind::Int64),
    ],
};

/// One row an episode of failed lookups.
pub(super) const EPISODES: Table = Table {
    name: "episodes",
    has_packet: true,
    own: &[
        must("episode", Kind::Int64),
        of("problem", Kind::Int64),
        of("client_ip", Kind::Text),
        of("client_ip16", Kind::Address),
        of("server_ip", Kind::Text),
        of("server_ip16", Kind::Address),
        of("server_port", Kind::Int32),
        of("transport", Kind::Text),
        of("qname", Kind::Text),
        must("signature", Kind::Text),
        of("duration_ns", Kind::Int64),
        must("attempts", Kind::Int64),
        must("errors", Kind::Int64),
        must("delayed_errors", Kind::Int64),
        must("verdict", Kind::Text),
        of("cut", Kind::Bool),
        of("consequences", Kind::Texts),
        of("error_sender", Kind::Text),
        varied("frames", Kind::Texts),
        varied("recovery_frames", Kind::Texts),
    ],
};

/// One row a finding, and one for each thing that was seen and not assessed.
pub(super) const FINDINGS: Table = Table {
    name: "findings",
    has_packet: true,
    own: &[
        must("finding", Kind::Int32),
        must("rule", Kind::Text),
        of("code", Kind::Text),
        of("severity", Kind::Text),
        must("statement", Kind::Text),
        of("reason", Kind::Text),
        of("filter", Kind::Text),
        varied("frames", Kind::Texts),
    ],
};

/// One row a thing a client wanted of a service beside DNS.
pub(super) const ATTEMPTS: Table = Table {
    name: "attempts",
    has_packet: true,
    own: &[
        must("message", Kind::Int32),
        of("client_ip", Kind::Text),
        of("client_ip16", Kind::Address),
        of("client_port", Kind::Int32),
        of("server_ip", Kind::Text),
        of("server_ip16", Kind::Address),
        of("server_port", Kind::Int32),
        of("transport", Kind::Text),
        must("service", Kind::Text),
        of("name", Kind::Text),
        must("outcome", Kind::Text),
        of("detail", Kind::Text),
        of("failed", Kind::Bool),
        must("tries", Kind::Int64),
        varied("answered_ns", Kind::Int64),
        varied("waited_ns", Kind::Int64),
        varied("handshake_ns", Kind::Int64),
        varied("decided_frame", Kind::Int64),
        varied("decided_evidence", Kind::Text),
    ],
};

/// One row a capture: what was read, and that all of it stands in the other tables.
pub(super) const CAPTURES: Table = Table {
    name: "captures",
    has_packet: false,
    own: &[
        must("unit", Kind::Text),
        must("unit_id", Kind::Text),
        of("replaces", Kind::Text),
        must("tool_version", Kind::Text),
        must("rules_version", Kind::Text),
        must("schema_version", Kind::Text),
        must("bytes", Kind::Int64),
        of("packets", Kind::Int64),
        of("dns_rows", Kind::Int64),
        of("icmp_error_rows", Kind::Int64),
        must("status", Kind::Text),
        of("damage", Kind::Text),
        of("format", Kind::Text),
        of("time_basis", Kind::Text),
        of("first_ts", Kind::Moment),
        of("last_ts", Kind::Moment),
        of("notes", Kind::Texts),
    ],
};
