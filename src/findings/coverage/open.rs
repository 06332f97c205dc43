//! Finds what is seen and not assessed: each source of evidence in turn, joined by kind and ends.

use std::collections::{BTreeMap, HashSet};

use super::explained::{Explained, is_served};
use super::{Ends, OpenItem, OpenKind};
use crate::correlate::lookups::LookupId;
use crate::correlate::{Outcome, TransactionId};
use crate::decode::Address;
use crate::findings::facts::runs::Wanted;
use crate::findings::facts::traffic::{Exchange, Kind, Says, Seen, Talk};
use crate::findings::facts::{Connection, Ending, ErrorFact, Facts, Meaning};
use crate::findings::{path_size, rules};
use crate::index::PacketId;
use crate::index::segment::flags;
use crate::time::Nanos;

/// Things kept apart by their ends; further ones of a kind are joined.
const GROUPS_MAX: usize = 4_096;
/// Things of one kind that are told apart in the list.
const LISTED_MAX: usize = 12;
/// Frames named of one thing.
const FRAMES_MAX: usize = 256;
/// Clients counted of one thing.
const CLIENTS_MAX: usize = 1_024;
/// An attempt is followed for this long; later ones end with the capture.
const WATCH_NS: Nanos = 1_000_000_000;
/// A request over TCP may take this long (services §1.4).
const MUTE_NS: Nanos = 3_000_000_000;
/// A receiver that takes nothing for this long is stalled (services §1.4).
const STALL_NS: Nanos = 1_000_000_000;
/// Repeats of one segment without acknowledgement from which on it is no ordinary loss.
const REPEATS_MIN: u32 = 2;
/// A served attempt of the same client at the same service this soon makes a failed one ordinary (services §1.1).
const GROUP_NS: Nanos = 3_000_000_000;
/// Requests to the same server that may go unanswered one by one (services §1.9).
const REQUESTS_MIN: u64 = 2;
/// A lone request is watched for this long (services §1.2).
const ANSWER_NS: Nanos = 5_000_000_000;
/// Pings in a row that may go unanswered (services §1.9).
const PINGS_MIN: u64 = 3;

/// The things found so far.
pub(super) struct Items<'f, 'i> {
    facts: &'f Facts<'i>,
    groups: BTreeMap<(OpenKind, Ends), Group>,
}

#[derive(Default)]
struct Group {
    count: u64,
    clients: HashSet<Address>,
    frames: Vec<PacketId>,
    span_ns: Option<(Nanos, Nanos)>,
}

impl<'f, 'i> Items<'f, 'i> {
    pub(super) fn new(facts: &'f Facts<'i>) -> Self {
        Self { facts, groups: BTreeMap::new() }
    }

    /// Notes one thing and the frames that show it.
    fn add(&mut self, kind: OpenKind, ends: Ends, frames: &[PacketId]) {
        self.count(kind, ends, frames, 1);
    }

    fn count(&mut self, kind: OpenKind, ends: Ends, frames: &[PacketId], number: u64) {
        let client = ends.client;
        let mut key = (kind, Ends { client: Address::None, ..ends });
        if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&key) {
            key.1 = Ends::default();
        }
        let group = self.groups.entry(key).or_default();
        group.count += number;
        if client != Address::None && group.clients.len() < CLIENTS_MAX {
            group.clients.insert(client);
        }
        for frame in frames {
            let at_ns = self.facts.time(*frame);
            let (first_ns, last_ns) = group.span_ns.unwrap_or((at_ns, at_ns));
            group.span_ns = Some((first_ns.min(at_ns), last_ns.max(at_ns)));
            if group.frames.len() < FRAMES_MAX {
                group.frames.push(*frame);
            }
        }
    }

    /// The list: the open first, each kind by how often it was seen, rare ones of many joined.
    pub(super) fn finish(self) -> Vec<OpenItem> {
        let facts = self.facts;
        let mut by_kind: BTreeMap<OpenKind, Vec<(Ends, Group)>> = BTreeMap::new();
        for ((kind, ends), group) in self.groups {
            by_kind.entry(kind).or_default().push((ends, group));
        }
        let mut items = Vec::new();
        for (kind, mut groups) in by_kind {
            groups.sort_by_key(|(ends, group)| (std::cmp::Reverse(group.count), *ends));
            let mut rest = Group::default();
            for (at, (ends, group)) in groups.into_iter().enumerate() {
                if at < LISTED_MAX {
                    items.push(item(facts, kind, ends, group));
                } else {
                    rest.join(group);
                }
            }
            if rest.count > 0 {
                items.push(item(facts, kind, Ends::default(), rest));
            }
        }
        items.sort_by_key(|item| item.kind.standing());
        items
    }
}

