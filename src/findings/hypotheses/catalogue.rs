//! The causes a failure may have (H1–H48): titles, equivalence classes, and what none of them can tell from packets.

use std::fmt;

/// Every explanation there is; its number is its id and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// DNS service not running or not bound.
    NotRunning = 1,
    /// Packet filter on the server.
    ServerFilter = 2,
    /// Device in front of the server.
    DeviceInFront = 3,
    /// Wrong resolver address.
    WrongAddress = 4,
    /// Device on the path rejects.
    PathFilter = 5,
    /// Host down or not on its network.
    HostDown = 6,
    /// No route, or a loop.
    NoRoute = 7,
    /// Silent drop.
    SilentDrop = 8,
    /// Overload or denial of service.
    Overload = 9,
    /// Errors are rate limited.
    ErrorLimit = 10,
    /// Fragments or large packets lost.
    LargePacketsLost = 11,
    /// Only one transport fails.
    OneTransport = 12,
    /// Failure behind the resolver.
    Upstream = 13,
    /// Policy answer.
    Policy = 14,
    /// Name or type does not exist.
    NameMissing = 15,
    /// Lame or mis-addressed answer.
    LameAnswer = 16,
    /// Forged or stray error.
    ForgedError = 17,
    /// Failover worked.
    Failover = 18,
    /// Late answer, or refused at the client's side.
    LateAnswer = 19,
    /// DNS works, the site does not.
    SiteDown = 20,
    /// Artefact of the record.
    Record = 21,
    /// Translation or connection table exhausted.
    TableFull = 22,
    /// A proxy answers in the server's name.
    Interception = 23,
    /// Path-MTU black hole for TCP or QUIC.
    SizeBlackHole = 24,
    /// TLS refused.
    TlsRefused = 25,
    /// The application answers with an error.
    ApplicationError = 26,
    /// Accepted, but mute.
    Mute = 27,
    /// Receiver stopped reading.
    ReceiverStalled = 28,
    /// Lossy path.
    LossyPath = 29,
    /// Slow path.
    SlowPath = 30,
    /// Slow service.
    SlowService = 31,
    /// Duplicate address.
    DuplicateAddress = 32,
    /// Next hop gone.
    NextHopGone = 33,
    /// No DHCP service.
    NoLease = 34,
    /// Second DHCP server.
    SecondDhcp = 35,
    /// Names led to a portal.
    Portal = 36,
    /// Wrong resolver for a zone.
    SplitDns = 37,
    /// No time service.
    TimeService = 38,
    /// Dead member behind one address, or flapping service.
    DeadMember = 39,
    /// Filter by a property of the request.
    PropertyFilter = 40,
    /// State lost in a firewall or translator.
    StateLost = 41,
    /// Second of two first packets lost.
    SecondPacketLost = 42,
    /// Reset by a device, because of content.
    ContentReset = 43,
    /// The client sends with too small a TTL.
    FewHops = 44,
    /// An idle connection is used again as the server closes it.
    IdleClosed = 45,
    /// The service takes no more of the connections that its host accepts.
    QueueFull = 46,
    /// A limit of the service is reached.
    LimitReached = 47,
    /// Two clients use one identity.
    SharedIdentity = 48,
}

impl Cause {
    /// Its printed id, as in ledgers, reports and saved changes.
    pub fn id(self) -> &'static str {
        IDS.get(self as usize).copied().unwrap_or_default()
    }

    /// The cause with a printed id.
    pub fn parse(id: &str) -> Option<Self> {
        CATALOGUE.iter().map(|entry| entry.cause).find(|cause| cause.id() == id)
    }

    /// Its row of the catalogue.
    pub fn entry(self) -> Option<&'static Entry> {
        CATALOGUE.iter().find(|entry| entry.cause == self)
    }

    /// Whether it explains a failure and competes with the others.
    pub fn competes(self) -> bool {
        self.entry().is_some_and(|entry| entry.role == Role::Cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.id())
    }
}

/// What a cause is called where a service beside DNS failed.
pub fn service_title(cause: Cause) -> &'static str {
    match cause {
        Cause::NotRunning => "the service is not running, or not bound to that address",
        Cause::ServerFilter => "a packet filter on the server refuses the port",
        Cause::DeviceInFront => "a device in front of the server answers in its name",
        Cause::WrongAddress => "the address is not that of the service",
        Cause::Policy => "the service refuses on purpose (policy, credentials, a limit)",
        Cause::ApplicationError => "the application fails: overload, maintenance, or what stands behind it",
        Cause::LameAnswer => "the host answers from another of its addresses than was asked",
        Cause::Mute => {
            "the application accepts and does not answer: it hangs, or waits for something behind it"
        }
        Cause::OneTransport => "only one of two families, transports or addresses fails",
        Cause::DeadMember => {
            "one of several members behind the address does not serve, or the service comes and goes"
        }
        Cause::PropertyFilter => "requests with one property are dropped or ignored",
        Cause::HostDown => "the host is down or not on its network",
        other => match other.entry() {
            Some(entry) => entry.title,
            None => "",
        },
    }
}

