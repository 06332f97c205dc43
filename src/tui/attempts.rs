//! All attempts of a capture as one list: DNS lookups and what clients wanted of other services, ordered or grouped as the analyst likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashMap;

use super::failures::{Failures, Kind};
use super::theme::Role;
use crate::attempts::{Attempt, Attempts, Outcome, subject};
use crate::connections::End;
use crate::correlate::{self, Evidence, Transaction, TransactionId};
use crate::decode::{Address, dns};
use crate::filter::build;
use crate::index::{Index, PacketId};
use crate::text::escape;
use crate::time::Nanos;

/// Groups shown; the ones with most failures.
const GROUPS_MAX: usize = 10_000;
/// Cells of a group's line over time.
pub const SPARK_CELLS: usize = 12;
/// Packets one filter lists.
const LISTED_MAX: usize = 200;

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A DNS question.
    Lookup(TransactionId),
    /// What was wanted of another service, by its place in [`Attempts::all`].
    Service(u32),
}

/// In which order they are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As they began.
    #[default]
    Time,
    /// Those that failed first, by how.
    Outcome,
    /// The longest wait first.
    Waited,
    /// By service.
    Service,
    /// By client.
    Client,
    /// By server.
    Server,
}

impl Order {
    /// All orders with their words.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Time, "time"),
        (Self::Outcome, "outcome, failures first"),
        (Self::Waited, "wait, longest first"),
        (Self::Service, "service"),
        (Self::Client, "client"),
        (Self::Server, "server"),
    ];
}

/// What they are put together by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Nothing: one row an attempt.
    #[default]
    None,
    /// Who was asked for what.
    Service,
    /// Who asked.
    Client,
    /// The name asked for.
    Name,
    /// How it ended.
    Outcome,
}

impl Grouping {
    /// All groupings with their words.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::None, "one by one"),
        (Self::Service, "by service"),
        (Self::Client, "by client"),
        (Self::Name, "by name"),
        (Self::Outcome, "by outcome"),
    ];
}

/// All attempts, in the order they began, with what they were read from.
#[derive(Clone, Default)]
pub struct Table {
    /// What correlation found.
    pub evidence: Option<Arc<Evidence>>,
    /// What clients wanted of other services; nothing before it was looked for.
    pub attempts: Arc<Attempts>,
    /// The attempts.
    pub entries: Arc<[Entry]>,
    /// How many of them failed.
    pub failed: u64,
    /// The failures over time, and where `]` stops.
    pub failures: Arc<Failures>,
    /// The packets of failed lookups that a filter found.
    lookups: Arc<[PacketId]>,
}

/// One attempt as it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The first try.
    pub first: PacketId,
    /// When.
    pub time_ns: Nanos,
    /// Who asked; no address where none is known.
    pub client: Address,
    /// Who was asked, and at which port.
    pub server: End,
    /// The service's id.
    pub service: &'static str,
    /// What was asked for, escaped; empty where nothing in clear says it.
    pub name: String,
    /// How it ended.
    pub outcome: String,
    /// What that means.
    pub role: Role,
    /// How often it was tried.
    pub tries: u32,
    /// How long the client waited.
    pub waited_ns: Nanos,
    /// From the request to its answer; 0 where none came.
    pub answered_ns: Nanos,
    /// The packet that answers or decides.
    pub partner: Option<PacketId>,
}

/// Attempts with something in common.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they have in common.
    pub label: String,
    /// Their places in [`Table::entries`], in order.
    pub members: Vec<u32>,
    /// How many failed.
    pub failed: u64,
    /// The wait in the middle, the one that 95 of 100 do not exceed, and the longest.
    pub waits_ns: [Nanos; 3],
    /// How they spread over time.
    pub spark: [u32; SPARK_CELLS],
}

/// The rows of a list.
#[derive(Clone, Debug, Default)]
pub enum Rows {
    /// Every attempt as it began.
    #[default]
    All,
    /// Every attempt in another order.
    Ordered(Arc<[u32]>),
    /// Groups.
    Groups(Arc<[Group]>),
}

/// A list as it is on the screen.
#[derive(Clone, Default)]
pub struct Listed {
    /// The attempts.
    pub table: Arc<Table>,
    /// Their order.
    pub order: Order,
    /// What they are put together by.
    pub grouping: Grouping,
    /// The rows.
    pub rows: Rows,
}