impl Group {
    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.clients.extend(other.clients);
        self.frames.extend(other.frames);
        self.frames.truncate(FRAMES_MAX);
        self.span_ns = match (self.span_ns, other.span_ns) {
            (Some(own), Some(also)) => Some((own.0.min(also.0), own.1.max(also.1))),
            (own, also) => own.or(also),
        };
    }
}

fn item(facts: &Facts<'_>, kind: OpenKind, ends: Ends, mut group: Group) -> OpenItem {
    group.frames.sort_unstable();
    group.frames.dedup();
    let (first_ns, last_ns) = group.span_ns.unwrap_or_default();
    let client = match group.clients.len() {
        1 => group.clients.iter().next().copied().unwrap_or_default(),
        _ => Address::None,
    };
    OpenItem {
        kind,
        ends: Ends { client, ..ends },
        clients: group.clients.len() as u64,
        count: group.count,
        filter: if group.frames.is_empty() {
            String::new()
        } else {
            rules::frames_filter(facts, &group.frames)
        },
        frames: group.frames,
        first_ns,
        last_ns,
    }
}

/// Looks at each source of evidence.
pub(super) fn collect(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    record(facts, items);
    lookups(facts, explained, items);
    errors(facts, explained, items);
    connections(facts, explained, items);
    complaints(facts, explained, items);
    exchanges(facts, explained, items);
    neighbours(facts, explained, items);
    let traffic = &facts.traffic;
    let unseen = [
        (OpenKind::Encrypted, &traffic.encrypted),
        (OpenKind::Begun, &traffic.strangers),
        (OpenKind::OneWay, &traffic.one_way),
    ];
    for (kind, seen) in unseen {
        if seen.count > 0 {
            items.count(kind, Ends::default(), &seen_frames(seen), seen.count);
        }
    }
}

/// Looks at TCP connections and what passes on them.
pub(super) fn of_connections(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    connections(facts, explained, items);
    complaints(facts, explained, items);
}

fn seen_frames(seen: &Seen) -> Vec<PacketId> {
    let mut frames = seen.packets.clone();
    frames.extend(seen.last);
    frames.dedup();
    frames
}

/// Packets that were not read, not captured whole, or lost while capturing.
fn record(facts: &Facts<'_>, items: &mut Items<'_, '_>) {
    for segment in facts.index.segments() {
        for (row, bits) in segment.flags.iter().enumerate() {
            if bits & (flags::STOPPED | flags::CUT) == 0 {
                continue;
            }
            let id = PacketId(segment.base.0 + row as u32);
            if bits & flags::STOPPED != 0 {
                items.add(OpenKind::Unread(unread_because(facts, id)), Ends::default(), &[id]);
            } else {
                items.add(OpenKind::Cut, Ends::default(), &[id]);
            }
        }
    }
    for source in &facts.index.sources {
        let dropped: u64 = source.metadata.interfaces.iter().filter_map(|interface| interface.dropped).sum();
        if dropped > 0 {
            items.count(OpenKind::Dropped, Ends::default(), &[], dropped);
        }
    }
}