/// Ids in a row, for people: `H1, H2`.
pub fn list(causes: &[Cause]) -> String {
    let ids: Vec<&str> = causes.iter().map(|cause| cause.id()).collect();
    ids.join(", ")
}

/// The ids by number.
static IDS: [&str; 49] = [
    "", "H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "H9", "H10", "H11", "H12", "H13", "H14", "H15",
    "H16", "H17", "H18", "H19", "H20", "H21", "H22", "H23", "H24", "H25", "H26", "H27", "H28", "H29", "H30",
    "H31", "H32", "H33", "H34", "H35", "H36", "H37", "H38", "H39", "H40", "H41", "H42", "H43", "H44", "H45",
    "H46", "H47", "H48",
];

/// Causes that send the same packets; printed as one line and never ranked against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The address answers and the port refuses: H1–H4.
    Refusal,
    /// The class of one cause, and of those that look like it here.
    Of(Cause),
}

impl Class {
    /// `A`, or the id of the cause it is named after.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refusal => "A",
            Self::Of(cause) => cause.id(),
        }
    }
}

impl PartialOrd for Class {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Classes with equal sums stand in the order of their names.
impl Ord for Class {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name().cmp(other.name())
    }
}

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
    /// Which explanation.
    pub cause: Cause,
    /// Short name.
    pub title: &'static str,
    /// Class of hypotheses that send the same packets.
    pub class: Class,
    /// How it takes part in the ranking.
    pub role: Role,
    /// What the capture leaves open even when the hypothesis fits.
    pub cannot_tell: &'static str,
}

const fn cause(cause: Cause, title: &'static str, cannot_tell: &'static str) -> Entry {
    Entry { cause, title, class: Class::Of(cause), role: Role::Cause, cannot_tell }
}

const fn refusal(cause: Cause, title: &'static str) -> Entry {
    Entry { cause, title, class: Class::Refusal, role: Role::Cause, cannot_tell: CLASS_A }
}

const fn companion(cause: Cause, title: &'static str, cannot_tell: &'static str) -> Entry {
    Entry { cause, title, class: Class::Of(cause), role: Role::Companion, cannot_tell }
}

const CLASS_A: &str = "Which of H1–H4 holds: a missing listener, a filter that rejects, a device in front and an address \
that never was a resolver send the same packets.";