impl Table {
    /// The lookups alone, with the packets of failed ones.
    pub fn of_lookups(index: &Index, evidence: &Arc<Evidence>, failed: Vec<PacketId>) -> Self {
        Self::new(index, evidence, Arc::default(), failed.into())
    }

    /// The same with what clients wanted of other services.
    #[must_use]
    pub fn with(&self, index: &Index, evidence: &Arc<Evidence>, attempts: Arc<Attempts>) -> Self {
        Self::new(index, evidence, attempts, Arc::clone(&self.lookups))
    }

    fn new(
        index: &Index,
        evidence: &Arc<Evidence>,
        attempts: Arc<Attempts>,
        lookups: Arc<[PacketId]>,
    ) -> Self {
        let mut entries: Vec<Entry> =
            (0..evidence.transactions.len() as u32).map(|at| Entry::Lookup(TransactionId(at))).collect();
        entries.extend((0..attempts.all.len() as u32).map(Entry::Service));
        let mut table = Self { evidence: Some(Arc::clone(evidence)), attempts, lookups, ..Self::default() };
        let time = |packet: PacketId| index.packet(packet).map_or(0, |packet| packet.time_ns());
        if index.order.is_some() {
            entries.sort_by_cached_key(|entry| (time(table.first(*entry)), table.first(*entry)));
        } else {
            entries.sort_by_key(|entry| table.first(*entry));
        }
        let failed = entries.iter().filter(|entry| table.kind(**entry).is_some()).count();
        let begun = entries.iter().map(|entry| time(table.first(*entry)));
        let failures = Failures::new(index, evidence, &table.lookups, &table.attempts, begun);
        (table.failed, table.failures) = (failed as u64, Arc::new(failures));
        table.entries = entries.into();
        table
    }

    fn lookup(&self, id: TransactionId) -> Option<&Transaction> {
        self.evidence.as_ref()?.transaction(id)
    }

    fn attempt(&self, at: u32) -> Option<&Attempt> {
        self.attempts.all.get(at as usize)
    }

    /// The first try.
    pub fn first(&self, entry: Entry) -> PacketId {
        let first = match entry {
            Entry::Lookup(id) => self.lookup(id).map(|own| own.first),
            Entry::Service(at) => self.attempt(at).map(|own| own.first.packet),
        };
        first.unwrap_or(PacketId(0))
    }

    /// What kind of failure it is; `None` where it did not fail.
    pub fn kind(&self, entry: Entry) -> Option<Kind> {
        match entry {
            Entry::Lookup(id) => Kind::of_lookup(self.lookup(id)?),
            Entry::Service(at) => Kind::of_attempt(self.attempt(at)?.outcome),
        }
    }

    /// The packets that show it, in order.
    pub fn frames(&self, entry: Entry) -> Vec<PacketId> {
        let mut frames = match (entry, &self.evidence) {
            (Entry::Lookup(id), Some(evidence)) => {
                let own = self.lookup(id);
                evidence.packets_of(id).chain(own.and_then(|own| own.error)).collect()
            }
            (Entry::Service(at), _) => self.attempt(at).map(Attempt::frames).unwrap_or_default(),
            _ => Vec::new(),
        };
        frames.sort_unstable();
        frames.dedup();
        frames
    }

    /// The attempt a packet belongs to, else the last one that began before it: its place in [`Self::entries`].
    pub fn near(&self, index: &Index, packet: PacketId) -> Option<usize> {
        let evidence = self.evidence.as_ref()?;
        let own = evidence
            .transaction_of(packet)
            .or_else(|| evidence.partner(packet).and_then(|partner| evidence.transaction_of(partner)));
        if let Some(id) = own {
            return self.place(Entry::Lookup(id));
        }
        let at = self.attempts.all.iter().position(|own| own.frames().contains(&packet)).or_else(|| {
            let ends = ends(index, packet)?;
            self.attempts.all.iter().rposition(|own| {
                let own_ends = (own.client, (own.service.host, own.service.port));
                own.first.packet <= packet && (ends == own_ends || (ends.1, ends.0) == own_ends)
            })
        });
        if let Some(at) = at {
            return self.place(Entry::Service(at as u32));
        }
        let behind = self.entries.partition_point(|entry| self.first(*entry) <= packet);
        behind.checked_sub(1)
    }

