//! The hypotheses H1–H23: titles, equivalence classes, priors, and what none of them can tell from packets.

/// How a hypothesis takes part in the ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It explains the failure and competes with the others.
    Cause,
    /// It describes scope, effect or record quality and holds together with a cause.
    Companion,
}

/// One row of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// `H1` … `H23`.
    pub id: &'static str,
    /// Short name.
    pub title: &'static str,
    /// Class of hypotheses that send the same packets.
    pub class: &'static str,
    /// How it takes part in the ranking.
    pub role: Role,
    /// Prior in decibans: attacks and forgeries are rarer than faults.
    pub prior_db: i32,
    /// What the capture leaves open even when the hypothesis fits.
    pub cannot_tell: &'static str,
}

const fn cause(
    id: &'static str,
    title: &'static str,
    class: &'static str,
    cannot_tell: &'static str,
) -> Entry {
    Entry { id, title, class, role: Role::Cause, prior_db: 0, cannot_tell }
}

const fn companion(id: &'static str, title: &'static str, cannot_tell: &'static str) -> Entry {
    Entry { id, title, class: id, role: Role::Companion, prior_db: 0, cannot_tell }
}

const CLASS_A: &str = "Which of H1–H4 holds: a missing listener, a filter that rejects, a device in front and an address \
that never was a resolver send the same packets.";

/// All hypotheses in order of their number.
pub static CATALOGUE: [Entry; 23] = [
    cause("H1", "DNS service not running or not bound on the server", "A", CLASS_A),
    cause("H2", "packet filter on the server rejects the port", "A", CLASS_A),
    cause("H3", "device in front of the server answers in its name", "A", CLASS_A),
    cause("H4", "wrong resolver address: the address was never a DNS server", "A", CLASS_A),
    cause(
        "H5",
        "device on the path rejects the traffic",
        "H5",
        "Who configured the rule, on which device behind that address, and whether it is intended.",
    ),
    cause(
        "H6",
        "host down or not on its network",
        "H6",
        "Whether the host is off, unplugged, moved, or the address was never in use.",
    ),
    cause(
        "H7",
        "no route to the network, or a routing loop",
        "H7",
        "Whether the routing fault lasted: such messages also occur while routes change (RFC 1122 §3.2.2.1).",
    ),
    cause(
        "H8",
        "silent drop (filter, loss, or dead server behind a filter)",
        "H8",
        "Whether a filter drops, packets are lost, ICMP is filtered, or the server does not respond: all are silent.",
    ),
    Entry {
        id: "H9",
        title: "overload or denial of service",
        class: "H9",
        role: Role::Cause,
        prior_db: -5,
        cannot_tell: "Intent and origin: source addresses may be forged, and a legitimate crowd looks alike.",
    },
    companion(
        "H10",
        "ICMP errors are rate limited",
        "Whether the silent queries were refused like their neighbours.",
    ),
    cause(
        "H11",
        "fragments or large packets are lost on the path",
        "H11",
        "Which device drops the fragments or the packet-too-big messages.",
    ),
    companion("H12", "only one of UDP and TCP fails", "Why the transports are treated differently."),
    cause(
        "H13",
        "failure behind the resolver: upstream, zone or validation",
        "H13",
        "What failed between the resolver and the zone's own servers: those packets are not in this capture.",
    ),
    cause(
        "H14",
        "policy answer: the server refuses or filters",
        "H14",
        "Whose policy it is, and whether it is intended.",
    ),
    cause(
        "H15",
        "the name or type does not exist",
        "H15",
        "Whether the name is mistyped, expired, removed or never existed.",
    ),
    cause(
        "H16",
        "lame or mis-addressed answer",
        "H16",
        "Whether addressing, translation or delegation data is at fault.",
    ),
    Entry {
        id: "H17",
        title: "forged or stray ICMP message",
        class: "H17",
        role: Role::Cause,
        prior_db: -5,
        cannot_tell: "A sender on the path can forge every field; that can never be excluded from one capture.",
    },
    companion("H18", "resolver failover worked", "Whether users noticed the delay."),
    cause(
        "H19",
        "late answer, or refused by the client's own side",
        "H19",
        "Where the delay arose, and why the client no longer listened.",
    ),
    cause("H20", "DNS works, the site's connection fails", "H20", "Why the site refuses or does not answer."),
    companion("H21", "capture or transcript artefact", "What the faithful record would have shown."),
    cause(
        "H22",
        "NAT, source port or connection table exhausted",
        "H22",
        "Which device's table is full: its counters are needed.",
    ),
    cause(
        "H23",
        "proxy intercepts and answers DNS",
        "H23",
        "Who operates the proxy and whether it is intended.",
    ),
];

/// One hypothesis by id.
pub fn entry(id: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.id == id)
}