/// All hypotheses in order of their number; those from H24 on are listed where something speaks for or against them.
pub static CATALOGUE: [Entry; 48] = [
    refusal(Cause::NotRunning, "DNS service not running or not bound on the server"),
    refusal(Cause::ServerFilter, "packet filter on the server rejects the port"),
    refusal(Cause::DeviceInFront, "device in front of the server answers in its name"),
    refusal(Cause::WrongAddress, "wrong resolver address: the address was never a DNS server"),
    cause(
        Cause::PathFilter,
        "device on the path rejects the traffic",
        "Who configured the rule, on which device behind that address, and whether it is intended.",
    ),
    cause(
        Cause::HostDown,
        "host down or not on its network",
        "Whether the host is off, unplugged, moved, or the address was never in use.",
    ),
    cause(
        Cause::NoRoute,
        "no route to the network, or a routing loop",
        "Whether the routing fault lasted: such messages also occur while routes change (RFC 1122 §3.2.2.1).",
    ),
    cause(
        Cause::SilentDrop,
        "silent drop (filter, loss, or dead server behind a filter)",
        "Whether a filter drops, packets are lost, ICMP is filtered, or the server does not respond: all are silent.",
    ),
    cause(
        Cause::Overload,
        "overload or denial of service",
        "Intent and origin: source addresses may be forged, and a legitimate crowd looks alike.",
    ),
    companion(
        Cause::ErrorLimit,
        "ICMP errors are rate limited",
        "Whether the silent queries were refused like their neighbours.",
    ),
    cause(
        Cause::LargePacketsLost,
        "fragments or large packets are lost on the path",
        "Which device drops the fragments or the packet-too-big messages.",
    ),
    companion(
        Cause::OneTransport,
        "only one of UDP and TCP fails",
        "Why the transports are treated differently.",
    ),
    cause(
        Cause::Upstream,
        "failure behind the resolver: upstream, zone or validation",
        "What failed between the resolver and the zone's own servers: those packets are not in this capture.",
    ),
    cause(
        Cause::Policy,
        "policy answer: the server refuses or filters",
        "Whose policy it is, and whether it is intended.",
    ),
    cause(
        Cause::NameMissing,
        "the name or type does not exist",
        "Whether the name is mistyped, expired, removed or never existed.",
    ),
    cause(
        Cause::LameAnswer,
        "lame, outdated or mis-addressed answer",
        "Whether addressing, translation, delegation or zone data is at fault.",
    ),
    cause(
        Cause::ForgedError,
        "forged or stray ICMP message",
        "A sender on the path can forge every field; that can never be excluded from one capture.",
    ),
    companion(Cause::Failover, "resolver failover worked", "Whether users noticed the delay."),
    cause(
        Cause::LateAnswer,
        "late answer, or refused by the client's own side",
        "Where the delay arose, and why the client no longer listened.",
    ),
    companion(
        Cause::SiteDown,
        "DNS works, the site's connection fails",
        "Why the site refuses or does not answer.",
    ),
    companion(Cause::Record, "capture or transcript artefact", "What the faithful record would have shown."),
    cause(
        Cause::TableFull,
        "NAT, source port or connection table exhausted",
        "Which device's table is full: its counters are needed.",
    ),
    cause(
        Cause::Interception,
        "another device answers DNS in the server's name",
        "Whether it is a proxy that is wanted, or forged answers; and who operates it.",
    ),
    cause(
        Cause::SizeBlackHole,
        "large packets are lost on the path (path-MTU black hole)",
        "Which link has the smaller size, and whether a filter on large packets or on ICMP does it: all look alike.",
    ),
    cause(
        Cause::TlsRefused,
        "the TLS handshake is refused",
        "Whose settings are at fault: what the server presents, what the client accepts, or a device between them.",
    ),
    cause(
        Cause::ApplicationError,
        "the service accepts and then closes without an answer",
        "Whether it is overloaded, starting, misconfigured, or does not serve this client.",
    ),
    cause(
        Cause::Mute,
        "the server accepts and acknowledges the question, and its service does not answer",
        "Whether the service hangs, waits for something behind it, or a device accepts in its name.",
    ),
    cause(
        Cause::ReceiverStalled,
        "the receiver stops reading",
        "Whether its program is busy or stopped, or waits for a disk or a person.",
    ),
    cause(
        Cause::LossyPath,
        "packets are lost on the path",
        "On which hop, and whether radio, congestion or a policer loses them.",
    ),
    cause(Cause::SlowPath, "the path delays everything", "On which hop the packets wait."),
    cause(
        Cause::SlowService,
        "the server answers slowly",
        "Whether it computes, waits for others, or is short of resources.",
    ),
    cause(Cause::DuplicateAddress, "two devices use one address", "Which of the two is meant to have it."),
    cause(
        Cause::NextHopGone,
        "the next hop does not answer on the local network",
        "Whether the gateway is off, or the client's own port or VLAN is at fault.",
    ),
    cause(
        Cause::NoLease,
        "no DHCP server answers",
        "Whether the server is down, its pool is empty, a relay is missing, or the client is in the wrong VLAN.",
    ),
    cause(
        Cause::SecondDhcp,
        "a second DHCP server gives other settings",
        "Which of the two is meant to be there.",
    ),
    cause(
        Cause::Portal,
        "names are answered by a portal or an interceptor on the path",
        "Whether it is a sign-in page that is wanted, or a hijack.",
    ),
    cause(
        Cause::SplitDns,
        "the wrong resolver is asked for this zone (split DNS)",
        "Why the clients ask this resolver: a lost VPN route, or settings handed out.",
    ),
    cause(
        Cause::TimeService,
        "the time server offers no time, or a wrong one",
        "Why it has none or a wrong one, or why it sends this client away.",
    ),
    cause(
        Cause::DeadMember,
        "one of several members behind the address does not serve, or the service flaps",
        "Whether several hosts stand behind the address, or one comes and goes.",
    ),
    cause(
        Cause::PropertyFilter,
        "queries with one property are dropped or ignored",
        "Whether a device on the path or the server itself does so.",
    ),
    cause(
        Cause::StateLost,
        "a firewall or translator on the way forgot the connection",
        "Which device forgot it, and after how long.",
    ),
    cause(
        Cause::SecondPacketLost,
        "one of two first packets sent together is lost",
        "Which translator or firewall loses it: its counters are needed.",
    ),
    cause(
        Cause::ContentReset,
        "a device on the way resets connections because of what they carry",
        "Which device, and whose rule it is.",
    ),
    cause(
        Cause::FewHops,
        "the client's packets start with too few hops (TTL) to reach the server",
        "What set the TTL: the program, the system's settings, or a device that rewrites it.",
    ),
    cause(
        Cause::IdleClosed,
        "idle connections are used again just as the server closes them (its keep-alive time is the shorter one)",
        "Which of the two times was changed, and whether a device between them closes connections in the server's name.",
    ),
    cause(
        Cause::QueueFull,
        "the application no longer takes its connections: the queue of accepted ones is full",
        "Whether it hangs, waits for something behind it, or has more to do than it can.",
    ),
    cause(
        Cause::LimitReached,
        "a limit of the service is reached (connections, sessions, requests)",
        "Whether the limit is too small, or somebody holds more than it needs; what is not in the capture counts towards it as well.",
    ),
    cause(
        Cause::SharedIdentity,
        "two clients use one identity: the server ends the session of the one when the other comes",
        "Which of the two is meant to have it, and whether one was copied, moved or set up twice.",
    ),
];