    /// The place of an attempt in [`Self::entries`].
    pub fn place(&self, entry: Entry) -> Option<usize> {
        self.entries.iter().position(|other| *other == entry)
    }

    /// How long the client waited; 0 where nothing tells.
    fn waited_ns(&self, entry: Entry) -> Nanos {
        match entry {
            Entry::Lookup(id) => self.lookup(id).map_or(0, |own| own.waited_ns),
            Entry::Service(at) => self.attempt(at).map_or(0, Attempt::waited_ns),
        }
    }

    /// The ends of an attempt and its service.
    fn ends(&self, index: &Index, entry: Entry) -> (Address, End, &'static str) {
        match entry {
            Entry::Lookup(id) => {
                let first = self.lookup(id).and_then(|own| index.packet(own.first));
                let ends = first.map(|packet| {
                    (packet.source_address(), (packet.destination_address(), packet.destination_port()))
                });
                let (client, server) = ends.unwrap_or_default();
                (client, server, "dns")
            }
            Entry::Service(at) => self.attempt(at).map_or(Default::default(), |own| {
                (own.client.0, (own.service.host, own.service.port), own.kind.id())
            }),
        }
    }

    /// What was asked for, escaped.
    fn name(&self, index: &Index, entry: Entry) -> String {
        match entry {
            Entry::Lookup(id) => {
                let own = self.lookup(id);
                let packet = own.and_then(|own| index.packet(own.first));
                let row = own.and_then(|own| own.question(index));
                let wire = row.zip(packet).and_then(|(row, packet)| packet.segment.names.get(row.name));
                // The name is in presentation form, which is plain ASCII already (RFC 4343 §2.1).
                wire.map(dns::presentation).unwrap_or_default()
            }
            Entry::Service(at) => {
                let name = self.attempt(at).and_then(|own| subject::label(index, own));
                name.map(|name| escape(&name)).unwrap_or_default()
            }
        }
    }

    /// Everything a row says.
    pub fn shown(&self, index: &Index, entry: Entry) -> Option<Shown> {
        let (client, server, service) = self.ends(index, entry);
        let name = self.name(index, entry);
        let first = self.first(entry);
        let time_ns = index.packet(first)?.time_ns();
        let waited_ns = self.waited_ns(entry);
        let shown = match entry {
            Entry::Lookup(id) => {
                let own = self.lookup(id)?;
                let (outcome, role) = of_lookup(own);
                let kind = own.question(index).and_then(crate::index::DnsRow::asked_type);
                let name = match kind {
                    Some(kind) => format!("{}? {name}", crate::protocols::dns::type_name(kind)),
                    None => name,
                };
                let answered_ns = self.evidence.as_ref().map_or(0, |evidence| evidence.rtt_ns(own));
                let partner = own.error.or(own.answer);
                (name, outcome, role, own.tries, answered_ns, partner)
            }
            Entry::Service(at) => {
                let own = self.attempt(at)?;
                let (outcome, role) = of_attempt(own.outcome);
                let partner =
                    own.decided.map(|seen| seen.packet).filter(|packet| *packet != own.first.packet);
                (name, outcome, role, own.tries, own.answered_ns, partner)
            }
        };
        let (name, outcome, role, tries, answered_ns, partner) = shown;
        Some(Shown {
            first,
            time_ns,
            client,
            server,
            service,
            name,
            outcome,
            role,
            tries,
            waited_ns,
            answered_ns,
            partner,
        })
    }

    /// A filter that shows an attempt's packets in the timeline.
    pub fn filter(&self, index: &Index, entry: Entry) -> String {
        match entry {
            Entry::Lookup(_) => format!("transaction({})", frame(index, self.first(entry))),
            Entry::Service(at) => {
                let Some(own) = self.attempt(at) else { return String::new() };
                let flow = flow(own);
                let beside = self.frames(entry).into_iter().filter(|id| {
                    index.packet(*id).is_some_and(|packet| {
                        packet.flags() & crate::index::segment::flags::ICMP_ERROR != 0
                            || own.service.transport != 1 && packet.transport() != own.service.transport
                    })
                });
                let beside: Vec<String> = beside.map(|id| format!(" or ({})", frame(index, id))).collect();
                if beside.is_empty() { flow } else { format!("({flow}){}", beside.concat()) }
            }
        }
    }
}