fn unread_because(facts: &Facts<'_>, id: PacketId) -> &'static str {
    let stopped = facts.index.packet(id).and_then(|packet| packet.decode().stopped);
    stopped.map_or("the message is malformed or cut", |stop| stop.reason)
}

/// Lookups without a usable answer that nobody was served for and no failure holds.
fn lookups(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    let all = &facts.evidence.transactions;
    let left: Vec<TransactionId> = (0..all.len() as u32)
        .map(TransactionId)
        .zip(all)
        .filter(|(id, transaction)| !is_served(transaction) && !explained.has_failure(*id))
        .map(|(id, _)| id)
        .collect();
    if left.is_empty() {
        return;
    }
    let lookups = facts.evidence.lookups(facts.index);
    let concerned: HashSet<LookupId> = left.iter().filter_map(|id| lookups.of(*id)).collect();
    let served = (0..all.len() as u32).map(TransactionId).zip(all).filter(|(_, t)| is_served(t));
    let served: HashSet<LookupId> =
        served.filter_map(|(id, _)| lookups.of(id)).filter(|lookup| concerned.contains(lookup)).collect();
    for id in left {
        let Some(transaction) = facts.evidence.transaction(id) else { continue };
        if lookups.of(id).is_some_and(|lookup| served.contains(&lookup))
            || explained.has(transaction.first)
            || facts.evidence.unserved(transaction.last).is_some()
            || transaction.answer.is_some_and(|answer| explained.has(answer))
        {
            continue;
        }
        let Some(first) = facts.index.packet(transaction.first) else { continue };
        let ends = Ends {
            client: first.source_address(),
            server: first.destination_address(),
            port: first.destination_port(),
            transport: first.transport(),
            sender: Address::None,
        };
        let kind = match transaction.outcome {
            Outcome::Undetermined => OpenKind::Undetermined,
            _ => OpenKind::Unserved,
        };
        items.add(kind, ends, &[transaction.first]);
    }
}

/// ICMP errors that no failure and no finding holds.
fn errors(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    let ignored = path_size::ignored(facts);
    for error in facts.errors.iter().filter(|error| !explained.has_error(error)) {
        let kind = match error.icmp {
            (5, _, false) | (137, _, true) => OpenKind::Redirect,
            _ if error.meaning == Meaning::TooBig && !ignored.iter().any(|told| told.shows(error.packet)) => {
                OpenKind::PathSize
            }
            _ => OpenKind::Error(error.meaning),
        };
        let ends = Ends {
            client: error.quoted.map_or(error.destination, |quoted| quoted.source.0),
            server: error.refused_destination().unwrap_or_default(),
            port: error.quoted.map_or(0, |quoted| quoted.destination.1),
            transport: error.quoted.map_or(0, |quoted| quoted.transport),
            sender: error.source,
        };
        items.add(kind, ends, &[error.packet]);
    }
    let copies = facts.evidence.duplicates().len();
    let rows = facts.index.icmp_rows().count();
    let beyond = rows.saturating_sub(facts.errors.len() + copies);
    if facts.errors.len() >= crate::findings::facts::errors::ERRORS_MAX && beyond > 0 && !explained.is_capped
    {
        items.count(OpenKind::Error(Meaning::Other), Ends::default(), &[], beyond as u64);
    }
}

/// TCP connections that came to nothing, or carried requests without an answer.
fn connections(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    let mut served: BTreeMap<(Address, (Address, u16)), Vec<Nanos>> = BTreeMap::new();
    for connection in &facts.connections {
        if connection.ending == Ending::Accepted && connection.served {
            served.entry((connection.client.0, connection.server)).or_default().push(connection.time_ns);
        }
    }
    let (_, end_ns) = facts.span();
    let answering: HashSet<(Address, u16)> =
        facts.connections.iter().filter(|own| own.is_heard()).map(|own| own.server).collect();
    for (connection, talk) in facts.connections.iter().zip(&facts.traffic.talks) {
        if explained.has(connection.syn) || connection.decided.is_some_and(|packet| explained.has(packet)) {
            continue;
        }
        let key = (connection.client.0, connection.server);
        let rescued = served.get(&key).is_some_and(|times| {
            let next = times.partition_point(|time_ns| *time_ns < connection.time_ns);
            times.get(next).is_some_and(|time_ns| time_ns - connection.time_ns <= GROUP_NS)
        });
        let ends = ends_of(connection);
        let (kind, frames) = match connection.ending {
            // Where a client goes on as if it were answered, the other direction was not captured.
            Ending::Silent | Ending::Accepted if !connection.is_heard() && talk.request.sent > 0 => {
                (OpenKind::OneDirection, vec![connection.syn])
            }
            Ending::Silent if facts.evidence.one_sided && !answering.contains(&connection.server) => {
                (OpenKind::OneDirection, vec![connection.syn])
            }
            Ending::Silent if connection.tries == 1 && end_ns - connection.time_ns < WATCH_NS => {
                (OpenKind::Unfinished, vec![connection.syn])
            }
            Ending::Silent | Ending::Refused | Ending::Rejected if rescued => continue,
            Ending::Silent => (OpenKind::Silent, vec![connection.syn, connection.last_syn]),
            Ending::Refused => (OpenKind::Refused, frames_of(connection)),
            Ending::Rejected => (OpenKind::Rejected, frames_of(connection)),
            Ending::ResetLater => (OpenKind::ResetEarly, frames_of(connection)),
            Ending::Accepted if is_told(facts, explained, talk) => continue,
            Ending::Accepted => {
                carried((facts, end_ns), explained, (connection, talk), items);
                continue;
            }
        };
        items.add(kind, ends, &frames);
    }
}

fn ends_of(connection: &Connection) -> Ends {
    Ends {
        client: connection.client.0,
        server: connection.server.0,
        port: connection.server.1,
        transport: 6,
        sender: Address::None,
    }
}

fn frames_of(connection: &Connection) -> Vec<PacketId> {
    [Some(connection.syn), connection.decided].into_iter().flatten().collect()
}

/// Whether a connection carried a question whose failure is told.
fn is_told(facts: &Facts<'_>, explained: &Explained<'_, '_>, talk: &Talk) -> bool {
    let requests = [talk.request.first, talk.request.last].into_iter().flatten();
    let mut requests = requests.filter_map(|request| facts.evidence.transaction_of(request));
    requests.any(|id| explained.has_failure(id))
}

/// What is odd about a connection that came about.
fn carried(
    (facts, end_ns): (&Facts<'_>, Nanos),
    explained: &Explained<'_, '_>,
    (connection, talk): (&Connection, &Talk),
    items: &mut Items<'_, '_>,
) {
    let ends = ends_of(connection);
    if let (Some(first), Some(last)) = (talk.unanswered_since(), talk.request.last) {
        let until_ns = talk.ended.unwrap_or(end_ns);
        let kind = if until_ns - facts.time(first) >= MUTE_NS || talk.ended.is_some() {
            OpenKind::Mute
        } else {
            OpenKind::Unfinished
        };
        if !explained.has(first) {
            items.add(kind, ends, &[first, last]);
        }
        return;
    }
    for way in [&talk.request, &talk.answer] {
        let told = |seen: &Seen| seen_frames(seen).iter().any(|packet| explained.has(*packet));
        if way.most >= REPEATS_MIN && !told(&way.repeats) {
            items.add(OpenKind::Repeated, ends, &seen_frames(&way.repeats));
        }
        let closed_ns = way.stall.closed_ns.map_or(0, |closed_ns| end_ns - closed_ns);
        if way.stall.longest_ns.max(closed_ns) >= STALL_NS && !told(&way.stall.seen) {
            items.add(OpenKind::Stalled, ends, &seen_frames(&way.stall.seen));
        }
    }
}

fn complaints(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    let complaints = &facts.traffic.complaints;
    let connections = facts.connections.iter().filter(|_| !complaints.is_empty());
    let opened: HashSet<_> = connections.map(|connection| (connection.client, connection.server)).collect();
    for complaint in complaints.iter().filter(|one| !explained.has(one.packet)) {
        let kind = match complaint.says {
            Says::Alert(description) => OpenKind::Alert(description),
            Says::Status(status) => OpenKind::Status(status),
        };
        let by_client = opened.contains(&(complaint.from, complaint.to));
        let (client, server) =
            if by_client { (complaint.from, complaint.to) } else { (complaint.to, complaint.from) };
        let ends = Ends {
            client: client.0,
            server: server.0,
            port: server.1,
            transport: 6,
            sender: complaint.from.0,
        };
        items.add(kind, ends, &[complaint.packet]);
    }
}

/// Requests over UDP and ICMP without answer.
fn exchanges(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    let (_, end_ns) = facts.span();
    let traced: HashSet<Address> = facts
        .errors
        .iter()
        .filter(|error| error.meaning == Meaning::HopsExceeded)
        .filter_map(ErrorFact::refused_destination)
        .collect();
    let living = living(facts);
    for exchange in &facts.traffic.exchanges {
        if !is_unanswered(exchange, end_ns)
            || exchange.kind == Kind::Echo && traced.contains(&exchange.server.0)
            || exchange.open_packets().iter().any(|packet| explained.has(*packet))
        {
            continue;
        }
        let kind = match exchange.kind {
            Kind::Echo if living.contains(&exchange.server.0) => OpenKind::PingIgnored,
            kind => OpenKind::Unanswered(kind),
        };
        let ends = Ends {
            client: exchange.client,
            server: exchange.server.0,
            port: exchange.server.1,
            transport: if exchange.kind == Kind::Echo { 1 } else { 17 },
            sender: Address::None,
        };
        items.count(kind, ends, exchange.open_packets(), exchange.open.count);
    }
}

/// Hosts that answer something else than pings.
fn living(facts: &Facts<'_>) -> HashSet<Address> {
    let accepted = facts.connections.iter().filter(|connection| connection.ending == Ending::Accepted);
    let answering = facts.servers.iter().filter(|(_, server)| !server.answers.is_empty());
    accepted.map(|connection| connection.server.0).chain(answering.map(|(key, _)| key.0)).collect()
}

fn is_unanswered(exchange: &Exchange, end_ns: Nanos) -> bool {
    let watched_ns = end_ns - exchange.last_ns;
    let never = exchange.answered == 0;
    match exchange.kind {
        _ if exchange.open.count == 0 => false,
        Kind::Echo => exchange.open.count >= PINGS_MIN,
        Kind::Quic | Kind::Doq | Kind::Dhcp => {
            never && (exchange.open.count >= REQUESTS_MIN || watched_ns >= ANSWER_NS)
        }
        _ => exchange.open.count >= REQUESTS_MIN || never && watched_ns >= ANSWER_NS,
    }
}

/// Runs of requests for link addresses. Where the asker does other things and nobody ever answered for the address, it is
/// one that is not in use: ordinary (services §1.8).
fn neighbours(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    for run in &facts.runs {
        let matters = run.asks_only || run.last_sign.is_some() || run.wanted != Wanted::Unknown;
        if matters && !run.requests.iter().any(|packet| explained.has(*packet)) {
            let ends = Ends { client: run.asker, server: run.target, ..Ends::default() };
            items.count(OpenKind::Neighbour, ends, &run.requests, run.requests.len() as u64);
        }
    }
}