/// `203.0.113.53:53`, `203.0.113.9`, `port 67`.
pub fn place((host, port): End) -> String {
    match (host, port) {
        (Address::None, port) => format!("port {port}"),
        (host, 0) => host.to_string(),
        (host, port) => host.with_port(port),
    }
}

/// The filter for one packet.
fn frame(index: &Index, id: PacketId) -> String {
    let Some(packet) = index.packet(id) else { return "frame.number == 0".to_owned() };
    let number = format!("frame.number == {}", packet.frame().0);
    if index.sources.len() < 2 {
        return number;
    }
    format!("file == {} and {number}", crate::index::source_label(packet.segment.source))
}

/// The filter for what runs between an attempt's ends.
fn flow(own: &Attempt) -> String {
    let host = |address: Address| match address {
        Address::None => None,
        Address::Ether(_) => Some(format!("ether host {address}")),
        _ => Some(format!("host {}{}", address.literal(), address.site_term())),
    };
    let word = match own.service.transport {
        6 => "tcp",
        17 => "udp",
        _ => "(icmp or icmpv6)",
    };
    let is_lease = own.kind == crate::attempts::Kind::Dhcp;
    let server = host(own.service.host).filter(|_| !is_lease);
    let mut parts = vec![word.to_owned()];
    parts.extend(host(own.client.0));
    parts.extend(server);
    // ICMP has an identifier where ports would stand.
    let has_ports = matches!(own.service.transport, 6 | 17) && !is_lease;
    let ports = [own.client.1, own.service.port];
    parts.extend(ports.iter().filter(|port| **port != 0 && has_ports).map(|port| format!("port {port}")));
    if is_lease {
        parts.push("dhcp".to_owned());
    }
    parts.join(" and ")
}

/// The two ends of a packet, in its direction.
fn ends(index: &Index, id: PacketId) -> Option<(End, End)> {
    let packet = index.packet(id)?;
    let has_ports = matches!(packet.transport(), 6 | 17);
    let port = |port: u16| if has_ports { port } else { 0 };
    let from = (packet.source_address(), port(packet.source_port()));
    Some((from, (packet.destination_address(), port(packet.destination_port()))))
}

impl Listed {
    /// Lists a table; `None` when cancelled.
    pub fn new(
        index: &Index,
        table: Arc<Table>,
        (order, grouping): (Order, Grouping),
        cancel: &AtomicBool,
    ) -> Option<Self> {
        let rows = match (grouping, order) {
            (Grouping::None, Order::Time) => Rows::All,
            (Grouping::None, _) => Rows::Ordered(ordered(index, &table, order)),
            _ => Rows::Groups(grouped(index, &table, grouping, cancel)?),
        };
        (!cancel.load(Ordering::Relaxed)).then_some(Self { table, order, grouping, rows })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::All => self.table.entries.len(),
            Rows::Ordered(rows) => rows.len(),
            Rows::Groups(groups) => groups.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The attempt of a row; of a group the first failed one.
    pub fn entry(&self, row: usize) -> Option<Entry> {
        let place = match &self.rows {
            Rows::All => row,
            Rows::Ordered(rows) => *rows.get(row)? as usize,
            Rows::Groups(groups) => {
                let members = &groups.get(row)?.members;
                let failed = |at: &&u32| {
                    self.table.entries.get(**at as usize).is_some_and(|own| self.table.kind(*own).is_some())
                };
                *members.iter().find(failed).or(members.first())? as usize
            }
        };
        self.table.entries.get(place).copied()
    }

    /// The row of an attempt by its place in the table.
    pub fn row(&self, place: usize) -> Option<usize> {
        match &self.rows {
            Rows::All => Some(place),
            Rows::Ordered(rows) => rows.iter().position(|at| *at as usize == place),
            Rows::Groups(groups) => {
                groups.iter().position(|group| group.members.binary_search(&(place as u32)).is_ok())
            }
        }
    }

    /// The group of a row.
    pub fn group(&self, row: usize) -> Option<&Group> {
        match &self.rows {
            Rows::Groups(groups) => groups.get(row),
            _ => None,
        }
    }

    /// A filter that shows a row's packets in the timeline.
    pub fn filter(&self, index: &Index, row: usize) -> Option<String> {
        let entry = self.entry(row)?;
        let Some(group) = self.group(row) else { return Some(self.table.filter(index, entry)) };
        let (client, server, service) = self.table.ends(index, entry);
        let of_host = |address: Address| build::for_host(address);
        let listed = || {
            let members = group.members.iter().take(LISTED_MAX);
            let entries = members.filter_map(|at| self.table.entries.get(*at as usize));
            let frames: Vec<String> =
                entries.map(|own| format!("({})", frame(index, self.table.first(*own)))).collect();
            frames.join(" or ")
        };
        Some(match self.grouping {
            Grouping::Client => of_host(client).unwrap_or_else(listed),
            Grouping::Service if server.1 != 0 && service != "dhcp" => match of_host(server.0) {
                Some(host) => format!("{host} and port {}", server.1),
                None => listed(),
            },
            Grouping::Name if service == "dns" => build::for_name(&self.table.name(index, entry)),
            Grouping::Outcome => match entry {
                Entry::Lookup(id) => {
                    let outcome = self.table.lookup(id)?.outcome.name();
                    if group.label.starts_with("dns ") {
                        format!("dns.outcome == {outcome}")
                    } else {
                        listed()
                    }
                }
                Entry::Service(_) => listed(),
            },
            _ => listed(),
        })
    }
}

/// The places of all attempts in another order; equal ones as they began.
fn ordered(index: &Index, table: &Table, order: Order) -> Arc<[u32]> {
    let key = |place: &u32| -> (u64, Address, u16, &'static str) {
        let none = (Address::None, 0, "");
        let Some(entry) = table.entries.get(*place as usize).copied() else {
            return (0, none.0, none.1, none.2);
        };
        let (client, server, service) = table.ends(index, entry);
        match order {
            Order::Time => (0, none.0, none.1, none.2),
            Order::Waited => (u64::MAX - table.waited_ns(entry).unsigned_abs(), none.0, none.1, none.2),
            Order::Outcome => {
                let rank = table.kind(entry).map_or(Kind::ALL.len(), Kind::place);
                let name = match entry {
                    Entry::Lookup(id) => table.lookup(id).map_or("", |own| own.outcome.name()),
                    Entry::Service(at) => table.attempt(at).map_or("", |own| own.outcome.name()),
                };
                (rank as u64, none.0, none.1, name)
            }
            Order::Service => (0, none.0, 0, service),
            Order::Client => (0, client, 0, ""),
            Order::Server => (0, server.0, server.1, ""),
        }
    };
    let mut places: Vec<u32> = (0..table.entries.len() as u32).collect();
    places.sort_by_cached_key(key);
    places.into()
}

fn grouped(index: &Index, table: &Table, grouping: Grouping, cancel: &AtomicBool) -> Option<Arc<[Group]>> {
    let mut by_label: HashMap<String, Vec<u32>> = HashMap::new();
    for (place, entry) in table.entries.iter().enumerate() {
        if place.is_multiple_of(65_536) && cancel.load(Ordering::Relaxed) {
            return None;
        }
        by_label.entry(label(index, table, grouping, *entry)).or_default().push(place as u32);
    }
    let mut groups: Vec<Group> =
        by_label.into_iter().map(|(label, members)| group(index, table, label, members)).collect();
    groups.sort_by(|a, b| {
        let key = |group: &Group| (std::cmp::Reverse(group.failed), std::cmp::Reverse(group.members.len()));
        key(a).cmp(&key(b)).then_with(|| a.label.cmp(&b.label))
    });
    groups.truncate(GROUPS_MAX);
    Some(groups.into())
}

fn label(index: &Index, table: &Table, grouping: Grouping, entry: Entry) -> String {
    let (client, server, service) = table.ends(index, entry);
    match grouping {
        Grouping::Client => client.to_string(),
        Grouping::Name => {
            let name = table.name(index, entry);
            if name.is_empty() { format!("({service} without a name)") } else { name }
        }
        Grouping::Outcome => {
            let outcome = match entry {
                Entry::Lookup(id) => table.lookup(id).map(|own| of_lookup(own).0),
                Entry::Service(at) => table.attempt(at).map(|own| of_attempt(own.outcome.plain()).0),
            };
            format!("{service} {}", outcome.unwrap_or_default())
        }
        _ => format!("{service} {}", place(server)),
    }
}

fn group(index: &Index, table: &Table, label: String, members: Vec<u32>) -> Group {
    let entries = || members.iter().filter_map(|at| table.entries.get(*at as usize).copied());
    let mut waits: Vec<Nanos> = entries().map(|own| table.waited_ns(own)).collect();
    waits.sort_unstable();
    let at = |part: usize| {
        let place = (waits.len() * part).div_ceil(100).saturating_sub(1);
        waits.get(place).copied().unwrap_or(0)
    };
    let mut spark = [0; SPARK_CELLS];
    for entry in entries() {
        if let Some(packet) = index.packet(table.first(entry))
            && let Some(cell) = spark.get_mut(table.failures.span.column(packet.time_ns(), SPARK_CELLS))
        {
            *cell += 1;
        }
    }
    let failed = entries().filter(|own| table.kind(*own).is_some()).count() as u64;
    Group { label, failed, waits_ns: [at(50), at(95), at(100)], spark, members }
}

/// How a lookup ended with the code that decided it, and its role.
pub fn of_lookup(own: &Transaction) -> (String, Role) {
    use correlate::Outcome as O;
    let (word, role) = match own.outcome {
        O::Answered => {
            // A name that does not exist is an answer, and no success.
            let role = match own.response_code {
                0 => Role::Answer,
                3 => Role::Retry,
                _ => Role::Error,
            };
            let name = match own.response_code {
                0 => "answered".to_owned(),
                code => crate::protocols::dns::response_code_name(code),
            };
            return (name, role);
        }
        O::Refused => return (format!("refused ICMP {}/{}", own.icmp.0, own.icmp.1), Role::Error),
        O::Unreadable => ("answered, cut", Role::Muted),
        O::Late => ("late", Role::Warning),
        O::NoAnswer => ("no answer", Role::Error),
        O::TcpReset => ("TCP reset", Role::Error),
        O::RefusedByReset => ("refused by RST", Role::Error),
        O::ResetMidway => ("reset midway", Role::Error),
        O::Closed => ("closed", Role::Error),
        O::Mute => ("mute", Role::Error),
        O::Truncated => ("truncated", Role::Warning),
        O::NotReceived => ("not received", Role::Error),
        O::CoveredByRateLimit => ("rate-limited", Role::Warning),
        O::Undetermined => ("undetermined", Role::Muted),
    };
    (word.to_owned(), role)
}

/// The same of an attempt at another service.
pub fn of_attempt(outcome: Outcome) -> (String, Role) {
    let text = match outcome {
        Outcome::Answered => return ("answered".to_owned(), Role::Answer),
        Outcome::Accepted => return ("accepted".to_owned(), Role::Answer),
        Outcome::OneDirection => return ("one direction".to_owned(), Role::Muted),
        Outcome::Undetermined => return ("undetermined".to_owned(), Role::Muted),
        Outcome::RefusedByReset => "refused by RST".to_owned(),
        Outcome::RefusedByIcmp(_, kind, code) => format!("refused ICMP {kind}/{code}"),
        Outcome::NoReply => "no reply".to_owned(),
        Outcome::Alert { number, .. } => format!("TLS alert {number}"),
        Outcome::Left { .. } => "handshake left".to_owned(),
        Outcome::Fails(code) => format!("answers {code}"),
        Outcome::Kiss(code) => format!("kiss {}", crate::text::escape_bytes(&code)),
        Outcome::NoTime => "has no time".to_owned(),
        Outcome::LargeLost { .. } => "large ones lost".to_owned(),
        Outcome::Silenced { .. } => "went silent".to_owned(),
        Outcome::Nak => "NAK".to_owned(),
        Outcome::Unconfirmed => "not confirmed".to_owned(),
        other => other.name().replace('_', " "),
    };
    (text, Role::Error)
}
